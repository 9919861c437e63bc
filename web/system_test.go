package web_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"carebell/db"
	"carebell/views"
	"carebell/web"
	"carebell/web/intake"
	"carebell/web/metriport"
	"carebell/web/webtest"
)

const systemPage = "/admin/system"

// parsed reads a page.
func parsed(t *testing.T, page string) *goquery.Document {
	t.Helper()
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// dayCells reads a day of the table of events: by group in their order, then all.
func dayCells(t *testing.T, page, day string) string {
	t.Helper()
	var out []string
	parsed(t, page).Find(`#sys-table tr[data-day="` + day + `"] td`).Each(func(_ int, s *goquery.Selection) { out = append(out, s.Text()) })
	return strings.Join(out, " ")
}

func eventOf(kind string, n int) []byte {
	return fmt.Appendf(nil, `{"meta":{"messageId":"e-%d","type":%q,"when":"2026-11-20T10:00:00Z"},"payload":{"patientId":"PATIENT-E"}}`, n, kind)
}

// TestEventsAreCountedByThePracticesDay: around its midnight, in every group, the same while the server runs and after a
// restart, and no further back than the chart goes.
func TestEventsAreCountedByThePracticesDay(t *testing.T) {
	clock := &webtest.Clock{}
	dir := t.TempDir()
	change := func(c *web.Config) { c.Now, c.IdleLogout = clock.Now, 12*time.Hour }
	s := webtest.StartIn(t, dir, change)
	zone, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	local := clock.Now().In(zone)
	midnight := time.Date(local.Year(), local.Month(), local.Day()+1, 0, 0, 0, 0, zone)
	first := midnight.AddDate(0, 0, -1)
	s.AddUser(t, "admin@clinic.example", db.Admin)
	n := 0
	post := func(kinds ...metriport.Type) {
		for _, kind := range kinds {
			n++
			if status, _ := s.Post(t, eventOf(string(kind), n)); status != http.StatusOK {
				t.Fatalf("%s is answered %d", kind, status)
			}
		}
	}
	clock.Advance(midnight.Add(-time.Minute).Sub(clock.Now()))
	admin := signedInAgain(t, s)
	page := func() string { _, page := admin.Get(t, systemPage); return page }
	post(metriport.PatientAdmit, metriport.PatientDischarge, metriport.DischargeSummary, metriport.PatientPharmacy, metriport.Ping)
	day := first.Format(time.DateOnly)
	if got := dayCells(t, page(), day); got != "3 1 0 0 0 0 0 1 5" {
		t.Errorf("the day has %s", got)
	}
	clock.Advance(2 * time.Minute)
	admin = signedInAgain(t, s)
	post(metriport.PatientLaboratory, metriport.MessageReceived, metriport.MessageStatus, metriport.NetworkQueryPharmacy, metriport.ConsolidatedData,
		metriport.DocumentsPaged, metriport.BulkPatientCreate, metriport.IdentityVerified, "something.new", "patient.admit ")
	next := midnight.Format(time.DateOnly)
	check := func(when string) {
		t.Helper()
		p := page()
		if got := dayCells(t, p, day); got != "3 1 0 0 0 0 0 1 5" {
			t.Errorf("%s, the day before has %s", when, got)
		}
		if got := dayCells(t, p, next); got != "1 0 1 2 3 1 1 1 10" {
			t.Errorf("%s, the day has %s", when, got)
		}
		doc := parsed(t, p)
		for id, want := range map[string]string{"#today-adt": "1", "#days-adt": "4", "#today-records": "3", "#days-other": "2", "#chart-words": "15 events in 30 days; most on " + midnight.Format("Mon 2 Jan") + ", 10"} {
			if got := doc.Find(id).Text(); got != want {
				t.Errorf("%s, %s is %q, want %q", when, id, got, want)
			}
		}
		if days := doc.Find("#sys-table tbody tr").Length(); days != 30 {
			t.Errorf("%s, the table has %d days", when, days)
		}
		if bars := doc.Find(".chart rect").Length(); bars != 3+7 {
			t.Errorf("%s, the chart has %d parts", when, bars)
		}
		if !strings.Contains(p, "something.new") || !strings.Contains(p, "not recognized") {
			t.Errorf("%s, the last event of an unknown type is not shown", when)
		}
	}
	check("while it runs")
	s.Stop(t)
	s = webtest.StartIn(t, dir, change)
	admin = signedInAgain(t, s)
	check("after a restart")

	clock.Advance(29 * 24 * time.Hour) // the first day is out of the chart now
	admin = signedInAgain(t, s)
	p := page()
	if got := parsed(t, p).Find("#days-adt").Text(); got != "1" || dayCells(t, p, day) != "" {
		t.Errorf("after 29 days the chart has %s admits, and of the first day %q", got, dayCells(t, p, day))
	}
	clock.Advance(24 * time.Hour)
	admin = signedInAgain(t, s)
	if got := parsed(t, page()).Find("#chart-words").Text(); got != "0 events in 30 days" {
		t.Errorf("after 30 days the chart says %q", got)
	}
}

func signedInAgain(t *testing.T, s *webtest.Server) *webtest.Browser {
	t.Helper()
	b := s.Browser()
	if resp, body := b.Form(t, "/login", map[string][]string{"email": {"admin@clinic.example"}, "password": {webtest.Password}}); resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("signing in answered %d: %s", resp.StatusCode, body)
	}
	return b
}

