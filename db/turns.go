package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// How the one writer connection is shared.
const (
	groupJobs = 128                    // most writes of one transaction
	groupTime = 10 * time.Millisecond  // a transaction takes in no more writes after so long
	turnTime  = 8 * time.Millisecond   // what a write behind others should take while somebody waits
	quietTime = 2 * time.Millisecond   // so long nobody wrote: what waits behind may go on
	pollTime  = time.Millisecond       // how often it looks
	patience  = 100 * time.Millisecond // longest wait of what is behind, when deliveries come as fast as they can
	calmGroup = 12                     // deliveries of one commit up to which what is behind takes turns with them
	fullGroup = 32                     // and from which it waits for as long as patience says
	freshTime = 200 * time.Millisecond // so long the size of groups says something
	restShare = 3                      // while so many come, what is behind rests for so many times as long as its turn took, while few come as long
	longRest  = 500 * time.Millisecond // but no longer
)

type behindKey struct{}

type remadeKey struct{}

// Behind marks a context: what is written with it is work that can wait, such as the chart's. It lets deliveries and
// people's own writes go first, for no longer than [patience], and should end when [Tx.Pressed] says so.
func Behind(ctx context.Context) context.Context { return context.WithValue(ctx, behindKey{}, true) }

// Remade marks a context, beyond what [Behind] does: what is written with it is made again from what is durable, up to a
// cursor that is written with it. Its commit does not wait for the disk; the next delivery's makes it durable. After a power
// cut the chart can be a moment older than it was, and goes on from there.
func Remade(ctx context.Context) context.Context {
	return context.WithValue(Behind(ctx), remadeKey{}, true)
}

func isRemade(ctx context.Context) bool { return ctx.Value(remadeKey{}) != nil }

func isBehind(ctx context.Context) bool { return ctx.Value(behindKey{}) != nil }

// writer is the single writer connection. Whoever leads may use it; the others wait in line, and the leader takes their
// writes into its transaction: one fsync for many.
type writer struct {
	conn       *sql.Conn
	statements map[string]*sql.Stmt

	mu     sync.Mutex
	busy   bool
	line   []*job // deliveries and what people do, in order
	behind []*job // what lets them go first
	closed bool

	last       time.Time // when a write that was not behind ended
	lastBehind bool      // the last turn was one behind
	behindFrom time.Time // when the last one behind began
	behindAt   time.Time // and ended
	arrivedAt  time.Time // when deliveries were last written
	together   float64   // how many of them were of late, in one commit: a machine's own measure of how hard it is pressed

	relaxed bool // its commits do not wait for the disk; the leader's own

	pruned int64 // number of the change after which old ones were forgotten; the leader's own

	facilities map[string]bool // those that are known to be there; the leader's own

	deliveries func() int // how many wait to be written; set once, before use
}

// job is one call of [DB.Write] on its way through the writer.
type job struct {
	ctx   context.Context
	f     func(tx *Tx) error
	first bool // it joins no other write, others join it: what somebody else does wrong cannot cost it anything
	tx    *Tx
	since time.Time
	lead  chan struct{} // closed when it is given the connection
	done  chan struct{} // closed when another one wrote it, or could not

	err      error
	panicked any
}

// result is how a write ended, for its caller.
func (j *job) result() error {
	if j.panicked != nil {
		panic(j.panicked)
	}
	return j.err
}

// clock is for waiting only: what is written has the time of [Options.Now].
func clock() time.Time { return time.Now() } //nolint:forbidigo // not the clinic's time

// Write runs f in a transaction on the single writer connection and commits it, together with what else waits; f's error
// takes back what f wrote and nothing else. Where ctx ends before the commit, nothing is written. f may run on another
// goroutine, but before Write returns. An I/O error of the disk marks the database as broken.
func (d *DB) Write(ctx context.Context, f func(tx *Tx) error) error { return d.submit(ctx, f, false) }

// submit is [DB.Write]; first says that f joins no other write.
func (d *DB) submit(ctx context.Context, f func(tx *Tx) error, first bool) error {
	j := &job{ctx: ctx, f: f, first: first, since: clock(), lead: make(chan struct{}), done: make(chan struct{})}
	j.tx = &Tx{writer: d.writer, statements: &d.statements, began: j.since}
	var mine bool
	var err error
	if isBehind(ctx) {
		mine, err = d.writer.waitBehind(j)
	} else {
		mine, err = d.writer.wait(j)
	}
	if err != nil {
		return err
	}
	if mine {
		d.lead(j)
	}
	return j.result()
}

