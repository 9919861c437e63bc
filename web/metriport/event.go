package metriport

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Type is meta.type, the name of an event.
type Type string

// The event types of contract.md.
const (
	Ping                  Type = "ping"
	NetworkQueryHIE       Type = "network-query.hie"
	NetworkQueryPharmacy  Type = "network-query.pharmacy"
	NetworkQueryLab       Type = "network-query.lab"
	FirstDataReady        Type = "network-query.hie.first-data-ready"
	ConsolidatedData      Type = "medical.consolidated-data"
	BulkPatientCreate     Type = "medical.bulk-patient-create"
	DocumentsPaged        Type = "medical.document-bulk-download-paged"
	DocumentsURLs         Type = "medical.document-bulk-download-urls"
	DocumentDownload      Type = "medical.document-download"
	DocumentConversion    Type = "medical.document-conversion"
	MessageStatus         Type = "message.status"
	MessageReceived       Type = "message.received"
	PatientAdmit          Type = "patient.admit"
	PatientTransfer       Type = "patient.transfer"
	PatientDischarge      Type = "patient.discharge"
	PatientPharmacy       Type = "patient.pharmacy"
	PatientLaboratory     Type = "patient.laboratory"
	DischargeSummary      Type = "patient.discharge-summary" // observed, not documented
	DischargeSummaryBatch Type = "medical.discharge-summary" // observed, not documented
	IdentityVerified      Type = "ias.identity.verified"
)

// Types lists every event type this version reads, in the order of contract.md.
var Types = []Type{
	Ping, NetworkQueryHIE, NetworkQueryPharmacy, NetworkQueryLab, FirstDataReady, ConsolidatedData, BulkPatientCreate,
	DocumentsPaged, DocumentsURLs, DocumentDownload, DocumentConversion, MessageStatus, MessageReceived, PatientAdmit,
	PatientTransfer, PatientDischarge, PatientPharmacy, PatientLaboratory, DischargeSummary, DischargeSummaryBatch,
	IdentityVerified,
}

// Patient names the patient an event is about. ID is empty where the event names none.
type Patient struct {
	ID            Text `json:"patientId"`
	ExternalID    Text `json:"externalId"`
	AdditionalIDs IDs  `json:"additionalIds"`
}

// Event is the typed body beside `meta`. Which part is set follows from the type.
type Event struct {
	Payload    *Payload     `json:"payload"`
	Patients   []PatientRow `json:"patients"`
	BulkCreate *BulkCreate  `json:"bulkPatientCreate"`
}

// Payload is the `payload` of the patient.*, network-query.*, message.* and ias.* events: the union of their fields.
// Raw keeps all of it, for the fields that have no documented schema.
type Payload struct {
	Patient `json:",inline"`

	URL            Text `json:"url"`
	WhenSourceSent Time `json:"whenSourceSent"`

	AdmitTime     Time       `json:"admitTimestamp"`
	DischargeTime Time       `json:"dischargeTimestamp"`
	Transfers     []Transfer `json:"transfers"`
	DispensedDate Date       `json:"medicationDispensedDate"`
	CollectedDate Date       `json:"specimenCollectedDate"`

	ConsolidatedDataURL Text   `json:"consolidatedDataUrl"`
	Source              Source `json:"source"`

	ID          Text `json:"id"`
	Status      Text `json:"status"`
	Subject     Text `json:"subject"`
	SentAt      Time `json:"sentAt"`
	CompletedAt Time `json:"completedAt"`
	Reason      Text `json:"reason"`

	ProofedIdentityID Text `json:"proofedIdentityId"`
	SessionID         Text `json:"sessionId"`

	Raw jsontext.Value `json:"-"`
}

// UnmarshalJSONFrom implements [json.UnmarshalerFrom]: the fields and, beside them, the raw object.
func (p *Payload) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	v, err := d.ReadValue()
	if err != nil {
		return errNotJSON(err)
	}
	if v.Kind() != '{' {
		return errors.New("payload is not an object")
	}
	type plain Payload
	if err := json.Unmarshal(v, (*plain)(p), tolerant); err != nil {
		return readError(err)
	}
	p.Raw = v.Clone()
	return nil
}

// Transfer is one move within a stay; unit moves count too.
type Transfer struct {
	Time Time     `json:"timestamp"`
	From Location `json:"sourceLocation"`
	To   Location `json:"destinationLocation"`
}

// Location is where a patient lay: a ward, a unit, a facility.
type Location struct {
	Name Text `json:"name"`
	Type Text `json:"type"`
}

// Source is one place a network query asked.
type Source struct {
	Type             Text `json:"type"`   // hie, pharmacy, lab
	Source           Text `json:"source"` // surescripts, quest, …
	Status           Text `json:"status"` // completed, failed, processing
	CompletedAt      Time `json:"completedAt"`
	FirstDataReadyAt Time `json:"firstDataReadyAt"`
}

