package sim

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"
	"time"

	"carebell/web/metriport"
)

// TestAMessageGivenAgainLeadsToTheSameFiles: with an id of its own and URLs that live, long after the first ones died.
func TestAMessageGivenAgainLeadsToTheSameFiles(t *testing.T) {
	now := time.Date(2026, 4, 21, 9, 0, 0, 0, time.UTC)
	s := New(Options{Now: func() time.Time { return now }, Seed: 3, BaseURL: "http://store.example"})
	links := regexp.MustCompile(`http://store\.example/objects/[^"]+`)
	status := func(link string) int {
		rec := httptest.NewRecorder()
		s.Store().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, link, nil))
		return rec.Code
	}
	for _, kind := range metriport.Types {
		for range 4 {
			m, err := s.Sample(kind)
			if err != nil {
				t.Fatal(err)
			}
			now = now.Add(2 * time.Hour)
			again := s.Again(m)
			if again.ID == m.ID || !again.At.Equal(now) {
				t.Fatalf("%s is given again as %s of %s", kind, again.ID, again.At)
			}
			old, fresh := links.FindAllString(string(m.Body), -1), links.FindAllString(string(again.Body), -1)
			if len(old) != len(fresh) {
				t.Fatalf("%s has %d links, and again %d", kind, len(old), len(fresh))
			}
			for i := range old {
				if got := status(old[i]); got != http.StatusForbidden {
					t.Errorf("%s: the first link answers %d after two hours", kind, got)
				}
				if got := status(fresh[i]); got != http.StatusOK {
					t.Errorf("%s: the fresh link answers %d: %s", kind, got, fresh[i])
				}
			}
		}
	}
}
