package db

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"carebell/web/care"
)

// TestBoundedSearchesGiveEveryRowOnce: a list that stops because it looked at enough rows says where it goes on, and from
// page to page it gives what an unbounded one gives.
func TestBoundedSearchesGiveEveryRowOnce(t *testing.T) {
	d := fresh(t)
	const rows = 400
	d.mustWrite(t, func(tx *Tx) error {
		if _, err := tx.exec(t.Context(), `INSERT INTO user (id, email, role, password, created_at) VALUES (1, 'a@clinic.example', 'admin', '', 0)`); err != nil {
			return err
		}
		for i := range rows {
			id := fmt.Sprintf("p-%d", i%100)
			if err := tx.SavePatient(t.Context(), PatientStatement{ID: id, ExternalID: "common", MessageID: "m", EventAt: noon}); err != nil {
				return err
			}
			n := Notification{InboxSeq: int64(i + 1), Kind: care.Kinds[i%3], PatientID: id, MessageID: fmt.Sprint(i), ReceivedAt: noon, Moves: []care.Move{}}
			n.ID, _ = NotificationID(n.InboxSeq, 0)
			if i%9 == 0 {
				n.Facility = "Sample Hospital"
			}
			if err := tx.AddNotification(t.Context(), n); err != nil {
				return err
			}
			if i%50 == 0 {
				if err := tx.MarkNotification(t.Context(), n.ID, 1, Done, Mark{}.Version()); err != nil {
					return err
				}
			}
		}
		return nil
	})
	for _, f := range []NotificationFilter{
		{Kind: care.Kinds[1], States: []State{Done}}, {States: []State{Seen}}, {Text: "common", States: []State{Done}}, {Text: "common"}, {Text: "p-7 common"},
		{Text: "sample hospital"}, {Text: "sample hospital", Kind: care.Kinds[2], States: []State{Done}}, {Exchange: ExchangeNotSent},
	} {
		t.Run(fmt.Sprintf("%+v", f), func(t *testing.T) {
			var want, got []int64
			pages := 0
			err := d.Read(t.Context(), func(s Snapshot) error {
				f.Limit = rows + 1
				all, rest, err := s.NotificationPage(t.Context(), f)
				if err != nil || rest != (Rest{}) {
					t.Errorf("without a bound, the search stopped at %+v (%v)", rest, err)
				}
				for _, n := range all {
					want = append(want, n.ID)
				}
				for f.Limit, f.Reach = 6, 20; ; pages++ {
					page, rest, err := s.NotificationPage(t.Context(), f)
					if err != nil {
						return err
					}
					for _, n := range page {
						got = append(got, n.ID)
						f.Before = n.ID
					}
					switch {
					case len(page) == f.Limit:
					case rest.Before == 0:
						return nil
					case rest.At.IsZero():
						t.Error("the search does not say when what it came to was received")
						fallthrough
					default:
						f.Before = rest.Before
					}
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d pages give %v, want %v", pages, got, want)
			}
		})
	}
	t.Run("patients", func(t *testing.T) {
		seen := map[string]int{}
		err := d.Read(t.Context(), func(s Snapshot) error {
			for f := (PatientFilter{Text: "common", Limit: 7, Reach: 20}); ; {
				page, rest, err := s.PatientPage(t.Context(), f)
				if err != nil {
					return err
				}
				for _, p := range page {
					seen[p.ID]++
					f.Before = p.Key()
				}
				if len(page) < f.Limit {
					if rest == (PatientKey{}) {
						return nil
					}
					f.Before = rest
				}
			}
		})
		if err != nil || len(seen) != 100 || slices.Max(slices.Collect(maps.Values(seen))) != 1 {
			t.Errorf("the pages show %d patients (%v): %v", len(seen), err, seen)
		}
	})
}
