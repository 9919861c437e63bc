package web_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"carebell/db"
	"carebell/static"
	"carebell/web"
	"carebell/web/intake"
	"carebell/web/webtest"
)

// people are the columns of the matrix.
var people = []string{"stranger", "viewer", "coordinator", "admin"}

// entry is one row of the matrix: a request, and what each of the people gets. Where a stranger is led to the login,
// to says with which next.
type entry struct {
	route        string // its path in the tables of routes and pages
	method, path string
	form         url.Values
	want         [4]int
	to           string
}

func matrix() []entry {
	const led, found, no, in = http.StatusSeeOther, http.StatusNotFound, http.StatusForbidden, http.StatusOK
	all := func(status int) [4]int { return [4]int{status, status, status, status} }
	signed := func(stranger, others int) [4]int { return [4]int{stranger, others, others, others} }
	token := url.Values{"token": {"x"}, "email": {"a@clinic.example"}, "password": {webtest.Password}}
	return []entry{
		{intake.Path, "POST", intake.Path, nil, all(401), ""},
		{"/healthz", "GET", "/healthz", nil, all(in), ""},
		{"/readyz", "GET", "/readyz", nil, all(in), ""},
		{static.Prefix + "*", "GET", static.URL("carebell.css"), nil, all(in), ""},
		{static.Prefix + "*", "GET", static.Prefix + "static.go", nil, all(found), ""},
		{static.Prefix + "*", "GET", static.Prefix + "../go.mod", nil, all(found), ""},
		{"/login", "GET", "/login", nil, signed(in, led), ""},
		{"/login", "POST", "/login", url.Values{"email": {"nobody@clinic.example"}, "password": {"wrong"}}, all(401), ""},
		{"/setup", "GET", "/setup", nil, [4]int{led, no, no, in}, "/login?next=/setup"},
		{"/setup", "GET", "/setup?token=x", nil, [4]int{no, no, no, in}, ""},
		{"/setup", "POST", "/setup", token, all(no), ""},
		{"/", "GET", "/", nil, signed(led, in), "/login"},
		{"/", "GET", "/?state=all&q=" + canary, nil, signed(led, in), "/login"},
		{"/", "GET", "/?kind=nothing", nil, signed(led, found), "/login"},
		{"/notifications/:id/mark", "POST", "/notifications/1024/mark", url.Values{"state": {"seen"}, "known": {"0.0"}}, [4]int{401, no, led, led}, ""},
		{"/notifications/:id/mark", "POST", "/notifications/9999/mark", url.Values{"state": {"seen"}}, [4]int{401, no, found, found}, ""},
		{"/notifications/:id/mark", "POST", "/notifications/1024/mark", url.Values{"state": {"sold"}}, [4]int{401, no, 422, 422}, ""},
		{"/patients", "GET", "/patients", nil, signed(led, in), "/login?next=%2Fpatients"},
		{"/patients", "GET", "/patients?q=" + canary, nil, signed(led, in), "/login?next=%2Fpatients"},
		{"/patients/:id", "GET", "/patients/p-1", nil, signed(led, in), "/login?next=%2Fpatients%2Fp-1"},
		{"/patients/:id", "GET", "/patients/nobody", nil, signed(led, found), "/login?next=%2Fpatients%2Fnobody"},
		{"/patients/:id/health/:section", "GET", "/patients/p-1/health/problems", nil, signed(led, in), "/login?next=%2Fpatients%2Fp-1%2Fhealth%2Fproblems"},
		{"/patients/:id/health/:section", "GET", "/patients/p-1/health/nothing", nil, signed(led, found), "/login?next=%2Fpatients%2Fp-1%2Fhealth%2Fnothing"},
		{"/patients/:id/health/:section/:ref", "GET", "/patients/p-1/health/problems/0123456789abcdef", nil, signed(led, found), "/login?next=%2Fpatients%2Fp-1%2Fhealth%2Fproblems%2F0123456789abcdef"},
		{"/patients/:id/correct", "POST", "/patients/p-1/correct", url.Values{"birth_date": {"never"}}, [4]int{401, no, 422, 422}, ""},
		{"/messages", "GET", "/messages?state=all", nil, signed(led, in), "/login?next=%2Fmessages"},
		{"/messages", "GET", "/messages?box=outbound&q=" + canary, nil, signed(led, in), "/login?next=%2Fmessages"},
		{"/messages", "GET", "/messages?box=nothing", nil, signed(led, found), "/login?next=%2Fmessages"},
		{"/messages", "GET", "/messages?box=outbound&by=me", nil, signed(led, found), "/login?next=%2Fmessages"},
		{"/messages/:id", "GET", "/messages/2", nil, signed(led, in), "/login?next=%2Fmessages%2F2"},
		{"/messages/:id", "GET", "/messages/3", nil, signed(led, found), "/login?next=%2Fmessages%2F3"},
		{"/messages/:id/mark", "POST", "/messages/2/mark", url.Values{"do": {"answered"}}, [4]int{401, no, led, led}, ""},
		{"/messages/:id/mark", "POST", "/messages/2/mark", url.Values{"do": {"sold"}}, [4]int{401, no, 422, 422}, ""},
		{"/messages/:id/mark", "POST", "/messages/2/mark", url.Values{"do": {"assign"}, "known": {"x"}}, [4]int{401, no, 422, 422}, ""},
		{"/messages/:id/mark", "POST", "/messages/3/mark", url.Values{"do": {"answered"}}, [4]int{401, no, found, found}, ""},
		{"/messages/:id/match", "GET", "/messages/2/match?q=p", nil, [4]int{led, no, in, in}, "/login?next=%2Fmessages%2F2%2Fmatch"},
		{"/messages/:id/match", "POST", "/messages/2/match", url.Values{"patient": {"nobody"}}, [4]int{401, no, found, found}, ""},
		{"/messages/:id/match", "POST", "/messages/2/match", nil, [4]int{401, no, 422, 422}, ""},
		{"/messages/sent/:id", "GET", "/messages/sent/3", nil, signed(led, in), "/login?next=%2Fmessages%2Fsent%2F3"},
		{"/messages/sent/:id", "GET", "/messages/sent/2", nil, signed(led, found), "/login?next=%2Fmessages%2Fsent%2F2"},
		{"/imports", "GET", "/imports", nil, signed(led, in), "/login?next=%2Fimports"},
		{"/imports", "GET", "/imports?state=nothing", nil, signed(led, found), "/login?next=%2Fimports"},
		{"/imports/:id", "GET", "/imports/nothing", nil, signed(led, found), "/login?next=%2Fimports%2Fnothing"},
		{"/imports/:id/rows", "GET", "/imports/nothing/rows", nil, signed(led, found), "/login?next=%2Fimports%2Fnothing%2Frows"},
		{"/imports/:id/rows/:row", "GET", "/imports/nothing/rows/1", nil, signed(led, found), "/login?next=%2Fimports%2Fnothing%2Frows%2F1"},
		{"/records", "GET", "/records", nil, signed(led, in), "/login?next=%2Frecords"},
		{"/records", "GET", "/records?view=documents&q=" + canary, nil, signed(led, in), "/login?next=%2Frecords"},
		{"/records", "GET", "/records?view=nothing", nil, signed(led, found), "/login?next=%2Frecords"},
		{"/records/documents/:id", "GET", "/records/documents/4096", nil, signed(led, in), "/login?next=%2Frecords%2Fdocuments%2F4096"},
		{"/records/documents/:id", "GET", "/records/documents/1024", nil, signed(led, found), "/login?next=%2Frecords%2Fdocuments%2F1024"},
		{"/records/documents/:id/zip", "POST", "/records/documents/4096/zip", url.Values{"what": {"all"}}, signed(401, 422), ""},
		{"/records/documents/:id/zip", "POST", "/records/documents/9999/zip", url.Values{"file": {"1"}}, signed(401, found), ""},
		{"/files/:id", "GET", "/files/1", nil, signed(led, found), "/login?next=%2Ffiles%2F1"},
		{"/files/:id/preview", "GET", "/files/1/preview", nil, signed(led, found), "/login?next=%2Ffiles%2F1%2Fpreview"},
		{"/search", "GET", "/search", nil, signed(led, in), "/login?next=%2Fsearch"},
		{"/search", "GET", "/search?q=" + canary, nil, signed(led, in), "/login?next=%2Fsearch"},
		{"/identity", "GET", "/identity", nil, signed(led, in), "/login?next=%2Fidentity"},
		{"/identity", "GET", "/identity?q=" + canary, nil, signed(led, in), "/login?next=%2Fidentity"},
		{"/identity", "GET", "/identity?who=else", nil, signed(led, found), "/login?next=%2Fidentity"},
		{"/identity/:id", "GET", "/identity/5", nil, signed(led, in), "/login?next=%2Fidentity%2F5"},
		{"/identity/:id", "GET", "/identity/1", nil, signed(led, found), "/login?next=%2Fidentity%2F1"},
		{"/admin/inbox", "GET", "/admin/inbox", nil, [4]int{led, no, no, in}, "/login?next=%2Fadmin%2Finbox"},
		{"/admin/inbox", "GET", "/admin/inbox?q=" + canary, nil, [4]int{led, no, no, in}, "/login?next=%2Fadmin%2Finbox"},
		{"/admin/inbox/refused", "GET", "/admin/inbox/refused", nil, [4]int{led, no, no, in}, "/login?next=%2Fadmin%2Finbox%2Frefused"},
		{"/admin/inbox/:seq", "GET", "/admin/inbox/1", nil, [4]int{led, no, no, in}, "/login?next=%2Fadmin%2Finbox%2F1"},
		{"/admin/inbox/:seq", "GET", "/admin/inbox/77", nil, [4]int{led, no, no, found}, "/login?next=%2Fadmin%2Finbox%2F77"},
		{"/admin/inbox/:seq/raw", "GET", "/admin/inbox/1/raw", nil, [4]int{led, no, no, in}, "/login?next=%2Fadmin%2Finbox%2F1%2Fraw"},
		{"/admin/inbox/:seq/again", "POST", "/admin/inbox/1/again", url.Values{}, [4]int{401, no, no, led}, ""},
		{"/admin/inbox/:seq/resend", "POST", "/admin/inbox/1/resend", nil, [4]int{401, no, no, 409}, ""}, // no API key is set
		{"/files/:id/again", "POST", "/files/1/again", nil, [4]int{401, no, found, found}, ""},
		{"/admin/system/heal", "POST", "/admin/system/heal", url.Values{"ask": {"all"}}, [4]int{401, no, no, 409}, ""}, // no API key is set
		{"/admin/inbox/again", "POST", "/admin/inbox/again", url.Values{"status": {"lost"}}, [4]int{401, no, no, 422}, ""},
		{"/files/:id/spreadsheet", "GET", "/files/1/spreadsheet", nil, signed(led, found), "/login?next=%2Ffiles%2F1%2Fspreadsheet"},
		{"/admin/system", "GET", "/admin/system", nil, [4]int{led, no, no, in}, "/login?next=%2Fadmin%2Fsystem"},
		{"/admin/system/places", "POST", "/admin/system/places", url.Values{"host": {"5"}, "all": {"9"}}, [4]int{401, no, no, led}, ""},
		{"/admin/system/places", "POST", "/admin/system/places", url.Values{"host": {"5"}, "all": {"many"}}, [4]int{401, no, no, 422}, ""},
		{completenessPage, "GET", completenessPage, nil, [4]int{led, no, no, in}, "/login?next=%2Fadmin%2Fsystem%2Fcompleteness"},
		{completenessPage, "GET", completenessPage + "?format=csv", nil, [4]int{led, no, no, in}, "/login?next=%2Fadmin%2Fsystem%2Fcompleteness"},
		{completenessPage + "/check", "POST", completenessPage + "/check", nil, [4]int{401, no, no, 409}, ""}, // no API key is set
		{completenessPage + "/retry", "POST", completenessPage + "/retry", nil, [4]int{401, no, no, 409}, ""},
		{"/live", "GET", "/live?view=feed&since=0", nil, signed(led, 426), "/login?next=%2Flive"},
		{"", "GET", "/nothing", nil, all(found), ""},
		{"", "GET", "/admin", nil, all(found), ""},
		{"", "GET", "/carebell.db", nil, all(found), ""},
		{"", "GET", "/debug/pprof/", nil, all(found), ""},
		{"", "GET", "/metrics", nil, all(found), ""},
		{"", "POST", "/patients", nil, all(405), ""},
		{"", "DELETE", "/patients/p-1", nil, all(405), ""},
		{"", "PUT", "/", nil, all(405), ""},
		{"", "OPTIONS", "/", nil, all(405), ""},
		{"", "GET", "/logout", nil, all(405), ""},
		{"", "GET", "/records/documents/4096/zip", nil, all(405), ""},
		{"", "GET", "/notifications/1024/mark", nil, all(405), ""},
		{"/logout", "POST", "/logout", nil, signed(401, led), ""}, // the last one: it ends the logins
	}
}

