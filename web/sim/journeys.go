package sim

import (
	"fmt"
	"strconv"
	"time"
)

// Journey is one patient's story with everything that was sent of it, for tests that compare what a receiver makes of it
// with what really happened.
type Journey struct {
	Kind      string // what kind of story, such as "twins" or "back within the day"
	PatientID string // of a patient who has no other journey
	Person    Person // who that is
	Told      []Told // in the order in which they were sent
	Stays     []Stay // what really happened, in the order in which the stays began
}

// Person is how a journey's patient is named in its messages and files.
type Person struct {
	Given, Family string
	Sex           string // FHIR administrative gender
	Born          string // YYYY-MM-DD
	ExternalID    string
}

// Told is one message with what lies behind its links.
type Told struct {
	Message
	Files map[string][]byte // by the link as it stands in the body
}

// Journeys returns n stories in the shape of the sender's converters, each of a patient of its own, sent in the weeks
// before now; the same seed and clock give the same bytes. All kinds of stay that the converters can tell take turns. One
// in five stories is cut off somewhere after its first message, so that a patient is still in hospital: such a stay has
// Ended = false, all others were discharged and say so in a notice. The notices are admits and discharges; discharge
// summaries, fills and results follow some of them. Repeats and other orders are the caller's to make.
//
// What a receiver can know: notices of one stay share an Encounter.id, or the hospital and overlapping times with the same
// reason or diagnosis; see Encounters and Spellings of [Stay]. Two Stays of one journey are two, although they can share
// an Encounter.id (their times do not overlap) or overlap (their hospitals differ).
func (s *Sim) Journeys(n int) []Journey {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func(before bool) { s.converted, s.collect = before, nil }(s.converted)
	s.converted = true
	now := s.now()
	out := make([]Journey, 0, n)
	for i := range n {
		kind := converterKinds[i%len(converterKinds)]
		p := stranger(i)
		j := kind(s, p)
		cut := len(j.steps)
		if i%5 == 4 {
			cut = 1 + s.r.IntN(len(j.steps))
		}
		out = append(out, s.toldOf(p, j, cut, now))
	}
	return out
}

// toldOf tells a journey of a stranger, and forgets the stranger.
func (s *Sim) toldOf(p person, j *journey, steps int, now time.Time) Journey {
	out := s.tellAll(j, steps, now)
	out.PatientID, out.Person = p.id, Person{p.given, p.family, p.sex, p.born, p.externalID}
	delete(s.files, p.id)
	delete(s.networks, p.id)
	return out
}

// Errands returns n stories that are no stays, each of a patient of its own: network queries, documents page by page,
// consolidated data, messages that came and what became of those sent, proofings and small imports take turns. The same
// seed and clock give the same bytes.
func (s *Sim) Errands(n int) []Journey {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.collect = nil }()
	now := s.now()
	out := make([]Journey, 0, n)
	for i := range n {
		p := stranger(i)
		var j *journey
		switch round := i / 8; i % 8 {
		case 0, 4:
			j = s.query(p, queryEnds[round%len(queryEnds)])
		case 1:
			j = s.paged(p, true)
		case 2:
			j = s.consolidated(p, consolidatedKind(round%int(consolidatedKinds)))
		case 3, 5:
			j = s.received(&p)
		case 6:
			j = s.delivered(p, round%4 == 3, false)
		default:
			if j = s.proofing(p); round%4 == 1 {
				j = s.bulkImport([]string{"completed", "failed"}[round/4%2], 40)
			}
		}
		out = append(out, s.toldOf(p, j, len(j.steps), now))
	}
	return out
}

// converterKinds are the stays that the converters' shape can tell.
var converterKinds = []func(*Sim, person) *journey{
	(*Sim).visit, (*Sim).inpatient, (*Sim).brief, (*Sim).twins, (*Sim).watched, (*Sim).overlap, (*Sim).again, (*Sim).handover,
	(*Sim).backwards, (*Sim).unsaid, (*Sim).recurring, (*Sim).twins, (*Sim).inpatient, (*Sim).again, (*Sim).visit,
}

// tellAll tells the first steps of a journey, so that the last one lies before now.
func (s *Sim) tellAll(j *journey, steps int, now time.Time) Journey {
	out := Journey{Kind: j.kind, PatientID: j.who}
	length := time.Duration(0)
	for _, st := range j.steps[:steps] {
		length += st.wait + st.lag
	}
	happened := minute(now.Add(-length - between(s.r, time.Hour, 20*24*time.Hour)))
	sent := time.Time{}
	for range steps {
		step := j.steps[0]
		happened = happened.Add(step.wait)
		at := happened.Add(step.lag).Truncate(time.Millisecond)
		if !at.After(sent) {
			at = sent.Add(50 * time.Millisecond)
		}
		files := map[string][]byte{}
		s.collect = func(url string, c content, seed uint64) { files[url] = c.make(seeded(seed, 2)) }
		s.telling = at
		out.Told = append(out.Told, Told{j.next(at, happened), files})
		s.telling, s.collect, sent = time.Time{}, nil, at
	}
	for _, t := range j.stays {
		if len(t.MessageIDs) > 0 {
			out.Stays = append(out.Stays, *t)
		}
	}
	return out
}

// stranger is a patient of the practice beside those of the demo.
func stranger(i int) person {
	id := derived("stranger", strconv.Itoa(i))
	return person{
		id: id, given: givenNames[i%len(givenNames)], family: fmt.Sprintf("%s-%d", familyNames[i%len(familyNames)], i),
		sex: []string{"female", "male"}[i%2], born: fmt.Sprintf("%d-%02d-%02d", 1930+i%70, 1+i%12, 1+i%28), externalID: fmt.Sprintf("77%05d", i),
		phone: fmt.Sprintf("555-01%02d", i%100), line: fmt.Sprintf("%d Sample Avenue", 1+i), city: "Sampleton", state: "CA", zip: "95910",
	}
}
