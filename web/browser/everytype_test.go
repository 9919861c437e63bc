//go:build browser

package browser

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"carebell/web/metriport"
	"carebell/web/sim"
	"carebell/web/webtest"
)

const programKey = "every-type-key"

// program is the built binary as people run it, in a folder of its own. It returns its address; it ends with the test.
func program(t *testing.T, files string) string {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "carebell")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "carebell/cmd/carebell").CombinedOutput(); err != nil {
		t.Fatalf("building: %v %s", err, out)
	}
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "CAREBELL_DATA=" + filepath.Join(dir, "data"), "CAREBELL_ADDR=127.0.0.1:0",
		"CAREBELL_WEBHOOK_KEYS=" + programKey, "CAREBELL_DOWNLOAD_HOSTS=" + files,
	}
	serve := exec.Command(binary, "serve")
	serve.Env, serve.Dir, serve.Stderr = env, dir, io.Discard
	said, err := serve.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = serve.Process.Signal(os.Interrupt)
		_ = serve.Wait()
	})
	base := ""
	for lines := bufio.NewScanner(said); base == "" && lines.Scan(); {
		base, _ = strings.CutPrefix(lines.Text(), "Carebell is at ")
		if !strings.HasPrefix(base, "http") {
			base = ""
		}
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()
	add := exec.CommandContext(t.Context(), binary, "user", "add", "--email", boss, "--role", "admin")
	add.Env, add.Dir, add.Stdin = env, dir, strings.NewReader(webtest.Password+"\n")
	if out, err := add.CombinedOutput(); err != nil || base == "" {
		t.Fatalf("the program at %q takes no user: %v %s", base, err, out)
	}
	return base
}

// strange is a message with fields that nobody documented, wherever there is an object of its own.
func strange(t *testing.T, body []byte) []byte {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	odd := map[string]any{"deep": []any{1, nil, map[string]any{"x": "<b>y</b>"}}}
	for _, part := range []string{"meta", "payload", "bulkPatientCreate"} {
		if o, ok := m[part].(map[string]any); ok {
			o["neverHeardOf"], o["nothing"] = odd, nil
		}
	}
	if list, ok := m["patients"].([]any); ok && len(list) > 0 {
		list[0].(map[string]any)["neverHeardOf"] = odd
	}
	m["besides"] = odd
	out, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestEveryTypeAppearsOnItsPage: every documented and observed type, once, in any order and with unknown fields, is on its
// own page and in the admin's inbox by itself, without a reload, over the program as people run it.
func TestEveryTypeAppearsOnItsPage(t *testing.T) {
	var sender *sim.Sim
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { sender.Store().ServeHTTP(w, r) }))
	defer files.Close()
	sender = sim.New(sim.Options{Now: time.Now, Seed: 11, BaseURL: files.URL})
	base := program(t, files.Listener.Addr().String())

	inbox := newTab(t, base)
	inbox.signIn(boss)
	tabs := map[string]*tab{}
	show := func(path string) *tab {
		if tabs[path] == nil {
			tabs[path] = inbox.another(t)
			tabs[path].open(path)
			tabs[path].until(path+" is live", live)
			eval[bool](tabs[path], `window.neverReloaded = true`)
		}
		return tabs[path]
	}
	inbox.open("/admin/inbox")
	inbox.until("the inbox is live", live)
	eval[bool](inbox, `window.neverReloaded = true`)
	home := map[metriport.Type]string{
		metriport.NetworkQueryHIE: "/records", metriport.NetworkQueryPharmacy: "/records", metriport.NetworkQueryLab: "/records", metriport.FirstDataReady: "/records",
		metriport.ConsolidatedData: "/records?view=consolidated", metriport.DocumentsPaged: "/records?view=documents", metriport.DocumentsURLs: "/records?view=documents",
		metriport.DocumentDownload: "/records?view=documents", metriport.DocumentConversion: "/records?view=documents",
		metriport.BulkPatientCreate: "/imports", metriport.MessageReceived: "/messages", metriport.MessageStatus: "/messages?box=outbound",
		metriport.IdentityVerified: "/identity",
	}
	types := append([]metriport.Type{"patient.of-a-later-version"}, metriport.Types...)
	rand.Shuffle(len(types), func(i, j int) { types[i], types[j] = types[j], types[i] })
	t.Logf("order: %v", types)
	for _, kind := range types {
		if path := home[kind]; path != "" {
			show(path)
		}
	}
	show("/")
	client := &http.Client{Timeout: 30 * time.Second}
	for _, kind := range types {
		like := kind
		if kind == "patient.of-a-later-version" {
			like = metriport.PatientAdmit
		}
		m, err := sender.Sample(like)
		if err != nil {
			t.Fatal(err)
		}
		body := []byte(strings.Replace(string(strange(t, m.Body)), `"type":"`+string(like)+`"`, `"type":"`+string(kind)+`"`, 1))
		began := time.Now()
		if status, answer, err := sim.Post(t.Context(), client, base+"/webhooks/metriport", programKey, body); err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %s %v", kind, status, answer, err)
		}
		if kind == metriport.Ping { // answered, and no event
			continue
		}
		var read struct {
			Meta struct{ MessageID string }
			Bulk struct{ RequestID string } `json:"bulkPatientCreate"`
		}
		if err := json.Unmarshal(body, &read); err != nil {
			t.Fatal(err)
		}
		row := fmt.Sprintf(`[...document.querySelectorAll("#inbox > .row")].find((r) => r.textContent.includes(%q))`, read.Meta.MessageID)
		inbox.until(string(kind)+" is in the inbox", row)
		seq := eval[string](inbox, row+`.dataset.key`)
		want := fmt.Sprintf(`["%[1]s", String(%[1]s * 1024)].some((key) => document.querySelector('[data-live-list] > .row[data-key="' + key + '"]'))`, seq)
		if kind == metriport.BulkPatientCreate {
			want = fmt.Sprintf(`document.querySelector('[data-live-list] a[href$=%q]')`, "/imports/"+read.Bulk.RequestID)
		}
		path := home[kind]
		switch {
		case kind == "patient.of-a-later-version":
			inbox.until("what is not known is said to be so", row+`.textContent.includes("Unrecognized")`)
			continue
		case path == "":
			path = "/"
		}
		tabs[path].until(string(kind)+" is on "+path, want)
		t.Logf("%-45s on %-28s after %v", kind, path, time.Since(began).Round(10*time.Millisecond))
	}
	for path, b := range tabs {
		if !eval[bool](b, `window.neverReloaded === true`) {
			t.Errorf("%s was loaded anew", path)
		}
	}
}
