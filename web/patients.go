package web

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/views"
	"carebell/web/live"
)

func (s *Server) patients(c *fiber.Ctx) error {
	filter := db.PatientFilter{Text: strings.TrimSpace(c.Query("q")), Limit: pageRows + 1, Reach: db.Reach}
	if len(filter.Text) > maxSearch {
		return fiber.NewError(fiber.StatusNotFound, "That is too long to search for.")
	}
	var err error
	if filter.Before.LastEvent, filter.Before.No, err = key(c.Query("before")); err != nil {
		return err
	}
	if wantsCSV(c) {
		return s.exportPatients(c, filter)
	}
	p := views.Patients{Text: filter.Text}
	err = s.db.Read(c.UserContext(), func(v db.Snapshot) error {
		l, err := s.status(c.UserContext(), v)
		if err != nil {
			return err
		}
		l.URL = liveURL("status", l.Seq, nil)
		p.Frame = s.frame(c, l)
		list, rest, err := v.PatientPage(c.UserContext(), filter)
		if err != nil {
			return err
		}
		if len(list) > pageRows {
			list = list[:pageRows]
			last := list[pageRows-1].Key()
			p.Older = pageURL("/patients", filter.Text, last.LastEvent, last.No)
		} else if rest != (db.PatientKey{}) {
			p.Further, p.Back = pageURL("/patients", filter.Text, rest.LastEvent, rest.No), p.Clock.At(time.UnixMilli(rest.LastEvent))
		}
		for _, patient := range list {
			p.Rows = append(p.Rows, views.PatientRow{Patient: patientView(patient), LastEvent: timeOf(p.Clock, patient.LastEvent, patient.LastDay)})
		}
		return nil
	})
	if err != nil {
		return err
	}
	return render(c, views.PatientsPage(p))
}

func (s *Server) exportPatients(c *fiber.Ctx, filter db.PatientFilter) error {
	filter.Limit, filter.Reach = exportPage, 0
	head := []string{"Name", "Birth date", "Your id", "Metriport id", "Last event (" + s.clock().ZoneName() + ")"}
	return s.export(c, "patients", head, func(ctx context.Context, v db.Snapshot) ([][]string, error) {
		list, err := v.Patients(ctx, filter)
		rows := make([][]string, len(list))
		for i, p := range list {
			rows[i] = []string{p.Name, p.BirthDate, p.ExternalID, p.ID, timeOf(s.clock(), p.LastEvent, p.LastDay).Sortable()}
			filter.Before = p.Key()
		}
		return rows, err
	})
}

func (s *Server) patient(c *fiber.Ctx) error {
	id, err := url.PathUnescape(c.Params("id"))
	if err != nil {
		return fiber.ErrNotFound
	}
	var before db.TimelineKey
	if before.At, before.ID, err = key(c.Query("before")); err != nil {
		return err
	}
	x, _ := who(c)
	var look db.Look
	err = s.db.Write(c.UserContext(), func(tx *db.Tx) (err error) {
		look, err = tx.LookAt(c.UserContext(), x.User.ID, id, sitting)
		return err
	})
	if err != nil {
		return err
	}
	var p views.PatientDetail
	err = s.db.Read(c.UserContext(), func(v db.Snapshot) error {
		l, err := s.status(c.UserContext(), v)
		if err != nil {
			return err
		}
		l.URL = liveURL("patient", l.Seq, url.Values{"id": {id}})
		if p, err = s.patientDetail(c.UserContext(), v, id, x.May(roles[act]...)); err != nil {
			return err
		}
		list, err := v.Timeline(c.UserContext(), id, before, pageRows+1)
		if err != nil {
			return err
		}
		if len(list) > pageRows {
			list = list[:pageRows]
			last := list[pageRows-1].TimelineKey()
			p.Older = pageURL("/patients/"+url.PathEscape(id), "", last.At, last.ID)
		}
		p.Rows, p.ToTop = s.rows(list, p.CanCorrect), before == db.TimelineKey{}
		if p.ToTop {
			p.Since = s.since(p, look)
		}
		p.Frame = s.frame(c, l)
		return nil
	})
	if err != nil {
		return err
	}
	return render(c, views.PatientPage(p))
}

