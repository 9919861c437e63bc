package fhir

// Condition is a problem or diagnosis. Source: FHIR R4 Condition.
type Condition struct {
	ID string `json:"id,omitempty"`
	Concept
	Status       string `json:"status,omitempty"`       // clinicalStatus: active, resolved, …
	Verification string `json:"verification,omitempty"` // verificationStatus: confirmed, provisional, entered-in-error, …
	Onset        Time   `json:"onset,omitzero"`         // onsetDateTime, else onsetPeriod.start
	OnsetText    string `json:"onsetText,omitempty"`    // onsetString
	Recorded     Time   `json:"recorded,omitzero"`      // recordedDate
	EncounterID  string `json:"encounterId,omitempty"`  // encounter
	OtherSubject string `json:"otherSubject,omitempty"` // id of the subject where it is not Facts.Patient
	Exchange     string `json:"exchange,omitempty"`     // code of the exchange or network it comes from, as sent (data-source.json)
}

type condition struct {
	Condition
	subject, during ref
	codes           []string // system|code of all codings
	listed          bool
}

func (f *condition) when() Time {
	if !f.Recorded.IsZero() {
		return f.Recorded
	}
	return f.Onset
}
func (f *condition) ident() string { return f.ID }

func (c *from) condition(id string, n *node, listed bool) *condition {
	f := &condition{
		Condition: Condition{
			ID: id, Exchange: c.exchange(n), Concept: c.concept(n.get("code")),
			Status: c.state(n.get("clinicalStatus")), Verification: c.state(n.get("verificationStatus")),
			Onset: c.time(n.get("onsetDateTime")), OnsetText: c.line(n.get("onsetString")),
			Recorded: c.time(n.get("recordedDate")),
		},
		subject: c.ref(n.get("subject")), during: c.ref(n.get("encounter")), codes: c.codes(nil, n.get("code")), listed: listed,
	}
	if f.Onset.IsZero() {
		f.Onset = c.time(n.get("onsetPeriod", "start"))
	}
	return f
}

// state is the code of a status that is a CodeableConcept; older senders send a bare code.
func (c *from) state(n *node) string {
	if code := c.concept(n); code.Code != "" {
		return code.Code
	} else if code.Text != "" {
		return code.Text
	}
	return c.code(n)
}

func (r *reader) finishCondition(f *condition) Condition {
	f.EncounterID = r.idOf(f.during, "Encounter")
	f.OtherSubject = r.otherSubject(f.subject)
	return f.Condition
}
