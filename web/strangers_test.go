package web_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"carebell/db"
	"carebell/web"
	"carebell/web/intake"
	"carebell/web/metriport"
	"carebell/web/webtest"
)

// TestNoBodyIsEncodedOrInParts: on every route, by everyone, a body with Content-Encoding is refused unread, and so is
// every body that is no urlencoded form. Nothing is written to temporary files.
func TestNoBodyIsEncodedOrInParts(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	s := webtest.Start(t)
	people := []*webtest.Browser{s.Browser(), s.SignedIn(t, "admin@clinic.example", db.Admin)}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = io.WriteString(z, "email=a%40clinic.example&password="+strings.Repeat("x", 10<<20))
	_ = z.Close()
	var parts bytes.Buffer
	form := multipart.NewWriter(&parts)
	_ = form.WriteField("email", "a@clinic.example")
	file, _ := form.CreateFormFile("password", "large")
	_, _ = file.Write(bytes.Repeat([]byte("x"), 20<<20))
	_ = form.Close()

	for _, e := range matrix() {
		if e.route == "" {
			continue
		}
		for i, b := range people {
			send := func(body []byte, h http.Header) int {
				t.Helper()
				h.Set("Sec-Fetch-Site", "same-origin")
				var from io.Reader
				if e.method == http.MethodPost {
					from = bytes.NewReader(body)
				}
				resp, _ := b.Send(t, e.method, e.path, from, h)
				return resp.StatusCode
			}
			for _, encoding := range []string{"gzip", "br", "deflate", "identity", "x"} {
				h := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Content-Encoding": {encoding}}
				if e.path == intake.Path {
					h.Set(metriport.SignatureHeader, metriport.Sign(webtest.Key, packed.Bytes()))
				}
				if status := send(packed.Bytes(), h); status != http.StatusUnsupportedMediaType {
					t.Errorf("%s %s as person %d, encoded as %s, is answered %d", e.method, e.path, i, encoding, status)
				}
			}
			if e.method != http.MethodPost || e.path == intake.Path {
				continue
			}
			for kind, body := range map[string][]byte{form.FormDataContentType(): parts.Bytes(), "application/json": []byte(`{"email":"a"}`), "text/plain": []byte("email=a"), "": []byte("email=a")} {
				if status := send(body, http.Header{"Content-Type": {kind}}); status != http.StatusUnsupportedMediaType {
					t.Errorf("%s as person %d, as %q, is answered %d", e.path, i, kind, status)
				}
			}
		}
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("temporary files were made: %v %v", left, err)
	}
	// What stands in the address is no form.
	resp, _ := people[0].Form(t, "/login?email=admin%40clinic.example&password="+url.QueryEscape(webtest.Password), url.Values{"x": {"1"}})
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a password in the address is answered %d", resp.StatusCode)
	}
}

// TestWebhookAddressServesNothingElse: at the address for webhooks alone there are no pages, and webhooks are taken.
func TestWebhookAddressServesNothingElse(t *testing.T) {
	s := webtest.Start(t, func(c *web.Config) { c.WebhookAddr = "127.0.0.1:0" })
	admin := s.SignedIn(t, "admin@clinic.example", db.Admin)
	base := "http://" + s.WebhookAddr()
	for _, e := range matrix() {
		if e.path == intake.Path {
			continue
		}
		req, err := http.NewRequestWithContext(t.Context(), e.method, base+e.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "text/html")
		u, _ := url.Parse(s.URL)
		for _, c := range admin.Jar.Cookies(u) {
			req.AddCookie(c)
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		page, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound || string(page) != "Only webhooks are taken here.\n" && e.method != http.MethodHead {
			t.Errorf("%s %s there is answered %d %s", e.method, e.path, resp.StatusCode, page)
		}
	}
	for i, at := range []string{base, s.URL} {
		body := []byte(message(fmt.Sprint("m-", i), "patient.admit"))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at+intake.Path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(metriport.SignatureHeader, metriport.Sign(webtest.Key, body))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("a webhook at %s is answered %d", at, resp.StatusCode)
		}
	}
	if resp, err := http.Get(base + intake.Path); err != nil || resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET there: %v %v", resp, err)
	} else {
		_ = resp.Body.Close()
	}
	if _, page := admin.Get(t, "/setup"); !strings.Contains(page, base+intake.Path) {
		t.Error("the connection page does not name the webhook's own address")
	}
	if len(s.Messages(t)) != 2 {
		t.Errorf("%d messages came", len(s.Messages(t)))
	}
}

