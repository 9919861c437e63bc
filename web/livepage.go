package web

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/websocket/v2"

	"carebell/db"
	"carebell/views"
	"carebell/web/live"
)

const livePath = "/live"

// liveURL is the address of the socket of a page: what it shows, and the number of the last change it has.
func liveURL(view string, since int64, more url.Values) string {
	q := url.Values{"view": {view}, "since": {strconv.FormatInt(since, 10)}}
	for k, v := range more {
		q[k] = v
	}
	return livePath + "?" + q.Encode()
}

// live opens a page's socket. Who asks, from where, and for what is settled before the upgrade; after it, an answer
// could no longer say what was wrong.
func (s *Server) live(c *fiber.Ctx) error {
	x, _ := who(c)
	if !sameHost(c, s.cfg.PublicURL) {
		return fiber.NewError(fiber.StatusForbidden, "This came from another site.")
	}
	if !websocket.IsWebSocketUpgrade(c) {
		return fiber.ErrUpgradeRequired
	}
	since, err := strconv.ParseInt(c.Query("since"), 10, 64)
	if err != nil {
		since = -1 // an unknown place gets the whole list
	}
	screen, err := s.screen(c, x.May(roles[act]...))
	if err != nil {
		return err
	}
	owner := live.Owner{
		ID: string(x.ID[:]),
		Alive: func() bool {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			_, err := s.auth.SessionByID(ctx, x.ID)
			return err == nil
		},
	}
	log := s.cfg.Log
	// The origin was checked above; the library's own list cannot know the server's name.
	return websocket.New(func(conn *websocket.Conn) { s.hub.Serve(conn, owner, screen, since, log) })(c)
}

func (s *Server) screen(c *fiber.Ctx, canMark bool) (live.Screen, error) {
	switch view := c.Query("view"); view {
	case "feed":
		f, err := s.feedFilter(c)
		return s.feedScreen(f, canMark), err
	case "patient":
		id := c.Query("id")
		err := s.db.Read(c.UserContext(), func(v db.Snapshot) error {
			_, err := v.Patient(c.UserContext(), id)
			return err
		})
		return s.patientScreen(id, canMark), err
	case "health":
		q, err := healthQueryOf(c, c.Query("id"), c.Query("section"), c.Query("thing"))
		if err != nil {
			return live.Screen{}, err
		}
		err = s.db.Read(c.UserContext(), func(v db.Snapshot) error {
			_, err := v.Patient(c.UserContext(), q.patient)
			return err
		})
		return s.healthScreen(q), err
	case "messages":
		f, err := messageFilter(c)
		x, _ := who(c)
		return s.messagesScreen(f, readerOf(x)), err
	case "message":
		x, _ := who(c)
		return s.mailScreen(c, db.Inbound, readerOf(x))
	case "sent-message":
		return s.mailScreen(c, db.Outbound, reader{})
	case "imports":
		f, err := importFilter(c)
		return s.importsScreen(f), err
	case "import":
		f, err := rowFilter(c)
		if err != nil {
			return live.Screen{}, err
		}
		var job db.Import
		err = s.db.Read(c.UserContext(), func(v db.Snapshot) (err error) {
			job, err = v.Import(c.UserContext(), c.Query("id"))
			return err
		})
		return s.importScreen(job.No, job.ID, f), err
	case "records":
		f, err := recordsFilter(c)
		return s.recordsScreen(f), err
	case "documents":
		id, before, err := documentsPlace(c, c.Query("id"))
		if err != nil {
			return live.Screen{}, err
		}
		var pull db.Pull
		err = s.db.Read(c.UserContext(), func(v db.Snapshot) error {
			pull, err = documentPull(c.UserContext(), v, id)
			return err
		})
		return s.documentsScreen(id, pull.PatientID, before), err
	case "status":
		return s.statusScreen(view, views.Status), nil
	case "connection":
		if x, _ := who(c); !x.May(db.Admin) {
			return live.Screen{}, fiber.NewError(fiber.StatusForbidden, "Only admins can see the connection to Metriport.")
		}
		return s.statusScreen(view, func(l views.Live) templ.Component { return views.ConnectionUpdate(s.connectionState(l)) }), nil
	case "completeness", "system":
		if x, _ := who(c); !x.May(db.Admin) {
			return live.Screen{}, fiber.NewError(fiber.StatusForbidden, "Only admins can see how the system does.")
		}
		if view == "system" {
			return s.systemScreen(), nil
		}
		return s.completenessScreen(), nil
	case "identity":
		f, err := identityFilter(c)
		return s.identitiesScreen(f), err
	case "proofing":
		id, err := number(c.Query("id"))
		if err != nil {
			return live.Screen{}, err
		}
		err = s.db.Read(c.UserContext(), func(v db.Snapshot) error {
			_, err := s.identityDetail(c.UserContext(), v, id)
			return err
		})
		return s.identityScreen(id), err
	case "inbox", "inbox-message":
		if x, _ := who(c); !x.May(roles[keepers]...) {
			return live.Screen{}, fiber.NewError(fiber.StatusForbidden, "Only admins can see the inbox.")
		}
		if view == "inbox" {
			f, err := s.inboxFilter(c)
			return s.inboxScreen(f), err
		}
		seq, err := number(c.Query("seq"))
		if err != nil {
			return live.Screen{}, err
		}
		err = s.db.Read(c.UserContext(), func(v db.Snapshot) error {
			_, err := v.InboxMessage(c.UserContext(), seq)
			return err
		})
		return s.inboxMessageScreen(seq), err
	default:
		return live.Screen{}, fiber.NewError(fiber.StatusNotFound, "There is no such live page.")
	}
}

