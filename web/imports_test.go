package web_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"carebell/db"
	"carebell/web"
	"carebell/web/chart"
	"carebell/web/webtest"
)

// job is what a message says of a bulk creation job.
func (o *outside) job(id, state, more string) []byte {
	o.posts++
	return fmt.Appendf(nil, `{"meta":{"messageId":"job-%d","when":%q,"type":"medical.bulk-patient-create"},"bulkPatientCreate":{"requestId":%q,"status":%q%s}}`,
		o.posts, o.clock.Now().UTC().Format("2006-01-02T15:04:05.000Z"), id, state, more)
}

// completed tells that a job has completed, with a result.
func (o *outside) completed(t *testing.T, id, file string) {
	t.Helper()
	o.take(t, o.job(id, "completed", fmt.Sprintf(`,"result":%q`, o.lead("/"+url.PathEscape(id), 3*time.Minute, says(file)))))
	o.isRead(t, id, 1)
}

// isRead waits until so many results of a job have been read.
func (o *outside) isRead(t *testing.T, id string, n int64) {
	t.Helper()
	pollUntil(t, "the result of "+id+" to be read", func() (string, bool) {
		got := o.numbers(t, `SELECT count(*) FROM import_job j JOIN import_event e ON e.job_no = j.no JOIN download d ON d.inbox_seq = e.inbox_seq
			JOIN import_file f ON f.download_id = d.id AND f.state = 'read' WHERE j.id = ?`, id)[0]
		return fmt.Sprint(got), got == n
	})
}

// window asks for rows as the page's script does.
func window(t *testing.T, b *webtest.Browser, id, query string) string {
	t.Helper()
	resp, page := b.Send(t, http.MethodGet, "/imports/"+url.PathEscape(id)+"/rows?"+query, nil, http.Header{"HX-Request": {"true"}})
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("rows?%s: %s", query, resp.Status)
	}
	return page
}

// numbersOf lists the numbers of the rows of a window.
func numbersOf(page string) (out []string) {
	for _, part := range strings.Split(page, `/rows/`)[1:] {
		no, _, _ := strings.Cut(part, `"`)
		out = append(out, no)
	}
	return out
}

// peak watches how much the heap grows until it is asked.
func peak() (grown func() uint64) {
	var start, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&start)
	done, most := make(chan struct{}), uint64(0)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
			select {
			case <-done:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
	return func() uint64 {
		close(done)
		wg.Wait()
		return most - min(most, start.HeapAlloc)
	}
}

