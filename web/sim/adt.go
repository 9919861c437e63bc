package sim

import (
	"strings"
	"time"
)

// notice is what one message of a hospital says, as far as the sender's converter takes it over: nobody tells of wards,
// insurance, next of kin or where a patient goes.
type notice struct {
	who      person
	ends     bool   // a discharge (A03); else an admit (A01)
	exchange string // code of the network that it came over
	facility string // as this network spells it

	visit   string // PV1-19, "" where the hospital sends none
	patient string // PV1-18: an account number, or in HL7's own words the kind of patient
	control string // MSH-10, of this message alone

	class      string    // HL7: I, E, O, P, R, B, N, U, or "" where it is not said
	start, end time.Time // PV1-44 and PV1-45, zero where they are not said
	reason     object    // coding of PV2-3, nil where there is none
	diagnoses  []object  // codings of DG1, the first one the admitting one
	doctor     int       // index into doctors, -1 where nobody is named
}

// classes are what the converter makes of HL7's patient classes. What it does not know it calls ambulatory, and a
// recurring patient a short stay.
var classes = map[string]object{
	"I": coding(actCode, "IMP", "inpatient encounter"), "B": coding(actCode, "IMP", "inpatient encounter"),
	"E": coding(actCode, "EMER", "emergency"), "O": coding(actCode, "AMB", "ambulatory"), "N": coding(actCode, "AMB", "ambulatory"),
	"U": coding(actCode, "AMB", "ambulatory"), "P": coding(actCode, "PRENC", "pre-admission"), "R": coding(actCode, "SS", "short stay"),
}

// encounterID is the id that the sender gives the encounter: a hash of the visit number; of the account, which is the same
// for all stays of a kind where the hospital writes the kind there; of the patient's number and the admit time as it was
// written this time; or of the message alone.
func (n notice) encounterID() string {
	switch {
	case n.visit != "":
		return derived(n.visit, n.who.id)
	case n.patient != "":
		return derived(n.patient, n.who.id)
	case !n.start.IsZero():
		return derived("mrn", n.who.id, n.start.Format("20060102150405"))
	default:
		return derived(n.facility, n.control)
	}
}

// adtFile is what the sender keeps of one encounter: the resources of all its messages so far, folded together.
type adtFile struct {
	id         string
	patient    object
	encounters []object
	people     []object
	conditions []object
	places     []object
	merged     bool // of more than one message
}

// convert is what the sender makes of one message.
func (n notice) convert() adtFile {
	id := n.encounterID()
	trigger, status := "A01", "in-progress"
	if n.ends {
		trigger, status = "A03", "finished"
	}
	file := fromFile("location_hl7/" + strings.Join([]string{"sample", n.who.id, n.control + "_ADT_" + trigger + ".hl7"}, "/"))
	mark := func(o object) object { return marked(o, file, source(n.exchange)) }

	f := adtFile{id: id, patient: mark(n.who.roster())}
	subject := of("reference", "Patient/"+n.who.id)
	var diagnoses, participants, locations, reasons list
	for _, d := range n.diagnoses {
		c := resource("Condition", derived(id, string(encode(d))), "code", coded(d), "subject", subject)
		f.conditions = append(f.conditions, mark(c))
		diagnoses = append(diagnoses, of("condition", reference(c, "")))
	}
	if n.doctor >= 0 {
		d := doctors[n.doctor]
		p := resource("Practitioner", derived("practitioner", d.given, d.family), "name", list{of("family", strings.ToUpper(d.family), "given", list{strings.ToUpper(d.given)})})
		f.people = append(f.people, mark(p))
		participants = list{of("individual", reference(p, ""))}
	}
	if n.facility != "" {
		l := resource("Location", derived("location", n.facility), "name", n.facility)
		f.places = append(f.places, mark(l))
		locations = list{of("location", reference(l, ""))}
	}
	if n.reason != nil {
		reasons = list{coded(n.reason)}
	}
	class, ok := classes[n.class]
	if !ok {
		class = of("code", "AMB", "display", "ambulatory") // without a system where the message has no class
	}
	var period object
	if !n.start.IsZero() || !n.end.IsZero() {
		period = of("start", n.start, "end", n.end)
	}
	f.encounters = []object{mark(resource("Encounter", id, "status", status, "class", class, "period", period, "reasonCode", reasons,
		"diagnosis", diagnoses, "subject", subject, "participant", participants, "location", locations))}
	return f
}

// bundle is the file as it lies behind a link. One that was folded has the encounters before the patient.
func (f adtFile) bundle() object {
	all := append([]object{f.patient}, f.encounters...)
	rest := [][]object{f.conditions, f.people, f.places}
	if f.merged {
		all = append(append([]object{}, f.encounters...), f.patient)
		rest = [][]object{f.people, f.conditions, f.places}
	}
	for _, kind := range rest {
		all = append(all, kind...)
	}
	b := collection(all...)
	if !f.merged {
		return b.without("total")
	}
	return b
}

// roster is the Patient as the practice gave it to the sender: the hospital's own words for the patient are not sent on.
func (p person) roster() object {
	return resource("Patient", p.id,
		"text", of("status", "generated", "div", `<div xmlns="http://www.w3.org/1999/xhtml">`+p.name()+`</div>`),
		"name", list{of("family", p.family, "given", list{p.given})},
		"telecom", list{of("system", "phone", "value", p.phone)}, "gender", p.sex, "birthDate", p.born,
		"address", list{of("line", list{p.line}, "city", p.city, "state", p.state, "postalCode", p.zip, "country", "USA")})
}
