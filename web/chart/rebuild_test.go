package chart_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"carebell/db"
	"carebell/web/chart"
	"carebell/web/metriport"
)

// kept are the tables that a rebuild does not make: the truth, what people did, and the numbers of changes.
var kept = []string{"inbox", "reprocess", "inbox_repeat", "rejection", "notification_mark", "mail_mark", "mail_match", "change", "user", "session", "setting", "goose_db_version"}

// projections dumps every other table, column by column, in the order of its key.
func (f *folder) projections(t testing.TB) string {
	t.Helper()
	var out []string
	for _, line := range f.query(t, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '%\_search\_%' ESCAPE '\' AND name NOT LIKE 'search\_words\_%' ESCAPE '\' ORDER BY name`) {
		table := strings.Trim(line, `" `)
		if slices.Contains(kept, table) {
			continue
		}
		columns, key := "*", "1"
		switch table {
		case "patient_search", "mail_search":
			columns = "rowid, words"
		case "search_words":
			columns = "rowid, kind, words"
		case "patient_alias", "pull_document_link":
			key = "1, 2, 3"
		}
		out = append(out, "== "+table)
		out = append(out, f.query(t, "SELECT "+columns+" FROM "+table+" ORDER BY "+key)...)
	}
	return strings.Join(out, "\n")
}

