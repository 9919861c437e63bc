package fhir

import (
	"cmp"
	"slices"
)

// Encounter is one stay or visit, as one exchange knows it. Source: FHIR R4 Encounter. Several of one id whose times
// overlap are one: see sameStay. Several of one id that do not are different stays.
type Encounter struct {
	ID           string       `json:"id,omitempty"`
	Status       string       `json:"status,omitempty"` // in-progress, finished, planned, …
	Class        Class        `json:"class"`
	Type         string       `json:"type,omitempty"`        // type[0] in words
	Start        Time         `json:"start,omitzero"`        // period.start
	End          Time         `json:"end,omitzero"`          // period.end
	Reasons      []string     `json:"reasons,omitempty"`     // reasonCode, then reasonReference → Condition.code
	Diagnoses    []Diagnosis  `json:"diagnoses,omitempty"`   // by rank, those without one last
	Codes        []string     `json:"codes,omitempty"`       // system|code of all codings of Reasons and Diagnoses, sorted
	Attending    string       `json:"attending,omitempty"`   // participant of type ATND, else the only one, sent without a type
	SeenBy       []string     `json:"seenBy,omitempty"`      // participants without a type, where there are several
	Facility     string       `json:"facility,omitempty"`    // serviceProvider, else the top of the location's partOf chain
	Unit         string       `json:"unit,omitempty"`        // where the patient lies now, or lay last
	Places       []Place      `json:"places,omitempty"`      // location, the latest first
	VisitNumber  string       `json:"visitNumber,omitempty"` // identifier of type VN
	Identifiers  []Identifier `json:"identifiers,omitempty"`
	Disposition  string       `json:"disposition,omitempty"`  // hospitalization.dischargeDisposition; mostly not sent
	OtherSubject string       `json:"otherSubject,omitempty"` // id of the subject where it is not Facts.Patient
	Exchange     string       `json:"exchange,omitempty"`     // code of the exchange or network it comes from, as sent (data-source.json)
}

// Class says what kind of encounter it is. Source: FHIR R4 Encounter.class, code system v3-ActCode.
type Class struct {
	Code    string `json:"code,omitempty"`    // IMP, EMER, AMB, OBSENC, SS, PRENC, …
	Word    string `json:"word"`              // inpatient, emergency, …; "unknown" for no code or one that is not known
	Display string `json:"display,omitempty"` // class.display as sent
	Unsure  bool   `json:"unsure,omitzero"`   // the sender uses the code also for something else, see [ClassUnsure]
}

// Diagnosis is one diagnosis of an encounter. Source: FHIR R4 Encounter.diagnosis.
type Diagnosis struct {
	Concept
	Use  string `json:"use,omitempty"` // use in words: Admission diagnosis, …
	Rank int    `json:"rank,omitzero"` // 1 is the first; 0 where none was sent
}

// Place is where the patient lay. Source: FHIR R4 Encounter.location.
type Place struct {
	Name   string `json:"name,omitempty"`   // Location.name, else the reference's display
	Kind   string `json:"kind,omitempty"`   // physicalType in words: ward, room, …
	Status string `json:"status,omitempty"` // active, completed, planned, reserved
	Start  Time   `json:"start,omitzero"`
	End    Time   `json:"end,omitzero"`
}

// classes are the words for v3-ActCode, as FHIR R4 Encounter.class takes them and as this sender uses them: AMB also for
// "not applicable" and "unknown", SS for recurring patients (contract.md).
var classes = map[string]string{
	"IMP": "inpatient", "ACUTE": "inpatient", "NONAC": "inpatient", "EMER": "emergency", "AMB": "ambulatory or unknown",
	"OBSENC": "observation", "SS": "recurring or short stay", "PRENC": "pre-admission", "HH": "home health", "VR": "virtual",
	"FLD": "field",
}

// ClassWord is the word for a class code; "unknown" for one that has none.
func ClassWord(code string) string {
	if word := classes[code]; word != "" {
		return word
	}
	return "unknown"
}

// ClassUnsure says whether the sender uses a class code for more than one thing: AMB and SS.
func ClassUnsure(code string) bool { return code == "AMB" || code == "SS" }

type encounter struct {
	Encounter
	subject, provider ref
	people            []participant
	why               []ref
	diagnoses         []diagnosis
	places            []place
	known             *known // the first resource of its id
}

type participant struct {
	who   ref
	typed bool
	main  bool // of type ATND
	past  bool // its time has ended
}

type diagnosis struct {
	Diagnosis
	condition ref
}

type place struct {
	Place
	kind Concept
	at   ref
}

func (f *encounter) when() Time {
	if f.Start.IsZero() {
		return f.End
	}
	return f.Start
}
func (f *encounter) ident() string { return f.ID }

const maxParts = 50 // reasons, diagnoses, places and such of one resource

