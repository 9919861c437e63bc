package metriport

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Field is a value that has no place of its own on a page, under its own name.
type Field struct {
	Name string // "source › name" for a member of a member
	Text string // a link is without its query, which is a secret
	Cut  bool   // there is more in the message itself
}

// Bounds of what [Fields] lists; the message itself has all of it.
const (
	maxFields    = 400
	maxFieldText = 8 << 10 // bytes
)

// Fields lists everything that an object says, in its order, by its own names: what is nested under the names of what it
// is nested in, lists of plain values as one text. For anything but an object it is one field without a name, and for
// what is empty or no JSON none. more says that there was more than can be listed.
func Fields(raw jsontext.Value) (list []Field, more bool) {
	f := &fields{}
	f.value("", raw)
	return f.list, f.more
}

// OtherFields lists what a body says beside its payload, but for the four names of `meta` that every page knows.
func OtherFields(body []byte) (list []Field, more bool) {
	f := &fields{skip: map[string]bool{"payload": true, "meta › messageId": true, "meta › type": true, "meta › when": true}}
	f.value("", trimBOM(body))
	return f.list, f.more
}

type fields struct {
	list []Field
	more bool
	skip map[string]bool
}

// tolerate reads what stands twice, and bytes that are no text, as they are.
var tolerate = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

func (f *fields) value(name string, raw jsontext.Value) {
	if f.skip[name] {
		return
	}
	if len(f.list) >= maxFields {
		f.more = true
		return
	}
	switch raw.Kind() {
	case '{':
		f.members(name, raw)
	case '[':
		f.elements(name, raw)
	case 0:
	default:
		f.add(name, plainText(raw))
	}
}

func (f *fields) members(name string, raw jsontext.Value) {
	d := jsontext.NewDecoder(strings.NewReader(string(raw)), tolerate)
	if _, err := d.ReadToken(); err != nil {
		return
	}
	empty := true
	for d.PeekKind() != '}' {
		word, err := d.ReadToken()
		if err != nil {
			return
		}
		inner := strings.ToValidUTF8(word.String(), "\ufffd")
		v, err := d.ReadValue()
		if err != nil {
			return
		}
		if empty = false; name != "" {
			inner = name + " › " + inner
		}
		f.value(inner, v.Clone())
	}
	if empty {
		f.add(name, "nothing")
	}
}

func (f *fields) elements(name string, raw jsontext.Value) {
	var all []jsontext.Value
	if json.Unmarshal(raw, &all, tolerate) != nil {
		return
	}
	var words []string
	nested := false
	for _, v := range all {
		nested = nested || v.Kind() == '{' || v.Kind() == '['
		words = append(words, plainText(v))
	}
	switch {
	case len(all) == 0:
		f.add(name, "an empty list")
	case !nested:
		f.add(name, strings.Join(words, ", "))
	default:
		for i, v := range all {
			f.value(strings.TrimSpace(name+" "+strconv.Itoa(i+1)), v)
		}
	}
}

func (f *fields) add(name, text string) {
	if name == "" && text == "nothing" {
		return
	}
	field := Field{Name: name, Text: text}
	if len(text) > maxFieldText {
		at := maxFieldText
		for at > 0 && !utf8.RuneStart(text[at]) {
			at--
		}
		field.Text, field.Cut = text[:at], true
	}
	f.list = append(f.list, field)
}

// plainText is a value that is neither object nor list, as people read it.
func plainText(raw jsontext.Value) string {
	switch raw.Kind() {
	case '"':
		var s string
		if json.Unmarshal(raw, &s, tolerate) != nil {
			return string(raw)
		}
		if s = strings.TrimSpace(s); s == "" {
			return "an empty text"
		}
		return withoutSecret(s)
	case 't':
		return "yes"
	case 'f':
		return "no"
	case 'n':
		return "null"
	default:
		return string(raw)
	}
}

// withoutSecret is a text as it is, and a link without what makes it open.
func withoutSecret(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery == "" && u.User == nil && u.Fragment == "" {
		return s
	}
	return u.Scheme + "://" + u.Host + u.EscapedPath() + " (a link; the rest of it is a secret)"
}