// patientDetail reads everything about one patient but the timeline. The frame is the caller's.
func (s *Server) patientDetail(ctx context.Context, v db.Snapshot, id string, canMark bool) (views.PatientDetail, error) {
	var p views.PatientDetail
	head, err := v.PatientHead(ctx, id)
	if err != nil {
		return p, err
	}
	p.Patient, p.Sex, p.Phone, p.CanCorrect = s.wording().person(head.Patient), head.Sex, head.Phone, canMark
	if p.Deceased = head.Deceased; p.Deceased != "" && p.Deceased != "yes" {
		p.Deceased = s.when(head.Deceased)
	}
	p.Corrections, p.Sources = s.corrections(head.Corrections), s.identitySources(head)
	for _, a := range head.Aliases {
		p.Aliases = append(p.Aliases, views.Alias(a))
	}
	if err := s.clinical(ctx, v, id, &p); err != nil {
		return p, err
	}
	proofings, err := v.Proofings(ctx, db.ProofingFilter{PatientID: id, Limit: mostProofings})
	if err != nil {
		return p, err
	}
	p.Proofings = s.wording().proofings(proofings)
	stays, err := v.Stays(ctx, id)
	if err != nil {
		return p, err
	}
	for _, st := range stays {
		p.Stays = append(p.Stays, s.stayRow(st))
	}
	p.Now = s.stayNow(stays)
	mail, err := v.MailOf(ctx, id, mostMail)
	p.Messages = s.wording().mailRows(mail, reader{})
	return p, err
}

// patientScreen is a patient's page as an open page: what stands above the timeline is drawn anew when something about
// the patient changed, and of the timeline the rows that did. What people mark changes its row alone.
func (s *Server) patientScreen(id string, canMark bool) live.Screen {
	return s.screenOf("patient "+strconv.FormatBool(canMark)+" "+id, func(c db.Change) bool { return c.PatientID == id },
		func(ctx context.Context, v db.Snapshot, u changes) (templ.Component, error) {
			var p views.PatientDetail
			more := u.TooMany || slices.ContainsFunc(u.Rows, func(c db.Change) bool { return c.Topic != db.TopicMarks })
			if more {
				var err error
				if p, err = s.patientDetail(ctx, v, id, canMark); err != nil {
					return nil, err
				}
			}
			list, err := s.changedTimeline(ctx, v, id, u)
			if err != nil {
				return nil, err
			}
			p.Rows, p.Live = s.rows(list, canMark), u.Live
			return views.PatientUpdate(p, more), nil
		})
}

// changedTimeline reads the rows of a timeline that changed, in its order; where that is not known, as many of the newest
// as a reader will have.
func (s *Server) changedTimeline(ctx context.Context, v db.Snapshot, id string, u changes) ([]db.Notification, error) {
	if u.TooMany {
		return v.Timeline(ctx, id, db.TimelineKey{}, mostPushed)
	}
	ids := []int64{}
	for _, c := range u.Rows {
		if c.NotificationID != 0 {
			ids = append(ids, c.NotificationID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	list, err := v.Notifications(ctx, db.NotificationFilter{IDs: ids, Limit: len(ids)})
	slices.SortFunc(list, func(a, b db.Notification) int {
		x, y := a.TimelineKey(), b.TimelineKey()
		return cmp.Or(cmp.Compare(y.At, x.At), cmp.Compare(y.ID, x.ID))
	})
	return list, err
}

// key reads the place of a row in a list ("time.number") from a URL; "" is the beginning.
func key(text string) (at, n int64, err error) {
	if text == "" {
		return 0, 0, nil
	}
	first, second, ok := strings.Cut(text, ".")
	at, errAt := strconv.ParseInt(first, 10, 64)
	n, errN := strconv.ParseInt(second, 10, 64)
	if !ok || errAt != nil || errN != nil {
		return 0, 0, fiber.ErrNotFound
	}
	return at, n, nil
}

// pageURL is the address of the page that begins after the row at (at, n).
func pageURL(path, text string, at, n int64) string {
	q := url.Values{"before": {strconv.FormatInt(at, 10) + "." + strconv.FormatInt(n, 10)}}
	if text != "" {
		q.Set("q", text)
	}
	return path + "?" + q.Encode()
}

// openPatient opens the socket of a patient's page.
func (s *Server) openPatient(c *fiber.Ctx) (live.Screen, error) {
	id := c.Query("id")
	x, _ := who(c)
	return s.patientScreen(id, x.May(roles[act]...)), s.knowsPatient(c, id)
}

// knowsPatient returns an error where there is no such patient.
func (s *Server) knowsPatient(c *fiber.Ctx, id string) error {
	return s.db.Read(c.UserContext(), func(v db.Snapshot) error {
		_, err := v.Patient(c.UserContext(), id)
		return err
	})
}
