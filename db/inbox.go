package db

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Received is one signed delivery on its way into the inbox. Every field must be the caller's own copy: the row is
// written after the handler's buffers may have been reused.
type Received struct {
	MessageID string
	Shared    bool // other messages have this id too: only with its body it names the message
	RequestID string
	Type      string
	SentAt    time.Time // meta.when; zero where absent
	KeyID     string    // fingerprint of the key that signed
	Body      []byte    // as it came
}

// idEnd ends the id as it was sent in the key of a message whose id is shared. No id has it: it is no printable character.
const idEnd = "\x1f"

// key is what is unique for ever, in the column message_id: the message's id, and where that is shared the hash of its
// body behind it. So the same body is the same message however often and by whomever it is delivered, and the
// dashboard's test events, which all have one id, are each their own.
func (d *delivery) key() string {
	if !d.Shared {
		return d.MessageID
	}
	return d.MessageID + idEnd + hex.EncodeToString(d.sum[:])
}

// asSent is the id of a message as it was sent, and whether it is shared.
func asSent(key string) (id string, shared bool) {
	id, _, shared = strings.Cut(key, idEnd)
	return id, shared
}

// Receipt says what became of a delivery that is now durable.
type Receipt struct {
	Seq    int64 // of the inbox row
	Repeat bool  // the message was in the inbox already; this delivery was added to it
}

// ErrClosed is returned for a delivery that came after the inbox stopped.
var ErrClosed = errors.New("the inbox is closed")

// Limits of one group commit: as many deliveries as wait, up to these.
const (
	groupRows  = 256
	groupBytes = 64 << 20
	queueRows  = 1024

	statementBytes = 4 << 20 // of bodies in one statement, which copies them
)

var (
	insertInbox = newInsertion(`INSERT OR FAIL INTO inbox (seq, message_id, request_id, type, sent_at, received_at, key_id, body, body_form, body_size, body_sha256, chain)`, 12, ``)
	// Not OR FAIL: a reference to the message makes SQLite keep copies anyway.
	insertRepeat = newInsertion(`INSERT INTO inbox_repeat (id, inbox_seq, received_at, key_id, differs, body, body_form, body_size, body_sha256, chain)`, 10, ``)
	lookMessages = newLookup(`SELECT message_id, seq, body_sha256 FROM inbox WHERE message_id IN (%s)`)
)

// Inbox takes deliveries from many handlers and commits whatever waits in one transaction: one fsync for many, and no
// delay for one alone. Make it with [DB.OpenInbox]; the process that serves has one.
type Inbox struct {
	db        *DB
	queue     chan *delivery
	stop      chan struct{}
	done      chan struct{}
	closeOnce sync.Once
	group     int

	last, lastRepeat link // the ends of the two chains; the writer goroutine's own
}

type delivery struct {
	Received
	stored  []byte // body as it goes into the row
	form    int
	sum     [sha256.Size]byte
	receipt Receipt
	err     error
	settled chan struct{}
}

// link is the end of a hash chain: the number of the last row and its chain value.
type link struct {
	at    int64
	chain []byte
}

// OpenInbox starts the writer goroutine. group is the most deliveries of one commit; 0 means the usual.
func (d *DB) OpenInbox(ctx context.Context, group int) (*Inbox, error) {
	if group <= 0 {
		group = groupRows
	}
	in := &Inbox{db: d, queue: make(chan *delivery, queueRows), stop: make(chan struct{}), done: make(chan struct{}), group: group}
	if err := in.findEnds(ctx); err != nil {
		return nil, err
	}
	d.writer.mu.Lock()
	d.writer.deliveries = func() int { return len(in.queue) }
	d.writer.mu.Unlock()
	go in.run()
	return in, nil
}

func (in *Inbox) findEnds(ctx context.Context) error {
	for table, end := range map[string]*link{"inbox": &in.last, "inbox_repeat": &in.lastRepeat} {
		column := map[string]string{"inbox": "seq", "inbox_repeat": "id"}[table]
		err := in.db.read.QueryRowContext(ctx, "SELECT "+column+", chain FROM "+table+" ORDER BY "+column+" DESC LIMIT 1").Scan(&end.at, &end.chain)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("cannot find the end of the %s: %w", table, err)
		}
	}
	return nil
}

