package imports_test

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"carebell/web/imports"
)

// wide are bounds that nothing of a small table reaches.
var wide = imports.Bounds{Columns: 1000, Cell: 1000, Row: 10_000}

func tableRows(t *testing.T, file string, b imports.Bounds) (rows [][]string) {
	t.Helper()
	for table := imports.NewTable(strings.NewReader(file), b); ; {
		row, err := table.Next()
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			t.Fatalf("%q: %v", file, err)
		}
		rows = append(rows, row.Cells)
	}
}

// TestTablesAreReadAsTheStandardLibraryReadsThem: quotes, line breaks and what is broken alike.
func TestTablesAreReadAsTheStandardLibraryReadsThem(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const letters = "ab,,\"\"\n\r\r\né"
	for range 30_000 {
		var b strings.Builder
		for range random.IntN(14) {
			b.WriteByte(letters[random.IntN(len(letters))])
		}
		file := b.String()
		std := csv.NewReader(strings.NewReader(file))
		std.FieldsPerRecord, std.LazyQuotes = -1, true
		want, err := std.ReadAll()
		if err != nil {
			t.Fatalf("%q: %v", file, err)
		}
		if got := tableRows(t, file, wide); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Fatalf("%q is read as %q, want %q", file, got, want)
		}
	}
}

// TestTablesHoldNoMoreThanTheirBounds, say what they left out, and read on behind it.
func TestTablesHoldNoMoreThanTheirBounds(t *testing.T) {
	b := imports.Bounds{Columns: 3, Cell: 4, Row: 10}
	for file, want := range map[string]string{
		"a,b\n":                   `[a b] [false false] 2`,
		"abcdefgh,é\n":            `[abcd é] [true false] 2`,
		"abcé,\"1\"\"345\"\n":     `[abc 1"34] [true true] 2`,
		"1,2,3,4,5,6\n":           `[1 2 3] [false false false] 6`,
		"\"1,2\n3,4,5\",x\n":      "[1,2\n x] [true false] 2",
		"1234,5678,90ab\n":        `[1234 5678 90] [false false true] 3`,
		",,,,,,,,,\n":             `[  ] [false false false] 10`,
		"1,2,3,\"un\nclosed\"\n":  `[1 2 3] [false false false] 4`,
		"\"ends nowhere, \n\n1,2": `[ends] [true] 1`,
	} {
		table := imports.NewTable(strings.NewReader(file+"next\n"), b)
		row, err := table.Next()
		if got := fmt.Sprint(row.Cells, row.Cut, row.Columns); err != nil || got != want {
			t.Errorf("%q gives %s, %v, want %s", file, got, err, want)
		}
		if row, err := table.Next(); !strings.Contains(file, "nowhere") && (err != nil || !slices.Equal(row.Cells, []string{"next"})) {
			t.Errorf("behind %q stands %q, %v", file, row.Cells, err)
		}
	}
}
