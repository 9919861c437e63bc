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

// received is a secure message from outside; without a patient it is about nobody the sender could match.
func (s *Sim) received(p *person) *journey {
	j := &journey{}
	j.add(metriport.MessageReceived, 0, between(s.r, 5*time.Second, 2*time.Minute), func(at, happened time.Time) Message {
		words := pick(s.r, letters)
		l := letter{
			id: uuid4(s.r), about: p, from: words.from, subject: words.subject, body: words.body,
			destination: "intake@direct.practice.example", sent: happened, received: at,
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
		return s.message(metriport.MessageReceived, envelope{at: at}, "payload", of(append(body,
			"direction", "inbound", "status", "completed", "transportMethod", transport, "network", network,
			"from", l.from, "destination", l.destination, "subject", l.subject, "sentAt", l.sent, "updatedAt", at,
			"url", s.keep(file, tenMinutes))...))
	})
	return j
}

// attachments are up to two files: one inline, one behind a URL of its own that lives as long as the message's.
func (s *Sim) attachments(p *person, at time.Time) (out []object) {
	of1 := func() person {
		if p != nil {
			return *p
		}
		return person{given: "Unknown", family: "Testpatient", sex: "unknown", born: "1970-01-01"}
	}
	if !oneIn(s.r, 3) {
		note := plainNote(seeded(s.r.Uint64(), 3), of1(), "Progress note", at)
		out = append(out, of("contentType", "text/plain", "title", "note.txt", "data", base64.StdEncoding.EncodeToString(note)))
	}
	if !oneIn(s.r, 3) {
		paper := papers[1+3*s.r.IntN(2)] // a PDF or an image
		name := "attachment 1." + paper.extension
		url := s.keep(content{name, paper.mime, paperFile(paper, of1(), at)}, tenMinutes)
		out = append(out, of("contentType", paper.mime, "title", name, "url", url))
	}
	return out
}

// delivered is what became of a message that the practice sent.
func (s *Sim) delivered(p person, failed bool) *journey {
	j := &journey{}
	data := s.callerData()
	j.add(metriport.MessageStatus, 0, between(s.r, time.Second, 15*time.Second), func(at, happened time.Time) Message {
		status, reason := "completed", ""
		if failed {
			status, reason = "failed", pick(s.r, []string{
				"Recipient organization does not accept documents over this network",
				"XDR endpoint answered 503 Service Unavailable after 3 attempts",
				"Direct address not found: no-such-inbox@direct.example",
			})
		}
		sent := happened.Add(-between(s.r, 2*time.Second, time.Minute))
		return s.message(metriport.MessageStatus, envelope{at, uuid4(s.r), data}, "payload", of("id", uuid4(s.r),
			"patientId", p.id, "status", status, "sentAt", sent, "completedAt", happened, "reason", reason))
	})
	return j
}
