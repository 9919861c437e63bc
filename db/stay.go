package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
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

// Notices lists the admit, transfer and discharge notifications of a patient, for [care.Fold], and the stay that each
// message is a part of by now.
func (tx *Tx) Notices(ctx context.Context, patientID string) (list []care.Notice, stays map[string]string, err error) {
	rows, err := tx.query(ctx, `SELECT message_id, kind, event_at, sent_at, source_sent_at, admit_at, discharge_at, moves, facts, stay_id FROM notification INDEXED BY notification_timeline
		WHERE patient_id = ? AND kind IN ('admit', 'transfer', 'discharge')`, patientID)
	if err != nil {
		return nil, nil, fmt.Errorf("listing notices: %w", err)
	}
	stays = map[string]string{}
	list, err = collect(rows, func(n *care.Notice) error {
		var event, sent, source, admit, discharge sql.NullInt64
		var moves, facts, stay string
		if err := rows.Scan(&n.MessageID, &n.Kind, &event, &sent, &source, &admit, &discharge, &moves, &facts, &stay); err != nil {
			return err
		}
		stays[n.MessageID] = stay
		if facts != "" {
			var f care.Facts
			if err := json.Unmarshal([]byte(facts), &f); err != nil {
				return err
			}
			n.Encounter = f.Encounter
		}
		n.EventAt, n.SentAt, n.SourceSentAt = instant(event), instant(sent), instant(source)
		n.AdmitAt, n.DischargeAt = instant(admit), instant(discharge)
		if moves == "[]" {
			n.Moves = []care.Move{}
			return nil
		}
		return json.Unmarshal([]byte(moves), &n.Moves)
	})
	return list, stays, err
}

// stayRow is a stay as its table has it.
type stayRow struct {
	admit, discharge, last sql.NullInt64
	ended                  bool
	moves, facts           string
	notices                int
}

func rowOf(s care.Stay) (r stayRow, err error) {
	moves, err := json.Marshal(s.Moves)
	if err != nil {
		return r, err
	}
	facts, err := json.Marshal(s.Facts)
	return stayRow{
		admit: millis(s.AdmitAt), discharge: millis(s.DischargeAt), last: millis(s.LastEventAt), ended: s.Ended,
		moves: string(moves), facts: string(facts), notices: len(s.MessageIDs),
	}, err
}

// SaveStays makes stays those of a patient and points their notifications at them. was is the stay of each message before,
// as [Tx.Notices] said it. What did not change is not written.
func (tx *Tx) SaveStays(ctx context.Context, patientID string, stays []care.Stay, was map[string]string) error {
	old, err := tx.stayRows(ctx, patientID)
	if err != nil {
		return fmt.Errorf("reading stays: %w", err)
	}
	changed := false
	for _, s := range stays {
		row, err := rowOf(s)
		if err != nil {
			return err
		}
		if before, ok := old[s.ID]; !ok || before != row {
			changed = true
			if _, err := tx.exec(ctx, `INSERT INTO stay (id, patient_id, admit_at, discharge_at, ended, last_event_at, moves, notices, facts) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
				ON CONFLICT (id) DO UPDATE SET patient_id = ?2, admit_at = ?3, discharge_at = ?4, ended = ?5, last_event_at = ?6, moves = ?7, notices = ?8, facts = ?9`,
				s.ID, patientID, row.admit, row.discharge, row.ended, row.last, row.moves, row.notices, row.facts); err != nil {
				return fmt.Errorf("saving a stay: %w", err)
			}
		}
		delete(old, s.ID)
		moved := slices.DeleteFunc(slices.Clone(s.MessageIDs), func(id string) bool { return was[id] == s.ID })
		if len(moved) == 0 {
			continue
		}
		changed = true
		messages, err := json.Marshal(moved)
		if err != nil {
			return err
		}
		if _, err := tx.exec(ctx, `UPDATE notification INDEXED BY notification_timeline SET stay_id = ?1 WHERE patient_id = ?2 AND stay_id <> ?1
			AND kind IN ('admit', 'transfer', 'discharge') AND message_id IN (SELECT value FROM json_each(?3))`, s.ID, patientID, string(messages)); err != nil {
			return fmt.Errorf("saving a stay: %w", err)
		}
	}
	for id := range old { // those that are there no more
		changed = true
		if _, err := tx.exec(ctx, `DELETE FROM stay WHERE id = ?`, id); err != nil {
			return fmt.Errorf("removing a stay: %w", err)
		}
	}
	if !changed {
		return nil
	}
	return tx.changed(ctx, patientID, 0)
}

func (tx *Tx) stayRows(ctx context.Context, patientID string) (map[string]stayRow, error) {
	out := map[string]stayRow{}
	rows, err := tx.query(ctx, `SELECT id, admit_at, discharge_at, ended, last_event_at, moves, notices, facts FROM stay INDEXED BY stay_latest WHERE patient_id = ?`, patientID)
	if err != nil {
		return nil, err
	}
	_, err = collect(rows, func(r *stayRow) error {
		var id string
		err := rows.Scan(&id, &r.admit, &r.discharge, &r.ended, &r.last, &r.moves, &r.notices, &r.facts)
		out[id] = *r
		return err
	})
	return out, err
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
