package care

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// group is accounts that are taken for one stay.
type group struct {
	accounts []*account
	joined   []Join
}

// joinAccounts puts accounts of one stay together.
func joinAccounts(all []*account) []*group {
	var groups, startless []*group
	for _, a := range all {
		g := &group{accounts: []*account{a}}
		if a.start.IsZero() {
			startless = append(startless, g)
		} else {
			groups = append(groups, g)
		}
	}
	groups = joinPairs(groups)
	slices.SortFunc(startless, compareGroups)
	for _, g := range startless {
		a := g.accounts[0]
		if to := runningFor(groups, a); to != nil {
			to.accounts = append(to.accounts, a)
			to.because(JoinRunning)
		} else {
			groups = append(groups, g)
		}
	}
	return groups
}

func (g *group) because(why Join) {
	if !slices.Contains(g.joined, why) {
		g.joined = append(g.joined, why)
	}
}

// pair is two accounts that may be one stay.
type pair struct {
	a, b  int // places in the list
	why   Join
	apart time.Duration // between their admits
}

var joinRank = map[Join]int{JoinAdmit: 0, JoinFacility: 1, JoinCause: 2, JoinNear: 3, JoinRunning: 4}

// joinPairs joins accounts that have an admit time, those with the strongest reason first. A group in which two times do
// not overlap, or two facilities contradict, is never made.
func joinPairs(groups []*group) []*group {
	slices.SortFunc(groups, compareGroups)
	var pairs []pair
	for i, g := range groups {
		until := g.accounts[0].joinedUntil()
		for k := i + 1; k < len(groups) && !groups[k].accounts[0].start.After(until); k++ {
			if why := reasonToJoin(g.accounts[0], groups[k].accounts[0]); why != "" {
				pairs = append(pairs, pair{i, k, why, groups[k].accounts[0].start.Sub(g.accounts[0].start).Abs()})
			}
		}
	}
	slices.SortFunc(pairs, func(p, q pair) int {
		return cmp.Or(cmp.Compare(joinRank[p.why], joinRank[q.why]), cmp.Compare(p.apart, q.apart), cmp.Compare(p.a, q.a), cmp.Compare(p.b, q.b))
	})
	into := make([]*group, len(groups))
	copy(into, groups)
	for _, p := range pairs {
		a, b := into[p.a], into[p.b]
		if a == b {
			a.because(p.why)
			continue
		}
		if !a.mayJoin(b) {
			continue
		}
		a.accounts = append(a.accounts, b.accounts...)
		a.because(p.why)
		for _, why := range b.joined {
			a.because(why)
		}
		for i := range into {
			if into[i] == b {
				into[i] = a
			}
		}
	}
	var out []*group
	for _, g := range into {
		if !slices.Contains(out, g) {
			out = append(out, g)
		}
	}
	return out
}

func (g *group) mayJoin(o *group) bool {
	for _, a := range g.accounts {
		for _, b := range o.accounts {
			if !overlap(a, b) || facilitiesDiffer(a, b) {
				return false
			}
		}
	}
	return true
}

// overlap says whether two accounts that have an admit time can have been running at once.
func overlap(a, b *account) bool {
	if a.start.After(b.start) {
		a, b = b, a
	}
	return a.start.Equal(b.start) || !a.overBefore(b.start)
}

// joinedUntil is the latest admit of another account that can be of the same stay.
func (a *account) joinedUntil() time.Time {
	t := a.lastStart.Add(halfDay)
	if a.end.After(t) {
		return a.end
	}
	return t
}

// reasonToJoin says why two accounts are one stay; "" where they are two.
func reasonToJoin(a, b *account) Join {
	if !overlap(a, b) || facilitiesDiffer(a, b) {
		return ""
	}
	same := slices.ContainsFunc(a.notices, func(n notice) bool {
		return !n.admit.IsZero() && slices.ContainsFunc(b.notices, func(m notice) bool { return m.admit.Equal(n.admit) })
	})
	apart := a.start.Sub(b.start).Abs()
	known := a.facility() != "" && b.facility() != ""
	causes := sharesCause(a, b)
	switch {
	case same:
		return JoinAdmit
	case known && apart <= sameMinutes:
		return JoinFacility
	case known && causes == yes && (apart <= halfDay || !a.end.IsZero() && !b.end.IsZero() && a.end.Sub(b.end).Abs() <= sameHour):
		return JoinCause
	case apart <= sameHour && causes != no && (!known || causes == unknown):
		return JoinNear
	default:
		return ""
	}
}

