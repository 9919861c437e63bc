package views

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"
)

// Patient is a person as rows and heads show them.
type Patient struct {
	ID         string
	ExternalID string
	Name       string // "" = not yet known
	BirthDate  string // ISO date; "" = not yet known
	Age        string // now: "74", "5 months"; "" = not known, or not asked for
}

// URL is the patient's page.
func (p Patient) URL() templ.SafeURL {
	return templ.SafeURL("/patients/" + url.PathEscape(p.ID))
}

func (p Patient) shownName() string {
	if p.Name == "" {
		return "Name not yet known"
	}
	return p.Name
}

// years is the age with its unit.
func (p Patient) years() string {
	if strings.Contains(p.Age, " ") {
		return p.Age
	}
	return p.Age + " years"
}

// birth is the birth date, or that it is not known.
func (p Patient) birth() string {
	if p.BirthDate == "" {
		return "birth date not yet known"
	}
	return birthDate(p.BirthDate)
}

// mainID is the id people use: the practice's own where there is one.
func (p Patient) mainID() string {
	if p.ExternalID != "" {
		return "ID " + p.ExternalID
	}
	return "Metriport id " + shortID(p.ID)
}

func shortID(id string) string {
	if r := []rune(id); len(r) > 13 {
		return string(r[:8]) + "…" + string(r[len(r)-4:])
	}
	return id
}

// Row is one notification in a list.
type Row struct {
	ID         int64
	Kind       string // admit, transfer, discharge, pharmacy, lab, summary
	Patient    Patient
	Happened   Time   // when the event happened, an instant or a day; may be unknown
	Received   Time   // when the notice came
	Placed     Time   // where it stands in a timeline
	Delay      string // who had the notice how long; "" where that is not known
	Late       string // by how much the notice was late; "" = it was not, or that is not known
	Fact       string // the fact that matters
	FactKnown  bool   // false: Fact says what is not known
	Detail     string // the rest, in grey
	DetailHelp string // explains a word of it; "" = needs no words
	Named      string // the whole name of a test whose everyday name the fact says; "" = that is all of it
	Flags      []Flag
	Deliveries int
	State      string // new, seen, done
	By         string // who saw it or is done with it
	ByAt       Time
	Version    string // of the mark, sent back with the next one
	Undo       string // the state before this one; "" = nothing to take back
	CanMark    bool
	Back       string // address of the list it stands in
	FitsNot    bool   // a live update only: does not fit the screen's filter, so it changes in place or not at all
}

// Flag is a short remark in a row.
type Flag struct {
	Text string
	Tone string // plain, warn, crit, ok
	Help string // what it means
}

func (r Row) htmlID() string { return "n-" + strconv.FormatInt(r.ID, 10) }

// marked says who marked a row and when; "" where nobody did.
func (r Row) marked() string {
	if r.State == "new" {
		return ""
	}
	return r.By + ", " + r.ByAt.Full()
}

// markURL is where a mark is sent; on is the page the row stands on, "" = the feed.
func (r Row) markURL(on string) string {
	to := "/notifications/" + strconv.FormatInt(r.ID, 10) + "/mark"
	if on != "" {
		to += "?on=" + on
	}
	return to
}

// critical says whether something in the row is critical, which it says in words too.
func (r Row) critical() bool {
	return slices.ContainsFunc(r.Flags, func(f Flag) bool { return f.Tone == "crit" })
}

// notice says what the time in a row is where it is not when the event happened.
func (r Row) notice() string {
	switch {
	case r.Happened.Known():
		return ""
	case r.Kind == "discharge": // which says in its detail that its time was not sent
		return "received"
	default:
		return "time not sent"
	}
}

// shortEmail is the part of an email that tells people of one practice apart.
func shortEmail(email string) string {
	name, _, _ := strings.Cut(email, "@")
	return name
}

// FeedWords are what the feed says.
var FeedWords = ListWords{
	Name: "feed", Title: "Feed", Path: "/", Label: "Notifications", Older: "Older notifications", Order: byArrival,
	NoFit: "Nothing fits these filters", NoFitHow: "New notifications that fit appear here by themselves.",
}

// FeedKinds are the kinds of notifications with their words.
var FeedKinds = []string{"", "All", "admit", "Admit", "transfer", "Transfer", "discharge", "Discharge", "pharmacy", "Pharmacy", "lab", "Lab", "summary", "Summary"}

// kindLabel is the word for a kind of notification.
func kindLabel(kind string) string {
	if i := slices.Index(FeedKinds, kind); i > 0 && i%2 == 0 {
		return FeedKinds[i+1]
	}
	return kind
}
