package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Health is how the database does.
type Health struct {
	Head          int64     // number of the last message
	Waiting       int64     // messages the projector has not taken into the chart
	OldestWaiting time.Time // when the first of them came; zero where none waits
	Bytes         int64     // of the database, without its write-ahead log
	SQLite        string    // version
	Schema        int64     // version
}

// Health reads it in one statement. cursor names the projector's.
func (s Snapshot) Health(ctx context.Context, cursor string) (st Health, err error) {
	var at int64
	var oldest sql.NullInt64
	err = s.QueryRowContext(ctx, `WITH done (at) AS (SELECT coalesce((SELECT at FROM cursor WHERE name = ?), 0))
		SELECT coalesce((SELECT max(seq) FROM inbox), 0), done.at, (SELECT received_at FROM inbox WHERE seq > done.at ORDER BY seq LIMIT 1),
			(SELECT page_count FROM pragma_page_count()) * (SELECT page_size FROM pragma_page_size()), sqlite_version(),
			(SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied) FROM done`, cursor).
		Scan(&st.Head, &at, &oldest, &st.Bytes, &st.SQLite, &st.Schema)
	if err != nil {
		return st, fmt.Errorf("reading the state of the database: %w", err)
	}
	st.Waiting, st.OldestWaiting = max(st.Head-at, 0), instant(oldest)
	return st, nil
}

