package fhir_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"carebell/web/fhir"
)

// tell is what a record says, a line each: kind, words, codes, status, date and what else there is.
func tell(t testing.TB, record string) ([]string, fhir.Health, error) {
	t.Helper()
	var out []string
	h, err := fhir.ReadHealth(func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(record)), nil }, func(s fhir.Statement) {
		line := []string{s.Kind, s.What.Text}
		add := func(parts ...string) {
			for _, p := range parts {
				if p != "" {
					line = append(line, p)
				}
			}
		}
		label := func(name, value string) {
			if value != "" {
				add(name + " " + value)
			}
		}
		for _, k := range s.Codes {
			add(k.System + ":" + k.Code)
		}
		add(s.Status)
		label("verification", s.Verification)
		label("at", s.At.String())
		label("since", cmp.Or(s.Start.String(), s.StartText))
		label("until", s.End.String())
		label("of", strings.Join(s.Exchanges, "+"))
		label("dose", s.Dose)
		label("reactions", strings.Join(s.Reactions, "+"))
		add(s.Severity, s.Criticality)
		if f := s.Fill; f != nil {
			add(f.Quantity.String(), f.DaysSupply.Value+" days")
			label("fill", f.FillNumber)
			label("by", strings.TrimSpace(f.Prescriber.Name+" "+f.Prescriber.Phone))
			label("pharmacy", strings.TrimSpace(f.Pharmacy.Name+" "+f.Pharmacy.Phone))
			label("schedule", f.Schedule)
		}
		if o := s.Order; o != nil {
			label("by", o.Prescriber.Name)
		}
		if o := s.Value; o != nil {
			add(o.Value, o.Unit, o.Interpretation)
			for _, c := range o.Components {
				add(c.Code.Code + "=" + c.Value)
			}
			label("note", strings.Join(o.Notes, "/"))
			if o.NotPerformed {
				add("not performed")
			}
		}
		if r := s.Report; r != nil {
			label("panel", r.Name)
			label("ordered by", strings.TrimSpace(r.OrderedBy.Name+" "+r.OrderedBy.NPI))
			label("specimen", r.Specimen)
			label("text", r.Text)
		}
		if e := s.Visit; e != nil {
			add(e.Class.Word)
			label("in", e.Facility)
			label("for", strings.Join(e.Reasons, "+"))
			label("seen by", e.Attending)
		}
		label("who", strings.TrimSpace(s.Who.Name+" "+s.Who.NPI+" "+s.Who.Phone))
		label("role", s.Role)
		label("member", s.Member)
		label("plan", s.Plan)
		out = append(out, strings.Join(line, " | "))
	})
	return out, h, err
}

// source is the extension that says where a resource comes from.
func source(code string) string {
	return `"extension":[{"url":"https://public.metriport.com/fhir/StructureDefinition/data-source.json","valueCoding":{"system":"https://public.metriport.com/fhir/StructureDefinition/data-source.json","code":"` + code + `"}}]`
}

func recordOf(resources ...string) string {
	var b strings.Builder
	b.WriteString(`{"resourceType":"Bundle","type":"searchset","total":9,"entry":[{"fullUrl":"urn:uuid:p-1","resource":{"resourceType":"Patient","id":"p-1"}}`)
	for i, r := range resources {
		fmt.Fprintf(&b, `,{"fullUrl":"urn:uuid:e-%d","resource":%s}`, i, r)
	}
	b.WriteString(`]}`)
	return b.String()
}

const subject = `"subject":{"reference":"Patient/p-1"}`

