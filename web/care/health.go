package care

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
)

// HealthSection is one part of the summary of a patient: what a person looks for before a call.
type HealthSection string

// The sections.
const (
	SectionAllergies     HealthSection = "allergy"
	SectionMedications   HealthSection = "medication"
	SectionProblems      HealthSection = "problem"
	SectionResults       HealthSection = "result"
	SectionVitals        HealthSection = "vital"
	SectionImmunizations HealthSection = "immunization"
	SectionEncounters    HealthSection = "encounter"
	SectionProcedures    HealthSection = "procedure"
	SectionCareTeam      HealthSection = "careteam"
	SectionCoverage      HealthSection = "coverage"
)

// HealthSections lists them in the order in which people read them.
var HealthSections = []HealthSection{
	SectionAllergies, SectionMedications, SectionProblems, SectionResults, SectionVitals, SectionImmunizations,
	SectionEncounters, SectionProcedures, SectionCareTeam, SectionCoverage,
}

// Counted says whether a section counts and keeps single events: fills, values, doses.
func (s HealthSection) Counted() bool {
	switch s {
	case SectionMedications, SectionResults, SectionVitals, SectionImmunizations, SectionProcedures:
		return true
	default:
		return false
	}
}

// Said is what one record says of one thing. Empty means not sent. The json form is what the database holds.
type Said struct {
	File      int64    `json:"file,omitempty"`      // id of the download that holds the record
	Sent      string   `json:"sent,omitempty"`      // when the message with the file was sent and its id, to be compared as text
	Whole     bool     `json:"whole,omitempty"`     // the file is the whole record, not narrowed to a part of it
	At        string   `json:"at,omitempty"`        // FHIR dateTime: when it was recorded, ordered, taken, filled, given, measured, done
	Exchange  string   `json:"exchange,omitempty"`  // code of the first exchange or network; see [ExchangeName]
	Words     string   `json:"words,omitempty"`     // the thing
	Code      string   `json:"code,omitempty"`      // as people quote it: "ICD-10 I10"
	Status    string   `json:"status,omitempty"`    // in the words of FHIR
	Since     string   `json:"since,omitempty"`     // FHIR dateTime, or words
	Until     string   `json:"until,omitempty"`     // FHIR dateTime
	Unproved  bool     `json:"unproved,omitempty"`  // a problem that was called provisional, differential or unconfirmed
	Reactions []string `json:"reactions,omitempty"` // of an allergy
	Severity  string   `json:"severity,omitempty"`  // severe, moderate, mild
	Critical  string   `json:"critical,omitempty"`  // criticality: high, low
	Denied    bool     `json:"denied,omitempty"`    // an explicit "no known …"
	Dose      string   `json:"dose,omitempty"`      // how a drug is taken; the number of a dose

	Fill    *Fill    `json:"fill,omitempty"`
	By      Contact  `json:"by,omitzero"`      // who ordered it
	Result  *Result  `json:"result,omitempty"` // a value, without At
	Panel   *Panel   `json:"panel,omitempty"`  // of a result, without Results and Collected
	Second  *Result  `json:"second,omitempty"` // of a blood pressure the diastolic one
	Where   string   `json:"where,omitempty"`  // facility of a visit
	Kind    string   `json:"kind,omitempty"`   // class of a visit, role of a person, type of a coverage
	Reasons []string `json:"reasons,omitempty"`
	People  []string `json:"people,omitempty"`
	Who     Contact  `json:"who,omitzero"`
	Member  string   `json:"member,omitempty"`
	Plan    string   `json:"plan,omitempty"`
}

// FileRef is a stored file with its place in the order of files.
type FileRef struct {
	File int64  `json:"file"`
	Sent string `json:"sent"`
}

// Compare orders files: the one that was sent first first.
func (r FileRef) Compare(o FileRef) int {
	return cmp.Or(strings.Compare(r.Sent, o.Sent), cmp.Compare(r.File, o.File))
}

// Health is all that is said of one thing: by one file, or by all of them. Two of the same thing are put together by
// [Merge], in any order and any number of times.
type Health struct {
	Section   HealthSection `json:"-"`
	Best      Said          `json:"best"`                // what is shown
	Also      []string      `json:"also,omitempty"`      // other words for it, sorted
	Exchanges []string      `json:"exchanges,omitempty"` // codes, sorted; "" stands for a source that does not say which it is
	Ordered   *Said         `json:"ordered,omitempty"`   // of a drug: the latest order
	Taken     *Said         `json:"taken,omitempty"`     // and the latest statement that it is taken; fills are in Recent
	Recent    []Said        `json:"recent,omitempty"`    // the newest fills, values, doses: the newest first
	First     FileRef       `json:"first"`
	Last      FileRef       `json:"last"`
}

