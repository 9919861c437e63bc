package web_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"carebell/db"
	"carebell/web/webtest"
)

// opened is an open page in a test, read to where things stand.
type opened struct {
	conn *websocket.Conn
	view string
	text string // the last message
}

// read reads messages until one holds a text, and keeps it.
func (o *opened) read(t *testing.T, text string) string {
	t.Helper()
	for {
		_ = o.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		_, message, err := o.conn.ReadMessage()
		if err != nil {
			t.Fatalf("waiting for %s on %s: %v; the last message was %s", text, o.view, err, o.text)
		}
		if o.text = string(message); strings.Contains(o.text, text) {
			return o.text
		}
	}
}

// head is the number of the last change.
func headOf(t *testing.T, s *webtest.Server) int64 {
	t.Helper()
	var head int64
	if err := s.DB.Read(t.Context(), func(v db.Snapshot) error {
		sum, err := v.Summary(t.Context(), 1)
		head = sum.Head
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return head
}

// cost is what f costs in statements and in drawings. What works beside it asks too, so it is the least of a few times.
func cost(t *testing.T, s *webtest.Server, f func(i int)) (statements, drawn int64) {
	t.Helper()
	statements, drawn = 1<<60, 1<<60
	for i := range 4 {
		time.Sleep(150 * time.Millisecond) // what came before is told
		asked := s.DB.Statements()
		_, pens, _ := s.LiveCounts()
		f(i)
		_, after, _ := s.LiveCounts()
		statements, drawn = min(statements, s.DB.Statements()-asked), min(drawn, after-pens)
	}
	return statements, drawn
}

// TestOneDrawingServesAllScreensThatShowTheSame: what a change costs grows with the filters and roles that are open, not
// with the sockets.
func TestOneDrawingServesAllScreensThatShowTheSame(t *testing.T) {
	sockets := 300
	if raced() || testing.Short() {
		sockets = 150
	}
	const filters = 50
	s := webtest.Start(t)
	var people []*webtest.Browser
	for _, role := range db.Roles {
		people = append(people, s.SignedIn(t, string(role)+"@clinic.example", role))
	}
	event := func(id string) {
		if status, answer := s.Post(t, fmt.Appendf(nil, `{"meta":{"messageId":%q,"type":"patient.pharmacy"},"payload":{"patientId":"p-%[1]s","externalId":"x"}}`, id)); status != http.StatusOK {
			t.Fatalf("answered %d %s", status, answer)
		}
		s.Settled(t)
	}
	event("first")
	alone, _ := cost(t, s, func(i int) { event(fmt.Sprint("alone-", i)) })
	head := headOf(t, s)
	list := make([]*opened, 0, sockets)
	open := func(upTo int) {
		for i := len(list); i < upTo; i++ {
			q := url.Values{"view": {"feed"}, "state": {"all"}, "since": {strconv.FormatInt(head, 10)}}
			switch n := i % filters; {
			case n%2 == 0:
				q.Set("q", fmt.Sprint("p-", n))
			case n > 1:
				q.Set("q", fmt.Sprint("p-", n))
				q.Set("kind", "lab")
			}
			o := &opened{conn: mustDial(t, s, people[i/filters%3], q.Encode())}
			o.text = next(t, o.conn)
			list = append(list, o)
		}
	}
	change := func(id string) {
		event(id)
		for _, o := range list {
			o.read(t, "p-"+id)
		}
	}
	open(filters) // of one role
	fewAsked, fewDrawn := cost(t, s, func(i int) { change(fmt.Sprint("few-", i)) })
	open(filters * 3)
	allAsked, allDrawn := cost(t, s, func(i int) { change(fmt.Sprint("all-", i)) })
	open(sockets)
	manyAsked, manyDrawn := cost(t, s, func(i int) { change(fmt.Sprint("many-", i)) })
	t.Logf("a change: alone %d statements; %d sockets of one role %d, drawn %d; three roles %d, drawn %d; %d sockets %d, drawn %d",
		alone, filters, fewAsked, fewDrawn, allAsked, allDrawn, len(list), manyAsked, manyDrawn)
	if fewDrawn != filters || allDrawn != filters*3 || manyDrawn != filters*3 {
		t.Errorf("drawn %d times for %d filters, %d for three roles of them, %d with %d sockets", fewDrawn, filters, allDrawn, manyDrawn, len(list))
	}
	const beside = 30 // summaries, the changes, the rows, and what looks after logins and queues meanwhile
	if most := alone + filters + beside; fewAsked > most || allAsked > most || manyAsked > most {
		t.Errorf("a change costs %d statements alone, with %d filters %d, in three roles %d, with %d sockets %d: want at most one a filter more, %d",
			alone, filters, fewAsked, allAsked, len(list), manyAsked, most)
	}
	if manyAsked > fewAsked+filters/2 {
		t.Errorf("a change costs %d statements with %d sockets, and %d with %d: it grows with the sockets", fewAsked, filters, manyAsked, len(list))
	}
}

// TestNobodyGetsBytesOfAnother: screens of two roles, and of two people, that show the same change at the same moment each
// get what they may do, and nobody gets what was made for somebody else.
func TestNobodyGetsBytesOfAnother(t *testing.T) {
	s := webtest.Start(t)
	people := map[string]*webtest.Browser{}
	for name, role := range map[string]db.Role{"ann": db.Coordinator, "bob": db.Coordinator, "cat": db.Admin, "vic": db.Viewer} {
		people[name] = s.SignedIn(t, name+"@clinic.example", role)
	}
	s.Post(t, []byte(message("first", "patient.admit")))
	s.Post(t, []byte(`{"meta":{"messageId":"mail","type":"message.received"},"payload":{"id":"in-1","patientId":"p-1","subject":"Lanterns"}}`))
	s.Settled(t)
	const mail = 2
	head := strconv.FormatInt(headOf(t, s), 10)
	screens := map[string][]*opened{}
	for range 4 { // several of each, opened in turns
		for name, b := range people {
			for _, view := range []string{"view=feed&state=all", "view=patient&id=p-1", "view=messages&state=all", "view=message&id=" + strconv.Itoa(mail), "view=messages&state=all&by=me"} {
				o := &opened{conn: mustDial(t, s, b, view+"&since="+head), view: view}
				next(t, o.conn)
				screens[name] = append(screens[name], o)
			}
		}
	}
	// A notification changes, and ann takes a message.
	if resp, body := people["cat"].Form(t, "/notifications/1024/mark", url.Values{"state": {"seen"}, "known": {s.Known(t, 1024)}}); resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("marking answered %d %s", resp.StatusCode, body)
	}
	for name, list := range screens {
		for _, o := range list {
			if !strings.HasPrefix(o.view, "view=feed") && !strings.HasPrefix(o.view, "view=patient") {
				continue
			}
			text := o.read(t, `data-key="1024"`)
			if got, want := strings.Contains(text, "/notifications/1024/mark"), name != "vic"; got != want {
				t.Errorf("%s of %s can mark: %t, want %t", o.view, name, got, want)
			}
		}
	}
	if resp, body := people["ann"].Form(t, fmt.Sprintf("/messages/%d/mark", mail), url.Values{"do": {"assign"}, "known": {"0"}}); resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("taking the message answered %d %s", resp.StatusCode, body)
	}
	for name, list := range screens {
		for _, o := range list {
			if !strings.HasPrefix(o.view, "view=message") {
				continue
			}
			mine := strings.HasSuffix(o.view, "by=me")
			text := o.read(t, "assigned to ann")
			_, page := people[name].Get(t, "/messages?state=all")
			for _, offer := range []string{`value="unassign"`, `value="assign"`} {
				row, _ := between(page, `id="m-2"`, "</li>")
				if got, want := strings.Contains(text, offer), strings.Contains(row, offer); got != want {
					t.Errorf("%s of %s has %s: %t, its page %t\n%s", o.view, name, offer, got, want, row)
				}
			}
			if fits := !strings.Contains(text, "data-fits-not"); mine && fits != (name == "ann") {
				t.Errorf("the message is among those of %s: %t", name, fits)
			}
		}
	}
}

