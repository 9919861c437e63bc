package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"carebell/db"
	"carebell/web"
	"carebell/web/intake"
	"carebell/web/metriport"
	"carebell/web/sim"
	"carebell/web/webtest"
)

const completenessPage = "/admin/system/completeness"

// apiKey is found in no page and no log: "secret-" is looked for there.
const apiKey = "secret-api-key"

// withAPI is a server that may ask the simulated sender's API, and a sender that knows the server.
func withAPI(t *testing.T) *outside {
	t.Helper()
	o := startOutside(t)
	o.Stop(t)
	o.change = append(o.change, func(c *web.Config) {
		c.IdleLogout = 12 * time.Hour
		c.APIKey, c.APIURL = apiKey, &url.URL{Scheme: "http", Host: o.origin.Listener.Addr().String()}
	})
	o.start(t)
	o.connect()
	return o
}

func (o *outside) connect() {
	o.sim.Connect(sim.Target{URL: o.URL + intake.Path, Key: webtest.Key})
}

// signIn signs in a person whom an earlier server of the same folder knows.
func (o *outside) signIn(t *testing.T, email string) *webtest.Browser {
	t.Helper()
	b := o.Browser()
	if resp, body := b.Form(t, "/login", url.Values{"email": {email}, "password": {webtest.Password}}); resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("signing in answered %d: %s", resp.StatusCode, body)
	}
	return b
}

// deliver has the simulated sender send samples, and returns the ids of those that were taken and of the others.
func (o *outside) deliver(t *testing.T, kinds ...metriport.Type) (taken, failed []string) {
	t.Helper()
	for _, kind := range kinds {
		m, err := o.sim.Sample(kind)
		if err != nil {
			t.Fatal(err)
		}
		if status, _, err := o.sim.Deliver(t.Context(), m); err == nil && status == http.StatusOK {
			taken = append(taken, m.ID)
		} else {
			failed = append(failed, m.ID)
		}
		o.clock.Advance(time.Second)
	}
	return taken, failed
}

// compared asks for a comparison and waits until the page shows the sentence.
func (o *outside) compared(t *testing.T, b *webtest.Browser, sentence string) string {
	t.Helper()
	before := o.numbers(t, `SELECT coalesce(max(id), 0) FROM completeness_run`)[0]
	if resp, body := b.Form(t, completenessPage+"/check", nil); resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("asking for a comparison answers %d: %s", resp.StatusCode, body)
	}
	pollUntil(t, "a further comparison", func() (string, bool) {
		return "none came", o.numbers(t, `SELECT coalesce(max(id), 0) FROM completeness_run`)[0] > before
	})
	return o.shows(t, b, completenessPage, sentence)
}

