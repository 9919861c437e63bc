package db

import (
	"context"
	"fmt"
	"time"
)

// BacklogStep is how many ready links of a host die within one stretch of time.
type BacklogStep struct {
	Host  string
	Until time.Time // when the last of them dies, at the latest
	Links int
}

const (
	backlogStep   = 5000 // milliseconds
	selectBacklog = `SELECT host, (expires_at / ?1 + 1) * ?1 AS until, count(*) FROM download INDEXED BY download_ready
		WHERE state = 'queued' AND next_try_at = 0 AND expires_at > ?2 GROUP BY 1, 2`
)

// DownloadBacklog counts the living links that wait for their turn, by host and by when they die. Unlike taking what is
// due, it reads the whole queue, in an index alone: it is for a forecast every now and then.
func (s Snapshot) DownloadBacklog(ctx context.Context, now time.Time) ([]BacklogStep, error) {
	rows, err := s.QueryContext(ctx, selectBacklog, backlogStep, now.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("counting what waits to be fetched: %w", err)
	}
	return collect(rows, func(b *BacklogStep) error {
		var until int64
		err := rows.Scan(&b.Host, &until, &b.Links)
		b.Until = time.UnixMilli(until).UTC()
		return err
	})
}
