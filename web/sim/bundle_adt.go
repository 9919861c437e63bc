package sim

import (
	"math/rand/v2"
	"time"

	"carebell/web/metriport"
)

// The shape of the documentation: visit numbers, units, typed participants, and now and then a disposition.

var classNames = map[string]string{
	"EMER": "emergency", "IMP": "inpatient encounter", "AMB": "ambulatory", "SS": "short stay", "PRENC": "pre-admission",
}

// adtBundle makes the FHIR bundle behind an admit, transfer or discharge.
func (st *stay) adtBundle(t metriport.Type, at time.Time) func(r *rand.Rand) object {
	return func(r *rand.Rand) object { return st.bundle(r, t, at) }
}

func (st *stay) bundle(r *rand.Rand, t metriport.Type, at time.Time) object {
	patient, doctor := st.who.resource(st.unnamed), practitioner(st.doctor)
	condition := st.why.condition(st)
	encounter, places := st.encounter(patient, doctor, condition)
	first := []object{patient, encounter}
	if oneIn(r, 3) { // the older order
		first = []object{encounter, patient}
	}
	rest := append(places, doctor)
	if !st.unnamed || t == metriport.PatientDischarge {
		rest = append(rest, condition)
	}
	all := append(first, rest...)
	for i, o := range all {
		all[i] = marked(o, source(st.exchange))
	}
	return bundle(bundleKind(r), at, all...)
}

// encounter is the Encounter resource and the places it refers to.
func (st *stay) encounter(patient, doctor, condition object) (encounter object, places []object) {
	status := "in-progress"
	if !st.discharged.IsZero() {
		status = "finished"
	}
	var diagnosis, kind any
	if !st.unnamed {
		diagnosis = list{of("condition", reference(condition, st.why.name), "use", concept("http://terminology.hl7.org/CodeSystem/diagnosis-role", "AD", "Admission diagnosis"))}
	}
	if st.kind != "" {
		kind = list{of("text", st.kind)}
	}
	locations, places := st.locations()
	var numbers list
	if st.documented {
		numbers = list{of("type", concept(idTypeSystem, "VN", "Visit number"), "value", st.visit)}
	}
	home := organization(st.facility)
	return resource("Encounter", st.id,
		"identifier", numbers,
		"status", status,
		"class", of("system", actCode, "code", st.class, "display", classNames[st.class]),
		"type", kind,
		"subject", reference(patient, ""),
		"participant", list{of("type", list{concept(roleSystem, "ATND", "attender")}, "individual", reference(doctor, doctorName(st.doctor)))},
		"period", of("start", st.admitted, "end", st.discharged),
		"reasonCode", list{of("text", st.why.reason)},
		"diagnosis", diagnosis,
		"hospitalization", st.hospitalization(),
		"location", locations,
		"serviceProvider", reference(home, st.facility),
	), append(places, home)
}

func (st *stay) hospitalization() object {
	if !st.disposition || st.discharged.IsZero() {
		return nil
	}
	return of("dischargeDisposition", concept(dispoSystem, "home", "Home"))
}

// locations is Encounter.location, where the patient lies now first.
func (st *stay) locations() (locations list, places []object) {
	now, since := st.path[0], st.admitted
	if n := len(st.moves); n > 0 {
		now, since = st.moves[n-1].to, st.moves[n-1].at
	}
	add := func(u unit, status string, from, to time.Time) {
		place := locationOf(u.name, st.facility)
		locations = append(locations, of("location", reference(place, st.facility+", "+u.name), "status", status,
			"period", of("start", from, "end", to)))
		places = append(places, place)
	}
	status := "active"
	if !st.discharged.IsZero() {
		status = "completed"
	}
	add(now, status, since, st.discharged)
	if len(st.moves) > 0 {
		add(st.moves[0].from, "completed", st.admitted, st.moves[0].at)
	}
	return locations, places
}
