//go:build browser

package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"carebell/db"
	"carebell/web"
	"carebell/web/sim"
	"carebell/web/webtest"
)

// elsewhere is another origin on the same host, the worst there is: a browser sends our cookies along. It serves the
// simulated sender's files as they claim to be, which is how a careless program would, and pages that embed what they
// are told to.
type elsewhere struct {
	*httptest.Server
	sim *sim.Sim

	mu      sync.Mutex
	files   map[string][]byte // by name
	reached []string          // what browsers asked for because a file told them to
}

func openElsewhere(t *testing.T, now func() time.Time) *elsewhere {
	o := &elsewhere{files: map[string][]byte{}}
	o.Server = httptest.NewServer(o)
	t.Cleanup(o.Close)
	o.sim = sim.New(sim.Options{Now: now, Seed: 7, BaseURL: o.URL})
	return o
}

func (o *elsewhere) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	o.mu.Lock()
	if strings.HasSuffix(r.URL.Path, "/reached") {
		o.reached = append(o.reached, r.Header.Get("Referer"))
	}
	content := o.files[name]
	o.mu.Unlock()
	switch r.URL.Path {
	case "/embed":
		w.Header().Set("Content-Type", "text/html")
		address := html.EscapeString(r.URL.Query().Get("address"))
		for _, form := range []string{
			`<title>elsewhere</title>`, `<iframe src="%s"></iframe>`, `<iframe src="%s" sandbox="allow-scripts allow-same-origin allow-modals"></iframe>`,
			`<object data="%s"></object>`, `<object data="%s" type="text/html"></object>`, `<object data="%s" type="image/svg+xml"></object>`,
			`<embed src="%s">`, `<embed src="%s" type="application/pdf">`, `<img src="%s">`, `<link rel="stylesheet" href="%s">`, `<script src="%s"></script>`,
		} {
			_, _ = io.WriteString(w, strings.ReplaceAll(form, "%s", address)+"\n")
		}
	case "/careless/" + name:
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write(content)
	default:
		o.sim.Store().ServeHTTP(w, r)
	}
}

// asked returns what was reached since it was last asked.
func (o *elsewhere) asked() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := o.reached
	o.reached = nil
	return out
}

// hostileFile is a document that wants to run.
type hostileFile struct{ name, link, mime string }

// sendHostile sends the simulated sender's hostile documents, once as documents and once as attachments of a message.
func (o *elsewhere) sendHostile(t *testing.T, c *clinic) (patient string, files []hostileFile) {
	t.Helper()
	messages := o.sim.Hostile()
	m := messages[len(messages)-1]
	var body struct {
		Patients []struct {
			PatientID string
			Documents []struct{ FileName, URL, MimeType string }
		}
	}
	if err := json.Unmarshal(m.Body, &body); err != nil || len(body.Patients) != 1 {
		t.Fatalf("the hostile documents are not where they were: %v", err)
	}
	c.post(m)
	var attachments []map[string]string
	for _, d := range body.Patients[0].Documents {
		files = append(files, hostileFile{d.FileName, d.URL, d.MimeType})
		attachments = append(attachments, map[string]string{"url": d.URL, "contentType": d.MimeType, "title": "attached-" + d.FileName})
		resp, err := http.Get(d.URL)
		if err != nil {
			t.Fatal(err)
		}
		var content bytes.Buffer
		_, _ = content.ReadFrom(resp.Body)
		_ = resp.Body.Close()
		o.files[d.FileName] = content.Bytes()
	}
	patient = body.Patients[0].PatientID
	letter, err := json.Marshal(map[string]any{
		"meta":    map[string]string{"messageId": "hostile-letter", "type": "message.received", "when": c.Clock.Now().UTC().Format(time.RFC3339)},
		"payload": map[string]any{"id": "letter", "patientId": patient, "attachments": attachments},
	})
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := c.Post(t, letter); status != http.StatusOK {
		t.Fatalf("the webhook answered %d: %s", status, answer)
	}
	return patient, files
}

// stored waits until n files of a patient are stored.
func (c *clinic) stored(patient string, n int) (list []db.Download) {
	c.t.Helper()
	for until := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		err := c.DB.Read(context.Background(), func(v db.Snapshot) (err error) {
			list, err = v.PatientDownloads(context.Background(), patient, 100)
			return err
		})
		if err != nil {
			c.t.Fatal(err)
		}
		waiting := func(d db.Download) bool { return d.State != db.FetchStored }
		if len(list) == n && !slices.ContainsFunc(list, waiting) {
			return list
		}
		if time.Now().After(until) {
			c.t.Fatalf("waited in vain for %d files: %+v", n, list)
		}
	}
}

// trapped is a tab that notices whatever a hostile file does: the scripts that it runs, with what they can read, and
// the dialogs it opens.
type trapped struct {
	*tab
	o *elsewhere

	mu  sync.Mutex
	did []string
}

// noticed is set on every page and frame before anything else in it runs.
const noticed = `Object.defineProperty(window, "poisoned", {set(n) { ran(location.href + " ran script " + n + " and reads the cookie " + JSON.stringify(document.cookie)) }})`

func trap(b *tab, o *elsewhere) *trapped {
	b.Helper()
	x := &trapped{tab: b, o: o}
	if err := chromedp.Listen(b.ctx, x.notice); err != nil {
		b.Fatal(err)
	}
	call(b, runtime.AddBinding, runtime.AddBindingParams{Name: "ran"})
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: noticed})
	b.expect(`.`) // what is stopped is said there
	return x
}

