package sim

import (
	"slices"
	"time"

	"carebell/web/metriport"
)

// journey is a story of several messages: a stay and what follows it, or a request and its answers. Its steps happen
// in order, each some time after the one before.
type journey struct {
	who   string // patientId of a stay, "" for the rest
	steps []step
	last  time.Time // when the last step happened
	due   time.Time // when the next one would happen
}

// step is one message of a journey.
type step struct {
	kind metriport.Type
	wait time.Duration // after the step before
	lag  time.Duration // how long the sender took to say so
	tell func(at, happened time.Time) Message
}

func (j *journey) add(kind metriport.Type, wait, lag time.Duration, tell func(at, happened time.Time) Message) {
	j.steps = append(j.steps, step{kind, wait, lag, tell})
}

// next tells the first of the steps that are left.
func (j *journey) next(at, happened time.Time) Message {
	m := j.steps[0].tell(at, happened)
	j.steps, j.last = j.steps[1:], happened
	if len(j.steps) > 0 {
		j.due = happened.Add(j.steps[0].wait)
	}
	return m
}

// lag is how late a notice is: mostly a minute or two, sometimes hours.
func (s *Sim) lag() time.Duration {
	if oneIn(s.r, 9) {
		return between(s.r, 20*time.Minute, 3*time.Hour)
	}
	return between(s.r, 5*time.Second, 4*time.Minute)
}

func (s *Sim) newStay(p person, class string, why complaint, path ...unit) *stay {
	if oneIn(s.r, 12) { // some exchanges know the patient by fewer ids
		p.additional = nil
	}
	return &stay{
		who: p, id: uuid4(s.r), visit: "V" + hexWord(s.r)[:8], class: class, why: why, path: path,
		facility: pick(s.r, facilities).name, doctor: s.r.IntN(len(doctors)), disposition: oneIn(s.r, 6),
	}
}

// The beginnings, middles and ends that the stays below are made of.

func (s *Sim) admit(j *journey, st *stay, wait time.Duration) {
	j.add(metriport.PatientAdmit, wait, s.lag(), func(at, happened time.Time) Message {
		st.admitted = happened
		return s.adt(metriport.PatientAdmit, st, at, happened)
	})
}

func (s *Sim) transfers(j *journey, st *stay) {
	for i := 1; i < len(st.path); i++ {
		wait := between(s.r, 5*time.Hour, 22*time.Hour)
		if i == 1 {
			wait = between(s.r, 30*time.Minute, 3*time.Hour)
		}
		j.add(metriport.PatientTransfer, wait, s.lag(), func(at, happened time.Time) Message {
			st.moves = append(st.moves, move{happened, st.path[i-1], st.path[i]})
			return s.adt(metriport.PatientTransfer, st, at, happened)
		})
	}
}

func (s *Sim) discharge(j *journey, st *stay, wait time.Duration) {
	j.add(metriport.PatientDischarge, wait, s.lag(), func(at, happened time.Time) Message {
		st.discharged = happened
		if st.class == "IMP" && !slices.ContainsFunc(s.home, func(p person) bool { return p.id == st.who.id }) {
			s.home = append(s.home, st.who)
		}
		return s.adt(metriport.PatientDischarge, st, at, happened)
	})
}

// aftercare is what follows a stay at home. Some prescriptions are never filled.
func (s *Sim) aftercare(j *journey, st *stay) {
	kind := metriport.DischargeSummary
	if oneIn(s.r, 3) {
		kind = metriport.DischargeSummaryBatch
	}
	s.summaryStep(j, st, kind)
	if !oneIn(s.r, 4) {
		s.fillStep(j, st.who, drugs[st.why.drug], between(s.r, 3*time.Hour, 26*time.Hour))
	}
	if !oneIn(s.r, 3) {
		s.labStep(j, st.who, st.why.panel, oneIn(s.r, 6), between(s.r, 12*time.Hour, 40*time.Hour))
	}
}

// visit is an emergency visit that ends there.
func (s *Sim) visit(p person) *journey {
	j := &journey{who: p.id}
	st := s.newStay(p, "EMER", pick(s.r, minor), emergency)
	s.admit(j, st, 0)
	if oneIn(s.r, 3) {
		s.labStep(j, p, st.why.panel, false, between(s.r, 40*time.Minute, 2*time.Hour))
	}
	s.discharge(j, st, between(s.r, time.Hour, 7*time.Hour))
	if oneIn(s.r, 2) {
		s.fillStep(j, p, drugs[st.why.drug], between(s.r, time.Hour, 20*time.Hour))
	}
	return j
}

// inpatient begins in the emergency department and goes through the wards. The same encounter becomes an inpatient one.
func (s *Sim) inpatient(p person) *journey {
	j := &journey{who: p.id}
	st := s.newStay(p, "EMER", pick(s.r, major), s.route()...)
	s.admit(j, st, 0)
	j.add(metriport.PatientAdmit, between(s.r, 2*time.Hour, 6*time.Hour), s.lag(), func(at, happened time.Time) Message {
		st.class = "IMP"
		return s.adt(metriport.PatientAdmit, st, at, happened)
	})
	s.transfers(j, st)
	s.discharge(j, st, between(s.r, 18*time.Hour, 50*time.Hour))
	s.aftercare(j, st)
	return j
}

