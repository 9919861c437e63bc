//go:build browser

package browser

import (
	"archive/zip"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"carebell/db"
	"carebell/web"
)

// archiveClinic is a clinic whose links lead somewhere: to a text that says its own path.
func archiveClinic(t *testing.T) (*clinic, string) {
	t.Helper()
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprintf(w, "content of %s", r.URL.Path) }))
	t.Cleanup(origin.Close)
	c := newClinic(t, func(cfg *web.Config) { cfg.DownloadHosts = []string{origin.Listener.Addr().String()} })
	return c, origin.URL
}

// tell posts a message of a request for records.
func (c *clinic) tell(id, kind, request, body string) {
	c.t.Helper()
	message := fmt.Sprintf(`{"meta":{"messageId":%q,"requestId":%q,"when":%q,"type":%q,"data":{"ticket":"TOC-1","a":%q}},%s}`,
		id, request, c.Clock.Now().UTC().Format(time.RFC3339), kind, strings.Repeat("long ", 60), body)
	if status, answer := c.Post(c.t, []byte(message)); status != http.StatusOK {
		c.t.Fatalf("the webhook answered %d: %s", status, answer)
	}
	c.Settled(c.t)
}

// listDocuments posts a page of three documents for patient P-1 and waits until they are stored.
func (c *clinic) listDocuments(origin string, page int) {
	c.t.Helper()
	var documents []string
	for i := range 3 {
		n := 3*(page-1) + i
		documents = append(documents, fmt.Sprintf(`{"id":"%d","fileName":"letter %d.txt","description":"A letter of the hospital","status":"current","indexed":"2026-01-%02dT10:00:00Z","mimeType":"text/plain",
			"type":{"text":"Progress note"},"organizationIdentifiers":[{"name":"General Hospital"}],"url":"%s/document/%d"}`, n, n, 9-n, origin, n))
	}
	c.tell(fmt.Sprint("page-", page), "medical.document-bulk-download-paged", "R-pages", fmt.Sprintf(
		`"patients":[{"patientId":"P-1","externalId":"X-1","status":"completed","documents":[%s],"pagination":{"page":%d,"totalPages":3,"totalItems":9}}]`, strings.Join(documents, ","), page))
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		var waiting int
		if err := c.DB.Read(context.Background(), func(v db.Snapshot) error {
			r, err := v.DownloadReport(context.Background())
			waiting = r.Waiting
			return err
		}); err != nil || time.Now().After(deadline) {
			c.t.Fatalf("%d downloads are still waiting: %v", waiting, err)
		}
		if waiting == 0 {
			return
		}
	}
}

// TestCellsOfAQueryFillByThemselves: the row stays the one it was, and what the reader opened stays open.
func TestCellsOfAQueryFillByThemselves(t *testing.T) {
	c, origin := archiveClinic(t)
	b := c.ann()
	b.open("/records")
	b.until("the page is live", live)
	b.always("the list is empty and says so", `document.querySelector("#records-empty").checkVisibility()`)
	eval[bool](b, `window.neverReloaded = true`)
	answer := func(id, kind, source string) {
		c.tell(id, kind, "R-1", fmt.Sprintf(`"payload":{"patientId":"P-1","externalId":"X-1","consolidatedDataUrl":"%s/data/%s","source":%s}`, origin, id, source))
	}
	const cells = `[...document.querySelectorAll("#records > .row .cell")].map((c) => c.innerText.replace(/\s+/g, " ")).join(" | ")`
	answer("first", "network-query.hie.first-data-ready", `{"type":"hie","status":"processing","firstDataReadyAt":"2026-01-01T00:00:00Z"}`)
	b.until("the query is there", cells+`.match(/HIE First data ready .* not completed yet.* \| Pharmacy nothing yet \| Lab nothing yet/)`)
	b.always("the empty list says nothing any more", `!document.querySelector("#records-empty")?.checkVisibility()`)
	eval[bool](b, `(window.row = document.querySelector("#records > .row"), row.querySelector("details").open = true)`)
	answer("pharmacy", "network-query.pharmacy", `{"source":"surescripts","status":"completed","completedAt":"2026-01-01T00:02:00Z"}`)
	b.until("the pharmacy has answered", cells+`.match(/Pharmacy · surescripts Completed/)`)
	answer("lab", "network-query.lab", `{"source":"quest","status":"failed","completedAt":"2026-01-01T00:03:00Z"}`)
	answer("hie", "network-query.hie", `{"type":"hie","status":"completed","completedAt":"2026-01-01T00:05:00Z"}`)
	b.until("all have answered", cells+`.match(/HIE Completed .* 5 min after its first data.* Pharmacy · surescripts Completed.* Lab · quest Failed/)`)
	b.until("the data is there", cells+`.match(/text, \d+ B/)`)
	b.always("the page is the one it was", `window.neverReloaded`)
	b.always("the row is the one it was", `window.row === document.querySelector("#records > .row") && document.querySelectorAll("#records > .row").length === 1`)
	b.always("what was opened is open", `document.querySelector("#records details").open`)
	checkAccessible(b, "records with a query")
	checkFits(b, "records with a query")
}

