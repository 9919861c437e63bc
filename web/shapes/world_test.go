package shapes_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"carebell/db"
	"carebell/web"
	"carebell/web/webtest"
)

// today is when the tests begin by the server's clock: Tuesday 10:00 in Chicago.
var today = time.Date(2026, 5, 5, 15, 0, 0, 0, time.UTC)

// world is a whole server, and the store that the sender's links lead to.
type world struct {
	*webtest.Server
	dir    string
	now    func() time.Time
	change func(*web.Config)
	store  *httptest.Server
	answer chan struct{} // closed when the store may answer

	mu    sync.Mutex
	files map[string][]byte // by path; nil = the link has expired
}

func newWorld(t *testing.T, change ...func(*web.Config)) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), answer: make(chan struct{}), files: map[string][]byte{}}
	w.store = httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(w.store.Close)
	began := time.Now()
	w.now = func() time.Time { return today.Add(time.Since(began)) }
	w.change = func(c *web.Config) {
		c.Now = w.now
		for _, f := range change {
			f(c)
		}
		c.DownloadHosts = []string{w.store.Listener.Addr().String()}
	}
	w.Server = webtest.StartIn(t, w.dir, w.change)
	return w
}

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	select {
	case <-w.answer:
	case <-r.Context().Done():
		return
	}
	w.mu.Lock()
	file := w.files[r.URL.Path]
	w.mu.Unlock()
	if file == nil {
		rw.WriteHeader(http.StatusForbidden)
		_, _ = rw.Write([]byte(`<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>`))
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	_, _ = rw.Write(file)
}

// post sends message i of a shape.
func (w *world) post(t *testing.T, s shape, i int) {
	t.Helper()
	path := "/" + s.messageID(i)
	if !s.Messages[i].Dead {
		w.mu.Lock()
		w.files[path] = s.bundle(t, i)
		w.mu.Unlock()
	}
	q := url.Values{"X-Amz-Date": {today.Format("20060102T150405Z")}, "X-Amz-Expires": {"600"}, "X-Amz-Signature": {"0"}}
	if status, answer := w.Post(t, s.body(t, i, w.store.URL+path+"?"+q.Encode())); status != http.StatusOK {
		t.Fatalf("%s: message %d is answered %d %s", s.name, i+1, status, answer)
	}
}

// read waits until every record is fetched and read.
func (w *world) read(t *testing.T) {
	t.Helper()
	w.Settled(t)
	const missing = `SELECT (SELECT count(*) FROM download WHERE state IN ('queued', 'fetching')) +
		(SELECT count(*) FROM download WHERE state = 'stored' AND id NOT IN (SELECT download_id FROM record)) +
		(SELECT count(*) FROM health_file WHERE state NOT IN ('read', 'failed'))`
	for until := time.Now().Add(90 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		n := -1
		if err := w.DB.Read(t.Context(), func(v db.Snapshot) error { return v.QueryRowContext(t.Context(), missing).Scan(&n) }); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("%d records are not read", n)
		}
	}
}

// notice is what the database has of a message.
type notice struct {
	id    int64
	stay  string
	facts any
}

// notices are the notifications by the id of their message.
func (w *world) notices(t *testing.T) map[string]notice {
	t.Helper()
	out := map[string]notice{}
	err := w.DB.Read(t.Context(), func(v db.Snapshot) error {
		rows, err := v.QueryContext(t.Context(), `SELECT id, message_id, stay_id, facts FROM notification`)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var n notice
			var message, facts string
			if err := rows.Scan(&n.id, &message, &n.stay, &facts); err != nil {
				return err
			}
			if facts != "" {
				if err := json.Unmarshal([]byte(facts), &n.facts); err != nil {
					return err
				}
			}
			out[message] = n
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// export is the feed's file: the cells by the names of their columns, the lines by Metriport id, of each patient the
// latest first.
func (w *world) export(t *testing.T, b *webtest.Browser) map[string][]map[string]string {
	t.Helper()
	_, body := b.Get(t, "/?format=csv&state=all")
	lines, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(body, "\ufeff"))).ReadAll()
	if err != nil || len(lines) == 0 {
		t.Fatalf("the export is no CSV file (%v): %.300s", err, body)
	}
	out := map[string][]map[string]string{}
	for _, line := range lines[1:] {
		cells := map[string]string{}
		for i, cell := range line {
			name, _, zone := strings.Cut(lines[0][i], " (")
			if !zone || strings.HasSuffix(name, "delay") || name == "Here" { // "(s)" is a unit, not a zone
				name = lines[0][i]
			}
			cells[name] = cell
		}
		out[cells["Metriport id"]] = append(out[cells["Metriport id"]], cells)
	}
	return out
}

// page fetches a page and takes it apart.
func (w *world) page(t *testing.T, b *webtest.Browser, path string) *goquery.Document {
	t.Helper()
	resp, body := b.Get(t, path)
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(body))
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %v", path, resp.StatusCode, err)
	}
	return doc
}

// text is what people read of a part of a page.
func text(s *goquery.Selection) string { return strings.Join(strings.Fields(s.Text()), " ") }

