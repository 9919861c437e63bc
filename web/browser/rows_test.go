//go:build browser

package browser

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"

	"carebell/db"
	"carebell/web/care"
)

// event posts an event of one patient and waits until it is in the chart. It returns the id of its row.
func (c *clinic) event(id, kind, more string) string {
	c.t.Helper()
	body := fmt.Appendf(nil, `{"meta":{"messageId":%q,"type":%q,"when":%q},"payload":{"patientId":"P-1"%s}}`, id, kind, c.Clock.Now().UTC().Format("2006-01-02T15:04:05.000Z"), more)
	if status, answer := c.Post(c.t, body); status != http.StatusOK {
		c.t.Fatalf("the webhook answered %d: %s", status, answer)
	}
	c.Settled(c.t)
	all := c.Messages(c.t)
	for _, m := range all {
		if m.MessageID == id {
			return rowID(c.t, m.Seq)
		}
	}
	c.t.Fatalf("message %s is not in the inbox", id)
	return ""
}

// facts stores what a record says for the notification of a row.
func (c *clinic) facts(row string, facts care.Facts) {
	c.t.Helper()
	raw, err := json.Marshal(facts)
	if err != nil {
		c.t.Fatal(err)
	}
	id, err := strconv.ParseInt(strings.TrimPrefix(row, "n-"), 10, 64)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.DB.Write(c.t.Context(), func(tx *db.Tx) error {
		if err := tx.SaveRecordTime(c.t.Context(), id, facts); err != nil {
			return err
		}
		return tx.SaveNotificationFacts(c.t.Context(), db.NotificationFacts{ID: id, Facts: raw})
	}); err != nil {
		c.t.Fatal(err)
	}
}

// point moves the mouse over the middle of an element.
func (b *tab) point(css string) {
	b.Helper()
	at := eval[[]float64](b, `(() => { const r = document.querySelector(`+"`"+css+"`"+`).getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()`)
	call(b, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: input.DispatchMouseEventTypeMouseMoved, X: at[0], Y: at[1]})
}

// TestWhoHadANoticeHowLongShowsItself at the row that is pointed at or has the focus, moves nothing, and goes at Escape.
func TestWhoHadANoticeHowLongShowsItself(t *testing.T) {
	c := newClinic(t)
	ago := func(d time.Duration) string {
		return c.Clock.Now().Add(-d).UTC().Format("2006-01-02T15:04:05.000Z")
	}
	var ids []string
	for i := range 3 {
		ids = append(ids, c.event(fmt.Sprint(i), "patient.admit", fmt.Sprintf(`,"admitTimestamp":%q,"whenSourceSent":%q`, ago(time.Hour), ago(18*time.Minute))))
	}
	b := c.ann()
	places := `JSON.stringify([...document.querySelectorAll("main *:not(.tip, .tip *)")].map((e) => { const r = e.getBoundingClientRect(); return [r.x, r.y, r.width, r.height]; }))`
	before := eval[string](b, places)
	for i, row := range ids {
		tip := `document.querySelector("#` + row + ` .tip")`
		shown := tip + `.getBoundingClientRect().width > 100 && getComputedStyle(` + tip + `).opacity === "1"`
		whole := `(() => { const r = ` + tip + `.getBoundingClientRect(); const l = document.querySelector("#feed").getBoundingClientRect(); return r.top >= l.top && r.bottom <= l.bottom && r.left >= l.left && r.right <= l.right; })()`
		b.always("nothing shows itself", `!(`+shown+`)`)
		b.always("it can be heard", tip+`.innerText.startsWith("hospital 42 min, network 18 min, here ")`)
		b.point("#" + row + " .fact")
		b.until("it shows itself to who points", shown)
		b.always("all of it", whole)
		if eval[string](b, places) != before {
			t.Errorf("row %d: pointing moved something", i)
		}
		b.press(escape)
		b.until("it goes", `!(`+shown+`)`)
		b.point("h1")
		b.always("nothing shows itself", `!(`+shown+`)`)
		b.point("#" + row + " .fact")
		b.until("it comes again", shown)
		b.point("h1")
		b.do(focusOn("#" + row + "-name"))
		b.until("it shows itself to who comes by keyboard", shown)
		if eval[string](b, places) != before {
			t.Errorf("row %d: the focus moved something", i)
		}
		b.press(escape)
		b.until("it goes", `!(`+shown+`)`)
		b.always("the focus stays", focused+` === "`+row+`-name"`)
	}
}

// TestARowGoesToTheDayThatItsRecordSays: on the open page of a patient, under the heading of that day, and with its focus.
func TestARowGoesToTheDayThatItsRecordSays(t *testing.T) {
	c := newClinic(t)
	now := c.Clock.Now()
	day := func(back int) string { return now.AddDate(0, 0, -back).UTC().Format(time.DateOnly) }
	first := c.event("1", "patient.pharmacy", fmt.Sprintf(`,"medicationDispensedDate":%q`, day(40)))
	second := c.event("2", "patient.pharmacy", fmt.Sprintf(`,"medicationDispensedDate":%q`, day(20)))
	moves := c.event("3", "patient.pharmacy", ``)
	b := c.ann()
	b.open("/patients/P-1")
	b.until("the page is live", live)
	order := `[...document.querySelectorAll("#timeline > li")].map((e) => e.dataset.key ? e.id : e.dataset.day).join(" ")`
	today := eval[string](b, `document.querySelector("#timeline .day").dataset.day`)
	b.always("what has no time stands where it came", order+` === "`+fmt.Sprint(today, " ", moves, " ", day(20), " ", second, " ", day(40), " ", first)+`"`)
	b.do(focusOn("#" + moves + "-done"))

	facts := care.Facts{Read: true, Fills: []care.Fill{{Drug: "Furosemide 40 mg", Filled: day(30)}}}
	c.facts(moves, facts)
	b.until("it goes where it belongs", order+` === "`+fmt.Sprint(day(20), " ", second, " ", day(30), " ", moves, " ", day(40), " ", first)+`"`)
	b.always("the focus stayed", focused+` === "`+moves+`-done"`)
	pushed := eval[string](b, order)
	b.open("/patients/P-1")
	b.until("the page is live", live)
	b.always("a fresh page is the same", order+` === "`+pushed+`"`)
}
