package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"carebell/db"
)

// sourcesOf reads a "Where this comes from" list: what, and from where.
func sourcesOf(t *testing.T, page, in string) map[string]string {
	t.Helper()
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	doc.Find(in + " dl div").Each(func(_ int, e *goquery.Selection) { out[e.Find("dt").Text()] = e.Find("dd").Text() })
	return out
}

// TestFactsKnowTheirSource: identity and stay say from which record, event or person each fact is; the word of the
// message sent last counts, and a correction over all of them.
func TestFactsKnowTheirSource(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "carla@clinic.example", db.Coordinator)
	at := func(back time.Duration) (string, string) {
		when := o.clock.Now().Add(-back)
		zone, _ := time.LoadLocation("America/Chicago")
		return when.UTC().Format("2006-01-02T15:04:05.000Z"), when.In(zone).Format("Mon 2 Jan, 15:04")
	}
	admitSent, admitSaid := at(72 * time.Hour)
	dischargeSent, dischargeSaid := at(48 * time.Hour)
	send := func(id, kind, sent, more, record string) {
		t.Helper()
		link := o.lead("/"+id, time.Hour, bundleOf(strings.Split(record, "\n")...))
		ids := o.take(t, fmt.Appendf(nil, `{"meta":{"messageId":%q,"when":%q,"type":%q},"payload":{"patientId":"P-1","externalId":"MRN-1","additionalIds":{"emr":["7"]},"url":%q,"admitTimestamp":"2026-01-10T08:00:00Z"%s}}`, id, sent, kind, link, more))
		o.ends(t, ids[0], db.FetchStored)
	}
	const who = `{"resource":{"resourceType":"Patient","id":"p","name":[{"given":["Zoë"],"family":"Quagmire"}],"birthDate":"1931-07-13","gender":"female"}}`
	send("d", "patient.discharge", dischargeSent, `,"dischargeTimestamp":"2026-01-12T08:00:00Z"`, `{"resource":{"resourceType":"Patient","id":"p","name":[{"given":["Zoë"],"family":"Quagmire"}]}}
{"resource":{"resourceType":"Encounter","id":"e","status":"finished","class":{"code":"IMP"},"reasonCode":[{"text":"Heart failure"}]}}`)
	send("a", "patient.admit", admitSent, "", who+"\n"+zoeStay) // comes later, and was sent before
	page := o.shows(t, b, "/patients/P-1", "Zoë Quagmire", "Birchwood General", "Heart failure")
	admit, discharge := "from the record sent with the admit notice of "+admitSaid, "from the record sent with the discharge notice of "+dischargeSaid
	check := func(in string, want map[string]string) {
		t.Helper()
		if got := sourcesOf(t, page, in); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s says %q, want %q", in, got, want)
		}
	}
	check("#sources", map[string]string{
		"Name": discharge, "Birth date, Sex": admit, "Your id": "from Metriport’s event of " + dischargeSaid, "Ids in other systems": "from Metriport’s events",
	})
	check(".stay", map[string]string{"Admitted, Discharged": "from Metriport’s events", "Facility": admit, "Class, Reason": discharge})

	if resp, body := b.Form(t, "/patients/P-1/correct", url.Values{"name": {"Zoë Quagmire-Smith"}, "birth_date": {"1931-07-13"}}); resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("correcting answered %d %s", resp.StatusCode, body)
	}
	page = o.shows(t, b, "/patients/P-1", "Quagmire-Smith")
	if got := sourcesOf(t, page, "#sources"); !strings.HasPrefix(got["Name"], "corrected by carla on ") || got["Birth date, Sex"] != admit {
		t.Errorf("after a correction: %q", got)
	}
}

// TestSourcesNameTheExchange that told of each fact, where its resource says which.
func TestSourcesNameTheExchange(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "carla@clinic.example", db.Viewer)
	sent := o.clock.Now().Add(-72 * time.Hour)
	zone, _ := time.LoadLocation("America/Chicago")
	with := func(code, resource string) string {
		return strings.Replace(resource, `{"resourceType"`, `{"extension":[{"url":"https://public.metriport.com/fhir/StructureDefinition/data-source.json","valueCoding":{"system":"s","code":"`+code+`"}}],"resourceType"`, 1)
	}
	const fill = `{"resource":{"resourceType":"MedicationDispense","id":"d","status":"completed","medicationCodeableConcept":{"text":"Furosemide 40 mg"},"whenHandedOver":"2026-11-20"}}`
	for _, m := range []struct{ id, kind, record string }{
		{"a", "patient.admit", with("BAMBOO", zoePatient) + "," + with("BAMBOO", zoeStay)},
		{"f", "patient.pharmacy", with("SURESCRIPTS", strings.ReplaceAll(zoePatient, `"birthDate":"1931-07-13"`, `"gender":"female"`)) + "," + with("SURESCRIPTS", fill)},
	} {
		link := o.lead("/"+m.id, time.Hour, bundleOf(m.record))
		ids := o.take(t, fmt.Appendf(nil, `{"meta":{"messageId":%q,"when":%q,"type":%q},"payload":{"patientId":"P-1","url":%q}}`, m.id, sent.UTC().Format("2006-01-02T15:04:05.000Z"), m.kind, link))
		o.ends(t, ids[0], db.FetchStored)
	}
	page := o.shows(t, b, "/patients/P-1", "Zoë Quagmire", "Furosemide")
	at := sent.In(zone).Format("Mon 2 Jan, 15:04")
	admit := "from the record sent with the admit notice of " + at + ", by Bamboo"
	if got := sourcesOf(t, page, "#sources"); got["Birth date"] != admit || !strings.HasSuffix(got["Name, Sex"], ", by Surescripts") {
		t.Errorf("who the patient is comes %q", got)
	}
	if got := sourcesOf(t, page, ".stay"); got["Facility, Class, Reason"] != admit {
		t.Errorf("the stay comes %q", got)
	}
	for path, want := range map[string]string{"/?exchange=BAMBOO": "Shortness of breath", "/?exchange=SURESCRIPTS": "Furosemide 40 mg"} {
		if _, page := b.Get(t, path); !strings.Contains(page, want) || strings.Count(page, `class="row is`) != 1 {
			t.Errorf("%s does not show %s alone", path, want)
		}
	}
}

