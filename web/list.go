package web

import (
	"context"
	"slices"
	"strconv"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/views"
	"carebell/web/live"
)

// pageRows is how many rows a page has; the next page comes by scrolling.
const pageRows = 50

// mostTouched bounds how many rows of patients about whom something changed are drawn again.
const mostTouched = 100

// list is a page with rows that come by themselves, newest first: D is what the database has of a row, F what narrows it
// there. It says what it is; [list.page] and [list.screen] do the rest, which is the same for all: searches and exports
// leave a trace, a page holds pageRows, the next ones come as a part, and an open page gets the rows that changed or, too
// far behind, the whole list.
type list[F db.ListFilter[F], D any] struct {
	views.ListWords
	ways     []views.Way
	noted    bool                 // every look at it leaves a trace, not only a search
	concerns func(db.Change) bool // which changes can change a row
	empty    emptyList

	// filter is what is asked, as the database takes it. read reads rows, the greatest id first; what it returns is shared
	// by everybody who asks for them.
	filter func(context.Context, db.Snapshot, *asked) (F, error)
	read   func(db.Snapshot, context.Context, F) ([]D, db.Rest, error)
	id     func(D) int64
	line   func(a *asked, d D, fitsNot bool) views.Line

	// columns are the name of an export and its head, cells a row of it.
	columns func(a *asked) (name string, head []string)
	cells   func(a *asked, d D) []string

	// The following may be nil.
	check  func(context.Context, *Server, views.Filter) error // what the choices cannot say
	behind func(*db.Window, db.Change)                        // adds the row behind a change; nil: its item
	holder func(D) int64                                      // for whom the row is another than for everybody; 0 = nobody
	above  func(context.Context, db.Snapshot, *asked) (templ.Component, error)
	beside func(context.Context, db.Snapshot, *asked, *views.List) error // what a page has besides
}

// emptyList is in the place of rows where there are none, though nothing narrows the list.
type emptyList func(context.Context, db.Snapshot, *asked) (templ.Component, error)

// asked is a list as somebody asks for it.
type asked struct {
	views.Filter
	reader  reader
	words   wording
	moment  *moment // what several lists need, read once for all of them
	webhook string  // where the sender posts to
}

func (s *Server) asked(f views.Filter, r reader, m *moment) *asked {
	return &asked{Filter: f, reader: r, words: s.wording(), moment: m, webhook: s.webhookURL()}
}

// narrowed reads the filter from the address. What is not known gets a clear answer.
func (l *list[F, D]) narrowed(s *Server, c *fiber.Ctx) (views.Filter, error) {
	f, wrong := views.NewFilter(l.Path, l.ways, func(param string) string {
		if param == "view" && c.Path() == livePath {
			param = "list"
		}
		return c.Query(param)
	})
	if wrong != "" {
		return f, fiber.NewError(fiber.StatusNotFound, wrong)
	}
	if l.check != nil {
		return f, l.check(c.UserContext(), s, f)
	}
	return f, nil
}

// liveURL is the address of the socket of the list.
func (l *list[F, D]) liveURL(since int64, f views.Filter) string {
	q := f.Query()
	if l.ways[0].Param == "view" { // the socket has a view of its own
		q.Set("list", f.Tab())
		q.Del("view")
	}
	return liveURL(l.Name, since, q)
}

// row is the list in the table of pages: p says what the list itself does not.
func (l *list[F, D]) row(s *Server, p page) page {
	p.path, p.title, p.menu, p.handler, p.view = l.Path, l.Title, l.Title, l.page(s), l.Name
	p.open = func(c *fiber.Ctx) (live.Screen, error) { return l.screen(s, c) }
	return p
}

