package fhir_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"carebell/web/fhir"
)

func TestDaysOfPharmaciesAndLaboratories(t *testing.T) {
	bundle := func(source, at string) string {
		return collection(
			of(source, "MedicationRequest", "mr", fmt.Sprintf(`,"medicationCodeableConcept":{"text":"Drug"},"authoredOn":%q`, at)),
			of(source, "MedicationDispense", "md", fmt.Sprintf(`,"authorizingPrescription":[{"reference":"MedicationRequest/mr"}],"whenPrepared":%q,"whenHandedOver":%q`, at, at)),
			of(source, "DiagnosticReport", "dr", fmt.Sprintf(`,"effectiveDateTime":%q,"issued":%q,"result":[{"reference":"Observation/o"}]`, at, at)),
			of(source, "DiagnosticReport", "of-specimen", `,"specimen":[{"reference":"Specimen/s"}],"result":[{"reference":"Observation/o"}]`),
			of(source, "Specimen", "s", fmt.Sprintf(`,"collection":{"collectedDateTime":%q}`, at)),
			of(source, "Observation", "o", fmt.Sprintf(`,"effectiveDateTime":%q,"issued":%q,"valueString":"x"`, at, at)),
			of(source, "Observation", "alone", fmt.Sprintf(`,"effectiveDateTime":%q,"issued":%q,"valueString":"x"`, at, at)),
			of(source, "Encounter", "e", fmt.Sprintf(`,"period":{"start":%q,"end":%q}`, at, at)),
			of(source, "Condition", "c", fmt.Sprintf(`,"code":{"text":"c"},"recordedDate":%q`, at)),
		)
	}
	const midnight, day = "2026-04-21T00:00:00Z", "2026-04-21"
	for name, c := range map[string]struct {
		source, at string
		network    bool // DatesAsDays is asked: a bundle of a pharmacy or a laboratory
		want       string
		encounter  string
	}{
		"Surescripts anywhere":                       {"SURESCRIPTS", "2026-04-21T00:00:00.000Z", false, day, midnight},
		"Quest anywhere":                             {"QUEST", midnight, false, day, midnight},
		"another source":                             {"BAMBOO", midnight, false, midnight, midnight},
		"another source in a bundle of such network": {"BAMBOO", midnight, true, day, midnight},
		"no source in a bundle of such network":      {"", midnight, true, day, midnight},
		"a bare date is a day anyway":                {"BAMBOO", day, false, day, day},
		"so is YYYYMMDD":                             {"", "20260421", false, day, day},
		"an hour is no day":                          {"QUEST", "2026-04-21T05:00:00Z", true, "2026-04-21T05:00:00Z", "2026-04-21T05:00:00Z"},
		"nor is a midnight elsewhere":                {"QUEST", "2026-04-21T00:00:00-05:00", true, "2026-04-21T05:00:00Z", "2026-04-21T05:00:00Z"},
		"nor a millisecond past":                     {"QUEST", "2026-04-21T00:00:00.001Z", true, "2026-04-21T00:00:00.001Z", "2026-04-21T00:00:00.001Z"},
	} {
		t.Run(name, func(t *testing.T) {
			f := read(t, bundle(c.source, c.at))
			if c.network {
				f.DatesAsDays()
			}
			d := f.Dispenses[0]
			got := []fhir.Time{d.Prepared, d.HandedOver, d.Filled(), d.Written, f.Prescriptions[0].Authored, f.Observations[0].Effective, f.Observations[0].Issued}
			for _, r := range f.Reports {
				got = append(got, r.Effective, r.Results[0].Effective, r.Results[0].Issued)
				if r.ID == "dr" {
					got = append(got, r.Issued)
				}
			}
			for i, at := range got {
				if at.String() != c.want {
					t.Errorf("%d: %s, want %s", i, at, c.want)
				}
			}
			if e := f.Encounters[0]; e.Start.String() != c.encounter || e.End.String() != c.encounter || f.Conditions[0].Recorded.String() != c.encounter {
				t.Errorf("a stay from %s to %s, a condition of %s; want %s", e.Start, e.End, f.Conditions[0].Recorded, c.encounter)
			}
		})
	}
}

func TestBirthDatesInEveryForm(t *testing.T) {
	for sent, want := range map[string]string{
		"1950-03-04": "1950-03-04", "19500304": "1950-03-04", "1950-03-04T00:00:00.000Z": "1950-03-04", "19500304000000": "1950-03-04",
		"1950-03": "1950-03", "1950": "1950", "195003": "", "19501304": "", "04/03/1950": "", "": "",
	} {
		if got := read(t, fmt.Sprintf(`{"resourceType":"Patient","id":"p","birthDate":%q}`, sent)).Patient.BirthDate; got != want {
			t.Errorf("%q is %q, want %q", sent, got, want)
		}
	}
}

