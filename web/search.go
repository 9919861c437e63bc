package web

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/views"
)

// Bounds of a search.
const (
	mostHits    = 5 // of each group; where there are more, the group leads to its own list
	fewestRunes = 2
)

// searchKind is a group of what [db.Tx.Index] made findable.
type searchKind struct {
	kind, title string
	one         func(h db.Hit) string // where a thing is shown
	all         func(text string) string
}

// searchKinds are the groups beside patients and requests, in the order in which they are shown. A page whose things are
// indexed adds a line.
var searchKinds = []searchKind{
	{db.SearchMessage, "Messages", func(h db.Hit) string { return "/messages/" + h.Key }, func(text string) string { return listURL("/messages", text) + "&state=all" }},
	{db.SearchSent, "Sent messages", func(h db.Hit) string { return "/messages/sent/" + h.Key }, func(text string) string { return listURL("/messages", text) + "&box=outbound" }},
	{db.SearchImport, "Imports", func(h db.Hit) string { return "/imports/" + url.PathEscape(h.Key) }, func(text string) string { return listURL("/imports", text) }},
	{db.SearchIdentity, "Identity proofings", func(h db.Hit) string { return identityPath + "/" + h.Key }, func(text string) string { return listURL(identityPath, text) }},
	{db.SearchSubject, "Drugs and tests", func(h db.Hit) string { return listURL("/", h.Key) + "&state=all" }, nil},
	{db.SearchFacility, "Facilities", func(h db.Hit) string { return listURL("/", h.Key) + "&state=all" }, nil},
}

// listURL is a list, searched for a text.
func listURL(path, text string) string { return path + "?" + url.Values{"q": {text}}.Encode() }

// search looks for a text everywhere: as a page of its own, or as what the search box shows while a person types. It
// answers every text; what cannot be looked for is said.
func (s *Server) search(c *fiber.Ctx) error {
	p := views.Found{Text: strings.TrimSpace(strings.ToValidUTF8(c.Query("q"), ""))}
	switch {
	case p.Text == "":
	case len(p.Text) > maxSearch:
		p.Text, p.Problem = "", "That is too long to search for."
	case utf8.RuneCountInString(p.Text) < fewestRunes:
		p.Problem = "Type at least " + strconv.Itoa(fewestRunes) + " characters."
	default:
		if err := s.audit(c, db.ActionSearch, "", "everything"); err != nil {
			return err
		}
		p.Searched = true
	}
	fragment := c.Get("HX-Request") != ""
	x, _ := who(c)
	err := s.db.Read(c.UserContext(), func(v db.Snapshot) (err error) {
		if p.Searched {
			if p.Groups, err = s.searchGroups(c.UserContext(), v, p.Text, x.May(roles[keepers]...)); err != nil {
				return err
			}
		}
		if fragment {
			return nil
		}
		l, err := s.status(c.UserContext(), v)
		l.URL = liveURL("status", l.Seq, nil)
		p.Frame = s.frame(c, l)
		return err
	})
	if err != nil {
		return err
	}
	if fragment {
		return render(c, views.SearchHits(p))
	}
	return render(c, views.SearchPage(p))
}

// searchGroups looks in one group after the other; those where nothing is found are left out.
func (s *Server) searchGroups(ctx context.Context, v db.Snapshot, text string, admin bool) ([]views.Group, error) {
	var out []views.Group
	n := 0 // numbers the hits of all groups
	add := func(title, more string, hits []views.Hit) {
		if len(hits) == 0 {
			return
		}
		g := views.Group{Title: title}
		if len(hits) > mostHits {
			if hits = hits[:mostHits]; more != "" {
				g.More = &views.Hit{Title: "More " + strings.ToLower(title), URL: more}
			}
		}
		for _, h := range hits {
			n++
			h.No = n
			g.Hits = append(g.Hits, h)
		}
		if g.More != nil {
			n++
			g.More.No = n
		}
		out = append(out, g)
	}
	patients, err := v.Patients(ctx, db.PatientFilter{Text: text, Limit: mostHits + 1, Reach: db.Reach})
	if err != nil {
		return nil, err
	}
	var hits []views.Hit
	for _, p := range patients {
		hits = append(hits, views.PatientHit(patientView(p)))
	}
	add("Patients", listURL("/patients", text), hits)
	if admin { // only they may see the inbox
		requests, err := v.SearchRequests(ctx, text, mostHits+1)
		if err != nil {
			return nil, err
		}
		hits = nil
		for _, r := range requests {
			words := "1 message"
			if r.Messages > 1 {
				words = strconv.Itoa(r.Messages) + " messages"
			}
			hits = append(hits, views.Hit{Title: visible(r.RequestID), Sub: visible(r.Type) + " · " + words, URL: views.InboxURL("request", r.RequestID)})
		}
		add("Requests", listURL(inboxPath, text), hits)
	}
	for _, k := range searchKinds {
		found, err := v.Search(ctx, k.kind, text, mostHits+1)
		if err != nil {
			return nil, err
		}
		hits = nil
		for _, h := range found {
			title, rest, _ := strings.Cut(h.Words, "\n")
			if title == "" {
				title, _, _ = strings.Cut(strings.TrimLeft(rest, "\n"), "\n")
			}
			hit := views.Hit{Title: orMissing(visible(title), "Not named"), URL: k.one(h)}
			if h.Patient.ID != "" {
				hit.Sub = views.PatientHit(patientView(h.Patient)).Title
			}
			hits = append(hits, hit)
		}
		more := ""
		if k.all != nil {
			more = k.all(text)
		}
		add(k.title, more, hits)
	}
	return out, nil
}
