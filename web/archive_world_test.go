package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"carebell/db"
	"carebell/web"
	"carebell/web/archive"
	"carebell/web/sim"
	"carebell/web/webtest"
)

// outside is a server, the simulated sender, and the origin that serves what the sender's links lead to. All go by one
// clock.
type outside struct {
	*webtest.Server
	clock  *webtest.Clock
	sim    *sim.Sim
	origin *httptest.Server
	dir    string
	change []func(*web.Config)

	down atomic.Bool // the origin breaks every connection

	mu    sync.Mutex
	files map[string]http.HandlerFunc // by path, before the store is asked
	asked []request
	posts int
}

// request is what the origin was asked for.
type request struct{ path, key string }

func startOutside(t *testing.T, change ...func(*web.Config)) *outside {
	t.Helper()
	o := &outside{clock: &webtest.Clock{}, dir: t.TempDir(), files: map[string]http.HandlerFunc{}}
	o.origin = httptest.NewServer(http.HandlerFunc(o.serve))
	t.Cleanup(o.origin.Close)
	o.sim = sim.New(sim.Options{Now: o.clock.Now, Seed: 7, BaseURL: o.origin.URL})
	o.change = append([]func(*web.Config){func(c *web.Config) {
		c.Now, c.DownloadHosts = o.clock.Now, []string{o.origin.Listener.Addr().String()}
	}}, change...)
	o.start(t)
	return o
}

// start starts the server, at first and after a Stop. At the end, its log is looked at.
func (o *outside) start(t *testing.T) {
	t.Helper()
	s := webtest.StartIn(t, o.dir, o.change...)
	o.Server = s
	t.Cleanup(func() { o.discreet(t, s) })
}

func (o *outside) serve(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	o.asked = append(o.asked, request{r.URL.Path, r.Header.Get("x-api-key")})
	file := o.files[r.URL.Path]
	o.mu.Unlock()
	switch {
	case o.down.Load():
		panic(http.ErrAbortHandler)
	case file != nil:
		file(w, r)
	default:
		o.sim.Store().ServeHTTP(w, r)
	}
}

// lead makes a link to content that lives for life from now on.
func (o *outside) lead(path string, life time.Duration, content http.HandlerFunc) string {
	o.mu.Lock()
	o.files[path] = content
	o.mu.Unlock()
	q := url.Values{"X-Amz-Date": {o.clock.Now().UTC().Format("20060102T150405Z")}, "X-Amz-Expires": {strconv.Itoa(int(life / time.Second))}, "X-Amz-Signature": {"secret-signature"}}
	return o.origin.URL + path + "?" + q.Encode()
}

func says(content string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, content) }
}

// held waits with its content until it is let go, or whoever asked has gone.
func held(until <-chan struct{}, content http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-until:
			content(w, r)
		case <-r.Context().Done():
		}
	}
}

func expired(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusForbidden)
	_, _ = io.WriteString(w, `<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>`)
}

// requests lists what the origin was asked for, but for the test itself.
func (o *outside) requests() []request {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]request(nil), o.asked...)
}

// take posts a signed message and waits until it is in the chart. It returns the numbers of its downloads.
func (o *outside) take(t *testing.T, body []byte) []int64 {
	t.Helper()
	if status, answer := o.Post(t, body); status != http.StatusOK {
		t.Fatalf("a signed message is answered %d %s", status, answer)
	}
	o.Settled(t)
	var e struct {
		Meta struct{ MessageID string }
	}
	if err := json.Unmarshal(body, &e); err != nil {
		t.Fatal(err)
	}
	return o.numbers(t, `SELECT d.id FROM download d JOIN inbox i ON i.seq = d.inbox_seq WHERE i.message_id = ? ORDER BY d.id`, e.Meta.MessageID)
}

// event is a message of one payload with a link.
func (o *outside) event(kind, patient, link, more string) []byte {
	o.posts++
	now := o.clock.Now().UTC()
	return fmt.Appendf(nil, `{"meta":{"messageId":"m-%d","when":%q,"type":%q},"payload":{"patientId":%q,"url":%q%s}}`,
		o.posts, now.Format("2006-01-02T15:04:05.000Z"), kind, patient, link, more)
}

// documents is a page of documents, each a JSON object.
func (o *outside) documents(patient string, documents ...string) []byte {
	o.posts++
	return fmt.Appendf(nil, `{"meta":{"messageId":"m-%d","when":%q,"type":"medical.document-bulk-download-paged"},"patients":[{"patientId":%q,"status":"completed","documents":[%s]}]}`,
		o.posts, o.clock.Now().UTC().Format("2006-01-02T15:04:05.000Z"), patient, strings.Join(documents, ","))
}