func TestNumbersInWordsAreComparedOnlyWithoutGuessing(t *testing.T) {
	const (
		low        = `"low":{"value":3.5}`
		high       = `"high":{"value":5.1}`
		both       = low + "," + high
		withUnit   = `"low":{"value":3.5,"unit":"mmol/L"},"high":{"value":5.1,"unit":"mmol/L"}`
		normalFlag = `,"interpretation":[{"coding":[{"code":"N"}]}]`
	)
	for name, c := range map[string]struct {
		value, limits, more string
		flag, number        string
	}{
		"above":                           {`"6.9"`, both, "", "H", "6.9"},
		"below":                           {`"3.10"`, both, "", "L", "3.10"},
		"within":                          {`"4.0"`, both, "", "N", "4.0"},
		"on the limit":                    {`"5.1"`, both, "", "N", "5.1"},
		"less than, below the low limit":  {`"<0.01"`, both, "", "L", ""},
		"less than the low limit":         {`"<3.5"`, both, "", "L", ""},
		"at most the low limit":           {`"<=3.5"`, both, "", "", ""},
		"less than something within":      {`"< 4"`, both, "", "", ""},
		"less than, with a high limit":    {`"<0.01"`, `"high":{"value":0.04}`, "", "N", ""},
		"less than more than the limit":   {`"<0.1"`, `"high":{"value":0.04}`, "", "", ""},
		"more than, in groups":            {`">100,000"`, `"high":{"value":10000}`, "", "H", ""},
		"more than the high limit":        {`">5.1"`, both, "", "H", ""},
		"at least the high limit":         {`"≥5.1"`, both, "", "", ""},
		"more than, with a low limit":     {`">60"`, `"low":{"value":60}`, "", "N", ""},
		"in groups":                       {`"1,250,000.5"`, `"high":{"value":10000}`, "", "H", "1250000.5"},
		"no groups":                       {`"12,50"`, both, "", "", ""},
		"a comma for a point":             {`"5,2"`, both, "", "", ""},
		"a titer":                         {`"1:128"`, both, "", "", ""},
		"a word":                          {`"NEGATIVE"`, both, "", "", ""},
		"a range":                         {`"5-10"`, both, "", "", ""},
		"a number and more":               {`"6.9 (hemolyzed)"`, both, "", "", ""},
		"an exponent":                     {`"6.9e1"`, both, "", "", ""},
		"nothing but a sign":              {`"<"`, both, "", "", ""},
		"the range has a unit":            {`"6.9"`, withUnit, "", "", "6.9"},
		"both have the same unit":         {`"6.9 mmol/L"`, withUnit, "", "H", ""},
		"both have a unit, less than":     {`"<0.5 mmol/L"`, withUnit, "", "L", ""},
		"the value alone has a unit":      {`"6.9 mmol/L"`, both, "", "", ""},
		"they have different units":       {`"6.9 mg/dL"`, withUnit, "", "", ""},
		"what the laboratory says counts": {`"6.9"`, both, normalFlag, "N", "6.9"},
		"no range":                        {`"6.9"`, "", "", "", "6.9"},
		"a range in words":                {`"6.9"`, `"text":"3.5-5.1"`, "", "", "6.9"},
		"a range for some":                {`"6.9"`, both + `,"appliesTo":[{"text":"women"}]`, "", "", "6.9"},
	} {
		t.Run(name, func(t *testing.T) {
			limits := ""
			if c.limits != "" {
				limits = `,"referenceRange":[{` + c.limits + `}]`
			}
			o := read(t, `{"resourceType":"Observation","id":"o","valueString":`+c.value+limits+c.more+`}`).Observations[0]
			var value string
			if err := json.Unmarshal([]byte(c.value), &value); err != nil {
				t.Fatal(err)
			}
			if o.Interpretation != c.flag || o.Number != c.number || o.Value != value || o.Kind != "text" || o.Computed != (c.flag != "" && c.more == "") {
				t.Errorf("%+v; want flag %q, number %q", o.Measured, c.flag, c.number)
			}
		})
	}
	whole := read(t, `{"resourceType":"Observation","id":"o","valueInteger":7,"referenceRange":[{`+both+`}]}`).Observations[0]
	if whole.Interpretation != "H" || !whole.Computed {
		t.Errorf("a whole number: %+v", whole.Measured)
	}
}

