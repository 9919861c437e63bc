package fhir

import (
	"cmp"
	"slices"
	"strings"
)

// Patient is who the facts are about. Source: FHIR R4 Patient.
type Patient struct {
	ID          string       `json:"id,omitempty"`
	Name        string       `json:"name,omitempty"`      // official, else usual, else the first; "" for a John Doe
	BirthDate   string       `json:"birthDate,omitempty"` // 2006-01-02, or less where less was sent
	Sex         string       `json:"sex,omitempty"`       // gender: male, female, other, unknown
	Phone       string       `json:"phone,omitempty"`     // telecom of system phone: by rank, mobile and home before others
	Identifiers []Identifier `json:"identifiers,omitempty"`
	Deceased    bool         `json:"deceased,omitzero"`   // deceasedBoolean, or true with DeceasedAt; false also where not sent
	DeceasedAt  Time         `json:"deceasedAt,omitzero"` // deceasedDateTime
	Exchange    string       `json:"exchange,omitempty"`  // code of the exchange or network it comes from, as sent (data-source.json)
}

type patient struct {
	Patient
	known *known
}

func (c *from) patient(id string, n *node) Patient {
	p := Patient{
		ID:          id,
		Exchange:    c.exchange(n),
		Name:        c.humanName(n.get("name"), false),
		BirthDate:   birthDate(n.get("birthDate").str()),
		Phone:       c.phone(n.get("telecom"), ownUses),
		Identifiers: c.identifiers(n.get("identifier")),
	}
	switch sex := c.code(n.get("gender")); sex {
	case "male", "female", "other", "unknown":
		p.Sex = sex
	}
	p.DeceasedAt = c.time(n.get("deceasedDateTime"))
	said, _ := n.get("deceasedBoolean").boolean()
	p.Deceased = said || !p.DeceasedAt.IsZero()
	return p
}

// birthDate is a FHIR date, a day, a month or a year, or YYYYMMDD. Of an instant only the day is meant.
func birthDate(s string) string {
	if day, _, ok := strings.Cut(s, "T"); ok {
		s = day
	}
	if len(s) > len(compactDay) && !strings.Contains(s, "-") { // HL7 v2, with an hour
		s = s[:len(compactDay)]
	}
	t := ParseTime(s)
	if t.IsZero() || t.Precision == Instant {
		return ""
	}
	return t.String()
}

// phone is the telecom of system phone that is best to call: the best rank, then in the order of uses; none that is out of
// use.
func (c *from) phone(n *node, uses map[string]int) string {
	best, bestRank := "", 1<<30
	for _, e := range n.all() {
		use, known := uses[e.get("use").str()]
		value := c.line(e.get("value"))
		if e.get("system").str() != "phone" || !known || value == "" {
			continue
		}
		rank, ok := e.get("rank").whole()
		if !ok || rank == 0 {
			rank = 1000
		}
		if rank = min(rank, 1000)*10 + use; rank < bestRank {
			best, bestRank = value, rank
		}
	}
	return best
}

// choosePatient finds whom the file is about: the patient whom the summary, else most facts name as their subject; of
// equals, the one with the first id.
func (r *reader) choosePatient() {
	votes := map[*known]int{}
	vote := func(to ref, weight int) {
		if k := r.find(to, "Patient"); k != nil {
			votes[k] += weight
		}
	}
	if len(r.patients) > 1 {
		r.subjects(vote)
	}
	slices.SortStableFunc(r.patients, func(a, b *patient) int {
		return cmp.Or(cmp.Compare(votes[b.known], votes[a.known]), cmp.Compare(a.ID, b.ID))
	})
	for i, p := range r.patients {
		if i == 0 {
			r.facts.Patient, r.about = p.Patient, p.known
			continue
		}
		r.facts.OtherPatients = append(r.facts.OtherPatients, p.Patient)
	}
}

// subjects calls vote with the subject of every fact.
func (r *reader) subjects(vote func(to ref, weight int)) {
	if r.summary != nil {
		vote(r.summary.subject, 1<<20)
	}
	each(&r.encounters, func(f *encounter) { vote(f.subject, 1) })
	each(&r.conditions, func(f *condition) { vote(f.subject, 1) })
	each(&r.dispenses, func(f *dispense) { vote(f.subject, 1) })
	each(&r.prescriptions, func(f *prescription) { vote(f.subject, 1) })
	each(&r.reports, func(f *report) { vote(f.subject, 1) })
	each(&r.observations, func(f *observation) { vote(f.subject, 1) })
	each(&r.communications, func(f *communication) { vote(f.subject, 1) })
	each(&r.documents, func(f *document) { vote(f.subject, 1) })
}

// otherSubject is the id of a fact's subject where the file says that it is another patient.
func (r *reader) otherSubject(subject ref) string {
	k := r.find(subject, "Patient")
	switch {
	case k == nil || k == r.about:
		return ""
	case k.id != "":
		return k.id
	default:
		return k.full
	}
}
