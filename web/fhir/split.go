package fhir

import (
	"bufio"
	"encoding/base64"
	"io"
	"strconv"
)

// partMark stands in place of the inline data that a splitter took out, with the number of the part behind it. It begins
// with a noncharacter, which no text contains.
const partMark = "\ufdd1"

// maxParts of one file that are taken out; what follows is left out.
const maxSplit = 100

// part is inline data that was taken out.
type part struct {
	size int64
	ok   bool // it was base64, whole, and not empty
}

// splitter passes JSON on without the inline data of attachments: each string that is the value of a member "data" goes,
// decoded from base64, to a writer of its own, and a short mark stays in its place. It holds no more than a few bytes of
// either.
type splitter struct {
	r    *bufio.Reader
	open func() (io.Writer, error)
	out  []byte // what is still to be passed on

	quoted bool
	escape bool   // the next byte of the string at hand is escaped
	word   []byte // the beginning of the string at hand, as written
	name   string // of the member whose value comes; "" = none
	taking *unpacker
	parts  []part
	err    error
}

func newSplitter(r io.Reader, open func() (io.Writer, error)) *splitter {
	return &splitter{r: bufio.NewReaderSize(r, 32<<10), open: open}
}

// Read implements [io.Reader].
func (s *splitter) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(s.out) > 0 {
			k := copy(p[n:], s.out)
			s.out = s.out[k:]
			n += k
			continue
		}
		if s.err != nil || n > 0 && s.r.Buffered() == 0 {
			break
		}
		c, err := s.r.ReadByte()
		if err != nil {
			s.err = err
			break
		}
		if s.step(c) {
			p[n] = c
			n++
		}
	}
	if n > 0 {
		return n, nil
	}
	return 0, s.err
}

// step says whether to pass c on, and may leave bytes in s.out to be passed on after it.
func (s *splitter) step(c byte) bool {
	if s.taking != nil {
		s.take(c)
		return false
	}
	if s.quoted {
		s.inString(c)
		return true
	}
	switch c {
	case '"':
		s.quoted, s.escape, s.word = true, false, s.word[:0]
		if s.name == "data" {
			s.begin()
		}
	case ':':
		s.name = string(s.word)
	case ',', '{', '[', '}', ']':
		s.name, s.word = "", s.word[:0]
	}
	return true
}

func (s *splitter) inString(c byte) {
	const longest = len("data") + 1 // a longer name is another one
	switch {
	case s.escape:
		s.escape = false
	case c == '\\':
		s.escape = true
	case c == '"':
		s.quoted = false
		return
	}
	if len(s.word) < longest {
		s.word = append(s.word, c)
	}
}

// begin takes the string out whose opening quote was passed on just now.
func (s *splitter) begin() {
	d := &unpacker{}
	if len(s.parts) < maxSplit {
		w, err := s.open()
		if err != nil {
			s.err = err
			return
		}
		d.to = w
	}
	s.taking, s.quoted, s.word = d, false, s.word[:0]
}

func (s *splitter) take(c byte) {
	if done, err := s.taking.next(c); err != nil {
		s.err = err
	} else if !done {
		return
	}
	d := s.taking
	s.taking = nil
	if err := d.flush(true); err != nil {
		s.err = err
		return
	}
	if d.to != nil {
		s.parts = append(s.parts, part{size: d.size, ok: !d.bad && d.size > 0})
		s.out = append(s.out[:0], partMark+strconv.Itoa(len(s.parts))...)
	}
	s.out = append(s.out, '"')
}

// unpacker is base64 within a JSON string, in any of its alphabets, with or without padding and line breaks.
type unpacker struct {
	to      io.Writer // nil = nobody wants it
	pending []byte    // of the alphabet, not yet decoded
	escape  int       // 0 none, 1 after a backslash, 2 to 5 within \uXXXX
	code    uint16    // of \uXXXX so far
	bad     bool      // it was no base64 after all
	size    int64
}

// next takes one byte; done says that it was the closing quote.
func (d *unpacker) next(c byte) (done bool, err error) {
	switch {
	case d.escape == 1:
		switch c {
		case 'u':
			d.escape, d.code = 2, 0
			return false, nil
		case 'n', 'r', 't', 'b', 'f':
			c = ' '
		}
		d.escape = 0
		return false, d.letter(c)
	case d.escape > 1:
		digit, err := strconv.ParseUint(string(c), 16, 8)
		if err != nil {
			d.bad = true
		}
		d.code = d.code<<4 | uint16(digit)
		if d.escape++; d.escape < 6 {
			return false, nil
		}
		d.escape = 0
		if d.code >= 0x80 {
			d.bad = true
			return false, nil
		}
		return false, d.letter(byte(d.code))
	case c == '\\':
		d.escape = 1
		return false, nil
	case c == '"':
		return true, nil
	default:
		return false, d.letter(c)
	}
}

func (d *unpacker) letter(c byte) error {
	switch {
	case blank(c) || c == '=':
		return nil
	case c == '-':
		c = '+'
	case c == '_':
		c = '/'
	case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '+', c == '/':
	default:
		d.bad = true
	}
	if d.bad || d.to == nil {
		return nil
	}
	if d.pending = append(d.pending, c); len(d.pending) < 8<<10 {
		return nil
	}
	return d.flush(false)
}

// flush writes what can be decoded; at the end, all of it.
func (d *unpacker) flush(end bool) error {
	if d.bad || d.to == nil {
		return nil
	}
	whole := len(d.pending)
	if !end {
		whole -= whole % 4
	}
	raw, err := base64.RawStdEncoding.DecodeString(string(d.pending[:whole]))
	if err != nil {
		d.bad = true
		return nil //nolint:nilerr // it is no base64: the attachment counts as unreadable, the message does not
	}
	d.pending = append(d.pending[:0], d.pending[whole:]...)
	d.size += int64(len(raw))
	_, err = d.to.Write(raw)
	return err
}
