package web

import (
	"context"
	"slices"
	"strings"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/views"
	"carebell/web/care"
	"carebell/web/live"
)

// pullKinds are the lists of the records page.
var pullKinds = map[string]care.PullKind{
	views.RecordQueries: care.PullQuery, views.RecordConsolidated: care.PullConsolidated, views.RecordDocuments: care.PullDocuments,
}

func (s *Server) records(c *fiber.Ctx) error {
	filter, err := recordsFilter(c)
	if err != nil {
		return err
	}
	before, err := number(c.Query("before"))
	if err != nil {
		return err
	}
	if wantsCSV(c) {
		return s.exportRecords(c, filter)
	}
	var p views.Records
	err = s.db.Read(c.UserContext(), func(v db.Snapshot) error {
		l, err := s.status(c.UserContext(), v)
		if err != nil {
			return err
		}
		q := filter.Query()
		q.Del("view") // the socket's own view is "records", so the list is "list" there
		q.Set("list", filter.View)
		l.URL = liveURL("records", l.Seq, q)
		p, err = s.recordsRows(c.UserContext(), v, filter, before)
		p.Frame = s.frame(c, "Records", views.RecordsPath, l)
		return err
	})
	if err != nil {
		return err
	}
	if c.Get("HX-Request") != "" && before > 0 {
		return render(c, views.RecordsList(p))
	}
	return render(c, views.RecordsPage(p))
}

// recordsFilter reads the filter from the URL. Words that are not known get a clear answer.
func recordsFilter(c *fiber.Ctx) (views.RecordsFilter, error) {
	f := views.RecordsFilter{
		View: c.Query("view", views.RecordQueries), State: c.Query("state"), Source: c.Query("source"), Text: strings.TrimSpace(c.Query("q")),
	}
	if c.Path() == livePath {
		f.View = c.Query("list", views.RecordQueries)
	}
	states, ok := views.RecordStates[f.View]
	if !ok {
		return f, fiber.NewError(fiber.StatusNotFound, "There is no such list of records. Choose one above the list.")
	}
	if !offered(states, f.State) {
		return f, fiber.NewError(fiber.StatusNotFound, "There is no such state. Choose one above the list.")
	}
	if !offered(views.RecordSources, f.Source) || f.Source != "" && f.View != views.RecordQueries {
		return f, fiber.NewError(fiber.StatusNotFound, "There is no such source. Choose one above the list.")
	}
	if len(f.Text) > maxSearch {
		return f, fiber.NewError(fiber.StatusNotFound, "That is too long to search for.")
	}
	return f, nil
}

// offered says whether value is among the pairs of values and labels.
func offered(pairs []string, value string) bool {
	i := slices.Index(pairs, value)
	return i >= 0 && i%2 == 0
}

func pullFilter(f views.RecordsFilter) db.PullFilter {
	return db.PullFilter{Kind: pullKinds[f.View], State: db.PullState(f.State), Place: f.Source, Text: f.Text}
}

// recordsRows reads one page of a list of requests. The frame is the caller's.
func (s *Server) recordsRows(ctx context.Context, v db.Snapshot, f views.RecordsFilter, before int64) (views.Records, error) {
	filter := pullFilter(f)
	filter.Before, filter.Limit = before, pageRows+1
	filter.Reach = db.Reach
	p := views.Records{Filter: f, WebhookURL: s.webhookURL(), ToTop: before == 0}
	list, rest, err := v.PullPage(ctx, filter)
	if err != nil {
		return p, err
	}
	if len(list) > pageRows {
		list, p.Older = list[:pageRows], true
	}
	p.Back = s.back(rest)
	p.Rows, err = s.pullRows(ctx, v, list)
	return p, err
}


// recordsScreen is a list of requests as an open page.
func (s *Server) recordsScreen(f views.RecordsFilter) live.Screen {
	concerns := func(c db.Change) bool {
		return c.Topic == db.TopicRecords || c.Topic == "" && c.NotificationID == 0 && c.PatientID != "" // a name may have come
	}
	key := "records?" + f.Query().Encode()
	return s.screenOf(key, concerns, func(ctx context.Context, v db.Snapshot, u changes) (templ.Component, error) {
		var p views.Records
		var err error
		if u.TooMany {
			p, err = s.recordsRows(ctx, v, f, 0)
		} else {
			p.Rows, err = inCommon(u.moment, rowsAfter{key, u.since}, func() ([]views.PullRow, error) { return s.changedPulls(ctx, v, f, u.Rows) })
		}
		p.Live = u.Live
		return views.RecordsUpdate(p, u.TooMany), err
	})
}

