package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	client "github.com/fasthttp/websocket"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/websocket/v2"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// fasthttp writes its Date header from a goroutine that lives as long as the process. It is started here, so that it
	// belongs to no test.
	(&fasthttp.Response{}).Header.Header()
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

// building is a server of one kind of socket, in memory.
type building struct {
	hub    *Hub
	app    *fiber.App
	pipes  *fasthttputil.InmemoryListener
	cancel context.CancelFunc
	wait   sync.WaitGroup
}

func serve(handle func(*Hub, *websocket.Conn)) *building { return serveKnowing(nil, handle) }

func serveKnowing(logins func(context.Context) (map[string]string, error), handle func(*Hub, *websocket.Conn)) *building {
	return serveReading(func(context.Context) (Moment, error) { return Moment{}, nil }, logins, handle)
}

func serveReading(read func(context.Context) (Moment, error), logins func(context.Context) (map[string]string, error), handle func(*Hub, *websocket.Conn)) *building {
	hub := NewHub(Options{Read: read, Logins: logins, Log: quiet})
	b := &building{hub: hub, app: fiber.New(fiber.Config{DisableStartupMessage: true}), pipes: fasthttputil.NewInmemoryListener()}
	b.app.Get("/", websocket.New(func(c *websocket.Conn) { handle(hub, c) }, Config()))
	var ctx context.Context
	ctx, b.cancel = context.WithCancel(context.Background())
	b.wait.Go(func() { _ = hub.Run(ctx) })
	b.wait.Go(func() { _ = b.app.Listener(b.pipes) })
	return b
}

func (b *building) stop() {
	_ = b.hub.Close(context.Background())
	_ = b.pipes.Close()
	_ = b.app.Shutdown()
	b.cancel()
	b.wait.Wait()
	time.Sleep(11 * time.Second) // in the test's own time: fasthttp's pool looks every 10 s whether it is over
}

func (b *building) dial(t *testing.T) *client.Conn {
	t.Helper()
	d := client.Dialer{NetDial: func(string, string) (net.Conn, error) { return b.pipes.Dial() }}
	conn, _, err := d.Dial("ws://carebell.test/", nil)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

var quiet = slog.New(slog.DiscardHandler)

// counter is a screen that shows how far a number has come.
type counter struct {
	n     atomic.Int64
	drawn atomic.Int64 // how often it was drawn
	bulk  int          // bytes beside the number
}

func (c *counter) screen(key string) Screen {
	return Screen{Key: key, Render: func(_ context.Context, _ Moment, since int64) (Update, error) {
		c.drawn.Add(1)
		n := c.n.Load()
		return Update{HTML: []byte(fmt.Sprintf("%d-%d", since, n) + strings.Repeat(" ", c.bulk)), Head: n}, nil
	}}
}

func text(t *testing.T, conn *client.Conn) string {
	t.Helper()
	_, message, err := conn.ReadMessage()
	if err != nil {
		t.Fatalf("the socket ended: %v", err)
	}
	return strings.TrimSpace(string(message))
}

func code(t *testing.T, conn *client.Conn) int {
	t.Helper()
	for {
		if _, _, err := conn.ReadMessage(); err != nil {
			var c *client.CloseError
			if !errors.As(err, &c) {
				t.Fatalf("the socket ended without a goodbye: %v", err)
			}
			return c.Code
		}
	}
}

// TestEveryMessageContinuesTheOneBefore: what a screen gets are ranges that follow one another, whatever is told meanwhile.
func TestEveryMessageContinuesTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counter{}
		b := serve(func(h *Hub, conn *websocket.Conn) { h.Serve(conn, Owner{ID: "a"}, c.screen("n"), 0, quiet) })
		defer b.stop()
		var wg sync.WaitGroup
		for range 20 {
			conn := b.dial(t)
			wg.Go(func() {
				defer func() { _ = conn.Close() }()
				for at := int64(0); at < 500; {
					from, to, _ := strings.Cut(text(t, conn), "-")
					if from != strconv.FormatInt(at, 10) {
						t.Errorf("a screen at %d was sent what follows %s", at, from)
						return
					}
					at, _ = strconv.ParseInt(to, 10, 64)
				}
			})
		}
		for range 500 {
			c.n.Add(1)
			b.hub.Wake()
			time.Sleep(7 * time.Millisecond)
		}
		wg.Wait()
		if n := c.drawn.Load(); n > 400 {
			t.Errorf("20 screens that show the same drew %d updates: they are not shared", n)
		}
	})
}

