package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Which messages tell again of what an older one told: see migration 17.

const (
	settingRepeats  = "repeats found up to" // up to which message it is decided which repeat others
	settingLastSent = "last sent"           // when the last one of those was sent, in milliseconds
)

// RepeatsFoundUpTo is up to which message of the inbox it is decided which repeat others, and when the one of those that was
// sent last was sent; zero where that is not known. A rebuild decides none of them anew: by then links have died, or live
// again.
func (tx *Tx) RepeatsFoundUpTo(ctx context.Context) (seq int64, sent time.Time, err error) {
	var at int64
	for name, to := range map[string]*int64{settingRepeats: &seq, settingLastSent: &at} {
		text, err := tx.Setting(ctx, name)
		if err == nil && text != "" {
			*to, err = strconv.ParseInt(text, 10, 64)
		}
		if err != nil {
			return 0, sent, err
		}
	}
	if at != 0 {
		sent = time.UnixMilli(at).UTC()
	}
	return seq, sent, nil
}

// SetRepeatsFoundUpTo moves that on.
func (tx *Tx) SetRepeatsFoundUpTo(ctx context.Context, seq int64, sent time.Time) error {
	if !sent.IsZero() {
		if err := tx.SetSetting(ctx, settingLastSent, strconv.FormatInt(sent.UnixMilli(), 10)); err != nil {
			return err
		}
	}
	return tx.SetSetting(ctx, settingRepeats, strconv.FormatInt(seq, 10))
}

// KnownRepeats are those of the messages from..to of which it is decided that they repeat another, with that.
func (tx *Tx) KnownRepeats(ctx context.Context, from, to int64) (map[int64]int64, error) {
	rows, err := tx.query(ctx, `SELECT seq, of_seq FROM repeat_of WHERE seq BETWEEN ? AND ?`, from, to)
	if err != nil {
		return nil, fmt.Errorf("reading which messages repeat others: %w", err)
	}
	type pair struct{ seq, of int64 }
	list, err := collect(rows, func(p *pair) error { return rows.Scan(&p.seq, &p.of) })
	out := make(map[int64]int64, len(list))
	for _, p := range list {
		out[p.seq] = p.of
	}
	return out, err
}

// RepeatsToFind says whether a message that comes now could repeat another: the sender said so of one that has not come,
// links are dead, or the sender was asked and has not answered.
func (tx *Tx) RepeatsToFind(ctx context.Context) (awaited, dead bool, err error) {
	err = tx.row(ctx, `SELECT EXISTS (SELECT 1 FROM repeat_of WHERE seq = 0),
		EXISTS (SELECT 1 FROM download WHERE state IN ('expired', 'refused', 'failed')) OR EXISTS (SELECT 1 FROM heal WHERE open = 1)`).Scan(&awaited, &dead)
	if err != nil {
		err = fmt.Errorf("asking whether repeats are awaited: %w", err)
	}
	return awaited, dead, err
}

// AwaitedRepeat is the message of which the sender said that the one with this id repeats it; 0 = it said nothing.
func (tx *Tx) AwaitedRepeat(ctx context.Context, messageID string) (of int64, err error) {
	err = tx.row(ctx, `SELECT of_seq FROM repeat_of WHERE message_id = ?`, messageID).Scan(&of)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return of, err
}

// Twin is a message that another one may repeat.
type Twin struct {
	Seq   int64
	Print []byte // nil where it was not yet made
	Asked bool   // the sender is being asked for it
}

// mostTwins is how many links of a patient are looked at: a patient may have any number.
const mostTwins = 200

