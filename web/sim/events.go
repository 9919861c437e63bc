package sim

import (
	"time"

	"carebell/web/metriport"
)

// envelope is what a message says of itself.
type envelope struct {
	at      time.Time
	request string // meta.requestId
	data    object // meta.data: what the caller of the API passed along; never on notifications about patients
}

// message puts the envelope before the body, as the sender does.
func (s *Sim) message(t metriport.Type, e envelope, body ...any) Message {
	m := Message{ID: uuid7(s.r, e.at), Type: t, At: e.at}
	meta := of("messageId", m.ID, "requestId", e.request, "when", e.at, "type", string(t), "data", e.data)
	m.Body = encode(append(of("meta", meta), of(body...)...))
	return m
}

// notice is the envelope of a notification about a patient. Its request id is its own, or missing.
func (s *Sim) notice(at time.Time) envelope {
	if oneIn(s.r, 8) {
		return envelope{at: at}
	}
	return envelope{at: at, request: uuid4(s.r)}
}

// keep puts a file into the store and returns a URL that lives from now on.
func (s *Sim) keep(c content, life time.Duration) string {
	id, seed := hexWord(s.r), s.r.Uint64()
	s.store.put(id, seed, c)
	url := s.link(id, c.name, life)
	if s.collect != nil {
		s.collect(url, c, seed)
	}
	return url
}

// link signs a URL, at the time of the message it is for.
func (s *Sim) link(id, name string, life time.Duration) string {
	if s.telling.IsZero() {
		return s.store.link(id, name, life)
	}
	return s.store.linkSince(s.telling, id, name, life)
}

// named are the members that name a patient. Now and then one of the optional ones is missing.
func (s *Sim) named(p person) []any {
	if oneIn(s.r, 12) {
		p.additional = nil
	}
	return p.ids()
}

// adt is an admit, a transfer or a discharge in the documented shape; happened is the event itself.
func (s *Sim) adt(t metriport.Type, st *stay, at, happened time.Time) Message {
	now := st.snapshot()
	url := s.keep(jsonFile("bundle.json", now.adtBundle(t, at)), tenMinutes)
	var transfers list
	var discharged time.Time
	switch t {
	case metriport.PatientTransfer:
		for _, m := range now.moves {
			transfers = append(transfers, of("timestamp", m.at, "sourceLocation", m.from.object(), "destinationLocation", m.to.object()))
		}
	case metriport.PatientDischarge:
		discharged = now.discharged
	default:
	}
	body := append([]any{"url", url}, st.who.ids()...)
	m := s.message(t, s.notice(at), "payload", of(append(body, "admitTimestamp", now.admitted, "transfers", transfers,
		"dischargeTimestamp", discharged, "whenSourceSent", s.arrived(at, happened))...))
	st.truth.told(m, st.id, st.facility)
	return m
}

func (u unit) object() object { return of("name", u.name, "type", u.kind) }

// summaryStep adds a discharge summary, in either of the two shapes that were observed.
func (s *Sim) summaryStep(j *journey, st *stay, kind metriport.Type) {
	j.add(kind, between(s.r, time.Hour, 9*time.Hour), s.lag(), func(at, _ time.Time) Message {
		now := st.snapshot()
		url := s.keep(jsonFile("discharge-summary.json", now.summaryBundle(at)), tenMinutes)
		name, value := "patients", any(list{of("patientId", st.who.id, "externalId", st.who.externalID, "url", url)})
		if kind == metriport.DischargeSummary {
			body := append([]any{"url", url}, st.who.ids()...)
			name, value = "payload", of(append(body, "admitTimestamp", now.admitted, "dischargeTimestamp", now.discharged)...)
		}
		m := s.message(kind, s.notice(at), name, value)
		st.truth.Summaries = append(st.truth.Summaries, m.ID)
		return m
	})
}

// fillStep is a fill that the pharmacy network tells of. In the converters' shape the record has what else the network
// knows of the drug, or of the patient, or nothing.
func (s *Sim) fillStep(j *journey, p person, d drug, wait time.Duration) {
	f := fill{who: p, what: d, doctor: s.r.IntN(len(doctors)), pharmacy: s.r.IntN(len(pharmacies))}
	scope := pick(s.r, []historyScope{thisDrug, thisDrug, thisDrug, thisDrug, thisFill, thisFill, everything})
	j.add(metriport.PatientPharmacy, wait, s.lag(), func(at, happened time.Time) Message {
		f.at, f.sent = happened, at
		if !j.documented {
			return s.dispensed(f, scope)
		}
		body := append([]any{"url", s.keep(jsonFile("pharmacy.json", f.bundle), tenMinutes)}, s.named(p)...)
		return s.message(metriport.PatientPharmacy, s.notice(at),
			"payload", of(append(body, "medicationDispensedDate", s.maybe(happened))...))
	})
}

// labStep is a result that the laboratory network tells of.
func (s *Sim) labStep(j *journey, p person, what int, critical bool, wait time.Duration) {
	d := draw{who: p, what: what, critical: critical, doctor: s.r.IntN(len(doctors)), lab: pick(s.r, laboratories)}
	j.add(metriport.PatientLaboratory, wait, s.lag(), func(at, happened time.Time) Message {
		d.at, d.sent = happened, at
		if !j.documented {
			return s.resulted(d)
		}
		body := append([]any{"url", s.keep(jsonFile("laboratory.json", d.bundle), tenMinutes)}, s.named(p)...)
		return s.message(metriport.PatientLaboratory, s.notice(at),
			"payload", of(append(body, "specimenCollectedDate", s.maybe(happened))...))
	})
}

// maybe leaves an optional time out once in a while.
func (s *Sim) maybe(t time.Time) any {
	if oneIn(s.r, 10) {
		return nil
	}
	return t
}

// ping is what the sender asks when a webhook URL is set.
func (s *Sim) ping(at time.Time) Message {
	m := Message{ID: uuid7(s.r, at), Type: metriport.Ping, At: at}
	meta := of("messageId", m.ID, "when", at, "type", string(m.Type))
	m.Body = encode(of("ping", hexWord(s.r)[:20], "meta", meta))
	return m
}

// testEvents are the dashboard's: one id for all three, no `when`, ids that are not UUIDs.
func (s *Sim) testEvents(at time.Time) []Message {
	p := person{id: "patient-123", given: "Test", family: "Testpatient", sex: "female", born: "1980-01-01",
		externalID: "external-123", additional: of("mrn", list{"mrn-123"}), phone: "555-0100",
		line: "1 Example Street", city: "Sampleton", state: "CA", zip: "95910"}
	st := s.newStay(p, "IMP", major[0], emergency, wards[0])
	st.who, st.admitted = p, at.Add(-26*time.Hour)
	var out []Message
	tell := func(t metriport.Type, happened time.Time) {
		m := s.adt(t, st, at, happened)
		m.ID = "msg-123"
		body, _ := readObject(m.Body)
		body[0].value = of("messageId", m.ID, "whenGenerated", at, "type", string(t))
		m.Body = encode(body)
		out = append(out, m)
	}
	tell(metriport.PatientAdmit, st.admitted)
	st.moves = []move{{at.Add(-20 * time.Hour), emergency, wards[0]}}
	tell(metriport.PatientTransfer, st.moves[0].at)
	st.discharged = at.Add(-time.Minute)
	tell(metriport.PatientDischarge, st.discharged)
	return out
}
