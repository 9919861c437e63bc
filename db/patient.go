package db

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Patient is what is known of a person. Name and BirthDate are empty until a record said them.
type Patient struct {
	No         int64 // place in the order of listing; never shown
	ID         string
	ExternalID string
	Name       string
	BirthDate  string // ISO date
	Sex        string
	Phone      string
	Deceased   string // "yes" or a date; "" = not said
	FirstEvent time.Time
	LastEvent  time.Time
	LastDay    bool // LastEvent is a day, as [Notification.EventDay]
}

// Alias is the patient's id in another system.
type Alias struct{ System, Value string }

// PatientStatement is what one message says of a patient's identity. Where two differ, the one sent last wins, whatever
// order they came in; ids in other systems add up.
type PatientStatement struct {
	ID         string
	ExternalID string
	Aliases    []Alias
	SentAt     time.Time
	MessageID  string
	EventAt    time.Time // when what the message tells happened
	EventDay   bool      // EventAt is a day, as [Notification.EventDay]
}

// SavePatients takes statements into the chart, in their order. Where they change what rows show of a patient who is known
// already, that counts as a change. Most change nothing but the time of the last event, and that only is written.
func (tx *Tx) SavePatients(ctx context.Context, statements ...PatientStatement) error {
	if len(statements) == 0 {
		return nil
	}
	known, err := tx.knownPatients(ctx, statements)
	if err != nil {
		return fmt.Errorf("looking for patients: %w", err)
	}
	var touched []*knownPatient
	for _, p := range statements {
		k := known[p.ID]
		if k == nil {
			k = &knownPatient{id: p.ID, fresh: true, aliases: map[Alias]bool{}}
			known[p.ID] = k
		}
		if k.take(p) && !k.touched {
			k.touched = true
			touched = append(touched, k)
		}
	}
	if err := tx.writePatients(ctx, touched); err != nil {
		return fmt.Errorf("saving patients: %w", err)
	}
	return nil
}

// knownPatient is what the chart has of a patient while statements are taken into it.
type knownPatient struct {
	no         int64
	id         string
	externalID string
	externalOf string
	first      int64
	last       int64
	lastDay    bool
	aliases    map[Alias]bool

	fresh   bool    // there was none before
	touched bool    // it differs from what was there
	renamed bool    // so do the words by which the patient is found
	added   []Alias // those that were not there
}

// take takes a statement in, and says whether it changes anything.
func (k *knownPatient) take(p PatientStatement) (changed bool) {
	at, of := p.EventAt.UnixMilli(), ""
	if p.ExternalID != "" {
		of = fmt.Sprintf("%020d %s", max(p.SentAt.UnixMilli(), 0), p.MessageID)
	}
	begins := k.fresh && !k.touched
	if begins || at > k.last || at == k.last && p.EventDay && !k.lastDay {
		k.last, k.lastDay, changed = at, p.EventDay, true
	}
	if begins || at < k.first {
		k.first, changed = at, true
	}
	if of > k.externalOf {
		k.externalID, k.externalOf, k.renamed, changed = p.ExternalID, of, true, true
	}
	for _, a := range p.Aliases {
		if !k.aliases[a] {
			k.aliases[a] = true
			k.added, k.renamed, changed = append(k.added, a), true, true
		}
	}
	return changed
}

// knownPatients finds those whom statements are about, as far as they are known.
func (tx *Tx) knownPatients(ctx context.Context, statements []PatientStatement) (map[string]*knownPatient, error) {
	ids := make([]string, len(statements))
	for i, p := range statements {
		ids[i] = p.ID
	}
	out := map[string]*knownPatient{}
	err := tx.look(ctx, lookPatients, distinct(ids), func(rows *sql.Rows) error {
		k := &knownPatient{}
		var a Alias
		var value sql.NullString
		if err := rows.Scan(&k.no, &k.id, &k.externalID, &k.externalOf, &k.first, &k.last, &k.lastDay, &a.System, &value); err != nil {
			return err
		}
		if before, ok := out[k.id]; ok {
			k = before
		} else {
			k.aliases = map[Alias]bool{}
			out[k.id] = k
		}
		if a.Value = value.String; value.Valid {
			k.aliases[a] = true
		}
		return nil
	})
	return out, err
}

var lookPatients = newLookup(`SELECT p.no, p.id, p.external_id, p.external_id_of, p.first_event_at, p.last_event_at, p.last_event_day, coalesce(a.system, ''), a.value
	FROM patient p LEFT JOIN patient_alias a ON a.patient_id = p.id WHERE p.id IN (%s)`)

