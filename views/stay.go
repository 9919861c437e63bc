package views

import (
	"strconv"
	"strings"
)

// Move is one transfer within a stay.
type Move struct {
	At       Time
	From, To string
}

// StayRow is one stay, folded from its notices.
type StayRow struct {
	ID         string
	Admitted   Time
	Discharged Time
	Length     string // "3 days"; "" where it cannot be told
	Moves      []Move
	Notices    int
	Facility   string
	Class      string
	Reason     string // why; "" where no record said it
	Diagnoses  []string
	Attending  string
	Encounters []string // ids of the encounter, where it has more than one
	Sources    []Source
	Numbers    []string // visit numbers; more than one where exchanges number it differently
}

func (s StayRow) tone() string {
	if s.Discharged.Known() {
		return "discharge"
	}
	return "admit"
}

func (s StayRow) word() string {
	if s.Discharged.Known() {
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

func (s StayRow) notices() string {
	if s.Notices == 1 {
		return "1 notice"
	}
	return strconv.Itoa(s.Notices) + " notices"
}
