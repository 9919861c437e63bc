// Package webtest starts a whole Carebell for a test: a real server on loopback with a real database in a temporary
// folder. The clock and the sender are the test's.
package webtest

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"carebell/db"
	"carebell/web"
	"carebell/web/intake"
	"carebell/web/metriport"
)

// Key is the webhook key of every test server.
const Key = "test-webhook-key"

// Password opens every login that [Server.AddUser] makes.
const Password = "a long enough test password"

// Server is one running Carebell.
type Server struct {
	*web.Server
	URL   string
	Dir   string // data folder
	DB    *db.DB
	Clock *Clock
	Log   *Buffer

	stop func() error
}

// Clock is a clock that a test can move. It runs on by itself from where it was put.
type Clock struct {
	mu     sync.Mutex
	offset time.Duration
}

// Now is the time on the clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

// Advance moves the clock by d.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

// Buffer is a log that can be read while it is written.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements [io.Writer].
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String is all that was logged so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// Start runs a server in a new data folder until the test ends. change may alter its configuration.
func Start(t testing.TB, change ...func(*web.Config)) *Server {
	t.Helper()
	return StartIn(t, t.TempDir(), change...)
}

// StartIn is [Start] in a folder that may hold data already.
func StartIn(t testing.TB, dir string, change ...func(*web.Config)) *Server {
	t.Helper()
	s := &Server{Dir: dir, Clock: &Clock{}, Log: &Buffer{}}
	zone, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	cfg := web.Config{
		DataDir: dir, Addr: "127.0.0.1:0", Keys: []intake.Key{{Value: Key}}, Zone: zone, Now: s.Clock.Now,
		Log: slog.New(slog.NewTextHandler(s.Log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range change {
		f(&cfg)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if s.DB, err = db.Open(ctx, dir, db.Options{Now: cfg.Now, Serve: true}); err != nil {
		t.Fatal(err)
	}
	if s.Server, err = web.New(ctx, cfg, s.DB); err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(ctx); err != nil {
		t.Fatal(err)
	}
	s.URL = s.Server.URL()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	var once sync.Once
	s.stop = func() (err error) {
		once.Do(func() {
			cancel()
			err = <-done
			if e := s.DB.Close(); err == nil {
				err = e
			}
		})
		return err
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("the server ended with: %v", err)
		}
	})
	return s
}

// Stop ends the server and closes its database, as a signal would.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if err := s.stop(); err != nil {
		t.Fatalf("the server ended with: %v", err)
	}
}

// AddUser adds a person with [Password].
func (s *Server) AddUser(t testing.TB, email string, role db.Role) {
	t.Helper()
	if err := s.Auth().AddUser(context.Background(), email, role, Password); err != nil {
		t.Fatal(err)
	}
}

// Post signs body with [Key] and posts it as the sender does. It returns the status and the answer.
func (s *Server) Post(t testing.TB, body []byte) (int, string) {
	t.Helper()
	return s.PostSigned(t, body, metriport.Sign(Key, body))
}

// PostSigned is [Server.Post] with any signature; "" leaves the header out.
func (s *Server) PostSigned(t testing.TB, body []byte, signature string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, s.URL+intake.Path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if signature != "" {
		req.Header.Set(metriport.SignatureHeader, signature)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, read(t, resp)
}

// Settled waits until everything received is in the chart.
func (s *Server) Settled(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		var waiting []db.Message
		err := s.DB.Read(ctx, func(v db.Snapshot) (err error) {
			waiting, err = v.Messages(ctx, db.InboxFilter{Status: db.StatusReceived, Limit: 1})
			return err
		})
		if err != nil {
			t.Fatalf("the chart did not catch up with the inbox: %v", err)
		}
		if len(waiting) == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Messages lists the whole inbox.
func (s *Server) Messages(t testing.TB) []db.Message {
	t.Helper()
	var all []db.Message
	err := s.DB.Read(context.Background(), func(v db.Snapshot) (err error) {
		all, err = v.Messages(context.Background(), db.InboxFilter{Limit: 1_000_000})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Browser is a client with cookies that follows no redirects.
type Browser struct {
	*http.Client
	base string
}

// Known is the version of the mark of a notification, as a page that shows it sends it back.
func (s *Server) Known(t testing.TB, id int64) string {
	t.Helper()
	var known string
	err := s.DB.Read(t.Context(), func(v db.Snapshot) error {
		list, err := v.Notifications(t.Context(), db.NotificationFilter{IDs: []int64{id}, Limit: 1})
		if err == nil && len(list) == 1 {
			known = list[0].Mark.Version()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return known
}

// Browser returns a client that is not signed in.
func (s *Server) Browser() *Browser {
	jar, _ := cookiejar.New(nil) // fails never
	return &Browser{base: s.URL, Client: &http.Client{
		Jar: jar, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// SignedIn adds a person and returns a client that is signed in as them.
func (s *Server) SignedIn(t testing.TB, email string, role db.Role) *Browser {
	t.Helper()
	s.AddUser(t, email, role)
	b := s.Browser()
	if resp, body := b.Form(t, "/login", url.Values{"email": {email}, "password": {Password}}); resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("signing in answered %d: %s", resp.StatusCode, body)
	}
	return b
}

// Get fetches a page as a browser does.
func (b *Browser) Get(t testing.TB, path string) (*http.Response, string) {
	t.Helper()
	return b.Send(t, http.MethodGet, path, nil, nil)
}

// Form posts a form as a browser does from the same site.
func (b *Browser) Form(t testing.TB, path string, values url.Values) (*http.Response, string) {
	t.Helper()
	return b.Send(t, http.MethodPost, path, strings.NewReader(values.Encode()), http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {"same-origin"},
	})
}

// Send makes one request; the answer's body is read and closed.
func (b *Browser) Send(t testing.TB, method, path string, body io.Reader, headers http.Header) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, b.base+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	for k, v := range headers {
		req.Header[k] = v
	}
	resp, err := b.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp, read(t, resp)
}

func read(t testing.TB, resp *http.Response) string {
	t.Helper()
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
