package chart_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"carebell/db"
	"carebell/web/chart"
	"carebell/web/metriport"
	"carebell/web/sim"
)

// recordNoon is when every test here happens; the clock stands still.
var recordNoon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// records is a data folder whose projector and archive are the test's own hands. What its links lead to is in files.
type records struct {
	*db.DB
	inbox     *db.Inbox
	projector *chart.Projector
	files     map[string]string // link → content
	dir       string
	older     bool // what files say is read as an older version might have: wrongly
}

func openRecords(t *testing.T, files map[string]string) *records {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "carebell-test-") // not about the disk
	if err != nil {
		dir = t.TempDir()
	}
	d, err := db.Open(context.Background(), dir, db.Options{Now: func() time.Time { return recordNoon }, Serve: true})
	if err != nil {
		t.Fatal(err)
	}
	d.OnCommit(func() {})
	in, err := d.OpenInbox(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	r := &records{DB: d, inbox: in, projector: chart.New(d, slog.New(slog.DiscardHandler)), files: files, dir: dir}
	t.Cleanup(func() { r.close(t); _ = os.RemoveAll(dir) })
	return r
}

func (r *records) close(t *testing.T) {
	if r.DB != nil {
		r.inbox.Close()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		r.DB = nil
	}
}

// receive puts a message into the inbox as the receiver does.
func (r *records) receive(t *testing.T, body []byte) {
	t.Helper()
	e := metriport.ReadEnvelope(body)
	if _, err := r.inbox.Append(context.Background(), db.Received{MessageID: e.MessageID, Shared: e.Shared, RequestID: e.RequestID, Type: e.Type, SentAt: e.When, KeyID: "k", Body: body}); err != nil {
		t.Fatal(err)
	}
}

