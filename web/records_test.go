package web_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"carebell/db"
	"carebell/web/webtest"
)

// pulled is a message of a request for records. body is what stands beside meta; ago is when it was sent.
func (o *outside) pulled(kind, request string, ago time.Duration, body string) []byte {
	o.posts++
	return fmt.Appendf(nil, `{"meta":{"messageId":"m-%d","requestId":%q,"when":%q,"type":%q,"data":{"ticket":"TOC-1"}},%s}`,
		o.posts, request, o.clock.Now().Add(-ago).UTC().Format("2006-01-02T15:04:05.000Z"), kind, body)
}

// asked is the answer of a source to a network query.
func asked(patient, link, source string) string {
	return fmt.Sprintf(`"payload":{"patientId":%q,"externalId":"X-%s","consolidatedDataUrl":%q,"source":%s}`, patient, patient, link, source)
}

// stripped is the words of a page without its markup.
func stripped(page string) string {
	page = regexp.MustCompile(`(?s)<script.*?</script>|<[^>]*>`).ReplaceAllString(page, " ")
	return strings.Join(strings.Fields(page), " ")
}

// rowWith is the words of one row of a list, by what it must contain.
func rowWith(t *testing.T, page, words string) string {
	t.Helper()
	for _, li := range strings.Split(page, "<li")[1:] {
		li, _, _ = strings.Cut(li, "</li>")
		if strings.Contains(li, `class="row`) && strings.Contains(stripped("<li"+li), words) {
			return stripped("<li" + li)
		}
	}
	t.Fatalf("no row has %q in\n%s", words, stripped(page))
	return ""
}

func (o *outside) get(t *testing.T, b *webtest.Browser, path string) string {
	t.Helper()
	resp, page := b.Get(t, path)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s answers %d: %s", path, resp.StatusCode, stripped(page))
	}
	return page
}

const smallBundle = `{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","id":"1","name":[{"given":["Kit"],"family":"Example"}],"birthDate":"1971-10-18"}},
	{"resource":{"resourceType":"Condition","id":"2"}},{"resource":{"resourceType":"Observation","id":"3"}},{"resource":{"resourceType":"Observation","id":"4"}}]}`

