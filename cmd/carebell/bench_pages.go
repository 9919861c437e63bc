package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"carebell/db"
	"carebell/static"
	"carebell/views"
	"carebell/web"
	"carebell/web/care"
	"carebell/web/intake"
)

// pagesBench asks a whole server for every page and filter.
type pagesBench struct {
	fill   fillBench // of a folder that is thrown away, where none is named
	folder string
	rounds int
	only   string
}

// benchPassword opens folders of made-up people.
const benchPassword = "nine quiet lanterns 71" //nolint:gosec // as above

// benchDomain is what the addresses of those end with who ask for pages, behind their role.
const benchDomain = ".bench@clinic.example"

// yardstick is the name of the page that the others are compared with.
const yardstick = "a static file"

// page is one address that is asked for.
type page struct {
	name  string
	path  string
	admin bool
}

// samples are things in the database that pages are asked for.
type samples struct {
	busy, usual string // patients
	mail, sent  int64
	importID    string
	documents   int64
	proofing    int64
	record      int64 // file of a record
	seq         int64
	before      string // a notification far down
}

func (o pagesBench) run(ctx context.Context, dir string, t terminal) error {
	if o.rounds < 1 {
		return errors.New("--rounds must be positive")
	}
	folder, err := o.fill.folderFor(ctx, o.folder, dir, t)
	if err != nil {
		return err
	}
	cfg := web.Config{Addr: "127.0.0.1:0", Keys: []intake.Key{{Value: benchKey}}, Zone: time.UTC, Now: now, DataDir: folder, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	r := benchReport{Title: "Time of an answer over HTTP, of a signed-in person, in " + strconv.Itoa(o.rounds) + " rounds"}
	err = benchServerOn(ctx, cfg, func(ctx context.Context, srv *web.Server, d *db.DB) error { return o.measure(ctx, srv, d, &r, t) })
	if err != nil {
		return err
	}
	return r.write(t)
}

// folderFor is the folder that was named, or one that is filled.
func (o fillBench) folderFor(ctx context.Context, named, work string, t terminal) (string, error) {
	if named != "" {
		if _, err := os.Stat(filepath.Join(named, db.FileName)); err != nil {
			return "", fmt.Errorf("there is no database in %s: make one with carebell bench fill --events 1000000 %s", named, named)
		}
		return named, nil
	}
	folder := filepath.Join(work, "filled")
	o.days = fillDays
	return folder, o.run(ctx, folder, terminal{in: t.in, out: io.Discard, log: t.log})
}

// benchServerOn runs a whole server while f runs.
func benchServerOn(ctx context.Context, cfg web.Config, f func(ctx context.Context, srv *web.Server, d *db.DB) error) error {
	return withServer(ctx, cfg, func(srv *web.Server, d *db.DB) error {
		work, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- srv.Run(work) }()
		err := f(work, srv, d)
		stop()
		return errors.Join(err, <-ended)
	})
}

// signInAs signs somebody in, whom the folder may know from an earlier run.
func signInAs(ctx context.Context, srv *web.Server, d *db.DB, role db.Role) (person, error) {
	email := string(role) + benchDomain
	err := d.Read(ctx, func(v db.Snapshot) error {
		_, err := v.UserByEmail(ctx, email)
		return err
	})
	if err != nil {
		if err := srv.Auth().AddUser(ctx, email, role, benchPassword); err != nil {
			return person{}, err
		}
	}
	return signInAt(ctx, srv.URL(), email)
}

// signInAt signs in somebody whom a server knows.
func signInAt(ctx context.Context, base, email string) (person, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return person{}, err
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	p := person{warnings: &atomic.Int64{}, base: base, client: &http.Client{Jar: jar, Timeout: 5 * time.Minute, CheckRedirect: stay}}
	_, err = p.ask(ctx, "/login", url.Values{"email": {email}, "password": {benchPassword}})
	return p, err
}

