package fhir

import (
	"slices"
	"strconv"
)

// What all facts together may cost in memory, by estimate; and either index of what is only referred to.
const (
	maxKept    = 10 << 20
	maxIndexed = 4 << 20
	baseCost   = 600 // of one resource without its words
)

// reader collects facts until the whole file is known, then resolves their references.
type reader struct {
	facts   Facts
	entry   int               // entries and contained resources seen
	spent   int               // what the kept facts cost
	indexed int               // what people, places and medications cost in the index beside them
	asides  int               // what resources of other types cost in it
	room    int               // what either may cost
	told    int               // what the results of all reports cost when written out
	index   map[string]*known // by fullUrl, Type/id and "<n>#id"
	folded  map[string]*known // by the Type/id of what was folded into it, and orders by their requisition
	words   map[string]string // short words that recur: one copy of each

	patients       []*patient
	encounters     shelf[*encounter]
	conditions     shelf[*condition]
	dispenses      shelf[*dispense]
	prescriptions  shelf[*prescription]
	reports        shelf[*report]
	observations   shelf[*observation]
	communications shelf[*communication]
	documents      shelf[*document]
	summary        *composition // the one that is shown
	clinicians     []string     // names of all Practitioners, each once; see remains
	locations      []string     // names of all Locations, each once
	exchanges      []string     // codes of where resources come from, each once
	about          *known       // the patient
	split          *splitter    // takes inline data out; nil = it stays
}

func newReader() *reader {
	return &reader{
		facts:          Facts{Counts: Counts{}},
		index:          map[string]*known{},
		folded:         map[string]*known{},
		words:          map[string]string{},
		room:           maxIndexed,
		encounters:     shelf[*encounter]{most: maxEncounters},
		conditions:     shelf[*condition]{most: maxConditions},
		dispenses:      shelf[*dispense]{most: maxDispenses},
		prescriptions:  shelf[*prescription]{most: maxPrescriptions},
		reports:        shelf[*report]{most: maxReports},
		observations:   shelf[*observation]{most: maxObservations},
		communications: shelf[*communication]{most: maxCommunications},
		documents:      shelf[*document]{most: maxDocuments},
	}
}

// cut notes that something was left out.
func (r *reader) cut() { r.facts.Truncated = true }

// header takes what the bundle says of itself.
func (r *reader) header(top *node) {
	if kind := top.get("resourceType").str(); kind != "Bundle" && kind != "" {
		return
	}
	c := &from{r: r}
	r.facts.BundleType = c.code(top.get("type"))
	r.facts.Timestamp = c.time(top.get("timestamp"))
}

// top takes the top-level object: the frame of a bundle, or a bare resource.
func (r *reader) top(top *node) {
	switch top.get("resourceType").str() {
	case "":
	case "Bundle":
		r.header(top)
		r.inner(top)
	default:
		r.resource(top, "")
	}
}

// inner takes the entries of a bundle that was read as a whole.
func (r *reader) inner(bundle *node) {
	for _, e := range bundle.get("entry").all() {
		r.entryOf(&e)
	}
}

// entryOf takes one element of Bundle.entry.
func (r *reader) entryOf(e *node) {
	full := e.get("fullUrl").str()
	switch body := e.get("resource"); {
	case body != nil:
		r.resource(body, full)
	case e.get("resourceType") != nil:
		r.resource(e, full)
	}
}

func (r *reader) resource(body *node, full string) {
	kind := body.get("resourceType").str()
	if kind == "" {
		return
	}
	r.count(kind)
	if kind == "Bundle" {
		r.inner(body)
		return
	}
	r.entry++
	c := &from{r: r, entry: r.entry}
	id := c.take(body.get("id"), maxID)
	if len(full) > maxURL {
		full = ""
	}
	c.base = serverOf(full, kind, id)
	for _, inside := range body.get("contained").all() {
		kind, id := inside.get("resourceType").str(), inside.get("id").str()
		if kind != "" && id != "" && len(id) <= maxID {
			c.keep(kind, id, "", []string{strconv.Itoa(c.entry) + "#" + id}, &inside)
		}
	}
	c.keep(kind, id, full, nil, body)
	if exchange := c.exchange(body); exchange != "" && len(r.exchanges) < maxIdentifiers {
		r.exchanges = c.add(r.exchanges, exchange, maxIdentifiers)
	}
	r.relieve()
}

const maxKinds = 64

func (r *reader) count(kind string) {
	if _, ok := r.facts.Counts[kind]; !ok && (!typeName(kind) || len(r.facts.Counts) >= maxKinds) {
		kind = "other"
	}
	r.facts.Counts[kind]++
}

