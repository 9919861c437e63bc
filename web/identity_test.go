package web_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"carebell/db"
	"carebell/web/webtest"
)

// proofed is a body of a finished identity proofing.
func proofed(id, when, payload, meta string) string {
	return fmt.Sprintf(`{"meta":{"messageId":%q,"requestId":"req-%s","when":%q,"type":"ias.identity.verified"%s},"payload":%s}`, id, id, when, meta, payload)
}

// TestIdentity shows proofings of every shape, those of one person together, and finds them.
func TestIdentity(t *testing.T) {
	s := webtest.Start(t)
	b := s.SignedIn(t, "viewer@clinic.example", db.Viewer)
	if _, page := b.Get(t, "/identity"); !strings.Contains(page, "Nobody has proofed their identity yet") || !strings.Contains(page, "/webhooks/metriport") {
		t.Error("the empty list does not teach")
	}
	for i, body := range []string{
		proofed("one", "2026-11-20T10:00:00.000Z", `{"patientId":"pat-a","externalId":"EXT-5","proofedIdentityId":"pid_first","sessionId":"ses-1","level":"IAL2","evidence":{"kind":"passport","pages":[1,2]},"link":"https://x.example/y?secret-five","nothing":null}`, `,"data":{"ticket":"TOC-1"}`), // 1
		proofed("two", "2026-11-19T10:00:00.000Z", `{"patientId":"pat-a","proofedIdentityId":"pid_earlier"}`, ""),                                                                                              // 2: earlier, arrived later
		proofed("three", "", `{"proofedIdentityId":"pid_nobody","sessionId":7}`, `,"data":"just text"`),                                                                                                        // 3: no patient, no time
		`{"meta":{"messageId":"four","type":"ias.identity.verified"},"proofedIdentityId":"pid_beside","patientId":"pat-b","extra":"beside payload"}`,                                                           // 4: no payload
		`{"meta":{"messageId":"five","type":"ias.identity.verified"},"patientId":"pat-c","payload":{"proofedIdentityId":"pid_nobody"}}`,                                                                        // 5: the id of 3
		proofed("six", "2026-11-20T10:00:00.000Z", `{"patientId":"pat-d","proofedIdentityId":"`+hostile+`","sessionId":"`+hostile+`","`+hostile+`":"`+hostile+`"}`, ""),                                        // 6
		proofed("seven", "2026-11-20T10:00:00.000Z", `{"patientId":{"odd":1},"proofedIdentityId":null,"sessionId":[],"long":"`+strings.Repeat("very ", 3000)+`","many":[`+strings.Repeat(`1,`, 900)+`1]}`, ""), // 7
		proofed("eight", "2026-11-20T10:00:00.000Z", `"a text"`, ""),                                                                                                                                           // 8: cannot be used
		`{"meta":{"messageId":"nine","type":"ias.identity.verified"}}`,                                                                                                                                         // 9: says nothing
	} {
		if status, answer := s.Post(t, []byte(body)); status != http.StatusOK {
			t.Fatalf("body %d: %d %s", i+1, status, answer)
		}
	}
	s.Settled(t)
	if got := outcomes(t, s); got != "pppppppfp" {
		t.Errorf("the outcomes are %s", got)
	}
	for query, want := range map[string]string{
		"": "9 7 6 5 4 3 2 1", "?who=again": "5 3 2 1", "?who=nobody": "9 7 3", "?q=pid_fir": "1", "?q=ses-1": "1", "?q=EXT-5": "2 1", "?q=req-two": "2", "?q=pat-b": "4",
		"?q=pid_nobody": "5 3", "?q=pid_nobody&who=nobody": "3", "?q=%22": "", "?q=pid+first": "1", "?q=zz": "", "?before=3": "2 1",
	} {
		_, page := b.Get(t, "/identity"+query)
		if got := strings.Join(ids(t, page, "#identity > .row", "data-key"), " "); got != want {
			t.Errorf("%s lists %q, want %q", query, got, want)
		}
	}
	for _, test := range []struct {
		path        string
		has, hasNot []string
		history     string
	}{
		{"/identity/1", []string{"pid_first", "ses-1", "req-one", "IAL2", "evidence › kind", "passport", "evidence › pages", "1, 2", "ticket", "TOC-1", "https://x.example/y (a link; the rest of it is a secret)", "2026-11-20T10:00:00.000Z", "EXT-5"}, []string{"secret-five"}, "i-1 i-2"},
		{"/identity/2", []string{"pid_earlier"}, []string{"Metadata"}, "i-1 i-2"},
		{"/identity/3", []string{"none was named", "time not sent", "just text", ">7<"}, nil, "i-5 i-3"},
		{"/identity/4", []string{"pid_beside", "beside payload", "/patients/pat-b"}, nil, "i-4"},
		{"/identity/6", []string{"&lt;script&gt;"}, []string{"<script>alert", "<img src=x"}, "i-6"},
		{"/identity/7", []string{"proofed identity id not sent", "very very", "patientId"}, nil, "i-7"},
		{"/identity/9", []string{"proofed identity id not sent"}, []string{"Other fields", "Metadata"}, "i-9"},
	} {
		resp, page := b.Get(t, test.path)
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", test.path, resp.Status)
			continue
		}
		for _, words := range test.has {
			if !strings.Contains(page, words) {
				t.Errorf("%s does not say %q", test.path, words)
			}
		}
		for _, words := range test.hasNot {
			if strings.Contains(page, words) {
				t.Errorf("%s says %q", test.path, words)
			}
		}
		history := strings.ReplaceAll(strings.Join(ids(t, page, "#proofing li.row", "id"), " "), "history-", "")
		if history != test.history {
			t.Errorf("%s has the history %q, want %q", test.path, history, test.history)
		}
	}
	_, patient := b.Get(t, "/patients/pat-a")
	if strings.Count(patient, "pid_first") == 0 || strings.Count(patient, "pid_earlier") == 0 || !strings.Contains(patient, "Identity proof") {
		t.Error("the patient's page does not show the proofings")
	}
	if _, other := b.Get(t, "/patients/pat-b"); strings.Contains(other, "pid_first") {
		t.Error("another patient's page shows them")
	}
	_, file := b.Get(t, "/identity?format=csv&who=again")
	for _, words := range []string{"pid_first", "ses-1", "ticket: TOC-1", "level: IAL2"} {
		if !strings.Contains(file, words) {
			t.Errorf("the export does not say %q", words)
		}
	}
	if strings.Contains(file, "pid_beside") || strings.Contains(file, "secret-five") {
		t.Error("the export has what does not belong into it")
	}
	noted, _ := auditsAfter(t, s, 0)
	for _, want := range []string{"search||identity", "view|pat-a|identity 1", "view||identity 3", "export||identity"} {
		if !slices.Contains(noted, want) {
			t.Errorf("%q is not noted: %q", want, noted)
		}
	}
	for _, path := range []string{"/identity/8", "/identity/99", "/identity/x", "/identity?who=else", "/identity?q=" + strings.Repeat("x", 300)} {
		if resp, _ := b.Get(t, path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
}

func TestIdentityIsLive(t *testing.T) {
	s := webtest.Start(t)
	b := s.SignedIn(t, "coordinator@clinic.example", db.Coordinator)
	s.Post(t, []byte(proofed("one", "2026-11-20T10:00:00.000Z", `{"patientId":"p","proofedIdentityId":"pid_1"}`, "")))
	s.Settled(t)
	list := mustDial(t, s, b, "view=identity&since=0")
	page := mustDial(t, s, b, "view=proofing&id=1&since=0")
	patient := mustDial(t, s, b, "view=patient&id=p&since=0")
	next(t, list)
	next(t, page)
	next(t, patient)
	s.Post(t, []byte(proofed("two", "2026-11-21T10:00:00.000Z", `{"patientId":"p","proofedIdentityId":"pid_2"}`, "")))
	hears(t, list, `id="i-2"`, `id="i-1"`, "proofed 2 times")
	hears(t, page, "pid_2")
	hears(t, patient, "pid_2")
}