// wait returns when j has the connection (true), or was written by another one.
func (w *writer) wait(j *job) (mine bool, err error) {
	w.mu.Lock()
	if !w.busy && !w.closed {
		w.busy = true
		w.mu.Unlock()
		return true, nil
	}
	w.line = append(w.line, j)
	w.mu.Unlock()
	select {
	case <-j.lead:
		return true, nil
	case <-j.done:
		return false, nil
	case <-j.ctx.Done():
	}
	if w.withdraw(j) {
		return false, fmt.Errorf("waiting to write: %w", j.ctx.Err())
	}
	select { // it was taken before
	case <-j.lead:
		return true, nil
	case <-j.done:
		return false, nil
	}
}

// waitBehind is wait for what lets others go first.
func (w *writer) waitBehind(j *job) (leads bool, err error) {
	w.mu.Lock()
	w.behind = append(w.behind, j)
	tick := time.NewTimer(pollTime)
	defer tick.Stop()
	for {
		now := clock()
		mine := slices.Contains(w.behind, j) // else another turn has taken it
		if mine && !w.busy && !w.closed && len(w.line) == 0 && (w.quiet(now) || w.due(j, now)) {
			w.busy, w.lastBehind, w.behindFrom = true, true, now
			w.behind = slices.DeleteFunc(w.behind, func(o *job) bool { return o == j })
			w.mu.Unlock()
			return true, nil
		}
		w.mu.Unlock()
		tick.Reset(pollTime)
		select {
		case <-j.lead:
			return true, nil
		case <-j.done:
			return false, nil
		case <-tick.C:
		case <-j.ctx.Done():
			if w.withdraw(j) {
				return false, fmt.Errorf("waiting to write: %w", j.ctx.Err())
			}
			select { // it was taken before
			case <-j.lead:
				return true, nil
			case <-j.done:
				return false, nil
			}
		}
		w.mu.Lock()
	}
}

// withdraw takes a job out of the line, and returns false where somebody took it before.
func (w *writer) withdraw(j *job) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := len(w.line) + len(w.behind)
	is := func(o *job) bool { return o == j }
	w.line, w.behind = slices.DeleteFunc(w.line, is), slices.DeleteFunc(w.behind, is)
	return len(w.line)+len(w.behind) < before
}

// quiet says whether nobody has written for a while, or waits to.
func (w *writer) quiet(now time.Time) bool {
	return now.Sub(w.last) >= quietTime && (w.deliveries == nil || w.deliveries() == 0)
}

// due says whether a job behind has waited for as long as it should: the more deliveries wait together, the longer, and
// longer than its last turn took: on a machine that is short of time that is what deliveries would wait for.
func (w *writer) due(j *job, now time.Time) bool {
	var rest time.Duration
	if now.Sub(w.arrivedAt) <= freshTime {
		share := min(max((w.together-calmGroup)/(fullGroup-calmGroup), 0), 1)
		took := float64(w.behindAt.Sub(w.behindFrom))
		rest = max(time.Duration(share*float64(patience)), min(time.Duration((1+(restShare-1)*share)*took), longRest))
	}
	since := j.since
	if w.behindAt.After(since) {
		since = w.behindAt
	}
	return now.Sub(since) >= rest
}

// arrived notes how many deliveries were written together.
func (w *writer) arrived(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	const weight = 0.1 // of the last one
	w.together += weight * (float64(n) - w.together)
	w.arrivedAt = clock()
}

// release gives the connection on: to what has waited behind for long enough, then to who waits first.
func (w *writer) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := clock()
	if w.lastBehind {
		w.behindAt = now
	} else {
		w.last = now
	}
	give := func(from *[]*job, behind bool) {
		j := (*from)[0]
		*from = (*from)[1:]
		if w.lastBehind = behind; behind {
			w.behindFrom = now
		}
		close(j.lead)
	}
	switch {
	case w.closed:
		w.busy = false
	case len(w.behind) > 0 && w.due(w.behind[0], now) && (!w.lastBehind || len(w.line) == 0):
		give(&w.behind, true)
	case len(w.line) > 0:
		give(&w.line, false)
	default:
		w.busy, w.lastBehind = false, false
	}
}

// forget drops what was remembered of rows that may have been taken back. Only the leader calls it.
func (w *writer) forget() { w.pruned, w.facilities = 0, map[string]bool{} }

// next is who waits first, taken out of the line; nil where nobody does. A turn of what is behind takes in all of that.
func (w *writer) next() *job {
	w.mu.Lock()
	defer w.mu.Unlock()
	from := &w.line
	if w.lastBehind && len(w.behind) > 0 {
		from = &w.behind
	}
	if len(*from) == 0 || (*from)[0].first {
		return nil
	}
	j := (*from)[0]
	if w.relaxed && !isRemade(j.ctx) { // it must be durable when it is committed
		return nil
	}
	*from = (*from)[1:]
	return j
}

// waiting says whether deliveries or people's writes wait.
func (w *writer) waiting() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.line) > 0 || w.deliveries != nil && w.deliveries() > 0
}

