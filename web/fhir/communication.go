package fhir

import "strings"

// Communication is a message between people. Source: FHIR R4 Communication.
type Communication struct {
	ID          string       `json:"id,omitempty"`
	Status      string       `json:"status,omitempty"`
	Topic       string       `json:"topic,omitempty"`    // topic in words: the subject line
	Category    string       `json:"category,omitempty"` // category[0] in words
	Sender      string       `json:"sender,omitempty"`
	Recipients  []string     `json:"recipients,omitempty"`
	Sent        Time         `json:"sent,omitzero"`
	Received    Time         `json:"received,omitzero"`
	Medium      []string     `json:"medium,omitempty"`      // in words
	Texts       []string     `json:"texts,omitempty"`       // payload.contentString, then note, without markup
	Attachments []Attachment `json:"attachments,omitempty"` // payload.contentAttachment, contentReference → DocumentReference
	ReplyTo     string       `json:"replyTo,omitempty"`     // id of inResponseTo[0]
	PatientID   string       `json:"patientId,omitempty"`   // subject, where it is a Patient: in the file or not
	Exchange    string       `json:"exchange,omitempty"`    // code of the exchange or network it comes from, as sent (data-source.json)
}

type communication struct {
	Communication
	subject, sender ref
	answers         ref
	recipients      []ref
	files           []ref
}

func (f *communication) when() Time {
	if !f.Sent.IsZero() {
		return f.Sent
	}
	return f.Received
}
func (f *communication) ident() string { return f.ID }

func (c *from) communication(id string, n *node) *communication {
	f := &communication{
		Communication: Communication{
			ID: id, Exchange: c.exchange(n), Status: c.code(n.get("status")),
			Topic: c.concept(n.get("topic")).Text, Category: c.concept(n.get("category").first()).Text,
			Sent: c.time(n.get("sent")), Received: c.time(n.get("received")),
			Medium: c.concepts(n.get("medium"), maxIdentifiers),
		},
		subject: c.ref(n.get("subject")), sender: c.ref(n.get("sender")), answers: c.ref(n.get("inResponseTo").first()),
		recipients: c.refs(n.get("recipient"), maxParts),
	}
	for i, p := range n.get("payload").all() {
		if i == maxParts {
			c.r.cut()
			break
		}
		if text := c.text(p.get("contentString")); text != "" {
			f.Texts = append(f.Texts, text)
		}
		if a, ok := c.attachment(p.get("contentAttachment")); ok {
			f.Attachments = append(f.Attachments, a)
		}
		if to := c.ref(p.get("contentReference")); to != (ref{}) {
			f.files = append(f.files, to)
		}
	}
	f.Texts = append(f.Texts, c.notes(n.get("note"))...)
	return f
}

func (r *reader) finishCommunication(f *communication) Communication {
	c := &from{r: r}
	f.PatientID = r.idOf(f.subject, "Patient")
	f.ReplyTo = r.idOf(f.answers, "Communication")
	if id, ok := strings.CutPrefix(fold(f.answers.to), "urn:uuid:"); ok && f.ReplyTo == "" {
		f.ReplyTo = id
	}
	f.Sender = r.named(f.sender, people...)
	for _, to := range f.recipients {
		f.Recipients = c.add(f.Recipients, r.named(to, people...), maxParts)
	}
	for _, to := range f.files {
		f.Attachments = append(f.Attachments, r.attached(to)...)
	}
	for i, a := range f.Attachments {
		if a.Part != 0 || a.URL == "" {
			continue
		}
		if b, ok := r.binary(ref{to: a.URL, base: f.subject.base}); ok {
			b.Title, b.ContentType = firstWord(a.Title, b.Title), firstWord(a.ContentType, b.ContentType)
			f.Attachments[i] = b
		}
	}
	return f.Communication
}

// attached are the files that a reference of a message leads to.
func (r *reader) attached(to ref) []Attachment {
	if k := r.find(to, "DocumentReference"); k != nil {
		if d, ok := k.item.(*document); ok {
			return d.Attachments
		}
	}
	if a, ok := r.binary(to); ok {
		a.Title = firstWord(to.display, a.Title)
		return []Attachment{a}
	}
	return []Attachment{{Title: to.display, URL: to.to}}
}

// binary is the content of a Binary of the same file; false where there is none, or where content is not taken out.
func (r *reader) binary(to ref) (Attachment, bool) {
	k := r.find(to, "Binary")
	if k == nil {
		return Attachment{}, false
	}
	a, ok := k.item.(Attachment)
	return a, ok
}

func firstWord(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}
