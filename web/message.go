package web

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/views"
	"carebell/web/care"
	"carebell/web/live"
	"carebell/web/metriport"
)

// Bounds of what one message's page shows.
const (
	mostThread  = 50
	mostMatches = 10
)

// message shows a message that came in. Whoever may act has read it then; the first reader stays.
func (s *Server) message(c *fiber.Ctx) error {
	id, err := number(c.Params("id"))
	if err != nil {
		return err
	}
	text := strings.TrimSpace(c.Query("q"))
	if len(text) > maxSearch {
		return fiber.NewError(fiber.StatusNotFound, "That is too long to search for.")
	}
	x, _ := who(c)
	r, ctx := readerOf(x), c.UserContext()
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		patient, err := tx.MailPatient(ctx, id, db.Inbound)
		if err != nil {
			return err
		}
		if r.act && c.Method() == fiber.MethodGet {
			if err := tx.MarkMail(ctx, id, r.id, db.ActRead); err != nil {
				return err
			}
		}
		return tx.Audit(ctx, r.id, db.ActionView, patient, mailObject(id))
	})
	if err != nil {
		return err
	}
	var p views.MessageDetail
	err = s.db.Read(ctx, func(v db.Snapshot) error {
		l, err := s.status(ctx, v)
		if err != nil {
			return err
		}
		l.URL = liveURL("message", l.Seq, url.Values{"id": {c.Params("id")}})
		if p, err = s.messageDetail(ctx, v, id, r); err != nil {
			return err
		}
		p.Frame = s.frame(c, l)
		if p.Match.Open {
			p.Match.Text, p.Match.From = text, false
			if text == "" && p.Row.Patient.ID == "" && p.Match.Name != "" {
				p.Match.Text, p.Match.From = p.Match.Name, true
			}
			return s.findPatients(ctx, v, &p.Match)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return render(c, views.MessagePage(p))
}

func mailObject(id int64) string { return fmt.Sprint("message ", id) }

// messageDetail reads everything about one message that came in. The frame and the search for its patient are the
// caller's.
func (s *Server) messageDetail(ctx context.Context, v db.Snapshot, id int64, r reader) (views.MessageDetail, error) {
	m, err := v.Mail(ctx, id, db.Inbound)
	if err != nil {
		return views.MessageDetail{}, err
	}
	p := views.MessageDetail{
		Row: s.wording().mailRow(m, r), Recipients: m.Recipients, Network: m.Network, Transport: m.Transport, Text: m.Text,
		Match: views.Match{ID: id, Open: r.act && m.StatedID == ""},
	}
	p.Row.Start = ""
	if m.Text == "" {
		p.NoText = s.noText(m)
	}
	if l := m.Letter; l != nil {
		p.Missing, p.Match.Name = l.Missing, l.Name
		p.Medium = strings.Join(notEmpty(append([]string{l.Category}, l.Medium...)...), ", ")
		p.About = strings.Join(notEmpty(l.Name, s.when(l.BirthDate)), ", born ")
		switch {
		case l.Others > 0:
			p.Note = views.Counted(l.Others, "further message") + " in the same file: read the message as it came, below."
		case l.Cut:
			p.Note = "There is more in the message as it came, below."
		}
	}
	files, err := v.DownloadsOf(ctx, id)
	if err != nil {
		return p, err
	}
	p.Files, p.Stored = s.mailFiles(files)
	if p.Thread, err = s.mailThread(ctx, v, m, r); err != nil {
		return p, err
	}
	body, err := v.Body(ctx, id)
	if err != nil {
		return p, err
	}
	p.Fields, p.MoreFields = mailFields(body, shownOf(m, body))
	return p, nil
}

// noText says why a message has no text.
func (s *Server) noText(m db.Mail) string {
	switch {
	case m.File.ID == 0:
		return "The sender sent no text, and no link to the full message."
	case m.File.State == db.FetchStored && m.Letter == nil:
		return "The full message is stored, but not in a form that Carebell can read. Open it below."
	case m.File.State == db.FetchStored:
		return "The message has no text."
	default:
		return "The full message is not here: " + s.fetchState(m.File) + "."
	}
}

// mailFiles are the attachments, each content once, and the message itself.
func (s *Server) mailFiles(list []db.Download) (attached, stored []views.FileRow) {
	seen := map[string]bool{}
	for _, d := range list {
		row := s.fileRow(d)
		if d.Purpose == db.PurposeMessage {
			stored = append(stored, row)
			continue
		}
		content := string(d.SHA256) + row.Name
		if d.State == db.FetchStored && seen[content] {
			continue
		}
		seen[content] = true
		attached = append(attached, row)
	}
	return attached, stored
}

func (s *Server) mailThread(ctx context.Context, v db.Snapshot, m db.Mail, r reader) ([]views.MessageRow, error) {
	list, err := v.MailThread(ctx, m, care.Thread(m.Subject), mostThread)
	return s.wording().mailRows(list, r), err
}

// mailFields lists what an event says under the sender's own names, but for what the page shows in the same words.
func mailFields(body []byte, shown map[string]string) (out []views.Field, more bool) {
	event, err := metriport.ReadEvent(metriport.MessageReceived, body) // the payload of both kinds has the same fields
	if err != nil {
		return nil, false
	}
	list, more := metriport.Fields(event.Payload.Raw)
	others, moreOthers := metriport.OtherFields(body)
	for _, f := range append(list, others...) {
		if text, ok := shown[f.Name]; ok && (text == "" || text == f.Text) {
			continue
		}
		out = append(out, views.Field(f))
	}
	return out, more || moreOthers
}

// shownOf are the fields of an event that the page of m has a place for, with what it says there; "" = in other words.
func shownOf(m db.Mail, body []byte) map[string]string {
	shown := map[string]string{
		"id": m.SenderID, "patientId": m.StatedID, "subject": m.Subject, "from": m.Sender, "sender": m.Sender, "network": m.Network, "transportMethod": m.Transport,
		"body": strings.TrimSpace(m.Text), "status": m.Status, "reason": strings.TrimSpace(m.Reason),
	}
	for name, text := range shown {
		if text == "" {
			delete(shown, name)
		}
	}
	event, err := metriport.ReadEvent(metriport.MessageReceived, body)
	if err != nil {
		return shown
	}
	if said := event.Payload.Mail(); m.Box == db.Inbound {
		shown["url"] = "" // it became a file
		shown["destination"] = said.Destination
		shown["intendedRecipientNpi"] = strings.Join(said.Recipients, ", ")
		if said.Destination == "" {
			delete(shown, "destination")
		}
		if len(said.Recipients) == 0 {
			delete(shown, "intendedRecipientNpi")
		}
	}
	if !event.Payload.SentAt.IsZero() {
		shown["sentAt"] = ""
	}
	if m.Box == db.Outbound && !event.Payload.CompletedAt.IsZero() {
		shown["completedAt"] = ""
	}
	return shown
}

// findPatients looks for the patients whom an unmatched message may be about.
func (s *Server) findPatients(ctx context.Context, v db.Snapshot, m *views.Match) error {
	if m.Text == "" {
		return nil
	}
	list, err := v.Patients(ctx, db.PatientFilter{Text: m.Text, Limit: mostMatches + 1, Reach: db.Reach})
	if err != nil {
		return err
	}
	if m.Cut = len(list) > mostMatches; m.Cut {
		list = list[:mostMatches]
	}
	for _, p := range list {
		m.Found = append(m.Found, patientView(p))
	}
	if len(list) == 0 {
		m.Missing = "Nobody fits “" + m.Text + "”. Search looks for names, birth dates, phone numbers and parts of ids."
		m.From = false
	}
	return nil
}

// sentMessage shows what was told of a message that the practice sent.
func (s *Server) sentMessage(c *fiber.Ctx) error {
	id, err := number(c.Params("id"))
	if err != nil {
		return err
	}
	x, _ := who(c)
	ctx := c.UserContext()
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		patient, err := tx.MailPatient(ctx, id, db.Outbound)
		if err != nil {
			return err
		}
		return tx.Audit(ctx, x.User.ID, db.ActionView, patient, mailObject(id))
	})
	if err != nil {
		return err
	}
	var p views.MessageDetail
	err = s.db.Read(ctx, func(v db.Snapshot) error {
		l, err := s.status(ctx, v)
		if err != nil {
			return err
		}
		l.URL = liveURL("sent-message", l.Seq, url.Values{"id": {c.Params("id")}})
		p, err = s.sentDetail(ctx, v, id)
		p.Frame = s.frame(c, l)
		return err
	})
	if err != nil {
		return err
	}
	return render(c, views.SentPage(p))
}

