package views

import (
	"strconv"
	"strings"
)

// PatientRow is a patient in the list.
type PatientRow struct {
	Patient
	LastEvent Time
}

// Patients is the content of the list of patients.
type Patients struct {
	Frame
	Text  string
	Rows  []PatientRow
	Older string // URL of the next page; "" = none
}

// Alias is the patient's id in another system.
type Alias struct{ System, Value string }

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

// PatientDetail is the content of a patient's page.
type PatientDetail struct {
	Frame
	Patient     Patient
	Sex         string
	Phone       string
	Deceased    string // what is known of it; "" = nothing
	Corrections []Correction
	CanCorrect  bool
	Sources     []Source
	Aliases     []Alias
	Stays       []StayRow
	Fills       []FillRow
	Tests       []Test
	Summaries   []Summary
	Messages    []MessageRow
	Files       []FileRow
	Records     []FileRow // behind the notifications
	Proofings   []Proofing
	Rows        []Row
	Older       string // URL of the earlier part of the timeline; "" = none
	ToTop       bool   // these are the newest rows, not an earlier part
}

// Source says where facts are known from.
type Source struct {
	Labels []string
	From   string // "from the record sent with the admit notice of …", "corrected by …"
}

// Correction is what a person set by hand; it wins over every record.
type Correction struct {
	Label string // Name, Birth date
	By    string
	At    Time
}

// timelineDayStarts says whether row i begins a day in the timeline.
func timelineDayStarts(rows []Row, i int) bool {
	return i == 0 || rows[i].Placed.DayKey() != rows[i-1].Placed.DayKey()
}
