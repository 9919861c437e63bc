package web

import (
	"bytes"
	"context"
	"fmt"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"carebell/db"
	"carebell/static"
	"carebell/views"
)

// render answers with a page. Fiber buffers the answer, so a page that fails half-way is replaced by the error page.
func render(c *fiber.Ctx, page templ.Component) error {
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	if err := page.Render(context.Background(), c.Response().BodyWriter()); err != nil {
		c.Response().ResetBody()
		return fmt.Errorf("rendering: %w", err)
	}
	if body := c.Response().Body(); len(body) >= worthShrinking && takesGzip(c) {
		c.Set(fiber.HeaderContentEncoding, "gzip")
		c.Response().SetBodyRaw(fasthttp.AppendGzipBytesLevel(nil, body, fasthttp.CompressBestSpeed))
	}
	return nil
}

// worthShrinking is the size in bytes from which on an answer is compressed: what fits one packet is not.
const worthShrinking = 1400

// takesGzip says whether the browser takes an answer compressed, and that the answer depends on that.
func takesGzip(c *fiber.Ctx) bool {
	c.Vary(fiber.HeaderAcceptEncoding)
	return c.AcceptsEncodings("gzip", "identity") == "gzip"
}

// markup renders what is pushed. It must not use a request's context, which may be over.
func markup(part templ.Component) ([]byte, error) {
	var b bytes.Buffer
	if err := part.Render(context.Background(), &b); err != nil {
		return nil, fmt.Errorf("rendering: %w", err)
	}
	return b.Bytes(), nil
}

// clock is the practice's time as of now.
func (s *Server) clock() views.Clock { return views.Clock{Now: s.cfg.Now(), Zone: s.cfg.Zone} }

// status reads what every page shows around its content, in the same view of the database as the content.
func (s *Server) status(ctx context.Context, v db.Snapshot) (views.Live, error) {
	sum, err := v.Summary(ctx, views.MostNew)
	return views.Live{Seq: sum.Head, New: sum.New, Unread: sum.Unread, LastEvent: s.clock().At(sum.LastReceived), Alerts: s.alerts(sum)}, err
}

// mostBehind is how many messages the chart may be behind before everybody is told. It is usually none.
const mostBehind = 500

// alerts are what everybody must know now. They name no patient.
func (s *Server) alerts(sum db.Summary) []string {
	var out []string
	switch {
	case s.db.Full():
		out = append(out, fullAlert)
	case s.noFiles.Load():
		out = append(out, filesAlert)
	case s.archive.DiskFull():
		out = append(out, "The disk is nearly full: webhooks still come in and are kept, but files are not fetched. Tell whoever looks after this computer to make room.")
	}
	if sum.Behind >= mostBehind {
		out = append(out, "The chart is "+views.Counted(int(sum.Behind), "message")+" behind what came in: they are safe, and appear here within the next minutes by themselves.")
	}
	if dying := s.dying(); dying != "" {
		out = append(out, dying)
	}
	if s.checker == nil {
		return out // what was found with a key that is no longer set is not known to be so
	}
	if sum.Missing > 0 {
		out = append(out, views.Missing(sum.Missing)+" that Metriport sent never came here: what you see may be incomplete. An admin can have them sent again under System.")
	}
	if sum.Failing != "" {
		out = append(out, "Metriport says that its webhook to this server is failing (“"+sum.Failing+"”): new events may not arrive. An admin can look into it under System.")
	}
	return out
}

// static serves the embedded files. Their addresses change with their content, so browsers may keep them.
func (s *Server) static(c *fiber.Ctx) error {
	f, ok := static.At(c.Path())
	if !ok {
		return fiber.ErrNotFound
	}
	c.Set(fiber.HeaderContentType, f.Type)
	c.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
	if takesGzip(c) {
		c.Set(fiber.HeaderContentEncoding, "gzip")
		return c.Send(f.Gzip())
	}
	return c.Send(f.Body)
}
