package web

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carebell/db"
)

// mostZipped is how many files one zip may hold: each leaves a trace of its own.
const mostZipped = 5000

// documentsZip answers with the chosen documents of one bulk download, which are those of one patient, as a zip file.
// It is made while it is read, so it may be of any size.
func (s *Server) documentsZip(c *fiber.Ctx) error {
	id, err := number(c.Params("id"))
	if err != nil {
		return err
	}
	var pull db.Pull
	var list []db.Document
	err = s.db.Read(c.UserContext(), func(v db.Snapshot) (err error) {
		if pull, err = documentPull(c.UserContext(), v, id); err != nil {
			return err
		}
		list, err = v.PullDocuments(c.UserContext(), id, db.DocumentKey{}, mostZipped+1)
		return err
	})
	if err != nil {
		return err
	}
	if posted(c, "what") != "all" {
		if list, err = chosen(c, list); err != nil {
			return err
		}
	}
	if len(list) > mostZipped {
		return fiber.NewError(fiber.StatusUnprocessableEntity, fmt.Sprintf("One zip holds at most %d documents. Select fewer.", mostZipped))
	}
	z := s.newZip(list)
	if len(z.files) == 0 {
		return fiber.NewError(fiber.StatusUnprocessableEntity, "None of these documents is stored, so there is nothing to download.")
	}
	x, _ := who(c)
	err = s.db.Write(c.UserContext(), func(tx *db.Tx) error {
		for _, d := range z.files {
			if err := tx.Audit(c.UserContext(), x.User.ID, db.ActionDownload, pull.PatientID, "file "+strconv.FormatInt(d.ID, 10)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "application/zip")
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="documents-`+strconv.FormatInt(id, 10)+`.zip"`)
	c.Set(fiber.HeaderContentSecurityPolicy, filePolicy)
	c.Context().SetBodyStream(z, -1)
	return nil
}

// chosen are the documents whose files a form names. One that is not of this request is refused, whatever else is named:
// a zip holds the files of one patient alone.
func chosen(c *fiber.Ctx, list []db.Document) ([]db.Document, error) {
	values := c.Context().PostArgs().PeekMulti("file")
	if len(values) == 0 {
		return nil, fiber.NewError(fiber.StatusUnprocessableEntity, "No document is selected. Go back, select at least one, and download again.")
	}
	at := map[int64]int{}
	for i, d := range list {
		for _, id := range append(d.Others, d.File.ID) {
			at[id] = i
		}
	}
	delete(at, 0)
	picked := map[int]bool{}
	var out []db.Document
	for _, value := range values {
		id, err := number(string(value))
		i, ok := at[id]
		if err != nil || !ok {
			return nil, fiber.NewError(fiber.StatusUnprocessableEntity, "One of the files is not among the documents of this request. Nothing was sent. Open the page again and select anew.")
		}
		if !picked[i] {
			picked[i] = true
			out = append(out, list[i])
		}
	}
	return out, nil
}

// newZip makes a zip of documents: those that are stored, and a list of those that are not.
func (s *Server) newZip(list []db.Document) *zipReader {
	z := &zipReader{open: s.archive.Open, failed: func(id int64, err error) {
		s.cfg.Log.Error("a zip was cut off", "download", id, "error", err)
	}}
	names := zipNames{}
	var missing strings.Builder
	for _, d := range list {
		f := d.File
		if f.ID != 0 && f.State == db.FetchStored {
			z.files = append(z.files, f)
			z.entries = append(z.entries, zip.FileHeader{Name: names.free(fileName(f)), Modified: modified(d), Method: packing(f.SniffedType)})
			continue
		}
		state := "listed without a file"
		if f.ID != 0 {
			state = s.fetchState(f)
		}
		fmt.Fprintf(&missing, "%s: %s\r\n", fileName(db.Download{Name: d.Name, Purpose: db.PurposeDocument, ID: f.ID}), state)
	}
	if missing.Len() > 0 {
		z.note = zip.FileHeader{Name: names.free("_not in this zip.txt"), Modified: s.cfg.Now(), Method: zip.Deflate}
		z.noteText = "These documents are not in this zip, because no file of them is stored.\r\n\r\n" + missing.String()
	}
	z.zip = zip.NewWriter(&z.buffer)
	return z
}

func modified(d db.Document) time.Time {
	if !d.Indexed.IsZero() && d.Indexed.Year() >= 1980 { // the first that a zip can say
		return d.Indexed
	}
	return d.File.EndedAt
}

// packing is how a file is put in: what is compressed already is not compressed again.
func packing(mediaType string) uint16 {
	switch mediaType {
	case "application/pdf", "image/png", "image/jpeg", "image/gif", "application/zip", "application/gzip", "application/x-gzip":
		return zip.Store
	default:
		return zip.Deflate
	}
}

// zipChunk is how much of a file is put in at a time.
const zipChunk = 64 << 10

// zipReader is a zip file that is made while it is read: memory holds one chunk of one file. Where a file cannot be read
// whole, reading fails; the end of the zip, without which no program opens it, is then never written.
type zipReader struct {
	open     func(db.Download) (io.ReadCloser, error)
	failed   func(id int64, err error)
	files    []db.Download
	entries  []zip.FileHeader // of each file
	note     zip.FileHeader   // of the list of what is missing; Name "" = nothing is
	noteText string

	buffer  bytes.Buffer
	zip     *zip.Writer
	next    int
	content io.ReadCloser // of the file that is put in now; nil between two
	to      io.Writer
	left    int64
	ended   bool
	err     error
}

// Read implements [io.Reader].
func (z *zipReader) Read(p []byte) (int, error) {
	for z.buffer.Len() == 0 && z.err == nil && !z.ended {
		if err := z.step(); err != nil {
			z.err = errors.Join(io.ErrUnexpectedEOF, err)
			z.failed(z.files[min(z.next, len(z.files)-1)].ID, err)
		}
	}
	switch {
	case z.err != nil:
		return 0, z.err
	case z.buffer.Len() == 0:
		return 0, io.EOF
	}
	return z.buffer.Read(p)
}

// step puts in a chunk, or begins the next file, or ends the zip.
func (z *zipReader) step() (err error) {
	switch {
	case z.content != nil:
		n, err := io.CopyN(z.to, z.content, zipChunk)
		if z.left -= n; !errors.Is(err, io.EOF) {
			return err
		}
		if z.left != 0 {
			return fmt.Errorf("the stored file has %d bytes less than it had", z.left)
		}
		z.next++
		return z.Close()
	case z.next < len(z.files):
		d := z.files[z.next]
		if z.content, err = z.open(d); err != nil {
			return err
		}
		z.left = d.Size
		z.to, err = z.zip.CreateHeader(&z.entries[z.next])
		return err
	}
	if z.note.Name != "" {
		w, err := z.zip.CreateHeader(&z.note)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, z.noteText); err != nil {
			return err
		}
	}
	z.ended = true
	return z.zip.Close()
}

// Close ends the reading of the file that is open. It may be called at any time.
func (z *zipReader) Close() error {
	if z.content == nil {
		return nil
	}
	err := z.content.Close()
	z.content = nil
	return err
}

// zipNames are the names in a zip, in lower case (some systems do not tell cases apart), each with the number that the
// next of the same name gets.
type zipNames map[string]int

// longestZipName is in bytes; file systems take 255.
const longestZipName = 180

// free makes of a name without a path one that is not taken and that every system can write.
func (n zipNames) free(name string) string {
	name = strings.TrimRight(name, ". ")
	end := path.Ext(name)
	if len(end) > 16 || strings.ContainsAny(end, " \t") {
		end = ""
	}
	stem := cut(strings.TrimRight(strings.TrimSuffix(name, end), ". "), longestZipName-len(end))
	if slices.Contains(reserved, strings.ToLower(strings.SplitN(stem, ".", 2)[0])) || stem == "" {
		stem = "_" + stem
	}
	first := strings.ToLower(stem + end)
	for name = stem + end; n[strings.ToLower(name)] > 0; {
		n[first]++
		name = fmt.Sprintf("%s (%d)%s", stem, n[first], end)
	}
	n[strings.ToLower(name)] = 1
	return name
}

// reserved are names that Windows keeps for devices, whatever follows them.
var reserved = []string{
	"con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
	"lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
}

// cut is the longest beginning of text that has at most so many bytes and no half characters.
func cut(text string, bytes int) string {
	if len(text) <= bytes {
		return text
	}
	return strings.ToValidUTF8(text[:bytes], "")
}
