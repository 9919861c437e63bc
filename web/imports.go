package web

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/views"
	"carebell/web/live"
)

// importList is the list of bulk creation jobs.
func (s *Server) importList(c *fiber.Ctx) error {
	filter, err := importFilter(c)
	if err != nil {
		return err
	}
	before, err := number(c.Query("before"))
	if err != nil {
		return err
	}
	if wantsCSV(c) {
		return s.exportImports(c, filter)
	}
	var p views.Imports
	err = s.db.Read(c.UserContext(), func(v db.Snapshot) error {
		l, err := s.status(c.UserContext(), v)
		if err != nil {
			return err
		}
		l.URL = liveURL("imports", l.Seq, filter.Query())
		p, err = s.importJobs(c.UserContext(), v, filter, before)
		p.Frame = s.frame(c, "Imports", "/imports", l)
		return err
	})
	if err != nil {
		return err
	}
	if c.Get("HX-Request") != "" && before > 0 {
		return render(c, views.ImportList(p))
	}
	return render(c, views.ImportsPage(p))
}

// importFilter reads the list's filter from the URL.
func importFilter(c *fiber.Ctx) (views.ImportFilter, error) {
	f := views.ImportFilter{State: c.Query("state"), Text: strings.TrimSpace(c.Query("q"))}
	known := false
	for i := 0; i < len(views.ImportStates); i += 2 {
		known = known || views.ImportStates[i] == f.State
	}
	if !known {
		return f, fiber.NewError(fiber.StatusNotFound, "There is no such state. Choose one above the list.")
	}
	if len(f.Text) > maxSearch {
		return f, fiber.NewError(fiber.StatusNotFound, "That is too long to search for.")
	}
	return f, nil
}

func (s *Server) jobFilter(f views.ImportFilter) db.ImportFilter {
	return db.ImportFilter{State: f.State, Text: f.Text, Now: s.cfg.Now()}
}

// importJobs reads one page of the list. The frame is the caller's.
func (s *Server) importJobs(ctx context.Context, v db.Snapshot, f views.ImportFilter, before int64) (views.Imports, error) {
	filter := s.jobFilter(f)
	filter.Before, filter.Limit = before, pageRows+1
	filter.Reach = db.Reach
	list, rest, err := v.ImportPage(ctx, filter)
	p := views.Imports{Filter: f, ToTop: before == 0}
	if len(list) > pageRows {
		list, p.Older = list[:pageRows], true
	}
	p.Back = s.back(rest)
	for _, i := range list {
		p.Jobs = append(p.Jobs, s.importJob(i))
	}
	return p, err
}

// importsScreen is the list as an open page.
func (s *Server) importsScreen(f views.ImportFilter) live.Screen {
	key := "imports?" + f.Query().Encode()
	return s.screenOf(key, func(c db.Change) bool { return c.Topic == db.TopicImports },
		func(ctx context.Context, v db.Snapshot, u changes) (templ.Component, error) {
			var p views.Imports
			var err error
			if u.TooMany {
				p, err = s.importJobs(ctx, v, f, 0)
			} else {
				p.Jobs, err = inCommon(u.moment, rowsAfter{key, u.since}, func() ([]views.ImportJob, error) { return s.changedJobs(ctx, v, f, u.Rows) })
			}
			p.Live = u.Live
			return views.ImportsUpdate(p, u.TooMany), err
		})
}

// changedJobs reads the jobs behind changes. Those that do not fit the filter are marked.
func (s *Server) changedJobs(ctx context.Context, v db.Snapshot, f views.ImportFilter, rows []db.Change) ([]views.ImportJob, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	var nos []int64
	for _, c := range rows {
		nos = append(nos, c.Item)
	}
	all, err := v.Imports(ctx, db.ImportFilter{Nos: nos, Limit: len(nos)})
	if err != nil {
		return nil, err
	}
	filter := s.jobFilter(f)
	filter.Nos, filter.Limit = nos, len(nos)
	fitting, err := v.Imports(ctx, filter)
	var jobs []views.ImportJob
	for _, i := range all {
		j := s.importJob(i)
		j.FitsNot = !slices.ContainsFunc(fitting, func(f db.Import) bool { return f.No == i.No })
		jobs = append(jobs, j)
	}
	return jobs, err
}

