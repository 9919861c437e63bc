package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func still() time.Time { return noon }

func openDir(t testing.TB, dir string, serve bool) *DB {
	t.Helper()
	d, err := Open(context.Background(), dir, Options{Now: still, Serve: serve})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// fresh is an open data folder that is closed when the test ends.
func fresh(t testing.TB) *DB {
	t.Helper()
	d := openDir(t, t.TempDir(), true)
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func (d *DB) mustWrite(t testing.TB, f func(tx *Tx) error) {
	t.Helper()
	if err := d.Write(context.Background(), f); err != nil {
		t.Fatal(err)
	}
}

// number asks for one number.
func (d *DB) number(t testing.TB, query string, args ...any) (n int64) {
	t.Helper()
	if err := d.Read(context.Background(), func(s Snapshot) error { return s.QueryRowContext(context.Background(), query, args...).Scan(&n) }); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// TestPragmasHold on the writer and on every reader: a typo in a DSN is silently accepted, so they are read back.
func TestPragmasHold(t *testing.T) {
	d := fresh(t)
	want := map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "10000"}
	d.mustWrite(t, func(tx *Tx) error {
		for name, value := range want {
			var got string
			if err := tx.row(t.Context(), "PRAGMA "+name).Scan(&got); err != nil || got != value {
				t.Errorf("the writer has %s=%s (%v), want %s", name, got, err, value)
			}
		}
		var only string
		if err := tx.row(t.Context(), "PRAGMA query_only").Scan(&only); err != nil || only != "0" {
			t.Errorf("the writer has query_only=%s (%v)", only, err)
		}
		return nil
	})
	want["query_only"] = "1"
	const readers = 8
	var wg sync.WaitGroup
	all := make(chan struct{})
	var here atomic.Int64
	for range readers {
		wg.Go(func() {
			err := d.Read(t.Context(), func(s Snapshot) error {
				if here.Add(1) == readers {
					close(all)
				}
				<-all // every one on a connection of its own
				for name, value := range want {
					var got string
					if err := s.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&got); err != nil || got != value {
						t.Errorf("a reader has %s=%s (%v), want %s", name, got, err, value)
					}
				}
				var name string
				err := s.QueryRowContext(t.Context(), "INSERT INTO setting (name, value) VALUES ('x', 'y') RETURNING name").Scan(&name)
				if err == nil {
					t.Error("a reader can write")
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var version string
	if err := d.Read(t.Context(), func(s Snapshot) error {
		return s.QueryRowContext(t.Context(), "SELECT sqlite_version()").Scan(&version)
	}); err != nil || version < "3.51.3" {
		t.Errorf("SQLite is %s (%v)", version, err)
	}
}

// TestLibcIsTheOneThatSQLitePins: modernc.org/sqlite is generated for one version of modernc.org/libc and damages memory
// with another. A `go get -u` would raise it.
func TestLibcIsTheOneThatSQLitePins(t *testing.T) {
	module := func(path string) (m struct{ Version, GoMod string }) {
		out, err := exec.Command("go", "list", "-m", "-json", path).Output()
		if err == nil {
			err = json.Unmarshal(out, &m)
		}
		if err != nil {
			t.Fatalf("go list -m %s: %v", path, err)
		}
		return m
	}
	b, err := os.ReadFile(module("modernc.org/sqlite").GoMod)
	if err != nil {
		t.Fatal(err)
	}
	pinned := regexp.MustCompile(`(?m)^\s*(?:require\s+)?modernc\.org/libc\s+(v\S+)`).FindSubmatch(b)
	if pinned == nil {
		t.Fatalf("modernc.org/sqlite names no libc:\n%s", b)
	}
	if got := module("modernc.org/libc").Version; got != string(pinned[1]) {
		t.Errorf("modernc.org/libc is %s, and modernc.org/sqlite pins %s: go get modernc.org/libc@%s", got, pinned[1], pinned[1])
	}
}

// TestTablesAreStrict: a text in a column of numbers is an error, not a surprise.
func TestTablesAreStrict(t *testing.T) {
	d := fresh(t)
	tables := 0
	err := d.Read(t.Context(), func(s Snapshot) error {
		rows, err := s.QueryContext(t.Context(), `SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name <> 'goose_db_version'`)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var name string
			var strict bool
			if err := rows.Scan(&name, &strict); err != nil {
				return err
			}
			if tables++; !strict {
				t.Errorf("table %s is not STRICT", name)
			}
		}
		return rows.Err()
	})
	if err != nil || tables < 12 {
		t.Errorf("%d tables, %v", tables, err)
	}
}

// TestInboxIsAppendOnly, by the database itself.
func TestInboxIsAppendOnly(t *testing.T) {
	d := fresh(t)
	in := inboxOf(t, d)
	appendOne(t, in, "a", "body")
	appendOne(t, in, "a", "another body")
	for _, query := range []string{
		"UPDATE inbox SET type = 'x'", "UPDATE inbox SET body = x'00'", "DELETE FROM inbox", "UPDATE inbox_repeat SET differs = 0", "DELETE FROM inbox_repeat",
	} {
		err := d.Write(t.Context(), func(tx *Tx) error {
			_, err := tx.exec(t.Context(), query)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", query, err)
		}
	}
}

func set(ctx context.Context, tx *Tx, name string) error { return tx.SetSetting(ctx, name, "set") }

// TestWriteIsWholeOrNotAtAll, however it ends, and the next one finds the writer free.
func TestWriteIsWholeOrNotAtAll(t *testing.T) {
	d := openDir(t, t.TempDir(), true)
	defer func() {
		if !t.Failed() { // closing waits for the writer
			_ = d.Close()
		}
	}()
	var told atomic.Int64
	d.OnCommit(func() { told.Add(1) })
	ctx, cancel := context.WithCancel(t.Context())
	wrong := errors.New("wrong")
	for name, write := range map[string]func() error{
		"an error": func() error {
			return d.Write(t.Context(), func(tx *Tx) error { tx.Visible(); return errors.Join(set(t.Context(), tx, "error"), wrong) })
		},
		"a statement that fails": func() error {
			return d.Write(t.Context(), func(tx *Tx) error {
				tx.Visible()
				_, err := tx.exec(t.Context(), "INSERT INTO inbox_outcome (seq, status) VALUES (1, 'nonsense')")
				return errors.Join(set(t.Context(), tx, "statement"), err)
			})
		},
		"a context that ends": func() error {
			return d.Write(ctx, func(tx *Tx) error { tx.Visible(); defer cancel(); return set(ctx, tx, "context") })
		},
		"a panic": func() (err error) {
			defer func() {
				if p := recover(); p != nil {
					err = wrong
				}
			}()
			return d.Write(t.Context(), func(tx *Tx) error { tx.Visible(); _ = set(t.Context(), tx, "panic"); panic("wrong") })
		},
	} {
		if err := write(); err == nil {
			t.Errorf("%s: no error", name)
		}
		done := make(chan error, 1)
		go func() { done <- d.Write(t.Context(), func(tx *Tx) error { return set(t.Context(), tx, "after") }) }()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("after %s nothing can be written: %v", name, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("after %s the writer is never free again", name)
		}
	}
	if n := d.number(t, "SELECT count(*) FROM setting"); n != 1 {
		t.Errorf("%d settings are there, want the one", n)
	}
	if told.Load() != 0 {
		t.Errorf("people were told %d times of what was not written, or not visible", told.Load())
	}
	d.mustWrite(t, func(tx *Tx) error { tx.Visible(); return set(t.Context(), tx, "seen") })
	if told.Load() != 1 {
		t.Errorf("people were told %d times, want once", told.Load())
	}
	for range 20 {
		if err := d.Write(ctx, func(tx *Tx) error { return set(ctx, tx, "too late") }); err == nil {
			t.Error("a context that ended before: no error")
		}
	}
	if n := d.number(t, "SELECT count(*) FROM setting WHERE name = 'too late'"); n != 0 {
		t.Error("a context that ended before: written all the same")
	}
}

// TestSavepointTakesBackItsOwn and nothing else.
func TestSavepointTakesBackItsOwn(t *testing.T) {
	d := fresh(t)
	d.mustWrite(t, func(tx *Tx) error {
		for name, f := range map[string]func() error{
			"good":  func() error { return set(t.Context(), tx, "good") },
			"error": func() error { return errors.Join(set(t.Context(), tx, "error"), errors.New("Zebulon")) },
			"panic": func() error { _ = set(t.Context(), tx, "panic"); panic("Zebulon Quagmire") },
		} {
			err := tx.Savepoint(t.Context(), f)
			if (err == nil) != (name == "good") || name == "panic" && strings.Contains(err.Error(), "Zebulon") {
				t.Errorf("%s: %v", name, err)
			}
		}
		return nil
	})
	if n := d.number(t, "SELECT count(*) FROM setting WHERE name = 'good'"); n != 1 || d.number(t, "SELECT count(*) FROM setting") != 1 {
		t.Error("not just the good one was written")
	}
}

func TestReadSeesOneMoment(t *testing.T) {
	d := fresh(t)
	if err := d.Read(t.Context(), func(s Snapshot) error {
		before, err := s.Setting(t.Context(), "x")
		if err != nil {
			return err
		}
		d.mustWrite(t, func(tx *Tx) error { return set(t.Context(), tx, "x") })
		after, err := s.Setting(t.Context(), "x")
		if before != "" || after != before {
			t.Errorf("one view had %q and then %q", before, after)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// TestOneServerAFolder, and commands beside it.
func TestOneServerAFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "odd name?#%20&mode=memory")
	d := openDir(t, dir, true)
	if _, err := os.Stat(filepath.Join(dir, FileName)); err != nil {
		t.Errorf("the database is not where it was to be: %v", err)
	}
	if _, err := Open(t.Context(), dir, Options{Now: still, Serve: true}); err == nil || !strings.Contains(err.Error(), "already serving") {
		t.Errorf("a second server: %v", err)
	}
	beside := openDir(t, dir, false)
	beside.mustWrite(t, func(tx *Tx) error { return set(t.Context(), tx, "beside") })
	if n := d.number(t, "SELECT count(*) FROM setting"); n != 1 {
		t.Errorf("the server sees %d settings", n)
	}
	if err := beside.Close(); err != nil {
		t.Error(err)
	}
	d.mustWrite(t, func(tx *Tx) error { return set(t.Context(), tx, "after") })
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	again := openDir(t, dir, true)
	if n := again.number(t, "SELECT count(*) FROM setting"); n != 2 {
		t.Errorf("%d settings after opening again", n)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

// TestFilesAreForTheirOwnerOnly: the database holds patients.
func TestFilesAreForTheirOwnerOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	d := openDir(t, dir, true)
	defer func() { _ = d.Close() }()
	d.mustWrite(t, func(tx *Tx) error { return set(t.Context(), tx, "x") })
	for _, name := range []string{"", FileName, FileName + "-wal", FileName + "-shm"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%q can be read by others: %v", name, info.Mode())
		}
	}
}

func TestUsers(t *testing.T) {
	d := fresh(t)
	d.mustWrite(t, func(tx *Tx) error {
		if has, err := tx.HasUsers(t.Context()); has || err != nil {
			t.Errorf("HasUsers of nobody: %t %v", has, err)
		}
		_, err := tx.AddUser(t.Context(), "a@clinic.example", Viewer, "hash")
		return err
	})
	if err := d.Write(t.Context(), func(tx *Tx) error {
		_, err := tx.AddUser(t.Context(), "A@CLINIC.example", Admin, "hash")
		return err
	}); !errors.Is(err, ErrEmailTaken) {
		t.Errorf("the same email in other case: %v", err)
	}
	if err := d.Write(t.Context(), func(tx *Tx) error {
		_, err := tx.AddUser(t.Context(), "b@clinic.example", "boss", "hash")
		return err
	}); err == nil {
		t.Error("a role that is none was taken")
	}
	id := []byte("0123456789abcdef0123456789abcdef")
	d.mustWrite(t, func(tx *Tx) error {
		if err := tx.AddSession(t.Context(), id, 1); err != nil {
			return err
		}
		return tx.PruneSessions(t.Context(), noon.Add(-time.Hour), noon.Add(-time.Minute))
	})
	session := func() (x Session, err error) {
		err = d.Read(t.Context(), func(s Snapshot) (err error) { x, err = s.Session(t.Context(), id); return err })
		return x, err
	}
	if x, err := session(); err != nil || x.User.Email != "a@clinic.example" || x.User.Role != Viewer || x.User.Password != "" || !x.CreatedAt.Equal(noon) {
		t.Errorf("%+v %v", x, err)
	}
	d.mustWrite(t, func(tx *Tx) error {
		_, err := tx.exec(t.Context(), "UPDATE user SET disabled_at = 1")
		return err
	})
	if _, err := session(); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("the session of a disabled person: %v", err)
	}
	d.mustWrite(t, func(tx *Tx) error {
		if has, err := tx.HasUsers(t.Context()); has || err != nil {
			t.Errorf("HasUsers of disabled people: %t %v", has, err)
		}
		return tx.PruneSessions(t.Context(), noon, noon.Add(time.Millisecond))
	})
	if n := d.number(t, "SELECT count(*) FROM session"); n != 0 {
		t.Errorf("%d idle sessions are kept", n)
	}
}

// TestAScreenOfBeforeAStartGetsItsWholeList: what it has shown may have been taken back by a power cut.
func TestAScreenOfBeforeAStartGetsItsWholeList(t *testing.T) {
	dir := t.TempDir()
	head := func(d *DB) (n int64) {
		t.Helper()
		if err := d.Read(t.Context(), func(s Snapshot) error {
			sum, err := s.Summary(t.Context(), 1)
			n = sum.Head
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	d := openDir(t, dir, true)
	if n := head(d); n != 0 {
		t.Errorf("a new folder begins at change %d", n)
	}
	d.mustWrite(t, func(tx *Tx) error { return tx.changed(t.Context(), "p", 1024) })
	shown := head(d)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for _, serve := range []bool{false, true} { // a command beside the server begins nothing
		d = openDir(t, dir, serve)
		for _, since := range []int64{shown, shown + 500} { // of which some are lost
			err := d.Read(t.Context(), func(s Snapshot) error {
				_, err := s.Changes(t.Context(), since, head(d), MostChanges)
				return err
			})
			if want := serve || since > shown; errors.Is(err, ErrTooFarBehind) != want {
				t.Errorf("served %t, since change %d: %v", serve, since, err)
			}
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
