package db

import (
	"context"
	"fmt"
	"slices"

	"carebell/web/care"
)

// HealthNews is how an entry differs between the last whole file of a patient and the one before it.
type HealthNews int

// The kinds of news.
const (
	NewsNone    HealthNews = iota
	NewsNew                // the last file has it, the one before had not
	NewsChanged            // both have it; its status is another, or there is a newer value, fill or dose
	NewsGone               // the one before had it, the last has not
)

// settleNews decides which two files of a patient are compared, and marks every entry.
//
// Compared are whole files alone: those of finished network queries, and consolidated data that no filter narrowed. The
// last is the one whose message was sent last; the one it is compared with is the last of another request with other
// content, as the sources of one query bring the same record several times. A section of which either file held more than
// is kept is not compared.
func (tx *Tx) settleNews(ctx context.Context, patientID string) error {
	rows, err := tx.query(ctx, `SELECT `+healthFileColumns+healthFileJoins+` WHERE f.patient_id = ? AND f.record = 0 AND f.state = 'read'`, patientID) //nolint:sqlclosecheck // collect closes them
	if err != nil {
		return fmt.Errorf("comparing files: %w", err)
	}
	files, err := collect(rows, func(f *HealthFile) error { return f.scan(rows) })
	if err != nil {
		return fmt.Errorf("comparing files: %w", err)
	}
	files = slices.DeleteFunc(files, func(f HealthFile) bool { return !f.Whole || f.Note != "" })
	if len(files) == 0 {
		return nil
	}
	slices.SortFunc(files, func(a, b HealthFile) int { // the last first
		return -care.FileRef{File: a.ID, Sent: a.Sent}.Compare(care.FileRef{File: b.ID, Sent: b.Sent})
	})
	last := files[0]
	var base HealthFile
	for _, f := range files[1:] {
		sameRequest := f.RequestID != "" && f.RequestID == last.RequestID || f.InboxSeq == last.InboxSeq
		sameContent := len(f.SHA256) > 0 && string(f.SHA256) == string(last.SHA256)
		if !sameRequest && !sameContent {
			base = f
			break
		}
	}
	_, err = tx.exec(ctx, `INSERT INTO health_patient (patient_id, last_file, last_at, base_file, base_at, cut) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
		ON CONFLICT (patient_id) DO UPDATE SET last_file = ?2, last_at = ?3, base_file = ?4, base_at = ?5, cut = ?6`,
		patientID, last.ID, last.At.UnixMilli(), base.ID, max(base.At.UnixMilli(), 0), sectionWords(slices.Concat(last.Cut, base.Cut)))
	if err != nil {
		return fmt.Errorf("comparing files: %w", err)
	}
	for _, section := range care.HealthSections {
		if err := tx.markNews(ctx, patientID, section, ""); err != nil {
			return fmt.Errorf("comparing files: %w", err)
		}
	}
	return nil
}

// stateIn is what a file says of the entry e, as it is compared; NULL where the file does not have it.
func stateIn(file string) string {
	return `(SELECT max(r.state) FROM health_name a JOIN health_row r ON r.download_id = p.` + file + ` AND r.section = a.section AND r.key = a.name
		WHERE a.patient_id = e.patient_id AND a.section = e.section AND a.key = e.key)`
}

// markNews marks the entries of a section, or the one of a key, as the two files that are compared say.
func (tx *Tx) markNews(ctx context.Context, patientID string, section care.HealthSection, key string) error {
	_, err := tx.exec(ctx, `UPDATE health_entry AS u SET news = t.news FROM (
			SELECT k.key, CASE WHEN k.base_file = 0 OR instr(' ' || k.cut || ' ', ' ' || ?2 || ' ') > 0 THEN 0
				WHEN k.last IS NOT NULL AND k.base IS NULL THEN 1 WHEN k.last IS NULL AND k.base IS NOT NULL THEN 3 WHEN k.last <> k.base THEN 2 ELSE 0 END AS news
			FROM (SELECT e.key, p.base_file, p.cut, `+stateIn("last_file")+` AS last, `+stateIn("base_file")+` AS base
				FROM health_patient p JOIN health_entry e ON e.patient_id = p.patient_id AND e.section = ?2 AND (?3 = '' OR e.key = ?3) WHERE p.patient_id = ?1) k) t
		WHERE u.patient_id = ?1 AND u.section = ?2 AND u.key = t.key AND u.news <> t.news`, patientID, section, key)
	if err != nil {
		return fmt.Errorf("marking what is new: %w", err)
	}
	return nil
}