// TestWhatFailedWhileTheServerWasDownIsNamedAndBroughtBack is the whole way over real HTTP: an outage, exactly what is
// missing, "Send again", links that had expired meanwhile, and a count that is whole again.
func TestWhatFailedWhileTheServerWasDownIsNamedAndBroughtBack(t *testing.T) {
	o := withAPI(t)
	admin := o.SignedIn(t, "admin@clinic.example", db.Admin)
	o.AddUser(t, "viewer@clinic.example", db.Viewer)
	before, _ := o.deliver(t, metriport.PatientAdmit, metriport.PatientLaboratory, metriport.MessageStatus, metriport.NetworkQueryHIE)
	o.compared(t, admin, "4 sent, 4 here, 0 missing")

	o.Stop(t)
	_, lost := o.deliver(t, metriport.PatientAdmit, metriport.MessageStatus, metriport.PatientPharmacy)
	if len(lost) != 3 {
		t.Fatalf("%d deliveries failed while the server was down, want 3", len(lost))
	}
	o.clock.Advance(11 * time.Minute) // the links of the lost ones die
	o.start(t)
	o.connect()
	admin = o.signIn(t, "admin@clinic.example")
	viewer := o.signIn(t, "viewer@clinic.example")

	page := o.compared(t, admin, "7 sent, 4 here, 3 missing")
	for _, id := range lost {
		if !strings.Contains(page, `id="gap-`+id+`"`) {
			t.Errorf("the page does not name %s", id)
		}
	}
	for _, id := range before {
		if strings.Contains(page, id) {
			t.Errorf("the page names %s, which is here", id)
		}
	}
	const banner = "3 messages that Metriport sent never came here"
	for _, at := range []string{"/", "/patients", completenessPage} {
		o.shows(t, admin, at, banner)
	}
	o.shows(t, viewer, "/", banner, "webhook to this server is failing")
	if _, csv := admin.Get(t, completenessPage+"?format=csv"); strings.Count(csv, "\r\n") != 4 || !strings.Contains(csv, lost[1]+`","message.status","`) {
		t.Errorf("the export is %q", csv)
	}

	socket := o.openSocket(t, admin, "view=completeness&since=0")
	hears(t, socket, "7 sent, 4 here, 3 missing", "every")
	feed := o.openSocket(t, viewer, "view=status&since=0")
	if resp, body := admin.Form(t, completenessPage+"/retry", nil); resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("sending again answers %d: %s", resp.StatusCode, body)
	}
	hears(t, socket, "7 sent, 7 here, 0 missing", "Arrived since: all 3.", "admin@clinic.example asked", "1 link had expired when it came", "nothing to fetch", "retry that one message by itself")
	o.sim.Wait()
	hears(t, feed, `id="alerts"`)
	page = o.compared(t, admin, "7 sent, 7 here, 0 missing")
	if strings.Contains(page, banner) || strings.Contains(page, "is failing") || strings.Contains(page, `id="gap-`) {
		t.Errorf("what was mended is still said to be wrong:\n%s", page)
	}
	for _, id := range lost {
		if !strings.Contains(page, `id="late-`+id+`"`) {
			t.Errorf("the page does not say that %s came late", id)
		}
	}
	if len(o.Messages(t)) != 7 {
		t.Errorf("%d messages are in the inbox, want 7", len(o.Messages(t)))
	}
	if got := o.audited(t); !slices.Equal(got, []string{"compare", "compare", "export", "resend", "compare"}) {
		t.Errorf("the audit has %q", got)
	}
	if strings.Contains(page, apiKey) {
		t.Error("the page shows the API key")
	}

	// All of it survives a restart.
	o.Stop(t)
	o.start(t)
	o.shows(t, o.signIn(t, "admin@clinic.example"), completenessPage, "7 sent, 7 here, 0 missing", "7 sent, 4 here, 3 missing", "asked for by admin@clinic.example", `id="late-`+lost[0]+`"`)
}

