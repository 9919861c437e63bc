package fhir

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Facts is what Carebell shows of one Bundle, or of one bare resource. Every list is sorted by time, newest first and
// unknown times last, then by id: the order of the entries in the bundle does not show.
//
// What was not sent is empty; nothing is filled in. The JSON form ([Facts.Encode]) is canonical: equal facts are equal
// byte for byte.
type Facts struct {
	BundleType string `json:"bundleType,omitempty"` // Bundle.type; "" for a bare resource
	Timestamp  Time   `json:"timestamp,omitzero"`   // Bundle.timestamp
	Counts     Counts `json:"counts,omitempty"`     // how many resources of each type the file holds, kept or not
	Truncated  bool   `json:"truncated,omitzero"`   // true where the file held more than is kept here

	// Patient is the one the file is about: the only one, or the one most resources name as their subject.
	Patient       Patient   `json:"patient,omitzero"`
	OtherPatients []Patient `json:"otherPatients,omitempty"` // the others; see OtherSubject of each fact

	// Exchanges are the codes of the exchanges and networks that the resources come from, sorted.
	Exchanges []string `json:"exchanges,omitempty"`

	Encounters     []Encounter     `json:"encounters,omitempty"`
	Remains        *Encounter      `json:"remains,omitempty"` // of a stay whose Encounter is gone: facility, people, diagnoses
	Conditions     []Condition     `json:"conditions,omitempty"`
	Dispenses      []Dispense      `json:"dispenses,omitempty"`
	Prescriptions  []Prescription  `json:"prescriptions,omitempty"`
	Reports        []Report        `json:"reports,omitempty"`      // but for those that are a section of Summary
	Observations   []Observation   `json:"observations,omitempty"` // those that no report claims as its result
	Communications []Communication `json:"communications,omitempty"`
	Summary        *Summary        `json:"summary,omitempty"` // nil where there is no Composition
	Documents      []Document      `json:"documents,omitempty"`
}

// Counts is how many resources of each type were met, by resourceType. A type with an odd name counts as "other".
type Counts map[string]int

// MarshalJSONTo implements [json.MarshalerTo]: the names are sorted.
func (c Counts) MarshalJSONTo(e *jsontext.Encoder) error {
	if err := e.WriteToken(jsontext.BeginObject); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(c)) {
		if err := e.WriteToken(jsontext.String(name)); err != nil {
			return err
		}
		if err := e.WriteToken(jsontext.Int(int64(c[name]))); err != nil {
			return err
		}
	}
	return e.WriteToken(jsontext.EndObject)
}

// Encode is the canonical JSON of f, to be stored and compared byte for byte.
func (f Facts) Encode() ([]byte, error) {
	var b bytes.Buffer
	if err := json.MarshalWrite(&b, f, json.Deterministic(true)); err != nil {
		return nil, fmt.Errorf("encode FHIR facts: %w", err)
	}
	return b.Bytes(), nil
}

// Decode reads what [Facts.Encode] wrote; members it does not know are ignored.
func Decode(b []byte) (Facts, error) {
	var f Facts
	if err := json.Unmarshal(b, &f); err != nil {
		return Facts{}, fmt.Errorf("decode stored FHIR facts: %w", err)
	}
	return f, nil
}

// Concept is a coded word as it was sent. Source: FHIR R4 CodeableConcept, of which the first coding is taken that has
// a code.
type Concept struct {
	Text   string `json:"text,omitempty"`   // text, else the first coding's display, else its code
	Code   string `json:"code,omitempty"`   // coding[].code
	System string `json:"system,omitempty"` // coding[].system
}

// Identifier is a business identifier. Source: FHIR R4 Identifier.
type Identifier struct {
	System string `json:"system,omitempty"`
	Value  string `json:"value"`
	Type   string `json:"type,omitempty"` // type.coding[].code such as MR or VN, else type.text
}

// Quantity is an amount. Source: FHIR R4 Quantity.
type Quantity struct {
	Value      string `json:"value,omitempty"`      // the number with the digits as sent: "4.0"
	Unit       string `json:"unit,omitempty"`       // unit, else code
	Comparator string `json:"comparator,omitempty"` // < <= >= > where the true value lies beyond
}

// Attachment is a file: behind a URL, or in the resource itself. Source: FHIR R4 Attachment.
type Attachment struct {
	Title       string `json:"title,omitempty"`
	ContentType string `json:"contentType,omitempty"`
	URL         string `json:"url,omitempty"`    // presigned, or a reference; "" for inline data
	Size        int64  `json:"size,omitzero"`    // bytes: as sent, else of Data
	Created     Time   `json:"created,omitzero"` // creation
	Data        []byte `json:"data,omitempty"`   // inline data, decoded from base64; only up to [MaxInline]
	Inline      bool   `json:"inline,omitzero"`  // data was sent in the resource
	Part        int    `json:"part,omitzero"`    // which writer of [ReadSplit] got the inline data, from 1; 0 = none
	DataCut     bool   `json:"dataCut,omitzero"` // inline data is not in Data: larger than [MaxInline], not base64, not kept
}
