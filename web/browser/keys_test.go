//go:build browser

package browser

import (
	"testing"

	"github.com/chromedp/chromedp/kb"

	"carebell/db"
	"carebell/web/metriport"
)

// TestTheFirstRowIsThreeTabsAway at most, beside the skip link, on every list.
func TestTheFirstRowIsThreeTabsAway(t *testing.T) {
	c := newClinic(t)
	for _, kind := range []metriport.Type{metriport.PatientAdmit, metriport.MessageReceived, metriport.BulkPatientCreate, metriport.NetworkQueryHIE, metriport.IdentityVerified} {
		c.send(kind)
	}
	c.Settled(t)
	c.AddUser(t, boss, db.Admin)
	b := newTab(t, c.URL)
	b.signIn(boss)
	for _, page := range []string{"/?state=all", "/messages?state=all", "/records", "/imports", "/identity", "/admin/inbox"} {
		b.open(page)
		b.until("there is a row", `document.querySelector("[data-live-list] .row") && `+live)
		tabs := 0
		for ; tabs < 4 && !eval[bool](b, `document.activeElement.id === "skip-to-rows"`); tabs++ {
			b.press(kb.Tab)
		}
		b.press(enter)
		b.always(page+": the first row has the focus", `document.querySelector("[data-live-list] .row").contains(document.activeElement)`)
		if tabs > 1+3 { // the skip link is one of them
			t.Errorf("%s: the first row is %d Tabs away", page, tabs)
		}
	}
}

const said = `document.querySelector("#toast").textContent`

// TestAKeyThatCanDoNothingSaysWhy, and no key does anything where they are switched off.
func TestAKeyThatCanDoNothingSaysWhy(t *testing.T) {
	c := newClinic(t)
	b := c.ann()
	b.press("j")
	b.until("there is no row", said+`.includes("no row here")`)
	c.admits(1)
	b.until("there is a row", `document.querySelector("[data-live-list] .row")`)
	b.press("e")
	b.until("no row is chosen", said+`.includes("Choose a row first")`)
	b.press("j")
	b.press("u")
	b.until("nothing can be undone", said+`.includes("can be undone")`)
	b.press("j")
	b.until("it is the last row", said+`.includes("last row")`)
	b.press("k")
	b.until("and the first one", said+`.includes("first row")`)
	b.press("n")
	b.until("there are no notes", said+`.includes("Notes")`)
	b.open("/search")
	b.until("the page is live", live)
	b.always("it is said of nothing", said+` === ""`)
	eval[bool](b, `(() => { localStorage.setItem("carebell keys off", "1"); return true; })()`)
	b.press("j")
	b.always("keys that are switched off say nothing", said+` === ""`)
}

// TestFlagsExplainThemselvesToTheKeyboard until Escape, as they do to a pointer.
func TestFlagsExplainThemselvesToTheKeyboard(t *testing.T) {
	c := newClinic(t)
	m, row := c.send(metriport.PatientAdmit)
	c.post(m)
	c.Settled(t)
	b := c.ann()
	b.until("the row has a flag", `document.querySelector("#`+row+` .flag[title]")`)
	b.until("it takes the focus", `(() => { const f = document.querySelector("#`+row+` .flag[title]"); f.focus(); return document.activeElement === f; })()`)
	b.always("what it means is shown beside it and named by it", `(() => { const tip = document.querySelector("#flag-tip"); const f = document.activeElement;
		return tip.checkVisibility() && tip.textContent === f.title && f.getAttribute("aria-describedby") === "flag-tip"; })()`)
	b.press(escape)
	b.always("Escape hides it, and the focus stays", `!document.querySelector("#flag-tip").checkVisibility() && document.activeElement.matches(".flag")`)
}
