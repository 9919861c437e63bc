package web

import (
	"context"
	"database/sql"
	"slices"
	"strconv"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/views"
	"carebell/web/care"
)

// maxSearch is the longest text that can be searched for, in bytes.
const maxSearch = views.MaxSearch

// feedStates are the states behind the words of the filter.
var feedStates = map[string][]db.State{
	"open": {db.New, db.Seen},
	"new":  {db.New},
	"done": {db.Done},
	"all":  nil,
}

// feedList is what just happened.
var feedList = &list[db.NotificationFilter, db.Notification]{
	ListWords: views.FeedWords,
	ways: []views.Way{
		{Param: "kind", Label: "Kind", Word: "kind of notification", Pairs: views.FeedKinds},
		{Param: "state", Label: "State", Word: "state", Pairs: []string{"open", "Open", "new", "Not seen", "done", "Done", "all", "All"}},
		{Param: "exchange", Label: "Exchange"},
		{Param: "q", Search: true, Hint: "Patient, id or facility"},
	},
	check: func(ctx context.Context, s *Server, f views.Filter) error {
		return s.checkExchange(ctx, f.Get("exchange"))
	},
	concerns: func(c db.Change) bool { return c.NotificationID != 0 },
	behind:   func(w *db.Window, c db.Change) { w.IDs = append(w.IDs, c.NotificationID) },
	filter: func(_ context.Context, _ db.Snapshot, a *asked) (db.NotificationFilter, error) {
		return db.NotificationFilter{Kind: care.Kind(a.Get("kind")), States: feedStates[a.Get("state")], Exchange: a.Get("exchange"), Text: a.Get("q")}, nil
	},
	read: db.Snapshot.NotificationPage,
	id:   func(n db.Notification) int64 { return n.ID },
	line: func(a *asked, n db.Notification, fitsNot bool) views.Line {
		r := a.words.row(n)
		r.CanMark, r.Back, r.FitsNot = a.reader.act, a.URL(), fitsNot
		return views.Line{Key: r.ID, At: r.Received, Item: views.FeedRow(r)}
	},
	empty: func(ctx context.Context, v db.Snapshot, a *asked) (templ.Component, error) {
		done, err := v.Notifications(ctx, db.NotificationFilter{States: feedStates["done"], Limit: 1})
		return views.FeedEmpty(a.webhook, len(done) > 0), err
	},
	beside: func(ctx context.Context, v db.Snapshot, a *asked, p *views.List) error {
		p.Below = views.Hints()
		codes, err := v.Exchanges(ctx, mostExchanges)
		chosen := a.Get("exchange")
		if chosen != "" && !slices.Contains(codes, chosen) {
			codes = append(codes, chosen)
		}
		if len(codes) > 1 || chosen != "" {
			p.Filter.Offer("exchange", exchangePairs(codes))
		}
		return err
	},
	columns: func(a *asked) (string, []string) { return "notifications", feedHead(a.words.ZoneName()) },
	cells:   func(a *asked, n db.Notification) []string { return a.words.line(n) },
}

// mostExchanges is how many exchanges the feed can be narrowed to on its page.
const mostExchanges = 30

// exchangePairs are exchanges as choices.
func exchangePairs(codes []string) []string {
	pairs := []string{"", "All exchanges"}
	for _, code := range codes {
		name := care.ExchangeName(code)
		if code == db.ExchangeNotSent {
			name = "Not sent"
		}
		pairs = append(pairs, code, name)
	}
	return pairs
}

// checkExchange says so where nothing can have come from an exchange. One of those that have a name is always a choice.
func (s *Server) checkExchange(ctx context.Context, code string) error {
	if code == "" || code == db.ExchangeNotSent || care.KnownExchange(code) {
		return nil
	}
	return s.db.Read(ctx, func(v db.Snapshot) error {
		known, err := v.HasExchange(ctx, code)
		if err == nil && !known {
			err = fiber.NewError(fiber.StatusNotFound, "Nothing has come from an exchange of that name. Choose one above the list.")
		}
		return err
	})
}

// headerSeq says how new an answer with a row is: a page that was pushed as much already has no use for it.
const headerSeq = "Carebell-Seq"

// mark notes what a person did with a notification, and answers with the row as it is now.
func (s *Server) mark(c *fiber.Ctx) error {
	id, err := number(c.Params("id"))
	if err != nil {
		return err
	}
	to, ok := map[string]db.State{"new": db.New, "seen": db.Seen, "done": db.Done}[posted(c, "state")]
	if !ok {
		return fiber.NewError(fiber.StatusUnprocessableEntity, "Say what to mark it as: new, seen or done.")
	}
	back := localPath(posted(c, "back"))
	x, _ := who(c)
	err = s.db.Write(c.UserContext(), func(tx *db.Tx) error {
		return tx.MarkNotification(c.UserContext(), id, x.User.ID, to, posted(c, "known"))
	})
	if err != nil {
		return s.taken(err, "marked this notification at")
	}
	if c.Get("HX-Request") == "" {
		return c.Redirect(back, fiber.StatusSeeOther)
	}
	var row views.Row
	var seq int64
	err = s.db.Read(c.UserContext(), func(v db.Snapshot) error {
		l, err := s.status(c.UserContext(), v)
		if err != nil {
			return err
		}
		seq = l.Seq
		list, err := v.Notifications(c.UserContext(), db.NotificationFilter{IDs: []int64{id}, Limit: 1})
		if err == nil && len(list) == 0 {
			err = sql.ErrNoRows
		}
		if err == nil {
			row = s.row(list[0], true)
			row.Back = back
		}
		return err
	})
	if err != nil {
		return err
	}
	c.Set(headerSeq, strconv.FormatInt(seq, 10))
	if c.Query("on") == "patient" {
		return render(c, views.TimelineRow(row))
	}
	return render(c, views.FeedRow(row))
}

// number reads an id from a URL; "" is 0. What is not one is not found.
func number(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0, fiber.ErrNotFound
	}
	return n, nil
}
