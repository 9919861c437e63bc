package chart_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"carebell/db"
	"carebell/web/chart"
	"carebell/web/sim"
)

// TestAThousandJourneysEndInTheSameStays: the journeys of many patients in the shapes of the sender's converters, in the
// order in which they were sent with each record at once, and shuffled with repeats and records before, between and long
// after the notices, end in the very stays that happened: none is open whose discharge came, no two are one, and no one is
// two. A rebuild changes no byte.
func TestAThousandJourneysEndInTheSameStays(t *testing.T) {
	n := 1000
	if testing.Short() {
		n = 40
	}
	journeys := sim.New(sim.Options{Now: func() time.Time { return recordNoon }, Seed: 11, BaseURL: recordStore}).Journeys(n)
	files := map[string]string{}
	var messages [][]byte
	for _, j := range journeys {
		for _, told := range j.Told {
			messages = append(messages, told.Body)
			for link, content := range told.Files {
				files[link] = string(content)
			}
		}
	}
	inOrder := openRecords(t, files)
	for part := range slices.Chunk(messages, 200) {
		for _, body := range part {
			inOrder.receive(t, body)
		}
		inOrder.settleInTurns(t, nil)
	}
	checkJourneys(t, inOrder, journeys)
	want := inOrder.sense(t)

	order := rand.New(rand.NewPCG(3, 5))
	shuffled := openRecords(t, files)
	all := slices.Clone(messages)
	for range len(messages) / 5 {
		all = append(all, messages[order.IntN(len(messages))])
	}
	order.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
	for part := range slices.Chunk(all, 200) {
		for _, body := range part {
			shuffled.receive(t, body)
		}
		shuffled.settleInTurns(t, order)
	}
	shuffled.settleInTurns(t, nil)
	checkJourneys(t, shuffled, journeys)
	if got := shuffled.sense(t); got != want {
		t.Errorf("shuffled, the chart is another one: %s", firstDifference(want, got))
	}
	rebuilt(t, shuffled, "at the end")
}

// settleInTurns takes in what waits and applies the records that were fetched: all of them, or with an order about a
// third, in that order. Many records share one transaction, which is not what this is about.
func (r *records) settleInTurns(t *testing.T, order *rand.Rand) {
	t.Helper()
	for r.step(t) {
	}
	waiting := r.waiting(t)
	if order != nil {
		order.Shuffle(len(waiting), func(i, k int) { waiting[i], waiting[k] = waiting[k], waiting[i] })
		waiting = waiting[:len(waiting)/3]
	}
	for part := range slices.Chunk(waiting, 100) {
		err := r.Write(context.Background(), func(tx *db.Tx) error {
			for _, d := range part {
				content := r.files[d.URL]
				d.SniffedType = "application/json"
				facts, err := chart.ReadRecord(d, strings.NewReader(content))
				if err != nil {
					return err
				}
				d.State, d.Size, d.File = db.FetchStored, int64(len(content)), fmt.Sprint("file-", d.ID)
				if err := tx.EndDownload(context.Background(), d); err != nil {
					return err
				}
				if err := tx.SaveRecord(context.Background(), d.ID, facts); err != nil {
					return err
				}
				if err := chart.ApplyRecord(context.Background(), tx, d, facts); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// checkJourneys compares the stays of the chart with those that happened.
func checkJourneys(t *testing.T, r *records, journeys []sim.Journey) {
	t.Helper()
	got := map[string][]string{} // patient → its stays: how each stands, and its messages
	for _, line := range r.rows(t, `SELECT s.patient_id, s.ended, group_concat(n.message_id, ' ' ORDER BY n.message_id)
		FROM stay s JOIN notification n ON n.stay_id = s.id AND n.patient_id = s.patient_id GROUP BY s.id`) {
		patient, stay, _ := strings.Cut(line, " | ")
		got[patient] = append(got[patient], stay)
	}
	wrong := map[string]int{}
	for _, j := range journeys {
		var want []string
		for _, s := range j.Stays {
			ended := 0
			if s.Ended {
				ended = 1
			}
			want = append(want, fmt.Sprintf("%d | %s", ended, strings.Join(slices.Sorted(slices.Values(s.MessageIDs)), " ")))
		}
		slices.Sort(want)
		slices.Sort(got[j.PatientID])
		if slices.Equal(got[j.PatientID], want) {
			continue
		}
		if wrong[j.Kind]++; wrong[j.Kind] > 2 {
			continue
		}
		t.Errorf("%s of %s: the stays (ended, messages) are\n\t%s\nwant\n\t%s\n%s", j.Kind, j.PatientID, strings.Join(got[j.PatientID], "\n\t"), strings.Join(want, "\n\t"),
			strings.Join(r.rows(t, `SELECT message_id, kind, datetime(admit_at/1000,'unixepoch'), datetime(discharge_at/1000,'unixepoch'), datetime(sent_at/1000,'unixepoch'), json_extract(facts,'$.encounter') FROM notification WHERE patient_id = ? AND kind IN ('admit','transfer','discharge') ORDER BY sent_at`, j.PatientID), "\n"))
	}
	for kind, n := range wrong {
		t.Errorf("%d journeys of the kind %q are wrong", n, kind)
	}
}
