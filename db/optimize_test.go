package db

import (
	"fmt"
	"testing"
)

// TestOptimizeKnowsLargeTablesAlone: SQLite learns how the rows of a large table are spread, and nothing of a small one, which
// may be large before it is looked at again.
func TestOptimizeKnowsLargeTablesAlone(t *testing.T) {
	d := fresh(t)
	if err := d.Optimize(t.Context()); err != nil { // there is nothing to be looked at
		t.Fatal(err)
	}
	d.mustWrite(t, func(tx *Tx) error {
		_, err := tx.exec(t.Context(), `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
			INSERT INTO patient (id, first_event_at, last_event_at) SELECT 'p-' || i, i, i FROM n`)
		if err == nil {
			_, err = tx.exec(t.Context(), `INSERT INTO facility (name) VALUES ('Sample Hospital')`)
		}
		return err
	})
	for range 2 { // the second time there are statistics already
		if err := d.Optimize(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	known := map[string]int{}
	if err := d.Read(t.Context(), func(s Snapshot) error {
		rows, err := s.QueryContext(t.Context(), `SELECT tbl, count(*) FROM sqlite_stat1 GROUP BY tbl`) //nolint:sqlclosecheck // collect closes them
		if err != nil {
			return err
		}
		_, err = collect(rows, func(n *int) error {
			var table string
			err := rows.Scan(&table, n)
			known[table] = *n
			return err
		})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if known["patient"] == 0 || len(known) != 1 {
		t.Error(fmt.Sprint("statistics of ", known, ", want those of patient alone"))
	}
}
