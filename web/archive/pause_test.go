package archive

import (
	"testing"
	"time"

	"carebell/db"
)

// TestTriesComeCloserAsALinkDies: an origin that is back for the last tenth of a link's life, or for two seconds of it,
// is asked in time, and however long it is down it is asked no more than some dozens of times.
func TestTriesComeCloserAsALinkDies(t *testing.T) {
	for _, life := range []time.Duration{3 * time.Minute, 10 * time.Minute, time.Hour} {
		began := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
		expires := began.Add(life)
		last, widest, tries := began, time.Duration(0), 0
		for at := began; at.Before(expires); tries++ {
			last = at
			pause := pauseBefore(db.Download{Tries: tries, ExpiresAt: expires}, at)
			widest = max(widest, pause)
			at = at.Add(pause)
		}
		if left := expires.Sub(last); left > time.Second {
			t.Errorf("a link of %s is last tried %s before it dies", life, left)
		}
		if widest > longestWait || tries > int(life/longestWait)+20 {
			t.Errorf("a link of %s is tried %d times, at most %s apart", life, tries, widest)
		}
	}
	if pause := pauseBefore(db.Download{Tries: 3, ExpiresAt: time.Time{}}, time.Now()); pause != 8*time.Second {
		t.Errorf("a dead link waits %s", pause)
	}
}
