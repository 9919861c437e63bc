//go:build browser

package browser

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"carebell/web/webtest"
)

// Widths of the window, in CSS pixels: a desk and a phone.
const (
	wide   = 1440
	narrow = 390
)

// tab is one open page of a person. What its console says beyond what the test expects fails the test.
type tab struct {
	testing.TB
	ctx  context.Context
	base string // URL without a slash at the end

	clicked time.Time
	console
}

// newTab opens an empty tab with cookies of its own, for the server at base.
func newTab(t testing.TB, base string) *tab {
	t.Helper()
	if errChromium != nil {
		t.Fatal(errChromium)
	}
	return openTab(t, chromium, base, chromedp.WithNewBrowserContext(), chromedp.WithNewWindow(true))
}

// another opens a further tab of the same person.
func (b *tab) another(t testing.TB) *tab {
	t.Helper()
	id := chromedp.FromContext(b.ctx).BrowserContextID
	return openTab(t, chromium, b.base, chromedp.WithExistingBrowserContext(id), chromedp.WithNewWindow(true))
}

func openTab(t testing.TB, in context.Context, base string, options ...chromedp.ContextOption) *tab {
	t.Helper()
	b := &tab{TB: t, base: base}
	ctx, cancel := chromedp.NewContext(in, append(options, chromedp.WithListener(b.hear))...)
	b.ctx = ctx
	t.Cleanup(func() {
		b.checkConsole()
		cancel()
	})
	b.do(chromedp.Steps()) // opens the tab
	call(b, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: reportViolations})
	b.window(wide)
	return b
}

// do runs steps that must come to an end in time.
func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := b.try(steps...); err != nil {
		b.Fatalf("the browser: %v", err)
	}
}

func (b *tab) try(steps ...chromedp.Action[chromedp.Void]) error {
	if chromedp.FromContext(b.ctx).Target == nil { // the first run must not be bound to a deadline
		return chromedp.Do(b.ctx, steps...)
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Do(ctx, steps...)
}

// open goes to a path of the server, or to a whole URL.
func (b *tab) open(path string) {
	b.Helper()
	if path[0] == '/' {
		path = b.base + path
	}
	b.do(chromedp.Navigate(path))
}

// signIn signs a person in through the form and waits until the feed is live.
func (b *tab) signIn(email string) {
	b.Helper()
	b.open("/login")
	b.fill("input[name=email]", email)
	b.fill("input[name=password]", webtest.Password)
	b.click("button.main")
	b.until("the feed is live", live)
}

// live is true when a page's socket is open.
const live = `document.querySelector("#link-state .text")?.textContent === "Live"`

// fill types text into an empty field.
func (b *tab) fill(css, text string) {
	b.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS(css), text))
}

// click clicks with the mouse, and not so soon after the last click that it would be a double click.
func (b *tab) click(css string) {
	b.Helper()
	time.Sleep(time.Until(b.clicked.Add(650 * time.Millisecond)))
	defer func() { b.clicked = time.Now() }()
	if err := b.try(chromedp.Click(chromedp.CSS(css))); err != nil {
		b.Fatalf("clicking %s: %v", css, err)
	}
}

// press types keys, one after the other, wherever the focus is. Key and character are one event, as from a keyboard: a
// page that takes the key keeps the character from being typed.
func (b *tab) press(keys string) {
	b.Helper()
	for _, key := range keys {
		events := kb.Encode(key)
		down, up := *events[0], *events[len(events)-1]
		down.Type = input.DispatchKeyEventTypeKeyDown
		if len(events) == 3 {
			down.Text, down.UnmodifiedText = events[1].Text, events[1].UnmodifiedText
		}
		call(b, input.DispatchKeyEvent, down)
		call(b, input.DispatchKeyEvent, up)
	}
}

// pressUntil presses keys that must come soon after each other, again and again on a machine that is too busy for it.
func (b *tab) pressUntil(keys, what, js string) {
	b.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		b.press(keys)
		for again := time.Now().Add(3 * time.Second); time.Now().Before(again); time.Sleep(25 * time.Millisecond) {
			if ok, err := tryEval[bool](b, "Boolean("+js+")"); err == nil && ok {
				return
			}
		}
	}
	b.until(what, js)
}

const (
	enter  = kb.Enter
	escape = kb.Escape
)

// until waits until a JavaScript expression is true. what says it in words.
func (b *tab) until(what, js string) {
	b.Helper()
	deadline := time.Now().Add(patience)
	for {
		ok, err := tryEval[bool](b, "Boolean("+js+")")
		switch {
		case err == nil && ok:
			return
		case time.Now().After(deadline):
			text, _ := tryEval[string](b, "location.href + '\\n' + document.body.innerText.slice(0, 600)")
			b.Fatalf("after %s it is still not so that %s (%v):\n%s\n%s\nthe console said: %q", patience, what, err, js, text, b.said())
		}
		time.Sleep(25 * time.Millisecond)
	}
}

// always fails when a JavaScript expression is not true now.
func (b *tab) always(what, js string) {
	b.Helper()
	if !eval[bool](b, "Boolean("+js+")") {
		b.Errorf("it is not so that %s: %s", what, js)
	}
}

// eval returns the value of a JavaScript expression; a promise is waited for.
func eval[T any](b *tab, js string) T {
	b.Helper()
	v, err := tryEval[T](b, js)
	if err != nil {
		b.Fatalf("evaluating %.300s: %v", js, err)
	}
	return v
}

func tryEval[T any](b *tab, js string) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if errors.Is(err, chromedp.ErrJSUndefined) || errors.Is(err, chromedp.ErrJSNull) {
		err = fmt.Errorf("%w; say what to return", err)
	}
	return v, err
}

// window sets the width of the window. Scroll bars take no room, as on a phone.
func (b *tab) window(width int64) {
	b.Helper()
	b.do(chromedp.EmulateViewport(width, 900))
	call(b, emulation.SetScrollbarsHidden, emulation.SetScrollbarsHiddenParams{Hidden: width == narrow})
}

// scheme sets what the person prefers: "light" or "dark", and always no motion.
func (b *tab) scheme(name string) {
	b.Helper()
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// back goes back, as the browser's button does.
var back = chromedp.NavigateBack()

func decimal(n int) string { return strconv.Itoa(n) }
