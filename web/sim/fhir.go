package sim

import (
	"math/rand/v2"
	"time"
)

// Code systems, by their canonical names.
const (
	loincSystem   = "http://loinc.org"
	icdSystem     = "http://hl7.org/fhir/sid/icd-10-cm"
	rxnormSystem  = "http://www.nlm.nih.gov/research/umls/rxnorm"
	snomedSystem  = "http://snomed.info/sct"
	actCode       = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
	idTypeSystem  = "http://terminology.hl7.org/CodeSystem/v2-0203"
	interpSystem  = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
	roleSystem    = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
	ucumSystem    = "http://unitsofmeasure.org"
	npiSystem     = "http://hl7.org/fhir/sid/us-npi"
	typeJSON      = "application/json"
	typePDF       = "application/pdf"
	typeText      = "text/plain; charset=utf-8"
	dispoSystem   = "http://terminology.hl7.org/CodeSystem/discharge-disposition"
	conditionType = "http://terminology.hl7.org/CodeSystem/condition-category"
)

// resource is a FHIR R4 resource.
func resource(kind, id string, pairs ...any) object {
	return append(of("resourceType", kind, "id", id), of(pairs...)...)
}

// reference points at a resource of the same bundle the way the sender does: relative, although fullUrl is a URN.
func reference(to object, display string) object {
	return of("reference", to.get("resourceType")+"/"+to.get("id"), "display", display)
}

func concept(system, code, display string) object {
	return of("coding", list{of("system", system, "code", code, "display", display)}, "text", display)
}

// bundle is a FHIR R4 Bundle of kind collection, message, searchset or document.
func bundle(kind string, at time.Time, resources ...object) object {
	entries := list{}
	for _, r := range resources {
		entries = append(entries, of("fullUrl", "urn:uuid:"+r.get("id"), "resource", r))
	}
	return of("resourceType", "Bundle", "type", kind, "timestamp", at, "total", totalOf(kind, len(resources)), "entry", entries)
}

// totalOf: only a searchset counts itself.
func totalOf(kind string, n int) any {
	if kind == "searchset" {
		return n
	}
	return nil
}

// bundleKind is what the sender happens to label a notification bundle.
func bundleKind(r *rand.Rand) string { return pick(r, []string{"collection", "collection", "message"}) }

// jsonFile is a bundle as an object of the store.
func jsonFile(name string, draw func(r *rand.Rand) object) content {
	return content{name, typeJSON, func(r *rand.Rand) []byte { return encode(draw(r)) }}
}

// patient is the Patient resource. Somebody admitted as a John Doe has neither name nor birth date in it.
func (p person) resource(unnamed bool) object {
	if unnamed {
		return resource("Patient", p.id, "gender", "unknown")
	}
	return resource("Patient", p.id,
		"identifier", p.identifiers(),
		"name", list{of("use", "official", "family", p.family, "given", list{p.given})},
		"telecom", list{of("system", "phone", "value", p.phone, "use", "home")},
		"gender", p.sex, "birthDate", p.born,
		"address", list{of("line", list{p.line}, "city", p.city, "state", p.state, "postalCode", p.zip, "country", "USA")})
}

func (p person) identifiers() any {
	if p.externalID == "" {
		return nil
	}
	return list{of("type", concept(idTypeSystem, "MR", "Medical record number"), "value", p.externalID)}
}

func practitioner(i int) object {
	d := doctors[i]
	return resource("Practitioner", derived("practitioner", d.npi),
		"identifier", list{of("system", npiSystem, "value", d.npi)},
		"name", list{of("family", d.family, "given", list{d.given}, "prefix", list{"Dr."})})
}

func doctorName(i int) string { return "Dr. " + doctors[i].given + " " + doctors[i].family }

func organization(name string) object {
	return resource("Organization", derived("organization", name), "name", name)
}

func locationOf(name string, facility string) object {
	return resource("Location", derived("location", name, facility), "name", name, "status", "active")
}

func (c complaint) condition(st *stay) object {
	return resource("Condition", derived("condition", st.id, c.icd),
		"category", list{concept(conditionType, "encounter-diagnosis", "Encounter Diagnosis")},
		"code", concept(icdSystem, c.icd, c.name),
		"subject", reference(st.who.resource(true), ""))
}
