package db

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"carebell/web/care"
)

// HealthState is how far a file has been read into the summary of its patient.
type HealthState string

// The states of reading.
const (
	HealthWaiting HealthState = "waiting"
	HealthReading HealthState = "reading" // its rows are being written
	HealthFolding HealthState = "folding" // its rows are there, and not all are in the summary
	HealthRead    HealthState = "read"
	HealthFailed  HealthState = "failed" // it cannot be read; tried again at the next start
)

// HealthFile is a stored file that tells of a patient's health, as far as it has been read.
type HealthFile struct {
	Download
	Record bool // the record behind a notification; else a whole file of consolidated data
	Health HealthState
	Folded string               // place of the last row that is in the summary
	Cut    []care.HealthSection // sections of which not all is in rows
	Note   string               // what was not read, in words for people

	Sent      string    // when its message was sent and its id, to be compared as text
	At        time.Time // when its message was sent, else came in
	Whole     bool      // it is the whole record of the patient, as far as the sender has it
	RequestID string
}

// HealthRow is what one file says of one thing.
type HealthRow struct {
	Names  []string // its codes and words, the key first; at least one
	Health care.Health
	Events []HealthEvent // fills, values or doses, the newest first
}

// HealthEvent is one fill, value or dose of a thing.
type HealthEvent struct {
	Event  string `json:"e"` // [care.Said.Event]
	Detail string `json:"d"` // JSON of care.Said, without where it is said
}

// Key is the first name of the thing.
func (r HealthRow) Key() string { return r.Names[0] }

// health says whether a stored file is one to be read into the summary, and which kind.
func (d Download) health() (record, ok bool) {
	switch d.Purpose {
	case PurposeConsolidated:
		return false, d.PatientID != "" && (d.SniffedType == "application/json" || d.SniffedType == "application/x-gzip")
	case PurposePharmacy, PurposeLab:
		return true, d.PatientID != ""
	default:
		return false, false
	}
}

// QueueHealth has a file that was stored, or whose facts were read again, taken into the summary of its patient. Files of
// other purposes are passed over.
func (tx *Tx) QueueHealth(ctx context.Context, d Download) error {
	record, ok := d.health()
	if !ok {
		return nil
	}
	_, err := tx.exec(ctx, `INSERT INTO health_file (download_id, patient_id, record, state) VALUES (?1, ?2, ?3, 'waiting')
		ON CONFLICT (download_id) DO UPDATE SET state = 'waiting', note = ''`, d.ID, d.PatientID, record)
	if err != nil {
		return fmt.Errorf("queueing a file for the summary: %w", err)
	}
	return nil
}

// RetryHealth lets files that could not be read, or that an older reader read, be read again.
func (tx *Tx) RetryHealth(ctx context.Context, reader int) error {
	_, err := tx.exec(ctx, `UPDATE health_file SET state = 'waiting', note = '' WHERE state IN ('failed', 'reading')
		OR reader < ?1 AND state IN ('folding', 'read') AND (record = 1 OR EXISTS (SELECT 1 FROM download d WHERE d.id = download_id AND d.state = 'stored'))`, reader)
	return err
}

const healthFileColumns = `f.record, f.state, f.folded, f.cut, f.note, printf('%020d %s', coalesce(max(i.sent_at, 0), 0), i.message_id), coalesce(i.sent_at, i.received_at), i.request_id,
	coalesce(t.step, ''), coalesce(t.more, '{}'), ` + downloadColumns

// healthFileJoins: the part of a request that a file came with says how the request was narrowed.
const healthFileJoins = ` FROM health_file f JOIN download d ON d.id = f.download_id JOIN inbox i ON i.seq = d.inbox_seq
	LEFT JOIN pull_part t ON f.record = 0 AND t.id = d.inbox_seq * 1024 + CAST(substr(d.place, length('/patients/') + 1) AS INTEGER)`

