package live

import (
	"strconv"
	"sync"
)

// updateKey names an update: what is shown, how far the screen was, and in which telling it was made.
type updateKey struct {
	screen  string
	since   int64
	version int64
}

func (k updateKey) String() string {
	return strconv.FormatInt(k.since, 10) + " " + strconv.FormatInt(k.version, 10) + " " + k.screen
}

// keepRecent is how many updates are shared; a telling to many screens needs a few.
const keepRecent = 64

// recent holds the last updates, for the screens that ask a moment later. An update stays right for its key for ever:
// applying it takes a screen from since to Head, whatever has happened meanwhile.
type recent struct {
	mu   sync.Mutex
	ring [keepRecent]struct {
		key updateKey
		u   Update
		ok  bool
	}
	next int
}

func (r *recent) get(k updateKey) (Update, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.ring {
		if e := &r.ring[i]; e.ok && e.key == k {
			return e.u, true
		}
	}
	return Update{}, false
}

func (r *recent) put(k updateKey, u Update) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := &r.ring[r.next%keepRecent]
	e.key, e.u, e.ok = k, u, true
	r.next++
}
