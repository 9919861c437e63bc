package web

import (
	"slices"

	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/static"
	"carebell/web/intake"
)

// access says who may use a route.
type access int

const (
	open    access = iota // everyone, signed in or not
	signed                // whoever is signed in
	act                   // whoever may change things: not viewers
	keepers               // admins
)

// roles are those who have an access.
var roles = map[access][]db.Role{
	signed:  {db.Admin, db.Coordinator, db.Viewer},
	act:     {db.Admin, db.Coordinator},
	keepers: {db.Admin},
}

type route struct {
	method  string
	path    string
	access  access
	handler fiber.Handler
}

// table is every route there is.
func (s *Server) table() []route {
	receiver := s.receiver()
	return []route{
		{fiber.MethodPost, intake.Path, open, receiver.Handle},
		{fiber.MethodGet, "/healthz", open, s.health},
		{fiber.MethodGet, "/readyz", open, s.ready},
		{fiber.MethodGet, static.Prefix + "*", open, s.static},
		{fiber.MethodGet, "/login", open, s.loginPage},
		{fiber.MethodPost, "/login", open, s.login},
		{fiber.MethodGet, "/setup", open, s.setupPage}, // decides by itself: a one-time token, or an admin
		{fiber.MethodPost, "/setup", open, s.setup},
		{fiber.MethodPost, "/logout", signed, s.logout},
		{fiber.MethodGet, "/", signed, feedList.page(s)},
		{fiber.MethodPost, "/notifications/:id/mark", act, s.mark},
		{fiber.MethodGet, "/patients", signed, s.patients},
		{fiber.MethodGet, "/patients/:id", signed, s.patient},
		{fiber.MethodPost, "/patients/:id/correct", act, s.correct},
		{fiber.MethodGet, "/patients/:id/health/:section", signed, s.healthPage},
		{fiber.MethodGet, "/patients/:id/health/:section/:ref", signed, s.healthPage},
		{fiber.MethodGet, "/messages", signed, messageList.page(s)},
		{fiber.MethodGet, "/messages/:id", signed, s.message},
		{fiber.MethodPost, "/messages/:id/mark", act, s.markMessage},
		{fiber.MethodGet, "/messages/:id/match", act, s.matchFound},
		{fiber.MethodPost, "/messages/:id/match", act, s.matchMessage},
		{fiber.MethodGet, "/messages/sent/:id", signed, s.sentMessage},
		{fiber.MethodGet, "/imports", signed, importList.page(s)},
		{fiber.MethodGet, "/imports/:id", signed, s.importPage},
		{fiber.MethodGet, "/imports/:id/rows", signed, s.importRowsWindow},
		{fiber.MethodGet, "/imports/:id/rows/:row", signed, s.importRow},
		{fiber.MethodGet, "/records", signed, recordList.page(s)},
		{fiber.MethodGet, "/records/documents/:id", signed, s.documents},
		{fiber.MethodPost, "/records/documents/:id/zip", signed, s.documentsZip},
		{fiber.MethodGet, "/files/:id", signed, s.file},
		{fiber.MethodGet, "/files/:id/preview", signed, s.preview},
		{fiber.MethodPost, "/files/:id/again", act, s.haveFileAgain},
		{fiber.MethodGet, "/search", signed, s.search},
		{fiber.MethodGet, "/identity", signed, identityList.page(s)},
		{fiber.MethodGet, "/identity/:id", signed, s.identity},
		{fiber.MethodGet, "/admin/inbox", keepers, inboxList.page(s)},
		{fiber.MethodPost, "/admin/inbox/again", keepers, s.againAll},
		{fiber.MethodGet, "/admin/inbox/refused", keepers, s.refused},
		{fiber.MethodGet, "/admin/inbox/:seq", keepers, s.inboxMessage},
		{fiber.MethodGet, "/admin/inbox/:seq/raw", keepers, s.rawMessage},
		{fiber.MethodPost, "/admin/inbox/:seq/again", keepers, s.again},
		{fiber.MethodPost, "/admin/inbox/:seq/resend", keepers, s.haveMessageAgain},
		{fiber.MethodGet, "/files/:id/spreadsheet", signed, s.spreadsheet},
		{fiber.MethodGet, systemPath, keepers, s.systemPage},
		{fiber.MethodPost, systemPath + "/places", keepers, s.setPlaces},
		{fiber.MethodPost, healPath, keepers, s.heal},
		{fiber.MethodGet, completenessPath, keepers, s.completenessPage},
		{fiber.MethodPost, completenessPath + "/check", keepers, s.checkCompleteness},
		{fiber.MethodPost, completenessPath + "/retry", keepers, s.sendAgain},
		{fiber.MethodGet, "/live", signed, s.live},
	}
}

// hookRoutes are those of the address for webhooks alone: whoever reaches it reaches nothing else.
func (s *Server) hookRoutes() {
	s.hooks.Post(intake.Path, s.receiver().Handle)
	s.hooks.All(intake.Path, func(c *fiber.Ctx) error {
		c.Append(fiber.HeaderAllow, fiber.MethodPost)
		return fiber.ErrMethodNotAllowed
	})
	s.hooks.Use(func(c *fiber.Ctx) error {
		return c.Status(fiber.StatusNotFound).SendString("Only webhooks are taken here.\n")
	})
}

func (s *Server) routes() {
	paths := map[string][]string{}
	for _, r := range s.table() {
		handlers := []fiber.Handler{r.handler}
		if r.path != intake.Path { // the webhook has its own deadline, comes from elsewhere, and knows no people
			handlers = []fiber.Handler{s.form, s.context, sameOrigin(s.cfg.PublicURL), s.session, s.allow(r.access), r.handler}
		}
		s.app.Add(r.method, r.path, handlers...)
		if r.method == fiber.MethodGet {
			s.app.Add(fiber.MethodHead, r.path, handlers...)
		}
		paths[r.path] = append(paths[r.path], r.method)
	}
	for path, methods := range paths {
		slices.Sort(methods)
		s.app.All(path, func(c *fiber.Ctx) error {
			for _, m := range methods {
				c.Append(fiber.HeaderAllow, m)
			}
			return fiber.ErrMethodNotAllowed
		})
	}
	s.app.Use(func(*fiber.Ctx) error { return fiber.ErrNotFound })
}
