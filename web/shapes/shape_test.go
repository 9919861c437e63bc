// Package shapes_test holds one small case for each shape of what the sender really sends: what comes in, and beside it
// what Carebell must make of it. The expected side is written by hand, from the sender's converters and documentation; no
// flag rewrites it.
//
// A case is one file in testdata: a patient of its own, the messages about them in the order in which they are sent, each
// with its record and with the facts, the row and the line of the export that must follow, and the stays that all of them
// make together.
package shapes_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// shape is one case.
type shape struct {
	name string // of its file

	About   string `json:"about"` // what the sender does, and what must come of it
	Patient struct {
		ID         string         `json:"id"`
		ExternalID string         `json:"externalId"`
		Resource   map[string]any `json:"resource"` // without its id; a record names it "Patient"
	} `json:"patient"`
	Parts    map[string]map[string]any `json:"parts"` // resources that several records name
	Messages []message                 `json:"messages"`

	Stays     []stay   `json:"stays"`     // all of them
	Page      []string `json:"page"`      // what the patient's page must say
	PageNever []string `json:"pageNever"` // what it must not say
	Never     []string `json:"never"`     // what no row and no line of the export may say
}

// message is one webhook and what must come of it.
type message struct {
	Type     string         `json:"type"`
	When     string         `json:"when"`     // meta.when
	Payload  map[string]any `json:"payload"`  // but for the patient's ids and the link
	Patients bool           `json:"patients"` // it is sent as the only one of patients[]
	Source   string         `json:"source"`   // code that the sender puts on each resource of the record; "" = none
	Record   []any          `json:"record"`   // resources, or the names of parts: the bundle is made as the sender makes it
	Bundle   map[string]any `json:"bundle"`   // instead of a record, a bundle as it is
	Dead     bool           `json:"dead"`     // the link has expired

	Facts   map[string]any    `json:"facts"` // what care.Facts must say of the keys named here; see compare
	Row     row               `json:"row"`
	CSV     map[string]string `json:"csv"`     // cells by the name of their column
	CSVSays []string          `json:"csvSays"` // stands in some cell
}

// row is what the feed must say. Empty means that nothing is expected, except where a comment says otherwise.
type row struct {
	Happened   string   `json:"happened"` // datetime of the When column
	Fact       string   `json:"fact"`
	FactStarts string   `json:"factStarts"`
	FactEnds   string   `json:"factEnds"`
	FactMost   int      `json:"factMost"` // characters
	Muted      bool     `json:"muted"`    // the fact says what is not known
	Detail     string   `json:"detail"`
	Flags      []string `json:"flags"`     // all of them; [] is none, absent is not looked at
	FlagsHave  []string `json:"flagsHave"` // some of them
	Says       []string `json:"says"`      // stands anywhere in the row
	Silent     []string `json:"silent"`    // stands nowhere in it
	Hover      []string `json:"hover"`     // stands in it or in a title
}

// stay is one stay that must be shown.
type stay struct {
	Notices    []int    `json:"notices"`    // numbers of its messages, from 1
	Admitted   string   `json:"admitted"`   // time, "not sent", or "" = not looked at
	Discharged string   `json:"discharged"` // time, "open", "not sent" = it is over, and nobody said when, or "" = it is over
	Facility   string   `json:"facility"`
	Shows      []string `json:"shows"`
	Hides      []string `json:"hides"`
}

// load reads all cases.
func load(t *testing.T) []shape {
	t.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 45 {
		t.Fatalf("there are %d shapes (%v), want at least 45", len(files), err)
	}
	shapes := make([]shape, len(files))
	patients := map[string]string{}
	for i, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		s := &shapes[i]
		if err := d.Decode(s); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		s.name = strings.TrimSuffix(filepath.Base(file), ".json")
		if other := patients[s.Patient.ID]; other != "" || s.Patient.ID == "" || s.About == "" || s.Stays == nil {
			t.Fatalf("%s has a patient of its own, says what it is about, and lists its stays; its patient is also that of %q", file, other)
		}
		patients[s.Patient.ID] = s.name
		for j, m := range s.Messages {
			if m.Facts == nil || m.CSV == nil || m.Row.Fact == "" && m.Row.FactStarts == "" && m.Row.Says == nil {
				t.Fatalf("%s: message %d expects no facts, no row or no line of the export", file, j+1)
			}
		}
	}
	return shapes
}

// messageID is the id of message i, a UUID as the sender's are.
func (s shape) messageID(i int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", s.name, i))
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-8" + h[17:20] + "-" + h[20:]
}

