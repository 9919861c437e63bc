package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"carebell/db"
	"carebell/web"
	"carebell/web/metriport"
)

// TestOriginThatComesBackInTimeCostsNothing: down when the events come, back while their links live.
func TestOriginThatComesBackInTimeCostsNothing(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "nurse@clinic.example", db.Viewer)
	o.down.Store(true)
	var ids []int64
	for _, kind := range []metriport.Type{metriport.PatientAdmit, metriport.PatientLaboratory, metriport.NetworkQueryHIE, metriport.DocumentsPaged, metriport.MessageReceived} {
		m, err := o.sim.Sample(kind)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, o.take(t, m.Body)...)
	}
	pollUntil(t, "a first try", func() (string, bool) {
		d := o.download(t, ids[0])
		return fmt.Sprintf("%s after %d tries", d.State, d.Tries), d.Tries > 0 && d.State == db.FetchQueued && d.Reason != ""
	})
	o.shows(t, b, "/", "record waiting to try again")
	pollUntil(t, "the others to wait, those that were not tried for the origin", func() (string, bool) {
		untried := 0
		for _, id := range ids {
			d := o.download(t, id)
			if d.State != db.FetchQueued {
				return fmt.Sprintf("one is %s", d.State), false
			}
			if d.Tries > 0 {
				continue
			}
			untried++
			if resp, page := b.Get(t, fmt.Sprint("/files/", id)); resp.StatusCode != http.StatusNotFound || !strings.Contains(page, "waiting until its origin answers") {
				return fmt.Sprintf("the file is answered %d %s", resp.StatusCode, page), false
			}
		}
		return "none is untried", untried > 0
	})
	o.down.Store(false)
	for _, id := range ids {
		if d := o.ends(t, id, db.FetchStored); d.EndedAt.After(d.ExpiresAt) {
			t.Errorf("stored at %s, the link expired at %s", d.EndedAt, d.ExpiresAt)
		}
	}
}

// TestLinkThatExpiresWhileTheOriginIsDown is shown as expired, with what to do; and when the sender delivers the event
// again with a fresh link, that one is used.
func TestLinkThatExpiresWhileTheOriginIsDown(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "nurse@clinic.example", db.Coordinator)
	feed := o.openSocket(t, b, "view=feed&since=0")
	o.down.Store(true)
	body := o.event("patient.admit", "PATIENT-1", o.lead("/old", 10*time.Minute, bundleOf(zoePatient, zoeStay)), "")
	id := o.take(t, body)[0]
	pollUntil(t, "a first try", func() (string, bool) {
		d := o.download(t, id)
		return string(d.State), d.Tries > 0 && d.State == db.FetchQueued
	})
	o.clock.Advance(10*time.Minute + time.Second)
	o.nudge(t)
	o.ends(t, id, db.FetchExpired)
	const advice = "record expired before we could fetch it: ask Metriport to send it again"
	hears(t, feed, "PATIENT-1", advice)
	o.shows(t, b, "/", advice)
	o.shows(t, b, "/patients/PATIENT-1", "expired before we could fetch it: ask Metriport to send it again")

	o.down.Store(false)
	o.Post(t, body) // the sender's Retry: the same message, the old link
	o.Settled(t)
	if d := o.download(t, id); d.State != db.FetchExpired {
		t.Errorf("the old link again makes it %s", d.State)
	}
	fresh := bytes.Replace(body, []byte("/old?"), []byte("/fresh?"), 1)
	o.lead("/fresh", 0, bundleOf(zoePatient, zoeStay))
	o.Post(t, fresh)
	o.ends(t, id, db.FetchStored)
	hears(t, feed, "Zoë Quagmire", "Shortness of breath", "delivered 3 times")
	if n := len(o.numbers(t, `SELECT id FROM download`)); n != 1 {
		t.Errorf("%d downloads, want 1", n)
	}
}

