// Package care holds the clinical rules: how notices fold into stays, and later deadlines and flags. It is pure: no I/O,
// no clock, the same answer for the same facts whatever order they came in.
package care

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Kind is what a notice tells about a patient.
type Kind string

// The kinds of notice.
const (
	Admit     Kind = "admit"
	Transfer  Kind = "transfer"
	Discharge Kind = "discharge"
	Pharmacy  Kind = "pharmacy"
	Lab       Kind = "lab"
	Summary   Kind = "summary" // a discharge summary
)

// Kinds lists them in the order in which people read them.
var Kinds = []Kind{Admit, Transfer, Discharge, Pharmacy, Lab, Summary}

// Move is one transfer within a stay, between facilities or units. The json form is what the database holds.
type Move struct {
	At       int64  `json:"at,omitempty"` // milliseconds UTC, 0 where not sent
	From     string `json:"from,omitempty"`
	FromType string `json:"fromType,omitempty"`
	To       string `json:"to,omitempty"`
	ToType   string `json:"toType,omitempty"`
}

// Time is when the move happened; zero where it was not sent.
func (m Move) Time() time.Time {
	if m.At == 0 {
		return time.Time{}
	}
	return time.UnixMilli(m.At).UTC()
}

// Notice is one admit, transfer or discharge notification of one patient. Times that were not sent are zero.
type Notice struct {
	MessageID   string
	Kind        Kind
	EventAt     time.Time // when it happened
	SentAt      time.Time // when the sender sent it
	AdmitAt     time.Time
	DischargeAt time.Time
	Moves       []Move
	Encounter   *Encounter // from its record; nil until it was read
}

// Stay is one hospital stay, folded from its notices.
type Stay struct {
	ID          string    // derived from the patient and the admit time
	AdmitAt     time.Time // zero where no notice said it
	DischargeAt time.Time // zero while the patient is still there
	LastEventAt time.Time // the latest thing known to have happened in it; zero where no notice had a time
	Moves       []Move    // in order of time, each once
	MessageIDs  []string  // of its notices, sorted
	Facts       StayFacts
}

// StayFacts is what the records say of a stay: of each thing what was sent last, and all ids it is known by.
type StayFacts struct {
	Encounter
	VisitNumbers []string `json:"visitNumbers,omitempty"` // sorted; more than one where exchanges number it differently
	EncounterIDs []string `json:"encounterIds,omitempty"` // sorted

	// Sources says of each fact that is shown where it was learned; the keys are the Said… constants.
	Sources map[string]Source `json:"sources,omitempty"`
}

// Source is the notice whose record said something.
type Source struct {
	Kind Kind  `json:"kind"`
	At   int64 `json:"at,omitempty"` // when it was sent, milliseconds UTC; 0 where that is not known
}

// What a record says of a stay, as keys of [StayFacts.Sources].
const (
	SaidFacility  = "facility"
	SaidClass     = "class"
	SaidReason    = "reason"
	SaidDiagnoses = "diagnoses"
	SaidAttending = "attending"
)

