package sim

import (
	"fmt"
	"math/rand/v2"
	"time"

	"carebell/web/metriport"
)

// callerData is what the practice passed along with its API call and gets back in meta.data.
func (s *Sim) callerData() object {
	switch s.r.IntN(4) {
	case 0:
		return nil
	case 1:
		return of("ticket", fmt.Sprintf("TOC-%d", 1000+s.r.IntN(9000)), "requestedBy", "care-team-north")
	case 2:
		return of("note", "Übergabe 🏥 – läuft", "cohort", "30-day")
	default:
		return of("workflow", "pre-visit", "appointment", fmt.Sprintf("A%05d", s.r.IntN(100000)), "urgent", "false")
	}
}

// queryEnd is how a network query ends.
type queryEnd int

const (
	allAnswer queryEnd = iota
	labFails
	hieStaysOut // its first data comes, and nothing after it; the laboratory is never heard of
)

// queryEnds are all of them, what is usual more than once.
var queryEnds = []queryEnd{allAnswer, allAnswer, labFails, hieStaysOut}

// query is a network query: one answer for each source, all under one request id.
func (s *Sim) query(p person, end queryEnd) *journey {
	j := &journey{}
	request, data := uuid4(s.r), s.callerData()
	answer := func(t metriport.Type, wait time.Duration, source func(happened time.Time) object) {
		j.add(t, wait, between(s.r, time.Second, 20*time.Second), func(at, happened time.Time) Message {
			url := s.keep(p.recordFile(at, s.known(p), ""), threeMinutes)
			return s.message(t, envelope{at, request, data}, "payload", of(
				"patientId", p.id, "externalId", p.externalID, "consolidatedDataUrl", url, "source", source(happened)))
		})
	}
	completed := func(kind, name, status string) func(time.Time) object {
		return func(happened time.Time) object {
			return of("type", kind, "source", name, "status", status, "completedAt", happened)
		}
	}
	labStatus := "completed"
	if end == labFails {
		labStatus = "failed"
	}
	answer(metriport.FirstDataReady, 20*time.Second, func(happened time.Time) object {
		return of("type", "hie", "status", "processing", "firstDataReadyAt", happened)
	})
	answer(metriport.NetworkQueryPharmacy, 40*time.Second, completed("pharmacy", "surescripts", "completed"))
	if end == hieStaysOut {
		return j
	}
	answer(metriport.NetworkQueryLab, time.Minute, completed("lab", "quest", labStatus))
	answer(metriport.NetworkQueryHIE, 3*time.Minute, completed("hie", "", "completed"))
	return j
}

// consolidatedKind is what comes of a consolidated query.
type consolidatedKind int

const (
	asGzip consolidatedKind = iota // JSON, and the same as gzip
	asPDF
	asHTML
	noData
	queryFails
	consolidatedKinds // how many there are
)

// consolidated is the answer to a consolidated query. It has an empty bundle where there is nothing, or the query
// failed.
func (s *Sim) consolidated(p person, kind consolidatedKind) *journey {
	j := &journey{}
	request, data := uuid4(s.r), s.callerData()
	j.add(metriport.ConsolidatedData, 0, s.lag(), func(at, _ time.Time) Message {
		entry, filters, kinds := list{}, object(nil), ""
		if oneIn(s.r, 3) { // the practice asked for some kinds alone
			kinds = "Condition,MedicationRequest,Medication,Observation"
			filters = of("resources", kinds)
		}
		var attachments list
		add := func(c content) {
			attachments = append(attachments, of("attachment", of("contentType", c.mime, "url", s.keep(c, threeMinutes), "title", c.name)))
		}
		status := "completed"
		switch kind {
		case asPDF:
			add(content{"consolidated.pdf", typePDF, paperFile(papers[1], p, at)})
			filters = of("conversionType", "pdf", "includeFullRecord", true)
		case asHTML:
			add(content{"consolidated.html", "text/html", func(r *rand.Rand) []byte { return webPage(r, p, at) }})
			filters = of("conversionType", "html")
		case noData: // nothing is known of this patient
		case queryFails:
			status = "failed"
		default:
			add(p.recordFile(at, s.known(p), kinds))
			add(p.recordGzip(at, s.known(p), kinds))
		}
		if attachments != nil {
			file := resource("DocumentReference", uuid4(s.r), "status", "current", "subject", of("reference", "Patient/"+p.id), "content", attachments)
			entry = append(entry, of("fullUrl", "urn:uuid:"+file.get("id"), "resource", file))
		}
		row := append(s.named(p), "status", status, "filters", filters,
			"bundle", of("resourceType", "Bundle", "type", "searchset", "total", len(entry), "entry", entry))
		return s.message(metriport.ConsolidatedData, envelope{at, request, data}, "patients", list{of(row...)})
	})
	return j
}

// proofing is a finished identity check. No schema is published for it.
func (s *Sim) proofing(p person) *journey {
	j := &journey{}
	data := s.callerData()
	j.add(metriport.IdentityVerified, 0, between(s.r, time.Second, 30*time.Second), func(at, _ time.Time) Message {
		body := append([]any{"proofedIdentityId", "pid_" + hexWord(s.r)[:24]}, s.named(p)...)
		return s.message(metriport.IdentityVerified, envelope{at, uuid4(s.r), data},
			"payload", of(append(body, "sessionId", uuid4(s.r))...))
	})
	return j
}

// oneFill is a single pharmacy notice, without a stay.
func (s *Sim) oneFill(p person) *journey {
	j := s.journeyOf(p, "fill")
	j.who = ""
	taken := healthOf(p).courses() // mostly what they take anyway
	d := pick(s.r, drugs)
	if len(taken) > 0 && !oneIn(s.r, 4) {
		d = pick(s.r, taken).drug
	}
	s.fillStep(j, p, d, 0)
	return j
}

// oneLab is a single laboratory notice, without a stay.
func (s *Sim) oneLab(p person, what int, critical bool) *journey {
	j := s.journeyOf(p, "result")
	j.who = ""
	s.labStep(j, p, what, critical, 0)
	return j
}
