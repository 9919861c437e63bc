package chart

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"carebell/db"
	"carebell/web/care"
	"carebell/web/fhir"
	"carebell/web/metriport"
)

// Bounds of what is taken from a message. The message itself keeps all of it.
const (
	longestLine = 200 // runes
	longestText = 500 // runes
	longestKey  = 200 // bytes
	mostPages   = 1_000_000
)

// place is where a network query of type t asks.
func place(t metriport.Type) string {
	switch t {
	case metriport.NetworkQueryPharmacy:
		return care.PlacePharmacy
	case metriport.NetworkQueryLab:
		return care.PlaceLab
	default:
		return care.PlaceHIE
	}
}

// readQuery reads what one source answered to a network query.
func readQuery(r *reading, e metriport.Envelope, event metriport.Event) error {
	t, src := metriport.Type(e.Type), event.Payload.Source
	part, err := parts(r, e, care.StepAnswer)(0)
	part.Place, part.Source, part.Status = place(t), string(src.Source), string(src.Status)
	if kind := string(src.Type); kind != "" && !strings.EqualFold(kind, part.Place) {
		part.Source = strings.TrimSpace(kind + " " + part.Source)
	}
	part.Source, part.Status = metriport.Clip(part.Source, longestLine), metriport.Clip(part.Status, longestLine)
	part.At = firstKnown(src.CompletedAt.Time, src.FirstDataReadyAt.Time, e.When)
	if t == metriport.FirstDataReady {
		part.Step, part.At = care.StepFirst, firstKnown(src.FirstDataReadyAt.Time, src.CompletedAt.Time, e.When)
	}
	r.addPart(care.PullQuery, string(event.Payload.Patient.ID), e.RequestID, part, nil)
	return err
}

// readConsolidated reads the answers to consolidated queries, one for each patient.
func readConsolidated(r *reading, e metriport.Envelope, event metriport.Event) error {
	next := parts(r, e, care.StepData)
	for i, row := range event.Patients {
		part, err := next(i)
		if err != nil {
			return err
		}
		b := row.ReadBundle()
		part.Status = metriport.Clip(string(row.Status), longestLine)
		part.Filters = named(row.FilterPairs())
		part.Bundle, part.Entries, part.Formats = b.Sent, b.Entries, b.Formats
		if b.Inline {
			if facts, err := fhir.Read(bytes.NewReader(row.Bundle)); err == nil {
				part.Counts = facts.Counts
			}
		}
		r.addPart(care.PullConsolidated, string(row.ID), e.RequestID, part, nil)
	}
	return nil
}

// readDocuments reads a page of a bulk download, or one of the older lists.
func readDocuments(r *reading, e metriport.Envelope, event metriport.Event) error {
	step := map[metriport.Type]care.Step{
		metriport.DocumentsPaged: care.StepPage, metriport.DocumentsURLs: care.StepLinks,
		metriport.DocumentDownload: care.StepDownload, metriport.DocumentConversion: care.StepConversion,
	}[metriport.Type(e.Type)]
	next := parts(r, e, step)
	for i, row := range event.Patients {
		part, err := next(i)
		if err != nil {
			return err
		}
		part.Status = metriport.Clip(string(row.Status), longestLine)
		if p := row.Pagination; p != nil {
			part.Page, part.Pages, part.Items = within(p.Page), within(p.TotalPages), within(p.TotalItems)
		}
		r.addPart(care.PullDocuments, string(row.ID), e.RequestID, part, documents(r.Waiting, e, i, row.Documents))
	}
	return nil
}

// within is a count that can be one, else 0.
func within(n metriport.Int) int64 {
	if n < 0 || n > mostPages {
		return 0
	}
	return int64(n)
}

// documents are what a list names, with the place of each link.
func documents(w db.Waiting, e metriport.Envelope, item int, list []metriport.Document) []db.ListedDocument {
	out := make([]db.ListedDocument, 0, len(list))
	for j, d := range list {
		listed := db.ListedDocument{
			Key:    documentKey(w.MessageID, item, j, d),
			Listed: fmt.Sprintf("%020d %s %04d %06d", max(e.When.UnixMilli(), 0), w.MessageID, item, j),
			Document: db.Document{
				Name: metriport.Clip(string(d.FileName), longestLine), Description: metriport.Clip(string(d.Description), longestText),
				Type: metriport.Clip(d.TypeText(), longestLine), Organization: metriport.Clip(strings.Join(d.OrganizationNames(), "; "), longestLine),
				Status: metriport.Clip(string(d.Status), longestLine), Indexed: d.Indexed.Time, MediaType: metriport.Clip(string(d.MimeType), longestLine),
				Size: max(int64(d.Size), 0),
			},
		}
		if d.URL != "" {
			listed.InboxSeq, listed.Place = w.Seq, fmt.Sprintf("/patients/%d/documents/%d/url", item, j)
		}
		out = append(out, listed)
	}
	return out
}

// documentKey tells a document apart from the others of its request, so that one that is listed twice is shown once.
func documentKey(messageID string, item, j int, d metriport.Document) string {
	key := "id " + string(d.ID)
	switch {
	case d.ID != "":
	case d.FileName != "":
		key = fmt.Sprintf("name %d %d %s", d.Indexed.UnixMilli(), d.Size, d.FileName)
	default:
		key = fmt.Sprintf("at %d %d %s", item, j, messageID)
	}
	if len(key) > longestKey {
		sum := sha256.Sum256([]byte(key))
		key = "sum " + hex.EncodeToString(sum[:])
	}
	return key
}

// parts makes the parts of one message, with what all of them have.
func parts(r *reading, e metriport.Envelope, step care.Step) func(item int) (care.Part, error) {
	data := named(metriport.Pairs(metriport.CallerData(r.Body)))
	return func(item int) (care.Part, error) {
		id, err := db.NotificationID(r.Seq, item)
		part := care.Part{ID: id, Step: step, MessageID: r.MessageID, At: e.When, SentAt: e.When, Received: r.ReceivedAt}
		part.Data = data
		return part, err
	}
}

func named(pairs []metriport.Pair) []care.Pair {
	var out []care.Pair
	for _, p := range pairs {
		out = append(out, care.Pair(p))
	}
	return out
}

// addPart has a part written into the chart, with the documents it lists.
func (r *reading) addPart(kind care.PullKind, patientID, requestID string, part care.Part, list []db.ListedDocument) {
	r.facts = append(r.facts, func(ctx context.Context, tx *db.Tx) error {
		return tx.AddPart(ctx, db.PullPart{Kind: kind, PatientID: patientID, RequestID: requestID, Part: part, Documents: list})
	})
}