// TestOwnMarksCostARow: what a person marks is, on every open list, one row and the counters, whatever the list holds and
// however many look; a page that it does not concern is sent the counters where they changed, and nothing else.
func TestOwnMarksCostARow(t *testing.T) {
	s := webtest.Start(t)
	b := s.SignedIn(t, "marks@clinic.example", db.Coordinator)
	for i := range 120 {
		s.Post(t, fmt.Appendf(nil, `{"meta":{"messageId":"n-%d","type":"patient.admit"},"payload":{"patientId":"p","admitTimestamp":"2026-11-20T%02d:00:00Z"}}`, i, i%24))
		s.Post(t, fmt.Appendf(nil, `{"meta":{"messageId":"m-%d","type":"message.received"},"payload":{"id":"in-%[1]d","patientId":"p","subject":"About %[1]d"}}`, i))
	}
	s.Settled(t)
	mark := func(i int) {
		if resp, body := b.Form(t, "/notifications/1024/mark", url.Values{"state": {[]string{"seen", "done", "new"}[i%3]}, "known": {s.Known(t, 1024)}}); resp.StatusCode != http.StatusSeeOther {
			t.Fatalf("marking answered %d %s", resp.StatusCode, body)
		}
	}
	nobody, _ := cost(t, s, func(i int) { mark(i); time.Sleep(100 * time.Millisecond) })
	head := strconv.FormatInt(headOf(t, s), 10)
	views := map[string]string{
		"view=feed": `data-key="1024"`, "view=feed&state=all": `data-key="1024"`, "view=feed&kind=lab": `data-key="1024"`, "view=patient&id=p": `data-key="1024"`,
		"view=messages": "", "view=records": "", "view=imports": "", "view=status": "", "view=identity": "",
	}
	var list []*opened
	for range 5 {
		for view := range views {
			o := &opened{conn: mustDial(t, s, b, view+"&since="+head), view: view}
			next(t, o.conn)
			list = append(list, o)
		}
	}
	longest := 0
	asked, drawn := cost(t, s, func(i int) {
		mark(i)
		for _, o := range list {
			if row := views[o.view]; row != "" {
				text := o.read(t, row)
				longest = max(longest, len(text))
				if n := strings.Count(text, "<li "); n > 2 { // and the heading of a day
					t.Errorf("a mark sent %d rows to %s", n, o.view)
				}
				if strings.Contains(text, `hx-target="#patient"`) {
					t.Errorf("a mark drew more than its row on %s", o.view)
				}
			}
		}
	})
	t.Logf("a mark: %d statements where nobody looks, %d with %d sockets of %d views, drawn %d, at most %d bytes", nobody, asked, len(list), len(views), drawn, longest)
	// The summary, the changes (2), the rows of feeds, what fits each of three, the timeline's row; and what works beside.
	if most := nobody + 8 + 6; asked > most {
		t.Errorf("a mark costs %d statements where nobody looks and %d with %d sockets, want at most %d", nobody, asked, len(list), most)
	}
	if drawn > int64(len(views)) {
		t.Errorf("a mark was drawn %d times for %d views", drawn, len(views))
	}
	for _, o := range list {
		if views[o.view] != "" {
			continue
		}
		_ = o.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		for {
			_, text, err := o.conn.ReadMessage()
			if err != nil {
				break
			}
			if strings.Contains(string(text), "<li ") {
				t.Errorf("a mark sent rows to %s", o.view)
			}
		}
	}
}

