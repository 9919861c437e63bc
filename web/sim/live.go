package sim

import (
	"cmp"
	"slices"
	"time"

	"carebell/web/metriport"
)

// card is one kind of thing that can happen next; it returns nil when it cannot happen now.
type card func(s *Sim) *journey

var legacyTypes = []metriport.Type{metriport.DocumentsURLs, metriport.DocumentDownload, metriport.DocumentConversion}

// maxRunning bounds the stays that are open at once, and with them memory.
const maxRunning = 24

// hand is the mix of a working hour. Every kind is in it, so one pass through it shows them all.
func hand() []card {
	h := []card{
		(*Sim).beginVisit, (*Sim).beginInpatient, (*Sim).beginOther, (*Sim).beginAgain, (*Sim).beginDocumented,
		func(s *Sim) *journey { return s.oneLab(s.somebody(), panelBMP, true) },
		func(s *Sim) *journey { return s.oneLab(s.somebody(), s.r.IntN(len(panels)), false) },
		func(s *Sim) *journey {
			if s.hands%4 == 0 {
				return s.noFills(s.somebody())
			}
			return s.oneFill(s.somebody())
		},
		func(s *Sim) *journey { return s.conversation(s.somebody()) },
		func(s *Sim) *journey { return s.received(s.perhaps(s.somebody())) },
		func(s *Sim) *journey { return s.delivered(s.somebody(), oneIn(s.r, 3), oneIn(s.r, 3)) },
		func(s *Sim) *journey { return s.query(s.somebody(), queryEnds[s.hands%len(queryEnds)]) },
		func(s *Sim) *journey { return s.paged(s.somebody(), !oneIn(s.r, 3)) },
		func(s *Sim) *journey { return s.consolidated(s.somebody(), consolidatedKind(s.turn)%consolidatedKinds) },
		func(s *Sim) *journey {
			return s.bulkImport(pick(s.r, []string{"completed", "completed", "failed"}), s.usualRows())
		},
		func(s *Sim) *journey { return s.proofing(s.somebody()) },
		func(s *Sim) *journey { return s.legacy(legacyTypes[s.turn%len(legacyTypes)], s.somebody()) },
	}
	for range 7 {
		h = append(h, (*Sim).goOn)
	}
	h = append(h, goOnTo(metriport.PatientTransfer), goOnTo(metriport.PatientDischarge),
		goOnTo(metriport.DischargeSummary, metriport.DischargeSummaryBatch), goOnTo(metriport.DischargeSummary, metriport.DischargeSummaryBatch))
	for range 7 {
		h = append(h, (*Sim).goOnStory)
	}
	h = append(h, (*Sim).goOnRarest, (*Sim).goOnRarest, (*Sim).goOnRarest)
	return h
}

// Next returns the next live event, sent now: a new journey begins, or one that is running goes on, those of the
// backlog first. What it tells happened a few seconds to about twenty minutes ago.
func (s *Sim) Next() Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	j := s.draw()
	for j == nil {
		j = s.draw()
	}
	s.take(j)
	m := j.next(now, s.lately(j.last, now))
	s.lastly[m.Type] = s.turn
	if len(j.steps) > 0 {
		s.leave(j)
	}
	return m
}

func (s *Sim) draw() *journey {
	if len(s.deck) == 0 {
		s.deck = hand()
		s.hands++
		s.r.Shuffle(len(s.deck), func(i, k int) { s.deck[i], s.deck[k] = s.deck[k], s.deck[i] })
	}
	c := s.deck[0]
	s.deck = s.deck[1:]
	s.turn++
	return c(s)
}

// lately is when something happened that is told now, after what happened before it.
func (s *Sim) lately(before, now time.Time) time.Time {
	late := between(s.r, 3*time.Second, 90*time.Second)
	if oneIn(s.r, 5) {
		late = between(s.r, 2*time.Minute, 20*time.Minute)
	}
	at := now.Add(-late).Truncate(time.Millisecond)
	if at.After(before) {
		return at
	}
	return earliest(before.Add(time.Millisecond), now)
}

// leave puts a journey among those that have steps left.
func (s *Sim) leave(j *journey) {
	if j.who == "" {
		s.stories = append(s.stories, j)
	} else {
		s.running = append(s.running, j)
	}
}

// take takes it out again.
func (s *Sim) take(j *journey) {
	same := func(k *journey) bool { return k == j }
	s.stories = slices.DeleteFunc(s.stories, same)
	s.running = slices.DeleteFunc(s.running, same)
}

func soonest(of []*journey) *journey {
	if len(of) == 0 {
		return nil
	}
	return slices.MinFunc(of, func(a, b *journey) int { return a.due.Compare(b.due) })
}

func (s *Sim) goOn() *journey { return soonest(s.running) }

// goOnTo goes on with a stay whose next message is of one of these kinds, so that none of them is long in coming.
func goOnTo(kinds ...metriport.Type) card {
	return func(s *Sim) *journey {
		return soonest(slices.DeleteFunc(slices.Clone(s.running), func(j *journey) bool {
			return !slices.Contains(kinds, j.steps[0].kind)
		}))
	}
}

// goOnRarest goes on with the journey, of those that are no stays, whose next message is of the type that has not been
// sent for longest.
func (s *Sim) goOnRarest() *journey {
	if len(s.stories) == 0 {
		return nil
	}
	return slices.MinFunc(s.stories, func(a, b *journey) int {
		return cmp.Or(cmp.Compare(s.lastly[a.steps[0].kind], s.lastly[b.steps[0].kind]), a.due.Compare(b.due))
	})
}

func (s *Sim) goOnStory() *journey { return soonest(s.stories) }

func (s *Sim) somebody() person { return pick(s.r, s.people) }

// begin starts a stay for somebody who has none, unless enough are running.
func (s *Sim) begin(from []person, start func(*Sim, person) *journey) *journey {
	if len(s.running) >= maxRunning {
		return s.goOn()
	}
	free := slices.DeleteFunc(slices.Clone(from), func(p person) bool {
		return slices.ContainsFunc(s.running, func(j *journey) bool { return j.who == p.id })
	})
	if len(free) == 0 {
		return nil
	}
	return start(s, pick(s.r, free))
}

func (s *Sim) beginVisit() *journey { return s.begin(s.people, (*Sim).visit) }

func (s *Sim) beginInpatient() *journey { return s.begin(s.people, (*Sim).inpatient) }

func (s *Sim) beginDocumented() *journey { return s.begin(s.people, (*Sim).documentedInpatient) }

func (s *Sim) beginAgain() *journey { return s.begin(s.home, (*Sim).inpatient) }

// oddKinds are those stays, what is told of often more than once.
var oddKinds = []func(*Sim, person) *journey{
	(*Sim).twins, (*Sim).watched, (*Sim).unsaid, (*Sim).again, (*Sim).nameless, (*Sim).overlap, (*Sim).handover, (*Sim).backwards, (*Sim).twins, (*Sim).recurring,
}

// beginOther takes turns among the stays that are worth a second look.
func (s *Sim) beginOther() *journey {
	return s.begin(s.people, oddKinds[s.hands%len(oddKinds)])
}
