package bodies

import (
	"net/netip"
	"sync"
	"time"
)

// Budget is the memory that bodies may take at the same time. A part of it is for senders that have proved before who
// they are: strangers cannot take that, and one of them not more than half of what they have together.
type Budget struct {
	all       int // bytes for everybody
	strangers int // bytes of all that strangers may take

	mu              sync.Mutex
	used            int
	usedByStrangers int
	usedBy          map[netip.Addr]int // by strangers of an address
	freed           chan struct{}      // closed when room was given back; a new one is made when somebody waits
}

// NewBudget makes a budget of so many bytes, of which strangers may take a part.
func NewBudget(all, strangers int) *Budget {
	return &Budget{all: all, strangers: strangers, usedBy: map[netip.Addr]int{}}
}

// Used is how much is taken now.
func (b *Budget) Used() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// take takes room for whom l is about, or waits for it until a time. It returns [ErrNoRoom] when there was none.
func (b *Budget) take(n int, l Limits, until time.Time) error {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	for {
		freed := b.tryTake(n, l)
		if freed == nil {
			return nil
		}
		select {
		case <-freed:
		case <-timer.C:
			return ErrNoRoom
		}
	}
}

// tryTake takes room and returns nil, or returns what is closed when it is worth trying again.
func (b *Budget) tryTake(n int, l Limits) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	fits := b.used+n <= b.all
	if !l.Known {
		fits = fits && b.usedByStrangers+n <= b.strangers && b.usedBy[l.From]+n <= b.strangers/2
	}
	if fits {
		b.used += n
		if !l.Known {
			b.usedByStrangers += n
			b.usedBy[l.From] += n
		}
		return nil
	}
	if b.freed == nil {
		b.freed = make(chan struct{})
	}
	return b.freed
}

func (b *Budget) give(n int, l Limits) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	if !l.Known {
		b.usedByStrangers -= n
		if b.usedBy[l.From] -= n; b.usedBy[l.From] <= 0 {
			delete(b.usedBy, l.From)
		}
	}
	if b.freed != nil {
		close(b.freed)
		b.freed = nil
	}
}