func (s *Server) sentDetail(ctx context.Context, v db.Snapshot, id int64) (views.MessageDetail, error) {
	m, err := v.Mail(ctx, id, db.Outbound)
	if err != nil {
		return views.MessageDetail{}, err
	}
	p := views.MessageDetail{Row: s.wording().mailRow(m, reader{})}
	if p.Thread, err = s.mailThread(ctx, v, m, reader{}); err != nil {
		return p, err
	}
	told, err := v.MailStatuses(ctx, id)
	if err != nil {
		return p, err
	}
	seen := map[views.Field]bool{}
	for _, t := range told {
		at := t.EndedAt
		if at.IsZero() {
			at = t.ToldAt
		}
		row := views.Told{Reason: t.Reason, At: s.clock().At(at)}
		row.Fate, row.Tone = fate(t.Status)
		p.Told = append(p.Told, row)
		one := m
		one.Status, one.Reason = t.Status, t.Reason
		fields, more := mailFields(t.Body, shownOf(one, t.Body))
		p.MoreFields = p.MoreFields || more
		for _, f := range fields {
			if !seen[f] {
				seen[f] = true
				p.Fields = append(p.Fields, f)
			}
		}
	}
	return p, nil
}

// messageScreen is a message's page as an open page. It is drawn anew when the message, or one about its patient, changed.
func (s *Server) messageScreen(id int64, patient string, r reader) live.Screen {
	r.id = 0 // it is the same for all who may do the same, but for those who hold a message on it
	return s.screenFor(fmt.Sprint("message ", id, " ", patient, " ", r), ofMail(id, patient), func(ctx context.Context, v db.Snapshot, u changes) (part, error) {
		p, err := s.messageDetail(ctx, v, id, r)
		if err != nil {
			return part{}, err
		}
		p.Live = u.Live
		out := part{all: views.MessageUpdate(p, true), own: map[int64]templ.Component{}}
		rows := append([]views.MessageRow{p.Row}, p.Thread...)
		for _, id := range holders(rows, func(r views.MessageRow) int64 { return r.Holder }) {
			own, held := p, heldBy(id, rows)
			own.Row, own.Thread = held[0], held[1:]
			out.own[id] = views.MessageUpdate(own, true)
		}
		return out, nil
	})
}

