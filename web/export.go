package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"carebell/db"
)

// exportPage is how many rows of an export are read at a time.
const exportPage = 500

// wantsCSV says whether a list is asked for as a file: its own address with format=csv, with the filter as it is.
func wantsCSV(c *fiber.Ctx) bool { return c.Query("format") == "csv" }

// exportReach is how many rows one query of an export looks at.
const exportReach = 50_000

// errFurther is returned by what reads the rows of an export where none of those it looked at fits, and there are more.
var errFurther = errors.New("none of these fits")

// export answers with a list as a CSV file. next reads the rows that follow those it returned before, about exportPage
// of them, and returns none at the end, or [errFurther]. They are read while they are sent, so an export has no limit; an
// error cuts the connection, so that half a file does not look whole.
func (s *Server) export(c *fiber.Ctx, name string, head []string, next func(ctx context.Context, v db.Snapshot) ([][]string, error)) error {
	if err := s.audit(c, db.ActionExport, "", name); err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "text/csv; charset=utf-8")
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+name+`.csv"`)
	if c.Method() == fiber.MethodHead {
		return nil
	}
	read := func() (rows [][]string, err error) {
		ctx, cancel := context.WithTimeout(context.Background(), handlerTimeout) // the request's own is over by now
		defer cancel()
		err = s.db.Read(ctx, func(v db.Snapshot) error {
			rows, err = next(ctx, v)
			return err
		})
		return rows, err
	}
	r := &exportReader{rows: func() (rows [][]string, err error) {
		for err = errFurther; errors.Is(err, errFurther); {
			rows, err = read()
		}
		if err != nil {
			s.cfg.Log.Error("an export was cut off", "name", name, "error", err)
		}
		return rows, err
	}}
	r.buffer.WriteString(byteOrderMark)
	r.write([][]string{head})
	c.Context().SetBodyStream(r, -1)
	return nil
}

// goOn moves before to where an export goes on of which a query found n rows.
func goOn(before *int64, n int, rest db.Rest) error {
	if n > 0 || rest.Before == 0 {
		return nil
	}
	*before = rest.Before
	return errFurther
}

// exportReader is a CSV file that is made while it is read.
type exportReader struct {
	rows   func() ([][]string, error) // the next ones; none at the end
	close  func() error               // nil where nothing is to be closed
	buffer bytes.Buffer
	ended  bool
}

// write quotes every cell: some spreadsheets part a line at semicolons or tabs, too, and take what follows for a cell.
func (r *exportReader) write(rows [][]string) {
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				r.buffer.WriteByte(',')
			}
			r.buffer.WriteString(`"` + strings.ReplaceAll(harmlessCell(cell), `"`, `""`) + `"`)
		}
		r.buffer.WriteString("\r\n")
	}
}

func (r *exportReader) Read(p []byte) (int, error) {
	for r.buffer.Len() == 0 {
		if r.ended {
			return 0, io.EOF
		}
		rows, err := r.rows()
		if err != nil {
			return 0, errors.Join(io.ErrUnexpectedEOF, err)
		}
		r.ended = len(rows) == 0
		r.write(rows)
	}
	return r.buffer.Read(p)
}

// Close implements [io.Closer].
func (r *exportReader) Close() error {
	if r.close == nil {
		return nil
	}
	return r.close()
}

// harmlessCell is a cell that no spreadsheet takes for a formula (OWASP, CSV injection). Spaces before a sign do not
// hide it, and its wide form is taken for the narrow one.
func harmlessCell(cell string) string {
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(cell, " \u00a0\u3000\ufeff"))
	if strings.ContainsRune("=+-@\t\r\n＝＋－＠", first) {
		return "'" + cell
	}
	return cell
}
