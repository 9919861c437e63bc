package main_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"carebell/db"
	"carebell/web/metriport"
)

// checked runs `carebell check` and fails unless it ends with a code and its one line has the words.
func checked(t *testing.T, dir string, code int, words string, args ...string) {
	t.Helper()
	r := carebell(t, []string{"CAREBELL_DATA=" + dir}, "", append([]string{"check"}, args...)...)
	if r.code != code || !strings.Contains(r.out, words) || strings.Count(r.out, "\n") != 1 || !strings.HasPrefix(r.out, "CAREBELL ") || r.log != "" {
		t.Errorf("check %s ended with %d and said %q%q, want %d and %q", strings.Join(args, " "), r.code, r.out, r.log, code, words)
	}
}

func deliver(t *testing.T, p *process, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/webhooks/metriport", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(metriport.SignatureHeader, metriport.Sign(key, []byte(body)))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp.StatusCode)
	}
}

// TestCheckSaysHowEverythingDoes in one line, beside a server and without one, with the codes that monitors know.
func TestCheckSaysHowEverythingDoes(t *testing.T) {
	const well, warning, critical, unknown = 0, 1, 2, 3
	dir := t.TempDir()
	checked(t, dir+"/none", unknown, "there is no data folder")
	checked(t, dir, unknown, "there is no database")
	p := serve(t, dir, "CAREBELL_DOWNLOAD_HOSTS=127.0.0.1:1")
	checked(t, dir, warning, "nothing came from Metriport yet", "--ask", p.url)
	deliver(t, p, `{"meta":{"messageId":"1","type":"patient.admit"},"payload":{"patientId":"p"}}`)
	settled(t, dir)
	checked(t, dir, well, "OK - Carebell takes webhooks; ", "--ask", p.url)
	checked(t, dir, well, "OK - Carebell runs; ")
	checked(t, dir, well, "last_event=", "--silence", "0")
	checked(t, dir, critical, "CRITICAL - last event from Metriport ", "--silence", "1ns")
	checked(t, dir, critical, "does not answer", "--ask", "http://127.0.0.1:1")
	checked(t, dir, unknown, "--help lists its flags", "--nonsense")
	if r := carebell(t, []string{"CAREBELL_DATA=" + dir, "CAREBELL_NONSENSE=1"}, "", "check"); r.code != unknown || !strings.Contains(r.out, "UNKNOWN") {
		t.Errorf("a wrong setting: %+v", r)
	}
	if r := carebell(t, nil, "", "check", "--help"); r.code != 0 || !strings.Contains(r.out, "2  CRITICAL") {
		t.Errorf("help: %+v", r)
	}

	// A link that dies soon, at an origin that does not answer.
	deliver(t, p, fmt.Sprintf(`{"meta":{"messageId":"2","type":"patient.admit"},"payload":{"patientId":"p","url":"http://127.0.0.1:1/x?X-Amz-Date=%s&X-Amz-Expires=45"}}`, time.Now().UTC().Format("20060102T150405Z")))
	settled(t, dir)
	checked(t, dir, warning, "WARNING - 1 link will die", "--ask", p.url)

	// The server is gone, and the chart has not read what came last.
	if code := p.end(t, terminate); code != 0 {
		t.Errorf("the server ended with %d", code)
	}
	checked(t, dir, critical, "Carebell does not run", "--ask", p.url)
	d, err := db.Open(t.Context(), dir, db.Options{Now: time.Now, Serve: true})
	if err != nil {
		t.Fatal(err)
	}
	in, err := d.OpenInbox(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Append(t.Context(), db.Received{MessageID: "3", Type: "patient.admit", Body: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	checked(t, dir, critical, "the chart is behind: 1 message, ", "--lag", "1us")
	in.Close()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCheckSeesAFullDisk on a small one, where one may be mounted.
func TestCheckSeesAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("a small disk cannot be mounted here: %v %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", dir).Run() })
	p := serve(t, dir)
	checked(t, dir, 2, "the disk is full: ", "--ask", p.url)
	if err := os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 12<<20), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	waitFor(t, "the server to find out by itself", func() bool {
		status, text := get(t, browser(), p.url+"/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(text, "disk")
	})
	checked(t, dir, 2, "takes no webhooks", "--ask", p.url)
	_ = p.end(t, terminate)
	checked(t, dir, 2, "Carebell does not run") // also where the database cannot be read
}
