package web_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"carebell/db"
	"carebell/web/webtest"
)

// dial opens a page's socket with a browser's cookies, as the page's own script does.
func dial(ctx context.Context, s *webtest.Server, b *webtest.Browser, query string) (*websocket.Conn, *http.Response, error) {
	base, err := url.Parse(s.URL)
	if err != nil {
		return nil, nil, err
	}
	h := http.Header{"Origin": {s.URL}}
	for _, c := range b.Jar.Cookies(base) {
		h.Add("Cookie", c.String())
	}
	return websocket.DefaultDialer.DialContext(ctx, "ws://"+base.Host+"/live?"+query, h)
}

func mustDial(t *testing.T, s *webtest.Server, b *webtest.Browser, query string) *websocket.Conn {
	t.Helper()
	conn, resp, err := dial(t.Context(), s, b, query)
	if err != nil {
		t.Fatalf("the socket %s does not open: %v %v", query, err, resp)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// next reads one message of a socket.
func next(t *testing.T, conn *websocket.Conn) string {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	_, message, err := conn.ReadMessage()
	if err != nil {
		t.Fatalf("the socket ended: %v", err)
	}
	return string(message)
}

// closing reads until the socket ends and returns the code it ended with. It waits less than the time after which a
// socket looks by itself whether its login has ended.
func closing(t *testing.T, conn *websocket.Conn) int {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(12 * time.Second))
	for {
		if _, _, err := conn.ReadMessage(); err != nil {
			var c *websocket.CloseError
			if !errors.As(err, &c) {
				t.Fatalf("the socket ended without a goodbye: %v", err)
			}
			return c.Code
		}
	}
}

// screen is an open feed as a browser keeps it.
type screen struct {
	seq   int64
	rows  []int64          // keys, newest first
	html  map[int64]string // each row as it was last drawn
	older bool             // the list goes on on older pages
	seen  []span           // what it showed before a list took its place
	fault string           // what must not happen and did
}

// span is a list without gaps: so many rows between two keys.
type span struct {
	low, high int64
	n         int
}

func (s *screen) span() span {
	if len(s.rows) == 0 {
		return span{}
	}
	return span{s.rows[len(s.rows)-1], s.rows[0], len(s.rows)}
}

// apply does what the browser does with a message: it puts rows in or in the place of their older selves, or takes the
// whole list.
func (s *screen) apply(message string) {
	if message == "<!-- beat -->" { // nothing happened for a while
		return
	}
	part, ok := between(message, `<hx-partial hx-target="#feed" hx-swap="`, `</hx-partial>`)
	if ok {
		whole := strings.HasPrefix(part, "innerMorph")
		if whole {
			s.seen = append(s.seen, s.span())
			s.rows, s.html, s.older = nil, map[int64]string{}, strings.Contains(part, `id="older"`)
		}
		var last int64
		for _, li := range strings.Split(part, "<li ")[1:] {
			text, ok := between(li, `data-key="`, `"`)
			if !ok {
				continue // a day, or the way to older ones
			}
			key, err := strconv.ParseInt(text, 10, 64)
			if err != nil || last != 0 && key >= last {
				s.fault = fmt.Sprintf("row %s comes after row %d", text, last)
				return
			}
			last = key
			if _, ok := s.html[key]; !ok {
				if strings.Contains(li, "data-fits-not") {
					continue
				}
				at, _ := slices.BinarySearchFunc(s.rows, key, func(a, b int64) int { return int(b - a) })
				s.rows = slices.Insert(s.rows, at, key)
			}
			s.html[key], _, _ = strings.Cut(li, "</li>")
		}
	}
	text, ok := between(message, `id="live-seq" hidden data-seq="`, `"`)
	seq, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil || seq < s.seq {
		s.fault = fmt.Sprintf("a screen at change %d was sent to %q", s.seq, text)
		return
	}
	s.seq = seq
}

func between(s, from, to string) (string, bool) {
	_, rest, ok := strings.Cut(s, from)
	if !ok {
		return "", false
	}
	return first2(strings.Cut(rest, to))
}

func first2(before, _ string, found bool) (string, bool) { return before, found }

// watcher is a browser with an open feed that loses its connection now and then.
type watcher struct {
	screen
	at         atomic.Int64 // screen.seq, for the test to look at
	away       atomic.Bool  // between two connections
	reconnects int
	code       int // the socket's last goodbye
	err        error
}

func (w *watcher) run(ctx context.Context, s *webtest.Server, b *webtest.Browser, r *rand.Rand, calm *atomic.Bool) {
	for {
		conn, _, err := dial(ctx, s, b, "view=feed&state=all&since="+strconv.FormatInt(w.seq, 10))
		if err != nil {
			w.err = fmt.Errorf("reconnecting at change %d: %w", w.seq, err)
			return
		}
		w.away.Store(false)
		for left := 1 + r.IntN(12); ; left-- {
			if left == 0 && !calm.Load() {
				break
			}
			_, message, err := conn.ReadMessage()
			if err != nil {
				var c *websocket.CloseError
				if w.err = err; errors.As(err, &c) {
					w.code, w.err = c.Code, nil
				}
				_ = conn.Close()
				return
			}
			if w.apply(string(message)); w.fault != "" {
				w.err = errors.New(w.fault)
				_ = conn.Close()
				return
			}
			w.at.Store(w.seq)
		}
		w.away.Store(true)
		_ = conn.NetConn().Close() // as a lost network: no goodbye
		w.reconnects++
		pause := time.Duration(r.IntN(30)) * time.Millisecond
		if r.IntN(20) == 0 {
			pause = time.Second // long enough to be too far behind
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			w.err = ctx.Err()
			return
		}
	}
}

// TestNoScreenMissesAnEvent is promise 6: many screens that lose their connection again and again, while events and
// repeats pour in, have every notification once, in order, without a gap; a shutdown tells them to come back.
func TestNoScreenMissesAnEvent(t *testing.T) {
	sockets, events := 200, 1500
	if raced() || testing.Short() {
		sockets, events = 40, 400
	}
	s := webtest.Start(t)
	b := s.SignedIn(t, "live@clinic.example", db.Coordinator)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var calm atomic.Bool
	watchers := make([]*watcher, sockets)
	var open sync.WaitGroup
	for i := range watchers {
		watchers[i] = &watcher{screen: screen{html: map[int64]string{}}}
		open.Go(func() { watchers[i].run(ctx, s, b, rand.New(rand.NewPCG(uint64(i), 5)), &calm) })
	}
	var senders sync.WaitGroup
	for sender := range 4 {
		senders.Go(func() {
			for n := sender; n < events; n += 4 {
				kind := []string{"patient.admit", "patient.discharge", "patient.pharmacy", "patient.laboratory"}[n%4]
				body := fmt.Appendf(nil, `{"meta":{"messageId":"live-%d","when":"2026-11-20T10:00:00.000Z","type":%q},"payload":{"patientId":"p-%d","externalId":"x-%d","admitTimestamp":"2026-11-20T09:00:00Z"}}`, n, kind, n%200, n%200)
				for again := range 1 + n%9/8 { // some come twice
					if status, answer := s.Post(t, body); status != http.StatusOK {
						t.Errorf("event %d, delivery %d: answered %d %s", n, again+1, status, answer)
						return
					}
				}
				time.Sleep(time.Duration(n%7) * time.Millisecond) // over some seconds, not at once
			}
		})
	}
	senders.Wait()
	s.Settled(t)
	calm.Store(true)

	var all []int64 // of the whole feed, newest first
	var head int64
	waitFor(t, "the chart to be at rest", func() bool {
		before := head
		if err := s.DB.Read(ctx, func(v db.Snapshot) (err error) {
			list, err := v.Notifications(ctx, db.NotificationFilter{Limit: events * 2})
			if err != nil {
				return err
			}
			all = nil
			for _, n := range list {
				all = append(all, n.ID)
			}
			sum, err := v.Summary(ctx, 1)
			head = sum.Head
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return head == before
	})
	if len(all) != events {
		t.Fatalf("the feed has %d notifications, want %d", len(all), events)
	}
	waitFor(t, "every screen to come to the last change by itself", func() bool {
		return !slices.ContainsFunc(watchers, func(w *watcher) bool { return w.at.Load() < head || w.away.Load() })
	})
	older := older(t, b, all)
	s.Stop(t)
	open.Wait()
	reconnects, lists := 0, 0
	for i, w := range watchers {
		if w.err != nil || w.code != 1012 {
			t.Fatalf("screen %d ended with code %d (%v), want 1012", i, w.code, w.err)
		}
		rows := w.rows
		if w.older { // the list was cut off, and the person scrolls
			rows = append(slices.Clone(rows), older[rows[len(rows)-1]]...)
		}
		if !slices.Equal(rows, all) {
			t.Fatalf("screen %d has %d rows of %d after %d reconnects: not every one once, in order", i, len(rows), len(all), w.reconnects)
		}
		for _, was := range w.seen {
			if n := len(slices.DeleteFunc(slices.Clone(all), func(k int64) bool { return k < was.low || k > was.high })); was.n > 0 && n != was.n {
				t.Fatalf("screen %d once had %d of %d rows between %d and %d", i, was.n, n, was.low, was.high)
			}
		}
		reconnects, lists = reconnects+w.reconnects, lists+len(w.seen)
	}
	for key, html := range watchers[0].html { // what every screen shows of a row is the same, and as it is now
		for i, w := range watchers {
			if other, ok := w.html[key]; ok && undated(other) != undated(html) {
				t.Fatalf("row %d on screen %d:\n%s\nand on screen 0:\n%s", key, i, other, html)
			}
		}
	}
	t.Logf("%d screens, %d events, %d reconnects, %d whole lists", sockets, events, reconnects, lists)
	if reconnects < sockets {
		t.Errorf("only %d reconnects: the test did not test", reconnects)
	}
}

// undated takes out of a row what moves on with the clock.
func undated(row string) string {
	before, rest, ok := strings.Cut(row, "<time")
	if !ok {
		return row
	}
	_, after, _ := strings.Cut(rest, "</time>")
	return before + undated(after)
}

// older reads the pages behind every row, as scrolling does.
func older(t *testing.T, b *webtest.Browser, all []int64) map[int64][]int64 {
	t.Helper()
	var pages []int64
	out := map[int64][]int64{}
	for i, key := range all {
		out[key] = all[i+1:]
	}
	for before := all[0] + 1; ; { // and prove that scrolling gives just these
		_, page := b.Send(t, http.MethodGet, "/?state=all&before="+strconv.FormatInt(before, 10), nil, http.Header{"Hx-Request": {"true"}})
		s := screen{html: map[int64]string{}}
		s.apply(`<hx-partial hx-target="#feed" hx-swap="innerMorph">` + page + `</hx-partial><span id="live-seq" hidden data-seq="1">`)
		if s.fault != "" || len(s.rows) == 0 {
			t.Fatalf("the page before %d: %s", before, s.fault)
		}
		pages = append(pages, s.rows...)
		before = s.rows[len(s.rows)-1]
		if !s.older {
			break
		}
	}
	if !slices.Equal(pages, all) {
		t.Fatalf("scrolling to the end gives %d rows, want %d", len(pages), len(all))
	}
	return out
}

// TestUnknownPlaceGetsTheWholeList connects from places that the server cannot continue from.
func TestUnknownPlaceGetsTheWholeList(t *testing.T) {
	s := webtest.Start(t)
	b := s.SignedIn(t, "list@clinic.example", db.Viewer)
	for i := range 430 {
		s.Post(t, fmt.Appendf(nil, `{"meta":{"messageId":"list-%d","type":"patient.pharmacy"},"payload":{"patientId":"p"}}`, i))
	}
	s.Settled(t)
	var head int64
	if err := s.DB.Read(t.Context(), func(v db.Snapshot) (err error) {
		sum, err := v.Summary(t.Context(), 1)
		head = sum.Head
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for since, whole := range map[string]bool{
		"": true, "abc": true, "-1": true, "-9223372036854775808": true, "99999999999999999999": true, strconv.FormatInt(head+1, 10): true, "9223372036854775807": true,
		"0": true, strconv.FormatInt(head-401, 10): true,
		strconv.FormatInt(head-400, 10): false, strconv.FormatInt(head-3, 10): false, strconv.FormatInt(head, 10): false,
	} {
		w := screen{html: map[int64]string{}}
		message := next(t, mustDial(t, s, b, "view=feed&since="+url.QueryEscape(since)))
		if w.apply(message); w.fault != "" || w.seq != head {
			t.Errorf("since %q: %s, at change %d, want %d", since, w.fault, w.seq, head)
		}
		if got := strings.Contains(message, `hx-swap="innerMorph"`); got != whole {
			t.Errorf("since %q: the whole list: %t, want %t", since, got, whole)
		}
		if whole && (len(w.rows) != 50 || !w.older) {
			t.Errorf("since %q: %d rows, older: %t", since, len(w.rows), w.older)
		}
		if since == strconv.FormatInt(head-400, 10) && len(w.rows) == 0 {
			t.Errorf("since %q: no row", since)
		}
	}
}

// TestScreenOfBeforeARebuildGetsTheWholeList: numbers of before a rebuild mean nothing afterwards.
func TestScreenOfBeforeARebuildGetsTheWholeList(t *testing.T) {
	dir := t.TempDir()
	s := webtest.StartIn(t, dir)
	s.Post(t, []byte(message("a", "patient.admit")))
	s.Settled(t)
	if err := s.DB.Write(t.Context(), func(tx *db.Tx) error { return tx.DropProjections(t.Context()) }); err != nil {
		t.Fatal(err)
	}
	b := s.SignedIn(t, "again@clinic.example", db.Viewer)
	if message := next(t, mustDial(t, s, b, "view=feed&since=1")); !strings.Contains(message, `hx-swap="innerMorph"`) {
		t.Errorf("a screen of before got %s", message)
	}
}

// TestFilteredScreen: a row that does not fit is never put in, and one that stops to fit says so where it is.
func TestFilteredScreen(t *testing.T) {
	s := webtest.Start(t)
	b := s.SignedIn(t, "filter@clinic.example", db.Coordinator)
	conn := mustDial(t, s, b, "view=feed&kind=pharmacy&since=0")
	w := screen{html: map[int64]string{}}
	until := func(what string, done func() bool) {
		t.Helper()
		for !done() {
			if w.apply(next(t, conn)); w.fault != "" {
				t.Fatalf("waiting for %s: %s", what, w.fault)
			}
		}
	}
	s.Post(t, []byte(message("admit", "patient.admit")))
	s.Settled(t)
	s.Post(t, []byte(message("fill", "patient.pharmacy")))
	s.Settled(t)
	until("the row that fits", func() bool { return len(w.rows) > 0 })
	key := w.rows[0]
	if key != 2*1024 || len(w.rows) != 1 || strings.Contains(w.html[key], "data-fits-not") {
		t.Errorf("the screen has %v: %v", w.rows, w.html)
	}
	if resp, body := b.Form(t, fmt.Sprintf("/notifications/%d/mark", key), url.Values{"state": {"done"}, "known": {s.Known(t, key)}}); resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("marking answered %d %s", resp.StatusCode, body)
	}
	until("the mark", func() bool { return strings.Contains(w.html[key], "data-fits-not") })
	if len(w.rows) != 1 || !strings.Contains(w.html[key], "is-done") || !strings.Contains(w.html[key], "filter@clinic.example") {
		t.Errorf("the row is now %s", w.html[key])
	}
}

// TestLogoutClosesItsSocketsAtOnce: those of the login that ended, with 1008, and no others.
func TestLogoutClosesItsSocketsAtOnce(t *testing.T) {
	s := webtest.Start(t)
	here := s.SignedIn(t, "here@clinic.example", db.Viewer)
	there := s.Browser() // the same person in another browser
	there.Form(t, "/login", url.Values{"email": {"here@clinic.example"}, "password": {webtest.Password}})
	other := s.SignedIn(t, "other@clinic.example", db.Viewer)
	s.Post(t, []byte(message("before", "patient.admit")))
	s.Settled(t)
	var mine []*websocket.Conn
	for _, query := range []string{"view=feed&since=0", "view=status&since=0", "view=patient&id=p-1&since=0"} {
		conn := mustDial(t, s, here, query)
		next(t, conn) // the socket is watched by now
		mine = append(mine, conn)
	}
	theirs := []*websocket.Conn{mustDial(t, s, there, "view=feed&since=0"), mustDial(t, s, other, "view=feed&since=0")}
	if resp, body := here.Form(t, "/logout", nil); resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("signing out answered %d %s", resp.StatusCode, body)
	}
	for i, conn := range mine {
		if code := closing(t, conn); code != 1008 {
			t.Errorf("socket %d ended with %d, want 1008", i, code)
		}
	}
	s.Post(t, []byte(message("after", "patient.admit")))
	for i, conn := range theirs {
		w := screen{html: map[int64]string{}}
		for len(w.rows) < 2 {
			if w.apply(next(t, conn)); w.fault != "" {
				t.Fatalf("socket %d of others: %s", i, w.fault)
			}
		}
	}
	// Whoever signs in again in the same browser leaves the old login behind.
	there.Form(t, "/login", url.Values{"email": {"here@clinic.example"}, "password": {webtest.Password}})
	if code := closing(t, theirs[0]); code != 1008 {
		t.Errorf("the socket of the login left behind ended with %d, want 1008", code)
	}
}

// TestSocketsOfOtherPages gets what each page shows, and updates of it.
func TestSocketsOfOtherPages(t *testing.T) {
	s := webtest.Start(t)
	admin := s.SignedIn(t, "admin@clinic.example", db.Admin)
	s.Post(t, []byte(message("first", "patient.admit")))
	s.Settled(t)
	want := map[string]string{
		"view=status&since=0":          "Last event from Metriport",
		"view=connection&since=0":      "Metriport was heard",
		"view=patient&id=p-1&since=0":  `hx-target="#timeline"`,
		"view=patient&id=p-1&since=-1": `hx-target="#timeline"`,
	}
	conns := map[string]*websocket.Conn{}
	for query, text := range want {
		conns[query] = mustDial(t, s, admin, query)
		if message := next(t, conns[query]); !strings.Contains(message, text) {
			t.Errorf("%s: the first message is %s", query, message)
		}
	}
	s.Post(t, []byte(message("second", "patient.discharge")))
	s.Settled(t)
	for query, text := range want {
		for !strings.Contains(next(t, conns[query]), text) { // a wake for what it has already may come before
		}
	}
	for _, query := range []string{"view=nothing&since=0", "since=0", "view=feed&kind=nothing&since=0", "view=feed&state=nothing&since=0", "view=feed&q=" + strings.Repeat("x", 300)} {
		if _, resp, err := dial(t.Context(), s, admin, query); err == nil || resp == nil || resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %v %v, want 404", query, err, resp)
		}
	}
}

// TestScreenOfUnknownPatientIsRefused before the upgrade: a socket that ended later would come back for ever.
func TestScreenOfUnknownPatientIsRefused(t *testing.T) {
	s := webtest.Start(t)
	b := s.SignedIn(t, "nobody@clinic.example", db.Viewer)
	s.Post(t, []byte(message("a", "patient.admit")))
	s.Settled(t)
	for _, id := range []string{"nobody", "", "P-1"} {
		if _, resp, err := dial(t.Context(), s, b, "view=patient&since=-1&id="+id); err == nil || resp == nil || resp.StatusCode != http.StatusNotFound {
			t.Errorf("patient %q: %v %v, want 404", id, err, resp)
		}
	}
	if conn, _, err := dial(t.Context(), s, b, "view=patient&since=-1&id=p-1"); err != nil {
		t.Errorf("a patient who is known: %v", err)
	} else {
		_ = conn.Close()
	}
}

// TestPageAndPushDrawTheSameRow compares a row of the page with the row that was pushed.
func TestPageAndPushDrawTheSameRow(t *testing.T) {
	s := webtest.Start(t)
	b := s.SignedIn(t, "same@clinic.example", db.Coordinator)
	conn := mustDial(t, s, b, "view=feed&since=0")
	for i, kind := range []string{"patient.admit", "patient.transfer", "patient.discharge", "patient.pharmacy", "patient.laboratory", "patient.discharge-summary"} {
		s.Post(t, []byte(message(fmt.Sprint("same-", i), kind)))
	}
	s.Settled(t)
	pushed := screen{html: map[int64]string{}}
	for len(pushed.rows) < 6 {
		if pushed.apply(next(t, conn)); pushed.fault != "" {
			t.Fatal(pushed.fault)
		}
	}
	_, page := b.Get(t, "/")
	drawn := screen{html: map[int64]string{}}
	list, _ := between(page, `id="feed"`, "</ul>")
	drawn.apply(`<hx-partial hx-target="#feed" hx-swap="innerMorph">` + list + `</hx-partial><span id="live-seq" hidden data-seq="1">`)
	if !slices.Equal(drawn.rows, pushed.rows) {
		t.Fatalf("the page has %v, the pushes gave %v", drawn.rows, pushed.rows)
	}
	for _, key := range slices.Sorted(maps.Keys(drawn.html)) {
		if a, p := undated(drawn.html[key]), undated(pushed.html[key]); a != p {
			t.Errorf("row %d of the page:\n%s\nand pushed:\n%s", key, a, p)
		}
	}
}
