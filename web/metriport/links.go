package metriport

import (
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Link is one presigned link in an event.
type Link struct {
	Place   string // JSON pointer of the link in the body; names it among the links of the event
	Item    int    // place in `patients`; 0 for a payload
	Role    Role
	URL     string
	APIURL  string // a document's downloadUrl: gives a fresh link, needs the API key
	Name    string // file name as sent, or from the link
	Type    string // media type as claimed; "" where not said
	Size    int64  // bytes as claimed; 0 where not said
	Expires time.Time
}

// Role is what a link leads to.
type Role string

// The roles of links.
const (
	RoleRecord       Role = "record"       // the FHIR bundle of a patient.* event
	RoleConsolidated Role = "consolidated" // a patient's consolidated data
	RoleDocument     Role = "document"
	RoleImportResult Role = "import"
	RoleMessage      Role = "message"
	RoleAttachment   Role = "attachment"
)

// Lives of presigned links where the link itself does not say it (contract.md, "Event types").
const (
	shortLife = 3 * time.Minute
	longLife  = 10 * time.Minute
)

// Links lists the presigned links of an event that came at received, in the order of the body. Of a consolidated
// record that is offered as JSON and as gzip, only the gzip is listed.
func Links(t Type, e Event, received time.Time) []Link {
	life := longLife
	switch t {
	case NetworkQueryHIE, NetworkQueryPharmacy, NetworkQueryLab, FirstDataReady, ConsolidatedData, BulkPatientCreate:
		life = shortLife
	default:
	}
	var out []Link
	add := func(l Link) {
		if l.URL == "" {
			return
		}
		l.Expires = expiry(l.URL, received, life)
		if l.Name == "" {
			l.Name = nameIn(l.URL)
		}
		out = append(out, l)
	}
	if p := e.Payload; p != nil {
		role := RoleRecord
		if t == MessageReceived {
			role = RoleMessage
		}
		add(Link{Place: "/payload/url", Role: role, URL: string(p.URL)})
		add(Link{Place: "/payload/consolidatedDataUrl", Role: RoleConsolidated, URL: string(p.ConsolidatedDataURL)})
		for i, a := range attachments(p.Raw) {
			add(Link{Place: fmt.Sprintf("/payload/attachments/%d/url", i), Role: RoleAttachment, URL: string(a.URL), Name: a.name(), Type: a.mediaType(), Size: int64(a.Size)})
		}
	}
	if b := e.BulkCreate; b != nil {
		add(Link{Place: "/bulkPatientCreate/result", Role: RoleImportResult, URL: string(b.Result), Type: "text/csv"})
	}
	for i, row := range e.Patients {
		at := "/patients/" + strconv.Itoa(i)
		add(Link{Place: at + "/url", Item: i, Role: RoleRecord, URL: string(row.URL)})
		for _, a := range consolidated(row.Bundle) {
			add(Link{Place: at + "/bundle" + a.place, Item: i, Role: RoleConsolidated, URL: string(a.URL), Name: a.name(), Type: a.mediaType(), Size: int64(a.Size)})
		}
		for j, d := range row.Documents {
			add(Link{
				Place: fmt.Sprintf("%s/documents/%d/url", at, j), Item: i, Role: RoleDocument, URL: string(d.URL), APIURL: string(d.DownloadURL),
				Name: string(d.FileName), Type: string(d.MimeType), Size: int64(d.Size),
			})
		}
	}
	return out
}

// attachment is a FHIR Attachment, or one of a message, which has no published schema: the usual names are tried.
type attachment struct {
	URL         Text `json:"url"`
	ContentType Text `json:"contentType"`
	MimeType    Text `json:"mimeType"`
	Title       Text `json:"title"`
	FileName    Text `json:"fileName"`
	Size        Int  `json:"size"`

	place string
}

func (a attachment) name() string {
	if a.FileName != "" {
		return string(a.FileName)
	}
	return string(a.Title)
}

func (a attachment) mediaType() string {
	if a.ContentType != "" {
		return string(a.ContentType)
	}
	return string(a.MimeType)
}

// attachments reads payload.attachments; anything of another shape is none.
func attachments(raw jsontext.Value) []attachment {
	var p struct {
		Attachments []attachment `json:"attachments"`
	}
	if len(raw) == 0 || json.Unmarshal(raw, &p, jsontext.AllowInvalidUTF8(true)) != nil {
		return nil
	}
	return p.Attachments
}

// consolidated finds the attachments of the DocumentReference in the bundle of medical.consolidated-data: the gzip where
// there is one, else the first. A bundle with no entry holds no data.
func consolidated(bundle jsontext.Value) []attachment {
	var b struct {
		Entry []struct {
			Resource struct {
				ResourceType Text `json:"resourceType"`
				Content      []struct {
					Attachment attachment `json:"attachment"`
				} `json:"content"`
			} `json:"resource"`
		} `json:"entry"`
	}
	if len(bundle) == 0 || json.Unmarshal(bundle, &b, jsontext.AllowInvalidUTF8(true)) != nil {
		return nil
	}
	var out []attachment
	for i, e := range b.Entry {
		if e.Resource.ResourceType != "DocumentReference" {
			continue
		}
		best := -1
		for j, c := range e.Resource.Content {
			if c.Attachment.URL != "" && (best < 0 || c.Attachment.ContentType == "application/gzip") {
				best = j
			}
		}
		if best >= 0 {
			a := e.Resource.Content[best].Attachment
			a.place = fmt.Sprintf("/entry/%d/resource/content/%d/attachment/url", i, best)
			out = append(out, a)
		}
	}
	return out
}

// Expiry is when a link that was found at some time dies, where it is one of those that live long.
func Expiry(link string, found time.Time) time.Time { return expiry(link, found, longLife) }

// expiry is when a presigned link dies: what it says itself, where that is believable, else by its life.
func expiry(link string, received time.Time, life time.Duration) time.Time {
	u, err := url.Parse(link)
	if err != nil {
		return received.Add(life)
	}
	q := u.Query()
	signed, err := time.Parse("20060102T150405Z", q.Get("X-Amz-Date"))
	seconds, errLife := strconv.Atoi(q.Get("X-Amz-Expires"))
	const longest = 7 * 24 * 3600 // S3 signs for no longer
	if err != nil || errLife != nil || seconds <= 0 || seconds > longest || signed.After(received.Add(24*time.Hour)) {
		return received.Add(life)
	}
	return signed.Add(time.Duration(seconds) * time.Second)
}

// nameIn is the last part of a link's path.
func nameIn(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	name := path.Base(u.Path)
	if name == "." || name == "/" {
		return ""
	}
	return strings.TrimSpace(name)
}
