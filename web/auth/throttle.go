package auth

import (
	"strings"
	"sync"
	"time"
)

// rule is how wrong passwords slow down what they are counted by: some are free, then each doubles the wait.
type rule struct {
	free    int
	first   time.Duration
	longest time.Duration
}

// Wrong passwords are counted by whoever tries and by whom they try. Those from a browser that the person has signed in
// with before are counted by that browser alone: whatever strangers try, it waits for nobody. All others must be within
// three rules at once. The one that waits longest is for one address and one account; an account that is tried from many
// addresses waits for half a minute at most, so that nobody can lock its owner out for long; and one address that tries
// many accounts waits for a minute, because a whole clinic may be behind it.
var (
	deviceRule  = rule{5, 2 * time.Second, 15 * time.Minute}
	pairRule    = rule{5, 2 * time.Second, 15 * time.Minute}
	accountRule = rule{20, time.Second, 30 * time.Second}
	addressRule = rule{50, time.Second, time.Minute}
)

const (
	forgetAfter = time.Hour
	mostTracked = 10_000 // of each kind
)

// who tries to sign in.
type who struct {
	email  string
	from   string // address, or the network that one host may choose it from; "" = not known
	device string // known to the person; "" = none is
}

// gate counts tries.
type gate struct {
	mu                                  sync.Mutex
	devices, pairs, accounts, addresses throttle
}

func newGate() *gate {
	return &gate{
		devices: throttle{rule: deviceRule}, pairs: throttle{rule: pairRule}, accounts: throttle{rule: accountRule}, addresses: throttle{rule: addressRule},
	}
}

// counted is one thing that tries are counted by.
type counted struct {
	t   *throttle
	key string
}

func (g *gate) of(w who) []counted {
	email := strings.ToLower(w.email)
	if w.device != "" {
		return []counted{{&g.devices, w.device + " " + email}}
	}
	return []counted{{&g.pairs, w.from + " " + email}, {&g.accounts, email}, {&g.addresses, w.from}}
}

// try counts a try as a wrong one, until [gate.right] says that it was right: guesses at the same time count too. It
// returns how long whoever tries has to wait instead, 0 when the try may go on.
func (g *gate) try(w who, now time.Time) (wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	by := g.of(w)
	for _, c := range by {
		wait = max(wait, c.t.wait(c.key, now))
	}
	if wait > 0 {
		return wait
	}
	for _, c := range by {
		c.t.count(c.key, now)
	}
	return 0
}

// right says that the password of a try fitted. What was tried at the account is forgotten; at the address that try alone:
// whoever has an account could else try others for ever.
func (g *gate) right(w who) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.of(w) {
		if c.t == &g.addresses {
			c.t.takeBack(c.key)
		} else {
			delete(c.t.tries, c.key)
		}
	}
}

// throttle counts wrong passwords by one thing.
type throttle struct {
	rule
	tries map[string]wrong
}

type wrong struct {
	n     int
	last  time.Time
	until time.Time
}

func (t *throttle) wait(key string, now time.Time) time.Duration {
	return max(t.tries[key].until.Sub(now), 0)
}

func (t *throttle) count(key string, now time.Time) {
	if t.tries == nil {
		t.tries = map[string]wrong{}
	}
	w, known := t.tries[key]
	if !known && len(t.tries) >= mostTracked {
		t.makeRoom(now)
	}
	if now.Sub(w.last) > forgetAfter {
		w = wrong{}
	}
	w.n, w.last = w.n+1, now
	if over := w.n - t.free; over >= 0 {
		w.until = now.Add(min(t.first<<min(over, 10), t.longest))
	}
	t.tries[key] = w
}

func (t *throttle) takeBack(key string) {
	if w, ok := t.tries[key]; ok {
		w.n--
		w.until = time.Time{}
		t.tries[key] = w
	}
}

// makeRoom drops what is forgotten by now, else a tenth that was tried least recently.
func (t *throttle) makeRoom(now time.Time) {
	oldest := now
	for k, w := range t.tries {
		if now.Sub(w.last) > forgetAfter {
			delete(t.tries, k)
		} else if w.last.Before(oldest) {
			oldest = w.last
		}
	}
	// Those of the oldest tenth of the time go, and so on, until there is room.
	step := max(now.Sub(oldest)/10, 1)
	for edge := oldest.Add(step); len(t.tries) >= mostTracked; edge = edge.Add(step) {
		for k, w := range t.tries {
			if !w.last.After(edge) {
				delete(t.tries, k)
			}
		}
	}
}