// text is a presentedForm as the converter makes it.
func text(words string) string {
	return fmt.Sprintf(`,"presentedForm":[{"contentType":"text/plain","data":%q}]`, base64.StdEncoding.EncodeToString([]byte(words)))
}

// ordered are the resources of an order in the laboratory network's shape.
func ordered(code string) []string {
	return []string{
		of("QUEST", "Patient", "p", `,"name":[{"family":"SAMPLE","given":["INES","Q"]}],"birthDate":"19500304"`),
		of("QUEST", "ServiceRequest", "order", `,"status":"completed","intent":"original-order","subject":{"reference":"Patient/p"},"code":`+code+`,
			"requester":{"reference":"Practitioner/dr"},"locationReference":[{"reference":"Location/site"}],"specimen":[{"reference":"Specimen/s"}]`),
		of("QUEST", "Practitioner", "dr", `,"name":[{"text":"HOSPITALIST,SAMPLE"}],"identifier":[{"system":"http://hl7.org/fhir/sid/us-upin","value":"X1"},{"system":"http://hl7.org/fhir/sid/us-npi","value":"1234567893"}],
			"telecom":[{"system":"fax","value":"555-0100"},{"system":"phone","value":"555-0101"}]`),
		of("QUEST", "Location", "site", `,"status":"active","name":"SAMPLE FAMILY PRACTICE","telecom":[{"system":"phone","value":"555-0142"}],
			"address":{"city":"Springfield","state":"IL","postalCode":"62701","line":["12 Sample St","Suite 3"]}`),
		of("QUEST", "Specimen", "s", `,"status":"available","collection":{"collectedDateTime":"2026-04-20T00:00:00.000Z","method":{"coding":[{"system":"http://snomed.info/sct","code":"73416001","display":"Urine specimen collection, clean catch"}]}}`),
	}
}

const (
	laboratoryProcedure = `{"system":"http://snomed.info/sct","code":"108252007","display":"Laboratory procedure"}`
	lipidOrder          = `{"text":"LIPID PANEL, STANDARD","coding":[{"system":"http://www.ama-assn.org/go/cpt","code":"80061"},` + laboratoryProcedure + `]}`
)

func TestALaboratoryReportInTheConvertersShape(t *testing.T) {
	f := readAnyOrder(t, append(ordered(lipidOrder),
		of("QUEST", "DiagnosticReport", "r", `,"status":"corrected","code":{"coding":[{"system":"http://loinc.org","code":"630-4"}]},"effectiveDateTime":"2026-04-20T00:00:00.000Z","issued":"2026-04-21T00:00:00.000Z",
			"basedOn":[{"reference":"ServiceRequest/order"}],"result":[{"reference":"Observation/o"}],"note":[{"text":"Of the report"}]`+text("ESCHERICHIA COLI\r\nMore than 100,000 CFU/mL")),
		of("QUEST", "Observation", "o", `,"status":"final","code":{"text":"CULTURE, URINE, ROUTINE","coding":[{"system":"http://questdiagnostics.com/local-result-code","code":"25000000"},{"system":"http://loinc.org","code":"630-4"}]},
			"valueString":"SEE NOTE:","note":[{"text":"ESCHERICHIA COLI\r\nMore than 100,000 CFU/mL"}],"interpretation":[{"coding":[{"code":"A","display":"Abnormal"}]}]`),
	)...)
	if f.Patient.BirthDate != "1950-03-04" || f.Patient.Name != "INES Q SAMPLE" {
		t.Errorf("patient %+v", f.Patient)
	}
	r := f.Reports[0]
	if r.Name != "LIPID PANEL, STANDARD" || r.OrderID != "order" || r.Status != "corrected" || r.Exchange != "QUEST" || r.Effective.String() != "2026-04-20" || r.Issued.String() != "2026-04-21" {
		t.Errorf("report %+v", r)
	}
	if want := (fhir.Contact{Name: "HOSPITALIST,SAMPLE", NPI: "1234567893", Phone: "555-0101"}); r.OrderedBy != want {
		t.Errorf("ordered by %+v, want %+v", r.OrderedBy, want)
	}
	if want := (fhir.Contact{Name: "SAMPLE FAMILY PRACTICE", Phone: "555-0142", Address: "12 Sample St, Suite 3, Springfield, IL 62701"}); r.Site != want {
		t.Errorf("site %+v, want %+v", r.Site, want)
	}
	if r.Specimen != "Urine specimen collection, clean catch" || r.Text != "ESCHERICHIA COLI\nMore than 100,000 CFU/mL" || !slices.Equal(r.Notes, []string{"Of the report"}) || r.NotPerformed {
		t.Errorf("specimen %q, text %q, notes %q", r.Specimen, r.Text, r.Notes)
	}
	o := r.Results[0]
	if !o.PointsAtNote() || !slices.Equal(o.Notes, []string{"ESCHERICHIA COLI\nMore than 100,000 CFU/mL"}) || o.Code.Text != "CULTURE, URINE, ROUTINE" || o.Code.Code != "630-4" || o.Interpretation != "A" || o.NotPerformed {
		t.Errorf("result %+v", o)
	}
}

