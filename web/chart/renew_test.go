package chart_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"carebell/db"
	"carebell/web/chart"
	"carebell/web/fhir"
)

// misread is what an older version might have made of a file: other names, other facilities, things that were not there,
// and some that were and are not.
func misread(t *testing.T, d db.Download, facts []byte) []byte {
	t.Helper()
	if facts == nil {
		return nil
	}
	f, err := fhir.Decode(facts)
	if err != nil {
		t.Fatal(err)
	}
	f.Patient.Name, f.Patient.Phone, f.Patient.BirthDate, f.Patient.DeceasedAt = "Zz Misread", "999", "", fhir.Time{}
	f.Patient.Deceased = d.ID%2 == 0
	f.Exchanges, f.Remains = []string{"OLD"}, nil
	for i := range f.Encounters {
		e := &f.Encounters[i]
		e.Facility, e.VisitNumber, e.Reasons, e.Exchange = fmt.Sprint("Zz Misread Hospital ", d.ID%3), fmt.Sprint("V", d.ID%5), []string{"Zz misread"}, "OLD"
	}
	f.Dispenses, f.Reports = nil, nil
	for i := range f.Communications {
		c := &f.Communications[i]
		c.Topic, c.Sender, c.Texts, c.Recipients, c.ReplyTo = "Zz misread", "Zz misread", []string{"Zz misread"}, []string{"Zz misread"}, "zz"
	}
	out, err := f.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// ofOlderReader makes all facts those of an older reader.
func (r *records) ofOlderReader(t *testing.T) {
	t.Helper()
	d, err := sql.Open("sqlite", "file:"+filepath.Join(r.dir, db.FileName)+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if _, err := d.ExecContext(context.Background(), `UPDATE record SET reader = 0`); err != nil {
		t.Fatal(err)
	}
}

// old lists the files whose facts are of an older reader.
func (r *records) old(t *testing.T) (all []db.Download) {
	t.Helper()
	var last db.OldRecord
	for {
		var batch []db.OldRecord
		if err := r.Read(context.Background(), func(v db.Snapshot) (err error) {
			batch, err = v.OldRecords(context.Background(), last, 7)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if len(batch) == 0 {
			return all
		}
		for _, o := range batch {
			last, all = o, append(all, o.Download)
		}
	}
}

// TestReadingAgainGivesWhatAFreshReadingGives: whatever an older version read out of the stored files, once they are read
// again the chart is as if this version had read them at once, and a rebuild makes the same one.
func TestReadingAgainGivesWhatAFreshReadingGives(t *testing.T) {
	messages, files := recordStory(t)
	links := map[int64]string{}
	fresh := openRecords(t, files)
	for _, m := range messages {
		fresh.receive(t, m)
	}
	fresh.settle(t)
	want := fresh.sense(t)
	for seed := range uint64(4) {
		r := openRecords(t, files)
		r.older = true
		for _, m := range messages {
			r.receive(t, m)
		}
		for r.step(t) {
		}
		for again := true; again; {
			again = false
			for _, d := range r.waiting(t) {
				links[d.ID], again = d.URL, true
				r.store(t, d)
			}
		}
		if got := r.sense(t); !strings.Contains(got, "Zz Misread Hospital") || !strings.Contains(got, "Zz misread") || got == want {
			t.Fatal("nothing was misread")
		}
		if seed == 3 { // the chart is made again meanwhile, so far as the projector has come
			if err := r.Write(context.Background(), func(tx *db.Tx) error { return tx.DropProjections(context.Background()) }); err != nil {
				t.Fatal(err)
			}
			r.step(t)
		}
		r.ofOlderReader(t)
		old := r.old(t)
		if len(old) < 40 {
			t.Fatalf("only %d files to read again", len(old))
		}
		order := rand.New(rand.NewPCG(seed, 9))
		order.Shuffle(len(old), func(i, k int) { old[i], old[k] = old[k], old[i] })
		for _, d := range old {
			facts, _, _ := readFile(t, d, files[links[d.ID]])
			for range 2 { // the second time nothing is left to be done
				if err := r.Write(context.Background(), func(tx *db.Tx) error { return chart.RenewRecord(context.Background(), tx, d, facts) }); err != nil {
					t.Fatal(err)
				}
			}
		}
		for r.step(t) {
		}
		if got := r.sense(t); got != want {
			t.Fatalf("order %d: the chart is another one: %s", seed, firstDifference(want, got))
		}
		if left := r.old(t); len(left) > 0 {
			t.Errorf("%d files are still of an older reader", len(left))
		}
		rebuilt(t, r, fmt.Sprint("order ", seed))
		r.close(t)
	}
}
