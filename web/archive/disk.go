package archive

import (
	"math"

	"golang.org/x/sys/unix"
)

// free is how many bytes this user may still write on the vault's disk.
func (v *Vault) free() (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(v.dir, &s); err != nil {
		return math.MaxInt64, err
	}
	return int64(s.Bavail) * s.Bsize, nil
}
