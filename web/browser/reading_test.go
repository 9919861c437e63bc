//go:build browser

package browser

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// pill is true when the pill shows text.
func pill(text string) string {
	return fmt.Sprintf(`(() => { const p = document.querySelector("#new-rows"); return p.checkVisibility() && p.textContent === %q; })()`, text)
}

func focusOn(css string) chromedp.Action[chromedp.Void] { return chromedp.Focus(chromedp.CSS(css)) }

// checkFeed fails unless the feed shows n rows in order, newest first, none twice, each below the heading of its day.
func checkFeed(b *tab, n int) {
	b.Helper()
	type shown struct {
		Rows        []int
		Days, Wrong []string
	}
	got := eval[shown](b, `(() => {
		const out = {Rows: [], Days: [], Wrong: []};
		let day = "";
		for (const e of document.querySelector("#feed").children) {
			if (e.classList.contains("day")) { day = e.dataset.day; out.Days.push(day); }
			if (!e.dataset.key) continue;
			out.Rows.push(Number(e.dataset.key));
			if (e.dataset.day !== day) out.Wrong.push(e.id + " of " + e.dataset.day + " under " + day);
		}
		return out;
	})()`)
	if len(got.Rows) != n {
		b.Errorf("the feed shows %d rows, want %d", len(got.Rows), n)
	}
	if !slices.IsSortedFunc(got.Rows, func(x, y int) int { return y - x }) || len(slices.Compact(slices.Clone(got.Rows))) != len(got.Rows) {
		b.Errorf("the rows are not newest first, each once: %v", got.Rows)
	}
	if len(got.Wrong) > 0 {
		b.Errorf("rows under the wrong day: %v", got.Wrong)
	}
	days := slices.Clone(got.Days)
	slices.Sort(days)
	if len(slices.Compact(days)) != len(got.Days) {
		b.Errorf("a day has more than one heading: %v", got.Days)
	}
}

func TestNewEventsDoNotMoveAReaderDownThePage(t *testing.T) {
	c := newClinic(t)
	c.admits(40)
	b := c.ann()
	eval[bool](b, `window.scrollTo(0, 900), true`)
	b.until("the page is scrolled", `window.scrollY === 900`)
	place := `[...document.querySelectorAll("#feed > .row")].map((r) => r.getBoundingClientRect().top).find((y) => y > 0)`
	at := eval[float64](b, place)

	fresh := c.admits(2)
	b.until("the pill says how many are new", pill("2 new"))
	if now := eval[float64](b, place); now != at {
		t.Errorf("the rows moved from %v to %v", at, now)
	}
	b.always("the page is where it was", `window.scrollY === 900`)
	b.always("the new rows are not in the list", `!`+has(fresh[0])+` && !`+has(fresh[1]))
	b.always("the pill is in view", `document.querySelector("#new-rows").getBoundingClientRect().top >= 0`)

	b.click("#new-rows")
	b.until("the page is at its top", `window.scrollY === 0`)
	b.until("the new rows are at the top, newest first", `[...document.querySelectorAll("#feed > .row")].slice(0, 2).map((r) => r.id).join() === "`+fresh[1]+","+fresh[0]+`"`)
	b.always("the pill is gone", `!document.querySelector("#new-rows").checkVisibility()`)
	b.always("the focus is not lost", `document.activeElement !== document.body`)
	checkFeed(b, 42)

	more := c.admits(1)
	b.until("at the top rows slide in by themselves again", has(more[0]))
	time.Sleep(700 * time.Millisecond) // a press right after rows moved is not taken
	// The new rows work as the others do.
	b.click("#" + fresh[1] + "-seen")
	b.until("a row that waited can be marked", has(fresh[1])+`.classList.contains("is-seen")`)
}

