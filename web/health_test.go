package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"carebell/db"
	"carebell/web/webtest"
)

// health is a bundle of a patient's record.
func health(resources ...string) string {
	return `{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"Patient","id":"P-1","name":[{"text":"Zoë Sample"}]}}` +
		func() (all string) {
			for _, r := range resources {
				all += `,{"resource":` + r + `}`
			}
			return all
		}() + `]}`
}

// saidBy is the extension that says which exchange a resource comes from.
func saidBy(code string) string {
	return `"extension":[{"url":"https://public.metriport.com/fhir/StructureDefinition/data-source.json","valueCoding":{"code":"` + code + `"}}]`
}

// answer has a network query for P-1 answered with a record, and waits until it is in the summary. at is when it was sent.
func (o *outside) answer(t *testing.T, record string) {
	t.Helper()
	o.posts++
	n := o.posts
	link := o.lead(fmt.Sprintf("/record-%d.json", n), time.Hour, says(record))
	o.take(t, fmt.Appendf(nil, `{"meta":{"messageId":"q-%d","requestId":"r-%[1]d","when":%q,"type":"network-query.hie"},"payload":{"patientId":"P-1","consolidatedDataUrl":%q,"source":{"type":"hie","status":"completed"}}}`,
		n, o.clock.Now().UTC().Format(time.RFC3339), link))
	o.summed(t)
}

// summed waits until all that is stored is in the summaries.
func (o *outside) summed(t *testing.T) {
	t.Helper()
	pollUntil(t, "the summaries", func() (string, bool) {
		waiting := o.numbers(t, `SELECT count(*) FROM download WHERE state IN ('queued', 'fetching') UNION ALL SELECT count(*) FROM health_file WHERE state NOT IN ('read', 'failed') UNION ALL SELECT count(*) FROM health_stale`)
		return fmt.Sprint("waiting are ", waiting), waiting[0]+waiting[1]+waiting[2] == 0
	})
}

// text is what a person reads in a part of a page, in one line.
func text(t *testing.T, page, css string) string {
	t.Helper()
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	var walk func(s *goquery.Selection)
	walk = func(s *goquery.Selection) {
		s.Contents().Each(func(_ int, n *goquery.Selection) {
			if goquery.NodeName(n) == "#text" {
				words = append(words, strings.Fields(n.Text())...)
			} else {
				walk(n)
			}
		})
	}
	walk(doc.Find(css))
	return strings.Join(words, " ")
}

