package completeness_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"carebell/db"
	"carebell/web/completeness"
	"carebell/web/metriport"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// Where messages are sent to.
const (
	ours   = "https://carebell.example/webhooks/metriport"
	others = "https://before.example/hook"
)

func TestCompare(t *testing.T) {
	one := func(status string, at time.Time) []metriport.Delivery {
		return []metriport.Delivery{{ID: "a", Type: "patient.admit", Status: status, At: at, HTTPStatus: 1}}
	}
	to := func(url, status string, at time.Time) []metriport.Delivery { // after one that came here
		return []metriport.Delivery{
			{ID: "here", Type: "patient.admit", Status: "success", At: noon.Add(time.Hour), URL: ours},
			{ID: "a", Type: "patient.admit", Status: status, At: at, URL: url},
		}
	}
	untimed := func(ids ...string) (list []metriport.Delivery) { // newest first; "w…" is under way, "f…" failed
		for _, id := range ids {
			status := map[byte]string{'w': "processing", 'f': "failure"}[id[0]]
			if status == "" {
				status = "success"
			}
			list = append(list, metriport.Delivery{ID: id, Type: "patient.admit", Status: status, HTTPStatus: 1})
		}
		return list
	}
	has := func(ids ...string) map[string]db.Listed {
		m := map[string]db.Listed{}
		for _, id := range ids {
			m[id] = db.Listed{SentAt: noon.Add(time.Minute)}
		}
		return m
	}
	for _, test := range []struct {
		name  string
		list  []metriport.Delivery
		here  map[string]db.Listed
		began time.Time
		want  string // sent here missing pending earlier late pings | by choice, elsewhere, unclear, tests
	}{
		{"nothing was sent", nil, nil, time.Time{}, "0 0 0 0 0 0 0 | 0 0 0 0"},
		{"what is only here does not count", nil, has("a"), noon, "0 0 0 0 0 0 0 | 0 0 0 0"},
		{"delivered and here", one("success", noon), has("a"), noon, "1 1 0 0 0 0 0 | 0 0 0 0"},
		{"failed and not here", one("failure", noon), nil, noon, "1 0 1 0 0 0 0 | 0 0 0 0"},
		{"failed and here all the same", one("failure", noon), has("a"), noon, "1 1 0 0 0 1 0 | 0 0 0 0"},
		{"said to be delivered and not here", one("success", noon.Add(time.Second)), nil, noon, "1 0 1 0 0 0 0 | 0 0 0 0"},
		{"delivered before we were there", one("success", noon.Add(-time.Hour)), nil, noon, "0 0 0 0 1 0 0 | 0 0 0 0"},
		{"delivered while we have nothing at all", one("success", noon), nil, time.Time{}, "0 0 0 0 1 0 0 | 0 0 0 0"},
		{"failed before we were there can still be had", one("failure", noon.Add(-time.Hour)), nil, noon, "1 0 1 0 0 0 0 | 0 0 0 0"},
		{"a ping is no data", []metriport.Delivery{{ID: "a", Type: "ping", Status: "failure", At: noon}}, nil, noon, "0 0 0 0 0 0 1 | 0 0 0 0"},

		{"under way", one("processing", noon), nil, noon, "1 0 0 1 0 0 0 | 0 0 0 0"},
		{"under way and here", one("processing", noon), has("a"), noon, "1 1 0 0 0 0 0 | 0 0 0 0"},
		{"under way for long", one("processing", noon.Add(-completeness.Grace)), nil, noon.Add(-time.Hour), "1 0 1 0 0 0 0 | 0 0 0 0"},
		{"under way since before we were there", one("processing", noon.Add(-completeness.Grace)), nil, noon, "0 0 0 0 0 0 0 | 0 0 1 0"},

		{"a status nobody knows, of what was tried", one("lost", noon), nil, noon, "1 0 1 0 0 0 0 | 0 0 0 0"},
		{"a status nobody knows", []metriport.Delivery{{ID: "a", Status: "paused", At: noon}}, nil, noon, "0 0 0 0 0 0 0 | 0 0 1 0"},
		{"no status", []metriport.Delivery{{ID: "a", At: noon}}, nil, noon, "0 0 0 0 0 0 0 | 0 0 1 0"},

		{"not sent by choice", []metriport.Delivery{{ID: "a", Status: "success", Detail: "OK", At: noon}}, nil, noon, "0 0 0 0 0 0 0 | 1 0 0 0"},
		{"not sent by choice before we were there", []metriport.Delivery{{ID: "a", Status: "success"}}, nil, time.Time{}, "0 0 0 0 0 0 0 | 1 0 0 0"},
		{"here although nothing tells of an attempt", []metriport.Delivery{{ID: "a", Status: "success", At: noon}}, has("a"), noon, "1 1 0 0 0 0 0 | 0 0 0 0"},
		{"a failure without an attempt: no address was set", []metriport.Delivery{{ID: "a", Status: "failure", At: noon}}, nil, noon, "1 0 1 0 0 0 0 | 0 0 0 0"},
		{"only a duration tells of the attempt", []metriport.Delivery{{ID: "a", Status: "success", Took: 7, At: noon}}, nil, noon, "1 0 1 0 0 0 0 | 0 0 0 0"},

		{"delivered to another address", to(others, "success", noon.Add(time.Minute)), has("here"), noon, "1 1 0 0 0 0 0 | 0 1 0 0"},
		{"delivered to our address", to(ours, "success", noon.Add(time.Minute)), has("here"), noon, "2 1 1 0 0 0 0 | 0 0 0 0"},
		{"delivered to our address before we were there", to(ours, "success", noon.Add(-time.Minute)), has("here"), noon, "1 1 0 0 1 0 0 | 0 0 0 0"},
		{"delivered to the address that is set", to("https://set.example/webhooks/metriport", "success", noon.Add(time.Minute)), has("here"), noon, "2 1 1 0 0 0 0 | 0 0 0 0"},
		{"failed at another address before we were there", to(others, "failure", noon.Add(-time.Minute)), has("here"), noon, "1 1 0 0 0 0 0 | 0 1 0 0"},
		{"failed at another address since: nobody has it", to(others, "failure", noon.Add(time.Minute)), has("here"), noon, "2 1 1 0 0 0 0 | 0 0 0 0"},
		{"which address is ours is not known", to(others, "failure", noon.Add(-time.Minute)), nil, noon, "1 0 1 0 0 0 0 | 0 1 0 0"},

		{"a test event", []metriport.Delivery{{ID: "msg-123", Status: "failure", At: noon}}, nil, noon, "0 0 0 0 0 0 0 | 0 0 0 1"},
		{"a test event under another id", one("failure", noon), map[string]db.Listed{"a": {Test: true}}, noon, "0 0 0 0 0 0 0 | 0 0 0 1"},

		// A list without times: the order tells, and what is here has its time with it.
		{"alone and without a time", untimed("a"), nil, noon, "0 0 0 0 1 0 0 | 0 0 0 0"},
		{"after one that is here", untimed("a", "b"), has("b"), noon, "2 1 1 0 0 0 0 | 0 0 0 0"},
		{"before the first that is here", untimed("b", "a"), has("b"), noon, "1 1 0 0 1 0 0 | 0 0 0 0"},
		{"failed, wherever", untimed("f1", "b", "f2"), has("b"), noon, "3 1 2 0 0 0 0 | 0 0 0 0"},
		{"under way and the newest", untimed("w", "b"), has("b"), noon.Add(-time.Hour), "2 1 0 1 0 0 0 | 0 0 0 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := completeness.Inbox{Has: test.here, Began: test.began, Self: "https://set.example/webhooks/metriport"}
			c := completeness.Compare(test.list, in, noon)
			got := fmt.Sprint(c.Sent, c.Here, len(c.Missing), c.Pending, c.Earlier, c.Late, c.Pings, " | ", len(c.ByChoice), len(c.Elsewhere), c.Unclear, c.Tests)
			if got != test.want {
				t.Errorf("sent, here, missing, pending, earlier, late, pings | by choice, elsewhere, unclear, tests = %s, want %s", got, test.want)
			}
		})
	}
	later := completeness.Compare(untimed("b", "w", "a"), completeness.Inbox{Has: has("a", "b"), Began: noon}, noon.Add(time.Minute+completeness.Grace))
	if len(later.Missing) != 1 || later.Missing[0].MessageID != "w" {
		t.Errorf("what is under way although much later ones came is counted as %+v", later)
	}
}

