package imports_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"carebell/db"
	"carebell/web/imports"
)

// TestReaderTakesWhatComes: each file gives its rows as "outcome reason|cells", and what is said of it.
func TestReaderTakesWhatComes(t *testing.T) {
	const failed, unknown, succeeded = "failed", "unknown", "succeeded"
	for _, test := range []struct {
		name, file string
		rows       []string
		note       string
	}{
		{"as documented", "firstname,metriportId,status,reason\nA,1,succeeded,\nB,,failed,Missing dob\n", []string{"succeeded |A,1,succeeded,", "failed Missing dob|B,,failed,Missing dob"}, ""},
		{"other order, other case, a byte order mark", "\ufeffREASON,Status, METRIPORT_ID ,x\r\nno, FAILED ,1,y\r\n", []string{"failed no|no, FAILED ,1,y"}, ""},
		{"quotes, commas and lines within cells", "status,reason\nfailed,\"a, \"\"b\"\"\nc\"\n", []string{"failed a, \"b\"\nc|failed,a, \"b\"\nc"}, ""},
		{"stray quotes", "status,reason\nfailed,5\" too long\n", []string{"failed 5\" too long|failed,5\" too long"}, ""},
		{"too few and too many cells", "a,status,reason\nx\ny,failed,z,more,and more\n", []string{"unknown |x", "failed z|y,failed,z,more,and more"}, ""},
		{"another status", "status\nskipped\n\"\"\n", []string{"unknown |skipped", "unknown |"}, ""},
		{"the sender's columns stand behind those sent in", "status,reason,status,reason\nmarried,love,failed,Missing dob\n", []string{"failed Missing dob|married,love,failed,Missing dob"}, ""},
		{"no status", "a,b\n1,2\n", []string{"unknown |1,2"}, "no column “status”"},
		{"no reason", "status\nfailed\n", []string{"failed |failed"}, ""},
		{"empty lines", "status\n\n\nfailed\n\n", []string{"failed |failed"}, ""},
		{"a head alone", "status,reason\n", nil, ""},
		{"no end of line", "status\nfailed", []string{"failed |failed"}, ""},
		{"nothing", "", nil, "empty"},
		{"a byte order mark alone", "\ufeff", nil, "empty"},
		{"control characters and broken text", "status,reason\nfailed,a\x00\x1fb\xff\n", []string{"failed ab\ufffd|failed,ab\ufffd"}, ""},
		{"a long cell", "status,reason\nfailed," + strings.Repeat("é", 5000) + "\n", []string{"failed " + strings.Repeat("é", 1000) + "…|failed," + strings.Repeat("é", 1000) + "…"}, "cut"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := imports.NewReader(strings.NewReader(test.file))
			if err != nil {
				t.Fatal(err)
			}
			words := map[db.Outcome]string{db.RowFailed: failed, db.RowUnknown: unknown, db.RowSucceeded: succeeded}
			var rows []string
			for {
				row, err := r.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if row.No != len(rows)+1 {
					t.Errorf("row %d has the number %d", len(rows)+1, row.No)
				}
				rows = append(rows, words[row.Outcome]+" "+row.Sample+"|"+strings.Join(row.Cells, ","))
			}
			if got, want := fmt.Sprintf("%q", rows), fmt.Sprintf("%q", test.rows); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if note := strings.Join(r.Notes(), " "); !strings.Contains(note, test.note) || test.note == "" && note != "" {
				t.Errorf("the note is %q, want %q", note, test.note)
			}
		})
	}
}

// TestReasonsThatDifferInNumbersAreOne, and no others.
func TestReasonsThatDifferInNumbersAreOne(t *testing.T) {
	for reason, want := range map[string]string{
		"Invalid zip: 9591": "Invalid zip: …", "Invalid zip: 12": "Invalid zip: …", "born 2999-01-01": "born …", "Missing dob": "Missing dob", "": "", " 7 ": "…",
		`Invalid phone, "555" has 3 digits`: `Invalid phone, "…" has … digits`,
	} {
		r, err := imports.NewReader(strings.NewReader("reason\n\"" + strings.ReplaceAll(reason, `"`, `""`) + "\"\n"))
		if err != nil {
			t.Fatal(err)
		}
		if row, err := r.Next(); err != nil || row.Words != want {
			t.Errorf("%q counts as %q (%v), want %q", reason, row.Words, err, want)
		}
	}
}

// endless is a quote that is never closed.
type endless struct{ sent int64 }

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, strings.Repeat("text,\n", len(p)/6+1))
	if e.sent == 0 {
		n = copy(p, "status,reason\nfailed,no\nfailed,\"")
	}
	e.sent += int64(n)
	return n, nil
}

// TestRowWithoutAnEndStopsTheReader before it has read much, and what came before it counts.
func TestRowWithoutAnEndStopsTheReader(t *testing.T) {
	source := &endless{}
	r, err := imports.NewReader(source)
	if err != nil {
		t.Fatal(err)
	}
	if row, err := r.Next(); err != nil || row.Outcome != db.RowFailed {
		t.Fatalf("the first row is %v, %v", row, err)
	}
	var long imports.TooLongError
	if _, err := r.Next(); !errors.As(err, &long) || long.Row != 2 {
		t.Errorf("the endless row gives %v", err)
	}
	if source.sent > 2<<20 {
		t.Errorf("%d bytes were read of an endless row", source.sent)
	}
}