func TestThePatientBeforeTheCall(t *testing.T) {
	o := startIn(t, "America/Chicago")
	o.answer(t, health(
		`{"resourceType":"Condition","clinicalStatus":{"coding":[{"code":"active"}]},"code":{"text":"Heart failure","coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"I50.9"}]},"onsetDateTime":"2019-03",`+saidBy("HIXNY")+`}`,
		`{"resourceType":"Condition","clinicalStatus":{"coding":[{"code":"resolved"}]},"code":{"text":"Pneumonia"},"abatementDateTime":"2024-02-03"}`,
		`{"resourceType":"AllergyIntolerance","criticality":"high","code":{"text":"Penicillin"},"reaction":[{"manifestation":[{"text":"Hives"}],"severity":"severe"}],`+saidBy("BAMBOO")+`}`,
	))
	o.clock.Advance(24 * time.Hour)
	o.answer(t, health(
		`{"resourceType":"Condition","clinicalStatus":{"coding":[{"code":"active"}]},"code":{"text":"HEART FAILURE, UNSPECIFIED","coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"I50.9"}]},`+saidBy("QUEST")+`}`,
		`{"resourceType":"Condition","clinicalStatus":{"coding":[{"code":"active"}]},"code":{"text":"CKD stage 3"},`+saidBy("HIXNY")+`}`,
		`{"resourceType":"AllergyIntolerance","criticality":"high","code":{"text":"Penicillin"},"reaction":[{"manifestation":[{"text":"Hives"}],"severity":"severe"}],`+saidBy("BAMBOO")+`}`,
		`{"resourceType":"MedicationRequest","status":"active","medicationCodeableConcept":{"text":"furosemide 40 MG Oral Tablet"},"authoredOn":"2026-04-01T15:00:00Z","dosageInstruction":[{"text":"twice a day"}],`+saidBy("HIXNY")+`}`,
		`{"resourceType":"MedicationDispense","id":"d","status":"completed","medicationReference":{"reference":"Medication/m"},"authorizingPrescription":[{"reference":"MedicationRequest/r"}],"quantity":{"value":60,"unit":"Tablet"},"daysSupply":{"value":30,"unit":"day"},"whenHandedOver":"2026-04-21T00:00:00.000Z","performer":[{"actor":{"reference":"Organization/o"}}],`+saidBy("SURESCRIPTS")+`}`,
		`{"resourceType":"Medication","id":"m","code":{"text":"FUROSEMIDE 40MG TAB","coding":[{"system":"http://hl7.org/fhir/sid/ndc","code":"00054429725"}]}}`,
		`{"resourceType":"MedicationRequest","id":"r","status":"completed","intent":"order","medicationReference":{"reference":"Medication/m"},"requester":{"reference":"Practitioner/x"},`+saidBy("SURESCRIPTS")+`}`,
		`{"resourceType":"Practitioner","id":"x","name":[{"text":"Dr. Sample"}],"telecom":[{"system":"phone","value":"555-0100"}]}`,
		`{"resourceType":"Organization","id":"o","name":"Sample Pharmacy","telecom":[{"system":"phone","value":"555-0101"}]}`,
		`{"resourceType":"MedicationDispense","status":"completed","medicationCodeableConcept":{"text":"Apixaban 5 mg"},"daysSupply":{"value":30,"unit":"day"},"whenHandedOver":"2026-02-01T00:00:00.000Z",`+saidBy("SURESCRIPTS")+`}`,
		`{"resourceType":"Observation","status":"final","category":[{"coding":[{"code":"laboratory"}]}],"code":{"text":"Sodium","coding":[{"system":"http://loinc.org","code":"2951-2"}]},"effectiveDateTime":"2026-04-29T00:00:00.000Z","valueQuantity":{"value":140,"unit":"mmol/L"},"referenceRange":[{"low":{"value":135},"high":{"value":145}}],`+saidBy("QUEST")+`}`,
		`{"resourceType":"Observation","status":"final","category":[{"coding":[{"code":"laboratory"}]}],"code":{"text":"Potassium","coding":[{"system":"http://loinc.org","code":"2823-3"}]},"effectiveDateTime":"2026-04-20T00:00:00.000Z","valueQuantity":{"value":4.4,"unit":"mmol/L"},`+saidBy("QUEST")+`}`,
		`{"resourceType":"Observation","id":"k","status":"final","category":[{"coding":[{"code":"laboratory"}]}],"code":{"text":"Potassium","coding":[{"system":"http://loinc.org","code":"2823-3"}]},"valueQuantity":{"value":6.1,"unit":"mmol/L"},"interpretation":[{"coding":[{"code":"HH"}]}],"referenceRange":[{"low":{"value":3.5},"high":{"value":5.1}}],"note":[{"text":"CALLED TO DR SAMPLE 09:10"}],`+saidBy("QUEST")+`}`,
		`{"resourceType":"DiagnosticReport","status":"final","effectiveDateTime":"2026-04-28T00:00:00.000Z","result":[{"reference":"Observation/k"}],"basedOn":[{"reference":"ServiceRequest/s"}],`+saidBy("QUEST")+`}`,
		`{"resourceType":"ServiceRequest","id":"s","code":{"text":"BASIC METABOLIC PANEL"},"requester":{"reference":"Practitioner/y"}}`,
		`{"resourceType":"Practitioner","id":"y","name":[{"text":"Dr. Placeholder"}],"identifier":[{"system":"http://hl7.org/fhir/sid/us-npi","value":"1999999999"}],"telecom":[{"system":"phone","value":"555-0133"}]}`,
		`{"resourceType":"Observation","status":"final","category":[{"coding":[{"code":"laboratory"}]}],"code":{"text":"Urine culture"},"effectiveDateTime":"2026-04-28","valueString":"SEE NOTE:","note":[{"text":"Escherichia coli, more than 100,000 CFU/mL"}],`+saidBy("QUEST")+`}`,
		`{"resourceType":"DiagnosticReport","status":"final","category":[{"coding":[{"code":"LAB"}]}],"effectiveDateTime":"2026-04-28","code":{"text":"Lipid panel"},"presentedForm":[{"contentType":"text/plain","data":"VEVTVCBOT1QgUEVSRk9STUVEOiBIRU1PTFlaRUQ="}],`+saidBy("QUEST")+`}`,
		`{"resourceType":"CareTeam","status":"active","participant":[{"role":[{"text":"Cardiology"}],"member":{"reference":"Practitioner/y"}}]}`,
		`{"resourceType":"Immunization","status":"completed","vaccineCode":{"text":"Influenza"},"occurrenceDateTime":"2025-10-07"}`,
		`{"resourceType":"Coverage","status":"active","subscriberId":"M-1","payor":[{"display":"Sample Health Plan"}]}`,
		`{"resourceType":"Observation","status":"final","category":[{"coding":[{"code":"vital-signs"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"effectiveDateTime":"2026-04-21T10:00:00Z","valueQuantity":{"value":128,"unit":"mmHg"}}`,
		`{"resourceType":"Observation","status":"final","category":[{"coding":[{"code":"vital-signs"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"8462-4"}]},"effectiveDateTime":"2026-04-21T10:00:00Z","valueQuantity":{"value":76,"unit":"mmHg"}}`,
		`{"resourceType":"Encounter","status":"finished","class":{"code":"EMER"},"period":{"start":"2026-04-21T10:00:00Z"},"reasonCode":[{"text":"Leg swelling"}],"location":[{"location":{"display":"Kestrel Valley"}}]}`,
	))
	b := o.SignedIn(t, "ann@clinic.example", db.Coordinator)
	_, page := b.Get(t, "/patients/P-1")
	for _, test := range []struct {
		css  string
		want []string
		not  []string
	}{
		{".strip", []string{"Penicillin: Hives"}, []string{"No allergies"}},
		{"#allergies", []string{"Penicillin", "high criticality", "Hives · severe", "Bamboo"}, nil},
		{"#problems > ul", []string{"Heart failure", "HEART FAILURE, UNSPECIFIED", "2 sources", "ICD-10 I50.9", "CKD stage 3 new"}, []string{"Pneumonia", "Heart failure new"}},
		{"#problems-past", []string{"1 resolved or inactive", "Pneumonia", "until 3 Feb 2024", "not in the last file"}, nil},
		{"#medications", []string{"FUROSEMIDE 40MG TAB", "twice a day", "filled 21 Apr · 60 Tablet · 30 days, runs out 21 May (computed)", "ordered 1 Apr", "prescribed by Dr. Sample 555-0100", "at Sample Pharmacy 555-0101", "2 sources",
			"Apixaban 5 mg", "ran out 3 Mar", "Surescripts"}, []string{"picked up", "ran out 21 May", "refill"}},
		{"#results > ul", []string{"Potassium 6.1 mmol/L critical high", "range 3.5–5.1 · was 4.4 on 20 Apr", "BASIC METABOLIC PANEL · ordered by Dr. Placeholder 555-0133 NPI 1999999999", "CALLED TO DR SAMPLE 09:10", "28 Apr", "2 values",
			"Urine culture new Escherichia coli, more than 100,000 CFU/mL", "Lipid panel not performed new TEST NOT PERFORMED: HEMOLYZED"}, []string{"SEE NOTE"}},
		{"#vitals", []string{"Blood pressure 128/76 mmHg"}, nil},
		{"#encounters", []string{"Kestrel Valley", "Leg swelling", "emergency", "21 Apr"}, nil},
		{"#care-team", []string{"Dr. Placeholder", "Cardiology · 555-0133", "NPI 1999999999"}, nil},
		{"#coverage", []string{"Sample Health Plan", "member M-1"}, nil},
		{"#health-news", []string{"New since the file of 1 May:", "1 new problem", "1 problem no longer in it", "2 new medications"}, nil},
		{"#health-missing", []string{"Nothing recorded of procedures."}, nil},
	} {
		got := text(t, page, test.css)
		for _, want := range test.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s does not say %q:\n%s", test.css, want, got)
			}
		}
		for _, not := range test.not {
			if strings.Contains(got, not) {
				t.Errorf("%s says %q:\n%s", test.css, not, got)
			}
		}
	}
	if results := text(t, page, "#results"); strings.Index(results, "Potassium") > strings.Index(results, "Sodium") {
		t.Errorf("what is outside its range is not first: %s", results)
	}
	// Each entry leads to its stored file, the news and the histories to pages of their own.
	for _, link := range regexp.MustCompile(`href="(/(?:files/\d+/preview|patients/P-1/health/[^"]*))"`).FindAllStringSubmatch(page, -1) {
		path := strings.ReplaceAll(link[1], "&amp;", "&")
		if resp, body := b.Get(t, path); resp.StatusCode != http.StatusOK || strings.HasPrefix(path, "/patients") && !strings.Contains(body, "Zoë Sample") {
			t.Errorf("%s answers %s", path, resp.Status)
		}
	}
	if _, list := b.Get(t, "/patients/P-1/health/problems?only=new"); !strings.Contains(list, "CKD stage 3") || strings.Contains(list, "HEART FAILURE") {
		t.Errorf("the new problems are %s", text(t, list, "#health-list"))
	}
	if _, list := b.Get(t, "/patients/P-1/health/problems?part=past"); !strings.Contains(list, "Pneumonia") {
		t.Errorf("the past problems are %s", text(t, list, "#health-list"))
	}
	history := regexp.MustCompile(`/patients/P-1/health/results/[0-9a-f]+`).FindString(page)
	if _, list := b.Get(t, history); !strings.Contains(text(t, list, "#health-list"), "28 Apr 6.1 mmol/L critical high") || !strings.Contains(text(t, list, "#health-list"), "20 Apr 4.4 mmol/L") {
		t.Errorf("the history is %s", text(t, list, "#health-list"))
	}
	for _, path := range []string{"/patients/P-1/health/nothing", "/patients/P-1/health/problems?only=odd", "/patients/P-1/health/problems?part=odd", "/patients/P-1/health/problems/0123", "/patients/nobody/health/problems",
		"/patients/P-1/health/results?skip=-1", "/patients/P-1/health/results/x?skip=99999999999999999999"} {
		if resp, _ := b.Get(t, path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s answers %s", path, resp.Status)
		}
	}
}

