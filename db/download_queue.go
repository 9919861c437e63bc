package db

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The queue of links. What is due next is found by indexes, whatever waits beside it: see migration 14.

// queueStep bounds what one transaction does for links that are not fetched by it: those whose time to be tried again has
// come, and those that died.
const queueStep = 256

// Statements of the queue that are asked for each turn. The literal conditions are those of the partial indexes.
const (
	selectReady = `SELECT ` + downloadColumns + ` FROM download d WHERE d.state = 'queued' AND d.next_try_at = 0 AND d.host = ?1 AND d.expires_at > ?2 AND d.expires_at <= ?3
		ORDER BY d.expires_at, d.id LIMIT ?4`
	selectLate = `SELECT ` + downloadColumns + ` FROM download d WHERE d.state = 'queued' AND d.next_try_at < 0 AND d.host = ?1 ORDER BY d.id LIMIT ?2`
	selectUp   = `SELECT host, head FROM download_host WHERE failures = 0 AND head IS NOT NULL AND (head, host) > (?1, ?2) ORDER BY head, host LIMIT ?3`
	selectDown = `SELECT host, head, reason FROM download_host WHERE failures > 0 AND head IS NOT NULL AND probe_at <= ?1 ORDER BY probe_at LIMIT ?2`
	hostsLate  = `SELECT host, failures > 0, reason FROM download_host WHERE late = 1 AND host > ?1 ORDER BY host LIMIT ?2`
	firstReady = `SELECT expires_at FROM download WHERE state = 'queued' AND next_try_at = 0 AND host = ?1 ORDER BY expires_at LIMIT 1`
	nextTry    = `SELECT next_try_at FROM download WHERE state = 'queued' AND next_try_at > 0 ORDER BY next_try_at LIMIT 1`
	nextProbe  = `SELECT probe_at FROM download_host WHERE failures > 0 AND head IS NOT NULL ORDER BY probe_at LIMIT 1`

	wakeDue = `UPDATE download SET next_try_at = 0 WHERE id IN
		(SELECT id FROM download WHERE state = 'queued' AND next_try_at > 0 AND next_try_at <= ?1 ORDER BY next_try_at LIMIT ?2) RETURNING host, expires_at`
	deadReady = `SELECT id FROM download WHERE state = 'queued' AND next_try_at = 0 AND host = ?1 AND expires_at <= ?2 ORDER BY expires_at, id LIMIT ?3`
	setLate   = `UPDATE download SET next_try_at = -1 WHERE id IN (` + deadReady + `)`
)

// Those that end what died while its host was down.
var (
	endDead = `UPDATE download SET state = 'expired', next_try_at = 0, reason = ?4, ended_at = ?2 WHERE id IN (` + deadReady + `) RETURNING ` + downloadFields
	endLate = `UPDATE download SET state = 'expired', next_try_at = 0, reason = ?3, ended_at = ?4 WHERE id IN
		(SELECT id FROM download WHERE state = 'queued' AND next_try_at < 0 AND host = ?1 ORDER BY id LIMIT ?2) RETURNING ` + downloadFields

	downloadFields = strings.ReplaceAll(downloadColumns, "d.", "") // where the table has no other name
)

// hostOf is where a link leads, as host:port in lower case.
func hostOf(link string) string {
	u, err := url.Parse(link)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	port := u.Port()
	if port == "" {
		if port = "443"; u.Scheme == "http" {
			port = "80"
		}
	}
	return strings.ToLower(net.JoinHostPort(u.Hostname(), port))
}

// AddDownload queues a link. A link at a place that is known already changes nothing, so a rebuild fetches nothing twice.
func (tx *Tx) AddDownload(ctx context.Context, d Download) error {
	_, err := tx.QueueDownloads(ctx, d)
	return err
}

var insertDownloads = newInsertion(`INSERT OR FAIL INTO download (inbox_seq, place, notification_id, patient_id, purpose, name, claimed_type, claimed_size, url, host, api_url, expires_at, queued_at)`, 13,
	`ON CONFLICT (inbox_seq, place) DO NOTHING`)

