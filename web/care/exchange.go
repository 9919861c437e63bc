package care

import (
	"cmp"
	"strings"
)

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

// Exchange is the code of the exchange or network that the facts come from: the first that says where it comes from, else the
// first of those that the record names; "" where it names none.
func (f Facts) Exchange() string {
	var codes []string
	if f.Encounter != nil {
		codes = append(codes, f.Encounter.Exchange)
	}
	for _, fill := range f.Fills {
		codes = append(codes, fill.Exchange)
	}
	for _, p := range f.Panels {
		codes = append(codes, p.Exchange)
	}
	return cmp.Or(append(codes, f.Exchanges...)...)
}