// TestBurstIsOneMessage: what changes within the settling time is told at once, and none of it is lost.
func TestBurstIsOneMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counter{}
		b := serve(func(h *Hub, conn *websocket.Conn) { h.Serve(conn, Owner{ID: "a"}, c.screen("n"), 0, quiet) })
		defer b.stop()
		conn := b.dial(t)
		if got := text(t, conn); got != "0-0" {
			t.Fatalf("the first message is %q", got)
		}
		for range 50 {
			c.n.Add(1)
			b.hub.Wake()
		}
		if got := text(t, conn); got != "0-50" {
			t.Errorf("the burst is told as %q, want 0-50", got)
		}
		c.n.Add(1)
		b.hub.Wake()
		if got := text(t, conn); got != "50-51" {
			t.Errorf("then %q, want 50-51", got)
		}
	})
}

// TestChangeWhileDrawingIsNotLost: what changes while a screen draws the change before is sent without a further wake.
func TestChangeWhileDrawingIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counter{}
		slow := Screen{Key: "slow", Render: func(ctx context.Context, m Moment, since int64) (Update, error) {
			u, err := c.screen("slow").Render(ctx, m, since)
			time.Sleep(time.Second) // what was read is drawn
			return u, err
		}}
		b := serve(func(h *Hub, conn *websocket.Conn) { h.Serve(conn, Owner{ID: "a"}, slow, 0, quiet) })
		defer b.stop()
		conn := b.dial(t)
		if got := text(t, conn); got != "0-0" {
			t.Fatalf("the first message is %q", got)
		}
		for i := range int64(5) {
			c.n.Add(1)
			b.hub.Wake()
			time.Sleep(settle + time.Millisecond) // it is being drawn now
			c.n.Add(1)
			b.hub.Wake()
			if first, second := text(t, conn), text(t, conn); first != fmt.Sprintf("%d-%d", 2*i, 2*i+1) || second != fmt.Sprintf("%d-%d", 2*i+1, 2*i+2) {
				t.Errorf("two changes were sent as %q and %q", first, second)
			}
		}
	})
}

// TestLoginsAreLookedAtOnceForAllSockets, each second: one that ended, by time or in another process, closes its sockets,
// and one whose role is another has them come back. A login that began since the question was asked is left alone.
func TestLoginsAreLookedAtOnceForAllSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		logins, asked := map[string]string{}, 0
		for i := range 10 {
			logins[strconv.Itoa(i)] = "viewer"
		}
		var n atomic.Int64
		b := serveKnowing(func(context.Context) (map[string]string, error) {
			mu.Lock()
			defer mu.Unlock()
			if asked++; asked%7 == 0 {
				return nil, errors.New("no database")
			}
			return maps.Clone(logins), nil
		}, func(h *Hub, conn *websocket.Conn) {
			h.Serve(conn, Owner{ID: strconv.FormatInt(n.Add(1)/5, 10), Role: "viewer"}, (&counter{}).screen("n"), 0, quiet)
		})
		defer b.stop()
		type end struct{ socket, code int }
		ended := make(chan end, 50)
		for i := range 50 {
			conn := b.dial(t)
			text(t, conn)
			go func() { ended <- end{i, code(t, conn)}; _ = conn.Close() }() // reads, and answers pings
		}
		mu.Lock()
		delete(logins, "10") // of the last socket
		asked = 0
		mu.Unlock()
		<-ended // it was never there
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		mu.Lock()
		if asked < 290 || asked > 310 {
			t.Errorf("50 sockets asked for their logins %d times in 5 minutes, want once a second", asked)
		}
		delete(logins, "3")
		logins["5"] = "admin"
		began := time.Now()
		mu.Unlock()
		codes := map[int]int{}
		for range 10 {
			codes[(<-ended).code]++
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("only after %s", took)
		}
		if codes[1008] != 5 || codes[1012] != 5 {
			t.Errorf("they ended with %v, want 5 of 1008 and 5 of 1012", codes)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := b.hub.Watching(); n != 39 {
			t.Errorf("%d sockets are open, want the 39 whose logins go on", n)
		}
		b.hub.End("0")
		for i := range 10 {
			b.hub.End(strconv.Itoa(i))
		}
	})
}

