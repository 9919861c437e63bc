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

// How far the times of one stay may lie apart, as different systems tell them.
const (
	sameMinutes  = 15 * time.Minute // two admits at one facility
	sameHour     = time.Hour        // two admits of which one says nothing but its time; two discharges
	halfDay      = 12 * time.Hour   // from the emergency department's admit to the ward's, of one stay
	untimedGrace = 24 * time.Hour   // a notice without any time is sent that soon after a stay that it belongs to
	// newStayAfter is when another admit under one Encounter.id is another stay, although no discharge came between: the id
	// can be that of all stays of one patient and kind (contract.md).
	newStayAfter = 72 * time.Hour
)

// Fold puts the notices of one patient together into stays, newest admit first. The result does not depend on the order
// of the notices.
//
// Notices with an admit time are joined in pairs, for the reasons that [Join] lists and because they share a visit number or
// an Encounter.id; never across times that do not overlap, as an id can cover several stays, and never where the facilities
// contradict each other and no id is shared. A notice without an admit time belongs to the stay of its id, else to the one
// that was running. The kind of a notice counts, not only its times: a discharge ends the stay also where its time was not
// sent. Where two notices state different discharge times, the one sent last wins.
func Fold(patientID string, notices []Notice) []Stay {
	told := make([]notice, 0, len(notices))
	for _, n := range notices {
		told = append(told, newNotice(n))
	}
	slices.SortFunc(told, notice.compare)
	var timed, untimed []notice
	for _, n := range told {
		if n.admit.IsZero() {
			untimed = append(untimed, n)
		} else {
			timed = append(timed, n)
		}
	}
	groups := joinPairs(units(timed), untimed)
	for _, n := range untimed {
		groups = place(groups, n)
	}
	out := make([]Stay, 0, len(groups))
	used := map[string]bool{}
	slices.SortFunc(groups, compareGroups)
	for _, g := range groups {
		s := g.stay()
		s.ID = stayID(patientID, s)
		for used[s.ID] { // two at once, at different hospitals
			s.ID = hashID(patientID, s.ID, s.MessageIDs[0])
		}
		used[s.ID] = true
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Stay) int {
		return cmp.Or(b.start().Compare(a.start()), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// notice is a notice with the times that its record adds to it.
type notice struct {
	Notice
	admit, discharge time.Time
	ends             bool      // it says that the stay ended, with or without a time
	told             time.Time // by when it had happened
	at               time.Time // its place among the others: admit, else discharge, else when it happened or was told
}

func newNotice(n Notice) notice {
	out := notice{Notice: n, admit: n.AdmitAt, discharge: n.DischargeAt, ends: n.Kind == Discharge}
	for _, t := range []time.Time{n.SourceSentAt, n.SentAt, n.EventAt} {
		if !t.IsZero() {
			out.told = t
			break
		}
	}
	if e := n.Encounter; e != nil {
		start, end := e.PeriodFor(n.Kind, out.told)
		if out.admit.IsZero() && !start.IsZero() && (out.discharge.IsZero() || !start.After(out.discharge)) {
			out.admit = start
		}
		finished := e.Status == "finished" && !end.IsZero() && end.After(out.admit)
		switch {
		case !out.discharge.IsZero() || !finished:
		case out.ends:
			out.discharge = end
		case !start.IsZero() && !out.admit.IsZero() && start.Sub(out.admit).Abs() <= halfDay: // the record of an admit was read after the discharge
			out.discharge, out.ends = end, true
		}
	}
	for _, t := range []time.Time{out.admit, out.discharge, n.EventAt, out.told} {
		if !t.IsZero() {
			out.at = t
			break
		}
	}
	return out
}

// PeriodFor is the period of the encounter where it can be that of a notice of kind k that was told of at a time; zero
// where it was not sent, or is that of another stay. A record is the merged one of all notices under one id, and the id can
// cover several stays: an end long before the notice was sent, and an admit long before an admit was, are not its own. A
// zero told fits everything.
func (e Encounter) PeriodFor(k Kind, told time.Time) (start, end time.Time) {
	start, end = instantOf(e.Start), instantOf(e.End)
	if told.IsZero() {
		return start, end
	}
	if !end.IsZero() && told.Sub(end) > newStayAfter {
		return time.Time{}, time.Time{}
	}
	if k == Admit && told.Sub(start) > newStayAfter || start.Sub(told) > untimedGrace {
		start = time.Time{}
	}
	return start, end
}

// instantOf is a FHIR dateTime that is an instant; a day says too little to compare stays by.
func instantOf(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

func (n notice) compare(m notice) int {
	return cmp.Or(n.at.Compare(m.at), cmp.Compare(slices.Index(Kinds, n.Kind), slices.Index(Kinds, m.Kind)),
		n.SentAt.Compare(m.SentAt), cmp.Compare(n.MessageID, m.MessageID))
}

func (n notice) facility() string {
	if n.Encounter == nil {
		return ""
	}
	return n.Encounter.Facility
}

// ids are the names of a stay in the record of a notice.
func (n notice) ids() (out []string) {
	if n.Encounter == nil {
		return nil
	}
	if n.Encounter.VisitNumber != "" {
		out = append(out, visitPrefix+n.Encounter.VisitNumber)
	}
	if n.Encounter.ID != "" {
		out = append(out, "encounter "+n.Encounter.ID)
	}
	return out
}

const visitPrefix = "visit "

func hashID(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:10])
}

// stayID names a stay by the patient and the admit time, so that it keeps its name as notices join it.
func stayID(patientID string, s Stay) string {
	if s.AdmitAt.IsZero() {
		return hashID(patientID, "message", s.MessageIDs[0])
	}
	return hashID(patientID, "admit", strconv.FormatInt(s.AdmitAt.UnixMilli(), 10))
}
