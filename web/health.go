package web

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"carebell/db"
	"carebell/views"
	"carebell/web/care"
	"carebell/web/fhir"
)

// Bounds of the summary on a patient's page.
const (
	mostEntries = 25 // of one part of a section
	mostShort   = 6  // fills or doses that a row unfolds
	mostAlerts  = 8
)

// healthWords are the sections as people call them: in addresses, as titles, and where there is nothing.
var healthWords = []struct {
	section         care.HealthSection
	id, title, none string
	past            string // "%d resolved"
	one             string
}{
	{care.SectionAllergies, "allergies", "Allergies", "No allergies recorded. That is not the same as no known allergies: nobody said either.", "resolved or inactive", "allergy"},
	{care.SectionMedications, "medications", "Medications", "No medications recorded.", "stopped or completed", "medication"},
	{care.SectionProblems, "problems", "Problems", "No problems recorded.", "resolved or inactive", "problem"},
	{care.SectionResults, "results", "Results", "No laboratory results recorded.", "", "result"},
	{care.SectionCareTeam, "care-team", "Care team", "Nobody is named as the care team.", "", "person of the care team"},
	{care.SectionVitals, "vitals", "Vitals", "No vital signs recorded.", "", "vital sign"},
	{care.SectionImmunizations, "immunizations", "Immunizations", "No immunizations recorded.", "", "immunization"},
	{care.SectionEncounters, "encounters", "Visits", "No visits recorded.", "", "visit"},
	{care.SectionProcedures, "procedures", "Procedures", "No procedures recorded.", "", "procedure"},
	{care.SectionCoverage, "coverage", "Coverage", "No coverage recorded.", "ended", "coverage"},
}

// healthView is the summary of a patient in words.
func (s *Server) healthView(patient string, h db.PatientHealth) views.HealthSummary {
	w := s.wording()
	var out views.HealthSummary
	for _, words := range healthWords {
		now, past, denied := h.Entries[db.HealthPlace{Section: words.section, Part: care.PartCurrent}], h.Entries[db.HealthPlace{Section: words.section, Part: care.PartPast}],
			h.Entries[db.HealthPlace{Section: words.section, Part: care.PartDenied}]
		tally := func(part int) db.HealthTally { return h.Tallies[db.HealthPlace{Section: words.section, Part: part}] }
		all, pastAll := tally(care.PartCurrent), tally(care.PartPast)
		sec := views.HealthSection{ID: words.id, Title: words.title, Empty: words.none, Total: all.Entries, Note: sectionNote(words.section, all)}
		path := views.HealthPath(patient, words.id)
		for _, e := range now {
			sec.Rows = append(sec.Rows, w.healthRow(patient, words.id, e, h.Refs))
		}
		for _, e := range past {
			sec.Past = append(sec.Past, w.healthRow(patient, words.id, e, h.Refs))
		}
		if all.Entries > len(now) {
			sec.All = path
		}
		if pastAll.Entries > 0 {
			sec.PastWord = views.Count(pastAll.Entries) + " " + words.past
			if pastAll.Entries > len(past) {
				sec.PastAll = path + "?part=past"
			}
		}
		for _, e := range denied {
			sec.Words = append(sec.Words, w.denied(e, all.Entries > 0))
		}
		if words.section == care.SectionAllergies {
			out.Alerts = w.alerts(now, denied, all.Entries)
		}
		sum := db.HealthTally{New: all.New + pastAll.New, Changed: all.Changed + pastAll.Changed, Gone: all.Gone + pastAll.Gone}
		out.News = append(out.News, newsOf(path, words.one, words.section, sum)...)
		if !expected(words.section) && len(sec.Rows)+len(sec.Past)+len(sec.Words) == 0 {
			out.Missing = append(out.Missing, strings.ToLower(words.title))
			continue
		}
		out.Sections = append(out.Sections, sec)
	}
	if h.Refs.Base != 0 {
		out.Compared = "New since the file of " + w.At(h.Refs.BaseAt).Date() + ":"
		if len(out.News) == 0 {
			out.Compared = "Nothing new since the file of " + w.At(h.Refs.BaseAt).Date()
		}
	} else {
		out.News = nil
	}
	for _, f := range h.Files {
		date := w.At(f.At).Date()
		switch f.State {
		case db.HealthFailed:
			out.Notes = append(out.Notes, "The file of "+date+" cannot be read here. It is kept as it is, among the records.")
		case db.HealthRead:
			out.Notes = append(out.Notes, "The file of "+date+" could not be read to its end: something of it is missing here.")
		default:
			out.Reading = true
			out.Notes = append(out.Notes, "Reading the file of "+date+"…")
		}
	}
	if h.Whole == 0 && !out.Reading {
		out.From = "No consolidated data or finished network query is stored for this patient. What stands here is from pharmacy and laboratory notices alone."
	}
	return out
}

