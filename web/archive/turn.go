package archive

import (
	"context"
	"errors"
	"sync"
	"time"

	"carebell/db"
)

// How results are written down: as many in one transaction as wait, within bounds, because the receiver waits for its end.
const (
	mostResults = 128                   // that one turn writes down, and files that it brings to the disk
	turnEvery   = 20 * time.Millisecond // from the beginning of one turn to that of the next
	writeTime   = 30 * time.Second
	mostTries   = 1000    // to write down how a fetch ended without a file, a second apart
	syncAlone   = 1 << 20 // bytes from which a file is brought to the disk before its turn, so that none waits for it
)

// result is how one fetch ended, until it is written down.
type result struct {
	download db.Download
	write    func(ctx context.Context, tx *db.Tx) error // nil of a file

	// Of a file that is to be stored.
	writer *Writer
	inside *inside
	facts  []byte
	began  time.Time
	kept   bool // it is on the disk under its name

	err   error // of the disk
	tries int   // how often it could not be written down
}

// discard removes what there is of a file that is not stored.
func (r *result) discard() {
	if r.writer == nil {
		return
	}
	if r.kept {
		_ = r.writer.vault.Remove(r.writer.Name) // where it stays, an encrypted file that nobody names costs room and nothing else
	}
	r.writer.Discard()
	r.inside.settle(false)
	r.inside.discard()
}

// hand gives a result to the next turn.
func (a *Archive) hand(r *result) {
	if r.writer != nil && r.writer.Size() >= syncAlone {
		if err := r.writer.Seal(); err != nil {
			r.discard()
			a.close(r.download, &diskError{err})
			return
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.writer != nil {
		a.files++
		a.fetched = append(a.fetched, r)
		signal(a.some)
		return
	}
	a.ended = append(a.ended, r)
	signal(a.wake)
}

// keepFiles brings files to the disk, as many together as wait, until stop is closed and none is left. Fetching goes on
// meanwhile.
func (a *Archive) keepFiles(stop <-chan struct{}) {
	for {
		a.mu.Lock()
		n := min(len(a.fetched), mostResults)
		results := a.fetched[:n:n]
		a.fetched = a.fetched[n:]
		a.mu.Unlock()
		if n > 0 {
			kept := a.onDisk(results)
			a.mu.Lock()
			a.ended = append(a.ended, kept...)
			a.mu.Unlock()
			a.Wake()
			continue
		}
		select {
		case <-a.some:
		case <-stop:
			select {
			case <-a.some:
			default:
				return
			}
		}
	}
}

// Run fetches until ctx ends, and waits for what is under way to stop.
func (a *Archive) Run(ctx context.Context) error {
	var down []db.DownloadHost
	err := a.db.Write(ctx, func(tx *db.Tx) (err error) {
		down, err = tx.ResumeDownloads(ctx)
		return err
	})
	if err != nil && ctx.Err() == nil {
		a.log.Error("interrupted downloads could not be resumed", "error", err)
	}
	a.hosts.resume(down)
	stop := make(chan struct{})
	var keeping sync.WaitGroup
	keeping.Go(func() { a.keepFiles(stop) })
	keeping.Go(func() { a.lookAhead(ctx) })
	defer func() {
		a.running.Wait()
		close(stop)
		keeping.Wait()
		a.finish(ctx)
	}()
	sweeping := time.NewTicker(sweepEvery)
	defer sweeping.Stop()
	a.running.Go(func() { a.reread(ctx) })
	a.sweep(ctx)
	timer := time.NewTimer(0)
	defer timer.Stop()
	last := time.Now() //nolint:forbidigo // the pace of this process, not the clinic's time
	for {
		began := time.Now() //nolint:forbidigo // as above
		a.measure(began.Sub(last))
		last = began
		timer.Reset(max(a.turn(ctx), 0))
		select {
		case <-a.wake:
		case <-timer.C:
		case <-sweeping.C:
			a.sweep(ctx)
		case <-ctx.Done():
			return nil
		}
		timer.Reset(turnEvery - time.Since(began)) // meanwhile more comes that goes with it
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// finish writes down what has ended, at the end of it all.
func (a *Archive) finish(ctx context.Context) {
	for range 2*a.hosts.all()/mostResults + 3 {
		results := a.take()
		if len(results) == 0 {
			return
		}
		a.settle(ctx, results, nil)
	}
	for _, r := range a.take() {
		r.discard()
	}
}

// turn writes down what has ended and begins what is due, and returns how long to rest where nothing wakes it.
func (a *Archive) turn(ctx context.Context) time.Duration {
	const idle = time.Minute
	results := a.take()
	n := min(a.hosts.free(), 3*a.hosts.all()-a.unsettled())
	if !a.roomOnDisk() {
		n = 0
	}
	t := &taking{n: n}
	if n > 0 || len(results) > 0 {
		a.settle(ctx, results, t)
	}
	for _, d := range t.due {
		trial := a.hosts.begin(d)
		a.running.Go(func() {
			a.one(ctx, d, trial)
			a.Wake()
		})
	}
	switch {
	case t.failed:
		return time.Second
	case a.waiting():
		return 0
	case a.DiskFull():
		return 10 * time.Second
	case n <= 0 || t.next.IsZero():
		return idle // the end of a running one wakes
	}
	return min(max(t.next.Sub(a.now()), 0), idle)
}

// measure notes how many links ended since the turn before, where some were being fetched.
func (a *Archive) measure(since time.Duration) {
	running := a.hosts.free() < a.hosts.all()
	a.mu.Lock()
	defer a.mu.Unlock()
	if running || a.ends > 0 {
		a.pace.add(a.ends, since)
	}
	a.ends = 0
}

// taking is what one turn takes from the queue.
type taking struct {
	n      int
	due    []db.Download
	next   time.Time // when more is due; zero = not known to be
	failed bool
}

// take returns what has ended, up to what one turn writes down.
func (a *Archive) take() []*result {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := min(len(a.ended), mostResults)
	out := a.ended[:n:n]
	a.ended = a.ended[n:]
	return out
}

// unsettled counts the files that were fetched and are not yet written down.
func (a *Archive) unsettled() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.files
}

// waiting says whether there is something for the next turn.
func (a *Archive) waiting() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.ended) > 0
}

// dropped notes that a file waits no more.
func (a *Archive) dropped() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.files--
}

