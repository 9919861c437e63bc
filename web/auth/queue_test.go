package auth

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"
)

// TestKnownDevicesGoAheadOfTheQueue, however many strangers wait, and too many strangers are turned away at once.
func TestKnownDevicesGoAheadOfTheQueue(t *testing.T) {
	var q queue
	for range hashers {
		if err := q.enter(t.Context(), false); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	var order []bool
	var all sync.WaitGroup
	wait := func(known bool, n int) {
		all.Go(func() {
			if err := q.enter(context.Background(), known); err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			order = append(order, known)
			mu.Unlock()
			q.leave()
		})
		for { // until it is in the line
			q.mu.Lock()
			got := len(q.known) + len(q.others)
			q.mu.Unlock()
			if got == n {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}
	for i := range mostWaiting {
		wait(false, i+1)
	}
	if err := q.enter(t.Context(), false); !errors.Is(err, ErrBusy) {
		t.Errorf("one stranger too many gets %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.enter(gone, true); !errors.Is(err, context.Canceled) {
		t.Errorf("who goes away gets %v", err)
	}
	wait(true, mostWaiting+1)
	q.leave()
	all.Wait()
	q.leave()
	if slices.Index(order, true) != 0 || len(order) != mostWaiting+1 || q.taken != 0 {
		t.Errorf("the known one is number %d of %d; %d places are still taken", slices.Index(order, true), len(order), q.taken)
	}
}
