package views

import (
	"fmt"
	"strconv"
)

// Refused is the content of the page of refused requests.
type Refused struct {
	Frame
	Days   int
	At     []Time // the days, oldest first
	Series []Series
}

// Series is how many requests were refused for one reason on each day.
type Series struct {
	Reason string
	N      []int64
	Total  int64
}

// reasonWords says why a request was refused.
func reasonWords(reason string) string {
	switch reason {
	case "no signature":
		return "Not signed"
	case "wrong signature":
		return "Signed with another key"
	case "encoded":
		return "Compressed, which Metriport never does"
	case "too slow":
		return "Came too slowly"
	case "cut short":
		return "Ended before its end"
	case "no room":
		return "Too many large ones at the same time"
	default:
		return reason
	}
}

func (p Refused) choices() []Choice {
	return Choices("/admin/inbox/refused", nil, "days", map[bool]string{true: "30", false: ""}[p.Days == 30], "", "7 days", "30", "30 days")
}

// Size of the chart, in its own units.
const (
	refusedWidth  = 720
	refusedHeight = 160
	refusedFoot   = 20
	refusedHead   = 16
)

// tone is the class of a series: its colour and its pattern.
func tone(i int) string { return "tone-" + strconv.Itoa(i%4) }

type bar struct{ X, Y, W, H, Class string }

func (p Refused) most() int64 {
	most := int64(0)
	for i := range p.At {
		sum := int64(0)
		for _, s := range p.Series {
			sum += s.N[i]
		}
		most = max(most, sum)
	}
	return most
}

// bars are the parts of the chart: one stack a day.
func (p Refused) bars() []bar {
	most := p.most()
	if most == 0 {
		return nil
	}
	step := float64(refusedWidth) / float64(len(p.At))
	var out []bar
	for i := range p.At {
		top := float64(refusedHeight - refusedFoot)
		for k, s := range p.Series {
			if s.N[i] == 0 {
				continue
			}
			h := max(float64(s.N[i])/float64(most)*(refusedHeight-refusedFoot-refusedHead), 2)
			top -= h
			out = append(out, bar{X: unit(float64(i)*step + step*0.15), Y: unit(top), W: unit(step * 0.7), H: unit(h), Class: tone(k)})
		}
	}
	return out
}

type tick struct{ X, Text string }

// ticks are the labels below: at most about eight, however many days.
func (p Refused) ticks() []tick {
	step := float64(refusedWidth) / float64(len(p.At))
	every := (len(p.At) + 7) / 8
	var out []tick
	for i := 0; i < len(p.At); i += every {
		out = append(out, tick{unit((float64(i) + 0.5) * step), p.At[i].DayMonth()})
	}
	return out
}

func unit(f float64) string { return fmt.Sprintf("%.1f", f) }

func (p Refused) summary() string {
	sum := int64(0)
	for _, s := range p.Series {
		sum += s.Total
	}
	return fmt.Sprintf("%d requests refused in %d days; the table below says the same in numbers", sum, p.Days)
}
