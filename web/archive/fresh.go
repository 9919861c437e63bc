package archive

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"carebell/db"
)

// APIKey opens the sender's API. It goes to the hosts of the sender and to listed ones, never elsewhere.
type APIKey string

// fresh asks the sender's API for a new link to a document, in place of one that has died.
func (f *Fetcher) fresh(ctx context.Context, apiURL string, key APIKey) (string, error) {
	u, err := f.api.Check(apiURL)
	if err != nil {
		return "", err
	}
	if !f.api.mayHaveKey(u) {
		return "", RefusedError{"the API key is not sent to this host"}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", RefusedError{"not a web address"}
	}
	req.Header.Set("User-Agent", "Carebell")
	req.Header.Set("x-api-key", string(key))
	resp, err := f.apiHTTP.Do(req)
	if err != nil {
		if r, ok := refusal(err); ok {
			return "", r
		}
		return "", plainly(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return "", StatusError{resp.StatusCode}
	}
	var answer struct {
		URL string `json:"url"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&answer); err != nil || answer.URL == "" {
		return "", errors.New("the sender's API gave no link")
	}
	return answer.URL, nil
}

func (g *Guard) mayHaveKey(u *url.URL) bool {
	host := strings.ToLower(u.Hostname())
	return strings.HasSuffix(host, senderSuffix) || g.isListed(host, portOf(u))
}

// ForAPI is the guard of requests to the sender's API: it lets through what g does, and the host of base.
func (g *Guard) ForAPI(base *url.URL) *Guard {
	if _, err := g.Check(base.String()); err == nil {
		return g
	}
	host := strings.ToLower(net.JoinHostPort(base.Hostname(), portOf(base)))
	return &Guard{listed: append(slices.Clone(g.listed), host)}
}

// APIURL reads the address of the sender's API: https, or http on this computer and on a listed host. The error says
// what is wrong with it.
func (g *Guard) APIURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, errors.New("is not the address of a server")
	}
	if n, err := strconv.ParseUint(portOf(u), 10, 16); err != nil || n == 0 {
		return nil, errors.New("has no usable scheme or port")
	}
	switch host := strings.ToLower(u.Hostname()); {
	case u.Scheme == "https":
	case u.Scheme == "http" && (g.isListed(host, portOf(u)) || loopback(host)):
	default:
		return nil, errors.New("would send the API key in clear")
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// portOf is the port that an address leads to, "" where its scheme is neither http nor https and it names none.
func portOf(u *url.URL) string {
	if port := u.Port(); port != "" {
		return port
	}
	return map[string]string{"https": "443", "http": "80"}[u.Scheme]
}

// renewable says whether a fetch that ended with err may be tried with a fresh link.
func (a *Archive) renewable(d db.Download, err error) bool {
	var status StatusError
	dead := errors.Is(err, ErrExpired) || errors.As(err, &status) && status.Status < http.StatusInternalServerError
	return dead && d.APIURL != "" && a.key != ""
}
