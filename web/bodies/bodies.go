// Package bodies reads the bodies of requests as they arrive: up to a size, at a least rate, and within one budget of
// memory for all of them. It knows nothing of what they say.
package bodies

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"os"
	"time"

	"github.com/valyala/fasthttp"
)

// Errors of [Read]. What was read of the body is gone.
var (
	ErrTooLarge = errors.New("the body is larger than what is taken")
	ErrTooSlow  = errors.New("the body did not arrive in time")
	ErrCutShort = errors.New("the body ended before its length")
	ErrNoRoom   = errors.New("there is no room for a further body now")
)

// Limits of one body.
type Limits struct {
	Most     int           // bytes
	Patience time.Duration // before the least rate counts
	Rate     int           // bytes a second that must have come on average after that; 0 = any
	Whole    time.Duration // for all of it
	Known    bool          // its sender has proved before who it is
	From     netip.Addr    // of the client
}

// Free is how much of each body does not count against the budget: as many as there may be connections are bounded by
// their number. Most webhooks are smaller, so they come in however much room the large ones take.
const Free = 32 << 10

// first is how much room a body gets before any of it was seen. Once believed of it have come, it gets room for all that it
// announced and the budget holds: growing further by halves would leave as much garbage as there is body.
const (
	first    = 4 << 10
	believed = 1 << 20
)

// Read reads the body of a request into memory of its own and returns it with a function that gives its room back, to be
// called when the body is no longer held. The room grows with what arrives, not by what the request announces alone. b may
// be nil: then there is no budget.
func Read(ctx *fasthttp.RequestCtx, l Limits, b *Budget) (body []byte, done func(), err error) {
	announced := ctx.Request.Header.ContentLength() // -1 in chunks, -2 none
	if announced > l.Most {
		return nil, nothing, ErrTooLarge
	}
	stream := ctx.RequestBodyStream()
	if stream == nil {
		if whole := ctx.Request.Body(); len(whole) <= l.Most {
			return bytes.Clone(whole), nothing, nil
		}
		return nil, nothing, ErrTooLarge
	}
	r := reading{limits: l, budget: b, announced: announced, began: time.Now()} //nolint:forbidigo // how long the network takes, not the clinic's time
	if err := r.read(ctx, stream); err != nil {
		Recycle(r.body)
		r.giveBack()
		return nil, nothing, err
	}
	return r.body, r.giveBack, nil
}

func nothing() {}

// reading is one body on its way.
type reading struct {
	limits    Limits
	budget    *Budget
	announced int
	began     time.Time
	body      []byte
	taken     int // of the budget
}

func (r *reading) read(ctx *fasthttp.RequestCtx, stream io.Reader) error {
	for {
		if len(r.body) == cap(r.body) {
			if err := r.grow(); err != nil {
				return err
			}
		}
		// The deadline is the connection's: a read that waits for it ends then.
		if err := ctx.Conn().SetReadDeadline(r.deadline()); err != nil {
			return err
		}
		n, err := stream.Read(r.body[len(r.body):cap(r.body)])
		r.body = r.body[:len(r.body)+n]
		switch {
		case len(r.body) > r.limits.Most:
			return ErrTooLarge
		case errors.Is(err, io.EOF) && (r.announced < 0 || len(r.body) == r.announced):
			return nil
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return ErrCutShort
		case errors.Is(err, os.ErrDeadlineExceeded):
			return ErrTooSlow
		case err != nil:
			return err
		}
	}
}

// deadline is until when the next bytes must be there.
func (r *reading) deadline() time.Time {
	all := r.began.Add(r.limits.Whole)
	if r.limits.Rate <= 0 {
		return all
	}
	by := r.began.Add(r.limits.Patience + time.Duration(float64(len(r.body))/float64(r.limits.Rate)*float64(time.Second)))
	if by.Before(all) {
		return by
	}
	return all
}

// grow doubles the room, up to one byte more than a body may have, by which one that is too long is known.
func (r *reading) grow() error {
	to := max(2*cap(r.body), first)
	if r.announced >= 0 {
		if len(r.body) >= believed {
			to = r.announced + 1
		}
		to = min(to, r.announced+1)
	}
	to = min(to, r.limits.Most+1)
	if r.budget != nil && to > Free {
		// The budget is asked for all that is announced, before more of it is taken: many that get it piece by piece would
		// wait for each other's ends. The memory is taken piece by piece all the same.
		if need := max(to, r.announced+1) - Free; need > r.taken {
			asked := time.Now() //nolint:forbidigo // as in Read
			if err := r.budget.take(need-r.taken, r.limits, asked.Add(r.limits.Patience)); err != nil {
				return err
			}
			r.taken = need
			r.began = r.began.Add(time.Since(asked)) // it was not the sender who was slow
		}
	}
	grown := append(memory(to), r.body...)
	Recycle(r.body)
	r.body = grown
	return nil
}

func (r *reading) giveBack() {
	if r.taken > 0 {
		r.budget.give(r.taken, r.limits)
	}
	r.taken, r.body = 0, nil
}
