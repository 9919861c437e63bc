package db

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// insertSizes are how many rows the statements of an insertion have, in falling order: a statement costs about as much as
// writing three rows does.
var insertSizes = []int{32, 8, 2, 1}

// insertion inserts many rows into one table by few statements. Make it with [newInsertion], once for the life of the
// program. INSERT OR FAIL spares SQLite a copy of each page, which it would need to take back the rows before one that cannot
// be written: whoever gets an error takes back all of it.
type insertion struct {
	columns int
	texts   map[int]string // by how many rows
}

// newInsertion makes an insertion. into is the statement before VALUES, tail what follows them.
func newInsertion(into string, columns int, tail string) insertion {
	in := insertion{columns: columns, texts: map[int]string{}}
	row := "(" + strings.TrimSuffix(strings.Repeat("?, ", columns), ", ") + ")"
	for _, n := range insertSizes {
		in.texts[n] = into + " VALUES " + strings.TrimSuffix(strings.Repeat(row+", ", n), ", ") + " " + tail
	}
	return in
}

// insert inserts rows, whose values stand one after the other, and returns how many were written.
func (tx *Tx) insert(ctx context.Context, in insertion, values []any) (written int64, err error) {
	if len(values)%in.columns != 0 {
		return 0, fmt.Errorf("%d values are no rows of %d columns", len(values), in.columns)
	}
	for _, size := range insertSizes {
		for n := size * in.columns; len(values) >= n; values = values[n:] {
			result, err := tx.exec(ctx, in.texts[size], values[:n]...)
			if err != nil {
				return written, err
			}
			rows, err := result.RowsAffected()
			if err != nil {
				return written, err
			}
			written += rows
		}
	}
	return written, nil
}

// lookup is a query for rows by any of several values. Make it with [newLookup], once for the life of the program.
type lookup map[int]string // its text by how many values

// newLookup makes a lookup. The values stand where query has %s.
func newLookup(query string) lookup {
	l := lookup{}
	for _, n := range insertSizes {
		l[n] = fmt.Sprintf(query, strings.TrimSuffix(strings.Repeat("?, ", n), ", "))
	}
	return l
}

// look calls scan with each row that a lookup finds by values.
func (tx *Tx) look(ctx context.Context, l lookup, values []any, scan func(rows *sql.Rows) error) error {
	for len(values) > 0 {
		size := insertSizes[len(insertSizes)-1]
		for _, s := range insertSizes { // the smallest that takes all that are left, else the largest
			if s >= len(values) || s == insertSizes[0] {
				size = s
			}
		}
		n := min(size, len(values))
		args := slices.Clone(values[:n])
		for len(args) < size {
			args = append(args, args[n-1]) // one value twice finds no row twice
		}
		values = values[n:]
		if err := tx.each(ctx, l[size], args, scan); err != nil {
			return err
		}
	}
	return nil
}

// each calls scan with each row of a query.
func (tx *Tx) each(ctx context.Context, query string, args []any, scan func(rows *sql.Rows) error) error {
	rows, err := tx.query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// distinct are strings in their order, each once, as the arguments of a [lookup].
func distinct(list []string) []any {
	list = slices.Clone(list)
	slices.Sort(list) // neighbors are on one page
	var out []any
	for _, s := range slices.Compact(list) {
		out = append(out, s)
	}
	return out
}