// settle writes down, in one transaction, how fetches ended, and takes what is due.
func (a *Archive) settle(ctx context.Context, results []*result, t *taking) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTime)
	defer cancel()
	news := a.hosts.news()
	done, err := a.together(ctx, results, news, t)
	if err == nil {
		a.settled(results[:done])
		a.mu.Lock()
		a.ended = append(results[done:len(results):len(results)], a.ended...)
		a.mu.Unlock()
		return
	}
	if t != nil {
		t.due, t.next, t.failed = nil, time.Time{}, true
	}
	a.hosts.again(news)
	if len(results) == 0 {
		a.log.Error("due downloads could not be taken; trying again", "error", err)
	}
	for _, r := range results { // what fails may lie in one of them, which must not cost the others
		if len(results) > 1 && a.db.BrokenBy() == nil {
			_, err = a.together(ctx, []*result{r}, nil, nil)
		}
		switch r.tries++; {
		case err == nil:
			a.settled([]*result{r})
		case r.writer != nil:
			r.discard()
			a.dropped()
			a.close(r.download, &diskError{err})
		case r.tries < mostTries && a.db.BrokenBy() == nil: // there may be room again
			a.mu.Lock()
			a.ended = append(a.ended, r)
			a.mu.Unlock()
		default:
			a.log.Error("the state of a download could not be written; it is fetched again after the next start", "download", r.download.ID, "error", err)
		}
	}
}

// onDisk keeps the files of results. What the disk does not take is fetched again.
func (a *Archive) onDisk(results []*result) []*result {
	var files []*Writer
	var of []*result
	for _, r := range results {
		if r.writer != nil && !r.kept {
			files, of = append(files, r.writer), append(of, r)
		}
	}
	for i, err := range a.vault.keep(files) {
		if of[i].kept = err == nil; err != nil {
			of[i].err = err
		}
	}
	out := results[:0:0]
	for _, r := range results {
		if r.err != nil {
			err := r.err
			r.discard()
			a.dropped()
			a.close(r.download, &diskError{err})
			continue
		}
		out = append(out, r)
	}
	return out
}

// together writes results down in one transaction, and returns how many there was time for. It shares the turns of what is
// behind with the chart: each would else hold up the other with many short turns.
func (a *Archive) together(ctx context.Context, results []*result, news []db.DownloadHost, t *taking) (done int, err error) {
	err = a.db.Write(db.Behind(ctx), func(tx *db.Tx) error {
		for _, h := range news {
			if err := tx.SaveDownloadHost(ctx, h); err != nil {
				return err
			}
		}
		for done = 0; done < len(results) && (done == 0 || !tx.Pressed()); done++ {
			if err := a.write(ctx, tx, results[done]); err != nil {
				return err
			}
		}
		if done > 0 {
			if err := tx.PruneChanges(ctx); err != nil {
				return err
			}
		}
		if t == nil || t.n <= 0 {
			return nil
		}
		t.due, t.next, err = tx.TakeDownloads(ctx, t.n, a.hosts.room)
		return err
	})
	return done, err
}

// write writes down how a fetch ended. Of a file, what it says is taken into the chart with it; the same content is kept once.
func (a *Archive) write(ctx context.Context, tx *db.Tx, r *result) error {
	if r.write != nil {
		return r.write(ctx, tx)
	}
	d := &r.download
	d.File = r.writer.Name
	same, err := tx.StoredContent(ctx, d.SHA256)
	if err != nil {
		return err
	}
	if same != "" {
		d.File = same
	}
	if err := tx.EndDownload(ctx, *d); err != nil {
		return err
	}
	if err := r.inside.add(ctx, tx, *d); err != nil || r.facts == nil {
		return err
	}
	if err := tx.SaveRecord(ctx, d.ID, r.facts); err != nil {
		return err
	}
	err = tx.Savepoint(ctx, func() error { return a.apply(ctx, tx, *d, r.facts) })
	if err == nil || errors.Is(err, db.ErrTakenBack) || a.db.BrokenBy() != nil {
		return err
	}
	a.log.Error("what a stored file says could not be taken into the chart; it is kept", "download", d.ID, "error", err)
	return nil
}

// settled ends what was written down.
func (a *Archive) settled(results []*result) {
	for _, r := range results {
		if r.writer == nil {
			continue
		}
		a.dropped()
		r.inside.settle(true)
		r.inside.discard()
		if r.download.File != r.writer.Name {
			if err := a.vault.Remove(r.writer.Name); err != nil {
				a.log.Warn("a file that is there twice could not be removed", "download", r.download.ID, "error", err)
			}
		}
		a.log.Info("download stored", "download", r.download.ID, "purpose", r.download.Purpose, "size", r.download.Size, "took", a.now().Sub(r.began).Round(time.Millisecond))
		a.stored(r.download)
	}
}
