package care_test

import (
	"testing"
	"time"

	"carebell/web/care"
)

// TestNoonLiesOnItsDayEverywhere in the US, from Guam to Samoa, whatever the season.
func TestNoonLiesOnItsDayEverywhere(t *testing.T) {
	for _, zone := range []string{"Pacific/Guam", "Pacific/Honolulu", "Pacific/Pago_Pago", "America/Adak", "America/Chicago", "America/New_York", "America/Puerto_Rico", "UTC"} {
		in, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for day := time.Date(1899, 12, 31, 0, 0, 0, 0, time.UTC); day.Year() < 2101; day = day.AddDate(0, 0, 13) {
			if got, want := care.Noon(day).In(in).Format(time.DateOnly), day.Format(time.DateOnly); got != want {
				t.Fatalf("in %s the day %s is %s", zone, want, got)
			}
		}
	}
}

// TestWhenARecordSaysSomethingHappened: a day for what pharmacies and laboratories date by days, never for an admit or a
// discharge.
func TestWhenARecordSaysSomethingHappened(t *testing.T) {
	const day, instant, none = "2026-04-21", "2026-04-21T00:00:00Z", ""
	for _, test := range []struct {
		kind  care.Kind
		facts care.Facts
		want  string
	}{
		{care.Pharmacy, care.Facts{Fills: []care.Fill{{Filled: day}, {Filled: "2026-04-20"}}}, "day 2026-04-21T12:00:00Z"},
		{care.Pharmacy, care.Facts{Fills: []care.Fill{{Filled: "2026-04-21T19:30:00.5Z"}}}, "2026-04-21T19:30:00.5Z"},
		{care.Pharmacy, care.Facts{Fills: []care.Fill{{Filled: "2026-04"}}}, none},
		{care.Pharmacy, care.Facts{Fills: []care.Fill{{}}}, none},
		{care.Pharmacy, care.Facts{Panels: []care.Panel{{Collected: day}}}, none},
		{care.Pharmacy, care.Facts{}, none},
		{care.Lab, care.Facts{Panels: []care.Panel{{Issued: instant}, {Collected: day}}}, "day 2026-04-21T12:00:00Z"},
		{care.Lab, care.Facts{Panels: []care.Panel{{Collected: "2026"}}}, none},
		{care.Summary, care.Facts{Summary: &care.Document{Date: instant}}, instant},
		{care.Summary, care.Facts{Summary: &care.Document{Date: day}}, "day 2026-04-21T12:00:00Z"},
		{care.Summary, care.Facts{}, none},
		{care.Admit, care.Facts{Encounter: &care.Encounter{Start: instant, End: "2026-04-22T08:00:00Z"}}, instant},
		{care.Admit, care.Facts{Encounter: &care.Encounter{Start: day}}, none},
		{care.Admit, care.Facts{}, none},
		{care.Discharge, care.Facts{Encounter: &care.Encounter{Start: "2026-04-20T08:00:00Z", End: instant}}, instant},
		{care.Discharge, care.Facts{Encounter: &care.Encounter{End: day}}, none},
		{care.Discharge, care.Facts{}, none},
		{care.Transfer, care.Facts{Encounter: &care.Encounter{Start: instant, End: instant}}, none},
	} {
		got := none
		if at, isDay := test.facts.When(test.kind, time.Time{}); !at.IsZero() {
			if got = at.Format(time.RFC3339Nano); isDay {
				got = "day " + got
			}
		}
		if got != test.want {
			t.Errorf("%s %+v happened %q, want %q", test.kind, test.facts, got, test.want)
		}
	}
}
