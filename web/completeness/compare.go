// Package completeness proves that nothing was missed: it compares the sender's own list of what it sent with the
// inbox, by the clock and when somebody asks, and has the sender send again what is missing. It needs an API key;
// without one nothing of it runs.
package completeness

import (
	"slices"
	"strings"
	"time"

	"carebell/db"
	"carebell/web/metriport"
)

// Window is how far back the sender keeps its list.
const Window = 30 * 24 * time.Hour

// Compared is how the sender's list and the inbox fit. Sent = Here + Missing + Pending.
type Compared struct {
	Sent    int
	Here    int
	Pending int // under way
	Earlier int // delivered before Carebell got its first message, so to another receiver
	Late    int // here although listed as failed: we answered too late, or it came by a retry
	Pings   int // never data; counted and otherwise left out
	Missing []db.Gap
}

// Compare looks at every entry of the sender's list. here has the ids that are in the inbox, read after the list was;
// began is when the inbox got its first message, zero where it has none. Pure.
func Compare(list []metriport.Delivery, here map[string]bool, began time.Time) Compared {
	var c Compared
	for _, d := range list {
		switch {
		case d.Type == string(metriport.Ping):
			c.Pings++
			continue
		case here[d.ID]:
			c.Here++
			if d.Status == metriport.DeliveryFailure {
				c.Late++
			}
		case d.Status == metriport.DeliveryProcessing:
			c.Pending++
		case d.Status == metriport.DeliverySuccess && (began.IsZero() || !d.At.IsZero() && d.At.Before(began)):
			c.Earlier++
			continue
		default:
			c.Missing = append(c.Missing, db.Gap{MessageID: d.ID, Type: d.Type, SentAt: d.At, Status: d.Status, Detail: d.Detail, HTTPStatus: d.HTTPStatus})
		}
		c.Sent++
	}
	slices.SortFunc(c.Missing, func(a, b db.Gap) int {
		if by := a.SentAt.Compare(b.SentAt); by != 0 {
			return by
		}
		return strings.Compare(a.MessageID, b.MessageID)
	})
	return c
}
