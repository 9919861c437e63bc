package care_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"carebell/web/care"
)

// pullStart is when the requests of these tests begin.
var pullStart = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func minute(n int) time.Time { return pullStart.Add(time.Duration(n) * time.Minute) }

// heard is a part of a query; its number follows from its place in the list.
func heard(step care.Step, place, source, status string, at time.Time) care.Part {
	return care.Part{Step: step, Place: place, Source: source, Status: status, At: at}
}

func page(n, pages int64, status string) care.Part {
	return care.Part{Step: care.StepPage, Page: n, Pages: pages, Status: status, At: minute(1)}
}

// numbered gives parts the ids and message ids of messages that came in this order.
func numbered(parts ...care.Part) []care.Part {
	for i := range parts {
		parts[i].ID = int64(i+1) * 1024
		if parts[i].MessageID == "" {
			parts[i].MessageID = fmt.Sprintf("m-%02d", i)
		}
	}
	return parts
}

// words says what was folded, in one line.
func words(p care.Pull) string {
	var out []string
	for _, a := range p.Answers {
		word := a.Place
		for _, part := range []string{a.Source, a.Status} {
			if part != "" {
				word += " " + part
			}
		}
		if a.First {
			word += " first"
			if !a.FirstAt.IsZero() {
				word += fmt.Sprintf("@%v", a.FirstAt.Sub(pullStart).Minutes())
			}
		}
		if a.Out() {
			word += " out"
		}
		out = append(out, word)
	}
	if g := p.Pages; g != nil {
		out = append(out, fmt.Sprintf("%d of %d missing %v unnumbered %d items %d", g.Heard, g.Total, g.Missing, g.Unnumbered, g.Items))
	}
	for _, s := range p.Steps {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %d %s", s.Step, s.Page, s.Status)))
	}
	for _, flag := range []struct {
		name string
		on   bool
	}{{"OUT", p.Out}, {"FAILED", p.Failed}, {"EMPTY", p.Empty}, {"UNCLEAR", p.Unclear}} {
		if flag.on {
			out = append(out, flag.name)
		}
	}
	return strings.Join(out, "; ")
}

