package web_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"carebell/db"
	"carebell/web/webtest"
)

// ids lists what a selection has in an attribute.
func ids(t *testing.T, page, css, attribute string) (out []string) {
	t.Helper()
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	doc.Find(css).Each(func(_ int, e *goquery.Selection) {
		v, _ := e.Attr(attribute)
		out = append(out, v)
	})
	return out
}

// auditsAfter lists action, patient and object of what was noted, oldest first.
func auditsAfter(t *testing.T, s *webtest.Server, after int64) (out []string, last int64) {
	t.Helper()
	if err := s.DB.Read(t.Context(), func(v db.Snapshot) error {
		rows, err := v.QueryContext(t.Context(), `SELECT id, action, patient_id, object FROM audit WHERE id > ? ORDER BY id`, after)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		last = after
		for rows.Next() {
			var action, patient, object string
			if err := rows.Scan(&last, &action, &patient, &object); err != nil {
				return err
			}
			out = append(out, action+"|"+patient+"|"+object)
		}
		return rows.Err()
	}); err != nil {
		t.Fatal(err)
	}
	return out, last
}

// inboxOfAll is a server whose inbox holds one message of every fate. Numbers are in the order of the list.
func inboxOfAll(t *testing.T) (*webtest.Server, *webtest.Browser) {
	t.Helper()
	s := webtest.Start(t)
	for _, body := range []string{
		`{"meta":{"messageId":"m-admit","requestId":"req-one-0001","when":"2026-11-20T10:00:00.000Z","type":"patient.admit"},"payload":{"patientId":"pat-a","externalId":"EXT-77","admitTimestamp":"2026-11-20T09:00:00Z"}}`, // 1
		`{"meta":{"messageId":"m-lab-long-id","requestId":"req-one-0001","type":"patient.laboratory"},"payload":{"patientId":"pat-b"}}`,                                                                                      // 2
		`{"meta":{"messageId":"m-future","requestId":"req-two-0002","type":"patient.telepathy"},"payload":{"patientId":"pat-a"}}`,                                                                                            // 3: unrecognized
		`{"meta":{"messageId":"m-failed","type":"patient.admit"},"payload":{"patientId":"pat-c","patientId":"pat-c"}}`,                                                                                                       // 4: failed
		`{"meta":{"messageId":`, // 5: malformed
		`{"meta":{"messageId":"m-many","type":"medical.document-conversion"},"patients":[{"patientId":"pat-a"},{"patientId":"pat-b"},{"patientId":null}]}`, // 6
		`{"meta":{"messageId":"m-nobody","type":"message.received"},"payload":{"subject":"hello"}}`,                                                        // 7
	} {
		if status, answer := s.Post(t, []byte(body)); status != http.StatusOK {
			t.Fatalf("%s is answered %d %s", body, status, answer)
		}
	}
	s.Settled(t)
	if _, err := openFile(t, s.Dir).ExecContext(t.Context(), `UPDATE patient SET name = 'Quentin Sample' WHERE id = 'pat-a'`); err != nil {
		t.Fatal(err)
	}
	if _, err := openFile(t, s.Dir).ExecContext(t.Context(), `UPDATE patient_search SET words = 'quentin sample' || char(10) || words WHERE rowid = (SELECT no FROM patient WHERE id = 'pat-a')`); err != nil {
		t.Fatal(err)
	}
	return s, s.SignedIn(t, "admin@clinic.example", db.Admin)
}

