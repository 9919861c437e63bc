package fhir

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// CDA is the readable part of a C-CDA document: its sections' narrative as plain text. Source: HL7 CDA R2
// ClinicalDocument.title and component//section.
type CDA struct {
	Title     string
	Sections  []Section // in the order of the document, nested ones after their parent
	Truncated bool      // the document held more than is kept
}

// Limits of a C-CDA document.
const (
	maxDepth    = 200
	maxSections = 200
)

// ErrNotCDA says that the file is no C-CDA document.
var ErrNotCDA = errors.New("the file is not a C-CDA document: it has no ClinicalDocument")

// CDAText reads a C-CDA document for a safe preview. Nothing in it is followed or expanded: no entity, no DTD, no
// stylesheet. Damaged XML gives what could be read together with an error that says where.
func CDAText(r io.Reader) (CDA, error) {
	input := &io.LimitedReader{R: r, N: maxDocument}
	d := xml.NewDecoder(newMarkup(newDecoder(input)))
	d.Strict = false
	d.Entity = xml.HTMLEntity
	w := &narrator{}
	for !w.doc.Truncated {
		token, err := d.RawToken()
		if err != nil {
			w.end()
			return w.doc, w.explain(err, d.InputOffset(), input.N <= 0)
		}
		switch t := token.(type) {
		case xml.StartElement:
			w.start(t)
		case xml.EndElement:
			w.close(t.Name.Local)
		case xml.CharData:
			w.chars(string(t))
		}
	}
	w.end()
	return w.doc, nil
}

func (w *narrator) explain(err error, at int64, long bool) error {
	switch {
	case long:
		w.doc.Truncated = true
		return nil
	case errors.Is(err, io.EOF) && !w.found:
		return ErrNotCDA
	case errors.Is(err, io.EOF) && len(w.path) > 0:
		return fmt.Errorf("read C-CDA at byte %d: the file ends too early: %w", at, io.ErrUnexpectedEOF)
	case errors.Is(err, io.EOF):
		return nil
	}
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("read C-CDA at line %d: not valid XML", syntax.Line) // its own words quote the document
	}
	return fmt.Errorf("read C-CDA at byte %d: %w", at, err)
}

// narrator follows a C-CDA document and writes down the narrative of its sections.
type narrator struct {
	doc   CDA
	found bool
	path  []string // the open elements
	open  []int    // the open sections, as indexes into doc.Sections
	text  *paragraphs
	depth int // of path where text began
	title *strings.Builder
	total int // bytes of text
}

func (w *narrator) parent() string {
	if len(w.path) == 0 {
		return ""
	}
	return w.path[len(w.path)-1]
}

func (w *narrator) start(t xml.StartElement) {
	name, parent := t.Name.Local, w.parent()
	if len(w.path) >= maxDepth {
		w.doc.Truncated = true
		return
	}
	w.path = append(w.path, name)
	switch {
	case name == "ClinicalDocument":
		w.found = true
	case w.text != nil:
		w.text.element(name, true)
	case name == "section" && parent == "component":
		if len(w.doc.Sections) == maxSections {
			w.doc.Truncated = true
			return
		}
		w.open = append(w.open, len(w.doc.Sections))
		w.doc.Sections = append(w.doc.Sections, Section{})
	case name == "title" && (parent == "section" || parent == "ClinicalDocument"):
		w.title = &strings.Builder{}
	case name == "code" && parent == "section":
		if s := w.section(); s != nil && s.Code == "" {
			s.Code, _ = clip(attribute(t, "code"), maxCode)
			s.Kind = sectionKinds[s.Code]
		}
	case name == "text" && parent == "section" && w.section() != nil:
		w.text, w.depth = &paragraphs{}, len(w.path)
	}
}

func attribute(t xml.StartElement, name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name {
			return clean(a.Value)
		}
	}
	return ""
}

func (w *narrator) section() *Section {
	if len(w.open) == 0 {
		return nil
	}
	return &w.doc.Sections[w.open[len(w.open)-1]]
}

// close ends an element, and those within it that the document forgot to end. An end without a beginning is nothing.
func (w *narrator) close(name string) {
	for i := len(w.path) - 1; i >= 0; i-- {
		if w.path[i] != name {
			continue
		}
		for len(w.path) > i {
			w.leave()
		}
		return
	}
}

func (w *narrator) leave() {
	name := w.path[len(w.path)-1]
	w.path = w.path[:len(w.path)-1]
	switch {
	case w.text != nil && len(w.path) < w.depth:
		w.endText()
	case w.text != nil:
		w.text.element(name, false)
	case name == "title" && w.title != nil:
		title, _ := clip(strings.Join(strings.Fields(w.title.String()), " "), maxLine)
		title = clean(title)
		if s := w.section(); s != nil && s.Title == "" {
			s.Title = title
		} else if s == nil && w.doc.Title == "" {
			w.doc.Title = title
		}
		w.title = nil
	case name == "section" && len(w.open) > 0 && w.parent() == "component":
		w.open = w.open[:len(w.open)-1]
	}
}

func (w *narrator) endText() {
	s := w.section()
	s.Text = w.text.text()
	s.Text, s.Cut = clip(s.Text, maxSection)
	s.Cut = s.Cut || w.text.full
	if w.total += len(s.Text); w.total > maxDocumentText {
		w.doc.Truncated = true
	}
	w.text = nil
}

func (w *narrator) chars(s string) {
	switch {
	case w.text != nil:
		w.text.write(s)
	case w.title != nil && w.title.Len() < maxLine:
		w.title.WriteString(s)
	}
}

// end closes what is open at the end of the input.
func (w *narrator) end() {
	if w.text != nil {
		w.endText()
	}
	for i := range w.doc.Sections {
		if w.doc.Sections[i].Cut {
			w.doc.Truncated = true
		}
	}
}

// element is one of the narrative block. Source: CDA R2 StrucDoc.Text.
func (w *paragraphs) element(name string, start bool) {
	switch name {
	case "br":
		if start {
			w.breakLine()
		}
	case "item":
		w.line()
		if start {
			w.mark = "• "
		}
	case "td", "th":
		if start {
			w.cell()
		}
	case "tr", "caption", "thead", "tbody", "tfoot":
		w.line()
	case "paragraph", "list", "table", "text":
		w.paragraph()
	}
}

// text is the whole document on one page.
func (d CDA) text() string {
	var b strings.Builder
	for _, s := range d.Sections {
		for _, part := range []string{s.Title, s.Text} {
			if part != "" {
				b.WriteString(part + "\n")
			}
		}
		b.WriteString("\n")
	}
	return strings.TrimSpace(b.String())
}