func TestWhatARecordSays(t *testing.T) {
	for name, test := range map[string]struct {
		resources []string
		want      []string
	}{
		"a problem as the converter of documents makes it": {[]string{
			`{"resourceType":"Condition","id":"c","clinicalStatus":{"coding":[{"system":"http://snomed.info/sct","code":"55561003","display":"Active"}]},"code":{"text":"Essential hypertension (made up)","coding":[{"system":"urn:oid:2.16.840.1.113883.6.96","code":"59621000"},{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"I10"}]},` + subject + `,"onsetPeriod":{"start":"2019-03-04T00:00:00.000Z","end":"2020-01-02T03:04:05Z"},` + source("COMMONWELL") + `}`},
			[]string{"Condition | Essential hypertension (made up) | snomed:59621000 | icd10:I10 | 55561003 | since 2019-03-04T00:00:00Z | until 2020-01-02T03:04:05Z | of COMMONWELL"}},
		"a diagnosis of the laboratory network has a code and no words": {[]string{
			`{"resourceType":"Condition","clinicalStatus":{"coding":[{"code":"active"}]},"verificationStatus":{"coding":[{"code":"confirmed"}]},"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"E11.9"}]},` + subject + `,"recordedDate":"2026-04-21T00:00:00.000Z",` + source("QUEST") + `}`},
			[]string{"Condition | E11.9 | icd10:E11.9 | active | verification confirmed | at 2026-04-21 | of QUEST"}},
		"what was refuted or entered in error is left out": {[]string{
			`{"resourceType":"Condition","verificationStatus":{"coding":[{"code":"refuted"}]},"code":{"text":"Made up"}}`,
			`{"resourceType":"AllergyIntolerance","verificationStatus":{"coding":[{"code":"entered-in-error"}]},"code":{"text":"Made up"}}`,
			`{"resourceType":"Observation","status":"entered-in-error","code":{"text":"Made up"},"valueString":"1"}`,
			`{"resourceType":"Immunization","status":"entered-in-error","vaccineCode":{"text":"Made up"}}`}, nil},
		"what is said of somebody else is left out": {[]string{
			`{"resourceType":"Patient","id":"p-2"}`,
			`{"resourceType":"Condition","code":{"text":"Of another"},"subject":{"reference":"Patient/p-2"}}`,
			`{"resourceType":"AllergyIntolerance","code":{"text":"Of this one"},"patient":{"reference":"Patient/p-1"}}`,
			`{"resourceType":"Condition","code":{"text":"Of this one too"},` + subject + `}`},
			[]string{"AllergyIntolerance | Of this one", "Condition | Of this one too"}},
		"an allergy whose substance stands in its reaction alone": {[]string{
			`{"resourceType":"AllergyIntolerance","clinicalStatus":{"coding":[{"code":"active"}]},"reaction":[{"substance":{"coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"7980","display":"Penicillin G"}]},"manifestation":[{"text":"Hives"},{"coding":[{"code":"UNK"}],"text":"unknown"}],"severity":"moderate"},{"manifestation":[{"text":"Anaphylaxis"}],"severity":"severe"}],"onsetDateTime":"2015"}`},
			[]string{"AllergyIntolerance | Penicillin G | rxnorm:7980 | active | since 2015 | reactions Hives+Anaphylaxis | severe"}},
		"an allergy whose code names the kind and not the substance": {[]string{
			`{"resourceType":"AllergyIntolerance","criticality":"high","code":{"text":"Propensity to adverse reactions to drug","coding":[{"system":"http://snomed.info/sct","code":"419511003"}]},"reaction":[{"substance":{"text":"Sulfa"}}]}`,
			`{"resourceType":"AllergyIntolerance","code":{"text":"Latex","coding":[{"system":"http://snomed.info/sct","code":"111088007"}]},"reaction":[{"substance":{"text":"Rubber"}}]}`},
			[]string{"AllergyIntolerance | Sulfa | high", "AllergyIntolerance | Latex | snomed:111088007"}},
		"no known allergies, by code and in a reaction": {[]string{
			`{"resourceType":"AllergyIntolerance","code":{"coding":[{"system":"http://snomed.info/sct","code":"716186003","display":"No known allergy"}]},"recordedDate":"2026-11-03"}`,
			`{"resourceType":"AllergyIntolerance","reaction":[{"substance":{"text":"No known allergies"}}]}`},
			[]string{"AllergyIntolerance | No known allergy | snomed:716186003 | at 2026-11-03", "AllergyIntolerance | No known allergies"}},
		"a fill of the pharmacy network": {[]string{
			`{"resourceType":"MedicationDispense","id":"d","status":"completed",` + subject + `,"medicationReference":{"reference":"Medication/m"},"authorizingPrescription":[{"reference":"MedicationRequest/r"}],"quantity":{"value":60,"unit":"Tablet"},"daysSupply":{"value":30,"unit":"day"},"whenHandedOver":"2026-04-21T00:00:00.000Z","performer":[{"actor":{"reference":"Organization/o"}}],"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/medicationdispense-fillNumber","valuePositiveInt":3},` + strings.TrimPrefix(source("SURESCRIPTS"), `"extension":[`) + `}`,
			`{"resourceType":"MedicationRequest","id":"r","status":"completed","intent":"order",` + subject + `,"medicationReference":{"reference":"Medication/m"},"authoredOn":"2026-01-02T00:00:00.000Z","requester":{"reference":"Practitioner/x"},` + source("SURESCRIPTS") + `}`,
			`{"resourceType":"Medication","id":"m","code":{"text":"OXYCODONE 5 MG TABLET","coding":[{"system":"http://hl7.org/fhir/sid/ndc","code":"00406055201"},{"system":"http://hl7.org/fhir/sid/us-dea","code":"C48675"}]}}`,
			`{"resourceType":"Practitioner","id":"x","name":[{"text":"Dr. Sample"}],"telecom":[{"system":"phone","value":"555-0100"}]}`,
			`{"resourceType":"Organization","id":"o","name":"Sample Pharmacy","telecom":[{"system":"phone","value":"555-0101"}]}`},
			[]string{"MedicationDispense | OXYCODONE 5 MG TABLET | ndc:00406055201 | dea:C48675 | completed | at 2026-04-21 | of SURESCRIPTS | 60 Tablet | 30 days | fill 3 | by Dr. Sample 555-0100 | pharmacy Sample Pharmacy 555-0101 | schedule schedule II",
				"MedicationRequest | OXYCODONE 5 MG TABLET | ndc:00406055201 | dea:C48675 | completed | at 2026-01-02 | of SURESCRIPTS | by Dr. Sample"}},
		"a drug that is contained, and one that is coded in place": {[]string{
			`{"resourceType":"MedicationStatement","status":"active",` + subject + `,"contained":[{"resourceType":"Medication","id":"in","code":{"text":"Contained drug 5 mg"}}],"medicationReference":{"reference":"#in"},"effectivePeriod":{"start":"2024-05-06T07:08:09Z"},"dosage":[{"text":"one a day"}],` + source("CAREQUALITY") + `}`,
			`{"resourceType":"MedicationRequest","status":"active",` + subject + `,"medicationCodeableConcept":{"text":"Coded drug 5 mg","coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"1"}]},"dosageInstruction":[{"text":"two a day"}]}`},
			[]string{"MedicationStatement | Contained drug 5 mg | active | at 2024-05-06T07:08:09Z | since 2024-05-06T07:08:09Z | of CAREQUALITY | dose one a day",
				"MedicationRequest | Coded drug 5 mg | rxnorm:1 | active | dose two a day"}},
		"a UTC midnight of another source is an instant": {[]string{
			`{"resourceType":"Immunization","status":"completed","vaccineCode":{"text":"Influenza","coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"141"}]},"patient":{"reference":"Patient/p-1"},"occurrenceDateTime":"2025-10-07T00:00:00.000Z","protocolApplied":[{"doseNumberPositiveInt":2}],` + source("CAREQUALITY") + `}`},
			[]string{"Immunization | Influenza | cvx:141 | completed | at 2025-10-07T00:00:00Z | of CAREQUALITY | dose 2"}},
		"a result has the date, panel and order of its report": {[]string{
			`{"resourceType":"Observation","id":"O-1","status":"final",` + subject + `,"category":[{"coding":[{"code":"laboratory"}]}],"code":{"text":"POTASSIUM","coding":[{"system":"http://loinc.org","code":"2823-3"},{"system":"local","code":"9"}]},"valueQuantity":{"value":6.9,"unit":"mmol/L"},"referenceRange":[{"low":{"value":3.5},"high":{"value":5.1}}],"note":[{"text":"CALLED"}],` + source("QUEST") + `}`,
			`{"resourceType":"DiagnosticReport","id":"r","status":"final",` + subject + `,"effectiveDateTime":"2026-04-21T00:00:00.000Z","code":{"coding":[{"system":"http://loinc.org","code":"2823-3"}]},"basedOn":[{"reference":"ServiceRequest/s"}],"specimen":[{"reference":"Specimen/b"}],"result":[{"reference":"Observation/O-1"}],` + source("QUEST") + `}`,
			`{"resourceType":"ServiceRequest","id":"s","code":{"text":"BASIC METABOLIC PANEL"},"requester":{"reference":"Practitioner/x"},` + subject + `}`,
			`{"resourceType":"Specimen","id":"b","type":{"text":"Serum"}}`,
			`{"resourceType":"Practitioner","id":"x","name":[{"text":"Dr. Sample"}],"identifier":[{"system":"http://hl7.org/fhir/sid/us-npi","value":"1999999999"}]}`},
			[]string{"Observation | POTASSIUM | loinc:2823-3 | final | at 2026-04-21 | of QUEST | 6.9 | mmol/L | H | note CALLED | panel BASIC METABOLIC PANEL | ordered by Dr. Sample 1999999999 | specimen Serum"}},
		"a report without results says its text": {[]string{
			`{"resourceType":"DiagnosticReport","status":"final",` + subject + `,"category":[{"coding":[{"code":"LAB"}]}],"effectiveDateTime":"2026-04-21","code":{"text":"Lipid panel"},"presentedForm":[{"contentType":"text/plain","data":"VEVTVCBOT1QgUEVSRk9STUVE"}]}`},
			[]string{"DiagnosticReport | Lipid panel | final | at 2026-04-21 | panel Lipid panel | text TEST NOT PERFORMED"}},
		"a test that was not performed has no value": {[]string{
			`{"resourceType":"Observation","status":"cancelled","code":{"text":"Glucose"},"effectiveDateTime":"2026-04-21"}`,
			`{"resourceType":"Observation","status":"final","code":{"text":"Nothing at all"},"effectiveDateTime":"2026-04-21"}`},
			[]string{"Observation | Glucose | cancelled | at 2026-04-21 | not performed"}},
		"a blood pressure": {[]string{
			`{"resourceType":"Observation","status":"final","category":[{"coding":[{"code":"vital-signs"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"85354-9","display":"Blood pressure"}]},"effectiveDateTime":"2026-04-21T10:00:00Z","component":[{"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"valueQuantity":{"value":128,"unit":"mmHg"}},{"code":{"coding":[{"system":"http://loinc.org","code":"8462-4"}]},"valueQuantity":{"value":76,"unit":"mmHg"}}]}`},
			[]string{"Observation | Blood pressure | loinc:85354-9 | final | at 2026-04-21T10:00:00Z | 8480-6=128 | 8462-4=76"}},
		"a visit": {[]string{
			`{"resourceType":"Encounter","status":"finished","class":{"code":"EMER"},` + subject + `,"period":{"start":"2026-04-21T10:00:00Z","end":"2026-04-21T15:00:00Z"},"reasonCode":[{"text":"Chest pain"}],"location":[{"location":{"reference":"Location/l"}}],"participant":[{"individual":{"reference":"Practitioner/x"}}]}`,
			`{"resourceType":"Location","id":"l","name":"Larkspur Community Hospital"}`, `{"resourceType":"Practitioner","id":"x","name":[{"text":"Dr. Sample"}]}`},
			[]string{"Encounter |  | finished | at 2026-04-21T10:00:00Z | since 2026-04-21T10:00:00Z | until 2026-04-21T15:00:00Z | emergency | in Larkspur Community Hospital | for Chest pain | seen by Dr. Sample"}},
		"a procedure, and one that was not done": {[]string{
			`{"resourceType":"Procedure","status":"completed","code":{"text":"Knee replacement","coding":[{"system":"http://www.ama-assn.org/go/cpt","code":"27447"}]},"performedPeriod":{"start":"2020-09-07"}}`,
			`{"resourceType":"Procedure","status":"not-done","code":{"text":"Not done"}}`},
			[]string{"Procedure | Knee replacement | cpt:27447 | completed | at 2020-09-07 | since 2020-09-07"}},
		"who takes care": {[]string{
			`{"resourceType":"CareTeam","status":"active",` + subject + `,"participant":[{"role":[{"text":"Cardiology"}],"member":{"reference":"Practitioner/x"}},{"member":{"reference":"Patient/p-1"}},{"role":[{"text":"Clinic"}],"member":{"display":"Sample Clinic"}}]}`,
			`{"resourceType":"CarePlan","status":"active",` + subject + `,"author":{"reference":"Practitioner/x"},"created":"2026-01-02"}`,
			`{"resourceType":"Practitioner","id":"x","name":[{"text":"Dr. Sample"}],"identifier":[{"system":"http://hl7.org/fhir/sid/us-npi","value":"1999999999"}],"telecom":[{"system":"phone","value":"555-0100"}]}`},
			[]string{"CareTeam |  | active | who Dr. Sample 1999999999 555-0100 | role Cardiology", "CareTeam |  | active | who Sample Clinic | role Clinic", "CarePlan |  | active | at 2026-01-02 | who Dr. Sample 1999999999 555-0100 | role care plan"}},
		"a coverage": {[]string{
			`{"resourceType":"Coverage","status":"active","beneficiary":{"reference":"Patient/p-1"},"subscriberId":"M-1","payor":[{"reference":"Organization/o"}],"type":{"text":"Medicare Advantage"},"class":[{"type":{"coding":[{"code":"plan"}]},"name":"Gold"}],"period":{"start":"2026-01-01"}}`,
			`{"resourceType":"Organization","id":"o","name":"Sample Health Plan"}`},
			[]string{"Coverage | Medicare Advantage | active | at 2026-01-01 | since 2026-01-01 | who Sample Health Plan | member M-1 | plan Gold"}},
		"odd shapes are absent": {[]string{
			`{"resourceType":"Condition","code":"text","clinicalStatus":7,"onsetPeriod":[1],"recordedDate":{"a":1}}`, `{"resourceType":"Condition","code":{"text":"Kept","coding":"no"},"extension":"x","subject":"p"}`,
			`{"resourceType":"Observation","code":{"text":"Kept too"},"valueQuantity":"4","valueString":"5"}`, `{"resourceType":7}`, `{"noType":1}`, `null`},
			[]string{"Condition | Kept", "Observation | Kept too | 5"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, h, err := tell(t, recordOf(test.resources...))
			if err != nil || h.Cut {
				t.Errorf("%+v, %v", h, err)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("it says\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
			// Where in the file the resources stand does not matter but for the order in which they are told.
			slices.Reverse(test.resources)
			back, _, _ := tell(t, recordOf(test.resources...))
			slices.Sort(back)
			slices.Sort(got)
			if !slices.Equal(got, back) && name != "what is said of somebody else is left out" {
				t.Errorf("backwards it says\n%s\nwant\n%s", strings.Join(back, "\n"), strings.Join(got, "\n"))
			}
		})
	}
}

// TestARecordThatBreaksOffSaysWhatStoodBefore, and where it broke.
func TestARecordThatBreaksOffSaysWhatStoodBefore(t *testing.T) {
	whole := recordOf(`{"resourceType":"Condition","code":{"text":"One"}}`, `{"resourceType":"Condition","code":{"text":"Two"}}`, `{"resourceType":"Condition","code":{"text":"Three"}}`)
	got, _, err := tell(t, whole[:strings.Index(whole, "Three")])
	if err == nil || !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "entry 4") {
		t.Errorf("it says %v", err)
	}
	if want := []string{"Condition | One", "Condition | Two"}; !slices.Equal(got, want) {
		t.Errorf("it says %v, want %v", got, want)
	}
	if _, _, err := tell(t, `[]`); !errors.Is(err, fhir.ErrNotFHIR) {
		t.Errorf("a list is read: %v", err)
	}
	if _, err := fhir.ReadHealth(func() (io.ReadCloser, error) { return nil, errors.New("no disk") }, nil); err == nil {
		t.Error("a file that cannot be opened is no error")
	}
}

// FuzzReadHealth: whatever comes, reading ends without a panic, and the same bytes say the same.
func FuzzReadHealth(f *testing.F) {
	for _, path := range inputs(f) {
		f.Add(load(f, path))
	}
	f.Add([]byte(recordOf(`{"resourceType":"MedicationDispense","contained":[{"resourceType":"Medication","id":"a","code":{"text":"x"}}],"medicationReference":{"reference":"#a"}}`,
		`{"resourceType":"DiagnosticReport","result":[{"reference":"Observation/o"}],"basedOn":[{"reference":"ServiceRequest/s"}]}`, `{"resourceType":"Observation","id":"o","valueQuantity":{"value":1e99999}}`,
		`{"resourceType":"CareTeam","participant":[{"member":{"reference":"PractitionerRole/r"}}]}`, `{"resourceType":"PractitionerRole","id":"r","practitioner":{"reference":"PractitionerRole/r"},"organization":{"reference":"Organization/r"}}`)))
	f.Fuzz(func(t *testing.T, input []byte) {
		read := func() string {
			var b strings.Builder
			h, err := fhir.ReadHealth(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(input)), nil }, func(s fhir.Statement) {
				fmt.Fprintf(&b, "%+v %+v %+v %+v %+v %+v\n", s.Kind, s.What, s.Codes, s.Status, s.At, s.Who)
			})
			fmt.Fprint(&b, h.Cut, err)
			return b.String()
		}
		if one, two := read(), read(); one != two {
			t.Fatalf("read again it says\n%s\nwas\n%s", two, one)
		}
	})
}
