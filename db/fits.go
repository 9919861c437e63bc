package db

import (
	"context"
	"fmt"
)

// Fitting returns which of the notifications f.IDs fit f. It asks for nothing else of them: open screens of many filters ask
// it of the same few.
func (s Snapshot) Fitting(ctx context.Context, f NotificationFilter) (map[int64]bool, error) {
	w, err := s.feed(ctx, f)
	if err != nil {
		return nil, err
	}
	where, args := w.where()
	//nolint:sqlclosecheck // collect closes them
	rows, err := s.QueryContext(ctx, `SELECT n.id FROM `+w.source()+` WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("looking for what fits: %w", err)
	}
	ids, err := collect(rows, func(id *int64) error { return rows.Scan(id) })
	fits := make(map[int64]bool, len(ids))
	for _, id := range ids {
		fits[id] = true
	}
	return fits, err
}
