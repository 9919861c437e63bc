package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// Kinds of things that are found by words, beside patients. Whoever adds one says in web/search.go where it leads.
const (
	SearchFacility = "facility" // key: its name
	SearchIdentity = "identity" // key: the proofing's number
	SearchMessage  = "message"  // key: the number of a message that came in
	SearchSent     = "sent"     // key: the number of a message that the practice sent
	SearchImport   = "import"   // key: the job's id
	SearchSubject  = "subject"  // key: the name of a drug or a test, as records give it
)

// Index makes a thing findable by words: a new one, or one that is named by other words now. The first line of words is
// what people see of it, the others are only searched. patientID is "" where it is about nobody.
func (tx *Tx) Index(ctx context.Context, kind, key, patientID, words string) error {
	if plain := fold(words); plain != strings.ToLower(words) {
		words += "\n" + plain // what is typed without accents finds it, too
	}
	var no int64
	err := tx.row(ctx, `INSERT INTO search_entry (kind, key, patient_id) VALUES (?1, ?2, ?3)
		ON CONFLICT (kind, key) DO UPDATE SET patient_id = ?3 RETURNING no`, kind, key, patientID).Scan(&no)
	if err != nil {
		return fmt.Errorf("indexing a %s: %w", kind, err)
	}
	var old string
	err = tx.row(ctx, `SELECT words FROM search_words WHERE rowid = ?`, no).Scan(&old)
	switch {
	case err == nil && old == words:
		return nil
	case err == nil:
		_, err = tx.exec(ctx, `UPDATE search_words SET words = ? WHERE rowid = ?`, words, no)
	case errors.Is(err, sql.ErrNoRows):
		_, err = tx.exec(ctx, `INSERT INTO search_words (rowid, kind, words) VALUES (?, ?, ?)`, no, kindWord(kind), words)
	}
	if err != nil {
		return fmt.Errorf("indexing a %s: %w", kind, err)
	}
	return nil
}

// Unindex makes a thing no longer findable.
func (tx *Tx) Unindex(ctx context.Context, kind, key string) error {
	var no int64
	err := tx.row(ctx, `DELETE FROM search_entry WHERE kind = ? AND key = ? RETURNING no`, kind, key).Scan(&no)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		_, err = tx.exec(ctx, `DELETE FROM search_words WHERE rowid = ?`, no)
	}
	if err != nil {
		return fmt.Errorf("dropping a %s from the index: %w", kind, err)
	}
	return nil
}

// kindWord is a kind as it stands in the index: no part of another one.
func kindWord(kind string) string { return "/" + kind + "/" }

// Hit is a thing that was found.
type Hit struct {
	Key     string
	Words   string
	Patient Patient // only ID, ExternalID, Name, BirthDate; ID "" = about nobody
}

// Search lists the things of a kind whose words hold every word of text, those indexed last first. It finds nothing for
// a text without a word of three characters.
func (s Snapshot) Search(ctx context.Context, kind, text string, limit int) ([]Hit, error) {
	match, args, ok := entryMatch(kind, text)
	if !ok {
		return nil, nil
	}
	rows, err := s.QueryContext(ctx, `SELECT e.key, substr(w.words, 1, 1000), e.patient_id, coalesce(p.external_id, ''), coalesce(p.name, ''), coalesce(p.birth_date, '')
		FROM (SELECT rowid AS no, words FROM search_words WHERE `+match+` ORDER BY rowid DESC LIMIT ?) w
			CROSS JOIN search_entry e ON e.no = w.no LEFT JOIN patient p ON p.id = e.patient_id AND e.patient_id <> ''
		ORDER BY w.no DESC`, append(args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("searching: %w", err)
	}
	return collect(rows, func(h *Hit) error {
		return rows.Scan(&h.Key, &h.Words, &h.Patient.ID, &h.Patient.ExternalID, &h.Patient.Name, &h.Patient.BirthDate)
	})
}

// entryMatch is a condition on search_words for the things of a kind that hold every word of text; false where no word
// is long enough to be looked for.
func entryMatch(kind, text string) (where string, args []any, ok bool) {
	match, like := byWords(text, "words")
	if match == "" {
		return "", nil, false
	}
	where = strings.Join(append([]string{"search_words MATCH ?"}, like.clauses...), " AND ")
	return where, append([]any{`kind : "` + kindWord(kind) + `" AND words : (` + match + `)`}, like.args...), true
}

// RequestHit is a request by its id, as the inbox knows it.
type RequestHit struct {
	RequestID string
	Messages  int // that carry it
	Type      string
}

// SearchRequests lists the requests whose id begins with text, which must be long enough to mean one.
func (s Snapshot) SearchRequests(ctx context.Context, text string, limit int) ([]RequestHit, error) {
	if len(text) < shortID {
		return nil, nil
	}
	rows, err := s.QueryContext(ctx, `SELECT request_id, count(*), max(type) FROM inbox WHERE request_id <> '' AND request_id >= ? AND request_id < ?
		GROUP BY request_id ORDER BY request_id LIMIT ?`, text, text+"\U0010FFFF", limit)
	if err != nil {
		return nil, fmt.Errorf("searching requests: %w", err)
	}
	return collect(rows, func(r *RequestHit) error { return rows.Scan(&r.RequestID, &r.Messages, &r.Type) })
}
