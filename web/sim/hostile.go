package sim

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"carebell/web/metriport"
)

// trap is a link that misbehaves, under /hostile/ in the store.
type trap struct {
	name  string // last part of the path
	serve func(s *store, w http.ResponseWriter, r *http.Request)
}

// reached is where links lead that must not be followed: whoever asks for it has been tricked.
const reached = "reached"

// traps are served as links of admit events, the first as a patient's consolidated data, which is expected as gzip.
var traps = []trap{
	{"gzip-bomb", func(_ *store, w http.ResponseWriter, r *http.Request) { pour(w, r, "application/gzip", gigabyte()) }},
	{"gzip-bomb-as-encoding", func(_ *store, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		pour(w, r, typeJSON, gigabyte())
	}},
	{"endless", func(_ *store, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", typeJSON)
		for line := bytes.Repeat([]byte(" "), 64<<10); r.Context().Err() == nil; {
			if _, err := w.Write(line); err != nil {
				return
			}
		}
	}},
	{"length-too-long", func(_ *store, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100000")
		pour(w, r, typeJSON, []byte(`{"resourceType":"Bundle"`))
	}},
	{"length-beyond-the-limit", func(_ *store, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(1<<40))
		pour(w, r, typeJSON, []byte("{"))
	}},
	{"slow-drip", func(_ *store, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", typeJSON)
		for r.Context().Err() == nil {
			_, _ = w.Write([]byte(" ")) // an error ends the request's context too
			_ = http.NewResponseController(w).Flush()
			select {
			case <-time.After(200 * time.Millisecond):
			case <-r.Context().Done():
			}
		}
	}},
	{"page-as-json", func(s *store, w http.ResponseWriter, r *http.Request) {
		pour(w, r, typeJSON, poisoned[0].content(s.base))
	}},
	{"empty", func(_ *store, w http.ResponseWriter, r *http.Request) { pour(w, r, typeJSON, nil) }},
	{"redirect", func(s *store, w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, s.base+"/hostile/"+reached, http.StatusFound)
	}},
}

func pour(w http.ResponseWriter, r *http.Request, mime string, body []byte) {
	w.Header().Set("Content-Type", mime)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the reader may have had enough
	}
}

// gigabyte is 1 GiB of spaces as gzip: one member of a mebibyte, over and over, in about a megabyte.
func gigabyte() []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(bytes.Repeat([]byte(" "), 1<<20)) // a buffer takes everything
	_ = z.Close()
	return bytes.Repeat(b.Bytes(), 1<<10)
}

// hostile answers for everything under /hostile/.
func (s *store) hostile(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	for _, t := range traps {
		if t.name == name {
			t.serve(s, w, r)
			return
		}
	}
	for _, p := range poisoned {
		if p.name == name {
			pour(w, r, p.mime, p.content(s.base))
			return
		}
	}
	if name == reached {
		pour(w, r, typeText, []byte("Whoever reads this followed a link that leads elsewhere.\n"))
		return
	}
	refuse(w, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
}

// hostileLink is a presigned link in looks: it says when it dies, but nobody looks at its signature.
func (s *store) hostileLink(name string) string {
	q := url.Values{
		"X-Amz-Date": {s.now().UTC().Format(amzDate)}, "X-Amz-Expires": {strconv.Itoa(int(tenMinutes / time.Second))},
		"X-Amz-Signature": {s.sign("hostile", name)},
	}
	return s.base + "/hostile/" + name + "?" + q.Encode()
}

// Hostile returns events, sent now, whose links lead to what a receiver must withstand: origins that send too much, too
// little, too slowly or something else than they say, that lead elsewhere, or that are no origin of the sender's at
// all, and documents with something in them that wants to run. The store serves them under /hostile/. Nothing about
// the events themselves is unusual.
func (s *Sim) Hostile() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	p := func(i int) person { return s.people[i%len(s.people)] }
	var out []Message
	admit := func(link string) {
		i := len(out)
		admitted := now.Add(-time.Duration(i+1) * time.Minute)
		body := append([]any{"url", link}, p(i).ids()...)
		out = append(out, s.message(metriport.PatientAdmit, s.notice(now), "payload", of(append(body, "admitTimestamp", admitted)...)))
	}
	out = append(out, s.message(metriport.NetworkQueryHIE, envelope{at: now, request: uuid4(s.r)}, "payload", of(
		"patientId", p(0).id, "externalId", p(0).externalID, "consolidatedDataUrl", s.store.hostileLink(traps[0].name),
		"source", of("type", "hie", "status", "completed", "completedAt", now))))
	for _, t := range traps[1:] {
		admit(s.store.hostileLink(t.name))
	}
	host := strings.TrimPrefix(strings.TrimPrefix(s.store.base, "http://"), "https://")
	query := "?X-Amz-Expires=600&X-Amz-Date=" + now.Format(amzDate)
	for _, link := range []string{
		"https://carebell-records.s3.amazonaws.com.attacker.example/bundle.json", // ends like the sender's, and is not
		"https://carebell-records.s3.amazonaws.com@" + host + "/hostile/" + reached,
		"https://169.254.169.254/latest/meta-data/", // where a cloud's machines keep their own secrets
	} {
		admit(link + query)
	}
	return append(out, s.poison(now, p(len(out))))
}

// poison is one page of documents that want to run.
func (s *Sim) poison(now time.Time, p person) Message {
	documents := list{}
	for _, f := range poisoned {
		documents = append(documents, of("id", uuid4(s.r), "fileName", f.name, "description", f.says, "status", "current", "indexed", now,
			"mimeType", f.mime, "size", len(f.content(s.store.base)), "url", s.store.hostileLink(f.name)))
	}
	row := append(p.ids(), "status", "completed", "documents", documents, "pagination", of("page", 1, "totalPages", 1, "totalItems", len(documents)))
	return s.message(metriport.DocumentsPaged, envelope{at: now, request: uuid4(s.r)}, "patients", list{of(row...)})
}
