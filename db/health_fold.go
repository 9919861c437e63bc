package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"carebell/web/care"
)

// thing is one entry of a patient's summary.
type thing struct {
	patient string
	section care.HealthSection
	key     string
}

// entry is a thing as it is stored.
type entry struct {
	health care.Health
	n      int
	there  bool
}

// storedRow is a row of a file as it is stored.
type storedRow struct {
	key    string
	names  []string
	health care.Health
	events []HealthEvent
}

const storedRowColumns = `r.section, r.key, r.names, r.detail, r.events`

func (r *storedRow) scan(row interface{ Scan(...any) error }) error {
	var names, detail, events []byte
	var section care.HealthSection
	if err := row.Scan(&section, &r.key, &names, &detail, &events); err != nil {
		return err
	}
	err := errors.Join(json.Unmarshal(names, &r.names), json.Unmarshal(detail, &r.health), json.Unmarshal(events, &r.events))
	r.health.Section = section
	return err
}

// from fills in where it is said: rows are made from the content of a file alone.
func (r *storedRow) from(f HealthFile) {
	in := func(s *care.Said) {
		if s != nil {
			s.File, s.Sent, s.Whole = f.ID, f.Sent, f.Whole
		}
	}
	h := &r.health
	in(&h.Best)
	in(h.Ordered)
	in(h.Taken)
	h.First, h.Last = care.FileRef{File: f.ID, Sent: f.Sent}, care.FileRef{File: f.ID, Sent: f.Sent}
}

// FoldHealth takes up to n of the rows of a file that are not in the summary yet into it, fewer where somebody waits for the
// connection, and says whether that were all.
func (tx *Tx) FoldHealth(ctx context.Context, f HealthFile, n int) (done bool, err error) {
	err = tx.row(ctx, `SELECT state, folded FROM health_file WHERE download_id = ?`, f.ID).Scan(&f.Health, &f.Folded) // it may be begun again by now
	if err != nil {
		return false, fmt.Errorf("folding a file: %w", err)
	}
	if f.Health != HealthFolding {
		return true, nil
	}
	section, key, _ := strings.Cut(f.Folded, cellEnd)
	rows, err := tx.query(ctx, `SELECT `+storedRowColumns+` FROM health_row r WHERE r.download_id = ? AND (r.section, r.key) > (?, ?) ORDER BY r.section, r.key LIMIT ?`,
		f.ID, section, key, n)
	if err != nil {
		return false, fmt.Errorf("folding a file: %w", err)
	}
	list, err := collect(rows, func(r *storedRow) error { return r.scan(rows) })
	if err != nil {
		return false, fmt.Errorf("folding a file: %w", err)
	}
	folded := 0
	for _, r := range list {
		r.from(f)
		if err := tx.foldRow(ctx, f.PatientID, r); err != nil {
			return false, fmt.Errorf("folding a file: %w", err)
		}
		if folded++; tx.Pressed() {
			break
		}
	}
	if done = folded < n && folded == len(list); done {
		_, err = tx.exec(ctx, `UPDATE health_file SET state = 'read', folded = '' WHERE download_id = ?`, f.ID)
	} else {
		last := list[folded-1]
		_, err = tx.exec(ctx, `UPDATE health_file SET folded = ? WHERE download_id = ?`, rowPlace(last.health.Section, last.key), f.ID)
	}
	if err != nil {
		return false, fmt.Errorf("folding a file: %w", err)
	}
	if done && !f.Record {
		if err := tx.settleNews(ctx, f.PatientID); err != nil {
			return false, err
		}
	}
	return done, tx.changedHealth(ctx, f)
}

// foldRow takes a row into the entry of its thing. Where its names belong to several entries, they are one thing.
func (tx *Tx) foldRow(ctx context.Context, patient string, r storedRow) error {
	section := r.health.Section
	key, others, known, err := tx.healthKeys(ctx, patient, section, r.names)
	if err != nil {
		return err
	}
	t := thing{patient, section, key}
	e, err := tx.healthEntry(ctx, t)
	if err != nil {
		return err
	}
	was := e
	joined := false
	for _, other := range others {
		if err := tx.joinThings(ctx, thing{patient, section, other}, t, &e); err != nil {
			return err
		}
		joined = true
	}
	for _, name := range r.names {
		if !known[name] {
			if _, err := tx.exec(ctx, `INSERT INTO health_name (patient_id, section, name, key) VALUES (?, ?, ?, ?)`, patient, section, name, key); err != nil {
				return err
			}
		}
	}
	if e.there {
		e.health = care.Merge(e.health, r.health)
	} else {
		e.health = r.health
	}
	events := make([]storedEvent, len(r.events))
	for i, v := range r.events {
		events[i] = storedEvent{v, r.health.Last.Sent, r.health.Last.File}
	}
	added, changed, err := tx.putEvents(ctx, t, events)
	if err != nil {
		return err
	}
	e.n += added
	return tx.saveEntry(ctx, t, was, e, joined || changed || added > 0)
}