// The unary plus keeps SQLite from walking back through all messages of a type, of which most are others.
const (
	selectDeadLike = `SELECT i.seq, p.print, coalesce(h.open, 0) FROM
			(SELECT inbox_seq AS seq FROM (SELECT inbox_seq FROM download WHERE patient_id = ?4 AND state IN ('expired', 'refused', 'failed') AND inbox_seq < ?1 ORDER BY inbox_seq LIMIT ?5)
				UNION SELECT d.inbox_seq FROM (SELECT inbox_seq FROM download WHERE patient_id = ?4 AND patient_id <> '' ORDER BY id DESC LIMIT ?5) d
					CROSS JOIN heal o ON o.seq = d.inbox_seq WHERE o.open = 1
				UNION SELECT seq FROM (SELECT seq FROM heal WHERE open = 1 AND ?4 = '' ORDER BY seq LIMIT ?5)) c
			CROSS JOIN inbox i ON i.seq = c.seq LEFT JOIN message_print p ON p.seq = c.seq LEFT JOIN heal h ON h.seq = c.seq
		WHERE i.seq < ?1 AND +i.type = ?2 AND +i.request_id = ?3 ORDER BY i.seq`
	selectSentAfter = `SELECT i.seq, p.print, 0 FROM
			(SELECT DISTINCT inbox_seq AS seq FROM (SELECT inbox_seq FROM download WHERE patient_id = ?4 AND patient_id <> '' ORDER BY id DESC LIMIT ?6)) d
			CROSS JOIN inbox i ON i.seq = d.seq LEFT JOIN message_print p ON p.seq = i.seq
		WHERE i.seq < ?1 AND +i.type = ?2 AND +i.request_id = ?3 AND i.sent_at > ?5 ORDER BY i.seq DESC`
)

// DeadLike lists the messages before seq with dead links, or that the sender is being asked for, which have the same type
// and request id and a link of the same patient, the oldest first: of the oldest [mostTwins] dead links, as those heal first,
// and of the newest that are asked for.
func (tx *Tx) DeadLike(ctx context.Context, seq int64, kind, request, patientID string) ([]Twin, error) {
	rows, err := tx.query(ctx, selectDeadLike, seq, kind, request, patientID, mostTwins)
	if err != nil {
		return nil, fmt.Errorf("looking for a message that another repeats: %w", err)
	}
	return collect(rows, func(t *Twin) error { return rows.Scan(&t.Seq, &t.Print, &t.Asked) })
}

// SentAfter lists messages that came before seq and were sent after it, with the same type and request id and a link of the
// same patient, one of the newest [mostTwins]: one of them may be seq, sent again under another id.
func (tx *Tx) SentAfter(ctx context.Context, seq int64, sent time.Time, kind, request, patientID string) ([]Twin, error) {
	rows, err := tx.query(ctx, selectSentAfter, seq, kind, request, patientID, millis(sent), mostTwins)
	if err != nil {
		return nil, fmt.Errorf("looking for a message that came earlier: %w", err)
	}
	return collect(rows, func(t *Twin) error { return rows.Scan(&t.Seq, &t.Print, &t.Asked) })
}

// KeepPrint keeps what a message says as a hash.
func (tx *Tx) KeepPrint(ctx context.Context, seq int64, hash []byte) error {
	_, err := tx.exec(ctx, `INSERT INTO message_print (seq, print) VALUES (?, ?) ON CONFLICT DO NOTHING`, seq, hash)
	return err
}

// Pair notes that the message with an id tells again of message of. seq is its place in the inbox, 0 where it has not come;
// answered says that the sender's answer told so, which counts more than what was found.
func (tx *Tx) Pair(ctx context.Context, messageID string, seq, of int64, answered bool) error {
	_, err := tx.exec(ctx, `INSERT INTO repeat_of (message_id, seq, of_seq, answered, found_at) VALUES (?1, ?2, ?3, ?4, ?5)
		ON CONFLICT (message_id) DO UPDATE SET seq = max(seq, ?2), of_seq = iif(?4, ?3, of_seq), answered = max(answered, ?4)`, messageID, seq, of, answered, tx.Now)
	if err != nil {
		return fmt.Errorf("noting that a message repeats another: %w", err)
	}
	for _, s := range []int64{seq, of} {
		if s == 0 {
			continue
		}
		if err := tx.changedItem(ctx, TopicInbox, s, ""); err != nil {
			return err
		}
	}
	return nil
}

