package chart

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"carebell/db"
	"carebell/web/care"
	"carebell/web/metriport"
)

// Names of the cursors: how far the inbox, and the further deliveries, have been taken into the chart.
const (
	CursorInbox  = "inbox"
	cursorRepeat = "repeat"
)

// version counts what this program makes of the same inbox: a chart that an earlier one made is made again. Raise it with
// every change of what is written into the chart.
const version = "3"

// How many messages one transaction takes, where nobody waits for the writer connection. It begins small and grows while
// there is a backlog.
const (
	leastBatch = 64
	mostBatch  = 2048
)

// Projector reads the inbox in order and keeps the chart. One process runs one.
type Projector struct {
	db     *db.DB
	log    *slog.Logger
	wake   chan struct{}
	queued func() // called when downloads may have been queued; must not block

	batch int    // how many messages the next transaction should take
	ahead *ahead // being read while the batch before is written; nil = nothing
	left  left   // of the last batch
}

// left is what a transaction did not come to, because somebody waited for the connection: the next one goes on with it.
type left struct {
	after    int64 // it begins behind this message
	messages []reading
}

// New makes a projector; [Projector.Run] starts it.
func New(d *db.DB, log *slog.Logger) *Projector {
	return &Projector{db: d, log: log, wake: make(chan struct{}, 1), queued: func() {}, batch: leastBatch}
}

// OnDownloads names the function to call after each batch, as downloads may wait then. Call it once, before Run.
func (p *Projector) OnDownloads(f func()) { p.queued = f }

// Wake says that the inbox may have grown. It never blocks.
func (p *Projector) Wake() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Run keeps the chart until ctx ends. It returns nil then; errors of the database are logged and tried again, because
// the inbox keeps what is not yet in the chart.
func (p *Projector) Run(ctx context.Context) error {
	defer p.settle()
	current := false
	for wait := time.Duration(0); ; {
		var n int
		var err error
		if current {
			n, err = p.Step(ctx)
		} else {
			n, err = 1, p.renewOld(ctx)
			current = err == nil
		}
		if err == nil && n == 0 {
			n, err = p.Again(ctx) // what is new goes first
		}
		if ctx.Err() != nil {
			return nil
		}
		switch {
		case err != nil:
			wait = min(max(2*wait, 100*time.Millisecond), 10*time.Second)
			p.log.Error("the chart is behind the inbox; trying again", "error", err, "in", wait)
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return nil
			}
		case n > 0:
			wait = 0
		default:
			wait = 0
			select {
			case <-p.wake:
			case <-ctx.Done():
				return nil
			}
		}
	}
}

const settingVersion = "chart version"

// renewOld has a chart that an earlier version of this program made be made again, from the beginning of the inbox.
func (p *Projector) renewOld(ctx context.Context) error {
	return p.db.Write(ctx, func(tx *db.Tx) error {
		made, err := tx.Setting(ctx, settingVersion)
		if err != nil || made == version {
			return err
		}
		from, err := tx.Cursor(ctx, CursorInbox)
		if err != nil {
			return err
		}
		if from > 0 {
			p.log.Info("an earlier version made the chart; making it again from the inbox", "messages", from)
			if err := tx.DropProjections(ctx); err != nil {
				return err
			}
		}
		return tx.SetSetting(ctx, settingVersion, version)
	})
}

// ahead is a batch that is read while the one before it is written: the inbox only grows, so what follows is known.
type ahead struct {
	after    int64 // it begins behind this message
	messages []reading
	err      error
	done     chan struct{}
}

// readAhead begins to read what follows message after.
func (p *Projector) readAhead(ctx context.Context, after int64, limit int) {
	next := &ahead{after: after, done: make(chan struct{})}
	p.ahead = next
	go func() {
		defer close(next.done)
		next.err = p.db.Read(ctx, func(s db.Snapshot) (err error) {
			next.messages, err = readAfter(ctx, s, after, limit)
			return err
		})
	}()
}

