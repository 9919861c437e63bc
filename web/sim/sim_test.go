package sim_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"carebell/web/metriport"
	"carebell/web/sim"
)

// world is a simulation whose store is reached without a network, and whose clock the test moves.
type world struct {
	*sim.Sim
	mu  sync.Mutex
	now time.Time
}

const base = "http://store.example"

func newWorld(seed uint64) *world {
	w := &world{now: time.Date(2026, 11, 23, 15, 4, 5, 678_900_000, time.UTC)}
	w.Sim = sim.New(sim.Options{Now: w.clock, Seed: seed, BaseURL: base})
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) get(method, url string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, url, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.Store().ServeHTTP(rec, r)
	return rec
}

// everything is one of each type, a backlog and a while of live events.
func (w *world) everything(t *testing.T) []sim.Message {
	t.Helper()
	var all []sim.Message
	for _, kind := range metriport.Types {
		m, err := w.Sample(kind)
		if err != nil {
			t.Fatalf("Sample(%s): %v", kind, err)
		}
		all = append(all, m)
	}
	all = append(all, w.Backlog(7)...)
	for range 150 {
		all = append(all, w.Next())
	}
	return append(all, w.TestEvents()...)
}

// urls walks JSON and returns the strings that are URLs of the store; downloadUrl is not a presigned one.
func urls(v any) (out []string) {
	switch v := v.(type) {
	case map[string]any:
		for name, e := range v {
			if name != "downloadUrl" {
				out = append(out, urls(e)...)
			}
		}
	case []any:
		for _, e := range v {
			out = append(out, urls(e)...)
		}
	case string:
		if strings.HasPrefix(v, base) {
			out = append(out, v)
		}
	}
	return out
}

func parse(t *testing.T, body []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("not JSON: %v\n%.300s", err, body)
	}
	return v
}

func TestEveryMessageIsReadByTheReceiver(t *testing.T) {
	w := newWorld(1)
	for _, m := range w.everything(t) {
		e := metriport.ReadEnvelope(m.Body)
		if e.Malformed != "" || e.MessageID != m.ID || e.Type != string(m.Type) || !e.When.Equal(m.At) {
			t.Errorf("%s: envelope %+v, want id %s at %s", m.Type, e, m.ID, m.At)
		}
		event, err := metriport.ReadEvent(m.Type, m.Body)
		if err != nil {
			t.Errorf("%s: %v", m.Type, err)
		}
		if p := event.Payload; p != nil && p.ID == "" && p.Patient.ID == "" {
			t.Errorf("%s names no patient: %s", m.Type, m.Body)
		}
		first := `{"meta":{"messageId":`
		if m.Type == metriport.Ping {
			first = `{"ping":`
		}
		if !bytes.HasPrefix(m.Body, []byte(first)) {
			t.Errorf("%s begins %.30s, want %s", m.Type, m.Body, first)
		}
	}
}

func TestSampleOfAnUnknownTypeListsTheTypes(t *testing.T) {
	_, err := newWorld(1).Sample("patient.unheard-of")
	if err == nil || !strings.Contains(err.Error(), "patient.admit") || !strings.Contains(err.Error(), "ias.identity.verified") {
		t.Errorf("got %v", err)
	}
}

func TestSampleIsSentNowWithAFreshID(t *testing.T) {
	w := newWorld(3)
	seen := map[string]bool{}
	for range 20 {
		for _, kind := range metriport.Types {
			m, err := w.Sample(kind)
			if err != nil || seen[m.ID] || !m.At.Equal(w.clock().Truncate(time.Millisecond)) || m.Type != kind {
				t.Fatalf("Sample(%s) = %s at %s, %v", kind, m.ID, m.At, err)
			}
			seen[m.ID] = true
		}
	}
}

func TestBacklogIsInOrderAndInThePast(t *testing.T) {
	for seed := range uint64(40) {
		for _, days := range []int{0, 1, 3, 7, 30} {
			w := newWorld(seed)
			messages := w.Backlog(days)
			if n := len(messages); n < 120 || n > 160 {
				t.Errorf("seed %d, %d days: %d messages", seed, days, n)
			}
			if !slices.IsSortedFunc(messages, func(a, b sim.Message) int { return a.At.Compare(b.At) }) {
				t.Errorf("seed %d, %d days: not in order", seed, days)
			}
			oldest := w.clock().Add(-time.Duration(max(days, 1)) * 24 * time.Hour)
			ids := map[string]bool{}
			for _, m := range messages {
				if m.At.After(w.clock()) || m.At.Before(oldest) || ids[m.ID] {
					t.Errorf("seed %d, %d days: %s %s at %s", seed, days, m.Type, m.ID, m.At)
				}
				ids[m.ID] = true
			}
		}
	}
}

