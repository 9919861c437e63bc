//go:build browser

package browser

import (
	"context"
	"fmt"
	"net/url"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"carebell/db"
	"carebell/web/metriport"
)

// place is a page as a person finds it. Each has a tab of its own, with whoever must be signed in.
type place struct {
	name string
	path string // where to go; "" = the patient about whom most is known
	who  string // "" = a stranger
	// prepare does what comes after going there.
	prepare func(b *tab)
	shows   string // JavaScript that is true when the page is what its name says
}

const openKeys = `document.querySelector("#keys").showModal(), true`

// places are the pages of a clinic that is at work.
var places = []place{
	{name: "login", path: "/login", shows: `document.querySelector("input[name=password]")`},
	{name: "login-wrong", path: "/login", shows: `document.querySelector("[role=alert]")`, prepare: func(b *tab) {
		b.expect(`status of 401`)
		b.fill("input[name=email]", ann)
		b.fill("input[name=password]", "not the password at all")
		b.click("button.main")
	}},
	{name: "feed", path: "/?state=all", who: ann, shows: live + ` && document.querySelectorAll("#feed > .row").length >= 50`},
	{name: "feed-filtered", path: "/?kind=lab&q=55", who: ann, shows: live + ` && document.querySelector(".clear")`},
	{name: "feed-done", path: "/?state=done", who: ann, shows: live + ` && document.querySelector(".is-done")`},
	{name: "feed-no-match", path: "/?q=nobody+is+called+so", who: ann, shows: live + ` && document.querySelector("#feed-empty").checkVisibility()`},
	{name: "feed-pill", path: "/", who: ann, shows: `document.querySelector("#new-rows").checkVisibility()`, prepare: func(b *tab) {
		b.until("the feed is live", live)
		eval[bool](b, `(() => { const p = document.querySelector("#new-rows"); p.textContent = "2 new"; p.hidden = false; return true; })()`)
	}},
	{name: "patients", path: "/patients", who: ann, shows: live + ` && document.querySelectorAll("#patients .row").length > 20`},
	{name: "patients-no-match", path: "/patients?q=nobody+is+called+so", who: ann, shows: live + ` && document.querySelector("#patients .empty")`},
	{name: "patient", who: ann, shows: live + ` && document.querySelector(".row.stay") && document.querySelector("#timeline .row")`},
	{name: "messages", path: "/messages?state=all", who: ann, shows: live + ` && document.querySelectorAll("#messages > .row").length > 5`},
	{name: "messages-unmatched", path: "/messages?only=unmatched", who: ann, shows: live + ` && document.querySelector("#messages .flag.warn")`},
	{name: "messages-no-match", path: "/messages?q=nobody+is+called+so", who: ann, shows: live + ` && document.querySelector("#messages-empty").checkVisibility()`},
	{name: "messages-sent", path: "/messages?box=outbound", who: ann, shows: live + ` && document.querySelector("#messages .flag.crit")`},
	{name: "message", path: "/messages?q=carried", who: ann, shows: live + ` && document.querySelector("#message .row.file") && document.querySelector("#message-actions button")`, prepare: openFirst},
	{name: "message-unmatched", path: "/messages?only=unmatched", who: ann, shows: live + ` && document.querySelector(".candidate button")`, prepare: func(b *tab) {
		openFirst(b)
		b.fill("[data-match]", "a")
	}},
	{name: "message-sent", path: "/messages?box=outbound&state=failed", who: ann, shows: live + ` && document.querySelector("#message .flag.crit")`, prepare: openFirst},
	{name: "imports", path: "/imports", who: ann, shows: live + ` && document.querySelectorAll("#imports .row").length >= 3`},
	{name: "imports-no-match", path: "/imports?state=waiting&q=nothing", who: ann, shows: live + ` && document.querySelector("#imports-empty").checkVisibility()`},
	{name: "identity", path: "/identity", who: ann, shows: live + ` && document.querySelector("#identity > .row .flag")`},
	{name: "identity-proof", path: "/identity?who=again", who: ann, shows: `document.querySelector("#proofing .row") && ` + live, prepare: func(b *tab) {
		eval[bool](b, `document.querySelector("#identity .name").click(), true`)
	}},
	{name: "search", path: "/search?q=55", who: ann, shows: live + ` && document.querySelectorAll(".row.hit").length > 5`},
	{name: "search-box", path: "/", who: boss, shows: `document.querySelectorAll("#search-results [role=option]").length > 5 && document.querySelector("[aria-selected=true]")`, prepare: func(b *tab) {
		b.until("the feed is live", live)
		b.press("/55")
		b.until("something is found", `document.querySelector("#hit-3")`)
		b.press(kb.ArrowDown)
	}},
	{name: "inbox", path: "/admin/inbox", who: boss, shows: live + ` && document.querySelectorAll("#inbox > .row").length >= 50`},
	{name: "inbox-filtered", path: "/admin/inbox?type=patient.admit&status=processed", who: boss, shows: live + ` && document.querySelector(".fold[open] select")`},
	{name: "inbox-no-match", path: "/admin/inbox?q=nothing-is-called-so", who: boss, shows: live + ` && document.querySelector("#inbox-empty").checkVisibility()`},
	{name: "inbox-message", path: "/admin/inbox/1", who: boss, shows: live + ` && document.querySelector(".json summary")`},
	{name: "inbox-refused", path: "/admin/inbox/refused?days=30", who: boss, shows: live + ` && document.querySelector(".refused svg rect")`},
	{name: "records", path: "/records", who: ann, shows: live + ` && document.querySelectorAll("#records > .row").length >= 3`},
	{name: "records-consolidated", path: "/records?view=consolidated", who: ann, shows: live + ` && document.querySelectorAll("#records > .row").length >= 5`},
	{name: "records-documents", path: "/records?view=documents", who: ann, shows: live + ` && document.querySelector("#records .mark.out")`},
	{name: "records-no-match", path: "/records?state=failed&q=nobody+is+called+so", who: ann, shows: live + ` && document.querySelector("#records-empty").checkVisibility()`},
	{name: "documents", path: "/records?view=documents", who: ann, shows: live + ` && document.querySelector(".row.document")`, prepare: func(b *tab) {
		b.until("the list is there", live)
		b.click(`.row:has(.mark.out) a.btn`)
	}},
	{name: "connection", path: "/setup", who: boss, shows: live + ` && document.querySelector("#ping .good")`},
	{name: "system", path: "/admin/system", who: boss, shows: live + ` && document.querySelectorAll(".chart rect").length > 5`},
	{name: "system-opened", path: "/admin/system", who: boss, shows: live + ` && document.querySelectorAll("details[open]").length === 2`, prepare: func(b *tab) {
		eval[bool](b, `document.querySelectorAll("details").forEach((d) => { d.open = true; }), true`)
	}},
	{name: "completeness-off", path: "/admin/system/completeness", who: boss, shows: live + ` && document.querySelector("main .card code")`},
	{name: "error", path: "/nowhere", who: ann, shows: `document.querySelector("h1").innerText === "Not here"`},
	{name: "keys", path: "/", who: ann, shows: `document.querySelector("#keys").open`, prepare: func(b *tab) { eval[bool](b, openKeys) }},
}

