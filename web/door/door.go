// Package door gives places to connections and requests. Those of strangers are bounded, and the address that has most of
// them loses them to newer ones; those of people who have signed in, of senders that have proved who they are, and of
// trusted proxies are not counted. It knows nothing of what is said on a connection.
package door

import (
	"container/list"
	"io"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Places of strangers, and how long a sender is known.
const (
	Strangers  = 2048 // of all addresses together
	PerAddress = 1024 // of one, also where nobody else wants them
	Senders    = 1024 // connections from addresses of known senders, beyond which they are strangers
	knownFor   = 48 * time.Hour
	mostKnown  = 256 // addresses of senders
)

// A connection that is closed while the client still sends makes the client see a reset instead of the answer. So one
// whose request was refused before its body was read is closed slowly: the answer goes out, what still comes is thrown
// away, up to a bound.
const (
	lingerBytes = 64 << 20
	lingerTime  = 5 * time.Second
)

// Door is what stands before a server.
type Door struct {
	proxies []netip.Prefix
	now     func() time.Time

	mu        sync.Mutex
	strangers list.List                // of *Conn, the one that did something last at the end
	counts    map[netip.Addr]int       // of strangers' connections by address
	requests  map[netip.Addr]int       // of strangers' requests that are being read or answered, by client
	answering int                      // all of them
	senders   map[netip.Addr]time.Time // until when an address is known as that of a sender
	sending   int                      // connections from there that are not counted as strangers
	turned    int64                    // connections that lost their place, or got none
}

// New makes a door. Proxies are believed and never counted. now is the clock.
func New(proxies []netip.Prefix, now func() time.Time) *Door {
	return &Door{proxies: proxies, now: now, counts: map[netip.Addr]int{}, requests: map[netip.Addr]int{}, senders: map[netip.Addr]time.Time{}}
}

// Conn is one connection with its place.
type Conn struct {
	net.Conn
	door *Door
	addr netip.Addr

	// The door's lock is over these.
	place  *list.Element // among the strangers; nil = it is not counted
	sender bool          // it has one of the places of senders
	busy   bool          // a request is being answered: it keeps its place
	slowly bool
	closed bool
}

// Before returns a listener that gives the connections of l their places.
func (d *Door) Before(l net.Listener) net.Listener { return listener{l, d} }

type listener struct {
	net.Listener
	door *Door
}

// Accept implements [net.Listener]. Where there is no place for a further stranger, one loses theirs: of the address that
// has most of them the one that was silent for longest. One whose request is being answered does not.
func (l listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		conn := &Conn{Conn: c, door: l.door, addr: address(c.RemoteAddr())}
		out, ok := l.door.enter(conn)
		if out != nil {
			_ = out.Conn.Close() // whoever serves it finds out, and closes it properly
		}
		if ok {
			return conn, nil
		}
		_ = c.Close()
	}
}

// enter gives c a place, and returns who lost theirs by it. false means that there is none.
func (d *Door) enter(c *Conn) (out *Conn, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.trusts(c.addr) {
		return nil, true
	}
	c.addr = network(c.addr)
	if d.knows(c.addr) && d.sending < Senders {
		d.sending++
		c.sender = true
		return nil, true
	}
	from := c.addr
	if d.counts[from] < PerAddress {
		if d.strangers.Len() < Strangers {
			d.seat(c)
			return nil, true
		}
		for a, n := range d.counts {
			if n > d.counts[from] {
				from = a
			}
		}
	}
	d.turned++
	if out = d.quietest(from); out == nil {
		return nil, false
	}
	d.unseat(out)
	d.seat(c)
	return out, true
}

func (d *Door) quietest(of netip.Addr) *Conn {
	for e := d.strangers.Front(); e != nil; e = e.Next() {
		if c, ok := e.Value.(*Conn); ok && !c.busy && c.addr == of {
			return c
		}
	}
	return nil
}

// Begin takes a place for a request of a client that may be a stranger; false means that there is none. Connections are
// not enough to count: behind a proxy they are the proxy's.
func (d *Door) Begin(client netip.Addr) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.answering >= Strangers || d.requests[client] >= PerAddress {
		d.turned++
		return false
	}
	d.answering++
	d.requests[client]++
	return true
}

// End gives the place of a request back.
func (d *Door) End(client netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answering--
	if d.requests[client]--; d.requests[client] <= 0 {
		delete(d.requests, client)
	}
}

func (d *Door) seat(c *Conn) {
	c.place = d.strangers.PushBack(c)
	d.counts[c.addr]++
}

