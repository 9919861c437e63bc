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

// ExchangeName is an exchange or network in words; a code that has none is shown as it was sent.
func ExchangeName(code string) string {
	if name := exchanges[strings.ToUpper(code)]; name != "" {
		return name
	}
	return code
}