// page answers with the list, with the rows that follow those on a page, or with the list as a file.
func (l *list[F, D]) page(s *Server) fiber.Handler {
	return func(c *fiber.Ctx) error {
		f, err := l.narrowed(s, c)
		if err != nil {
			return err
		}
		before, err := number(c.Query("before"))
		if err != nil {
			return err
		}
		x, _ := who(c)
		a := s.asked(f, readerOf(x), &moment{common: map[any]*commonly{}})
		if wantsCSV(c) {
			return l.export(s, c, a)
		}
		if err := l.note(s, c, f); err != nil {
			return err
		}
		part := c.Get("HX-Request") != "" && before > 0
		p := views.List{Words: l.ListWords, Filter: f}
		err = s.db.Read(c.UserContext(), func(v db.Snapshot) error {
			if _, err := l.fill(c.UserContext(), v, a, &p, before); err != nil || part {
				return err
			}
			state, err := s.status(c.UserContext(), v)
			if err != nil {
				return err
			}
			state.URL = l.liveURL(state.Seq, f)
			p.Frame = s.frame(c, state)
			if l.beside != nil {
				err = l.beside(c.UserContext(), v, a, &p)
			}
			if err == nil && l.above != nil {
				p.Above, err = l.above(c.UserContext(), v, a)
			}
			return err
		})
		switch {
		case err != nil:
			return err
		case part:
			return render(c, views.ListRows(p))
		default:
			return render(c, views.ListPage(p))
		}
	}
}

// note leaves a trace of a look at the list.
func (l *list[F, D]) note(s *Server, c *fiber.Ctx, f views.Filter) error {
	switch {
	case f.Searched():
		return s.audit(c, db.ActionSearch, f.PatientID(), l.Name)
	case l.noted:
		return s.audit(c, db.ActionView, f.PatientID(), l.Name)
	default:
		return nil
	}
}

// fill reads one page of the list into p, and returns what its rows are made of.
func (l *list[F, D]) fill(ctx context.Context, v db.Snapshot, a *asked, p *views.List, before int64) ([]D, error) {
	f, err := l.filter(ctx, v, a)
	if err != nil {
		return nil, err
	}
	rows, rest, err := l.read(v, ctx, f.Within(db.Window{Before: before, Limit: pageRows + 1, Reach: db.Reach}))
	if err != nil {
		return nil, err
	}
	if len(rows) > pageRows {
		rows, p.Older = rows[:pageRows], true
	}
	p.ToTop, p.Back, p.Lines = before == 0, views.Back{Before: rest.Before, To: a.words.At(rest.At)}, l.lines(a, rows, nil)
	if len(rows) == 0 && p.ToTop && rest.Before == 0 && !a.Narrowed() {
		p.Empty, err = l.empty(ctx, v, a)
	}
	return rows, err
}

// lines are rows as people read them; fits nil says that all of them fit.
func (l *list[F, D]) lines(a *asked, rows []D, fits map[int64]bool) []views.Line {
	out := make([]views.Line, len(rows))
	for i, d := range rows {
		out[i] = l.line(a, d, fits != nil && !fits[l.id(d)])
	}
	return out
}

// export answers with the list as a file.
func (l *list[F, D]) export(s *Server, c *fiber.Ctx, a *asked) error {
	name, head := l.columns(a)
	before := int64(0)
	return s.export(c, name, head, func(ctx context.Context, v db.Snapshot) ([][]string, error) {
		f, err := l.filter(ctx, v, a)
		if err != nil {
			return nil, err
		}
		rows, rest, err := l.read(v, ctx, f.Within(db.Window{Before: before, Limit: exportPage, Reach: exportReach}))
		if err == nil {
			err = goOn(&before, len(rows), rest)
		}
		out := make([][]string, len(rows))
		for i, d := range rows {
			out[i], before = l.cells(a, d), l.id(d)
		}
		return out, err
	})
}

