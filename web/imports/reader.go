// Package imports reads the result files of bulk imports into rows that can be shown, searched and counted, however large
// they are. It knows nothing of requests.
package imports

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"carebell/db"
)

// Where reading stops or cuts. The stored file has all of it.
const (
	maxRows    = 500_000
	maxRecord  = 1 << 20 // bytes of one row in the file
	maxColumns = 200
	maxCell    = 2000     // bytes kept of a cell
	maxCells   = 32 << 10 // bytes kept of a row
)

// Reader reads a result file row by row: the columns that were sent in, and metriportId, status and reason, in any order
// and case. It holds one row at a time.
type Reader struct {
	Head               []string // names of the columns
	ID, Status, Reason int      // the columns of metriportId, status and reason; -1 = there is none

	table *Table
	no    int
	cut   bool
}

// NewReader reads the head of a file. One without a row at all has an empty head.
func NewReader(content io.Reader) (*Reader, error) {
	r := &Reader{table: NewTable(content, Bounds{Columns: maxColumns, Cell: 4 * maxCell, Row: 4 * maxCells, Record: maxRecord}), ID: -1, Status: -1, Reason: -1}
	head, err := r.record()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	r.Head = r.keep(head)
	for i, name := range r.Head { // the last of a name: the sender adds its columns to those that were sent in
		switch strings.ToLower(strings.Join(strings.FieldsFunc(name, func(c rune) bool { return c == '_' || c == '-' || unicode.IsSpace(c) }), "")) {
		case "metriportid":
			r.ID = i
		case "status":
			r.Status = i
		case "reason":
			r.Reason = i
		}
	}
	return r, nil
}

// TooLongError says that a row is longer than what is read at a time. Nothing behind it can be read.
type TooLongError struct{ Row int }

func (e TooLongError) Error() string {
	return fmt.Sprintf("Reading stopped at row %d: it is longer than %d MiB.", e.Row, maxRecord>>20)
}

// Next returns the next row, io.EOF after the last one, or a [TooLongError].
func (r *Reader) Next() (db.ImportRow, error) {
	record, err := r.record()
	if err != nil {
		return db.ImportRow{}, err
	}
	r.no++
	row := db.ImportRow{No: r.no, Cells: r.keep(record), Outcome: db.RowUnknown}
	switch strings.ToLower(strings.TrimSpace(cell(row.Cells, r.Status))) {
	case "succeeded":
		row.Outcome = db.RowSucceeded
	case "failed":
		row.Outcome = db.RowFailed
	}
	row.Sample = strings.TrimSpace(cell(row.Cells, r.Reason))
	row.Words = numbers.ReplaceAllString(row.Sample, "…")
	return row, nil
}

// numbers are what two reasons of the same kind differ in: an amount, a date, a code of digits.
var numbers = regexp.MustCompile(`\d+(?:[-./:]\d+)*`)

// Bytes is how much of the file has been read.
func (r *Reader) Bytes() int64 { return r.table.Bytes() }

// Notes say what is not, or not wholly, in the rows so far.
func (r *Reader) Notes() []string {
	var out []string
	switch {
	case len(r.Head) == 0:
		out = append(out, "The file is empty.")
	case r.Status < 0:
		out = append(out, "The file has no column “status”, so it does not say which rows succeeded.")
	}
	if r.cut {
		out = append(out, fmt.Sprintf("Cells of more than %d characters, and more than %d columns, are cut here.", maxCell, maxColumns))
	}
	return out
}

func (r *Reader) record() ([]string, error) {
	row, err := r.table.Next()
	if errors.Is(err, ErrLongRow) {
		err = TooLongError{r.no + 1}
	}
	r.cut = r.cut || row.Columns > len(row.Cells) || slices.Contains(row.Cut, true)
	return row.Cells, err
}

// keep copies the cells of a row into strings of bounded length without control characters.
func (r *Reader) keep(record []string) []string {
	cells, left := make([]string, len(record)), maxCells
	for i, c := range record {
		c = strings.Map(printable, strings.ToValidUTF8(c, "\ufffd"))
		if most := min(maxCell, left); len(c) > most {
			c, r.cut = strings.ToValidUTF8(c[:most], "")+"…", true
		}
		left = max(left-len(c), 0)
		cells[i] = c
	}
	return cells
}

// printable takes control characters out; line breaks within a cell stay.
func printable(c rune) rune {
	if unicode.IsControl(c) && c != '\n' && c != '\t' {
		return -1
	}
	return c
}

func cell(cells []string, i int) string {
	if i < 0 || i >= len(cells) {
		return ""
	}
	return cells[i]
}