// TestHowLinksEnd: each in a clear state after so many tries, in words that a person can use.
func TestHowLinksEnd(t *testing.T) {
	var outside atomic.Int64 // connections to a host that is not allowed
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			outside.Add(1)
			_ = c.Close()
		}
	}()
	o := startOutside(t)
	b := o.SignedIn(t, "nurse@clinic.example", db.Viewer)
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	links := map[string]struct {
		link  string
		state db.Fetch
		words string
		tries int
	}{
		"expired":   {o.lead("/expired", time.Minute, expired), db.FetchExpired, "expired before we could fetch it: ask Metriport to send it again", 1},
		"gone":      {o.lead("/gone", time.Hour, http.NotFound), db.FetchFailed, "failed: the origin answered 404", 3},
		"forbidden": {o.lead("/forbidden", time.Hour, status(403)), db.FetchFailed, "failed: the origin answered 403", 3},
		"redirect": {o.lead("/redirect", time.Hour, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/reached", http.StatusFound) }),
			db.FetchRefused, "refused: the link leads to another address", 1},
		"empty":       {o.lead("/empty", time.Hour, says("")), db.FetchFailed, "failed: the origin sent an empty file", 1},
		"not allowed": {"http://" + l.Addr().String() + "/x", db.FetchRefused, "refused: ", 1},
		"metadata":    {"http://169.254.169.254/latest/meta-data/", db.FetchRefused, "refused: ", 1},
		"other":       {"https://records.attacker.example/x", db.FetchRefused, "refused: host not allowed", 1},
		"scheme":      {"file:///etc/passwd", db.FetchRefused, "refused: ", 1},
		"nonsense":    {"::::", db.FetchRefused, "refused: not a web address", 1},
	}
	ids := map[string]int64{}
	for name, l := range links {
		ids[name] = o.take(t, o.event("patient.admit", "PATIENT-"+name, l.link, ""))[0]
	}
	for name, l := range links {
		d := o.ends(t, ids[name], l.state)
		if d.Tries != l.tries {
			t.Errorf("%s ended after %d tries, want %d", name, d.Tries, l.tries)
		}
		if d.File != "" || d.Size != 0 {
			t.Errorf("%s has a file", name)
		}
		resp, page := b.Get(t, fmt.Sprint("/files/", ids[name]))
		if resp.StatusCode != http.StatusNotFound || !strings.Contains(page, l.words) {
			t.Errorf("%s: the file is answered %d without %q: %s", name, resp.StatusCode, l.words, page)
		}
		if _, page := b.Get(t, "/patients/PATIENT-"+name); !strings.Contains(page, l.words) || strings.Contains(page, "secret-signature") {
			t.Errorf("%s: the patient's page has not %q, or the link", name, l.words)
		}
	}
	if outside.Load() != 0 {
		t.Errorf("%d connections to a host that is not allowed", outside.Load())
	}
	for _, r := range o.requests() {
		if r.path == "/reached" {
			t.Error("a redirect was followed")
		}
	}
	if files := o.inVault(t); len(files) != 0 {
		t.Errorf("the vault has %v", files)
	}
}

// TestHostileSenderChangesNothing: all that the simulated sender has in its --hostile box ends in a clear state, while
// what is good goes through; nothing leads the server elsewhere, and no half of a file is left.
func TestHostileSenderChangesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("moves gigabytes")
	}
	o := startOutside(t)
	b := o.SignedIn(t, "nurse@clinic.example", db.Viewer)
	want := map[string]db.Fetch{
		"gzip-bomb": db.FetchFailed, "gzip-bomb-as-encoding": db.FetchFailed, "endless": db.FetchFailed, "length-beyond-the-limit": db.FetchFailed,
		"length-too-long": db.FetchFailed, "slow-drip": db.FetchFailed, "empty": db.FetchFailed, "redirect": db.FetchRefused,
		"page-as-json": db.FetchStored, "note.html": db.FetchStored, "scan.svg": db.FetchStored, "page.xml": db.FetchStored, "summary.xml": db.FetchStored,
		"letter.pdf": db.FetchStored, "result.csv": db.FetchStored,
	}
	var ids []int64
	for _, m := range o.sim.Hostile() {
		ids = append(ids, o.take(t, m.Body)...)
	}
	good, err := o.sim.Sample(metriport.PatientAdmit)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range o.take(t, good.Body) {
		o.ends(t, id, db.FetchStored)
	}
	seen := map[string]bool{}
	states := func(waiting bool) {
		for _, id := range ids {
			d := o.download(t, id)
			name := d.Name
			if i := strings.Index(d.URL, "/hostile/"); i >= 0 && !strings.Contains(d.URL, "@") {
				name, _, _ = strings.Cut(d.URL[i+len("/hostile/"):], "?")
			}
			state, known := want[name]
			if !known {
				state = db.FetchRefused
				if d.URL == "" { // stored
					state = db.FetchStored
				}
			}
			seen[name] = true
			if waiting && (name == "slow-drip" || name == "length-too-long") { // tried as long as their links live
				state = db.FetchQueued
			}
			if d = o.ends(t, id, state); d.State != db.FetchStored && d.Reason == "" {
				t.Errorf("%s is %s without a reason", name, d.State)
			}
		}
	}
	states(true)
	o.clock.Advance(11 * time.Minute)
	o.nudge(t)
	states(false)
	for name := range want {
		if !seen[name] && name != "bundle.json" {
			t.Errorf("no event had a link to %s", name)
		}
	}
	for _, r := range o.requests() {
		if strings.Contains(r.path, "reached") {
			t.Error("the server was led elsewhere")
		}
	}
	stored := int(o.numbers(t, `SELECT count(DISTINCT file) FROM download WHERE state = 'stored'`)[0])
	if files := o.inVault(t); len(files) != stored || strings.Contains(strings.Join(files, " "), ".part") {
		t.Errorf("%d files are stored, the vault has %v", stored, files)
	}
	if _, page := b.Get(t, "/"); !strings.Contains(page, "record failed: larger than 256 MiB") || strings.Contains(page, "<script>window") {
		t.Error("the feed does not say what became of a record")
	}
}

