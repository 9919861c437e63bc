package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"carebell/web/care"
)

// State is what people have done with a notification.
type State int

// The states of a notification.
const (
	New State = iota
	Seen
	Done
)

// perMessage is how many notifications one message can make: the place in the message is part of the id.
const perMessage = 1024

// NotificationID is the id of the notification that the message seq makes at place item, from 0. It is the same after
// every rebuild.
func NotificationID(seq int64, item int) (int64, error) {
	if item >= perMessage {
		return 0, fmt.Errorf("the message names more than %d patients", perMessage)
	}
	return seq*perMessage + int64(item), nil
}

// Notification is one thing that happened to one patient. Times that were not sent are zero.
type Notification struct {
	ID           int64
	InboxSeq     int64
	Kind         care.Kind
	PatientID    string
	MessageID    string    // what names its message alone, as in [Waiting]
	EventAt      time.Time // as the event says it, else as its record does; of a day, its [care.Noon]
	EventDay     bool      // EventAt is a day
	SentAt       time.Time
	SourceSentAt time.Time
	ReceivedAt   time.Time
	AdmitAt      time.Time
	DischargeAt  time.Time
	Moves        []care.Move
	Facility     string
	Exchange     string // code of the exchange or network its record comes from; "" = not read yet, or not sent
	StayID       string
	TwinOf       int64 // an earlier notification of the same event under another message id; 0 = none
	Test         bool
	Deliveries   int
	State        State
	Mark         Mark
	Facts        care.Facts // from the record; empty until it was read
	Record       Download   // only ID, State, Reason; ID 0 = the event has no record

	Patient Patient // only ID, ExternalID, Name, BirthDate
}

// Mark says who saw a notification and who is done with it.
type Mark struct {
	SeenAt, DoneAt time.Time
	SeenBy, DoneBy string // email; "" = nobody
}

// AddNotification puts a notification into the chart and numbers the change. One that is there already, because its
// message is read again, is brought up to date.
func (tx *Tx) AddNotification(ctx context.Context, n Notification) error {
	moves, err := json.Marshal(n.Moves)
	if err != nil {
		return err
	}
	var twin sql.NullInt64
	err = tx.row(ctx, `SELECT min(id) FROM notification WHERE patient_id = ? AND kind = ? AND event_at = ? AND NOT event_from_record
		AND source_sent_at IS ? AND moves = ? AND id < ?`,
		n.PatientID, n.Kind, millis(n.EventAt), millis(n.SourceSentAt), string(moves), n.ID).Scan(&twin)
	if err != nil {
		return fmt.Errorf("looking for a twin: %w", err)
	}
	if n.Facility != "" {
		if err := tx.saveFacility(ctx, n.Facility); err != nil {
			return err
		}
	}
	_, err = tx.exec(ctx, `INSERT INTO notification (id, inbox_seq, kind, patient_id, message_id, event_at, sent_at, source_sent_at, received_at,
			admit_at, discharge_at, moves, facility, twin_of, test, event_day, state)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,
			coalesce((SELECT iif(done_at IS NOT NULL, 2, iif(seen_at IS NOT NULL, 1, 0)) FROM notification_mark WHERE notification_id = ?1), 0))
		ON CONFLICT (id) DO UPDATE SET kind = ?3, patient_id = ?4, event_at = ?6, sent_at = ?7, source_sent_at = ?8, admit_at = ?10, discharge_at = ?11,
			moves = ?12, facility = iif(?13 = '', facility, ?13), twin_of = ?14, test = ?15, event_day = ?16, event_from_record = 0`,
		n.ID, n.InboxSeq, n.Kind, n.PatientID, n.MessageID, millis(n.EventAt), millis(n.SentAt), millis(n.SourceSentAt), millis(n.ReceivedAt),
		millis(n.AdmitAt), millis(n.DischargeAt), string(moves), n.Facility, twin.Int64, n.Test, n.EventDay)
	if err != nil {
		return fmt.Errorf("adding a notification: %w", err)
	}
	// Where its message was read later than those behind it, they are its twins.
	//nolint:sqlclosecheck // collect closes them
	rows, err := tx.query(ctx, `UPDATE notification SET twin_of = ?6 WHERE patient_id = ?1 AND kind = ?2 AND event_at = ?3 AND NOT event_from_record
		AND source_sent_at IS ?4 AND moves = ?5 AND id > ?6 AND (twin_of = 0 OR twin_of > ?6) RETURNING id`, n.PatientID, n.Kind, millis(n.EventAt), millis(n.SourceSentAt), string(moves), n.ID)
	if err != nil {
		return fmt.Errorf("looking for twins: %w", err)
	}
	twins, err := collect(rows, func(id *int64) error { return rows.Scan(id) })
	if err != nil {
		return fmt.Errorf("looking for twins: %w", err)
	}
	for _, id := range append(twins, n.ID) {
		if err := tx.changed(ctx, n.PatientID, id); err != nil {
			return err
		}
	}
	return nil
}

