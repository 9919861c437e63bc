package views

import (
	"net/url"
	"strings"

	"github.com/a-h/templ"
)

// The three lists of the records page.
const (
	RecordQueries      = "queries"
	RecordConsolidated = "consolidated"
	RecordDocuments    = "documents"
)

// RecordsPath is the address of the records page.
const RecordsPath = "/records"

// RecordWords are what the lists of requests say.
var RecordWords = ListWords{
	Name: "records", Title: "Records", Path: RecordsPath, Label: "Requests for records", Older: "Older requests", Order: byArrival,
	NoFit: "Nothing fits these filters", NoFitHow: "What comes and fits appears here by itself.",
}

// RecordStates are the states each list can be narrowed to, with their words.
var RecordStates = map[string][]string{
	RecordQueries:      {"", "All", "out", "Still out", "failed", "Failed", "done", "Completed", "unclear", "Unclear"},
	RecordConsolidated: {"", "All", "done", "Data", "empty", "No data", "failed", "Failed", "unclear", "Unclear"},
	RecordDocuments:    {"", "All", "out", "Pages missing", "failed", "Failed", "done", "Complete", "unclear", "Unclear"},
}

// Mark is a state by word and shape.
type Mark struct {
	Tone string // ok, bad, out, odd, none
	Text string
	Help string
}

// Answer is how one source of a network query stands.
type Answer struct {
	Source  string // its name; "" = not sent
	Mark    Mark
	FirstAt Time
	First   bool   // its first data was announced, and it has not ended
	At      Time   // when it ended
	Took    string // from its first data to its end; "" where it cannot be told
	Files   []DataFile
}

// label names the source, as far as it names itself.
func (a Answer) label(place string) string {
	if a.Source == "" {
		return place
	}
	return place + " · " + a.Source
}

// shownAt is when the source was last heard of.
func (a Answer) shownAt() Time {
	if a.First {
		return a.FirstAt
	}
	return a.At
}

// note is what else is known of how long it takes.
func (a Answer) note() string {
	switch {
	case a.First:
		return "not completed yet"
	case a.Took != "":
		return a.Took + " after its first data"
	default:
		return ""
	}
}

// SourceColumn is a place that network queries ask.
type SourceColumn struct {
	Label   string
	Answers []Answer // none = nothing was heard
}

// DataFile is a file of a patient's data with what is in it.
type DataFile struct {
	FileRow
	Format   string // "JSON, came as gzip"
	Contents string // "40 observations, 12 conditions and 3 more types"; "" = not known
	All      string // all of it
}

// Pair is a named value as it was sent.
type Pair struct{ Name, Value string }

func (p Pair) text() string {
	if p.Name == "" {
		return p.Value
	}
	return p.Name + ": " + p.Value
}

// PullRow is one request for a patient's records.
type PullRow struct {
	ID        int64
	View      string // the list it is in
	Patient   Patient
	RequestID string // "" = not sent
	Received  Time   // when it was first heard of
	Last      Time   // when the latest of it happened
	Data      []Pair // what the caller passed along
	Columns   []SourceColumn
	Marks     []Mark
	Filters   string
	Contents  string // resources in the message itself
	Formats   string // what it was offered as
	Files     []DataFile
	Tally     []string // what became of its documents
	FitsNot   bool     // a live update only: does not fit the screen's filter
}

func (r PullRow) htmlID() string { return "pull-" + decimal(r.ID) }

// DocumentsURL is the page of the documents of this request.
func (r PullRow) DocumentsURL() templ.SafeURL {
	return templ.SafeURL(RecordsPath + "/documents/" + decimal(r.ID))
}

// fewPairs is how much of the caller's metadata stands in a row without being opened.
const fewPairs = 100 // bytes

// line is the caller's metadata in one line; false where it is too long for one.
func (r PullRow) line() (string, bool) {
	var parts []string
	for _, p := range r.Data {
		parts = append(parts, p.text())
	}
	line := strings.Join(parts, " · ")
	return line, len(line) <= fewPairs
}

func (r PullRow) shownPatient() string {
	if r.Patient.ID == "" {
		return "Patient not named"
	}
	return r.Patient.shownName()
}

// DocumentRow is one document of a bulk download.
type DocumentRow struct {
	No           int64
	Name         string
	Description  string
	Type         string
	Organization string
	Status       string // as sent, where it is not the usual one
	Indexed      Time
	Size         string // "" = not known
	MediaType    string
	HasFile      bool // false: it was listed without a link
	File         FileRow
}

func (d DocumentRow) htmlID() string { return "document-" + decimal(d.No) }

// Documents is the content of the page of a bulk download.
type Documents struct {
	Frame
	Pull   PullRow
	Rows   []DocumentRow
	Stored int    // of all its documents
	Older  string // URL of the next page; "" = none
	First  string // URL of the first page, on the others
}

func (p Documents) storedHere() (n int) {
	for _, r := range p.Rows {
		if r.File.Stored {
			n++
		}
	}
	return n
}

// fewFiles is how many files of a patient are shown before the reader asks for more.
const fewFiles = 5

// requestsOf is the list of all network queries of a patient.
func requestsOf(patientID string) string {
	return address(RecordsPath, url.Values{"q": {patientID}})
}

func inView(list []PullRow, view string) []PullRow {
	var out []PullRow
	for _, r := range list {
		if r.View == view {
			out = append(out, r)
		}
	}
	return out
}
