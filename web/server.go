package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gofiber/fiber/v2"
	"golang.org/x/sync/errgroup"

	"carebell/db"
	"carebell/views"
	"carebell/web/archive"
	"carebell/web/auth"
	"carebell/web/bodies"
	"carebell/web/chart"
	"carebell/web/completeness"
	"carebell/web/door"
	"carebell/web/imports"
	"carebell/web/intake"
	"carebell/web/live"
	"carebell/web/metriport"
)

// Deadlines of the server's own work.
const (
	handlerTimeout = 15 * time.Second
	drainTime      = 8 * time.Second
)

// Server is one running Carebell.
type Server struct {
	cfg       Config
	db        *db.DB
	inbox     *db.Inbox
	auth      *auth.Service
	hub       *live.Hub
	projector *chart.Projector
	archive   *archive.Archive
	imports   *imports.Indexer
	summaries *chart.HealthKeeper
	refusals  *intake.Refusals
	checker   *completeness.Checker // nil without an API key
	healer    *completeness.Healer  // nil without an API key
	overview  overview
	senders   map[string]map[netip.Addr]time.Time // as they are written down, by setting; of one goroutine
	noFiles   atomic.Bool                         // no file can be made in the folder of downloads
	previews  chan struct{}                       // a place for each file that is read for a person now
	budget    *bodies.Budget
	door      *door.Door
	pages     []page                       // every page
	menus     map[db.Role][]views.MenuItem // the navigation, by who sees it
	app       *fiber.App
	listener  net.Listener
	hooks     *fiber.App   // takes webhooks alone; nil where they have no address of their own
	hookPort  net.Listener // of hooks
	hookDoor  *door.Door   // before hooks
}

// New makes a server on an open data folder. It listens and works only in [Server.Run].
func New(ctx context.Context, cfg Config, d *db.DB) (*Server, error) {
	s := &Server{cfg: cfg, db: d, refusals: &intake.Refusals{}, previews: make(chan struct{}, previewsOnce), senders: map[string]map[netip.Addr]time.Time{}}
	s.hub = live.NewHub(live.Options{Read: s.moment, Logins: s.logins, Log: cfg.Log})
	vault, err := archive.OpenVault(cfg.DataDir, cfg.DataKey)
	if err != nil {
		return nil, err
	}
	guard, err := archive.NewGuard(cfg.DownloadHosts)
	if err != nil {
		return nil, fmt.Errorf("CAREBELL_DOWNLOAD_HOSTS: %w: write it like files.example.org:443", err)
	}
	fetcher := archive.NewFetcher(guard, 0)
	if cfg.APIURL != nil && cfg.APIKey != "" {
		fetcher.UseAPI(cfg.APIURL)
		api := metriport.NewClient(cfg.APIURL, cfg.APIKey, guard.ForAPI(cfg.APIURL).Client())
		self := ""
		if cfg.PublicURL != nil {
			self = cfg.PublicURL.JoinPath(intake.Path).String()
		}
		s.checker = completeness.New(d, api, self, cfg.Now, cfg.Log, s.hub.Wake)
		if s.healer, err = s.newHealer(ctx, api); err != nil {
			return nil, err
		}
	}
	places, err := loadPlaces(ctx, d)
	if err != nil {
		return nil, err
	}
	s.archive = archive.New(d, archive.Options{
		Places: places,
		Vault:  vault, Fetcher: fetcher, Read: chart.ReadRecord, Split: chart.SplitRecord, Apply: chart.ApplyRecord, Renew: chart.RenewRecord, Now: cfg.Now, Log: cfg.Log,
		APIKey: archive.APIKey(cfg.APIKey), Retain: cfg.KeepFiles, Alert: s.hub.Wake,
		Stored: func(d db.Download) {
			if d.Purpose == db.PurposeImport {
				s.imports.Wake()
			}
			s.summaries.Wake()
		},
		Removed: func() { s.imports.Wake() },
	})
	s.imports = imports.New(d, s.archive.Open, cfg.Now, cfg.Log)
	s.projector = chart.New(d, cfg.Log)
	s.summaries = chart.NewHealthKeeper(d, s.archive.Open, cfg.Log)
	s.projector.OnDownloads(func() { s.archive.Wake(); s.imports.Wake(); s.summaries.Wake() })
	s.auth, err = auth.New(d, cfg.Now, auth.Options{
		Idle:  cfg.IdleLogout,
		Ended: func(id auth.SessionID) { s.hub.End(string(id[:])) },
	})
	if err != nil {
		return nil, err
	}
	if s.inbox, err = d.OpenInbox(ctx, cfg.Group); err != nil {
		return nil, err
	}
	d.OnCommit(s.hub.Wake)
	d.OnFull(s.roomChanged)
	s.budget = bodies.NewBudget(allBodies, strangersBodies)
	s.door = door.New(proxies(cfg.TrustedProxies), cfg.Now)
	s.pages, s.menus = s.pageTable(), map[db.Role][]views.MenuItem{}
	for _, role := range roles[signed] {
		s.menus[role] = menu(s.pages, role)
	}
	s.app = s.newApp(s.door)
	s.routes()
	if err := s.recallSenders(ctx, settingSenders, s.door); err != nil {
		return nil, err
	}
	if cfg.WebhookAddr != "" {
		s.hookDoor = door.New(proxies(cfg.TrustedProxies), cfg.Now)
		s.hooks = s.newApp(s.hookDoor)
		s.hookRoutes()
		if err := s.recallSenders(ctx, settingHookSenders, s.hookDoor); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Auth returns the service that knows who is who.
func (s *Server) Auth() *auth.Service { return s.auth }

// Receiver takes signed deliveries of this process, for `carebell bench fill`; those that come over HTTP go the same way.
func (s *Server) Receiver() *intake.Receiver { return s.receiver() }

// Listen takes the addresses. It is apart from Run so that the ports are known before anything is served. The error is
// one sentence that says what to do.
func (s *Server) Listen(ctx context.Context) (err error) {
	if s.listener, err = s.listen(ctx, s.cfg.Addr, "CAREBELL_ADDR", s.door); err != nil || s.hooks == nil {
		return err
	}
	if s.hookPort, err = s.listen(ctx, s.cfg.WebhookAddr, "CAREBELL_WEBHOOK_ADDR", s.hookDoor); err != nil {
		_ = s.listener.Close()
	}
	return err
}

func (s *Server) listen(ctx context.Context, addr, setting string, d *door.Door) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("the address %s is in use: stop the program that listens there or choose another with %s", addr, setting)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("this user may not listen on %s: choose a port above 1023 with %s", addr, setting)
	case err != nil:
		return nil, fmt.Errorf("cannot listen on %s: %w; choose an address of this computer with %s", addr, err, setting)
	}
	l = d.Before(l)
	if s.cfg.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(s.cfg.TLSCert, s.cfg.TLSKey)
		if err != nil {
			_ = l.Close()
			return nil, fmt.Errorf("cannot use the certificate of CAREBELL_TLS_CERT and CAREBELL_TLS_KEY: %w", err)
		}
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
	}
	return l, nil
}

