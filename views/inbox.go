package views

import (
	"net/url"
	"strconv"

	"github.com/a-h/templ"
)

const inboxPath = "/admin/inbox"

// InboxWords are what the list of the inbox says.
var InboxWords = ListWords{
	Name: "inbox", Title: "Webhooks", Path: inboxPath, Label: "Webhooks", Older: "Older messages", Order: byArrival,
	NoFit: "No message fits these filters", NoFitHow: "Search looks for the beginning of a message or request id, for a type, and for parts of a patient’s name and ids. Bodies are not searched.",
}

// InboxURL is the address of the list that is narrowed by parameters: names and values in turn.
func InboxURL(pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return address(inboxPath, q)
}

// ofKind says whether an inbox that is narrowed so shows all of a type, a status or both, which can be processed again.
func ofKind(f Filter) bool {
	kind, status := f.Get("type"), f.Get("status")
	return kind+status != "" && status != "received" && f.URL() == InboxURL("type", kind, "status", status)
}

// Tally is how many messages of a status there are.
type Tally struct {
	Status string
	N      string
	None   bool
}

// InboxRow is one message of the inbox.
type InboxRow struct {
	Seq        int64
	Type       string
	Status     string // received, processed, unrecognized, malformed, failed
	Error      string
	MessageID  string
	Shared     bool // it is the id of a test event, which others have too
	RequestID  string
	Patient    Patient // the first it names; ID "" = nobody
	Patients   int     // how many it names
	Sent       Time    // may be unknown
	Received   Time
	Deliveries int
	Size       string
	FitsNot    bool // a live update only: does not fit the screen's filter
}

func (r InboxRow) htmlID() string { return "m-" + decimal(r.Seq) }
func (r InboxRow) url() string    { return inboxPath + "/" + decimal(r.Seq) }

func (r InboxRow) shownType() string {
	if r.Type == "" {
		return "type not readable"
	}
	return r.Type
}

// took is how long the message was under way.
func (r InboxRow) took() string {
	if !r.Sent.Known() {
		return "sent time not sent"
	}
	if d := r.Received.Since(r.Sent); d != "" {
		return "took " + d
	}
	return "sent later than received, by the sender's clock"
}

// statusLabel is the word for a status.
func statusLabel(status string) string {
	switch status {
	case "received":
		return "Waiting"
	case "processed":
		return "Processed"
	case "unrecognized":
		return "Unrecognized"
	case "malformed":
		return "Malformed"
	case "failed":
		return "Failed"
	default:
		return status
	}
}

// Job is a wish to process messages again, and how far it is.
type Job struct {
	ID        int64
	Kind      string // which messages, in words
	By        string
	Asked     Time
	Ended     Time // unknown = it goes on
	Done      int64
	Total     int64
	Processed int64 // understood now
}

func (j Job) htmlID() string { return "job-" + decimal(j.ID) }

func (j Job) result() string {
	text := decimal(j.Done) + " processed again"
	if j.Done == 1 {
		text = "1 processed again"
	}
	if other := j.Done - j.Processed; other > 0 {
		return text + ", " + decimal(other) + " of them still not understood"
	}
	return text + ", all understood"
}

// InboxMessage is the content of one message's page.
type InboxMessage struct {
	Frame
	InboxRow
	OnlyPatient string // id of the patient where the message names exactly one
	SHA256      string
	Key         Key
	Hint        string // what the status means and what to do; "" = nothing
	Again       []InboxDelivery
	Became      []Became
	BecameMore  bool
	Job         *Job // the last time it was processed again; nil = never
	Body        Body
	Delivery    int64 // whose body is shown; 0 = the first

	RepeatOf   AgainRow   // the message that it repeats; Seq 0 = none
	RepeatedBy []AgainRow // those that repeat it
	CanAgain   bool       // the sender can be asked for it again
	AgainNote  string     // how that stands, or why it cannot; "" = nothing to say
}

// AgainRow is a message that tells of the same as another.
type AgainRow struct {
	Seq      int64
	ID       string
	At       Time
	Answered bool // Metriport's answer said so
}

func (a AgainRow) url() templ.SafeURL { return templ.SafeURL(inboxPath + "/" + decimal(a.Seq)) }

func (m InboxMessage) resendURL() string { return m.url() + "/resend" }

func (m InboxMessage) rawURL(delivery int64) string {
	to := m.url() + "/raw"
	if delivery != 0 {
		to += "?delivery=" + decimal(delivery)
	}
	return to
}

func (m InboxMessage) bodyURL(delivery int64) string {
	to := m.url()
	if delivery != 0 {
		to += "?delivery=" + decimal(delivery)
	}
	return to + "#body"
}

// hiddenDeliveries is how many further deliveries are not listed.
func (m InboxMessage) hiddenDeliveries() int { return m.Deliveries - 1 - len(m.Again) }

// waitsAgain says whether the message is waiting to be processed again.
func (m InboxMessage) waitsAgain() bool { return m.Job != nil && !m.Job.Ended.Known() }

// Key is a webhook key by its fingerprint.
type Key struct {
	ID      string
	InForce bool
}

func (k Key) state() string {
	if k.InForce {
		return "in force"
	}
	return "no longer in force"
}

// InboxDelivery is one further delivery of a message.
type InboxDelivery struct {
	ID      int64
	At      Time
	Key     Key
	Differs bool
	Size    string
}

// Became is one thing that a message became.
type Became struct {
	Label string // what sort of thing
	Kind  string // of a notification
	What  string
	State string
	URL   string // "" = it has no page
}

func (b Became) text() string {
	if b.Kind != "" {
		return kindLabel(b.Kind)
	}
	return b.What
}

// Body is what is shown of a body.
type Body struct {
	Size   string
	Tree   *JSON  // nil where it is no JSON
	Text   string // instead of Tree
	Cut    bool   // there is more than is shown
	Masked bool   // links are shown without their secret part
	Copy   string // to be copied; "" = too large
}

// Kinds of JSON values, as far as they look different.
const (
	JSONObject = "object"
	JSONArray  = "array"
	JSONText   = "text"
	JSONOther  = "other" // number, true, false, null
)

// JSON is one value of a body.
type JSON struct {
	Name     string
	Named    bool
	Kind     string
	Text     string
	Children []JSON
	Open     bool
}

func (n JSON) count() string {
	unit := "fields"
	if n.Kind == JSONArray {
		unit = "entries"
	}
	if len(n.Children) == 1 {
		unit = map[string]string{JSONArray: "entry", JSONObject: "field"}[n.Kind]
	}
	return strconv.Itoa(len(n.Children)) + " " + unit
}