// heldBy are rows that were made for everybody as a person sees them.
func heldBy(id int64, rows []views.MessageRow) []views.MessageRow {
	out := slices.Clone(rows)
	for i := range out {
		out[i].Mine = out[i].Holder == id
	}
	return out
}

func (s *Server) sentScreen(id int64, patient string) live.Screen {
	return s.screenOf(fmt.Sprint("sent-message ", id, " ", patient), ofMail(id, patient), func(ctx context.Context, v db.Snapshot, u changes) (templ.Component, error) {
		var p views.MessageDetail
		var err error
		if u.any() {
			p, err = s.sentDetail(ctx, v, id)
		}
		p.Live = u.Live
		return views.MessageUpdate(p, u.any()), err
	})
}

// ofMail are the changes of a message, of others about its patient, which may be of the same conversation, and of who the
// patient is.
func ofMail(id int64, patient string) func(db.Change) bool {
	return func(c db.Change) bool {
		return c.Topic == db.TopicMessages && (c.Item == id || patient != "" && c.PatientID == patient)
	}
}

// mailScreen opens the page of the message that a socket names.
func (s *Server) mailScreen(c *fiber.Ctx, box db.Box, r reader) (live.Screen, error) {
	id, err := number(c.Query("id"))
	if err != nil {
		return live.Screen{}, err
	}
	var m db.Mail
	err = s.db.Read(c.UserContext(), func(v db.Snapshot) (err error) {
		m, err = v.Mail(c.UserContext(), id, box)
		return err
	})
	if box == db.Outbound {
		return s.sentScreen(id, m.PatientID), err
	}
	return s.messageScreen(id, m.PatientID, r), err
}

func notEmpty(words ...string) []string {
	var out []string
	for _, w := range words {
		if w != "" {
			out = append(out, w)
		}
	}
	return out
}

// openMessage opens the socket of a message that came in, openSent that of one that the practice sent.
func (s *Server) openMessage(c *fiber.Ctx) (live.Screen, error) {
	x, _ := who(c)
	return s.mailScreen(c, db.Inbound, readerOf(x))
}

func (s *Server) openSent(c *fiber.Ctx) (live.Screen, error) {
	return s.mailScreen(c, db.Outbound, reader{})
}