// QueueDownloads is [Tx.AddDownload] for several, and says whether all of their places were new.
func (tx *Tx) QueueDownloads(ctx context.Context, list ...Download) (added bool, err error) {
	rows := make([]any, 0, len(list)*insertDownloads.columns)
	heads := map[string]int64{} // when the first link of a host dies
	for _, d := range list {
		host, expires := hostOf(d.URL), d.ExpiresAt.UnixMilli()
		if head, ok := heads[host]; !ok || expires < head {
			heads[host] = expires
		}
		rows = append(rows, d.InboxSeq, d.Place, d.NotificationID, d.PatientID, string(d.Purpose), d.Name, d.ClaimedType, d.ClaimedSize, d.URL, host, d.APIURL, millis(d.ExpiresAt), tx.Now)
	}
	written, err := tx.insert(ctx, insertDownloads, rows)
	if err != nil {
		return false, fmt.Errorf("queueing downloads: %w", err)
	}
	if written == 0 {
		return len(list) == 0, nil
	}
	for host, head := range heads {
		if written == int64(len(list)) {
			err = tx.ready(ctx, host, head)
		} else { // which of them are new was not said
			err = errors.Join(tx.ready(ctx, host, head), tx.behead(ctx, host))
		}
		if err != nil {
			return false, err
		}
	}
	return written == int64(len(list)), nil
}

// ready notes that a host has a ready link that dies at expires.
func (tx *Tx) ready(ctx context.Context, host string, expires int64) error {
	_, err := tx.exec(ctx, `INSERT INTO download_host (host, head) VALUES (?1, ?2) ON CONFLICT (host) DO UPDATE SET head = ?2 WHERE head IS NULL OR head > ?2`, host, expires)
	if err != nil {
		return fmt.Errorf("noting what is ready: %w", err)
	}
	return nil
}

// behead finds the first of a host's ready links anew.
func (tx *Tx) behead(ctx context.Context, host string) error {
	if _, err := tx.exec(ctx, `UPDATE download_host SET head = (`+firstReady+`) WHERE host = ?1`, host); err != nil {
		return fmt.Errorf("noting what is ready: %w", err)
	}
	return nil
}

// RenewDownload gives a download that is not stored a fresh link, from a repeated delivery, and queues it again. One that
// waits keeps a link that lives longer. One that is being fetched goes on with its old link; where that fails,
// [Tx.EndDownload] sees the fresh one.
func (tx *Tx) RenewDownload(ctx context.Context, inboxSeq int64, place, url string, expires time.Time) error {
	return tx.renew(ctx, inboxSeq, place, url, expires, false)
}

// RenewAgain is [Tx.RenewDownload] with a link that the sender gave later, in a message of its own.
func (tx *Tx) RenewAgain(ctx context.Context, inboxSeq int64, place, url string, expires time.Time) error {
	return tx.renew(ctx, inboxSeq, place, url, expires, true)
}

func (tx *Tx) renew(ctx context.Context, inboxSeq int64, place, url string, expires time.Time, again bool) error {
	host := hostOf(url)
	var d Download
	err := tx.row(ctx, `UPDATE download SET url = ?3, host = ?5, expires_at = ?4, state = iif(state = 'fetching', state, 'queued'), reason = '', next_try_at = 0, tries = 0, ended_at = NULL, again = max(again, ?6)
		WHERE inbox_seq = ?1 AND place = ?2 AND url <> ?3
			AND (state IN ('expired', 'refused', 'failed') OR state IN ('queued', 'fetching') AND expires_at < ?4) RETURNING state, patient_id, notification_id, inbox_seq, place, purpose`,
		inboxSeq, place, url, millis(expires), host, again).Scan(&d.State, &d.PatientID, &d.NotificationID, &d.InboxSeq, &d.Place, &d.Purpose)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("renewing a download: %w", err)
	case d.State == FetchQueued:
		err = tx.ready(ctx, host, expires.UnixMilli())
	}
	if err == nil && again {
		err = tx.changedDownload(ctx, d)
	}
	return err
}

