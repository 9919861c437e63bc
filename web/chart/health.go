package chart

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"carebell/db"
	"carebell/web/care"
	"carebell/web/fhir"
)

// HealthReader is the version of what follows: files that an earlier one read are read again.
const HealthReader = 1

// Bounds of what one file gives to the summary of a patient. Of what is cut, the newest stays.
var mostThings = map[care.HealthSection]int{
	care.SectionAllergies: 200, care.SectionMedications: 500, care.SectionProblems: 500, care.SectionResults: 800, care.SectionVitals: 60,
	care.SectionImmunizations: 300, care.SectionEncounters: 300, care.SectionProcedures: 400, care.SectionCareTeam: 60, care.SectionCoverage: 40,
}

const (
	mostOfOne  = 200  // fills, values or doses of one thing
	mostEvents = 6000 // of all things together
	leastOfOne = 4
)

// folder puts the statements of one file together: one row a thing.
type folder struct {
	rows   map[care.HealthSection]map[string]*db.HealthRow
	cut    map[care.HealthSection]bool
	events int
	limit  int // how many events of one thing stay
	pages  map[*fhir.Report]*care.Panel
	halves map[string]care.Said // blood pressures of which one number came, by their time
}

func newFolder() *folder {
	return &folder{
		rows: map[care.HealthSection]map[string]*db.HealthRow{}, cut: map[care.HealthSection]bool{}, limit: mostOfOne,
		pages: map[*fhir.Report]*care.Panel{}, halves: map[string]care.Said{},
	}
}

// done returns the rows, in order, and the sections of which not everything is in them.
func (f *folder) done() (rows []db.HealthRow, cut []care.HealthSection) {
	f.flushHalves()
	for _, section := range care.HealthSections {
		f.shrink(section, mostThings[section])
		for _, r := range f.rows[section] {
			rows = append(rows, *r)
		}
		if f.cut[section] {
			cut = append(cut, section)
		}
	}
	slices.SortFunc(rows, func(a, b db.HealthRow) int {
		return cmp.Or(cmp.Compare(a.Health.Section, b.Health.Section), cmp.Compare(a.Key(), b.Key()))
	})
	return rows, cut
}

// add takes one record of a thing. in says in which capacity a drug is told of.
func (f *folder) add(section care.HealthSection, names []string, s care.Said, exchanges []string, in func(*care.Health, *care.Said)) {
	names = slices.DeleteFunc(names, func(n string) bool { return n == "" })
	if len(names) == 0 {
		return
	}
	if len(exchanges) == 0 {
		exchanges = []string{""}
	}
	s.Exchange = exchanges[0]
	h := care.Health{Section: section, Best: s, Exchanges: slices.Sorted(slices.Values(exchanges))}
	if s.Words != "" {
		h.Also = []string{s.Words}
	}
	event := section.Counted() && in == nil
	if in != nil {
		in(&h, &s)
	}
	of := f.rows[section]
	if of == nil {
		of = map[string]*db.HealthRow{}
		f.rows[section] = of
	}
	r := of[names[0]]
	if r == nil {
		r = &db.HealthRow{Names: names, Health: h}
		of[names[0]] = r
		if most := mostThings[section]; len(of) > most+most/4 {
			f.shrink(section, mostThings[section])
		}
	} else {
		r.Health = care.Merge(r.Health, h)
		for _, n := range names[1:] {
			if len(r.Names) < mostNames && !slices.Contains(r.Names, n) {
				r.Names = append(r.Names, n)
			}
		}
		slices.Sort(r.Names[1:])
	}
	if event {
		f.event(r, s)
	}
}

const mostNames = 8

// event adds a fill, value or dose to a thing.
func (f *folder) event(r *db.HealthRow, s care.Said) {
	section := r.Health.Section
	detail, err := json.Marshal(s)
	if err != nil {
		return // it holds nothing but strings and numbers
	}
	v := db.HealthEvent{Event: s.Event(section), Detail: string(detail)}
	i, found := slices.BinarySearchFunc(r.Events, v.Event, func(e db.HealthEvent, id string) int { return -cmp.Compare(e.Event, id) })
	switch {
	case found && r.Events[i].Detail >= v.Detail:
		return
	case found:
		r.Events[i] = v
	case i >= f.limit:
		f.cut[section] = true
		return
	default:
		r.Events = slices.Insert(r.Events, i, v)
		f.events++
		f.trim(r, f.limit)
		for f.events > mostEvents && f.limit > leastOfOne {
			f.limit = max(f.limit/2, leastOfOne)
			for _, of := range f.rows {
				for _, r := range of {
					f.trim(r, f.limit)
				}
			}
		}
	}
	if i == 0 {
		r.Health.Recent = []care.Said{s}
	}
}

