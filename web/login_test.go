package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"carebell/db"
	"carebell/web"
	"carebell/web/webtest"
)

// TestNobodyLocksAnOwnerOutForLong: whoever guesses at an account, from one address or from very many, slows down
// themselves; the owner gets in at once from a browser known to be theirs, also after a restart, and from any other one at
// once or within half a minute.
func TestNobodyLocksAnOwnerOutForLong(t *testing.T) {
	dir, clock := t.TempDir(), &frozen{at: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	change := func(c *web.Config) { c.Now, c.TrustedProxies = clock.Now, []string{"127.0.0.1"} }
	s := webtest.StartIn(t, dir, change)
	const owner = "owner@clinic.example"
	form := func(b *webtest.Browser, from, email, password string) (int, string) {
		t.Helper()
		resp, page := b.Send(t, http.MethodPost, "/login", strings.NewReader(url.Values{"email": {email}, "password": {password}}.Encode()), http.Header{
			"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {"same-origin"}, "X-Forwarded-For": {from},
		})
		return resp.StatusCode, page
	}
	s.AddUser(t, owner, db.Admin)
	s.AddUser(t, "colleague@clinic.example", db.Viewer)
	theirs := s.Browser()
	for _, email := range []string{owner, "colleague@clinic.example"} { // they share the computer
		if got, page := form(theirs, "192.0.2.1", email, webtest.Password); got != http.StatusSeeOther {
			t.Fatal(got, page)
		}
	}
	gets := func(who string, b *webtest.Browser, from string, want int) {
		t.Helper()
		if got, page := form(b, from, owner, webtest.Password); got != want {
			t.Errorf("%s is answered %d, want %d: %s", who, got, want, page)
		}
	}

	// From one address.
	refused := 0
	for range 40 {
		if got, _ := form(s.Browser(), "198.51.100.7", owner, "wrong"); got == http.StatusTooManyRequests {
			refused++
		}
		clock.Advance(time.Second)
	}
	if refused < 30 {
		t.Errorf("only %d of 40 guesses were refused", refused)
	}
	gets("the guesser with the right password", s.Browser(), "198.51.100.7", http.StatusTooManyRequests)
	gets("the owner with another browser, elsewhere", s.Browser(), "192.0.2.9", http.StatusSeeOther)

	// From very many.
	for i := range 200 {
		form(s.Browser(), fmt.Sprintf("203.0.%d.%d", 113+i/100, 1+i%100), owner, "wrong")
	}
	gets("a new browser", s.Browser(), "192.0.2.10", http.StatusTooManyRequests)
	gets("the owner's browser", theirs, "198.51.100.7", http.StatusSeeOther) // even from the guesser's address
	s.Stop(t)
	s = webtest.StartIn(t, dir, change)
	theirs = theirs.At(s)
	for i := range 200 {
		form(s.Browser(), fmt.Sprintf("203.0.%d.%d", 113+i/100, 1+i%100), owner, "wrong")
	}
	gets("the owner's browser after a restart", theirs, "192.0.2.1", http.StatusSeeOther)
	gets("a new browser after a restart", s.Browser(), "192.0.2.10", http.StatusTooManyRequests)
	clock.Advance(31 * time.Second)
	gets("a new browser half a minute later", s.Browser(), "192.0.2.10", http.StatusSeeOther)

	// A known browser is slowed down by its own guesses.
	for range 5 {
		form(theirs, "192.0.2.1", owner, "wrong")
	}
	gets("a known browser after wrong passwords of its own", theirs, "192.0.2.1", http.StatusTooManyRequests)
	clock.Advance(3 * time.Second)
	gets("and when the wait is over", theirs, "192.0.2.1", http.StatusSeeOther)
}

// TestOneAddressThatTriesManyAccountsWaits, and a colleague behind the same address not longer than a minute; one who was
// there before not at all.
func TestOneAddressThatTriesManyAccountsWaits(t *testing.T) {
	s, clock := startFrozen(t)
	known := s.SignedIn(t, "known@clinic.example", db.Viewer)
	s.AddUser(t, "new@clinic.example", db.Viewer)
	try := func(b *webtest.Browser, email, password string) int {
		resp, _ := b.Form(t, "/login", url.Values{"email": {email}, "password": {password}})
		return resp.StatusCode
	}
	refused := 0
	for i := range 80 {
		if try(s.Browser(), fmt.Sprintf("guess-%d@clinic.example", i), "wrong") == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused != 30 {
		t.Errorf("%d of 80 guesses at different accounts were refused, want 30", refused)
	}
	if got := try(known, "known@clinic.example", webtest.Password); got != http.StatusSeeOther {
		t.Errorf("who was there before is answered %d", got)
	}
	if got := try(s.Browser(), "new@clinic.example", webtest.Password); got != http.StatusTooManyRequests {
		t.Errorf("who was not is answered %d", got)
	}
	clock.Advance(time.Minute)
	if got := try(s.Browser(), "new@clinic.example", webtest.Password); got != http.StatusSeeOther {
		t.Errorf("a minute later: %d", got)
	}
}
