package care

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// group is notices that are taken for one stay.
type group struct {
	notices   []notice
	ids       map[string]bool
	start     time.Time // the first admit; zero where none was sent
	lastStart time.Time // the last one
	end       time.Time // the last discharge; zero where none was sent
	ended     bool
	bound     time.Time // of a stay that ended at a time that was not sent: by when it had
	joined    []Join
}

func newGroup(n notice) *group {
	g := &group{ids: map[string]bool{}}
	g.add(n)
	return g
}

func (g *group) add(n notice) {
	g.notices = append(g.notices, n)
	for _, id := range n.ids() {
		g.ids[id] = true
	}
	if !n.admit.IsZero() {
		if g.start.IsZero() || n.admit.Before(g.start) {
			g.start = n.admit
		}
		if n.admit.After(g.lastStart) {
			g.lastStart = n.admit
		}
	}
	if n.discharge.After(g.end) {
		g.end = n.discharge
	}
	if n.ends {
		g.ended = true
		if n.discharge.IsZero() && (g.bound.IsZero() || n.told.Before(g.bound)) {
			g.bound = n.told
		}
	}
}

func (g *group) because(why Join) {
	if why != "" && !slices.Contains(g.joined, why) {
		g.joined = append(g.joined, why)
	}
}

// stop is by when the stay was over; zero while it runs.
func (g *group) stop() time.Time {
	switch {
	case !g.end.IsZero():
		return g.end
	case g.ended:
		return g.bound
	default:
		return time.Time{}
	}
}

// begun is the earliest time it is known of.
func (g *group) begun() time.Time {
	if !g.start.IsZero() {
		return g.start
	}
	return g.notices[0].at
}

func (g *group) has(n notice) bool {
	return slices.ContainsFunc(n.ids(), func(id string) bool { return g.ids[id] })
}

// overlap says whether two stays that have an admit time can have been running at once.
func overlap(a, b *group) bool {
	if a.start.After(b.start) {
		a, b = b, a
	}
	stop := a.stop()
	return a.start.Equal(b.start) || stop.IsZero() || b.start.Before(stop) || !b.start.After(a.lastStart)
}

// shareID returns the strongest id that both have, "" where they share none.
func shareID(a, b *group) (id string) {
	for one := range a.ids {
		if b.ids[one] && (id == "" || strings.HasPrefix(one, visitPrefix)) {
			id = one
		}
	}
	return id
}

// facility is the name that was sent last; "" where none was.
func (g *group) facility() string {
	name, at := "", time.Time{}
	for _, n := range g.notices {
		if f := n.facility(); f != "" && (name == "" || n.SentAt.After(at)) {
			name, at = f, n.SentAt
		}
	}
	return name
}

// facilitiesDiffer says that both name a facility, and no name of one can be a spelling of a name of the other.
func facilitiesDiffer(a, b *group) bool {
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

// sharesCause says whether two stays name the same reason or diagnosis, by a code or in the same words.
func sharesCause(a, b *group) answer {
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

func (g *group) causes() map[string]bool {
	out := map[string]bool{}
	for _, n := range g.notices {
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

// compareGroups puts the one that began first first.
func compareGroups(g, o *group) int {
	return cmp.Or(g.begun().Compare(o.begun()), g.notices[0].compare(o.notices[0]))
}
