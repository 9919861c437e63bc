package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/views"
	"carebell/web/fhir"
	"carebell/web/imports"
)

// Bounds of a preview, whatever the file; the file itself has all of it.
const (
	previewBytes = 2 << 20 // of a text or table; also of what a page shows of any other file
	previewRows  = 1000
	previewCols  = 40
	previewCell  = 2000 // bytes
	previewsOnce = 2    // files that are read for people at the same time
)

// What a preview says where it does not show the whole file.
var (
	notePart    = fmt.Sprintf("The first %d MB are shown. Download it to see the whole.", previewBytes>>20)
	noteMore    = "Not all of this file is shown. Download it to see the whole."
	noteDamaged = "Not all of this file could be read. Download it to see it whole."
	noteSlow    = "This file takes too long to be read here, so not all of it is shown. Download it to see the whole."
)

// previewable says whether we can make text of a file ourselves.
func previewable(d db.Download) bool {
	switch d.SniffedType {
	case "text/plain", "text/csv", "text/html", "application/xml", "application/json":
		return true
	default:
		return false
	}
}

// preview shows a file as text that we made of it: nothing of the file itself reaches the browser.
func (s *Server) preview(c *fiber.Ctx) error {
	d, err := s.storedDownload(c)
	if err != nil {
		return err
	}
	if !previewable(d) {
		return fiber.NewError(fiber.StatusNotFound, "This kind of file is not shown here. Download it instead.")
	}
	if err := s.audit(c, db.ActionPreview, d.PatientID, "file "+strconv.FormatInt(d.ID, 10)); err != nil {
		return err
	}
	l, err := s.readStatus(c.UserContext())
	if err != nil {
		return err
	}
	l.URL = liveURL("status", l.Seq, nil)
	p := views.Preview{Frame: s.frame(c, l), File: s.fileRow(d), Patient: views.Patient{ID: d.PatientID}}
	if d.Purpose == db.PurposeMessage || d.Purpose == db.PurposeAttachment {
		p.Message, p.Here = d.InboxSeq, "/messages"
	}
	if err := s.fillPreview(c.UserContext(), &p, d); err != nil {
		return err
	}
	return render(c, views.PreviewPage(p))
}

// reading takes a place among those for whom a file or body is read now: each takes memory of its own. The caller gives
// it back.
func (s *Server) reading(ctx context.Context) (done func(), err error) {
	select {
	case s.previews <- struct{}{}:
		return func() { <-s.previews }, nil
	case <-ctx.Done():
		return nil, fiber.NewError(fiber.StatusServiceUnavailable, "Too many files are being opened at the moment. Try again in a minute, or download the file instead.")
	}
}

// fillPreview makes text of a stored file. What is wrong with the file is a note on the page.
func (s *Server) fillPreview(ctx context.Context, p *views.Preview, d db.Download) error {
	done, err := s.reading(ctx)
	if err != nil {
		return err
	}
	defer done()
	open := func(read func(*views.Preview, db.Download, io.Reader) error) error {
		content, err := s.archive.Open(d)
		if err != nil {
			return fmt.Errorf("opening download %d: %w", d.ID, err)
		}
		defer func() { _ = content.Close() }()
		if err = read(p, d, timely{content, ctx}); err == nil || errors.Is(err, fhir.ErrNotFHIR) {
			return err
		}
		s.cfg.Log.Warn("a stored file could not be shown as text", "download", d.ID, "error", err)
		if p.Note = noteDamaged; ctx.Err() != nil {
			p.Note = noteSlow
		}
		return nil
	}
	switch {
	case d.SniffedType == "application/json":
		if err := open(previewFacts); !errors.Is(err, fhir.ErrNotFHIR) {
			return err
		}
		return open(previewText) // JSON of another kind
	case d.SniffedType == "application/xml":
		return open(previewCDA)
	case d.SniffedType == "text/html":
		return open(previewHTML)
	case isTable(d):
		return open(previewTable)
	default:
		return open(previewText)
	}
}

// timely fails where the one who waits for what is read has waited for long enough.
type timely struct {
	r   io.Reader
	ctx context.Context
}

func (t timely) Read(p []byte) (int, error) {
	if err := t.ctx.Err(); err != nil {
		return 0, err
	}
	return t.r.Read(p)
}

func previewCDA(p *views.Preview, _ db.Download, content io.Reader) error {
	doc, err := fhir.CDAText(content)
	for _, sec := range doc.Sections {
		p.Sections = append(p.Sections, views.Section{Title: sec.Title, Text: sec.Text, Cut: sec.Cut})
	}
	if doc.Truncated {
		p.Note = noteMore
	}
	return err
}

func previewHTML(p *views.Preview, d db.Download, content io.Reader) error {
	text, err := fhir.HTMLText(io.LimitReader(content, previewBytes))
	p.Sections = []views.Section{{Title: "Text", Text: text, Cut: d.Size > previewBytes}}
	switch {
	case d.Size > previewBytes:
		p.Note = notePart
	case errors.Is(err, fhir.ErrCut):
		p.Note = noteMore
	}
	if errors.Is(err, fhir.ErrCut) {
		err = nil
	}
	return err
}

