package fhir

import (
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
)

// panel is a report with results, as much of it as they lack: the converters date the report and not the result.
type panel struct {
	at   Time
	says *Report // without dates and results
}

// referredKinds are the types that others refer to for a name, a date or a code.
var referredKinds = []string{
	"Bundle", "Patient", "Medication", "MedicationRequest", "Practitioner", "PractitionerRole", "Organization", "Location", "HealthcareService",
	"RelatedPerson", "Device", "Group", "CareTeam", "ServiceRequest", "Specimen", "Condition", "Procedure",
}

func referred(kind string) bool { return slices.Contains(referredKinds, kind) }

// refer keeps, in the first pass, as much of a resource as others need.
func (h *health) refer(c *from, kind, id, full string, n *node) {
	for _, inside := range n.get("contained").all() {
		kind, id := inside.get("resourceType").str(), inside.get("id").str()
		if kind != "" && id != "" && len(id) <= maxID {
			h.refer1(c, &known{kind: kind, id: id, keys: []string{strconv.Itoa(c.entry) + "#" + id}}, &inside)
		}
	}
	k := &known{kind: kind, id: id, full: full, keys: keys(kind, id, full)}
	if h.repeated(k) == nil {
		h.refer1(c, k, n)
	}
}

// refer1 lets others find one resource.
func (h *health) refer1(c *from, k *known, n *node) {
	if !referred(k.kind) || k.kind == "Bundle" {
		return
	}
	k.spent = h.spent
	switch k.kind {
	case "Patient":
		if len(h.patients) == maxPatients {
			h.less = true
			return
		}
		h.patients = append(h.patients, &patient{Patient{ID: k.id}, k})
	case "MedicationRequest":
		if h.indexed > h.room {
			return
		}
		p := c.prescription(k.id, n, true)
		k.item, k.label, k.code = p, p.Drug.Text, p.Drug
		cost := h.spent - k.spent + 2*baseCost
		for _, key := range k.keys {
			cost += len(key) + 200
		}
		if h.indexed += cost; h.indexed > h.room {
			h.indexed = 2 * h.room
			return
		}
		h.register(k)
		return
	}
	c.describe(k, n)
	k.keys = nil // it stays as long as the index does
	if k.kind == "Medication" {
		k.item = c.standard(n.get("code"))
	}
}

// panelOf remembers, in the second pass, which results a report names, and what it says of all of them.
func (h *health) panelOf(c *from, kind, id, _ string, n *node) {
	h.vote(n)
	results := n.get("result").all()
	if kind != "DiagnosticReport" || len(results) == 0 {
		return
	}
	if len(h.reports) == maxPanels {
		h.less = true
		return
	}
	f := c.report(id, n.without("result", "presentedForm", "conclusion", "conclusionCode", "note"), true)
	h.collected(f)
	says := h.finishReport(f)
	p := panel{at: says.Effective}
	if p.at.IsZero() {
		p.at = says.Issued
	}
	p.at = asDay(c.exchange(n), p.at)
	says.ID, says.Effective, says.Issued, says.EncounterID, says.OtherSubject, says.NotPerformed = "", Time{}, Time{}, "", "", false
	p.says = h.shared(says)
	h.reports = append(h.reports, p)
	for i := range results {
		name := tailOf(results[i].get("reference").str())
		if name == "" {
			continue
		}
		if len(h.of) == maxNamed {
			h.less = true
			return
		}
		h.of[hashed(name)] = uint32(len(h.reports)) // bounded by maxPanels
	}
}

// shared gives equal reports one copy.
func (h *health) shared(says Report) *Report {
	key, err := json.Marshal(says)
	if err != nil || len(h.alike) >= maxNames {
		return &says
	}
	if one := h.alike[string(key)]; one != nil {
		return one
	}
	h.alike[string(key)] = &says
	return &says
}

// reportOf is the report that names an observation; nil where none does.
func (h *health) reportOf(id string) *panel {
	if i := h.of[hashed(strings.ToLower(id))]; i > 0 && id != "" {
		return &h.reports[i-1]
	}
	return nil
}

// without is an object that lacks some members.
func (n *node) without(names ...string) *node {
	out := *n
	out.kids = slices.DeleteFunc(slices.Clone(n.kids), func(kid node) bool { return slices.Contains(names, kid.name) })
	return &out
}

// tailOf is the id at the end of a reference of any form.
func tailOf(reference string) string {
	reference, _, _ = strings.Cut(reference, "/_history/")
	if i := strings.LastIndexAny(reference, "/:"); i >= 0 {
		reference = reference[i+1:]
	}
	return strings.ToLower(reference)
}

func hashed(id string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // never fails
	return h.Sum64()
}
