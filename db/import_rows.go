package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Outcome is what became of a row of an import. Rows are shown in this order.
type Outcome int

// The outcomes of a row.
const (
	RowFailed Outcome = iota
	RowUnknown
	RowSucceeded
)

// ImportReading is how far a result file has been read into rows.
type ImportReading string

// The states of reading.
const (
	ImportReadingOn ImportReading = "reading"
	ImportRead      ImportReading = "read"
	ImportUnread    ImportReading = "failed"  // the file cannot be read; tried again at the next start
	ImportRemoved   ImportReading = "removed" // its rows went with the file; the counts stay
)

// ImportFile is a result file as far as it has been read.
type ImportFile struct {
	Download int64
	State    ImportReading // "" = reading has not begun
	Note     string        // what was not read, in words for people
	Head     []string      // names of the columns
	ID       int           // the columns of metriportId, status and reason; -1 = there is none
	Status   int
	Reason   int
	Rows     int    // read so far
	Bytes    int64  // read so far
	Counts   [3]int // by outcome

	head string
}

const importFileColumns = `coalesce(f.state, ''), coalesce(f.note, ''), coalesce(f.head, ''), coalesce(f.id_column, -1), coalesce(f.status_column, -1), coalesce(f.reason_column, -1),
	coalesce(f.rows, 0), coalesce(f.bytes, 0), coalesce(f.failed, 0), coalesce(f.unknown, 0), coalesce(f.succeeded, 0)`

func (f *ImportFile) columns() []any {
	return []any{&f.State, &f.Note, &f.head, &f.ID, &f.Status, &f.Reason, &f.Rows, &f.Bytes, &f.Counts[RowFailed], &f.Counts[RowUnknown], &f.Counts[RowSucceeded]}
}

func (f *ImportFile) split() { f.Head = splitCells(f.head) }

// cellEnd parts cells. It stands in no cell: those who read a file leave control characters out.
const cellEnd = "\x1f"

func splitCells(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, cellEnd)
}

// ImportRow is one row of a result file.
type ImportRow struct {
	No       int // from 1, below the head
	Outcome  Outcome
	Words    string // the reason with every number left out; rows of the same words are counted together
	Sample   string // the reason as sent
	ReasonNo int
	Cells    []string // of at least one byte in all, without control characters

	place int
}

// PendingImports lists stored result files whose rows are not all there yet, and removed ones whose rows still are.
func (s Snapshot) PendingImports(ctx context.Context) ([]Download, error) {
	rows, err := s.QueryContext(ctx, `SELECT `+downloadColumns+` FROM download d LEFT JOIN import_file f ON f.download_id = d.id
		WHERE d.purpose = 'import' AND (d.state = 'stored' AND coalesce(f.state, 'reading') = 'reading' OR d.state = 'removed' AND f.state <> 'removed') ORDER BY d.id`)
	if err != nil {
		return nil, fmt.Errorf("looking for result files: %w", err)
	}
	return collect(rows, func(d *Download) error { return d.scan(rows) })
}

// ImportFile returns how far the result file of a download has been read.
func (s Snapshot) ImportFile(ctx context.Context, download int64) (ImportFile, error) {
	f := ImportFile{Download: download, ID: -1, Status: -1, Reason: -1}
	err := s.QueryRowContext(ctx, `SELECT `+importFileColumns+` FROM import_file f WHERE f.download_id = ?`, download).Scan(f.columns()...)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	f.split()
	return f, err
}

// RetryImports lets files that could not be read be read again.
func (tx *Tx) RetryImports(ctx context.Context) error {
	_, err := tx.exec(ctx, `UPDATE import_file SET state = 'reading', note = '' WHERE state = 'failed'`)
	return err
}

