//go:build browser

package browser

import (
	"testing"

	"carebell/web/metriport"
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
