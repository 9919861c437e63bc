package completeness_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"carebell/web/completeness"
	"carebell/web/metriport"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func TestCompare(t *testing.T) {
	one := func(status string, at time.Time) []metriport.Delivery {
		return []metriport.Delivery{{ID: "a", Type: "patient.admit", Status: status, At: at}}
	}
	here, nothing := map[string]bool{"a": true}, map[string]bool{}
	for _, test := range []struct {
		name  string
		list  []metriport.Delivery
		here  map[string]bool
		began time.Time
		want  string // sent here missing pending earlier late pings
	}{
		{"nothing was sent", nil, nothing, time.Time{}, "0 0 0 0 0 0 0"},
		{"what is only here does not count", nil, here, noon, "0 0 0 0 0 0 0"},
		{"delivered and here", one("success", noon), here, noon, "1 1 0 0 0 0 0"},
		{"failed and not here", one("failure", noon), nothing, noon, "1 0 1 0 0 0 0"},
		{"failed and here all the same", one("failure", noon), here, noon, "1 1 0 0 0 1 0"},
		{"under way", one("processing", noon), nothing, noon, "1 0 0 1 0 0 0"},
		{"under way and here", one("processing", noon), here, noon, "1 1 0 0 0 0 0"},
		{"said to be delivered and not here", one("success", noon.Add(time.Second)), nothing, noon, "1 0 1 0 0 0 0"},
		{"delivered before we were there", one("success", noon.Add(-time.Hour)), nothing, noon, "0 0 0 0 1 0 0"},
		{"delivered while we have nothing at all", one("success", noon), nothing, time.Time{}, "0 0 0 0 1 0 0"},
		{"delivered at no known time", one("success", time.Time{}), nothing, noon, "1 0 1 0 0 0 0"},
		{"failed before we were there can still be had", one("failure", noon.Add(-time.Hour)), nothing, noon, "1 0 1 0 0 0 0"},
		{"a status nobody knows", one("lost", noon), nothing, noon, "1 0 1 0 0 0 0"},
		{"no status", one("", noon), nothing, noon, "1 0 1 0 0 0 0"},
		{"a ping is no data", []metriport.Delivery{{ID: "a", Type: "ping", Status: "failure", At: noon}}, nothing, noon, "0 0 0 0 0 0 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := completeness.Compare(test.list, test.here, test.began)
			if got := fmt.Sprint(c.Sent, c.Here, len(c.Missing), c.Pending, c.Earlier, c.Late, c.Pings); got != test.want {
				t.Errorf("sent, here, missing, pending, earlier, late, pings = %s, want %s", got, test.want)
			}
		})
	}
}

// TestEveryEntryIsInOnePlace: whatever is listed and whatever is here, the sums fit, what is missing is listed and not
// here, and comes oldest first.
func TestEveryEntryIsInOnePlace(t *testing.T) {
	statuses := []string{"success", "failure", "processing", "", "other"}
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var list []metriport.Delivery
		listed, here := map[string]bool{}, map[string]bool{}
		for i := range r.IntN(60) {
			d := metriport.Delivery{ID: fmt.Sprint("m-", i), Type: "patient.admit", Status: statuses[r.IntN(len(statuses))], At: noon.Add(time.Duration(r.IntN(100)-50) * time.Minute)}
			if r.IntN(9) == 0 {
				d.Type = "ping"
			}
			listed[d.ID] = true
			if r.IntN(2) == 0 {
				here[d.ID] = true
			}
			list = append(list, d)
		}
		here["not listed"] = true
		c := completeness.Compare(list, here, noon)
		if c.Sent != c.Here+len(c.Missing)+c.Pending || c.Sent+c.Earlier+c.Pings != len(list) || c.Late > c.Here {
			t.Fatalf("seed %d: %d entries make %+v", seed, len(list), c)
		}
		for i, g := range c.Missing {
			if here[g.MessageID] || !listed[g.MessageID] || i > 0 && g.SentAt.Before(c.Missing[i-1].SentAt) {
				t.Fatalf("seed %d: missing are %+v", seed, c.Missing)
			}
		}
	}
}
