package metriport

import (
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

// longestProof is the longest id that is taken as one, in bytes.
const longestProof = 2000

// ReadProofing reads it; what is of another shape than expected is shown as it is.
func ReadProofing(body []byte) Proofing {
	top := membersOf(trimBOM(body))
	payload := membersOf(top["payload"])
	read := func(name string) string {
		if text := textOf(payload[name]); text != "" {
			return text
		}
		return textOf(top[name])
	}
	p := Proofing{ProofedID: read("proofedIdentityId"), SessionID: read("sessionId")}
	p.Patient.ID, p.Patient.ExternalID = Text(read("patientId")), Text(read("externalId"))
	ids, ok := payload["additionalIds"]
	if !ok {
		ids = top["additionalIds"]
	}
	_ = json.Unmarshal(ids, &p.Patient.AdditionalIDs, loose) // of another shape: none
	p.Data, _ = Fields(membersOf(top["meta"])["data"])
	others := &fields{skip: taken(payload)}
	if payload != nil {
		others.value("", top["payload"])
	}
	others.skip = taken(top)
	others.skip["meta"], others.skip["payload"] = true, payload != nil
	others.value("", trimBOM(body))
	p.Fields = others.list
	return p
}

// taken are the members that have a place of their own. Those of a shape that nobody expected are shown like any other.
func taken(members map[string]jsontext.Value) map[string]bool {
	skip := map[string]bool{}
	for _, name := range []string{"proofedIdentityId", "sessionId", "patientId", "externalId"} {
		v := members[name]
		skip[name] = v.Kind() == 'n' || textOf(v) != ""
	}
	return skip
}

// textOf is a JSON string or number as text; "" for anything else.
func textOf(v jsontext.Value) string {
	var t Text
	if len(v) == 0 || json.Unmarshal(v, &t, loose) != nil {
		return ""
	}
	return cut(string(t), longestProof)
}