// Fold puts the notices of one patient together into stays, newest admit first.
//
// Notices with the same admit time belong to the same stay; every type carries it. So do those whose records name the
// same visit number: an admission from the emergency department tells a later admit time for the same visit. One
// without either joins the stay that was running when it happened, else it stands alone. Where two notices state different discharge times,
// the one sent last wins. The result does not depend on the order of the notices.
func Fold(patientID string, notices []Notice) []Stay {
	byAdmit := map[int64]*folding{}
	var all []*folding
	for _, n := range notices {
		if n.AdmitAt.IsZero() {
			continue
		}
		f := byAdmit[n.AdmitAt.UnixMilli()]
		if f == nil {
			f = &folding{stay: Stay{ID: stayID(patientID, "admit", strconv.FormatInt(n.AdmitAt.UnixMilli(), 10)), AdmitAt: n.AdmitAt}}
			byAdmit[n.AdmitAt.UnixMilli()] = f
			all = append(all, f)
		}
		f.notices = append(f.notices, n)
	}
	all = sameVisit(all)
	// Those without an admit time come second, against stays that are complete, so that order cannot matter.
	for _, f := range all {
		f.fold()
	}
	var alone []*folding
	for _, n := range notices {
		if !n.AdmitAt.IsZero() {
			continue
		}
		f := runningAt(all, n.EventAt)
		if f == nil {
			f = &folding{stay: Stay{ID: stayID(patientID, "message", n.MessageID)}}
			alone = append(alone, f)
		}
		f.notices = append(f.notices, n)
	}
	all = append(all, alone...)
	out := make([]Stay, 0, len(all))
	for _, f := range all {
		out = append(out, f.fold())
	}
	slices.SortFunc(out, func(a, b Stay) int {
		return cmp.Or(b.start().Compare(a.start()), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// folding is a stay while its notices are gathered.
type folding struct {
	stay    Stay // its id and admit time; the rest follows from the notices
	notices []Notice
}

// fold makes the stay from the notices gathered so far, in the order in which they were sent.
func (f *folding) fold() Stay {
	slices.SortFunc(f.notices, func(a, b Notice) int {
		return cmp.Or(a.SentAt.Compare(b.SentAt), cmp.Compare(a.MessageID, b.MessageID))
	})
	s := Stay{ID: f.stay.ID, AdmitAt: f.stay.AdmitAt}
	for _, n := range f.notices {
		s.MessageIDs = append(s.MessageIDs, n.MessageID)
		s.Moves = append(s.Moves, n.Moves...)
		s.Facts.learn(n)
		if !n.DischargeAt.IsZero() {
			s.DischargeAt = n.DischargeAt
		}
		if n.EventAt.After(s.LastEventAt) {
			s.LastEventAt = n.EventAt
		}
	}
	slices.Sort(s.MessageIDs)
	slices.SortFunc(s.Moves, func(a, b Move) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To),
			cmp.Compare(a.FromType, b.FromType), cmp.Compare(a.ToType, b.ToType))
	})
	s.Moves = slices.Compact(s.Moves)
	slices.Sort(s.Facts.VisitNumbers)
	slices.Sort(s.Facts.EncounterIDs)
	f.stay = s
	return s
}

// sameVisit puts those foldings together whose records name the same visit number. The one that began first gives the
// admit time.
func sameVisit(all []*folding) []*folding {
	slices.SortFunc(all, func(a, b *folding) int { return a.stay.AdmitAt.Compare(b.stay.AdmitAt) })
	into := make(map[*folding]*folding, len(all))
	find := func(f *folding) *folding {
		for into[f] != nil {
			f = into[f]
		}
		return f
	}
	first := map[string]*folding{}
	for _, f := range all {
		for _, n := range f.notices {
			if n.Encounter == nil || n.Encounter.VisitNumber == "" {
				continue
			}
			visit := n.Encounter.VisitNumber
			if first[visit] == nil {
				first[visit] = f
				continue
			}
			a, b := find(first[visit]), find(f)
			if a == b {
				continue
			}
			if b.stay.AdmitAt.Before(a.stay.AdmitAt) {
				a, b = b, a
			}
			into[b] = a
		}
	}
	var out []*folding
	for _, f := range all {
		if root := find(f); root == f {
			out = append(out, f)
		} else {
			root.notices = append(root.notices, f.notices...)
		}
	}
	return out
}

// learn takes what the record of a later notice says over what an earlier one said, and keeps what it leaves out.
func (f *StayFacts) learn(n Notice) {
	e := n.Encounter
	if e == nil {
		return
	}
	if e.VisitNumber != "" && !slices.Contains(f.VisitNumbers, e.VisitNumber) {
		f.VisitNumbers = append(f.VisitNumbers, e.VisitNumber)
	}
	if e.ID != "" && !slices.Contains(f.EncounterIDs, e.ID) {
		f.EncounterIDs = append(f.EncounterIDs, e.ID)
	}
	said := func(what string) {
		if f.Sources == nil {
			f.Sources = map[string]Source{}
		}
		from := Source{Kind: n.Kind}
		if !n.SentAt.IsZero() {
			from.At = n.SentAt.UnixMilli()
		}
		f.Sources[what] = from
	}
	take := func(to *string, from, what string) {
		if from == "" {
			return
		}
		if *to = from; what != "" {
			said(what)
		}
	}
	take(&f.Facility, e.Facility, SaidFacility)
	take(&f.Unit, e.Unit, "")
	take(&f.Attending, e.Attending, SaidAttending)
	take(&f.Disposition, e.Disposition, "")
	if e.Class != "" {
		f.Class, f.ClassUnsure = e.Class, e.ClassUnsure
		said(SaidClass)
	}
	if len(e.Reasons) > 0 {
		f.Reasons = e.Reasons
		said(SaidReason)
	}
	if len(e.Diagnoses) > 0 {
		f.Diagnoses = e.Diagnoses
		said(SaidDiagnoses)
	}
}

func (s Stay) start() time.Time {
	if s.AdmitAt.IsZero() {
		return s.LastEventAt
	}
	return s.AdmitAt
}

// runningAt finds the stay a notice of time t fell into: begun by then, not ended before it, the latest such.
func runningAt(stays []*folding, t time.Time) *folding {
	var best *folding
	for _, f := range stays {
		s := f.stay
		if t.IsZero() || s.AdmitAt.After(t) || (!s.DischargeAt.IsZero() && s.DischargeAt.Before(t)) {
			continue
		}
		if best == nil || s.AdmitAt.After(best.stay.AdmitAt) {
			best = f
		}
	}
	return best
}

func stayID(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:10])
}