// expected says whether people look for a section in its own place, also where it is empty.
func expected(section care.HealthSection) bool {
	switch section {
	case care.SectionAllergies, care.SectionMedications, care.SectionProblems, care.SectionResults:
		return true
	default:
		return false
	}
}

// sectionNote is what stands beside the title of a section.
func sectionNote(section care.HealthSection, t db.HealthTally) string {
	if t.Entries == 0 {
		return ""
	}
	text := views.Count(t.Entries)
	switch section {
	case care.SectionProblems, care.SectionMedications:
		text += " current"
	case care.SectionResults:
		text = views.Counted(t.Entries, "test") + ", outside their range first"
	case care.SectionEncounters:
		text += ", the latest first"
	default:
	}
	if t.New > 0 {
		text += " · " + views.Count(t.New) + " new"
	}
	return text
}

// newsOf says what is new in a section.
func newsOf(path, one string, section care.HealthSection, t db.HealthTally) []views.HealthNews {
	var out []views.HealthNews
	add := func(n int, only, text string) {
		if n > 0 {
			out = append(out, views.HealthNews{Text: text, URL: path + "?only=" + only})
		}
	}
	add(t.New, "new", views.Counted(t.New, "new "+one))
	add(t.Changed, "changed", views.Counted(t.Changed, one)+" "+changedWord(section))
	add(t.Gone, "gone", views.Counted(t.Gone, one)+" no longer in it")
	return out
}

func changedWord(section care.HealthSection) string {
	switch section {
	case care.SectionMedications:
		return "with a new fill or another status"
	case care.SectionResults, care.SectionVitals:
		return "with a new value"
	case care.SectionImmunizations:
		return "with a new dose"
	default:
		return "changed"
	}
}

// alerts are the allergies for the head of the page.
func (w wording) alerts(now, denied []db.HealthEntry, all int) []views.HealthAlert {
	var out []views.HealthAlert
	for i, e := range now {
		if i == mostAlerts {
			out = append(out, views.HealthAlert{Text: fmt.Sprintf("%d more allergies below", all-mostAlerts), Tone: "none"})
			break
		}
		text := e.Best.Words
		if len(e.Best.Reactions) > 0 {
			text += ": " + strings.Join(e.Best.Reactions[:min(2, len(e.Best.Reactions))], ", ")
		}
		out = append(out, views.HealthAlert{Text: text, Help: "Allergy, said by " + sourceNames(e)})
	}
	if len(out) > 0 {
		return out
	}
	for _, e := range denied {
		out = append(out, views.HealthAlert{Text: w.denied(e, false), Tone: "none"})
	}
	if len(out) == 0 {
		out = []views.HealthAlert{{Text: "No allergies recorded", Tone: "none", Help: "Nobody said whether there are any. That is not the same as no known allergies."}}
	}
	return out
}

// denied is an explicit "no known …", and who said it when. beside says that there are such things all the same.
func (w wording) denied(e db.HealthEntry, beside bool) string {
	text := e.Best.Words + ", said by " + sourceNames(e)
	if day := w.day(firstOf(e.Best.At, sentDay(e.Best.Sent))); day != "" {
		text += " on " + day
	}
	if beside {
		text += ". It does not fit what is listed here."
	}
	return text
}

// sourceNames are the exchanges that say something, in words.
func sourceNames(e db.HealthEntry) string {
	var names []string
	unnamed := false
	for _, code := range e.Exchanges {
		if code == "" {
			unnamed = true
			continue
		}
		names = append(names, care.ExchangeName(code))
	}
	if len(names) == 0 {
		return "a source that does not say which it is"
	}
	text := strings.Join(names, ", ")
	if unnamed {
		text += ", and another that does not say which it is"
	}
	return text
}

// sourceWords is who says something, in the fewest words.
func sourceWords(e db.HealthEntry) string {
	if n := len(e.Exchanges); n > 1 {
		return fmt.Sprintf("%d sources", n)
	}
	return oneSource(e.Best)
}

