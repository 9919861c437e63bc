package archive

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"carebell/db"
)

// How downloads are run.
const (
	firstPause  = time.Second      // before the second try; it doubles
	longestWait = 30 * time.Second // between tries
	leastWait   = 250 * time.Millisecond
	lastTries   = 3         // for answers that will hardly change, such as 404
	diskFloor   = 512 << 20 // bytes that must stay free; webhooks need them
	tellEvery   = 500 * time.Millisecond
	tellFirst   = 300 * time.Millisecond // a fetch that takes less is not told of before its end
)

// Reader reads the facts of a stored file, as JSON; nil where it holds none. It is called outside of any transaction.
type Reader func(d db.Download, content io.Reader) (facts []byte, err error)

// Splitter is [Reader] for files that may carry others: their content goes to writers that part gives, one each.
type Splitter func(d db.Download, content io.Reader, part func() (io.Writer, error)) (facts []byte, parts []db.Part, err error)

// Archive fetches due downloads and keeps them.
type Archive struct {
	db      *db.DB
	vault   *Vault
	fetcher *Fetcher
	read    Reader
	split   Splitter
	apply   func(ctx context.Context, tx *db.Tx, d db.Download, facts []byte) error
	renew   func(ctx context.Context, tx *db.Tx, d db.Download, facts []byte) error
	now     func() time.Time
	log     *slog.Logger
	wake    chan struct{}
	free    func() (int64, error) // free bytes of the disk
	key     APIKey
	retain  time.Duration
	alert   func()
	stored  func(db.Download)
	removed func()

	hosts   *hosts
	running sync.WaitGroup // fetches

	mu       sync.Mutex
	progress map[int64]Progress
	full     bool
	fetched  []*result     // files that are not yet on the disk
	some     chan struct{} // there are some
	ended    []*result     // what the next turn writes down
	files    int           // that were fetched and are not yet written down
	ends     int           // fetches that ended since the pace was measured
	pace     pace
	forecast Forecast
}

// Progress is how far a running fetch is.
type Progress struct{ Done, Total int64 } // bytes; Total 0 = not announced

// Options say what an archive works with.
type Options struct {
	Vault   *Vault
	Fetcher *Fetcher
	Read    Reader
	Split   Splitter // of messages, whose attachments become files of their own; nil = they stay inside
	// Apply takes facts into the chart, in the transaction that says that the file is stored.
	Apply func(ctx context.Context, tx *db.Tx, d db.Download, facts []byte) error
	// Renew takes the facts of a file into the chart that an older version had read; nil = such files stay as they are.
	Renew func(ctx context.Context, tx *db.Tx, d db.Download, facts []byte) error
	Now   func() time.Time
	Log   *slog.Logger

	Places Places        // zero = DefaultPlaces
	APIKey APIKey        // "" = no fresh links for documents
	Retain time.Duration // how long files are kept; 0 = for ever
	Alert  func()        // called when [Archive.DiskFull] changes; must not block

	Stored  func(db.Download) // called after a file was stored; must not block
	Removed func()            // called after files past their time were removed; must not block
}

// New makes an archive; [Archive.Run] starts it.
func New(d *db.DB, o Options) *Archive {
	if o.Alert == nil {
		o.Alert = func() {}
	}
	if o.Stored == nil {
		o.Stored = func(db.Download) {}
	}
	if o.Removed == nil {
		o.Removed = func() {}
	}
	if o.Places == (Places{}) {
		o.Places = DefaultPlaces
	}
	return &Archive{
		hosts: newHosts(o.Places),
		alert: o.Alert, stored: o.Stored, removed: o.Removed,
		db: d, vault: o.Vault, fetcher: o.Fetcher, read: o.Read, split: o.Split, apply: o.Apply, renew: o.Renew, now: o.Now, log: o.Log,
		wake: make(chan struct{}, 1), some: make(chan struct{}, 1), progress: map[int64]Progress{}, free: o.Vault.free, key: o.APIKey, retain: o.Retain,
	}
}

// Wake says that downloads may have become due. It never blocks.
func (a *Archive) Wake() { signal(a.wake) }

// signal never blocks; signals that nobody has heard yet are one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Progress returns how far a running fetch is.
func (a *Archive) Progress(id int64) (Progress, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p, ok := a.progress[id]
	return p, ok
}

// DiskFull says whether fetching rests because the disk is nearly full.
func (a *Archive) DiskFull() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.full
}

// Open returns the content of a stored download.
func (a *Archive) Open(d db.Download) (io.ReadCloser, error) { return a.vault.Open(d.File) }

