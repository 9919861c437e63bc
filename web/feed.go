package web

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/views"
	"carebell/web/care"
	"carebell/web/live"
)

func (s *Server) feed(c *fiber.Ctx) error {
	filter, err := s.feedFilter(c)
	if err != nil {
		return err
	}
	before, err := number(c.Query("before"))
	if err != nil {
		return err
	}
	if wantsCSV(c) {
		return s.exportFeed(c, filter)
	}
	x, _ := who(c)
	var p views.Feed
	err = s.db.Read(c.UserContext(), func(v db.Snapshot) error {
		l, err := s.status(c.UserContext(), v)
		if err != nil {
			return err
		}
		l.URL = liveURL("feed", l.Seq, filter.Query())
		if p, err = s.feedRows(c.UserContext(), v, filter, before, x.May(roles[act]...)); err != nil {
			return err
		}
		p.Exchanges, err = exchanges(c.UserContext(), v, filter.Exchange)
		p.Frame = s.frame(c, "Feed", "/", l)
		return err
	})
	if err != nil {
		return err
	}
	if c.Get("HX-Request") != "" && before > 0 {
		return render(c, views.FeedList(p))
	}
	return render(c, views.FeedPage(p))
}

// feedFilter reads the filter from the URL. Words that are not known get a clear answer.
func (s *Server) feedFilter(c *fiber.Ctx) (views.FeedFilter, error) {
	f := views.FeedFilter{Kind: c.Query("kind"), State: c.Query("state", "open"), Exchange: c.Query("exchange"), Text: strings.TrimSpace(c.Query("q"))}
	if f.Kind != "" && !slices.Contains(care.Kinds, care.Kind(f.Kind)) {
		return f, fiber.NewError(fiber.StatusNotFound, "There is no such kind of notification. Choose one above the list.")
	}
	if _, ok := feedStates[f.State]; !ok {
		return f, fiber.NewError(fiber.StatusNotFound, "There is no such state. Choose one above the list.")
	}
	if len(f.Text) > maxSearch {
		return f, fiber.NewError(fiber.StatusNotFound, "That is too long to search for.")
	}
	return f, s.checkExchange(c.UserContext(), f.Exchange)
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

// mostExchanges is how many exchanges the feed can be narrowed to on its page.
const mostExchanges = 30

// exchanges lists those that something has come from, and the one that is chosen.
func exchanges(ctx context.Context, v db.Snapshot, chosen string) ([]views.Exchange, error) {
	codes, err := v.Exchanges(ctx, mostExchanges)
	if chosen != "" && !slices.Contains(codes, chosen) {
		codes = append(codes, chosen)
	}
	out := make([]views.Exchange, len(codes))
	for i, code := range codes {
		if out[i] = (views.Exchange{Code: code, Name: care.ExchangeName(code)}); code == db.ExchangeNotSent {
			out[i].Name = "Not sent"
		}
	}
	return out, err
}

// maxSearch is the longest text that can be searched for, in bytes.
const maxSearch = 200

// feedStates are the states behind the words of the filter.
var feedStates = map[string][]db.State{
	"open": {db.New, db.Seen},
	"new":  {db.New},
	"done": {db.Done},
	"all":  nil,
}

func notificationFilter(f views.FeedFilter) db.NotificationFilter {
	return db.NotificationFilter{Kind: care.Kind(f.Kind), States: feedStates[f.State], Exchange: f.Exchange, Text: f.Text}
}

// feedRows reads one page of the feed. The frame is the caller's.
func (s *Server) feedRows(ctx context.Context, v db.Snapshot, f views.FeedFilter, before int64, canMark bool) (views.Feed, error) {
	filter := notificationFilter(f)
	filter.Before, filter.Limit = before, pageRows+1
	filter.Reach = db.Reach
	list, rest, err := v.NotificationPage(ctx, filter)
	if err != nil {
		return views.Feed{}, err
	}
	p := views.Feed{Filter: f, WebhookURL: s.webhookURL(), ToTop: before == 0}
	if len(list) > pageRows {
		list, p.Older = list[:pageRows], true
	}
	p.Back = s.back(rest)
	p.Rows = s.rowsIn(f.URL(), list, canMark)
	if len(list) == 0 && rest.Before == 0 {
		done, err := v.Notifications(ctx, db.NotificationFilter{States: feedStates["done"], Limit: 1})
		if err != nil {
			return views.Feed{}, err
		}
		p.SomeDone = len(done) > 0
	}
	return p, nil
}

// rowsIn are the rows of the list at an address of ours.
func (s *Server) rowsIn(address string, list []db.Notification, canMark bool) []views.Row {
	rows := s.rows(list, canMark)
	for i := range rows {
		rows[i].Back = address
	}
	return rows
}

// feedScreen is the feed as an open page: it gets the rows that changed, or the whole list where it is too far behind.
func (s *Server) feedScreen(f views.FeedFilter, canMark bool) live.Screen {
	return s.screenBy("feed?"+f.Query().Encode()+" "+strconv.FormatBool(canMark), func(c db.Change) bool { return c.NotificationID != 0 },
		func(ctx context.Context, u changes) (part, error) {
			var p views.Feed
			var err error
			if u.TooMany {
				p, err = look(ctx, s.db, func(v db.Snapshot) (views.Feed, error) { return s.feedRows(ctx, v, f, 0, canMark) })
			} else {
				p.Rows, err = s.changedRows(ctx, f, u, canMark)
			}
			p.Live = u.Live
			return part{all: views.FeedUpdate(p, u.TooMany)}, err
		})
}

// The notifications that changed after a number, which are the same for all feeds, and those of them that fit a filter.
type (
	feedAfter     int64
	feedFitsAfter struct {
		filter views.FeedFilter
		since  int64
	}
)

// changedRows reads the rows behind changes. Those that do not fit the filter (any more) are marked: they change where
// they are on the page, and are not put in anew.
func (s *Server) changedRows(ctx context.Context, f views.FeedFilter, u changes, canMark bool) ([]views.Row, error) {
	ids := []int64{}
	for _, c := range u.Rows {
		ids = append(ids, c.NotificationID)
	}
	if len(ids) == 0 {
		return nil, nil
	}
	all, err := inCommon(u.moment, feedAfter(u.since), func() ([]db.Notification, error) {
		return look(ctx, s.db, func(v db.Snapshot) ([]db.Notification, error) {
			return v.Notifications(ctx, db.NotificationFilter{IDs: ids, Limit: len(ids)})
		})
	})
	if err != nil {
		return nil, err
	}
	fits, err := inCommon(u.moment, feedFitsAfter{f, u.since}, func() (map[int64]bool, error) {
		filter := notificationFilter(f)
		filter.IDs = ids
		return look(ctx, s.db, func(v db.Snapshot) (map[int64]bool, error) { return db.Fitting(ctx, v, filter) })
	})
	if err != nil {
		return nil, err
	}
	rows := s.rowsIn(f.URL(), all, canMark)
	for i := range rows {
		rows[i].FitsNot = !fits[rows[i].ID]
	}
	return rows, nil
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

// back is how far back a list was searched, for the page that shows it.
func (s *Server) back(r db.Rest) views.Back {
	return views.Back{Before: r.Before, To: s.clock().At(r.At)}
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