// oneSource is the exchange that says something; where none is named, the stored file.
func oneSource(s care.Said) string {
	if s.Exchange == "" {
		return "stored file"
	}
	return care.ExchangeName(s.Exchange)
}

// sentDay is the day on which a file was sent, by its place in the order of files.
func sentDay(sent string) string {
	number, _, _ := strings.Cut(sent, " ")
	ms, err := strconv.ParseInt(number, 10, 64)
	if err != nil || ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format(time.RFC3339)
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// day is a FHIR dateTime as a day: an instant by the practice's zone, a day, month or year as it was sent.
func (w wording) day(text string) string {
	t := fhir.ParseTime(text)
	switch {
	case t.IsZero():
		return ""
	case t.Precision == fhir.Instant:
		return w.At(t.Time).Date()
	case t.Precision == fhir.Day:
		return w.Day(t.Time).Date()
	case t.Precision == fhir.Month:
		return t.Format("Jan 2006")
	default:
		return t.Format("2006")
	}
}

// full is a FHIR dateTime with all that is known of it.
func (w wording) full(text string) string {
	t := fhir.ParseTime(text)
	switch {
	case t.IsZero():
		return ""
	case t.Precision == fhir.Instant:
		return w.At(t.Time).Full()
	case t.Precision == fhir.Day:
		return w.Day(t.Time).Full()
	default:
		return w.day(text)
	}
}

// healthRow puts an entry into words.
func (w wording) healthRow(patient, section string, e db.HealthEntry, refs db.HealthRefs) views.HealthRow {
	b := e.Best
	r := views.HealthRow{
		ID: "h-" + e.Ref, Name: orMissing(b.Words, "Not named"), When: w.day(e.Latest()), WhenFull: w.full(e.Latest()),
		Source: sourceWords(e), SourceHelp: "Said by " + sourceNames(e), File: views.FilePreview(b.File),
	}
	if day := w.day(sentDay(b.Sent)); day != "" {
		r.SourceHelp += "; opens the stored file of " + day
	}
	history := views.HealthPath(patient, section) + "/" + e.Ref
	line := func(parts ...string) {
		if text := joined(" · ", parts...); text != "" {
			r.Lines = append(r.Lines, text)
		}
	}
	switch e.Section {
	case care.SectionAllergies:
		r.When, r.WhenFull = w.day(b.At), w.full(b.At)
		w.allergyRow(&r, e, line)
	case care.SectionProblems:
		r.When, r.WhenFull = w.day(b.At), w.full(b.At) // an onset stands with the words
		w.problemRow(&r, e, line)
	case care.SectionMedications:
		w.medicationRow(&r, e, history, line)
	case care.SectionResults, care.SectionVitals:
		r.Name, r.NameFull = testName(r.Name)
		if e.Section == care.SectionResults && b.Words == codeAlone(b.Code) {
			r.After = "LOINC, its name not sent"
		}
		w.resultRow(&r, e, history, line)
	case care.SectionImmunizations:
		w.doses(&r, e, "dose", history)
	case care.SectionProcedures:
		line(b.Code, unusual(b.Status))
		w.doses(&r, e, "time", history)
	case care.SectionEncounters:
		w.visitRow(&r, e, line)
	case care.SectionCareTeam:
		line(b.Kind, b.Who.Phone)
		line(numbered("NPI ", b.Who.NPI), b.Who.Address, until(w.day(b.Until)))
	case care.SectionCoverage:
		line(b.Plan, b.Kind, numbered("member ", b.Member))
		line(unusual(b.Status), until(w.day(b.Until)), b.Who.Phone)
	}
	if words := othersWords(e); words != "" {
		line(words)
	}
	r.Flags = append(r.Flags, newsFlags(e, refs, w)...)
	return r
}

// othersWords are other words for the same thing.
func othersWords(e db.HealthEntry) string {
	switch e.Section {
	case care.SectionProblems, care.SectionAllergies, care.SectionImmunizations, care.SectionMedications:
	default:
		return ""
	}
	var out []string
	for _, words := range e.Also {
		same := func(o string) bool { return care.PlainWords(o) == care.PlainWords(words) }
		if !same(e.Best.Words) && !slices.ContainsFunc(out, same) {
			out = append(out, words)
		}
	}
	if len(out) == 0 {
		return ""
	}
	return "also written as " + strings.Join(out[:min(len(out), 3)], "; ")
}

// newsFlags mark what the last file added or no longer has.
func newsFlags(e db.HealthEntry, refs db.HealthRefs, w wording) []views.Flag {
	base := "the file of " + w.At(refs.BaseAt).Date()
	last := "the file of " + w.At(refs.LastAt).Date()
	switch e.News {
	case db.NewsNew:
		return []views.Flag{{Text: "new", Tone: "news", Help: "In " + last + ", and not in " + base}}
	case db.NewsChanged:
		text := map[care.HealthSection]string{
			care.SectionMedications: "changed", care.SectionResults: "new value", care.SectionVitals: "new value", care.SectionImmunizations: "new dose",
		}[e.Section]
		return []views.Flag{{Text: orMissing(text, "changed"), Tone: "news", Help: "In " + last + " it is not as it was in " + base}}
	case db.NewsGone:
		return []views.Flag{{Text: "not in the last file", Tone: "plain", Help: "In " + base + ", and no longer in " + last}}
	default:
		return nil
	}
}

func until(day string) string {
	if day == "" {
		return ""
	}
	return "until " + day
}

// unusual is a status that is worth a word.
func unusual(status string) string {
	switch status {
	case "", "active", "completed", "finished", "final", "unknown":
		return ""
	default:
		return strings.ReplaceAll(status, "-", " ")
	}
}

func (w wording) allergyRow(r *views.HealthRow, e db.HealthEntry, line func(...string)) {
	b := e.Best
	if b.Critical == "high" {
		r.Flags = append(r.Flags, views.Flag{Text: "high criticality", Tone: "crit", Help: "A reaction could be life-threatening, the source says"})
	} else if b.Severity == "severe" {
		r.Flags = append(r.Flags, views.Flag{Text: "severe", Tone: "crit", Help: "The gravest reaction that was recorded"})
	}
	severity := ""
	if b.Severity != "" && (b.Severity != "severe" || b.Critical == "high") {
		severity = b.Severity
	}
	reactions := strings.Join(b.Reactions, ", ")
	if reactions == "" {
		reactions = "reaction not recorded"
	}
	line(reactions, severity, since(w.since(b.Since)), unusual(b.Status))
}

func since(text string) string {
	if text == "" {
		return ""
	}
	return "since " + text
}

// since is an onset: a date as a day, or words as they are.
func (w wording) since(text string) string {
	if day := w.day(text); day != "" {
		return day
	}
	return text
}

func (w wording) problemRow(r *views.HealthRow, e db.HealthEntry, line func(...string)) {
	b := e.Best
	if b.Unproved {
		r.Flags = append(r.Flags, views.Flag{Text: "not confirmed", Tone: "plain", Help: "The source calls it provisional, or one of several that it may be"})
	}
	end := ""
	if day := w.day(b.Until); day != "" && care.Over(b.Status) {
		end = "until " + day
	}
	code := b.Code
	if b.Words == codeAlone(code) { // the laboratory network sends no more
		r.Name, r.After, code = code, "its words not sent", ""
	}
	line(since(w.since(b.Since)), end, unusual(b.Status), code)
}

// codeAlone is a quoted code without its system: "I10" of "ICD-10 I10".
func codeAlone(quoted string) string {
	_, code, _ := strings.Cut(quoted, " ")
	return code
}

func (w wording) visitRow(r *views.HealthRow, e db.HealthEntry, line func(...string)) {
	b := e.Best
	kind := b.Kind
	if kind == "ambulatory" { // the sender also says so of what it does not know
		kind = "ambulatory or unknown"
	}
	r.Name = orMissing(firstOf(b.Where, b.Words), "Place not sent")
	if len(b.Reasons) > 0 {
		line(strings.Join(b.Reasons, "; "))
	}
	words := b.Words
	if words == r.Name {
		words = ""
	}
	by := ""
	if len(b.People) > 0 {
		by = "seen by " + strings.Join(b.People, ", ")
	}
	line(kind, words, by, unusual(b.Status))
	if end := w.day(b.Until); end != "" && end != r.When {
		r.When += " – " + end
	}
}

// doses lists when something was done.
func (w wording) doses(r *views.HealthRow, e db.HealthEntry, noun, history string) {
	if e.N < 2 {
		if e.Best.Dose != "" {
			r.Lines = append(r.Lines, "dose "+e.Best.Dose)
		}
		return
	}
	r.MoreWord = views.Counted(e.N, noun)
	for _, s := range e.Recent[:min(len(e.Recent), mostShort)] {
		text := orMissing(w.day(s.At), "date not sent")
		if s.Dose != "" {
			text += " · dose " + s.Dose
		}
		r.More = append(r.More, text)
	}
	if e.N > mostShort {
		r.MoreAll = history
	}
}

// medicationRow is one drug: how it is taken, its last fill, who ordered it.
func (w wording) medicationRow(r *views.HealthRow, e db.HealthEntry, history string, line func(...string)) {
	var fill *care.Fill
	var last care.Said
	if len(e.Recent) > 0 {
		last = e.Recent[0]
		fill = last.Fill
	}
	doses := []string{}
	for _, s := range []*care.Said{e.Taken, e.Ordered, &last} {
		if s != nil && s.Dose != "" {
			doses = append(doses, s.Dose)
		}
	}
	if len(doses) > 0 {
		line(strings.ReplaceAll(doses[0], "\n", "; "))
	}
	var more []string
	if fill != nil {
		if out, err := time.Parse(time.DateOnly, fill.RunsOut()); err == nil && !w.Now.Before(dayStart(out, w.Zone)) {
			r.Flags = append(r.Flags, views.Flag{Text: "ran out " + w.Day(out).Date(), Tone: "warn", Help: "Computed from the day of the last fill and the days’ supply. Whether it was taken as written, or filled elsewhere, is not known"})
		}
		if fill.Status == "" || fill.Status == "completed" {
			line("filled "+orMissing(w.day(last.At), "on a day that was not sent"), fill.Quantity, w.supply(*fill), numbered("fill ", fill.Number), schedule(fill.Schedule))
		} else {
			line(fill.Status+" at the pharmacy", w.day(last.At), fill.Quantity)
		}
		more = append(more, joined(" · ", contactWords("prescribed by ", fill.Prescriber), numbered("NPI ", fill.Prescriber.NPI)), joined(" · ", contactWords("at ", fill.Pharmacy), fill.Pharmacy.Address))
	}
	line(w.ordered(e), w.taken(e))
	if o := e.Ordered; o != nil && (fill == nil || o.By.Name != fill.Prescriber.Name) {
		if fill == nil {
			line(contactWords("ordered by ", o.By))
		} else {
			more = append(more, contactWords("ordered by ", o.By))
		}
	}
	r.More = slices.DeleteFunc(more, func(m string) bool { return m == "" })
	for _, s := range e.Recent[:min(len(e.Recent), mostShort)] {
		if s.Fill != nil {
			r.More = append(r.More, joined(" · ", "filled "+orMissing(w.day(s.At), "on a day that was not sent"), s.Fill.Quantity, daysWords(s.Fill.DaysSupply), numbered("fill ", s.Fill.Number), s.Fill.Pharmacy.Name))
		}
	}
	if r.MoreWord = views.Counted(e.N, "fill"); len(more) > 0 {
		r.MoreWord += ", prescriber and pharmacy"
	}
	if e.N > mostShort {
		r.MoreAll = history
	}
}

// ordered is when a drug was last ordered, as far as that was told.
func (w wording) ordered(e db.HealthEntry) string {
	if e.Ordered == nil {
		return ""
	}
	return joined(", ", joined(" ", "ordered", w.day(e.Ordered.At)), unusual(e.Ordered.Status))
}

// taken is when a list of the drugs taken last named this one.
func (w wording) taken(e db.HealthEntry) string {
	if e.Taken == nil {
		return ""
	}
	return joined(", ", joined(" ", "on a medication list", w.day(e.Taken.At)), unusual(e.Taken.Status))
}

// dayStart is when a day begins in the practice's zone.
func dayStart(day time.Time, zone *time.Location) time.Time {
	return time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, zone)
}

