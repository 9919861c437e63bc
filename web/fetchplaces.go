package web

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/views"
	"carebell/web/archive"
)

// settingPlaces is how many files are fetched at once: from one host, and in all.
const settingPlaces = "places"

// loadPlaces reads what an admin has set; the usual where nobody has.
func loadPlaces(ctx context.Context, d *db.DB) (archive.Places, error) {
	places := archive.DefaultPlaces
	err := d.Read(ctx, func(v db.Snapshot) error {
		text, err := v.Setting(ctx, settingPlaces)
		if err != nil || text == "" {
			return err
		}
		if _, err := fmt.Sscanf(text, "%d of %d", &places.PerHost, &places.All); err != nil {
			return fmt.Errorf("reading how many files are fetched at once: %w", err)
		}
		return nil
	})
	return places, err
}

// setPlaces takes the form of the system page.
func (s *Server) setPlaces(c *fiber.Ctx) error {
	number := func(name string) (int, error) {
		n, err := strconv.Atoi(string(c.Request().PostArgs().Peek(name)))
		if err == nil && (n < archive.LeastPlaces || n > archive.MostPlaces) {
			err = errors.New("out of range")
		}
		return n, err
	}
	host, errHost := number("host")
	all, errAll := number("all")
	if errHost != nil || errAll != nil || host > all {
		return fiber.NewError(fiber.StatusUnprocessableEntity, fmt.Sprintf("Choose numbers from %d to %d, and no more for one host than in all.", archive.LeastPlaces, archive.MostPlaces))
	}
	x, _ := who(c)
	places := archive.Places{PerHost: host, All: all}
	text := fmt.Sprintf("%d of %d", host, all)
	err := s.db.Write(c.UserContext(), func(tx *db.Tx) error {
		if err := tx.SetSetting(c.UserContext(), settingPlaces, text); err != nil {
			return err
		}
		return tx.Audit(c.UserContext(), x.User.ID, db.ActionSet, "", settingPlaces+" "+text)
	})
	if err != nil {
		return err
	}
	s.archive.SetPlaces(places)
	return c.Redirect(systemPath, fiber.StatusSeeOther)
}

// silentFor is how long a host must not have answered before everybody is told.
const silentFor = time.Minute

// ahead says what will go wrong with links that wait, and what to do about it.
func (s *Server) ahead() (out []string) {
	f := s.archive.Forecast()
	if f.Lost > 0 {
		out = append(out, fmt.Sprintf("%s will die before %s turn, the first at %s: %s wait and about %.0f are fetched a second. "+
			"Raise the numbers below if the line and the disk of this computer have room, and put off other bulk downloads. %s",
			views.Counted(f.Lost, "link"), its(f.Lost), s.clock().At(f.First).Short(), views.Count(f.Waiting), f.Rate, s.healing()))
	}
	for i, h := range f.Silent {
		if i == mostLossReasons {
			break
		}
		out = append(out, fmt.Sprintf("%s has not answered for %s (%s). %s for it, the first dies at %s. The others are fetched as usual, and these as soon as it answers. "+
			"Check that this computer reaches the internet, its firewall and its name server.",
			h.Host, views.Long(max(s.cfg.Now().Sub(h.Since), 0)), h.Reason, waits(h.Waiting), s.clock().At(h.First).Short()))
	}
	return out
}

// healing is what becomes of links that die all the same.
func (s *Server) healing() string {
	switch {
	case s.healer == nil:
		return "Metriport can send what died again for 30 days: press Retry for its message in Metriport’s dashboard, or set CAREBELL_METRIPORT_API_KEY, and Carebell asks for it."
	case s.healer.Auto():
		return "What dies is sent again: Carebell asks Metriport for it by itself, for 30 days."
	default:
		return "What dies can be had again for 30 days: press “Have what died sent again” below, or let Carebell ask by itself."
	}
}

func its(n int) string {
	if n == 1 {
		return "its"
	}
	return "their"
}

func waits(n int) string {
	if n == 1 {
		return "1 link waits"
	}
	return views.Count(n) + " links wait"
}

// dying is what everybody must know of links that wait; "" where all is well.
func (s *Server) dying() string {
	f := s.archive.Forecast()
	if f.Lost > 0 {
		return views.Counted(f.Lost, "file") + " will not be fetched before their links expire: more wait than there is time for. An admin sees what to do under System."
	}
	waiting := 0
	for _, h := range f.Silent {
		if s.cfg.Now().Sub(h.Since) >= silentFor {
			waiting += h.Waiting
		}
	}
	if waiting > 0 {
		return views.Counted(waiting, "file") + " cannot be fetched at the moment: where Metriport keeps them does not answer. Their links expire soon. An admin sees what to do under System."
	}
	return ""
}
