package sim

import (
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"time"
)

// summaryBundle makes the FHIR document behind a discharge summary. An Encounter of another visit stands in it too, before the
// right one: readers must go by Composition.encounter.
func (st *stay) summaryBundle(at time.Time) func(r *rand.Rand) object {
	return func(r *rand.Rand) object { return st.summary(r, at) }
}

func (st *stay) summary(r *rand.Rand, at time.Time) object {
	patient, doctor, condition := st.who.resource(false), practitioner(st.doctor), st.why.condition(st)
	encounter, places := st.encounter(patient, doctor, condition)

	earlier := *st
	earlier.id, earlier.visit, earlier.class, earlier.moves = derived("earlier", st.id), "V"+hexWord(r)[:6], "AMB", nil
	earlier.admitted = st.admitted.Add(-90 * 24 * time.Hour)
	earlier.discharged = earlier.admitted.Add(time.Hour)
	other, _ := earlier.encounter(patient, doctor, condition)

	plan := st.report(r, patient, at, "18776-5", "Plan of care note", st.why.plan)
	procedures := st.report(r, patient, at, "47519-4", "History of Procedures Document", st.why.procedure)
	code, title := "8653-8", "Hospital Discharge instructions"
	if oneIn(r, 4) { // the other code for the same section
		code, title = "74213-0", "Discharge instructions"
	}
	told := st.report(r, patient, at, code, title, st.instructions())

	composition := resource("Composition", uuid4(r),
		"status", "final",
		"type", concept(loincSystem, "18842-5", "Discharge summary"),
		"subject", reference(patient, ""),
		"encounter", reference(encounter, ""),
		"date", at,
		"author", list{reference(doctor, doctorName(st.doctor))},
		"title", "Discharge summary",
		"section", list{
			section("18776-5", "Plan of care note", plan),
			section("47519-4", "History of Procedures Document", procedures),
			section(code, title, told),
		})
	all := []object{composition, patient, other, encounter, condition, doctor, plan, procedures, told}
	return bundle("document", at, append(all, places...)...)
}

func section(code, title string, report object) object {
	return of("title", title, "code", concept(loincSystem, code, title), "entry", list{reference(report, "")})
}

// report carries the text of one section.
func (st *stay) report(r *rand.Rand, patient object, at time.Time, code, title, text string) object {
	return resource("DiagnosticReport", uuid4(r),
		"status", "final", "code", concept(loincSystem, code, title), "subject", reference(patient, ""),
		"effectiveDateTime", at,
		"presentedForm", list{of("contentType", "text/plain", "title", title,
			"data", base64.StdEncoding.EncodeToString([]byte(text)))})
}

func (st *stay) instructions() string {
	d := drugs[st.why.drug]
	return strings.Join([]string{
		"You were in hospital for: " + st.why.name + ".",
		st.why.told,
		"New medication: " + d.name + ". " + d.sig + ".",
		"Call your practice within two days.",
	}, "\n")
}
