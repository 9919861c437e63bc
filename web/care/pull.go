package care

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// PullKind is what was asked of the networks.
type PullKind string

// The kinds of requests for a patient's records.
const (
	PullQuery        PullKind = "query"        // a network query, answered by source
	PullConsolidated PullKind = "consolidated" // a consolidated record
	PullDocuments    PullKind = "documents"    // a bulk download of documents
)

// Step is what one message tells of a request.
type Step string

// The steps of requests.
const (
	StepFirst      Step = "first"      // the first data of a source is ready
	StepAnswer     Step = "answer"     // a source is done
	StepData       Step = "data"       // consolidated data
	StepPage       Step = "page"       // one page of a list of documents
	StepLinks      Step = "links"      // a list of documents with links (older event)
	StepDownload   Step = "download"   // a list of documents without links (older event)
	StepConversion Step = "conversion" // the documents were converted (older event)
)

// Places that network queries ask.
const (
	PlaceHIE      = "hie"
	PlacePharmacy = "pharmacy"
	PlaceLab      = "lab"
)

// Pair is a named value as it was sent.
type Pair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Part is what one message says of a request. Times that are not known are zero.
type Part struct {
	ID        int64 // inbox_seq * 1024 + place in the message
	Step      Step
	MessageID string
	At        time.Time // when it happened, as the event says, else when it was sent
	SentAt    time.Time
	Received  time.Time
	Place     string // PlaceHIE …; "" for what is no network query
	Source    string // the source's own name; "" where not sent
	Status    string // as sent
	Page      int64  // from 1; 0 = not numbered
	Pages     int64  // 0 = not sent
	Items     int64  // documents in all pages; 0 = not sent
	PartMore
}

// PartMore is what else a part says, kept as JSON.
type PartMore struct {
	Data    []Pair         `json:"data,omitempty"`    // what the caller passed along
	Filters []Pair         `json:"filters,omitempty"` // what a consolidated query was narrowed to
	Bundle  bool           `json:"bundle,omitempty"`  // there was a bundle with a list of entries
	Entries int            `json:"entries,omitempty"` // in it; 0 = no data
	Formats []string       `json:"formats,omitempty"` // media types of its attachments
	Counts  map[string]int `json:"counts,omitempty"`  // resources in the message itself, by type
}

// later says whether p tells of something later than q; of two at once, the greater message id wins, then the later place
// in the message. The order in which they arrived does not count.
func (p Part) later(q Part) bool {
	const places = 1024
	return cmp.Or(p.At.Compare(q.At), strings.Compare(p.MessageID, q.MessageID), cmp.Compare(p.ID%places, q.ID%places)) > 0
}

// The words of the sender for how something ended.
const (
	Completed  = "completed"
	Failed     = "failed"
	Processing = "processing"
)

// Word is a status as it is compared: in lower case.
func Word(status string) string { return strings.ToLower(strings.TrimSpace(status)) }

// Answer is how one source of a network query stands.
type Answer struct {
	Place   string
	Source  string // "" where not sent
	First   bool   // its first data was announced
	FirstAt time.Time
	Ended   bool // it was heard of again
	Status  string
	At      time.Time
	Parts   []int64 // ids of the parts that told of it, the earliest first

	firstStatus string
}

// Out says that the source is known to be at work still. Of a source that was never heard of, nothing is known.
func (a Answer) Out() bool { return !a.Ended || Word(a.Status) == Processing }

// Range is the pages from From to To.
type Range struct{ From, To int64 }

// Pages is how far a list of documents has come.
type Pages struct {
	Heard      int64   // different pages that came
	Total      int64   // 0 = not sent
	Missing    []Range // in order; nil where Total is not known
	Unnumbered int     // parts that do not say which page they are
	Items      int64   // documents in all; 0 = not sent
}

// Pull is all that is known of one request.
type Pull struct {
	Answers []Answer // of a query: HIE, pharmacy, laboratory, each by name
	Pages   *Pages   // of documents that come in pages, else nil
	Steps   []Part   // of anything but a query: the latest of each step, and of each page
	Data    []Pair   // what the caller passed along, as last sent
	Last    time.Time

	Out     bool // something known to be on its way has not come
	Failed  bool // a part of it failed
	Empty   bool // there was nothing to send
	Unclear bool // what was sent does not tell how it ended
}

// FoldPull makes of the parts of a request what is known of it, whatever order they came in.
func FoldPull(kind PullKind, parts []Part) Pull {
	parts = slices.Clone(parts)
	slices.SortFunc(parts, func(a, b Part) int {
		switch {
		case b.later(a):
			return -1
		case a.later(b):
			return 1
		}
		return 0
	})
	var p Pull
	for _, part := range parts {
		if len(part.Data) > 0 {
			p.Data = part.Data
		}
		if part.At.After(p.Last) {
			p.Last = part.At
		}
	}
	if kind == PullQuery {
		p.answers(parts)
		return p
	}
	p.steps(parts)
	return p
}

