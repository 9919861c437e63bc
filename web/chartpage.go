package web

import (
	"context"
	"mime"
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
	mostFiles     = 200
	mostSummaries = 5
	mostMail      = 100
	mostPulls     = 20 // requests for records
)

// clinical reads what the records of a patient say: the summary of their health, documents, discharge summaries.
func (s *Server) clinical(ctx context.Context, v db.Snapshot, id string, p *views.PatientDetail) error {
	health, err := v.PatientHealth(ctx, id, mostEntries, mostSummaries)
	if err != nil {
		return err
	}
	p.Health = s.healthView(id, health)
	for _, n := range health.Summaries {
		if d := n.Facts.Summary; d != nil {
			p.Summaries = append(p.Summaries, s.summaryView(n, *d))
		}
	}
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
	rows, err := withFiles(ctx, v, pulls)
	words := s.wording()
	for _, r := range rows {
		p.Pulls = append(p.Pulls, words.pullRow(r))
	}
	return err
}

func (s *Server) summaryView(n db.NotificationWithFacts, d care.Document) views.Summary {
	out := views.Summary{ID: n.ID, Title: orMissing(d.Title, "Discharge summary"), Written: s.when(d.Date), Authors: d.Authors}
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
	s.fileAgain(&row, d)
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
