package fhir

import (
	"slices"
	"strings"
)

// tellers read what a resource of a type says.
var tellers = map[string]func(h *health, c *from, n *node, s *Statement) bool{
	"Condition":           (*health).problem,
	"AllergyIntolerance":  (*health).allergy,
	"MedicationStatement": (*health).statement,
	"MedicationRequest":   (*health).ordered,
	"MedicationDispense":  (*health).filled,
	"Immunization":        (*health).immunization,
	"Observation":         (*health).value,
	"DiagnosticReport":    (*health).lone,
	"Encounter":           (*health).visit,
	"Procedure":           (*health).procedure,
	"CareTeam":            (*health).team,
	"CarePlan":            (*health).plan,
	"Patient":             (*health).primary,
	"Coverage":            (*health).coverage,
}

func told(kind string) bool { return kind == "Bundle" || tellers[kind] != nil }

// tell says, in the last pass, what a resource says of the patient.
func (h *health) tell(c *from, kind, id, _ string, n *node) {
	read := tellers[kind]
	if read == nil || h.other(c, n) {
		return
	}
	s := Statement{Kind: kind, Exchanges: c.exchanges(n), Status: c.state(n.get("status")), Verification: c.state(n.get("verificationStatus"))}
	if wrong(s.Status) || wrong(s.Verification) {
		return
	}
	h.id = id
	if read(h, c, n, &s) {
		h.say(s)
	}
}

// wrong says whether a status means that a resource says nothing.
func wrong(status string) bool { return status == "entered-in-error" || status == "refuted" }

const maxSources = 8

// exchanges are the codes of all exchanges and networks that a resource comes from.
func (c *from) exchanges(n *node) []string {
	var out []string
	for _, e := range n.get("extension").all() {
		if e.get("url").str() == extensionSource {
			out = c.add(out, c.code(e.get("value")), maxSources)
		}
	}
	return out
}

// day is a date that is a day where the network sends days.
func (s *Statement) day(t Time) Time {
	for _, exchange := range s.Exchanges {
		t = asDay(exchange, t)
	}
	return t
}

// concept takes what a statement is about.
func (s *Statement) concept(c *from, n *node) {
	s.What, s.Codes = c.concept(n), c.standard(n)
	if said(s.What) == "" {
		s.What.Text = ""
		for _, k := range s.Codes {
			if s.What.Text = said(Concept{Text: k.Text}); s.What.Text != "" {
				break
			}
		}
		if s.What.Text == "" && len(s.Codes) > 0 {
			s.What.Text = s.Codes[0].Code
		}
	}
}

// named says whether it is known what a statement is about.
func (s *Statement) named() bool { return s.What.Text != "" || len(s.Codes) > 0 }

// period takes the first of some members that is a time or a period.
func (c *from) period(n *node, names ...string) (start, end Time) {
	for _, name := range names {
		member := n.get(name)
		if t := c.time(member); !t.IsZero() {
			return t, Time{}
		}
		if start, end = c.time(member.get("start")), c.time(member.get("end")); !start.IsZero() || !end.IsZero() {
			return start, end
		}
	}
	return Time{}, Time{}
}

// last is the latest of some times.
func last(times ...Time) Time {
	var out Time
	for _, t := range times {
		if t.After(out.Time) {
			out = t
		}
	}
	return out
}

func (h *health) problem(c *from, n *node, s *Statement) bool {
	s.concept(c, n.get("code"))
	s.Status = c.state(n.get("clinicalStatus"))
	s.Start, _ = c.period(n, "onsetDateTime", "onsetPeriod")
	s.StartText = c.line(n.get("onsetString"))
	s.End, _ = c.period(n, "abatementDateTime")
	if s.End.IsZero() {
		s.End, _ = c.period(n, "abatementPeriod")
	}
	if _, end := c.period(n, "onsetPeriod"); s.End.IsZero() {
		s.End = end
	}
	s.At = s.day(c.time(n.get("recordedDate")))
	if gone, sent := n.get("abatementBoolean").boolean(); sent && gone && s.Status == "" {
		s.Status = "resolved"
	}
	for i, e := range n.get("category").all() {
		if i == maxIdentifiers {
			break
		}
		s.Categories = c.add(s.Categories, c.concept(&e).word(), maxIdentifiers)
	}
	return s.named()
}

