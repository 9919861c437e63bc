package web_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/web"
	"carebell/web/care"
	"carebell/web/intake"
	"carebell/web/metriport"
	"carebell/web/sim"
	"carebell/web/webtest"
)

// canary is a word that must come back in no answer and stand in no log.
const canary = "Zebulon-Quagmire"

// message is a signed-looking body with this id and type, and a patient.
func message(id, kind string) string {
	return fmt.Sprintf(`{"meta":{"messageId":%q,"when":"2026-11-20T10:00:00.000Z","type":%q},"payload":{"patientId":"p-1","externalId":%q,"admitTimestamp":"2026-11-20T09:00:00Z"}}`, id, kind, canary)
}

// hashID is the identity of a message whose own cannot be trusted.
func hashID(body string) string {
	sum := sha256.Sum256([]byte(body))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// row is what a scenario expects in the inbox.
type row struct {
	id, kind string
	status   db.Status
}

// scenario is one request to the webhook's address and all that follows from it.
type scenario struct {
	name     string
	method   string // POST where empty
	path     string // the webhook's where empty
	headers  http.Header
	body     string
	unsigned bool // leave the signature out
	status   int
	want     []string // in the answer
	wantNot  []string // not in the answer, beside the canary
	rows     []row    // new in the inbox
}

var scenarios = []scenario{
	// The ping.
	{name: "a ping is answered with its word", body: `{"ping":"abc123","meta":{"messageId":"ping-1","when":"2026-11-20T10:00:00.000Z","type":"ping"}}`,
		status: 200, want: []string{`{"pong":"abc123"}`}, rows: []row{{"ping-1", "ping", db.StatusProcessed}}},
	{name: "a ping's word is answered to the letter: other scripts and white space", body: `{"meta":{"messageId":"ping-2","type":"ping"},"ping":"  Größe 漢字 🔔\t\n\"<&>\u0000\u2028  "}`,
		status: 200, rows: []row{{"ping-2", "ping", db.StatusProcessed}}},
	{name: "a ping's word of digits is answered", body: `{"meta":{"messageId":"ping-3","type":"ping"},"ping":12345678901234567890}`,
		status: 200, want: []string{`{"pong":"12345678901234567890"}`}, rows: []row{{"ping-3", "ping", db.StatusProcessed}}},
	{name: "a ping without a word is taken", body: `{"meta":{"messageId":"ping-4","type":"ping"},"ping":null}`,
		status: 200, wantNot: []string{"pong"}, rows: []row{{"ping-4", "ping", db.StatusProcessed}}},

	// Who is let in.
	{name: "no signature", body: message("no-1", "patient.admit"), unsigned: true, status: 401, want: []string{"not signed"}},
	{name: "an empty signature", body: message("no-2", "patient.admit"), headers: http.Header{"X-Metriport-Signature": {""}}, status: 401},
	{name: "the signature of another key", body: message("no-3", "patient.admit"), headers: signature("other-key", message("no-3", "patient.admit")), status: 401, want: []string{"fits no webhook key"}},
	{name: "the signature of another body", body: message("no-4", "patient.admit"), headers: signature(webtest.Key, message("no-5", "patient.admit")), status: 401},
	{name: "the signature in upper case", body: message("no-6", "patient.admit"), headers: http.Header{"X-Metriport-Signature": {strings.ToUpper(metriport.Sign(webtest.Key, []byte(message("no-6", "patient.admit"))))}}, status: 401},
	{name: "the beginning of the signature", body: message("no-7", "patient.admit"), headers: http.Header{"X-Metriport-Signature": {metriport.Sign(webtest.Key, []byte(message("no-7", "patient.admit")))[:63]}}, status: 401},
	{name: "more than the signature", body: message("no-8", "patient.admit"), headers: http.Header{"X-Metriport-Signature": {metriport.Sign(webtest.Key, []byte(message("no-8", "patient.admit"))) + "0"}}, status: 401},
	{name: "the signature with a scheme before it", body: message("no-9", "patient.admit"), headers: http.Header{"X-Metriport-Signature": {"sha256=" + metriport.Sign(webtest.Key, []byte(message("no-9", "patient.admit")))}}, status: 401},
	{name: "a signature that is not text", body: message("no-10", "patient.admit"), headers: http.Header{"X-Metriport-Signature": {"\xff\xfe" + canary}}, status: 401},
	{name: "a signature made with no key at all", body: message("no-11", "patient.admit"), headers: signature("", message("no-11", "patient.admit")), status: 401},

	// How it must come.
	{name: "gzip is refused before anything is inflated", body: message("enc-1", "patient.admit"), headers: http.Header{"Content-Encoding": {"gzip"}}, status: 415},
	{name: "brotli is refused", body: message("enc-2", "patient.admit"), headers: http.Header{"Content-Encoding": {"br"}}, status: 415},
	{name: "identity is refused too", body: message("enc-3", "patient.admit"), headers: http.Header{"Content-Encoding": {"identity"}}, status: 415},
	{name: "GET is not for the hook", method: "GET", status: 405, wantNot: []string{"<"}},
	{name: "PUT is not for the hook", method: "PUT", body: message("m-1", "patient.admit"), status: 405, wantNot: []string{"<"}},
	{name: "DELETE is not for the hook", method: "DELETE", status: 405, wantNot: []string{"<"}},
	{name: "PATCH is not for the hook", method: "PATCH", body: message("m-2", "patient.admit"), status: 405, wantNot: []string{"<"}},
	{name: "a slash at the end is another address", path: intake.Path + "/", body: message("path-1", "patient.admit"), status: 404, wantNot: []string{"<"}},
	{name: "other case is another address", path: "/Webhooks/Metriport", body: message("path-2", "patient.admit"), status: 404, wantNot: []string{"<"}},
	{name: "an address below is another address", path: intake.Path + "/" + canary, body: message("path-3", "patient.admit"), status: 404, wantNot: []string{"<"}},
	{name: "a query changes nothing", path: intake.Path + "?a=b", body: message("query-1", "patient.admit"), status: 200, rows: []row{{"query-1", "patient.admit", db.StatusProcessed}}},
	{name: "the content type does not matter", body: message("type-1", "patient.admit"), headers: http.Header{"Content-Type": {"text/plain"}}, status: 200, rows: []row{{"type-1", "patient.admit", db.StatusProcessed}}},
	{name: "a form's content type does not matter", body: message("type-2", "patient.admit"), headers: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, status: 200, rows: []row{{"type-2", "patient.admit", db.StatusProcessed}}},
	{name: "a foreign origin does not matter to a program", body: message("origin-1", "patient.admit"), headers: http.Header{"Origin": {"https://elsewhere.example"}, "Sec-Fetch-Site": {"cross-site"}}, status: 200, rows: []row{{"origin-1", "patient.admit", db.StatusProcessed}}},

	// Odd, but signed: never refused.
	{name: "an unknown type is kept", body: message("odd-1", "patient.teleported"), status: 200, rows: []row{{"odd-1", "patient.teleported", db.StatusUnrecognized}}},
	{name: "a known type in other case is unknown", body: message("odd-2", "Patient.Admit"), status: 200, rows: []row{{"odd-2", "Patient.Admit", db.StatusUnrecognized}}},
	{name: "unknown fields are ignored", body: `{"version":2,"meta":{"messageId":"odd-3","type":"patient.admit","extra":{"a":[1]},"data":{"k":"v"}},"payload":{"patientId":"p-1","news":[{}]},"more":null}`,
		status: 200, rows: []row{{"odd-3", "patient.admit", db.StatusProcessed}}},
	{name: "null where a string was expected", body: `{"meta":{"messageId":"odd-4","requestId":null,"when":null,"data":null,"type":"patient.admit"},"payload":{"patientId":"p-1","externalId":null,"additionalIds":null,"url":null,"admitTimestamp":null,"transfers":null}}`,
		status: 200, rows: []row{{"odd-4", "patient.admit", db.StatusProcessed}}},
	{name: "other shapes where a string was expected", body: `{"meta":{"messageId":"odd-5","requestId":{"a":1},"when":[],"type":"patient.transfer"},"payload":{"patientId":"p-1","externalId":{"x":1},"additionalIds":["x"],"url":false,"admitTimestamp":5,"transfers":{"a":1}}}`,
		status: 200, rows: []row{{"odd-5", "patient.transfer", db.StatusProcessed}}},
	{name: "white space around ids and types", body: "{\"meta\":{\"messageId\":\" \\todd-6\\n\",\"type\":\" patient.admit \"},\"payload\":{\"patientId\":\" p-1 \"}}",
		status: 200, rows: []row{{"odd-6", "patient.admit", db.StatusProcessed}}},
	{name: "white space around the JSON", body: "\r\n\t " + message("odd-7", "patient.admit") + "\n\n", status: 200, rows: []row{{"odd-7", "patient.admit", db.StatusProcessed}}},
	{name: "numbers as ids", body: `{"meta":{"messageId":1234567890123456789,"requestId":7,"type":"patient.admit"},"payload":{"patientId":42,"externalId":43}}`,
		status: 200, rows: []row{{"1234567890123456789", "patient.admit", db.StatusProcessed}}},
	{name: "a time that is none", body: `{"meta":{"messageId":"odd-8","when":"yesterday","type":"patient.admit"},"payload":{"patientId":"p-1","admitTimestamp":"99999-01-01T00:00:00Z"}}`,
		status: 200, rows: []row{{"odd-8", "patient.admit", db.StatusProcessed}}},
	{name: "members in another order", body: `{"payload":{"patientId":"p-1"},"meta":{"type":"patient.admit","messageId":"odd-9"}}`, status: 200, rows: []row{{"odd-9", "patient.admit", db.StatusProcessed}}},
	{name: "a byte order mark", body: "\xef\xbb\xbf" + message("odd-10", "patient.admit"), status: 200, rows: []row{{"odd-10", "patient.admit", db.StatusProcessed}}},
	{name: "bytes that are not UTF-8 inside a string", body: `{"meta":{"messageId":"odd-11","type":"patient.admit"},"payload":{"patientId":"p-1","externalId":"` + "\xff\xfe" + `"}}`,
		status: 200, rows: []row{{"odd-11", "patient.admit", db.StatusProcessed}}},
	{name: "names that only look like meta's, deeper down", body: `{"meta":{"messageId":"odd-12","type":"patient.admit","data":{"messageId":"c","META":{"messageId":"c"}}},"payload":{"patientId":"p-1","meta":{"messageId":"c"}}}`,
		status: 200, rows: []row{{"odd-12", "patient.admit", db.StatusProcessed}}},
	{name: "no payload", body: `{"meta":{"messageId":"odd-13","type":"patient.admit"}}`, status: 200, rows: []row{{"odd-13", "patient.admit", db.StatusFailed}}},
	{name: "a payload that is null", body: `{"meta":{"messageId":"odd-14","type":"patient.admit"},"payload":null}`, status: 200, rows: []row{{"odd-14", "patient.admit", db.StatusFailed}}},
	{name: "a payload that is a string", body: `{"meta":{"messageId":"odd-15","type":"patient.admit"},"payload":"` + canary + `"}`, status: 200, rows: []row{{"odd-15", "patient.admit", db.StatusFailed}}},
	{name: "an event without a patient", body: `{"meta":{"messageId":"odd-16","type":"patient.admit"},"payload":{}}`, status: 200, rows: []row{{"odd-16", "patient.admit", db.StatusFailed}}},
	{name: "a field twice", body: `{"meta":{"messageId":"odd-17","type":"patient.admit"},"payload":{"patientId":"a","patientId":"b"}}`, status: 200, rows: []row{{"odd-17", "patient.admit", db.StatusFailed}}},

	// Malformed: kept under the hash of the body.
	malformed("not JSON", canary+" was admitted"),
	malformed("nothing at all", ""),
	malformed("a list", "[]"),
	malformed("a list of messages", "["+message("c", "patient.admit")+"]"),
	malformed("null", "null"),
	malformed("a string", `"`+canary+`"`),
	malformed("zeros", "\x00\x00\x00"),
	malformed("only a byte order mark", "\xef\xbb\xbf"),
	malformed("UTF-16", "\xff\xfe{\x00}\x00"),
	malformed("cut off", message("c", "patient.admit")[:80]),
	malformed("something after the JSON", message("c", "patient.admit")+"{}"),
	malformed("100,000 lists within each other", `{"meta":{"messageId":"c","type":"patient.admit"},"x":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)+`}`),
	malformed("100,000 objects within each other in meta", `{"meta":{"messageId":"c","type":"patient.admit","data":`+strings.Repeat(`{"a":`, 100_000)+"1"+strings.Repeat("}", 100_000)+`}}`),
	malformed("no meta", `{"payload":{"patientId":"p-1"}}`),
	malformed("meta is null", `{"meta":null}`),
	malformed("meta is a list", `{"meta":[{"messageId":"c","type":"patient.admit"}]}`),
	malformed("no messageId", `{"meta":{"type":"patient.admit"},"payload":{"patientId":"p-1"}}`),
	malformed("a messageId of nothing but white space", `{"meta":{"messageId":" \n ","type":"patient.admit"}}`),
	malformed("a messageId that is an object", `{"meta":{"messageId":{"a":"c"},"type":"patient.admit"}}`),
	malformed("a messageId that is true", `{"meta":{"messageId":true,"type":"patient.admit"}}`),
	malformed("a messageId with a NUL", `{"meta":{"messageId":"c\u0000d","type":"patient.admit"}}`),
	malformed("a messageId that is not UTF-8", "{\"meta\":{\"messageId\":\"c\xff\",\"type\":\"patient.admit\"}}"),
	malformed("a messageId that is too long", `{"meta":{"messageId":"`+strings.Repeat("c", 513)+`","type":"patient.admit"}}`),
	malformed("no type", `{"meta":{"messageId":"c"}}`),
	malformed("a type that is a list", `{"meta":{"messageId":"c","type":["patient.admit"]}}`),
	malformed("meta twice", `{"meta":{"messageId":"a","type":"patient.admit"},"meta":{"messageId":"c","type":"patient.admit"}}`),
	malformed("meta again in upper case", `{"meta":{"messageId":"a","type":"patient.admit"},"META":{"MESSAGEID":"c"}}`),
	malformed("meta in another case only", `{"Meta":{"messageId":"c","type":"patient.admit"}}`),
	malformed("meta spelled with a letter that folds to one of it", "{\"meta\":{\"messageId\":\"a\",\"type\":\"patient.admit\"},\"me\\u0074A\":{\"messageId\":\"c\"}}"),
	malformed("messageId twice", `{"meta":{"messageId":"a","messageId":"c","type":"patient.admit"}}`),
	malformed("messageId twice, once escaped", `{"meta":{"messageId":"a","message\u0049d":"c","type":"patient.admit"}}`),
	malformed("messageId again in another case", `{"meta":{"messageId":"a","MessageID":"c","type":"patient.admit"}}`),
	malformed("messageId spelled with the long s that folds to s", "{\"meta\":{\"messageId\":\"a\",\"me\u017f\u017fageId\":\"c\",\"type\":\"patient.admit\"}}"),
	malformed("type twice", `{"meta":{"messageId":"c","type":"patient.admit","type":"ping"}}`),
	malformed("type again in another case", `{"meta":{"messageId":"c","type":"patient.admit","TYPE":"ping"}}`),
}

func signature(key, body string) http.Header {
	return http.Header{"X-Metriport-Signature": {metriport.Sign(key, []byte(body))}}
}

// malformed is a body that is signed and taken, under the hash of the body; nothing of its envelope is believed.
func malformed(name, body string) scenario {
	return scenario{name: "malformed: " + name, body: body, status: 200, rows: []row{{hashID(body), "", db.StatusMalformed}}}
}

// TestWebhook is the contract of the hook: what is answered, and what is then in the inbox, byte for byte.
func TestWebhook(t *testing.T) {
	s := webtest.Start(t)
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			before := len(s.Messages(t))
			resp, answer := sc.send(t, s.URL)
			if resp.StatusCode != sc.status {
				t.Errorf("answered %d %q, want %d", resp.StatusCode, answer, sc.status)
			}
			for _, w := range sc.want {
				if !strings.Contains(answer, w) {
					t.Errorf("the answer is %q, without %q", answer, w)
				}
			}
			for _, w := range append(sc.wantNot, canary) {
				if strings.Contains(answer, w) || strings.Contains(fmt.Sprint(resp.Header), w) {
					t.Errorf("the answer has %q in it: %q %v", w, answer, resp.Header)
				}
			}
			if sc.status >= 400 && !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
				t.Errorf("a program gets %s", resp.Header.Get("Content-Type"))
			}
			if loc := resp.Header.Get("Location"); loc != "" {
				t.Errorf("the sender is led to %q", loc)
			}
			s.Settled(t)
			got := s.Messages(t)[before:]
			if len(got) != len(sc.rows) {
				t.Fatalf("%d new rows in the inbox, want %d: %+v", len(got), len(sc.rows), got)
			}
			for i, want := range sc.rows {
				m := got[i]
				if m.MessageID != want.id || m.RequestID != "" && m.Status == db.StatusMalformed || m.Type != want.kind || m.Status != want.status {
					t.Errorf("the inbox has id %q, type %q, %s (%s); want %+v", m.MessageID, m.Type, m.Status, m.Error, want)
				}
				if (m.Error == "") != (m.Status == db.StatusProcessed || m.Status == db.StatusUnrecognized) || strings.Contains(m.Error, canary) {
					t.Errorf("a message that is %s says %q", m.Status, m.Error)
				}
				if body := bodyOf(t, s, m.Seq); body != sc.body {
					t.Errorf("the body is not kept byte for byte: %d bytes, want %d", len(body), len(sc.body))
				}
			}
		})
	}
	if strings.Contains(s.Log.String(), canary) {
		t.Error("the log quotes a body")
	}
}

func (sc scenario) send(t *testing.T, base string) (*http.Response, string) {
	t.Helper()
	method, path := sc.method, sc.path
	if method == "" {
		method = http.MethodPost
	}
	if path == "" {
		path = intake.Path
	}
	req, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(sc.body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/json, text/plain, */*")
	if sc.path == "" {
		req.Header.Set("Accept", "text/html") // the hook answers a program whatever it asks for
	}
	req.Header.Set("Content-Type", "application/json")
	if !sc.unsigned {
		req.Header.Set(metriport.SignatureHeader, metriport.Sign(webtest.Key, []byte(sc.body)))
	}
	for k, v := range sc.headers {
		req.Header[k] = v
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func TestPongIsTheExactWord(t *testing.T) {
	s := webtest.Start(t)
	for i, word := range []string{
		"0f8fad5b-d9cb-469f-a165-70867728950e", " ", "  white space around \t\n", "Größe", "漢字", "🔔🔔", `"quotes" and \ slashes /`,
		"<script>&amp;</script>", "\u0000\u001f\u007f", "\u2028\u2029", strings.Repeat("long ", 2000),
	} {
		body, err := json.Marshal(map[string]any{"ping": word, "meta": map[string]string{"messageId": fmt.Sprint("ping-", i), "type": "ping"}})
		if err != nil {
			t.Fatal(err)
		}
		status, answer := s.Post(t, body)
		var got map[string]string
		if err := json.Unmarshal([]byte(answer), &got); err != nil || status != http.StatusOK {
			t.Fatalf("answered %d %q", status, answer)
		}
		if len(got) != 1 || got["pong"] != word {
			t.Errorf("the pong is %q, want %q", got, word)
		}
	}
}

// TestBitFlipsAreRefused turns every bit of a body, of its signature and of the key.
func TestBitFlipsAreRefused(t *testing.T) {
	s := webtest.Start(t)
	client := &http.Client{}
	body := []byte(`{"meta":{"messageId":"flip","type":"ping"},"ping":"x"}`)
	post := func(b []byte, sig string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+intake.Path, bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		req.Header[http.CanonicalHeaderKey(metriport.SignatureHeader)] = []string{sig}
		resp, err := client.Do(req)
		if err != nil {
			return http.StatusUnauthorized // net/http itself refuses control characters in a header
		}
		defer func() { _ = resp.Body.Close() }()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	good := metriport.Sign(webtest.Key, body)
	for what, flips := range map[string][2][]byte{"body": {body, nil}, "signature": {[]byte(good), nil}, "key": {[]byte(webtest.Key), nil}} {
		original := flips[0]
		for i := range original {
			for bit := range 8 {
				turned := bytes.Clone(original)
				turned[i] ^= 1 << bit
				status := 0
				switch what {
				case "body":
					status = post(turned, good)
				case "signature":
					status = post(body, string(turned))
				case "key":
					status = post(body, metriport.Sign(string(turned), body))
				}
				if status != http.StatusUnauthorized && (what != "signature" || status != http.StatusBadRequest) {
					t.Fatalf("bit %d of byte %d of the %s turned: answered %d", bit, i, what, status)
				}
			}
		}
	}
	if n := len(s.Messages(t)); n != 0 {
		t.Errorf("%d messages with a wrong signature are in the inbox", n)
	}
	if status := post(body, good); status != http.StatusOK {
		t.Errorf("the right signature is answered %d", status)
	}
}

// TestRefusedRequestsAreCountedByReason stops the server and looks into its database: the counts are all that is left.
func TestRefusedRequestsAreCountedByReason(t *testing.T) {
	s := webtest.Start(t)
	body := []byte(message("refused", "patient.admit"))
	for range 3 {
		s.PostSigned(t, body, "")
	}
	for range 5 {
		s.PostSigned(t, body, metriport.Sign("another", body))
	}
	scenario{body: string(body), headers: http.Header{"Content-Encoding": {"gzip"}}}.send(t, s.URL)
	s.Stop(t)
	got := map[string]int{}
	d := openFile(t, s.Dir)
	rows, err := d.QueryContext(t.Context(), "SELECT reason, sum(n) FROM rejection GROUP BY reason")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var reason string
		var n int
		if err := rows.Scan(&reason, &n); err != nil {
			t.Fatal(err)
		}
		got[reason] = n
	}
	if rows.Err() != nil || len(got) != 3 || got["no signature"] != 3 || got["wrong signature"] != 5 || got["encoded"] != 1 {
		t.Errorf("counted %v (%v)", got, rows.Err())
	}
	var kept int
	if err := d.QueryRowContext(t.Context(), "SELECT (SELECT count(*) FROM inbox) + (SELECT count(*) FROM inbox_repeat)").Scan(&kept); err != nil || kept != 0 {
		t.Errorf("%d refused messages are kept (%v)", kept, err)
	}
	if strings.Contains(s.Log.String(), canary) || strings.Contains(s.Log.String(), metriport.Sign("another", body)) {
		t.Error("the log quotes a refused request")
	}
}

// openFile opens the database file of a data folder beside Carebell, or after it.
func openFile(t *testing.T, dir string) *sql.DB {
	t.Helper()
	d, err := sql.Open("sqlite", "file:"+filepath.Join(dir, db.FileName)+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	d.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func bodyOf(t *testing.T, s *webtest.Server, seq int64) string {
	t.Helper()
	var body []byte
	if err := s.DB.Read(t.Context(), func(v db.Snapshot) (err error) {
		body, err = v.Body(t.Context(), seq)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestTwoKeysAreInForceDuringARotation(t *testing.T) {
	clock := &webtest.Clock{}
	s := webtest.Start(t, func(c *web.Config) {
		c.Now = clock.Now
		c.Keys = []intake.Key{{Value: "old", Expires: clock.Now().Add(time.Hour)}, {Value: "new"}}
	})
	post := func(key, id string) int {
		body := []byte(message(id, "patient.admit"))
		status, _ := s.PostSigned(t, body, metriport.Sign(key, body))
		return status
	}
	for _, step := range []struct {
		key, id string
		want    int
	}{{"old", "a", 200}, {"new", "b", 200}, {webtest.Key, "c", 401}} {
		if got := post(step.key, step.id); got != step.want {
			t.Errorf("signed with %q before the expiry: %d, want %d", step.key, got, step.want)
		}
	}
	clock.Advance(time.Hour)
	if got := post("old", "d"); got != http.StatusUnauthorized {
		t.Errorf("the expired key: %d", got)
	}
	if got := post("new", "e"); got != http.StatusOK {
		t.Errorf("the key that stays: %d", got)
	}
	var keys []string
	if err := s.DB.Read(t.Context(), func(v db.Snapshot) error {
		rows, err := v.QueryContext(t.Context(), "SELECT key_id FROM inbox ORDER BY seq")
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var k string
			if err := rows.Scan(&k); err != nil {
				return err
			}
			keys = append(keys, k)
		}
		return rows.Err()
	}); err != nil {
		t.Fatal(err)
	}
	want := []string{intake.Key{Value: "old"}.ID(), intake.Key{Value: "new"}.ID(), intake.Key{Value: "new"}.ID()}
	if !slices.Equal(keys, want) {
		t.Errorf("the inbox says signed by %v, want %v", keys, want)
	}
}

func TestNoKeyRefusesEverything(t *testing.T) {
	s := webtest.Start(t, func(c *web.Config) { c.Keys = nil })
	body := []byte(message("a", "patient.admit"))
	for _, key := range []string{"", webtest.Key} {
		if status, _ := s.PostSigned(t, body, metriport.Sign(key, body)); status != http.StatusUnauthorized {
			t.Errorf("signed with %q: %d", key, status)
		}
	}
}

// TestLargestBody sends 32 MiB, which is taken, and more, which is refused so that the client can read why.
func TestLargestBody(t *testing.T) {
	s := webtest.Start(t)
	largest := []byte(`{"meta":{"messageId":"largest","type":"patient.admit"},"payload":{"patientId":"p-1"},"x":"`)
	for i := len(largest); i < intake.MaxBody-2; i++ {
		largest = append(largest, 'a'+byte((i*i>>7)%26))
	}
	largest = append(largest, `"}`...)
	if len(largest) != intake.MaxBody {
		t.Fatalf("the test's body has %d bytes", len(largest))
	}
	if status, answer := s.Post(t, largest); status != http.StatusOK {
		t.Fatalf("32 MiB: %d %s", status, answer)
	}
	s.Settled(t)
	m := s.Messages(t)
	if len(m) != 1 || m[0].MessageID != "largest" || m[0].Status != db.StatusProcessed {
		t.Fatalf("the inbox has %+v", m)
	}
	if bodyOf(t, s, m[0].Seq) != string(largest) {
		t.Error("32 MiB are not kept byte for byte")
	}

	refused := func(name string, body []byte, change func(*http.Request)) {
		t.Helper()
		for range 3 { // a reset comes now and then
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+intake.Path, bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set(metriport.SignatureHeader, strings.Repeat("0", 64))
			req.Header.Set("Accept", "text/html")
			change(req)
			resp, err := (&http.Client{Transport: &http.Transport{}}).Do(req)
			if err != nil {
				t.Errorf("%s: the client sees no answer: %v", name, err)
				return
			}
			answer, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(string(answer), "larger than") || strings.Contains(string(answer), "<") {
				t.Errorf("%s: answered %d %q (%v)", name, resp.StatusCode, answer, err)
			}
		}
	}
	over := append(bytes.Clone(largest), ' ')
	refused("one byte over", over, func(r *http.Request) {
		r.Header.Set(metriport.SignatureHeader, metriport.Sign(webtest.Key, over))
	})
	far := bytes.Repeat([]byte(" "), 60<<20)
	refused("60 MiB", far, func(*http.Request) {})
	refused("60 MiB in chunks", far, func(r *http.Request) { r.ContentLength = -1 })
	refused("after Expect: 100-continue", over, func(r *http.Request) { r.Header.Set("Expect", "100-continue") })

	small := []byte(message("after", "patient.admit"))
	if status, _ := s.Post(t, small); status != http.StatusOK {
		t.Errorf("a message after those is answered %d", status)
	}
	if n := len(s.Messages(t)); n != 2 {
		t.Errorf("%d messages are in the inbox", n)
	}
}

func TestChunkedBodyIsTaken(t *testing.T) {
	s := webtest.Start(t)
	body := []byte(message("chunked", "patient.admit") + strings.Repeat(" ", 300_000))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+intake.Path, io.MultiReader(bytes.NewReader(body[:100]), bytes.NewReader(body[100:])))
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = -1
	req.Header.Set(metriport.SignatureHeader, metriport.Sign(webtest.Key, body))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK || bodyOf(t, s, s.Messages(t)[0].Seq) != string(body) {
		t.Errorf("answered %d", resp.StatusCode)
	}
}

// TestSignedRequestWithoutABodyIsTaken: not even Content-Length, which no client library would leave out.
func TestSignedRequestWithoutABodyIsTaken(t *testing.T) {
	s := webtest.Start(t)
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReader(conn)
	for range 3 {
		if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\n%s: %s\r\n\r\n", intake.Path, metriport.SignatureHeader, metriport.Sign(webtest.Key, nil)); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("answered %d", resp.StatusCode)
		}
	}
	s.Settled(t)
	if m := s.Messages(t); len(m) != 1 || m[0].MessageID != hashID("") || m[0].Status != db.StatusMalformed || m[0].Deliveries != 3 {
		t.Errorf("the inbox has %+v", m)
	}
}

// failing is an inbox on a disk that is full.
type failing struct{}

var errFull = errors.New("database or disk is full")

func (failing) Append(context.Context, db.Received) (db.Receipt, error) { return db.Receipt{}, errFull }

func TestNotDurableIsNotAcknowledged(t *testing.T) {
	log := &webtest.Buffer{}
	accepted := 0
	r := &intake.Receiver{
		Keys: []intake.Key{{Value: webtest.Key}}, Inbox: failing{}, Now: time.Now, Log: slog.New(slog.NewTextHandler(log, nil)),
		Refused: &intake.Refusals{}, Accepted: func() { accepted++ },
	}
	app := fiber.New(fiber.Config{Immutable: true})
	app.Post(intake.Path, r.Handle)
	for _, body := range []string{message("full", "patient.admit"), `{"ping":"x","meta":{"messageId":"p","type":"ping"}}`, canary} {
		req := httptest.NewRequest(http.MethodPost, intake.Path, strings.NewReader(body))
		req.Header.Set(metriport.SignatureHeader, metriport.Sign(webtest.Key, []byte(body)))
		resp, err := app.Test(req, -1)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusServiceUnavailable || strings.Contains(string(answer), canary) || strings.Contains(string(answer), errFull.Error()) || strings.Contains(string(answer), "pong") {
			t.Errorf("answered %d %q", resp.StatusCode, answer)
		}
	}
	if accepted != 0 || len(r.Refused.Total()) != 0 {
		t.Errorf("%d counted as accepted, %v as refused", accepted, r.Refused.Total())
	}
	if !strings.Contains(log.String(), errFull.Error()) || strings.Contains(log.String(), canary) {
		t.Errorf("the log has %s", log)
	}
}

// TestRowThatCannotBeStoredCostsOnlyItself lets the database refuse one message of many sent at the same time.
func TestRowThatCannotBeStoredCostsOnlyItself(t *testing.T) {
	s := webtest.Start(t)
	d := openFile(t, s.Dir)
	if _, err := d.ExecContext(t.Context(), `CREATE TRIGGER refuse BEFORE INSERT ON inbox WHEN NEW.message_id LIKE 'bad%' BEGIN SELECT RAISE (ABORT, 'refused'); END`); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			id, want := fmt.Sprint("good-", i), http.StatusOK
			if i%5 == 0 {
				id, want = fmt.Sprint("bad-", i), http.StatusServiceUnavailable
			}
			if status, answer := s.Post(t, []byte(message(id, "patient.admit"))); status != want || strings.Contains(answer, canary) {
				t.Errorf("%s: answered %d %q, want %d", id, status, answer, want)
			}
		})
	}
	wg.Wait()
	if n := len(s.Messages(t)); n != 32 {
		t.Errorf("%d messages are in the inbox, want 32", n)
	}
	if _, err := d.ExecContext(t.Context(), "DROP TRIGGER refuse"); err != nil {
		t.Fatal(err)
	}
	if status, _ := s.Post(t, []byte(message("bad-0", "patient.admit"))); status != http.StatusOK {
		t.Errorf("sent again when it can be stored: %d", status)
	}
	if v, err := s.DB.Verify(t.Context()); err != nil || v.Messages != 33 {
		t.Errorf("verify: %+v, %v", v, err)
	}
}

