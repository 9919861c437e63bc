//go:build browser

package browser

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"carebell/web"
	"carebell/web/sim"
)

// newSupplied is a clinic whose sender's links lead somewhere.
func newSupplied(t *testing.T) *clinic {
	t.Helper()
	var store http.Handler
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { store.ServeHTTP(w, r) }))
	t.Cleanup(origin.Close)
	c := newClinic(t, func(cfg *web.Config) {
		cfg.DownloadHosts, cfg.IdleLogout = []string{origin.Listener.Addr().String()}, 24*time.Hour
	})
	c.sim = sim.New(sim.Options{Now: c.Clock.Now, Seed: 7, BaseURL: origin.URL})
	store = c.sim.Store()
	return c
}

// JavaScript that reads the table of rows.
const (
	tableRows = `document.querySelectorAll("#rows tbody tr")`
	lastRow   = `Number([...` + tableRows + `].at(-1)?.getAttribute("aria-rowindex"))`
	firstRow  = `Number(` + tableRows + `[0]?.getAttribute("aria-rowindex"))`
	// inView is true when a row can be seen within the box.
	inView = `((row) => { const box = document.querySelector("#rows").getBoundingClientRect(), r = row?.getBoundingClientRect(); return r && r.top >= box.top && r.bottom <= box.bottom + 1; })`
)

// TestImportIsLiveAndReadToItsEnd: a job comes in, changes and gets its rows while somebody looks, and the keyboard leads
// through a table of which the browser holds a part.
func TestImportIsLiveAndReadToItsEnd(t *testing.T) {
	const rows = 20_000
	c := newSupplied(t)
	b := c.ann()
	b.open("/imports")
	b.until("the list is live and says what will come", live+` && document.querySelector("#imports-empty").checkVisibility()`)
	job := c.sim.Import(rows)
	c.post(job[0])
	b.until("the job is in the list", `document.querySelector("#imports .row .job.processing")`)
	b.click("#imports .row a.name")
	b.until("its page is live", live+` && document.querySelector("#job-history .processing") && document.querySelector("#rows").hidden`)
	c.post(job[1])
	b.until("it completes and its rows come", `document.querySelector("#job-facts .completed") && document.querySelector("#rows table")?.dataset.total === "20000"`)
	b.until("all is told", `document.querySelector("#job-facts").innerText.includes("20,000 rows") && document.querySelector("#rows-more").hidden`)
	b.always("the failed rows come first", `document.querySelector("#rows tbody .flag").textContent === "failed" && `+firstRow+` === 2`)

	most := func() { b.always("the browser holds a part", tableRows+`.length <= 200`) }
	most()
	eval[bool](b, `document.querySelector("#rows").focus(), true`)
	b.press(kb.End)
	b.until("the last rows are in view", lastRow+` === 20001 && `+inView+`([...`+tableRows+`].at(-1))`)
	b.always("the table says where it is", `document.querySelector("#rows table").ariaRowCount === "20001" && document.activeElement.id === "rows"`)
	most()
	b.press(kb.PageUp)
	b.until("the rows before them are in view", `!`+inView+`([...`+tableRows+`].at(-1))`)
	b.press(kb.Home)
	b.until("the first rows are in view", firstRow+` === 2 && `+inView+`(`+tableRows+`[0])`)
	for range 12 {
		b.press(kb.PageDown)
		b.until("what is in view is there", `((at) => [...`+tableRows+`].some((r) => Number(r.getAttribute("aria-rowindex")) === at + 4))(Math.floor(document.querySelector("#rows").scrollTop / 32))`)
		most()
	}
	b.until("the address says where the reader is", `Number(new URL(location.href).searchParams.get("from")) > 100`)

	eval[bool](b, `document.querySelector("#rows").scrollTop = 0, true`)
	b.until("the first rows are back", firstRow+` === 2`)
	eval[bool](b, tableRows+`[3].querySelector("[data-row]").focus(), true`)
	b.press(enter)
	b.until("the row is shown whole", `document.querySelector("#row-full").open && document.querySelector("#row-content .row-cells").innerText.includes("metriportId")`)
	b.press(escape)
	b.until("and closed, with the focus where it was", `!document.querySelector("#row-full").open && document.activeElement === `+tableRows+`[3].querySelector("[data-row]")`)

	checkAccessible(b, "import")
	checkFits(b, "import")
	b.window(wide)
	b.click(`#job-reasons a`)
	b.until("one reason is left", live+` && location.search.startsWith("?reason=") && document.querySelector("#job-reasons [aria-current]") && Number(document.querySelector("#rows table").dataset.total) < 2000`)
	checkAccessible(b, "import-reason")
	b.open(eval[string](b, `document.querySelector("#rows [data-row]").getAttribute("href")`))
	b.until("the row has a page", live+` && document.querySelector(".row-cells")`)
	checkAccessible(b, "import-row")
	checkFits(b, "import-row")
}

// TestImportBecomesStuckBeforeTheReader, by the clock alone.
func TestImportBecomesStuckBeforeTheReader(t *testing.T) {
	c := newSupplied(t)
	c.post(c.sim.Import(100)[0])
	c.Settled(t)
	b := c.ann()
	b.open("/imports")
	b.until("the job is there", live+` && document.querySelector("#imports .row .job.processing") && !document.querySelector("#imports .row .warn")`)
	c.Clock.Advance(40 * time.Minute)
	b.until("it is called stuck", `document.querySelector("#imports .row .warn")?.innerText.startsWith("stuck")`)
	b.click("#imports .row a.name")
	b.until("its page says so", live+` && document.querySelector("#job-stuck")`)
	checkAccessible(b, "import-stuck")
	checkFits(b, "import-stuck")
}

// TestImportRowsWithoutAScript are pages.
func TestImportRowsWithoutAScript(t *testing.T) {
	c := newSupplied(t)
	for _, m := range c.sim.Import(250) {
		c.post(m)
	}
	b := c.ann()
	b.open("/imports")
	b.until("its rows are counted", live+` && document.querySelector("#imports .row").innerText.includes("250 rows")`)
	path := eval[string](b, `document.querySelector("#imports a.name").getAttribute("href")`)
	pages := `fetch("` + path + `?from=%", {headers: {Accept: "text/html"}}).then((r) => r.text()).then((t) => new DOMParser().parseFromString(t, "text/html"))`
	read := func(from, what string) bool {
		return eval[bool](b, strings.Replace(pages, "%", from, 1)+`.then((d) => `+what+`)`)
	}
	if !read("0", `d.querySelectorAll("#rows tbody tr").length === 100 && [...d.querySelectorAll("#rows-pages a")].map((a) => a.textContent).join() === "Next,Last"`) {
		t.Error("the first page is not what it should be")
	}
	if !read("200", `d.querySelectorAll("#rows tbody tr").length === 50 && d.querySelector("#rows-pages").textContent.includes("Rows 201 to 250 of 250")`) {
		t.Error("the last page is not what it should be")
	}
}