// TestImportOf100000Rows: the largest result there is comes in by a signed webhook, is read whole in bounded memory, and
// every question about it costs as little as about a small one.
func TestImportOf100000Rows(t *testing.T) {
	rows := 100_000
	if raced() || testing.Short() {
		rows = 12_000
	}
	o := startOutside(t)
	b := o.SignedIn(t, "viewer@clinic.example", db.Viewer)
	tell := func(rows int) (id string, failed []string) {
		grown := peak()
		messages := o.sim.Import(rows)
		for _, m := range messages {
			o.take(t, m.Body)
		}
		var e struct {
			Job struct{ RequestID, Result string } `json:"bulkPatientCreate"`
		}
		if err := json.Unmarshal(messages[1].Body, &e); err != nil {
			t.Fatal(err)
		}
		o.isRead(t, e.Job.RequestID, 1)
		// Held at once, the rows would take about 100 MB.
		if most := grown(); most > 48<<20 {
			t.Errorf("the heap grew by %d MB while %d rows were read", most>>20, rows)
		} else {
			t.Logf("the heap grew by %d MB while %d rows were read", most>>20, rows)
		}
		return e.Job.RequestID, failedRows(t, e.Job.Result, rows)
	}
	id, failed := tell(rows)
	small, _ := tell(700)
	if n := o.numbers(t, `SELECT failed FROM import_file WHERE unknown = 0 AND failed + succeeded = ?`, rows); len(n) != 1 || n[0] != int64(len(failed)) {
		t.Errorf("%d rows are failed, want %d", n, len(failed))
	}
	if n := o.numbers(t, `SELECT count(*) FROM import_row WHERE download_id = 1`)[0]; n != int64(rows) {
		t.Errorf("%d of %d rows are there", n, rows)
	}
	if n := o.numbers(t, `SELECT sum(n) FROM import_reason WHERE download_id = 1`)[0]; n != int64(rows) {
		t.Errorf("the reasons count %d rows, want %d", n, rows)
	}

	page := o.shows(t, b, "/imports/"+id, "Completed", thousands(rows)+" rows", thousands(len(failed))+" failed", "Invalid zip: …", "Missing dob")
	if got := numbersOf(page); !slices.Equal(got, failed[:len(got)]) || len(got) != 100 {
		t.Errorf("the page begins with the rows %v, want the first failed ones %v", got, failed[:100])
	}
	last := numbersOf(window(t, b, id, fmt.Sprintf("from=%d&count=100", rows-3)))
	if len(last) != 3 || last[2] != fmt.Sprint(rows) {
		t.Errorf("the table ends with the rows %v", last)
	}
	around := numbersOf(window(t, b, id, fmt.Sprintf("from=%d&count=4", len(failed)-2)))
	if want := append(slices.Clone(failed[len(failed)-2:]), "1", "2"); !slices.Equal(around, want) {
		t.Errorf("around the last failed row are %v, want %v", around, want)
	}
	if n := len(numbersOf(window(t, b, id, "from=0&count=100000"))); n > 200 {
		t.Errorf("one question got %d rows", n)
	}

	// Bounded, and the same for few and for many.
	for _, query := range []string{"", "/rows?from=50&count=100", "/rows?from=%d&count=200", "/rows?status=succeeded&from=%d", "/rows?reason=1", "/rows?q=sampleton&from=100", "/rows?q=nobody"} {
		if strings.Contains(query, "%d") {
			query = fmt.Sprintf(query, rows/2)
		}
		count := func(id string) (statements int64, size int) {
			path := "/imports/" + id + query
			b.Get(t, path)
			before, began := o.DB.Statements(), time.Now()
			resp, body := b.Get(t, path)
			if resp.StatusCode != http.StatusOK {
				t.Fatalf("%s: %s", path, resp.Status)
			}
			t.Logf("%-40s %2d statements, %7d bytes, %v", query, o.DB.Statements()-before, len(body), time.Since(began).Round(time.Millisecond))
			return o.DB.Statements() - before, len(body)
		}
		many, size := count(id)
		few, _ := count(small)
		if many > mostStatements || many > few+1 || size > 200<<10 {
			t.Errorf("%s: %d statements and %d bytes with %d rows, %d statements with 700", query, many, size, rows, few)
		}
	}

	missing := o.numbers(t, `SELECT no FROM import_reason WHERE download_id = 1 AND words = 'Missing dob'`)[0]
	grown := peak()
	for query, want := range map[string]int{"": rows, "status=failed": len(failed), "q=nobody": 0, fmt.Sprintf("reason=%d&status=succeeded", missing): 0} {
		_, body := b.Get(t, "/imports/"+id+"?format=csv&"+query)
		table, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(body, "\ufeff"))).ReadAll()
		if err != nil || len(table) != want+1 || len(table[0]) != 15 {
			t.Errorf("the export ?%s has %d rows (%v), want %d and a head", query, len(table), err, want)
		}
	}
	t.Logf("the heap grew by %d MB while rows were exported, the test's own tables among it", grown()>>20)
}

// failedRows counts, from the sender's own file, which rows have failed.
func failedRows(t *testing.T, link string, rows int) (failed []string) {
	t.Helper()
	resp, err := http.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	r := csv.NewReader(resp.Body)
	for n := 0; ; n++ {
		row, err := r.Read()
		if err == io.EOF {
			if n != rows+1 {
				t.Fatalf("the sender's file has %d rows", n-1)
			}
			return failed
		}
		if err != nil {
			t.Fatal(err)
		}
		if row[13] == "failed" {
			failed = append(failed, fmt.Sprint(n))
		}
	}
}

