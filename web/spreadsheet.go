package web

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"path"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/views"
	"carebell/web/imports"
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
	in := imports.NewTable(content, spreadsheetBounds)
	r := &exportReader{close: content.Close, rows: func() (rows [][]string, err error) {
		for size := 0; len(rows) < exportPage && size < 64<<10; {
			row, err := in.Next()
			if errors.Is(err, io.EOF) {
				return rows, nil
			}
			if err != nil {
				return nil, err
			}
			for _, cell := range row.Cells {
				size += len(cell)
			}
			rows = append(rows, spreadsheetRow(row))
		}
		return rows, nil
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

// spreadsheetBounds are those of spreadsheets themselves, and one for all cells of a row together.
var spreadsheetBounds = imports.Bounds{Columns: 16_384, Cell: 32_000, Row: 2 << 20}

// spreadsheetRow is a row as a spreadsheet gets it. What no spreadsheet takes is left out, and the row says so.
func spreadsheetRow(r imports.Row) []string {
	for i, cut := range r.Cut {
		if cut {
			r.Cells[i] += "… (the rest is in the file as it came)"
		}
	}
	if more := r.Columns - len(r.Cells); more > 0 {
		r.Cells[len(r.Cells)-1] += fmt.Sprintf(" (%s more columns are in the file as it came)", views.Count(more))
	}
	return r.Cells
}

// byteOrderMark begins a CSV file, or spreadsheets misread names.
const byteOrderMark = "\ufeff"