func (o pagesBench) measure(ctx context.Context, srv *web.Server, d *db.DB, r *benchReport, t terminal) error {
	coordinator, err := signInAs(ctx, srv, d, db.Coordinator)
	if err != nil {
		return err
	}
	admin, err := signInAs(ctx, srv, d, db.Admin)
	if err != nil {
		return err
	}
	var k samples
	var h db.Health
	if err := d.Read(ctx, func(v db.Snapshot) (err error) {
		if h, err = v.Health(ctx, ""); err == nil {
			k, err = lookAround(ctx, v)
		}
		return err
	}); err != nil {
		return fmt.Errorf("looking for something to ask for: %w", err)
	}
	r.add("messages in the inbox", float64(h.Head), "messages")
	pages := append([]page{{name: yardstick, path: static.URL("carebell.css")}}, k.pages()...)
	pages = slices.DeleteFunc(pages, func(p page) bool {
		return strings.Contains(p.path, noPage) || o.only != "" && p.name != yardstick && !strings.Contains(p.name, o.only)
	})
	took := make([][]time.Duration, len(pages))
	for round := range o.rounds + 1 {
		for i, p := range pages {
			who := coordinator
			if p.admin {
				who = admin
			}
			at, err := who.ask(ctx, p.path, nil)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			if round > 0 { // the first is to warm up
				took[i] = append(took[i], at)
			}
		}
		fmt.Fprintf(t.log, "round %d of %d\n", round, o.rounds)
	}
	var least float64
	worst := map[string]float64{}
	for i, p := range pages {
		slices.Sort(took[i])
		l := loaded{took: took[i]}
		r.add(p.name+", p50", l.at(0.5), "ms")
		if i == 0 {
			least = l.at(0.95)
			r.add(p.name+", p95", least, "ms")
			continue
		}
		r.against(p.name+", p95", l.at(0.95), "ms", yardstick, least)
		worst[p.name] = l.at(0.95)
	}
	slowest := slices.SortedFunc(keysOf(worst), func(a, b string) int { return cmp.Compare(worst[b], worst[a]) })
	for _, name := range slowest[:min(len(slowest), 5)] {
		r.Notes = append(r.Notes, fmt.Sprintf("Among the slowest: %s, %.1f ms at the 95th percentile.", name, worst[name]))
	}
	return o.exports(ctx, coordinator, admin, k, r)
}

func keysOf(m map[string]float64) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// exportFor is how long an export is read; what has come until then tells its rate.
const exportFor = 8 * time.Second

// exports reads the lists as files, and measures how much memory that takes.
func (o pagesBench) exports(ctx context.Context, coordinator, admin person, k samples, r *benchReport) error {
	for _, p := range k.exports() {
		if strings.Contains(p.path, noPage) || o.only != "" && !strings.Contains(p.name, o.only) {
			continue
		}
		who := coordinator
		if p.admin {
			who = admin
		}
		rows, took, grown, err := who.export(ctx, p.path)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		rate := float64(rows) / took.Seconds()
		r.add(p.name+", rows", float64(rows), "rows")
		r.add(p.name+", rate", rate, "rows/s")
		r.add(p.name+", memory", float64(grown)/(1<<20), "MiB")
	}
	return nil
}

// export reads a list as a file for some time, and returns how many rows came and how much more memory was in use.
func (p person) export(ctx context.Context, path string) (rows int, took time.Duration, grown int64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+path, http.NoBody)
	if err != nil {
		return 0, 0, 0, err
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before := int64(m.HeapInuse)
	began := now()
	resp, err := p.client.Do(req)
	if err != nil {
		return 0, 0, 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return 0, 0, 0, fmt.Errorf("answered %s", resp.Status)
	}
	looked := began
	for b := make([]byte, 64<<10); ; {
		n, err := resp.Body.Read(b)
		rows += bytes.Count(b[:n], []byte("\r\n"))
		at := now()
		if at.Sub(looked) > 200*time.Millisecond {
			looked = at
			runtime.ReadMemStats(&m)
			grown = max(grown, int64(m.HeapInuse)-before)
		}
		if errors.Is(err, io.EOF) || at.Sub(began) > exportFor {
			return max(rows-1, 0), at.Sub(began), grown, nil // the first is the head
		}
		if err != nil {
			return rows, at.Sub(began), grown, err
		}
	}
}

