package sim_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"carebell/web/metriport"
)

// Ways into parsed JSON.

type jsonObject = map[string]any

func members(v any, name string) (out []jsonObject) {
	o, _ := v.(jsonObject)
	l, _ := o[name].([]any)
	for _, e := range l {
		if m, ok := e.(jsonObject); ok {
			out = append(out, m)
		}
	}
	return out
}

func text(v any, path ...string) string {
	for _, name := range path {
		switch o := v.(type) {
		case jsonObject:
			v = o[name]
		case []any:
			if len(o) == 0 {
				return ""
			}
			v = o[0].(jsonObject)[name]
		}
	}
	s, _ := v.(string)
	return s
}

// resources are those of a bundle, by kind, in their order.
func resources(b any) map[string][]jsonObject {
	out := map[string][]jsonObject{}
	for _, e := range members(b, "entry") {
		r, _ := e["resource"].(jsonObject)
		out[text(r, "resourceType")] = append(out[text(r, "resourceType")], r)
	}
	return out
}

func origin(r jsonObject) string {
	for _, x := range members(r, "extension") {
		if strings.HasSuffix(text(x, "url"), "/data-source.json") {
			return text(x, "valueCoding", "code")
		}
	}
	return ""
}

// left are the references that the sender's folding leaves as they were.
var left = []string{"requester", "basedOn", "collector", "request", "locationReference"}

// references are those of a bundle that must lead somewhere, and those that may lead to what was folded away.
func references(v any, within string) (firm, loose []string) {
	add := func(e any, within string) {
		f, l := references(e, within)
		firm, loose = append(firm, f...), append(loose, l...)
	}
	switch v := v.(type) {
	case jsonObject:
		if ref, ok := v["reference"].(string); ok {
			if slices.Contains(left, within) {
				loose = append(loose, ref)
			} else {
				firm = append(firm, ref)
			}
		}
		for name, e := range v {
			if _, one := e.(jsonObject); one && name == "performer" { // of a MedicationRequest
				name = "requester"
			}
			add(e, name)
		}
	case []any:
		for _, e := range v {
			add(e, within)
		}
	}
	return firm, loose
}

// record is what lies behind the first link of a message.
func (w *world) record(t *testing.T, body []byte) any {
	t.Helper()
	rec := w.get("GET", urls(parse(t, body))[0])
	if rec.Code != 200 {
		t.Fatalf("GET: %d", rec.Code)
	}
	return parse(t, rec.Body.Bytes())
}

// samples calls f with samples of some types over many seeds.
func samples(t *testing.T, n int, f func(w *world, kind metriport.Type, body []byte, bundle any), kinds ...metriport.Type) {
	t.Helper()
	for seed := range uint64(n) {
		w := newWorld(seed)
		for _, kind := range kinds {
			m, err := w.Sample(kind)
			if err != nil {
				t.Fatal(err)
			}
			f(w, kind, m.Body, w.record(t, m.Body))
		}
	}
}

// TestEveryBundleHoldsTogether: URNs as fullUrl, relative references that lead to a resource of the same bundle, and where
// it comes from.
func TestEveryBundleHoldsTogether(t *testing.T) {
	samples(t, 12, func(_ *world, kind metriport.Type, _ []byte, b any) {
		ids, traces := map[string]bool{}, map[string]bool{}
		for _, e := range members(b, "entry") {
			r := e["resource"].(jsonObject)
			for _, x := range members(r, "extension") {
				traces[text(x, "valueRelatedArtifact", "display")] = true
			}
			if e["fullUrl"] != "urn:uuid:"+text(r, "id") {
				t.Errorf("%s: fullUrl %v of %v", kind, e["fullUrl"], r["id"])
			}
			ids[text(r, "resourceType")+"/"+text(r, "id")] = true
			if strings.HasPrefix(string(kind), "patient.") && kind != metriport.DischargeSummary && origin(r) == "" && text(r, "resourceType") != "Medication" {
				t.Errorf("%s: a %v does not say where it comes from", kind, r["resourceType"])
			}
		}
		firm, loose := references(b, "")
		for _, ref := range firm {
			if !ids[ref] {
				t.Errorf("%s: %s is not in the bundle", kind, ref)
			}
		}
		for _, ref := range loose {
			if !ids[ref] && !traces[ref] && !strings.HasPrefix(ref, "ServiceRequest/") { // an order is found by its requisition alone
				t.Errorf("%s: %s is not in the bundle and left no trace", kind, ref)
			}
		}
	}, metriport.PatientAdmit, metriport.PatientTransfer, metriport.PatientDischarge, metriport.PatientPharmacy, metriport.PatientLaboratory,
		metriport.DischargeSummary, metriport.NetworkQueryHIE)
}

