package metriport

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Proofing is what an ias.identity.verified event says. No schema is published for it, so everything is taken by its own
// name, in payload and beside it.
type Proofing struct {
	Patient   Patient // ID is empty where nobody is named
	ProofedID string  // proofedIdentityId, "" where not sent
	SessionID string
	Data      []Field // meta.data: what the caller passed
	Fields    []Field // every other field but meta
}

// Field is a field by its name; one within another is named with a dot between, one of a list by its number.
type Field struct{ Name, Value string }

// Limits of the fields that are kept; the message has all of them.
const (
	mostFields   = 200
	longestField = 2000 // bytes
	deepestField = 6
)

// taken are the fields that have a place of their own. Those of a shape that nobody expected are shown like any other.
var taken = []string{"proofedIdentityId", "sessionId", "patientId", "externalId"}

// ReadProofing reads it; what is of another shape than expected is shown as it is.
func ReadProofing(body []byte) Proofing {
	top := membersOf(trimBOM(body))
	payload := membersOf(top["payload"])
	first := func(name string) jsontext.Value {
		if v, ok := payload[name]; ok && textOf(v) != "" {
			return v
		}
		return top[name]
	}
	p := Proofing{ProofedID: textOf(first("proofedIdentityId")), SessionID: textOf(first("sessionId"))}
	p.Patient.ID, p.Patient.ExternalID = Text(textOf(first("patientId"))), Text(textOf(first("externalId")))
	ids, ok := payload["additionalIds"]
	if !ok {
		ids = top["additionalIds"]
	}
	_ = json.Unmarshal(ids, &p.Patient.AdditionalIDs, loose) // of another shape: none
	p.Data = fieldsOf(membersOf(top["meta"])["data"], nil)
	if payload != nil {
		p.Fields = fieldsOf(top["payload"], taken)
	}
	p.Fields = append(p.Fields, fieldsOf(jsontext.Value(trimBOM(body)), append([]string{"meta", "payload"}, taken...))...)
	return p
}

// textOf is a JSON string or number as text; "" for anything else.
func textOf(v jsontext.Value) string {
	var t Text
	if len(v) == 0 || json.Unmarshal(v, &t, loose) != nil {
		return ""
	}
	return cut(string(t))
}

func cut(s string) string {
	if len(s) <= longestField {
		return s
	}
	return strings.ToValidUTF8(s[:longestField], "") + "…"
}

// fieldsOf lists the members of a JSON value in their order, but for those on the top that are named in without.
func fieldsOf(v jsontext.Value, without []string) []Field {
	var out []Field
	if len(v) > 0 {
		walkFields(&out, v, "", without, 0)
	}
	return out
}

func walkFields(out *[]Field, v jsontext.Value, name string, without []string, depth int) {
	if len(*out) >= mostFields {
		return
	}
	kind := v.Kind()
	if (kind != '{' && kind != '[') || depth >= deepestField {
		addField(out, name, v)
		return
	}
	d := jsontext.NewDecoder(bytes.NewReader(v), loose)
	if _, err := d.ReadToken(); err != nil {
		return
	}
	for i := 0; ; i++ {
		next := d.PeekKind()
		if next == '}' || next == ']' || next == 0 {
			return
		}
		inner := strconv.Itoa(i + 1)
		if kind == '{' {
			token, err := d.ReadToken()
			if err != nil {
				return
			}
			inner = token.String()
		}
		value, err := d.ReadValue()
		if err != nil {
			return
		}
		odd := slices.Contains(taken, inner) && (value.Kind() == '{' || value.Kind() == '[')
		if depth == 0 && slices.Contains(without, inner) && !odd {
			continue
		}
		full := inner
		if name != "" {
			full = name + "." + inner
		}
		walkFields(out, value, full, nil, depth+1)
	}
}

func addField(out *[]Field, name string, v jsontext.Value) {
	text := string(v)
	if v.Kind() == '"' {
		text = textOf(v)
	}
	if v.Kind() != 'n' { // null is as if it were not there
		*out = append(*out, Field{Name: cut(name), Value: cut(text)})
	}
}
