package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"
)

// InboxRow is a message as the list of the inbox shows it.
type InboxRow struct {
	Message
	KeyID    string  // fingerprint of the key that signed the first delivery
	Size     int64   // bytes of the first delivery's body
	Patient  Patient // the first it names: only ID, ExternalID, Name, BirthDate; ID "" = nobody
	Patients int     // how many it names
}

// InboxSearch narrows the list of the inbox. Rows come newest first.
type InboxSearch struct {
	Type      string    // "" = any
	Status    Status    // "" = any
	From, To  time.Time // received at From or later, and before To; zero = any
	PatientID string    // "" = any
	RequestID string    // "" = any
	Text      string    // the beginning of a message or request id, or part of a patient's name or of their ids
	TextTypes []string  // the types that Text names too
	Before    int64     // only numbers below; 0 = from the top
	Seqs      []int64   // only these; nil = all
	Limit     int
	Reach     int // look at no more than about so many rows; 0 = at all
}

// Within implements [ListFilter].
func (f InboxSearch) Within(w Window) InboxSearch {
	f.Before, f.Seqs, f.Limit, f.Reach = w.Before, w.IDs, w.Limit, w.Reach
	return f
}

// InboxList lists the messages that fit f. It reads no body: patients are found by what the projector noted.
func (s Snapshot) InboxList(ctx context.Context, f InboxSearch) ([]InboxRow, error) {
	list, _, err := s.InboxPage(ctx, f)
	return list, err
}

// InboxPage is [Snapshot.InboxList], and says where the list goes on that was not searched to its end.
func (s Snapshot) InboxPage(ctx context.Context, f InboxSearch) ([]InboxRow, Rest, error) {
	hits, args, rest, err := s.inboxHits(ctx, f)
	if err != nil {
		return nil, rest, err
	}
	rows, err := s.QueryContext(ctx, `SELECT i.seq, i.message_id, i.request_id, i.type, i.sent_at, i.received_at, i.key_id, i.body_size,
			1 + (SELECT count(*) FROM inbox_repeat r WHERE r.inbox_seq = i.seq), coalesce(o.status, 'received'), coalesce(o.error, ''),
			coalesce(n.patient_id, ''), coalesce(p.external_id, ''), coalesce(p.name, ''), coalesce(p.birth_date, ''),
			(SELECT count(*) FROM inbox_patient WHERE seq = i.seq)
		FROM (SELECT seq FROM (`+hits+`) ORDER BY seq DESC LIMIT ?) h CROSS JOIN inbox i ON i.seq = h.seq
			LEFT JOIN inbox_outcome o ON o.seq = i.seq
			LEFT JOIN inbox_patient n ON n.seq = i.seq AND n.patient_id = (SELECT min(patient_id) FROM inbox_patient WHERE seq = i.seq)
			LEFT JOIN patient p ON p.id = n.patient_id
		ORDER BY i.seq DESC`, append(args, f.Limit)...)
	if err != nil {
		return nil, rest, fmt.Errorf("listing the inbox: %w", err)
	}
	list, err := collect(rows, func(r *InboxRow) error {
		var sent, received sql.NullInt64
		err := rows.Scan(&r.Seq, &r.MessageID, &r.RequestID, &r.Type, &sent, &received, &r.KeyID, &r.Size, &r.Deliveries, &r.Status, &r.Error,
			&r.Patient.ID, &r.Patient.ExternalID, &r.Patient.Name, &r.Patient.BirthDate, &r.Patients)
		r.MessageID, r.Shared = asSent(r.MessageID)
		r.SentAt, r.ReceivedAt = instant(sent), instant(received)
		return err
	})
	return list, rest.after(len(list), f.Limit), err
}

// shortID is how many characters of an id must be there before its beginning is enough to search by: ids begin with a
// time, and fewer would be half of the inbox.
const shortID = 6

// inboxHits is a query for the numbers of the messages that fit, newest first, at most Limit.
func (s Snapshot) inboxHits(ctx context.Context, f InboxSearch) (query string, args []any, rest Rest, err error) {
	w, err := f.walk(ctx, s)
	if err != nil {
		return "", nil, rest, err
	}
	if f.Text != "" {
		f.Reach /= 2 // whom a message names, and how they are called, costs twice as much as other tests
	}
	if rest, err = s.bound(ctx, &w, f.Reach); err != nil {
		return "", nil, rest, err
	}
	where, args := w.where()
	return `SELECT ` + w.id + ` AS seq FROM ` + w.source() + ` WHERE ` + where + ` ORDER BY ` + w.id + ` DESC LIMIT ?`, append(args, f.Limit), rest, nil
}

