package metriport

import (
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

// longestField bounds an id that is not of a documented length, in bytes.
const longestField = 2000

// taken are the fields that have a place of their own. Those of a shape that nobody expected are shown like any other.
var taken = []string{"proofedIdentityId", "sessionId", "patientId", "externalId"}

// ReadProofing reads it; what is of another shape than expected is shown as it is.
func ReadProofing(body []byte) Proofing {
	body = trimBOM(body)
	top := membersOf(body)
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
	p.Data, _ = Fields(membersOf(top["meta"])["data"])
	p.Fields = append(beside(top["payload"], payload), beside(body, top)...)
	return p
}

// beside lists the fields of an object that have no place of their own.
func beside(raw jsontext.Value, members map[string]jsontext.Value) []Field {
	f := &fields{skip: map[string]bool{"meta": true, "payload": true}}
	for _, name := range taken {
		kind := members[name].Kind()
		f.skip[name] = kind != '{' && kind != '['
	}
	if members != nil {
		f.value("", raw)
	}
	return f.list
}

// textOf is a JSON string or number as text; "" for anything else.
func textOf(v jsontext.Value) string {
	var t Text
	if len(v) == 0 || json.Unmarshal(v, &t, loose) != nil {
		return ""
	}
	if len(t) > longestField {
		return strings.ToValidUTF8(string(t)[:longestField], "") + "…"
	}
	return string(t)
}
