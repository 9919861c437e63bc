package archive

import (
	"cmp"
	"context"
	"slices"
	"time"

	"carebell/db"
)

// Forecast says what will become of the links that wait.
type Forecast struct {
	Waiting int     // ready, of hosts that answer
	Rate    float64 // links that are fetched a second, of late; 0 = not known
	Lost    int     // of Waiting, those that will die before their turn
	First   time.Time
	Silent  []SilentHost
}

// SilentHost is a host that does not answer, and what waits for it.
type SilentHost struct {
	db.DownloadHost
	Waiting int
	First   time.Time // when the first of them dies
}

// How the forecast is made.
const (
	forecastEvery = 10 * time.Second
	paceFor       = 5 * time.Second // so long must links have been fetched before their pace says something
	paceOver      = time.Minute
)

// pace is how fast links are fetched while there are some.
type pace struct {
	ends float64
	busy time.Duration
}

// add notes that ends links ended in a stretch of time in which links were being fetched. What was long ago counts less.
func (p *pace) add(ends int, busy time.Duration) {
	p.ends, p.busy = p.ends+float64(ends), p.busy+busy
	if p.busy > paceOver {
		p.ends, p.busy = p.ends/2, p.busy/2
	}
}

// rate is links a second; 0 where not enough was seen.
func (p *pace) rate() float64 {
	if p.busy < paceFor {
		return 0
	}
	return p.ends / p.busy.Seconds()
}

// predict says how many of the links that wait will die before their turn, where so many are fetched a second and those
// that die first go first; and when the first of these does.
func predict(steps []db.BacklogStep, now time.Time, rate float64) (lost int, first time.Time) {
	if rate <= 0 {
		return 0, first
	}
	slices.SortFunc(steps, func(a, b db.BacklogStep) int { return a.Until.Compare(b.Until) })
	fetched := 0
	for _, s := range steps {
		able := max(int(s.Until.Sub(now).Seconds()*rate)-fetched, 0)
		if s.Links > able {
			if lost += s.Links - able; first.IsZero() {
				first = s.Until
			}
		}
		fetched += min(s.Links, able)
	}
	return lost, first
}

// look makes the forecast anew.
func (a *Archive) look(ctx context.Context) {
	var steps []db.BacklogStep
	err := a.db.Read(ctx, func(v db.Snapshot) (err error) {
		steps, err = v.DownloadBacklog(ctx, a.now())
		return err
	})
	if err != nil {
		if ctx.Err() == nil {
			a.log.Warn("what waits to be fetched could not be counted", "error", err)
		}
		return
	}
	f := Forecast{}
	silent := map[string]*SilentHost{}
	for _, h := range a.Silent() {
		silent[h.Host] = &SilentHost{DownloadHost: h}
	}
	var up []db.BacklogStep
	for _, s := range steps {
		if h := silent[s.Host]; h != nil {
			if h.Waiting += s.Links; h.First.IsZero() || s.Until.Before(h.First) {
				h.First = s.Until
			}
			continue
		}
		f.Waiting += s.Links
		up = append(up, s)
	}
	for _, h := range silent {
		if h.Waiting > 0 {
			f.Silent = append(f.Silent, *h)
		}
	}
	slices.SortFunc(f.Silent, func(a, b SilentHost) int { return cmp.Or(b.Waiting-a.Waiting, cmp.Compare(a.Host, b.Host)) })
	a.mu.Lock()
	f.Rate = a.pace.rate()
	f.Lost, f.First = predict(up, a.now(), f.Rate)
	tell := (f.Lost > 0) != (a.forecast.Lost > 0) || len(f.Silent) != len(a.forecast.Silent) || f.Lost > 0 && f.Lost != a.forecast.Lost
	a.forecast = f
	a.mu.Unlock()
	if tell {
		a.alert()
	}
}

// Forecast says what will become of the links that wait, as of some seconds ago.
func (a *Archive) Forecast() Forecast {
	a.mu.Lock()
	defer a.mu.Unlock()
	f := a.forecast
	f.Silent = slices.Clone(f.Silent)
	return f
}

// lookAhead keeps the forecast until ctx ends.
func (a *Archive) lookAhead(ctx context.Context) {
	tick := time.NewTicker(forecastEvery)
	defer tick.Stop()
	for {
		a.look(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