// mostPushed is how many changes are pushed one by one; a screen further behind gets its list anew.
const mostPushed = db.MostChanges

// changes are what a screen has not seen yet.
type changes struct {
	views.Live
	Rows    []db.Change // those that concern the screen, each row once
	TooMany bool        // so many that Rows lists none: draw the whole list
}

// any says whether there is anything to draw but the state around the content.
func (u changes) any() bool { return u.TooMany || len(u.Rows) > 0 }

// screenOf makes an open page: draw gets the changes that concern it since its last update, and renders what it needs,
// with [views.Status] in it. It is called for every change of what people see, also where none concerns the page.
func (s *Server) screenOf(key string, concerns func(db.Change) bool, draw func(context.Context, db.Snapshot, changes) (templ.Component, error)) live.Screen {
	return live.Screen{Key: key, Render: func(ctx context.Context, since int64) (u live.Update, err error) {
		var part templ.Component
		err = s.db.Read(ctx, func(v db.Snapshot) error {
			var now changes
			var err error
			if now.Live, err = s.status(ctx, v); err != nil {
				return err
			}
			u.Head = now.Seq
			now.Rows, err = v.Changes(ctx, since, now.Seq, mostPushed)
			if now.TooMany = errors.Is(err, db.ErrTooFarBehind); err != nil && !now.TooMany {
				return err
			}
			now.Rows = slices.DeleteFunc(now.Rows, func(c db.Change) bool { return !concerns(c) })
			part, err = draw(ctx, v, now)
			return err
		})
		if err != nil {
			return u, err
		}
		u.HTML, err = markup(part)
		return u, err
	}}
}

// statusScreen is a page of which nothing but the state around its content is live.
func (s *Server) statusScreen(key string, draw func(views.Live) templ.Component) live.Screen {
	return s.screenOf(key, func(db.Change) bool { return false }, func(_ context.Context, _ db.Snapshot, u changes) (templ.Component, error) {
		return draw(u.Live), nil
	})
}

func (s *Server) readStatus(ctx context.Context) (l views.Live, err error) {
	err = s.db.Read(ctx, func(v db.Snapshot) error {
		l, err = s.status(ctx, v)
		return err
	})
	return l, err
}