// nudge lets the queue look at the clock that a test has moved.
func (o *outside) nudge(t *testing.T) {
	t.Helper()
	o.posts++
	if status, _ := o.Post(t, fmt.Appendf(nil, `{"meta":{"messageId":"nudge-%d","type":"nothing.known"}}`, o.posts)); status != http.StatusOK {
		t.Fatalf("answered %d", status)
	}
}

func (o *outside) numbers(t *testing.T, query string, args ...any) (out []int64) {
	t.Helper()
	err := o.DB.Read(context.Background(), func(v db.Snapshot) error {
		rows, err := v.QueryContext(context.Background(), query, args...)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var n int64
			if err := rows.Scan(&n); err != nil {
				return err
			}
			out = append(out, n)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (o *outside) download(t *testing.T, id int64) (d db.Download) {
	t.Helper()
	if err := o.DB.Read(context.Background(), func(v db.Snapshot) (err error) { d, err = v.Download(context.Background(), id); return err }); err != nil {
		t.Fatal(err)
	}
	return d
}

// ends waits until a download is in a state, and nudges the queue for tests that moved the clock.
func (o *outside) ends(t *testing.T, id int64, state db.Fetch) (d db.Download) {
	t.Helper()
	pollUntil(t, fmt.Sprintf("download %d to be %s", id, state), func() (string, bool) {
		d = o.download(t, id)
		return fmt.Sprintf("it is %s %q after %d tries", d.State, d.Reason, d.Tries), d.State == state
	})
	return d
}

// pollUntil waits until done, and says what there is instead where it waited in vain.
func pollUntil(t *testing.T, what string, done func() (string, bool)) {
	t.Helper()
	for until := time.Now().Add(90 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		is, ok := done()
		if ok {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("waited in vain for %s: %s", what, is)
		}
	}
}

// shows waits until a page has every one of the words.
func (o *outside) shows(t *testing.T, b *webtest.Browser, path string, words ...string) (page string) {
	t.Helper()
	pollUntil(t, fmt.Sprintf("%s to show %q", path, words), func() (string, bool) {
		_, page = b.Get(t, path)
		for _, w := range words {
			if !strings.Contains(page, w) {
				return "it has no " + w + "\n" + page, false
			}
		}
		return "", true
	})
	return page
}

// vault reads the stored files beside the server. It may be opened only when nothing is being fetched.
func (o *outside) vault(t *testing.T) *archive.Vault {
	t.Helper()
	v, err := archive.OpenVault(o.dir, "")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// inVault lists the names in the vault but for that of the key's check.
func (o *outside) inVault(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(o.dir, "files"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "key-check" {
			names = append(names, e.Name())
		}
	}
	return names
}

// discreet looks for what must not be in a log: links, and what identifies patients.
func (o *outside) discreet(t *testing.T, s *webtest.Server) {
	log := s.Log.String()
	secrets := []string{"X-Amz-", "/objects/", "/medical/v1", "secret-", o.origin.URL, "SIMULATED", webtest.Password}
	_ = s.DB.Read(context.Background(), func(v db.Snapshot) error { // fails where the test stopped the server itself
		patients, err := v.Patients(context.Background(), db.PatientFilter{Limit: 1000})
		for _, p := range patients {
			secrets = append(secrets, p.Name, p.BirthDate, p.ExternalID, p.ID)
		}
		return err
	})
	for _, secret := range secrets {
		if secret != "" && strings.Contains(log, secret) {
			_, after, _ := strings.Cut(log, secret)
			t.Errorf("the log tells %q: …%.200s", secret, after)
		}
	}
}

// openSocket opens a page's socket as the page's own script does.
func (o *outside) openSocket(t *testing.T, b *webtest.Browser, query string) *websocket.Conn {
	t.Helper()
	base, err := url.Parse(o.URL)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{"Origin": {o.URL}}
	for _, c := range b.Jar.Cookies(base) {
		h.Add("Cookie", c.String())
	}
	conn, _, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+base.Host+"/live?"+query, h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// hears reads a socket until a message has every one of the words.
func hears(t *testing.T, conn *websocket.Conn, words ...string) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	last := ""
	for {
		_, message, err := conn.ReadMessage()
		if err != nil {
			t.Fatalf("no message had all of %q (%v); the last was %s", words, err, last)
		}
		last = string(message)
		all := true
		for _, w := range words {
			all = all && strings.Contains(last, w)
		}
		if all {
			return
		}
	}
}
