package care_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"carebell/web/care"
)

// rec is what the record of a notice says: id, facility, cause, each "" where it says nothing.
func rec(n care.Notice, id, facility, cause string) care.Notice {
	e := care.Encounter{ID: id, Facility: facility}
	if cause != "" {
		e.Reasons = []string{cause}
	}
	n.Encounter = &e
	return n
}

// by says which exchange the record of a notice is from.
func by(n care.Notice, exchange string) care.Notice {
	n.Encounter.Exchange = exchange
	return n
}

func visit(n care.Notice, number string) care.Notice {
	n.Encounter.VisitNumber = number
	return n
}

func period(n care.Notice, status string, start, end time.Time) care.Notice {
	n.Encounter.Status = status
	if !start.IsZero() {
		n.Encounter.Start = start.Format(time.RFC3339)
	}
	if !end.IsZero() {
		n.Encounter.End = end.Format(time.RFC3339)
	}
	return n
}

const (
	larkspur   = "Larkspur Community Hospital"
	larkspurTo = "Larkspur Comm Hosp - Main"
	birchwood  = "Birchwood General"
	heart      = "Heart failure, unspecified"
)

// TestFoldByWhatRecordsSay uses the shapes of contract.md, "Behind the URLs".
func TestFoldByWhatRecordsSay(t *testing.T) {
	for _, test := range []struct {
		name    string
		notices []care.Notice
		want    []string // newest admit first
	}{
		{"one id, admits a quarter of an hour apart",
			[]care.Notice{rec(admit("a", h(1), h(0)), "E1", larkspur, heart), rec(discharge("d", h(30), h(0.25), h(29)), "E1", larkspur, heart)},
			[]string{"0–29 last 29 a d"}},
		{"one id, no times at all",
			[]care.Notice{rec(admit("a", h(1), never), "E1", larkspur, ""), rec(discharge("d", h(30), never, never), "E1", larkspur, "")},
			[]string{"?–ended last ? a d"}},
		{"an admit without a time belongs to the stay of its encounter",
			[]care.Notice{rec(admit("a", h(1), never), "E1", larkspur, ""), rec(discharge("d", h(30), h(0), h(29)), "E1", larkspur, "")},
			[]string{"0–29 last 29 a d"}},
		{"a discharge without a time ends the stay of its encounter, not the later one elsewhere",
			[]care.Notice{rec(admit("a", h(1), h(0)), "E1", larkspur, ""), rec(admit("b", h(5), h(4)), "E2", birchwood, ""), rec(discharge("d", h(9), never, never), "E1", larkspur, "")},
			[]string{"4–? last 4 b", "0–ended last 0 a d"}},
		{"one id under two spellings of the facility",
			[]care.Notice{rec(admit("a", h(1), h(0)), "E1", larkspur, heart), rec(discharge("d", h(30), h(0), h(29)), "E1", larkspurTo, heart)},
			[]string{"0–29 last 29 a d"}},
		{"two stays under one id stay two",
			[]care.Notice{rec(admit("a", h(1), h(0)), "E1", larkspur, heart), rec(discharge("b", h(9), h(0), h(8)), "E1", larkspur, heart),
				rec(admit("c", h(501), h(500)), "E1", larkspur, heart), rec(discharge("d", h(530), h(500), h(520)), "E1", larkspur, heart)},
			[]string{"500–520 last 520 c d", "0–8 last 8 a b"}},
		{"two stays under one id whose first discharge has no time stay two",
			[]care.Notice{rec(admit("a", h(1), h(0)), "E1", larkspur, heart), rec(discharge("b", h(9), never, never), "E1", larkspur, heart),
				rec(admit("c", h(501), h(500)), "E1", larkspur, heart)},
			[]string{"500–? last 500 c", "0–ended last 0 a b"}},
		{"two stays under one id whose first discharge never came stay two",
			[]care.Notice{rec(admit("a", h(1), h(0)), "E1", larkspur, heart), rec(admit("c", h(501), h(500)), "E1", larkspur, heart)},
			[]string{"500–? last 500 c", "0–? last 0 a"}},
		{"one visit number is one stay however late its second admit is told",
			[]care.Notice{visit(rec(admit("a", h(1), h(0)), "E1", larkspur, heart), "V1"), visit(rec(admit("c", h(101), h(100)), "E2", larkspur, heart), "V1")},
			[]string{"0–? last 100 a c"}},
		{"readmitted to the same facility within the day",
			[]care.Notice{rec(admit("a", h(1), h(0)), "E1", larkspur, heart), rec(discharge("b", h(9), h(0), h(8)), "E1", larkspur, heart),
				rec(admit("c", h(13), h(12)), "E2", larkspur, heart)},
			[]string{"12–? last 12 c", "0–8 last 8 a b"}},
		{"the same under one id",
			[]care.Notice{rec(admit("a", h(1), h(0)), "E1", larkspur, heart), rec(discharge("b", h(9), h(0), h(8)), "E1", larkspur, heart),
				rec(admit("c", h(13), h(12)), "E1", larkspur, heart), rec(discharge("d", h(20), h(12), h(19)), "E1", larkspur, heart)},
			[]string{"12–19 last 19 c d", "0–8 last 8 a b"}},
		{"ids that differ by the minutes of the admit",
			[]care.Notice{rec(admit("a", h(1), h(0)), "E1", larkspur, heart), rec(discharge("d", h(30), h(0.1), h(29)), "E2", larkspur, heart)},
			[]string{"0–29 last 29 a d"}},
		{"a discharge with another id and no admit time",
			[]care.Notice{rec(admit("a", h(1), h(0)), "E1", larkspur, heart), rec(discharge("d", h(30), never, h(29)), "E2", larkspurTo, heart)},
			[]string{"0–29 last 29 a d"}},
		{"a discharge with another id and no time at all",
			[]care.Notice{rec(admit("a", h(1), h(0)), "E1", larkspur, heart), rec(discharge("d", h(30), never, never), "E2", larkspurTo, heart)},
			[]string{"0–ended last 0 a d"}},
		{"an admit with another id and no time",
			[]care.Notice{rec(admit("a", h(-1), never), "E1", larkspur, heart), rec(discharge("d", h(30), h(0), h(29)), "E2", larkspurTo, heart)},
			[]string{"0–29 last 29 a d"}},
		{"an admit with another id, no time and another cause is another stay",
			[]care.Notice{rec(admit("a", h(-1), never), "E1", larkspur, "Fall"), rec(discharge("d", h(30), h(0), h(29)), "E2", larkspurTo, heart)},
			[]string{"0–29 last 29 d", "?–? last ? a"}},
		{"a discharge from another hospital does not end it",
			[]care.Notice{rec(admit("a", h(1), h(0)), "E1", larkspur, heart), rec(discharge("d", h(30), never, h(29)), "E2", birchwood, heart)},
			[]string{"?–29 last 29 d", "0–? last 0 a"}},
		{"two exchanges tell of one stay, one of them never of its end",
			[]care.Notice{by(rec(admit("a", h(1), h(0)), "E1", larkspur, heart), "BAMBOO"), by(rec(admit("b", h(1), h(0.1)), "E2", larkspurTo, heart), "HIXNY"),
				by(rec(discharge("d", h(30), h(0), h(29)), "E1", larkspur, heart), "BAMBOO")},
			[]string{"0–29 last 29 a b d"}},
		{"hours apart, the same cause joins them",
			[]care.Notice{rec(admit("a", h(1), h(0)), "E1", larkspur, heart), rec(admit("b", h(7), h(6)), "E2", larkspurTo, "HEART FAILURE,  unspecified")},
			[]string{"0–? last 6 a b"}},
		{"hours apart, another cause does not",
			[]care.Notice{rec(admit("a", h(1), h(0)), "E1", larkspur, heart), rec(admit("b", h(7), h(6)), "E2", larkspurTo, "Fall")},
			[]string{"6–? last 6 b", "0–? last 0 a"}},
		{"an emergency visit that overlaps the stay at another hospital remains one",
			[]care.Notice{rec(discharge("e", h(5), h(0), h(4)), "E1", birchwood, heart), rec(discharge("d", h(60), h(3), h(50)), "E2", larkspur, heart)},
			[]string{"3–50 last 50 d", "0–4 last 4 e"}},
		{"at the same minute at two hospitals", []care.Notice{rec(admit("a", h(1), h(0)), "E1", birchwood, heart), rec(admit("b", h(1), h(0)), "E2", larkspur, heart)},
			[]string{"0–? last 0 a", "0–? last 0 b"}},
		{"a twin whose end is not known does not tie two stays together",
			[]care.Notice{rec(discharge("a", h(30), h(0), h(29)), "E1", larkspur, heart), rec(admit("b", h(1), h(0.1)), "E2", larkspurTo, heart), rec(admit("c", h(41), h(40)), "E3", larkspur, heart)},
			[]string{"40–? last 40 c", "0–29 last 29 a b"}},
		{"where one record never came, the minutes join them",
			[]care.Notice{rec(admit("a", h(1), h(0)), "E1", larkspur, heart), discharge("d", h(30), h(0.25), h(29))},
			[]string{"0–29 last 29 a d"}},
		{"the times stand in the record alone",
			[]care.Notice{period(rec(admit("a", h(1), never), "E1", larkspur, heart), "in-progress", h(0), never), period(rec(discharge("d", h(30), never, never), "E2", larkspur, heart), "finished", h(0.1), h(29))},
			[]string{"0–29 last 29 a d"}},
		{"the record of an admit that was read after the discharge ends it",
			[]care.Notice{period(rec(admit("a", h(1), h(0)), "E1", larkspur, heart), "finished", h(0), h(29))},
			[]string{"0–29 last 29 a"}},
		{"but not where that record is of an earlier stay under the same id",
			[]care.Notice{period(rec(admit("a", h(501), h(500)), "E1", larkspur, heart), "finished", h(0), h(29))},
			[]string{"500–? last 500 a"}},
		{"a recurring patient under one id",
			[]care.Notice{rec(discharge("a", h(5), h(0), h(4)), "E1", larkspur, "Dialysis"), rec(discharge("b", h(53), h(48), h(52)), "E1", larkspur, "Dialysis"), rec(discharge("c", h(101), h(96), h(100)), "E1", larkspur, "Dialysis")},
			[]string{"96–100 last 100 c", "48–52 last 52 b", "0–4 last 4 a"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			for range 30 { // whatever order they come in
				var got []string
				for _, s := range care.Fold("p", slices.Clone(test.notices)) {
					got = append(got, told(s))
				}
				slices.Sort(got) // two that begin at once have no order of their own
				want := slices.Sorted(slices.Values(test.want))
				if !slices.Equal(got, want) {
					t.Fatalf("folded into\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
				}
				r.Shuffle(len(test.notices), func(i, k int) { test.notices[i], test.notices[k] = test.notices[k], test.notices[i] })
			}
		})
	}
}

// TestWhatWasJoinedIsTold: a joined stay says who told of it, under which ids and names, and why it is one.
func TestWhatWasJoinedIsTold(t *testing.T) {
	stays := care.Fold("p", []care.Notice{
		by(rec(admit("a", h(1), h(0)), "E1", larkspur, heart), "BAMBOO"), by(rec(admit("b", h(1.2), h(0.1)), "E2", larkspurTo, heart), "HIXNY"),
		by(rec(discharge("d", h(30), h(0), h(29)), "E1", larkspur, heart), "BAMBOO"),
	})
	if len(stays) != 1 {
		t.Fatalf("there are %d stays", len(stays))
	}
	f := stays[0].Facts
	if got, want := fmt.Sprint(f.Exchanges, f.EncounterIDs, f.Joined), "[BAMBOO HIXNY] [E1 E2] [facility]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if len(f.Accounts) != 2 {
		t.Fatalf("there are %d accounts", len(f.Accounts))
	}
	first, second := f.Accounts[0], f.Accounts[1]
	if got, want := fmt.Sprintf("%s %v %v %v", first.Facility, first.Exchanges, first.Ended, first.MessageIDs), larkspur+" [BAMBOO] true [a d]"; got != want {
		t.Errorf("the first is %s, want %s", got, want)
	}
	if got, want := fmt.Sprintf("%s %v %v %v", second.Facility, second.Exchanges, second.Ended, second.MessageIDs), larkspurTo+" [HIXNY] false [b]"; got != want {
		t.Errorf("the second is %s, want %s", got, want)
	}
	alone := care.Fold("p", []care.Notice{rec(admit("a", h(1), h(0)), "E1", larkspur, heart), rec(discharge("d", h(30), h(0.1), h(29)), "E1", larkspur, heart)})
	if len(alone) != 1 || len(alone[0].Facts.Accounts) != 0 {
		t.Errorf("one account was taken for a joined stay: %+v", alone)
	}
}

