package views

import (
	"strconv"
	"strings"
)

// Completeness is the page that compares Metriport's list with the inbox.
type Completeness struct {
	Frame
	On   bool   // an API key is set
	Host string // of the API

	Checking bool
	Read     int // entries read so far

	NoList  bool    // this version of Metriport's API has no list to compare with
	Asked   Time    // when Metriport answered last
	Webhook Webhook // as it answered then

	Known   bool // there was a comparison that came to its end
	At      Time // of it
	Sent    int
	Here    int
	Missing int // by now
	Pending int

	ByChoice  int      // never sent, because the account has switched their types off
	Choice    []Gap    // the newest of them
	Away      int      // sent to another address
	Elsewhere []Gap    // the newest of them
	Notes     []string // what else the comparison found, in sentences
	Failing   string   // what Metriport says of a webhook that it calls failing; "" = it does not
	Problem   string   // why the last comparison did not come to its end; "" = it did
	Tried     Time     // when that was

	CanRetry bool // there is something to send again
	Retry    Retry

	Gaps []Gap // missing, the oldest first
	More int   // missing ones that are not in Gaps
	Late []Gap // missing once, and here by now
	Runs []Comparison
}

// Webhook is what Metriport says of the webhook itself. Counts are words: they need not be known.
type Webhook struct {
	Known      bool // the account has webhook settings
	Works      bool
	Detail     string
	Processing string
	Failed     string
}

func (w Webhook) state() string {
	switch {
	case !w.Known:
		return "no webhook settings for this account yet"
	case w.Works && (w.Detail == "" || strings.EqualFold(w.Detail, "ok")):
		return "works"
	case w.Works:
		return "works: “" + w.Detail + "”"
	case w.Detail == "":
		return "failing, no reason given"
	default:
		return "failing: “" + w.Detail + "”"
	}
}

// Retry is what was last asked to be sent again.
type Retry struct {
	Asked   bool
	At      Time
	By      string
	Missing int // at that time
	Arrived int // since
	Error   string
	Overdue bool // it takes longer than it should
	Waited  string
}

// Gap is a message that was missing, or is.
type Gap struct {
	ID      string
	Type    string
	Sent    Time
	Said    string // by Metriport, of its delivery
	Arrived Time   // unknown while missing
	State   string // of its links, once it is here
	Bad     bool   // they had expired
}

// Comparison is one row of the history.
type Comparison struct {
	At      Time
	Took    string
	By      string // "" = by the clock
	Text    string
	Problem bool
}

// Sentence is the proof in one line.
func (p Completeness) Sentence() string { return Proof(p.Sent, p.Here, p.Missing, p.Pending) }

// Proof is a comparison in one line: "2,481 sent, 2,481 here, 0 missing".
func Proof(sent, here, missing, pending int) string {
	text := Count(sent) + " sent, " + Count(here) + " here, " + Count(missing) + " missing"
	if pending > 0 {
		text += ", " + Count(pending) + " on the way"
	}
	return text
}

// Count is a number with its thousands apart.
func Count(n int) string {
	digits := strconv.Itoa(n)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && d != '-' && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// Counted is a number with its noun: "1 message", "2,000 messages", "3 allergies", "2 new people".
func Counted(n int, noun string) string {
	return Count(n) + " " + Plural(n, noun)
}

// Plural is the noun for n things.
func Plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	if before, ok := strings.CutSuffix(noun, "person"); ok {
		return before + "people"
	}
	if before, ok := strings.CutSuffix(noun, "y"); ok && !strings.HasSuffix(before, "a") && !strings.HasSuffix(before, "e") && !strings.HasSuffix(before, "o") { // stays, surveys, boys
		return before + "ies"
	}
	return noun + "s"
}

func more(all, shown int) int { return max(all-shown, 0) }

func (g Gap) typeName() string {
	if g.Type == "" {
		return "type not sent"
	}
	return g.Type
}

// Missing counts messages up to [MostNew].
func Missing(n int) string {
	if n >= MostNew {
		return "At least " + Counted(MostNew, "message")
	}
	return Counted(n, "message")
}

func (g Gap) arrived() string {
	if late := g.Arrived.Since(g.Sent); late != "" {
		return "arrived " + late + " late"
	}
	return "arrived"
}
