package fhir

import (
	"bufio"
	"bytes"
	"io"
)

// Limits of what reaches the JSON decoder, which holds a whole string, number and run of white space in memory.
const (
	maxString = 1 << 20 // bytes of one JSON string as written; what follows is dropped and cutMark put in its place
	maxNumber = 256     // bytes of one number; more digits are dropped, and the number is not believed
	maxSpace  = 64      // bytes of white space between two tokens
	maxNested = 64      // arrays and objects within each other; a deeper one becomes null
)

// cutMark ends a string that was cut. It is a noncharacter, which no text contains; where a sender puts it anyway, its
// text counts as cut.
const cutMark = "\ufdd0"

// trimmer passes JSON on with everything that could grow without limit cut back: it is JSON again, and what was no JSON
// stays none.
type trimmer struct {
	r   *bufio.Reader
	err error
	out []byte // a few bytes that are still to be passed on

	quoted   bool // within a string
	escape   int  // bytes of an escape sequence still to come
	length   int  // of the string, number or white space at hand
	cut      bool // the string at hand is being dropped
	last     byte // the last byte that was passed on
	depth    int
	deeper   int // how far below maxNested
	passed   int64
	dropped  int64
	dropping []drop // where bytes were dropped, since the last forget
	before   int64  // how many were dropped before that
}

// drop says that, from byte at on of what was passed on, total bytes had been dropped.
type drop struct{ at, total int64 }

func newTrimmer(r io.Reader) *trimmer {
	t := &trimmer{r: bufio.NewReaderSize(r, 32<<10)}
	if mark, err := t.r.Peek(3); err == nil && string(mark) == "\xef\xbb\xbf" {
		_, _ = t.r.Discard(3) // they were peeked
		t.dropped, t.before = 3, 3
	}
	return t
}

// Read implements [io.Reader].
func (t *trimmer) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	for n < len(p) {
		if len(t.out) > 0 {
			k := copy(p[n:], t.out)
			t.out = t.out[k:]
			n += k
			t.passed += int64(k)
			continue
		}
		if t.err != nil {
			break
		}
		if n > 0 && t.r.Buffered() == 0 {
			return n, nil // rather than wait for the network
		}
		if k, ok := t.span(p[n:]); ok {
			n += k
			continue
		}
		c, err := t.r.ReadByte()
		if err != nil {
			t.err = err
			break
		}
		if t.step(c) {
			p[n] = c
			t.last = c
			n++
			t.passed++
		} else {
			t.dropped++
			t.note()
		}
	}
	if n == 0 {
		return 0, t.err
	}
	return n, nil
}

// span passes on, or drops, many plain bytes of a string at once; ok is false where it has to be looked at byte by byte.
func (t *trimmer) span(p []byte) (n int, ok bool) {
	if !t.quoted || t.escape != 0 {
		return 0, false
	}
	chunk, _ := t.r.Peek(t.r.Buffered()) // no more than there is
	if i := bytes.IndexByte(chunk, '"'); i >= 0 {
		chunk = chunk[:i]
	}
	if i := bytes.IndexByte(chunk, '\\'); i >= 0 {
		chunk = chunk[:i]
	}
	pass := !t.cut && t.deeper == 0
	if pass {
		chunk = chunk[:min(len(chunk), len(p), max(0, maxString-t.length))]
	}
	if len(chunk) == 0 {
		return 0, false
	}
	t.length += len(chunk)
	if pass {
		n = copy(p, chunk)
		t.passed += int64(n)
		t.last = chunk[n-1]
	} else {
		t.dropped += int64(len(chunk))
		t.note()
	}
	_, _ = t.r.Discard(len(chunk)) // it was peeked
	return n, true
}

// step says whether to pass c on, and may leave bytes in t.out to be passed on instead.
func (t *trimmer) step(c byte) bool {
	if t.quoted {
		return t.inString(c)
	}
	switch c {
	case '"':
		t.quoted, t.length, t.cut, t.escape = true, 0, false, 0
		return t.deeper == 0
	case '{', '[':
		t.length = 0
		if t.deeper > 0 || t.depth >= maxNested {
			if t.deeper++; t.deeper == 1 {
				t.out = []byte("null")
				t.dropped -= 4
			}
			return false
		}
		t.depth++
		return true
	case '}', ']':
		t.length = 0
		if t.deeper > 0 {
			t.deeper--
			return false
		}
		t.depth = max(0, t.depth-1)
		return true
	}
	if t.deeper > 0 {
		return false
	}
	t.length++
	switch {
	case c == ' ' || c == '\n' || c == '\r' || c == '\t':
		if !blank(t.last) {
			t.length = 1
		}
		return t.length <= maxSpace
	case c >= '0' && c <= '9':
		if blank(t.last) {
			t.length = 1
		}
		return t.length <= maxNumber || t.last < '0' || t.last > '9'
	case c == ',' || c == ':':
		t.length = 0
	}
	return true
}

func blank(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// inString passes a string on up to maxString, never ending within an escape sequence or a character.
func (t *trimmer) inString(c byte) bool {
	t.length++
	pass := !t.cut && t.deeper == 0
	switch {
	case t.escape > 0:
		if t.escape--; t.escape == 0 && c == 'u' {
			t.escape = -4 // four hex digits follow
		}
		return pass
	case c == '"':
		t.quoted, t.length = false, 0
		if t.cut && t.deeper == 0 {
			t.out = []byte(cutMark + `"`)
			t.dropped -= int64(len(t.out))
			return false
		}
		return pass
	case t.escape < 0:
		t.escape++
		return pass
	}
	if t.length > maxString && (c < 0x80 || c >= 0xc0 || t.length > maxString+8) { // not the inside of a character
		t.cut, pass = true, false
	}
	if c == '\\' {
		t.escape = 1
	}
	return pass
}

func (t *trimmer) note() {
	if n := len(t.dropping); n > 0 && t.dropping[n-1].at == t.passed {
		t.dropping[n-1].total = t.dropped
		return
	}
	if len(t.dropping) < 4096 {
		t.dropping = append(t.dropping, drop{t.passed, t.dropped})
	}
}

// origin is where byte n of what was passed on stood in the input.
func (t *trimmer) origin(n int64) int64 {
	total := t.before
	for _, d := range t.dropping {
		if d.at > n {
			break
		}
		total = d.total
	}
	return n + total
}

// forget says that nobody will ask for the origin of a byte before n.
func (t *trimmer) forget(n int64) {
	i := 0
	for ; i < len(t.dropping) && t.dropping[i].at <= n; i++ {
		t.before = t.dropping[i].total
	}
	t.dropping = append(t.dropping[:0], t.dropping[i:]...)
}