// walk chooses the index that f is answered by. What it does not answer is tested row by row.
func (f InboxSearch) walk(ctx context.Context, s Snapshot) (w walk, err error) {
	between, err := s.inboxBetween(ctx, f.From, f.To)
	if err != nil {
		return w, err
	}
	chosen := false
	if f.Text != "" && f.Seqs == nil {
		if w, chosen, err = s.inboxByText(ctx, f, between); err != nil {
			return w, err
		}
	}
	if !chosen {
		w = inboxWalk(&f)
		if f.Text != "" {
			means, args := f.means()
			w.tests.add(means, args...)
		}
		if f.Before > 0 {
			w.along.add(w.id+" < ?", f.Before)
		}
		if between != nil {
			w.along.add(w.id+" >= ? AND "+w.id+" <= ?", between[0], between[1])
		}
	}
	tests, err := f.filter()
	w.tests.clauses, w.tests.args = append(w.tests.clauses, tests.clauses...), append(w.tests.args, tests.args...)
	return w, err
}

// inboxWalk chooses the index that f is answered by, and takes out of f what the index answers.
func inboxWalk(f *InboxSearch) walk {
	w := walk{from: "inbox i", id: "i.seq", at: "i.received_at"}
	switch {
	case f.Seqs != nil:
		w.short = true
	case f.PatientID != "":
		w.from, w.id = "inbox_patient d INDEXED BY inbox_patient_of CROSS JOIN inbox i ON i.seq = d.seq", "d.seq"
		w.along.add("d.patient_id = ?", f.PatientID)
		f.PatientID = ""
	case f.RequestID != "":
		w.from += " INDEXED BY inbox_request"
		w.along.add("i.request_id <> '' AND i.request_id = ?", f.RequestID)
		f.RequestID = ""
	case f.Status == StatusReceived:
		w.along.add("i.seq > (SELECT coalesce(max(seq), 0) FROM inbox_outcome)")
		f.Status = ""
	case f.Status != "" && f.Status != StatusProcessed:
		w.from, w.id = "inbox_outcome d INDEXED BY inbox_outcome_status CROSS JOIN inbox i ON i.seq = d.seq", "d.seq"
		w.along.add("d.status = ? AND d.status <> 'processed'", f.Status)
		f.Status = ""
	case f.Type != "":
		w.from += " INDEXED BY inbox_type"
		w.along.add("i.type = ?", f.Type)
		f.Type = ""
	}
	return w
}

// clockSlack is how many messages may have come while the clock was being set back for a search by days to find all of them.
const clockSlack = 1000

// inboxBetween are the numbers of the first and the last message that came in a time; nil where it has no bounds. They are
// in the order in which they came, but for those that came while the clock was set.
func (s Snapshot) inboxBetween(ctx context.Context, from, to time.Time) (*[2]int64, error) {
	if from.IsZero() && to.IsZero() {
		return nil, nil //nolint:nilnil // as said above
	}
	out := [2]int64{0, math.MaxInt64}
	bound := func(at time.Time, query string, out *int64) error {
		if at.IsZero() {
			return nil
		}
		if err := s.QueryRowContext(ctx, query, at.UnixMilli(), clockSlack).Scan(out); err != nil {
			return fmt.Errorf("looking for the messages of a day: %w", err)
		}
		return nil
	}
	err := bound(from, `SELECT coalesce(min(seq), 9223372036854775807) FROM (SELECT seq FROM inbox INDEXED BY inbox_received WHERE received_at >= ? ORDER BY received_at LIMIT ?)`, &out[0])
	if err == nil {
		err = bound(to, `SELECT coalesce(max(seq), 0) FROM (SELECT seq FROM inbox INDEXED BY inbox_received WHERE received_at < ? ORDER BY received_at DESC LIMIT ?)`, &out[1])
	}
	return &out, err
}

// means is a condition that a text means a message: the beginning of its ids, its type, or its patient.
func (f InboxSearch) means() (string, []any) {
	about, args := aboutPatient("w.patient_id", f.Text)
	or, all := []string{"EXISTS (SELECT 1 FROM inbox_patient w WHERE w.seq = i.seq AND " + about + ")"}, args
	if len(f.Text) >= shortID {
		or, all = append(or, "substr(i.message_id, 1, length(?)) = ?", "substr(i.request_id, 1, length(?)) = ?"), append(all, f.Text, f.Text, f.Text, f.Text)
	} else {
		or, all = append(or, "i.message_id = ?", "i.message_id >= ? AND i.message_id < ?", "i.request_id = ?"), append(all, f.Text, f.Text+idEnd, f.Text+" ", f.Text)
	}
	for _, t := range f.TextTypes {
		or, all = append(or, "i.type = ?"), append(all, t)
	}
	return "(" + strings.Join(or, " OR ") + ")", all
}

