package web

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/views"
	"carebell/web/live"
)

const inboxPath = "/admin/inbox"

// mostCounted is where counting what somebody should look at stops.
const mostCounted = 1000

// mostReprocesses is how many of the latest wishes to process again are shown.
const mostReprocesses = 3

// inboxPage is the list of every webhook that came.
func (s *Server) inboxPage(c *fiber.Ctx) error {
	f, err := s.inboxFilter(c)
	if err != nil {
		return err
	}
	before, err := number(c.Query("before"))
	if err != nil {
		return err
	}
	if wantsCSV(c) {
		return s.exportInbox(c, f)
	}
	action := db.ActionView
	if f.Text != "" || f.Patient != "" {
		action = db.ActionSearch
	}
	if err := s.audit(c, action, f.Patient, "inbox"); err != nil {
		return err
	}
	var p views.Inbox
	err = s.db.Read(c.UserContext(), func(v db.Snapshot) error {
		l, err := s.status(c.UserContext(), v)
		if err != nil {
			return err
		}
		l.URL = liveURL("inbox", l.Seq, f.Query())
		types, err := v.InboxTypes(c.UserContext())
		if err != nil {
			return err
		}
		if p, err = s.inboxRows(c.UserContext(), v, f, types, before); err != nil {
			return err
		}
		p.Types = types
		if err := s.inboxState(c.UserContext(), v, &p); err != nil {
			return err
		}
		p.Frame = s.frame(c, "Webhooks", inboxPath, l)
		return nil
	})
	if err != nil {
		return err
	}
	return render(c, views.InboxPage(p))
}

// inboxFilter reads the filter from the URL. Words that are not known get a clear answer.
func (s *Server) inboxFilter(c *fiber.Ctx) (views.InboxFilter, error) {
	f := views.InboxFilter{
		Type: c.Query("type"), Status: c.Query("status"), From: c.Query("from"), To: c.Query("to"),
		Patient: strings.TrimSpace(c.Query("patient")), Request: strings.TrimSpace(c.Query("request")), Text: strings.TrimSpace(c.Query("q")),
	}
	if f.Status != "" && !slices.Contains(db.Statuses, db.Status(f.Status)) {
		return f, fiber.NewError(fiber.StatusNotFound, "There is no such status. Choose one above the list.")
	}
	for _, day := range []string{f.From, f.To} {
		if _, err := s.day(day); err != nil {
			return f, fiber.NewError(fiber.StatusNotFound, "That is not a date. Write it as year-month-day, such as 2026-11-23.")
		}
	}
	if max(len(f.Text), len(f.Type), len(f.Patient), len(f.Request)) > maxInboxWord {
		return f, fiber.NewError(fiber.StatusNotFound, "That is too long to search for.")
	}
	return f, nil
}

// maxInboxWord is the longest id that can be searched for, in bytes; message ids may be as long.
const maxInboxWord = 512

// day is the beginning of a day in the practice's zone; the zero Time for "".
func (s *Server) day(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return time.ParseInLocation(time.DateOnly, text, s.cfg.Zone)
}

// inboxSearch is the filter as the database takes it. types are those that came.
func (s *Server) inboxSearch(f views.InboxFilter, types []string) db.InboxSearch {
	search := db.InboxSearch{Type: f.Type, Status: db.Status(f.Status), PatientID: f.Patient, RequestID: f.Request, Text: f.Text}
	search.From, _ = s.day(f.From) // checked with the filter
	if search.To, _ = s.day(f.To); !search.To.IsZero() {
		search.To = search.To.AddDate(0, 0, 1)
	}
	if f.Text != "" {
		for _, t := range types {
			if strings.Contains(t, strings.ToLower(f.Text)) {
				search.TextTypes = append(search.TextTypes, t)
			}
		}
	}
	return search
}

// inboxRows reads one page of the list. The frame is the caller's.
func (s *Server) inboxRows(ctx context.Context, v db.Snapshot, f views.InboxFilter, types []string, before int64) (views.Inbox, error) {
	p := views.Inbox{Filter: f, WebhookURL: s.webhookURL(), ToTop: before == 0}
	search := s.inboxSearch(f, types)
	search.Before, search.Limit = before, pageRows+1
	search.Reach = db.Reach
	list, rest, err := v.InboxPage(ctx, search)
	if err != nil {
		return p, err
	}
	if len(list) > pageRows {
		list, p.Older = list[:pageRows], true
	}
	p.Back = s.back(rest)
	for _, r := range list {
		p.Rows = append(p.Rows, s.inboxRow(r))
	}
	return p, nil
}

