package sim

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"carebell/web/metriport"
)

// jobFailures are why a whole job fails.
var jobFailures = []string{
	"Invalid CSV: missing required column 'dob'",
	"File contains no data",
	"Only ASCII characters are allowed in headers",
}

// bulkImport is a bulk patient creation of so many rows; outcome is completed, failed, or "" for one that stays processing.
func (s *Sim) bulkImport(outcome string, rows int) *journey {
	j := &journey{}
	request, data, failure := uuid4(s.r), s.callerData(), pick(s.r, jobFailures)
	people := s.sample()
	report := func(status string, wait time.Duration) {
		j.add(metriport.BulkPatientCreate, wait, between(s.r, time.Second, 10*time.Second), func(at, _ time.Time) Message {
			reason, result := "", ""
			switch status {
			case "failed":
				reason = failure
			case "completed":
				result = s.keepImport(people, rows)
			}
			return s.message(metriport.BulkPatientCreate, envelope{at, request, data}, "bulkPatientCreate",
				of("requestId", request, "status", status, "reason", reason, "result", result))
		})
	}
	report("processing", 0)
	if outcome != "" {
		report(outcome, between(s.r, 2*time.Minute, 40*time.Minute))
	}
	return j
}

// Import returns the messages of a bulk creation job that began some time ago and completes now, first to last. Its result
// has so many rows. However many, they are written as they are fetched and never held.
func (s *Sim) Import(rows int) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	j, now := s.bulkImport("completed", rows), s.now()
	began := now.Add(-j.steps[1].wait)
	return []Message{j.next(began, began), j.next(now, now)}
}

// usualRows is how many rows a job of the practice has.
func (s *Sim) usualRows() int { return 60 + s.r.IntN(900) }

// sample is some of the practice's patients in any order.
func (s *Sim) sample() []person {
	people := slices.Clone(s.people)
	s.r.Shuffle(len(people), func(i, k int) { people[i], people[k] = people[k], people[i] })
	return people[:12+s.r.IntN(20)]
}

// keepImport puts the result of a job, which has these people among its rows, into the store and returns a URL. A large one
// is written as it is fetched.
func (s *Sim) keepImport(people []person, rows int) string {
	const name, mime, mostHeld = "result.csv", "text/csv; charset=utf-8", 5000
	write := func(r *rand.Rand, w io.Writer) { writeImport(w, r, people, rows) }
	if rows > mostHeld {
		id := hexWord(s.r)
		s.store.hold(id, &held{content: content{name: name, mime: mime}, seed: s.r.Uint64(), write: write})
		return s.store.link(id, name, threeMinutes)
	}
	return s.keep(content{name, mime, func(r *rand.Rand) []byte {
		var b bytes.Buffer
		write(r, &b)
		return b.Bytes()
	}}, threeMinutes)
}

// writeImport writes a result: the columns that were uploaded, and what became of each row. An error ends it: who reads has
// gone.
func writeImport(to io.Writer, r *rand.Rand, people []person, rows int) {
	b := bufio.NewWriter(to)
	w := csv.NewWriter(b)
	_ = w.Write([]string{
		"firstname", "lastname", "dob", "gender", "addressLine1", "addressLine2", "city", "state", "zip", "phone-1",
		"email-1", "externalId", "metriportId", "status", "reason",
	})
	for i := range rows {
		p := applicant(r, i)
		if i < len(people) {
			p = people[i]
		}
		id, status, reason, line2 := p.id, "succeeded", "", ""
		if i%9 == 2 || i >= len(people) && oneIn(r, 60) {
			id, status, reason = "", "failed", rowFailure(r)
		}
		if i%7 == 3 {
			line2 = "=Unit 4, rear" // a cell that a spreadsheet would take for a formula
		}
		if w.Write([]string{
			p.given, p.family, p.born, p.sex, p.line, line2, p.city, p.state, p.zip, p.phone,
			"patient" + strconv.Itoa(i) + "@example.com", p.externalID, id, status, reason,
		}) != nil {
			return
		}
	}
	w.Flush()
	_ = b.Flush()
}

// applicant is a made-up person who is no patient yet.
func applicant(r *rand.Rand, i int) person {
	return person{
		id: uuid4(r), given: pick(r, givenNames), family: pick(r, familyNames), sex: pick(r, []string{"female", "male", "unknown"}),
		born: fmt.Sprintf("%d-%02d-%02d", 1931+r.IntN(90), 1+r.IntN(12), 1+r.IntN(28)), line: strconv.Itoa(1+r.IntN(999)) + " Sample Avenue",
		city: "Sampleton", state: "CA", zip: fmt.Sprintf("959%02d", r.IntN(100)), phone: fmt.Sprintf("555-01%02d", r.IntN(100)),
		externalID: fmt.Sprintf("7%05d", i),
	}
}

// rowFailure is why one row fails. Most reasons quote what is wrong.
func rowFailure(r *rand.Rand) string {
	switch r.IntN(12) {
	case 0, 1, 2:
		return fmt.Sprintf("Invalid zip: %d", 1000+r.IntN(9000))
	case 3, 4:
		return "Missing dob"
	case 5:
		return fmt.Sprintf("Invalid date of birth, it lies in the future: %d-%02d-%02d", 2930+r.IntN(70), 1+r.IntN(12), 1+r.IntN(28))
	case 6, 7:
		return fmt.Sprintf("Invalid phone, \"%d\" has too few digits", 100+r.IntN(900))
	case 8:
		return "Invalid state: " + pick(r, []string{"ZZ", "XX", "Calif"})
	case 9:
		return "Invalid email: not an address"
	case 10:
		return "Duplicate of another row in this file"
	default:
		return "Missing lastname, Missing addressLine1"
	}
}
