package fhir

import "strings"

// The sender folds resources that say the same into one, and leaves some references as they were: a prescription still
// names the prescriber of its own row, a report the order of its own (seen by running the sender's converters). Who or
// what was folded in is named by the one that stays; of an order only the requisition number tells.

// extensionRelated is the trace of a resource that was folded in: valueRelatedArtifact.display is its Type/id.
const extensionRelated = "http://hl7.org/fhir/StructureDefinition/artifact-relatedArtifact"

const (
	tracesOf  = "traces" // the member of a resource's node that holds them
	maxTraces = 2_000    // of one resource
)

// absorb lets what was folded into a resource be found as that resource.
func (c *from) absorb(k *known, n *node) {
	for _, one := range n.get(tracesOf).all() {
		kind, id := tail(c.take(one.get("value"), maxURL))
		if kind == k.kind && id != k.id {
			c.r.lead(kind+"/"+id, k)
		}
	}
	if k.kind == "ServiceRequest" {
		if number := c.requisition(n.get("requisition")); number != "" {
			c.r.lead(number, k)
		}
	}
}

// lead says that a key leads to a resource, where nothing has that key itself.
func (r *reader) lead(key string, k *known) {
	if r.indexed+len(key)+100 > maxIndexed {
		return
	}
	r.indexed += len(key) + 100
	if old := r.folded[key]; old != nil && old != k {
		k = &known{unclear: true}
	}
	r.folded[key] = k
}

// foldedInto is what a reference leads to whose own resource was folded away.
func (r *reader) foldedInto(key string, kinds ...string) *known {
	if kind, id := tail(key); kind != "" {
		key = kind + "/" + id
	}
	k := r.folded[key]
	if k == nil || k.unclear {
		return nil
	}
	for _, kind := range kinds {
		if k.kind == kind {
			return k
		}
	}
	return nil
}

// requisition is the number by which an order and its reports are known, as a key.
func (c *from) requisition(identifier *node) string {
	if !strings.Contains(identifier.get("system").str(), "requisition") {
		return ""
	}
	if number := c.take(identifier.get("value"), maxID); number != "" {
		return "requisition:" + number
	}
	return ""
}

// byRequisition is the order of a report that points at none in the file.
func (c *from) byRequisition(identifiers *node) []ref {
	for _, one := range identifiers.all() {
		if key := c.requisition(&one); key != "" {
			return []ref{{to: key}}
		}
	}
	return nil
}
