//go:build browser

package browser

import "github.com/chromedp/chromedp"

// tooWide names what sticks out of the page sideways.
const tooWide = `(() => {
	const page = document.documentElement;
	if (page.scrollWidth <= page.clientWidth) return [];
	const out = [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > page.clientWidth + 0.5);
	return [page.scrollWidth + " > " + page.clientWidth, ...out.map((e) => e.outerHTML.slice(0, 120))];
})()`

// tooSmall names what can be pressed and is smaller than 24 × 24 CSS pixels, but for links within text.
const tooSmall = `(() => {
	const within = (e) => getComputedStyle(e).display === "inline"
		&& [...e.parentElement.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.nodeValue.trim() !== "");
	const out = [];
	for (const e of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]:not([tabindex='-1'])")) {
		if (!e.checkVisibility({visibilityProperty: true}) || e.matches("a") && within(e)) continue;
		const target = e.matches("input[type=checkbox], input[type=radio]") && e.closest("label") || e;
		const {width, height, right} = target.getBoundingClientRect();
		if (right <= 0) continue; // the way past the navigation, off the screen until it has the focus
		if (Math.min(width, height) < 23.99) out.push(width.toFixed(1) + " × " + height.toFixed(1) + " " + e.outerHTML.slice(0, 120));
	}
	return out;
})()`

// cutOff names text that is hidden because its box is too small, or that sticks out of its button. In a table of rows of one
// height, the row's number leads to the whole text.
const cutOff = `[...document.querySelectorAll("main *, nav *")].filter((e) => e.checkVisibility() && !e.closest(".hidden, .rows table")
	&& (getComputedStyle(e).overflowX !== "visible" || e.matches(".btn")) && getComputedStyle(e).overflowX !== "auto"
	&& e.scrollWidth > e.clientWidth + 1).map((e) => e.outerHTML.slice(0, 120))`

func checkFits(b *tab, name string) {
	b.Helper()
	for _, width := range []int64{wide, 1024, 768, narrow, 320} {
		b.window(width)
		b.do(nextFrame)
		for _, line := range eval[[]string](b, tooWide) {
			b.Errorf("%s scrolls sideways at %d px: %s", name, width, line)
		}
		for _, line := range eval[[]string](b, tooSmall) {
			b.Errorf("%s has a target that is too small at %d px: %s", name, width, line)
		}
		for _, line := range eval[[]string](b, cutOff) {
			b.Errorf("%s hides text at %d px: %s", name, width, line)
		}
	}
}

// nextFrame waits until what was changed has been laid out.
var nextFrame = chromedp.Steps(chromedp.Evaluate[chromedp.Void](
	`new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))`, chromedp.EvalAwaitPromise))