// changedPulls reads the rows behind changes. Those that do not fit the filter (any more) are marked: they change where
// they are on the page, and are not put in anew.
func (s *Server) changedPulls(ctx context.Context, v db.Snapshot, f views.RecordsFilter, changes []db.Change) ([]views.PullRow, error) {
	all := db.PullFilter{Kind: pullKinds[f.View], Limit: mostPushed + mostTouched}
	for _, c := range changes {
		if c.Topic == db.TopicRecords {
			all.IDs = append(all.IDs, c.Item)
		} else {
			all.Patients = append(all.Patients, c.PatientID)
		}
	}
	if len(all.IDs)+len(all.Patients) == 0 {
		return nil, nil
	}
	list, err := v.Pulls(ctx, all)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	fitting := pullFilter(f)
	fitting.IDs, fitting.Patients, fitting.Limit = all.IDs, all.Patients, all.Limit
	fits := map[int64]bool{}
	fit, err := v.Pulls(ctx, fitting)
	if err != nil {
		return nil, err
	}
	for _, p := range fit {
		fits[p.ID] = true
	}
	rows, err := s.pullRows(ctx, v, list)
	for i := range rows {
		rows[i].FitsNot = !fits[rows[i].ID]
	}
	return rows, err
}

func (s *Server) exportRecords(c *fiber.Ctx, f views.RecordsFilter) error {
	filter := pullFilter(f)
	filter.Limit, filter.Reach = exportPage, exportReach
	zone := " (" + s.clock().ZoneName() + ")"
	head := []string{"Patient", "Birth date", "Your id", "Metriport id", "Request id", "First heard" + zone, "Latest part" + zone}
	switch f.View {
	case views.RecordQueries:
		head = append(head, "HIE", "Pharmacy", "Lab")
	case views.RecordConsolidated:
		head = append(head, "State", "Narrowed to", "Content", "Files")
	default:
		head = append(head, "State", "Documents")
	}
	head = append(head, "Sent along")
	return s.export(c, "records-"+f.View, head, func(ctx context.Context, v db.Snapshot) ([][]string, error) {
		list, rest, err := v.PullPage(ctx, filter)
		if err == nil {
			err = goOn(&filter.Before, len(list), rest)
		}
		if err != nil {
			return nil, err
		}
		rows, err := s.pullRows(ctx, v, list)
		out := make([][]string, len(rows))
		for i, r := range rows {
			filter.Before = r.ID
			cells := []string{r.Patient.Name, r.Patient.BirthDate, r.Patient.ExternalID, r.Patient.ID, r.RequestID, r.Received.Sortable(), r.Last.Sortable()}
			out[i] = append(append(cells, recordCells(r)...), pairText(r.Data))
		}
		return out, err
	})
}

// recordCells is what a request says of itself, as the cells of a table.
func recordCells(r views.PullRow) (cells []string) {
	var states []string
	for _, m := range r.Marks {
		states = append(states, m.Text)
	}
	switch r.View {
	case views.RecordQueries:
		for _, column := range r.Columns {
			var answers []string
			for _, a := range column.Answers {
				at := a.At
				if a.First {
					at = a.FirstAt
				}
				answers = append(answers, joined(" ", a.Source, a.Mark.Text, at.Sortable()))
			}
			if len(answers) == 0 {
				answers = []string{"not heard"}
			}
			cells = append(cells, strings.Join(answers, "; "))
		}
		return cells
	case views.RecordConsolidated:
		var files, contents []string
		for _, f := range r.Files {
			files, contents = append(files, f.Name+": "+f.State), append(contents, f.All)
		}
		return []string{strings.Join(states, "; "), r.Filters, joined("; ", append(contents, r.Contents)...), strings.Join(files, "; ")}
	default:
		return []string{strings.Join(states, "; "), strings.Join(r.Tally, "; ")}
	}
}

func pairText(list []views.Pair) string {
	var out []string
	for _, p := range list {
		out = append(out, joined(": ", p.Name, p.Value))
	}
	return strings.Join(out, "; ")
}

// joined is the parts that are not empty.
func joined(by string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), by)
}
