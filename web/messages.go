package web

import (
	"context"
	"slices"
	"strconv"

	"github.com/a-h/templ"

	"carebell/db"
	"carebell/views"
	"carebell/web/auth"
)

// reader is who looks at messages: what a row offers follows from who that is.
type reader struct {
	id  int64
	act bool // may change things
}

func readerOf(x auth.Session) reader { return reader{id: x.User.ID, act: x.May(roles[act]...)} }

// inboundStates are the states behind the words of the filter; of sent messages, fates.
var (
	inboundStates = map[string][]db.MailState{
		"open":     {db.MailNew, db.MailRead, db.MailAssigned},
		"new":      {db.MailNew},
		"read":     {db.MailRead},
		"assigned": {db.MailAssigned},
		"answered": {db.MailAnswered},
		"all":      nil,
	}
	fates = map[string]string{"all": "", "failed": "failed", "delivered": "completed", "other": "other"}
)

// The boxes of messages.
const (
	inboundBox  = "inbound"
	outboundBox = "outbound"
)

// messageList is the secure messages: those that came in, and those that the practice sent.
var messageList = &list[db.MailFilter, db.Mail]{
	ListWords: views.MessageWords,
	ways: []views.Way{
		{Param: "box", Label: "Box", Word: "box", Tab: true, Pairs: []string{inboundBox, "Received", outboundBox, "Sent"}},
		{Param: "state", Label: "State", Word: "state", Of: inboundBox, Pairs: []string{"open", "Open", "new", "New", "read", "Read", "assigned", "Assigned", "answered", "Answered", "all", "All"}},
		{Param: "state", Label: "State", Word: "state", Of: outboundBox, Pairs: []string{"all", "All", "failed", "Failed", "delivered", "Delivered", "other", "Other"}},
		{Param: "only", Label: "Only", Word: "filter", Of: inboundBox, Switch: true, Pairs: []string{"unmatched", "Unmatched"}},
		{Param: "by", Label: "Only", Word: "filter", Of: inboundBox, Switch: true, Personal: true, Pairs: []string{"me", "Mine"}},
		{Param: "q", Search: true, Of: inboundBox, Hint: "Subject, sender or patient"},
		{Param: "q", Search: true, Of: outboundBox, Hint: "Patient, id or reason"},
	},
	concerns: func(c db.Change) bool { return c.Topic == db.TopicMessages },
	filter: func(_ context.Context, _ db.Snapshot, a *asked) (db.MailFilter, error) {
		if a.Tab() == outboundBox {
			return db.MailFilter{Box: db.Outbound, Fate: fates[a.Get("state")], Text: a.Get("q")}, nil
		}
		f := db.MailFilter{Box: db.Inbound, States: inboundStates[a.Get("state")], Unmatched: a.Get("only") != "", Text: a.Get("q")}
		if a.Get("by") != "" {
			f.Holder = a.reader.id
		}
		return f, nil
	},
	read:   db.Snapshot.MailPage,
	id:     func(m db.Mail) int64 { return m.ID },
	holder: func(m db.Mail) int64 { return m.Mark.Holder },
	line: func(a *asked, m db.Mail, fitsNot bool) views.Line {
		r := a.words.mailRow(m, a.reader)
		r.FitsNot = fitsNot
		return views.Line{Key: r.ID, At: r.Received, Item: views.MessageRowItem(r)}
	},
	empty: func(_ context.Context, _ db.Snapshot, a *asked) (templ.Component, error) {
		return views.MessagesEmpty(a.Tab() == outboundBox), nil
	},
	beside: func(_ context.Context, _ db.Snapshot, a *asked, p *views.List) error {
		if a.Tab() == inboundBox {
			p.Below = views.MessageHints()
		}
		return nil
	},
	columns: func(a *asked) (string, []string) {
		zone := " (" + a.words.ZoneName() + ")"
		if a.Tab() == outboundBox {
			return "messages-sent", []string{"Sent" + zone, "Ended" + zone, "Fate", "Reason", "Patient", "Birth date", "Your id", "Metriport id", "Message id"}
		}
		return "messages-received", []string{
			"Received" + zone, "Sent" + zone, "From", "Subject", "Patient", "Birth date", "Your id", "Metriport id", "State", "Read by", "Assigned to", "Answered by",
			"Matched by", "Attachments", "Network", "Transport", "Message id",
		}
	},
	cells: func(a *asked, m db.Mail) []string {
		r, who := a.words.mailRow(m, a.reader), []string{m.Patient.Name, m.Patient.BirthDate, m.Patient.ExternalID, m.PatientID}
		if m.Box == db.Outbound {
			return slices.Concat([]string{r.Sent.Sortable(), r.Ended.Sortable(), r.Fate, m.Reason}, who, []string{m.SenderID})
		}
		return slices.Concat([]string{r.Received.Sortable(), r.Sent.Sortable(), m.Sender, m.Subject}, who,
			[]string{r.State, m.Mark.ReadBy, m.Mark.AssignedTo, m.Mark.AnsweredBy, m.Match.By, strconv.Itoa(m.Attached), m.Network, m.Transport, m.SenderID})
	},
}