// TestWhoMayDoWhat asks every route as everyone. A stranger gets nothing that came from the sender.
func TestWhoMayDoWhat(t *testing.T) {
	s := webtest.Start(t)
	s.Post(t, []byte(message("a", "patient.admit")))
	s.Post(t, []byte(`{"meta":{"messageId":"b","type":"message.received"},"payload":{"subject":"`+canary+`"}}`))
	s.Post(t, []byte(`{"meta":{"messageId":"c","type":"message.status"},"payload":{"id":"c","patientId":"p-1","status":"failed"}}`))
	s.Post(t, []byte(`{"meta":{"messageId":"pages","requestId":"R-`+canary+`","type":"medical.document-download"},"patients":[{"patientId":"p-1","status":"completed","documents":[{"id":"d","fileName":"`+canary+`"}]}]}`))
	s.Post(t, []byte(message("d", "ias.identity.verified")))
	s.Settled(t)
	browsers := []*webtest.Browser{s.Browser(), s.SignedIn(t, "viewer@clinic.example", db.Viewer), s.SignedIn(t, "coordinator@clinic.example", db.Coordinator), s.SignedIn(t, "admin@clinic.example", db.Admin)}

	// The live sockets, which are opened and not fetched.
	var views []string
	for query, want := range map[string][4]int{
		"view=feed&since=0":                           {401, 101, 101, 101},
		"view=health&id=p-1&section=problems&since=0": {401, 101, 101, 101},
		"view=status&since=0":                         {401, 101, 101, 101},
		"view=patient&id=p-1&since=0":                 {401, 101, 101, 101},
		"view=connection&since=0":                     {401, 403, 403, 101},
		"view=imports&since=0":                        {401, 101, 101, 101},
		"view=imports&state=no&since=0":               {401, 404, 404, 404},
		"view=import&id=nothing&since=0":              {401, 404, 404, 404},
		"view=completeness&since=0":                   {401, 403, 403, 101},
		"view=system&since=0":                         {401, 403, 403, 101},
		"view=identity&since=0":                       {401, 101, 101, 101},
		"view=proofing&id=5&since=0":                  {401, 101, 101, 101},
		"view=proofing&id=1&since=0":                  {401, 404, 404, 404},
		"view=inbox&since=0":                          {401, 403, 403, 101},
		"view=inbox-message&seq=1":                    {401, 403, 403, 101},
		"view=inbox-message&seq=77":                   {401, 403, 403, 404},
		"view=patient&id=nobody&since=9":              {401, 404, 404, 404},
		"view=nothing&since=0":                        {401, 404, 404, 404},
		"view=messages&since=0":                       {401, 101, 101, 101},
		"view=messages&box=nothing":                   {401, 404, 404, 404},
		"view=message&id=2&since=0":                   {401, 101, 101, 101},
		"view=message&id=3&since=0":                   {401, 404, 404, 404},
		"view=sent-message&id=3&since=0":              {401, 101, 101, 101},
		"view=records&since=0":                        {401, 101, 101, 101},
		"view=records&list=moon&since=0":              {401, 404, 404, 404},
		"view=documents&id=4096&since=0":              {401, 101, 101, 101},
		"view=documents&id=1024&since=0":              {401, 404, 404, 404},
	} {
		asked, _ := url.ParseQuery(query)
		views = append(views, asked.Get("view"))
		for i, b := range browsers {
			conn, resp, err := dial(t.Context(), s, b, query)
			if err == nil {
				_ = conn.Close()
			}
			if resp == nil || resp.StatusCode != want[i] {
				t.Errorf("%s opens the socket %s: %v, want %d", people[i], query, resp, want[i])
			}
		}
	}

	covered := map[string]bool{}
	for _, e := range matrix() {
		covered[e.method+" "+e.route] = true
		for i, b := range browsers {
			send := func(method, accept string) (*http.Response, string) {
				h := http.Header{"Accept": {accept}}
				var body io.Reader
				if e.form != nil {
					h.Set("Content-Type", "application/x-www-form-urlencoded")
					body = strings.NewReader(e.form.Encode())
				}
				if method == "POST" {
					h.Set("Sec-Fetch-Site", "same-origin")
				}
				return b.Send(t, method, e.path, body, h)
			}
			resp, page := send(e.method, "text/html")
			if resp.StatusCode != e.want[i] {
				t.Errorf("%s: %s %s answers %d, want %d", people[i], e.method, e.path, resp.StatusCode, e.want[i])
			}
			if i == 0 && (strings.Contains(page, canary) || strings.Contains(page, "data-key") || strings.Contains(page, "p-1")) {
				t.Errorf("a stranger at %s %s gets %s", e.method, e.path, page)
			}
			if to := resp.Header.Get("Location"); i == 0 && to != e.to {
				t.Errorf("a stranger at %s %s is led to %q, want %q", e.method, e.path, to, e.to)
			}
			if e.method == "GET" && e.want[i] != http.StatusSwitchingProtocols {
				if head, _ := send("HEAD", "text/html"); head.StatusCode != e.want[i] && (i != 0 || head.StatusCode != http.StatusUnauthorized) {
					t.Errorf("%s: HEAD %s answers %d, GET %d", people[i], e.path, head.StatusCode, e.want[i])
				}
				if program, text := send("GET", "application/json"); i == 0 && e.to == "/login" && program.StatusCode != http.StatusUnauthorized {
					t.Errorf("a program without a login at %s gets %d %s, want 401", e.path, program.StatusCode, text)
				}
			}
		}
	}
	for i, b := range browsers {
		if resp, _ := b.Get(t, "/"); resp.StatusCode != http.StatusSeeOther {
			t.Errorf("%s is still signed in after signing out", people[i])
		}
	}

	// The matrix has every route and every socket there is.
	for _, r := range s.Routes() {
		if !covered[r] {
			t.Errorf("the matrix does not say who may use %s", r)
		}
	}
	for _, p := range s.PageRows() {
		if p.View != "" && !slices.Contains(views, p.View) {
			t.Errorf("the sockets do not have the view %s of %s", p.View, p.Path)
		}
	}
}

