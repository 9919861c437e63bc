package sim

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"carebell/web/metriport"
)

func paperFile(kind paper, p person, at time.Time) func(r *rand.Rand) []byte {
	return func(r *rand.Rand) []byte { return kind.make(r, p, kind.title, at) }
}

// document describes one file of a patient's archive; url and downloadUrl are there where the event type has them.
func (s *Sim) document(p person, at time.Time, i int, urls, fresh bool) object {
	kind := papers[i%len(papers)]
	written := at.Add(-between(s.r, 24*time.Hour, 700*24*time.Hour)).Truncate(time.Second)
	id, key := uuid4(s.r), hexWord(s.r)
	file := content{fmt.Sprintf("%s_%s.%s", p.id[:8], id, kind.extension), kind.mime, paperFile(kind, p, written)}
	seed := s.r.Uint64()

	description, indexed := kind.title, any(written)
	if oneIn(s.r, 5) {
		description, indexed = "", nil
	}
	var url, download string
	var owner list
	if urls {
		s.store.put(key, seed, file)
		if url = s.link(key, file.name, tenMinutes); s.collect != nil {
			s.collect(url, file, seed)
		}
		owner = list{of("name", pick(s.r, facilities).name, "identifierValues", list{"2.16.840.1.113883.19.5." + strconv.Itoa(100+i)})}
	}
	if fresh {
		download = s.store.downloadURL(key, file.name)
	}
	return of("id", id, "fileName", file.name, "description", description, "status", "current", "indexed", indexed,
		"mimeType", kind.mime, "size", len(file.make(seeded(seed, 2))),
		"type", concept(loincSystem, kind.loinc, kind.title), "organizationIdentifiers", owner,
		"url", url, "downloadUrl", download)
}

// paged is a bulk document download in pages that come 50 ms apart and in any order. One page may never come.
func (s *Sim) paged(p person, complete bool) *journey {
	const perPage = 3
	j := &journey{}
	request, data := uuid4(s.r), s.callerData()
	pages := 3 + s.r.IntN(2)
	total := perPage*(pages-1) + 1 + s.r.IntN(perPage)
	order := s.r.Perm(pages)
	if order[0] == 0 { // out of order, always: that is what is worth seeing
		order[0], order[1] = order[1], order[0]
	}
	if !complete {
		order = order[:pages-1]
	}
	for i, page := range order {
		wait := 50 * time.Millisecond
		if i == 0 {
			wait = 0
		}
		j.add(metriport.DocumentsPaged, wait, 2*time.Second, func(at, _ time.Time) Message {
			documents := list{}
			for n := page * perPage; n < min(total, (page+1)*perPage); n++ {
				documents = append(documents, s.document(p, at, n, true, true))
			}
			row := append(s.named(p), "status", "completed", "documents", documents,
				"pagination", of("page", page+1, "totalPages", pages, "totalItems", total))
			return s.message(metriport.DocumentsPaged, envelope{at, request, data}, "patients", list{of(row...)})
		})
	}
	return j
}

// legacy is one of the three older document events.
func (s *Sim) legacy(t metriport.Type, p person) *journey {
	j := &journey{}
	request, data := uuid4(s.r), s.callerData()
	j.add(t, 0, between(s.r, time.Second, time.Minute), func(at, _ time.Time) Message {
		row := append(s.named(p), "status", "completed")
		if t != metriport.DocumentConversion {
			documents := list{}
			for i := range 2 + s.r.IntN(3) {
				documents = append(documents, s.document(p, at, i, t == metriport.DocumentsURLs, false))
			}
			row = append(row, "documents", documents)
		}
		return s.message(t, envelope{at, request, data}, "patients", list{of(row...)})
	})
	return j
}
