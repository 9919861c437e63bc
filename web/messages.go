package web

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/views"
	"carebell/web/auth"
	"carebell/web/live"
)

// reader is who looks at messages: what a row offers follows from who that is.
type reader struct {
	id  int64
	act bool // may change things
}

func readerOf(x auth.Session) reader { return reader{id: x.User.ID, act: x.May(roles[act]...)} }

func (s *Server) messages(c *fiber.Ctx) error {
	filter, err := messageFilter(c)
	if err != nil {
		return err
	}
	before, err := number(c.Query("before"))
	if err != nil {
		return err
	}
	x, _ := who(c)
	if wantsCSV(c) {
		return s.exportMessages(c, filter, readerOf(x))
	}
	var p views.Messages
	err = s.db.Read(c.UserContext(), func(v db.Snapshot) error {
		l, err := s.status(c.UserContext(), v)
		if err != nil {
			return err
		}
		l.URL = liveURL("messages", l.Seq, filter.Query())
		p, err = s.messageRows(c.UserContext(), v, filter, before, readerOf(x))
		p.Frame = s.frame(c, "Messages", "/messages", l)
		return err
	})
	if err != nil {
		return err
	}
	if c.Get("HX-Request") != "" && before > 0 {
		return render(c, views.MessageList(p))
	}
	return render(c, views.MessagesPage(p))
}

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

// messageFilter reads the filter from the URL. Words that are not known get a clear answer.
func messageFilter(c *fiber.Ctx) (views.MessageFilter, error) {
	f := views.MessageFilter{Box: c.Query("box", "inbound"), Text: strings.TrimSpace(c.Query("q"))}
	unknown := func(what string) error {
		return fiber.NewError(fiber.StatusNotFound, "There is no such "+what+". Choose one above the list.")
	}
	var known bool
	switch f.Box {
	case "inbound":
		f.State = c.Query("state", "open")
		_, known = inboundStates[f.State]
	case "outbound":
		f.State = c.Query("state", "all")
		_, known = fates[f.State]
	default:
		return f, unknown("box")
	}
	if !known {
		return f, unknown("state")
	}
	var err error
	if f.Unmatched, err = flag(c, "only", "unmatched", f.Box == "inbound"); err != nil {
		return f, err
	}
	if f.Mine, err = flag(c, "by", "me", f.Box == "inbound"); err != nil {
		return f, err
	}
	if len(f.Text) > maxSearch {
		return f, fiber.NewError(fiber.StatusNotFound, "That is too long to search for.")
	}
	return f, nil
}

// flag reads a parameter that is there with one word, or not at all; not at all where it has no meaning.
func flag(c *fiber.Ctx, name, word string, fits bool) (bool, error) {
	switch got := c.Query(name); {
	case got == "":
		return false, nil
	case got != word || !fits:
		return false, fiber.NewError(fiber.StatusNotFound, "There is no such filter. Choose one above the list.")
	default:
		return true, nil
	}
}

func mailFilter(f views.MessageFilter, r reader) db.MailFilter {
	if f.Box == "outbound" {
		return db.MailFilter{Box: db.Outbound, Fate: fates[f.State], Text: f.Text}
	}
	filter := db.MailFilter{Box: db.Inbound, States: inboundStates[f.State], Unmatched: f.Unmatched, Text: f.Text}
	if f.Mine {
		filter.Holder = r.id
	}
	return filter
}

// messageRows reads one page of the list. The frame is the caller's.
func (s *Server) messageRows(ctx context.Context, v db.Snapshot, f views.MessageFilter, before int64, r reader) (views.Messages, error) {
	filter := mailFilter(f, r)
	filter.Before, filter.Limit = before, pageRows+1
	filter.Reach = db.Reach
	list, rest, err := v.MailPage(ctx, filter)
	if err != nil {
		return views.Messages{}, err
	}
	p := views.Messages{Filter: f, ToTop: before == 0}
	if len(list) > pageRows {
		list, p.Older = list[:pageRows], true
	}
	p.Back = s.back(rest)
	p.Rows = s.mailRows(list, r)
	return p, nil
}