func daysWords(days string) string {
	switch days {
	case "":
		return ""
	case "1":
		return "1 day"
	default:
		return days + " days"
	}
}

// contactWords is somebody with the number to call.
func contactWords(before string, c care.Contact) string {
	if c.Name == "" {
		return ""
	}
	return joined(" ", before+c.Name, c.Phone)
}

// resultRow is one test, or one vital sign: the newest value, the one before, and the trend.
func (w wording) resultRow(r *views.HealthRow, e db.HealthEntry, history string, line func(...string)) {
	b := e.Best
	if b.Result == nil {
		return
	}
	v := w.valueOf(b)
	r.Value, r.Unit, r.Text = v.value, v.unit, v.text
	r.Flags = append(r.Flags, v.flags...)
	before := ""
	for _, s := range e.Recent {
		if s.At < b.At && s.Result != nil && s.Result.Value != "" && !pointsAtNote(*s.Result) && len(s.Result.Value) < 20 {
			value := w.valueOf(s)
			before = joined(" ", "was", value.value, otherUnit(value.unit, r.Unit), "on", w.day(s.At))
			break
		}
	}
	line(v.rangeWords, before)
	if p := b.Panel; p != nil {
		name, _ := testName(p.Name)
		if strings.EqualFold(name, r.Name) {
			name = ""
		}
		line(name, p.Specimen, orderedBy(p.OrderedBy), p.Laboratory)
		r.More = reportWords(*p, v.text)
	}
	r.Trend = w.trend(e)
	if e.N > 1 {
		r.MoreWord, r.MoreAll = views.Counted(e.N, "value"), history
	}
	switch {
	case len(r.More) == 0:
	case r.MoreWord == "":
		r.MoreWord = "Site and comments"
	default:
		r.MoreWord += ", site and comments"
	}
}