// PatientRow is one entry of `patients` in the medical.* events: the union of their fields.
type PatientRow struct {
	Patient `json:",inline"`

	Status     Text           `json:"status"`
	URL        Text           `json:"url"`
	Filters    jsontext.Value `json:"filters"`
	Bundle     jsontext.Value `json:"bundle"`
	Documents  []Document     `json:"documents"`
	Pagination *Pagination    `json:"pagination"`
}

// Document is one document of a bulk download.
type Document struct {
	ID            Text           `json:"id"`
	FileName      Text           `json:"fileName"`
	Description   Text           `json:"description"`
	Status        Text           `json:"status"`
	Indexed       Time           `json:"indexed"`
	MimeType      Text           `json:"mimeType"`
	Size          Int            `json:"size"` // bytes
	Type          jsontext.Value `json:"type"`
	Organizations jsontext.Value `json:"organizationIdentifiers"`
	URL           Text           `json:"url"`         // expires
	DownloadURL   Text           `json:"downloadUrl"` // needs the API key
}

// Pagination says which page of a document download this is; pages count from 1.
type Pagination struct {
	Page       Int `json:"page"`
	TotalPages Int `json:"totalPages"`
	TotalItems Int `json:"totalItems"`
}

// BulkCreate is the state of a bulk patient import.
type BulkCreate struct {
	RequestID Text `json:"requestId"`
	Status    Text `json:"status"` // waiting, processing, completed, failed, expired
	Reason    Text `json:"reason"`
	Result    Text `json:"result"` // URL of the result CSV
}

// Known says whether this version reads events of type t.
func Known(t string) bool {
	_, ok := needs[Type(t)]
	return ok
}

// part names the member of the body that carries a type's facts.
type part int

const (
	nothing part = iota
	payload
	patients
	bulkCreate
	payloadOrPatients
	anything // no schema is published: whatever is there
)

var needs = map[Type]part{
	Ping:            nothing,
	NetworkQueryHIE: payload, NetworkQueryPharmacy: payload, NetworkQueryLab: payload, FirstDataReady: payload,
	ConsolidatedData: patients, DocumentsPaged: patients, DocumentsURLs: patients, DocumentDownload: patients,
	DocumentConversion: patients, BulkPatientCreate: bulkCreate,
	MessageStatus: payload, MessageReceived: payload, IdentityVerified: anything,
	PatientAdmit: payload, PatientTransfer: payload, PatientDischarge: payload,
	PatientPharmacy: payload, PatientLaboratory: payload,
	DischargeSummary: payloadOrPatients, DischargeSummaryBatch: payloadOrPatients,
}

// ReadEvent reads the body of a known type. Unknown fields are ignored, wrong types of optional fields count as absent.
// It fails, in words that quote nothing of the body, when the member that carries the facts is missing, is not of its
// shape, or names a field twice.
func ReadEvent(t Type, body []byte) (Event, error) {
	var e Event
	need, ok := needs[t]
	if !ok {
		return e, fmt.Errorf("type %q is not known to this version", t)
	}
	if need == nothing {
		return e, nil
	}
	if err := json.Unmarshal(trimBOM(body), &e, tolerant); err != nil {
		return e, readError(err)
	}
	missing := ""
	switch {
	case need == payload && e.Payload == nil:
		missing = "payload"
	case need == patients && e.Patients == nil:
		missing = "patients"
	case need == bulkCreate && e.BulkCreate == nil:
		missing = "bulkPatientCreate"
	case need == payloadOrPatients && e.Payload == nil && e.Patients == nil:
		missing = "payload or patients"
	}
	if missing != "" {
		return e, fmt.Errorf("the body has no %s", missing)
	}
	return e, nil
}

// tolerant reads optional parts of another shape than documented as absent, so that one odd field costs no event.
var tolerant = json.JoinOptions(
	jsontext.AllowInvalidUTF8(true),
	json.WithUnmarshalers(json.JoinUnmarshalers(
		lenient[[]Transfer](lenient[Transfer]()), lenient[[]Document](lenient[Document]()),
		lenient[Source](), lenient[*Pagination](),
	)),
)

func lenient[T any](inner ...*json.Unmarshalers) *json.Unmarshalers {
	within := json.WithUnmarshalers(json.JoinUnmarshalers(inner...))
	return json.UnmarshalFromFunc(func(d *jsontext.Decoder, to *T) error {
		v, err := d.ReadValue()
		if err != nil {
			return err
		}
		if json.Unmarshal(v, to, jsontext.AllowInvalidUTF8(true), within) != nil {
			*to = *new(T)
		}
		return nil
	})
}

// readError says where reading failed, by JSON pointer, without the decoder's own words, which may quote a patient.
func readError(err error) error {
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		return fmt.Errorf("%s is not of the documented shape", pointer(semantic.JSONPointer))
	}
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return fmt.Errorf("a field stands twice: %s", pointer(syntactic.JSONPointer))
		}
		return fmt.Errorf("not valid JSON at byte %d", syntactic.ByteOffset)
	}
	return errors.New("the body is not of the documented shape")
}

func pointer(p jsontext.Pointer) string {
	if p == "" {
		return "the body"
	}
	return string(p)
}
