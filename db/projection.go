package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// projections are the tables that are made from the inbox, in an order that respects their references.
var projections = []string{"notification_subject", "notification", "stay", "facility", "patient_search", "patient_statement", "patient_alias", "patient",
	"mail", "mail_status", "mail_search",
	"import_event", "import_job",
	"pull_document_link", "pull_document", "pull_part", "pull",
	"identity",
	"health_entry", "health_event", "health_name", "health_patient", "health_stale",
	"search_words", "search_entry",
	"inbox_patient", "inbox_outcome", "cursor"}

// DropProjections empties everything that is made from the inbox, and tells every screen to start again.
func (tx *Tx) DropProjections(ctx context.Context) error {
	tx.writer.forget()
	for _, table := range append(projections, "change") {
		if _, err := tx.exec(ctx, "DELETE FROM "+table); err != nil {
			return fmt.Errorf("emptying %s: %w", table, err)
		}
	}
	if _, err := tx.exec(ctx, `UPDATE health_file SET state = 'folding', folded = '' WHERE state IN ('folding', 'read')`); err != nil {
		return fmt.Errorf("emptying the summaries: %w", err)
	}
	// Whatever should have been read again is.
	if _, err := tx.exec(ctx, `UPDATE reprocess SET ended_at = ? WHERE ended_at IS NULL`, tx.Now); err != nil {
		return fmt.Errorf("ending what is read again: %w", err)
	}
	return tx.changed(ctx, "", 0)
}

// Cursor returns how far the projection called name has come; 0 before it began.
func (tx *Tx) Cursor(ctx context.Context, name string) (int64, error) {
	return cursor(tx.row(ctx, selectCursor, name))
}

// Cursor is [Tx.Cursor], for readers.
func (s Snapshot) Cursor(ctx context.Context, name string) (int64, error) {
	return cursor(s.QueryRowContext(ctx, selectCursor, name))
}

const selectCursor = `SELECT at FROM cursor WHERE name = ?`

func cursor(row *sql.Row) (int64, error) {
	var at int64
	if err := row.Scan(&at); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("reading a cursor: %w", err)
	}
	return at, nil
}

// SetCursor moves the projection called name.
func (tx *Tx) SetCursor(ctx context.Context, name string, at int64) error {
	if _, err := tx.exec(ctx, `INSERT INTO cursor (name, at) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET at = ?2`, name, at); err != nil {
		return fmt.Errorf("moving a cursor: %w", err)
	}
	return nil
}

// MessageOutcome is what became of a message, and whom it names.
type MessageOutcome struct {
	Seq      int64
	Status   Status
	Reason   string // "" unless it is malformed or failed
	Patients []string
}

var (
	insertOutcomes = newInsertion(`INSERT OR FAIL INTO inbox_outcome (seq, status, error)`, 3, `ON CONFLICT DO NOTHING`)
	insertNamed    = newInsertion(`INSERT OR FAIL INTO inbox_patient (seq, patient_id)`, 2, `ON CONFLICT DO NOTHING`)
)

// SetOutcomes says what became of messages.
func (tx *Tx) SetOutcomes(ctx context.Context, list ...MessageOutcome) error {
	var rows, named []any
	for _, o := range list {
		rows = append(rows, o.Seq, string(o.Status), o.Reason)
		for _, id := range o.Patients {
			named = append(named, o.Seq, id)
		}
	}
	written, err := tx.insert(ctx, insertOutcomes, rows)
	if err != nil {
		return fmt.Errorf("saving outcomes: %w", err)
	}
	if written < int64(len(list)) { // some are read again
		for _, o := range list {
			if _, err := tx.exec(ctx, `UPDATE inbox_outcome SET status = ?2, error = ?3 WHERE seq = ?1`, o.Seq, o.Status, o.Reason); err != nil {
				return fmt.Errorf("saving an outcome: %w", err)
			}
			if _, err := tx.exec(ctx, `DELETE FROM inbox_patient WHERE seq = ?`, o.Seq); err != nil {
				return fmt.Errorf("noting whom a message names: %w", err)
			}
		}
	}
	if _, err := tx.insert(ctx, insertNamed, named); err != nil {
		return fmt.Errorf("noting whom messages name: %w", err)
	}
	for _, o := range list {
		if err := tx.changedItem(ctx, TopicInbox, o.Seq, ""); err != nil {
			return err
		}
	}
	return nil
}

// ErrTakenBack says that SQLite itself ended the whole transaction, as it does when the disk is full: nothing of it is
// written, and nothing more may be.
var ErrTakenBack = errors.New("the database took the whole transaction back")

// Savepoint runs f so that its error or panic takes back what f wrote and nothing else. Where it cannot, the error is
// [ErrTakenBack].
func (tx *Tx) Savepoint(ctx context.Context, f func() error) (err error) {
	if _, err := tx.exec(ctx, "SAVEPOINT part"); err != nil {
		return fmt.Errorf("opening a savepoint: %w", err)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the handler panicked (%T)", p) // the value may quote the body
		}
		if err != nil {
			tx.writer.forget()
			if _, e := tx.exec(ctx, "ROLLBACK TO part"); e != nil {
				err = errors.Join(ErrTakenBack, err, e)
				return
			}
		}
		if _, e := tx.exec(ctx, "RELEASE part"); e != nil {
			err = errors.Join(err, e)
		}
	}()
	return f()
}

// RepeatsAfter lists the numbers of further deliveries after id, of messages up to seq, with the message each repeats.
// It stops before the first delivery of a later message, so that none is passed over.
func (s Snapshot) RepeatsAfter(ctx context.Context, id, seq int64, limit int) (last int64, messages []int64, err error) {
	rows, err := s.QueryContext(ctx, `SELECT id, inbox_seq FROM inbox_repeat WHERE id > ? ORDER BY id LIMIT ?`, id, limit)
	if err != nil {
		return id, nil, fmt.Errorf("listing deliveries: %w", err)
	}
	defer func() { _ = rows.Close() }()
	last = id
	for rows.Next() {
		var at, of int64
		if err := rows.Scan(&at, &of); err != nil {
			return id, nil, err
		}
		if of > seq {
			break
		}
		last, messages = at, append(messages, of)
	}
	return last, messages, rows.Err()
}

// CountRejections adds refused requests to the hour they came in. reasons maps a reason to how many.
func (tx *Tx) CountRejections(ctx context.Context, reasons map[string]int64) error {
	const hour = 3_600_000
	for reason, n := range reasons {
		if _, err := tx.exec(ctx, `INSERT INTO rejection (hour, reason, n) VALUES (?1, ?2, ?3) ON CONFLICT (hour, reason) DO UPDATE SET n = n + ?3`,
			tx.Now-tx.Now%hour, reason, n); err != nil {
			return fmt.Errorf("counting refused requests: %w", err)
		}
	}
	return nil
}
