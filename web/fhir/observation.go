package fhir

import (
	"slices"
	"strings"
)

// Observation is one result. Source: FHIR R4 Observation.
type Observation struct {
	ID     string  `json:"id,omitempty"`
	Status string  `json:"status,omitempty"` // preliminary, final, corrected, amended, entered-in-error, …
	Code   Concept `json:"code,omitzero"`    // what was measured; LOINC before other codes
	Measured
	NotPerformed bool        `json:"notPerformed,omitzero"` // status cancelled, or the value or a note says so: see notPerformed
	Category     string      `json:"category,omitempty"`    // category code: laboratory, vital-signs, …
	Effective    Time        `json:"effective,omitzero"`    // effectiveDateTime, effectiveInstant, else effectivePeriod.start
	Issued       Time        `json:"issued,omitzero"`
	Notes        []string    `json:"notes,omitempty"`        // note[].text
	Components   []Component `json:"components,omitempty"`   // in the order sent: systolic, diastolic
	EncounterID  string      `json:"encounterId,omitempty"`  // encounter
	OtherSubject string      `json:"otherSubject,omitempty"` // id of the subject where it is not Facts.Patient
	Exchange     string      `json:"exchange,omitempty"`     // code of the exchange or network it comes from, as sent (data-source.json)
}

// Component is one part of an observation, such as the systolic pressure. Source: FHIR R4 Observation.component.
type Component struct {
	Code Concept `json:"code,omitzero"`
	Measured
}

// Measured is a value with what it is judged by.
type Measured struct {
	// Kind is which value[x] was sent: quantity, text, code, boolean, integer, range, ratio, time, period, samples; or
	// "absent" where only a dataAbsentReason was, and "" where neither was.
	Kind  string `json:"kind,omitempty"`
	Value string `json:"value,omitempty"` // in words, without the unit: "5.9", "> 100", "Positive", "1:128", "3 – 5"
	Unit  string `json:"unit,omitempty"`
	// Number is the value of a quantity, an integer or a text that is a number and nothing more, with the digits as sent; ""
	// for anything else and where a comparator says that the true value lies beyond.
	Number string `json:"number,omitempty"`
	Coded  string `json:"coded,omitempty"`  // the code of a coded value
	Absent string `json:"absent,omitempty"` // dataAbsentReason in words

	Low       string `json:"low,omitempty"`       // referenceRange.low.value, with the digits as sent
	High      string `json:"high,omitempty"`      // referenceRange.high.value
	RangeText string `json:"rangeText,omitempty"` // referenceRange.text, where several apply all of them

	// Interpretation is a code of v3-ObservationInterpretation: LL HH AA critical, L H A outside, N normal, and others
	// as sent; "" where nobody can say. Computed is true where it was not sent but follows from the number and the
	// range, and is then L, H or N: a critical value is only ever what the laboratory calls one.
	Interpretation     string `json:"interpretation,omitempty"`
	InterpretationText string `json:"interpretationText,omitempty"` // in words, as sent
	Computed           bool   `json:"computed,omitzero"`
}

// Critical says whether the laboratory called the value critical: LL, HH or AA.
func (m Measured) Critical() bool {
	switch m.Interpretation {
	case "LL", "HH", "AA":
		return true
	default:
		return false
	}
}

// Outside says whether the value is critical or outside its range: LL, HH, AA, L, H, A, and LU, HU, which mean
// significantly low and high.
func (m Measured) Outside() bool {
	switch m.Interpretation {
	case "L", "H", "A", "LU", "HU", "L<", "H>":
		return true
	default:
		return m.Critical()
	}
}

type observation struct {
	Observation
	subject, during ref
	listed          bool
	claimed         bool // by a report
	size            int  // bytes, by estimate
}

func (f *observation) when() Time {
	if !f.Effective.IsZero() {
		return f.Effective
	}
	return f.Issued
}
func (f *observation) ident() string { return f.ID }
func (f *observation) alone() bool   { return f.listed && !f.claimed }

