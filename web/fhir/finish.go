package fhir

import "slices"

// each calls do for every fact of a shelf.
func each[T fact](s *shelf[T], do func(T)) {
	for _, h := range s.facts {
		do(h.fact)
	}
}

// listed is what a shelf holds at the end, the newest first, but for what is only there to be referred to.
func listed[T fact, F any](s *shelf[T], show func(T) bool, finish func(T) F) []F {
	var out []F
	each(s, func(f T) {
		if show(f) {
			out = append(out, finish(f))
		}
	})
	return slices.Clip(out)
}

func always[T fact](T) bool { return true }

// finish resolves the references of everything that was kept.
func (r *reader) finish() Facts {
	f := &r.facts
	r.encounters.shrink(r, maxEncounters)
	r.conditions.shrink(r, maxConditions)
	r.dispenses.shrink(r, maxDispenses)
	r.prescriptions.shrink(r, maxPrescriptions)
	r.reports.shrink(r, maxReports)
	r.observations.shrink(r, maxObservations)
	r.communications.shrink(r, maxCommunications)
	r.documents.shrink(r, maxDocuments)

	if r.indexed > r.room || r.asides > r.room && r.summary != nil {
		r.cut()
	}
	r.choosePatient()
	if r.summary != nil {
		f.Summary = r.finishSummary(r.summary)
	}
	each(&r.reports, r.claim)
	each(&r.reports, r.collected)
	r.reports.sort() // by what the specimens said, too
	r.joinEncounters()

	f.Exchanges = sortedOnce(r.exchanges)
	f.Remains = r.remains()
	f.Encounters = listed(&r.encounters, always, r.finishEncounter)
	f.Conditions = listed(&r.conditions, func(c *condition) bool { return c.listed }, r.finishCondition)
	f.Dispenses = listed(&r.dispenses, always, r.finishDispense)
	f.Prescriptions = listed(&r.prescriptions, func(p *prescription) bool { return p.listed }, r.finishPrescription)
	f.Reports = listed(&r.reports, func(p *report) bool { return p.listed && !p.claimed }, r.finishReport)
	f.Observations = listed(&r.observations, (*observation).alone, r.finishObservation)
	f.Communications = listed(&r.communications, always, r.finishCommunication)
	f.Documents = listed(&r.documents, func(d *document) bool { return d.listed }, r.finishDocument)
	if len(f.Counts) == 0 {
		f.Counts = nil
	}
	return *f
}