// hovered is that and what its titles and other attributes say.
func hovered(s *goquery.Selection) string {
	out := []string{text(s)}
	s.Find("*").AddSelection(s).Each(func(_ int, e *goquery.Selection) {
		for _, a := range e.Nodes[0].Attr {
			out = append(out, a.Val)
		}
	})
	return strings.Join(out, "\n")
}

// check compares everything that people see with what the shapes expect, a subtest a shape.
func (w *world) check(t *testing.T, shapes []shape, email string) {
	t.Helper()
	b := w.SignedIn(t, email, db.Viewer)
	notices, export := w.notices(t), w.export(t, b)
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			feed := w.page(t, b, "/?state=all&q="+url.QueryEscape(s.Patient.ID))
			lines := export[s.Patient.ID]
			if len(lines) != len(s.Messages) || feed.Find("#feed > li.row").Length() != len(s.Messages) {
				t.Fatalf("%d lines and %d rows for %d messages", len(lines), feed.Find("#feed > li.row").Length(), len(s.Messages))
			}
			var ids []int64
			for i := range s.Messages {
				ids = append(ids, notices[s.messageID(i)].id)
			}
			for i, m := range s.Messages {
				n := notices[s.messageID(i)]
				for _, wrong := range compare("facts", m.Facts, n.facts) {
					t.Errorf("message %d, %s", i+1, wrong)
				}
				li := feed.Find(fmt.Sprintf("#n-%d", n.id))
				if li.Length() != 1 {
					t.Errorf("message %d has %d rows", i+1, li.Length())
					continue
				}
				after := 0 // rows of this patient that are newer
				for _, id := range ids {
					if id > n.id {
						after++
					}
				}
				for _, wrong := range slices.Concat(m.Row.wrong(li), m.wrongLine(lines[after]), s.forbidden(li, lines[after])) {
					t.Errorf("message %d, %s", i+1, wrong)
				}
			}
			patient := w.page(t, b, "/patients/"+s.Patient.ID)
			for _, wrong := range slices.Concat(s.wrongStays(patient, notices), s.wrongPage(patient)) {
				t.Error(wrong)
			}
		})
	}
}

// wrong says where a row is not as it should be.
func (r row) wrong(li *goquery.Selection) (out []string) {
	add := func(format string, a ...any) { out = append(out, fmt.Sprintf(format, a...)) }
	all := text(li)
	first := li.Find(".fact > span").First()
	fact, detail := text(first), text(li.Find(".fact .detail").First())
	var flags []string
	li.Find(".fact .flag").Each(func(_ int, f *goquery.Selection) { flags = append(flags, text(f)) })
	if r.Fact != "" && fact != r.Fact {
		add("fact: got %q, want %q", fact, r.Fact)
	}
	if !strings.HasPrefix(fact, r.FactStarts) || !strings.HasSuffix(fact, r.FactEnds) || r.FactMost > 0 && len([]rune(fact)) > r.FactMost {
		add("fact: got %q, want %q to %q in at most %d characters", fact, r.FactStarts, r.FactEnds, r.FactMost)
	}
	if r.Muted && !first.HasClass("muted") {
		add("fact %q is not muted", fact)
	}
	if r.Detail != "" && detail != r.Detail {
		add("detail: got %q, want %q", detail, r.Detail)
	}
	if r.Flags != nil && !slices.Equal(flags, r.Flags) {
		add("flags: got %q, want %q", flags, r.Flags)
	}
	for _, f := range r.FlagsHave {
		if !slices.Contains(flags, f) {
			add("flags: got %q, want %q among them", flags, f)
		}
	}
	if happened, _ := li.Find(".when time").Attr("datetime"); r.Happened != "" && happened != r.Happened {
		add("happened: got %q, want %q", happened, r.Happened)
	}
	for _, words := range r.Says {
		if !strings.Contains(all, words) {
			add("the row does not say %q: %s", words, all)
		}
	}
	for _, words := range r.Silent {
		if strings.Contains(all, words) {
			add("the row says %q: %s", words, all)
		}
	}
	for _, words := range r.Hover {
		if !strings.Contains(hovered(li), words) {
			add("the row does not explain %q: %s", words, hovered(li))
		}
	}
	return out
}

// wrongLine says where a line of the export is not as it should be. What, More and Flags are the words of the row.
func (m message) wrongLine(cells map[string]string) (out []string) {
	add := func(name, want string) {
		out = append(out, fmt.Sprintf("CSV %s: got %q, want %q", name, cells[name], want))
	}
	want := map[string]string{}
	if m.Row.Fact != "" {
		want["What"] = m.Row.Fact
	}
	if m.Row.Detail != "" {
		want["More"] = m.Row.Detail
	}
	if m.Row.Flags != nil {
		want["Flags"] = strings.Join(m.Row.Flags, "; ")
	}
	for name, cell := range m.CSV {
		want[name] = cell
	}
	for name, cell := range want {
		if got, ok := cells[name]; !ok || got != cell {
			add(name, cell)
		}
	}
	for _, f := range m.Row.FlagsHave {
		if !slices.Contains(strings.Split(cells["Flags"], "; "), f) {
			add("Flags", "… "+f+" …")
		}
	}
	if !strings.HasPrefix(cells["What"], m.Row.FactStarts) || !strings.HasSuffix(cells["What"], m.Row.FactEnds) {
		add("What", m.Row.FactStarts+m.Row.FactEnds)
	}
	for _, words := range m.CSVSays {
		if !says(cells, words) {
			out = append(out, fmt.Sprintf("CSV: no cell says %q: %q", words, cells))
		}
	}
	return out
}

