// Package live keeps open screens up to date. A screen is woken and asks for what changed since the number it last saw:
// first paint, push, slow reader and reconnect are one path, so nothing is dropped and nothing grows.
package live

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// Screen is what one open page shows. Screens with the same Key show the same, so what is rendered for one is shared
// with the others that are as far.
type Screen struct {
	Key string
	// Render returns what to send to a screen that has seen everything up to since, and how far it has then seen.
	// ctx is the hub's, not that of a request.
	Render func(ctx context.Context, since int64) (Update, error)
}

// Update is one message to a screen.
type Update struct {
	HTML []byte
	Head int64 // the number of the last change it contains
}

// settle is how long changes gather before screens are told, so that a burst is one message.
const settle = 60 * time.Millisecond

// Hub tells open screens that something has changed.
type Hub struct {
	wake chan struct{}
	quit chan struct{}

	mu       sync.Mutex
	version  int64 // counts the tellings; what is rendered is shared within one
	watchers map[*watcher]struct{}
	closed   bool
	open     sync.WaitGroup

	render singleflight.Group
	recent recent
}

// watcher is one socket's side of the hub. It is ours, never the pooled connection.
type watcher struct {
	owner string
	wake  chan struct{} // capacity 1: being told twice is being told once
	end   chan struct{} // closed when the owner's login ends
}

// NewHub makes a hub; [Hub.Run] starts it.
func NewHub() *Hub {
	return &Hub{wake: make(chan struct{}, 1), quit: make(chan struct{}), watchers: map[*watcher]struct{}{}}
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
	for {
		select {
		case <-h.wake:
		case <-ctx.Done():
			return nil
		}
		select {
		case <-time.After(settle):
		case <-ctx.Done():
			return nil
		}
		select { // what came meanwhile is told too
		case <-h.wake:
		default:
		}
		h.tell()
	}
}

func (h *Hub) tell() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.version++
	for w := range h.watchers {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// End closes the sockets of one login.
func (h *Hub) End(owner string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		if w.owner == owner {
			delete(h.watchers, w)
			close(w.end)
		}
	}
}

// Watching returns how many sockets are open.
func (h *Hub) Watching() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.watchers)
}

// Close asks every socket to reconnect later (1012) and waits for them, at most until ctx ends.
func (h *Hub) Close(ctx context.Context) error {
	h.mu.Lock()
	if !h.closed {
		h.closed = true
		close(h.quit)
	}
	h.mu.Unlock()
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
func (h *Hub) watch(owner string) (*watcher, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, false
	}
	w := &watcher{owner: owner, wake: make(chan struct{}, 1), end: make(chan struct{})}
	h.watchers[w] = struct{}{}
	h.open.Add(1)
	return w, true
}

func (h *Hub) unwatch(w *watcher) {
	h.mu.Lock()
	delete(h.watchers, w)
	h.mu.Unlock()
	h.open.Done()
}

// renderTime bounds the making of one update.
const renderTime = 10 * time.Second

// update renders what screen s needs after since, once for all screens that show the same and are as far.
func (h *Hub) update(s Screen, since int64) (Update, error) {
	h.mu.Lock()
	key := updateKey{screen: s.Key, since: since, version: h.version}
	h.mu.Unlock()
	if u, ok := h.recent.get(key); ok {
		return u, nil
	}
	v, err, _ := h.render.Do(key.String(), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.Background(), renderTime)
		defer cancel()
		u, err := s.Render(ctx, since)
		if err == nil {
			h.recent.put(key, u)
		}
		return u, err
	})
	if err != nil {
		return Update{}, err
	}
	return v.(Update), nil //nolint:forcetypeassert // Do returns what the function above made
}
