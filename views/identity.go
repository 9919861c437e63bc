package views

import (
	"strconv"
	"strings"
)

const identityPath = "/identity"

// IdentityWords are what the list of proofings says.
var IdentityWords = ListWords{
	Name: "identity", Title: "Identity", Path: identityPath, Label: "Identity proofings", Older: "Older proofings", Order: byArrival,
	NoFit: "No proofing fits these filters", NoFitHow: "Search looks for parts of a patient’s name and ids, and of proofed identity, session and request ids.",
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

// IdentityDetail is the content of one proofing's page.
type IdentityDetail struct {
	Frame
	Proofing
	History []Proofing // of the same person, the last first, this one among them
}
