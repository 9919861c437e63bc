//go:build browser

package browser

import (
	"testing"
	"time"

	"carebell/db"
	"carebell/web/metriport"
	"carebell/web/webtest"
)

func TestAnEventAppearsWithoutReload(t *testing.T) {
	c := newClinic(t)
	b := newTab(t, c.URL)
	b.open("/")
	b.until("a stranger is led to the login", `location.pathname === "/login"`)
	b.signIn(ann)
	b.always("the empty feed says what will come", `document.querySelector("#feed-empty").innerText.includes("appear here by themselves")`)

	eval[bool](b, `window.sameDocument = true`)
	_, row := c.send(metriport.PatientAdmit)
	b.until("the admit is in the feed", has(row)+`?.querySelector(".kind.admit")`)
	b.always("the page was not loaded again", `window.sameDocument`)
	b.always("nothing says that the feed is empty", `!document.querySelector("#feed-empty")?.checkVisibility()`)
	b.always("the count beside Feed is 1", `document.querySelector("#nav-new").textContent.startsWith("1")`)
	b.always("the page says when Metriport was last heard", `document.querySelector("#last-event time").dateTime > ""`)
}

func TestAWrongPasswordKeepsTheEmailAndSaysSo(t *testing.T) {
	c := newClinic(t)
	b := newTab(t, c.URL)
	b.expect(`status of 401`)
	b.open("/login")
	b.fill("input[name=email]", ann)
	b.fill("input[name=password]", "not the password at all")
	b.click("button.main")
	b.until("the page says what was wrong", `document.querySelector("[role=alert]")?.textContent.length > 10`)
	b.always("the email is kept", `document.querySelector("input[name=email]").value === "`+ann+`"`)
	b.always("the password is not", `document.querySelector("input[name=password]").value === ""`)
}

func TestSigningOutInOneTabEndsTheOther(t *testing.T) {
	c := newClinic(t)
	first := c.ann()
	second := first.another(t)
	second.open("/patients")
	second.until("the second tab is live", live)

	first.click(".side form button")
	first.until("the first tab is at the login", `location.pathname === "/login"`)
	second.until("the second tab is at the login too", `location.pathname === "/login"`)
	second.always("it comes back to where it was", `new URLSearchParams(location.search).get("next") === "/patients"`)
}

// TestALoginThatEndsSaysSo and goes on afterwards: the page leads to the sign-in by itself, which says why, and comes back
// with its choices, but without what was typed.
func TestALoginThatEndsSaysSo(t *testing.T) {
	c := newClinic(t)
	c.admits(1)
	b := c.ann()
	b.open("/?kind=admit&state=all&q=zzz")
	b.until("the page is live", live)
	c.Clock.Advance(16 * time.Minute)
	b.until("the page leads to the sign-in", `location.pathname === "/login"`)
	b.until("which says why", `document.querySelector("#why")?.innerText.includes("nothing was done here for 15 min")`)
	b.always("neither the address nor the browser keeps what was typed", `!location.href.includes("zzz") && !JSON.stringify(sessionStorage).includes("zzz")`)
	b.fill("input[name=email]", ann)
	b.fill("input[name=password]", webtest.Password)
	b.click("button.main")
	b.until("the choices are back", `location.pathname === "/" && new URLSearchParams(location.search).get("kind") === "admit" && !location.search.includes("zzz") && `+live)
}

// TestAMarkThatWasMeantIsAskedFor after the sign-in, of the same person alone.
func TestAMarkThatWasMeantIsAskedFor(t *testing.T) {
	c := newClinic(t)
	c.AddUser(t, bob, db.Coordinator)
	row := c.admits(1)[0]
	b := c.ann()
	b.expect(`status of 401`)
	b.expect(`status of 401`)
	b.expect(`status of 401`)
	endAndMark := func() {
		t.Helper()
		b.until("the page is live", live)
		eval[bool](b, `(() => { document.querySelector("#live").remove(); return true; })()`) // or the page would be led away before the click
		c.Clock.Advance(16 * time.Minute)
		b.click("#" + row + "-seen")
		b.until("the page leads to the sign-in", `location.pathname === "/login" && document.querySelector("#why")`)
		b.always("nothing of the patient is kept", `!/sample/i.test(sessionStorage.getItem("carebell return").replace("`+ann+`", ""))`)
	}
	signIn := func(who string) {
		t.Helper()
		b.fill("input[name=email]", who)
		b.fill("input[name=password]", webtest.Password)
		b.click("button.main")
		b.until("the feed is live", `location.pathname === "/" && `+live)
	}
	endAndMark()
	signIn(bob)
	b.always("somebody else is not asked, and nothing is marked", `!document.querySelector("#meant") && !sessionStorage.getItem("carebell return") && document.querySelector("#`+row+`-seen")`)
	b.click(".side form button")
	b.until("the sign-in is there", `location.pathname === "/login"`)
	signIn(ann)
	endAndMark()
	signIn(ann)
	b.until("the same person is asked", `document.querySelector("#meant[open]")?.innerText.includes("signed out before this was saved")`)
	b.always("and nothing is marked before the answer", `document.querySelector("#`+row+`-seen")`)
	b.click("#meant .main")
	b.until("the mark is made", `!document.querySelector("#`+row+`-seen") && document.querySelector("#`+row+`-undo")`)
}
