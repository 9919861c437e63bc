package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"carebell/db"
	"carebell/web"
	"carebell/web/intake"
	"carebell/web/metriport"
)

// How the receiver is measured: yardsticks and the whole product in turn, several rounds, medians, all in one run on one disk.
const (
	benchConnections = 64
	benchKey         = "bench-key-of-no-account"
)

// ingestBench measures the whole product as it is served: receiver, chart, archive and live screens.
type ingestBench struct {
	rounds   int
	round    time.Duration
	events   int           // of a burst, and of a rebuild
	steadily time.Duration // how long webhooks come at a steady pace after a burst
	json     bool
}

// benchResult is one line of a table.
type benchResult struct {
	Name      string  `json:"name"`
	PerSecond float64 `json:"perSecond"`
	P50       float64 `json:"p50ms,omitempty"`
	P99       float64 `json:"p99ms,omitempty"`
	Ratio     float64 `json:"ratio,omitempty"` // to the yardstick of the table
}

// benchTable is what a bench says.
type benchTable struct {
	Title     string        `json:"title"`
	Yardstick string        `json:"yardstick"`
	Results   []benchResult `json:"results"`
	Notes     []string      `json:"notes,omitempty"`
}

func (b benchTable) write(t terminal, asJSON bool) error {
	r := b.report()
	if asJSON {
		return r.write(t)
	}
	r.table(t.out)
	return nil
}

// The variants of a round.
const (
	bareHandler = "storing nothing"
	oneCommit   = "one commit a request"
	wholeServer = "as served, everything on"
)

func (o ingestBench) ingest(ctx context.Context, work string, t terminal) error {
	names := []string{bareHandler, oneCommit, wholeServer}
	all := map[string][]loaded{}
	for round := range o.rounds {
		for i, name := range names {
			l, err := o.measure(ctx, name, fmt.Sprintf("%s/%d-%d", work, round, i))
			if err != nil {
				return fmt.Errorf("measuring %q: %w", name, err)
			}
			all[name] = append(all[name], l)
			fmt.Fprintf(t.log, "round %d of %d: %-42s %8.0f /s\n", round+1, o.rounds, name, l.rate)
		}
	}
	table := benchTable{Title: fmt.Sprintf("Signed webhooks acknowledged, %d connections, median of %d rounds of %s", benchConnections, o.rounds, o.round), Yardstick: bareHandler}
	rates := map[string]float64{}
	for _, name := range names {
		l := middle(all[name])
		rates[name] = l.rate
		table.Results = append(table.Results, benchResult{Name: name, PerSecond: l.rate, P50: l.at(0.5), P99: l.at(0.99), Ratio: l.rate / rates[bareHandler]})
	}
	table.Notes = append(table.Notes, fmt.Sprintf("As served is %.2f of storing nothing and %.2f times one commit a request.", rates[wholeServer]/rates[bareHandler], rates[wholeServer]/rates[oneCommit]))
	return table.write(t, o.json)
}

// loaded is how a load went.
type loaded struct {
	rate float64         // acknowledgements a second
	took []time.Duration // of each request, sorted
}

// at is the time in milliseconds below which that part of the requests was answered.
func (l loaded) at(part float64) float64 {
	if len(l.took) == 0 {
		return 0
	}
	return float64(l.took[min(int(part*float64(len(l.took))), len(l.took)-1)].Microseconds()) / 1000
}

// middle is the one with the median rate.
func middle(all []loaded) loaded {
	slices.SortFunc(all, func(a, b loaded) int { return cmp.Compare(a.rate, b.rate) })
	return all[len(all)/2]
}

// measure serves one variant on loopback for one round.
func (o ingestBench) measure(ctx context.Context, name, dir string) (l loaded, err error) {
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	switch name {
	case wholeServer:
		err = benchServer(ctx, dir, func(_ context.Context, srv *web.Server, _ *db.DB) error {
			l, err = load(srv.URL()+intake.Path, o.round, 0, 0, benchBody)
			return err
		})
		return l, err
	case bareHandler:
		return o.receiver(ctx, nowhere{})
	}
	d, err := db.Open(ctx, dir, db.Options{Now: now, Serve: true})
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	in, err := d.OpenInbox(ctx, 1)
	if err != nil {
		return l, err
	}
	defer in.Close()
	return o.receiver(ctx, in)
}