func TestInboxFilters(t *testing.T) {
	s, b := inboxOfAll(t)
	today := s.Clock.Now().In(time.FixedZone("", -6*3600))
	day := func(n int) string { return today.AddDate(0, 0, n).Format(time.DateOnly) }
	for _, test := range []struct {
		query string
		want  string // numbers, in order
	}{
		{"", "7 6 5 4 3 2 1"},
		{"type=patient.admit", "4 1"},
		{"type=nothing.like.it", ""},
		{"status=processed", "7 6 2 1"},
		{"status=unrecognized", "3"},
		{"status=malformed", "5"},
		{"status=failed", "4"},
		{"status=received", ""},
		{"status=processed&type=patient.admit", "1"},
		{"status=failed&type=patient.laboratory", ""},
		{"patient=pat-a", "6 3 1"},
		{"patient=pat-c", "4"}, // found although it failed
		{"patient=pat", ""},
		{"patient=pat-a&status=unrecognized", "3"},
		{"request=req-one-0001", "2 1"},
		{"request=req-one", ""},
		{"request=req-one-0001&patient=pat-b", "2"},
		{"from=" + day(-1), "7 6 5 4 3 2 1"},
		{"from=" + day(2), ""},
		{"to=" + day(-2), ""},
		{"from=" + day(-1) + "&to=" + day(1), "7 6 5 4 3 2 1"},
		{"from=" + day(1) + "&to=" + day(-1), ""},
		{"q=m-lab-lo", "2"},
		{"q=m-admit", "1"},
		{"q=m-", ""}, // too short for the beginning of an id
		{"q=req-one", "2 1"},
		{"q=telepathy", "3"},
		{"q=PATIENT.ADMIT", "4 1"},
		{"q=quentin", "6 3 1"},
		{"q=EXT-77", "6 3 1"},
		{"q=quentin&type=patient.admit", "1"},
		{"q=quentin&before=3", "1"},
		{"q=%22+OR+%22", ""},
		{"q=%F0%9F%8F%A5", ""},
		{"q=%00%FF", ""},
		{"before=3", "2 1"},
	} {
		resp, page := b.Get(t, "/admin/inbox?"+test.query)
		if resp.StatusCode != http.StatusOK {
			t.Errorf("?%s: %s", test.query, resp.Status)
			continue
		}
		if got := strings.Join(ids(t, page, "#inbox > .row", "data-key"), " "); got != test.want {
			t.Errorf("?%s lists %q, want %q", test.query, got, test.want)
		}
		_, file := b.Get(t, "/admin/inbox?"+test.query+"&format=csv")
		rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(file, "\ufeff"))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		var numbers []string
		for _, row := range rows[1:] {
			numbers = append(numbers, row[0])
		}
		if got := strings.Join(numbers, " "); got != test.want && !strings.Contains(test.query, "before") {
			t.Errorf("?%s exports %q, want %q", test.query, got, test.want)
		}
	}
	for _, query := range []string{"status=lost", "from=yesterday", "to=2026-13-01", "q=" + strings.Repeat("x", 600), "before=x"} {
		if resp, _ := b.Get(t, "/admin/inbox?"+query); resp.StatusCode != http.StatusNotFound {
			t.Errorf("?%s: %s", query, resp.Status)
		}
	}
	_, page := b.Get(t, "/admin/inbox")
	for _, words := range []string{"1 failed", "1 malformed", "1 unrecognized", "0 waiting", "Quentin Sample", "and 1 more", "names no patient", "type not readable"} {
		if !strings.Contains(page, words) {
			t.Errorf("the page does not say %q", words)
		}
	}
	if strings.Contains(page, "Process all of these again") {
		t.Error("without a filter all could be processed again")
	}
}

// TestInboxPages follows the pages to the end: every message once.
func TestInboxPages(t *testing.T) {
	s := webtest.Start(t)
	for i := range 120 {
		s.Post(t, fmt.Appendf(nil, `{"meta":{"messageId":"m-%03d","requestId":"r-%03d","type":"patient.admit"},"payload":{"patientId":"p"}}`, i, i))
	}
	s.Settled(t)
	b := s.SignedIn(t, "admin@clinic.example", db.Admin)
	for _, filter := range []string{"/admin/inbox", "/admin/inbox?patient=p", "/admin/inbox?status=processed", "/admin/inbox?type=patient.admit", "/admin/inbox?q=patient.admit"} {
		var got []string
		for to := filter; to != ""; {
			_, page := b.Get(t, to)
			got = append(got, ids(t, page, "#inbox > .row", "data-key")...)
			next := ids(t, page, "#older a", "href")
			if to = ""; len(next) == 1 {
				to = next[0]
			}
		}
		if len(got) != 120 || len(slices.Compact(slices.Clone(got))) != 120 {
			t.Errorf("%s: the pages list %d messages: %v", filter, len(got), got)
		}
	}
}