// TestNothingRecordedIsNotNoKnownAllergies: three patients of whom nothing, a denial and both are said.
func TestNothingRecordedIsNotNoKnownAllergies(t *testing.T) {
	denied := `{"resourceType":"AllergyIntolerance","code":{"coding":[{"system":"http://snomed.info/sct","code":"716186003"}]},"recordedDate":"2025-11-03",` + saidBy("BAMBOO") + `}`
	for name, test := range map[string]struct {
		records   []string
		want, not []string
	}{
		"nothing": {[]string{health()}, []string{"No allergies recorded", "not the same as no known allergies"}, []string{"said by"}},
		"denied":  {[]string{health(denied)}, []string{"No known allergies, said by Bamboo on 3 Nov 2025"}, []string{"No allergies recorded", "does not fit"}},
		"both":    {[]string{health(denied, `{"resourceType":"AllergyIntolerance","code":{"text":"Latex"}}`)}, []string{"Latex", "No known allergies, said by Bamboo on 3 Nov 2025. It does not fit what is listed here."}, []string{"No allergies recorded"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := startIn(t, "America/Chicago")
			b := o.SignedIn(t, "ann@clinic.example", db.Coordinator)
			for _, r := range test.records {
				o.answer(t, r)
			}
			_, page := b.Get(t, "/patients/P-1")
			got := text(t, page, ".strip, #allergies")
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("it does not say %q: %s", want, got)
				}
			}
			for _, not := range test.not {
				if strings.Contains(got, not) {
					t.Errorf("it says %q: %s", not, got)
				}
			}
		})
	}
}

