package chart_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"carebell/db"
	"carebell/web/care"
	"carebell/web/chart"
	"carebell/web/metriport"
)

// clinicOf is a data folder whose keeper of summaries the test drives. What its links lead to is in files.
type clinicOf struct {
	*records
	keeper *chart.HealthKeeper
	opened int // how often a stored file was opened
}

// healthFolder opens one. files maps a link to its content.
func healthFolder(t *testing.T, files map[string]string) *clinicOf {
	t.Helper()
	c := &clinicOf{records: openRecords(t, files)}
	c.keeper = chart.NewHealthKeeper(c.DB, c.content, slog.New(slog.DiscardHandler))
	return c
}

// content opens what the archive stored.
func (c *clinicOf) content(d db.Download) (io.ReadCloser, error) {
	c.opened++
	var id int64
	if _, err := fmt.Sscanf(d.File, "file-%d", &id); err != nil {
		return nil, err
	}
	var url string
	err := c.Read(context.Background(), func(v db.Snapshot) error {
		return v.QueryRowContext(context.Background(), `SELECT name FROM download WHERE id = ?`, id).Scan(&url) // the link is gone; its name is its end
	})
	content, ok := c.files["https://example.org/"+url]
	if err == nil && !ok {
		err = errors.New("no such file: " + url)
	}
	return io.NopCloser(strings.NewReader(content)), err
}

