package db

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestBoundedInboxSearchesGiveEveryMessageOnce: whatever the inbox is searched for, from page to page it gives what looking
// at every message gives, also of days on which the clock was set back.
func TestBoundedInboxSearchesGiveEveryMessageOnce(t *testing.T) {
	d := fresh(t)
	const rows = 600
	type message struct {
		seq                 int64
		id, request, kind   string
		patient, externalID string
		at                  time.Time
		status              Status
	}
	var all []message
	for i := range rows {
		m := message{seq: int64(i + 1), id: fmt.Sprintf("0195aa-%04d", i), kind: []string{"patient.admit", "patient.laboratory", "message.received"}[i%3], patient: fmt.Sprintf("p-%d", i%90), externalID: fmt.Sprintf("common-%d", i%90), at: noon.Add(time.Duration(i) * time.Hour), status: StatusProcessed}
		if i%4 == 0 {
			m.request = fmt.Sprintf("req-%d-%d", i%8, i)
		}
		if i > 300 { // the clock had been some hours ahead
			m.at = m.at.Add(-5*time.Hour - 30*time.Minute)
		}
		if i%13 == 0 {
			m.status = StatusFailed
		}
		all = append(all, m)
	}
	d.mustWrite(t, func(tx *Tx) error {
		for _, m := range all {
			if _, err := tx.insert(t.Context(), insertInbox, []any{m.seq, m.id, m.request, m.kind, nil, m.at.UnixMilli(), "k", []byte("{}"), 0, 2, []byte("s"), []byte("c")}); err != nil {
				return err
			}
			if err := tx.SavePatients(t.Context(), PatientStatement{ID: m.patient, ExternalID: m.externalID, MessageID: "m", EventAt: noon}); err != nil {
				return err
			}
			if err := tx.SetOutcomes(t.Context(), MessageOutcome{Seq: m.seq, Status: m.status, Patients: []string{m.patient}}); err != nil {
				return err
			}
		}
		return nil
	})
	admits := func(m message) bool { return m.kind == "patient.admit" }
	days := func(m message) bool {
		return !m.at.Before(noon.Add(297*time.Hour+15*time.Minute)) && m.at.Before(noon.Add(320*time.Hour))
	}
	between := InboxSearch{From: noon.Add(297*time.Hour + 15*time.Minute), To: noon.Add(320 * time.Hour)}
	with := func(f InboxSearch, text string, types ...string) InboxSearch {
		f.Text, f.TextTypes = text, types
		return f
	}
	for _, test := range []struct {
		name string
		f    InboxSearch
		want func(m message) bool
	}{
		{"a type", InboxSearch{Type: "patient.admit"}, admits},
		{"a type that failed", InboxSearch{Type: "patient.admit", Status: StatusFailed}, func(m message) bool { return admits(m) && m.status == StatusFailed }},
		{"days", between, days},
		{"from a day", InboxSearch{From: between.From}, func(m message) bool { return !m.at.Before(between.From) }},
		{"to a day", InboxSearch{To: between.To}, func(m message) bool { return m.at.Before(between.To) }},
		{"text of a type", with(InboxSearch{}, "admit", "patient.admit"), admits},
		{"text of a type, failed", with(InboxSearch{Status: StatusFailed}, "admit", "patient.admit"), func(m message) bool { return admits(m) && m.status == StatusFailed }},
		{"text of types, on days", with(between, "patient", "patient.admit", "patient.laboratory"), func(m message) bool { return days(m) && m.kind != "message.received" }},
		{"text of a patient", with(InboxSearch{}, "common-77"), func(m message) bool { return m.patient == "p-77" }},
		{"text of everybody", with(InboxSearch{}, "common"), func(message) bool { return true }},
		{"text of everybody, on days, failed", with(InboxSearch{From: between.From, To: between.To, Status: StatusFailed}, "common"), func(m message) bool { return days(m) && m.status == StatusFailed }},
		{"beginning of all ids", with(InboxSearch{}, "0195aa"), func(message) bool { return true }},
		{"beginning of all ids, a type", with(InboxSearch{Type: "patient.admit"}, "0195aa"), admits},
		{"beginning of a few ids", with(InboxSearch{}, "0195aa-000"), func(m message) bool { return m.seq <= 10 }},
		{"beginning of request ids", with(InboxSearch{}, "req-0-10"), func(m message) bool { return m.request == "req-0-104" }},
		{"a short text", with(InboxSearch{}, "req-4"), func(message) bool { return false }},
		{"nothing", with(InboxSearch{}, "zzqx"), func(message) bool { return false }},
		{"a patient, on days", InboxSearch{PatientID: "p-20", From: between.From, To: between.To}, func(m message) bool { return days(m) && m.patient == "p-20" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			var want, got []int64
			for _, m := range slices.Backward(all) {
				if test.want(m) {
					want = append(want, m.seq)
				}
			}
			f := test.f
			f.Limit, f.Reach = 6, 25
			err := d.Read(t.Context(), func(s Snapshot) error {
				for {
					page, rest, err := s.InboxPage(t.Context(), f)
					if err != nil {
						return err
					}
					for _, m := range page {
						got = append(got, m.Seq)
						f.Before = m.Seq
					}
					switch {
					case len(page) == f.Limit:
					case rest.Before == 0:
						return nil
					default:
						f.Before = rest.Before
					}
				}
			})
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("the pages give %v (%v), want %v", got, err, want)
			}
		})
	}
}
