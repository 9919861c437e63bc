package care

import "time"

// Noon is where a day without a time stands among instants: at its noon in UTC, which lies on that very day in every time
// zone from UTC-12 to UTC+11. day is any instant of it in UTC.
func Noon(day time.Time) time.Time {
	const length = 24 * time.Hour
	return day.UTC().Truncate(length).Add(length / 2)
}

// When is when a record says that what a notice of kind k tells happened, which was told of at a time: an instant, or a day,
// of which it is [Noon]. It is zero where the record does not say it, or says less than a day. An admit or a discharge is
// never a day.
func (f Facts) When(k Kind, told time.Time) (at time.Time, day bool) {
	switch k {
	case Pharmacy:
		if len(f.Fills) > 0 {
			return readWhen(f.Fills[0].Filled)
		}
	case Lab:
		for _, p := range f.Panels {
			if at, day = readWhen(p.Collected); !at.IsZero() {
				return at, day
			}
		}
	case Summary:
		if f.Summary != nil {
			return readWhen(f.Summary.Date)
		}
	case Admit:
		if f.Encounter != nil {
			at, _ = f.Encounter.PeriodFor(k, told)
		}
	case Discharge:
		if f.Encounter != nil {
			_, at = f.Encounter.PeriodFor(k, told)
		}
	case Transfer: // a record tells of a stay, not of a move
	}
	return at, false
}

// readWhen reads a FHIR dateTime as facts hold it.
func readWhen(text string) (at time.Time, day bool) {
	if d, err := time.Parse(time.DateOnly, text); err == nil {
		return Noon(d), true
	}
	return instantOf(text), false
}