func readAfter(ctx context.Context, s db.Snapshot, after int64, limit int) ([]reading, error) {
	waiting, err := s.MessagesAfter(ctx, after, limit)
	if err != nil {
		return nil, err
	}
	messages := make([]reading, len(waiting))
	for i, w := range waiting {
		messages[i] = read(w)
	}
	return messages, nil
}

// take returns the messages after one, as many as the next transaction should take: those that are left or were read
// ahead, where they are these.
func (p *Projector) take(ctx context.Context, s db.Snapshot, after int64) ([]reading, error) {
	if l := p.left; l.after == after && len(l.messages) > 0 {
		return l.messages, nil
	}
	next := p.ahead
	if p.ahead = nil; next != nil {
		<-next.done
		if next.err == nil && next.after == after && len(next.messages) > 0 {
			return next.messages, nil
		}
	}
	return readAfter(ctx, s, after, p.batch)
}

// settle waits for what is read ahead, and forgets it.
func (p *Projector) settle() {
	if p.ahead != nil {
		<-p.ahead.done
		p.ahead = nil
	}
}

// Step takes one batch into the chart, in one transaction with its cursors, and returns how many messages and
// deliveries that were. 0 means that the chart is up to date.
func (p *Projector) Step(ctx context.Context) (int, error) {
	var from, fromRepeat, toRepeat int64
	var messages []reading
	var repeats []int64
	var renewals []db.Download
	err := p.db.Read(ctx, func(s db.Snapshot) (err error) {
		if from, err = s.Cursor(ctx, CursorInbox); err != nil {
			return err
		}
		if fromRepeat, err = s.Cursor(ctx, cursorRepeat); err != nil {
			return err
		}
		if messages, err = p.take(ctx, s, from); err != nil {
			return err
		}
		to := from
		if len(messages) > 0 {
			to = messages[len(messages)-1].Seq
		}
		if toRepeat, repeats, err = s.RepeatsAfter(ctx, fromRepeat, to, p.batch); err != nil {
			return err
		}
		renewals, err = freshLinks(ctx, s, fromRepeat, toRepeat)
		return err
	})
	if err != nil || len(messages)+len(repeats) == 0 {
		return 0, err
	}
	if len(messages) >= p.batch && p.ahead == nil {
		p.readAhead(ctx, messages[len(messages)-1].Seq, min(2*p.batch, mostBatch))
	}
	slices.Sort(repeats)
	repeats = slices.Compact(repeats)
	done, taken := 0, 0
	p.left = left{}
	err = p.write(ctx, messages, func(tx *db.Tx, a applied) error {
		to := from
		taken = a.messages
		if done = taken; done > 0 {
			to = messages[done-1].Seq
		}
		if len(repeats) > 0 && repeats[len(repeats)-1] <= to { // else they are of messages that are not there yet
			for _, seq := range repeats {
				if err := tx.CountDeliveries(ctx, seq); err != nil {
					return err
				}
			}
			if err := renew(ctx, tx, renewals); err != nil {
				return err
			}
			done += len(repeats)
			if err := tx.SetCursor(ctx, cursorRepeat, toRepeat); err != nil {
				return err
			}
		}
		return tx.SetCursor(ctx, CursorInbox, to)
	})
	if err != nil {
		return 0, err
	}
	if taken < len(messages) {
		p.left = left{after: messages[taken-1].Seq, messages: messages[taken:]}
	}
	p.adapt(len(messages), taken)
	p.queued()
	return done, nil
}

// adapt chooses how much is read for the next transaction: more while there is a backlog.
func (p *Projector) adapt(had, done int) {
	switch {
	case done < had: // the next one goes on with what is left
	case had >= p.batch:
		p.batch = min(2*p.batch, mostBatch)
	default:
		p.batch = leastBatch
	}
}

// applied says what a transaction did with its messages.
type applied struct {
	messages  int   // so many of them, from the first; the others come in the next one
	processed int64 // so many of those were understood
}

