package completeness

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"carebell/db"
	"carebell/web/metriport"
)

// How the sender is asked for single messages again: one at a time, and not while more comes than can be fetched.
const (
	spacing     = 100 * time.Millisecond // between two questions
	lookForHeal = 500 * time.Millisecond // whether something is due
	sweepEvery  = 10 * time.Second       // for what died, where it is asked for by itself
	sweepSize   = 200
	mostFetches = 500              // links that wait to be fetched, from which on no more are asked for
	firstPause  = 10 * time.Second // after the first "later"; it doubles
	mostPause   = 10 * time.Minute // unless the sender asks for longer
	diedAgain   = 15 * time.Minute // after which a message whose fresh links died too is asked for again by itself
	mostHeals   = 3                // so often, by itself
	notOffered  = 3                // so many messages in a row that the sender does not know end asking by itself for restTime
	restTime    = time.Hour
)

// OneAPI asks the sender for one message again.
type OneAPI interface {
	RetryOne(ctx context.Context, id string) ([]byte, error)
}

// Healer has the sender give messages again whose links died: those that people asked for, and by itself where it may. One
// process runs one.
type Healer struct {
	db     *db.DB
	api    OneAPI
	now    func() time.Time
	log    *slog.Logger
	take   func(ctx context.Context, tx *db.Tx, seq int64, body []byte) error
	healed func()      // fresh links wait; must not block
	rest   func() bool // nothing can be fetched now
	wake   chan struct{}
	auto   atomic.Bool

	// Of the goroutine that runs.
	until     time.Time // the sender wants to be left alone until then
	failures  int       // how often in a row it said so
	unknown   int       // messages in a row that it does not know
	autoUntil time.Time
	swept     time.Time
	after     int64 // up to here the inbox was swept
}

// NewHealer makes a healer; [Healer.Run] starts it. take takes the sender's answer for a message into the database, healed
// is called when fresh links wait, and while rest is true nothing is asked for.
func NewHealer(d *db.DB, api OneAPI, now func() time.Time, log *slog.Logger, take func(ctx context.Context, tx *db.Tx, seq int64, body []byte) error, healed func(), rest func() bool) *Healer {
	return &Healer{db: d, api: api, now: now, log: log, take: take, healed: healed, rest: rest, wake: make(chan struct{}, 1)}
}

// SetAuto says whether messages are asked for by itself.
func (h *Healer) SetAuto(on bool) { h.auto.Store(on); h.Wake() }

// Auto says whether they are.
func (h *Healer) Auto() bool { return h.auto.Load() }

// Wake says that somebody asked. It never blocks.
func (h *Healer) Wake() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Run asks until ctx ends.
func (h *Healer) Run(ctx context.Context) error {
	if err := h.db.Write(ctx, func(tx *db.Tx) error { return tx.CloseHeals(ctx) }); err != nil && ctx.Err() == nil {
		h.log.Error("what the sender was being asked for could not be resumed", "error", err)
	}
	for {
		pause, wake := lookForHeal, h.wake
		if h.tryStep(ctx) {
			pause, wake = spacing, nil
		}
		select {
		case <-time.After(pause):
		case <-wake:
		case <-ctx.Done():
			return nil
		}
	}
}

// tryStep is step that survives what goes wrong.
func (h *Healer) tryStep(ctx context.Context) (asked bool) {
	asked, err := h.step(ctx)
	if err != nil && ctx.Err() == nil {
		h.log.Error("the sender could not be asked for a message again", "error", err)
	}
	return asked
}