func TestWritesFromOtherSitesAreRefused(t *testing.T) {
	s := webtest.Start(t)
	s.Post(t, []byte(message("a", "patient.admit")))
	s.Settled(t)
	b := s.SignedIn(t, "coordinator@clinic.example", db.Coordinator)
	own := strings.TrimPrefix(s.URL, "http://")
	state := func() (n db.State) {
		if err := s.DB.Read(t.Context(), func(v db.Snapshot) error {
			list, err := v.Notifications(t.Context(), db.NotificationFilter{Limit: 1})
			if err == nil {
				n = list[0].State
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, test := range []struct {
		name    string
		headers http.Header
		let     bool
	}{
		{"the browser says another site", http.Header{"Sec-Fetch-Site": {"cross-site"}}, false},
		{"the browser says another host of this site", http.Header{"Sec-Fetch-Site": {"same-site"}}, false},
		{"the browser says what nobody knows", http.Header{"Sec-Fetch-Site": {"friendly"}}, false},
		{"another site that claims our origin", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {s.URL}}, false},
		{"a foreign origin", http.Header{"Origin": {"https://evil.example"}}, false},
		{"the origin of a sandboxed frame", http.Header{"Origin": {"null"}}, false},
		{"an origin that is no address", http.Header{"Origin": {"%%%"}}, false},
		{"our host on another port", http.Header{"Origin": {"http://127.0.0.1:1"}}, false},
		{"a host that begins like ours", http.Header{"Origin": {"http://" + own + ".evil.example"}}, false},
		{"an address that begins like ours", http.Header{"Origin": {s.URL + "1"}}, false},
		{"a login that looks like our host", http.Header{"Origin": {"http://" + own + "@evil.example"}}, false},
		{"a forwarded host", http.Header{"Origin": {"https://evil.example"}, "X-Forwarded-Host": {"evil.example"}}, false},
		{"this page", http.Header{"Sec-Fetch-Site": {"same-origin"}}, true},
		{"the address bar", http.Header{"Sec-Fetch-Site": {"none"}}, true},
		{"our origin, from an old browser", http.Header{"Origin": {s.URL}}, true},
		{"a program", http.Header{}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.headers.Set("Content-Type", "application/x-www-form-urlencoded")
			for path, want := range map[string]int{"/notifications/1024/mark": 303, "/login": 401, "/setup": 403, "/logout": 0} {
				if path == "/logout" && test.let {
					continue
				}
				if !test.let {
					want = http.StatusForbidden
				}
				resp, body := b.Send(t, http.MethodPost, path, strings.NewReader("state=seen&known=0.0&email=x&password=y"), test.headers)
				if resp.StatusCode != want {
					t.Errorf("%s answers %d, want %d: %s", path, resp.StatusCode, want, body)
				}
				if !test.let && (resp.Header.Get("Set-Cookie") != "" || !strings.Contains(body, "another site")) {
					t.Errorf("%s is refused with %v %s", path, resp.Header, body)
				}
			}
			if got := state() == db.Seen; got != test.let {
				t.Errorf("the notification is marked: %t, want %t", got, test.let)
			}
			b.Form(t, "/notifications/1024/mark", url.Values{"state": {"new"}, "known": {s.Known(t, 1024)}})
			s.Clock.Advance(time.Minute) // the wrong password above
		})
	}
	if resp, _ := b.Send(t, http.MethodGet, "/", nil, http.Header{"Sec-Fetch-Site": {"cross-site"}}); resp.StatusCode != http.StatusOK {
		t.Errorf("a link from another site answers %d", resp.StatusCode)
	}
}

func TestSocketsFromOtherSitesAreRefused(t *testing.T) {
	s := webtest.Start(t)
	b := s.SignedIn(t, "viewer@clinic.example", db.Viewer)
	own := strings.TrimPrefix(s.URL, "http://")
	for origin, want := range map[string]int{
		"https://evil.example": 403, "null": 403, "http://127.0.0.1:1": 403, "http://" + own + ".evil.example": 403, "http://x@evil.example": 403, s.URL + "1": 403,
		s.URL: 101, "": 101,
	} {
		h := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
		if origin != "" {
			h.Set("Origin", origin)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/live?view=feed&since=0", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = h
		resp, err := b.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("origin %q: %d, want %d", origin, resp.StatusCode, want)
		}
	}
}

// behindTLS is a server that a proxy with a certificate stands before.
func behindTLS(t *testing.T) *webtest.Server {
	t.Helper()
	s := webtest.Start(t, func(c *web.Config) { c.PublicURL = &url.URL{Scheme: "https", Host: "carebell.example.org"} })
	s.URL = "http://" + s.Addr()
	return s
}

func TestLoginCookie(t *testing.T) {
	for _, test := range []struct {
		name   string
		server *webtest.Server
		cookie string
		secure bool
	}{
		{"on this computer", webtest.Start(t), "carebell", false},
		{"behind TLS", behindTLS(t), "__Host-carebell", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := test.server
			s.AddUser(t, "viewer@clinic.example", db.Viewer)
			var tokens []string
			for range 2 {
				resp, body := s.Browser().Form(t, "/login", url.Values{"email": {"viewer@clinic.example"}, "password": {webtest.Password}})
				cookies := resp.Cookies()
				if len(cookies) != 2 {
					t.Fatalf("logging in answers %d %s with the cookies %v", resp.StatusCode, body, cookies)
				}
				c := cookies[0]
				if c.Name != test.cookie || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.Secure != test.secure || !c.Expires.IsZero() || c.MaxAge != 0 || len(c.Value) < 43 {
					t.Errorf("the cookie is %s", c.Raw)
				}
				// By the other one the browser is known at the next login; it opens nothing.
				if d := cookies[1]; d.Name != test.cookie+"-device" || !d.HttpOnly || d.SameSite != http.SameSiteLaxMode || d.Path != "/" || d.Domain != "" || d.Secure != test.secure || d.MaxAge <= 0 || len(d.Value) < 43 || d.Value == c.Value {
					t.Errorf("the cookie of the browser is %s", d.Raw)
				}
				tokens = append(tokens, c.Value)
				get := func(name, value string) int {
					r, _ := s.Browser().Send(t, http.MethodGet, "/", nil, http.Header{"Cookie": {name + "=" + value}})
					return r.StatusCode
				}
				if got := get(c.Name, c.Value); got != http.StatusOK {
					t.Errorf("with its cookie: %d", got)
				}
				for _, wrong := range [][2]string{{c.Name, c.Value[1:]}, {c.Name, c.Value + "A"}, {c.Name, ""}, {c.Name, strings.ToLower(c.Value)}, {c.Name, strings.Repeat("A", 43)}, {"session", c.Value}, {c.Name, cookies[1].Value}} {
					if got := get(wrong[0], wrong[1]); got != http.StatusSeeOther {
						t.Errorf("with the cookie %v: %d", wrong, got)
					}
				}
				if test.secure && get("carebell", c.Value) != http.StatusSeeOther {
					t.Error("the cookie counts without its prefix: another host of the site could set it")
				}
				if hsts := resp.Header.Get("Strict-Transport-Security"); (hsts != "") != test.secure {
					t.Errorf("Strict-Transport-Security is %q", hsts)
				}
			}
			if tokens[0] == tokens[1] {
				t.Error("two logins have the same token")
			}
			if strings.Contains(s.Log.String(), tokens[0]) {
				t.Error("the log tells a token")
			}
		})
	}
}

// TestNoTokenIsInTheDatabase: who reads the file cannot log in with what is in it.
func TestNoTokenIsInTheDatabase(t *testing.T) {
	s := webtest.Start(t)
	setup, err := s.Auth().SetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.AddUser(t, "viewer@clinic.example", db.Viewer)
	resp, _ := s.Browser().Form(t, "/login", url.Values{"email": {"viewer@clinic.example"}, "password": {webtest.Password}})
	token, device := resp.Cookies()[0].Value, resp.Cookies()[1].Value
	s.Stop(t)
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			continue // downloads, encrypted
		}
		b, err := os.ReadFile(s.Dir + "/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		for what, secret := range map[string]string{"token": token, "device": device, "password": webtest.Password, "setup link": setup, "webhook key": webtest.Key} {
			if strings.Contains(string(b), secret) {
				t.Errorf("%s holds the %s", e.Name(), what)
			}
		}
	}
}

