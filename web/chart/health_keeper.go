package chart

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"carebell/db"
	"carebell/web/care"
)

// One transaction takes so many rows, so that the receiver never waits long for the writer connection.
const (
	rowsAtOnce  = 100
	foldsAtOnce = 25
	staleAtOnce = 4
)

// HealthKeeper keeps the summaries of patients: it reads stored files into rows and folds them, some at a time, and goes
// on after a restart where it stopped. One process runs one.
type HealthKeeper struct {
	db   *db.DB
	open func(d db.Download) (io.ReadCloser, error)
	log  *slog.Logger
	wake [2]chan struct{} // of those that work on whole files, and on records
}

// NewHealthKeeper makes a keeper; open returns the content of a stored download, nil where whole files are not to be read.
// [HealthKeeper.Run] starts it.
func NewHealthKeeper(d *db.DB, open func(d db.Download) (io.ReadCloser, error), log *slog.Logger) *HealthKeeper {
	k := &HealthKeeper{db: d, open: open, log: log}
	for i := range k.wake {
		k.wake[i] = make(chan struct{}, 1)
	}
	return k
}

// Wake says that files may have been stored or read again. It never blocks.
func (k *HealthKeeper) Wake() {
	for _, w := range k.wake {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

// Run works until ctx ends. It returns nil then; errors of the database are logged and tried again. A large file keeps no
// record behind it waiting: two work at once.
func (k *HealthKeeper) Run(ctx context.Context) error {
	ctx = db.Behind(ctx) // deliveries and people's own writes go first
	for wait := time.Duration(0); ctx.Err() == nil; {
		err := k.db.Write(ctx, func(tx *db.Tx) error { return tx.RetryHealth(ctx, HealthReader) })
		if err == nil {
			break
		}
		wait = k.complain(ctx, err, wait)
		k.rest(ctx, nil, wait)
	}
	var both sync.WaitGroup
	for i, records := range []bool{false, true} {
		both.Go(func() {
			for wait := time.Duration(0); ctx.Err() == nil; {
				err := k.work(ctx, records)
				wait = k.complain(ctx, err, wait)
				k.rest(ctx, k.wake[i], wait)
			}
		})
	}
	both.Wait()
	return nil
}

// complain logs an error and returns how long to wait before the next try; 0 where there is none.
func (k *HealthKeeper) complain(ctx context.Context, err error, before time.Duration) time.Duration {
	if err == nil || ctx.Err() != nil {
		return 0
	}
	wait := min(max(2*before, 100*time.Millisecond), 10*time.Second)
	k.log.Error("the summaries of patients are behind; trying again", "error", err, "in", wait)
	return wait
}

// rest waits until there may be something to do, or after an error for the time given.
func (k *HealthKeeper) rest(ctx context.Context, wake <-chan struct{}, after time.Duration) {
	var again <-chan time.Time
	if after > 0 {
		again = time.After(after)
	}
	select {
	case <-wake:
	case <-again:
	case <-ctx.Done():
	}
}

// work does what is to be done now: of the records, or of the whole files.
func (k *HealthKeeper) work(ctx context.Context, records bool) error {
	for {
		done, err := k.step(ctx, records)
		if err != nil || ctx.Err() != nil {
			return err
		}
		if !done {
			break
		}
	}
	for records && ctx.Err() == nil { // what changed is folded anew when all of it is there
		n := 0
		err := k.db.Write(ctx, func(tx *db.Tx) (err error) { n, err = tx.FoldStale(ctx, staleAtOnce); return err })
		if err != nil || n == 0 {
			return err
		}
	}
	return nil
}

// step works on the next file; false means that none waits.
func (k *HealthKeeper) step(ctx context.Context, records bool) (bool, error) {
	var f db.HealthFile
	err := k.db.Read(ctx, func(v db.Snapshot) (err error) { f, err = v.NextHealth(ctx, records); return err })
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if f.Health != db.HealthFolding {
		if !records && k.open == nil {
			return false, nil
		}
		if err := k.read(ctx, &f); err != nil {
			return false, err
		}
	}
	for done := f.Health != db.HealthFolding; !done && ctx.Err() == nil; {
		err := k.db.Write(ctx, func(tx *db.Tx) (err error) {
			done, err = tx.FoldHealth(ctx, f, foldsAtOnce)
			return err
		})
		if err != nil {
			return false, err
		}
	}
	if !records && ctx.Err() == nil {
		k.Wake() // what it changed is folded anew by the other
	}
	return true, nil
}

// read makes a file into rows. The error is the database's; what is wrong with the file is said of it.
func (k *HealthKeeper) read(ctx context.Context, f *db.HealthFile) error {
	if err := k.db.Write(ctx, func(tx *db.Tx) error { return tx.BeginHealth(ctx, *f) }); err != nil {
		return err
	}
	var facts []byte
	if f.Record {
		err := k.db.Read(ctx, func(v db.Snapshot) (err error) { facts, err = v.RecordFacts(ctx, f.ID); return err })
		if err != nil && !errors.Is(err, sql.ErrNoRows) { // of some nothing could be read
			return err
		}
	}
	rows, err := k.rows(ctx, f, facts)
	if ctx.Err() != nil {
		return nil //nolint:nilerr // what was called off goes on after the next start
	}
	if err != nil && len(rows) == 0 {
		k.log.Warn("a stored file could not be read into the summary; it is kept", "download", f.ID, "error", err)
		f.Health, f.Note = db.HealthFailed, "This file cannot be read here. It is kept as it is."
		return k.db.Write(ctx, func(tx *db.Tx) error { return tx.FailHealth(ctx, *f, HealthReader) })
	}
	f.Note = ""
	if err != nil {
		k.log.Warn("a stored file could not be read to its end; it is kept", "download", f.ID, "error", err)
		f.Note = "This file could not be read to its end: something of it is missing here."
	}
	keep := map[care.HealthSection]map[string]bool{}
	for _, r := range rows {
		section := r.Health.Section
		if keep[section] == nil {
			keep[section] = map[string]bool{}
		}
		keep[section][r.Key()] = true
	}
	for from := 0; from < len(rows); from += rowsAtOnce {
		part := rows[from:min(from+rowsAtOnce, len(rows))]
		if err := k.db.Write(ctx, func(tx *db.Tx) error { return tx.SaveHealthRows(ctx, *f, part) }); err != nil {
			return err
		}
	}
	f.Health, f.Folded = db.HealthFolding, ""
	return k.db.Write(ctx, func(tx *db.Tx) error { return tx.EndHealthRows(ctx, *f, HealthReader, keep) })
}

// rows reads a file. What makes its reader panic is an error of the file.
func (k *HealthKeeper) rows(ctx context.Context, f *db.HealthFile, facts []byte) (rows []db.HealthRow, err error) {
	defer func() {
		if p := recover(); p != nil { // the value may quote the file
			rows, err = nil, fmt.Errorf("reading it panicked (%T)", p)
		}
	}()
	if !f.Record {
		rows, f.Cut, err = ReadHealth(func() (io.ReadCloser, error) {
			r, err := k.open(f.Download)
			if err != nil {
				return nil, err
			}
			return both{ended{ctx, r}, r}, nil
		})
		return rows, err
	}
	if facts != nil {
		rows, f.Cut, err = RecordHealth(f.Download, facts)
	}
	return rows, err
}

// ended stops reading when ctx ends.
type ended struct {
	ctx context.Context //nolint:containedctx // of the reading that it is made for
	r   io.Reader
}

func (e ended) Read(p []byte) (int, error) {
	if err := e.ctx.Err(); err != nil {
		return 0, err
	}
	return e.r.Read(p)
}

// FoldHealth brings all summaries up to date with the rows that are there and with the records behind notifications.
// Whole files that were not read yet stay for a keeper that can open them.
func FoldHealth(ctx context.Context, d *db.DB, log *slog.Logger) error {
	k := NewHealthKeeper(d, nil, log)
	for _, records := range []bool{false, true} {
		if err := k.work(ctx, records); err != nil {
			return err
		}
	}
	return ctx.Err()
}
