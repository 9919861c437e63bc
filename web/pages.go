package web

import (
	"slices"

	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/views"
	"carebell/web/live"
)

// page is what people see at an address. Its route, its place in the navigation, the key that leads there, its socket, and
// the tests of who may see what come from its row in [Server.pageTable]: what has no row there does not exist.
type page struct {
	path    string
	title   string // of the window, never of a patient; "" = the handler says it
	access  access
	handler fiber.Handler

	menu  string // its name in the navigation; "" = it is not there
	group string // above which it stands there; "" = none
	count views.Counter
	key   string // leads there, after g
	goes  string // what the key does: "go to the feed"
	under string // path of the page in the navigation that it belongs to, where it is not there itself

	view  string // of its socket; "" = it has none
	watch access // who may open that, where it is not everybody who may see the page
	open  func(*fiber.Ctx) (live.Screen, error)
}

// statusView is the socket of pages of which only what is around the content is live.
const statusView = "status"

// pageTable is every page there is, in the order of the navigation.
func (s *Server) pageTable() []page {
	still := func(*fiber.Ctx) (live.Screen, error) { return s.statusScreen(statusView), nil }
	return []page{
		{path: "/login", access: open, handler: s.loginPage},
		{path: "/setup", access: open, handler: s.setupPage, under: systemPath, title: "Connection", // decides by itself: a one-time token, or an admin
			view: "connection", watch: keepers, open: func(*fiber.Ctx) (live.Screen, error) { return s.connectionScreen(), nil }},
		{path: "/search", title: "Search", access: signed, handler: s.search, view: statusView, open: still},

		feedList.row(s, page{access: signed, count: views.CountNew, key: "f", goes: "go to the feed"}),
		{path: "/patients", title: "Patients", access: signed, handler: s.patients, menu: "Patients", key: "p", goes: "go to patients",
			view: statusView, open: still},
		{path: "/patients/:id", title: "Patient", access: signed, handler: s.patient, under: "/patients", view: "patient", open: s.openPatient},
		{path: "/patients/:id/health/:section", access: signed, handler: s.healthPage, under: "/patients", view: "health", open: s.openHealth},
		{path: "/patients/:id/health/:section/:ref", access: signed, handler: s.healthPage, under: "/patients", view: "health", open: s.openHealth},
		{path: "/files/:id/preview", title: "File", access: signed, handler: s.preview, under: "/patients", view: statusView, open: still},

		messageList.row(s, page{access: signed, count: views.CountUnread, key: "m", goes: "go to messages"}),
		{path: "/messages/:id", title: "Message", access: signed, handler: s.message, under: "/messages", view: "message", open: s.openMessage},
		{path: "/messages/sent/:id", title: "Sent message", access: signed, handler: s.sentMessage, under: "/messages", view: "sent-message", open: s.openSent},

		importList.row(s, page{access: signed, key: "i", goes: "go to imports"}),
		{path: "/imports/:id", title: "Import", access: signed, handler: s.importPage, under: "/imports", view: "import", open: s.openImport},
		{path: "/imports/:id/rows/:row", title: "Row", access: signed, handler: s.importRow, under: "/imports", view: statusView, open: still},

		recordList.row(s, page{access: signed, key: "r", goes: "go to records"}),
		{path: "/records/documents/:id", title: "Documents", access: signed, handler: s.documents, under: views.RecordsPath, view: "documents", open: s.openDocuments},

		identityList.row(s, page{access: signed, key: "d", goes: "go to identity proofings"}),
		{path: "/identity/:id", title: "Identity proof", access: signed, handler: s.identity, under: identityPath, view: "proofing", open: s.openIdentity},

		inboxList.row(s, page{access: keepers, group: "Admin", key: "w", goes: "go to webhooks"}),
		{path: "/admin/inbox/refused", title: "Refused requests", access: keepers, handler: s.refused, under: inboxPath, view: statusView, open: still},
		{path: "/admin/inbox/:seq", title: "Message", access: keepers, handler: s.inboxMessage, under: inboxPath, view: "inbox-message", open: s.openInboxMessage},

		{path: systemPath, title: "System", access: keepers, handler: s.systemPage, menu: "System", group: "Admin", key: "s", goes: "go to the system page",
			view: "system", open: func(*fiber.Ctx) (live.Screen, error) { return s.systemScreen(), nil }},
		{path: completenessPath, title: "Completeness", access: keepers, handler: s.completenessPage, under: systemPath,
			view: "completeness", open: func(*fiber.Ctx) (live.Screen, error) { return s.completenessScreen(), nil }},
	}
}

// watchers is who may open the page's socket.
func (p page) watchers() access {
	if p.watch != open {
		return p.watch
	}
	return p.access
}

// frame is what is around a page: its title and its place in the navigation are those of its row.
func (s *Server) frame(c *fiber.Ctx, l views.Live) views.Frame {
	x, _ := who(c)
	f := views.Frame{Email: x.User.Email, Role: string(x.User.Role), Clock: s.clock(), Live: l, Menu: s.menus[x.User.Role]}
	if i := slices.IndexFunc(s.pages, func(p page) bool { return p.path == c.Route().Path }); i >= 0 {
		p := s.pages[i]
		f.Title, f.Here = p.title, p.under
		if f.Here == "" {
			f.Here = p.path
		}
	}
	return f
}

// menu is the navigation of people with a role: what they may not see is not in it.
func menu(pages []page, role db.Role) (out []views.MenuItem) {
	for _, p := range pages {
		if p.menu != "" && slices.Contains(roles[p.access], role) {
			out = append(out, views.MenuItem{Path: p.path, Name: p.menu, Group: p.group, Count: p.count, Key: p.key, Goes: p.goes})
		}
	}
	return out
}

// screen opens the socket of a page, for who may open it.
func (s *Server) screen(c *fiber.Ctx) (live.Screen, error) {
	x, _ := who(c)
	for _, p := range s.pages {
		if p.view == "" || p.view != c.Query("view") {
			continue
		}
		if !x.May(roles[p.watchers()]...) {
			return live.Screen{}, fiber.NewError(fiber.StatusForbidden, "Your role does not allow this. Ask an admin.")
		}
		return p.open(c)
	}
	return live.Screen{}, fiber.NewError(fiber.StatusNotFound, "There is no such live page.")
}
