//go:build browser

package browser

import (
	"strconv"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"carebell/web/metriport"
)

const finderOpen = `document.querySelector("#search").open`

func TestAPatientIsFoundByKeyboardAlone(t *testing.T) {
	c := newClinic(t)
	m, _ := c.send(metriport.PatientAdmit)
	c.Settled(t)
	id, _ := about(t, m)
	c.nameQuentin()
	b := c.ann()
	b.press("/")
	b.until("the box is open and has the focus", finderOpen+` && document.activeElement.id === "search-text" && document.activeElement.value === ""`)
	b.press("entin")
	b.until("the patient is offered", `document.querySelectorAll("#search-results [role=option]").length === 1 && document.querySelector("#search-status").textContent.includes("1 found")`)
	b.always("the field says that there is a list", `document.activeElement.getAttribute("aria-expanded") === "true"`)
	b.always("nothing is chosen yet", `!document.activeElement.hasAttribute("aria-activedescendant")`)
	b.press(kb.ArrowDown)
	b.until("the arrow chooses it", `document.activeElement.getAttribute("aria-activedescendant") === "hit-1" && document.querySelector("#hit-1").getAttribute("aria-selected") === "true"`)
	b.always("the focus stays in the field", `document.activeElement.id === "search-text"`)
	b.press(enter)
	b.until("Enter opens the patient", `location.pathname === "/patients/`+id+`" && `+live)
	b.always("the address has nothing of what was typed", `!location.href.includes("entin")`)

	b.press("/")
	b.until("it opens on every page", finderOpen)
	b.press("quen")
	b.until("the patient is offered", `document.querySelector("#hit-1")`)
	b.press(escape)
	b.until("Escape closes it, and the field is empty", `!`+finderOpen+` && document.querySelector("#search-text").value === "" && !document.querySelector("#hit-1")`)
	b.always("the focus is not lost", `document.activeElement !== document.body`)

	b.press("/")
	b.press("quen")
	b.until("the patient is offered", `document.querySelector("#hit-1")`)
	b.press("zz")
	b.until("what fits no more is gone", `!document.querySelector("#hit-1") && document.querySelector("#search-status").textContent.includes("Nothing was found")`)
	b.press(escape)
	b.press("/")
	b.press("q")
	b.until("one letter is too few", `document.querySelector("#search-status").textContent.includes("at least 2")`)
	b.press("uentin")
	b.until("the patient is offered", `document.querySelector("#hit-1")`)
	b.press(enter)
	b.until("Enter without a choice shows all on a page", `location.pathname === "/search" && document.querySelector(".row.hit a") && `+live)
	b.press("j")
	b.press(enter)
	b.until("which opens them too", `location.pathname === "/patients/`+id+`"`)
}

// nameQuentin gives every patient the name Quentin Sample.
func (c *clinic) nameQuentin() {
	c.t.Helper()
	for _, change := range []string{
		`UPDATE patient SET name = 'Quentin Sample'`,
		`UPDATE patient_search SET words = 'quentin sample' || char(10) || words`,
	} {
		if _, err := c.file().ExecContext(c.t.Context(), change); err != nil {
			c.t.Fatal(err)
		}
	}
}

const (
	tooFew  = `document.querySelector("#search-status").textContent.includes("at least 2")`
	noNames = `!document.querySelector("#search-results").textContent.includes("Quentin")`
)

