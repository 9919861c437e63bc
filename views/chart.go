package views

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The groups of the chart of events.
const (
	GroupADT      = "adt"
	GroupPharmacy = "pharmacy"
	GroupLab      = "lab"
	GroupMessages = "messages"
	GroupRecords  = "records"
	GroupImports  = "imports"
	GroupIdentity = "identity"
	GroupOther    = "other"
)

// EventGroups are the groups in the order they are drawn in, from below.
var EventGroups = []struct{ Key, Label string }{
	{GroupADT, "Admit, transfer, discharge"},
	{GroupPharmacy, "Pharmacy"},
	{GroupLab, "Laboratory"},
	{GroupMessages, "Messages"},
	{GroupRecords, "Records"},
	{GroupImports, "Imports"},
	{GroupIdentity, "Identity"},
	{GroupOther, "Other"},
}

// DayCount is how many events of each group came on a day.
type DayCount struct {
	Day    time.Time // an instant of it, in the practice's zone
	Counts map[string]int
}

// Total counts the events of all groups.
func (d DayCount) Total() int {
	n := 0
	for _, c := range d.Counts {
		n += c
	}
	return n
}

func (d DayCount) label() string { return d.Day.Format("Mon 2 Jan") }

// Size of the chart, in its own units. Bars stand between the margins.
const (
	chartWidth  = 900
	chartHeight = 220
	chartLeft   = 44
	chartRight  = 8
	chartTop    = 8
	chartBottom = 24
	barGap      = 4
)

// EventChart is the chart of events a day as coordinates.
type EventChart struct {
	Days  []DayCount
	Bars  []Bar
	Lines []GridLine
	Words string // what it shows, in one sentence
}

// Bar is one day.
type Bar struct {
	Title string
	Label string // below; "" for most
	X     string // its middle
	Parts []BarPart
}

// BarPart is one group of a day.
type BarPart struct{ Group, X, Y, Width, Height string }

// GridLine is one line of the scale.
type GridLine struct{ Y, TextY, Label string }

// NewEventChart lays the days out, the oldest first.
func NewEventChart(days []DayCount) EventChart {
	c := EventChart{Days: days}
	if len(days) == 0 {
		return c
	}
	most, sum, busiest := 0, 0, days[0]
	for _, d := range days {
		sum += d.Total()
		if d.Total() > most {
			most, busiest = d.Total(), d
		}
	}
	c.Words = fmt.Sprintf("%s in %d days", Counted(sum, "event"), len(days))
	if most > 0 {
		c.Words += fmt.Sprintf("; most on %s, %s", busiest.label(), Count(most))
	}
	top, step := scale(most)
	y := func(n int) float64 {
		return chartTop + float64(chartHeight-chartTop-chartBottom)*(1-float64(n)/float64(top))
	}
	for n := 0; n <= top; n += step {
		c.Lines = append(c.Lines, GridLine{Y: coordinate(y(n)), TextY: coordinate(y(n) + 4), Label: Count(n)})
	}
	slot := float64(chartWidth-chartLeft-chartRight) / float64(len(days))
	for i, d := range days {
		x := chartLeft + slot*float64(i)
		bar := Bar{Title: d.words(), X: coordinate(x + slot/2)}
		if (len(days)-1-i)%7 == 0 {
			bar.Label = d.Day.Format("2 Jan")
		}
		below := 0
		for _, g := range EventGroups {
			n := d.Counts[g.Key]
			if n == 0 {
				continue
			}
			bar.Parts = append(bar.Parts, BarPart{
				Group: g.Key, X: coordinate(x + barGap/2), Width: coordinate(slot - barGap), Y: coordinate(y(below + n)), Height: coordinate(y(below) - y(below+n)),
			})
			below += n
		}
		c.Bars = append(c.Bars, bar)
	}
	return c
}

// words says a day with its groups.
func (d DayCount) words() string {
	lines := []string{d.label() + ": " + Counted(d.Total(), "event")}
	for _, g := range EventGroups {
		if n := d.Counts[g.Key]; n > 0 {
			lines = append(lines, g.Label+" "+Count(n))
		}
	}
	return strings.Join(lines, "\n")
}

// scale returns a round top that holds most, and the step between at most five lines.
func scale(most int) (top, step int) {
	step = 1
	for most > 4*step {
		if strconv.Itoa(step)[0] == '2' { // 1, 2, 5, 10, 20, 50 …
			step = step / 2 * 5
		} else {
			step *= 2
		}
	}
	top = max((most+step-1)/step, 1) * step
	return top, step
}