// ResumeDownloads queues again what was being fetched when the process ended, and returns the hosts that were down.
func (tx *Tx) ResumeDownloads(ctx context.Context) ([]DownloadHost, error) {
	for _, statement := range []string{
		`UPDATE download SET state = 'queued', next_try_at = 0 WHERE state = 'fetching'`,
		`INSERT INTO download_host (host) SELECT DISTINCT host FROM download WHERE state = 'queued' ON CONFLICT DO NOTHING`,
		`UPDATE download_host SET head = (SELECT expires_at FROM download d WHERE state = 'queued' AND next_try_at = 0 AND d.host = download_host.host ORDER BY expires_at LIMIT 1),
			late = EXISTS (SELECT 1 FROM download d WHERE state = 'queued' AND next_try_at < 0 AND d.host = download_host.host)`,
		`DELETE FROM download_host WHERE head IS NULL AND late = 0 AND failures = 0`,
	} {
		if _, err := tx.exec(ctx, statement); err != nil {
			return nil, fmt.Errorf("resuming downloads: %w", err)
		}
	}
	rows, err := tx.query(ctx, `SELECT host, failures, probe_at, down_since, reason FROM download_host WHERE failures > 0`)
	if err != nil {
		return nil, fmt.Errorf("resuming downloads: %w", err)
	}
	return collect(rows, func(h *DownloadHost) error { return h.scan(rows) })
}

// DownloadHost is a host that links lead to and that does not answer.
type DownloadHost struct {
	Host     string
	Failures int       // how often it was asked in vain; 0 = it answers again
	ProbeAt  time.Time // when it is asked again
	Since    time.Time // when it was first asked in vain
	Reason   string
}

func (h *DownloadHost) scan(row interface{ Scan(...any) error }) error {
	var probe, since int64
	err := row.Scan(&h.Host, &h.Failures, &probe, &since, &h.Reason)
	h.ProbeAt, h.Since = time.UnixMilli(probe).UTC(), time.UnixMilli(since).UTC()
	return err
}

// SaveDownloadHost says that a host does not answer, or, where h.Failures is 0, that it does again.
func (tx *Tx) SaveDownloadHost(ctx context.Context, h DownloadHost) error {
	var probe, since int64
	if h.Failures > 0 {
		probe, since = h.ProbeAt.UnixMilli(), h.Since.UnixMilli()
	}
	_, err := tx.exec(ctx, `INSERT INTO download_host (host, failures, probe_at, down_since, reason) VALUES (?1, ?2, ?3, ?4, ?5)
		ON CONFLICT (host) DO UPDATE SET failures = ?2, probe_at = ?3, down_since = ?4, reason = ?5`, h.Host, h.Failures, probe, since, h.Reason)
	if err != nil {
		return fmt.Errorf("noting whether a host answers: %w", err)
	}
	return nil
}

// take is one turn of taking what is due.
type take struct {
	*Tx
	most   int // how many more may be taken
	room   func(host string) int
	probes []Download
	due    []Download
	more   bool // there is more to be done at once
}

// TakeDownloads marks up to n due downloads as being fetched and returns them: of each host that is down and may be asked
// again, one; of all hosts that are up, those whose link dies first first; and those that are dead already last. room says
// how many more links of a host may be fetched. What died while its host was down is ended. next is when one of the others
// is due; zero where none waits. It costs the same however many wait.
func (tx *Tx) TakeDownloads(ctx context.Context, n int, room func(host string) int) (due []Download, next time.Time, err error) {
	t := &take{Tx: tx, most: n, room: room}
	for _, step := range []func(context.Context) error{t.wake, t.down, t.up, t.late} {
		if err := step(ctx); err != nil {
			return nil, next, fmt.Errorf("looking for due downloads: %w", err)
		}
	}
	t.due = append(t.probes, t.due...)
	for _, d := range t.due {
		if _, err := tx.exec(ctx, `UPDATE download SET state = 'fetching', tries = tries + 1 WHERE id = ?`, d.ID); err != nil {
			return nil, next, fmt.Errorf("taking a download: %w", err)
		}
	}
	if err := t.heads(ctx); err != nil {
		return nil, next, err
	}
	if t.more {
		return t.due, time.UnixMilli(tx.Now).UTC(), nil
	}
	var try, probe sql.NullInt64
	if err := tx.row(ctx, `SELECT (`+nextTry+`), (`+nextProbe+`)`).Scan(&try, &probe); err != nil {
		return nil, next, fmt.Errorf("asking when the next download is due: %w", err)
	}
	next = instant(try)
	if at := instant(probe); next.IsZero() || !at.IsZero() && at.Before(next) {
		next = at
	}
	return t.due, next, nil
}

