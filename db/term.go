package db

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// mostWords bounds how many words of a text are looked for.
const mostWords = 12

// term is something that must be found: one of these, in the spelling of [fold].
type term []string

// long says whether every spelling of it has a trigram, by which an index finds it.
func (t term) long() bool {
	for _, s := range t {
		if len([]rune(s)) < 3 {
			return false
		}
	}
	return true
}

// match is the term for FTS5.
func (t term) match() string {
	quoted := make([]string, len(t))
	for i, s := range t {
		quoted[i] = `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
	}
	return "(" + strings.Join(quoted, " OR ") + ")"
}

// like is the term as a condition on a column.
func (t term) like(column string) (string, []any) {
	parts, args := make([]string, len(t)), make([]any, len(t))
	for i, s := range t {
		parts[i], args[i] = column+` LIKE ? ESCAPE '\'`, "%"+escapeLike(s)+"%"
	}
	return "(" + strings.Join(parts, " OR ") + ")", args
}

// unaccented are letters that Unicode does not take apart.
var unaccented = strings.NewReplacer("ø", "o", "ł", "l", "đ", "d", "ð", "d", "þ", "th", "æ", "ae", "œ", "oe", "ß", "ss", "ı", "i", "’", "'", "‘", "'")

// fold spells a text as it is looked for: in lower case, without accents.
func fold(text string) string {
	ascii := true
	for i := 0; i < len(text) && ascii; i++ {
		ascii = text[i] < 0x80
	}
	text = strings.ToLower(text)
	if ascii {
		return text
	}
	text = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFD.String(text))
	return unaccented.Replace(norm.NFC.String(text))
}

// birthWord is how a birth date stands among the words of a patient: told apart from ids that have the same digits.
func birthWord(iso string) string { return "*" + iso }

// phoneWord is how a phone number stands there: its digits, without the prefix of the US, between marks. "" where it has
// too few.
func phoneWord(phone string) string {
	phone, _, _ = strings.Cut(strings.ToLower(phone), "x") // an extension
	n := phoneDigits(phone)
	if len(n) < 7 {
		return ""
	}
	return "+" + n + ";"
}

func phoneDigits(text string) string {
	n := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
	if len(n) == 11 {
		n = strings.TrimPrefix(n, "1")
	}
	return n
}

// Spellings of dates and phone numbers, each between spaces or commas.
var spellings = []struct {
	form *regexp.Regexp
	read func(m []string) []string // how what was typed may stand among the words, besides as it was typed
}{
	{spelled(`(\d{4})([-/.])(\d{1,2})([-/.])(\d{1,2})`), func(m []string) []string { return dates(m[1], m[3], m[5]) }},
	{spelled(`(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}|\d{2})`), func(m []string) []string {
		if list := dates(m[3], m[1], m[2]); list != nil {
			return list
		}
		return dates(m[3], m[2], m[1]) // no month has that number
	}},
	{spelled(`(\d{1,2})(?:st|nd|rd|th)?[- ]+(` + monthNames + `)\.?,?[- ]+'?(\d{4}|\d{2})`), func(m []string) []string { return dates(m[3], month(m[2]), m[1]) }},
	{spelled(`(` + monthNames + `)\.?[- ]+(\d{1,2})(?:st|nd|rd|th)?,?[- ]+'?(\d{4}|\d{2})`), func(m []string) []string { return dates(m[3], month(m[1]), m[2]) }},
	{spelled(`(\d{4})(\d{2})(\d{2})`), func(m []string) []string { return dates(m[1], m[2], m[3]) }},
	{spelled(`(\d{2})(\d{2})(\d{4})`), func(m []string) []string { return dates(m[3], m[1], m[2]) }},
	{spelled(`(?:\+?1[-. ]*)?\(?\d{3}\)?[-. /]*\d{3}[-. ]*\d{4}`), func(m []string) []string { return []string{"+" + phoneDigits(m[0]) + ";"} }},
	{spelled(`\d{3}[-. ]?\d{4}`), func(m []string) []string { return []string{phoneDigits(m[0]) + ";"} }},
	{spelled(`\+\d[-. ()\d]*\d`), func(m []string) []string {
		n := phoneDigits(m[0])
		if rest, us := strings.CutPrefix(n, "1"); us && len(n) < 11 {
			n = rest // its beginning
		}
		if len(n) < 2 {
			return nil
		}
		return []string{"+" + n}
	}},
}

const monthNames = `jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?`

func spelled(form string) *regexp.Regexp {
	return regexp.MustCompile(`(?:^|[\s,;])(` + form + `)(?:$|[\s,;])`)
}

// month is the number of a month by the beginning of its name.
func month(name string) string {
	return strconv.Itoa(1 + strings.Index("janfebmaraprmayjunjulaugsepoctnovdec", name[:3])/3)
}

// dates are the birth dates that a year, month and day mean, as words of patients; nil where there is no such day. A year
// of two digits can be of this century or the last.
func dates(year, month, day string) (out []string) {
	years := []string{year}
	if len(year) == 2 {
		years = []string{"19" + year, "20" + year}
	}
	for _, y := range years {
		if len(month) < 2 {
			month = "0" + month
		}
		if len(day) < 2 {
			day = "0" + day
		}
		iso := fmt.Sprintf("%s-%s-%s", y, month, day)
		if _, err := time.Parse(time.DateOnly, iso); err == nil && y > "1850" && y < "2200" {
			out = append(out, birthWord(iso))
		}
	}
	return out
}

// searchTerms are what a text looks for: dates of birth and phone numbers in any spelling, and its other words. "Last,
// First" are two words.
func searchTerms(text string) []term {
	text = strings.Join(strings.FieldsFunc(fold(text), func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	var out []term
	for _, s := range spellings {
		for from := 0; len(out) < mostWords; {
			at := s.form.FindStringSubmatchIndex(text[from:])
			if at == nil {
				break
			}
			var m []string
			for i := 2; i < len(at); i += 2 {
				group := ""
				if at[i] >= 0 {
					group = text[from+at[i] : from+at[i+1]]
				}
				m = append(m, group)
			}
			other := s.read(m)
			if other == nil {
				from += at[3]
				continue
			}
			out = append(out, append(term{m[0]}, other...))
			text = text[:from+at[2]] + text[from+at[3]:]
		}
	}
	for word := range strings.FieldsSeq(text) {
		if bare := strings.Trim(word, ",;"); bare != "" {
			word = bare
		} else if len(out) > 0 {
			continue // what a list of words is separated by
		}
		out = append(out, term{word})
	}
	return out[:min(len(out), mostWords)]
}

// byWords are the conditions that a search table holds every term of text: match is for FTS5, "" where no term is long
// enough; like is of those that are too short.
func byWords(text, column string) (match string, like conditions) {
	var long []string
	for _, t := range searchTerms(text) {
		if t.long() {
			long = append(long, t.match())
			continue
		}
		clause, args := t.like(column)
		like.add(clause, args...)
	}
	return strings.Join(long, " AND "), like
}