// TestDeadLinkToADocumentIsRenewed with the API key, which goes to the sender's API and nowhere else.
func TestDeadLinkToADocumentIsRenewed(t *testing.T) {
	const key = "secret-api-key"
	for name, with := range map[string]bool{"with a key": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			o := startOutside(t, func(c *web.Config) {
				if with {
					c.APIKey = key
				}
			})
			m, err := o.sim.Sample(metriport.DocumentsPaged)
			if err != nil {
				t.Fatal(err)
			}
			o.clock.Advance(11 * time.Minute)
			ids := o.take(t, m.Body)
			if len(ids) == 0 {
				t.Fatal("a page without documents")
			}
			for _, id := range ids {
				if with {
					o.ends(t, id, db.FetchStored)
				} else {
					o.ends(t, id, db.FetchExpired)
				}
			}
			given := 0
			for _, r := range o.requests() {
				switch {
				case r.key == key && r.path == "/medical/v1/document/download-url":
					given++
				case r.key != "":
					t.Errorf("the key was given to %s", r.path)
				}
			}
			if with && given != len(ids) || !with && given != 0 {
				t.Errorf("the API was asked %d times for %d documents", given, len(ids))
			}
		})
	}
}

// TestKeyGoesToNoOtherHost: whatever a document names as its API, and wherever that API leads.
func TestKeyGoesToNoOtherHost(t *testing.T) {
	other := make(chan string, 10)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { other <- r.Header.Get("x-api-key") }), ReadHeaderTimeout: time.Second}
	go func() { _ = s.Serve(l) }()
	defer func() { _ = s.Close() }()
	o := startOutside(t, func(c *web.Config) { c.APIKey = "secret-api-key" })
	dead := o.lead("/dead", time.Minute, expired)
	api := func(path string, h http.HandlerFunc) string { o.lead(path, time.Hour, h); return o.origin.URL + path }
	elsewhere := "http://" + l.Addr().String() + "/x"
	for name, link := range map[string]string{
		"another host":       elsewhere,
		"a look-alike":       "https://api.metriport.com.attacker.example/x",
		"a bucket":           "https://bucket.s3.amazonaws.com.:443/x",
		"user information":   "https://api.metriport.com@" + l.Addr().String() + "/x",
		"a redirect":         api("/redirects", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere, http.StatusFound) }),
		"a link elsewhere":   api("/leads", says(`{"url":"`+elsewhere+`"}`)),
		"no link":            api("/says-nothing", says(`{}`)),
		"something else":     api("/is-a-page", says(`<html>`)),
		"a link to the dead": api("/leads-to-the-dead", says(`{"url":"`+dead+`"}`)),
	} {
		id := o.take(t, o.documents("PATIENT-1", fmt.Sprintf(`{"id":%q,"fileName":"a.txt","url":%q,"downloadUrl":%q}`, name, dead, link)))[0]
		pollUntil(t, name+" to be tried", func() (string, bool) {
			d := o.download(t, id)
			return string(d.State), d.Reason != "" || d.State == db.FetchExpired
		})
		if d := o.download(t, id); d.State == db.FetchStored {
			t.Errorf("%s: stored", name)
		}
	}
	select {
	case heard := <-other:
		t.Errorf("another host was asked, with the key %q", heard)
	default:
	}
}

