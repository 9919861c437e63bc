package sim

import "time"

// The usual kinds of stay.

// visit is an emergency visit that ends there.
func (s *Sim) visit(p person) *journey {
	j := s.journeyOf(p, "emergency visit")
	st := s.stay(j, p, "EMER", pick(s.r, minor), emergency)
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

// inpatient begins in the emergency department and goes through the wards.
func (s *Sim) inpatient(p person) *journey { return s.inpatientIn(s.journeyOf(p, "inpatient"), p) }

// documentedInpatient is one whose moves are told.
func (s *Sim) documentedInpatient(p person) *journey {
	return s.inpatientIn(&journey{who: p.id, kind: "inpatient", documented: true}, p)
}

// inpatientIn is the arrival in the emergency department, and a second admit when the same encounter becomes an inpatient
// one. The documented shape keeps the first admit time; a hospital's message has the newer one.
func (s *Sim) inpatientIn(j *journey, p person) *journey {
	st := s.stay(j, p, "EMER", pick(s.r, major), s.route()...)
	s.admit(j, st, 0)
	s.admitAgain(j, st, between(s.r, 2*time.Hour, 6*time.Hour))
	s.transfers(j, st)
	s.discharge(j, st, between(s.r, 18*time.Hour, 50*time.Hour))
	s.aftercare(j, st)
	return j
}

// brief is a planned inpatient stay of a day, which leaves time for a readmission. Some begin as a pre-admission.
func (s *Sim) brief(p person) *journey {
	j := s.journeyOf(p, "planned stay")
	class := "IMP"
	if !j.documented && oneIn(s.r, 4) {
		class = "PRENC"
	}
	st := s.stay(j, p, class, pick(s.r, major), wards[2])
	s.admit(j, st, 0)
	if class == "PRENC" {
		s.admitAgain(j, st, between(s.r, time.Hour, 4*time.Hour))
	}
	s.discharge(j, st, between(s.r, 18*time.Hour, 30*time.Hour))
	s.summaryStep(j, st, summaryKind)
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
	j := s.journeyOf(p, "handover")
	why := pick(s.r, major)
	first := s.stay(j, p, "EMER", why, emergency)
	s.admit(j, first, 0)
	s.discharge(j, first, between(s.r, 2*time.Hour, 6*time.Hour))
	second := s.stay(j, p, "IMP", why, s.route()[1:]...)
	second.at(first.truth.Facility, first.facility)
	second.exchange, second.desk.restates = first.exchange, false // or the two would overlap by a minute
	s.admit(j, second, 10*time.Minute)
	s.transfers(j, second)
	s.discharge(j, second, between(s.r, 18*time.Hour, 50*time.Hour))
	s.aftercare(j, second)
	return j
}

// watched is an observation stay; exchanges call it ambulatory.
func (s *Sim) watched(p person) *journey {
	j := s.journeyOf(p, "observation")
	st := s.stay(j, p, "AMB", pick(s.r, minor), emergency, observation)
	if oneIn(s.r, 2) {
		st.kind = "Observation"
	}
	s.admit(j, st, 0)
	s.transfers(j, st)
	s.labStep(j, p, st.why.panel, false, between(s.r, time.Hour, 4*time.Hour))
	s.discharge(j, st, between(s.r, 10*time.Hour, 26*time.Hour))
	return j
}

// nameless is a John Doe: the exchange matched the patient, the hospital does not know the name yet. The converters put
// the practice's own name for the patient into the record, so that only the documented shape shows it.
func (s *Sim) nameless(p person) *journey {
	j := &journey{who: p.id, kind: "without a name", documented: true}
	st := s.stay(j, p, "EMER", major[6], emergency, wards[5])
	st.unnamed = true
	st.why.reason = "Found unresponsive, no identification"
	s.admit(j, st, 0)
	s.transfers(j, st)
	s.discharge(j, st, between(s.r, 30*time.Hour, 60*time.Hour))
	return j
}
