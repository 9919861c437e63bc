package metriport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const clientKey = "client-key-0123456789"

// ask makes a client of a handler that asks without waiting, and the pauses it would have made.
func ask(t *testing.T, h http.HandlerFunc) (*Client, *[]time.Duration) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	c, pauses := NewClient(u, clientKey, s.Client()), &[]time.Duration{}
	c.pause = func(_ context.Context, d time.Duration) error { *pauses = append(*pauses, d); return nil }
	return c, pauses
}

func list(c *Client) (Listing, error) {
	return c.Deliveries(context.Background(), time.Time{}, func(int) {})
}

func TestStatusIsReadTolerantly(t *testing.T) {
	for body, want := range map[string]WebhookStatus{
		`{"webhookEnabled":true,"webhookStatusDetail":"OK","webhookRequestsProcessing":2,"webhookRequestsFailed":3}`:   {Known: true, Enabled: true, Detail: "OK", Processing: 2, Failed: 3},
		`{"webhookEnabled":"true","webhookStatusDetail":null,"webhookRequestsFailed":null,"new":{}}`:                   {Known: true, Enabled: true, Processing: Uncounted, Failed: Uncounted},
		`{"webhookEnabled":true,"webhookStatusDetail":"OK","webhookRequestsProcessing":-1,"webhookRequestsFailed":-1}`: {Known: true, Enabled: true, Detail: "OK", Processing: Uncounted, Failed: Uncounted},
		`{"webhookEnabled":true,"webhookRequestsProcessing":0,"webhookRequestsFailed":"3"}`:                            {Known: true, Enabled: true},
		`{"webhookEnabled":false,"webhookStatusDetail":" a\n  long   word `:                                            {},
		`{"webhookEnabled":false,"webhookStatusDetail":" two\n  words with ` + clientKey + ` in them"}`:                {Known: true, Detail: "two words with … in them", Processing: Uncounted, Failed: Uncounted},
		"":     {Processing: Uncounted, Failed: Uncounted},
		"{}":   {Processing: Uncounted, Failed: Uncounted},
		"null": {Processing: Uncounted, Failed: Uncounted},
	} {
		c, _ := ask(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("x-api-key") != clientKey || r.Method != http.MethodGet {
				t.Errorf("asked with %s %v", r.Method, r.Header)
			}
			_, _ = w.Write([]byte(body))
		})
		got, err := c.Status(context.Background())
		if broken := strings.HasSuffix(body, "word "); broken != (err != nil) || got != want {
			t.Errorf("%s is read as %+v %v, want %+v", body, got, err, want)
		}
	}
}

func TestDeliveriesAreReadToTheEnd(t *testing.T) {
	const id7 = "019aa0b0-1c00-7000-8000-000000000001"
	var asked []string
	c, _ := ask(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		asked = append(asked, q.Get("fromItem"))
		if q.Get("count") != strconv.Itoa(MaxPage) {
			t.Errorf("asked for %q entries", q.Get("count"))
		}
		switch q.Get("fromItem") {
		case "":
			_, _ = fmt.Fprintf(w, `{"meta":{"nextPage":"https://elsewhere.example/x?fromItem=b&count=500"},"requests":[
				{"id":%q,"requestId":"r","type":"patient.admit","status":"success","httpStatus":200,"durationMillis":12,"requestUrl":"HTTPS://us:er@Carebell.example:443/webhooks/metriport/?token=secret#x"},
				{"id":" a ","status":"Failure","statusDetail":"timeout","httpStatus":null,"createdAt":"2026-11-20T10:00:00Z"}]}`, id7)
		case "b":
			_, _ = fmt.Fprint(w, `{"meta":{"itemsOnPage":4},"requests":[{"id":"a"},{"id":"b","when":"2026-11-19T10:00:00.000Z"},{"id":null},"odd"]}`)
		}
	})
	got, err := list(c)
	if err != nil || !slices.Equal(asked, []string{"", "b"}) {
		t.Fatalf("asked for %q: %v", asked, err)
	}
	want := []Delivery{
		{ID: id7, RequestID: "r", Type: "patient.admit", Status: "success", HTTPStatus: 200, Took: 12, URL: "https://carebell.example/webhooks/metriport", At: time.UnixMilli(0x019aa0b01c00).UTC()},
		{ID: "a", Status: "failure", Detail: "timeout", At: time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)},
		{ID: "b", At: time.Date(2026, 11, 19, 10, 0, 0, 0, time.UTC)},
	}
	if !slices.Equal(got.Deliveries, want) || got.Repeated != 1 || got.Unreadable != 2 {
		t.Errorf("read %+v\nwant %+v", got, want)
	}
}

