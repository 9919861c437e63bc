package chart

import (
	"context"
	"database/sql"
	"errors"

	"carebell/db"
)

// Again reads one batch of the messages that somebody asked to have read again, in one transaction with how far that is,
// and returns how many they were; 0 means that none wait. Each is read as it would be in a rebuild, and may be read any
// number of times: what it wrote is written over. What an earlier version wrote of it and this one does not stays until
// a rebuild. It must not run beside [Projector.Step].
func (p *Projector) Again(ctx context.Context) (int, error) {
	var job db.Reprocess
	var messages []reading
	var renewals []db.Download
	err := p.db.Read(ctx, func(s db.Snapshot) (err error) {
		if job, err = s.NextReprocess(ctx); err != nil {
			return err
		}
		waiting, err := s.ReprocessBatch(ctx, job, leastBatch)
		if err != nil {
			return err
		}
		var seqs []int64
		for _, w := range waiting {
			messages, seqs = append(messages, read(w)), append(seqs, w.Seq)
		}
		changed, err := s.ChangedRepeatsOf(ctx, seqs)
		renewals = linksOf(changed)
		return err
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, nil
	case err != nil:
		return 0, err
	case len(messages) == 0:
		return 1, p.db.Write(ctx, func(tx *db.Tx) error { return tx.EndReprocess(ctx, job) })
	}
	done := 0
	err = p.write(ctx, messages, func(tx *db.Tx, a applied) error {
		done = a.messages
		for _, m := range messages[:done] {
			if err := tx.CountDeliveries(ctx, m.Seq); err != nil {
				return err
			}
		}
		if err := renew(ctx, tx, renewals); err != nil {
			return err
		}
		return tx.AdvanceReprocess(ctx, job, messages[done-1].Seq, int64(done), a.processed)
	})
	if err == nil {
		p.queued()
	}
	return done, err
}