// required are the headers of every answer, whoever gets it.
var required = map[string]string{
	"Content-Security-Policy":      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
	"X-Content-Type-Options":       "nosniff",
	"Referrer-Policy":              "same-origin",
	"X-Frame-Options":              "DENY",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Cache-Control":                "no-store",
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	s := behindTLS(t)
	s.AddUser(t, "admin@clinic.example", db.Admin)
	resp, _ := s.Browser().Form(t, "/login", url.Values{"email": {"admin@clinic.example"}, "password": {webtest.Password}})
	cookie := resp.Cookies()[0].Name + "=" + resp.Cookies()[0].Value
	check := func(what string, resp *http.Response) {
		t.Helper()
		for name, want := range required {
			if name == "Cache-Control" && strings.HasPrefix(what, "GET "+static.Prefix+"carebell") {
				want = "public, max-age=31536000, immutable"
			}
			if got := resp.Header.Values(name); !slices.Equal(got, []string{want}) {
				t.Errorf("%s (%d): %s is %q", what, resp.StatusCode, name, got)
			}
		}
		if resp.Header.Get("Strict-Transport-Security") == "" {
			t.Errorf("%s (%d): no Strict-Transport-Security", what, resp.StatusCode)
		}
		for _, name := range []string{"Server", "X-Powered-By", "Access-Control-Allow-Origin"} {
			if got := resp.Header.Get(name); got != "" {
				t.Errorf("%s (%d): %s is %q", what, resp.StatusCode, name, got)
			}
		}
	}
	for _, e := range matrix() {
		for _, c := range []string{"", cookie} {
			h := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
			if c != "" {
				h.Set("Cookie", c)
			}
			resp, _ := s.Browser().Send(t, e.method, e.path, strings.NewReader(e.form.Encode()), h)
			check(e.method+" "+e.path, resp)
		}
	}
	large, _ := s.Browser().Send(t, http.MethodPost, "/login", strings.NewReader(strings.Repeat("x", 100_000)), nil)
	check("a form that is too large", large)

	// What is answered before there is a request to route.
	for what, text := range map[string]string{
		"no HTTP":               "hello there\r\n\r\n",
		"headers without end":   "GET / HTTP/1.1\r\nHost: x\r\nCookie: " + strings.Repeat("x", 20_000) + "\r\n\r\n",
		"a length that is none": "POST /webhooks/metriport HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		if _, err := conn.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: no answer: %v", what, err)
		} else {
			if resp.StatusCode < 400 || resp.StatusCode >= 500 {
				t.Errorf("%s: answered %d", what, resp.StatusCode)
			}
			check(what, resp)
			_ = resp.Body.Close()
		}
		_ = conn.Close()
	}
}

