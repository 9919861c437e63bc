package chart

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"

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
	if d.Purpose == db.PurposePharmacy || d.Purpose == db.PurposeLab {
		facts.DatesAsDays()
	}
	if d.Purpose == db.PurposeConsolidated { // years of records: who it is, and how much of what
		facts = fhir.Facts{BundleType: facts.BundleType, Timestamp: facts.Timestamp, Counts: facts.Counts, Truncated: facts.Truncated, Exchanges: facts.Exchanges, Patient: facts.Patient}
	}
	return facts.Encode()
}

// ApplyRecord takes the facts of a stored file into the chart: who the patient is, and what the notice is about.
func ApplyRecord(ctx context.Context, tx *db.Tx, d db.Download, encoded []byte) error {
	patients, err := applyRecord(ctx, tx, d, encoded)
	if err != nil {
		return err
	}
	return refold(ctx, tx, patients)
}

// RenewRecord takes the facts of a stored file into the chart that an older version had read, in place of those that it
// read. Afterwards the chart is as if they had never been. Where somebody else did it by now, nothing happens.
func RenewRecord(ctx context.Context, tx *db.Tx, d db.Download, encoded []byte) error {
	fresh, err := tx.RenewRecord(ctx, d.ID, encoded)
	if err != nil || !fresh {
		return err
	}
	if d.PatientID != "" {
		if err := tx.ForgetStatement(ctx, d.InboxSeq, d.PatientID); err != nil {
			return err
		}
	}
	if d.Purpose == db.PurposeMessage { // what the event says and what the message says are one row: both are read again
		w, err := tx.Taken(ctx, d.InboxSeq)
		if errors.Is(err, sql.ErrNoRows) {
			return nil // the projector will come to it, and asks for the record itself
		}
		if err != nil {
			return err
		}
		return write(ctx, tx, []reading{read(w)})
	}
	was, err := tx.ForgetFacility(ctx, d.NotificationID)
	if err != nil {
		return err
	}
	if d.PatientID != "" { // other files of the message may be about the same patient
		others, err := tx.RecordsOfPatient(ctx, d.InboxSeq, d.PatientID)
		if err != nil {
			return err
		}
		for _, r := range others {
			facts, err := fhir.Decode(r.Facts)
			if err != nil {
				return err
			}
			if err := saveIdentity(ctx, tx, r.Download, facts.Patient); err != nil {
				return err
			}
		}
	}
	if err := ApplyRecord(ctx, tx, d, encoded); err != nil {
		return err
	}
	if d.Purpose != db.PurposeConsolidated { // a whole file is read by itself
		if err := tx.QueueHealth(ctx, d); err != nil {
			return err
		}
	}
	return tx.DropFacility(ctx, was)
}

// applyRecord writes the facts and returns the patients whose stays must be folded again.
func applyRecord(ctx context.Context, tx *db.Tx, d db.Download, encoded []byte) ([]string, error) {
	facts, err := decode(d, encoded)
	if err != nil {
		return nil, err
	}
	if err := saveIdentity(ctx, tx, d, facts.Patient); err != nil {
		return nil, err
	}
	if d.Purpose == db.PurposeMessage {
		return nil, applyLetter(ctx, tx, d, facts)
	}
	if d.NotificationID == 0 {
		return nil, nil
	}
	admit, discharge, err := tx.NoticeTimes(ctx, d.NotificationID)
	if err != nil {
		return nil, err
	}
	shown := summarize(d.Purpose, facts, stayTimes{admit, discharge})
	raw, err := json.Marshal(shown)
	if err != nil {
		return nil, fmt.Errorf("encoding facts: %w", err)
	}
	n := db.NotificationFacts{ID: d.NotificationID, Facts: raw, Exchange: shown.Exchange()}
	if e := shown.Encounter; e != nil {
		n.Facility, n.VisitNumber = e.Facility, e.VisitNumber
	}
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

// decode reads the facts of a stored file. Those that an older version stored have the dates of a pharmacy or laboratory as
// it read them.
func decode(d db.Download, encoded []byte) (fhir.Facts, error) {
	facts, err := fhir.Decode(encoded)
	if d.Purpose == db.PurposePharmacy || d.Purpose == db.PurposeLab {
		facts.DatesAsDays()
	}
	return facts, err
}

func saveIdentity(ctx context.Context, tx *db.Tx, d db.Download, p fhir.Patient) error {
	if d.PatientID == "" {
		return nil
	}
	return tx.SaveIdentity(ctx, d.InboxSeq, db.Identity{
		PatientID: d.PatientID, Name: p.Name, BirthDate: p.BirthDate, Sex: p.Sex, Phone: p.Phone, Deceased: deceased(p),
	})
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

// summarize picks from a record what people read in a row and on the patient's page. at is what the notice says of the
// times of its stay.
func summarize(purpose db.Purpose, f fhir.Facts, at stayTimes) care.Facts {
	out := care.Facts{Read: true, Exchanges: f.Exchanges}
	switch purpose {
	case db.PurposePharmacy:
		out.Fills, out.MoreFills = newestFills(f)
	case db.PurposeLab:
		out.Panels = panels(f)
	case db.PurposeSummary:
		out.Summary, out.Encounter = summary(f), encounter(f, at)
	default:
		out.Encounter = encounter(f, at)
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
