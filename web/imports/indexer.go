package imports

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"carebell/db"
)

// One transaction takes so much, so that the receiver never waits long for the writer connection.
const (
	batchRows  = 2000
	batchBytes = 1 << 20
)

// How the indexer waits.
const (
	lookEvery = time.Second // at the clock, for jobs that become stuck
	firstWait = 100 * time.Millisecond
	longWait  = 10 * time.Second
)

// Indexer reads stored result files into rows, some at a time, and goes on after a restart where it stopped. It also tells
// screens of jobs that become stuck, which nothing but the clock does. One process runs one.
type Indexer struct {
	db   *db.DB
	open func(d db.Download) (io.ReadCloser, error)
	now  func() time.Time
	log  *slog.Logger
	wake chan struct{}

	told  time.Time // up to when screens know of stuck jobs
	stuck time.Time // when the next job becomes stuck; zero = none can
}

// New makes an indexer; open returns the content of a stored download. [Indexer.Run] starts it.
func New(d *db.DB, open func(d db.Download) (io.ReadCloser, error), now func() time.Time, log *slog.Logger) *Indexer {
	return &Indexer{db: d, open: open, now: now, log: log, wake: make(chan struct{}, 1)}
}

// Wake says that a result file may have been stored or removed, or a job been heard of. It never blocks.
func (x *Indexer) Wake() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// Run works until ctx ends. It returns nil then; errors of the database are logged and tried again.
func (x *Indexer) Run(ctx context.Context) error {
	ctx = db.Behind(ctx) // deliveries and people's own writes go first
	x.told = x.now()
	err := x.db.Write(ctx, func(tx *db.Tx) error { return tx.RetryImports(ctx) })
	for wait := time.Duration(0); ctx.Err() == nil; {
		if err == nil {
			err = x.work(ctx)
		}
		if wait = pause(wait, err); wait > 0 && ctx.Err() == nil {
			x.log.Error("results of imports could not be read; trying again", "error", err, "in", wait)
		}
		x.rest(ctx, wait)
		err = nil
	}
	return nil
}

// work does what is to be done now.
func (x *Indexer) work(ctx context.Context) error {
	if err := x.index(ctx); err != nil {
		return err
	}
	if now := x.now(); x.someStuck(now) {
		if err := x.db.Write(ctx, func(tx *db.Tx) error { return tx.TellStuckImports(ctx, x.told, now) }); err != nil {
			return err
		}
		x.told = now
	}
	return x.db.Read(ctx, func(v db.Snapshot) (err error) {
		x.stuck, err = v.NextStuckImport(ctx, x.now())
		return err
	})
}

func (x *Indexer) someStuck(now time.Time) bool { return !x.stuck.IsZero() && !now.Before(x.stuck) }

// rest waits until there may be something to do, or after an error for the time given.
func (x *Indexer) rest(ctx context.Context, after time.Duration) {
	var again <-chan time.Time
	if after > 0 {
		again = time.After(after)
	}
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-x.wake:
			return
		case <-again:
			return
		case <-look.C:
			if x.someStuck(x.now()) {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

func pause(before time.Duration, err error) time.Duration {
	if err == nil {
		return 0
	}
	return min(max(2*before, firstWait), longWait)
}

// index brings the rows of every result file up to date.
func (x *Indexer) index(ctx context.Context) error {
	var pending []db.Download
	err := x.db.Read(ctx, func(v db.Snapshot) (err error) { pending, err = v.PendingImports(ctx); return err })
	for _, d := range pending {
		if err != nil {
			break
		}
		if d.State == db.FetchRemoved {
			err = x.drop(ctx, d)
		} else {
			err = x.read(ctx, d)
		}
	}
	return err
}

func (x *Indexer) drop(ctx context.Context, d db.Download) error {
	for gone := false; !gone; {
		err := x.db.Write(ctx, func(tx *db.Tx) (err error) {
			gone, err = tx.DropImportRows(ctx, d, batchRows)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// read reads a file on from where it stopped. The error is the database's; what is wrong with the file is said of it.
func (x *Indexer) read(ctx context.Context, d db.Download) (err error) {
	var f db.ImportFile
	if err := x.db.Read(ctx, func(v db.Snapshot) (err error) { f, err = v.ImportFile(ctx, d.ID); return err }); err != nil {
		return err
	}
	unread := func(what string, err error) error {
		x.log.Error("the result of an import "+what+"; the file is kept as it is", "download", d.ID, "error", err)
		f.State, f.Note = db.ImportUnread, "The stored result file cannot be read. It is kept as it is; Carebell tries again when it is started the next time."
		return x.save(ctx, d, &f, nil)
	}
	defer func() {
		if p := recover(); p != nil { // the value may quote the file
			err = unread("made its reader panic", fmt.Errorf("%T", p))
		}
	}()
	content, err := x.open(d)
	if err != nil {
		return unread("could not be opened", err)
	}
	defer func() { _ = content.Close() }()
	r, err := NewReader(content)
	var long TooLongError
	if errors.As(err, &long) {
		f.State, f.Note = db.ImportRead, long.Error()
		return x.save(ctx, d, &f, nil)
	}
	if err != nil {
		return unread("has no readable head", err)
	}
	f.Head, f.ID, f.Status, f.Reason = r.Head, r.ID, r.Status, r.Reason
	for done := f.Rows; done > 0 && err == nil; done-- { // what is there already
		_, err = r.Next()
	}
	for f.State = db.ImportReadingOn; err == nil && f.State == db.ImportReadingOn; {
		err = x.batch(ctx, d, &f, r)
	}
	var ours databaseError
	switch {
	case err == nil, ctx.Err() != nil:
		return nil // what was called off goes on after the next start
	case errors.As(err, &ours):
		return ours.error
	default:
		return unread("is damaged", err)
	}
}

// databaseError tells an error of the database from one of the file.
type databaseError struct{ error }

// batch reads the next rows and saves them. At the end of what can be read, the file's state says so.
func (x *Indexer) batch(ctx context.Context, d db.Download, f *db.ImportFile, r *Reader) error {
	var rows []db.ImportRow
	end := ""
	for size := 0; len(rows) < batchRows && size < batchBytes; {
		row, err := r.Next()
		var long TooLongError
		switch {
		case errors.Is(err, io.EOF):
			f.State = db.ImportRead
		case errors.As(err, &long):
			f.State, end = db.ImportRead, long.Error()
		case err != nil:
			return err
		case row.No > maxRows:
			f.State, end = db.ImportRead, fmt.Sprintf("Only the first %d rows are read here.", maxRows)
		}
		if f.State == db.ImportRead {
			break
		}
		rows = append(rows, row)
		for _, c := range row.Cells {
			size += len(c)
		}
	}
	notes := r.Notes()
	if end != "" {
		notes = append(notes, end)
	}
	if f.Note = strings.Join(notes, " "); f.Note != "" && len(r.Head) > 0 {
		f.Note += " The file itself has all of it."
	}
	f.Bytes = r.Bytes()
	return x.save(ctx, d, f, rows)
}

func (x *Indexer) save(ctx context.Context, d db.Download, f *db.ImportFile, rows []db.ImportRow) error {
	err := x.db.Write(ctx, func(tx *db.Tx) error { return tx.SaveImportRows(ctx, d, *f, rows) })
	if err != nil {
		return databaseError{err}
	}
	f.Rows += len(rows)
	for _, row := range rows {
		f.Counts[row.Outcome]++
	}
	return nil
}