// Append makes one delivery durable and returns when it is. After an error nothing is promised: it may or may not be
// there, and the sender is right to deliver it again. ctx bounds the wait, not the commit.
func (in *Inbox) Append(ctx context.Context, r Received) (Receipt, error) {
	d := &delivery{Received: r, sum: sha256.Sum256(r.Body), settled: make(chan struct{})}
	d.stored, d.form = pack(r.Body)
	select {
	case <-in.stop:
		return Receipt{}, ErrClosed
	default:
	}
	select {
	case in.queue <- d:
	case <-in.stop:
		return Receipt{}, ErrClosed
	case <-ctx.Done():
		return Receipt{}, fmt.Errorf("waiting for the inbox: %w", ctx.Err())
	}
	select {
	case <-d.settled:
		return d.receipt, d.err
	case <-ctx.Done():
		return Receipt{}, fmt.Errorf("waiting for the commit: %w", ctx.Err())
	case <-in.done:
		select {
		case <-d.settled:
			return d.receipt, d.err
		default:
			return Receipt{}, ErrClosed
		}
	}
}

// Close commits what waits and ends the writer goroutine.
func (in *Inbox) Close() {
	in.closeOnce.Do(func() { close(in.stop) })
	<-in.done
}

func (in *Inbox) run() {
	defer close(in.done)
	for {
		select {
		case d := <-in.queue:
			in.commit([]*delivery{d}, false)
		case <-in.stop:
			for {
				select {
				case d := <-in.queue:
					in.commit([]*delivery{d}, false)
				default:
					return
				}
			}
		}
	}
}

// collect adds what already waits to group, without waiting for more.
func (in *Inbox) collect(group []*delivery) []*delivery {
	size := 0
	for _, d := range group {
		size += len(d.stored)
	}
	for len(group) < in.group && size < groupBytes {
		select {
		case d := <-in.queue:
			group = append(group, d)
			size += len(d.stored)
		default:
			return group
		}
	}
	return group
}

// commit writes a group in one transaction. Where that fails for a reason that may lie in one row, each row gets a
// transaction of its own, so that one cannot cost the others.
func (in *Inbox) commit(group []*delivery, alone bool) {
	last, lastRepeat := in.last, in.lastRepeat
	err := in.db.submit(context.Background(), func(tx *Tx) error {
		if !alone {
			group = in.collect(group) // here, not before: while the connection was busy, more came
		}
		if err := in.write(tx, group); err != nil {
			return err
		}
		tx.Visible()
		return nil
	}, true)
	in.db.writer.arrived(len(group))
	if err != nil {
		in.last, in.lastRepeat = last, lastRepeat
		if len(group) > 1 && in.db.BrokenBy() == nil {
			for _, d := range group {
				in.commit([]*delivery{d}, true)
			}
			return
		}
	}
	for _, d := range group {
		if d.err = err; err != nil {
			d.receipt = Receipt{}
		}
		close(d.settled)
	}
}

// first is the first delivery of a message.
type first struct {
	seq int64
	sum []byte
}