func (f *folder) trim(r *db.HealthRow, n int) {
	if len(r.Events) <= n {
		return
	}
	f.events -= len(r.Events) - n
	clear(r.Events[n:])
	r.Events = r.Events[:n]
	f.cut[r.Health.Section] = true
}

// shrink forgets all but the n things of a section that were last heard of.
func (f *folder) shrink(section care.HealthSection, n int) {
	of := f.rows[section]
	if len(of) <= n {
		return
	}
	f.cut[section] = true
	all := make([]*db.HealthRow, 0, len(of))
	for _, r := range of {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *db.HealthRow) int {
		pa, _ := a.Health.Place()
		pb, _ := b.Health.Place()
		return cmp.Or(cmp.Compare(pa, pb), -cmp.Compare(a.Health.Latest(), b.Health.Latest()), cmp.Compare(a.Key(), b.Key()))
	})
	for _, r := range all[n:] {
		f.events -= len(r.Events)
		delete(of, r.Key())
	}
}

// statement takes what one resource says.
func (f *folder) statement(s fhir.Statement) {
	switch s.Kind {
	case "Condition":
		f.problem(s)
	case "AllergyIntolerance":
		f.allergy(s)
	case "MedicationStatement", "MedicationRequest", "MedicationDispense":
		f.medication(s)
	case "Immunization":
		f.add(care.SectionImmunizations, names(s, care.PlainWords, fhir.CVX), dosed(s), s.Exchanges, nil)
	case "Observation":
		f.observation(s)
	case "DiagnosticReport":
		f.report(s)
	case "Encounter":
		f.visit(s)
	case "Procedure":
		said := saidOf(s)
		said.Code = quoted(s, fhir.CPT, fhir.SNOMED)
		f.add(care.SectionProcedures, names(s, care.PlainWords, fhir.CPT, fhir.SNOMED), said, s.Exchanges, nil)
	case "CareTeam", "CarePlan", "Patient":
		f.person(s)
	case "Coverage":
		f.coverage(s)
	}
}

// names are the code of a thing in the best of some systems, and its words. Of several codes one alone counts: a broad one
// beside a narrow one would make things one that are not.
func names(s fhir.Statement, words func(string) string, systems ...string) []string {
	var out []string
	for _, system := range systems {
		if code := codeOf(s, system); code != "" {
			out = append(out, system+":"+code)
			break
		}
	}
	if w := words(s.What.Text); w != "" && (len(out) == 0 || w != care.PlainWords(s.Codes[0].Code)) {
		out = append(out, "words:"+clipped(w))
	}
	return out
}

// clipped bounds a name.
func clipped(s string) string {
	const longest = 200
	if len(s) > longest {
		return strings.ToValidUTF8(s[:longest], "")
	}
	return s
}

func codeOf(s fhir.Statement, system string) string {
	for _, k := range s.Codes {
		if k.System == system {
			return strings.ToUpper(k.Code)
		}
	}
	return ""
}

// systemWords are code systems as people call them.
var systemWords = map[string]string{fhir.ICD10: "ICD-10", fhir.SNOMED: "SNOMED", fhir.CPT: "CPT", fhir.CVX: "CVX", fhir.LOINC: "LOINC", fhir.ICD9: "ICD-9"}

// quoted is the first code in one of the systems, as people quote it.
func quoted(s fhir.Statement, systems ...string) string {
	for _, system := range systems {
		if code := codeOf(s, system); code != "" {
			return systemWords[system] + " " + code
		}
	}
	return ""
}

func saidOf(s fhir.Statement) care.Said {
	out := care.Said{At: timeText(s.At), Words: s.What.Text, Status: statusWord(s.Status), Since: timeText(s.Start), Until: timeText(s.End)}
	if out.Since == "" {
		out.Since = s.StartText
	}
	return out
}

func dosed(s fhir.Statement) care.Said {
	out := saidOf(s)
	out.Dose = s.Dose
	return out
}

// snomedStatus are the codes that the converter of C-CDA puts in place of those of FHIR.
var snomedStatus = map[string]string{
	"55561003": "active", "73425007": "inactive", "413322009": "resolved", "277022003": "remission", "246455001": "recurrence", "263855007": "relapse",
}

func statusWord(status string) string {
	if word := snomedStatus[status]; word != "" {
		return word
	}
	return strings.ToLower(status)
}

func (f *folder) problem(s fhir.Statement) {
	said := saidOf(s)
	if words := care.Denial(codeOf(s, fhir.SNOMED), s.What.Text); words != "" {
		said.Words, said.Denied = words, true
		f.add(care.SectionProblems, []string{"none:" + care.PlainWords(words)}, said, s.Exchanges, nil)
		return
	}
	switch s.Verification {
	case "provisional", "differential", "unconfirmed":
		said.Unproved = true
	}
	said.Code = quoted(s, fhir.ICD10, fhir.SNOMED, fhir.ICD9)
	f.add(care.SectionProblems, names(s, care.PlainWords, fhir.ICD10, fhir.SNOMED, fhir.ICD9), said, s.Exchanges, nil)
}

