package db

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// How the write-ahead log is folded into the database: by a connection of its own, so that no commit waits for it. While
// others write without a pause the log cannot begin anew by itself: then the rest of it is folded in while nobody writes.
const (
	checkpointEvery   = 250 * time.Millisecond // how often it looks
	checkpointCommits = 64                     // so many commits are worth a checkpoint
	checkpointAfter   = 5 * time.Second        // fewer are after so long
)

// walLimits bound the log, in pages of 4 KiB.
type walLimits struct {
	again int64         // from this size on it should begin anew
	most  int64         // from this size on, views that are older than age end: what they need cannot be folded in
	age   time.Duration // so long every view may stay open
}

// usualWAL has the log begin anew at 32 MiB, and lets it grow to 256 MiB before it ends anybody's view.
var usualWAL = walLimits{again: 8 << 10, most: 64 << 10, age: 10 * time.Second}

// ErrOldView says that a view was so old that it kept the write-ahead log from being folded in, and ended.
var ErrOldView = errors.New("what was being read had grown too old and was ended, so that the database does not grow without end; read it in smaller parts")

// checkpointer folds the log in. The process that serves has one.
type checkpointer struct {
	db     *sql.DB // of one connection
	writer *writer
	limits walLimits
	views  *views
	stop   chan struct{}
	done   chan struct{}

	commits atomic.Int64 // since the start
}

func newCheckpointer(path string, w *writer, v *views, limits walLimits) (*checkpointer, error) {
	d, err := sql.Open("sqlite", dsn(path))
	if err != nil {
		return nil, err
	}
	d.SetMaxOpenConns(1)
	c := &checkpointer{db: d, writer: w, limits: limits, views: v, stop: make(chan struct{}), done: make(chan struct{})}
	go c.run()
	return c, nil
}

func (c *checkpointer) run() {
	defer close(c.done)
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	var seen int64
	last := clock()
	for {
		select {
		case <-c.stop:
			return
		case <-tick.C:
		}
		commits := c.commits.Load()
		if commits-seen < checkpointCommits && (commits == seen || clock().Sub(last) < checkpointAfter) {
			continue
		}
		seen, last = commits, clock()
		c.fold()
	}
}

// fold folds in what can be. Its errors are those of the disk, which the writer meets too and says.
func (c *checkpointer) fold() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	pages, left, err := c.checkpoint(ctx)
	if err != nil || pages < c.limits.again {
		return
	}
	if left == 0 || !c.views.olderThan(c.limits.age) { // else the rest has to wait for a view
		_ = c.writer.alone(ctx, func() { pages, left, err = c.checkpoint(ctx) })
	}
	if err == nil && pages >= c.limits.most {
		c.views.end(c.limits.age)
	}
}

// checkpoint folds in what no view needs and returns how long the log is and how much of it is left, in pages. It never
// waits for others.
func (c *checkpointer) checkpoint(ctx context.Context) (pages, left int64, err error) {
	var busy, folded int64
	err = c.db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &pages, &folded)
	return pages, pages - folded, err
}

func (c *checkpointer) close() error {
	close(c.stop)
	<-c.done
	return c.db.Close()
}

// alone runs f while nobody writes.
func (w *writer) alone(ctx context.Context, f func()) error {
	j := &job{ctx: ctx, first: true, since: clock(), lead: make(chan struct{}), done: make(chan struct{})}
	if _, err := w.wait(j); err != nil { // it is never taken into another one's transaction
		return err
	}
	defer w.release()
	f()
	return nil
}

// views are the open views of the database, with what ends each.
type views struct {
	mu   sync.Mutex
	next int64
	open map[int64]view
}

type view struct {
	since time.Time
	end   context.CancelCauseFunc
}

// add notes a view that begins, and returns its context and what to call when it ends.
func (v *views) add(ctx context.Context) (context.Context, func()) {
	ctx, end := context.WithCancelCause(ctx)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.next++
	id := v.next
	v.open[id] = view{since: clock(), end: end}
	return ctx, func() {
		v.mu.Lock()
		delete(v.open, id)
		v.mu.Unlock()
		end(nil)
	}
}

func (v *views) olderThan(age time.Duration) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, one := range v.open {
		if clock().Sub(one.since) > age {
			return true
		}
	}
	return false
}

// end ends the views that are older than age.
func (v *views) end(age time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, one := range v.open {
		if clock().Sub(one.since) > age {
			one.end(ErrOldView)
		}
	}
}
