package db

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"carebell/web/care"
)

// exchanged puts a notification into the chart whose record comes from an exchange; "" = it does not say, "-" = it was not
// read.
func exchanged(ctx context.Context, tx *Tx, no int64, code string) error {
	n := Notification{ID: no * 1024, InboxSeq: no, Kind: care.Admit, PatientID: fmt.Sprint("p", no%7), MessageID: fmt.Sprint(no), ReceivedAt: noon, Moves: []care.Move{}}
	err := tx.AddNotifications(ctx, n)
	if err == nil && code != "-" {
		err = tx.SaveNotificationFacts(ctx, NotificationFacts{ID: n.ID, Facts: []byte(`{"read":true}`), Exchange: code})
	}
	return err
}

// TestExchangesAreThoseThatSomethingCameFrom, each once, and the feed can be narrowed to each and to those not sent.
func TestExchangesAreThoseThatSomethingCameFrom(t *testing.T) {
	d := fresh(t)
	list := func(most int) (codes []string) {
		t.Helper()
		if err := d.Read(t.Context(), func(s Snapshot) (err error) { codes, err = s.Exchanges(t.Context(), most); return err }); err != nil {
			t.Fatal(err)
		}
		return codes
	}
	if got := list(9); len(got) != 0 {
		t.Errorf("in an empty chart there is %q", got)
	}
	put := func(no int64, code string) {
		d.mustWrite(t, func(tx *Tx) error { return exchanged(t.Context(), tx, no, code) })
	}
	put(1, "-")
	if got := list(9); len(got) != 0 {
		t.Errorf("of a record that was not read there is %q", got)
	}
	for i, code := range []string{"QUEST", "BAMBOO", "hixny", "BAMBOO", "QUEST", "a b&c", "BAMBOO"} {
		put(int64(i+2), code)
	}
	if got, want := list(9), []string{"BAMBOO", "QUEST", "a b&c", "hixny"}; !slices.Equal(got, want) {
		t.Errorf("the exchanges are %q, want %q", got, want)
	}
	put(9, "")
	if got, want := list(2), []string{"BAMBOO", "QUEST", ExchangeNotSent}; !slices.Equal(got, want) {
		t.Errorf("the first two are %q, want %q", got, want)
	}
	for code, want := range map[string][]int64{
		"": {9, 8, 7, 6, 5, 4, 3, 2, 1}, "BAMBOO": {8, 5, 3}, "bamboo": nil, "QUEST": {6, 2}, "a b&c": {7}, ExchangeNotSent: {9}, "KONZA": nil,
	} {
		err := d.Read(t.Context(), func(s Snapshot) error {
			rows, err := s.Notifications(t.Context(), NotificationFilter{Exchange: code, Limit: 100})
			var got []int64
			for _, n := range rows {
				got = append(got, n.InboxSeq)
				if n.Exchange != code && code != "" && code != ExchangeNotSent {
					t.Errorf("%d comes from %q, not %q", n.InboxSeq, n.Exchange, code)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("from %q come %v, want %v", code, got, want)
			}
			has, errHas := s.HasExchange(t.Context(), code)
			if has != (len(want) > 0) {
				t.Errorf("whether something came from %q: %v", code, has)
			}
			if err == nil {
				err = errHas
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
