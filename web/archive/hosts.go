package archive

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"carebell/db"
)

// Places say how many files are fetched at once.
type Places struct {
	PerHost int // from one host
	All     int
}

// DefaultPlaces are for an origin like the sender's, some 20 ms away.
var DefaultPlaces = Places{PerHost: 96, All: 192}

// Bounds of Places that people set.
const (
	LeastPlaces = 1
	MostPlaces  = 512
)

// How a host is judged.
const (
	atFirst    = 8 // places of a host that has not yet answered; more come with its answers
	downAfter  = 3 // so many links in turn without an answer mean that it is the host
	mostHosts  = 4096
	probePause = time.Second // before a host that is down is asked again; it doubles
)

// hosts know what each host that links lead to bears. A host has as many places as it has shown to bear, by answering;
// fewer after it asked for less; and one alone, now and then, while it does not answer.
type hosts struct {
	mu      sync.Mutex
	places  Places
	of      map[string]*host
	running int
	unsure  int // of the running, those of hosts that have not answered
	changed map[string]db.DownloadHost
}

type host struct {
	running int
	limit   int
	answers int  // so far
	sure    bool // the last that came from it was an answer
	shrunk  int  // answers and failures there were when the limit was last cut
	careful bool // it was cut: from now on it grows by one for as many answers as it allows at once
	grown   int  // answers since it last grew
	events  int
	silent  map[int64]bool // links that got no answer since the last one
	down    db.DownloadHost
}

func newHosts(p Places) *hosts {
	return &hosts{places: p, of: map[string]*host{}, changed: map[string]db.DownloadHost{}}
}

// resume takes up what was known when the process ended.
func (h *hosts) resume(down []db.DownloadHost) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, d := range down {
		h.get(d.Host).down = d
	}
}

func (h *hosts) get(name string) *host {
	x, ok := h.of[name]
	if !ok {
		if len(h.of) >= mostHosts {
			for n, o := range h.of {
				if o.running == 0 && o.down.Failures == 0 {
					delete(h.of, n)
				}
			}
		}
		x = &host{limit: atFirst, silent: map[int64]bool{}}
		h.of[name] = x
	}
	return x
}

func (h *hosts) set(p Places) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.places = p
}

// free is how many more links may be fetched at all.
func (h *hosts) free() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.places.All - h.running
}

func (h *hosts) all() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.places.All
}

// room is how many more links of a host may be fetched. Hosts that do not answer have half of all places together.
func (h *hosts) room(name string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	x := h.get(name)
	if x.down.Failures > 0 {
		return 1 - x.running
	}
	room := min(x.limit, h.places.PerHost) - x.running
	// The last places are for those that have few: hosts that are slow never hold them all.
	room = min(room, max(h.places.All-h.places.All/8-h.running, atFirst-x.running))
	if !x.sure {
		room = min(room, max(h.places.All/2, 1)-h.unsure)
	}
	return room
}

// trial is one fetch, as far as it tells of its host.
type trial struct {
	host    *host
	name    string
	link    int64
	answers int // of the host when it began
	events  int
	unsure  bool
	probe   bool // the host was down
}

func (h *hosts) begin(d db.Download) trial {
	h.mu.Lock()
	defer h.mu.Unlock()
	x := h.get(d.Host)
	x.running++
	h.running++
	if !x.sure {
		h.unsure++
	}
	return trial{host: x, name: d.Host, link: d.ID, answers: x.answers, events: x.events, unsure: !x.sure, probe: x.down.Failures > 0}
}

// leave gives the place of a trial back.
func (h *hosts) leave(t trial) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t.host.running--
	h.running--
	if t.unsure {
		h.unsure--
	}
}

// answered notes that the host said something.
func (h *hosts) answered(t trial) {
	h.mu.Lock()
	defer h.mu.Unlock()
	x := t.host
	x.answers, x.events, x.sure = x.answers+1, x.events+1, true
	if x.grown++; !x.careful || x.grown >= x.limit {
		x.limit, x.grown = min(x.limit+1, MostPlaces), 0
	}
	clear(x.silent)
	if x.down.Failures > 0 {
		x.careful = false // it was away, not too busy
		x.down = db.DownloadHost{Host: t.name}
		h.changed[t.name] = x.down
	}
}

// silent notes that no answer came, or one that asks for less. left is how long the link lives.
func (h *hosts) silent(t trial, reason string, now time.Time, left time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	x := t.host
	x.events++
	if t.events >= x.shrunk { // once for all that was asked at the same time
		x.limit, x.shrunk, x.careful, x.grown = max(x.limit/2, 1), x.events, true, 0
	}
	if t.answers < x.answers {
		return // others were answered meanwhile
	}
	x.sure = false
	if x.down.Failures > 0 {
		if !t.probe {
			return // it was asked before the host was known to be down
		}
		x.down.Failures++
	} else {
		if x.silent[t.link] = true; len(x.silent) < downAfter {
			return
		}
		x.down = db.DownloadHost{Host: t.name, Failures: 1, Since: now}
		x.limit = atFirst
	}
	x.down.Reason, x.down.ProbeAt = reason, now.Add(probeAfter(x.down.Failures, left))
	h.changed[t.name] = x.down
}

// probeAfter is how long a host that is down is left alone. Where the link that was tried is about to die it is asked
// sooner: a host that comes back in the last seconds is not missed.
func probeAfter(failures int, left time.Duration) time.Duration {
	pause := min(probePause<<min(failures-1, 10), longestWait)
	if left > 0 {
		pause = min(pause, max(left/2, leastWait, pause/30))
	}
	return pause
}

// news are the hosts whose state has changed since it was asked last.
func (h *hosts) news() (out []db.DownloadHost) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, d := range h.changed {
		out = append(out, d)
	}
	clear(h.changed)
	return out
}

// again has news told once more: they could not be written.
func (h *hosts) again(news []db.DownloadHost) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, d := range news {
		if _, newer := h.changed[d.Host]; !newer {
			h.changed[d.Host] = d
		}
	}
}

func (h *hosts) silentNow() (out []db.DownloadHost) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, x := range h.of {
		if x.down.Failures > 0 {
			out = append(out, x.down)
		}
	}
	return out
}

// Silent lists the hosts that links wait for and that do not answer.
func (a *Archive) Silent() []db.DownloadHost { return a.hosts.silentNow() }

// HostDown says whether a link's host does not answer: then the link waits until it does.
func (a *Archive) HostDown(name string) bool {
	a.hosts.mu.Lock()
	defer a.hosts.mu.Unlock()
	x, ok := a.hosts.of[name]
	return ok && x.down.Failures > 0
}

// SetPlaces changes how many files are fetched at once, from now on.
func (a *Archive) SetPlaces(p Places) {
	a.hosts.set(p)
	a.Wake()
}

// Places returns how many files are fetched at once.
func (a *Archive) Places() Places {
	a.hosts.mu.Lock()
	defer a.hosts.mu.Unlock()
	return a.hosts.places
}

// noAnswer says whether an error of the first request for a link tells that its host does not answer, or asks for less.
func noAnswer(err error) bool {
	var status StatusError
	var refused RefusedError
	var disk *diskError
	switch {
	case err == nil, errors.Is(err, ErrExpired), errors.As(err, &refused), errors.As(err, &disk), errors.Is(err, context.Canceled):
		return false
	case errors.As(err, &status):
		return status.Status >= http.StatusInternalServerError || status.Status == http.StatusTooManyRequests
	default:
		return true
	}
}
