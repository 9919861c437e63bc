package live

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gofiber/websocket/v2"
)

// Times and limits of one socket.
const (
	readLimit  = 4096
	readWait   = 60 * time.Second // renewed by every pong
	pingEvery  = 25 * time.Second
	writeWait  = 10 * time.Second
	checkEvery = 20 * time.Second // how soon a login that ended by time closes its sockets
)

// Close codes, as the browser's side knows them: it reconnects after a restart and not after the end of a login.
const (
	closeRestart  = 1012
	closeSignedIn = websocket.ClosePolicyViolation // 1008
	closeInternal = websocket.CloseInternalServerErr
)

var (
	errGone      = errors.New("the browser is gone")
	errRestart   = errors.New("carebell is restarting")
	errSignedOut = errors.New("signed out")
)

// Owner is the login a socket belongs to.
type Owner struct {
	ID    string
	Alive func() bool // whether the login is still running; asked now and then
}

// Serve keeps one screen up to date until the browser leaves, the login ends or the hub closes. It must be called in
// the connection's handler, and returns only when nothing of it runs any more: the connection goes back to a pool then.
func (h *Hub) Serve(conn *websocket.Conn, owner Owner, s Screen, since int64, log *slog.Logger) {
	gone := make(chan struct{})
	w, ok := h.watch(owner.ID)
	if !ok {
		sayGoodbye(conn, errRestart)
		return
	}
	go func() {
		defer close(gone)
		defer func() {
			if p := recover(); p != nil {
				log.Error("a socket's reader panicked", "panic", fmt.Sprintf("%T", p))
			}
		}()
		read(conn)
	}()
	err := func() (err error) {
		defer func() {
			if p := recover(); p != nil { // a panic here would end the process
				err = fmt.Errorf("a socket's writer panicked (%T)", p)
			}
		}()
		return h.write(conn, w, owner, s, since, gone)
	}()
	h.unwatchAfter(w, func() {
		sayGoodbye(conn, err)
		_ = conn.SetReadDeadline(time.Now()) //nolint:forbidigo // a deadline of the network, not of the clinic
		<-gone
	})
	if err != nil && !errors.Is(err, errGone) && !errors.Is(err, errRestart) && !errors.Is(err, errSignedOut) {
		log.Warn("a live screen was cut off; it will catch up", "error", err)
	}
}

func (h *Hub) unwatchAfter(w *watcher, f func()) {
	defer h.unwatch(w)
	f()
}

// read takes what the browser sends, which is nothing but pongs and its goodbye.
func read(conn *websocket.Conn) {
	conn.SetReadLimit(readLimit)
	extend := func() { _ = conn.SetReadDeadline(time.Now().Add(readWait)) } //nolint:forbidigo // network deadline
	extend()
	conn.SetPongHandler(func(string) error { extend(); return nil })
	for {
		if _, _, err := conn.ReadMessage(); err != nil {
			return
		}
	}
}

// write is the only writer of a socket.
func (h *Hub) write(conn *websocket.Conn, w *watcher, owner Owner, s Screen, since int64, gone <-chan struct{}) error {
	ping, check := time.NewTicker(pingEvery), time.NewTicker(checkEvery)
	defer ping.Stop()
	defer check.Stop()
	for {
		u, err := h.update(s, since)
		if err != nil {
			return fmt.Errorf("rendering an update: %w", err)
		}
		if len(u.HTML) > 0 {
			if err := send(conn, websocket.TextMessage, u.HTML); err != nil {
				return errGone
			}
		}
		since = u.Head
	wait:
		select {
		case <-w.wake:
		case <-ping.C:
			if err := send(conn, websocket.PingMessage, nil); err != nil {
				return errGone
			}
			goto wait
		case <-check.C:
			if !owner.Alive() {
				return errSignedOut
			}
			goto wait
		case <-w.end:
			return errSignedOut
		case <-h.quit:
			return errRestart
		case <-gone:
			return errGone
		}
	}
}

func send(conn *websocket.Conn, kind int, data []byte) error {
	_ = conn.SetWriteDeadline(time.Now().Add(writeWait)) //nolint:forbidigo // network deadline
	return conn.WriteMessage(kind, data)
}

// sayGoodbye tells the browser why, so that it knows whether to come back.
func sayGoodbye(conn *websocket.Conn, why error) {
	code := closeInternal
	switch {
	case errors.Is(why, errGone):
		return
	case errors.Is(why, errRestart):
		code = closeRestart
	case errors.Is(why, errSignedOut):
		code = closeSignedIn
	}
	_ = send(conn, websocket.CloseMessage, websocket.FormatCloseMessage(code, ""))
}
