//go:build browser

package browser

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"carebell/web/metriport"
)

// write posts a secure message with this payload and returns its number.
func (c *clinic) write(payload string) int64 {
	c.t.Helper()
	id := fmt.Sprintf("written-%d", len(c.Messages(c.t)))
	if status, answer := c.Post(c.t, fmt.Appendf(nil, `{"meta":{"messageId":%q,"when":"2026-11-20T10:00:00Z","type":%q},"payload":%s}`, id, metriport.MessageReceived, payload)); status != http.StatusOK {
		c.t.Fatalf("the webhook answered %d: %s", status, answer)
	}
	c.Settled(c.t)
	list := c.Messages(c.t)
	return list[len(list)-1].Seq
}

const unread = `document.querySelector("#nav-unread:not([hidden])")?.firstChild.textContent`

func TestMessageArrivesWithoutReloadAndIsCountedEverywhere(t *testing.T) {
	c := newClinic(t)
	first := c.write(`{"subject":"The first","patientId":"p-1"}`)
	list := c.ann()
	list.open("/messages")
	list.until("the list is live", live)
	other := list.another(t)
	other.open("/patients")
	other.until("the other page is live", live)
	other.always("one is not read", unread+` === "1"`)
	eval[bool](list, `window.sameDocument = true`)
	second := c.write(`{"subject":"The second","from":"Birchwood General"}`)
	list.until("the new one is at the top", fmt.Sprintf(`document.querySelector("#messages > .row")?.id === "m-%d"`, second))
	other.until("the other page counts it", unread+` === "2"`)

	// By keyboard: down to the first one, take it, answer it, open it.
	list.press("jj")
	row := fmt.Sprintf("m-%d", first)
	list.always("j goes down", focused+` === "`+row+`-name"`)
	for _, step := range []struct{ key, class, words string }{
		{"a", "is-assigned", "assigned to ann"}, {"e", "is-done", "answered by ann"}, {"u", "is-assigned", "assigned to ann"}, {"u", "is-new", "new"},
	} {
		list.press(step.key)
		list.until(step.key+" makes it "+step.words, has(row)+`.classList.contains("`+step.class+`") && `+has(row)+`.innerText.includes("`+step.words+`")`)
		list.until("the focus is in the row", has(row)+`.contains(document.activeElement)`)
	}
	list.press("k")
	list.always("k goes up", fmt.Sprintf(focused+` === "m-%d-name"`, second))
	list.always("nothing was loaded anew", `window.sameDocument`)
	list.press(enter)
	list.until("Enter opens it", `location.pathname.startsWith("/messages/") && `+live)
	other.until("what was opened is read", unread+` === "1"`)
	list.press("a")
	list.until("a takes the message of the page", `document.querySelector("#message-actions").innerText.includes("assigned to ann")`)
	list.press("e")
	list.until("e says that it is answered", `document.querySelector("#message-actions").innerText.includes("answered by ann")`)
	list.press("u")
	list.until("u takes that back", `document.querySelector("#message-actions").innerText.includes("assigned to ann")`)
}

func TestUnmatchedMessageIsMatchedByKeyboardAlone(t *testing.T) {
	c := newClinic(t)
	c.admits(3)
	c.Post(t, []byte(`{"meta":{"messageId":"who","type":"patient.admit"},"payload":{"patientId":"p-77","externalId":"EXT-77"}}`))
	n := c.write(`{"subject":"About whom?"}`)
	b := c.ann()
	b.open("/messages?only=unmatched")
	b.until("the tray is live", live)
	b.press("j" + enter)
	b.until("the message is open", `document.querySelector("#match") && `+live)
	b.press("f")
	b.always("f goes to the search", `document.activeElement.matches("[data-match]")`)
	b.press("ext-77")
	b.until("who fits comes while typing", `document.querySelectorAll("#match-found .candidate").length === 1`)

	// Somebody else does something meanwhile: what was typed and found stays.
	c.bob().Form(t, fmt.Sprintf("/messages/%d/mark", n), map[string][]string{"do": {"assign"}, "known": {"0"}})
	b.until("what Bob did is here", `document.querySelector("#message-actions").innerText.includes("assigned to bob")`)
	b.always("the search stays as it was", `document.activeElement.matches("[data-match]") && document.activeElement.value === "ext-77" && document.querySelectorAll("#match-found .candidate").length === 1`)

	b.press(kb.Tab + kb.Tab)
	b.always("Tab goes to the button", `document.activeElement.matches(".candidate button")`)
	b.press(enter)
	b.until("the patient is there, and the search is gone", `document.querySelector("#message-head [data-matched]")?.innerText.includes("EXT-77") && !document.querySelector("#match").checkVisibility() && `+live)
	b.do(focusOn("#match-undo"))
	b.press(enter)
	b.until("undo brings the search back", `document.querySelector("#match").checkVisibility() && !document.querySelector("[data-matched]")`)
}