// lookAround finds things to ask for: 0 or "" where there is none.
func lookAround(ctx context.Context, v db.Snapshot) (k samples, err error) {
	err = v.QueryRowContext(ctx, `SELECT
		coalesce((SELECT id FROM mail WHERE box = 'in' ORDER BY id DESC LIMIT 1), 0),
		coalesce((SELECT id FROM mail WHERE box = 'out' ORDER BY id DESC LIMIT 1), 0),
		coalesce((SELECT id FROM import_job ORDER BY no DESC LIMIT 1), ''),
		coalesce((SELECT id FROM pull WHERE kind = 'documents' ORDER BY id DESC LIMIT 1), 0),
		coalesce((SELECT id FROM identity ORDER BY id DESC LIMIT 1), 0),
		coalesce((SELECT id FROM download WHERE state = 'stored' AND purpose = 'adt' ORDER BY id DESC LIMIT 1), 0),
		coalesce((SELECT max(seq) / 2 FROM inbox), 0),
		coalesce((SELECT patient_id FROM notification ORDER BY id DESC LIMIT 1), ''),
		coalesce((SELECT CAST(max(id) / 3 AS TEXT) FROM notification), '')`).Scan(&k.mail, &k.sent, &k.importID, &k.documents, &k.proofing, &k.record, &k.seq, &k.usual, &k.before)
	if err != nil {
		return k, err
	}
	k.busy = k.usual
	for patient := range uint64(fewBusy) { // of a folder that `fill` made
		if _, err := v.Patient(ctx, patientID(patient)); err == nil {
			k.busy = patientID(patient)
		}
	}
	return k, nil
}

// noPage is a path of something that is not there.
const noPage = "?none"

// thing is the path of one thing, or a path that is left out.
func thing(path string, id any) string {
	if id == int64(0) || id == "" {
		return noPage
	}
	return fmt.Sprintf(path, id)
}