// SaveRecordTime dates a notification whose event has no time by what its record says. The change is numbered by
// [Tx.SaveNotificationFacts].
func (tx *Tx) SaveRecordTime(ctx context.Context, id int64, f care.Facts) error {
	var kind care.Kind
	var told sql.NullInt64
	err := tx.row(ctx, `SELECT kind, coalesce(source_sent_at, sent_at) FROM notification WHERE id = ? AND (event_at IS NULL OR event_from_record)`, id).Scan(&kind, &told)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		at, day := f.When(kind, instant(told))
		_, err = tx.exec(ctx, `UPDATE notification SET event_at = ?2, event_day = ?3, event_from_record = ?2 IS NOT NULL WHERE id = ?1`, id, millis(at), day)
	}
	if err != nil {
		return fmt.Errorf("dating a notification by its record: %w", err)
	}
	return nil
}

// saveFacility takes the name of a facility among those that can be found.
func (tx *Tx) saveFacility(ctx context.Context, name string) error {
	result, err := tx.exec(ctx, `INSERT INTO facility (name) VALUES (?) ON CONFLICT DO NOTHING`, name)
	if err != nil {
		return fmt.Errorf("saving a facility: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return err
	}
	return tx.Index(ctx, SearchFacility, name, "", name)
}

// CountDeliveries brings the number of deliveries on the notifications of a message up to date.
func (tx *Tx) CountDeliveries(ctx context.Context, inboxSeq int64) error {
	rows, err := tx.query(ctx, `UPDATE notification SET deliveries = 1 + (SELECT count(*) FROM inbox_repeat WHERE inbox_seq = ?1)
		WHERE inbox_seq = ?1 RETURNING id, patient_id`, inboxSeq)
	if err != nil {
		return fmt.Errorf("counting deliveries: %w", err)
	}
	changes, err := collect(rows, func(c *Change) error { return rows.Scan(&c.NotificationID, &c.PatientID) })
	if err != nil {
		return fmt.Errorf("counting deliveries: %w", err)
	}
	for _, c := range changes {
		if err := tx.changed(ctx, c.PatientID, c.NotificationID); err != nil {
			return err
		}
	}
	return tx.changedItem(ctx, TopicInbox, inboxSeq, "")
}

// MarkNotification sets the state of a notification for person userID: Seen, Done, or New to take both back. It returns
// sql.ErrNoRows where there is no such notification. What somebody else did first stays as they did it.
func (tx *Tx) MarkNotification(ctx context.Context, id, userID int64, to State) error {
	var patient string
	if err := tx.row(ctx, `SELECT patient_id FROM notification WHERE id = ?`, id).Scan(&patient); err != nil {
		return err
	}
	var err error
	switch to {
	case New:
		_, err = tx.exec(ctx, `DELETE FROM notification_mark WHERE notification_id = ?`, id)
	case Seen:
		_, err = tx.exec(ctx, `INSERT INTO notification_mark (notification_id, seen_at, seen_by) VALUES (?1, ?2, ?3)
			ON CONFLICT (notification_id) DO UPDATE SET done_at = NULL, done_by = NULL`, id, tx.Now, userID)
	case Done:
		_, err = tx.exec(ctx, `INSERT INTO notification_mark (notification_id, seen_at, seen_by, done_at, done_by) VALUES (?1, ?2, ?3, ?2, ?3)
			ON CONFLICT (notification_id) DO UPDATE SET done_at = coalesce(done_at, ?2), done_by = coalesce(done_by, ?3)`, id, tx.Now, userID)
	}
	if err != nil {
		return fmt.Errorf("marking a notification: %w", err)
	}
	if _, err := tx.exec(ctx, `UPDATE notification SET state = ? WHERE id = ?`, to, id); err != nil {
		return fmt.Errorf("marking a notification: %w", err)
	}
	return tx.changed(ctx, patient, id)
}

// NotificationFilter narrows the feed. Rows come newest arrival first, so that a late notice is never hidden.
type NotificationFilter struct {
	Kind      care.Kind // "" = all
	States    []State   // empty = all
	Text      string    // part of a patient's name or id, or of a facility
	Exchange  string    // code of the exchange that its record comes from, or [ExchangeNotSent]; "" = all
	PatientID string    // "" = all
	Before    int64     // only ids below; 0 = from the top
	IDs       []int64   // only these; nil = all
	Limit     int
}

const notificationColumns = `n.id, n.inbox_seq, n.kind, n.patient_id, n.message_id, n.event_at, n.sent_at, n.source_sent_at, n.received_at,
	n.admit_at, n.discharge_at, n.moves, n.facility, n.event_day, n.exchange, n.stay_id, n.twin_of, n.test, n.deliveries, n.state,
	m.seen_at, m.done_at, coalesce(us.email, ''), coalesce(ud.email, ''),
	coalesce(p.external_id, ''), coalesce(p.name, ''), coalesce(p.birth_date, ''),
	n.facts, coalesce(d.id, 0), coalesce(d.state, ''), coalesce(d.reason, '')`

const notificationJoins = ` LEFT JOIN patient p ON p.id = n.patient_id
	LEFT JOIN notification_mark m ON m.notification_id = n.id
	LEFT JOIN user us ON us.id = m.seen_by LEFT JOIN user ud ON ud.id = m.done_by
	LEFT JOIN download d ON d.notification_id = n.id AND d.notification_id <> 0` // so that its index is used

// Notifications lists the notifications that fit f.
func (s Snapshot) Notifications(ctx context.Context, f NotificationFilter) ([]Notification, error) {
	query, args, err := f.query()
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("listing notifications: %w", err)
	}
	return collect(rows, func(n *Notification) error { return n.scan(rows) })
}

