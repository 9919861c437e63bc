package fhir

// Document is one entry of a record's index of documents. Source: FHIR R4 DocumentReference.
type Document struct {
	ID           string       `json:"id,omitempty"`
	Status       string       `json:"status,omitempty"` // current, superseded, entered-in-error
	Type         Concept      `json:"type,omitzero"`
	Description  string       `json:"description,omitempty"`
	Date         Time         `json:"date,omitzero"`
	Author       string       `json:"author,omitempty"`
	Attachments  []Attachment `json:"attachments,omitempty"`  // content[].attachment, without Data
	OtherSubject string       `json:"otherSubject,omitempty"` // id of the subject where it is not Facts.Patient
	Exchange     string       `json:"exchange,omitempty"`     // code of the exchange or network it comes from, as sent (data-source.json)
}

type document struct {
	Document
	subject, author ref
	listed          bool
}

func (f *document) when() Time    { return f.Date }
func (f *document) ident() string { return f.ID }

func (c *from) document(id string, n *node, listed bool) *document {
	f := &document{
		Document: Document{
			ID: id, Exchange: c.exchange(n), Status: c.code(n.get("status")), Type: c.concept(n.get("type")),
			Description: c.line(n.get("description")), Date: c.time(n.get("date")),
		},
		subject: c.ref(n.get("subject")), author: c.ref(n.get("author").first()), listed: listed,
	}
	for _, e := range n.get("content").all() {
		if len(f.Attachments) == maxParts {
			c.r.cut()
			break
		}
		if a, ok := c.listing(e.get("attachment")); ok {
			f.Attachments = append(f.Attachments, a)
		}
	}
	return f
}

func (r *reader) finishDocument(f *document) Document {
	f.Author = r.named(f.author, people...)
	f.OtherSubject = r.otherSubject(f.subject)
	return f.Document
}