// Bounds of an entry. Of what is cut, the first by order stays, so that it does not matter in which order it came.
const (
	mostAlso      = 6
	mostExchanges = 12
	// MostRecent is how many single events an entry keeps; all of them are rows of their own.
	MostRecent = 16
)

// Merge puts together what two files, or two records of one file, say of the same thing.
func Merge(a, b Health) Health {
	out := Health{Section: a.Section}
	out.Best = better(a.Section, a.Best, b.Best)
	out.Ordered, out.Taken = newer(a.Ordered, b.Ordered), newer(a.Taken, b.Taken)
	out.Exchanges = smallest(mostExchanges, a.Exchanges, b.Exchanges)
	out.Also = smallest(mostAlso, a.Also, b.Also)
	out.First, out.Last = a.First, a.Last
	if b.First.Compare(a.First) < 0 {
		out.First = b.First
	}
	if b.Last.Compare(a.Last) > 0 {
		out.Last = b.Last
	}
	out.Recent = recent(a.Section, a.Recent, b.Recent)
	return out
}

// smallest is the union of sorted lists, cut to the n smallest.
func smallest(n int, lists ...[]string) []string {
	out := slices.Concat(lists...)
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), n):min(len(out), n)]
}

// recent is the newest events of both, each once.
func recent(section HealthSection, a, b []Said) []Said {
	if len(a) == 0 && len(b) == 0 {
		return nil
	}
	out := slices.Concat(a, b)
	slices.SortFunc(out, func(x, y Said) int {
		return cmp.Or(-strings.Compare(x.Event(section), y.Event(section)), -later(x, y))
	})
	out = slices.CompactFunc(out, func(x, y Said) bool { return x.Event(section) == y.Event(section) })
	return out[:min(len(out), MostRecent):min(len(out), MostRecent)]
}

// Event tells one fill, value or dose of a thing from the others: two records with the same one tell of the same event,
// of two the greater is the newer.
func (s Said) Event(section HealthSection) string {
	switch section {
	case SectionMedications, SectionImmunizations, SectionProcedures: // one a day
		return s.Day()
	case SectionResults, SectionVitals:
		out := s.At
		for _, r := range []*Result{s.Result, s.Second} {
			if r != nil {
				out += "\x1f" + r.Value + " " + r.Unit
			}
		}
		return out
	default:
		return s.At
	}
}

// Day is the day of At as it was sent; "" where it was not.
func (s Said) Day() string {
	if len(s.At) < len("2006-01-02") {
		return s.At
	}
	return s.At[:len("2006-01-02")]
}

// compareTimes orders FHIR times; one that is not known is the oldest. Less exact ones lie at their beginning.
func compareTimes(a, b string) int { return strings.Compare(a, b) }

// later orders two records of one event: by when they were sent, then by what they say, so that the order in which they
// came does not count.
func later(a, b Said) int {
	if c := strings.Compare(a.Sent, b.Sent); c != 0 {
		return c
	}
	return cmp.Or(strings.Compare(a.content(), b.content()), cmp.Compare(b.File, a.File))
}

// Later is the one of two records of the same event that is believed.
func Later(a, b Said) Said {
	if later(a, b) < 0 {
		return b
	}
	return a
}

// content is all that is said, without where.
func (s Said) content() string {
	s.File = 0
	out, err := json.Marshal(s)
	if err != nil {
		return ""
	}
	return string(out)
}

// newer is the later of two records; nil where there is none.
func newer(a, b *Said) *Said {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case cmp.Or(compareTimes(a.At, b.At), later(*a, *b)) < 0:
		return b
	default:
		return a
	}
}

// better says which of two records of one thing is shown.
//
// Of problems and allergies it is that of the newest whole record: it holds what is known by then. Within one record, and
// between records that were narrowed to a part, it is the one that was recorded last; of equals, one that says that the
// problem is there, as hiding it would be worse. Of everything else it is the latest.
func better(section HealthSection, a, b Said) Said {
	var c int
	switch section {
	case SectionProblems, SectionAllergies:
		whole := func(s Said) string {
			if s.Whole {
				return s.Sent
			}
			return ""
		}
		c = cmp.Or(strings.Compare(whole(a), whole(b)), compareTimes(a.recorded(), b.recorded()), cmp.Compare(open(a), open(b)), later(a, b))
	default:
		c = cmp.Or(compareTimes(a.At, b.At), later(a, b))
	}
	if c < 0 {
		return b
	}
	return a
}

// recorded is when it was known that a problem is as it is said to be: its onset says that it is there, and not when it
// ended.
func (s Said) recorded() string {
	latest := s.At
	if compareTimes(s.Until, latest) > 0 {
		latest = s.Until
	}
	if s.Since != "" && len(s.Since) >= 4 && s.Since[0] >= '0' && s.Since[0] <= '9' && open(s) > 0 && compareTimes(s.Since, latest) > 0 {
		latest = s.Since
	}
	return latest
}

