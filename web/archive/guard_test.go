package archive

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// counted listens on address and counts connections.
func counted(t *testing.T, address string) (net.Addr, *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	var n atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n.Add(1)
			_ = c.Close()
		}
	}()
	return l.Addr(), &n
}

// TestLinksThatAreNotFetchedConnectNowhere tries addresses that lead, or might lead, into the clinic's own network.
func TestLinksThatAreNotFetchedConnectNowhere(t *testing.T) {
	addr, connections := counted(t, "127.0.0.1:0")
	_, port, _ := net.SplitHostPort(addr.String())
	for _, link := range []string{
		"", "/", "no link at all", "//127.0.0.1:PORT/", "http:", "http://", "https://", "https:///path",
		"http://127.0.0.1:PORT/", "https://127.0.0.1:PORT/", "https://localhost:PORT/", "https://localhost/", "https://LOCALHOST:PORT/",
		"https://127.1:PORT/", "https://2130706433:PORT/", "https://0x7f000001:PORT/", "https://0177.0.0.1:PORT/", "https://0:PORT/", "https://0.0.0.0:PORT/",
		"https://[::1]:PORT/", "https://[::ffff:127.0.0.1]:PORT/", "https://[::ffff:7f00:1]:PORT/", "https://[::]:PORT/", "https://[fe80::1%25lo]:PORT/", "https://[fd00:ec2::254]/",
		"https://10.0.0.1/", "https://172.16.0.1/", "https://192.168.1.1/", "https://169.254.169.254/latest/meta-data/", "https://100.64.0.1/",
		"http://bucket.s3.amazonaws.com/", "ftp://bucket.s3.amazonaws.com/", "file:///etc/passwd", "gopher://bucket.s3.amazonaws.com/", "data:text/plain,x", "javascript:alert(1)", "unix:///run/x.sock",
		"https://bucket.s3.amazonaws.com:PORT/", "https://bucket.s3.amazonaws.com:22/", "https://bucket.s3.amazonaws.com:0/",
		"https://amazonaws.com/", "https://evilamazonaws.com/", "https://amazonaws.com.evil.example/", "https://bucket.s3.amazonaws.com.evil.example/", "https://metriport.com.evil.example/",
		"https://bucket.s3.amazonaws.com@127.0.0.1:PORT/", "https://127.0.0.1:PORT@bucket.s3.amazonaws.com/", "https://user:secret@bucket.s3.amazonaws.com/",
		"https://127.0.0.1:PORT/#.amazonaws.com", "https://127.0.0.1:PORT/?.amazonaws.com", "https://127.0.0.1:PORT\\.amazonaws.com/", "https://127.0.0.1:PORT/.amazonaws.com",
		"https://bucket.s3.amazonaws.com./", "https://.amazonaws.com/", "https://a..amazonaws.com/", "https://buck%65t.s3.amazonaws.com%2f@127.0.0.1/", "https://bücket.s3.amazonaws.com/",
		"https://bucket.s3.amazonaws.com\n.evil.example/", "https://bucket.s3.amazonaws.com /", "https:bucket.s3.amazonaws.com", "https://bucket_s3.amazonaws.com/",
		"https://*.amazonaws.com/", "https://127.0.0.1:PORT%23.amazonaws.com/", "https://xn--bcket-kva.example/",
	} {
		link = strings.ReplaceAll(link, "PORT", port)
		g, err := NewGuard([]string{"files.example:" + port})
		if err != nil {
			t.Fatal(err)
		}
		_, err = NewFetcher(g, 0).Fetch(t.Context(), link, false, func(Fetched) {}, io.Discard)
		var refused RefusedError
		if !errors.As(err, &refused) {
			t.Errorf("%q ended with %v, want it refused", link, err)
		}
	}
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections were made, want 0", n)
	}
}

// TestAllowedNameThatLeadsInsideIsRefusedAtTheDial has a name server that sends an allowed name into the clinic's own
// network, as a hostile or a rebinding one does.
func TestAllowedNameThatLeadsInsideIsRefusedAtTheDial(t *testing.T) {
	_, connections := counted(t, "127.0.0.1:443")
	names, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = names.Close() }()
	go answer(names, [4]byte{127, 0, 0, 1})
	g, _ := NewGuard(nil)
	f := NewFetcher(g, 0)
	f.resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", names.LocalAddr().String())
	}}
	_, err = f.Fetch(t.Context(), "https://bucket.s3.amazonaws.com/x", false, func(Fetched) {}, io.Discard)
	var refused RefusedError
	if !errors.As(err, &refused) || connections.Load() != 0 {
		t.Errorf("ended with %v after %d connections, want it refused after 0", err, connections.Load())
	}
}

// answer says that every name has the address ip.
func answer(conn net.PacketConn, ip [4]byte) {
	buf := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buf[:n]) != nil || len(m.Questions) == 0 {
			continue
		}
		m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
		if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
			m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}, Body: &dnsmessage.AResource{A: ip}}}
		}
		if out, err := m.Pack(); err == nil {
			_, _ = conn.WriteTo(out, from)
		}
	}
}

// TestDialledAddress: what counts is the address behind the name.
func TestDialledAddress(t *testing.T) {
	g, _ := NewGuard([]string{"Files.Example:8443"})
	for address, allowed := range map[string]bool{
		"52.216.1.1:443": true, "[2600:1f18::1]:443": true,
		"127.0.0.1:443": false, "10.1.2.3:443": false, "172.31.0.1:443": false, "192.168.0.1:443": false, "169.254.169.254:443": false, "100.100.0.1:443": false,
		"0.0.0.0:443": false, "224.0.0.1:443": false, "255.255.255.255:443": false, "198.18.0.1:443": false, "192.0.2.1:443": false,
		"[::1]:443": false, "[::]:443": false, "[::ffff:10.0.0.1]:443": false, "[::ffff:127.0.0.1]:443": false, "[fe80::1%eth0]:443": false, "[fd00::1]:443": false,
		"[64:ff9b::7f00:1]:443": false, "[2002:7f00:1::]:443": false, "[ff02::1]:443": false, "[::7f00:1]:443": false, "nonsense": false,
	} {
		if err := g.control("bucket.s3.amazonaws.com:443")("tcp4", address, nil); (err == nil) != allowed {
			t.Errorf("%s: %v, want allowed %v", address, err, allowed)
		}
	}
	if err := g.control("files.example:8443")("tcp4", "127.0.0.1:8443", nil); err != nil {
		t.Errorf("a listed host: %v", err)
	}
}

func TestListedHosts(t *testing.T) {
	for _, bad := range []string{"files.example", "https://files.example:443", "files.example:0", "files.example:99999", "*.example:443", ":443", "a b:1"} {
		if _, err := NewGuard([]string{bad}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	g, err := NewGuard([]string{"127.0.0.1:9000", "[::1]:9000"})
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range []string{"http://127.0.0.1:9000/x", "https://127.0.0.1:9000/x", "http://[::1]:9000/", "https://bucket.s3.us-west-1.amazonaws.com/key?X-Amz-Signature=1", "https://api.metriport.com/x"} {
		if _, err := g.Check(link); err != nil {
			t.Errorf("%s: %v", link, err)
		}
	}
	if _, err := g.Check("http://127.0.0.1:9001/x"); err == nil {
		t.Error("another port of a listed host is not listed")
	}
}
