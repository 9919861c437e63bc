//go:build browser

package browser

import (
	"slices"
	"strings"
	"testing"
)

// The console is what every other test here relies on to notice a broken policy or script.
func TestTheGuardHearsWhatPagesDoWrong(t *testing.T) {
	c := newClinic(t)
	b := newTab(t, c.URL)
	b.open("/login")
	eval[bool](b, `(() => {
		const s = document.createElement("script"); s.textContent = "window.ran = true"; document.body.append(s);
		setTimeout(() => { throw new Error("on purpose") });
		console.warn("a warning on purpose");
		return true;
	})()`)
	b.always("the policy stops an inline script", `!window.ran`)
	for _, want := range []string{"policy violated: script-src", "exception: Uncaught Error: on purpose", "a warning on purpose"} {
		b.until("the console is quiet", `new Promise((done) => setTimeout(() => done(true), 10))`)
		if !slices.ContainsFunc(b.said(), func(line string) bool { return strings.Contains(line, want) }) {
			t.Errorf("the guard did not hear %q but %q", want, b.said())
		}
	}
	b.expect(`on purpose|script-src|inline script`)
}