func thousands(n int) string {
	s := fmt.Sprint(n)
	if len(s) > 3 {
		s = s[:len(s)-3] + "," + s[len(s)-3:]
	}
	return s
}

// TestImportGoesOnAfterARestart: what was read stays, and the rest follows.
func TestImportGoesOnAfterARestart(t *testing.T) {
	const rows = 30_000
	o := startOutside(t)
	for _, m := range o.sim.Import(rows) {
		o.take(t, m.Body)
	}
	pollUntil(t, "some rows to be read", func() (string, bool) {
		n := o.numbers(t, `SELECT coalesce(sum(rows), 0) FROM import_file`)[0]
		return fmt.Sprint(n), n > 0
	})
	o.Stop(t)
	o.start(t)
	var id string
	for _, m := range o.Messages(t) {
		id = m.RequestID
	}
	o.isRead(t, id, 1)
	if n := o.numbers(t, `SELECT count(*) FROM import_row WHERE no BETWEEN 1 AND ?`, rows)[0]; n != rows {
		t.Errorf("%d rows, want %d", n, rows)
	}
	if n := o.numbers(t, `SELECT failed + unknown + succeeded FROM import_file`)[0]; n != rows {
		t.Errorf("%d rows are counted, want %d", n, rows)
	}
	if gaps := o.numbers(t, `SELECT count(*) FROM (SELECT outcome, max(place) - count(*) AS gap FROM import_row GROUP BY outcome) WHERE gap <> 0`)[0]; gaps != 0 {
		t.Error("the places of the rows have gaps")
	}
}

