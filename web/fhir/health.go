package fhir

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// Statement is what one resource of a patient's record says of one thing: a problem, an allergy, a drug, a value. Which
// members are set follows from Kind; what was not sent is empty.
type Statement struct {
	Kind         string    // resourceType: Condition, AllergyIntolerance, MedicationStatement, MedicationRequest, …
	Exchanges    []string  // codes of the exchanges and networks it comes from, as sent (data-source.json)
	What         Concept   // the thing in words, with the first code that was sent
	Codes        []Concept // its codes of the systems that are the same everywhere, each system once; see [System]
	Status       string    // as sent: active, resolved, completed, …
	Verification string    // of a problem or an allergy: confirmed, refuted, entered-in-error, …
	At           Time      // when it was recorded, ordered, taken, filled, given, measured, done
	Start, End   Time      // onset and abatement, or the period
	StartText    string    // onset in words, where no date was sent
	Dose         string    // of a medication how it is taken; of an immunization which dose it was

	// Of an allergy.
	Categories  []string // medication, food, environment, biologic
	Reactions   []string
	Severity    string // the gravest of its reactions: severe, moderate, mild
	Criticality string // high, low, unable-to-assess

	Fill  *Dispense     // of a MedicationDispense
	Order *Prescription // of a MedicationRequest

	// Of an Observation, and of a DiagnosticReport that has no result.
	Value  *Observation
	Report *Report

	Visit *Encounter // of an Encounter

	// Of a CareTeam, a CarePlan and a Patient: one of the people; of a Coverage the payer.
	Who    Contact
	Role   string
	Member string // the member or subscriber number
	Plan   string
}

// Health is what a whole record says beside its statements.
type Health struct {
	Counts Counts // how many resources of each type
	// Cut says that the file held more of what is referred to than is kept: some statements lack a name or a date.
	Cut bool
}

// What is kept of what others refer to, by estimate, and of reports with results.
const (
	maxReferred = 3 << 20 // bytes
	maxPanels   = 40_000
	maxNamed    = 200_000 // results that the reports name
)

// ReadHealth reads the record of a patient, a Bundle of any size, and calls say with each statement in it about this
// patient, in the order of the file. The file is read several times, as a reference may point forward: open opens it
// anew.
//
// Memory is bounded as that of [Read] is. An error names the entry and the byte and quotes nothing; what was said before
// it stands. What was entered in error, or refuted, is left out.
func ReadHealth(open func() (io.ReadCloser, error), say func(Statement)) (Health, error) {
	h := &health{reader: newReader(), say: say, of: map[uint64]uint32{}, votes: map[string]int{}, alike: map[string]*Report{}}
	h.room = maxReferred
	if err := h.pass(open, h.refer, referred); err != nil {
		// What stands before the error may be told: nobody knows what stood behind it.
		h.broken = err
	}
	h.settle()
	if h.broken == nil && h.facts.Counts["DiagnosticReport"]+max(0, len(h.patients)-1) > 0 {
		only := func(kind string) bool { return kind == "DiagnosticReport" || kind == "Bundle" }
		if len(h.patients) > 1 {
			only = nil // everybody votes
		}
		if err := h.pass(open, h.panelOf, only); err != nil {
			h.broken = err
		}
		h.settle()
	}
	if err := h.pass(open, h.tell, told); err != nil {
		h.broken = err
	}
	return Health{Counts: h.facts.Counts, Cut: h.less || h.indexed > h.room || h.asides > h.room}, h.broken
}

// taking takes a resource in one of the passes.
type taking func(c *from, kind, id, full string, n *node)

// health reads a record: what others refer to, then which results the reports name, then what it says.
type health struct {
	*reader // the index of what is referred to, and the counts
	say     func(Statement)
	take    taking
	first   bool // the first pass, which counts
	reports []panel
	of      map[uint64]uint32  // by the id of an observation: which report names it, from 1
	alike   map[string]*Report // what reports say beside their results, each once
	votes   map[string]int     // how often each subject was named
	less    bool               // something that is referred to was left out
	id      string             // of the resource at hand
	broken  error
}

func (h *health) pass(open func() (io.ReadCloser, error), take taking, only func(kind string) bool) error {
	r, err := open()
	if err != nil {
		return fmt.Errorf("open the record: %w", err)
	}
	h.first = h.take == nil
	h.entry, h.take = 0, take
	err = walk(r, h, only)
	return errors.Join(err, r.Close())
}

// header implements taker.
func (h *health) header(*node) {}

// cut implements taker. That a long text was cut is no loss to a summary.
func (h *health) cut() {}

// top implements taker.
func (h *health) top(top *node) {
	switch kind := top.get("resourceType").str(); kind {
	case "":
	case "Bundle":
		for _, e := range top.get("entry").all() {
			h.entryOf(&e)
		}
	default:
		h.resource(top, "")
	}
}

// entryOf implements taker.
func (h *health) entryOf(e *node) {
	full := e.get("fullUrl").str()
	body := e.get("resource")
	if body == nil && e.get("resourceType") != nil {
		body = e
	}
	if body != nil {
		h.resource(body, full)
	}
}

func (h *health) resource(body *node, full string) {
	kind := body.get("resourceType").str()
	if kind == "" {
		return
	}
	if kind == "Bundle" {
		h.top(body)
		return
	}
	h.entry++
	c := &from{r: h.reader, entry: h.entry}
	id := c.take(body.get("id"), maxID)
	if len(full) > maxURL {
		full = ""
	}
	c.base = serverOf(full, kind, id)
	if h.first {
		h.count(kind)
	}
	h.spent = 0
	h.take(c, kind, id, full, body)
}

// vote counts whom the resources name as their subject.
func (h *health) vote(n *node) {
	to := subject(n).get("reference").str()
	if to == "" || len(to) > maxURL {
		return
	}
	if _, ok := h.votes[to]; ok || len(h.votes) < 8*maxPatients {
		h.votes[strings.Clone(to)]++
	}
}

// subject is whom a resource is about.
func subject(n *node) *node {
	for _, name := range []string{"subject", "patient", "beneficiary"} {
		if to := n.get(name); to != nil {
			return to
		}
	}
	return nil
}

// settle decides whom the record is about: the one patient, or the one whom most name.
func (h *health) settle() {
	best, most := (*known)(nil), -1
	for _, p := range h.patients {
		n := 0
		for to, votes := range h.votes {
			if h.find(ref{to: to}, "Patient") == p.known {
				n += votes
			}
		}
		if n > most || n == most && p.ID < best.id {
			best, most = p.known, n
		}
	}
	h.about = best
}

// other says whether a resource is about somebody else than the patient.
func (h *health) other(c *from, n *node) bool { return h.otherSubject(c.ref(subject(n))) != "" }
