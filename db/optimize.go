package db

import (
	"context"
	"fmt"
	"time"
)

const (
	optimizeEvery = 24 * time.Hour
	optimizeLimit = "400" // entries of each index that are looked at: it takes no longer in a large database

	// What is small today may be large tomorrow, and then SQLite must not believe that reading it whole costs nothing.
	optimizeFrom = 10_000 // rows of a table
)

// KeepOptimized lets SQLite look at how the rows are spread (PRAGMA optimize), now and every day, until ctx ends. An error
// is given to failed and costs nothing else: plans stay as they are.
func (d *DB) KeepOptimized(ctx context.Context, failed func(error)) {
	tick := time.NewTicker(optimizeEvery)
	defer tick.Stop()
	for {
		if err := d.Optimize(ctx); err != nil && ctx.Err() == nil {
			failed(err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Optimize lets SQLite look at how the rows of large tables are spread.
func (d *DB) Optimize(ctx context.Context) error {
	return d.Write(Behind(ctx), func(tx *Tx) error {
		for _, step := range []string{
			"PRAGMA analysis_limit = " + optimizeLimit, "ANALYZE sqlite_schema", // so that there is a table of what was seen
			"PRAGMA optimize = 0x10002", // all tables, not only those this connection has read (sqlite.org/pragma.html#pragma_optimize)
			fmt.Sprintf("DELETE FROM sqlite_stat1 WHERE CAST(stat AS INTEGER) < %d", optimizeFrom),
			"ANALYZE sqlite_schema", // take in what is left
		} {
			if _, err := tx.run(ctx, step); err != nil {
				return fmt.Errorf("looking at how rows are spread: %w", err)
			}
		}
		return nil
	})
}
