// Package sim is the sender's side of the wire: it makes the messages that the sender would send, keeps the objects
// behind their presigned URLs, and posts them signed. It is used by the demo, by `carebell send` and by tests; it
// knows nothing of how Carebell receives them, and every person in it is made up.
//
// About every third journey of a stay, a fill or a result is told in the shape that the sender documents, the others in
// the shapes that its own converters make, written from their source and compared with what they make.
package sim

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"carebell/web/metriport"
)

// Options set up a simulation.
type Options struct {
	Now     func() time.Time // the clock of the whole simulation; required
	Seed    uint64           // same seed and same clock, same messages
	BaseURL string           // where Store is reachable, e.g. "http://127.0.0.1:43210"; presigned URLs begin with it
}

// Message is one webhook, ready to be signed.
type Message struct {
	ID   string         // meta.messageId
	Type metriport.Type // meta.type
	At   time.Time      // when the sender sends it, meta.when: UTC, whole milliseconds
	Body []byte         // JSON
}

// Sim is a simulated sender with its store. It is safe for concurrent use.
type Sim struct {
	clock  func() time.Time
	store  *store
	outbox *outbox
	people []person

	mu        sync.Mutex
	r         *rand.Rand
	running   []*journey                               // stays that have not ended
	stories   []*journey                               // the other journeys that have steps left
	home      []person                                 // who has been an inpatient, for readmissions
	deck      []card                                   // what Next plays before it shuffles again
	turn      int                                      // counts up, for cards that take turns
	hands     int                                      // how often the cards were shuffled, for cards that differ from hand to hand
	stays     []*Stay                                  // that were told of, in truth, the newest
	lastly    map[metriport.Type]int                   // the turn of the last live message of a type
	converted bool                                     // every journey is told in the converters' shape
	collect   func(url string, c content, seed uint64) // what is told of each link, nil where nobody asks
	files     map[string][]adtFile                     // what the sender keeps of a patient's encounters, by patientId
	networks  map[string]story                         // what the pharmacy and laboratory networks told of a patient, by patientId
	telling   time.Time                                // when the message of the past that is being made was sent; zero for one of now
}

// New returns a simulation at the beginning of its story.
func New(o Options) *Sim {
	s := &Sim{clock: o.Now, store: newStore(o), people: population(), r: seeded(o.Seed, 1), lastly: map[metriport.Type]int{}, files: map[string][]adtFile{}, networks: map[string]story{}}
	s.outbox = &outbox{now: s.now, repeat: s.Repeat, again: s.Again}
	return s
}

// Store serves the presigned objects that the messages point at: GET and HEAD under /objects/, with ranges. A URL with
// a wrong signature or past its life is answered 403 with the object store's XML. Beside it stand, for a caller with an
// x-api-key, the document endpoint that gives a fresh URL and the webhook settings with the list of deliveries, and what
// [Sim.Hostile] leads to.
func (s *Sim) Store() http.Handler {
	mux := s.store.handler()
	for _, prefix := range []string{"", "/medical/v1"} {
		s.outbox.api(mux, prefix)
	}
	return mux
}

func (s *Sim) now() time.Time { return s.clock().UTC().Truncate(time.Millisecond) }

// Sample returns one realistic event of type t, sent now, that belongs to no running journey. The error for a type
// that is not in [metriport.Types] lists those that are.
func (s *Sim) Sample(t metriport.Type) (Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if t == metriport.Ping {
		return s.ping(now), nil
	}
	j := s.example(t)
	last := -1
	if j != nil {
		for i, st := range j.steps {
			if st.kind == t {
				last = i
			}
		}
	}
	if last < 0 {
		return Message{}, fmt.Errorf("no sample of type %q; there are %s", t, typeNames())
	}
	var m Message
	for i := last; i >= 0; i-- { // the steps before it, so that it tells a whole story
		m = j.next(now, now.Add(-time.Duration(i)*100*time.Minute-between(s.r, 3*time.Second, 10*time.Minute)))
	}
	return m, nil
}

