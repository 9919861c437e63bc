package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Messages whose links died, and what became of asking the sender for them again: see migration 17.

// KeptAgain is how long the sender gives a message again after it was sent.
const KeptAgain = 30 * 24 * time.Hour

// mayHeal is a condition on a download: a fresh link could have what this one had not. What is too large or leads where
// nothing is fetched from would not be had by another one.
const mayHeal = `state IN ('expired', 'refused', 'failed') AND state <> 'refused' AND reason NOT LIKE 'larger than%'`

// Heal is a message that the sender is, or was, asked for again.
type Heal struct {
	Seq     int64
	By      string // email of who asked; "" = by itself
	AskedAt time.Time
	DueAt   time.Time // when the sender is to be asked; zero = it was
	Tries   int       // how often it was asked
	SentAt  time.Time // when it was last asked; zero = never
	Error   string    // why it did not agree; "" = it did, or was not asked
}

// HealJob is a message that is due to be asked for again.
type HealJob struct {
	Seq       int64
	MessageID string
	Tries     int
}

// AskAgain notes that message seq is to be had again, now. userID is who asks; 0 = by itself, and then a message that was
// asked for before is left to what is planned for it.
func (tx *Tx) AskAgain(ctx context.Context, seq, userID int64) error {
	_, err := tx.exec(ctx, `INSERT INTO heal (seq, user_id, asked_at, due_at) VALUES (?1, nullif(?2, 0), ?3, ?3)
		ON CONFLICT (seq) DO UPDATE SET user_id = ?2, asked_at = ?3, due_at = ?3, error = '', tries = 0 WHERE ?2 <> 0`, seq, userID, tx.Now)
	if err != nil {
		return fmt.Errorf("noting what is to be sent again: %w", err)
	}
	return tx.changedHeal(ctx, seq)
}

// changedHeal tells the page of a message, and where its files stand, that something is new about having it again.
func (tx *Tx) changedHeal(ctx context.Context, seq int64) error {
	rows, err := tx.query(ctx, `SELECT inbox_seq, place, notification_id, patient_id, purpose FROM download WHERE inbox_seq = ? AND state IN ('expired', 'refused', 'failed') ORDER BY id LIMIT 3`, seq)
	if err != nil {
		return err
	}
	list, err := collect(rows, func(d *Download) error {
		return rows.Scan(&d.InboxSeq, &d.Place, &d.NotificationID, &d.PatientID, &d.Purpose)
	})
	if err != nil {
		return err
	}
	for _, d := range list {
		if err := tx.changedDownload(ctx, d); err != nil {
			return err
		}
	}
	return tx.changedItem(ctx, TopicInbox, seq, "")
}

// Healable lists up to limit messages behind a place of the inbox, sent since a time, with dead links that a message sent
// again could mend, in the order in which they came. Those that wait to be asked for are not among them; those that were
// asked for are where asked is true. Ids that test events share cannot be asked for.
func (s Snapshot) Healable(ctx context.Context, after int64, since time.Time, asked bool, limit int) ([]int64, error) {
	rows, err := s.QueryContext(ctx, `SELECT i.seq FROM (SELECT DISTINCT inbox_seq FROM download WHERE `+mayHeal+` AND inbox_seq > ?1) c JOIN inbox i ON i.seq = c.inbox_seq
		WHERE instr(i.message_id, char(31)) = 0 AND coalesce(i.sent_at, i.received_at) >= ?2
			AND NOT EXISTS (SELECT 1 FROM heal h WHERE h.seq = i.seq AND (?3 = 0 OR h.due_at IS NOT NULL)) ORDER BY c.inbox_seq LIMIT ?4`, after, millis(since), asked, limit)
	if err != nil {
		return nil, fmt.Errorf("looking for what can be had again: %w", err)
	}
	defer func() { _ = rows.Close() }()
	return collect(rows, func(seq *int64) error { return rows.Scan(seq) })
}

