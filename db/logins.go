package db

import (
	"context"
	"database/sql"
	"fmt"
)

// Login is a running login and the role of its person.
type Login struct {
	IDHash []byte
	Session
}

// Logins lists the logins of people who are not disabled. Whether they have ended by time is the caller's to say; those
// that ended so a while ago are pruned, so there are about as many as people at work.
func (s Snapshot) Logins(ctx context.Context) ([]Login, error) {
	rows, err := s.QueryContext(ctx, `SELECT s.id_hash, u.id, u.role, s.created_at, s.active_at FROM session s JOIN user u ON u.id = s.user_id WHERE u.disabled_at IS NULL`)
	if err != nil {
		return nil, fmt.Errorf("listing logins: %w", err)
	}
	return collect(rows, func(l *Login) error {
		var created, active sql.NullInt64
		err := rows.Scan(&l.IDHash, &l.User.ID, &l.User.Role, &created, &active)
		l.CreatedAt, l.ActiveAt = instant(created), instant(active)
		return err
	})
}

// SessionOfAnyone returns when a login began and when it was last used, and whether its person is disabled. It returns
// sql.ErrNoRows where nothing is known of it any more.
func (s Snapshot) SessionOfAnyone(ctx context.Context, idHash []byte) (x Session, disabled bool, err error) {
	var created, active sql.NullInt64
	err = s.QueryRowContext(ctx, `SELECT s.created_at, s.active_at, u.disabled_at IS NOT NULL FROM session s JOIN user u ON u.id = s.user_id WHERE s.id_hash = ?`, idHash).
		Scan(&created, &active, &disabled)
	x.CreatedAt, x.ActiveAt = instant(created), instant(active)
	return x, disabled, err
}