// TestRestartInTheMiddleGoesOn: what was being fetched when the server stopped is fetched after the next start, and no
// half of it is left.
func TestRestartInTheMiddleGoesOn(t *testing.T) {
	o := startOutside(t)
	come, begun := make(chan struct{}), make(chan struct{}, 100)
	var ids []int64
	for i := range 20 {
		content := strings.Repeat(fmt.Sprintf("file %d ", i), 50_000)
		link := o.lead(fmt.Sprint("/doc-", i), 10*time.Minute, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, content[:len(content)/2])
			_ = http.NewResponseController(w).Flush()
			begun <- struct{}{}
			held(come, says(content[len(content)/2:]))(w, r)
		})
		ids = append(ids, o.take(t, o.documents("PATIENT-1", fmt.Sprintf(`{"id":"%d","fileName":"doc-%d.txt","url":%q}`, i, i, link)))...)
	}
	for range 8 {
		<-begun
	}
	o.Stop(t)
	if n := len(o.inVault(t)); n != 0 {
		t.Errorf("a server that was stopped leaves %d files", n)
	}
	half := filepath.Join(o.dir, "files", "leftofacrash.part") // as a crash leaves it
	if err := os.WriteFile(half, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	close(come)
	o.start(t)
	for i, id := range ids {
		d := o.ends(t, id, db.FetchStored)
		if want := int64(len(fmt.Sprintf("file %d ", i)) * 50_000); d.Size != want {
			t.Errorf("file %d has %d bytes, want %d", i, d.Size, want)
		}
	}
	if n := len(o.inVault(t)); n != len(ids) {
		t.Errorf("the vault has %d files of %d downloads", n, len(ids))
	}
}

// TestFilesGoWhenTheirTimeIsOver, and what was read from them stays. The same content twice is one file, which goes with
// the last download that needs it.
func TestFilesGoWhenTheirTimeIsOver(t *testing.T) {
	o := startOutside(t, func(c *web.Config) { c.KeepFiles = 48 * time.Hour })
	same := bundleOf(zoePatient, zoeStay)
	first := o.take(t, o.event("patient.admit", "PATIENT-1", o.lead("/1", time.Hour, same), `,"admitTimestamp":"2026-01-10T08:00:00Z"`))[0]
	o.ends(t, first, db.FetchStored)
	o.clock.Advance(24 * time.Hour)
	second := o.take(t, o.event("patient.admit", "PATIENT-1", o.lead("/2", time.Hour, same), `,"admitTimestamp":"2026-01-11T08:00:00Z"`))[0]
	o.ends(t, second, db.FetchStored)
	if files := o.inVault(t); len(files) != 1 {
		t.Fatalf("the same content is kept as %v", files)
	}
	later := func(d time.Duration) {
		o.Stop(t)
		o.clock.Advance(d)
		o.start(t) // looks for files past their time, and every hour from then on
	}
	later(25 * time.Hour)
	o.ends(t, first, db.FetchRemoved)
	b := o.SignedIn(t, "one@clinic.example", db.Viewer)
	if resp, page := b.Get(t, fmt.Sprint("/files/", first)); resp.StatusCode != http.StatusNotFound || !strings.Contains(page, "removed after the time it had to be kept") {
		t.Errorf("a removed file is answered %d %s", resp.StatusCode, page)
	}
	if resp, page := b.Get(t, fmt.Sprint("/files/", second)); resp.StatusCode != http.StatusOK || !strings.Contains(page, "Quagmire") {
		t.Errorf("a file that is still needed is answered %d", resp.StatusCode)
	}
	later(24 * time.Hour)
	o.ends(t, second, db.FetchRemoved)
	pollUntil(t, "the vault to be empty", func() (string, bool) {
		files := o.inVault(t)
		return fmt.Sprint(files), len(files) == 0
	})
	b = o.SignedIn(t, "two@clinic.example", db.Viewer)
	o.shows(t, b, "/", "Zoë Quagmire", "Shortness of breath")
}

// TestRepeatsQueueNothingTwice: a message that comes again has its links once.
func TestRepeatsQueueNothingTwice(t *testing.T) {
	o := startOutside(t)
	m, err := o.sim.Sample(metriport.DocumentsPaged)
	if err != nil {
		t.Fatal(err)
	}
	ids := o.take(t, m.Body)
	for range 3 {
		o.Post(t, o.sim.Repeat(m).Body)
	}
	o.Settled(t)
	for _, id := range ids {
		o.ends(t, id, db.FetchStored)
	}
	if n := len(o.numbers(t, `SELECT id FROM download`)); n != len(ids) {
		t.Errorf("%d downloads, want %d", n, len(ids))
	}
	var body any
	if err := json.Unmarshal(m.Body, &body); err != nil || len(presigned(body, "", o.origin.URL)) != len(ids) {
		t.Errorf("%d downloads of %d links", len(ids), len(presigned(body, "", o.origin.URL)))
	}
}
