package fhir

import (
	"strconv"
	"strings"
)

// ref is a reference as it was sent, to be resolved when the whole file is known. Source: FHIR R4 Reference.
type ref struct {
	to      string // Type/id, an id, urn:uuid:…, an absolute URL; "<n>#id" for a resource contained in entry n
	base    string // the server that the referring entry came from, with its slash; "" where unknown
	display string
}

func (c *from) ref(n *node) ref {
	if n == nil || n.kind != '{' {
		return ref{}
	}
	to := c.take(n.get("reference"), maxURL)
	if strings.HasPrefix(to, "#") {
		to = strconv.Itoa(c.entry) + to
	}
	return ref{to, c.base, c.line(n.get("display"))}
}

func (c *from) refs(n *node, atMost int) []ref {
	var out []ref
	for i, e := range n.all() {
		if i == atMost {
			c.r.cut()
			break
		}
		if r := c.ref(&e); r.to != "" || r.display != "" {
			out = append(out, r)
		}
	}
	return out
}

// known is a resource that others can refer to, as much of it as they need.
type known struct {
	kind     string // resourceType
	id       string
	full     string   // fullUrl
	keys     []string // what it is found by
	spent    int      // reader.spent before it was read
	label    string   // its name, or what it is, in words
	code     Concept  // code, of a resource that has one
	codes    []string // system|code of all codings of a Condition
	schedule string   // of a Medication that is a controlled drug
	parent   ref      // Location.partOf, PractitionerRole.practitioner, medicationReference
	owner    ref      // Location.managingOrganization, PractitionerRole.organization
	place    Concept  // Location.physicalType
	reach    Contact  // of a person, an organization or a place: all but the name
	item     any      // the kept fact: *observation, *report, *prescription or *document
	unclear  bool     // two resources of different servers share this Type/id
}

// keys are the names under which a resource is found.
func keys(kind, id, full string) []string {
	var out []string
	if full != "" {
		out = append(out, fold(full))
	}
	if id != "" {
		out = append(out, kind+"/"+id)
	}
	return out
}

// fold makes two spellings of a URN one.
func fold(url string) string {
	if len(url) > 4 && strings.EqualFold(url[:4], "urn:") {
		return strings.ToLower(url)
	}
	return url
}

// serverOf is the part of a fullUrl before Type/id, with its slash.
func serverOf(full, kind, id string) string {
	if !strings.HasPrefix(full, "http") || id == "" {
		return ""
	}
	base, ok := strings.CutSuffix(full, kind+"/"+id)
	if !ok {
		return ""
	}
	return base
}

// find resolves a reference to a resource of one of the kinds, or of any where none is named; nil where the file has
// none, or where it cannot be told which.
func (r *reader) find(to ref, kinds ...string) *known {
	if k := r.direct(to, kinds...); k != nil {
		return k
	}
	return r.foldedInto(to.to, kinds...)
}

// direct is find for what is in the file under its own name.
func (r *reader) direct(to ref, kinds ...string) *known {
	fits := func(key string) *known {
		k := r.index[key]
		if k == nil || k.unclear {
			return nil
		}
		if len(kinds) == 0 {
			return k
		}
		for _, kind := range kinds {
			if k.kind == kind {
				return k
			}
		}
		return nil
	}
	key, _, _ := strings.Cut(to.to, "/_history/")
	if key == "" {
		return nil
	}
	if to.base != "" && !strings.Contains(key, ":") {
		if k := fits(to.base + key); k != nil {
			return k
		}
	}
	if k := fits(fold(key)); k != nil {
		return k
	}
	if kind, id := tail(key); kind != "" {
		return fits(kind + "/" + id)
	}
	id := key
	if strings.HasPrefix(fold(key), "urn:") {
		id = key[strings.LastIndexByte(key, ':')+1:]
	}
	for _, kind := range kinds {
		if k := fits(kind + "/" + id); k != nil {
			return k
		}
	}
	return nil
}

// tail is the Type and id that a relative or absolute reference ends in.
func tail(key string) (kind, id string) {
	rest, id, ok := cutLast(key, "/")
	if !ok {
		return "", ""
	}
	if _, last, ok := cutLast(rest, "/"); ok {
		rest = last
	}
	if !typeName(rest) {
		return "", ""
	}
	return rest, id
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// typeName says whether s could be a resourceType.
func typeName(s string) bool {
	if s == "" || len(s) > 64 || s[0] < 'A' || s[0] > 'Z' {
		return false
	}
	return !strings.ContainsFunc(s, func(c rune) bool { return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') })
}

// idOf is the id of what a reference points at, whether or not the file has it.
func (r *reader) idOf(to ref, kinds ...string) string {
	if k := r.find(to, kinds...); k != nil {
		return k.id
	}
	key, _, _ := strings.Cut(to.to, "/_history/")
	if kind, id := tail(key); kind != "" {
		for _, want := range kinds {
			if kind == want {
				return id
			}
		}
		return ""
	}
	if strings.ContainsAny(key, ":/#") {
		return ""
	}
	return key
}

// people are the kinds that have the name of somebody, or of an organization.
var people = []string{
	"Practitioner", "PractitionerRole", "Organization", "Patient", "RelatedPerson", "CareTeam", "Device",
	"HealthcareService", "Location", "Group",
}

// named is the name of what a reference points at; its display where the file has no name for it.
func (r *reader) named(to ref, kinds ...string) string {
	k := r.find(to, kinds...)
	switch {
	case k == nil:
	case k.kind == "PractitionerRole":
		for _, to := range []ref{k.parent, k.owner} {
			if name := r.named(to, "Practitioner", "Organization"); name != "" {
				return name
			}
		}
	case k.label != "":
		return k.label
	case k.kind != "Location": // an order or a statement for a medication
		medication := k.parent
		if p, ok := k.item.(*prescription); ok {
			medication = p.drug
		}
		if drug, _ := r.drug(Concept{}, "", medication); drug.Text != "" {
			return drug.Text
		}
	}
	return to.display
}