// write adds deliveries: as messages, or to the messages they repeat. Which of the two is looked up first, because an insert
// that finds a conflict would still use up a number, and a gap in the numbers means that a row is missing.
func (in *Inbox) write(tx *Tx, group []*delivery) error {
	ctx := context.Background()
	keys := make([]any, len(group))
	for i, d := range group {
		keys[i] = d.key()
	}
	known := make(map[string]first, len(group))
	err := tx.look(ctx, lookMessages, keys, func(rows *sql.Rows) error {
		var key string
		var f first
		err := rows.Scan(&key, &f.seq, &f.sum)
		known[key] = f
		return err
	})
	if err != nil {
		return fmt.Errorf("looking for the first deliveries: %w", err)
	}
	messages, repeats, size := make([]any, 0, len(group)*insertInbox.columns), []any(nil), 0
	flush := func() error {
		_, err1 := tx.insert(ctx, insertInbox, messages)
		_, err2 := tx.insert(ctx, insertRepeat, repeats)
		messages, repeats, size = messages[:0], repeats[:0], 0
		if err := errors.Join(err1, err2); err != nil {
			return fmt.Errorf("inserting into the inbox: %w", err)
		}
		return nil
	}
	for i, d := range group {
		if size += len(d.stored); size > statementBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		key := keys[i].(string) //nolint:forcetypeassert // made above
		if f, ok := known[key]; ok {
			repeats = append(repeats, in.repeat(tx, d, f)...)
			continue
		}
		next := link{at: in.last.at + 1}
		sent := millis(d.SentAt)
		next.chain = chain(in.last.chain, next.at, tx.Now, d.sum, key, d.RequestID, d.Type, d.KeyID, chained(sent), strconv.Itoa(len(d.Body)))
		messages = append(messages, next.at, key, d.RequestID, d.Type, sent, tx.Now, d.KeyID, d.stored, d.form, len(d.Body), d.sum[:], next.chain)
		in.last = next
		d.receipt = Receipt{Seq: next.at}
		known[key] = first{next.at, d.sum[:]}
	}
	return flush()
}

// repeat is the row of a delivery that repeats a message.
func (in *Inbox) repeat(tx *Tx, d *delivery, f first) []any {
	differs := !bytes.Equal(f.sum, d.sum[:])
	var body []byte
	if differs {
		body = d.stored
	}
	next := link{at: in.lastRepeat.at + 1}
	next.chain = chain(in.lastRepeat.chain, next.at, tx.Now, d.sum, d.key(), d.KeyID, strconv.FormatBool(differs), strconv.Itoa(len(d.Body)))
	in.lastRepeat = next
	d.receipt = Receipt{Seq: f.seq, Repeat: true}
	return []any{next.at, f.seq, tx.Now, d.KeyID, differs, body, d.form, len(d.Body), d.sum[:], next.chain}
}

// chained is a time as it goes into the chain; one that was not sent is not the same as zero.
func chained(t sql.NullInt64) string {
	if !t.Valid {
		return ""
	}
	return strconv.FormatInt(t.Int64, 10)
}

// chain binds a row to the one before it: SHA-256 over the previous chain value and all that identifies the row.
func chain(previous []byte, at, receivedAt int64, body [sha256.Size]byte, words ...string) []byte {
	h := sha256.New()
	h.Write(previous)
	var n [8]byte
	put := func(v int64) { binary.BigEndian.PutUint64(n[:], uint64(v)); h.Write(n[:]) }
	put(at)
	put(receivedAt)
	h.Write(body[:])
	for _, w := range words {
		put(int64(len(w)))
		h.Write([]byte(w))
	}
	return h.Sum(nil)
}

// Forms of a stored body.
const (
	formRaw  = 0
	formZstd = 1
)

// Bodies below this size are mostly a presigned URL, which does not compress: they are not worth the time.
const packFrom = 4096

// The coders are made once: both are safe for concurrent use in the way they are used here.
var (
	encoder, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	decoder, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(256<<20))
)

// pack returns the body as it is stored: compressed where that makes it smaller.
func pack(body []byte) ([]byte, int) {
	if len(body) >= packFrom {
		if small := encoder.EncodeAll(body, make([]byte, 0, len(body)/2)); len(small) < len(body) {
			return small, formZstd
		}
	}
	if body == nil {
		body = []byte{} // nil would be NULL
	}
	return body, formRaw
}

// unpack is the inverse of pack.
func unpack(stored []byte, form int) ([]byte, error) {
	switch form {
	case formRaw:
		return stored, nil
	case formZstd:
		return decoder.DecodeAll(stored, nil)
	default:
		return nil, fmt.Errorf("body form %d is not known to this version", form)
	}
}