// screen is the list as an open page. It is the same for all who may do the same, but for the rows that somebody holds; a
// list of one's own is one's own.
func (l *list[F, D]) screen(s *Server, c *fiber.Ctx) (live.Screen, error) {
	f, err := l.narrowed(s, c)
	x, _ := who(c)
	r, key := readerOf(x), l.Name+"?"+f.Query().Encode()
	if f.Personal() {
		key += " " + strconv.FormatInt(r.id, 10)
	} else {
		r.id = 0
	}
	return s.screenBy(key, l.concerns, func(ctx context.Context, u changes) (part, error) {
		a := s.asked(f, r, u.moment)
		p := views.List{Frame: views.Frame{Live: u.Live}, Words: l.ListWords, Filter: f}
		rows, fits, err := l.changed(ctx, s, a, u, &p)
		if err == nil && l.above != nil && u.any() {
			p.Above, err = inCommon(u.moment, aboveList(l.Name), func() (templ.Component, error) {
				return look(ctx, s.db, func(v db.Snapshot) (templ.Component, error) { return l.above(ctx, v, a) })
			})
		}
		if err != nil {
			return part{}, err
		}
		out := part{all: views.ListUpdate(p, u.TooMany)}
		if l.holder == nil || f.Personal() {
			return out, nil
		}
		out.own = map[int64]templ.Component{}
		for _, id := range holders(rows, l.holder) {
			own, theirs := p, *a
			theirs.reader.id = id
			own.Lines = l.lines(&theirs, rows, fits)
			out.own[id] = views.ListUpdate(own, u.TooMany)
		}
		return out, nil
	}), err
}

// holders are the people for whom one of the rows is another than for everybody, each once.
func holders[T any](rows []T, holder func(T) int64) (out []int64) {
	for _, r := range rows {
		if id := holder(r); id != 0 && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// What the open screens of lists have in common: what stands above one; the rows of a list that changed after a number,
// which are the same for all its filters; and which of them fit one filter.
type (
	aboveList string
	listRows  struct {
		name, tab string
		since     int64
	}
	listFits struct {
		name, query string
		reader      int64
		since       int64
	}
)

// changed reads into p the rows behind changes, or the whole list. Rows that do not fit the filter (any more) are marked:
// they change where they are on the page, and are not put in anew.
func (l *list[F, D]) changed(ctx context.Context, s *Server, a *asked, u changes, p *views.List) (rows []D, fits map[int64]bool, err error) {
	if u.TooMany {
		rows, err = look(ctx, s.db, func(v db.Snapshot) ([]D, error) { return l.fill(ctx, v, a, p, 0) })
		return rows, nil, err
	}
	w := l.window(u.Rows)
	if w.Limit == 0 {
		return nil, nil, nil
	}
	rows, err = inCommon(u.moment, listRows{l.Name, a.Tab(), u.since}, func() ([]D, error) {
		return look(ctx, s.db, func(v db.Snapshot) ([]D, error) {
			all := *a
			all.Filter, all.reader = a.Loose(), reader{}
			f, err := l.filter(ctx, v, &all)
			if err != nil {
				return nil, err
			}
			rows, _, err := l.read(v, ctx, f.Within(w))
			return rows, err
		})
	})
	if err != nil || len(rows) == 0 {
		return nil, nil, err
	}
	fits, err = inCommon(u.moment, listFits{l.Name, a.Query().Encode(), a.reader.id, u.since}, func() (map[int64]bool, error) {
		return look(ctx, s.db, func(v db.Snapshot) (map[int64]bool, error) {
			f, err := l.filter(ctx, v, a)
			if err != nil {
				return nil, err
			}
			ids := make([]int64, len(rows))
			for i, d := range rows {
				ids[i] = l.id(d)
			}
			return db.Fitting(ctx, v, f.Within(db.Window{IDs: ids, Limit: len(ids)}))
		})
	})
	p.Lines = l.lines(a, rows, fits)
	return rows, fits, err
}

// window is the rows behind changes.
func (l *list[F, D]) window(changes []db.Change) (w db.Window) {
	for _, c := range changes {
		switch {
		case l.behind != nil:
			l.behind(&w, c)
		case c.Item != 0:
			w.IDs = append(w.IDs, c.Item)
		}
	}
	if w.Limit = len(w.IDs); len(w.Patients) > 0 {
		w.Limit += mostTouched
	}
	return w
}
