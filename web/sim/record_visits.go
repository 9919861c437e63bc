package sim

import (
	"strconv"
	"time"
)

// visitsAndProcedures are the encounters at this clinic, what was done there, and the hospital's laboratory.
func (d *page) visitsAndProcedures() {
	who := doctorPrimary
	if d.profile.clinic != 0 && d.number == 1 {
		who = d.profile.clinic
	}
	place := d.resource("Location", "place", "name", d.clinic)
	for _, v := range d.visits(d.at) {
		if v.number%len(d.records) != d.number {
			continue
		}
		doctor := d.clinician(who)
		d.add(place, doctor, d.resource("Encounter", strconv.Itoa(v.number), "status", "finished", "class", coding(actCode, "AMB", "ambulatory"),
			"type", list{of("text", "Office visit")}, "subject", d.subject(),
			"participant", list{of("type", list{coded(coding(roleSystem, "PPRF", "primary performer"))}, "individual", reference(doctor, ""))},
			"period", of("start", v.seen(), "end", v.seen().Add(25*time.Minute)), "location", list{of("location", reference(place, ""))}))
		if d.number == 1 {
			d.hospitalLab(v, d.profile.panels[v.number%len(d.profile.panels)])
		}
	}
	for i, ail := range append(d.profile.ailments[:len(d.profile.ailments):len(d.profile.ailments)], ailAppendicitis) {
		m, ok := measures[ail]
		if !ok || d.number != i%len(d.records) || ail == ailAppendicitis && oneIn(d.who.chance("past0"), 2) {
			continue
		}
		day := time.Date(2016+i, 9, 3+i, 0, 0, 0, 0, time.UTC)
		d.add(d.resource("Procedure", m.snomed, "status", "completed", "code", concept(snomedSystem, m.snomed, m.name), "subject", d.subject(),
			"performedDateTime", day.Format(time.DateOnly)))
	}
}

// immunizations are kept by the first clinic, and some by the second too.
func (d *page) immunizations() {
	age := func(y int) int { return y - year(d.who.born) }
	for _, v := range vaccines {
		for _, y := range v.years {
			day := time.Date(y, time.Month(v.month), 2+d.offset%25, 0, 0, 0, 0, time.UTC)
			if d.number > 1 || d.number == 1 && y%2 == 0 || age(y) < v.from || day.After(d.at) || oneIn(d.who.chance(v.cvx+strconv.Itoa(y)), 4) {
				continue
			}
			d.add(d.resource("Immunization", v.cvx+strconv.Itoa(y), "status", "completed", "vaccineCode", concept("http://hl7.org/fhir/sid/cvx", v.cvx, v.name),
				"patient", d.subject(), "occurrenceDateTime", day.Format(time.DateOnly), "lotNumber", "SAMPLE"+v.cvx))
		}
	}
}

// team is who looks after the person, and who pays. Few records have a care team of their own.
func (c *chart) team() {
	d := &page{chart: c, keeper: c.records[0]}
	d.file = c.who.id[:8] + "_" + derived("document", c.who.id, d.clinic)[:13] + ".xml"
	if c.offset%3 == 0 {
		payer := d.resource("Organization", "payer", "name", insurer(c.who))
		d.add(payer, d.resource("Coverage", "coverage", "status", "active", "subscriberId", "SAMPLE"+c.who.id[:6], "beneficiary", d.subject(),
			"relationship", concept("http://terminology.hl7.org/CodeSystem/subscriber-relationship", "self", "Self"),
			"period", of("start", "2026-01-01"), "payor", list{reference(payer, "")}))
	}
	if !d.sources {
		return
	}
	members := list{}
	for _, i := range []int{doctorPrimary, c.profile.clinic} {
		if i == 0 {
			continue
		}
		doctor := d.clinician(i)
		d.add(doctor)
		members = append(members, of("role", list{of("text", doctors[i].specialty)}, "member", reference(doctor, doctorName(i))))
	}
	d.add(d.resource("CareTeam", "team", "status", "active", "name", "Care team", "subject", d.subject(), "participant", members))
}
