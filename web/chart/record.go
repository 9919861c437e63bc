package chart

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"carebell/db"
	"carebell/web/care"
	"carebell/web/fhir"
)

// ReadRecord reads the facts of a stored file, as the JSON of fhir.Facts; nil where a file of this purpose holds none.
// What could be read before an error is returned beside it.
func ReadRecord(d db.Download, content io.Reader) ([]byte, error) {
	switch d.Purpose {
	case db.PurposeImport, db.PurposeDocument, db.PurposeAttachment:
		return nil, nil
	default:
	}
	if d.SniffedType != "application/json" {
		return nil, nil
	}
	facts, err := fhir.Read(content)
	if err != nil {
		return nil, err
	}
	if d.Purpose == db.PurposeConsolidated { // years of records: who it is, and how much of what
		facts = fhir.Facts{BundleType: facts.BundleType, Timestamp: facts.Timestamp, Counts: facts.Counts, Truncated: facts.Truncated, Patient: facts.Patient}
	}
	return facts.Encode()
}

// ApplyRecord takes the facts of a stored file into the chart: who the patient is, and what the notice is about.
func ApplyRecord(ctx context.Context, tx *db.Tx, d db.Download, encoded []byte) error {
	patients, err := applyRecord(ctx, tx, d, encoded)
	if err != nil {
		return err
	}
	for _, id := range patients {
		if err := refold(ctx, tx, id); err != nil {
			return err
		}
	}
	return nil
}

// applyRecord writes the facts and returns the patients whose stays must be folded again.
func applyRecord(ctx context.Context, tx *db.Tx, d db.Download, encoded []byte) ([]string, error) {
	facts, err := fhir.Decode(encoded)
	if err != nil {
		return nil, err
	}
	if d.PatientID != "" {
		p := facts.Patient
		err := tx.SaveIdentity(ctx, d.InboxSeq, db.Identity{
			PatientID: d.PatientID, Name: p.Name, BirthDate: p.BirthDate, Sex: p.Sex, Phone: p.Phone, Deceased: deceased(p),
		})
		if err != nil {
			return nil, err
		}
	}
	if d.Purpose == db.PurposeMessage {
		return nil, applyLetter(ctx, tx, d, facts)
	}
	if d.NotificationID == 0 {
		return nil, nil
	}
	shown := summarize(d.Purpose, facts)
	raw, err := json.Marshal(shown)
	if err != nil {
		return nil, fmt.Errorf("encoding facts: %w", err)
	}
	n := db.NotificationFacts{ID: d.NotificationID, Facts: raw}
	if e := shown.Encounter; e != nil {
		n.Facility, n.VisitNumber = e.Facility, e.VisitNumber
	}
	n.Exchange = shown.Exchange()
	if err := tx.SaveRecordTime(ctx, n.ID, shown); err != nil {
		return nil, err
	}
	if err := tx.SaveNotificationFacts(ctx, n); err != nil {
		return nil, err
	}
	if d.Purpose == db.PurposeADT {
		return []string{d.PatientID}, nil
	}
	return nil, nil
}

func deceased(p fhir.Patient) string {
	switch {
	case !p.Deceased:
		return ""
	case p.DeceasedAt.IsZero():
		return "yes"
	default:
		return p.DeceasedAt.String()
	}
}

// What a file says of another patient than its own is never taken into the chart of this one.

// summarize picks from a record what people read in a row and on the patient's page.
func summarize(purpose db.Purpose, f fhir.Facts) care.Facts {
	switch purpose {
	case db.PurposePharmacy:
		return care.Facts{Fills: fills(f)}
	case db.PurposeLab:
		return care.Facts{Panels: panels(f)}
	case db.PurposeSummary:
		return care.Facts{Summary: summary(f), Encounter: encounter(f)}
	default:
		return care.Facts{Encounter: encounter(f)}
	}
}

