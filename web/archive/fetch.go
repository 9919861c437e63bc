package archive

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"carebell/db"
)

// Limits of one fetch.
const (
	dialTime       = 5 * time.Second
	headerTime     = 10 * time.Second
	stallTime      = 20 * time.Second // in which at least leastBytes must come
	leastBytes     = 4 << 10          // or the end: a drip would hold one of few places for as long as its link lives
	idleConns      = MostPlaces       // kept open to a host, so that files of one host need no connection each
	DefaultMaxSize = 256 << 20        // bytes, after any decompression
)

// Fetcher gets links. It follows no redirects, uses no proxy and keeps no cookies.
type Fetcher struct {
	guard    *Guard
	client   *http.Client
	api      *Guard // decides who may be asked with the API key
	apiHTTP  *http.Client
	maxSize  int64
	stall    time.Duration
	resolver *net.Resolver // nil = the system's
}

// NewFetcher makes a fetcher; maxSize 0 means the usual.
func NewFetcher(g *Guard, maxSize int64) *Fetcher {
	if maxSize == 0 {
		maxSize = DefaultMaxSize
	}
	f := &Fetcher{guard: g, maxSize: maxSize, stall: stallTime}
	f.client = g.client(func() *net.Resolver { return f.resolver })
	f.api, f.apiHTTP = g, f.client
	return f
}

// UseAPI lets fresh links be asked for at the sender's API where it is not at its usual place.
func (f *Fetcher) UseAPI(base *url.URL) {
	f.api = f.guard.ForAPI(base)
	f.apiHTTP = f.api.client(func() *net.Resolver { return f.resolver })
}

// Client returns an HTTP client that dials nothing the guard would refuse, follows no redirects, uses no proxy and keeps
// no cookies. The caller bounds what it reads and how long.
func (g *Guard) Client() *http.Client { return g.client(func() *net.Resolver { return nil }) }

func (g *Guard) client(resolver func() *net.Resolver) *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: nil,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				d := net.Dialer{Timeout: dialTime, Control: g.control(address), Resolver: resolver()}
				return d.DialContext(ctx, network, address)
			},
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    dialTime,
			ResponseHeaderTimeout:  headerTime,
			DisableCompression:     true, // what is compressed is inflated here, under a limit
			MaxResponseHeaderBytes: 64 << 10,
			MaxIdleConnsPerHost:    idleConns,
			IdleConnTimeout:        30 * time.Second,
		},
	}
}

// Errors of a fetch that decide what happens next.
var (
	ErrExpired  = errors.New("the link had expired")
	ErrTooLarge = errors.New("larger than the limit")
	ErrCutShort = errors.New("cut short: fewer or more bytes than announced")
	ErrStalled  = errors.New("the origin stopped sending")
)

// StatusError is an answer that is neither the content nor a plain refusal.
type StatusError struct{ Status int }

func (e StatusError) Error() string { return fmt.Sprintf("the origin answered %d", e.Status) }

// Fetched is what came with the content.
type Fetched struct {
	Type    string // Content-Type as claimed; "" where none was
	Length  int64  // bytes as announced; -1 where not
	Inflate bool   // the content was gzip, and was inflated
}

// Fetch gets link and writes its content to w. begun is called once, before the first byte, with what was announced.
// inflate says that the content is expected to be gzip and to be kept inflated. The limit is on what is written.
func (f *Fetcher) Fetch(ctx context.Context, link string, inflate bool, begun func(Fetched), w io.Writer) (Fetched, error) {
	u, err := f.guard.Check(link)
	if err != nil {
		return Fetched{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return Fetched{}, RefusedError{"not a web address"}
	}
	req.Header.Set("User-Agent", "Carebell")
	resp, err := f.client.Do(req)
	if err != nil {
		if r, ok := refusal(err); ok {
			return Fetched{}, r
		}
		return Fetched{}, plainly(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body := watched(resp.Body, f.stall, cancel)
	defer body.end()
	switch {
	case resp.StatusCode == http.StatusOK:
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return Fetched{}, RefusedError{"the link leads to another address"}
	case resp.StatusCode == http.StatusForbidden && saysExpired(body):
		return Fetched{}, ErrExpired
	default:
		_, _ = io.CopyN(io.Discard, body, 4<<10) // so that the connection can be used again
		return Fetched{}, StatusError{resp.StatusCode}
	}
	got := Fetched{Type: mediaType(resp.Header.Get("Content-Type")), Length: resp.ContentLength}
	if got.Length > f.maxSize {
		return got, ErrTooLarge
	}
	begun(got)
	got.Inflate, err = f.copy(w, body, inflate || strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip"))
	return got, plainly(ctx, err)
}

// copy writes the content to w, inflated where it is gzip and that was asked for, up to the limit.
func (f *Fetcher) copy(w io.Writer, body io.Reader, inflate bool) (inflated bool, err error) {
	content := body
	if inflate {
		in := bufio.NewReader(body)
		content = in
		if head, _ := in.Peek(2); len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b {
			z, err := gzip.NewReader(in)
			if err != nil {
				return true, fmt.Errorf("not readable as gzip: %w", err)
			}
			defer func() { _ = z.Close() }()
			content, inflated = z, true
		}
	}
	buffer, _ := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	n, err := io.CopyBuffer(w, io.LimitReader(content, f.maxSize+1), *buffer)
	if err == nil && n > f.maxSize {
		err = ErrTooLarge
	}
	return inflated, err
}

// buffers are what copying needs, used again: many files are fetched at once.
var buffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// saysExpired reads S3's answer to a presigned request that is too old.
func saysExpired(body io.Reader) bool {
	b, _ := io.ReadAll(io.LimitReader(body, 4<<10))
	return strings.Contains(string(b), "expired") || strings.Contains(string(b), "ExpiredToken")
}

func mediaType(header string) string {
	t, _, err := mime.ParseMediaType(header)
	if err != nil {
		return ""
	}
	return t
}

// plainly turns an error of the network stack into words without the link, which is a secret.
func plainly(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var timeout net.Error
	switch {
	case errors.Is(context.Cause(ctx), ErrStalled):
		return ErrStalled
	case errors.Is(err, ErrTooLarge):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return ErrCutShort
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &timeout) && timeout.Timeout():
		return errors.New(db.ReasonNoAnswer)
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		return errors.New("the content is damaged gzip")
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return errors.New(db.ReasonUnreached)
	}
	var disk *diskError
	if errors.As(err, &disk) {
		return disk
	}
	return errors.New("the transfer failed")
}

// watched cancels a transfer that stands still, or nearly so, for the time stall.
func watched(body io.Reader, stall time.Duration, cancel context.CancelCauseFunc) *watchdog {
	return &watchdog{body: body, stall: stall, timer: time.AfterFunc(stall, func() { cancel(ErrStalled) })}
}

type watchdog struct {
	body  io.Reader
	stall time.Duration
	timer *time.Timer
	came  int // since the timer was set
}

func (w *watchdog) end() { w.timer.Stop() }

func (w *watchdog) Read(p []byte) (int, error) {
	n, err := w.body.Read(p)
	w.came += n
	switch {
	case err != nil:
		w.timer.Stop()
	case w.came >= leastBytes:
		w.came = 0
		w.timer.Reset(w.stall)
	}
	return n, err
}

// diskError marks an error of our own disk, to tell it from one of the origin.
type diskError struct{ err error }

func (e *diskError) Error() string { return "our disk: " + e.err.Error() }
func (e *diskError) Unwrap() error { return e.err }