// disable takes a person's login away, as an admin will.
func disable(t *testing.T, s *webtest.Server, email string) {
	t.Helper()
	if _, err := openFile(t, s.Dir).ExecContext(t.Context(), "UPDATE user SET disabled_at = 1 WHERE email = ?", email); err != nil {
		t.Fatal(err)
	}
}

// TestWrongLoginTellsNothing: the answer is the same for a wrong password, an unknown person and a disabled one.
func TestWrongLoginTellsNothing(t *testing.T) {
	s := webtest.Start(t)
	s.AddUser(t, "known@clinic.example", db.Admin)
	gone := s.SignedIn(t, "gone@clinic.example", db.Admin)
	disable(t, s, "gone@clinic.example")
	if resp, _ := gone.Get(t, "/"); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("a disabled person still sees the feed: %d", resp.StatusCode)
	}
	answer := func(email, password string) string {
		resp, page := s.Browser().Form(t, "/login", url.Values{"email": {email}, "password": {password}})
		resp.Header.Del("Date")
		resp.Header.Del("Content-Length")
		return fmt.Sprint(resp.StatusCode, resp.Header, strings.ReplaceAll(page, email, "EMAIL"))
	}
	want := answer("known@clinic.example", "wrong")
	if !strings.HasPrefix(want, "401") || strings.Contains(want, "Set-Cookie") {
		t.Fatalf("a wrong password answers %s", want)
	}
	for name, got := range map[string]string{
		"an unknown person":                       answer("unknown@clinic.example", webtest.Password),
		"a disabled person":                       answer("gone@clinic.example", webtest.Password),
		"a disabled person with a wrong password": answer("gone@clinic.example", "wrong"),
		"an empty password":                       answer("known@clinic.example", ""),
		"a very long password":                    answer("known@clinic.example", strings.Repeat("x", 30_000)),
		"no email":                                answer("@", "wrong"),
	} {
		if got != want {
			t.Errorf("%s answers\n%s\nwant\n%s", name, got, want)
		}
	}
	for _, email := range []string{"known@clinic.example", " KNOWN@clinic.example "} {
		if resp, _ := s.Browser().Form(t, "/login", url.Values{"email": {email}, "password": {webtest.Password}}); resp.StatusCode != http.StatusSeeOther {
			t.Errorf("the right password of %q: %d", email, resp.StatusCode)
		}
	}
}

