package db

import (
	"fmt"
	"reflect"
	"testing"
	"time"
)

// TestDownloadReportCountsEveryLinkOnce: however the fetch of a link stands or ended.
func TestDownloadReportCountsEveryLinkOnce(t *testing.T) {
	d := fresh(t)
	appendOne(t, inboxOf(t, d), "m", "{}")
	report := func() (r DownloadReport) {
		t.Helper()
		if err := d.Read(t.Context(), func(s Snapshot) (err error) { r, err = s.DownloadReport(t.Context()); return err }); err != nil {
			t.Fatal(err)
		}
		return r
	}
	if got := report(); got.Total != 0 || len(got.ByState) != 0 || !got.OldestWaiting.IsZero() || got.Reached() != 0 {
		t.Errorf("of nothing: %+v", got)
	}
	n := 0
	// add brings a link to a state at noon; its life ends so much later.
	add := func(state Fetch, reason string, life time.Duration, age time.Duration) {
		n++
		d.mustWrite(t, func(tx *Tx) error {
			tx.Now -= age.Milliseconds()
			err := tx.AddDownload(t.Context(), Download{InboxSeq: 1, Place: fmt.Sprint("/", n), Purpose: PurposeDocument, URL: "u", ExpiresAt: noon.Add(life)})
			if err != nil || state == FetchQueued {
				return err
			}
			tx.Now = noon.UnixMilli()
			if state == FetchFetching {
				_, _, err = tx.TakeDownloads(t.Context(), 100, func(string) int { return 100 })
				return err
			}
			return tx.EndDownload(t.Context(), Download{ID: int64(n), State: state, Reason: reason, URL: "u"})
		})
	}
	add(FetchFetching, "", time.Minute, 3*time.Second)
	add(FetchQueued, "", time.Minute, 5*time.Second)
	add(FetchQueued, "", -time.Minute, time.Second)
	for range 4 {
		add(FetchStored, "", time.Second, 0)
	}
	add(FetchStored, "", 0, 0) // in the very moment
	add(FetchStored, "", -time.Second, 0)
	add(FetchRemoved, "", time.Minute, 0)
	add(FetchRefused, "host not allowed", time.Minute, 0)
	for range 3 {
		add(FetchExpired, "", -time.Minute, 0) // the origin said so
	}
	add(FetchExpired, "", time.Minute, 0) // and once by its own clock
	add(FetchExpired, ReasonUnreached, -time.Minute, 0)
	add(FetchExpired, ReasonUnreached, -time.Minute, 0)
	add(FetchExpired, ReasonNoAnswer, -time.Minute, 0)
	add(FetchFailed, "the origin answered 404", time.Minute, 0)

	got := report()
	want := DownloadReport{
		Total: n, Waiting: 3, OldestWaiting: noon.Add(-5 * time.Second), Refused: 1, Unreached: 3, InTime: 6, Later: 1, Lost: 5,
		ByState: map[Fetch]int{FetchQueued: 2, FetchFetching: 1, FetchStored: 6, FetchRemoved: 1, FetchRefused: 1, FetchExpired: 7, FetchFailed: 1},
		Reasons: []DownloadReason{
			{FetchExpired, "", 4}, {FetchExpired, ReasonUnreached, 2}, {FetchExpired, ReasonNoAnswer, 1},
			{FetchFailed, "the origin answered 404", 1}, {FetchRefused, "host not allowed", 1},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if sum := got.Waiting + got.Refused + got.Unreached + got.Reached(); sum != n {
		t.Errorf("%d of %d links are counted", sum, n)
	}
}
