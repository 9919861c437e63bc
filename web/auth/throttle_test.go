package auth

import (
	"fmt"
	"testing"
	"time"
)

// TestThrottleStaysBounded: guesses at ever new accounts push out those that were tried least recently, and what is
// being guessed at right now still has to wait.
func TestThrottleStaysBounded(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	g := newGate()
	guess := func(email string) time.Duration {
		now = now.Add(time.Millisecond)
		return g.try(who{email: email, from: email}, now)
	}
	guess("first@clinic.example")
	for i := range mostTracked + 500 {
		guess(fmt.Sprintf("%d@clinic.example", i))
		if i%1000 == 0 {
			guess("victim@clinic.example")
		}
		for _, tracked := range []throttle{g.pairs, g.accounts, g.addresses} {
			if len(tracked.tries) > mostTracked {
				t.Fatalf("%d are tracked after %d", len(tracked.tries), i)
			}
		}
	}
	if _, ok := g.accounts.tries["first@clinic.example"]; ok {
		t.Error("the account that was tried least recently is still tracked")
	}
	now = now.Add(-time.Millisecond)
	if wait := g.try(who{email: "Victim@clinic.example", from: "victim@clinic.example"}, now); wait == 0 {
		t.Error("a flood of other accounts freed one that was guessed at all the while")
	}
	now = now.Add(forgetAfter + time.Second)
	for i := range mostTracked {
		guess(fmt.Sprintf("late %d@clinic.example", i))
	}
	if n := len(g.accounts.tries); n > mostTracked {
		t.Errorf("%d accounts are tracked after all were forgotten", n)
	}
}
