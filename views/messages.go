package views

import (
	"strconv"
	"strings"

	"github.com/a-h/templ"
)

// MessageRow is one secure message in a list: that came in, or that the practice sent.
type MessageRow struct {
	ID           int64
	Out          bool // the practice sent it
	Patient      Patient
	Subject      string
	SubjectKnown bool // false: Subject says what is not known
	Sender       string
	SenderKnown  bool
	Start        string // the beginning of the text
	Flags        []Flag
	Sent         Time
	Received     Time
	Ended        Time // of a sent one: delivered or failed
	CanAct       bool
	FitsNot      bool // a live update only: does not fit the screen's filter, so it changes in place or not at all

	// Of one that came in.
	State      string // new, read, assigned, answered
	Holder     int64  // who has it; 0 = nobody
	Mine       bool   // whoever looks has it
	ReadBy     string
	ReadAt     Time
	AssignedTo string
	AssignedAt Time
	AnsweredBy string
	AnsweredAt Time
	MatchedBy  string // who found the patient; "" where the sender named them
	MatchedAt  Time

	// Of a sent one.
	SenderID string
	Fate     string // Delivered, Failed, or the sender's word
	Tone     string // of a flag
	Reason   string
}

func (r MessageRow) htmlID() string { return "m-" + strconv.FormatInt(r.ID, 10) }

// URL is the message's page.
func (r MessageRow) URL() templ.SafeURL {
	if r.Out {
		return templ.SafeURL("/messages/sent/" + decimal(r.ID))
	}
	return templ.SafeURL("/messages/" + decimal(r.ID))
}

// markURL is where a mark is sent; on is where the answer is shown: "" = a row of the list, "page" = the message's page.
func (r MessageRow) markURL(on string) string {
	to := "/messages/" + decimal(r.ID) + "/mark"
	if on != "" {
		to += "?on=" + on
	}
	return to
}

// rowClass is how the row looks: answered ones stand back as done ones do.
func (r MessageRow) rowClass() string {
	switch {
	case r.Out:
		return ""
	case r.State == "answered":
		return "is-done"
	default:
		return "is-" + r.State
	}
}

// unmatched says that nobody knows yet whom a message that came in is about.
func (r MessageRow) unmatched() bool { return r.Patient.ID == "" && !r.Out }

// took says how long it took from sending to here, or to the recipient.
func (r MessageRow) took() string {
	switch {
	case r.Out && !r.Sent.Known():
		return "send time not sent"
	case r.Out && !r.Ended.Known():
		return "end not sent"
	case r.Out:
		return took(r.Ended.Since(r.Sent))
	case !r.Sent.Known():
		return "send time not sent"
	default:
		return took(r.Received.Since(r.Sent))
	}
}

func took(length string) string {
	if length == "" {
		return ""
	}
	return "took " + length
}

// at is when the row's event was: a sent message ended, one that came in was received.
func (r MessageRow) at() Time {
	if r.Out && r.Ended.Known() {
		return r.Ended
	}
	return r.Received
}

// what names the row for those who cannot see what stands beside a button.
func (r MessageRow) what() string { return r.Subject + ", " + r.Patient.shownName() }

// MessageWords are what the lists of messages say.
var MessageWords = ListWords{
	Name: "messages", Title: "Messages", Path: "/messages", Label: "Messages", Older: "Older messages", Order: byArrival,
	NoFit: "Nothing fits these filters", NoFitHow: "New messages that fit appear here by themselves.",
}

// Field is a value that has no place of its own on a page, under the sender's own name.
type Field struct {
	Name string
	Text string
	Cut  bool
}

// MessageDetail is the content of one message's page.
type MessageDetail struct {
	Frame
	Row        MessageRow
	Recipients []string
	Network    string
	Transport  string
	Medium     string
	About      string // the patient in the sender's own words; "" = not said
	Text       string
	NoText     string // why there is no text
	Note       string // what is left out; "" = nothing
	Files      []FileRow
	Stored     []FileRow // the message itself, as it was stored
	Missing    []string  // attachments that were named and did not come
	Thread     []MessageRow
	Fields     []Field
	MoreFields bool
	Match      Match
	Told       []Told // of a sent one: what was told of it
}

// Told is what one event says of a sent message.
type Told struct {
	Fate   string
	Tone   string
	Reason string
	At     Time
}

// Match is the search for the patient of an unmatched message.
type Match struct {
	ID      int64  // of the message
	Open    bool   // the sender named nobody, and whoever looks may say who it is
	Name    string // of the patient in the message; "" = not said
	Text    string
	From    bool // Text is the patient's name in the message
	Found   []Patient
	Cut     bool // there are more who fit
	Missing string
}

func (m Match) path() string { return "/messages/" + decimal(m.ID) }

// stateWords says how a message that came in stands.
func (r MessageRow) stateWords() string {
	var by string
	switch r.State {
	case "read":
		by = r.ReadBy
	case "assigned":
		return "assigned to " + shortEmail(r.AssignedTo)
	case "answered":
		by = r.AnsweredBy
	default:
		return "new"
	}
	if by == "" {
		return r.State
	}
	return r.State + " by " + shortEmail(by)
}

// history is who did what and when, in full, for the title of the state.
func (r MessageRow) history() string {
	var parts []string
	add := func(what, who string, at Time) {
		if at.Known() {
			parts = append(parts, what+" "+who+", "+at.Full())
		}
	}
	add("read by", r.ReadBy, r.ReadAt)
	add("assigned to", r.AssignedTo, r.AssignedAt)
	add("answered by", r.AnsweredBy, r.AnsweredAt)
	return strings.Join(parts, "; ")
}

func (r MessageRow) stateTone() string {
	switch r.State {
	case "new":
		return "warn"
	case "answered":
		return "ok"
	default:
		return "plain"
	}
}

// lines is who did what and when before the present state.
func (r MessageRow) lines() []string {
	var out []string
	add := func(state, what, who string, at Time) {
		if at.Known() && r.State != state {
			out = append(out, what+" "+shortEmail(who)+" "+at.Short())
		} else if at.Known() {
			out = append(out, at.Short())
		}
	}
	add("answered", "answered by", r.AnsweredBy, r.AnsweredAt)
	add("assigned", "assigned to", r.AssignedTo, r.AssignedAt)
	add("read", "read by", r.ReadBy, r.ReadAt)
	return out
}

// way says which way a message went.
func (r MessageRow) way() string {
	if r.Out {
		return "Sent"
	}
	return "Received"
}

func orNotSent(text string) string {
	if text == "" {
		return "not sent"
	}
	return text
}