func (h *health) allergy(c *from, n *node, s *Statement) bool {
	s.concept(c, n.get("code"))
	s.Status = c.state(n.get("clinicalStatus"))
	s.Criticality = c.code(n.get("criticality"))
	s.At = c.time(n.get("recordedDate"))
	s.Start, _ = c.period(n, "onsetDateTime", "onsetPeriod")
	s.StartText = c.line(n.get("onsetString"))
	if seen := c.time(n.get("lastOccurrence")); s.At.IsZero() {
		s.At = seen
	}
	for i, e := range n.get("category").all() {
		if i == maxIdentifiers {
			break
		}
		s.Categories = c.add(s.Categories, c.code(&e), maxIdentifiers)
	}
	vague := broad(s.What, s.Codes)
	for i, e := range n.get("reaction").all() {
		if i == maxIdentifiers {
			break
		}
		if substance := e.get("substance"); vague && substance != nil { // the converters name the substance here alone
			was := *s
			s.concept(c, substance)
			if vague = !s.named(); vague {
				s.What, s.Codes = was.What, was.Codes
			}
		}
		for j, m := range e.get("manifestation").all() {
			if j == maxIdentifiers {
				break
			}
			s.Reactions = c.add(s.Reactions, said(c.concept(&m)), maxIdentifiers)
		}
		if severity := c.code(e.get("severity")); graver(severity, s.Severity) {
			s.Severity = severity
		}
	}
	return s.named()
}

// graver says whether one severity of a reaction is graver than another. Source: FHIR R4 reaction-event-severity.
func graver(a, b string) bool {
	order := []string{"mild", "moderate", "severe"}
	return slices.Index(order, a) > slices.Index(order, b)
}

// medicine takes the drug of a statement: coded in place, or as the resource that is referred to says.
func (h *health) medicine(c *from, n *node, s *Statement) bool {
	s.concept(c, n.get("medicationCodeableConcept"))
	to := c.ref(n.get("medicationReference"))
	if k := h.find(to, "Medication"); k != nil {
		codes, _ := k.item.([]Concept)
		if s.What.Text == "" {
			s.What = k.code
		}
		if len(s.Codes) == 0 {
			s.Codes = codes
		}
	}
	if s.What.Text == "" {
		s.What = Concept{Text: to.display}
	}
	return s.named()
}

func (h *health) statement(c *from, n *node, s *Statement) bool {
	s.Start, s.End = c.period(n, "effectiveDateTime", "effectivePeriod")
	s.At = s.day(last(c.time(n.get("dateAsserted")), s.Start))
	s.Dose = c.dosage(n.get("dosage"))
	return h.medicine(c, n, s)
}

func (h *health) ordered(c *from, n *node, s *Statement) bool {
	p := h.finishPrescription(c.prescription(h.id, n, true))
	p.Authored = s.day(p.Authored)
	s.Order, s.At, s.Dose = &p, p.Authored, p.Dosage
	return h.medicine(c, n, s)
}

func (h *health) filled(c *from, n *node, s *Statement) bool {
	d := h.finishDispense(c.dispense(h.id, n))
	d.HandedOver, d.Prepared = s.day(d.HandedOver), s.day(d.Prepared)
	s.Fill, s.At, s.Dose = &d, d.Filled(), d.Dosage
	return h.medicine(c, n, s)
}

func (h *health) immunization(c *from, n *node, s *Statement) bool {
	s.concept(c, n.get("vaccineCode"))
	s.At, _ = c.period(n, "occurrenceDateTime")
	s.StartText = c.line(n.get("occurrenceString"))
	if done := n.get("protocolApplied").first(); done != nil {
		if s.Dose = c.own(done.get("doseNumberPositiveInt").number(), maxCode); s.Dose == "" {
			s.Dose = c.line(done.get("doseNumberString"))
		}
	}
	return s.named()
}

// value is a result or a vital sign. The converters date the report that names it and not the result.
func (h *health) value(c *from, n *node, s *Statement) bool {
	s.concept(c, n.get("code"))
	o := h.finishObservation(c.observation(h.id, n, true))
	o.Effective, o.Issued = s.day(o.Effective), s.day(o.Issued)
	s.Value, s.At = &o, o.Effective
	if p := h.reportOf(h.id); p != nil {
		s.Report = p.says
		if s.At.IsZero() {
			s.At = p.at
		}
	}
	if s.At.IsZero() {
		s.At = o.Issued
	}
	if !s.named() || o.Kind == "" && len(o.Components) == 0 && len(o.Notes) == 0 && o.Status != "cancelled" {
		return false
	}
	return true
}