// receiver serves the webhook alone.
func (o ingestBench) receiver(ctx context.Context, store intake.Inbox) (loaded, error) {
	app := fiber.New(fiber.Config{DisableStartupMessage: true, BodyLimit: intake.MaxBody, Immutable: true})
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	receiver := &intake.Receiver{Keys: []intake.Key{{Value: benchKey}}, Inbox: store, Now: now, Log: log, Refused: &intake.Refusals{}, Accepted: func() {}}
	app.Post(intake.Path, receiver.Handle)
	listener, err := listenLoopback(ctx)
	if err != nil {
		return loaded{}, err
	}
	var background sync.WaitGroup
	background.Go(func() { _ = app.Listener(listener) })
	defer background.Wait()
	defer func() { _ = app.ShutdownWithTimeout(5 * time.Second) }()
	return load("http://"+listener.Addr().String()+intake.Path, o.round, 0, 0, benchBody)
}

// benchServer runs a whole server on a folder of its own while f runs.
func benchServer(ctx context.Context, dir string, f func(ctx context.Context, srv *web.Server, d *db.DB) error) error {
	return benchServerOn(ctx, web.Config{
		Addr: "127.0.0.1:0", Keys: []intake.Key{{Value: benchKey}}, Zone: time.UTC, Now: now, DataDir: dir, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}, f)
}

// warmUp is the number that the first webhooks of a bench begin with, so that the others are not the same.
const warmUp = 1 << 24

// load posts signed webhooks over benchConnections connections: for a time, or so many where events is not 0. Each of a
// connection has a number from first on, and the body that body makes of it.
func load(url string, round time.Duration, events, first int, body func(worker, n int) []byte) (l loaded, err error) {
	client := &fasthttp.Client{MaxConnsPerHost: benchConnections, ReadTimeout: 15 * time.Second, WriteTimeout: 15 * time.Second}
	defer client.CloseIdleConnections()
	var refused atomic.Int64
	var wg sync.WaitGroup
	took := make([][]time.Duration, benchConnections)
	began := now()
	until := began.Add(round)
	for worker := range benchConnections {
		wg.Go(func() {
			req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
			defer fasthttp.ReleaseRequest(req)
			defer fasthttp.ReleaseResponse(resp)
			req.SetRequestURI(url)
			req.Header.SetMethod(fasthttp.MethodPost)
			for n := 0; events > 0 && n*benchConnections+worker < events || events == 0 && now().Before(until); n++ {
				b := body(worker, first+n)
				req.Header.Set(metriport.SignatureHeader, metriport.Sign(benchKey, b))
				req.SetBody(b)
				asked := now()
				if err := client.Do(req, resp); err != nil || resp.StatusCode() != fasthttp.StatusOK {
					refused.Add(1)
					continue
				}
				took[worker] = append(took[worker], now().Sub(asked))
			}
		})
	}
	wg.Wait()
	if n := refused.Load(); n > 0 {
		return l, fmt.Errorf("%d webhooks were not acknowledged", n)
	}
	l.took = slices.Sorted(slices.Values(slices.Concat(took...)))
	l.rate = float64(len(l.took)) / now().Sub(began).Seconds()
	return l, nil
}

// benchBody is an admit of a size as the sender makes them, about 900 bytes, of one of many patients.
func benchBody(worker, n int) []byte {
	patient := (n*benchConnections + worker) * 7919 % 20_000
	return fmt.Appendf(nil, `{"meta":{"messageId":"%08x-0000-7000-8000-%012x","when":"2026-01-05T15:04:05.123Z","type":"patient.admit"},"payload":{"url":"https://sample.invalid/objects/%032x?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=SAMPLE%%2F20260105%%2Fus-west-1%%2Fs3%%2Faws4_request&X-Amz-Date=20260105T150405Z&X-Amz-Expires=600&X-Amz-Signature=%064x&X-Amz-SignedHeaders=host","patientId":"0195a2b1-0000-7000-8000-%012x","externalId":"%06d","additionalIds":{"athenahealth":["%06d"]},"admitTimestamp":"2026-01-05T14:%02d:%02d.000Z","whenSourceSent":"2026-01-05T15:03:59.000Z"}}`,
		worker, n, n, n, patient, patient, patient, n%60, worker%60)
}

// nowhere acknowledges without storing: the yardstick.
type nowhere struct{}

func (nowhere) Append(context.Context, db.Received) (db.Receipt, error) { return db.Receipt{}, nil }
