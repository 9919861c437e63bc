package web

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"strconv"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/views"
	"carebell/web/care"
	"carebell/web/live"
)

// Rows of a page of one section, and of one thing.
const (
	healthRows   = 50
	healthEvents = 100
	mostSkipped  = 100_000
)

// healthQuery is what a page of the summary shows.
type healthQuery struct {
	patient string
	words   int    // index into healthWords
	part    int    // care.PartCurrent or PartPast
	only    string // "", new, changed, gone
	after   string // Ref of the last entry of the page before; "" = from the top
	thing   string // Ref of one thing; "" = the section
	skip    int    // events of the thing before this page
}

// healthOnly are the kinds of news a list can be narrowed to.
var healthOnly = map[string]db.HealthNews{"": db.NewsNone, "new": db.NewsNew, "changed": db.NewsChanged, "gone": db.NewsGone}

// healthQueryOf reads it from the address of the page, or of its socket.
func healthQueryOf(c *fiber.Ctx, patient, section, thing string) (healthQuery, error) {
	q := healthQuery{patient: patient, words: -1, only: c.Query("only"), after: c.Query("after"), thing: thing}
	for i, w := range healthWords {
		if w.id == section {
			q.words = i
		}
	}
	if _, known := healthOnly[q.only]; q.words < 0 || !known {
		return q, fiber.ErrNotFound
	}
	switch c.Query("part") {
	case "":
	case "past":
		q.part = care.PartPast
	default:
		return q, fiber.ErrNotFound
	}
	if text := c.Query("skip"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > mostSkipped {
			return q, fiber.ErrNotFound
		}
		q.skip = n
	}
	return q, nil
}

func (q healthQuery) place() db.HealthPlace {
	return db.HealthPlace{Section: healthWords[q.words].section, Part: q.part}
}

// values are the query of the page.
func (q healthQuery) values() url.Values {
	v := url.Values{}
	if q.part == care.PartPast {
		v.Set("part", "past")
	}
	for name, text := range map[string]string{"only": q.only, "after": q.after} {
		if text != "" {
			v.Set(name, text)
		}
	}
	if q.skip > 0 {
		v.Set("skip", strconv.Itoa(q.skip))
	}
	return v
}

func (q healthQuery) path() string {
	path := views.HealthPath(q.patient, healthWords[q.words].id)
	if q.thing != "" {
		path += "/" + q.thing
	}
	return path
}

// url is the address of the page.
func (q healthQuery) url() string {
	if v := q.values(); len(v) > 0 {
		return q.path() + "?" + v.Encode()
	}
	return q.path()
}

// liveURL is the address of its socket.
func (q healthQuery) liveURL(since int64) string {
	v := q.values()
	v.Set("id", q.patient)
	v.Set("section", healthWords[q.words].id)
	if q.thing != "" {
		v.Set("thing", q.thing)
	}
	return liveURL("health", since, v)
}

// healthPage is one section of a patient's summary, or the history of one thing in it.
func (s *Server) healthPage(c *fiber.Ctx) error {
	id, err := url.PathUnescape(c.Params("id"))
	if err != nil {
		return fiber.ErrNotFound
	}
	q, err := healthQueryOf(c, id, c.Params("section"), c.Params("ref"))
	if err != nil {
		return err
	}
	if err := s.audit(c, db.ActionView, id, "summary"); err != nil {
		return err
	}
	var page templ.Component
	err = s.db.Read(c.UserContext(), func(v db.Snapshot) error {
		l, err := s.status(c.UserContext(), v)
		if err != nil {
			return err
		}
		l.URL = q.liveURL(l.Seq)
		f := s.frame(c, l)
		f.Title = healthWords[q.words].title
		if q.thing != "" {
			p, err := s.healthThing(c.UserContext(), v, q)
			p.Frame = f
			page = views.HealthThingPage(p)
			return err
		}
		p, err := s.healthList(c.UserContext(), v, q)
		p.Frame = f
		page = views.HealthListPage(p)
		return err
	})
	if err != nil {
		return err
	}
	return render(c, page)
}

// healthList reads a section. The frame is the caller's.
func (s *Server) healthList(ctx context.Context, v db.Snapshot, q healthQuery) (views.HealthList, error) {
	words := healthWords[q.words]
	p := views.HealthList{Title: words.title, Empty: words.none}
	patient, err := v.Patient(ctx, q.patient)
	if err != nil {
		return p, err
	}
	p.Patient = patientView(patient)
	tallies, refs, err := v.HealthTallies(ctx, q.patient)
	if err != nil {
		return p, err
	}
	var after *db.HealthEntry
	if q.after != "" {
		e, err := v.HealthThing(ctx, q.patient, words.section, q.after)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return p, err
		}
		if err == nil {
			after = &e
		}
		first := q
		first.after = ""
		p.First = first.url()
	}
	list, err := v.HealthList(ctx, q.patient, q.place(), healthOnly[q.only], after, healthRows+1)
	if err != nil {
		return p, err
	}
	if len(list) > healthRows {
		list = list[:healthRows]
		next := q
		next.after = list[healthRows-1].Ref
		p.Next = next.url()
	}
	w := s.wording()
	for _, e := range list {
		p.Rows = append(p.Rows, w.healthRow(q.patient, words.id, e, refs))
	}
	p.Choices = q.choices(tallies, refs)
	if q.only != "" || q.part != care.PartCurrent {
		p.Empty = "Nothing fits this choice."
	}
	if refs.Base != 0 {
		p.Note = "New and changed are against the file of " + w.At(refs.BaseAt).Date() + "; the last whole file is of " + w.At(refs.LastAt).Date() + "."
	}
	return p, nil
}

