package web

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"

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
	screen, err := s.screen(c)
	if err != nil {
		return err
	}
	owner := live.Owner{ID: string(x.ID[:]), Person: personKey(x.User.ID), Role: string(x.User.Role)}
	log := s.cfg.Log
	lighten(c)
	// The origin was checked above; the library's own list cannot know the server's name.
	return websocket.New(func(conn *websocket.Conn) { s.hub.Serve(conn, owner, screen, since, log) }, live.Config())(c)
}

// lighten drops what a connection would keep of its request for as long as it is open.
func lighten(c *fiber.Ctx) {
	h := &c.Request().Header
	var names []string
	for name := range h.All() {
		switch n := string(name); n {
		case fiber.HeaderHost, fiber.HeaderConnection, fiber.HeaderUpgrade, fiber.HeaderOrigin:
		default:
			if !strings.HasPrefix(n, "Sec-Websocket-") {
				names = append(names, n)
			}
		}
	}
	for _, name := range names {
		h.Del(name)
	}
	h.DelAllCookies()
}

// personKey is a person as [live.Owner] knows them.
func personKey(userID int64) string { return strconv.FormatInt(userID, 10) }

// logins are those that are running, as the hub asks for them.
func (s *Server) logins(ctx context.Context) (map[string]string, error) {
	running, err := s.auth.Running(ctx)
	out := make(map[string]string, len(running))
	for id, role := range running {
		out[string(id[:])] = string(role)
	}
	return out, err
}

// mostPushed is how many changes are pushed one by one; a screen further behind gets its list anew.
const mostPushed = db.MostChanges

// moment is how things stood when they were read for a telling, with what several screens need of it, read once for all
// of them.
type moment struct {
	views.Live
	mu     sync.Mutex
	common map[any]*commonly
}

type commonly struct {
	once  sync.Once
	value any
	err   error
}

var errNotRead = errors.New("what several screens need was not read to its end")

// inCommon returns what read returns, called once in a moment for each key. A key is of a type of its own, and holds
// everything that read uses. What it returns is shared: nobody may change it.
func inCommon[T any](m *moment, key any, read func() (T, error)) (T, error) {
	m.mu.Lock()
	c, ok := m.common[key]
	if !ok {
		c = &commonly{err: errNotRead}
		m.common[key] = c
	}
	m.mu.Unlock()
	c.once.Do(func() { c.value, c.err = read() })
	if c.err != nil {
		m.mu.Lock()
		if m.common[key] == c { // the next one tries again
			delete(m.common, key)
		}
		m.mu.Unlock()
		var none T
		return none, c.err
	}
	return c.value.(T), nil //nolint:forcetypeassert // a key has one type
}

// look reads one thing.
func look[T any](ctx context.Context, d *db.DB, read func(db.Snapshot) (T, error)) (out T, err error) {
	err = d.Read(ctx, func(v db.Snapshot) (err error) {
		out, err = read(v)
		return err
	})
	return out, err
}

// moment reads how things stand.
func (s *Server) moment(ctx context.Context) (live.Moment, error) {
	l, err := s.readStatus(ctx)
	return live.Moment{
		Head: l.Seq, State: fmt.Sprintf("%d %d %s %q", l.New, l.Unread, l.LastEvent.ISO(), l.Alerts),
		Data: &moment{Live: l, common: map[any]*commonly{}},
	}, err
}

// changes are what a screen has not seen yet.
type changes struct {
	*moment
	since   int64
	Rows    []db.Change // those that concern the screen, each row once
	TooMany bool        // so many that Rows lists none: draw the whole list
}

// any says whether there is anything to draw but the state around the content.
func (u changes) any() bool { return u.TooMany || len(u.Rows) > 0 }

type (
	changesAfter int64
	statusKey    struct{}
)

// changesSince reads what happened after since, for all screens that are as far.
func (s *Server) changesSince(ctx context.Context, m *moment, since int64) (u changes, err error) {
	u = changes{moment: m, since: since}
	u.Rows, err = inCommon(m, changesAfter(since), func() ([]db.Change, error) {
		if since == m.Seq {
			return nil, nil
		}
		return look(ctx, s.db, func(v db.Snapshot) ([]db.Change, error) { return v.Changes(ctx, since, m.Seq, mostPushed) })
	})
	if errors.Is(err, db.ErrTooFarBehind) {
		u.TooMany, err = true, nil
	}
	return u, err
}