func (o *outside) audited(t *testing.T) (out []string) {
	t.Helper()
	err := o.DB.Read(context.Background(), func(v db.Snapshot) error {
		rows, err := v.QueryContext(context.Background(), `SELECT action FROM audit ORDER BY id`)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var action string
			if err := rows.Scan(&action); err != nil {
				return err
			}
			out = append(out, action)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestComparisonsAreMadeByTheClock: soon after the start, then every hour, and sooner while something is wrong.
func TestComparisonsAreMadeByTheClock(t *testing.T) {
	o := withAPI(t)
	admin := o.SignedIn(t, "admin@clinic.example", db.Admin)
	o.deliver(t, metriport.PatientAdmit)
	runs := func() int64 { return o.numbers(t, `SELECT count(*) FROM completeness_run`)[0] }
	reaches := func(n int64) {
		t.Helper()
		pollUntil(t, fmt.Sprintf("comparison %d", n), func() (string, bool) { got := runs(); return fmt.Sprint(got), got >= n })
	}
	stays := func(n int64) {
		t.Helper()
		time.Sleep(1500 * time.Millisecond) // longer than the checker looks away
		if got := runs(); got != n {
			t.Fatalf("%d comparisons, want %d", got, n)
		}
	}
	o.clock.Advance(5 * time.Second)
	reaches(1)
	o.clock.Advance(59 * time.Minute)
	stays(1)
	o.clock.Advance(8 * time.Minute)
	reaches(2)
	m, err := o.sim.Sample(metriport.PatientAdmit)
	if err != nil {
		t.Fatal(err)
	}
	o.sim.Fail(m)
	o.compared(t, admin, "2 sent, 1 here, 1 missing")
	o.clock.Advance(6 * time.Minute)
	reaches(4)
	o.shows(t, admin, "/", "1 message that Metriport sent")
}

// TestAPIThatRefuses is said in words a person can use; nothing that was known before is lost.
func TestAPIThatRefuses(t *testing.T) {
	o := withAPI(t)
	admin := o.SignedIn(t, "admin@clinic.example", db.Admin)
	m, err := o.sim.Sample(metriport.PatientAdmit)
	if err != nil {
		t.Fatal(err)
	}
	o.sim.Fail(m)
	o.compared(t, admin, "1 sent, 0 here, 1 missing")
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); _, _ = w.Write([]byte(body)) }
	}
	set := func(path string, h http.HandlerFunc) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.files["/medical/v1/settings/webhook"+path], o.files["/settings/webhook"+path] = h, h
	}

	set("/retry", answer(http.StatusBadRequest, `{"title":"BadRequestError","detail":"No webhook URL for secret-api-key <b>set</b>"}`))
	resp, body := admin.Form(t, completenessPage+"/retry", nil)
	if resp.StatusCode != http.StatusBadGateway || !strings.Contains(body, "Metriport did not agree to send again. Metriport&#39;s API answered 400: No webhook URL for … &lt;b&gt;set&lt;/b&gt;. What is here is safe.") {
		t.Errorf("a refused retry answers %d: %s", resp.StatusCode, body)
	}
	o.shows(t, admin, completenessPage, "Metriport did not agree. Metriport&#39;s API answered 400: No webhook URL for …", "Nothing was sent again")

	set("", answer(http.StatusUnauthorized, `{"message":"Unauthorized"}`))
	page := o.compared(t, admin, "did not come to its end. Metriport does not accept the API key (401): Unauthorized")
	if !strings.Contains(page, "1 sent, 0 here, 1 missing") {
		t.Error("a comparison that failed took away what was known")
	}
	set("", answer(http.StatusOK, `{"webhookEnabled":"false","webhookStatusDetail":"<i>secret-api-key</i>"}`))
	set("/request", answer(http.StatusOK, `[{"id":" `+m.ID+` ","status":"FAILURE","type":null},{"id":"other","status":"lost","httpStatus":500},null,7]`))
	o.clock.Advance(time.Second)
	page = o.compared(t, admin, "says that the webhook is failing: “&lt;i&gt;…&lt;/i&gt;”")
	if !strings.Contains(page, "type not sent") || strings.Contains(page, apiKey) {
		t.Errorf("an odd list is shown as %s", page)
	}
	set("/request", answer(http.StatusOK, `<html>`))
	o.compared(t, admin, "gave an answer that Carebell cannot read")
	set("/request", answer(http.StatusOK, `{}`))
	o.compared(t, admin, "gave an answer that Carebell cannot read")
}

