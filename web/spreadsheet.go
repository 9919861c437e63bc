package web

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"mime"
	"path"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carebell/db"
)

// spreadsheet gives a stored CSV file out so that it can be opened in a spreadsheet. The file as it came, formulas and
// all, is at its own address.
func (s *Server) spreadsheet(c *fiber.Ctx) error {
	d, err := s.storedDownload(c)
	if err != nil {
		return err
	}
	if !isTable(d) {
		return fiber.NewError(fiber.StatusNotFound, "This file is no table. Download it as it came instead.")
	}
	if err := s.audit(c, db.ActionDownload, d.PatientID, "file "+strconv.FormatInt(d.ID, 10)+" for a spreadsheet"); err != nil {
		return err
	}
	content, err := s.archive.Open(d)
	if err != nil {
		return fmt.Errorf("opening download %d: %w", d.ID, err)
	}
	name := fileName(d)
	name = strings.TrimSuffix(name, path.Ext(name)) + "-for-spreadsheets.csv"
	c.Set(fiber.HeaderContentSecurityPolicy, filePolicy)
	c.Set(fiber.HeaderContentDisposition, mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	c.Set(fiber.HeaderContentType, "text/csv; charset=utf-8")
	c.Context().SetBodyStream(newHarmlessTable(content), -1)
	return nil
}

// isTable says whether a stored file is a CSV table.
func isTable(d db.Download) bool {
	return d.SniffedType == "text/csv" || d.SniffedType == "text/plain" &&
		(d.Purpose == db.PurposeImport || d.ClaimedType == "text/csv" || strings.HasPrefix(d.ClaimedType, "text/csv;") || strings.HasSuffix(strings.ToLower(d.Name), ".csv"))
}

// csvReader reads CSV tolerantly: rows of different lengths and stray quotes are taken as they are.
func csvReader(content io.Reader) *csv.Reader {
	in := bufio.NewReader(content)
	if start, err := in.Peek(len(byteOrderMark)); err == nil && string(start) == byteOrderMark {
		_, _ = in.Discard(len(byteOrderMark)) // it is buffered already
	}
	r := csv.NewReader(in)
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	return r
}

const byteOrderMark = "\ufeff"

// harmlessTable is a CSV file as it is read, made again so that no cell of it is a formula.
type harmlessTable struct {
	rows   *csv.Reader
	out    bytes.Buffer
	source io.Closer
}

func newHarmlessTable(content io.ReadCloser) *harmlessTable {
	t := &harmlessTable{rows: csvReader(content), source: content}
	t.out.WriteString(byteOrderMark) // spreadsheets take it for another encoding otherwise
	return t
}

func (t *harmlessTable) Read(p []byte) (int, error) {
	for t.out.Len() == 0 {
		row, err := t.rows.Read()
		if err != nil {
			return 0, err
		}
		for i, cell := range row {
			if i > 0 {
				t.out.WriteByte(',')
			}
			// Every cell is quoted: some spreadsheets part a line at semicolons or tabs, too.
			t.out.WriteString(`"` + strings.ReplaceAll(harmlessCell(cell), `"`, `""`) + `"`)
		}
		t.out.WriteString("\r\n")
	}
	return t.out.Read(p)
}

func (t *harmlessTable) Close() error { return t.source.Close() }

// harmlessCell puts an apostrophe before what a spreadsheet would run, as OWASP's "CSV injection" advises; the wide
// forms count too, as spreadsheets take them for the narrow ones.
func harmlessCell(cell string) string {
	first := strings.TrimLeft(cell, " \u00a0\u3000\ufeff")
	if first != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(first)[0]) {
		return "'" + cell
	}
	return cell
}
