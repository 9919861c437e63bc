package views

// Heal is how having messages again stands whose links died.
type Heal struct {
	On      bool // there is an API key
	Auto    bool // messages are asked for by itself
	Dead    int  // links that a message sent again could mend
	Open    int  // messages that wait to be asked for
	Healed  int  // files that were had again
	Problem string
}

// Sentence is what there is.
func (h Heal) Sentence() string {
	text := "No link of the last 30 days is dead."
	if h.Dead > 0 {
		text = Counted(h.Dead, "dead link") + " of the last 30 days."
	}
	if h.Open > 0 {
		text += " " + Counted(h.Open, "message") + " waiting to be asked for."
	}
	if h.Healed > 0 {
		text += " " + Counted(h.Healed, "file") + " fetched again so far."
	}
	return text
}
