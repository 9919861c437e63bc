package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"carebell/web/care"
)

// HealthEntry is one thing in the summary of a patient.
type HealthEntry struct {
	care.Health // Recent is shortened
	Key         string
	Ref         string // names it in addresses
	Part        int    // care.PartCurrent, …
	Rank        int
	At          string
	News        HealthNews
	N           int // its fills, values or doses, as far as they are kept
}

// HealthTally counts the entries of one part of a section.
type HealthTally struct{ Entries, New, Changed, Gone int }

// HealthPlace names one part of a section.
type HealthPlace struct {
	Section care.HealthSection
	Part    int
}

// HealthRefs are the two whole files that are compared; zero where there are none.
type HealthRefs struct {
	Last, Base     int64
	LastAt, BaseAt time.Time
}

// WaitingFile is a whole file that is not wholly in the summary.
type WaitingFile struct {
	ID    int64
	At    time.Time // when it was sent, else came in
	State HealthState
	Note  string
}

// PatientHealth is the summary of a patient, as a page shows it.
type PatientHealth struct {
	Entries map[HealthPlace][]HealthEntry // the first of each part
	Tallies map[HealthPlace]HealthTally   // of parts that have any entry
	Refs    HealthRefs
	Files   []WaitingFile // whole files that are being read, or could not be read to their end: the latest first
	Whole   int           // how many whole files, or parts of them, are in it
	// Summaries are the latest discharge summaries.
	Summaries []NotificationWithFacts
}

const entryColumns = `e.section, e.part, e.rank, e.at, e.key, e.ref, e.news, e.n, e.detail, e.recent`

func (e *HealthEntry) scan(row interface{ Scan(...any) error }) error {
	var detail, recent []byte
	if err := row.Scan(&e.Section, &e.Part, &e.Rank, &e.At, &e.Key, &e.Ref, &e.News, &e.N, &detail, &recent); err != nil {
		return err
	}
	section := e.Section
	if err := json.Unmarshal(detail, &e.Health); err != nil {
		return err
	}
	e.Section = section
	return json.Unmarshal(recent, &e.Recent)
}

// Rows of the one statement that reads a summary.
const (
	healthTallyRow = iota
	healthEntryRow
	healthRefsRow
	healthFileRow
	healthSummaryRow
)

// PatientHealth reads the summary of a patient in one statement: of each part of a section the first few entries, and of
// discharge summaries the latest.
func (s Snapshot) PatientHealth(ctx context.Context, patientID string, few, summaries int) (PatientHealth, error) {
	p := PatientHealth{Entries: map[HealthPlace][]HealthEntry{}, Tallies: map[HealthPlace]HealthTally{}}
	rows, err := s.QueryContext(ctx, `
		SELECT `+fmt.Sprint(healthTallyRow)+` AS what, section, part, count(*) AS rank, '' AS at, '' AS key, '' AS ref, sum(news = 1) AS news, sum(news = 2) AS n, sum(news = 3) AS detail, '' AS recent
			FROM health_entry WHERE patient_id = ?1 GROUP BY section, part
		UNION ALL SELECT `+fmt.Sprint(healthEntryRow)+`, `+entryColumns+` FROM (SELECT DISTINCT section, part FROM health_entry WHERE patient_id = ?1) s
			JOIN health_entry e ON e.patient_id = ?1 AND e.section = s.section AND e.key IN (SELECT key FROM health_entry
				WHERE patient_id = ?1 AND section = s.section AND part = s.part ORDER BY rank, at DESC, key LIMIT ?2)
		UNION ALL SELECT `+fmt.Sprint(healthRefsRow)+`, '', last_file, last_at, '', '', '', base_file, base_at, '', '' FROM health_patient WHERE patient_id = ?1
		UNION ALL SELECT `+fmt.Sprint(healthFileRow)+`, f.state, f.download_id, coalesce(i.sent_at, i.received_at), '', '', '', 0, 0, f.note, ''
			FROM health_file f JOIN download d ON d.id = f.download_id JOIN inbox i ON i.seq = d.inbox_seq WHERE f.patient_id = ?1 AND f.record = 0
		UNION ALL SELECT `+fmt.Sprint(healthSummaryRow)+`, kind, id, at, '', '', '', 0, 0, facts, '' FROM (SELECT id, kind, happened_at AS at, facts FROM notification INDEXED BY notification_facts
			WHERE patient_id = ?1 AND kind = 'summary' AND facts <> '' ORDER BY at DESC, id DESC LIMIT ?3)
		ORDER BY what, section, part, rank, at DESC, key`, patientID, few, summaries)
	if err != nil {
		return p, fmt.Errorf("reading a summary: %w", err)
	}
	_, err = collect(rows, func(*struct{}) error { return p.take(rows) })
	if err != nil {
		return p, fmt.Errorf("reading a summary: %w", err)
	}
	return p, nil
}

