package fhir

import (
	"slices"
	"strings"
)

// Codes of location-physical-type.
const (
	kindSite     = "si"
	kindBuilding = "bu"
	kindWard     = "wa"
)

// step is one Location of a partOf chain, the innermost first.
type step struct {
	name, kind string
	owner      ref
}

// chain follows a location up. A chain that bites its tail ends where it does.
func (r *reader) chain(p *place) []step {
	var steps []step
	seen := map[*known]bool{}
	for to := p.at; len(steps) < 10; {
		k := r.find(to, "Location")
		if k == nil || seen[k] {
			if name := to.display; k == nil && name != "" {
				steps = append(steps, step{name: name})
			}
			break
		}
		seen[k] = true
		s := step{name: k.label, kind: k.place.Code, owner: k.owner}
		if s.name == "" {
			s.name = to.display
		}
		steps = append(steps, s)
		to = k.parent
	}
	if len(steps) > 0 && p.kind.Code != "" {
		steps[0].kind = p.kind.Code
	}
	return steps
}

// locate finds out where an encounter takes place: the facility and, within it, the unit.
func (r *reader) locate(f *encounter) {
	slices.SortStableFunc(f.places, func(a, b place) int { return b.Start.Compare(a.Start.Time) })
	for i := range f.places {
		p := &f.places[i]
		p.Name = r.named(p.at, "Location")
		p.Kind = p.kind.Text
		if k := r.find(p.at, "Location"); k != nil && p.Kind == "" {
			p.Kind = k.place.Text
		}
		if p.Name != "" {
			f.Places = append(f.Places, p.Place)
		}
	}
	f.Facility = r.named(f.provider, "Organization")
	now := present(f.places)
	if now == nil {
		return
	}
	steps := r.chain(now)
	if f.Facility == "" {
		f.Facility = r.facility(steps)
	}
	f.Unit = unit(steps, f.Facility)
}

// present is where the patient lies: the latest place that is active, else the latest that was more than planned.
func present(places []place) *place {
	for i := range places {
		if places[i].Status == "active" {
			return &places[i]
		}
	}
	for i := range places {
		if s := places[i].Status; s != "planned" && s != "reserved" {
			return &places[i]
		}
	}
	return nil
}

// facility is the organization that owns the location, else the site or building in its chain, else the top of it.
func (r *reader) facility(steps []step) string {
	for _, s := range steps {
		if name := r.named(s.owner, "Organization"); name != "" {
			return name
		}
	}
	for _, kind := range []string{kindSite, kindBuilding} {
		for _, s := range steps {
			if s.kind == kind && s.name != "" {
				return s.name
			}
		}
	}
	if len(steps) == 0 {
		return ""
	}
	top := steps[len(steps)-1]
	if len(steps) == 1 && top.kind != "" { // a lone ward or bed is no facility
		return ""
	}
	return top.name
}

// unit is the ward in a chain, else the innermost location, without the facility's name before it.
func unit(steps []step, facility string) string {
	name := ""
	for _, s := range steps {
		if s.kind == kindWard && s.name != "" {
			name = s.name
			break
		}
		if name == "" && s.kind != kindSite && s.kind != kindBuilding {
			name = s.name
		}
	}
	if rest, ok := strings.CutPrefix(name, facility); ok && facility != "" {
		if rest == "" {
			return ""
		}
		if inner := strings.TrimLeft(rest, " ,:-–/"); inner != rest {
			return inner
		}
	}
	return name
}