// step asks for one message, where one is due and the sender and our disk bear it. asked says that it did.
func (h *Healer) step(ctx context.Context) (asked bool, err error) {
	now := h.now()
	if now.Before(h.until) || h.rest() {
		return false, nil
	}
	var due, many bool
	err = h.db.Read(ctx, func(v db.Snapshot) (err error) {
		if many, err = v.WaitingLinks(ctx, mostFetches); err == nil {
			due, err = v.HealDue(ctx, now)
		}
		return err
	})
	if err != nil || many {
		return false, err
	}
	if !due {
		due, err = h.sweep(ctx, now)
	}
	if err != nil || !due {
		return false, err
	}
	var job db.HealJob
	err = h.db.Write(ctx, func(tx *db.Tx) (err error) { job, err = tx.TakeHeal(ctx, now.Add(-db.KeptAgain)); return err })
	if err != nil || job.Seq == 0 {
		return false, err
	}
	body, refused := h.api.RetryOne(ctx, job.MessageID)
	if refused != nil && ctx.Err() != nil {
		return false, ctx.Err() // it is open, and asked for again after the next start
	}
	return true, h.settle(ctx, job, body, refused)
}

// sweep looks for what died and may be asked for by itself. due says that there is some.
func (h *Healer) sweep(ctx context.Context, now time.Time) (due bool, err error) {
	if !h.auto.Load() || now.Before(h.autoUntil) || now.Sub(h.swept) < sweepEvery && !now.Before(h.swept) {
		return false, nil
	}
	since := now.Add(-db.KeptAgain)
	var list []int64
	if err := h.db.Read(ctx, func(v db.Snapshot) (err error) {
		list, err = v.Healable(ctx, h.after, since, false, sweepSize)
		return err
	}); err != nil {
		return false, err
	}
	if h.after = 0; len(list) == sweepSize {
		h.after = list[len(list)-1]
	} else {
		h.swept = now
	}
	n := 0
	err = h.db.Write(ctx, func(tx *db.Tx) (err error) {
		for _, seq := range list {
			if err := tx.AskAgain(ctx, seq, 0); err != nil {
				return err
			}
		}
		n, err = tx.ReviveHeals(ctx, now.Add(-diedAgain), since, mostHeals, sweepSize)
		return err
	})
	return len(list)+n > 0, err
}

// settle writes down how the sender answered.
func (h *Healer) settle(ctx context.Context, job db.HealJob, body []byte, refused error) error {
	now := h.now()
	save, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTime)
	defer cancel()
	after, later := metriport.Later(refused)
	switch {
	case refused == nil:
		h.failures, h.unknown = 0, 0
		err := h.db.Write(save, func(tx *db.Tx) error {
			if err := h.take(save, tx, job.Seq, body); err != nil {
				return err
			}
			return tx.EndHeal(save, job.Seq, "")
		})
		if err != nil { // it agreed: what it sends is known by its body when it comes
			h.log.Warn("the sender's answer could not be used; what it sends is awaited", "seq", job.Seq, "error", err)
			return h.db.Write(save, func(tx *db.Tx) error { return tx.EndHeal(save, job.Seq, "") })
		}
		h.healed()
		h.log.Info("the sender gave a message again", "seq", job.Seq)
		return nil
	case later:
		pause := max(after, min(firstPause<<min(h.failures, 10), mostPause))
		h.failures++
		h.until = now.Add(pause)
		h.log.Warn("the sender cannot give messages again now", "error", refused, "pause", pause)
		return h.db.Write(save, func(tx *db.Tx) error { return tx.PutOffHeal(save, job.Seq, h.until, refused.Error()) })
	case metriport.IsNotThere(refused):
		if h.unknown++; h.unknown >= notOffered {
			h.autoUntil = now.Add(restTime)
		}
		refused = fmt.Errorf("this version of Metriport's API does not send single messages again, or it no longer has this one (%w); use Retry in Metriport's dashboard, or ask its support", refused)
	default:
		h.unknown = 0
		h.autoUntil = now.Add(mostPause) // such as a key that is not accepted: not for each message
	}
	h.log.Warn("the sender did not agree to give a message again", "seq", job.Seq, "error", refused)
	return h.db.Write(save, func(tx *db.Tx) error { return tx.EndHeal(save, job.Seq, refused.Error()) })
}
