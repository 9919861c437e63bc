package chart

import (
	"context"

	"carebell/db"
	"carebell/web/metriport"
)

// proofing reads a finished identity proofing. The patient may stand beside the payload, or not at all.
func proofing(r *reading, e metriport.Envelope, event metriport.Event) error {
	said := metriport.ReadProofing(r.Body)
	if said.Patient.ID != "" && (event.Payload == nil || event.Payload.Patient.ID == "") {
		if err := r.add(e, said.Patient, nil, 0); err != nil {
			return err
		}
	}
	p := db.Proofing{
		ID: r.Seq, MessageID: e.MessageID, RequestID: e.RequestID, PatientID: string(said.Patient.ID), ProofedID: said.ProofedID, SessionID: said.SessionID,
		SentAt: e.When, ReceivedAt: r.ReceivedAt, Data: fields(said.Data), Fields: fields(said.Fields),
	}
	r.facts = append(r.facts, func(ctx context.Context, tx *db.Tx) error { return tx.SaveProofing(ctx, p) })
	return nil
}

func fields(list []metriport.Field) []db.Field {
	out := []db.Field{}
	for _, f := range list {
		out = append(out, db.Field{Name: f.Name, Text: f.Text, Cut: f.Cut})
	}
	return out
}