// HealDue says whether a message is due to be asked for.
func (s Snapshot) HealDue(ctx context.Context, now time.Time) (due bool, err error) {
	err = s.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM heal WHERE due_at IS NOT NULL AND due_at <= ?)`, millis(now)).Scan(&due)
	return due, err
}

// ReviveHeals plans anew what went on dying after the sender had sent it again: messages that were asked for by so few
// tries, no later than before, and still have a dead link. It returns how many.
func (tx *Tx) ReviveHeals(ctx context.Context, before, since time.Time, tries, limit int) (int, error) {
	result, err := tx.exec(ctx, `UPDATE heal SET due_at = ?1 WHERE seq IN (SELECT h.seq FROM heal h JOIN inbox i ON i.seq = h.seq
		WHERE h.due_at IS NULL AND h.open = 0 AND h.error = '' AND h.tries < ?2 AND h.sent_at <= ?3 AND coalesce(i.sent_at, i.received_at) >= ?4
			AND EXISTS (SELECT 1 FROM download d WHERE d.inbox_seq = h.seq AND `+mayHeal+`) LIMIT ?5)`, tx.Now, tries, millis(before), millis(since), limit)
	if err != nil {
		return 0, fmt.Errorf("looking for what died again: %w", err)
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// TakeHeal takes the message that is due, the oldest first, and notes that the sender is asked for it now; its Seq is 0
// where none is. What has no dead link any more, and what is older than since, is done.
func (tx *Tx) TakeHeal(ctx context.Context, since time.Time) (job HealJob, err error) {
	for {
		var sent int64
		var dead bool
		err = tx.row(ctx, `SELECT h.seq, i.message_id, h.tries, coalesce(i.sent_at, i.received_at),
				EXISTS (SELECT 1 FROM download d WHERE d.inbox_seq = h.seq AND d.state IN ('expired', 'refused', 'failed'))
			FROM heal h JOIN inbox i ON i.seq = h.seq WHERE h.due_at IS NOT NULL AND h.due_at <= ? ORDER BY h.seq LIMIT 1`, tx.Now).Scan(&job.Seq, &job.MessageID, &job.Tries, &sent, &dead)
		if errors.Is(err, sql.ErrNoRows) {
			return HealJob{}, nil
		}
		if err != nil {
			return job, fmt.Errorf("looking for what is to be sent again: %w", err)
		}
		switch {
		case !dead:
			err = tx.EndHeal(ctx, job.Seq, "")
		case sent < since.UnixMilli():
			err = tx.EndHeal(ctx, job.Seq, "it is older than the 30 days for which Metriport sends again")
		default:
			job.Tries++
			_, err = tx.exec(ctx, `UPDATE heal SET tries = tries + 1, sent_at = ?, open = 1 WHERE seq = ?`, tx.Now, job.Seq)
			return job, err
		}
		if err != nil {
			return job, err
		}
	}
}

// EndHeal notes how the sender answered: refused is why it did not agree, "" = it did.
func (tx *Tx) EndHeal(ctx context.Context, seq int64, refused string) error {
	if _, err := tx.exec(ctx, `UPDATE heal SET due_at = NULL, open = 0, error = ? WHERE seq = ?`, refused, seq); err != nil {
		return fmt.Errorf("noting what was sent again: %w", err)
	}
	return tx.changedHeal(ctx, seq)
}

// PutOffHeal plans to ask for a message again at a time; reason is why it was not answered.
func (tx *Tx) PutOffHeal(ctx context.Context, seq int64, at time.Time, reason string) error {
	if _, err := tx.exec(ctx, `UPDATE heal SET due_at = ?, open = 0, error = ? WHERE seq = ?`, millis(at), reason, seq); err != nil {
		return fmt.Errorf("putting off what is to be sent again: %w", err)
	}
	return tx.changedHeal(ctx, seq)
}

// CloseHeals ends what was open when the process ended: whether the sender answered is not known, so it is asked again.
func (tx *Tx) CloseHeals(ctx context.Context) error {
	_, err := tx.exec(ctx, `UPDATE heal SET open = 0, due_at = ? WHERE open = 1`, tx.Now)
	return err
}

// HealOf is how having message seq again stands; its Seq is 0 where nobody asked.
func (s Snapshot) HealOf(ctx context.Context, seq int64) (h Heal, err error) {
	var asked, due, sent sql.NullInt64
	err = s.QueryRowContext(ctx, `SELECT h.seq, coalesce(u.email, ''), h.asked_at, h.due_at, h.tries, h.sent_at, h.error FROM heal h LEFT JOIN user u ON u.id = h.user_id WHERE h.seq = ?`, seq).
		Scan(&h.Seq, &h.By, &asked, &due, &h.Tries, &sent, &h.Error)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	h.AskedAt, h.DueAt, h.SentAt = instant(asked), instant(due), instant(sent)
	return h, err
}

// DeadMessage says of message seq how many links of it are dead, when it was sent, and whether its id can be asked for.
func (s Snapshot) DeadMessage(ctx context.Context, seq int64) (dead int, sent time.Time, named bool, err error) {
	var at sql.NullInt64
	err = s.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM download WHERE inbox_seq = i.seq AND state IN ('expired', 'refused', 'failed')), coalesce(i.sent_at, i.received_at), instr(i.message_id, char(31)) = 0
		FROM inbox i WHERE i.seq = ?`, seq).Scan(&dead, &at, &named)
	return dead, instant(at), named, err
}

