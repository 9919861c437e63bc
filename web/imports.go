package web

import (
	"context"
	"slices"
	"time"

	"github.com/a-h/templ"

	"carebell/db"
	"carebell/views"
)

// importList is the bulk creation jobs.
var importList = &list[db.ImportFilter, db.Import]{
	ListWords: views.ImportWords,
	ways: []views.Way{
		{Param: "state", Label: "State", Word: "state", Pairs: []string{
			"", "All", "waiting", "Waiting", "processing", "Processing", "stuck", "Stuck", "completed", "Completed", "failed", "Failed", "expired", "Expired", "other", "Other",
		}},
		{Param: "q", Search: true, Hint: "Request id"},
	},
	concerns: func(c db.Change) bool { return c.Topic == db.TopicImports },
	filter: func(_ context.Context, _ db.Snapshot, a *asked) (db.ImportFilter, error) {
		return db.ImportFilter{State: a.Get("state"), Text: a.Get("q"), Now: a.words.Now}, nil
	},
	read: db.Snapshot.ImportPage,
	id:   func(i db.Import) int64 { return i.No },
	line: func(a *asked, i db.Import, fitsNot bool) views.Line {
		j := a.words.importJob(i)
		j.FitsNot = fitsNot
		return views.Line{Key: j.No, At: j.Came, Item: views.ImportRow(j)}
	},
	empty: func(context.Context, db.Snapshot, *asked) (templ.Component, error) { return views.ImportsEmpty(), nil },
	columns: func(a *asked) (string, []string) {
		zone := " (" + a.words.ZoneName() + ")"
		return "imports", []string{"Request id", "State", "Stuck", "Started" + zone, "Ended" + zone, "Minutes", "Rows", "Succeeded", "Failed", "Unknown", "Reason", "Result"}
	},
	cells: func(a *asked, i db.Import) []string {
		j := a.words.importJob(i)
		counts := make([]string, 4)
		if j.Counted {
			counts = []string{decimal(j.Rows), decimal(j.Done), decimal(j.Failed), decimal(j.Unknown)}
		}
		return slices.Concat([]string{j.ID, i.State, j.Silence, j.Started.Sortable(), j.Ended.Sortable(), minutes(i)}, counts, []string{j.Reason, j.Result})
	},
}

// importJob puts a job into the words people read.
func (w wording) importJob(i db.Import) views.ImportJob {
	j := views.ImportJob{
		No: i.No, ID: i.ID, State: views.ImportState(i.State), Running: i.State == db.ImportWaiting || i.State == db.ImportProcessing,
		Started: w.At(i.StartedAt), Ended: w.At(i.EndedAt), Came: w.At(i.CameAt), Reason: i.Reason,
		Rows: i.File.Rows, Failed: i.File.Counts[db.RowFailed], Unknown: i.File.Counts[db.RowUnknown], Done: i.File.Counts[db.RowSucceeded],
		Counted: i.File.State != "" && len(i.File.Head) > 0,
	}
	switch i.IDFrom {
	case db.ImportOwnID:
	case db.ImportRequestID:
		j.IDNote = "the job names no id of its own; this is its message’s request id"
	case db.ImportMessageID:
		j.IDNote = "no request id was sent; this is the message’s own id"
	}
	if i.Stuck(w.Now) {
		j.Silence = views.Long(w.Now.Sub(i.HeardAt))
	}
	j.Result, j.Bad = w.resultState(i)
	return j
}

// resultState says how a job's result stands, unless all of its rows are there.
func (w wording) resultState(i db.Import) (text string, bad bool) {
	switch {
	case i.Result.ID == 0 && i.State == db.ImportCompleted:
		return "The job has completed, and no link to a result was sent.", true
	case i.Result.ID == 0:
		return "", false
	case i.Result.State == db.FetchRemoved:
		return "The result file and its rows were removed after the time they had to be kept.", false
	case i.Result.State != db.FetchStored:
		bad = i.Result.State == db.FetchExpired || i.Result.State == db.FetchRefused || i.Result.State == db.FetchFailed
		return "Result file " + w.fetch(i.Result) + ".", bad
	case i.File.State == db.ImportUnread:
		return i.File.Note, true
	case i.File.State == "":
		return "The result is stored; its rows are about to be read.", false
	case i.File.State == db.ImportReadingOn:
		return views.Count(i.File.Rows) + " of about " + views.Count(expectedRows(i)) + " rows read.", false
	case i.File.Rows == 0:
		return "The result has no rows.", false
	default:
		return "", false
	}
}

// expectedRows guesses how many rows a file has from the part that has been read, to two digits.
func expectedRows(i db.Import) int {
	if i.File.Bytes == 0 {
		return i.File.Rows
	}
	n := int(float64(i.File.Rows) * float64(i.Result.Size) / float64(i.File.Bytes))
	unit := 1
	for n/unit >= 100 {
		unit *= 10
	}
	return max((n+unit/2)/unit*unit, i.File.Rows)
}

// minutes is how long a job took; "" where that is not known.
func minutes(i db.Import) string {
	if i.StartedAt.IsZero() || i.EndedAt.Before(i.StartedAt) {
		return ""
	}
	return decimal(int(i.EndedAt.Sub(i.StartedAt).Round(time.Minute) / time.Minute))
}
