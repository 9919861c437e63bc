package fhir

import (
	"bufio"
	"io"
)

const maxTag = 64 << 10

// tags passes HTML on without what the tokenizer would hold in memory as a whole: of a long tag, such as one with an
// image in it, and of a long comment only what ends them; of long text without a tag the beginning.
type tags struct {
	r      *bufio.Reader
	within bool // a tag or comment
	length int
	cut    bool // text was dropped
}

func newTags(r io.Reader) *tags { return &tags{r: bufio.NewReaderSize(r, 16<<10)} }

// Read implements [io.Reader].
func (f *tags) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if n > 0 && f.r.Buffered() == 0 {
			break // rather than wait for more
		}
		c, err := f.r.ReadByte()
		if err != nil {
			if n > 0 {
				break
			}
			return 0, err
		}
		if f.pass(c) {
			p[n] = c
			n++
		}
	}
	return n, nil
}

func (f *tags) pass(c byte) bool {
	f.length++
	switch {
	case c == '<':
		f.within, f.length = true, 0
		return true
	case f.within && c == '>':
		f.within, f.length = false, 0
		return true
	case f.within:
		return f.length <= maxTag || c == '"' || c == '\'' || c == '-'
	case f.length <= maxRun || c&0xc0 == 0x80 && f.length <= maxRun+4:
		return true
	default:
		f.length = maxRun + 5
		f.cut = f.cut || c != ' ' && c != '\n' && c != '\r' && c != '\t'
		return false
	}
}