func TestListThatNeverEndsIsGivenUp(t *testing.T) {
	asked := 0
	c, _ := ask(t, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		_, _ = fmt.Fprintf(w, `{"meta":{"nextPage":"/x?fromItem=f%d"},"requests":[{"id":"same"}]}`, asked)
	})
	if _, err := list(c); err == nil || asked > 3 {
		t.Errorf("after %d pages: %v", asked, err)
	}
}

// TestListStopsWhereTheWindowEnds although older entries follow.
func TestListStopsWhereTheWindowEnds(t *testing.T) {
	since := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	asked := 0
	c, _ := ask(t, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		_, _ = fmt.Fprintf(w, `{"meta":{"nextPage":"/x?fromItem=f%d"},"requests":[{"id":"%d","createdAt":%q}]}`, asked, asked, since.Add(time.Duration(3-asked)*24*time.Hour).Format(time.RFC3339))
	})
	got, err := c.Deliveries(context.Background(), since, func(int) {})
	if err != nil || len(got.Deliveries) != 3 || asked != 4 {
		t.Errorf("%d entries of %d pages: %v", len(got.Deliveries), asked, err)
	}
}

func TestFailuresThatPassAreAskedAgain(t *testing.T) {
	for _, test := range []struct {
		name    string
		answers []int
		after   string
		pauses  []time.Duration
		want    string // part of the error; "" = none
	}{
		{"a passing failure", []int{500, 200}, "", []time.Duration{time.Second}, ""},
		{"too many requests", []int{429, 429, 200}, "7", []time.Duration{7 * time.Second, 7 * time.Second}, ""},
		{"told to wait very long", []int{503, 200}, "86400", []time.Duration{maxPause}, ""},
		{"it lasts", []int{502, 502, 502, 502, 502}, "", []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}, "answered 502"},
		{"a wrong key", []int{401}, "", nil, "does not accept the API key (401)"},
		{"a redirect", []int{302}, "", nil, "leads to another address"},
	} {
		t.Run(test.name, func(t *testing.T) {
			asked := 0
			c, pauses := ask(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", test.after)
				w.Header().Set("Location", "https://elsewhere.example/")
				w.WriteHeader(test.answers[min(asked, len(test.answers)-1)])
				asked++
			})
			_, err := c.Status(context.Background())
			if !slices.Equal(*pauses, test.pauses) || (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("pauses %v, error %v", *pauses, err)
			}
		})
	}
}

// TestRetryIsAskedOnce: an answer that is lost may have been a yes.
func TestRetryIsAskedOnce(t *testing.T) {
	asked := 0
	c, _ := ask(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/settings/webhook/retry") {
			t.Errorf("asked for %s %s", r.Method, r.URL.Path)
		}
		w.WriteHeader(http.StatusInternalServerError)
	})
	if err := c.Retry(context.Background()); err == nil || asked != 1 {
		t.Errorf("asked %d times: %v", asked, err)
	}
}

// TestEitherPlaceOfTheSettingsIsFound, once: under the medical API, and at the top.
func TestEitherPlaceOfTheSettingsIsFound(t *testing.T) {
	for _, place := range bases {
		for _, elsewhere := range []int{http.StatusNotFound, http.StatusForbidden} {
			asked := 0
			c, _ := ask(t, func(w http.ResponseWriter, r *http.Request) {
				if asked++; r.URL.Path != place && !strings.HasPrefix(r.URL.Path, place+"/") {
					w.WriteHeader(elsewhere)
				}
			})
			for range 2 {
				if _, err := c.Status(context.Background()); err != nil {
					t.Errorf("%s: %v", place, err)
				}
			}
			if err := c.Retry(context.Background()); err != nil || asked > 4 {
				t.Errorf("%s: asked %d times: %v", place, asked, err)
			}
		}
	}
}

