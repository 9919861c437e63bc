package web

import (
	"strings"
	"time"

	"carebell/db"
	"carebell/views"
	"carebell/web/care"
)

// filled is the row of a pharmacy notice: the drug. It never says that somebody picked it up: the sender does not know.
func (w wording) filled(n db.Notification) rowText {
	fills := n.Facts.Fills
	switch {
	case !recordRead(n):
		return rowText{fact: unread("Drug", n)}
	case len(fills) == 0:
		return rowText{fact: "No fill in this record"}
	}
	f := fills[0] // the newest
	t := rowText{fact: orMissing(f.Drug, "Drug not sent"), known: f.Drug != "", flags: []views.Flag{fillFlag(f)}}
	t.add(w.fillDetails(f)...)
	if more := len(fills) - 1 + n.Facts.MoreFills; more > 0 {
		t.add(views.Counted(more, "more fill"))
	}
	t.add(exchange(n))
	return t
}

// fillFlag says how far a pharmacy came with a drug.
func fillFlag(f care.Fill) views.Flag {
	if f.Status == "" || f.Status == "completed" {
		return views.Flag{Text: "filled", Tone: "plain", Help: "The pharmacy filled it. Whether somebody picked it up is not known"}
	}
	return views.Flag{Text: f.Status, Tone: "plain", Help: "What the pharmacy says of this fill"}
}

// fillDetails is what is known of a fill beside the drug. What was not sent is left out.
func (w wording) fillDetails(f care.Fill) (out []string) {
	for _, part := range []string{f.Quantity, w.supply(f), numbered("fill ", f.Number), schedule(f.Schedule), f.Prescriber.Name, f.Pharmacy.Name} {
		if part != "" {
			out = append(out, part)
		}
	}
	return out
}

// supply is for how many days a fill lasts, and until when, which is computed here.
func (w wording) supply(f care.Fill) string {
	if f.DaysSupply == "" {
		return ""
	}
	text := f.DaysSupply + " days"
	if f.DaysSupply == "1" {
		text = "1 day"
	}
	if day, err := time.Parse(time.DateOnly, f.RunsOut()); err == nil {
		text += ", runs out " + w.Day(day).Date() + " (computed)"
	}
	return text
}

func numbered(word, number string) string {
	if number == "" {
		return ""
	}
	return word + number
}

// schedule is the schedule of a controlled drug within a sentence: "schedule II".
func schedule(text string) string {
	if rest, ok := strings.CutPrefix(text, "Schedule "); ok {
		text = rest
	}
	if text == "" || strings.HasPrefix(text, "schedule ") {
		return text
	}
	return "schedule " + text
}