// example is a journey in which type t occurs, nil for an unknown type.
func (s *Sim) example(t metriport.Type) *journey {
	p := pick(s.r, s.people)
	switch t {
	case metriport.PatientAdmit, metriport.PatientDischarge:
		return s.inpatient(p)
	case metriport.PatientTransfer:
		return s.documentedInpatient(p)
	case metriport.DischargeSummary, metriport.DischargeSummaryBatch:
		j := s.journeyOf(p, "planned stay")
		st := s.stay(j, p, "IMP", pick(s.r, major), wards[0])
		s.admit(j, st, 0)
		s.discharge(j, st, 0)
		s.summaryStep(j, st, t)
		return j
	case metriport.PatientPharmacy:
		return s.oneFill(p)
	case metriport.PatientLaboratory:
		return s.oneLab(p, s.r.IntN(len(panels)), oneIn(s.r, 3))
	case metriport.NetworkQueryHIE, metriport.NetworkQueryPharmacy, metriport.NetworkQueryLab, metriport.FirstDataReady:
		return s.query(p, pick(s.r, []queryEnd{allAnswer, allAnswer, allAnswer, labFails}))
	case metriport.BulkPatientCreate:
		return s.bulkImport("completed", s.usualRows())
	case metriport.ConsolidatedData:
		return s.consolidated(p, pick(s.r, []consolidatedKind{asGzip, asGzip, asGzip, asPDF, asHTML, noData, queryFails}))
	case metriport.DocumentsPaged:
		return s.paged(p, true)
	case metriport.DocumentsURLs, metriport.DocumentDownload, metriport.DocumentConversion:
		return s.legacy(t, p)
	case metriport.MessageStatus:
		return s.delivered(p, oneIn(s.r, 3), false)
	case metriport.MessageReceived:
		return s.received(s.perhaps(p))
	case metriport.IdentityVerified:
		return s.proofing(p)
	default:
		return nil
	}
}

// perhaps is p, or nobody once in three times.
func (s *Sim) perhaps(p person) *person {
	if oneIn(s.r, 3) {
		return nil
	}
	return &p
}

func typeNames() string {
	var names []string
	for _, t := range metriport.Types {
		names = append(names, string(t))
	}
	return strings.Join(names, ", ")
}

// TestEvents returns what the dashboard's "Test events" send: an admit, a transfer and a discharge that all carry the
// messageId "msg-123", and meta.whenGenerated instead of meta.when.
func (s *Sim) TestEvents() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.testEvents(s.now())
}

// Repeat returns m as the sender's Retry sends it: the same messageId, when and (old) URL, without meta.data. A body
// that is not a JSON object with a meta is returned as it is.
func (s *Sim) Repeat(m Message) Message {
	body, ok := readObject(m.Body)
	if !ok {
		return m
	}
	for i := range body {
		if body[i].name != "meta" {
			continue
		}
		raw, _ := body[i].value.(jsonRaw)
		meta, ok := readObject(raw)
		if !ok {
			return m
		}
		body[i].value = meta.without("data")
	}
	m.Body = encode(body)
	return m
}

// Again returns m as the sender's retry of one message makes it: the same payload sent now, with a messageId of its own and
// with URLs that are signed anew. A body that is not a JSON object with a meta is returned as it is.
func (s *Sim) Again(m Message) Message {
	body, ok := readObject(m.Body)
	if !ok {
		return m
	}
	s.mu.Lock()
	m.At = s.now()
	m.ID = uuid7(s.r, m.At)
	s.mu.Unlock()
	for i := range body {
		if body[i].name != "meta" {
			continue
		}
		raw, _ := body[i].value.(jsonRaw)
		meta, ok := readObject(raw)
		if !ok {
			return m
		}
		for k := range meta {
			switch meta[k].name {
			case "messageId":
				meta[k].value = m.ID
			case "when":
				meta[k].value = m.At
			}
		}
		body[i].value = meta
	}
	m.Body = s.store.resign(encode(body))
	return m
}
