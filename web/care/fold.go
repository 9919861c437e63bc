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
// First, notices that share a visit number or an Encounter.id make accounts, but never across times that do not overlap:
// an id can cover several stays. Then accounts are joined that tell of one stay under different ids, by the reasons that
// [Join] lists; facilities that contradict each other, and times that do not overlap, always stay apart. A notice without
// an admit time belongs to the stay of its id, else to the one that was running. The kind of a notice counts, not only its
// times: a discharge ends the stay also where its time was not sent. Where two notices state different discharge times,
// the one sent last wins.
func Fold(patientID string, notices []Notice) []Stay {
	told := make([]notice, 0, len(notices))
	for _, n := range notices {
		told = append(told, newNotice(n))
	}
	slices.SortFunc(told, notice.compare)
	var accounts []*account
	for _, group := range sharedIDs(told) {
		accounts = append(accounts, splitByTime(group)...)
	}
	stays := joinAccounts(accounts)
	out := make([]Stay, 0, len(stays))
	used := map[string]bool{}
	slices.SortFunc(stays, compareGroups)
	for _, g := range stays {
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

// sharedIDs groups notices that name the same visit number or Encounter.id; one with neither stands alone. The order of
// the notices is kept.
func sharedIDs(all []notice) [][]notice {
	of := map[string]int{} // id → its group
	into := map[int]int{}  // group → the group it went into
	find := func(g int) int {
		for {
			next, ok := into[g]
			if !ok {
				return g
			}
			g = next
		}
	}
	group := make([]int, len(all))
	for i, n := range all {
		group[i] = i
		if n.Encounter == nil {
			continue
		}
		for _, id := range []string{"visit " + n.Encounter.VisitNumber, "encounter " + n.Encounter.ID} {
			if id == "visit " || id == "encounter " {
				continue
			}
			first, ok := of[id]
			if !ok {
				of[id] = i
				continue
			}
			if a, b := find(first), find(i); a != b {
				into[max(a, b)] = min(a, b)
			}
		}
	}
	var out [][]notice
	at := map[int]int{}
	for i, n := range all {
		root := find(group[i])
		k, ok := at[root]
		if !ok {
			k = len(out)
			at[root] = k
			out = append(out, nil)
		}
		out[k] = append(out[k], n)
	}
	return out
}

// account is what was told under one id of one stay.
type account struct {
	notices   []notice
	start     time.Time // the first admit; zero where none was sent
	lastStart time.Time // the last one
	end       time.Time // the last discharge; zero where none was sent
	ended     bool
	bound     time.Time // of an account that ended at a time that was not sent: by when it had
}

func (a *account) add(n notice) {
	a.notices = append(a.notices, n)
	if !n.admit.IsZero() {
		if a.start.IsZero() || n.admit.Before(a.start) {
			a.start = n.admit
		}
		if n.admit.After(a.lastStart) {
			a.lastStart = n.admit
		}
	}
	if n.discharge.After(a.end) {
		a.end = n.discharge
	}
	if n.ends {
		a.ended = true
		if n.discharge.IsZero() && (a.bound.IsZero() || n.told.Before(a.bound)) {
			a.bound = n.told
		}
	}
}

// stop is by when the account was over; zero while it runs.
func (a *account) stop() time.Time {
	switch {
	case !a.end.IsZero():
		return a.end
	case a.ended:
		return a.bound
	default:
		return time.Time{}
	}
}

// begun is the earliest time it is known of.
func (a *account) begun() time.Time {
	if !a.start.IsZero() {
		return a.start
	}
	return a.notices[0].at
}

// overBefore says that the account was over when something happened that begins at t.
func (a *account) overBefore(t time.Time) bool {
	stop := a.stop()
	return !stop.IsZero() && !t.Before(stop) && t.After(a.start)
}

// splitByTime makes accounts of notices that share an id, given in the order of their times.
func splitByTime(all []notice) []*account {
	var out []*account
	for _, n := range all {
		var to *account
		for i := len(out) - 1; i >= 0 && to == nil; i-- {
			if out[i].holds(n) {
				to = out[i]
			}
		}
		if to == nil {
			to = &account{}
			out = append(out, to)
		}
		to.add(n)
	}
	return out
}

// holds says whether a notice that shares an id with an account tells of the same stay.
func (a *account) holds(n notice) bool {
	switch {
	case !n.admit.IsZero():
		if slices.ContainsFunc(a.notices, func(m notice) bool { return m.admit.Equal(n.admit) }) {
			return true
		}
		if a.start.IsZero() { // only ends are known so far, and all are earlier
			return !n.discharge.IsZero() && n.discharge.Sub(a.end).Abs() <= sameHour
		}
		return !a.overBefore(n.admit) && (a.sameVisit(n) || n.admit.Sub(a.lastStart) <= newStayAfter)
	case !n.discharge.IsZero():
		if a.start.IsZero() {
			return n.discharge.Sub(a.end).Abs() <= sameHour
		}
		return !a.start.After(n.discharge) && (!a.ended || n.discharge.Sub(a.stop()) <= sameHour)
	default: // it comes after what it tells of
		stop := a.stop()
		return stop.IsZero() || n.at.Sub(stop) <= untimedGrace
	}
}

func (a *account) sameVisit(n notice) bool {
	if n.Encounter == nil || n.Encounter.VisitNumber == "" {
		return false
	}
	return slices.ContainsFunc(a.notices, func(m notice) bool {
		return m.Encounter != nil && m.Encounter.VisitNumber == n.Encounter.VisitNumber
	})
}

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
