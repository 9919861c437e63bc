package db

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"carebell/web/care"
)

// TestFilesOfAnEarlierVersionAreQueued runs what the migration does at the first start of this version.
func TestFilesOfAnEarlierVersionAreQueued(t *testing.T) {
	d := fresh(t)
	in, err := d.OpenInbox(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, err := in.Append(t.Context(), Received{MessageID: "m", Type: "x", KeyID: "k", Body: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
	files := []struct {
		purpose Purpose
		sniffed string
		state   Fetch
		patient string
		queued  bool
	}{
		{PurposeConsolidated, "application/json", FetchStored, "p", true}, {PurposeConsolidated, "application/x-gzip", FetchStored, "p", true},
		{PurposeConsolidated, "application/pdf", FetchStored, "p", false}, {PurposeConsolidated, "application/json", FetchRemoved, "p", false},
		{PurposeConsolidated, "application/json", FetchStored, "", false}, {PurposePharmacy, "application/json", FetchStored, "p", true},
		{PurposeLab, "application/json", FetchRemoved, "p", true}, {PurposeLab, "", FetchQueued, "p", false}, {PurposeADT, "application/json", FetchStored, "p", false},
		{PurposeDocument, "application/json", FetchStored, "p", false},
	}
	migration, err := migrations.ReadFile("migrations/00011_health.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, insert, found := strings.Cut(string(migration), "-- What is stored already is read when this version starts.\n")
	if !found {
		t.Fatal("the migration queues nothing")
	}
	var want, got []string
	d.mustWrite(t, func(tx *Tx) error {
		for i, f := range files {
			_, err := tx.exec(t.Context(), `INSERT INTO download (inbox_seq, place, patient_id, purpose, name, url, expires_at, queued_at, state, sniffed_type) VALUES (1, ?, ?, ?, 'n', '', 0, 0, ?, ?)`,
				fmt.Sprint("/", i), f.patient, f.purpose, f.state, f.sniffed)
			if err != nil {
				return err
			}
			if f.queued {
				want = append(want, fmt.Sprint(i+1, f.purpose != PurposeConsolidated))
			}
		}
		_, err := tx.exec(t.Context(), strings.TrimSuffix(strings.TrimSpace(insert), ";"))
		return err
	})
	if err := d.Read(t.Context(), func(s Snapshot) error {
		rows, err := s.QueryContext(t.Context(), `SELECT download_id, record FROM health_file WHERE state = 'waiting' ORDER BY 1`) //nolint:sqlclosecheck // collect closes them
		if err != nil {
			return err
		}
		_, err = collect(rows, func(*struct{}) error {
			var id int
			var record bool
			err := rows.Scan(&id, &record)
			got = append(got, fmt.Sprint(id, record))
			return err
		})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("queued are %v, want %v", got, want)
	}
	// What is stored from now on is queued by the same rule.
	for i, f := range files {
		if _, ok := (Download{PatientID: f.patient, Purpose: f.purpose, SniffedType: f.sniffed}).health(); f.state == FetchStored && ok != f.queued {
			t.Errorf("file %d is queued %v when it comes, and %v by the migration", i+1, ok, f.queued)
		}
	}
}

// TestTheAddressOfAThingSaysNothingOfIt, and is the same after every rebuild.
func TestTheAddressOfAThingSaysNothingOfIt(t *testing.T) {
	ref := healthRef(care.SectionProblems, "words:hiv disease")
	if len(ref) != 16 || strings.Contains(ref, "hiv") || ref != healthRef(care.SectionProblems, "words:hiv disease") || ref == healthRef(care.SectionAllergies, "words:hiv disease") {
		t.Errorf("the address is %s", ref)
	}
}