// TestLoginsOfOpenScreensAreOneQuestion a second for all of them. A login that ends by another process, as the command line
// is one, or by time loses what it had open within moments; the others keep theirs.
func TestLoginsOfOpenScreensAreOneQuestion(t *testing.T) {
	s := webtest.Start(t)
	keep := s.SignedIn(t, "keep@clinic.example", db.Viewer)
	gone := s.SignedIn(t, "gone@clinic.example", db.Coordinator)
	open := map[*webtest.Browser][]*websocket.Conn{}
	for _, b := range []*webtest.Browser{keep, gone} {
		for range 30 {
			conn := mustDial(t, s, b, "view=feed&since=0")
			next(t, conn)
			open[b] = append(open[b], conn)
		}
	}
	time.Sleep(200 * time.Millisecond)
	before := s.DB.Statements()
	time.Sleep(3 * time.Second)
	if n := s.DB.Statements() - before; n > 20 {
		t.Errorf("60 idle sockets cost %d statements in 3 seconds", n)
	}
	other, err := db.Open(t.Context(), s.Dir, db.Options{Now: s.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	base, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	token := sha256.Sum256([]byte(gone.Jar.Cookies(base)[0].Value))
	err = other.Write(t.Context(), func(tx *db.Tx) error { return tx.EndSession(t.Context(), token[:]) })
	if err := errors.Join(err, other.Close()); err != nil {
		t.Fatal(err)
	}
	for _, conn := range open[gone] {
		if code := closing(t, conn); code != 1008 {
			t.Fatalf("a socket of the login that ended was closed with %d, want 1008", code)
		}
	}
	waitFor(t, "only the sockets of the login that goes on to be open", func() bool {
		n, _, _ := s.LiveCounts()
		return n == len(open[keep])
	})
	s.Clock.Advance(time.Hour)
	for _, conn := range open[keep] {
		if code := closing(t, conn); code != 1008 {
			t.Fatalf("a socket of a login that ended by time was closed with %d, want 1008", code)
		}
	}
}
