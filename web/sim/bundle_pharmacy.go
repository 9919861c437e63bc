package sim

import (
	"math/rand/v2"
	"time"
)

// fill is one dispense at a pharmacy.
type fill struct {
	who      person
	what     drug
	doctor   int
	pharmacy int       // index into pharmacies
	at       time.Time // handed over
	sent     time.Time
}

// bundle is the FHIR bundle behind a pharmacy notification.
func (f fill) bundle(r *rand.Rand) object {
	row := f.row()
	f.doctor, f.pharmacy = row.doctor, row.shop
	patient, doctor, shop := f.who.resource(false), practitioner(f.doctor), organization(pharmacies[f.pharmacy].name)
	request := resource("MedicationRequest", uuid4(r),
		"status", "active", "intent", "order",
		"medicationCodeableConcept", concept(rxnormSystem, f.what.rxnorm, f.what.name),
		"subject", reference(patient, ""),
		"authoredOn", f.at.Add(-between(r, time.Hour, 30*time.Hour)),
		"requester", reference(doctor, doctorName(f.doctor)),
		"dosageInstruction", list{of("text", f.what.sig)},
		"dispenseRequest", of("numberOfRepeatsAllowed", row.number, "quantity", f.amount()))

	// The drug itself is either coded in place or in a resource of its own.
	byReference := oneIn(r, 3)
	medication := resource("Medication", uuid4(r), "code", concept(rxnormSystem, f.what.rxnorm, f.what.name))
	var coded, referred object
	if byReference {
		referred = reference(medication, "")
	} else {
		coded = concept(rxnormSystem, f.what.rxnorm, f.what.name)
	}
	dispense := resource("MedicationDispense", uuid4(r),
		"status", "completed",
		"medicationCodeableConcept", coded, "medicationReference", referred,
		"subject", reference(patient, ""),
		"performer", list{of("actor", reference(shop, pharmacies[f.pharmacy].name))},
		"authorizingPrescription", list{reference(request, "")},
		"quantity", f.amount(),
		"daysSupply", of("value", f.what.days, "unit", "days", "system", ucumSystem, "code", "d"),
		"whenPrepared", f.at.Add(-between(r, 10*time.Minute, 2*time.Hour)),
		"whenHandedOver", f.at,
		"dosageInstruction", list{of("text", f.what.sig)})

	all := []object{patient, dispense, request, doctor, shop}
	if byReference {
		all = append(all, medication)
	}
	for i, o := range all {
		all[i] = marked(o, source(fromSurescripts))
	}
	return bundle(bundleKind(r), f.sent, all...)
}

func (f fill) amount() object { return of("value", f.what.quantity, "unit", f.what.unit) }
