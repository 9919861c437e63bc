package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gofiber/websocket/v2"
)

// Times and limits of one socket.
const (
	readLimit = 4096
	readWait  = 60 * time.Second // renewed by every pong
	pingEvery = 25 * time.Second
	writeWait = 10 * time.Second

	// mostUntold is how many changes that do not concern a screen go by before it is told their number all the same, so
	// that after a reconnect it does not seem far behind.
	mostUntold = 200
)

// Buffers of sockets. An idle one holds none to write with, and to read pongs takes little.
var buffers = websocket.Config{ReadBufferSize: 256, WriteBufferSize: 4096, WriteBufferPool: &sync.Pool{}}

// Config is how the connections that [Hub.Serve] gets are made.
func Config() websocket.Config { return buffers }

// Close codes, as the browser's side knows them: it reconnects after a restart and not after the end of a login.
const (
	closeRestart  = 1012
	closeSignedIn = websocket.ClosePolicyViolation // 1008
	closeInternal = websocket.CloseInternalServerErr
)

var (
	errGone      = errors.New("the browser is gone")
	errRestart   = errors.New("the browser is to come back")
	errSignedOut = errors.New("signed out")
)

// Owner is the login a socket belongs to.
type Owner struct {
	ID     string // of the login
	Person string // as in [Update.Own]
	Role   string // what it may see: nothing that is drawn is shared between roles
}

// watcher is one socket's side of the hub. It is ours, never the pooled connection. Its handler's goroutine reads; another
// one runs only while there is something to write.
type watcher struct {
	hub    *Hub
	conn   *websocket.Conn
	owner  Owner
	screen Screen
	log    *slog.Logger

	mu      sync.Mutex
	told    bool  // there may be something new
	ping    bool  // it is time to ask whether the browser is there
	end     error // why to say goodbye; nil = stay
	writing bool  // a goroutine is; it sees to all of the above before it ends
	sending bool  // it waits for the network
	counted bool  // the hub waits for it to have taken what is drawn
	gone    bool  // nothing is written any more
	writer  sync.WaitGroup
	pingAt  time.Time

	// The writer's own.
	since int64
	first bool   // nothing was sent yet
	state string // what was last sent of what is around the content
	at    int64  // the number that was last sent
}

// Serve keeps one screen up to date until the browser leaves, the login ends or the hub closes. It must be called in
// the connection's handler, and returns only when nothing of it runs any more: the connection goes back to a pool then.
func (h *Hub) Serve(conn *websocket.Conn, owner Owner, s Screen, since int64, log *slog.Logger) {
	w := &watcher{hub: h, conn: conn, owner: owner, screen: s, log: log, since: since, first: true}
	w.pingAt = time.Now().Add(pingEvery) //nolint:forbidigo // the network's time, not the clinic's
	if !h.watch(w) {
		w.goodbye(errRestart)
		return
	}
	defer h.open.Done()
	defer w.leave()
	w.do(func() { w.told = true })
	w.read()
}

// read takes what the browser sends, which is nothing but pongs and its goodbye.
func (w *watcher) read() {
	defer func() {
		if p := recover(); p != nil {
			w.log.Error("a socket's reader panicked", "panic", fmt.Sprintf("%T", p))
		}
	}()
	w.conn.SetReadLimit(readLimit)
	extend := func(string) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.gone { // the writer has ended reading
			return errGone
		}
		return w.conn.SetReadDeadline(time.Now().Add(readWait)) //nolint:forbidigo // network deadline
	}
	w.conn.SetPongHandler(extend)
	if extend("") != nil {
		return
	}
	for {
		if _, _, err := w.conn.ReadMessage(); err != nil {
			return
		}
	}
}

// leave takes the socket out of the hub, ends its writer and waits for it.
func (w *watcher) leave() {
	w.hub.forget(w)
	w.mu.Lock()
	w.gone = true
	if w.writing {
		_ = w.conn.NetConn().SetWriteDeadline(time.Now()) //nolint:forbidigo // network deadline
	}
	w.mu.Unlock()
	w.writer.Wait()
}

