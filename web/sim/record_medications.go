package sim

import (
	"strconv"
	"time"
)

// course is a drug that a person takes, and since when.
type course struct {
	drug
	since   time.Time
	stopped time.Time // zero while it goes on
}

// courses are the drugs of the person's profile. One in six was stopped, with the last fill running out.
func (h health) courses() (out []course) {
	for i, d := range h.profile.drugs {
		c := course{drug: drugs[d], since: time.Date(2023, time.Month(1+h.who.chance("since"+strconv.Itoa(i)).IntN(30)), 1+h.offset, 0, 0, 0, 0, time.UTC)}
		if i > 0 && oneIn(h.who.chance("stopped"+strconv.Itoa(d)), 6) {
			c.stopped = c.since.AddDate(1, 4, 0)
		}
		out = append(out, c)
	}
	return out
}

// medications are the clinic's list: what the patient says that they take, or what was ordered.
func (d *page) medications() {
	for i, c := range d.courses() {
		if c.since.After(d.at) || !d.mentions("drug"+c.name) {
			continue
		}
		state, period := "active", of("start", c.since.Format(time.DateOnly))
		if !c.stopped.IsZero() && c.stopped.Before(d.at) {
			state, period = "completed", append(period, member{"end", c.stopped.Format(time.DateOnly)})
		}
		medication := d.medication(c.drug)
		d.add(medication)
		if (i+d.number)%2 == 0 {
			d.add(d.resource("MedicationStatement", c.ndc, "status", state, "medicationReference", reference(medication, ""), "subject", d.subject(),
				"effectivePeriod", period, "dosage", list{of("text", c.sig)}))
			continue
		}
		d.add(d.orderer(), d.resource("MedicationRequest", c.ndc, "intent", "order", "status", state, "medicationReference", reference(medication, ""),
			"subject", d.subject(), "authoredOn", c.since.Add(16*time.Hour), "requester", reference(d.orderer(), ""), "dosageInstruction", list{of("text", c.sig)}))
	}
}

// medication is the Medication that every source of the record shares where they agree on its RxNorm code.
func (d *page) medication(what drug) object {
	if what.rxnorm == "" {
		return d.resource("Medication", what.ndc, "code", of("text", what.name, "coding", list{of("display", what.name)}))
	}
	return resource("Medication", sharedMedication(d.who, what), "code", concept(rxnormSystem, what.rxnorm, what.name))
}

func sharedMedication(p person, what drug) string { return derived(p.id, "medication", what.rxnorm) }

// orderer is the doctor who signs at this clinic.
func (d *page) orderer() object { return d.clinician(doctorPrimary + d.number%2) }

func (d *page) clinician(i int) object {
	who := doctors[i]
	var telecom list
	if who.phone != "" {
		telecom = list{of("system", "phone", "value", who.phone, "use", "work")}
	}
	return d.resource("Practitioner", who.npi, "identifier", list{of("system", npiSystem, "value", who.npi)},
		"name", list{of("family", who.family, "given", list{who.given}, "prefix", list{"Dr."})}, "telecom", telecom,
		"qualification", list{of("code", of("text", who.specialty))})
}

// fillDays are when a course was filled: as long as the supply lasts and a few days later each time, from the first day
// that the network keeps. The last of a person's drugs has not been filled for long.
func (h health) fillDays(c course, at time.Time, last bool) (out []filled) {
	on := c.since
	if kept := time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, h.offset); on.Before(kept) {
		on = kept
	}
	until := at
	if !c.stopped.IsZero() && c.stopped.Before(at) {
		until = c.stopped
	}
	if last {
		until = until.AddDate(0, 0, -3*c.days)
	}
	var written time.Time
	for k := 0; on.Before(until); k++ {
		number := k % (c.refills + 1)
		if number == 0 {
			written = on.AddDate(0, 0, -1)
		}
		out = append(out, filled{what: c.drug, on: on, written: written, number: number, doctor: doctorPrimary, shop: h.offset % len(pharmacies), directed: k%2 == 0})
		on = on.AddDate(0, 0, max(c.days, 25)+h.who.chance(c.ndc+strconv.Itoa(k)).IntN(6))
	}
	return out
}

// history is what the pharmacy network knows of a person at a time, beside what it told in this simulation.
func (h health) history(at time.Time) (rows []filled) {
	courses := h.courses()
	for i, c := range courses {
		rows = append(rows, h.fillDays(c, at, i > 1 && i == len(courses)-1)...)
	}
	return rows
}

// pharmacy are the fills. The sender makes their ids anew whenever it asks the network, about every third day here.
func (c *chart) pharmacy() {
	id := conversion("pharmacy", c.who.id, strconv.Itoa(int(c.at.Unix()/(3*24*3600))))
	shared := func(words ...string) string {
		if words[0] == "medication" {
			for _, d := range drugs {
				if d.ndc == words[1] && d.rxnorm != "" {
					return sharedMedication(c.who, d)
				}
			}
		}
		return id(words...)
	}
	f := fills{who: c.who, rows: append(c.history(c.at), c.known.fills...), insured: c.offset%3 != 0}
	c.add(f.resources(shared)...)
}
