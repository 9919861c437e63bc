package web

import (
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/views"
)

// refused shows over time how many requests were turned away before anything of them was kept.
func (s *Server) refused(c *fiber.Ctx) error {
	days := map[string]int{"": 7, "30": 30}[c.Query("days")]
	if days == 0 {
		return fiber.NewError(fiber.StatusNotFound, "Choose the last 7 or the last 30 days above the chart.")
	}
	if err := s.audit(c, db.ActionView, "", "refused requests"); err != nil {
		return err
	}
	clock := s.clock()
	today := clock.Now.In(s.cfg.Zone)
	first := time.Date(today.Year(), today.Month(), today.Day()-days+1, 0, 0, 0, 0, s.cfg.Zone)
	p := views.Refused{Days: days}
	err := s.db.Read(c.UserContext(), func(v db.Snapshot) error {
		l, err := s.status(c.UserContext(), v)
		if err != nil {
			return err
		}
		l.URL = liveURL("status", l.Seq, nil)
		p.Frame = s.frame(c, l)
		list, err := v.Rejections(c.UserContext(), first)
		p.Series = refusedSeries(list, first, days)
		return err
	})
	if err != nil {
		return err
	}
	for i := range days {
		p.At = append(p.At, clock.At(first.AddDate(0, 0, i)))
	}
	return render(c, views.RefusedPage(p))
}

// refusedSeries counts by reason and day, the reason with the most first.
func refusedSeries(list []db.Rejection, first time.Time, days int) []views.Series {
	var out []views.Series
	for _, r := range list {
		local := r.Hour.In(first.Location())
		day := int(time.Date(local.Year(), local.Month(), local.Day(), 12, 0, 0, 0, time.UTC).Sub(time.Date(first.Year(), first.Month(), first.Day(), 12, 0, 0, 0, time.UTC)).Hours()) / 24
		if day < 0 || day >= days {
			continue
		}
		at := slices.IndexFunc(out, func(s views.Series) bool { return s.Reason == r.Reason })
		if at < 0 {
			at = len(out)
			out = append(out, views.Series{Reason: r.Reason, N: make([]int64, days)})
		}
		out[at].N[day] += r.N
		out[at].Total += r.N
	}
	slices.SortStableFunc(out, func(a, b views.Series) int { return int(b.Total - a.Total) })
	return out
}