// TestAFillIsOfTheSameDayInEveryZone, in the summary and in the history of the drug.
func TestAFillIsOfTheSameDayInEveryZone(t *testing.T) {
	for _, zone := range []string{"Pacific/Honolulu", "America/Chicago", "Pacific/Guam"} {
		o := startIn(t, zone)
		b := o.SignedIn(t, "ann@clinic.example", db.Coordinator)
		o.answer(t, health(
			`{"resourceType":"MedicationDispense","status":"completed","medicationCodeableConcept":{"text":"Sample drug 5 mg"},"daysSupply":{"value":30,"unit":"day"},"whenHandedOver":"2026-04-21T00:00:00.000Z",`+saidBy("SURESCRIPTS")+`}`,
			`{"resourceType":"Observation","status":"final","code":{"text":"Sodium"},"effectiveDateTime":"2026-04-21T00:00:00.000Z","valueQuantity":{"value":140},`+saidBy("QUEST")+`}`))
		_, page := b.Get(t, "/patients/P-1")
		if got := text(t, page, "#medications"); !strings.Contains(got, "filled 21 Apr · 30 days, runs out 21 May (computed)") || strings.Contains(got, "20 Apr") || strings.Contains(got, "22 Apr") {
			t.Errorf("%s: %s", zone, got)
		}
		if got := text(t, page, "#results"); !strings.Contains(got, "21 Apr") || strings.Contains(got, "20 Apr") {
			t.Errorf("%s: %s", zone, got)
		}
	}
}

