package chart_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// fillOf is the record of a fill.
func dispenseFile(filled string) string {
	return `{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"MedicationDispense","id":"d","status":"completed","medicationCodeableConcept":{"text":"Lisinopril 10 mg"}` + filled + `}}]}`
}

// TestADayIsKeptAsItsNoon in any form in which the sender writes it, and told for the same event in each; an admit or a
// discharge at midnight UTC is an instant. What the event does not say its record does, whatever came first, and so after a
// rebuild.
func TestADayIsKeptAsItsNoon(t *testing.T) {
	files := map[string]string{
		recordStore + "/day": dispenseFile(`,"whenHandedOver":"2026-04-21"`), recordStore + "/instant": dispenseFile(`,"whenHandedOver":"2026-04-21T19:30:00Z"`), recordStore + "/nothing": dispenseFile(``),
		recordStore + "/stay": `{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Encounter","id":"e","status":"finished","period":{"start":"2026-04-21T08:00:00Z","end":"2026-04-22T00:00:00Z"}}}]}`,
	}
	notice := func(id, kind, patient, record, more string) []byte {
		return fmt.Appendf(nil, `{"meta":{"messageId":%q,"when":"2026-04-22T10:00:00Z","type":%q},"payload":{"patientId":%q,"url":%q%s}}`, id, kind, patient, recordStore+record, more)
	}
	messages := [][]byte{
		notice("midnight", "patient.pharmacy", "a", "/nothing", `,"medicationDispensedDate":"2026-04-21T00:00:00.000Z"`),
		notice("bare", "patient.pharmacy", "a", "/instant", `,"medicationDispensedDate":"2026-04-21"`),
		notice("short", "patient.pharmacy", "a", "/day", `,"medicationDispensedDate":"20260421"`),
		notice("lab", "patient.laboratory", "a", "/nothing", `,"specimenCollectedDate":"20260421"`),
		notice("clock", "patient.laboratory", "a", "/nothing", `,"specimenCollectedDate":"2026-04-21T19:30:00.000Z"`),
		notice("month", "patient.pharmacy", "b", "/nothing", `,"medicationDispensedDate":"2026-04"`),
		notice("by record", "patient.pharmacy", "b", "/day", ``),
		notice("by record too", "patient.pharmacy", "b", "/day", `,"medicationDispensedDate":null`),
		notice("by record's clock", "patient.pharmacy", "b", "/instant", `,"medicationDispensedDate":"?"`),
		notice("the same day", "patient.pharmacy", "b", "/nothing", `,"medicationDispensedDate":"2026-04-21"`),
		notice("discharge", "patient.discharge", "c", "/stay", `,"admitTimestamp":"2026-04-20T00:00:00.000Z","dischargeTimestamp":"2026-04-21T00:00:00.000Z"`),
		notice("discharge by record", "patient.discharge", "d", "/stay", ``),
		notice("admit", "patient.admit", "c", "/stay", `,"admitTimestamp":"2026-04-20"`),
		notice("admit by record", "patient.admit", "d", "/stay", ``),
		notice("transfer", "patient.transfer", "d", "/stay", ``),
	}
	want := []string{
		"admit 2026-04-20T00:00:00Z", "admit by record 2026-04-21T08:00:00Z record", "bare day 2026-04-21T12:00:00Z", "by record day 2026-04-21T12:00:00Z record",
		"by record too day 2026-04-21T12:00:00Z record", "by record's clock 2026-04-21T19:30:00Z record", "clock 2026-04-21T19:30:00Z",
		"discharge 2026-04-21T00:00:00Z", "discharge by record 2026-04-22T00:00:00Z record", "lab day 2026-04-21T12:00:00Z", "midnight day 2026-04-21T12:00:00Z",
		"month -", "short day 2026-04-21T12:00:00Z", "the same day day 2026-04-21T12:00:00Z", "transfer -",
	}
	for seed := range uint64(12) {
		r := openRecords(t, files)
		r.arrive(t, messages, rand.New(rand.NewPCG(seed, 3)))
		got := r.rows(t, `SELECT message_id || iif(event_day, ' day', '') || ' ' || coalesce(strftime('%Y-%m-%dT%H:%M:%SZ', event_at / 1000, 'unixepoch'), '-') || iif(event_from_record, ' record', '')
			FROM notification ORDER BY message_id`)
		if !slices.Equal(got, want) {
			t.Fatalf("order %d: the notifications are\n\t%s\nwant\n\t%s", seed, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
		}
		// The three of patient a tell of one fill, in three spellings; the records' days make no twins of the others.
		if got := r.rows(t, `SELECT patient_id || ' ' || count(*) FROM notification WHERE twin_of <> 0 GROUP BY patient_id`); !slices.Equal(got, []string{"a 2"}) {
			t.Errorf("order %d: the twins are %v", seed, got)
		}
		// Who was last heard of on a day was so on that day.
		if got := r.rows(t, `SELECT id, last_event_at, last_event_day FROM patient WHERE id IN ('a', 'c') ORDER BY id`); len(got) != 2 || !strings.HasSuffix(got[0], "| 0") || !strings.HasSuffix(got[1], "| 0") {
			t.Errorf("order %d: the patients were last heard of at %v", seed, got)
		}
		rebuilt(t, r, fmt.Sprint("order ", seed))
		r.close(t)
	}
}

// TestWhoWasLastHeardOfOnADay is so in any order: of an instant and a day, the later counts, and at the noon of a day the day.
func TestWhoWasLastHeardOfOnADay(t *testing.T) {
	fill := func(at string) string { return fmt.Sprintf(`,"medicationDispensedDate":%q`, at) }
	for name, test := range map[string]struct {
		fills []string
		want  string
	}{
		"a day alone":            {[]string{"2026-04-21"}, "2026-04-21 12 1"},
		"an instant before it":   {[]string{"2026-04-21", "2026-04-21T11:59:59Z"}, "2026-04-21 12 1"},
		"an instant after it":    {[]string{"2026-04-21", "2026-04-21T13:00:00Z"}, "2026-04-21 13 0"},
		"an instant at its noon": {[]string{"2026-04-21", "2026-04-21T12:00:00Z"}, "2026-04-21 12 1"},
		"two days":               {[]string{"2026-04-21", "2026-04-22"}, "2026-04-22 12 1"},
	} {
		for range 2 {
			r := openRecords(t, nil)
			for i, at := range test.fills {
				r.receive(t, fmt.Appendf(nil, `{"meta":{"messageId":"%d","when":"2026-04-23T10:00:00Z","type":"patient.pharmacy"},"payload":{"patientId":"p"%s}}`, i, fill(at)))
			}
			r.step(t)
			if got := r.rows(t, `SELECT strftime('%Y-%m-%d %H', last_event_at / 1000, 'unixepoch') || ' ' || last_event_day FROM patient`); got[0] != test.want {
				t.Errorf("%s: %v, want %s", name, got, test.want)
			}
			r.close(t)
			slices.Reverse(test.fills)
		}
	}
}