// answers folds the parts of a query, the earliest first.
func (p *Pull) answers(parts []Part) {
	at := map[[2]string]int{}
	of := func(part Part) *Answer {
		key := [2]string{part.Place, strings.ToLower(part.Source)}
		i, ok := at[key]
		if !ok {
			i = len(p.Answers)
			at[key] = i
			p.Answers = append(p.Answers, Answer{Place: part.Place})
		}
		p.Answers[i].Source = part.Source
		return &p.Answers[i]
	}
	for _, part := range parts {
		a := of(part)
		if a.Parts = append(a.Parts, part.ID); part.Step == StepFirst {
			a.First, a.FirstAt, a.firstStatus = true, part.At, part.Status
		} else {
			a.Ended, a.Status, a.At = true, part.Status, part.At
		}
	}
	p.Answers = adopt(p.Answers)
	for i := range p.Answers {
		a := &p.Answers[i]
		if word := Word(a.firstStatus); !a.Ended && word != "" && word != Processing && word != Completed {
			a.Ended, a.Status, a.At = true, a.firstStatus, a.FirstAt // it says itself that this is not the usual way
		}
		word := Word(a.Status)
		p.Out = p.Out || a.Out()
		p.Failed = p.Failed || word == Failed
		p.Unclear = p.Unclear || a.Ended && word != Failed && word != Completed && word != Processing
	}
	rank := map[string]int{PlaceHIE: 0, PlacePharmacy: 1, PlaceLab: 2}
	slices.SortStableFunc(p.Answers, func(a, b Answer) int {
		return cmp.Or(cmp.Compare(rank[a.Place], rank[b.Place]), strings.Compare(strings.ToLower(a.Source), strings.ToLower(b.Source)))
	})
}

// adopt gives a first data that names no source to the answer of its kind of source, where that names itself: the
// announcement has no name of its own.
func adopt(list []Answer) []Answer {
	return slices.DeleteFunc(list, func(a Answer) bool {
		if a.Ended || a.Source != "" {
			return false
		}
		i := slices.IndexFunc(list, func(b Answer) bool { return b.Place == a.Place && b.Ended && !b.First })
		if i < 0 {
			return false
		}
		list[i].First, list[i].FirstAt, list[i].firstStatus = true, a.FirstAt, a.firstStatus
		list[i].Parts = append(list[i].Parts, a.Parts...)
		return true
	})
}

// steps folds the parts of anything but a query, the earliest first.
func (p *Pull) steps(parts []Part) {
	type key struct {
		step Step
		page int64
		id   int64 // of a part that does not say which page it is
	}
	latest := map[key]Part{}
	for _, part := range parts {
		k := key{step: part.Step, page: part.Page}
		if part.Step == StepPage && part.Page <= 0 {
			k.id = part.ID
		}
		latest[k] = part
	}
	for _, part := range latest {
		p.Steps = append(p.Steps, part)
	}
	order := []Step{StepPage, StepLinks, StepDownload, StepConversion, StepData}
	slices.SortFunc(p.Steps, func(a, b Part) int {
		c := cmp.Or(cmp.Compare(slices.Index(order, a.Step), slices.Index(order, b.Step)), cmp.Compare(a.Page, b.Page))
		switch {
		case c != 0:
			return c
		case b.later(a):
			return -1
		}
		return 1
	})
	for _, part := range p.Steps {
		switch Word(part.Status) {
		case Completed:
		case Failed:
			p.Failed = true
		case Processing:
			p.Out = true
		default:
			p.Unclear = true
		}
		if part.Step == StepData && Word(part.Status) != Failed {
			p.Empty = part.Bundle && part.Entries == 0
			p.Unclear = p.Unclear || !part.Bundle
		}
	}
	p.pages(parts)
}

func (p *Pull) pages(parts []Part) {
	var heard []int64
	var pages Pages
	for _, part := range parts { // the earliest first: what was said last counts
		if part.Step != StepPage {
			continue
		}
		p.Pages = &pages
		if part.Pages > 0 {
			pages.Total = part.Pages
		}
		if part.Items > 0 {
			pages.Items = part.Items
		}
		if part.Page > 0 {
			heard = append(heard, part.Page)
		} else {
			pages.Unnumbered++
		}
	}
	if p.Pages == nil {
		return
	}
	slices.Sort(heard)
	heard = slices.Compact(heard)
	if pages.Heard = int64(len(heard)); pages.Total == 0 {
		p.Unclear = true
		return
	}
	if n := len(heard); n > 0 {
		pages.Total = max(pages.Total, heard[n-1])
	}
	next := int64(1)
	for _, page := range append(heard, pages.Total+1) {
		if page > next {
			pages.Missing = append(pages.Missing, Range{next, page - 1})
		}
		next = page + 1
	}
	p.Out = p.Out || len(pages.Missing) > 0
}
