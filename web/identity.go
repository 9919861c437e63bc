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

// identities lists the finished identity proofings.
func (s *Server) identities(c *fiber.Ctx) error {
	f, err := identityFilter(c)
	if err != nil {
		return err
	}
	before, err := number(c.Query("before"))
	if err != nil {
		return err
	}
	if wantsCSV(c) {
		return s.exportIdentities(c, f)
	}
	if f.Text != "" {
		if err := s.audit(c, db.ActionSearch, "", "identity"); err != nil {
			return err
		}
	}
	var p views.Identities
	err = s.db.Read(c.UserContext(), func(v db.Snapshot) error {
		l, err := s.status(c.UserContext(), v)
		if err != nil {
			return err
		}
		l.URL = liveURL("identity", l.Seq, f.Query())
		p, err = s.identityRows(c.UserContext(), v, f, before)
		p.Frame = s.frame(c, "Identity", identityPath, l)
		return err
	})
	if err != nil {
		return err
	}
	return render(c, views.IdentitiesPage(p))
}

func identityFilter(c *fiber.Ctx) (views.IdentityFilter, error) {
	f := views.IdentityFilter{Who: c.Query("who"), Text: strings.TrimSpace(c.Query("q"))}
	switch f.Who {
	case "", "again", "nobody":
	default:
		return f, fiber.NewError(fiber.StatusNotFound, "There is no such choice. Choose one above the list.")
	}
	if len(f.Text) > maxSearch {
		return f, fiber.NewError(fiber.StatusNotFound, "That is too long to search for.")
	}
	return f, nil
}

func proofingFilter(f views.IdentityFilter) db.ProofingFilter {
	return db.ProofingFilter{Text: f.Text, Again: f.Who == "again", Nobody: f.Who == "nobody"}
}

// identityRows reads one page of the list. The frame is the caller's.
func (s *Server) identityRows(ctx context.Context, v db.Snapshot, f views.IdentityFilter, before int64) (views.Identities, error) {
	p := views.Identities{Filter: f, WebhookURL: s.webhookURL(), ToTop: before == 0}
	filter := proofingFilter(f)
	filter.Before, filter.Limit = before, pageRows+1
	filter.Reach = db.Reach
	list, rest, err := v.ProofingPage(ctx, filter)
	if err != nil {
		return p, err
	}
	if len(list) > pageRows {
		list, p.Older = list[:pageRows], true
	}
	p.Back = s.back(rest)
	p.Rows = s.proofings(list)
	return p, nil
}

func (s *Server) proofings(list []db.Proofing) []views.Proofing {
	out := make([]views.Proofing, len(list))
	for i, p := range list {
		out[i] = s.proofing(p)
	}
	return out
}

func (s *Server) proofing(p db.Proofing) views.Proofing {
	clock := s.clock()
	return views.Proofing{
		ID: p.ID, Patient: patientView(p.Patient), ProofedID: p.ProofedID, SessionID: p.SessionID, RequestID: p.RequestID, MessageID: p.MessageID,
		Sent: clock.At(p.SentAt), Received: clock.At(p.ReceivedAt), Times: p.Times, Data: shownFields(p.Data), Fields: shownFields(p.Fields),
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

func (s *Server) exportIdentities(c *fiber.Ctx, f views.IdentityFilter) error {
	filter := proofingFilter(f)
	filter.Limit, filter.Reach = exportPage, exportReach
	zone := " (" + s.clock().ZoneName() + ")"
	head := []string{"Patient", "Birth date", "Your id", "Metriport id", "Proofed identity id", "Session", "Sent" + zone, "Received" + zone, "Proofings of this person", "Request id", "Message id", "Metadata", "Other fields"}
	return s.export(c, "identity", head, func(ctx context.Context, v db.Snapshot) ([][]string, error) {
		list, rest, err := v.ProofingPage(ctx, filter)
		if err == nil {
			err = goOn(&filter.Before, len(list), rest)
		}
		rows := make([][]string, len(list))
		for i, p := range list {
			r := s.proofing(p)
			rows[i] = []string{
				p.Patient.Name, p.Patient.BirthDate, p.Patient.ExternalID, p.PatientID, p.ProofedID, p.SessionID, r.Sent.Sortable(), r.Received.Sortable(),
				strconv.Itoa(p.Times), p.RequestID, p.MessageID, inOneLine(r.Data), inOneLine(r.Fields),
			}
			filter.Before = p.ID
		}
		return rows, err
	})
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
		p.Frame = s.frame(c, "Identity proof", identityPath, l)
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
	p.Proofing = s.proofing(list[0])
	history, err := v.ProofingHistory(ctx, id, mostProofings)
	p.History = s.proofings(history)
	return p, err
}

// identitiesScreen is the list as an open page.
func (s *Server) identitiesScreen(f views.IdentityFilter) live.Screen {
	key := "identity?" + f.Query().Encode()
	return s.screenOf(key, func(c db.Change) bool { return c.Topic == db.TopicIdentities },
		func(ctx context.Context, v db.Snapshot, u changes) (templ.Component, error) {
			p := views.Identities{Filter: f}
			var err error
			if u.TooMany {
				p, err = s.identityRows(ctx, v, f, 0)
			} else if len(u.Rows) > 0 {
				p.Rows, err = inCommon(u.moment, rowsAfter{key, u.since}, func() ([]views.Proofing, error) { return s.changedProofings(ctx, v, f, u.Rows) })
			}
			p.Live = u.Live
			return views.IdentitiesUpdate(p, u.TooMany), err
		})
}

// changedProofings reads the rows behind changes and marks those that do not fit the filter.
func (s *Server) changedProofings(ctx context.Context, v db.Snapshot, f views.IdentityFilter, changes []db.Change) ([]views.Proofing, error) {
	ids := make([]int64, len(changes))
	for i, c := range changes {
		ids[i] = c.Item
	}
	all, err := v.Proofings(ctx, db.ProofingFilter{IDs: ids, Limit: len(ids)})
	if err != nil {
		return nil, err
	}
	filter := proofingFilter(f)
	filter.IDs, filter.Limit = ids, len(ids)
	fitting, err := v.Proofings(ctx, filter)
	if err != nil {
		return nil, err
	}
	fits := map[int64]bool{}
	for _, p := range fitting {
		fits[p.ID] = true
	}
	rows := s.proofings(all)
	for i := range rows {
		rows[i].FitsNot = !fits[rows[i].ID]
	}
	return rows, nil
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
