package intake

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"carebell/db"
)

// Refusals counts refused requests by reason and writes the counts down now and then, so that a stranger who sends
// many costs neither disk nor log.
type Refusals struct {
	mu      sync.Mutex
	pending map[string]int64
	total   map[string]int64
}

// Add counts one refused request.
func (r *Refusals) Add(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending == nil {
		r.pending = map[string]int64{}
	}
	if r.total == nil {
		r.total = map[string]int64{}
	}
	r.pending[reason]++
	r.total[reason]++
}

// Total returns the counts since the start.
func (r *Refusals) Total() map[string]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.total)
}

// flushEvery is how long a count may exist in memory only, and how often a reason may appear in the log.
const flushEvery = 10 * time.Second

// Run writes the counts down until ctx ends, and once more then.
func (r *Refusals) Run(ctx context.Context, d *db.DB, log *slog.Logger) error {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.flush(d, log)
		case <-ctx.Done():
			r.flush(d, log)
			return nil
		}
	}
}

func (r *Refusals) flush(d *db.DB, log *slog.Logger) {
	r.mu.Lock()
	counts := r.pending
	r.pending = nil
	r.mu.Unlock()
	if len(counts) == 0 {
		return
	}
	for reason, n := range counts {
		log.Warn("webhook requests refused", "reason", reason, "count", n, "within", flushEvery)
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushEvery)
	defer cancel()
	if err := d.Write(ctx, func(tx *db.Tx) error { return tx.CountRejections(ctx, counts) }); err != nil {
		log.Error("refused requests could not be counted; it is tried again", "error", err)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.pending == nil {
			r.pending = map[string]int64{}
		}
		for reason, n := range counts {
			r.pending[reason] += n
		}
	}
}