func (a *Archive) roomOnDisk() bool {
	free, err := a.free()
	full := err == nil && free < diskFloor
	a.mu.Lock()
	was := a.full
	a.full = full
	a.mu.Unlock()
	if full != was {
		a.alert()
		if full {
			a.log.Error("the disk is nearly full: downloads rest, webhooks still come in", "freeBytes", free)
		} else {
			a.log.Info("the disk has room again: downloads go on", "freeBytes", free)
		}
	}
	return !full
}

// one fetches one download and hands on how that ended.
func (a *Archive) one(ctx context.Context, d db.Download, t trial) {
	began := a.now()
	shown := d
	telling := time.AfterFunc(tellFirst, func() { a.tell(shown) })
	defer func() {
		telling.Stop()
		a.hosts.leave(t)
		a.mu.Lock()
		a.ends++
		delete(a.progress, d.ID)
		a.mu.Unlock()
		if p := recover(); p != nil {
			a.log.Error("a download panicked", "download", d.ID, "panic", fmt.Sprintf("%T", p))
			a.end(d, db.FetchFailed, "Carebell could not handle this file")
		}
	}()
	r, err := a.fetch(ctx, &d, t)
	if ctx.Err() != nil {
		if r != nil {
			r.discard()
		}
		return // it stays "fetching" and is resumed at the next start
	}
	if err == nil {
		r.began = began
		a.hand(r)
		return
	}
	a.close(d, err)
}

// close hands on that a fetch ended without a file.
func (a *Archive) close(d db.Download, err error) {
	outcome, reason := a.judge(d, err)
	if outcome != db.FetchQueued {
		a.log.Warn("download ended", "download", d.ID, "purpose", d.Purpose, "state", outcome, "reason", reason)
		a.end(d, outcome, reason)
		return
	}
	at := a.now().Add(pauseBefore(d, a.now()))
	a.hand(&result{download: d, write: func(ctx context.Context, tx *db.Tx) error { return tx.RetryDownload(ctx, d, reason, at) }})
}

// pauseBefore is how long to wait before the next try. Where a link is about to die, tries come closer together: an origin
// that comes back in the last seconds is not missed.
func pauseBefore(d db.Download, now time.Time) time.Duration {
	pause := min(firstPause<<min(d.Tries, 10), longestWait)
	if left := d.ExpiresAt.Sub(now); left > 0 {
		pause = min(pause, max(left/2, leastWait))
	}
	return pause
}

func (a *Archive) end(d db.Download, state db.Fetch, reason string) {
	d.State, d.Reason, d.File = state, reason, ""
	a.hand(&result{download: d, write: func(ctx context.Context, tx *db.Tx) error { return tx.EndDownload(ctx, d) }})
}

// tell has screens draw a running fetch anew.
func (a *Archive) tell(d db.Download) {
	a.hand(&result{download: d, write: func(ctx context.Context, tx *db.Tx) error { return tx.TouchDownload(ctx, d) }})
}

// judge decides what follows from how a fetch ended. Tries in d counts those before this one.
func (a *Archive) judge(d db.Download, err error) (db.Fetch, string) {
	alive := a.now().Before(d.ExpiresAt)
	var refused RefusedError
	var status StatusError
	var disk *diskError
	switch {
	case err == nil:
		return db.FetchStored, ""
	case errors.As(err, &refused):
		return db.FetchRefused, refused.Reason
	case errors.Is(err, ErrTooLarge):
		return db.FetchFailed, fmt.Sprintf("larger than %d MiB", a.fetcher.maxSize>>20)
	case errors.Is(err, errEmpty):
		return db.FetchFailed, "the origin sent an empty file"
	case errors.As(err, &disk):
		return db.FetchQueued, "our disk did not take it"
	case errors.Is(err, ErrExpired):
		return db.FetchExpired, ""
	case errors.As(err, &status) && status.Status < http.StatusInternalServerError && status.Status != http.StatusTooManyRequests && d.Tries+1 >= lastTries:
		return db.FetchFailed, err.Error()
	case alive:
		return db.FetchQueued, err.Error()
	case errors.As(err, &status), errors.Is(err, ErrCutShort), errors.Is(err, ErrStalled):
		return db.FetchFailed, err.Error()
	default:
		return db.FetchExpired, err.Error()
	}
}

var errEmpty = errors.New("empty")