// open is 1 where a problem or an allergy is not known to be over.
func open(s Said) int {
	if Over(s.Status) {
		return 0
	}
	return 1
}

// Over says whether a status means that a problem, an allergy or a drug belongs to the past.
func Over(status string) bool {
	switch status {
	case "resolved", "inactive", "remission", "completed", "stopped", "cancelled", "not-taken", "entered-in-error", "ended":
		return true
	default:
		return false
	}
}

// Parts of a section, as [Health.Place] gives them.
const (
	PartCurrent = 0 // shown
	PartPast    = 1 // folded away: resolved, stopped
	PartDenied  = 2 // an explicit "no known …"
)

// Place is where an entry stands in its section: in which part, and at which rank within it, the smallest first. Of equal
// ranks, the latest comes first.
func (h Health) Place() (part, rank int) {
	switch h.Section {
	case SectionAllergies:
		if h.Best.Denied {
			return PartDenied, 0
		}
		if Over(h.Best.Status) {
			return PartPast, 0
		}
		return PartCurrent, gravity(h.Best)
	case SectionProblems:
		if h.Best.Denied {
			return PartDenied, 0
		}
		if Over(h.Best.Status) {
			return PartPast, 0
		}
	case SectionMedications:
		if h.Best.Denied {
			return PartDenied, 0
		}
		if h.past() {
			return PartPast, 0
		}
	case SectionResults:
		if r := h.Best.Result; r != nil {
			return PartCurrent, 2 - r.Severity()
		}
		return PartCurrent, 2
	}
	return PartCurrent, 0
}

// gravity orders allergies: the gravest first.
func gravity(s Said) int {
	switch {
	case s.Critical == "high", s.Severity == "severe":
		return 0
	case s.Severity == "moderate":
		return 1
	default:
		return 2
	}
}

// past says whether the last that was said of a drug is that it is taken no more. A fill after that says otherwise; that
// an order of the pharmacy network is completed says nothing, as all of them are.
func (h Health) past() bool {
	over := (*Said)(nil)
	for _, s := range []*Said{h.Ordered, h.Taken} {
		if s == nil {
			continue
		}
		if !Over(s.Status) {
			return false
		}
		over = newer(over, s)
	}
	return over != nil && (len(h.Recent) == 0 || compareTimes(h.Recent[0].At, over.At) < 0)
}

// Latest is when the last thing was said to be: what a section is sorted by.
func (h Health) Latest() string {
	latest := h.Best.At
	for _, s := range []*Said{h.Ordered, h.Taken} {
		if s != nil && compareTimes(s.At, latest) > 0 {
			latest = s.At
		}
	}
	if latest == "" && len(h.Best.Since) > 0 && h.Best.Since[0] >= '0' && h.Best.Since[0] <= '9' {
		latest = h.Best.Since
	}
	return latest
}

// State is what is compared to see whether a later file says something else of a thing: its status, and the date of its
// newest event.
func (h Health) State() string {
	out := h.Best.Status
	if h.Section.Counted() && len(h.Recent) > 0 {
		out += " " + h.Recent[0].Event(h.Section)
	}
	return out
}

// Short is the newest events of an entry with no more than a row shows of each.
func (h Health) Short() []Said {
	out := make([]Said, len(h.Recent))
	for i, s := range h.Recent {
		short := Said{File: s.File, At: s.At, Exchange: s.Exchange}
		if s.Result != nil {
			short.Result = s.Result.short()
		}
		if s.Second != nil {
			short.Second = s.Second.short()
		}
		if s.Fill != nil && i == 0 { // of the newest all is shown
			short.Fill, short.Dose = s.Fill, s.Dose
		} else if s.Fill != nil {
			short.Fill = &Fill{Quantity: s.Fill.Quantity, DaysSupply: s.Fill.DaysSupply, Filled: s.Fill.Filled, Number: s.Fill.Number, Status: s.Fill.Status,
				Pharmacy: Contact{Name: s.Fill.Pharmacy.Name}}
		}
		if h.Section == SectionImmunizations {
			short.Dose = s.Dose
		}
		out[i] = short
	}
	return out
}

func (r Result) short() *Result {
	return &Result{Value: r.Value, Unit: r.Unit, Number: r.Number, Flag: r.Flag, Status: r.Status}
}

// Narrowed says whether the filters of a consolidated query leave out a part of the record.
func Narrowed(filters []Pair) bool {
	for _, f := range filters {
		switch f.Name {
		case "resources", "dateFrom", "dateTo":
			if v := strings.ToLower(strings.TrimSpace(f.Value)); v != "" && v != "false" && v != "all" {
				return true
			}
		}
	}
	return false
}
