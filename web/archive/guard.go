// Package archive fetches every presigned link the moment it arrives, keeps what it gets encrypted under names of its
// own, and serves it for good. It knows nothing of what a document means.
package archive

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// RefusedError says why a link is not fetched at all. The text is safe to show: it quotes no more than the host.
type RefusedError struct{ Reason string }

func (e RefusedError) Error() string { return "refused: " + e.Reason }

// senderSuffix is the end of the names of the sender's own hosts.
const senderSuffix = ".metriport.com"

// defaultSuffixes are the hosts that presigned links of the sender live on.
var defaultSuffixes = []string{".amazonaws.com", senderSuffix}

// Guard decides which addresses may be asked. A link comes from outside: signed, but not to be trusted with our network.
type Guard struct {
	listed []string // host:port in lower case; these may be plain HTTP and on a private network
}

// NewGuard makes a guard that, beside the sender's hosts over https, allows the listed host:port entries.
func NewGuard(listed []string) (*Guard, error) {
	g := &Guard{}
	for _, l := range listed {
		host, port, err := net.SplitHostPort(strings.TrimSpace(l))
		n, errPort := strconv.ParseUint(port, 10, 16)
		if err != nil || errPort != nil || n == 0 || host == "" || strings.ContainsAny(host, "/@ %*") {
			return nil, fmt.Errorf("%q is not host:port", l)
		}
		g.listed = append(g.listed, strings.ToLower(net.JoinHostPort(host, strconv.FormatUint(n, 10))))
	}
	return g, nil
}

// Check says whether the link may be fetched, before anything is connected. It returns a [RefusedError] when not.
func (g *Guard) Check(link string) (*url.URL, error) {
	u, err := url.Parse(link)
	if err != nil || u.Opaque != "" || u.Host == "" {
		return nil, RefusedError{"not a web address"}
	}
	if u.User != nil {
		return nil, RefusedError{"the address carries a user name"}
	}
	if strings.ContainsFunc(link, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) {
		return nil, RefusedError{"the address has characters that do not belong there"}
	}
	host := strings.ToLower(u.Hostname())
	port := portOf(u)
	if g.isListed(host, port) {
		if u.Scheme != "https" && u.Scheme != "http" {
			return nil, RefusedError{"only http and https are fetched"}
		}
		return u, nil
	}
	if u.Scheme != "https" {
		return nil, RefusedError{"only https is fetched"}
	}
	if port != "443" {
		return nil, RefusedError{"port " + port + " is not allowed"}
	}
	if !validName(host) || !slices.ContainsFunc(defaultSuffixes, func(s string) bool { return strings.HasSuffix(host, s) && len(host) > len(s) }) {
		return nil, RefusedError{"host not allowed"}
	}
	return u, nil
}

func (g *Guard) isListed(host, port string) bool {
	return port != "" && slices.Contains(g.listed, net.JoinHostPort(host, port))
}

// validName says whether host is a plain DNS name: letters, digits, hyphens and dots, and no number in disguise.
func validName(host string) bool {
	if len(host) > 253 || strings.HasSuffix(host, ".") {
		return false
	}
	for _, label := range strings.Split(host, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
		}) {
			return false
		}
	}
	return true
}

// control returns the check of the address that is really dialled, after DNS: a name that is allowed may still lead
// into the clinic's own network, at the first or at a later look-up.
func (g *Guard) control(target string) func(network, address string, _ syscall.RawConn) error {
	return func(network, address string, _ syscall.RawConn) error {
		if network != "tcp4" && network != "tcp6" {
			return RefusedError{"only TCP is used"}
		}
		if slices.Contains(g.listed, strings.ToLower(target)) {
			return nil
		}
		ap, err := netip.ParseAddrPort(address)
		if err != nil || !public(ap.Addr()) {
			return RefusedError{"the host leads into a private network"}
		}
		return nil
	}
}

// special are the ranges that are not the public internet, beside those netip knows by name (IANA special-purpose
// registries).
var special = func() []netip.Prefix {
	var out []netip.Prefix
	for _, p := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "240.0.0.0/4", "255.255.255.255/32",
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10",
	} {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}()

func public(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if !ip.IsValid() || !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() {
		return false
	}
	return !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// refusal finds the reason in an error that went through the network stack.
func refusal(err error) (RefusedError, bool) {
	var r RefusedError
	return r, errors.As(err, &r)
}
