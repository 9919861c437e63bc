package web

import (
	"context"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"carebell/db"
	"carebell/views"
	"carebell/web/care"
)

// pullKinds are the lists of the records page.
var pullKinds = map[string]care.PullKind{
	views.RecordQueries: care.PullQuery, views.RecordConsolidated: care.PullConsolidated, views.RecordDocuments: care.PullDocuments,
}

// recordList is what was asked of the networks: three lists, one of each kind of request.
var recordList = &list[db.PullFilter, pulled]{
	ListWords: views.RecordWords,
	ways: []views.Way{
		{Param: "view", Label: "List", Word: "list of records", Tab: true, OwnLine: true, Pairs: []string{
			views.RecordQueries, "Network queries", views.RecordConsolidated, "Consolidated data", views.RecordDocuments, "Documents",
		}},
		{Param: "state", Label: "State", Word: "state", Of: views.RecordQueries, Pairs: views.RecordStates[views.RecordQueries]},
		{Param: "state", Label: "State", Word: "state", Of: views.RecordConsolidated, Pairs: views.RecordStates[views.RecordConsolidated]},
		{Param: "state", Label: "State", Word: "state", Of: views.RecordDocuments, Pairs: views.RecordStates[views.RecordDocuments]},
		{Param: "source", Label: "Source", Word: "source", Of: views.RecordQueries, Pairs: []string{"", "All sources", "hie", "HIE", "pharmacy", "Pharmacy", "lab", "Lab"}},
		{Param: "q", Search: true, Hint: "Patient, any id, or request id"},
	},
	concerns: func(c db.Change) bool {
		return c.Topic == db.TopicRecords || c.Topic == "" && c.NotificationID == 0 && c.PatientID != "" // a name may have come
	},
	behind: func(w *db.Window, c db.Change) {
		if c.Topic == db.TopicRecords {
			w.IDs = append(w.IDs, c.Item)
		} else {
			w.Patients = append(w.Patients, c.PatientID)
		}
	},
	filter: func(_ context.Context, _ db.Snapshot, a *asked) (db.PullFilter, error) {
		return db.PullFilter{Kind: pullKinds[a.Tab()], State: db.PullState(a.Get("state")), Place: a.Get("source"), Text: a.Get("q")}, nil
	},
	read: func(v db.Snapshot, ctx context.Context, f db.PullFilter) ([]pulled, db.Rest, error) {
		list, rest, err := v.PullPage(ctx, f)
		if err != nil {
			return nil, rest, err
		}
		out, err := withFiles(ctx, v, list)
		return out, rest, err
	},
	id: func(p pulled) int64 { return p.ID },
	line: func(a *asked, p pulled, fitsNot bool) views.Line {
		r := a.words.pullRow(p)
		r.FitsNot = fitsNot
		return views.Line{Key: r.ID, At: r.Received, Item: views.PullLine(r, true)}
	},
	empty: func(_ context.Context, _ db.Snapshot, a *asked) (templ.Component, error) {
		return views.RecordsEmpty(a.Tab(), a.webhook), nil
	},
	columns: func(a *asked) (string, []string) {
		zone := " (" + a.words.ZoneName() + ")"
		head := []string{"Patient", "Birth date", "Your id", "Metriport id", "Request id", "First heard" + zone, "Latest part" + zone}
		switch a.Tab() {
		case views.RecordQueries:
			head = append(head, "HIE", "Pharmacy", "Lab")
		case views.RecordConsolidated:
			head = append(head, "State", "Narrowed to", "Content", "Files")
		default:
			head = append(head, "State", "Documents")
		}
		return "records-" + a.Tab(), append(head, "Sent along")
	},
	cells: func(a *asked, p pulled) []string {
		r := a.words.pullRow(p)
		cells := []string{r.Patient.Name, r.Patient.BirthDate, r.Patient.ExternalID, r.Patient.ID, r.RequestID, r.Received.Sortable(), r.Last.Sortable()}
		return append(append(cells, recordCells(r)...), pairText(r.Data))
	},
}

// recordCells is what a request says of itself, as the cells of a table.
func recordCells(r views.PullRow) (cells []string) {
	var states []string
	for _, m := range r.Marks {
		states = append(states, m.Text)
	}
	switch r.View {
	case views.RecordQueries:
		for _, column := range r.Columns {
			var answers []string
			for _, a := range column.Answers {
				at := a.At
				if a.First {
					at = a.FirstAt
				}
				answers = append(answers, joined(" ", a.Source, a.Mark.Text, at.Sortable()))
			}
			if len(answers) == 0 {
				answers = []string{"nothing yet"}
			}
			cells = append(cells, strings.Join(answers, "; "))
		}
		return cells
	case views.RecordConsolidated:
		var files, contents []string
		for _, f := range r.Files {
			files, contents = append(files, f.Name+": "+f.State), append(contents, f.All)
		}
		return []string{strings.Join(states, "; "), r.Filters, joined("; ", append(contents, r.Contents)...), strings.Join(files, "; ")}
	default:
		return []string{strings.Join(states, "; "), strings.Join(r.Tally, "; ")}
	}
}

func pairText(list []views.Pair) string {
	var out []string
	for _, p := range list {
		out = append(out, joined(": ", p.Name, p.Value))
	}
	return strings.Join(out, "; ")
}

// joined is the parts that are not empty.
func joined(by string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), by)
}
