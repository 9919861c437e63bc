// Package chart keeps the chart (patients, stays, notifications) from the inbox. Everything here can be made again from
// the inbox alone, and comes out the same.
package chart

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"carebell/db"
	"carebell/web/care"
	"carebell/web/metriport"
)

// reading is what one message says, before anything is written.
type reading struct {
	db.Waiting
	envelope      metriport.Envelope
	status        db.Status
	reason        string   // why it is malformed or failed
	named         []string // the patients it names, also where it failed
	patients      []db.PatientStatement
	notifications []db.Notification
	downloads     []db.Download
	facts         []fact
}

// fact is what else a message says, as it is written into the chart.
type fact func(ctx context.Context, tx *db.Tx) error

// family reads what events of a kind say beside patients, notifications and downloads.
type family func(r *reading, e metriport.Envelope, event metriport.Event) error

// families are the readers of the event types that have a page of their own.
var families = map[metriport.Type]family{
	metriport.MessageReceived:      readReceived,
	metriport.MessageStatus:        readStatus,
	metriport.BulkPatientCreate:    readImport,
	metriport.NetworkQueryHIE:      readQuery,
	metriport.NetworkQueryPharmacy: readQuery,
	metriport.NetworkQueryLab:      readQuery,
	metriport.FirstDataReady:       readQuery,
	metriport.ConsolidatedData:     readConsolidated,
	metriport.DocumentsPaged:       readDocuments,
	metriport.DocumentsURLs:        readDocuments,
	metriport.DocumentDownload:     readDocuments,
	metriport.DocumentConversion:   readDocuments,
	metriport.IdentityVerified:     proofing,
}

// read makes a message into what is to be written. It is pure, and whatever a body makes it do ends in a status.
func read(w db.Waiting) (r reading) {
	r.Waiting = w
	defer func() {
		if p := recover(); p != nil { // the value may quote the body
			r = reading{Waiting: w, status: db.StatusFailed, reason: fmt.Sprintf("the handler panicked (%T)", p), named: r.named}
		}
	}()
	e := metriport.ReadEnvelope(w.Body)
	r.envelope = e
	if e.Malformed != "" {
		r.status, r.reason = db.StatusMalformed, e.Malformed
		return r
	}
	r.named = metriport.PatientIDs(w.Body)
	if !metriport.Known(e.Type) {
		r.status = db.StatusUnrecognized
		return r
	}
	event, err := metriport.ReadEvent(metriport.Type(e.Type), w.Body)
	if err == nil {
		err = r.fill(e, event)
	}
	if f := families[metriport.Type(e.Type)]; err == nil && f != nil {
		err = f(&r, e, event)
	}
	if err != nil {
		return reading{Waiting: w, status: db.StatusFailed, reason: err.Error(), named: r.named}
	}
	r.status = db.StatusProcessed
	r.downloads = downloads(w, metriport.Type(e.Type), event)
	return r
}

// downloads are the presigned links of an event, as what is to be fetched.
func downloads(w db.Waiting, t metriport.Type, event metriport.Event) []db.Download {
	var out []db.Download
	for _, l := range metriport.Links(t, event, w.ReceivedAt) {
		d := db.Download{
			InboxSeq: w.Seq, Place: l.Place, Purpose: purpose(t, l.Role), Name: l.Name,
			ClaimedType: l.Type, ClaimedSize: l.Size, URL: l.URL, APIURL: l.APIURL, ExpiresAt: l.Expires,
		}
		switch {
		case event.Payload != nil:
			d.PatientID = string(event.Payload.Patient.ID)
		case l.Item < len(event.Patients):
			d.PatientID = string(event.Patients[l.Item].ID)
		}
		if _, notifies := kinds[t]; notifies && d.PatientID != "" && l.Role == metriport.RoleRecord {
			d.NotificationID, _ = db.NotificationID(w.Seq, l.Item) // it was made for the notification before
		}
		out = append(out, d)
	}
	return out
}

// purpose says what a link leads to, in the chart's words.
func purpose(t metriport.Type, role metriport.Role) db.Purpose {
	switch role {
	case metriport.RoleConsolidated:
		return db.PurposeConsolidated
	case metriport.RoleDocument:
		return db.PurposeDocument
	case metriport.RoleImportResult:
		return db.PurposeImport
	case metriport.RoleMessage:
		return db.PurposeMessage
	case metriport.RoleAttachment:
		return db.PurposeAttachment
	case metriport.RoleRecord:
	}
	switch kinds[t] {
	case care.Pharmacy:
		return db.PurposePharmacy
	case care.Lab:
		return db.PurposeLab
	case care.Summary:
		return db.PurposeSummary
	default:
		return db.PurposeADT
	}
}