// TestAMarkWithoutScriptsGoesBackToItsList, as it was filtered, and never to somewhere else.
func TestAMarkWithoutScriptsGoesBackToItsList(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "carla@clinic.example", db.Coordinator)
	o.take(t, o.event("patient.admit", "P-1", "", ""))
	row := o.numbers(t, `SELECT id FROM notification`)[0]
	mark := "/notifications/" + strconv.FormatInt(row, 10) + "/mark"
	for path, back := range map[string]string{"/": "", "/?state=all": "/?state=all", "/?kind=admit&q=P-1": "/?kind=admit&q=P-1", "/patients/P-1": "/patients/P-1"} {
		_, page := b.Get(t, path)
		doc, err := goquery.NewDocumentFromReader(strings.NewReader(page))
		if err != nil {
			t.Fatal(err)
		}
		form := doc.Find(`form[action^="` + mark + `"]`)
		got, _ := form.Find("input[name=back]").Attr("value")
		if form.Length() != 1 || got != back {
			t.Errorf("the row on %s leads back to %q", path, got)
		}
		resp, _ := b.Form(t, mark, url.Values{"state": {"seen"}, "known": {o.Known(t, row)}, "back": {got}})
		if want := strings.Replace(path, "/?", "/?", 1); resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != want {
			t.Errorf("a mark on %s leads to %d %q", path, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
	for _, elsewhere := range []string{"https://attacker.example/", "//attacker.example", `/\attacker.example`, "javascript:alert(1)", "attacker.example", "/a\r\nSet-Cookie: x=1"} {
		if resp, _ := b.Form(t, mark, url.Values{"state": {"seen"}, "known": {o.Known(t, row)}, "back": {elsewhere}}); resp.Header.Get("Location") != "/" {
			t.Errorf("a mark that comes from %q leads to %q", elsewhere, resp.Header.Get("Location"))
		}
	}
	// With scripts, the answer is the row itself, and says how new it is.
	resp, body := b.Send(t, http.MethodPost, mark, strings.NewReader(url.Values{"state": {"done"}, "known": {o.Known(t, row)}, "back": {"/?state=all"}}.Encode()),
		http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {"same-origin"}, "Hx-Request": {"true"}})
	head := o.numbers(t, `SELECT max(seq) FROM change`)[0]
	if resp.Header.Get("Carebell-Seq") != strconv.FormatInt(head, 10) || !strings.Contains(body, `value="/?state=all"`) {
		t.Errorf("the answer is as new as %q, want %d: %s", resp.Header.Get("Carebell-Seq"), head, body)
	}
}

// TestAnEmptyFeedOffersDoneOnesOnlyWhereThereAreSome.
func TestAnEmptyFeedOffersDoneOnesOnlyWhereThereAreSome(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "carla@clinic.example", db.Coordinator)
	if _, page := b.Get(t, "/"); strings.Contains(page, "Show done ones too") || !strings.Contains(page, "Nothing is open") {
		t.Error("a feed without anything offers what is done")
	}
	o.take(t, o.event("patient.admit", "P-1", "", ""))
	row := o.numbers(t, `SELECT id FROM notification`)[0]
	b.Form(t, "/notifications/"+strconv.FormatInt(row, 10)+"/mark", url.Values{"state": {"done"}, "known": {o.Known(t, row)}})
	if _, page := b.Get(t, "/"); !strings.Contains(page, "Show done ones too") {
		t.Error("a feed of done ones alone does not offer them")
	}
}

// TestALaterIdIsPushedToOpenRows: an external id that comes with a later event is on every open row of the patient.
func TestALaterIdIsPushedToOpenRows(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "carla@clinic.example", db.Coordinator)
	o.take(t, o.event("patient.admit", "P-1", "", ""))
	row := o.numbers(t, `SELECT id FROM notification`)[0]
	conn := o.openSocket(t, b, "view=feed&since=-1")
	hears(t, conn, "Metriport id P-1")
	o.take(t, []byte(`{"meta":{"messageId":"later","type":"ias.identity.verified","when":"2026-11-23T12:00:00Z"},"payload":{"patientId":"P-1","externalId":"MRN-9"}}`))
	hears(t, conn, fmt.Sprint(`id="n-`, row, `"`), "ID MRN-9")
}
