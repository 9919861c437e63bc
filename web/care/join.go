package care

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// units groups notices with an admit time, given in their order, by that time; those of hospitals that contradict each
// other stay apart.
func units(timed []notice) []*group {
	var out []*group
	at := map[int64][]*group{} // by their admit
	for _, n := range timed {
		one, key := newGroup(n), n.admit.UnixMilli()
		same := at[key]
		i := slices.IndexFunc(same, func(g *group) bool {
			return g.start.Equal(n.admit) && (g.has(n) || !facilitiesDiffer(g, one))
		})
		if i < 0 {
			out, at[key] = append(out, one), append(same, one)
			continue
		}
		same[i].add(n)
	}
	return out
}

// pair is two units that may be one stay.
type pair struct {
	a, b  int  // places in the list
	why   Join // "" = they share an id
	tier  int  // which pairs are joined first
	apart time.Duration
}

// joinPairs joins units of one stay, the surest pairs first, of those the closest in time. A group whose times do not
// overlap is never made. untimed are the notices without an admit time: a discharge among them can part two stays.
func joinPairs(all []*group, untimed []notice) []*group {
	slices.SortFunc(all, compareGroups)
	var pairs []pair
	for i, a := range all {
		until, visited := a.joinedUntil(), a.visited()
		for k := i + 1; k < len(all); k++ {
			b := all[k]
			if b.start.After(until) && !visited { // so do those behind it
				break
			}
			visit := strings.HasPrefix(shareID(a, b), visitPrefix)
			if b.start.After(until) && !visit {
				continue
			}
			p := pair{a: i, b: k, apart: b.start.Sub(a.lastStart).Abs()}
			if fits := p.judge(a, b, visit); fits && !parted(a, b, untimed) {
				pairs = append(pairs, p)
			}
		}
	}
	slices.SortFunc(pairs, func(p, q pair) int {
		return cmp.Or(cmp.Compare(p.tier, q.tier), cmp.Compare(p.apart, q.apart), cmp.Compare(p.a, q.a), cmp.Compare(p.b, q.b))
	})
	into := slices.Clone(all)
	for _, p := range pairs {
		a, b := into[p.a], into[p.b]
		switch {
		case a == b:
			a.because(p.why)
			continue
		case !overlap(a, b), shareID(a, b) == "" && facilitiesDiffer(a, b):
			continue
		case p.why == JoinNear && max(a.lastStart.Sub(b.start), b.lastStart.Sub(a.start)) >= sameHour: // a chain of admits is not one
			continue
		}
		for _, n := range b.notices {
			a.add(n)
		}
		for _, why := range append(b.joined, p.why) {
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
	for _, g := range out {
		slices.SortFunc(g.notices, notice.compare)
	}
	return out
}

// visited says whether the visit has a number.
func (g *group) visited() bool {
	for id := range g.ids {
		if strings.HasPrefix(id, visitPrefix) {
			return true
		}
	}
	return false
}

// joinedUntil is the latest admit of another unit that can be of the same stay without sharing its visit number.
func (g *group) joinedUntil() time.Time {
	t := g.lastStart.Add(newStayAfter)
	if g.end.After(t) {
		return g.end
	}
	return t
}

// judge says whether two units are one stay, why, and how sure that is. b begins last.
func (p *pair) judge(a, b *group, visit bool) bool {
	if !overlap(a, b) {
		return false
	}
	id := shareID(a, b)
	if id == "" && facilitiesDiffer(a, b) {
		return false
	}
	known := a.facility() != "" && b.facility() != ""
	causes := sharesCause(a, b)
	switch {
	case visit, id != "" && p.apart <= halfDay:
		return true
	case p.apart == 0:
		p.why = JoinAdmit
	case known && p.apart <= sameMinutes:
		p.why, p.tier = JoinFacility, 1
	case known && causes == yes && (p.apart <= halfDay || !a.end.IsZero() && !b.end.IsZero() && a.end.Sub(b.end).Abs() <= sameHour):
		p.why, p.tier = JoinCause, 1
	case p.apart < sameHour && causes != no && (!known || causes == unknown):
		p.why, p.tier = JoinNear, 1
	case id != "" && p.apart <= newStayAfter:
		p.tier = 2
	default:
		return false
	}
	return true
}

// parted says that a discharge without an admit time lies between the admits of two units, and ended the first of them.
func parted(a, b *group, untimed []notice) bool {
	return slices.ContainsFunc(untimed, func(n notice) bool {
		if !n.ends || !n.at.After(a.lastStart) || n.at.After(b.start) {
			return false
		}
		one := newGroup(n)
		return a.has(n) || b.has(n) || len(n.ids()) == 0 && !facilitiesDiffer(a, one)
	})
}

// place adds a notice without an admit time to the stay that it belongs to, else makes one of it.
func place(groups []*group, n notice) []*group {
	g, why := sameID(groups, n), Join("")
	switch {
	case g != nil:
	case n.Kind == Admit:
		g, why = sameCause(groups, n), JoinCause
	default:
		g, why = runningFor(groups, n), JoinRunning
	}
	if g != nil && len(n.ids()) > 0 {
		g.because(why)
	}
	if g == nil {
		return append(groups, newGroup(n))
	}
	g.add(n)
	return groups
}

// sameID finds the stay that shares an id with a notice without an admit time: of several, the one that was running when
// it happened, or when it was told of, else the one nearest to that; nil where none is near.
func sameID(groups []*group, n notice) *group {
	var best *group
	var bestGap time.Duration
	for _, g := range groups {
		if !g.has(n) {
			continue
		}
		gap := g.gap(n)
		if gap <= untimedGrace && (best == nil || gap < bestGap || gap == bestGap && g.begun().After(best.begun())) {
			best, bestGap = g, gap
		}
	}
	return best
}

// gap is how far a notice without an admit time lies outside of a stay.
func (g *group) gap(n notice) time.Duration {
	stop := g.stop()
	switch {
	case g.start.IsZero() && g.end.IsZero() && n.discharge.IsZero(): // neither has a time
		return max(n.at.Sub(g.notices[len(g.notices)-1].at), 0) / 30 // a stay of a month
	case !g.start.IsZero() && n.at.Before(g.start):
		return g.start.Sub(n.at)
	case !stop.IsZero() && n.at.After(stop):
		return n.at.Sub(stop)
	case g.start.IsZero() && !stop.IsZero() && !n.discharge.IsZero():
		return stop.Sub(n.discharge).Abs() * 24 // two discharges of one stay differ by an hour at most
	default:
		return 0
	}
}

// sameCause finds the stay that an admit without its time is the beginning of: at the same facility, for the same reason or
// diagnosis, and running when the admit was told of or admitted within half a day of that. Of several, the nearest; nil
// where there is none: it may be the beginning of another stay.
func sameCause(groups []*group, n notice) *group {
	one := newGroup(n)
	var best *group
	for _, g := range groups {
		stop := g.stop()
		switch {
		case one.facility() == "" || g.facility() == "" || facilitiesDiffer(g, one) || sharesCause(g, one) != yes:
		case g.begun().Sub(n.at) > halfDay, !stop.IsZero() && n.at.After(stop):
		case best == nil || g.begun().Sub(n.at).Abs() < best.begun().Sub(n.at).Abs():
			best = g
		}
	}
	return best
}

// runningFor finds the stay that a transfer or discharge without an admit time fell into: begun by then, not ended before
// it, of several one at the same facility, then one that runs, then the latest. nil where there is none.
func runningFor(groups []*group, n notice) *group {
	one := newGroup(n)
	var best *group
	var bestRank [3]int64
	for _, g := range groups {
		start, stop := g.begun(), g.stop()
		switch {
		case n.at.IsZero() || start.After(n.at):
			continue
		case !g.ended:
		case n.ends && n.discharge.IsZero(): // the discharge that came without its time, a second time
			if n.at.Sub(stop) > untimedGrace {
				continue
			}
		case n.ends:
			if n.at.Sub(stop) > sameHour {
				continue
			}
		case n.at.After(stop):
			continue
		}
		if facilitiesDiffer(g, one) {
			continue
		}
		rank := [3]int64{0, 0, start.UnixMilli()}
		if one.facility() != "" && g.facility() != "" {
			rank[0] = 1
		}
		if !g.ended {
			rank[1] = 1
		}
		if best == nil || slices.Compare(rank[:], bestRank[:]) > 0 {
			best, bestRank = g, rank
		}
	}
	return best
}