// TestWhoTypesQuicklyLosesNoLetter: what is typed right after Escape and "/" stays in the field, although the event that
// says that the box was closed comes after it.
func TestWhoTypesQuicklyLosesNoLetter(t *testing.T) {
	c := newClinic(t)
	c.admits(1)
	c.nameQuentin()
	b := c.ann()
	b.press("/")
	b.until("the box is open", finderOpen)
	b.press("quen")
	b.until("the patient is offered", `document.querySelector("#hit-1")`)
	// All of it before the browser comes to send the event.
	typed := eval[string](b, `(async () => {
		const key = (key) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
		const box = document.querySelector("#search"), field = document.querySelector("#search-text");
		const closed = new Promise((done) => box.addEventListener("close", done, { once: true }));
		key("Escape");
		const atOnce = !box.open && field.value === "" && !document.querySelector("#hit-1");
		key("/");
		document.execCommand("insertText", false, "q");
		await closed;
		await new Promise((done) => setTimeout(done));
		return [atOnce, box.open, document.activeElement.id, field.value].join();
	})()`)
	if typed != "true,true,search-text,q" {
		t.Errorf("after Escape, / and q: emptied at once, open, focus, text = %s", typed)
	}
	b.until("the letter was looked for", tooFew)
	for range 20 {
		b.press(escape + "/q")
		b.until("one letter is too few", tooFew+` && document.querySelector("#search-text").value === "q"`)
		b.press("uentin")
		b.until("the patient is offered", `document.querySelector("#hit-1")`)
	}
}

// TestALateAnswerPutsNoNameIntoTheBox that was closed, or opened again for another search, meanwhile. The answers here
// cannot be called off.
func TestALateAnswerPutsNoNameIntoTheBox(t *testing.T) {
	c := newClinic(t)
	c.admits(1)
	c.nameQuentin()
	b := c.ann()
	eval[bool](b, `(() => {
		const real = window.fetch, held = [];
		window.held = held;
		window.release = async () => { for (const go of held.splice(0)) go(); await new Promise((done) => setTimeout(done, 300)); };
		window.fetch = async (url, how) => {
			const answer = await real(url, { ...how, signal: undefined });
			if (String(url).includes("q=quen")) await new Promise((go) => held.push(go));
			return answer;
		};
		return true;
	})()`)
	const isHeld, release = `window.held.length === 1`, `window.release().then(() => true)`

	b.press("/quen")
	b.until("the answer is on its way", isHeld)
	b.press(escape)
	eval[bool](b, release)
	b.always("the closed box has no name", `!`+finderOpen+` && `+noNames)
	status := eval[string](b, `document.querySelector("#search-status").textContent`)

	b.press("/")
	b.always("nor has the box that is opened again", finderOpen+` && `+noNames)
	b.press("quen")
	b.until("the answer is on its way", isHeld)
	b.press(escape + "/")
	eval[bool](b, release)
	b.always("nor when it was opened again before the answer came", finderOpen+` && `+noNames+` && document.querySelector("#search-status").textContent === `+strconv.Quote(status))

	b.press("quen")
	b.until("the answer is on its way", isHeld)
	b.press(escape + "/q")
	b.until("the later answer is there", tooFew)
	eval[bool](b, release)
	b.always("the earlier one does not take its place", tooFew+` && `+noNames)

	b.press(kb.Backspace)
	b.always("an empty field has no answer", `document.querySelector("#search-text").value === "" && document.querySelector("#search-status").textContent === `+strconv.Quote(status))
	b.press("quen")
	b.until("the answer is on its way", isHeld)
	eval[bool](b, release)
	b.until("an answer that comes in time is shown", `document.querySelector("#hit-1")`)
}

func TestArrowsGoAroundWhatWasFound(t *testing.T) {
	c := newClinic(t)
	c.admits(12)
	b := c.ann()
	b.click(".find")
	b.until("a click opens the box", finderOpen)
	b.press("55")
	b.until("more than a few are offered", `document.querySelectorAll("#search-results [role=option]").length === 6 && document.querySelector("#search-status").textContent.includes("and more")`)
	chosen := `document.activeElement.getAttribute("aria-activedescendant")`
	b.press(kb.ArrowUp)
	b.until("up goes to the last", chosen+` === "hit-6"`)
	b.press(kb.ArrowDown)
	b.until("down from there to the first", chosen+` === "hit-1"`)
	b.always("one is chosen", `document.querySelectorAll("[aria-selected=true]").length === 1`)
	b.press("0")
	b.until("typing on chooses none", `!document.activeElement.hasAttribute("aria-activedescendant")`)
	b.press(kb.ArrowUp)
	b.until("up goes to the way to all of them", chosen)
}
