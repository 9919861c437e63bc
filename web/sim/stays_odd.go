package sim

import (
	"time"

	"carebell/web/metriport"
)

// The kinds of stay that are worth a second look.

const summaryKind = metriport.DischargeSummary

// admitAgain is a second admit of the same encounter, once it has become an inpatient one.
func (s *Sim) admitAgain(j *journey, st *stay, wait time.Duration) {
	j.add(metriport.PatientAdmit, wait, s.lag(), func(at, happened time.Time) Message {
		st.class = "IMP"
		if !st.documented {
			st.begin(happened)
		}
		return s.notify(metriport.PatientAdmit, st, at, happened)
	})
}

// twins are one stay that two exchanges report, each under its own encounter, with its own clock and spelling. In half of
// the cases only one of them sends the discharge.
func (s *Sim) twins(p person) *journey {
	j := s.journeyOf(p, "twins")
	st := s.stay(j, p, "IMP", pick(s.r, major), wards[0], wards[1])
	place := pick(s.r, facilities)
	st.at(place.name, place.name)
	st.exchange = fromBamboo
	other := s.newStay(p, "IMP", st.why, st.path...)
	other.documented, other.truth, other.also, other.shouted = st.documented, st.truth, st.also, true
	other.at(place.name, place.alias)
	other.desk, other.exchange, other.doctor = desk{rule: byVisit}, fromHixny, st.doctor
	st.silent, other.silent = saysAll, saysAll
	off := time.Duration(2+s.r.IntN(12)) * time.Minute // by which the other's clock is late

	echo := func(kind metriport.Type, set func(told time.Time)) {
		j.add(kind, between(s.r, 3*time.Minute, 9*time.Minute), s.lag(), func(at, happened time.Time) Message {
			set(happened)
			return s.notify(kind, other, at, happened)
		})
	}
	s.admit(j, st, 0)
	echo(metriport.PatientAdmit, func(told time.Time) { other.admitted = earliest(st.admitted.Add(off), minute(told)) })
	s.transfers(j, st)
	both, first := oneIn(s.r, 2), oneIn(s.r, 2)
	stayed := between(s.r, 20*time.Hour, 40*time.Hour)
	if both || first {
		s.discharge(j, st, stayed)
	}
	if both {
		echo(metriport.PatientDischarge, func(told time.Time) { other.discharged = earliest(st.discharged.Add(off), minute(told)) })
	} else if !first {
		s.discharge(j, other, stayed)
	}
	s.aftercare(j, st)
	return j
}

// backwards is a short visit whose discharge arrives before its admit.
func (s *Sim) backwards(p person) *journey {
	j := s.journeyOf(p, "backwards")
	st := s.stay(j, p, "EMER", minor[1], emergency)
	st.why.reason, st.silent, st.desk.restates = "Suture removal", saysAll, false
	j.add(metriport.PatientDischarge, 0, 10*time.Second, func(at, happened time.Time) Message {
		st.begin(happened.Add(-16 * time.Minute))
		st.end(happened)
		return s.notify(metriport.PatientDischarge, st, at, happened)
	})
	j.add(metriport.PatientAdmit, time.Second, 90*time.Second, func(at, _ time.Time) Message {
		before := *st
		before.discharged = time.Time{}
		return s.notify(metriport.PatientAdmit, &before, at, st.admitted)
	})
	return j
}

// overlap is an emergency visit at one hospital during the stay at another: two stays, although their times overlap and,
// in some, the reason is the same.
func (s *Sim) overlap(p person) *journey {
	j := s.journeyOf(p, "overlap")
	st := s.stay(j, p, "IMP", pick(s.r, major), wards[0], wards[3])
	other := s.stay(j, p, "EMER", pick(s.r, minor), emergency)
	if oneIn(s.r, 3) {
		other.why = st.why
	}
	elsewhere := facilities[0]
	if st.truth.Facility == elsewhere.name {
		elsewhere = facilities[1]
	}
	other.at(elsewhere.name, elsewhere.name)
	s.admit(j, st, 0)
	s.transfers(j, st)
	s.admit(j, other, between(s.r, 4*time.Hour, 9*time.Hour))
	s.discharge(j, other, between(s.r, 2*time.Hour, 5*time.Hour))
	s.discharge(j, st, between(s.r, 10*time.Hour, 30*time.Hour))
	s.summaryStep(j, st, summaryKind)
	return j
}

// again is a patient who goes home and is back at the same hospital within the day: two stays. Where the hospital's ids
// say no more than what kind of patient it is, both have the same.
func (s *Sim) again(p person) *journey {
	j := s.journeyOf(p, "back within the day")
	why := pick(s.r, major)
	first := s.stay(j, p, "IMP", why, wards[0])
	second := s.stay(j, p, "IMP", why, wards[1])
	place := pick(s.r, []facility{facilities[3], facilities[3], facilities[2]})
	for _, st := range []*stay{first, second} {
		st.at(place.name, place.name)
		st.exchange, st.silent = fromBamboo, saysAll
	}
	s.admit(j, first, 0)
	s.discharge(j, first, between(s.r, 20*time.Hour, 44*time.Hour))
	s.admit(j, second, between(s.r, 3*time.Hour, 9*time.Hour))
	s.discharge(j, second, between(s.r, 20*time.Hour, 44*time.Hour))
	s.aftercare(j, second)
	return j
}

// recurring is a dialysis patient: visits of some hours, every other day, under one encounter id, which HL7 calls
// recurring and the converter a short stay.
func (s *Sim) recurring(p person) *journey {
	j := &journey{who: p.id, kind: "recurring"}
	why := complaint{reason: "Hemodialysis", icd: "N18.6", name: "End stage renal disease", drug: drugSevelamer, panel: panelMineral}
	wait := time.Duration(0)
	for range 3 {
		st := s.stay(j, p, "SS", why, unit{"Dialysis", "outpatient"})
		st.at(dialysisCenter.name, dialysisCenter.name)
		st.exchange, st.silent, st.doctor = fromBamboo, saysAll, doctorKidney
		s.admit(j, st, wait)
		s.discharge(j, st, between(s.r, 200*time.Minute, 280*time.Minute))
		wait = 44 * time.Hour
	}
	return j
}

// unsaid is an emergency visit whose times the hospital does not say: a discharge without any, or an admit.
func (s *Sim) unsaid(p person) *journey {
	j := &journey{who: p.id, kind: "times not said"}
	st := s.stay(j, p, "EMER", pick(s.r, minor), emergency)
	st.at(facilities[2].name, facilities[2].name)
	st.silent = silence(1 + s.r.IntN(int(silences)-1))
	s.admit(j, st, 0)
	s.discharge(j, st, between(s.r, 2*time.Hour, 9*time.Hour))
	return j
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
