package metriport_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"carebell/web/metriport"
)

func hashID(body string) string {
	sum := sha256.Sum256([]byte(body))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func TestReadEnvelope(t *testing.T) {
	when := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	type envelope = metriport.Envelope
	for _, test := range []struct {
		name, body string
		want       metriport.Envelope // Malformed: any words will do
	}{
		{"as documented", `{"meta":{"messageId":"m","requestId":"r","when":"2026-11-20T10:00:00.000Z","type":"patient.admit","data":{"a":1}},"payload":{}}`,
			envelope{MessageID: "m", RequestID: "r", Type: "patient.admit", When: when}},
		{"a ping", `{"ping":" x ","meta":{"messageId":"m","type":"ping"}}`, envelope{MessageID: "m", Type: "ping", Ping: " x "}},
		{"a test event of the dashboard", `{"meta":{"messageId":"msg-123","whenGenerated":"2026-11-20T10:00:00Z","type":"patient.admit"}}`,
			envelope{MessageID: "msg-123", Type: "patient.admit", When: when, Test: true, Shared: true}},
		{"a test event with an id of its own", `{"meta":{"messageId":"1E82424A-1220-473d-a0d1-6e5fde15159e","whenGenerated":"2026-11-20T10:00:00Z","type":"t"}}`,
			envelope{MessageID: "1E82424A-1220-473d-a0d1-6e5fde15159e", Type: "t", When: when, Test: true}},
		{"an id that only looks like one", `{"meta":{"messageId":"1e82424a-1220-473d-a0d1+6e5fde15159e","whenGenerated":"2026-11-20T10:00:00Z","type":"t"}}`,
			envelope{MessageID: "1e82424a-1220-473d-a0d1+6e5fde15159e", Type: "t", When: when, Test: true, Shared: true}},
		{"the id of test events on a message that was sent", `{"meta":{"messageId":"msg-123","when":"2026-11-20T10:00:00Z","type":"t"}}`,
			envelope{MessageID: "msg-123", Type: "t", When: when}},
		{"when counts before whenGenerated", `{"meta":{"messageId":"m","whenGenerated":"2001-01-01T00:00:00Z","when":"2026-11-20T10:00:00Z","type":"t"}}`,
			envelope{MessageID: "m", Type: "t", When: when}},
		{"a when that is null does not", `{"meta":{"messageId":"m","whenGenerated":"2026-11-20T10:00:00Z","when":null,"type":"t"}}`,
			envelope{MessageID: "m", Type: "t", When: when, Test: true, Shared: true}},
		{"another zone", `{"meta":{"messageId":"m","when":"2026-11-20T04:00:00-06:00","type":"t"}}`, envelope{MessageID: "m", Type: "t", When: when}},
		{"numbers", `{"meta":{"messageId":1e3,"requestId":-7,"type":5},"ping":0}`, envelope{MessageID: "1e3", RequestID: "-7", Type: "5", Ping: "0"}},
		{"escapes", `{"\u006deta":{"message\u0049d":"\u006d","type":"t\u00e9"}}`, envelope{MessageID: "m", Type: "té"}},
		{"white space and a byte order mark", "\xef\xbb\xbf\n{ \"meta\" : { \"messageId\" : \"\\t m \\n\" , \"type\":\" t \" } }\n", envelope{MessageID: "m", Type: "t"}},
		{"the longest id", `{"meta":{"messageId":"` + strings.Repeat("m", 512) + `","type":"t"}}`, envelope{MessageID: strings.Repeat("m", 512), Type: "t"}},
		{"the longest type", `{"meta":{"messageId":"m","type":"` + strings.Repeat("t", 256) + `"}}`, envelope{MessageID: "m", Type: strings.Repeat("t", 256)}},
		{"too long a type", `{"meta":{"messageId":"m","type":"` + strings.Repeat("t", 257) + `"}}`, envelope{Malformed: "x"}},
		{"too long a request id", `{"meta":{"messageId":"m","type":"t","requestId":"` + strings.Repeat("r", 513) + `"}}`, envelope{Malformed: "x"}},
		{"a type with a control character", `{"meta":{"messageId":"m","type":"t\u0000"}}`, envelope{Malformed: "x"}},
		{"a half of a pair", `{"meta":{"messageId":"\ud800","type":"t"}}`, envelope{Malformed: "x"}},
		{"ping twice", `{"ping":"a","ping":"b","meta":{"messageId":"m","type":"ping"}}`, envelope{Malformed: "x", Ping: "a"}},
		{"a ping that is malformed is still answered", `{"ping":"a","meta":{"type":"ping"}}`, envelope{Malformed: "x", Ping: "a"}},
		{"when twice", `{"meta":{"messageId":"m","type":"t","when":1,"when":2}}`, envelope{Malformed: "x"}},
		{"case variants", `{"meta":{"messageId":"a"},"META":{"MESSAGEID":"c"}}`, envelope{Malformed: "x"}},
		{"nothing", ``, envelope{Malformed: "x"}},
		{"a comma too many", `{"meta":{"messageId":"m","type":"t"},}`, envelope{Malformed: "x"}},
		{"a comment", `{"meta":{"messageId":"m","type":"t"}} // x`, envelope{Malformed: "x"}},
		{"single quotes", `{'meta':{'messageId':'m','type':'t'}}`, envelope{Malformed: "x"}},
		{"two byte order marks", "\xef\xbb\xbf\xef\xbb\xbf{\"meta\":{\"messageId\":\"m\",\"type\":\"t\"}}", envelope{Malformed: "x"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := metriport.ReadEnvelope([]byte(test.body))
			if test.want.Malformed != "" {
				test.want.MessageID = hashID(test.body)
				if got.Malformed != "" {
					test.want.Malformed = got.Malformed
				}
			}
			if got != test.want {
				t.Errorf("read\n\t%+v\nwant\n\t%+v", got, test.want)
			}
		})
	}
}

// reasons are all the words that a malformed message may be explained with: none of them is the body's.
var reasons = regexp.MustCompile(`^(no meta object|something follows the JSON object|(the body|meta) is not a JSON object` +
	`|meta\.(messageId|type) is missing|meta\.(messageId|requestId) is not a usable id|meta\.type is not a usable word` +
	`|(the body|meta) has "(meta|ping|messageId|requestId|type|when|whenGenerated)" more than once or in another case` +
	`|not valid JSON at byte \d+|not valid JSON: it ends too early)$`)

// FuzzEnvelope reads anything: it never panics, says that a message is malformed if and only if its id is the hash of its
// body, explains it in words of its own, and believes no name that stands twice or in another case.
func FuzzEnvelope(f *testing.F) {
	for _, body := range []string{
		`{"meta":{"messageId":"m","requestId":"r","when":"2026-11-20T10:00:00.000Z","type":"patient.admit"},"payload":{"patientId":"p"}}`,
		`{"ping":"x","meta":{"messageId":"m","whenGenerated":"2026-11-20T10:00:00Z","type":"ping"}}`,
		`{"meta":{"messageId":"a"},"META":{"MESSAGEID":"c"}}`, `{"meta":{"messageId":"a","messageId":"c","type":"t"}}`,
		"\xef\xbb\xbf{\"meta\":{\"messageId\":1,\"type\":2}}", `{"meta":null}`, `[]`, ``, `{"meta":{"me\u017fsageId":"c","messageId":"a","type":"t"}}`,
		`{"meta":{"messageId":"\ud83d","type":"t"}}`, "{\"meta\":{\"messageId\":\"\xff\",\"type\":\"t\"}}", `{"meta":{"type":"t","messageId":"m"}}{}`,
		`{"meta":{"data":[[[[]]]],"messageId":"m","type":"t"}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		e := metriport.ReadEnvelope(body)
		if !bytes.Equal(before, body) {
			t.Fatal("the body was changed")
		}
		if (e.Malformed != "") != (e.MessageID == hashID(string(body))) {
			t.Fatalf("the id is %q and it is malformed because %q", e.MessageID, e.Malformed)
		}
		if e.Malformed != "" {
			if !reasons.MatchString(e.Malformed) {
				t.Fatalf("explained with %q", e.Malformed)
			}
			if e.Type != "" || e.RequestID != "" || !e.When.IsZero() {
				t.Fatalf("believed part of what is malformed: %+v", e)
			}
			return
		}
		if e.MessageID == "" || e.Type == "" || len(e.MessageID) > 512 || len(e.Type) > 256 || len(e.RequestID) > 512 {
			t.Fatalf("%+v", e)
		}
		if !e.When.IsZero() && (e.When.Year() < 1800 || e.When.Year() > 9999) {
			t.Fatalf("when is %s", e.When)
		}
		top, ok := namesOf(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
		meta := top["meta"]
		if !ok || len(meta) != 1 || meta[0].name != "meta" {
			t.Fatalf("another reader finds meta as %v", meta)
		}
		inner, ok := namesOf(meta[0].value)
		for _, name := range []string{"messageid", "type"} {
			if found := inner[name]; !ok || len(found) != 1 || !strings.EqualFold(found[0].name, name) || found[0].name == name && name == "messageid" {
				t.Fatalf("another reader finds meta.%s as %v", name, found)
			}
		}
	})
}

type member struct {
	name  string
	value json.RawMessage
}

// namesOf reads an object by the standard library, which folds nothing when it reads tokens. The members are listed by
// their folded names.
func namesOf(object []byte) (map[string][]member, bool) {
	d := json.NewDecoder(bytes.NewReader(object))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return nil, false
	}
	out := map[string][]member{}
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		var m member
		if err != nil || !ok || d.Decode(&m.value) != nil {
			return nil, false
		}
		m.name = name
		folded := strings.ToLower(name)
		for _, known := range []string{"meta", "messageid", "type"} {
			if strings.EqualFold(name, known) {
				folded = known
			}
		}
		out[folded] = append(out[folded], m)
	}
	_, err := d.Token()
	return out, err == nil && !d.More()
}
