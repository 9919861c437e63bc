package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Field is a field by its name. Cut says that the message itself has more of it.
type Field struct {
	Name string `json:"name"`
	Text string `json:"text"`
	Cut  bool   `json:"cut,omitempty"`
}

// Proofing is one finished identity proofing.
type Proofing struct {
	ID         int64 // the number of its message
	MessageID  string
	RequestID  string
	PatientID  string // "" where the message names nobody
	ProofedID  string // proofedIdentityId; "" where not sent
	SessionID  string
	SentAt     time.Time // zero where not sent
	ReceivedAt time.Time
	Data       []Field // what the caller of the API passed
	Fields     []Field // every other field
	Times      int     // proofings of the same patient or with the same ProofedID, this one included

	Patient Patient // only ID, ExternalID, Name, BirthDate
}

// SaveProofing puts a proofing into the chart, or brings it up to date, and numbers the change.
func (tx *Tx) SaveProofing(ctx context.Context, p Proofing) error {
	data, err := json.Marshal(p.Data)
	if err != nil {
		return err
	}
	fields, err := json.Marshal(p.Fields)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, `INSERT INTO identity (id, message_id, request_id, patient_id, proofed_id, session_id, sent_at, received_at, data, fields)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
		ON CONFLICT (id) DO UPDATE SET patient_id = ?4, proofed_id = ?5, session_id = ?6, sent_at = ?7, data = ?9, fields = ?10`,
		p.ID, p.MessageID, p.RequestID, p.PatientID, p.ProofedID, p.SessionID, millis(p.SentAt), millis(p.ReceivedAt), string(data), string(fields))
	if err != nil {
		return fmt.Errorf("saving a proofing: %w", err)
	}
	key := strconv.FormatInt(p.ID, 10)
	if err := tx.Index(ctx, SearchIdentity, key, p.PatientID, strings.Join([]string{p.ProofedID, p.SessionID, p.RequestID}, "\n")); err != nil {
		return err
	}
	// Those of the same person show how many there are.
	const latest = 50
	rows, err := tx.query(ctx, `SELECT id, patient_id FROM (SELECT id, patient_id FROM identity WHERE patient_id = ?1 AND patient_id <> ''
			UNION SELECT id, patient_id FROM identity WHERE proofed_id = ?2 AND proofed_id <> '') WHERE id <> ?3 ORDER BY id DESC LIMIT ?4`,
		p.PatientID, p.ProofedID, p.ID, latest)
	if err != nil {
		return fmt.Errorf("looking for earlier proofings: %w", err)
	}
	changes, err := collect(rows, func(c *Change) error { return rows.Scan(&c.Item, &c.PatientID) })
	if err != nil {
		return fmt.Errorf("looking for earlier proofings: %w", err)
	}
	for _, c := range append(changes, Change{Item: p.ID, PatientID: p.PatientID}) {
		if err := tx.changedItem(ctx, TopicIdentities, c.Item, c.PatientID); err != nil {
			return err
		}
	}
	return nil
}

// ProofingFilter narrows the list of proofings. Rows come newest arrival first.
type ProofingFilter struct {
	Text      string // part of a patient's name or id, of a proofed identity id, a session id or a request id
	PatientID string // "" = all
	Nobody    bool   // only those that name nobody
	Again     bool   // only those of people who were proofed more than once
	Before    int64  // only numbers below; 0 = from the top
	IDs       []int64
	Limit     int
	Reach     int // look at no more than about so many; 0 = at all
}

// Within implements [ListFilter].
func (f ProofingFilter) Within(w Window) ProofingFilter {
	f.Before, f.IDs, f.Limit, f.Reach = w.Before, w.IDs, w.Limit, w.Reach
	return f
}

const sameProofing = `((s.patient_id = i.patient_id AND s.patient_id <> '') OR (s.proofed_id = i.proofed_id AND s.proofed_id <> '') OR s.id = i.id)`

const proofingColumns = `i.id, i.message_id, i.request_id, i.patient_id, i.proofed_id, i.session_id, i.sent_at, i.received_at, i.data, i.fields,
	(SELECT count(*) FROM identity s WHERE ` + sameProofing + `), coalesce(p.external_id, ''), coalesce(p.name, ''), coalesce(p.birth_date, '')`

// Proofings lists the proofings that fit f.
func (s Snapshot) Proofings(ctx context.Context, f ProofingFilter) ([]Proofing, error) {
	list, _, err := s.ProofingPage(ctx, f)
	return list, err
}

// ProofingPage lists the proofings that fit f, and says where the list goes on that was not searched to its end.
func (s Snapshot) ProofingPage(ctx context.Context, f ProofingFilter) ([]Proofing, Rest, error) {
	w, err := f.walk(ctx, s)
	if err != nil {
		return nil, Rest{}, err
	}
	rest, err := s.bound(ctx, &w, f.Reach)
	if err != nil {
		return nil, rest, err
	}
	where, args := w.where()
	list, err := s.proofings(ctx, w.source(), where+" ORDER BY i.id DESC LIMIT ?", append(args, f.Limit)...)
	return list, rest.after(len(list), f.Limit), err
}

