package main

import (
	"sync/atomic"
	"time"
)

// now is the only clock of the program; everything else is given it.
func now() time.Time { return time.Now() }

// shiftedClock runs like the real one, some way off. The demo uses it to receive what happened in the last days as if
// it had been running then.
type shiftedClock struct{ offset atomic.Int64 }

func (c *shiftedClock) Now() time.Time { return now().Add(time.Duration(c.offset.Load())) }

// Set makes the clock show t now; the zero time brings it back to the real one.
func (c *shiftedClock) Set(t time.Time) {
	if t.IsZero() {
		c.offset.Store(0)
		return
	}
	c.offset.Store(int64(t.Sub(now())))
}
