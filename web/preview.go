package web

import (
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
)

// Bounds of a preview; the file itself has all of it.
const (
	previewText = 512 << 10 // bytes
	previewRows = 1000
	previewCols = 40
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
	p := views.Preview{Frame: s.frame(c, "File", "/patients", l), File: s.fileRow(d), Patient: views.Patient{ID: d.PatientID}}
	if d.Purpose == db.PurposeMessage || d.Purpose == db.PurposeAttachment {
		p.Message, p.Here = d.InboxSeq, "/messages"
	}
	content, err := s.archive.Open(d)
	if err != nil {
		return fmt.Errorf("opening download %d: %w", d.ID, err)
	}
	defer func() { _ = content.Close() }()
	if err := fillPreview(&p, d, content); err != nil {
		s.cfg.Log.Warn("a stored file could not be shown as text", "download", d.ID, "error", err)
		p.Note = "Not all of this file could be read. Download it to see it whole."
	}
	return render(c, views.PreviewPage(p))
}

func fillPreview(p *views.Preview, d db.Download, content io.Reader) error {
	switch {
	case d.SniffedType == "application/json":
		return previewFacts(p, content)
	case d.SniffedType == "application/xml":
		doc, err := fhir.CDAText(content)
		for _, sec := range doc.Sections {
			p.Sections = append(p.Sections, views.Section{Title: sec.Title, Text: sec.Text, Cut: sec.Cut})
		}
		return err
	case d.SniffedType == "text/html":
		text, err := fhir.HTMLText(io.LimitReader(content, previewText))
		p.Sections = []views.Section{{Title: "Text", Text: text, Cut: d.Size > previewText}}
		return err
	case isTable(d):
		return previewTable(p, content)
	default:
		b, err := io.ReadAll(io.LimitReader(content, previewText))
		if !utf8.Valid(b) {
			b = []byte(strings.ToValidUTF8(string(b), "\ufffd"))
		}
		p.Sections = []views.Section{{Title: "Text", Text: string(b), Cut: d.Size > previewText}}
		return err
	}
}

// previewTable shows CSV as it is.
func previewTable(p *views.Preview, content io.Reader) error {
	p.Spreadsheet = true
	r := csvReader(content)
	for rows := 0; ; rows++ {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(row) > previewCols {
			row, p.Note = row[:previewCols], fmt.Sprintf("Only the first %d columns are shown.", previewCols)
		}
		if rows == 0 {
			p.Header = row
			continue
		}
		if rows > previewRows {
			p.Note = fmt.Sprintf("Only the first %d rows are shown.", previewRows)
			return nil
		}
		p.Table = append(p.Table, row)
	}
}

// previewFacts shows what we read from a FHIR bundle.
func previewFacts(p *views.Preview, content io.Reader) error {
	f, err := fhir.Read(content)
	if err != nil {
		return err
	}
	add := func(title string, lines ...string) {
		var kept []string
		for _, l := range lines {
			if strings.TrimSpace(l) != "" {
				kept = append(kept, l)
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
	var counts []string
	for name, n := range f.Counts {
		counts = append(counts, fmt.Sprintf("%s: %d", name, n))
	}
	slices.Sort(counts)
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