// brief is a planned inpatient stay of a day, which leaves time for a readmission.
func (s *Sim) brief(p person) *journey {
	j := &journey{who: p.id}
	st := s.newStay(p, "IMP", pick(s.r, major), wards[2])
	s.admit(j, st, 0)
	s.discharge(j, st, between(s.r, 18*time.Hour, 30*time.Hour))
	s.summaryStep(j, st, metriport.DischargeSummary)
	return j
}

// route is where an inpatient lies, one to three moves.
func (s *Sim) route() []unit {
	path := []unit{emergency}
	for _, i := range s.r.Perm(len(wards))[:1+s.r.IntN(3)] {
		path = append(path, wards[i])
	}
	return path
}

// handover is an emergency visit that ends as the inpatient stay of another encounter begins.
func (s *Sim) handover(p person) *journey {
	j := &journey{who: p.id}
	why := pick(s.r, major)
	first := s.newStay(p, "EMER", why, emergency)
	s.admit(j, first, 0)
	s.discharge(j, first, between(s.r, 2*time.Hour, 6*time.Hour))
	second := s.newStay(p, "IMP", why, s.route()[1:]...)
	second.facility = first.facility
	s.admit(j, second, 10*time.Minute)
	s.transfers(j, second)
	s.discharge(j, second, between(s.r, 18*time.Hour, 50*time.Hour))
	s.aftercare(j, second)
	return j
}

// watched is an observation stay; exchanges often call it ambulatory or a short stay.
func (s *Sim) watched(p person) *journey {
	j := &journey{who: p.id}
	st := s.newStay(p, pick(s.r, []string{"AMB", "AMB", "SS"}), pick(s.r, minor), emergency, observation)
	if oneIn(s.r, 2) {
		st.kind = "Observation"
	}
	s.admit(j, st, 0)
	s.transfers(j, st)
	s.labStep(j, p, st.why.panel, false, between(s.r, time.Hour, 4*time.Hour))
	s.discharge(j, st, between(s.r, 10*time.Hour, 26*time.Hour))
	return j
}

// nameless is a John Doe: the exchange matched the patient, the hospital does not know the name yet.
func (s *Sim) nameless(p person) *journey {
	j := &journey{who: p.id}
	st := s.newStay(p, "EMER", major[6], emergency, wards[5])
	st.unnamed = true
	st.why.reason = "Found unresponsive, no identification"
	s.admit(j, st, 0)
	s.transfers(j, st)
	s.discharge(j, st, between(s.r, 30*time.Hour, 60*time.Hour))
	return j
}

// twins are one stay that two exchanges report, each under its own encounter and with its own clock and spelling.
func (s *Sim) twins(p person) *journey {
	j := &journey{who: p.id}
	st := s.newStay(p, "IMP", pick(s.r, major), wards[0], wards[1])
	place := pick(s.r, facilities)
	st.facility = place.name
	other := s.newStay(p, "IMP", st.why, st.path...)
	other.facility, other.doctor = place.alias, st.doctor
	echo := func(kind metriport.Type, set func(later func(time.Time) time.Time)) {
		j.add(kind, between(s.r, 3*time.Minute, 9*time.Minute), s.lag(), func(at, happened time.Time) Message {
			set(func(t time.Time) time.Time { return earliest(t.Add(2*time.Minute), happened) })
			return s.adt(kind, other, at, happened)
		})
	}
	s.admit(j, st, 0)
	echo(metriport.PatientAdmit, func(later func(time.Time) time.Time) { other.admitted = later(st.admitted) })
	s.transfers(j, st)
	s.discharge(j, st, between(s.r, 20*time.Hour, 40*time.Hour))
	echo(metriport.PatientDischarge, func(later func(time.Time) time.Time) { other.discharged = later(st.discharged) })
	s.aftercare(j, st)
	return j
}

// backwards is a short visit whose discharge arrives before its admit.
func (s *Sim) backwards(p person) *journey {
	j := &journey{who: p.id}
	st := s.newStay(p, "EMER", minor[1], emergency)
	st.why.reason = "Suture removal"
	j.add(metriport.PatientDischarge, 0, 10*time.Second, func(at, happened time.Time) Message {
		st.admitted, st.discharged = happened.Add(-16*time.Minute), happened
		return s.adt(metriport.PatientDischarge, st, at, happened)
	})
	j.add(metriport.PatientAdmit, time.Second, 90*time.Second, func(at, _ time.Time) Message {
		before := *st
		before.discharged = time.Time{}
		return s.adt(metriport.PatientAdmit, &before, at, st.admitted)
	})
	return j
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