// TestRebuildKeepsImports: jobs and their history come out the same, and the rows that were read stay.
func TestRebuildKeepsImports(t *testing.T) {
	o := startOutside(t)
	for _, m := range o.sim.Import(300) {
		o.take(t, m.Body)
	}
	o.completed(t, "second", "status,reason\nfailed,no\nsucceeded,\n")
	o.take(t, o.job("third", "processing", ""))
	var before []string
	for _, m := range o.Messages(t) {
		if m.RequestID != "" {
			o.isRead(t, m.RequestID, 1)
		}
	}
	dump := func() (out []string) {
		for _, table := range []string{"import_job", "import_event", "import_file", "import_row", "import_reason"} {
			if err := o.DB.Read(t.Context(), func(v db.Snapshot) error {
				rows, err := v.QueryContext(t.Context(), "SELECT * FROM "+table+" ORDER BY 1, 2, 3")
				if err != nil {
					return err
				}
				defer func() { _ = rows.Close() }()
				columns, err := rows.Columns()
				for n := 0; rows.Next() && err == nil; n++ {
					cells, into := make([]any, len(columns)), make([]any, len(columns))
					for i := range cells {
						into[i] = &cells[i]
					}
					err = rows.Scan(into...)
					out = append(out, fmt.Sprint(table, cells))
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		return out
	}
	if before = dump(); len(before) < 310 {
		t.Fatalf("only %d lines before the rebuild", len(before))
	}
	if _, err := chart.Rebuild(t.Context(), o.DB, slog.New(slog.DiscardHandler), func(int) {}); err != nil {
		t.Fatal(err)
	}
	if after := dump(); !slices.Equal(before, after) {
		t.Error("imports are other ones after a rebuild")
	}
}

// TestImportTurnsWithItsEvents: the list and the page of a job are live, also where nothing but the clock changes it.
func TestImportTurnsWithItsEvents(t *testing.T) {
	o := startOutside(t, func(c *web.Config) { c.IdleLogout = 24 * time.Hour })
	b := o.SignedIn(t, "viewer@clinic.example", db.Viewer)
	o.shows(t, b, "/imports", "No import yet")
	list := o.openSocket(t, b, "view=imports&since=0")
	stuck := o.openSocket(t, b, "view=imports&state=stuck&since=0")
	o.take(t, o.job("JOB-1", "waiting", ""))
	hears(t, list, "JOB-1", "Waiting", "running for")
	onPage := o.openSocket(t, b, "view=import&id=JOB-1&since=0")
	o.clock.Advance(2 * time.Minute)
	o.take(t, o.job("JOB-1", "processing", ""))
	hears(t, list, "JOB-1", "Processing")
	hears(t, onPage, "Waiting", "Processing", "after 2 min")
	if _, page := b.Get(t, "/imports?state=stuck"); strings.Contains(page, "JOB-1") {
		t.Error("a job counts as stuck at once")
	}
	o.clock.Advance(29 * time.Minute)
	if _, page := b.Get(t, "/imports?state=stuck"); strings.Contains(page, "JOB-1") {
		t.Error("a job counts as stuck after 29 minutes")
	}
	o.clock.Advance(61 * time.Second)
	hears(t, list, "JOB-1", "stuck: silent for 30 min")
	hears(t, stuck, "JOB-1", "stuck: silent for 30 min")
	hears(t, onPage, "Stuck: nothing was heard of this job for 30 min")
	o.shows(t, b, "/imports?state=stuck", "JOB-1")
	o.completed(t, "JOB-1", "metriportId,status,reason\nPATIENT-1,succeeded,\n,failed,Missing dob\n")
	hears(t, list, "JOB-1", "Completed", "2 rows", "1 failed", "1 succeeded")
	hears(t, stuck, "JOB-1", "data-fits-not")
	hears(t, onPage, "Completed", "Missing dob", "Took")
	page := o.shows(t, b, "/imports/JOB-1", "Missing dob")
	if strings.Contains(page, "stuck") || strings.Contains(page, "/patients/PATIENT-1") {
		t.Error("the job is stuck when it has completed, or leads to a patient nobody knows")
	}
	o.take(t, o.event("patient.admit", "PATIENT-1", "", ""))
	o.shows(t, b, "/imports/JOB-1", `href="/patients/PATIENT-1"`)
	for state, fits := range map[string]bool{"completed": true, "stuck": false, "processing": false, "other": false} {
		if _, page := b.Get(t, "/imports?state="+state); strings.Contains(page, "JOB-1") != fits {
			t.Errorf("the list of %s jobs has it: %t", state, !fits)
		}
	}
}

// TestImportStatesAreShownAsSent: unknown ones too, and what is missing is said.
func TestImportStatesAreShownAsSent(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "viewer@clinic.example", db.Viewer)
	for _, body := range []string{
		`{"meta":{"messageId":"m1","type":"medical.bulk-patient-create","requestId":"REQ-1","data":{"ticket":"TOC-7","<b>n</b>":{"a":[1]}}},"bulkPatientCreate":{"status":"paused<i>","reason":"<script>alert(1)</script>"}}`,
		`{"meta":{"messageId":"m2","type":"medical.bulk-patient-create"},"bulkPatientCreate":{"status":null,"requestId":["x"],"result":null}}`,
		`{"meta":{"messageId":"m3","type":"medical.bulk-patient-create","data":"just text"},"bulkPatientCreate":{"status":"expired","requestId":" ../a b?c#d%41\"é/ "}}`,
		`{"meta":{"messageId":"m4","type":"medical.bulk-patient-create"},"bulkPatientCreate":{"status":"failed","requestId":"` + strings.Repeat("x", 5000) + `","reason":"` + strings.Repeat("long ", 4000) + `"}}`,
		`{"meta":{"messageId":"m5","type":"medical.bulk-patient-create","whenGenerated":"2026-01-01T00:00:00Z"},"bulkPatientCreate":{"status":"completed","requestId":77}}`,
	} {
		o.take(t, []byte(body))
	}
	for path, words := range map[string][]string{
		"/imports":       {"paused&lt;i&gt;", "State not sent", "Expired", "start not sent", "no request id was sent"},
		"/imports/REQ-1": {"paused&lt;i&gt;", "&lt;script&gt;", "TOC-7", "&lt;b&gt;n&lt;/b&gt;", `{&#34;a&#34;:[1]}`, "names no id of its own"},
		"/imports/m2":    {"State not sent", "message’s own id"},
		"/imports/..%2Fa%20b%3Fc%23d%2541%22%C3%A9%2F": {"Expired", "just text"},
		"/imports/m4":                            {"Failed", "long long"},
		"/imports/77":                            {"Completed", "no link to a result was sent", "test event", "not sent"},
		"/imports?state=other":                   {"paused", "State not sent"},
		"/imports?state=expired&q=A%20B%3F":      {"Expired"},
		"/imports?q=%25":                         {"Expired"},
		"/imports?q=nothing":                     {"No import fits these filters"},
		"/imports/m4?format=csv":                 {"There are no rows"},
		"/imports/REQ-1?status=sold":             {"There is no such status"},
		"/imports?q=" + strings.Repeat("a", 201): {"too long"},
	} {
		_, page := b.Get(t, path)
		for _, w := range words {
			if !strings.Contains(page, w) {
				t.Errorf("%s does not show %q", path, w)
			}
		}
		if strings.Contains(page, "<script>alert") || strings.Contains(page, "paused<i>") {
			t.Errorf("%s has markup from outside", path)
		}
	}
	if _, page := b.Get(t, "/imports?state=expired"); strings.Contains(page, "paused") || !strings.Contains(page, `href="/imports/..%2Fa%20b%3Fc%23d%2541%22%C3%A9%2F"`) {
		t.Error("the list of expired jobs is wrong, or a link is not escaped")
	}
	_, list := b.Get(t, "/imports?format=csv")
	if rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(list, "\ufeff"))).ReadAll(); err != nil || len(rows) != 6 {
		t.Errorf("the export has %d rows (%v)", len(rows), err)
	}
}

// TestHostileCellsAreText on every page, and harmless in every export.
func TestHostileCellsAreText(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "viewer@clinic.example", db.Viewer)
	const evil = `<img src=x onerror=alert(1)>`
	o.completed(t, "JOB-1", "\ufeffname <script>,METRIPORT_ID,Status,REASON\r\n"+
		`"`+evil+`",=1+1,Failed,"=HYPERLINK(""http://evil.example"")"`+"\r\n"+
		evil+`,"p/../%2e",SUCCEEDED,`+"\r\n"+
		"'"+strings.Repeat("w", 9000)+",+1,sold <b>,-2\r\nshort\r\na,b,succeeded,c,beyond,"+evil+"\r\n")
	o.take(t, o.event("patient.admit", "p/../%2e", "", ""))
	for path, words := range map[string][]string{
		"/imports/JOB-1":                {"5 rows", "1 failed", "2 unknown", "2 succeeded", "&lt;img", "name &lt;script&gt;", "sold &lt;b&gt;", "not sent", "Beyond the columns", `href="/patients/p%2F..%2F%252e"`, "are cut here"},
		"/imports/JOB-1/rows?from=0":    {"&lt;img", "HYPERLINK"},
		"/imports/JOB-1/rows/1":         {"&lt;img", "=HYPERLINK", "failed"},
		"/imports/JOB-1/rows/3":         {"sold &lt;b&gt;", "wwwwwwww"},
		"/imports/JOB-1/rows/5":         {"Column 5, which has no name", "beyond"},
		"/imports/JOB-1?q=%3Cimg":       {"3 of"},
		"/imports/JOB-1?status=unknown": {"sold"},
	} {
		resp, page := b.Get(t, path)
		if path == "/imports/JOB-1?q=%3Cimg" {
			if got := len(numbersOf(page)); got != 3 {
				t.Errorf("%d rows have the text, want 3", got)
			}
			continue
		}
		for _, w := range words {
			if !strings.Contains(page, w) {
				t.Errorf("%s (%s) does not show %q", path, resp.Status, w)
			}
		}
		if strings.Contains(page, "<img") || strings.Contains(page, "<script>,") || len(page) > 64<<10 {
			t.Errorf("%s has markup from outside, or %d bytes", path, len(page))
		}
	}
	_, file := b.Get(t, "/imports/JOB-1?format=csv")
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(file, "\ufeff")))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil || len(rows) != 6 {
		t.Fatalf("the export has %d rows (%v)", len(rows), err)
	}
	for _, row := range rows {
		if len(row) < 4 {
			t.Errorf("a row of the export has %d cells", len(row))
		}
		for _, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
				t.Errorf("a spreadsheet runs %q", cell)
			}
		}
	}
	for _, path := range []string{"/imports/JOB-1/rows/6", "/imports/JOB-1/rows/x", "/imports/JOB-1/rows?from=-1", "/imports/JOB-1/rows?count=many", "/imports/JOB-1?reason=first", "/imports/JOB-1?from=x"} {
		if resp, _ := b.Get(t, path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s answers %s", path, resp.Status)
		}
	}
	if n := o.numbers(t, `SELECT count(*) FROM audit WHERE action = 'view' AND object LIKE 'import %'`)[0]; n < 7 {
		t.Errorf("%d looks at the rows left a trace", n)
	}
}

