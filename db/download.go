package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"carebell/web/fhir"
)

// Fetch is how far a download came.
type Fetch string

// The states of a download.
const (
	FetchQueued   Fetch = "queued"
	FetchFetching Fetch = "fetching"
	FetchStored   Fetch = "stored"
	FetchExpired  Fetch = "expired" // the link died before it could be fetched
	FetchRefused  Fetch = "refused" // the link leads where nothing is fetched from
	FetchFailed   Fetch = "failed"
	FetchRemoved  Fetch = "removed" // stored once, and deleted by the retention rule
)

// Purpose says what a download is.
type Purpose string

// The purposes of a download.
const (
	PurposeADT          Purpose = "adt" // bundle behind admit, transfer, discharge
	PurposePharmacy     Purpose = "pharmacy"
	PurposeLab          Purpose = "lab"
	PurposeSummary      Purpose = "summary"
	PurposeConsolidated Purpose = "consolidated"
	PurposeImport       Purpose = "import"
	PurposeDocument     Purpose = "document"
	PurposeMessage      Purpose = "message"
	PurposeAttachment   Purpose = "attachment"
)

// Download is one presigned link and what became of it. Times that are not known are zero.
type Download struct {
	ID             int64
	InboxSeq       int64
	Place          string // JSON pointer of the link in the message
	NotificationID int64  // 0 = none
	PatientID      string // "" = none
	Purpose        Purpose
	Name           string
	ClaimedType    string
	ClaimedSize    int64  // bytes; 0 where not said
	URL            string // a bearer secret: never shown, never logged
	APIURL         string // gives a fresh link; needs the API key
	ExpiresAt      time.Time
	State          Fetch
	Reason         string
	Tries          int
	QueuedAt       time.Time
	EndedAt        time.Time
	Size           int64  // bytes, as stored
	SniffedType    string // what the content looks like
	SHA256         []byte
	File           string // name in the vault
}

// AddDownload queues a link. A link at a place that is known already changes nothing, so a rebuild fetches nothing twice.
func (tx *Tx) AddDownload(ctx context.Context, d Download) error {
	_, err := tx.QueueDownload(ctx, d)
	return err
}

