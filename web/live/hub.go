// Package live keeps open screens up to date. A screen is woken and asks for what changed since the number it last saw:
// first paint, push, slow reader and reconnect are one path, so nothing is dropped and nothing grows. What changed is read
// once for all screens, and what screens show alike is drawn once and its bytes shared.
package live

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Times of the hub.
const (
	settle     = 60 * time.Millisecond  // how long changes gather before screens are told, so that a burst is one message
	drawTime   = 250 * time.Millisecond // the next telling waits for the drawing of the one before, but no longer
	mostApart  = 500 * time.Millisecond // tellings that take long to draw come further apart, so that others get their turn
	lookEvery  = time.Second            // how soon a login that ended elsewhere, or by time, closes its sockets
	readTime   = 5 * time.Second        // bounds one look at the database
	againAfter = time.Second            // a telling whose reading failed
	gather     = 2 * time.Millisecond   // screens that open at the same time share a look
	freshFor   = 2 * time.Second        // what was drawn for a screen may be given to one that opens later, where nothing changed
)

// Moment is how things stood when they were read, once for all screens that are told together.
type Moment struct {
	Head  int64  // the number of the last change
	State string // of what every screen shows around its content: equal where that is
	Data  any    // for [Screen.Render]
}

// Options are what a hub asks of its owner.
type Options struct {
	// Read reads how things stand.
	Read func(ctx context.Context) (Moment, error)
	// Logins returns the role of every login that is running, by [Owner.ID]. It is asked once a second for all sockets,
	// where there are any; nil = never.
	Logins func(ctx context.Context) (map[string]string, error)
	Log    *slog.Logger
}

// Hub tells open screens that something has changed.
type Hub struct {
	o    Options
	wake chan struct{}
	quit chan struct{}

	mu       sync.Mutex
	watchers map[*watcher]struct{}
	closed   bool
	open     sync.WaitGroup

	// How things stand is read by one at a time; those who ask meanwhile share the next look.
	asking  sync.Mutex
	next    *look
	reading sync.Mutex
	current atomic.Pointer[telling]

	pens    chan struct{} // bounds how much is drawn at the same time, so that pages get their part of the database
	drawing atomic.Int64  // nanoseconds that were spent on drawing since the last telling
	drawn   atomic.Int64
	sent    atomic.Int64
	pending atomic.Int64 // screens that were told and have not got what was drawn for them
}

// atOnce is how many updates are drawn at the same time.
const atOnce = 4

// NewHub makes a hub; [Hub.Run] starts it.
func NewHub(o Options) *Hub {
	return &Hub{
		o: o, wake: make(chan struct{}, 1), quit: make(chan struct{}),
		watchers: map[*watcher]struct{}{}, pens: make(chan struct{}, atOnce),
	}
}

// Wake says that something people see may have changed. It never blocks.
func (h *Hub) Wake() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Run tells the screens until ctx ends.
func (h *Hub) Run(ctx context.Context) error {
	var looking sync.WaitGroup
	looking.Go(func() { h.look(ctx) })
	defer looking.Wait()
	var told time.Time
	for {
		select {
		case <-h.wake:
		case <-ctx.Done():
			return nil
		}
		apart := min(time.Duration(h.drawing.Swap(0))/2, mostApart) - time.Since(told)
		if !pause(ctx, max(apart, settle)) {
			return nil
		}
		for began := time.Now(); h.pending.Load() > 0 && time.Since(began) < drawTime; { //nolint:forbidigo // waiting
			if !pause(ctx, time.Millisecond) {
				return nil
			}
		}
		select { // what came meanwhile is told too
		case <-h.wake:
		default:
		}
		told = time.Now() //nolint:forbidigo // waiting
		if err := h.tell(ctx); err != nil && ctx.Err() == nil {
			h.o.Log.Warn("open screens could not be told of a change; they are told in a moment", "error", err)
			time.AfterFunc(againAfter, h.Wake)
		}
	}
}

