package fhir

import "strings"

// Dispense is a medication that a pharmacy filled. Whether somebody picked it up is not known: the sender says completed of
// every fill, and whenHandedOver of the last one (contract.md). Source: FHIR R4 MedicationDispense.
type Dispense struct {
	ID         string   `json:"id,omitempty"`
	Status     string   `json:"status,omitempty"`   // preparation, in-progress, completed, stopped, …
	Drug       Concept  `json:"drug,omitzero"`      // medicationCodeableConcept, medicationReference → Medication.code; RxNorm before NDC before others
	Schedule   string   `json:"schedule,omitempty"` // of a controlled drug: schedule II
	Quantity   Quantity `json:"quantity,omitzero"`
	DaysSupply Quantity `json:"daysSupply,omitzero"` // days, where the unit says nothing else
	Prepared   Time     `json:"prepared,omitzero"`   // whenPrepared
	HandedOver Time     `json:"handedOver,omitzero"` // whenHandedOver
	// FillNumber says which fill of the prescription it is. Source: extension medicationdispense-fillNumber, which counts
	// from 1; else dispenseRequest.numberOfRepeatsAllowed as it was sent, where the sender puts the pharmacy network's number.
	FillNumber     string  `json:"fillNumber,omitempty"`
	Dosage         string  `json:"dosage,omitempty"`    // dosageInstruction[].text
	Pharmacy       Contact `json:"pharmacy,omitzero"`   // performer that is an Organization, else location, else any performer
	Prescriber     Contact `json:"prescriber,omitzero"` // authorizingPrescription → MedicationRequest.requester
	PrescriptionID string  `json:"prescriptionId,omitempty"`
	Written        Time    `json:"written,omitzero"`       // authorizingPrescription → MedicationRequest.authoredOn
	OtherSubject   string  `json:"otherSubject,omitempty"` // id of the subject where it is not Facts.Patient
	Exchange       string  `json:"exchange,omitempty"`     // code of the exchange or network it comes from, as sent (data-source.json)
}

// Filled is the day of the fill, as far as it is known.
func (d Dispense) Filled() Time {
	if !d.HandedOver.IsZero() {
		return d.HandedOver
	}
	return d.Prepared
}

// Prescription is an order for a medication. How many refills it allows is not read: the sender puts the number of the
// fill there. Source: FHIR R4 MedicationRequest.
type Prescription struct {
	ID           string   `json:"id,omitempty"`
	Status       string   `json:"status,omitempty"` // active, stopped, completed, …
	Intent       string   `json:"intent,omitempty"` // order, plan, …
	Drug         Concept  `json:"drug,omitzero"`
	Schedule     string   `json:"schedule,omitempty"` // of a controlled drug: schedule II
	Authored     Time     `json:"authored,omitzero"`  // authoredOn
	Dosage       string   `json:"dosage,omitempty"`
	Prescriber   Contact  `json:"prescriber,omitzero"`    // requester
	Quantity     Quantity `json:"quantity,omitzero"`      // dispenseRequest.quantity
	DaysSupply   Quantity `json:"daysSupply,omitzero"`    // dispenseRequest.expectedSupplyDuration
	EncounterID  string   `json:"encounterId,omitempty"`  // encounter
	OtherSubject string   `json:"otherSubject,omitempty"` // id of the subject where it is not Facts.Patient
	Exchange     string   `json:"exchange,omitempty"`     // code of the exchange or network it comes from, as sent (data-source.json)
}

type dispense struct {
	Dispense
	subject, drug, location ref
	performers, orders      []ref
}

func (f *dispense) when() Time    { return f.Filled() }
func (f *dispense) ident() string { return f.ID }

