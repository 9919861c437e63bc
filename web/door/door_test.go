package door_test

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"carebell/web/door"
)

// street is a listener to which tests send connections from any address.
type street struct{ come chan net.Conn }

func (s street) Accept() (net.Conn, error) {
	c, ok := <-s.come
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (s street) Close() error   { return nil }
func (s street) Addr() net.Addr { return &net.TCPAddr{} }

// walker is the server's end of a connection.
type walker struct {
	net.Conn
	from   net.Addr
	closed chan struct{}
	once   sync.Once
}

func (w *walker) RemoteAddr() net.Addr            { return w.from }
func (w *walker) SetReadDeadline(time.Time) error { return nil }
func (w *walker) Read([]byte) (int, error)        { <-w.closed; return 0, errors.New("closed") }
func (w *walker) Close() error                    { w.once.Do(func() { close(w.closed) }); return nil }

func (w *walker) isClosed() bool {
	select {
	case <-w.closed:
		return true
	default:
		return false
	}
}

// world is a door and those who come.
type world struct {
	*testing.T
	*door.Door
	street
	listener net.Listener
	now      time.Time
}

func newWorld(t *testing.T, proxies ...netip.Prefix) *world {
	w := &world{T: t, street: street{make(chan net.Conn, 1)}, now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
	w.Door = door.New(proxies, func() time.Time { return w.now })
	w.listener = w.Before(w.street)
	return w
}

// come lets one come from an address, and returns both ends; accepted is nil where there was no place.
func (w *world) come(from string) (*walker, net.Conn) {
	w.Helper()
	c := &walker{from: &net.TCPAddr{IP: net.ParseIP(from), Port: 1}, closed: make(chan struct{})}
	w.street.come <- c
	after := &walker{from: &net.TCPAddr{IP: net.ParseIP("203.0.113.255")}, closed: make(chan struct{})}
	got := make(chan net.Conn, 1)
	go func() { conn, _ := w.listener.Accept(); got <- conn }()
	select {
	case conn := <-got:
		return c, conn
	case <-c.closed: // refused: let the listener come back with somebody else
		w.street.come <- after
		_ = (<-got).Close()
		return c, nil
	}
}

func TestOneAddressHasABoundedNumberOfPlaces(t *testing.T) {
	w := newWorld(t)
	var all []*walker
	var conns []net.Conn
	for range door.PerAddress + 10 {
		c, conn := w.come("192.0.2.1")
		all, conns = append(all, c), append(conns, conn)
	}
	for i, c := range all {
		if c.isClosed() != (i < 10) {
			t.Errorf("connection %d: closed is %t", i, c.isClosed())
		}
	}
	other, _ := w.come("192.0.2.2")
	if other.isClosed() || w.Turned() != 10 {
		t.Errorf("another address: %t, %d lost their place", other.isClosed(), w.Turned())
	}
	// Those that were answered last, and those that are being answered, stay.
	w.Busy(conns[10])
	w.Idle(conns[11])
	_, _ = w.come("192.0.2.1")
	if all[10].isClosed() || all[11].isClosed() || !all[12].isClosed() {
		t.Error("it was not the one that was silent for longest that lost its place")
	}
	// A place that is given back is free.
	_ = conns[13].Close()
	_, _ = w.come("192.0.2.1")
	if all[14].isClosed() {
		t.Error("a place that was free was not taken")
	}
}

// TestWhoHasMostLosesTheirs when all places are taken, and nobody else.
func TestWhoHasMostLosesTheirs(t *testing.T) {
	w := newWorld(t)
	alone, _ := w.come("198.51.100.7")
	var first []*walker
	for i := range door.Strangers - 1 {
		c, _ := w.come([]string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}[i%3])
		first = append(first, c)
	}
	for i := range 100 {
		c, conn := w.come(netip.AddrFrom4([4]byte{198, 51, 100, byte(100 + i)}).String())
		if conn == nil || c.isClosed() {
			t.Fatalf("a newcomer got no place")
		}
	}
	lost := 0
	for _, c := range first {
		if c.isClosed() {
			lost++
		}
	}
	if alone.isClosed() || lost != 100 {
		t.Errorf("the one alone: closed is %t; %d of those with many lost their place", alone.isClosed(), lost)
	}
}

// TestThoseWhoAreBeingAnsweredStay, and where all are, a newcomer finds none.
func TestThoseWhoAreBeingAnsweredStay(t *testing.T) {
	w := newWorld(t)
	for range door.PerAddress {
		_, conn := w.come("192.0.2.1")
		w.Busy(conn)
	}
	if c, conn := w.come("192.0.2.1"); conn != nil || !c.isClosed() {
		t.Error("a newcomer took the place of one that was being answered")
	}
}

// TestKnownPeopleAreNotCounted: who has signed in, a sender that has proved who it is, and a proxy.
func TestKnownPeopleAreNotCounted(t *testing.T) {
	w := newWorld(t, netip.MustParsePrefix("10.0.0.0/8"))
	for range door.PerAddress + 50 { // a clinic behind one address
		_, conn := w.come("192.0.2.1")
		w.Admit(conn)
	}
	for range door.Strangers + 50 {
		_, _ = w.come("10.1.2.3")
	}
	_, conn := w.come("192.0.2.9")
	w.Prove(netip.MustParseAddr("192.0.2.9"), conn)
	for range door.Senders - 1 {
		_, _ = w.come("192.0.2.9")
	}
	if w.Turned() != 0 || !w.Knows(netip.MustParseAddr("192.0.2.9")) || w.Knows(netip.MustParseAddr("192.0.2.1")) {
		t.Errorf("%d lost their place", w.Turned())
	}
	// More than that are strangers again, and after some days the sender is one too.
	for range door.PerAddress + 1 {
		_, _ = w.come("192.0.2.9")
	}
	if w.Turned() != 1 {
		t.Errorf("%d lost their place, want 1", w.Turned())
	}
	again := newWorld(t) // after a restart
	again.Recall(w.Senders())
	if !again.Knows(netip.MustParseAddr("192.0.2.9")) || again.Knows(netip.MustParseAddr("192.0.2.1")) {
		t.Error("after a restart others are known")
	}
	if w.now = w.now.Add(50 * time.Hour); w.Knows(netip.MustParseAddr("192.0.2.9")) {
		t.Error("a sender is known for ever")
	}
}

// TestRequestsHavePlacesToo, because behind a proxy all connections are the proxy's.
func TestRequestsHavePlacesToo(t *testing.T) {
	w := newWorld(t)
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for range door.PerAddress {
		if !w.Begin(a) {
			t.Fatal("no place for a request")
		}
	}
	if w.Begin(a) || !w.Begin(b) {
		t.Error("one client takes the places of another")
	}
	w.End(a)
	if !w.Begin(a) {
		t.Error("a place that was given back is not free")
	}
}

func TestClient(t *testing.T) {
	w := newWorld(t, netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"))
	for _, test := range []struct{ peer, forwarded, want string }{
		{"192.0.2.1", "", "192.0.2.1"},
		{"192.0.2.1", "198.51.100.1", "192.0.2.1"}, // nobody believes a stranger
		{"10.0.0.1", "198.51.100.1", "198.51.100.1"},
		{"10.0.0.1", "203.0.113.9, 198.51.100.1", "198.51.100.1"},
		{"10.0.0.1", "203.0.113.9,198.51.100.1 , 10.0.0.2", "198.51.100.1"},
		{"10.0.0.1", "", "10.0.0.1"},
		{"10.0.0.1", "nonsense", "10.0.0.1"},
		{"10.0.0.1", "198.51.100.1, nonsense", "10.0.0.1"},
		{"10.0.0.1", "10.0.0.3", "10.0.0.3"},
		{"fd00::1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"}, // a host has a whole /64
		{"2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::"},
		{"::ffff:192.0.2.1", "", "192.0.2.1"},
	} {
		if got := w.Client(&net.TCPAddr{IP: net.ParseIP(test.peer)}, test.forwarded); got.String() != test.want {
			t.Errorf("peer %s, forwarded %q: %s, want %s", test.peer, test.forwarded, got, test.want)
		}
	}
}