func (f *HealthFile) scan(row interface{ Scan(...any) error }) error {
	var at sql.NullInt64
	var cut, step, more string
	head := []any{&f.Record, &f.Health, &f.Folded, &cut, &f.Note, &f.Sent, &at, &f.RequestID, &step, &more}
	if err := f.Download.scan(before{row, head}); err != nil {
		return err
	}
	f.At, f.Cut = instant(at), sectionsOf(cut)
	var part care.PartMore
	if err := json.Unmarshal([]byte(more), &part); err != nil {
		return err
	}
	f.Whole = care.Step(step) == care.StepAnswer || care.Step(step) == care.StepData && !care.Narrowed(part.Filters)
	return nil
}

// before scans columns before those that the callee knows.
type before struct {
	row  interface{ Scan(...any) error }
	head []any
}

func (b before) Scan(rest ...any) error { return b.row.Scan(slices.Concat(b.head, rest)...) }

func sectionsOf(text string) []care.HealthSection {
	var out []care.HealthSection
	for _, s := range strings.Fields(text) {
		out = append(out, care.HealthSection(s))
	}
	return out
}

func sectionWords(list []care.HealthSection) string {
	words := make([]string, len(list))
	for i, s := range list {
		words[i] = string(s)
	}
	slices.Sort(words)
	return strings.Join(slices.Compact(words), " ")
}

// chartCursor is up to where the inbox is in the chart.
const chartCursor = `(SELECT coalesce(max(at), 0) FROM cursor WHERE name = 'inbox')`

// NextHealth returns the next file to be worked on: of the records or of the whole files, the one that came last first. It
// returns sql.ErrNoRows where none waits, and while the chart does not know yet what the file is.
func (s Snapshot) NextHealth(ctx context.Context, record bool) (HealthFile, error) {
	var f HealthFile
	err := f.scan(s.QueryRowContext(ctx, `SELECT `+healthFileColumns+healthFileJoins+`
		WHERE (f.record = 1 OR d.inbox_seq <= `+chartCursor+`) AND f.download_id = (SELECT max(id) FROM (
			SELECT (SELECT max(download_id) FROM health_file WHERE record = ?1 AND state = s.column1 AND state IN ('waiting', 'reading', 'folding')) AS id
			FROM (VALUES ('waiting'), ('reading'), ('folding')) s))`, record))
	return f, err
}

// RecordFacts returns what was read from the record of a download, as JSON of fhir.Facts; sql.ErrNoRows where nothing was.
func (s Snapshot) RecordFacts(ctx context.Context, download int64) ([]byte, error) {
	var facts []byte
	err := s.QueryRowContext(ctx, `SELECT facts FROM record WHERE download_id = ?`, download).Scan(&facts)
	return facts, err
}

// rowPlace is the place of a row among those of its file.
func rowPlace(section care.HealthSection, key string) string { return string(section) + cellEnd + key }

// BeginHealth says that the rows of a file are being written.
func (tx *Tx) BeginHealth(ctx context.Context, f HealthFile) error {
	if _, err := tx.exec(ctx, `UPDATE health_file SET state = 'reading' WHERE download_id = ?`, f.ID); err != nil {
		return fmt.Errorf("reading a file into rows: %w", err)
	}
	return tx.changedHealth(ctx, f)
}

func (tx *Tx) changedHealth(ctx context.Context, f HealthFile) error {
	return tx.changedItem(ctx, TopicHealth, f.ID, f.PatientID)
}