// fold brings the summaries up to date.
func (c *clinicOf) fold(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- c.keeper.Run(ctx) }()
	for {
		left := c.rows(t, `SELECT count(*) FROM (SELECT 1 FROM health_file WHERE state IN ('waiting', 'reading', 'folding') UNION ALL SELECT 1 FROM health_stale)`)
		if left[0] == "0" {
			break
		}
		c.keeper.Wake()
		time.Sleep(2 * time.Millisecond)
		if ctx.Err() != nil {
			t.Fatalf("the summaries are not up to date: %v", c.rows(t, `SELECT * FROM health_file`))
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// message is an event with its links.
type message struct {
	body []byte
	when int // hours
}

// consolidated is an answer to a consolidated query for patient p, narrowed by filters, whose data is behind the link file.
func consolidated(id string, hour int, file, filters string) message {
	if filters == "" {
		filters = `{"conversionType":"json"}`
	}
	return message{fmt.Appendf(nil, `{"meta":{"messageId":%q,"requestId":"r-%[1]s","type":"medical.consolidated-data","when":%q},"patients":[{"patientId":"p","status":"completed","filters":%s,
		"bundle":{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"DocumentReference","content":[{"attachment":{"contentType":"application/json","url":"https://example.org/%s"}}]}}]}}]}`,
		id, at(float64(hour)), filters, file), hour}
}

// answered is what one source answered to a network query.
func answered(id, request string, kind metriport.Type, hour int, file string) message {
	return message{fmt.Appendf(nil, `{"meta":{"messageId":%q,"requestId":%q,"type":%q,"when":%q},"payload":{"patientId":"p","consolidatedDataUrl":"https://example.org/%s","source":{"type":"hie","status":"completed","completedAt":%[4]q}}}`,
		id, request, kind, at(float64(hour)), file), hour}
}

// behind is a notification with its record.
func behind(id string, kind metriport.Type, hour int, file string) message {
	return message{fmt.Appendf(nil, `{"meta":{"messageId":%q,"type":%q,"when":%q},"payload":{"patientId":"p","url":"https://example.org/%s"}}`, id, kind, at(float64(hour)), file), hour}
}

// bundle puts resources into a file, with their patient.
func bundle(resources ...string) string {
	return `{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"Patient","id":"p"}}` + strings.Join(append([]string{""}, wrapped(resources)...), ",") + `]}`
}

func wrapped(resources []string) []string {
	out := make([]string, len(resources))
	for i, r := range resources {
		out[i] = `{"resource":` + r + `}`
	}
	return out
}

func from(code string) string {
	return `"extension":[{"url":"https://public.metriport.com/fhir/StructureDefinition/data-source.json","valueCoding":{"code":"` + code + `"}}]`
}

func problem(words, icd, status, more string) string {
	coding := ""
	if icd != "" {
		coding = `,"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"` + icd + `"}]`
	}
	return fmt.Sprintf(`{"resourceType":"Condition","clinicalStatus":{"coding":[{"code":%q}]},"code":{"text":%q%s}%s}`, status, words, coding, more)
}

func filled(drug, ndc, day string, days int) string {
	return fmt.Sprintf(`{"resourceType":"MedicationDispense","status":"completed","medicationCodeableConcept":{"text":%[1]q,"coding":[{"system":"http://hl7.org/fhir/sid/ndc","code":%[2]q}]},"quantity":{"value":%[4]d,"unit":"Tablet"},"daysSupply":{"value":%[4]d,"unit":"day"},"whenHandedOver":"%[3]sT00:00:00.000Z",%[5]s}`,
		drug, ndc, day, days, from("SURESCRIPTS"))
}

func result(name, loinc, day, value string) string {
	return fmt.Sprintf(`{"resourceType":"Observation","id":"o-%[2]s-%[3]s-%[4]s","status":"final","category":[{"coding":[{"code":"laboratory"}]}],"code":{"text":%[1]q,"coding":[{"system":"http://loinc.org","code":%[2]q}]},"effectiveDateTime":"%[3]sT00:00:00.000Z","valueQuantity":{"value":%[4]s,"unit":"mmol/L"},"referenceRange":[{"low":{"value":3.5},"high":{"value":5.1}}],%[5]s}`,
		name, loinc, day, value, from("QUEST"))
}

// summary is what the pages show of a patient, a line an entry, whatever order the files came in.
func (c *clinicOf) summary(t *testing.T) []string {
	t.Helper()
	var out []string
	err := c.Read(context.Background(), func(v db.Snapshot) error {
		p, err := v.PatientHealth(context.Background(), "p", 1000, 5)
		if err != nil {
			return err
		}
		for _, section := range care.HealthSections {
			for part := range 3 {
				for _, e := range p.Entries[db.HealthPlace{Section: section, Part: part}] {
					e.Best.File, e.First.File, e.Last.File = 0, 0, 0
					line := []string{string(section), fmt.Sprint("part ", part), e.Best.Words, e.Key, e.Best.Status, "from " + strings.Join(e.Exchanges, "+")}
					for name, s := range map[string]*care.Said{"ordered": e.Ordered, "taken": e.Taken} {
						if s != nil {
							line = append(line, name+" "+s.Day())
						}
					}
					slices.Sort(line[6:])
					if e.N > 0 {
						line = append(line, fmt.Sprint(e.N, " events, last ", e.Recent[0].Event(section)))
					}
					if len(e.Also) > 1 {
						line = append(line, "also "+strings.Join(e.Also, "/"))
					}
					line = append(line, []string{"", "new", "changed", "gone"}[e.News])
					out = append(out, strings.TrimRight(strings.ReplaceAll(strings.Join(line, " | "), "\x1f", " "), " |"))
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// everything is every table of the summary, byte for byte but for the numbers that files got when they came.
func (c *clinicOf) everything(t *testing.T, numbers bool) string {
	t.Helper()
	var out []string
	for _, q := range []string{
		`SELECT * FROM health_entry ORDER BY 1, 2, 3`, `SELECT * FROM health_name ORDER BY 1, 2, 3`,
		`SELECT e.patient_id, section, key, event, sent, d.name, detail FROM health_event e JOIN download d ON d.id = e.download_id ORDER BY 1, 2, 3, 4`,
		`SELECT h.patient_id, l.name, last_at, b.name, base_at, cut FROM health_patient h JOIN download l ON l.id = last_file LEFT JOIN download b ON b.id = base_file ORDER BY 1`,
		`SELECT d.name, section, key, names, h.state, detail, events FROM health_row h JOIN download d ON d.id = h.download_id ORDER BY 1, 2, 3`,
		`SELECT d.name, h.state, h.reader, h.folded, h.cut, h.note FROM health_file h JOIN download d ON d.id = h.download_id ORDER BY 1`,
	} {
		out = append(out, "== "+q)
		for _, line := range c.rows(t, q) {
			if !numbers {
				for _, id := range c.ids(t, `SELECT id FROM download`) {
					line = strings.ReplaceAll(line, fmt.Sprintf(`"file":%d,`, id), `"file":N,`)
				}
			}
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// take receives messages in an order and stores what is behind them.
func (c *clinicOf) take(t *testing.T, messages ...message) {
	t.Helper()
	for _, m := range messages {
		c.receive(t, m.body)
	}
	c.settle(t)
	c.fold(t)
}

// mixed is a patient of whom several files and notices tell.
func mixed() (map[string]string, []message) {
	files := map[string]string{
		"https://example.org/first.json": bundle(
			problem("Essential (primary) hypertension", "I10", "active", `,"onsetDateTime":"2013-03-08",`+from("COMMONWELL")),
			problem("Hyperlipidemia", "", "active", `,`+from("CAREQUALITY")), problem("Low back pain", "M54.50", "resolved", ""),
			`{"resourceType":"AllergyIntolerance","code":{"text":"Penicillin"},"reaction":[{"manifestation":[{"text":"Hives"}]}],`+from("COMMONWELL")+`}`,
			filled("LISINOPRIL 10MG TAB", "00093104801", "2026-08-21", 90), result("POTASSIUM", "2823-3", "2026-08-01", "4.4"),
			`{"resourceType":"Immunization","status":"completed","vaccineCode":{"text":"Influenza","coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"141"}]},"occurrenceDateTime":"2025-10-07"}`),
		"https://example.org/second.json": bundle(
			problem("HYPERTENSION, ESSENTIAL", "I10", "active", `,`+from("QUEST")), problem("Hyperlipidemia", "E78.5", "active", `,`+from("COMMONWELL")),
			problem("Low back pain", "M54.50", "active", `,"onsetDateTime":"2026-11-02"`), problem("CKD stage 3", "N18.30", "active", ""),
			`{"resourceType":"AllergyIntolerance","code":{"text":"Allergy to penicillin","coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"7980"}]},`+from("KONZA")+`}`,
			`{"resourceType":"MedicationRequest","status":"active","medicationCodeableConcept":{"text":"lisinopril 10 MG Oral Tablet","coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"314076"}]},"authoredOn":"2026-11-01",`+from("CAREQUALITY")+`}`,
			filled("LISINOPRIL 10MG TAB", "00093104801", "2026-08-21", 90), filled("LISINOPRIL 10MG TAB", "68180051301", "2026-11-20", 90),
			result("Potassium", "2823-3", "2026-08-01", "4.4"), result("Potassium", "2823-3", "2026-11-12", "5.6")),
		"https://example.org/part.json": bundle(problem("CKD stage 3", "N18.30", "active", ""), problem("Gout", "M10.9", "active", "")),
		"https://example.org/fill.json": bundle(filled("LISINOPRIL 10MG TAB", "68180051301", "2026-11-20", 90), filled("Furosemide 40 mg tablet", "00054429725", "2026-11-22", 30)),
		"https://example.org/labs.json": bundle(result("POTASSIUM", "2823-3", "2026-11-23", "6.1"), result("POTASSIUM", "2823-3", "2026-11-12", "5.6")),
	}
	return files, []message{
		consolidated("m-1", 10, "first.json", ""), answered("m-2", "q", metriport.NetworkQueryHIE, 20, "second.json"),
		consolidated("m-3", 30, "part.json", `{"resources":"Condition"}`), behind("m-4", metriport.PatientPharmacy, 22, "fill.json"), behind("m-5", metriport.PatientLaboratory, 23, "labs.json"),
	}
}

func TestWhatSeveralSourcesSayIsOneEntry(t *testing.T) {
	files, messages := mixed()
	c := healthFolder(t, files)
	c.take(t, messages...)
	want := []string{
		"allergy | part 0 | Allergy to penicillin | rxnorm:7980 |  | from COMMONWELL+KONZA | also Allergy to penicillin/Penicillin | changed",
		"medication | part 0 | Furosemide 40 mg tablet | ndc:00054429725 |  | from SURESCRIPTS | 1 events, last 2026-11-22",
		"medication | part 0 | LISINOPRIL 10MG TAB | ndc:00093104801 |  | from CAREQUALITY+SURESCRIPTS | ordered 2026-11-01 | 2 events, last 2026-11-20 | also LISINOPRIL 10MG TAB/lisinopril 10 MG Oral Tablet | changed",
		"problem | part 0 | Low back pain | icd10:M54.50 | active | from  | changed",
		"problem | part 0 | Hyperlipidemia | icd10:E78.5 | active | from CAREQUALITY+COMMONWELL",
		"problem | part 0 | HYPERTENSION, ESSENTIAL | icd10:I10 | active | from COMMONWELL+QUEST | also Essential (primary) hypertension/HYPERTENSION, ESSENTIAL",
		"problem | part 0 | Gout | icd10:M10.9 | active | from",
		"problem | part 0 | CKD stage 3 | icd10:N18.30 | active | from  | new",
		"result | part 0 | POTASSIUM | loinc:2823-3 |  | from QUEST | 3 events, last 2026-11-23 6.1 mmol/L | also POTASSIUM/Potassium | changed",
		"immunization | part 0 | Influenza | cvx:141 | completed | from  | 1 events, last 2025-10-07 | gone",
	}
	got := c.summary(t)
	for _, list := range [][]string{got, want} {
		slices.Sort(list)
	}
	want[slices.IndexFunc(want, func(l string) bool { return strings.HasPrefix(l, "allergy") })] = "allergy | part 0 | Allergy to penicillin | rxnorm:7980 |  | from COMMONWELL+KONZA | also Allergy to penicillin/Penicillin"
	if !slices.Equal(got, want) {
		t.Errorf("the summary is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestTheSummaryIsTheSameInAnyOrder: of messages and of the files behind them, with restarts between, and made again.
func TestTheSummaryIsTheSameInAnyOrder(t *testing.T) {
	files, messages := mixed()
	c := healthFolder(t, files)
	c.take(t, messages...)
	want, exact := c.everything(t, false), c.everything(t, true)
	read := c.opened
	if _, err := chart.Rebuild(t.Context(), c.DB, quiet, func(int) {}); err != nil {
		t.Fatal(err)
	}
	if got := c.everything(t, true); got != exact {
		t.Fatalf("made again it is another one:\n%s", firstDifference(exact, got))
	}
	if c.opened != read {
		t.Errorf("to make it again, files were opened %d times", c.opened-read)
	}
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 7))
		shuffled := slices.Clone(messages)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		again := healthFolder(t, files)
		for _, m := range shuffled {
			again.receive(t, m.body)
			if r.IntN(2) == 0 {
				again.settle(t)
			}
			if r.IntN(2) == 0 {
				again.fold(t)
			}
		}
		again.settle(t)
		again.fold(t)
		if got := again.everything(t, false); got != want {
			t.Fatalf("in another order (%d) it is another one:\n%s", seed, firstDifference(want, got))
		}
	}
}

// TestReadingGoesOnAfterARestart stops the keeper at every place where it looks at its context.
func TestReadingGoesOnAfterARestart(t *testing.T) {
	files, messages := mixed()
	c := healthFolder(t, files)
	c.take(t, messages...)
	want := c.everything(t, false)
	again := healthFolder(t, files)
	for _, m := range messages {
		again.receive(t, m.body)
	}
	again.settle(t)
	stopped := 0
	for after := int64(1); after < 400; after += 3 {
		ctx := &countdown{Context: context.Background(), ended: make(chan struct{})}
		ctx.left.Store(after)
		done := make(chan error, 1)
		go func() { done <- chart.NewHealthKeeper(again.DB, again.content, slog.New(slog.DiscardHandler)).Run(ctx) }()
		for waiting := true; waiting; {
			select {
			case err := <-done:
				if waiting = false; err != nil {
					t.Fatal(err)
				}
			case <-time.After(20 * time.Millisecond): // it has nothing more to do
				for ctx.Err() == nil { //nolint:revive // asking is what ends it
				}
			}
		}
		if again.rows(t, `SELECT count(*) FROM health_file WHERE state <> 'read'`)[0] != "0" {
			stopped++
		}
	}
	again.fold(t)
	if got := again.everything(t, false); got != want {
		t.Fatalf("after restarts it is another one:\n%s", firstDifference(want, got))
	}
	if stopped < 3 {
		t.Errorf("it was stopped at %d places only", stopped)
	}
}

// TestAFileThatIsReadAgainReplacesWhatItSaid, as after a new version of the reader.
func TestAFileThatIsReadAgainReplacesWhatItSaid(t *testing.T) {
	files, messages := mixed()
	c := healthFolder(t, files)
	c.take(t, messages...)
	was := files["https://example.org/second.json"]
	files["https://example.org/second.json"] = bundle(problem("Essential hypertension", "I10", "active", ""), problem("Something else", "Z99.9", "active", ""))
	fresh := healthFolder(t, files)
	fresh.take(t, messages...)
	want := fresh.everything(t, false)
	for _, content := range []string{files["https://example.org/second.json"], was, files["https://example.org/second.json"]} {
		files["https://example.org/second.json"] = content
		if err := c.Write(t.Context(), func(tx *db.Tx) error { return tx.RetryHealth(t.Context(), chart.HealthReader+1) }); err != nil {
			t.Fatal(err)
		}
		c.fold(t)
	}
	if got := c.everything(t, false); got != want {
		t.Errorf("read again it is another one:\n%s", firstDifference(want, got))
	}
}

// news are the marks of the entries that have one.
func (c *clinicOf) news(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, line := range c.summary(t) {
		cells := strings.Split(line, " | ")
		if last := cells[len(cells)-1]; last == "new" || last == "gone" || last == "changed" {
			out = append(out, cells[2]+" "+last)
		}
	}
	slices.Sort(out)
	return out
}

func TestWhatIsNewIsAgainstTheWholeFileBefore(t *testing.T) {
	old := bundle(problem("Kept", "A00", "active", ""), problem("Dropped", "B00", "active", ""), problem("Ended", "C00", "active", ""))
	last := bundle(problem("Kept", "A00", "active", ""), problem("Ended", "C00", "resolved", ""), problem("Added", "D00", "active", ""))
	different := []string{"Added new", "Dropped gone", "Ended changed"}
	for name, test := range map[string]struct {
		messages []message
		want     []string
	}{
		"one file has nothing to be compared with": {[]message{consolidated("m-1", 1, "old", "")}, nil},
		"two whole files":                          {[]message{consolidated("m-1", 1, "old", ""), consolidated("m-2", 2, "last", "")}, different},
		"in the order in which they were sent":     {[]message{consolidated("m-2", 2, "last", ""), consolidated("m-1", 1, "old", "")}, different},
		"a network query brings the whole":         {[]message{consolidated("m-1", 1, "old", ""), answered("m-2", "q", metriport.NetworkQueryLab, 2, "last")}, different},
		"the sources of one query are one":         {[]message{answered("m-1", "q", metriport.NetworkQueryHIE, 1, "old"), answered("m-2", "q", metriport.NetworkQueryLab, 2, "last")}, nil},
		"and are compared with what was before":    {[]message{consolidated("m-0", 0, "old", ""), answered("m-1", "q", metriport.NetworkQueryHIE, 1, "last"), answered("m-2", "q", metriport.NetworkQueryLab, 2, "last")}, different},
		"a first answer is not whole":              {[]message{consolidated("m-1", 1, "old", ""), answered("m-2", "q", metriport.FirstDataReady, 2, "last")}, nil},
		"a part of the record is not compared":     {[]message{consolidated("m-1", 1, "old", ""), consolidated("m-2", 2, "last", `{"resources":"Condition"}`)}, nil},
		"nor is one narrowed by dates":             {[]message{consolidated("m-1", 1, "old", `{"dateFrom":"2020-01-01"}`), consolidated("m-2", 2, "last", "")}, nil},
		"the same content is no news":              {[]message{consolidated("m-1", 1, "old", ""), consolidated("m-2", 2, "last", ""), consolidated("m-3", 3, "last", "")}, different},
	} {
		t.Run(name, func(t *testing.T) {
			c := healthFolder(t, map[string]string{"https://example.org/old": old, "https://example.org/last": last})
			c.take(t, test.messages...)
			if got := c.news(t); !slices.Equal(got, test.want) {
				t.Errorf("marked are %v, want %v", got, test.want)
			}
		})
	}
}

// TestWhatDidNotFitIsNotCompared: a file that holds more of a section than is kept says nothing of what it lacks.
func TestWhatDidNotFitIsNotCompared(t *testing.T) {
	var many []string
	for i := range 700 {
		many = append(many, problem(fmt.Sprint("Problem ", i), fmt.Sprintf("X%03d", i), "active", fmt.Sprintf(`,"recordedDate":"20%02d-01-01"`, i%20)))
	}
	c := healthFolder(t, map[string]string{"https://example.org/old": bundle(append(many, result("POTASSIUM", "2823-3", "2026-08-01", "4.4"))...), "https://example.org/last": bundle(many[:10]...)})
	c.take(t, consolidated("m-1", 1, "old", ""), consolidated("m-2", 2, "last", ""))
	if got, want := c.news(t), []string{"POTASSIUM gone"}; !slices.Equal(got, want) {
		t.Errorf("marked are %d: %.200v, want %v", len(got), got, want)
	}
	if n := c.rows(t, `SELECT count(*) FROM health_entry WHERE section = 'problem'`)[0]; len(n) != 3 || n < "500" || n > "510" {
		t.Errorf("%s problems are kept", n)
	}
}

func TestNoKnownAllergiesIsNotNothing(t *testing.T) {
	denied := `{"resourceType":"AllergyIntolerance","code":{"coding":[{"system":"http://snomed.info/sct","code":"716186003"}]},` + from("BAMBOO") + `}`
	there := `{"resourceType":"AllergyIntolerance","code":{"text":"Latex"}}`
	for name, test := range map[string]struct {
		files []string
		want  []string
	}{
		"nothing": {[]string{bundle()}, nil},
		"denied":  {[]string{bundle(denied)}, []string{"allergy | part 2 | No known allergies | none:no known allergies |  | from BAMBOO"}},
		"both": {[]string{bundle(denied), bundle(there)}, []string{"allergy | part 0 | Latex | words:latex |  | from  | new",
			"allergy | part 2 | No known allergies | none:no known allergies |  | from BAMBOO | gone"}},
	} {
		files, messages := map[string]string{}, []message{}
		for i, content := range test.files {
			files[fmt.Sprint("https://example.org/", i)] = content
			messages = append(messages, consolidated(fmt.Sprint("m-", i), i, fmt.Sprint(i), ""))
		}
		c := healthFolder(t, files)
		c.take(t, messages...)
		if got := c.summary(t); !slices.Equal(got, test.want) {
			t.Errorf("%s: the summary is %q, want %q", name, got, test.want)
		}
	}
}

// TestAFileThatCannotBeReadIsSaid, and keeps nothing else waiting.
func TestAFileThatCannotBeReadIsSaid(t *testing.T) {
	whole := bundle(problem("One", "A00", "active", ""), problem("Two", "B00", "active", ""))
	c := healthFolder(t, map[string]string{
		"https://example.org/whole": whole, "https://example.org/broken": whole[:len(whole)-8], "https://example.org/none": `{"a":1}`,
	})
	for i, name := range []string{"broken", "none", "whole"} {
		c.receive(t, consolidated("m-"+name, i, name, "").body)
	}
	for c.step(t) {
	}
	for _, d := range c.waiting(t) { // what cannot be read has no facts, as in the archive
		content := c.files[d.URL]
		d.State, d.Size, d.File, d.SniffedType = db.FetchStored, int64(len(content)), fmt.Sprint("file-", d.ID), "application/json"
		if err := c.Write(t.Context(), func(tx *db.Tx) error { return tx.EndDownload(t.Context(), d) }); err != nil {
			t.Fatal(err)
		}
	}
	c.fold(t)
	want := []string{
		"broken | read | This file could not be read to its end: something of it is missing here.", "none | failed | This file cannot be read here. It is kept as it is.", "whole | read | ",
	}
	if got := c.rows(t, `SELECT d.name, h.state, h.note FROM health_file h JOIN download d ON d.id = h.download_id ORDER BY 1`); !slices.Equal(got, want) {
		t.Errorf("the files are %q", got)
	}
	if got := c.summary(t); len(got) != 2 || slices.ContainsFunc(got, func(l string) bool { return strings.HasSuffix(l, "new") }) {
		t.Errorf("the summary is %q", got)
	}
}

// TestApplyingAFillCostsTheSameHoweverManyThereAre counts statements: the first notices against those after hundreds.
func TestApplyingAFillCostsTheSameHoweverManyThereAre(t *testing.T) {
	files := map[string]string{}
	for i := range 300 {
		day := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, i).Format(time.DateOnly)
		files[fmt.Sprint("https://example.org/f", i)] = bundle(filled("LISINOPRIL 10MG TAB", "00093104801", day, 30))
	}
	c := healthFolder(t, files)
	cost := func(from, to int) int64 {
		for i := from; i < to; i++ {
			c.receive(t, behind(fmt.Sprint("m-", i), metriport.PatientPharmacy, i, fmt.Sprint("f", i)).body)
		}
		c.settle(t)
		before := c.Statements()
		if err := chart.FoldHealth(t.Context(), c.DB, quiet); err != nil {
			t.Fatal(err)
		}
		return c.Statements() - before
	}
	first := cost(0, 20)
	cost(20, 280)
	if last := cost(280, 300); last > first+20 {
		t.Errorf("20 notices cost %d statements at first and %d after 280", first, last)
	}
	if got := c.summary(t); len(got) != 1 || !strings.Contains(got[0], "300 events") {
		t.Errorf("the summary is %q", got)
	}
}

// TestADayIsADayInTheRecordOfANotice: the dates of a pharmacy lose their clock.
func TestADayIsADayInTheRecordOfANotice(t *testing.T) {
	c := healthFolder(t, map[string]string{"https://example.org/fill": strings.ReplaceAll(bundle(filled("LISINOPRIL 10MG TAB", "1", "2026-04-21", 30)), from("SURESCRIPTS"), `"x":1`)})
	c.take(t, behind("m-1", metriport.PatientPharmacy, 1, "fill"))
	var detail struct{ Best care.Said }
	if err := json.Unmarshal([]byte(c.rows(t, `SELECT detail FROM health_entry`)[0]), &detail); err != nil {
		t.Fatal(err)
	}
	if b := detail.Best; b.At != "2026-04-21" || b.Fill.RunsOut() != "2026-05-21" {
		t.Errorf("filled %q, runs out %q", b.At, b.Fill.RunsOut())
	}
}