// encounter is the stay a record is about: the one its Composition names, else the latest.
func encounter(f fhir.Facts) *care.Encounter {
	f.Encounters = slices.DeleteFunc(slices.Clone(f.Encounters), func(e fhir.Encounter) bool { return e.OtherSubject != "" })
	if len(f.Encounters) == 0 {
		return nil
	}
	e := f.Encounters[0]
	if f.Summary != nil && f.Summary.EncounterID != "" {
		i := slices.IndexFunc(f.Encounters, func(e fhir.Encounter) bool { return e.ID == f.Summary.EncounterID })
		if i < 0 {
			return nil
		}
		e = f.Encounters[i]
	}
	out := &care.Encounter{
		ID: e.ID, VisitNumber: e.VisitNumber, Facility: e.Facility, Unit: e.Unit, ClassUnsure: e.Class.Unsure,
		Reasons: e.Reasons, Attending: e.Attending, Disposition: e.Disposition,
	}
	if e.Class.Word != "unknown" {
		out.Class = e.Class.Word
	}
	for _, d := range e.Diagnoses {
		if d.Text != "" && !slices.Contains(out.Diagnoses, d.Text) {
			out.Diagnoses = append(out.Diagnoses, d.Text)
		}
	}
	return out
}

func fills(f fhir.Facts) []care.Fill {
	var out []care.Fill
	for _, d := range f.Dispenses {
		if d.OtherSubject != "" {
			continue
		}
		filled := d.HandedOver
		if filled.IsZero() {
			filled = d.Prepared
		}
		out = append(out, care.Fill{
			Drug: d.Drug.Text, Quantity: strings.TrimSpace(d.Quantity.Value + " " + d.Quantity.Unit), DaysSupply: d.DaysSupply.Value,
			Filled: timeText(filled), Status: d.Status, Dosage: d.Dosage, Pharmacy: care.Contact{Name: d.Pharmacy},
			Prescriber: care.Contact{Name: d.Prescriber},
		})
	}
	return out
}

func panels(f fhir.Facts) []care.Panel {
	var out []care.Panel
	for _, r := range f.Reports {
		if r.OtherSubject != "" {
			continue
		}
		p := care.Panel{Name: r.Code.Text, Status: r.Status, Collected: timeText(r.Effective), Conclusion: r.Conclusion}
		for _, o := range r.Results {
			p.Results = append(p.Results, results(o, r.Effective)...)
		}
		out = append(out, p)
	}
	f.Observations = slices.DeleteFunc(slices.Clone(f.Observations), func(o fhir.Observation) bool { return o.OtherSubject != "" })
	if len(f.Observations) > 0 {
		p := care.Panel{Status: f.Observations[0].Status, Collected: timeText(f.Observations[0].Effective)}
		for _, o := range f.Observations {
			p.Results = append(p.Results, results(o, o.Effective)...)
		}
		out = append(out, p)
	}
	return out
}

// results are the values of one observation: its own, and those of its components.
func results(o fhir.Observation, at fhir.Time) []care.Result {
	if !o.Effective.IsZero() {
		at = o.Effective
	}
	var out []care.Result
	add := func(c fhir.Concept, m fhir.Measured) {
		r := care.Result{
			Code: c.Code, Name: c.Text, Value: m.Value, Unit: m.Unit, Number: m.Number, Low: m.Low, High: m.High, RangeText: m.RangeText,
			Flag: m.Interpretation, Computed: m.Computed, Status: o.Status, At: timeText(at),
		}
		if r.Code == "" {
			r.Code = c.Text
		}
		if m.Kind == "absent" {
			r.Value = "no value: " + m.Absent
		}
		out = append(out, r)
	}
	if o.Kind != "" || len(o.Components) == 0 {
		add(o.Code, o.Measured)
	}
	for _, c := range o.Components {
		add(c.Code, c.Measured)
	}
	return out
}

func summary(f fhir.Facts) *care.Document {
	if f.Summary == nil || f.Summary.OtherSubject != "" {
		return nil
	}
	d := &care.Document{Title: f.Summary.Title, Date: timeText(f.Summary.Date), Status: f.Summary.Status, Authors: f.Summary.Authors}
	for _, s := range f.Summary.Sections {
		d.Sections = append(d.Sections, care.Section{Kind: s.Kind, Title: s.Title, Text: s.Text, Cut: s.Cut})
	}
	return d
}

func timeText(t fhir.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.String()
}
