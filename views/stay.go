package views

import "strings"

// Move is one transfer within a stay.
type Move struct {
	At       Time
	From, To string
}

// StayRow is one stay, folded from its notices.
type StayRow struct {
	ID           string
	Admitted     Time
	Discharged   Time
	Ended        bool   // the patient was discharged, also where the time of it is not known
	Length       string // "3 days"; "" where it cannot be told
	Moves        []Move
	Notices      int
	Facility     string
	Class        string
	Reason       string // why; "" where no record said it
	Diagnoses    []string
	Disposition  string // where to; mostly not sent
	Attending    string
	Exchanges    []string // who told of it
	VisitNumbers []string // more than one where exchanges number it differently
	Encounters   []string // ids of the encounter, where one visit has more than one
	Sources      []Source
	Accounts     []Account // what was joined; empty where nothing was
	Joined       []string  // why
}

// Account is what was told of a stay under one id.
type Account struct {
	Exchanges  []string
	Facility   string
	Admitted   Time
	Discharged Time
	Ended      bool
	Notices    int
	IDs        []string
}

func (s StayRow) tone() string {
	if s.Ended {
		return "discharge"
	}
	return "admit"
}

func (s StayRow) word() string {
	if s.Ended {
		return "Discharged"
	}
	return "Admitted"
}

// place is where, how and under whom, as far as it is known.
func (s StayRow) place() string {
	parts := []string{}
	for _, p := range []string{s.Facility, s.Class, s.Attending} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	if len(parts) == 0 {
		return "facility and reason not yet known"
	}
	return strings.Join(parts, " · ")
}

// toldBy names the exchanges: "told by Bamboo and HIXNY"; "" where none is known.
func (s StayRow) toldBy() string {
	if len(s.Exchanges) == 0 {
		return ""
	}
	return "told by " + inWords(s.Exchanges)
}

// inWords is a list in a sentence: "a, b and c".
func inWords(list []string) string {
	if n := len(list); n > 1 {
		return strings.Join(list[:n-1], ", ") + " and " + list[n-1]
	}
	return strings.Join(list, "")
}
