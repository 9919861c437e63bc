package web

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"carebell/views"
)

// Bounds of what is shown of a body; the raw download has all of it.
const (
	treeNodes  = 2000
	treeChars  = 96 << 10 // of all names and values together
	treeString = 2000     // of one value
	treeDepth  = 48
	plainBytes = 64 << 10 // of a body that is no JSON
	copyBytes  = 64 << 10 // of a body that can be copied
)

// secretPart is a link up to its query or fragment, and those: a presigned link is a key for whoever has it. Slashes may
// be escaped, as JSON allows.
var secretPart = regexp.MustCompile(`(?i)([a-z][a-z0-9+.-]*:(?:\\?/){2}[^\s"'<>?#]*[?#])[^\s"'<>]+`)

const secretMask = "(hidden)"

// maskLinks hides the secret part of every link in a text.
func maskLinks(s string) (string, bool) {
	masked := secretPart.ReplaceAllString(s, "${1}"+secretMask)
	return masked, masked != s
}

// visible makes a text from outside readable as it is: what has no shape, or changes the order of what is around it, is
// written by its number.
func visible(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\n', r == '\t':
			b.WriteRune(r)
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r) && r != '\u200d':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(s[i : i+size])
		}
		i += size
	}
	return b.String()
}

// bodyView makes of a body what a page shows of it: a tree, or where it is no JSON, its text.
func bodyView(body []byte) views.Body {
	v := views.Body{Size: views.Bytes(int64(len(body)))}
	t := &treeReader{d: jsontext.NewDecoder(bytes.NewReader(withoutBOM(body)), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))}
	root, err := t.value(0)
	if err == nil {
		if _, e := t.d.ReadToken(); !errors.Is(e, io.EOF) {
			err = errors.New("something follows the JSON value")
		}
	}
	if err != nil && !errors.Is(err, errFull) {
		v.Text, v.Masked = maskLinks(visible(string(body[:min(len(body), plainBytes)])))
		v.Cut = len(body) > plainBytes
		return v
	}
	v.Tree, v.Masked, v.Cut = &root, t.masked, t.cut
	if len(body) <= copyBytes && !t.cut {
		v.Copy, _ = maskedJSON(body) // without it there is no button
	}
	return v
}

func withoutBOM(body []byte) []byte { return bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) }

// treeReader reads JSON as far as its bounds let it.
type treeReader struct {
	d            *jsontext.Decoder
	nodes, chars int
	masked, cut  bool
}

// errFull says that the bounds are reached. What was read until then is returned beside it.
var errFull = errors.New("there is more than is shown")

func (t *treeReader) value(depth int) (n views.JSON, err error) {
	t.nodes++
	if t.nodes > treeNodes || t.chars > treeChars {
		t.cut = true
		return n, errFull
	}
	switch kind := t.d.PeekKind(); kind {
	case '{', '[':
		if depth >= treeDepth {
			t.cut = true
			n.Kind, n.Text = views.JSONOther, "nested too deeply to be shown"
			return n, t.d.SkipValue()
		}
		return t.container(kind, depth)
	case '"':
		token, err := t.d.ReadToken()
		if err != nil {
			return n, err
		}
		n.Kind, n.Text = views.JSONText, t.text(token.String())
		return n, nil
	default:
		raw, err := t.d.ReadValue()
		if err != nil {
			return n, err
		}
		n.Kind, n.Text = views.JSONOther, t.text(string(raw))
		return n, nil
	}
}

func (t *treeReader) container(kind jsontext.Kind, depth int) (n views.JSON, err error) {
	n.Kind, n.Open = views.JSONObject, depth < 3
	end := jsontext.Kind('}')
	if kind == '[' {
		n.Kind, end = views.JSONArray, ']'
	}
	if _, err := t.d.ReadToken(); err != nil {
		return n, err
	}
	for t.d.PeekKind() != end {
		name := ""
		if kind == '{' {
			token, err := t.d.ReadToken()
			if err != nil {
				return n, err
			}
			name = t.text(token.String())
		}
		child, err := t.value(depth + 1)
		if errors.Is(err, errFull) && child.Kind == "" {
			return n, err
		}
		if err != nil && !errors.Is(err, errFull) {
			return n, err
		}
		child.Name, child.Named = name, kind == '{'
		n.Children = append(n.Children, child)
		if err != nil {
			return n, err
		}
	}
	_, err = t.d.ReadToken()
	return n, err
}

// text is a name or a value as it is shown.
func (t *treeReader) text(s string) string {
	if r := []rune(s[:min(len(s), 4*treeString+utf8.UTFMax)]); len(r) > treeString {
		s = string(r[:treeString])
		t.cut = true
	}
	s, masked := maskLinks(visible(s))
	t.masked = t.masked || masked
	t.chars += len(s)
	return s
}

// maskedJSON is a body, indented, with the secret parts of its links hidden.
func maskedJSON(body []byte) (string, error) {
	var out bytes.Buffer
	d := jsontext.NewDecoder(bytes.NewReader(withoutBOM(body)), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	e := jsontext.NewEncoder(&out, jsontext.WithIndent("  "), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for {
		token, err := d.ReadToken()
		if errors.Is(err, io.EOF) {
			return out.String(), nil
		}
		if err != nil {
			return "", err
		}
		if token.Kind() == '"' {
			text, _ := maskLinks(token.String())
			token = jsontext.String(text)
		}
		if err := e.WriteToken(token); err != nil {
			return "", err
		}
	}
}
