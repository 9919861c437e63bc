package fhir

import (
	"cmp"
	"slices"
)

// Encounter is one stay or visit, as one exchange knows it. Source: FHIR R4 Encounter.
type Encounter struct {
	ID           string       `json:"id,omitempty"`
	Status       string       `json:"status,omitempty"` // in-progress, finished, planned, …
	Class        Class        `json:"class"`
	Type         string       `json:"type,omitempty"`        // type[0] in words
	Start        Time         `json:"start,omitzero"`        // period.start
	End          Time         `json:"end,omitzero"`          // period.end
	Reasons      []string     `json:"reasons,omitempty"`     // reasonCode, then reasonReference → Condition.code
	Diagnoses    []Diagnosis  `json:"diagnoses,omitempty"`   // by rank, those without one last
	Attending    string       `json:"attending,omitempty"`   // participant of type ATND
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
	Unsure  bool   `json:"unsure,omitzero"`   // AMB: the sender uses it also for what it does not know
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

// classes are the words for v3-ActCode, as FHIR R4 Encounter.class takes them.
var classes = map[string]string{
	"IMP": "inpatient", "ACUTE": "inpatient", "NONAC": "inpatient", "EMER": "emergency", "AMB": "ambulatory",
	"OBSENC": "observation", "SS": "short stay", "PRENC": "pre-admission", "HH": "home health", "VR": "virtual",
	"FLD": "field",
}

// ClassWord is the word for a class code; "unknown" for one that has none.
func ClassWord(code string) string {
	if word := classes[code]; word != "" {
		return word
	}
	return "unknown"
}

type encounter struct {
	Encounter
	subject, provider ref
	attending         ref
	why               []ref
	diagnoses         []diagnosis
	places            []place
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

func (f *encounter) when() Time    { return f.Start }
func (f *encounter) ident() string { return f.ID }

const maxParts = 50 // reasons, diagnoses, places and such of one resource

func (c *from) encounter(id string, n *node) *encounter {
	f := &encounter{
		Encounter: Encounter{
			ID: id, Exchange: c.exchange(n), Status: c.code(n.get("status")),
			Start: c.time(n.get("period", "start")), End: c.time(n.get("period", "end")),
			Type:        c.concept(n.get("type").first()).Text,
			Reasons:     c.concepts(n.get("reasonCode"), maxParts),
			Identifiers: c.identifiers(n.get("identifier")),
			Disposition: c.concept(n.get("hospitalization", "dischargeDisposition")).Text,
		},
		subject:  c.ref(n.get("subject")),
		provider: c.ref(n.get("serviceProvider")),
		why:      c.refs(n.get("reasonReference"), maxParts),
	}
	// R5 and some senders make a CodeableConcept of class, or a list.
	class := c.concept(n.get("class").first())
	f.Class = Class{Code: class.Code, Word: ClassWord(class.Code), Unsure: class.Code == "AMB"}
	if class.Text != class.Code {
		f.Class.Display = class.Text
	}
	for _, id := range f.Identifiers {
		if id.Type == "VN" && f.VisitNumber == "" {
			f.VisitNumber = id.Value
		}
	}
	f.attending = c.attending(n.get("participant"))
	c.diagnosesOf(f, n.get("diagnosis"))
	c.placesOf(f, n.get("location"))
	return f
}

// attending is the participant of type ATND; of several, the first whose time has not ended.
func (c *from) attending(n *node) ref {
	var past *node
	for _, e := range n.all() {
		for _, kind := range e.get("type").all() {
			if !coded(&kind, "ATND") {
				continue
			}
			if e.get("period", "end").str() == "" {
				return c.ref(e.get("individual"))
			}
			if past == nil {
				past = e.get("individual")
			}
		}
	}
	return c.ref(past)
}

func (c *from) diagnosesOf(f *encounter, n *node) {
	for _, e := range n.all() {
		if len(f.diagnoses) == maxParts {
			c.r.cut()
			return
		}
		d := diagnosis{condition: c.ref(e.get("condition"))}
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
	f.Attending = r.named(f.attending, people...)
	for _, why := range f.why {
		f.Reasons = c.add(f.Reasons, r.named(why), maxParts)
	}
	slices.SortStableFunc(f.diagnoses, func(a, b diagnosis) int {
		return cmp.Compare(uint(a.Rank-1), uint(b.Rank-1)) // 0, no rank, becomes the largest
	})
	for _, d := range f.diagnoses {
		if k := r.find(d.condition, "Condition", "Procedure"); k != nil && k.code.Text != "" {
			d.Concept = k.code
		} else {
			d.Text = r.named(d.condition)
		}
		if d.Text != "" {
			f.Diagnoses = append(f.Diagnoses, d.Diagnosis)
		}
	}
	r.locate(f)
	return f.Encounter
}
