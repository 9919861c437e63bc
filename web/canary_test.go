package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"carebell/db"
	"carebell/web/metriport"
	"carebell/web/webtest"
)

// canaries are what must never leave the pages: a name, a birth date, ids, a presigned URL, what a person searched for.
var canaries = []string{
	"Zebulon", "Quagmire", "1931-07-13", "EXT-canary-77", "ALIAS-canary-88", "PATIENT-canary-99", "canary-bucket", "canary-signature",
	"canary-reason", "canary-facility", "REQUEST-canary", "canary-password",
}

const canaryPatient = `"patientId":"PATIENT-canary-99","externalId":"EXT-canary-77","additionalIds":{"mrn":["ALIAS-canary-88"]},` +
	`"name":"Zebulon Quagmire","birthDate":"1931-07-13","url":"https://canary-bucket.s3.amazonaws.com/x?X-Amz-Signature=canary-signature",` +
	`"reason":"canary-reason","transfers":[{"timestamp":"2026-11-20T10:00:00Z","sourceLocation":{"name":"canary-facility"},"destinationLocation":{"name":"canary-facility"}}]`

// canaryBodies are messages of every kind of fate, full of canaries.
func canaryBodies() []string {
	var out []string
	for i, kind := range metriport.Types {
		out = append(out, fmt.Sprintf(`{"meta":{"messageId":"c-%d","requestId":"REQUEST-canary","when":"2026-11-20T10:00:00Z","type":%q,"data":{"name":"Zebulon"}},"payload":{%s},"patients":[{%s}],"bulkPatientCreate":{"reason":"canary-reason"}}`,
			i, kind, canaryPatient, canaryPatient))
	}
	return append(out,
		`{"meta":{"messageId":"c-unknown","type":"canary-reason"},"payload":{`+canaryPatient+`}}`,
		`{"meta":{"messageId":"c-failed-1","type":"patient.admit"},"payload":"Zebulon Quagmire"}`,
		`{"meta":{"messageId":"c-failed-2","type":"patient.admit"},"payload":{"patientId":"PATIENT-canary-99","patientId":"Zebulon"}}`,
		`{"meta":{"messageId":"c-failed-3","type":"patient.admit"},"payload":{"Zebulon Quagmire":1,"Zebulon Quagmire":2}}`,
		`{"meta":{"messageId":"c-failed-4","type":"patient.admit"},"payload":{"name":"Zebulon"}}`,
		`{"meta":{"messageId":"c-failed-5","type":"medical.document-conversion"},"patients":["Zebulon",{"patientId":"PATIENT-canary-99"}]}`,
		`{"meta":{"type":"patient.admit"},"payload":{`+canaryPatient+`}}`,
		`{"meta":{"messageId":"c-malformed","type":"patient.admit"},"payload":{"name":"Zebulon `, // cut off
		`{"Zebulon":"Quagmire",}`,
		`Zebulon Quagmire, born 1931-07-13`,
		`{"Zebulon":1,"meta":{"Zebulon":2,"Zebulon":3}}`,
	)
}

