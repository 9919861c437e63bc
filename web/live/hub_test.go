package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
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

func serve(handle func(*Hub, *websocket.Conn)) *building {
	hub := NewHub()
	b := &building{hub: hub, app: fiber.New(fiber.Config{DisableStartupMessage: true}), pipes: fasthttputil.NewInmemoryListener()}
	b.app.Get("/", websocket.New(func(c *websocket.Conn) { handle(hub, c) }))
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
	return Screen{Key: key, Render: func(_ context.Context, since int64) (Update, error) {
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

func always() bool { return true }

// TestEveryMessageContinuesTheOneBefore: what a screen gets are ranges that follow one another, whatever is told meanwhile.
func TestEveryMessageContinuesTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counter{}
		b := serve(func(h *Hub, conn *websocket.Conn) { h.Serve(conn, Owner{"a", always}, c.screen("n"), 0, quiet) })
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
		b := serve(func(h *Hub, conn *websocket.Conn) { h.Serve(conn, Owner{"a", always}, c.screen("n"), 0, quiet) })
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
		slow := Screen{Key: "slow", Render: func(ctx context.Context, since int64) (Update, error) {
			u, err := c.screen("slow").Render(ctx, since)
			time.Sleep(time.Second) // what was read is drawn
			return u, err
		}}
		b := serve(func(h *Hub, conn *websocket.Conn) { h.Serve(conn, Owner{"a", always}, slow, 0, quiet) })
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

func TestLoginThatEndedByTimeClosesItsSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Bool
		b := serve(func(h *Hub, conn *websocket.Conn) {
			h.Serve(conn, Owner{"a", func() bool { return !ended.Load() }}, (&counter{}).screen("n"), 0, quiet)
		})
		defer b.stop()
		conn := b.dial(t)
		defer func() { _ = conn.Close() }()
		text(t, conn)
		closed := make(chan int, 1)
		go func() { closed <- code(t, conn) }() // reads, and answers pings
		time.Sleep(5 * time.Minute)
		if n := b.hub.Watching(); n != 1 {
			t.Fatal("the socket ended while the login was running")
		}
		ended.Store(true)
		began := time.Now()
		if c := <-closed; c != 1008 {
			t.Errorf("the socket ended with %d, want 1008", c)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("only after %s", took)
		}
	})
}

// TestBrowserThatIsGoneIsNoticed: a lost network says no goodbye, and pings find it out.
func TestBrowserThatIsGoneIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := serve(func(h *Hub, conn *websocket.Conn) {
			h.Serve(conn, Owner{"a", always}, (&counter{}).screen("n"), 0, quiet)
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
				h.Serve(conn, Owner{"slow", always}, slow.screen("slow"), 0, quiet)
				served <- struct{}{}
				return
			}
			h.Serve(conn, Owner{"fast", always}, fast.screen("fast"), 0, quiet)
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
			h.Serve(conn, Owner{"a", always}, (&counter{}).screen("n"), 0, quiet)
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
			h.Serve(conn, Owner{"a", always}, c.screen("n"), 0, quiet)
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
			h.Serve(conn, Owner{[]string{"a", "b"}[n.Add(1)%2], always}, (&counter{}).screen("n"), 0, quiet)
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
	for name, render := range map[string]func(context.Context, int64) (Update, error){
		"panic": func(context.Context, int64) (Update, error) { panic("Zebulon Quagmire") },
		"error": func(context.Context, int64) (Update, error) { return Update{}, errors.New("no database") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := make(lines, 100)
				b := serve(func(h *Hub, conn *websocket.Conn) {
					h.Serve(conn, Owner{"a", always}, Screen{Key: "bad", Render: render}, 0, slog.New(slog.NewTextHandler(log, nil)))
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

// TestUpdatesAreSharedWithinATellingOnly: a screen never gets what was drawn before the change it was told of.
func TestUpdatesAreSharedWithinATellingOnly(t *testing.T) {
	h := NewHub()
	c := &counter{}
	s := c.screen("n")
	for range 3 {
		if u, err := h.update(s, 0); err != nil || u.Head != 0 {
			t.Fatalf("%+v %v", u, err)
		}
	}
	if n := c.drawn.Load(); n != 1 {
		t.Errorf("drawn %d times, want once", n)
	}
	c.n.Store(5)
	h.tell()
	if u, _ := h.update(s, 0); u.Head != 5 {
		t.Errorf("after the telling the update goes to %d, want 5", u.Head)
	}
	if u, _ := h.update(c.screen("another"), 0); u.Head != 5 || c.drawn.Load() != 3 {
		t.Errorf("another screen got what was drawn for this one")
	}
	for i := range int64(3 * keepRecent) { // what is kept is bounded
		if _, err := h.update(s, i); err != nil {
			t.Fatal(err)
		}
	}
	kept := 0
	for _, e := range h.recent.ring {
		if e.ok {
			kept++
		}
	}
	if kept > keepRecent {
		t.Errorf("%d updates are kept", kept)
	}
}
