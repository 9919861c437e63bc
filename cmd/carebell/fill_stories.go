package main

import (
	"bytes"
	"compress/gzip"
	"container/heap"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"carebell/web/metriport"
	"carebell/web/sim"
)

// fillModel is one message of a story that is told many times.
type fillModel struct {
	no    int
	kind  metriport.Type
	at    time.Time // when it was sent, in the model
	body  text
	files []fillFile
}

type fillFile struct {
	name    string
	text    text   // nil of a file that is the same for everybody
	zipped  bool   // text is sent as gzip
	content []byte // of a file that is the same for everybody
}

// fillStory is the messages of a story, in the order in which they are sent.
type fillStory []*fillModel

// fillPlan says what a fill tells: the same for the same numbers, so that it can go on where it stopped.
type fillPlan struct {
	Events  int       `json:"events"`
	Records int       `json:"records"` // one story in so many has its files
	From    time.Time `json:"from"`
	Days    int       `json:"days"`

	models   []*fillModel
	stories  []fillStory // that take turns
	perStory float64     // messages
}

// How many models there are of what: stays, fills and results, and everything else.
const (
	modelStays   = 60
	modelErrands = 32
	errandEvery  = 12 // one story in so many is an errand
)

// prepare makes the models. It is the same every time.
func (p *fillPlan) prepare() error {
	s := sim.New(sim.Options{Now: func() time.Time { return p.From }, Seed: 8, BaseURL: "https://models.invalid"})
	add := func(all []sim.Journey) (out []fillStory, err error) {
		for _, j := range all {
			var story fillStory
			for _, told := range j.Told {
				m, err := p.model(j, told)
				if err != nil {
					return nil, err
				}
				story = append(story, m)
			}
			out = append(out, story)
		}
		return out, nil
	}
	stays, err := add(s.Journeys(modelStays))
	if err != nil {
		return err
	}
	errands, err := add(s.Errands(modelErrands))
	if err != nil {
		return err
	}
	messages := 0
	for i := range modelStays * modelErrands {
		story := stays[i%len(stays)]
		if i%errandEvery == errandEvery-1 {
			story = errands[i/errandEvery%len(errands)]
		}
		p.stories = append(p.stories, story)
		messages += len(story)
	}
	p.perStory = float64(messages) / float64(len(p.stories))
	return nil
}

func (p *fillPlan) model(j sim.Journey, told sim.Told) (*fillModel, error) {
	links := []string{}
	for l := range told.Files {
		links = append(links, l)
	}
	slices.Sort(links)
	m := &fillModel{no: len(p.models), kind: told.Type, at: told.At, body: cutText(told.Body, j, told.ID, links)}
	for _, l := range links {
		f, err := modelFile(l, told.Files[l], j, links)
		if err != nil {
			return nil, err
		}
		m.files = append(m.files, f)
	}
	p.models = append(p.models, m)
	return m, nil
}

func modelFile(link string, content []byte, j sim.Journey, links []string) (f fillFile, err error) {
	path, _, _ := strings.Cut(link, "?")
	f.name = path[strings.LastIndex(path, "/")+1:]
	if f.zipped = bytes.HasPrefix(content, []byte{0x1f, 0x8b}); f.zipped {
		r, err := gzip.NewReader(bytes.NewReader(content))
		if err != nil {
			return f, err
		}
		if content, err = io.ReadAll(r); err != nil {
			return f, err
		}
	}
	if f.zipped || strings.HasSuffix(f.name, ".json") || strings.HasSuffix(f.name, ".csv") || strings.HasSuffix(f.name, ".xml") {
		f.text = cutText(content, j, "", links)
	} else {
		f.content = content
	}
	return f, nil
}

// told is one message that is due.
type told struct {
	model *fillModel
	whose
}

// running is a story of which messages are to come.
type running struct {
	story fillStory
	next  int
	whose
}

func (r running) due() int64 { return r.story[r.next].at.UnixMilli() + r.shift }

type runningStories []running