// TestCanariesStayInside sends canaries in every way in, and looks for them in the log, in refusals, in the addresses
// that people are led to, in page titles, and in what the inbox says of messages that failed.
func TestCanariesStayInside(t *testing.T) {
	s := webtest.Start(t)
	admin := s.SignedIn(t, "admin@clinic.example", db.Admin)
	stranger := s.Browser()
	for _, body := range canaryBodies() {
		if status, answer := s.Post(t, []byte(body)); status != http.StatusOK || found(answer) != "" {
			t.Errorf("a signed message is answered %d %q", status, answer)
		}
		for _, signature := range []string{"", "Zebulon", metriport.Sign("wrong", []byte(body))} {
			if status, answer := s.PostSigned(t, []byte(body), signature); status != http.StatusUnauthorized || found(answer) != "" {
				t.Errorf("an unsigned message is answered %d %q", status, answer)
			}
		}
	}
	s.Settled(t)
	for _, m := range s.Messages(t) {
		if c := found(m.Error); c != "" {
			t.Errorf("message %d, which is %s, says %q", m.Seq, m.Status, m.Error)
		}
	}

	titled := 0
	visit := func(b *webtest.Browser, method, path string, form url.Values, headers http.Header) {
		t.Helper()
		h := http.Header{"Sec-Fetch-Site": {"same-origin"}, "Content-Type": {"application/x-www-form-urlencoded"}}
		for k, v := range headers {
			h[k] = v
		}
		resp, page := b.Send(t, method, path, strings.NewReader(form.Encode()), h)
		asked, _, _ := strings.Cut(path, "?")
		back := "/login?next=" + url.QueryEscape(asked) // a stranger is led back to where they wanted to go, without what they searched for
		where := fmt.Sprintf("%s %s as %v (%d)", method, path, h, resp.StatusCode)
		for name, values := range resp.Header {
			if c := found(strings.Join(values, " ")); c != "" && (name != "Location" || values[0] != back) {
				t.Errorf("%s: the header %s is %q", where, name, values)
			}
		}
		if c := found(page); resp.StatusCode >= 400 && c != "" {
			t.Errorf("%s: the refusal has %s in it:\n%s", where, c, page)
		}
		if !strings.Contains(resp.Header.Get("Content-Type"), "html") || page == "" {
			return
		}
		doc, err := goquery.NewDocumentFromReader(strings.NewReader(page))
		if err != nil {
			t.Fatal(err)
		}
		if title := doc.Find("title").Text(); title != "" {
			titled++
			if c := found(title); c != "" {
				t.Errorf("%s: the title is %q", where, title)
			}
		}
		if strings.Contains(path, "q=") { // what a person searched for stands in the address, and in the filters beside it
			return
		}
		doc.Find("form[method=get], a, [hx-get]").Each(func(_ int, e *goquery.Selection) { // addresses carry no names
			for _, a := range []string{"href", "hx-get", "action"} {
				if v, _ := e.Attr(a); strings.Contains(v, "1931-07-13") || strings.Contains(v, "EXT-canary") || strings.Contains(v, "ALIAS-canary") {
					t.Errorf("%s: an address is %s", where, v)
				}
			}
		})
	}
	q := url.QueryEscape("Zebulon Quagmire 1931-07-13")
	for _, b := range []*webtest.Browser{admin, stranger} {
		for _, h := range []http.Header{{}, {"Hx-Request": {"true"}}, {"Accept": {"application/json"}}, {"Referer": {s.URL + "/?q=" + q}}, {"User-Agent": {"Zebulon"}}, {"X-Forwarded-For": {"Zebulon"}}} {
			for _, path := range []string{
				"/", "/?state=all", "/?state=all&q=" + q, "/?q=EXT-canary-77", "/?kind=" + q, "/?state=" + q, "/?before=" + q, "/?q=" + strings.Repeat("Zebulon", 40),
				"/patients", "/patients?q=" + q, "/patients?before=" + q, "/patients?q=" + strings.Repeat("Zebulon", 40), "/patients/PATIENT-canary-99", "/patients/Zebulon", "/patients/PATIENT-canary-99?before=" + q,
				"/Zebulon/Quagmire?q=" + q, "/static/Zebulon", "/setup?token=Zebulon", "/live?view=" + q + "&since=" + q, "/live?view=patient&id=Zebulon", "/healthz?q=" + q, "/webhooks/metriport?q=" + q,
			} {
				visit(b, http.MethodGet, path, nil, h)
			}
			visit(b, http.MethodPost, "/notifications/Zebulon/mark", url.Values{"state": {"seen"}}, h)
			visit(b, http.MethodPost, "/notifications/1024/mark?on=Zebulon", url.Values{"state": {"Zebulon"}}, h)
			visit(b, http.MethodPost, "/login", url.Values{"email": {"nobody@clinic.example"}, "password": {"canary-password"}}, h)
			visit(b, http.MethodPost, "/setup", url.Values{"token": {"Zebulon"}, "email": {"Quagmire"}, "password": {"canary-password"}}, h)
			visit(b, http.MethodPost, "/login", url.Values{"email": {"x"}, "password": {strings.Repeat("canary-password", 9000)}}, h)
			visit(b, http.MethodPost, "/patients/Zebulon", url.Values{"name": {"Zebulon"}}, h)
			visit(b, http.MethodPost, "/Zebulon", url.Values{"name": {"Zebulon"}}, http.Header{"Sec-Fetch-Site": {"cross-site"}})
			visit(b, http.MethodPost, "/logout", nil, http.Header{"Origin": {"https://Zebulon.example"}, "Sec-Fetch-Site": nil})
			s.Clock.Advance(14 * 60e9) // the wrong passwords above
			admin.Get(t, "/")
		}
	}
	if titled < 50 {
		t.Errorf("only %d pages had a title", titled)
	}
	conn := mustDial(t, s, admin, "view=feed&q="+q+"&since=0")
	next(t, conn)
	_ = conn.Close()

	// And when something breaks inside.
	if _, err := openFile(t, s.Dir).ExecContext(t.Context(), "DROP TABLE notification"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/?q=" + q, "/?state=all&q=EXT-canary-77", "/patients/PATIENT-canary-99"} {
		if resp, _ := admin.Get(t, path); resp.StatusCode != http.StatusInternalServerError {
			t.Errorf("without its table %s answers %d", path, resp.StatusCode)
		}
		visit(admin, http.MethodGet, path, nil, nil)
		visit(admin, http.MethodGet, path, nil, http.Header{"Hx-Request": {"true"}})
	}
	s.Post(t, []byte(strings.NewReplacer("c-13", "c-after", "REQUEST-canary", "REQUEST-canary-after").Replace(canaryBodies()[13]))) // another event
	waitFor(t, "the projector to complain", func() bool { return strings.Contains(s.Log.String(), "chart") })

	for _, text := range strings.Split(s.Log.String(), "\n") {
		if c := found(text); c != "" {
			t.Errorf("the log has %s: %s", c, text)
		}
		for _, secret := range []string{webtest.Key, webtest.Password} {
			if strings.Contains(text, secret) {
				t.Errorf("the log tells a secret: %s", text)
			}
		}
	}
	if !strings.Contains(s.Log.String(), "messageId=c-0") {
		t.Error("the log does not name the messages: the test did not test")
	}
}

// found returns the canary that is in text, however its case.
func found(text string) string {
	text = strings.ToLower(text)
	for _, c := range canaries {
		if strings.Contains(text, strings.ToLower(c)) || strings.Contains(text, strings.ToLower(url.QueryEscape(c))) {
			return c
		}
	}
	return ""
}
