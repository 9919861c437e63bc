package fhir

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// maxRun is how much text without a tag, or how long a tag, the XML decoder is given, in bytes. It holds either in
// memory as a whole.
const maxRun = 1 << 20

var errLongTag = errors.New("a tag is too long")

// markup passes XML on without what is nothing to read and could be without limit: comments, processing instructions,
// the document type with its entities. Of text without a tag it passes the beginning.
type markup struct {
	r      *bufio.Reader
	mode   markupMode
	head   []byte // the beginning of something that starts with <
	out    []byte
	last   [2]byte // the bytes before the one at hand, for ends of two or three bytes
	length int     // of the text or tag at hand
	depth  int     // of < in a directive
}

type markupMode uint8

const (
	inText markupMode = iota
	inHead            // after a <, until it is known what begins
	inTag
	inCDATA
	inComment
	inInstruction
	inDirective
)

func newMarkup(r io.Reader) *markup { return &markup{r: bufio.NewReaderSize(r, 16<<10)} }

// Read implements [io.Reader].
func (m *markup) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(m.out) > 0 {
			k := copy(p[n:], m.out)
			m.out = m.out[k:]
			n += k
			continue
		}
		if n > 0 && m.r.Buffered() == 0 {
			break // rather than wait for more
		}
		c, err := m.r.ReadByte()
		if err != nil {
			if n > 0 {
				break
			}
			return 0, err
		}
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' {
			continue // not allowed in XML, and it would end there
		}
		pass, err := m.step(c)
		if err != nil {
			return n, err
		}
		if pass {
			p[n] = c
			n++
		}
		m.last = [2]byte{m.last[1], c}
	}
	return n, nil
}

// step says whether to pass c on, and may leave bytes in m.out to be passed on before what follows.
func (m *markup) step(c byte) (bool, error) {
	switch m.mode {
	case inHead:
		m.head = append(m.head, c)
		m.begin()
		return false, nil
	case inTag:
		if m.length++; m.length > maxRun {
			return false, errLongTag
		}
		if c == '>' {
			m.enter(inText)
		}
		return true, nil
	case inCDATA:
		if c == '>' && m.last == [2]byte{']', ']'} {
			m.enter(inText)
			m.out = []byte("]]>") // its brackets may have been dropped
			return false, nil
		}
		return c != ']' && m.fits(c), nil
	case inComment:
		m.leave(c == '>' && m.last == [2]byte{'-', '-'})
	case inInstruction:
		m.leave(c == '>' && m.last[1] == '?')
	case inDirective:
		switch c {
		case '<':
			m.depth++
		case '>':
			m.depth--
		}
		m.leave(m.depth == 0)
	default:
		if c == '<' {
			m.enter(inHead)
			m.head = append(m.head[:0], c)
			return false, nil
		}
		return m.fits(c), nil
	}
	return false, nil
}

// fits says whether a byte of text is still passed on; a character is never cut.
func (m *markup) fits(c byte) bool {
	m.length++
	if m.length <= maxRun {
		return true
	}
	if c&0xc0 == 0x80 && m.length <= maxRun+4 {
		return true
	}
	m.length = maxRun + 5
	return false
}

func (m *markup) enter(mode markupMode) { m.mode, m.length = mode, 0 }

func (m *markup) leave(end bool) {
	if end {
		m.enter(inText)
	}
}

// begin looks at what starts with <.
func (m *markup) begin() {
	head := string(m.head)
	switch {
	case head == "<?":
		m.enter(inInstruction)
	case head == "<!--":
		m.enter(inComment)
		m.last = [2]byte{} // <!--> is no comment
	case head == "<![CDATA[":
		m.enter(inCDATA)
		m.out = m.head
	case strings.HasPrefix("<!--", head), strings.HasPrefix("<![CDATA[", head):
	case head[1] == '!':
		m.enter(inDirective)
		m.depth = 1 + strings.Count(head[1:], "<") - strings.Count(head, ">")
		m.leave(m.depth <= 0)
	default:
		m.enter(inTag)
		m.leave(head[1] == '>')
		m.out = m.head
	}
}
