//go:build browser

package browser

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"

	"carebell/web"
	"carebell/web/metriport"
)

// recordKeeper serves the files that messages lead to.
type recordKeeper struct {
	*httptest.Server
	mu    sync.Mutex
	files map[string]string
}

func newRecordKeeper(t *testing.T) *recordKeeper {
	t.Helper()
	k := &recordKeeper{files: map[string]string{}}
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.mu.Lock()
		defer k.mu.Unlock()
		_, _ = io.WriteString(w, k.files[r.URL.Path])
	}))
	t.Cleanup(k.Close)
	return k
}

// knownPatient is a clinic that has one patient, of whom the networks know a lot.
type knownPatient struct {
	*clinic
	keeper *recordKeeper
	n      int
}

func newKnownPatient(t *testing.T) *knownPatient {
	t.Helper()
	k := newRecordKeeper(t)
	c := newClinic(t, func(cfg *web.Config) { cfg.DownloadHosts = []string{k.Listener.Addr().String()} })
	return &knownPatient{clinic: c, keeper: k}
}

// answer has a network query answered with a record.
func (p *knownPatient) answer(resources ...string) {
	p.t.Helper()
	p.n++
	path := fmt.Sprintf("/record-%d.json", p.n)
	var all strings.Builder
	all.WriteString(`{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"Patient","id":"P-1","name":[{"given":["Zoë"],"family":"Sample"}],"birthDate":"1950-02-03","gender":"female"}}`)
	for _, r := range resources {
		all.WriteString(`,{"resource":` + r + `}`)
	}
	all.WriteString(`]}`)
	p.keeper.mu.Lock()
	p.keeper.files[path] = all.String()
	p.keeper.mu.Unlock()
	body := fmt.Sprintf(`{"meta":{"messageId":"q-%d","requestId":"r-%[1]d","when":%q,"type":"network-query.hie"},"payload":{"patientId":"P-1","consolidatedDataUrl":"%s%s","source":{"type":"hie","status":"completed"}}}`,
		p.n, p.Clock.Now().UTC().Format(time.RFC3339), p.keeper.URL, path)
	if status, answer := p.Post(p.t, []byte(body)); status != http.StatusOK {
		p.t.Fatalf("answered %d %s", status, answer)
	}
}

