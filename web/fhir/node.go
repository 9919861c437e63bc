package fhir

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits of one entry of a bundle. What stands beyond them is skipped.
const (
	maxEntryNodes = 40_000
	maxEntryBytes = 4 << 20
	maxNames      = 2_000 // member names that are shared between the nodes
)

// node is a JSON value of one entry. The methods take a nil node for one that is absent, and give the same for a value
// of another shape than is asked for: that is what makes the readers tolerant.
type node struct {
	name string // its name as a member of an object
	text string // of a string or number
	kids []node // of an object or array
	kind jsontext.Kind
	cut  bool // of a string: there was more
}

// skipped are members that hold nothing we show and can be large. Of the member extension, see [builder.extensions].
var skipped = map[string]bool{
	"modifierExtension": true, "meta": true, "link": true, "signature": true,
}

// builder reads nodes within the limits of an entry.
type builder struct {
	d     *jsontext.Decoder
	names map[string]string // as written, with its quotes → the name
	nodes int
	bytes int
	over  bool                   // the limits were reached
	wants func(kind string) bool // of other resources, what stands behind the type is skipped but for what they contain; nil = nothing is
}

func (b *builder) reset() { b.nodes, b.bytes, b.over = 0, 0, false }

// value reads the next value. Where the limits are reached, it is skipped and the node is null.
func (b *builder) value() (node, error) {
	if b.nodes >= maxEntryNodes || b.bytes >= maxEntryBytes {
		b.over = true
		return node{kind: 'n'}, b.d.SkipValue()
	}
	b.nodes++
	n := node{kind: b.d.PeekKind()}
	switch n.kind {
	case '{', '[':
		return b.inside(n)
	case '"', '0':
		token, err := b.d.ReadToken()
		if err != nil {
			return n, err
		}
		n.text = token.String()
		n.text, n.cut = strings.CutSuffix(n.text, cutMark)
		b.bytes += len(n.text)
		return n, nil
	default:
		_, err := b.d.ReadToken()
		return n, err
	}
}

func (b *builder) inside(n node) (node, error) {
	if _, err := b.d.ReadToken(); err != nil {
		return n, err
	}
	end := jsontext.Kind(']')
	if n.kind == '{' {
		end = '}'
	}
	unwanted := false
	for b.d.PeekKind() != end {
		name := ""
		if n.kind == '{' {
			var err error
			if name, err = b.memberName(); err != nil {
				return n, err
			}
			if skipped[name] || strings.HasPrefix(name, "_") || b.over || unwanted && name != "contained" {
				if err := b.d.SkipValue(); err != nil {
					return n, err
				}
				continue
			}
			if name == "extension" {
				if err := b.extensions(&n); err != nil {
					return n, err
				}
				continue
			}
		}
		kid, err := b.value()
		if err != nil {
			return n, err
		}
		if b.over {
			continue
		}
		kid.name = name
		n.kids = append(n.kids, kid)
		unwanted = unwanted || name == "resourceType" && b.wants != nil && !b.wants(kid.text)
	}
	_, err := b.d.ReadToken()
	return n, err
}

func (b *builder) memberName() (string, error) {
	quoted, err := b.d.ReadValue()
	if err != nil {
		return "", err
	}
	if name, ok := b.names[string(quoted)]; ok {
		return name, nil
	}
	if len(quoted) > 512 { // escapes included
		return "_", nil // none of ours
	}
	unquoted, err := jsontext.AppendUnquote(nil, quoted)
	if err != nil {
		return "_", nil //nolint:nilerr // invalid UTF-8 in a name: none of ours
	}
	if len(b.names) < maxNames {
		b.names[string(quoted)] = string(unquoted)
	}
	return string(unquoted), nil
}

// get is the member of that name, of several the first; nil where n has none or the member is null.
func (n *node) get(path ...string) *node {
	for _, name := range path {
		n = n.member(name)
	}
	return n
}

func (n *node) member(name string) *node {
	if n == nil || n.kind != '{' {
		return nil
	}
	for i := range n.kids {
		if n.kids[i].name == name && n.kids[i].kind != 'n' {
			return &n.kids[i]
		}
	}
	return nil
}

// all are the elements of an array; a lone object or string counts as an array of one.
func (n *node) all() []node {
	switch {
	case n == nil:
		return nil
	case n.kind == '[':
		return n.kids
	case n.kind == '{', n.kind == '"':
		return []node{*n}
	default:
		return nil
	}
}

// first is the first element of an array.
func (n *node) first() *node {
	if all := n.all(); len(all) > 0 {
		return &all[0]
	}
	return nil
}

// str is a string without the white space around it; a number by its digits.
func (n *node) str() string {
	if n == nil || n.kind != '"' && n.kind != '0' {
		return ""
	}
	return strings.TrimSpace(n.text)
}

// number is a JSON number with the digits as written; "" for any other, and for one that nobody measures.
func (n *node) number() string {
	if n == nil || n.kind != '0' || len(n.text) > 40 {
		return ""
	}
	return n.text
}

// whole is a whole number that is not negative; 0 and false for any other.
func (n *node) whole() (int, bool) {
	i, err := strconv.ParseInt(n.number(), 10, 32)
	if err != nil || i < 0 {
		return 0, false
	}
	return int(i), true
}

// boolean is true or false; sent says whether it was either.
func (n *node) boolean() (value, sent bool) {
	if n == nil {
		return false, false
	}
	return n.kind == 't', n.kind == 't' || n.kind == 'f'
}
