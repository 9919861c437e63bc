package fhir

import (
	"bytes"
	"errors"
	"mime"
	"strconv"
	"strings"
	"unicode/utf8"
)

// attachment reads an Attachment with its inline data, as far as it may be kept.
func (c *from) attachment(n *node) (Attachment, bool) {
	a := Attachment{
		Title:       c.line(n.get("title")),
		ContentType: c.take(n.get("contentType"), maxID),
		URL:         c.take(n.get("url"), maxURL),
		Created:     c.time(n.get("creation")),
	}
	if size, ok := n.get("size").whole(); ok {
		a.Size = int64(size)
	}
	if data := n.get("data"); data.str() != "" {
		a.Inline = true
		if c.r.split != nil {
			a.Part, a.Size, a.DataCut = c.r.taken(data)
			return a, true
		}
		raw, ok := inline(data)
		if a.DataCut = !ok || data.cut || len(raw) > MaxInline; !a.DataCut {
			a.Data, a.Size = raw, int64(len(raw))
			c.r.spent += len(raw)
		}
	}
	sent := a.Title != "" || a.ContentType != "" || a.URL != "" || a.Inline
	return a, sent
}

// taken finds what a splitter took out.
func (r *reader) taken(data *node) (n int, size int64, cut bool) {
	number, marked := strings.CutPrefix(data.str(), partMark)
	n, err := strconv.Atoi(number)
	if !marked || err != nil || n < 1 || n > len(r.split.parts) || !r.split.parts[n-1].ok {
		return 0, 0, true
	}
	return n, r.split.parts[n-1].size, false
}

// listing reads an Attachment without its inline data.
func (c *from) listing(n *node) (Attachment, bool) {
	a, sent := c.attachment(n)
	c.r.spent -= len(a.Data)
	if a.Part == 0 {
		a.DataCut, a.Data = a.Inline, nil
	}
	return a, sent
}

// attachedText is the text of an inline attachment that is text, HTML or a C-CDA document; "" for any other. cut says
// that there was more.
func (c *from) attachedText(n *node) (text string, cut bool) {
	data := n.get("data")
	if data.str() == "" {
		return "", false
	}
	kind, _, err := mime.ParseMediaType(n.get("contentType").str())
	if err != nil {
		kind, _, _ = strings.Cut(strings.ToLower(n.get("contentType").str()), ";")
	}
	switch kind = strings.TrimSpace(kind); {
	case kind == "", strings.HasPrefix(kind, "text/") && kind != "text/rtf", strings.HasSuffix(kind, "xml"):
	default:
		return "", false
	}
	raw, ok := inline(data)
	if !ok || kind == "" && !plain(raw) {
		return "", false
	}
	text, err = documentText(raw)
	text, clipped := clip(text, maxSection)
	cut = data.cut || clipped || errors.Is(err, ErrCut)
	if cut {
		c.r.cut()
	}
	return c.own(text, maxSection), cut
}

// documentText is what people can read of bytes that are text of some kind.
func documentText(raw []byte) (string, error) {
	head := raw[:min(len(raw), 4<<10)]
	if bytes.Contains(head, []byte("<ClinicalDocument")) {
		doc, err := CDAText(bytes.NewReader(raw))
		if doc.Truncated {
			err = ErrCut
		}
		return doc.text(), err
	}
	text := readText(raw)
	if looksLikeHTML(text) {
		return HTMLText(strings.NewReader(text))
	}
	return text, nil
}

// plain says whether bytes of an unknown type are surely text.
func plain(raw []byte) bool {
	return utf8.Valid(raw) && !bytes.ContainsFunc(raw, func(c rune) bool {
		return c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != '\f'
	})
}

var htmlStarts = []string{
	"!doctype html", "?xml", "html", "head", "body", "div", "p", "table", "h1", "h2", "h3", "ul", "ol", "span", "b",
	"font", "pre", "section", "article", "br", "strong",
}

// looksLikeHTML says whether a text begins with a tag of HTML and has an end tag. Text that merely has a < is none.
func looksLikeHTML(s string) bool {
	s = strings.TrimLeft(s, " \t\r\n\ufeff")
	if !strings.HasPrefix(s, "<") || !strings.Contains(s, "</") {
		return false
	}
	head := strings.ToLower(s[1:min(len(s), 16)])
	for _, start := range htmlStarts {
		if rest, ok := strings.CutPrefix(head, start); ok && (rest == "" || strings.ContainsAny(rest[:1], " >/\t\r\n")) {
			return true
		}
	}
	return false
}