func (x *trapped) notice(event any) {
	var did string
	switch e := event.(type) {
	case *runtime.EventBindingCalled:
		did = e.Payload
	case *page.EventJavascriptDialogOpening:
		did = "dialog " + e.Message
		go func() { _, _ = chromedp.Call(x.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{}) }()
	default:
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.did = append(x.did, did)
}

// visit opens an address and returns everything that then happened beyond showing it.
func (x *trapped) visit(address string) []string {
	x.Helper()
	x.o.asked()
	x.mu.Lock()
	x.did = nil
	x.mu.Unlock()
	call(x.tab, page.Navigate, page.NavigateParams{URL: address})
	x.until("all of it was tried", `document.readyState === "complete"`)
	time.Sleep(250 * time.Millisecond) // for what comes after: a script that runs on its own time
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Concat(x.did, x.o.asked())
}

// TestNothingInAStoredFileRuns: hostile files that came by signed webhooks are opened in every way there is, by somebody
// who is signed in, and nothing happens but a download. The very same files, served as they claim to be, run.
func TestNothingInAStoredFileRuns(t *testing.T) {
	clock := &webtest.Clock{}
	o := openElsewhere(t, clock.Now)
	c := newClinic(t, func(cfg *web.Config) { cfg.DownloadHosts = []string{o.Listener.Addr().String()} })
	patient, files := o.sendHostile(t, c)
	list := c.stored(patient, 2*len(files))
	if asked := o.asked(); len(asked) > 0 {
		t.Errorf("storing and reading the files asked for what they name: %q", asked)
	}
	embed := func(address string) string { return o.URL + "/embed?address=" + url.QueryEscape(address) }

	// The control: each way in which a file runs where it is served carelessly. It has a browser of its own, because files
	// that do run have been seen to bring one down, which says nothing about Carebell: then all is done again in another.
	byEmbed, byType := []string{"note.html", "scan.svg", "page.xml"}, []string{"note.html", "scan.svg", "page.xml", "summary.xml"}
	ownBrowser(t, func(b *tab) {
		x := trap(b, o)
		for _, f := range files {
			for how, did := range map[string][]string{"as its type": x.visit(f.link), "embedded": x.visit(embed(f.link)), "as a page": x.visit(o.URL + "/careless/" + f.name)} {
				runs := map[string]bool{"as its type": slices.Contains(byType, f.name), "embedded": slices.Contains(byEmbed, f.name), "as a page": f.name != "letter.pdf"}[how]
				if runs && len(did) == 0 {
					b.Errorf("served carelessly %s, %s does nothing: this test would notice nothing", how, f.name)
				}
			}
		}
	})

	b := newTab(t, c.URL)
	b.signIn(ann)
	x := trap(b, o)
	saved := t.TempDir()
	call(b, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: saved, BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID,
	})
	start := c.URL + "/patients/" + url.PathEscape(patient)
	quiet := func(what string, did []string) {
		t.Helper()
		if len(did) > 0 {
			t.Errorf("%s does: %q", what, did)
		}
	}
	for _, d := range list {
		original := o.files[strings.TrimPrefix(d.Name, "attached-")]
		address := fmt.Sprint(c.URL, "/files/", d.ID)
		quiet("the patient's page", x.visit(start))
		quiet("opening "+d.Name, x.visit(address))
		if at := eval[string](b, `location.href + " " + document.title`); at != start+" Patient · Carebell" {
			t.Errorf("opening %s leads to %s", d.Name, at)
		}
		sameFile(t, filepath.Join(saved, d.Name), original)
		quiet("the preview of "+d.Name, x.visit(address+"/preview"))
		if at := eval[string](b, `location.href + " " + document.title`); !strings.HasPrefix(at, address+"/preview ") || !strings.HasSuffix(at, " · Carebell") {
			t.Errorf("the preview of %s leads to %s", d.Name, at)
		}
		b.always("no script reads a cookie", `document.cookie === ""`)
		if strings.HasPrefix(d.Name, "attached-") {
			continue // the same content once more
		}
		quiet(d.Name+" embedded elsewhere", x.visit(embed(address)))
		quiet("the preview of "+d.Name+" embedded elsewhere", x.visit(embed(address+"/preview")))
		if at := eval[string](b, `location.href + " " + document.title`); !strings.HasPrefix(at, o.URL+"/embed?") || !strings.HasSuffix(at, " elsewhere") {
			t.Errorf("%s embedded elsewhere leads to %s", d.Name, at)
		}
		b.always("another origin can load nothing of it", fmt.Sprintf(`Promise.all(["no-cors", "cors"].map((mode) =>
			fetch(%q, {mode, credentials: "include"}).then(() => false, () => true))).then((stopped) => stopped.every(Boolean))`, address))
	}
}

// sameFile waits until the browser has saved a file, and compares it.
func sameFile(t *testing.T, path string, want []byte) {
	t.Helper()
	for until := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		got, err := os.ReadFile(path)
		if bytes.Equal(got, want) && err == nil {
			return
		}
		if time.Now().After(until) {
			t.Errorf("%s was not saved as it came: %d bytes, want %d (%v)", filepath.Base(path), len(got), len(want), err)
			return
		}
	}
}
