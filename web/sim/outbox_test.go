package sim_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"carebell/web/metriport"
	"carebell/web/sim"
)

// TestOutboxIsWhatTheAPIShows: what failed is listed with its reason, is sent again oldest first with its id and
// without the caller's data, and the webhook counts as failing until one delivery works.
func TestOutboxIsWhatTheAPIShows(t *testing.T) {
	var mu sync.Mutex
	var got [][]byte
	up := true
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if !up || !metriport.Verify("key", body, r.Header.Get(metriport.SignatureHeader)) {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		got = append(got, body)
	}))
	defer receiver.Close()
	s := sim.New(sim.Options{Now: time.Now, Seed: 3, BaseURL: "http://127.0.0.1:9"})
	s.Connect(sim.Target{URL: receiver.URL, Key: "key"})
	api := httptest.NewServer(s.Store())
	defer api.Close()
	base, err := url.Parse(api.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := metriport.NewClient(base, "any", api.Client())
	read := func() (metriport.WebhookStatus, []metriport.Delivery) {
		t.Helper()
		status, err := client.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		l, err := client.Deliveries(t.Context(), time.Now().Add(-time.Hour), func(int) {})
		if err != nil {
			t.Fatal(err)
		}
		return status, l.Deliveries
	}
	send := func(kind metriport.Type) sim.Message {
		m, err := s.Sample(kind)
		if err != nil {
			t.Fatal(err)
		}
		_, _, _ = s.Deliver(t.Context(), m)
		time.Sleep(2 * time.Millisecond) // the list is ordered by whole milliseconds
		return m
	}
	first := send(metriport.PatientAdmit)
	up = false
	lost := []sim.Message{send(metriport.MessageStatus), send(metriport.DocumentsPaged)}
	up = true
	status, list := read()
	if !status.Known || status.Enabled || status.Failed != 2 || status.Detail != "request failed with status code 503" {
		t.Errorf("the status is %+v", status)
	}
	ids := []string{}
	for _, d := range list {
		ids = append(ids, d.ID+" "+d.Status+" "+fmt.Sprint(d.HTTPStatus))
	}
	if want := []string{lost[1].ID + " failure 503", lost[0].ID + " failure 503", first.ID + " success 200"}; !slices.Equal(ids, want) {
		t.Errorf("the list is %q, want %q", ids, want)
	}

	if err := client.Retry(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Wait()
	if len(got) != 3 {
		t.Fatalf("%d deliveries arrived, want 3", len(got))
	}
	for i, m := range lost {
		var e struct {
			Meta struct {
				MessageID string          `json:"messageId"`
				When      string          `json:"when"`
				Data      json.RawMessage `json:"data"`
			} `json:"meta"`
		}
		if err := json.Unmarshal(got[i+1], &e); err != nil || e.Meta.MessageID != m.ID || e.Meta.Data != nil || !strings.HasPrefix(e.Meta.When, m.At.Format("2006-01-02T15:04:05")) {
			t.Errorf("sent again as %s", got[i+1])
		}
	}
	if status, list = read(); !status.Enabled || status.Failed != 0 || list[0].Status != metriport.DeliverySuccess {
		t.Errorf("afterwards: %+v %+v", status, list)
	}

	for path, want := range map[string]int{
		"/settings/webhook": 401, "/medical/v1/settings/webhook/request": 401,
	} {
		resp, err := http.Get(api.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s without a key answers %d", path, resp.StatusCode)
		}
	}
}

// TestOutboxPages gives the list in pages, and refuses what the API refuses.
func TestOutboxPages(t *testing.T) {
	s := sim.New(sim.Options{Now: time.Now, Seed: 3, BaseURL: "http://127.0.0.1:9"})
	for i := range 7 {
		s.Fail(sim.Message{ID: fmt.Sprint("m-", i), Type: metriport.PatientAdmit, At: time.Now().Add(-time.Duration(i) * time.Minute), Body: []byte("{}")})
	}
	s.Fail(sim.Message{ID: "old", At: time.Now().Add(-31 * 24 * time.Hour)})
	page := func(query string) (int, string) {
		req := httptest.NewRequest(http.MethodGet, "/settings/webhook/request?"+query, nil)
		req.Header.Set("x-api-key", "any")
		rec := httptest.NewRecorder()
		s.Store().ServeHTTP(rec, req)
		return rec.Code, rec.Body.String()
	}
	from, seen := "", []string{}
	for range 4 {
		status, body := page("count=3&fromItem=" + from)
		var answer struct {
			Meta     struct{ NextPage string }
			Requests []struct{ ID string }
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK {
			t.Fatalf("%d %s: %v", status, body, err)
		}
		for _, r := range answer.Requests {
			seen = append(seen, r.ID)
		}
		next, err := url.Parse(answer.Meta.NextPage)
		if err != nil {
			t.Fatal(err)
		}
		if from = next.Query().Get("fromItem"); from == "" {
			break
		}
	}
	if want := []string{"m-0", "m-1", "m-2", "m-3", "m-4", "m-5", "m-6"}; !slices.Equal(seen, want) {
		t.Errorf("the pages have %q", seen)
	}
	for _, query := range []string{"count=501", "count=0", "count=x", "fromItem=nobody"} {
		if status, body := page(query); status != http.StatusBadRequest {
			t.Errorf("%s answers %d %s", query, status, body)
		}
	}
}