// healthKeys finds the entries that a thing's names belong to: key is the one that stays, which may be new.
func (tx *Tx) healthKeys(ctx context.Context, patient string, section care.HealthSection, names []string) (key string, others []string, known map[string]bool, err error) {
	list, err := json.Marshal(names)
	if err != nil {
		return "", nil, nil, err
	}
	rows, err := tx.query(ctx, `SELECT name, key FROM health_name WHERE patient_id = ? AND section = ? AND name IN (SELECT value FROM json_each(?))`, patient, section, string(list))
	if err != nil {
		return "", nil, nil, err
	}
	found, err := collect(rows, func(p *[2]string) error { return rows.Scan(&p[0], &p[1]) })
	if err != nil {
		return "", nil, nil, err
	}
	known, all := map[string]bool{}, slices.Clone(names)
	for _, p := range found {
		known[p[0]] = true
		all = append(all, p[1])
	}
	key = slices.Min(all)
	for _, p := range found {
		if p[1] != key && !slices.Contains(others, p[1]) {
			others = append(others, p[1])
		}
	}
	slices.Sort(others)
	return key, others, known, nil
}

func (tx *Tx) healthEntry(ctx context.Context, t thing) (entry, error) {
	var e entry
	var detail []byte
	err := tx.row(ctx, `SELECT n, detail FROM health_entry WHERE patient_id = ? AND section = ? AND key = ?`, t.patient, t.section, t.key).Scan(&e.n, &detail)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return e, nil
	case err != nil:
		return e, err
	}
	e.there = true
	err = json.Unmarshal(detail, &e.health)
	e.health.Section = t.section
	return e, err
}

