package care

import "strings"

// exchanges are the names of the networks, by the code that the sender puts on each resource (contract.md, the extension
// data-source.json).
var exchanges = map[string]string{
	"BAMBOO":      "Bamboo",
	"CAREQUALITY": "Carequality",
	"COMMONWELL":  "CommonWell",
	"EHEX":        "eHealth Exchange",
	"KONZA":       "KONZA",
	"QUEST":       "Quest",
	"SURESCRIPTS": "Surescripts",
}

// KnownExchange says whether a code is one that has a name here.
func KnownExchange(code string) bool { return exchanges[strings.ToUpper(code)] != "" }

// ExchangeName is an exchange or network in words; a code that has none is shown as it was sent.
func ExchangeName(code string) string {
	if name := exchanges[strings.ToUpper(code)]; name != "" {
		return name
	}
	return code
}

// Exchange is the code of the exchange or network that the facts come from: of what people read first where it says so, else
// the first of those that the record names; "" where it names none.
func (f Facts) Exchange() string {
	var code string
	switch {
	case f.Encounter != nil:
		code = f.Encounter.Exchange
	case len(f.Fills) > 0:
		code = f.Fills[0].Exchange
	case len(f.Panels) > 0:
		code = f.Panels[0].Exchange
	}
	if code == "" && len(f.Exchanges) > 0 {
		code = f.Exchanges[0]
	}
	return code
}