// lone is a report without results: of a test that was not performed, or one whose text is all there is.
func (h *health) lone(c *from, n *node, s *Statement) bool {
	if len(n.get("result").all()) > 0 {
		return false
	}
	s.concept(c, n.get("code"))
	f := c.report(h.id, n, true)
	h.collected(f)
	r := h.finishReport(f)
	r.Effective, r.Issued = s.day(r.Effective), s.day(r.Issued)
	if s.Report, s.At = &r, r.Effective; s.At.IsZero() {
		s.At = r.Issued
	}
	if r.Name != "" {
		s.What.Text = r.Name
	}
	return s.named() && (r.Text != "" || r.Conclusion != "")
}

func (h *health) visit(c *from, n *node, s *Statement) bool {
	e := h.finishEncounter(c.encounter(h.id, n))
	s.Visit, s.At, s.Start, s.End = &e, e.Start, e.Start, e.End
	if s.What.Text = said(Concept{Text: e.Type}); s.What.Text == "" && e.Class.Display != "" {
		s.What.Text = said(Concept{Text: e.Class.Display})
	}
	return !e.Start.IsZero() || e.Facility != "" || len(e.Reasons)+len(e.Diagnoses) > 0
}

func (h *health) procedure(c *from, n *node, s *Statement) bool {
	s.concept(c, n.get("code"))
	s.Start, s.End = c.period(n, "performedDateTime", "performedPeriod")
	s.At = s.Start
	if s.Status == "not-done" {
		return false
	}
	return s.named()
}

// team says who is in a care team, a statement each.
func (h *health) team(c *from, n *node, s *Statement) bool {
	s.Start, s.End = c.period(n, "period")
	s.At = s.Start
	for i, e := range n.get("participant").all() {
		if i == maxParts {
			break
		}
		member := *s
		member.Role = strings.Join(c.concepts(e.get("role"), maxIdentifiers), ", ")
		if start, end := c.period(&e, "period"); !start.IsZero() || !end.IsZero() {
			member.At, member.Start, member.End = start, start, end
		}
		h.person(c, member, e.get("member"))
	}
	return false
}

// person says that somebody takes care of the patient.
func (h *health) person(c *from, s Statement, n *node) {
	to := c.ref(n)
	if k := h.find(to); k != nil && k.kind != "Practitioner" && k.kind != "PractitionerRole" && k.kind != "Organization" {
		return // the patient, a relative, another team
	}
	if s.Who = h.contact(to, "Practitioner", "PractitionerRole", "Organization"); s.Who.Name != "" {
		h.say(s)
	}
}

func (h *health) plan(c *from, n *node, s *Statement) bool {
	s.Start, s.End = c.period(n, "period")
	s.At = s.day(last(c.time(n.get("created")), s.Start))
	s.Role = "care plan"
	h.person(c, *s, n.get("author"))
	for i, e := range n.get("contributor").all() {
		if i == maxParts {
			break
		}
		h.person(c, *s, &e)
	}
	return false
}

func (h *health) primary(c *from, n *node, s *Statement) bool {
	s.Role = "primary care"
	for i, e := range n.get("generalPractitioner").all() {
		if i == maxParts {
			break
		}
		h.person(c, *s, &e)
	}
	return false
}

func (h *health) coverage(c *from, n *node, s *Statement) bool {
	s.Start, s.End = c.period(n, "period")
	s.At = s.Start
	s.What = c.concept(n.get("type"))
	s.Member = c.take(n.get("subscriberId"), maxID)
	for i, e := range n.get("class").all() {
		if i == maxParts {
			break
		}
		if kind := c.concept(e.get("type")).word(); kind == "plan" || kind == "group" || s.Plan == "" {
			if name := c.line(e.get("name")); name != "" && (s.Plan == "" || kind == "plan") {
				s.Plan = name
			}
		}
	}
	for _, to := range c.refs(n.get("payor"), maxIdentifiers) {
		if s.Who = h.contact(to, "Organization"); s.Who.Name != "" {
			break
		}
	}
	if s.Member == "" {
		if ids := c.identifiers(n.get("identifier")); len(ids) > 0 {
			s.Member = ids[0].Value
		}
	}
	return s.Who.Name != "" || s.Plan != "" || said(s.What) != ""
}
