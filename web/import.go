package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/views"
	"carebell/web/live"
)

// Bounds of what one answer about a job shows. The rest is a link away.
const (
	mostSteps   = 100
	mostReasons = 20
	mostData    = 50
	mostWindow  = 200 // rows
	tableCols   = 40
	tableCell   = 160 // bytes
)

// importPage is one job.
func (s *Server) importPage(c *fiber.Ctx) error {
	id, filter, err := importRequest(c)
	if err != nil {
		return err
	}
	from, err := number(c.Query("from"))
	if err != nil {
		return err
	}
	if wantsCSV(c) {
		return s.exportRows(c, id, filter)
	}
	var p views.ImportDetail
	err = s.db.Read(c.UserContext(), func(v db.Snapshot) error {
		l, err := s.status(c.UserContext(), v)
		if err != nil {
			return err
		}
		more := filter.Query()
		more.Set("id", id)
		l.URL = liveURL("import", l.Seq, more)
		job, err := v.Import(c.UserContext(), id)
		if err != nil {
			return err
		}
		if p, err = s.importDetail(c.UserContext(), v, job, filter); err != nil {
			return err
		}
		p.Frame = s.frame(c, l)
		p.Window, err = s.rowWindow(c.UserContext(), v, job, filter, int(from), views.WindowRows)
		return err
	})
	if err != nil {
		return err
	}
	if err := s.auditRows(c, p.No, p.Window); err != nil {
		return err
	}
	return render(c, views.ImportPage(p))
}

// importRequest reads which job a request is about, and what its rows are narrowed to.
func importRequest(c *fiber.Ctx) (id string, f views.RowFilter, err error) {
	if id, err = url.PathUnescape(c.Params("id")); err != nil {
		return "", f, fiber.ErrNotFound
	}
	f, err = rowFilter(c)
	return id, f, err
}

// outcomes are the outcomes of a row behind the words of the filter.
var outcomes = map[string]db.Outcome{"failed": db.RowFailed, "unknown": db.RowUnknown, "succeeded": db.RowSucceeded}

func outcomeWord(o db.Outcome) string {
	for word, outcome := range outcomes {
		if outcome == o {
			return word
		}
	}
	return ""
}

func rowFilter(c *fiber.Ctx) (f views.RowFilter, err error) {
	f = views.RowFilter{Outcome: c.Query("status"), Text: strings.TrimSpace(c.Query("q"))}
	if _, ok := outcomes[f.Outcome]; !ok && f.Outcome != "" {
		return f, fiber.NewError(fiber.StatusNotFound, "There is no such status. Choose one above the rows.")
	}
	if len(f.Text) > maxSearch {
		return f, fiber.NewError(fiber.StatusNotFound, "That is too long to search for.")
	}
	reason, err := number(c.Query("reason"))
	f.Reason = int(reason)
	return f, err
}

func importRows(f views.RowFilter) db.ImportRowFilter {
	return db.ImportRowFilter{Outcome: outcomes[f.Outcome], Every: f.Outcome == "", Reason: f.Reason, Text: f.Text}
}

// importDetail reads everything about a job but its rows. The frame is the caller's.
func (s *Server) importDetail(ctx context.Context, v db.Snapshot, job db.Import, f views.RowFilter) (p views.ImportDetail, err error) {
	p = views.ImportDetail{ImportJob: s.wording().importJob(job), Filter: f, Notes: job.File.Note, Removed: job.Result.State == db.FetchRemoved}
	if job.File.State == db.ImportUnread {
		p.Notes = "" // it is what the result says
	}
	if job.Result.State == db.FetchStored {
		p.FileID, p.FileSize = job.Result.ID, views.Bytes(job.Result.Size)
		p.Reading, p.Read, p.Expected = job.File.State == db.ImportReadingOn, int(job.File.Bytes), int(job.Result.Size)
	}
	events, err := v.ImportHistory(ctx, job.No, mostSteps+1)
	if err != nil {
		return p, err
	}
	if p.EarlierGone = len(events) > mostSteps; p.EarlierGone {
		events = events[1:]
	}
	p.Steps = s.importSteps(events)
	for _, e := range slices.Backward(events) {
		if len(e.Data) > 0 {
			p.Data, p.DataMore = callerData(e.Data)
			break
		}
	}
	if p.Removed || !p.Counted {
		return p, nil
	}
	reasons, err := v.ImportReasons(ctx, job.Result.ID, 0, mostReasons+1)
	if p.ReasonsMore = len(reasons) > mostReasons; p.ReasonsMore {
		reasons = reasons[:mostReasons]
	}
	for _, r := range reasons {
		p.Reasons = append(p.Reasons, views.ReasonCount{No: r.No, Outcome: outcomeWord(r.Outcome), Words: r.Words, Rows: r.Rows})
	}
	return p, err
}

