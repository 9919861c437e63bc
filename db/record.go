package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"carebell/web/care"
)

// Identity is what a record says of who a patient is. Empty means not said.
type Identity struct {
	PatientID string
	Name      string
	BirthDate string // ISO date, or less
	Sex       string
	Phone     string
	Deceased  string // "yes" or a date; "" = not said
}

// SaveIdentity takes what the record behind message inboxSeq says of a patient. Where two records differ, that of the
// message sent last wins, whatever order they came in; what it leaves out stays as it was said before.
func (tx *Tx) SaveIdentity(ctx context.Context, inboxSeq int64, p Identity) error {
	if p.Name == "" && p.BirthDate == "" && p.Sex == "" && p.Phone == "" && p.Deceased == "" {
		return nil
	}
	_, err := tx.exec(ctx, `INSERT INTO patient_statement (patient_id, inbox_seq, sent, name, birth_date, sex, phone, deceased)
		SELECT ?1, seq, printf('%020d %s', coalesce(max(sent_at, 0), 0), message_id), ?3, ?4, ?5, ?6, ?7 FROM inbox WHERE seq = ?2
		ON CONFLICT (patient_id, inbox_seq) DO UPDATE SET
			name = iif(?3 > name, ?3, name), birth_date = iif(?4 > birth_date, ?4, birth_date), sex = iif(?5 > sex, ?5, sex),
			phone = iif(?6 > phone, ?6, phone), deceased = iif(?7 > deceased, ?7, deceased)`,
		p.PatientID, inboxSeq, p.Name, p.BirthDate, p.Sex, p.Phone, p.Deceased)
	if err != nil {
		return fmt.Errorf("saving what a record says: %w", err)
	}
	return tx.settleIdentity(ctx, p.PatientID)
}

// settleIdentity makes of all statements about a patient, and of what a person corrected, what is shown.
func (tx *Tx) settleIdentity(ctx context.Context, patientID string) error {
	last := func(field string) string {
		return `coalesce((SELECT ` + field + ` FROM patient_statement WHERE patient_id = ?1 AND ` + field + ` <> '' ORDER BY sent DESC LIMIT 1), '')`
	}
	corrected := func(field string) string {
		return `coalesce((SELECT value FROM correction WHERE patient_id = ?1 AND field = '` + field + `'), ` + last(field) + `)`
	}
	result, err := tx.exec(ctx, `UPDATE patient SET name = `+corrected("name")+`, birth_date = `+corrected("birth_date")+`, sex = `+last("sex")+`,
		phone = `+last("phone")+`, deceased = `+last("deceased")+` WHERE id = ?1`, patientID)
	if err != nil {
		return fmt.Errorf("settling who a patient is: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return err
	}
	if _, err := tx.indexPatient(ctx, patientID); err != nil {
		return err
	}
	return tx.changedPatient(ctx, patientID)
}

// changedPatient numbers a change of what every row of a patient shows, for the latest rows: those that screens show.
func (tx *Tx) changedPatient(ctx context.Context, patientID string) error {
	const latest = 50
	rows, err := tx.query(ctx, `SELECT id FROM notification WHERE patient_id = ? ORDER BY happened_at DESC LIMIT ?`, patientID, latest) //nolint:sqlclosecheck // collect closes them
	if err != nil {
		return fmt.Errorf("numbering changes: %w", err)
	}
	ids, err := collect(rows, func(id *int64) error { return rows.Scan(id) })
	if err != nil {
		return fmt.Errorf("numbering changes: %w", err)
	}
	for _, id := range append(ids, 0) {
		if err := tx.changed(ctx, patientID, id); err != nil {
			return err
		}
	}
	return tx.changedMailOf(ctx, patientID)
}

// CorrectPatient sets a field of a patient (name, birth_date) by hand; "" takes the correction back. A correction wins
// over every record.
func (tx *Tx) CorrectPatient(ctx context.Context, userID int64, patientID, field, value string) error {
	var err error
	if value == "" {
		_, err = tx.exec(ctx, `DELETE FROM correction WHERE patient_id = ? AND field = ?`, patientID, field)
	} else {
		_, err = tx.exec(ctx, `INSERT INTO correction (patient_id, field, value, user_id, at) VALUES (?1, ?2, ?3, ?4, ?5)
			ON CONFLICT (patient_id, field) DO UPDATE SET value = ?3, user_id = ?4, at = ?5`, patientID, field, value, userID, tx.Now)
	}
	if err != nil {
		return fmt.Errorf("correcting a patient: %w", err)
	}
	return tx.settleIdentity(ctx, patientID)
}

// Correction is what a person set by hand.
type Correction struct {
	Field string // name, birth_date
	Value string
	By    string // email
	At    time.Time
}

// NotificationFacts is what the record behind a notification says.
type NotificationFacts struct {
	ID          int64
	Facts       []byte // JSON of care.Facts
	Facility    string // "" = leave it
	VisitNumber string // "" = none
	Exchange    string // code of the exchange the record comes from; "" = not sent
}

// SaveNotificationFacts puts what the record says into the notification.
func (tx *Tx) SaveNotificationFacts(ctx context.Context, n NotificationFacts) error {
	if n.Facility != "" {
		if err := tx.saveFacility(ctx, n.Facility); err != nil {
			return err
		}
	}
	var patient string
	err := tx.row(ctx, `UPDATE notification SET facts = ?2, facility = iif(?3 = '', facility, ?3), visit_number = ?4, exchange = ?5
		WHERE id = ?1 RETURNING patient_id`, n.ID, string(n.Facts), n.Facility, n.VisitNumber, n.Exchange).Scan(&patient)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // the projector has not come so far, or its message failed; it asks for the record itself
	}
	if err != nil {
		return fmt.Errorf("saving facts: %w", err)
	}
	if err := tx.saveSubjects(ctx, n); err != nil {
		return err
	}
	return tx.changed(ctx, patient, n.ID)
}

// NoticeTimes returns when a notification says that the stay began and ended; zero where it does not, and where there is no
// such notification.
func (tx *Tx) NoticeTimes(ctx context.Context, notificationID int64) (admit, discharge time.Time, err error) {
	var began, ended sql.NullInt64
	err = tx.row(ctx, `SELECT admit_at, discharge_at FROM notification WHERE id = ?`, notificationID).Scan(&began, &ended)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return admit, discharge, fmt.Errorf("looking up the times of a notice: %w", err)
	}
	return instant(began), instant(ended), nil
}

// Record is the facts of a stored file, as JSON of fhir.Facts.
type Record struct {
	Download Download
	Facts    []byte
}

// RecordsOf lists what was read from the files of messages, given in their order, in the order of their links.
func (tx *Tx) RecordsOf(ctx context.Context, messages ...int64) ([]Record, error) {
	list, err := json.Marshal(messages)
	if err != nil {
		return nil, err
	}
	return records(tx.query(ctx, selectRecords+`WHERE d.inbox_seq IN (SELECT value FROM json_each(?)) ORDER BY d.inbox_seq, d.place`, string(list)))
}

const selectRecords = `SELECT r.facts, ` + downloadColumns + ` FROM download d JOIN record r ON r.download_id = d.id `

func records(rows *sql.Rows, err error) ([]Record, error) {
	if err != nil {
		return nil, fmt.Errorf("listing records: %w", err)
	}
	return collect(rows, func(r *Record) error {
		return r.Download.scan(after{rows, []any{&r.Facts}})
	})
}

// NotificationWithFacts is a notification reduced to what its record says.
type NotificationWithFacts struct {
	ID    int64
	Kind  care.Kind
	At    time.Time
	Facts care.Facts
}
