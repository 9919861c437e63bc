package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"carebell/db"
	"carebell/web/fhir"
)

// facts are what the chart has of each stored file, and which reader read them.
func (r *running) facts() (out []string) {
	r.t.Helper()
	r.read(func(v db.Snapshot) error {
		rows, err := v.QueryContext(r.t.Context(), `SELECT d.name || ' ' || r.facts || iif(r.reader < ?, ' old', '') FROM record r JOIN download d ON d.id = r.download_id ORDER BY d.id`, fhir.ReaderVersion)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				return err
			}
			out = append(out, line)
		}
		return rows.Err()
	})
	return out
}

// older makes the stored facts those of an older version.
func (r *running) older() {
	r.t.Helper()
	d, err := sql.Open("sqlite", "file:"+filepath.Join(r.dir, db.FileName)+"?_pragma=busy_timeout(10000)")
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if _, err := d.ExecContext(r.t.Context(), `UPDATE record SET reader = 0`); err != nil {
		r.t.Fatal(err)
	}
}

// TestWhatAnOlderVersionReadIsReadAgain: each stored file once, those that are gone or cannot be read keep their old
// facts, what was done stays done after a restart, and meanwhile files are fetched.
func TestWhatAnOlderVersionReadIsReadAgain(t *testing.T) {
	var version, renewed atomic.Int64
	var stop atomic.Pointer[context.CancelFunc]
	r := start(t, http.HandlerFunc(echo), func(_ *running, o *Options) {
		o.Read = func(d db.Download, content io.Reader) ([]byte, error) {
			if b, err := io.ReadAll(content); err != nil || string(b) != "content of "+d.Name {
				return nil, fmt.Errorf("read %q, %w", b, err)
			}
			if version.Load() > 0 && d.Name == "/unreadable" {
				return nil, errors.New("not valid JSON")
			}
			return fmt.Appendf(nil, `{"version":%d}`, version.Load()), nil
		}
		o.Renew = func(ctx context.Context, tx *db.Tx, d db.Download, facts []byte) error {
			if d.Name == "/does-not-fit" {
				return errors.New("does not fit")
			}
			if _, err := tx.RenewRecord(ctx, d.ID, facts); err != nil {
				return err
			}
			if renewed.Add(1) == 2 {
				(*stop.Load())()
			}
			return nil
		}
	})
	names := []string{"/a", "/gone", "/unreadable", "/b", "/does-not-fit", "/c", "/d"}
	for _, id := range r.add(time.Minute, names...) {
		r.ends(id, db.FetchStored)
	}
	if err := r.vault.Remove(r.get(2).File); err != nil {
		t.Fatal(err)
	}
	if err := r.db.Write(t.Context(), func(tx *db.Tx) error {
		d := r.get(2)
		d.State = db.FetchRemoved
		return tx.EndDownload(t.Context(), d)
	}); err != nil {
		t.Fatal(err)
	}
	r.older()
	version.Store(1)

	ctx, cancel := context.WithCancel(t.Context())
	stop.Store(&cancel)
	r.reread(ctx) // the process ends while the second file is written
	want := []string{`/a {"version":1}`, `/gone {"version":0} old`, `/unreadable {"version":0} old`, `/b {"version":0} old`, `/does-not-fit {"version":0} old`, `/c {"version":0} old`, `/d {"version":0} old`}
	if got := r.facts(); !slices.Equal(got, want) && got[3] != `/b {"version":1}` {
		t.Fatalf("after the restart the facts are %q", got)
	}
	fetched := r.add(time.Minute, "/new")[0]
	r.reread(t.Context())
	r.ends(fetched, db.FetchStored)
	want = []string{`/a {"version":1}`, `/gone {"version":0} old`, `/unreadable {"version":0} old`, `/b {"version":1}`, `/does-not-fit {"version":0} old`, `/c {"version":1}`, `/d {"version":1}`, `/new {"version":1}`}
	if got := r.facts(); !slices.Equal(got, want) {
		t.Errorf("the facts are\n%q\nwant\n%q", got, want)
	}
	before := renewed.Load()
	if r.reread(t.Context()); renewed.Load() != before {
		t.Error("what was read again was read once more")
	}
}

// TestReadingAgainBeginsByItself: at a start, without anybody asking.
func TestReadingAgainBeginsByItself(t *testing.T) {
	r := start(t, http.HandlerFunc(echo), nil)
	id := r.add(time.Minute, "/a")[0]
	r.ends(id, db.FetchStored)
	r.older()
	o := Options{
		Vault: r.vault, Fetcher: r.fetcher, Now: r.now, Log: r.log,
		Read:  func(db.Download, io.Reader) ([]byte, error) { return []byte(`{"again":true}`), nil },
		Apply: func(context.Context, *db.Tx, db.Download, []byte) error { return nil },
		Renew: func(ctx context.Context, tx *db.Tx, d db.Download, facts []byte) error {
			_, err := tx.RenewRecord(ctx, d.ID, facts)
			return err
		},
	}
	next := New(r.db, o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- next.Run(ctx) }()
	for until := time.Now().Add(time.Minute); !slices.Equal(r.facts(), []string{`/a {"again":true}`}); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("the facts are %q", r.facts())
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
