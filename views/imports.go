package views

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"
)

// ImportState is how a job stands, in the sender's word.
type ImportState string

// word is the state as people read it. One that is not known here is shown as it was sent.
func (s ImportState) word() string {
	switch s {
	case "":
		return "State not sent"
	case "waiting", "processing", "completed", "failed", "expired":
		return strings.ToUpper(string(s[:1])) + string(s[1:])
	default:
		return string(s)
	}
}

// class is the shape and colour of the state.
func (s ImportState) class() string {
	switch s {
	case "waiting", "processing", "completed", "failed", "expired":
		return string(s)
	default:
		return "other"
	}
}

// ImportJob is one bulk creation job.
type ImportJob struct {
	No      int64
	ID      string
	IDNote  string // where the id comes from, unless it is the job's own
	State   ImportState
	Silence string // how long nothing was heard of a job that is stuck; "" = it is not
	Running bool   // waits or runs
	Started Time
	Ended   Time
	Came    Time   // when its first event came in
	Reason  string // of a failed job, as sent
	Result  string // how the result file stands, where its rows are not all there
	Bad     bool   // Result says what went wrong
	Counted bool   // rows have been counted, if only some of them
	Rows    int
	Failed  int
	Unknown int
	Done    int
	FitsNot bool // a live update only: does not fit the screen's filter
}

// URL is the job's page.
func (j ImportJob) URL() string { return ImportPath(j.ID) }

// ImportPath is the path of the page of a job.
func ImportPath(id string) string { return "/imports/" + url.PathEscape(id) }

func (j ImportJob) htmlID() string { return "j-" + decimal(j.No) }

// took is how long the job took from its start to its end; "" where either is not known.
func (j ImportJob) took() string { return j.Ended.Since(j.Started) }

// shortID tells jobs apart in a list.
func (j ImportJob) shortID() string { return shortID(j.ID) }

// whole is a number for machines.
func whole(n int) string { return strconv.Itoa(n) }

// rowsWord is so many rows.
func rowsWord(n int) string { return Counted(n, "row") }

// ImportWords are what the list of jobs says.
var ImportWords = ListWords{
	Name: "imports", Title: "Imports", Path: "/imports", Label: "Imports", Older: "Older imports", Order: byArrival,
	NoFit: "No import fits these filters", NoFitHow: "Imports that fit appear here by themselves.",
}

// ImportStep is one line of a job's history.
type ImportStep struct {
	State    ImportState
	Sent     Time // unknown where the sender did not say
	Received Time
	After    string // time since the step before; "" = not known
	Reason   string
	Test     bool
}

// ReasonCount is how many rows have a reason.
type ReasonCount struct {
	No      int
	Outcome string // failed, unknown, succeeded
	Words   string // "" = no reason was sent
	Rows    int
}

func (r ReasonCount) words() string {
	if r.Words == "" {
		return "no reason sent"
	}
	return r.Words
}

// RowFilter is what the rows of a result are narrowed to; it lives in the URL.
type RowFilter struct {
	Outcome string // failed, unknown, succeeded; "" = all
	Reason  int    // number of a reason; 0 = any
	Text    string
}

// Query is the filter as URL parameters.
func (f RowFilter) Query() url.Values {
	q := with(with(nil, "status", f.Outcome), "q", f.Text)
	if f.Reason > 0 {
		q.Set("reason", strconv.Itoa(f.Reason))
	}
	return q
}

func (f RowFilter) narrowed() bool { return f != RowFilter{} }

// ImportDetail is the content of the page of a job.
type ImportDetail struct {
	Frame
	ImportJob
	FileID      int64  // of the stored result; 0 = none
	FileSize    string // with its unit
	Reading     bool   // its rows are being read
	Read        int    // of Expected, in bytes
	Expected    int
	Notes       string // what was not read
	Removed     bool   // the rows went with the file
	Steps       []ImportStep
	EarlierGone bool // there are more steps before these
	Data        []Fact
	DataMore    int
	Reasons     []ReasonCount
	ReasonsMore bool
	Filter      RowFilter
	Window      RowWindow
}

func (p ImportDetail) outcomes() []Choice {
	return Choices(p.URL(), with(p.Filter.Query(), "reason", ""), "status", p.Filter.Outcome,
		"", "All "+Count(p.Rows), "failed", "Failed "+Count(p.Failed), "unknown", "Unknown "+Count(p.Unknown), "succeeded", "Succeeded "+Count(p.Done))
}

func (p ImportDetail) reasonURL(r ReasonCount) string {
	q := with(with(p.Filter.Query(), "status", ""), "reason", strconv.Itoa(r.No))
	if p.Filter.Reason == r.No {
		q.Del("reason")
	}
	return address(p.URL(), q)
}

// version changes whenever the rows did.
func (p ImportDetail) version() string { return fmt.Sprintf("%d-%d-%t", p.FileID, p.Rows, p.Removed) }

// RowWindow is a part of the rows that fit a filter.
type RowWindow struct {
	Path    string // of the job
	Filter  RowFilter
	Columns []string // names but for those of the outcome and its reason
	Left    int      // columns that are not in the table
	Extra   bool     // some row has more cells than there are columns
	Rows    []ResultRow
	From    int // rows before these
	Total   int // that fit
	Note    string
}

// ResultRow is one row of a result as the table shows it.
type ResultRow struct {
	No      int // in the file, from 1 below the head
	Outcome string
	Status  string // as sent; "" = not sent
	Reason  string
	Cells   []ResultCell
	Extra   string // cells beyond the columns
}

// ResultCell is one cell, cut where it is long.
type ResultCell struct {
	Text    string
	Patient string // id of the patient it names; "" = none
}

func (r ResultRow) tone() string {
	switch r.Outcome {
	case "failed":
		return "crit"
	case "succeeded":
		return "ok"
	default:
		return "warn"
	}
}

// word is the row's status: as sent where it is none of those that are known.
func (r ResultRow) word() string {
	switch {
	case r.Outcome != "unknown":
		return r.Outcome
	case r.Status == "":
		return "not sent"
	default:
		return r.Status
	}
}

func (w RowWindow) rowURL(no int) templ.SafeURL {
	return templ.SafeURL(w.Path + "/rows/" + strconv.Itoa(no))
}

// rowsURL is where the page's script asks for other windows.
func (w RowWindow) rowsURL() string { return address(w.Path+"/rows", w.Filter.Query()) }

// WindowRows is how many rows a page without a script shows.
const WindowRows = 100

// page is the address of the window that begins at from.
func (w RowWindow) page(from int) templ.SafeURL {
	q := w.Filter.Query()
	if from = max(min(from, (w.Total-1)/WindowRows*WindowRows), 0); from > 0 {
		q.Set("from", strconv.Itoa(from))
	}
	return templ.SafeURL(address(w.Path, q) + "#rows")
}

func (w RowWindow) more() bool { return w.From > 0 || w.From+len(w.Rows) < w.Total }

// span says which rows a window has.
func (w RowWindow) span() string {
	return fmt.Sprintf("Rows %s to %s of %s", Count(w.From+1), Count(w.From+len(w.Rows)), Count(w.Total))
}

// RowDetail is one row of a result with all of its cells.
type RowDetail struct {
	Frame
	Path    string // of the job
	No      int
	Row     ResultRow
	Facts   []Fact
	Patient string // id; "" = none here
	FileID  int64
}
