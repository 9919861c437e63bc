package db

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTheLogStaysBounded while somebody writes without a pause and others read, also where one view stays open for ever: it
// ends, and says why.
func TestTheLogStaysBounded(t *testing.T) {
	const page, again, most = 4096, 250, 1500
	dir := t.TempDir()
	d, err := Open(t.Context(), dir, Options{Now: time.Now, Serve: true, wal: walLimits{again: again, most: most, age: 300 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	size := func() int64 {
		info, err := os.Stat(filepath.Join(dir, FileName+"-wal"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size() / page
	}
	text := strings.Repeat("x", 20*page)
	// write writes until there were so many pages, or until stop says so.
	write := func(pages int, stop func() bool) {
		for n := 0; n < pages && !stop(); n += 20 {
			d.mustWrite(t, func(tx *Tx) error { return tx.SetSetting(t.Context(), "x", text[n%page:]) })
			if err := d.Read(t.Context(), func(s Snapshot) error {
				var one int
				return s.QueryRowContext(t.Context(), "SELECT 1 FROM setting").Scan(&one)
			}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
	}
	never := func() bool { return false }
	write(24*most, never)
	if n := size(); n > 8*most {
		t.Errorf("after writing %d pages without a pause the log has %d, of which %d are enough", 24*most, n, again)
	}

	began, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- d.Read(context.Background(), func(s Snapshot) error {
			for first := true; ; first = false {
				var n int
				if err := s.QueryRowContext(context.Background(), "SELECT count(*) FROM setting").Scan(&n); err != nil {
					return err
				}
				if first {
					close(began)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}()
	<-began
	var viewErr error
	write(100*most, func() bool {
		select {
		case viewErr = <-ended:
			return true
		default:
			return false
		}
	})
	if !errors.Is(viewErr, ErrOldView) {
		t.Fatalf("a view that kept the log from being folded in ended with %v", viewErr)
	}
	n := size()
	write(24*most, never)
	if now := size(); now > n+8*most {
		t.Errorf("the log had %d pages when the view ended, and has %d now: it did not begin anew", n, now)
	}
}