// Files counts the stored files and their bytes; what several downloads share counts once.
func (s Snapshot) Files(ctx context.Context) (n int, bytes int64, err error) {
	err = s.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(size), 0) FROM (SELECT max(size) AS size FROM download WHERE file <> '' AND state = 'stored' GROUP BY file)`).Scan(&n, &bytes)
	return n, bytes, err
}

// EventCount counts the messages of a type that came in a quarter of an hour.
type EventCount struct {
	At   time.Time // the quarter's beginning
	Type string
	N    int
}

const quarter = 900_000 // milliseconds; every time zone's days begin with one

// EventsFrom counts what came at or after a time.
func (s Snapshot) EventsFrom(ctx context.Context, from time.Time) ([]EventCount, error) {
	return s.events(ctx, `inbox INDEXED BY inbox_received WHERE received_at >= ?`, millis(from))
}

// EventsAfter counts what came after the message with a number.
func (s Snapshot) EventsAfter(ctx context.Context, seq int64) ([]EventCount, error) {
	return s.events(ctx, `inbox NOT INDEXED WHERE seq > ?`, seq)
}

func (s Snapshot) events(ctx context.Context, from string, arg any) ([]EventCount, error) {
	rows, err := s.QueryContext(ctx, fmt.Sprintf(`SELECT received_at / %d * %[1]d, type, count(*) FROM %s GROUP BY 1, 2`, quarter, from), arg)
	if err != nil {
		return nil, fmt.Errorf("counting events: %w", err)
	}
	return collect(rows, func(e *EventCount) error {
		var at sql.NullInt64
		err := rows.Scan(&at, &e.Type, &e.N)
		e.At = instant(at)
		return err
	})
}

// LastOfType is when a message of a type last came.
type LastOfType struct {
	Type string
	At   time.Time
}

// LastByType lists every type there was with its last message, at most limit. It jumps through the index from type to
// type.
func (s Snapshot) LastByType(ctx context.Context, limit int) ([]LastOfType, error) {
	rows, err := s.QueryContext(ctx, `WITH RECURSIVE kind (type) AS (SELECT min(type) FROM inbox UNION ALL
			SELECT (SELECT min(i.type) FROM inbox i WHERE i.type > kind.type) FROM kind WHERE kind.type IS NOT NULL LIMIT ?)
		SELECT type, (SELECT i.received_at FROM inbox i WHERE i.type = kind.type ORDER BY i.seq DESC LIMIT 1) FROM kind WHERE type IS NOT NULL`, limit)
	if err != nil {
		return nil, fmt.Errorf("listing the last events: %w", err)
	}
	return collect(rows, func(l *LastOfType) error {
		var at sql.NullInt64
		err := rows.Scan(&l.Type, &at)
		l.At = instant(at)
		return err
	})
}

// KeyHeard is when a webhook key last signed a message.
type KeyHeard struct {
	KeyID string
	At    time.Time // zero = never
}

// KeysHeard says when each key was last heard.
func (s Snapshot) KeysHeard(ctx context.Context, ids []string) ([]KeyHeard, error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(ctx, `SELECT j.value, nullif(max(coalesce((SELECT received_at FROM inbox WHERE key_id = j.value ORDER BY seq DESC LIMIT 1), 0),
		coalesce((SELECT received_at FROM inbox_repeat WHERE key_id = j.value ORDER BY id DESC LIMIT 1), 0)), 0) FROM json_each(?) j ORDER BY j.key`, string(list))
	if err != nil {
		return nil, fmt.Errorf("asking when keys were heard: %w", err)
	}
	return collect(rows, func(k *KeyHeard) error { return k.scan(rows) })
}

// LastKey returns the key that signed the last delivery; its KeyID is "" before the first.
func (s Snapshot) LastKey(ctx context.Context) (k KeyHeard, err error) {
	err = k.scan(s.QueryRowContext(ctx, `SELECT * FROM (SELECT * FROM (SELECT key_id, received_at FROM inbox ORDER BY seq DESC LIMIT 1)
		UNION ALL SELECT * FROM (SELECT key_id, received_at FROM inbox_repeat ORDER BY id DESC LIMIT 1)) ORDER BY received_at DESC LIMIT 1`))
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return k, err
}

func (k *KeyHeard) scan(row interface{ Scan(...any) error }) error {
	var at sql.NullInt64
	err := row.Scan(&k.KeyID, &at)
	k.At = instant(at)
	return err
}

// LinkTrouble is what goes wrong with links now.
type LinkTrouble struct {
	Dying  int // links that wait, or are being tried, and die before a time
	Died   int // links that died after a time without having been fetched, of the last [mostRecent] that came
	Silent int // hosts that links wait for and that have not answered since a time
}

// mostRecent bounds what is looked through for links that died of late, and of those that are tried again.
const mostRecent = 5000

// LinkTrouble counts it, each up to a bound.
func (s Snapshot) LinkTrouble(ctx context.Context, dyingBefore, diedAfter, silentSince time.Time) (l LinkTrouble, err error) {
	err = s.QueryRowContext(ctx, `SELECT
		(SELECT coalesce(sum((SELECT count(*) FROM (SELECT 1 FROM download d INDEXED BY download_ready
			WHERE d.host = h.host AND d.state = 'queued' AND d.next_try_at = 0 AND d.expires_at < ?1 LIMIT ?4))), 0) FROM download_host h)
		+ (SELECT count(*) FROM (SELECT expires_at FROM download WHERE state = 'queued' AND next_try_at > 0 ORDER BY next_try_at LIMIT ?4) WHERE expires_at < ?1)
		+ (SELECT count(*) FROM download WHERE state = 'fetching' AND expires_at < ?1),
		(SELECT count(*) FROM (SELECT state, ended_at FROM download ORDER BY id DESC LIMIT ?4) WHERE state = 'expired' AND ended_at > ?2),
		(SELECT count(*) FROM download_host WHERE failures > 0 AND head IS NOT NULL AND down_since BETWEEN 1 AND ?3)`,
		dyingBefore.UnixMilli(), diedAfter.UnixMilli(), silentSince.UnixMilli(), mostRecent).Scan(&l.Dying, &l.Died, &l.Silent)
	if err != nil {
		err = fmt.Errorf("counting links in trouble: %w", err)
	}
	return l, err
}

// Size is how many messages there are and how many bytes the database has, without its write-ahead log.
func (s Snapshot) Size(ctx context.Context) (events, bytes int64, err error) {
	err = s.QueryRowContext(ctx, `SELECT coalesce((SELECT max(seq) FROM inbox), 0), (SELECT page_count FROM pragma_page_count()) * (SELECT page_size FROM pragma_page_size())`).Scan(&events, &bytes)
	return events, bytes, err
}
