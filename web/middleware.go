package web

import (
	"errors"
	"fmt"
	"net/url"
	"runtime/debug"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carebell/web/auth"
	"carebell/web/intake"
)

// policy is what pages may load: our own files and nothing else, no inline script or style.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// headers are on every answer.
func (s *Server) headers(c *fiber.Ctx) error {
	s.setHeaders(c)
	return c.Next()
}

func (s *Server) setHeaders(c *fiber.Ctx) {
	c.Set(fiber.HeaderContentSecurityPolicy, policy)
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Set(fiber.HeaderReferrerPolicy, "same-origin")
	c.Set(fiber.HeaderXFrameOptions, "DENY")
	c.Set("Cross-Origin-Opener-Policy", "same-origin")
	c.Set("Cross-Origin-Resource-Policy", "same-origin")
	c.Set(fiber.HeaderPermissionsPolicy, "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	c.Set(fiber.HeaderCacheControl, "no-store")
	if s.cfg.secure() {
		c.Set(fiber.HeaderStrictTransportSecurity, "max-age=31536000")
	}
}

// recovered turns a panic into an error page. The value may quote a patient, so only its type and the place are logged.
func (s *Server) recovered(c *fiber.Ctx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic (%T) at %s", p, debug.Stack())
		}
	}()
	return c.Next()
}

// sameOrigin refuses requests that change something and come from a page of somebody else's: by Sec-Fetch-Site, which
// browsers send and pages cannot set, else by Origin. Programs send neither and hold no cookie of a browser.
func sameOrigin(public *url.URL) fiber.Handler {
	return func(c *fiber.Ctx) error {
		switch c.Method() {
		case fiber.MethodGet, fiber.MethodHead, fiber.MethodOptions:
			return c.Next()
		}
		switch c.Get("Sec-Fetch-Site") {
		case "same-origin", "none":
			return c.Next()
		case "":
			if sameHost(c, public) {
				return c.Next()
			}
		}
		return fiber.NewError(fiber.StatusForbidden, "This came from another site, so nothing was changed.")
	}
}

// sameHost says whether the Origin header, where there is one, is this server.
func sameHost(c *fiber.Ctx, public *url.URL) bool {
	origin := c.Get(fiber.HeaderOrigin)
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && (strings.EqualFold(u.Host, string(c.Request().Host())) || public != nil && strings.EqualFold(u.Host, public.Host))
}

const sessionKey = "session"

// session finds out who is there. A damaged or old cookie is nobody.
func (s *Server) session(c *fiber.Ctx) error {
	x, err := s.auth.Session(c.UserContext(), c.Cookies(s.cookieName()))
	switch {
	case errors.Is(err, auth.ErrNoSession):
		return c.Next()
	case err != nil:
		return fmt.Errorf("looking up the login: %w", err)
	}
	c.Locals(sessionKey, x)
	admit(c)
	if c.Path() != livePath { // live updates are not activity
		if err := s.auth.Touch(c.UserContext(), x); err != nil {
			return fmt.Errorf("noting activity: %w", err)
		}
	}
	return c.Next()
}

// who returns the login of a request; false when nobody is signed in.
func who(c *fiber.Ctx) (auth.Session, bool) {
	x, ok := c.Locals(sessionKey).(auth.Session)
	return x, ok
}

// allow lets those through who may use the route. A stranger's page request is led to the login.
func (s *Server) allow(a access) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if a == open {
			return c.Next()
		}
		x, ok := who(c)
		switch {
		case ok && x.May(roles[a]...):
			return c.Next()
		case ok:
			return fiber.NewError(fiber.StatusForbidden, "Your role does not allow this. Ask an admin.")
		case c.Method() == fiber.MethodGet && wantsPage(c):
			q := url.Values{}
			if path := c.Path(); path != "/" {
				q.Set("next", path) // the path alone: a query may hold a search
			}
			if why := s.whyOut(c); why != "" {
				q.Set("why", string(why))
			}
			to := "/login"
			if len(q) > 0 {
				to += "?" + q.Encode()
			}
			return c.Redirect(to, fiber.StatusSeeOther)
		default:
			if why := s.whyOut(c); why != "" {
				c.Set(headerWhy, string(why))
			}
			return fiber.NewError(fiber.StatusUnauthorized, "You are signed out. Sign in again.")
		}
	}
}

// headerWhy tells a page why its login is over.
const headerWhy = "Carebell-Signed-Out"

// whyOut is why the login that a request comes with is over; "" where it comes with none, or that cannot be found out.
func (s *Server) whyOut(c *fiber.Ctx) auth.Ended {
	why, err := s.auth.Why(c.UserContext(), c.Cookies(s.cookieName()))
	if err != nil {
		s.cfg.Log.Warn("it could not be found out why a login is over", "error", err)
	}
	return why
}

// wantsPage says whether the client is a browser that shows what it gets as a page.
func wantsPage(c *fiber.Ctx) bool {
	return c.Path() != intake.Path && strings.Contains(c.Get(fiber.HeaderAccept), fiber.MIMETextHTML) && c.Get("HX-Request") == ""
}