// Heals is how having messages again stands.
type Heals struct {
	Dead    int       // links that a message sent again could mend
	Open    int       // messages that wait to be asked for
	Healed  int       // files that were had again
	Refused int       // messages that the sender did not agree to send again
	Error   string    // the last reason for that, or for waiting; "" = none
	NextAt  time.Time // when the next one is asked for; zero = none waits
}

// mostHealed bounds what is counted.
const mostHealed = 100_000

// Heals counts what can be had again of the messages sent since a time.
func (s Snapshot) Heals(ctx context.Context, since time.Time) (h Heals, err error) {
	var next sql.NullInt64
	err = s.QueryRowContext(ctx, `SELECT
		(SELECT count(*) FROM (SELECT 1 FROM download d JOIN inbox i ON i.seq = d.inbox_seq WHERE d.`+mayHeal+` AND instr(i.message_id, char(31)) = 0
			AND coalesce(i.sent_at, i.received_at) >= ?1 LIMIT ?2)),
		(SELECT count(*) FROM heal WHERE due_at IS NOT NULL),
		(SELECT count(*) FROM (SELECT 1 FROM download WHERE again = 1 AND state = 'stored' LIMIT ?2)),
		(SELECT count(*) FROM heal WHERE due_at IS NULL AND error <> ''),
		coalesce((SELECT error FROM heal WHERE error <> '' ORDER BY sent_at DESC LIMIT 1), ''),
		(SELECT min(due_at) FROM heal WHERE due_at IS NOT NULL)`, millis(since), mostHealed).Scan(&h.Dead, &h.Open, &h.Healed, &h.Refused, &h.Error, &next)
	if err != nil {
		return h, fmt.Errorf("counting what can be had again: %w", err)
	}
	h.NextAt = instant(next)
	return h, nil
}

// WaitingLinks says whether n links or more wait to be fetched or are being fetched.
func (s Snapshot) WaitingLinks(ctx context.Context, n int) (bool, error) {
	var many bool
	err := s.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM (SELECT 1 FROM download WHERE state = 'queued' AND next_try_at = 0 LIMIT ?1))
		+ (SELECT count(*) FROM download WHERE state = 'fetching') >= ?1`, n).Scan(&many)
	return many, err
}
