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
	var th throttle
	guess := func(email string) time.Duration {
		now = now.Add(time.Millisecond)
		return th.try(email, now)
	}
	guess("first@clinic.example")
	for i := range mostTracked + 500 {
		guess(fmt.Sprintf("%d@clinic.example", i))
		if i%1000 == 0 {
			guess("victim@clinic.example")
		}
		if len(th.who) > mostTracked {
			t.Fatalf("%d accounts are tracked after %d", len(th.who), i)
		}
	}
	if _, ok := th.who["first@clinic.example"]; ok {
		t.Error("the account that was tried least recently is still tracked")
	}
	if wait := guess("Victim@clinic.example"); wait == 0 {
		t.Error("a flood of other accounts freed one that was guessed at all the while")
	}
	now = now.Add(forgetAfter + time.Second)
	guess("late@clinic.example")
	if len(th.who) != 1 {
		t.Errorf("%d accounts are tracked after all were forgotten", len(th.who))
	}
}
