package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"carebell/web/care"
)

// PullPart is what one message says of a request for a patient's records, as it is added to the chart.
type PullPart struct {
	Kind      care.PullKind
	PatientID string // "" = the message names none
	RequestID string // "" = none was sent
	care.Part
	Documents []ListedDocument
}

// ListedDocument is a document as one message lists it.
type ListedDocument struct {
	Document
	Key      string // tells it apart from the other documents of its request
	Listed   string // time and message id of this listing, to be compared as text: the greatest is believed
	InboxSeq int64  // with Place, where its link is among the downloads
	Place    string // "" = it came without a link
}

// AddPart takes a part into the chart. One that is there already changes nothing.
func (tx *Tx) AddPart(ctx context.Context, p PullPart) error {
	pull, err := tx.pullOf(ctx, p)
	if err != nil {
		return fmt.Errorf("looking for a request: %w", err)
	}
	more, err := json.Marshal(p.PartMore)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, `INSERT INTO pull_part (id, pull_id, step, message_id, at, sent_at, received_at, place, source, status, page, pages, items, more)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
		p.ID, pull, p.Step, p.MessageID, millis(p.At), millis(p.SentAt), millis(p.Received), p.Place, p.Source, p.Status, p.Page, p.Pages, p.Items, string(more))
	if err != nil {
		return fmt.Errorf("saving a part of a request: %w", err)
	}
	for _, d := range p.Documents {
		if err := tx.listDocument(ctx, pull, d); err != nil {
			return fmt.Errorf("saving a document: %w", err)
		}
	}
	return tx.settlePull(ctx, pull, p.Kind, p.PatientID)
}

// pullOf finds or begins the request a part belongs to.
func (tx *Tx) pullOf(ctx context.Context, p PullPart) (id int64, err error) {
	if p.PatientID != "" && p.RequestID != "" {
		err = tx.row(ctx, `SELECT id FROM pull WHERE kind = ? AND patient_id = ? AND request_id = ?`, p.Kind, p.PatientID, p.RequestID).Scan(&id)
		if !errors.Is(err, sql.ErrNoRows) {
			return id, err
		}
	}
	_, err = tx.exec(ctx, `INSERT INTO pull (id, kind, patient_id, request_id, received_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
		p.ID, p.Kind, p.PatientID, p.RequestID, millis(p.Received))
	return p.ID, err
}