func (c *from) dispense(id string, n *node) *dispense {
	exchange := c.exchange(n)
	drug, schedule := c.drug(n.get("medicationCodeableConcept"))
	f := &dispense{
		Dispense: Dispense{
			ID: id, Exchange: exchange, Status: c.code(n.get("status")), Drug: drug, Schedule: schedule,
			Quantity: c.quantity(n.get("quantity")), DaysSupply: c.quantity(n.get("daysSupply")),
			Prepared: c.day(exchange, n.get("whenPrepared")), HandedOver: c.day(exchange, n.get("whenHandedOver")),
			FillNumber: c.fillNumber(n.extended(extensionFillNumber)),
			Dosage:     c.dosage(n.get("dosageInstruction")),
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
	return f
}

// fillNumber is a whole number above 0, as it was sent.
func (c *from) fillNumber(n *node) string {
	if i, ok := n.whole(); ok && i > 0 {
		return c.own(n.number(), maxCode)
	}
	return ""
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
	f.Drug, f.Schedule = r.drug(f.Drug, f.Schedule, f.drug)
	f.OtherSubject = r.otherSubject(f.subject)
	f.Pharmacy = r.pharmacy(f)
	for _, order := range f.orders {
		k := r.find(order, "MedicationRequest")
		if k == nil {
			continue
		}
		if p, ok := k.item.(*prescription); ok {
			r.prescribed(f, p)
			break
		}
	}
	return f.Dispense
}

// prescribed takes into a fill what its prescription says.
func (r *reader) prescribed(f *dispense, p *prescription) {
	f.PrescriptionID, f.Written, f.Prescriber = p.ID, p.Authored, r.contact(p.requester, people...)
	if f.FillNumber == "" && (f.Exchange == "" || strings.EqualFold(f.Exchange, sourceSurescripts)) {
		f.FillNumber = p.repeats
	}
	if f.Drug.Text == "" {
		f.Drug, f.Schedule = r.drug(p.Drug, p.Schedule, p.drug)
	}
	if f.DaysSupply.Value == "" {
		f.DaysSupply = p.DaysSupply
	}
	f.Dosage = firstWord(f.Dosage, p.Dosage)
}

// drug is the medication as coded in place, else as the resource that is referred to says, with its schedule.
func (r *reader) drug(coded Concept, schedule string, to ref) (Concept, string) {
	if coded.Text != "" {
		return coded, schedule
	}
	if k := r.find(to, "Medication"); k != nil && k.code.Text != "" {
		return k.code, k.schedule
	}
	return Concept{Text: to.display}, ""
}

func (r *reader) pharmacy(f *dispense) Contact {
	for _, p := range f.performers {
		if k := r.find(p, "Organization"); k != nil && k.label != "" {
			return r.contact(p, "Organization")
		}
	}
	for _, p := range f.performers {
		if k := r.find(p, "PractitionerRole"); k != nil {
			if found := r.contact(k.owner, "Organization"); found.Name != "" {
				return found
			}
		}
	}
	if found := r.contact(f.location, "Location"); found.Name != "" {
		return found
	}
	for _, p := range f.performers {
		if found := r.contact(p, people...); found.Name != "" {
			return found
		}
	}
	return Contact{}
}

type prescription struct {
	Prescription
	subject, during, drug, requester ref
	repeats                          string // dispenseRequest.numberOfRepeatsAllowed
	listed                           bool
}

func (f *prescription) when() Time    { return f.Authored }
func (f *prescription) ident() string { return f.ID }

func (c *from) prescription(id string, n *node, listed bool) *prescription {
	exchange := c.exchange(n)
	drug, schedule := c.drug(n.get("medicationCodeableConcept"))
	return &prescription{
		Prescription: Prescription{
			ID: id, Exchange: exchange, Status: c.code(n.get("status")), Intent: c.code(n.get("intent")), Drug: drug, Schedule: schedule,
			Authored:   c.day(exchange, n.get("authoredOn")),
			Dosage:     c.dosage(n.get("dosageInstruction")),
			Quantity:   c.quantity(n.get("dispenseRequest", "quantity")),
			DaysSupply: c.quantity(n.get("dispenseRequest", "expectedSupplyDuration")),
		},
		subject:   c.ref(n.get("subject")),
		during:    c.ref(n.get("encounter")),
		drug:      c.ref(n.get("medicationReference")),
		requester: c.ref(n.get("requester")),
		repeats:   c.fillNumber(n.get("dispenseRequest", "numberOfRepeatsAllowed")),
		listed:    listed,
	}
}

func (r *reader) finishPrescription(f *prescription) Prescription {
	f.Drug, f.Schedule = r.drug(f.Drug, f.Schedule, f.drug)
	f.Prescriber = r.contact(f.requester, people...)
	f.EncounterID = r.idOf(f.during, "Encounter")
	f.OtherSubject = r.otherSubject(f.subject)
	return f.Prescription
}
