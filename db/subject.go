package db

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"carebell/web/care"
)

// Bounds of the names by which a notification is found.
const (
	mostSubjects    = 60
	longestSubject  = 300 // bytes
	selectSubjectOf = `SELECT name FROM notification_subject WHERE notification_id = ?`
)

// subjectsOf are the drugs and tests that a record names, sorted.
func subjectsOf(f care.Facts) []string {
	var out []string
	add := func(name string) {
		if name = strings.Join(strings.Fields(name), " "); name != "" && len(name) <= longestSubject {
			out = append(out, name)
		}
	}
	for _, fill := range f.Fills {
		add(fill.Drug)
	}
	for _, panel := range f.Panels {
		add(panel.Name)
		for _, r := range panel.Results {
			add(r.Name)
		}
	}
	out = out[:min(len(out), mostSubjects)]
	slices.Sort(out)
	return slices.Compact(out)
}

// saveSubjects makes a notification findable by the drugs and tests that its record names, and by no others.
func (tx *Tx) saveSubjects(ctx context.Context, n NotificationFacts) error {
	var facts care.Facts
	if err := json.Unmarshal(n.Facts, &facts); err != nil {
		return fmt.Errorf("reading what a record names: %w", err)
	}
	rows, err := tx.query(ctx, selectSubjectOf, n.ID) //nolint:sqlclosecheck // collect closes them
	if err != nil {
		return fmt.Errorf("looking for what a record names: %w", err)
	}
	old, err := collect(rows, func(name *string) error { return rows.Scan(name) })
	if err != nil {
		return fmt.Errorf("looking for what a record names: %w", err)
	}
	now := subjectsOf(facts)
	for _, name := range now {
		if slices.Contains(old, name) {
			continue
		}
		if _, err := tx.exec(ctx, `INSERT INTO notification_subject (notification_id, name) VALUES (?, ?)`, n.ID, name); err != nil {
			return fmt.Errorf("saving what a record names: %w", err)
		}
		var known bool
		if err := tx.row(ctx, `SELECT EXISTS (SELECT 1 FROM search_entry WHERE kind = ? AND key = ?)`, SearchSubject, name).Scan(&known); err != nil {
			return fmt.Errorf("saving what a record names: %w", err)
		}
		if !known {
			if err := tx.Index(ctx, SearchSubject, name, "", name); err != nil {
				return err
			}
		}
	}
	for _, name := range old {
		if slices.Contains(now, name) {
			continue
		}
		if _, err := tx.exec(ctx, `DELETE FROM notification_subject WHERE notification_id = ? AND name = ?`, n.ID, name); err != nil {
			return fmt.Errorf("forgetting what a record named: %w", err)
		}
		if err := tx.dropSubject(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// forgetSubjects forgets what the records of notifications first to last name.
func (tx *Tx) forgetSubjects(ctx context.Context, first, last int64) error {
	//nolint:sqlclosecheck // collect closes them
	rows, err := tx.query(ctx, `DELETE FROM notification_subject WHERE notification_id BETWEEN ? AND ? RETURNING name`, first, last)
	if err != nil {
		return fmt.Errorf("forgetting what a record named: %w", err)
	}
	names, err := collect(rows, func(name *string) error { return rows.Scan(name) })
	if err != nil {
		return fmt.Errorf("forgetting what a record named: %w", err)
	}
	for _, name := range names {
		if err := tx.dropSubject(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// dropSubject takes a name from among those that can be found, where no record gives it any more.
func (tx *Tx) dropSubject(ctx context.Context, name string) error {
	var used bool
	if err := tx.row(ctx, `SELECT EXISTS (SELECT 1 FROM notification_subject WHERE name = ?)`, name).Scan(&used); err != nil {
		return fmt.Errorf("looking for what records name: %w", err)
	}
	if used {
		return nil
	}
	return tx.Unindex(ctx, SearchSubject, name)
}

// subjects lists the drugs and tests that a text means, up to one more than a few.
func (s Snapshot) subjects(ctx context.Context, text string) ([]string, error) {
	match, args, ok := entryMatch(SearchSubject, text)
	if !ok {
		return nil, nil
	}
	//nolint:sqlclosecheck // collect closes them
	rows, err := s.QueryContext(ctx, `SELECT e.key FROM (SELECT rowid AS no FROM search_words WHERE `+match+` LIMIT ?) w CROSS JOIN search_entry e ON e.no = w.no`, append(args, few+1)...)
	if err != nil {
		return nil, fmt.Errorf("looking for drugs and tests: %w", err)
	}
	return collect(rows, func(name *string) error { return rows.Scan(name) })
}
