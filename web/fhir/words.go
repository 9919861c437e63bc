package fhir

import (
	"encoding/base64"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How long a word, line or text of the facts may be, in bytes. What is longer is cut, and the facts are Truncated.
const (
	maxCode    = 64
	maxID      = 200
	maxLine    = 500
	maxURL     = 4 << 10 // presigned URLs are long
	maxText    = 64 << 10
	maxSection = 256 << 10
)

// from reads values of one resource, and counts what they cost.
type from struct {
	r     *reader
	entry int
	base  string // the server of the resource's fullUrl
}

// take is a string, cut to most bytes at a character, without control characters but line breaks and tabs.
func (c *from) take(n *node, most int) string {
	s := n.str()
	if s == "" {
		return ""
	}
	if n.cut {
		c.r.cut()
	}
	return c.own(s, most)
}

// own makes a string the facts' own: cut, cleaned, counted, and not holding on to a larger one.
func (c *from) own(s string, most int) string {
	s, cut := clip(s, most)
	if cut {
		c.r.cut()
	}
	s = clean(s)
	if len(s) <= maxCode {
		if w, ok := c.r.words[s]; ok {
			return w
		}
		s = strings.Clone(s)
		if len(c.r.words) < maxNames {
			c.r.words[s] = s
		}
	} else {
		s = strings.Clone(s)
	}
	c.r.spent += len(s)
	return s
}

// clip cuts s to most bytes without cutting a character.
func clip(s string, most int) (string, bool) {
	if len(s) <= most {
		return s, false
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most], true
}

// clean makes the line ends of s one kind and drops its other control characters.
func clean(s string) string {
	if strings.Contains(s, "\r") {
		s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	}
	return strings.TrimSpace(strings.Map(func(c rune) rune {
		if c != '\n' && c != '\t' && unicode.IsControl(c) {
			return -1
		}
		return c
	}, strings.ToValidUTF8(s, "\ufffd")))
}

// line is a string on one line.
func (c *from) line(n *node) string {
	s := n.str()
	if s == "" {
		return ""
	}
	if strings.ContainsAny(s, "\n\r\t") {
		flat := *n
		flat.text = strings.Join(strings.Fields(s), " ")
		n = &flat
	}
	return c.take(n, maxLine)
}

// text is a string of several lines. Where it is HTML, it is reduced to its text.
func (c *from) text(n *node) string {
	s := n.str()
	if !looksLikeHTML(s) {
		return c.take(n, maxText)
	}
	if n.cut {
		c.r.cut()
	}
	plain, err := HTMLText(strings.NewReader(s))
	if err != nil {
		c.r.cut()
	}
	return c.own(plain, maxText)
}

// code is a word of a value set; "" where it is too long to be one.
func (c *from) code(n *node) string {
	if n == nil || n.kind != '"' {
		return ""
	}
	s := n.str()
	if len(s) > maxCode || strings.ContainsFunc(s, unicode.IsControl) {
		return ""
	}
	return c.take(n, maxCode)
}

func (c *from) time(n *node) Time { return ParseTime(n.str()) }

// concept is a CodeableConcept, or a bare Coding.
func (c *from) concept(n *node) Concept {
	if n == nil || n.kind != '{' {
		return Concept{}
	}
	out := Concept{Text: c.line(n.get("text"))}
	codings := n.get("coding").all()
	if n.get("coding") == nil && n.get("code") != nil {
		codings = []node{*n}
	}
	for i := range codings {
		if out.Text == "" {
			out.Text = c.line(codings[i].get("display"))
		}
		if out.Code == "" {
			if out.Code = c.take(codings[i].get("code"), maxID); out.Code != "" {
				out.System = c.take(codings[i].get("system"), maxLine)
			}
		}
	}
	if out.Text == "" {
		out.Text = out.Code
	}
	return out
}

// concepts are the words of several CodeableConcepts, each once.
func (c *from) concepts(n *node, most int) []string {
	var out []string
	for _, e := range n.all() {
		out = c.add(out, c.concept(&e).Text, most)
	}
	return out
}

const maxCodings = 20 // of one concept

// codes appends system|code of every coding of one CodeableConcept or of several. A code without a system is |code.
func (c *from) codes(codes []string, n *node) []string {
	for _, concept := range n.all() {
		for i, coding := range concept.get("coding").all() {
			if i == maxCodings || len(codes) == maxParts*2 {
				c.r.cut()
				break
			}
			if code := c.take(coding.get("code"), maxID); code != "" {
				codes = c.add(codes, c.take(coding.get("system"), maxLine)+"|"+code, maxParts*2)
			}
		}
	}
	return codes
}

// add appends a word that is not there yet.
func (c *from) add(words []string, word string, most int) []string {
	if word == "" {
		return words
	}
	for _, w := range words {
		if w == word {
			return words
		}
	}
	if len(words) == most {
		c.r.cut()
		return words
	}
	return append(words, word)
}

// coded says whether one of the codings of a CodeableConcept has the code.
func coded(n *node, code string) bool {
	for _, coding := range n.get("coding").all() {
		if coding.get("code").str() == code {
			return true
		}
	}
	return false
}

func (c *from) quantity(n *node) Quantity {
	value := c.own(n.get("value").number(), maxCode)
	if value == "" {
		return Quantity{}
	}
	unit := c.line(n.get("unit"))
	if unit == "" {
		unit = c.line(n.get("code"))
	}
	q := Quantity{Value: value, Unit: unit}
	switch comparator := c.code(n.get("comparator")); comparator {
	case "<", "<=", ">", ">=":
		q.Comparator = comparator
	}
	return q
}

const maxIdentifiers = 20

func (c *from) identifiers(n *node) []Identifier {
	var out []Identifier
	for _, e := range n.all() {
		id := Identifier{Value: c.take(e.get("value"), maxLine)}
		if id.Value == "" {
			continue
		}
		if len(out) == maxIdentifiers {
			c.r.cut()
			break
		}
		id.System = c.take(e.get("system"), maxLine)
		if kind := c.concept(e.get("type")); kind.Code != "" {
			id.Type = kind.Code
		} else {
			id.Type = kind.Text
		}
		out = append(out, id)
	}
	return out
}

// humanName is the name to call somebody by: official, else usual, else the first. The title and degrees are part of
// it where formal is set.
func (c *from) humanName(n *node, formal bool) string {
	best, bestRank := "", 9
	for i, e := range n.all() {
		if i == maxIdentifiers {
			break
		}
		rank := 3
		switch e.get("use").str() {
		case "official":
			rank = 1
		case "usual":
			rank = 2
		case "old", "maiden":
			rank = 4
		}
		if rank >= bestRank {
			continue
		}
		if name := e.fullName(formal); name != "" {
			best, bestRank = name, rank
		}
	}
	return c.own(best, maxLine)
}

func (n *node) fullName(formal bool) string {
	if text := strings.Join(strings.Fields(n.get("text").str()), " "); text != "" {
		return text
	}
	parts := []string{"given", "family"}
	if formal {
		parts = []string{"prefix", "given", "family", "suffix"}
	}
	var words []string
	named := false
	for _, part := range parts {
		for _, e := range n.get(part).all() {
			if len(words) < 20 {
				before := len(words)
				words = append(words, strings.Fields(e.str())...)
				named = named || len(words) > before && (part == "given" || part == "family")
			}
		}
	}
	if !named {
		return ""
	}
	return strings.Join(words, " ")
}

// inline decodes base64 as senders write it: with line breaks, in either alphabet, with or without padding. Of a string
// that was cut, it decodes what is there.
func inline(n *node) ([]byte, bool) {
	s := strings.Map(func(c rune) rune {
		switch c {
		case ' ', '\n', '\r', '\t', '=':
			return -1
		case '-':
			return '+'
		case '_':
			return '/'
		}
		return c
	}, n.str())
	if len(s)%4 == 1 || n != nil && n.cut {
		s = s[:len(s)/4*4]
	}
	data, err := base64.RawStdEncoding.DecodeString(s)
	return data, err == nil && len(data) > 0
}
