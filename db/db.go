// Package db keeps everything in one SQLite file: the inbox, which is the truth, its projections, and people.
// It knows SQL and nothing of HTTP or of what an event means.
package db

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations/*.sql
var migrations embed.FS

// FileName is the database inside the data folder.
const FileName = "carebell.db"

// lockName is the file that whoever serves the folder holds locked.
const lockName = "carebell.lock"

// Versions of SQLite before this one can corrupt a WAL that two connections write.
const oldestSQLite = 3_051_003

// DB is one open data folder: a single writer connection and a pool of read-only ones.
type DB struct {
	write  *sql.DB // of one connection, which writer holds
	writer *writer
	read   *sql.DB
	now    func() time.Time
	lock   *flock.Flock // held by the one process that serves; nil otherwise

	broken     chan struct{} // closed after an I/O error: nothing more is acknowledged
	brokenOnce sync.Once
	brokenBy   error

	views        *views
	checkpointer *checkpointer // of the process that serves

	full        atomic.Bool // the last write that failed found no room
	fullChanged func()

	statements atomic.Int64
	asked      func(query string, args []any) // called with each query of a reader; nil but in tests

	committed func() // called after each commit that people may see
}

// Options say how a data folder is opened.
type Options struct {
	Now   func() time.Time // the clock; required
	Serve bool             // take the folder for this process alone and bring the schema up to date

	wal walLimits // zero = the usual ones; other ones are for tests
}

// Pragmas of both pools, in the DSN so that every connection has them. They are read back at start, because a typo in a
// DSN's pragma is silently accepted.
var pragmas = []struct{ name, set, want string }{
	{"journal_mode", "WAL", "wal"}, // readers never wait for the writer
	{"synchronous", "FULL", "2"},   // NORMAL lost acknowledged rows at every simulated power cut
	{"foreign_keys", "1", "1"},
	{"busy_timeout", "10000", "10000"},     // the command line writes beside a running server
	{"wal_autocheckpoint", "4000", "4000"}, // pages; folding the log in costs an fsync of the database
}

// writerPragmas are the writer's own. What it writes touches pages all over the file, so it keeps many at hand; its
// savepoints are kept in memory, not in a file.
var writerPragmas = []string{"PRAGMA cache_size = -65536", "PRAGMA temp_store = MEMORY"}

// servingPragmas are the writer's where a [checkpointer] folds the log in: it does so itself only where that has come to an
// end. A log that was longer for a while is cut to 64 MiB when it begins anew.
var servingPragmas = []string{"PRAGMA wal_autocheckpoint = 98304", "PRAGMA journal_size_limit = 67108864"}

// newDB is a database that nothing is opened of yet.
func newDB(now func() time.Time) *DB {
	return &DB{now: now, broken: make(chan struct{}), committed: func() {}, fullChanged: func() {}, views: &views{open: map[int64]view{}}}
}

// Open opens the data folder dir, makes it and the database where missing, and checks that this build fits them.
// Errors are one sentence that says what to do.
func Open(ctx context.Context, dir string, o Options) (_ *DB, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the data folder %s: %w; choose another one with CAREBELL_DATA", dir, reason(err))
	}
	d := newDB(o.Now)
	defer func() {
		if err != nil {
			_ = d.Close()
		}
	}()
	if o.Serve {
		d.lock = flock.New(filepath.Join(dir, lockName))
		ok, err := d.lock.TryLock()
		if err != nil {
			d.lock = nil
			return nil, fmt.Errorf("cannot write in the data folder %s: %w; make it writable for this user or choose another one with CAREBELL_DATA", dir, reason(err))
		}
		if !ok {
			d.lock = nil
			return nil, fmt.Errorf("another carebell is already serving the data folder %s; stop it first or choose another folder with CAREBELL_DATA", dir)
		}
	}
	path := filepath.Join(dir, FileName)
	if err := private(path); err != nil {
		return nil, fmt.Errorf("cannot make the database %s: %w; make the data folder writable for this user or choose another one with CAREBELL_DATA", path, reason(err))
	}
	if d.write, err = sql.Open("sqlite", dsn(path, "_txlock=immediate")); err != nil { // goose's transactions read, then write
		return nil, err
	}
	d.write.SetMaxOpenConns(1)
	if err := d.check(ctx, path); err != nil {
		return nil, err
	}
	if err := d.migrate(ctx, o.Serve); err != nil {
		return nil, err
	}
	conn, err := d.write.Conn(ctx)
	if err != nil {
		return nil, err
	}
	d.writer = &writer{conn: conn, statements: map[string]*sql.Stmt{}, facilities: map[string]bool{}}
	own := writerPragmas
	if o.Serve {
		own = slices.Concat(own, servingPragmas)
	}
	for _, own := range own {
		if _, err := conn.ExecContext(ctx, own); err != nil {
			return nil, err
		}
	}
	if o.Serve {
		if _, err := conn.ExecContext(ctx, beginNumbers); err != nil {
			return nil, fmt.Errorf("numbering changes anew: %w", d.watch(err))
		}
	}
	if d.read, err = sql.Open("sqlite", dsn(path, "mode=ro", "_pragma=query_only(1)")); err != nil {
		return nil, err
	}
	d.read.SetMaxOpenConns(8)
	d.read.SetMaxIdleConns(8)
	if o.Serve {
		if o.wal == (walLimits{}) {
			o.wal = usualWAL
		}
		if d.checkpointer, err = newCheckpointer(path, d.writer, d.views, o.wal); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// private makes the database file readable for its owner alone; SQLite's own files beside it follow it. A file that is
// there is not opened: closing it would drop the locks that this process may hold.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // our own folder
	if errors.Is(err, fs.ErrExist) {
		return os.Chmod(path, 0o600)
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// dsn makes a file: URL, so that mode and pragmas are honoured and odd folder names survive.
func dsn(path string, more ...string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		abs = path
	}
	q := more
	for _, p := range pragmas {
		q = append(q, "_pragma="+p.name+"("+p.set+")")
	}
	return "file:" + (&url.URL{Path: filepath.ToSlash(abs)}).EscapedPath() + "?" + strings.Join(q, "&")
}

// SQLiteVersion is the version of SQLite in this build.
func SQLiteVersion() string { return sqlite3.SQLITE_VERSION }

func (d *DB) check(ctx context.Context, path string) error {
	var version string
	if err := d.write.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version); err != nil {
		return fmt.Errorf("cannot open the database %s: %w; check that the folder is writable and the disk is not full", path, err)
	}
	var major, minor, patch int
	if _, err := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); err != nil || major*1_000_000+minor*1000+patch < oldestSQLite {
		return fmt.Errorf("this build has SQLite %s, which can damage its write-ahead log: build with modernc.org/sqlite 1.61 or newer", version)
	}
	for _, p := range pragmas {
		var got string
		if err := d.write.QueryRowContext(ctx, "PRAGMA "+p.name).Scan(&got); err != nil || !strings.EqualFold(got, p.want) {
			return fmt.Errorf("the database %s runs with %s=%s, not %s: use a local disk that supports file locking", path, p.name, got, p.want)
		}
	}
	return nil
}

func (d *DB) migrate(ctx context.Context, serve bool) error {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(database.DialectSQLite3, d.write, folder, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	current, newest, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("cannot read the schema version: %w", err)
	}
	if current > newest {
		return fmt.Errorf("the data folder was written by a newer carebell (schema %d, this one knows %d): install that version or restore a backup made before it", current, newest)
	}
	if current > 0 && current < newest && !serve {
		return fmt.Errorf("the data folder has schema %d and this carebell needs %d: start `carebell serve` of this version once", current, newest)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("cannot bring the database to schema %d: %w; the folder is as it was before, restore nothing and report this", newest, err)
	}
	return nil
}

// Close ends both pools, moves the write-ahead log into the database and lets the folder go.
func (d *DB) Close() error {
	var errs []error
	if d.read != nil {
		errs = append(errs, d.read.Close())
	}
	if d.checkpointer != nil {
		errs = append(errs, d.checkpointer.close())
	}
	if d.writer != nil {
		d.writer.close()
		for _, s := range d.writer.statements {
			errs = append(errs, s.Close())
		}
		if d.lock != nil {
			_, err := d.writer.conn.ExecContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)")
			errs = append(errs, err)
		}
		errs = append(errs, d.writer.conn.Close())
	}
	if d.write != nil {
		errs = append(errs, d.write.Close())
	}
	if d.lock != nil {
		errs = append(errs, d.lock.Unlock())
	}
	return errors.Join(errs...)
}

// OnCommit names the function to call after each commit that may change what people see. Call it once, before use.
func (d *DB) OnCommit(f func()) { d.committed = f }

// Broken is closed after the disk failed a write: what is in memory can no longer be trusted to reach it.
func (d *DB) Broken() <-chan struct{} { return d.broken }

// BrokenBy returns the error that closed [DB.Broken], nil before.
func (d *DB) BrokenBy() error {
	select {
	case <-d.broken:
		return d.brokenBy
	default:
		return nil
	}
}

// Tx is one transaction on the writer connection. Now is its one time, in milliseconds UTC. Its statements are prepared
// once for the life of the database, and are not interrupted: a transaction is short.
type Tx struct {
	Now     int64
	writer  *writer
	visible bool
	began   time.Time // by the clock that measures turns
	changes []Change  // numbered at the end

	statements *atomic.Int64
}

// Visible marks that people may see a difference after this transaction.
func (tx *Tx) Visible() { tx.visible = true }

func (tx *Tx) statement(query string) (*sql.Stmt, error) {
	if s, ok := tx.writer.statements[query]; ok {
		return s, nil
	}
	s, err := tx.writer.conn.PrepareContext(context.Background(), query)
	if err == nil {
		tx.writer.statements[query] = s
	}
	return s, err
}

func (tx *Tx) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	tx.statements.Add(1)
	return tx.run(ctx, query, args...)
}

// run is exec for the statements around a transaction, which are not counted.
func (tx *Tx) run(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s, err := tx.statement(query) //nolint:sqlclosecheck // kept for the life of the database
	if err != nil {
		return nil, err
	}
	return s.ExecContext(context.WithoutCancel(ctx), args...)
}

func (tx *Tx) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	tx.statements.Add(1)
	s, err := tx.statement(query) //nolint:sqlclosecheck // kept for the life of the database
	if err != nil {
		return nil, err
	}
	return s.QueryContext(context.WithoutCancel(ctx), args...)
}

func (tx *Tx) row(ctx context.Context, query string, args ...any) *sql.Row {
	tx.statements.Add(1)
	s, err := tx.statement(query) //nolint:sqlclosecheck // kept for the life of the database
	if err != nil {               // fails again, with the error where Row keeps it
		return tx.writer.conn.QueryRowContext(context.WithoutCancel(ctx), query, args...)
	}
	return s.QueryRowContext(context.WithoutCancel(ctx), args...)
}

// Snapshot is one consistent view of the database, read from the read-only pool.
type Snapshot struct {
	tx *sql.Tx
	db *DB
}

// QueryContext runs a query in this view.
func (s Snapshot) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s.count(query, args)
	return s.tx.QueryContext(ctx, query, args...)
}

// QueryRowContext runs a query for one row in this view.
func (s Snapshot) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	s.count(query, args)
	return s.tx.QueryRowContext(ctx, query, args...)
}

func (s Snapshot) count(query string, args []any) {
	s.db.statements.Add(1)
	if s.db.asked != nil {
		s.db.asked(query, args)
	}
}

// Statements counts the SQL statements that ran since the start, but for those that begin and end a transaction.
func (d *DB) Statements() int64 { return d.statements.Load() }

// Read runs f on one consistent view. A long one keeps the write-ahead log from being folded in, so ctx should have a
// deadline; where the log grows too long, the view ends with [ErrOldView].
func (d *DB) Read(ctx context.Context, f func(s Snapshot) error) error {
	ctx, done := d.views.add(ctx)
	defer done()
	t, err := d.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { _ = t.Rollback() }()
	if err = f(Snapshot{t, d}); err != nil && errors.Is(context.Cause(ctx), ErrOldView) {
		return fmt.Errorf("%w (%w)", ErrOldView, err)
	}
	return err
}

// watch marks the database as broken when err says that the disk failed.
func (d *DB) watch(err error) error {
	if d.noteRoom(err); NoRoom(err) {
		return err
	}
	var e *sqlite.Error
	if errors.As(err, &e) {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			d.brokenOnce.Do(func() {
				d.brokenBy = fmt.Errorf("the disk failed: %w", err)
				close(d.broken)
			})
		}
	}
	return err
}

// reason is the part of an error that a person can act on, without the call and the path around it.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// millis turns an instant into what the database holds: milliseconds UTC, NULL for the zero Time.
func millis(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMilli(), Valid: !t.IsZero()}
}

// instant is the inverse of millis.
func instant(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return time.UnixMilli(ms.Int64).UTC()
}
