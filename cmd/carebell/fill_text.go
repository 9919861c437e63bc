package main

import (
	"encoding/binary"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"carebell/web/sim"
)

// A fill tells the stories of the simulated sender many times over: each time of another patient, at another time, with
// other ids. A text is a body or a file, cut at what differs.
type text []piece

// piece is a part of a text: words that stay, or something that is put in anew each time.
type piece struct {
	kind   pieceKind
	words  []byte // that stay
	hi, lo uint64 // of an id
	at     int64  // of a time, milliseconds UTC
	layout string // of a time
	link   int    // which of its message's files a link leads to
}

type pieceKind int

const (
	asIs pieceKind = iota
	patientUUID
	messageUUID // begins with the time at which it was sent
	otherUUID
	instantOf // a time, to the millisecond or the second
	dayOf     // a day, as UTC midnight
	birthDay
	birthDigits
	externalOf
	givenOf
	familyOf
	genderOf
	linkTo
)

// whose says what is put into a text: the story's number, its patient, and how much later than its model it happens.
type whose struct {
	story   uint64
	patient uint64
	shift   int64 // milliseconds
	sent    int64 // when the message is sent, milliseconds UTC
}

var timeForms = []string{"2006-01-02T15:04:05.000Z", "2006-01-02T15:04:05Z"}

// cutText finds what differs in a text of a journey. links are those of its message, in order.
func cutText(content []byte, j sim.Journey, messageID string, links []string) text {
	p := j.Person
	type word struct {
		kind pieceKind
		word string
	}
	var words [256][]word // by their first byte
	for _, w := range []word{
		{externalOf, strconv.Quote(p.ExternalID)}, {givenOf, p.Given}, {familyOf, p.Family}, {birthDay, p.Born}, {birthDigits, strings.ReplaceAll(p.Born, "-", "")},
		{genderOf, strconv.Quote(p.Sex)},
	} {
		if len(w.word) > 2 {
			words[w.word[0]] = append(words[w.word[0]], w)
		}
	}
	// next is what stands at a place, if it differs.
	next := func(rest string) (found piece, length int) {
		if rest[0] == 'h' {
			for i, l := range links {
				if strings.HasPrefix(rest, l) {
					return piece{kind: linkTo, link: i}, len(l)
				}
			}
		}
		if hi, lo, ok := readUUID(rest); ok {
			found = piece{kind: otherUUID, hi: hi, lo: lo}
			switch rest[:36] {
			case j.PatientID:
				found.kind = patientUUID
			case messageID:
				found.kind = messageUUID
			}
			return found, 36
		}
		if at, form, ok := readTime(rest); ok {
			found = piece{kind: instantOf, at: at.UnixMilli(), layout: form}
			if at.Equal(at.Truncate(24 * time.Hour)) {
				found.kind = dayOf
			}
			return found, len(form)
		}
		for _, w := range words[rest[0]] {
			if strings.HasPrefix(rest, w.word) {
				return piece{kind: w.kind}, len(w.word)
			}
		}
		return found, 0
	}
	var out text
	last := 0
	all := string(content)
	for i := 0; i < len(all); {
		found, n := next(all[i:])
		if n == 0 {
			i++
			continue
		}
		out = append(out, piece{words: content[last:i]}, found)
		i += n
		last = i
	}
	return append(out, piece{words: content[last:]})
}

// readTime reads the instant that s begins with.
func readTime(s string) (at time.Time, form string, ok bool) {
	if len(s) < 20 || s[4] != '-' || s[10] != 'T' || s[13] != ':' {
		return at, "", false
	}
	for _, form := range timeForms {
		if len(s) >= len(form) && s[len(form)-1] == 'Z' {
			if at, err := time.Parse(form, s[:len(form)]); err == nil {
				return at, form, true
			}
		}
	}
	return at, "", false
}

// readUUID reads the id that s begins with.
func readUUID(s string) (hi, lo uint64, ok bool) {
	if len(s) < 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return 0, 0, false
	}
	digits := s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:36]
	hi, err := strconv.ParseUint(digits[:16], 16, 64)
	lo, err2 := strconv.ParseUint(digits[16:], 16, 64)
	return hi, lo, err == nil && err2 == nil
}

