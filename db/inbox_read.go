package db

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Status is how far a message came.
type Status string

// The statuses of a message: received, then one of the others.
const (
	StatusReceived     Status = "received"     // durable, not yet looked at by the projector
	StatusProcessed    Status = "processed"    // understood, and what people see shows it
	StatusUnrecognized Status = "unrecognized" // of a type this version does not know
	StatusMalformed    Status = "malformed"    // its envelope cannot be trusted
	StatusFailed       Status = "failed"       // of a known type, but its handler could not use it
)

// Statuses lists them in the order in which a message can have them.
var Statuses = []Status{StatusReceived, StatusProcessed, StatusUnrecognized, StatusMalformed, StatusFailed}

// Message is an inbox row without its body.
type Message struct {
	Seq        int64
	MessageID  string // as it was sent
	Shared     bool   // other messages have this id too: it is that of a test event
	RequestID  string
	Type       string
	SentAt     time.Time // zero where the sender did not say
	ReceivedAt time.Time
	Deliveries int
	Status     Status
	Error      string // why it is malformed or failed
}

// InboxFilter narrows a listing. The zero value lists everything from the beginning.
type InboxFilter struct {
	After  int64  // only rows with a greater seq
	Type   string // "" = any
	Status Status // "" = any
	Limit  int    // 0 = 500
}

// Messages lists inbox rows in the order in which they came.
func (s Snapshot) Messages(ctx context.Context, f InboxFilter) ([]Message, error) {
	if f.Limit <= 0 {
		f.Limit = 500
	}
	where, args := []string{"i.seq > ?"}, []any{f.After}
	if f.Type != "" {
		where, args = append(where, "i.type = ?"), append(args, f.Type)
	}
	switch f.Status {
	case "":
	case StatusReceived:
		where = append(where, "o.seq IS NULL")
	default:
		where, args = append(where, "o.status = ?"), append(args, f.Status)
	}
	rows, err := s.QueryContext(ctx, `SELECT i.seq, i.message_id, i.request_id, i.type, i.sent_at, i.received_at,
			1 + (SELECT count(*) FROM inbox_repeat r WHERE r.inbox_seq = i.seq), coalesce(o.status, 'received'), coalesce(o.error, '')
		FROM inbox i LEFT JOIN inbox_outcome o ON o.seq = i.seq
		WHERE `+strings.Join(where, " AND ")+` ORDER BY i.seq LIMIT ?`, append(args, f.Limit)...)
	if err != nil {
		return nil, fmt.Errorf("listing the inbox: %w", err)
	}
	return collect(rows, func(m *Message) error {
		var sent, received sql.NullInt64
		err := rows.Scan(&m.Seq, &m.MessageID, &m.RequestID, &m.Type, &sent, &received, &m.Deliveries, &m.Status, &m.Error)
		m.MessageID, m.Shared = asSent(m.MessageID)
		m.SentAt, m.ReceivedAt = instant(sent), instant(received)
		return err
	})
}

// Waiting is a message as the projector needs it.
type Waiting struct {
	Seq        int64
	MessageID  string // what names it alone: its id, with more behind it where other messages have that too
	Type       string
	ReceivedAt time.Time
	Body       []byte
}

// MessagesAfter returns up to limit messages with their bodies, in order, and stops early where the bodies add up to
// more than a few megabytes.
func (s Snapshot) MessagesAfter(ctx context.Context, seq int64, limit int) ([]Waiting, error) {
	return s.waiting(ctx, `SELECT seq, message_id, type, received_at, body, body_form FROM inbox WHERE seq > ? ORDER BY seq LIMIT ?`, seq, limit)
}

