package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Reach is how many rows one page of a list looks at before it says how far back it searched.
const Reach = 4000

// few is how many patients, facilities or other things a text may mean for all of theirs to be listed by index; of more,
// rows are searched from the newest.
const few = 40

// Rest is where a list goes on that was not searched to its end: below Before. Its zero value says that it was.
type Rest struct {
	Before int64
	At     time.Time // when the row at Before came
}

// Window is which of the rows that fit a filter are read.
type Window struct {
	Before   int64    // only numbers below; 0 = from the top
	IDs      []int64  // only these; nil = all
	Patients []string // and those of these, where a list can be asked so
	Limit    int
	Reach    int // look at no more than about so many rows; 0 = at all
}

// ListFilter is what a list of the type F narrows.
type ListFilter[F any] interface {
	// Within is the same filter for the rows of a window.
	Within(w Window) F
	walk(ctx context.Context, s Snapshot) (walk, error)
}

// Fitting returns which of the rows f.Within(w) chooses fit f. It asks for nothing else of them: open screens of many filters
// ask it of the same few.
func Fitting[F ListFilter[F]](ctx context.Context, s Snapshot, f F) (map[int64]bool, error) {
	w, err := f.walk(ctx, s)
	if err != nil {
		return nil, err
	}
	where, args := w.where()
	rows, err := s.QueryContext(ctx, `SELECT `+w.id+` FROM `+w.source()+` WHERE `+where, args...) //nolint:sqlclosecheck // collect closes them
	if err != nil {
		return nil, fmt.Errorf("looking for what fits: %w", err)
	}
	ids, err := collect(rows, func(id *int64) error { return rows.Scan(id) })
	fits := make(map[int64]bool, len(ids))
	for _, id := range ids {
		fits[id] = true
	}
	return fits, err
}

// conditions are parts of a WHERE clause with their arguments.
type conditions struct {
	clauses []string
	args    []any
}

func (c *conditions) add(clause string, args ...any) {
	c.clauses, c.args = append(c.clauses, clause), append(c.args, args...)
}

// among adds that a column is one of values.
func (c *conditions) among(column string, values any) error {
	list, err := json.Marshal(values)
	if err == nil {
		c.add(column+" IN (SELECT value FROM json_each(?))", string(list))
	}
	return err
}

// walk is how a list finds its rows: along one index, the greatest id first, testing each row.
type walk struct {
	from  string // the table, with the index
	id    string
	at    string // when a row came
	along conditions
	tests conditions
	short bool  // along is few rows, or goes no further back than floor
	floor int64 // 0 = along goes back to the first
}

// where is the whole condition.
func (w walk) where() (string, []any) {
	all := append([]string{"1"}, append(w.along.clauses, w.tests.clauses...)...)
	return strings.Join(all, " AND "), append(append([]any{}, w.along.args...), w.tests.args...)
}

// source is what comes after FROM. Where no index was chosen, rows are read by their numbers: a list is in that order.
func (w walk) source() string {
	if strings.Contains(w.from, "INDEXED BY") {
		return w.from
	}
	return w.from + " NOT INDEXED"
}

// bound keeps w from looking at more than reach rows, where it tests them; 0 = it may look at all. It returns where w stops.
func (s Snapshot) bound(ctx context.Context, w *walk, reach int) (rest Rest, err error) {
	along, args := w.along.clauses, w.along.args
	skip := reach - 1
	switch {
	case w.floor > 0:
		along, args, skip = []string{w.id + " = ?"}, []any{w.floor}, 0
	case w.short || reach <= 0 || len(w.tests.clauses) == 0:
		return rest, nil
	}
	var at sql.NullInt64
	err = s.QueryRowContext(ctx, `SELECT `+w.id+`, `+w.at+` FROM `+w.source()+` WHERE `+strings.Join(append([]string{"1"}, along...), " AND ")+` ORDER BY `+w.id+` DESC LIMIT 1 OFFSET ?`,
		append(slices.Clone(args), skip)...).Scan(&rest.Before, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return Rest{}, nil
	}
	if err != nil {
		return Rest{}, fmt.Errorf("bounding a list: %w", err)
	}
	rest.At = instant(at)
	w.tests.add(w.id+" >= ?", rest.Before)
	return rest, nil
}

// after is where a list goes on of which a page has n rows: where the search stopped, if it stopped before the page was full.
func (r Rest) after(n, limit int) Rest {
	if n >= limit {
		return Rest{}
	}
	return r
}

// people lists the ids of the patients whose words hold every word of text; false where they are more than a few, or where
// every word is too short for an index.
func (s Snapshot) people(ctx context.Context, text string) (ids []string, ok bool, err error) {
	if match, _ := byWords(text, "words"); match == "" {
		return nil, false, nil // no index finds what is so short
	}
	match, args := wordsMatch("patient_search", text)
	//nolint:sqlclosecheck // collect closes them
	rows, err := s.QueryContext(ctx, `SELECT id FROM patient WHERE no IN (`+match+` LIMIT ?)`, append(args, few+1)...)
	if err != nil {
		return nil, false, fmt.Errorf("looking for patients: %w", err)
	}
	ids, err = collect(rows, func(id *string) error { return rows.Scan(id) })
	return append([]string{}, ids...), len(ids) <= few, err
}

// holdsWords is a condition that the row of a search table with the number no has every word of text.
func holdsWords(table, no, text string) (string, []any) {
	where, args := []string{"w.rowid = " + no}, []any{}
	for _, t := range searchTerms(text) {
		holds, spellings := t.like("w.words")
		where, args = append(where, holds), append(args, spellings...)
	}
	return "EXISTS (SELECT 1 FROM " + table + " w WHERE " + strings.Join(where, " AND ") + ")", args
}

// aboutPatient is a condition that the words of the patient whose id column holds have every word of text.
func aboutPatient(column, text string) (string, []any) {
	holds, args := holdsWords("patient_search", "t.no", text)
	return "EXISTS (SELECT 1 FROM patient t WHERE t.id = " + column + " AND " + holds + ")", args
}
