package web

import (
	"strconv"
	"strings"
	"time"

	"carebell/db"
	"carebell/views"
)

// delay is how long a notice was on its way, by who had it. A part is negative where it is not known: its ends were not
// sent, are days, or contradict each other.
type delay struct {
	hospital time.Duration // from the event until the sender had the hospital's message
	network  time.Duration // until the sender sent it on
	both     time.Duration // hospital and network together, where what lies between was not sent
	here     time.Duration // until it was received
}

const unknownDelay = -1

func delayOf(n db.Notification) delay {
	happened := n.EventAt
	if n.EventDay {
		happened = time.Time{}
	}
	d := delay{
		hospital: elapsed(happened, n.SourceSentAt), network: elapsed(n.SourceSentAt, n.SentAt), both: unknownDelay, here: elapsed(n.SentAt, n.ReceivedAt),
	}
	if n.SourceSentAt.IsZero() {
		d.both = elapsed(happened, n.SentAt)
	}
	return d
}

// noticeLate is from when a notice counts as late: two hours after what it tells of. Most hospitals' notices are here within
// minutes, and a call the same day is still made in time after an hour. It is counted from the event to the receipt here, whoever
// had the notice meanwhile. What happened on a day that was sent without a time is never late.
const noticeLate = 2 * time.Hour

// late says by how much a notice was late: "9 h"; "" where it was not, or that cannot be told.
func late(n db.Notification) string {
	if n.EventDay {
		return ""
	}
	if took := elapsed(n.EventAt, n.ReceivedAt); took >= noticeLate {
		return views.Long(took)
	}
	return ""
}

func elapsed(from, to time.Time) time.Duration {
	if from.IsZero() || to.IsZero() {
		return unknownDelay
	}
	return to.Sub(from)
}

// words says the parts that are known: "hospital 42 min, network 6 s, here 0.3 s".
func (d delay) words() string {
	var parts []string
	for _, p := range []struct {
		who  string
		took time.Duration
	}{{"hospital", d.hospital}, {"network and hospital", d.both}, {"network", d.network}, {"here", d.here}} {
		if p.took >= 0 {
			parts = append(parts, p.who+" "+lasted(p.took))
		}
	}
	return strings.Join(parts, ", ")
}

// lasted is a length of time in one unit; seconds to a tenth where they are few.
func lasted(d time.Duration) string {
	if d < 10*time.Second {
		return strings.TrimSuffix(strconv.FormatFloat(d.Seconds(), 'f', 1, 64), ".0") + " s"
	}
	return views.Long(d)
}

// seconds is a part of a delay for tables of other programs; "" where it is not known.
func seconds(d time.Duration) string {
	if d < 0 {
		return ""
	}
	const milli = 1000
	return strconv.FormatFloat(float64(d.Milliseconds())/milli, 'f', -1, 64)
}
