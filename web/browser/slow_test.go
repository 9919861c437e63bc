//go:build browser

package browser

import (
	"testing"

	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"carebell/web/metriport"
)

// On a slow line the scripts come one by one.
func TestThePageIsLiveHoweverLateAScriptComes(t *testing.T) {
	c := newClinic(t)
	for _, script := range []string{"htmx", "hx-ws", "carebell"} {
		t.Run(script, func(t *testing.T) {
			b := newTab(t, c.URL)
			b.signIn(ann)
			call(b, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})
			held := chromedp.Events(b.ctx, fetch.RequestPaused)
			call(b, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{{URLPattern: "*/static/" + script + "*.js"}}})
			eval[bool](b, `location.assign("/?state=all"), true`)
			for event, err := range held {
				if err != nil {
					t.Fatal(err)
				}
				b.until("the page is there without "+script, `location.search === "?state=all" && document.querySelector("#live") !== null`)
				b.until("some turns have passed", `new Promise((done) => setTimeout(() => done(true), 50))`)
				call(b, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: event.RequestID})
				break
			}
			b.until("the page is live", live)
			_, row := c.send(metriport.PatientAdmit)
			b.until("a new row comes in", has(row))
		})
	}
}
