//go:build browser

package browser

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// reportViolations runs before a page's own scripts: what the content security policy stops is an error in the console.
const reportViolations = `document.addEventListener("securitypolicyviolation", (e) =>
	console.error("policy violated: " + e.effectiveDirective + " by " + (e.blockedURI || e.sample)))`

// console gathers what a tab's console says that nobody should see: warnings, errors and exceptions.
type console struct {
	mu       sync.Mutex
	lines    []string
	expected []*regexp.Regexp
}

// hear takes one event of the tab.
func (c *console) hear(event any) {
	var line string
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if t := string(e.Type); t != "error" && t != "warning" && t != "assert" {
			return
		}
		var words []string
		for _, a := range e.Args {
			words = append(words, strings.Trim(string(a.Value), `"`)+a.Description)
		}
		line = fmt.Sprintf("console.%s: %s", e.Type, strings.Join(words, " "))
	case *runtime.EventExceptionThrown:
		line = "exception: " + e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			line += " " + x.Description
		}
	case *log.EventEntryAdded:
		if e.Entry.Level != log.EntryLevelError && e.Entry.Level != log.EntryLevelWarning {
			return
		}
		line = fmt.Sprintf("log %s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL)
	default:
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, line)
}

// expect names what the test itself causes, as a regular expression.
func (c *console) expect(pattern string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expected = append(c.expected, regexp.MustCompile(pattern))
}

// cut is what the console says when the server cannot be reached. 426 is the answer to the question whether the person
// is still signed in.
const cut = `status of 426|WebSocket connection to .* failed|net::ERR_|htmx:ws:error|Failed to fetch`

// said is everything unexpected so far.
func (c *console) said() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.lines), func(line string) bool {
		return slices.ContainsFunc(c.expected, func(r *regexp.Regexp) bool { return r.MatchString(line) })
	})
}

func (b *tab) checkConsole() {
	if b.ctx.Err() != nil {
		return
	}
	_, _ = tryEval[bool](b, "true") // what was said before has been heard when this is answered
	for _, line := range b.said() {
		b.Errorf("the console says: %s", line)
	}
}

// call runs a command of the protocol that has no action.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	r, err := chromedp.Call(ctx, command, params)
	if err != nil {
		b.Fatalf("%s: %v", command.Method, err)
	}
	return r
}
