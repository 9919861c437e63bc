package views

import (
	"net/url"
	"strconv"
	"strings"
)

// IdentityFilter is what the list of proofings is narrowed to; it lives in the URL.
type IdentityFilter struct {
	Who  string // "" = all, again, nobody
	Text string
}

const identityPath = "/identity"

// Query is the filter as URL parameters.
func (f IdentityFilter) Query() url.Values { return with(with(nil, "who", f.Who), "q", f.Text) }

func (f IdentityFilter) narrowed() bool { return f != IdentityFilter{} }

func (f IdentityFilter) choices() []Choice {
	return Choices(identityPath, f.Query(), "who", f.Who, "", "All", "again", "More than once", "nobody", "Without a patient")
}

func (f IdentityFilter) older(before int64) string {
	return address(identityPath, with(f.Query(), "before", decimal(before)))
}

// Proofing is one finished identity proofing.
type Proofing struct {
	ID        int64
	Patient   Patient // ID "" = nobody is named
	ProofedID string
	SessionID string
	RequestID string
	MessageID string
	Sent      Time // may be unknown
	Received  Time
	Times     int     // of the same person, this one included
	Data      []Field // what the caller of the API passed
	Fields    []Field // every other field
	FitsNot   bool    // a live update only: does not fit the screen's filter
}

func (p Proofing) htmlID() string { return "i-" + decimal(p.ID) }
func (p Proofing) url() string    { return identityPath + "/" + decimal(p.ID) }

// at is when it was finished, as far as it is known.
func (p Proofing) at() Time {
	if p.Sent.Known() {
		return p.Sent
	}
	return p.Received
}

func (p Proofing) shownPatient() string {
	if p.Patient.ID == "" {
		return "No patient named"
	}
	return p.Patient.shownName()
}

func (p Proofing) times() string { return "proofed " + strconv.Itoa(p.Times) + " times" }

// some are the first fields of the metadata, in one line.
func (p Proofing) some() string {
	const few = 3
	var parts []string
	for _, f := range p.Data[:min(len(p.Data), few)] {
		parts = append(parts, f.Name+": "+f.Text)
	}
	return strings.Join(parts, " · ")
}

// Identities is the content of the list of proofings.
type Identities struct {
	Frame
	Filter     IdentityFilter
	Rows       []Proofing
	Older      bool
	Back       Back
	ToTop      bool
	WebhookURL string
}

// IdentityDetail is the content of one proofing's page.
type IdentityDetail struct {
	Frame
	Proofing
	History []Proofing // of the same person, the last first, this one among them
}

func proofingDayStarts(rows []Proofing, i int) bool {
	return i == 0 || rows[i].Received.DayKey() != rows[i-1].Received.DayKey()
}