func TestWhatAPanelIsCalled(t *testing.T) {
	const loincAlone = `"code":{"coding":[{"system":"http://loinc.org","code":"24331-1"}]}`
	for name, c := range map[string]struct{ code, order, want string }{
		"in the report's own words":            {`"code":{"text":"Lipids","coding":[{"system":"http://loinc.org","code":"24331-1"}]}`, lipidOrder, "Lipids"},
		"in the words of its code":             {`"code":{"coding":[{"system":"http://loinc.org","code":"24331-1","display":"Lipid 1996 panel"}]}`, lipidOrder, "Lipid 1996 panel"},
		"a code without words: from the order": {loincAlone, lipidOrder, "LIPID PANEL, STANDARD"},
		"no code: from the order":              {`"category":[]`, lipidOrder, "LIPID PANEL, STANDARD"},
		"an order that says only laboratory":   {loincAlone, `{"coding":[` + laboratoryProcedure + `]}`, "24331-1"},
		"an order in the words of its code":    {loincAlone, `{"coding":[` + laboratoryProcedure + `,{"code":"80061","display":"Lipid panel"}]}`, "Lipid panel"},
		"nobody says":                          {`"category":[]`, `{}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := readAnyOrder(t, append(ordered(c.order), of("QUEST", "DiagnosticReport", "r", `,"basedOn":[{"reference":"ServiceRequest/order"}],`+c.code))...)
			if got := f.Reports[0].Name; got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestTestsThatWereNotPerformed(t *testing.T) {
	result := func(rest string) []string {
		return []string{of("QUEST", "DiagnosticReport", "r", `,"status":"final","result":[{"reference":"Observation/o"}]`), of("QUEST", "Observation", "o", rest)}
	}
	report := func(rest string) []string { return []string{of("QUEST", "DiagnosticReport", "r", rest)} }
	done := of("QUEST", "Observation", "done", `,"status":"final","valueString":"5"`)
	for name, c := range map[string]struct {
		resources []string
		want      bool
	}{
		"cancelled":                                       {result(`,"status":"cancelled"`), true},
		"the value says so":                               {result(`,"status":"final","valueString":"TNP"`), true},
		"the value says so in full":                       {result(`,"status":"final","valueString":"Test not performed. Hemolyzed"`), true},
		"the note says so, the value points at it":        {result(`,"status":"final","valueString":"SEE NOTE:","note":[{"text":"TEST NOT PERFORMED\nSpecimen lost"}]`), true},
		"absent because not performed":                    {result(`,"status":"final","dataAbsentReason":{"coding":[{"code":"not-performed"}]}`), true},
		"a value, and a note about another test":          {result(`,"status":"final","valueString":"5","note":[{"text":"TEST NOT PERFORMED: differential"}]`), false},
		"a plain value":                                   {result(`,"status":"final","valueString":"5"`), false},
		"a report without results, its text says so":      {report(`,"status":"final"` + text("TEST NOT PERFORMED. No suitable specimen received.")), true},
		"its text says so on its second line":             {report(`,"status":"final"` + text("Please note\n  test not performed\nno specimen")), true},
		"a report without results and other words":        {report(`,"status":"final"` + text("Report to follow; a test not performed here")), false},
		"a cancelled report":                              {report(`,"status":"cancelled"`), true},
		"a report without anything":                       {report(`,"status":"final"`), false},
		"a text that says so beside a result that is one": {append(report(`,"result":[{"reference":"Observation/done"}]`+text("TEST NOT PERFORMED: differential")), done), false},
		"one of two performed":                            {append(report(`,"result":[{"reference":"Observation/o"},{"reference":"Observation/done"}]`), of("QUEST", "Observation", "o", `,"status":"cancelled"`), done), false},
	} {
		t.Run(name, func(t *testing.T) {
			r := readAnyOrder(t, c.resources...).Reports[0]
			if r.NotPerformed != c.want {
				t.Errorf("report not performed: %t, want %t", r.NotPerformed, c.want)
			}
			if len(r.Results) == 1 && r.Results[0].NotPerformed != c.want {
				t.Errorf("result not performed: %t, want %t", r.Results[0].NotPerformed, c.want)
			}
		})
	}
}

// fill is a fill with its drug and prescription in the pharmacy network's shape.
func fill(dispense, request string) []string {
	return []string{
		of("SURESCRIPTS", "Medication", "m", `,"code":{"text":"OXYCODONE 5 MG TABLET","coding":[{"system":"http://hl7.org/fhir/sid/us-dea","code":"C48675","display":"Schedule II"},
			{"system":"http://hl7.org/fhir/sid/ndc","code":"00406055201","display":"OXYCODONE 5 MG TABLET"},{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"1049621"}]}`),
		of("SURESCRIPTS", "MedicationDispense", "d", `,"subject":{"reference":"Patient/p"},"status":"completed","medicationReference":{"reference":"Medication/m"},"authorizingPrescription":[{"reference":"MedicationRequest/r"}],
			"performer":[{"actor":{"reference":"Organization/ph"}}],"quantity":{"value":30,"unit":"Tablet","code":"C48542"},"daysSupply":{"value":30,"unit":"day","code":"d"},"whenHandedOver":"2026-04-21T00:00:00.000Z",
			"dosageInstruction":[{"text":"TAKE ONE TABLET EVERY SIX HOURS"}]`+dispense),
		of("SURESCRIPTS", "MedicationRequest", "r", `,"status":"completed","intent":"order","medicationReference":{"reference":"Medication/m"},"requester":{"reference":"Practitioner/dr","display":"Robin Prescriber"},"authoredOn":"2026-04-19T00:00:00.000Z"`+request),
		of("SURESCRIPTS", "Practitioner", "dr", `,"name":[{"text":"Robin Q Prescriber","given":["Robin","Q"],"family":"Prescriber"}],"identifier":[{"system":"http://hl7.org/fhir/sid/us-npi","value":"1999999984"},{"system":"http://hl7.org/fhir/sid/us-dea","value":"AB1234563"}],
			"telecom":[{"system":"phone","use":"home","value":"555-0110"},{"system":"phone","use":"work","value":"555-0111"},{"system":"fax","use":"work","value":"555-0112"}],
			"address":[{"use":"old","city":"Elsewhere"},{"line":["1 Clinic Way"],"city":"Springfield","state":"IL","postalCode":"62701","country":"USA","use":"work"}]`),
		of("SURESCRIPTS", "Organization", "ph", `,"name":"Sample Street Pharmacy","identifier":[{"system":"http://hl7.org/fhir/sid/us-npi","value":"1111111112"},{"system":"http://terminology.hl7.org/CodeSystem/NCPDPProviderIdentificationNumber","value":"1234567"}],
			"telecom":[{"system":"phone","value":"555-0120"}],"address":[{"line":["2 Sample St"],"city":"Springfield","state":"IL","postalCode":"62702"}]`),
	}
}

func TestAFillInTheConvertersShape(t *testing.T) {
	f := readAnyOrder(t, fill("", "")...)
	d := f.Dispenses[0]
	if want := (fhir.Concept{Text: "OXYCODONE 5 MG TABLET", Code: "1049621", System: "http://www.nlm.nih.gov/research/umls/rxnorm"}); d.Drug != want || d.Schedule != "schedule II" {
		t.Errorf("drug %+v, %q; want %+v", d.Drug, d.Schedule, want)
	}
	if want := (fhir.Contact{Name: "Robin Q Prescriber", NPI: "1999999984", Phone: "555-0111", Address: "1 Clinic Way, Springfield, IL 62701"}); d.Prescriber != want {
		t.Errorf("prescriber %+v, want %+v", d.Prescriber, want)
	}
	if want := (fhir.Contact{Name: "Sample Street Pharmacy", NPI: "1111111112", Phone: "555-0120", Address: "2 Sample St, Springfield, IL 62702"}); d.Pharmacy != want {
		t.Errorf("pharmacy %+v, want %+v", d.Pharmacy, want)
	}
	if d.Filled().String() != "2026-04-21" || d.Written.String() != "2026-04-19" || d.Quantity.String() != "30 Tablet" || d.DaysSupply.Value != "30" || d.Dosage != "TAKE ONE TABLET EVERY SIX HOURS" || d.Exchange != "SURESCRIPTS" {
		t.Errorf("fill %+v", d)
	}
	b, err := f.Encode()
	if err != nil || strings.Contains(string(b), "pickedUp") || strings.Contains(string(b), "refills") {
		t.Errorf("the facts claim more than anybody knows: %s, %v", b, err)
	}
}

func TestTheNumberOfAFill(t *testing.T) {
	const (
		third  = `,"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/medicationdispense-fillNumber","valuePositiveInt":3},{"url":"` + sourceURL + `","valueCoding":{"code":"SURESCRIPTS"}}]`
		third2 = `,"dispenseRequest":{"numberOfRepeatsAllowed":2}`
	)
	resources := func(source, extension, request string) []string {
		d := of(source, "MedicationDispense", "d", `,"authorizingPrescription":[{"reference":"MedicationRequest/r"}],"medicationCodeableConcept":{"text":"Drug"}`)
		if extension != "" {
			d = `{"resourceType":"MedicationDispense","id":"d","authorizingPrescription":[{"reference":"MedicationRequest/r"}],"medicationCodeableConcept":{"text":"Drug"}` + extension + `}`
		}
		return []string{d, of(source, "MedicationRequest", "r", request)}
	}
	for name, c := range map[string]struct {
		resources []string
		want      string
	}{
		"by the extension":                        {resources("SURESCRIPTS", third, ""), "3"},
		"by the extension before the request":     {resources("SURESCRIPTS", third, third2), "3"},
		"by the request":                          {resources("SURESCRIPTS", "", third2), "2"},
		"by the request, of nobody knows whom":    {resources("", "", third2), "2"},
		"refills of another sender are no number": {resources("HIXNY", "", third2), ""},
		"not sent":          {resources("SURESCRIPTS", "", ""), ""},
		"none is no number": {resources("SURESCRIPTS", "", `,"dispenseRequest":{"numberOfRepeatsAllowed":0}`), ""},
		"odd":               {resources("SURESCRIPTS", strings.Replace(third, "3}", `"three"}`, 1), ""), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := readAnyOrder(t, c.resources...).Dispenses[0].FillNumber; got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestTheCodeOfADrugIsNeverItsSchedule(t *testing.T) {
	const dea = `{"system":"http://hl7.org/fhir/sid/us-dea","code":"%s","display":"%s"}`
	for name, c := range map[string]struct {
		coding, schedule, code, text string
	}{
		"schedule I":                            {fmt.Sprintf(dea, "C48672", "Schedule I"), "schedule I", "", ""},
		"schedule III":                          {fmt.Sprintf(dea, "C48676", ""), "schedule III", "", ""},
		"schedule IV":                           {fmt.Sprintf(dea, "C48677", "Schedule IV"), "schedule IV", "", ""},
		"schedule V":                            {fmt.Sprintf(dea, "C48679", "Schedule V"), "schedule V", "", ""},
		"by its words":                          {fmt.Sprintf(dea, "2", "Schedule II"), "schedule II", "", ""},
		"not specified":                         {fmt.Sprintf(dea, "C38046", "Unspecified"), "", "", ""},
		"NDC before another":                    {`{"system":"http://other","code":"9"},{"system":"http://hl7.org/fhir/sid/ndc","code":"00406055201","display":"Drug"}`, "", "00406055201", "Drug"},
		"another code where it is the only one": {fmt.Sprintf(dea, "C48675", "Schedule II") + `,{"system":"http://other","code":"9","display":"Drug"}`, "schedule II", "9", "Drug"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, input := range []string{
				collection(of("SURESCRIPTS", "MedicationDispense", "d", `,"medicationReference":{"reference":"Medication/m"}`), of("SURESCRIPTS", "Medication", "m", `,"code":{"coding":[`+c.coding+`]}`)),
				collection(of("SURESCRIPTS", "MedicationDispense", "d", `,"medicationCodeableConcept":{"coding":[`+c.coding+`]}`)),
			} {
				d := read(t, input).Dispenses[0]
				if (d.Schedule != c.schedule && d.Drug.Text != "") || d.Drug.Code != c.code || d.Drug.Text != c.text {
					t.Errorf("%+v, schedule %q; want %q, schedule %q", d.Drug, d.Schedule, c.code, c.schedule)
				}
			}
			with := strings.Replace(c.coding, `{`, `{"system":"http://hl7.org/fhir/sid/ndc","code":"1","display":"Drug"},{`, 1)
			if d := read(t, collection(of("X", "MedicationDispense", "d", `,"medicationCodeableConcept":{"coding":[`+with+`]}`))).Dispenses[0]; d.Schedule != c.schedule || d.Drug.Code != "1" || d.Drug.Text != "Drug" {
				t.Errorf("beside an NDC: %+v, schedule %q", d.Drug, d.Schedule)
			}
		})
	}
}

func TestAnOlderVersionsFactsCanBeRead(t *testing.T) {
	f, err := fhir.Decode([]byte(`{"dispenses":[{"id":"d","pharmacy":"Old Pharmacy","prescriber":"Dr. Old","refills":2,"pickedUp":true,"handedOver":"2026-04-21T00:00:00Z"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if d := f.Dispenses[0]; d.Pharmacy != (fhir.Contact{Name: "Old Pharmacy"}) || d.Prescriber.Name != "Dr. Old" {
		t.Errorf("%+v", d)
	}
	if f.DatesAsDays(); f.Dispenses[0].Filled().String() != "2026-04-21" {
		t.Errorf("filled %s", f.Dispenses[0].Filled())
	}
	if _, err := fhir.Decode([]byte(`{"dispenses":[{"pharmacy":7}]}`)); err == nil {
		t.Error("a number is no pharmacy")
	}
}

// TestALongLaboratoryFileKeepsWhatBelongsTogether: the network sends a report for each result, and with each who ordered
// it, where, and its specimen.
func TestALongLaboratoryFileKeepsWhatBelongsTogether(t *testing.T) {
	const n = 1500
	var all []string
	for i := range n {
		id := func(kind string) string { return fmt.Sprintf("%s-%036d", kind, i) }
		all = append(all,
			of("QUEST", "ServiceRequest", id("order"), fmt.Sprintf(`,"code":{"text":"PANEL %d"},"requester":{"reference":"Practitioner/%s"},"locationReference":[{"reference":"Location/%s"}]`, i, id("dr"), id("site"))),
			of("QUEST", "Practitioner", id("dr"), `,"name":[{"text":"HOSPITALIST,SAMPLE"}],"identifier":[{"system":"http://hl7.org/fhir/sid/us-npi","value":"1234567893"}]`),
			of("QUEST", "Location", id("site"), `,"name":"SAMPLE FAMILY PRACTICE","telecom":[{"system":"phone","value":"555-0142"}],"address":{"city":"Springfield","state":"IL","postalCode":"62701","line":["12 Sample St","Suite 3"]}`),
			of("QUEST", "Specimen", id("s"), `,"type":{"text":"Serum"},"collection":{"collectedDateTime":"2026-04-20T00:00:00.000Z"}`),
			of("QUEST", "DiagnosticReport", id("r"), fmt.Sprintf(`,"basedOn":[{"reference":"ServiceRequest/%s"}],"specimen":[{"reference":"Specimen/%s"}],"result":[{"reference":"Observation/%s"}]`, id("order"), id("s"), id("o"))),
			of("QUEST", "Observation", id("o"), `,"code":{"text":"POTASSIUM"},"valueString":"4.1"`),
		)
	}
	f := read(t, collection(all...))
	if len(f.Reports) != n || len(f.Observations) != 0 || f.Truncated {
		t.Fatalf("%d reports, %d results without one, truncated %t", len(f.Reports), len(f.Observations), f.Truncated)
	}
	for _, r := range f.Reports {
		if !strings.HasPrefix(r.Name, "PANEL") || r.OrderedBy.NPI == "" || r.Site.Phone == "" || r.Specimen != "Serum" || len(r.Results) != 1 || r.Effective.String() != "2026-04-20" {
			t.Fatalf("%+v", r)
		}
	}
}

// merged is a resource that the sender made of others: it names them, and leaves some references to them as they were.
func merged(resource string, others ...string) string {
	var named []string
	for _, other := range others {
		named = append(named, fmt.Sprintf(`,{"url":"http://hl7.org/fhir/StructureDefinition/artifact-relatedArtifact","valueRelatedArtifact":{"type":"derived-from","display":%q}}`, other))
	}
	i := strings.Index(resource, `}]`) + len(`}`)
	return resource[:i] + strings.Join(named, "") + resource[i:]
}

func TestReferencesToWhatTheSenderMergedAreFollowed(t *testing.T) {
	resources := fill("", "")
	resources[2] = strings.Replace(resources[2], "Practitioner/dr", "Practitioner/gone-2", 1)
	resources[3] = merged(resources[3], "Practitioner/gone-1", "Practitioner/gone-2", "Organization/ph", "odd")
	d := readAnyOrder(t, resources...).Dispenses[0]
	if d.Prescriber.NPI != "1999999984" || d.Prescriber.Phone != "555-0111" || d.Pharmacy.Name != "Sample Street Pharmacy" {
		t.Errorf("prescriber %+v, pharmacy %+v", d.Prescriber, d.Pharmacy)
	}
	circle := []string{
		merged(of("X", "Practitioner", "a", ""), "Practitioner/b"), merged(of("X", "Practitioner", "c", ""), "Practitioner/a", "Practitioner/c"),
		of("X", "MedicationRequest", "r", `,"requester":{"reference":"Practitioner/gone","display":"As displayed"},"medicationCodeableConcept":{"text":"Drug"}`),
	}
	if p := readAnyOrder(t, circle...).Prescriptions[0]; p.Prescriber != (fhir.Contact{Name: "As displayed"}) {
		t.Errorf("prescriber %+v", p.Prescriber)
	}
}

// TestReportsOfOneRequisition: of the orders of a requisition the sender leaves one, and the reports' references to the
// others lead nowhere. Who ordered is known of all of them; what the panel is called not where it was seen to be several.
func TestReportsOfOneRequisition(t *testing.T) {
	report := func(id, order, code, display string) string {
		return of("QUEST", "DiagnosticReport", id, fmt.Sprintf(`,"identifier":[{"system":"https://questdiagnostics.com/identifier/accession","value":"A1"},{"system":"https://questdiagnostics.com/identifier/requisition","value":"R1"}],
			"code":{"coding":[{"system":"http://loinc.org","code":%q%s}]},"basedOn":[{"reference":"ServiceRequest/%s"}],"result":[{"reference":"Observation/o-%s"}]`, code, display, order, id))
	}
	result := func(id, code, name string) string {
		return of("QUEST", "Observation", "o-"+id, fmt.Sprintf(`,"code":{"text":%q,"coding":[{"system":"http://loinc.org","code":%q}]},"valueString":"5"`, name, code))
	}
	const cpt, other = `{"system":"http://www.ama-assn.org/go/cpt","code":"80061"}`, `{"system":"http://www.ama-assn.org/go/cpt","code":"80053"}`
	for name, c := range map[string]struct {
		codes string
		want  map[string]string // report → name
	}{
		"one order by its code":     {cpt, map[string]string{"r1": "LIPID PANEL", "r2": "LIPID PANEL", "r3": "Panel of its own"}},
		"two orders by their codes": {cpt + "," + other, map[string]string{"r1": "LIPID PANEL", "r2": "Cholesterol in words", "r3": "Panel of its own"}},
		"an order without a code":   {laboratoryProcedure, map[string]string{"r1": "LIPID PANEL", "r2": "LIPID PANEL", "r3": "Panel of its own"}},
	} {
		t.Run(name, func(t *testing.T) {
			resources := ordered(`{"text":"LIPID PANEL","coding":[` + c.codes + `]}`)
			resources[1] = strings.Replace(resources[1], `"requester":{"reference":"Practitioner/dr"},"locationReference":[{"reference":"Location/site"}]`,
				`"requisition":{"system":"http://questdiagnostics.com/requisition-number","value":"R1"},"requester":{"reference":"Practitioner/gone"},"locationReference":[{"reference":"Location/gone"},{"reference":"Location/site"}]`, 1)
			resources[2] = merged(resources[2], "Practitioner/gone")
			f := readAnyOrder(t, append(resources,
				report("r1", "order", "1-1", ""), report("r2", "gone", "2-2", `,"display":"Cholesterol in words"`), report("r3", "gone too", "9-9", `,"display":"Panel of its own"`),
				result("r1", "1-1", "TRIGLYCERIDES"), result("r2", "2-2", "CHOLESTEROL"), result("r3", "3-3", "HDL"))...)
			for _, r := range f.Reports {
				if r.Name != c.want[r.ID] || r.OrderID != "order" || r.OrderedBy.NPI != "1234567893" || r.Site.Phone != "555-0142" || r.OneTest != (r.Name == "Cholesterol in words") {
					t.Errorf("%s: %q by %+v at %+v for order %q, one test %t; want %q", r.ID, r.Name, r.OrderedBy, r.Site, r.OrderID, r.OneTest, c.want[r.ID])
				}
			}
		})
	}
	two := readAnyOrder(t, report("r1", "gone", "1-1", ""), result("r1", "1-1", "TRIGLYCERIDES"),
		of("QUEST", "ServiceRequest", "a", `,"requisition":{"system":"http://questdiagnostics.com/requisition-number","value":"R1"},"code":{"text":"A"}`), of("QUEST", "ServiceRequest", "b", `,"requisition":{"system":"http://questdiagnostics.com/requisition-number","value":"R1"},"code":{"text":"B"}`), of("QUEST", "ServiceRequest", "c", `,"requisition":{"system":"http://questdiagnostics.com/requisition-number","value":"R1"},"code":{"text":"C"}`))
	if r := two.Reports[0]; r.OrderID != "" || r.Name != "1-1" || !r.OneTest {
		t.Errorf("of several orders of one requisition: %q, %q", r.OrderID, r.Name)
	}
}
