package fhir

import "strings"

// Report is a laboratory report, or another diagnostic one. Source: FHIR R4 DiagnosticReport.
type Report struct {
	ID           string        `json:"id,omitempty"`
	Status       string        `json:"status,omitempty"` // registered, preliminary, final, corrected, …
	Code         Concept       `json:"code,omitzero"`
	Category     string        `json:"category,omitempty"` // category code: LAB, RAD, …
	Effective    Time          `json:"effective,omitzero"` // effectiveDateTime, effectivePeriod.start: when collected
	Issued       Time          `json:"issued,omitzero"`
	Performer    string        `json:"performer,omitempty"`   // performer[0]: the laboratory
	Results      []Observation `json:"results,omitempty"`     // result, in the order of the report
	Missing      int           `json:"missing,omitzero"`      // results it names that are not in the file
	Conclusion   string        `json:"conclusion,omitempty"`  // conclusion, else conclusionCode in words
	Text         string        `json:"text,omitempty"`        // presentedForm that is text or HTML, as text
	Attachments  []Attachment  `json:"attachments,omitempty"` // presentedForm that is no text, such as a PDF; without Data
	EncounterID  string        `json:"encounterId,omitempty"`
	OtherSubject string        `json:"otherSubject,omitempty"` // id of the subject where it is not Facts.Patient
	Exchange     string        `json:"exchange,omitempty"`     // code of the exchange or network it comes from, as sent (data-source.json)
}

type report struct {
	Report
	subject, during ref
	performer       ref
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
	f := &report{
		Report: Report{
			ID: id, Exchange: c.exchange(n), Status: c.code(n.get("status")), Code: c.concept(n.get("code")),
			Category:  c.concept(n.get("category").first()).word(),
			Effective: c.effective(n), Issued: c.time(n.get("issued")),
			Conclusion: c.text(n.get("conclusion")),
		},
		subject: c.ref(n.get("subject")), during: c.ref(n.get("encounter")),
		results: c.refs(n.get("result"), maxResults), listed: listed,
	}
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
	return f.Report
}
