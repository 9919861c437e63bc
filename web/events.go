package web

import (
	"context"
	"strings"
	"sync"
	"time"

	"carebell/db"
	"carebell/views"
	"carebell/web/metriport"
)

// chartDays is how many days the chart of events shows, today among them.
const chartDays = 30

// eventDays counts events by the practice's day and by group. It reads the days before once, and from then on only
// what came since: the inbox is append-only.
type eventDays struct {
	mu     sync.Mutex
	loaded bool
	upTo   int64                     // number of the last message that is counted
	counts map[string]map[string]int // by day, YYYY-MM-DD, and group
}

// read returns the last days, the oldest first. head is the last message of the snapshot.
func (e *eventDays) read(ctx context.Context, v db.Snapshot, head int64, now time.Time) ([]views.DayCount, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	y, m, d := now.Date()
	first := time.Date(y, m, d-chartDays+1, 0, 0, 0, 0, now.Location())
	if err := e.count(ctx, v, head, first); err != nil {
		return nil, err
	}
	days := make([]views.DayCount, 0, chartDays)
	kept := map[string]map[string]int{}
	for i := range chartDays {
		day := time.Date(y, m, d-chartDays+1+i, 12, 0, 0, 0, now.Location()) // noon is on its day in every zone
		key := day.Format(time.DateOnly)
		groups := map[string]int{}
		for group, n := range e.counts[key] {
			groups[group] = n
		}
		kept[key] = e.counts[key]
		days = append(days, views.DayCount{Day: day, Counts: groups})
	}
	e.counts = kept
	return days, nil
}

func (e *eventDays) count(ctx context.Context, v db.Snapshot, head int64, first time.Time) error {
	var events []db.EventCount
	var err error
	switch {
	case !e.loaded:
		events, err = v.EventsFrom(ctx, first)
	case head > e.upTo:
		events, err = v.EventsAfter(ctx, e.upTo)
	}
	if err != nil {
		return err
	}
	if e.counts == nil {
		e.counts = map[string]map[string]int{}
	}
	for _, c := range events {
		day := c.At.In(first.Location()).Format(time.DateOnly)
		if e.counts[day] == nil {
			e.counts[day] = map[string]int{}
		}
		e.counts[day][eventGroup(c.Type)] += c.N
	}
	e.loaded, e.upTo = true, max(e.upTo, head)
	return nil
}

// eventGroup is the group of the chart that a type belongs to.
func eventGroup(kind string) string {
	switch t := metriport.Type(kind); {
	case t == metriport.PatientPharmacy:
		return views.GroupPharmacy
	case t == metriport.PatientLaboratory:
		return views.GroupLab
	case t == metriport.PatientAdmit, t == metriport.PatientTransfer, t == metriport.PatientDischarge, t == metriport.DischargeSummary, t == metriport.DischargeSummaryBatch:
		return views.GroupADT
	case t == metriport.BulkPatientCreate:
		return views.GroupImports
	case t == metriport.IdentityVerified:
		return views.GroupIdentity
	case !metriport.Known(kind):
		return views.GroupOther
	case strings.HasPrefix(kind, "message."):
		return views.GroupMessages
	case strings.HasPrefix(kind, "network-query.") || strings.HasPrefix(kind, "medical."):
		return views.GroupRecords
	default:
		return views.GroupOther
	}
}