func TestSameSeedAndClockGiveTheSameBytes(t *testing.T) {
	a, b, c := newWorld(5).everything(t), newWorld(5).everything(t), newWorld(6).everything(t)
	for i := range a {
		if !bytes.Equal(a[i].Body, b[i].Body) {
			t.Fatalf("message %d differs:\n%s\n%s", i, a[i].Body, b[i].Body)
		}
	}
	if bytes.Equal(a[0].Body, c[0].Body) {
		t.Error("another seed gave the same message")
	}
}

func TestLiveEventsShowEveryKindSoon(t *testing.T) {
	for seed := range uint64(20) {
		w := newWorld(seed)
		w.Backlog(7)
		seen := map[metriport.Type]bool{}
		for range 100 {
			w.pass(4 * time.Second)
			m := w.Next()
			seen[m.Type] = true
			if !m.At.Equal(w.clock().Truncate(time.Millisecond)) {
				t.Errorf("sent at %s, want %s", m.At, w.clock())
			}
			e, err := metriport.ReadEvent(m.Type, m.Body)
			if err != nil {
				t.Fatal(err)
			}
			if happened, ok := eventTime(m.Type, e); ok {
				if late := m.At.Sub(happened); late < 0 || late > 21*time.Minute {
					t.Errorf("seed %d: %s happened %s before it was sent", seed, m.Type, late)
				}
			}
		}
		for _, kind := range metriport.Types {
			rare := kind == metriport.Ping || kind == metriport.DischargeSummaryBatch || kind == metriport.DischargeSummary ||
				slices.Contains([]metriport.Type{metriport.DocumentsURLs, metriport.DocumentDownload, metriport.DocumentConversion}, kind)
			if !seen[kind] && !rare {
				t.Errorf("seed %d: no %s among 100 events", seed, kind)
			}
		}
		if !seen[metriport.DischargeSummary] && !seen[metriport.DischargeSummaryBatch] {
			t.Errorf("seed %d: no discharge summary among 100 events", seed)
		}
	}
}

// eventTime is when the fact behind a notification happened, where its kind says one of its own.
func eventTime(t metriport.Type, e metriport.Event) (time.Time, bool) {
	switch p := e.Payload; t {
	case metriport.PatientTransfer:
		return p.Transfers[len(p.Transfers)-1].Time.Time, true
	case metriport.PatientDischarge:
		return p.DischargeTime.Time, !p.DischargeTime.IsZero()
	case metriport.PatientPharmacy:
		return p.DispensedDate.Time, hasClock(p.DispensedDate.Time)
	case metriport.PatientLaboratory:
		return p.CollectedDate.Time, hasClock(p.CollectedDate.Time)
	default:
		return time.Time{}, false
	}
}

// hasClock is false for what is absent, and for a day: UTC midnight.
func hasClock(t time.Time) bool { return !t.IsZero() && !t.Equal(t.Truncate(24*time.Hour)) }

func TestTransfersPrecedeTheDischarge(t *testing.T) {
	for seed := range uint64(5) {
		w := newWorld(seed)
		past := w.Backlog(7)
		ended := map[string]bool{}
		moves := map[string]int{}
		discharges := 0
		for i := range len(past) + 300 {
			var m sim.Message
			if i < len(past) {
				m = past[i]
			} else {
				w.pass(2 * time.Second)
				m = w.Next()
			}
			if !strings.HasPrefix(string(m.Type), "patient.") || strings.HasSuffix(string(m.Type), "y") {
				continue
			}
			e, err := metriport.ReadEvent(m.Type, m.Body)
			if err != nil {
				t.Fatal(err)
			}
			body := parse(t, w.get("GET", string(e.Payload.URL)).Body.Bytes())
			stay := find(body, "Encounter")
			switch m.Type {
			case metriport.PatientTransfer:
				if ended[stay] {
					t.Errorf("seed %d: transfer after discharge of %s", seed, stay)
				}
				if moves[stay]++; len(e.Payload.Transfers) != moves[stay] {
					t.Errorf("seed %d: transfer %d of %s lists %d", seed, moves[stay], stay, len(e.Payload.Transfers))
				}
				last := e.Payload.AdmitTime.Time
				for _, move := range e.Payload.Transfers {
					if move.Time.Before(last) {
						t.Errorf("seed %d: transfers of %s are not in order", seed, stay)
					}
					last = move.Time.Time
				}
			case metriport.PatientDischarge:
				discharges++
				ended[stay] = true
				if !e.Payload.DischargeTime.IsZero() && e.Payload.DischargeTime.Before(e.Payload.AdmitTime.Time) {
					t.Errorf("seed %d: %s ends before it begins", seed, stay)
				}
			}
		}
		if discharges < 20 || len(moves) < 10 {
			t.Errorf("seed %d: %d discharges, %d stays with transfers", seed, discharges, len(moves))
		}
	}
}

