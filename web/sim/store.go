package sim

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// How long a URL of each kind lives (contract.md, "URL life"), and how long an object outlives it.
const (
	threeMinutes = 3 * time.Minute
	tenMinutes   = 10 * time.Minute
	freshLife    = time.Minute   // of the URLs that the document endpoint hands out
	keptBeyond   = 4 * time.Hour // a message can be had again with fresh URLs; the sender keeps its files for longer
	maxHeld      = 20_000
)

// content is a file that can be made again at any time: make draws only from the generator it is given, so that every
// request for an object reads the same bytes and memory holds facts, not files.
type content struct {
	name, mime string
	make       func(r *rand.Rand) []byte
}

type held struct {
	content
	write func(r *rand.Rand, w io.Writer) // instead of make, for what is too large to be held
	seed  uint64
	since time.Time
	until time.Time
}

func (h *held) bytes() []byte { return h.make(seeded(h.seed, 2)) }

// store holds the objects and signs their URLs.
type store struct {
	now    func() time.Time
	base   string
	secret []byte

	mu    sync.Mutex
	held  map[string]*held
	order []string // ids, oldest first
}

func newStore(o Options) *store {
	secret := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("carebell sim store"), o.Seed))
	return &store{now: o.Now, base: strings.TrimRight(o.BaseURL, "/"), secret: secret[:], held: map[string]*held{}}
}

// put keeps c under id.
func (s *store) put(id string, seed uint64, c content) { s.hold(id, &held{content: c, seed: seed}) }

// hold keeps h under id and forgets what nobody can read any more.
func (s *store) hold(id string, h *held) {
	now := s.now()
	h.since, h.until = now, now.Add(tenMinutes+keptBeyond)
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.order) > 0 && (len(s.order) >= maxHeld || s.held[s.order[0]].until.Before(now)) {
		delete(s.held, s.order[0])
		s.order = s.order[1:]
	}
	s.held[id] = h
	s.order = append(s.order, id)
}

func (s *store) find(id, name string) (*held, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, ok := s.held[id]
	return h, ok && h.name == name
}

const amzDate = "20060102T150405Z"

// link signs a URL for an object, from now on for life.
func (s *store) link(id, name string, life time.Duration) string {
	return s.linkSince(s.now(), id, name, life)
}

// linkSince signs a URL as it was signed at some time; it lives for life from now on.
func (s *store) linkSince(at time.Time, id, name string, life time.Duration) string {
	at = at.UTC().Truncate(time.Second)
	life += s.now().Sub(at).Truncate(time.Second)
	date := at.Format(amzDate)
	expires := strconv.Itoa(int(life / time.Second))
	q := url.Values{
		"X-Amz-Algorithm":     {"AWS4-HMAC-SHA256"},
		"X-Amz-Credential":    {"SIMULATED/" + date[:8] + "/us-west-1/s3/aws4_request"},
		"X-Amz-Date":          {date},
		"X-Amz-Expires":       {expires},
		"X-Amz-SignedHeaders": {"host"},
		"X-Amz-Signature":     {s.sign(id, name, date, expires)},
	}
	return s.base + "/objects/" + id + "/" + url.PathEscape(name) + "?" + q.Encode()
}

// resign gives every URL of an object in a body a signature of now, for as long as the first one lived.
func (s *store) resign(body []byte) []byte {
	signed := regexp.MustCompile(regexp.QuoteMeta(s.base) + `/objects/([^/"?]+)/([^/"?]+)\?[^"]*`)
	return signed.ReplaceAllFunc(body, func(link []byte) []byte {
		part := signed.FindSubmatch(link)
		u, err := url.Parse(string(link))
		name, err2 := url.PathUnescape(string(part[2]))
		if err != nil || err2 != nil {
			return link
		}
		life := tenMinutes
		if seconds, err := strconv.Atoi(u.Query().Get("X-Amz-Expires")); err == nil && time.Duration(seconds)*time.Second <= threeMinutes {
			life = threeMinutes
		}
		return []byte(s.link(string(part[1]), name, life))
	})
}

// downloadURL is the sender's endpoint that gives a fresh URL to whoever has an API key.
func (s *store) downloadURL(id, name string) string {
	return s.base + "/medical/v1/document/download-url?fileName=" + url.QueryEscape(id+"/"+name)
}

func (s *store) sign(parts ...string) string {
	h := hmac.New(sha256.New, s.secret)
	h.Write([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(h.Sum(nil))
}

func (s *store) handler() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /objects/{id}/{name}", s.serve)
	mux.HandleFunc("GET /medical/v1/document/download-url", s.freshen)
	mux.HandleFunc("GET /hostile/{name}", s.hostile)
	return mux
}

// serve answers as the object store does: it looks at the signature, then at the clock, then for the object.
func (s *store) serve(w http.ResponseWriter, r *http.Request) {
	id, name, q := r.PathValue("id"), r.PathValue("name"), r.URL.Query()
	date, expires := q.Get("X-Amz-Date"), q.Get("X-Amz-Expires")
	if !hmac.Equal([]byte(q.Get("X-Amz-Signature")), []byte(s.sign(id, name, date, expires))) {
		refuse(w, http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.")
		return
	}
	from, err := time.Parse(amzDate, date)
	life, err2 := strconv.Atoi(expires)
	if err != nil || err2 != nil || s.now().After(from.Add(time.Duration(life)*time.Second)) {
		refuse(w, http.StatusForbidden, "AccessDenied", "Request has expired")
		return
	}
	h, ok := s.find(id, name)
	if !ok {
		refuse(w, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
		return
	}
	if h.write != nil { // written as it is made, so of no announced length and without ranges
		w.Header().Set("Content-Type", h.mime)
		if r.Method == http.MethodGet {
			h.write(seeded(h.seed, 2), w)
		}
		return
	}
	body := h.bytes()
	if from.Sub(h.since) > time.Minute && strings.Contains(h.mime, "json") {
		body = s.resign(body) // a message that is given again has its file written anew, with the links in it
	}
	sum := sha256.Sum256(body)
	w.Header().Set("Content-Type", h.mime)
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:16])+`"`)
	http.ServeContent(w, r, "", h.since, bytes.NewReader(body))
}

// freshen is GET /medical/v1/document/download-url: any API key will do, none will not.
func (s *store) freshen(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.Header.Get("x-api-key") == "" {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write(encode(of("message", "Unauthorized")))
		return
	}
	id, name, _ := strings.Cut(r.URL.Query().Get("fileName"), "/")
	if _, ok := s.find(id, name); !ok {
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write(encode(of("status", http.StatusNotFound, "title", "NotFoundError", "detail", "File not found")))
		return
	}
	_, _ = w.Write(encode(of("url", s.link(id, name, freshLife))))
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message>"+
		"<RequestId>SIMULATED</RequestId></Error>\n", code, message)
}