func (f *folder) allergy(s fhir.Statement) {
	said := saidOf(s)
	if words := care.Denial(codeOf(s, fhir.SNOMED), s.What.Text); words != "" {
		said.Words, said.Denied = words, true
		f.add(care.SectionAllergies, []string{"none:" + care.PlainWords(words)}, said, s.Exchanges, nil)
		return
	}
	said.Reactions, said.Severity = s.Reactions, s.Severity
	if s.Criticality != "unable-to-assess" {
		said.Critical = s.Criticality
	}
	f.add(care.SectionAllergies, names(s, care.SubstanceWords, fhir.RxNorm, fhir.SNOMED, fhir.UNII), said, s.Exchanges, nil)
}

// medication is a drug that was ordered, is taken or was filled: one line for all of them.
func (f *folder) medication(s fhir.Statement) {
	said := dosed(s)
	if words := care.Denial(codeOf(s, fhir.SNOMED), s.What.Text); words != "" {
		said.Words, said.Denied = words, true
		f.add(care.SectionMedications, []string{"none:" + care.PlainWords(words)}, said, s.Exchanges, func(*care.Health, *care.Said) {})
		return
	}
	words := care.DrugWords(s.What.Text)
	var as []string
	if code := codeOf(s, fhir.RxNorm); code != "" { // that of a substance fits any strength
		as = append(as, "rxnorm:"+code+" "+clipped(care.Strength(words)))
	}
	if words != "" {
		as = append(as, "words:"+clipped(words))
	}
	if code := codeOf(s, fhir.NDC); code != "" {
		as = append(as, "ndc:"+ndc(code))
	}
	switch {
	case s.Fill != nil:
		fill := fillOf(*s.Fill)
		fill.Drug, fill.Code, fill.Dosage, fill.Exchange = "", "", "", "" // said already
		said.Fill, said.Status = &fill, fill.Status
		f.add(care.SectionMedications, as, said, s.Exchanges, nil)
	case s.Order != nil:
		said.By = contact(s.Order.Prescriber)
		if slices.ContainsFunc(s.Exchanges, func(e string) bool { return strings.EqualFold(e, "SURESCRIPTS") }) {
			said.Status = "" // it says completed of all of them
		}
		f.add(care.SectionMedications, as, said, s.Exchanges, func(h *care.Health, s *care.Said) { h.Ordered = s })
	default:
		f.add(care.SectionMedications, as, said, s.Exchanges, func(h *care.Health, s *care.Said) { h.Taken = s })
	}
}

// ndc is a National Drug Code in the form of 11 digits: 0093-1048-01 is 00093104801.
func ndc(code string) string {
	parts := strings.Split(code, "-")
	if len(parts) != 3 {
		return code
	}
	pad := func(s string, n int) string { return strings.Repeat("0", max(0, n-len(s))) + s }
	return pad(parts[0], 5) + pad(parts[1], 4) + pad(parts[2], 2)
}

// visit is an encounter. What two exchanges tell of one visit lies on the same day at the same place.
func (f *folder) visit(s fhir.Statement) {
	e := s.Visit
	said := saidOf(s)
	said.Where, said.Reasons = e.Facility, e.Reasons
	if e.Class.Word != "unknown" {
		said.Kind = e.Class.Word
	}
	for _, d := range e.Diagnoses {
		if d.Text != "" && !slices.Contains(said.Reasons, d.Text) && len(said.Reasons) < 5 {
			said.Reasons = append(said.Reasons, d.Text)
		}
	}
	if e.Attending != "" {
		said.People = []string{e.Attending}
	}
	place := cmp.Or(care.PlainWords(e.Facility), care.PlainWords(s.What.Text), said.Kind)
	f.add(care.SectionEncounters, []string{"visit:" + said.Day() + " " + clipped(place)}, said, s.Exchanges, nil)
}

func (f *folder) person(s fhir.Statement) {
	said := saidOf(s)
	said.Who, said.Kind, said.Words = contact(s.Who), s.Role, s.Who.Name
	var as []string
	if s.Who.NPI != "" {
		as = append(as, "npi:"+s.Who.NPI)
	}
	f.add(care.SectionCareTeam, append(as, "words:"+clipped(care.PlainWords(s.Who.Name))), said, s.Exchanges, nil)
}

func (f *folder) coverage(s fhir.Statement) {
	said := saidOf(s)
	said.Who, said.Kind, said.Member, said.Plan = contact(s.Who), s.What.Text, s.Member, s.Plan
	said.Words = cmp.Or(s.Who.Name, s.Plan, s.What.Text)
	f.add(care.SectionCoverage, []string{"words:" + clipped(care.PlainWords(said.Words)) + " " + clipped(s.Member)}, said, s.Exchanges, nil)
}