// file opens the database file beside Carebell.
func (f *folder) file(t testing.TB, dir string) *sql.DB {
	t.Helper()
	d, err := sql.Open("sqlite", "file:"+filepath.Join(dir, db.FileName)+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	d.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// TestRebuildMakesTheSameChart keeps a chart live, with repeats and marks, and makes it again from the inbox.
func TestRebuildMakesTheSameChart(t *testing.T) {
	f := open(t, memory(t))
	bodies := story(t)
	var user int64
	if err := f.Write(t.Context(), func(tx *db.Tx) (err error) {
		user, err = tx.AddUser(t.Context(), "carla@clinic.example", db.Coordinator, "hash")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for i, body := range bodies {
		f.receive(t, body)
		switch {
		case i%7 == 0:
			f.step(t)
		case i%11 == 0: // a repeat, of this or of an older one, the same or changed
			f.receive(t, bodies[i/2])
			f.receive(t, strings.Replace(body, `"type"`, `"data":{"again":1},"type"`, 1))
		}
	}
	f.settle(t)
	for _, body := range bodies[:40] { // repeats of what has long been in the chart
		f.receive(t, body)
	}
	f.settle(t)
	var list []db.Notification
	if err := f.Read(t.Context(), func(v db.Snapshot) (err error) {
		list, err = v.Notifications(t.Context(), db.NotificationFilter{Limit: 1000})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := f.Write(t.Context(), func(tx *db.Tx) error {
		for i, n := range list {
			if i%3 == 2 {
				continue
			}
			if err := tx.MarkNotification(t.Context(), n.ID, user, db.State(1+i%3), n.Mark.Version()); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	// Reading all of it again on top of what is there changes nothing.
	want := f.projections(t)
	if err := f.Write(t.Context(), func(tx *db.Tx) error {
		return tx.AskReprocess(t.Context(), user, db.Reprocess{Total: int64(len(bodies))})
	}); err != nil {
		t.Fatal(err)
	}
	again := 0
	for n := -1; n != 0; again += n {
		var err error
		if n, err = f.projector.Again(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.projections(t); again < len(bodies) || got != want {
		t.Fatalf("after reading %d messages again the chart is another one:\n%s", again, difference(want, got))
	}
	for _, table := range []string{"patient", "patient_alias", "patient_search", "facility", "stay", "notification",
		"mail", "mail_status", "mail_search",
		"import_job", "import_event",
		"identity", "search_entry", "search_words",
		"pull", "pull_part", "pull_document", "pull_document_link",
		"inbox_patient", "inbox_outcome", "cursor"} {
		_, rest, found := strings.Cut(want, "== "+table+"\n")
		if !found || strings.HasPrefix(rest, "==") {
			t.Fatalf("the dump has no rows of %s", table)
		}
	}
	const marks = `SELECT * FROM notification_mark ORDER BY 1`
	marked := f.query(t, marks)
	var head int64
	for range 2 {
		done := 0
		n, err := chart.Rebuild(t.Context(), f.DB, quiet, func(n int) { done = n })
		if err != nil || n < len(bodies) || done != n {
			t.Fatalf("Rebuild read %d, said %d, %v", n, done, err)
		}
		if got := f.projections(t); got != want {
			t.Fatalf("the rebuilt chart is another one:\n%s", difference(want, got))
		}
		if got := f.query(t, marks); !slices.Equal(got, marked) {
			t.Errorf("the marks were %v and are %v", marked, got)
		}
		if err := f.Read(t.Context(), func(v db.Snapshot) error { // every open screen has to notice
			sum, err := v.Summary(t.Context(), 1)
			now := sum.Head
			if now <= head {
				t.Errorf("the number of changes went from %d to %d", head, now)
			}
			head = now
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if n := f.step(t); n != 0 {
		t.Errorf("%d messages were left after the rebuild", n)
	}
}

// statuses lists messageId, status and reason of everything in the chart.
func (f *folder) statuses(t testing.TB) map[string]string {
	t.Helper()
	out := map[string]string{}
	if err := f.Read(context.Background(), func(v db.Snapshot) error {
		list, err := v.Messages(context.Background(), db.InboxFilter{Limit: 10_000})
		for _, m := range list {
			out[m.MessageID] = string(m.Status)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestMessageThatFailsCostsOnlyItself: what is wrong with one message is said of it, and those around it are shown.
func TestMessageThatFailsCostsOnlyItself(t *testing.T) {
	f := open(t, memory(t))
	good := func(id string) string {
		return notice(id, metriport.PatientAdmit, "good", fields{"when": at(1), "admitTimestamp": at(0)})
	}
	var crowd []string
	for range 1025 {
		crowd = append(crowd, `{"patientId":"crowd"}`)
	}
	bad := map[string]string{
		"no-payload":  `{"meta":{"messageId":"no-payload","type":"patient.admit"}}`,
		"null":        `{"meta":{"messageId":"null","type":"patient.discharge"},"payload":null}`,
		"text":        `{"meta":{"messageId":"text","type":"patient.lab"},"payload":"Zebulon"}`,
		"list":        `{"meta":{"messageId":"list","type":"patient.transfer"},"payload":["Zebulon"]}`,
		"no-patients": `{"meta":{"messageId":"no-patients","type":"medical.consolidated-data"},"payload":{}}`,
		"rows":        `{"meta":{"messageId":"rows","type":"medical.document-conversion"},"patients":["Zebulon",1]}`,
		"no-bulk":     `{"meta":{"messageId":"no-bulk","type":"medical.bulk-patient-create"}}`,
		"nobody":      `{"meta":{"messageId":"nobody","type":"patient.admit"},"payload":{"patientId":" "}}`,
		"twice":       `{"meta":{"messageId":"twice","type":"patient.admit"},"payload":{"patientId":"a","patientId":"Zebulon"}}`,
		"crowd":       `{"meta":{"messageId":"crowd","type":"medical.discharge-summary"},"patients":[` + strings.Join(crowd, ",") + `]}`,
	}
	bad["text"] = strings.Replace(bad["text"], "patient.lab", "patient.laboratory", 1)
	i := 0
	for _, body := range bad {
		f.receive(t, good(fmt.Sprint("good-", i)))
		f.receive(t, body)
		i++
	}
	f.receive(t, good("good-last"))
	f.settle(t)
	for id, status := range f.statuses(t) {
		want := "processed"
		if _, ok := bad[id]; ok {
			want = "failed"
		}
		if status != want {
			t.Errorf("%s is %s, want %s", id, status, want)
		}
	}
	if n := len(f.query(t, "SELECT id FROM notification")); n != len(bad)+1 {
		t.Errorf("%d notifications, want %d", n, len(bad)+1)
	}
	if who := f.query(t, "SELECT id FROM patient"); len(who) != 1 {
		t.Errorf("the chart has the patients %v, want the good one alone", who)
	}
	for _, reason := range f.query(t, "SELECT error FROM inbox_outcome WHERE status = 'failed'") {
		if strings.Contains(reason, "Zebulon") || len(reason) < 10 {
			t.Errorf("a failed message says %s", reason)
		}
	}
}

// TestRowTheDatabaseRefusesCostsOnlyItself lets the database refuse what one patient's messages write.
func TestRowTheDatabaseRefusesCostsOnlyItself(t *testing.T) {
	dir := memory(t)
	f := open(t, dir)
	if _, err := f.file(t, dir).ExecContext(t.Context(), `CREATE TRIGGER refuse BEFORE INSERT ON notification WHEN NEW.patient_id = 'poison' BEGIN SELECT RAISE (ABORT, 'refused'); END`); err != nil {
		t.Fatal(err)
	}
	for i := range 9 {
		patient := map[bool]string{true: "poison", false: "good"}[i%3 == 1]
		f.receive(t, notice(fmt.Sprint(patient, "-", i), metriport.PatientAdmit, patient, fields{"when": at(float64(i)), "admitTimestamp": at(0)}))
	}
	f.settle(t)
	for id, status := range f.statuses(t) {
		if want := map[bool]string{true: "failed", false: "processed"}[strings.HasPrefix(id, "poison")]; status != want {
			t.Errorf("%s is %s, want %s", id, status, want)
		}
	}
	if who := f.query(t, "SELECT id FROM patient"); len(who) != 1 {
		t.Errorf("the chart has the patients %v: half of a message was written", who)
	}
}

// TestTransactionTheDatabaseTakesBackIsReadAgain lets SQLite end the whole transaction in the middle of a batch, as it
// does when the disk is full: nothing of the batch may count as done then.
func TestTransactionTheDatabaseTakesBackIsReadAgain(t *testing.T) {
	dir := memory(t)
	f := open(t, dir)
	file := f.file(t, dir)
	if _, err := file.ExecContext(t.Context(), `CREATE TRIGGER full BEFORE INSERT ON notification WHEN NEW.patient_id = 'poison' BEGIN SELECT RAISE (ROLLBACK, 'full'); END`); err != nil {
		t.Fatal(err)
	}
	for i := range 9 {
		patient := map[bool]string{true: "poison", false: "good"}[i == 4]
		f.receive(t, notice(fmt.Sprint("m-", i), metriport.PatientAdmit, patient, fields{"when": at(float64(i)), "admitTimestamp": at(0)}))
	}
	_, err := f.projector.Step(t.Context())
	f.agree(t, "after the transaction was taken back")
	if err == nil && len(f.query(t, "SELECT 1 FROM inbox_outcome")) != 9 {
		t.Error("Step says that all is well, and the batch is not there")
	}
	if _, err := file.ExecContext(t.Context(), "DROP TRIGGER full"); err != nil {
		t.Fatal(err)
	}
	f.settle(t)
	if n := len(f.query(t, "SELECT 1 FROM notification")); n != 9 {
		t.Errorf("%d of 9 notifications are in the chart when the disk has room again", n)
	}
}

// agree checks that the cursor, the outcomes and the notifications tell of the same messages.
func (f *folder) agree(t testing.TB, when string) {
	t.Helper()
	if lines := f.query(t, `SELECT 'cursor', coalesce((SELECT at FROM cursor WHERE name = ?), 0) AS cursor, coalesce((SELECT max(seq) FROM inbox_outcome), 0) AS outcomes,
		(SELECT count(*) FROM inbox_outcome) AS n WHERE cursor <> outcomes OR outcomes <> n`, chart.CursorInbox); len(lines) > 0 {
		t.Errorf("%s the cursor is at one place and the outcomes at another: %v", when, lines)
	}
	if lines := f.query(t, `SELECT seq FROM inbox_outcome WHERE status = 'processed' AND seq NOT IN (SELECT inbox_seq FROM notification)`); len(lines) > 0 {
		t.Errorf("%s messages %v count as processed, and nothing shows them", when, lines)
	}
	if lines := f.query(t, `SELECT inbox_seq FROM notification WHERE inbox_seq NOT IN (SELECT seq FROM inbox_outcome)`); len(lines) > 0 {
		t.Errorf("%s messages %v are shown, and do not count as read", when, lines)
	}
	if lines := f.query(t, `SELECT id FROM notification WHERE stay_id NOT IN (SELECT id FROM stay)`); len(lines) > 0 {
		t.Errorf("%s notifications %v belong to no stay", when, lines)
	}
}

// countdown is a context that ends when it has been asked often enough.
type countdown struct {
	context.Context
	left  atomic.Int64
	ended chan struct{}
}

func (c *countdown) ask() {
	if c.left.Add(-1) == 0 {
		close(c.ended)
	}
}

func (c *countdown) Done() <-chan struct{} { c.ask(); return c.ended }

func (c *countdown) Err() error {
	c.ask()
	select {
	case <-c.ended:
		return context.Canceled
	default:
		return nil
	}
}

func (c *countdown) Deadline() (time.Time, bool) { return time.Time{}, false }

// TestCursorAndChartMoveTogether cancels a step at every place where it looks at its context.
func TestCursorAndChartMoveTogether(t *testing.T) {
	f := open(t, memory(t))
	for i := range 30 {
		f.receive(t, notice(fmt.Sprint("m-", i), metriport.PatientAdmit, fmt.Sprint("p-", i%7), fields{"when": at(float64(i)), "admitTimestamp": at(0)}))
	}
	cancelled := 0
	for after := int64(1); ; after++ {
		ctx := &countdown{Context: context.Background(), ended: make(chan struct{})}
		ctx.left.Store(after)
		n, err := f.projector.Step(ctx)
		f.agree(t, fmt.Sprint("cancelled at place ", after))
		if err == nil && n > 0 {
			break
		}
		if err == nil || !errors.Is(err, context.Canceled) && !strings.Contains(err.Error(), "interrupted") && !errors.Is(err, sql.ErrTxDone) {
			t.Fatalf("cancelled at place %d: read %d, %v", after, n, err)
		}
		cancelled++
		if got := len(f.query(t, "SELECT 1 FROM inbox_outcome")); got != 0 {
			t.Fatalf("cancelled at place %d: %d messages were taken all the same", after, got)
		}
		if after > 100_000 {
			t.Fatal("the step never came to its end")
		}
	}
	if cancelled < 3 {
		t.Errorf("the step was cancelled at %d places only", cancelled)
	}
	if n := len(f.query(t, "SELECT 1 FROM notification")); n != 30 {
		t.Errorf("%d of 30 notifications are in the chart", n)
	}
}

// TestRunGoesOnAfterAnError: the projector tries again by itself when the database let it down.
func TestRunGoesOnAfterAnError(t *testing.T) {
	dir := memory(t)
	f := open(t, dir)
	file := f.file(t, dir)
	if _, err := file.ExecContext(t.Context(), `CREATE TRIGGER refuse BEFORE INSERT ON cursor BEGIN SELECT RAISE (ABORT, 'refused'); END`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.projector.Run(ctx) }()
	f.receive(t, notice("m-1", metriport.PatientAdmit, "p-1", fields{"when": at(1), "admitTimestamp": at(0)}))
	f.projector.Wake()
	if _, err := file.ExecContext(t.Context(), "DROP TRIGGER refuse"); err != nil {
		t.Fatal(err)
	}
	for len(f.query(t, "SELECT 1 FROM notification")) == 0 {
		select {
		case err := <-done:
			t.Fatalf("the projector ended: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("the projector ended with %v", err)
	}
}

// TestStayIdsCannotCollide: a message whose id looks like an admit time must not stop the chart.
func TestStayIdsCannotCollide(t *testing.T) {
	f := open(t, memory(t))
	admitted := noon.Add(-time.Hour)
	f.receive(t, notice("m-1", metriport.PatientAdmit, "p", fields{"when": at(1), "admitTimestamp": admitted.Format(time.RFC3339)}))
	f.receive(t, notice(fmt.Sprint(admitted.UnixMilli()), metriport.PatientAdmit, "p", fields{"when": at(1)}))
	if _, err := f.projector.Step(t.Context()); err != nil {
		t.Fatalf("the chart stands still: %v", err)
	}
	if n := len(f.query(t, "SELECT 1 FROM stay")); n != 2 {
		t.Errorf("%d stays, want 2", n)
	}
}

// TestAChartOfAnEarlierVersionIsMadeAgain: what this version knows better is known of what came before it, too.
func TestAChartOfAnEarlierVersionIsMadeAgain(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir)
	bodies := story(t)
	for _, body := range bodies {
		f.receive(t, body)
	}
	f.settle(t)
	made := f.projections(t)
	if err := f.Write(t.Context(), func(tx *db.Tx) error { return tx.SetSetting(t.Context(), "chart version", "1") }); err != nil {
		t.Fatal(err)
	}
	if _, err := f.file(t, dir).ExecContext(t.Context(), `UPDATE stay SET admit_at = 1`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- f.projector.Run(ctx) }()
	for f.projections(t) != made {
		if ctx.Err() != nil {
			t.Fatal("the chart was not made again")
		}
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
