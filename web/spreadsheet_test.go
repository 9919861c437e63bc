package web_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"carebell/db"
)

// TestATableForASpreadsheetHasNoFormula: each cell that one would run begins with an apostrophe, every other is as it
// came, and so is the file itself at its own address.
func TestATableForASpreadsheetHasNoFormula(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "viewer@clinic.example", db.Viewer)
	cells := map[string]string{ // as it came, as it is given out
		"name": "name", "ordinary words": "ordinary words", "Łucja, née Größe": "Łucja, née Größe", "she said \"hi\"": "she said \"hi\"",
		"two\nlines": "two\nlines", "": "", "5551234": "5551234", "'quoted'": "'quoted'", "a=b": "a=b", "semi;=1+1": "semi;=1+1", "tab\t=1+1": "tab\t=1+1",
		"=1+1": "'=1+1", "+1+1": "'+1+1", "-2+3": "'-2+3", "@SUM(1)": "'@SUM(1)", "\t=1+1": "'\t=1+1", "\r=1+1": "'\r=1+1", "\n=1": "'\n=1",
		" =1+1": "' =1+1", "\u00a0=1": "'\u00a0=1", "＝1+1": "'＝1+1", "＠SUM(1)": "'＠SUM(1)", "=HYPERLINK(\"http://x\")": "'=HYPERLINK(\"http://x\")",
	}
	var came strings.Builder
	came.WriteString("\ufeff=first,header\r\n") // a mark that spreadsheets take away
	in := csv.NewWriter(&came)
	var want [][]string
	for cell, out := range cells {
		_ = in.Write([]string{cell, "x", cell}) // a builder takes everything
		want = append(want, []string{out, "x", out})
	}
	in.Flush()
	_, path := storedFile(t, o, "result of June.csv", "text/csv", came.String())
	if _, original := b.Get(t, path); original != came.String() {
		t.Error("the file itself is not served as it came")
	}
	resp, given := b.Get(t, path+"/spreadsheet")
	for header, value := range map[string]string{
		"Content-Disposition": `attachment; filename="result of June-for-spreadsheets.csv"`, "Content-Type": "text/csv; charset=utf-8",
		"Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
	} {
		if got := resp.Header.Get(header); resp.StatusCode != http.StatusOK || got != value {
			t.Errorf("%d, %s is %q, want %q", resp.StatusCode, header, got, value)
		}
	}
	rest, marked := strings.CutPrefix(given, "\ufeff")
	out := csv.NewReader(strings.NewReader(rest))
	out.FieldsPerRecord = -1
	rows, err := out.ReadAll()
	if err != nil || !marked || len(rows) != len(want)+1 {
		t.Fatalf("%d rows, want %d and an encoding: %v\n%s", len(rows), len(want)+1, err, given)
	}
	if rows[0][0] != "'=first" {
		t.Errorf("the first cell is %q", rows[0][0])
	}
	for i, row := range want {
		// Readers of CSV take a carriage return before a line break for one line break.
		if !slices.Equal(rows[i+1], row) {
			t.Errorf("a row is %q, want %q", rows[i+1], row)
		}
	}
	for _, line := range strings.Split(strings.TrimRight(rest, "\r\n"), "\r\n") {
		if !strings.HasPrefix(line, `"`) || !strings.HasSuffix(line, `"`) {
			t.Errorf("cells are not quoted: %s", line)
		}
	}

	id, path := storedFile(t, o, "note.txt", "text/plain", "=1+1")
	if resp, page := b.Get(t, path+"/spreadsheet"); resp.StatusCode != http.StatusNotFound || strings.Contains(page, "1+1") {
		t.Errorf("what is no table is answered %d", resp.StatusCode)
	}
	if n := o.numbers(t, `SELECT count(*) FROM audit WHERE action = 'download' AND object LIKE '%for a spreadsheet'`)[0]; n != 1 {
		t.Errorf("one table was taken, and %d traces say so", n)
	}
	if n := o.numbers(t, `SELECT count(*) FROM audit WHERE object LIKE ?`, fmt.Sprintf("file %d %%", id))[0]; n != 0 {
		t.Errorf("what was not given out left %d traces", n)
	}
	if page := o.shows(t, b, strings.Replace(path, fmt.Sprint("/", id), fmt.Sprint("/", id-1), 1)+"/preview", "For a spreadsheet"); !strings.Contains(page, "semi;=1+1") {
		t.Error("the preview does not show the cells as they came")
	}
}
