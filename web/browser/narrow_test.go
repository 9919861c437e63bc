//go:build browser

package browser

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// low is a screen of 1440 × 900 that somebody has enlarged to 200 %.
func (b *tab) low() {
	b.Helper()
	b.do(chromedp.EmulateViewport(720, 450), nextFrame)
}

// TestTheFirstRowIsNearTheTopOfANarrowScreen, with the filters in a sheet, what is chosen in chips and the navigation at the foot.
func TestTheFirstRowIsNearTheTopOfANarrowScreen(t *testing.T) {
	c := newClinic(t)
	c.admits(20)
	b := c.ann()
	sizes := map[string]func(){"390 px": func() { b.window(narrow); b.do(nextFrame) }, "200 %": b.low}
	for name, size := range sizes {
		size()
		for _, path := range []string{"/", "/?kind=admit", "/?kind=admit&state=all"} {
			b.open(path)
			b.until("the list is live", live)
			if top := eval[float64](b, `document.querySelector("#feed > .row").getBoundingClientRect().top`); top > 160 {
				t.Errorf("%s: the first row of %s is %.0f px from the top", name, path, top)
			}
			for _, line := range append(eval[[]string](b, tooWide), eval[[]string](b, tooSmall)...) {
				t.Errorf("%s: %s: %s", name, path, line)
			}
		}
		b.always("the navigation is at the foot", `Math.abs(document.querySelector(".side").getBoundingClientRect().bottom - innerHeight) < 1`)
		b.always("the last row is not behind it", `(scrollTo(0, 1e6), [...document.querySelectorAll("main > *")].filter((e) => e.checkVisibility()).every((e) => e.getBoundingClientRect().bottom <= document.querySelector(".side").getBoundingClientRect().top))`)
		b.always("what is chosen is in a chip each", `[...document.querySelectorAll(".chip.on")].map((e) => e.innerText.split(/\s/)[0]).join(" ") === "Admit All"`)

		b.click(`.narrow > button`)
		b.until("the filters are there", `document.querySelector("#filters").matches(":popover-open")`)
		for _, line := range append(eval[[]string](b, tooWide), eval[[]string](b, tooSmall)...) {
			t.Errorf("%s: the sheet: %s", name, line)
		}
		if name == "390 px" {
			checkAccessible(b, "the filters as a sheet")
			size()
		}
		b.press(escape)
		b.until("they go at Escape", `!document.querySelector("#filters").checkVisibility()`)
		b.press("f")
		b.until("they come where somebody looks for something", `document.activeElement.matches("#filters [data-search]")`)
		b.press(escape)
		b.click(`.more-nav`)
		b.until("the rest of the navigation is there", `document.querySelector("#nav-rest").checkVisibility()`)
		b.press(escape)
		b.click(`.chip.on`)
		b.until("a chip takes its choice away", `location.search === "?state=all" && `+live)
	}
	b.window(wide)
	b.do(nextFrame)
	b.always("a wide screen has neither", `!document.querySelector(".narrow").checkVisibility() && !document.querySelector(".more-nav").checkVisibility() && document.querySelector("#filters").checkVisibility()`)
}