// TestAFileThatIsReadLateUpdatesOpenPages: the page of a patient, and a section of their summary.
func TestAFileThatIsReadLateUpdatesOpenPages(t *testing.T) {
	o := startIn(t, "America/Chicago")
	b := o.SignedIn(t, "ann@clinic.example", db.Coordinator)
	o.answer(t, health(`{"resourceType":"Condition","code":{"text":"Heart failure"}}`))
	patient, section := o.openSocket(t, b, "view=patient&since=0&id=P-1"), o.openSocket(t, b, "view=health&since=0&id=P-1&section=problems")
	hears(t, patient, "#patient-health", "Heart failure")
	hears(t, section, "#health-list", "Heart failure")
	o.answer(t, health(`{"resourceType":"Condition","code":{"text":"Heart failure"}}`, `{"resourceType":"Condition","code":{"text":"Atrial fibrillation"}}`))
	hears(t, patient, "#patient-health", "Atrial fibrillation")
	hears(t, section, "#health-list", "Atrial fibrillation")
}

// TestAFileThatIsBeingReadIsSaid, and what is there already is shown meanwhile.
func TestAFileThatIsBeingReadIsSaid(t *testing.T) {
	o := startIn(t, "America/Chicago")
	b := o.SignedIn(t, "ann@clinic.example", db.Coordinator)
	o.answer(t, health(`{"resourceType":"Condition","code":{"text":"Heart failure"}}`))
	id := o.numbers(t, `SELECT download_id FROM health_file`)[0]
	if err := o.DB.Write(t.Context(), func(tx *db.Tx) error { return tx.QueueHealth(t.Context(), o.download(t, id)) }); err != nil { // nobody wakes its keeper
		t.Fatal(err)
	}
	_, page := b.Get(t, "/patients/P-1")
	if got := text(t, page, "#health-news"); !strings.Contains(got, "Reading the file of 1 May…") {
		t.Errorf("it says %q", got)
	}
	if got := text(t, page, "#problems"); !strings.Contains(got, "Heart failure") {
		t.Errorf("meanwhile the problems are %q", got)
	}
	o.nudge(t)
	o.summed(t)
	if _, page = b.Get(t, "/patients/P-1"); strings.Contains(page, "Reading the file") {
		t.Error("it is said to be read for ever")
	}
}

