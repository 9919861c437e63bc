package metriport

import (
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Limits of what [PatientIDs] returns.
const (
	mostNamed  = 1024
	longestID  = 512 // bytes
	namedField = "patientId"
)

// PatientIDs lists the patients that a body names where events name them: at the top, in `payload`, in `patients`. It
// knows no types and never fails, so that a message can be found by its patient also where it could not be used.
func PatientIDs(body []byte) []string {
	var out []string
	add := func(v jsontext.Value) {
		var id Text
		if json.Unmarshal(v, &id, jsontext.AllowInvalidUTF8(true)) == nil && id != "" && len(id) <= longestID && len(out) < mostNamed && !slices.Contains(out, string(id)) {
			out = append(out, string(id))
		}
	}
	top := membersOf(trimBOM(body))
	add(top[namedField])
	add(membersOf(top["payload"])[namedField])
	var rows []jsontext.Value
	if json.Unmarshal(top["patients"], &rows, loose) == nil {
		for _, row := range rows {
			add(membersOf(row)[namedField])
		}
	}
	slices.Sort(out)
	return out
}

// membersOf are the members of a JSON object; nil where v is none. Of two of a name the last counts.
func membersOf(v jsontext.Value) map[string]jsontext.Value {
	var m map[string]jsontext.Value
	if json.Unmarshal(v, &m, loose) != nil {
		return nil
	}
	return m
}
