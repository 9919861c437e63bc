package fhir

import "strings"

// Dispense is a medication that a pharmacy prepared or handed out. Source: FHIR R4 MedicationDispense.
type Dispense struct {
	ID             string   `json:"id,omitempty"`
	Status         string   `json:"status,omitempty"` // preparation, in-progress, completed, stopped, …
	Drug           Concept  `json:"drug,omitzero"`    // medicationCodeableConcept, medicationReference → Medication.code
	Quantity       Quantity `json:"quantity,omitzero"`
	DaysSupply     Quantity `json:"daysSupply,omitzero"`  // days, where the unit says nothing else
	Prepared       Time     `json:"prepared,omitzero"`    // whenPrepared
	HandedOver     Time     `json:"handedOver,omitzero"`  // whenHandedOver
	PickedUp       bool     `json:"pickedUp,omitzero"`    // status completed and whenHandedOver sent
	Dosage         string   `json:"dosage,omitempty"`     // dosageInstruction[].text
	Pharmacy       string   `json:"pharmacy,omitempty"`   // performer that is an Organization, else location, else any performer
	Prescriber     string   `json:"prescriber,omitempty"` // authorizingPrescription → MedicationRequest.requester
	PrescriptionID string   `json:"prescriptionId,omitempty"`
	// Refills is how many refills the prescription allows (dispenseRequest.numberOfRepeatsAllowed), nil where not sent.
	// FHIR R4 does not say how many of them are left.
	Refills      *int   `json:"refills,omitzero"`
	OtherSubject string `json:"otherSubject,omitempty"` // id of the subject where it is not Facts.Patient
	Exchange     string `json:"exchange,omitempty"`     // code of the exchange or network it comes from, as sent (data-source.json)
}

// Prescription is an order for a medication. Source: FHIR R4 MedicationRequest.
type Prescription struct {
	ID           string   `json:"id,omitempty"`
	Status       string   `json:"status,omitempty"` // active, stopped, completed, …
	Intent       string   `json:"intent,omitempty"` // order, plan, …
	Drug         Concept  `json:"drug,omitzero"`
	Authored     Time     `json:"authored,omitzero"` // authoredOn
	Dosage       string   `json:"dosage,omitempty"`
	Prescriber   string   `json:"prescriber,omitempty"`   // requester
	Quantity     Quantity `json:"quantity,omitzero"`      // dispenseRequest.quantity
	DaysSupply   Quantity `json:"daysSupply,omitzero"`    // dispenseRequest.expectedSupplyDuration
	Refills      *int     `json:"refills,omitzero"`       // dispenseRequest.numberOfRepeatsAllowed
	EncounterID  string   `json:"encounterId,omitempty"`  // encounter
	OtherSubject string   `json:"otherSubject,omitempty"` // id of the subject where it is not Facts.Patient
	Exchange     string   `json:"exchange,omitempty"`     // code of the exchange or network it comes from, as sent (data-source.json)
}

type dispense struct {
	Dispense
	subject, drug, location ref
	performers, orders      []ref
}

func (f *dispense) when() Time {
	if !f.HandedOver.IsZero() {
		return f.HandedOver
	}
	return f.Prepared
}
func (f *dispense) ident() string { return f.ID }

func (c *from) dispense(id string, n *node) *dispense {
	f := &dispense{
		Dispense: Dispense{
			ID: id, Exchange: c.exchange(n), Status: c.code(n.get("status")),
			Drug:     c.concept(n.get("medicationCodeableConcept")),
			Quantity: c.quantity(n.get("quantity")), DaysSupply: c.quantity(n.get("daysSupply")),
			Prepared: c.time(n.get("whenPrepared")), HandedOver: c.time(n.get("whenHandedOver")),
			Dosage: c.dosage(n.get("dosageInstruction")),
		},
		subject:  c.ref(n.get("subject")),
		drug:     c.ref(n.get("medicationReference")),
		location: c.ref(n.get("location")),
		orders:   c.refs(n.get("authorizingPrescription"), 10),
	}
	for _, p := range n.get("performer").all() {
		f.performers = append(f.performers, c.refs(p.get("actor"), 1)...)
		if len(f.performers) == 10 {
			break
		}
	}
	f.PickedUp = f.Status == "completed" && !f.HandedOver.IsZero()
	return f
}

// dosage is the text of all instructions, one a line.
func (c *from) dosage(n *node) string {
	var lines []string
	for _, e := range n.all() {
		text := c.line(e.get("text"))
		if text == "" {
			text = c.line(e.get("patientInstruction"))
		}
		lines = c.add(lines, text, 20)
	}
	return strings.Join(lines, "\n")
}

func (r *reader) finishDispense(f *dispense) Dispense {
	f.Drug = r.drug(f.Drug, f.drug)
	f.OtherSubject = r.otherSubject(f.subject)
	f.Pharmacy = r.pharmacy(f)
	for _, order := range f.orders {
		k := r.find(order, "MedicationRequest")
		if k == nil {
			continue
		}
		if p, ok := k.item.(*prescription); ok {
			f.PrescriptionID, f.Refills = p.ID, p.Refills
			f.Prescriber = r.named(p.requester, people...)
			break
		}
	}
	return f.Dispense
}

// drug is the medication as coded in place, else as the resource that is referred to says.
func (r *reader) drug(coded Concept, to ref) Concept {
	if coded.Text != "" {
		return coded
	}
	if k := r.find(to, "Medication"); k != nil && k.code.Text != "" {
		return k.code
	}
	return Concept{Text: to.display}
}

func (r *reader) pharmacy(f *dispense) string {
	for _, p := range f.performers {
		if k := r.find(p, "Organization"); k != nil && k.label != "" {
			return k.label
		}
	}
	for _, p := range f.performers {
		if k := r.find(p, "PractitionerRole"); k != nil {
			if name := r.named(k.owner, "Organization"); name != "" {
				return name
			}
		}
	}
	if name := r.named(f.location, "Location"); name != "" {
		return name
	}
	for _, p := range f.performers {
		if name := r.named(p, people...); name != "" {
			return name
		}
	}
	return ""
}

type prescription struct {
	Prescription
	subject, during, drug, requester ref
	listed                           bool
}

func (f *prescription) when() Time    { return f.Authored }
func (f *prescription) ident() string { return f.ID }

func (c *from) prescription(id string, n *node, listed bool) *prescription {
	f := &prescription{
		Prescription: Prescription{
			ID: id, Exchange: c.exchange(n), Status: c.code(n.get("status")), Intent: c.code(n.get("intent")),
			Drug:       c.concept(n.get("medicationCodeableConcept")),
			Authored:   c.time(n.get("authoredOn")),
			Dosage:     c.dosage(n.get("dosageInstruction")),
			Quantity:   c.quantity(n.get("dispenseRequest", "quantity")),
			DaysSupply: c.quantity(n.get("dispenseRequest", "expectedSupplyDuration")),
		},
		subject:   c.ref(n.get("subject")),
		during:    c.ref(n.get("encounter")),
		drug:      c.ref(n.get("medicationReference")),
		requester: c.ref(n.get("requester")),
		listed:    listed,
	}
	if refills, ok := n.get("dispenseRequest", "numberOfRepeatsAllowed").whole(); ok {
		f.Refills = &refills
	}
	return f
}

func (r *reader) finishPrescription(f *prescription) Prescription {
	f.Drug = r.drug(f.Drug, f.drug)
	f.Prescriber = r.named(f.requester, people...)
	f.EncounterID = r.idOf(f.during, "Encounter")
	f.OtherSubject = r.otherSubject(f.subject)
	return f.Prescription
}