// SaveImportRows adds the next rows of a result file. f is the file as it was before them, with its head, and with the
// state, note and bytes as they are after them.
func (tx *Tx) SaveImportRows(ctx context.Context, d Download, f ImportFile, rows []ImportRow) error {
	reasons := importReasons{download: d.ID}
	for _, row := range rows {
		f.Rows++
		f.Counts[row.Outcome]++
		r, err := reasons.of(ctx, tx, row)
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, `INSERT INTO import_row (download_id, outcome, place, no, reason_no, reason_place, cells) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			d.ID, row.Outcome, f.Counts[row.Outcome], row.No, r.no, r.n, strings.Join(row.Cells, cellEnd))
		if err != nil {
			return fmt.Errorf("saving a row of an import: %w", err)
		}
	}
	if err := reasons.save(ctx, tx); err != nil {
		return err
	}
	_, err := tx.exec(ctx, `INSERT INTO import_file (download_id, state, note, head, id_column, status_column, reason_column, rows, bytes, failed, unknown, succeeded)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT (download_id) DO UPDATE SET
			state = ?2, note = ?3, rows = ?8, bytes = ?9, failed = ?10, unknown = ?11, succeeded = ?12`,
		d.ID, f.State, f.Note, strings.Join(f.Head, cellEnd), f.ID, f.Status, f.Reason, f.Rows, f.Bytes, f.Counts[RowFailed], f.Counts[RowUnknown], f.Counts[RowSucceeded])
	if err != nil {
		return fmt.Errorf("saving how far an import was read: %w", err)
	}
	return tx.changedImport(ctx, d.InboxSeq)
}

// importReasons are the reasons that occur in some rows, with how often they occurred so far in the file.
type importReasons struct {
	download int64
	last     int // the highest number; 0 = not looked up
	found    map[reasonKey]*importReason
}

type reasonKey struct {
	outcome Outcome
	words   string
}

type importReason struct {
	no, n  int
	sample string
	varied bool
}

// of counts one more row with its reason.
func (r *importReasons) of(ctx context.Context, tx *Tx, row ImportRow) (*importReason, error) {
	key := reasonKey{row.Outcome, row.Words}
	reason := r.found[key]
	if reason == nil {
		reason = &importReason{sample: row.Sample}
		err := tx.row(ctx, `SELECT no, n, sample, varied FROM import_reason WHERE download_id = ? AND outcome = ? AND words = ?`, r.download, key.outcome, key.words).
			Scan(&reason.no, &reason.n, &reason.sample, &reason.varied)
		if errors.Is(err, sql.ErrNoRows) {
			reason.no, err = r.next(ctx, tx)
		}
		if err != nil {
			return nil, fmt.Errorf("counting a reason: %w", err)
		}
		if r.found == nil {
			r.found = map[reasonKey]*importReason{}
		}
		r.found[key] = reason
	}
	reason.n++
	reason.varied = reason.varied || row.Sample != reason.sample
	return reason, nil
}

func (r *importReasons) next(ctx context.Context, tx *Tx) (int, error) {
	if r.last == 0 {
		if err := tx.row(ctx, `SELECT coalesce(max(no), 0) FROM import_reason WHERE download_id = ?`, r.download).Scan(&r.last); err != nil {
			return 0, err
		}
	}
	r.last++
	return r.last, nil
}

func (r *importReasons) save(ctx context.Context, tx *Tx) error {
	for key, reason := range r.found {
		_, err := tx.exec(ctx, `INSERT INTO import_reason (download_id, no, outcome, words, sample, varied, n) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
			ON CONFLICT (download_id, no) DO UPDATE SET varied = ?6, n = ?7`, r.download, reason.no, key.outcome, key.words, reason.sample, reason.varied, reason.n)
		if err != nil {
			return fmt.Errorf("counting a reason: %w", err)
		}
	}
	return nil
}

// DropImportRows takes out up to n rows of a file that was removed, and says whether all are gone. The counts stay; the
// reasons go with the last row, as they may quote a patient.
func (tx *Tx) DropImportRows(ctx context.Context, d Download, n int) (bool, error) {
	result, err := tx.exec(ctx, `DELETE FROM import_row WHERE (download_id, no) IN (SELECT download_id, no FROM import_row WHERE download_id = ? ORDER BY no LIMIT ?)`, d.ID, n)
	if err != nil {
		return false, fmt.Errorf("dropping rows of an import: %w", err)
	}
	if gone, err := result.RowsAffected(); err != nil || gone == int64(n) {
		return false, err
	}
	if _, err := tx.exec(ctx, `DELETE FROM import_reason WHERE download_id = ?`, d.ID); err != nil {
		return false, fmt.Errorf("dropping the reasons of an import: %w", err)
	}
	if _, err := tx.exec(ctx, `UPDATE import_file SET state = 'removed' WHERE download_id = ?`, d.ID); err != nil {
		return false, fmt.Errorf("dropping rows of an import: %w", err)
	}
	return true, tx.changedImport(ctx, d.InboxSeq)
}

// ImportReason is how many rows have a reason.
type ImportReason struct {
	No      int
	Outcome Outcome
	Words   string // with numbers left out where rows differ in them; else as sent
	Rows    int
}

// ImportReasons lists the reasons of a file, those of failed rows first, then the most frequent first. Succeeded rows
// without one are left out. no > 0 asks for one reason alone.
func (s Snapshot) ImportReasons(ctx context.Context, download int64, no, limit int) ([]ImportReason, error) {
	rows, err := s.QueryContext(ctx, `SELECT no, outcome, iif(varied, words, sample), n FROM import_reason WHERE download_id = ?1 AND iif(?2 > 0, no = ?2, outcome < 2 OR words <> '')
		ORDER BY outcome, n DESC, no LIMIT ?3`, download, no, limit)
	if err != nil {
		return nil, fmt.Errorf("listing reasons: %w", err)
	}
	return collect(rows, func(r *ImportReason) error { return rows.Scan(&r.No, &r.Outcome, &r.Words, &r.Rows) })
}

// ImportRowFilter narrows the rows of a result file.
type ImportRowFilter struct {
	Outcome Outcome
	Every   bool   // whatever the outcome
	Reason  int    // number of a reason; 0 = any
	Text    string // part of a cell
}

// clause is the filter in SQL, but for the outcome where Every is set.
func (f ImportRowFilter) clause(download int64) (string, []any) {
	where, args := "download_id = ?", []any{download}
	if !f.Every {
		where, args = where+" AND outcome = ?", append(args, f.Outcome)
	}
	if f.Reason > 0 {
		where, args = where+" AND reason_no = ?", append(args, f.Reason)
	}
	if f.Text != "" {
		var or []string
		for _, t := range cases(f.Text) {
			or, args = append(or, `cells LIKE ? ESCAPE '\'`), append(args, "%"+escapeLike(t)+"%")
		}
		where += " AND (" + strings.Join(or, " OR ") + ")"
	}
	return where, args
}

