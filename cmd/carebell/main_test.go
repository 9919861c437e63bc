package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary is the program as people run it, built once.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "carebell-cmd-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "carebell")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

const (
	key      = "command-line-key"
	password = "a long enough password"
)

// environment is what a process sees: the settings given, a folder for temporary files, and nothing else of ours.
func environment(t testing.TB, settings []string) []string {
	t.Helper()
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	temporary := true
	for _, s := range settings {
		temporary = temporary && !strings.HasPrefix(s, "TMPDIR=")
	}
	if temporary {
		env = append(env, "TMPDIR="+t.TempDir())
	}
	return append(env, settings...)
}

// result is how a command ended.
type result struct {
	code     int
	out, log string
}

// carebell runs a command to its end.
func carebell(t testing.TB, settings []string, stdin string, args ...string) result {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Env, cmd.Stdin = environment(t, settings), strings.NewReader(stdin)
	cmd.Dir = t.TempDir()
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), log.String()}
}

// must runs a command that has to succeed and returns what it prints.
func must(t testing.TB, settings []string, stdin string, args ...string) string {
	t.Helper()
	r := carebell(t, settings, stdin, args...)
	if r.code != 0 {
		t.Fatalf("carebell %s ended with %d: %s", strings.Join(args, " "), r.code, r.log)
	}
	return r.out
}

// process is a running command.
type process struct {
	cmd *exec.Cmd
	url string // where it serves

	mu   sync.Mutex
	out  bytes.Buffer
	log  bytes.Buffer
	done chan struct{} // closed when all it said was read
}

// start runs a command that serves, and waits until it says where. at is what stands before the address.
func start(t testing.TB, settings []string, at string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(binary, args...), done: make(chan struct{})}
	p.cmd.Env, p.cmd.Dir = environment(t, settings), t.TempDir()
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		_ = p.cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s%s", strings.Join(args, " "), p.said(), p.logged())
		}
	})
	address := make(chan string, 1)
	var reading sync.WaitGroup
	read := func(r io.Reader, into *bytes.Buffer, line func(string)) {
		for s := bufio.NewScanner(r); s.Scan(); {
			p.mu.Lock()
			into.WriteString(s.Text() + "\n")
			p.mu.Unlock()
			line(s.Text())
		}
	}
	reading.Go(func() {
		read(stdout, &p.out, func(line string) {
			if after, ok := strings.CutPrefix(line, at); ok {
				select {
				case address <- strings.TrimSpace(after):
				default:
				}
			}
		})
	})
	reading.Go(func() { read(stderr, &p.log, func(string) {}) })
	go func() { reading.Wait(); close(p.done) }()
	select {
	case p.url = <-address:
	case <-p.done:
		t.Fatalf("carebell %s ended before it served: %s%s", strings.Join(args, " "), p.said(), p.logged())
	case <-time.After(time.Minute):
		t.Fatalf("carebell %s does not say where it serves: %s%s", strings.Join(args, " "), p.said(), p.logged())
	}
	return p
}

// serve starts a server on a free port with the key of these tests.
func serve(t testing.TB, dir string, settings ...string) *process {
	t.Helper()
	return start(t, append([]string{"CAREBELL_DATA=" + dir, "CAREBELL_ADDR=127.0.0.1:0", "CAREBELL_WEBHOOK_KEYS=" + key}, settings...), "Carebell is at ", "serve")
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

func (p *process) logged() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// end sends a signal and returns the exit code, -1 where the signal killed.
func (p *process) end(t testing.TB, s os.Signal) int {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(time.Minute):
		t.Fatalf("%v does not end the process", s)
	}
	_ = p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}

// line is one line of `carebell inbox --json`.
type line struct {
	Seq        int64   `json:"seq"`
	MessageID  string  `json:"messageId"`
	RequestID  *string `json:"requestId"`
	Type       string  `json:"type"`
	When       *string `json:"when"`
	ReceivedAt string  `json:"receivedAt"`
	Deliveries int     `json:"deliveries"`
	Status     string  `json:"status"`
	Error      *string `json:"error"`
}

func inbox(t testing.TB, dir string, more ...string) []line {
	t.Helper()
	var lines []line
	d := json.NewDecoder(strings.NewReader(must(t, []string{"CAREBELL_DATA=" + dir}, "", append([]string{"inbox", "--json"}, more...)...)))
	d.DisallowUnknownFields()
	for d.More() {
		var l line
		if err := d.Decode(&l); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
	return lines
}

// settled waits until everything in the inbox has been read.
func settled(t testing.TB, dir string) {
	t.Helper()
	waitFor(t, "the inbox to be read", func() bool { return len(inbox(t, dir, "--status", "received")) == 0 })
}

func waitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	for until := time.Now().Add(time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// browser is a client with cookies that follows no redirects.
func browser() *http.Client {
	jar, _ := cookiejar.New(nil)
	return &http.Client{Jar: jar, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func login(t testing.TB, c *http.Client, base, email, password string) int {
	t.Helper()
	resp, err := c.PostForm(base+"/login", url.Values{"email": {email}, "password": {password}})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

func get(t testing.TB, c *http.Client, address string) (int, string) {
	t.Helper()
	resp, err := c.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

var terminate, interrupt os.Signal = syscall.SIGTERM, syscall.SIGINT
