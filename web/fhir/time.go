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
	"20060102150405.999999999Z0700", // HL7 v2
	"20060102150405.999999999",
	"200601021504Z0700",
	"200601021504",
}

// compactDay is a day as HL7 v2 and the laboratory network write it. Six digits are read as nothing: they can be a month of
// a year, or a day of a year of two digits.
const compactDay = "20060102"

// ParseTime reads a FHIR R4 dateTime, or an HL7 v2 time, such as 20260421. What is none, or lies outside the years 1800 to
// 9999, is the zero Time.
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
	if t, err := time.Parse(compactDay, s); err == nil {
		return within(t, Day)
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

// AsDay is t where it is a date of a pharmacy or a laboratory: there a UTC midnight is how the sender writes a day
// (contract.md), and nobody knows the hour. It must never be asked of an admit or a discharge.
func (t Time) AsDay() Time {
	if t.Precision == Instant && !t.IsZero() && t.Equal(t.UTC().Truncate(24*time.Hour)) {
		t.Precision = Day
	}
	return t
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
