package sim

import (
	"encoding/base64"
	"time"

	"carebell/web/metriport"
)

// letter is a secure message that came in.
type letter struct {
	id                string
	about             *person // nil where the sender named no patient
	from, destination string
	subject, body     string
	answers           string // id of the message that this one answers
	sent, received    time.Time
	attachments       []object
}

var letters = []struct{ from, subject, body string }{
	{"Birchwood General, case management", "Discharge planned for tomorrow", "Home health is arranged. Please schedule a visit within 7 days.\nOxygen delivered to the home today."},
	{"Kestrel Valley Medical Center, pharmacy", "Medication change at discharge", "Lisinopril was stopped (creatinine 2.1), furosemide raised to 40 mg daily. Please recheck BMP in one week."},
	{"Dr. Fictional Cardiologist", "Consult note: atrial fibrillation", "Thank you for the referral. Rate controlled, apixaban continued. Next visit in 3 months."},
	{"Sample Home Health Agency", "Unable to reach patient 📞", "Two visits attempted, nobody at home. Do you have another phone number? – Grüße, the night team"},
	{"Larkspur Community Hospital, social work", "Question about benefits <transport>", "Needs a ride to dialysis & to the practice. Who can sign the form?"},
	{"Placeholder Memorial, records", "Records you asked for", "Attached are the operative note and the last laboratory results."},
}

// answers are what a colleague writes back, by the letter they answer.
var answers = []string{
	"The visit is booked for Thursday at 9. Thank you for arranging the oxygen.",
	"Repeat BMP attached: creatinine 1.8. Please keep the dose.",
	"One more thing: the next echo is due before the visit.",
	"We reached the daughter. New number in the attached note.",
	"The form is signed and attached.",
	"The pathology report followed today.",
}

// received is a secure message from outside; without a patient it is about nobody the sender could match.
func (s *Sim) received(p *person) *journey {
	j := &journey{}
	s.letterStep(j, p, s.r.IntN(len(letters)), 0, "", uuid4(s.r))
	return j
}

// conversation is a message about a patient, and a second one that answers the first or goes on with it.
func (s *Sim) conversation(p person) *journey {
	j := &journey{}
	what, first := s.r.IntN(len(letters)), uuid4(s.r)
	s.letterStep(j, &p, what, 0, "", first)
	s.letterStep(j, &p, what, between(s.r, 20*time.Minute, 5*time.Hour), first, uuid4(s.r))
	return j
}

// letterStep is one of the letters; where it answers another one, in the words of that.
func (s *Sim) letterStep(j *journey, p *person, what int, wait time.Duration, answering, id string) {
	j.add(metriport.MessageReceived, wait, between(s.r, 5*time.Second, 2*time.Minute), func(at, happened time.Time) Message {
		words := letters[what]
		l := letter{
			id: id, about: p, from: words.from, subject: words.subject, body: words.body, answers: answering,
			destination: "intake@direct.practice.example", sent: happened, received: at,
		}
		if l.answers != "" {
			l.subject, l.body = "Re: "+l.subject, answers[what]
		}
		l.attachments = s.attachments(p, at)
		transport, network := "direct", ""
		if oneIn(s.r, 2) {
			transport, network = "xdr", pick(s.r, []string{"CAREQUALITY", "COMMONWELL", "EHEX"})
		}
		file := jsonFile("message.json", l.communication)
		body := []any{"id", l.id}
		if p != nil {
			body = append(body, s.named(*p)...)
		}
		if !oneIn(s.r, 4) { // now and then the event says no more than where the message is
			body = append(body, "from", l.from, "subject", l.subject, "sentAt", l.sent)
		}
		return s.message(metriport.MessageReceived, envelope{at: at}, "payload", of(append(body,
			"direction", "inbound", "status", "completed", "transportMethod", transport, "network", network,
			"destination", l.destination, "intendedRecipientNpi", list{doctors[s.r.IntN(len(doctors))].npi},
			"routing", of("hops", 1+s.r.IntN(3), "organization", of("name", words.from)),
			"updatedAt", at, "url", s.keep(file, tenMinutes))...))
	})
}

// attachments are up to two files: one inline, a note or a scan, and one behind a URL of its own that lives as long as the
// message's.
func (s *Sim) attachments(p *person, at time.Time) (out []object) {
	of1 := func() person {
		if p != nil {
			return *p
		}
		return person{given: "Unknown", family: "Testpatient", sex: "unknown", born: "1970-01-01"}
	}
	if !oneIn(s.r, 3) {
		seed := s.r.Uint64()
		if oneIn(s.r, 2) {
			note := plainNote(seeded(seed, 3), of1(), "Progress note", at)
			out = append(out, of("contentType", "text/plain", "title", "note.txt", "data", base64.StdEncoding.EncodeToString(note)))
		} else {
			scan := paperFile(papers[1], of1(), at)(seeded(seed, 3))
			out = append(out, of("contentType", papers[1].mime, "title", "scan.pdf", "data", base64.StdEncoding.EncodeToString(scan)))
		}
	}
	if !oneIn(s.r, 3) {
		paper := papers[1+3*s.r.IntN(2)] // a PDF or an image
		name := "attachment 1." + paper.extension
		url := s.keep(content{name, paper.mime, paperFile(paper, of1(), at)}, tenMinutes)
		out = append(out, of("contentType", paper.mime, "title", name, "url", url))
	}
	return out
}

// delivered is what became of a message that the practice sent. One that failed may be tried again under the same id.
func (s *Sim) delivered(p person, failed, again bool) *journey {
	j := &journey{}
	data, id := s.callerData(), uuid4(s.r)
	var sent time.Time
	tell := func(wait time.Duration, failed bool) {
		j.add(metriport.MessageStatus, wait, between(s.r, time.Second, 15*time.Second), func(at, happened time.Time) Message {
			status, reason := "completed", ""
			if failed {
				status, reason = "failed", pick(s.r, []string{
					"Recipient organization does not accept documents over this network",
					"XDR endpoint answered 503 Service Unavailable after 3 attempts",
					"Direct address not found: no-such-inbox@direct.example",
				})
			}
			if sent.IsZero() {
				sent = happened.Add(-between(s.r, 2*time.Second, time.Minute))
			}
			return s.message(metriport.MessageStatus, envelope{at, uuid4(s.r), data}, "payload", of("id", id,
				"patientId", p.id, "status", status, "sentAt", sent, "completedAt", happened, "reason", reason))
		})
	}
	tell(0, failed)
	if failed && again {
		tell(between(s.r, 5*time.Minute, 40*time.Minute), false)
	}
	return j
}
