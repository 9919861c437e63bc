package views

import "strconv"

// Found is the content of the search, on its page and in its box.
type Found struct {
	Frame
	Text     string
	Searched bool   // it was looked for
	Problem  string // why it was not; "" = nothing was typed yet
	Groups   []Group
}

// Group is what was found of one sort.
type Group struct {
	Title string
	Hits  []Hit
	More  *Hit // leads to all of them; nil where they are all here
}

// Hit is one thing that was found.
type Hit struct {
	No    int // place among all hits, from 1
	Title string
	Sub   string
	URL   string
}

// PatientHit is a patient that was found.
func PatientHit(p Patient) Hit {
	return Hit{Title: p.shownName(), Sub: p.birth() + " · " + p.mainID(), URL: string(p.URL())}
}

func (h Hit) htmlID() string { return "hit-" + strconv.Itoa(h.No) }

// all are the hits of a group and the way to more.
func (g Group) all() []Hit {
	if g.More == nil {
		return g.Hits
	}
	return append(g.Hits[:len(g.Hits):len(g.Hits)], *g.More)
}

// said is what the box says beside what it found.
func (f Found) said() string {
	n, more := 0, ""
	for _, g := range f.Groups {
		n += len(g.Hits)
		if g.More != nil {
			more = " and more"
		}
	}
	switch {
	case f.Problem != "":
		return f.Problem
	case !f.Searched:
		return "Names, ids of any system, proofed identity ids, request ids, facilities."
	case n == 0:
		return "Nothing was found. Check the spelling, or type less of it."
	case n == 1:
		return "1 found" + more + "."
	default:
		return strconv.Itoa(n) + " found" + more + "."
	}
}
