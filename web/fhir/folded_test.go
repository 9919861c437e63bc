package fhir_test

import (
	"fmt"
	"strings"
	"testing"
)

// trace is what the sender leaves of a resource that it folded into another one.
func trace(ref string) string {
	return fmt.Sprintf(`{"url":"http://hl7.org/fhir/StructureDefinition/artifact-relatedArtifact","valueRelatedArtifact":{"type":"derived-from","display":%q}}`, ref)
}

// TestWhatWasFoldedAwayIsFound: the sender's prescriptions and reports point at the prescriber and the order of their own
// row, of which it keeps one of all rows.
func TestWhatWasFoldedAwayIsFound(t *testing.T) {
	const surescripts = `{"url":"https://public.metriport.com/fhir/StructureDefinition/data-source.json","valueCoding":{"code":"SURESCRIPTS"}}`
	traces := make([]string, 500)
	for i := range traces {
		traces[i] = trace(fmt.Sprint("Practitioner/gone-", i))
	}
	f := read(t, `{"resourceType":"Bundle","entry":[
{"resource":{"resourceType":"MedicationRequest","id":"mr","requester":{"reference":"Practitioner/gone-499","display":"S. Hospitalist"}}},
{"resource":{"resourceType":"MedicationDispense","id":"md","medicationCodeableConcept":{"text":"Drug"},"authorizingPrescription":[{"reference":"MedicationRequest/mr"}]}},
{"resource":{"resourceType":"Practitioner","id":"dr","name":[{"text":"Sample Hospitalist"}],"identifier":[{"system":"http://hl7.org/fhir/sid/us-npi","value":"1999999976"}],
	"extension":[`+surescripts+`,`+strings.Join(traces, ",")+`,`+trace("Organization/gone-1")+`]}},
{"resource":{"resourceType":"ServiceRequest","id":"order","code":{"text":"BASIC METABOLIC PANEL"},"requisition":{"system":"http://example.org/requisition-number","value":"R1"},"requester":{"reference":"Practitioner/gone-0"}}},
{"resource":{"resourceType":"DiagnosticReport","id":"r","basedOn":[{"reference":"ServiceRequest/gone"}],"code":{"coding":[{"system":"http://loinc.org","code":"2951-2"}]},
	"identifier":[{"system":"https://example.org/identifier/accession","value":"R1"},{"system":"https://example.org/identifier/requisition","value":"R1"}],"conclusion":"x"}},
{"resource":{"resourceType":"DiagnosticReport","id":"other","basedOn":[{"reference":"ServiceRequest/gone"}],"code":{"coding":[{"system":"http://loinc.org","code":"2951-2"}]},
	"identifier":[{"system":"https://example.org/identifier/requisition","value":"R2"}],"conclusion":"x"}}]}`)
	if d := f.Dispenses[0]; d.Prescriber.Name != "Sample Hospitalist" || d.Prescriber.NPI != "1999999976" {
		t.Errorf("prescribed by %+v", d.Prescriber)
	}
	for _, r := range f.Reports {
		switch {
		case r.ID == "r" && (r.Name != "BASIC METABOLIC PANEL" || r.OrderedBy.NPI != "1999999976" || r.OrderID != "order"):
			t.Errorf("%+v", r)
		case r.ID == "other" && (r.Name != "2951-2" || r.OrderedBy.NPI != ""):
			t.Errorf("another requisition: %+v", r)
		}
	}
}

// TestWhatWasFoldedIntoTwoIsNobody: a trace in two resources, or two orders of one requisition, tell nothing; and a trace
// hides nobody who is there.
func TestWhatWasFoldedIntoTwoIsNobody(t *testing.T) {
	f := read(t, `{"resourceType":"Bundle","entry":[
{"resource":{"resourceType":"MedicationRequest","id":"mr","requester":{"reference":"Practitioner/gone"}}},
{"resource":{"resourceType":"MedicationRequest","id":"mr-there","requester":{"reference":"Practitioner/b"}}},
{"resource":{"resourceType":"MedicationDispense","id":"md","medicationCodeableConcept":{"text":"Drug"},"authorizingPrescription":[{"reference":"MedicationRequest/mr"}]}},
{"resource":{"resourceType":"MedicationDispense","id":"md-there","medicationCodeableConcept":{"text":"Drug"},"authorizingPrescription":[{"reference":"MedicationRequest/mr-there"}]}},
{"resource":{"resourceType":"Practitioner","id":"a","name":[{"text":"A"}],"extension":[`+trace("Practitioner/gone")+`,`+trace("Practitioner/b")+`]}},
{"resource":{"resourceType":"Practitioner","id":"b","name":[{"text":"B"}],"extension":[`+trace("Practitioner/gone")+`]}},
{"resource":{"resourceType":"ServiceRequest","id":"one","code":{"text":"ONE"},"requisition":{"system":"x/requisition","value":"R1"}}},
{"resource":{"resourceType":"ServiceRequest","id":"two","code":{"text":"TWO"},"requisition":{"system":"x/requisition","value":"R1"}}},
{"resource":{"resourceType":"DiagnosticReport","id":"r","code":{"text":"Sodium"},"identifier":[{"system":"x/requisition","value":"R1"}],"conclusion":"x"}}]}`)
	for _, d := range f.Dispenses {
		if want := map[string]string{"md": "", "md-there": "B"}[d.ID]; d.Prescriber.Name != want {
			t.Errorf("%s: prescribed by %q, want %q", d.ID, d.Prescriber.Name, want)
		}
	}
	if r := f.Reports[0]; r.OrderID != "" || r.Name != "Sodium" {
		t.Errorf("%+v", r)
	}
}
