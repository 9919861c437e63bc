package views

import (
	"net/url"
	"strings"
)

// MaxSearch is the longest text that can be searched for, in bytes, where a [Way] says nothing else.
const MaxSearch = 200

// Way is one way to narrow a list: a parameter of its address.
type Way struct {
	Param    string
	Label    string   // of its choices
	Word     string   // what one of them is called: "There is no such …"
	Pairs    []string // values and labels in turn; the first value is the usual one, which no address names. None = a text
	Switch   bool     // Pairs is one pair, which is on or off
	Tab      bool     // chooses between lists: it narrows none of them
	OwnLine  bool     // stands in a line of its own
	Of       string   // the tab that has it; "" = all
	Search   bool     // a text by which people look for something: it leaves a trace
	Patient  bool     // the id of a patient
	Personal bool     // what fits depends on who looks
	Hint     string   // of the search field: what can be searched for
	Most     int      // longest text in bytes; 0 = [MaxSearch]
}

func (w Way) usual() string {
	if len(w.Pairs) == 0 || w.Switch {
		return ""
	}
	return w.Pairs[0]
}

func (w Way) takes(value string) bool {
	for i := 0; i < len(w.Pairs); i += 2 {
		if w.Pairs[i] == value {
			return true
		}
	}
	return len(w.Pairs) == 0
}

// Filter is what a list is narrowed to; it lives in the URL.
type Filter struct {
	path  string
	ways  []Way
	tab   string
	set   url.Values // what is not usual
	loose bool       // says "" for all that narrows
}

// NewFilter reads a filter. It returns what is wrong with it in the words of the answer, or "".
func NewFilter(path string, ways []Way, value func(param string) string) (f Filter, wrong string) {
	f = Filter{path: path, set: url.Values{}}
	for _, w := range ways {
		got := strings.TrimSpace(value(w.Param))
		if w.Tab {
			if f.tab = got; got == "" {
				f.tab = w.usual()
			}
		}
		most := w.Most
		if most == 0 {
			most = MaxSearch
		}
		switch {
		case w.Of != "" && w.Of != f.tab:
			continue
		case len(got) > most:
			return f, "That is too long to search for."
		case got == "" || got == w.usual():
		case !w.takes(got):
			return f, "There is no such " + w.Word + ". Choose one above the list."
		default:
			f.set.Set(w.Param, got)
		}
		f.ways = append(f.ways, w)
	}
	for _, w := range ways { // what another tab has
		if strings.TrimSpace(value(w.Param)) != "" && f.way(w.Param).Param == "" {
			return f, "There is no such " + w.Word + ". Choose one above the list."
		}
	}
	return f, ""
}

func (f Filter) way(param string) Way {
	for _, w := range f.ways {
		if w.Param == param {
			return w
		}
	}
	return Way{}
}

// Get returns what is chosen for a parameter, "" for one that the list does not have.
func (f Filter) Get(param string) string {
	w := f.way(param)
	if f.loose && !w.Tab {
		return ""
	}
	if v := f.set.Get(param); v != "" {
		return v
	}
	return w.usual()
}

// Tab is which of several lists it is; "" where there is one.
func (f Filter) Tab() string { return f.tab }

// Loose is the filter that says "" for everything but the tab.
func (f Filter) Loose() Filter {
	f.loose = true
	return f
}

// Offer gives a text's parameter its choices, which are not known before.
func (f *Filter) Offer(param string, pairs []string) {
	ways := make([]Way, len(f.ways))
	for i, w := range f.ways {
		if ways[i] = w; w.Param == param {
			ways[i].Pairs = pairs
		}
	}
	f.ways = ways
}

// Query is the filter as URL parameters, without what is usual.
func (f Filter) Query() url.Values { return with(f.set, "", "") }

// URL is the address of the list with this filter.
func (f Filter) URL() string { return address(f.path, f.set) }

func (f Filter) older(before int64) string {
	return address(f.path, with(f.set, "before", decimal(before)))
}

// clear is the same list without what narrows it.
func (f Filter) clear() string {
	q := url.Values{}
	for _, w := range f.ways {
		if w.Tab && f.set.Has(w.Param) {
			q.Set(w.Param, f.tab)
		}
	}
	return address(f.path, q)
}

func (f Filter) any(is func(Way) bool) bool {
	for _, w := range f.ways {
		if f.set.Has(w.Param) && is(w) {
			return true
		}
	}
	return false
}

// Narrowed says whether something besides the tab is not as usual.
func (f Filter) Narrowed() bool { return f.any(func(w Way) bool { return !w.Tab }) }

// Searched says whether somebody looks for a text.
func (f Filter) Searched() bool { return f.any(func(w Way) bool { return w.Search }) }

// Personal says whether what fits depends on who looks.
func (f Filter) Personal() bool { return f.any(func(w Way) bool { return w.Personal }) }

// PatientID is the patient that the list is narrowed to; "" = all.
func (f Filter) PatientID() string {
	for _, w := range f.ways {
		if w.Patient {
			return f.Get(w.Param)
		}
	}
	return ""
}

// choiceGroup is choices that stand together.
type choiceGroup struct {
	label   string
	choices []Choice
}

// groups are the choices above the list. A text goes along from one tab to the other; what else is chosen need not fit.
func (f Filter) groups(ownLine bool) (out []choiceGroup) {
	for _, w := range f.ways {
		if len(w.Pairs) == 0 || w.OwnLine != ownLine {
			continue
		}
		g := choiceGroup{label: w.Label}
		switch chosen := f.Get(w.Param); {
		case w.Switch:
			to := w.Pairs[0]
			if chosen != "" {
				to = ""
			}
			g.choices = []Choice{{Label: w.Pairs[1], URL: address(f.path, with(f.set, w.Param, to)), On: chosen != ""}}
			if n := len(out); n > 0 && out[n-1].label == w.Label {
				out[n-1].choices = append(out[n-1].choices, g.choices...)
				continue
			}
		case w.Tab:
			g.choices = Choices(f.path, with(nil, "q", f.Get("q")), w.Param, chosen, w.Pairs...)
		default:
			g.choices = Choices(f.path, f.set, w.Param, chosen, w.Pairs...)
		}
		out = append(out, g)
	}
	return out
}

// chips are what is chosen, each with the address of the list without it.
func (f Filter) chips() (out []Choice) {
	for _, w := range f.ways {
		chosen := f.set.Get(w.Param)
		if w.Tab || chosen == "" {
			continue
		}
		label := "“" + chosen + "”"
		for i := 0; i+1 < len(w.Pairs); i += 2 {
			if w.Pairs[i] == chosen {
				label = w.Pairs[i+1]
			}
		}
		out = append(out, Choice{Label: label, URL: address(f.path, with(f.set, w.Param, "")), On: true})
	}
	return out
}

// search is the search field; false where the list has none.
func (f Filter) search() (Search, bool) {
	w := f.way("q")
	return Search{Path: f.path, Text: f.Get("q"), Hint: w.Hint, Keep: f.set}, w.Param != ""
}
