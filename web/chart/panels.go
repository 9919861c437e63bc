package chart

import (
	"slices"
	"strings"

	"carebell/web/care"
	"carebell/web/fhir"
)

// panels are the reports of a record with their results, and one of the results that no report names.
func panels(f fhir.Facts) []care.Panel {
	var out []care.Panel
	type part struct {
		order, name, status, collected, laboratory, exchange string
		oneTest                                              bool
	}
	first := map[part]int{} // where the panel of an order stands
	for _, r := range f.Reports {
		if r.OtherSubject != "" {
			continue
		}
		p := panel(r)
		key := part{r.OrderID, p.Name, p.Status, p.Collected, p.Laboratory, p.Exchange, r.OneTest}
		if r.OneTest {
			key.name = "" // that of its test
		}
		if i, ok := first[key]; ok && !p.NotPerformed {
			if r.OneTest {
				out[i].Name = "" // nobody says what panel they are
			}
			out[i] = joined(out[i], p)
			continue
		}
		if r.OrderID != "" && !p.NotPerformed {
			first[key] = len(out)
		}
		out = append(out, p)
	}
	loose := slices.DeleteFunc(slices.Clone(f.Observations), func(o fhir.Observation) bool { return o.OtherSubject != "" })
	if len(loose) > 0 {
		newest := loose[0]
		p := care.Panel{
			Status: newest.Status, Collected: timeText(newest.Effective), Issued: timeText(newest.Issued), Exchange: newest.Exchange,
			NotPerformed: !slices.ContainsFunc(loose, func(o fhir.Observation) bool { return !o.NotPerformed }),
		}
		for _, o := range loose {
			p.Results = append(p.Results, results(o, o.Effective)...)
		}
		out = append(out, p)
	}
	return out
}

func panel(r fhir.Report) care.Panel {
	p := care.Panel{
		Name: r.Name, Status: r.Status, Collected: timeText(r.Effective), Issued: timeText(r.Issued), Conclusion: r.Conclusion, Text: r.Text,
		Notes: r.Notes, Specimen: r.Specimen, Laboratory: r.Performer, OrderedBy: contact(r.OrderedBy), Site: contact(r.Site),
		NotPerformed: r.NotPerformed, Exchange: r.Exchange,
	}
	if p.Name == "" {
		p.Name = r.Code.Text // an older version stored no name
	}
	if p.Name == r.Code.Code { // a bare LOINC code: a nurse can do nothing with it
		p.Name = ""
	}
	for _, o := range r.Results {
		p.Results = append(p.Results, results(o, r.Effective)...)
	}
	return p
}

// joined is one panel of two reports of one order: the laboratory network sends a report for every test of it.
func joined(a, b care.Panel) care.Panel {
	paragraphs := func(a, b string) string {
		if b == "" || strings.Contains(a, b) {
			return a
		}
		return strings.TrimSpace(a + "\n\n" + b)
	}
	a.Text, a.Conclusion = paragraphs(a.Text, b.Text), paragraphs(a.Conclusion, b.Conclusion)
	for _, note := range b.Notes {
		if !slices.Contains(a.Notes, note) {
			a.Notes = append(slices.Clip(a.Notes), note)
		}
	}
	if b.Specimen != "" && a.Specimen == "" {
		a.Specimen = b.Specimen
	}
	a.Issued = max(a.Issued, b.Issued)
	a.Results = append(a.Results, b.Results...)
	return a
}

// results are the values of one observation: its own, and those of its components.
func results(o fhir.Observation, at fhir.Time) []care.Result {
	if !o.Effective.IsZero() {
		at = o.Effective
	}
	var out []care.Result
	add := func(c fhir.Concept, m fhir.Measured) {
		r := care.Result{
			Code: testCode(c), Name: c.Text, Value: m.Value, Unit: m.Unit, Number: m.Number, Low: m.Low, High: m.High, RangeText: m.RangeText,
			Flag: m.Interpretation, Computed: m.Computed, Status: o.Status, NotPerformed: o.NotPerformed, At: timeText(at),
		}
		if m.Kind == "absent" {
			r.Value = "no value: " + m.Absent
		}
		out = append(out, r)
	}
	if o.Kind != "" || len(o.Components) == 0 {
		add(o.Code, o.Measured)
	}
	for _, c := range o.Components {
		add(c.Code, c.Measured)
	}
	out[0].Notes = o.Notes // they are about all of them
	return out
}

// testCode tells tests apart over time: LOINC, else the name. Another code is a laboratory's own, and means another test in
// the next one; where no system was sent it may be LOINC.
func testCode(c fhir.Concept) string {
	if c.Code != "" && (c.System == "" || fhir.IsLOINC(c.System)) {
		return c.Code
	}
	return c.Text
}