// body is message i as it is posted.
func (s shape) body(t *testing.T, i int, link string) []byte {
	t.Helper()
	m := s.Messages[i]
	payload := map[string]any{"patientId": s.Patient.ID, "url": link}
	if s.Patient.ExternalID != "" {
		payload["externalId"] = s.Patient.ExternalID
	}
	for k, v := range m.Payload {
		payload[k] = v
	}
	body := map[string]any{"meta": map[string]any{"messageId": s.messageID(i), "when": m.When, "type": m.Type}}
	if m.Patients {
		body["patients"] = []any{payload}
	} else {
		body["payload"] = payload
	}
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const dataSource = "https://public.metriport.com/fhir/StructureDefinition/data-source.json"

// bundle is the record of message i as the link gives it: a collection whose entries have urn:uuid fullUrls and carry
// the data source, as the sender's converters leave it.
func (s shape) bundle(t *testing.T, i int) []byte {
	t.Helper()
	m := s.Messages[i]
	bundle := m.Bundle
	if bundle == nil {
		entries := []any{}
		for _, r := range m.Record {
			var from map[string]any
			switch r := r.(type) {
			case map[string]any:
				from = r
			case string:
				if from = s.Parts[r]; r == "Patient" {
					from = s.Patient.Resource
				}
			}
			if from == nil {
				t.Fatalf("%s: there is no resource %v", s.name, r)
			}
			resource := map[string]any{}
			for k, v := range from {
				resource[k] = encoded(v)
			}
			if r == "Patient" {
				resource["id"] = s.Patient.ID
			}
			if m.Source != "" {
				extension, _ := resource["extension"].([]any)
				resource["extension"] = append(extension[:len(extension):len(extension)],
					map[string]any{"url": dataSource, "valueCoding": map[string]any{"system": dataSource, "code": m.Source}})
			}
			entries = append(entries, map[string]any{"fullUrl": "urn:uuid:" + resource["id"].(string), "resource": resource})
		}
		bundle = map[string]any{"resourceType": "Bundle", "type": "collection", "total": len(entries), "entry": entries}
	}
	b, err := json.Marshal(bundle)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// encoded is a copy in which text that begins with "base64:" is so encoded.
func encoded(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			out[k] = encoded(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = encoded(x)
		}
		return out
	case string:
		if text, ok := strings.CutPrefix(v, "base64:"); ok {
			return base64.StdEncoding.EncodeToString([]byte(text))
		}
	}
	return v
}

// compare says where got is not what is expected. Of an object only the keys that want names are looked at, and empty is
// the same as absent. Times are equal where the instant is; a day is not the instant at which it begins. Lists have to be equally long, except that "…" at the end of want stands for any others. A text
// that begins with ~ has to stand somewhere in got.
func compare(at string, want, got any) []string {
	if empty(want) && empty(got) {
		return nil
	}
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			break
		}
		var out []string
		for k, v := range want {
			out = append(out, compare(at+"."+k, v, object[k])...)
		}
		return out
	case []any:
		list, ok := got.([]any)
		if !ok {
			break
		}
		open := len(want) > 0 && want[len(want)-1] == "…"
		if open {
			want = want[:len(want)-1]
		}
		if len(list) < len(want) || len(list) > len(want) && !open {
			return []string{fmt.Sprintf("%s has %d, want %d: got %s", at, len(list), len(want), plain(got))}
		}
		var out []string
		for i, v := range want {
			out = append(out, compare(fmt.Sprintf("%s[%d]", at, i), v, list[i])...)
		}
		return out
	case string:
		text, ok := got.(string)
		if part, within := strings.CutPrefix(want, "~"); within && ok && strings.Contains(text, part) {
			return nil
		}
		if ok && (text == want || sameInstant(text, want)) {
			return nil
		}
	default:
		if got == want {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s: got %s, want %s", at, plain(got), plain(want))}
}

func sameInstant(a, b string) bool {
	at, errA := time.Parse(time.RFC3339, a)
	bt, errB := time.Parse(time.RFC3339, b)
	return errA == nil && errB == nil && at.Equal(bt)
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case bool:
		return !v
	case float64:
		return v == 0
	case []any:
		return len(v) == 0
	case map[string]any:
		for _, x := range v {
			if !empty(x) {
				return false
			}
		}
		return true
	}
	return false
}

func plain(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v)
	return strings.TrimSpace(b.String())
}