func (f NotificationFilter) query() (string, []any, error) {
	where, args := []string{"1"}, []any{}
	add := func(clause string, more ...any) { where, args = append(where, clause), append(args, more...) }
	if f.Kind != "" {
		add("n.kind = ?", f.Kind)
	}
	if len(f.States) > 0 {
		add("n.state IN (?" + strings.Repeat(", ?", len(f.States)-1) + ")")
		for _, state := range f.States {
			args = append(args, state)
		}
	}
	if f.PatientID != "" {
		add("n.patient_id = ?", f.PatientID)
	}
	if f.Text != "" {
		match, more := wordsMatch("patient_search", f.Text)
		add(`(n.patient_id IN (SELECT id FROM patient WHERE no IN (`+match+`))
			OR n.facility IN (SELECT name FROM facility WHERE name LIKE ? ESCAPE '\'))`, append(more, "%"+escapeLike(f.Text)+"%")...)
	}
	from := "notification n" // an exchange can be rare: without its index a page of it reads the whole table
	switch f.Exchange {
	case "":
	case ExchangeNotSent:
		from += " INDEXED BY notification_exchange_not_sent"
		add(exchangeNotSent)
	default:
		from += " INDEXED BY notification_exchange"
		add("n.exchange = ? AND n.exchange <> ''", f.Exchange)
	}
	if f.Before > 0 {
		add("n.id < ?", f.Before)
	}
	if f.IDs != nil {
		ids, err := json.Marshal(f.IDs)
		if err != nil {
			return "", nil, err
		}
		add("n.id IN (SELECT value FROM json_each(?))", string(ids))
	}
	return `SELECT ` + notificationColumns + ` FROM ` + from + notificationJoins +
		` WHERE ` + strings.Join(where, " AND ") + ` ORDER BY n.id DESC LIMIT ?`, append(args, f.Limit), nil
}

func (n *Notification) scan(rows *sql.Rows) error {
	var event, sent, source, received, admit, discharge, seen, done sql.NullInt64
	var moves, facts string
	err := rows.Scan(&n.ID, &n.InboxSeq, &n.Kind, &n.PatientID, &n.MessageID, &event, &sent, &source, &received,
		&admit, &discharge, &moves, &n.Facility, &n.EventDay, &n.Exchange, &n.StayID, &n.TwinOf, &n.Test, &n.Deliveries, &n.State,
		&seen, &done, &n.Mark.SeenBy, &n.Mark.DoneBy,
		&n.Patient.ExternalID, &n.Patient.Name, &n.Patient.BirthDate, &facts, &n.Record.ID, &n.Record.State, &n.Record.Reason)
	if err != nil {
		return err
	}
	n.EventAt, n.SentAt, n.SourceSentAt, n.ReceivedAt = instant(event), instant(sent), instant(source), instant(received)
	n.AdmitAt, n.DischargeAt, n.Mark.SeenAt, n.Mark.DoneAt = instant(admit), instant(discharge), instant(seen), instant(done)
	n.Patient.ID = n.PatientID
	if facts != "" {
		if err := json.Unmarshal([]byte(facts), &n.Facts); err != nil {
			return err
		}
	}
	return json.Unmarshal([]byte(moves), &n.Moves)
}

// TimelineKey is a notification's place in a patient's timeline: by when it happened, else was sent, else came in. What
// happened on a day stands at the noon of it.
type TimelineKey struct {
	At int64 // milliseconds UTC
	ID int64 // 0 with At 0 = from the top
}

// TimelineKey returns the notification's place in its patient's timeline.
func (n Notification) TimelineKey() TimelineKey {
	for _, t := range []time.Time{n.EventAt, n.SentAt} {
		if !t.IsZero() {
			return TimelineKey{At: t.UnixMilli(), ID: n.ID}
		}
	}
	return TimelineKey{At: n.ReceivedAt.UnixMilli(), ID: n.ID}
}

// Timeline lists a patient's notifications, the one that happened last first.
func (s Snapshot) Timeline(ctx context.Context, patientID string, before TimelineKey, limit int) ([]Notification, error) {
	const at = "coalesce(n.event_at, n.sent_at, n.received_at)"
	where, args := "n.patient_id = ?", []any{patientID}
	if before != (TimelineKey{}) {
		where, args = where+" AND ("+at+", n.id) < (?, ?)", append(args, before.At, before.ID)
	}
	rows, err := s.QueryContext(ctx, `SELECT `+notificationColumns+` FROM notification n`+notificationJoins+
		` WHERE `+where+` ORDER BY `+at+` DESC, n.id DESC LIMIT ?`, append(args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("listing a timeline: %w", err)
	}
	return collect(rows, func(n *Notification) error { return n.scan(rows) })
}
