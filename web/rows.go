package web

import (
	"strings"
	"time"

	"carebell/db"
	"carebell/views"
	"carebell/web/care"
)

// wording puts what the chart holds into the words that rows and exports show. It asks for nothing but what it is given.
type wording struct {
	views.Clock
	fetch func(db.Download) string        // how a download stands
	file  func(db.Download) views.FileRow // its row, with what can be done about it
}

func (s *Server) wording() wording {
	return wording{Clock: s.clock(), fetch: s.fetchState, file: s.fileRow}
}

func (s *Server) rows(list []db.Notification, canMark bool) []views.Row {
	out := make([]views.Row, len(list))
	for i, n := range list {
		out[i] = s.row(n, canMark)
	}
	return out
}

func (s *Server) row(n db.Notification, canMark bool) views.Row {
	r := s.wording().row(n)
	r.CanMark = canMark
	return r
}

// timeOf makes a time of the chart readable: an instant in the practice's zone, or a day.
func timeOf(clock views.Clock, t time.Time, day bool) views.Time {
	if day {
		return clock.Day(t)
	}
	return clock.At(t)
}

// rowText is what a row says: the fact that matters, the rest in a few words, and short remarks.
type rowText struct {
	fact   string
	known  bool // false: fact says what is not known
	flags  []views.Flag
	detail []string
	help   string // explains a word of the detail; "" = needs no words
	named  string // the whole name of a test whose everyday name the fact says; "" = that is all of it
}

func (t *rowText) flag(text, tone, help string) {
	t.flags = append(t.flags, views.Flag{Text: text, Tone: tone, Help: help})
}

// add appends parts of the detail; empty ones are left out.
func (t *rowText) add(parts ...string) {
	for _, p := range parts {
		if p != "" {
			t.detail = append(t.detail, p)
		}
	}
}

// row puts a notification into the words people read. What is not known is said, never guessed.
func (w wording) row(n db.Notification) views.Row {
	text := w.text(n)
	r := views.Row{
		ID: n.ID, Kind: string(n.Kind), Patient: w.person(n.Patient),
		Happened: timeOf(w.Clock, n.EventAt, n.EventDay), Received: w.At(n.ReceivedAt), Placed: w.At(time.UnixMilli(n.TimelineKey().At)),
		Delay: delayOf(n).words(), Late: late(n), Fact: text.fact, FactKnown: text.known, Detail: strings.Join(text.detail, " · "), DetailHelp: text.help, Named: text.named,
		Flags: text.flags, Deliveries: n.Deliveries, State: "new", Version: n.Mark.Version(),
	}
	switch n.State {
	case db.New:
	case db.Seen:
		r.State, r.By, r.ByAt, r.Undo = "seen", n.Mark.SeenBy, w.At(n.Mark.SeenAt), "new"
	case db.Done:
		r.State, r.By, r.ByAt, r.Undo = "done", n.Mark.DoneBy, w.At(n.Mark.DoneAt), "seen"
		if n.Mark.DoneAtOnce() {
			r.Undo = "new"
		}
	}
	return r
}

func (w wording) text(n db.Notification) rowText {
	var t rowText
	switch n.Kind {
	case care.Admit:
		t = admitted(n)
	case care.Transfer:
		t = transferred(n)
	case care.Discharge:
		t = w.discharged(n)
	case care.Pharmacy:
		t = w.filled(n)
	case care.Lab:
		t = measured(n)
	case care.Summary:
		t = summarized(n)
	}
	t.add(w.recordState(n))
	if n.Test {
		t.flag("test event", "plain", "Sent from Metriport's dashboard to try the connection")
	}
	if n.TwinOf != 0 && !n.Test { // test events say the same every time
		t.flag("sent again as a new message", "plain", "The same event came earlier under another message id")
	}
	return t
}

// recordRead says whether the record behind a notification was read, so that what it does not say is not sent.
func recordRead(n db.Notification) bool {
	f := n.Facts
	return f.Read || f.Encounter != nil || len(f.Fills) > 0 || len(f.Panels) > 0 || f.Summary != nil
}

// recordComes says whether a record that was not read may still be: nothing that only it can say is known yet.
func recordComes(n db.Notification) bool {
	return !recordRead(n) && n.Record.ID != 0 && n.Record.State != db.FetchStored && n.Record.State != db.FetchRemoved
}

// unread says that something is not known that only a record can say which was not read.
func unread(what string, n db.Notification) string {
	switch {
	case recordComes(n):
		return what + " not yet known"
	case n.Record.ID == 0:
		return what + " not sent"
	default:
		return what + " not known"
	}
}

// recordState says how the record of a notification stands, unless it is stored and read.
func (w wording) recordState(n db.Notification) string {
	switch {
	case n.Record.ID == 0 && !recordRead(n):
		return "no record sent"
	case n.Record.ID == 0:
		return ""
	case n.Record.State != db.FetchStored:
		return "record " + w.fetch(n.Record)
	case !recordRead(n):
		return "record stored, but not readable"
	default:
		return ""
	}
}

// exchange names the exchange or network that a notification's record comes from; "" where it is not known.
func exchange(n db.Notification) string { return care.ExchangeName(n.Facts.Exchange()) }

// oneLine is a text in one line of at most so many characters.
func oneLine(text string, most int) string {
	r := []rune(strings.Join(strings.Fields(text), " "))
	if len(r) <= most {
		return string(r)
	}
	return strings.TrimRight(string(r[:most-1]), " ") + "…"
}

func orMissing(text, missing string) string {
	if text == "" {
		return missing
	}
	return text
}

// person is a patient with the age that they have now.
func (w wording) person(p db.Patient) views.Patient {
	out := patientView(p)
	out.Age = w.Age(p.BirthDate)
	return out
}

func patientView(p db.Patient) views.Patient {
	return views.Patient{ID: p.ID, ExternalID: p.ExternalID, Name: p.Name, BirthDate: p.BirthDate}
}
