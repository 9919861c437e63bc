package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"carebell/db"
)

// running is an archive at work on a real database, with an origin of its own. Its clock can be moved.
type running struct {
	*Archive
	t      *testing.T
	dir    string
	url    string
	offset atomic.Int64
	inbox  *db.Inbox
	n      int
	room   atomic.Int64 // free bytes of the disk; 0 = as it is
}

// start runs an archive until the test ends. change may alter it before.
func start(t *testing.T, origin http.Handler, change func(*running, *Options)) *running {
	t.Helper()
	s := httptest.NewServer(origin)
	t.Cleanup(s.Close)
	r := &running{t: t, dir: t.TempDir(), url: s.URL}
	now := func() time.Time { return time.Now().Add(time.Duration(r.offset.Load())) }
	ctx, stop := context.WithCancel(context.Background())
	d, err := db.Open(ctx, r.dir, db.Options{Now: now, Serve: true})
	if err != nil {
		t.Fatal(err)
	}
	d.OnCommit(func() {})
	if r.inbox, err = d.OpenInbox(ctx, 0); err != nil {
		t.Fatal(err)
	}
	v, err := OpenVault(r.dir, "")
	if err != nil {
		t.Fatal(err)
	}
	g, err := NewGuard([]string{s.Listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Vault: v, Fetcher: NewFetcher(g, 1<<20), Now: now, Log: slog.New(slog.DiscardHandler),
		Read:  func(db.Download, io.Reader) ([]byte, error) { return []byte(`{}`), nil },
		Apply: func(context.Context, *db.Tx, db.Download, []byte) error { return nil },
	}
	if change != nil {
		change(r, &o)
	}
	r.Archive = New(d, o)
	truly := r.free
	r.free = func() (int64, error) {
		if n := r.room.Load(); n != 0 {
			return n, nil
		}
		return truly()
	}
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("the archive ended with %v", err)
		}
		r.inbox.Close()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// add queues links that live for life, all in one commit, and returns their ids.
func (r *running) add(life time.Duration, paths ...string) (ids []int64) {
	r.t.Helper()
	r.n++
	receipt, err := r.inbox.Append(context.Background(), db.Received{MessageID: fmt.Sprint("m-", r.n), Type: "patient.admit", KeyID: "k", Body: []byte("{}")})
	if err != nil {
		r.t.Fatal(err)
	}
	err = r.db.Write(context.Background(), func(tx *db.Tx) error {
		for i, path := range paths {
			err := tx.AddDownload(context.Background(), db.Download{
				InboxSeq: receipt.Seq, Place: fmt.Sprint("/", i), Purpose: db.PurposeDocument, Name: path, URL: r.url + path, ExpiresAt: r.now().Add(life),
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.read(func(v db.Snapshot) error {
		for i := range paths {
			var id int64
			if err := v.QueryRowContext(r.t.Context(), `SELECT id FROM download WHERE inbox_seq = ? AND place = ?`, receipt.Seq, fmt.Sprint("/", i)).Scan(&id); err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return nil
	})
	r.Wake()
	return ids
}

func (r *running) read(f func(v db.Snapshot) error) {
	r.t.Helper()
	if err := r.db.Read(context.Background(), f); err != nil {
		r.t.Fatal(err)
	}
}

func (r *running) get(id int64) (d db.Download) {
	r.t.Helper()
	r.read(func(v db.Snapshot) (err error) { d, err = v.Download(context.Background(), id); return err })
	return d
}

// ends waits until a download is in a state.
func (r *running) ends(id int64, state db.Fetch) db.Download {
	r.t.Helper()
	for until := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		d := r.get(id)
		if d.State == state {
			return d
		}
		if time.Now().After(until) {
			r.t.Fatalf("download %d (%s) is %s %q, want %s", id, d.Name, d.State, d.Reason, state)
		}
	}
}

// content is what the vault gives out for a stored download.
func (r *running) content(d db.Download) string {
	r.t.Helper()
	f, err := r.Open(d)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(f)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}

// files are the names in the vault, without that of the key's check.
func (r *running) files() (names []string) {
	r.t.Helper()
	entries, err := os.ReadDir(filepath.Join(r.dir, "files"))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != checkName {
			names = append(names, e.Name())
		}
	}
	return names
}

func echo(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "content of "+r.URL.Path) }

// TestWhatCannotBeReadIsKept: a file is kept when its reader panics, and when the chart cannot take what it says.
func TestWhatCannotBeReadIsKept(t *testing.T) {
	var log bytes.Buffer
	var writing sync.Mutex
	r := start(t, http.HandlerFunc(echo), func(_ *running, o *Options) {
		o.Log = slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
			writing.Lock()
			defer writing.Unlock()
			return log.Write(p)
		}), nil))
		o.Read = func(d db.Download, content io.Reader) ([]byte, error) {
			switch d.Name {
			case "/panics":
				panic("Zebulon Quagmire")
			case "/unreadable":
				return nil, errors.New("not valid JSON")
			}
			return []byte(`{}`), nil
		}
		o.Apply = func(ctx context.Context, tx *db.Tx, d db.Download, _ []byte) error {
			if d.Name == "/panics-later" {
				panic("Zebulon Quagmire")
			}
			if d.Name == "/does-not-fit" {
				if err := tx.TouchDownload(ctx, d); err != nil {
					return err
				}
				return errors.New("does not fit")
			}
			return nil
		}
	})
	for i, id := range r.add(time.Minute, "/panics", "/unreadable", "/does-not-fit", "/panics-later", "/fine") {
		d := r.ends(id, db.FetchStored)
		if got := r.content(d); got != "content of "+d.Name {
			t.Errorf("file %d is %q", i, got)
		}
	}
	if n := len(r.files()); n != 5 {
		t.Errorf("the vault has %d files, want 5", n)
	}
	writing.Lock()
	defer writing.Unlock()
	if strings.Contains(log.String(), "Zebulon") {
		t.Errorf("the log quotes a file: %s", log.String())
	}
}

