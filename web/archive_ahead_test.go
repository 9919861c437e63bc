package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"carebell/db"
	"carebell/web/webtest"
)

// fillQueue queues n documents whose links live for life, in few messages.
func (o *outside) fillQueue(t *testing.T, n int, life time.Duration, content http.HandlerFunc) {
	t.Helper()
	link := o.lead("/bulk", life, content)
	var documents []string
	for i := range n {
		documents = append(documents, fmt.Sprintf(`{"id":"bulk-%d","fileName":"bulk-%d","url":"%s&n=%d"}`, i, i, link, i))
	}
	o.Post(t, o.documents("PATIENT-1", documents...))
	o.Settled(t)
}

// TestLinksThatWillDieAreForetold on the system page with what to do, and in everybody's banner, long before they die.
func TestLinksThatWillDieAreForetold(t *testing.T) {
	o := startOutside(t)
	admin, nurse := o.SignedIn(t, "admin@clinic.example", db.Admin), o.SignedIn(t, "nurse@clinic.example", db.Viewer)
	if resp, _ := admin.Form(t, "/admin/system/places", url.Values{"host": {"1"}, "all": {"1"}}); resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("setting the places is answered %d", resp.StatusCode)
	}
	never := make(chan struct{})
	var n atomic.Int64
	slow := func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(100 * time.Millisecond):
		case <-never:
		case <-r.Context().Done():
		}
		_, _ = fmt.Fprint(w, "content ", n.Add(1))
	}
	o.fillQueue(t, 3000, time.Minute, slow) // at most 600 of them can be fetched in that time
	o.shows(t, admin, systemPage, "links will die before their turn", "Raise the numbers below", "Metriport can send what died again for 30 days")
	o.shows(t, nurse, "/", "files will not be fetched before their links expire", "An admin sees what to do under System")
	close(never)
	admin.Form(t, "/admin/system/places", url.Values{"host": {"60"}, "all": {"100"}})
	page := o.shows(t, admin, systemPage, `name="host"`)
	for _, want := range []string{`value="60"`, `value="100"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the form has not %s", want)
		}
	}
}

// TestHostThatDoesNotAnswerIsNamed with what waits for it and what to do; and everybody is told after a while.
func TestHostThatDoesNotAnswerIsNamed(t *testing.T) {
	o := startOutside(t)
	admin, nurse := o.SignedIn(t, "admin@clinic.example", db.Admin), o.SignedIn(t, "nurse@clinic.example", db.Viewer)
	o.down.Store(true)
	o.fillQueue(t, 40, time.Hour, says("content"))
	host := o.origin.Listener.Addr().String()
	o.shows(t, admin, systemPage, host+" has not answered for", "links wait for it", "Check that this computer reaches the internet")
	if _, page := nurse.Get(t, "/"); strings.Contains(page, "cannot be fetched at the moment") {
		t.Error("everybody is told at once")
	}
	o.clock.Advance(2 * time.Minute)
	o.shows(t, nurse, "/", "files cannot be fetched at the moment")
	o.down.Store(false)
	o.nudge(t)
	pollUntil(t, "the banner to go", func() (string, bool) {
		_, page := nurse.Get(t, "/")
		return "it is there", !strings.Contains(page, "cannot be fetched at the moment")
	})
}

// TestPlacesAreKept: how many files are fetched at once is an admin's to set, leaves a trace, and outlives a restart.
func TestPlacesAreKept(t *testing.T) {
	dir := t.TempDir()
	s := webtest.StartIn(t, dir)
	admin := s.SignedIn(t, "admin@clinic.example", db.Admin)
	set := func(host, all string) int {
		resp, _ := admin.Form(t, "/admin/system/places", url.Values{"host": {host}, "all": {all}})
		return resp.StatusCode
	}
	for _, bad := range [][2]string{{"0", "5"}, {"6", "5"}, {"x", "5"}, {"5", ""}, {"5", "100000"}, {"-1", "5"}} {
		if status := set(bad[0], bad[1]); status != http.StatusUnprocessableEntity {
			t.Errorf("%v is answered %d", bad, status)
		}
	}
	if status := set("7", "13"); status != http.StatusSeeOther {
		t.Fatalf("answered %d", status)
	}
	s.Stop(t)
	s = webtest.StartIn(t, dir)
	admin = s.SignedIn(t, "again@clinic.example", db.Admin)
	_, page := admin.Get(t, systemPage)
	if !strings.Contains(page, `value="7"`) || !strings.Contains(page, `value="13"`) {
		t.Error("what was set is forgotten")
	}
}