func says(cells map[string]string, words string) bool {
	for _, cell := range cells {
		if strings.Contains(cell, words) {
			return true
		}
	}
	return false
}

// forbidden says which words stand in a row or a line though they must not.
func (s shape) forbidden(li *goquery.Selection, cells map[string]string) (out []string) {
	for _, words := range s.Never {
		if strings.Contains(text(li), words) {
			out = append(out, fmt.Sprintf("the row says %q: %s", words, text(li)))
		}
		if says(cells, words) {
			out = append(out, fmt.Sprintf("CSV: a cell says %q: %q", words, cells))
		}
	}
	return out
}

// wrongStays says where the stays of a patient are not as they should be.
func (s shape) wrongStays(page *goquery.Document, notices map[string]notice) (out []string) {
	add := func(format string, a ...any) { out = append(out, fmt.Sprintf(format, a...)) }
	shown := page.Find(".stays > li.stay")
	if shown.Length() != len(s.Stays) {
		add("%d stays, want %d: %s", shown.Length(), len(s.Stays), text(shown))
	}
	taken := map[string]int{}
	for i, want := range s.Stays {
		ids := map[string]bool{}
		for _, n := range want.Notices {
			ids[notices[s.messageID(n-1)].stay] = true
		}
		id := notices[s.messageID(want.Notices[0]-1)].stay
		li := shown.Filter("#stay-" + id)
		if other, ok := taken[id]; ok || len(ids) != 1 || li.Length() != 1 {
			add("stay %d: its notices %v are in %d stays, shown %d times, the same as stay %d", i+1, want.Notices, len(ids), li.Length(), other)
			continue
		}
		taken[id] = i + 1
		all := text(li)
		low := strings.ToLower(all)
		has := func(at string) bool { return li.Find(`time[datetime="`+at+`"]`).Length() > 0 }
		switch want.Admitted {
		case "":
		case "not sent":
			if !strings.Contains(low, "admit time not sent") {
				add("stay %d does not say that its admit time was not sent: %s", i+1, all)
			}
		default:
			if !has(want.Admitted) {
				add("stay %d was admitted %s: %s", i+1, want.Admitted, hovered(li))
			}
		}
		switch want.Discharged {
		case "open":
			if strings.Contains(low, "discharge") {
				add("stay %d is open: %s", i+1, all)
			}
		case "not sent":
			if !strings.Contains(low, "discharge time not sent") || strings.Contains(low, "so far") {
				add("stay %d is over, discharge time not sent: %s", i+1, all)
			}
		case "":
			if !strings.Contains(low, "discharged") || strings.Contains(low, "so far") {
				add("stay %d is over: %s", i+1, all)
			}
		default:
			if !has(want.Discharged) || strings.Contains(low, "so far") {
				add("stay %d was discharged %s: %s", i+1, want.Discharged, hovered(li))
			}
		}
		for _, words := range append(want.Shows, want.Facility) {
			if !strings.Contains(all, words) {
				add("stay %d does not show %q: %s", i+1, words, all)
			}
		}
		for _, words := range want.Hides {
			if strings.Contains(all, words) {
				add("stay %d shows %q: %s", i+1, words, all)
			}
		}
	}
	return out
}

// wrongPage says what a patient's page lacks, or says though it must not.
func (s shape) wrongPage(page *goquery.Document) (out []string) {
	all := text(page.Find("main"))
	for _, words := range s.Page {
		if !strings.Contains(all, words) {
			out = append(out, fmt.Sprintf("the patient's page does not say %q", words))
		}
	}
	for _, words := range s.PageNever {
		if strings.Contains(all, words) {
			out = append(out, fmt.Sprintf("the patient's page says %q", words))
		}
	}
	return out
}

// dump is every row of the tables that people's pages are made of.
func (w *world) dump(t *testing.T, d *db.DB) string {
	t.Helper()
	var out strings.Builder
	err := d.Read(context.Background(), func(v db.Snapshot) error {
		for _, table := range []string{"patient", "notification", "stay", "record"} {
			if err := dumpTable(v, &out, table); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func dumpTable(v db.Snapshot, out *strings.Builder, table string) error {
	rows, err := v.QueryContext(context.Background(), "SELECT * FROM "+table+" ORDER BY 1")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	for rows.Next() {
		cells, into := make([]any, len(names)), make([]any, len(names))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		fmt.Fprintln(out, table, cells)
	}
	return rows.Err()
}