func TestScrollingBackToTheTopLetsTheNewRowsIn(t *testing.T) {
	c := newClinic(t)
	c.admits(40)
	b := c.ann()
	eval[bool](b, `window.scrollTo(0, 900), true`)
	fresh := c.admits(1)
	b.until("the pill shows", pill("1 new"))
	eval[bool](b, toTop)
	b.until("the row is in the list", has(fresh[0]))
	b.always("the pill is gone", `!document.querySelector("#new-rows").checkVisibility()`)
	checkFeed(b, 41)
}

func TestNewEventsDoNotMoveAReaderInsideTheList(t *testing.T) {
	c := newClinic(t)
	rows := c.admits(5)
	b := c.ann()
	b.press("jj")
	b.until("the second row has the focus", focused+` === "`+rows[3]+`-name"`)
	at := eval[float64](b, `document.activeElement.getBoundingClientRect().top`)
	fresh := c.admits(2)
	b.until("the pill says how many are new", pill("2 new"))
	if now := eval[float64](b, `document.activeElement.getBoundingClientRect().top`); now != at {
		t.Errorf("the focused row moved from %v to %v", at, now)
	}
	b.always("the new rows wait", `!`+has(fresh[0]))

	// By keyboard the new rows are one step away, and the focus goes to the first of them.
	b.do(focusOn("#new-rows"))
	b.press(enter)
	b.until("the first new row has the focus", focused+` === "`+fresh[1]+`-name"`)
	checkFeed(b, 7)
}

func TestRowsThatWaitComeInWithTheNextOnceTheReaderIsIdle(t *testing.T) {
	c := newClinic(t)
	c.admits(5)
	b := c.ann()
	b.press("j")
	held := c.admits(1)
	b.until("the pill shows", pill("1 new"))
	b.press("f") // out of the list, at the top
	next := c.admits(1)
	b.until("the next event is in the list", has(next[0]))
	b.always("the one that waited is too", has(held[0]))
	b.always("the pill is gone", `!document.querySelector("#new-rows").checkVisibility()`)
	checkFeed(b, 7)
}

func TestAnotherPersonsMarkChangesTheRowInPlace(t *testing.T) {
	c := newClinic(t)
	rows := c.admits(40)
	b := c.ann()
	colleague := c.bob()
	row := rows[20]
	b.fill("input[type=search]", "typed but not sent")
	eval[bool](b, `document.getElementById("`+row+`").scrollIntoView({block: "center"}), true`)
	b.until("the row is in view", `window.scrollY > 200`)
	// The focus is elsewhere in the list, on another row's button.
	other := rows[19] + "-done"
	b.do(focusOn("#" + other))
	eval[bool](b, `(() => { window.row = document.getElementById("`+row+`"); window.scroll = window.scrollY; return true; })()`)

	c.mark(colleague, row, "done")
	b.until("the row says that it is done, and by whom", `/done\s+by bob/.test(`+has(row)+`.innerText)`)
	b.always("it is the same element", `window.row === document.getElementById("`+row+`")`)
	b.always("it is marked by more than colour", has(row)+`.querySelector(".by").innerText.startsWith("done")`)
	b.always("the focus stayed", focused+` === "`+other+`"`)
	b.always("the page did not scroll", `window.scrollY === window.scroll`)
	b.always("typed text stayed", `document.querySelector("input[type=search]").value === "typed but not sent"`)
	checkFeed(b, 40)

	// The row that has the focus itself is changed too, without losing it.
	c.mark(colleague, rows[19], "done")
	b.until("the row is done", has(rows[19])+`.classList.contains("is-done")`)
	b.always("the focus is still in the row", has(rows[19])+`.contains(document.activeElement)`)
}

func TestTypingInTheSearchBoxIsNotDisturbed(t *testing.T) {
	c := newClinic(t)
	c.admits(3)
	b := c.ann()
	b.press("f")
	b.press("550")
	fresh := c.admits(1)
	b.until("the row slides in", has(fresh[0]))
	b.always("the box has the focus and the text", `document.activeElement.matches("[data-search]") && document.activeElement.value === "550" && document.activeElement.selectionStart === 3`)
}
