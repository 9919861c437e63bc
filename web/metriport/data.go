package metriport

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// CallerData returns meta.data, the metadata that the caller passed to the API and gets back, as compact JSON; nil where
// there is none. It may be of any shape.
func CallerData(body []byte) []byte {
	var e struct {
		Meta struct {
			Data jsontext.Value `json:"data"`
		} `json:"meta"`
	}
	// Names may stand twice within the data: it is the caller's own.
	if json.Unmarshal(trimBOM(body), &e, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)) != nil {
		return nil
	}
	v := e.Meta.Data
	if v.Compact(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)) != nil || len(v) == 0 || string(v) == "null" || string(v) == "{}" {
		return nil
	}
	return v
}
