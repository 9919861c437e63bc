package db

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"carebell/web/care"
)

// small are the tables that hold few rows however much comes in: reading one whole costs little.
var small = []string{"facility", "user", "setting", "cursor", "completeness_run", "change", "reprocess"}

// step is one step of a plan.
type step struct {
	ID, Parent int
	Text       string
}

// plan is how SQLite would run a query.
type plan struct {
	query string
	steps []step
}

func (p plan) String() string {
	lines := []string{p.query}
	for _, s := range p.steps {
		lines = append(lines, fmt.Sprintf("%d under %d: %s", s.ID, s.Parent, s.Text))
	}
	return strings.Join(lines, "\n")
}

// perRow says whether a step runs for each row of what is around it: then it is of one row's own few things.
func (p plan) perRow(s step) bool {
	for s.Parent != 0 {
		i := slices.IndexFunc(p.steps, func(o step) bool { return o.ID == s.Parent })
		if s = p.steps[i]; strings.HasPrefix(s.Text, "CORRELATED") {
			return true
		}
	}
	return false
}

// sorted says whether what a step finds is sorted, so that it must find all.
func (p plan) sorted(s step) bool {
	return slices.ContainsFunc(p.steps, func(o step) bool { return o.Parent == s.Parent && strings.HasPrefix(o.Text, "USE TEMP B-TREE") })
}

// page says whether what a step goes on with is the rows of a page, which an inner query with a limit found.
func (p plan) page(s step) bool {
	return slices.ContainsFunc(p.steps, func(o step) bool {
		name, ok := strings.CutPrefix(o.Text, "CO-ROUTINE ")
		return ok && o.Parent == s.Parent && slices.ContainsFunc(p.steps, func(o step) bool { return o.Parent == s.Parent && o.Text == "SCAN "+name })
	}) && strings.Contains(p.query, "LIMIT")
}

