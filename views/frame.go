// Package views holds the pages and the parts that pages and live updates share, with the small structs they show.
// It knows nothing of the database or of requests.
package views

import (
	"strconv"

	"carebell/static"
)

// Frame is what every page has around its content.
type Frame struct {
	Title string // of the page, never of a patient
	Here  string // path of the navigation entry that is current
	Email string // of the person; "" where nobody is signed in
	Role  string
	Clock Clock
	Live  Live
	Menu  []MenuItem
}

// MenuItem is a page in the navigation.
type MenuItem struct {
	Path  string
	Name  string
	Group string // above which it stands; "" = none
	Count Counter
	Key   string // leads there, after g
	Goes  string // what the key does
}

// Counter is what is counted beside a name in the navigation.
type Counter int

// The counters.
const (
	CountNothing Counter = iota
	CountNew             // notifications nobody has seen
	CountUnread          // messages nobody has read
)

// begins says whether an item is the first of its group.
func (f Frame) begins(i int) bool {
	return f.Menu[i].Group != "" && (i == 0 || f.Menu[i-1].Group != f.Menu[i].Group)
}

// Live is how a page stays up to date.
type Live struct {
	URL       string // of the socket, with the page's filter and the number of the last change it shows; "" = not live
	Seq       int64
	New       int // notifications nobody has seen, up to [MostNew]
	Unread    int // messages nobody has read, up to [MostNew]
	LastEvent Time
	Alerts    []string // what everybody must know now, such as a full disk
}

// MostNew is where counting what is new stops.
const MostNew = 999

func countUpTo(n int) string {
	switch {
	case n == 0:
		return ""
	case n >= MostNew:
		return strconv.Itoa(MostNew) + "+"
	default:
		return strconv.Itoa(n)
	}
}

// asset is the address of a static file; it changes with the content.
func asset(name string) string { return static.URL(name) }

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// barLinks is how many links of the menu stand in the bar at the foot of a narrow screen; the others are behind "More".
const barLinks = 3
