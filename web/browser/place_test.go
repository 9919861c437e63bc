//go:build browser

package browser

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// visits sends n admits of one patient, an hour apart, the last one ending so long ago. It returns their rows, oldest
// first.
func (c *clinic) visits(patient string, n int, ago time.Duration) []string {
	c.t.Helper()
	rows := make([]string, n)
	ids := make([]string, n)
	for i := range n {
		c.visit++
		ids[i] = fmt.Sprintf("%s-visit-%d", patient, c.visit)
		at := c.Clock.Now().Add(-ago - time.Duration(n-1-i)*time.Hour).UTC().Format(time.RFC3339)
		body := fmt.Appendf(nil, `{"meta":{"messageId":%q,"type":"patient.admit","when":%q},"payload":{"patientId":%q,"admitTimestamp":%q}}`, ids[i], at, patient, at)
		if status, answer := c.Post(c.t, body); status != http.StatusOK {
			c.t.Fatalf("the webhook answered %d: %s", status, answer)
		}
	}
	c.Settled(c.t)
	for _, m := range c.Messages(c.t) {
		for i, id := range ids {
			if m.MessageID == id {
				rows[i] = rowID(c.t, m.Seq)
			}
		}
	}
	return rows
}

// checkTimeline fails where the timeline is out of order, has a row twice, or a day without its one heading.
func checkTimeline(b *tab, n int) {
	b.Helper()
	type item struct {
		ID, Day string
		At      int64
	}
	list := eval[[]item](b, `[...document.querySelectorAll("#timeline > .row, #timeline > .day")].map((e) => ({ID: e.id, Day: e.dataset.day, At: Number(e.dataset.at ?? -1)}))`)
	rows, days, day := map[string]bool{}, map[string]bool{}, ""
	last := int64(1) << 62
	for _, i := range list {
		switch {
		case i.At < 0 && days[i.Day]:
			b.Errorf("the day %s has two headings", i.Day)
		case i.At < 0:
			days[i.Day], day = true, i.Day
		case rows[i.ID]:
			b.Errorf("the row %s is there twice", i.ID)
		case i.Day != day:
			b.Errorf("a row of %s stands under %s", i.Day, day)
		case i.At > last:
			b.Errorf("the row %s is out of order", i.ID)
		}
		if i.At >= 0 {
			rows[i.ID], last = true, i.At
		}
	}
	if len(rows) != n {
		b.Errorf("the timeline has %d rows, want %d", len(rows), n)
	}
}

// TestThePatientPageKeepsWhatTheReaderHas: rows loaded by "Earlier", what is opened, and the place in the page stay when
// something about the patient changes; what is new appears where it belongs.
func TestThePatientPageKeepsWhatTheReaderHas(t *testing.T) {
	c := newClinic(t)
	rows := c.visits("P-1", 60, time.Hour)
	b := c.ann()
	b.open("/patients/P-1")
	b.until("the patient page is live", live)
	checkTimeline(b, 50)
	b.click("#older a")
	b.until("the earlier rows are there", has(rows[0]))
	checkTimeline(b, 60)
	b.click(".correct summary")
	b.until("what was opened is open", `document.querySelector(".correct").open`)

	c.mark(c.bob(), rows[0], "done") // the last one of the list
	b.until("a row that was loaded later changes in place", state(rows[0], "done"))
	fresh := c.visits("P-1", 1, 0)[0]
	b.until("what is new is there", has(fresh))
	late := c.visits("P-1", 1, 30*time.Hour)[0]
	b.until("what came late is there", has(late))
	checkTimeline(b, 62)
	b.always("the newest is the first", `document.querySelector("#timeline > .row").id === "`+fresh+`"`)
	b.always("what was opened is still open", `document.querySelector(".correct").open`)

	b.open("/patients/P-1")
	b.until("the page is live again", live)
	ancient := c.visits("P-1", 1, 90*time.Hour)[0]
	newest := c.visits("P-1", 1, -time.Minute)[0]
	b.until("the newest is there", has(newest))
	b.always("what is older than all there are comes by asking", `!`+has(ancient))
	b.click("#older a")
	b.until("and is there then", has(ancient))
	checkTimeline(b, 64)
}

// TestAnEarlierPartOfATimelineStaysWhatItIs: opened by its address, it gets no newest rows.
func TestAnEarlierPartOfATimelineStaysWhatItIs(t *testing.T) {
	c := newClinic(t)
	rows := c.visits("P-1", 55, 2*time.Hour) // none within an hour of those to come
	b := c.ann()
	b.open("/patients/P-1")
	earlier := eval[string](b, `document.querySelector("#older a").getAttribute("href")`)
	b.open(earlier)
	b.until("the earlier part is live", live)
	checkTimeline(b, 5)
	c.visits("P-1", 2, 0)
	c.mark(c.bob(), rows[2], "done")
	b.until("a row of it changes in place", state(rows[2], "done"))
	b.until("the head is the newest", `document.querySelectorAll(".stays .row").length === 57`)
	checkTimeline(b, 5)
}

// TestTheWholeListWaitsForTheReader: a screen that is far behind gets its list anew, but not from under somebody who
// reads further down.
func TestTheWholeListWaitsForTheReader(t *testing.T) {
	c := newClinic(t)
	old := c.admits(60)
	b, w := behind(c)
	eval[bool](b, toEnd)
	b.until("older rows came", has(old[0]))
	const place = `(() => { const r = document.getElementById("%s"); r.scrollIntoView({block: "center"}); return r.getBoundingClientRect().top })()`
	reading := old[5]
	before := eval[float64](b, fmt.Sprintf(place, reading))

	w.Cut()
	b.until("the page says that the link is lost", isCut)
	far := c.admits(450) // more than are pushed one by one
	c.mark(c.bob(), reading, "done")
	w.Mend()
	b.until("the pill says how many wait", pill("50+ new"))
	b.always("the row that is read is where it was", fmt.Sprintf(`Math.abs(document.getElementById("%s").getBoundingClientRect().top - %f) < 2`, reading, before))
	next := c.admits(1)[0]
	b.until("whoever listens is told, too", `document.querySelector("#new-rows-said").textContent === "51+ new"`)
	b.always("nothing was put in", `!`+has(far[449])+` && !`+has(next))
	b.click("#new-rows")
	b.until("the newest comes first", `document.querySelector("#feed > .row").id === "`+next+`"`)
	b.until("the pill is gone", `document.querySelector("#new-rows").hidden`)
	checkFeed(b, 51)
	b.always("what was far down can be scrolled to", `document.querySelector("#older")`)
}