func (d *Door) unseat(c *Conn) {
	if c.place == nil {
		return
	}
	d.strangers.Remove(c.place)
	c.place = nil
	if d.counts[c.addr]--; d.counts[c.addr] <= 0 {
		delete(d.counts, c.addr)
	}
}

func (d *Door) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(d.proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

func (d *Door) knows(a netip.Addr) bool {
	until, ok := d.senders[a]
	return ok && d.now().Before(until)
}

// Knows says whether an address is that of a sender who has proved who it is.
func (d *Door) Knows(client netip.Addr) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.knows(client)
}

// Prove notes that a sender has proved who it is, from an address and on a connection.
func (d *Door) Prove(client netip.Addr, c net.Conn) {
	conn := unwrap(c)
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.senders[client]; !ok && len(d.senders) >= mostKnown {
		d.forget()
	}
	d.senders[client] = d.now().Add(knownFor)
	if conn != nil && conn.place != nil && d.sending < Senders {
		d.unseat(conn)
		d.sending++
		conn.sender = true
	}
}

// forget drops the sender that was heard least recently.
func (d *Door) forget() {
	var oldest netip.Addr
	for a, until := range d.senders {
		if o, ok := d.senders[oldest]; !ok || until.Before(o) {
			oldest = a
		}
	}
	delete(d.senders, oldest)
}

// Senders are the addresses of senders that have proved who they are, and until when they are known.
func (d *Door) Senders() map[netip.Addr]time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.senders)
}

// Recall takes what [Door.Senders] returned before a restart.
func (d *Door) Recall(senders map[netip.Addr]time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for a, until := range senders {
		if len(d.senders) < mostKnown && d.now().Before(until) && !until.After(d.now().Add(knownFor)) {
			d.senders[a] = until
		}
	}
}

// Admit notes that whoever uses the connection is signed in: it is counted no more.
func (d *Door) Admit(c net.Conn) {
	conn := unwrap(c)
	if conn == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unseat(conn)
}

// Busy notes that a request on the connection has wholly arrived and is being answered.
func (d *Door) Busy(c net.Conn) { d.mark(c, true) }

// Idle notes that the answer has gone out, and the connection waits for the next request.
func (d *Door) Idle(c net.Conn) { d.mark(c, false) }

func (d *Door) mark(c net.Conn, busy bool) {
	conn := unwrap(c)
	if conn == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	conn.busy = busy
	if conn.place != nil {
		d.strangers.MoveToBack(conn.place)
	}
}

// Turned counts the connections that lost their place or got none.
func (d *Door) Turned() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.turned
}

// Linger asks for a slow close of c.
func Linger(c net.Conn) {
	conn := unwrap(c)
	if conn == nil {
		return
	}
	conn.door.mu.Lock()
	defer conn.door.mu.Unlock()
	conn.slowly = true
}

// Close implements [net.Conn]. The place is given back first.
func (c *Conn) Close() error {
	c.door.mu.Lock()
	slowly := c.slowly && !c.closed
	if !c.closed && c.sender {
		c.door.sending--
	}
	c.closed, c.busy = true, false
	if !slowly {
		c.door.unseat(c)
	}
	c.door.mu.Unlock()
	if slowly { // it keeps its place, and may lose it
		if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
		_ = c.SetReadDeadline(time.Now().Add(lingerTime)) //nolint:forbidigo // a deadline of the network, not of the clinic
		_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes)
		c.door.mu.Lock()
		c.door.unseat(c)
		c.door.mu.Unlock()
	}
	return c.Conn.Close()
}

// unwrap returns the connection that a door accepted, also from under TLS; nil for another.
func unwrap(c net.Conn) *Conn {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = t.NetConn()
	}
	conn, _ := c.(*Conn)
	return conn
}

// address is the address of a peer, in the form in which two are compared.
func address(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		if ip, ok := netip.AddrFromSlice(t.IP); ok {
			return ip.Unmap()
		}
	}
	return netip.Addr{}
}

// network is what one host may choose its address from: of IPv6 a whole /64.
func network(a netip.Addr) netip.Addr {
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

// Client is where a request comes from: the peer, or where that is a trusted proxy, whoever the proxies say was before
// the last of them. forwarded is the X-Forwarded-For header.
func (d *Door) Client(peer net.Addr, forwarded string) netip.Addr {
	at := address(peer)
	for d.trusts(at) && forwarded != "" {
		i := strings.LastIndexByte(forwarded, ',')
		next, err := netip.ParseAddr(strings.TrimSpace(forwarded[i+1:]))
		if err != nil {
			break
		}
		at, forwarded = next.Unmap().WithZone(""), forwarded[:max(i, 0)]
	}
	return network(at)
}