// inboxByText goes along the messages that the text means by their ids, types and patients, the newest of each, where those
// are few enough. It says whether they are.
func (s Snapshot) inboxByText(ctx context.Context, f InboxSearch, between *[2]int64) (w walk, chosen bool, err error) {
	patients, ok, err := s.people(ctx, f.Text)
	if err != nil || !ok {
		return w, false, err
	}
	reach := f.Reach
	if reach <= 0 {
		reach = math.MaxInt32
	}
	ids, ok, err := s.inboxByID(ctx, f.Text, reach)
	if err != nil || !ok {
		return w, false, err
	}
	who, err := json.Marshal(patients)
	if err != nil {
		return w, false, err
	}
	types, err := json.Marshal(append([]string{}, f.TextTypes...))
	if err != nil {
		return w, false, err
	}
	// Those of a type or a patient can be very many: all are searched back to where the one with the most stops.
	before, from := int64(math.MaxInt64), int64(0)
	if f.Before > 0 {
		before = f.Before
	}
	if between != nil {
		from = between[0]
		if between[1] < before-1 {
			before = between[1] + 1
		}
	}
	var floor sql.NullInt64
	if n := len(patients) + len(f.TextTypes); n > 0 && f.Reach > 0 {
		skip := max(f.Reach/n, f.Limit) - 1
		err = s.QueryRowContext(ctx, `SELECT max(at) FROM (
				SELECT (SELECT p.seq FROM inbox_patient p INDEXED BY inbox_patient_of WHERE p.patient_id = j.value AND p.seq < ? AND p.seq >= ? ORDER BY p.seq DESC LIMIT 1 OFFSET ?) AS at FROM json_each(?) j
				UNION ALL SELECT (SELECT t.seq FROM inbox t INDEXED BY inbox_type WHERE t.type = j.value AND t.seq < ? AND t.seq >= ? ORDER BY t.seq DESC LIMIT 1 OFFSET ?) FROM json_each(?) j)`,
			before, from, skip, string(who), before, from, skip, string(types)).Scan(&floor)
		if err != nil {
			return w, false, fmt.Errorf("bounding a search: %w", err)
		}
		from = max(from, floor.Int64)
	}
	w = walk{from: "inbox i", id: "i.seq", at: "i.received_at", short: true, floor: floor.Int64}
	w.along.add(`i.seq IN (SELECT value FROM json_each(?)
		UNION SELECT p.seq FROM json_each(?) j CROSS JOIN inbox_patient p INDEXED BY inbox_patient_of WHERE p.patient_id = j.value AND p.seq < ? AND p.seq >= ?
		UNION SELECT t.seq FROM json_each(?) j CROSS JOIN inbox t INDEXED BY inbox_type WHERE t.type = j.value AND t.seq < ? AND t.seq >= ?)
		AND i.seq < ? AND i.seq >= ?`, ids, string(who), before, from, string(types), before, from, before, from)
	return w, true, nil
}

// inboxByID are the numbers, as JSON, of the messages whose own id or whose request's id begins with a text; false where
// they are more than most.
func (s Snapshot) inboxByID(ctx context.Context, text string, most int) (string, bool, error) {
	query, args := `SELECT * FROM (SELECT seq FROM inbox WHERE message_id >= ? AND message_id < ? LIMIT ?)
		UNION ALL SELECT * FROM (SELECT seq FROM inbox INDEXED BY inbox_request WHERE request_id <> '' AND request_id >= ? AND request_id < ? LIMIT ?)`,
		[]any{text, text + "\U0010FFFF", most, text, text + "\U0010FFFF", most}
	if len(text) < shortID {
		query, args = `SELECT seq FROM inbox WHERE message_id = ? UNION ALL SELECT * FROM (SELECT seq FROM inbox WHERE message_id >= ? AND message_id < ? LIMIT ?)
			UNION ALL SELECT * FROM (SELECT seq FROM inbox INDEXED BY inbox_request WHERE request_id <> '' AND request_id = ? LIMIT ?)`,
			[]any{text, text + idEnd, text + " ", most, text, most}
	}
	rows, err := s.QueryContext(ctx, query, args...) //nolint:sqlclosecheck // collect closes them
	if err != nil {
		return "", false, fmt.Errorf("looking for an id: %w", err)
	}
	seqs, err := collect(rows, func(seq *int64) error { return rows.Scan(seq) })
	if err != nil || len(seqs) >= most {
		return "", false, err
	}
	list, err := json.Marshal(append([]int64{}, seqs...))
	return string(list), true, err
}

