package main_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"carebell/db"
	"carebell/web/sim"
)

const (
	archiveKey      = "archive-kill-key"
	archiveEmail    = "killed@clinic.example"
	archivePassword = "a long enough password"
)

// archiveServer is the program as people run it, on a data folder that outlives it.
type archiveServer struct {
	t       *testing.T
	program string
	env     []string
	cmd     *exec.Cmd
	url     string
	said    *bytes.Buffer
	ended   chan struct{}
}

func (s *archiveServer) start() {
	s.t.Helper()
	s.cmd, s.said, s.ended = exec.Command(s.program, "serve"), &bytes.Buffer{}, make(chan struct{})
	s.cmd.Env, s.cmd.Dir, s.cmd.Stderr = s.env, s.t.TempDir(), s.said
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	at := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if address, ok := strings.CutPrefix(lines.Text(), "Carebell is at "); ok {
				at <- address
			}
		}
		_ = s.cmd.Wait()
		close(s.ended)
	}()
	select {
	case s.url = <-at:
	case <-s.ended:
		s.t.Fatalf("the server does not start: %s", s.said)
	case <-time.After(time.Minute):
		s.kill()
		s.t.Fatalf("the server does not say where it is: %s", s.said)
	}
}

// kill is kill -9.
func (s *archiveServer) kill() {
	_ = s.cmd.Process.Kill()
	<-s.ended
}

func (s *archiveServer) run(stdin string, args ...string) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), s.program, args...)
	cmd.Env, cmd.Dir, cmd.Stdin = s.env, s.t.TempDir(), strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("carebell %s: %v %s", strings.Join(args, " "), err, out)
	}
}

// browser is signed in.
func (s *archiveServer) browser() *http.Client {
	s.t.Helper()
	jar, _ := cookiejar.New(nil)
	c := &http.Client{Jar: jar, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.PostForm(s.url+"/login", url.Values{"email": {archiveEmail}, "password": {archivePassword}})
	if err != nil {
		s.t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusSeeOther {
		s.t.Fatalf("signing in is answered %d", resp.StatusCode)
	}
	return c
}

// archiveContent is what the origin serves as document n: between a few bytes and half a megabyte, every third twice.
func archiveContent(n int) []byte {
	n -= n % 3 / 2
	r := rand.New(rand.NewPCG(uint64(n), 3))
	b := make([]byte, 100+r.IntN(1<<uint(8+n%12)))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// archiveOrigin serves documents slowly, in pieces.
func archiveOrigin(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/document/"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	content := archiveContent(n)
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	const pieces = 8
	for i := range pieces {
		if _, err := w.Write(content[len(content)*i/pieces : len(content)*(i+1)/pieces]); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
	}
}

// TestKillDuringDownloadsNeverServesACorruptFile: the server is killed while it fetches, again and again. After each
// start, every file that it calls stored is what the origin serves; in the end, every download is stored.
func TestKillDuringDownloadsNeverServesACorruptFile(t *testing.T) {
	rounds := 5
	if n, err := strconv.Atoi(os.Getenv("KILL_ROUNDS")); err == nil {
		rounds = n
	}
	const perRound = 48
	program := filepath.Join(t.TempDir(), "carebell")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	origin := httptest.NewServer(http.HandlerFunc(archiveOrigin))
	defer origin.Close()
	dir := t.TempDir()
	s := &archiveServer{t: t, program: program, env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir(), "CAREBELL_DATA=" + dir, "CAREBELL_ADDR=127.0.0.1:0",
		"CAREBELL_WEBHOOK_KEYS=" + archiveKey, "CAREBELL_DOWNLOAD_HOSTS=" + origin.Listener.Addr().String(),
	}}
	s.run(archivePassword+"\n", "user", "add", "--email", archiveEmail, "--role", "coordinator")
	s.start()
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("the server said:\n%s", s.said)
		}
	})
	sent := 0
	for round := range rounds {
		for range perRound / 4 {
			var documents []string
			for range 4 {
				documents = append(documents, fmt.Sprintf(`{"id":"d%d","fileName":"document-%d","url":"%s/document/%d"}`, sent, sent, origin.URL, sent))
				sent++
			}
			body := fmt.Appendf(nil, `{"meta":{"messageId":"kill-%d","when":"2026-11-20T10:00:00.000Z","type":"medical.document-bulk-download-paged"},"patients":[{"patientId":"p","status":"completed","documents":[%s]}]}`,
				sent, strings.Join(documents, ","))
			status, answer, err := sim.Post(t.Context(), nil, s.url+"/webhooks/metriport", archiveKey, body)
			if err != nil || status != http.StatusOK {
				t.Fatalf("answered %d %s %v", status, answer, err)
			}
		}
		time.Sleep(time.Duration(rand.IntN(600)) * time.Millisecond)
		s.kill()
		states := archiveStates(t, dir)
		s.start()
		checked := s.check(states[db.FetchStored])
		t.Logf("round %d: killed with %d stored, %d being fetched and %d waiting of %d; %d checked", round,
			len(states[db.FetchStored]), len(states[db.FetchFetching]), len(states[db.FetchQueued]), sent, checked)
	}
	for until := time.Now().Add(3 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		states := archiveStates(t, dir)
		if len(states[db.FetchStored]) == sent {
			kept, _ := filepath.Glob(filepath.Join(dir, "files", "*"))
			named := map[string]bool{"key-check": true}
			for _, d := range states[db.FetchStored] {
				named[d.File] = true
			}
			t.Logf("the vault has %d files, %d of them are needed", len(kept), len(named))
			if checked := s.check(states[db.FetchStored]); checked != sent {
				t.Errorf("%d of %d documents were served", checked, sent)
			}
			break
		}
		if time.Now().After(until) {
			t.Fatalf("not every download ended: %v", states)
		}
	}
	if parts, _ := filepath.Glob(filepath.Join(dir, "files", "*.part")); len(parts) != 0 {
		t.Errorf("halves of files are left: %v", parts)
	}
}

// archiveStates lists the downloads by state, read beside the server as `carebell inbox` does.
func archiveStates(t *testing.T, dir string) map[db.Fetch][]db.Download {
	t.Helper()
	d, err := db.Open(t.Context(), dir, db.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	states := map[db.Fetch][]db.Download{}
	err = d.Read(t.Context(), func(v db.Snapshot) error {
		all, err := v.PatientDownloads(t.Context(), "p", 100_000)
		for _, x := range all {
			states[x.State] = append(states[x.State], x)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return states
}

// check asks the server for stored files, and compares each with what the origin serves.
func (s *archiveServer) check(stored []db.Download) (checked int) {
	s.t.Helper()
	c := s.browser()
	for _, d := range stored {
		n, err := strconv.Atoi(strings.TrimPrefix(d.Name, "document-"))
		if err != nil {
			s.t.Fatalf("a document is named %q", d.Name)
		}
		want := archiveContent(n)
		ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/files/%d", s.url, d.ID), nil)
		if err != nil {
			s.t.Fatal(err)
		}
		resp, err := c.Do(req)
		if err != nil {
			s.t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		cancel()
		sum := sha256.Sum256(want)
		if err != nil || resp.StatusCode != http.StatusOK || !bytes.Equal(got, want) || !bytes.Equal(d.SHA256, sum[:]) {
			s.t.Errorf("document %d is stored, and served as %d with %d of %d bytes: %v", n, resp.StatusCode, len(got), len(want), err)
			continue
		}
		checked++
	}
	return checked
}
