package sim

import (
	"time"

	"carebell/web/metriport"
)

// journey is a story of several messages: a stay and what follows it, or a request and its answers. Its steps happen
// in order, each some time after the one before.
type journey struct {
	who        string // patientId of a stay, "" for the rest
	kind       string // what kind of stay, for [Journey.Kind]
	documented bool   // told in the shape of the documentation; else in that of the sender's converters
	steps      []step
	last       time.Time // when the last step happened
	due        time.Time // when the next one would happen
	stays      []*Stay   // what is told of, in truth
}

// step is one message of a journey.
type step struct {
	kind metriport.Type
	wait time.Duration // after the step before
	lag  time.Duration // how long the sender took to say so
	tell func(at, happened time.Time) Message
}

// journeyOf begins a journey of a person, about every third one in the documented shape.
func (s *Sim) journeyOf(p person, kind string) *journey {
	return &journey{who: p.id, kind: kind, documented: oneIn(s.r, 3) && !s.converted}
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

// stay adds a stay to the journey, in its shape.
func (s *Sim) stay(j *journey, p person, class string, why complaint, path ...unit) *stay {
	st := s.newStay(p, class, why, path...)
	st.documented = j.documented
	if st.documented {
		st.silent = saysAll
	}
	j.stays = append(j.stays, st.truth)
	s.stays = append(s.stays[max(0, len(s.stays)-maxStays):], st.truth)
	return st
}

// The beginnings, middles and ends that stays are made of.

// notify is an admit, a transfer or a discharge, in the shape of the stay.
func (s *Sim) notify(t metriport.Type, st *stay, at, happened time.Time) Message {
	if st.documented {
		return s.adt(t, st, at, happened)
	}
	return s.heard(t, st, at, happened)
}

func (s *Sim) admit(j *journey, st *stay, wait time.Duration) {
	j.add(metriport.PatientAdmit, wait, s.lag(), func(at, happened time.Time) Message {
		st.begin(happened)
		return s.notify(metriport.PatientAdmit, st, at, happened)
	})
}

// begin is the time of admission, to the minute as hospitals write it.
func (st *stay) begin(happened time.Time) {
	st.admitted = happened
	if !st.documented {
		st.admitted = minute(happened)
	}
	if st.truth.Admitted.IsZero() || st.admitted.Before(st.truth.Admitted) {
		st.truth.Admitted = st.admitted
	}
}

// end is the time of discharge.
func (st *stay) end(happened time.Time) {
	st.discharged = happened
	if !st.documented {
		if st.discharged = minute(happened); !st.discharged.After(st.admitted) {
			st.discharged = happened.Truncate(time.Second)
		}
	}
	st.truth.Ended = true
	if st.truth.Discharged.IsZero() {
		st.truth.Discharged = st.discharged
	}
}

// transfers move the patient from unit to unit. The converters' shape knows none.
func (s *Sim) transfers(j *journey, st *stay) {
	if !st.documented {
		return
	}
	for i := 1; i < len(st.path); i++ {
		wait := between(s.r, 5*time.Hour, 22*time.Hour)
		if i == 1 {
			wait = between(s.r, 30*time.Minute, 3*time.Hour)
		}
		j.add(metriport.PatientTransfer, wait, s.lag(), func(at, happened time.Time) Message {
			st.moves = append(st.moves, move{happened, st.path[i-1], st.path[i]})
			return s.notify(metriport.PatientTransfer, st, at, happened)
		})
	}
}

func (s *Sim) discharge(j *journey, st *stay, wait time.Duration) {
	j.add(metriport.PatientDischarge, wait, s.lag(), func(at, happened time.Time) Message {
		st.end(happened)
		s.wentHome(st)
		return s.notify(metriport.PatientDischarge, st, at, happened)
	})
}

// wentHome remembers who was an inpatient.
func (s *Sim) wentHome(st *stay) {
	for _, p := range s.home {
		if p.id == st.who.id {
			return
		}
	}
	if st.class == "IMP" && len(s.home) < len(s.people) {
		s.home = append(s.home, st.who)
	}
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
