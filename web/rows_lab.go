package web

import (
	"fmt"
	"slices"
	"strings"

	"carebell/db"
	"carebell/views"
	"carebell/web/care"
)

// How much of a note a row shows, in characters: as its fact, beside it, and to whoever points at the row.
const (
	factLength = 56
	noteLength = 160
	tipLength  = 600
)

// measured is the row of a laboratory notice: the result that matters most. A critical one comes before one outside its range
// before the first that was measured.
func measured(n db.Notification) rowText {
	if !recordRead(n) {
		return rowText{fact: unread("Test", n)}
	}
	panel, result, others := worst(n.Facts.Panels)
	var t rowText
	switch {
	case panel == nil:
		t = rowText{fact: "Test not named"}
		t.add("no result in this record")
		return t
	case result == nil:
		t = reported(*panel)
	default:
		t = resulted(*panel, *result)
	}
	statuses := []string{panel.Status}
	if result != nil {
		statuses = append(statuses, result.Status)
	}
	t.flags = append(t.flags, statusFlags(statuses...)...)
	if others > 0 {
		t.add(fmt.Sprintf("%d more", others))
	}
	if panel.OrderedBy.Name != "" {
		t.add("ordered by " + panel.OrderedBy.Name)
	}
	t.add(exchange(n))
	return t
}

// worst finds the result that matters most, its report, and how many others there are. A report without results stands for
// one, and result is nil where it comes first; what was not performed comes last.
func worst(panels []care.Panel) (panel *care.Panel, result *care.Result, others int) {
	rank, count := -1, 0
	for i := range panels {
		p := &panels[i]
		if len(p.Results) == 0 {
			weight := 0
			if !p.NotPerformed && reportText(*p) != "" {
				weight = 1
			}
			if count++; weight > rank {
				panel, result, rank = p, nil, weight
			}
		}
		for j := range p.Results {
			r := &p.Results[j]
			count++
			weight := 2 + r.Severity()
			if r.NotPerformed {
				weight = 0
			}
			if weight > rank {
				panel, result, rank = p, r, weight
			}
		}
	}
	return panel, result, count - 1
}

// resulted says one result.
func resulted(p care.Panel, r care.Result) rowText {
	sent := orMissing(r.Name, orMissing(p.Name, "Test not named"))
	name, named := testName(sent)
	t := rowText{known: true, named: named}
	note := inOne(r.Notes)
	switch {
	case r.NotPerformed:
		t.fact = name + ": not performed"
		t.add(oneLine(orMissing(note, reportText(p)), noteLength))
	case pointsAtNote(r) && note+reportText(p) != "":
		t.noted(name, orMissing(note, reportText(p)))
		t.flags = resultFlags(r)
	default:
		t.fact = strings.Join(strings.Fields(name+" "+r.Value+" "+r.Unit), " ")
		t.flags = resultFlags(r)
		if r := r.Range(); r != "" {
			t.flag(r, "range", "Reference range, as the laboratory sent it")
		}
	}
	if p.Name != sent {
		panel, _ := testName(p.Name)
		t.add(panel)
	}
	return t
}

// reported says a report that has no results: its text, which is the only trace of a test that was not performed.
func reported(p care.Panel) rowText {
	name, named := testName(p.Name)
	t := rowText{fact: orMissing(name, "Test not named"), known: p.Name != "", named: named}
	switch text := oneLine(reportText(p), noteLength); {
	case p.NotPerformed:
		t.fact, t.known = t.fact+": not performed", true
		t.add(text)
	case text != "":
		t.noted(t.fact, reportText(p))
		t.known = true
	default:
		t.add("no result in this record")
	}
	return t
}

// noted makes a note the fact, and keeps all of it for who asks where it is long.
func (t *rowText) noted(name, note string) {
	short := oneLine(note, factLength)
	if t.fact = name + ": " + short; strings.HasSuffix(short, "…") {
		t.help = oneLine(note, tipLength)
	}
}

// reportText is what a report says in words: its conclusion, else its notes, else its text.
func reportText(p care.Panel) string {
	if p.Conclusion != "" {
		return p.Conclusion
	}
	return orMissing(inOne(p.Notes), p.Text)
}

// inOne is the notes one after the other.
func inOne(notes []string) string { return strings.TrimSpace(strings.Join(notes, " ")) }

// pointsAtNote says whether a result's value is nothing but a hint at where the result stands.
func pointsAtNote(r care.Result) bool {
	switch strings.ToUpper(strings.Trim(r.Value, " :.;*")) {
	case "SEE NOTE", "SEE NOTES", "SEE COMMENT", "SEE COMMENTS", "SEE BELOW":
		return true
	case "":
		return len(r.Notes) > 0
	default:
		return false
	}
}

func resultFlags(r care.Result) []views.Flag {
	words := r.FlagWords()
	if words == "" {
		return nil
	}
	help := "The laboratory says so"
	if r.Computed {
		help = "Computed here from the value and the reference range; the laboratory sent no interpretation"
	}
	return []views.Flag{{Text: words, Tone: []string{"plain", "warn", "crit"}[r.Severity()], Help: help}}
}

// statusFlags say what a result's and its report's status means for who reads it; that it is final needs no words.
func statusFlags(statuses ...string) (out []views.Flag) {
	for _, status := range statuses {
		var f views.Flag
		switch status {
		case "corrected", "amended":
			f = views.Flag{Text: "corrected", Tone: "warn", Help: "The laboratory has changed what it had sent before"}
		case "entered-in-error":
			f = views.Flag{Text: "entered in error", Tone: "warn", Help: "The laboratory has taken it back"}
		case "preliminary", "partial", "registered":
			f = views.Flag{Text: "preliminary", Tone: "plain", Help: "The laboratory may still change it or add to it"}
		default:
			continue
		}
		if !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	return out
}