// TestZipOfChosenDocumentsByKeyboard: choose, go on while a page comes in, download; never touching the mouse.
func TestZipOfChosenDocumentsByKeyboard(t *testing.T) {
	c, origin := archiveClinic(t)
	c.listDocuments(origin, 1)
	c.listDocuments(origin, 3)
	b := c.ann()
	saved := t.TempDir()
	call(b, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: saved, BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID,
	})
	b.open("/records?view=documents")
	b.until("the page is live", live)
	b.always("the row says what is missing", `document.querySelector("#records .row").innerText.includes("Pages 2 of 3, page 2 missing")`)
	tabTo := func(what, js string) {
		t.Helper()
		for range 60 {
			if eval[bool](b, "Boolean("+js+")") {
				return
			}
			b.press(kb.Tab)
		}
		b.Fatalf("no number of tabs leads to %s", what)
	}
	tabTo("the documents", `document.activeElement.id.endsWith("-open")`)
	b.press(enter)
	b.until("the documents are there", live+` && document.querySelectorAll("[data-pick]").length === 6`)

	tabTo("the download", `document.activeElement.id === "zip-chosen"`)
	b.press(enter)
	b.until("it says that nothing is selected", `document.querySelector("#toast").textContent.includes("No document is selected")`)
	b.always("the page is still there", `location.pathname.startsWith("/records/documents/")`)

	pick := func(name string) {
		t.Helper()
		tabTo(name, `document.activeElement.matches("[data-pick]") && document.activeElement.closest(".row").innerText.includes("`+name+`")`)
		b.press(" ")
	}
	pick("letter 0.txt")
	pick("letter 2.txt")
	b.until("it is counted", `document.querySelector("#chosen").textContent === "2 selected" && document.querySelector("#choose-all").indeterminate`)
	c.listDocuments(origin, 2)
	b.until("the missing page is there", `document.querySelectorAll("[data-pick]").length === 9 && document.querySelector(".states").innerText.includes("Pages 3 of 3")`)
	b.always("what was selected still is", `document.querySelector("#chosen").textContent === "2 selected" && document.querySelectorAll("[data-pick]:checked").length === 2`)
	b.always("the focus is where it was", `document.activeElement.closest(".row").innerText.includes("letter 2.txt")`)

	tabTo("the download", `document.activeElement.id === "zip-chosen"`)
	b.press(enter)
	names := zipped(t, saved)
	if want := "letter 0.txt letter 2.txt"; names != want {
		t.Errorf("the zip holds %q, want %q", names, want)
	}
	tabTo("all of them", `document.activeElement.id === "choose-all"`)
	b.press(" ")
	b.until("all are selected", `document.querySelector("#chosen").textContent === "9 selected"`)
	b.press(" ")
	b.until("none is selected", `document.querySelector("#chosen").textContent === "None selected"`)
	pick("letter 4.txt")
	checkAccessible(b, "documents with a choice")
	checkFits(b, "documents with a choice")
}

// zipped waits for a zip in a folder and lists the names in it.
func zipped(t *testing.T, dir string) string {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(25 * time.Millisecond) {
		files, err := filepath.Glob(filepath.Join(dir, "*.zip"))
		if err != nil || len(files) == 0 {
			continue
		}
		z, err := zip.OpenReader(files[0])
		if err != nil {
			continue // it is still coming
		}
		var names []string
		for _, f := range z.File {
			names = append(names, f.Name)
		}
		_ = z.Close()
		return strings.Join(names, " ")
	}
	left, _ := os.ReadDir(dir)
	t.Fatalf("no zip was saved; there is %v", left)
	return ""
}