// from dials from one of the addresses of this computer.
func from(t *testing.T, local, to string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(local)}, Timeout: 10 * time.Second}
	c, err := d.DialContext(t.Context(), "tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return c
}

// TestHalfSentRequestsShutNobodyOut: one address that holds thousands of connections, without a header or with a body
// that never comes, keeps neither a webhook nor a person out, not even at its own address.
func TestHalfSentRequestsShutNobodyOut(t *testing.T) {
	s := webtest.Start(t)
	s.AddUser(t, "ann@clinic.example", db.Coordinator)
	for i := range 4100 {
		c := from(t, "127.0.0.9", s.Addr())
		defer func() { _ = c.Close() }()
		switch i % 3 {
		case 0:
			_, _ = io.WriteString(c, "POST "+intake.Path+" HTTP/1.1\r\nHost:")
		case 1:
			_, _ = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\n%s: %s\r\nContent-Length: 33554432\r\n\r\n%s", intake.Path, metriport.SignatureHeader, strings.Repeat("a", 64), strings.Repeat("x", 100))
		case 2:
			_, _ = io.WriteString(c, "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 60000\r\n\r\nemail=")
		}
	}
	for i, local := range []string{"127.0.0.2", "127.0.0.9", "127.0.0.3"} {
		body := message(fmt.Sprint("m-", i), "patient.admit")
		c := from(t, local, s.Addr())
		_, _ = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\n%s: %s\r\nContent-Length: %d\r\n\r\n%s", intake.Path, metriport.SignatureHeader, metriport.Sign(webtest.Key, []byte(body)), len(body), body)
		if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("a webhook from %s: %v %v", local, resp, err)
		}
		_ = c.Close()
	}
	b := s.Browser()
	if resp, _ := b.Form(t, "/login", url.Values{"email": {"ann@clinic.example"}, "password": {webtest.Password}}); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("signing in is answered %d", resp.StatusCode)
	}
	if resp, _ := b.Get(t, "/"); resp.StatusCode != http.StatusOK {
		t.Errorf("the feed is answered %d", resp.StatusCode)
	}
}

// TestWhatIsNoSignatureIsRefusedUnread: the answer comes although the body never does.
func TestWhatIsNoSignatureIsRefusedUnread(t *testing.T) {
	s := webtest.Start(t)
	for _, signature := range []string{"", "x", strings.Repeat("A", 64), strings.Repeat("a", 63), strings.Repeat("a", 65), strings.Repeat("g", 64)} {
		c := from(t, "127.0.0.1", s.Addr())
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		_, _ = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\n%s: %s\r\nContent-Length: 33554432\r\n\r\n%s", intake.Path, metriport.SignatureHeader, signature, strings.Repeat("x", 16<<10))
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode != http.StatusUnauthorized || !resp.Close {
			t.Errorf("signature %q: %v %v", signature, resp, err)
		}
		_ = c.Close()
	}
	c := from(t, "127.0.0.1", s.Addr())
	defer func() { _ = c.Close() }()
	_, _ = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\n%s: %s\r\nContent-Length: 33554433\r\n\r\n%s", intake.Path, metriport.SignatureHeader, strings.Repeat("a", 64), strings.Repeat("x", 16<<10))
	if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a body that is announced too large: %v %v", resp, err)
	}
}

// TestBodyThatNeverComesIsGivenUp, and counted by its reason.
func TestBodyThatNeverComesIsGivenUp(t *testing.T) {
	s := webtest.Start(t)
	c := from(t, "127.0.0.1", s.Addr())
	defer func() { _ = c.Close() }()
	began := time.Now()
	_, _ = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\n%s: %s\r\nContent-Length: 33554432\r\n\r\n%s", intake.Path, metriport.SignatureHeader, strings.Repeat("a", 64), strings.Repeat("x", 16<<10))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != http.StatusRequestTimeout || time.Since(began) > 20*time.Second {
		t.Errorf("after %s: %v %v", time.Since(began), resp, err)
	}
}