// TestAboutEveryThirdStayIsToldInTheDocumentedShape, and all moves, which the converters cannot tell.
func TestAboutEveryThirdStayIsToldInTheDocumentedShape(t *testing.T) {
	documented, all := 0, 0
	kinds := map[string]int{}
	samples(t, 90, func(_ *world, kind metriport.Type, _ []byte, b any) {
		first := text(members(b, "entry")[0]["resource"], "resourceType")
		kinds[fmt.Sprint(kind, " ", text(b, "type"))]++
		kinds[fmt.Sprint(kind, " begins with ", first)]++
		e := resources(b)["Encounter"]
		if kind == metriport.PatientTransfer {
			if len(e) != 1 || e[0]["identifier"] == nil {
				t.Errorf("a transfer in the converters' shape: %v", e)
			}
			return
		}
		all++
		if len(e) == 0 || e[0]["identifier"] == nil {
			converted(t, kind, b, e)
			return
		}
		documented++
		if len(e) != 1 || text(e[0], "participant", "type", "coding", "code") != "ATND" || text(e[0], "serviceProvider", "reference") == "" {
			t.Errorf("%s: the documented shape is %v", kind, e)
		}
	}, metriport.PatientAdmit, metriport.PatientTransfer, metriport.PatientDischarge)
	if documented < all/5 || documented > all/2 {
		t.Errorf("%d of %d are in the documented shape", documented, all)
	}
	for _, want := range []string{
		"patient.admit collection", "patient.discharge message", "patient.admit begins with Patient", "patient.discharge begins with Encounter",
		"patient.transfer begins with Encounter",
	} {
		if kinds[want] == 0 {
			t.Errorf("never: %s; got %v", want, kinds)
		}
	}
}

// converted says what an ADT bundle of the converters may have: contract.md, "Behind the URLs".
func converted(t *testing.T, kind metriport.Type, b any, encounters []jsonObject) {
	t.Helper()
	if text(b, "type") != "collection" {
		t.Errorf("%s: a bundle of type %s", kind, text(b, "type"))
	}
	for _, e := range encounters {
		for _, never := range []string{"identifier", "hospitalization", "serviceProvider", "type"} {
			if e[never] != nil {
				t.Errorf("%s: an Encounter with %s", kind, never)
			}
		}
		if s := text(e, "status"); s != "in-progress" && s != "finished" {
			t.Errorf("%s: an Encounter of status %s", kind, s)
		}
		for _, p := range members(e, "participant") {
			if p["type"] != nil || !strings.HasPrefix(text(p, "individual", "reference"), "Practitioner/") {
				t.Errorf("%s: a participant %v", kind, p)
			}
		}
		reasons := members(e, "reasonCode") // the sender's folding repeats words as text, and with that the reason
		if len(reasons) == 0 || slices.ContainsFunc(reasons, func(r jsonObject) bool { return r["coding"] == nil }) {
			t.Errorf("%s: reasons %v", kind, reasons)
		}
		if e["id"] != encounters[0]["id"] {
			t.Errorf("%s: a bundle of two encounters", kind)
		}
	}
	for _, l := range resources(b)["Location"] {
		if text(l, "name") == "" || l["address"] != nil {
			t.Errorf("%s: a place %v", kind, l)
		}
	}
	if days := resources(b)["Patient"]; len(days) != 1 || len(text(days[0], "birthDate")) != len(time.DateOnly) {
		t.Errorf("%s: patients %v", kind, days)
	}
}