// filter is what every hit must fit, beside what it is found by.
func (f InboxSearch) filter() (c conditions, err error) {
	add := c.add
	if f.Type != "" {
		add("i.type = ?", f.Type)
	}
	switch f.Status {
	case "":
	case StatusReceived: // those after the last that the projector has taken
		add("i.seq > (SELECT coalesce(max(seq), 0) FROM inbox_outcome)")
	default:
		add("EXISTS (SELECT 1 FROM inbox_outcome o WHERE o.seq = i.seq AND o.status = ?)", f.Status)
	}
	if f.PatientID != "" {
		add("EXISTS (SELECT 1 FROM inbox_patient WHERE patient_id = ? AND seq = i.seq)", f.PatientID)
	}
	if f.RequestID != "" {
		add("i.request_id <> '' AND i.request_id = ?", f.RequestID)
	}
	if !f.From.IsZero() {
		add("+i.received_at >= ?", f.From.UnixMilli())
	}
	if !f.To.IsZero() {
		add("+i.received_at < ?", f.To.UnixMilli())
	}
	if f.Seqs != nil {
		seqs, err := json.Marshal(f.Seqs)
		if err != nil {
			return c, err
		}
		add("i.seq IN (SELECT value FROM json_each(?))", string(seqs))
	}
	return c, nil
}

// mostTypes bounds how many types a list offers; the sender has about twenty.
const mostTypes = 100

// InboxTypes lists the types of the messages that came, in order, without those whose type could not be read.
func (s Snapshot) InboxTypes(ctx context.Context) ([]string, error) {
	//nolint:sqlclosecheck // collect closes them
	rows, err := s.QueryContext(ctx, `WITH RECURSIVE t (type) AS (SELECT min(type) FROM inbox WHERE type > ''
			UNION ALL SELECT (SELECT min(type) FROM inbox WHERE type > t.type) FROM t WHERE t.type IS NOT NULL)
		SELECT type FROM t WHERE type IS NOT NULL LIMIT ?`, mostTypes)
	if err != nil {
		return nil, fmt.Errorf("listing types: %w", err)
	}
	return collect(rows, func(t *string) error { return rows.Scan(t) })
}

// InboxCounts counts the messages that somebody may have to look at, by status, and those that wait. Counting stops at
// most.
func (s Snapshot) InboxCounts(ctx context.Context, most int) (map[Status]int, error) {
	out := map[Status]int{}
	var unrecognized, malformed, failed, received int
	of := func(status Status) string { // in words of the statement: a parameter could be 'processed', which is not in the index
		return `(SELECT count(*) FROM (SELECT 1 FROM inbox_outcome INDEXED BY inbox_outcome_status WHERE status = '` + string(status) + `' AND status <> 'processed' LIMIT ?1))`
	}
	err := s.QueryRowContext(ctx, `SELECT `+of(StatusUnrecognized)+`, `+of(StatusMalformed)+`, `+of(StatusFailed)+`,
			(SELECT count(*) FROM (SELECT 1 FROM inbox WHERE seq > (SELECT coalesce(max(seq), 0) FROM inbox_outcome) LIMIT ?1))`, most).
		Scan(&unrecognized, &malformed, &failed, &received)
	if err != nil {
		return nil, fmt.Errorf("counting messages: %w", err)
	}
	out[StatusUnrecognized], out[StatusMalformed], out[StatusFailed], out[StatusReceived] = unrecognized, malformed, failed, received
	return out, nil
}

// InboxMessage is one message of the inbox without its body.
type InboxMessage struct {
	InboxRow
	SHA256 []byte // of the first delivery's body
}

// Delivery is one further delivery of a message, without its body.
type Delivery struct {
	ID         int64
	ReceivedAt time.Time
	KeyID      string
	Differs    bool  // from the first delivery's body
	Size       int64 // bytes
}