// choices are the narrower views of a section that hold anything.
func (q healthQuery) choices(tallies map[db.HealthPlace]db.HealthTally, refs db.HealthRefs) []views.Choice {
	words := healthWords[q.words]
	var out []views.Choice
	add := func(part int, only, label string, n int) {
		to := healthQuery{patient: q.patient, words: q.words, part: part, only: only}
		on := q.part == part && q.only == only
		if n > 0 || on || only == "" && part == care.PartCurrent {
			out = append(out, views.Choice{Label: label + " " + views.Count(n), URL: to.url(), On: on})
		}
	}
	for _, part := range []int{care.PartCurrent, care.PartPast} {
		t := tallies[db.HealthPlace{Section: words.section, Part: part}]
		before := ""
		if part == care.PartPast {
			before = words.past + ": "
			add(part, "", words.past, t.Entries)
		} else {
			add(part, "", "All", t.Entries)
		}
		if refs.Base != 0 {
			add(part, "new", before+"new", t.New)
			add(part, "changed", before+"changed", t.Changed)
			add(part, "gone", before+"not in the last file", t.Gone)
		}
	}
	return out
}

// healthThing reads the history of one thing. The frame is the caller's.
func (s *Server) healthThing(ctx context.Context, v db.Snapshot, q healthQuery) (views.HealthThing, error) {
	words := healthWords[q.words]
	p := views.HealthThing{Section: words.title, Back: views.HealthPath(q.patient, words.id)}
	patient, err := v.Patient(ctx, q.patient)
	if err != nil {
		return p, err
	}
	p.Patient = patientView(patient)
	e, err := v.HealthThing(ctx, q.patient, words.section, q.thing)
	if err != nil {
		return p, err
	}
	w := s.wording()
	p.Row = w.healthRow(q.patient, words.id, e, db.HealthRefs{})
	events, err := v.HealthEvents(ctx, q.patient, e, q.skip, healthEvents+1)
	if err != nil {
		return p, err
	}
	if len(events) > healthEvents {
		events = events[:healthEvents]
		next := q
		next.skip += healthEvents
		p.Next = next.url()
	}
	if q.skip > 0 {
		first := q
		first.skip = 0
		p.First = first.url()
	}
	for _, said := range events {
		p.Events = append(p.Events, w.healthEvent(words.section, said))
	}
	return p, nil
}

// healthEvent puts one fill, value or dose into words.
func (w wording) healthEvent(section care.HealthSection, s care.Said) views.HealthEvent {
	out := views.HealthEvent{When: orMissing(w.day(s.At), "date not sent"), WhenFull: w.full(s.At), Source: oneSource(s), File: views.FilePreview(s.File)}
	line := func(parts ...string) {
		if text := joined(" · ", parts...); text != "" {
			out.Lines = append(out.Lines, text)
		}
	}
	switch {
	case s.Result != nil:
		v := w.valueOf(s)
		out.Value, out.Unit, out.Text, out.Flags = v.value, v.unit, v.text, v.flags
		line(v.rangeWords)
		if p := s.Panel; p != nil {
			line(p.Name, p.Specimen, p.Laboratory)
			line(orderedBy(p.OrderedBy), contactWords("at ", p.Site), p.Site.Address)
		}
	case s.Fill != nil:
		f := *s.Fill
		out.Flags = []views.Flag{fillFlag(f)}
		line(f.Quantity, w.supply(f), numbered("fill ", f.Number), schedule(f.Schedule))
		line(s.Dose)
		line(contactWords("prescribed by ", f.Prescriber), numbered("NPI ", f.Prescriber.NPI), written(w.day(f.Written)))
		line(contactWords("", f.Pharmacy), f.Pharmacy.Address, numbered("NPI ", f.Pharmacy.NPI))
	case section == care.SectionMedications, section == care.SectionImmunizations, section == care.SectionProcedures:
		line(numbered("dose ", s.Dose), unusual(s.Status))
	}
	return out
}

func written(day string) string {
	if day == "" {
		return ""
	}
	return "written " + day
}

// healthScreen is a page of the summary as an open page.
func (s *Server) healthScreen(q healthQuery) live.Screen {
	concerns := func(c db.Change) bool {
		return c.PatientID == q.patient && (c.Topic == db.TopicHealth || c.Topic == "" && c.NotificationID == 0)
	}
	return s.screenOf("health "+q.url(), concerns, func(ctx context.Context, v db.Snapshot, u changes) (templ.Component, error) {
		if q.thing != "" {
			var p views.HealthThing
			var err error
			if u.any() {
				p, err = s.healthThing(ctx, v, q)
			}
			if errors.Is(err, sql.ErrNoRows) { // it is one thing with another by now: what is shown stays
				p, u.Rows, u.TooMany, err = views.HealthThing{}, nil, false, nil
			}
			p.Live = u.Live
			return views.HealthThingUpdate(p, u.any()), err
		}
		var p views.HealthList
		var err error
		if u.any() {
			p, err = s.healthList(ctx, v, q)
		}
		p.Live = u.Live
		return views.HealthListUpdate(p, u.any()), err
	})
}

// openHealth opens the socket of a part of a patient's summary.
func (s *Server) openHealth(c *fiber.Ctx) (live.Screen, error) {
	q, err := healthQueryOf(c, c.Query("id"), c.Query("section"), c.Query("thing"))
	if err != nil {
		return live.Screen{}, err
	}
	return s.healthScreen(q), s.knowsPatient(c, q.patient)
}
