package metriport

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Pair is one named value, in the order it was sent.
type Pair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Bounds of what is taken from parts that have no schema. The message itself keeps all of it.
const (
	mostPairs   = 60
	longestName = 80  // runes
	longestText = 500 // runes
)

// FilterPairs is what a consolidated query was narrowed to; nil where nothing was sent.
func (p PatientRow) FilterPairs() []Pair { return Pairs(p.Filters) }

// Pairs makes any JSON readable: an object by its members, anything else as one nameless value. nil where there is none.
func Pairs(raw []byte) []Pair {
	v := jsontext.Value(raw)
	if len(v) == 0 || v.Kind() == 'n' {
		return nil
	}
	if v.Kind() != '{' {
		return appendPair(nil, "", v)
	}
	d := jsontext.NewDecoder(bytes.NewReader(v), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	if _, err := d.ReadToken(); err != nil {
		return nil
	}
	var out []Pair
	for d.PeekKind() == '"' && len(out) < mostPairs {
		name, err := d.ReadToken()
		if err != nil {
			break
		}
		key := name.String()
		value, err := d.ReadValue()
		if err != nil {
			break
		}
		out = appendPair(out, key, value)
	}
	return out
}

func appendPair(to []Pair, name string, v jsontext.Value) []Pair {
	var text string
	if v.Kind() == 'n' || v.Kind() == '"' && json.Unmarshal(v, &text, jsontext.AllowInvalidUTF8(true)) != nil {
		return to
	}
	if v.Kind() != '"' {
		c := v.Clone()
		_ = c.Compact() // it was valid JSON
		text = string(c)
	}
	text, name = Clip(text, longestText), Clip(name, longestName)
	if text == "" && name == "" {
		return to
	}
	return append(to, Pair{name, text})
}

// Clip cuts text to so many runes, and shows that it did.
func Clip(text string, runes int) string {
	text = strings.TrimSpace(text)
	if len(text) <= runes || utf8.RuneCountInString(text) <= runes {
		return text
	}
	return string([]rune(text)[:runes]) + "…"
}

// TypeText is what kind of document it is: the text, else the first name or code.
func (d Document) TypeText() string {
	var t struct {
		Text   Text `json:"text"`
		Coding []struct {
			Code    Text `json:"code"`
			Display Text `json:"display"`
		} `json:"coding"`
	}
	if len(d.Type) == 0 || json.Unmarshal(d.Type, &t, jsontext.AllowInvalidUTF8(true)) != nil {
		return ""
	}
	if t.Text != "" {
		return string(t.Text)
	}
	for _, c := range t.Coding {
		if c.Display != "" {
			return string(c.Display)
		}
	}
	for _, c := range t.Coding {
		if c.Code != "" {
			return string(c.Code)
		}
	}
	return ""
}

// OrganizationNames are those whose document it is; where one has no name, its first identifier stands for it.
func (d Document) OrganizationNames() []string {
	var list []jsontext.Value
	if len(d.Organizations) == 0 || json.Unmarshal(d.Organizations, &list, jsontext.AllowInvalidUTF8(true)) != nil {
		return nil
	}
	var out []string
	for _, raw := range list {
		var o struct {
			Name   Text   `json:"name"`
			Values []Text `json:"identifierValues"`
		}
		switch err := json.Unmarshal(raw, &o, jsontext.AllowInvalidUTF8(true)); {
		case err != nil: // the others count
		case o.Name != "":
			out = append(out, string(o.Name))
		case len(o.Values) > 0 && o.Values[0] != "":
			out = append(out, string(o.Values[0]))
		}
	}
	return out
}

// ConsolidatedBundle is what the bundle of medical.consolidated-data is made of.
type ConsolidatedBundle struct {
	Sent    bool     // there was a bundle with a list of entries
	Entries int      // 0 means that there is no data
	Formats []string // media types of its attachments, in order, each once; "" where one was not said
	Inline  bool     // it holds resources itself, beside or instead of attachments
}

// ReadBundle says what the bundle of a consolidated query is made of; anything of another shape counts as not sent.
func (p PatientRow) ReadBundle() (out ConsolidatedBundle) {
	var b struct {
		Entry []jsontext.Value `json:"entry"`
	}
	if len(p.Bundle) == 0 || p.Bundle.Kind() != '{' || json.Unmarshal(p.Bundle, &b, jsontext.AllowInvalidUTF8(true)) != nil {
		return out
	}
	out.Sent, out.Entries = b.Entry != nil, len(b.Entry)
	seen := map[string]bool{}
	for _, raw := range b.Entry {
		var e struct {
			Resource struct {
				ResourceType Text `json:"resourceType"`
				Content      []struct {
					Attachment attachment `json:"attachment"`
				} `json:"content"`
			} `json:"resource"`
		}
		if json.Unmarshal(raw, &e, jsontext.AllowInvalidUTF8(true)) != nil || e.Resource.ResourceType != "DocumentReference" {
			out.Inline = true
			continue
		}
		leads := false
		for _, c := range e.Resource.Content {
			if c.Attachment.URL == "" {
				continue
			}
			leads = true
			if kind := c.Attachment.mediaType(); !seen[kind] {
				seen[kind] = true
				out.Formats = append(out.Formats, kind)
			}
		}
		out.Inline = out.Inline || !leads
	}
	return out
}
