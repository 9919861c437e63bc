package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// Here returns an error where there is no database in the data folder dir: one sentence that says what to do.
func Here(dir string) error {
	_, err := os.Stat(filepath.Join(dir, FileName))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no database in the data folder %s: name the right one with CAREBELL_DATA", dir)
	case err != nil:
		return fmt.Errorf("cannot look into the data folder %s: %w; run this as the user whom Carebell runs as", dir, reason(err))
	}
	return nil
}

// OpenReader opens the data folder dir for reading alone, beside whoever serves it: [DB.Read] works, [DB.Write] must not be
// called. Errors are one sentence that says what to do.
func OpenReader(ctx context.Context, dir string, now func() time.Time) (_ *DB, err error) {
	path := filepath.Join(dir, FileName)
	if err := Here(dir); err != nil {
		return nil, err
	}
	d := newDB(now)
	if d.read, err = sql.Open("sqlite", dsn(path, "mode=ro", "_pragma=query_only(1)")); err != nil {
		return nil, err
	}
	d.read.SetMaxOpenConns(1)
	var schema int64
	err = d.read.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&schema)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot read the database %s: %w; run this as the user whom Carebell runs as", path, err), d.Close())
	}
	newest, err := newestSchema()
	if err == nil && schema != newest {
		err = fmt.Errorf("the data folder has schema %d and this carebell knows %d: use the carebell that serves it", schema, newest)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// newestSchema is the number of the last migration.
func newestSchema() (n int64, err error) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	for _, f := range files {
		var at int64
		if _, err := fmt.Sscanf(filepath.Base(f), "%d_", &at); err != nil {
			return 0, err
		}
		n = max(n, at)
	}
	return n, err
}

// Served says whether a process serves the data folder dir.
func Served(dir string) (bool, error) {
	path := filepath.Join(dir, lockName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	lock := flock.New(path, flock.SetFlag(os.O_RDONLY))
	free, err := lock.TryRLock()
	if err != nil {
		return false, fmt.Errorf("cannot look at the lock %s: %w", path, reason(err))
	}
	if free {
		err = lock.Unlock()
	}
	return !free, err
}
