package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"carebell/db"
	"carebell/web"
	"carebell/web/chart"
	"carebell/web/intake"
	"carebell/web/metriport"
)

// burst posts many webhooks as fast as a whole server takes them, looks at a page and marks a notification meanwhile, and
// waits until the chart has all of them. Then it posts them at a steady pace.
func (o ingestBench) burst(ctx context.Context, work string, t terminal) error {
	table := benchTable{Title: fmt.Sprintf("A burst of %d signed webhooks on a whole server, %d connections", o.events, benchConnections), Yardstick: "acknowledged"}
	err := benchServer(ctx, work+"/burst", func(ctx context.Context, srv *web.Server, d *db.DB) error {
		person, err := signInAs(ctx, srv, d, db.Coordinator)
		if err != nil {
			return err
		}
		if _, err := load(srv.URL()+intake.Path, 200*time.Millisecond, 0, warmUp, benchBody); err != nil { // so that there is something to mark
			return err
		}
		if _, err := drained(ctx, d); err != nil {
			return err
		}
		stop := make(chan struct{})
		var watching sync.WaitGroup
		var pages, marks loaded
		var looked error
		watching.Go(func() { pages, marks, looked = person.work(ctx, d, stop) })
		var burstLag lag
		watching.Go(func() { burstLag = watchLag(ctx, d, stop) })
		began := now()
		l, err := load(srv.URL()+intake.Path, 0, o.events, 0, benchBody)
		took := now().Sub(began)
		close(stop)
		watching.Wait()
		if err := errors.Join(err, looked, burstLag.err); err != nil {
			return err
		}
		behind, err := drained(ctx, d)
		if err != nil {
			return err
		}
		all := now().Sub(began)
		table.Results = []benchResult{
			{Name: "acknowledged", PerSecond: l.rate, P50: l.at(0.5), P99: l.at(0.99), Ratio: 1},
			{Name: "in the chart, from the first to the last", PerSecond: float64(o.events) / all.Seconds(), Ratio: float64(o.events) / all.Seconds() / l.rate},
		}
		if all > took && behind > 0 {
			rate := float64(behind) / (all - took).Seconds()
			table.Results = append(table.Results, benchResult{Name: "into the chart, after the burst", PerSecond: rate, Ratio: rate / l.rate})
		}
		table.Notes = []string{
			fmt.Sprintf("The chart was %d messages behind at the end of the burst, and at most %.1f s; %d of %d pages said so.", behind, burstLag.most.Seconds(), person.warned(), len(pages.took)),
			fmt.Sprintf("Meanwhile the front page took %.0f ms and a mark %.0f ms at the 95th percentile (%d and %d of them).", pages.at(0.95), marks.at(0.95), len(pages.took), len(marks.took)),
		}
		steady, steadyLag, err := o.steady(ctx, srv, d)
		if err != nil {
			return err
		}
		table.Results = append(table.Results, benchResult{Name: fmt.Sprintf("at a pace of %d a second", steadyPace), PerSecond: steady.rate, P50: steady.at(0.5), P99: steady.at(0.99), Ratio: steady.rate / l.rate})
		table.Notes = append(table.Notes, fmt.Sprintf("At that pace the chart was at most %.2f s behind.", steadyLag.most.Seconds()))
		return nil
	})
	if err != nil {
		return err
	}
	return table.write(t, o.json)
}

// steadyPace is how many webhooks a second come at a steady pace: what a large customer's busiest minute brings.
const steadyPace = 1000

// steady posts webhooks at a pace and says how far the chart falls behind.
func (o ingestBench) steady(ctx context.Context, srv *web.Server, d *db.DB) (l loaded, behind lag, err error) {
	stop := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { behind = watchLag(ctx, d, stop) })
	began := now()
	const first = 2 * warmUp
	l, err = load(srv.URL()+intake.Path, o.steadily, 0, first, func(worker, n int) []byte {
		time.Sleep(began.Add(time.Duration((n-first)*benchConnections+worker) * time.Second / steadyPace).Sub(now()))
		return benchBody(worker, n)
	})
	close(stop)
	watching.Wait()
	return l, behind, errors.Join(err, behind.err)
}

// lag is how far the chart was behind what came in.
type lag struct {
	most time.Duration
	err  error
}

// watchLag looks until stop is closed.
func watchLag(ctx context.Context, d *db.DB, stop <-chan struct{}) (l lag) {
	for {
		select {
		case <-stop:
			return l
		case <-time.After(20 * time.Millisecond):
		}
		err := d.Read(ctx, func(s db.Snapshot) error {
			h, err := s.Health(ctx, chart.CursorInbox)
			if !h.OldestWaiting.IsZero() {
				l.most = max(l.most, now().Sub(h.OldestWaiting))
			}
			return err
		})
		if err != nil {
			l.err = err
			return l
		}
	}
}

