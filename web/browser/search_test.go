//go:build browser

package browser

import (
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
	if _, err := c.file().ExecContext(t.Context(), `UPDATE patient SET name = 'Quentin Sample'`); err != nil {
		t.Fatal(err)
	}
	if _, err := c.file().ExecContext(t.Context(), `UPDATE patient_search SET words = 'quentin sample' || char(10) || words`); err != nil {
		t.Fatal(err)
	}
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
	b.until("Enter without a choice shows all on a page", `location.pathname === "/search" && document.querySelector(".row.hit a")`)
	b.press("j")
	b.press(enter)
	b.until("which opens them too", `location.pathname === "/patients/`+id+`"`)
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