// TestDripsDoNotHoldTheQueue: more origins than there are places send a byte now and then; a good link behind them is
// fetched, and they end when their links do.
func TestDripsDoNotHoldTheQueue(t *testing.T) {
	r := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for strings.HasPrefix(r.URL.Path, "/drip") && r.Context().Err() == nil {
			_, _ = w.Write([]byte("."))
			w.(http.Flusher).Flush()
			time.Sleep(10 * time.Millisecond)
		}
		echo(w, r)
	}), func(_ *running, o *Options) { o.Fetcher.stall = 150 * time.Millisecond })
	var paths []string
	for i := range 2 * DefaultPlaces.PerHost {
		paths = append(paths, fmt.Sprint("/drip-", i))
	}
	drips := r.add(time.Minute, paths...)
	good := r.add(time.Hour, "/good")[0] // its link lives longest, so it comes last
	r.ends(good, db.FetchStored)
	for _, id := range drips {
		if d := r.get(id); d.State == db.FetchStored || d.Reason != "" && d.Reason != ErrStalled.Error() {
			t.Errorf("a drip is %s %q", d.State, d.Reason)
		}
	}
	r.offset.Add(int64(2 * time.Minute))
	r.Wake()
	for _, id := range drips {
		if d := r.ends(id, db.FetchFailed); d.Reason != ErrStalled.Error() {
			t.Errorf("a drip failed by %q", d.Reason)
		}
	}
	if got := r.files(); len(got) != 1 {
		t.Errorf("the vault has %v, want the good file alone", got)
	}
}

// TestSteadyFileIsNoDrip: a file that comes slowly, but comes, is not cut off although it takes many times as long as an
// origin may stand still.
func TestSteadyFileIsNoDrip(t *testing.T) {
	part := strings.Repeat("x", leastBytes)
	r := start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 10 {
			_, _ = io.WriteString(w, part)
			w.(http.Flusher).Flush()
			time.Sleep(150 * time.Millisecond)
		}
	}), func(_ *running, o *Options) { o.Fetcher.stall = time.Second })
	if d := r.ends(r.add(time.Minute, "/slow")[0], db.FetchStored); d.Size != 10*leastBytes || d.Tries != 1 {
		t.Errorf("%d bytes after %d tries", d.Size, d.Tries)
	}
}

