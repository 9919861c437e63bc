package sim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// namer gives resources their ids: the same words, the same id. The sender makes new ids whenever it converts a file, so
// a namer belongs to one conversion.
type namer func(words ...string) string

// conversion is the namer of one conversion.
func conversion(which ...string) namer {
	return func(words ...string) string { return derived(slices.Concat(which, words)...) }
}

// filled is one row of the pharmacy network's file: a drug as it was filled once. It does not say that somebody picked it
// up.
type filled struct {
	what     drug
	on       time.Time // the day, as UTC midnight
	written  time.Time // the day of the prescription, as UTC midnight; zero where the file does not say
	number   int       // which fill of the prescription; the file counts from 0
	doctor   int
	shop     int
	directed bool // whether the file says how to take it
}

// fills are what the pharmacy network knows of a patient, in the order of its file.
type fills struct {
	who     person
	rows    []filled
	insured bool // whether the file names who pays
}

// bundle is what the sender converts the file to: nothing but the patient where there are no fills.
func (f fills) bundle(id namer) object {
	return collection(append([]object{f.patient()}, f.resources(id)...)...)
}

// collection is a bundle as the converters make it.
func collection(resources ...object) object {
	entries := list{}
	for _, r := range resources {
		entries = append(entries, of("fullUrl", "urn:uuid:"+r.get("id"), "resource", r))
	}
	return of("resourceType", "Bundle", "type", "collection", "total", len(entries), "entry", entries)
}

func (f fills) patient() object {
	p := f.who
	return marked(resource("Patient", p.id, "name", list{of("text", p.name(), "given", list{p.given}, "family", p.family)},
		"gender", p.sex, "birthDate", p.born), source(fromSurescripts))
}

// resources are those beside the patient, with what the sender folds together: one Medication a drug, one request a
// prescription, one person and one pharmacy, each under the id of the first row. A folded Medication keeps neither its
// extensions nor the schedule of a controlled drug. The sender's folding leaves some references as they were, so that a
// request names its prescriber and its pharmacy by the ids of its own last row: those that were folded away can be found
// by the trace they leave.
func (f fills) resources(id namer) (all []object) {
	var medications, requests, dispenses, people, shops folding
	for _, row := range f.rows {
		drugKey, day := row.what.ndc, row.on.Format(time.DateOnly)
		own := func(kind string) string { return id(kind, drugKey, day) }
		medication := medications.add(drugKey, row.medication(id("medication", drugKey)))
		if medications.count[drugKey] == 2 {
			*medication = row.foldedMedication(medication.get("id"))
		}
		doctor, shop := prescriber(row.doctor, own("prescriber")), pharmacies[row.shop].resource(own("pharmacy"))
		people.fold(doctors[row.doctor].npi, doctor)
		at := shops.fold(pharmacies[row.shop].npi, shop)
		asked := row.request(own("request"), f.who, *medication, doctor, shop)
		request := requests.fold(drugKey+row.written.Format(time.DateOnly), asked)
		for _, name := range []string{"requester", "performer", "dispenseRequest"} { // the last row's stands
			*request = request.set(name, asked.find(name))
		}
		dispenses.fold(drugKey+day+strconv.Itoa(row.what.days), row.dispense(own("dispense"), f.who, *medication, *request, *at))
	}
	for _, kind := range []*folding{&people, &medications, &requests, &dispenses} {
		all = append(all, kind.all()...)
	}
	if f.insured && len(f.rows) > 0 {
		payer := marked(resource("Organization", id("payer"), "name", insurer(f.who)), source(fromSurescripts))
		all = append(all, marked(resource("Coverage", id("coverage"), "status", "active", "beneficiary", toPatient(f.who),
			"payor", list{reference(payer, "")}, "subscriberId", "SAMPLE"+f.who.id[:6]), source(fromSurescripts)), payer)
	}
	return append(all, shops.all()...)
}

// folding keeps one resource a key, the first, in the order in which they came.
type folding struct {
	order []string
	of    map[string]*object
	count map[string]int
}

func (f *folding) add(key string, o object) *object {
	if f.of == nil {
		f.of, f.count = map[string]*object{}, map[string]int{}
	}
	f.count[key]++
	if f.of[key] == nil {
		f.of[key] = &o
		f.order = append(f.order, key)
	}
	return f.of[key]
}

// fold is add that leaves the sender's trace of a resource that was folded in.
func (f *folding) fold(key string, o object) *object {
	first := f.add(key, o)
	if f.count[key] > 1 {
		*first = marked(*first, foldedIn(o.get("resourceType")+"/"+o.get("id")))
	}
	return first
}

func (f *folding) all() (out []object) {
	for _, key := range f.order {
		out = append(out, *f.of[key])
	}
	return out
}

// toPatient is how the pharmacy's converter refers to the patient.
func toPatient(p person) object { return of("reference", "Patient/"+p.id, "id", p.id) }