// TestEveryShapeOfTheAPI: what the sender says in each of the shapes it has, and what the page and the banner make of it.
func TestEveryShapeOfTheAPI(t *testing.T) {
	o := withAPI(t)
	admin := o.SignedIn(t, "admin@clinic.example", db.Admin)
	o.AddUser(t, "viewer@clinic.example", db.Viewer)
	taken, _ := o.deliver(t, metriport.PatientAdmit, metriport.PatientLaboratory)
	for _, m := range o.sim.TestEvents() {
		if status, _ := o.Post(t, m.Body); status != http.StatusOK {
			t.Fatalf("a test event is answered %d", status)
		}
	}
	ours := o.URL + intake.Path
	at := func(minutes int) string {
		return o.clock.Now().Add(time.Duration(minutes) * time.Minute).UTC().Format(time.RFC3339Nano)
	}
	entry := func(id, status string, more ...string) string {
		return fmt.Sprintf(`{"id":%q,"requestId":null,"type":"patient.admit","status":%q%s}`, id, status, strings.Join(append([]string{""}, more...), ","))
	}
	sent := func(to string) string {
		return fmt.Sprintf(`"requestUrl":"%s?token=secret-token","httpStatus":200,"durationMillis":12,"statusDetail":"OK"`, to)
	}
	made := func(minutes int) string { return `"createdAt":"` + at(minutes) + `"` }
	list := func(entries ...string) string {
		return `{"meta":{"itemsOnPage":` + fmt.Sprint(len(entries)) + `},"requests":[` + strings.Join(entries, ",") + `]}`
	}
	here := []string{entry(taken[1], "success", sent(ours), made(0)), entry(taken[0], "success", sent(ours), made(-1))}
	const medical, top = "/medical/v1/settings/webhook", "/settings/webhook"
	const works = `{"webhookEnabled":true,"webhookStatusDetail":"OK","webhookRequestsProcessing":0,"webhookRequestsFailed":0}`
	missing := http.StatusText(http.StatusNotFound) // no such address

	for _, test := range []struct {
		name     string
		answers  map[string]string // by path
		sentence string            // in the page, after the comparison
		page     []string          // in the page too
		not      []string          // not in it
		banner   string            // "" = there is none
	}{
		{
			name: "as documented, all here", sentence: "2 sent, 2 here, 0 missing",
			answers: map[string]string{medical: works, medical + "/request": list(here...)},
			page:    []string{">works<", "Under way there</dt><dd>0<", "Failed there</dt><dd>0<"}, not: []string{`id="send-again"`, "Not sent by choice", "Sent to another address"},
		}, {
			name: "over pages", sentence: "2 sent, 2 here, 0 missing",
			answers: map[string]string{medical: works, medical + "/request": `{"meta":{"nextPage":"https://api.example/x?fromItem=second&count=500"},"requests":[` + here[0] + `]}`, medical + "/request?second": list(here[1])},
		}, {
			name: "one that failed", sentence: "3 sent, 2 here, 1 missing", banner: "1 message that Metriport sent never came here",
			answers: map[string]string{medical: works, medical + "/request": list(append(here, entry("lost", "failure", `"requestUrl":"`+ours+`","httpStatus":500,"statusDetail":"Failed to send payload"`, made(-2)))...)},
			page:    []string{`id="gap-lost"`, "failed: was answered 500", "Send again"},
		}, {
			name: "not sent by choice", sentence: "2 sent, 2 here, 0 missing",
			answers: map[string]string{medical: works, medical + "/request": list(entry("kept-1", "success", made(-1)), entry("kept-2", "success", `"httpStatus":null,"requestUrl":null,"durationMillis":null`), here[0], here[1])},
			page:    []string{"2 not sent by choice", `id="choice-kept-1"`, `id="choice-kept-2"`, "switched their types off"}, not: []string{`id="gap-kept-1"`, `id="send-again"`},
		}, {
			name: "to another receiver, before and after", sentence: "2 sent, 2 here, 0 missing",
			answers: map[string]string{medical: works, medical + "/request": list(entry("away-1", "success", sent("https://before.example/hook"), made(0)), here[0], here[1],
				entry("away-2", "failure", `"requestUrl":"https://before.example/hook"`, made(-60)), entry("early", "success", sent(ours), made(-90)))},
			page: []string{"2 sent to another address", `id="elsewhere-away-1"`, "delivered to https://before.example/hook<", "failed at https://before.example/hook<", "1 delivered before Carebell got its first message"},
			not:  []string{`id="send-again"`, `id="gap-`},
		}, {
			name: "pings, test events, and what is under way", sentence: "3 sent, 2 here, 0 missing, 1 on the way",
			answers: map[string]string{medical: works, medical + "/request": list(entry("w", "processing", made(0)), strings.Replace(entry("p", "failure", made(0)), "patient.admit", "ping", 1), entry("msg-123", "failure", made(0)), here[0], here[1])},
			page:    []string{"1 on the list that are test events"}, not: []string{`id="gap-`},
		}, {
			name: "without times", sentence: "3 sent, 2 here, 1 missing", banner: "1 message that Metriport sent never came here",
			answers: map[string]string{medical: works, medical + "/request": list(entry("late", "success", `"httpStatus":200`), entry(taken[1], "success", `"httpStatus":200`), entry(taken[0], "success", `"httpStatus":200`), entry("early", "success", `"httpStatus":200`))},
			page:    []string{`id="gap-late"`, "time not sent", "1 delivered before Carebell"}, not: []string{`id="gap-early"`},
		}, {
			name: "counts that are not known", sentence: "2 sent, 2 here, 0 missing",
			answers: map[string]string{medical: `{"webhookEnabled":true,"webhookStatusDetail":"OK","webhookRequestsProcessing":-1,"webhookRequestsFailed":-1}`, medical + "/request": list(here...)},
			page:    []string{"Under way there</dt><dd>not known<", "Failed there</dt><dd>not known<"}, not: []string{">-1<", `id="send-again"`},
		}, {
			name: "no list, the settings at the top alone", sentence: "Completeness cannot be proved",
			answers: map[string]string{top: `{"webhookEnabled":true,"webhookStatusDetail":"OK","webhookRequestsProcessing":2,"webhookRequestsFailed":7}`},
			page:    []string{"has no list of what it sent", ">works<", "Under way there</dt><dd>2<", "Failed there</dt><dd>7<", `id="send-again"`, "No list to compare with", "When there was a list"},
			not:     []string{"did not come to its end"},
		}, {
			name: "no list, and the webhook fails", sentence: "Completeness cannot be proved", banner: "webhook to this server is failing (“timeout of 5000ms exceeded”)",
			answers: map[string]string{top: `{"webhookEnabled":false,"webhookStatusDetail":"timeout of 5000ms exceeded","webhookRequestsProcessing":-1,"webhookRequestsFailed":-1}`},
			page:    []string{"failing: “timeout of 5000ms exceeded”", "Failed there</dt><dd>not known<", `id="send-again"`}, not: []string{">-1<"},
		}, {
			name: "no settings yet", sentence: "2 sent, 2 here, 0 missing",
			answers: map[string]string{medical: "", medical + "/request": list(here...)}, page: []string{"no webhook settings for this account yet"}, not: []string{"Under way there"},
		}, {
			name: "settings that are not there, says the API", sentence: "2 sent, 2 here, 0 missing",
			answers: map[string]string{medical + "/request": list(here...)}, page: []string{"no webhook settings for this account yet"},
		}, {
			name: "a list that is cut short proves nothing", sentence: "did not come to its end. Metriport&#39;s API answered 404",
			answers: map[string]string{medical: works, medical + "/request": `{"meta":{"nextPage":"/x?fromItem=gone"},"requests":[` + entry("lost", "failure", made(0)) + `]}`},
			page:    []string{"2 sent, 2 here, 0 missing"}, not: []string{`id="gap-`},
		}, {
			name: "nothing of the API at all", sentence: "did not come to its end. Metriport&#39;s API answered 404",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			o.mu.Lock()
			for _, base := range []string{medical, top} {
				for _, path := range []string{base, base + "/request"} {
					o.files[path] = func(w http.ResponseWriter, r *http.Request) {
						at := r.URL.Path
						if from := r.URL.Query().Get("fromItem"); from != "" {
							at += "?" + from
						}
						answer, ok := test.answers[at]
						if !ok {
							http.Error(w, missing, http.StatusNotFound)
							return
						}
						_, _ = w.Write([]byte(answer))
					}
				}
			}
			o.mu.Unlock()
			page := o.compared(t, admin, test.sentence)
			for _, want := range test.page {
				if !strings.Contains(page, want) {
					t.Errorf("the page has no %q", want)
				}
			}
			_, body, _ := strings.Cut(page, `id="completeness"`)
			for _, word := range append(test.not, "secret-token") {
				if before, _, _ := strings.Cut(body, `id="runs"`); strings.Contains(before, word) {
					t.Errorf("the page has %q", word)
				}
			}
			_, alerts, _ := strings.Cut(page, `id="alerts"`)
			alerts, _, _ = strings.Cut(alerts, "</div>")
			if (test.banner == "") == strings.Contains(alerts, "<p") || !strings.Contains(alerts, test.banner) {
				t.Errorf("the banner is %s", alerts)
			}
			if _, system := admin.Get(t, "/admin/system"); strings.Contains(system, "cannot be proved") != (test.sentence == "Completeness cannot be proved") {
				t.Error("the system page says otherwise")
			}
		})
	}
}

