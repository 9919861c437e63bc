package web

import (
	"net/url"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/views"
)

// correct sets a patient's name and birth date by hand. A person's word wins over every record; an empty field gives the
// word back to the records.
func (s *Server) correct(c *fiber.Ctx) error {
	id, err := url.PathUnescape(c.Params("id"))
	if err != nil {
		return fiber.ErrNotFound
	}
	name, birth := strings.Join(strings.Fields(posted(c, "name")), " "), strings.TrimSpace(posted(c, "birth_date"))
	if len(name) > 200 {
		return fiber.NewError(fiber.StatusUnprocessableEntity, "The name is longer than 200 characters. Nothing was changed.")
	}
	if birth != "" {
		if date, err := time.Parse(time.DateOnly, birth); err != nil || !s.noFuture(date) || date.Year() < 1850 {
			return fiber.NewError(fiber.StatusUnprocessableEntity, "That is not a birth date. Nothing was changed.")
		}
	}
	x, _ := who(c)
	ctx := c.UserContext()
	var now db.Patient
	if err := s.db.Read(ctx, func(v db.Snapshot) (err error) { now, err = v.Patient(ctx, id); return err }); err != nil {
		return err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		for _, f := range []struct{ field, is, to string }{{"name", now.Name, name}, {"birth_date", now.BirthDate, birth}} {
			if f.is == f.to {
				continue
			}
			if err := tx.CorrectPatient(ctx, x.User.ID, id, f.field, f.to); err != nil {
				return err
			}
		}
		return tx.Audit(ctx, x.User.ID, db.ActionCorrect, id, "")
	})
	if err != nil {
		return err
	}
	return c.Redirect("/patients/"+url.PathEscape(id), fiber.StatusSeeOther)
}

func (s *Server) corrections(list []db.Correction) []views.Correction {
	var out []views.Correction
	for _, c := range list {
		label := map[string]string{"name": "Name", "birth_date": "Birth date"}[c.Field]
		out = append(out, views.Correction{Label: label, By: c.By, At: s.clock().At(c.At)})
	}
	return out
}
