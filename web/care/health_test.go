package care_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"carebell/web/care"
)

// said makes one record of a thing, as a file says it.
func said(section care.HealthSection, s care.Said, exchanges ...string) care.Health {
	h := care.Health{Section: section, Best: s, Exchanges: exchanges, First: care.FileRef{File: s.File, Sent: s.Sent}, Last: care.FileRef{File: s.File, Sent: s.Sent}}
	if s.Words != "" {
		h.Also = []string{s.Words}
	}
	if s.Fill != nil || s.Result != nil {
		h.Recent = []care.Said{s}
	}
	return h
}

func merged(all []care.Health) care.Health {
	out := all[0]
	for _, h := range all[1:] {
		out = care.Merge(out, h)
	}
	return out
}

// TestWhatFilesSayIsTheSameInAnyOrder merges random records in random orders, in random groups, some of them twice.
func TestWhatFilesSayIsTheSameInAnyOrder(t *testing.T) {
	statuses := []string{"", "active", "resolved", "inactive", "recurrence", "completed", "stopped"}
	dates := []string{"", "2019", "2021-03", "2024-05-06", "2024-05-06T07:08:09Z", "2026-11-03"}
	pick := func(r *rand.Rand, list []string) string { return list[r.IntN(len(list))] }
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		section := care.HealthSections[r.IntN(len(care.HealthSections))]
		var all []care.Health
		for i := range 2 + r.IntN(30) {
			file := int64(1 + r.IntN(4))
			s := care.Said{
				File: file, Sent: fmt.Sprintf("%020d m-%d", file/2, file), Whole: file%2 == 0, At: pick(r, dates), Status: pick(r, statuses), Since: pick(r, dates),
				Until: pick(r, dates), Words: fmt.Sprint("words ", r.IntN(9)), Exchange: "X",
			}
			switch r.IntN(3) {
			case 0:
				s.Fill = &care.Fill{Quantity: fmt.Sprint(r.IntN(3))}
			case 1:
				s.Result = &care.Result{Value: fmt.Sprint(r.IntN(3))}
			}
			h := said(section, s, fmt.Sprintf("X%02d", i%20))
			if r.IntN(2) == 0 {
				h.Ordered = &s
			}
			all = append(all, h)
		}
		want := merged(all)
		for range 5 {
			again := append([]care.Health{}, all...)
			again = append(again, all[r.IntN(len(all))], all[r.IntN(len(all))])
			r.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
			cut := 1 + r.IntN(len(again)-1)
			if got := care.Merge(merged(again[:cut]), merged(again[cut:])); !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d, %s: in another order\n%+v\nwas\n%+v", seed, section, got, want)
			}
		}
	}
}

func TestWhichRecordOfAThingIsShown(t *testing.T) {
	old, last := fmt.Sprintf("%020d m-1", 1), fmt.Sprintf("%020d m-2", 2)
	for name, test := range map[string]struct {
		section care.HealthSection
		a, b    care.Said
		want    string // status of the one that is shown
	}{
		"a later whole file says that a problem is over": {care.SectionProblems, care.Said{Sent: old, Whole: true, Status: "active", At: "2024-01-01"}, care.Said{Sent: last, Whole: true, Status: "resolved", At: "2024-01-01"}, "resolved"},
		"a part of the record does not outdo the whole":  {care.SectionProblems, care.Said{Sent: old, Whole: true, Status: "active"}, care.Said{Sent: last, Status: "resolved", At: "2026-01-01"}, "active"},
		"of one file, what was recorded last":            {care.SectionProblems, care.Said{Sent: last, Whole: true, Status: "active", At: "2020-01-01"}, care.Said{Sent: last, Whole: true, Status: "resolved", At: "2024-01-01"}, "resolved"},
		"of one file, an end counts as recorded then":    {care.SectionProblems, care.Said{Sent: last, Whole: true, Status: "active", Since: "2020-01-01"}, care.Said{Sent: last, Whole: true, Status: "resolved", Until: "2024-01-01"}, "resolved"},
		"without a date, that it is there":               {care.SectionProblems, care.Said{Sent: last, Whole: true, Status: "resolved"}, care.Said{Sent: last, Whole: true, Status: "active"}, "active"},
		"the onset of what is over says nothing":         {care.SectionProblems, care.Said{Sent: last, Whole: true, Status: "active", Since: "2015-01-01"}, care.Said{Sent: last, Whole: true, Status: "resolved", Since: "2019-01-01"}, "active"},
		"an unsaid status is taken for being there":      {care.SectionAllergies, care.Said{Sent: last, Whole: true, Status: "inactive"}, care.Said{Sent: last, Whole: true}, ""},
		"of anything else, the latest":                   {care.SectionCoverage, care.Said{Sent: last, Whole: true, Status: "active", At: "2020-01-01"}, care.Said{Sent: old, Whole: true, Status: "cancelled", At: "2024-01-01"}, "cancelled"},
	} {
		for _, h := range []care.Health{care.Merge(said(test.section, test.a), said(test.section, test.b)), care.Merge(said(test.section, test.b), said(test.section, test.a))} {
			if h.Best.Status != test.want {
				t.Errorf("%s: %q is shown, want %q", name, h.Best.Status, test.want)
			}
		}
	}
}

