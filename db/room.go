package db

import (
	"context"
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// NoRoom says whether err means that the disk took nothing more: it is full, or may no longer be written to. What was
// written before is there, and the same may be tried again.
func NoRoom(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() {
	case sqlite3.SQLITE_IOERR_SHMSIZE: // the index of the write-ahead log could not grow
		return true
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN:
		return true
	}
	return false
}

// Full says whether the last write that failed did so because the disk took nothing more, and no [DB.TryRoom] has
// succeeded since.
func (d *DB) Full() bool { return d.full.Load() }

// OnFull names the function to call when [DB.Full] changes. Call it once, before use.
func (d *DB) OnFull(f func()) { d.fullChanged = f }

// noteRoom remembers that a write found no room.
func (d *DB) noteRoom(err error) {
	if NoRoom(err) && !d.full.Swap(true) {
		d.fullChanged()
	}
}

// roomTried is as much as most webhooks take, so that room for it is worth something.
const roomTried = 256 << 10

// TryRoom writes some bytes to find out whether the disk takes them again, and takes them away. It returns the error of the
// write.
func (d *DB) TryRoom(ctx context.Context) error {
	const name = "room"
	err := d.Write(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, `INSERT INTO setting (name, value) VALUES (?1, hex(zeroblob(?2))) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, roomTried/2)
		return err
	})
	if err == nil {
		err = d.Write(ctx, func(tx *Tx) error { return tx.SetSetting(ctx, name, "") })
	}
	if err == nil && d.full.Swap(false) {
		d.fullChanged()
	}
	return err
}