// cases are the ways in which a text is looked for. SQLite knows upper and lower case of ASCII alone; other letters are
// found as typed, in lower and in upper case.
func cases(text string) []string {
	out := []string{text, strings.ToLower(text), strings.ToUpper(text)}
	if strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return out
	}
	return out[:1]
}

// MostImportMatches is how many rows a search for text can show.
const MostImportMatches = 2000

// ImportRows returns the rows of a file that fit f from place from on, at most n, and how many fit: exactly, or more than
// [MostImportMatches] where so many have the text.
func (s Snapshot) ImportRows(ctx context.Context, file ImportFile, f ImportRowFilter, from, n int) ([]ImportRow, int, error) {
	if f.Text != "" {
		return s.matchingImportRows(ctx, file.Download, f, from, n)
	}
	where, args := f.clause(file.Download)
	var total int
	order := "outcome, place"
	switch {
	case f.Reason > 0:
		reasons, err := s.ImportReasons(ctx, file.Download, f.Reason, 1)
		if err != nil || len(reasons) == 0 || !f.Every && reasons[0].Outcome != f.Outcome {
			return nil, 0, err
		}
		total, order = reasons[0].Rows, "reason_place"
		where, args = where+" AND reason_place > ?", append(args, from)
	case f.Every:
		total = file.Rows
		outcome, before := RowFailed, from
		for outcome < RowSucceeded && before >= file.Counts[outcome] {
			before -= file.Counts[outcome]
			outcome++
		}
		where, args = where+" AND (outcome, place) > (?, ?)", append(args, outcome, before)
	default:
		total = file.Counts[f.Outcome]
		where, args = where+" AND place > ?", append(args, from)
	}
	rows, err := s.selectImportRows(ctx, where+" ORDER BY "+order, args, n)
	return rows, total, err
}

