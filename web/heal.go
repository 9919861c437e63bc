package web

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/views"
	"carebell/web/chart"
	"carebell/web/completeness"
	"carebell/web/metriport"
)

// settingHeal says that what died is asked for by itself: "on", or "" for only by hand.
const settingHeal = "send again by itself"

// mostAsked is how many messages one press of a button asks for.
const mostAsked = 20_000

const healPath = systemPath + "/heal"

// newHealer makes what has messages sent again. It reads what an admin has set.
func (s *Server) newHealer(ctx context.Context, api *metriport.Client) (*completeness.Healer, error) {
	h := completeness.NewHealer(s.db, api, s.cfg.Now, s.cfg.Log, chart.Answered, func() { s.archive.Wake() }, func() bool { return s.archive.DiskFull() })
	err := s.db.Read(ctx, func(v db.Snapshot) error {
		text, err := v.Setting(ctx, settingHeal)
		h.SetAuto(text == "on")
		return err
	})
	return h, err
}

// healState is how having messages again stands.
func (s *Server) healState(ctx context.Context, v db.Snapshot) (views.Heal, error) {
	st, err := v.Heals(ctx, s.cfg.Now().Add(-db.KeptAgain))
	if err != nil {
		return views.Heal{}, err
	}
	p := views.Heal{On: s.healer != nil, Dead: st.Dead, Open: st.Open, Healed: st.Healed}
	if s.healer == nil {
		return p, nil
	}
	p.Auto = s.healer.Auto()
	switch {
	case st.Error == "":
	case st.Open > 0 && st.NextAt.After(s.cfg.Now()):
		p.Problem = fmt.Sprintf("%s Asking goes on at %s.", sentence(errors.New(st.Error)), s.clock().At(st.NextAt).Short())
	case st.Refused > 0:
		p.Problem = fmt.Sprintf("%s not sent again. The last reason: %s", views.Counted(st.Refused, "message"), sentence(errors.New(st.Error)))
	}
	return p, nil
}

// healFor says whether the sender can be asked for a message of some age again, and if not, why, in a sentence.
func (s *Server) healFor(sent time.Time) (can bool, note string) {
	switch {
	case s.cfg.Now().Sub(sent) > db.KeptAgain:
		return false, "Metriport sends a message again for 30 days; this one is older."
	case s.healer == nil:
		return false, "Press Retry for its message in Metriport’s dashboard. With an API key set, Carebell can ask automatically."
	default:
		return true, ""
	}
}

// fileAgain fills in how having a file's message again stands.
func (s *Server) fileAgain(row *views.FileRow, d db.Download) {
	if !row.Failed {
		return
	}
	switch {
	case d.Asked && d.NotAgain != "":
		row.AgainNote = "Metriport was asked to send it again and is asked once more later. " + sentence(errors.New(d.NotAgain))
	case d.Asked:
		row.AgainNote = "Metriport is being asked to send it again."
	default:
		row.CanAgain, row.AgainNote = s.healFor(d.QueuedAt)
		if d.NotAgain != "" {
			row.AgainNote = "Metriport did not send it again. " + sentence(errors.New(d.NotAgain))
		}
	}
}

// messageAgain fills in which messages tell of the same, and how having one again stands.
func (s *Server) messageAgain(ctx context.Context, v db.Snapshot, seq int64, p *views.InboxMessage) error {
	of, err := v.RepeatOf(ctx, seq)
	if err != nil {
		return err
	}
	p.RepeatOf = s.againRow(of)
	by, err := v.RepeatedBy(ctx, seq, mostDeliveries)
	if err != nil {
		return err
	}
	for _, a := range by {
		p.RepeatedBy = append(p.RepeatedBy, s.againRow(a))
	}
	dead, sent, named, err := v.DeadMessage(ctx, seq)
	if err != nil || dead == 0 {
		return err
	}
	h, err := v.HealOf(ctx, seq)
	switch {
	case err != nil:
		return err
	case !named:
		p.AgainNote = "Test events share one id, so Metriport cannot be asked for this one again."
	case !h.DueAt.IsZero() && h.Error != "":
		p.AgainNote = fmt.Sprintf("Metriport is asked to send it again at %s. The last time: %s", s.clock().At(h.DueAt).Short(), sentence(errors.New(h.Error)))
	case !h.DueAt.IsZero():
		p.AgainNote = "Metriport is being asked to send it again."
	default:
		p.CanAgain, p.AgainNote = s.healFor(sent)
		if p.CanAgain {
			p.AgainNote = views.Counted(dead, "link") + " of it died before the file was here."
		}
		if h.Error != "" {
			p.AgainNote = "Metriport did not send it again. " + sentence(errors.New(h.Error))
		}
	}
	return nil
}

func (s *Server) againRow(a db.Again) views.AgainRow {
	return views.AgainRow{Seq: a.Seq, ID: visible(a.MessageID), At: s.clock().At(a.At), Answered: a.Answered}
}

