package web

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/views"
	"carebell/web/live"
)

const identityPath = "/identity"

// mostProofings is how many proofings of one person a page shows.
const mostProofings = 50

// identityList is the finished identity proofings.
var identityList = &list[db.ProofingFilter, db.Proofing]{
	ListWords: views.IdentityWords,
	ways: []views.Way{
		{Param: "who", Label: "Who", Word: "choice", Pairs: []string{"", "All", "again", "More than once", "nobody", "Without a patient"}},
		{Param: "q", Search: true, Hint: "Patient, proofed id, session"},
	},
	concerns: func(c db.Change) bool { return c.Topic == db.TopicIdentities },
	filter: func(_ context.Context, _ db.Snapshot, a *asked) (db.ProofingFilter, error) {
		return db.ProofingFilter{Text: a.Get("q"), Again: a.Get("who") == "again", Nobody: a.Get("who") == "nobody"}, nil
	},
	read: db.Snapshot.ProofingPage,
	id:   func(p db.Proofing) int64 { return p.ID },
	line: func(a *asked, p db.Proofing, fitsNot bool) views.Line {
		r := a.words.proofing(p)
		r.FitsNot = fitsNot
		return views.Line{Key: r.ID, At: r.Received, Item: views.IdentityRow(r)}
	},
	empty: func(_ context.Context, _ db.Snapshot, a *asked) (templ.Component, error) {
		return views.IdentityEmpty(a.webhook), nil
	},
	columns: func(a *asked) (string, []string) {
		zone := " (" + a.words.ZoneName() + ")"
		return "identity", []string{"Patient", "Birth date", "Your id", "Metriport id", "Proofed identity id", "Session", "Sent" + zone, "Received" + zone, "Proofings of this person", "Request id", "Message id", "Metadata", "Other fields"}
	},
	cells: func(a *asked, p db.Proofing) []string {
		r := a.words.proofing(p)
		return []string{
			p.Patient.Name, p.Patient.BirthDate, p.Patient.ExternalID, p.PatientID, p.ProofedID, p.SessionID, r.Sent.Sortable(), r.Received.Sortable(),
			strconv.Itoa(p.Times), p.RequestID, p.MessageID, inOneLine(r.Data), inOneLine(r.Fields),
		}
	},
}

func (w wording) proofings(list []db.Proofing) []views.Proofing {
	out := make([]views.Proofing, len(list))
	for i, p := range list {
		out[i] = w.proofing(p)
	}
	return out
}

func (w wording) proofing(p db.Proofing) views.Proofing {
	return views.Proofing{
		ID: p.ID, Patient: patientView(p.Patient), ProofedID: p.ProofedID, SessionID: p.SessionID, RequestID: p.RequestID, MessageID: p.MessageID,
		Sent: w.At(p.SentAt), Received: w.At(p.ReceivedAt), Times: p.Times, Data: shownFields(p.Data), Fields: shownFields(p.Fields),
	}
}

// shownFields are fields from outside as people may see them: a link's secret part is not among it.
func shownFields(list []db.Field) []views.Field {
	out := make([]views.Field, len(list))
	for i, f := range list {
		name, _ := maskLinks(visible(f.Name))
		text, _ := maskLinks(visible(f.Text))
		out[i] = views.Field{Name: name, Text: text, Cut: f.Cut}
	}
	return out
}

func inOneLine(list []views.Field) string {
	parts := make([]string, len(list))
	for i, f := range list {
		parts[i] = f.Name + ": " + f.Text
	}
	return strings.Join(parts, "; ")
}

// identity is one proofing with all that it says, and all others of the same person.
func (s *Server) identity(c *fiber.Ctx) error {
	id, err := number(c.Params("id"))
	if err != nil {
		return err
	}
	var p views.IdentityDetail
	err = s.db.Read(c.UserContext(), func(v db.Snapshot) error {
		l, err := s.status(c.UserContext(), v)
		if err != nil {
			return err
		}
		l.URL = liveURL("proofing", l.Seq, url.Values{"id": {strconv.FormatInt(id, 10)}})
		p, err = s.identityDetail(c.UserContext(), v, id)
		p.Frame = s.frame(c, l)
		return err
	})
	if err != nil {
		return err
	}
	if err := s.audit(c, db.ActionView, p.Patient.ID, "identity "+strconv.FormatInt(id, 10)); err != nil {
		return err
	}
	return render(c, views.IdentityPage(p))
}

// identityDetail reads a proofing with its history. The frame is the caller's.
func (s *Server) identityDetail(ctx context.Context, v db.Snapshot, id int64) (p views.IdentityDetail, err error) {
	list, err := v.Proofings(ctx, db.ProofingFilter{IDs: []int64{id}, Limit: 1})
	if err != nil {
		return p, err
	}
	if len(list) == 0 {
		return p, fiber.NewError(fiber.StatusNotFound, "There is no such identity proof.")
	}
	words := s.wording()
	p.Proofing = words.proofing(list[0])
	history, err := v.ProofingHistory(ctx, id, mostProofings)
	p.History = words.proofings(history)
	return p, err
}

// identityScreen is the page of one proofing as an open page: it is drawn anew when one of the same person comes.
func (s *Server) identityScreen(id int64) live.Screen {
	return s.screenOf("proofing "+strconv.FormatInt(id, 10), func(c db.Change) bool { return c.Topic == db.TopicIdentities && c.Item == id },
		func(ctx context.Context, v db.Snapshot, u changes) (templ.Component, error) {
			var p views.IdentityDetail
			var err error
			if u.any() {
				p, err = s.identityDetail(ctx, v, id)
			}
			p.Live = u.Live
			return views.IdentityUpdate(p, u.any()), err
		})
}

// openIdentity opens the socket of one proofing.
func (s *Server) openIdentity(c *fiber.Ctx) (live.Screen, error) {
	id, err := number(c.Query("id"))
	if err != nil {
		return live.Screen{}, err
	}
	_, err = look(c.UserContext(), s.db, func(v db.Snapshot) (views.IdentityDetail, error) { return s.identityDetail(c.UserContext(), v, id) })
	return s.identityScreen(id), err
}