// TestNetworkQueryIsOneRowOfItsSources: what is known of each source, and nothing that is not.
func TestNetworkQueryIsOneRowOfItsSources(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "viewer@clinic.example", db.Viewer)
	when := func(ago time.Duration) string {
		return o.clock.Now().Add(-ago).UTC().Format("2006-01-02T15:04:05.000Z")
	}
	send := func(kind, request, patient, source string) []int64 {
		link := o.lead(fmt.Sprint("/data-", o.posts), 3*time.Minute, says(smallBundle))
		return o.take(t, o.pulled(kind, request, time.Minute, asked(patient, link, source)))
	}
	send("network-query.hie.first-data-ready", "R-out", "P-1", fmt.Sprintf(`{"type":"hie","status":"processing","firstDataReadyAt":%q}`, when(2*time.Hour)))
	file := send("network-query.pharmacy", "R-out", "P-1", fmt.Sprintf(`{"type":"pharmacy","source":"surescripts","status":"completed","completedAt":%q}`, when(time.Hour)))[0]
	o.ends(t, file, db.FetchStored)
	page := o.shows(t, b, "/records", "Kit Example", "2 observations, 1 condition, 1 patient")
	row := rowWith(t, page, "R-out")
	for _, want := range []string{
		"HIE First data ready 2 h ago not completed yet", "Pharmacy · surescripts Completed 1 h ago", "Lab nothing yet", "ticket: TOC-1", "18 Oct 1971",
	} {
		if !strings.Contains(row, want) {
			t.Errorf("the row has no %q: %s", want, row)
		}
	}
	if strings.Contains(row, "Failed") || strings.Count(row, "Completed") != 1 {
		t.Errorf("the row says more than is known: %s", row)
	}
	if strings.Contains(page, "secret-signature") || strings.Contains(page, "X-Amz") {
		t.Error("the page tells a link")
	}

	send("network-query.hie", "R-out", "P-1", fmt.Sprintf(`{"type":"hie","status":"completed","completedAt":%q}`, when(90*time.Minute)))
	send("network-query.lab", "R-out", "P-1", fmt.Sprintf(`{"type":"lab","source":"quest","status":"failed","completedAt":%q}`, when(30*time.Minute)))
	send("network-query.lab", "R-out", "P-1", fmt.Sprintf(`{"type":"lab","source":"labcorp","status":"<b>postponed</b>","completedAt":%q}`, when(20*time.Minute)))
	row = rowWith(t, o.get(t, b, "/records"), "R-out")
	for _, want := range []string{
		"HIE Completed 1 h ago 30 min after its first data", "Lab · labcorp “&lt;b&gt;postponed&lt;/b&gt;” 20 min ago", "Lab · quest Failed 30 min ago",
	} {
		if !strings.Contains(row, want) {
			t.Errorf("the row has no %q: %s", want, row)
		}
	}
	if strings.Contains(row, "not completed yet") {
		t.Errorf("the HIE is still out: %s", row)
	}

	// One without a request id stands alone; another patient under the same request is another row; nobody named is said.
	send("network-query.lab", "", "P-1", `{"status":null,"source":null,"completedAt":null}`)
	send("network-query.lab", "", "P-1", `null`)
	send("network-query.lab", "R-out", "P-2", `{"source":7,"status":["completed"]}`)
	send("network-query.lab", "R-none", "", `{"status":"COMPLETED","completedAt":"soon"}`)
	page = o.get(t, b, "/records")
	if n := strings.Count(page, `class="row pull queries"`); n != 5 {
		t.Errorf("%d rows, want 5: %s", n, stripped(page))
	}
	if n := strings.Count(stripped(page), "no request id was sent"); n != 2 {
		t.Errorf("%d rows say that no request id was sent, want 2", n)
	}
	if row := rowWith(t, page, "R-none"); !strings.Contains(row, "Patient not named") || !strings.Contains(row, "Lab Completed") {
		t.Errorf("the query of nobody: %s", row)
	}
	if row := rowWith(t, page, "no request id was sent"); !strings.Contains(row, "Status not sent") {
		t.Errorf("nulls: %s", row)
	}
}