var lookCorrected = newLookup(`SELECT DISTINCT patient_id FROM correction WHERE patient_id IN (%s)`)

var (
	insertPatients = newInsertion(`INSERT OR FAIL INTO patient (no, id, external_id, external_id_of, first_event_at, last_event_at, last_event_day)`, 7, ``)
	insertAliases  = newInsertion(`INSERT OR FAIL INTO patient_alias (patient_id, system, value)`, 3, `ON CONFLICT DO NOTHING`)
)

const updatePatient = `UPDATE patient SET external_id = ?2, external_id_of = ?3, first_event_at = ?4, last_event_at = ?5, last_event_day = ?6 WHERE no = ?1`

// writePatients writes those that changed. New ones get their numbers in this order.
func (tx *Tx) writePatients(ctx context.Context, list []*knownPatient) error {
	if len(list) == 0 {
		return nil
	}
	var last int64
	if err := tx.row(ctx, `SELECT coalesce(max(no), 0) FROM patient`).Scan(&last); err != nil {
		return err
	}
	var rows, aliases []any
	var fresh []string
	for _, k := range list {
		if k.fresh {
			last++
			k.no = last
			fresh = append(fresh, k.id)
			// One by one: a statement of several rows would have the index write what it keeps in memory until the commit.
			if _, err := tx.exec(ctx, `INSERT INTO patient_search (rowid, words) VALUES (?, ?)`, k.no, k.words()); err != nil {
				return err
			}
			rows = append(rows, k.no, k.id, k.externalID, k.externalOf, k.first, k.last, k.lastDay)
		} else if _, err := tx.exec(ctx, updatePatient, k.no, k.externalID, k.externalOf, k.first, k.last, k.lastDay); err != nil {
			return err
		}
		for _, a := range k.added {
			aliases = append(aliases, k.id, a.System, a.Value)
		}
	}
	_, err1 := tx.insert(ctx, insertPatients, rows)
	_, err2 := tx.insert(ctx, insertAliases, aliases)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	for _, k := range list {
		if k.fresh || !k.renamed {
			continue
		}
		changed, err := tx.indexPatient(ctx, k.id)
		if err == nil && changed {
			err = tx.changedPatient(ctx, k.id)
		}
		if err != nil {
			return err
		}
	}
	return tx.settleCorrected(ctx, fresh)
}

// words are those that a new patient is found by, as [Tx.indexPatient] makes them.
func (k *knownPatient) words() string {
	aliases := slices.SortedFunc(maps.Keys(k.aliases), func(a, b Alias) int { return cmp.Or(cmp.Compare(a.System, b.System), cmp.Compare(a.Value, b.Value)) })
	words := []string{"", k.id, k.externalID, ""} // nobody has a name before a record gives one
	for i, a := range aliases {
		if i == 0 {
			words[3] = a.Value
		} else {
			words = append(words, a.Value)
		}
	}
	return fold(strings.Join(words, "\n"))
}

