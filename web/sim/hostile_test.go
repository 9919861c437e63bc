package sim_test

import (
	"net/http"
	"strings"
	"testing"

	"carebell/web/metriport"
)

// TestHostileEventsAreUnusualOnlyBehindTheirLinks: each is read like any other event, and every trap has one.
func TestHostileEventsAreUnusualOnlyBehindTheirLinks(t *testing.T) {
	w := newWorld(1)
	var links []string
	ids := map[string]bool{}
	for _, m := range w.Hostile() {
		e := metriport.ReadEnvelope(m.Body)
		event, err := metriport.ReadEvent(m.Type, m.Body)
		if err != nil || e.Malformed != "" || e.MessageID != m.ID || ids[m.ID] || !e.When.Equal(m.At) {
			t.Errorf("%s: %v %+v", m.Type, err, e)
		}
		ids[m.ID] = true
		of := metriport.Links(m.Type, event, w.clock())
		if len(of) == 0 {
			t.Errorf("%s has no link", m.Type)
		}
		for _, l := range of {
			if !l.Expires.After(w.clock()) {
				t.Errorf("%s expired at %s", l.Place, l.Expires)
			}
			links = append(links, l.URL)
		}
	}
	all := strings.Join(links, "\n")
	for _, trap := range []string{
		"/gzip-bomb?", "/gzip-bomb-as-encoding?", "/endless?", "/length-too-long?", "/length-beyond-the-limit?", "/slow-drip?", "/page-as-json?", "/empty?", "/redirect?",
		"/note.html?", "/scan.svg?", "/page.xml?", "/summary.xml?", "/letter.pdf?", "/result.csv?", "/bundle.json?",
		".attacker.example/", "amazonaws.com@", "169.254.169.254",
	} {
		if strings.Count(all, trap) != 1 && trap != "/bundle.json?" {
			t.Errorf("%d links have %s", strings.Count(all, trap), trap)
		}
	}
	for _, l := range links {
		if !strings.HasPrefix(l, base+"/hostile/") || strings.Contains(l, "endless") || strings.Contains(l, "slow-drip") { // those two never end
			continue
		}
		rec := w.get(http.MethodGet, l)
		switch {
		case strings.Contains(l, "/redirect?"):
			if to := rec.Header().Get("Location"); rec.Code != http.StatusFound || to != base+"/hostile/reached" {
				t.Errorf("redirect: %d to %s", rec.Code, to)
			}
		case rec.Code != http.StatusOK, rec.Body.Len() == 0 && !strings.Contains(l, "/empty?"), strings.Contains(rec.Body.String(), "ORIGIN"):
			t.Errorf("%s: %d with %d bytes", l, rec.Code, rec.Body.Len())
		}
		if err := readable(rec.Header().Get("Content-Type"), rec.Body.Bytes()); err != nil && strings.Contains(l, ".pdf") {
			t.Errorf("the letter is no PDF: %v", err)
		}
	}
	if rec := w.get(http.MethodGet, base+"/hostile/nothing"); rec.Code != http.StatusNotFound {
		t.Errorf("an unknown trap is answered %d", rec.Code)
	}
}
