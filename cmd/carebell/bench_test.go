package main_test

import (
	"encoding/json"
	"testing"
)

// TestBenchesOfTheWholeProduct, in a small form: the figures are there, and no ratio to its yardstick is far off. How fast
// a machine is says nothing; what the chart beside it costs the receiver does.
func TestBenchesOfTheWholeProduct(t *testing.T) {
	type table struct {
		Results []struct {
			Name      string
			PerSecond float64
		}
	}
	for _, test := range []struct {
		name  string
		args  []string
		lines int
		than  string             // the line that others are measured by; "" = the first
		least map[string]float64 // of it
	}{
		{"ingest", []string{"--rounds", "1", "--round", "1s"}, 3, "one commit a request", map[string]float64{"as served, everything on": 0.3}},
		{"burst", []string{"--events", "4000"}, 2, "", map[string]float64{"in the chart, from the first to the last": 0.05}},
		{"rebuild", []string{"--events", "4000"}, 2, "", map[string]float64{"taken into the chart": 0.04}},
	} {
		t.Run(test.name, func(t *testing.T) {
			out := must(t, []string{"CAREBELL_DATA=" + t.TempDir()}, "", append([]string{"bench", test.name, "--json"}, test.args...)...)
			var got table
			if err := json.Unmarshal([]byte(out), &got); err != nil || len(got.Results) < test.lines {
				t.Fatalf("%v:\n%s", err, out)
			}
			yardstick := got.Results[0].PerSecond
			for _, r := range got.Results {
				if r.Name == test.than {
					yardstick = r.PerSecond
				}
				if ratio := r.PerSecond / yardstick; r.PerSecond <= 0 || ratio < test.least[r.Name] {
					t.Errorf("%s: %.0f a second, %.3f of the yardstick, want at least %.3f", r.Name, r.PerSecond, ratio, test.least[r.Name])
				}
			}
		})
	}
}
