package fhir

import (
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
)

// Contact is a person or an organization with how to reach them. Source: FHIR R4 Practitioner, PractitionerRole,
// Organization, Location.
type Contact struct {
	Name    string `json:"name,omitempty"`
	NPI     string `json:"npi,omitempty"`     // identifier of system us-npi
	Phone   string `json:"phone,omitempty"`   // telecom of system phone: work before others, never one out of use
	Address string `json:"address,omitempty"` // on one line
}

// UnmarshalJSON implements [json.Unmarshaler]. An older version of Carebell stored a bare name.
func (k *Contact) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*k = Contact{}
		return json.Unmarshal(b, &k.Name)
	}
	type plain Contact
	if err := json.Unmarshal(b, (*plain)(k)); err != nil {
		return errors.New("a contact is neither a name nor an object")
	}
	return nil
}

// Systems of a National Provider Identifier.
const (
	systemNPI    = "http://hl7.org/fhir/sid/us-npi"
	systemNPIOID = "urn:oid:2.16.840.1.113883.4.6"
)

// reach is how to reach somebody or something: all of a contact but its name.
func (c *from) reach(n *node) Contact {
	return Contact{NPI: c.npi(n.get("identifier")), Phone: c.workPhone(n.get("telecom")), Address: c.address(n.get("address"))}
}

func (c *from) npi(n *node) string {
	for i, e := range n.all() {
		if i == maxIdentifiers {
			break
		}
		if system := e.get("system").str(); system == systemNPI || system == systemNPIOID {
			if value := c.code(e.get("value")); value != "" {
				return value
			}
		}
	}
	return ""
}

// workUses and ownUses order the uses of a phone number: that of an office, and that of a patient.
var (
	workUses = map[string]int{"work": 1, "": 2, "mobile": 3, "temp": 4, "home": 5}
	ownUses  = map[string]int{"mobile": 1, "home": 2, "": 3, "temp": 4, "work": 5}
)

func (c *from) workPhone(n *node) string { return c.phone(n, workUses) }

// address is the first address that is in use, on one line: "12 Sample Street, Springfield, IL 62701".
func (c *from) address(n *node) string {
	for i, e := range n.all() {
		if i == maxIdentifiers {
			break
		}
		if e.get("use").str() == "old" {
			continue
		}
		if line := e.addressLine(); line != "" {
			return c.own(line, maxLine)
		}
	}
	return ""
}

func (n *node) addressLine() string {
	if text := strings.Join(strings.Fields(n.get("text").str()), " "); text != "" {
		return text
	}
	var parts []string
	add := func(words ...string) {
		if part := strings.Join(strings.Fields(strings.Join(words, " ")), " "); part != "" {
			parts = append(parts, part)
		}
	}
	for i, e := range n.get("line").all() {
		if i == maxIdentifiers {
			break
		}
		add(e.str())
	}
	add(n.get("city").str())
	add(n.get("state").str(), n.get("postalCode").str())
	return strings.Join(parts, ", ")
}

// contact is whom a reference names. Of a role, it is the person with the numbers of the role, and of its organization
// where there are no others.
func (r *reader) contact(to ref, kinds ...string) Contact {
	k := r.find(to, kinds...)
	if k == nil {
		return Contact{Name: r.named(to, kinds...)}
	}
	out := k.reach
	out.Name = r.named(to, kinds...)
	if k.kind != "PractitionerRole" {
		return out
	}
	for _, part := range []ref{k.parent, k.owner} {
		if p := r.find(part, "Practitioner", "Organization"); p != nil {
			if p.kind == "Practitioner" && out.NPI == "" {
				out.NPI = p.reach.NPI
			}
			out.Phone, out.Address = firstWord(out.Phone, p.reach.Phone), firstWord(out.Address, p.reach.Address)
		}
	}
	return out
}
