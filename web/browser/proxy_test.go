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
	both.Go(func() { _, _ = io.Copy(to, from); _ = to.Close() })
	both.Go(func() { _, _ = io.Copy(from, to); _ = from.Close() })
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
}