// openFirst opens the first message of a list.
func openFirst(b *tab) {
	b.until("the list is live", live)
	b.click("#messages .row .name")
	b.until("the message is open", `location.pathname.startsWith("/messages/") && `+live)
}

// newPlaces are the pages of a clinic where nothing has happened yet.
var newPlaces = []place{
	{name: "setup", shows: `document.querySelector("input[name=token]")`},
	{name: "feed-empty", path: "/", who: ann, shows: live + ` && document.querySelector("#feed-empty").checkVisibility()`},
	{name: "patients-empty", path: "/patients", who: ann, shows: live + ` && document.querySelector("#patients .empty")`},
	{name: "messages-empty", path: "/messages", who: ann, shows: live + ` && document.querySelector("#messages-empty").checkVisibility()`},
	{name: "imports-empty", path: "/imports", who: ann, shows: live + ` && document.querySelector("#imports-empty").checkVisibility()`},
	{name: "identity-empty", path: "/identity", who: ann, shows: live + ` && document.querySelector("#identity-empty").checkVisibility()`},
	{name: "inbox-empty", path: "/admin/inbox", who: boss, shows: live + ` && document.querySelector("#inbox-empty").checkVisibility()`},
	{name: "inbox-refused-none", path: "/admin/inbox/refused", who: boss, shows: live + ` && !document.querySelector(".refused")`},
	{name: "records-empty", path: "/records", who: ann, shows: live + ` && document.querySelector("#records-empty").checkVisibility()`},
	{name: "connection-waiting", path: "/setup", who: boss, shows: live + ` && document.querySelector("#ping .waiting")`},
	{name: "system-empty", path: "/admin/system", who: boss, shows: live + ` && document.querySelector("#ping .waiting")`},
}