// TestThePageOfAHeavyPatient: 5,000 results, 800 fills and 60 stays cost no more statements than one of each, and not much
// more time than a page that shows as much of a patient who has no more.
func TestThePageOfAHeavyPatient(t *testing.T) {
	results, fills, stays := 5000, 800, 60
	if testing.Short() {
		results, fills, stays = 500, 80, 10
	}
	light, heavy := heavyPatient(t, 30, 10, 10), heavyPatient(t, results, fills, stays)
	// Both are measured in turns, and of each the best: what else this machine does is not measured.
	for range 7 {
		light.measure(t)
		heavy.measure(t)
	}
	t.Logf("%d results, %d fills, %d stays: %d statements, %.1f ms, %d KB, %d elements; few of each: %d statements, %.1f ms", results, fills, stays,
		heavy.statements, heavy.best.Seconds()*1000, len(heavy.page)>>10, heavy.elements(t), light.statements, light.best.Seconds()*1000)
	if heavy.statements > mostStatements || light.statements > mostStatements {
		t.Errorf("%d statements, and %d for few of each; at most %d", heavy.statements, light.statements, mostStatements)
	}
	if ratio := heavy.best.Seconds() / light.best.Seconds(); ratio > 5 {
		t.Errorf("it takes %.1f times as long as the page of a patient with few of each", ratio)
	}
	if n := heavy.elements(t); n > 6000 {
		t.Errorf("the page has %d elements", n)
	}
	if !testing.Short() {
		if got := text(t, heavy.page, "#results > summary"); !strings.Contains(got, "200 tests") {
			t.Errorf("the results are %q", got)
		}
		if got := text(t, heavy.page, "#medications"); !strings.Contains(got, "20 fills") {
			t.Errorf("the medications are %.300q", got)
		}
	}
}

// weighed is a patient whose page is measured.
type weighed struct {
	*outside
	b          *webtest.Browser
	page       string
	statements int64
	best       time.Duration
}

// measure takes the page once more.
func (w *weighed) measure(t *testing.T) {
	t.Helper()
	before, began := w.DB.Statements(), time.Now()
	_, w.page = w.b.Get(t, "/patients/P-1")
	if took := time.Since(began); w.best == 0 || took < w.best {
		w.best = took
	}
	if n := w.DB.Statements() - before; w.statements == 0 || n < w.statements {
		w.statements = n
	}
}

func (w *weighed) elements(t *testing.T) int {
	t.Helper()
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(w.page))
	if err != nil {
		t.Fatal(err)
	}
	return doc.Find("*").Length()
}