// TestPharmacyIsWhatTheConverterMakes: everything completed, days as UTC midnight, the fill number where refills stand, one
// Medication a drug, and how to reach the pharmacy and the prescriber.
func TestPharmacyIsWhatTheConverterMakes(t *testing.T) {
	seen := map[string]int{}
	samples(t, 120, func(_ *world, _ metriport.Type, body []byte, b any) {
		r := resources(b)
		for _, d := range r["MedicationDispense"] {
			if text(d, "status") != "completed" || d["quantity"] == nil || d["daysSupply"] == nil {
				t.Errorf("a dispense %v", d)
			}
		}
		if len(r["MedicationDispense"]) > 0 && r["MedicationDispense"][0]["whenPrepared"] != nil {
			seen["documented"]++
			return
		}
		seen["converted"]++
		if day := text(parse(t, body), "payload", "medicationDispensedDate"); day != "" && !strings.HasSuffix(day, "T00:00:00.000Z") {
			t.Errorf("dispensed %s", day)
		}
		if len(r["MedicationDispense"]) > 12 {
			seen["long"]++
		}
		drugs := map[string]int{}
		for _, d := range r["MedicationDispense"] {
			if !strings.HasSuffix(text(d, "whenHandedOver"), "T00:00:00.000Z") || origin(d) != "SURESCRIPTS" {
				t.Errorf("a dispense %v", d)
			}
			drugs[text(d, "medicationReference", "reference")]++
		}
		for _, m := range r["Medication"] {
			switch {
			case len(members(m["code"], "coding")) > 1 && text(members(m["code"], "coding")[1], "system") == "http://hl7.org/fhir/sid/us-dea":
				seen["controlled"]++
			case drugs["Medication/"+text(m, "id")] > 1 && origin(m) != "":
				t.Errorf("a folded drug kept its source: %v", m)
			}
			if text(m, "code", "text") == "" || text(m, "code", "coding", "system") != "http://hl7.org/fhir/sid/ndc" {
				t.Errorf("a drug %v", m["code"])
			}
		}
		for _, q := range r["MedicationRequest"] {
			if text(q, "status") != "completed" {
				t.Errorf("a request %v", q)
			}
			if q["dispenseRequest"] != nil {
				seen["numbered"]++
			}
		}
		for _, o := range append(r["Practitioner"], r["Organization"]...) {
			if o["address"] != nil && o["telecom"] != nil {
				seen["reached"]++
			}
		}
	}, metriport.PatientPharmacy)
	for _, want := range []string{"documented", "converted", "long", "controlled", "numbered", "reached"} {
		if seen[want] == 0 {
			t.Errorf("never %s; got %v", want, seen)
		}
	}
	if seen["converted"] < seen["documented"] {
		t.Errorf("the documented shape is not the rarer one: %v", seen)
	}
}

// TestLaboratoryIsWhatTheConverterMakes: a report a result, without a date on the result; codes without words; notes that
// are the result; a test that was not performed.
func TestLaboratoryIsWhatTheConverterMakes(t *testing.T) {
	seen := map[string]int{}
	count := func(word string, is bool) {
		if is {
			seen[word]++
		}
	}
	note := func(_ *world, _ metriport.Type, body []byte, b any) {
		r := resources(b)
		if len(r["ServiceRequest"]) == 0 {
			seen["documented"]++
			count("preliminary", slices.ContainsFunc(r["DiagnosticReport"], func(d jsonObject) bool { return text(d, "status") == "preliminary" }))
			return
		}
		seen["converted"]++
		if born := text(r["Patient"][0], "birthDate"); len(born) != 8 || strings.Contains(born, "-") {
			t.Errorf("born %s", born)
		}
		if day := text(parse(t, body), "payload", "specimenCollectedDate"); day != "" && !strings.HasSuffix(day, "T00:00:00.000Z") {
			t.Errorf("collected %s", day)
		}
		for _, d := range r["DiagnosticReport"] {
			if !strings.HasSuffix(text(d, "effectiveDateTime"), "T00:00:00.000Z") || d["code"].(jsonObject)["text"] != nil || !strings.HasPrefix(text(d, "basedOn", "reference"), "ServiceRequest/") || origin(d) != "QUEST" {
				t.Errorf("a report %v", d)
			}
			count("not performed and without a result", d["result"] == nil)
			if data := text(d, "presentedForm", "data"); data != "" {
				plain, err := base64.StdEncoding.DecodeString(data)
				count("in a form", err == nil && len(plain) > 5)
			}
		}
		for _, o := range r["Observation"] {
			if o["effectiveDateTime"] != nil || text(o, "code", "text") == "" {
				t.Errorf("a result %v", o)
			}
			value := text(o, "valueString")
			count("cancelled", text(o, "status") == "cancelled")
			count("see note", value == "SEE NOTE:" && text(o, "note", "text") != "")
			count("below", strings.HasPrefix(value, "<"))
			count("above", strings.HasPrefix(value, ">"))
			count("number", o["valueQuantity"] != nil)
			count("called", strings.HasPrefix(text(o, "note", "text"), "CRITICAL RESULT CALLED"))
		}
		count("order", text(r["ServiceRequest"][0], "code", "text") != "")
		count("orderer", text(r["Practitioner"][0], "identifier", "value") != "")
		count("site with a phone", len(r["Location"]) > 0 && r["Location"][0]["telecom"] != nil)
	}
	samples(t, 300, note, metriport.PatientLaboratory)
	for _, want := range []string{"documented", "preliminary", "converted", "not performed and without a result", "in a form", "cancelled", "see note", "below", "above", "number", "called", "order", "orderer", "site with a phone"} {
		if seen[want] == 0 {
			t.Errorf("never %s; got %v", want, seen)
		}
	}
}

