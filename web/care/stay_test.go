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

var monday = time.Date(2026, 11, 16, 8, 0, 0, 0, time.UTC)

// h is so many hours after Monday morning; never is a time that was not sent.
func h(hours float64) time.Time { return monday.Add(time.Duration(hours * float64(time.Hour))) }

var never = time.Time{}

func mv(hours float64, from, to string) care.Move {
	return care.Move{At: h(hours).UnixMilli(), From: from, To: to}
}

// told shortens a stay to a line: from–to, the notices, the moves.
func told(s care.Stay) string {
	hour := func(t time.Time) string {
		if t.IsZero() {
			return "?"
		}
		return fmt.Sprintf("%g", t.Sub(monday).Hours())
	}
	end := hour(s.DischargeAt)
	if s.Ended && s.DischargeAt.IsZero() {
		end = "ended"
	}
	line := hour(s.AdmitAt) + "–" + end + " last " + hour(s.LastEventAt) + " " + strings.Join(s.MessageIDs, " ")
	for _, m := range s.Moves {
		line += " " + m.From + ">" + m.To
	}
	return line
}

func admit(id string, sent, admitted time.Time) care.Notice {
	return care.Notice{MessageID: id, Kind: care.Admit, EventAt: admitted, SentAt: sent, AdmitAt: admitted}
}

func discharge(id string, sent, admitted, discharged time.Time) care.Notice {
	return care.Notice{MessageID: id, Kind: care.Discharge, EventAt: discharged, SentAt: sent, AdmitAt: admitted, DischargeAt: discharged}
}

func transfer(id string, sent, admitted time.Time, moves ...care.Move) care.Notice {
	n := care.Notice{MessageID: id, Kind: care.Transfer, SentAt: sent, AdmitAt: admitted, Moves: moves}
	for _, m := range moves {
		if m.Time().After(n.EventAt) {
			n.EventAt = m.Time()
		}
	}
	return n
}

