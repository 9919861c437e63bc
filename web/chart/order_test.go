package chart_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"carebell/db"
	"carebell/web/chart"
	"carebell/web/metriport"
	"carebell/web/sim"
)

// noon is when every test here happens; the clock stands still.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func still() time.Time { return noon }

var quiet = slog.New(slog.DiscardHandler)

// folder is a data folder with its inbox, whose projector the test drives itself.
type folder struct {
	*db.DB
	inbox     *db.Inbox
	projector *chart.Projector
}

func open(t testing.TB, dir string) *folder {
	t.Helper()
	d, err := db.Open(context.Background(), dir, db.Options{Now: still, Serve: true})
	if err != nil {
		t.Fatal(err)
	}
	in, err := d.OpenInbox(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return &folder{DB: d, inbox: in, projector: chart.New(d, quiet)}
}

// memory is a folder in main memory where there is one: these tests are not about the disk.
func memory(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "carebell-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// receive puts a body into the inbox as the receiver does.
func (f *folder) receive(t testing.TB, body string) {
	t.Helper()
	e := metriport.ReadEnvelope([]byte(body))
	_, err := f.inbox.Append(context.Background(), db.Received{
		MessageID: e.MessageID, Shared: e.Shared, RequestID: e.RequestID, Type: e.Type, SentAt: e.When, KeyID: "k", Body: []byte(body),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// step takes one batch into the chart.
func (f *folder) step(t testing.TB) int {
	t.Helper()
	n, err := f.projector.Step(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// settle takes everything into the chart.
func (f *folder) settle(t testing.TB) {
	t.Helper()
	for f.step(t) > 0 {
	}
}

// query lists what a query finds, a line a row.
func (f *folder) query(t testing.TB, query string, args ...any) []string {
	t.Helper()
	var out []string
	err := f.Read(context.Background(), func(v db.Snapshot) error {
		rows, err := v.QueryContext(context.Background(), query, args...)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		cells, to := make([]any, len(columns)), make([]any, len(columns))
		for i := range cells {
			to[i] = &cells[i]
		}
		for rows.Next() {
			if err := rows.Scan(to...); err != nil {
				return err
			}
			var line strings.Builder
			for _, c := range cells {
				switch c := c.(type) {
				case string, []byte:
					fmt.Fprintf(&line, "%q ", c)
				default:
					fmt.Fprintf(&line, "%v ", c)
				}
			}
			out = append(out, line.String())
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return out
}

// chartQueries show the chart without what depends on the order of arrival: numbers, times of arrival, and which of two
// twins came first.
var chartQueries = []string{
	`SELECT 'patient', id, external_id, external_id_of, name, birth_date, first_event_at, last_event_at FROM patient ORDER BY id`,
	`SELECT 'search', id, words FROM patient JOIN patient_search ON patient_search.rowid = no ORDER BY id`,
	`SELECT 'alias', patient_id, system, value FROM patient_alias ORDER BY 1, 2, 3, 4`,
	`SELECT 'facility', name FROM facility ORDER BY name`,
	`SELECT 'stay', patient_id, id, admit_at, discharge_at, last_event_at, moves, notices FROM stay ORDER BY patient_id, id`,
	`SELECT 'notification', message_id, id % 1024, kind, patient_id, event_at, sent_at, source_sent_at, admit_at, discharge_at, moves,
		facility, stay_id, test, deliveries, state FROM notification ORDER BY message_id, id % 1024`,
	`SELECT 'twins', patient_id, kind, event_at, source_sent_at, moves, count(*), count(*) FILTER (WHERE twin_of = 0)
		FROM notification WHERE event_at IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6`,
	`SELECT 'import', id, id_from, state, reason, started_at, ended_at, heard_at FROM import_job ORDER BY id`,
	`SELECT 'import event', id, message_id, e.state, e.reason, sent_at, data, test FROM import_event e JOIN import_job j ON j.no = e.job_no ORDER BY message_id`,
	`SELECT 'proofing', message_id, request_id, patient_id, proofed_id, session_id, sent_at, data, fields FROM identity ORDER BY message_id`,
	`SELECT 'found', e.kind, iif(e.kind IN ('facility', 'import'), e.key, ''), e.patient_id, w.words FROM search_entry e JOIN search_words w ON w.rowid = e.no ORDER BY 2, 5, 3, 4`,
	`SELECT 'named', message_id, patient_id FROM inbox JOIN inbox_patient USING (seq) ORDER BY message_id, patient_id`,
	`SELECT 'part', message_id, pull_part.id % 1024, kind, patient_id, request_id, is_out, is_failed, is_empty, is_unclear, step, at, sent_at, place, source, status,
		page, pages, items, more, (SELECT count(*) FROM pull_part o WHERE o.pull_id = pull.id) FROM pull JOIN pull_part ON pull_id = pull.id ORDER BY message_id, pull_part.id % 1024`,
	`SELECT 'document', patient_id, request_id, key, listed, name, description, type, organization, d.status, indexed_at, media_type, size,
		(SELECT group_concat(message_id || place, ' ') FROM (SELECT message_id, place FROM pull_document_link JOIN inbox ON seq = inbox_seq WHERE document_no = d.no ORDER BY 1, 2))
		FROM pull_document d JOIN pull ON pull.id = pull_id ORDER BY patient_id, request_id, key, listed`,
	`SELECT 'outcome', message_id, status, error FROM inbox JOIN inbox_outcome USING (seq) ORDER BY message_id`,
}

func (f *folder) chart(t testing.TB) string {
	t.Helper()
	var lines []string
	for _, q := range chartQueries {
		lines = append(lines, f.query(t, q)...)
	}
	return strings.Join(lines, "\n")
}

// bulk is a body of an event of a bulk creation job.
func bulk(id, when, job, state, reason string) string {
	b, err := json.Marshal(map[string]any{
		"meta":              map[string]any{"messageId": id, "type": metriport.BulkPatientCreate, "when": when, "data": map[string]any{"from": id}},
		"bulkPatientCreate": map[string]any{"requestId": job, "status": state, "reason": reason},
	})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// notice is a body of one patient.* event. fields is what stands in its payload beside the patient; "when" goes to meta.
func notice(id string, kind metriport.Type, patient string, fields map[string]any) string {
	meta := map[string]any{"messageId": id, "type": kind}
	payload := map[string]any{"patientId": patient}
	for name, v := range fields {
		switch name {
		case "when", "whenGenerated":
			meta[name] = v
		default:
			payload[name] = v
		}
	}
	b, err := json.Marshal(map[string]any{"meta": meta, "payload": payload})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// at is a time of the story, in hours after its beginning.
func at(hours float64) string {
	return noon.Add(-240 * time.Hour).Add(time.Duration(hours * float64(time.Hour))).Format("2006-01-02T15:04:05.000Z")
}

type fields = map[string]any

func move(hours float64, from, to string) fields {
	return fields{"timestamp": at(hours), "sourceLocation": fields{"name": from, "type": "ward"}, "destinationLocation": fields{"name": to, "type": "ward"}}
}

// queried is an answer of one source to a network query.
func queried(id string, kind metriport.Type, patient, request string, source fields) string {
	return told(id, kind, request, "payload", fields{"patientId": patient, "consolidatedDataUrl": "https://files.example/" + id, "source": source})
}

// listed is a message about several patients.
func listed(id string, kind metriport.Type, request string, rows ...fields) string {
	return told(id, kind, request, "patients", rows)
}

func told(id string, kind metriport.Type, request, part string, content any) string {
	b, err := json.Marshal(fields{"meta": fields{"messageId": id, "requestId": request, "type": kind, "when": at(6), "data": fields{"told by": id}}, part: content})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func row(patient string, page, pages int, documents ...fields) fields {
	return fields{"patientId": patient, "status": "completed", "documents": documents, "pagination": fields{"page": page, "totalPages": pages, "totalItems": 2 * pages}}
}

func doc(id, name string) fields {
	return fields{"id": id, "fileName": name, "indexed": at(-1), "url": "https://files.example/" + name}
}

// edgeCases are the stories that the simulated sender does not tell.
func edgeCases() []string {
	const admit, transfer, discharge = metriport.PatientAdmit, metriport.PatientTransfer, metriport.PatientDischarge
	return []string{
		// The discharge was sent before the admit.
		notice("backwards-2", discharge, "backwards", fields{"when": at(5), "admitTimestamp": at(0), "dischargeTimestamp": at(4)}),
		notice("backwards-1", admit, "backwards", fields{"when": at(6), "admitTimestamp": at(0)}),
		// Transfers are told again and again, with all before them, in no order, one without a time.
		notice("moves-1", admit, "moves", fields{"when": at(1), "admitTimestamp": at(0)}),
		notice("moves-2", transfer, "moves", fields{"when": at(2), "admitTimestamp": at(0), "transfers": []any{move(2, "A", "B")}}),
		notice("moves-3", transfer, "moves", fields{"when": at(4), "admitTimestamp": at(0), "transfers": []any{move(4, "B", "C"), move(2, "A", "B")}}),
		notice("moves-4", transfer, "moves", fields{"when": at(4.5), "admitTimestamp": at(0), "transfers": []any{move(2, "A", "B"), move(4, "B", "C"), fields{"destinationLocation": fields{"name": "D"}}}}),
		notice("moves-5", transfer, "moves", fields{"when": at(9), "admitTimestamp": at(0), "transfers": []any{move(2, "A", "B"), move(4, "B", "C")}}),
		// Two discharges with different times: the one sent last wins, though it says the earlier time.
		notice("two-1", admit, "two", fields{"when": at(1), "admitTimestamp": at(0)}),
		notice("two-2", discharge, "two", fields{"when": at(30), "admitTimestamp": at(0), "dischargeTimestamp": at(29)}),
		notice("two-3", discharge, "two", fields{"when": at(31), "admitTimestamp": at(0), "dischargeTimestamp": at(28)}),
		// The same, sent in the same millisecond, and without saying when.
		notice("tie-1", discharge, "tie", fields{"when": at(30), "admitTimestamp": at(0), "dischargeTimestamp": at(29)}),
		notice("tie-2", discharge, "tie", fields{"when": at(30), "admitTimestamp": at(0), "dischargeTimestamp": at(28)}),
		notice("mute-1", discharge, "mute", fields{"admitTimestamp": at(0), "dischargeTimestamp": at(29)}),
		notice("mute-2", discharge, "mute", fields{"admitTimestamp": at(0), "dischargeTimestamp": at(28)}),
		// No admit time: two stays that each could be the one, one notice that fits none, two that say nothing.
		notice("undated-1", admit, "undated", fields{"when": at(1), "admitTimestamp": at(0)}),
		notice("undated-2", discharge, "undated", fields{"when": at(11), "admitTimestamp": at(0), "dischargeTimestamp": at(10)}),
		notice("undated-3", admit, "undated", fields{"when": at(9), "admitTimestamp": at(8)}),
		notice("undated-4", discharge, "undated", fields{"when": at(13), "dischargeTimestamp": at(9)}),
		notice("undated-5", discharge, "undated", fields{"when": at(12), "dischargeTimestamp": at(12)}),
		notice("undated-6", transfer, "undated", fields{"when": at(10), "transfers": []any{move(9.5, "A", "B")}}),
		notice("undated-7", discharge, "undated", fields{"when": at(-20), "dischargeTimestamp": at(-21)}),
		notice("undated-8", admit, "undated", fields{"when": at(3)}),
		notice("undated-9", admit, "undated", fields{}),
		// A discharge without an admit time was sent before one with it.
		notice("late-1", discharge, "late", fields{"when": at(10), "dischargeTimestamp": at(8)}),
		notice("late-2", discharge, "late", fields{"when": at(20), "admitTimestamp": at(0), "dischargeTimestamp": at(9)}),
		// Ids that contradict each other: by time, at the same time, without a time, and not said.
		notice("ids-1", admit, "ids", fields{"when": at(1), "externalId": "first", "admitTimestamp": at(0), "additionalIds": fields{"a": []string{"1", "2"}}}),
		notice("ids-2", discharge, "ids", fields{"when": at(3), "externalId": "last", "admitTimestamp": at(0), "dischargeTimestamp": at(2), "additionalIds": fields{"a": []string{"2", "3"}, "b": "9"}}),
		notice("ids-3", metriport.PatientLaboratory, "ids", fields{"when": at(3), "externalId": "also last"}),
		notice("ids-4", metriport.PatientPharmacy, "ids", fields{"externalId": "timeless"}),
		notice("ids-5", metriport.PatientPharmacy, "ids", fields{"when": at(9)}),
		notice("ids-6", metriport.PatientPharmacy, "ids", fields{"when": at(10), "externalId": "  "}),
		// One message that names the same patient twice.
		`{"meta":{"messageId":"same-1","when":"` + at(4) + `","type":"medical.discharge-summary"},"patients":[{"patientId":"same","externalId":"x"},{"patientId":"same","externalId":"y"},{"patientId":"other","externalId":"z"}]}`,
		notice("same-2", metriport.DischargeSummary, "same", fields{"when": at(4), "externalId": "w"}),
		// The same event again under new message ids.
		notice("twin-1", admit, "twin", fields{"when": at(1), "admitTimestamp": at(0), "whenSourceSent": at(0.5)}),
		notice("twin-2", admit, "twin", fields{"when": at(2), "admitTimestamp": at(0), "whenSourceSent": at(0.5)}),
		notice("twin-3", admit, "twin", fields{"when": at(3), "admitTimestamp": at(0), "whenSourceSent": at(0.5)}),
		notice("twin-4", admit, "twin", fields{"when": at(3), "admitTimestamp": at(0)}),
		notice("twin-5", admit, "twin", fields{"when": at(3), "admitTimestamp": at(0)}),
		// A readmission, and an admit whose time was corrected by a millisecond.
		notice("again-1", admit, "again", fields{"when": at(1), "admitTimestamp": at(0)}),
		notice("again-2", discharge, "again", fields{"when": at(5), "admitTimestamp": at(0), "dischargeTimestamp": at(4)}),
		notice("again-3", admit, "again", fields{"when": at(51), "admitTimestamp": at(50)}),
		notice("again-4", discharge, "again", fields{"when": at(60), "dischargeTimestamp": at(59)}),
		notice("again-5", admit, "again", fields{"when": at(52), "admitTimestamp": at(50) + " "}),
		// Test events, all under one id; the admit was pressed twice, the second time a little later.
		notice("msg-123", admit, "patient-123", fields{"whenGenerated": at(1), "admitTimestamp": at(0)}),
		notice("msg-123", transfer, "patient-123", fields{"whenGenerated": at(1), "admitTimestamp": at(0), "transfers": []any{move(0.5, "A", "B")}}),
		notice("msg-123", discharge, "patient-123", fields{"whenGenerated": at(1), "admitTimestamp": at(0), "dischargeTimestamp": at(0.9)}),
		notice("msg-123", admit, "patient-123", fields{"whenGenerated": at(2), "admitTimestamp": at(0)}),
		// A discharge before its own admit, times far away, an id as a number.
		notice("odd-1", discharge, "odd", fields{"when": at(1), "admitTimestamp": at(5), "dischargeTimestamp": at(1)}),
		notice("odd-2", transfer, "odd", fields{"when": at(1), "admitTimestamp": "1850-01-01", "transfers": []any{move(1, "", "")}}),
		notice("odd-3", admit, "odd", fields{"when": "1850-06-01T00:00:00Z", "externalId": "old", "admitTimestamp": "2199-01-01"}),
		`{"meta":{"messageId":77,"type":"patient.admit"},"payload":{"patientId":7,"externalId":8,"admitTimestamp":"` + at(0) + `"}}`,
		// Bulk jobs: an end is not taken back, whatever comes late; the last of two ends counts, by time and then by id.
		bulk("bulk-1", at(1), "job", "processing", ""),
		bulk("bulk-2", at(5), "job", "completed", ""),
		bulk("bulk-3", at(6), "job", "processing", ""),
		bulk("bulk-4", at(4), "job", "failed", "not the last word"),
		bulk("bulk-5", at(2), "tie", "failed", "first by id"),
		bulk("bulk-6", at(2), "tie", "failed", "last by id"),
		bulk("bulk-7", at(3), "open", "expired", ""),
		bulk("bulk-8", at(4), "open", "paused", "nobody knows this state"),
		bulk("bulk-9", "", "open", "waiting", "before all others"),
		bulk("bulk-10", at(1), "", "waiting", ""),
		// A network query: a source that fails and then does not, one told twice at once, a first data after the end,
		// words that nobody knows, nulls, and another patient under the same request.
		queried("query-1", metriport.NetworkQueryLab, "asked", "R-1", fields{"type": "lab", "source": "quest", "status": "failed", "completedAt": at(1)}),
		queried("query-2", metriport.NetworkQueryLab, "asked", "R-1", fields{"type": "lab", "source": "Quest", "status": "completed", "completedAt": at(2)}),
		queried("query-3", metriport.NetworkQueryPharmacy, "asked", "R-1", fields{"source": "surescripts", "status": "failed", "completedAt": at(3)}),
		queried("query-4", metriport.NetworkQueryPharmacy, "asked", "R-1", fields{"source": "surescripts", "status": "completed", "completedAt": at(3)}),
		queried("query-5", metriport.NetworkQueryHIE, "asked", "R-1", fields{"source": "exchange", "status": "completed", "completedAt": at(4)}),
		queried("query-6", metriport.FirstDataReady, "asked", "R-1", fields{"status": "processing", "firstDataReadyAt": at(5)}),
		queried("query-7", metriport.FirstDataReady, "asked", "R-2", fields{"status": "processing", "firstDataReadyAt": nil}),
		queried("query-8", metriport.NetworkQueryLab, "asked", "R-2", fields{"type": "imaging", "status": "postponed"}),
		queried("query-9", metriport.NetworkQueryLab, "asked too", "R-2", nil),
		queried("query-10", metriport.NetworkQueryLab, "asked", "", fields{"status": "completed"}),
		queried("query-11", metriport.NetworkQueryLab, "asked", "", fields{"status": "completed"}),
		queried("query-12", metriport.NetworkQueryLab, "", "R-2", fields{"status": "completed"}),
		// Documents: two patients in one message, a page twice with other words for the same document, the total growing.
		listed("pages-1", metriport.DocumentsPaged, "R-3", row("paged", 3, 3, doc("d-5", "five.txt")), row("paged too", 1, 1, doc("d-5", "other.txt"))),
		listed("pages-2", metriport.DocumentsPaged, "R-3", row("paged", 1, 3, doc("d-1", "one.txt"), doc("", "nameless id.txt"), doc("", ""), doc("", ""))),
		listed("pages-3", metriport.DocumentsPaged, "R-3", row("paged", 1, 4, doc("d-1", "one, later.txt"), doc("", "nameless id.txt"))),
		listed("pages-4", metriport.DocumentsPaged, "R-3", row("paged", 0, 0, doc("d-1", "one, unnumbered.txt"))),
		listed("pages-5", metriport.DocumentConversion, "R-3", fields{"patientId": "paged", "status": "failed"}),
		listed("pages-6", metriport.ConsolidatedData, "R-3", fields{"patientId": "paged", "status": "completed", "bundle": fields{"entry": []any{}}}, fields{"patientId": "paged"}),
		// What is not understood.
		`{"meta":{"messageId":"unknown-1","type":"patient.teleported"},"payload":{"patientId":"two"}}`,
		`{"meta":{"messageId":"failed-1","type":"patient.admit"},"payload":null}`,
		`not JSON`,
	}
}

// story is everything that the simulated sender tells in a week, and the edge cases.
func story(t testing.TB) []string {
	t.Helper()
	world := sim.New(sim.Options{Now: still, Seed: 3, BaseURL: "https://sample.invalid"})
	var bodies []string
	for _, m := range world.Backlog(7) {
		bodies = append(bodies, string(m.Body))
	}
	return append(bodies, edgeCases()...)
}

// TestAnyOrderOfArrivalGivesTheSameChart is promise 4: shuffled, cut into batches anywhere, with repeats in between.
func TestAnyOrderOfArrivalGivesTheSameChart(t *testing.T) {
	orders := 200
	if raced() || testing.Short() {
		orders = 4
	}
	bodies := story(t)
	template := memory(t)
	if err := func() error {
		d, err := db.Open(t.Context(), template, db.Options{Now: still, Serve: true})
		if err != nil {
			return err
		}
		return d.Close()
	}(); err != nil {
		t.Fatal(err)
	}
	empty, err := os.ReadFile(filepath.Join(template, db.FileName))
	if err != nil {
		t.Fatal(err)
	}
	tell := func(t *testing.T, seed uint64, bodies []string) string {
		dir := memory(t)
		if err := os.WriteFile(filepath.Join(dir, db.FileName), empty, 0o600); err != nil {
			t.Fatal(err)
		}
		f := open(t, dir)
		r := rand.New(rand.NewPCG(seed, 0))
		for _, body := range bodies {
			f.receive(t, body)
			if r.IntN(20) == 0 {
				f.step(t)
			}
		}
		f.settle(t)
		return f.chart(t)
	}
	want := tell(t, 0, bodies)
	for _, word := range []string{"'patient'", "backwards-2", "unrecognized", "malformed", "failed"} {
		if !strings.Contains(want, strings.Trim(word, "'")) {
			t.Fatalf("the chart has no %s:\n%s", word, want)
		}
	}
	var wg sync.WaitGroup
	seeds := make(chan uint64)
	var mu sync.Mutex
	shown := 0
	for range 2 {
		wg.Go(func() {
			for seed := range seeds {
				t.Run(fmt.Sprint("order ", seed), func(t *testing.T) {
					shuffled := slices.Clone(bodies)
					rand.New(rand.NewPCG(seed, 1)).Shuffle(len(shuffled), func(i, k int) { shuffled[i], shuffled[k] = shuffled[k], shuffled[i] })
					got := tell(t, seed, shuffled)
					if got == want {
						return
					}
					mu.Lock()
					defer mu.Unlock()
					if shown++; shown <= 3 {
						t.Errorf("another order gives another chart:\n%s", difference(want, got))
					} else {
						t.Error("another order gives another chart")
					}
				})
			}
		})
	}
	for seed := range orders {
		seeds <- uint64(seed + 1)
	}
	close(seeds)
	wg.Wait()
}

// difference lists the lines that only one of the two has.
func difference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	var out []string
	for _, l := range a {
		if !slices.Contains(b, l) {
			out = append(out, "- "+l)
		}
	}
	for _, l := range b {
		if !slices.Contains(a, l) {
			out = append(out, "+ "+l)
		}
	}
	return strings.Join(out[:min(len(out), 40)], "\n")
}

// raced says whether the race detector runs: the large tests then do less.
func raced() bool {
	b, _ := debug.ReadBuildInfo()
	return b != nil && slices.ContainsFunc(b.Settings, func(s debug.BuildSetting) bool { return s.Key == "-race" && s.Value == "true" })
}