// take reads one row of the statement.
func (p *PatientHealth) take(rows *sql.Rows) error {
	var what, part, rank, news, n int64
	var section, at, key, ref string
	var detail, recent []byte
	if err := rows.Scan(&what, &section, &part, &rank, &at, &key, &ref, &news, &n, &detail, &recent); err != nil {
		return err
	}
	place := HealthPlace{care.HealthSection(section), int(part)}
	switch what {
	case healthTallyRow:
		var gone int
		if _, err := fmt.Sscan(string(detail), &gone); err != nil {
			return err
		}
		p.Tallies[place] = HealthTally{Entries: int(rank), New: int(news), Changed: int(n), Gone: gone}
	case healthEntryRow:
		e := HealthEntry{Key: key, Ref: ref, Part: int(part), Rank: int(rank), At: at, News: HealthNews(news), N: int(n)}
		if err := json.Unmarshal(detail, &e.Health); err != nil {
			return err
		}
		e.Section = place.Section
		if err := json.Unmarshal(recent, &e.Recent); err != nil {
			return err
		}
		p.Entries[place] = append(p.Entries[place], e)
	case healthRefsRow:
		p.Refs = HealthRefs{Last: part, LastAt: time.UnixMilli(rank).UTC(), Base: news}
		if news != 0 {
			p.Refs.BaseAt = time.UnixMilli(n).UTC()
		}
	case healthFileRow:
		state := HealthState(section)
		if state == HealthRead || state == HealthFolding {
			p.Whole++
		}
		if state != HealthRead || len(detail) > 0 {
			p.Files = append(p.Files, WaitingFile{ID: part, At: time.UnixMilli(rank).UTC(), State: state, Note: string(detail)})
		}
	case healthSummaryRow:
		x := NotificationWithFacts{ID: part, Kind: care.Kind(section), At: time.UnixMilli(rank).UTC()}
		p.Summaries = append(p.Summaries, x)
		return json.Unmarshal(detail, &p.Summaries[len(p.Summaries)-1].Facts)
	}
	return nil
}

// HealthList lists the entries of one part of a section. only is the kind of news that they must have, NewsNone for any;
// after is the entry that the page before ended with, nil from the top.
func (s Snapshot) HealthList(ctx context.Context, patientID string, place HealthPlace, only HealthNews, after *HealthEntry, limit int) ([]HealthEntry, error) {
	where, args := "e.patient_id = ? AND e.section = ? AND e.part = ?", []any{patientID, place.Section, place.Part}
	if only != NewsNone {
		where, args = where+" AND e.news = ?", append(args, only)
	}
	if after != nil {
		where += ` AND (e.rank > ? OR e.rank = ? AND (e.at < ? OR e.at = ? AND e.key > ?))`
		args = append(args, after.Rank, after.Rank, after.At, after.At, after.Key)
	}
	rows, err := s.QueryContext(ctx, `SELECT `+entryColumns+` FROM health_entry e WHERE `+where+` ORDER BY e.rank, e.at DESC, e.key LIMIT ?`, append(args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("listing a section of a summary: %w", err)
	}
	return collect(rows, func(e *HealthEntry) error { return e.scan(rows) })
}

// HealthTallies counts the entries of a patient by section and part, and names the files that are compared.
func (s Snapshot) HealthTallies(ctx context.Context, patientID string) (map[HealthPlace]HealthTally, HealthRefs, error) {
	p, err := s.PatientHealth(ctx, patientID, 0, 0)
	return p.Tallies, p.Refs, err
}

// HealthThing returns one entry by its Ref, or sql.ErrNoRows.
func (s Snapshot) HealthThing(ctx context.Context, patientID string, section care.HealthSection, ref string) (HealthEntry, error) {
	var e HealthEntry
	err := e.scan(s.QueryRowContext(ctx, `SELECT `+entryColumns+` FROM health_entry e WHERE e.patient_id = ? AND e.section = ? AND e.ref = ?`, patientID, section, ref))
	return e, err
}

// HealthEvents lists the fills, values or doses of a thing, the newest first, but for the first skip.
func (s Snapshot) HealthEvents(ctx context.Context, patientID string, e HealthEntry, skip, limit int) ([]care.Said, error) {
	rows, err := s.QueryContext(ctx, `SELECT sent, download_id, detail FROM health_event WHERE patient_id = ? AND section = ? AND key = ? ORDER BY event DESC LIMIT ? OFFSET ?`,
		patientID, e.Section, e.Key, limit, skip)
	if err != nil {
		return nil, fmt.Errorf("listing events: %w", err)
	}
	return collect(rows, func(v *care.Said) error { return scanEvent(rows, v) })
}
