package fhir

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
)

// An id can cover several stays, and one stay can be there twice under its id: the sender merges the bundle of each notice
// with the earlier ones, and keeps two Encounters where their start times differ (contract.md). So of the Encounters of one
// id, those whose times overlap are joined, and the others stay apart.

// oneStay is the Encounters of one id that are taken for one stay.
type oneStay struct {
	start, end Time // of what is known
	parts      []*encounter
}

const (
	// startsApart is how far apart two Encounters of one id may begin, where the end of one is not known, and be one stay:
	// admit times of a stay differ by minutes, or by a night in the emergency department; sessions of a recurring patient
	// are a day apart.
	startsApart = 20 * time.Hour
	// endsApart is how far apart their ends may be.
	endsApart = time.Hour
)

// joinEncounters makes one Encounter of those that are one stay.
func (r *reader) joinEncounters() {
	type key struct {
		known *known
		of    string // another patient
	}
	same := map[key][]*encounter{}
	var order []key
	each(&r.encounters, func(f *encounter) {
		k := key{f.known, r.otherSubject(f.subject)}
		if same[k] == nil {
			order = append(order, k)
		}
		same[k] = append(same[k], f)
	})
	if len(order) == len(r.encounters.facts) {
		return
	}
	cost := map[*encounter]held[*encounter]{}
	for _, h := range r.encounters.facts {
		cost[h.fact] = h
	}
	r.encounters.facts = r.encounters.facts[:0]
	for _, k := range order {
		for _, stay := range staysOf(same[k]) {
			f := r.join(stay.parts)
			r.encounters.facts = append(r.encounters.facts, cost[f])
		}
	}
	r.encounters.sort()
}

// staysOf tells the stays apart that Encounters of one id are about. The order of all does not matter.
func staysOf(all []*encounter) []oneStay {
	if len(all) == 1 {
		return []oneStay{{parts: all}}
	}
	all = slices.Clone(all)
	slices.SortStableFunc(all, before)
	var stays []oneStay
	for _, f := range all { // those with both ends; they come in the order of their starts
		if f.Start.IsZero() || f.End.IsZero() || f.End.Before(f.Start.Time) {
			continue
		}
		if last := len(stays) - 1; last >= 0 && !f.Start.After(stays[last].end.Time) {
			stays[last].add(f)
			continue
		}
		stays = append(stays, oneStay{f.Start, f.End, []*encounter{f}})
	}
	for _, f := range all { // those that go on, or whose end was not sent
		if f.Start.IsZero() || !f.End.IsZero() && !f.End.Before(f.Start.Time) {
			continue
		}
		best := -1
		for i, s := range stays {
			if s.began(f.Start) && (best < 0 || apart(s.start, f.Start) < apart(stays[best].start, f.Start)) {
				best = i
			}
		}
		if best < 0 {
			stays, best = append(stays, oneStay{start: f.Start}), len(stays)
		}
		stays[best].add(f)
	}
	for _, f := range all { // those of which the end alone is known
		if !f.Start.IsZero() || f.End.IsZero() {
			continue
		}
		best := -1
		for i, s := range stays {
			if s.ended(f.End) && (best < 0 || s.start.After(stays[best].start.Time)) {
				best = i
			}
		}
		if best < 0 {
			stays, best = append(stays, oneStay{}), len(stays)
		}
		stays[best].add(f)
	}
	var timeless []*encounter
	for _, f := range all {
		if f.Start.IsZero() && f.End.IsZero() {
			timeless = append(timeless, f)
		}
	}
	switch {
	case len(timeless) == 0:
	case len(stays) == 1:
		stays[0].parts = append(stays[0].parts, timeless...)
	default: // of none, or nobody knows of which
		stays = append(stays, oneStay{parts: timeless})
	}
	return stays
}

// add takes an Encounter into a stay.
func (s *oneStay) add(f *encounter) {
	s.parts = append(s.parts, f)
	if !f.Start.IsZero() && (s.start.IsZero() || f.Start.Before(s.start.Time)) {
		s.start = f.Start
	}
	if f.End.After(s.end.Time) {
		s.end = f.End
	}
}