const (
	ndcSystem = "http://hl7.org/fhir/sid/ndc"
	deaSystem = "http://hl7.org/fhir/sid/us-dea"
)

func (row filled) medication(id string) object {
	d := row.what
	codings := list{coding(ndcSystem, d.ndc, d.shelf)}
	if d.schedule != "" {
		codings = append(codings, coding(deaSystem, d.schedule, schedules[d.schedule]))
	}
	return marked(resource("Medication", id, "status", "active", "code", of("text", d.shelf, "coding", append(codings, d.crosswalk()...)),
		"amount", of("numerator", of("value", d.quantity, "unit", d.unit))), source(fromSurescripts))
}

func (row filled) foldedMedication(id string) object {
	d := row.what
	return resource("Medication", id, "status", "active", "code", of("text", d.shelf, "coding", append(list{coding(ndcSystem, d.ndc, d.shelf)}, d.crosswalk()...)),
		"amount", of("numerator", of("value", d.quantity, "unit", d.unit)))
}

// crosswalk is the RxNorm code that the sender looks up by the network's code, where it finds one.
func (d drug) crosswalk() list {
	if d.rxnorm == "" {
		return nil
	}
	return list{coding(rxnormSystem, d.rxnorm, d.name)}
}

func (row filled) request(id string, p person, medication, doctor, shop object) object {
	display := doctors[row.doctor].given + " " + doctors[row.doctor].family
	var number object
	if row.number > 0 {
		number = of("numberOfRepeatsAllowed", row.number)
	}
	return marked(resource("MedicationRequest", id, "status", "completed", "intent", "order",
		"medicationReference", reference(medication, ""), "subject", toPatient(p),
		"requester", reference(doctor, display),
		"note", row.directions(), "category", list{coded(coding("http://terminology.hl7.org/CodeSystem/medicationrequest-category", "outpatient", ""))},
		"authoredOn", row.written, "dispenseRequest", number, "dosageInstruction", row.directions(),
		"performer", reference(shop, "")), source(fromSurescripts))
}

func (row filled) directions() list {
	if !row.directed {
		return nil
	}
	return list{of("text", strings.ToUpper(row.what.sig))}
}

func (row filled) dispense(id string, p person, medication, request, shop object) object {
	d := row.what
	return marked(resource("MedicationDispense", id, "subject", toPatient(p), "medicationReference", reference(medication, ""),
		"authorizingPrescription", list{reference(request, "")}, "status", "completed",
		"quantity", of("value", d.quantity, "unit", d.unit, "system", ucumSystem, "code", unitCodes[d.unit]),
		"whenHandedOver", row.on, "dosageInstruction", row.directions(),
		"daysSupply", of("value", d.days, "unit", "day", "system", ucumSystem, "code", "d"),
		"performer", list{of("id", derived(id, "performer"), "actor", reference(shop, ""))}),
		source(fromSurescripts), of("url", fillNumberURL, "valuePositiveInt", row.number+1))
}

func (s shop) resource(id string) object {
	telecom := list{of("system", "phone", "value", s.phone)}
	if s.fax != "" {
		telecom = append(telecom, of("system", "fax", "value", s.fax))
	}
	return marked(resource("Organization", id, "name", s.name,
		"identifier", list{of("system", npiSystem, "value", s.npi), of("system", "http://terminology.hl7.org/CodeSystem/NCPDPProviderIdentificationNumber", "value", s.ncpdp)},
		"address", list{of("line", list{s.line}, "city", s.city, "state", "CA", "postalCode", s.zip)}, "telecom", telecom), source(fromSurescripts))
}

// prescriber is a Practitioner as the pharmacy network knows one: by name, NPI, and how to reach the office.
func prescriber(i int, id string) object {
	d := doctors[i]
	var telecom list
	if d.phone != "" {
		telecom = list{of("system", "phone", "use", "work", "value", d.phone)}
	}
	return marked(resource("Practitioner", id, "identifier", list{of("system", npiSystem, "value", d.npi)},
		"name", list{of("text", d.given+" "+d.family, "given", list{d.given}, "family", d.family)},
		"address", list{of("line", list{fmt.Sprint(100+7*i, " Clinic Way")}, "city", "Sampleton", "state", "CA", "postalCode", "95910", "country", "USA", "use", "work")},
		"telecom", telecom), source(fromSurescripts))
}

func insurer(p person) string {
	return []string{"Sample Health Plan", "Example Mutual", "Medicare Advantage of Sampleton"}[int(p.id[0])%3]
}

// dayOf is the day on which something happened where the patients live, as the pharmacy and the laboratory network send
// days: UTC midnight.
func dayOf(t time.Time) time.Time {
	return t.UTC().Add(-7 * time.Hour).Truncate(24 * time.Hour)
}