// heavyPatient sends all of a patient the real way: stays as notices, fills and results as notices with records, and half
// of the results once more in a record of everything.
func heavyPatient(t *testing.T, results, fills, stays int) *weighed {
	t.Helper()
	o := startIn(t, "America/Chicago")
	w := &weighed{outside: o, b: o.SignedIn(t, "ann@clinic.example", db.Coordinator)}
	day := func(n int) string { return mayDay.AddDate(0, 0, -n).Format(time.DateOnly) }
	post := func(body []byte) {
		if status, answer := o.Post(t, body); status != http.StatusOK {
			t.Fatalf("answered %d %s", status, answer)
		}
	}
	for i := range stays {
		o.posts++
		post(fmt.Appendf(nil, `{"meta":{"messageId":"a-%d","when":"%sT12:00:00Z","type":"patient.admit"},"payload":{"patientId":"P-1","admitTimestamp":"%[2]sT10:00:00Z"}}`, i, day(20*i+9)))
		post(fmt.Appendf(nil, `{"meta":{"messageId":"d-%d","when":"%sT12:00:00Z","type":"patient.discharge"},"payload":{"patientId":"P-1","admitTimestamp":"%sT10:00:00Z","dischargeTimestamp":"%[2]sT11:00:00Z"}}`, i, day(20*i+5), day(20*i+9)))
	}
	observation := func(i int) string {
		return fmt.Sprintf(`{"resourceType":"Observation","id":"o-%d","status":"final","category":[{"coding":[{"code":"laboratory"}]}],"code":{"text":"Made up test %d","coding":[{"system":"http://loinc.org","code":"%[2]d-1"}]},"effectiveDateTime":"%sT00:00:00.000Z","valueQuantity":{"value":%d.%d,"unit":"mmol/L"},"referenceRange":[{"low":{"value":3.5},"high":{"value":5.1}}],%s}`,
			i, i%200, day(i/200), 3+i%3, i%10, saidBy("QUEST"))
	}
	const perNotice = 25
	var all []string
	for from := 0; from < results; from += perNotice {
		var some, names []string
		for i := from; i < min(from+perNotice, results); i++ {
			some, names = append(some, observation(i)), append(names, fmt.Sprintf(`{"reference":"Observation/o-%d"}`, i))
		}
		if all = append(all, some...); from%(2*perNotice) == 0 {
			some = append(some, fmt.Sprintf(`{"resourceType":"DiagnosticReport","status":"final","code":{"text":"Panel"},"effectiveDateTime":"%sT00:00:00.000Z","result":[%s],%s}`, day(from/200), strings.Join(names, ","), saidBy("QUEST")))
		}
		post(o.event("patient.laboratory", "P-1", o.lead(fmt.Sprintf("/lab-%d.json", from), time.Hour, says(health(some...))), ""))
	}
	for from := 0; from < fills; from += 8 {
		var some []string
		for i := from; i < min(from+8, fills); i++ {
			some = append(some, fmt.Sprintf(`{"resourceType":"MedicationDispense","status":"completed","medicationCodeableConcept":{"text":"Made up drug %d mg tablet"},"quantity":{"value":30,"unit":"Tablet"},"daysSupply":{"value":30,"unit":"day"},"whenHandedOver":"%sT00:00:00.000Z",%s}`,
				i%40, day(i/40*30), saidBy("SURESCRIPTS")))
		}
		post(o.event("patient.pharmacy", "P-1", o.lead(fmt.Sprintf("/fill-%d.json", from), time.Hour, says(health(some...))), ""))
	}
	for i := range 60 {
		all = append(all, fmt.Sprintf(`{"resourceType":"Condition","clinicalStatus":{"coding":[{"code":%q}]},"code":{"text":"Made up problem %d"}}`, []string{"active", "resolved"}[i%2], i),
			fmt.Sprintf(`{"resourceType":"Immunization","status":"completed","vaccineCode":{"text":"Made up vaccine %d"},"occurrenceDateTime":"%s"}`, i, day(i)),
			fmt.Sprintf(`{"resourceType":"Encounter","status":"finished","class":{"code":"AMB"},"period":{"start":"%sT15:00:00Z"},"location":[{"location":{"display":"Clinic %d"}}]}`, day(i), i))
	}
	o.Settled(t)
	o.answer(t, health(all[len(all)/2:]...))
	w.measure(t) // the first may note activity
	w.best, w.statements = 0, 0
	return w
}

// TestPagesOfASectionFollowOneAnother: every entry is on one of them, once.
func TestPagesOfASectionFollowOneAnother(t *testing.T) {
	o := startIn(t, "America/Chicago")
	b := o.SignedIn(t, "ann@clinic.example", db.Coordinator)
	var all, want []string
	for i := range 130 {
		words := fmt.Sprintf("Made up problem %03d", i)
		want = append(want, words)
		all = append(all, fmt.Sprintf(`{"resourceType":"Condition","clinicalStatus":{"coding":[{"code":"active"}]},"code":{"text":%q},"recordedDate":"20%02d-01-02"}`, words, 10+i%5))
	}
	o.answer(t, health(all...))
	_, page := b.Get(t, "/patients/P-1")
	if got := text(t, page, "#problems"); strings.Count(got, "Made up problem") != 25 || !strings.Contains(got, "All 130") || !strings.Contains(got, "19 more") {
		t.Errorf("the page shows %s", got)
	}
	var got []string
	pages := 0
	for path := "/patients/P-1/health/problems"; path != "" && pages < 9; pages++ {
		_, list := b.Get(t, path)
		doc, err := goquery.NewDocumentFromReader(strings.NewReader(list))
		if err != nil {
			t.Fatal(err)
		}
		doc.Find("#health-list .name").Each(func(_ int, s *goquery.Selection) { got = append(got, s.Text()) })
		path = ""
		doc.Find(".pages a").Each(func(_ int, s *goquery.Selection) {
			if s.Text() == "Next" {
				path, _ = s.Attr("href")
			}
		})
		if u, err := url.Parse(path); err != nil || strings.Contains(u.RawQuery, "Made") {
			t.Errorf("the address %s, %v", path, err)
		}
	}
	slices.Sort(got)
	if pages != 3 || !slices.Equal(got, want) {
		t.Errorf("%d pages with %d problems", pages, len(got))
	}
}
