//go:build browser

package browser

import (
	_ "embed"
	"strings"

	"github.com/chromedp/chromedp"
)

//go:embed testdata/axe.min.js
var axe string

// violation is one rule of axe that a page breaks.
type violation struct {
	ID    string
	Help  string
	Nodes []struct {
		Target         []any
		HTML           string
		FailureSummary string
	}
}

// runAxe checks the page with every rule, those for target sizes among them.
const runAxe = `axe.run(document, {resultTypes: ["violations"], rules: {"target-size": {enabled: true}}})
	.then((r) => r.violations.map((v) => ({ID: v.id, Help: v.help, Nodes: v.nodes.slice(0, 4).map((n) =>
		({Target: n.target, HTML: n.html.slice(0, 160), FailureSummary: n.failureSummary}))})))`

// variants are the ways in which people see a page.
func variants(b *tab, f func(name string)) {
	b.Helper()
	for _, width := range []int64{wide, narrow} {
		b.window(width)
		for _, scheme := range []string{"light", "dark"} {
			b.scheme(scheme)
			f(scheme + "-" + decimal(int(width)))
		}
	}
}

func checkAccessible(b *tab, name string) {
	b.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](axe))
	variants(b, func(variant string) {
		for _, v := range eval[[]violation](b, runAxe) {
			var where []string
			for _, n := range v.Nodes {
				where = append(where, n.HTML+"\n      "+strings.ReplaceAll(n.FailureSummary, "\n", "\n      "))
			}
			b.Errorf("%s, %s: %s (%s)\n    %s", name, variant, v.Help, v.ID, strings.Join(where, "\n    "))
		}
	})
}
