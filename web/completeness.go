package web

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/views"
	"carebell/web/completeness"
	"carebell/web/live"
	"carebell/web/metriport"
)

// Bounds of what the page shows.
const (
	mostGaps    = 100
	mostNotHere = 30 // of each kind that nobody misses
	mostLate    = 50
	mostRuns    = 12
)

const completenessPath = "/admin/system/completeness"

// errNoAPIKey answers who asks for what needs the sender's API.
var errNoAPIKey = fiber.NewError(fiber.StatusConflict, "No API key is set, so Metriport's list cannot be read. Set CAREBELL_METRIPORT_API_KEY and start Carebell again.")

func (s *Server) completenessPage(c *fiber.Ctx) error {
	if wantsCSV(c) {
		return s.exportMissing(c)
	}
	var p views.Completeness
	err := s.db.Read(c.UserContext(), func(v db.Snapshot) error {
		l, err := s.status(c.UserContext(), v)
		if err != nil {
			return err
		}
		l.URL = liveURL("completeness", l.Seq, nil)
		p, err = s.completenessState(c.UserContext(), v)
		p.Frame = s.frame(c, l)
		return err
	})
	if err != nil {
		return err
	}
	return render(c, views.CompletenessPage(p))
}

// completenessState is the proof as of now. The frame is the caller's.
func (s *Server) completenessState(ctx context.Context, v db.Snapshot) (views.Completeness, error) {
	p := views.Completeness{}
	if s.checker == nil {
		return p, nil
	}
	p.Host = s.cfg.APIURL.Host
	p.Read, p.Checking = s.checker.Progress()
	if err := s.proofInShort(ctx, v, &p); err != nil {
		return p, err
	}
	runs, err := v.CompletenessRuns(ctx, mostRuns)
	if err != nil {
		return p, err
	}
	for i, r := range runs {
		if i == 0 && r.Error != "" {
			p.Problem, p.Tried = upper(r.Error), s.clock().At(r.StartedAt)
		}
		p.Runs = append(p.Runs, s.comparison(r))
	}
	gaps, err := v.Missing(ctx, db.GapFilter{Limit: mostGaps})
	if err != nil {
		return p, err
	}
	for _, g := range gaps {
		p.Gaps = append(p.Gaps, s.gap(g))
	}
	p.More = max(p.Missing-len(p.Gaps), 0)
	for _, list := range []struct {
		kind db.GapKind
		into *[]views.Gap
	}{{db.GapChoice, &p.Choice}, {db.GapElsewhere, &p.Elsewhere}} {
		gaps, err := v.NotSentHere(ctx, list.kind, mostNotHere)
		if err != nil {
			return p, err
		}
		for _, g := range gaps {
			*list.into = append(*list.into, s.gap(g))
		}
	}
	late, err := v.CameLate(ctx, mostLate)
	if err != nil {
		return p, err
	}
	for _, g := range late {
		p.Late = append(p.Late, s.gap(g))
	}
	asked, err := v.LastRetry(ctx)
	if err != nil {
		return p, err
	}
	p.Retry = s.retryState(asked, p.Missing)
	return p, nil
}

// proofInShort is what is known of completeness now, without lists.
func (s *Server) proofInShort(ctx context.Context, v db.Snapshot, p *views.Completeness) error {
	if s.checker == nil {
		return nil
	}
	p.On = true
	listed, answered, err := v.LastCompleteness(ctx)
	if err != nil || answered.ID == 0 {
		return err
	}
	if listed.ID != 0 {
		missing, err := v.MissingNow(ctx)
		if err != nil {
			return err
		}
		s.proof(p, listed, missing)
	}
	p.NoList, p.Asked = answered.NoList, s.clock().At(answered.StartedAt)
	p.Webhook = views.Webhook{
		Known: answered.WebhookKnown, Works: answered.Enabled, Detail: answered.Detail,
		Processing: countOrUnknown(answered.Processing), Failed: countOrUnknown(answered.Failed),
	}
	if answered.WebhookKnown && !answered.Enabled {
		p.Failing = orMissing(answered.Detail, "no reason given")
	}
	p.CanRetry = p.Missing > 0 || answered.Failed > 0 || p.Failing != "" || p.NoList && answered.Failed < 0
	return nil
}

func countOrUnknown(n int) string {
	if n < 0 {
		return "not known"
	}
	return views.Count(n)
}

// proof puts a comparison, and how many of what it missed are missing by now, into words.
func (s *Server) proof(p *views.Completeness, last db.Completeness, missing int) {
	p.Known, p.At = true, s.clock().At(last.StartedAt)
	p.Sent, p.Missing, p.Pending = last.Sent, missing, last.Pending
	p.Here = last.Here + last.Missing - missing
	p.ByChoice, p.Away = last.ByChoice, last.Elsewhere
	note := func(n int, text string) {
		if n > 0 {
			p.Notes = append(p.Notes, fmt.Sprintf(text, views.Count(n)))
		}
	}
	note(last.Pending, "%s on the way: Metriport has begun to deliver them.")
	note(last.Late, "%s here that Metriport lists as failed: they came by a retry, or were answered too late for Metriport.")
	note(last.ByChoice, "%s not sent by choice, because the account has switched the type off: not counted.")
	note(last.Elsewhere, "%s sent to another address than this server’s: not counted.")
	note(last.Earlier, "%s delivered before Carebell got its first message, so to another receiver: not counted.")
	note(last.Unclear, "%s that Metriport calls neither sent nor failed: not counted.")
	note(last.Tests, "%s on the list that are test events: not counted.")
	note(last.OnlyHere, "%s here that are not on the list: test events, pings and messages sent by hand.")
	note(last.Odd, "%s entries of the list repeat an id or have none: not counted.")
}