func (c *from) encounter(id string, n *node) *encounter {
	f := &encounter{
		Encounter: Encounter{
			ID: id, Exchange: c.exchange(n), Status: c.code(n.get("status")),
			Start: c.time(n.get("period", "start")), End: c.time(n.get("period", "end")),
			Type:        c.concept(n.get("type").first()).Text,
			Reasons:     c.concepts(n.get("reasonCode"), maxParts),
			Codes:       c.codes(nil, n.get("reasonCode")),
			Identifiers: c.identifiers(n.get("identifier")),
			Disposition: c.concept(n.get("hospitalization", "dischargeDisposition")).Text,
		},
		subject:  c.ref(n.get("subject")),
		provider: c.ref(n.get("serviceProvider")),
		why:      c.refs(n.get("reasonReference"), maxParts),
	}
	// R5 and some senders make a CodeableConcept of class, or a list.
	class := c.concept(n.get("class").first())
	f.Class = Class{Code: class.Code, Word: ClassWord(class.Code), Unsure: ClassUnsure(class.Code)}
	if class.Text != class.Code {
		f.Class.Display = class.Text
	}
	for _, id := range f.Identifiers {
		if id.Type == "VN" && f.VisitNumber == "" {
			f.VisitNumber = id.Value
		}
	}
	c.peopleOf(f, n.get("participant"))
	c.diagnosesOf(f, n.get("diagnosis"))
	c.placesOf(f, n.get("location"))
	return f
}

func (c *from) peopleOf(f *encounter, n *node) {
	for _, e := range n.all() {
		if len(f.people) == maxParts {
			c.r.cut()
			return
		}
		p := participant{who: c.ref(e.get("individual")), past: e.get("period", "end").str() != ""}
		if p.who == (ref{}) {
			continue
		}
		for _, kind := range e.get("type").all() {
			p.typed = true
			p.main = p.main || coded(&kind, "ATND")
		}
		f.people = append(f.people, p)
	}
}

func (c *from) diagnosesOf(f *encounter, n *node) {
	for _, e := range n.all() {
		if len(f.diagnoses) == maxParts {
			c.r.cut()
			return
		}
		d := diagnosis{condition: c.ref(e.get("condition"))}
		if e.get("reference") != nil { // a bare reference, which some versions of the sender's converter make
			d.condition = c.ref(&e)
		}
		d.Use = c.concept(e.get("use")).Text
		d.Rank, _ = e.get("rank").whole()
		f.diagnoses = append(f.diagnoses, d)
	}
}

func (c *from) placesOf(f *encounter, n *node) {
	for _, e := range n.all() {
		if len(f.places) == maxParts {
			c.r.cut()
			return
		}
		p := place{at: c.ref(e.get("location")), kind: c.concept(e.get("physicalType"))}
		p.Status = c.code(e.get("status"))
		p.Start, p.End = c.time(e.get("period", "start")), c.time(e.get("period", "end"))
		f.places = append(f.places, p)
	}
}

func (r *reader) finishEncounter(f *encounter) Encounter {
	c := &from{r: r}
	f.OtherSubject = r.otherSubject(f.subject)
	for _, why := range f.why {
		f.Reasons = c.add(f.Reasons, r.named(why), maxParts)
		if k := r.find(why, "Condition"); k != nil {
			f.Codes = append(f.Codes, k.codes...)
		}
	}
	slices.SortStableFunc(f.diagnoses, func(a, b diagnosis) int {
		return cmp.Compare(uint(a.Rank-1), uint(b.Rank-1)) // 0, no rank, becomes the largest
	})
	for _, d := range f.diagnoses {
		if k := r.find(d.condition, "Condition", "Procedure"); k != nil && k.code.Text != "" {
			d.Concept = k.code
			f.Codes = append(f.Codes, k.codes...)
		} else {
			d.Text = r.named(d.condition)
		}
		if d.Text != "" {
			f.Diagnoses = append(f.Diagnoses, d.Diagnosis)
		}
	}
	f.Codes = sortedOnce(f.Codes)
	f.Attending, f.SeenBy = r.attending(f.people)
	r.locate(f)
	return f.Encounter
}

// attending is the participant of type ATND, of several the first whose time has not ended; else the only participant,
// where it was sent without a type, as the converters do. Several without a type have seen the patient, and nobody knows
// in which part.
func (r *reader) attending(all []participant) (attending string, seenBy []string) {
	past := ""
	for _, p := range all {
		if !p.main {
			continue
		}
		name := r.named(p.who, people...)
		if name != "" && !p.past {
			attending = name
			break
		}
		past = firstWord(past, name)
	}
	attending = firstWord(attending, past)
	c := &from{r: r}
	typed := false
	for _, p := range all {
		if typed = typed || p.typed; !p.typed {
			seenBy = c.add(seenBy, r.clinician(p.who), maxParts)
		}
	}
	if attending == "" && !typed && len(seenBy) == 1 {
		return seenBy[0], nil
	}
	return attending, slices.DeleteFunc(seenBy, func(name string) bool { return name == attending })
}

// clinician is the name of somebody who can have seen a patient; "" where the reference is to a relative, for one.
func (r *reader) clinician(to ref) string {
	kinds := []string{"Practitioner", "PractitionerRole"}
	if kind, _ := tail(to.to); kind != "" && !slices.Contains(kinds, kind) {
		return ""
	}
	return r.named(to, kinds...)
}

// sortedOnce sorts words and keeps each once.
func sortedOnce(words []string) []string {
	slices.Sort(words)
	return slices.Clip(slices.Compact(words))
}