// muchKnown is a record with something of everything, and more than is shown at first.
func muchKnown(now time.Time) []string {
	source := func(code string) string {
		return `"extension":[{"url":"https://public.metriport.com/fhir/StructureDefinition/data-source.json","valueCoding":{"code":"` + code + `"}}]`
	}
	day := func(n int) string { return now.AddDate(0, 0, -n).Format(time.DateOnly) }
	var all []string
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	for i, words := range []string{"Penicillin", "Latex", "Lisinopril", "Peanut"} {
		add(`{"resourceType":"AllergyIntolerance","criticality":%q,"code":{"text":%q},"reaction":[{"manifestation":[{"text":"Hives"},{"text":"Swelling of the lips"}],"severity":"severe"}],%s}`, []string{"high", "low"}[i%2], words, source("BAMBOO"))
	}
	for i := range 14 {
		add(`{"resourceType":"Condition","clinicalStatus":{"coding":[{"code":%q}]},"code":{"text":"Made up chronic problem of some length, number %d","coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"Z%d.9"}]},"onsetDateTime":"%s","recordedDate":"%[4]s",%s}`,
			[]string{"active", "active", "resolved"}[i%3], i, 10+i, day(100*i), source("CAREQUALITY"))
	}
	for i := range 11 {
		add(`{"resourceType":"MedicationDispense","status":"completed","medicationCodeableConcept":{"text":"MADE UP DRUG %d MG ORAL TABLET"},"quantity":{"value":60,"unit":"Tablet"},"daysSupply":{"value":30,"unit":"day"},"whenHandedOver":"%sT00:00:00.000Z","dosageInstruction":[{"text":"Take one tablet by mouth twice a day with food"}],%s}`, 5*i+5, day(i*9), source("SURESCRIPTS"))
		add(`{"resourceType":"MedicationRequest","status":"active","medicationCodeableConcept":{"text":"made up drug %d mg tablet"},"authoredOn":"%s",%s}`, 5*i+5, day(i*9+20), source("CAREQUALITY"))
	}
	for i := range 16 {
		for j := range 4 {
			add(`{"resourceType":"Observation","status":"final","category":[{"coding":[{"code":"laboratory"}]}],"code":{"text":"Made up analyte %d [Mass/volume] in Serum or Plasma","coding":[{"system":"http://loinc.org","code":"%[1]d-1"}]},"effectiveDateTime":"%sT00:00:00.000Z","valueQuantity":{"value":%d.%d,"unit":"mmol/L"},"referenceRange":[{"low":{"value":3.5},"high":{"value":5.1}}],%s}`,
				i, day(i+30*j), 3+(i+j)%3, j, source("QUEST"))
		}
	}
	for i, loinc := range []string{"85354-9", "8867-4", "9279-1", "8310-5", "59408-5", "29463-7"} {
		for j := range 3 {
			value := fmt.Sprintf(`"valueQuantity":{"value":%d,"unit":"unit"}`, 70+i+j)
			if i == 0 {
				value = fmt.Sprintf(`"component":[{"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"valueQuantity":{"value":%d,"unit":"mmHg"}},{"code":{"coding":[{"system":"http://loinc.org","code":"8462-4"}]},"valueQuantity":{"value":%d,"unit":"mmHg"}}]`, 120+j, 70+j)
			}
			add(`{"resourceType":"Observation","status":"final","category":[{"coding":[{"code":"vital-signs"}]}],"code":{"text":"Vital %d","coding":[{"system":"http://loinc.org","code":%q}]},"effectiveDateTime":"%sT10:00:00Z",%s}`, i, loinc, day(40*j), value)
		}
	}
	for i := range 9 {
		add(`{"resourceType":"Encounter","status":"finished","class":{"code":"AMB"},"period":{"start":"%sT15:00:00Z"},"reasonCode":[{"text":"Made up reason for a visit"}],"location":[{"location":{"display":"Exampleville Internal Medicine %d"}}],%s}`, day(30*i+3), i, source("COMMONWELL"))
		add(`{"resourceType":"Immunization","status":"completed","vaccineCode":{"text":"Made up vaccine %d, injectable, preservative free"},"occurrenceDateTime":"%s"}`, i%5, day(365*i+20))
		add(`{"resourceType":"Procedure","status":"completed","code":{"text":"Made up procedure %d"},"performedDateTime":"%s"}`, i%4, day(200*i))
	}
	add(`{"resourceType":"CareTeam","status":"active","participant":[{"role":[{"text":"Primary care"}],"member":{"display":"Dr. Example"}},{"role":[{"text":"Cardiology"}],"member":{"display":"Dr. Placeholder"}}]}`)
	add(`{"resourceType":"Coverage","status":"active","subscriberId":"SAMPLE-1","payor":[{"display":"Sample Health Plan"}],"type":{"text":"Medicare Advantage"}}`)
	return all
}

// stays sends some stays of the patient.
func (p *knownPatient) stays(n int) {
	p.t.Helper()
	for i := range n {
		day := p.Clock.Now().AddDate(0, 0, -30*i-5)
		for _, kind := range []metriport.Type{metriport.PatientAdmit, metriport.PatientDischarge} {
			discharge := ""
			if kind == metriport.PatientDischarge {
				discharge = fmt.Sprintf(`,"dischargeTimestamp":%q`, day.AddDate(0, 0, 2).UTC().Format(time.RFC3339))
			}
			body := fmt.Sprintf(`{"meta":{"messageId":"s-%d-%s","when":%q,"type":%[2]q},"payload":{"patientId":"P-1","admitTimestamp":%q%s}}`, i, kind, p.Clock.Now().UTC().Format(time.RFC3339), day.UTC().Format(time.RFC3339), discharge)
			if status, answer := p.Post(p.t, []byte(body)); status != http.StatusOK {
				p.t.Fatalf("answered %d %s", status, answer)
			}
		}
	}
	p.Settled(p.t)
}

