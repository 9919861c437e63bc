package fhir

// DatesAsDays makes days of the dates of fills, prescriptions, reports and results that are UTC midnights: that is how the
// bundle of a pharmacy or a laboratory writes a day (contract.md). It is not for other bundles; there the reader does it
// for what comes from such a network.
func (f *Facts) DatesAsDays() {
	for i := range f.Dispenses {
		d := &f.Dispenses[i]
		d.Prepared, d.HandedOver, d.Written = d.Prepared.AsDay(), d.HandedOver.AsDay(), d.Written.AsDay()
	}
	for i := range f.Prescriptions {
		f.Prescriptions[i].Authored = f.Prescriptions[i].Authored.AsDay()
	}
	for i := range f.Reports {
		r := &f.Reports[i]
		r.Effective, r.Issued = r.Effective.AsDay(), r.Issued.AsDay()
		datesAsDays(r.Results)
	}
	datesAsDays(f.Observations)
}

func datesAsDays(all []Observation) {
	for i := range all {
		all[i].Effective, all[i].Issued = all[i].Effective.AsDay(), all[i].Issued.AsDay()
	}
}
