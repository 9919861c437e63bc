//go:build browser

package browser

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"carebell/db"
	"carebell/web"
	"carebell/web/intake"
	"carebell/web/metriport"
	"carebell/web/sim"
	"carebell/web/webtest"
)

// TestMissingMessagesAreBroughtBackByKeyboard: check, see what is missing, send again, watch it come, on one page that
// is never reloaded and whose focus stays where it is.
func TestMissingMessagesAreBroughtBackByKeyboard(t *testing.T) {
	var sender atomic.Pointer[sim.Sim]
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { sender.Load().Store().ServeHTTP(w, r) }))
	defer origin.Close()
	host := origin.Listener.Addr().String()
	s := webtest.Start(t, func(c *web.Config) {
		c.DownloadHosts, c.APIKey, c.APIURL = []string{host}, "browser-api-key", &url.URL{Scheme: "http", Host: host}
	})
	sender.Store(sim.New(sim.Options{Now: s.Clock.Now, Seed: 7, BaseURL: origin.URL}))
	simulated := sender.Load()
	simulated.Connect(sim.Target{URL: s.URL + intake.Path, Key: webtest.Key})
	defer simulated.Wait()
	s.AddUser(t, boss, db.Admin)
	sample := func(kind metriport.Type) sim.Message {
		m, err := simulated.Sample(kind)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for range 3 {
		if status, _, err := simulated.Deliver(t.Context(), sample(metriport.PatientAdmit)); err != nil || status != http.StatusOK {
			t.Fatalf("a delivery is answered %d: %v", status, err)
		}
	}
	lost := []sim.Message{sample(metriport.PatientLaboratory), sample(metriport.MessageStatus)}
	for _, m := range lost {
		simulated.Fail(m)
	}

	b := newTab(t, s.URL)
	b.signIn(boss)
	b.open("/admin/system/completeness")
	b.until("the page is live", live)
	eval[bool](b, `window.stillHere = true`)
	says := func(text string) string {
		return `document.querySelector(".proof-line").textContent === "` + text + `" && document.querySelector("#check-state").textContent.trim() === ""`
	}
	eval[bool](b, `document.querySelector("#check-now").focus(), true`)
	b.press(enter)
	b.until("what is missing is counted", says("5 sent, 3 here, 2 missing"))
	for _, m := range lost {
		b.always("the missing one is listed", has("gap-"+m.ID))
	}
	b.until("the banner says so", `document.querySelector("#alerts").textContent.includes("2 messages that Metriport sent never came here")`)
	b.always("the focus stays on the button", focused+` === "check-now"`)
	checkAccessible(b, "completeness-missing")
	checkFits(b, "completeness-missing")
	b.window(wide)

	b.press("\t")
	b.always("the next stop is to send again", focused+` === "send-again"`)
	b.press(enter)
	b.until("all of it is here", says("5 sent, 5 here, 0 missing"))
	b.until("it says what came late", has("late-"+lost[0].ID)+` && `+has("late-"+lost[1].ID)+` && !document.querySelector("#gaps")`)
	b.until("the retry is told", `document.querySelector("#retry-state").textContent.includes("Arrived since: all 2.")`)
	b.until("the banner has gone", `!document.querySelector("#alerts").textContent.includes("never came here")`)
	b.always("nothing was reloaded", `window.stillHere`)
	checkAccessible(b, "completeness-whole")
	checkFits(b, "completeness-whole")
	b.window(wide)

	b.open("/admin/system")
	b.until("the system page has the sentence", live+` && document.querySelector("#sys-complete .proof-line").textContent === "5 sent, 5 here, 0 missing"`)
	eval[bool](b, `document.querySelectorAll("details").forEach((d) => { d.open = true; }), true`)
	before := eval[string](b, `document.querySelector("#today-lab").textContent`)
	if status, _, err := simulated.Deliver(t.Context(), sample(metriport.PatientLaboratory)); err != nil || status != http.StatusOK {
		t.Fatalf("a delivery is answered %d: %v", status, err)
	}
	b.until("a new event is counted", `document.querySelector("#today-lab").textContent !== "`+before+`"`)
	b.until("the table has it too", `document.querySelector("#sys-table tbody tr td:nth-child(4)").textContent === document.querySelector("#today-lab").textContent`)
	b.always("what was opened stays open", `document.querySelectorAll("details[open]").length === 2`)
}

