package web

import (
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/views"
	"carebell/web/auth"
	"carebell/web/intake"
)

// cookieName carries the __Host- prefix where the browser lets it: over TLS.
func (s *Server) cookieName() string {
	if s.cfg.secure() {
		return "__Host-carebell"
	}
	return "carebell"
}

// deviceCookie names the cookie by which a browser is known at a login. It opens nothing.
func (s *Server) deviceCookie() string { return s.cookieName() + "-device" }

// remember puts a login's token into the browser; "" takes it out.
func (s *Server) remember(c *fiber.Ctx, token string) {
	cookie := fiber.Cookie{
		Name: s.cookieName(), Value: token, Path: "/",
		HTTPOnly: true, Secure: s.cfg.secure(), SameSite: fiber.CookieSameSiteLaxMode, SessionOnly: true,
	}
	if token == "" {
		cookie.SessionOnly, cookie.Expires = false, time.Unix(1, 0)
	}
	c.Cookie(&cookie)
}

func (s *Server) loginPage(c *fiber.Ctx) error {
	next := localPath(c.Query("next"))
	if _, ok := who(c); ok {
		return c.Redirect(next, fiber.StatusSeeOther)
	}
	if why := s.whyOut(c); why != "" {
		c.Set(headerWhy, string(why))
	}
	return render(c, views.LoginPage(views.SignIn{Next: next, Why: s.whyWords(auth.Ended(c.Query("why")))}))
}

// whyWords says to a person why they have to sign in; "" where they were not.
func (s *Server) whyWords(why auth.Ended) string {
	switch why {
	case auth.EndedIdle:
		return "You were signed out because nothing was done here for " + views.Long(s.auth.Idle()) + "."
	case auth.EndedAbsolute:
		return "You were signed out because a sign-in lasts " + views.Long(s.auth.Absolute()) + " at most."
	case auth.EndedDisabled:
		return "You were signed out because an admin has disabled this login."
	case auth.EndedOut:
		return "You were signed out, here or in another window."
	default:
		return ""
	}
}

func (s *Server) login(c *fiber.Ctx) error {
	email, next := posted(c, "email"), localPath(posted(c, "next"))
	try := auth.Try{Email: email, Password: posted(c, "password"), Device: c.Cookies(s.deviceCookie())}
	if v, ok := visitorOf(c); ok {
		try.From = v.client.String()
	}
	entry, err := s.auth.Login(c.UserContext(), try)
	var wait auth.WaitError
	switch {
	case errors.As(err, &wait):
		s.cfg.Log.Warn("login refused: too many wrong passwords")
		return render(c.Status(fiber.StatusTooManyRequests), views.LoginPage(views.SignIn{Email: email, Next: next, Problem: sentence(err)}))
	case errors.Is(err, auth.ErrBusy):
		s.cfg.Log.Warn("login refused: too many at the same time")
		return render(c.Status(fiber.StatusServiceUnavailable), views.LoginPage(views.SignIn{Email: email, Next: next, Problem: sentence(err)}))
	case errors.Is(err, auth.ErrWrongLogin):
		s.cfg.Log.Warn("login refused: wrong email or password")
		return render(c.Status(fiber.StatusUnauthorized), views.LoginPage(views.SignIn{Email: email, Next: next, Problem: sentence(err)}))
	case err != nil:
		return err
	}
	if old, ok := who(c); ok { // whoever signs in again leaves the old login behind
		s.signOut(c, old)
	}
	s.remember(c, entry.Token)
	c.Cookie(&fiber.Cookie{
		Name: s.deviceCookie(), Value: entry.Device, Path: "/", MaxAge: int(db.KeepDevice / time.Second),
		HTTPOnly: true, Secure: s.cfg.secure(), SameSite: fiber.CookieSameSiteLaxMode,
	})
	return c.Redirect(next, fiber.StatusSeeOther)
}

func (s *Server) logout(c *fiber.Ctx) error {
	x, _ := who(c)
	s.signOut(c, x)
	s.remember(c, "")
	return c.Redirect("/login", fiber.StatusSeeOther)
}

// signOut ends a login, whatever the disk says.
func (s *Server) signOut(c *fiber.Ctx, x auth.Session) {
	if err := s.auth.Logout(c.UserContext(), x.ID); err != nil {
		s.cfg.Log.Error("a logout could not be written down; it holds all the same, and is written when the disk takes it", "error", err)
	}
}

// setupPage is two things: with a one-time token, the form for the first admin; for an admin, what to paste at
// Metriport. A token that is used up leads to the login.
func (s *Server) setupPage(c *fiber.Ctx) error {
	if token := c.Query("token"); token != "" {
		open, err := s.auth.SetupOpen(c.UserContext(), token)
		if err != nil {
			return err
		}
		if open {
			return render(c, views.SetupPage(token, "", ""))
		}
	}
	x, ok := who(c)
	switch {
	case !ok && c.Query("token") != "":
		return fiber.NewError(fiber.StatusForbidden, "This set-up link has been used, or a newer one was printed. Sign in, or take the link that Carebell printed last.")
	case !ok:
		return c.Redirect("/login?next=/setup", fiber.StatusSeeOther)
	case !x.May(db.Admin):
		return fiber.NewError(fiber.StatusForbidden, "Only admins can see the connection to Metriport.")
	}
	p, err := s.connection(c)
	if err != nil {
		return err
	}
	return render(c, views.ConnectionPage(p))
}

func (s *Server) setup(c *fiber.Ctx) error {
	token, email := posted(c, "token"), posted(c, "email")
	session, err := s.auth.Setup(c.UserContext(), token, email, posted(c, "password"))
	switch {
	case errors.Is(err, auth.ErrSetupUsed):
		return fiber.NewError(fiber.StatusForbidden, "This set-up link has been used, or a newer one was printed. Sign in, or take the link that Carebell printed last.")
	case err != nil && s.db.BrokenBy() == nil && !db.NoRoom(err):
		return render(c.Status(fiber.StatusUnprocessableEntity), views.SetupPage(token, email, sentence(err)))
	case err != nil:
		return err
	}
	s.remember(c, session)
	return c.Redirect("/setup", fiber.StatusSeeOther)
}

// connection is what an admin needs to connect Metriport.
func (s *Server) connection(c *fiber.Ctx) (views.Connection, error) {
	l, err := s.readStatus(c.UserContext())
	if err != nil {
		return views.Connection{}, err
	}
	l.URL = liveURL("connection", l.Seq, nil)
	p := s.connectionState(l)
	p.Frame = s.frame(c, l)
	return p, nil
}

func (s *Server) connectionState(l views.Live) views.Connection {
	p := views.Connection{WebhookURL: s.webhookURL(), Local: s.cfg.PublicURL == nil, Frame: views.Frame{Live: l}}
	for _, k := range s.cfg.Keys {
		if k.Expires.IsZero() || s.cfg.Now().Before(k.Expires) {
			p.Keys = append(p.Keys, k.ID())
		}
	}
	for _, n := range s.refusals.Total() {
		p.Refused += n
	}
	return p
}

// webhookURL is what Metriport is to be told. A public address is that of whatever stands before this server, which knows
// where webhooks go.
func (s *Server) webhookURL() string {
	if s.cfg.PublicURL == nil && s.hookPort != nil {
		return s.scheme() + "://" + s.WebhookAddr() + intake.Path
	}
	return s.URL() + intake.Path
}

// localPath keeps a redirect on this server: a path, and nothing that a browser reads as another host.
func localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}

// sentence makes an error's words into a sentence for a person.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
