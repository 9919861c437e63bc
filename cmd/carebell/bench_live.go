package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"

	client "github.com/fasthttp/websocket"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/websocket/v2"
	"github.com/valyala/fasthttp"

	"carebell/db"
	"carebell/web"
	"carebell/web/care"
	"carebell/web/chart"
	"carebell/web/intake"
	"carebell/web/live"
)

// liveBench measures open screens: a whole server, sockets of three roles over many filters, and signed webhooks at a rate.
// The yardstick is a server that does nothing but send a frame of the same size to as many sockets, in the same process.
type liveBench struct {
	sockets  int
	filters  int
	events   int     // webhooks that are timed
	rate     float64 // of them a second
	existing int     // webhooks that are put into the chart before
	folder   string  // a data folder to measure in, which is written to; "" = a new one
}

// run measures in the folder dir, which is thrown away afterwards.
func (o liveBench) run(ctx context.Context, dir string, t terminal) error {
	if o.sockets < 1 || o.filters < 1 || o.events < 1 || o.rate <= 0 {
		return errors.New("--sockets, --filters, --events and --rate must be positive")
	}
	r := benchReport{Name: "live", Title: fmt.Sprintf("%d open feeds over %d filters and three roles, %d webhooks at %g a second", o.sockets, o.filters, o.events, o.rate)}
	var frame int
	if o.folder == "" {
		o.folder = filepath.Join(dir, "live")
	}
	err := benchServer(ctx, o.folder, func(ctx context.Context, srv *web.Server, d *db.DB) (err error) {
		frame, err = o.whole(ctx, srv, d, &r, t)
		return err
	})
	if err != nil {
		return err
	}
	if err := o.bare(ctx, frame, &r, t); err != nil {
		return err
	}
	r.compare("answer to frame, p99", bareFanOut+", p99")
	r.compare("memory of a socket, both ends", bareFanOut+", memory of a socket, both ends")
	return r.write(t)
}

const bareFanOut = "frames of that size alone"

// whole measures the product, and returns the usual size of a frame.
func (o liveBench) whole(ctx context.Context, srv *web.Server, d *db.DB, r *benchReport, t terminal) (frame int, err error) {
	hook := srv.URL() + intake.Path
	if o.existing > 0 {
		fmt.Fprintf(t.log, "filling in %d webhooks\n", o.existing)
		if _, err := load(hook, 0, o.existing, warmUp, benchBody); err != nil {
			return 0, err
		}
	}
	if _, err := drained(ctx, d); err != nil {
		return 0, err
	}
	var h db.Health
	if err := d.Read(ctx, func(v db.Snapshot) (err error) {
		h, err = v.Health(ctx, chart.CursorInbox)
		return err
	}); err != nil {
		return 0, err
	}
	r.add("webhooks before", float64(h.Head), "")
	sender := &liveSender{run: now().UnixNano(), url: hook, client: &fasthttp.Client{ReadTimeout: 15 * time.Second}, seq: h.Head}
	defer sender.client.CloseIdleConnections()
	alone, _, err := o.cost(ctx, srv, d, sender, nil)
	if err != nil {
		return 0, err
	}
	r.add("a webhook where nobody looks, statements", alone, "")
	var cookies []http.Header
	for _, role := range db.Roles {
		h, err := liveLogin(ctx, srv, d, role)
		if err != nil {
			return 0, err
		}
		cookies = append(cookies, h)
	}
	var head int64
	if err := d.Read(ctx, func(v db.Snapshot) error {
		sum, err := v.Summary(ctx, 1)
		head = sum.Head
		return err
	}); err != nil {
		return 0, err
	}
	audience := &liveAudience{}
	defer audience.close()
	at := func(i int) (string, http.Header) {
		q := liveFilter(i % o.filters)
		q.Set("view", "feed")
		q.Set("since", strconv.FormatInt(head, 10))
		return "ws" + srv.URL()[len("http"):] + "/live?" + q.Encode(), cookies[i/o.filters%len(cookies)]
	}
	before := memory()
	few := min(o.sockets, o.filters*len(cookies))
	for _, n := range []int{few, o.sockets} {
		fmt.Fprintf(t.log, "opening %d sockets\n", n)
		if err := audience.open(ctx, n, at); err != nil {
			return 0, err
		}
		for deadline := now().Add(time.Minute); ; {
			sockets, _, sent := srv.LiveCounts()
			if sockets == n && sent >= int64(n) {
				break
			}
			if now().After(deadline) {
				return 0, fmt.Errorf("%d of %d sockets are open after a minute", sockets, n)
			}
			if err := wait(ctx, 20*time.Millisecond); err != nil {
				return 0, err
			}
		}
		took := memory() - before
		statements, drawn, err := o.cost(ctx, srv, d, sender, audience)
		if err != nil {
			return 0, err
		}
		of := fmt.Sprintf("a webhook that %d sockets of %d views show", n, few)
		r.add(of+", statements", statements, "")
		r.add(of+", drawn", drawn, "")
		if n == o.sockets {
			r.add("memory of a socket, both ends", took/1024/float64(n), "KiB")
		}
	}
	fmt.Fprintf(t.log, "%d webhooks at %g a second\n", o.events, o.rate)
	audience.start()
	frames := audience.frames.Load()
	size := audience.bytes.Load()
	first := sender.seq + 1
	began := now()
	for n := range o.events {
		if err := wait(ctx, began.Add(time.Duration(float64(n)/o.rate*float64(time.Second))).Sub(now())); err != nil {
			return 0, err
		}
		if err := sender.post(); err != nil {
			return 0, err
		}
	}
	if err := audience.have(ctx, sender.seq); err != nil {
		return 0, err
	}
	var sent, answered []time.Duration
	for _, l := range audience.listeners {
		for _, a := range l.taken() {
			if a.seq >= first {
				sent, answered = append(sent, a.at.Sub(sender.sent[a.seq])), append(answered, a.at.Sub(sender.answered[a.seq]))
			}
		}
	}
	if want := o.events * o.sockets; len(sent) != want {
		return 0, fmt.Errorf("%d rows came to the sockets, want %d: every one once", len(sent), want)
	}
	r.delays("answer to frame", answered)
	r.delays("send to frame", sent)
	frames, size = audience.frames.Load()-frames, audience.bytes.Load()-size
	frame = int(size / max(frames, 1))
	r.add("frame, bytes", float64(frame), "")
	r.add("frame, of a socket", float64(frames)/float64(o.sockets), "")
	return frame, nil
}

