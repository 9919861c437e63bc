package web_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"carebell/db"
	"carebell/web"
	"carebell/web/chart"
	"carebell/web/metriport"
	"carebell/web/webtest"
)

// linked are the types whose messages lead to files.
var linked = []metriport.Type{
	metriport.PatientAdmit, metriport.PatientTransfer, metriport.PatientDischarge, metriport.PatientPharmacy, metriport.PatientLaboratory,
	metriport.DischargeSummary, metriport.DischargeSummaryBatch, metriport.NetworkQueryHIE, metriport.BulkPatientCreate, metriport.ConsolidatedData,
	metriport.DocumentsURLs, metriport.MessageReceived,
}

// healsAll waits until every file there is a link to is stored.
func (o *outside) healsAll(t *testing.T) {
	t.Helper()
	pollUntil(t, "every file", func() (string, bool) {
		open := o.numbers(t, `SELECT count(*) FROM download WHERE state NOT IN ('stored')`)[0]
		if open == 0 {
			return "", true
		}
		d := o.download(t, o.numbers(t, `SELECT id FROM download WHERE state NOT IN ('stored')`)[0])
		return fmt.Sprintf("%d are not stored, the first of message %d (%s %s %s %d tries, again %v %v %q)", open, d.InboxSeq, d.Purpose, d.State, d.Reason, d.Tries, d.Again, d.Asked, d.NotAgain), false
	})
}