// wake makes ready what may be tried again.
func (t *take) wake(ctx context.Context) error {
	rows, err := t.query(ctx, wakeDue, t.Now, queueStep)
	if err != nil {
		return err
	}
	type link struct {
		host    string
		expires int64
	}
	woken, err := collect(rows, func(l *link) error { return rows.Scan(&l.host, &l.expires) })
	if err != nil {
		return err
	}
	t.more = len(woken) == queueStep
	for _, l := range woken {
		if err := t.ready(ctx, l.host, l.expires); err != nil {
			return err
		}
	}
	return nil
}

// up takes the living links that die first of the hosts that are up.
func (t *take) up(ctx context.Context) error {
	type up struct {
		host string
		head int64
	}
	const chunk = 32
	last := up{head: -1 << 62}
	until := int64(1<<62 - 1) // of the links that were found so far, as many as wanted die no later
	for t.most > 0 {
		rows, err := t.query(ctx, selectUp, last.head, last.host, chunk)
		if err != nil {
			return err
		}
		hosts, err := collect(rows, func(h *up) error { return rows.Scan(&h.host, &h.head) })
		if err != nil {
			return err
		}
		for _, h := range hosts {
			if last = h; h.head > until {
				return nil
			}
			if h.head <= t.Now {
				if err := t.setLate(ctx, h.host); err != nil {
					return err
				}
			}
			if err := t.living(ctx, h.host, min(t.room(h.host), t.most), until); err != nil {
				return err
			}
			slices.SortFunc(t.due, func(a, b Download) int { return cmp.Or(a.ExpiresAt.Compare(b.ExpiresAt), cmp.Compare(a.ID, b.ID)) })
			if len(t.due) >= t.most {
				t.due = t.due[:t.most]
				until = t.due[t.most-1].ExpiresAt.UnixMilli()
			}
		}
		if len(hosts) < chunk {
			return nil
		}
	}
	return nil
}

// living adds up to n ready links of a host that live, and die no later than until.
func (t *take) living(ctx context.Context, host string, n int, until int64) error {
	found, err := t.find(ctx, n, selectReady, host, t.Now, until, n)
	t.due = append(t.due, found...)
	return err
}

// find lists downloads; none where n is not positive.
func (t *take) find(ctx context.Context, n int, query string, args ...any) ([]Download, error) {
	if n <= 0 {
		return nil, nil
	}
	rows, err := t.query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(d *Download) error { return d.scan(rows) })
}

// setLate puts the dead ones among a host's ready links behind all that live.
func (t *take) setLate(ctx context.Context, host string) error {
	result, err := t.exec(ctx, setLate, host, t.Now, queueStep)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err != nil || n == 0 {
		return err
	}
	t.more = t.more || n == queueStep
	if _, err := t.exec(ctx, `UPDATE download_host SET late = 1 WHERE host = ?`, host); err != nil {
		return err
	}
	return t.behead(ctx, host)
}

// probeTime is how long at most until it is known whether a host that is asked answers.
const probeTime = 30 * time.Second

// down takes one link of each host that is down and may be asked again, and ends those that died. The hosts that are up
// keep half of the places.
func (t *take) down(ctx context.Context) error {
	type down struct {
		host   string
		head   int64
		reason string
	}
	rows, err := t.query(ctx, selectDown, t.Now, max(t.most/2, 1))
	if err != nil {
		return err
	}
	hosts, err := collect(rows, func(h *down) error { return rows.Scan(&h.host, &h.head, &h.reason) })
	if err != nil {
		return err
	}
	for _, h := range hosts {
		if h.head <= t.Now {
			if err := t.expire(ctx, endDead, h.host, t.Now, queueStep, h.reason); err != nil {
				return err
			}
		}
		found, err := t.find(ctx, min(t.room(h.host), t.most, 1), selectReady, h.host, t.Now, int64(1<<62-1), 1)
		if err != nil {
			return err
		}
		t.probes, t.most = append(t.probes, found...), t.most-len(found)
		if len(found) > 0 || t.room(h.host) <= 0 {
			if _, err := t.exec(ctx, `UPDATE download_host SET probe_at = ? WHERE host = ?`, t.Now+probeTime.Milliseconds(), h.host); err != nil {
				return err
			}
		}
		if err := t.behead(ctx, h.host); err != nil {
			return err
		}
	}
	return nil
}