// errNoHealing answers who asks for what needs the sender's API.
var errNoHealing = fiber.NewError(fiber.StatusConflict, "No API key is set, so Metriport cannot be asked for the message again. Set CAREBELL_METRIPORT_API_KEY and start Carebell again, or press Retry in Metriport's dashboard.")

// askAgainFor notes that the person who asks wants a message again, and leaves a trace.
func (s *Server) askAgainFor(c *fiber.Ctx, seq int64, patientID, object string) error {
	if s.healer == nil {
		return errNoHealing
	}
	x, _ := who(c)
	err := s.db.Read(c.UserContext(), func(v db.Snapshot) error {
		dead, sent, named, err := v.DeadMessage(c.UserContext(), seq)
		switch {
		case err != nil:
			return err
		case dead == 0:
			return fiber.NewError(fiber.StatusConflict, "No link of this message is dead, so nothing has to be sent again.")
		case !named:
			return fiber.NewError(fiber.StatusConflict, "Test events share one id, so Metriport cannot be asked for this one again.")
		}
		if can, note := s.healFor(sent); !can {
			return fiber.NewError(fiber.StatusConflict, note)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = s.db.Write(c.UserContext(), func(tx *db.Tx) error {
		if err := tx.AskAgain(c.UserContext(), seq, x.User.ID); err != nil {
			return err
		}
		return tx.Audit(c.UserContext(), x.User.ID, db.ActionResend, patientID, object)
	})
	s.healer.Wake()
	return err
}

// haveFileAgain asks for the message of a file again.
func (s *Server) haveFileAgain(c *fiber.Ctx) error {
	id, err := number(c.Params("id"))
	if err != nil {
		return err
	}
	var d db.Download
	if err := s.db.Read(c.UserContext(), func(v db.Snapshot) (err error) { d, err = v.Download(c.UserContext(), id); return err }); err != nil {
		return err
	}
	if err := s.askAgainFor(c, d.InboxSeq, d.PatientID, "file "+strconv.FormatInt(id, 10)); err != nil {
		return err
	}
	return done(c, backTo(c))
}

// backTo is the page that a form was sent from, without a script; the feed where that is not said.
func backTo(c *fiber.Ctx) string {
	if u, err := url.Parse(c.Get(fiber.HeaderReferer)); err == nil && u.Path != "" {
		return localPath((&url.URL{Path: u.Path, RawQuery: u.RawQuery}).String())
	}
	return "/"
}

// haveMessageAgain asks for a message again.
func (s *Server) haveMessageAgain(c *fiber.Ctx) error {
	seq, err := number(c.Params("seq"))
	if err != nil {
		return err
	}
	if err := s.askAgainFor(c, seq, "", messageObject(seq, 0)); err != nil {
		return err
	}
	return done(c, inboxPath+"/"+strconv.FormatInt(seq, 10))
}

// heal takes the forms of the system page: all that died is asked for, or by itself from now on, or not.
func (s *Server) heal(c *fiber.Ctx) error {
	if s.healer == nil {
		return errNoHealing
	}
	form := c.Request().PostArgs()
	switch auto := string(form.Peek("auto")); {
	case auto == "on" || auto == "off":
		if err := s.setHeal(c, auto); err != nil {
			return err
		}
	case string(form.Peek("ask")) == "all":
		if err := s.askForAll(c); err != nil {
			return err
		}
	default:
		return fiber.NewError(fiber.StatusUnprocessableEntity, "Choose what to do: ask for all that died, or whether to ask automatically.")
	}
	s.hub.Wake()
	return done(c, systemPath)
}

func (s *Server) setHeal(c *fiber.Ctx, auto string) error {
	x, _ := who(c)
	err := s.db.Write(c.UserContext(), func(tx *db.Tx) error {
		if err := tx.SetSetting(c.UserContext(), settingHeal, auto); err != nil {
			return err
		}
		tx.Visible()
		return tx.Audit(c.UserContext(), x.User.ID, db.ActionSet, "", settingHeal+" "+auto)
	})
	if err == nil {
		s.healer.SetAuto(auto == "on")
	}
	return err
}

// askForAll asks for every message of the last 30 days whose links died, the oldest first. Each transaction takes some: the
// receiver does not wait for all.
func (s *Server) askForAll(c *fiber.Ctx) error {
	x, _ := who(c)
	ctx, since := c.UserContext(), s.cfg.Now().Add(-db.KeptAgain)
	if err := s.audit(c, db.ActionResend, "", "all dead links"); err != nil {
		return err
	}
	const some = 500
	for after, n := int64(0), 0; n < mostAsked; n += some {
		var list []int64
		if err := s.db.Read(ctx, func(v db.Snapshot) (err error) { list, err = v.Healable(ctx, after, since, true, some); return err }); err != nil {
			return err
		}
		err := s.db.Write(ctx, func(tx *db.Tx) error {
			for _, seq := range list {
				if err := tx.AskAgain(ctx, seq, x.User.ID); err != nil {
					return err
				}
				after = seq
			}
			return nil
		})
		if err != nil {
			return err
		}
		if len(list) < some {
			break
		}
	}
	s.healer.Wake()
	return nil
}
