package web

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/views"
	"carebell/web/live"
)

// Bounds of a message's page.
const (
	mostDeliveries = 100
	mostBecame     = 200
)

// inboxMessage is one webhook: what it says of itself, what became of it, and its body.
func (s *Server) inboxMessage(c *fiber.Ctx) error {
	seq, err := number(c.Params("seq"))
	if err != nil {
		return err
	}
	delivery, err := number(c.Query("delivery"))
	if err != nil {
		return err
	}
	done, err := s.reading(c.UserContext())
	if err != nil {
		return err
	}
	defer done()
	var p views.InboxMessage
	err = s.db.Read(c.UserContext(), func(v db.Snapshot) error {
		l, err := s.status(c.UserContext(), v)
		if err != nil {
			return err
		}
		l.URL = liveURL("inbox-message", l.Seq, url.Values{"seq": {strconv.FormatInt(seq, 10)}})
		if p, err = s.messageState(c.UserContext(), v, seq); err != nil {
			return err
		}
		body, err := messageBody(c.UserContext(), v, seq, delivery)
		if err != nil {
			return err
		}
		p.Body, p.Delivery = bodyView(body), delivery
		p.Frame = s.frame(c, l)
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.audit(c, db.ActionView, p.OnlyPatient, messageObject(seq, delivery)); err != nil {
		return err
	}
	return render(c, views.InboxMessagePage(p))
}

// messageObject names a message, or one of its further deliveries, in the audit.
func messageObject(seq, delivery int64) string {
	if delivery != 0 {
		return "webhook " + strconv.FormatInt(seq, 10) + " delivery " + strconv.FormatInt(delivery, 10)
	}
	return "webhook " + strconv.FormatInt(seq, 10)
}

// messageBody is the body of a message, or of a further delivery where that is not 0.
func messageBody(ctx context.Context, v db.Snapshot, seq, delivery int64) ([]byte, error) {
	if delivery == 0 {
		return v.Body(ctx, seq)
	}
	body, err := v.RepeatBody(ctx, seq, delivery)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fiber.NewError(fiber.StatusNotFound, "This delivery had the same body as the first one, or there is no such delivery.")
	}
	return body, err
}

// messageState reads all of a message's page but its body. The frame is the caller's.
func (s *Server) messageState(ctx context.Context, v db.Snapshot, seq int64) (p views.InboxMessage, err error) {
	m, err := v.InboxMessage(ctx, seq)
	if err != nil {
		return p, err
	}
	p.InboxRow, p.SHA256, p.Hint = s.wording().inboxRow(m.InboxRow), hex.EncodeToString(m.SHA256), hint(m.Status, m.Error)
	if m.Patients == 1 {
		p.OnlyPatient = m.Patient.ID
	}
	again, err := v.Deliveries(ctx, seq, mostDeliveries)
	if err != nil {
		return p, err
	}
	for _, d := range again {
		p.Again = append(p.Again, views.InboxDelivery{ID: d.ID, At: s.clock().At(d.ReceivedAt), Key: s.keyWords(d.KeyID), Differs: d.Differs, Size: views.Bytes(d.Size)})
	}
	p.Key = s.keyWords(m.KeyID)
	became, err := v.Became(ctx, seq, mostBecame)
	if err != nil {
		return p, err
	}
	for _, b := range became {
		p.Became = append(p.Became, s.became(b))
	}
	p.BecameMore = len(became) == mostBecame
	if err := s.messageAgain(ctx, v, seq, &p); err != nil {
		return p, err
	}
	last, err := v.LastReprocess(ctx, seq)
	if last.ID != 0 {
		job := s.wording().job(last)
		p.Job = &job
	}
	return p, err
}

// keyWords says which webhook key signed, and whether it still counts.
func (s *Server) keyWords(id string) views.Key {
	for _, k := range s.cfg.Keys {
		if k.ID() == id {
			return views.Key{ID: id, InForce: k.Expires.IsZero() || s.cfg.Now().Before(k.Expires)}
		}
	}
	return views.Key{ID: id}
}

// becomes says in words what a message became, by the kinds of [db.Became].
var becomes = map[string]func(s *Server, b db.Became) views.Became{
	"notification": func(_ *Server, b db.Became) views.Became {
		state := map[string]string{"0": "not seen", "1": "seen", "2": "done"}[b.State]
		return views.Became{Label: "Notification", Kind: b.What, State: state, URL: "/patients/" + url.PathEscape(b.PatientID) + "#n-" + b.ID}
	},
	"patient": func(_ *Server, b db.Became) views.Became {
		if b.State != "known" {
			return views.Became{Label: "Patient", What: visible(b.ID), State: "named, but not in the chart"}
		}
		return views.Became{Label: "Patient", What: orMissing(b.What, "Name not yet known"), State: "in the chart", URL: "/patients/" + url.PathEscape(b.ID)}
	},
	"file": func(s *Server, b db.Became) views.Became {
		id, _ := strconv.ParseInt(b.ID, 10, 64)
		d := db.Download{ID: id, Name: b.What, State: db.Fetch(b.State), Reason: b.Reason}
		out := views.Became{Label: "File", What: fileName(d), State: s.fetchState(d)}
		if d.State == db.FetchStored {
			out.URL = "/files/" + b.ID
		}
		return out
	},
	"message": func(_ *Server, b db.Became) views.Became {
		return views.Became{Label: "Message", What: orMissing(visible(b.What), "Subject not sent"), State: "received", URL: "/messages/" + b.ID}
	},
	"sent": func(_ *Server, b db.Became) views.Became {
		return views.Became{Label: "Sent message", What: "Delivery status", State: orMissing(visible(b.State), "status not sent"), URL: "/messages/sent/" + b.ID}
	},
	"import": func(_ *Server, b db.Became) views.Became {
		return views.Became{Label: "Import", What: visible(b.ID), State: orMissing(visible(b.State), "state not sent"), URL: "/imports/" + url.PathEscape(b.ID)}
	},
	"identity": func(_ *Server, b db.Became) views.Became {
		return views.Became{Label: "Identity proof", What: orMissing(visible(b.What), "proofed identity id not sent"), State: "verified", URL: "/identity/" + b.ID}
	},
}

func (s *Server) became(b db.Became) views.Became {
	if f, ok := becomes[b.Kind]; ok {
		return f(s, b)
	}
	return views.Became{Label: b.Kind, What: b.What, State: b.State}
}

// hint says in plain words what a status means and what to do.
func hint(status db.Status, reason string) string {
	switch status {
	case db.StatusReceived:
		return "It is stored and waits to be read. This page shows what becomes of it."
	case db.StatusProcessed:
		return ""
	case db.StatusUnrecognized:
		return "This version of Carebell does not know this type of event, so nobody is shown it. It is kept byte for byte. After an update that knows the type, process it again; a rebuild does so too."
	case db.StatusMalformed:
		return "It was signed with our key, so it is kept byte for byte, but it does not say safely which message it is, so nothing was read from it. Download it raw, and ask Metriport's support about it by the time it came and its fingerprint."
	case db.StatusFailed:
	}
	switch {
	case strings.Contains(reason, "names no patient"):
		return "An event of this type must name a patient, and this one does not. Look in the body who is meant, and tell Metriport's support."
	case strings.Contains(reason, "has no "), strings.Contains(reason, "shape"), strings.Contains(reason, "stands twice"):
		return "The body is not built as Metriport documents this type. Look at the place that the error names. After an update of Carebell, process it again; if it still fails, send the raw body to whoever supports you."
	case strings.Contains(reason, "more than"):
		return "It names more patients than one message may. Ask Metriport to send it in smaller parts."
	default:
		return "Carebell itself could not use it. It is kept and costs no other message. Process it again; if it still fails, report the error and this message's number."
	}
}

// rawMessage gives out a body byte for byte.
func (s *Server) rawMessage(c *fiber.Ctx) error {
	seq, err := number(c.Params("seq"))
	if err != nil {
		return err
	}
	delivery, err := number(c.Query("delivery"))
	if err != nil {
		return err
	}
	var body []byte
	patient := ""
	err = s.db.Read(c.UserContext(), func(v db.Snapshot) error {
		m, err := v.InboxMessage(c.UserContext(), seq)
		if err != nil {
			return err
		}
		if m.Patients == 1 {
			patient = m.Patient.ID
		}
		body, err = messageBody(c.UserContext(), v, seq, delivery)
		return err
	})
	if err != nil {
		return err
	}
	if err := s.audit(c, db.ActionDownload, patient, messageObject(seq, delivery)); err != nil {
		return err
	}
	name := "webhook-" + strconv.FormatInt(seq, 10)
	if delivery != 0 {
		name += "-delivery-" + strconv.FormatInt(delivery, 10)
	}
	c.Set(fiber.HeaderContentSecurityPolicy, filePolicy)
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+name+`.json"`)
	c.Set(fiber.HeaderContentType, fiber.MIMEOctetStream)
	return c.Send(body)
}

