package views

import (
	"net/url"
	"strconv"

	"github.com/a-h/templ"
)

// HealthSummary is what is known of a patient's health: what a person looks for before a call.
type HealthSummary struct {
	Sections []HealthSection
	Alerts   []HealthAlert // allergies in a few words, for the head of the page
	// Compared says which two files are compared; "" = there is none to compare with.
	Compared string
	News     []HealthNews
	Notes    []string // files that are being read or could not be
	Reading  bool     // some file is being read
	Missing  []string // sections of which nothing is recorded, beside those that stand there empty
	From     string   // what the summary is made from, in words
}

// HealthAlert is an allergy at the head of the page, or that there is none, or that nobody said.
type HealthAlert struct {
	Text string
	Tone string // "", "none"
	Help string
}

// HealthNews counts what the last file added, changed or no longer has in a section.
type HealthNews struct {
	Text string
	URL  string
}

// HealthSection is one card of the summary.
type HealthSection struct {
	ID       string // for addresses and anchors: allergies, medications, …
	Title    string
	Note     string   // beside the title: "7 · 2 new"
	Words    []string // statements about the whole: "No known allergies, said by Bamboo on 3 Nov"
	Rows     []HealthRow
	All      string // address of the whole list; "" = all are here
	Total    int
	Past     []HealthRow // folded away
	PastWord string      // "3 resolved"
	PastAll  string
	Empty    string // what is said where there is nothing
}

// fewRows is how many rows of a section are shown before the rest is folded.
const fewRows = 6

// first is what is shown of the current rows; rest is what is folded behind "n more".
func (s HealthSection) first() []HealthRow { return s.Rows[:min(len(s.Rows), s.few())] }
func (s HealthSection) rest() []HealthRow  { return s.Rows[len(s.first()):] }

// few does not fold away one or two rows.
func (s HealthSection) few() int {
	if len(s.Rows) <= fewRows+2 && s.All == "" {
		return len(s.Rows)
	}
	return fewRows
}

// onPaper says whether what is folded is printed all the same: nobody should call without it.
func (s HealthSection) onPaper() bool {
	return s.ID == "allergies" || s.ID == "medications" || s.ID == "problems"
}

// HealthRow is one thing in a section.
type HealthRow struct {
	ID         string // in the document
	Name       string
	NameFull   string // "" where Name is all of it
	After      string // directly behind the name, in plain weight: the dose
	Value      string // of a result or a vital sign
	Unit       string
	Flags      []Flag
	Lines      []string
	Text       string // of several lines: a note
	Trend      Trend
	When       string
	WhenFull   string
	Source     string // "Bamboo", "3 sources"
	SourceHelp string
	File       string   // address of the stored file it comes from; "" = none
	More       []string // single fills or doses, the newest first
	MoreWord   string   // "12 fills"
	MoreAll    string   // address of all of them; "" = they are all here
}

// Trend is values over time with the range that is usual.
type Trend struct {
	Low, High *float64
	Points    []Point // in any order
}

// HealthList is the page of one section with all of its entries, or of those that are new, changed or gone.
type HealthList struct {
	Frame
	Patient Patient
	Title   string
	Note    string
	Choices []Choice
	Rows    []HealthRow
	Next    string // address of the next page; "" = none
	First   string // address of the first page; "" = this is it
	Empty   string
}

// HealthThing is the page of one thing: all of its fills, values or doses.
type HealthThing struct {
	Frame
	Patient Patient
	Section string // title of the section
	Back    string // address of the section
	Row     HealthRow
	Events  []HealthEvent
	Next    string
	First   string
}

// HealthEvent is one fill, value or dose.
type HealthEvent struct {
	When     string
	WhenFull string
	Value    string
	Unit     string
	Flags    []Flag
	Lines    []string
	Text     string
	Source   string
	File     string
}

// HealthPath is the address of a section of a patient's summary.
func HealthPath(patient, section string) string {
	return "/patients/" + url.PathEscape(patient) + "/health/" + section
}

// FilePreview is the address of a stored file as text.
func FilePreview(id int64) string { return "/files/" + strconv.FormatInt(id, 10) + "/preview" }

func safe(u string) templ.SafeURL { return templ.SafeURL(u) }
