package fhir

// Observation is one result. Source: FHIR R4 Observation.
type Observation struct {
	ID     string  `json:"id,omitempty"`
	Status string  `json:"status,omitempty"` // preliminary, final, corrected, amended, entered-in-error, …
	Code   Concept `json:"code,omitzero"`    // what was measured
	Measured
	Category     string      `json:"category,omitempty"` // category code: laboratory, vital-signs, …
	Effective    Time        `json:"effective,omitzero"` // effectiveDateTime, effectiveInstant, else effectivePeriod.start
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
	// Number is the value of a quantity or an integer with the digits as sent, "" for anything else and where a
	// comparator says that the true value lies beyond.
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
	f := &observation{
		Observation: Observation{
			ID: id, Exchange: c.exchange(n), Status: c.code(n.get("status")), Code: c.concept(n.get("code")), Measured: c.measured(n),
			Category: c.concept(n.get("category").first()).word(), Effective: c.effective(n), Issued: c.time(n.get("issued")),
			Notes: c.notes(n.get("note")),
		},
		subject: c.ref(n.get("subject")), during: c.ref(n.get("encounter")), listed: listed,
	}
	for _, e := range n.get("component").all() {
		if len(f.Components) == maxParts {
			c.r.cut()
			break
		}
		f.Components = append(f.Components, Component{Code: c.concept(e.get("code")), Measured: c.measured(&e)})
		c.r.spent += baseCost / 2
	}
	return f
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
