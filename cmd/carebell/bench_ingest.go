package main

import (
	"context"
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
	"carebell/web/chart"
	"carebell/web/intake"
	"carebell/web/metriport"
)

// How the receiver is measured: three ways in turn, several rounds, medians, all in one run on one disk.
const (
	benchConnections = 64
	benchRound       = 2 * time.Second
	benchRounds      = 5
	benchKey         = "bench-key-of-no-account"
)

// variant is one way to make a webhook durable, or not.
type variant struct {
	name      string
	group     int  // most deliveries of one commit; 0 = the usual
	store     bool // false: acknowledge without storing
	projector bool
}

var variants = []variant{
	{name: "storing nothing"},
	{name: "one commit a request", group: 1, store: true},
	{name: "as served, receiver alone", store: true},
	{name: "as served, with the chart kept beside it", store: true, projector: true},
}

func benchIngest(ctx context.Context, work string, t terminal) error {
	rates := make([][]float64, len(variants))
	for round := range benchRounds {
		for i, v := range variants {
			rate, err := measure(ctx, v, fmt.Sprintf("%s/%d-%d", work, round, i))
			if err != nil {
				return fmt.Errorf("measuring %q: %w", v.name, err)
			}
			rates[i] = append(rates[i], rate)
			fmt.Fprintf(t.log, "round %d of %d: %-42s %8.0f /s\n", round+1, benchRounds, v.name, rate)
		}
	}
	median := func(i int) float64 { slices.Sort(rates[i]); return rates[i][len(rates[i])/2] }
	fmt.Fprintf(t.out, "Signed webhooks acknowledged per second, %d connections, median of %d rounds of %s:\n", benchConnections, benchRounds, benchRound)
	for i, v := range variants {
		fmt.Fprintf(t.out, "  %-42s %8.0f /s\n", v.name, median(i))
	}
	fmt.Fprintf(t.out, "Ratio to storing nothing:       %.2f (at least 0.25)\n", median(2)/median(0))
	fmt.Fprintf(t.out, "Ratio to one commit a request:  %.2f (at least 4)\n", median(2)/median(1))
	return nil
}

// measure serves one variant on loopback and returns how many signed webhooks a second it acknowledged.
func measure(ctx context.Context, v variant, dir string) (_ float64, err error) {
	var store intake.Inbox = nowhere{}
	var background sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer func() { cancel(); background.Wait() }()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	accepted := func() {}
	if v.store {
		d, err := db.Open(ctx, dir, db.Options{Now: now, Serve: true})
		if err != nil {
			return 0, err
		}
		defer func() { cancel(); background.Wait(); _ = d.Close(); _ = os.RemoveAll(dir) }()
		in, err := d.OpenInbox(ctx, v.group)
		if err != nil {
			return 0, err
		}
		defer in.Close()
		store = in
		if v.projector {
			p := chart.New(d, log)
			accepted = p.Wake
			background.Go(func() { _ = p.Run(ctx) })
		}
	}
	app := fiber.New(fiber.Config{DisableStartupMessage: true, BodyLimit: intake.MaxBody, Immutable: true})
	receiver := &intake.Receiver{Keys: []intake.Key{{Value: benchKey}}, Inbox: store, Now: now, Log: log, Refused: &intake.Refusals{}, Accepted: accepted}
	app.Post(intake.Path, receiver.Handle)
	listener, err := listenLoopback(ctx)
	if err != nil {
		return 0, err
	}
	background.Go(func() { _ = app.Listener(listener) })
	defer func() { _ = app.ShutdownWithTimeout(5 * time.Second) }()
	return load("http://"+listener.Addr().String()+intake.Path, benchBody)
}

// load posts signed webhooks over benchConnections connections for one round, each with the body that body makes.
func load(url string, body func(worker, n int) []byte) (float64, error) {
	client := &fasthttp.Client{MaxConnsPerHost: benchConnections, ReadTimeout: 15 * time.Second, WriteTimeout: 15 * time.Second}
	defer client.CloseIdleConnections()
	var acknowledged, refused atomic.Int64
	var wg sync.WaitGroup
	began := now()
	until := began.Add(benchRound)
	for worker := range benchConnections {
		wg.Go(func() {
			req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
			defer fasthttp.ReleaseRequest(req)
			defer fasthttp.ReleaseResponse(resp)
			req.SetRequestURI(url)
			req.Header.SetMethod(fasthttp.MethodPost)
			for n := 0; now().Before(until); n++ {
				b := body(worker, n)
				req.Header.Set(metriport.SignatureHeader, metriport.Sign(benchKey, b))
				req.SetBody(b)
				if err := client.Do(req, resp); err != nil || resp.StatusCode() != fasthttp.StatusOK {
					refused.Add(1)
					continue
				}
				acknowledged.Add(1)
			}
		})
	}
	wg.Wait()
	if n := refused.Load(); n > 0 {
		return 0, fmt.Errorf("%d webhooks were not acknowledged", n)
	}
	return float64(acknowledged.Load()) / now().Sub(began).Seconds(), nil
}

// benchBody is an admit of a size as the sender makes them, about 900 bytes, of one of many patients.
func benchBody(worker, n int) []byte {
	return fmt.Appendf(nil, `{"meta":{"messageId":"%08x-0000-7000-8000-%012x","when":"2026-01-05T15:04:05.123Z","type":"patient.admit"},"payload":{"url":"https://sample.invalid/objects/%032x?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=SAMPLE%%2F20260105%%2Fus-west-1%%2Fs3%%2Faws4_request&X-Amz-Date=20260105T150405Z&X-Amz-Expires=600&X-Amz-Signature=%064x&X-Amz-SignedHeaders=host","patientId":"0195a2b1-0000-7000-8000-%012x","externalId":"%06d","additionalIds":{"athenahealth":["%06d"]},"admitTimestamp":"2026-01-05T14:%02d:%02d.000Z","whenSourceSent":"2026-01-05T15:03:59.000Z"}}`,
		worker, n, n, n, n%5000, n%5000, n%5000, n%60, worker%60)
}

// nowhere acknowledges without storing: the yardstick.
type nowhere struct{}

func (nowhere) Append(context.Context, db.Received) (db.Receipt, error) { return db.Receipt{}, nil }