// write writes what a batch of messages says, and what else belongs into the same transaction. Nearly every batch can be
// written by few statements; only where a message cannot, each is written alone and gets a savepoint.
func (p *Projector) write(ctx context.Context, messages []reading, also func(tx *db.Tx, a applied) error) error {
	behind := db.Remade(ctx)
	in := func(alone bool) error {
		return p.db.Write(behind, func(tx *db.Tx) error {
			a, err := p.apply(ctx, tx, messages, alone)
			if err != nil {
				return err
			}
			return also(tx, a)
		})
	}
	err := in(false)
	var one unwritableError
	if !errors.As(err, &one) || p.db.BrokenBy() != nil || ctx.Err() != nil {
		return err
	}
	return in(true)
}

var errPanicked = errors.New("the handler panicked")

// unwritableError is that of messages that could not be written together.
type unwritableError struct{ error }

func (e unwritableError) Unwrap() error { return e.error }

// apply writes what a batch of messages says, some at a time, until somebody waits for the connection. Where they are
// written alone, one that cannot be is marked failed and costs no other; else the error is an [unwritableError].
func (p *Projector) apply(ctx context.Context, tx *db.Tx, messages []reading, alone bool) (a applied, err error) {
	tx.Visible() // at least "last event from Metriport" has moved
	again, err := repeatsAmong(ctx, tx, messages)
	if err != nil {
		return a, err
	}
	for len(messages) > 0 && (a.messages == 0 || !tx.Pressed()) {
		n := together(messages)
		if alone {
			n = 1
		}
		part := messages[:n]
		messages = messages[n:]
		if !alone {
			if err := attempt(func() error { return again.write(ctx, tx, part) }); err != nil {
				return a, unwritableError{err}
			}
		} else if err := tx.Savepoint(ctx, func() error { return again.write(ctx, tx, part) }); err != nil {
			if errors.Is(err, db.ErrTakenBack) || p.db.BrokenBy() != nil {
				return a, err
			}
			m := &part[0]
			p.log.Error("a message could not be taken into the chart; it is kept", "seq", m.Seq, "error", err)
			m.status, m.reason = db.StatusFailed, err.Error()
		}
		outcomes := make([]db.MessageOutcome, len(part))
		for i, m := range part {
			outcomes[i] = db.MessageOutcome{Seq: m.Seq, Status: m.status, Reason: m.reason, Patients: m.named}
			if m.status == db.StatusProcessed {
				a.processed++
			}
		}
		if err := tx.SetOutcomes(ctx, outcomes...); err != nil {
			return a, err
		}
		a.messages += n
	}
	return a, again.done(ctx, tx)
}

// mostTogether is how many messages are written by the same statements: about half of a turn. More would gain little.
const mostTogether = 32

// together is how many messages, from the first, are written by the same statements. What is written beside patients,
// notifications and links is written message by message: the chart comes out the same however a batch was cut.
func together(messages []reading) int {
	n := 0
	for n < len(messages) && n < mostTogether && len(messages[n].facts) == 0 {
		n++
	}
	return max(n, 1)
}

// attempt runs f. Its panic is an error.
func attempt(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = errPanicked
		}
	}()
	return f()
}

// refold makes the stays of patients again from all of their notices.
func refold(ctx context.Context, tx *db.Tx, patients []string) error {
	if len(patients) == 0 {
		return nil
	}
	histories, err := tx.Histories(ctx, patients)
	if err != nil {
		return err
	}
	for _, h := range histories {
		h.Stays = care.Fold(h.PatientID, h.Notices)
	}
	return tx.SaveStays(ctx, histories)
}

// findStays finds the stays of notices that are about to be written, so that each is written once. It returns the histories
// they are in, and the patients of whom one is read again: their stays are folded when it is written.
func findStays(ctx context.Context, tx *db.Tx, notifications []db.Notification) (histories []*db.History, again []string, err error) {
	notices := map[string][]*db.Notification{} // by patient
	var patients []string
	for i := range notifications {
		if n := &notifications[i]; n.Kind == care.Admit || n.Kind == care.Transfer || n.Kind == care.Discharge {
			notices[n.PatientID] = append(notices[n.PatientID], n)
			patients = append(patients, n.PatientID)
		}
	}
	if len(patients) == 0 {
		return nil, nil, nil
	}
	all, err := tx.Histories(ctx, patients)
	if err != nil {
		return nil, nil, err
	}
	for _, h := range all {
		if !h.Add(notices[h.PatientID]...) {
			again = append(again, h.PatientID)
			continue
		}
		h.Stays = care.Fold(h.PatientID, h.Notices)
		h.Place(notices[h.PatientID]...)
		histories = append(histories, h)
	}
	return histories, again, nil
}

