package care

import (
	"regexp"
	"strings"
)

// Letter is what a stored secure message says beside its subject, people, times and text. The json form is what the
// database holds.
type Letter struct {
	Read      bool     `json:"read"` // false where the stored file is no message that can be read
	Category  string   `json:"category,omitempty"`
	Status    string   `json:"status,omitempty"`
	Medium    []string `json:"medium,omitempty"`
	Name      string   `json:"name,omitempty"`      // of the patient in the file
	BirthDate string   `json:"birthDate,omitempty"` // of the patient in the file
	Others    int      `json:"others,omitempty"`    // further messages in the same file
	Cut       bool     `json:"cut,omitempty"`       // there is more in the file than is shown
	Missing   []string `json:"missing,omitempty"`   // attachments that are named, but neither in the file nor behind a link
}

// answers is what mail programs put before the subject of an answer or of what they pass on, in several languages.
var answers = regexp.MustCompile(`^(?i:re|fw|fwd|aw|wg|antw|sv|vs|tr|rv|ref)(?:\[\d+\])?\s*:\s*`)

// Thread is what the subjects of one conversation have in common: "Re: FW: Oxygen " is "oxygen".
func Thread(subject string) string {
	s := strings.Join(strings.Fields(subject), " ")
	for {
		rest := answers.ReplaceAllString(s, "")
		if rest == s {
			return strings.ToLower(s)
		}
		s = rest
	}
}