// Addr is the host:port that is listened on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// WebhookAddr is the host:port that is listened on for webhooks alone; "" where there is none.
func (s *Server) WebhookAddr() string {
	if s.hookPort == nil {
		return ""
	}
	return s.hookPort.Addr().String()
}

// URL is how this server is reached, without a slash at the end.
func (s *Server) URL() string {
	if s.cfg.PublicURL != nil {
		return strings.TrimSuffix(s.cfg.PublicURL.String(), "/")
	}
	addr := s.cfg.Addr
	if s.listener != nil {
		addr = s.Addr()
	}
	return s.scheme() + "://" + addr
}

func (s *Server) scheme() string {
	if s.cfg.TLSCert != "" {
		return "https"
	}
	return "http"
}

// Run serves until ctx ends or the disk fails, then stops in order: no new connections, sockets told to come back, what
// was received committed, the chart's work ended. The caller closes the database afterwards.
func (s *Server) Run(ctx context.Context) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var g errgroup.Group
	g.Go(func() error { return s.projector.Run(work) })
	g.Go(func() error { return s.hub.Run(work) })
	g.Go(func() error { return s.archive.Run(work) })
	g.Go(func() error { return s.imports.Run(work) })
	g.Go(func() error { return s.summaries.Run(work) })
	g.Go(func() error { return s.refusals.Run(work, s.db, s.cfg.Log) })
	g.Go(func() error { return s.pulse(work) })
	g.Go(func() error { return s.watchRoom(work) })
	g.Go(func() error { return s.upkeep(work) })
	g.Go(func() error { return s.keepSenders(work) })
	g.Go(func() error {
		s.db.KeepOptimized(work, func(err error) { s.cfg.Log.Error("SQLite could not look at how the rows are spread", "error", err) })
		return nil
	})
	if s.checker != nil {
		g.Go(func() error { return s.checker.Run(work) })
		g.Go(func() error { return s.healer.Run(work) })
	}
	served := make(chan error, 2)
	go func() { served <- s.app.Listener(s.listener) }()
	if s.hooks != nil {
		go func() { served <- s.hooks.Listener(s.hookPort) }()
	}

	var err error
	select {
	case <-ctx.Done():
	case <-s.db.Broken():
		err = fmt.Errorf("%w; what was acknowledged is on the disk, nothing more is taken: check the disk, then start again", s.db.BrokenBy())
	case err = <-served:
		err = fmt.Errorf("the server stopped: %w", err)
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	_ = s.listener.Close()
	if s.hooks != nil {
		_ = s.hookPort.Close()
	}
	if e := s.hub.Close(drain); e != nil {
		s.cfg.Log.Warn("some live screens did not say goodbye", "error", e)
	}
	for _, app := range []*fiber.App{s.app, s.hooks} {
		if app == nil {
			continue
		}
		if e := app.ShutdownWithContext(drain); e != nil && !errors.Is(e, net.ErrClosed) {
			s.cfg.Log.Warn("some requests were cut off", "error", e)
		}
	}
	s.inbox.Close()
	stop()
	return errors.Join(err, g.Wait())
}

// context bounds everything that a request asks of the database.
func (s *Server) context(c *fiber.Ctx) error {
	ctx, cancel := context.WithTimeout(context.Background(), handlerTimeout)
	defer cancel()
	c.SetUserContext(ctx)
	return c.Next()
}

// health says that the process answers; it looks at nothing else.
func (s *Server) health(c *fiber.Ctx) error { return c.SendString("ok\n") }

// ready says whether webhooks can be made durable.
func (s *Server) ready(c *fiber.Ctx) error {
	err := s.db.BrokenBy()
	if err == nil {
		err = s.db.Read(c.UserContext(), func(v db.Snapshot) error {
			_, err := v.Summary(c.UserContext(), 1)
			return err
		})
	}
	if err != nil {
		return c.Status(http.StatusServiceUnavailable).SendString("not ready\n")
	}
	if s.db.Full() {
		return c.Status(http.StatusServiceUnavailable).SendString("not ready: the disk takes nothing more\n")
	}
	return c.SendString("ready\n")
}
