package db

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// How long what is of no use later is kept.
const (
	keepDiskDays   = 400
	keepRejections = 400 * 24 * time.Hour
)

// DiskDay is how much there was at one time of a day.
type DiskDay struct {
	Day      string // of the practice, YYYY-MM-DD
	At       time.Time
	Events   int64 // messages in the inbox
	Database int64 // bytes
	Files    int64 // bytes
}

// SaveDiskDay keeps the first figures of a day, and forgets those of days long ago.
func (tx *Tx) SaveDiskDay(ctx context.Context, d DiskDay) error {
	_, err := tx.exec(ctx, `INSERT INTO disk_day (day, at, events, database, files) VALUES (?, ?, ?, ?, ?) ON CONFLICT (day) DO NOTHING`,
		d.Day, millis(d.At), d.Events, d.Database, d.Files)
	if err == nil {
		_, err = tx.exec(ctx, `DELETE FROM disk_day WHERE day NOT IN (SELECT day FROM disk_day ORDER BY day DESC LIMIT ?)`, keepDiskDays)
	}
	if err != nil {
		return fmt.Errorf("keeping the figures of the disk: %w", err)
	}
	return nil
}

// DiskDays lists the figures that were taken at or after a time, the oldest first.
func (s Snapshot) DiskDays(ctx context.Context, from time.Time) ([]DiskDay, error) {
	rows, err := s.QueryContext(ctx, `SELECT day, at, events, database, files FROM disk_day WHERE at >= ? ORDER BY day`, millis(from))
	if err != nil {
		return nil, fmt.Errorf("reading the figures of the disk: %w", err)
	}
	return collect(rows, func(d *DiskDay) error {
		var at sql.NullInt64
		err := rows.Scan(&d.Day, &at, &d.Events, &d.Database, &d.Files)
		d.At = instant(at)
		return err
	})
}

// PruneRejections forgets up to n counts of refused requests of long ago, and returns whether there may be more.
func (tx *Tx) PruneRejections(ctx context.Context, n int) (more bool, err error) {
	result, err := tx.exec(ctx, `DELETE FROM rejection WHERE (hour, reason) IN (SELECT hour, reason FROM rejection WHERE hour < ? ORDER BY hour LIMIT ?)`,
		tx.Now-keepRejections.Milliseconds(), n)
	if err != nil {
		return false, fmt.Errorf("forgetting counts of refused requests: %w", err)
	}
	gone, err := result.RowsAffected()
	return gone == int64(n), err
}
