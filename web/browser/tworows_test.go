//go:build browser

package browser

import (
	"testing"

	"carebell/web/care"
	"carebell/web/metriport"
)

// factsOf is what the records of the sender's usual notices say, long rather than short.
var factsOf = map[metriport.Type][]care.Facts{
	metriport.PatientAdmit: {
		{Encounter: &care.Encounter{Reasons: []string{"Shortness of breath and swelling of both legs"}, Facility: "Kestrel Valley Medical Center", Class: "inpatient", Attending: "Dr. Sample Hospitalist", Exchange: "BAMBOO"}},
		{},
	},
	metriport.PatientDischarge: {
		{Encounter: &care.Encounter{Diagnoses: []string{"Acute on chronic heart failure"}, Disposition: "Home with home health", Facility: "Larkspur Community Hospital", Class: "inpatient", SeenBy: []string{"Dr. Sample Attending", "Dr. Placeholder Consultant"}, Exchange: "HIXNY"}},
	},
	metriport.PatientTransfer: {{Encounter: &care.Encounter{Facility: "Kestrel Valley Medical Center", Class: "emergency", Attending: "Dr. Sample Hospitalist"}}},
	metriport.PatientPharmacy: {{Fills: []care.Fill{{
		Drug: "Amoxicillin 875 MG / clavulanate 125 MG tablet", Quantity: "20 tablets", DaysSupply: "10", Filled: "2026-04-21", Number: "1", Schedule: "II",
		Prescriber: care.Contact{Name: "Dr. Sample Prescriber"}, Pharmacy: care.Contact{Name: "Birchwood Outpatient Pharmacy"}, Exchange: "SURESCRIPTS",
	}}}},
	metriport.PatientLaboratory: {
		{Panels: []care.Panel{{Name: "Basic metabolic panel - Blood", OrderedBy: care.Contact{Name: "PHYSICIAN,PLACEHOLDER"}, Exchange: "QUEST", Results: []care.Result{
			{Name: "Potassium [Moles/volume] in Serum or Plasma", Value: "6.9", Unit: "mmol/L", Low: "3.5", High: "5.1", Flag: "HH", Computed: true},
		}}}},
		{Panels: []care.Panel{{Name: "CBC panel - Blood by Automated count", Results: []care.Result{
			{Name: "Leukocytes [#/volume] in Blood by Automated count", Value: "3.3", Unit: "10*3/uL", Low: "4.0", High: "11.0", Flag: "L"},
		}}}},
	},
}

// TestARowOfTheFeedHasTwoLines on a wide screen, whatever kind it is and whatever is known of it, beside its buttons.
func TestARowOfTheFeedHasTwoLines(t *testing.T) {
	c := newClinic(t)
	for kind, all := range factsOf {
		for _, facts := range all {
			c.send(kind) // of which nothing more is known
			_, row := c.send(kind)
			c.Settled(t)
			facts.Read = true
			c.facts(row, facts)
		}
	}
	c.send(metriport.DischargeSummary)
	c.event("late", "patient.admit", `,"admitTimestamp":"2026-01-02T03:04:05Z"`)
	c.event("never", "patient.admit", "")
	c.Settled(t)
	b := c.ann()
	kinds := eval[[]string](b, `[...new Set([...document.querySelectorAll("#feed > .row > .kind")].map((e) => e.innerText))]`)
	if len(kinds) < 6 {
		t.Errorf("the rows are of %d kinds alone: %q", len(kinds), kinds)
	}
	// A row's buttons and who marked it are two lines of their own, of 24 px and more for the finger.
	for _, line := range eval[[]string](b, `(() => {
		const lines = (e) => { const s = getComputedStyle(e); const r = document.createRange(); r.selectNodeContents(e);
			const tops = [...r.getClientRects()].filter((c) => c.width > 1).map((c) => Math.round(c.top + c.height / 2)).sort((a, b) => a - b);
			return tops.filter((y, i) => i === 0 || y - tops[i - 1] > 9).length; };
		const out = [];
		for (const row of document.querySelectorAll("#feed > .row")) {
			if (row.offsetHeight > 70) out.push(row.offsetHeight + " px: " + row.innerText);
			const first = row.querySelector(".fact > span");
			if (lines(first) > 1) out.push("the fact wraps: " + first.innerText);
		}
		return out.slice(0, 20);
	})()`) {
		t.Errorf("%s", line)
	}
	b.always("a critical row has a bar and the word", `[...document.querySelectorAll("#feed > .row.is-critical")].every((r) => getComputedStyle(r).boxShadow.includes("inset") && /critical/.test(r.innerText))
		&& document.querySelector("#feed > .row.is-critical") !== null`)
}
