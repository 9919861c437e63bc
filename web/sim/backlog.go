package sim

import (
	"slices"
	"time"
)

// How many messages a backlog holds, whatever its days.
const (
	fewest = 124
	most   = 158
)

// week is the span that journeys are written for; a shorter backlog tells them faster.
const week = 7 * 24 * time.Hour

// Backlog returns what was sent in the last days, 120 to 160 messages in the order of their At, none later than now.
// Journeys that it leaves unfinished go on in Next. Their URLs are signed at the message's own time, but live on from
// now as long as any: a demo that delivers the backlog at once has something to fetch, and nothing of it is late. Fewer
// than one day counts as one.
func (s *Sim) Backlog(days int) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &backlog{Sim: s, now: s.now(), span: time.Duration(max(days, 1)) * 24 * time.Hour}
	b.pace = min(1, float64(b.span)/float64(week))
	b.tell()
	slices.SortStableFunc(b.out, func(a, c Message) int { return a.At.Compare(c.At) })
	return b.out
}

type backlog struct {
	*Sim
	now  time.Time
	span time.Duration
	pace float64 // at most 1: how much of a journey's own time passes
	out  []Message
}

// ago draws an instant of the span, given as the parts of it that lie between then and now.
func (b *backlog) ago(from, to float64) time.Time {
	part := from + (to-from)*b.r.Float64()
	return b.now.Add(-time.Duration(part * float64(b.span))).Truncate(time.Millisecond)
}

// recently is like ago within the span that a stay takes.
func (b *backlog) recently(from, to float64) time.Time {
	span := min(b.span, week)
	part := from + (to-from)*b.r.Float64()
	return b.now.Add(-time.Duration(part * float64(span))).Truncate(time.Millisecond)
}

// begin tells what of a journey has been sent by now, and leaves the rest running.
func (b *backlog) begin(j *journey, start time.Time) {
	happened, sent := start, time.Time{}
	for len(j.steps) > 0 {
		next := j.steps[0]
		then := happened.Add(time.Duration(float64(next.wait) * b.pace)).Truncate(time.Millisecond)
		at := then.Add(next.lag).Truncate(time.Millisecond)
		if !at.After(sent) { // one exchange sends what it has in order
			at = sent.Add(50 * time.Millisecond)
		}
		if at.After(b.now) {
			break
		}
		b.telling = at
		b.out = append(b.out, j.next(at, then))
		b.telling = time.Time{}
		happened, sent = then, at
	}
	if len(j.steps) > 0 {
		j.due = happened.Add(j.steps[0].wait)
		b.leave(j)
	}
}

func (b *backlog) tell() {
	people := slices.Clone(b.people)
	b.r.Shuffle(len(people), func(i, k int) { people[i], people[k] = people[k], people[i] })
	next := func() person { // everybody once, then from the start
		p := people[0]
		people = append(people[1:], p)
		return p
	}

	for range 2 {
		b.begin(b.inpatient(next()), b.ago(0.8, 0.98))
	}
	again := next()
	b.begin(b.brief(again), b.ago(0.8, 0.95))
	b.begin(b.inpatient(again), b.recently(0.1, 0.3))
	for range 2 {
		b.begin(b.inpatient(next()), b.recently(0.05, 0.4))
		b.begin(b.documentedInpatient(next()), b.recently(0.05, 0.4))
	}
	// One who left just now, so that a discharge summary is among the first live events.
	gone := b.brief(next())
	last := len(gone.steps) - 2 // the discharge; the summary is to come
	stayed := time.Duration(0)
	for _, st := range gone.steps[:last+1] {
		stayed += time.Duration(float64(st.wait) * b.pace)
	}
	b.begin(gone, b.now.Add(-stayed-gone.steps[last].lag-time.Minute))

	often := next()
	for i := range 3 {
		b.begin(b.visit(often), b.ago(0.25*float64(i)+0.1, 0.25*float64(i)+0.2))
	}
	for range 2 {
		b.begin(b.visit(next()), b.ago(0.02, 0.95))
	}
	b.begin(b.watched(next()), b.recently(0.3, 0.9))
	b.begin(b.watched(next()), b.recently(0.02, 0.1))
	b.begin(b.nameless(next()), b.recently(0.03, 0.1))
	b.begin(b.twins(next()), b.ago(0.5, 0.9))
	b.begin(b.twins(next()), b.recently(0.1, 0.3))
	b.begin(b.handover(next()), b.ago(0.5, 0.9))
	b.begin(b.backwards(next()), b.ago(0.1, 0.9))
	b.begin(b.overlap(next()), b.ago(0.5, 0.8))
	b.begin(b.again(next()), b.ago(0.8, 0.95))
	b.begin(b.recurring(next()), b.ago(0.8, 0.95))
	b.begin(b.unsaid(next()), b.ago(0.2, 0.9))
	b.errands(next)
	b.fill(next)
}

// errands are the messages that belong to no stay.
func (b *backlog) errands(next func() person) {
	for _, end := range []queryEnd{allAnswer, labFails, hieStaysOut} {
		b.begin(b.query(next(), end), b.ago(0.05, 0.95))
	}
	b.begin(b.paged(next(), true), b.ago(0.3, 0.9))
	b.begin(b.paged(next(), false), b.ago(0.05, 0.5))
	for _, outcome := range []string{"completed", "failed", ""} { // the last one is stuck
		b.begin(b.bulkImport(outcome, b.usualRows()), b.ago(0.1, 0.9))
	}
	for kind := range consolidatedKinds {
		b.begin(b.consolidated(next(), kind), b.ago(0.05, 0.9))
	}
	twice := next()
	for _, p := range []person{twice, next(), twice} {
		b.begin(b.proofing(p), b.ago(0.05, 0.9))
	}
	for i := range 5 {
		p := next()
		if i%3 == 2 {
			b.begin(b.received(nil), b.ago(0.02, 0.9))
			continue
		}
		if i == 1 {
			b.begin(b.conversation(p), b.ago(0.4, 0.9))
			continue
		}
		b.begin(b.received(&p), b.ago(0.02, 0.9))
	}
	for i := range 4 {
		b.begin(b.delivered(next(), i == 3, false), b.ago(0.02, 0.9))
	}
	for i := range 3 {
		b.begin(b.oneLab(next(), i%len(panels), i == 0), b.ago(0.03, 0.9))
	}
	for range 2 {
		b.begin(b.oneFill(next()), b.ago(0.03, 0.9))
	}
	b.begin(b.noFills(next()), b.ago(0.03, 0.9))
	for _, t := range legacyTypes {
		b.begin(b.legacy(t, next()), b.ago(0.1, 0.95))
	}
}

// fill adds single notices until the backlog is long enough.
func (b *backlog) fill(next func() person) {
	for i := 0; len(b.out) < fewest && i < most; i++ {
		if i%2 == 0 {
			b.begin(b.oneLab(next(), i%len(panels), false), b.ago(0.03, 0.95))
		} else {
			b.begin(b.oneFill(next()), b.ago(0.03, 0.95))
		}
	}
}
