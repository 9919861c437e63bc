package metriport_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gojson "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"carebell/web/metriport"
)

func TestEveryTypeIsKnown(t *testing.T) {
	seen := map[metriport.Type]bool{}
	for _, kind := range metriport.Types {
		if seen[kind] || !metriport.Known(string(kind)) {
			t.Errorf("%s is listed twice, or not known", kind)
		}
		seen[kind] = true
	}
	if len(seen) != 21 {
		t.Errorf("%d types are listed", len(seen))
	}
	for _, kind := range []string{"", "patient", "Patient.Admit", "patient.admit ", "patient.admitted", "ping.pong"} {
		if metriport.Known(kind) {
			t.Errorf("%q is known", kind)
		}
		if _, err := metriport.ReadEvent(metriport.Type(kind), []byte("{}")); err == nil {
			t.Errorf("%q is read", kind)
		}
	}
}

// TestMissingPartFails: what carries the facts must be there, in its shape.
func TestMissingPartFails(t *testing.T) {
	parts := map[string]string{"payload": `{"patientId":"p"}`, "patients": `[{"patientId":"p"}]`, "bulkPatientCreate": `{"requestId":"r"}`}
	for _, kind := range metriport.Types {
		want := []string{"payload"}
		switch {
		case kind == metriport.Ping, kind == metriport.IdentityVerified: // which has no published schema
			want = nil
		case kind == metriport.BulkPatientCreate:
			want = []string{"bulkPatientCreate"}
		case kind == metriport.DischargeSummary || kind == metriport.DischargeSummaryBatch:
			want = []string{"payload", "patients"}
		case strings.HasPrefix(string(kind), "medical."):
			want = []string{"patients"}
		}
		for _, body := range []string{`{}`, `{"payload":null,"patients":null,"bulkPatientCreate":null}`} {
			_, err := metriport.ReadEvent(kind, []byte(body))
			if (err == nil) != (want == nil) || err != nil && !strings.Contains(err.Error(), want[0]) {
				t.Errorf("%s from %s: %v", kind, body, err)
			}
		}
		for part, value := range parts {
			_, err := metriport.ReadEvent(kind, []byte(`{"meta":{},"`+part+`":`+value+`}`))
			if ok := want == nil || slices.Contains(want, part); (err == nil) != ok {
				t.Errorf("%s with %s: %v", kind, part, err)
			}
			for _, odd := range []string{`"Zebulon"`, `7`, `true`, map[bool]string{true: `{}`, false: `[]`}[part == "patients"]} {
				if _, err := metriport.ReadEvent(kind, []byte(`{"`+part+`":`+odd+`}`)); kind != metriport.Ping && (err == nil || strings.Contains(err.Error(), "Zebulon")) {
					t.Errorf("%s with %s being %s: %v", kind, part, odd, err)
				}
			}
		}
	}
}