// walk chooses the index that f is answered by. What it does not answer is tested row by row.
func (f ProofingFilter) walk(ctx context.Context, s Snapshot) (walk, error) {
	w := walk{from: "identity i", id: "i.id", at: "i.received_at"}
	chosen := false
	if f.Text != "" && f.IDs == nil {
		either, args, err := s.proofingsByText(ctx, f.Text)
		if err != nil {
			return w, err
		}
		if chosen = either != ""; chosen {
			w.along.add(either, args...)
			w.short = true
		}
	}
	switch {
	case f.IDs != nil:
		if err := w.along.among("i.id", f.IDs); err != nil {
			return w, err
		}
		w.short = true
	case !chosen && f.PatientID != "":
		w.from += " INDEXED BY identity_patient"
		w.along.add("i.patient_id = ? AND i.patient_id <> ''", f.PatientID)
		w.short = true
	case !chosen && f.Nobody:
		w.from += " INDEXED BY identity_nobody"
		w.along.add("i.patient_id = ''")
	}
	if f.IDs != nil || chosen {
		if f.PatientID != "" {
			w.tests.add("i.patient_id = ?", f.PatientID)
		}
		if f.Nobody {
			w.tests.add("i.patient_id = ''")
		}
	}
	if f.Again {
		w.tests.add("EXISTS (SELECT 1 FROM identity s WHERE " + sameProofing + " AND s.id <> i.id)")
	}
	if f.Text != "" && !chosen {
		about, args := aboutPatient("i.patient_id", f.Text)
		holds, more := holdsWords("search_words", "e.no", f.Text)
		w.tests.add("("+about+" OR EXISTS (SELECT 1 FROM search_entry e INDEXED BY sqlite_autoindex_search_entry_1 WHERE e.kind = ? AND e.key = CAST(i.id AS TEXT) AND "+holds+"))",
			append(append(args, SearchIdentity), more...)...)
	}
	if f.Before > 0 {
		w.along.add("i.id < ?", f.Before)
	}
	return w, nil
}

// proofingsByText is a condition for the proofings that a text means, where they are few; else "".
func (s Snapshot) proofingsByText(ctx context.Context, text string) (string, []any, error) {
	patients, ok, err := s.people(ctx, text)
	if err != nil || !ok {
		return "", nil, err
	}
	who, err := json.Marshal(patients)
	if err != nil {
		return "", nil, err
	}
	either, args := "SELECT id FROM identity WHERE patient_id IN (SELECT value FROM json_each(?)) AND patient_id <> ''", []any{string(who)}
	if words, wordArgs, ok := entryMatch(SearchIdentity, text); ok {
		var n int
		if err := s.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM search_words WHERE "+words+" LIMIT ?)", append(wordArgs, few*few)...).Scan(&n); err != nil {
			return "", nil, fmt.Errorf("looking for proofings: %w", err)
		}
		if n == few*few {
			return "", nil, nil
		}
		either += " UNION SELECT CAST(e.key AS INTEGER) FROM (SELECT rowid AS no FROM search_words WHERE " + words + ") w CROSS JOIN search_entry e ON e.no = w.no"
		args = append(args, wordArgs...)
	}
	return "i.id IN (" + either + ")", args, nil
}

// ProofingHistory lists a proofing and all others of the same patient or with the same proofed identity id, the one that
// was sent last first.
func (s Snapshot) ProofingHistory(ctx context.Context, id int64, limit int) ([]Proofing, error) {
	return s.proofings(ctx, "identity i", `i.id IN (SELECT s.id FROM identity i CROSS JOIN identity s ON `+sameProofing+` WHERE i.id = ?)
		ORDER BY coalesce(i.sent_at, i.received_at) DESC, i.message_id DESC LIMIT ?`, id, limit)
}

func (s Snapshot) proofings(ctx context.Context, from, where string, args ...any) ([]Proofing, error) {
	rows, err := s.QueryContext(ctx, `SELECT `+proofingColumns+` FROM `+from+` LEFT JOIN patient p ON p.id = i.patient_id AND i.patient_id <> '' WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("listing proofings: %w", err)
	}
	return collect(rows, func(p *Proofing) error {
		var sent, received sql.NullInt64
		var data, fields string
		err := rows.Scan(&p.ID, &p.MessageID, &p.RequestID, &p.PatientID, &p.ProofedID, &p.SessionID, &sent, &received, &data, &fields,
			&p.Times, &p.Patient.ExternalID, &p.Patient.Name, &p.Patient.BirthDate)
		if err != nil {
			return err
		}
		p.SentAt, p.ReceivedAt, p.Patient.ID = instant(sent), instant(received), p.PatientID
		if err := json.Unmarshal([]byte(data), &p.Data); err != nil {
			return err
		}
		return json.Unmarshal([]byte(fields), &p.Fields)
	})
}
