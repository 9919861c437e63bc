// Package care holds the clinical rules: how notices fold into stays, and later deadlines and flags. It is pure: no I/O,
// no clock, the same answer for the same facts whatever order they came in.
package care

import "time"

// Kind is what a notice tells about a patient.
type Kind string

// The kinds of notice.
const (
	Admit     Kind = "admit"
	Transfer  Kind = "transfer"
	Discharge Kind = "discharge"
	Pharmacy  Kind = "pharmacy"
	Lab       Kind = "lab"
	Summary   Kind = "summary" // a discharge summary
)

// Kinds lists them in the order in which people read them.
var Kinds = []Kind{Admit, Transfer, Discharge, Pharmacy, Lab, Summary}

// Move is one transfer within a stay, between facilities or units. The json form is what the database holds.
type Move struct {
	At       int64  `json:"at,omitempty"` // milliseconds UTC, 0 where not sent
	From     string `json:"from,omitempty"`
	FromType string `json:"fromType,omitempty"`
	To       string `json:"to,omitempty"`
	ToType   string `json:"toType,omitempty"`
}

// Time is when the move happened; zero where it was not sent.
func (m Move) Time() time.Time {
	if m.At == 0 {
		return time.Time{}
	}
	return time.UnixMilli(m.At).UTC()
}

// Notice is one admit, transfer or discharge notification of one patient. Times that were not sent are zero.
type Notice struct {
	MessageID    string
	Kind         Kind
	EventAt      time.Time // when it happened
	SentAt       time.Time // when the sender sent it
	SourceSentAt time.Time // when the sender heard of it from the hospital
	AdmitAt      time.Time
	DischargeAt  time.Time
	Moves        []Move
	Encounter    *Encounter // from its record; nil until it was read, or where the record has none
}

// Stay is one hospital stay, folded from its notices.
type Stay struct {
	ID          string    // derived from the patient and the admit time
	AdmitAt     time.Time // zero where nothing said it
	DischargeAt time.Time // zero while the patient is still there, and where the time of the discharge was not sent
	Ended       bool      // the patient was discharged
	LastEventAt time.Time // the latest thing known to have happened in it; zero where no notice had a time
	Moves       []Move    // in order of time, each once
	MessageIDs  []string  // of its notices, sorted
	Facts       StayFacts
}

// StayFacts is what the records say of a stay: of each thing what was sent last, and all ids it is known by.
type StayFacts struct {
	Encounter
	VisitNumbers []string `json:"visitNumbers,omitempty"` // sorted; more than one where exchanges number it differently
	EncounterIDs []string `json:"encounterIds,omitempty"` // sorted
	Exchanges    []string `json:"exchanges,omitempty"`    // codes of those that told of it, sorted

	// Sources says of each fact that is shown where it was learned; the keys are the Said… constants.
	Sources map[string]Source `json:"sources,omitempty"`

	// Accounts are what was told under different ids and was taken for this one stay, the earliest first; empty where there
	// was but one.
	Accounts []Account `json:"accounts,omitempty"`
	// Joined says why they were, the strongest hint first.
	Joined []Join `json:"joined,omitempty"`
}

// Account is what is told of a stay under one id. Times are milliseconds UTC; 0 where they were not sent.
type Account struct {
	Exchanges    []string `json:"exchanges,omitempty"`
	Facility     string   `json:"facility,omitempty"`
	EncounterIDs []string `json:"encounterIds,omitempty"`
	VisitNumbers []string `json:"visitNumbers,omitempty"`
	AdmitAt      int64    `json:"admitAt,omitempty"`
	DischargeAt  int64    `json:"dischargeAt,omitempty"`
	Ended        bool     `json:"ended,omitempty"`
	MessageIDs   []string `json:"messageIds"` // sorted
}

// Join is why two accounts are one stay.
type Join string

// The reasons, the strongest first.
const (
	JoinAdmit    Join = "admit"    // the same admit time, and facilities that do not contradict
	JoinFacility Join = "facility" // the same facility, admitted within a quarter of an hour
	JoinCause    Join = "cause"    // the same facility and reason or diagnosis, at overlapping times
	JoinNear     Join = "near"     // admitted within the hour, and one of them says nothing else
	JoinRunning  Join = "running"  // it has no admit time, and happened while the other was running
)

// Source is the notice whose record said something.
type Source struct {
	Kind     Kind   `json:"kind"`
	At       int64  `json:"at,omitempty"`       // when it was sent, milliseconds UTC; 0 where that is not known
	Exchange string `json:"exchange,omitempty"` // code of the exchange that the record comes from
}

// What a record says of a stay, as keys of [StayFacts.Sources].
const (
	SaidAdmit     = "admit"     // only where no notice said its time
	SaidDischarge = "discharge" // only where no notice said its time
	SaidFacility  = "facility"
	SaidClass     = "class"
	SaidReason    = "reason"
	SaidDiagnoses = "diagnoses"
	SaidAttending = "attending"
)
