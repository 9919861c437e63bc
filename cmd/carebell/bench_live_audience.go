package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	client "github.com/fasthttp/websocket"
	"github.com/valyala/fasthttp"

	"carebell/web/metriport"
)

// liveSender posts webhooks one after the other, so that each has the next number of the inbox.
type liveSender struct {
	url            string
	client         *fasthttp.Client
	run            int64 // tells its webhooks from those of another time
	n              int
	seq            int64
	sent, answered map[int64]time.Time
}

func (s *liveSender) post() error {
	if s.sent == nil {
		s.sent, s.answered = map[int64]time.Time{}, map[int64]time.Time{}
	}
	s.n++
	body := liveBody(s.run, s.n)
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	req.SetRequestURI(s.url)
	req.Header.SetMethod(fasthttp.MethodPost)
	req.Header.Set(metriport.SignatureHeader, metriport.Sign(benchKey, body))
	req.SetBody(body)
	sent := now()
	if err := s.client.Do(req, resp); err != nil || resp.StatusCode() != fasthttp.StatusOK {
		return errors.Join(errors.New("a webhook was not acknowledged"), err)
	}
	s.seq++
	s.sent[s.seq], s.answered[s.seq] = sent, now()
	return nil
}

// liveBody is a notice of a patient of its own, without a record.
func liveBody(run int64, n int) []byte {
	return fmt.Appendf(nil, `{"meta":{"messageId":"live-%x-%08x","when":"2026-01-05T15:04:05.123Z","type":"patient.admit"},"payload":{"patientId":"live-%x-%08x","externalId":"%06d","admitTimestamp":"2026-01-05T14:00:00.000Z"}}`, run, n, run, n, n)
}

// liveAudience is the other end of many sockets.
type liveAudience struct {
	listeners []*liveListener
	reading   sync.WaitGroup
	frames    atomic.Int64
	bytes     atomic.Int64
	buffers   sync.Pool
}

// liveListener is one of them.
type liveListener struct {
	conn *client.Conn
	last atomic.Int64 // number of the latest notification it was sent, counted from the first that any was

	mu  sync.Mutex
	got []liveArrival
}

type liveArrival struct {
	seq int64
	at  time.Time
}

func (l *liveListener) taken() []liveArrival {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.got
}

// open opens sockets until there are n.
func (a *liveAudience) open(ctx context.Context, n int, at func(i int) (string, http.Header)) error {
	const atOnce = 32
	dialer := client.Dialer{ReadBufferSize: 512, WriteBufferSize: 128, WriteBufferPool: &sync.Pool{}, HandshakeTimeout: time.Minute}
	from := len(a.listeners)
	fresh := make([]*liveListener, n-from)
	failed := make([]error, atOnce)
	var wg sync.WaitGroup
	for worker := range atOnce {
		wg.Go(func() {
			for i := worker; i < len(fresh) && failed[worker] == nil; i += atOnce {
				address, header := at(from + i)
				conn, _, err := dialer.DialContext(ctx, address, header) //nolint:bodyclose // that of an upgrade is empty
				if err != nil {
					failed[worker] = fmt.Errorf("opening socket %d: %w", from+i, err)
					return
				}
				fresh[i] = &liveListener{conn: conn}
				a.reading.Go(func() { a.listen(fresh[i]) })
			}
		})
	}
	wg.Wait()
	for _, l := range fresh {
		if l != nil {
			a.listeners = append(a.listeners, l)
		}
	}
	return errors.Join(failed...)
}

var liveKey = []byte(`data-key="`)

// listen reads frames and notes when each notification was in one for the first time.
func (a *liveAudience) listen(l *liveListener) {
	for {
		_, from, err := l.conn.NextReader()
		if err != nil {
			return
		}
		buf, _ := a.buffers.Get().(*bytes.Buffer)
		if buf == nil {
			buf = &bytes.Buffer{}
		}
		buf.Reset()
		if _, err := io.Copy(buf, from); err != nil {
			return
		}
		at := now()
		a.frames.Add(1)
		a.bytes.Add(int64(buf.Len()))
		last := l.last.Load()
		most := last
		l.mu.Lock()
		for rest := buf.Bytes(); ; {
			i := bytes.Index(rest, liveKey)
			if i < 0 {
				break
			}
			rest = rest[i+len(liveKey):]
			number, _, _ := bytes.Cut(rest, []byte(`"`))
			key, err := strconv.ParseInt(string(number), 10, 64)
			if seq := key / 1024; err == nil && seq > last {
				l.got = append(l.got, liveArrival{seq, at})
				most = max(most, seq)
			}
		}
		l.mu.Unlock()
		l.last.Store(most)
		a.buffers.Put(buf)
	}
}

// start forgets what came before.
func (a *liveAudience) start() {
	for _, l := range a.listeners {
		l.mu.Lock()
		l.got = nil
		l.mu.Unlock()
	}
}

// have waits until every socket has the notification with a number.
func (a *liveAudience) have(ctx context.Context, seq int64) error {
	for deadline := now().Add(time.Minute); ; {
		missing := 0
		for _, l := range a.listeners {
			if l.last.Load() < seq {
				missing++
			}
		}
		if missing == 0 {
			return nil
		}
		if now().After(deadline) {
			return fmt.Errorf("after a minute %d of %d sockets have not got a change", missing, len(a.listeners))
		}
		if err := wait(ctx, time.Millisecond); err != nil {
			return err
		}
	}
}

func (a *liveAudience) close() {
	for _, l := range a.listeners {
		_ = l.conn.Close()
	}
	a.reading.Wait()
}