func TestRequestIsFoldedTheSameInAnyOrder(t *testing.T) {
	const first, answer, data = care.StepFirst, care.StepAnswer, care.StepData
	filled := care.PartMore{Bundle: true, Entries: 1}
	for _, test := range []struct {
		name  string
		kind  care.PullKind
		parts []care.Part
		want  string
	}{
		{"first data and nothing more is out", care.PullQuery, numbered(heard(first, "hie", "", "processing", minute(1))), "hie first@1 out; OUT"},
		{"a first data without a time is out all the same", care.PullQuery, numbered(heard(first, "hie", "", "", time.Time{})), "hie first out; OUT"},
		{"an end is an end, though the first data is told of later", care.PullQuery,
			numbered(heard(answer, "hie", "", "completed", minute(2)), heard(first, "hie", "", "processing", minute(9))), "hie completed first@9"},
		{"an end that names itself is the end of a first data that does not", care.PullQuery,
			numbered(heard(first, "hie", "", "processing", minute(1)), heard(answer, "hie", "exchange", "completed", minute(2))), "hie exchange completed first@1"},
		{"of two ends, the first data that names one leaves the other", care.PullQuery,
			numbered(heard(first, "hie", "A", "processing", minute(1)), heard(answer, "hie", "B", "completed", minute(2))), "hie A first@1 out; hie B completed; OUT"},
		{"what a source says last counts", care.PullQuery,
			numbered(heard(answer, "lab", "quest", "failed", minute(1)), heard(answer, "lab", "Quest", "completed", minute(2))), "lab Quest completed"},
		{"of two at once, the greater message id counts", care.PullQuery,
			numbered(heard(answer, "lab", "quest", "completed", minute(1)), heard(answer, "lab", "quest", "failed", minute(1))), "lab quest failed; FAILED"},
		{"sources stand in the order of the matrix, by name", care.PullQuery,
			numbered(heard(answer, "lab", "quest", "completed", minute(1)), heard(answer, "pharmacy", "surescripts", "failed", minute(1)), heard(answer, "lab", "Labcorp", "completed", minute(1)), heard(answer, "hie", "", "completed", minute(1))),
			"hie completed; pharmacy surescripts failed; lab Labcorp completed; lab quest completed; FAILED"},
		{"one source fails and another is at work: both are said", care.PullQuery,
			numbered(heard(first, "hie", "", "processing", minute(1)), heard(answer, "lab", "quest", " FAILED ", minute(2))), "hie first@1 out; lab quest  FAILED ; OUT; FAILED"},
		{"a word that nobody knows is no end that is known", care.PullQuery, numbered(heard(answer, "hie", "", "postponed", minute(1))), "hie postponed; UNCLEAR"},
		{"no word is not known either", care.PullQuery, numbered(heard(answer, "hie", "", "", time.Time{})), "hie; UNCLEAR"},
		{"an answer may say that it is at work", care.PullQuery, numbered(heard(answer, "pharmacy", "", "processing", minute(1))), "pharmacy processing out; OUT"},
		{"a first data that says it failed is out no more", care.PullQuery, numbered(heard(first, "hie", "", "failed", minute(1))), "hie failed first@1; FAILED"},

		{"all pages", care.PullDocuments, numbered(page(2, 2, "completed"), page(1, 2, "completed")), "2 of 2 missing [] unnumbered 0 items 0; page 1 completed; page 2 completed"},
		{"a gap", care.PullDocuments, numbered(page(4, 4, "completed"), page(1, 4, "completed"), page(3, 4, "completed")),
			"3 of 4 missing [{2 2}] unnumbered 0 items 0; page 1 completed; page 3 completed; page 4 completed; OUT"},
		{"a page told twice is one page", care.PullDocuments, numbered(page(1, 2, "failed"), page(1, 2, "completed")), "1 of 2 missing [{2 2}] unnumbered 0 items 0; page 1 completed; OUT"},
		{"a page that failed", care.PullDocuments, numbered(page(1, 1, "failed")), "1 of 1 missing [] unnumbered 0 items 0; page 1 failed; FAILED"},
		{"the end and the beginning missing", care.PullDocuments, numbered(page(3, 6, "completed"), page(4, 6, "completed")),
			"2 of 6 missing [{1 2} {5 6}] unnumbered 0 items 0; page 3 completed; page 4 completed; OUT"},
		{"how many there are was not sent", care.PullDocuments, numbered(page(3, 0, "completed")), "1 of 0 missing [] unnumbered 0 items 0; page 3 completed; UNCLEAR"},
		{"a page beyond the last", care.PullDocuments, numbered(page(3, 2, "completed")), "1 of 3 missing [{1 2}] unnumbered 0 items 0; page 3 completed; OUT"},
		{"pages without numbers are not taken for one another", care.PullDocuments, numbered(page(0, 2, "completed"), page(-4, 2, "completed")),
			"0 of 2 missing [{1 2}] unnumbered 2 items 0; page -4 completed; page 0 completed; OUT"},
		{"as many pages as nobody sends", care.PullDocuments, numbered(page(1, 1_000_000, "completed")), "1 of 1000000 missing [{2 1000000}] unnumbered 0 items 0; page 1 completed; OUT"},
		{"the older events", care.PullDocuments, numbered(care.Part{Step: care.StepConversion, Status: "processing"}, care.Part{Step: care.StepDownload, Status: "completed"}), "download 0 completed; conversion 0 processing; OUT"},

		{"data", care.PullConsolidated, numbered(care.Part{Step: data, Status: "completed", PartMore: filled}), "data 0 completed"},
		{"no data", care.PullConsolidated, numbered(care.Part{Step: data, Status: "completed", PartMore: care.PartMore{Bundle: true}}), "data 0 completed; EMPTY"},
		{"no bundle", care.PullConsolidated, numbered(care.Part{Step: data, Status: "completed"}), "data 0 completed; UNCLEAR"},
		{"a failure holds no data and is not called empty", care.PullConsolidated, numbered(care.Part{Step: data, Status: "failed", PartMore: care.PartMore{Bundle: true}}), "data 0 failed; FAILED"},
		{"sent again with data", care.PullConsolidated,
			numbered(care.Part{Step: data, Status: "completed", At: minute(2), PartMore: filled}, care.Part{Step: data, Status: "failed", At: minute(1)}), "data 0 completed"},
		{"nothing", care.PullQuery, nil, ""},
	} {
		want := care.FoldPull(test.kind, test.parts)
		if got := words(want); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
		r := rand.New(rand.NewPCG(1, 2))
		for range 10 {
			r.Shuffle(len(test.parts), func(i, j int) { test.parts[i], test.parts[j] = test.parts[j], test.parts[i] })
			if got := care.FoldPull(test.kind, test.parts); !reflect.DeepEqual(got, want) {
				t.Fatalf("%s: in another order it is %s", test.name, words(got))
			}
		}
	}
}

// TestCallersDataIsTheLastThatWasSent: a retry drops it, so nothing sent counts as nothing said.
func TestCallersDataIsTheLastThatWasSent(t *testing.T) {
	with := func(n int, value string) care.Part {
		p := heard(care.StepAnswer, "lab", "", "completed", minute(n))
		if value != "" {
			p.Data = []care.Pair{{Name: "ticket", Value: value}}
		}
		return p
	}
	p := care.FoldPull(care.PullQuery, numbered(with(2, "new"), with(3, ""), with(1, "old")))
	if len(p.Data) != 1 || p.Data[0].Value != "new" || !p.Last.Equal(minute(3)) {
		t.Errorf("%+v, last %v", p.Data, p.Last)
	}
}