// TestEveryEntryIsInOnePlace: whatever is listed and whatever is here, the sums fit, what is missing is listed and not
// here, and comes oldest first.
func TestEveryEntryIsInOnePlace(t *testing.T) {
	statuses := []string{"success", "failure", "processing", "", "other"}
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		var list []metriport.Delivery
		listed, here := map[string]bool{}, map[string]db.Listed{}
		for i := range r.IntN(60) {
			d := metriport.Delivery{ID: fmt.Sprint("m-", i), Type: "patient.admit", Status: statuses[r.IntN(len(statuses))]}
			if r.IntN(2) == 0 {
				d.At = noon.Add(time.Duration(r.IntN(100)-50) * time.Minute)
			}
			if r.IntN(9) == 0 {
				d.Type = "ping"
			}
			listed[d.ID] = true
			urls := []string{"", ours, others}
			if r.IntN(2) == 0 {
				here[d.ID] = db.Listed{SentAt: d.At, Test: r.IntN(9) == 0}
				urls = urls[:2]
			}
			if r.IntN(3) > 0 {
				d.HTTPStatus, d.URL = 200, urls[r.IntN(len(urls))]
			}
			list = append(list, d)
		}
		here["not listed"] = db.Listed{}
		c := completeness.Compare(list, completeness.Inbox{Has: here, Began: noon, Self: ours}, noon.Add(time.Hour))
		if c.Sent != c.Here+len(c.Missing)+c.Pending || c.Late > c.Here ||
			c.Sent+c.Earlier+len(c.Elsewhere)+len(c.ByChoice)+c.Unclear+c.Pings+c.Tests != len(list) {
			t.Fatalf("seed %d: %d entries make %+v", seed, len(list), c)
		}
		for _, g := range slices.Concat(c.Missing, c.Elsewhere, c.ByChoice) {
			if _, is := here[g.MessageID]; is || !listed[g.MessageID] {
				t.Fatalf("seed %d: %s is not here", seed, g.MessageID)
			}
		}
		for _, g := range c.Missing {
			if g.Status == "success" && (g.HTTPStatus == 0 || g.URL == others) {
				t.Fatalf("seed %d: nobody says that %+v was sent here", seed, g)
			}
		}
		if !slices.IsSortedFunc(c.Missing, func(a, b db.Gap) int { return a.SentAt.Compare(b.SentAt) }) {
			t.Fatalf("seed %d: missing are %+v", seed, c.Missing)
		}
	}
}