// cost is what one change takes: statements, and updates drawn. The smallest of a few, because others work beside it.
func (o liveBench) cost(ctx context.Context, srv *web.Server, d *db.DB, sender *liveSender, audience *liveAudience) (statements, drawn float64, err error) {
	statements, drawn = math.Inf(1), math.Inf(1)
	for range 5 {
		if err := wait(ctx, 200*time.Millisecond); err != nil { // what came before is told
			return 0, 0, err
		}
		asked := d.Statements()
		_, pens, _ := srv.LiveCounts()
		if err := sender.post(); err != nil {
			return 0, 0, err
		}
		if _, err := drained(ctx, d); err != nil {
			return 0, 0, err
		}
		if audience != nil {
			if err := audience.have(ctx, sender.seq); err != nil {
				return 0, 0, err
			}
		}
		_, after, _ := srv.LiveCounts()
		statements, drawn = min(statements, float64(d.Statements()-asked)), min(drawn, float64(after-pens))
	}
	return statements, drawn, nil
}

// bare measures the yardstick.
func (o liveBench) bare(ctx context.Context, frame int, r *benchReport, t terminal) error {
	fmt.Fprintf(t.log, "the same without the product\n")
	type socket struct{ next chan *client.PreparedMessage }
	var mu sync.Mutex
	var sockets []*socket
	app := fiber.New(fiber.Config{DisableStartupMessage: true, ReadBufferSize: 16 << 10})
	app.Get("/live", websocket.New(func(conn *websocket.Conn) {
		s := &socket{make(chan *client.PreparedMessage, 1)}
		mu.Lock()
		sockets = append(sockets, s)
		mu.Unlock()
		go func() {
			for {
				if _, _, err := conn.ReadMessage(); err != nil {
					close(s.next)
					return
				}
			}
		}()
		for m := range s.next {
			if conn.WritePreparedMessage(m) != nil {
				break
			}
		}
	}, live.Config()))
	listener, err := listenLoopback(ctx)
	if err != nil {
		return err
	}
	var background sync.WaitGroup
	background.Go(func() { _ = app.Listener(listener) })
	defer background.Wait()
	defer func() { _ = app.ShutdownWithTimeout(5 * time.Second) }()
	audience := &liveAudience{}
	defer audience.close()
	before := memory()
	if err := audience.open(ctx, o.sockets, func(int) (string, http.Header) { return "ws://" + listener.Addr().String() + "/live", nil }); err != nil {
		return err
	}
	if err := wait(ctx, 200*time.Millisecond); err != nil {
		return err
	}
	took := memory() - before
	audience.start()
	ticks := map[int64]time.Time{}
	for n := range int64(min(o.events, 40)) {
		body := fmt.Appendf(nil, `<li data-key="%d">`, (n+1)*1024)
		m, err := client.NewPreparedMessage(client.TextMessage, append(body, bytes.Repeat([]byte("x"), max(frame-len(body), 0))...))
		if err != nil {
			return err
		}
		ticks[n+1] = now()
		mu.Lock()
		for _, s := range sockets {
			s.next <- m
		}
		mu.Unlock()
		if err := audience.have(ctx, n+1); err != nil {
			return err
		}
	}
	var all []time.Duration
	for _, l := range audience.listeners {
		for _, a := range l.taken() {
			all = append(all, a.at.Sub(ticks[a.seq]))
		}
	}
	r.delays(bareFanOut, all)
	r.add(bareFanOut+", memory of a socket, both ends", took/1024/float64(o.sockets), "KiB")
	return nil
}

// liveFilter is one of many ways to narrow the feed.
func liveFilter(i int) url.Values {
	q := url.Values{}
	states := []string{"open", "all", "new", "done"}
	kinds := append([]care.Kind{""}, care.Kinds...)
	q.Set("state", states[i%len(states)])
	if kind := kinds[i/len(states)%len(kinds)]; kind != "" {
		q.Set("kind", string(kind))
	}
	if i >= len(states)*len(kinds) {
		q.Set("q", fmt.Sprintf("%03d", i)) // a part of the practice's ids
	}
	return q
}

// liveLogin signs somebody in and returns what their browser sends with a socket.
func liveLogin(ctx context.Context, srv *web.Server, d *db.DB, role db.Role) (http.Header, error) {
	p, err := signInAs(ctx, srv, d, role)
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(srv.URL())
	if err != nil {
		return nil, err
	}
	h := http.Header{"Origin": {srv.URL()}}
	for _, c := range p.client.Jar.Cookies(base) {
		h.Add("Cookie", c.String())
	}
	return h, nil
}

// memory is what the process holds of the system for its heap and its stacks, in bytes.
func memory() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}

// wait waits, and returns an error where ctx ends before.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
