package metriport

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Text is a string as the sender means it: without white space around it, a number by its digits, and "" for null,
// for what is absent and for anything else.
type Text string

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (t *Text) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	s, err := word(d)
	*t = Text(s)
	return err
}

// MarshalJSONTo implements [json.MarshalerTo].
func (t Text) MarshalJSONTo(e *jsontext.Encoder) error {
	return e.WriteToken(jsontext.String(string(t)))
}

// Time is an instant of the sender; the zero Time means that it was not sent or could not be read.
type Time struct{ time.Time }

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (t *Time) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	s, err := word(d)
	t.Time, _ = ParseTime(s)
	return err
}

// MarshalJSONTo implements [json.MarshalerTo]. The form is the sender's: UTC with milliseconds.
func (t Time) MarshalJSONTo(e *jsontext.Encoder) error {
	return e.WriteToken(jsontext.String(t.UTC().Format("2006-01-02T15:04:05.000Z07:00")))
}

// Date is when a pharmacy or a laboratory says that something happened: an instant, or only a day. The sender writes such a
// day as midnight UTC (contract.md, "Behind the URLs"); a bare date and YYYYMMDD are days as well. Of a day, the embedded
// time is its beginning in UTC, and must be shown without a clock and without moving it to another zone. The zero Date means
// that it was not sent or could not be read: a month or a year names no day.
type Date struct {
	time.Time
	Day bool
}

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (d *Date) UnmarshalJSONFrom(from *jsontext.Decoder) error {
	s, err := word(from)
	*d = parseDate(s)
	return err
}

// MarshalJSONTo implements [json.MarshalerTo]. The form is the sender's: UTC with milliseconds, also of a day.
func (d Date) MarshalJSONTo(e *jsontext.Encoder) error { return Time{d.Time}.MarshalJSONTo(e) }

func parseDate(s string) Date {
	t, form, err := parse(s)
	if err != nil || form == month || form == year {
		return Date{}
	}
	_, offset := t.Zone() // a clock that only its offset puts at midnight UTC is a clock
	return Date{Time: t.UTC(), Day: offset == 0 && t.Equal(t.Truncate(24*time.Hour))}
}

// Int is a whole number; 0 for null, for what is absent and for anything that is not one.
type Int int64

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (n *Int) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	*n = 0
	v, err := d.ReadValue()
	if err != nil {
		return errNotJSON(err)
	}
	var i int64
	if json.Unmarshal(v, &i) == nil {
		*n = Int(i)
	}
	return nil
}

// IDs maps a system to the patient's ids in it: {"athenahealth":["99992"]}. What is not a list of strings is left out.
type IDs map[string][]string

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (m *IDs) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	v, err := d.ReadValue()
	if err != nil {
		return errNotJSON(err)
	}
	var raw map[string]jsontext.Value
	if json.Unmarshal(v, &raw) != nil {
		raw = nil
	}
	*m = IDs{}
	for system, list := range raw {
		var many []Text
		var one Text
		switch {
		case json.Unmarshal(list, &many) == nil:
		case json.Unmarshal(list, &one) == nil:
			many = []Text{one}
		}
		for _, id := range many {
			if id != "" && !slices.Contains((*m)[system], string(id)) {
				(*m)[system] = append((*m)[system], string(id))
			}
		}
	}
	return nil
}

// Forms that name no instant.
const (
	month = "2006-01"
	year  = "2006"
)

// timeForms are the forms an instant arrives in, the documented one first. One without a zone is read as UTC.
var timeForms = []string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05.999999999",
	"2006-01-02T15:04Z07:00",
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999",
	"2006-01-02T15:04:05.999999999-0700",
	time.DateOnly,
	"20060102",
	month,
	year,
}

var errNotATime = errors.New("not an instant Carebell knows how to read")

// ParseTime reads an instant in any form the sender is known to use. Instants outside the years 1800 to 9999 are
// refused: they are mistakes, and no column can hold them.
func ParseTime(s string) (time.Time, error) {
	t, _, err := parse(s)
	return t.UTC(), err
}

// parse is [ParseTime] with the offset as it was sent, and beside it the form that fitted.
func parse(s string) (time.Time, string, error) {
	s = strings.TrimSpace(s)
	for _, form := range timeForms {
		if t, err := time.Parse(form, s); err == nil {
			if y := t.UTC().Year(); y < 1800 || y > 9999 {
				return time.Time{}, "", errNotATime
			}
			return t, form, nil
		}
	}
	return time.Time{}, "", errNotATime
}
