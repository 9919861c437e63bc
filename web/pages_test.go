package web_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"carebell/db"
	"carebell/web/webtest"
)

// TestTheNavigationIsTheTableOfPages: everybody's navigation and keys lead to what they may see, and to nothing else.
func TestTheNavigationIsTheTableOfPages(t *testing.T) {
	s := webtest.Start(t)
	for _, role := range []db.Role{db.Viewer, db.Coordinator, db.Admin} {
		b := s.SignedIn(t, string(role)+"@clinic.example", role)
		_, page := b.Get(t, "/")
		side := page[strings.Index(page, `<nav class="side"`):strings.Index(page, `<div class="who">`)]
		dialog := page[strings.Index(page, `<dialog id="keys"`):]
		var links, keys, told, wantLinks, wantKeys []string
		for _, m := range regexp.MustCompile(`<a href="([^"]*)"(?: data-g="(\w)")?`).FindAllStringSubmatch(side, -1) {
			links, keys = append(links, m[1]), append(keys, m[2])
		}
		for _, m := range regexp.MustCompile(`<kbd>g</kbd> <kbd>(\w)</kbd>`).FindAllStringSubmatch(dialog, -1) {
			told = append(told, m[1])
		}
		for _, p := range s.PageRows() {
			if p.Menu != "" && slices.Contains(p.Sees, role) {
				wantLinks, wantKeys = append(wantLinks, p.Path), append(wantKeys, p.Key)
			}
		}
		if !slices.Equal(links, wantLinks) || len(links) < 6 {
			t.Errorf("%s finds %q, want %q", role, links, wantLinks)
		}
		if !slices.Equal(keys, wantKeys) || !slices.Equal(told, wantKeys) {
			t.Errorf("%s has the keys %q and is told of %q, want %q", role, keys, told, wantKeys)
		}
		if compact := slices.Compact(slices.Sorted(slices.Values(keys))); len(compact) != len(keys) {
			t.Errorf("two pages have the same key: %q", keys)
		}
		for _, link := range links {
			if resp, body := b.Get(t, link); resp.StatusCode != http.StatusOK || !strings.Contains(body, `<a href="`+link+`"`) || strings.Count(body, `aria-current="page"`) < 1 {
				t.Errorf("%s at %s: %d, or it does not say where one is", role, link, resp.StatusCode)
			}
		}
	}
}

// TestEveryPageHasAPlace: a page belongs to one in the navigation, and whoever may see it may open its socket.
func TestEveryPageHasAPlace(t *testing.T) {
	s := webtest.Start(t)
	watches := map[string][]db.Role{} // by view: of the first page that has it
	for _, p := range s.PageRows() {
		if _, ok := watches[p.View]; !ok {
			watches[p.View] = p.Watches
		}
	}
	for _, p := range s.PageRows() {
		for _, role := range p.Sees {
			if p.View != "" && !slices.Contains(watches[p.View], role) {
				t.Errorf("a %s may see %s and not open its socket", role, p.Path)
			}
		}
		for _, role := range watches[p.View] {
			if p.View != "" && p.View != "status" && p.Sees != nil && !slices.Contains(p.Sees, role) {
				t.Errorf("a %s may open the socket of %s and not see it", role, p.Path)
			}
		}
	}
}
