package completeness

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"carebell/db"
	"carebell/web/metriport"
)

// When comparisons are made by the clock.
const (
	every    = time.Hour
	uneasy   = 5 * time.Minute  // while something is missing, failing, or could not be compared
	atFirst  = 5 * time.Second  // after a start
	jitter   = 10               // percent, so that many installations do not ask at once
	look     = time.Second      // at the clock, which tests move
	runTime  = 10 * time.Minute // for one comparison
	saveTime = 30 * time.Second
)

// Patience is how long after the sender agreed to send again its deliveries may take.
const Patience = 10 * time.Minute

// followUps are when, after the sender agreed to send again, its list is read anew.
var followUps = []time.Duration{10 * time.Second, time.Minute, 3 * time.Minute, Patience}

// API is what is asked of the sender.
type API interface {
	Status(ctx context.Context) (metriport.WebhookStatus, error)
	Deliveries(ctx context.Context, since time.Time, progress func(n int)) (metriport.Listing, error)
	Retry(ctx context.Context) error
}

// Checker compares, one comparison at a time.
type Checker struct {
	db   *db.DB
	api  API
	now  func() time.Time
	log  *slog.Logger
	tell func() // screens may show something new; must not block
	self string // the webhook's address, in the form of [metriport.Endpoint]; "" = not known

	asked chan int64 // user id of who asked; capacity 1

	mu      sync.Mutex
	running bool
	read    int // entries of the list, of the running comparison
	next    time.Time
	follow  []time.Time // further ones, after the sender was asked to send again
}

// New makes a checker; [Checker.Run] starts it. self is the webhook's address, as far as it is known here.
func New(d *db.DB, api API, self string, now func() time.Time, log *slog.Logger, tell func()) *Checker {
	return &Checker{db: d, api: api, self: metriport.Endpoint(self), now: now, log: log, tell: tell, asked: make(chan int64, 1)}
}

// Check asks for a comparison now. One that is under way, or asked for already, is enough.
func (c *Checker) Check(userID int64) {
	select {
	case c.asked <- userID:
	default:
	}
	c.tell()
}

// Progress says whether a comparison is under way or about to be, and how many entries of the list it has read.
func (c *Checker) Progress() (read int, running bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read, c.running || len(c.asked) > 0
}

// Run compares until ctx ends.
func (c *Checker) Run(ctx context.Context) error {
	c.plan(c.now().Add(atFirst)) // whatever failed while nothing ran here is then known
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case user := <-c.asked:
			c.compare(ctx, user)
		case <-tick.C:
			if c.isDue() {
				c.compare(ctx, 0)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (c *Checker) plan(next time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next = next
}

// isDue says whether a comparison is due. A follow-up that is due is asked for once.
func (c *Checker) isDue() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, before := c.now(), len(c.follow)
	c.follow = slices.DeleteFunc(c.follow, func(at time.Time) bool { return !at.After(now) })
	return !c.next.After(now) || len(c.follow) < before
}

// compare makes one comparison, keeps it, and plans the next.
func (c *Checker) compare(ctx context.Context, userID int64) {
	c.progress(true, 0)
	run := db.Completeness{StartedAt: c.now(), UserID: userID}
	since := run.StartedAt.Add(-Window)
	gaps, err := c.safely(ctx, &run, since)
	c.progress(false, 0)
	if ctx.Err() != nil {
		return
	}
	run.Took = c.now().Sub(run.StartedAt)
	switch {
	case err != nil:
		run.Error = err.Error()
		c.log.Warn("the sender's list could not be compared", "error", err)
	case run.NoList:
		c.log.Info("the sender's API has no list to compare with", "took", run.Took.Round(time.Millisecond))
	default:
		c.log.Info("compared with the sender's list", "sent", run.Sent, "here", run.Here, "missing", run.Missing, "took", run.Took.Round(time.Millisecond))
	}
	c.planNext(run) // from when it ended, however long the disk takes
	save, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTime)
	defer cancel()
	if err := c.db.Write(save, func(tx *db.Tx) error { return tx.SaveCompleteness(save, run, gaps, since) }); err != nil {
		c.log.Error("a comparison could not be kept", "error", err)
	}
	c.tell()
}