// TestSystemPageIsLive: the ping, what waits, and what it becomes, without a reload.
func TestSystemPageIsLive(t *testing.T) {
	o := startOutside(t)
	admin := o.SignedIn(t, "admin@clinic.example", db.Admin)
	socket := o.openSocket(t, admin, "view=system&since=0")
	hears(t, socket, "Waiting for the ping", "Everything that came in is shown", `id="lag-messages">0<`, `id="lag-files">0<`, "No link has come to its end yet")
	o.Post(t, []byte(`{"ping":"x","meta":{"messageId":"ping-1","type":"ping"}}`))
	hears(t, socket, "Metriport was heard", "Last ping", `id="today-other">1<`, `id="lag-messages">0<`)
	o.shows(t, admin, systemPage, "Last ping")

	until := make(chan struct{})
	id := o.take(t, o.event("patient.admit", "PATIENT-1", o.lead("/slow", 10*time.Minute, held(until, bundleOf(zoePatient, zoeStay))), ""))[0]
	hears(t, socket, `id="lag-files">1<`, "the first for", "Being fetched", `id="today-adt">1<`)
	close(until)
	o.ends(t, id, db.FetchStored)
	hears(t, socket, `id="lag-files">0<`, "1 of 1 reachable link were stored", "Everything that came in is shown", "1 file")
	_, page := admin.Get(t, systemPage)
	for _, secret := range []string{"secret-signature", "/slow", "Zoë", "PATIENT-1", webtest.Key} {
		if strings.Contains(page, secret) {
			t.Errorf("the page shows %s", secret)
		}
	}
}

// TestChangeOfKeysIsFollowed: which key signed the last message, and the new one turning green by itself.
func TestChangeOfKeysIsFollowed(t *testing.T) {
	clock := &webtest.Clock{}
	before := intake.Key{Value: webtest.Key, Expires: clock.Now().Add(time.Hour)}
	after := intake.Key{Value: "the new webhook key"}
	o := startOutside(t, func(c *web.Config) { c.Keys = []intake.Key{after, before} })
	admin := o.SignedIn(t, "admin@clinic.example", db.Admin)
	row := func(k intake.Key) string {
		_, page := admin.Get(t, systemPage)
		return parsed(t, page).Find("#sys-keys tr").FilterFunction(func(_ int, s *goquery.Selection) bool { return strings.Contains(s.Text(), k.ID()) }).Text()
	}
	o.Post(t, eventOf("patient.admit", 1))
	o.Settled(t)
	if old, fresh := row(before), row(after); !strings.Contains(old, "until") || !strings.Contains(old, "signed the last message") || !strings.Contains(fresh, "never") {
		t.Errorf("the keys are %q and %q", old, fresh)
	}
	socket := o.openSocket(t, admin, "view=system&since=0")
	hears(t, socket, "waiting for key "+after.ID(), "2 keys in force")
	body := eventOf("patient.admit", 1) // a repeat counts as well
	o.PostSigned(t, body, metriport.Sign(after.Value, body))
	hears(t, socket, "key "+after.ID()+" was heard", "✓")
	if old, fresh := row(before), row(after); strings.Contains(old, "signed the last") || !strings.Contains(fresh, "signed the last message") {
		t.Errorf("after the change the keys are %q and %q", old, fresh)
	}
	o.clock.Advance(2 * time.Hour)
	admin = o.signIn(t, "admin@clinic.example")
	if old := row(before); !strings.Contains(old, "ended") {
		t.Errorf("after its end the old key is %q", old)
	}
	if _, page := admin.Get(t, systemPage); strings.Contains(page, after.Value) || strings.Contains(page, webtest.Key) {
		t.Error("the page shows a key")
	}
}

// TestEventChart is drawn to scale, with nothing where nothing came.
func TestEventChart(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		most  int
		lines string // labels from below
	}{
		{0, "0 1"}, {1, "0 1"}, {4, "0 1 2 3 4"}, {5, "0 2 4 6"}, {9, "0 5 10"}, {21, "0 10 20 30"}, {999, "0 500 1,000"}, {1_000_000, "0 500,000 1,000,000"},
	} {
		days := []views.DayCount{{Day: start, Counts: map[string]int{views.GroupADT: test.most}}, {Day: start.AddDate(0, 0, 1), Counts: map[string]int{}}}
		c := views.NewEventChart(days)
		var labels []string
		for _, l := range c.Lines {
			labels = append(labels, l.Label)
		}
		if got := strings.Join(labels, " "); got != test.lines {
			t.Errorf("for %d the scale is %s, want %s", test.most, got, test.lines)
		}
		if len(c.Bars) != 2 || len(c.Bars[0].Parts) != min(test.most, 1) || len(c.Bars[1].Parts) != 0 {
			t.Errorf("for %d the bars are %+v", test.most, c.Bars)
		}
	}
	c := views.NewEventChart([]views.DayCount{{Day: start, Counts: map[string]int{views.GroupADT: 3, views.GroupLab: 1}}})
	number := func(s string) float64 { f, _ := strconv.ParseFloat(s, 64); return f }
	lower, upper := c.Bars[0].Parts[0], c.Bars[0].Parts[1]
	if r := number(lower.Height) / number(upper.Height); r < 2.95 || r > 3.05 || number(upper.Y)+number(upper.Height) != number(lower.Y) {
		t.Errorf("3 and 1 are drawn as %+v", c.Bars[0].Parts)
	}
	if want := "Sun 1 Mar: 4 events\nAdmit, transfer, discharge 3\nLaboratory 1"; c.Bars[0].Title != want {
		t.Errorf("the bar says %q", c.Bars[0].Title)
	}
	views.NewEventChart(nil)
}
