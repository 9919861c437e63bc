package sim

import "math/rand/v2"

// communication is the FHIR Communication behind a received message.
func (l letter) communication(r *rand.Rand) object {
	payload := list{of("contentString", l.body)}
	for _, a := range l.attachments {
		payload = append(payload, of("contentAttachment", a))
	}
	about := object(nil)
	if l.about != nil {
		about = reference(l.about.resource(false), "")
	}
	answered := list(nil)
	if l.answers != "" {
		answered = list{of("reference", "Communication/"+l.answers)}
	}
	c := resource("Communication", l.id,
		"status", "completed",
		"category", list{of("text", "Secure message")},
		"subject", about,
		"topic", of("text", l.subject),
		"inResponseTo", answered,
		"sent", l.sent, "received", l.received,
		"recipient", list{of("display", l.destination)},
		"sender", of("display", l.from),
		"payload", payload)
	if !oneIn(r, 2) {
		return c
	}
	all := []object{c}
	if l.about != nil {
		all = append(all, l.about.resource(false))
	}
	return bundle("collection", l.received, all...)
}
