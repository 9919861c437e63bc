package live

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fasthttp/websocket"
)

// Screen is what one open page shows. Screens with the same Key show the same to people of one role, but for what is in
// [Update.Own]: what is drawn for one is shared with the others that are as far. So Key holds everything that Render uses
// and that differs between pages.
type Screen struct {
	Key string
	// Render returns what to send to a screen that has seen everything up to since, and how far it has then seen. It may
	// read later than m, never earlier. ctx is the hub's, not that of a request.
	Render func(ctx context.Context, m Moment, since int64) (Update, error)
}

// Update is one message to screens.
type Update struct {
	HTML []byte
	// Own is what some people get in the place of HTML, by [Owner.Person]: those for whom it says something else.
	Own  map[string][]byte
	Head int64 // the number of the last change it contains
	Idle bool  // nothing of it concerns the screen: it holds only what is around every screen's content
}

// Times and bounds of what is drawn.
const (
	renderTime = 10 * time.Second
	mostKept   = 8 << 20 // bytes of one telling that are kept for screens that ask later
)

// drawKey names an update of a telling: who may see what it shows, what that is, and how far the screen was.
type drawKey struct {
	role   string
	screen string
	since  int64
}

// telling is a moment with what was drawn of it.
type telling struct {
	Moment
	at time.Time

	mu    sync.Mutex
	drawn map[drawKey]*drawing
	kept  int
}

func newTelling(m Moment) *telling {
	return &telling{Moment: m, at: time.Now(), drawn: map[drawKey]*drawing{}} //nolint:forbidigo // its age
}

// drawing is one update, made by the first who asks for it.
type drawing struct {
	done  chan struct{}
	head  int64
	idle  bool
	frame *websocket.PreparedMessage // nil = nothing to send
	own   map[string]*websocket.PreparedMessage
	err   error
}

// to returns what a person is sent; nil = nothing.
func (d *drawing) to(person string) *websocket.PreparedMessage {
	if own, ok := d.own[person]; ok {
		return own
	}
	return d.frame
}

// draw returns what screen s needs after since, drawn once for all screens of a role that show the same and are as far.
func (h *Hub) draw(t *telling, role string, s Screen, since int64) *drawing {
	key := drawKey{role: role, screen: s.Key, since: since}
	t.mu.Lock()
	d, ok := t.drawn[key]
	if !ok {
		d = &drawing{done: make(chan struct{})}
		t.drawn[key] = d
	}
	t.mu.Unlock()
	if ok {
		<-d.done
		return d
	}
	h.pens <- struct{}{}
	began := time.Now() //nolint:forbidigo // how long it takes
	size := d.make(t.Moment, s, since)
	h.drawing.Add(int64(time.Since(began)))
	<-h.pens
	if !d.idle {
		h.drawn.Add(1)
	}
	t.mu.Lock()
	if d.err != nil || t.kept+size > mostKept {
		delete(t.drawn, key) // whoever waits has it
	} else {
		t.kept += size
	}
	t.mu.Unlock()
	close(d.done)
	return d
}

// make renders the update and returns its size in bytes. A panic becomes an error: under it is a library that would end
// the process.
func (d *drawing) make(m Moment, s Screen, since int64) (size int) {
	defer func() {
		if p := recover(); p != nil {
			d.err = fmt.Errorf("drawing an update panicked (%T)", p)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), renderTime)
	defer cancel()
	u, err := s.Render(ctx, m, since)
	if err != nil {
		d.err = fmt.Errorf("drawing an update: %w", err)
		return 0
	}
	d.head, d.idle = u.Head, u.Idle
	if len(u.HTML) > 0 {
		d.frame, d.err = websocket.NewPreparedMessage(websocket.TextMessage, u.HTML)
		size = len(u.HTML)
	}
	for person, html := range u.Own {
		own, err := websocket.NewPreparedMessage(websocket.TextMessage, html)
		if err != nil {
			d.err = err
			return size
		}
		if d.own == nil {
			d.own = map[string]*websocket.PreparedMessage{}
		}
		d.own[person] = own
		size += len(html)
	}
	return size
}