// waiting reads messages with their bodies until those are enough for one batch.
func (s Snapshot) waiting(ctx context.Context, query string, args ...any) ([]Waiting, error) {
	const enough = 8 << 20
	rows, err := s.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("reading the inbox: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []Waiting
	for size := 0; size < enough && rows.Next(); {
		var w Waiting
		var received sql.NullInt64
		var stored []byte
		var form int
		if err := rows.Scan(&w.Seq, &w.MessageID, &w.Type, &received, &stored, &form); err != nil {
			return nil, err
		}
		w.ReceivedAt = instant(received)
		if w.Body, err = unpack(stored, form); err != nil {
			return nil, fmt.Errorf("inbox row %d: %w", w.Seq, err)
		}
		size += len(w.Body)
		out = append(out, w)
	}
	return out, rows.Err()
}

// Body returns the body of a message, byte for byte as it came, or sql.ErrNoRows.
func (s Snapshot) Body(ctx context.Context, seq int64) ([]byte, error) {
	var stored []byte
	var form int
	if err := s.QueryRowContext(ctx, `SELECT body, body_form FROM inbox WHERE seq = ?`, seq).Scan(&stored, &form); err != nil {
		return nil, err
	}
	return unpack(stored, form)
}

// Body is [Snapshot.Body], for writers.
func (tx *Tx) Body(ctx context.Context, seq int64) ([]byte, error) {
	var stored []byte
	var form int
	if err := tx.row(ctx, `SELECT body, body_form FROM inbox WHERE seq = ?`, seq).Scan(&stored, &form); err != nil {
		return nil, err
	}
	return unpack(stored, form)
}

// Repeat is a further delivery of a message.
type Repeat struct {
	ID         int64
	InboxSeq   int64
	ReceivedAt time.Time
	KeyID      string
	Body       []byte // nil where it was the same as the first
}

// ChangedRepeatsOf lists the further deliveries of messages whose body was not that of the first.
func (s Snapshot) ChangedRepeatsOf(ctx context.Context, seqs []int64) ([]Repeat, error) {
	list, err := json.Marshal(seqs)
	if err != nil {
		return nil, err
	}
	return s.repeats(ctx, `inbox_seq IN (SELECT value FROM json_each(?)) AND differs`, string(list))
}

// ChangedRepeats lists the further deliveries after one number up to another whose body was not that of the first.
func (s Snapshot) ChangedRepeats(ctx context.Context, after, upTo int64) ([]Repeat, error) {
	return s.repeats(ctx, `id > ? AND id <= ? AND differs`, after, upTo)
}

// Repeats lists the further deliveries of one message, oldest first.
func (s Snapshot) Repeats(ctx context.Context, seq int64) ([]Repeat, error) {
	return s.repeats(ctx, `inbox_seq = ?`, seq)
}

func (s Snapshot) repeats(ctx context.Context, where string, args ...any) ([]Repeat, error) {
	rows, err := s.QueryContext(ctx, `SELECT id, inbox_seq, received_at, key_id, body, body_form FROM inbox_repeat WHERE `+where+` ORDER BY id`, args...)
	if err != nil {
		return nil, fmt.Errorf("listing deliveries: %w", err)
	}
	return collect(rows, func(r *Repeat) error {
		var received sql.NullInt64
		var stored []byte
		var form int
		if err := rows.Scan(&r.ID, &r.InboxSeq, &received, &r.KeyID, &stored, &form); err != nil || stored == nil {
			r.ReceivedAt = instant(received)
			return err
		}
		r.ReceivedAt = instant(received)
		var err error
		r.Body, err = unpack(stored, form)
		return err
	})
}

// lastReceived is when the sender was last heard, by any delivery; NULL where never.
const lastReceived = `nullif(max(coalesce((SELECT received_at FROM inbox ORDER BY seq DESC LIMIT 1), 0),
	coalesce((SELECT received_at FROM inbox_repeat ORDER BY id DESC LIMIT 1), 0)), 0)`

// Verified is what [DB.Verify] found to be in order.
type Verified struct {
	Messages int64
	Repeats  int64
}

// Verify reads the whole inbox and checks that no row is missing, that every body still has the hash it came with, and
// that the chain over the rows is whole. The error names the first row that is not as it was written.
func (d *DB) Verify(ctx context.Context) (Verified, error) {
	var v Verified
	err := d.Read(ctx, func(s Snapshot) (err error) {
		v.Messages, err = s.verify(ctx, "inbox", `SELECT seq, received_at, body, body_form, body_size, body_sha256, chain,
			message_id, request_id, type, key_id, coalesce(sent_at, ''), body_size FROM inbox ORDER BY seq`, 6, false)
		if err != nil {
			return err
		}
		v.Repeats, err = s.verify(ctx, "inbox_repeat", `SELECT r.id, r.received_at, r.body, r.body_form, r.body_size, r.body_sha256, r.chain,
			i.message_id, r.key_id, iif(r.differs, 'true', 'false'), r.body_size
			FROM inbox_repeat r JOIN inbox i ON i.seq = r.inbox_seq ORDER BY r.id`, 4, true)
		return err
	})
	return v, err
}

// verify walks one table. Behind its fixed columns the query has the words of the chain. mayLack says that a body may
// be missing, namely where the third word says that it does not differ.
func (s Snapshot) verify(ctx context.Context, table, query string, words int, mayLack bool) (int64, error) {
	rows, err := s.QueryContext(ctx, query)
	if err != nil {
		return 0, err
	}
	defer func() { _ = rows.Close() }()
	var n int64
	var previous []byte
	for rows.Next() {
		var r chainRow
		word := make([]string, words)
		into := []any{&r.at, &r.received, &r.stored, &r.form, &r.size, &r.sum, &r.link}
		for i := range word {
			into = append(into, &word[i])
		}
		if err := rows.Scan(into...); err != nil {
			return n, fmt.Errorf("%s: row %d cannot be read: %w", table, n+1, err)
		}
		if n++; r.at != n {
			return n, fmt.Errorf("%s: row %d is missing", table, n)
		}
		lacks := mayLack && word[2] == "false"
		if fault := r.fault(previous, word, lacks); fault != nil {
			return n, fmt.Errorf("%s: %w", table, fault)
		}
		previous = r.link
	}
	if err := rows.Err(); err != nil {
		return n, err
	}
	var highest int64
	err = s.QueryRowContext(ctx, `SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = ?), 0)`, table).Scan(&highest)
	if err == nil && highest > n {
		err = fmt.Errorf("%s: %d rows are missing at the end", table, highest-n)
	}
	return n, err
}

// chainRow is a row as the chain sees it.
type chainRow struct {
	at, received, size int64
	stored, sum, link  []byte
	form               int
}

// fault says what is wrong with the row; nil where it is as it was written.
func (r chainRow) fault(previous []byte, words []string, lacks bool) error {
	if len(r.sum) != sha256.Size {
		return fmt.Errorf("the hash of row %d is damaged", r.at)
	}
	if lacks != (r.stored == nil) {
		return fmt.Errorf("the body of row %d was taken away or added", r.at)
	}
	if !lacks {
		body, err := unpack(r.stored, r.form)
		if got := sha256.Sum256(body); err != nil || !bytes.Equal(got[:], r.sum) || int64(len(body)) != r.size {
			return fmt.Errorf("the body of row %d is not the one that came in", r.at)
		}
	}
	if !bytes.Equal(chain(previous, r.at, r.received, [sha256.Size]byte(r.sum), words...), r.link) {
		return fmt.Errorf("the chain breaks at row %d", r.at)
	}
	return nil
}

// collect scans every row into a T and closes rows.
func collect[T any](rows *sql.Rows, scan func(*T) error) ([]T, error) {
	defer func() { _ = rows.Close() }()
	var out []T
	for rows.Next() {
		var t T
		if err := scan(&t); err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, rows.Err()
}
