package archive

import (
	"fmt"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// Disk is how much room there is for the data folder, in bytes. Below Floor no files are fetched.
type Disk struct{ Free, Total, Floor int64 }

// Disk measures it.
func (a *Archive) Disk() (Disk, error) { return MeasureDisk(a.vault.dir) }

// MeasureDisk measures the disk that a folder is on.
func MeasureDisk(dir string) (Disk, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return Disk{}, fmt.Errorf("measuring the disk: %w", err)
	}
	return Disk{Free: int64(s.Bavail) * s.Bsize, Total: int64(s.Blocks) * s.Bsize, Floor: diskFloor}, nil
}

// free is how many bytes this user may still write on the vault's disk.
func (v *Vault) free() (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(v.dir, &s); err != nil {
		return math.MaxInt64, err
	}
	return int64(s.Bavail) * s.Bsize, nil
}

// hurry has the system begin to bring a file to the disk. Without it, each file that is waited for takes a turn of the file
// system's journal of its own; that it was begun says nothing of whether it succeeds.
func hurry(f *os.File) {
	_ = unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
}