func (c *Checker) planNext(run db.Completeness) {
	pause := every
	if run.Error != "" || run.Missing > 0 || run.WebhookKnown && !run.Enabled {
		pause = uneasy
	}
	pause += time.Duration(rand.Int64N(int64(pause) * jitter / 100))
	c.plan(c.now().Add(pause))
}

// safely is measure that survives a panic.
func (c *Checker) safely(ctx context.Context, run *db.Completeness, since time.Time) (gaps []db.Gap, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("comparing panicked (%T)", p)
		}
	}()
	ctx, cancel := context.WithTimeoutCause(ctx, runTime, errors.New("it took too long"))
	defer cancel()
	return c.measure(ctx, run, since)
}

// mostKept bounds how many are kept of each kind of gaps that nobody misses; they are counted beyond that.
const mostKept = 300

// measure asks the sender, then looks into the inbox: what was delivered while the list was read is then here.
func (c *Checker) measure(ctx context.Context, run *db.Completeness, since time.Time) ([]db.Gap, error) {
	status, errStatus := c.api.Status(ctx)
	if metriport.IsNotThere(errStatus) {
		status = metriport.WebhookStatus{Processing: metriport.Uncounted, Failed: metriport.Uncounted} // as for an account without settings
	} else if errStatus != nil {
		return nil, errStatus
	}
	run.WebhookKnown, run.Enabled, run.Detail, run.Processing, run.Failed = status.Known, status.Enabled, status.Detail, int(status.Processing), int(status.Failed)
	list, err := c.api.Deliveries(ctx, since, func(n int) { c.progress(true, n) })
	if errors.Is(err, metriport.ErrNoList) {
		run.NoList = true
		return nil, errStatus // where neither is there, it is not the sender's API that is asked
	}
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(list.Deliveries))
	for i, d := range list.Deliveries {
		ids[i] = d.ID
	}
	in := Inbox{Self: c.self}
	var came int
	if err := c.db.Read(ctx, func(v db.Snapshot) (err error) {
		in.Has, in.Began, came, err = v.InInbox(ctx, ids, since)
		return err
	}); err != nil {
		return nil, err
	}
	r := Compare(list.Deliveries, in, run.StartedAt)
	run.Sent, run.Here, run.Missing, run.Pending, run.Earlier, run.Late, run.Pings = r.Sent, r.Here, len(r.Missing), r.Pending, r.Earlier, r.Late, r.Pings
	run.ByChoice, run.Elsewhere, run.Unclear, run.Tests = len(r.ByChoice), len(r.Elsewhere), r.Unclear, r.Tests
	run.OnlyHere, run.Odd = max(came-len(in.Has), 0), list.Repeated+list.Unreadable
	return slices.Concat(r.Missing, newest(r.ByChoice, db.GapChoice), newest(r.Elsewhere, db.GapElsewhere)), nil
}

// newest are the first of a list, which are its newest, as gaps of a kind.
func newest(list []db.Gap, kind db.GapKind) []db.Gap {
	list = list[:min(len(list), mostKept)]
	for i := range list {
		list[i].Kind = kind
	}
	return list
}

func (c *Checker) progress(running bool, read int) {
	c.mu.Lock()
	c.running, c.read = running, read
	c.mu.Unlock()
	c.tell()
}

// Retry has the sender send every failed delivery again, notes who asked and what the sender said, and follows up. The
// error is what the sender refused it with.
func (c *Checker) Retry(ctx context.Context, userID int64) error {
	var missing int
	if err := c.db.Read(ctx, func(v db.Snapshot) (err error) { missing, err = v.MissingNow(ctx); return err }); err != nil {
		return err
	}
	refused, words := c.api.Retry(ctx), ""
	if refused != nil {
		words = refused.Error()
		c.log.Warn("the sender did not agree to send again", "error", refused)
	} else {
		c.followUp()
	}
	save, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTime)
	defer cancel()
	return errors.Join(refused, c.db.Write(save, func(tx *db.Tx) error { return tx.SaveRetry(save, userID, missing, words) }))
}

func (c *Checker) followUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.follow = nil
	for _, after := range followUps {
		c.follow = append(c.follow, c.now().Add(after))
	}
}
