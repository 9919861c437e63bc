package chart_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"carebell/web/care"
)

// resource is one in the sender's shape: it says where it comes from.
func resource(source, kind, id, rest string) string {
	return fmt.Sprintf(`{"fullUrl":"urn:uuid:%s","resource":{"resourceType":%q,"id":%q,"extension":[{"url":"https://public.metriport.com/fhir/StructureDefinition/data-source.json","valueCoding":{"code":%q}}]%s}}`, id, kind, id, source, rest)
}

func bundleOf(resources ...string) string {
	return `{"resourceType":"Bundle","type":"collection","entry":[` + strings.Join(resources, ",") + `]}`
}

// noticeOf is what stands in the chart of a notice.
type noticeOf struct {
	Facility, Exchange string
	Facts              care.Facts
}

// shownOf lets one event with one file arrive, and returns what the chart says of it. It fails where a rebuild says another
// thing.
func shownOf(t *testing.T, kind, fields, file string) noticeOf {
	t.Helper()
	const link = recordStore + "/one"
	r := openRecords(t, map[string]string{link: file})
	r.receive(t, fmt.Appendf(nil, `{"meta":{"messageId":"one","when":"2026-11-22T10:00:00Z","type":%q},"payload":{"patientId":"p","url":%q%s}}`, kind, link, fields))
	r.settle(t)
	rebuilt(t, r, kind)
	row := r.rows(t, `SELECT json_object('facility', facility, 'exchange', exchange, 'facts', json(facts)) FROM notification`)
	var out noticeOf
	if err := json.Unmarshal([]byte(row[0]), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTheEncounterOfANoticeIsTheOneOfItsTimes(t *testing.T) {
	encounter := func(id, status, start, end, reason string) string {
		period := ""
		if start+end != "" {
			period = fmt.Sprintf(`,"period":{"start":%q,"end":%q}`, start, end)
		}
		return resource("BAMBOO", "Encounter", id, fmt.Sprintf(`,"status":%q,"class":{"code":"SS"}%s,"reasonCode":[{"text":%q}]`, status, period, reason))
	}
	session := func(day, reason string) string {
		return encounter("e", "finished", "2026-11-"+day+"T08:00:00Z", "2026-11-"+day+"T12:00:00Z", reason)
	}
	admit := func(at string) string { return fmt.Sprintf(`,"admitTimestamp":%q`, at) }
	for name, c := range map[string]struct {
		kind, fields string
		file         []string
		want         string // the reason
	}{
		"of one id, the one that began then":                {"patient.discharge", admit("2026-11-18T08:20:00Z") + `,"dischargeTimestamp":"2026-11-18T12:10:00Z"`, []string{session("16", "first"), session("18", "second"), session("20", "third")}, "second"},
		"by the discharge alone":                            {"patient.discharge", `,"dischargeTimestamp":"2026-11-16T12:00:00Z"`, []string{session("16", "first"), session("18", "second"), session("20", "third")}, "first"},
		"the one that was running":                          {"patient.admit", admit("2026-11-18T10:30:00Z"), []string{session("16", "first"), session("18", "second")}, "second"},
		"without a period before another day":               {"patient.admit", admit("2026-11-22T08:00:00Z"), []string{session("16", "first"), session("18", "second"), encounter("e", "unknown", "", "", "timeless")}, "timeless"},
		"the notice says nothing: the later of two stays":   {"patient.discharge", "", []string{session("16", "first"), encounter("e", "in-progress", "2026-11-20T08:00:00Z", "", "later")}, "later"},
		"none of its times: the later of the finished ones": {"patient.admit", admit("2026-11-01T08:00:00Z"), []string{session("16", "first"), session("18", "second")}, "second"},
		"of other ids, too, the one of its times":           {"patient.admit", admit("2026-11-16T08:00:00Z"), []string{encounter("other", "finished", "2026-11-20T08:00:00Z", "2026-11-20T09:00:00Z", "other"), session("16", "first")}, "first"},
		"of other ids, else the latest":                     {"patient.admit", "", []string{encounter("other", "in-progress", "2026-11-20T08:00:00Z", "", "other"), session("16", "first")}, "other"},
		"another patient's never":                           {"patient.admit", admit("2026-11-16T08:00:00Z"), []string{resource("BAMBOO", "Patient", "a", ""), resource("BAMBOO", "Patient", "b", ""), resource("BAMBOO", "Condition", "c", `,"subject":{"reference":"Patient/a"}`), resource("BAMBOO", "Condition", "d", `,"subject":{"reference":"Patient/a"}`), resource("BAMBOO", "Encounter", "e", `,"subject":{"reference":"Patient/b"},"reasonCode":[{"text":"b's"}]`)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				n := shownOf(t, c.kind, c.fields, strings.ReplaceAll(bundleOf(c.file...), `,"end":""`, ""))
				switch e := n.Facts.Encounter; {
				case e == nil && c.want == "" && n.Facts.Read:
				case e == nil || !slices.Equal(e.Reasons, []string{c.want}):
					t.Errorf("%+v, want %s", e, c.want)
				}
				slices.Reverse(c.file)
			}
		})
	}
}

func TestFactsOfAStayInTheConvertersShape(t *testing.T) {
	n := shownOf(t, "patient.discharge", `,"admitTimestamp":"2026-11-20T10:00:00Z","dischargeTimestamp":"2026-11-22T09:30:00Z","whenSourceSent":"2026-11-22T09:50:00Z"`, bundleOf(
		resource("BAMBOO", "Patient", "p", `,"name":[{"family":"Sample","given":["Ines"]}],"birthDate":"19500304"`),
		resource("BAMBOO", "Encounter", "e", `,"status":"in-progress","class":{"code":"EMER"},"period":{"start":"2026-11-20T10:00:00.000Z"},"reasonCode":[{"coding":[{"system":"http://snomed.info/sct","code":"267036007","display":"Dyspnea"}]}],
			"participant":[{"individual":{"reference":"Practitioner/dr"}}],"location":[{"location":{"reference":"Location/l"}}]`),
		resource("BAMBOO", "Encounter", "e", `,"status":"finished","class":{"code":"AMB"},"period":{"start":"2026-11-20T10:15:00.000Z","end":"2026-11-22T09:30:00.000Z"},"diagnosis":[{"condition":{"reference":"Condition/c"}}]`),
		resource("BAMBOO", "Condition", "c", `,"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"I50.9","display":"Heart failure"}]}`),
		resource("BAMBOO", "Practitioner", "dr", `,"name":[{"family":"Attending","given":["Avery"]}]`),
		resource("BAMBOO", "Location", "l", `,"name":"Larkspur Community Hospital"`),
	))
	want := noticeOf{"Larkspur Community Hospital", "BAMBOO", care.Facts{Read: true, Exchanges: []string{"BAMBOO"}, Encounter: &care.Encounter{
		ID: "e", Status: "finished", Start: "2026-11-20T10:15:00Z", End: "2026-11-22T09:30:00Z", Facility: "Larkspur Community Hospital", Class: "ambulatory or unknown",
		ClassUnsure: true, Reasons: []string{"Dyspnea"}, Diagnoses: []string{"Heart failure"}, Attending: "Avery Attending", Exchange: "BAMBOO",
		Codes: []string{"http://hl7.org/fhir/sid/icd-10-cm|I50.9", "http://snomed.info/sct|267036007"},
	}}}
	if !reflect.DeepEqual(n, want) {
		t.Errorf("got\n%+v %+v\nwant\n%+v %+v", n, n.Facts.Encounter, want, want.Facts.Encounter)
	}
}

func TestFactsOfAStayWhoseEncounterIsGone(t *testing.T) {
	n := shownOf(t, "patient.admit", "", bundleOf(
		resource("HIXNY", "Patient", "p", ""),
		resource("HIXNY", "Condition", "c", `,"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"I50.9","display":"Heart failure"}]}`),
		resource("HIXNY", "Practitioner", "dr", `,"name":[{"family":"Attending","given":["Avery"]}]`),
		resource("HIXNY", "Location", "l", `,"name":"Larkspur Comm Hosp - Main"`),
	))
	want := noticeOf{"Larkspur Comm Hosp - Main", "HIXNY", care.Facts{Read: true, Exchanges: []string{"HIXNY"}, Encounter: &care.Encounter{
		Facility: "Larkspur Comm Hosp - Main", Diagnoses: []string{"Heart failure"}, Attending: "Avery Attending", Exchange: "HIXNY", Codes: []string{"http://hl7.org/fhir/sid/icd-10-cm|I50.9"},
	}}}
	if !reflect.DeepEqual(n, want) {
		t.Errorf("got\n%+v %+v\nwant\n%+v %+v", n, n.Facts.Encounter, want, want.Facts.Encounter)
	}
}

func TestAFileThatHoldsNothingIsReadAllTheSame(t *testing.T) {
	for _, kind := range []string{"patient.admit", "patient.discharge", "patient.pharmacy", "patient.laboratory", "patient.discharge-summary"} {
		n := shownOf(t, kind, "", bundleOf(resource("SURESCRIPTS", "Patient", "p", "")))
		if want := (noticeOf{"", "SURESCRIPTS", care.Facts{Read: true, Exchanges: []string{"SURESCRIPTS"}}}); !reflect.DeepEqual(n, want) {
			t.Errorf("%s: %+v, want %+v", kind, n, want)
		}
	}
}

// filledAt is a fill in the pharmacy network's shape.
func filledAt(id, drug, at, more string) string {
	return resource("SURESCRIPTS", "MedicationDispense", id, fmt.Sprintf(`,"status":"completed","medicationCodeableConcept":{"text":%q},"whenHandedOver":%q,"quantity":{"value":30,"unit":"Tablet"},
		"performer":[{"actor":{"display":"Sample Street Pharmacy"}}]%s`, drug, at, more))
}

func TestFactsOfFills(t *testing.T) {
	n := shownOf(t, "patient.pharmacy", "", bundleOf(
		filledAt("a", "Lisinopril  10 MG", "2026-11-20T00:00:00.000Z", `,"daysSupply":{"value":2,"unit":"wk"},"authorizingPrescription":[{"reference":"MedicationRequest/r"}]`),
		filledAt("b", "lisinopril 10 mg", "2026-11-20T00:00:00.000Z", ""), // the same again
		strings.Replace(filledAt("c", "Lisinopril 10 MG", "2026-11-20T00:00:00.000Z", ""), `"value":30`, `"value":90`, 1),
		strings.Replace(filledAt("d", "Aspirin", "2026-11-21T00:00:00.000Z", `,"daysSupply":{"value":3,"unit":"month"}`), `"completed"`, `"declined"`, 1),
		resource("SURESCRIPTS", "MedicationRequest", "r", `,"authoredOn":"2026-11-19T00:00:00.000Z","requester":{"display":"Robin Prescriber"},"dispenseRequest":{"numberOfRepeatsAllowed":3}`),
	))
	pharmacy := care.Contact{Name: "Sample Street Pharmacy"}
	want := []care.Fill{
		{Drug: "Aspirin", Code: "aspirin", Quantity: "30 Tablet", Filled: "2026-11-21", Status: "declined", Pharmacy: pharmacy, Exchange: "SURESCRIPTS"},
		{Drug: "Lisinopril 10 MG", Code: "lisinopril 10 mg", Quantity: "30 Tablet", Filled: "2026-11-20", DaysSupply: "14", Number: "3", Written: "2026-11-19", Pharmacy: pharmacy, Prescriber: care.Contact{Name: "Robin Prescriber"}, Exchange: "SURESCRIPTS"},
		{Drug: "Lisinopril 10 MG", Code: "lisinopril 10 mg", Quantity: "90 Tablet", Filled: "2026-11-20", Pharmacy: pharmacy, Exchange: "SURESCRIPTS"},
	}
	for i := range n.Facts.Fills {
		n.Facts.Fills[i].Drug = strings.Join(strings.Fields(n.Facts.Fills[i].Drug), " ")
	}
	if !reflect.DeepEqual(n.Facts.Fills, want) || n.Facts.MoreFills != 0 || n.Exchange != "SURESCRIPTS" {
		t.Errorf("got\n%+v\nwant\n%+v", n.Facts.Fills, want)
	}
}

func TestOfHundredsOfFillsANoticeHasTheNewest(t *testing.T) {
	var all []string
	for i := range 300 {
		all = append(all, filledAt(fmt.Sprint("f", i), fmt.Sprint("Drug ", i%40), fmt.Sprintf("2026-%02d-%02dT00:00:00.000Z", 1+i%10, 1+i/12), ""))
	}
	n := shownOf(t, "patient.pharmacy", "", bundleOf(all...))
	if len(n.Facts.Fills) != 20 || n.Facts.MoreFills != 280 {
		t.Fatalf("%d fills and %d more", len(n.Facts.Fills), n.Facts.MoreFills)
	}
	for _, f := range n.Facts.Fills {
		if f.Filled < "2026-10-06" {
			t.Errorf("%s is not among the newest", f.Filled)
		}
	}
}

func TestFactsOfALaboratorysReports(t *testing.T) {
	text := func(words string) string {
		return fmt.Sprintf(`,"presentedForm":[{"contentType":"text/plain","data":%q}]`, base64.StdEncoding.EncodeToString([]byte(words)))
	}
	report := func(id, order, result, rest string) string {
		if result != "" {
			result = fmt.Sprintf(`,"result":[{"reference":"Observation/%s"}]`, result)
		}
		return resource("QUEST", "DiagnosticReport", id, fmt.Sprintf(`,"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"1-1"}]},"effectiveDateTime":"2026-11-20T00:00:00.000Z","issued":"2026-11-21T00:00:00.000Z","basedOn":[{"reference":"ServiceRequest/%s"}]%s%s`, order, result, rest))
	}
	test := func(id, name, rest string) string {
		return resource("QUEST", "Observation", id, fmt.Sprintf(`,"status":"final","code":{"text":%q,"coding":[{"system":"http://questdiagnostics.com/local-result-code","code":"25"}]}%s`, name, rest))
	}
	n := shownOf(t, "patient.laboratory", "", bundleOf(
		resource("QUEST", "Patient", "p", ""),
		resource("QUEST", "ServiceRequest", "lipids", `,"code":{"text":"LIPID PANEL"},"requester":{"reference":"Practitioner/dr"},"locationReference":[{"reference":"Location/site"}]`),
		resource("QUEST", "ServiceRequest", "culture", `,"code":{"text":"CULTURE, URINE"},"specimen":[{"reference":"Specimen/s"}]`),
		resource("QUEST", "Practitioner", "dr", `,"name":[{"text":"HOSPITALIST,SAMPLE"}],"identifier":[{"system":"http://hl7.org/fhir/sid/us-npi","value":"1234567893"}]`),
		resource("QUEST", "Location", "site", `,"name":"SAMPLE FAMILY PRACTICE","telecom":[{"system":"phone","value":"555-0142"}]`),
		resource("QUEST", "Specimen", "s", `,"type":{"text":"Urine"}`),
		report("r1", "lipids", "o1", text("One comment")), report("r2", "lipids", "o2", text("Another comment")), report("r3", "culture", "o3", text("ESCHERICHIA COLI")), report("r4", "culture", "", text("TEST NOT PERFORMED. No specimen.")),
		test("o1", "CHOLESTEROL", `,"valueQuantity":{"value":250,"unit":"mg/dL"},"referenceRange":[{"high":{"value":200}}],"interpretation":[{"coding":[{"code":"H"}]}]`),
		test("o2", "TRIGLYCERIDES", `,"valueString":"<10","referenceRange":[{"high":{"value":150}}]`),
		test("o3", "CULTURE", `,"valueString":"SEE NOTE:","note":[{"text":"ESCHERICHIA COLI"}]`),
	))
	const day, next = "2026-11-20", "2026-11-21"
	want := []care.Panel{
		{Name: "LIPID PANEL", Status: "final", Collected: day, Issued: next, Text: "One comment\n\nAnother comment", Exchange: "QUEST",
			OrderedBy: care.Contact{Name: "HOSPITALIST,SAMPLE", NPI: "1234567893"}, Site: care.Contact{Name: "SAMPLE FAMILY PRACTICE", Phone: "555-0142"},
			Results: []care.Result{
				{Code: "CHOLESTEROL", Name: "CHOLESTEROL", Value: "250", Unit: "mg/dL", Number: "250", High: "200", Flag: "H", Status: "final", At: day},
				{Code: "TRIGLYCERIDES", Name: "TRIGLYCERIDES", Value: "<10", High: "150", Flag: "N", Computed: true, Status: "final", At: day},
			}},
		{Name: "CULTURE, URINE", Status: "final", Collected: day, Issued: next, Text: "ESCHERICHIA COLI", Specimen: "Urine", Exchange: "QUEST",
			Results: []care.Result{{Code: "CULTURE", Name: "CULTURE", Value: "SEE NOTE:", Status: "final", Notes: []string{"ESCHERICHIA COLI"}, At: day}}},
		{Name: "CULTURE, URINE", Status: "final", Collected: day, Issued: next, Text: "TEST NOT PERFORMED. No specimen.", Specimen: "Urine", NotPerformed: true, Exchange: "QUEST"},
	}
	if !reflect.DeepEqual(n.Facts.Panels, want) || n.Exchange != "QUEST" {
		t.Errorf("got\n%+v\nwant\n%+v", n.Facts.Panels, want)
	}
}

// TestTestsOfOneRequisitionStandTogether: they are one panel; where it was several, nobody says what the others are called.
func TestTestsOfOneRequisitionStandTogether(t *testing.T) {
	var reports []string
	for i, name := range []string{"SODIUM", "POTASSIUM", "CHLORIDE"} {
		order := []string{"gone", "gone too", "left"}[i]
		reports = append(reports, resource("QUEST", "DiagnosticReport", fmt.Sprint("r", i), fmt.Sprintf(`,"status":"final","identifier":[{"system":"https://questdiagnostics.com/identifier/requisition","value":"R1"}],"code":{"coding":[{"system":"http://loinc.org","code":"%d-1","display":"%s in serum"}]},
				"effectiveDateTime":"2026-11-20T00:00:00.000Z","basedOn":[{"reference":"ServiceRequest/%s"}],"result":[{"reference":"Observation/o%d"}]`, i, name, order, i)),
			resource("QUEST", "Observation", fmt.Sprint("o", i), fmt.Sprintf(`,"status":"final","code":{"text":%q,"coding":[{"system":"http://loinc.org","code":"%d-1"}]},"valueString":"5"`, name, i)))
	}
	for codes, want := range map[string][]string{
		`{"system":"http://www.ama-assn.org/go/cpt","code":"80048"}`: {`"BASIC METABOLIC PANEL" by HOSPITALIST,SAMPLE: SODIUM 0-1 POTASSIUM 1-1 CHLORIDE 2-1`},
		`{"system":"http://www.ama-assn.org/go/cpt","code":"80048"},{"system":"http://www.ama-assn.org/go/cpt","code":"80061"}`: {
			`"" by HOSPITALIST,SAMPLE: SODIUM 0-1 POTASSIUM 1-1`, `"BASIC METABOLIC PANEL" by HOSPITALIST,SAMPLE: CHLORIDE 2-1`,
		},
	} {
		n := shownOf(t, "patient.laboratory", "", bundleOf(append(reports, resource("QUEST", "ServiceRequest", "left",
			`,"requisition":{"system":"http://questdiagnostics.com/requisition-number","value":"R1"},"code":{"text":"BASIC METABOLIC PANEL","coding":[`+codes+`]},"requester":{"display":"HOSPITALIST,SAMPLE"}`))...))
		var got []string
		for _, p := range n.Facts.Panels {
			line := fmt.Sprintf("%q by %s:", p.Name, p.OrderedBy.Name)
			for _, r := range p.Results {
				line += " " + r.Name + " " + r.Code
			}
			got = append(got, line)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}
