package sim

import (
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// health is what is true of a person, whatever the day: it follows from who they are alone, so that every file of theirs
// tells the same story and a later file tells more of it.
type health struct {
	who      person
	profile  profile
	records  []keeper // the clinics that keep a record of them, where the sender asks
	offset   int      // days by which their calendar differs from that of others of the same kind
	allergic []allergen
	denies   bool // says that there is no known allergy, where allergic is empty
}

// keeper is a clinic whose record the sender gets as a document over a network.
type keeper struct {
	network string
	clinic  string
	sources bool // whether the network's name stands on each resource too, and not only on the document
	worded  int  // how it codes: 0 SNOMED, 1 ICD-10, 2 in words alone
}

var keepers = []keeper{
	{fromCarequality, "Birchwood General", true, 0},
	{fromCommonwell, "Sampleton Family Medicine", false, 1},
	{fromCarequality, "Exampleville Internal Medicine", false, 2},
	{fromCommonwell, "Kestrel Valley Medical Center", true, 0},
	{"EHEX", "Fixture Falls Specialty Clinic", true, 1},
}

// healthOf is the health of one of the population.
func healthOf(p person) health {
	r := p.chance("health")
	h := health{who: p, offset: r.IntN(40)}
	age := 2026 - year(p.born)
	switch { // the old have what the old have
	case age >= 60:
		h.profile = profiles[r.IntN(5)]
	case age >= 40:
		h.profile = profiles[[]int{1, 2, 4, 5, 7}[r.IntN(5)]]
	default:
		h.profile = profiles[5+r.IntN(4)]
	}
	first := r.IntN(len(keepers))
	for i := range 2 + r.IntN(2) {
		h.records = append(h.records, keepers[(first+i)%len(keepers)])
	}
	switch r.IntN(5) {
	case 0: // nothing is recorded
	case 1:
		h.denies = true
	default:
		for _, i := range r.Perm(len(allergens))[:1+r.IntN(3)] {
			h.allergic = append(h.allergic, allergens[i])
		}
	}
	return h
}

// chance draws for one purpose, the same at any time.
func (p person) chance(purpose string) *rand.Rand {
	id := derived("chance", p.id, purpose)
	a, _ := strconv.ParseUint(id[:8], 16, 64) // hexadecimal digits
	b, _ := strconv.ParseUint(id[9:13]+id[24:], 16, 64)
	return seeded(a, b)
}

func year(day string) int {
	n, _ := strconv.Atoi(day[:4]) // written by population
	return n
}

// began is the first day of everybody's calendar.
var began = time.Date(2024, 7, 1, 0, 0, 0, 0, time.UTC)

// every lists the days of something regular, with its number, from the first one to a time.
func (h health) every(days, from int, until time.Time) (out []occasion) {
	for k := 0; ; k++ {
		day := began.AddDate(0, 0, h.offset+from+k*days)
		if day.After(until) {
			return out
		}
		out = append(out, occasion{k, day})
	}
}

type occasion struct {
	number int
	day    time.Time
}

// visits are the person's visits at home up to a time, the oldest first. The clinic sees them every quarter, and the
// first record keeps them.
func (h health) visits(until time.Time) []occasion { return h.every(84+h.offset%5*7, 0, until) }

// seen is the clock time of a visit on a day.
func (o occasion) seen() time.Time {
	return o.day.Add(15*time.Hour + time.Duration(o.number*37%360)*time.Minute)
}

// measured is the value of an analyte on a day: where the person's usual value lies, its trend over the years, and what
// changes from day to day.
func (h health) measured(a analyte, day time.Time) float64 {
	usual := h.who.chance(a.loinc)
	span := a.high - a.low
	level, slope := a.low+span*(0.25+0.6*usual.Float64()), span*(usual.Float64()-0.4)*0.12
	if oneIn(usual, 4) { // what is out of range stays about there
		level = a.high + span*0.2*usual.Float64()
	}
	daily := h.who.chance(a.loinc + day.Format(time.DateOnly))
	value := level + slope*day.Sub(began).Hours()/24/365 + span*0.12*daily.NormFloat64()
	scale := math.Pow10(a.digits)
	return math.Round(max(value, span*0.05)*scale) / scale
}