// settleCorrected takes up what people corrected of new patients: a rebuild makes them anew, and a person's word is not in
// the inbox.
func (tx *Tx) settleCorrected(ctx context.Context, fresh []string) error {
	if len(fresh) == 0 {
		return nil
	}
	var corrected []string
	err := tx.look(ctx, lookCorrected, distinct(fresh), func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		corrected = append(corrected, id)
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range corrected {
		if err := tx.settleIdentity(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// indexPatient brings the words a patient is found by up to date, and writes only where they changed. It says whether
// words that were there changed: they are what rows show of a patient.
func (tx *Tx) indexPatient(ctx context.Context, id string) (changed bool, err error) {
	var no int64
	var words, birth, phone string
	err = tx.row(ctx, `SELECT no, birth_date, phone, p.name || char(10) || p.id || char(10) || p.external_id || char(10)
			|| coalesce((SELECT group_concat(value, char(10)) FROM (SELECT value FROM patient_alias WHERE patient_id = p.id ORDER BY system, value)), '')
		FROM patient p WHERE id = ?`, id).Scan(&no, &birth, &phone, &words)
	if err != nil {
		return false, fmt.Errorf("indexing a patient: %w", err)
	}
	words = fold(words)
	if birth != "" {
		words += "\n" + birthWord(birth)
	}
	if number := phoneWord(phone); number != "" {
		words += "\n" + number
	}
	var old string
	err = tx.row(ctx, `SELECT words FROM patient_search WHERE rowid = ?`, no).Scan(&old)
	switch {
	case err == nil && old == words:
		return false, nil
	case err == nil:
		changed = true
		_, err = tx.exec(ctx, `UPDATE patient_search SET words = ? WHERE rowid = ?`, words, no)
	case errors.Is(err, sql.ErrNoRows):
		_, err = tx.exec(ctx, `INSERT INTO patient_search (rowid, words) VALUES (?, ?)`, no, words)
	}
	if err != nil {
		return false, fmt.Errorf("indexing a patient: %w", err)
	}
	return changed, nil
}

const patientColumns = `p.no, p.id, p.external_id, p.name, p.birth_date, p.sex, p.phone, p.deceased, p.first_event_at, p.last_event_at, p.last_event_day`

func (p *Patient) scan(row interface{ Scan(...any) error }) error {
	var first, last sql.NullInt64
	err := row.Scan(&p.No, &p.ID, &p.ExternalID, &p.Name, &p.BirthDate, &p.Sex, &p.Phone, &p.Deceased, &first, &last, &p.LastDay)
	p.FirstEvent, p.LastEvent = instant(first), instant(last)
	return err
}

// Patient returns one patient, or sql.ErrNoRows.
func (s Snapshot) Patient(ctx context.Context, id string) (Patient, error) {
	var p Patient
	err := p.scan(s.QueryRowContext(ctx, `SELECT `+patientColumns+` FROM patient p WHERE id = ?`, id))
	return p, err
}

// PatientHead is a patient with what else stands at the head of their page.
type PatientHead struct {
	Patient
	Aliases     []Alias
	Corrections []Correction
	Sources     []Source
}

// Source is the message from which something about a patient is known.
type Source struct {
	Field    string    // name, birth_date, sex, phone, deceased; external_id
	Type     string    // of the message
	At       time.Time // when it was sent, else came in
	Exchange string    // code of the exchange that its record comes from; "" where none is known
}

// sources is a query for where each thing about patient ?1 is known from, as [PatientStatement] and records said it last.
var sources = func() string {
	parts := []string{`SELECT 'external_id' AS field, type, coalesce(sent_at, received_at) AS at, '' AS exchange FROM inbox
		WHERE message_id = (SELECT substr(external_id_of, 22) FROM patient WHERE id = ?1 AND external_id <> '')`}
	for _, field := range []string{"name", "birth_date", "sex", "phone", "deceased"} {
		parts = append(parts, `SELECT '`+field+`', type, coalesce(sent_at, received_at),
			coalesce((SELECT exchange FROM notification WHERE `+ofMessage("inbox.seq")+` AND patient_id = ?1 LIMIT 1), '') FROM inbox
			WHERE seq = (SELECT inbox_seq FROM patient_statement WHERE patient_id = ?1 AND `+field+` <> '' ORDER BY sent DESC LIMIT 1)`)
	}
	return strings.Join(parts, " UNION ALL ")
}()

// PatientHead returns it in one statement, or sql.ErrNoRows.
func (s Snapshot) PatientHead(ctx context.Context, id string) (PatientHead, error) {
	var p PatientHead
	var aliases, corrections, from []byte
	err := p.scan(also{s.QueryRowContext(ctx, `SELECT `+patientColumns+`,
		(SELECT json_group_array(json_array(system, value)) FROM (SELECT system, value FROM patient_alias WHERE patient_id = p.id ORDER BY system, value)),
		(SELECT json_group_array(json_object('field', field, 'value', value, 'by', email, 'at', at))
			FROM (SELECT c.field, c.value, u.email, c.at FROM correction c JOIN user u ON u.id = c.user_id WHERE c.patient_id = p.id ORDER BY c.field)),
		(SELECT json_group_array(json_object('field', field, 'type', type, 'at', at, 'exchange', exchange)) FROM (`+sources+`))
		FROM patient p WHERE p.id = ?1`, id), []any{&aliases, &corrections, &from}})
	if err != nil {
		return p, err
	}
	var ids [][2]string
	type statement struct {
		Field, Value, By, Type, Exchange string
		At                               int64
	}
	var said, learned []statement
	if err := errors.Join(json.Unmarshal(aliases, &ids), json.Unmarshal(corrections, &said), json.Unmarshal(from, &learned)); err != nil {
		return p, fmt.Errorf("reading a patient's head: %w", err)
	}
	for _, a := range ids {
		p.Aliases = append(p.Aliases, Alias{System: a[0], Value: a[1]})
	}
	for _, c := range said {
		p.Corrections = append(p.Corrections, Correction{Field: c.Field, Value: c.Value, By: c.By, At: time.UnixMilli(c.At).UTC()})
	}
	for _, l := range learned {
		p.Sources = append(p.Sources, Source{Field: l.Field, Type: l.Type, At: time.UnixMilli(l.At).UTC(), Exchange: l.Exchange})
	}
	return p, nil
}

// also scans columns after those that the callee knows.
type also struct {
	row  interface{ Scan(...any) error }
	last []any
}

func (a also) Scan(first ...any) error { return a.row.Scan(slices.Concat(first, a.last)...) }

// PatientFilter narrows the list of patients. Pages follow one another by the key of the last row.
type PatientFilter struct {
	Text   string // part of a name or of any id; "" = everyone
	Before PatientKey
	Limit  int
	Reach  int // look at no more than about so many patients; 0 = at all
}

// PatientKey is a patient's place in the list: last event first.
type PatientKey struct {
	LastEvent int64 // milliseconds UTC; 0 with No 0 = from the top
	No        int64
}

// Key returns the patient's place in the list.
func (p Patient) Key() PatientKey { return PatientKey{LastEvent: p.LastEvent.UnixMilli(), No: p.No} }

// Patients lists patients, the one with the latest event first.
func (s Snapshot) Patients(ctx context.Context, f PatientFilter) ([]Patient, error) {
	list, _, err := s.PatientPage(ctx, f)
	return list, err
}

// PatientPage lists patients, the one with the latest event first. Where more than a few fit, they are looked for among
// those with the latest events, and rest says how far back.
func (s Snapshot) PatientPage(ctx context.Context, f PatientFilter) (list []Patient, rest PatientKey, err error) {
	from, along, tests := "patient p INDEXED BY patient_recent", conditions{}, conditions{}
	if f.Before != (PatientKey{}) {
		along.add("(p.last_event_at, p.no) < (?, ?)", f.Before.LastEvent, f.Before.No)
	}
	if f.Text != "" {
		ids, ok, err := s.people(ctx, f.Text)
		switch {
		case err != nil:
			return nil, rest, err
		case ok:
			from = "patient p"
			if err := along.among("p.id", ids); err != nil {
				return nil, rest, err
			}
		default:
			holds, args := holdsWords("patient_search", "p.no", f.Text)
			tests.add(holds, args...)
			if rest, err = s.reachPatients(ctx, along, f.Reach); err != nil {
				return nil, rest, err
			}
			if rest != (PatientKey{}) {
				tests.add("(p.last_event_at, p.no) >= (?, ?)", rest.LastEvent, rest.No)
			}
		}
	}
	where, args := walk{along: along, tests: tests}.where()
	rows, err := s.QueryContext(ctx, `SELECT `+patientColumns+` FROM `+from+` WHERE `+where+` ORDER BY p.last_event_at DESC, p.no DESC LIMIT ?`, append(args, f.Limit)...)
	if err != nil {
		return nil, rest, fmt.Errorf("listing patients: %w", err)
	}
	list, err = collect(rows, func(p *Patient) error { return p.scan(rows) })
	if len(list) >= f.Limit {
		rest = PatientKey{}
	}
	return list, rest, err
}

// reachPatients is where a search stops that looks at no more than reach patients; zero where it comes to the end.
func (s Snapshot) reachPatients(ctx context.Context, along conditions, reach int) (key PatientKey, err error) {
	if reach <= 0 {
		return key, nil
	}
	where, args := walk{along: along}.where()
	err = s.QueryRowContext(ctx, `SELECT p.last_event_at, p.no FROM patient p INDEXED BY patient_recent WHERE `+where+
		` ORDER BY p.last_event_at DESC, p.no DESC LIMIT 1 OFFSET ?`, append(args, reach-1)...).Scan(&key.LastEvent, &key.No)
	if errors.Is(err, sql.ErrNoRows) {
		return PatientKey{}, nil
	}
	if err != nil {
		return key, fmt.Errorf("bounding a list: %w", err)
	}
	return key, nil
}

// wordsMatch is a subquery for the numbers of the rows whose words in a search table hold every word of text.
func wordsMatch(table, text string) (string, []any) {
	match, where := byWords(text, "words")
	if match != "" {
		where.add(table+" MATCH ?", match)
	}
	if len(where.clauses) == 0 {
		where.add("1")
	}
	return "SELECT rowid FROM " + table + " WHERE " + strings.Join(where.clauses, " AND "), where.args
}

var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

func escapeLike(s string) string { return likeEscaper.Replace(s) }