// everyPlace opens every page, one after the other, and calls f with it.
func everyPlace(t *testing.T, f func(b *tab, name string)) {
	t.Helper()
	fresh := newClinicIn(t, t.TempDir())
	token, err := fresh.Auth().SetupToken(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	newPlaces[0].path = "/setup?token=" + url.QueryEscape(token)
	visit(t, fresh, newPlaces[:1], f)
	fresh.AddUser(t, ann, "coordinator")
	fresh.AddUser(t, boss, "admin")
	visit(t, fresh, newPlaces[1:], f)
	visit(t, atWork(t), places, f)
}

func visit(t *testing.T, c *clinic, list []place, f func(b *tab, name string)) {
	t.Helper()
	signedIn := map[string]*tab{}
	for _, p := range list {
		if signedIn[p.who] == nil && p.who != "" {
			signedIn[p.who] = newTab(t, c.URL)
			signedIn[p.who].signIn(p.who)
		}
		t.Run(p.name, func(t *testing.T) {
			var b *tab
			if p.who == "" {
				b = newTab(t, c.URL)
			} else {
				b = signedIn[p.who].another(t)
			}
			if p.path == "" {
				p.path = "/patients/" + c.busiest()
			}
			if p.name == "error" {
				b.expect(`status of 404`)
			}
			b.open(p.path)
			if p.prepare != nil {
				p.prepare(b)
			}
			b.until("the page is "+p.name, p.shows)
			b.until("everything of it is loaded", `document.readyState === "complete"`)
			f(b, p.name)
		})
	}
}

func TestEveryPageIsAccessibleAndFitsItsWindow(t *testing.T) {
	everyPlace(t, func(b *tab, name string) {
		checkAccessible(b, name)
		checkFits(b, name)
	})
}

// atWork is a clinic after some days: rows of every kind, seen and done ones, repeats, twins and test events.
func atWork(t *testing.T) *clinic {
	t.Helper()
	c := newClinicIn(t, t.TempDir())
	c.backlog(4)
	for _, m := range c.sim.TestEvents() {
		c.post(m)
	}
	var last string
	for _, kind := range []metriport.Type{metriport.PatientPharmacy, metriport.DischargeSummary, metriport.PatientTransfer, metriport.PatientLaboratory, metriport.PatientAdmit} {
		m, row := c.send(kind)
		c.post(c.sim.Repeat(m))
		last = row
	}
	c.write(`{"subject":"What it carried","patientId":"p-9","body":"Two lines\nof text","attachments":[{"url":"https://elsewhere.example/scan.pdf","fileName":"scan.pdf"}],"routing":{"hops":3}}`)
	c.Settled(t)
	if err := c.DB.Write(t.Context(), func(tx *db.Tx) error {
		return tx.CountRejections(t.Context(), map[string]int64{"wrong signature": 7, "no signature": 3, "encoded": 1})
	}); err != nil {
		t.Fatal(err)
	}
	c.AddUser(t, ann, "coordinator")
	c.AddUser(t, boss, "admin")
	by := c.bob()
	c.mark(by, last, "seen")
	messages := c.Messages(t)
	for i, m := range messages {
		state := "done"
		if i%3 == 0 {
			state = "seen"
		}
		if i > len(messages)*2/3 {
			break
		}
		by.Form(t, fmt.Sprintf("/notifications/%s/mark", rowID(t, m.Seq)[len("n-"):]), url.Values{"state": {state}, "known": {db.Mark{}.Version()}}) // 404 where it is no notification
	}
	return c
}

// busiest is the patient with the longest story of stays.
func (c *clinic) busiest() string {
	c.t.Helper()
	count, best := map[string]int{}, ""
	for _, m := range c.sent {
		switch m.Type {
		case metriport.PatientAdmit, metriport.PatientTransfer, metriport.PatientDischarge:
			id, _ := about(c.t, m)
			if count[id]++; count[id] > count[best] {
				best = id
			}
		}
	}
	return best
}
