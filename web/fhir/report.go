package fhir

import (
	"slices"
	"strings"
)

// Report is a laboratory report, or another diagnostic one. Source: FHIR R4 DiagnosticReport.
type Report struct {
	ID           string        `json:"id,omitempty"`
	Status       string        `json:"status,omitempty"` // registered, preliminary, final, corrected, …
	Code         Concept       `json:"code,omitzero"`
	Name         string        `json:"name,omitempty"`     // code in words, else what was ordered in words, else the code itself
	Category     string        `json:"category,omitempty"` // category code: LAB, RAD, …
	Effective    Time          `json:"effective,omitzero"` // effectiveDateTime, effectivePeriod.start, else of the specimen: when collected
	Issued       Time          `json:"issued,omitzero"`
	Performer    string        `json:"performer,omitempty"`   // performer[0]: the laboratory
	OneTest      bool          `json:"oneTest,omitzero"`      // Name is that of its only result: there is no panel
	OrderID      string        `json:"orderId,omitempty"`     // basedOn → ServiceRequest, else the one of the same requisition
	OrderedBy    Contact       `json:"orderedBy,omitzero"`    // ServiceRequest.requester
	Site         Contact       `json:"site,omitzero"`         // ServiceRequest.locationReference: where it was ordered
	Specimen     string        `json:"specimen,omitempty"`    // specimen → Specimen.type, else how it was collected, in words
	Results      []Observation `json:"results,omitempty"`     // result, in the order of the report
	Missing      int           `json:"missing,omitzero"`      // results it names that are not in the file
	Conclusion   string        `json:"conclusion,omitempty"`  // conclusion, else conclusionCode in words
	Text         string        `json:"text,omitempty"`        // presentedForm that is text or HTML, as text
	Notes        []string      `json:"notes,omitempty"`       // note[].text (R5)
	NotPerformed bool          `json:"notPerformed,omitzero"` // cancelled; without a result that was performed, and its words say so
	Attachments  []Attachment  `json:"attachments,omitempty"` // presentedForm that is no text, such as a PDF; without Data
	EncounterID  string        `json:"encounterId,omitempty"`
	OtherSubject string        `json:"otherSubject,omitempty"` // id of the subject where it is not Facts.Patient
	Exchange     string        `json:"exchange,omitempty"`     // code of the exchange or network it comes from, as sent (data-source.json)
}

type report struct {
	Report
	subject, during ref
	performer       ref
	orders          []ref
	specimens       []ref
	results         []ref
	section         string // the code that makes it a section of a summary, or its first
	cut             bool   // of the text
	listed          bool
	claimed         bool // by a section of the summary
}

func (f *report) when() Time {
	if !f.Effective.IsZero() {
		return f.Effective
	}
	return f.Issued
}
func (f *report) ident() string { return f.ID }

const (
	maxResults = 200
	maxForms   = 10
)

func (c *from) report(id string, n *node, listed bool) *report {
	exchange := c.exchange(n)
	f := &report{
		Report: Report{
			ID: id, Exchange: exchange, Status: c.code(n.get("status")), Code: c.test(n.get("code")),
			Category:  c.concept(n.get("category").first()).word(),
			Effective: asDay(exchange, c.effective(n)), Issued: c.day(exchange, n.get("issued")),
			Conclusion: c.text(n.get("conclusion")), Notes: c.notes(n.get("note")),
		},
		subject: c.ref(n.get("subject")), during: c.ref(n.get("encounter")),
		orders: c.refs(n.get("basedOn"), maxIdentifiers), specimens: c.refs(n.get("specimen"), maxIdentifiers),
		results: c.refs(n.get("result"), maxResults), listed: listed,
	}
	f.orders = append(f.orders, c.byRequisition(n.get("identifier"))...)
	f.section = c.sectionCode(n.get("code"))
	if f.Conclusion == "" {
		f.Conclusion = strings.Join(c.concepts(n.get("conclusionCode"), maxIdentifiers), "\n")
	}
	if all := c.refs(n.get("performer"), maxIdentifiers); len(all) > 0 {
		f.performer = all[0]
	}
	c.forms(f, n.get("presentedForm").all())
	return f
}

// forms takes the whole report as its author wrote it: what is text as text, what is not by its name.
func (c *from) forms(f *report, all []node) {
	var texts []string
	for i := range all {
		if i == maxForms {
			c.r.cut()
			break
		}
		text, cut := c.attachedText(&all[i])
		if text != "" {
			texts = c.add(texts, text, maxForms)
			f.cut = f.cut || cut
		} else if a, ok := c.listing(&all[i]); ok {
			f.Attachments = append(f.Attachments, a)
		}
	}
	f.Text = strings.Join(texts, "\n\n")
}

// claim says of every observation whether a report names it.
func (r *reader) claim(f *report) {
	for _, to := range f.results {
		if k := r.find(to, "Observation"); k != nil {
			if o, ok := k.item.(*observation); ok {
				o.claimed = true
			}
		}
	}
}