// TestConsolidatedDataSaysWhatIsInIt for every end of a query, from one message with two patients among others.
func TestConsolidatedDataSaysWhatIsInIt(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "viewer@clinic.example", db.Viewer)
	attachment := func(kind, content string) string {
		link := o.lead(fmt.Sprint("/consolidated-", o.posts, "-", len(content), kind), 3*time.Minute, says(content))
		return fmt.Sprintf(`{"attachment":{"contentType":%q,"url":%q,"title":"record"}}`, kind, link)
	}
	bundle := func(content ...string) string {
		return `{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"DocumentReference","content":[` + strings.Join(content, ",") + `]}}]}`
	}
	send := func(request, rows string) []int64 {
		return o.take(t, o.pulled("medical.consolidated-data", request, time.Minute, `"patients":[`+rows+`]`))
	}
	two := send("R-two", fmt.Sprintf(`{"patientId":"P-1","status":"completed","filters":{"resources":"Condition,FamilyMemberHistory","dateFrom":"2024-11-23","includeFullRecord":true},"bundle":%s},
		{"patientId":"P-2","status":"completed","filters":null,"bundle":{"resourceType":"Bundle","entry":[]}}`,
		bundle(attachment("application/json", smallBundle), attachment("application/gzip", smallBundle))))
	if len(two) != 1 {
		t.Fatalf("%d downloads of one record in two formats", len(two))
	}
	o.ends(t, two[0], db.FetchStored)
	o.ends(t, send("R-pdf", fmt.Sprintf(`{"patientId":"P-3","status":"completed","bundle":%s}`, bundle(attachment("application/pdf", "%PDF-1.4 nothing"))))[0], db.FetchStored)
	o.ends(t, send("R-late", fmt.Sprintf(`{"patientId":"P-4","status":"completed","bundle":%s}`, bundle(fmt.Sprintf(`{"attachment":{"url":%q}}`, o.lead("/late", time.Minute, expired)))))[0], db.FetchExpired)
	send("R-failed", `{"patientId":"P-5","status":"failed","bundle":{"entry":[]}}`)
	send("R-odd", `{"patientId":"P-6","status":"<i>half</i>","filters":{"dateTo":"soon"},"bundle":"Zebulon"},{"status":"completed"}`)
	send("R-inline", `{"patientId":"P-7","status":"completed","bundle":`+smallBundle+`}`)
	page := o.get(t, b, "/records?view=consolidated")
	for request, want := range map[string][]string{
		"Kit Example": {"Completed", "only conditions, family member histories from 23 Nov 2024 · includeFullRecord: true", "2 observations, 1 condition, 1 patient",
			"JSON, came as gzip", "offered as JSON and gzip"},
		"R-pdf":     {"Completed", "PDF,", "filters not sent"},
		"R-late":    {"data expired before we could fetch it: ask Metriport to send it again"},
		"R-failed":  {"Failed"},
		"soon":      {"“&lt;i&gt;half&lt;/i&gt;”", "all resources to soon"},
		"not named": {"Completed, no bundle sent", "filters not sent"},
		"R-inline":  {"2 observations, 1 condition, 1 patient in the message itself"},
		"No data":   {"R-two", "filters not sent"},
	} {
		row := rowWith(t, page, request)
		for _, w := range want {
			if !strings.Contains(row, w) {
				t.Errorf("%s has no %q: %s", request, w, row)
			}
		}
	}
	if row := rowWith(t, page, "R-failed"); strings.Contains(row, "No data") {
		t.Errorf("a failure is called empty: %s", row)
	}
	for state, want := range map[string]int{"done": 4, "empty": 1, "failed": 1, "unclear": 2, "": 8} {
		if n := strings.Count(o.get(t, b, "/records?view=consolidated&state="+state), `class="row pull`); n != want {
			t.Errorf("%q: %d rows, want %d", state, n, want)
		}
	}
}

