package bodies_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"carebell/web/bodies"
	"carebell/web/door"
)

const kib = 1 << 10

// words are how errors are answered here.
var words = map[error]string{
	bodies.ErrTooLarge: "too large", bodies.ErrTooSlow: "too slow", bodies.ErrCutShort: "cut short", bodies.ErrNoRoom: "no room",
}

// serve answers with how long the body was, or why it was not read. X-Known makes the sender a known one; hold is waited
// for while the body is held.
func serve(t *testing.T, l bodies.Limits, b *bodies.Budget, hold <-chan struct{}) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &fasthttp.Server{
		StreamRequestBody: true, DisablePreParseMultipartForm: true, MaxRequestBodySize: l.Most, ReadTimeout: 10 * time.Second,
		Handler: func(ctx *fasthttp.RequestCtx) {
			l := l
			l.Known = len(ctx.Request.Header.Peek("X-Known")) > 0
			body, done, err := bodies.Read(ctx, l, b)
			defer done()
			for is, text := range words {
				if errors.Is(err, is) {
					door.Linger(ctx.Conn()) // as the server does: without it, a client that still sends may not see the answer
					ctx.SetConnectionClose()
					ctx.SetStatusCode(fasthttp.StatusBadRequest)
					ctx.SetBodyString(text)
					return
				}
			}
			if hold != nil {
				<-hold
			}
			ctx.SetBodyString(fmt.Sprint(len(body), " ", bytes.Count(body, []byte("x")), " ", err))
		},
	}
	var served sync.WaitGroup
	served.Go(func() { _ = s.Serve(door.New(nil, time.Now).Before(listener)) })
	t.Cleanup(func() { _ = s.Shutdown(); served.Wait() })
	return "http://" + listener.Addr().String()
}

func post(t *testing.T, url string, body io.Reader, known bool) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if known {
		req.Header.Set("X-Known", "1")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "no answer"
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestBodiesAreReadWhole(t *testing.T) {
	url := serve(t, bodies.Limits{Most: 300 * kib, Patience: 10 * time.Second, Rate: 1, Whole: 10 * time.Second}, bodies.NewBudget(1<<20, 1<<20), nil)
	for _, n := range []int{0, 1, 4095, 4096, 4097, 8 * kib, 8*kib + 1, bodies.Free, bodies.Free + 1, 100_000, 300*kib - 1, 300 * kib, 300*kib + 1} {
		want := fmt.Sprintf("%d %d <nil>", n, n)
		if n > 300*kib {
			want = "too large"
		}
		if got := post(t, url, strings.NewReader(strings.Repeat("x", n)), false); got != want {
			t.Errorf("%d bytes are read as %s", n, got)
		}
		if got := post(t, url, io.MultiReader(strings.NewReader(strings.Repeat("x", n))), false); got != want { // in chunks
			t.Errorf("%d bytes in chunks are read as %s", n, got)
		}
	}
}

// TestBodyThatDoesNotCome is given up: by its rate, by its time, and where the connection ends.
func TestBodyThatDoesNotCome(t *testing.T) {
	url := serve(t, bodies.Limits{Most: 1 << 20, Patience: 300 * time.Millisecond, Rate: 1000 * kib, Whole: 600 * time.Millisecond}, nil, nil)
	for _, test := range []struct {
		name  string
		chunk string
		times int
		pause time.Duration
		half  bool // end the sending side afterwards
		want  string
	}{
		{"nothing after the beginning", strings.Repeat("x", 8*kib), 1, 0, false, "too slow"},
		{"drop by drop", strings.Repeat("x", 8*kib), 40, 50 * time.Millisecond, false, "too slow"},
		{"half of it", strings.Repeat("x", 8*kib), 2, 0, true, "cut short"},
	} {
		t.Run(test.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
			_, _ = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", 1<<20)
			go func() {
				for range test.times {
					_, _ = io.WriteString(conn, test.chunk)
					time.Sleep(test.pause)
				}
				if test.half {
					_ = conn.(*net.TCPConn).CloseWrite()
				}
			}()
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if string(text) != test.want {
				t.Errorf("answered %q, want %q", text, test.want)
			}
		})
	}
}

// TestRoomIsKeptForKnownSenders: strangers share their part and get no more, small bodies need none, and all of it is
// given back.
func TestRoomIsKeptForKnownSenders(t *testing.T) {
	budget := bodies.NewBudget(2<<20, 2<<20)
	hold := make(chan struct{})
	url := serve(t, bodies.Limits{Most: 1 << 20, Patience: 500 * time.Millisecond, Rate: 1, Whole: 20 * time.Second}, budget, hold)
	large := strings.Repeat("x", 800*kib)
	var all sync.WaitGroup
	answers := make(chan string, 10)
	send := func(body string, known bool) {
		all.Go(func() { answers <- post(t, url, strings.NewReader(body), known) })
	}
	wait := func(used int) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); budget.Used() != used; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d bytes are taken, want %d", budget.Used(), used)
			}
		}
	}
	const one = 800*kib + 1 - bodies.Free
	send(large, false)
	wait(one)
	if got := post(t, url, strings.NewReader(large), false); got != "no room" {
		t.Errorf("a further stranger's is read as %s", got)
	}
	send(strings.Repeat("x", bodies.Free-1), false) // small
	send(large, true)
	wait(2 * one)
	if got := post(t, url, strings.NewReader(large), true); got != "no room" {
		t.Errorf("more than there is room for is read as %s", got)
	}
	close(hold)
	all.Wait()
	close(answers)
	for got := range answers {
		if !strings.HasSuffix(got, " <nil>") {
			t.Errorf("answered %s", got)
		}
	}
	wait(0)
}

// TestWhoWaitsGetsTheRoom that another gives back.
func TestWhoWaitsGetsTheRoom(t *testing.T) {
	budget := bodies.NewBudget(1<<20, 2<<20)
	hold := make(chan struct{}, 100)
	url := serve(t, bodies.Limits{Most: 1 << 20, Patience: 20 * time.Second, Rate: 1, Whole: 20 * time.Second}, budget, hold)
	large := strings.Repeat("x", 900*kib)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if got := post(t, url, strings.NewReader(large), i%2 == 0); !strings.HasSuffix(got, " <nil>") {
				t.Errorf("answered %s", got)
			}
		})
	}
	for range 8 {
		time.Sleep(20 * time.Millisecond)
		hold <- struct{}{}
	}
	all.Wait()
	if budget.Used() != 0 {
		t.Errorf("%d bytes are still taken", budget.Used())
	}
}

// TestRefusedBodiesAreNoGarbage: what one took in memory, the next one gets, and none of the other's bytes with it.
func TestRefusedBodiesAreNoGarbage(t *testing.T) {
	const most, times = 8 << 20, 24
	if testing.Short() {
		t.Skip("the race detector allocates on its own")
	}
	url := serve(t, bodies.Limits{Most: most, Patience: 10 * time.Second, Rate: 1, Whole: 20 * time.Second}, nil, nil)
	large := bytes.Repeat([]byte("x"), most+1)
	send := func() {
		if got := post(t, url, io.MultiReader(bytes.NewReader(large)), false); got != "too large" {
			t.Errorf("read as %s", got)
		}
	}
	send()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range times {
		send()
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > times*most/2 {
		t.Errorf("%d MiB were allocated for refused bodies of %d MiB together", grown>>20, times*most>>20)
	}
	if got, want := post(t, url, strings.NewReader(strings.Repeat("y", 2<<20)), false), fmt.Sprintf("%d 0 <nil>", 2<<20); got != want {
		t.Errorf("after them a body is read as %s, want %s", got, want)
	}
}
