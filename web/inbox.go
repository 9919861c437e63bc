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
)

const inboxPath = "/admin/inbox"

// mostCounted is where counting what somebody should look at stops.
const mostCounted = 1000

// mostReprocesses is how many of the latest wishes to process again are shown.
const mostReprocesses = 3

// maxInboxWord is the longest id that can be searched for, in bytes; message ids may be as long.
const maxInboxWord = 512

// inboxList is every webhook that came.
var inboxList = &list[db.InboxSearch, db.InboxRow]{
	ListWords: views.InboxWords,
	ways: []views.Way{
		{Param: "status", Label: "Status", Word: "status", Pairs: []string{
			"", "All", "processed", "Processed", "received", "Waiting", "unrecognized", "Unrecognized", "malformed", "Malformed", "failed", "Failed",
		}},
		{Param: "type", Most: maxInboxWord},
		{Param: "from"},
		{Param: "to"},
		{Param: "patient", Search: true, Patient: true, Most: maxInboxWord},
		{Param: "request", Search: true, Most: maxInboxWord},
		{Param: "q", Search: true, Most: maxInboxWord, Hint: "Message or request id, type, patient"},
	},
	noted: true,
	check: func(_ context.Context, s *Server, f views.Filter) error {
		for _, param := range []string{"from", "to"} {
			if _, err := day(f.Get(param), s.cfg.Zone); err != nil {
				return fiber.NewError(fiber.StatusNotFound, "That is not a date. Write it as year-month-day, such as 2026-11-23.")
			}
		}
		return nil
	},
	concerns: func(c db.Change) bool { return c.Topic == db.TopicInbox },
	filter:   inboxSearch,
	read:     db.Snapshot.InboxPage,
	id:       func(r db.InboxRow) int64 { return r.Seq },
	line: func(a *asked, r db.InboxRow, fitsNot bool) views.Line {
		row := a.words.inboxRow(r)
		row.FitsNot = fitsNot
		return views.Line{Key: row.Seq, At: row.Received, Item: views.InboxLine(row)}
	},
	empty: func(_ context.Context, _ db.Snapshot, a *asked) (templ.Component, error) {
		return views.InboxEmpty(a.webhook), nil
	},
	above: inboxState,
	beside: func(ctx context.Context, v db.Snapshot, a *asked, p *views.List) error {
		types, err := inboxTypes(ctx, v, a)
		p.Beside = views.InboxFolds(a.Filter, types, len(p.Lines) > 0)
		return err
	},
	columns: func(a *asked) (string, []string) {
		zone := " (" + a.words.ZoneName() + ")"
		return "inbox", []string{"Number", "Type", "Status", "Error", "Message id", "Request id", "Patient", "Your id", "Metriport id", "Patients", "Sent" + zone, "Received" + zone, "Delay (seconds)", "Deliveries", "Bytes", "Key"}
	},
	cells: func(a *asked, r db.InboxRow) []string {
		delay := ""
		if !r.SentAt.IsZero() {
			delay = strconv.FormatFloat(r.ReceivedAt.Sub(r.SentAt).Seconds(), 'f', 3, 64)
		}
		return []string{
			strconv.FormatInt(r.Seq, 10), r.Type, string(r.Status), r.Error, r.MessageID, r.RequestID, r.Patient.Name, r.Patient.ExternalID, r.Patient.ID,
			strconv.Itoa(r.Patients), a.words.At(r.SentAt).Sortable(), a.words.At(r.ReceivedAt).Sortable(), delay, strconv.Itoa(r.Deliveries), strconv.FormatInt(r.Size, 10), r.KeyID,
		}
	},
}

// day is the beginning of a day in a zone; the zero Time for "".
func day(text string, zone *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return time.ParseInLocation(time.DateOnly, text, zone)
}

type inboxTypesKey struct{}

// inboxTypes are the types that came, which are the same for everybody.
func inboxTypes(ctx context.Context, v db.Snapshot, a *asked) ([]string, error) {
	return inCommon(a.moment, inboxTypesKey{}, func() ([]string, error) { return v.InboxTypes(ctx) })
}

// inboxSearch is the filter as the database takes it.
func inboxSearch(ctx context.Context, v db.Snapshot, a *asked) (db.InboxSearch, error) {
	search := db.InboxSearch{Type: a.Get("type"), Status: db.Status(a.Get("status")), PatientID: a.Get("patient"), RequestID: a.Get("request"), Text: a.Get("q")}
	search.From, _ = day(a.Get("from"), a.words.Zone) // checked with the filter
	if search.To, _ = day(a.Get("to"), a.words.Zone); !search.To.IsZero() {
		search.To = search.To.AddDate(0, 0, 1)
	}
	if search.Text == "" {
		return search, nil
	}
	types, err := inboxTypes(ctx, v, a)
	for _, t := range types {
		if strings.Contains(t, strings.ToLower(search.Text)) {
			search.TextTypes = append(search.TextTypes, t)
		}
	}
	return search, err
}

// inboxState is what stands above the list: what somebody should look at, and what is being processed again.
func inboxState(ctx context.Context, v db.Snapshot, a *asked) (templ.Component, error) {
	counts, err := v.InboxCounts(ctx, mostCounted)
	if err != nil {
		return nil, err
	}
	var tallies []views.Tally
	for _, status := range []db.Status{db.StatusFailed, db.StatusMalformed, db.StatusUnrecognized, db.StatusReceived} {
		n := strconv.Itoa(counts[status])
		if counts[status] >= mostCounted {
			n = strconv.Itoa(mostCounted-1) + "+"
		}
		tallies = append(tallies, views.Tally{Status: string(status), N: n, None: counts[status] == 0})
	}
	list, err := v.Reprocesses(ctx, mostReprocesses)
	jobs := make([]views.Job, len(list))
	for i, j := range list {
		jobs[i] = a.words.job(j)
	}
	return views.InboxState(tallies, jobs), err
}

func (w wording) job(j db.Reprocess) views.Job {
	return views.Job{
		ID: j.ID, Kind: kindWords(j.Type, j.Status), By: j.AskedBy, Asked: w.At(j.AskedAt), Ended: w.At(j.EndedAt),
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

func (w wording) inboxRow(r db.InboxRow) views.InboxRow {
	return views.InboxRow{
		Seq: r.Seq, Type: visible(r.Type), Status: string(r.Status), Error: r.Error, MessageID: visible(r.MessageID), Shared: r.Shared, RequestID: visible(r.RequestID),
		Patient: patientView(r.Patient), Patients: r.Patients,
		Sent: w.At(r.SentAt), Received: w.At(r.ReceivedAt), Deliveries: r.Deliveries, Size: views.Bytes(r.Size),
	}
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
	return c.Redirect(views.InboxURL("type", r.Type, "status", string(r.Status)), fiber.StatusSeeOther)
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
