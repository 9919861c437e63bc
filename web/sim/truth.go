package sim

import (
	"slices"
	"time"
)

// Stay is what really happened, as the one who made it up knows it, and what was sent of it.
type Stay struct {
	PatientID  string
	Facility   string    // the hospital's own name
	Spellings  []string  // how the exchanges spell it, in the order in which they told
	Admitted   time.Time // when the patient came: UTC; never zero once something was told
	Discharged time.Time // when the patient left; zero while they are there
	Ended      bool      // at least one discharge was sent, with a time or without
	MessageIDs []string  // of its admits, transfers and discharges, in the order in which they were sent
	Encounters []string  // Encounter.id behind each of them
	Summaries  []string  // message ids of its discharge summaries
}

// told adds a notice of the stay.
func (t *Stay) told(m Message, encounter, spelling string) {
	t.MessageIDs = append(t.MessageIDs, m.ID)
	t.Encounters = append(t.Encounters, encounter)
	if !slices.Contains(t.Spellings, spelling) {
		t.Spellings = append(t.Spellings, spelling)
	}
}

// maxStays is how many stays the truth is kept of.
const maxStays = 2_000

// Stays returns the truth of the stays that were told of so far, by [Sim.Backlog], [Sim.Next] and samples: the newest
// two thousand. One that is not Ended is open by the story, and its journey goes on in Next.
func (s *Sim) Stays() []Stay {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Stay
	for _, t := range s.stays {
		if len(t.MessageIDs) > 0 {
			c := *t
			c.Spellings, c.MessageIDs = slices.Clone(t.Spellings), slices.Clone(t.MessageIDs)
			c.Encounters, c.Summaries = slices.Clone(t.Encounters), slices.Clone(t.Summaries)
			out = append(out, c)
		}
	}
	return out
}
