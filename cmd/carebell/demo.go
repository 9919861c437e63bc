package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"carebell/db"
	"carebell/web"
	"carebell/web/intake"
	"carebell/web/sim"
)

// demoPassword opens a folder of fictional data on this computer that is thrown away at the end.
const demoPassword = "watch the bell ring"

// demoLogins are the people of the demo.
var demoLogins = []struct {
	email string
	role  db.Role
}{
	{"coordinator@demo.example", db.Coordinator},
	{"admin@demo.example", db.Admin},
	{"viewer@demo.example", db.Viewer},
}

// largestImport is how many rows the sender takes in one bulk import.
const largestImport = 100_000

// backlogDays is how much the demo has behind it when it starts.
const backlogDays = 4

func demo(ctx context.Context, s *settings, args []string, t terminal) (err error) {
	f := s.flags("demo")
	speed := f.Float64("speed", 60, "how many times faster than life events come; 60 is one every few seconds")
	port := f.Int("port", 0, "port on this computer; 8080 or a free one where not set")
	hostile := f.Bool("hostile", false, "also send events whose links misbehave")
	outage := f.Bool("outage", false, "begin after an outage: some deliveries failed, and can be sent again")
	if _, err := parse(f, args, 0, t); err != nil {
		return err
	}
	if !(*speed > 0 && *speed <= 100_000) {
		return fmt.Errorf("--speed is %g: choose a number above 0 and up to 100000", *speed)
	}
	if *port < 0 || *port > 65535 {
		return fmt.Errorf("--port is %d: choose one from 1 to 65535", *port)
	}
	s.set("CAREBELL_ADDR", demoAddr(ctx, *port), "demo")
	for _, name := range []string{"CAREBELL_PUBLIC_URL", "CAREBELL_TLS_CERT", "CAREBELL_TLS_KEY", "CAREBELL_TRUSTED_PROXIES"} {
		delete(s.values, name)
	}
	key := "demo-" + rand.Text()
	s.set("CAREBELL_WEBHOOK_KEYS", key, "demo")
	cfg, err := s.config(t)
	if err != nil {
		return err
	}
	clock := &shiftedClock{}
	cfg.Now, cfg.IdleLogout = clock.Now, 12*time.Hour
	cfg.Log = slog.New(slog.NewTextHandler(t.log, &slog.HandlerOptions{Level: slog.LevelWarn}))

	dir, err := os.MkdirTemp("", "carebell-demo-")
	if err != nil {
		return fmt.Errorf("cannot make a throw-away folder: %w; set TMPDIR to a folder that can be written", err)
	}
	store, err := listenLoopback(ctx)
	if err != nil {
		return fmt.Errorf("cannot start the simulated sender: %w", err)
	}
	cfg.DataDir, cfg.DataKey, cfg.DownloadHosts = dir, "", []string{store.Addr().String()}
	delete(s.values, "CAREBELL_DATA_KEY")
	s.set("CAREBELL_DATA", dir, "demo")
	s.set("CAREBELL_DOWNLOAD_HOSTS", store.Addr().String(), "demo")
	s.set("CAREBELL_METRIPORT_API_KEY", "a simulated one", "demo")
	s.set("CAREBELL_METRIPORT_API_URL", "http://"+store.Addr().String(), "demo")
	cfg.Settings = s.shown(cfg.Keys)
	cfg.APIKey, cfg.APIURL = "demo-"+rand.Text(), &url.URL{Scheme: "http", Host: store.Addr().String()}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return withServer(ctx, cfg, func(srv *web.Server, _ *db.DB) error {
		for _, p := range demoLogins {
			if err := srv.Auth().AddUser(ctx, p.email, p.role, demoPassword); err != nil {
				return err
			}
		}
		g, ctx := errgroup.WithContext(ctx)
		g.Go(func() error { return srv.Run(ctx) })
		g.Go(func() error { return play(ctx, srv, store, key, clock, script{*speed, *hostile, *outage}, t) })
		return g.Wait()
	})
}