// find returns the id of the first resource of a kind in a bundle.
func find(bundle any, kind string) string {
	b, _ := bundle.(map[string]any)
	entries, _ := b["entry"].([]any)
	for _, e := range entries {
		r, _ := e.(map[string]any)["resource"].(map[string]any)
		if r["resourceType"] == kind {
			id, _ := r["id"].(string)
			return id
		}
	}
	return ""
}

func TestTestEventsShareOneIDAndCarryWhenGenerated(t *testing.T) {
	w := newWorld(1)
	events := w.TestEvents()
	if len(events) != 3 {
		t.Fatalf("%d events", len(events))
	}
	for i, want := range []metriport.Type{metriport.PatientAdmit, metriport.PatientTransfer, metriport.PatientDischarge} {
		m := events[i]
		e := metriport.ReadEnvelope(m.Body)
		if m.Type != want || m.ID != "msg-123" || !e.Test || e.MessageID != "msg-123" || !e.When.Equal(m.At) {
			t.Errorf("%+v, envelope %+v", m, e)
		}
		for _, part := range []string{`"patientId":"patient-123"`, `"additionalIds":{"mrn":["mrn-123"]}`, `"whenGenerated":`} {
			if !bytes.Contains(m.Body, []byte(part)) {
				t.Errorf("%s lacks %s", m.Body, part)
			}
		}
		if bytes.Contains(m.Body, []byte(`"when":`)) {
			t.Errorf("%s has a when", m.Body)
		}
	}
}

func TestRepeatDropsOnlyTheCallersData(t *testing.T) {
	w := newWorld(2)
	var m sim.Message
	for !bytes.Contains(m.Body, []byte(`"data":{`)) {
		m, _ = w.Sample(metriport.NetworkQueryHIE)
	}
	again := w.Repeat(m)
	if again.ID != m.ID || again.Type != m.Type || !again.At.Equal(m.At) || bytes.Contains(again.Body, []byte(`"data":{`)) {
		t.Errorf("repeat: %s", again.Body)
	}
	before, after := parse(t, m.Body).(map[string]any), parse(t, again.Body).(map[string]any)
	delete(before["meta"].(map[string]any), "data")
	if got, want := encoded(t, after), encoded(t, before); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	odd := sim.Message{Body: []byte("not json")}
	if got := w.Repeat(odd); string(got.Body) != "not json" {
		t.Errorf("odd body became %q", got.Body)
	}
}

func encoded(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestConcurrentUse(t *testing.T) {
	w := newWorld(9)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 15 {
				var m sim.Message
				switch (i + n) % 4 {
				case 0:
					m = w.Next()
				case 1:
					m = w.TestEvents()[n%3]
				case 2:
					m, _ = w.Sample(metriport.Types[n%len(metriport.Types)])
				default:
					m = w.Repeat(w.Backlog(1)[n])
				}
				w.pass(time.Millisecond)
				var v any
				if json.Unmarshal(m.Body, &v) != nil {
					t.Errorf("not JSON: %s", m.Body)
				}
				for _, u := range urls(v) {
					if rec := w.get("GET", u); rec.Code != http.StatusOK {
						t.Errorf("%s: %d", m.Type, rec.Code)
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestPostSignsAndFollowsNothing(t *testing.T) {
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(http.StatusFound)
		_, _ = w.Write(bytes.Repeat([]byte("x"), 100<<10))
	}))
	defer server.Close()

	m, err := newWorld(1).Sample(metriport.MessageReceived)
	if err != nil {
		t.Fatal(err)
	}
	status, reply, err := sim.Post(t.Context(), server.Client(), server.URL+"/hook", "a key", m.Body)
	if err != nil || status != http.StatusFound || len(reply) != 64<<10 {
		t.Errorf("Post = %d, %d bytes, %v", status, len(reply), err)
	}
	h := got.Header
	if !metriport.Verify("a key", body, h.Get("x-metriport-signature")) || h.Get("Content-Type") != "application/json" ||
		h.Get("User-Agent") != "Metriport API" || got.Method != http.MethodPost || got.URL.Path != "/hook" || !bytes.Equal(body, m.Body) {
		t.Errorf("sent %s %s %v", got.Method, got.URL, h)
	}
	if _, _, err := sim.Post(t.Context(), nil, "http://127.0.0.1:1", "k", nil); err == nil {
		t.Error("no error from a closed port")
	}
}
