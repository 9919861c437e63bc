// Package fhir reads the few facts that Carebell shows from what stands behind the sender's URLs: FHIR R4 bundles,
// HTML and C-CDA documents. It is tolerant, keeps its memory bounded and does no I/O beyond the reader it is given; how
// facts are stored, merged or shown is not its business.
package fhir

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxInline is the largest inline attachment that is kept in the facts, in bytes.
const MaxInline = 256 << 10

// ErrCut says that a text was longer than what is kept; the text read so far comes with it.
var ErrCut = errors.New("the text is longer than what is kept")

// ErrNotFHIR says that the file is JSON but no FHIR resource.
var ErrNotFHIR = errors.New("the file is not a FHIR resource: it has no resourceType")

// Read reads a Bundle, or one bare resource, from r.
//
// Memory is bounded whatever r sends: entries are read one at a time, long strings are cut and of long lists the newest
// are kept, which Facts.Truncated says. An error names the entry and the byte and quotes nothing; the facts read before
// it come with it. An optional field of an odd shape counts as absent.
func Read(r io.Reader) (Facts, error) {
	return readWith(r, newReader())
}

// ReadSplit is [Read] for a file whose attachments are to become files: their inline data, whatever its size, goes to the
// writers that part gives, one after the other, and Attachment.Part says which. What is written to a writer that no
// attachment names is not base64, or belongs to nothing that is shown. An error of part or of a writer ends the reading.
func ReadSplit(r io.Reader, part func() (io.Writer, error)) (Facts, error) {
	s := newSplitter(r, part)
	reader := newReader()
	reader.split = s
	return readWith(s, reader)
}

func readWith(r io.Reader, reader *reader) (Facts, error) {
	err := walk(r, reader, nil)
	return reader.finish(), err
}

// taker takes what a stream reads: the frame of a bundle, its entries one by one, or a bare resource.
type taker interface {
	header(top *node)
	top(top *node)
	entryOf(e *node)
	cut()
}

// walk reads r to its end and hands what it finds to t. Of resources whose type only does not want, little but the type is
// read; nil wants all.
func walk(r io.Reader, t taker, only func(kind string) bool) error {
	input := newTrimmer(r)
	s := &stream{input: input, reader: t}
	s.d = jsontext.NewDecoder(input, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	s.builder = builder{d: s.d, names: map[string]string{}, wants: only}
	return s.explain(s.root())
}

// stream walks the top of a file.
type stream struct {
	input   *trimmer
	d       *jsontext.Decoder
	builder builder
	reader  taker
	entry   int // the entry at hand, from 1; 0 outside of them
}

// root reads the top-level object: entries one at a time, the other members together, as they may be a bare resource.
func (s *stream) root() error {
	if kind := s.d.PeekKind(); kind != '{' {
		if _, err := s.d.ReadToken(); err != nil {
			return err
		}
		return ErrNotFHIR
	}
	if _, err := s.d.ReadToken(); err != nil {
		return err
	}
	top := node{kind: '{'}
	streamed := false
	for s.d.PeekKind() != '}' {
		name, err := s.builder.memberName()
		if err != nil {
			s.reader.top(&top)
			return err
		}
		switch {
		case name == "entry" && s.d.PeekKind() == '[':
			streamed = true
			s.reader.header(&top)
			if err := s.entries(); err != nil {
				s.reader.header(&top)
				return err
			}
		case skipped[name]:
			if err := s.d.SkipValue(); err != nil {
				return err
			}
		case name == "extension":
			if err := s.builder.extensions(&top); err != nil {
				return err
			}
		default:
			kid, err := s.builder.value()
			if err != nil {
				return err
			}
			if s.builder.over {
				continue // it was skipped
			}
			kid.name = name
			top.kids = append(top.kids, kid)
		}
	}
	if _, err := s.d.ReadToken(); err != nil {
		return err
	}
	if top.get("resourceType").str() == "" && !streamed {
		return ErrNotFHIR
	}
	if s.builder.over {
		s.reader.cut()
	}
	s.reader.top(&top)
	if _, err := s.d.ReadToken(); !errors.Is(err, io.EOF) {
		return errTrailing
	}
	return nil
}

var errTrailing = errors.New("something follows the resource")

func (s *stream) entries() error {
	if _, err := s.d.ReadToken(); err != nil {
		return err
	}
	outer := s.builder
	for s.d.PeekKind() != ']' {
		s.entry++
		s.input.forget(s.d.InputOffset())
		s.builder.reset()
		n, err := s.builder.value()
		if err != nil {
			return err
		}
		if s.builder.over {
			s.reader.cut()
		}
		s.reader.entryOf(&n)
	}
	s.entry = 0
	s.builder.nodes, s.builder.bytes, s.builder.over = outer.nodes, outer.bytes, outer.over
	_, err := s.d.ReadToken()
	return err
}

// explain says where an error lies, in words that quote nothing of the file.
func (s *stream) explain(err error) error {
	if err == nil || errors.Is(err, ErrNotFHIR) {
		return err
	}
	at := s.d.InputOffset()
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		at = syntactic.ByteOffset
	}
	where := fmt.Sprintf("byte %d", s.input.origin(at))
	if s.entry > 0 {
		where = fmt.Sprintf("entry %d, %s", s.entry, where)
	}
	switch cause := s.input.err; {
	case cause != nil && !errors.Is(cause, io.EOF):
		return fmt.Errorf("read FHIR at %s: %w", where, cause)
	case errors.Is(err, errTrailing):
		return fmt.Errorf("read FHIR at %s: %w", where, errTrailing)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("read FHIR at %s: the file ends too early: %w", where, io.ErrUnexpectedEOF)
	default:
		return fmt.Errorf("read FHIR at %s: not valid JSON", where)
	}
}
