//go:build browser

package browser

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"

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
