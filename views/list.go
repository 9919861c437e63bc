package views

import (
	"net/url"
	"slices"

	"github.com/a-h/templ"
)

// ListWords is what a list says whatever is in it.
type ListWords struct {
	Name     string // its id on the page, its live view, and what it is called where a look at it is noted
	Title    string
	Path     string
	Label    string // what its rows are
	Older    string // the way to the next rows
	Order    string // what it is sorted by
	NoFit    string // nothing fits the filter
	NoFitHow string // and what to know about that
}

// byArrival is the order of what came in.
const byArrival = "Latest arrival first"

// Line is a row of a list.
type Line struct {
	Key  int64 // the list is in this order, the greatest first
	At   Time  // the time that the list is sorted by
	Item templ.Component
}

// List is a page with a list, or the part of it that an update brings.
type List struct {
	Frame
	Words  ListWords
	Filter Filter
	Lines  []Line
	Older  bool // there are more after these
	Back   Back
	ToTop  bool            // these are the first rows, not an older page
	Empty  templ.Component // in the place of rows, where nothing narrows the list
	Above  templ.Component // is live
	Beside templ.Component // after the choices
	Below  templ.Component
}

func (l List) empty() bool { return len(l.Lines) == 0 && l.ToTop && l.Back.Before == 0 }

// dayStarts says whether line i begins a day.
func (l List) dayStarts(i int) bool {
	return i == 0 || l.Lines[i].At.DayKey() != l.Lines[i-1].At.DayKey()
}

// How an update comes in: the whole content anew, or rows into a list.
const (
	swapWhole = "innerMorph"
	swapRows  = "rows"
)

func swapOf(whole bool) string {
	if whole {
		return swapWhole
	}
	return swapRows
}

// Choice is one of several narrower views of a list.
type Choice struct {
	Label string
	URL   string
	On    bool
}

// Search is the search field of a list. Keep is what else narrows the list and stays as it is.
type Search struct {
	Path string
	Text string
	Hint string // what can be searched for
	Keep url.Values
}

// kept is Keep in a stable order.
func (s Search) kept() [][2]string {
	var out [][2]string
	for name, values := range s.Keep {
		for _, v := range values {
			if name != "q" && v != "" {
				out = append(out, [2]string{name, v})
			}
		}
	}
	slices.SortFunc(out, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	return out
}

// Back is how far back a list was searched that was not searched to its end, because hardly any row fits. Its zero value
// says that it was.
type Back struct {
	Before int64 // the list goes on below this number
	To     Time
}

// Crumb is one step of the way to a page.
type Crumb struct{ Label, URL string }

// address is path with a query, where there is one.
func address(path string, q url.Values) string {
	if encoded := q.Encode(); encoded != "" {
		return path + "?" + encoded
	}
	return path
}

// with is a copy of q in which name is value; "" takes it out.
func with(q url.Values, name, value string) url.Values {
	out := url.Values{}
	for k, v := range q {
		out[k] = v
	}
	if out.Del(name); value != "" {
		out.Set(name, value)
	}
	return out
}

// Choices makes the choices of one filter: name is its parameter, values and labels come in pairs, and the first pair is
// what is usual, which the URL does not say.
func Choices(path string, q url.Values, name, chosen string, pairs ...string) []Choice {
	var out []Choice
	for i := 0; i+1 < len(pairs); i += 2 {
		value := pairs[i]
		set := value
		if i == 0 {
			set = ""
		}
		out = append(out, Choice{Label: pairs[i+1], URL: address(path, with(q, name, set)), On: chosen == value})
	}
	return out
}

// csv is the address of a list as a file.
func csv(path string, q url.Values) string { return address(path, with(q, "format", "csv")) }

func current(on bool) templ.Attributes {
	if on {
		return templ.Attributes{"aria-current": "true"}
	}
	return nil
}
