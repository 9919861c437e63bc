//go:build browser

package browser

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"

	"carebell/db"
	"carebell/web/care"
)

// middle is where an element is pressed.
func (b *tab) middle(css string) (x, y float64) {
	b.Helper()
	at := eval[[]float64](b, `(() => { const r = document.querySelector(`+"`"+css+"`"+`).getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()`)
	return at[0], at[1]
}

// pressAt presses the mouse n times at a place.
func (b *tab) pressAt(x, y float64, n int64) {
	b.Helper()
	for i := int64(1); i <= n; i++ {
		for _, how := range []input.DispatchMouseEventType{input.DispatchMouseEventTypeMousePressed, input.DispatchMouseEventTypeMouseReleased} {
			call(b, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: how, X: x, Y: y, Button: input.MouseButtonLeft, ClickCount: i})
		}
	}
}

// later has the page believe that so many milliseconds have gone by.
func (b *tab) later(ms string) {
	b.Helper()
	eval[bool](b, `(() => { const was = performance.now.bind(performance); performance.now = () => was() + `+ms+`; return true })()`)
}

// TestRowsHoldStillUnderThePointer: what comes meanwhile waits, is counted, and comes when the pointer leaves or rests for
// long.
func TestRowsHoldStillUnderThePointer(t *testing.T) {
	c := newClinic(t)
	rows := c.admits(5)
	b := c.ann()
	under := "#" + rows[2] + "-done"
	b.point(under)
	x, y := b.middle(under)
	first := c.admits(2)
	b.until("the pill counts", pill("2 new"))
	if nx, ny := b.middle(under); nx != x || ny != y {
		t.Errorf("the button under the pointer went from %v %v to %v %v", x, y, nx, ny)
	}
	b.always("nothing new is in the list", `!`+has(first[0])+` && !`+has(first[1]))
	b.pressAt(x, y, 1)
	b.until("the row that was pointed at is marked", state(rows[2], "done"))
	b.always("and stays where it was", `document.querySelectorAll("#feed > .row")[2].id === "`+rows[2]+`"`)
	b.point("h1")
	b.until("the rows come when the pointer leaves", has(first[0])+` && `+has(first[1]))
	b.until("nothing waits", `document.querySelector("#new-rows").hidden`)

	b.point("#" + rows[1] + " .fact")
	second := c.admits(1)
	b.until("the pill counts again", pill("1 new"))
	b.later("61000")
	b.until("a pointer that rests for long holds nothing", has(second[0]))
}

// TestARowThatGrowsDoesNotPushAwayTheOnePointedAt: what is above it gets its record.
func TestARowThatGrowsDoesNotPushAwayTheOnePointedAt(t *testing.T) {
	c := newClinic(t)
	rows := c.admits(30)
	b := c.ann()
	under := "#" + rows[20] + "-done"
	b.point(under)
	_, y := b.middle(under)
	height := `document.querySelector("#` + rows[25] + `").getBoundingClientRect().height`
	before := eval[float64](b, height)
	c.facts(rows[25], care.Facts{Read: true, Encounter: &care.Encounter{Reasons: []string{strings.Repeat("shortness of breath and swollen legs ", 12)}}})
	b.until("the row above grew", height+` > `+decimal(int(before)+5))
	if _, ny := b.middle(under); ny-y > 1 || y-ny > 1 {
		t.Errorf("the button under the pointer went from %v to %v", y, ny)
	}
}

// TestAPressRightAfterRowsMovedIsNotTaken: it was meant for the row that was there before.
func TestAPressRightAfterRowsMovedIsNotTaken(t *testing.T) {
	c := newClinic(t)
	c.admits(3)
	b := c.ann()
	eval[bool](b, `(() => { const at = performance.now(); performance.now = () => at; return true })()`) // from here on all is one moment
	b.point("h1")
	row := c.admits(1)[0]
	b.until("the row is there", has(row))
	x, y := b.middle("#" + row + "-done")
	b.pressAt(x, y, 1)
	b.until("the page says why", `/rows had just moved/.test(document.querySelector("#toast").textContent)`)
	b.always("the row is not marked", state(row, "new"))
	b.later("700")
	b.pressAt(x, y, 1)
	b.until("a moment later it is", state(row, "done"))
}

// TestADoubleClickDoesOneThing: seen is not done, done is not taken back, and the way back never appears under the pointer.
func TestADoubleClickDoesOneThing(t *testing.T) {
	c := newClinic(t)
	rows := c.admits(3)
	b := c.ann()
	for _, test := range []struct{ row, button string }{{rows[0], "seen"}, {rows[1], "done"}} {
		eval[bool](b, `(() => { const at = performance.now() + 5000; performance.now = () => at; return true })()`)
		x, y := b.middle("#" + test.row + "-" + test.button)
		b.pressAt(x, y, 2)
		b.until("the row is "+test.button, state(test.row, test.button))
		b.pressAt(x, y, 2)
		b.until("nothing is under way", `!document.querySelector(".htmx-request")`)
		b.always("and no more than that", state(test.row, test.button))
		b.always("what was pressed left its place empty", `!document.elementFromPoint(`+fmt.Sprint(x)+`, `+fmt.Sprint(y)+`).closest("button")`)
	}
}

// TestAStaleMarkErasesNobodysWork: whoever marks what somebody else has marked meanwhile is told so, and sees that.
func TestAStaleMarkErasesNobodysWork(t *testing.T) {
	c := newClinic(t)
	row := c.admits(1)[0]
	b := c.ann()
	stale := eval[string](b, has(row)+`.querySelector("[name=known]").value`)
	other := c.bob()
	c.mark(other, row, "done")
	b.until("what the other did was pushed", state(row, "done"))
	eval[bool](b, has(row)+`.querySelector("[name=known]").value = "`+stale+`", true`) // as if that had come a moment later
	b.expect(`409 \(Conflict\)`)
	b.click("#" + row + "-undo")
	b.until("the page says who was faster", `/^bob@clinic\.example marked this notification at .* Nothing was changed/.test(document.querySelector("#toast").textContent)`)
	b.always("the other's mark stands", state(row, "done"))
	if resp, body := other.Form(t, "/notifications/"+row[len("n-"):]+"/mark", url.Values{"state": {"seen"}, "known": {db.Mark{}.Version()}}); resp.StatusCode != http.StatusConflict {
		t.Errorf("a stale mark without scripts answered %d: %s", resp.StatusCode, body)
	}
}
