package fhir

import "slices"

// remains is what the bundle of a notice still says of a stay where the sender's merge dropped its Encounter, as it does
// with one that has no period (contract.md): the only Location, the people and the conditions. nil where it says nothing,
// or is no such bundle.
func (r *reader) remains() *Encounter {
	f := &r.facts
	other := len(r.encounters.facts) + len(r.dispenses.facts) + len(r.prescriptions.facts) + len(r.reports.facts) +
		len(r.observations.facts) + len(r.communications.facts) + len(r.documents.facts)
	if other > 0 || f.Summary != nil {
		return nil
	}
	e := Encounter{Class: Class{Word: ClassWord("")}}
	if len(r.locations) == 1 {
		e.Facility = r.locations[0]
	}
	if e.SeenBy = slices.Sorted(slices.Values(r.clinicians)); len(e.SeenBy) == 1 {
		e.Attending, e.SeenBy = e.SeenBy[0], nil
	}
	each(&r.conditions, func(c *condition) {
		if !c.listed || r.otherSubject(c.subject) != "" || c.Verification == "entered-in-error" || c.Verification == "refuted" {
			return
		}
		if c.Text != "" && len(e.Diagnoses) < maxParts {
			e.Diagnoses = append(e.Diagnoses, Diagnosis{Concept: c.Concept})
			e.Codes = append(e.Codes, c.codes...)
		}
		e.Exchange = firstWord(e.Exchange, c.Exchange)
	})
	if e.Facility == "" && e.Attending == "" && len(e.SeenBy)+len(e.Diagnoses) == 0 {
		return nil
	}
	e.Codes = sortedOnce(e.Codes)
	if len(r.exchanges) == 1 {
		e.Exchange = r.exchanges[0]
	}
	return &e
}