func (s *Server) importSteps(events []db.ImportEvent) []views.ImportStep {
	clock := s.clock()
	var out []views.ImportStep
	for n, e := range events {
		step := views.ImportStep{State: views.ImportState(e.State), Sent: clock.At(e.SentAt), Received: clock.At(e.ReceivedAt), Reason: e.Reason, Test: e.Test}
		if n > 0 {
			step.After = step.Sent.Since(out[n-1].Sent)
		}
		out = append(out, step)
	}
	return out
}

// callerData makes what the caller sent along into names and values; what is not text is shown as JSON. more is how many
// were left out.
func callerData(data []byte) (facts []views.Fact, more int) {
	var pairs map[string]json.RawMessage
	if json.Unmarshal(data, &pairs) != nil {
		return []views.Fact{{Name: "Value", Value: shortText(string(data), 4000)}}, 0
	}
	for name, raw := range pairs {
		value := string(raw)
		var text string
		if json.Unmarshal(raw, &text) == nil {
			value = text
		}
		facts = append(facts, views.Fact{Name: shortText(name, 200), Value: shortText(value, 4000)})
	}
	slices.SortFunc(facts, func(a, b views.Fact) int { return strings.Compare(a.Name, b.Name) })
	more = max(len(facts)-mostData, 0)
	return facts[:len(facts)-more], more
}

// shortText is a text of at most so many bytes.
func shortText(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most] + "…"
}

// rowWindow reads n rows of a result from place from on.
func (s *Server) rowWindow(ctx context.Context, v db.Snapshot, job db.Import, f views.RowFilter, from, n int) (views.RowWindow, error) {
	w := views.RowWindow{Path: views.ImportPath(job.ID), Filter: f, From: from}
	if job.Result.ID == 0 || job.Result.State == db.FetchRemoved {
		return w, nil
	}
	rows, total, err := v.ImportRows(ctx, job.File, importRows(f), from, n)
	if err != nil {
		return w, err
	}
	if w.Total = total; f.Text != "" && total > db.MostImportMatches {
		w.Total = db.MostImportMatches
		w.Note = "More than " + views.Count(db.MostImportMatches) + " rows have this text; the first ones are shown here. The file of these rows has all of them."
	}
	columns := tableColumns(job.File)
	if w.Left = max(len(columns)-tableCols, 0); w.Left > 0 {
		columns = columns[:tableCols]
	}
	for _, i := range columns {
		w.Columns = append(w.Columns, shortText(job.File.Head[i], tableCell))
	}
	known, err := knownPatients(ctx, v, job.File, rows)
	for _, row := range rows {
		r := resultRow(job.File, row)
		r.Reason = shortText(r.Reason, tableCell)
		for _, i := range columns {
			cell := views.ResultCell{Text: shortText(cellOf(row, i), tableCell)}
			if i == job.File.ID && known[cellOf(row, i)] {
				cell.Patient = cellOf(row, i)
			}
			r.Cells = append(r.Cells, cell)
		}
		if extra := row.Cells[min(len(job.File.Head), len(row.Cells)):]; len(extra) > 0 {
			r.Extra, w.Extra = shortText(strings.Join(extra, " · "), tableCell), true
		}
		w.Rows = append(w.Rows, r)
	}
	return w, err
}

// tableColumns are the columns of a file but for the status and its reason, which stand first.
func tableColumns(f db.ImportFile) (out []int) {
	for i := range f.Head {
		if i != f.Status && i != f.Reason {
			out = append(out, i)
		}
	}
	return out
}

func cellOf(r db.ImportRow, i int) string {
	if i < 0 || i >= len(r.Cells) {
		return ""
	}
	return r.Cells[i]
}

func resultRow(f db.ImportFile, r db.ImportRow) views.ResultRow {
	return views.ResultRow{No: r.No, Outcome: outcomeWord(r.Outcome), Status: shortText(cellOf(r, f.Status), tableCell), Reason: cellOf(r, f.Reason)}
}

