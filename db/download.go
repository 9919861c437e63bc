package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
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
	Host           string // host:port that it leads to; "" where it leads nowhere
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
	Again          bool   // the link is one that the sender gave later, when the first had died
	Asked          bool   // the sender is being asked to give the message again
	NotAgain       string // why it did not, or not yet; "" = it did, or was not asked
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

const removeOld = `UPDATE download SET state = 'removed', sha256 = NULL WHERE id IN
	(SELECT id FROM download WHERE state = 'stored' AND ended_at < ?1 ORDER BY ended_at LIMIT ?2) RETURNING file, patient_id, notification_id, inbox_seq, place, purpose`

// RemoveDownloads marks up to n files stored before a time as removed, and returns the vault's names that no download
// needs any more.
func (tx *Tx) RemoveDownloads(ctx context.Context, before time.Time, n int) ([]string, error) {
	rows, err := tx.query(ctx, removeOld, millis(before), n)
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

const downloadColumns = `d.id, d.inbox_seq, d.place, d.notification_id, d.patient_id, d.purpose, d.name, d.claimed_type, d.claimed_size, d.url, d.host, d.api_url,
	d.expires_at, d.state, d.reason, d.tries, d.queued_at, d.ended_at, d.size, d.sniffed_type, d.sha256, d.file, d.again,
	coalesce((SELECT iif(h.due_at IS NULL AND h.open = 0, '', '+') || h.error FROM heal h WHERE h.seq = d.inbox_seq), '')`

func (d *Download) scan(row interface{ Scan(...any) error }) error {
	var expires, queued, ended sql.NullInt64
	err := row.Scan(&d.ID, &d.InboxSeq, &d.Place, &d.NotificationID, &d.PatientID, &d.Purpose, &d.Name, &d.ClaimedType, &d.ClaimedSize, &d.URL, &d.Host, &d.APIURL,
		&expires, &d.State, &d.Reason, &d.Tries, &queued, &ended, &d.Size, &d.SniffedType, &d.SHA256, &d.File, &d.Again, &d.NotAgain)
	d.NotAgain, d.Asked = strings.CutPrefix(d.NotAgain, "+")
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