// TestImportSaysWhyThereAreNoRows: expired, refused, empty, without columns, damaged.
func TestImportSaysWhyThereAreNoRows(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "viewer@clinic.example", db.Viewer)
	link := func(id, link string) { o.take(t, o.job(id, "completed", fmt.Sprintf(`,"result":%q`, link))) }
	link("EXPIRED", o.lead("/expired", -time.Minute, expired))
	link("REFUSED", "https://192.168.1.1/result.csv")
	o.completed(t, "HEAD", "firstname,status,reason\n")
	o.completed(t, "BARE", "a,b\n1,2\n")
	o.completed(t, "SPACE", "\r\n\r\n")
	for path, words := range map[string][]string{
		"/imports/EXPIRED": {"expired before we could fetch it", "ask Metriport to send it again"},
		"/imports/REFUSED": {"refused"},
		"/imports/HEAD":    {"The result has no rows", "Original file"},
		"/imports/BARE":    {"no column “status”", "1 unknown"},
		"/imports/SPACE":   {"The file is empty"},
		"/imports":         {"expired before we could fetch it", "refused"},
	} {
		o.shows(t, b, path, words...)
	}
	// Metriport sends it again, with a fresh link under the same message or under a new one.
	o.take(t, o.job("EXPIRED", "completed", fmt.Sprintf(`,"result":%q`, o.lead("/again", 3*time.Minute, says("status\nfailed\n")))))
	o.isRead(t, "EXPIRED", 1)
	if page := o.shows(t, b, "/imports/EXPIRED", "1 failed", "no reason sent"); strings.Contains(page, "expired before") {
		t.Error("the rows are there, and the page says that the link had expired")
	}
}

// TestRowsGoWithTheirFile when it has been kept long enough; the counts stay.
func TestRowsGoWithTheirFile(t *testing.T) {
	o := startOutside(t, func(c *web.Config) { c.KeepFiles = 24 * time.Hour })
	o.completed(t, "JOB-1", "name,status,reason\nZebulon,failed,Zebulon is no name\nX,succeeded,\n")
	o.Stop(t)
	o.clock.Advance(25 * time.Hour)
	o.start(t)
	b := o.SignedIn(t, "viewer@clinic.example", db.Viewer)
	page := o.shows(t, b, "/imports/JOB-1", "were removed", "2 rows", "1 failed")
	pollUntil(t, "the rows to be gone", func() (string, bool) {
		n := o.numbers(t, `SELECT (SELECT count(*) FROM import_row) + (SELECT count(*) FROM import_reason)`)[0]
		return fmt.Sprint(n), n == 0
	})
	if strings.Contains(page, "Zebulon") {
		t.Error("what was removed is still shown")
	}
	for _, path := range []string{"/imports/JOB-1/rows/1", "/imports/JOB-1?format=csv"} {
		if resp, _ := b.Get(t, path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s answers %s", path, resp.Status)
		}
	}
}