// write writes what messages say.
func write(ctx context.Context, tx *db.Tx, messages []reading) error {
	var patients []db.PatientStatement
	var notifications []db.Notification
	var downloads []db.Download
	for _, m := range messages {
		patients, notifications, downloads = append(patients, m.patients...), append(notifications, m.notifications...), append(downloads, m.downloads...)
	}
	if err := tx.SavePatients(ctx, patients...); err != nil {
		return err
	}
	histories, again, err := findStays(ctx, tx, notifications)
	if err != nil {
		return err
	}
	if err := tx.AddNotifications(ctx, notifications...); err != nil {
		return err
	}
	if err := tx.SaveStays(ctx, histories); err != nil {
		return err
	}
	for _, m := range messages {
		for _, f := range m.facts {
			if err := f(ctx, tx); err != nil {
				return err
			}
		}
	}
	added, err := tx.QueueDownloads(ctx, downloads...)
	if err != nil {
		return err
	}
	if !added { // it is a rebuild, or they are read again: what was fetched is there already
		stays, err := writeRecords(ctx, tx, messages)
		if err != nil {
			return err
		}
		again = append(again, stays...)
	}
	return refold(ctx, tx, again)
}

// writeRecords takes what was fetched for messages before into the chart, and returns the patients whose stays it is about.
func writeRecords(ctx context.Context, tx *db.Tx, messages []reading) (stays []string, err error) {
	var seqs []int64
	for _, m := range messages {
		if len(m.downloads) > 0 {
			seqs = append(seqs, m.Seq)
		}
	}
	records, err := tx.RecordsOf(ctx, seqs...)
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		patients, err := applyRecord(ctx, tx, r.Download, r.Facts)
		if err != nil {
			return nil, err
		}
		stays = append(stays, patients...)
	}
	return stays, nil
}

// freshLinks finds the links in further deliveries whose body was another than the first: one of them may still live.
func freshLinks(ctx context.Context, s db.Snapshot, after, upTo int64) ([]db.Download, error) {
	changed, err := s.ChangedRepeats(ctx, after, upTo)
	if err != nil {
		return nil, err
	}
	return linksOf(changed), nil
}

func linksOf(changed []db.Repeat) (out []db.Download) {
	for _, r := range changed {
		e := metriport.ReadEnvelope(r.Body)
		if e.Malformed != "" || !metriport.Known(e.Type) {
			continue
		}
		event, err := metriport.ReadEvent(metriport.Type(e.Type), r.Body)
		if err != nil {
			continue // the first delivery counts; this one is kept beside it
		}
		out = append(out, downloads(db.Waiting{Seq: r.InboxSeq, ReceivedAt: r.ReceivedAt}, metriport.Type(e.Type), event)...)
	}
	return out
}

func renew(ctx context.Context, tx *db.Tx, links []db.Download) error {
	for _, d := range links {
		if err := tx.RenewDownload(ctx, d.InboxSeq, d.Place, d.URL, d.ExpiresAt); err != nil {
			return err
		}
	}
	return nil
}

// Rebuild makes the whole chart again from the inbox and returns how many messages it read. What people did (seen,
// done) stays. progress is called after every batch with how many messages are done.
func Rebuild(ctx context.Context, d *db.DB, log *slog.Logger, progress func(done int)) (int, error) {
	err := d.Write(ctx, func(tx *db.Tx) error {
		if err := tx.DropProjections(ctx); err != nil {
			return err
		}
		return tx.SetSetting(ctx, settingVersion, version)
	})
	if err != nil {
		return 0, err
	}
	p := New(d, log)
	defer p.settle()
	for total := 0; ; {
		n, err := p.Step(ctx)
		if err == nil && n == 0 {
			err = FoldHealth(ctx, d, log)
		}
		if err != nil || n == 0 {
			return total, err
		}
		total += n
		progress(total)
	}
}
