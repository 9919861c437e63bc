//go:build browser

package browser

import (
	"testing"

	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"carebell/web/metriport"
)

// On a slow line the scripts come one by one, and htmx starts before the others are there.
func TestThePageIsLiveHoweverLateAScriptComes(t *testing.T) {
	c := newClinic(t)
	for _, s := range []struct{ script, after string }{
		{"hx-ws", `typeof htmx === "object" && document.readyState === "interactive"`},
		{"carebell", `document.querySelector("#live")?._htmx?.ws?.connection?.socket?.readyState === WebSocket.OPEN`},
	} {
		t.Run(s.script, func(t *testing.T) {
			b := newTab(t, c.URL)
			b.signIn(ann)
			call(b, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})
			held := chromedp.Events(b.ctx, fetch.RequestPaused)
			call(b, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{{URLPattern: "*/static/" + s.script + "*.js"}}})
			eval[bool](b, `location.assign("/?state=all"), true`)
			for event, err := range held {
				if err != nil {
					t.Fatal(err)
				}
				b.until("htmx has begun without "+s.script, `location.search === "?state=all" && `+s.after)
				b.until("a turn has passed", `new Promise((done) => setTimeout(() => done(true), 20))`)
				call(b, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: event.RequestID})
				break
			}
			b.until("the page is live", live)
			_, row := c.send(metriport.PatientAdmit)
			b.until("a new row comes in", has(row))
		})
	}
}