// part is what is pushed to a screen.
type part struct {
	all templ.Component
	own map[int64]templ.Component // for some people in the place of all, by their ids
}

// drawing draws what a screen needs of changes, with [views.Status] in it.
type drawing func(context.Context, db.Snapshot, changes) (templ.Component, error)

// screenOf makes an open page: draw gets the changes that concern it since its last update. Where none does, only what is
// around the content is sent, which is the same for all pages. concerns is nil for a page that shows what has no number:
// it is drawn at every telling. key names everything that draw uses and that differs between pages; what differs by role
// need not be in it, because screens of two roles never share.
func (s *Server) screenOf(key string, concerns func(db.Change) bool, draw drawing) live.Screen {
	return s.screenFor(key, concerns, func(ctx context.Context, v db.Snapshot, u changes) (part, error) {
		all, err := draw(ctx, v, u)
		return part{all: all}, err
	})
}

// screenFor is [Server.screenOf] where draw makes something else of it for some people.
func (s *Server) screenFor(key string, concerns func(db.Change) bool, draw func(context.Context, db.Snapshot, changes) (part, error)) live.Screen {
	return s.screenBy(key, concerns, func(ctx context.Context, u changes) (p part, err error) {
		err = s.db.Read(ctx, func(v db.Snapshot) (err error) {
			p, err = draw(ctx, v, u)
			return err
		})
		return p, err
	})
}

// screenBy is [Server.screenFor] where draw looks into the database by itself, if it has to.
func (s *Server) screenBy(key string, concerns func(db.Change) bool, draw func(context.Context, changes) (part, error)) live.Screen {
	return live.Screen{Key: key, Render: func(ctx context.Context, now live.Moment, since int64) (live.Update, error) {
		m := now.Data.(*moment) //nolint:forcetypeassert // made by Server.moment
		u, err := s.changesSince(ctx, m, since)
		if err != nil {
			return live.Update{}, err
		}
		if concerns != nil {
			all := u.Rows // of others too
			u.Rows = nil
			for _, c := range all {
				if concerns(c) {
					u.Rows = append(u.Rows, c)
				}
			}
			if !u.any() {
				html, err := inCommon(m, statusKey{}, func() ([]byte, error) { return markup(views.Status(m.Live)) })
				return live.Update{HTML: html, Head: m.Seq, Idle: true}, err
			}
		}
		p, err := draw(ctx, u)
		if err != nil {
			return live.Update{}, err
		}
		out := live.Update{Head: m.Seq}
		if out.HTML, err = markup(p.all); err != nil {
			return out, err
		}
		for id, own := range p.own {
			html, err := markup(own)
			if err != nil {
				return out, err
			}
			if out.Own == nil {
				out.Own = map[string][]byte{}
			}
			out.Own[personKey(id)] = html
		}
		return out, nil
	}}
}

// statusScreen is a page of which nothing but the state around its content is live.
func (s *Server) statusScreen(key string) live.Screen {
	return s.screenOf(key, func(db.Change) bool { return false }, func(_ context.Context, _ db.Snapshot, u changes) (templ.Component, error) {
		return views.Status(u.Live), nil // too far behind
	})
}

// connectionScreen is the page that waits for the sender to be heard.
func (s *Server) connectionScreen() live.Screen {
	return s.screenOf("connection", nil, func(_ context.Context, _ db.Snapshot, u changes) (templ.Component, error) {
		return views.ConnectionUpdate(s.connectionState(u.Live)), nil
	})
}

func (s *Server) readStatus(ctx context.Context) (l views.Live, err error) {
	err = s.db.Read(ctx, func(v db.Snapshot) error {
		l, err = s.status(ctx, v)
		return err
	})
	return l, err
}

// LiveCounts says how many sockets are open, and counts since the start what was drawn for them and sent to them.
func (s *Server) LiveCounts() (sockets int, drawn, sent int64) {
	return s.hub.Watching(), s.hub.Drawn(), s.hub.Sent()
}
