package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Completeness is one comparison of the sender's list with the inbox.
type Completeness struct {
	ID        int64
	StartedAt time.Time
	Took      time.Duration // whole milliseconds
	UserID    int64         // who asked for it; 0 = by the clock
	By        string        // their email
	Error     string        // "" = it came to its end, and what follows counts
	NoList    bool          // the sender's API has no list: of what follows only what it says of the webhook counts

	Sent     int // here, missing or pending
	Here     int
	Missing  int
	Pending  int
	Earlier  int // delivered before the first message came here
	Late     int // here although listed as failed
	Pings    int
	Tests    int // test events of the dashboard
	OnlyHere int // came in the same time and are not on the list
	Odd      int // entries that repeat an id or have none

	ByChoice  int // never sent: the account has switched the type off
	Elsewhere int // sent to another address
	Unclear   int // nothing says that it was sent or failed

	WebhookKnown bool // the sender has settings for the webhook
	Enabled      bool
	Detail       string
	Processing   int // -1 = not known
	Failed       int // -1 = not known
}

// GapKind is why a message that the sender lists is not here.
type GapKind string

// The kinds of gaps.
const (
	GapMissing   GapKind = "missing"
	GapChoice    GapKind = "choice"    // never sent: the account has switched the type off
	GapElsewhere GapKind = "elsewhere" // sent to another address
)

// Gap is a message that the sender lists and that a run did not find here.
type Gap struct {
	MessageID  string
	Type       string
	Kind       GapKind   // "" is GapMissing
	SentAt     time.Time // zero where not known
	Status     string    // as the sender says
	Detail     string
	HTTPStatus int
	URL        string // where it was sent to; "" where not said
	FoundAt    time.Time

	Seq       int64     // in the inbox; 0 = still missing
	ArrivedAt time.Time // zero while missing
	Expired   int       // links of it that had expired before they could be fetched
	Waiting   int       // links of it that are still to be fetched
	Stored    int
}

// Retry is a person's request to send again.
type Retry struct {
	At      time.Time // zero = never
	By      string    // email
	Missing int       // at that time
	Error   string    // why the sender refused; "" = it agreed
}

// keepRuns is how long the history of comparisons is kept.
const keepRuns = 90 * 24 * time.Hour

