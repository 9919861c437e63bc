package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"carebell/db"
	"carebell/web/webtest"
)

// TestAPatientPageSaysWhatCameSinceItsReaderLastLooked: each reader their own, and nothing is lost by coming back soon.
func TestAPatientPageSaysWhatCameSinceItsReaderLastLooked(t *testing.T) {
	s := webtest.Start(t)
	ann, bob := s.SignedIn(t, "ann@clinic.example", db.Coordinator), s.SignedIn(t, "bob@clinic.example", db.Viewer)
	n := 0
	admit := func() {
		n++
		if status, answer := s.Post(t, fmt.Appendf(nil, `{"meta":{"messageId":"m-%d","type":"patient.admit"},"payload":{"patientId":"p","admitTimestamp":"2026-01-02T03:%02d:05Z"}}`, n, n)); status != http.StatusOK {
			t.Fatal(status, answer)
		}
		s.Settled(t)
	}
	since := func(b *webtest.Browser, path string) string {
		t.Helper()
		_, page := b.Get(t, path)
		doc, err := goquery.NewDocumentFromReader(strings.NewReader(page))
		if err != nil {
			t.Fatal(err)
		}
		card := doc.Find("#since")
		if card.Length() == 0 {
			return ""
		}
		return fmt.Sprint(card.Find(".item").Length(), " ", strings.Join(strings.Fields(card.Find(".none").Text()), " "))
	}
	expect := func(when string, b *webtest.Browser, want string) {
		t.Helper()
		if got := since(b, "/patients/p"); got != want {
			t.Errorf("%s it says %q, want %q", when, got, want)
		}
	}
	pass := func(minutes int) { // both are at their desks
		for range minutes / 5 {
			s.Clock.Advance(5 * time.Minute)
			ann.Get(t, "/")
			bob.Get(t, "/")
		}
	}
	admit()
	expect("at the first look", ann, "")
	s.Clock.Advance(time.Minute)
	expect("when it is loaded again", ann, "")
	pass(20)
	expect("when nothing came", ann, "0 Nothing new came until you opened this page.")
	pass(20)
	admit()
	s.Post(t, []byte(`{"meta":{"messageId":"mail","type":"message.received"},"payload":{"id":"in","patientId":"p","subject":"Hello"}}`))
	s.Settled(t)
	expect("when something came", ann, "1 And 1 message, further down.")
	pass(10)
	expect("when its reader comes back soon", ann, "1 And 1 message, further down.")
	expect("to somebody else, at their first look,", bob, "")
	pass(20)
	for range 8 {
		admit()
	}
	expect("when much came", ann, "6 And 2 more notifications, further down.")
	if got := since(ann, "/patients/p?before=1.1"); got != "" {
		t.Errorf("an earlier part of the timeline says %q", got)
	}
	ann.Get(t, "/patients/p/health/results") // is no look at the page
	pass(20)
	expect("to somebody else", bob, "6 And 2 more notifications, further down.")
}