func TestWhereAThingStands(t *testing.T) {
	fill := care.Said{At: "2026-11-01", Fill: &care.Fill{}}
	for name, test := range map[string]struct {
		h          care.Health
		part, rank int
	}{
		"an active problem":              {said(care.SectionProblems, care.Said{Status: "active"}), care.PartCurrent, 0},
		"a problem whose status is open": {said(care.SectionProblems, care.Said{}), care.PartCurrent, 0},
		"a resolved problem":             {said(care.SectionProblems, care.Said{Status: "resolved"}), care.PartPast, 0},
		"no known allergies":             {said(care.SectionAllergies, care.Said{Denied: true}), care.PartDenied, 0},
		"a severe allergy":               {said(care.SectionAllergies, care.Said{Severity: "severe"}), care.PartCurrent, 0},
		"a mild allergy":                 {said(care.SectionAllergies, care.Said{Severity: "mild"}), care.PartCurrent, 2},
		"a critical result":              {said(care.SectionResults, care.Said{Result: &care.Result{Flag: "HH"}}), care.PartCurrent, 0},
		"a high result":                  {said(care.SectionResults, care.Said{Result: &care.Result{Flag: "H"}}), care.PartCurrent, 1},
		"a normal result":                {said(care.SectionResults, care.Said{Result: &care.Result{Flag: "N"}}), care.PartCurrent, 2},
		"a drug that was filled":         {said(care.SectionMedications, fill), care.PartCurrent, 0},
		"a drug that was stopped": {care.Health{Section: care.SectionMedications, Ordered: &care.Said{Status: "stopped", At: "2026-11-02"}, Recent: []care.Said{fill}},
			care.PartPast, 0},
		"a drug that was filled after it was stopped": {care.Health{Section: care.SectionMedications, Ordered: &care.Said{Status: "stopped", At: "2026-10-02"}, Recent: []care.Said{fill}},
			care.PartCurrent, 0},
		"a drug that is stopped here and taken there": {care.Health{Section: care.SectionMedications, Ordered: &care.Said{Status: "stopped", At: "2026-11-02"}, Taken: &care.Said{Status: "active"}},
			care.PartCurrent, 0},
	} {
		if part, rank := test.h.Place(); part != test.part || rank != test.rank {
			t.Errorf("%s stands in part %d at %d, want part %d at %d", name, part, rank, test.part, test.rank)
		}
	}
}

func TestWordsAreComparedByWhatTheyMean(t *testing.T) {
	for _, test := range []struct {
		of    func(string) string
		words string
		alike []string
		other []string
	}{
		{care.PlainWords, "Essential hypertension (disorder)", []string{"ESSENTIAL  HYPERTENSION", "essential hypertension."}, []string{"Hypertension"}},
		{care.PlainWords, "Ménière’s disease", []string{"Meniere's disease"}, nil},
		{care.SubstanceWords, "Penicillins", []string{"PENICILLIN", "Allergy to penicillin", "Penicillin allergy", "Penicillin (substance)"}, []string{"Penicillamine"}},
		{care.DrugWords, "LISINOPRIL 10MG TAB", []string{"lisinopril 10 MG Oral Tablet [Zestril]", "Lisinopril 10 mg tablet", "lisinopril 10.0 mg"}, []string{"lisinopril 20 mg tablet", "lisinopril 10 mg / hydrochlorothiazide 12.5 mg"}},
		{care.DrugWords, "metFORMIN HCl 1,000 mg tablet", []string{"metformin hydrochloride 1000 MG Oral Tablet"}, []string{"metformin 1000 mg ER tablet"}},
		{care.DrugWords, "METOPROLOL SUCC ER 25 MG TAB", []string{"metoprolol succinate 25 MG Extended Release Oral Tablet"}, []string{"METOPROLOL TART 25 MG TAB"}},
		{care.DrugWords, "bupropion SR 150 mg", nil, []string{"bupropion XL 150 mg", "bupropion 150 mg"}},
		{care.DrugWords, "levothyroxine .05MG", []string{"Levothyroxine 0.050 mg tablet"}, []string{"levothyroxine 0.5 mg"}},
		{care.DrugWords, "insulin glargine 100 UNT/ML", []string{"Insulin glargine 100 units/mL"}, nil},
	} {
		want := test.of(test.words)
		for _, o := range test.alike {
			if got := test.of(o); got != want {
				t.Errorf("%q is %q, and %q is %q", test.words, want, o, got)
			}
		}
		for _, o := range test.other {
			if got := test.of(o); got == want {
				t.Errorf("%q and %q are both %q", test.words, o, got)
			}
		}
	}
}

func TestNoKnownIsToldByCodeOrWords(t *testing.T) {
	for _, test := range []struct{ code, words, want string }{
		{"716186003", "", "No known allergies"}, {"", "No Known Allergies", "No known allergies"}, {"", "NKDA", "No known drug allergies"},
		{"409137002", "whatever", "No known drug allergies"}, {"", "Penicillin", ""}, {"", "", ""}, {"", "No known medications.", "No known medications"},
	} {
		if got := care.Denial(test.code, test.words); got != test.want {
			t.Errorf("%q %q says %q, want %q", test.code, test.words, got, test.want)
		}
	}
}

func TestAFilterLeavesAPartOfTheRecordOut(t *testing.T) {
	for _, test := range []struct {
		filters []care.Pair
		want    bool
	}{
		{nil, false}, {[]care.Pair{{Name: "conversionType", Value: "json"}}, false}, {[]care.Pair{{Name: "resources", Value: ""}, {Name: "dateFrom", Value: " "}}, false},
		{[]care.Pair{{Name: "resources", Value: "Condition, Observation"}}, true}, {[]care.Pair{{Name: "dateFrom", Value: "2024-01-01"}}, true}, {[]care.Pair{{Name: "dateTo", Value: "2024-01-01"}}, true},
	} {
		if got := care.Narrowed(test.filters); got != test.want {
			t.Errorf("%v: %v, want %v", test.filters, got, test.want)
		}
	}
}
