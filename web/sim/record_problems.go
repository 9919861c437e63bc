package sim

import (
	"strconv"
	"time"
)

// problems are those of the profile, those of the past, and what comes and goes.
func (d *page) problems() {
	for i, ail := range d.profile.ailments {
		onset := time.Date(2009+d.who.chance("onset"+strconv.Itoa(i)).IntN(14), time.Month(1+i*2), 3+d.offset%20, 0, 0, 0, 0, time.UTC)
		if d.mentions(strconv.Itoa(ail)) {
			d.problem(ail, strconv.Itoa(i), onset, time.Time{})
		}
	}
	for i, p := range past {
		over := time.Date(year(d.who.born)+p.age, 4, 2+d.offset%20, 0, 0, 0, 0, time.UTC)
		if over.Before(began) && oneIn(d.who.chance("past"+strconv.Itoa(i)), 2) && d.mentions("past") {
			d.problem(p.ail, "past"+strconv.Itoa(i), over.AddDate(0, 0, -12), over)
		}
	}
	if d.number != 0 {
		return
	}
	for _, o := range d.happenings(d.at) {
		switch o.kind {
		case acuteAilment:
			over := o.day.AddDate(0, 0, 9)
			if over.After(d.at) {
				over = time.Time{}
			}
			d.problem([]int{ailBronchitis, ailUrinary, ailBackPain}[o.number%3], "acute"+strconv.Itoa(o.number), o.day, over)
		case suspicion:
			if d.at.Before(o.day.AddDate(0, 0, 6)) { // ruled out after that, and gone from the record
				d.add(d.resource("Condition", "suspicion"+strconv.Itoa(o.number), "clinicalStatus", status("active", "55561003", "Active"),
					"verificationStatus", coded(coding(verifiedStatus, "provisional", "Provisional")),
					"code", concept(snomedSystem, "128053003", "Deep venous thrombosis"), "subject", d.subject(), "onsetPeriod", of("start", o.day.Format(time.DateOnly))))
			}
		}
	}
}

// status is a clinical status with the code of the document, after the one that the sender finds for it.
func status(word, snomed, say string) object {
	return coded(coding(clinicalStatus, word, ""), coding(snomedSystem, snomed, say))
}

func (d *page) problem(ail int, key string, onset, over time.Time) {
	period := of("start", onset.Format(time.DateOnly))
	now := status("active", "55561003", "Active")
	if !over.IsZero() {
		period = append(period, member{"end", over.Format(time.DateOnly)})
		now = status("resolved", "413322009", "Resolved")
	}
	c := d.resource("Condition", key, "clinicalStatus", now,
		"category", list{coded(coding(conditionType, "problem-list-item", "Problem List Item"))},
		"code", d.ailment(ailments[ail]), "subject", d.subject(), "onsetPeriod", period)
	if d.number == 0 && ail%3 == 0 { // the sender found it twice, with the same code
		c = marked(c, foldedIn("Condition/"+d.id("folded", key)))
	}
	d.add(c)
}

// ailment is a problem in the code of this clinic. For a SNOMED code the sender looks up that of ICD-10, and finds most.
func (d *page) ailment(a ailment) object {
	switch {
	case d.worded == 2:
		return of("text", a.words, "coding", list{of("display", a.words)})
	case d.worded == 1 || a.snomed == "":
		return of("text", a.icdName, "coding", list{coding(icdSystem, a.icd, a.icdName)})
	case len(a.snomed)%2 == 0:
		return of("text", a.snomedName, "coding", list{coding(icdSystem, a.icd, a.icdName), coding(snomedSystem, a.snomed, a.snomedName)})
	default:
		return of("text", a.snomedName, "coding", list{coding(snomedSystem, a.snomed, a.snomedName)})
	}
}

// unknownConcept is what the converter of documents writes where nothing is said.
func unknownConcept() object {
	return of("coding", list{coding("http://terminology.hl7.org/ValueSet/v3-Unknown", "UNK", "unknown")}, "text", "unknown")
}

// allergies name the substance in the reaction alone, as the converter of documents does; a record that says where it
// comes from names it in the code too. "No known allergies" is a statement; nothing is nothing.
func (d *page) allergies() {
	active := coded(coding(allergyStatus, "active", ""))
	if d.denies && d.number == 0 {
		if d.sources {
			d.add(d.resource("AllergyIntolerance", "none", "clinicalStatus", active, "code", concept(snomedSystem, "716186003", "No known allergy"), "patient", d.subject()))
		} else {
			d.add(d.resource("AllergyIntolerance", "none", "clinicalStatus", active, "patient", d.subject(),
				"reaction", list{of("substance", of("text", "No known allergies", "coding", list{coding(snomedSystem, "716186003", "No known allergies")}), "manifestation", list{unknownConcept()})}))
		}
		return
	}
	for i, a := range d.allergic {
		if !d.mentions("allergy" + a.code) {
			continue
		}
		manifestation := unknownConcept()
		if a.reaction != "" {
			manifestation = concept(snomedSystem, a.reactionCode, a.reaction)
		}
		reaction := of("substance", concept(a.system, a.code, a.name), "manifestation", list{manifestation}, "severity", a.severity)
		onset := time.Date(2011+i*3, 5, 4+i, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
		pairs := []any{"clinicalStatus", active, "patient", d.subject(), "onsetDateTime", onset, "reaction", list{reaction}}
		if d.sources && i%2 == 0 {
			pairs = append(pairs, "code", concept(a.system, a.code, a.name), "type", "allergy", "category", list{a.kind})
		}
		d.add(d.resource("AllergyIntolerance", a.code, pairs...))
	}
}