// SaveHealthRows writes rows of a file. One that says something else than before makes its thing stale.
func (tx *Tx) SaveHealthRows(ctx context.Context, f HealthFile, rows []HealthRow) error {
	for _, r := range rows {
		names, err1 := json.Marshal(r.Names)
		detail, err2 := json.Marshal(r.Health)
		events, err3 := json.Marshal(r.Events)
		if err := errors.Join(err1, err2, err3); err != nil {
			return err
		}
		section, state := r.Health.Section, r.Health.State()
		var same bool
		err := tx.row(ctx, `SELECT names = ?4 AND state = ?5 AND detail = ?6 AND events = ?7 FROM health_row WHERE download_id = ?1 AND section = ?2 AND key = ?3`,
			f.ID, section, r.Key(), string(names), state, string(detail), string(events)).Scan(&same)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			_, err = tx.exec(ctx, `INSERT INTO health_row (download_id, section, key, patient_id, names, state, detail, events) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
				f.ID, section, r.Key(), f.PatientID, string(names), state, string(detail), string(events))
		case err == nil && !same:
			_, err = tx.exec(ctx, `UPDATE health_row SET names = ?4, state = ?5, detail = ?6, events = ?7 WHERE download_id = ?1 AND section = ?2 AND key = ?3`,
				f.ID, section, r.Key(), string(names), state, string(detail), string(events))
			if err == nil {
				err = tx.staleHealth(ctx, f.PatientID, section, r.Key())
			}
		}
		if err != nil {
			return fmt.Errorf("saving a row of the summary: %w", err)
		}
	}
	return nil
}

// staleHealth has the thing that goes by a name folded anew.
func (tx *Tx) staleHealth(ctx context.Context, patientID string, section care.HealthSection, name string) error {
	_, err := tx.exec(ctx, `INSERT INTO health_stale (patient_id, section, key)
		SELECT patient_id, section, key FROM health_name WHERE patient_id = ? AND section = ? AND name = ? ON CONFLICT DO NOTHING`, patientID, section, name)
	return err
}

// EndHealthRows says that all rows of a file are written: keep names them, by [HealthRow.Key], and those that are left from
// an earlier reading go. The file is to be folded next.
func (tx *Tx) EndHealthRows(ctx context.Context, f HealthFile, reader int, keep map[care.HealthSection]map[string]bool) error {
	var now HealthState
	if err := tx.row(ctx, `SELECT state FROM health_file WHERE download_id = ?`, f.ID).Scan(&now); err != nil || now != HealthReading {
		return err // it waits to be read again
	}
	type place struct {
		section care.HealthSection
		key     string
	}
	rows, err := tx.query(ctx, `SELECT section, key FROM health_row WHERE download_id = ?`, f.ID) //nolint:sqlclosecheck // collect closes them
	if err != nil {
		return fmt.Errorf("ending the rows of a file: %w", err)
	}
	all, err := collect(rows, func(p *place) error { return rows.Scan(&p.section, &p.key) })
	if err != nil {
		return fmt.Errorf("ending the rows of a file: %w", err)
	}
	for _, p := range all {
		if keep[p.section][p.key] {
			continue
		}
		err := tx.staleHealth(ctx, f.PatientID, p.section, p.key)
		if err == nil {
			_, err = tx.exec(ctx, `DELETE FROM health_row WHERE download_id = ? AND section = ? AND key = ?`, f.ID, p.section, p.key)
		}
		if err != nil {
			return fmt.Errorf("ending the rows of a file: %w", err)
		}
	}
	_, err = tx.exec(ctx, `UPDATE health_file SET state = 'folding', folded = '', reader = ?2, cut = ?3, note = ?4 WHERE download_id = ?1`,
		f.ID, reader, sectionWords(f.Cut), f.Note)
	if err != nil {
		return fmt.Errorf("ending the rows of a file: %w", err)
	}
	return tx.changedHealth(ctx, f)
}

// FailHealth says that a file cannot be read; f.Note says it in words.
func (tx *Tx) FailHealth(ctx context.Context, f HealthFile, reader int) error {
	if _, err := tx.exec(ctx, `UPDATE health_file SET state = 'failed', reader = ?2, note = ?3 WHERE download_id = ?1 AND state = 'reading'`, f.ID, reader, f.Note); err != nil {
		return fmt.Errorf("noting that a file cannot be read: %w", err)
	}
	return tx.changedHealth(ctx, f)
}

// healthRef names a thing in addresses, without saying what it is.
func healthRef(section care.HealthSection, key string) string {
	sum := sha256.Sum256([]byte(rowPlace(section, key)))
	return hex.EncodeToString(sum[:8])
}
