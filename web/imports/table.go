package imports

import (
	"bufio"
	"errors"
	"io"
	"unicode/utf8"
)

// Bounds say how much of a table is held at a time. What is beyond them is read and left out.
type Bounds struct {
	Columns int // of a row
	Cell    int // bytes of a cell
	Row     int // bytes of all cells of a row
	Record  int // bytes of a row in the file, beyond which reading ends with [ErrLongRow]; 0 = any
}

// ErrLongRow says that a row is longer than what is read at a time.
var ErrLongRow = errors.New("a row of the table is too long")

// Row is one row of a table, with what was left out of it.
type Row struct {
	Cells   []string
	Cut     []bool // by cell: there was more of it
	Columns int    // how many there were
}

// Table reads CSV (RFC 4180) row by row and holds no more than its bounds, whatever the file: encoding/csv holds a whole
// row, however long. Rows of different lengths and stray quotes are taken as encoding/csv takes them with LazyQuotes, and
// empty lines are skipped. A byte order mark at the beginning is no part of the first cell.
type Table struct {
	in     *bufio.Reader
	bounds Bounds
	read   int64 // bytes

	buffer []byte // of the cells of the row at hand
	ends   []int  // of the cells in buffer
	cut    []bool
	record int64 // where the row began
}

// NewTable reads content.
func NewTable(content io.Reader, bounds Bounds) *Table {
	t := &Table{in: bufio.NewReaderSize(content, 64<<10), bounds: bounds}
	const mark = "\ufeff"
	if start, err := t.in.Peek(len(mark)); err == nil && string(start) == mark {
		_, _ = t.in.Discard(len(mark)) // it is buffered already
		t.read = int64(len(mark))
	}
	return t
}

// Bytes is how much of the file has been read.
func (t *Table) Bytes() int64 { return t.read }

// Next returns the next row, or io.EOF after the last one.
func (t *Table) Next() (Row, error) {
	c, err := t.next()
	for err == nil && c == '\n' {
		c, err = t.next()
	}
	if err != nil {
		return Row{}, err
	}
	t.buffer, t.ends, t.cut, t.record = t.buffer[:0], t.ends[:0], t.cut[:0], t.read-1
	for columns := 1; ; columns++ {
		last, err := t.cell(c, columns <= t.bounds.Columns)
		if err != nil && !errors.Is(err, io.EOF) {
			return Row{}, err
		}
		if last {
			return t.row(columns), nil
		}
		if c, err = t.next(); errors.Is(err, io.EOF) {
			c = '\n' // an empty cell at the end
		} else if err != nil {
			return Row{}, err
		}
	}
}

func (t *Table) row(columns int) Row {
	r := Row{Columns: columns, Cells: make([]string, len(t.ends)), Cut: append([]bool(nil), t.cut...)}
	all, from := string(t.buffer), 0
	for i, end := range t.ends {
		r.Cells[i], from = all[from:end], end
	}
	return r
}

// cell reads a cell whose first byte is c. last says that the row ends with it.
func (t *Table) cell(c byte, keep bool) (last bool, err error) {
	k := keeping{t: t, on: keep, from: len(t.buffer)}
	defer k.end()
	if c != '"' {
		for ; err == nil; c, err = t.next() {
			switch c {
			case ',', '\n':
				return c == '\n', nil
			}
			k.add(c)
		}
		return true, err
	}
	for {
		if c, err = t.next(); err != nil {
			return true, err
		}
		if c != '"' {
			k.add(c)
			continue
		}
		switch after, err := t.peek(); {
		case err != nil:
			return true, err
		case after == ',', after == '\n':
			_, _ = t.next() // it was peeked
			return after == '\n', nil
		case after == '"':
			_, _ = t.next() // it was peeked
		}
		k.add('"')
	}
}

// keeping is a cell while it is read.
type keeping struct {
	t    *Table
	on   bool // it has a column that is kept
	from int  // where it begins in the buffer
	cut  bool
}

func (k *keeping) add(c byte) {
	b := k.t.bounds
	if !k.on || k.cut {
		return
	}
	if k.cut = len(k.t.buffer)-k.from >= b.Cell || len(k.t.buffer) >= b.Row; !k.cut {
		k.t.buffer = append(k.t.buffer, c)
	}
}

func (k *keeping) end() {
	if !k.on {
		return
	}
	t := k.t
	if k.cut { // not within a character
		for i := len(t.buffer) - 1; i >= max(k.from, len(t.buffer)-utf8.UTFMax); i-- {
			if utf8.RuneStart(t.buffer[i]) {
				if !utf8.FullRune(t.buffer[i:]) {
					t.buffer = t.buffer[:i]
				}
				break
			}
		}
	}
	t.ends, t.cut = append(t.ends, len(t.buffer)), append(t.cut, k.cut)
}

// next is the next byte; a line break of two bytes is one, and a carriage return at the very end is none.
func (t *Table) next() (byte, error) {
	c, err := t.in.ReadByte()
	if err != nil {
		return 0, err
	}
	t.read++
	if c == '\r' {
		switch after, err := t.in.Peek(1); {
		case len(after) == 1 && after[0] == '\n':
			_, _ = t.in.Discard(1) // it was peeked
			t.read++
			c = '\n'
		case len(after) == 0:
			return 0, err
		}
	}
	if b := t.bounds.Record; b > 0 && t.read-t.record > int64(b) && c != '\n' {
		return 0, ErrLongRow
	}
	return c, nil
}

// peek is what next will return.
func (t *Table) peek() (byte, error) {
	two, err := t.in.Peek(2)
	switch {
	case len(two) == 0:
		return 0, err
	case two[0] != '\r':
		return two[0], nil
	case len(two) == 1:
		return 0, err
	case two[1] == '\n':
		return '\n', nil
	}
	return two[0], nil
}
