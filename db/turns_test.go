package db

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestWritesThatWaitAreOneCommit: what people do while the writer is busy is written together, and what one of them does
// wrong takes back nothing but its own.
func TestWritesThatWaitAreOneCommit(t *testing.T) {
	d := fresh(t)
	var told atomic.Int64
	d.OnCommit(func() { told.Add(1) })
	release := held(t, d)
	ended, end := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	write := func(name string, f func(tx *Tx) error, wrong bool) {
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil && name != "panic" {
					t.Errorf("%s panicked: %v", name, p)
				}
			}()
			err := d.Write(t.Context(), func(tx *Tx) error { tx.Visible(); return errors.Join(set(t.Context(), tx, name), f(tx)) })
			if (err != nil) != wrong {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	const good = 20
	for i := range good {
		write(fmt.Sprint("good ", i), func(*Tx) error { return nil }, false)
	}
	write("error", func(*Tx) error { return errors.New("wrong") }, true)
	write("panic", func(*Tx) error { panic("wrong") }, true)
	wg.Go(func() {
		if err := d.Write(ended, func(tx *Tx) error { return set(t.Context(), tx, "gave up") }); err == nil {
			t.Error("whose context ended while it waited: no error")
		}
	})
	wg.Go(func() {
		ctx, cancel := context.WithCancel(t.Context())
		if err := d.Write(ctx, func(tx *Tx) error { defer cancel(); return set(t.Context(), tx, "ended") }); err == nil {
			t.Error("whose context ended while it was written: no error")
		}
	})
	for {
		d.writer.mu.Lock()
		n := len(d.writer.line)
		d.writer.mu.Unlock()
		if n == good+4 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	end()
	time.Sleep(10 * time.Millisecond)
	release()
	wg.Wait()
	if n := told.Load(); n != 1 && n != 2 { // two where the machine was slow: a transaction takes in no more after a while
		t.Errorf("%d commits, want one for all", n)
	}
	if n := d.number(t, `SELECT count(*) FROM setting WHERE name LIKE 'good %'`); n != good || d.number(t, "SELECT count(*) FROM setting") != good {
		t.Errorf("%d of %d good writes are there, of %d in all", n, good, d.number(t, "SELECT count(*) FROM setting"))
	}
}

// TestWhatIsBehindGoesOn while others write without a pause, at the pace of a burst, and is told that they wait.
func TestWhatIsBehindGoesOn(t *testing.T) {
	d := fresh(t)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := d.Write(t.Context(), func(tx *Tx) error { return set(t.Context(), tx, "x") }); err != nil {
					t.Error(err)
				}
				d.writer.arrived(1000)
			}
		})
	}
	for range 4 { // several at once share a turn
		wg.Go(func() {
			for range 20 {
				if err := d.Write(Behind(t.Context()), func(tx *Tx) error { return set(t.Context(), tx, "y") }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 5 {
		pressed := false
		err := d.Write(Behind(t.Context()), func(tx *Tx) error {
			if tx.Pressed() {
				t.Error("a turn that only began should end")
			}
			for until := time.Now().Add(10 * time.Second); !pressed && time.Now().Before(until); {
				pressed = tx.Pressed()
			}
			return nil
		})
		if err != nil || !pressed {
			t.Errorf("a turn was not told that others wait (%v)", err)
		}
	}
	close(stop)
	wg.Wait()
	if err := d.Write(Behind(t.Context()), func(tx *Tx) error {
		time.Sleep(2 * turnTime)
		if tx.Pressed() {
			t.Error("nobody waits, and the turn should end")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := d.Write(Behind(ended), func(*Tx) error { return nil }); err == nil {
		t.Error("a context that ended before: no error")
	}
}

// TestManyChangesAreOneNumber: a transaction that changes more than a screen is told one by one sends every screen its
// whole list, and costs one row.
func TestManyChangesAreOneNumber(t *testing.T) {
	d := fresh(t)
	change := func(n int) {
		d.mustWrite(t, func(tx *Tx) error {
			for i := range n {
				if err := errors.Join(tx.changedItem(t.Context(), TopicInbox, int64(i), ""), tx.changedItem(t.Context(), TopicInbox, int64(i), "")); err != nil {
					return err
				}
			}
			return nil
		})
	}
	change(MostChanges)
	before := d.number(t, "SELECT max(seq) FROM change")
	if before != MostChanges {
		t.Fatalf("%d changes have the numbers up to %d: each counts once", MostChanges, before)
	}
	change(MostChanges + 1)
	head := d.number(t, "SELECT max(seq) FROM change")
	if head != before+MostChanges+1 || d.number(t, "SELECT count(*) FROM change") != MostChanges+1 {
		t.Errorf("the numbers go up to %d with %d rows", head, d.number(t, "SELECT count(*) FROM change"))
	}
	err := d.Read(t.Context(), func(s Snapshot) error {
		if _, err := s.Changes(t.Context(), before, head, MostChanges); !errors.Is(err, ErrTooFarBehind) {
			t.Errorf("a screen that was up to date gets %v", err)
		}
		list, err := s.Changes(t.Context(), head, head, MostChanges)
		if len(list) > 0 {
			t.Errorf("a screen that is up to date gets %v", list)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
