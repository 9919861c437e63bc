package db

import (
	"context"
	"fmt"
	"time"
)

// Devices of a person that are kept, and for how long after they were last used.
const (
	mostDevices = 20
	KeepDevice  = 180 * 24 * time.Hour
)

// KnowsDevice says whether the person with an email, and whether anybody, has signed in with a device of late. idHash is the
// SHA-256 of the cookie's id.
func (s Snapshot) KnowsDevice(ctx context.Context, email string, idHash []byte, now time.Time) (person, anybody bool, err error) {
	err = s.QueryRowContext(ctx, `SELECT coalesce(max(u.email = ?1), 0), count(*) > 0 FROM device d JOIN user u ON u.id = d.user_id WHERE d.id_hash = ?2 AND d.used_at > ?3`,
		email, idHash, now.Add(-KeepDevice).UnixMilli()).Scan(&person, &anybody)
	return person, anybody, err
}

// UseDevice notes that a person has signed in with a device, and forgets those that they have not used for longest.
func (tx *Tx) UseDevice(ctx context.Context, userID int64, idHash []byte) error {
	_, err := tx.exec(ctx, `INSERT INTO device (user_id, id_hash, used_at) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET used_at = ?3`, userID, idHash, tx.Now)
	if err == nil {
		_, err = tx.exec(ctx, `DELETE FROM device WHERE user_id = ?1 AND (used_at < ?2 OR id_hash NOT IN (SELECT id_hash FROM device WHERE user_id = ?1 ORDER BY used_at DESC, id_hash LIMIT ?3))`,
			userID, tx.Now-KeepDevice.Milliseconds(), mostDevices)
	}
	if err != nil {
		return fmt.Errorf("noting a device: %w", err)
	}
	return nil
}