// TestAPatientsRecordGrows: the same story at any time, and more of it a week later; what goes is a suspicion.
func TestAPatientsRecordGrows(t *testing.T) {
	facts := func(w *world) map[string]map[string]bool { // by patient
		out := map[string]map[string]bool{}
		for range 70 {
			m, err := w.Sample(metriport.NetworkQueryHIE)
			if err != nil {
				t.Fatal(err)
			}
			of := map[string]bool{}
			for kind, all := range resources(w.record(t, m.Body)) {
				for _, r := range all {
					if o := origin(r); o != "QUEST" && o != "SURESCRIPTS" && kind != "Medication" { // their ids are new with each conversion
						of[kind+"/"+text(r, "id")+text(r, "code", "text")] = true
					}
				}
			}
			out[text(parse(t, m.Body), "payload", "patientId")] = of
			if len(out) == 40 {
				break
			}
		}
		return out
	}
	w := newWorld(1)
	before := facts(w)
	w.pass(7 * 24 * time.Hour)
	after := facts(w)
	if len(before) < 20 {
		t.Fatalf("%d patients were asked for", len(before))
	}
	grown, lost := 0, 0
	for id, had := range before {
		if after[id] == nil {
			continue
		}
		for fact := range after[id] {
			if !had[fact] {
				grown++
				break
			}
		}
		for fact := range had {
			if !after[id][fact] {
				lost++
				if !strings.Contains(fact, "Deep venous thrombosis") {
					t.Errorf("a week later %s is gone", fact)
				}
			}
		}
	}
	if grown < len(before)/2 || lost == 0 {
		t.Errorf("a week later %d of %d records have more, and %d facts are gone", grown, len(before), lost)
	}
}

// TestRecordsHaveWhatAPracticeAsksFor, and tell nothing from none.
func TestRecordsHaveWhatAPracticeAsksFor(t *testing.T) {
	seen := map[string]int{}
	samples(t, 40, func(_ *world, _ metriport.Type, _ []byte, b any) {
		r := resources(b)
		for kind := range r {
			seen[kind]++
		}
		raw, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"No known allerg", `"component"`, `"8480-6"`, "doc-id-extension", `"CAREQUALITY"`, `"COMMONWELL"`, "condition-ver-status", "derived-from", `"resolved"`} {
			if strings.Contains(string(raw), word) {
				seen[word]++
			}
		}
		if len(r["AllergyIntolerance"]) == 0 {
			seen["no allergies recorded"]++
		}
	}, metriport.NetworkQueryHIE)
	for _, want := range []string{
		"AllergyIntolerance", "CareTeam", "Condition", "Coverage", "DiagnosticReport", "Encounter", "Immunization", "MedicationDispense", "MedicationRequest", "MedicationStatement",
		"Observation", "Procedure", "No known allerg", `"component"`, `"8480-6"`, "doc-id-extension", `"CAREQUALITY"`, `"COMMONWELL"`, "derived-from", `"resolved"`, "no allergies recorded",
	} {
		if seen[want] == 0 {
			t.Errorf("never %s; got %v", want, seen)
		}
	}
}