// keep takes one resource by its type. Contained ones have their own keys, and are only there to be referred to.
func (c *from) keep(kind, id, full string, contained []string, n *node) {
	r, listed := c.r, contained == nil
	k := &known{kind: kind, id: id, full: full, keys: contained, spent: r.spent}
	if listed {
		k.keys = keys(kind, id, full)
		if first := r.repeated(k); first != nil {
			if kind == "Encounter" { // the sender merges the bundles of one id: see joinEncounters
				v := c.encounter(id, n)
				v.known = first
				r.spent += baseCost
				r.encounters.put(r, held[*encounter]{v, nil, r.spent - k.spent})
			}
			return
		}
	}
	switch {
	case kind == "Observation":
		v := c.observation(id, n, listed)
		v.size = r.spent - k.spent + baseCost
		k.item, k.label = v, v.Code.Text
		shelve(r, &r.observations, v, k)
	case kind == "MedicationRequest":
		v := c.prescription(id, n, listed)
		k.item, k.label, k.code = v, v.Drug.Text, v.Drug
		shelve(r, &r.prescriptions, v, k)
	case kind == "Condition":
		v := c.condition(id, n, listed)
		k.label, k.code, k.codes = v.Text, v.Concept, v.codes
		shelve(r, &r.conditions, v, k)
	case kind == "DiagnosticReport":
		v := c.report(id, n, listed)
		k.item, k.label = v, v.Code.Text
		shelve(r, &r.reports, v, k)
	case kind == "DocumentReference":
		v := c.document(id, n, listed)
		k.item, k.label = v, v.Description
		shelve(r, &r.documents, v, k)
	case !listed:
		c.describe(k, n)
	case kind == "Encounter":
		v := c.encounter(id, n)
		v.known = k
		shelve(r, &r.encounters, v, k)
	case kind == "MedicationDispense":
		v := c.dispense(id, n)
		k.label, k.code = v.Drug.Text, v.Drug
		shelve(r, &r.dispenses, v, k)
	case kind == "Communication":
		shelve(r, &r.communications, c.communication(id, n), k)
	case kind == "Composition":
		c.composition(id, n)
	case kind == "Patient" && len(r.patients) == maxPatients:
		r.cut()
	case kind == "Patient":
		r.patients = append(r.patients, &patient{c.patient(id, n), k})
		c.describe(k, n)
	default:
		c.describe(k, n)
	}
}

// shelve keeps a fact and lets others find it.
func shelve[T fact](r *reader, s *shelf[T], v T, k *known) {
	r.spent += baseCost
	r.register(k)
	s.put(r, held[T]{v, k.keys, r.spent - k.spent})
}

// repeated is the same resource where it was met before: the first one counts, but for Encounters. One with the same
// Type/id from another server is another resource, and a bare reference to either cannot be resolved.
func (r *reader) repeated(k *known) *known {
	for _, key := range k.keys {
		old := r.index[key]
		if old != nil && !old.unclear && old.id == k.id && (old.full == k.full || old.full == "" || k.full == "") {
			return old
		}
	}
	return nil
}

func (r *reader) register(k *known) {
	for _, key := range k.keys {
		if r.index[key] != nil {
			r.index[key] = &known{unclear: true}
			continue
		}
		r.index[key] = k
	}
}

// describe puts a resource that is no fact of its own in the index, as much of it as others need.
func (c *from) describe(k *known, n *node) {
	r := c.r
	budget := &r.indexed
	switch k.kind {
	case "Practitioner":
		k.label, k.reach = c.humanName(n.get("name"), true), c.reach(n)
	case "RelatedPerson", "Patient":
		k.label = c.humanName(n.get("name"), true)
	case "Organization":
		k.label, k.reach = c.line(n.get("name")), c.reach(n)
	case "HealthcareService", "CareTeam", "Group":
		k.label = c.line(n.get("name"))
	case "Device":
		k.label = c.line(n.get("deviceName").first().get("name"))
	case "PractitionerRole":
		k.parent, k.owner = c.ref(n.get("practitioner")), c.ref(n.get("organization"))
		k.reach = c.reach(n)
	case "Location":
		k.label = c.line(n.get("name"))
		k.parent, k.owner = c.ref(n.get("partOf")), c.ref(n.get("managingOrganization"))
		k.place, k.reach = c.concept(n.get("physicalType")), c.reach(n)
	case "Medication":
		k.code, k.schedule = c.drug(n.get("code"))
		k.label = k.code.Text
	case "ServiceRequest":
		c.order(k, n)
	case "Specimen":
		c.specimen(k, n)
	default: // the sections of a document may name it
		if k.kind == "Binary" && r.split != nil { // else its content is not shown
			a, _ := c.attachment(n)
			k.item = a
		}
		k.label, k.parent = c.saying(n), c.ref(n.get("medicationReference"))
		budget = &r.asides
	}
	cost := r.spent - k.spent
	r.spent = k.spent // it is counted apart
	r.overhear(k)
	for _, key := range k.keys {
		cost += len(key) + 200
	}
	if *budget+cost > r.room {
		*budget = 2 * r.room // full from now on
		return
	}
	*budget += cost
	r.register(k)
	c.absorb(k, n)
}

// overhear keeps the names of people and places, for a bundle whose Encounter is gone.
func (r *reader) overhear(k *known) {
	names := map[string]*[]string{"Practitioner": &r.clinicians, "Location": &r.locations}[k.kind]
	if names != nil && k.label != "" && len(*names) < maxIdentifiers && !slices.Contains(*names, k.label) {
		*names = append(*names, k.label)
	}
}

// saying is what a resource of any kind is, in words.
func (c *from) saying(n *node) string {
	for _, name := range []string{"code", "medicationCodeableConcept", "vaccineCode", "type"} {
		if concept := c.concept(n.get(name).first()); concept.Text != "" {
			return concept.Text
		}
	}
	for _, name := range []string{"title", "description", "name"} {
		if text := c.line(n.get(name)); text != "" {
			return text
		}
	}
	return ""
}