func apart(a, b Time) time.Duration { return a.Sub(b.Time).Abs() }

// began says whether a stay whose end is not known, and which began at t, is this one.
func (s oneStay) began(t Time) bool {
	if s.end.IsZero() {
		return apart(s.start, t) <= startsApart
	}
	return !t.Before(s.start.Add(-startsApart)) && !t.After(s.end.Time)
}

// ended says whether a stay of which only the end is known, at t, is this one.
func (s oneStay) ended(t Time) bool {
	return !t.Before(s.start.Time) && (s.end.IsZero() || !t.After(s.end.Add(endsApart)))
}

// before orders Encounters by their times, then by what they say, so that the order of the file does not matter.
func before(a, b *encounter) int {
	if c := cmp.Or(a.Start.Compare(b.Start.Time), a.End.Compare(b.End.Time)); c != 0 {
		return c
	}
	if a == b {
		return 0
	}
	return bytes.Compare(a.said(), b.said())
}

// said is what an Encounter says, to be compared.
func (f *encounter) said() []byte {
	b, err := json.Marshal(f.Encounter, json.Deterministic(true))
	if err != nil {
		return nil
	}
	for _, p := range f.people {
		b = append(b, p.who.to+p.who.display...)
	}
	for _, d := range f.diagnoses {
		b = append(b, d.condition.to+d.condition.display...)
	}
	for _, p := range f.places {
		b = append(b, p.at.to+p.at.display...)
	}
	return b
}

// join makes one Encounter of those of one stay: the finished one counts, else the one with the later period, and what it
// leaves out is taken from the others.
func (r *reader) join(parts []*encounter) *encounter {
	slices.SortStableFunc(parts, func(a, b *encounter) int {
		return cmp.Or(
			-cmp.Compare(finished(a), finished(b)),
			b.when().Compare(a.when().Time), b.End.Compare(a.End.Time),
			before(b, a),
		)
	})
	f := parts[0]
	for _, other := range parts[1:] {
		f.complete(r, other)
	}
	return f
}

func finished(f *encounter) int {
	if f.Status == "finished" {
		return 1
	}
	return 0
}

// complete takes from another Encounter of the same stay what f leaves out.
func (f *encounter) complete(r *reader, other *encounter) {
	f.Status, f.Type = firstWord(f.Status, other.Status), firstWord(f.Type, other.Type)
	if f.Class.Code == "" && f.Class.Display == "" {
		f.Class = other.Class
	}
	if f.Start.IsZero() {
		f.Start = other.Start
	}
	if f.End.IsZero() && !other.End.Before(f.Start.Time) {
		f.End = other.End
	}
	if len(f.Reasons)+len(f.why) == 0 {
		f.Reasons, f.why = other.Reasons, other.why
	}
	f.Codes = append(f.Codes, other.Codes...)
	for _, d := range other.diagnoses {
		there := slices.ContainsFunc(f.diagnoses, func(own diagnosis) bool { return own.condition == d.condition })
		switch {
		case there:
		case len(f.diagnoses) == maxParts:
			r.cut()
		default:
			f.diagnoses = append(f.diagnoses, d)
		}
	}
	if len(f.people) == 0 {
		f.people = other.people
	}
	if len(f.places) == 0 {
		f.places = other.places
	}
	if f.provider == (ref{}) {
		f.provider = other.provider
	}
	if f.subject == (ref{}) {
		f.subject = other.subject
	}
	f.VisitNumber, f.Disposition = firstWord(f.VisitNumber, other.VisitNumber), firstWord(f.Disposition, other.Disposition)
	for _, id := range other.Identifiers {
		if !slices.Contains(f.Identifiers, id) && len(f.Identifiers) < maxIdentifiers {
			f.Identifiers = append(f.Identifiers, id)
		}
	}
	f.Exchange = firstWord(f.Exchange, other.Exchange)
}