// QueueDownload is [Tx.AddDownload], and says whether the place was new.
func (tx *Tx) QueueDownload(ctx context.Context, d Download) (added bool, err error) {
	result, err := tx.exec(ctx, `INSERT INTO download (inbox_seq, place, notification_id, patient_id, purpose, name, claimed_type, claimed_size, url, api_url, expires_at, queued_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (inbox_seq, place) DO NOTHING`,
		d.InboxSeq, d.Place, d.NotificationID, d.PatientID, d.Purpose, d.Name, d.ClaimedType, d.ClaimedSize, d.URL, d.APIURL, millis(d.ExpiresAt), tx.Now)
	if err != nil {
		return false, fmt.Errorf("queueing a download: %w", err)
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// Part is a file that came within another one.
type Part struct {
	Writer      int    // which of the writers that were given out has its content, from 1
	Place       string // names it among the links of the message
	Name        string
	ClaimedType string
}

// AddStored adds a file that came within another one and is in the vault already: d has its place, purpose, names, types,
// size, hash and File. Content that is stored already is kept once. It returns the vault's name that the row uses; "" where
// the place is known and nothing changed.
func (tx *Tx) AddStored(ctx context.Context, d Download) (file string, err error) {
	same, err := tx.StoredContent(ctx, d.SHA256)
	if err != nil {
		return "", err
	}
	if same != "" {
		d.File = same
	}
	result, err := tx.exec(ctx, `INSERT INTO download (inbox_seq, place, patient_id, purpose, name, claimed_type, claimed_size, url, expires_at, state, queued_at, ended_at, size, sniffed_type, sha256, file)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, '', ?8, 'stored', ?8, ?8, ?7, ?9, ?10, ?11) ON CONFLICT (inbox_seq, place) DO NOTHING`,
		d.InboxSeq, d.Place, d.PatientID, d.Purpose, d.Name, d.ClaimedType, d.Size, tx.Now, d.SniffedType, d.SHA256, d.File)
	if err != nil {
		return "", fmt.Errorf("adding a stored file: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return "", err
	}
	return d.File, tx.changedDownload(ctx, d)
}

// RenewDownload gives a download that is not stored a fresh link, from a repeated delivery, and queues it again. One that
// waits keeps a link that lives longer. One that is being fetched goes on with its old link; where that fails,
// [Tx.EndDownload] sees the fresh one.
func (tx *Tx) RenewDownload(ctx context.Context, inboxSeq int64, place, url string, expires time.Time) error {
	_, err := tx.exec(ctx, `UPDATE download SET url = ?3, expires_at = ?4, state = iif(state = 'fetching', state, 'queued'), reason = '', next_try_at = 0, tries = 0, ended_at = NULL
		WHERE inbox_seq = ?1 AND place = ?2 AND url <> ?3
			AND (state IN ('expired', 'refused', 'failed') OR state IN ('queued', 'fetching') AND expires_at < ?4)`, inboxSeq, place, url, millis(expires))
	if err != nil {
		return fmt.Errorf("renewing a download: %w", err)
	}
	return nil
}

// ResumeDownloads queues again what was being fetched when the process ended.
func (tx *Tx) ResumeDownloads(ctx context.Context) error {
	_, err := tx.exec(ctx, `UPDATE download SET state = 'queued', next_try_at = 0 WHERE state = 'fetching'`)
	return err
}

// TakeDownloads marks up to n due downloads as being fetched and returns them, those whose link dies first first. next
// is when one of the others is due; zero where none waits.
func (tx *Tx) TakeDownloads(ctx context.Context, n int) (due []Download, next time.Time, err error) {
	rows, err := tx.query(ctx, `SELECT `+downloadColumns+` FROM download d WHERE d.state = 'queued' AND d.next_try_at <= ? ORDER BY d.expires_at, d.id LIMIT ?`, tx.Now, n)
	if err != nil {
		return nil, next, fmt.Errorf("looking for due downloads: %w", err)
	}
	if due, err = collect(rows, func(d *Download) error { return d.scan(rows) }); err != nil {
		return nil, next, err
	}
	for _, d := range due {
		if _, err := tx.exec(ctx, `UPDATE download SET state = 'fetching', tries = tries + 1 WHERE id = ?`, d.ID); err != nil {
			return nil, next, fmt.Errorf("taking a download: %w", err)
		}
		if err := tx.changedDownload(ctx, d); err != nil {
			return nil, next, err
		}
	}
	var at sql.NullInt64
	err = tx.row(ctx, `SELECT min(next_try_at) FROM download WHERE state = 'queued'`).Scan(&at)
	return due, instant(at), err
}

// EndDownload says how a fetch of d.URL ended: d's state, reason, size, types, hash and file. What is stored needs its
// link no more. What failed while a fresh link came is queued again.
func (tx *Tx) EndDownload(ctx context.Context, d Download) error {
	_, err := tx.exec(ctx, `UPDATE download SET state = iif(?2 <> 'stored' AND url <> ?10, 'queued', ?2), reason = ?3, ended_at = ?4, size = ?5, sniffed_type = ?6,
			sha256 = ?7, file = ?8, claimed_type = iif(claimed_type = '', ?9, claimed_type), url = iif(?2 = 'stored', '', url) WHERE id = ?1`,
		d.ID, d.State, d.Reason, tx.Now, d.Size, d.SniffedType, d.SHA256, d.File, d.ClaimedType, d.URL)
	if err != nil {
		return fmt.Errorf("ending a download: %w", err)
	}
	return tx.changedDownload(ctx, d)
}

// RetryDownload queues a download again after a passing failure, no earlier than at.
func (tx *Tx) RetryDownload(ctx context.Context, d Download, reason string, at time.Time) error {
	if _, err := tx.exec(ctx, `UPDATE download SET state = 'queued', reason = ?, next_try_at = ? WHERE id = ?`, reason, millis(at), d.ID); err != nil {
		return fmt.Errorf("retrying a download: %w", err)
	}
	return tx.changedDownload(ctx, d)
}

// TouchDownload tells screens that a download has come further.
func (tx *Tx) TouchDownload(ctx context.Context, d Download) error { return tx.changedDownload(ctx, d) }

func (tx *Tx) changedDownload(ctx context.Context, d Download) error {
	if err := tx.changedPull(ctx, d); err != nil {
		return err
	}
	if d.Purpose == PurposeMessage || d.Purpose == PurposeAttachment {
		if err := tx.changedItem(ctx, TopicMessages, d.InboxSeq, d.PatientID); err != nil {
			return err
		}
	}
	if d.Purpose == PurposeImport {
		return tx.changedImport(ctx, d.InboxSeq)
	}
	return tx.changed(ctx, d.PatientID, d.NotificationID)
}

// StoredContent returns the vault's name for content that is stored already; "" where it is not.
func (tx *Tx) StoredContent(ctx context.Context, sum []byte) (string, error) {
	var file string
	err := tx.row(ctx, `SELECT file FROM download WHERE sha256 = ? AND state = 'stored' LIMIT 1`, sum).Scan(&file)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return file, err
}

// SaveRecord keeps the facts read from a stored bundle by this version's reader, as JSON.
func (tx *Tx) SaveRecord(ctx context.Context, downloadID int64, facts []byte) error {
	_, err := tx.exec(ctx, `INSERT INTO record (download_id, facts, reader) VALUES (?1, ?2, ?3) ON CONFLICT (download_id) DO UPDATE SET facts = ?2, reader = ?3`,
		downloadID, string(facts), fhir.ReaderVersion)
	return err
}

// RemoveDownloads marks up to n files stored before a time as removed, and returns the vault's names that no download
// needs any more.
func (tx *Tx) RemoveDownloads(ctx context.Context, before time.Time, n int) ([]string, error) {
	rows, err := tx.query(ctx, `UPDATE download SET state = 'removed', sha256 = NULL WHERE id IN
		(SELECT id FROM download WHERE state = 'stored' AND ended_at < ? ORDER BY ended_at LIMIT ?) RETURNING file, patient_id, notification_id, inbox_seq, place, purpose`, millis(before), n)
	if err != nil {
		return nil, fmt.Errorf("removing old files: %w", err)
	}
	gone, err := collect(rows, func(d *Download) error {
		return rows.Scan(&d.File, &d.PatientID, &d.NotificationID, &d.InboxSeq, &d.Place, &d.Purpose)
	})
	if err != nil {
		return nil, fmt.Errorf("removing old files: %w", err)
	}
	var files []string
	for _, d := range gone {
		var needed bool
		if err := tx.row(ctx, `SELECT EXISTS (SELECT 1 FROM download WHERE file = ? AND state = 'stored')`, d.File).Scan(&needed); err != nil {
			return nil, fmt.Errorf("removing old files: %w", err)
		}
		if !needed && !slices.Contains(files, d.File) {
			files = append(files, d.File)
		}
		if err := tx.changedDownload(ctx, d); err != nil {
			return nil, err
		}
	}
	return files, nil
}

const downloadColumns = `d.id, d.inbox_seq, d.place, d.notification_id, d.patient_id, d.purpose, d.name, d.claimed_type, d.claimed_size, d.url, d.api_url,
	d.expires_at, d.state, d.reason, d.tries, d.queued_at, d.ended_at, d.size, d.sniffed_type, d.sha256, d.file`

func (d *Download) scan(row interface{ Scan(...any) error }) error {
	var expires, queued, ended sql.NullInt64
	err := row.Scan(&d.ID, &d.InboxSeq, &d.Place, &d.NotificationID, &d.PatientID, &d.Purpose, &d.Name, &d.ClaimedType, &d.ClaimedSize, &d.URL, &d.APIURL,
		&expires, &d.State, &d.Reason, &d.Tries, &queued, &ended, &d.Size, &d.SniffedType, &d.SHA256, &d.File)
	d.ExpiresAt, d.QueuedAt, d.EndedAt = instant(expires), instant(queued), instant(ended)
	return err
}

// Download returns one download, or sql.ErrNoRows.
func (s Snapshot) Download(ctx context.Context, id int64) (Download, error) {
	var d Download
	err := d.scan(s.QueryRowContext(ctx, `SELECT `+downloadColumns+` FROM download d WHERE d.id = ?`, id))
	return d, err
}

// PatientDownloads lists the downloads of a patient, newest first.
func (s Snapshot) PatientDownloads(ctx context.Context, patientID string, limit int) ([]Download, error) {
	rows, err := s.QueryContext(ctx, `SELECT `+downloadColumns+` FROM download d WHERE d.patient_id = ? ORDER BY d.id DESC LIMIT ?`, patientID, limit)
	if err != nil {
		return nil, fmt.Errorf("listing downloads: %w", err)
	}
	return collect(rows, func(d *Download) error { return d.scan(rows) })
}
