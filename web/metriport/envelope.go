package metriport

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits of what the envelope accepts as an identity. A longer or unprintable id is kept as part of the body, and the
// message counts as malformed.
const (
	maxMessageID = 512
	maxWord      = 256
)

// Envelope is what every message has in common: `meta` (see contract.md, "Envelope") and, for a ping, the word to
// answer with.
type Envelope struct {
	MessageID string    // meta.messageId, or "sha256:<hex of the body>" where Malformed is set
	RequestID string    // meta.requestId, "" where absent
	Type      string    // meta.type, "" where it could not be read
	When      time.Time // meta.when, or meta.whenGenerated on the dashboard's test events; zero where absent
	Test      bool      // true for the dashboard's test events, which carry whenGenerated
	Shared    bool      // the id is one that test events share: only with its body it names this message
	Ping      string    // the top-level `ping` string, "" where absent
	Malformed string    // why the envelope cannot be trusted, and nothing else of it was taken; "" when it can
}

// ReadEnvelope reads the envelope of a signed body. It never fails: what cannot be read is said in Malformed, and the
// identity is then the body's own hash.
//
// Names are matched to the letter. A second `meta`, a second messageId, or one spelled in other case makes the body
// malformed, because two readers of it could see two different messages.
func ReadEnvelope(body []byte) Envelope {
	e := &Envelope{}
	err := e.read(body)
	if err == nil {
		err = e.check()
	}
	if err != nil {
		sum := sha256.Sum256(body)
		*e = Envelope{MessageID: "sha256:" + hex.EncodeToString(sum[:]), Ping: e.Ping, Malformed: err.Error()}
	}
	return *e
}

func (e *Envelope) read(body []byte) error {
	d := jsontext.NewDecoder(bytes.NewReader(trimBOM(body)),
		jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	sawMeta := false
	err := members(d, "the body", map[string]func() error{
		"meta": func() error { sawMeta = true; return e.readMeta(d) },
		"ping": func() (err error) { e.Ping, err = text(d); return err }, // to be answered to the letter
	})
	if err != nil {
		return err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON object")
	}
	if !sawMeta {
		return errors.New("no meta object")
	}
	return nil
}

func (e *Envelope) readMeta(d *jsontext.Decoder) error {
	var when, generated string
	into := func(s *string) func() error {
		return func() (err error) { *s, err = word(d); return err }
	}
	err := members(d, "meta", map[string]func() error{
		"messageId":     into(&e.MessageID),
		"requestId":     into(&e.RequestID),
		"type":          into(&e.Type),
		"when":          into(&when),
		"whenGenerated": into(&generated),
	})
	if err != nil {
		return err
	}
	e.Test = when == "" && generated != ""
	e.Shared = e.Test && !isUUID(e.MessageID) // every other id of the sender's is a UUID
	if when == "" {
		when = generated
	}
	e.When, _ = ParseTime(when)
	return nil
}

func (e *Envelope) check() error {
	switch {
	case e.MessageID == "":
		return errors.New("meta.messageId is missing")
	case len(e.MessageID) > maxMessageID || !printable(e.MessageID):
		return errors.New("meta.messageId is not a usable id")
	case e.Type == "":
		return errors.New("meta.type is missing")
	case len(e.Type) > maxWord || !printable(e.Type):
		return errors.New("meta.type is not a usable word")
	case len(e.RequestID) > maxMessageID || !printable(e.RequestID):
		return errors.New("meta.requestId is not a usable id")
	}
	return nil
}

// members walks one JSON object and calls read[name] for the names it knows; the rest is skipped. A known name that
// stands twice, or stands in another case, is an error.
func members(d *jsontext.Decoder, of string, read map[string]func() error) error {
	if d.PeekKind() != '{' {
		if _, err := d.ReadValue(); err != nil {
			return errNotJSON(err)
		}
		return fmt.Errorf("%s is not a JSON object", of)
	}
	if _, err := d.ReadToken(); err != nil {
		return errNotJSON(err)
	}
	seen := map[string]bool{}
	for d.PeekKind() != '}' {
		token, err := d.ReadToken()
		if err != nil {
			return errNotJSON(err)
		}
		name := token.String()
		for known := range read {
			if !strings.EqualFold(name, known) {
				continue
			}
			if seen[known] || name != known {
				return fmt.Errorf("%s has %q more than once or in another case", of, known)
			}
			seen[known] = true
		}
		if f, ok := read[name]; ok {
			err = f()
		} else {
			err = errNotJSON(d.SkipValue())
		}
		if err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return errNotJSON(err)
}

// word reads a string without the white space around it. A number is taken by its digits; null, and anything that is
// neither, is "".
func word(d *jsontext.Decoder) (string, error) {
	s, err := text(d)
	return strings.TrimSpace(s), err
}

// text is [word] with its white space.
func text(d *jsontext.Decoder) (string, error) {
	switch d.PeekKind() {
	case '"', '0':
		token, err := d.ReadToken()
		if err != nil {
			return "", errNotJSON(err)
		}
		return token.String(), nil
	default:
		return "", errNotJSON(d.SkipValue())
	}
}

// errNotJSON hides the decoder's own words: they quote the body, which may name a patient.
func errNotJSON(err error) error {
	if err == nil {
		return nil
	}
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		return fmt.Errorf("not valid JSON at byte %d", syntactic.ByteOffset)
	}
	return errors.New("not valid JSON: it ends too early")
}

// isUUID says whether s is written as a UUID, of whatever version.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i] | 0x20
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\ufffd' })
}

// trimBOM drops the byte order mark that some relays put before JSON.
func trimBOM(body []byte) []byte { return bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) }