func TestFold(t *testing.T) {
	for _, test := range []struct {
		name    string
		notices []care.Notice
		want    []string // newest admit first
	}{
		{"nothing is no stay", nil, nil},
		{"an admit alone is a stay that runs", []care.Notice{admit("a", h(1), h(0))}, []string{"0–? last 0 a"}},
		{"a discharge alone says when it began", []care.Notice{discharge("d", h(5), h(0), h(4))}, []string{"0–4 last 4 d"}},
		{"admit, transfer and discharge of one admit time are one stay",
			[]care.Notice{admit("a", h(1), h(0)), transfer("t", h(3), h(0), mv(2, "ED", "4W")), discharge("d", h(9), h(0), h(8))},
			[]string{"0–8 last 8 a d t ED>4W"}},
		{"a move told twice is one move, and moves stand by their time",
			[]care.Notice{transfer("t1", h(3), h(0), mv(2, "ED", "4W")), transfer("t2", h(5), h(0), mv(4, "4W", "ICU"), mv(2, "ED", "4W")), transfer("t3", h(6), h(0), mv(2, "ED", "4W"), mv(4, "4W", "ICU"))},
			[]string{"0–? last 4 t1 t2 t3 ED>4W 4W>ICU"}},
		{"going back and forth is two moves", []care.Notice{transfer("t", h(9), h(0), mv(1, "A", "B"), mv(2, "B", "A"), mv(3, "A", "B"))},
			[]string{"0–? last 3 t A>B B>A A>B"}},
		{"a move without a time comes first", []care.Notice{transfer("t", h(9), h(0), mv(1, "A", "B"), care.Move{To: "X"})}, []string{"0–? last 1 t >X A>B"}},
		{"of two discharge times the one sent last wins", []care.Notice{discharge("d1", h(10), h(0), h(9)), discharge("d2", h(11), h(0), h(8))}, []string{"0–8 last 9 d1 d2"}},
		{"also where it was sent first and came last", []care.Notice{discharge("d2", h(11), h(0), h(8)), discharge("d1", h(10), h(0), h(9))}, []string{"0–8 last 9 d1 d2"}},
		{"sent at the same time, the message id decides", []care.Notice{discharge("d2", h(10), h(0), h(8)), discharge("d1", h(10), h(0), h(9))}, []string{"0–8 last 9 d1 d2"}},
		{"a discharge whose time was not sent does not take the known one away", []care.Notice{discharge("d1", h(10), h(0), h(9)), discharge("d2", h(11), h(0), never)}, []string{"0–9 last 9 d1 d2"}},
		{"another admit time is another stay", []care.Notice{discharge("d", h(5), h(0), h(4)), admit("b", h(51), h(50))}, []string{"50–? last 50 b", "0–4 last 4 d"}},
		{"two hours apart is another stay where nothing else is known", []care.Notice{admit("a", h(1), h(0)), admit("b", h(3), h(2))}, []string{"2–? last 2 b", "0–? last 0 a"}},
		{"an hour apart is another stay where nothing else is known", []care.Notice{admit("a", h(1), h(0)), admit("b", h(2), h(1))}, []string{"1–? last 1 b", "0–? last 0 a"}},
		{"a chain of admits is not one stay", []care.Notice{admit("a", h(1), h(0)), admit("b", h(2), h(0.75)), admit("c", h(3), h(1.5))}, []string{"1.5–? last 1.5 c", "0–? last 0.75 a b"}},
		{"minutes apart is the same stay where nothing else is known", []care.Notice{admit("a", h(1), h(0)), discharge("d", h(9), h(0.25), h(8))}, []string{"0–8 last 8 a d"}},
		{"without an admit time it joins the stay that was running", []care.Notice{admit("a", h(1), h(0)), discharge("d", h(9), never, h(8))}, []string{"0–8 last 8 a d"}},
		{"of two that were running, the one that began last", []care.Notice{admit("a", h(1), h(0)), admit("b", h(3), h(2)), discharge("d", h(9), never, h(8))}, []string{"2–8 last 8 b d", "0–? last 0 a"}},
		{"not one that had ended", []care.Notice{discharge("a", h(5), h(0), h(4)), transfer("t", h(9), never, mv(8, "A", "B"))}, []string{"?–? last 8 t A>B", "0–4 last 4 a"}},
		{"not one that had not begun", []care.Notice{admit("a", h(9), h(8)), discharge("d", h(5), never, h(4))}, []string{"8–? last 8 a", "?–4 last 4 d"}},
		{"at the very moment of admit or discharge counts as running",
			[]care.Notice{discharge("a", h(9), h(0), h(8)), transfer("t", h(9), never, mv(8, "A", "B")), transfer("u", h(9), never, mv(0, "C", "A"))},
			[]string{"0–8 last 8 a t u C>A A>B"}},
		{"that says nothing at all stands alone", []care.Notice{admit("a", h(1), h(0)), {MessageID: "x", Kind: care.Admit, SentAt: h(2)}}, []string{"0–? last 0 a", "?–? last ? x"}},
		{"two that say nothing but one discharge time are one stay", []care.Notice{discharge("d", h(9), never, h(8)), discharge("e", h(9), never, h(8))}, []string{"?–8 last 8 d e"}},
		{"two that say nothing but discharges hours apart are two", []care.Notice{discharge("d", h(9), never, h(8)), discharge("e", h(13), never, h(12))}, []string{"?–12 last 12 e", "?–8 last 8 d"}},
		{"a discharge without any time ends the stay that runs", []care.Notice{admit("a", h(1), h(0)), discharge("d", h(9), never, never)}, []string{"0–ended last 0 a d"}},
		{"sent twice, it ends it once", []care.Notice{admit("a", h(1), h(0)), discharge("d", h(9), never, never), discharge("e", h(10), never, never)}, []string{"0–ended last 0 a d e"}},
		{"it does not end one that began after it was sent", []care.Notice{discharge("d", h(9), never, never), admit("a", h(11), h(10))}, []string{"10–? last 10 a", "?–ended last ? d"}},
		{"an admit after it is another stay", []care.Notice{admit("a", h(1), h(0)), discharge("d", h(9), never, never), admit("b", h(13), h(12))}, []string{"12–? last 12 b", "0–ended last 0 a d"}},
		{"the one sent last wins, whether it names the admit time or not",
			[]care.Notice{discharge("early", h(10), never, h(8)), discharge("late", h(20), h(0), h(9))}, []string{"0–9 last 9 early late"}},
		{"a discharge before its own admit is kept as it was sent", []care.Notice{discharge("d", h(9), h(5), h(1))}, []string{"5–1 last 5 d"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			for range 20 { // whatever order they come in
				var got []string
				for _, s := range care.Fold("p", slices.Clone(test.notices)) {
					got = append(got, told(s))
				}
				if want := test.want; !slices.Equal(got, want) {
					t.Fatalf("folded into\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
				}
				r.Shuffle(len(test.notices), func(i, k int) { test.notices[i], test.notices[k] = test.notices[k], test.notices[i] })
			}
		})
	}
}

func TestFoldLeavesItsInputAlone(t *testing.T) {
	notices := []care.Notice{
		discharge("d", h(9), h(0), h(8)), transfer("t", h(3), h(0), mv(4, "B", "C"), mv(2, "A", "B")), admit("a", h(1), h(0)),
	}
	before := fmt.Sprint(notices)
	care.Fold("p", notices)
	if after := fmt.Sprint(notices); after != before {
		t.Errorf("the notices were %s and are %s", before, after)
	}
}

// TestStayIDs: a stay keeps its id as notices join it, no two share one, and another patient's stay has another.
func TestStayIDs(t *testing.T) {
	first := care.Fold("p", []care.Notice{admit("a", h(1), h(0))})[0].ID
	if later := care.Fold("p", []care.Notice{discharge("d", h(9), h(0), h(8)), admit("a", h(1), h(0))})[0].ID; later != first {
		t.Errorf("the stay was %s and is %s", first, later)
	}
	if other := care.Fold("q", []care.Notice{admit("a", h(1), h(0))})[0].ID; other == first {
		t.Error("two patients' stays share an id")
	}
	seen := map[string]string{}
	for _, s := range care.Fold("p", []care.Notice{
		admit("a", h(1), h(0)), admit("b", h(1), h(1)), {MessageID: "x", Kind: care.Admit}, {MessageID: "y", Kind: care.Admit},
		{MessageID: fmt.Sprint(h(0).UnixMilli()), Kind: care.Admit}, // an id that looks like the time of an admit
	}) {
		if before, ok := seen[s.ID]; ok {
			t.Errorf("two stays share the id %s: %s and %s", s.ID, before, told(s))
		}
		seen[s.ID] = told(s)
	}
}

// TestKindsAreListedOnce guards the list that filters are made from.
func TestKindsAreListedOnce(t *testing.T) {
	want := []care.Kind{care.Admit, care.Transfer, care.Discharge, care.Pharmacy, care.Lab, care.Summary}
	if !slices.Equal(care.Kinds, want) {
		t.Errorf("Kinds is %v", care.Kinds)
	}
}