// step takes a batch of messages into the chart and says whether there was one.
func (r *records) step(t *testing.T) bool {
	t.Helper()
	n, err := r.projector.Step(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return n > 0
}

// waiting lists the links that have not been fetched.
func (r *records) waiting(t *testing.T) []db.Download {
	t.Helper()
	var out []db.Download
	for _, id := range r.ids(t, `SELECT id FROM download WHERE state = 'queued' ORDER BY id`) {
		if err := r.Read(context.Background(), func(v db.Snapshot) error {
			d, err := v.Download(context.Background(), id)
			out = append(out, d)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func (r *records) ids(t *testing.T, query string, args ...any) (ids []int64) {
	t.Helper()
	for _, line := range r.rows(t, query, args...) {
		var id int64
		if _, err := fmt.Sscan(line, &id); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

// store does what the archive does when a file has come.
func (r *records) store(t *testing.T, d db.Download) {
	t.Helper()
	content, ok := r.files[d.URL]
	if !ok {
		t.Fatalf("no file behind %s %s", d.Purpose, d.Place)
	}
	if d.SniffedType = "application/octet-stream"; strings.HasPrefix(content, "{") {
		d.SniffedType = "application/json"
	}
	facts, parts, inside := readFile(t, d, content)
	if r.older {
		facts = misread(t, d, facts)
	}
	sum := sha256.Sum256([]byte(content))
	d.State, d.Size, d.File, d.SHA256 = db.FetchStored, int64(len(content)), fmt.Sprint("file-", d.ID), sum[:]
	err := r.Write(context.Background(), func(tx *db.Tx) error {
		if err := tx.EndDownload(context.Background(), d); err != nil {
			return err
		}
		for _, p := range parts {
			sum := sha256.Sum256(inside[p.Writer-1].Bytes())
			if _, err := tx.AddStored(context.Background(), db.Download{
				InboxSeq: d.InboxSeq, Place: p.Place, PatientID: d.PatientID, Purpose: db.PurposeAttachment, Name: p.Name, ClaimedType: p.ClaimedType,
				Size: int64(inside[p.Writer-1].Len()), SniffedType: "text/plain", SHA256: sum[:], File: fmt.Sprint("inside-", d.ID, "-", p.Writer),
			}); err != nil {
				return err
			}
		}
		if facts == nil {
			return nil
		}
		if err := tx.SaveRecord(context.Background(), d.ID, facts); err != nil {
			return err
		}
		return chart.ApplyRecord(context.Background(), tx, d, facts)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// readFile reads a file as the archive does.
func readFile(t *testing.T, d db.Download, content string) (facts []byte, parts []db.Part, inside []*bytes.Buffer) {
	t.Helper()
	var err error
	if d.Purpose == db.PurposeMessage {
		facts, parts, err = chart.SplitRecord(d, strings.NewReader(content), func() (io.Writer, error) {
			inside = append(inside, &bytes.Buffer{})
			return inside[len(inside)-1], nil
		})
	} else {
		facts, err = chart.ReadRecord(d, strings.NewReader(content))
	}
	if err != nil {
		t.Fatal(err)
	}
	return facts, parts, inside
}

// settle takes in everything that is left.
func (r *records) settle(t *testing.T) {
	t.Helper()
	for r.step(t) {
	}
	for again := true; again; { // a message may lead to attachments
		again = false
		for _, d := range r.waiting(t) {
			r.store(t, d)
			again = true
		}
	}
}

// rows lists what a query finds, a line a row.
func (r *records) rows(t *testing.T, query string, args ...any) (out []string) {
	t.Helper()
	err := r.Read(context.Background(), func(v db.Snapshot) error {
		rows, err := v.QueryContext(context.Background(), query, args...)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		cells, to := make([]any, len(columns)), make([]any, len(columns))
		for i := range cells {
			to[i] = &cells[i]
		}
		for rows.Next() {
			if err := rows.Scan(to...); err != nil {
				return err
			}
			words := make([]string, len(cells))
			for i, c := range cells {
				words[i] = fmt.Sprint(c)
			}
			out = append(out, strings.Join(words, " | "))
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return out
}

// sense is what the chart says, whatever order things came in: no number that follows from the order.
func (r *records) sense(t *testing.T) string {
	t.Helper()
	var out []string
	for _, q := range []string{
		`SELECT 'patient', id, external_id, external_id_of, name, birth_date, sex, phone, deceased, first_event_at, last_event_at FROM patient ORDER BY id`,
		`SELECT 'found by', p.id, s.words FROM patient p JOIN patient_search s ON s.rowid = p.no ORDER BY p.id`,
		`SELECT 'statement', s.patient_id, i.message_id, s.sent, s.name, s.birth_date, s.sex, s.phone, s.deceased FROM patient_statement s JOIN inbox i ON i.seq = s.inbox_seq ORDER BY 2, 3`,
		`SELECT 'stay', * FROM stay ORDER BY id`,
		`SELECT 'notification', message_id, id % 1024, kind, patient_id, event_at, sent_at, facility, visit_number, stay_id, facts FROM notification ORDER BY message_id, id % 1024`,
		`SELECT 'facility', name FROM facility ORDER BY name`,
		`SELECT 'mail', i.message_id, box, sender_id, stated_id, patient_id, subject, thread, sender, recipients, reply_to, network, transport, text, more, m.sent_at, s.words
			FROM mail m JOIN inbox i ON i.seq = m.id JOIN mail_search s ON s.rowid = m.id WHERE box = 'in' ORDER BY i.message_id`,
		`SELECT 'sent', sender_id, patient_id, m.sent_at, ended_at, status, reason, words FROM mail m JOIN mail_search s ON s.rowid = m.id WHERE box = 'out' ORDER BY sender_id`,
		`SELECT 'inside', i.message_id, place, purpose, name, claimed_type, d.state FROM download d JOIN inbox i ON i.seq = d.inbox_seq WHERE purpose IN ('message', 'attachment') ORDER BY i.message_id, place`,
	} {
		out = append(out, r.rows(t, q)...)
	}
	return strings.Join(out, "\n")
}

// projections is every table that a rebuild makes, byte for byte.
func (r *records) projections(t *testing.T) string {
	t.Helper()
	var out []string
	for _, q := range []string{
		`SELECT * FROM patient ORDER BY no`, `SELECT * FROM patient_alias ORDER BY 1, 2, 3`, `SELECT rowid, words FROM patient_search ORDER BY 1`, `SELECT * FROM patient_statement ORDER BY 1, 2`,
		`SELECT * FROM facility ORDER BY 1`, `SELECT * FROM mail ORDER BY id`, `SELECT * FROM mail_status ORDER BY 1`, `SELECT rowid, words FROM mail_search ORDER BY 1`, `SELECT * FROM notification ORDER BY id`, `SELECT * FROM stay ORDER BY id`, `SELECT * FROM inbox_outcome ORDER BY seq`, `SELECT * FROM cursor ORDER BY 1`,
		`SELECT * FROM download ORDER BY id`, `SELECT * FROM record ORDER BY 1`, `SELECT * FROM correction ORDER BY 1, 2`, // none of these, but it must leave them alone
	} {
		out = append(out, "== "+q)
		out = append(out, r.rows(t, q)...)
	}
	return strings.Join(out, "\n")
}

// firstDifference names the first line in which two dumps differ.
func firstDifference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d\nwas  %s\nis   %s", i, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d lines became %d", len(a), len(b))
}

const recordStore = "http://store.example"

var linked = regexp.MustCompile(`http://store\.example/objects/[^"]+`)

// recordStory is some days of a few patients, and all that their links lead to: stays with transfers and summaries, a
// John Doe, one stay under two ids, drugs, laboratory, queries, and records that contradict one another.
func recordStory(t *testing.T) (messages [][]byte, files map[string]string) {
	t.Helper()
	s := sim.New(sim.Options{Now: func() time.Time { return recordNoon }, Seed: 5, BaseURL: recordStore})
	files = map[string]string{}
	all := s.Backlog(4)
	for _, kind := range metriport.Types {
		for range 2 {
			m, err := s.Sample(kind)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, m)
		}
	}
	patients := map[string]int{}
	for _, m := range all {
		event, err := metriport.ReadEvent(m.Type, m.Body)
		if err != nil {
			t.Fatal(err)
		}
		links := metriport.Links(m.Type, event, recordNoon)
		if len(links) == 0 && m.Type != metriport.MessageStatus || m.Type == metriport.DocumentsPaged || m.Type == metriport.DocumentsURLs {
			continue
		}
		if p := event.Payload; p != nil {
			if _, known := patients[string(p.Patient.ID)]; !known && len(patients) == 14 {
				continue
			}
			patients[string(p.Patient.ID)]++
		}
		for _, l := range links {
			rec := httptest.NewRecorder()
			s.Store().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, l.URL, nil))
			if rec.Code != http.StatusOK {
				t.Fatalf("the store answers %d", rec.Code)
			}
			files[l.URL] = rec.Body.String()
			for _, link := range linked.FindAllString(files[l.URL], -1) { // of attachments within a message
				rec := httptest.NewRecorder()
				s.Store().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, link, nil))
				files[link] = rec.Body.String()
			}
		}
		messages = append(messages, m.Body)
	}
	more, moreFiles := contradictions()
	maps.Copy(files, moreFiles)
	return append(messages, more...), files
}

// contradictions are events of one patient whose records differ in name, birth date, facility and visit, among them two
// admits of one visit, and a discharge without an admit time.
func contradictions() (messages [][]byte, files map[string]string) {
	files = map[string]string{}
	add := func(id, kind, when, fields, patient, encounter string) {
		link := recordStore + "/" + id
		body := fmt.Sprintf(`{"meta":{"messageId":%q,"when":%q,"type":%q},"payload":{"patientId":"two-faced","url":%q%s}}`, id, when, kind, link, fields)
		messages = append(messages, []byte(body))
		files[link] = fmt.Sprintf(`{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","id":"p"%s}}%s]}`, patient, encounter)
	}
	visit := func(id, number, reason, facility string) string {
		return fmt.Sprintf(`,{"resource":{"resourceType":"Encounter","id":%q,"status":"in-progress","class":{"code":"IMP"},"identifier":[{"type":{"coding":[{"code":"VN"}]},"value":%q}],
			"reasonCode":[{"text":%q}],"serviceProvider":{"display":%q}}}`, id, number, reason, facility)
	}
	add("c-1", "patient.admit", "2026-11-20T08:10:00Z", `,"admitTimestamp":"2026-11-20T08:00:00Z"`, `,"name":[{"text":"Ann Example"}],"birthDate":"1950-01-02","gender":"female"`, visit("e-1", "V1", "Fall", "First Hospital"))
	add("c-2", "patient.admit", "2026-11-20T11:10:00Z", `,"admitTimestamp":"2026-11-20T11:00:00Z"`, `,"name":[{"text":"Anna Example"}]`, visit("e-2", "V1", "Hip fracture", "First Hospital"))
	add("c-3", "patient.transfer", "2026-11-20T15:10:00Z", `,"admitTimestamp":"2026-11-20T11:00:00Z","transfers":[{"timestamp":"2026-11-20T15:00:00Z","sourceLocation":{"name":"ER"},"destinationLocation":{"name":"Ward 4"}}]`, ``, visit("e-2", "V2", "", "Second Hospital"))
	add("c-4", "patient.discharge", "2026-11-21T09:10:00Z", `,"admitTimestamp":"2026-11-20T13:00:00Z","dischargeTimestamp":"2026-11-21T09:00:00Z"`, `,"name":[{"text":"Ann Example"}],"birthDate":"1951-01-02","telecom":[{"system":"phone","value":"555-0199"}]`, visit("e-3", "V2", "", ""))
	add("c-5", "patient.discharge", "2026-11-21T09:20:00Z", `,"dischargeTimestamp":"2026-11-21T08:55:00Z"`, ``, visit("e-4", "V9", "", "Third Hospital"))
	add("c-6", "patient.admit", "2026-11-22T08:10:00Z", `,"admitTimestamp":"2026-11-22T08:00:00Z"`, ``, "")
	add("c-7", "patient.admit", "2026-11-22T08:10:00Z", `,"admitTimestamp":"2026-11-22T08:00:00Z"`, `,"name":[{"text":"Same Moment"}],"deceasedBoolean":true`, visit("e-5", "", "Syncope", ""))
	for i, status := range []string{ // of one sent message, contradicting one another, two at one time
		`"status":"failed","reason":"first","sentAt":"2026-11-20T08:00:00Z","completedAt":"2026-11-20T08:01:00Z"`,
		`"status":"completed","completedAt":"2026-11-20T09:00:00Z"`,
		`"status":"failed","reason":"at the same time","completedAt":"2026-11-20T09:00:00Z","sentAt":"2026-11-20T08:00:30Z"`,
		`"reason":"says no status","completedAt":"2026-11-20T10:00:00Z"`,
		`"status":"FAILED ","reason":"says no time"`,
	} {
		patient := []string{"", "two-faced"}[i%2]
		messages = append(messages, fmt.Appendf(nil, `{"meta":{"messageId":"s-%d","when":"2026-11-20T08:30:00Z","type":"message.status"},"payload":{"id":"sent-once","patientId":%q,%s}}`, i, patient, status))
	}
	link := recordStore + "/letter"
	messages = append(messages, fmt.Appendf(nil, `{"meta":{"messageId":"letter","when":"2026-11-20T08:30:00Z","type":"message.received"},"payload":{"url":%q,"from":"The event","intendedRecipientNpi":["1","2"]}}`, link))
	files[link] = `{"resourceType":"Communication","id":"l","topic":{"text":"Re: In the file"},"sender":{"display":"The file"},"recipient":[{"display":"NPI 2"},{"display":"B"},{"display":"A"}],"inResponseTo":[{"reference":"Communication/earlier"}],
		"payload":[{"contentString":"Text"},{"contentAttachment":{"title":"in.txt","data":"SW4="}},{"contentAttachment":{"title":"out.txt","url":"` + recordStore + `/out.txt"}}]}`
	files[recordStore+"/out.txt"] = "out"
	return messages, files
}

// arrive takes everything in, in an order of r's: messages in any order, each link fetched some time after its message.
func (r *records) arrive(t *testing.T, messages [][]byte, order *rand.Rand) {
	t.Helper()
	left := slices.Clone(messages)
	order.Shuffle(len(left), func(i, k int) { left[i], left[k] = left[k], left[i] })
	patience := 1 + order.IntN(6) // how slow fetching is
	for len(left) > 0 {
		n := min(1+order.IntN(8), len(left))
		for _, body := range left[:n] {
			r.receive(t, body)
		}
		left = left[n:]
		r.step(t)
		waiting := r.waiting(t)
		order.Shuffle(len(waiting), func(i, k int) { waiting[i], waiting[k] = waiting[k], waiting[i] })
		for _, d := range waiting[:len(waiting)/patience] {
			r.store(t, d)
		}
	}
	for r.step(t) {
	}
	for waiting := r.waiting(t); len(waiting) > 0; waiting = r.waiting(t) {
		order.Shuffle(len(waiting), func(i, k int) { waiting[i], waiting[k] = waiting[k], waiting[i] })
		for _, d := range waiting {
			r.store(t, d)
		}
	}
}

// TestAnyOrderOfMessagesAndRecordsGivesTheSameChart: 36 orders of the same messages and of what their links lead to end
// in the same patients, stays and facts; and so does a rebuild of each, byte for byte.
func TestAnyOrderOfMessagesAndRecordsGivesTheSameChart(t *testing.T) {
	messages, files := recordStory(t)
	first := openRecords(t, files)
	for _, m := range messages {
		first.receive(t, m)
	}
	first.settle(t)
	want := first.sense(t)
	if len(messages) < 60 || strings.Count(want, "\nstay") < 10 || strings.Count(want, "\nstatement") < 30 {
		t.Fatalf("only %d messages in the story:\n%s", len(messages), want)
	}
	first.close(t)
	seeds := uint64(36)
	if testing.Short() {
		seeds = 3
	}
	for seed := range seeds {
		r := openRecords(t, files)
		r.arrive(t, messages, rand.New(rand.NewPCG(seed, 1)))
		if got := r.sense(t); got != want {
			t.Fatalf("order %d gives another chart: %s", seed, firstDifference(want, got))
		}
		if seed%4 == 0 {
			rebuilt(t, r, fmt.Sprint("order ", seed))
		}
		r.close(t)
	}
}

// rebuilt makes the chart again and compares.
func rebuilt(t *testing.T, r *records, when string) {
	t.Helper()
	before := r.projections(t)
	if _, err := chart.Rebuild(context.Background(), r.DB, slog.New(slog.DiscardHandler), func(int) {}); err != nil {
		t.Fatal(err)
	}
	if after := r.projections(t); after != before {
		t.Errorf("%s: a rebuild makes another chart: %s", when, firstDifference(before, after))
	}
}

// TestAMessageAndItsFileAreOneRow: what the event says stands, the file completes it; of a sent message, what was told last.
func TestAMessageAndItsFileAreOneRow(t *testing.T) {
	messages, files := contradictions()
	r := openRecords(t, files)
	for _, m := range messages {
		r.receive(t, m)
	}
	r.settle(t)
	got := r.rows(t, `SELECT sender, subject, thread, recipients, reply_to, text, patient_id FROM mail WHERE box = 'in'`)
	if want := `The event | Re: In the file | in the file | ["NPI 1","NPI 2","B","A"] | earlier | Text | `; len(got) != 1 || got[0] != want {
		t.Errorf("the message is\n%s\nwant\n%s", got, want)
	}
	got = r.rows(t, `SELECT sender_id, patient_id, status, reason, sent_at, ended_at, (SELECT count(*) FROM mail_status) FROM mail WHERE box = 'out'`)
	if want := `sent-once | two-faced | failed | at the same time | 1795161630000 | 1795165200000 | 5`; len(got) != 1 || got[0] != want {
		t.Errorf("the sent message is\n%s\nwant\n%s", got, want)
	}
	inside := r.rows(t, `SELECT place, name, state, size FROM download WHERE purpose IN ('message', 'attachment') ORDER BY place`)
	if len(inside) != 3 || inside[1] != "/payload/url#attachment/0 | in.txt | stored | 2" || inside[2] != "/payload/url#attachment/1 | out.txt | stored | 3" {
		t.Errorf("its files are %v", inside)
	}
	rebuilt(t, r, "a message with files")
}

// TestRebuildBetweenMessageAndRecord: some links have been fetched, some have not, and what people corrected stands.
func TestRebuildBetweenMessageAndRecord(t *testing.T) {
	messages, files := recordStory(t)
	r := openRecords(t, files)
	for _, m := range messages {
		r.receive(t, m)
	}
	for r.step(t) {
	}
	for i, d := range r.waiting(t) {
		if i%3 > 0 {
			r.store(t, d)
		}
	}
	var user int64
	patients := r.rows(t, `SELECT id FROM patient WHERE name <> '' ORDER BY id`)
	err := r.Write(context.Background(), func(tx *db.Tx) (err error) {
		if user, err = tx.AddUser(context.Background(), "carla@clinic.example", db.Coordinator, "hash"); err != nil {
			return err
		}
		for i, id := range patients[:4] {
			if err := tx.CorrectPatient(context.Background(), user, id, []string{"name", "birth_date"}[i%2], []string{"Zoë Corrected", "1949-12-31"}[i%2]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	rebuilt(t, r, "half way")
	r.settle(t)
	if got := r.rows(t, `SELECT name FROM patient WHERE id = ?`, patients[0]); got[0] != "Zoë Corrected" {
		t.Errorf("after later records the name is %v, want the corrected one", got)
	}
	rebuilt(t, r, "at the end")
	if got := r.rows(t, `SELECT name FROM patient WHERE id = ?`, patients[0]); got[0] != "Zoë Corrected" {
		t.Errorf("after a rebuild the name is %v, want the corrected one", got)
	}
	said := r.rows(t, `SELECT name FROM patient_statement WHERE patient_id = ? AND name <> '' ORDER BY sent DESC LIMIT 1`, patients[0])
	if err := r.Write(context.Background(), func(tx *db.Tx) error {
		return tx.CorrectPatient(context.Background(), user, patients[0], "name", "")
	}); err != nil {
		t.Fatal(err)
	}
	if got := r.rows(t, `SELECT name FROM patient WHERE id = ?`, patients[0]); got[0] != said[0] || got[0] == "Zoë Corrected" {
		t.Errorf("with the correction taken back the name is %v, want the record's %v", got, said)
	}
}

// TestCorrectionOfSomebodyWithoutARecordSurvivesARebuild: a John Doe whom a person gave a name keeps it.
func TestCorrectionOfSomebodyWithoutARecordSurvivesARebuild(t *testing.T) {
	r := openRecords(t, nil)
	r.receive(t, []byte(`{"meta":{"messageId":"doe","when":"2026-11-22T10:00:00Z","type":"patient.admit"},"payload":{"patientId":"doe","admitTimestamp":"2026-11-22T09:00:00Z"}}`))
	for r.step(t) {
	}
	if err := r.Write(context.Background(), func(tx *db.Tx) error {
		user, err := tx.AddUser(context.Background(), "carla@clinic.example", db.Coordinator, "hash")
		if err != nil {
			return err
		}
		return tx.CorrectPatient(context.Background(), user, "doe", "name", "Jonathan Example")
	}); err != nil {
		t.Fatal(err)
	}
	rebuilt(t, r, "a person without a record")
}

// TestTimeFromARecordMakesTheSameTwins: whether a notice counts as sent again does not depend on whether the record of
// the earlier one had come by then.
func TestTimeFromARecordMakesTheSameTwins(t *testing.T) {
	const link = recordStore + "/fill"
	file := `{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"MedicationDispense","id":"d","status":"completed","medicationCodeableConcept":{"text":"Lisinopril 10 mg"},"whenHandedOver":"2026-11-22T09:30:00Z"}}]}`
	r := openRecords(t, map[string]string{link: file})
	for i, stated := range []string{"", `,"medicationDispensedDate":"2026-11-22T09:30:00Z"`} {
		r.receive(t, fmt.Appendf(nil, `{"meta":{"messageId":"f-%d","when":"2026-11-22T10:00:00Z","type":"patient.pharmacy"},"payload":{"patientId":"p","url":%q%s}}`, i, link, stated))
	}
	r.settle(t)
	rebuilt(t, r, "two fills at one time")
}

// TestOneVisitUnderTwoAdmits: two admits whose records name the same visit number are one stay with both ids, and so is
// whatever hangs together through a third.
func TestOneVisitUnderTwoAdmits(t *testing.T) {
	messages, files := contradictions()
	r := openRecords(t, files)
	for _, m := range messages {
		r.receive(t, m)
	}
	r.settle(t)
	// c-1 and c-2 share V1; c-3 has c-2's encounter and V2, which c-4 names too; c-5 has no admit time, and is of another
	// hospital.
	got := r.rows(t, `SELECT notices, json_extract(facts, '$.encounterIds'), json_extract(facts, '$.visitNumbers'), json_extract(facts, '$.reasons') FROM stay WHERE patient_id = 'two-faced' ORDER BY admit_at`)
	want := []string{
		`1 | ["e-4"] | ["V9"] | <nil>`,
		`4 | ["e-1","e-2","e-3"] | ["V1","V2"] | ["Hip fracture"]`,
		`2 | ["e-5"] | <nil> | ["Syncope"]`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("the stays are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