const hostile = `<script>alert(1)</script><img src=x onerror=alert(2)>`

func TestMessagePage(t *testing.T) {
	s := webtest.Start(t)
	b := s.SignedIn(t, "admin@clinic.example", db.Admin)
	post := func(body string) { t.Helper(); s.Post(t, []byte(body)) }
	first := `{"meta":{"messageId":"m-1","requestId":"r-1","type":"patient.admit","data":{"` + hostile + `":"` + hostile + `"}},"payload":{"patientId":"pat-a","n":1.0,"nil":null,"empty":{},"none":[],"rtl":"a\u202eb",` +
		`"url":"https://bucket.s3.amazonaws.com/a.json?X-Amz-Signature=secret-one","text":"see https:\/\/x.example\/y?secret-two#secret-three now"}}`
	post(first)
	post(strings.Replace(first, `"n":1.0`, `"n":2`, 1)) // differs
	post(first)                                         // does not
	post("{\"meta\": \x00\xff broken https://x.example/y?secret-four")
	big := `{"meta":{"messageId":"big","type":"medical.consolidated-data"},"patients":[{"patientId":"pat-a","bundle":{"x":"` + strings.Repeat("long ", 400_000) + `","list":[` + strings.Repeat(`{"a":1},`, 300_000) + `0]}}]}`
	post(big)
	post(`{"meta":{"messageId":"deep","type":"patient.admit"},"payload":{"patientId":"p","x":` + strings.Repeat(`[`, 3000) + strings.Repeat(`]`, 3000) + `}}`)
	s.Settled(t)

	_, seen := auditsAfter(t, s, 0)
	for _, test := range []struct {
		path    string
		has     []string
		hasNot  []string
		audited string
	}{
		{"/admin/inbox/1", []string{
			"m-1", "r-1", "in force", "Processed", "another body", "the same body", "Notification", "not seen", "pat-a", "https://bucket.s3.amazonaws.com/a.json?(hidden)", "https://x.example/y?(hidden) now",
			"a key that opens the file", "&lt;script&gt;", "1.0", "null", "empty object", "empty list", `a\u202eb`, "Copy as shown",
		}, []string{"secret-one", "secret-two", "secret-three", "<script>alert", "<img src=x"}, "view|pat-a|webhook 1"},
		{"/admin/inbox/1?delivery=1", []string{"Body of a later delivery", ">2<", "?(hidden)"}, []string{"secret-one", ">1.0<"}, "view|pat-a|webhook 1 delivery 1"},
		{"/admin/inbox/2", []string{"Malformed", "not valid JSON", `\u0000\xff broken`, "?(hidden)", "Download it raw", "Nothing that people see"}, []string{"secret-four", "Copy as shown"}, "view||webhook 2"},
		{"/admin/inbox/3", []string{"Only the first part is shown", "long long"}, []string{"Copy as shown"}, "view|pat-a|webhook 3"},
		{"/admin/inbox/4", []string{"nested too deeply"}, nil, "view|p|webhook 4"},
	} {
		resp, page := b.Get(t, test.path)
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", test.path, resp.Status)
		}
		for _, words := range test.has {
			if !strings.Contains(page, words) {
				t.Errorf("%s does not say %q", test.path, words)
			}
		}
		for _, words := range test.hasNot {
			if strings.Contains(page, words) {
				t.Errorf("%s says %q", test.path, words)
			}
		}
		if len(page) > 1<<20 {
			t.Errorf("%s is %d bytes long", test.path, len(page))
		}
		var noted []string
		if noted, seen = auditsAfter(t, s, seen); !slices.Equal(noted, []string{test.audited}) {
			t.Errorf("%s is noted as %q, want %q", test.path, noted, test.audited)
		}
	}
	for path, want := range map[string]string{
		"/admin/inbox/1/raw": first, "/admin/inbox/1/raw?delivery=1": strings.Replace(first, `"n":1.0`, `"n":2`, 1), "/admin/inbox/3/raw": big,
		"/admin/inbox/2/raw": "{\"meta\": \x00\xff broken https://x.example/y?secret-four",
	} {
		resp, body := b.Get(t, path)
		if body != want {
			t.Errorf("%s gives out %d bytes, not the %d that came", path, len(body), len(want))
		}
		if resp.Header.Get("Content-Type") != "application/octet-stream" || !strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment;") || !strings.HasPrefix(resp.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s is served with %v", path, resp.Header)
		}
		var noted []string
		if noted, seen = auditsAfter(t, s, seen); len(noted) != 1 || !strings.HasPrefix(noted[0], "download|") {
			t.Errorf("%s is noted as %q", path, noted)
		}
	}
	for _, path := range []string{"/admin/inbox/99", "/admin/inbox/x", "/admin/inbox/1?delivery=2", "/admin/inbox/1?delivery=99", "/admin/inbox/2?delivery=1", "/admin/inbox/1/raw?delivery=2", "/admin/inbox/99/raw", "/admin/inbox/0"} {
		if resp, _ := b.Get(t, path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
}

// setOutcome makes a message look as an earlier version left it: failed, and with nothing to show.
func setOutcome(t *testing.T, s *webtest.Server, where string) {
	t.Helper()
	file := openFile(t, s.Dir)
	for _, q := range []string{
		`UPDATE inbox_outcome SET status = 'failed', error = 'an earlier version did not know this' WHERE ` + where,
		`DELETE FROM notification WHERE inbox_seq IN (SELECT seq FROM inbox_outcome WHERE status = 'failed')`,
		`DELETE FROM stay`, `DELETE FROM inbox_patient`,
	} {
		if _, err := file.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
}

func outcomes(t *testing.T, s *webtest.Server) (out string) {
	t.Helper()
	for _, m := range s.Messages(t) {
		out += string(m.Status)[:1]
	}
	return out
}

// TestProcessAgain: what failed with an earlier version becomes processed and shows in the feed exactly once, however
// often it is asked for.
func TestProcessAgain(t *testing.T) {
	s := webtest.Start(t)
	b := s.SignedIn(t, "admin@clinic.example", db.Admin)
	admit := func(id, patient string) string {
		return fmt.Sprintf(`{"meta":{"messageId":%q,"when":"2026-11-20T10:00:00.000Z","type":"patient.admit"},"payload":{"patientId":%q,"admitTimestamp":"2026-11-20T09:00:00Z"}}`, id, patient)
	}
	s.Post(t, []byte(admit("a", "p-1")))
	s.Post(t, []byte(admit("b", "p-2")))
	s.Post(t, []byte(admit("c", "p-1"))) // the same event again: a twin of the first
	s.Post(t, []byte(admit("a", "p-1"))) // delivered twice
	s.Settled(t)
	var want string
	waitFor(t, "the further delivery to be counted", func() bool {
		_, want = b.Get(t, "/?state=all")
		return strings.Contains(want, "delivered 2 times")
	})
	setOutcome(t, s, "seq = 1")
	if _, page := b.Get(t, "/?state=all"); len(ids(t, page, "#feed > .row", "id")) != 2 {
		t.Fatal("the message still shows: the test does not test")
	}
	feed := mustDial(t, s, b, "view=feed&state=all&since=0")
	next(t, feed)
	page := mustDial(t, s, b, "view=inbox-message&seq=1&since=0")
	next(t, page)
	for range 3 {
		if resp, body := b.Form(t, "/admin/inbox/1/again", nil); resp.StatusCode != http.StatusSeeOther {
			t.Fatalf("asking answers %s %s", resp.Status, body)
		}
	}
	hears(t, feed, `id="n-1024"`)
	hears(t, page, "1 processed again, all understood", "Processed")
	waitFor(t, "all wishes to be done", func() bool { return open(t, s) == 0 })
	if got := outcomes(t, s); got != "ppp" {
		t.Errorf("the outcomes are %s", got)
	}
	_, now := b.Get(t, "/?state=all")
	if got, want := ids(t, now, "#feed > .row", "id"), ids(t, want, "#feed > .row", "id"); !slices.Equal(got, want) {
		t.Errorf("the feed has the rows %v, want %v", got, want)
	}
	for _, words := range []string{"delivered 2 times", "sent again as a new message"} {
		if strings.Count(now, words) != strings.Count(want, words) || !strings.Contains(now, words) {
			t.Errorf("the feed says %q %d times, before it was %d", words, strings.Count(now, words), strings.Count(want, words))
		}
	}
	_, patient := b.Get(t, "/patients/p-1")
	if strings.Count(patient, `class="row stay"`) != 1 {
		t.Error("the patient does not have the one stay")
	}

	// All of a kind.
	for i := range 150 {
		s.Post(t, []byte(admit(fmt.Sprint("more-", i), fmt.Sprint("p-", i))))
	}
	s.Settled(t)
	setOutcome(t, s, "seq > 1")
	list := mustDial(t, s, b, "view=inbox&since=0")
	next(t, list)
	_, from := auditsAfter(t, s, 0)
	resp, _ := b.Form(t, "/admin/inbox/again", url.Values{"type": {"patient.admit"}, "status": {"failed"}})
	if to := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther || to != "/admin/inbox?status=failed&type=patient.admit" {
		t.Errorf("asking for all answers %s to %s", resp.Status, to)
	}
	hears(t, list, "152 processed again, all understood")
	if got := strings.Trim(outcomes(t, s), "p"); got != "" {
		t.Errorf("there are still outcomes %s", got)
	}
	if noted, _ := auditsAfter(t, s, from); !slices.Equal(noted, []string{"again||152 failed messages of type patient.admit"}) {
		t.Errorf("it is noted as %q", noted)
	}
	for _, form := range []url.Values{{}, {"status": {"lost"}}, {"status": {"received"}}, {"type": {"patient.admit"}, "status": {"failed"}}} {
		if resp, _ := b.Form(t, "/admin/inbox/again", form); resp.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("asking for %v answers %s", form, resp.Status)
		}
	}
	if resp, _ := b.Form(t, "/admin/inbox/999/again", nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("asking for a message that is not there answers %s", resp.Status)
	}
}

// open counts the wishes that are not done.
func open(t *testing.T, s *webtest.Server) (n int) {
	t.Helper()
	if err := s.DB.Read(t.Context(), func(v db.Snapshot) error {
		return v.QueryRowContext(t.Context(), `SELECT count(*) FROM reprocess WHERE ended_at IS NULL`).Scan(&n)
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestWishToProcessAgainSurvivesARestart: it is in the database, not in memory.
func TestWishToProcessAgainSurvivesARestart(t *testing.T) {
	s := webtest.Start(t)
	s.AddUser(t, "admin@clinic.example", db.Admin)
	s.Post(t, []byte(message("a", "patient.admit")))
	s.Settled(t)
	setOutcome(t, s, "seq = 1")
	s.Stop(t)
	d, err := db.Open(t.Context(), s.Dir, db.Options{Now: s.Clock.Now, Serve: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Write(t.Context(), func(tx *db.Tx) error { return tx.AskReprocess(t.Context(), 1, db.Reprocess{Seq: 1, Total: 1}) }); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	again := webtest.StartIn(t, s.Dir)
	waitFor(t, "the message to be processed", func() bool { return outcomes(t, again) == "p" })
}

func TestInboxIsLive(t *testing.T) {
	s := webtest.Start(t)
	b := s.SignedIn(t, "admin@clinic.example", db.Admin)
	all := mustDial(t, s, b, "view=inbox&since=0")
	failed := mustDial(t, s, b, "view=inbox&status=failed&since=0")
	next(t, all)
	next(t, failed)
	s.Post(t, []byte(message("live-1", "patient.admit")))
	hears(t, all, `id="m-1"`, "live-1", "Processed")
	s.Post(t, []byte(`{"meta":{"messageId":"live-2","type":"patient.admit"}}`))
	hears(t, failed, `id="m-2"`, "the body has no payload", "1 failed")
	s.Post(t, []byte(message("live-1", "patient.admit")))
	hears(t, all, "delivered 2 times")
}

func TestRefusedRequestsOverTime(t *testing.T) {
	s := webtest.Start(t)
	b := s.SignedIn(t, "admin@clinic.example", db.Admin)
	if _, page := b.Get(t, "/admin/inbox/refused"); !strings.Contains(page, "None in the last 7 days") {
		t.Error("without any the page does not say so")
	}
	now := s.Clock.Now()
	if err := s.DB.Write(t.Context(), func(tx *db.Tx) error {
		for _, x := range []struct {
			ago time.Duration
			n   map[string]int64
		}{{0, map[string]int64{"wrong signature": 3, "no signature": 1}}, {3 * 24 * time.Hour, map[string]int64{"wrong signature": 4}}, {20 * 24 * time.Hour, map[string]int64{"a <new> reason": 5}}, {40 * 24 * time.Hour, map[string]int64{"wrong signature": 1000}}} {
			tx.Now = now.Add(-x.ago).UnixMilli()
			if err := tx.CountRejections(t.Context(), x.n); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	_, week := b.Get(t, "/admin/inbox/refused")
	for _, words := range []string{"Signed with another key: 7", "Not signed: 1", "8 requests refused in 7 days", "<svg"} {
		if !strings.Contains(week, words) {
			t.Errorf("the week does not say %q", words)
		}
	}
	if strings.Contains(week, "a &lt;new&gt; reason") {
		t.Error("the week shows what is older")
	}
	_, month := b.Get(t, "/admin/inbox/refused?days=30")
	if !strings.Contains(month, "a &lt;new&gt; reason: 5") || !strings.Contains(month, "13 requests refused in 30 days") {
		t.Error("the month does not show all of it")
	}
	if n := len(ids(t, month, "tbody tr", "class")); n != 30 {
		t.Errorf("the table has %d days", n)
	}
	if resp, _ := b.Get(t, "/admin/inbox/refused?days=9"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("9 days: %s", resp.Status)
	}
}

// TestRawBodyOfEveryLength gives out what came, also where it is stored compressed.
func TestRawBodyOfEveryLength(t *testing.T) {
	s := webtest.Start(t)
	b := s.SignedIn(t, "admin@clinic.example", db.Admin)
	for i, body := range [][]byte{{}, {0}, bytes.Repeat([]byte{0xff, 0xfe}, 10_000), []byte("\xef\xbb\xbf{}"), bytes.Repeat([]byte("[1]"), 5000)} {
		s.Post(t, body)
		s.Settled(t)
		path := fmt.Sprintf("/admin/inbox/%d", i+1)
		if resp, _ := b.Get(t, path); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, resp.Status)
		}
		if _, raw := b.Get(t, path+"/raw"); raw != string(body) {
			t.Errorf("body %d comes back with %d bytes, not %d", i, len(raw), len(body))
		}
	}
}
