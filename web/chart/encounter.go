package chart

import (
	"cmp"
	"slices"
	"time"

	"carebell/web/care"
	"carebell/web/fhir"
)

// stayTimes are when a notice says that its stay began and ended; zero where it does not.
type stayTimes struct{ admit, discharge time.Time }

// closeBy is how far apart the times of a notice and of an Encounter may be and still mean the same moment: exchanges round
// them, and one corrects them later.
const closeBy = time.Hour

// encounter is the stay a record is about: the one its Composition names, else the one whose times are the notice's, else
// the latest. Several under one id are several stays here: the reader joined those of one. Where the sender dropped the
// Encounter, it is what else the bundle says of a stay.
func encounter(f fhir.Facts, at stayTimes) *care.Encounter {
	own := slices.DeleteFunc(slices.Clone(f.Encounters), func(e fhir.Encounter) bool { return e.OtherSubject != "" })
	if f.Summary != nil && f.Summary.EncounterID != "" {
		own = slices.DeleteFunc(own, func(e fhir.Encounter) bool { return e.ID != f.Summary.EncounterID })
	} else if len(own) == 0 && f.Remains != nil {
		own = []fhir.Encounter{*f.Remains}
	}
	if len(own) == 0 {
		return nil
	}
	e := slices.MinFunc(own, func(a, b fhir.Encounter) int { // of equals, the first: the latest
		return cmp.Compare(at.fit(b), at.fit(a))
	})
	return stayFacts(e)
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// fit says how well the times of an Encounter are those of the notice: 2 where its beginning and its end are, 1 where one
// of them is, 0 where that cannot be told, -1 where it is another stay.
func (at stayTimes) fit(e fhir.Encounter) int {
	near := func(a time.Time, b fhir.Time) bool {
		return !a.IsZero() && !b.IsZero() && a.Sub(b.Time).Abs() <= closeBy
	}
	n := truth(near(at.admit, e.Start)) + truth(near(at.discharge, e.End))
	begins, ends := cmp.Or(at.admit, at.discharge), at.discharge
	starts, stops := e.Start.Time, e.End.Time
	if starts.IsZero() {
		starts = stops
	}
	switch {
	case n > 0 || begins.IsZero() || starts.IsZero():
		return n
	case !ends.IsZero() && starts.After(ends.Add(closeBy)), !stops.IsZero() && begins.After(stops.Add(closeBy)):
		return -1
	default:
		return 0
	}
}

// stayFacts are the few words of an Encounter that people read.
func stayFacts(e fhir.Encounter) *care.Encounter {
	out := &care.Encounter{
		ID: e.ID, VisitNumber: e.VisitNumber, Status: e.Status, Start: timeText(e.Start), End: timeText(e.End), Facility: e.Facility, Unit: e.Unit,
		ClassUnsure: fhir.ClassUnsure(e.Class.Code), Reasons: e.Reasons, Codes: e.Codes, Attending: e.Attending, SeenBy: e.SeenBy,
		Disposition: e.Disposition, Exchange: e.Exchange,
	}
	if word := fhir.ClassWord(e.Class.Code); word != "unknown" {
		out.Class = word
	}
	for _, d := range e.Diagnoses {
		if d.Text != "" && !slices.Contains(out.Diagnoses, d.Text) {
			out.Diagnoses = append(out.Diagnoses, d.Text)
		}
	}
	return out
}