// plans runs ask and returns the plan of every query that it asked.
func plans(t *testing.T, d *DB, ask func(s Snapshot) error) (out []plan) {
	t.Helper()
	var all [][]any
	d.asked = func(text string, args []any) {
		out, all = append(out, plan{query: text}), append(all, slices.Clone(args))
	}
	err := d.Read(t.Context(), ask)
	d.asked = nil
	if err != nil {
		t.Fatal(err)
	}
	err = d.Read(t.Context(), func(s Snapshot) error {
		for i := range out {
			rows, err := s.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+out[i].query, all[i]...)
			if err != nil {
				return fmt.Errorf("%s: %w", out[i].query, err)
			}
			out[i].steps, err = collect(rows, func(s *step) error {
				var unused int
				return rows.Scan(&s.ID, &s.Parent, &unused, &s.Text)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// scanned finds the table that a step reads from one end to the other, or until there is enough.
var scanned = regexp.MustCompile(`^SCAN (\w+)( USING.*)?$`)

// aliases are the names of tables in the queries.
func aliases(query string) map[string]string {
	out := map[string]string{}
	for _, m := range regexp.MustCompile(`(?i)(?:FROM|JOIN)\s+(\w+)(?:\s+(?:AS\s+)?(\w+))?`).FindAllStringSubmatch(query, -1) {
		out[m[1]] = m[1]
		if m[2] != "" {
			out[m[2]] = m[1]
		}
	}
	return out
}

// listing is a list as a page asks for it.
type listing struct {
	name string
	ask  func(ctx context.Context, s Snapshot) error
	few  bool // rows of a few things that a text means, or of one patient or request: those are sorted
	seek bool // nothing is read until there is enough: there may never be
}

// listings are all lists with each of their filters, and each pair of those, from the top and further down.
func listings() (out []listing) {
	add := func(few bool, name string, ask func(ctx context.Context, s Snapshot) error) {
		out = append(out, listing{name: name, ask: ask, few: few})
	}
	texts := []string{"", "common", "rare", "Sample Hospital", "xy", "rare 3/14/1962 (312) 555-0134"}
	for _, before := range []int64{0, 1 << 40} {
		for _, text := range texts {
			if before > 0 && text != "" {
				continue // a search is bounded from above in the same way
			}
			few := text != "" && text != "common"
			for _, kind := range []care.Kind{"", care.Lab} {
				for _, states := range [][]State{nil, {New, Seen}, {New}, {Seen}, {Done}} {
					for _, exchange := range []string{"", "CAREQUALITY", ExchangeNotSent} {
						f := NotificationFilter{Kind: kind, States: states, Exchange: exchange, Text: text, Before: before, Limit: 51, Reach: Reach}
						add(few, fmt.Sprintf("feed %+v", f), func(ctx context.Context, s Snapshot) error { _, _, err := s.NotificationPage(ctx, f); return err })
					}
				}
			}
			p := PatientFilter{Text: text, Limit: 51, Reach: Reach}
			if before > 0 {
				p.Before = PatientKey{LastEvent: before, No: before}
			}
			add(few, fmt.Sprintf("patients %+v", p), func(ctx context.Context, s Snapshot) error { _, _, err := s.PatientPage(ctx, p); return err })
			for _, f := range []MailFilter{
				{Box: Inbound}, {Box: Inbound, States: []MailState{MailNew, MailRead, MailAssigned}}, {Box: Inbound, States: []MailState{MailNew}}, {Box: Inbound, Unmatched: true},
				{Box: Inbound, Holder: 1}, {Box: Inbound, Holder: 1, States: []MailState{MailAssigned}}, {Box: Inbound, Unmatched: true, States: []MailState{MailNew}},
				{Box: Outbound}, {Box: Outbound, Fate: "failed"}, {Box: Outbound, Fate: "other"},
			} {
				f.Text, f.Before, f.Limit, f.Reach = text, before, 51, Reach
				add(few, fmt.Sprintf("messages %+v", f), func(ctx context.Context, s Snapshot) error { _, _, err := s.MailPage(ctx, f); return err })
			}
			for _, state := range []string{"", ImportWaiting, ImportFailed, ImportStuck, ImportOther} {
				f := ImportFilter{State: state, Now: noon, Text: text, Before: before, Limit: 51, Reach: Reach}
				add(false, fmt.Sprintf("imports %+v", f), func(ctx context.Context, s Snapshot) error { _, _, err := s.ImportPage(ctx, f); return err })
			}
			for _, kind := range []care.PullKind{"", care.PullQuery, care.PullDocuments} {
				for _, state := range []PullState{"", PullOut, PullFailed, PullEmpty, PullUnclear, PullDone} {
					for _, place := range []string{"", "lab"} {
						f := PullFilter{Kind: kind, State: state, Place: place, Text: text, Before: before, Limit: 51, Reach: Reach}
						add(few, fmt.Sprintf("records %+v", f), func(ctx context.Context, s Snapshot) error { _, _, err := s.PullPage(ctx, f); return err })
					}
				}
			}
			for _, f := range []ProofingFilter{{}, {Nobody: true}, {Again: true}} {
				f.Text, f.Before, f.Limit, f.Reach = text, before, 51, Reach
				add(few, fmt.Sprintf("identity %+v", f), func(ctx context.Context, s Snapshot) error { _, _, err := s.ProofingPage(ctx, f); return err })
			}
			for _, kind := range []string{"", "patient.admit"} {
				for _, status := range append([]Status{""}, Statuses...) {
					for _, f := range []InboxSearch{{}, {PatientID: "p-1"}, {RequestID: "r-1"}, {From: noon, To: noon.Add(time.Hour)}} {
						f.Type, f.Status, f.Text, f.Before, f.Limit, f.Reach = kind, status, text, before, 51, Reach
						add(text != "", fmt.Sprintf("inbox %+v", f), func(ctx context.Context, s Snapshot) error { _, _, err := s.InboxPage(ctx, f); return err })
					}
				}
			}
		}
		key := TimelineKey{}
		if before > 0 {
			key = TimelineKey{At: before, ID: before}
		}
		add(false, "timeline", func(ctx context.Context, s Snapshot) error { _, err := s.Timeline(ctx, "p-1", key, 51); return err })
	}
	for _, text := range texts[1:] { // what the search box asks for each group
		for _, kind := range []string{SearchMessage, SearchSubject, SearchFacility} {
			add(false, "found "+kind+" "+text, func(ctx context.Context, s Snapshot) error { _, err := s.Search(ctx, kind, text, 6); return err })
		}
		add(true, "found patients "+text, func(ctx context.Context, s Snapshot) error {
			_, err := s.Patients(ctx, PatientFilter{Text: text, Limit: 6, Reach: Reach})
			return err
		})
		add(false, "drugs and tests "+text, func(ctx context.Context, s Snapshot) error { _, err := s.subjects(ctx, text); return err })
	}
	add(false, "summary", func(ctx context.Context, s Snapshot) error { _, err := s.Summary(ctx, 999); return err })
	add(false, "exchanges", func(ctx context.Context, s Snapshot) error { _, err := s.Exchanges(ctx, 30); return err })
	add(false, "inbox counts", func(ctx context.Context, s Snapshot) error { _, err := s.InboxCounts(ctx, 999); return err })
	out[len(out)-1].seek = true
	add(false, "stays", func(ctx context.Context, s Snapshot) error { _, err := s.Stays(ctx, "p-1"); return err })
	add(false, "a patient's messages", func(ctx context.Context, s Snapshot) error { _, err := s.MailOf(ctx, "p-1", 100); return err })
	add(false, "a patient's requests", func(ctx context.Context, s Snapshot) error {
		_, err := s.Pulls(ctx, PullFilter{Patient: "p-1", Limit: 21})
		return err
	})
	add(false, "a patient's files", func(ctx context.Context, s Snapshot) error { _, err := s.PatientDownloads(ctx, "p-1", 200); return err })
	add(true, "a patient's health", func(ctx context.Context, s Snapshot) error { _, err := s.PatientHealth(ctx, "p-1", 25, 5); return err })
	for _, only := range []HealthNews{NewsNone, NewsGone} {
		for _, after := range []*HealthEntry{nil, {Rank: 1, At: "2026", Key: "k"}} {
			add(false, "a section of it", func(ctx context.Context, s Snapshot) error {
				_, err := s.HealthList(ctx, "p-1", HealthPlace{Section: care.SectionResults}, only, after, 51)
				return err
			})
		}
	}
	add(false, "the history of a thing", func(ctx context.Context, s Snapshot) error {
		_, err := s.HealthEvents(ctx, "p-1", HealthEntry{Health: care.Health{Section: care.SectionResults}, Key: "k"}, 0, 101)
		return err
	})
	add(false, "the next file of a patient's health", func(ctx context.Context, s Snapshot) error {
		if _, err := s.NextHealth(ctx, true); err != sql.ErrNoRows { //nolint:errorlint // it comes bare
			return err
		}
		return nil
	})
	add(true, "a patient's head", func(ctx context.Context, s Snapshot) error {
		if _, err := s.PatientHead(ctx, "p-1"); err != sql.ErrNoRows { //nolint:errorlint // it comes bare
			return err
		}
		return nil
	})
	return out
}

// TestListsAreReadByIndex: no list reads a big table whole or sorts it, whatever it is narrowed to, whether SQLite knows
// how the rows are spread or not.
func TestListsAreReadByIndex(t *testing.T) {
	d := fresh(t)
	d.mustWrite(t, func(tx *Tx) error {
		for i := range 200 {
			name := fmt.Sprintf("common-%d", i)
			if err := tx.SavePatients(t.Context(), PatientStatement{ID: fmt.Sprintf("p-%d", i), ExternalID: name, MessageID: "m", EventAt: noon}); err != nil {
				return err
			}
			id, _ := NotificationID(int64(i+1), 0)
			n := Notification{ID: id, InboxSeq: int64(i + 1), Kind: care.Kinds[i%len(care.Kinds)], PatientID: fmt.Sprintf("p-%d", i), MessageID: name, ReceivedAt: noon, Moves: []care.Move{}}
			if i%7 == 0 {
				n.Facility = fmt.Sprintf("Sample Hospital %d", i)
			}
			if err := tx.AddNotifications(t.Context(), n); err != nil {
				return err
			}
		}
		return tx.SavePatients(t.Context(), PatientStatement{ID: "rare-one", MessageID: "m", EventAt: noon})
	})
	var tables []string
	if err := d.Read(t.Context(), func(s Snapshot) (err error) {
		rows, err := s.QueryContext(t.Context(), `SELECT name FROM sqlite_master WHERE type = 'table'`) //nolint:sqlclosecheck // collect closes them
		if err == nil {
			tables, err = collect(rows, func(name *string) error { return rows.Scan(name) })
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	big := func(table string) bool { return slices.Contains(tables, table) && !slices.Contains(small, table) }
	check := func(t *testing.T) {
		for i, l := range listings() {
			if testing.Short() && i%10 != 0 { // with the race detector; nothing here races
				continue
			}
			for _, p := range plans(t, d, func(s Snapshot) error { return l.ask(t.Context(), s) }) {
				table := aliases(p.query)
				for _, s := range p.steps {
					m := scanned.FindStringSubmatch(s.Text)
					switch {
					case m != nil && big(table[m[1]]) && (p.perRow(s) || p.sorted(s) || !strings.Contains(p.query, "LIMIT") || l.seek && !strings.Contains(s.Text, "INDEX")):
						t.Errorf("%s reads all of %s (%s):\n%s", l.name, table[m[1]], s.Text, p)
					case strings.HasPrefix(s.Text, "USE TEMP B-TREE FOR ORDER BY") && !l.few && !p.perRow(s) && !p.page(s):
						t.Errorf("%s sorts:\n%s", l.name, p)
					}
				}
				if t.Failed() {
					return
				}
			}
		}
	}
	t.Run("without statistics", check)
	d.mustWrite(t, func(tx *Tx) error { _, err := tx.exec(t.Context(), "ANALYZE"); return err })
	t.Run("with statistics", check)
}

// TestRepeatsAreLookedForByPatient: the writer asks these for each message while links are dead, so neither may walk
// through the messages of a type, nor through all that heals.
func TestRepeatsAreLookedForByPatient(t *testing.T) {
	d := fresh(t)
	for _, query := range []string{selectDeadLike, selectSentAfter} {
		err := d.Read(t.Context(), func(s Snapshot) error {
			rows, err := s.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, int64(9), "patient.admit", "", "p", int64(1), int64(1))
			if err != nil {
				return err
			}
			steps, err := collect(rows, func(s *step) error {
				var unused int
				return rows.Scan(&s.ID, &s.Parent, &unused, &s.Text)
			})
			for _, s := range steps {
				if strings.HasPrefix(s.Text, "SEARCH i ") && !strings.Contains(s.Text, "INTEGER PRIMARY KEY") || s.Text == "SCAN i" || strings.HasPrefix(s.Text, "SCAN download") {
					t.Errorf("%s\nof %s", s.Text, query)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