// projected is a hash of each table that is made from the inbox.
func projected(t *testing.T, d *db.DB) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := d.Read(context.Background(), func(v db.Snapshot) error {
		for _, table := range []string{"notification", "stay", "patient", "patient_alias", "patient_statement", "mail", "import_event", "import_job", "pull", "pull_part", "pull_document", "identity", "inbox_outcome", "inbox_patient"} {
			rows, err := v.QueryContext(context.Background(), "SELECT * FROM "+table)
			if err != nil {
				return err
			}
			defer func() { _ = rows.Close() }()
			names, _ := rows.Columns()
			var list []string
			for rows.Next() {
				row := make([]any, len(names))
				for i := range row {
					row[i] = new(any)
				}
				if err := rows.Scan(row...); err != nil {
					return err
				}
				line := ""
				for i := range row {
					line += fmt.Sprintf("%v|", *row[i].(*any))
				}
				list = append(list, line)
			}
			if err := rows.Err(); err != nil {
				return err
			}
			slices.Sort(list)
			sum := sha256.Sum256([]byte(strings.Join(list, "\n")))
			out[table] = hex.EncodeToString(sum[:])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestAnOutageOfAnHourLosesNothing is the promise as a whole: for a while the files' origin does not answer, then Carebell
// itself is down, an hour in all, with links that live ten minutes. Afterwards every file is there, no event twice, and
// nothing is missing; and a rebuild makes the same chart.
func TestAnOutageOfAnHourLosesNothing(t *testing.T) {
	o := withAPI(t)
	admin := o.SignedIn(t, "admin@clinic.example", db.Admin)
	o.deliver(t, metriport.PatientAdmit, metriport.PatientLaboratory)
	o.Settled(t)
	if resp, body := admin.Form(t, "/admin/system/heal", url.Values{"auto": {"on"}}); resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("having it done by itself answers %d: %s", resp.StatusCode, body)
	}

	o.down.Store(true)
	taken, _ := o.deliver(t, linked...)
	o.Settled(t)
	o.clock.Advance(15 * time.Minute)
	o.Stop(t)
	_, lost := o.deliver(t, linked...)
	if len(taken) != len(linked) || len(lost) != len(linked) {
		t.Fatalf("%d were taken and %d lost, want %d each", len(taken), len(lost), len(linked))
	}
	o.clock.Advance(45 * time.Minute)
	o.down.Store(false)
	o.start(t)
	o.connect()
	admin = o.signIn(t, "admin@clinic.example")
	o.compared(t, admin, fmt.Sprintf("%d missing", len(lost)))
	if resp, body := admin.Form(t, completenessPage+"/retry", nil); resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("sending again answers %d: %s", resp.StatusCode, body)
	}
	o.sim.Wait()
	o.Settled(t)
	o.clock.Advance(time.Minute)
	o.nudge(t)
	o.healsAll(t)
	o.sim.Wait()
	o.Settled(t)

	sent := int64(2 + 2*len(linked))
	if again := o.numbers(t, `SELECT count(*) FROM download WHERE again = 1 AND state = 'stored'`)[0]; again < sent-2 {
		t.Errorf("%d files were fetched again, want at least %d", again, sent-2)
	}
	notices := int64(2 + 2*7)
	if n := o.numbers(t, `SELECT count(*) FROM notification`)[0]; n != notices {
		t.Errorf("%d notifications, want %d: each event once", n, notices)
	}
	for table, want := range map[string]int64{"import_job": 2, "mail": 2} {
		if n := o.numbers(t, `SELECT count(*) FROM `+table)[0]; n != want {
			t.Errorf("%d rows in %s, want %d", n, table, want)
		}
	}
	if odd := o.numbers(t, `SELECT i.seq FROM inbox i JOIN repeat_of r ON r.message_id = i.message_id JOIN inbox_outcome o ON o.seq = i.seq WHERE o.status <> 'processed' OR r.seq <> i.seq`); len(odd) > 0 {
		t.Errorf("messages %v repeat others and are not processed", odd)
	}
	if facts := o.numbers(t, `SELECT count(*) FROM notification WHERE facts <> ''`)[0]; facts != notices {
		t.Errorf("%d of %d notifications have the facts of their record", facts, notices)
	}
	all := o.numbers(t, `SELECT count(*) FROM inbox WHERE type <> 'nothing.known'`)[0]
	page := o.compared(t, admin, fmt.Sprintf("%d sent, %d here, 0 missing", all, all))
	if strings.Contains(page, `id="gap-`) {
		t.Errorf("the page names something missing:\n%s", page)
	}
	seq := o.numbers(t, `SELECT of_seq FROM repeat_of WHERE seq > 0 LIMIT 1`)[0]
	o.shows(t, admin, fmt.Sprint("/admin/inbox/", seq), "Had again as")
	seq = o.numbers(t, `SELECT seq FROM repeat_of WHERE seq > 0 LIMIT 1`)[0]
	o.shows(t, admin, fmt.Sprint("/admin/inbox/", seq), "It repeats", "with fresh links", "when Carebell asked for it")
	d := o.download(t, o.numbers(t, `SELECT id FROM download WHERE again = 1 AND patient_id <> '' LIMIT 1`)[0])
	o.shows(t, admin, "/patients/"+d.PatientID, "fetched again on")
	o.shows(t, admin, "/admin/system", "fetched again so far", "Metriport is asked for them automatically")

	before := projected(t, o.DB)
	o.Stop(t)
	rebuilt, err := db.Open(t.Context(), o.dir, db.Options{Now: o.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rebuilt.Close() }()
	if _, err := chart.Rebuild(t.Context(), rebuilt, slog.New(slog.DiscardHandler), func(int) {}); err != nil {
		t.Fatal(err)
	}
	for table, sum := range projected(t, rebuilt) {
		if sum != before[table] {
			t.Errorf("a rebuild makes another %s", table)
		}
	}
}

// press presses Retry for one message in the sender's dashboard: Carebell sees no answer.
func (o *outside) press(t *testing.T, id string) {
	t.Helper()
	req := httptest.NewRequest(http.MethodPost, "/settings/webhook/request/"+id+"/retry", nil)
	req.Header.Set("x-api-key", "dashboard")
	rec := httptest.NewRecorder()
	o.sim.Store().ServeHTTP(rec, req)
	if rec.Code != http.StatusOK {
		t.Fatalf("the dashboard's retry answers %d: %s", rec.Code, rec.Body)
	}
	o.sim.Wait()
	o.Settled(t)
}

// TestARetryInTheDashboardIsPaired: what comes has another id and other links; it is known by what it says.
func TestARetryInTheDashboardIsPaired(t *testing.T) {
	o := startOutside(t, func(c *web.Config) { c.IdleLogout = 12 * time.Hour }) // without an API key
	admin := o.SignedIn(t, "admin@clinic.example", db.Admin)
	o.connect()
	o.down.Store(true)
	ids, _ := o.deliver(t, metriport.PatientAdmit, metriport.PatientPharmacy, metriport.DocumentsURLs)
	o.Settled(t)
	o.clock.Advance(15 * time.Minute)
	o.nudge(t)
	pollUntil(t, "the links to die", func() (string, bool) {
		left := o.numbers(t, `SELECT count(*) FROM download WHERE state <> 'expired'`)[0]
		return fmt.Sprint(left), left == 0
	})
	o.down.Store(false)
	page := o.shows(t, admin, "/admin/inbox/1", "Press Retry for its message in Metriport’s dashboard")
	if strings.Contains(page, "Have it sent again") {
		t.Error("without an API key there is a button to have it sent again")
	}
	for _, id := range ids {
		o.press(t, id)
	}
	o.healsAll(t)
	if n := o.numbers(t, `SELECT count(*) FROM notification`)[0]; n != 2 {
		t.Errorf("%d notifications, want 2", n)
	}
	if got := o.numbers(t, `SELECT of_seq FROM repeat_of WHERE answered = 0 ORDER BY seq`); !slices.Equal(got, []int64{1, 2, 3}) {
		t.Errorf("the repeats are of %v, want 1, 2, 3", got)
	}
	o.shows(t, admin, "/admin/inbox/5", "It repeats", "Metriport’s dashboard")

	// Pressed once more, now that nothing of it is dead, it is what it was before: a further message of the same event.
	o.press(t, ids[0])
	if n := o.numbers(t, `SELECT count(*) FROM notification`)[0]; n != 3 {
		t.Errorf("%d notifications after a retry of what was not dead, want 3", n)
	}
}

// TestEventsThatLookAlikeAreNotSwallowed: two drugs of one day, with equal words and different files.
func TestEventsThatLookAlikeAreNotSwallowed(t *testing.T) {
	o := withAPI(t)
	fill := func(path string) []byte {
		return o.event("patient.pharmacy", "PATIENT-1", o.lead(path, time.Minute, says(`{}`)), `,"medicationDispensedDate":"2026-04-21T00:00:00.000Z"`)
	}
	o.down.Store(true)
	o.take(t, fill("/first.json"))
	o.clock.Advance(15 * time.Minute)
	o.nudge(t)
	o.ends(t, 1, db.FetchExpired)
	o.down.Store(false)
	o.take(t, fill("/second.json"))
	if n := o.numbers(t, `SELECT count(*) FROM notification`)[0]; n != 2 {
		t.Fatalf("%d notifications, want 2: the second drug was taken for the first", n)
	}
	o.take(t, fill("/first.json")) // the first, signed anew
	if n := o.numbers(t, `SELECT count(*) FROM notification`)[0]; n != 2 {
		t.Errorf("%d notifications, want 2: the first was shown twice", n)
	}
	o.ends(t, 1, db.FetchStored)
	if got := o.numbers(t, `SELECT of_seq FROM repeat_of`); !slices.Equal(got, []int64{1}) {
		t.Errorf("the repeats are of %v, want 1", got)
	}
}

// TestTheWebhookMayComeBeforeTheAnswer, may say other words, may come before the message that it repeats.
func TestTheWebhookMayComeBeforeTheAnswer(t *testing.T) {
	o := withAPI(t)
	admin := o.SignedIn(t, "admin@clinic.example", db.Admin)
	o.down.Store(true)
	o.take(t, o.event("patient.admit", "PATIENT-1", o.lead("/a.json", time.Minute, says(`{}`)), `,"admitTimestamp":"2026-04-21T10:00:00.000Z"`))
	o.clock.Advance(15 * time.Minute)
	o.nudge(t)
	o.ends(t, 1, db.FetchExpired)
	o.down.Store(false)
	var again []byte
	o.mu.Lock()
	o.files["/medical/v1/settings/webhook/request/m-1/retry"] = func(w http.ResponseWriter, _ *http.Request) {
		if status, _ := o.Post(t, again); status != http.StatusOK {
			t.Errorf("answered %d", status)
		}
		o.Settled(t)
		_, _ = w.Write(again)
	}
	o.mu.Unlock()
	again = o.event("patient.admit", "PATIENT-1", o.lead("/b.json", time.Hour, says(`{}`)), `,"admitTimestamp":"2026-04-21T10:00:00.000Z","whenSourceSent":"2026-04-21T10:00:05.000Z"`)
	o.shows(t, admin, "/patients/PATIENT-1", "Have it sent again")
	if resp, body := admin.Form(t, "/files/1/again", nil); resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("answered %d: %s", resp.StatusCode, body)
	}
	o.ends(t, 1, db.FetchStored)
	o.shows(t, admin, "/patients/PATIENT-1", "fetched again on")
	if n := o.numbers(t, `SELECT count(*) FROM notification`)[0]; n != 1 {
		t.Errorf("%d notifications, want 1", n)
	}
	if got := o.audited(t); !slices.Contains(got, "resend") {
		t.Errorf("the audit has %q", got)
	}

	// One that was missed, retried under a new id, and at last delivered under its own.
	o.posts++
	meta := func(id string, at time.Time) string {
		return fmt.Sprintf(`{"meta":{"messageId":%q,"requestId":"R-1","when":%q,"type":"patient.laboratory"}`, id, at.UTC().Format(time.RFC3339))
	}
	lab := func(id string, at time.Time) []byte {
		return []byte(meta(id, at) + fmt.Sprintf(`,"payload":{"patientId":"PATIENT-2","url":%q}}`, o.lead("/lab.json", time.Minute, says(`{}`))))
	}
	first := o.clock.Now().Add(-time.Hour)
	o.take(t, lab("lab-again", o.clock.Now()))
	o.take(t, lab("lab", first))
	if n := o.numbers(t, `SELECT count(*) FROM notification WHERE patient_id = 'PATIENT-2'`)[0]; n != 1 {
		t.Errorf("%d notifications of a message that came late, want 1", n)
	}
	o.shows(t, admin, fmt.Sprint("/admin/inbox/", o.numbers(t, `SELECT max(seq) FROM inbox`)[0]), "It repeats", "lab-again")
}

// TestASenderThatRefusesToSendAgain is said in plain words, and is not pressed.
func TestASenderThatRefusesToSendAgain(t *testing.T) {
	o := withAPI(t)
	admin := o.SignedIn(t, "admin@clinic.example", db.Admin)
	viewer := o.SignedIn(t, "viewer@clinic.example", db.Viewer)
	o.down.Store(true)
	o.take(t, o.event("patient.admit", "PATIENT-1", o.lead("/a.json", time.Minute, says(`{}`)), ""))
	o.clock.Advance(15 * time.Minute)
	o.nudge(t)
	o.ends(t, 1, db.FetchExpired)
	o.down.Store(false)
	asked := func() (n int) {
		for _, r := range o.requests() {
			if strings.HasSuffix(r.path, "/request/m-1/retry") {
				n++
			}
		}
		return n
	}
	set := func(status int, after, body string) {
		h := func(w http.ResponseWriter, _ *http.Request) {
			if after != "" {
				w.Header().Set("Retry-After", after)
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.files["/medical/v1/settings/webhook/request/m-1/retry"], o.files["/settings/webhook/request/m-1/retry"] = h, h
	}
	press := func(b *webtest.Browser) int {
		resp, _ := b.Form(t, "/admin/inbox/1/resend", nil)
		return resp.StatusCode
	}
	if press(viewer) != http.StatusForbidden {
		t.Error("a viewer may have a message sent again")
	}
	if resp, _ := viewer.Form(t, "/files/1/again", nil); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a viewer who asks for a file again is answered %d", resp.StatusCode)
	}

	set(http.StatusTooManyRequests, "3600", `{"message":"slow down"}`)
	if got := press(admin); got != http.StatusSeeOther {
		t.Fatalf("answered %d", got)
	}
	o.shows(t, admin, "/admin/inbox/1", "asked to send it again at", "fewer requests (429): slow down")
	o.shows(t, admin, "/admin/system", "fewer requests (429): slow down", "Asking goes on at")
	o.clock.Advance(59 * time.Minute)
	time.Sleep(1200 * time.Millisecond) // longer than the healer looks away
	if n := asked(); n != 1 {
		t.Errorf("the sender was asked %d times, and wanted to be left alone", n)
	}
	set(http.StatusNotFound, "", `{"message":"Not Found"}`)
	o.clock.Advance(2 * time.Minute)
	o.shows(t, admin, "/admin/inbox/1", "does not send single messages again", "use Retry in Metriport&#39;s dashboard")
	o.shows(t, admin, "/patients/PATIENT-1", "Metriport did not send it again")
	o.shows(t, admin, "/admin/system", "1 message not sent again")

	o.clock.Advance(31 * 24 * time.Hour)
	admin = o.signIn(t, "admin@clinic.example")
	if got := press(admin); got != http.StatusConflict {
		t.Errorf("asking for a message of a month ago answers %d", got)
	}
	o.shows(t, admin, "/admin/inbox/1", "Metriport did not send it again")
}