// close waits for the connection and keeps it: nothing is written any more.
func (w *writer) close() {
	for {
		w.mu.Lock()
		w.closed = true
		busy := w.busy
		w.mu.Unlock()
		if !busy {
			return
		}
		time.Sleep(pollTime)
	}
}

// Pressed says that somebody waits for the connection, and that this transaction has had it for as long as a turn should
// take: work that can be done in parts should end here.
func (tx *Tx) Pressed() bool {
	return clock().Sub(tx.began) >= turnTime && tx.writer.waiting()
}

// lead writes first and whatever waits, gives the connection on, and tells the others how it ended.
func (d *DB) lead(first *job) {
	g := &group{db: d, jobs: []*job{first}}
	defer func() {
		g.end()
		d.writer.release()
		if g.visible {
			d.committed()
		}
		for _, j := range g.jobs {
			close(j.done)
		}
	}()
	first.tx.began = clock()
	g.write()
}

// group is the writes of one transaction.
type group struct {
	db      *DB
	jobs    []*job
	open    bool // a transaction is
	visible bool // people may see a difference, and it is committed
}

var errCutOff = errors.New("the write was cut off")

// end takes back what was not committed, also where a write ended its goroutine.
func (g *group) end() {
	if !g.open {
		return
	}
	g.fail(errCutOff)
	g.rollback()
}

// fail is how every write ended that had gone well so far.
func (g *group) fail(err error) {
	for _, j := range g.jobs {
		if j.err == nil && j.panicked == nil {
			j.err = err
		}
	}
}

// rollback takes everything back. SQLite does so by itself after some errors.
func (g *group) rollback() {
	g.open = false
	if _, err := g.jobs[0].tx.run(context.Background(), "ROLLBACK"); err != nil && !strings.Contains(err.Error(), "no transaction is active") {
		g.jobs[0].err = errors.Join(g.jobs[0].err, err)
	}
	g.db.writer.forget()
}

// relax chooses whether the next transaction's commit waits for the disk. It cannot be chosen within one.
func (g *group) relax(relaxed bool) error {
	w := g.db.writer
	if w.relaxed == relaxed {
		return nil
	}
	level := "PRAGMA synchronous = FULL"
	if relaxed {
		level = "PRAGMA synchronous = NORMAL"
	}
	_, err := g.jobs[0].tx.run(g.jobs[0].ctx, level)
	if err == nil {
		w.relaxed = relaxed
	}
	return err
}

func (g *group) write() {
	d, first := g.db, g.jobs[0]
	if first.err = errors.Join(d.BrokenBy(), first.ctx.Err()); first.err != nil {
		return
	}
	err := g.relax(isRemade(first.ctx))
	if err == nil {
		_, err = first.tx.run(first.ctx, "BEGIN IMMEDIATE")
	}
	if err != nil {
		first.err = d.watch(err)
		return
	}
	g.open = true
	if g.run(first); first.err != nil || first.panicked != nil {
		g.rollback()
		_ = d.watch(first.err)
		return
	}
	for n := 1; n < groupJobs && clock().Sub(first.tx.began) < groupTime; n++ {
		j := d.writer.next()
		if j == nil {
			break
		}
		g.jobs = append(g.jobs, j)
		if j.err = j.ctx.Err(); j.err != nil {
			continue
		}
		if err := g.part(j); err != nil {
			g.fail(d.watch(err))
			g.rollback()
			return
		}
	}
	if _, err := first.tx.run(first.ctx, "COMMIT"); err != nil {
		g.fail(d.watch(err))
		g.rollback()
		return
	}
	g.open = false
	if c := d.checkpointer; c != nil {
		c.commits.Add(1)
	}
	for _, j := range g.jobs {
		g.visible = g.visible || j.err == nil && j.panicked == nil && j.tx.visible
	}
}

// run runs a write and keeps how it ended.
func (g *group) run(j *job) {
	j.tx.began = clock()
	j.tx.Now = g.db.now().UnixMilli()
	func() {
		returned := false
		defer func() {
			if p := recover(); p != nil {
				j.panicked = p
			} else if !returned {
				j.err = errCutOff
			}
		}()
		j.err = j.f(j.tx)
		returned = true
	}()
	if j.err == nil && j.panicked == nil {
		j.err = errors.Join(j.tx.flush(j.ctx), j.ctx.Err())
	}
}

// part runs a write that joins others, so that its failure takes back nothing but its own. The error is that everything is
// taken back.
func (g *group) part(j *job) error {
	if _, err := j.tx.run(j.ctx, "SAVEPOINT turn"); err != nil {
		return err
	}
	if g.run(j); j.err != nil || j.panicked != nil {
		g.db.writer.forget()
		if _, err := j.tx.run(j.ctx, "ROLLBACK TO turn"); err != nil {
			return errors.Join(ErrTakenBack, j.err, err)
		}
		_ = g.db.watch(j.err)
	}
	_, err := j.tx.run(j.ctx, "RELEASE turn")
	return err
}
