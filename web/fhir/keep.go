package fhir

import (
	"cmp"
	"slices"
)

// How many facts of a kind are kept: the newest.
const (
	maxPatients       = 20
	maxEncounters     = 300
	maxConditions     = 500
	maxDispenses      = 1000
	maxPrescriptions  = 1000
	maxReports        = 2000 // the laboratory network sends one for each result
	maxObservations   = 2000
	maxCommunications = 100
	maxDocuments      = 1000
)

// fact is what a list keeps: a value with the references that are still to be resolved.
type fact interface {
	when() Time
	ident() string
}

// held is one fact with what it costs and the names it is found by.
type held[T fact] struct {
	fact T
	keys []string
	cost int // bytes, by estimate
}

// shelf keeps the newest facts of one kind.
type shelf[T fact] struct {
	most  int
	total int // what the facts cost together
	facts []held[T]
}

// put keeps one more. Where there are twice as many as may stay, the oldest go.
func (s *shelf[T]) put(r *reader, h held[T]) {
	s.facts = append(s.facts, h)
	s.total += h.cost
	if len(s.facts) >= 2*s.most {
		s.shrink(r, s.most)
	}
}

// shrink forgets all but the n newest.
func (s *shelf[T]) shrink(r *reader, n int) {
	s.sort()
	if len(s.facts) <= n {
		return
	}
	r.cut()
	for _, h := range s.facts[n:] {
		r.spent -= h.cost
		s.total -= h.cost
		for _, key := range h.keys {
			delete(r.index, key)
		}
	}
	clear(s.facts[n:])
	s.facts = s.facts[:n]
}

// halve forgets the older half.
func (s *shelf[T]) halve(r *reader) { s.shrink(r, len(s.facts)/2) }

func (s *shelf[T]) cost() int { return s.total }

// sort puts the newest first, unknown times last, then by id; equal ones stay in the order of the file.
func (s *shelf[T]) sort() {
	slices.SortStableFunc(s.facts, func(a, b held[T]) int {
		return byTime(a.fact.when(), b.fact.when(), a.fact.ident(), b.fact.ident())
	})
}

func byTime(a, b Time, idA, idB string) int {
	if c := b.Compare(a.Time); c != 0 { // a zero time is the oldest
		return c
	}
	return cmp.Compare(idA, idB)
}

// relieve makes room when the facts cost more than they may: the kind that costs most gives first.
func (r *reader) relieve() {
	type purse interface {
		cost() int
		halve(*reader)
	}
	for r.spent > maxKept {
		most := slices.MaxFunc([]purse{
			&r.encounters, &r.conditions, &r.dispenses, &r.prescriptions, &r.reports, &r.observations,
			&r.communications, &r.documents,
		}, func(a, b purse) int { return cmp.Compare(a.cost(), b.cost()) })
		if most.cost() == 0 {
			return
		}
		most.halve(r)
	}
}