// TestWhatAVersionHasNotIsSaid: the settings under one of the places, the list under the other, or nowhere.
func TestWhatAVersionHasNotIsSaid(t *testing.T) {
	const entries = `{"meta":{},"requests":[{"id":"a","status":"success"}]}`
	gateway := func(w http.ResponseWriter) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"message":"Missing Authentication Token"}`))
	}
	for _, test := range []struct {
		name     string
		there    map[string]string // path → answer
		not      func(w http.ResponseWriter)
		status   bool
		list     string // "" = it is read, else part of the error
		isNoList bool
	}{
		{"all under the medical API", map[string]string{bases[0]: `{"webhookEnabled":true}`, bases[0] + "/request": entries}, nil, true, "", false},
		{"all at the top", map[string]string{bases[1]: `{"webhookEnabled":true}`, bases[1] + "/request": entries}, nil, true, "", false},
		{"the settings at the top, the list not", map[string]string{bases[1]: `{"webhookEnabled":true}`, bases[0] + "/request": entries}, nil, true, "", false},
		{"no list", map[string]string{bases[1]: `{"webhookEnabled":true}`}, nil, true, "has no list", true},
		{"no list, says the gateway", map[string]string{bases[1]: `{"webhookEnabled":true}`}, gateway, true, "has no list", true},
		{"nothing at all", nil, nil, false, "has no list", true},
		{"a key that may not", nil, func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden) }, false, "does not accept the API key", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			asked := 0
			c, _ := ask(t, func(w http.ResponseWriter, r *http.Request) {
				asked++
				switch answer, ok := test.there[r.URL.Path]; {
				case ok:
					_, _ = w.Write([]byte(answer))
				case test.not != nil:
					test.not(w)
				default:
					w.WriteHeader(http.StatusNotFound)
				}
			})
			for range 2 { // it may be otherwise the next time
				asked = 0
				got, err := c.Status(context.Background())
				if (err == nil) != test.status || got.Enabled != test.status || !test.status && IsNotThere(err) != (test.not == nil) {
					t.Errorf("the status is %+v, %v", got, err)
				}
				l, err := list(c)
				if (err == nil) != (test.list == "") || err != nil && !strings.Contains(err.Error(), test.list) || errors.Is(err, ErrNoList) != test.isNoList || err == nil && len(l.Deliveries) != 1 {
					t.Errorf("the list is %+v, %v", l, err)
				}
				if asked > 4 {
					t.Errorf("asked %d times", asked)
				}
			}
		})
	}
	// A page that is gone in the middle of a list is no list that is not there.
	c, _ := ask(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("fromItem") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write([]byte(`{"meta":{"nextPage":"/x?fromItem=b"},"requests":[{"id":"a","status":"success"}]}`))
	})
	if _, err := list(c); err == nil || errors.Is(err, ErrNoList) {
		t.Errorf("a list that is cut short is %v", err)
	}
}

func TestErrorsTellNeitherKeyNorAddress(t *testing.T) {
	c, _ := ask(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"detail":"bad key %s"}`, r.Header.Get("x-api-key"))
	})
	err := c.Retry(context.Background())
	var answer APIError
	if !errors.As(err, &answer) || strings.Contains(err.Error(), clientKey) {
		t.Errorf("the error is %v", err)
	}
	u := &url.URL{Scheme: "http", Host: "127.0.0.1:1"}
	c = NewClient(u, clientKey, &http.Client{})
	c.pause = func(context.Context, time.Duration) error { return nil }
	if _, err := c.Status(context.Background()); err == nil || strings.Contains(err.Error(), clientKey) || strings.Contains(err.Error(), "settings") {
		t.Errorf("the error is %v", err)
	}
}

// TestHugeAnswerIsNotRead beyond the limit.
func TestHugeAnswerIsNotRead(t *testing.T) {
	c, _ := ask(t, func(w http.ResponseWriter, _ *http.Request) {
		chunk := []byte(strings.Repeat(" ", 1<<20))
		for range maxAnswer>>20 + 2 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	if _, err := c.Status(context.Background()); err == nil || !strings.Contains(err.Error(), "more than 16 MiB") {
		t.Errorf("the error is %v", err)
	}
}
