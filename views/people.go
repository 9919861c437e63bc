package views

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

	Further string // URL of where a search goes on that hardly any patient fits; "" = it came to the end
	Back    Time   // the last event down to which was searched
}

// Alias is the patient's id in another system.
type Alias struct{ System, Value string }

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
	Now         StayNow
	Since       SinceLook
	Health      HealthSummary
	Summaries   []Summary
	Messages    []MessageRow
	Pulls       []PullRow // what was asked of the networks, the latest first
	MorePulls   bool
	Files       []FileRow // documents and attachments
	DataFiles   []FileRow // what came with network queries and as consolidated data
	Records     []FileRow // behind the notifications
	Proofings   []Proofing
	Rows        []Row
	Older       string // URL of the earlier part of the timeline; "" = none
	ToTop       bool   // these are the newest rows, not an earlier part
}

// StayNow is where a patient is, as far as notices say.
type StayNow struct {
	Text string
	Tone string // in: in a hospital; out: discharged not long ago; none
	Help string
}

// SinceLook is what came since whoever looks last looked at the page. It is theirs alone, so live updates leave it as it was
// when they opened the page.
type SinceLook struct {
	At       Time // unknown: no earlier look is noted, or not looked for
	Rows     []Row
	More     int // notifications beside Rows
	Messages int
	Files    int
}

func (s SinceLook) nothing() bool { return len(s.Rows)+s.More+s.Messages+s.Files == 0 }

// others counts what has no row.
func (s SinceLook) others() string {
	var parts []string
	for _, c := range []struct {
		n    int
		noun string
	}{{s.More, "more notification"}, {s.Messages, "message"}, {s.Files, "file"}} {
		if c.n > 0 {
			parts = append(parts, Counted(c.n, c.noun))
		}
	}
	return inWords(parts)
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

// stayTitle is what the latest stay is called.
func (p PatientDetail) stayTitle() string {
	switch {
	case len(p.Stays) == 0:
		return "Stays"
	case p.Stays[0].Ended:
		return "Latest stay"
	default:
		return "This stay"
	}
}
