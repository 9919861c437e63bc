package fhir

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// windows1252 is the upper control range of Latin-1 as the documents mean it.
var windows1252 = [32]rune{
	'€', 0xfffd, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0xfffd, 'Ž', 0xfffd,
	0xfffd, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0xfffd, 'ž', 'Ÿ',
}

// decoder turns text of an unknown character set into UTF-8: UTF-16 by its byte order mark, else UTF-8, and any byte
// that is none of it as Latin-1 (in the extent of windows-1252).
type decoder struct {
	r    *bufio.Reader
	wide func(a, b byte) uint16 // of UTF-16
	out  []byte
	buf  [64]byte
}

func newDecoder(r io.Reader) *decoder {
	d := &decoder{r: bufio.NewReaderSize(r, 16<<10)}
	head, _ := d.r.Peek(3) // fewer bytes are no mark
	skip := 0
	switch {
	case len(head) >= 2 && head[0] == 0xfe && head[1] == 0xff:
		d.wide, skip = func(a, b byte) uint16 { return uint16(a)<<8 | uint16(b) }, 2
	case len(head) >= 2 && head[0] == 0xff && head[1] == 0xfe:
		d.wide, skip = func(a, b byte) uint16 { return uint16(b)<<8 | uint16(a) }, 2
	case string(head) == "\xef\xbb\xbf":
		skip = 3
	}
	_, _ = d.r.Discard(skip) // it was peeked
	return d
}

// Read implements [io.Reader].
func (d *decoder) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(d.out) == 0 {
			if n > 0 && d.r.Buffered() < utf8.UTFMax {
				break // rather than wait for more
			}
			c, err := d.next()
			if err != nil {
				if n > 0 {
					break
				}
				return 0, err
			}
			d.out = utf8.AppendRune(d.buf[:0], c)
		}
		k := copy(p[n:], d.out)
		d.out = d.out[k:]
		n += k
	}
	return n, nil
}

func (d *decoder) next() (rune, error) {
	if d.wide != nil {
		return d.nextWide()
	}
	c, size, err := d.r.ReadRune()
	if err != nil {
		return 0, err
	}
	if c != utf8.RuneError || size != 1 {
		return c, nil
	}
	if err := d.r.UnreadRune(); err != nil {
		return 0, err
	}
	b, err := d.r.ReadByte()
	if err != nil {
		return 0, err
	}
	if b >= 0x80 && b < 0xa0 {
		return windows1252[b-0x80], nil
	}
	return rune(b), nil
}

func (d *decoder) nextWide() (rune, error) {
	var pair [2]byte
	unit := func() (rune, error) {
		_, err := io.ReadFull(d.r, pair[:])
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.EOF // a lone byte at the end
		}
		return rune(d.wide(pair[0], pair[1])), err
	}
	c, err := unit()
	if err != nil || !utf16.IsSurrogate(c) {
		return c, err
	}
	low, err := unit()
	if err != nil {
		return utf8.RuneError, nil //nolint:nilerr // half a character at the end
	}
	return utf16.DecodeRune(c, low), nil
}

// readText is text in UTF-8, whatever its character set was.
func readText(raw []byte) string {
	if utf8.Valid(raw) && (len(raw) < 2 || raw[0] != 0xef) {
		return string(raw)
	}
	text, _ := io.ReadAll(newDecoder(bytes.NewReader(raw))) // bytes in memory do not fail
	return string(text)
}
