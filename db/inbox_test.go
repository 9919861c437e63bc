package db

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func inboxOf(t testing.TB, d *DB) *Inbox {
	t.Helper()
	in, err := d.OpenInbox(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(in.Close)
	return in
}

func appendOne(t testing.TB, in *Inbox, id, body string) Receipt {
	t.Helper()
	r, err := in.Append(context.Background(), Received{MessageID: id, RequestID: "r-" + id, Type: "t", SentAt: noon.Add(-time.Hour), KeyID: "k", Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// held keeps the writer busy until release is called, and waits for that many deliveries to queue up behind it.
func held(t *testing.T, d *DB) (release func()) {
	t.Helper()
	in, out := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		d.mustWrite(t, func(*Tx) error { close(in); <-out; return nil })
	})
	<-in
	return func() { close(out); wg.Wait() }
}

// TestOneCommitForMany: what waits is committed together, and what is alone is not delayed.
func TestOneCommitForMany(t *testing.T) {
	const n = 200
	for _, test := range []struct{ group, commits int64 }{{0, 1}, {16, (n + 15) / 16}, {1, n}} {
		t.Run(fmt.Sprint("group ", test.group), func(t *testing.T) {
			d := fresh(t)
			var commits atomic.Int64
			d.OnCommit(func() { commits.Add(1) })
			in, err := d.OpenInbox(t.Context(), int(test.group))
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			release := held(t, d)
			var wg sync.WaitGroup
			for i := range n {
				wg.Go(func() {
					if r := appendOne(t, in, fmt.Sprint("m-", i), "body"); r.Repeat || r.Seq == 0 {
						t.Errorf("%+v", r)
					}
				})
			}
			for len(in.queue) < n-1 { // one is in the writer's hands
				time.Sleep(time.Millisecond)
			}
			release()
			wg.Wait()
			if got := commits.Load(); got != test.commits {
				t.Errorf("%d rows took %d commits, want %d", n, got, test.commits)
			}
			if v, err := d.Verify(t.Context()); err != nil || v.Messages != n {
				t.Errorf("verify: %+v %v", v, err)
			}
			before := commits.Load()
			appendOne(t, in, "alone", "body")
			if got := commits.Load() - before; got != 1 {
				t.Errorf("one alone took %d commits", got)
			}
		})
	}
}

// TestSharedIDNamesAMessageWithItsBody: what has the id of test events is once for each body, also within one group, and
// is not mixed up with a message that has the id for itself. Ids that are not shared are once, whatever the body.
func TestSharedIDNamesAMessageWithItsBody(t *testing.T) {
	d := fresh(t)
	in := inboxOf(t, d)
	receive := func(shared bool, body string) Receipt {
		r, err := in.Append(t.Context(), Received{MessageID: "msg-123", Shared: shared, Type: "t", KeyID: "k", Body: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	release := held(t, d)
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() { receive(i%4 != 0, fmt.Sprint("body ", i%3)) })
	}
	for len(in.queue) < 50 {
		time.Sleep(time.Millisecond)
	}
	release()
	wg.Wait()
	in.Close()
	in = inboxOf(t, d) // it is so after a restart too
	if r := receive(true, "body 1"); !r.Repeat {
		t.Errorf("the same body again is %+v", r)
	}
	if r := receive(true, "body 9"); r.Repeat {
		t.Errorf("another body is %+v", r)
	}
	if r := receive(false, "body 9"); !r.Repeat {
		t.Errorf("another body under an id that is not shared is %+v", r)
	}
	shared, deliveries := 0, 0
	if err := d.Read(t.Context(), func(s Snapshot) error {
		list, err := s.Messages(t.Context(), InboxFilter{})
		for _, m := range list {
			if deliveries += m.Deliveries; m.Shared {
				shared++
			}
			if m.MessageID != "msg-123" {
				t.Errorf("%+v", m)
			}
		}
		if len(list) != 5 {
			t.Errorf("%d messages, want four that share the id and one that does not", len(list))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if shared != 4 || deliveries != 63 {
		t.Errorf("%d messages share the id, and there were %d deliveries", shared, deliveries)
	}
	if v, err := d.Verify(t.Context()); err != nil || v.Messages != 5 || v.Repeats != 58 {
		t.Errorf("verify: %+v %v", v, err)
	}
}

// TestOneBadRowCostsNoOther in the group it was committed with; the chain has no gap where it was.
func TestOneBadRowCostsNoOther(t *testing.T) {
	d := fresh(t)
	d.mustWrite(t, func(tx *Tx) error {
		_, err := tx.exec(t.Context(), `CREATE TRIGGER refuse BEFORE INSERT ON inbox WHEN NEW.message_id LIKE 'bad-%' BEGIN SELECT RAISE (ABORT, 'refused'); END`)
		return err
	})
	d.mustWrite(t, func(tx *Tx) error {
		_, err := tx.exec(t.Context(), `CREATE TRIGGER full BEFORE INSERT ON inbox WHEN NEW.message_id LIKE 'full-%' BEGIN SELECT RAISE (ROLLBACK, 'full'); END`)
		return err
	})
	in := inboxOf(t, d)
	release := held(t, d)
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			id := fmt.Sprint([]string{"good-", "bad-", "good-", "good-", "full-", "good-"}[i%6], i)
			r, err := in.Append(t.Context(), Received{MessageID: id, Body: []byte(id)})
			if good := strings.HasPrefix(id, "good"); (err == nil) != good || good != (r.Seq > 0) {
				t.Errorf("%s: %+v %v", id, r, err)
			}
		})
	}
	for len(in.queue) < 50 {
		time.Sleep(time.Millisecond)
	}
	release()
	wg.Wait()
	if v, err := d.Verify(t.Context()); err != nil || v.Messages != 40 {
		t.Errorf("verify: %+v %v", v, err)
	}
}

// TestTheSameMessageTwiceInOneGroup is one row and one repeat, whichever body came first.
func TestTheSameMessageTwiceInOneGroup(t *testing.T) {
	d := fresh(t)
	in := inboxOf(t, d)
	release := held(t, d)
	var wg sync.WaitGroup
	var firsts atomic.Int64
	for i := range 30 {
		wg.Go(func() {
			if r := appendOne(t, in, "same", fmt.Sprint("body ", i%2)); !r.Repeat {
				firsts.Add(1)
			}
		})
	}
	release()
	wg.Wait()
	if v, err := d.Verify(t.Context()); err != nil || v.Messages != 1 || v.Repeats != 29 || firsts.Load() != 1 {
		t.Errorf("verify: %+v %v, %d firsts", v, err, firsts.Load())
	}
	if n := d.number(t, "SELECT count(*) FROM inbox_repeat WHERE differs AND body IS NOT NULL"); n != 15 {
		t.Errorf("%d other bodies are kept, want 15", n)
	}
	if n := d.number(t, "SELECT count(*) FROM inbox_repeat WHERE NOT differs AND body IS NULL"); n != 14 {
		t.Errorf("%d equal bodies are not kept, want 14", n)
	}
}

// TestCloseCommitsWhatWaits, and what comes later is refused.
func TestCloseCommitsWhatWaits(t *testing.T) {
	d := fresh(t)
	in := inboxOf(t, d)
	release := held(t, d)
	var taken, refused atomic.Int64
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			switch _, err := in.Append(t.Context(), Received{MessageID: fmt.Sprint("m-", i), Body: []byte("x")}); {
			case err == nil:
				taken.Add(1)
			case errors.Is(err, ErrClosed):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	for len(in.queue) < 50 {
		time.Sleep(time.Millisecond)
	}
	go release()
	in.Close()
	wg.Wait()
	if n := d.number(t, "SELECT count(*) FROM inbox"); n < taken.Load() || taken.Load() < 50 || taken.Load()+refused.Load() != 100 {
		t.Errorf("%d taken, %d refused, %d in the inbox", taken.Load(), refused.Load(), n)
	}
	if _, err := in.Append(t.Context(), Received{MessageID: "late"}); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	in.Close() // twice is once
}

// TestAppendWaitsNoLongerThanItsContext.
func TestAppendWaitsNoLongerThanItsContext(t *testing.T) {
	d := fresh(t)
	in := inboxOf(t, d)
	release := held(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := in.Append(ctx, Received{MessageID: "m", Body: []byte("x")})
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Append returned %v", err)
	}
	release()
}

// TestBodiesAreKeptByteForByte, compressed or not.
func TestBodiesAreKeptByteForByte(t *testing.T) {
	d := fresh(t)
	in := inboxOf(t, d)
	noise := make([]byte, 100_000)
	for i := range noise {
		noise[i] = byte(i * i * 2654435761 >> 13)
	}
	for i, body := range [][]byte{nil, {}, {0}, []byte("x"), bytes.Repeat([]byte{0}, 511), bytes.Repeat([]byte("a"), 512), bytes.Repeat([]byte("漢"), 5000), noise, append(noise[:511:511], 7)} {
		r, err := in.Append(t.Context(), Received{MessageID: fmt.Sprint(i), Body: body})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Read(t.Context(), func(s Snapshot) error {
			got, err := s.Body(t.Context(), r.Seq)
			if !bytes.Equal(got, body) {
				t.Errorf("body %d: %d bytes came back of %d", i, len(got), len(body))
			}
			return err
		}); err != nil {
			t.Error(err)
		}
	}
	if err := d.Read(t.Context(), func(s Snapshot) error { _, err := s.Body(t.Context(), 999); return err }); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("a body that is not there: %v", err)
	}
	if _, err := unpack([]byte("x"), 7); err == nil {
		t.Error("a form that is not known was unpacked")
	}
}

// TestVerifyFindsDamage changes the closed database as somebody with the file could.
func TestVerifyFindsDamage(t *testing.T) {
	build := func(t *testing.T) string {
		dir := t.TempDir()
		d := openDir(t, dir, true)
		in := inboxOf(t, d)
		for i := range 6 {
			if i == 5 {
				appendOne(t, in, "m-2", "another body")
				appendOne(t, in, "m-3", "body 2")
				appendOne(t, in, "m-4", strings.Repeat("long ", 500))
			}
			appendOne(t, in, fmt.Sprint("m-", i+1), strings.Repeat(fmt.Sprint("body ", i), 1+200*(i%2))) // raw and compressed
		}
		in.Close()
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	for name, test := range map[string]struct {
		damage string
		want   string // in the error; "" = nothing is wrong
	}{
		"nothing":                                {"SELECT 1", ""},
		"a body":                                 {"UPDATE inbox SET body = x'00' WHERE seq = 3", "inbox: the body of row 3"},
		"one bit of a compressed body":           {"UPDATE inbox SET body = CAST(substr(body, 1, 20) || x'ff' || substr(body, 22) AS BLOB) WHERE seq = 4", "inbox: the body of row 4"},
		"a body and its hash":                    {"UPDATE inbox SET (body, body_form, body_sha256) = (SELECT body, body_form, body_sha256 FROM inbox WHERE seq = 1) WHERE seq = 3", "inbox: the chain breaks at row 3"},
		"a body's hash":                          {"UPDATE inbox SET body_sha256 = zeroblob(32) WHERE seq = 3", "row 3"},
		"a body's hash cut off":                  {"UPDATE inbox SET body_sha256 = x'00' WHERE seq = 3", "row 3"},
		"a body's form":                          {"UPDATE inbox SET body_form = 1 WHERE seq = 3", "row 3"},
		"a body's size":                          {"UPDATE inbox SET body_size = 7 WHERE seq = 3", "row 3"},
		"a message id":                           {"UPDATE inbox SET message_id = 'x' WHERE seq = 5", "inbox: the chain breaks at row 5"},
		"a request id":                           {"UPDATE inbox SET request_id = 'x' WHERE seq = 3", "inbox: the chain breaks at row 3"},
		"a type":                                 {"UPDATE inbox SET type = 'x' WHERE seq = 3", "inbox: the chain breaks at row 3"},
		"a key":                                  {"UPDATE inbox SET key_id = 'x' WHERE seq = 3", "inbox: the chain breaks at row 3"},
		"words moved from one column to another": {"UPDATE inbox SET request_id = request_id || type, type = '' WHERE seq = 3", "inbox: the chain breaks at row 3"},
		"the time it came":                       {"UPDATE inbox SET received_at = received_at + 1 WHERE seq = 3", "inbox: the chain breaks at row 3"},
		"the time it was sent":                   {"UPDATE inbox SET sent_at = sent_at + 1 WHERE seq = 3", "row 3"},
		"the time it was sent, taken away":       {"UPDATE inbox SET sent_at = NULL WHERE seq = 3", "row 3"},
		"the chain":                              {"UPDATE inbox SET chain = zeroblob(32) WHERE seq = 3", "inbox: the chain breaks at row 3"},
		"the last link of the chain":             {"UPDATE inbox SET chain = zeroblob(32) WHERE seq = 6", "inbox: the chain breaks at row 6"},
		"the first row is missing":               {"DELETE FROM inbox WHERE seq = 1", "inbox: row 1 is missing"},
		"a row in the middle is missing":         {"DELETE FROM inbox WHERE seq = 5", "inbox: row 5 is missing"},
		"the last row is missing":                {"DELETE FROM inbox WHERE seq = 6", "inbox: 1 rows are missing at the end"},
		"all rows are missing":                   {"DELETE FROM inbox", "inbox: 6 rows are missing at the end"},
		"a row closed the gap":                   {"DELETE FROM inbox WHERE seq = 5; UPDATE inbox SET seq = 5 WHERE seq = 6; UPDATE sqlite_sequence SET seq = 5 WHERE name = 'inbox'", "inbox: the chain breaks at row 5"},
		"two rows changed places":                {"UPDATE inbox SET seq = -seq WHERE seq IN (5, 6); UPDATE inbox SET seq = 11 + seq WHERE seq < 0", "row 5"},
		"a repeat's body":                        {"UPDATE inbox_repeat SET body = x'00' WHERE id = 1", "inbox_repeat: the body of row 1"},
		"a repeat's body, taken away":            {"UPDATE inbox_repeat SET body = NULL WHERE id = 1", "row 1"},
		"whether a repeat differs":               {"UPDATE inbox_repeat SET differs = 0 WHERE id = 1", "row 1"},
		"whether a repeat differs, and its body": {"UPDATE inbox_repeat SET differs = 0, body = NULL WHERE id = 3", "row 3"},
		"a repeat's size":                        {"UPDATE inbox_repeat SET body_size = 7 WHERE id = 1", "row 1"},
		"a repeat's time":                        {"UPDATE inbox_repeat SET received_at = 1 WHERE id = 2", "inbox_repeat: the chain breaks at row 2"},
		"a repeat's key":                         {"UPDATE inbox_repeat SET key_id = 'x' WHERE id = 2", "inbox_repeat: the chain breaks at row 2"},
		"what a repeat repeats":                  {"UPDATE inbox_repeat SET inbox_seq = 5 WHERE id = 2", "row 2"},
		"a repeat of nothing":                    {"UPDATE inbox_repeat SET inbox_seq = 99 WHERE id = 2", "inbox_repeat: row 2 is missing"},
		"a repeat is missing":                    {"DELETE FROM inbox_repeat WHERE id = 2", "inbox_repeat: row 2 is missing"},
		"the last repeat is missing":             {"DELETE FROM inbox_repeat WHERE id = 3", "inbox_repeat: 1 rows are missing at the end"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := build(t)
			file, err := sql.Open("sqlite", "file:"+filepath.Join(dir, FileName))
			if err != nil {
				t.Fatal(err)
			}
			for _, trigger := range []string{"inbox_no_update", "inbox_no_delete", "inbox_repeat_no_update", "inbox_repeat_no_delete"} {
				if _, err := file.Exec("DROP TRIGGER " + trigger); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := file.Exec(test.damage); err != nil {
				t.Fatal(err)
			}
			if err := file.Close(); err != nil {
				t.Fatal(err)
			}
			d := openDir(t, dir, false)
			defer func() { _ = d.Close() }()
			v, err := d.Verify(t.Context())
			switch {
			case test.want == "" && (err != nil || v.Messages != 6 || v.Repeats != 3):
				t.Errorf("verify: %+v %v", v, err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("verify: %+v %v, want %q", v, err, test.want)
			}
		})
	}
}

// TestVerifyIsContentAfterARepeat: a message that came again is no message that is missing.
func TestVerifyIsContentAfterARepeat(t *testing.T) {
	d := fresh(t)
	in := inboxOf(t, d)
	for i, id := range []string{"a", "a", "b", "a", "b", "b"} {
		appendOne(t, in, id, "body")
		if v, err := d.Verify(t.Context()); err != nil {
			t.Errorf("after delivery %d: %+v %v", i+1, v, err)
		}
	}
}

// TestChainGoesOnAfterARestart, whether new messages or repeats came last.
func TestChainGoesOnAfterARestart(t *testing.T) {
	dir := t.TempDir()
	for round := range 3 {
		d := openDir(t, dir, true)
		in := inboxOf(t, d)
		for i := range 3 {
			if r := appendOne(t, in, fmt.Sprintf("m-%d-%d", round, i), "body"); r.Seq != int64(3*round+i+1) {
				t.Errorf("round %d: %+v", round, r)
			}
			if r := appendOne(t, in, "m-0-0", "body"); !r.Repeat || r.Seq != 1 {
				t.Errorf("round %d: the repeat is %+v", round, r)
			}
		}
		in.Close()
		if v, err := d.Verify(t.Context()); err != nil || v.Messages != int64(3*round+3) || v.Repeats != int64(3*round+3) {
			t.Errorf("round %d: %+v %v", round, v, err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRejectionsAreCountedByTheHour(t *testing.T) {
	d := fresh(t)
	for range 3 {
		d.mustWrite(t, func(tx *Tx) error {
			tx.Now += 61_000 // of the same hour
			return tx.CountRejections(t.Context(), map[string]int64{"a": 2, "b": 1})
		})
	}
	d.mustWrite(t, func(tx *Tx) error {
		tx.Now += 3_600_000
		return tx.CountRejections(t.Context(), map[string]int64{"a": 5})
	})
	if n := d.number(t, "SELECT n FROM rejection WHERE reason = 'a' AND hour = ?", noon.UnixMilli()); n != 6 {
		t.Errorf("%d of the first hour, want 6", n)
	}
	if n := d.number(t, "SELECT count(*) FROM rejection"); n != 3 {
		t.Errorf("%d rows, want 3", n)
	}
}