func (r *reading) fill(e metriport.Envelope, event metriport.Event) error {
	if p := event.Payload; p != nil {
		return r.add(e, p.Patient, p, 0)
	}
	for i, row := range event.Patients {
		if err := r.add(e, row.Patient, nil, i); err != nil {
			return err
		}
	}
	return nil
}

// kinds are the event types that become notifications.
var kinds = map[metriport.Type]care.Kind{
	metriport.PatientAdmit:          care.Admit,
	metriport.PatientTransfer:       care.Transfer,
	metriport.PatientDischarge:      care.Discharge,
	metriport.PatientPharmacy:       care.Pharmacy,
	metriport.PatientLaboratory:     care.Lab,
	metriport.DischargeSummary:      care.Summary,
	metriport.DischargeSummaryBatch: care.Summary,
}

// add takes one patient of a message; p is nil for a row of `patients`.
func (r *reading) add(e metriport.Envelope, patient metriport.Patient, p *metriport.Payload, item int) error {
	kind, notifies := kinds[metriport.Type(e.Type)]
	if patient.ID == "" {
		if notifies {
			return errors.New("the event names no patient")
		}
		return nil // a message that names none, for one, is shown as unmatched
	}
	id, err := db.NotificationID(r.Seq, item)
	if err != nil {
		return err
	}
	n := db.Notification{
		ID: id, InboxSeq: r.Seq, Kind: kind, PatientID: string(patient.ID), MessageID: r.MessageID,
		SentAt: e.When, ReceivedAt: r.ReceivedAt, Test: e.Test, Moves: []care.Move{},
	}
	if p != nil {
		state(&n, p)
	}
	happened := firstKnown(n.EventAt, e.When, r.ReceivedAt)
	r.patients = append(r.patients, db.PatientStatement{
		ID: n.PatientID, ExternalID: string(patient.ExternalID), Aliases: aliases(patient.AdditionalIDs),
		SentAt: e.When, MessageID: r.MessageID, EventAt: happened, EventDay: n.EventDay,
	})
	if notifies {
		r.notifications = append(r.notifications, n)
	}
	return nil
}

// state takes what a payload says of the event itself into the notification.
func state(n *db.Notification, p *metriport.Payload) {
	n.SourceSentAt, n.AdmitAt, n.DischargeAt = p.WhenSourceSent.Time, p.AdmitTime.Time, p.DischargeTime.Time
	for _, t := range p.Transfers {
		m := care.Move{From: string(t.From.Name), FromType: string(t.From.Type), To: string(t.To.Name), ToType: string(t.To.Type)}
		if !t.Time.IsZero() {
			m.At = t.Time.UnixMilli()
		}
		n.Moves = append(n.Moves, m)
	}
	slices.SortStableFunc(n.Moves, func(a, b care.Move) int { return cmp.Compare(a.At, b.At) })
	switch n.Kind {
	case care.Admit:
		n.EventAt = n.AdmitAt
	case care.Discharge:
		n.EventAt = n.DischargeAt
	case care.Transfer:
		if last := len(n.Moves) - 1; last >= 0 {
			if n.Facility = n.Moves[last].To; n.Moves[last].At != 0 {
				n.EventAt = time.UnixMilli(n.Moves[last].At).UTC()
			}
		}
	case care.Pharmacy:
		n.EventAt, n.EventDay = dated(p.DispensedDate)
	case care.Lab:
		n.EventAt, n.EventDay = dated(p.CollectedDate)
	case care.Summary: // its time is in the document, not in the event
	}
}

// dated is when something happened that may be known by its day alone.
func dated(d metriport.Date) (at time.Time, day bool) {
	if d.Day {
		return care.Noon(d.Time), true
	}
	return d.Time, false
}

// firstKnown returns the first of ts that is set.
func firstKnown(ts ...time.Time) time.Time {
	for _, t := range ts {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

func aliases(ids metriport.IDs) []db.Alias {
	var out []db.Alias
	for system, values := range ids {
		for _, v := range values {
			out = append(out, db.Alias{System: system, Value: v})
		}
	}
	slices.SortFunc(out, func(a, b db.Alias) int {
		return strings.Compare(a.System+"\x00"+a.Value, b.System+"\x00"+b.Value)
	})
	return out
}