// TestFreshLinkThatComesDuringAFetchIsUsed: a repeated delivery brings a fresh link while the old one is being tried.
func TestFreshLinkThatComesDuringAFetchIsUsed(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	r := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/old" {
			close(asked)
			<-answer
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>")
			return
		}
		echo(w, r)
	}), nil)
	id := r.add(time.Minute, "/old")[0]
	<-asked
	d := r.get(id)
	err := r.db.Write(context.Background(), func(tx *db.Tx) error {
		return tx.RenewDownload(context.Background(), d.InboxSeq, d.Place, r.url+"/fresh", r.now().Add(5*time.Minute))
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := r.get(id); d.State != db.FetchFetching {
		t.Errorf("a download that is being fetched became %s", d.State)
	}
	close(answer)
	if got := r.content(r.ends(id, db.FetchStored)); got != "content of /fresh" {
		t.Errorf("stored %q", got)
	}
}

// TestRepeatWithAnOlderLinkChangesNothing: deliveries come in any order; what waits keeps the link that lives longest,
// and what is stored is left alone.
func TestRepeatWithAnOlderLinkChangesNothing(t *testing.T) {
	var down atomic.Bool
	down.Store(true)
	r := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			panic(http.ErrAbortHandler)
		}
		echo(w, r)
	}), nil)
	id := r.add(5*time.Minute, "/live")[0]
	renew := func(path string, life time.Duration) db.Download {
		t.Helper()
		d := r.get(id)
		if err := r.db.Write(context.Background(), func(tx *db.Tx) error {
			return tx.RenewDownload(context.Background(), d.InboxSeq, d.Place, r.url+path, r.now().Add(life))
		}); err != nil {
			t.Fatal(err)
		}
		r.Wake()
		return r.get(id)
	}
	if d := renew("/dead", -time.Minute); !strings.HasSuffix(d.URL, "/live") {
		t.Error("a dead link took the place of a living one")
	}
	down.Store(false)
	r.ends(id, db.FetchStored)
	if d := renew("/later", time.Hour); d.State != db.FetchStored || d.URL != "" {
		t.Errorf("a stored download became %s", d.State)
	}
}

// TestShortestLivedGoFirst: where more wait than there are places, the links that die first are fetched first.
func TestShortestLivedGoFirst(t *testing.T) {
	var mu sync.Mutex
	var order []string
	r := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		order = append(order, r.URL.Path)
		mu.Unlock()
		echo(w, r)
	}), func(r *running, _ *Options) { r.room.Store(1) }) // nothing begins before all of them wait
	var ids []int64
	for i := range 3 * DefaultPlaces.PerHost {
		life := time.Hour
		if i >= 2*DefaultPlaces.PerHost {
			life = time.Minute
		}
		ids = append(ids, r.add(life, fmt.Sprintf("/%s-%d", life, i))...)
	}
	r.room.Store(1 << 40)
	r.Wake()
	for _, id := range ids {
		r.ends(id, db.FetchStored)
	}
	mu.Lock()
	defer mu.Unlock()
	for i, path := range order { // a place that is free again is filled before the last of the first is heard of
		if strings.HasPrefix(path, "/1m0s") && i >= 2*DefaultPlaces.PerHost {
			t.Errorf("%s was among the last: %v", path, order)
		}
	}
}

// TestNoRoomOnTheDisk: fetching rests and says so, and goes on when there is room again.
func TestNoRoomOnTheDisk(t *testing.T) {
	r := start(t, http.HandlerFunc(echo), nil)
	id := r.add(time.Minute, "/first")[0]
	r.ends(id, db.FetchStored)
	r.room.Store(diskFloor - 1)
	id = r.add(time.Minute, "/second")[0]
	for until := time.Now().Add(time.Minute); !r.DiskFull(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("a full disk is not noticed")
		}
	}
	if d := r.get(id); d.State != db.FetchQueued || d.Tries != 0 {
		t.Errorf("without room it is %s after %d tries", d.State, d.Tries)
	}
	r.room.Store(diskFloor)
	r.Wake()
	r.ends(id, db.FetchStored)
	if r.DiskFull() {
		t.Error("there is room again, and it still says that there is none")
	}
}