// TestBrowserThatIsGoneIsNoticed: a lost network says no goodbye, and pings find it out.
func TestBrowserThatIsGoneIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := serve(func(h *Hub, conn *websocket.Conn) {
			h.Serve(conn, Owner{ID: "a"}, (&counter{}).screen("n"), 0, quiet)
		})
		defer b.stop()
		dead := b.dial(t)
		defer func() { _ = dead.Close() }()
		dead.SetPingHandler(func(string) error { return nil }) // never answers
		alive := b.dial(t)
		defer func() { _ = alive.Close() }()
		var reading sync.WaitGroup
		for _, conn := range []*client.Conn{dead, alive} {
			reading.Go(func() {
				for {
					if _, _, err := conn.ReadMessage(); err != nil {
						return
					}
				}
			})
		}
		time.Sleep(readWait - time.Second)
		synctest.Wait()
		if n := b.hub.Watching(); n != 2 {
			t.Errorf("%d sockets are open before the time is over, want 2", n)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := b.hub.Watching(); n != 1 {
			t.Errorf("%d sockets are open, want the one that answers", n)
		}
		_ = alive.Close()
		reading.Wait()
	})
}

// TestSlowReaderCostsNothing: a browser that never reads is drawn for a few times and then cut off; the others get
// everything meanwhile.
func TestSlowReaderCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, fast := &counter{bulk: 1 << 20}, &counter{bulk: 1 << 10}
		var turn atomic.Int64
		served := make(chan struct{}, 1)
		b := serve(func(h *Hub, conn *websocket.Conn) {
			if turn.Add(1) == 1 {
				h.Serve(conn, Owner{ID: "slow"}, slow.screen("slow"), 0, quiet)
				served <- struct{}{}
				return
			}
			h.Serve(conn, Owner{ID: "fast"}, fast.screen("fast"), 0, quiet)
		})
		defer b.stop()
		idle := b.dial(t) // never reads
		defer func() { _ = idle.Close() }()
		for turn.Load() == 0 { // its handler is the first one
			time.Sleep(time.Millisecond)
		}
		reader := b.dial(t)
		defer func() { _ = reader.Close() }()
		text(t, reader)
		for i := int64(1); i <= 60; i++ { // 60 changes in 6 seconds: less than a write may take
			slow.n.Store(i)
			fast.n.Store(i)
			b.hub.Wake()
			if got, want := text(t, reader), fmt.Sprintf("%d-%d", i-1, i); got != want {
				t.Fatalf("beside a slow reader the others got %q, want %q", got, want)
			}
			time.Sleep(30 * time.Millisecond)
		}
		if n := slow.drawn.Load(); n > 10 {
			t.Errorf("60 changes were drawn %d times for a browser that takes none: they pile up", n)
		}
		<-served // cut off after the time a write may take
		synctest.Wait()
		if n := b.hub.Watching(); n != 1 {
			t.Errorf("%d sockets are watched, want 1", n)
		}
		slow.n.Store(1000)
		b.hub.Wake()
		fast.n.Store(61)
		b.hub.Wake()
		if got := text(t, reader); got != "60-61" {
			t.Errorf("then the others got %q", got)
		}
	})
}

func TestCloseTellsEveryoneToComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := serve(func(h *Hub, conn *websocket.Conn) {
			h.Serve(conn, Owner{ID: "a"}, (&counter{}).screen("n"), 0, quiet)
		})
		var conns []*client.Conn
		for range 10 {
			conn := b.dial(t)
			text(t, conn)
			conns = append(conns, conn)
		}
		var wg sync.WaitGroup
		for _, conn := range conns {
			wg.Go(func() {
				if c := code(t, conn); c != 1012 {
					t.Errorf("the socket ended with %d, want 1012", c)
				}
				_ = conn.Close()
			})
		}
		if err := b.hub.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if n := b.hub.Watching(); n != 0 {
			t.Errorf("%d sockets are watched after Close", n)
		}
		late := b.dial(t) // one that comes while the server stops
		if c := code(t, late); c != 1012 {
			t.Errorf("a socket that came too late ended with %d, want 1012", c)
		}
		_ = late.Close()
		wg.Wait()
		b.stop()
	})
}

