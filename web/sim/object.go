package sim

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// object is a JSON object whose members keep the order they were given in, as the sender's do.
type object []member

type member struct {
	name  string
	value any
}

// list is a JSON array.
type list []any

// of makes an object from names and values in turn. Members that are nil, "" or the zero time are left out, which is
// how the sender treats what it does not know; an empty list{} stays.
func of(pairs ...any) object {
	o := make(object, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		if name, ok := pairs[i].(string); ok && !absent(pairs[i+1]) {
			o = append(o, member{name, pairs[i+1]})
		}
	}
	return o
}

func absent(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case object:
		return v == nil
	case list:
		return v == nil
	case time.Time:
		return v.IsZero()
	default:
		return false
	}
}

// get returns the member of that name as a string, "" where there is none.
func (o object) get(name string) string {
	for _, m := range o {
		if m.name == name {
			s, _ := m.value.(string)
			return s
		}
	}
	return ""
}

// MarshalJSON implements [json.Marshaler].
func (o object) MarshalJSON() ([]byte, error) { return encode(o), nil }

// encode writes v as the sender's JSON.stringify would: members in order, nothing escaped for HTML.
func encode(v any) []byte {
	var b bytes.Buffer
	write(&b, v)
	return b.Bytes()
}

func write(b *bytes.Buffer, v any) {
	switch v := v.(type) {
	case object:
		b.WriteByte('{')
		for i, m := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			write(b, m.name)
			b.WriteByte(':')
			write(b, m.value)
		}
		b.WriteByte('}')
	case list:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			write(b, e)
		}
		b.WriteByte(']')
	case time.Time:
		write(b, stamp(v))
	case int:
		b.WriteString(strconv.Itoa(v))
	case string:
		if plain(v) {
			b.WriteByte('"')
			b.WriteString(v)
			b.WriteByte('"')
			return
		}
		writeAny(b, v)
	case json.RawMessage:
		b.Write(v)
	default:
		writeAny(b, v)
	}
}

func writeAny(b *bytes.Buffer, v any) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		b.WriteString("null")
		return
	}
	b.Truncate(b.Len() - 1) // the encoder's line break
}

// plain says that a string is its own JSON between quotes. Nearly all are.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// stamp is the sender's form of an instant.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// readObject reads a JSON object one level deep, in order; ok is false for anything else.
func readObject(raw []byte) (o object, ok bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	o = object{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, false
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return nil, false
		}
		word, _ := name.(string)
		o = append(o, member{word, value})
	}
	_, err := d.Token()
	return o, err == nil
}

// jsonRaw is JSON as it came.
type jsonRaw = json.RawMessage

// without is o but for the members of that name.
func (o object) without(name string) object {
	return slices.DeleteFunc(slices.Clone(o), func(m member) bool { return m.name == name })
}
