package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
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

// ofMessage is a condition that a notification is of the message with that number.
func ofMessage(seq string) string {
	return fmt.Sprintf("notification.id >= %s * %d AND notification.id < (%[1]s + 1) * %[2]d", seq, perMessage)
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

// Version tells one mark of a notification from any other: who wants to change it sends back the one they saw.
func (m Mark) Version() string {
	at := func(t time.Time) int64 {
		if t.IsZero() {
			return 0
		}
		return t.UnixMilli()
	}
	return fmt.Sprintf("%d.%d", at(m.SeenAt), at(m.DoneAt))
}

// DoneAtOnce says whether a notification was done without having been seen first.
func (m Mark) DoneAtOnce() bool { return !m.DoneAt.IsZero() && m.DoneAt.Equal(m.SeenAt) }

// AddNotifications puts notifications into the chart, as parts of the stays that they name, and numbers the changes. One that
// is there already, because its message is read again, is brought up to date, but stays a part of its stay.
func (tx *Tx) AddNotifications(ctx context.Context, list ...Notification) error {
	if len(list) == 0 {
		return nil
	}
	marks, err := tx.marked(ctx, list)
	if err != nil {
		return fmt.Errorf("looking for marks: %w", err)
	}
	rows := make([]any, 0, len(list)*upsertNotifications.columns)
	moves := make([]string, len(list))
	for i, n := range list {
		if n.Facility != "" {
			if err := tx.saveFacility(ctx, n.Facility); err != nil {
				return err
			}
		}
		if moves[i], err = movesText(n.Moves); err != nil {
			return err
		}
		rows = append(rows, n.ID, n.InboxSeq, string(n.Kind), n.PatientID, n.MessageID, millis(n.EventAt), millis(n.SentAt), millis(n.SourceSentAt), millis(n.ReceivedAt),
			millis(n.AdmitAt), millis(n.DischargeAt), moves[i], n.Facility, n.Test, n.EventDay, int64(marks[n.ID]), n.StayID)
	}
	var last int64
	if err := tx.row(ctx, `SELECT coalesce(max(id), 0) FROM notification`).Scan(&last); err != nil {
		return fmt.Errorf("adding notifications: %w", err)
	}
	how := insertNotifications
	if list[0].ID <= last { // they may be there
		how = upsertNotifications
	}
	if _, err = tx.insert(ctx, how, rows); err != nil {
		return fmt.Errorf("adding notifications: %w", err)
	}
	for _, n := range list {
		if err := tx.changed(ctx, n.PatientID, n.ID); err != nil {
			return err
		}
	}
	return tx.pointAtTwins(ctx, list, moves)
}

const notificationValues = `INTO notification (id, inbox_seq, kind, patient_id, message_id, event_at, sent_at, source_sent_at, received_at,
	admit_at, discharge_at, moves, facility, test, event_day, state, stay_id)`

var (
	insertNotifications = newInsertion(`INSERT OR FAIL `+notificationValues, 17, ``)
	upsertNotifications = newInsertion(`INSERT `+notificationValues, 17,
		`ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, patient_id = excluded.patient_id, event_at = excluded.event_at, sent_at = excluded.sent_at,
			source_sent_at = excluded.source_sent_at, admit_at = excluded.admit_at, discharge_at = excluded.discharge_at, moves = excluded.moves,
			facility = iif(excluded.facility = '', facility, excluded.facility), twin_of = 0, test = excluded.test, event_day = excluded.event_day, event_from_record = 0`)
)

// movesText is moves as their column has them.
func movesText(moves []care.Move) (string, error) {
	if len(moves) == 0 && moves != nil {
		return "[]", nil
	}
	text, err := json.Marshal(moves)
	return string(text), err
}

// marked is what people have done with notifications that come into the chart only now, as in a rebuild: those that anybody
// has touched.
func (tx *Tx) marked(ctx context.Context, list []Notification) (map[int64]State, error) {
	first, last := list[0].ID, list[0].ID
	for _, n := range list {
		first, last = min(first, n.ID), max(last, n.ID)
	}
	out := map[int64]State{}
	err := tx.each(ctx, `SELECT notification_id, iif(done_at IS NOT NULL, 2, iif(seen_at IS NOT NULL, 1, 0)) FROM notification_mark WHERE notification_id BETWEEN ? AND ?`,
		[]any{first, last}, func(rows *sql.Rows) error {
			var id int64
			var state State
			err := rows.Scan(&id, &state)
			out[id] = state
			return err
		})
	return out, err
}

// selectTwins finds the other notifications of the same event.
const selectTwins = `SELECT id, twin_of FROM notification INDEXED BY notification_timeline WHERE patient_id = ?1 AND happened_at = ?2 AND event_at = ?2 AND kind = ?3
	AND NOT event_from_record AND source_sent_at IS ?4 AND moves = ?5 AND id <> ?6 ORDER BY id`

// pointAtTwins points notifications that were just written at the first one of the same event, and those behind them at
// them: messages can be read in any order.
func (tx *Tx) pointAtTwins(ctx context.Context, list []Notification, moves []string) error {
	for i, n := range list {
		if n.EventAt.IsZero() {
			continue
		}
		type twin struct{ id, of int64 }
		rows, err := tx.query(ctx, selectTwins, n.PatientID, millis(n.EventAt), string(n.Kind), millis(n.SourceSentAt), moves[i], n.ID)
		if err != nil {
			return fmt.Errorf("looking for a twin: %w", err)
		}
		twins, err := collect(rows, func(t *twin) error { return rows.Scan(&t.id, &t.of) })
		if err != nil {
			return fmt.Errorf("looking for a twin: %w", err)
		}
		point := func(id, of int64) error {
			if _, err := tx.exec(ctx, `UPDATE notification SET twin_of = ? WHERE id = ?`, of, id); err != nil {
				return fmt.Errorf("pointing at a twin: %w", err)
			}
			return tx.changed(ctx, n.PatientID, id)
		}
		first := n.ID
		for _, t := range twins {
			switch {
			case t.id < n.ID && first == n.ID:
				first, err = t.id, point(n.ID, t.id)
			case t.id > n.ID && (t.of == 0 || t.of > n.ID):
				err = point(t.id, n.ID)
			}
			if err != nil {
				return err
			}
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
	if tx.writer.facilities[name] {
		return nil
	}
	tx.writer.facilities[name] = true
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
		WHERE `+ofMessage("?1")+` RETURNING id, patient_id`, inboxSeq)
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

// MarkNotification sets the state of a notification for person userID: Seen, Done, or New to take both back. known is the
// [Mark.Version] that they saw. Where somebody changed it meanwhile nothing is changed, and the error is a [TakenError]
// unless it is in that state by now. It returns sql.ErrNoRows where there is no such notification.
func (tx *Tx) MarkNotification(ctx context.Context, id, userID int64, to State, known string) error {
	var patient, by string
	var now State
	var seen, done sql.NullInt64
	err := tx.row(ctx, `SELECT n.patient_id, n.state, m.seen_at, m.done_at, coalesce(u.email, '')
		FROM notification n LEFT JOIN notification_mark m ON m.notification_id = n.id LEFT JOIN user u ON u.id = coalesce(m.done_by, m.seen_by)
		WHERE n.id = ?`, id).Scan(&patient, &now, &seen, &done, &by)
	if err != nil {
		return err
	}
	if (Mark{SeenAt: instant(seen), DoneAt: instant(done)}).Version() != known {
		if now == to {
			return nil
		}
		at := seen
		if done.Valid {
			at = done
		}
		return TakenError{By: by, At: instant(at)}
	}
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
	return tx.number(ctx, Change{PatientID: patient, NotificationID: id, Topic: TopicMarks})
}

// NotificationFilter narrows the feed. Rows come newest arrival first, so that a late notice is never hidden.
type NotificationFilter struct {
	Kind     care.Kind // "" = all
	States   []State   // empty = all
	Text     string    // what a patient is found by, or part of a facility, a drug or a test
	Exchange string    // code of the exchange that its record comes from, or [ExchangeNotSent]; "" = all
	Before   int64     // only ids below; 0 = from the top
	IDs      []int64   // only these; nil = all
	Limit    int
	Reach    int // look at no more than about so many rows; 0 = at all
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
	list, _, err := s.NotificationPage(ctx, f)
	return list, err
}

// NotificationPage lists the notifications that fit f, and says where the list goes on that was not searched to its end.
func (s Snapshot) NotificationPage(ctx context.Context, f NotificationFilter) ([]Notification, Rest, error) {
	w, err := f.walk(ctx, s)
	if err != nil {
		return nil, Rest{}, err
	}
	rest, err := s.bound(ctx, &w, f.Reach)
	if err != nil {
		return nil, rest, err
	}
	where, args := w.where()
	rows, err := s.QueryContext(ctx, `SELECT `+notificationColumns+` FROM (SELECT n.id FROM `+w.source()+` WHERE `+where+` ORDER BY n.id DESC LIMIT ?) h
		CROSS JOIN notification n ON n.id = h.id`+notificationJoins+` ORDER BY n.id DESC`, append(args, f.Limit)...)
	if err != nil {
		return nil, rest, fmt.Errorf("listing notifications: %w", err)
	}
	list, err := collect(rows, func(n *Notification) error { return n.scan(rows) })
	return list, rest.after(len(list), f.Limit), err
}

// Within implements [ListFilter].
func (f NotificationFilter) Within(w Window) NotificationFilter {
	f.Before, f.IDs, f.Limit, f.Reach = w.Before, w.IDs, w.Limit, w.Reach
	return f
}

// walk chooses the index that f is answered by. What it does not answer is tested row by row.
func (f NotificationFilter) walk(ctx context.Context, s Snapshot) (walk, error) {
	w := walk{from: "notification n", id: "n.id", at: "n.received_at"}
	state := slices.Sorted(slices.Values(f.States))
	open := slices.Equal(state, []State{New, Seen})
	along := func(index string, clause string, args ...any) {
		w.from += " INDEXED BY " + index
		w.along.add(clause, args...)
	}
	byState := "" // the index by state, where nothing else is chosen
	switch {
	case len(state) == 0:
	case open:
		byState = "notification_open"
		w.tests.add("n.state < 2")
	case slices.Equal(state, []State{New}):
		byState = "notification_new"
		w.tests.add("n.state = 0")
	case slices.Equal(state, []State{Done}):
		byState = "notification_done"
		w.tests.add("n.state = 2")
	default:
		if err := w.tests.among("n.state", state); err != nil {
			return w, err
		}
	}
	alongState := func() { // the test is the index's own
		if byState != "" {
			along(byState, w.tests.clauses[0])
			w.tests = conditions{}
		}
	}
	if f.Before > 0 {
		w.along.add("n.id < ?", f.Before)
	}
	exchange := func(c *conditions) {
		switch f.Exchange {
		case "":
		case ExchangeNotSent:
			c.add(exchangeNotSent)
		default:
			c.add("n.exchange = ? AND n.exchange <> ''", f.Exchange) // as the indexes have it
		}
	}
	kind := func(c *conditions) {
		if f.Kind != "" {
			c.add("n.kind = ?", f.Kind)
		}
	}
	if f.IDs != nil {
		if err := w.along.among("n.id", f.IDs); err != nil {
			return w, err
		}
		w.short = true
		exchange(&w.tests)
		kind(&w.tests)
		if f.Text != "" {
			text, args := feedText(f.Text)
			w.tests.add(text, args...)
		}
		return w, nil
	}
	if f.Text != "" {
		chosen, err := s.feedByText(ctx, &w, f)
		if err != nil {
			return w, err
		}
		if chosen {
			exchange(&w.tests)
			kind(&w.tests)
			return w, nil
		}
	}
	switch {
	case f.Exchange != "":
		var c conditions
		exchange(&c)
		index := "notification_exchange"
		switch {
		case f.Exchange == ExchangeNotSent:
			index = "notification_exchange_not_sent"
		case open:
			index = "notification_open_exchange"
			c.add("n.state < 2")
			w.tests = conditions{}
		}
		along(index, strings.Join(c.clauses, " AND "), c.args...)
		kind(&w.tests)
	case f.Kind != "":
		index, clause := "notification_kind", "n.kind = ?"
		if open {
			index, clause = "notification_open_kind", "n.kind = ? AND n.state < 2"
			w.tests = conditions{}
		}
		along(index, clause, f.Kind)
	default:
		alongState()
	}
	if f.Text != "" {
		text, args := feedText(f.Text)
		w.tests.add(text, args...)
	}
	return w, nil
}

// feedText is a condition that a row's patient, facility, drug or test is meant by text.
func feedText(text string) (string, []any) {
	about, args := aboutPatient("n.patient_id", text)
	names, words := holdsWords("search_words", "e.no", text)
	return "(" + about + ` OR n.facility LIKE ? ESCAPE '\' OR EXISTS (SELECT 1 FROM notification_subject t CROSS JOIN search_entry e ON e.kind = '` + SearchSubject + `' AND e.key = t.name
		WHERE t.notification_id = n.id AND ` + names + "))", append(append(args, "%"+escapeLike(text)+"%"), words...)
}

// feedByText goes along the patients, facilities, drugs and tests that the text means, where they are few. It says whether
// they are.
func (s Snapshot) feedByText(ctx context.Context, w *walk, f NotificationFilter) (bool, error) {
	patients, ok, err := s.people(ctx, f.Text)
	if err != nil || !ok {
		return false, err
	}
	//nolint:sqlclosecheck // collect closes them
	rows, err := s.QueryContext(ctx, `SELECT name FROM facility WHERE name LIKE ? ESCAPE '\' LIMIT ?`, "%"+escapeLike(f.Text)+"%", few+1)
	if err != nil {
		return false, fmt.Errorf("looking for facilities: %w", err)
	}
	facilities, err := collect(rows, func(name *string) error { return rows.Scan(name) })
	if err != nil || len(facilities) > few {
		return false, err
	}
	subjects, err := s.subjects(ctx, f.Text)
	if err != nil || len(subjects) > few {
		return false, err
	}
	who, err := json.Marshal(patients)
	if err != nil {
		return false, err
	}
	if len(facilities)+len(subjects) == 0 {
		w.short = true
		w.from += " INDEXED BY notification_timeline"
		w.along.add("n.patient_id IN (SELECT value FROM json_each(?))", string(who))
		return true, nil
	}
	where, errWhere := json.Marshal(append([]string{}, facilities...))
	what, errWhat := json.Marshal(append([]string{}, subjects...))
	if err := errors.Join(errWhere, errWhat); err != nil {
		return false, err
	}
	// Each of them can have very many: they are searched back to where the one with the most rows stops.
	before := f.Before
	if before == 0 {
		before = math.MaxInt64
	}
	var from sql.NullInt64
	if f.Reach > 0 {
		skip := max(f.Reach/(len(facilities)+len(subjects)), f.Limit) - 1
		err = s.QueryRowContext(ctx, `SELECT max(at) FROM (SELECT (SELECT n.id FROM notification n INDEXED BY notification_facility
		WHERE n.facility = j.value AND n.facility <> '' AND n.id < ?1 ORDER BY n.id DESC LIMIT 1 OFFSET ?2) AS at FROM json_each(?3) j
		UNION ALL SELECT (SELECT t.notification_id FROM notification_subject t INDEXED BY notification_subject_name
		WHERE t.name = j.value AND t.notification_id < ?1 ORDER BY t.notification_id DESC LIMIT 1 OFFSET ?2) FROM json_each(?4) j)`,
			before, skip, string(where), string(what)).Scan(&from)
		if err != nil {
			return false, fmt.Errorf("bounding a search: %w", err)
		}
	}
	w.along.add(`n.id IN (SELECT p.id FROM notification p INDEXED BY notification_timeline WHERE p.patient_id IN (SELECT value FROM json_each(?))
		UNION SELECT l.id FROM notification l INDEXED BY notification_facility WHERE l.facility IN (SELECT value FROM json_each(?)) AND l.facility <> '' AND l.id >= ? AND l.id < ?
		UNION SELECT t.notification_id FROM notification_subject t INDEXED BY notification_subject_name WHERE t.name IN (SELECT value FROM json_each(?)) AND t.notification_id >= ? AND t.notification_id < ?)`,
		string(who), string(where), from.Int64, before, string(what), from.Int64, before)
	w.short, w.floor = true, from.Int64
	return true, nil
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
	where, args := "n.patient_id = ?", []any{patientID}
	if before != (TimelineKey{}) {
		where, args = where+" AND (n.happened_at, n.id) < (?, ?)", append(args, before.At, before.ID)
	}
	rows, err := s.QueryContext(ctx, `SELECT `+notificationColumns+` FROM notification n INDEXED BY notification_timeline`+notificationJoins+
		` WHERE `+where+` ORDER BY n.happened_at DESC, n.id DESC LIMIT ?`, append(args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("listing a timeline: %w", err)
	}
	return collect(rows, func(n *Notification) error { return n.scan(rows) })
}