func (s *Server) comparison(r db.Completeness) views.Comparison {
	out := views.Comparison{At: s.clock().At(r.StartedAt), Took: took(r.Took), By: r.By, Text: views.Proof(r.Sent, r.Here, r.Missing, r.Pending)}
	switch {
	case r.Error != "":
		out.Text, out.Problem = upper(r.Error), true
	case r.NoList:
		out.Text = "No list to compare with"
	}
	return out
}

// took is a length of time that may be short.
func took(d time.Duration) string {
	if d < 10*time.Second {
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	}
	return views.Long(d)
}

func (s *Server) gap(g db.Gap) views.Gap {
	out := views.Gap{ID: g.MessageID, Type: g.Type, Sent: s.clock().At(g.SentAt), Arrived: s.clock().At(g.ArrivedAt), Said: said(g)}
	switch {
	case g.Expired > 0:
		out.State, out.Bad = views.Counted(g.Expired, "link")+" had expired when it came", true
	case g.Waiting > 0:
		out.State = "its record is being fetched"
	case g.Stored > 0:
		out.State = "with its record"
	default:
		out.State = "nothing to fetch"
	}
	return out
}

// said is what the sender says of a delivery that is not here.
func said(g db.Gap) string {
	switch {
	case g.Kind == db.GapChoice:
		return "not sent by choice"
	case g.Kind == db.GapElsewhere && g.Status == metriport.DeliverySuccess:
		return "delivered to " + g.URL
	case g.Kind == db.GapElsewhere:
		return "failed at " + g.URL
	case g.Status == metriport.DeliveryProcessing:
		return "under way for long: Metriport does not say how it ended"
	case g.Status == metriport.DeliverySuccess:
		return "Metriport says that it was delivered, but it is not here"
	case g.HTTPStatus != 0:
		return fmt.Sprintf("failed: was answered %d", g.HTTPStatus)
	case g.Detail != "":
		return "failed: " + g.Detail
	case g.Status == metriport.DeliveryFailure:
		return "failed: no answer"
	default:
		return orMissing(g.Status, "status not sent")
	}
}

// retryNews is how long a retry is worth telling when nothing is missing any more.
const retryNews = 24 * time.Hour

func (s *Server) retryState(r db.Retry, missing int) views.Retry {
	waited := s.cfg.Now().Sub(r.At)
	if r.At.IsZero() || missing == 0 && waited > retryNews {
		return views.Retry{}
	}
	return views.Retry{
		Asked: true, At: s.clock().At(r.At), By: r.By, Missing: r.Missing, Arrived: max(r.Missing-missing, 0), Error: upper(r.Error),
		Overdue: r.Error == "" && missing > 0 && waited >= completeness.Patience, Waited: views.Long(waited),
	}
}

// upper begins words with a capital.
func upper(text string) string {
	if text == "" {
		return ""
	}
	return string(text[0]&^0x20) + text[1:]
}

// completenessScreen is the page as an open one. It is drawn at every change: how far a comparison is has no number.
func (s *Server) completenessScreen() live.Screen {
	return s.screenOf("completeness", nil, func(ctx context.Context, v db.Snapshot, u changes) (templ.Component, error) {
		if s.checker == nil {
			return views.Status(u.Live), nil
		}
		p, err := s.completenessState(ctx, v)
		p.Live = u.Live
		return views.CompletenessUpdate(p), err
	})
}

// checkCompleteness compares now.
func (s *Server) checkCompleteness(c *fiber.Ctx) error {
	if s.checker == nil {
		return errNoAPIKey
	}
	if err := s.audit(c, db.ActionCompare, "", ""); err != nil {
		return err
	}
	x, _ := who(c)
	s.checker.Check(x.User.ID)
	return done(c, completenessPath)
}

// sendAgain has the sender send again what failed.
func (s *Server) sendAgain(c *fiber.Ctx) error {
	if s.checker == nil {
		return errNoAPIKey
	}
	if err := s.audit(c, db.ActionResend, "", ""); err != nil {
		return err
	}
	x, _ := who(c)
	if err := s.checker.Retry(c.UserContext(), x.User.ID); err != nil {
		return fiber.NewError(fiber.StatusBadGateway, "Metriport did not agree to send again. "+sentence(err)+" What is here is safe.")
	}
	return done(c, completenessPath)
}

// done answers a form whose effect comes by the page's socket; without a script it leads back to the page.
func done(c *fiber.Ctx, page string) error {
	if c.Get("HX-Request") != "" {
		return c.SendStatus(fiber.StatusNoContent)
	}
	return c.Redirect(page, fiber.StatusSeeOther)
}

func (s *Server) exportMissing(c *fiber.Ctx) error {
	zone := " (" + s.clock().ZoneName() + ")"
	after, end := "", false
	return s.export(c, "missing", []string{"Message id", "Type", "Made" + zone, "Metriport says"}, func(ctx context.Context, v db.Snapshot) ([][]string, error) {
		if end {
			return nil, nil
		}
		list, err := v.Missing(ctx, db.GapFilter{After: after, Limit: exportPage})
		rows := make([][]string, len(list))
		for i, g := range list {
			rows[i] = []string{g.MessageID, g.Type, s.clock().At(g.SentAt).Sortable(), said(g)}
			after = g.MessageID
		}
		end = len(list) < exportPage
		return rows, err
	})
}
