package sim

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"carebell/web/metriport"
)

// stay is one encounter as one exchange knows it.
type stay struct {
	who         person
	id          string // Encounter.id of the documented shape
	visit       string // visit number; in the documented shape an identifier of type VN
	class       string // v3-ActCode: EMER, IMP, AMB, SS, PRENC
	kind        string // what it is in words, where the class does not say it; mostly ""
	facility    string // as the exchange spells it
	exchange    string // code
	doctor      int
	why         complaint
	unnamed     bool // a John Doe
	disposition bool // whether the exchange sends one, most do not
	documented  bool // told in the shape of the documentation, not in that of the converters

	admitted, discharged time.Time
	path                 []unit // where the patient will lie, in order; moves have gone along it so far
	moves                []move

	desk    desk
	also    []ailment // what the patient has besides
	silent  silence
	shouted bool // the exchange writes the reason in capitals and without a code
	truth   *Stay
}

// desk is how a hospital fills in its messages.
type desk struct {
	rule     idRule
	restates bool // each message has the admit time anew, a few minutes off
}

// idRule says from what the sender can hash the id of an encounter.
type idRule int

const (
	byVisit idRule = iota // a visit number
	byTime                // nothing but the patient's number and the admit time
	byKind                // the kind of patient, where the account number should stand
)

var desks = map[string]desk{
	facilities[0].name: {byVisit, true}, facilities[1].name: {byTime, true}, facilities[2].name: {byVisit, false}, facilities[3].name: {byKind, false},
	dialysisCenter.name: {byKind, false},
}

// silence is what a hospital does not say of times.
type silence int

const (
	saysAll         silence = iota
	admitUntimed            // the first admit has no time
	dischargeNoTime         // the discharge has neither time
	dischargeNoEnd          // the discharge has the admit time alone
	noTimes                 // neither of them has one: the sender drops the Encounter when it folds the two
	silences                // how many there are
)

// move is from one unit to another.
type move struct {
	at       time.Time
	from, to unit
}

// snapshot is the stay as it is now; what happens later does not reach it.
func (st *stay) snapshot() *stay {
	c := *st
	c.moves = slices.Clone(st.moves)
	return &c
}

// patientClasses are HL7's patient classes that become a class; the first is usual.
var patientClasses = map[string]string{"IMP": "IIIIIB", "EMER": "E", "AMB": "OOONU", "SS": "R", "PRENC": "P"}

func (s *Sim) newStay(p person, class string, why complaint, path ...unit) *stay {
	if oneIn(s.r, 12) { // some exchanges know the patient by fewer ids
		p.additional = nil
	}
	place := pick(s.r, facilities)
	st := &stay{
		who: p, id: uuid4(s.r), visit: "V" + hexWord(s.r)[:8], class: class, why: why, path: path,
		exchange: pick(s.r, []string{fromBamboo, fromBamboo, fromHixny, fromKonza}),
		doctor:   s.r.IntN(firstClinician), disposition: oneIn(s.r, 6), truth: &Stay{PatientID: p.id},
	}
	st.at(place.name, place.name)
	for _, ail := range healthOf(p).profile.ailments[:s.r.IntN(2)] {
		st.also = append(st.also, ailments[ail])
	}
	// Where nothing but the admit time tells stays apart, one without it would be of no stay at all.
	if st.desk.rule != byTime && oneIn(s.r, 9) {
		st.silent = silence(1 + s.r.IntN(int(noTimes)-1))
	}
	return st
}

// at says at which hospital a stay is, and how the exchange spells it.
func (st *stay) at(name, spelling string) {
	st.facility, st.desk = spelling, desks[name]
	st.truth.Facility = name
}

// notice is what the hospital's message of a time says of the stay as it is then.
func (st *stay) notice(r *rand.Rand, t metriport.Type, at time.Time) notice {
	n := notice{
		who: st.who, ends: t == metriport.PatientDischarge, exchange: st.exchange, facility: st.facility, control: hexWord(r)[:10],
		class: string(pick(r, []byte(patientClasses[st.class]))), start: st.admitted, end: st.discharged, doctor: st.doctor,
		diagnoses: []object{coding(icdSystem, st.why.icd, st.why.name)}, reason: of("display", st.why.reason),
	}
	switch st.desk.rule {
	case byVisit:
		n.visit = st.visit
	case byKind:
		n.patient = n.class
	case byTime:
	}
	if st.desk.restates && !n.start.IsZero() {
		now := n.end
		if !n.ends {
			now = minute(at)
		}
		if off := time.Duration(r.IntN(25)-12) * time.Minute; now.Sub(n.start) > 30*time.Minute { // not where it would reach past the other end
			n.start = n.start.Add(off)
		}
	}
	if st.shouted {
		n.reason = of("display", strings.ToUpper(st.why.reason))
	}
	for _, a := range st.also {
		n.diagnoses = append(n.diagnoses, coding(icdSystem, a.icd, a.icdName))
	}
	switch {
	case st.silent == admitUntimed && !n.ends && len(st.truth.MessageIDs) == 0, st.silent == noTimes && !n.ends:
		n.start = time.Time{}
	case (st.silent == dischargeNoTime || st.silent == noTimes) && n.ends:
		n.start, n.end = time.Time{}, time.Time{}
	case st.silent == dischargeNoEnd && n.ends:
		n.end = time.Time{}
	}
	return n
}

// heard is an admit or a discharge as the sender's converter makes it of a hospital's message.
func (s *Sim) heard(t metriport.Type, st *stay, at, happened time.Time) Message {
	n := st.notice(s.r, t, at)
	file := s.file(n)
	body := encode(file.bundle())
	url := s.keep(content{"encounter.hl7.json", typeJSON, func(*rand.Rand) []byte { return body }}, tenMinutes)
	payload := append(st.who.ids(), "url", url, "whenSourceSent", s.arrived(at, happened), "admitTimestamp", n.start, "dischargeTimestamp", n.end)
	m := s.message(t, s.notice(at), "payload", of(payload...))
	st.truth.told(m, file.id, st.facility)
	if st.desk.rule != byTime { // whose own papers have a number that it does not send here
		st.id = file.id
	}
	return m
}

// arrived is when the hospital's message reached the sender, a few seconds before this one; a few notices do not say it.
func (s *Sim) arrived(at, happened time.Time) time.Time {
	if oneIn(s.r, 8) {
		return time.Time{}
	}
	came := at.Add(-between(s.r, time.Second, 40*time.Second)).Truncate(time.Millisecond)
	if came.Before(happened) {
		return happened
	}
	return came
}

// maxFiles is how many encounters of a person are kept, the newest.
const maxFiles = 12

// file folds a message into what is kept of its encounter.
func (s *Sim) file(n notice) adtFile {
	kept := s.files[n.who.id]
	next := n.convert()
	i := slices.IndexFunc(kept, func(f adtFile) bool { return f.id == next.id })
	if i >= 0 {
		next = kept[i].folded(next)
		kept = slices.Delete(slices.Clone(kept), i, i+1)
	}
	kept = append(slices.Clone(kept), next)
	s.files[n.who.id] = kept[max(0, len(kept)-maxFiles):]
	return next
}

// minute is a time as hospitals write it.
func minute(t time.Time) time.Time { return t.Truncate(time.Minute) }