// fetch gets the content into the vault and reads its facts. What it returns is written down with others.
func (a *Archive) fetch(ctx context.Context, d *db.Download, t trial) (*result, error) {
	limit, cancel := context.WithDeadlineCause(ctx, a.deadline(*d), ErrStalled)
	defer cancel()
	w, err := a.vault.Create()
	if err != nil {
		return nil, &diskError{err}
	}
	r := &result{writer: w, inside: &inside{vault: a.vault}}
	whole := false
	defer func() {
		if !whole {
			r.discard()
		}
	}()
	meter := &meter{archive: a, download: *d, to: w}
	begun := false
	get := func(link string) (Fetched, error) {
		return a.fetcher.Fetch(limit, link, d.Purpose == db.PurposeConsolidated, func(f Fetched) { begun, meter.total = true, max(f.Length, 0) }, meter)
	}
	got, err := get(d.URL)
	switch {
	case ctx.Err() != nil:
	case !begun && noAnswer(err):
		a.hosts.silent(t, err.Error(), a.now(), d.ExpiresAt.Sub(a.now()))
	default:
		a.hosts.answered(t)
	}
	if a.renewable(*d, err) { // nothing was written: these end before the first byte
		link, e := a.fetcher.fresh(limit, d.APIURL, a.key)
		if e != nil {
			return nil, e
		}
		got, err = get(link)
	}
	if err != nil {
		return nil, err
	}
	if w.Size() == 0 {
		return nil, errEmpty
	}
	if d.ClaimedType == "" {
		d.ClaimedType = got.Type
	}
	d.Size, d.SHA256, d.SniffedType = w.Size(), w.Sum(), Sniff(meter.head)
	if err := w.finish(); err != nil {
		return nil, &diskError{err}
	}
	d.File, d.State, d.Reason = w.Name, db.FetchStored, ""
	r.facts = a.facts(*d, w.open, r.inside)
	if err := r.inside.keep(); err != nil {
		return nil, &diskError{err}
	}
	r.download, whole = *d, true
	return r, nil
}

// deadline bounds one fetch: the link's life, and for a large file time to finish what began while it lived.
func (a *Archive) deadline(d db.Download) time.Time {
	const least = 2 * time.Minute
	until := max(d.ExpiresAt.Sub(a.now()), least)
	return time.Now().Add(until) //nolint:forbidigo // a deadline of the network, not of the clinic
}

// facts reads what a file says. A file that cannot be read is kept all the same.
func (a *Archive) facts(d db.Download, open func() (io.ReadCloser, error), in *inside) (facts []byte) {
	defer func() {
		if p := recover(); p != nil { // the value may quote the file
			a.log.Error("reading a stored file panicked; it is kept", "download", d.ID, "purpose", d.Purpose, "panic", fmt.Sprintf("%T", p))
			facts, in.parts = nil, nil
		}
	}()
	r, err := open()
	if err != nil {
		a.log.Error("a stored file could not be opened", "download", d.ID, "error", err)
		return nil
	}
	defer func() { _ = r.Close() }()
	if a.split != nil && d.Purpose == db.PurposeMessage {
		facts, in.parts, err = a.split(d, r, in.part)
	} else {
		facts, err = a.read(d, r)
	}
	if err != nil {
		a.log.Warn("a stored file could not be read; it is kept", "download", d.ID, "purpose", d.Purpose, "error", err)
	}
	return facts
}

// meter counts what comes in, keeps its first bytes, and tells screens how far it is.
type meter struct {
	archive  *Archive
	download db.Download
	to       io.Writer
	head     []byte
	done     int64
	total    int64
	told     time.Time
}

func (m *meter) Write(p []byte) (int, error) {
	if room := sniffLength - len(m.head); room > 0 {
		m.head = append(m.head, p[:min(room, len(p))]...)
	}
	n, err := m.to.Write(p)
	m.done += int64(n)
	if err != nil {
		return n, &diskError{err}
	}
	m.tell()
	return n, nil
}

func (m *meter) tell() {
	a := m.archive
	a.mu.Lock()
	a.progress[m.download.ID] = Progress{Done: m.done, Total: m.total}
	a.mu.Unlock()
	now := a.now()
	if m.told.IsZero() {
		m.told = now
	}
	if now.Sub(m.told) < tellEvery {
		return
	}
	m.told = now
	a.tell(m.download)
}

// sniffLength is how many first bytes tell the type of a file.
const sniffLength = 512

// Sniff returns the media type that content looks like by its first bytes; what is not known is
// application/octet-stream.
func Sniff(head []byte) string {
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	lower := bytes.ToLower(text)
	switch {
	case bytes.HasPrefix(text, []byte("{")), bytes.HasPrefix(text, []byte("[")):
		return "application/json"
	case bytes.HasPrefix(head, []byte("II*\x00")), bytes.HasPrefix(head, []byte("MM\x00*")):
		return "image/tiff"
	case bytes.Contains(lower[:min(len(lower), 256)], []byte("<clinicaldocument")), bytes.HasPrefix(lower, []byte("<?xml")):
		if bytes.Contains(lower, []byte("<svg")) {
			return "image/svg+xml"
		}
		return "application/xml"
	case bytes.HasPrefix(lower, []byte("<svg")):
		return "image/svg+xml"
	}
	return mediaType(http.DetectContentType(head))
}

// Fingerprint shows a hash as people compare it.
func Fingerprint(sum []byte) string { return hex.EncodeToString(sum) }