// expire ends links that died while their host was down.
func (t *take) expire(ctx context.Context, statement string, args ...any) error {
	rows, err := t.query(ctx, statement, args...)
	if err != nil {
		return err
	}
	dead, err := collect(rows, func(d *Download) error { return d.scan(rows) })
	if err != nil {
		return err
	}
	t.more = t.more || len(dead) == queueStep
	for _, d := range dead {
		if err := t.changedDownload(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// late takes dead links where nothing that lives wants the place.
func (t *take) late(ctx context.Context) error {
	type late struct {
		host   string
		down   bool
		reason string
	}
	rows, err := t.query(ctx, hostsLate, "", max(t.most, 1))
	if err != nil {
		return err
	}
	hosts, err := collect(rows, func(h *late) error { return rows.Scan(&h.host, &h.down, &h.reason) })
	if err != nil {
		return err
	}
	for _, h := range hosts {
		left := true
		if h.down {
			more := t.more
			t.more = false
			if err := t.expire(ctx, endLate, h.host, queueStep, h.reason, t.Now); err != nil {
				return err
			}
			left, t.more = t.more, t.more || more
		} else if n := min(t.room(h.host)-t.taken(h.host), t.most-len(t.due)); n > 0 {
			found, err := t.find(ctx, n, selectLate, h.host, n)
			if err != nil {
				return err
			}
			t.due, left = append(t.due, found...), len(found) == n
		}
		if !left {
			if _, err := t.exec(ctx, `UPDATE download_host SET late = 0 WHERE host = ?`, h.host); err != nil {
				return err
			}
		}
	}
	return nil
}

// taken counts what was taken of a host that is up.
func (t *take) taken(host string) (n int) {
	for _, d := range t.due {
		if d.Host == host {
			n++
		}
	}
	return n
}

// heads notes what is left of the hosts that something was taken from.
func (t *take) heads(ctx context.Context) error {
	done := map[string]bool{}
	for _, d := range t.due {
		if done[d.Host] {
			continue
		}
		done[d.Host] = true
		if err := t.behead(ctx, d.Host); err != nil {
			return err
		}
	}
	return nil
}

// EndDownload says how a fetch of d.URL ended: d's state, reason, size, types, hash and file. What is stored needs its
// link no more. What failed while a fresh link came is queued again.
func (tx *Tx) EndDownload(ctx context.Context, d Download) error {
	var state Fetch
	var host string
	var expires int64
	err := tx.row(ctx, `UPDATE download SET state = iif(?2 <> 'stored' AND url <> ?10, 'queued', ?2), reason = ?3, ended_at = ?4, size = ?5, sniffed_type = ?6, next_try_at = 0,
			sha256 = ?7, file = ?8, claimed_type = iif(claimed_type = '', ?9, claimed_type), url = iif(?2 = 'stored', '', url) WHERE id = ?1 RETURNING state, host, expires_at`,
		d.ID, d.State, d.Reason, tx.Now, d.Size, d.SniffedType, d.SHA256, d.File, d.ClaimedType, d.URL).Scan(&state, &host, &expires)
	if err == nil && state == FetchQueued {
		err = tx.ready(ctx, host, expires)
	}
	if err == nil && state == FetchStored {
		err = tx.QueueHealth(ctx, d)
	}
	if err != nil {
		return fmt.Errorf("ending a download: %w", err)
	}
	return tx.changedDownload(ctx, d)
}

// RetryDownload queues a download again after a passing failure, no earlier than at.
func (tx *Tx) RetryDownload(ctx context.Context, d Download, reason string, at time.Time) error {
	if _, err := tx.exec(ctx, `UPDATE download SET state = 'queued', reason = ?, next_try_at = max(?, 1) WHERE id = ?`, reason, millis(at), d.ID); err != nil {
		return fmt.Errorf("retrying a download: %w", err)
	}
	return tx.changedDownload(ctx, d)
}
