package web

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"path"
	"strconv"
	"strings"
	"unicode"

	"github.com/gofiber/fiber/v2"

	"carebell/db"
)

// filePolicy is for content from outside: nothing in it may run, load or be framed.
const filePolicy = "sandbox; default-src 'none'; frame-ancestors 'none'"

// file serves a stored download, by its number and never by a path. What is served was authenticated chunk by chunk;
// a damaged file ends the answer early instead of giving out wrong bytes.
func (s *Server) file(c *fiber.Ctx) error {
	d, err := s.storedDownload(c)
	if err != nil {
		return err
	}
	if err := s.audit(c, db.ActionDownload, d.PatientID, "file "+strconv.FormatInt(d.ID, 10)); err != nil {
		return err
	}
	content, err := s.archive.Open(d)
	if err != nil {
		return fmt.Errorf("opening download %d: %w", d.ID, err)
	}
	first, last, partial := int64(0), d.Size-1, false
	if c.Method() == fiber.MethodGet { // RFC 9110, 14.2: ranges are for GET alone
		first, last, partial = byteRange(c.Get(fiber.HeaderRange), d.Size)
	}
	switch {
	case partial && first > last:
		c.Set(fiber.HeaderContentRange, fmt.Sprintf("bytes */%d", d.Size))
		return errors.Join(fiber.ErrRequestedRangeNotSatisfiable, content.Close())
	case partial:
		c.Status(fiber.StatusPartialContent)
		c.Set(fiber.HeaderContentRange, fmt.Sprintf("bytes %d-%d/%d", first, last, d.Size))
	}
	c.Set(fiber.HeaderContentSecurityPolicy, filePolicy)
	c.Set(fiber.HeaderContentDisposition, mime.FormatMediaType("attachment", map[string]string{"filename": fileName(d)}))
	c.Set(fiber.HeaderContentType, harmless(d.SniffedType))
	c.Set(fiber.HeaderAcceptRanges, "bytes")
	length := last - first + 1
	if c.Method() == fiber.MethodHead {
		c.Response().Header.SetContentLength(int(length))
		c.Response().SkipBody = true
		return content.Close()
	}
	c.Context().SetBodyStream(&section{content: content, skip: first, left: length}, int(length))
	return nil
}

// storedDownload finds the download a URL names. One that is not stored says how it stands.
func (s *Server) storedDownload(c *fiber.Ctx) (d db.Download, err error) {
	id, err := number(c.Params("id"))
	if err != nil {
		return d, err
	}
	err = s.db.Read(c.UserContext(), func(v db.Snapshot) (err error) {
		d, err = v.Download(c.UserContext(), id)
		if err == nil && d.PatientID == "" { // a person may have matched the message that it came with
			d.PatientID, err = v.MailPatient(c.UserContext(), d.InboxSeq)
		}
		return err
	})
	if err == nil && d.State != db.FetchStored {
		return d, fiber.NewError(fiber.StatusNotFound, "This file is not stored: "+s.fetchState(d)+".")
	}
	return d, err
}

// audit notes what the person who asks does.
func (s *Server) audit(c *fiber.Ctx, action db.Action, patientID, object string) error {
	x, _ := who(c)
	return s.db.Write(c.UserContext(), func(tx *db.Tx) error {
		return tx.Audit(c.UserContext(), x.User.ID, action, patientID, object)
	})
}

// section is a part of a stream: what comes before is read and thrown away.
type section struct {
	content io.ReadCloser
	skip    int64
	left    int64
}

func (r *section) Read(p []byte) (int, error) {
	if r.skip > 0 {
		if _, err := io.CopyN(io.Discard, r.content, r.skip); err != nil {
			return 0, err
		}
		r.skip = 0
	}
	if r.left <= 0 {
		return 0, io.EOF
	}
	n, err := r.content.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	if errors.Is(err, io.EOF) && r.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (r *section) Close() error { return r.content.Close() }

// byteRange reads a Range header for one range (RFC 9110, 14.2). Several ranges, and what cannot be read, get the whole.
// first > last means that the range lies outside.
func byteRange(header string, size int64) (first, last int64, partial bool) {
	spec, ok := strings.CutPrefix(header, "bytes=")
	from, to, dash := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok || !dash || strings.Contains(spec, ",") {
		return 0, size - 1, false
	}
	if from == "" {
		n, err := strconv.ParseInt(to, 10, 64)
		if err != nil || n < 0 {
			return 0, size - 1, false
		}
		return max(size-n, 0), size - 1, true
	}
	first, err := strconv.ParseInt(from, 10, 64)
	if err != nil || first < 0 {
		return 0, size - 1, false
	}
	last = size - 1
	if to != "" {
		n, err := strconv.ParseInt(to, 10, 64)
		if err != nil || n < first {
			return 0, size - 1, false
		}
		last = min(n, last)
	}
	return first, last, true
}

// harmless is the media type a file is served as: its own where no browser runs anything in it, else plain bytes.
func harmless(mediaType string) string {
	switch mediaType {
	case "application/pdf", "application/json", "image/png", "image/jpeg", "image/gif", "image/tiff", "text/plain", "text/csv":
		return mediaType
	default:
		return fiber.MIMEOctetStream
	}
}

// fileName is the name a file is saved under: as it was sent, without path or control characters, with an ending.
func fileName(d db.Download) string {
	name := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || strings.ContainsRune(`/\:*?"<>|`, r) || unicode.Is(unicode.Bidi_Control, r) {
			return '_'
		}
		return r
	}, strings.TrimSpace(path.Base(strings.ReplaceAll(d.Name, `\`, "/"))))
	name = strings.TrimLeft(name, ".")
	if r := []rune(name); len(r) > 120 {
		name = string(r[:60]) + "…" + string(r[len(r)-59:])
	}
	if name == "" || name == "_" {
		name = string(d.Purpose) + "-" + strconv.FormatInt(d.ID, 10)
	}
	if path.Ext(name) == "" {
		if ends, err := mime.ExtensionsByType(d.SniffedType); err == nil && len(ends) > 0 {
			name += ends[0]
		}
	}
	return name
}

// fetchState says how a download stands, in words.
func (s *Server) fetchState(d db.Download) string {
	switch d.State {
	case db.FetchStored:
		if d.Again {
			return "fetched again on " + s.clock().At(d.EndedAt).DayMonth()
		}
		return "stored"
	case db.FetchQueued:
		if d.Reason != "" {
			return "waiting to try again: " + d.Reason
		}
		if d.Again {
			return "sent again, waiting to be fetched"
		}
		if s.archive.HostDown(d.Host) {
			return "waiting until its origin answers"
		}
		return "waiting to be fetched"
	case db.FetchFetching:
		if p, ok := s.archive.Progress(d.ID); ok && p.Total > 0 {
			return fmt.Sprintf("fetching %d %%", min(100*p.Done/p.Total, 100))
		}
		return "fetching"
	case db.FetchExpired:
		return "expired before we could fetch it: ask Metriport to send it again"
	case db.FetchRefused:
		return "refused: " + d.Reason
	case db.FetchRemoved:
		return "removed after the time it had to be kept"
	case db.FetchFailed:
		return "failed: " + d.Reason
	}
	return string(d.State)
}