// TestDocumentsAreAssembledFromTheirPages, whatever order they come in, with what is missing, and what became of files.
func TestDocumentsAreAssembledFromTheirPages(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "viewer@clinic.example", db.Viewer)
	hold := make(chan struct{})
	page := func(n, total int, documents ...string) []int64 {
		return o.take(t, o.pulled("medical.document-bulk-download-paged", "R-pages", time.Minute, fmt.Sprintf(
			`"patients":[{"patientId":"P-1","status":"completed","documents":[%s],"pagination":{"page":%d,"totalPages":%d,"totalItems":9}},{"patientId":"P-2","status":"completed","documents":[]}]`,
			strings.Join(documents, ","), n, total)))
	}
	file := func(id string, content http.HandlerFunc) string {
		return fmt.Sprintf(`{"id":%q,"fileName":"%s.txt","description":"Note <b>%s</b>","status":"current","indexed":"2026-01-0%sT10:00:00Z","mimeType":"text/plain","size":1500,
			"type":{"coding":[{"code":"11506-3","display":"Progress note"}]},"organizationIdentifiers":[{"name":"General Hospital & Clinic"}],"url":%q}`,
			id, id, id, id, o.lead("/document-"+id, 10*time.Minute, content))
	}
	first := page(3, 4, file("1", says("one")), file("2", expired), `{"id":"3","fileName":"3.txt","status":"superseded"}`)
	o.ends(t, first[0], db.FetchStored)
	o.ends(t, first[1], db.FetchExpired)
	path := string(regexp.MustCompile(`/records/documents/\d+`).Find([]byte(o.get(t, b, "/records?view=documents&q=P-1"))))
	row := rowWith(t, o.get(t, b, "/records?view=documents"), "9 documents")
	for _, want := range []string{"Pages 1 of 4, pages 1 to 2, 4 missing", "3 of 9 documents", "1 stored", "1 failed", "1 listed without a file"} {
		if !strings.Contains(row, want) {
			t.Errorf("no %q: %s", want, row)
		}
	}
	conn := o.openSocket(t, b, "view=documents&since=0&id="+strings.TrimPrefix(path, "/records/documents/"))
	hears(t, conn, "Pages 1 of 4")
	last := page(1, 4, file("4", held(hold, says("four"))), file("1", says("one, again")))
	hears(t, conn, "Pages 2 of 4, pages 2, 4 missing", "4.txt", "fetching")
	o.ends(t, last[1], db.FetchStored)
	o.clock.Advance(time.Minute)
	page(4, 4)
	hears(t, conn, "Pages 3 of 4, page 2 missing")
	close(hold)
	o.ends(t, last[0], db.FetchStored)
	hears(t, conn, "4 of 9 documents", "2 stored")

	list := o.get(t, b, path)
	for words, want := range map[string][]string{
		"1.txt": {"Note &lt;b&gt;1&lt;/b&gt;", "Progress note", "General Hospital &amp; Clinic", "1 Jan, 04:00", "10 B · text/plain", "stored", "Read"},
		"2.txt": {"expired before we could fetch it: ask Metriport to send it again", "1 KB"},
		"3.txt": {"listed without a file", "the archive says “superseded”", "type not sent", "organization not sent", "date not sent", "size not sent"},
		"4.txt": {"stored", "Select 4.txt"},
	} {
		row := rowWith(t, list, words)
		for _, w := range want {
			if !strings.Contains(row, w) {
				t.Errorf("%s has no %q: %s", words, w, row)
			}
		}
	}
	if row := rowWith(t, list, "2.txt"); strings.Contains(row, "Select") {
		t.Errorf("a file that is not stored can be selected: %s", row)
	}
	if n := strings.Count(list, `class="row document"`); n != 4 {
		t.Errorf("%d documents, want 4: one that is listed twice is one", n)
	}
	if title := regexp.MustCompile(`<title>.*?</title>`).FindString(list); strings.Contains(title, "P-1") || title == "" {
		t.Errorf("the title is %q", title)
	}
	if n := o.numbers(t, `SELECT count(*) FROM audit WHERE action = 'view' AND patient_id = 'P-1' AND object = ?`, "documents "+strings.TrimPrefix(path, "/records/documents/"))[0]; n < 1 {
		t.Error("looking at documents left no trace")
	}

	// The older events, on one row of their own request.
	for kind, rows := range map[string]string{
		"medical.document-download":           `{"patientId":"P-3","status":"completed","documents":[{"id":"a","fileName":"a.pdf"}]}`,
		"medical.document-conversion":         `{"patientId":"P-3","status":"processing"}`,
		"medical.document-bulk-download-urls": `{"patientId":"P-3","status":"failed","documents":null}`,
	} {
		o.take(t, o.pulled(kind, "R-old", time.Minute, `"patients":[`+rows+`]`))
	}
	row = rowWith(t, o.get(t, b, "/records?view=documents&q=R-old"), "R-old")
	for _, want := range []string{"List with links: failed", "Document query: completed", "Conversion: processing", "1 document", "1 listed without a file"} {
		if !strings.Contains(row, want) {
			t.Errorf("no %q: %s", want, row)
		}
	}
	// Paging that says little.
	o.take(t, o.pulled("medical.document-bulk-download-paged", "R-bare", time.Minute, `"patients":[{"patientId":"P-4","status":"completed","documents":[null,7,{}]}]`))
	if row := rowWith(t, o.get(t, b, "/records?view=documents"), "R-bare"); !strings.Contains(row, "1 page, how many there are was not sent") {
		t.Errorf("%s", row)
	}
	o.take(t, o.pulled("medical.document-bulk-download-paged", "R-huge", time.Minute, `"patients":[{"patientId":"P-4","status":"completed","documents":[],"pagination":{"page":9223372036854775807,"totalPages":9223372036854775807,"totalItems":-1}}]`))
	if row := rowWith(t, o.get(t, b, "/records?view=documents"), "R-huge"); !strings.Contains(row, "1 page, how many there are was not sent") {
		t.Errorf("%s", row)
	}
}

