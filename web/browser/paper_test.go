//go:build browser

package browser

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// TestPaperSaysInWordsWhatAScreenShows: when it was, and who has a row; nothing that can be pressed is printed.
func TestPaperSaysInWordsWhatAScreenShows(t *testing.T) {
	c := newClinic(t)
	rows := c.admits(2)
	b := c.ann()
	b.click("#" + rows[0] + "-done")
	b.until("the row is marked", state(rows[0], "done"))
	id := eval[string](b, `document.querySelector("#feed .name").getAttribute("href")`)
	for _, path := range []string{"/?state=all", id} {
		b.open(path)
		b.until("the page is live", live)
		call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
		b.do(chromedp.EmulateViewport(725, 960), nextFrame) // a letter between its margins
		b.always("nothing can be pressed", `[...document.querySelectorAll("button, input, select, .side, .bar, .narrow")].every((e) => !e.checkVisibility())`)
		b.always("nothing sticks out", `document.documentElement.scrollWidth <= document.documentElement.clientWidth`)
		b.always("shapes are printed", `getComputedStyle(document.querySelector(".kind"), "::before").printColorAdjust === "exact"`)
		if path != id {
			b.always("times are absolute", `[...document.querySelectorAll("#feed time[data-ago]")].every((e) => getComputedStyle(e).fontSize === "0px" && getComputedStyle(e, "::after").content.includes("20"))`)
			b.always("who has a row is said", has(rows[0])+`.querySelector(".by").checkVisibility() && /done by ann/.test(`+has(rows[0])+`.innerText)`)
			b.always("and who has not", `getComputedStyle(`+has(rows[1])+`.querySelector(".by"), "::after").content === '"not seen"'`)
		}
		call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{})
	}
}