// inboxState reads what stands above the list: what somebody should look at, and what is being processed again.
func (s *Server) inboxState(ctx context.Context, v db.Snapshot, p *views.Inbox) error {
	counts, err := v.InboxCounts(ctx, mostCounted)
	if err != nil {
		return err
	}
	for _, status := range []db.Status{db.StatusFailed, db.StatusMalformed, db.StatusUnrecognized, db.StatusReceived} {
		n := strconv.Itoa(counts[status])
		if counts[status] >= mostCounted {
			n = strconv.Itoa(mostCounted-1) + "+"
		}
		p.Tallies = append(p.Tallies, views.Tally{Status: string(status), N: n, None: counts[status] == 0})
	}
	jobs, err := v.Reprocesses(ctx, mostReprocesses)
	for _, j := range jobs {
		p.Jobs = append(p.Jobs, s.job(j))
	}
	return err
}

func (s *Server) job(j db.Reprocess) views.Job {
	clock := s.clock()
	return views.Job{
		ID: j.ID, Kind: kindWords(j.Type, j.Status), By: j.AskedBy, Asked: clock.At(j.AskedAt), Ended: clock.At(j.EndedAt),
		Done: j.Done, Total: max(j.Total, j.Done), Processed: j.Processed,
	}
}

// kindWords names all messages of a type and a status.
func kindWords(kind string, status db.Status) string {
	words := "messages"
	if status != "" {
		words = string(status) + " messages"
	}
	if kind != "" {
		words += " of type " + kind
	}
	return words
}

func (s *Server) inboxRow(r db.InboxRow) views.InboxRow {
	clock := s.clock()
	return views.InboxRow{
		Seq: r.Seq, Type: visible(r.Type), Status: string(r.Status), Error: r.Error, MessageID: visible(r.MessageID), Shared: r.Shared, RequestID: visible(r.RequestID),
		Patient: patientView(r.Patient), Patients: r.Patients,
		Sent: clock.At(r.SentAt), Received: clock.At(r.ReceivedAt), Deliveries: r.Deliveries, Size: views.Bytes(r.Size),
	}
}

func (s *Server) exportInbox(c *fiber.Ctx, f views.InboxFilter) error {
	zone := " (" + s.clock().ZoneName() + ")"
	head := []string{"Number", "Type", "Status", "Error", "Message id", "Request id", "Patient", "Your id", "Metriport id", "Patients", "Sent" + zone, "Received" + zone, "Delay (seconds)", "Deliveries", "Bytes", "Key"}
	var types []string
	err := s.db.Read(c.UserContext(), func(v db.Snapshot) (err error) {
		types, err = v.InboxTypes(c.UserContext())
		return err
	})
	if err != nil {
		return err
	}
	search := s.inboxSearch(f, types)
	search.Limit, search.Reach = exportPage, exportReach
	return s.export(c, "inbox", head, func(ctx context.Context, v db.Snapshot) ([][]string, error) {
		list, rest, err := v.InboxPage(ctx, search)
		if err == nil {
			err = goOn(&search.Before, len(list), rest)
		}
		rows := make([][]string, len(list))
		for i, r := range list {
			clock := s.clock()
			delay := ""
			if !r.SentAt.IsZero() {
				delay = strconv.FormatFloat(r.ReceivedAt.Sub(r.SentAt).Seconds(), 'f', 3, 64)
			}
			rows[i] = []string{
				strconv.FormatInt(r.Seq, 10), r.Type, string(r.Status), r.Error, r.MessageID, r.RequestID, r.Patient.Name, r.Patient.ExternalID, r.Patient.ID,
				strconv.Itoa(r.Patients), clock.At(r.SentAt).Sortable(), clock.At(r.ReceivedAt).Sortable(), delay, strconv.Itoa(r.Deliveries), strconv.FormatInt(r.Size, 10), r.KeyID,
			}
			search.Before = r.Seq
		}
		return rows, err
	})
}