func (h runningStories) Len() int           { return len(h) }
func (h runningStories) Less(i, k int) bool { return h[i].due() < h[k].due() }
func (h runningStories) Swap(i, k int)      { h[i], h[k] = h[k], h[i] }

// Push implements [heap.Interface].
func (h *runningStories) Push(x any) {
	if r, ok := x.(running); ok {
		*h = append(*h, r)
	}
}

// Pop implements [heap.Interface].
func (h *runningStories) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// teller tells all messages in the order of their times.
type teller struct {
	plan    *fillPlan
	stories uint64 // that have begun
	begins  int64  // when the next one does, milliseconds UTC
	every   float64
	running runningStories
	left    int
}

func (p *fillPlan) teller() *teller {
	span := float64(p.Days) * 24 * 3600_000
	return &teller{plan: p, left: p.Events, begins: p.From.UnixMilli(), every: span / (1.06 * float64(p.Events) / p.perStory)}
}

// next returns the next message; false at the end.
func (t *teller) next() (told, bool) {
	if t.left == 0 {
		return told{}, false
	}
	t.left--
	for len(t.running) == 0 || t.begins <= t.running[0].due() {
		t.begin()
	}
	r := &t.running[0]
	out := told{r.story[r.next], r.whose}
	out.sent = r.due()
	if r.next++; r.next == len(r.story) {
		heap.Pop(&t.running)
	} else {
		heap.Fix(&t.running, 0)
	}
	return out, true
}

// begin begins the next story.
func (t *teller) begin() {
	story := t.plan.stories[t.stories%uint64(len(t.plan.stories))]
	who := whose{story: t.stories, patient: t.plan.patient(t.stories), shift: t.begins - story[0].at.UnixMilli()}
	heap.Push(&t.running, running{story: story, whose: who})
	t.stories++
	t.begins = t.plan.From.UnixMilli() + int64(float64(t.stories)*t.every)
}

// How the patients are spread.
const (
	eventsPerPatient = 50
	busyEvents       = 2000 // at most, of each of the busy ones
)

func (p *fillPlan) patients() uint64 { return uint64(max(p.Events/eventsPerPatient, 20)) }

// patient is whose story it is: one in two hundred is of one of the busy ones, where that is not too many.
func (p *fillPlan) patient(story uint64) uint64 {
	h := mixed(story ^ 0x5eed)
	busy := min(0.005, float64(fewBusy*busyEvents)/float64(p.Events))
	if float64(h%1_000_000) < busy*1_000_000 {
		return h >> 32 % fewBusy
	}
	return fewBusy + (h>>20)%(p.patients()-fewBusy)
}

// filed says whether the files of a story can be fetched.
func (p *fillPlan) filed(story uint64) bool { return mixed(story^0xf11e)%uint64(p.Records) == 0 }

// body is the message as it is sent.
func (p *fillPlan) body(m told, origin string) []byte {
	return m.model.body.put(make([]byte, 0, 1024), m.whose, func(to []byte, file int) []byte {
		if !p.filed(m.story) {
			return to // the event came without a link
		}
		return signedLink(to, origin, m.model.no, file, m.model.files[file].name, m.whose)
	})
}

// ServeHTTP is the origin that links lead to.
func (p *fillPlan) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var model, file int
	var who whose
	parts := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/objects/"), "/", 2)
	if n, err := fmt.Sscanf(parts[0], "%d.%d.%d.%d.%d.%d", &model, &file, &who.story, &who.patient, &who.shift, &who.sent); err != nil || n != 6 ||
		model < 0 || model >= len(p.models) || file < 0 || file >= len(p.models[model].files) {
		http.NotFound(w, r)
		return
	}
	m := p.models[model]
	f := m.files[file]
	content := f.content
	if f.text != nil {
		content = f.text.put(nil, who, func(to []byte, other int) []byte {
			return signedLink(to, "http://"+r.Host, model, other, m.files[other].name, who)
		})
	}
	if f.zipped {
		z := gzip.NewWriter(w)
		_, _ = z.Write(content)
		_ = z.Close()
		return
	}
	_, _ = w.Write(content)
}