// pause waits, and returns false where ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// tell reads how things stand and wakes every screen.
func (h *Hub) tell(ctx context.Context) error {
	if h.Watching() == 0 {
		h.current.Store(nil) // the next one that opens reads by itself
		return nil
	}
	if _, err := h.now(ctx, true); err != nil {
		return err
	}
	for _, w := range h.all() {
		w.do(func() { w.told = true })
	}
	return nil
}

// all are the sockets that are open now.
func (h *Hub) all() []*watcher {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]*watcher, 0, len(h.watchers))
	for w := range h.watchers {
		list = append(list, w)
	}
	return list
}

// look is one reading, for all who asked before it began.
type look struct {
	done chan struct{}
	anew bool
	t    *telling
	err  error
}

// now returns how things stood at a moment after the call. Where nothing has changed and anew is not asked for, what was
// drawn for the last telling can still be used, and it is that telling.
func (h *Hub) now(ctx context.Context, anew bool) (*telling, error) {
	h.asking.Lock()
	l := h.next
	mine := l == nil
	if mine {
		l = &look{done: make(chan struct{})}
		h.next = l
	}
	l.anew = l.anew || anew
	h.asking.Unlock()
	if !mine {
		<-l.done
		return l.t, l.err
	}
	h.reading.Lock()
	defer h.reading.Unlock()
	if !anew {
		pause(ctx, gather)
	}
	h.asking.Lock()
	h.next = nil // whoever asks from here on may have seen more than this look does
	anew = l.anew
	h.asking.Unlock()
	defer close(l.done)
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	m, err := h.o.Read(ctx)
	if err != nil {
		l.err = err
		return nil, err
	}
	l.t = h.current.Load()
	if anew || l.t == nil || l.t.Head != m.Head || l.t.State != m.State || time.Since(l.t.at) > freshFor {
		l.t = newTelling(m)
		h.current.Store(l.t)
	}
	return l.t, nil
}

// look sees to every socket once a second: whether its login is still running and with the same role, by one question for
// all of them, and whether the browser is still there.
func (h *Hub) look(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		list := h.all() // before the question: a login that began after it would be missing in the answer
		if len(list) == 0 {
			continue
		}
		for _, w := range list {
			w.pingIfDue()
		}
		if h.o.Logins == nil {
			continue
		}
		ask, cancel := context.WithTimeout(ctx, readTime)
		logins, err := h.o.Logins(ask)
		cancel()
		if err != nil {
			if ctx.Err() == nil {
				h.o.Log.Warn("open screens could not be checked against the logins; they are in a second", "error", err)
			}
			continue
		}
		for _, w := range list {
			switch role, ok := logins[w.owner.ID]; {
			case !ok:
				w.finish(errSignedOut)
			case role != w.owner.Role: // it comes back with what the person may see now
				w.finish(errRestart)
			}
		}
	}
}

// End closes the sockets of one login.
func (h *Hub) End(owner string) {
	for _, w := range h.all() {
		if w.owner.ID == owner {
			h.forget(w)
			w.finish(errSignedOut)
		}
	}
}

// Watching returns how many sockets are open.
func (h *Hub) Watching() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.watchers)
}

// Drawn counts the updates that were drawn since the start, without those that hold nothing of a screen's own, and Sent the
// messages that were sent to sockets.
func (h *Hub) Drawn() int64 { return h.drawn.Load() }

// Sent is described at [Hub.Drawn].
func (h *Hub) Sent() int64 { return h.sent.Load() }

// Close asks every socket to reconnect later (1012) and waits for them, at most until ctx ends.
func (h *Hub) Close(ctx context.Context) error {
	h.mu.Lock()
	if !h.closed {
		h.closed = true
		close(h.quit)
	}
	h.mu.Unlock()
	for _, w := range h.all() {
		w.finish(errRestart)
	}
	gone := make(chan struct{})
	go func() { h.open.Wait(); close(gone) }()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// watch registers a socket; false when the hub is closed.
func (h *Hub) watch(w *watcher) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.watchers[w] = struct{}{}
	h.open.Add(1)
	return true
}

// forget takes a socket out of those that are told.
func (h *Hub) forget(w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watchers, w)
}
