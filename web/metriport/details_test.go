package metriport_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"carebell/web/metriport"
)

// TestCallersDataIsReadWhateverItIs: it has no schema.
func TestCallersDataIsReadWhateverItIs(t *testing.T) {
	type pairs = []metriport.Pair
	long := strings.Repeat("ü", 600)
	for data, want := range map[string]pairs{
		`{"ticket":" TOC-1 ","n":1.50,"yes":true,"none":null,"nested":{"a": [1, 2]},"":"nameless"}`: {{"ticket", "TOC-1"}, {"n", "1.50"}, {"yes", "true"}, {"nested", `{"a":[1,2]}`}, {"", "nameless"}},
		`{"z":"1","a":"2"}`:         {{"z", "1"}, {"a", "2"}},
		`null`:                      nil,
		`{}`:                        nil,
		`"just words"`:              {{"", "just words"}},
		`["a", "b"]`:                {{"", `["a","b"]`}},
		`{"x":"` + long + `"}`:      {{"x", strings.Repeat("ü", 500) + "…"}},
		`{"` + long + `":"x"}`:      {{strings.Repeat("ü", 80) + "…", "x"}},
		`{"<b>":"<script>"}`:        {{"<b>", "<script>"}},
		`{"a":"1","a":"2"}`:         {{"a", "1"}, {"a", "2"}},
		`{"empty":"","blank":"  "}`: {{"empty", ""}, {"blank", ""}},
		"{\"bad\":\"\xff\"}":        {{"bad", "\ufffd"}},
		`{"a":` + strings.Repeat("[", 20) + `1` + strings.Repeat("]", 20) + `}`: {{"a", strings.Repeat("[", 20) + "1" + strings.Repeat("]", 20)}},
	} {
		if got := metriport.Pairs(metriport.CallerData([]byte(`{"meta":{"messageId":"m","data":` + data + `}}`))); !reflect.DeepEqual(got, want) {
			t.Errorf("%.80s:\n got %q\nwant %q", data, got, want)
		}
	}
	for _, body := range []string{``, `{}`, `[]`, `{"meta":7}`, `{"meta":{}}`, `{"META":{"data":{"a":"1"}}}`, `{"data":{"a":"1"}}`, `not JSON`} {
		if got := metriport.Pairs(metriport.CallerData([]byte(body))); got != nil {
			t.Errorf("%s: %q", body, got)
		}
	}
	var many []string
	for i := range 500 {
		many = append(many, fmt.Sprintf(`"k%d":"v"`, i))
	}
	if got := metriport.Pairs(metriport.CallerData([]byte("\xef\xbb\xbf" + `{"meta":{"data":{` + strings.Join(many, ",") + `}}}`))); len(got) != 60 {
		t.Errorf("%d of 500 pairs", len(got))
	}
}

// TestDocumentsAndBundlesOfOddShapes are read as far as they can be.
func TestDocumentsAndBundlesOfOddShapes(t *testing.T) {
	e, err := metriport.ReadEvent(metriport.DocumentsPaged, []byte(`{"patients":[{"documents":[
		{"type":{"text":" Note ","coding":[{"display":"other"}]},"organizationIdentifiers":[{"name":"A"},{"identifierValues":["1.2.3"]},{"name":null},7]},
		{"type":{"coding":[{"code":"11506-3"},{"code":"x","display":"Progress note"}]},"organizationIdentifiers":[{"name":"A & B"},{"identifierValues":["1.2.3","4"]},{}]},
		{"type":{"coding":[{},{"code":"11506-3"}]},"organizationIdentifiers":{"name":"A"}},
		{"type":"Note","organizationIdentifiers":null}, {"type":{"coding":7}}, {}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct{ kind, organizations string }{{"Note", "A; 1.2.3"}, {"Progress note", "A & B; 1.2.3"}, {"11506-3", ""}, {}, {}, {}} {
		d := e.Patients[0].Documents[i]
		if got := d.TypeText(); got != want.kind {
			t.Errorf("document %d is a %q, want %q", i, got, want.kind)
		}
		if got := strings.Join(d.OrganizationNames(), "; "); got != want.organizations {
			t.Errorf("document %d is of %q, want %q", i, got, want.organizations)
		}
	}
	type bundle = metriport.ConsolidatedBundle
	for raw, want := range map[string]bundle{
		`null`: {}, `"x"`: {}, `[]`: {}, `{}`: {}, `{"entry":null}`: {}, `{"entry":"x"}`: {},
		`{"entry":[]}`:           {Sent: true},
		`{"entry":[7,null,"x"]}`: {Sent: true, Entries: 3, Inline: true},
		`{"entry":[{"resource":{"resourceType":"Condition"}}]}`:         {Sent: true, Entries: 1, Inline: true},
		`{"entry":[{"resource":{"resourceType":"DocumentReference"}}]}`: {Sent: true, Entries: 1, Inline: true},
		`{"entry":[{"resource":{"resourceType":"DocumentReference","content":[{"attachment":{"url":"u","contentType":"application/json"}},{"attachment":{"url":"v","contentType":"application/gzip"}},{"attachment":{"contentType":"text/html"}},{"attachment":{"url":"w","contentType":"application/gzip"}}]}}]}`: {
			Sent: true, Entries: 1, Formats: []string{"application/json", "application/gzip"}},
	} {
		e, err := metriport.ReadEvent(metriport.ConsolidatedData, []byte(`{"patients":[{"patientId":"p","bundle":`+raw+`}]}`))
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if got := e.Patients[0].ReadBundle(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", raw, got, want)
		}
	}
}
