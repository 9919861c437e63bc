package chart_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"carebell/web/metriport"
	"carebell/web/sim"
)

// presignedIn lists the presigned links in a body.
func presignedIn(v any) (out []string) {
	switch v := v.(type) {
	case map[string]any:
		for name, e := range v {
			if name != "downloadUrl" {
				out = append(out, presignedIn(e)...)
			}
		}
	case []any:
		for _, e := range v {
			out = append(out, presignedIn(e)...)
		}
	case string:
		if strings.Contains(v, "X-Amz-Signature=") {
			out = append(out, v)
		}
	}
	return out
}

// TestTheDemosStaysAreTheTrueOnes: what the demo shows of stays is what happened in its story. Every notice is with those
// of its stay and with no other's, and a stay is open only while the patient is there.
func TestTheDemosStaysAreTheTrueOnes(t *testing.T) {
	seeds := uint64(6)
	if raced() || testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		now := recordNoon.Add(-24 * time.Hour)
		world := sim.New(sim.Options{Now: func() time.Time { return now }, Seed: seed, BaseURL: "https://records.s3.amazonaws.com"})
		files, kept := map[string]string{}, map[string]bool{}
		var messages []sim.Message
		take := func(m sim.Message) { // its links die while the clock goes on
			if !strings.HasPrefix(string(m.Type), "patient.") && m.Type != metriport.DischargeSummaryBatch {
				return
			}
			var body any
			if err := json.Unmarshal(m.Body, &body); err != nil {
				t.Fatal(err)
			}
			for _, link := range presignedIn(body) {
				rec := httptest.NewRecorder()
				world.Store().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, link, nil))
				files[link] = rec.Body.String()
			}
			messages, kept[m.ID] = append(messages, m), true
		}
		for _, m := range world.Backlog(4) {
			take(m)
		}
		for range 400 {
			now = now.Add(3 * time.Minute)
			take(world.Next())
		}
		r := openRecords(t, files)
		for _, m := range messages {
			r.receive(t, m.Body)
		}
		r.settle(t)
		stayOf := map[string]string{}
		for _, line := range r.rows(t, `SELECT message_id, stay_id FROM notification WHERE stay_id <> ''`) {
			id, stay, _ := strings.Cut(line, " | ")
			stayOf[id] = stay
		}
		ended := map[string]bool{}
		for _, line := range r.rows(t, `SELECT id, ended FROM stay`) {
			id, over, _ := strings.Cut(line, " | ")
			ended[id] = over != "0"
		}
		owner := map[string]int{}
		open := 0
		for i, s := range world.Stays() {
			var shown []string
			for _, id := range s.MessageIDs {
				if stay := stayOf[id]; kept[id] && !slices.Contains(shown, stay) {
					shown = append(shown, stay)
				}
			}
			if len(shown) == 0 {
				continue
			}
			if !s.Ended {
				open++
			}
			if len(shown) != 1 || shown[0] == "" {
				t.Errorf("seed %d: one stay is shown as %d: %+v", seed, len(shown), s)
				continue
			}
			if other, taken := owner[shown[0]]; taken {
				t.Errorf("seed %d: two stays are shown as one: %+v and %+v", seed, world.Stays()[other], s)
			}
			owner[shown[0]] = i
			if ended[shown[0]] != s.Ended {
				t.Errorf("seed %d: shown as over: %t, but %+v", seed, ended[shown[0]], s)
			}
		}
		for id, over := range ended {
			if _, known := owner[id]; !known && !over {
				t.Errorf("seed %d: an open stay of nobody: %s", seed, fmt.Sprint(r.rows(t, `SELECT kind, patient_id, facts FROM notification WHERE stay_id = ?`, id)))
			}
		}
		if open == 0 {
			t.Errorf("seed %d: nobody is in hospital", seed)
		}
		t.Logf("seed %d: %d stays, %d of them open", seed, len(owner), open)
	}
}
