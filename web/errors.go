package web

import (
	"crypto/rand"
	"database/sql"
	"errors"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/views"
)

// problems are the pages of the usual errors: what happened, what is safe, what to do.
var problems = map[int]views.Problem{
	fiber.StatusNotFound:                    {Title: "Not here", Text: "There is nothing at this address. Nothing was changed."},
	fiber.StatusMethodNotAllowed:            {Title: "Not this way", Text: "This address cannot be used in this way. Nothing was changed."},
	fiber.StatusForbidden:                   {Title: "Not allowed", Text: "This is not allowed. Nothing was changed."},
	fiber.StatusUnauthorized:                {Title: "Signed out", Text: "You are signed out. Sign in again."},
	fiber.StatusRequestEntityTooLarge:       {Title: "Too large", Text: "The body is larger than what this address takes. Nothing of it was kept."},
	fiber.StatusRequestHeaderFieldsTooLarge: {Title: "Too large", Text: "The request's headers are too large. Nothing was changed."},
	fiber.StatusRequestTimeout:              {Title: "Too slow", Text: "The request did not arrive in time. Nothing was changed."},
}

// handleError is the one place that turns an error into an answer and a line in the log. Errors made with
// fiber.NewError are meant for the person; all others are ours, and the person gets a number to name.
func (s *Server) handleError(c *fiber.Ctx, err error) error {
	s.setHeaders(c) // a request that could not be read has met no middleware
	status := fiber.StatusInternalServerError
	problem := views.Problem{Title: "That did not work", Text: "Something failed in Carebell. What came in from Metriport is safe. Try again in a moment."}
	var f *fiber.Error
	switch {
	case errors.As(err, &f):
		status = f.Code
		if known, ok := problems[status]; ok {
			problem = known
		}
		if f.Message != "" && f.Message != strings.TrimSpace(fiberWords(status)) && status != fiber.StatusBadRequest {
			problem.Text = f.Message
		}
		if status == fiber.StatusBadRequest {
			problem = views.Problem{Title: "Not understood", Text: "The request could not be read. Nothing was changed."}
		}
	case db.NoRoom(err):
		status, problem = fiber.StatusServiceUnavailable, fullProblem
	case errors.Is(err, sql.ErrNoRows):
		status, problem = fiber.StatusNotFound, problems[fiber.StatusNotFound]
	}
	if status >= fiber.StatusInternalServerError {
		problem.ID = strings.ToLower(rand.Text()[:8])
		s.cfg.Log.Error("a request failed", "id", problem.ID, "method", c.Method(), "route", c.Route().Path, "status", status, "error", err)
	}
	if status == fiber.StatusRequestEntityTooLarge {
		_ = refuse(c, nil)
	}
	c.Status(status)
	if wantsPage(c) {
		return render(c, views.ErrorPage(problem))
	}
	text := problem.Text
	if problem.ID != "" {
		text += " (" + problem.ID + ")"
	}
	c.Set(fiber.HeaderContentType, fiber.MIMETextPlainCharsetUTF8)
	return c.SendString(text + "\n")
}

// fiberWords is what Fiber says by itself for a status.
func fiberWords(status int) string { return fiber.NewError(status).Message }
