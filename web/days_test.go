package web_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"carebell/db"
	"carebell/web"
	"carebell/web/care"
	"carebell/web/webtest"
)

// mayDay is a morning in Chicago, in the year of the days below.
var mayDay = time.Date(2026, 5, 1, 15, 0, 0, 0, time.UTC)

// startIn starts a practice in a time zone, on May Day.
func startIn(t *testing.T, zone string) *outside {
	t.Helper()
	in, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	o := startOutside(t, func(c *web.Config) { c.Zone = in })
	o.clock.Advance(mayDay.Sub(o.clock.Now()))
	return o
}

// exported reads a list as a file: its lines by the names of their columns.
func exported(t *testing.T, b *webtest.Browser, path string) (lines []map[string]string) {
	t.Helper()
	resp, body := b.Get(t, path)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", path, resp.Status)
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(body, "\ufeff"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		line := map[string]string{}
		for i, name := range rows[0] {
			name, _, _ = strings.Cut(name, " (A")
			name, _, _ = strings.Cut(name, " (P")
			line[name] = row[i]
		}
		lines = append(lines, line)
	}
	return lines
}

// record saves what the record of a message says, as the reader makes it.
func (o *outside) record(t *testing.T, messageID string, f care.Facts) {
	t.Helper()
	raw, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range o.numbers(t, `SELECT id FROM notification WHERE message_id = ?`, messageID) {
		if err := o.DB.Write(t.Context(), func(tx *db.Tx) error {
			if err := tx.SaveRecordTime(t.Context(), id, f); err != nil {
				return err
			}
			return tx.SaveNotificationFacts(t.Context(), db.NotificationFacts{ID: id, Facts: raw, Exchange: f.Exchange()})
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// timeline reads a patient's page: a line a row with what the row shows as its time, under the headings of days.
func timeline(t *testing.T, page string) (out []string) {
	t.Helper()
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	day, last := "", ""
	doc.Find("#timeline > li").Each(func(_ int, li *goquery.Selection) {
		if li.HasClass("day") {
			day = li.AttrOr("data-day", "")
			return
		}
		if !li.HasClass("row") {
			return
		}
		if got := li.AttrOr("data-day", ""); got != day {
			t.Errorf("a row of %s stands under %s", got, day)
		}
		at := li.AttrOr("data-at", "")
		if last != "" && (len(at) > len(last) || len(at) == len(last) && at > last) {
			t.Errorf("%s stands below %s", at, last)
		}
		last = at
		out = append(out, day+" "+strings.TrimSpace(li.Find(".kind").Text())+" "+strings.TrimSpace(li.Find(".when time").Text()))
	})
	return out
}

// TestAFillDayIsTheSameDayInEveryZone: in the row, under its heading in the timeline, and in an export. A discharge at midnight
// UTC is an instant, and is moved to the zone.
func TestAFillDayIsTheSameDayInEveryZone(t *testing.T) {
	for zone, want := range map[string]struct{ discharged, offset, heading string }{
		"Pacific/Honolulu": {"2026-04-20 14:00:00", "Mon 20 Apr, 14:00", "2026-04-20"},
		"America/Chicago":  {"2026-04-20 19:00:00", "Mon 20 Apr, 19:00", "2026-04-20"},
		"Pacific/Guam":     {"2026-04-21 10:00:00", "Tue 21 Apr, 10:00", "2026-04-21"},
	} {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			o := startIn(t, zone)
			b := o.SignedIn(t, "nurse@clinic.example", db.Viewer)
			event := func(id, kind, more string) {
				o.take(t, fmt.Appendf(nil, `{"meta":{"messageId":%q,"when":"2026-05-01T14:59:00.000Z","type":%q},"payload":{"patientId":"P-1"%s}}`, id, kind, more))
			}
			event("fill", "patient.pharmacy", `,"medicationDispensedDate":"2026-04-21T00:00:00.000Z"`)
			event("result", "patient.laboratory", `,"specimenCollectedDate":"20260421"`)
			event("leaving", "patient.discharge", `,"dischargeTimestamp":"2026-04-21T00:00:00.000Z"`)
			event("recorded", "patient.pharmacy", ``)
			o.record(t, "recorded", care.Facts{Read: true, Fills: []care.Fill{{Drug: "Furosemide 40 mg", Filled: "2026-04-21", DaysSupply: "30"}}})

			_, feed := b.Get(t, "/")
			doc, err := goquery.NewDocumentFromReader(strings.NewReader(feed))
			if err != nil {
				t.Fatal(err)
			}
			days := 0
			doc.Find("#feed .when time").Each(func(_ int, e *goquery.Selection) {
				if e.AttrOr("datetime", "") == "2026-04-21" {
					days++
					if e.Text() != "Tue 21 Apr" || e.AttrOr("title", "") != "Tue 21 Apr 2026" || e.AttrOr("data-ago", "-") != "-" {
						t.Errorf("the day is shown as %s (%s)", e.Text(), e.AttrOr("title", ""))
					}
				}
			})
			if days != 3 {
				t.Errorf("%d rows of the feed show the day, want 3", days)
			}
			if !strings.Contains(feed, "30 days, runs out 21 May (computed)") {
				t.Error("the feed does not say until when the fill lasts")
			}

			_, page := b.Get(t, "/patients/P-1")
			got := timeline(t, page)
			slices.Sort(got)
			wantRows := []string{"2026-04-21 Lab Tue 21 Apr", "2026-04-21 Pharmacy Tue 21 Apr", "2026-04-21 Pharmacy Tue 21 Apr", want.heading + " Discharge " + want.offset}
			slices.Sort(wantRows)
			if !slices.Equal(got, wantRows) {
				t.Errorf("the timeline is\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(wantRows, "\n\t"))
			}
			for _, line := range exported(t, b, "/?state=all&format=csv") {
				happened := "2026-04-21"
				if line["Kind"] == "discharge" {
					happened = want.discharged
				}
				if line["Happened"] != happened {
					t.Errorf("the export says that the %s happened %s, want %s", line["Kind"], line["Happened"], happened)
				}
			}
			// The list of patients says when something last happened: here it is the notice without a time, until it has one.
			if line := exported(t, b, "/patients?format=csv")[0]; line["Last event"] == "" {
				t.Errorf("the patient's last event is %q", line["Last event"])
			}
			o.take(t, []byte(`{"meta":{"messageId":"other","when":"2026-05-01T14:59:00.000Z","type":"patient.pharmacy"},"payload":{"patientId":"P-2","medicationDispensedDate":"2026-04-21"}}`))
			if _, page := b.Get(t, "/patients?q=P-2"); !strings.Contains(page, `datetime="2026-04-21"`) || strings.Contains(page, " ago</time>") {
				t.Error("the list of patients shows a clock for a day")
			}
			if line := exported(t, b, "/patients?q=P-2&format=csv")[0]; line["Last event"] != "2026-04-21" {
				t.Errorf("the export of patients says %q", line["Last event"])
			}
		})
	}
}

// TestATimelineOfDaysIsPagedInOrder: pages follow one another without a gap where days and instants alternate, in zones on
// both sides of the date line.
func TestATimelineOfDaysIsPagedInOrder(t *testing.T) {
	for _, zone := range []string{"Pacific/Honolulu", "Pacific/Guam"} {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			o := startIn(t, zone)
			b := o.SignedIn(t, "nurse@clinic.example", db.Viewer)
			const events = 130
			for i := range events {
				at := mayDay.Add(-time.Duration(i) * 5 * time.Hour)
				text := at.Format("2006-01-02T15:04:05.000Z")
				if i%3 == 0 {
					text = at.Format(time.DateOnly)
				}
				o.Post(t, fmt.Appendf(nil, `{"meta":{"messageId":"m-%d","type":"patient.pharmacy"},"payload":{"patientId":"P-1","medicationDispensedDate":%q}}`, (i*37)%events, text))
			}
			o.Settled(t)
			total, path, lastDay := 0, "/patients/P-1", "9999"
			for path != "" {
				_, page := b.Get(t, path)
				for _, row := range timeline(t, page) {
					total++
					if day, _, _ := strings.Cut(row, " "); day > lastDay {
						t.Errorf("%s stands below %s", day, lastDay)
					} else {
						lastDay = day
					}
				}
				doc, err := goquery.NewDocumentFromReader(strings.NewReader(page))
				if err != nil {
					t.Fatal(err)
				}
				path = doc.Find("#timeline #older a").AttrOr("href", "")
			}
			if total != events {
				t.Errorf("the pages hold %d rows, want %d", total, events)
			}
		})
	}
}

// TestARecordsDayMovesItsRowInTheTimeline: on an open page the row is pushed with the place that it has on a fresh one.
func TestARecordsDayMovesItsRowInTheTimeline(t *testing.T) {
	o := startIn(t, "America/Chicago")
	b := o.SignedIn(t, "nurse@clinic.example", db.Viewer)
	o.take(t, []byte(`{"meta":{"messageId":"m","when":"2026-05-01T14:59:00.000Z","type":"patient.pharmacy"},"payload":{"patientId":"P-1"}}`))
	_, page := b.Get(t, "/patients/P-1")
	if got := timeline(t, page); !slices.Equal(got, []string{"2026-05-01 Pharmacy 10:00"}) {
		t.Errorf("before its record the row stands at %v", got)
	}
	conn := o.openSocket(t, b, "view=patient&id=P-1&since=-1")
	o.record(t, "m", care.Facts{Read: true, Fills: []care.Fill{{Drug: "Furosemide 40 mg", Filled: "2026-04-21"}}})
	at := fmt.Sprintf(`data-at="%d" data-day="2026-04-21"`, care.Noon(time.Date(2026, 4, 21, 0, 0, 0, 0, time.UTC)).UnixMilli())
	hears(t, conn, at, `id="day-2026-04-21"`, "Tue 21 Apr")
	if _, page := b.Get(t, "/patients/P-1"); !strings.Contains(page, at) {
		t.Error("a fresh page has the row elsewhere")
	}
}

// TestTheFeedByExchange: page, socket and export are narrowed alike, to what really came; a code that nothing came from gets a
// clear answer.
func TestTheFeedByExchange(t *testing.T) {
	o := startIn(t, "America/Chicago")
	b := o.SignedIn(t, "nurse@clinic.example", db.Coordinator)
	if _, page := b.Get(t, "/"); strings.Contains(page, `aria-label="Exchange"`) {
		t.Error("an empty feed can be narrowed to exchanges")
	}
	event := func(id string) {
		o.take(t, fmt.Appendf(nil, `{"meta":{"messageId":%q,"when":"2026-05-01T14:59:00.000Z","type":"patient.admit"},"payload":{"patientId":"P-%[1]s","admitTimestamp":"2026-05-01T14:00:00.000Z"}}`, id))
	}
	told := func(id, code string) {
		o.record(t, id, care.Facts{Read: true, Encounter: &care.Encounter{Facility: "Larkspur", Exchange: code}})
	}
	for id, code := range map[string]string{"a": "BAMBOO", "b": "HIXNY & co", "c": "BAMBOO", "d": ""} {
		event(id)
		told(id, code)
	}
	event("unread")
	choices := func(path string) (out []string) {
		t.Helper()
		_, page := b.Get(t, path)
		doc, err := goquery.NewDocumentFromReader(strings.NewReader(page))
		if err != nil {
			t.Fatal(err)
		}
		doc.Find(`[aria-label="Exchange"] a`).Each(func(_ int, a *goquery.Selection) {
			text := a.Text()
			if a.AttrOr("aria-current", "") != "" {
				text = "*" + text
			}
			out = append(out, text+" "+a.AttrOr("href", ""))
		})
		return out
	}
	if got, want := choices("/?kind=admit"), []string{"*All exchanges /?kind=admit", "Bamboo /?exchange=BAMBOO&kind=admit", "HIXNY & co /?exchange=HIXNY+%26+co&kind=admit", "Not sent /?exchange=not-sent&kind=admit"}; !slices.Equal(got, want) {
		t.Errorf("the choices are %q, want %q", got, want)
	}
	for query, want := range map[string][]string{"BAMBOO": {"P-a", "P-c"}, "HIXNY & co": {"P-b"}, "not-sent": {"P-d"}, "": {"P-a", "P-b", "P-c", "P-d", "P-unread"}, "SURESCRIPTS": nil} {
		q := url.Values{"exchange": {query}}.Encode()
		_, page := b.Get(t, "/?"+q)
		var lines []string
		for _, line := range exported(t, b, "/?format=csv&"+q) {
			lines = append(lines, line["Metriport id"])
			if name := care.ExchangeName(query); query != "" && query != "not-sent" && (line["Exchange"] != name || !strings.HasSuffix(line["More"], "· "+name)) {
				t.Errorf("the export says that %s comes from %q: %q", line["Metriport id"], line["Exchange"], line["More"])
			}
		}
		slices.Sort(lines)
		if !slices.Equal(lines, want) {
			t.Errorf("the export of %q has %v, want %v", query, lines, want)
		}
		for _, id := range []string{"P-a", "P-b", "P-c", "P-d", "P-unread"} {
			if got := strings.Contains(page, "/patients/"+id+`"`); got != slices.Contains(want, id) {
				t.Errorf("the feed of %q shows %s: %v", query, id, got)
			}
		}
	}
	if got := choices("/?exchange=SURESCRIPTS"); !slices.Contains(got, "*Surescripts /?exchange=SURESCRIPTS") {
		t.Errorf("the choice that is made is not among %q", got)
	}
	for _, path := range []string{"/?exchange=nobody", "/?exchange=nobody&format=csv", "/?exchange=HIXNY"} {
		if resp, body := b.Get(t, path); resp.StatusCode != http.StatusNotFound || !strings.Contains(body, "Nothing has come from an exchange of that name") {
			t.Errorf("%s is answered %s", path, resp.Status)
		}
	}
	if resp, _ := b.Send(t, http.MethodGet, "/live?view=feed&exchange=nobody&since=0", nil, http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Origin": {o.URL},
	}); resp.StatusCode != http.StatusNotFound {
		t.Errorf("a socket of an exchange that nothing came from is answered %s", resp.Status)
	}

	// A row comes to an open page when its record says that it belongs there, and one of another exchange does not.
	conn := o.openSocket(t, b, "view=feed&exchange=BAMBOO&since=-1")
	hears(t, conn, "P-a")
	event("e")
	hears(t, conn, "P-e", "data-fits-not")
	told("e", "HIXNY & co")
	hears(t, conn, "HIXNY &amp; co", "data-fits-not")
	told("e", "BAMBOO")
	fits := func(message string) bool {
		return strings.Contains(message, "P-e") && strings.Contains(message, "Bamboo") && !strings.Contains(message, "data-fits-not")
	}
	for message := next(t, conn); !fits(message); message = next(t, conn) {
		if strings.Contains(message, "P-e") {
			t.Logf("passed over: %s", message)
		}
	}
}

