package care

import (
	"cmp"
	"slices"
	"time"
)

// stay makes the stay that the notices of a group tell of. Its id is the caller's.
func (g *group) stay() Stay {
	all := slices.Clone(g.notices)
	slices.SortFunc(all, func(n, m notice) int { // in the order in which they were sent
		return cmp.Or(n.SentAt.Compare(m.SentAt), cmp.Compare(n.MessageID, m.MessageID))
	})
	var s Stay
	for _, n := range all {
		s.MessageIDs = append(s.MessageIDs, n.MessageID)
		s.Moves = append(s.Moves, n.Moves...)
		s.Facts.learn(n.Notice)
		s.Ended = s.Ended || n.ends
		if !n.admit.IsZero() && (s.AdmitAt.IsZero() || n.admit.Before(s.AdmitAt)) {
			s.AdmitAt = n.admit
			s.Facts.dated(SaidAdmit, n.Notice, n.AdmitAt.IsZero())
		}
		if !n.discharge.IsZero() && (n.Kind == Discharge || s.DischargeAt.IsZero()) {
			s.DischargeAt = n.discharge
			s.Facts.dated(SaidDischarge, n.Notice, n.DischargeAt.IsZero())
		}
		for _, t := range []time.Time{n.EventAt, n.admit, n.discharge} {
			if t.After(s.LastEventAt) {
				s.LastEventAt = t
			}
		}
	}
	slices.Sort(s.MessageIDs)
	slices.SortFunc(s.Moves, func(a, b Move) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To),
			cmp.Compare(a.FromType, b.FromType), cmp.Compare(a.ToType, b.ToType))
	})
	s.Moves = slices.Compact(s.Moves)
	s.Facts.sort()
	s.Facts.Accounts, s.Facts.Joined = g.explained()
	return s
}

// joinOrder is the order of reasons, the strongest first.
var joinOrder = []Join{JoinAdmit, JoinFacility, JoinCause, JoinNear, JoinRunning}

// explained is what was joined, and why; nothing where no two accounts have ids, as when a discharge came before its
// record.
func (g *group) explained() ([]Account, []Join) {
	accounts := g.accounts()
	named := 0
	for _, a := range accounts {
		if len(a.ids) > 0 {
			named++
		}
	}
	if named < 2 {
		return nil, nil
	}
	var out []Account
	why := slices.Clone(g.joined)
	for i, a := range accounts {
		out = append(out, a.shown())
		for _, b := range accounts[:i] {
			if !a.start.IsZero() && a.start.Equal(b.start) && !slices.Contains(why, JoinAdmit) {
				why = append(why, JoinAdmit)
			}
		}
	}
	slices.SortFunc(why, func(a, b Join) int { return cmp.Compare(slices.Index(joinOrder, a), slices.Index(joinOrder, b)) })
	return out, why
}

// accounts parts a stay by the ids under which it was told; what has no id is one account.
func (g *group) accounts() []*group {
	var out []*group
	for _, n := range g.notices {
		var to *group
		for i := 0; i < len(out); i++ {
			a := out[i]
			if !a.has(n) && (len(n.ids()) > 0 || len(a.ids) > 0) {
				continue
			}
			if to == nil {
				to = a
				continue
			}
			for _, m := range a.notices { // the notice ties two together
				to.add(m)
			}
			out = slices.Delete(out, i, i+1)
			i--
		}
		if to == nil {
			out = append(out, newGroup(n))
		} else {
			to.add(n)
		}
	}
	for _, a := range out {
		slices.SortFunc(a.notices, notice.compare)
	}
	slices.SortFunc(out, compareGroups)
	return out
}

// shown is an account as the database holds it.
func (g *group) shown() Account {
	one := g.stay()
	out := Account{
		Exchanges: one.Facts.Exchanges, Facility: one.Facts.Facility, EncounterIDs: one.Facts.EncounterIDs,
		VisitNumbers: one.Facts.VisitNumbers, Ended: one.Ended, MessageIDs: one.MessageIDs,
	}
	if !one.AdmitAt.IsZero() {
		out.AdmitAt = one.AdmitAt.UnixMilli()
	}
	if !one.DischargeAt.IsZero() {
		out.DischargeAt = one.DischargeAt.UnixMilli()
	}
	return out
}

func (f *StayFacts) sort() {
	for _, list := range []*[]string{&f.VisitNumbers, &f.EncounterIDs, &f.Exchanges, &f.Codes} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
}

// learn takes what the record of a later notice says over what an earlier one said, and keeps what it leaves out.
func (f *StayFacts) learn(n Notice) {
	e := n.Encounter
	if e == nil {
		return
	}
	add := func(to *[]string, word string) {
		if word != "" && !slices.Contains(*to, word) {
			*to = append(*to, word)
		}
	}
	add(&f.VisitNumbers, e.VisitNumber)
	add(&f.EncounterIDs, e.ID)
	add(&f.Exchanges, e.Exchange)
	said := func(what string) { f.said(what, n) }
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
	take(&f.Disposition, e.Disposition, "")
	if e.Attending != "" || len(e.SeenBy) > 0 {
		f.Attending, f.SeenBy = e.Attending, e.SeenBy
		said(SaidAttending)
	}
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
	f.Codes = append(f.Codes, e.Codes...)
}

// said notes that the record of n was the last to say something.
func (f *StayFacts) said(what string, n Notice) {
	if f.Sources == nil {
		f.Sources = map[string]Source{}
	}
	from := Source{Kind: n.Kind, Exchange: n.Encounter.Exchange}
	if !n.SentAt.IsZero() {
		from.At = n.SentAt.UnixMilli()
	}
	f.Sources[what] = from
}

// dated notes whether a time of the stay stands in the record of n, or in the notice itself.
func (f *StayFacts) dated(what string, n Notice, inRecord bool) {
	if inRecord {
		f.said(what, n)
	} else {
		delete(f.Sources, what)
	}
}

func (s Stay) start() time.Time {
	if s.AdmitAt.IsZero() {
		return s.LastEventAt
	}
	return s.AdmitAt
}
