package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// benchReport is what a measure says, in one shape for all of them.
type benchReport struct {
	Name    string        `json:"name"`
	Title   string        `json:"title,omitempty"`
	Figures []benchFigure `json:"figures"`
	Notes   []string      `json:"notes,omitempty"`
}

// benchFigure is one number. What is measured in several ways has a figure for each, named by the thing, a comma and the
// way: they stand in one line of a table.
type benchFigure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Ratio float64 `json:"ratio,omitempty"` // to the figure Of; 0 = to none
	Of    string  `json:"of,omitempty"`
}

func (r *benchReport) add(name string, value float64, unit string) {
	r.Figures = append(r.Figures, benchFigure{Name: name, Value: value, Unit: unit})
}

// against adds a figure with its ratio to another one.
func (r *benchReport) against(name string, value float64, unit, of string, yardstick float64) {
	f := benchFigure{Name: name, Value: value, Unit: unit, Of: of}
	if yardstick > 0 {
		f.Ratio = value / yardstick
	}
	r.Figures = append(r.Figures, f)
}

// delays adds what a number of delays are like, in milliseconds.
func (r *benchReport) delays(name string, all []time.Duration) {
	slices.Sort(all)
	l := loaded{took: all}
	r.add(name+", p50", l.at(0.5), "ms")
	r.add(name+", p99", l.at(0.99), "ms")
}

// compare sets a figure in relation to another.
func (r *benchReport) compare(name, of string) {
	for _, y := range r.Figures {
		for i, f := range r.Figures {
			if y.Name == of && f.Name == name && y.Value > 0 {
				r.Figures[i].Ratio, r.Figures[i].Of = f.Value/y.Value, of
			}
		}
	}
}

// write gives the report as JSON, which [benchTables] reads.
func (r benchReport) write(t terminal) error { return json.NewEncoder(t.out).Encode(r) }

// report is a table of rates as a report.
func (b benchTable) report() benchReport {
	r := benchReport{Title: b.Title, Notes: b.Notes}
	for _, line := range b.Results {
		f := benchFigure{Name: line.Name, Value: line.PerSecond, Unit: "/s", Ratio: line.Ratio}
		if line.Ratio > 0 && line.Name != b.Yardstick {
			f.Of = b.Yardstick
		} else {
			f.Ratio = 0
		}
		r.Figures = append(r.Figures, f)
		if line.P99 > 0 {
			r.add(line.Name+", p50", line.P50, "ms")
			r.add(line.Name+", p99", line.P99, "ms")
		}
	}
	return r
}

// ways are the ends of names of figures that stand in one line.
var ways = []string{"p50", "p95", "p99", "now", "at most", "rows", "rate", "memory", "drawn", "statements"}

func thingAndWay(name string) (thing, way string) {
	if i := strings.LastIndex(name, ", "); i > 0 && slices.Contains(ways, name[i+2:]) {
		return name[:i], name[i+2:]
	}
	return name, ""
}

// table writes a report for people.
func (r benchReport) table(w io.Writer) {
	fmt.Fprintf(w, "%s: %s\n", r.Name, r.Title)
	for i := 0; i < len(r.Figures); {
		thing, _ := thingAndWay(r.Figures[i].Name)
		var cells, ratios []string
		for ; i < len(r.Figures); i++ {
			f := r.Figures[i]
			name, way := thingAndWay(f.Name)
			if name != thing {
				break
			}
			cells = append(cells, strings.TrimSpace(way+" "+rounded(f.Value)+" "+f.Unit))
			if f.Of != "" {
				ratios = append(ratios, rounded(f.Ratio)+" of "+f.Of)
			}
		}
		fmt.Fprintf(w, "  %-52s %-44s %s\n", thing, strings.Join(cells, "   "), strings.Join(ratios, ", "))
	}
	for _, n := range r.Notes {
		fmt.Fprintln(w, "  "+n)
	}
}

// rounded is a number with as many digits as it deserves.
func rounded(v float64) string {
	switch {
	case v >= 100 || v <= -100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10 || v <= -10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}