func TestSameFacility(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"Larkspur Comm Hosp - Main", "Larkspur Community Hospital", true},
		{"KESTREL VALLEY MED CTR", "Kestrel Valley Medical Center", true},
		{"Kestrel Vly Med Ctr", "Kestrel Valley Medical Center", true},
		{"BIRCHWOOD GEN HOSP", "Birchwood General", true},
		{"St. Example's Hospital", "Saint Examples", true},
		{"Placeholder Memorial", "Placeholder Memorial Hospital, Main Campus", true},
		{"Birchwood General", "Birchwood Memorial", false},
		{"Birchwood General", "Larkspur Community Hospital", false},
		{"Mercy Example West", "Mercy Example", false},
		{"General Hospital", "Community Hospital", false},
		{"General Hospital", "GENERAL HOSP", true},
		{"", "General Hospital", false},
		{"", "", false},
		{"North Sample", "Northern Sample", true},
		{"Sample Hospital 2", "Sample Hospital 3", false},
	} {
		if got := care.SameFacility(test.a, test.b); got != test.want {
			t.Errorf("SameFacility(%q, %q) = %v", test.a, test.b, got)
		}
		if got := care.SameFacility(test.b, test.a); got != test.want {
			t.Errorf("SameFacility(%q, %q) = %v", test.b, test.a, got)
		}
	}
}

