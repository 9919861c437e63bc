package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"carebell/db"
	"carebell/web/webtest"
)

// TestSearchEverything looks for parts of everything, as each of the people, on the page and in the box.
func TestSearchEverything(t *testing.T) {
	s := webtest.Start(t)
	for i, body := range []string{
		`{"meta":{"messageId":"a","requestId":"req-aaaa-1111","when":"2026-11-20T10:00:00.000Z","type":"patient.transfer"},"payload":{"patientId":"pat-quill","externalId":"EXT-2040","additionalIds":{"athenahealth":["AH-99992"]},"transfers":[{"timestamp":"2026-11-20T09:00:00Z","destinationLocation":{"name":"Northern \"Lake\" Hospital"}}]}}`,
		`{"meta":{"messageId":"b","requestId":"req-aaaa-1111","type":"message.received"},"payload":{"subject":"hello"}}`,
		proofed("c", "2026-11-20T10:00:00.000Z", `{"patientId":"pat-quill","proofedIdentityId":"pid_quartz","sessionId":"ses-onyx"}`, ""),
		proofed("d", "2026-11-20T10:00:00.000Z", `{"sessionId":"ses-alone"}`, ""),
		`{"meta":{"messageId":"e","type":"patient.admit"},"payload":{"patientId":"` + strings.ReplaceAll(hostile, `"`, ``) + `"}}`,
	} {
		if status, answer := s.Post(t, []byte(body)); status != http.StatusOK {
			t.Fatalf("body %d: %d %s", i, status, answer)
		}
	}
	for i := range 9 {
		s.Post(t, fmt.Appendf(nil, `{"meta":{"messageId":"many-%d","requestId":"req-many-%d","type":"patient.admit"},"payload":{"patientId":"crowd-%d"}}`, i, i, i))
	}
	s.Settled(t)
	admin := s.SignedIn(t, "admin@clinic.example", db.Admin)
	viewer := s.SignedIn(t, "viewer@clinic.example", db.Viewer)
	const quill, proof, alone, facility, request = "/patients/pat-quill", "/identity/3", "/identity/4", `/?q=Northern+%22Lake%22+Hospital&state=all`, "/admin/inbox?request=req-aaaa-1111"
	for _, test := range []struct {
		text   string
		admin  []string
		viewer []string // nil = the same
	}{
		{"quill", []string{quill}, nil},
		{"EXT-2040", []string{quill}, nil},
		{"ext-204", []string{quill}, nil},
		{"99992", []string{quill}, nil},
		{"AH", []string{quill}, nil}, // two characters are enough for a patient
		{"req-aaaa", []string{request}, []string{}},
		{"req-c", []string{proof}, nil}, // the request of a proofing
		{"pid_qua", []string{proof}, nil},
		{"ses-alone", []string{alone}, nil},
		{"northern lake", []string{facility}, nil},
		{`"lake"`, []string{facility}, nil},
		{"hospital northern zzz", []string{}, nil},
		{"crowd", []string{"/patients/crowd-8", "/patients/crowd-7", "/patients/crowd-6", "/patients/crowd-5", "/patients/crowd-4", "/patients?q=crowd"}, nil},
		{"req-many", []string{"/admin/inbox?request=req-many-0", "/admin/inbox?request=req-many-1", "/admin/inbox?request=req-many-2", "/admin/inbox?request=req-many-3", "/admin/inbox?request=req-many-4", "/admin/inbox?q=req-many"}, []string{}},
		{"facility", []string{}, nil}, // the name of a group is no word
		{"x", []string{}, nil},
		{"", []string{}, nil},
	} {
		for _, b := range []*webtest.Browser{admin, viewer} {
			want := test.admin
			if b == viewer && test.viewer != nil {
				want = test.viewer
			}
			path := "/search?q=" + url.QueryEscape(test.text)
			resp, page := b.Get(t, path)
			if got := ids(t, page, ".row.hit a", "href"); resp.StatusCode != http.StatusOK || !slices.Equal(got, want) {
				t.Errorf("%q finds %q, want %q", test.text, got, want)
			}
			_, box := b.Send(t, http.MethodGet, path, nil, http.Header{"Hx-Request": {"true"}})
			if got := ids(t, box, "[role=option]", "href"); !slices.Equal(got, want) {
				t.Errorf("in the box %q finds %q, want %q", test.text, got, want)
			}
			if strings.Contains(box, "<html") {
				t.Error("the box gets a whole page")
			}
			if numbers := ids(t, box, "[role=option]", "id"); len(slices.Compact(slices.Clone(numbers))) != len(want) {
				t.Errorf("the hits have the ids %v", numbers)
			}
		}
	}
	// Nothing that is typed is an error, and nothing of it is markup.
	for _, text := range []string{
		`"`, `""`, `" OR "`, `a" OR kind : "facility`, `NEAR(a b)`, `*`, `^abc`, `abc*`, `-abc`, `kind:facility`, `{kind words}: abc`, `(`, `)`, `a AND`, `NOT`, `'; DROP TABLE patient; --`, `%%%`, `___`, `\\\`,
		"😀", "😀😀😀", "李明", "\x00\x00\x00", "\xff\xfe\xfd", "a\u202eb c", strings.Repeat("a ", 99), strings.Repeat("é", 100), strings.Repeat("x", 5000), hostile,
	} {
		resp, page := admin.Get(t, "/search?q="+url.QueryEscape(text))
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%.60q answers %s", text, resp.Status)
		}
		if strings.Contains(page, "<script>alert") || strings.Contains(page, "<img src=x") {
			t.Errorf("%.60q becomes markup", text)
		}
		if title, _ := between(page, "<title>", "</title>"); title != "Search · Carebell" {
			t.Errorf("%.60q: the title is %q", text, title)
		}
	}
	_, from := auditsAfter(t, s, 0)
	admin.Get(t, "/search?q=quill")
	admin.Get(t, "/search")
	admin.Get(t, "/search?q=x")
	if noted, _ := auditsAfter(t, s, from); !slices.Equal(noted, []string{"search||everything"}) {
		t.Errorf("one search, a page and a letter are noted as %q", noted)
	}
	if strings.Contains(s.Log.String(), "quill") {
		t.Error("the log tells what was searched for")
	}
}

// TestIndexNamesAThingOnce: what is indexed again is found by its new words alone.
func TestIndexNamesAThingOnce(t *testing.T) {
	s := webtest.Start(t)
	find := func(text string) (out []db.Hit) {
		t.Helper()
		if err := s.DB.Read(t.Context(), func(v db.Snapshot) (err error) {
			out, err = v.Search(t.Context(), "thing", text, 10)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, words := range []string{"old words\nbehind", "new words\nbefore", "new words\nbefore"} {
		if err := s.DB.Write(t.Context(), func(tx *db.Tx) error { return tx.Index(t.Context(), "thing", "1", "p", words) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.DB.Write(t.Context(), func(tx *db.Tx) error { return tx.Index(t.Context(), "another thing", "1", "", "new words") }); err != nil {
		t.Fatal(err)
	}
	if got := find("words"); len(got) != 1 || got[0].Words != "new words\nbefore" || got[0].Patient.ID != "p" {
		t.Errorf("found %v", got)
	}
	if len(find("behind")) != 0 || len(find("before")) != 1 || len(find("ne")) != 0 || len(find("words ne")) != 1 {
		t.Error("the words are not those of the last time")
	}
}

// TestSearchFindsTextsDrugsAndTests: the text of a message, a drug that was filled and a test that was made are found
// without accents; drugs and tests lead to the feed, which finds the same. The box that matches a message finds patients as
// the search does.
func TestSearchFindsTextsDrugsAndTests(t *testing.T) {
	s := webtest.Start(t)
	for i, body := range []string{
		`{"meta":{"messageId":"a","when":"2026-11-20T10:00:00.000Z","type":"message.received"},"payload":{"messageId":"m-1","subject":"Question","from":{"name":"Clinic"},"body":"Her café visit about wheezing"}}`,
		`{"meta":{"messageId":"b","when":"2026-11-20T10:00:00.000Z","type":"patient.admit"},"payload":{"patientId":"pat-zoe","externalId":"EXT-1"}}`,
	} {
		if status, answer := s.Post(t, []byte(body)); status != http.StatusOK {
			t.Fatalf("body %d: %d %s", i, status, answer)
		}
	}
	s.Settled(t)
	save := func(facts string) {
		t.Helper()
		if err := s.DB.Write(t.Context(), func(tx *db.Tx) error {
			id, err := db.NotificationID(2, 0)
			if err != nil {
				return err
			}
			return tx.SaveNotificationFacts(t.Context(), db.NotificationFacts{ID: id, Facts: []byte(facts)})
		}); err != nil {
			t.Fatal(err)
		}
	}
	save(`{"read":true,"fills":[{"drug":"Samplomycin 20 mg tablet"}],"panels":[{"name":"Rénal panel","results":[{"name":"Potassium"}]}]}`)
	if err := s.DB.Write(t.Context(), func(tx *db.Tx) error {
		return tx.SaveIdentity(t.Context(), 2, db.Identity{PatientID: "pat-zoe", Name: "Zoë Núñez", BirthDate: "1962-03-14", Phone: "(312) 555-0134"})
	}); err != nil {
		t.Fatal(err)
	}
	b := s.SignedIn(t, "ann@clinic.example", db.Coordinator)
	const potassium, zoe = "/?q=Potassium&state=all", "/patients/pat-zoe"
	for text, want := range map[string]string{
		"wheezing cafe": "/messages/1", "potassium": potassium, "samplomycin": "/?q=Samplomycin+20+mg+tablet&state=all", "renal": "/?q=R%C3%A9nal+panel&state=all",
		"nunez, zoe": zoe, "3/14/62": zoe, "312.555.0134": zoe,
	} {
		_, page := b.Get(t, "/search?q="+url.QueryEscape(text))
		if got := ids(t, page, ".row.hit a", "href"); !slices.Equal(got, []string{want}) {
			t.Errorf("%q finds %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{"Nunez, Zoe", "March 14 1962", "+1 312 555 0134", "ext-1"} {
		if _, found := b.Get(t, "/messages/1/match?q="+url.QueryEscape(text)); !strings.Contains(found, "pat-zoe") {
			t.Errorf("%q finds nobody to match a message with", text)
		}
	}
	for _, text := range []string{"potassium", "renal", "samplomycin tablet", "Rénal panel"} {
		if _, feed := b.Get(t, "/?state=all&q="+url.QueryEscape(text)); !strings.Contains(feed, zoe) {
			t.Errorf("the feed does not find %q", text)
		}
	}
	save(`{"read":true,"panels":[{"name":"Lipids"}]}`) // the file was read again
	for text, want := range map[string][]string{"potassium": {}, "lipids": {"/?q=Lipids&state=all"}} {
		_, page := b.Get(t, "/search?q="+text)
		if got := ids(t, page, ".row.hit a", "href"); !slices.Equal(got, want) {
			t.Errorf("%q finds %q, want %q", text, got, want)
		}
	}
}
