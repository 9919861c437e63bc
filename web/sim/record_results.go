package sim

import (
	"strconv"
	"time"
)

// happening is a small thing between visits, so that there is always something new.
type happening struct {
	occasion
	kind int
}

const (
	homeVitals = iota
	smallLab
	acuteAilment
	suspicion
)

// happenings are those up to a time, one every four days.
func (h health) happenings(at time.Time) (out []happening) {
	since := int(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).Sub(began).Hours() / 24)
	for _, o := range h.every(4, since-h.offset+h.offset%4, at) {
		kind := []int{homeVitals, homeVitals, smallLab, homeVitals, acuteAilment, homeVitals, smallLab, suspicion}[h.who.chance("happening"+strconv.Itoa(o.number)).IntN(8)]
		out = append(out, happening{o, kind})
	}
	return out
}

// vital is a vital sign with how far it strays from a person's usual value.
type vital struct {
	loinc, name, unit string
	usual, strays     float64
	digits            int
}

// vitals are those of each visit, and blood pressures measured at home. A clinic whose record is FHIR already sends a
// blood pressure as one thing with two parts; a document has the parts as two.
func (d *page) vitals() {
	for _, v := range d.visits(d.at) {
		d.vitalsAt("visit"+strconv.Itoa(v.number), v.seen(), []vital{
			{"8867-4", "Heart rate", "/min", 74, 8, 0}, {"8310-5", "Body temperature", "[degF]", 98.2, 0.5, 1}, {"9279-1", "Respiratory rate", "/min", 15, 2, 0},
			{"59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry", "%", 97, 1, 0}, {"29463-7", "Body weight", "kg", d.profile.kilos, 1.5, 1},
		})
	}
	for _, o := range d.happenings(d.at) {
		if o.kind == homeVitals {
			d.vitalsAt("home"+strconv.Itoa(o.number), o.seen(), nil)
		}
	}
	if visits := d.visits(d.at); len(visits) > 0 {
		d.add(d.sign("height", visits[0].seen(), vital{"8302-2", "Body height", "cm", 160 + float64(d.offset)/2, 0, 0}))
	}
}

func (d *page) vitalsAt(key string, at time.Time, signs []vital) {
	strays := d.who.chance(key)
	upper, lower := d.profile.systolic+9*strays.NormFloat64(), 78+6*strays.NormFloat64()
	category := list{concept(observationKind, "vital-signs", "Vital Signs")}
	part := func(loinc, name string, value float64) []any {
		return []any{"code", concept(loincSystem, loinc, name), "valueQuantity", of("value", number(value, 0), "unit", "mmHg", "system", ucumSystem, "code", "mm[Hg]")}
	}
	systolic, diastolic := part("8480-6", "Systolic blood pressure", upper), part("8462-4", "Diastolic blood pressure", lower)
	if d.sources {
		d.add(d.resource("Observation", key+"pressure", "status", "final", "category", category, "subject", d.subject(), "effectiveDateTime", at,
			"code", concept(loincSystem, "85354-9", "Blood pressure panel with all children optional"), "component", list{of(systolic...), of(diastolic...)}))
	} else {
		for i, side := range [][]any{systolic, diastolic} {
			d.add(d.resource("Observation", key+"pressure"+strconv.Itoa(i), append([]any{"status", "final", "category", category, "subject", d.subject(), "effectiveDateTime", at}, side...)...))
		}
	}
	for _, s := range signs {
		s.usual += s.strays * strays.NormFloat64()
		d.add(d.sign(key, at, s))
	}
}

func (d *page) sign(key string, at time.Time, v vital) object {
	return d.resource("Observation", key+v.loinc, "status", "final", "category", list{concept(observationKind, "vital-signs", "Vital Signs")},
		"code", concept(loincSystem, v.loinc, v.name), "subject", d.subject(), "effectiveDateTime", at,
		"valueQuantity", of("value", number(v.usual, v.digits), "unit", v.unit, "system", ucumSystem, "code", v.unit))
}

// laboratory are the results: those of the laboratory network in its shape, by visit and between visits, and those that
// this simulation told; a hospital's own are in its document.
func (c *chart) laboratory() {
	id := conversion("laboratory", c.who.id, strconv.Itoa(int(c.at.Unix()/(3*24*3600))))
	var orders []laboratoryOrder
	order := func(what int, o occasion, most int) {
		p := panels[what]
		l := laboratoryOrder{who: c.who, name: p.order, requisition: requisition(c.who, o.day, what), collected: o.day, served: o.day.AddDate(0, 0, 1),
			doctor: doctorPrimary, office: offices[c.offset%len(offices)], worded: c.offset%4 == 0}
		for _, a := range p.analytes[:min(most, len(p.analytes))] {
			l.rows = append(l.rows, a.row(c.who.chance(a.loinc), c.measured(a, o.day), false))
		}
		if l.served.Before(c.at) && len(l.rows) > 0 {
			orders = append(orders, l)
		}
	}
	for _, v := range c.visits(c.at) {
		order(c.profile.panels[v.number%len(c.profile.panels)], v, 99)
	}
	for _, o := range c.happenings(c.at) {
		if o.kind == smallLab {
			order(c.profile.panels[0], o.occasion, 1)
		}
	}
	if orders = append(orders, c.known.orders...); len(orders) > 0 {
		c.add(laboratoryResources(id, orders...)...)
	}
}

// requisition is the number of an order.
func requisition(p person, day time.Time, what int) string {
	return derived(p.id, day.Format(time.DateOnly), strconv.Itoa(what))[:8]
}

// hospitalLab is a panel in a clinic's document: with clocks, words and ranges, and one report for all of it.
func (d *page) hospitalLab(v occasion, what int) {
	p, key := panels[what], "lab"+strconv.Itoa(v.number)
	results := list{}
	for _, a := range p.analytes {
		value := d.measured(a, v.day.AddDate(0, 0, 2))
		o := d.resource("Observation", key+a.loinc, "status", "final", "category", list{concept(observationKind, "laboratory", "Laboratory")},
			"code", concept(loincSystem, a.loinc, a.name), "subject", d.subject(), "effectiveDateTime", v.seen(),
			"valueQuantity", of("value", number(value, a.digits), "unit", a.unit, "system", ucumSystem, "code", a.unit),
			"referenceRange", a.reference(), "interpretation", interpretation(a.flag(value), d.sources))
		d.add(o)
		results = append(results, reference(o, ""))
	}
	d.add(d.resource("DiagnosticReport", key, "status", "final", "category", list{coded(coding(diagnosticKind, "LAB", "Laboratory"))},
		"code", concept(loincSystem, p.loinc, p.name), "subject", d.subject(), "effectivePeriod", of("start", v.seen(), "end", v.seen()), "result", results))
}
