package archive

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"carebell/db"
)

// second is another origin beside the one of r; its links are added with [running.addAt].
func second(t *testing.T, h http.Handler) (*httptest.Server, func(*running, *Options)) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = nil
	s.Start()
	t.Cleanup(s.Close)
	return s, func(r *running, o *Options) {
		g, err := NewGuard([]string{strings.TrimPrefix(r.url, "http://"), s.Listener.Addr().String()})
		if err != nil {
			t.Fatal(err)
		}
		o.Fetcher = NewFetcher(g, 1<<20)
	}
}

func (r *running) addAt(base string, life time.Duration, n int, name string) []int64 {
	var paths []string
	for i := range n {
		paths = append(paths, fmt.Sprintf("/%s-%d", name, i))
	}
	own := r.url
	r.url = base
	defer func() { r.url = own }()
	return r.add(life, paths...)
}

// TestHostThatIsDownCostsNothing: an origin that breaks every connection is asked a few times, not link by link; another is
// not held up; and when it is back all of its links are fetched.
func TestHostThatIsDownCostsNothing(t *testing.T) {
	var down atomic.Bool
	var asked atomic.Int64
	down.Store(true)
	dead, both := second(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1); down.Load() {
			panic(http.ErrAbortHandler)
		}
		echo(w, r)
	}))
	r := start(t, http.HandlerFunc(echo), both)
	const n = 300
	waiting := r.addAt(dead.URL, 2*time.Minute, n, "dead") // these die first
	good := r.add(time.Hour, "/good")[0]
	r.ends(good, db.FetchStored)
	time.Sleep(3 * time.Second)
	if got := asked.Load(); got == 0 || got > 3*atFirst {
		t.Errorf("an origin that is down was asked %d times in three seconds", got)
	}
	untouched := 0
	for _, id := range waiting {
		if d := r.get(id); d.State == db.FetchQueued && d.Tries == 0 {
			untouched++
		}
	}
	if untouched < n-3*atFirst {
		t.Errorf("%d of %d links were not touched", untouched, n)
	}
	if s := r.Silent(); len(s) != 1 || s[0].Host != dead.Listener.Addr().String() || s[0].Reason == "" || !r.HostDown(s[0].Host) {
		t.Errorf("the hosts that do not answer are %+v", s)
	}
	down.Store(false)
	for _, id := range waiting {
		r.ends(id, db.FetchStored)
	}
	if s := r.Silent(); len(s) != 0 {
		t.Errorf("it answers, and is still called silent: %+v", s)
	}
}

// TestSlowHostHoldsBackOnlyItself: an origin that takes connections and says nothing does not hold the places of others.
func TestSlowHostHoldsBackOnlyItself(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mute.Close() }()
	r := start(t, http.HandlerFunc(echo), func(r *running, o *Options) {
		g, err := NewGuard([]string{strings.TrimPrefix(r.url, "http://"), mute.Addr().String()})
		if err != nil {
			t.Fatal(err)
		}
		o.Fetcher = NewFetcher(g, 1<<20)
	})
	waiting := r.addAt("http://"+mute.Addr().String(), time.Minute, 300, "mute")
	for _, id := range r.addAt(r.url, time.Hour, 100, "good") {
		r.ends(id, db.FetchStored)
	}
	tried := 0
	for _, id := range waiting {
		if d := r.get(id); d.Tries > 0 {
			tried++
		}
	}
	if tried > 2*atFirst {
		t.Errorf("%d links of a host that says nothing were tried", tried)
	}
}

// TestHostThatAsksForLessGetsLess: one that refuses what is too much for it is asked less at once, and loses nothing.
func TestHostThatAsksForLessGetsLess(t *testing.T) {
	var at, refused, most atomic.Int64
	r := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := at.Add(1)
		defer at.Add(-1)
		for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
		}
		time.Sleep(5 * time.Millisecond)
		if now > 10 {
			refused.Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		echo(w, r)
	}), nil)
	ids := r.addAt(r.url, time.Minute, 400, "some")
	for _, id := range ids {
		r.ends(id, db.FetchStored)
	}
	t.Logf("%d of 400 refused, at most %d at once", refused.Load(), most.Load())
	if refused.Load() > 200 || most.Load() > 40 {
		t.Errorf("%d of 400 refused, at most %d at once", refused.Load(), most.Load())
	}
}

// TestResultsAreWrittenTogether: far fewer transactions than files, each of them told to screens.
func TestResultsAreWrittenTogether(t *testing.T) {
	r := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(10 * time.Millisecond)
		echo(w, r)
	}), func(r *running, _ *Options) { r.room.Store(1) })
	const n = 400
	ids := r.addAt(r.url, time.Hour, n, "file")
	var commits atomic.Int64
	r.db.OnCommit(func() { commits.Add(1) })
	r.room.Store(1 << 40)
	r.Wake()
	for _, id := range ids {
		r.ends(id, db.FetchStored)
	}
	if got := commits.Load(); got > n/2 {
		t.Errorf("%d commits of %d files", got, n)
	}
	if got := len(r.files()); got != n {
		t.Errorf("the vault has %d files", got)
	}
}

// TestNoMorePlacesThanAreSet, in all and of a host.
func TestNoMorePlacesThanAreSet(t *testing.T) {
	var mu sync.Mutex
	now, most := map[string]int{}, map[string]int{}
	count := func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			now[name]++
			now["all"]++
			for _, k := range []string{name, "all"} {
				most[k] = max(most[k], now[k])
			}
			mu.Unlock()
			time.Sleep(5 * time.Millisecond)
			mu.Lock()
			now[name]--
			now["all"]--
			mu.Unlock()
			echo(w, r)
		})
	}
	other, both := second(t, count("b"))
	r := start(t, count("a"), func(r *running, o *Options) {
		both(r, o)
		o.Places = Places{PerHost: 12, All: 16}
	})
	ids := append(r.addAt(r.url, time.Minute, 150, "a"), r.addAt(other.URL, time.Minute, 150, "b")...)
	for _, id := range ids {
		r.ends(id, db.FetchStored)
	}
	mu.Lock()
	if most["a"] > 12 || most["b"] > 12 || most["all"] > 16 || most["all"] < 12 {
		t.Errorf("at most %v at once", most)
	}
	clear(most)
	mu.Unlock()
	r.SetPlaces(Places{PerHost: 2, All: 3})
	time.Sleep(50 * time.Millisecond)
	for _, id := range append(r.addAt(r.url, time.Minute, 30, "a"), r.addAt(other.URL, time.Minute, 30, "b")...) {
		r.ends(id, db.FetchStored)
	}
	mu.Lock()
	defer mu.Unlock()
	if most["a"] > 2 || most["b"] > 2 || most["all"] > 3 {
		t.Errorf("after fewer were set at most %v at once", most)
	}
}
