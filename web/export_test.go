package web_test

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"

	"carebell/db"
	"carebell/web/webtest"
)

// TestExportIsTheWholeListAndHarmless: more rows than a page or a read, filtered as the list is, and no cell that a
// spreadsheet would run.
func TestExportIsTheWholeListAndHarmless(t *testing.T) {
	s := webtest.Start(t)
	b := s.SignedIn(t, "viewer@clinic.example", db.Viewer)
	const events = 1203
	for i := range events {
		id := fmt.Sprintf("P-%04d", i)
		switch i {
		case 5:
			id = "=HYPERLINK(1)"
		case 6:
			id = `+1,"quoted"`
		}
		s.Post(t, fmt.Appendf(nil, `{"meta":{"messageId":"m-%d","type":"patient.pharmacy"},"payload":{"patientId":%q,"externalId":"@SUM(A1)"}}`, i, id))
	}
	s.Settled(t)
	for path, want := range map[string]int{"/?format=csv": events, "/patients?format=csv": events, "/?kind=admit&format=csv": 0, "/patients?q=hyperlink&format=csv": 1} {
		resp, body := b.Get(t, path)
		if ct := resp.Header.Get("Content-Type"); !strings.HasPrefix(ct, "text/csv") || !strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment") {
			t.Errorf("%s: %q", path, resp.Header)
		}
		rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(body, "\ufeff"))).ReadAll()
		if err != nil || len(rows) != want+1 {
			t.Fatalf("%s: %d rows (%v), want %d and a head", path, len(rows), err, want)
		}
		seen := map[string]bool{}
		for _, row := range rows {
			if seen[strings.Join(row, "\x00")] {
				t.Errorf("%s: twice: %q", path, row)
			}
			seen[strings.Join(row, "\x00")] = true
			for _, cell := range row {
				if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
					t.Errorf("%s: a spreadsheet runs %q", path, cell)
				}
			}
		}
	}
	var exports int
	if err := s.DB.Read(t.Context(), func(v db.Snapshot) error {
		return v.QueryRowContext(t.Context(), "SELECT count(*) FROM audit WHERE action = 'export'").Scan(&exports)
	}); err != nil || exports != 4 {
		t.Errorf("%d exports left a trace (%v), want 4", exports, err)
	}
}

// TestEverySearchOfAListLeavesATrace, as every export does, and a list that nothing was looked for in leaves none of a search.
func TestEverySearchOfAListLeavesATrace(t *testing.T) {
	s := webtest.Start(t)
	b := s.SignedIn(t, "admin@clinic.example", db.Admin)
	_, last := auditsAfter(t, s, 0)
	for path, name := range map[string]string{"/": "feed", "/messages": "messages", "/imports": "imports", "/records": "records", "/identity": "identity", "/admin/inbox": "inbox"} {
		var notes [3][]string
		for i, query := range []string{"", "?q=sample", "?q=sample&format=csv"} {
			b.Get(t, path+query)
			notes[i], last = auditsAfter(t, s, last)
		}
		if slices.Contains(notes[0], "search||"+name) || !slices.Equal(notes[1], []string{"search||" + name}) || len(notes[2]) != 1 || !strings.HasPrefix(notes[2][0], "export||") {
			t.Errorf("%s leaves the traces %q", path, notes)
		}
	}
}
