package auth

import (
	"strings"
	"sync"
	"time"
)

// How wrong passwords slow an account down: some are free, then each doubles the wait.
const (
	freeTries   = 5
	firstWait   = 2 * time.Second
	longestWait = 15 * time.Minute
	forgetAfter = time.Hour
	mostTracked = 10_000
)

// throttle counts wrong passwords by account, known or not.
type throttle struct {
	mu  sync.Mutex
	who map[string]wrong
}

type wrong struct {
	n     int
	last  time.Time
	until time.Time
}

// try counts a try as a wrong one, until [throttle.forget] says that it was right: guesses at the same time count too.
// It returns how long the account has to wait instead, 0 when the try may go on.
func (t *throttle) try(email string, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if wait := t.who[strings.ToLower(email)].until.Sub(now); wait > 0 {
		return wait
	}
	if t.who == nil {
		t.who = map[string]wrong{}
	}
	key := strings.ToLower(email)
	w, known := t.who[key]
	if !known && len(t.who) >= mostTracked {
		t.makeRoom(now)
	}
	if now.Sub(w.last) > forgetAfter {
		w = wrong{}
	}
	w.n, w.last = w.n+1, now
	if over := w.n - freeTries; over >= 0 {
		w.until = now.Add(min(firstWait<<min(over, 10), longestWait))
	}
	t.who[key] = w
	return 0
}

// makeRoom drops what is forgotten by now, else the account that was tried least recently.
func (t *throttle) makeRoom(now time.Time) {
	oldest, at := "", now
	for k, w := range t.who {
		if now.Sub(w.last) > forgetAfter {
			delete(t.who, k)
		} else if !w.last.After(at) {
			oldest, at = k, w.last
		}
	}
	if len(t.who) >= mostTracked {
		delete(t.who, oldest)
	}
}

func (t *throttle) forget(email string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.who, strings.ToLower(email))
}