// TestRetryThatBringsNothingSaysSo after its time.
func TestRetryThatBringsNothingSaysSo(t *testing.T) {
	o := withAPI(t)
	admin := o.SignedIn(t, "admin@clinic.example", db.Admin)
	m, err := o.sim.Sample(metriport.MessageStatus)
	if err != nil {
		t.Fatal(err)
	}
	o.sim.Fail(m)
	o.compared(t, admin, "1 missing")
	o.sim.Connect(sim.Target{URL: o.origin.URL + "/elsewhere", Key: webtest.Key})
	admin.Form(t, completenessPage+"/retry", nil)
	o.sim.Wait()
	o.shows(t, admin, completenessPage, "Arrived since: 0 of 1")
	o.clock.Advance(11 * time.Minute)
	o.shows(t, admin, completenessPage, "Still missing after 11 min: 1 of 1", "was answered 404")
}

// TestWithoutAnAPIKeyNothingIsAsked, and the page says what it would need.
func TestWithoutAnAPIKeyNothingIsAsked(t *testing.T) {
	s := webtest.Start(t, func(c *web.Config) { c.APIURL = &url.URL{Scheme: "http", Host: "127.0.0.1:1"} })
	admin := s.SignedIn(t, "admin@clinic.example", db.Admin)
	if _, page := admin.Get(t, completenessPage); !strings.Contains(page, "CAREBELL_METRIPORT_API_KEY") || strings.Contains(page, "Check now") {
		t.Errorf("without a key the page is %s", page)
	}
	for _, what := range []string{"/check", "/retry"} {
		if resp, _ := admin.Form(t, completenessPage+what, nil); resp.StatusCode != http.StatusConflict {
			t.Errorf("%s answers %d", what, resp.StatusCode)
		}
	}
	if strings.Contains(s.Log.String(), "compare") {
		t.Errorf("something was compared: %s", s.Log)
	}
}