const folded = `!document.querySelector("#vitals").open && document.querySelector("#problems-more").open && document.querySelector("#medications .item details").open`

func TestWhatIsFoldedStaysSoOverALiveUpdate(t *testing.T) {
	p := newKnownPatient(t)
	p.stays(2)
	p.answer(muchKnown(p.Clock.Now())...)
	b := p.ann()
	b.open("/patients/P-1")
	b.until("the summary is there", live+` && document.querySelector("#problems-more") && document.querySelector("#coverage")`)
	b.until("nothing is being read", `!document.querySelector(".reading")`)
	b.click("#vitals > summary")
	b.click("#problems-more > summary")
	b.click("#medications .item details > summary")
	b.always("the reader has folded and unfolded", folded)
	eval[bool](b, `window.sameDocument = true`)
	p.Clock.Advance(time.Minute)
	p.answer(append(muchKnown(p.Clock.Now()), `{"resourceType":"Condition","code":{"text":"Added problem"},"recordedDate":"2199-01-01"}`)...)
	b.until("the new problem is there by itself", `document.querySelector("#problems").innerText.includes("Added problem")`)
	b.until("it is marked as new", `[...document.querySelectorAll("#problems .item")].find((i) => i.innerText.includes("Added problem"))?.querySelector(".flag.news")`)
	b.always("what was folded is, and what was unfolded", folded)
	b.always("the page was not loaded again", `window.sameDocument`)
	b.click("#health-news a")
	b.until("the news are on a page of their own", `location.search === "?only=new" && `+live)
	b.always("it has the new problem alone", `document.querySelectorAll("#health-list .item").length === 1 && document.querySelector("#health-list").innerText.includes("Added problem")`)
}

func TestAKnownPatientFitsAndPrints(t *testing.T) {
	p := newKnownPatient(t)
	p.stays(3)
	p.answer(muchKnown(p.Clock.Now())...)
	b := p.ann()
	b.open("/patients/P-1")
	b.until("the summary is there", live+` && document.querySelector("#coverage") && !document.querySelector(".reading")`)
	unfold := `document.querySelectorAll("main details").forEach((d) => { d.open = true; }), true`
	eval[bool](b, unfold)
	checkFits(b, "a known patient")
	checkAccessible(b, "a known patient")
	b.window(wide)
	b.do(nextFrame)
	b.always("the summary stands beside the stays at 1440 px", `document.querySelector("#patient-health").getBoundingClientRect().left > document.querySelector("#patient-stays").getBoundingClientRect().right - 1`)
	b.always("the bar of anchors is not needed", `!document.querySelector(".anchors").checkVisibility()`)
	b.window(narrow)
	b.do(nextFrame)
	b.always("it stands below them at 390 px", `document.querySelector("#patient-health").getBoundingClientRect().top >= document.querySelector("#patient-stays").getBoundingClientRect().bottom - 1`)
	b.click(`.anchors a[href="#problems"]`)
	b.until("an anchor leads there", `Math.abs(document.querySelector("#problems").getBoundingClientRect().top) < 80`)

	b.open("/patients/P-1") // as it is before anybody unfolds
	b.until("the page is there", live)
	b.window(wide)
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{})
	pdf := call(b, page.PrintToPDF, page.PrintToPDFParams{})
	if pages := len(regexp.MustCompile(`/Type\s*/Page[^s]`).FindAll(pdf.Data, -1)); pages != 2 {
		t.Errorf("it prints on %d pages, want 2", pages)
	}
	for _, path := range []string{"/patients/P-1/health/results", "/patients/P-1/health/problems?part=past"} {
		b.open(path)
		b.until("the list is there", live+` && document.querySelector("#health-list .item")`)
		checkFits(b, path)
		checkAccessible(b, path)
	}
	b.click(`.crumbs a[href="/patients/P-1"]`)
	b.until("the patient is there", live)
	b.click("#results .way")
	b.until("the history of a test is there", live+` && document.querySelectorAll("#health-list .item").length === 4`)
	checkFits(b, "the history of a test")
	checkAccessible(b, "the history of a test")
}
