package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Role is what a person may do.
type Role string

// The roles. Everyone may look; a viewer may not change anything; an admin also keeps people and the inbox.
const (
	Admin       Role = "admin"
	Coordinator Role = "coordinator"
	Viewer      Role = "viewer"
)

// Roles lists them, the one that may most first.
var Roles = []Role{Admin, Coordinator, Viewer}

// User is a person who can log in.
type User struct {
	ID       int64
	Email    string
	Role     Role
	Password string // argon2id, PHC form
	Disabled bool
}

// ErrEmailTaken says that somebody has this email already.
var ErrEmailTaken = errors.New("somebody has this email already")

// AddUser adds a person; password is the hash. It returns [ErrEmailTaken] where the email is in use.
func (tx *Tx) AddUser(ctx context.Context, email string, role Role, password string) (int64, error) {
	result, err := tx.exec(ctx, `INSERT INTO user (email, role, password, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (email) DO NOTHING`, email, role, password, tx.Now)
	if err != nil {
		return 0, fmt.Errorf("adding a person: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return 0, errors.Join(ErrEmailTaken, err)
	}
	return result.LastInsertId()
}

const selectHasUsers = `SELECT EXISTS (SELECT 1 FROM user WHERE disabled_at IS NULL)`

// HasUsers says whether anybody can log in.
func (tx *Tx) HasUsers(ctx context.Context) (bool, error) {
	var has bool
	err := tx.row(ctx, selectHasUsers).Scan(&has)
	return has, err
}

// HasUsers is [Tx.HasUsers], for readers.
func (s Snapshot) HasUsers(ctx context.Context) (bool, error) {
	var has bool
	err := s.QueryRowContext(ctx, selectHasUsers).Scan(&has)
	return has, err
}

// UserByEmail returns a person, or sql.ErrNoRows.
func (s Snapshot) UserByEmail(ctx context.Context, email string) (User, error) {
	var u User
	err := s.QueryRowContext(ctx, `SELECT id, email, role, password, disabled_at IS NOT NULL FROM user WHERE email = ?`, email).
		Scan(&u.ID, &u.Email, &u.Role, &u.Password, &u.Disabled)
	return u, err
}

// Session is a running login.
type Session struct {
	User      User // without the password
	CreatedAt time.Time
	ActiveAt  time.Time // the last time the person did something; live updates do not count
}

// AddSession begins a login. idHash is the SHA-256 of the cookie's id; the id itself is nowhere.
func (tx *Tx) AddSession(ctx context.Context, idHash []byte, userID int64) error {
	_, err := tx.exec(ctx, `INSERT INTO session (id_hash, user_id, created_at, active_at) VALUES (?, ?, ?, ?)`, idHash, userID, tx.Now, tx.Now)
	return err
}

// Session returns a login of a person who is not disabled, or sql.ErrNoRows. Whether it has ended by time is the
// caller's to say.
func (s Snapshot) Session(ctx context.Context, idHash []byte) (Session, error) {
	var x Session
	var created, active sql.NullInt64
	err := s.QueryRowContext(ctx, `SELECT u.id, u.email, u.role, s.created_at, s.active_at FROM session s JOIN user u ON u.id = s.user_id
		WHERE s.id_hash = ? AND u.disabled_at IS NULL`, idHash).Scan(&x.User.ID, &x.User.Email, &x.User.Role, &created, &active)
	x.CreatedAt, x.ActiveAt = instant(created), instant(active)
	return x, err
}

// TouchSession says that the person has just done something.
func (tx *Tx) TouchSession(ctx context.Context, idHash []byte) error {
	_, err := tx.exec(ctx, `UPDATE session SET active_at = max(active_at, ?) WHERE id_hash = ?`, tx.Now, idHash)
	return err
}

// EndSession ends a login.
func (tx *Tx) EndSession(ctx context.Context, idHash []byte) error {
	_, err := tx.exec(ctx, `DELETE FROM session WHERE id_hash = ?`, idHash)
	return err
}

// PruneSessions forgets logins that began before createdBefore or were idle since activeBefore.
func (tx *Tx) PruneSessions(ctx context.Context, createdBefore, activeBefore time.Time) error {
	_, err := tx.exec(ctx, `DELETE FROM session WHERE created_at < ? OR active_at < ?`, createdBefore.UnixMilli(), activeBefore.UnixMilli())
	return err
}

// SetSetting keeps a small value by name; "" removes it.
func (tx *Tx) SetSetting(ctx context.Context, name, value string) error {
	if value == "" {
		_, err := tx.exec(ctx, `DELETE FROM setting WHERE name = ?`, name)
		return err
	}
	_, err := tx.exec(ctx, `INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2`, name, value)
	return err
}

const selectSetting = `SELECT value FROM setting WHERE name = ?`

// Setting returns a small value by name; "" where there is none.
func (tx *Tx) Setting(ctx context.Context, name string) (string, error) {
	return setting(tx.row(ctx, selectSetting, name))
}

// Setting is [Tx.Setting], for readers.
func (s Snapshot) Setting(ctx context.Context, name string) (string, error) {
	return setting(s.QueryRowContext(ctx, selectSetting, name))
}

func setting(row *sql.Row) (string, error) {
	var v string
	if err := row.Scan(&v); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", err
	}
	return v, nil
}