// FirstOf is the message that message seq repeats; seq itself where it repeats none.
func (tx *Tx) FirstOf(ctx context.Context, seq int64) (int64, error) {
	var of int64
	err := tx.row(ctx, `SELECT of_seq FROM repeat_of WHERE seq = ? AND seq <> 0`, seq).Scan(&of)
	if errors.Is(err, sql.ErrNoRows) {
		return seq, nil
	}
	return of, err
}

// InboxPlace is the place of the message with an id in the inbox, and whether the chart has met it; 0 where it has not come.
func (tx *Tx) InboxPlace(ctx context.Context, messageID string) (seq int64, met bool, err error) {
	err = tx.row(ctx, `SELECT seq, EXISTS (SELECT 1 FROM inbox_outcome o WHERE o.seq = i.seq) FROM inbox i WHERE message_id = ?`, messageID).Scan(&seq, &met)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return seq, met, err
}

// TakeBack removes the notifications of a message that turned out to repeat another, and the links of it that are not
// stored. It returns the patients whose stays it may have changed.
func (tx *Tx) TakeBack(ctx context.Context, seq int64) ([]string, error) {
	first, last := seq*perMessage, (seq+1)*perMessage-1
	rows, err := tx.query(ctx, `DELETE FROM notification WHERE id BETWEEN ? AND ? RETURNING id, patient_id`, first, last)
	if err != nil {
		return nil, fmt.Errorf("taking a message back: %w", err)
	}
	gone, err := collect(rows, func(n *Notification) error { return rows.Scan(&n.ID, &n.PatientID) })
	if err != nil {
		return nil, fmt.Errorf("taking a message back: %w", err)
	}
	if err := tx.forgetSubjects(ctx, first, last); err != nil {
		return nil, err
	}
	var patients []string
	for _, n := range gone {
		if _, err := tx.exec(ctx, `UPDATE notification SET twin_of = 0 WHERE patient_id = ? AND twin_of = ?`, n.PatientID, n.ID); err != nil {
			return nil, fmt.Errorf("taking a message back: %w", err)
		}
		if err := tx.changed(ctx, n.PatientID, 0); err != nil {
			return nil, err
		}
		patients = append(patients, n.PatientID)
	}
	if _, err := tx.exec(ctx, `DELETE FROM download WHERE inbox_seq = ? AND state IN ('queued', 'expired', 'refused', 'failed')`, seq); err != nil {
		return nil, fmt.Errorf("taking a message back: %w", err)
	}
	return patients, nil
}

// Again is how a message and others tell of the same.
type Again struct {
	Seq       int64
	MessageID string
	At        time.Time // when it came
	Answered  bool      // the sender's answer said so
}

// RepeatOf is the message that message seq repeats; Seq is 0 where it repeats none.
func (s Snapshot) RepeatOf(ctx context.Context, seq int64) (a Again, err error) {
	var at sql.NullInt64
	err = s.QueryRowContext(ctx, `SELECT i.seq, i.message_id, i.received_at, r.answered FROM repeat_of r JOIN inbox i ON i.seq = r.of_seq WHERE r.seq = ? AND r.seq <> 0`, seq).
		Scan(&a.Seq, &a.MessageID, &at, &a.Answered)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	a.MessageID, _ = asSent(a.MessageID)
	a.At = instant(at)
	return a, err
}

// RepeatedBy lists the messages that repeat message seq, in the order in which they came.
func (s Snapshot) RepeatedBy(ctx context.Context, seq int64, limit int) ([]Again, error) {
	rows, err := s.QueryContext(ctx, `SELECT i.seq, i.message_id, i.received_at, r.answered FROM repeat_of r JOIN inbox i ON i.seq = r.seq WHERE r.of_seq = ? AND r.seq <> 0 ORDER BY r.seq LIMIT ?`, seq, limit)
	if err != nil {
		return nil, fmt.Errorf("listing what repeats a message: %w", err)
	}
	return collect(rows, func(a *Again) error {
		var at sql.NullInt64
		err := rows.Scan(&a.Seq, &a.MessageID, &at, &a.Answered)
		a.MessageID, _ = asSent(a.MessageID)
		a.At = instant(at)
		return err
	})
}
