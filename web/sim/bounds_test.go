package sim

import (
	"testing"
	"time"
)

// TestMemoryStaysBounded plays two days of live events, ten seconds apart.
func TestMemoryStaysBounded(t *testing.T) {
	now := time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)
	s := New(Options{Now: func() time.Time { return now }, Seed: 1})
	s.Backlog(7)
	running, stories, held := 0, 0, 0
	for range 20_000 {
		now = now.Add(10 * time.Second)
		s.Next()
		running, stories = max(running, len(s.running)), max(stories, len(s.stories))
		held = max(held, len(s.store.held))
		if len(s.store.held) != len(s.store.order) {
			t.Fatalf("%d objects held, %d listed", len(s.store.held), len(s.store.order))
		}
	}
	// Objects live at most 4 hours and 10 minutes: 1,500 messages of a few objects each.
	if running > maxRunning+6 || stories > 40 || held > 5400 || len(s.home) > len(s.people) {
		t.Errorf("at most %d stays and %d stories running, %d objects, %d at home", running, stories, held, len(s.home))
	}
	t.Logf("at most %d stays and %d stories running, %d objects", running, stories, held)

	for range maxHeld { // and when the clock stands still
		s.Next()
	}
	if n := len(s.store.held); n > maxHeld {
		t.Errorf("%d objects held", n)
	}
}
