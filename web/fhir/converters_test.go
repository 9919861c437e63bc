package fhir_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"carebell/web/fhir"
)

// The bundles here are written from contract.md, in the shapes that the sender's converters make: fullUrl urn:uuid, relative
// references, a data source on every resource, participants without a type. All people in them are made up.

const sourceURL = "https://public.metriport.com/fhir/StructureDefinition/data-source.json"

// of is a resource with its data source; rest are its other members, with a comma before them.
func of(source, kind, id, rest string) string {
	return fmt.Sprintf(`{"resourceType":%q,"id":%q,"extension":[{"url":"https://public.metriport.com/fhir/StructureDefinition/doc-id-extension.json","valueString":"a/b_ADT_A01.hl7"},
		{"url":%q,"valueCoding":{"system":%q,"code":%q}}]%s}`, kind, id, sourceURL, sourceURL, source, rest)
}

// collection is a bundle of resources in an order.
func collection(resources ...string) string {
	var entries []string
	for _, r := range resources {
		var head struct{ ID string }
		_ = json.Unmarshal([]byte(r), &head) // all of ours have one
		entries = append(entries, fmt.Sprintf(`{"fullUrl":"urn:uuid:%s","resource":%s}`, head.ID, r))
	}
	return `{"resourceType":"Bundle","type":"collection","entry":[` + strings.Join(entries, ",") + `]}`
}

// readAnyOrder reads a bundle of the resources, and fails where another order of them gives other facts.
func readAnyOrder(t *testing.T, resources ...string) fhir.Facts {
	t.Helper()
	facts := read(t, collection(resources...))
	want, err := facts.Encode()
	if err != nil {
		t.Fatal(err)
	}
	order := rand.New(rand.NewPCG(7, 7))
	for range 10 {
		shuffled := slices.Clone(resources)
		order.Shuffle(len(shuffled), func(i, k int) { shuffled[i], shuffled[k] = shuffled[k], shuffled[i] })
		other := read(t, collection(shuffled...))
		got, err := other.Encode()
		if err != nil || string(got) != string(want) {
			t.Fatalf("another order gives\n%s\nnot\n%s, %v", got, want, err)
		}
	}
	return facts
}

const patient = `,"name":[{"family":"Sample","given":["Ines","Q"]}],"birthDate":"1950-03-04"`

func stay(id, status, class, period, rest string) string {
	if period != "" {
		period = `,"period":` + period
	}
	return of("BAMBOO", "Encounter", id, fmt.Sprintf(`,"status":%q,"class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":%q},"subject":{"reference":"Patient/p"}%s%s`, status, class, period, rest))
}

func between(start, end string) string {
	switch {
	case end == "":
		return fmt.Sprintf(`{"start":%q}`, start)
	case start == "":
		return fmt.Sprintf(`{"end":%q}`, end)
	default:
		return fmt.Sprintf(`{"start":%q,"end":%q}`, start, end)
	}
}

// stayOf says in one line what people read of an encounter.
func stayOf(e fhir.Encounter) string {
	var diagnoses []string
	for _, d := range e.Diagnoses {
		diagnoses = append(diagnoses, d.Text)
	}
	return fmt.Sprintf("%s %s %s [%s, %s] at %q for %v with %v by %q seen by %v", e.ID, e.Status, e.Class.Code, e.Start, e.End, e.Facility, e.Reasons, diagnoses, e.Attending, e.SeenBy)
}

func staysOf(f fhir.Facts) (out []string) {
	for _, e := range f.Encounters {
		out = append(out, stayOf(e))
	}
	return out
}