// reportWords is what a report says beside its results: where it was ordered, and its own texts, but for those that are
// shown already.
func reportWords(p care.Panel, shown string) []string {
	var out []string
	for _, text := range append([]string{joined(" · ", contactWords("ordered at ", p.Site), p.Site.Address), p.Conclusion, p.Text}, p.Notes...) {
		if text != "" && !strings.Contains(shown, text) && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

func otherUnit(unit, usual string) string {
	if unit == usual {
		return ""
	}
	return unit
}

func orderedBy(c care.Contact) string {
	if c.Name == "" {
		return ""
	}
	return joined(" ", "ordered by", c.Name, c.Phone, numbered("NPI ", c.NPI))
}

// value is a measured value in words.
type value struct {
	value, unit, text, rangeWords string
	flags                         []views.Flag
}

// valueOf puts a value into words. Where it only points at a note, the note stands in its place.
func (w wording) valueOf(s care.Said) value {
	r := *s.Result
	var v value
	notes := strings.TrimSpace(strings.Join(r.Notes, "\n"))
	switch {
	case r.NotPerformed:
		v.flags = append(v.flags, views.Flag{Text: "not performed", Tone: "plain", Help: "The laboratory did not do this test"})
		v.text = firstOf(notes, r.Value)
	case pointsAtNote(r) && notes != "":
		v.text, v.flags = notes, resultFlags(r)
	case len(r.Value) > 60:
		v.text, v.flags = joined("\n", r.Value, notes), resultFlags(r)
	default:
		v.value, v.unit, v.text, v.flags = r.Value, r.Unit, notes, resultFlags(r)
	}
	if s.Second != nil {
		v.value = firstOf(v.value, "–") + "/" + s.Second.Value
		v.unit = firstOf(v.unit, s.Second.Unit)
	}
	if r := r.Range(); r != "" {
		v.rangeWords = "range " + r
	}
	statuses := []string{r.Status}
	if s.Panel != nil {
		statuses = append(statuses, s.Panel.Status)
	}
	v.flags = append(v.flags, statusFlags(statuses...)...)
	return v
}

// trend is the values of a test over time, in the unit of the newest. Of a value that the laboratory corrected, what it was
// before is left out.
func (w wording) trend(e db.HealthEntry) views.Trend {
	var t views.Trend
	b := e.Best.Result
	limit := func(text string) *float64 {
		if v, err := strconv.ParseFloat(text, 64); err == nil {
			return &v
		}
		return nil
	}
	t.Low, t.High = limit(b.Low), limit(b.High)
	for _, s := range e.Recent {
		if s.Result == nil || s.Result.Unit != b.Unit || s.At == e.Best.At && s.Result.Value != b.Value && (b.Status == "corrected" || b.Status == "amended") {
			continue
		}
		v, err := strconv.ParseFloat(s.Result.Number, 64)
		at := fhir.ParseTime(s.At)
		if err == nil && !at.IsZero() {
			t.Points = append(t.Points, views.Point{At: at.Time, Value: v})
		}
	}
	return t
}
