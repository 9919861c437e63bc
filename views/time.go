package views

import (
	"fmt"
	"strconv"
	"time"
)

// Clock is the practice's time: what it is now, and in which zone people read it.
type Clock struct {
	Now  time.Time
	Zone *time.Location
}

// ZoneName names the zone; the computer's own has no name but its abbreviation.
func (c Clock) ZoneName() string {
	if name := c.Zone.String(); name != "Local" {
		return name
	}
	return c.local().Format("MST")
}

// At makes t readable in the practice's zone; the zero time stays unknown.
func (c Clock) At(t time.Time) Time { return Time{t: t, clock: c} }

// Day makes a day readable that was sent without a time of day: t lies on it in UTC. It is the same day in every zone. The
// zero time stays unknown.
func (c Clock) Day(t time.Time) Time {
	if t.IsZero() {
		return Time{clock: c}
	}
	y, m, d := t.UTC().Date()
	return Time{t: time.Date(y, m, d, 12, 0, 0, 0, c.Zone), clock: c, day: true}
}

// Time is an instant as people read it, or a day.
type Time struct {
	t     time.Time // of a day, its noon in the practice's zone
	clock Clock
	day   bool
}

// IsDay says whether nothing but the day is known.
func (t Time) IsDay() bool { return t.day }

// Known says whether there is an instant at all.
func (t Time) Known() bool { return !t.t.IsZero() }

// ISO is for machines: UTC, RFC 3339 with milliseconds; of a day YYYY-MM-DD.
func (t Time) ISO() string {
	if t.day {
		return t.DayKey()
	}
	return t.t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// Full is the absolute time with its zone; of a day, the day.
func (t Time) Full() string {
	if t.day {
		return t.local().Format("Mon 2 Jan 2006")
	}
	return t.local().Format("Mon 2 Jan 2006, 15:04:05 MST")
}

// Sortable is the absolute time for tables of other programs, in the practice's zone; "" where there is none.
func (t Time) Sortable() string {
	if !t.Known() {
		return ""
	}
	if t.day {
		return t.DayKey()
	}
	return t.local().Format("2006-01-02 15:04:05")
}

// Short is the time of day, with the day where it is not today.
func (t Time) Short() string {
	switch l, now := t.local(), t.clock.local(); {
	case t.day && l.Year() == now.Year():
		return l.Format("Mon 2 Jan")
	case t.day:
		return l.Format("2 Jan 2006")
	case sameDay(l, now):
		return l.Format("15:04")
	case l.Year() == now.Year():
		return l.Format("Mon 2 Jan, 15:04")
	default:
		return l.Format("2 Jan 2006, 15:04")
	}
}

// Date is the day alone, with the year where it is not this one.
func (t Time) Date() string {
	if l := t.local(); l.Year() != t.clock.local().Year() {
		return l.Format("2 Jan 2006")
	}
	return t.DayMonth()
}

// Seconds is the time of day to the second, with the day where it is not today.
func (t Time) Seconds() string {
	if l := t.local(); !t.day && sameDay(l, t.clock.local()) {
		return l.Format("15:04:05")
	}
	return t.Short()
}

// Ago is how long the instant lies back, in the largest fitting unit; an instant ahead, and a day, is given as it is.
func (t Time) Ago() string {
	if t.day {
		return t.Short()
	}
	d := t.clock.Now.Sub(t.t)
	if d < -time.Minute {
		return t.Short()
	}
	if d < 45*time.Second {
		return "just now"
	}
	return Long(d) + " ago"
}

// Lasting is how long what began at the instant has been going on.
func (t Time) Lasting() string { return Long(max(t.clock.Now.Sub(t.t), 0)) }

// After says whether t is known and lies after from.
func (t Time) After(from Time) bool { return t.Known() && t.t.After(from.t) }

// Day is the day heading, and DayKey its machine form.
func (t Time) Day() string {
	l, now := t.local(), t.clock.local()
	day := l.Format("Mon 2 Jan")
	if l.Year() != now.Year() {
		day = l.Format("Mon 2 Jan 2006")
	}
	switch {
	case sameDay(l, now):
		return "Today, " + day
	case sameDay(l, now.AddDate(0, 0, -1)):
		return "Yesterday, " + day
	default:
		return day
	}
}

// DayMonth is the day in a few letters, for the foot of a chart.
func (t Time) DayMonth() string { return t.local().Format("2 Jan") }

func (t Time) millis() int64 { return t.t.UnixMilli() }

// DayKey is the local day as YYYY-MM-DD.
func (t Time) DayKey() string { return t.local().Format(time.DateOnly) }

// Since is how long after from the instant came; "" where either is unknown or only a day, or the order is odd.
func (t Time) Since(from Time) string {
	if t.day || from.day || !t.Known() || !from.Known() || t.t.Before(from.t) {
		return ""
	}
	return Long(t.t.Sub(from.t))
}

func (t Time) local() time.Time  { return t.t.In(t.clock.Zone) }
func (c Clock) local() time.Time { return c.Now.In(c.Zone) }

func sameDay(a, b time.Time) bool {
	return a.Year() == b.Year() && a.YearDay() == b.YearDay()
}

// Long is a length of time in one unit, as people say it.
func Long(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 2*day:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days", int(d/day))
	}
}

// Age is how old somebody is who was born on an ISO date: in years from the second birthday on, before that in months, in the first
// month in days; "" where the date is none, or lies ahead.
func (c Clock) Age(iso string) string {
	born, err := time.Parse(time.DateOnly, iso)
	now := c.local()
	if err != nil || born.After(time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)) {
		return ""
	}
	months := (now.Year()-born.Year())*12 + int(now.Month()) - int(born.Month())
	if now.Day() < born.Day() {
		months--
	}
	switch {
	case months >= 24:
		return strconv.Itoa(months / 12)
	case months >= 1:
		return Counted(months, "month")
	default:
		return Counted(int(time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC).Sub(born)/(24*time.Hour)), "day")
	}
}

// birthDate is an ISO date as people read it; what is not one is shown as it came.
func birthDate(iso string) string {
	if d, err := time.Parse(time.DateOnly, iso); err == nil {
		return d.Format("2 Jan 2006")
	}
	return iso
}