// joinThings makes two entries one: from goes, and what it had is in e, the entry of to.
func (tx *Tx) joinThings(ctx context.Context, from, to thing, e *entry) error {
	other, err := tx.healthEntry(ctx, from)
	if err != nil {
		return err
	}
	switch {
	case other.there && e.there:
		e.health = care.Merge(e.health, other.health)
	case other.there:
		e.health, e.there = other.health, true
	}
	rows, err := tx.query(ctx, `SELECT event, sent, download_id, detail FROM health_event WHERE patient_id = ? AND section = ? AND key = ?`, from.patient, from.section, from.key) //nolint:sqlclosecheck // collect closes them
	if err != nil {
		return err
	}
	events, err := collect(rows, func(v *storedEvent) error { return rows.Scan(&v.Event, &v.Sent, &v.File, &v.Detail) })
	if err != nil {
		return err
	}
	added, _, err := tx.putEvents(ctx, to, events)
	if err != nil {
		return err
	}
	e.n += added
	for _, statement := range []string{
		`DELETE FROM health_event WHERE patient_id = ? AND section = ? AND key = ?`,
		`DELETE FROM health_entry WHERE patient_id = ? AND section = ? AND key = ?`,
		`DELETE FROM health_stale WHERE patient_id = ? AND section = ? AND key = ?`,
	} {
		result, err := tx.exec(ctx, statement, from.patient, from.section, from.key)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil {
			return err
		} else if n > 0 && statement[len("DELETE FROM health_"):][0] == 's' { // what waited to be folded anew still does
			if _, err := tx.exec(ctx, `INSERT INTO health_stale (patient_id, section, key) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, to.patient, to.section, to.key); err != nil {
				return err
			}
		}
	}
	_, err = tx.exec(ctx, `UPDATE health_name SET key = ?4 WHERE patient_id = ?1 AND section = ?2 AND key = ?3`, from.patient, from.section, from.key, to.key)
	return err
}

// storedEvent is a fill, value or dose as it is stored, and as it goes to SQLite as JSON.
type storedEvent struct {
	HealthEvent
	Sent string `json:"s"`
	File int64  `json:"f"`
}

// putEvents adds those that are not there, and writes over those that an earlier file told of.
func (tx *Tx) putEvents(ctx context.Context, t thing, list []storedEvent) (added int, changed bool, err error) {
	if len(list) == 0 {
		return 0, false, nil
	}
	text, err := json.Marshal(list)
	if err != nil {
		return 0, false, err
	}
	const insert = `INSERT INTO health_event (patient_id, section, key, event, sent, download_id, detail)
		SELECT ?1, ?2, ?3, value ->> 'e', value ->> 's', value ->> 'f', value ->> 'd' FROM json_each(?4) WHERE true ON CONFLICT `
	result, err := tx.exec(ctx, insert+`DO NOTHING`, t.patient, t.section, t.key, string(text))
	if err != nil {
		return 0, false, err
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, false, err
	}
	if int(n) == len(list) {
		return int(n), true, nil
	}
	result, err = tx.exec(ctx, insert+`(patient_id, section, key, event) DO UPDATE SET sent = excluded.sent, download_id = excluded.download_id, detail = excluded.detail
		WHERE (excluded.sent, excluded.detail, -excluded.download_id) > (sent, detail, -download_id)`, t.patient, t.section, t.key, string(text))
	if err != nil {
		return 0, false, err
	}
	over, err := result.RowsAffected()
	return int(n), n+over > 0, err
}

// saveEntry writes an entry, where it is not as it was.
func (tx *Tx) saveEntry(ctx context.Context, t thing, was, e entry, again bool) error {
	detail, err := json.Marshal(e.health)
	if err != nil {
		return err
	}
	if was.there && !again {
		before, err := json.Marshal(was.health)
		if err != nil || string(before) == string(detail) {
			return err
		}
	}
	recent, err := tx.recentEvents(ctx, t, care.MostRecent)
	if err != nil {
		return err
	}
	h := e.health
	h.Recent = recent
	short, err := json.Marshal(h.Short())
	if err != nil {
		return err
	}
	part, rank := h.Place()
	_, err = tx.exec(ctx, `INSERT INTO health_entry (patient_id, section, key, part, rank, at, n, ref, detail, recent) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
		ON CONFLICT (patient_id, section, key) DO UPDATE SET part = ?4, rank = ?5, at = ?6, n = ?7, detail = ?9, recent = ?10`,
		t.patient, t.section, t.key, part, rank, h.Latest(), e.n, healthRef(t.section, t.key), string(detail), string(short))
	if err != nil {
		return err
	}
	return tx.markNews(ctx, t.patient, t.section, t.key)
}

func (tx *Tx) recentEvents(ctx context.Context, t thing, n int) ([]care.Said, error) {
	if !t.section.Counted() {
		return nil, nil
	}
	rows, err := tx.query(ctx, `SELECT sent, download_id, detail FROM health_event WHERE patient_id = ? AND section = ? AND key = ? ORDER BY event DESC LIMIT ?`, t.patient, t.section, t.key, n)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(s *care.Said) error { return scanEvent(rows, s) })
}

func scanEvent(row interface{ Scan(...any) error }, s *care.Said) error {
	var sent string
	var file int64
	var detail []byte
	if err := row.Scan(&sent, &file, &detail); err != nil {
		return err
	}
	err := json.Unmarshal(detail, s)
	s.Sent, s.File = sent, file
	return err
}

// FoldStale folds up to n things anew whose rows changed, and returns how many they were; 0 means that none is left, or
// that the chart, which says what a file is, is behind the inbox.
func (tx *Tx) FoldStale(ctx context.Context, n int) (int, error) {
	rows, err := tx.query(ctx, `SELECT patient_id, section, key FROM health_stale WHERE NOT EXISTS (SELECT 1 FROM inbox WHERE seq > `+chartCursor+`) ORDER BY 1, 2, 3 LIMIT ?`, n) //nolint:sqlclosecheck // collect closes them
	if err != nil {
		return 0, fmt.Errorf("looking for what to fold anew: %w", err)
	}
	list, err := collect(rows, func(t *thing) error { return rows.Scan(&t.patient, &t.section, &t.key) })
	if err != nil {
		return 0, fmt.Errorf("looking for what to fold anew: %w", err)
	}
	for _, t := range list {
		if err := tx.foldAnew(ctx, t); err != nil {
			return 0, fmt.Errorf("folding anew: %w", err)
		}
		if err := tx.changedItem(ctx, TopicHealth, 0, t.patient); err != nil {
			return 0, err
		}
	}
	return len(list), nil
}

// foldAnew makes an entry from the rows of all files that name it. It may become several.
func (tx *Tx) foldAnew(ctx context.Context, t thing) error {
	rows, err := tx.query(ctx, `SELECT `+healthFileColumns+`, `+storedRowColumns+healthFileJoins+`
		JOIN health_row r ON r.download_id = f.download_id
		WHERE r.patient_id = ?1 AND r.section = ?2 AND r.key IN (SELECT name FROM health_name WHERE patient_id = ?1 AND section = ?2 AND key = ?3) ORDER BY r.download_id, r.key`,
		t.patient, t.section, t.key) //nolint:sqlclosecheck // collect closes them
	if err != nil {
		return err
	}
	list, err := collect(rows, func(r *storedRow) error {
		var f HealthFile
		err := f.scan(rest{rows, r})
		r.from(f)
		return err
	})
	if err != nil {
		return err
	}
	for _, table := range []string{"health_entry", "health_event", "health_name", "health_stale"} {
		if _, err := tx.exec(ctx, `DELETE FROM `+table+` WHERE patient_id = ? AND section = ? AND key = ?`, t.patient, t.section, t.key); err != nil {
			return err
		}
	}
	for _, r := range list {
		if err := tx.foldRow(ctx, t.patient, r); err != nil {
			return err
		}
	}
	return nil
}

// rest scans the columns of a row after those that the callee knows.
type rest struct {
	rows *sql.Rows
	row  *storedRow
}

func (a rest) Scan(first ...any) error {
	return a.row.scan(scanFunc(func(last ...any) error { return a.rows.Scan(slices.Concat(first, last)...) }))
}

type scanFunc func(...any) error

func (f scanFunc) Scan(to ...any) error { return f(to...) }
