package web

import (
	"bufio"
	"encoding/csv"
	"errors"
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
	in := csvReader(content)
	r := &exportReader{close: content.Close, rows: func() ([][]string, error) {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return [][]string{row}, err
	}}
	r.buffer.WriteString(byteOrderMark)
	c.Context().SetBodyStream(r, -1)
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

// byteOrderMark begins a CSV file, or spreadsheets misread names.
const byteOrderMark = "\ufeff"