// TestRepeatIsCountedNotStoredTwice delivers a message again: the same, with another body, and many times at once.
func TestRepeatIsCountedNotStoredTwice(t *testing.T) {
	s := webtest.Start(t)
	world := sim.New(sim.Options{Now: s.Clock.Now, Seed: 7, BaseURL: "https://sample.invalid"})
	m, err := world.Sample(metriport.PatientAdmit)
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(string(m.Body), `"when"`, `"data":{"again":"yes"},"when"`, 1)
	for _, body := range []string{string(m.Body), string(m.Body), other, string(m.Body)} {
		if status, _ := s.Post(t, []byte(body)); status != http.StatusOK {
			t.Fatalf("answered %d", status)
		}
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if status, _ := s.Post(t, m.Body); status != http.StatusOK {
				t.Errorf("answered %d", status)
			}
		})
	}
	wg.Wait()
	s.Settled(t)
	inbox := s.Messages(t)
	if len(inbox) != 1 || inbox[0].MessageID != m.ID || inbox[0].Deliveries != 24 || inbox[0].Status != db.StatusProcessed {
		t.Fatalf("the inbox has %+v", inbox)
	}
	if bodyOf(t, s, inbox[0].Seq) != string(m.Body) {
		t.Error("the first body was replaced")
	}
	var repeats []db.Repeat
	var list []db.Notification
	waitFor(t, "the deliveries to be counted", func() bool {
		if err := s.DB.Read(t.Context(), func(v db.Snapshot) (err error) {
			if repeats, err = v.Repeats(t.Context(), inbox[0].Seq); err != nil {
				return err
			}
			list, err = v.Notifications(t.Context(), db.NotificationFilter{Limit: 10})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return len(list) == 1 && list[0].Deliveries == 24
	})
	if len(repeats) != 23 {
		t.Fatalf("%d further deliveries, want 23", len(repeats))
	}
	for i, r := range repeats {
		if want := map[bool]string{true: other}[i == 1]; string(r.Body) != want {
			t.Errorf("delivery %d keeps the body %q, want %q", i+2, r.Body, want)
		}
		if r.KeyID != (intake.Key{Value: webtest.Key}).ID() || r.ReceivedAt.IsZero() {
			t.Errorf("delivery %d: %+v", i+2, r)
		}
	}
}

// waitFor polls until done.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// TestEachTestEventIsShown delivers what the dashboard's "Test events" send: three bodies under "msg-123". Each is a
// message of its own and stands in the feed as a test. The same body again is a repeat; pressed again later, it is another one.
func TestEachTestEventIsShown(t *testing.T) {
	s := webtest.Start(t)
	world := sim.New(sim.Options{Now: s.Clock.Now, Seed: 7, BaseURL: "https://sample.invalid"})
	post := func(m sim.Message) {
		t.Helper()
		if status, _ := s.Post(t, m.Body); status != http.StatusOK {
			t.Fatalf("%s: answered %d", m.Type, status)
		}
	}
	usual, err := world.Sample(metriport.PatientAdmit)
	if err != nil {
		t.Fatal(err)
	}
	post(usual)
	first := world.TestEvents()
	s.Clock.Advance(72 * time.Hour)
	admin := s.SignedIn(t, "admin@clinic.example", db.Admin)
	later := world.TestEvents()
	for _, m := range slices.Concat(first, first, later) {
		post(m)
	}
	s.Settled(t)
	inbox := s.Messages(t)
	if len(inbox) != 7 || inbox[0].Shared {
		t.Fatalf("the inbox has %+v", inbox)
	}
	for i, m := range inbox[1:] {
		want := slices.Concat(first, later)[i]
		if m.MessageID != "msg-123" || !m.Shared || m.Type != string(want.Type) || m.Deliveries != 2-i/3 || !m.SentAt.Equal(want.At) || m.Status != db.StatusProcessed {
			t.Errorf("message %d is %+v", m.Seq, m)
		}
	}
	kinds, stays := map[care.Kind]int{}, []db.Stay{}
	if err := s.DB.Read(t.Context(), func(v db.Snapshot) error {
		list, err := v.Notifications(t.Context(), db.NotificationFilter{Limit: 10})
		if err != nil {
			return err
		}
		for _, n := range list {
			if n.Test != (n.PatientID == "patient-123") {
				t.Errorf("%+v", n)
			} else if n.Test {
				kinds[n.Kind]++
			}
		}
		stays, err = v.Stays(t.Context(), "patient-123")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if kinds[care.Admit] != 2 || kinds[care.Transfer] != 2 || kinds[care.Discharge] != 2 {
		t.Errorf("the feed has as tests %v", kinds)
	}
	for _, st := range stays {
		if st.Notices != 3 || st.DischargeAt.IsZero() {
			t.Errorf("a stay of the test patient is %+v", st)
		}
	}
	if len(stays) != 2 {
		t.Errorf("the test patient has %d stays", len(stays))
	}
	if _, page := admin.Get(t, "/"); strings.Count(page, ">test event<") != 6 {
		t.Errorf("the feed names %d test events", strings.Count(page, ">test event<"))
	}
	for _, text := range []string{"msg-123", "msg-1"} {
		_, page := admin.Get(t, "/admin/inbox?q="+text)
		if want := 6 * strings.Count(text, "23"); strings.Count(page, ">test event<") != want {
			t.Errorf("searching for %q finds %d test events, want %d", text, strings.Count(page, ">test event<"), want)
		}
	}
	if _, page := admin.Get(t, fmt.Sprint("/admin/inbox/", inbox[1].Seq)); !strings.Contains(page, "All test events with this id") || strings.Contains(page, "\x1f") {
		t.Error("the page of a test event does not lead to the others with its id")
	}
	if _, csv := admin.Get(t, "/admin/inbox?format=csv"); strings.Count(csv, `"msg-123"`)+strings.Count(csv, `,msg-123,`) != 6 {
		t.Errorf("the export is\n%s", csv)
	}
	if v, err := s.DB.Verify(t.Context()); err != nil || v.Messages != 7 || v.Repeats != 3 {
		t.Errorf("verify: %+v %v", v, err)
	}
}

// TestEveryTypeIsProcessed posts several samples of each type of the contract.
func TestEveryTypeIsProcessed(t *testing.T) {
	s := webtest.Start(t)
	world := sim.New(sim.Options{Now: s.Clock.Now, Seed: 11, BaseURL: "https://sample.invalid"})
	want := map[string]metriport.Type{}
	for range 6 {
		for _, kind := range metriport.Types {
			m, err := world.Sample(kind)
			if err != nil {
				t.Fatal(err)
			}
			want[m.ID] = kind
			if status, answer := s.Post(t, m.Body); status != http.StatusOK || (kind == metriport.Ping) != strings.Contains(answer, "pong") {
				t.Errorf("%s: answered %d %q", kind, status, answer)
			}
		}
	}
	s.Settled(t)
	inbox := s.Messages(t)
	if len(inbox) != len(want) {
		t.Errorf("%d messages, want %d", len(inbox), len(want))
	}
	for _, m := range inbox {
		if metriport.Type(m.Type) != want[m.MessageID] || m.Status != db.StatusProcessed || m.SentAt.IsZero() || m.Deliveries != 1 {
			t.Errorf("%s: %+v", want[m.MessageID], m)
		}
	}
}

// TestMalformedEnvelopeFillsNoColumn: what cannot be trusted is in the body; the columns that lists show stay short.
func TestMalformedEnvelopeFillsNoColumn(t *testing.T) {
	s := webtest.Start(t)
	long := strings.Repeat("x", 1<<20)
	for _, body := range []string{
		`{"meta":{"messageId":"a","type":"` + long + `"}}`,
		`{"meta":{"messageId":"a","type":"ping","requestId":"` + long + `"}}`,
		`{"meta":{"messageId":"a","type":"\u001b[2J"}}`,
		`{"meta":{"messageId":"a","type":"ping","requestId":"\u001b[2J"}}`,
	} {
		s.Post(t, []byte(body))
	}
	s.Settled(t)
	inbox := s.Messages(t)
	if len(inbox) != 4 {
		t.Fatalf("%d messages", len(inbox))
	}
	for _, m := range inbox {
		if m.Status != db.StatusMalformed || len(m.Type) > 512 || len(m.RequestID) > 512 || strings.Contains(m.Type+m.RequestID, "\x1b") {
			t.Errorf("message %d is %s, its type has %d bytes, its request id %d", m.Seq, m.Status, len(m.Type), len(m.RequestID))
		}
	}
}

// raced says whether the race detector runs: the large tests then do less.
func raced() bool {
	b, _ := debug.ReadBuildInfo()
	return b != nil && slices.ContainsFunc(b.Settings, func(s debug.BuildSetting) bool { return s.Key == "-race" && s.Value == "true" })
}
