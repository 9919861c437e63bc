package web_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"carebell/db"
	"carebell/web"
	"carebell/web/webtest"
)

// TestTheDisksEndIsForeseen from the figures of each day, marked as computed, and not before there are two days.
func TestTheDisksEndIsForeseen(t *testing.T) {
	dir, clock := t.TempDir(), &webtest.Clock{}
	change := func(c *web.Config) { c.Now = clock.Now }
	s := webtest.StartIn(t, dir, change)
	s.AddUser(t, "admin@clinic.example", db.Admin)
	fact := func(name string) string {
		t.Helper()
		_, page := signedInAgain(t, s).Get(t, systemPage)
		text := ""
		doc := parsed(t, page)
		for i := range doc.Find("#sys-disk dl > div").Length() {
			if e := doc.Find("#sys-disk dl > div").Eq(i); e.Find("dt").Text() == name {
				text = strings.Join(strings.Fields(e.Find("dd").Text()), " ")
			}
		}
		return text
	}
	pollUntil(t, "the first figures", func() (string, bool) { return "", number(t, s, `SELECT count(*) FROM disk_day`) == 1 })
	for n := range 40 {
		if status, _ := s.Post(t, []byte(fmt.Sprintf(`{"meta":{"messageId":"m-%d","type":"x"},"x":%q}`, n, noise(100<<10)))); status != http.StatusOK {
			t.Fatal(status)
		}
	}
	if got := fact("At this rate"); !strings.Contains(got, "not known yet") || !strings.Contains(got, "computed") {
		t.Errorf("on the first day: %q", got)
	}
	s.Stop(t)
	clock.Advance(10 * 24 * time.Hour)
	s = webtest.StartIn(t, dir, change)
	pollUntil(t, "the figures of the next day", func() (string, bool) { return "", number(t, s, `SELECT count(*) FROM disk_day`) == 2 })
	if got := fact("At this rate"); !regexp.MustCompile(`^the disk (lasts (\d+ (day|month|year)s?|more than 10 years)) computed: \d{3} KB a day since `).MatchString(got) {
		t.Errorf("after ten days of 4 MB together: %q", got)
	}
	if got := fact("An event takes"); !regexp.MustCompile(`^about 1\d\d KB computed`).MatchString(got) {
		t.Errorf("events of 100 KB: %q", got)
	}
}