func TestEncountersOfOneIDAreOneWhereTheirTimesOverlap(t *testing.T) {
	people := []string{
		of("BAMBOO", "Patient", "p", patient),
		of("BAMBOO", "Practitioner", "dr", `,"name":[{"family":"Attending","given":["Avery"],"prefix":["Dr."]}]`),
		of("BAMBOO", "Location", "l", `,"name":"Larkspur Community Hospital"`),
		of("BAMBOO", "Condition", "c1", `,"subject":{"reference":"Patient/p"},"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"I50.9","display":"Heart failure"}]}`),
		of("BAMBOO", "Condition", "c2", `,"subject":{"reference":"Patient/p"},"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"E11.9","display":"Diabetes"}]}`),
	}
	const (
		who      = `,"participant":[{"individual":{"reference":"Practitioner/dr"}}]`
		where    = `,"location":[{"location":{"reference":"Location/l"}}]`
		why      = `,"reasonCode":[{"coding":[{"display":"Short of breath"}]}]`
		with     = `,"diagnosis":[{"condition":{"reference":"Condition/c1"}}]`
		withMore = `,"diagnosis":[{"condition":{"reference":"Condition/c2"}}]`
		at10     = "2026-04-20T10:00:00.000Z"
		at1015   = "2026-04-20T10:15:00.000Z"
		left     = "2026-04-23T16:30:00.000Z"
	)
	for name, c := range map[string]struct {
		encounters []string
		want       []string
	}{
		"the finished one, with what the other alone has": {
			[]string{
				stay("e", "in-progress", "IMP", between(at10, ""), who+where+why+with),
				stay("e", "finished", "IMP", between(at1015, left), withMore),
			},
			[]string{`e finished IMP [2026-04-20T10:15:00Z, 2026-04-23T16:30:00Z] at "Larkspur Community Hospital" for [Short of breath] with [Diabetes Heart failure] by "Dr. Avery Attending" seen by []`},
		},
		"none finished: the later one": {
			[]string{
				stay("e", "in-progress", "EMER", between(at10, ""), why),
				stay("e", "in-progress", "IMP", between(at1015, ""), where),
			},
			[]string{`e in-progress IMP [2026-04-20T10:15:00Z, ] at "Larkspur Community Hospital" for [Short of breath] with [] by "" seen by []`},
		},
		"an end alone belongs to the one that began before it": {
			[]string{
				stay("e", "in-progress", "IMP", between(at10, ""), why),
				stay("e", "finished", "IMP", between("", left), who),
			},
			[]string{`e finished IMP [2026-04-20T10:00:00Z, 2026-04-23T16:30:00Z] at "" for [Short of breath] with [] by "Dr. Avery Attending" seen by []`},
		},
		"without a period, to the only stay there is": {
			[]string{
				stay("e", "unknown", "AMB", "", why+where),
				stay("e", "finished", "IMP", between(at10, left), ""),
			},
			[]string{`e finished IMP [2026-04-20T10:00:00Z, 2026-04-23T16:30:00Z] at "Larkspur Community Hospital" for [Short of breath] with [] by "" seen by []`},
		},
		"other times are another stay, and lend nothing": {
			[]string{
				stay("e", "finished", "SS", between("2026-04-01T08:00:00Z", "2026-04-01T12:00:00Z"), who+where+why+with),
				stay("e", "finished", "SS", between("2026-04-03T08:00:00Z", "2026-04-03T12:00:00Z"), ""),
			},
			[]string{
				`e finished SS [2026-04-03T08:00:00Z, 2026-04-03T12:00:00Z] at "" for [] with [] by "" seen by []`,
				`e finished SS [2026-04-01T08:00:00Z, 2026-04-01T12:00:00Z] at "Larkspur Community Hospital" for [Short of breath] with [Heart failure] by "Dr. Avery Attending" seen by []`,
			},
		},
		"back within the day is another stay": {
			[]string{
				stay("e", "finished", "IMP", between("2026-04-20T06:00:00Z", "2026-04-20T12:00:00Z"), why),
				stay("e", "in-progress", "IMP", between("2026-04-20T15:00:00Z", ""), ""),
			},
			[]string{
				`e in-progress IMP [2026-04-20T15:00:00Z, ] at "" for [] with [] by "" seen by []`,
				`e finished IMP [2026-04-20T06:00:00Z, 2026-04-20T12:00:00Z] at "" for [Short of breath] with [] by "" seen by []`,
			},
		},
		"without a period beside two stays: of neither": {
			[]string{
				stay("e", "unknown", "SS", "", why),
				stay("e", "finished", "SS", between("2026-04-01T08:00:00Z", "2026-04-01T12:00:00Z"), ""),
				stay("e", "finished", "SS", between("2026-04-03T08:00:00Z", "2026-04-03T12:00:00Z"), ""),
			},
			[]string{
				`e finished SS [2026-04-03T08:00:00Z, 2026-04-03T12:00:00Z] at "" for [] with [] by "" seen by []`,
				`e finished SS [2026-04-01T08:00:00Z, 2026-04-01T12:00:00Z] at "" for [] with [] by "" seen by []`,
				`e unknown SS [, ] at "" for [Short of breath] with [] by "" seen by []`,
			},
		},
		"no period at all is fine": {
			[]string{stay("e", "finished", "IMP", "", who+where+why+with)},
			[]string{`e finished IMP [, ] at "Larkspur Community Hospital" for [Short of breath] with [Heart failure] by "Dr. Avery Attending" seen by []`},
		},
		"other ids stay apart": {
			[]string{
				stay("e", "in-progress", "IMP", between(at10, ""), why),
				stay("f", "finished", "IMP", between(at10, left), ""),
			},
			[]string{
				`e in-progress IMP [2026-04-20T10:00:00Z, ] at "" for [Short of breath] with [] by "" seen by []`,
				`f finished IMP [2026-04-20T10:00:00Z, 2026-04-23T16:30:00Z] at "" for [] with [] by "" seen by []`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := staysOf(readAnyOrder(t, append(slices.Clone(people), c.encounters...)...)); !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

func TestCodesOfAllCodingsAreRead(t *testing.T) {
	f := readAnyOrder(t,
		stay("e", "finished", "IMP", "", `,"reasonCode":[{"coding":[{"system":"http://snomed.info/sct","code":"267036007","display":"Dyspnea"},{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"R06.02"},{"display":"no code"}]}],
			"diagnosis":[{"condition":{"reference":"Condition/c1"}},{"reference":"Condition/c2"},{"condition":{"reference":"Condition/c1"}}]`),
		of("BAMBOO", "Condition", "c1", `,"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"I50.9","display":"Heart failure"},{"system":"http://snomed.info/sct","code":"84114007"}]}`),
		of("BAMBOO", "Condition", "c2", `,"code":{"coding":[{"code":"401.9","display":"Hypertension"},{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"R06.02"}]}`),
	)
	want := []string{
		"http://hl7.org/fhir/sid/icd-10-cm|I50.9", "http://hl7.org/fhir/sid/icd-10-cm|R06.02", "http://snomed.info/sct|267036007", "http://snomed.info/sct|84114007", "|401.9",
	}
	e := f.Encounters[0]
	if !slices.Equal(e.Codes, want) {
		t.Errorf("codes %q, want %q", e.Codes, want)
	}
	if len(e.Diagnoses) != 3 || e.Diagnoses[1].Text != "Hypertension" { // a bare reference
		t.Errorf("diagnoses %+v", e.Diagnoses)
	}
}

func TestWhoSawThePatient(t *testing.T) {
	part := func(id, kind string) string {
		if kind == "" {
			return fmt.Sprintf(`{"individual":{"reference":"Practitioner/%s"}}`, id)
		}
		return fmt.Sprintf(`{"type":[{"coding":[{"code":%q}]}],"individual":{"reference":"Practitioner/%s"}}`, kind, id)
	}
	for name, c := range map[string]struct {
		parts     []string
		attending string
		seenBy    []string
	}{
		"the only one, without a type":         {[]string{part("a", "")}, "Alex Attending", nil},
		"the same one twice":                   {[]string{part("a", ""), part("a", "")}, "Alex Attending", nil},
		"two without a type":                   {[]string{part("a", ""), part("b", "")}, "", []string{"Alex Attending", "Bo Bedside"}},
		"one of the type":                      {[]string{part("b", "ATND")}, "Bo Bedside", nil},
		"one of the type, another without one": {[]string{part("a", ""), part("b", "ATND")}, "Bo Bedside", []string{"Alex Attending"}},
		"the one without a type beside others": {[]string{part("a", ""), part("b", "REF")}, "", []string{"Alex Attending"}},
		"a relative is nobody who sees":        {[]string{`{"individual":{"reference":"RelatedPerson/r","display":"Uncle"}}`, part("a", "")}, "Alex Attending", nil},
		"by display alone":                     {[]string{`{"individual":{"display":"Dr. Only Name"}}`}, "Dr. Only Name", nil},
		"none":                                 {nil, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := read(t, collection(
				stay("e", "finished", "IMP", "", `,"participant":[`+strings.Join(c.parts, ",")+`]`),
				of("BAMBOO", "Practitioner", "a", `,"name":[{"given":["Alex"],"family":"Attending"}]`),
				of("BAMBOO", "Practitioner", "b", `,"name":[{"given":["Bo"],"family":"Bedside"}]`),
				of("BAMBOO", "RelatedPerson", "r", `,"name":[{"text":"Uncle"}]`),
			))
			if e := f.Encounters[0]; e.Attending != c.attending || !slices.Equal(e.SeenBy, c.seenBy) {
				t.Errorf("attending %q, seen by %q; want %q, %q", e.Attending, e.SeenBy, c.attending, c.seenBy)
			}
		})
	}
}

func TestABundleWhoseEncounterIsGoneStillSaysOfAStay(t *testing.T) {
	conditions := []string{
		of("HIXNY", "Condition", "c1", `,"subject":{"reference":"Patient/p"},"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"I50.9","display":"Heart failure"}]}`),
		of("HIXNY", "Condition", "c2", `,"verificationStatus":{"coding":[{"code":"entered-in-error"}]},"code":{"text":"Measles"}`),
	}
	who := of("HIXNY", "Practitioner", "dr", `,"name":[{"family":"Attending","given":["Avery"]}]`)
	where := of("HIXNY", "Location", "l", `,"name":"Larkspur Comm Hosp - Main"`)
	pat := of("HIXNY", "Patient", "p", patient)
	f := readAnyOrder(t, append(conditions, who, where, pat)...)
	e := f.Remains
	if e == nil {
		t.Fatal("nothing remains")
	}
	if got, want := stayOf(*e), `  [, ] at "Larkspur Comm Hosp - Main" for [] with [Heart failure] by "Avery Attending" seen by []`; strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") {
		t.Errorf("got %s, want %s", got, want)
	}
	if e.Exchange != "HIXNY" || !slices.Equal(e.Codes, []string{"http://hl7.org/fhir/sid/icd-10-cm|I50.9"}) || !slices.Equal(f.Exchanges, []string{"HIXNY"}) {
		t.Errorf("exchange %q, codes %q, all exchanges %q", e.Exchange, e.Codes, f.Exchanges)
	}
	two := readAnyOrder(t, who, where, of("HIXNY", "Location", "l2", `,"name":"Elsewhere"`), of("HIXNY", "Practitioner", "dr2", `,"name":[{"text":"Bo Bedside"}]`))
	if e := two.Remains; e == nil || e.Facility != "" || e.Attending != "" || !slices.Equal(e.SeenBy, []string{"Avery Attending", "Bo Bedside"}) {
		t.Errorf("of two places and two people: %+v", e)
	}
	for name, resources := range map[string][]string{
		"a patient alone":        {pat},
		"with its Encounter":     append(conditions, who, where, pat, stay("e", "finished", "IMP", "", "")),
		"a pharmacy's bundle":    {pat, who, of("SURESCRIPTS", "MedicationDispense", "d", `,"medicationCodeableConcept":{"text":"Aspirin"}`)},
		"a laboratory's bundle":  {pat, who, where, of("QUEST", "DiagnosticReport", "r", `,"code":{"text":"Panel"}`)},
		"a message about a stay": {pat, who, of("X", "Communication", "m", `,"payload":[{"contentString":"Hello"}]`)},
	} {
		if f := read(t, collection(resources...)); f.Remains != nil {
			t.Errorf("%s: %+v remains", name, *f.Remains)
		}
	}
}

func TestClassesInWordsThatClaimNoMoreThanWasSent(t *testing.T) {
	for code, want := range map[string]string{
		"IMP": "inpatient", "ACUTE": "inpatient", "NONAC": "inpatient", "EMER": "emergency", "OBSENC": "observation", "AMB": "ambulatory or unknown",
		"SS": "recurring or short stay", "PRENC": "pre-admission", "HH": "home health", "VR": "virtual", "FLD": "field", "": "unknown", "OTHER": "unknown",
	} {
		c := read(t, collection(stay("e", "finished", code, "", ""))).Encounters[0].Class
		if unsure := code == "AMB" || code == "SS"; c.Word != want || c.Unsure != unsure {
			t.Errorf("%s: %q, unsure %t; want %q, %t", code, c.Word, c.Unsure, want, unsure)
		}
	}
}

func TestTheExchangeOfEachFactIsRead(t *testing.T) {
	source := func(code string) string { return fmt.Sprintf(`{"url":%q,"valueCoding":{"code":%q}}`, sourceURL, code) }
	for name, c := range map[string]struct{ extension, want string }{
		"as the converter writes it": {`[` + source("KONZA") + `]`, "KONZA"},
		"as sent, not in our words":  {`[` + source("Some Hie ") + `]`, "Some Hie"},
		"the value before the url":   {fmt.Sprintf(`[{"valueCoding":{"display":"x","code":"HIXNY"},"url":%q}]`, sourceURL), "HIXNY"},
		"after others of any size":   {`[{"url":"http://other","valueString":"` + strings.Repeat("x", 3000) + `"},{"url":"http://nested","extension":[` + source("NOT THIS") + `]},` + source("BAMBOO") + `]`, "BAMBOO"},
		"of several the first":       {`[` + source("BAMBOO") + `,` + source("HIXNY") + `]`, "BAMBOO"},
		"after forty others":         {`[` + strings.Repeat(`{"url":"http://other","valueCode":"x"},`, 40) + source("BAMBOO") + `]`, "BAMBOO"},
		"odd shapes":                 {`["text",null,{"url":1},{"url":"` + sourceURL + `","valueCoding":"BAMBOO"},{"url":"` + sourceURL + `","valueCoding":{"code":{"a":1}}}]`, ""},
		"no array":                   {`{"url":"` + sourceURL + `","valueCoding":{"code":"BAMBOO"}}`, ""},
		"empty":                      {`[]`, ""},
		"another extension's value":  {`[{"url":"http://other","valueCoding":{"code":"OTHER"}}]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, kind := range []string{"Encounter", "Condition", "MedicationDispense", "MedicationRequest", "DiagnosticReport", "Observation", "Communication", "DocumentReference", "Patient"} {
				input := fmt.Sprintf(`{"resourceType":%q,"id":"x","extension":%s,"code":{"text":"c"}}`, kind, c.extension)
				for _, f := range []fhir.Facts{read(t, input), read(t, collection(input))} {
					got := map[string]string{}
					for _, e := range f.Encounters {
						got["Encounter"] = e.Exchange
					}
					for _, e := range f.Conditions {
						got["Condition"] = e.Exchange
					}
					for _, e := range f.Dispenses {
						got["MedicationDispense"] = e.Exchange
					}
					for _, e := range f.Prescriptions {
						got["MedicationRequest"] = e.Exchange
					}
					for _, e := range f.Reports {
						got["DiagnosticReport"] = e.Exchange
					}
					for _, e := range f.Observations {
						got["Observation"] = e.Exchange
					}
					for _, e := range f.Communications {
						got["Communication"] = e.Exchange
					}
					for _, e := range f.Documents {
						got["DocumentReference"] = e.Exchange
					}
					got["Patient"] = f.Patient.Exchange
					all := []string(nil)
					if c.want != "" {
						all = []string{c.want}
					}
					if got[kind] != c.want || !slices.Equal(f.Exchanges, all) {
						t.Errorf("%s: %q, all %q; want %q", kind, got[kind], f.Exchanges, c.want)
					}
				}
			}
		})
	}
}
