package web

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"carebell/web/bodies"
	"carebell/web/door"
	"carebell/web/intake"
)

// What a request may take. Whoever answers strangers must cost them more than us.
const (
	maxForm        = 64 << 10
	maxHeaders     = 16 << 10
	maxConnections = 8192             // of whom strangers get door.Strangers at most
	headerTime     = 10 * time.Second // for a handshake and the headers, and for the beginning of a body
	idleTimeout    = 75 * time.Second
	writeTimeout   = 5 * time.Minute // large files on slow lines
	strangersWrite = 20 * time.Second

	allBodies       = 256 << 20 // bytes of bodies that are being received at the same time
	strangersBodies = 80 << 20  // of them, from those who have not proved who they are
)

// formLimits are those of every body but a webhook's.
var formLimits = bodies.Limits{Most: maxForm, Patience: 5 * time.Second, Rate: 4 << 10, Whole: 20 * time.Second}

// newApp makes a Fiber app whose connections come through d.
func (s *Server) newApp(d *door.Door) *fiber.App {
	app := fiber.New(fiber.Config{
		AppName:               "Carebell",
		DisableStartupMessage: true,
		Immutable:             true, // strings from a request outlive it in sockets and filters
		CaseSensitive:         true,
		StrictRouting:         true,
		BodyLimit:             intake.MaxBody,
		ReadBufferSize:        maxHeaders,
		ReadTimeout:           headerTime,
		WriteTimeout:          writeTimeout,
		IdleTimeout:           idleTimeout,
		Concurrency:           maxConnections,
		// Bodies are read by us, as they arrive: otherwise the announced length would be allocated at once, and large
		// multipart bodies written to temporary files before anybody looks at them.
		StreamRequestBody:            true,
		DisablePreParseMultipartForm: true,
		// On even without a proxy: otherwise anybody's X-Forwarded-* would be believed.
		EnableTrustedProxyCheck: true,
		TrustedProxies:          s.cfg.TrustedProxies,
		ErrorHandler:            s.handleError,
	})
	app.Server().HeaderReceived = func(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
		path, _, _ := bytes.Cut(h.RequestURI(), []byte("?"))
		r := fasthttp.RequestConfig{ReadTimeout: headerTime, MaxRequestBodySize: maxForm, WriteTimeout: writeTimeout}
		if string(path) == intake.Path {
			r.MaxRequestBodySize = intake.MaxBody
		}
		for _, p := range forStrangers {
			if strings.HasPrefix(string(path), p) {
				r.WriteTimeout = strangersWrite
			}
		}
		return r
	}
	app.Server().ConnState = func(c net.Conn, state fasthttp.ConnState) {
		if state == fasthttp.StateIdle {
			d.Idle(c)
		}
	}
	app.Use(s.recovered, s.headers, s.place(d))
	return app
}

