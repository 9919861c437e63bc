//go:build browser

package browser

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"testing"
	"time"

	"carebell/web"
	"carebell/web/metriport"
	"carebell/web/webtest"
)

const linkText = `document.querySelector("#link-state .text").textContent`

// isCut is true when a page says that it is not up to date.
const isCut = `/^(Reconnecting|Stale since \d\d:\d\d)/.test(` + linkText + `)`

// behind opens the feed as Ann, with a wire that can be cut between her and the server.
func behind(c *clinic) (*tab, *wire) {
	c.t.Helper()
	w := newWire(c.t, c.Addr())
	b := newTab(c.t, w.URL)
	b.expect(cut)
	b.signIn(ann)
	return b, w
}

func TestWhatCameWhileTheLinkWasCutAppearsOnce(t *testing.T) {
	c := newClinic(t)
	before := c.admits(2)
	b, w := behind(c)
	eval[bool](b, `window.sameDocument = true`)
	b.always("the state is said by shape too", `!document.querySelector("#link-state .dot").classList.contains("off")`)

	w.Cut()
	b.until("the page says that the link is lost", isCut)
	b.always("the dot is hollow", `document.querySelector("#link-state .dot").classList.contains("off")`)
	missed := c.admits(3)
	b.until("a longer cut is called stale, with the time", `/^Stale since/.test(`+linkText+`)`)
	if got := eval[[]string](b, rowIDs); len(got) != len(before) {
		t.Fatalf("with the link cut the feed shows %v", got)
	}

	w.Mend()
	b.until("the page says how much came meanwhile", `document.querySelector("#toast").textContent === "3 events while you were away"`)
	b.until("the page says that it is live again", live)
	b.until("what was missed is there", has(missed[2]))
	want := slices.Concat(before, missed)
	slices.Reverse(want)
	if got := eval[[]string](b, rowIDs); !slices.Equal(got, want) {
		t.Errorf("after the cut the feed shows %v, want %v", got, want)
	}
	b.always("the page was not loaded again", `window.sameDocument`)

	last := c.admits(1)
	b.until("the link goes on", has(last[0]))
	if got := eval[[]string](b, rowIDs); !slices.Equal(got, append(last, want...)) {
		t.Errorf("the feed shows %v, want %v", got, append(last, want...))
	}
}

// TestALineThatDiesWithoutAWordIsNoticed within 10 s, and what came meanwhile is counted.
func TestALineThatDiesWithoutAWordIsNoticed(t *testing.T) {
	c := newClinic(t)
	c.admits(2)
	b, w := behind(c)
	b.until("the server is heard though nothing happens", `performance.now() > 9500 && `+live)
	w.Stall()
	began := time.Now()
	b.until("the page says that the link is lost", isCut)
	if took := time.Since(began); took > 15*time.Second { // 9 s, and what a busy machine takes
		t.Errorf("it took %v", took)
	}
	c.admits(3)
	b.until("a banner says since when, by the practice's clock", `document.querySelector("#stale").checkVisibility() && /^Not up to date since \d\d:\d\d/.test(document.querySelector("#stale").innerText)`)
	w.Mend()
	b.until("the page says how much came meanwhile", `document.querySelector("#toast").textContent === "3 events while you were away"`)
	b.until("the page is live again", live)
	b.until("the banner is gone", `!document.querySelector("#stale").checkVisibility()`)
	checkFeed(b, 5)
}

func TestAFeedThatIsFarBehindGetsTheListAnew(t *testing.T) {
	c := newClinic(t)
	c.admits(2)
	b, w := behind(c)
	// A pill of two rows is waiting as the link is cut: they must not come in a second time.
	b.do(focusOn("#n-2048-name"))
	c.admits(2)
	b.until("two rows wait", pill("2 new"))
	w.Cut()
	b.until("the page says that the link is lost", isCut)
	missed := c.admits(205)
	w.Mend()
	b.until("the list anew waits for the reader, whose place is in the old one", pill("50+ new"))
	b.always("the focus stayed", focused+` === "n-2048-name"`)
	b.click("#new-rows")
	b.until("the newest is at the top", `document.querySelector("#feed > .row").id === "`+missed[204]+`"`)
	b.always("no row waits any more", `document.querySelector("#new-rows").hidden`)
	checkFeed(b, 50)
}

