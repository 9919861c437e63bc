package archive

import (
	"context"
	"errors"
	"time"

	"carebell/db"
)

// sweepEvery is how often files past their time are looked for.
const sweepEvery = time.Hour

// sweep removes what was stored longer ago than it has to be kept. What was read from it stays in the chart.
func (a *Archive) sweep(ctx context.Context) {
	if a.retain <= 0 {
		return
	}
	for ctx.Err() == nil {
		var files []string
		err := a.db.Write(ctx, func(tx *db.Tx) (err error) {
			files, err = tx.RemoveDownloads(ctx, a.now().Add(-a.retain), 100)
			return err
		})
		for _, name := range files {
			err = errors.Join(err, a.vault.Remove(name))
		}
		if err != nil && ctx.Err() == nil {
			a.log.Error("files past their time could not be removed; trying again later", "error", err)
		}
		if err != nil || len(files) == 0 {
			return
		}
		a.log.Info("files past their time were removed", "files", len(files))
		a.removed()
	}
}