func (tx *Tx) listDocument(ctx context.Context, pull int64, d ListedDocument) error {
	var no int64
	err := tx.row(ctx, `INSERT INTO pull_document (pull_id, key, listed, name, description, type, organization, status, indexed_at, media_type, size)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
		ON CONFLICT (pull_id, key) DO UPDATE SET
			name = iif(?3 > listed, ?4, name), description = iif(?3 > listed, ?5, description), type = iif(?3 > listed, ?6, type),
			organization = iif(?3 > listed, ?7, organization), status = iif(?3 > listed, ?8, status), indexed_at = iif(?3 > listed, ?9, indexed_at),
			media_type = iif(?3 > listed, ?10, media_type), size = iif(?3 > listed, ?11, size), listed = max(listed, ?3)
		RETURNING no`,
		pull, d.Key, d.Listed, d.Name, d.Description, d.Type, d.Organization, d.Status, millis(d.Indexed), d.MediaType, d.Size).Scan(&no)
	if err != nil || d.Place == "" {
		return err
	}
	_, err = tx.exec(ctx, `INSERT INTO pull_document_link (document_no, inbox_seq, place) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, no, d.InboxSeq, d.Place)
	return err
}

// settlePull brings up to date what a request is found by.
func (tx *Tx) settlePull(ctx context.Context, id int64, kind care.PullKind, patientID string) error {
	rows, err := tx.query(ctx, `SELECT `+partColumns+` FROM pull_part t WHERE t.pull_id = ?`, id)
	if err != nil {
		return fmt.Errorf("reading a request: %w", err)
	}
	parts, err := collect(rows, func(p *care.Part) error { return scanPart(rows, p) })
	if err != nil {
		return fmt.Errorf("reading a request: %w", err)
	}
	p := care.FoldPull(kind, parts)
	if _, err := tx.exec(ctx, `UPDATE pull SET is_out = ?2, is_failed = ?3, is_empty = ?4, is_unclear = ?5 WHERE id = ?1`, id, p.Out, p.Failed, p.Empty, p.Unclear); err != nil {
		return fmt.Errorf("settling a request: %w", err)
	}
	return tx.changedItem(ctx, TopicRecords, id, patientID)
}

const partColumns = `t.id, t.step, t.message_id, t.at, t.sent_at, t.received_at, t.place, t.source, t.status, t.page, t.pages, t.items, t.more`

func scanPart(row interface{ Scan(...any) error }, p *care.Part) error {
	var at, sent, received sql.NullInt64
	var more string
	if err := row.Scan(&p.ID, &p.Step, &p.MessageID, &at, &sent, &received, &p.Place, &p.Source, &p.Status, &p.Page, &p.Pages, &p.Items, &more); err != nil {
		return err
	}
	p.At, p.SentAt, p.Received = instant(at), instant(sent), instant(received)
	return json.Unmarshal([]byte(more), &p.PartMore)
}

// changedPull numbers a change of the request that a download belongs to, where there is one.
func (tx *Tx) changedPull(ctx context.Context, d Download) error {
	if d.Purpose != PurposeConsolidated && d.Purpose != PurposeDocument {
		return nil
	}
	item := 0
	if rest, ok := strings.CutPrefix(d.Place, "/patients/"); ok {
		number, _, _ := strings.Cut(rest, "/")
		item, _ = strconv.Atoi(number)
	}
	id, err := NotificationID(d.InboxSeq, item)
	if err != nil {
		return nil //nolint:nilerr // no such part: its message failed
	}
	var pull int64
	err = tx.row(ctx, `SELECT pull_id FROM pull_part WHERE id = ?`, id).Scan(&pull)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for the request of a download: %w", err)
	}
	return tx.changedItem(ctx, TopicRecords, pull, d.PatientID)
}

// Pull is one request for the records of one patient.
type Pull struct {
	ID         int64
	Kind       care.PullKind
	PatientID  string // "" = not named
	RequestID  string // "" = not sent
	ReceivedAt time.Time
	Patient    Patient
	Parts      []care.Part
	Documents  Tally
}

// Tally counts the documents of a request by what became of their files.
type Tally struct {
	Listed, Stored, Failed, Waiting, Bare int // Bare came without a link
}

// PullState narrows a list of requests.
type PullState string

// The states that requests are looked for by. One request can be in several.
const (
	PullOut     PullState = "out"
	PullFailed  PullState = "failed"
	PullEmpty   PullState = "empty"
	PullUnclear PullState = "unclear"
	PullDone    PullState = "done" // none of the others
)

var pullStates = map[PullState]string{
	PullOut: "p.is_out = 1", PullFailed: "p.is_failed = 1", PullEmpty: "p.is_empty = 1", PullUnclear: "p.is_unclear = 1",
	PullDone: "p.is_out = 0 AND p.is_failed = 0 AND p.is_empty = 0 AND p.is_unclear = 0",
}

// PullFilter narrows a list of requests. They come by when their first part came, the latest first.
type PullFilter struct {
	Kind     care.PullKind // "" = all
	State    PullState     // "" = all
	Place    string        // of a source that was heard of; "" = all
	Text     string        // part of a patient's name or of any id, or how a request id begins
	Patient  string        // "" = everybody
	IDs      []int64       // only these, and those of Patients; nil = all
	Patients []string
	Before   int64 // only ids below; 0 = from the top
	Limit    int
	Reach    int // look at no more than about so many; 0 = at all
}

// Within implements [ListFilter].
func (f PullFilter) Within(w Window) PullFilter {
	f.Before, f.IDs, f.Patients, f.Limit, f.Reach = w.Before, w.IDs, w.Patients, w.Limit, w.Reach
	return f
}

// fetched is how well a document's best download fares: 3 stored, 2 on its way, 1 failed, 0 none.
const fetched = `max(CASE WHEN f.state = 'stored' THEN 3 WHEN f.state IN ('queued', 'fetching') THEN 2 WHEN f.state IS NOT NULL THEN 1 ELSE 0 END)`

// pullIndexes are the indexes of the states, each by kind.
var pullIndexes = map[PullState]string{PullOut: "pull_out", PullFailed: "pull_failed", PullEmpty: "pull_empty", PullUnclear: "pull_unclear", PullDone: "pull_done"}

// walk chooses the index that f is answered by. What it does not answer is tested row by row.
func (f PullFilter) walk(ctx context.Context, s Snapshot) (walk, error) {
	w := walk{from: "pull p", id: "p.id", at: "p.received_at"}
	var kind, state conditions
	if f.Kind != "" {
		kind.add("p.kind = ?", f.Kind)
	}
	if f.State != "" {
		state.add(pullStates[f.State])
	}
	test := func(all ...conditions) {
		for _, c := range all {
			w.tests.clauses, w.tests.args = append(w.tests.clauses, c.clauses...), append(w.tests.args, c.args...)
		}
	}
	var byText, text conditions
	ids := f.IDs != nil || f.Patients != nil
	if f.Text != "" {
		if !ids {
			few, ok, err := s.people(ctx, f.Text)
			if err != nil {
				return w, err
			}
			if ok {
				who, err := json.Marshal(few)
				if err != nil {
					return w, err
				}
				byText.add(`p.id IN (SELECT id FROM pull WHERE patient_id IN (SELECT value FROM json_each(?))
					UNION SELECT id FROM pull WHERE request_id <> '' AND request_id >= ? AND request_id < ? || char(1114111))`, string(who), f.Text, f.Text)
			}
		}
		about, args := aboutPatient("p.patient_id", f.Text)
		text.add("("+about+" OR substr(p.request_id, 1, length(?)) = ?)", append(args, f.Text, f.Text)...)
	}
	switch {
	case ids:
		list, err := json.Marshal(append([]int64{}, f.IDs...))
		if err != nil {
			return w, err
		}
		patients, err := json.Marshal(append([]string{}, f.Patients...))
		if err != nil {
			return w, err
		}
		w.short = true
		w.along.add(`p.id IN (SELECT value FROM json_each(?) UNION SELECT id FROM pull WHERE patient_id IN (SELECT value FROM json_each(?)))`, string(list), string(patients))
		test(kind, state, text)
	case len(byText.clauses) > 0:
		w.short, w.along = true, byText
		test(kind, state)
	case f.Patient != "":
		w.from += " INDEXED BY pull_patient"
		w.along.add("p.patient_id = ?", f.Patient)
		test(kind, state, text)
	case f.Kind != "" && f.State != "":
		w.from += " INDEXED BY " + pullIndexes[f.State]
		w.along = kind
		w.along.add(pullStates[f.State])
		test(text)
	case f.Kind != "":
		w.from += " INDEXED BY pull_kind"
		w.along = kind
		test(text)
	default:
		test(state, text)
	}
	if f.Patient != "" && (ids || len(byText.clauses) > 0) {
		w.tests.add("p.patient_id = ?", f.Patient)
	}
	if f.Place != "" {
		w.tests.add("EXISTS (SELECT 1 FROM pull_part t WHERE t.pull_id = p.id AND t.place = ?)", f.Place)
	}
	if f.Before > 0 {
		w.along.add("p.id < ?", f.Before)
	}
	return w, nil
}

// Pulls lists requests with all their parts.
func (s Snapshot) Pulls(ctx context.Context, f PullFilter) ([]Pull, error) {
	list, _, err := s.PullPage(ctx, f)
	return list, err
}

// PullPage lists requests with all their parts, and says where the list goes on that was not searched to its end.
func (s Snapshot) PullPage(ctx context.Context, f PullFilter) ([]Pull, Rest, error) {
	w, err := f.walk(ctx, s)
	if err != nil {
		return nil, Rest{}, err
	}
	rest, err := s.bound(ctx, &w, f.Reach)
	if err != nil {
		return nil, rest, err
	}
	where, args := w.where()
	rows, err := s.QueryContext(ctx, `SELECT u.id, u.kind, u.patient_id, u.request_id, u.received_at, coalesce(c.external_id, ''), coalesce(c.name, ''), coalesce(c.birth_date, ''),
			coalesce(u.tally, '[0,0,0,0,0]'), `+partColumns+`
		FROM (SELECT p.*, CASE WHEN p.kind = 'documents' THEN (
				SELECT json_array(count(*), sum(best = 3), sum(best = 1), sum(best = 2), sum(best = 0)) FROM (SELECT `+fetched+` AS best FROM pull_document d
					LEFT JOIN pull_document_link l ON l.document_no = d.no LEFT JOIN download f ON f.inbox_seq = l.inbox_seq AND f.place = l.place
					WHERE d.pull_id = p.id GROUP BY d.no) HAVING count(*) > 0) END AS tally
			FROM `+w.source()+` WHERE `+where+` ORDER BY p.id DESC LIMIT ?) u
		JOIN pull_part t ON t.pull_id = u.id LEFT JOIN patient c ON c.id = u.patient_id
		ORDER BY u.id DESC, t.id`, append(args, f.Limit)...)
	if err != nil {
		return nil, rest, fmt.Errorf("listing requests: %w", err)
	}
	var out []Pull
	_, err = collect(rows, func(part *care.Part) error {
		var p Pull
		var received sql.NullInt64
		var tally string
		head := []any{&p.ID, &p.Kind, &p.PatientID, &p.RequestID, &received, &p.Patient.ExternalID, &p.Patient.Name, &p.Patient.BirthDate, &tally}
		if err := scanPart(after{rows, head}, part); err != nil {
			return err
		}
		if n := len(out); n == 0 || out[n-1].ID != p.ID {
			p.ReceivedAt, p.Patient.ID = instant(received), p.PatientID
			var n [5]int
			if err := json.Unmarshal([]byte(tally), &n); err != nil {
				return err
			}
			p.Documents = Tally{Listed: n[0], Stored: n[1], Failed: n[2], Waiting: n[3], Bare: n[4]}
			out = append(out, p)
		}
		last := &out[len(out)-1]
		last.Parts = append(last.Parts, *part)
		return nil
	})
	return out, rest.after(len(out), f.Limit), err
}

// after scans further columns before those that the callee knows.
type after struct {
	rows *sql.Rows
	head []any
}

func (a after) Scan(rest ...any) error { return a.rows.Scan(append(a.head, rest...)...) }

// PullFile is a file of data that came with a part of a request.
type PullFile struct {
	PartID int64
	Counts map[string]int // resources in it by type; nil where it was not read
	Download
}

// PullFiles lists the files of data of requests, by part; documents are not among them.
func (s Snapshot) PullFiles(ctx context.Context, pulls []int64) ([]PullFile, error) {
	if len(pulls) == 0 {
		return nil, nil
	}
	ids, err := json.Marshal(pulls)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(ctx, `SELECT t.id, coalesce(json_extract(r.facts, '$.counts'), 'null'), `+downloadColumns+`
		FROM pull_part t JOIN download d ON d.inbox_seq = t.id / 1024 AND d.purpose = 'consolidated' AND CAST(substr(d.place, length('/patients/') + 1) AS INTEGER) = t.id % 1024
		LEFT JOIN record r ON r.download_id = d.id
		WHERE t.pull_id IN (SELECT value FROM json_each(?)) ORDER BY t.id, d.id`, string(ids))
	if err != nil {
		return nil, fmt.Errorf("listing files of requests: %w", err)
	}
	return collect(rows, func(f *PullFile) error {
		var counts string
		if err := f.scan(after{rows, []any{&f.PartID, &counts}}); err != nil {
			return err
		}
		return json.Unmarshal([]byte(counts), &f.Counts)
	})
}

// Document is one document of a request, with what became of its file.
type Document struct {
	No           int64 // the order in which they were first listed; changes with a rebuild
	Name         string
	Description  string
	Type         string
	Organization string
	Status       string
	Indexed      time.Time
	MediaType    string // as claimed
	Size         int64  // bytes as claimed; 0 = not said
	File         Download
	Others       []int64 // further downloads of the same document
}

// DocumentKey is a document's place in the list: the one indexed last first.
type DocumentKey struct {
	Indexed int64 // milliseconds UTC; -1 where it was not sent
	No      int64 // 0 = from the top
}

// Key returns the document's place in the list.
func (d Document) Key() DocumentKey {
	if d.Indexed.IsZero() {
		return DocumentKey{-1, d.No}
	}
	return DocumentKey{d.Indexed.UnixMilli(), d.No}
}

// PullDocuments lists the documents of a request. Of a document with several downloads, the best one is its file.
func (s Snapshot) PullDocuments(ctx context.Context, pull int64, before DocumentKey, limit int) ([]Document, error) {
	const at = "coalesce(d.indexed_at, -1)"
	where, args := "d.pull_id = ?", []any{pull}
	if before != (DocumentKey{}) {
		where, args = where+" AND ("+at+", d.no) < (?, ?)", append(args, before.Indexed, before.No)
	}
	rows, err := s.QueryContext(ctx, `SELECT d.no, d.name, d.description, d.type, d.organization, d.status, d.indexed_at, d.media_type, d.size,
			coalesce(f.id, 0), coalesce(f.patient_id, ''), coalesce(f.purpose, ''), coalesce(f.name, ''), coalesce(f.claimed_type, ''), coalesce(f.state, ''),
			coalesce(f.reason, ''), f.queued_at, f.ended_at, coalesce(f.size, 0), coalesce(f.sniffed_type, ''), coalesce(f.file, '')
		FROM (SELECT d.* FROM pull_document d WHERE `+where+` ORDER BY `+at+` DESC, d.no DESC LIMIT ?) d
		LEFT JOIN pull_document_link l ON l.document_no = d.no LEFT JOIN download f ON f.inbox_seq = l.inbox_seq AND f.place = l.place
		ORDER BY `+at+` DESC, d.no DESC, CASE f.state WHEN 'stored' THEN 0 WHEN 'fetching' THEN 1 WHEN 'queued' THEN 2 ELSE 3 END, f.id DESC`, append(args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("listing documents: %w", err)
	}
	var out []Document
	_, err = collect(rows, func(d *Document) error {
		var indexed, queued, ended sql.NullInt64
		f := &d.File
		if err := rows.Scan(&d.No, &d.Name, &d.Description, &d.Type, &d.Organization, &d.Status, &indexed, &d.MediaType, &d.Size,
			&f.ID, &f.PatientID, &f.Purpose, &f.Name, &f.ClaimedType, &f.State, &f.Reason, &queued, &ended, &f.Size, &f.SniffedType, &f.File); err != nil {
			return err
		}
		d.Indexed, f.QueuedAt, f.EndedAt = instant(indexed), instant(queued), instant(ended)
		if n := len(out); n > 0 && out[n-1].No == d.No {
			out[n-1].Others = append(out[n-1].Others, f.ID)
			return nil
		}
		out = append(out, *d)
		return nil
	})
	return out, err
}