// TestWhatNobodyMissesIsTold on a page that is open: what was not sent by choice and what went elsewhere are listed, and
// when the sender's next version has no list, the page says so by itself.
func TestWhatNobodyMissesIsTold(t *testing.T) {
	var list, status atomic.Value
	status.Store(`{"webhookEnabled":true,"webhookStatusDetail":"OK","webhookRequestsProcessing":1,"webhookRequestsFailed":-1}`)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, _ := status.Load().(string)
		if strings.HasSuffix(r.URL.Path, "/request") {
			if answer, _ = list.Load().(string); answer == "" {
				w.WriteHeader(http.StatusNotFound)
			}
		}
		_, _ = w.Write([]byte(answer))
	}))
	defer api.Close()
	c := newClinic(t, func(c *web.Config) {
		c.APIKey, c.APIURL = "browser-api-key", &url.URL{Scheme: "http", Host: api.Listener.Addr().String()}
	})
	c.AddUser(t, boss, db.Admin)
	m, _ := c.send(metriport.PatientAdmit)
	c.Settled(t)
	entry := func(id, kind, more string) string {
		return `{"id":"` + id + `","type":"` + kind + `","createdAt":"` + c.Clock.Now().UTC().Format(time.RFC3339) + `",` + more + `}`
	}
	list.Store(`{"meta":{},"requests":[` + strings.Join([]string{
		entry(m.ID, "patient.admit", `"status":"success","httpStatus":200,"durationMillis":31,"requestUrl":"https://carebell.example/webhooks/metriport"`),
		entry("5c6f1a52-6d0e-4c3e-9d7b-000000000001", "medical.document-conversion", `"status":"success"`),
		entry("5c6f1a52-6d0e-4c3e-9d7b-000000000002", "medical.document-download", `"status":"success"`),
		entry("5c6f1a52-6d0e-4c3e-9d7b-000000000003", "patient.admit", `"status":"success","httpStatus":200,"requestUrl":"https://a-former-receiver.clinic.example/api/v2/webhooks/metriport/incoming"`),
		entry("5c6f1a52-6d0e-4c3e-9d7b-000000000004", "patient.discharge", `"status":"failure","httpStatus":502,"requestUrl":"https://carebell.example/webhooks/metriport"`),
	}, ",") + `]}`)

	b := newTab(t, c.URL)
	b.signIn(boss)
	b.open("/admin/system/completeness")
	b.until("the page is live", live)
	b.click("#check-now")
	b.until("what is missing is counted", `document.querySelector(".proof-line").textContent === "2 sent, 1 here, 1 missing"`)
	b.always("what was kept by choice is listed", `document.querySelectorAll("#choice > .row").length === 2`)
	b.always("what went elsewhere is listed", `document.querySelector("#elsewhere > .row .state").textContent === "delivered to https://a-former-receiver.clinic.example/api/v2/webhooks/metriport/incoming"`)
	b.always("what is not known is said", `document.querySelector("#webhook-state").textContent.includes("not known") && !document.querySelector("#completeness").textContent.includes("-1")`)
	b.always("the banner names what failed alone", `document.querySelector("#alerts").textContent.startsWith("1 message that Metriport sent")`)
	checkAccessible(b, "completeness-not-missed")
	checkFits(b, "completeness-not-missed")
	picture(b, "completeness-not-missed")
	b.window(wide)

	list.Store("")
	status.Store(`{"webhookEnabled":false,"webhookStatusDetail":"Request failed with status code 502","webhookRequestsProcessing":-1,"webhookRequestsFailed":-1}`)
	c.Clock.Advance(time.Minute)
	b.click("#check-now")
	b.until("the page says that there is no list", `document.querySelector(".proof-line").textContent === "Completeness cannot be proved"`)
	b.always("and what the sender says of the webhook", `document.querySelector("#webhook-state").textContent.includes("failing: “Request failed with status code 502”")`)
	checkAccessible(b, "completeness-no-list")
	checkFits(b, "completeness-no-list")
	picture(b, "completeness-no-list")
	b.open("/admin/system")
	b.until("the system page says it too", live+` && document.querySelector("#sys-complete .proof-line").textContent === "Completeness cannot be proved"`)
	picture(b, "system-no-list")
}