// inboxScreen is the list as an open page.
func (s *Server) inboxScreen(f views.InboxFilter) live.Screen {
	return s.screenOf("inbox?"+f.Query().Encode(), func(c db.Change) bool { return c.Topic == db.TopicInbox },
		func(ctx context.Context, v db.Snapshot, u changes) (templ.Component, error) {
			p := views.Inbox{Filter: f}
			var err error
			if u.any() {
				p, err = s.changedInbox(ctx, v, f, u)
			}
			p.Live = u.Live
			return views.InboxUpdate(p, u.TooMany, u.any()), err
		})
}

func (s *Server) changedInbox(ctx context.Context, v db.Snapshot, f views.InboxFilter, u changes) (views.Inbox, error) {
	p := views.Inbox{Filter: f}
	types, err := inCommon(u.moment, inboxTypes{}, func() ([]string, error) { return v.InboxTypes(ctx) })
	if err != nil {
		return p, err
	}
	if u.TooMany {
		p, err = s.inboxRows(ctx, v, f, types, 0)
	} else {
		p.Rows, err = s.changedInboxRows(ctx, v, s.inboxSearch(f, types), u.Rows)
	}
	if err != nil {
		return p, err
	}
	state, err := inCommon(u.moment, inboxAbove{}, func() (views.Inbox, error) {
		var state views.Inbox
		err := s.inboxState(ctx, v, &state)
		return state, err
	})
	p.Tallies, p.Jobs = state.Tallies, state.Jobs
	return p, err
}

// What all open lists of the inbox show: the types that came, and what stands above the list.
type (
	inboxTypes struct{}
	inboxAbove struct{}
)

// changedInboxRows reads the rows behind changes and marks those that do not fit the filter.
func (s *Server) changedInboxRows(ctx context.Context, v db.Snapshot, search db.InboxSearch, changes []db.Change) ([]views.InboxRow, error) {
	var seqs []int64
	for _, c := range changes {
		if c.Item != 0 && !slices.Contains(seqs, c.Item) {
			seqs = append(seqs, c.Item)
		}
	}
	if len(seqs) == 0 {
		return nil, nil
	}
	all, err := v.InboxList(ctx, db.InboxSearch{Seqs: seqs, Limit: len(seqs)})
	if err != nil {
		return nil, err
	}
	search.Seqs, search.Limit = seqs, len(seqs)
	fitting, err := v.InboxList(ctx, search)
	if err != nil {
		return nil, err
	}
	fits := map[int64]bool{}
	for _, r := range fitting {
		fits[r.Seq] = true
	}
	var rows []views.InboxRow
	for _, r := range all {
		row := s.inboxRow(r)
		row.FitsNot = !fits[r.Seq]
		rows = append(rows, row)
	}
	return rows, nil
}

// againAll asks the projector to read all messages of a type and a status again.
func (s *Server) againAll(c *fiber.Ctx) error {
	r := db.Reprocess{Type: posted(c, "type"), Status: db.Status(posted(c, "status"))}
	known := r.Status == "" || r.Status != db.StatusReceived && slices.Contains(db.Statuses, r.Status)
	if !known || r.Type == "" && r.Status == "" {
		return fiber.NewError(fiber.StatusUnprocessableEntity, "Say which messages to process again: those of a type, of a status, or of both.")
	}
	err := s.db.Read(c.UserContext(), func(v db.Snapshot) (err error) {
		r.Total, err = v.CountOfKind(c.UserContext(), r.Type, r.Status)
		return err
	})
	if err != nil {
		return err
	}
	if r.Total == 0 {
		return fiber.NewError(fiber.StatusUnprocessableEntity, "There are no such messages, so nothing is to be processed again.")
	}
	if err := s.askAgain(c, r, fmt.Sprintf("%d %s", r.Total, kindWords(r.Type, r.Status))); err != nil {
		return err
	}
	f := views.InboxFilter{Type: r.Type, Status: string(r.Status)}
	return c.Redirect(f.URL(), fiber.StatusSeeOther)
}

func (s *Server) askAgain(c *fiber.Ctx, r db.Reprocess, object string) error {
	x, _ := who(c)
	err := s.db.Write(c.UserContext(), func(tx *db.Tx) error {
		if err := tx.AskReprocess(c.UserContext(), x.User.ID, r); err != nil {
			return err
		}
		return tx.Audit(c.UserContext(), x.User.ID, db.ActionAgain, "", object)
	})
	if err == nil {
		s.projector.Wake()
	}
	return err
}
