package fhir

import (
	"errors"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// Precision is how exactly a [Time] was given.
type Precision uint8

// The precisions of a FHIR R4 dateTime. An Instant is the usual one.
const (
	Instant Precision = iota
	Day
	Month
	Year
)

// Time is a FHIR R4 dateTime, date or instant; the zero Time means that it was not sent or could not be read. An
// instant is in UTC. Of a day, month or year the embedded time is its beginning in UTC, and must be shown without a
// clock and without moving it to another zone.
//
// The JSON form is RFC 3339 in UTC, or 2006-01-02, 2006-01, 2006.
type Time struct {
	time.Time
	Precision Precision
}

var layouts = [...]string{Instant: time.RFC3339Nano, Day: time.DateOnly, Month: "2006-01", Year: "2006"}

// instants are the forms an instant arrives in, the correct one first. One without a zone is read as UTC.
var instants = []string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05.999999999",
	"2006-01-02T15:04Z07:00",
	"2006-01-02T15:04",
	"2006-01-02T15:04:05.999999999-0700",
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999",
}

// ParseTime reads a FHIR R4 dateTime. What is none, or lies outside the years 1800 to 9999, is the zero Time.
func ParseTime(s string) Time {
	s = strings.TrimSpace(s)
	if len(s) > 64 {
		return Time{}
	}
	for p := Day; p <= Year; p++ {
		if t, err := time.Parse(layouts[p], s); err == nil {
			return within(t, p)
		}
	}
	for _, form := range instants {
		if t, err := time.Parse(form, s); err == nil {
			return within(t, Instant)
		}
	}
	return Time{}
}

func within(t time.Time, p Precision) Time {
	if t = t.UTC(); t.Year() < 1800 || t.Year() > 9999 {
		return Time{}
	}
	return Time{t, p}
}

// String is the JSON form; "" for the zero Time.
func (t Time) String() string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(layouts[min(t.Precision, Year)])
}

// MarshalJSON implements [json.Marshaler].
func (t Time) MarshalJSON() ([]byte, error) { return []byte(`"` + t.String() + `"`), nil }

// UnmarshalJSON implements [json.Unmarshaler].
func (t *Time) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return errors.New("a time is not a JSON string")
	}
	*t = ParseTime(s)
	return nil
}
