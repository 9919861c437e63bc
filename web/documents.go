package web

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"strconv"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/views"
	"carebell/web/care"
	"carebell/web/live"
)

// pageDocuments is how many documents a page of a bulk download has.
const pageDocuments = 200

func (s *Server) documents(c *fiber.Ctx) error {
	id, before, err := documentsPlace(c, c.Params("id"))
	if err != nil {
		return err
	}
	var p views.Documents
	err = s.db.Read(c.UserContext(), func(v db.Snapshot) error {
		l, err := s.status(c.UserContext(), v)
		if err != nil {
			return err
		}
		q := url.Values{"id": {strconv.FormatInt(id, 10)}}
		if b := c.Query("before"); b != "" {
			q.Set("before", b)
		}
		l.URL = liveURL("documents", l.Seq, q)
		p, err = s.documentRows(c.UserContext(), v, id, before)
		p.Frame = s.frame(c, l)
		return err
	})
	if err != nil {
		return err
	}
	if err := s.audit(c, db.ActionView, p.Pull.Patient.ID, fmt.Sprint("documents ", id)); err != nil {
		return err
	}
	return render(c, views.DocumentsPage(p))
}

// documentsPlace reads which bulk download is asked for, and from which document on.
func documentsPlace(c *fiber.Ctx, text string) (id int64, before db.DocumentKey, err error) {
	if id, err = number(text); err != nil {
		return id, before, err
	}
	before.Indexed, before.No, err = key(c.Query("before"))
	return id, before, err
}

// documentPull finds a bulk download by its number.
func documentPull(ctx context.Context, v db.Snapshot, id int64) (db.Pull, error) {
	list, err := v.Pulls(ctx, db.PullFilter{Kind: care.PullDocuments, IDs: []int64{id}, Limit: 1})
	if err == nil && len(list) == 0 {
		err = sql.ErrNoRows
	}
	if err != nil {
		return db.Pull{}, err
	}
	return list[0], nil
}

// documentRows reads one page of the documents of a request. The frame is the caller's.
func (s *Server) documentRows(ctx context.Context, v db.Snapshot, id int64, before db.DocumentKey) (views.Documents, error) {
	var p views.Documents
	pull, err := documentPull(ctx, v, id)
	if err != nil {
		return p, err
	}
	p.Pull, p.Stored = s.wording().pullRow(pulled{Pull: pull}), pull.Documents.Stored
	list, err := v.PullDocuments(ctx, id, before, pageDocuments+1)
	if err != nil {
		return p, err
	}
	path := string(p.Pull.DocumentsURL())
	if before != (db.DocumentKey{}) {
		p.First = path
	}
	if len(list) > pageDocuments {
		list = list[:pageDocuments]
		last := list[pageDocuments-1].Key()
		p.Older = pageURL(path, "", last.Indexed, last.No)
	}
	for _, d := range list {
		p.Rows = append(p.Rows, s.documentRow(d))
	}
	return p, nil
}

func (s *Server) documentRow(d db.Document) views.DocumentRow {
	row := views.DocumentRow{
		No: d.No, Name: orMissing(d.Name, "Name not sent"), Description: d.Description, Type: d.Type, Organization: d.Organization,
		Indexed: s.clock().At(d.Indexed), MediaType: d.MediaType, HasFile: d.File.ID != 0,
	}
	if d.Description == d.Type {
		row.Description = ""
	}
	if word := care.Word(d.Status); word != "current" {
		row.Status = d.Status
	}
	if d.Size > 0 {
		row.Size = views.Bytes(d.Size)
	}
	if row.HasFile {
		row.File = s.fileRow(d.File)
	}
	if row.File.Stored {
		row.Size, row.MediaType = row.File.Size, row.File.Type
	}
	return row
}

// documentsScreen is the page of a bulk download as an open page.
func (s *Server) documentsScreen(id int64, patientID string, before db.DocumentKey) live.Screen {
	concerns := func(c db.Change) bool {
		return c.Topic == db.TopicRecords && c.Item == id || c.Topic == "" && patientID != "" && c.PatientID == patientID && c.NotificationID == 0
	}
	return s.screenOf(fmt.Sprint("documents ", id, before), concerns, func(ctx context.Context, v db.Snapshot, u changes) (templ.Component, error) {
		var p views.Documents
		var err error
		if u.any() {
			p, err = s.documentRows(ctx, v, id, before)
		}
		p.Live = u.Live
		return views.DocumentsUpdate(p, u.any()), err
	})
}

// openDocuments opens the socket of the documents of a download.
func (s *Server) openDocuments(c *fiber.Ctx) (live.Screen, error) {
	id, before, err := documentsPlace(c, c.Query("id"))
	if err != nil {
		return live.Screen{}, err
	}
	pull, err := look(c.UserContext(), s.db, func(v db.Snapshot) (db.Pull, error) { return documentPull(c.UserContext(), v, id) })
	return s.documentsScreen(id, pull.PatientID, before), err
}