// TestCloseWaitsNoLongerThanItIsToldTo: a browser that does not read cannot hold up a restart.
func TestCloseWaitsNoLongerThanItIsToldTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counter{bulk: 1 << 20}
		b := serve(func(h *Hub, conn *websocket.Conn) {
			h.Serve(conn, Owner{ID: "a"}, c.screen("n"), 0, quiet)
		})
		conn := b.dial(t)
		for range 5 {
			b.hub.Wake()
			time.Sleep(time.Second)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := b.hub.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close returned %v", err)
		}
		_ = conn.Close()
		b.stop()
	})
}

func TestEndClosesTheSocketsOfOneLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		b := serve(func(h *Hub, conn *websocket.Conn) {
			h.Serve(conn, Owner{ID: []string{"a", "b"}[n.Add(1)%2]}, (&counter{}).screen("n"), 0, quiet)
		})
		defer b.stop()
		var conns []*client.Conn
		for range 6 {
			conn := b.dial(t)
			text(t, conn)
			conns = append(conns, conn)
		}
		b.hub.End("a")
		b.hub.End("a") // twice is once
		b.hub.End("nobody")
		for i, conn := range conns {
			if i%2 == 1 { // the second, fourth, … belong to a
				if c := code(t, conn); c != 1008 {
					t.Errorf("socket %d ended with %d, want 1008", i, c)
				}
			}
		}
		synctest.Wait()
		if got := b.hub.Watching(); got != 3 {
			t.Errorf("%d sockets are watched, want 3", got)
		}
		for _, conn := range conns {
			_ = conn.Close()
		}
	})
}

// lines is a log that is read line by line.
type lines chan string

func (l lines) Write(p []byte) (int, error) { l <- string(p); return len(p), nil }

// TestPanicWhileDrawingEndsOneSocket: under it is a library that would end the process.
func TestPanicWhileDrawingEndsOneSocket(t *testing.T) {
	for name, render := range map[string]func(context.Context, Moment, int64) (Update, error){
		"panic": func(context.Context, Moment, int64) (Update, error) { panic("Zebulon Quagmire") },
		"error": func(context.Context, Moment, int64) (Update, error) { return Update{}, errors.New("no database") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := make(lines, 100)
				b := serve(func(h *Hub, conn *websocket.Conn) {
					h.Serve(conn, Owner{ID: "a"}, Screen{Key: "bad", Render: render}, 0, slog.New(slog.NewTextHandler(log, nil)))
				})
				conn := b.dial(t)
				if c := code(t, conn); c != 1011 {
					t.Errorf("the socket ended with %d, want 1011", c)
				}
				_ = conn.Close()
				b.stop()
				if line := <-log; !strings.Contains(line, "cut off") || strings.Contains(line, "Zebulon") {
					t.Errorf("the log says %s", line)
				}
			})
		})
	}
}

// TestUpdatesAreSharedWithinATellingOnly: a screen never gets what was drawn before the change it was told of, nor what was
// drawn for people of another role.
func TestUpdatesAreSharedWithinATellingOnly(t *testing.T) {
	c := &counter{bulk: 1 << 10}
	h := NewHub(Options{Read: func(context.Context) (Moment, error) { return Moment{Head: c.n.Load()}, nil }, Log: quiet})
	now := func(anew bool) *telling {
		t.Helper()
		now, err := h.now(t.Context(), anew)
		if err != nil {
			t.Fatal(err)
		}
		return now
	}
	s := c.screen("n")
	for range 3 {
		if d := h.draw(now(false), "viewer", s, 0); d.err != nil || d.head != 0 {
			t.Fatalf("%+v", d)
		}
	}
	if n := c.drawn.Load(); n != 1 {
		t.Errorf("drawn %d times, want once", n)
	}
	if h.draw(now(false), "admin", s, 0); c.drawn.Load() != 2 {
		t.Error("an admin got what was drawn for a viewer")
	}
	c.n.Store(5)
	if d := h.draw(now(false), "viewer", s, 0); d.head != 5 {
		t.Errorf("after the change the update goes to %d, want 5", d.head)
	}
	if d := h.draw(now(true), "viewer", c.screen("another"), 0); d.head != 5 || c.drawn.Load() != 4 {
		t.Error("another screen got what was drawn for this one")
	}
	if h.draw(now(true), "viewer", s, 0); c.drawn.Load() != 5 {
		t.Error("a telling used what was drawn for the one before")
	}
	c.bulk = 1 << 20
	last := now(true)
	for i := range int64(20) { // what is kept is bounded
		if d := h.draw(last, "viewer", s, i); d.err != nil {
			t.Fatal(d.err)
		}
	}
	if len(last.drawn) > 8 || last.kept > mostKept {
		t.Errorf("%d updates of %d bytes are kept", len(last.drawn), last.kept)
	}
}

