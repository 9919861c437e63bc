//go:build browser

package browser

import (
	"testing"

	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/chromedp"

	"carebell/web/metriport"
)

// state is true when a row is new, seen or done.
func state(row, is string) string {
	return has(row) + `.classList.contains("is-` + is + `")`
}

// keepsFocus waits for a state and fails when the focus is then not in the row.
func keepsFocus(b *tab, row, is string) {
	b.Helper()
	b.until("the row is "+is, state(row, is))
	b.until("the answer is here too", `!document.querySelector(".htmx-request")`)
	b.until("the focus is in the row, not lost", has(row)+`.contains(document.activeElement)`)
}

func TestSeenDoneAndUndoByMouse(t *testing.T) {
	c := newClinic(t)
	row := c.admits(3)[1]
	b := c.ann()
	for _, step := range []struct{ button, is string }{
		{"seen", "seen"}, {"undo", "new"}, {"done", "done"}, {"undo", "new"}, {"seen", "seen"}, {"done", "done"}, {"undo", "seen"}, {"done", "done"},
	} {
		b.click("#" + row + "-" + step.button)
		keepsFocus(b, row, step.is)
	}
	b.always("the row says who is done with it", has(row)+`.querySelector(".by").innerText.endsWith("by ann")`)
	b.until("the count beside Feed goes down", `document.querySelector("#nav-new").textContent.startsWith("2")`)
	b.open("/")
	b.always("what is done is not among the open ones", `!`+has(row))
	b.open("/?state=done")
	b.always("it is among the done ones", has(row))
}

func TestSeenDoneAndUndoByKeyboard(t *testing.T) {
	c := newClinic(t)
	rows := c.admits(3) // the newest is the first
	b := c.ann()
	b.press("j")
	b.always("j goes to the first row", focused+` === "`+rows[2]+`-name"`)
	b.press("j")
	b.always("j goes down", focused+` === "`+rows[1]+`-name"`)
	b.press("jjj")
	b.always("j stays at the last row", focused+` === "`+rows[0]+`-name"`)
	b.press("k")
	b.always("k goes up", focused+` === "`+rows[1]+`-name"`)
	for _, step := range []struct{ key, is string }{{"s", "seen"}, {"u", "new"}, {"e", "done"}, {"u", "new"}, {"s", "seen"}, {"e", "done"}, {"u", "seen"}} {
		b.press(step.key)
		keepsFocus(b, rows[1], step.is)
	}
	b.press("k")
	b.always("k goes on from the marked row", focused+` === "`+rows[2]+`-name"`)
	b.press("e")
	keepsFocus(b, rows[2], "done")
	b.press("jj") // from a button's row as well as from a name
	b.always("j goes on from the marked row", focused+` === "`+rows[0]+`-name"`)

	b.press(enter)
	b.until("Enter opens the patient", `location.pathname.startsWith("/patients/")`)
}

// closed is true when the dialog is gone and the focus is where keys work: not in it, not lost.
const closed = `!document.querySelector("#keys").open && document.activeElement === document.querySelector("#main")`

func TestKeysLeadAround(t *testing.T) {
	c := newClinic(t)
	c.admits(1)
	b := c.ann()
	b.press("f")
	b.always("f goes to the list's own search", `document.activeElement.matches("[data-search]") && document.activeElement.value === ""`)
	b.press("gp")
	b.always("letters in the search box are letters", `document.activeElement.value === "gp" && location.pathname === "/"`)
	eval[bool](b, `document.activeElement.value = "", document.activeElement.blur(), true`)
	b.press("?")
	b.until("? opens the list of keys", `document.querySelector("#keys").open`)
	b.press("j")
	b.always("behind the dialog nothing moves", `document.querySelector("#keys").contains(document.activeElement)`)
	b.press(escape)
	b.until("Escape closes it", closed)
	b.pressUntil("gp", "g p goes to the patients", `location.pathname === "/patients" && `+live)
	b.press("j")
	b.always("j works in the list of patients", `document.activeElement.matches("#patients .name")`)
	b.pressUntil("gf", "g f goes to the feed", `location.pathname === "/" && `+live)
}

func TestKeysCanBeSwitchedOff(t *testing.T) {
	c := newClinic(t)
	row := c.admits(1)[0]
	b := c.ann()
	b.press("?")
	b.click("#keys-on")
	b.until("the box is not ticked", `!document.querySelector("#keys-on").checked`)
	b.click("#keys button")
	b.until("the dialog is closed", closed)
	b.press("j")
	b.always("j does nothing", `!document.activeElement.matches(".row *")`)
	b.do(focusOn("#" + row + "-name"))
	b.press("e")
	b.press("gp")
	b.open("/")
	b.until("the feed is live", live)
	b.always("e did nothing", state(row, "new"))
	b.press("j")
	b.always("after a reload j still does nothing", `!document.activeElement.matches(".row *")`)

	b.press("?") // still answered, or nobody would find the way back
	b.until("? opens the list of keys", `document.querySelector("#keys").open`)
	b.always("the box is not ticked", `!document.querySelector("#keys-on").checked`)
	b.click("#keys-on")
	b.until("the box is ticked", `document.querySelector("#keys-on").checked`)
	b.press(escape)
	b.until("the dialog is closed", closed)
	b.press("j")
	b.always("j works again", focused+` === "`+row+`-name"`)
}

