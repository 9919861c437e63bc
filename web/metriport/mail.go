package metriport

import (
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Mail is what the payload of message.received says by names that are known (contract.md, `message.received`): those of
// the sender's message model, and the usual ones for who wrote it. No schema is published; what is of another shape is
// absent here and shown by [Fields].
type Mail struct {
	Sender      string
	Destination string
	Recipients  []string // NPIs
	Body        string
	Network     string
	Transport   string
	ReplyTo     string
}

// mailFields are the names that [Mail] and [Payload] read.
type mailFields struct {
	From          Text `json:"from"`
	Sender        Text `json:"sender"`
	Destination   Text `json:"destination"`
	RecipientNPIs npis `json:"intendedRecipientNpi"`
	Body          Text `json:"body"`
	Network       Text `json:"network"`
	Transport     Text `json:"transportMethod"`
	InResponseTo  Text `json:"inResponseTo"`
}

// npis is a list of numbers, or one alone.
type npis []string

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (n *npis) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	v, err := d.ReadValue()
	if err != nil {
		return errNotJSON(err)
	}
	var many []Text
	var one Text
	switch {
	case json.Unmarshal(v, &many) == nil:
	case json.Unmarshal(v, &one) == nil:
		many = []Text{one}
	}
	*n = nil
	for _, id := range many {
		if id != "" && !slices.Contains(*n, string(id)) {
			*n = append(*n, string(id))
		}
	}
	return nil
}

// Mail reads the payload of message.received.
func (p *Payload) Mail() Mail {
	var f mailFields
	if json.Unmarshal(p.Raw, &f, jsontext.AllowInvalidUTF8(true)) != nil {
		return Mail{}
	}
	m := Mail{
		Sender: string(f.From), Destination: string(f.Destination), Recipients: f.RecipientNPIs, Body: string(f.Body),
		Network: string(f.Network), Transport: string(f.Transport), ReplyTo: string(f.InResponseTo),
	}
	if m.Sender == "" {
		m.Sender = string(f.Sender)
	}
	return m
}
