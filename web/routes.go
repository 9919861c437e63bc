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

// table is every route that is no page: what takes something in, files, and parts of pages. Those of pages are in
// [Server.pageTable].
func (s *Server) table() []route {
	receiver := s.receiver()
	return []route{
		{fiber.MethodPost, intake.Path, open, receiver.Handle},
		{fiber.MethodGet, "/healthz", open, s.health},
		{fiber.MethodGet, "/readyz", open, s.ready},
		{fiber.MethodGet, static.Prefix + "*", open, s.static},
		{fiber.MethodGet, livePath, signed, s.live},
		{fiber.MethodPost, "/login", open, s.login},
		{fiber.MethodPost, "/setup", open, s.setup},
		{fiber.MethodPost, "/logout", signed, s.logout},
		{fiber.MethodPost, "/notifications/:id/mark", act, s.mark},
		{fiber.MethodPost, "/patients/:id/correct", act, s.correct},
		{fiber.MethodPost, "/messages/:id/mark", act, s.markMessage},
		{fiber.MethodGet, "/messages/:id/match", act, s.matchFound},
		{fiber.MethodPost, "/messages/:id/match", act, s.matchMessage},
		{fiber.MethodGet, "/imports/:id/rows", signed, s.importRowsWindow},
		{fiber.MethodPost, "/records/documents/:id/zip", signed, s.documentsZip},
		{fiber.MethodGet, "/files/:id", signed, s.file},
		{fiber.MethodGet, "/files/:id/spreadsheet", signed, s.spreadsheet},
		{fiber.MethodPost, "/files/:id/again", act, s.haveFileAgain},
		{fiber.MethodPost, inboxPath + "/again", keepers, s.againAll},
		{fiber.MethodGet, inboxPath + "/:seq/raw", keepers, s.rawMessage},
		{fiber.MethodPost, inboxPath + "/:seq/again", keepers, s.again},
		{fiber.MethodPost, inboxPath + "/:seq/resend", keepers, s.haveMessageAgain},
		{fiber.MethodPost, systemPath + "/places", keepers, s.setPlaces},
		{fiber.MethodPost, healPath, keepers, s.heal},
		{fiber.MethodPost, completenessPath + "/check", keepers, s.checkCompleteness},
		{fiber.MethodPost, completenessPath + "/retry", keepers, s.sendAgain},
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
	all := s.table()
	for _, p := range s.pages {
		all = append(all, route{fiber.MethodGet, p.path, p.access, p.handler})
	}
	for _, r := range all {
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
