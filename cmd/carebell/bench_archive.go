package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"carebell/db"
	"carebell/web"
	"carebell/web/chart"
	"carebell/web/intake"
	"carebell/web/sim"
)

// archiveBench measures whether links are fetched before they die: by a whole server, from an origin on this computer.
type archiveBench struct {
	documents int // in each of the two parts
	size      int // KiB of a document
	outage    time.Duration
	life      time.Duration // of a link
	away      time.Duration // how long the origin takes to answer
	queue     int           // links that wait while acknowledgements are counted
}

// unlinked makes the bodies of one round of admits without a link.
func unlinked(round int) func(worker, n int) []byte {
	return func(worker, n int) []byte {
		return fmt.Appendf(nil, `{"meta":{"messageId":"bench-%d-%d-%d","when":"2026-01-05T15:04:05.123Z","type":"patient.admit"},"payload":{"patientId":"bench-%d","externalId":"%06d","admitTimestamp":"2026-01-05T14:%02d:%02d.000Z"}}`,
			round, worker, n, n%5000, n%5000, n%60, worker%60)
	}
}

// perMessage is how many documents one webhook names.
const perMessage = 100

func (o archiveBench) run(ctx context.Context, dir string, t terminal) error {
	switch {
	case o.documents < 1 || o.documents > 100_000:
		return fmt.Errorf("--documents is %d: choose a number from 1 to 100000", o.documents)
	case o.size < 1 || o.size > 64<<10:
		return fmt.Errorf("--size is %d: choose a number of KiB from 1 to 65536", o.size)
	case o.outage <= 0 || o.life <= o.outage || o.life > 7*24*time.Hour:
		return fmt.Errorf("--outage is %s and --life is %s: links must outlive the outage, for at most 7 days", o.outage, o.life)
	}
	if o.away < 0 || o.away > time.Second || o.queue < 0 || o.queue > 1_000_000 {
		return fmt.Errorf("--away is %s and --queue is %d: choose at most 1s, and at most 1000000 links", o.away, o.queue)
	}
	from := &origin{size: o.size << 10, life: o.life, away: o.away, asked: map[string]time.Time{}}
	listener, err := listenLoopback(ctx)
	if err != nil {
		return fmt.Errorf("cannot start an origin to fetch from: %w", err)
	}
	from.base = "http://" + listener.Addr().String()
	serving := &http.Server{Handler: from, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = serving.Serve(listener) }()
	defer func() { _ = serving.Close() }()

	cfg := web.Config{
		Addr: "127.0.0.1:0", Keys: []intake.Key{{Value: benchKey}}, Zone: time.UTC, Now: now, DataDir: dir, DownloadHosts: []string{listener.Addr().String()},
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	return withServer(ctx, cfg, func(srv *web.Server, _ *db.DB) error {
		ctx, stop := context.WithCancel(ctx)
		g, ctx := errgroup.WithContext(ctx)
		g.Go(func() error { return srv.Run(ctx) })
		g.Go(func() error {
			defer stop()
			return o.measure(ctx, srv, from, dir, t)
		})
		return g.Wait()
	})
}

func (o archiveBench) measure(ctx context.Context, srv *web.Server, from *origin, dir string, t terminal) (err error) {
	d, err := db.Open(ctx, dir, db.Options{Now: now}) // beside the server, to look
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	w := &watched{db: d, origin: from, hook: srv.URL() + intake.Path}

	fmt.Fprintf(t.log, "getting %d documents of %d KiB, %d at once\n", o.documents, o.size, plainAtOnce)
	plain, err := from.getAll(ctx, o.documents)
	if err != nil {
		return fmt.Errorf("getting documents for comparison: %w", err)
	}
	fmt.Fprintln(t.log, "sending as many, with the origin up")
	up, err := w.send(ctx, "up", o.documents, 0)
	if err != nil {
		return err
	}
	fmt.Fprintf(t.log, "sending as many again, with the origin down for %s\n", o.outage)
	down, err := w.send(ctx, "down", o.documents, o.outage)
	if err != nil {
		return err
	}
	waiting, err := o.acknowledgements(ctx, w, t)
	if err != nil {
		return err
	}

	r := benchReport{Title: fmt.Sprintf("Documents of %d KiB whose links live %s, %d in each part, %s away", o.size, o.life, o.documents, o.away)}
	rate, yardstick := float64(o.documents)/up.took.Seconds(), float64(o.documents)/plain.Seconds()
	plainly := fmt.Sprintf("plain GETs, %d at once", plainAtOnce)
	r.add(plainly, yardstick, "/s")
	r.against("downloads, encrypted and durable", rate, "/s", plainly, yardstick)
	r.add("stored before expiry, origin up", float64(up.inTime), "documents")
	r.add("stored before expiry, origin down", float64(down.inTime), "documents")
	r.add("from the answer to the first byte asked for", up.latest.Seconds()*1000, "ms at most")
	waiting.report(&r, o.queue)
	r.Notes = append(r.Notes,
		fmt.Sprintf("origin up:                       stored before expiry %s", up),
		fmt.Sprintf("origin down for %-16s stored before expiry %s", o.outage.String()+":", down))
	if err := r.write(t); err != nil {
		return err
	}
	if up.inTime != o.documents || down.inTime != o.documents {
		return errors.New("not every document was stored before its link expired")
	}
	return nil
}

// plainAtOnce is how many plain GETs run at once for comparison: as many as the archive's places of one host.
const plainAtOnce = 64

// burden is what waiting links cost the receiver.
type burden struct{ without, with float64 } // acknowledgements per second

func (b burden) report(r *benchReport, queue int) {
	if b.with == 0 {
		return
	}
	const without = "acknowledgements while no link waits"
	r.add(without, b.without, "/s")
	r.against(fmt.Sprintf("acknowledgements while %d links wait", queue), b.with, "/s", without, b.without)
}

// acknowledgements counts how many webhooks are acknowledged while no link waits, and while many do, of an origin that is
// down. Each is the best of three rounds.
func (o archiveBench) acknowledgements(ctx context.Context, w *watched, t terminal) (b burden, err error) {
	if o.queue == 0 {
		return b, nil
	}
	fmt.Fprintf(t.log, "counting acknowledgements without and with %d links waiting\n", o.queue)
	rounds := 0
	best := func(out *float64) error {
		for range 3 {
			rounds++
			l, err := load(w.hook, 2*time.Second, 0, 0, unlinked(rounds))
			if err != nil {
				return err
			}
			*out = max(*out, l.rate)
			if err := w.caughtUp(ctx); err != nil {
				return err
			}
		}
		return nil
	}
	if err := best(&b.without); err != nil {
		return b, err
	}
	w.origin.down.Store(true)
	w.origin.life = 6 * 24 * time.Hour // they wait until the end
	defer w.origin.down.Store(false)
	if err := w.post(ctx, "queue", o.queue, 100, func(string) {}); err != nil {
		return b, err
	}
	if err := w.caughtUp(ctx); err != nil {
		return b, err
	}
	return b, best(&b.with)
}

// part is how the documents of one part ended.
type part struct {
	sent    int
	inTime  int           // stored before their link died
	missing int           // links that nothing is known of
	latest  time.Duration // from the answer to a webhook to the first byte asked for
	took    time.Duration // from the first webhook to the last document
}

func (p part) String() string {
	return fmt.Sprintf("%d of %d, missing %d", p.inTime, p.sent, p.missing)
}

// watched is a server that is sent documents, and the database behind it.
type watched struct {
	db     *db.DB
	origin *origin
	hook   string
}

// send sends n documents, the origin being down for so long from then on, and waits until each has ended.
func (w *watched) send(ctx context.Context, name string, n int, outage time.Duration) (part, error) {
	before, err := w.report(ctx)
	if err != nil {
		return part{}, err
	}
	if outage > 0 {
		w.origin.down.Store(true)
		defer time.AfterFunc(outage, func() { w.origin.down.Store(false) }).Stop()
	}
	answered := map[string]time.Time{}
	began := now()
	if err := w.post(ctx, name, n, perMessage, func(path string) { answered[path] = now() }); err != nil {
		return part{}, err
	}
	p := part{sent: n}
	for {
		r, err := w.report(ctx)
		if err != nil {
			return p, err
		}
		p.inTime, p.missing = r.InTime-before.InTime, n-(r.Total-before.Total)
		if p.missing == 0 && r.Waiting == 0 {
			break
		}
		if now().Sub(began) > w.origin.life+time.Minute { // whatever still waits has lost
			break
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return p, ctx.Err()
		}
	}
	p.took = now().Sub(began)
	w.origin.mu.Lock()
	defer w.origin.mu.Unlock()
	for path, at := range answered {
		p.latest = max(p.latest, w.origin.asked[path].Sub(at))
	}
	return p, nil
}

// post sends n documents, so many in each message.
func (w *watched) post(ctx context.Context, name string, n, each int, answered func(path string)) error {
	client := &http.Client{Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	for i := 0; i < n; i += each {
		var paths []string
		for j := i; j < min(i+each, n); j++ {
			paths = append(paths, fmt.Sprintf("/%s/%d", name, j))
		}
		status, answer, err := sim.Post(ctx, client, w.hook, benchKey, w.origin.message(name, i, paths))
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("answered %d: %s", status, answer)
		}
		if err != nil {
			return fmt.Errorf("a webhook was not taken: %w", err)
		}
		for _, p := range paths {
			answered(p)
		}
	}
	return nil
}

// caughtUp waits until the chart has every message.
func (w *watched) caughtUp(ctx context.Context) error {
	for {
		var left int64
		err := w.db.Read(ctx, func(v db.Snapshot) error {
			h, err := v.Health(ctx, chart.CursorInbox)
			left = h.Waiting
			return err
		})
		if err != nil || left == 0 {
			return err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (w *watched) report(ctx context.Context) (r db.DownloadReport, err error) {
	err = w.db.Read(ctx, func(v db.Snapshot) error {
		r, err = v.DownloadReport(ctx)
		return err
	})
	return r, err
}

// origin serves documents, each of its own content, and can be down: then it breaks every connection.
type origin struct {
	base string
	size int
	life time.Duration
	away time.Duration
	down atomic.Bool

	mu    sync.Mutex
	asked map[string]time.Time // when a path was asked for first
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	if _, ok := o.asked[r.URL.Path]; !ok {
		o.asked[r.URL.Path] = now()
	}
	o.mu.Unlock()
	if o.down.Load() {
		panic(http.ErrAbortHandler)
	}
	time.Sleep(o.away)
	var seed [32]byte
	copy(seed[:], r.URL.Path)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(o.size))
	_, _ = io.CopyN(w, rand.NewChaCha8(seed), int64(o.size)) // the reader may go
}

// message is a signed webhook's body that names the documents at paths.
func (o *origin) message(name string, n int, paths []string) []byte {
	at := now().UTC()
	q := url.Values{"X-Amz-Date": {at.Format("20060102T150405Z")}, "X-Amz-Expires": {strconv.Itoa(int(o.life / time.Second))}}
	var documents []string
	for i, p := range paths {
		documents = append(documents, fmt.Sprintf(`{"id":"%d-%d","fileName":"document-%d.bin","url":"%s%s?%s"}`, n, i, n+i, o.base, p, q.Encode()))
	}
	return fmt.Appendf(nil, `{"meta":{"messageId":"bench-%s-%d","when":%q,"type":"medical.document-bulk-download-paged"},"patients":[{"patientId":"bench-%d","status":"completed","documents":[%s]}]}`,
		name, n, at.Format(time.RFC3339Nano), n%500, strings.Join(documents, ","))
}

// getAll gets n documents, plainAtOnce at once, and returns how long that took.
func (o *origin) getAll(ctx context.Context, n int) (time.Duration, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: plainAtOnce}}
	defer client.CloseIdleConnections()
	began := now()
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range plainAtOnce {
		g.Go(func() error {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/plain/%d", o.base, i), nil)
				if err != nil {
					return err
				}
				resp, err := client.Do(req)
				if err != nil {
					return err
				}
				_, err = io.Copy(io.Discard, resp.Body)
				if err = errors.Join(err, resp.Body.Close()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := g.Wait()
	return now().Sub(began), err
}