// proxies reads addresses and ranges; what is neither was refused at the start.
func proxies(list []string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range list {
		if p, err := netip.ParsePrefix(text); err == nil {
			out = append(out, p.Masked())
		} else if a, err := netip.ParseAddr(text); err == nil {
			out = append(out, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
		}
	}
	return out
}

// forStrangers are the beginnings of the paths where strangers get more than a line.
var forStrangers = []string{"/login", "/setup", "/static/", "/healthz", "/readyz", intake.Path}

const placeKey = "place"

// place takes a place for the request. One whose sender is known, or who is found to be signed in, needs none.
func (s *Server) place(d *door.Door) fiber.Handler {
	return func(c *fiber.Ctx) error {
		var forwarded []string
		for _, line := range c.Request().Header.PeekAll(fiber.HeaderXForwardedFor) {
			forwarded = append(forwarded, string(line))
		}
		client := d.Client(c.Context().RemoteAddr(), strings.Join(forwarded, ","))
		leave := func() {}
		if !d.Knows(client) {
			if !d.Begin(client) {
				c.Context().SetConnectionClose()
				c.Set(fiber.HeaderRetryAfter, "2")
				return fiber.NewError(fiber.StatusTooManyRequests, "Too many requests come from this address at the same time. Try again in a moment.")
			}
			leave = sync.OnceFunc(func() { d.End(client) })
		}
		defer leave()
		c.Locals(placeKey, visitor{door: d, client: client, leave: leave})
		if !mayHaveBody(c) {
			d.Busy(c.Context().Conn())
		}
		return c.Next()
	}
}

// visitor is whoever sends a request, as the door sees them.
type visitor struct {
	door   *door.Door
	client netip.Addr
	leave  func()
}

// visitorOf returns who sends a request; false outside of a server, as in some tests.
func visitorOf(c *fiber.Ctx) (visitor, bool) {
	v, ok := c.Locals(placeKey).(visitor)
	return v, ok
}

// admit notes that somebody signed in sends the request: they are no stranger, nor is their connection.
func admit(c *fiber.Ctx) {
	if v, ok := visitorOf(c); ok {
		v.leave()
		v.door.Admit(c.Context().Conn())
	}
}

func mayHaveBody(c *fiber.Ctx) bool {
	return c.Request().Header.ContentLength() != 0 && !bodiless[c.Method()]
}

// bodiless are the methods of which no body is ever read.
var bodiless = map[string]bool{fiber.MethodGet: true, fiber.MethodHead: true, fiber.MethodOptions: true, fiber.MethodDelete: true}

// form reads the body of a request that is no webhook: a form as browsers send it without files, and nothing else. It is
// there for [posted] then.
func (s *Server) form(c *fiber.Ctx) error {
	if c.Get(fiber.HeaderContentEncoding) != "" {
		return refuse(c, fiber.NewError(fiber.StatusUnsupportedMediaType, "Send the body as it is, without Content-Encoding."))
	}
	if !mayHaveBody(c) {
		return c.Next()
	}
	kind, _, _ := strings.Cut(string(c.Request().Header.ContentType()), ";")
	if n := c.Request().Header.ContentLength(); n != -2 && !strings.EqualFold(strings.TrimSpace(kind), fiber.MIMEApplicationForm) {
		return refuse(c, fiber.NewError(fiber.StatusUnsupportedMediaType, "Only a form that is urlencoded can be sent here."))
	}
	body, _, err := bodies.Read(c.Context(), formLimits, nil)
	switch {
	case errors.Is(err, bodies.ErrTooLarge):
		return refuse(c, fiber.ErrRequestEntityTooLarge)
	case errors.Is(err, bodies.ErrTooSlow):
		return refuse(c, fiber.ErrRequestTimeout)
	case err != nil:
		return refuse(c, fiber.ErrBadRequest)
	}
	c.Request().SetBodyRaw(body)
	if v, ok := visitorOf(c); ok {
		v.door.Busy(c.Context().Conn())
	}
	return c.Next()
}

// posted is a value of a form. Nothing else of a request is looked at: not its address, and no other kind of body.
func posted(c *fiber.Ctx, name string) string { return string(c.Context().PostArgs().Peek(name)) }

// refuse answers before the body was read: the connection cannot be used further, and is closed in a way in which the
// client sees the answer.
func refuse(c *fiber.Ctx, err error) error {
	door.Linger(c.Context().Conn())
	c.Context().SetConnectionClose()
	return err
}

// receiver takes the webhooks.
func (s *Server) receiver() *intake.Receiver {
	return &intake.Receiver{
		Keys: s.cfg.Keys, Inbox: s.inbox, Now: s.cfg.Now, Log: s.cfg.Log, Refused: s.refusals, Accepted: s.projector.Wake, Budget: s.budget,
		Sender: func(c *fiber.Ctx) (netip.Addr, bool) {
			v, ok := visitorOf(c)
			return v.client, ok && v.door.Knows(v.client)
		},
		Proved: func(c *fiber.Ctx) {
			if v, ok := visitorOf(c); ok {
				v.door.Prove(v.client, c.Context().Conn())
				v.door.Busy(c.Context().Conn())
				v.leave()
			}
		},
	}
}
