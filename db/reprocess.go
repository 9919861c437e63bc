package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Reprocess is a wish to read messages again, and how far it is.
type Reprocess struct {
	ID        int64
	AskedAt   time.Time
	AskedBy   string // email
	Seq       int64  // the one message; 0 = all of a kind
	Type      string // "" = any
	Status    Status // "" = any
	At        int64  // up to here it is done
	UpTo      int64  // the last message that had come when it was asked
	Total     int64
	Done      int64
	Processed int64     // of those done: understood now
	EndedAt   time.Time // zero = it goes on
}

const reprocessColumns = `r.id, r.asked_at, u.email, r.seq, r.type, r.status, r.at, r.up_to, r.total, r.done, r.processed, r.ended_at`

func (r *Reprocess) scan(row interface{ Scan(...any) error }) error {
	var asked, ended sql.NullInt64
	err := row.Scan(&r.ID, &asked, &r.AskedBy, &r.Seq, &r.Type, &r.Status, &r.At, &r.UpTo, &r.Total, &r.Done, &r.Processed, &ended)
	r.AskedAt, r.EndedAt = instant(asked), instant(ended)
	return err
}

// CountOfKind counts the messages of a type and a status that the projector has taken; "" = any.
func (s Snapshot) CountOfKind(ctx context.Context, kind string, status Status) (n int64, err error) {
	err = s.QueryRowContext(ctx, `SELECT count(*) FROM inbox_outcome o JOIN inbox i ON i.seq = o.seq
		WHERE (?1 = '' OR i.type = ?1) AND (?2 = '' OR o.status = ?2)`, kind, status).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting messages of a kind: %w", err)
	}
	return n, nil
}

// AskReprocess notes that person userID wants r's messages to be read again: r.Seq, or all of r.Type and r.Status. r.Total
// says how many they are. A wish that waits already is not noted twice.
func (tx *Tx) AskReprocess(ctx context.Context, userID int64, r Reprocess) error {
	at := int64(0)
	if r.Seq != 0 {
		at = r.Seq - 1
	}
	_, err := tx.exec(ctx, `INSERT INTO reprocess (asked_at, asked_by, seq, type, status, at, up_to, total)
		SELECT ?1, ?2, ?3, ?4, ?5, ?6, iif(?3 <> 0, ?3, (SELECT coalesce(max(seq), 0) FROM inbox_outcome)), ?7
		WHERE NOT EXISTS (SELECT 1 FROM reprocess WHERE ended_at IS NULL AND seq = ?3 AND type = ?4 AND status = ?5)`,
		tx.Now, userID, r.Seq, r.Type, r.Status, at, r.Total)
	if err != nil {
		return fmt.Errorf("asking to read messages again: %w", err)
	}
	return tx.changedReprocess(ctx, r.Seq)
}

// changedReprocess tells the inbox, and the page of the one message, that reading again has come further.
func (tx *Tx) changedReprocess(ctx context.Context, seq int64) error {
	if seq != 0 {
		if err := tx.changedItem(ctx, TopicInbox, seq, ""); err != nil {
			return err
		}
	}
	return tx.changedItem(ctx, TopicInbox, 0, "")
}

// NextReprocess returns the oldest wish that is not yet done, or sql.ErrNoRows.
func (s Snapshot) NextReprocess(ctx context.Context) (Reprocess, error) {
	var r Reprocess
	err := r.scan(s.QueryRowContext(ctx, `SELECT `+reprocessColumns+` FROM reprocess r JOIN user u ON u.id = r.asked_by WHERE r.ended_at IS NULL ORDER BY r.id LIMIT 1`))
	return r, err
}

// Reprocesses lists the latest wishes for all of a kind, the newest first.
func (s Snapshot) Reprocesses(ctx context.Context, limit int) ([]Reprocess, error) {
	rows, err := s.QueryContext(ctx, `SELECT `+reprocessColumns+` FROM reprocess r JOIN user u ON u.id = r.asked_by WHERE r.seq = 0 ORDER BY r.id DESC LIMIT ?`, limit)
	if err != nil {
		return nil, fmt.Errorf("listing what is read again: %w", err)
	}
	return collect(rows, func(r *Reprocess) error { return r.scan(rows) })
}

// LastReprocess returns the latest wish for one message alone; its ID is 0 where there is none.
func (s Snapshot) LastReprocess(ctx context.Context, seq int64) (Reprocess, error) {
	var r Reprocess
	err := r.scan(s.QueryRowContext(ctx, `SELECT `+reprocessColumns+` FROM reprocess r JOIN user u ON u.id = r.asked_by WHERE r.seq = ? AND r.seq <> 0 ORDER BY r.id DESC LIMIT 1`, seq))
	if errors.Is(err, sql.ErrNoRows) {
		return Reprocess{}, nil
	}
	return r, err
}

// ReprocessBatch returns the next messages of a wish with their bodies; none where it is done. Messages that the
// projector has not yet taken are not among them: they will be read anyway.
func (s Snapshot) ReprocessBatch(ctx context.Context, r Reprocess, limit int) ([]Waiting, error) {
	where, args := "i.seq > ? AND i.seq <= ?", []any{r.At, r.UpTo}
	if r.Type != "" {
		where, args = where+" AND i.type = ?", append(args, r.Type)
	}
	if r.Status != "" {
		where, args = where+" AND o.status = ?", append(args, r.Status)
	}
	return s.waiting(ctx, `SELECT i.seq, i.message_id, i.type, i.received_at, i.body, i.body_form FROM inbox i JOIN inbox_outcome o ON o.seq = i.seq
		WHERE `+where+` ORDER BY i.seq LIMIT ?`, append(args, limit)...)
}

// AdvanceReprocess notes that a wish is done up to message at: so many more messages, of which so many were understood.
func (tx *Tx) AdvanceReprocess(ctx context.Context, r Reprocess, at, done, processed int64) error {
	if _, err := tx.exec(ctx, `UPDATE reprocess SET at = ?, done = done + ?, processed = processed + ? WHERE id = ?`, at, done, processed, r.ID); err != nil {
		return fmt.Errorf("reading messages again: %w", err)
	}
	return tx.changedReprocess(ctx, r.Seq)
}

// EndReprocess notes that a wish is done.
func (tx *Tx) EndReprocess(ctx context.Context, r Reprocess) error {
	if _, err := tx.exec(ctx, `UPDATE reprocess SET ended_at = ? WHERE id = ?`, tx.Now, r.ID); err != nil {
		return fmt.Errorf("reading messages again: %w", err)
	}
	return tx.changedReprocess(ctx, r.Seq)
}