// TestScreenThatNothingConcernsIsLeftAlone, but told how far it is before it seems far behind; what is around its content
// is sent where that is not as it was.
func TestScreenThatNothingConcernsIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		var state atomic.Value
		state.Store("none new")
		b := serveReading(func(context.Context) (Moment, error) {
			return Moment{Head: n.Load(), State: state.Load().(string)}, nil
		}, nil, func(h *Hub, conn *websocket.Conn) {
			h.Serve(conn, Owner{ID: "a"}, Screen{Key: "other", Render: func(_ context.Context, m Moment, since int64) (Update, error) {
				return Update{HTML: fmt.Appendf(nil, "%d-%d %s", since, m.Head, m.State), Head: m.Head, Idle: true}, nil
			}}, 0, quiet)
		})
		defer b.stop()
		conn := b.dial(t)
		defer func() { _ = conn.Close() }()
		text(t, conn)
		step := func(by int64) {
			n.Add(by)
			b.hub.Wake()
			time.Sleep(time.Second)
		}
		for range 4 {
			step(30)
		}
		if got := b.hub.Sent(); got != 1 {
			t.Errorf("%d messages were sent, want none but the first", got)
		}
		state.Store("one new")
		step(1)
		if got := text(t, conn); got != "120-121 one new" {
			t.Errorf("then it was told %q", got)
		}
		for range 10 {
			step(30)
		}
		if got := text(t, conn); got != "301-331 one new" {
			t.Errorf("after 210 changes it was told %q", got)
		}
		if got := b.hub.Sent(); got != 3 {
			t.Errorf("%d messages were sent, want 3", got)
		}
	})
}

// TestPeopleGetTheirOwn: where some are shown something else, it goes to them and to nobody else.
func TestPeopleGetTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n, drawn atomic.Int64
		b := serve(func(h *Hub, conn *websocket.Conn) {
			h.Serve(conn, Owner{Person: strconv.FormatInt(n.Add(1)%4, 10)}, Screen{Key: "n", Render: func(context.Context, Moment, int64) (Update, error) {
				drawn.Add(1)
				return Update{HTML: []byte("everybody"), Own: map[string][]byte{"1": []byte("one"), "3": []byte("three")}}, nil
			}}, 0, quiet)
		})
		defer b.stop()
		for i := range 20 {
			conn := b.dial(t)
			want := []string{"everybody", "one", "everybody", "three"}[(i+1)%4]
			if got := text(t, conn); got != want {
				t.Errorf("person %d got %q, want %q", (i+1)%4, got, want)
			}
			_ = conn.Close()
		}
		if drawn.Load() != 1 {
			t.Errorf("drawn %d times, want once", drawn.Load())
		}
	})
}

// TestManySocketsTakeLittle: open and idle, each is one goroutine of ours, and a change for all of them is drawn once.
func TestManySocketsTakeLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counter{bulk: 2 << 10}
		b := serve(func(h *Hub, conn *websocket.Conn) { h.Serve(conn, Owner{Role: "viewer"}, c.screen("n"), 0, quiet) })
		defer b.stop()
		const sockets = 500
		conns := make([]*client.Conn, sockets)
		for i := range conns {
			conns[i] = b.dial(t)
			text(t, conns[i])
		}
		synctest.Wait()
		if n := runtime.NumGoroutine(); n > sockets+60 {
			t.Errorf("%d goroutines for %d idle sockets", n, sockets)
		}
		before := c.drawn.Load()
		for i := range 5 {
			c.n.Add(1)
			b.hub.Wake()
			for _, conn := range conns {
				if got := text(t, conn); !strings.HasSuffix(got, strconv.Itoa(i+1)) {
					t.Fatalf("change %d was told as %q", i+1, got)
				}
			}
		}
		if n := c.drawn.Load() - before; n != 5 {
			t.Errorf("5 changes for %d sockets that show the same were drawn %d times", sockets, n)
		}
		for _, conn := range conns {
			_ = conn.Close()
		}
	})
}
