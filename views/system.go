package views

import "fmt"

// System is the page of how everything does.
type System struct {
	Connection
	Proof    Completeness // only its sentence and state are shown here
	Events   EventChart
	Groups   []GroupRow
	Types    []TypeRow
	Lag      Lag
	Fetched  Fetched
	Places   Places
	Heal     Heal // what died, and having it again
	Storage  Storage
	Rotation Rotation
	Settings []SettingRow
	Version  []Fact
	Folder   string // the data folder
	KeyFile  bool   // what opens the downloads is a file in it
}

// GroupRow is a group of the chart with its numbers.
type GroupRow struct {
	Key, Label  string
	Today, Days int
	Last        Time
}

// TypeRow is when a type was last heard.
type TypeRow struct {
	Type  string
	Known bool
	Last  Time
}

// Lag is what waits.
type Lag struct {
	Messages int    // not yet in the chart
	Oldest   string // how long the first of them waits; "" where none does
	Files    int    // links not yet fetched
	OldFile  string
	Late     bool // something waits for longer than it should
}

// Fetched is what became of links.
type Fetched struct {
	States  []Fact // state and how many
	Reached int
	InTime  int
	Reasons []Fact
	Ahead   []string // what will go wrong with links that wait, and what to do
}

// Places are how many files are fetched at once, as an admin sets them.
type Places struct {
	PerHost, All int
	Most         int
}

// Sentence is the proof for links in one line.
func (f Fetched) Sentence() string {
	if f.Reached == 0 {
		return "No link has come to its end yet"
	}
	return fmt.Sprintf("%s of %s were stored before they expired", Count(f.InTime), Counted(f.Reached, "reachable link"))
}

// Storage is the disk and what is on it.
type Storage struct {
	Facts   []Fact
	Full    bool   // files are not fetched
	Stopped bool   // nothing can be stored
	Soon    string // what to say where the disk will not last; "" = it will
}

// Fact is a name with its value.
type Fact struct {
	Name  string
	Value string
	Help  string // "" = none
}

// KeyRow is one webhook key.
type KeyRow struct {
	ID      string // fingerprint
	Expires Time   // unknown = never
	Over    bool   // it has expired
	Heard   Time   // unknown = never
	Latest  bool   // it signed the last message
}

// Rotation is how far a change of keys is.
type Rotation struct {
	Keys    []KeyRow
	Unknown string // fingerprint of a key that is no longer set and signed the last message; "" = none
	InForce int
	NewID   string // the first key that is set
	Heard   bool   // it was heard
}

// SettingRow is one setting in force.
type SettingRow struct {
	Name   string
	Value  string
	Source string
}

// Step is one step of a change of keys.
type Step struct {
	Done bool
	Text string
	Note string
}

// steps of a change of keys, with what is known of each.
func (r Rotation) steps(canCompare bool) []Step {
	both := r.InForce > 1
	after := "Press Retry in Metriport’s dashboard: what was refused between step 1 and 2 is then sent again."
	if canCompare {
		after = "Look at Completeness, and send again what was refused between step 1 and 2."
	}
	heard := ""
	switch {
	case both && r.Heard:
		heard = "key " + r.NewID + " was heard"
	case both:
		heard = "waiting for key " + r.NewID
	}
	inForce := fmt.Sprintf("%d keys in force", r.InForce)
	if r.InForce == 1 {
		inForce = "one key in force"
	}
	return []Step{
		{both, "In Metriport’s dashboard, clear the webhook URL and set it again. Metriport shows a new key and signs with it from then on.", ""},
		{both, "At once set CAREBELL_WEBHOOK_KEYS to the new key, a comma, and the old key with an end, like new,old@2026-12-31T00:00:00Z. Start Carebell again.", inForce},
		{both && r.Heard, "Press Test at Metriport. This turns green by itself when the new key is heard.", heard},
		{false, after, ""},
		{false, "When the old key’s end has passed, leave it out of CAREBELL_WEBHOOK_KEYS.", ""},
	}
}

func (k KeyRow) inForce() string {
	switch {
	case k.Over:
		return "ended " + k.Expires.Short()
	case k.Expires.Known():
		return "until " + k.Expires.Short()
	default:
		return "yes"
	}
}