// messagesScreen is the list as an open page. It is the same for all who may do the same, but for those who hold one of
// the messages; a list of one's own is one's own.
func (s *Server) messagesScreen(f views.MessageFilter, r reader) live.Screen {
	if !f.Mine {
		r.id = 0
	}
	return s.screenFor(fmt.Sprint("messages?", f.Query().Encode(), " ", r), func(c db.Change) bool { return c.Topic == db.TopicMessages },
		func(ctx context.Context, v db.Snapshot, u changes) (part, error) {
			var p views.Messages
			var err error
			if u.TooMany {
				p, err = s.messageRows(ctx, v, f, 0, r)
			} else {
				p.Rows, err = s.changedMessages(ctx, v, f, u, r)
			}
			p.Live = u.Live
			out := part{all: views.MessagesUpdate(p, u.TooMany)}
			if f.Mine {
				return out, err
			}
			out.own = map[int64]templ.Component{}
			for _, id := range holders(p.Rows) {
				own := p
				own.Rows = heldBy(id, p.Rows)
				out.own[id] = views.MessagesUpdate(own, u.TooMany)
			}
			return out, err
		})
}

// holders are the people who hold one of the messages, each once.
func holders(rows []views.MessageRow) (out []int64) {
	for _, r := range rows {
		if r.Holder != 0 && !slices.Contains(out, r.Holder) {
			out = append(out, r.Holder)
		}
	}
	return out
}

// heldBy are rows that were made for everybody as a person sees them.
func heldBy(id int64, rows []views.MessageRow) []views.MessageRow {
	out := slices.Clone(rows)
	for i := range out {
		out[i].Mine = out[i].Holder == id
	}
	return out
}

// The messages that changed after a number, which are the same for all lists of a box, and those of them that fit a filter.
type (
	mailAfter struct {
		box   db.Box
		since int64
	}
	mailFitsAfter struct {
		filter views.MessageFilter
		holder int64
		since  int64
	}
)

// changedMessages reads the rows behind changes. Those that do not fit the filter (any more) are marked.
func (s *Server) changedMessages(ctx context.Context, v db.Snapshot, f views.MessageFilter, u changes, r reader) ([]views.MessageRow, error) {
	if len(u.Rows) == 0 {
		return nil, nil
	}
	ids := make([]int64, len(u.Rows))
	for i, c := range u.Rows {
		ids[i] = c.Item
	}
	filter := mailFilter(f, r)
	all, err := inCommon(u.moment, mailAfter{filter.Box, u.since}, func() ([]db.Mail, error) {
		return v.MailList(ctx, db.MailFilter{Box: filter.Box, IDs: ids, Limit: len(ids)})
	})
	if err != nil {
		return nil, err
	}
	fits, err := inCommon(u.moment, mailFitsAfter{f, filter.Holder, u.since}, func() (map[int64]bool, error) {
		filter.IDs, filter.Limit = ids, len(ids)
		list, err := v.MailList(ctx, filter)
		fits := map[int64]bool{}
		for _, m := range list {
			fits[m.ID] = true
		}
		return fits, err
	})
	if err != nil {
		return nil, err
	}
	rows := s.mailRows(all, r)
	for i := range rows {
		rows[i].FitsNot = !fits[rows[i].ID]
	}
	return rows, nil
}

func (s *Server) exportMessages(c *fiber.Ctx, f views.MessageFilter, r reader) error {
	filter := mailFilter(f, r)
	filter.Limit, filter.Reach = exportPage, exportReach
	zone := " (" + s.clock().ZoneName() + ")"
	name := "messages-received"
	head := []string{
		"Received" + zone, "Sent" + zone, "From", "Subject", "Patient", "Birth date", "Your id", "Metriport id", "State", "Read by", "Assigned to", "Answered by",
		"Matched by", "Attachments", "Network", "Transport", "Message id",
	}
	if filter.Box == db.Outbound {
		name = "messages-sent"
		head = []string{"Sent" + zone, "Ended" + zone, "Fate", "Reason", "Patient", "Birth date", "Your id", "Metriport id", "Message id"}
	}
	return s.export(c, name, head, func(ctx context.Context, v db.Snapshot) ([][]string, error) {
		list, rest, err := v.MailPage(ctx, filter)
		if err == nil {
			err = goOn(&filter.Before, len(list), rest)
		}
		rows := make([][]string, len(list))
		for i, m := range list {
			row, who := s.mailRow(m, r), []string{m.Patient.Name, m.Patient.BirthDate, m.Patient.ExternalID, m.PatientID}
			if m.Box == db.Outbound {
				rows[i] = append(append([]string{row.Sent.Sortable(), row.Ended.Sortable(), row.Fate, m.Reason}, who...), m.SenderID)
			} else {
				rows[i] = append(append([]string{row.Received.Sortable(), row.Sent.Sortable(), m.Sender, m.Subject}, who...),
					row.State, m.Mark.ReadBy, m.Mark.AssignedTo, m.Mark.AnsweredBy, m.Match.By, strconv.Itoa(m.Attached), m.Network, m.Transport, m.SenderID)
			}
			filter.Before = m.ID
		}
		return rows, err
	})
}
