package web

import (
	"errors"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/views"
)

// markMessage notes what a person does with a message that came in, and answers with it as it is now.
func (s *Server) markMessage(c *fiber.Ctx) error {
	id, err := number(c.Params("id"))
	if err != nil {
		return err
	}
	known, err := number(posted(c, "known"))
	if err != nil {
		return fiber.NewError(fiber.StatusUnprocessableEntity, "Say who had the message when you last saw it. Nothing was changed.")
	}
	x, _ := who(c)
	ctx, r := c.UserContext(), readerOf(x)
	do, ok := marks(id, known, r.id)[posted(c, "do")]
	if !ok {
		return fiber.NewError(fiber.StatusUnprocessableEntity, "Say what to do with the message: assign, unassign, answered, reopen, read or unread.")
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		patient, err := tx.MailPatient(ctx, id, db.Inbound)
		if err != nil {
			return err
		}
		if err := do(c, tx); err != nil {
			return err
		}
		return tx.Audit(ctx, r.id, db.ActionMark, patient, mailObject(id))
	})
	if err != nil {
		return s.taken(err, "has this message since")
	}
	if c.Get("HX-Request") == "" {
		return c.Redirect("/messages/"+c.Params("id"), fiber.StatusSeeOther)
	}
	var row views.MessageRow
	err = s.db.Read(ctx, func(v db.Snapshot) error {
		l, err := s.status(ctx, v)
		if err != nil {
			return err
		}
		c.Set(headerSeq, strconv.FormatInt(l.Seq, 10))
		m, err := v.Mail(ctx, id, db.Inbound)
		row = s.wording().mailRow(m, r)
		return err
	})
	if err != nil {
		return err
	}
	if c.Query("on") == "page" {
		return render(c, views.MessageHead(row))
	}
	return render(c, views.MessageRowItem(row))
}

// marks are the words of a mark, as what is done. known is who had the message when person me last saw it.
func marks(id, known, me int64) map[string]func(c *fiber.Ctx, tx *db.Tx) error {
	mark := func(act db.MailAct) func(c *fiber.Ctx, tx *db.Tx) error {
		return func(c *fiber.Ctx, tx *db.Tx) error { return tx.MarkMail(c.UserContext(), id, me, act) }
	}
	assign := func(to int64) func(c *fiber.Ctx, tx *db.Tx) error {
		return func(c *fiber.Ctx, tx *db.Tx) error { return tx.AssignMail(c.UserContext(), id, to, known) }
	}
	return map[string]func(c *fiber.Ctx, tx *db.Tx) error{
		"read": mark(db.ActRead), "unread": mark(db.ActUnread), "answered": mark(db.ActAnswered), "reopen": mark(db.ActReopen),
		"assign": assign(me), "unassign": assign(0),
	}
}

// taken puts an error into words where somebody else was first: what they did is said, and stays. did is what, up to its time.
func (s *Server) taken(err error, did string) error {
	var other db.TakenError
	switch {
	case !errors.As(err, &other):
		return err
	case other.By == "":
		return fiber.NewError(fiber.StatusConflict, "Somebody took that back meanwhile. Nothing was changed: look at it again, then decide.")
	default:
		return fiber.NewError(fiber.StatusConflict, other.By+" "+did+" "+s.clock().At(other.At).Short()+". Nothing was changed: look at it again, then decide.")
	}
}

// matchFound searches for the patient of an unmatched message, while a person types.
func (s *Server) matchFound(c *fiber.Ctx) error {
	id, err := number(c.Params("id"))
	if err != nil {
		return err
	}
	m := views.Match{ID: id, Open: true, Text: strings.TrimSpace(c.Query("q"))}
	if len(m.Text) > maxSearch {
		return fiber.NewError(fiber.StatusNotFound, "That is too long to search for.")
	}
	ctx := c.UserContext()
	x, _ := who(c)
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.MailPatient(ctx, id, db.Inbound); err != nil {
			return err
		}
		return tx.Audit(ctx, x.User.ID, db.ActionSearch, "", mailObject(id))
	})
	if err != nil {
		return err
	}
	if err := s.db.Read(ctx, func(v db.Snapshot) error { return s.findPatients(ctx, v, &m) }); err != nil {
		return err
	}
	return render(c, views.MatchFound(m))
}

// matchMessage says whom an unmatched message is about, or takes that back.
func (s *Server) matchMessage(c *fiber.Ctx) error {
	id, err := number(c.Params("id"))
	if err != nil {
		return err
	}
	patient, undo := strings.TrimSpace(posted(c, "patient")), posted(c, "undo") != ""
	if patient == "" && !undo {
		return fiber.NewError(fiber.StatusUnprocessableEntity, "Choose the patient whom the message is about. Nothing was changed.")
	}
	x, _ := who(c)
	ctx := c.UserContext()
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		before, err := tx.MailPatient(ctx, id, db.Inbound)
		if err != nil {
			return err
		}
		action, about := db.ActionMatch, patient
		if undo {
			patient, action, about = "", db.ActionUnmatch, before
		}
		if err := tx.MatchMail(ctx, id, x.User.ID, patient); err != nil {
			return err
		}
		return tx.Audit(ctx, x.User.ID, action, about, mailObject(id))
	})
	if errors.Is(err, db.ErrNotUnmatched) {
		return fiber.NewError(fiber.StatusConflict, "The sender named the patient of this message, and that stands. Nothing was changed.")
	}
	if err != nil {
		return s.taken(err, "has matched this message with another patient since")
	}
	return c.Redirect("/messages/"+c.Params("id"), fiber.StatusSeeOther)
}
