package web

import (
	"context"
	"mime"
	"strconv"
	"time"

	"carebell/db"
	"carebell/views"
	"carebell/web/care"
	"carebell/web/fhir"
)

// sixSections are what care teams ask of a discharge summary.
var sixSections = []string{
	fhir.SectionDiagnosis, fhir.SectionCourse, fhir.SectionProcedures, fhir.SectionMedications, fhir.SectionInstructions, fhir.SectionPlan,
}

// Bounds of what one patient page shows.
const (
	mostFills     = 100
	mostLabs      = 200 // notifications that trends are drawn from
	mostFiles     = 200
	mostSummaries = 5
	mostMail      = 100
	mostPulls     = 20 // requests for records
)

// clinical reads what the records of a patient say: drugs, results with their trend, documents, summaries.
func (s *Server) clinical(ctx context.Context, v db.Snapshot, id string, p *views.PatientDetail) error {
	notices, err := v.FactsOf(ctx, id, map[care.Kind]int{care.Pharmacy: mostFills, care.Lab: mostLabs, care.Summary: mostSummaries})
	if err != nil {
		return err
	}
	var labs []db.NotificationWithFacts
	for _, n := range notices {
		switch n.Kind {
		case care.Pharmacy:
			for _, f := range n.Facts.Fills {
				p.Fills = append(p.Fills, s.fillRow(n, f))
			}
		case care.Lab:
			labs = append(labs, n)
		case care.Summary:
			if d := n.Facts.Summary; d != nil {
				p.Summaries = append(p.Summaries, s.summaryView(n, *d))
			}
		default:
		}
	}
	p.Tests = s.tests(labs)
	files, err := v.PatientDownloads(ctx, id, mostFiles)
	if err != nil {
		return err
	}
	for _, d := range files {
		switch {
		case d.NotificationID != 0:
			p.Records = append(p.Records, s.fileRow(d))
		case d.Purpose == db.PurposeConsolidated:
			p.DataFiles = append(p.DataFiles, s.fileRow(d))
		default:
			p.Files = append(p.Files, s.fileRow(d))
		}
	}
	pulls, err := v.Pulls(ctx, db.PullFilter{Patient: id, Limit: mostPulls + 1})
	if err != nil {
		return err
	}
	if len(pulls) > mostPulls {
		pulls, p.MorePulls = pulls[:mostPulls], true
	}
	p.Pulls, err = s.pullRows(ctx, v, pulls)
	return err
}

func (s *Server) fillRow(n db.NotificationWithFacts, f care.Fill) views.FillRow {
	beside := f
	beside.Pharmacy = care.Contact{} // it stands in a column of its own
	row := views.FillRow{
		Drug: orMissing(f.Drug, "Drug not sent"), Filled: s.when(f.Filled), Flags: []views.Flag{fillFlag(f)}, Details: s.wording().fillDetails(beside),
		Dosage: f.Dosage, Pharmacy: f.Pharmacy.Name,
	}
	if row.Filled == "" {
		row.Filled = s.clock().At(n.At).Short()
	}
	return row
}

// tests groups results by test, the one with the latest result first, with the values over time for its trend.
func (s *Server) tests(labs []db.NotificationWithFacts) []views.Test {
	var out []views.Test
	at := map[string]int{}
	seen := map[string]bool{}
	for _, n := range labs { // the latest first
		for _, p := range n.Facts.Panels {
			for _, r := range p.Results {
				once := r.Code + "\x00" + r.Value + "\x00" + r.At
				if seen[once] { // the same result in a second notice
					continue
				}
				seen[once] = true
				i, ok := at[r.Code]
				if !ok {
					i = len(out)
					at[r.Code] = i
					out = append(out, s.testRow(n, p, r))
				}
				if value, err := strconv.ParseFloat(r.Number, 64); err == nil {
					when := n.At
					if t := fhir.ParseTime(r.At); !t.IsZero() {
						when = t.Time
					}
					out[i].Trend = append(out[i].Trend, views.Point{At: when, Value: value})
				}
			}
		}
	}
	return out
}

func (s *Server) testRow(n db.NotificationWithFacts, p care.Panel, r care.Result) views.Test {
	t := views.Test{
		Name: orMissing(r.Name, "Test not named"), Value: r.Value, Unit: r.Unit, Range: r.Range(), Panel: p.Name,
		Status: orMissing(r.Status, "status not sent"), At: s.when(r.At), Flags: resultFlags(r),
	}
	if t.At == "" {
		t.At = s.clock().At(n.At).Short()
	}
	if low, err := strconv.ParseFloat(r.Low, 64); err == nil {
		t.Low = &low
	}
	if high, err := strconv.ParseFloat(r.High, 64); err == nil {
		t.High = &high
	}
	return t
}

func (s *Server) summaryView(n db.NotificationWithFacts, d care.Document) views.Summary {
	out := views.Summary{Title: orMissing(d.Title, "Discharge summary"), Written: s.when(d.Date), Authors: d.Authors}
	if out.Written == "" {
		out.Written = s.clock().At(n.At).Short()
	}
	have := map[string]bool{}
	for _, sec := range d.Sections {
		have[sec.Kind] = true
		out.Sections = append(out.Sections, views.Section{Title: orMissing(sec.Title, sec.Kind), Text: sec.Text, Cut: sec.Cut})
	}
	for _, want := range sixSections {
		if !have[want] {
			out.Missing = append(out.Missing, want)
		}
	}
	return out
}

func (s *Server) fileRow(d db.Download) views.FileRow {
	row := views.FileRow{
		ID: d.ID, Name: fileName(d), Purpose: string(d.Purpose), State: s.fetchState(d), Stored: d.State == db.FetchStored,
		Failed: d.State == db.FetchExpired || d.State == db.FetchFailed || d.State == db.FetchRefused,
		Size:   views.Bytes(d.Size), Type: d.SniffedType, Queued: s.clock().At(d.QueuedAt), CanPreview: d.State == db.FetchStored && previewable(d),
	}
	if d.ClaimedType != "" && d.SniffedType != "" && d.ClaimedType != d.SniffedType && d.State == db.FetchStored && !alike(d.ClaimedType, d.SniffedType) {
		row.Mismatch = "sent as " + d.ClaimedType
	}
	return row
}

// alike says whether two media types are names of one thing.
func alike(claimed, sniffed string) bool {
	if t, _, err := mime.ParseMediaType(claimed); err == nil {
		claimed = t
	}
	family := map[string]string{
		"application/fhir+json": "application/json", "text/json": "application/json", "text/xml": "application/xml",
		"application/hl7-v3+xml": "application/xml", "text/csv": "text/plain", "application/gzip": "application/json",
		"application/x-gzip": "application/gzip", "binary/octet-stream": sniffed, "application/octet-stream": sniffed,
	}
	if f, ok := family[claimed]; ok {
		claimed = f
	}
	return claimed == sniffed
}

// when puts a FHIR dateTime into words: an instant in the practice's zone, a day, month or year as it was sent.
func (s *Server) when(text string) string {
	t := fhir.ParseTime(text)
	switch {
	case t.IsZero():
		return ""
	case t.Precision == fhir.Instant:
		return s.clock().At(t.Time).Short()
	case t.Precision == fhir.Day:
		return t.Format("2 Jan 2006")
	default:
		return t.String()
	}
}

// noFuture is the latest birth date that can be right.
func (s *Server) noFuture(date time.Time) bool { return !date.After(s.cfg.Now().Add(24 * time.Hour)) }