// SaveCompleteness keeps one comparison with what it did not find here. gaps is not looked at where it failed or had no
// list. listed is how far back the sender's list goes: older gaps are forgotten.
func (tx *Tx) SaveCompleteness(ctx context.Context, c Completeness, gaps []Gap, listed time.Time) error {
	result, err := tx.exec(ctx, `INSERT INTO completeness_run (started_at, took, user_id, error, sent, here, missing, pending, earlier, late, pings, only_here, odd,
			webhook_known, enabled, detail, processing, failed, by_choice, elsewhere, unclear, tests, no_list)
		VALUES (?, ?, nullif(?, 0), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		millis(c.StartedAt), c.Took.Milliseconds(), c.UserID, c.Error, c.Sent, c.Here, c.Missing, c.Pending, c.Earlier, c.Late, c.Pings, c.OnlyHere, c.Odd,
		c.WebhookKnown, c.Enabled, c.Detail, c.Processing, c.Failed, c.ByChoice, c.Elsewhere, c.Unclear, c.Tests, c.NoList)
	if err != nil {
		return fmt.Errorf("saving a comparison: %w", err)
	}
	id, err := result.LastInsertId()
	if err != nil {
		return err
	}
	if c.Error == "" && !c.NoList {
		if err := tx.saveGaps(ctx, id, gaps, listed); err != nil {
			return err
		}
	}
	if _, err := tx.exec(ctx, `DELETE FROM completeness_run WHERE started_at < ?`, tx.Now-keepRuns.Milliseconds()); err != nil {
		return fmt.Errorf("forgetting old comparisons: %w", err)
	}
	return tx.changedItem(ctx, TopicSystem, id, "")
}

func (tx *Tx) saveGaps(ctx context.Context, run int64, gaps []Gap, listed time.Time) error {
	for _, g := range gaps {
		if g.Kind == "" {
			g.Kind = GapMissing
		}
		_, err := tx.exec(ctx, `INSERT INTO completeness_gap (message_id, type, sent_at, status, detail, http_status, found_at, run_id, kind, url)
			VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
			ON CONFLICT (message_id) DO UPDATE SET status = ?4, detail = ?5, http_status = ?6, run_id = ?8, kind = ?9, url = ?10`,
			g.MessageID, g.Type, millis(g.SentAt), g.Status, g.Detail, g.HTTPStatus, tx.Now, run, g.Kind, g.URL)
		if err != nil {
			return fmt.Errorf("saving what is missing: %w", err)
		}
	}
	if _, err := tx.exec(ctx, `DELETE FROM completeness_gap WHERE kind <> 'missing' AND run_id <> ?`, run); err != nil {
		return fmt.Errorf("forgetting what was not sent here: %w", err)
	}
	if _, err := tx.exec(ctx, `DELETE FROM completeness_gap WHERE coalesce(sent_at, found_at) < ?`, millis(listed)); err != nil {
		return fmt.Errorf("forgetting old gaps: %w", err)
	}
	return nil
}

// SaveRetry notes that a person asked the sender to send again; refused is why it did not agree.
func (tx *Tx) SaveRetry(ctx context.Context, userID int64, missing int, refused string) error {
	if _, err := tx.exec(ctx, `INSERT INTO completeness_retry (at, user_id, missing, error) VALUES (?, ?, ?, ?)`, tx.Now, userID, missing, refused); err != nil {
		return fmt.Errorf("noting a retry: %w", err)
	}
	return tx.changedItem(ctx, TopicSystem, 0, "")
}

// lastGood is the last comparison that came to its end and had a list.
const lastGood = `(SELECT max(id) FROM completeness_run WHERE error = '' AND no_list = 0)`

// lastAnswered is the last comparison that came to its end, with a list or without.
const lastAnswered = `(SELECT max(id) FROM completeness_run WHERE error = '')`

// missingNow selects what the last comparison found missing and has not come since.
const missingNow = `completeness_gap g WHERE g.run_id = ` + lastGood + ` AND g.kind = 'missing' AND NOT EXISTS (SELECT 1 FROM inbox i WHERE i.message_id = g.message_id)`

// MissingNow counts what the last comparison found missing and has not come since.
func (s Snapshot) MissingNow(ctx context.Context) (n int, err error) {
	err = s.QueryRowContext(ctx, `SELECT count(*) FROM `+missingNow).Scan(&n)
	return n, err
}

const runColumns = `r.id, r.started_at, r.took, coalesce(r.user_id, 0), coalesce(u.email, ''), r.error, r.sent, r.here, r.missing, r.pending, r.earlier, r.late, r.pings,
	r.only_here, r.odd, r.webhook_known, r.enabled, r.detail, r.processing, r.failed, r.by_choice, r.elsewhere, r.unclear, r.tests, r.no_list FROM completeness_run r LEFT JOIN user u ON u.id = r.user_id`

func (c *Completeness) scan(row interface{ Scan(...any) error }) error {
	var started sql.NullInt64
	var took int64
	err := row.Scan(&c.ID, &started, &took, &c.UserID, &c.By, &c.Error, &c.Sent, &c.Here, &c.Missing, &c.Pending, &c.Earlier, &c.Late, &c.Pings,
		&c.OnlyHere, &c.Odd, &c.WebhookKnown, &c.Enabled, &c.Detail, &c.Processing, &c.Failed, &c.ByChoice, &c.Elsewhere, &c.Unclear, &c.Tests, &c.NoList)
	c.StartedAt, c.Took = instant(started), time.Duration(took)*time.Millisecond
	return err
}

// CompletenessRuns lists comparisons, the last one first.
func (s Snapshot) CompletenessRuns(ctx context.Context, limit int) ([]Completeness, error) {
	rows, err := s.QueryContext(ctx, `SELECT `+runColumns+` ORDER BY r.id DESC LIMIT ?`, limit)
	if err != nil {
		return nil, fmt.Errorf("listing comparisons: %w", err)
	}
	return collect(rows, func(c *Completeness) error { return c.scan(rows) })
}

// LastCompleteness returns the last comparison that came to its end and had a list, and the last that came to its end at
// all, which may be the same. Their ID is 0 before the first.
func (s Snapshot) LastCompleteness(ctx context.Context) (listed, answered Completeness, err error) {
	rows, err := s.QueryContext(ctx, `SELECT `+runColumns+` WHERE r.id IN (`+lastGood+`, `+lastAnswered+`) ORDER BY r.id`)
	if err != nil {
		return listed, answered, fmt.Errorf("reading the last comparison: %w", err)
	}
	list, err := collect(rows, func(c *Completeness) error { return c.scan(rows) })
	for _, c := range list {
		if answered = c; !c.NoList {
			listed = c
		}
	}
	return listed, answered, err
}

// LastRetry returns what was last asked to be sent again.
func (s Snapshot) LastRetry(ctx context.Context) (r Retry, err error) {
	var at sql.NullInt64
	err = s.QueryRowContext(ctx, `SELECT r.at, u.email, r.missing, r.error FROM completeness_retry r JOIN user u ON u.id = r.user_id ORDER BY r.id DESC LIMIT 1`).Scan(&at, &r.By, &r.Missing, &r.Error)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	r.At = instant(at)
	return r, err
}

const gapColumns = `g.message_id, g.type, g.kind, g.sent_at, g.status, g.detail, g.http_status, g.url, g.found_at`

// GapFilter narrows a list of gaps.
type GapFilter struct {
	After string // message id of the last one of the page before; "" = from the first
	Limit int
}

// Missing lists what the last comparison found missing and has not come since, the oldest first.
func (s Snapshot) Missing(ctx context.Context, f GapFilter) ([]Gap, error) {
	rows, err := s.QueryContext(ctx, `SELECT `+gapColumns+`, 0, NULL, 0, 0, 0 FROM `+missingNow+`
		AND (?1 = '' OR (coalesce(g.sent_at, 0), g.message_id) > (SELECT coalesce(sent_at, 0), message_id FROM completeness_gap WHERE message_id = ?1))
		ORDER BY coalesce(g.sent_at, 0), g.message_id LIMIT ?2`, f.After, f.Limit)
	if err != nil {
		return nil, fmt.Errorf("listing what is missing: %w", err)
	}
	return collect(rows, func(g *Gap) error { return g.scan(rows) })
}

// CameLate lists messages that a comparison had found missing and that came after all, the last one first.
func (s Snapshot) CameLate(ctx context.Context, limit int) ([]Gap, error) {
	rows, err := s.QueryContext(ctx, `SELECT `+gapColumns+`, i.seq, i.received_at,
			count(d.id) FILTER (WHERE d.state = 'expired'), count(d.id) FILTER (WHERE d.state IN ('queued', 'fetching')), count(d.id) FILTER (WHERE d.state = 'stored')
		FROM completeness_gap g JOIN inbox i ON i.message_id = g.message_id LEFT JOIN download d ON d.inbox_seq = i.seq
		WHERE g.kind = 'missing' GROUP BY g.message_id ORDER BY i.seq DESC LIMIT ?`, limit)
	if err != nil {
		return nil, fmt.Errorf("listing what came late: %w", err)
	}
	return collect(rows, func(g *Gap) error { return g.scan(rows) })
}

// NotSentHere lists the newest of what the last comparison found of a kind that nobody misses.
func (s Snapshot) NotSentHere(ctx context.Context, kind GapKind, limit int) ([]Gap, error) {
	rows, err := s.QueryContext(ctx, `SELECT `+gapColumns+`, 0, NULL, 0, 0, 0 FROM completeness_gap g WHERE g.run_id = `+lastGood+` AND g.kind = ?
		ORDER BY coalesce(g.sent_at, 0) DESC, g.message_id LIMIT ?`, kind, limit)
	if err != nil {
		return nil, fmt.Errorf("listing what was not sent here: %w", err)
	}
	return collect(rows, func(g *Gap) error { return g.scan(rows) })
}

func (g *Gap) scan(rows *sql.Rows) error {
	var sent, found, arrived sql.NullInt64
	err := rows.Scan(&g.MessageID, &g.Type, &g.Kind, &sent, &g.Status, &g.Detail, &g.HTTPStatus, &g.URL, &found, &g.Seq, &arrived, &g.Expired, &g.Waiting, &g.Stored)
	g.SentAt, g.FoundAt, g.ArrivedAt = instant(sent), instant(found), instant(arrived)
	return err
}

// Listed is a message of the sender's list that is here.
type Listed struct {
	SentAt time.Time // as the message says; zero where it does not
	Test   bool      // it is a test event; others may have its id too
}

// InInbox says which of the message ids are in the inbox, when its first message came (zero where none did), and how many
// messages came at or after since.
func (s Snapshot) InInbox(ctx context.Context, ids []string, since time.Time) (here map[string]Listed, first time.Time, came int, err error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, first, 0, err
	}
	rows, err := s.QueryContext(ctx, `SELECT i.message_id, i.sent_at FROM json_each(?1) j JOIN inbox i ON i.message_id = j.value
		UNION ALL SELECT i.message_id, i.sent_at FROM json_each(?1) j JOIN inbox i ON i.message_id >= j.value || ?2 AND i.message_id < j.value || ' '`, string(list), idEnd)
	if err != nil {
		return nil, first, 0, fmt.Errorf("looking for messages: %w", err)
	}
	defer func() { _ = rows.Close() }()
	here = make(map[string]Listed, len(ids))
	for rows.Next() {
		var key string
		var sent sql.NullInt64
		if err := rows.Scan(&key, &sent); err != nil {
			return nil, first, 0, err
		}
		id, test := asSent(key)
		if _, own := here[id]; !own || !test {
			here[id] = Listed{SentAt: instant(sent), Test: test}
		}
	}
	if err := rows.Err(); err != nil {
		return nil, first, 0, err
	}
	var at sql.NullInt64
	err = s.QueryRowContext(ctx, `SELECT (SELECT received_at FROM inbox ORDER BY seq LIMIT 1), (SELECT count(*) FROM inbox WHERE received_at >= ?)`, millis(since)).Scan(&at, &came)
	return here, instant(at), came, err
}
