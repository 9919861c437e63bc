package db

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Reasons of failed fetches in which the origin said nothing at all.
const (
	ReasonUnreached = "the origin could not be reached"
	ReasonNoAnswer  = "the origin did not answer in time"
)

// DownloadReport says how the fetching of links has gone. Every link is counted in exactly one of Waiting, Refused,
// Unreached, InTime, Later and Lost.
type DownloadReport struct {
	Total   int
	ByState map[Fetch]int

	Waiting       int
	OldestWaiting time.Time // when it was queued; zero where none waits
	Refused       int       // never asked: the link leads where nothing is fetched from
	Unreached     int       // its origin was silent for as long as the link lived

	// Those whose origin could be reached.
	InTime int // stored before the link died, also where the file was removed since
	Later  int // stored after it: by a fresh link, or because the transfer took so long
	Lost   int // not stored

	// Reasons tell why links are refused, unreached or lost, the most frequent first.
	Reasons []DownloadReason
}

// Reached counts the links that have ended and whose origin could be reached.
func (r DownloadReport) Reached() int { return r.InTime + r.Later + r.Lost }

// DownloadReason is why some links were not stored. Reason may be "" where the state says it all.
type DownloadReason struct {
	State  Fetch
	Reason string
	Count  int
}

// DownloadReport counts all links there ever were.
func (s Snapshot) DownloadReport(ctx context.Context) (DownloadReport, error) {
	r := DownloadReport{ByState: map[Fetch]int{}}
	rows, err := s.QueryContext(ctx, `SELECT state, iif(state IN ('expired', 'refused', 'failed'), reason, '') AS why, state IN ('stored', 'removed') AND ended_at <= expires_at AS in_time, count(*), min(queued_at)
		FROM download GROUP BY state, why, in_time ORDER BY 4 DESC, state, why`)
	if err != nil {
		return r, fmt.Errorf("counting downloads: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var why DownloadReason
		var inTime bool
		var queued sql.NullInt64
		if err := rows.Scan(&why.State, &why.Reason, &inTime, &why.Count, &queued); err != nil {
			return r, fmt.Errorf("counting downloads: %w", err)
		}
		r.count(why, inTime, instant(queued))
	}
	return r, rows.Err()
}

func (r *DownloadReport) count(why DownloadReason, inTime bool, queued time.Time) {
	r.Total += why.Count
	r.ByState[why.State] += why.Count
	switch why.State {
	case FetchQueued, FetchFetching:
		if r.Waiting += why.Count; r.OldestWaiting.IsZero() || queued.Before(r.OldestWaiting) {
			r.OldestWaiting = queued
		}
		return
	case FetchStored, FetchRemoved:
		if inTime {
			r.InTime += why.Count
		} else {
			r.Later += why.Count
		}
		return
	case FetchRefused:
		r.Refused += why.Count
	case FetchExpired, FetchFailed:
		if why.Reason == ReasonUnreached || why.Reason == ReasonNoAnswer {
			r.Unreached += why.Count
		} else {
			r.Lost += why.Count
		}
	}
	r.Reasons = append(r.Reasons, why)
}