// TestWhoHadANoticeHowLong is in the row, for whoever looks, points or listens, and in the export.
func TestWhoHadANoticeHowLong(t *testing.T) {
	o := startIn(t, "America/Chicago")
	b := o.SignedIn(t, "nurse@clinic.example", db.Viewer)
	now := o.clock.Now().UTC()
	ago := func(d time.Duration) string { return now.Add(-d).Format("2006-01-02T15:04:05.000Z") }
	o.take(t, fmt.Appendf(nil, `{"meta":{"messageId":"m","when":%q,"type":"patient.admit"},"payload":{"patientId":"P-1","admitTimestamp":%q,"whenSourceSent":%q}}`, ago(time.Hour), ago(3*time.Hour), ago(time.Hour+6*time.Second)))
	for _, path := range []string{"/", "/patients/P-1"} {
		_, page := b.Get(t, path)
		doc, err := goquery.NewDocumentFromReader(strings.NewReader(page))
		if err != nil {
			t.Fatal(err)
		}
		const want = "hospital 1 h, network 6 s, here 1 h"
		row := doc.Find("#feed .row .when, #timeline .row .when")
		notice := doc.Find("#feed .row .late, #timeline .row .late")
		if got := strings.TrimSpace(row.Find(".tip").Text()); got != want || notice.AttrOr("title", "") != got || notice.Text() != "notice late by 3 h" {
			t.Errorf("%s says %q, and %q in the title of %q", path, got, notice.AttrOr("title", ""), notice.Text())
		}
	}
	line := exported(t, b, "/?format=csv")[0]
	if line["Hospital delay (s)"] != "7194" || line["Network delay (s)"] != "6" || !strings.HasPrefix(line["Here (s)"], "360") {
		t.Errorf("the export says %v", line)
	}
}