// TestAPeriodOfAnotherStayIsNotANoticesOwn: under an id that covers several stays, the record of a notice without times
// can hold the period of an earlier one.
func TestAPeriodOfAnotherStayIsNotANoticesOwn(t *testing.T) {
	first := []care.Notice{rec(discharge("a", h(73), h(0), h(72)), "E1", larkspur, heart)}
	second := []care.Notice{rec(admit("b", h(1000), h(1000)), "E1", larkspur, heart)}
	late := period(rec(discharge("c", h(1030), never, never), "E1", larkspur, heart), "finished", h(0), h(72))
	untimed := period(rec(admit("d", h(1001), never), "E1", larkspur, heart), "finished", h(0), h(72))
	var got []string
	for _, s := range care.Fold("p", slices.Concat(first, second, []care.Notice{late, untimed})) {
		got = append(got, told(s))
	}
	if want := []string{"1000–ended last 1000 b c d", "0–72 last 72 a"}; !slices.Equal(got, want) {
		t.Errorf("folded into\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
	if at, _ := (care.Facts{Encounter: late.Encounter}).When(care.Discharge, late.SentAt); !at.IsZero() {
		t.Errorf("the discharge is dated %s by the record of another stay", at)
	}
	own := period(rec(discharge("e", h(73), never, never), "E1", larkspur, heart), "finished", h(0), h(72))
	if at, _ := (care.Facts{Encounter: own.Encounter}).When(care.Discharge, own.SentAt); !at.Equal(h(72)) {
		t.Errorf("the discharge is dated %s, its record says %s", at, h(72))
	}
}
