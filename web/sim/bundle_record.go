package sim

import (
	"bytes"
	"compress/gzip"
	"math/rand/v2"
	"time"
)

// record is the patient's consolidated FHIR record, as the network queries and the consolidated data point at it.
func (p person) record(r *rand.Rand, at time.Time) object {
	patient := p.resource(false)
	all := []object{patient}
	for range 3 + r.IntN(4) {
		c := pick(r, major)
		all = append(all, resource("Condition", uuid4(r),
			"code", concept(icdSystem, c.icd, c.name), "subject", reference(patient, ""),
			"onsetDateTime", at.Add(-between(r, 24*time.Hour, 3000*24*time.Hour)).Format(time.DateOnly)))
	}
	for range 2 + r.IntN(4) {
		d := pick(r, drugs)
		all = append(all, resource("MedicationRequest", uuid4(r), "status", "active", "intent", "order",
			"medicationCodeableConcept", concept(rxnormSystem, d.rxnorm, d.name),
			"subject", reference(patient, ""), "dosageInstruction", list{of("text", d.sig)}))
	}
	collected := at.Add(-between(r, 24*time.Hour, 200*24*time.Hour)).Truncate(time.Second)
	all = append(all, draw{who: p, what: panelBMP, at: collected}.observations(r, patient, "final")...)
	all = append(all, draw{who: p, what: panelA1c, at: collected}.observations(r, patient, "final")...)
	all = append(all, resource("AllergyIntolerance", uuid4(r), "code", of("text", "Penicillin"),
		"patient", reference(patient, ""), "reaction", list{of("manifestation", list{of("text", "Hives")})}))
	return bundle("searchset", at, all...)
}

func (p person) recordFile(at time.Time) content {
	return jsonFile("consolidated-"+p.id[:8]+".json", func(r *rand.Rand) object { return p.record(r, at) })
}

// recordGzip is the same file compressed, by real gzip.
func (p person) recordGzip(at time.Time) content {
	return content{"consolidated-" + p.id[:8] + ".json.gz", "application/gzip", func(r *rand.Rand) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(encode(p.record(r, at))) // a buffer takes everything
		_ = z.Close()
		return b.Bytes()
	}}
}

// communication is the FHIR Communication behind a received message.
func (l letter) communication(r *rand.Rand) object {
	payload := list{of("contentString", l.body)}
	for _, a := range l.attachments {
		payload = append(payload, of("contentAttachment", a))
	}
	about := object(nil)
	if l.about != nil {
		about = reference(l.about.resource(false), "")
	}
	answered := list(nil)
	if l.answers != "" {
		answered = list{of("reference", "Communication/"+l.answers)}
	}
	c := resource("Communication", l.id,
		"status", "completed",
		"category", list{of("text", "Secure message")},
		"subject", about,
		"topic", of("text", l.subject),
		"inResponseTo", answered,
		"sent", l.sent, "received", l.received,
		"recipient", list{of("display", l.destination)},
		"sender", of("display", l.from),
		"payload", payload)
	if !oneIn(r, 2) {
		return c
	}
	all := []object{c}
	if l.about != nil {
		all = append(all, l.about.resource(false))
	}
	return bundle("collection", l.received, all...)
}