// drained waits until the chart has everything, and returns how much it had to take in.
func drained(ctx context.Context, d *db.DB) (behind int64, err error) {
	for first := true; ; first = false {
		var h db.Health
		err := d.Read(ctx, func(s db.Snapshot) (err error) {
			h, err = s.Health(ctx, chart.CursorInbox)
			return err
		})
		if err != nil {
			return 0, err
		}
		if first {
			behind = h.Waiting
		}
		if h.Waiting == 0 {
			return behind, nil
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return behind, ctx.Err()
		}
	}
}

// person is somebody at a browser.
type person struct {
	client   *http.Client
	base     string
	warnings *atomic.Int64 // pages that said that the chart is behind
}

func (p person) warned() int64 { return p.warnings.Load() }

// ask gets a page, or posts a form, and says how long that took.
func (p person) ask(ctx context.Context, path string, form url.Values) (time.Duration, error) {
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, p.base+path, body)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	began := now()
	resp, err := p.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	if bytes.Contains(page, []byte(" behind what came in")) {
		p.warnings.Add(1)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return 0, fmt.Errorf("%s answered %s", path, resp.Status)
	}
	return now().Sub(began), nil
}

// work looks at the front page and marks notifications until stop is closed.
func (p person) work(ctx context.Context, d *db.DB, stop <-chan struct{}) (pages, marks loaded, err error) {
	var list []db.Notification
	err = d.Read(ctx, func(s db.Snapshot) (err error) {
		list, err = s.Notifications(ctx, db.NotificationFilter{Limit: 500})
		return err
	})
	if err != nil || len(list) == 0 {
		return pages, marks, errors.Join(err, errors.New("nothing to mark"))
	}
	for n := 0; ; n++ {
		select {
		case <-stop:
			slices.Sort(pages.took)
			slices.Sort(marks.took)
			return pages, marks, nil
		case <-time.After(20 * time.Millisecond):
		}
		took, err := p.ask(ctx, "/", nil)
		if err != nil {
			return pages, marks, err
		}
		pages.took = append(pages.took, took)
		state := []string{"seen", "done", "new"}[n/len(list)%3]
		marked := list[n%len(list)]
		if n >= len(list) { // in the second round
			err = d.Read(ctx, func(s db.Snapshot) (err error) {
				again, err := s.Notifications(ctx, db.NotificationFilter{IDs: []int64{marked.ID}, Limit: 1})
				if err == nil && len(again) == 1 {
					marked = again[0]
				}
				return err
			})
			if err != nil {
				return pages, marks, err
			}
		}
		took, err = p.ask(ctx, fmt.Sprintf("/notifications/%d/mark", marked.ID), url.Values{"state": {state}, "known": {marked.Mark.Version()}})
		if err != nil {
			return pages, marks, err
		}
		marks.took = append(marks.took, took)
	}
}

// rebuild makes the chart of many events again.
func (o ingestBench) rebuild(ctx context.Context, work string, t terminal) (err error) {
	d, err := db.Open(ctx, work+"/rebuild", db.Options{Now: now, Serve: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	in, err := d.OpenInbox(ctx, 0)
	if err != nil {
		return err
	}
	l, err := o.fill(ctx, in)
	in.Close()
	if err != nil {
		return err
	}
	began := now()
	n, err := chart.Rebuild(ctx, d, slog.New(slog.NewTextHandler(io.Discard, nil)), func(int) {})
	if err != nil {
		return err
	}
	if n != o.events {
		return fmt.Errorf("the chart has %d of %d events", n, o.events)
	}
	rate := float64(n) / now().Sub(began).Seconds()
	return benchTable{
		Title: fmt.Sprintf("The chart of %d events made again", o.events), Yardstick: "appended to the inbox",
		Results: []benchResult{{Name: "appended to the inbox", PerSecond: l.rate, Ratio: 1}, {Name: "taken into the chart", PerSecond: rate, Ratio: rate / l.rate}},
	}.write(t, o.json)
}

// fill appends events to the inbox as the receiver does.
func (o ingestBench) fill(ctx context.Context, in *db.Inbox) (l loaded, err error) {
	var wg sync.WaitGroup
	failed := make([]error, benchConnections)
	began := now()
	for worker := range benchConnections {
		wg.Go(func() {
			for n := 0; n*benchConnections+worker < o.events && failed[worker] == nil; n++ {
				body := benchBody(worker, n)
				e := metriport.ReadEnvelope(body)
				_, failed[worker] = in.Append(ctx, db.Received{MessageID: e.MessageID, Type: e.Type, SentAt: e.When, KeyID: "bench", Body: body})
			}
		})
	}
	wg.Wait()
	l.rate = float64(o.events) / now().Sub(began).Seconds()
	return l, errors.Join(failed...)
}