// do notes what is to be written, and sees to it that somebody does.
func (w *watcher) do(note func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone {
		return
	}
	note()
	if w.told && !w.counted && !w.sending { // nobody waits for a slow reader
		w.counted = true
		w.hub.pending.Add(1)
	}
	if !w.writing {
		w.writing = true
		w.writer.Go(w.write)
	}
}

// finish says goodbye to the browser and lets it go. The first reason counts.
func (w *watcher) finish(why error) {
	w.do(func() {
		if w.end == nil {
			w.end = why
		}
	})
}

func (w *watcher) pingIfDue() {
	now := time.Now() //nolint:forbidigo // network time
	w.mu.Lock()
	due := !now.Before(w.pingAt)
	if due {
		w.pingAt = now.Add(pingEvery)
	}
	w.mu.Unlock()
	if due {
		w.do(func() { w.ping = true })
	}
}

// take is what there is to write; false where there is nothing, and the writer has ended with that.
func (w *watcher) take() (told, ping, more bool, end error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	told, ping, end = w.told, w.ping, w.end
	w.told, w.ping, w.sending = false, false, false
	w.writing = !w.gone && (told || ping || end != nil)
	if !w.writing {
		w.uncount()
	}
	return told, ping, w.writing, end
}

// uncount lets the hub wait no longer. The lock is held.
func (w *watcher) uncount() {
	if w.counted {
		w.counted = false
		w.hub.pending.Add(-1)
	}
}

// begin notes that the writer waits for nothing but the network from here on.
func (w *watcher) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sending = true
	w.uncount()
	_ = w.conn.SetWriteDeadline(time.Now().Add(writeWait)) //nolint:forbidigo // network deadline
}

// write is the only writer of a socket.
func (w *watcher) write() {
	for {
		told, ping, more, end := w.take()
		if !more {
			return
		}
		if told && end == nil {
			end = w.update()
		}
		if ping && end == nil && w.send(websocket.PingMessage, nil) != nil {
			end = errGone
		}
		if end != nil {
			w.goodbye(end)
			w.stop()
			return
		}
	}
}

// stop ends the reader, and with it the socket. Nothing is written afterwards.
func (w *watcher) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.uncount()
	w.gone, w.writing = true, false
	_ = w.conn.SetReadDeadline(time.Now()) //nolint:forbidigo // network deadline
}

// update brings the screen to where things stand.
func (w *watcher) update() (err error) {
	defer func() {
		if p := recover(); p != nil { // a panic here would end the process
			err = fmt.Errorf("a socket's writer panicked (%T)", p)
		}
	}()
	t := w.hub.current.Load()
	if w.first || t == nil { // its page may have shown more than was told
		if t, err = w.hub.now(context.Background(), false); err != nil {
			return fmt.Errorf("reading how things stand: %w", err)
		}
	}
	d := w.hub.draw(t, w.owner.Role, w.screen, w.since)
	if d.err != nil {
		return d.err
	}
	w.begin()
	w.since = d.head
	if d.idle && !w.first && w.state == t.State && d.head >= w.at && d.head-w.at < mostUntold {
		return nil
	}
	if frame := d.to(w.owner.Person); frame != nil {
		w.hub.sent.Add(1)
		if w.conn.WritePreparedMessage(frame) != nil {
			return errGone
		}
	}
	w.first, w.state, w.at = false, t.State, d.head
	return nil
}

func (w *watcher) send(kind int, data []byte) error {
	w.begin()
	return w.conn.WriteMessage(kind, data)
}

// goodbye tells the browser why, so that it knows whether to come back.
func (w *watcher) goodbye(why error) {
	code := closeInternal
	switch {
	case errors.Is(why, errGone):
		return
	case errors.Is(why, errRestart):
		code = closeRestart
	case errors.Is(why, errSignedOut):
		code = closeSignedIn
	default:
		w.log.Warn("a live screen was cut off; it will catch up", "error", why)
	}
	_ = w.send(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""))
}
