//go:build browser

package browser

import (
	"io"
	"net"
	"sync"
	"testing"
)

// wire is the network between a browser and a server. It can be cut and mended.
type wire struct {
	URL string

	to  string
	mu  sync.Mutex
	cut bool
	all map[net.Conn]struct{}

	moving sync.RWMutex // held by who stalls the wire; what goes over it asks for it
	stall  func()       // ends a stall
}

// newWire forwards what comes in on a port of its own to addr, until the test ends.
func newWire(t testing.TB, addr string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{URL: "http://" + l.Addr().String(), to: addr, all: map[net.Conn]struct{}{}}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() { w.carry(from) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		w.Mend()
		w.Cut()
		open.Wait()
	})
	return w
}

func (w *wire) carry(from net.Conn) {
	defer func() { _ = from.Close() }()
	if !w.hold(from) {
		return
	}
	defer w.drop(from)
	to, err := net.Dial("tcp", w.to)
	if err != nil {
		return
	}
	defer func() { _ = to.Close() }()
	if !w.hold(to) {
		return
	}
	defer w.drop(to)
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(to, slowed{from, w}); _ = to.Close() })
	both.Go(func() { _, _ = io.Copy(from, slowed{to, w}); _ = from.Close() })
	both.Wait()
}

func (w *wire) hold(c net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		return false
	}
	w.all[c] = struct{}{}
	return true
}

func (w *wire) drop(c net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.all, c)
}

// slowed is one direction of the wire.
type slowed struct {
	net.Conn
	w *wire
}

func (s slowed) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	s.w.moving.RLock()
	defer s.w.moving.RUnlock()
	return n, err
}

// WriteTo hides the connection's own, which would go around Read.
func (s slowed) WriteTo(to io.Writer) (int64, error) { return io.Copy(to, struct{ io.Reader }{s}) }

// Stall holds everything back without a word, as a network does that lost its way. It ends with Mend.
func (w *wire) Stall() {
	w.moving.Lock()
	w.stall = sync.OnceFunc(w.moving.Unlock)
}

// Cut breaks every connection and refuses new ones.
func (w *wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = true
	for c := range w.all {
		_ = c.Close()
	}
}

// Mend lets connections through again.
func (w *wire) Mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = false
	if w.stall != nil {
		w.stall()
	}
}
