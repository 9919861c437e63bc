package sim

import (
	"bytes"
	"compress/gzip"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// story is what the networks have told of a person so far in this simulation, for their consolidated record.
type story struct {
	fills  []filled
	orders []laboratoryOrder
	stays  []object // the resources of the newest bundle of each encounter
}

// chart makes the consolidated record of one person at one time.
type chart struct {
	health
	at    time.Time
	known story
	all   []object
	seen  map[string]bool // type/id of those that are in it
}

// record is the patient's consolidated FHIR record at a time, as the network queries and the consolidated data point at
// it: what the clinics' documents, the pharmacy network, the laboratory network and the exchanges say, folded together
// where it is the same. A later record of the same person has all of an earlier one but for a suspicion that was
// dropped, and more.
func (p person) record(at time.Time, known story) object {
	c := &chart{health: healthOf(p), at: at, known: known, seen: map[string]bool{}}
	c.add(p.resource(false))
	for i, k := range c.records {
		c.document(i, k)
	}
	c.pharmacy()
	c.laboratory()
	c.add(known.stays...)
	c.team()
	return of("resourceType", "Bundle", "type", "searchset", "total", len(c.all), "entry", collection(c.all...).entries())
}

func (o object) entries() list {
	for _, m := range o {
		if l, ok := m.value.(list); ok && m.name == "entry" {
			return l
		}
	}
	return list{}
}

// summary is a short record: the problems and allergies of the first clinic.
func (p person) summary(at time.Time) object {
	c := &chart{health: healthOf(p), at: at, seen: map[string]bool{}}
	c.add(p.resource(false))
	d := &page{chart: c, keeper: c.records[0], file: "summary.xml"}
	d.problems()
	d.allergies()
	return collection(c.all...)
}

// add puts resources into the record; of two with one id the first stays.
func (c *chart) add(resources ...object) {
	for _, r := range resources {
		if key := r.get("resourceType") + "/" + r.get("id"); !c.seen[key] {
			c.seen[key] = true
			c.all = append(c.all, r)
		}
	}
}

// page is one clinic's document within a record.
type page struct {
	*chart
	keeper
	number int
	file   string
}

// document is what one clinic's record says: all of the first one, parts of the others.
func (c *chart) document(i int, k keeper) {
	d := &page{chart: c, keeper: k, number: i}
	visits := c.visits(c.at)
	written := began
	if len(visits) > 0 {
		written = visits[len(visits)-1].seen()
	}
	d.file = c.who.id[:8] + "_" + derived("document", c.who.id, k.clinic)[:13] + ".xml"
	c.add(marked(resource("DocumentReference", d.id("document"), "status", "current",
		"type", concept(loincSystem, "34133-9", "Summary of episode note"), "subject", of("reference", "Patient/"+c.who.id, "type", "Patient"),
		"date", written, "description", "Summary of episode note, "+k.clinic,
		"content", list{of("attachment", of("contentType", "application/xml", "title", d.file), "extension", list{source(k.network)})}),
		source(k.network), fromFile(d.file)))
	d.problems()
	d.allergies()
	d.medications()
	d.immunizations()
	if i == 0 {
		d.vitals()
	}
	d.visitsAndProcedures()
}

// id is that of a resource of this document, the same in every file.
func (d *page) id(words ...string) string {
	return derived(slices.Concat([]string{d.who.id, d.clinic, d.network}, words)...)
}

// resource is one that was converted from the document. All of them name the document; whether they name the network
// too depends on who converted it.
func (d *page) resource(kind, key string, pairs ...any) object {
	var network object
	if d.sources {
		network = source(d.network)
	}
	return marked(resource(kind, d.id(kind, key), pairs...), fromFile("location/"+d.file), network)
}

func (d *page) subject() object { return of("reference", "Patient/"+d.who.id) }

// mentions says whether this clinic knows something: the first knows all, the others more than half.
func (d *page) mentions(what string) bool {
	return d.number == 0 || !oneIn(d.who.chance(d.clinic+what), 3)
}

// recordFile is the record as JSON; kinds are those that the practice asked for, "" = all.
func (p person) recordFile(at time.Time, known story, kinds string) content {
	return jsonFile("consolidated-"+p.id[:8]+".json", func(*rand.Rand) object { return only(p.record(at, known), kinds) })
}

// recordGzip is the same file compressed, by real gzip.
func (p person) recordGzip(at time.Time, known story, kinds string) content {
	return content{"consolidated-" + p.id[:8] + ".json.gz", "application/gzip", func(*rand.Rand) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(encode(only(p.record(at, known), kinds))) // a buffer takes everything
		_ = z.Close()
		return b.Bytes()
	}}
}

// only is a record of the kinds that a query asked for, with the patient.
func only(record object, kinds string) object {
	if kinds == "" {
		return record
	}
	wanted := strings.Split("Patient,"+kinds, ",")
	entries := slices.DeleteFunc(record.entries(), func(e any) bool {
		for _, m := range e.(object) { //nolint:forcetypeassert // made by collection
			if r, ok := m.value.(object); ok && m.name == "resource" {
				return !slices.Contains(wanted, r.get("resourceType"))
			}
		}
		return false
	})
	return of("resourceType", "Bundle", "type", "searchset", "total", len(entries), "entry", entries)
}
