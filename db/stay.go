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

// History is what the stays of one patient are folded from, and what they are by now.
type History struct {
	PatientID string
	Notices   []care.Notice // for [care.Fold]

	Stays []care.Stay // that [care.Fold] made of them

	ids   map[string]int64  // of the notification, by the message of its notice
	stays map[string]string // the one it is a part of by now, by the same
	rows  map[string]stayRow
}

var (
	lookNotices = newLookup(`SELECT id, patient_id, message_id, kind, event_at, sent_at, source_sent_at, admit_at, discharge_at, moves, facts, stay_id
		FROM notification INDEXED BY notification_timeline WHERE patient_id IN (%s) AND kind IN ('admit', 'transfer', 'discharge')`)
	lookStays = newLookup(`SELECT patient_id, id, admit_at, discharge_at, ended, last_event_at, moves, notices, facts
		FROM stay INDEXED BY stay_latest WHERE patient_id IN (%s)`)
)

// Histories returns those of patients, in the order of their ids, each once.
func (tx *Tx) Histories(ctx context.Context, patients []string) ([]*History, error) {
	ids := distinct(patients)
	list := make([]*History, 0, len(ids))
	of := make(map[string]*History, len(ids))
	for _, id := range slices.Compact(slices.Sorted(slices.Values(patients))) {
		h := &History{PatientID: id, ids: map[string]int64{}, stays: map[string]string{}, rows: map[string]stayRow{}}
		list, of[id] = append(list, h), h
	}
	err := tx.look(ctx, lookNotices, ids, func(rows *sql.Rows) error {
		var n care.Notice
		var event, sent, source, admit, discharge sql.NullInt64
		var id int64
		var patient, moves, facts, stay string
		if err := rows.Scan(&id, &patient, &n.MessageID, &n.Kind, &event, &sent, &source, &admit, &discharge, &moves, &facts, &stay); err != nil {
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
		n.Moves = []care.Move{}
		if moves != "[]" {
			if err := json.Unmarshal([]byte(moves), &n.Moves); err != nil {
				return err
			}
		}
		h := of[patient]
		h.Notices = append(h.Notices, n)
		h.ids[n.MessageID], h.stays[n.MessageID] = id, stay
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing notices: %w", err)
	}
	err = tx.look(ctx, lookStays, ids, func(rows *sql.Rows) error {
		var patient, id string
		var r stayRow
		err := rows.Scan(&patient, &id, &r.admit, &r.discharge, &r.ended, &r.last, &r.moves, &r.notices, &r.facts)
		of[patient].rows[id] = r
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading stays: %w", err)
	}
	return list, nil
}

// Add adds notifications that are about to be added to the chart to the history of their patient; false where one is a part
// of it already, because its message is read again.
func (h *History) Add(list ...*Notification) bool {
	for _, n := range list {
		if _, known := h.ids[n.MessageID]; known {
			return false
		}
	}
	for _, n := range list {
		stored := func(t time.Time) time.Time { return instant(millis(t)) }
		h.Notices = append(h.Notices, care.Notice{
			MessageID: n.MessageID, Kind: n.Kind, EventAt: stored(n.EventAt), SentAt: stored(n.SentAt), SourceSentAt: stored(n.SourceSentAt),
			AdmitAt: stored(n.AdmitAt), DischargeAt: stored(n.DischargeAt), Moves: n.Moves,
		})
		h.ids[n.MessageID] = n.ID
	}
	return true
}

// Place says of which stay notifications of the patient will be a part.
func (h *History) Place(list ...*Notification) {
	for _, s := range h.Stays {
		for _, n := range list {
			if slices.Contains(s.MessageIDs, n.MessageID) {
				n.StayID, h.stays[n.MessageID] = s.ID, s.ID
			}
		}
	}
}

// stayRow is a stay as its table has it.
type stayRow struct {
	admit, discharge, last sql.NullInt64
	ended                  bool
	moves, facts           string
	notices                int
}

func rowOf(s care.Stay) (r stayRow, err error) {
	moves, err := movesText(s.Moves)
	if err != nil {
		return r, err
	}
	facts, err := json.Marshal(s.Facts)
	return stayRow{
		admit: millis(s.AdmitAt), discharge: millis(s.DischargeAt), last: millis(s.LastEventAt), ended: s.Ended,
		moves: moves, facts: string(facts), notices: len(s.MessageIDs),
	}, err
}

var insertStays = newInsertion(`INSERT OR FAIL INTO stay (id, patient_id, admit_at, discharge_at, ended, last_event_at, moves, notices, facts)`, 9, ``)

const updateStay = `UPDATE stay SET admit_at = ?3, discharge_at = ?4, ended = ?5, last_event_at = ?6, moves = ?7, notices = ?8, facts = ?9 WHERE id = ?1 AND patient_id = ?2`

// SaveStays makes the stays of a history those of its patient, and points their notifications at them. What did not change
// is not written.
func (tx *Tx) SaveStays(ctx context.Context, list []*History) error {
	var rows []any
	for _, h := range list {
		changed := false
		for _, s := range h.Stays {
			row, err := rowOf(s)
			if err != nil {
				return err
			}
			before, there := h.rows[s.ID]
			values := []any{s.ID, h.PatientID, row.admit, row.discharge, row.ended, row.last, row.moves, row.notices, row.facts}
			switch {
			case !there:
				changed, rows = true, append(rows, values...)
			case before != row:
				changed = true
				if _, err := tx.exec(ctx, updateStay, values...); err != nil {
					return fmt.Errorf("saving a stay: %w", err)
				}
			}
			delete(h.rows, s.ID)
			for _, message := range s.MessageIDs {
				if h.stays[message] == s.ID {
					continue
				}
				changed = true
				if _, err := tx.exec(ctx, `UPDATE notification SET stay_id = ? WHERE id = ?`, s.ID, h.ids[message]); err != nil {
					return fmt.Errorf("saving a stay: %w", err)
				}
			}
		}
		for id := range h.rows { // those that are there no more
			changed = true
			if _, err := tx.exec(ctx, `DELETE FROM stay WHERE id = ?`, id); err != nil {
				return fmt.Errorf("removing a stay: %w", err)
			}
		}
		if !changed {
			continue
		}
		if err := tx.changed(ctx, h.PatientID, 0); err != nil {
			return err
		}
	}
	if _, err := tx.insert(ctx, insertStays, rows); err != nil {
		return fmt.Errorf("saving stays: %w", err)
	}
	return nil
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
