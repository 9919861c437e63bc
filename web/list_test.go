package web

import (
	"context"
	"encoding/csv"
	"io"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/views"
	"carebell/web/auth"
)

// exampleList is all that a plain list has to say.
var exampleList = &list[db.ProofingFilter, db.Proofing]{
	ListWords: views.ListWords{Name: "example", Title: "Example", Path: "/example", Label: "Examples", Older: "Older examples", NoFit: "Nothing fits", NoFitHow: "Try less."},
	ways: []views.Way{
		{Param: "who", Label: "Who", Word: "choice", Pairs: []string{"", "All", "nobody", "Without a patient"}},
		{Param: "q", Search: true, Hint: "Proofed id"},
	},
	concerns: func(c db.Change) bool { return c.Topic == db.TopicIdentities },
	filter: func(_ context.Context, _ db.Snapshot, a *asked) (db.ProofingFilter, error) {
		return db.ProofingFilter{Text: a.Get("q"), Nobody: a.Get("who") == "nobody"}, nil
	},
	read: db.Snapshot.ProofingPage,
	id:   func(p db.Proofing) int64 { return p.ID },
	line: func(a *asked, p db.Proofing, fitsNot bool) views.Line {
		r := a.words.proofing(p)
		r.FitsNot = fitsNot
		return views.Line{Key: p.ID, At: r.Received, Item: views.IdentityRow(r)}
	},
	empty: func(context.Context, db.Snapshot, *asked) (templ.Component, error) {
		return templ.Raw("Nothing yet"), nil
	},
	columns: func(*asked) (string, []string) { return "examples", []string{"Proofed id"} },
	cells:   func(_ *asked, p db.Proofing) []string { return []string{p.ProofedID} },
}

// TestAPlainListIsAPage with a filter, rows that come by themselves, a search, an export, and the traces it owes.
func TestAPlainListIsAPage(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dir := t.TempDir()
	d, err := db.Open(ctx, dir, db.Options{Now: time.Now, Serve: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	s, err := New(ctx, Config{DataDir: dir, Addr: "127.0.0.1:0", Zone: time.UTC, Now: time.Now, Log: slog.New(slog.DiscardHandler)}, d)
	if err != nil {
		t.Fatal(err)
	}
	var x auth.Session
	x.User.Role = db.Viewer
	if err := d.Write(ctx, func(tx *db.Tx) error {
		x.User.ID, err = tx.AddUser(ctx, "viewer@clinic.example", db.Viewer, "-")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	save := func(id int64, patient, proofed string) {
		if err := d.Write(ctx, func(tx *db.Tx) error {
			return tx.SaveProofing(ctx, db.Proofing{ID: id, MessageID: proofed, PatientID: patient, ProofedID: proofed, ReceivedAt: time.Now()})
		}); err != nil {
			t.Fatal(err)
		}
	}
	app := fiber.New(fiber.Config{Immutable: true})
	app.Use(func(c *fiber.Ctx) error { c.Locals(sessionKey, x); return c.Next() })
	app.Get("/example", exampleList.page(s))
	app.Get(livePath, func(c *fiber.Ctx) error {
		screen, err := exampleList.screen(s, c)
		if err != nil {
			return err
		}
		now, err := s.moment(ctx)
		if err != nil {
			return err
		}
		since, _ := strconv.ParseInt(c.Query("since"), 10, 64)
		update, err := screen.Render(ctx, now, since)
		if err != nil {
			return err
		}
		return c.Send(update.HTML)
	})
	get := func(path string, part bool, want int) string {
		t.Helper()
		r := httptest.NewRequest(fiber.MethodGet, path, nil)
		r.Header.Set(fiber.HeaderAcceptEncoding, "identity")
		if part {
			r.Header.Set("Hx-Request", "true")
		}
		resp, err := app.Test(r, -1)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != want {
			t.Errorf("%s answers %d %s, want %d", path, resp.StatusCode, body, want)
		}
		return string(body)
	}
	says := func(what, text string, want ...string) {
		t.Helper()
		for _, w := range want {
			if words, not := strings.CutPrefix(w, "!"); strings.Contains(text, words) == not {
				t.Errorf("%s: %q is wrong in %s", what, w, text)
			}
		}
	}
	says("empty", get("/example", false, 200), "Nothing yet", `id="example"`)
	for i := range int64(pageRows + 2) {
		save(i+1, "", "pid-"+strconv.FormatInt(i+1, 10))
	}
	save(100, "p", "pid-hundred")
	says("the page", get("/example", false, 200), "<html", `id="i-100"`, "!id=\"i-1\"", "before=4")
	says("a part", get("/example?before=4", true, 200), "!<html", `id="i-3"`, `id="i-1"`)
	says("a filter", get("/example?who=nobody", false, 200), "!id=\"i-100\"", `id="i-52"`)
	says("a search", get("/example?q=hundred", false, 200), `id="i-100"`, "!id=\"i-52\"", "Clear filters")
	says("what is not", get("/example?who=else", false, 404), "no such choice")
	says("a long text", get("/example?q="+strings.Repeat("x", 201), false, 404), "too long")
	now, err := s.readStatus(ctx)
	if err != nil {
		t.Fatal(err)
	}
	save(101, "", "pid-new")
	since := url.Values{"since": {strconv.FormatInt(now.Seq, 10)}}.Encode()
	says("an open page", get(livePath+"?"+since, false, 200), `id="i-101"`, `hx-swap="rows"`, "!data-fits-not")
	says("one it does not fit", get(livePath+"?q=hundred&"+since, false, 200), "data-fits-not")
	says("one far behind", get(livePath+"?since=-1", false, 200), `hx-swap="innerMorph"`)
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(get("/example?who=nobody&format=csv", false, 200), byteOrderMark))).ReadAll()
	if err != nil || len(rows) != 1+pageRows+2+1 {
		t.Errorf("the export has %d rows (%v)", len(rows), err)
	}
	traces, err := look(ctx, d, func(v db.Snapshot) (out string, err error) {
		return out, v.QueryRowContext(ctx, `SELECT group_concat(action || ' ' || object, ', ') FROM (SELECT * FROM audit ORDER BY id)`).Scan(&out)
	})
	if err != nil || traces != "search example, export examples" {
		t.Errorf("the traces are %q (%v)", traces, err)
	}
}
