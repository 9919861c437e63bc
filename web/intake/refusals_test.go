package intake_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"carebell/db"
	"carebell/web/intake"
)

// TestRefusalsAreCountedAfterAQuietTime: the counts are written down before there is anything to count, and then it comes.
func TestRefusalsAreCountedAfterAQuietTime(t *testing.T) {
	d, err := db.Open(t.Context(), t.TempDir(), db.Options{Now: time.Now, Serve: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	r := &intake.Refusals{}
	over, end := context.WithCancel(t.Context())
	end()
	for range 2 {
		if err := r.Run(over, d, slog.New(slog.DiscardHandler)); err != nil { // writes down once, and ends
			t.Fatal(err)
		}
		r.Add("no signature")
	}
	if err := r.Run(over, d, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	var list []db.Rejection
	if err := d.Read(t.Context(), func(v db.Snapshot) (err error) {
		list, err = v.Rejections(t.Context(), time.Now().Add(-2*time.Hour))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	var n int64
	for _, x := range list {
		n += x.N
	}
	if n != 2 || r.Total()["no signature"] != 2 {
		t.Errorf("2 requests were refused; written down are %v, in memory %v", list, r.Total())
	}
}