func TestARestartOfTheServerIsCaughtUp(t *testing.T) {
	dir := t.TempDir()
	first := newClinicIn(t, dir)
	first.AddUser(t, ann, "coordinator")
	first.admits(1)
	b := first.ann()
	b.expect(cut)
	eval[bool](b, `window.sameDocument = true`)

	addr := first.Addr()
	first.Stop(t)
	b.until("the page says that the link is lost", isCut)
	second := newClinicIn(t, dir, func(cfg *web.Config) { cfg.Addr = addr })
	second.Clock.Advance(time.Minute) // or its first admit would say all that the one before said, and be a repeat of that
	came := second.admits(2)
	b.until("the page is live again", live)
	b.until("what came is there", has(came[1]))
	checkFeed(b, 3)
	b.always("the page was not loaded again", `window.sameDocument`)
	_, row := second.send(metriport.PatientDischarge)
	b.until("the link goes on", has(row))
}

func TestAMarkThatDoesNotArriveChangesNothing(t *testing.T) {
	c := newClinic(t)
	row := c.admits(1)[0]
	b, w := behind(c)
	w.Cut()
	b.until("the page says that the link is lost", isCut)
	b.click("#" + row + "-done")
	b.until("the person is told", `/not reach Carebell/.test(document.querySelector("#toast").textContent)`)
	b.always("the row is as it was", has(row)+`.classList.contains("is-new")`)
	w.Mend()
	b.until("the page is live again", live)
	b.click("#" + row + "-done")
	b.until("the next try works", has(row)+`.classList.contains("is-done")`)
}

// A login can end while a page is out of reach: a laptop that slept, a password that was changed elsewhere.
func TestALoginThatEndedDuringACutLeadsToTheLogin(t *testing.T) {
	c := newClinic(t)
	b, w := behind(c)
	b.expect(`status of 401`)
	w.Cut()
	b.until("the page says that the link is lost", isCut)
	c.Clock.Advance(24 * time.Hour)
	w.Mend()
	b.until("the page leads to the login", `location.pathname === "/login"`)
}

func TestAMarkAfterTheLoginEndedLeadsToTheLogin(t *testing.T) {
	c := newClinic(t)
	row := c.admits(1)[0]
	b := c.ann()
	b.expect(`status of 401`)
	c.Clock.Advance(24 * time.Hour)
	eval[bool](b, has(row+"-done")+`?.click(), true`) // the socket may have led to the login already
	b.until("the page leads to the login", `location.pathname === "/login"`)
}

func TestAMarkThatIsRefusedLeavesTheRow(t *testing.T) {
	c := newClinic(t)
	row := c.admits(1)[0]
	b := c.ann()
	b.expect(`status of 4`)
	// A row of a page from before an update could ask for what is no longer possible.
	eval[bool](b, `(() => { document.getElementById("`+row+`-done").value = "lost"; return true; })()`)
	b.click("#" + row + "-done")
	b.until("the person is told what was wrong", `/Say what to mark it as/.test(document.querySelector("#toast").textContent)`)
	b.always("the row is as it was", has(row)+`?.classList.contains("is-new")`)
}

// bob is a client of another coordinator, who does things over HTTP.
func (c *clinic) bob() *webtest.Browser {
	c.t.Helper()
	return c.SignedIn(c.t, bob, "coordinator")
}

// mark marks a row as the page of another person does without scripts.
func (c *clinic) mark(by *webtest.Browser, row, state string) {
	c.t.Helper()
	id, err := strconv.ParseInt(row[len("n-"):], 10, 64)
	if err != nil {
		c.t.Fatal(err)
	}
	if resp, body := by.Form(c.t, "/notifications/"+row[len("n-"):]+"/mark", url.Values{"state": {state}, "known": {c.Known(c.t, id)}}); resp.StatusCode != http.StatusSeeOther {
		c.t.Fatalf("marking %s answered %d: %s", row, resp.StatusCode, body)
	}
}
