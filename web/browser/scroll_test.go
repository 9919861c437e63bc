//go:build browser

package browser

import (
	"testing"
	"time"
)

// scrollToTheEnd scrolls until there is nothing older, as a person would.
func scrollToTheEnd(b *tab) {
	b.Helper()
	for range 40 {
		shown := eval[int](b, `document.querySelectorAll("#feed > .row").length`)
		if eval[bool](b, `!document.querySelector("#older")`) {
			return
		}
		eval[bool](b, toTop) // so that the end comes into view anew
		eval[bool](b, toEnd)
		b.until("older rows came", `!document.querySelector("#older") || document.querySelectorAll("#feed > .row").length > `+decimal(shown))
	}
	b.Error("there is no end to the older rows")
}

func TestScrollingLoadsEverythingOnce(t *testing.T) {
	c := newClinic(t)
	c.admits(130)
	b := c.ann()
	checkFeed(b, 50)
	scrollToTheEnd(b)
	checkFeed(b, 130)

	eval[bool](b, toTop)
	fresh := c.admits(1)
	b.until("a live row still comes in on top", `document.querySelector("#feed > .row").id === "`+fresh[0]+`"`)
	checkFeed(b, 131)
}

func TestWhatALongFeedCutsOffCanBeScrolledToAgain(t *testing.T) {
	c := newClinic(t)
	c.admits(330)
	b := c.ann()
	scrollToTheEnd(b)
	checkFeed(b, 330)
	eval[bool](b, toTop)
	b.until("the page is at its top", `window.scrollY === 0`)
	fresh := c.admits(1)
	b.until("a live row comes in", has(fresh[0]))
	checkFeed(b, 300)
	scrollToTheEnd(b)
	checkFeed(b, 331)
}

func TestANewDayGetsItsHeading(t *testing.T) {
	c := newClinic(t)
	c.Clock.Advance(-50 * time.Hour)
	c.admits(60) // more than a page, so that a page ends within the day
	c.Clock.Advance(26 * time.Hour)
	c.admits(1)
	c.Clock.Advance(24 * time.Hour)
	b := c.ann()
	scrollToTheEnd(b)
	checkFeed(b, 61)
	eval[bool](b, toTop)
	b.until("the page is at its top", `window.scrollY === 0`)
	c.admits(1)
	b.until("the new day has its heading", `document.querySelector("#feed > .day").textContent.startsWith("Today, ")`)
	b.until("all rows are there", `document.querySelectorAll("#feed > .row").length === 62`)
	checkFeed(b, 62)
	b.always("there are three days", `document.querySelectorAll("#feed > .day").length === 3`)
}

func TestFiltersHoldForLiveRows(t *testing.T) {
	c := newClinic(t)
	c.admits(1)
	b := c.ann()
	b.click(`.seg a[href="/?kind=discharge"]`)
	b.until("the filtered feed is live", `location.search === "?kind=discharge" && `+live)
	admit := c.admits(1)[0]
	_, discharge := c.send("patient.discharge")
	b.until("what fits comes in", has(discharge))
	b.always("what does not fit stays out", `!`+has(admit))
	checkFeed(b, 1)
}

func TestAnOlderPageTakesNoNewRows(t *testing.T) {
	c := newClinic(t)
	rows := c.admits(60)
	b := c.ann()
	b.open("/?before=" + rows[20][len("n-"):])
	b.until("the older page is live", live)
	checkFeed(b, 20)
	c.mark(c.bob(), rows[3], "done")
	fresh := c.admits(1)
	b.until("a row of it is changed in place", state(rows[3], "done"))
	b.until("the new one is counted", `document.querySelector("#nav-new").textContent.startsWith("60")`)
	b.always("but not put in", `!`+has(fresh[0]))
	checkFeed(b, 20)
}

// A browser may keep a whole page while the person is elsewhere and show it again as it was.
func TestAPageThatComesBackIsLoadedAnew(t *testing.T) {
	c := newClinic(t)
	c.admits(1)
	b := c.ann()
	eval[bool](b, `window.sameDocument = true`)
	eval[bool](b, `window.dispatchEvent(new PageTransitionEvent("pageshow", {persisted: true})), true`)
	b.until("the page was loaded again", `!window.sameDocument && `+live)
	eval[bool](b, `window.sameDocument = true`)
	b.open("/patients")
	b.do(back)
	b.until("the feed is live after going back", `location.pathname === "/" && `+live)
	fresh := c.admits(1)
	b.until("and what comes appears", has(fresh[0]))
}
