package web

import (
	"context"
	"fmt"
	"time"

	"carebell/db"
	"carebell/views"
)

// How often what is over is forgotten, and in which steps.
const (
	upkeepEvery = time.Hour
	upkeepRows  = 500
)

// upkeep forgets what nobody needs and takes the day's figures of the disk, by the hour.
func (s *Server) upkeep(ctx context.Context) error {
	ctx = db.Behind(ctx) // deliveries and people's own writes go first
	tick := time.NewTicker(upkeepEvery)
	defer tick.Stop()
	for {
		for _, work := range []func(context.Context) error{s.diskFigures, s.forgetRefusals, s.auth.Prune} {
			if err := work(ctx); err != nil && ctx.Err() == nil {
				s.cfg.Log.Error("the hourly upkeep failed; it is tried again", "error", err)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *Server) forgetRefusals(ctx context.Context) error {
	for more := true; more; {
		if err := s.db.Write(ctx, func(tx *db.Tx) (err error) { more, err = tx.PruneRejections(ctx, upkeepRows); return err }); err != nil {
			return err
		}
	}
	return nil
}

// figuresFor is how far back a forecast looks.
const figuresFor = 30 * 24 * time.Hour

// diskFigures takes the figures of the day, once.
func (s *Server) diskFigures(ctx context.Context) error {
	now := s.cfg.Now()
	today := db.DiskDay{Day: now.In(s.cfg.Zone).Format(time.DateOnly), At: now}
	known := false
	err := s.db.Read(ctx, func(v db.Snapshot) error {
		days, err := v.DiskDays(ctx, now.Add(-48*time.Hour))
		for _, d := range days {
			known = known || d.Day == today.Day
		}
		if err != nil || known {
			return err
		}
		if today.Events, today.Database, err = v.Size(ctx); err != nil {
			return err
		}
		_, today.Files, err = v.Files(ctx)
		return err
	})
	if err != nil || known {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error { return tx.SaveDiskDay(ctx, today) })
}

// forecast says how long the disk lasts, from the figures of the last days and those of now.
type forecast struct {
	perEvent float64 // bytes on the disk
	perDay   float64 // bytes
	days     float64 // until no more than the floor is free
	since    time.Time
	known    bool
	grows    bool
}

// leastSpan is how far apart two figures must be to say something of a day.
const leastSpan = 20 * time.Hour

// forecastOf computes it. room is how much may still be written before files are not fetched.
func forecastOf(days []db.DiskDay, now db.DiskDay, room int64) (f forecast) {
	if now.Events > 0 {
		f.perEvent = float64(now.Database+now.Files) / float64(now.Events)
	}
	if len(days) == 0 || now.At.Sub(days[0].At) < leastSpan {
		return f
	}
	first := days[0]
	f.known, f.since = true, first.At
	grown := float64(now.Database + now.Files - first.Database - first.Files)
	if events := now.Events - first.Events; events > 0 && grown > 0 {
		f.perEvent = grown / float64(events)
	}
	if f.grows = grown > 0; f.grows {
		f.perDay = grown / now.At.Sub(first.At).Hours() * 24
		f.days = max(float64(room), 0) / f.perDay
	}
	return f
}

// facts are the forecast as people read it.
func (f forecast) facts(clock views.Clock) (out []views.Fact) {
	if f.perEvent > 0 {
		out = append(out, views.Fact{Name: "An event takes", Value: "about " + views.Bytes(int64(f.perEvent)), Help: "computed, with its files"})
	}
	switch {
	case !f.known:
		out = append(out, views.Fact{Name: "At this rate", Value: "not known yet", Help: "computed from the second day on"})
	case !f.grows:
		out = append(out, views.Fact{Name: "At this rate", Value: "the disk does not fill", Help: "computed since " + clock.At(f.since).Short()})
	default:
		out = append(out, views.Fact{
			Name: "At this rate", Value: "the disk lasts " + lasts(f.days),
			Help: fmt.Sprintf("computed: %s a day since %s", views.Bytes(int64(f.perDay)), clock.At(f.since).Short()),
		})
	}
	return out
}

// lasts is a number of days in the unit in which it is thought of.
func lasts(days float64) string {
	const month, year = 30.44, 365.25
	switch {
	case days < 1:
		return "less than a day"
	case days < 2*month:
		return views.Counted(int(days), "day")
	case days < 2*year:
		return views.Counted(int(days/month), "month")
	case days < 10*year:
		return views.Counted(int(days/year), "year")
	default:
		return "more than 10 years"
	}
}

// soonFull is when an admin is told that the disk will not last.
const soonFull = 30 // days
