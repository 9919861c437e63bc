package fhir

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Limits of a document that is reduced to text.
const (
	maxDocument     = 64 << 20 // bytes read
	maxDocumentText = 1 << 20  // bytes of text kept
	maxToken        = 4 << 20  // bytes of one tag; beyond maxTag only its quotes are left
)

// HTMLText is the text of an HTML or XHTML document or fragment: blocks become lines, cells are parted by tabs, entities
// are decoded, scripts and styles dropped. The result is plain text in UTF-8, to be escaped like any other.
//
// It returns [ErrCut] with the text so far where the document is too long.
func HTMLText(r io.Reader) (string, error) {
	input := &io.LimitedReader{R: r, N: maxDocument}
	source := newTags(newDecoder(input))
	z := html.NewTokenizer(source)
	z.SetMaxBuf(maxToken)
	var w paragraphs
	dropping := false // the text of a script or style comes next
	for !w.full {
		switch z.Next() {
		case html.ErrorToken:
			err := z.Err()
			switch {
			case errors.Is(err, html.ErrBufferExceeded), errors.Is(err, io.EOF) && (input.N <= 0 || source.cut):
				return w.text(), ErrCut
			case errors.Is(err, io.EOF):
				return w.text(), nil
			default:
				return w.text(), fmt.Errorf("read HTML: %w", err)
			}
		case html.TextToken:
			if !dropping {
				w.write(string(z.Text()))
			}
			dropping = false
		case html.StartTagToken:
			tag := tagOf(z)
			w.tag(tag, true)
			dropping = unread[tag]
		case html.SelfClosingTagToken:
			tag := tagOf(z)
			if tag == atom.Title || tag == atom.Textarea {
				z.NextIsNotRawText() // XHTML; of a script, browsers read on
			}
			w.tag(tag, true)
			w.tag(tag, false)
			dropping = unread[tag] && tag != atom.Title && tag != atom.Textarea
		case html.EndTagToken:
			w.tag(tagOf(z), false)
			dropping = false
		default: // a comment or a doctype
		}
	}
	return w.text(), ErrCut
}

func tagOf(z *html.Tokenizer) atom.Atom {
	name, _ := z.TagName()
	return atom.Lookup(name)
}

// unread are elements whose content is no text for people. The tokenizer gives the content as one text.
var unread = map[atom.Atom]bool{
	atom.Script: true, atom.Style: true, atom.Iframe: true, atom.Noembed: true, atom.Noframes: true,
	atom.Noscript: true, atom.Plaintext: true, atom.Title: true, atom.Xmp: true, atom.Textarea: true,
}

// Elements that begin and end a line, and those that also part paragraphs.
var (
	lines = map[atom.Atom]bool{
		atom.Div: true, atom.Li: true, atom.Tr: true, atom.Dt: true, atom.Dd: true, atom.Caption: true, atom.Body: true,
		atom.Head: true, atom.Html: true, atom.Thead: true, atom.Tbody: true, atom.Tfoot: true, atom.Option: true,
		atom.Hr: true, atom.Legend: true, atom.Address: true, atom.Figcaption: true, atom.Summary: true,
	}
	blocks = map[atom.Atom]bool{
		atom.P: true, atom.H1: true, atom.H2: true, atom.H3: true, atom.H4: true, atom.H5: true, atom.H6: true,
		atom.Ul: true, atom.Ol: true, atom.Dl: true, atom.Table: true, atom.Pre: true, atom.Blockquote: true,
		atom.Section: true, atom.Article: true, atom.Header: true, atom.Footer: true, atom.Aside: true, atom.Nav: true,
		atom.Form: true, atom.Fieldset: true, atom.Figure: true, atom.Details: true, atom.Main: true, atom.Center: true,
	}
)

func (w *paragraphs) tag(tag atom.Atom, start bool) {
	switch {
	case tag == atom.Br:
		if start {
			w.breakLine()
		}
	case tag == atom.Li && start:
		w.line()
		w.mark = "• "
	case tag == atom.Td, tag == atom.Th:
		if start {
			w.cell()
		}
	case tag == atom.Pre:
		w.pre = start
		w.paragraph()
	case blocks[tag]:
		w.paragraph()
	case lines[tag]:
		w.line()
	}
}

// paragraphs collects text in lines: white space between words becomes one space, and at most one line stays empty.
type paragraphs struct {
	b      strings.Builder
	breaks int    // line breaks to put before the next word
	space  bool   // a space to put before the next word
	cells  int    // tabs to put before the next word
	row    bool   // a cell of this line was begun
	mark   string // what a list item begins with
	pre    bool   // white space counts
	full   bool
}

func (w *paragraphs) line() {
	if w.b.Len() > 0 {
		w.breaks = max(w.breaks, 1)
	}
	w.space, w.cells, w.row, w.mark = false, 0, false, ""
}

func (w *paragraphs) breakLine() {
	w.breaks = min(w.breaks+1, 2)
	w.space = false
}

func (w *paragraphs) paragraph() {
	w.line()
	if w.b.Len() > 0 {
		w.breaks = 2
	}
}

func (w *paragraphs) cell() {
	if w.row {
		w.cells++
	}
	w.row, w.space = true, false
}

func (w *paragraphs) write(s string) {
	for _, c := range s {
		switch {
		case w.full:
			return
		case c == '\n' && w.pre:
			w.breakLine()
		case unicode.IsSpace(c):
			w.space = true
		case unicode.IsControl(c), c == '\ufeff', c == '\u00ad':
		default:
			w.before()
			w.b.WriteRune(c)
			w.full = w.b.Len() >= maxDocumentText
		}
	}
}

// before writes what parts the next character from the last.
func (w *paragraphs) before() {
	if w.b.Len() > 0 {
		for range w.breaks {
			w.b.WriteByte('\n')
		}
		if w.breaks == 0 {
			switch {
			case w.cells > 0:
				w.b.WriteString(strings.Repeat("\t", min(w.cells, 20)))
			case w.space:
				w.b.WriteByte(' ')
			}
		}
	}
	w.b.WriteString(w.mark)
	w.breaks, w.cells, w.space, w.mark = 0, 0, false, ""
}

func (w *paragraphs) text() string { return strings.TrimSpace(w.b.String()) }