// TestHostileOriginsLeaveNothing: every way to send too much or too little ends in a clear state, the queue moves on,
// and neither half a file nor a whole one stays in the vault.
func TestHostileOriginsLeaveNothing(t *testing.T) {
	bomb := zipped(t, 64<<20)
	r := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb)
		case "/endless":
			for line := make([]byte, 64<<10); r.Context().Err() == nil; {
				if _, err := w.Write(line); err != nil {
					return
				}
			}
		case "/announces-too-much":
			w.Header().Set("Content-Length", fmt.Sprint(1<<40))
		case "/empty":
		case "/gone":
			w.WriteHeader(http.StatusNotFound)
		case "/elsewhere":
			http.Redirect(w, r, "/good", http.StatusFound)
		case "/short":
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, "short")
		default:
			echo(w, r)
		}
	}), nil)
	want := map[string]struct {
		state  db.Fetch
		reason string
		tries  int
	}{
		"/bomb":                 {db.FetchFailed, "larger than 1 MiB", 1},
		"/endless":              {db.FetchFailed, "larger than 1 MiB", 1},
		"/announces-too-much":   {db.FetchFailed, "larger than 1 MiB", 1},
		"/empty":                {db.FetchFailed, "the origin sent an empty file", 1},
		"/elsewhere":            {db.FetchRefused, "the link leads to another address", 1},
		"/gone":                 {db.FetchFailed, "the origin answered 404", lastTries},
		"/short":                {db.FetchQueued, ErrCutShort.Error(), 0}, // tried again as long as the link lives
		"/good":                 {db.FetchStored, "", 1},
		"/again-after-all-that": {db.FetchStored, "", 1},
	}
	var paths []string
	for path := range want {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	var short int64
	for i, id := range r.add(time.Minute, paths...) {
		w := want[paths[i]]
		if paths[i] == "/short" {
			short = id
			continue
		}
		if d := r.ends(id, w.state); d.Reason != w.reason || d.Tries != w.tries {
			t.Errorf("%s: %q after %d tries, want %q after %d", paths[i], d.Reason, d.Tries, w.reason, w.tries)
		}
	}
	if d := r.ends(short, db.FetchQueued); d.Reason != ErrCutShort.Error() {
		t.Errorf("/short waits because of %q", d.Reason)
	}
	r.offset.Add(int64(2 * time.Minute))
	r.Wake()
	if d := r.ends(short, db.FetchFailed); d.Reason != ErrCutShort.Error() {
		t.Errorf("/short failed by %q", d.Reason)
	}
	if got := r.files(); len(got) != 2 {
		t.Errorf("the vault has %v, want the two good files alone", got)
	}
}

// TestSameContentIsKeptOnce, and is there as long as one download needs it.
func TestSameContentIsKeptOnce(t *testing.T) {
	r := start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the same") }),
		func(_ *running, o *Options) { o.Retain = time.Hour })
	first := r.add(time.Minute, "/a", "/b", "/c")
	for _, id := range first {
		r.ends(id, db.FetchStored)
	}
	r.offset.Add(int64(50 * time.Minute))
	second := r.add(time.Minute, "/d")[0]
	d := r.ends(second, db.FetchStored)
	if got := r.files(); len(got) != 1 {
		t.Fatalf("the vault has %v, want one file", got)
	}
	r.offset.Add(int64(20 * time.Minute))
	r.sweep(context.Background())
	for _, id := range first {
		if d := r.get(id); d.State != db.FetchRemoved {
			t.Errorf("after its time a download is %s", d.State)
		}
	}
	if got := r.content(d); got != "the same" {
		t.Errorf("the one that is still needed is %q", got)
	}
	r.offset.Add(int64(time.Hour))
	r.sweep(context.Background())
	if d := r.get(second); d.State != db.FetchRemoved || len(r.files()) != 0 {
		t.Errorf("after the last one's time it is %s and the vault has %v", d.State, r.files())
	}
	again := r.add(time.Minute, "/e")[0] // the same content after all that
	if got := r.content(r.ends(again, db.FetchStored)); got != "the same" {
		t.Errorf("fetched anew it is %q", got)
	}
}
