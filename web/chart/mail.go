package chart

import (
	"context"
	"io"
	"strconv"
	"strings"
	"time"

	"carebell/db"
	"carebell/web/care"
	"carebell/web/fhir"
	"carebell/web/metriport"
)

// readReceived takes a secure message that came in. What the event leaves out comes with the stored message.
func readReceived(r *reading, _ metriport.Envelope, event metriport.Event) error {
	p := event.Payload
	said := p.Mail()
	m := db.Mail{
		ID: r.Seq, SenderID: string(p.ID), StatedID: string(p.Patient.ID), Subject: oneLine(string(p.Subject)), Sender: oneLine(said.Sender),
		Recipients: []string{}, ReplyTo: bareID(said.ReplyTo), Network: oneLine(said.Network), Transport: oneLine(said.Transport),
		Text: start(said.Body), SentAt: p.SentAt.Time, ReceivedAt: r.ReceivedAt,
	}
	if said.Destination != "" {
		m.Recipients = append(m.Recipients, oneLine(said.Destination))
	}
	for _, npi := range said.Recipients {
		m.Recipients = append(m.Recipients, oneLine("NPI "+npi))
	}
	r.facts = append(r.facts, func(ctx context.Context, tx *db.Tx) error { return tx.AddMail(ctx, m) })
	return nil
}

// readStatus takes what became of a message that the practice sent.
func readStatus(r *reading, e metriport.Envelope, event metriport.Event) error {
	p := event.Payload
	s := db.MailStatus{
		InboxSeq: r.Seq, MessageID: r.MessageID, SenderID: string(p.ID), PatientID: string(p.Patient.ID), Status: strings.ToLower(oneLine(string(p.Status))),
		Reason: start(string(p.Reason)), SentAt: p.SentAt.Time, EndedAt: p.CompletedAt.Time, ToldAt: e.When,
	}
	received := r.ReceivedAt
	r.facts = append(r.facts, func(ctx context.Context, tx *db.Tx) error { return tx.AddMailStatus(ctx, s, received) })
	return nil
}

// mostOfALine is the longest subject, name or address that is kept beside the text, in characters.
const mostOfALine = 500

func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > mostOfALine {
		return string(r[:mostOfALine]) + "…"
	}
	return s
}

// mostOfAText is how much of the text in an event is kept beside it, in bytes; the message itself has all of it.
const mostOfAText = 64 << 10

func start(s string) string {
	if len(s) > mostOfAText {
		return strings.ToValidUTF8(s[:mostOfAText], "") + "…"
	}
	return s
}

// bareID is the id that a reference ends in: "Communication/1" is "1".
func bareID(ref string) string {
	ref = strings.TrimPrefix(ref, "urn:uuid:")
	return oneLine(ref[strings.LastIndexByte(ref, '/')+1:])
}

// SplitRecord reads a stored message, and takes the attachments out that it carries: their content goes to the writers that
// part gives. The facts are the JSON of fhir.Facts; nil where the file is no message that can be read.
func SplitRecord(d db.Download, content io.Reader, part func() (io.Writer, error)) (facts []byte, parts []db.Part, err error) {
	if d.SniffedType != "application/json" {
		return nil, nil, nil
	}
	read, err := fhir.ReadSplit(content, part)
	if err != nil {
		return nil, nil, err
	}
	for i, a := range attachments(read) {
		if a.Part != 0 {
			parts = append(parts, db.Part{Writer: a.Part, Place: attachmentPlace(d, i), Name: attachmentName(a, i), ClaimedType: a.ContentType})
		}
	}
	facts, err = read.Encode()
	return facts, parts, err
}

// attachments are those of every message in a file, those of the newest first.
func attachments(f fhir.Facts) (all []fhir.Attachment) {
	for _, c := range f.Communications {
		all = append(all, c.Attachments...)
	}
	return all
}

func attachmentPlace(d db.Download, i int) string { return d.Place + "#attachment/" + strconv.Itoa(i) }

func attachmentName(a fhir.Attachment, i int) string {
	if a.Title != "" {
		return a.Title
	}
	return "attachment " + strconv.Itoa(i+1)
}

// applyLetter takes what a stored message says into its row, and queues the attachments that it has links to.
func applyLetter(ctx context.Context, tx *db.Tx, d db.Download, f fhir.Facts) error {
	m := db.Mail{ID: d.InboxSeq, Recipients: []string{}, Letter: &care.Letter{Cut: f.Truncated, Name: f.Patient.Name, BirthDate: f.Patient.BirthDate}}
	if len(f.Communications) > 0 {
		c := f.Communications[0]
		m.Subject, m.Sender, m.ReplyTo, m.SentAt = oneLine(c.Topic), oneLine(c.Sender), oneLine(c.ReplyTo), c.Sent.Time
		for _, to := range c.Recipients {
			m.Recipients = append(m.Recipients, oneLine(to))
		}
		m.Text = strings.Join(c.Texts, "\n\n")
		m.Letter.Read, m.Letter.Category, m.Letter.Status, m.Letter.Medium, m.Letter.Others = true, c.Category, c.Status, c.Medium, len(f.Communications)-1
	}
	var linked []db.Download
	for i, a := range attachments(f) {
		switch {
		case a.Part != 0: // it became a file together with the message
		case strings.HasPrefix(a.URL, "https://") || strings.HasPrefix(a.URL, "http://"):
			linked = append(linked, db.Download{
				InboxSeq: d.InboxSeq, Place: attachmentPlace(d, i), PatientID: d.PatientID, Purpose: db.PurposeAttachment, Name: attachmentName(a, i),
				ClaimedType: a.ContentType, ClaimedSize: a.Size, URL: a.URL, ExpiresAt: metriport.Expiry(a.URL, time.UnixMilli(tx.Now).UTC()),
			})
		default:
			m.Letter.Missing = append(m.Letter.Missing, attachmentName(a, i))
		}
	}
	if err := addLinked(ctx, tx, d.InboxSeq, linked); err != nil {
		return err
	}
	return tx.SaveLetter(ctx, m)
}

// addLinked queues links, but for those that the event itself has: they are on their way already.
func addLinked(ctx context.Context, tx *db.Tx, inboxSeq int64, list []db.Download) error {
	if len(list) == 0 {
		return nil
	}
	body, err := tx.Body(ctx, inboxSeq)
	if err != nil {
		return err
	}
	here := map[string]bool{}
	if event, err := metriport.ReadEvent(metriport.MessageReceived, body); err == nil {
		for _, l := range metriport.Links(metriport.MessageReceived, event, time.Time{}) {
			here[target(l.URL)] = true
		}
	}
	for _, d := range list {
		if here[target(d.URL)] {
			continue
		}
		if err := tx.AddDownload(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// target is what a link leads to, without its signature.
func target(link string) string {
	before, _, _ := strings.Cut(link, "?")
	return before
}