// TestListsOfRecords: filters, pages, files, empty lists, and words that are not known.
func TestListsOfRecords(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "viewer@clinic.example", db.Viewer)
	for view, teaches := range map[string]string{"queries": "No network query yet", "consolidated": "No consolidated data yet", "documents": "No documents yet"} {
		page := stripped(o.get(t, b, "/records?view="+view))
		if !strings.Contains(page, teaches) || !strings.Contains(page, "Metriport sends the") || !strings.Contains(page, "/webhooks/metriport") {
			t.Errorf("the empty list of %s does not teach: %s", view, page)
		}
	}
	const requests = 120
	for i := range requests {
		kind, status := "network-query.lab", "completed"
		if i%3 == 0 {
			kind = "network-query.hie"
		}
		if i%10 == 0 {
			status = "failed"
		}
		o.Post(t, o.pulled(kind, fmt.Sprintf("R-%03d", i), time.Minute, asked(fmt.Sprintf("PATIENT-%03d", i), "", fmt.Sprintf(`{"status":%q,"source":"=cmd()"}`, status))))
	}
	o.Settled(t)
	count := func(path string) int {
		t.Helper()
		return strings.Count(o.get(t, b, path), `class="row pull`)
	}
	for path, want := range map[string]int{
		"/records": 50, "/records?state=failed": 12, "/records?state=done": 50, "/records?state=out": 0, "/records?source=hie": 40, "/records?source=pharmacy": 0,
		"/records?source=hie&state=failed": 4, "/records?q=PATIENT-007": 1, "/records?q=R-01": 10, "/records?q=R-011": 1, "/records?q=X-PATIENT-01": 10,
		"/records?q=nobody": 0, "/records?q=%25": 0, "/records?q=%27%22%3B": 0, "/records?view=consolidated": 0, "/records?view=documents": 0,
	} {
		if n := count(path); n != want {
			t.Errorf("%s: %d rows, want %d", path, n, want)
		}
	}
	seen := map[string]bool{}
	for path := "/records?state=done"; path != ""; {
		page := o.get(t, b, path)
		for _, m := range regexp.MustCompile(`data-key="(\d+)"`).FindAllStringSubmatch(page, -1) {
			if seen[m[1]] {
				t.Errorf("row %s is on two pages", m[1])
			}
			seen[m[1]] = true
		}
		next := regexp.MustCompile(`href="(/records\?[^"]*before=[^"]*)"`).FindStringSubmatch(page)
		if path = ""; next != nil {
			path = strings.ReplaceAll(next[1], "&amp;", "&")
		}
	}
	if len(seen) != 108 {
		t.Errorf("all pages have %d rows, want 108", len(seen))
	}
	for path, want := range map[string]int{"/records?format=csv": requests, "/records?format=csv&state=failed": 12, "/records?view=consolidated&format=csv": 0, "/records?view=documents&format=csv": 0} {
		resp, body := b.Get(t, path)
		rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(body, "\ufeff"))).ReadAll()
		if err != nil || len(rows) != want+1 || !strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment") {
			t.Errorf("%s: %d rows (%v), want %d and a head", path, len(rows), err, want)
		}
		for _, row := range rows {
			for _, cell := range row {
				if strings.HasPrefix(cell, "=") {
					t.Errorf("%s: a spreadsheet runs %q", path, cell)
				}
			}
		}
	}
	for _, path := range []string{
		"/records?view=nothing", "/records?state=sold", "/records?source=moon", "/records?view=documents&source=hie", "/records?view=documents&state=empty", "/records?state=All",
		"/records?before=x", "/records?q=" + strings.Repeat("a", 300), "/records/documents/x", "/records/documents/0", "/records/documents/1024", "/records/documents/1025?before=x",
	} {
		if resp, page := b.Get(t, path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s answers %d: %s", path, resp.StatusCode, stripped(page))
		}
	}
}

