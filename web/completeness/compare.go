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

// Grace is how long a delivery may be under way. The sender gives up on one after seconds; one that is under way for
// longer than this has been forgotten.
const Grace = 30 * time.Minute

// Compared is how the sender's list and the inbox fit: each entry is in one place. Sent = Here + Missing + Pending.
type Compared struct {
	Sent    int
	Here    int
	Pending int // under way
	Late    int // here although listed as failed: we answered too late, or it came by a retry
	Missing []db.Gap

	// What is not here and not missed, because nobody says that it was sent here.
	Earlier   int      // delivered before Carebell got its first message, so to another receiver
	Elsewhere []db.Gap // sent to another address
	ByChoice  []db.Gap // never sent: the account has switched its type off
	Unclear   int      // nothing says that it was sent or failed: its status is not known, or it was forgotten before Carebell was there
	Pings     int      // never data
	Tests     int      // the dashboard's test events
}

// Inbox is what is known here of what the sender may have sent.
type Inbox struct {
	Has   map[string]db.Listed // by message id, read after the list was
	Began time.Time            // when the first message came; zero where none did
	Self  string               // the address of our webhook as it is set, in the form of [metriport.Endpoint]; "" = not known
}

// Compare looks at every entry of the sender's list, which is in order, the newest first. Pure.
func Compare(list []metriport.Delivery, in Inbox, now time.Time) Compared {
	var c Compared
	when := span(list, in)
	ours, seen := in.addresses(list)
	for i, d := range list {
		gap := db.Gap{MessageID: d.ID, Type: d.Type, SentAt: d.At, Status: d.Status, Detail: d.Detail, HTTPStatus: d.HTTPStatus, URL: d.URL}
		elsewhere := d.URL != "" && len(ours) > 0 && !ours[d.URL]
		since := !in.Began.IsZero() && !when[i].from.IsZero() && !when[i].from.Before(in.Began) // made since the first message came here
		has, here := in.Has[d.ID]
		switch {
		case d.Type == string(metriport.Ping):
			c.Pings++
		case has.Test || metriport.IsSample(d.ID):
			c.Tests++
		case here:
			c.Here++
			if d.Status == metriport.DeliveryFailure {
				c.Late++
			}
		case d.Status == metriport.DeliveryProcessing && (when[i].to.IsZero() || now.Sub(when[i].to) < Grace):
			c.Pending++
		case d.Status == metriport.DeliverySuccess && !d.Tried():
			c.ByChoice = append(c.ByChoice, gap)
		case d.Status == metriport.DeliverySuccess && elsewhere,
			d.Status == metriport.DeliveryFailure && elsewhere && seen && !since: // a later one would be lost to everybody
			c.Elsewhere = append(c.Elsewhere, gap)
		case d.Status == metriport.DeliverySuccess && !since:
			c.Earlier++
		case d.Status == metriport.DeliveryProcessing && !since, d.Status != metriport.DeliveryProcessing && !ended(d):
			c.Unclear++
		default:
			c.Missing = append(c.Missing, gap)
		}
	}
	c.Sent = c.Here + len(c.Missing) + c.Pending
	slices.SortFunc(c.Missing, func(a, b db.Gap) int {
		if by := a.SentAt.Compare(b.SentAt); by != 0 {
			return by
		}
		return strings.Compare(a.MessageID, b.MessageID)
	})
	return c
}

// ended says whether the sender says how a delivery ended.
func ended(d metriport.Delivery) bool {
	return d.Status == metriport.DeliverySuccess || d.Status == metriport.DeliveryFailure || d.Tried()
}

// between is what is known of when an entry was made: not before from, and not after to; zero where not known.
type between struct{ from, to time.Time }

// span says when the entries were made. The list need not have times: then one that is here has the time in the message,
// and the others were made between those around them.
func span(list []metriport.Delivery, in Inbox) []between {
	out := make([]between, len(list))
	at := func(d metriport.Delivery) time.Time {
		if d.At.IsZero() {
			return in.Has[d.ID].SentAt
		}
		return d.At
	}
	var known time.Time
	for i, d := range list {
		if t := at(d); !t.IsZero() {
			known = t
		}
		out[i].to = known
	}
	known = time.Time{}
	for i, d := range slices.Backward(list) {
		if t := at(d); !t.IsZero() {
			known = t
		}
		out[i].from = known
	}
	return out
}

// addresses are those at which we may be reached: where what is here was delivered, and what is set. seen says that it is
// known from what is here: what is set may not be what the sender was told.
func (in Inbox) addresses(list []metriport.Delivery) (ours map[string]bool, seen bool) {
	ours = map[string]bool{}
	for _, d := range list {
		if _, here := in.Has[d.ID]; here && d.URL != "" && d.Status == metriport.DeliverySuccess {
			ours[d.URL], seen = true, true
		}
	}
	if in.Self != "" {
		ours[in.Self] = true
	}
	return ours, seen
}