func (r *reader) finishReport(f *report) Report {
	f.Performer = r.named(f.performer, people...)
	f.EncounterID = r.idOf(f.during, "Encounter")
	f.OtherSubject = r.otherSubject(f.subject)
	for _, to := range f.results {
		var o *observation
		if k := r.find(to, "Observation"); k != nil {
			o, _ = k.item.(*observation)
		}
		if o == nil {
			f.Missing++
			continue
		}
		if r.told += o.size; r.told > 2*maxKept { // the same result in very many reports
			r.cut()
			f.Missing++
			continue
		}
		f.Results = append(f.Results, r.finishObservation(o))
	}
	r.ordered(f)
	f.NotPerformed = f.isNotPerformed()
	return f.Report
}

// ordered takes from the order what the report is called, and who ordered it. The code of a report that is that of its only
// result names no panel: the laboratory network sends a report for each test.
func (r *reader) ordered(f *report) {
	own := ""
	if f.Code.Text != f.Code.Code {
		own = f.Code.Text
	}
	single := len(f.Results) == 1 && f.Code.Code != "" && f.Code.Code == f.Results[0].Code.Code
	if !single {
		f.Name = own
	}
	k, sure := r.orderOf(f)
	if k != nil {
		order, _ := k.item.(*order)
		f.OrderID, f.OrderedBy = k.id, r.contact(order.requester, people...)
		for _, site := range order.sites {
			if f.Site = r.contact(site, "Location"); f.Site.Name != "" {
				break
			}
		}
		if sure {
			f.Name = firstWord(f.Name, k.label)
		}
	}
	if f.OneTest = single && f.Name == ""; f.Name == "" {
		f.Name = firstWord(own, f.Code.Text)
	}
}

// orderOf is the order of a report. One that is found by its requisition alone can be what the sender made of several; sure
// is false where its codes show that it is, and then it does not say what this report is called.
func (r *reader) orderOf(f *report) (k *known, sure bool) {
	for _, to := range f.orders {
		if k := r.find(to, "ServiceRequest"); k != nil {
			if o, ok := k.item.(*order); ok {
				return k, !o.several || r.direct(to, "ServiceRequest") != nil
			}
		}
	}
	return nil, false
}

// collected takes from the specimens what they are and, where the report does not say it, when they were collected: from
// its own, else from those of the order.
func (r *reader) collected(f *report) {
	all := f.specimens
	if k, _ := r.orderOf(f); k != nil {
		order, _ := k.item.(*order)
		all = append(all, order.specimens...)
	}
	for _, to := range all {
		k := r.find(to, "Specimen")
		if k == nil {
			f.Specimen = firstWord(f.Specimen, to.display)
			continue
		}
		f.Specimen = firstWord(f.Specimen, k.label, to.display)
		if at, ok := k.item.(Time); ok && f.Effective.IsZero() {
			f.Effective = at
		}
	}
}

// isNotPerformed says whether nothing of what the report is about was performed. The sender drops results without a value,
// so the text of the report is often the only trace of a test that was not performed.
func (f *report) isNotPerformed() bool {
	if slices.ContainsFunc(f.Results, func(o Observation) bool { return !o.NotPerformed }) {
		return false
	}
	if len(f.Results) > 0 || f.Status == "cancelled" {
		return true
	}
	return saysNotPerformed(f.Text) || saysNotPerformed(f.Conclusion) || slices.ContainsFunc(f.Notes, saysNotPerformed)
}

// order is what reports need of a ServiceRequest.
type order struct {
	requester        ref
	sites, specimens []ref
	several          bool // it has several codes of one system: the sender keeps those of all orders that it made it of
}

// order reads a ServiceRequest: what was ordered in the words of who ordered it, and by whom. A coding is no such words:
// the sender puts the same ones on every order.
func (c *from) order(k *known, n *node) {
	k.label = c.line(n.get("code", "text"))
	o := &order{
		requester: c.ref(n.get("requester")), specimens: c.refs(n.get("specimen"), maxResults), sites: c.refs(n.get("locationReference"), maxResults),
	}
	codes := map[string]string{}
	for i, coding := range n.get("code", "coding").all() {
		system, code := coding.get("system").str(), coding.get("code").str()
		if code == "" || code == snomedLaboratory {
			continue
		}
		o.several = o.several || i >= maxCodings || codes[system] != "" && codes[system] != code
		codes[system] = code
	}
	if k.label == "" {
		for _, coding := range n.get("code", "coding").all() {
			if coding.get("code").str() != snomedLaboratory {
				k.label = firstWord(k.label, c.line(coding.get("display")))
			}
		}
	}
	k.item = o
}

// snomedLaboratory is "laboratory procedure", which the sender puts beside every order.
const snomedLaboratory = "108252007"

// specimen reads a Specimen: what it is in words, and when it was collected.
func (c *from) specimen(k *known, n *node) {
	k.label = firstWord(c.concept(n.get("type")).Text, c.concept(n.get("collection", "method")).Text)
	exchange := c.exchange(n)
	at := c.day(exchange, n.get("collection", "collectedDateTime"))
	if at.IsZero() {
		at = c.day(exchange, n.get("collection", "collectedPeriod", "start"))
	}
	k.item = at
}