// pages are all pages and filters.
func (k samples) pages() (out []page) {
	add := func(admin bool, name, path string, query ...string) {
		q := url.Values{}
		for i := 0; i+1 < len(query); i += 2 {
			q.Set(query[i], query[i+1])
		}
		if len(q) > 0 {
			path += "?" + q.Encode()
		}
		out = append(out, page{name, path, admin})
	}
	many, few, nobody := fillFamily[1], fillRare, "zzqxjk"
	texts := []struct{ name, text string }{{"text of many", many}, {"text of few", few}, {"text of nobody", nobody}, {"two words", many + " " + fillGiven[0]}, {"two letters", "sa"}}
	search := func(admin bool, name, path string, query ...string) {
		for _, t := range texts {
			add(admin, name+" "+t.name, path, append([]string{"q", t.text}, query...)...)
		}
	}
	add(false, "healthz", "/healthz")
	for _, state := range []string{"open", "new", "done", "all"} {
		add(false, "feed "+state, "/", "state", state)
		add(false, "feed "+state+" far down", "/", "state", state, "before", k.before)
		for _, kind := range care.Kinds {
			add(false, "feed "+state+" "+string(kind), "/", "state", state, "kind", string(kind))
		}
		for _, exchange := range []string{"HIXNY", "KONZA", "QUEST", "SURESCRIPTS", db.ExchangeNotSent} {
			add(false, "feed "+state+" exchange "+exchange, "/", "state", state, "exchange", exchange)
			add(false, "feed "+state+" lab of "+exchange, "/", "state", state, "exchange", exchange, "kind", "lab")
		}
		search(false, "feed "+state, "/", "state", state)
		add(false, "feed "+state+" text of a facility", "/", "state", state, "q", "Hospital")
	}
	add(false, "patients", "/patients")
	search(false, "patients", "/patients")
	add(false, "a patient", thing("/patients/%s", k.usual))
	add(false, "a busy patient", thing("/patients/%s", k.busy))
	for _, section := range []string{"medications", "results", "problems"} {
		add(false, "a busy patient's "+section, thing("/patients/%s/health/"+section, k.busy))
	}
	for _, state := range []string{"open", "new", "read", "assigned", "answered", "all"} {
		add(false, "messages "+state, "/messages", "state", state)
		add(false, "messages "+state+" unmatched", "/messages", "state", state, "only", "unmatched")
		add(false, "messages "+state+" mine", "/messages", "state", state, "by", "me")
	}
	for _, state := range []string{"all", "failed", "delivered", "other"} {
		add(false, "messages sent "+state, "/messages", "box", "outbound", "state", state)
	}
	search(false, "messages", "/messages", "state", "all")
	add(false, "a message", thing("/messages/%d", k.mail))
	add(false, "a sent message", thing("/messages/sent/%d", k.sent))
	for _, state := range []string{"", "waiting", "failed", "completed", "stuck", "other"} {
		add(false, strings.TrimSpace("imports "+state), "/imports", "state", state)
	}
	search(false, "imports", "/imports")
	add(false, "a large import", thing("/imports/%s", k.importID))
	if k.importID != "" {
		at := "/imports/" + url.PathEscape(k.importID)
		for _, status := range []string{"failed", "succeeded"} {
			add(false, "a large import "+status, at, "status", status)
		}
		add(false, "a large import far down", at+"/rows", "from", "80000")
		add(false, "a large import text of many", at, "q", many)
		add(false, "a large import text of nobody", at, "q", nobody)
	}
	add(false, "records queries of a laboratory", "/records", "source", "lab")
	for _, list := range []string{views.RecordQueries, views.RecordConsolidated, views.RecordDocuments} {
		for i := 0; i < len(views.RecordStates[list]); i += 2 {
			state := views.RecordStates[list][i]
			add(false, strings.TrimSpace("records "+list+" "+state), "/records", "view", list, "state", state)
		}
		search(false, "records "+list, "/records", "view", list)
	}
	add(false, "documents of a request", thing("/records/documents/%d", k.documents))
	for _, who := range []string{"", "nobody", "again"} {
		add(false, strings.TrimSpace("identity "+who), identityList, "who", who)
	}
	search(false, "identity", identityList)
	add(false, "a proofing", thing(identityList+"/%d", k.proofing))
	add(false, "preview of a record", thing("/files/%d/preview", k.record))
	search(false, "search for", "/search")
	search(true, "search as admin for", "/search")
	const inbox = "/admin/inbox"
	add(true, "inbox", inbox)
	for _, status := range db.Statuses {
		add(true, "inbox "+string(status), inbox, "status", string(status))
		add(true, "inbox "+string(status)+" labs", inbox, "status", string(status), "type", "patient.laboratory")
	}
	for _, kind := range []string{"patient.admit", "message.received", "ias.identity.verified"} {
		add(true, "inbox "+kind, inbox, "type", kind)
	}
	search(true, "inbox", inbox)
	add(true, "inbox text of a type", inbox, "q", "patient.")
	add(true, "inbox text of an id", inbox, "q", "019a1b")
	day := func(ago int) string { return now().UTC().AddDate(0, 0, -ago).Format(time.DateOnly) }
	add(true, "inbox of a day", inbox, "from", day(60), "to", day(60))
	add(true, "inbox since months", inbox, "from", day(150))
	add(true, "inbox until months ago", inbox, "to", day(100))
	add(true, "inbox of a month and a rare type", inbox, "from", day(90), "to", day(60), "type", "ias.identity.verified")
	add(true, "inbox of a month and failed", inbox, "from", day(90), "to", day(60), "status", "failed")
	add(true, "inbox of a month and text of many", inbox, "from", day(90), "to", day(60), "q", many)
	add(true, "inbox of a patient", inbox, "patient", k.busy)
	add(true, "inbox of a patient and a month", inbox, "patient", k.busy, "from", day(90), "to", day(60))
	add(true, "a webhook", thing(inbox+"/%d", k.seq))
	add(true, "refused", inbox+"/refused")
	add(true, "system", "/admin/system")
	add(true, "completeness", "/admin/system/completeness")
	return out
}

// exports are the lists as files.
func (k samples) exports() []page {
	out := []page{
		{"export of the feed", "/?state=all&format=csv", false}, {"export of the open feed", "/?format=csv", false}, {"export of the feed by text", "/?state=all&format=csv&q=" + fillFamily[1], false},
		{"export of patients", "/patients?format=csv", false}, {"export of messages", "/messages?state=all&format=csv", false}, {"export of records", "/records?format=csv", false},
		{"export of proofings", identityList + "?format=csv", false}, {"export of the inbox", "/admin/inbox?format=csv", true},
	}
	if k.importID != "" {
		out = append(out, page{"export of an import's rows", "/imports/" + url.PathEscape(k.importID) + "?format=csv", false})
	}
	return out
}

const identityList = "/identity"