// TestRecordsOpenOnAScreenChangeByThemselves: new requests, new answers, names that become known; and rows that fit the
// filter no more stay where they are.
func TestRecordsOpenOnAScreenChangeByThemselves(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "viewer@clinic.example", db.Viewer)
	page := o.get(t, b, "/records?state=out")
	live := strings.ReplaceAll(regexp.MustCompile(`/live\?([^"]*)"`).FindStringSubmatch(page)[1], "&amp;", "&")
	if q, err := url.ParseQuery(live); err != nil || q.Get("view") != "records" || q.Get("list") != "queries" || q.Get("state") != "out" {
		t.Fatalf("the page's socket is %q", live)
	}
	conn := o.openSocket(t, b, live)
	hold := make(chan struct{})
	link := o.lead("/data", 3*time.Minute, held(hold, says(smallBundle)))
	o.take(t, o.pulled("network-query.hie.first-data-ready", "R-1", time.Minute, asked("P-1", link, `{"status":"processing","firstDataReadyAt":"2026-01-01T00:00:00Z"}`)))
	hears(t, conn, `hx-swap="rows"`, "First data ready", "Name not yet known")
	close(hold)
	hears(t, conn, "Kit Example", "2 observations")
	o.take(t, o.pulled("network-query.hie", "R-1", time.Minute, asked("P-1", "", `{"status":"completed"}`)))
	hears(t, conn, "Completed", "data-fits-not")
	o.take(t, o.pulled("network-query.lab", "R-2", time.Minute, asked("P-2", "", `{"status":"failed"}`)))
	hears(t, conn, "Failed", "data-fits-not")
}

// TestPatientPageHasTheirRecords: queries, data, documents; and every file that it showed before.
func TestPatientPageHasTheirRecords(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "viewer@clinic.example", db.Viewer)
	link := func(name, content string) string { return o.lead("/"+name, 10*time.Minute, says(content)) }
	var ids []int64
	ids = append(ids, o.take(t, o.pulled("network-query.lab", "R-1", time.Minute, asked("P-1", link("query", smallBundle), `{"source":"quest","status":"completed"}`)))...)
	ids = append(ids, o.take(t, o.pulled("medical.consolidated-data", "R-2", time.Minute, fmt.Sprintf(`"patients":[{"patientId":"P-1","status":"completed","bundle":{"entry":[{"resource":{"resourceType":"DocumentReference","content":[{"attachment":{"contentType":"text/html","url":%q,"title":"record.html"}}]}}]}}]`, link("html", "<p>record"))))...)
	ids = append(ids, o.take(t, o.pulled("medical.document-bulk-download-urls", "R-3", time.Minute, fmt.Sprintf(`"patients":[{"patientId":"P-1","status":"completed","documents":[{"id":"d","fileName":"letter.txt","url":%q}]}]`, link("letter", "Dear"))))...)
	o.take(t, o.pulled("network-query.lab", "R-other", time.Minute, asked("P-2", "", `{"source":"elsewhere","status":"completed"}`)))
	for _, id := range ids {
		o.ends(t, id, db.FetchStored)
	}
	page := o.get(t, b, "/patients/P-1")
	text := stripped(page)
	for _, want := range []string{"Network queries", "Lab · quest Completed", "Consolidated data", "HTML,", "Bulk downloads of documents", "List with links: completed", "letter.txt", "2 files of data behind the queries", "record.html"} {
		if !strings.Contains(text, want) {
			t.Errorf("the patient's page has no %q: %s", want, text)
		}
	}
	for _, id := range ids {
		if !strings.Contains(page, fmt.Sprintf(`href="/files/%d"`, id)) {
			t.Errorf("file %d cannot be had", id)
		}
	}
	if strings.Contains(text, "elsewhere") {
		t.Error("it has a query of somebody else")
	}
	conn := o.openSocket(t, b, "view=patient&id=P-1&since=0")
	hears(t, conn, "Lab · quest")
	o.take(t, o.pulled("network-query.pharmacy", "R-1", time.Minute, asked("P-1", "", `{"source":"surescripts","status":"failed"}`)))
	hears(t, conn, "Pharmacy · surescripts", "Failed")
}
