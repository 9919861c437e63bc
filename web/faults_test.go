package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"carebell/db"
	"carebell/web/webtest"
)

// smallDisk is a folder on a disk of its own with so many megabytes. Where none may be mounted, the test is skipped.
func smallDisk(t *testing.T, mega int) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm", mega), "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("a small disk cannot be mounted here: %v %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.CommandContext(context.Background(), "umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v %s", err, out)
		}
	})
	return dir
}

// fill takes all that is left on a disk, and returns what gives it back.
func fill(t *testing.T, dir string) (makeRoom func()) {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	_ = f.Close()
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// bulky is an event that no room that is left by chance takes.
func bulky(n int) []byte {
	return []byte(fmt.Sprintf(`{"meta":{"messageId":"bulky-%d","type":"patient.admit","when":"2026-03-02T10:00:00Z"},"payload":{"patientId":"PATIENT-1","x":%q}}`, n, noise(512<<10)))
}

// noise does not compress.
func noise(n int) string {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-"[x>>26]
	}
	return string(b)
}

// number is what a query for one number returns.
func number(t *testing.T, s *webtest.Server, query string) (n int64) {
	t.Helper()
	err := s.DB.Read(context.Background(), func(v db.Snapshot) error {
		return v.QueryRowContext(context.Background(), query).Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// cookiesOf are the cookies of a browser as it sends them.
func cookiesOf(t *testing.T, b *webtest.Browser, s *webtest.Server) string {
	t.Helper()
	base, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range b.Jar.Cookies(base) {
		out = append(out, c.Name+"="+c.Value)
	}
	return strings.Join(out, "; ")
}

func ready(t *testing.T, s *webtest.Server) (int, string) {
	t.Helper()
	resp, text := s.Browser().Get(t, "/readyz")
	return resp.StatusCode, text
}

// TestAFullDiskIsSaidAsItIs: what is not stored is not acknowledged; probes, pages and a logout tell the truth, and all goes
// on by itself when there is room.
func TestAFullDiskIsSaidAsItIs(t *testing.T) {
	dir := smallDisk(t, 24)
	s := webtest.StartIn(t, dir)
	b, other := s.SignedIn(t, "one@clinic.example", db.Coordinator), s.SignedIn(t, "boss@clinic.example", db.Admin)
	if status, text := s.Post(t, bulky(0)); status != http.StatusOK {
		t.Fatalf("before: %d %s", status, text)
	}
	s.Settled(t)
	const stopped, resting = "Nothing can be stored", "webhooks still come in and are kept"
	pollUntil(t, "the banner of a disk that is nearly full", func() (string, bool) {
		_, page := b.Get(t, "/")
		return page, strings.Contains(page, resting) && !strings.Contains(page, stopped)
	})
	makeRoom := fill(t, dir)
	refused := 0
	for n := 1; n < 40 && refused < 3; n++ { // what room the database has of its own is used up first
		if status, _ := s.Post(t, bulky(n)); status == http.StatusServiceUnavailable {
			refused++
		} else if status != http.StatusOK {
			t.Fatalf("%d", status)
		}
	}
	if refused < 3 {
		t.Fatal("the disk is not full")
	}
	if status, text := ready(t, s); status != http.StatusServiceUnavailable || !strings.Contains(text, "disk") {
		t.Errorf("/readyz says %d %q", status, text)
	}
	for _, path := range []string{"/", "/messages", "/records", "/imports", "/identity"} {
		if resp, page := b.Get(t, path); resp.StatusCode != http.StatusOK || !strings.Contains(page, stopped) || strings.Contains(page, resting) {
			t.Errorf("%s: %d, and it does not say what is so", path, resp.StatusCode)
		}
	}
	if resp, page := other.Get(t, "/admin/system"); resp.StatusCode != http.StatusOK || !strings.Contains(page, "webhooks are refused") || strings.Contains(page, "Webhooks still come in") {
		t.Errorf("the system page: %d", resp.StatusCode)
	}
	traces := number(t, s, `SELECT count(*) FROM audit`)
	if resp, page := b.Get(t, "/patients/PATIENT-1"); resp.StatusCode == http.StatusOK {
		if number(t, s, `SELECT count(*) FROM audit`) == traces { // there may be room for one more small row
			t.Error("a patient's page was shown without a trace")
		}
	} else if resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(page, "The disk is full") {
		t.Errorf("a patient's page: %d", resp.StatusCode)
	}

	// A logout holds at once, for the cookie itself too.
	cookies := cookiesOf(t, b, s)
	if resp, _ := b.Form(t, "/logout", nil); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("signing out: %d", resp.StatusCode)
	}
	dead := func(when string) {
		t.Helper()
		resp, _ := s.Browser().Send(t, http.MethodGet, "/", nil, http.Header{"Cookie": {cookies}})
		if resp.StatusCode != http.StatusSeeOther {
			t.Errorf("%s the cookie of a login that ended is answered %d", when, resp.StatusCode)
		}
	}
	dead("while the disk is full")

	makeRoom()
	pollUntil(t, "readiness after there is room", func() (string, bool) {
		status, text := ready(t, s)
		return text, status == http.StatusOK
	})
	if status, text := s.Post(t, bulky(100)); status != http.StatusOK {
		t.Errorf("with room again: %d %s", status, text)
	}
	pollUntil(t, "the banner to go", func() (string, bool) {
		_, page := other.Get(t, "/")
		return page, !strings.Contains(page, stopped)
	})
	pollUntil(t, "the logout on the disk", func() (string, bool) {
		n := number(t, s, `SELECT count(*) FROM session`)
		return fmt.Sprint(n, " sessions"), n == 1
	})
	dead("with room again")
	messages := len(s.Messages(t))
	s.Stop(t)
	if again := webtest.StartIn(t, dir); len(again.Messages(t)) != messages {
		t.Error("after a restart other messages are there")
	}
}

// TestAFolderThatTakesNoFilesIsSaid while webhooks are kept, until it takes them again.
func TestAFolderThatTakesNoFilesIsSaid(t *testing.T) {
	dir := t.TempDir()
	s := webtest.StartIn(t, dir)
	b := s.SignedIn(t, "one@clinic.example", db.Coordinator)
	files := filepath.Join(dir, "files")
	if err := os.Rename(files, files+"-away"); err != nil {
		t.Fatal(err)
	}
	says := func(want bool) {
		t.Helper()
		pollUntil(t, "the banner", func() (string, bool) {
			_, page := b.Get(t, "/")
			return page, strings.Contains(page, "Files cannot be stored") == want
		})
	}
	says(true)
	if status, _ := s.Post(t, bulky(1)); status != http.StatusOK {
		t.Errorf("a webhook is answered %d", status)
	}
	if status, _ := ready(t, s); status != http.StatusOK {
		t.Errorf("/readyz says %d", status)
	}
	if err := os.Rename(files+"-away", files); err != nil {
		t.Fatal(err)
	}
	says(false)
}
