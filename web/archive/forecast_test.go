package archive

import (
	"net/http"
	"testing"
	"time"

	"carebell/db"
)

func TestWhatWillDieIsForeseen(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	in := func(d time.Duration, links int) db.BacklogStep {
		return db.BacklogStep{Until: now.Add(d), Links: links}
	}
	for name, test := range map[string]struct {
		steps []db.BacklogStep
		rate  float64
		lost  int
		first time.Duration
	}{
		"nothing waits":                       {nil, 100, 0, 0},
		"there is time for all":               {[]db.BacklogStep{in(10*time.Minute, 60_000)}, 100, 0, 0},
		"twice as many as there is time for":  {[]db.BacklogStep{in(10*time.Minute, 120_000)}, 100, 60_000, 10 * time.Minute},
		"those that die first are too many":   {[]db.BacklogStep{in(10*time.Minute, 1000), in(time.Minute, 10_000)}, 100, 4000, time.Minute},
		"later ones come after those fetched": {[]db.BacklogStep{in(time.Minute, 6000), in(2*time.Minute, 7000)}, 100, 1000, 2 * time.Minute},
		"the pace is not known":               {[]db.BacklogStep{in(time.Second, 1_000_000)}, 0, 0, 0},
	} {
		lost, first := predict(test.steps, now, test.rate)
		if lost != test.lost || test.lost > 0 && !first.Equal(now.Add(test.first)) {
			t.Errorf("%s: %d will die, the first at %s; want %d", name, lost, first, test.lost)
		}
	}
	var p pace
	if p.add(1000, time.Second); p.rate() != 0 {
		t.Error("a second says how fast it goes")
	}
	for range 100 {
		p.add(500, time.Second)
	}
	if r := p.rate(); r < 490 || r > 520 {
		t.Errorf("500 a second are %.0f", r)
	}
}

// TestForecastTellsHostsApart: links of a host that is down are not counted as waiting for their turn, but by their host.
func TestForecastTellsHostsApart(t *testing.T) {
	r := start(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), nil)
	r.add(time.Minute, "/1", "/2", "/3", "/4", "/5", "/6", "/7", "/8", "/9", "/10", "/11", "/12")
	for until := time.Now().Add(time.Minute); len(r.Silent()) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("a host that is down is not noticed")
		}
	}
	for until := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		r.look(t.Context())
		f := r.Forecast()
		if len(f.Silent) == 1 && f.Silent[0].Waiting > 0 && f.Waiting == 0 && f.Lost == 0 && !f.Silent[0].First.Before(r.now()) {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("the forecast is %+v", f)
		}
	}
}
