package web

import (
	"io"
	"net"
	"sync/atomic"
	"time"
)

// A server that closes a connection while the client still sends makes the client see a reset instead of the answer. So
// a connection whose body was refused for its size is closed slowly: the answer goes out, what still comes is thrown
// away, up to a bound.
const (
	lingerBytes = 256 << 20
	lingerTime  = 10 * time.Second
)

type lingerListener struct{ net.Listener }

func (l lingerListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &lingerConn{Conn: c}, nil
}

type lingerConn struct {
	net.Conn
	slowly atomic.Bool
}

// linger asks for a slow close of c, where c (or what TLS wraps) can.
func linger(c net.Conn) {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = t.NetConn()
	}
	if l, ok := c.(*lingerConn); ok {
		l.slowly.Store(true)
	}
}

func (c *lingerConn) Close() error {
	if c.slowly.Swap(false) {
		if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
		_ = c.SetReadDeadline(time.Now().Add(lingerTime)) //nolint:forbidigo // a deadline of the network, not of the clinic
		_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes)
	}
	return c.Conn.Close()
}