func previewText(p *views.Preview, d db.Download, content io.Reader) error {
	b, err := io.ReadAll(io.LimitReader(content, previewBytes))
	if !utf8.Valid(b) {
		b = bytes.ToValidUTF8(b, []byte("\ufffd"))
	}
	p.Sections = []views.Section{{Title: "Text", Text: string(b), Cut: d.Size > previewBytes}}
	if d.Size > previewBytes {
		p.Note = notePart
	}
	return err
}

// previewTable shows CSV as it is.
func previewTable(p *views.Preview, d db.Download, content io.Reader) error {
	p.Spreadsheet = true
	table := imports.NewTable(io.LimitReader(content, previewBytes), imports.Bounds{Columns: previewCols, Cell: previewCell, Row: previewCols * previewCell})
	var cells, columns, rows bool // which of them were left out
	for {
		row, err := table.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if rows = len(p.Table) == previewRows; rows {
			break
		}
		for i, cut := range row.Cut {
			if cut {
				cells = true
				row.Cells[i] += "…"
			}
		}
		columns = columns || row.Columns > len(row.Cells)
		if p.Header == nil {
			p.Header = row.Cells
			continue
		}
		p.Table = append(p.Table, row.Cells)
	}
	var left []string
	if columns {
		left = append(left, fmt.Sprintf("Only the first %d columns are shown.", previewCols))
	}
	if cells {
		left = append(left, fmt.Sprintf("Long cells are cut after %s characters.", views.Count(previewCell)))
	}
	switch {
	case rows:
		left = append(left, fmt.Sprintf("Only the first %s rows are shown. Download it to see the whole.", views.Count(previewRows)))
	case d.Size > previewBytes:
		left = append(left, notePart)
	case len(left) > 0:
		left = append(left, "Download it to see the whole.")
	}
	p.Note = strings.Join(left, " ")
	return nil
}

// previewFacts shows what we read from a FHIR bundle.
func previewFacts(p *views.Preview, _ db.Download, content io.Reader) error {
	f, err := fhir.Read(content)
	if err != nil {
		return err
	}
	size := 0
	add := func(title string, lines ...string) {
		var kept []string
		for _, l := range lines {
			if strings.TrimSpace(l) != "" && size < previewBytes {
				kept = append(kept, l)
				size += len(l)
			}
		}
		if len(kept) > 0 {
			p.Sections = append(p.Sections, views.Section{Title: title, Text: strings.Join(kept, "\n")})
		}
	}
	add("Patient", f.Patient.Name, labelled("Born", f.Patient.BirthDate), labelled("Sex", f.Patient.Sex), labelled("Phone", f.Patient.Phone))
	for _, e := range f.Encounters {
		add("Stay", labelled("Class", e.Class.Word), labelled("Status", e.Status), labelled("From", e.Start.String()), labelled("To", e.End.String()),
			labelled("Facility", e.Facility), labelled("Unit", e.Unit), labelled("Reasons", strings.Join(e.Reasons, "; ")), labelled("Attending", e.Attending), labelled("Visit number", e.VisitNumber))
	}
	for _, d := range f.Dispenses {
		add("Fill", d.Drug.Text, labelled("Quantity", strings.TrimSpace(d.Quantity.Value+" "+d.Quantity.Unit)), labelled("Days", d.DaysSupply.Value), labelled("Dosage", d.Dosage), labelled("Prescriber", d.Prescriber.Name))
	}
	for _, r := range f.Reports {
		lines := []string{labelled("Status", r.Status), r.Conclusion}
		for _, o := range r.Results {
			lines = append(lines, resultLine(o))
		}
		add(orMissing(r.Name, "Report"), append(lines, r.Text)...)
	}
	var loose []string
	for _, o := range f.Observations {
		loose = append(loose, resultLine(o))
	}
	add("Observations", loose...)
	for _, m := range f.Communications {
		add(orMissing(m.Topic, "Message"), append([]string{labelled("From", m.Sender), labelled("To", strings.Join(m.Recipients, "; ")), labelled("Sent", m.Sent.String())}, m.Texts...)...)
	}
	if f.Summary != nil {
		for _, sec := range f.Summary.Sections {
			add(orMissing(sec.Title, "Section"), sec.Text)
		}
	}
	if f.Truncated || size >= previewBytes {
		p.Note = noteMore
	}
	var counts []string
	for name, n := range f.Counts {
		counts = append(counts, fmt.Sprintf("%s: %d", name, n))
	}
	slices.Sort(counts)
	size = 0
	add("In this file", counts...)
	return nil
}

func labelled(label, value string) string {
	if value == "" {
		return ""
	}
	return label + ": " + value
}

func resultLine(o fhir.Observation) string {
	line := strings.TrimSpace(orMissing(o.Code.Text, "Not named") + ": " + o.Value + " " + o.Unit)
	if o.Interpretation != "" {
		line += " [" + o.Interpretation + "]"
	}
	return line
}