// knownPatients says which of the rows' patients are known here.
func knownPatients(ctx context.Context, v db.Snapshot, f db.ImportFile, rows []db.ImportRow) (map[string]bool, error) {
	var ids []string
	for _, r := range rows {
		if id := cellOf(r, f.ID); id != "" {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	return v.KnownPatients(ctx, ids)
}

// auditRows notes that a person saw rows of a result.
func (s *Server) auditRows(c *fiber.Ctx, job int64, w views.RowWindow) error {
	object := fmt.Sprintf("import %d", job)
	if n := len(w.Rows); n > 0 {
		object += fmt.Sprintf(", %d rows from %d", n, w.From+1)
	}
	return s.audit(c, db.ActionView, "", object)
}

// importRowsWindow answers the page's script with a part of the rows.
func (s *Server) importRowsWindow(c *fiber.Ctx) error {
	id, filter, err := importRequest(c)
	if err != nil {
		return err
	}
	from, err := number(c.Query("from"))
	if err != nil {
		return err
	}
	count, err := number(c.Query("count", decimal(views.WindowRows)))
	if err != nil {
		return err
	}
	var job db.Import
	var w views.RowWindow
	err = s.db.Read(c.UserContext(), func(v db.Snapshot) (err error) {
		if job, err = v.Import(c.UserContext(), id); err != nil {
			return err
		}
		w, err = s.rowWindow(c.UserContext(), v, job, filter, int(from), int(min(count, mostWindow)))
		return err
	})
	if err != nil {
		return err
	}
	if err := s.auditRows(c, job.No, w); err != nil {
		return err
	}
	return render(c, views.ImportWindow(w))
}

// importRow is one row of a result with the whole text of its cells.
func (s *Server) importRow(c *fiber.Ctx) error {
	id, err := url.PathUnescape(c.Params("id"))
	if err != nil {
		return fiber.ErrNotFound
	}
	no, err := number(c.Params("row"))
	if err != nil {
		return err
	}
	var p views.RowDetail
	var job db.Import
	err = s.db.Read(c.UserContext(), func(v db.Snapshot) error {
		l, err := s.status(c.UserContext(), v)
		if err != nil {
			return err
		}
		l.URL = liveURL("status", l.Seq, nil)
		if job, err = v.Import(c.UserContext(), id); err != nil {
			return err
		}
		row, err := v.ImportRow(c.UserContext(), job.Result.ID, int(no))
		if err != nil {
			return err
		}
		known, err := knownPatients(c.UserContext(), v, job.File, []db.ImportRow{row})
		p = rowDetail(job, row)
		p.Frame = s.frame(c, l)
		if id := cellOf(row, job.File.ID); known[id] {
			p.Patient = id
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := s.audit(c, db.ActionView, p.Patient, fmt.Sprintf("import %d, row %d", job.No, no)); err != nil {
		return err
	}
	if c.Get("HX-Request") != "" {
		return render(c, views.ImportRowFull(p))
	}
	return render(c, views.ImportRowPage(p))
}

func rowDetail(job db.Import, row db.ImportRow) views.RowDetail {
	p := views.RowDetail{Path: views.ImportPath(job.ID), No: row.No, Row: resultRow(job.File, row), FileID: job.Result.ID}
	for i := range max(len(job.File.Head), len(row.Cells)) {
		name := fmt.Sprintf("Column %d, which has no name", i+1)
		if i < len(job.File.Head) && job.File.Head[i] != "" {
			name = job.File.Head[i]
		}
		p.Facts = append(p.Facts, views.Fact{Name: name, Value: cellOf(row, i)})
	}
	return p
}

// exportRows answers with rows of a result as a file of the same columns.
func (s *Server) exportRows(c *fiber.Ctx, id string, f views.RowFilter) error {
	var job db.Import
	err := s.db.Read(c.UserContext(), func(v db.Snapshot) (err error) {
		job, err = v.Import(c.UserContext(), id)
		return err
	})
	if err != nil {
		return err
	}
	if job.Result.State == db.FetchRemoved || len(job.File.Head) == 0 {
		return fiber.NewError(fiber.StatusNotFound, "There are no rows of this import here.")
	}
	name := fmt.Sprintf("import-%d", job.No)
	if f.Outcome != "" {
		name += "-" + f.Outcome
	}
	var last *db.ImportRow
	return s.export(c, name, job.File.Head, func(ctx context.Context, v db.Snapshot) ([][]string, error) {
		list, err := v.ImportRowsAfter(ctx, job.Result.ID, importRows(f), last, exportPage)
		rows := make([][]string, len(list))
		for i, r := range list {
			rows[i], last = r.Cells, &list[i]
			for len(rows[i]) < len(job.File.Head) {
				rows[i] = append(rows[i], "")
			}
		}
		return rows, err
	})
}

// importScreen is the page of a job as an open page. Its rows are asked for by the page itself.
func (s *Server) importScreen(no int64, id string, f views.RowFilter) live.Screen {
	more := f.Query()
	more.Set("id", id)
	return s.screenOf("import?"+more.Encode(), func(c db.Change) bool { return c.Topic == db.TopicImports && c.Item == no },
		func(ctx context.Context, v db.Snapshot, u changes) (templ.Component, error) {
			var p views.ImportDetail
			if u.any() {
				job, err := v.Import(ctx, id)
				if err == nil {
					p, err = s.importDetail(ctx, v, job, f)
				}
				if err != nil {
					return nil, err
				}
			}
			p.Live = u.Live
			return views.ImportUpdate(p, u.any()), nil
		})
}

func decimal(n int) string { return strconv.Itoa(n) }

// openImport opens the socket of a job's page.
func (s *Server) openImport(c *fiber.Ctx) (live.Screen, error) {
	f, err := rowFilter(c)
	if err != nil {
		return live.Screen{}, err
	}
	job, err := look(c.UserContext(), s.db, func(v db.Snapshot) (db.Import, error) { return v.Import(c.UserContext(), c.Query("id")) })
	return s.importScreen(job.No, job.ID, f), err
}
