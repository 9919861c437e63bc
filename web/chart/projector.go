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
const version = "2"

// batchRows bounds one transaction, so that the receiver never waits long for the writer connection.
const batchRows = 64

// Projector reads the inbox in order and keeps the chart. One process runs one.
type Projector struct {
	db     *db.DB
	log    *slog.Logger
	wake   chan struct{}
	queued func() // called when downloads may have been queued; must not block
}

// New makes a projector; [Projector.Run] starts it.
func New(d *db.DB, log *slog.Logger) *Projector {
	return &Projector{db: d, log: log, wake: make(chan struct{}, 1), queued: func() {}}
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
			return nil //nolint:nilerr // a step that was called off has written nothing
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

// Step takes one batch into the chart, in one transaction with its cursors, and returns how many messages and
// deliveries that were. 0 means that the chart is up to date.
func (p *Projector) Step(ctx context.Context) (int, error) {
	var from, fromRepeat, to, toRepeat int64
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
		waiting, err := s.MessagesAfter(ctx, from, batchRows)
		if err != nil {
			return err
		}
		to = from
		for _, w := range waiting {
			messages = append(messages, read(w))
			to = w.Seq
		}
		if toRepeat, repeats, err = s.RepeatsAfter(ctx, fromRepeat, to, batchRows); err != nil {
			return err
		}
		renewals, err = freshLinks(ctx, s, fromRepeat, toRepeat)
		return err
	})
	if err != nil || len(messages)+len(repeats) == 0 {
		return 0, err
	}
	err = p.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := p.apply(ctx, tx, messages); err != nil {
			return err
		}
		slices.Sort(repeats)
		for _, seq := range slices.Compact(repeats) {
			if err := tx.CountDeliveries(ctx, seq); err != nil {
				return err
			}
		}
		if err := renew(ctx, tx, renewals); err != nil {
			return err
		}
		if err := tx.PruneChanges(ctx); err != nil {
			return err
		}
		if err := tx.SetCursor(ctx, CursorInbox, to); err != nil {
			return err
		}
		return tx.SetCursor(ctx, cursorRepeat, toRepeat)
	})
	if err == nil {
		p.queued()
	}
	return len(messages) + len(repeats), err
}

// apply writes what a batch of messages says, and returns how many of them were understood. A message that cannot be
// written is marked failed and costs no other.
func (p *Projector) apply(ctx context.Context, tx *db.Tx, messages []reading) (processed int64, err error) {
	tx.Visible() // at least "last event from Metriport" has moved
	needFold := map[string]bool{}
	for _, m := range messages {
		err := tx.Savepoint(ctx, func() error { return write(ctx, tx, m) })
		if err != nil {
			if errors.Is(err, db.ErrTakenBack) || p.db.BrokenBy() != nil {
				return processed, err
			}
			p.log.Error("a message could not be taken into the chart; it is kept", "seq", m.Seq, "error", err)
			m.status, m.reason, m.notifications = db.StatusFailed, err.Error(), nil
		}
		if err := tx.SetOutcome(ctx, m.Seq, m.status, m.reason); err != nil {
			return processed, err
		}
		if err := tx.SaveInboxPatients(ctx, m.Seq, m.named); err != nil {
			return processed, err
		}
		if m.status == db.StatusProcessed {
			processed++
		}
		for _, n := range m.notifications {
			if n.Kind == care.Admit || n.Kind == care.Transfer || n.Kind == care.Discharge {
				needFold[n.PatientID] = true
			}
		}
	}
	for patient := range needFold {
		if err := refold(ctx, tx, patient); err != nil {
			return processed, err
		}
	}
	return processed, nil
}

// refold makes the stays of a patient again from all of their notices.
func refold(ctx context.Context, tx *db.Tx, patientID string) error {
	notices, err := tx.Notices(ctx, patientID)
	if err != nil {
		return err
	}
	return tx.SaveStays(ctx, patientID, care.Fold(patientID, notices))
}

func write(ctx context.Context, tx *db.Tx, m reading) error {
	for _, s := range m.patients {
		if err := tx.SavePatient(ctx, s); err != nil {
			return err
		}
	}
	for _, n := range m.notifications {
		if err := tx.AddNotification(ctx, n); err != nil {
			return err
		}
	}
	for _, f := range m.facts {
		if err := f(ctx, tx); err != nil {
			return err
		}
	}
	for _, d := range m.downloads {
		if err := tx.AddDownload(ctx, d); err != nil {
			return err
		}
	}
	if len(m.downloads) == 0 {
		return nil
	}
	records, err := tx.RecordsOf(ctx, m.Seq) // in a rebuild what was fetched is there already
	if err != nil {
		return err
	}
	for _, r := range records {
		if _, err := applyRecord(ctx, tx, r.Download, r.Facts); err != nil {
			return err
		}
	}
	return nil
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
	for total := 0; ; {
		n, err := p.Step(ctx)
		if err != nil || n == 0 {
			return total, err
		}
		total += n
		progress(total)
	}
}