// TestLongListIsReadToItsEnd: more than a page, newest first, and pages of the site stay within their statements.
func TestLongListIsReadToItsEnd(t *testing.T) {
	o := withAPI(t)
	admin := o.SignedIn(t, "admin@clinic.example", db.Admin)
	const n = 1203
	now := o.clock.Now().UTC()
	for i := range n {
		id := fmt.Sprintf("made-%04d", i)
		body, err := json.Marshal(map[string]any{"meta": map[string]any{"messageId": id, "type": "medical.document-conversion", "when": now}, "patients": []any{}})
		if err != nil {
			t.Fatal(err)
		}
		o.sim.Fail(sim.Message{ID: id, Type: metriport.DocumentConversion, At: now.Add(-time.Duration(i) * time.Minute), Body: body})
	}
	page := o.compared(t, admin, "1,203 sent, 0 here, 1,203 missing")
	for _, want := range []string{"and 1,103 more", `id="gap-made-1202"`, "At least 999 messages that Metriport sent"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if _, csv := admin.Get(t, completenessPage+"?format=csv"); strings.Count(csv, "\r\n") != n+1 {
		t.Errorf("the export has %d lines", strings.Count(csv, "\r\n"))
	}
	began := o.DB.Statements()
	admin.Get(t, completenessPage)
	if used := o.DB.Statements() - began; used > 12 {
		t.Errorf("the page needs %d statements", used)
	}
}