// importJob puts a job into the words people read.
func (s *Server) importJob(i db.Import) views.ImportJob {
	clock := s.clock()
	j := views.ImportJob{
		No: i.No, ID: i.ID, State: views.ImportState(i.State), Running: i.State == db.ImportWaiting || i.State == db.ImportProcessing,
		Started: clock.At(i.StartedAt), Ended: clock.At(i.EndedAt), Came: clock.At(i.CameAt), Reason: i.Reason,
		Rows: i.File.Rows, Failed: i.File.Counts[db.RowFailed], Unknown: i.File.Counts[db.RowUnknown], Done: i.File.Counts[db.RowSucceeded],
		Counted: i.File.State != "" && len(i.File.Head) > 0,
	}
	switch i.IDFrom {
	case db.ImportOwnID:
	case db.ImportRequestID:
		j.IDNote = "the job names no id of its own; this is its message’s request id"
	case db.ImportMessageID:
		j.IDNote = "no request id was sent; this is the message’s own id"
	}
	if i.Stuck(clock.Now) {
		j.Silence = views.Long(clock.Now.Sub(i.HeardAt))
	}
	j.Result, j.Bad = s.resultState(i)
	return j
}

// resultState says how a job's result stands, unless all of its rows are there.
func (s *Server) resultState(i db.Import) (text string, bad bool) {
	switch {
	case i.Result.ID == 0 && i.State == db.ImportCompleted:
		return "The job has completed, and no link to a result was sent.", true
	case i.Result.ID == 0:
		return "", false
	case i.Result.State == db.FetchRemoved:
		return "The result file and its rows were removed after the time they had to be kept.", false
	case i.Result.State != db.FetchStored:
		bad = i.Result.State == db.FetchExpired || i.Result.State == db.FetchRefused || i.Result.State == db.FetchFailed
		return "Result file " + s.fetchState(i.Result) + ".", bad
	case i.File.State == db.ImportUnread:
		return i.File.Note, true
	case i.File.State == "":
		return "The result is stored; its rows are about to be read.", false
	case i.File.State == db.ImportReadingOn:
		return views.Count(i.File.Rows) + " of about " + views.Count(expectedRows(i)) + " rows read.", false
	case i.File.Rows == 0:
		return "The result has no rows.", false
	default:
		return "", false
	}
}

// expectedRows guesses how many rows a file has from the part that has been read, to two digits.
func expectedRows(i db.Import) int {
	if i.File.Bytes == 0 {
		return i.File.Rows
	}
	n := int(float64(i.File.Rows) * float64(i.Result.Size) / float64(i.File.Bytes))
	unit := 1
	for n/unit >= 100 {
		unit *= 10
	}
	return max((n+unit/2)/unit*unit, i.File.Rows)
}

func (s *Server) exportImports(c *fiber.Ctx, f views.ImportFilter) error {
	filter := s.jobFilter(f)
	filter.Limit = exportPage
	zone := " (" + s.clock().ZoneName() + ")"
	head := []string{"Request id", "State", "Stuck", "Started" + zone, "Ended" + zone, "Minutes", "Rows", "Succeeded", "Failed", "Unknown", "Reason", "Result"}
	return s.export(c, "imports", head, func(ctx context.Context, v db.Snapshot) ([][]string, error) {
		list, err := v.Imports(ctx, filter)
		rows := make([][]string, len(list))
		for n, i := range list {
			j := s.importJob(i)
			rows[n] = []string{j.ID, i.State, j.Silence, j.Started.Sortable(), j.Ended.Sortable(), minutes(i), "", "", "", "", j.Reason, j.Result}
			if j.Counted {
				rows[n][6], rows[n][7], rows[n][8], rows[n][9] = decimal(j.Rows), decimal(j.Done), decimal(j.Failed), decimal(j.Unknown)
			}
			filter.Before = i.No
		}
		return rows, err
	})
}

// minutes is how long a job took; "" where that is not known.
func minutes(i db.Import) string {
	if i.StartedAt.IsZero() || i.EndedAt.Before(i.StartedAt) {
		return ""
	}
	return decimal(int(i.EndedAt.Sub(i.StartedAt).Round(time.Minute) / time.Minute))
}