// facility is the name that was sent last; "" where none was.
func (a *account) facility() string {
	name, at := "", time.Time{}
	for _, n := range a.notices {
		if f := n.facility(); f != "" && (name == "" || n.SentAt.After(at)) {
			name, at = f, n.SentAt
		}
	}
	return name
}

// facilitiesDiffer says that both name a facility, and no name of one can be a spelling of a name of the other.
func facilitiesDiffer(a, b *account) bool {
	named := false
	for _, n := range a.notices {
		for _, m := range b.notices {
			if n.facility() == "" || m.facility() == "" {
				continue
			}
			if named = true; SameFacility(n.facility(), m.facility()) {
				return false
			}
		}
	}
	return named
}

// answer is yes, no, or unknown where one side says nothing.
type answer int

const (
	unknown answer = iota
	yes
	no
)

// sharesCause says whether two accounts name the same reason or diagnosis, by a code or in the same words.
func sharesCause(a, b *account) answer {
	one, other := a.causes(), b.causes()
	if len(one) == 0 || len(other) == 0 {
		return unknown
	}
	for cause := range one {
		if other[cause] {
			return yes
		}
	}
	return no
}

func (a *account) causes() map[string]bool {
	out := map[string]bool{}
	for _, n := range a.notices {
		if n.Encounter == nil {
			continue
		}
		for _, code := range n.Encounter.Codes {
			out[code] = true
		}
		for _, text := range slices.Concat(n.Encounter.Reasons, n.Encounter.Diagnoses) {
			out[strings.ToLower(strings.Join(strings.Fields(text), " "))] = true
		}
	}
	return out
}

// runningFor finds the stay that an account without an admit time fell into: begun by then, not ended before it, of
// several one at the same facility, then one that runs, then the latest. nil where there is none, and for an admit: it
// may be the beginning of another stay.
func runningFor(groups []*group, a *account) *group {
	if slices.ContainsFunc(a.notices, func(n notice) bool { return n.Kind == Admit }) {
		return nil
	}
	var best *group
	var bestRank [3]int64
	for _, g := range groups {
		start, stop, ended := g.begun(), g.stop(), g.ended()
		at := a.notices[0].at
		switch {
		case at.IsZero() || start.After(at):
			continue
		case !ended:
		case a.end.IsZero() && a.ended: // the discharge that came without its time, a second time
			if at.Sub(stop) > untimedGrace {
				continue
			}
		case a.ended:
			if at.Sub(stop) > sameHour {
				continue
			}
		case at.After(stop):
			continue
		}
		if slices.ContainsFunc(g.accounts, func(b *account) bool { return facilitiesDiffer(a, b) }) {
			continue
		}
		rank := [3]int64{0, 0, start.UnixMilli()}
		if a.facility() != "" && slices.ContainsFunc(g.accounts, func(b *account) bool { return b.facility() != "" }) {
			rank[0] = 1
		}
		if !ended {
			rank[1] = 1
		}
		if best == nil || slices.Compare(rank[:], bestRank[:]) > 0 {
			best, bestRank = g, rank
		}
	}
	return best
}

func (g *group) begun() time.Time {
	t := g.accounts[0].begun()
	for _, a := range g.accounts[1:] {
		if b := a.begun(); b.Before(t) {
			t = b
		}
	}
	return t
}

func (g *group) ended() bool {
	return slices.ContainsFunc(g.accounts, func(a *account) bool { return a.ended })
}

// stop is by when the stay was over: of several times that are told, the last.
func (g *group) stop() time.Time {
	var t time.Time
	for _, a := range g.accounts {
		if s := a.stop(); s.After(t) {
			t = s
		}
	}
	return t
}

// compareGroups puts the one that began first first.
func compareGroups(g, o *group) int {
	return cmp.Or(g.begun().Compare(o.begun()), g.accounts[0].notices[0].compare(o.accounts[0].notices[0]))
}