// frozen is a clock that moves only when it is told to: these tests look a second before and after a moment.
type frozen struct {
	mu sync.Mutex
	at time.Time
}

func (f *frozen) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at
}

func (f *frozen) Advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = f.at.Add(d)
}

// startFrozen is a server on a clock that stands still.
func startFrozen(t *testing.T) (*webtest.Server, *frozen) {
	t.Helper()
	clock := &frozen{at: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	return webtest.Start(t, func(c *web.Config) { c.Now = clock.Now }), clock
}

// TestManyWrongPasswordsSlowDown, for people who exist and for those who do not, and for nobody else.
func TestManyWrongPasswordsSlowDown(t *testing.T) {
	s, clock := startFrozen(t)
	s.AddUser(t, "known@clinic.example", db.Viewer)
	s.AddUser(t, "other@clinic.example", db.Viewer)
	try := func(email, password string) int {
		resp, _ := s.Browser().Form(t, "/login", url.Values{"email": {email}, "password": {password}})
		return resp.StatusCode
	}
	for _, email := range []string{"known@clinic.example", "unknown@clinic.example"} {
		for i := range 5 {
			if got := try(email, "wrong"); got != http.StatusUnauthorized {
				t.Fatalf("%s, wrong password %d: %d", email, i+1, got)
			}
		}
		for _, variant := range []string{email, strings.ToUpper(email), " " + email} {
			if got := try(variant, webtest.Password); got != http.StatusTooManyRequests {
				t.Errorf("%q after five wrong ones: %d, want 429", variant, got)
			}
		}
		// Each further wrong one doubles the wait, up to a quarter of an hour.
		for wait := 2 * time.Second; wait < 20*time.Minute; wait *= 2 {
			clock.Advance(min(wait, 15*time.Minute) - time.Second)
			if got := try(email, "wrong"); got != http.StatusTooManyRequests {
				t.Errorf("%s a second before %s are over: %d", email, wait, got)
			}
			clock.Advance(time.Second)
			if got := try(email, "wrong"); got != http.StatusUnauthorized {
				t.Errorf("%s when %s are over: %d", email, wait, got)
			}
		}
	}
	if got := try("other@clinic.example", webtest.Password); got != http.StatusSeeOther {
		t.Errorf("another person is slowed down too: %d", got)
	}
	clock.Advance(15 * time.Minute)
	if got := try("known@clinic.example", webtest.Password); got != http.StatusSeeOther {
		t.Errorf("the right password when the wait is over: %d", got)
	}
	for range 4 { // and it is forgotten
		if got := try("known@clinic.example", "wrong"); got != http.StatusUnauthorized {
			t.Errorf("after a right one a wrong one: %d", got)
		}
	}
}

// TestGuessesAtTheSameTimeAreCountedToo: who guesses in parallel must not get more guesses than one after the other.
func TestGuessesAtTheSameTimeAreCountedToo(t *testing.T) {
	s := webtest.Start(t)
	s.AddUser(t, "known@clinic.example", db.Viewer)
	var mu sync.Mutex
	checked := 0
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			resp, _ := s.Browser().Form(t, "/login", url.Values{"email": {"known@clinic.example"}, "password": {"wrong"}})
			mu.Lock()
			defer mu.Unlock()
			if resp.StatusCode == http.StatusUnauthorized {
				checked++
			}
		})
	}
	wg.Wait()
	if checked > 10 { // five are free, and a few may be under way
		t.Errorf("%d of 40 guesses at the same time were checked against the password", checked)
	}
}