// matchingImportRows finds where the rows with a text are first, and then reads those of the window.
func (s Snapshot) matchingImportRows(ctx context.Context, download int64, f ImportRowFilter, from, n int) ([]ImportRow, int, error) {
	where, args := f.clause(download)
	found, err := s.QueryContext(ctx, `SELECT no FROM import_row WHERE `+where+` ORDER BY outcome, place LIMIT ?`, append(args, MostImportMatches+1)...)
	if err != nil {
		return nil, 0, fmt.Errorf("searching the rows of an import: %w", err)
	}
	nos, err := collect(found, func(no *int) error { return found.Scan(no) })
	if err != nil {
		return nil, 0, err
	}
	total := len(nos)
	nos = nos[:min(total, MostImportMatches)]
	window, err := json.Marshal(nos[min(from, len(nos)):min(from+n, len(nos))])
	if err != nil {
		return nil, 0, err
	}
	rows, err := s.selectImportRows(ctx, "download_id = ? AND no IN (SELECT value FROM json_each(?)) ORDER BY outcome, place", []any{download, string(window)}, n)
	return rows, total, err
}

// ImportRowsAfter lists up to n rows that fit f and follow a row; nil stands before the first.
func (s Snapshot) ImportRowsAfter(ctx context.Context, download int64, f ImportRowFilter, after *ImportRow, n int) ([]ImportRow, error) {
	where, args := f.clause(download)
	if after != nil {
		where, args = where+" AND (outcome, place) > (?, ?)", append(args, after.Outcome, after.place)
	}
	return s.selectImportRows(ctx, where+" ORDER BY outcome, place", args, n)
}

// ImportRow returns the row with a number, or sql.ErrNoRows.
func (s Snapshot) ImportRow(ctx context.Context, download int64, no int) (ImportRow, error) {
	rows, err := s.selectImportRows(ctx, "download_id = ? AND no = ?", []any{download, no}, 1)
	if err == nil && len(rows) == 0 {
		err = sql.ErrNoRows
	}
	if err != nil {
		return ImportRow{}, err
	}
	return rows[0], nil
}

func (s Snapshot) selectImportRows(ctx context.Context, where string, args []any, n int) ([]ImportRow, error) {
	rows, err := s.QueryContext(ctx, `SELECT outcome, place, no, reason_no, cells FROM import_row WHERE `+where+` LIMIT ?`, append(args, n)...)
	if err != nil {
		return nil, fmt.Errorf("listing rows of an import: %w", err)
	}
	return collect(rows, func(r *ImportRow) error {
		var cells string
		err := rows.Scan(&r.Outcome, &r.place, &r.No, &r.ReasonNo, &cells)
		r.Cells = strings.Split(cells, cellEnd)
		return err
	})
}

// KnownPatients says which of some ids are patients here.
func (s Snapshot) KnownPatients(ctx context.Context, ids []string) (map[string]bool, error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(ctx, `SELECT id FROM patient WHERE id IN (SELECT value FROM json_each(?))`, string(list))
	if err != nil {
		return nil, fmt.Errorf("looking for patients: %w", err)
	}
	found, err := collect(rows, func(id *string) error { return rows.Scan(id) })
	known := map[string]bool{}
	for _, id := range found {
		known[id] = true
	}
	return known, err
}