func TestMarksOnThePatientPageKeepTheFocus(t *testing.T) {
	c := newClinic(t)
	_, row := c.send(metriport.PatientDischarge)
	c.Settled(t)
	b := c.ann()
	b.click("#" + row + "-name")
	b.until("the patient page is live", `location.pathname.startsWith("/patients/") && `+live)
	b.press("j")
	b.until("j passes the stays, which have nothing to press", has(row)+`.contains(document.activeElement)`)
	for _, step := range []struct{ key, is string }{{"s", "seen"}, {"u", "new"}, {"s", "seen"}, {"e", "done"}, {"u", "seen"}, {"u", "new"}} {
		b.press(step.key)
		keepsFocus(b, row, step.is)
	}
}

func TestARepeatedDeliveryIsCountedInItsRow(t *testing.T) {
	c := newClinic(t)
	m, row := c.send(metriport.PatientAdmit)
	c.Settled(t)
	b := c.ann()
	b.always("it was delivered once", `!/delivered/.test(`+has(row)+`.innerText)`)
	c.post(c.sim.Repeat(m))
	b.until("the row says delivered 2 times", `/delivered 2 times/.test(`+has(row)+`.innerText)`)
	c.post(c.sim.Repeat(m))
	b.until("and 3 times", `/delivered 3 times/.test(`+has(row)+`.innerText)`)
	checkFeed(b, 1)
}

func TestAViewerSeesMarksButCannotMark(t *testing.T) {
	c := newClinic(t)
	row := c.admits(1)[0]
	c.AddUser(t, "vera@clinic.example", "viewer")
	b := newTab(t, c.URL)
	b.signIn("vera@clinic.example")
	b.always("there is nothing to press in the row", `!`+has(row)+`.querySelector("button")`)
	c.mark(c.bob(), row, "done")
	b.until("the mark is shown", state(row, "done"))
	b.always("there is still nothing to press", `!`+has(row)+`.querySelector("button")`)
}

// TestAnOldAnswerDoesNotUndoANewerPush: the answer to a mark comes late, after what somebody else did then was shown.
func TestAnOldAnswerDoesNotUndoANewerPush(t *testing.T) {
	c := newClinic(t)
	row := c.admits(1)[0]
	other := c.bob()
	b := c.ann()
	held := chromedp.Events(b.ctx, fetch.RequestPaused)
	call(b, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{{URLPattern: "*/mark*", RequestStage: fetch.RequestStageResponse}}})
	b.click("#" + row + "-seen")
	var answer fetch.EventRequestPaused
	for event, err := range held {
		if err != nil {
			t.Fatal(err)
		}
		answer = event
		break
	}
	b.until("the mark was pushed", state(row, "seen"))
	c.mark(other, row, "done")
	b.until("what the other did was pushed", state(row, "done"))
	call(b, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: answer.RequestID})
	b.until("the answer is here", `!document.querySelector(".htmx-request")`)
	b.always("the newer state stays", state(row, "done"))
	b.click("#" + row + "-undo")
	for event, err := range held {
		if err != nil {
			t.Fatal(err)
		}
		call(b, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: event.RequestID})
		break
	}
	b.until("marks go on", state(row, "seen"))
}

// TestALatePushDoesNotUndoANewerAnswer: what was pushed before a mark and comes after its answer leaves the row as it is.
func TestALatePushDoesNotUndoANewerAnswer(t *testing.T) {
	c := newClinic(t)
	rows := c.admits(2)
	b := c.ann()
	eval[bool](b, `(() => {
		const parts = '<hx-partial hx-target="#feed" hx-swap="rows">' + ["`+rows[0]+`", "`+rows[1]+`"].map((id) => document.getElementById(id).outerHTML).join("") + '</hx-partial><hx-partial hx-target="#live-seq" hx-swap="outerMorph">' + document.querySelector("#live-seq").outerHTML + '</hx-partial>';
		window.late = () => htmx.swap({text: parts, sourceElement: document.querySelector("#live"), target: document.querySelector("#live"), swap: "none"}).then(() => true);
		document.addEventListener("htmx:ws:before:message:incoming", (e) => { e.detail.cancelled = true }); // the line is slow
		return true
	})()`)
	b.click("#" + rows[0] + "-seen")
	b.until("the answer is here", state(rows[0], "seen"))
	eval[bool](b, has(rows[1])+`.classList.add("is-marked-by-this-test"), true`)
	b.always("the late push was taken", `late()`)
	b.until("the other row is as it was pushed", `!`+has(rows[1])+`.classList.contains("is-marked-by-this-test")`)
	b.always("the marked row is as it was answered", state(rows[0], "seen"))
}