func TestLoginEndsWhenIdle(t *testing.T) {
	s, clock := startFrozen(t)
	b := s.SignedIn(t, "viewer@clinic.example", db.Viewer)
	for range 4 {
		clock.Advance(15*time.Minute - time.Second)
		if resp, _ := b.Get(t, "/"); resp.StatusCode != http.StatusOK {
			t.Fatalf("a second before the end: %d", resp.StatusCode)
		}
	}
	clock.Advance(10 * time.Minute)
	conn, _, err := dial(t.Context(), s, b, "view=feed&since=0") // live updates are not activity
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	next(t, conn)
	clock.Advance(5 * time.Minute)
	if resp, _ := b.Get(t, "/patients"); resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/login?next=%2Fpatients&why=idle" {
		t.Errorf("idle for a quarter of an hour: %d %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	if _, resp, err := dial(t.Context(), s, b, "view=feed&since=0"); err == nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a socket of the idle login: %v", resp)
	}
	if resp, _ := b.Form(t, "/login", url.Values{"email": {"viewer@clinic.example"}, "password": {webtest.Password}}); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("signing in again: %d", resp.StatusCode)
	}
}

func TestLoginEndsAfterTwelveHours(t *testing.T) {
	s, clock := startFrozen(t)
	b := s.SignedIn(t, "viewer@clinic.example", db.Viewer)
	for past := 10 * time.Minute; past < 12*time.Hour; past += 10 * time.Minute {
		clock.Advance(10 * time.Minute)
		if resp, _ := b.Get(t, "/"); resp.StatusCode != http.StatusOK {
			t.Fatalf("active for %s: %d", past, resp.StatusCode)
		}
	}
	clock.Advance(10 * time.Minute)
	if resp, _ := b.Get(t, "/"); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("active for twelve hours: %d", resp.StatusCode)
	}
}

func TestLogoutEndsTheLogin(t *testing.T) {
	s := webtest.Start(t)
	b := s.SignedIn(t, "viewer@clinic.example", db.Viewer)
	base, _ := url.Parse(s.URL)
	token := b.Jar.Cookies(base)[0].Value
	resp, _ := b.Form(t, "/logout", nil)
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/login" || len(resp.Cookies()) != 1 || resp.Cookies()[0].Value != "" || resp.Cookies()[0].Expires.After(time.Now()) {
		t.Errorf("signing out answers %d %v", resp.StatusCode, resp.Header)
	}
	if again, _ := s.Browser().Send(t, http.MethodGet, "/", nil, http.Header{"Cookie": {"carebell=" + token}}); again.StatusCode != http.StatusSeeOther {
		t.Errorf("the cookie of before still opens the feed: %d", again.StatusCode)
	}
}

// TestLoginLeadsNowhereElse tries to be led to another site after signing in.
func TestLoginLeadsNowhereElse(t *testing.T) {
	s := webtest.Start(t)
	s.AddUser(t, "viewer@clinic.example", db.Viewer)
	for next, want := range map[string]string{
		"":                             "/",
		"/":                            "/",
		"/patients":                    "/patients",
		"/patients?q=a%20b":            "/patients?q=a%20b",
		"/?kind=admit&state=all":       "/?kind=admit&state=all",
		"patients":                     "/",
		"//evil.example":               "/",
		"///evil.example":              "/",
		`/\evil.example`:               "/",
		`\\evil.example`:               "/",
		`\/evil.example`:               "/",
		"/\t/evil.example":             "/",
		"/\n/evil.example":             "/",
		"\t//evil.example":             "/",
		" //evil.example":              "/",
		"https://evil.example":         "/",
		"https:evil.example":           "/",
		"http:/\\evil.example":         "/",
		"javascript:alert(1)":          "/",
		"data:text/html,x":             "/",
		"/\r\nSet-Cookie: carebell=x":  "/",
		"/%0d%0aSet-Cookie:%20x=y":     "/%0d%0aSet-Cookie:%20x=y",
		"/\x00":                        "/",
		"/%zz":                         "/",
		"/@evil.example":               "/@evil.example",
		"/.//evil.example":             "*",
		"/..//evil.example":            "*",
		"//":                           "/",
		"http://" + s.Addr() + "/feed": "/",
	} {
		check := func(where string, resp *http.Response) {
			t.Helper()
			to := resp.Header.Get("Location")
			if want != "*" && to != want || !regexp.MustCompile(`^/($|[^/\\])`).MatchString(to) || strings.ContainsAny(to, "\r\n\t\\") || resp.StatusCode != http.StatusSeeOther {
				t.Errorf("next=%q %s leads to %q (%d), want %q", next, where, to, resp.StatusCode, want)
			}
			if n := len(resp.Cookies()); n > 2 || n > 0 && where != "after signing in" {
				t.Errorf("next=%q %s sets the cookies %v", next, where, resp.Cookies())
			}
		}
		b := s.Browser()
		_, page := b.Get(t, "/login?next="+url.QueryEscape(next))
		if strings.Contains(page, `value="//`) || strings.Contains(page, `value="http`) || strings.Contains(page, `value="java`) {
			t.Errorf("next=%q is in the page: %s", next, page)
		}
		resp, _ := b.Form(t, "/login", url.Values{"email": {"viewer@clinic.example"}, "password": {webtest.Password}, "next": {next}})
		check("after signing in", resp)
		resp, _ = b.Get(t, "/login?next="+url.QueryEscape(next))
		check("when signed in", resp)
	}
}

