//go:build browser

package browser

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"carebell/db"
	"carebell/web/metriport"
)

// bossAt opens a page as the admin.
func (c *clinic) bossAt(path string) *tab {
	c.t.Helper()
	c.AddUser(c.t, boss, "admin")
	b := newTab(c.t, c.URL)
	b.signIn(boss)
	b.open(path)
	b.until("the page is live", live)
	return b
}

// file opens the database file beside the server.
func (c *clinic) file() *sql.DB {
	c.t.Helper()
	file, err := sql.Open("sqlite", "file:"+filepath.Join(c.Dir, db.FileName)+"?_pragma=busy_timeout(10000)")
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = file.Close() })
	return file
}

func TestAWebhookAppearsInTheInboxAndCanBeRead(t *testing.T) {
	c := newClinic(t)
	b := c.bossAt("/admin/inbox")
	b.until("the inbox is empty", `document.querySelector("#inbox-empty").checkVisibility()`)
	m, _ := c.send(metriport.PatientAdmit)
	b.until("it slides in and is processed", has("m-1")+`?.innerText.includes("Processed")`)
	b.always("the empty state is gone", `!document.querySelector("#inbox-empty")?.checkVisibility()`)
	b.press("j")
	b.always("j goes to it", focused+` === "m-1-name"`)
	b.press(enter)
	b.until("its page is live", `location.pathname === "/admin/inbox/1" && `+live)
	b.always("its body is readable", `document.querySelector(".json").innerText.includes("`+m.ID+`")`)
	b.always("no link shows its secret", `!document.body.innerText.includes("?X-Amz") && document.querySelector(".json").innerText.includes("?(hidden)")`)
	b.do(focusOn(".json summary"))
	b.press(" ")
	b.until("a part of it folds by keyboard", `!document.querySelector(".json details").open`)
	c.post(c.sim.Repeat(m))
	b.until("a further delivery is listed", `document.querySelectorAll("#message tbody tr").length === 2`)
	b.always("what was folded stays folded", `!document.querySelector(".json details").open`)
}

func TestAMessageIsProcessedAgainByKeyboard(t *testing.T) {
	c := newClinic(t)
	_, row := c.send(metriport.PatientAdmit)
	c.Settled(t)
	file := c.file()
	for _, q := range []string{`UPDATE inbox_outcome SET status = 'failed', error = 'an earlier version did not know this'`, `DELETE FROM notification`} {
		if _, err := file.ExecContext(context.Background(), q); err != nil {
			t.Fatal(err)
		}
	}
	feed := c.ann()
	feed.always("the feed does not show it", `!`+has(row))
	b := c.bossAt("/admin/inbox?status=failed")
	b.press("j")
	b.press(enter)
	b.until("the page says what is wrong", `location.pathname === "/admin/inbox/1" && `+live+` && document.querySelector("#message").innerText.includes("an earlier version")`)
	b.do(focusOn("#again"))
	b.press(enter)
	b.until("the page says that it is processed", `document.querySelector(".verdict").innerText.includes("Processed") && document.querySelector(".verdict").innerText.includes("all understood")`)
	b.always("the focus is where it was", focused+` === "again"`)
	feed.until("the feed shows it", has(row))
	feed.always("once", `document.querySelectorAll("#feed > .row").length === 1`)
}
