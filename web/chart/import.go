package chart

import (
	"context"
	"strings"
	"unicode"

	"carebell/db"
	"carebell/web/metriport"
)

// readImport takes what a message says of a bulk creation job into the job's history.
func readImport(r *reading, e metriport.Envelope, event metriport.Event) error {
	b := event.BulkCreate
	job := db.ImportEvent{
		InboxSeq: r.Seq, MessageID: r.MessageID, State: string(b.Status), Reason: string(b.Reason),
		SentAt: e.When, ReceivedAt: r.ReceivedAt, Data: metriport.CallerData(r.Body), Test: e.Test,
	}
	job.Job, job.JobFrom = jobID(string(b.RequestID), e)
	r.facts = append(r.facts, func(ctx context.Context, tx *db.Tx) error { return tx.SaveImportEvent(ctx, job) })
	return nil
}

// jobID is the best of the ids that can name a job, and which it is.
func jobID(own string, e metriport.Envelope) (string, db.ImportIDFrom) {
	switch {
	case usableID(own):
		return own, db.ImportOwnID
	case usableID(e.RequestID):
		return e.RequestID, db.ImportRequestID
	default:
		return e.MessageID, db.ImportMessageID
	}
}

// usableID says whether an id can stand in an address.
func usableID(id string) bool {
	const longest = 512
	return id != "" && id != "." && id != ".." && len(id) <= longest && !strings.ContainsFunc(id, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar })
}
