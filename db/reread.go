package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"carebell/web/fhir"
)

// OldRecord is where a stored file stands among those whose facts an older reader made.
type OldRecord struct {
	Reader   int
	Download Download
}

// OldRecords lists the next stored files whose facts an older reader made, after the one given. Those whose file is no
// longer stored are not among them: their facts stay as they are.
func (s Snapshot) OldRecords(ctx context.Context, last OldRecord, limit int) ([]OldRecord, error) {
	rows, err := s.QueryContext(ctx, `SELECT r.reader, `+downloadColumns+` FROM record r JOIN download d ON d.id = r.download_id
		WHERE r.reader < ?1 AND (r.reader, r.download_id) > (?2, ?3) AND d.state = 'stored' ORDER BY r.reader, r.download_id LIMIT ?4`,
		fhir.ReaderVersion, last.Reader, last.Download.ID, limit)
	if err != nil {
		return nil, fmt.Errorf("listing what an older version read: %w", err)
	}
	return collect(rows, func(r *OldRecord) error { return r.Download.scan(after{rows, []any{&r.Reader}}) })
}

// RenewRecord puts the facts that this version's reader read in the place of those that an older one did; false where it
// has been done by now, and nothing is changed.
func (tx *Tx) RenewRecord(ctx context.Context, downloadID int64, facts []byte) (bool, error) {
	result, err := tx.exec(ctx, `UPDATE record SET facts = ?2, reader = ?3 WHERE download_id = ?1 AND reader < ?3`, downloadID, string(facts), fhir.ReaderVersion)
	if err != nil {
		return false, fmt.Errorf("renewing a record: %w", err)
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// RecordsOfPatient lists what was read from the files of one message that are about one patient.
func (tx *Tx) RecordsOfPatient(ctx context.Context, inboxSeq int64, patientID string) ([]Record, error) {
	return records(tx.query(ctx, selectRecords+`WHERE d.inbox_seq = ? AND d.patient_id = ? ORDER BY d.place`, inboxSeq, patientID))
}

// ForgetStatement forgets what the records behind a message say of who a patient is, so that it can be said again.
func (tx *Tx) ForgetStatement(ctx context.Context, inboxSeq int64, patientID string) error {
	if _, err := tx.exec(ctx, `DELETE FROM patient_statement WHERE patient_id = ? AND inbox_seq = ?`, patientID, inboxSeq); err != nil {
		return fmt.Errorf("forgetting what a record says: %w", err)
	}
	return tx.settleIdentity(ctx, patientID)
}

// ForgetFacility takes back the facility that the record behind a notification named, and returns it: the notification has
// again the one that its event named, if any.
func (tx *Tx) ForgetFacility(ctx context.Context, notificationID int64) (string, error) {
	var was string
	err := tx.row(ctx, `SELECT facility FROM notification WHERE id = ?`, notificationID).Scan(&was)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err == nil {
		_, err = tx.exec(ctx, `UPDATE notification SET facility = iif(kind = 'transfer', coalesce(json_extract(moves, '$[#-1].to'), ''), '') WHERE id = ?`, notificationID)
	}
	if err != nil {
		return "", fmt.Errorf("forgetting a facility: %w", err)
	}
	return was, nil
}

// DropFacility takes the name of a facility from among those that can be found, where no notification has it any more.
func (tx *Tx) DropFacility(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	var used bool
	err := tx.row(ctx, `SELECT EXISTS (SELECT 1 FROM notification WHERE facility = ?1)
		OR EXISTS (SELECT 1 FROM notification WHERE kind = 'transfer' AND json_extract(moves, '$[#-1].to') = ?1)`, name).Scan(&used)
	if err != nil {
		return fmt.Errorf("looking for a facility: %w", err)
	}
	if used {
		return nil
	}
	if _, err := tx.exec(ctx, `DELETE FROM facility WHERE name = ?`, name); err != nil {
		return fmt.Errorf("dropping a facility: %w", err)
	}
	return tx.Unindex(ctx, SearchFacility, name)
}

// Taken returns one message as the projector reads it, where it has taken it into the chart; sql.ErrNoRows where it has
// not come so far, or could not.
func (tx *Tx) Taken(ctx context.Context, seq int64) (Waiting, error) {
	w := Waiting{Seq: seq}
	var received sql.NullInt64
	err := tx.row(ctx, `SELECT i.message_id, i.type, i.received_at FROM inbox i JOIN inbox_outcome o ON o.seq = i.seq WHERE i.seq = ? AND o.status = 'processed'`, seq).
		Scan(&w.MessageID, &w.Type, &received)
	if err != nil {
		return w, err
	}
	w.ReceivedAt = instant(received)
	w.Body, err = tx.Body(ctx, seq)
	return w, err
}
