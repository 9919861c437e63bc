package web

import (
	"strings"

	"carebell/db"
	"carebell/views"
	"carebell/web/care"
)

// admitted is the row of an admit: why, and where.
func admitted(n db.Notification) rowText {
	t := because(n)
	if !recordRead(n) {
		t.fact = unread("Reason", n)
	}
	t.where(n)
	return t
}

// discharged is the row of a discharge: why the patient was there, where to if that was sent, and how long.
func (w wording) discharged(n db.Notification) rowText {
	t := because(n)
	if !recordRead(n) {
		t.fact, t.known = "Discharged", true
	}
	if e := n.Facts.Encounter; e != nil && e.Disposition != "" {
		t.fact += " → " + e.Disposition
	}
	if length := w.At(n.DischargeAt).Since(w.At(n.AdmitAt)); length != "" && n.DischargeAt.After(n.AdmitAt) {
		t.flag("after "+length, "plain", "Time from admit to discharge")
	}
	if n.EventAt.IsZero() {
		t.add("discharge time not sent")
	}
	t.where(n)
	return t
}

// transferred is the row of a transfer: from where to where.
func transferred(n db.Notification) rowText {
	t := rowText{fact: "Where to was not sent"}
	if len(n.Moves) > 0 {
		last := n.Moves[len(n.Moves)-1]
		t.fact, t.known = place(last.From)+" → "+place(last.To), true
		t.add(moves(last, len(n.Moves)-1)...)
	}
	t.where(n)
	return t
}

// summarized is the row of a discharge summary.
func summarized(n db.Notification) rowText {
	t := rowText{fact: "Discharge summary", known: true}
	switch d := n.Facts.Summary; {
	case d != nil:
		t.where(n)
		t.add(views.Counted(len(d.Sections), "section"))
	case recordRead(n):
		t.add("no summary in this record")
	}
	return t
}

// because is why a patient is in hospital: the reason, else the first diagnosis.
func because(n db.Notification) rowText {
	switch e := n.Facts.Encounter; {
	case e != nil && len(e.Reasons) > 0:
		return rowText{fact: e.Reasons[0], known: true}
	case e != nil && len(e.Diagnoses) > 0:
		return rowText{fact: e.Diagnoses[0], known: true}
	default:
		return rowText{fact: "Reason not sent"}
	}
}

// where adds the facility, the class, who attends, and who told of it.
func (t *rowText) where(n db.Notification) {
	arrival := n.Kind == care.Admit || n.Kind == care.Discharge
	if !recordRead(n) {
		if arrival && recordComes(n) {
			t.add("facility and class not yet known")
		}
		return
	}
	var e care.Encounter
	if n.Facts.Encounter != nil {
		e = *n.Facts.Encounter
	}
	if arrival {
		e.Facility = orMissing(e.Facility, "facility not sent")
	}
	t.add(e.Facility, e.Class, seenBy(e))
	t.help = classHelp(e)
	t.add(exchange(n))
}

// classHelp explains a class that the sender uses for more than one thing; "" where it needs no words.
func classHelp(e care.Encounter) string {
	switch {
	case strings.Contains(e.Class, "short stay"):
		return e.Class + ": Sent as short stay; this sender says so of patients who come again and again, such as for dialysis"
	case e.ClassUnsure, strings.Contains(e.Class, "ambulatory"):
		return e.Class + ": The sender also uses this word for what it does not know"
	default:
		return ""
	}
}

func place(name string) string { return orMissing(name, "place not sent") }

// moves describes the last move of a transfer beside its places.
func moves(last care.Move, earlier int) (parts []string) {
	if last.FromType != "" && last.ToType != "" && last.FromType != last.ToType {
		parts = append(parts, last.FromType+" → "+last.ToType)
	}
	if earlier > 0 {
		parts = append(parts, views.Counted(earlier, "earlier move")+" folded")
	}
	return parts
}