// InboxMessage returns one message, or sql.ErrNoRows.
func (s Snapshot) InboxMessage(ctx context.Context, seq int64) (InboxMessage, error) {
	var m InboxMessage
	list, err := s.InboxList(ctx, InboxSearch{Seqs: []int64{seq}, Limit: 1})
	if err == nil && len(list) == 0 {
		err = sql.ErrNoRows
	}
	if err != nil {
		return m, err
	}
	m.InboxRow = list[0]
	if err := s.QueryRowContext(ctx, `SELECT body_sha256 FROM inbox WHERE seq = ?`, seq).Scan(&m.SHA256); err != nil {
		return m, err
	}
	return m, nil
}

// Deliveries lists the further deliveries of a message, the newest first.
func (s Snapshot) Deliveries(ctx context.Context, seq int64, limit int) ([]Delivery, error) {
	rows, err := s.QueryContext(ctx, `SELECT id, received_at, key_id, differs, body_size FROM inbox_repeat WHERE inbox_seq = ? ORDER BY id DESC LIMIT ?`, seq, limit)
	if err != nil {
		return nil, fmt.Errorf("listing deliveries: %w", err)
	}
	return collect(rows, func(d *Delivery) error {
		var received sql.NullInt64
		err := rows.Scan(&d.ID, &received, &d.KeyID, &d.Differs, &d.Size)
		d.ReceivedAt = instant(received)
		return err
	})
}

// RepeatBody returns the body of a further delivery of message seq, as it came; sql.ErrNoRows where there is none, or
// where it was the same as the first.
func (s Snapshot) RepeatBody(ctx context.Context, seq, id int64) ([]byte, error) {
	var stored []byte
	var form int
	err := s.QueryRowContext(ctx, `SELECT body, body_form FROM inbox_repeat WHERE id = ? AND inbox_seq = ? AND body IS NOT NULL`, id, seq).Scan(&stored, &form)
	if err != nil {
		return nil, err
	}
	return unpack(stored, form)
}

// Became is one thing that a message became.
type Became struct {
	Kind      string // notification, patient, file, identity
	ID        string
	PatientID string // "" = none
	What      string // in the words of its kind: of a notification its kind, of a file its name
	State     string // in the words of its kind
	Reason    string
}

// becomes are the queries for what a message became. Each has the message's number as ?1 and the columns of [Became].
var becomes = []string{
	`SELECT 'notification', CAST(id AS TEXT), patient_id, kind, CAST(state AS TEXT), '' FROM notification WHERE ` + ofMessage("?1"),
	`SELECT 'patient', n.patient_id AS id, n.patient_id AS patient, coalesce(p.name, ''), iif(p.id IS NULL, 'unknown', 'known'), '' FROM inbox_patient n LEFT JOIN patient p ON p.id = n.patient_id WHERE n.seq = ?1`,
	`SELECT 'file', CAST(id AS TEXT), patient_id, name, state, reason FROM download WHERE inbox_seq = ?1`,
	`SELECT 'message', CAST(id AS TEXT), patient_id, subject, '', '' FROM mail WHERE id = ?1 AND box = 'in'`,
	`SELECT 'sent', CAST(mail_id AS TEXT), patient_id, '', status, '' FROM mail_status WHERE inbox_seq = ?1`,
	`SELECT 'import', j.id, '', j.id, e.state, '' FROM import_event e JOIN import_job j ON j.no = e.job_no WHERE e.inbox_seq = ?1`,
	`SELECT 'identity', CAST(id AS TEXT), patient_id, proofed_id, '', '' FROM identity WHERE id = ?1`,
}

// Became lists what message seq became, in one statement.
func (s Snapshot) Became(ctx context.Context, seq int64, limit int) ([]Became, error) {
	rows, err := s.QueryContext(ctx, strings.Join(becomes, " UNION ALL ")+" LIMIT ?2", seq, limit)
	if err != nil {
		return nil, fmt.Errorf("listing what a message became: %w", err)
	}
	return collect(rows, func(b *Became) error {
		return rows.Scan(&b.Kind, &b.ID, &b.PatientID, &b.What, &b.State, &b.Reason)
	})
}

// Rejection is how many requests were refused for a reason in one hour.
type Rejection struct {
	Hour   time.Time
	Reason string
	N      int64
}

// Rejections lists what was refused since a time, oldest first.
func (s Snapshot) Rejections(ctx context.Context, since time.Time) ([]Rejection, error) {
	rows, err := s.QueryContext(ctx, `SELECT hour, reason, n FROM rejection WHERE hour >= ? ORDER BY hour, reason`, since.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("listing refused requests: %w", err)
	}
	return collect(rows, func(r *Rejection) error {
		var hour sql.NullInt64
		err := rows.Scan(&hour, &r.Reason, &r.N)
		r.Hour = instant(hour)
		return err
	})
}