func appendUUID(to []byte, hi, lo uint64) []byte {
	const digits = "0123456789abcdef"
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], hi)
	binary.BigEndian.PutUint64(b[8:], lo)
	for i, c := range b {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			to = append(to, '-')
		}
		to = append(to, digits[c>>4], digits[c&15])
	}
	return to
}

// mixed spreads numbers over all bits, each to another (splitmix64).
func mixed(n uint64) uint64 {
	n += 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}

// The bits of a UUID that say its version and variant stay.
const (
	keepHi = uint64(0x000000000000f000)
	keepLo = uint64(0xc000000000000000)
)

// Names of the patients: a search for one of the first family names finds very many, one for the last very few.
var (
	fillGiven  = []string{"Avery", "Jordan", "Riley", "Casey", "Morgan", "Quinn", "Rowan", "Skyler", "Emerson", "Finley", "Harper", "Dakota", "Zoë", "José", "Łucja", "Søren", "Marlowe", "Ellis", "Blair"}
	fillFamily = []string{"Testpatient", "Sample", "Example", "Fictional", "Placeholder", "Specimen", "O'Example"}
)

const (
	fillRare  = "Rarename"
	rareEvery = 5000
	fewBusy   = 5 // patients with very many events
)

// familyName is a patient's family name, with their number.
func familyName(patient uint64) string {
	name := fillFamily[patient%uint64(len(fillFamily))]
	if patient%rareEvery == fewBusy {
		name = fillRare
	}
	return name + "-" + strconv.FormatUint(patient, 10)
}

// patientID is a patient's id, as the sender would have it.
func patientID(patient uint64) string {
	return string(appendUUID(nil, mixed(patient<<1)&^keepHi|0x4000, mixed(patient<<1+1)&^keepLo|0x8000000000000000))
}

// put appends the text as it is told of somebody. link appends a link.
func (t text) put(to []byte, w whose, link func(to []byte, file int) []byte) []byte {
	for _, p := range t {
		switch p.kind {
		case asIs:
			to = append(to, p.words...)
		case patientUUID:
			to = append(to, patientID(w.patient)...)
		case messageUUID:
			to = appendUUID(to, uint64(w.sent)<<16|p.hi&0xffff, (p.lo&^keepLo^mixed(w.story)&^keepLo)|p.lo&keepLo)
		case otherUUID:
			to = appendUUID(to, p.hi^mixed(w.story)&^keepHi, p.lo^mixed(^w.story)&^keepLo)
		case instantOf:
			to = time.UnixMilli(p.at+w.shift).UTC().AppendFormat(to, p.layout)
		case dayOf:
			const day = 24 * 3600_000
			to = time.UnixMilli(p.at+w.shift/day*day).UTC().AppendFormat(to, p.layout)
		case birthDay, birthDigits:
			form := "%04d-%02d-%02d"
			if p.kind == birthDigits {
				form = "%04d%02d%02d"
			}
			to = fmt.Appendf(to, form, 1926+w.patient%80, 1+w.patient%12, 1+w.patient%28)
		case externalOf:
			to = fmt.Appendf(to, `"7%08d"`, w.patient)
		case givenOf:
			to = append(to, fillGiven[w.patient%uint64(len(fillGiven))]...)
		case familyOf:
			to = append(to, familyName(w.patient)...)
		case genderOf:
			to = append(to, []string{`"female"`, `"male"`}[w.patient%2]...)
		case linkTo:
			to = link(to, p.link)
		}
	}
	return to
}

// signedLink is a link to a file of a story as the sender's are, alive for as long as any is.
func signedLink(to []byte, origin string, model, file int, name string, w whose) []byte {
	at := time.UnixMilli(w.sent).UTC()
	to = append(to, origin...)
	to = fmt.Appendf(to, "/objects/%d.%d.%d.%d.%d.%d/%s", model, file, w.story, w.patient, w.shift, w.sent, url.PathEscape(name))
	to = append(to, "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=SIMULATED%2F"...)
	to = at.AppendFormat(to, "20060102")
	to = append(to, "%2Fus-west-1%2Fs3%2Faws4_request&X-Amz-Date="...)
	to = at.AppendFormat(to, "20060102T150405Z")
	to = append(to, "&X-Amz-Expires=604800&X-Amz-Signature="...)
	for i := range uint64(4) {
		to = fmt.Appendf(to, "%016x", mixed(w.story<<2|i))
	}
	return append(to, "&X-Amz-SignedHeaders=host"...)
}
