package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"carebell/web/care"
)

// Stay is one hospital stay of a patient. Times that are not known are zero.
type Stay struct {
	ID          string
	AdmitAt     time.Time
	DischargeAt time.Time
	Ended       bool // the patient was discharged
	LastEventAt time.Time
	Moves       []care.Move
	Notices     int // how many notifications it is folded from
	Facts       care.StayFacts
}

// Notices lists the admit, transfer and discharge notifications of a patient, for [care.Fold].
func (tx *Tx) Notices(ctx context.Context, patientID string) ([]care.Notice, error) {
	rows, err := tx.query(ctx, `SELECT message_id, kind, event_at, sent_at, source_sent_at, admit_at, discharge_at, moves, facts FROM notification
		WHERE patient_id = ? AND kind IN ('admit', 'transfer', 'discharge')`, patientID)
	if err != nil {
		return nil, fmt.Errorf("listing notices: %w", err)
	}
	return collect(rows, func(n *care.Notice) error {
		var event, sent, source, admit, discharge sql.NullInt64
		var moves, facts string
		if err := rows.Scan(&n.MessageID, &n.Kind, &event, &sent, &source, &admit, &discharge, &moves, &facts); err != nil {
			return err
		}
		if facts != "" {
			var f care.Facts
			if err := json.Unmarshal([]byte(facts), &f); err != nil {
				return err
			}
			n.Encounter = f.Encounter
		}
		n.EventAt, n.SentAt, n.SourceSentAt = instant(event), instant(sent), instant(source)
		n.AdmitAt, n.DischargeAt = instant(admit), instant(discharge)
		return json.Unmarshal([]byte(moves), &n.Moves)
	})
}

// SaveStays replaces the stays of a patient and points their notifications at them.
func (tx *Tx) SaveStays(ctx context.Context, patientID string, stays []care.Stay) error {
	if _, err := tx.exec(ctx, `DELETE FROM stay WHERE patient_id = ?`, patientID); err != nil {
		return fmt.Errorf("replacing stays: %w", err)
	}
	for _, s := range stays {
		moves, err := json.Marshal(s.Moves)
		if err != nil {
			return err
		}
		messages, err := json.Marshal(s.MessageIDs)
		if err != nil {
			return err
		}
		facts, err := json.Marshal(s.Facts)
		if err != nil {
			return err
		}
		if _, err := tx.exec(ctx, `INSERT INTO stay (id, patient_id, admit_at, discharge_at, ended, last_event_at, moves, notices, facts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			s.ID, patientID, millis(s.AdmitAt), millis(s.DischargeAt), s.Ended, millis(s.LastEventAt), string(moves), len(s.MessageIDs), string(facts)); err != nil {
			return fmt.Errorf("saving a stay: %w", err)
		}
		if _, err := tx.exec(ctx, `UPDATE notification SET stay_id = ?1 WHERE patient_id = ?2 AND stay_id <> ?1
			AND kind IN ('admit', 'transfer', 'discharge') AND message_id IN (SELECT value FROM json_each(?3))`, s.ID, patientID, string(messages)); err != nil {
			return fmt.Errorf("saving a stay: %w", err)
		}
	}
	return tx.changed(ctx, patientID, 0)
}

// Stays lists the stays of a patient, the latest first.
func (s Snapshot) Stays(ctx context.Context, patientID string) ([]Stay, error) {
	rows, err := s.QueryContext(ctx, `SELECT id, admit_at, discharge_at, ended, last_event_at, moves, notices, facts FROM stay INDEXED BY stay_latest
		WHERE patient_id = ? ORDER BY coalesce(admit_at, last_event_at) DESC, id`, patientID)
	if err != nil {
		return nil, fmt.Errorf("listing stays: %w", err)
	}
	return collect(rows, func(st *Stay) error {
		var admit, discharge, last sql.NullInt64
		var moves, facts string
		if err := rows.Scan(&st.ID, &admit, &discharge, &st.Ended, &last, &moves, &st.Notices, &facts); err != nil {
			return err
		}
		if facts != "" {
			if err := json.Unmarshal([]byte(facts), &st.Facts); err != nil {
				return err
			}
		}
		st.AdmitAt, st.DischargeAt, st.LastEventAt = instant(admit), instant(discharge), instant(last)
		return json.Unmarshal([]byte(moves), &st.Moves)
	})
}