func TestReadEvent(t *testing.T) {
	e, err := metriport.ReadEvent(metriport.PatientDischarge, []byte(`{"payload":{
		"url":" https://x.invalid/a?b=c ","patientId":" p ","externalId":42,"additionalIds":{"a":["1","1"," 2 ",3,null,""],"b":"4","c":{"x":1},"d":[],"e":null},
		"admitTimestamp":"2026-11-20T09:00:00.000Z","dischargeTimestamp":"2026-11-20","whenSourceSent":"soon",
		"transfers":[{"timestamp":"2026-11-20T10:00:00Z","sourceLocation":{"name":"A","type":"w"},"destinationLocation":{"name":"B"}},"Zebulon",{"destinationLocation":7},null],
		"source":"Zebulon","status":["x"],"more":{"name":"Zebulon"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	p := e.Payload
	if p.URL != "https://x.invalid/a?b=c" || p.ID != "" || p.Patient.ID != "p" || p.ExternalID != "42" {
		t.Errorf("%+v", p)
	}
	if want := (metriport.IDs{"a": {"1", "2", "3"}, "b": {"4"}}); !reflect.DeepEqual(p.AdditionalIDs, want) {
		t.Errorf("additionalIds is %v, want %v", p.AdditionalIDs, want)
	}
	if !p.AdmitTime.Equal(time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)) || !p.DischargeTime.Equal(time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)) || !p.WhenSourceSent.IsZero() {
		t.Errorf("times: %+v", p)
	}
	if len(p.Transfers) != 4 || p.Transfers[0].From.Name != "A" || p.Transfers[0].To.Name != "B" || p.Transfers[1] != (metriport.Transfer{}) {
		t.Errorf("one odd transfer costs the others: %+v", p.Transfers)
	}
	if p.Source != (metriport.Source{}) || p.Status != "" || !strings.Contains(string(p.Raw), `"more":{"name":"Zebulon"}`) {
		t.Errorf("%+v", p)
	}

	e, err = metriport.ReadEvent(metriport.DocumentsPaged, []byte("\xef\xbb\xbf"+`{"patients":[{"patientId":"p","status":"completed","pagination":{"page":2,"totalPages":"3","totalItems":1e2},
		"documents":[{"id":"d","size":123,"type":{"text":"x"}},7,{"id":"e","size":"big","indexed":"2026"}]},{"documents":{},"pagination":[]},{}]}`))
	if err != nil || len(e.Patients) != 3 {
		t.Fatalf("%+v %v", e, err)
	}
	first := e.Patients[0]
	if len(first.Documents) != 3 || first.Documents[0].Size != 123 || first.Documents[2].ID != "e" || first.Documents[2].Size != 0 || first.Pagination == nil || first.Pagination.Page != 2 || first.Pagination.TotalPages != 0 {
		t.Errorf("%+v %+v", first.Documents, first.Pagination)
	}

	e, err = metriport.ReadEvent(metriport.BulkPatientCreate, []byte(`{"bulkPatientCreate":{"requestId":"r","status":"failed","reason":null,"result":5}}`))
	if err != nil || *e.BulkCreate != (metriport.BulkCreate{RequestID: "r", Status: "failed", Result: "5"}) {
		t.Errorf("%+v %v", e.BulkCreate, err)
	}
}

func TestParseTime(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-20T10:00:00.123Z":        "2026-11-20T10:00:00.123Z",
		"2026-11-20T10:00:00Z":            "2026-11-20T10:00:00Z",
		"2026-11-20T10:00:00+05:30":       "2026-11-20T04:30:00Z",
		"2026-11-20T10:00:00-0600":        "2026-11-20T16:00:00Z",
		"2026-11-20T10:00:00.5-0600":      "2026-11-20T16:00:00.5Z",
		"2026-11-20T10:00:00":             "2026-11-20T10:00:00Z",
		"2026-11-20T10:00:00.000001":      "2026-11-20T10:00:00.000001Z",
		"2026-11-20T10:00Z":               "2026-11-20T10:00:00Z",
		"2026-11-20 10:00:00":             "2026-11-20T10:00:00Z",
		"2026-11-20 10:00:00.5+01:00":     "2026-11-20T09:00:00.5Z",
		" 2026-11-20 ":                    "2026-11-20T00:00:00Z",
		"20261120":                        "2026-11-20T00:00:00Z",
		"20260230":                        "",
		"2026112":                         "",
		"202611":                          "",
		"2026-11":                         "2026-11-01T00:00:00Z",
		"2026":                            "2026-01-01T00:00:00Z",
		"1800-01-01":                      "1800-01-01T00:00:00Z",
		"9999-12-31T23:59:59Z":            "9999-12-31T23:59:59Z",
		"9999-12-31T23:59:59-01:00":       "",
		"1799-12-31T23:59:59Z":            "",
		"0000-01-01":                      "",
		"2026-02-30":                      "",
		"2026-11-20T25:00:00Z":            "",
		"20/11/2026":                      "",
		"1763632800000":                   "",
		"now":                             "",
		"":                                "",
		"2026-11-20T10:00:00Z; DROP":      "",
		"10000-01-01T00:00:00Z":           "",
		strings.Repeat("9", 1<<16) + "-1": "",
	} {
		got, err := metriport.ParseTime(text)
		switch {
		case want == "" && (err == nil || !got.IsZero()):
			t.Errorf("%.40q is read as %s", text, got)
		case want != "" && (err != nil || got.Format(time.RFC3339Nano) != want || got.Location() != time.UTC):
			t.Errorf("%q is read as %s (%v), want %s", text, got.Format(time.RFC3339Nano), err, want)
		}
		if err != nil && len(text) > 3 && strings.Contains(err.Error(), text) {
			t.Errorf("the error quotes %q", text)
		}
	}
}

// TestADateOfAPharmacyIsADay where the sender means one: midnight UTC, a bare date, YYYYMMDD. A real instant stays one, and
// an admit at midnight is an instant whatever it looks like.
func TestADateOfAPharmacyIsADay(t *testing.T) {
	for text, want := range map[string]string{
		"2026-04-21T00:00:00.000Z":  "day 2026-04-21",
		"2026-04-21T00:00:00Z":      "day 2026-04-21",
		"2026-04-21T00:00:00+00:00": "day 2026-04-21",
		"2026-04-21T00:00:00":       "day 2026-04-21",
		"2026-04-21 00:00:00":       "day 2026-04-21",
		" 2026-04-21 ":              "day 2026-04-21",
		"20260421":                  "day 2026-04-21",
		"2026-04-21T00:00:00.001Z":  "instant 2026-04-21T00:00:00.001Z",
		"2026-04-21T00:00:01Z":      "instant 2026-04-21T00:00:01Z",
		"2026-04-21T19:30:00.000Z":  "instant 2026-04-21T19:30:00Z",
		"2026-04-20T19:00:00-05:00": "instant 2026-04-21T00:00:00Z", // a clock in Chicago, which stood at seven
		"2026-04-21T00:00:00-05:00": "instant 2026-04-21T05:00:00Z",
		"2026-04":                   "none",
		"2026":                      "none",
		"2026-04-31":                "none",
		"20260431":                  "none",
		"":                          "none",
		"soon":                      "none",
		"1799-12-31T00:00:00.000Z":  "none",
	} {
		for _, field := range []string{"medicationDispensedDate", "specimenCollectedDate"} {
			e, err := metriport.ReadEvent(metriport.PatientPharmacy, fmt.Appendf(nil, `{"payload":{"patientId":"p",%q:%q,"admitTimestamp":%[2]q}}`, field, text))
			if err != nil {
				t.Fatal(err)
			}
			d := e.Payload.DispensedDate
			if field == "specimenCollectedDate" {
				d = e.Payload.CollectedDate
			}
			got := "none"
			switch {
			case d.Day:
				got = "day " + d.UTC().Format(time.DateOnly)
			case !d.IsZero():
				got = "instant " + d.UTC().Format(time.RFC3339Nano)
			}
			if got != want {
				t.Errorf("%s %q is read as %s, want %s", field, text, got, want)
			}
			if at, _ := metriport.ParseTime(text); !e.Payload.AdmitTime.Equal(at) {
				t.Errorf("the admit time %q is read as %s", text, e.Payload.AdmitTime)
			}
		}
	}
}

// explanations are all the words that a message that failed may be explained with. pointer is a path of member names.
var explanations = regexp.MustCompile(`^(the body has no (payload or patients|payload|patients|bulkPatientCreate)|not valid JSON at byte \d+` +
	`|the body is not of the documented shape|(?s:(/.*)) is not of the documented shape|a field stands twice: (?s:(the body|/.*)))$`)

// FuzzEvent reads anything as an event of every type: it never panics, and an error tells no more of the body than
// names of members.
func FuzzEvent(f *testing.F) {
	for i, body := range []string{
		`{"payload":{"patientId":"Zebulon","externalId":7,"additionalIds":{"a":["1"]},"admitTimestamp":"2026-11-20T09:00:00Z","transfers":[{"timestamp":"2026-11-20","sourceLocation":{"name":"Quagmire"}}]}}`,
		`{"patients":[{"patientId":"Zebulon","documents":[{"id":"d","size":1}],"pagination":{"page":1}}]}`,
		`{"bulkPatientCreate":{"requestId":"Zebulon","status":"failed","reason":"Quagmire"}}`,
		`{"payload":"Zebulon Quagmire"}`, `{"payload":{"patientId":"Zebulon","patientId":"Quagmire"}}`, `{"payload":{"Zebulon":1,"Zebulon":"Quagmire"}}`,
		`{"patients":["Zebulon"]}`, `{"patients":{"Zebulon":"Quagmire"}}`, `["Zebulon"]`, `{{"Zebulon":0,"Zebulon"0`, `{"payload":{"source":{"type":"x","type":"Quagmire"}}}`, "{\"payload\":{\"x\":\"\xffZebulon", ``,
	} {
		f.Add(uint8(i*5), []byte(body))
	}
	f.Fuzz(func(t *testing.T, n uint8, body []byte) {
		kind := metriport.Types[int(n)%len(metriport.Types)]
		e, err := metriport.ReadEvent(kind, body)
		if err == nil {
			if e.Payload != nil && !e.Payload.Raw.IsValid(jsontext.AllowInvalidUTF8(true)) {
				t.Fatalf("Raw is %s", e.Payload.Raw)
			}
			return
		}
		text := err.Error()
		if !explanations.MatchString(text) {
			t.Fatalf("explained with %q", text)
		}
		_, where, pointed := strings.Cut(text, "/")
		if !pointed {
			return
		}
		where = strings.TrimSuffix(where, " is not of the documented shape")
		names := members(body)
		for _, part := range strings.Split(where, "/") {
			name := strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
			if !names[name] && !regexp.MustCompile(`^\d+$`).MatchString(name) {
				t.Fatalf("the error %q has %q in it, which is no member's name", text, name)
			}
		}
	})
}

var beforeColon = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"\s*:`)

// members lists the names of all members at any depth, and what looks like one where it is not JSON.
func members(body []byte) map[string]bool {
	out := map[string]bool{}
	for _, m := range beforeColon.FindAllSubmatch(body, -1) {
		out[string(m[1])] = true
	}
	d := jsontext.NewDecoder(strings.NewReader(strings.TrimPrefix(string(body), "\xef\xbb\xbf")), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for {
		token, err := d.ReadToken()
		if err != nil {
			return out
		}
		if kind, length := d.StackIndex(d.StackDepth()); token.Kind() == '"' && kind == '{' && length%2 == 1 {
			out[token.String()] = true
		}
	}
}

// TestErrorsQuoteNoValues is FuzzEvent's promise on bodies that are surely wrong.
func TestErrorsQuoteNoValues(t *testing.T) {
	for _, kind := range metriport.Types {
		for _, body := range []string{
			`{"payload":"Zebulon","patients":"Zebulon","bulkPatientCreate":"Zebulon"}`,
			`{"payload":["Zebulon"],"patients":["Zebulon"],"bulkPatientCreate":["Zebulon"]}`,
			`{"payload":{"patientId":"Zebulon","patientId":"Zebulon"},"patients":[{"patientId":"Zebulon","patientId":"Zebulon"}],"bulkPatientCreate":{"reason":"Zebulon","reason":"Zebulon"}}`,
			`{"payload":{"patientId":"Zebulon`, `Zebulon`, `"Zebulon"`, `{"payload":Zebulon}`, `{"patients":[Zebulon]}`,
		} {
			if _, err := metriport.ReadEvent(kind, []byte(body)); err != nil && strings.Contains(err.Error(), "Zebulon") {
				t.Errorf("%s from %s: %v", kind, body, err)
			}
		}
	}
}

// TestScalarsComeBackAsTheyWere: what is written is what is read.
func TestScalarsComeBackAsTheyWere(t *testing.T) {
	type all struct {
		Text metriport.Text
		Time metriport.Time
		Int  metriport.Int
		IDs  metriport.IDs
	}
	at := metriport.Time{Time: time.Date(2026, 11, 20, 10, 0, 0, 123e6, time.UTC)}
	want := all{"a <b> 漢", at, -5, metriport.IDs{"a": {"1", "2"}}}
	b, err := gojson.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var plain map[string]any
	if err := json.Unmarshal(b, &plain); err != nil || plain["Time"] != "2026-11-20T10:00:00.123Z" {
		t.Errorf("written as %s (%v)", b, err)
	}
	var got all
	if err := gojson.Unmarshal(b, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read as %+v (%v), want %+v", got, err, want)
	}
	for _, odd := range []string{`null`, `true`, `[1]`, `{"a":1}`, `1.5`, `99999999999999999999`, `"x"`} {
		var got all
		if err := gojson.Unmarshal(fmt.Appendf(nil, `{"Text":%s,"Time":%s,"Int":%s,"IDs":%s}`, odd, odd, odd, odd), &got); err != nil {
			t.Errorf("%s: %v", odd, err)
		}
		if got.Int != 0 || !got.Time.IsZero() {
			t.Errorf("%s is read as %+v", odd, got)
		}
	}
}