func TestSetupLink(t *testing.T) {
	s := webtest.Start(t)
	token := func() string {
		t.Helper()
		token, err := s.Auth().SetupToken(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	form := func(token, email, password string) url.Values {
		return url.Values{"token": {token}, "email": {email}, "password": {password}}
	}
	older, link := token(), token()
	b := s.Browser()
	for _, wrong := range []string{"", older, link[1:], link + "A", strings.ToUpper(link)} {
		if resp, page := b.Get(t, "/setup?token="+wrong); strings.Contains(page, `type="password"`) {
			t.Errorf("the link %q gives the form (%d)", wrong, resp.StatusCode)
		}
		if resp, _ := b.Form(t, "/setup", form(wrong, "evil@clinic.example", webtest.Password)); resp.StatusCode != http.StatusForbidden || len(resp.Cookies()) > 0 {
			t.Errorf("the link %q makes an admin (%d)", wrong, resp.StatusCode)
		}
	}
	if resp, page := b.Get(t, "/setup?token="+link); resp.StatusCode != http.StatusOK || !strings.Contains(page, `type="password"`) {
		t.Errorf("the link gives %d %s", resp.StatusCode, page)
	}
	for _, bad := range []url.Values{form(link, "nobody", webtest.Password), form(link, "a@clinic.example", "short"), form(link, "a@clinic.example", strings.Repeat("a", 20)), form(link, "", "")} {
		if resp, _ := b.Form(t, "/setup", bad); resp.StatusCode != http.StatusUnprocessableEntity || len(resp.Cookies()) > 0 {
			t.Errorf("%v answers %d", bad, resp.StatusCode)
		}
	}
	var wg sync.WaitGroup
	made := make(chan int, 6)
	for i := range 6 { // the same link in six hands
		wg.Go(func() {
			resp, _ := s.Browser().Form(t, "/setup", form(link, fmt.Sprintf("admin%d@clinic.example", i), webtest.Password))
			made <- resp.StatusCode
		})
	}
	wg.Wait()
	close(made)
	admins := 0
	for status := range made {
		switch status {
		case http.StatusSeeOther:
			admins++
		case http.StatusForbidden:
		default:
			t.Errorf("answered %d", status)
		}
	}
	if admins != 1 {
		t.Errorf("one link made %d admins", admins)
	}
	if resp, _ := b.Get(t, "/setup?token="+link); resp.StatusCode != http.StatusForbidden {
		t.Errorf("the used link gives %d", resp.StatusCode)
	}
	if again := token(); again != "" {
		t.Error("there is a new link although somebody can log in")
	}
}

// TestSetupLinkEndsWhenSomebodyWasAdded from the command line after it was printed.
func TestSetupLinkEndsWhenSomebodyWasAdded(t *testing.T) {
	s := webtest.Start(t)
	link, err := s.Auth().SetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.AddUser(t, "admin@clinic.example", db.Admin)
	b := s.Browser()
	if resp, page := b.Get(t, "/setup?token="+link); resp.StatusCode != http.StatusForbidden || strings.Contains(page, "Nobody can log in yet") {
		t.Errorf("the page says that nobody can log in (%d)", resp.StatusCode)
	}
	if resp, _ := b.Form(t, "/setup", url.Values{"token": {link}, "email": {"evil@clinic.example"}, "password": {webtest.Password}}); resp.StatusCode != http.StatusForbidden || len(resp.Cookies()) > 0 {
		t.Errorf("the link still makes an admin: %d", resp.StatusCode)
	}
}

// TestTheSignInSaysWhy one is there, whatever ended the login: the address that a page is led to, and the answer to what it
// asks for.
func TestTheSignInSaysWhy(t *testing.T) {
	s, clock := startFrozen(t)
	for i, test := range []struct {
		why, words string
		end        func(b *webtest.Browser)
	}{
		{"idle", "nothing was done here for 15 min", func(*webtest.Browser) { clock.Advance(15 * time.Minute) }},
		{"long", "lasts 12 h at most", func(b *webtest.Browser) {
			for range 12*6 + 1 {
				clock.Advance(10 * time.Minute)
				b.Get(t, "/")
			}
		}},
		{"disabled", "an admin has disabled this login", func(*webtest.Browser) {
			if _, err := openFile(t, s.Dir).ExecContext(t.Context(), `UPDATE user SET disabled_at = 1`); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		b := s.SignedIn(t, fmt.Sprintf("viewer%d@clinic.example", i), db.Viewer)
		test.end(b)
		resp, _ := b.Get(t, "/patients")
		if to := resp.Header.Get("Location"); to != "/login?next=%2Fpatients&why="+test.why {
			t.Errorf("%s: led to %q", test.why, to)
		}
		if _, page := b.Get(t, "/login?why="+test.why); !strings.Contains(page, test.words) {
			t.Errorf("%s: the sign-in does not say so", test.why)
		}
		if resp, _ := b.Send(t, http.MethodGet, "/search?q=zz", nil, http.Header{"Hx-Request": {"true"}}); resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("Carebell-Signed-Out") != test.why {
			t.Errorf("%s: a page is answered %d %q", test.why, resp.StatusCode, resp.Header.Get("Carebell-Signed-Out"))
		}
	}
	if _, page := s.Browser().Get(t, "/login?why=<b>"); strings.Contains(page, `id="why"`) {
		t.Error("a reason that is none is said")
	}
}