// again asks the projector to read one message again.
func (s *Server) again(c *fiber.Ctx) error {
	seq, err := number(c.Params("seq"))
	if err != nil {
		return err
	}
	err = s.db.Read(c.UserContext(), func(v db.Snapshot) error {
		_, err := v.InboxMessage(c.UserContext(), seq)
		return err
	})
	if err != nil {
		return err
	}
	if err := s.askAgain(c, db.Reprocess{Seq: seq, Total: 1}, messageObject(seq, 0)); err != nil {
		return err
	}
	if c.Get("HX-Request") == "" {
		return c.Redirect(inboxPath+"/"+strconv.FormatInt(seq, 10), fiber.StatusSeeOther)
	}
	var p views.InboxMessage
	err = s.db.Read(c.UserContext(), func(v db.Snapshot) error {
		p, err = s.messageState(c.UserContext(), v, seq)
		return err
	})
	if err != nil {
		return err
	}
	return render(c, views.InboxMessageState(p))
}

// inboxMessageScreen is a message's page as an open page.
func (s *Server) inboxMessageScreen(seq int64) live.Screen {
	return s.screenOf("inbox-message "+strconv.FormatInt(seq, 10), func(c db.Change) bool { return c.Topic == db.TopicInbox && c.Item == seq },
		func(ctx context.Context, v db.Snapshot, u changes) (templ.Component, error) {
			var p views.InboxMessage
			var err error
			if u.any() {
				p, err = s.messageState(ctx, v, seq)
			}
			p.Live = u.Live
			return views.InboxMessageUpdate(p, u.any()), err
		})
}

// openInboxMessage opens the socket of one webhook's page.
func (s *Server) openInboxMessage(c *fiber.Ctx) (live.Screen, error) {
	seq, err := number(c.Query("seq"))
	if err != nil {
		return live.Screen{}, err
	}
	err = s.db.Read(c.UserContext(), func(v db.Snapshot) error {
		_, err := v.InboxMessage(c.UserContext(), seq)
		return err
	})
	return s.inboxMessageScreen(seq), err
}
