package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Topic names a list beside the notifications whose rows change.
type Topic string

// The topics of changes.
const (
	TopicMessages   Topic = "message"
	TopicImports    Topic = "import"
	TopicRecords    Topic = "record"
	TopicIdentities Topic = "identity"
	TopicInbox      Topic = "inbox"
	TopicSystem     Topic = "system"
	TopicHealth     Topic = "health" // of the summary of a patient
	TopicMarks      Topic = "mark"   // what people did with a notification; nothing else about it is new
)

// Change is one numbered change of the chart: of a patient, of one of their notifications where NotificationID is not 0,
// or of the row Item of a topic's list.
type Change struct {
	Seq            int64
	PatientID      string
	NotificationID int64
	Topic          Topic // "" = patients and notifications
	Item           int64
}

// keepChanges is how many changes a screen may be behind before it gets the whole list.
const keepChanges = 20_000

func (tx *Tx) changed(ctx context.Context, patientID string, notificationID int64) error {
	return tx.number(ctx, Change{PatientID: patientID, NotificationID: notificationID})
}

// changedItem numbers a change of a row of a topic's list; patientID is "" where it is about nobody.
func (tx *Tx) changedItem(ctx context.Context, topic Topic, item int64, patientID string) error {
	return tx.number(ctx, Change{PatientID: patientID, Topic: topic, Item: item})
}

func (tx *Tx) number(_ context.Context, c Change) error {
	tx.Visible()
	tx.changes = append(tx.changes, c)
	return nil
}

var insertChanges = newInsertion(`INSERT OR FAIL INTO change (patient_id, notification_id, topic, item)`, 4, ``)

// MostChanges is how many changes a screen is told of one by one. Of more, it gets the whole list.
const MostChanges = 400

// beginNumbers leaves out so many numbers at a start that whatever a screen of before has shown counts as too far behind. A
// power cut can have taken back changes of the chart, see [Remade], and those made instead have other contents.
const beginNumbers = `INSERT INTO change (seq) SELECT seq + 1000000 FROM sqlite_sequence WHERE name = 'change' AND seq > 0`

// flush numbers the changes of a transaction, each once. Of so many that every screen gets the whole list anyway, one row
// has the last of their numbers.
func (tx *Tx) flush(ctx context.Context) error {
	if len(tx.changes) == 0 {
		return nil
	}
	last := make(map[Change]int, len(tx.changes))
	for i, c := range tx.changes {
		last[c] = i
	}
	var head int64
	if len(last) > MostChanges {
		err := tx.row(ctx, `INSERT INTO change (seq) SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'change'), 0) + ? RETURNING seq`, len(last)).Scan(&head)
		if err != nil {
			return fmt.Errorf("numbering changes: %w", err)
		}
	} else {
		var rows []any
		for i, c := range tx.changes {
			if last[c] == i {
				rows = append(rows, c.PatientID, c.NotificationID, string(c.Topic), c.Item)
			}
		}
		if _, err := tx.insert(ctx, insertChanges, rows); err != nil {
			return fmt.Errorf("numbering changes: %w", err)
		}
		if err := tx.row(ctx, `SELECT max(seq) FROM change`).Scan(&head); err != nil {
			return fmt.Errorf("numbering changes: %w", err)
		}
	}
	tx.changes = nil
	// The oldest are forgotten now and then.
	const often = keepChanges / 10
	if w := tx.writer; head >= w.pruned+often {
		w.pruned = head
		return tx.PruneChanges(ctx)
	}
	return nil
}

// PruneChanges forgets the oldest changes.
func (tx *Tx) PruneChanges(ctx context.Context) error {
	_, err := tx.exec(ctx, `DELETE FROM change WHERE seq <= (SELECT coalesce(max(seq), 0) FROM change) - ?`, keepChanges)
	return err
}

// Summary is what every page shows around its content.
type Summary struct {
	Head         int64     // number of the last change; 0 before the first
	New          int       // notifications nobody has seen, up to the limit asked for
	Unread       int       // messages that came in and nobody has read, up to the limit
	Behind       int64     // messages that came and are not yet in the chart
	LastReceived time.Time // of the last signed message, also a repeated one; zero before the first

	Missing int    // messages that the sender lists and that are not here, by the last comparison, up to the limit asked for
	Failing string // what the sender says of a webhook that it calls failing, at the last comparison; "" = it does not
}

// Summary reads it in one statement. Counting stops at most.
func (s Snapshot) Summary(ctx context.Context, most int) (Summary, error) {
	var sum Summary
	var last sql.NullInt64
	err := s.QueryRowContext(ctx, `SELECT (SELECT coalesce(max(seq), 0) FROM change),
		(SELECT count(*) FROM (SELECT 1 FROM notification WHERE state = 0 LIMIT ?1)),
		(SELECT count(*) FROM (SELECT 1 FROM mail WHERE box = 'in' AND state = 0 LIMIT ?1)), `+lastReceived+`,
		(SELECT coalesce(max(seq), 0) FROM inbox) - (SELECT coalesce(max(seq), 0) FROM inbox_outcome),
		(SELECT count(*) FROM (SELECT 1 FROM `+missingNow+` LIMIT ?1)),
		coalesce((SELECT iif(detail = '', 'no reason given', detail) FROM completeness_run WHERE id = `+lastAnswered+` AND webhook_known AND NOT enabled), '')`,
		most).Scan(&sum.Head, &sum.New, &sum.Unread, &last, &sum.Behind, &sum.Missing, &sum.Failing)
	sum.LastReceived = instant(last)
	return sum, err
}

// ErrTooFarBehind says that the changes asked for are no longer all there: take the whole list.
var ErrTooFarBehind = errors.New("too far behind")

// Changes lists what changed after since, up to and including head, each row once. It returns [ErrTooFarBehind] where
// since is unknown or more than limit changes ago.
func (s Snapshot) Changes(ctx context.Context, since, head int64, limit int) ([]Change, error) {
	if since == head {
		return nil, nil
	}
	var oldest int64
	if err := s.QueryRowContext(ctx, `SELECT coalesce(min(seq), 0) FROM change`).Scan(&oldest); err != nil {
		return nil, err
	}
	if since < oldest-1 || since > head || since < 0 || head-since > int64(limit) {
		return nil, ErrTooFarBehind
	}
	rows, err := s.QueryContext(ctx, `SELECT max(seq), patient_id, notification_id, topic, item FROM change WHERE seq > ? AND seq <= ?
		GROUP BY patient_id, notification_id, topic, item ORDER BY 1`, since, head)
	if err != nil {
		return nil, fmt.Errorf("listing changes: %w", err)
	}
	return collect(rows, func(c *Change) error { return rows.Scan(&c.Seq, &c.PatientID, &c.NotificationID, &c.Topic, &c.Item) })
}
