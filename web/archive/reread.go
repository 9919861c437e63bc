package archive

import (
	"context"
	"io"
	"time"

	"carebell/db"
)

const (
	rereadBatch = 16
	rereadPause = 5 * time.Millisecond // at least, between two files
)

// reread reads those stored files again whose facts an older version of Carebell read, one after the other. Which are left
// is in the database, so it goes on after a restart. Between two files it rests as long as the last one took: fetching,
// the receiver and the pages come first. A file that cannot be read keeps its old facts, and is tried again at the next
// start.
func (a *Archive) reread(ctx context.Context) {
	if a.renew == nil {
		return
	}
	var last db.OldRecord
	done, kept := 0, 0
	for ctx.Err() == nil {
		var batch []db.OldRecord
		err := a.db.Read(ctx, func(s db.Snapshot) (err error) {
			batch, err = s.OldRecords(ctx, last, rereadBatch)
			return err
		})
		if err != nil {
			if ctx.Err() == nil {
				a.log.Error("stored files that an older version read could not be looked for; they are read again after the next start", "error", err)
			}
			return
		}
		if len(batch) == 0 {
			break
		}
		for _, old := range batch {
			last = old
			began := time.Now() //nolint:forbidigo // how long to rest, not a time of the clinic
			if a.again(ctx, old.Download) {
				done++
			} else {
				kept++
			}
			if !rest(ctx, max(time.Since(began), rereadPause)) {
				return
			}
		}
	}
	if done+kept > 0 && ctx.Err() == nil {
		a.log.Info("stored files that an older version read were read again", "files", done, "keptAsTheyWere", kept)
	}
}

// rest waits, and returns false where ctx ended before.
func rest(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// again reads one stored file again and takes what it says into the chart; false where its old facts stay.
func (a *Archive) again(ctx context.Context, d db.Download) bool {
	in := &inside{vault: a.vault}
	defer in.discard()
	facts := a.facts(d, func() (io.ReadCloser, error) { return a.vault.Open(d.File) }, in)
	if facts == nil || ctx.Err() != nil {
		return false
	}
	err := in.keep()
	if err == nil {
		err = a.db.Write(ctx, func(tx *db.Tx) error {
			if err := in.add(ctx, tx, d); err != nil {
				return err
			}
			return tx.Savepoint(ctx, func() error { return a.renew(ctx, tx, d, facts) })
		})
		in.settle(err == nil)
	}
	if err != nil && ctx.Err() == nil {
		a.log.Error("what a stored file says could not be taken into the chart again; its old facts stay", "download", d.ID, "error", err)
	}
	if err == nil {
		a.stored(d)
	}
	return err == nil
}