func (c *from) observation(id string, n *node, listed bool) *observation {
	exchange := c.exchange(n)
	f := &observation{
		Observation: Observation{
			ID: id, Exchange: exchange, Status: c.code(n.get("status")), Code: c.test(n.get("code")), Measured: c.measured(n),
			Category:  c.concept(n.get("category").first()).word(),
			Effective: asDay(exchange, c.effective(n)), Issued: c.day(exchange, n.get("issued")),
			Notes: c.notes(n.get("note")),
		},
		subject: c.ref(n.get("subject")), during: c.ref(n.get("encounter")), listed: listed,
	}
	f.NotPerformed = f.Status == "cancelled" || coded(n.get("dataAbsentReason"), "not-performed") || notPerformed(f.Observation)
	for _, e := range n.get("component").all() {
		if len(f.Components) == maxParts {
			c.r.cut()
			break
		}
		f.Components = append(f.Components, Component{Code: c.test(e.get("code")), Measured: c.measured(&e)})
		c.r.spent += baseCost / 2
	}
	return f
}

// What the laboratory network writes where it did not perform a test (contract.md).
const wordsNotPerformed = "TEST NOT PERFORMED"

// notPerformed says whether the words of an observation say that the test was not performed: its value, or where it has no
// value of its own the beginning of a note.
func notPerformed(o Observation) bool {
	value := strings.ToUpper(strings.TrimSpace(o.Value))
	if value == "TNP" || saysNotPerformed(o.Value) {
		return true
	}
	if o.Value != "" && !o.PointsAtNote() {
		return false
	}
	return slices.ContainsFunc(o.Notes, saysNotPerformed)
}

// saysNotPerformed says whether a line of a text begins with what the laboratory writes of a test not performed.
func saysNotPerformed(text string) bool {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if len(line) >= len(wordsNotPerformed) && strings.EqualFold(line[:len(wordsNotPerformed)], wordsNotPerformed) {
			return true
		}
	}
	return false
}

// PointsAtNote says whether the value is none but sends the reader to the note: SEE NOTE, SEE NOTE:, SEE COMMENT, SEE BELOW.
func (m Measured) PointsAtNote() bool {
	if m.Kind != "text" && m.Kind != "code" {
		return false
	}
	switch strings.ToUpper(strings.TrimRight(strings.Join(strings.Fields(m.Value), " "), " :.")) {
	case "SEE NOTE", "SEE NOTES", "SEE COMMENT", "SEE COMMENTS", "SEE BELOW":
		return true
	default:
		return false
	}
}

// systemLOINC is the code system of laboratory tests.
const systemLOINC = "http://loinc.org"

// IsLOINC says whether a code system is LOINC.
func IsLOINC(system string) bool {
	return system == systemLOINC || system == "urn:oid:2.16.840.1.113883.6.1"
}

// test is what was measured: a concept whose code is LOINC where it has such a one, as codes of a laboratory's own mean
// nothing elsewhere.
func (c *from) test(n *node) Concept {
	out := c.concept(n)
	if IsLOINC(out.System) {
		return out
	}
	for _, coding := range n.get("coding").all() {
		if system := coding.get("system").str(); IsLOINC(system) {
			if code := c.take(coding.get("code"), maxID); code != "" {
				if out.Text == out.Code {
					out.Text = code
				}
				out.Code, out.System = code, system
				break
			}
		}
	}
	return out
}

// word is the code, else the text.
func (k Concept) word() string {
	if k.Code != "" {
		return k.Code
	}
	return k.Text
}

// effective is when something was true of the patient.
func (c *from) effective(n *node) Time {
	for _, at := range []*node{n.get("effectiveDateTime"), n.get("effectiveInstant"), n.get("effectivePeriod", "start")} {
		if t := c.time(at); !t.IsZero() {
			return t
		}
	}
	return Time{}
}

func (c *from) notes(n *node) []string {
	var out []string
	for _, e := range n.all() {
		out = c.add(out, c.text(e.get("text")), 20)
	}
	return out
}

func (r *reader) finishObservation(f *observation) Observation {
	f.EncounterID = r.idOf(f.during, "Encounter")
	f.OtherSubject = r.otherSubject(f.subject)
	return f.Observation
}
