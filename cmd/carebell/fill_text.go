package main

import (
	"encoding/binary"
	"fmt"
	"net/url"
	"regexp"
	"slices"
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
	words  []byte // as they stood
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

const (
	uuidPattern = `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`
	timePattern = `\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{3})?Z`
)

// cutText finds what differs in a text of a journey. links are those of its message, in order.
func cutText(content []byte, j sim.Journey, messageID string, links []string) text {
	p := j.Person
	words := []struct {
		kind pieceKind
		word string
	}{
		{externalOf, strconv.Quote(p.ExternalID)}, {givenOf, p.Given}, {familyOf, p.Family}, {birthDay, p.Born}, {birthDigits, strings.ReplaceAll(p.Born, "-", "")},
		{genderOf, strconv.Quote(p.Sex)},
	}
	var patterns []string
	for _, l := range links {
		patterns = append(patterns, regexp.QuoteMeta(l))
	}
	patterns = append(patterns, uuidPattern, timePattern)
	for _, w := range words {
		if len(w.word) > 2 {
			patterns = append(patterns, regexp.QuoteMeta(w.word))
		}
	}
	var out text
	last := 0
	for _, at := range regexp.MustCompile(strings.Join(patterns, "|")).FindAllIndex(content, -1) {
		found := string(content[at[0]:at[1]])
		next := piece{words: content[at[0]:at[1]]}
		if i := slices.Index(links, found); i >= 0 {
			next.kind, next.link = linkTo, i
		} else if hi, lo, ok := readUUID(found); ok {
			switch next.kind, next.hi, next.lo = otherUUID, hi, lo; found {
			case j.PatientID:
				next.kind = patientUUID
			case messageID:
				next.kind = messageUUID
			}
		} else if i := slices.IndexFunc(words, func(w struct {
			kind pieceKind
			word string
		}) bool {
			return w.word == found
		}); i >= 0 {
			next.kind = words[i].kind
		} else {
			for _, form := range timeForms {
				if t, err := time.Parse(form, found); err == nil && len(found) == len(form) {
					if next.kind, next.at, next.layout = instantOf, t.UnixMilli(), form; t.Equal(t.Truncate(24 * time.Hour)) {
						next.kind = dayOf
					}
				}
			}
		}
		out = append(out, piece{words: content[last:at[0]]}, next)
		last = at[1]
	}
	return append(out, piece{words: content[last:]})
}

func readUUID(s string) (hi, lo uint64, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' {
		return 0, 0, false
	}
	digits := strings.ReplaceAll(s, "-", "")
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