// demoAddr is the loopback address of the demo: the port asked for, else 8080, else a free one.
func demoAddr(ctx context.Context, port int) string {
	if port != 0 {
		return "127.0.0.1:" + strconv.Itoa(port)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:8080")
	if err != nil {
		return "127.0.0.1:0"
	}
	_ = l.Close()
	return "127.0.0.1:8080"
}

// listenLoopback takes a free port that only this computer reaches.
func listenLoopback(ctx context.Context) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
}

// script says what the simulated sender does.
type script struct {
	speed   float64
	hostile bool
	outage  bool
}

// outageMessages is how many deliveries fail in an outage of the demo.
const outageMessages = 7

// play is the simulated sender: the days before now at once, then what misbehaves where that was asked for, then what
// happens from now on.
func play(ctx context.Context, srv *web.Server, listener net.Listener, key string, clock *shiftedClock, how script, t terminal) error {
	sender := sim.New(sim.Options{Now: now, Seed: mrand.Uint64(), BaseURL: "http://" + listener.Addr().String()})
	store := &http.Server{Handler: sender.Store(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = store.Serve(listener) }()
	defer func() { _ = store.Close() }()

	sender.Connect(sim.Target{URL: srv.URL() + intake.Path, Key: key})
	defer sender.Wait()
	post := func(m sim.Message) error {
		status, reply, err := sender.Deliver(ctx, m)
		if err == nil && status != http.StatusOK && ctx.Err() == nil {
			return fmt.Errorf("a simulated webhook was answered %d: %s", status, strings.TrimSpace(string(reply)))
		}
		return nil // what got no answer in time is on the sender's list, and the proof of completeness names it
	}
	backlog := append(sender.Backlog(backlogDays), sender.Import(largestImport)...)
	for i, m := range backlog {
		if how.outage && i >= len(backlog)/2 && i < len(backlog)/2+outageMessages {
			sender.Fail(m)
			continue
		}
		clock.Set(m.At.Add(time.Duration(mrand.IntN(4000)) * time.Millisecond))
		if err := post(m); err != nil {
			return err
		}
	}
	clock.Set(time.Time{})
	// The logins come last: one made while the clock showed the past would be over by now.
	fmt.Fprintf(t.out, "\nCarebell demo: %s\n\n", srv.URL())
	for _, p := range demoLogins {
		fmt.Fprintf(t.out, "  %-12s %-26s password: %s\n", p.role, p.email, demoPassword)
	}
	fmt.Fprintf(t.out, "\nAll patients are fictional. Stop with Ctrl-C; the data is thrown away.\n\n")

	if err := workThrough(ctx, srv.URL()); err != nil && ctx.Err() == nil {
		return err
	}
	if how.hostile {
		for _, m := range sender.Hostile() {
			if err := post(m); err != nil {
				return err
			}
		}
	}
	const life = 180 * time.Second // between events, at speed 1
	for {
		pause := time.Duration(float64(life) / how.speed * (0.4 + 1.2*mrand.Float64()))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		if err := post(sender.Next()); err != nil {
			return err
		}
	}
}

// workThrough marks older notifications as a coordinator would have, over HTTP as the page does.
func workThrough(ctx context.Context, base string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	client := &http.Client{Jar: jar, Timeout: 15 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	form := func(path string, values url.Values) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+path, strings.NewReader(values.Encode()))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode >= http.StatusBadRequest && resp.StatusCode != http.StatusNotFound {
			return fmt.Errorf("the demo's coordinator got %s at %s", resp.Status, path)
		}
		return nil
	}
	if err := form("/login", url.Values{"email": {demoLogins[0].email}, "password": {demoPassword}}); err != nil {
		return err
	}
	for seq := range int64(90) { // messages that are no notification answer 404
		id, err := db.NotificationID(seq+1, 0)
		if err != nil {
			return err
		}
		state := "done"
		if seq > 60 && seq%3 == 0 {
			state = "seen"
		}
		if err := form("/notifications/"+strconv.FormatInt(id, 10)+"/mark", url.Values{"state": {state}, "known": {db.Mark{}.Version()}}); err != nil {
			return err
		}
	}
	return form("/logout", nil)
}
