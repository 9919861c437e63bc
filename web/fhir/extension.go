package fhir

import "strings"

// The extensions that are read. The first is the sender's own (contract.md); it puts it on every resource.
const (
	extensionSource     = "https://public.metriport.com/fhir/StructureDefinition/data-source.json"
	extensionFillNumber = "http://hl7.org/fhir/StructureDefinition/medicationdispense-fillNumber"
)

// The networks whose dates are days: they send the day as UTC midnight (contract.md).
const (
	sourceSurescripts = "SURESCRIPTS"
	sourceQuest       = "QUEST"
)

const maxExtensions = 8 // of one object

// extensions reads the member extension of an object and adds those that are asked for, as the node of an array. Of the
// others, which can be of any size and shape, nothing stays.
func (b *builder) extensions(owner *node) error {
	if b.d.PeekKind() != '[' {
		return b.d.SkipValue()
	}
	if _, err := b.d.ReadToken(); err != nil {
		return err
	}
	all, traces := node{name: "extension", kind: '['}, node{name: tracesOf, kind: '['}
	for b.d.PeekKind() != ']' {
		if b.d.PeekKind() != '{' || len(all.kids) == maxExtensions || len(traces.kids) == maxTraces {
			if err := b.d.SkipValue(); err != nil {
				return err
			}
			continue
		}
		one, wanted, err := b.extension()
		if err != nil {
			return err
		}
		switch {
		case !wanted:
		case one.get("url").str() == extensionRelated:
			traces.kids = append(traces.kids, one)
		default:
			all.kids = append(all.kids, one)
		}
	}
	if _, err := b.d.ReadToken(); err != nil {
		return err
	}
	for _, found := range []node{all, traces} {
		if len(found.kids) > 0 {
			b.nodes++
			owner.kids = append(owner.kids, found)
		}
	}
	return nil
}

// extension reads one extension; wanted says whether its url is one of ours. The value, whose member may stand before the
// url, is a short string or number: valueCoding.code, valuePositiveInt, valueRelatedArtifact.display.
func (b *builder) extension() (one node, wanted bool, err error) {
	if _, err := b.d.ReadToken(); err != nil {
		return one, false, err
	}
	one.kind = '{'
	for b.d.PeekKind() != '}' {
		name, err := b.memberName()
		if err != nil {
			return one, false, err
		}
		kind := b.d.PeekKind()
		switch {
		case name == "url" && kind == '"':
			url, err := b.short(name)
			if err != nil {
				return one, false, err
			}
			wanted = wanted || url.str() == extensionSource || url.str() == extensionFillNumber || url.str() == extensionRelated
			one.kids = append(one.kids, url)
		case name == "valuePositiveInt" && kind == '0', name == "valueInteger" && kind == '0', name == "valueCode" && kind == '"':
			value, err := b.short("value")
			if err != nil {
				return one, false, err
			}
			one.kids = append(one.kids, value)
		case name == "valueCoding" && kind == '{':
			value, err := b.only("code")
			if err != nil {
				return one, false, err
			}
			one.kids = append(one.kids, value)
		case name == "valueRelatedArtifact" && kind == '{':
			value, err := b.only("display")
			if err != nil {
				return one, false, err
			}
			one.kids = append(one.kids, value)
		default:
			if err := b.d.SkipValue(); err != nil {
				return one, false, err
			}
		}
		if len(one.kids) > maxExtensions { // the same member again and again
			one.kids = one.kids[:maxExtensions]
		}
	}
	_, err = b.d.ReadToken()
	if wanted {
		for _, kid := range one.kids {
			b.nodes++
			b.bytes += len(kid.text)
		}
	}
	return one, wanted, err
}

// only is one member of an object, under the name value.
func (b *builder) only(member string) (node, error) {
	code := node{name: "value", kind: 'n'}
	if _, err := b.d.ReadToken(); err != nil {
		return code, err
	}
	for b.d.PeekKind() != '}' {
		name, err := b.memberName()
		if err != nil {
			return code, err
		}
		if name != member || b.d.PeekKind() != '"' {
			if err := b.d.SkipValue(); err != nil {
				return code, err
			}
			continue
		}
		if code, err = b.short("value"); err != nil {
			return code, err
		}
	}
	_, err := b.d.ReadToken()
	return code, err
}

// short reads a string or number; one that is longer than a URL of ours is null.
func (b *builder) short(name string) (node, error) {
	token, err := b.d.ReadToken()
	if err != nil {
		return node{}, err
	}
	n := node{name: name, kind: token.Kind(), text: token.String()}
	if len(n.text) > 200 || strings.HasSuffix(n.text, cutMark) {
		return node{name: name, kind: 'n'}, nil
	}
	return n, nil
}

// extended is the value of an extension of a resource; nil where it has none.
func (n *node) extended(url string) *node {
	for _, e := range n.get("extension").all() {
		if e.get("url").str() == url {
			if value := e.get("value"); value != nil {
				return value
			}
		}
	}
	return nil
}

// exchange is the code of the exchange or network that a resource comes from; "" where it was not sent. Of a resource
// that the sender made of several, the first.
func (c *from) exchange(n *node) string { return c.code(n.extended(extensionSource)) }

// day is a date of a pharmacy or a laboratory: a day where the network sends days.
func (c *from) day(exchange string, n *node) Time {
	return asDay(exchange, c.time(n))
}

func asDay(exchange string, t Time) Time {
	if strings.EqualFold(exchange, sourceSurescripts) || strings.EqualFold(exchange, sourceQuest) {
		return t.AsDay()
	}
	return t
}
