package db

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// ImportStuckAfter is how long a job may be silent while it waits or runs before it is called stuck.
const ImportStuckAfter = 30 * time.Minute

// The states of a job that mean something here. The sender may say others; they are kept as sent.
const (
	ImportWaiting    = "waiting"
	ImportProcessing = "processing"
	ImportCompleted  = "completed"
	ImportFailed     = "failed"
	ImportExpired    = "expired"
)

// ImportIDFrom says which id names a job.
type ImportIDFrom int

// The ids that can name a job, the best first.
const (
	ImportOwnID     ImportIDFrom = iota // bulkPatientCreate.requestId
	ImportRequestID                     // meta.requestId, where the job names none of its own
	ImportMessageID                     // the message's own id, where nothing else names the job
)

// ImportEvent is what one message says of a job.
type ImportEvent struct {
	InboxSeq   int64
	MessageID  string
	Job        string
	JobFrom    ImportIDFrom
	State      string // as sent; "" = not sent
	Reason     string
	SentAt     time.Time // zero where the sender did not say
	ReceivedAt time.Time
	Data       []byte // JSON of meta.data; nil = not sent
	Test       bool
}

// SaveImportEvent takes an event into its job's history. The job's state is that of the event sent last; that it has
// completed or failed is not taken back by any other state. Neither depends on the order of arrival.
func (tx *Tx) SaveImportEvent(ctx context.Context, e ImportEvent) error {
	var no int64
	err := tx.row(ctx, `INSERT INTO import_job (no, id, id_from) VALUES (?1, ?2, ?3)
		ON CONFLICT (id) DO UPDATE SET id_from = min(id_from, ?3) RETURNING no`, e.InboxSeq, e.Job, e.JobFrom).Scan(&no)
	if err != nil {
		return fmt.Errorf("saving an import: %w", err)
	}
	if _, err := tx.exec(ctx, `INSERT INTO import_event (inbox_seq, job_no, message_id, state, reason, sent_at, received_at, data, test) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
		ON CONFLICT (inbox_seq) DO UPDATE SET job_no = ?2, state = ?4, reason = ?5, sent_at = ?6, data = ?8, test = ?9`,
		e.InboxSeq, no, e.MessageID, e.State, e.Reason, millis(e.SentAt), millis(e.ReceivedAt), string(e.Data), e.Test); err != nil {
		return fmt.Errorf("saving an import's event: %w", err)
	}
	_, err = tx.exec(ctx, `WITH event AS (SELECT *, coalesce(sent_at, received_at) AS at FROM import_event WHERE job_no = ?1),
			last AS (SELECT * FROM event ORDER BY state IN ('completed', 'failed') DESC, coalesce(sent_at, 0) DESC, message_id DESC LIMIT 1)
		UPDATE import_job SET (state, reason, ended_at) = (SELECT state, reason, iif(state IN ('completed', 'failed', 'expired'), at, NULL) FROM last),
			started_at = (SELECT min(at) FROM event WHERE state NOT IN ('completed', 'failed', 'expired')),
			heard_at = (SELECT max(min(at, received_at)) FROM event)
		WHERE no = ?1`, no)
	if err != nil {
		return fmt.Errorf("settling an import: %w", err)
	}
	if err := tx.Index(ctx, SearchImport, e.Job, "", e.Job); err != nil {
		return err
	}
	return tx.changedItem(ctx, TopicImports, no, "")
}

// changedImport tells screens that the job that message inboxSeq belongs to has changed.
func (tx *Tx) changedImport(ctx context.Context, inboxSeq int64) error {
	tx.Visible()
	_, err := tx.exec(ctx, `INSERT INTO change (topic, item) SELECT ?, job_no FROM import_event WHERE inbox_seq = ?`, TopicImports, inboxSeq)
	if err != nil {
		return fmt.Errorf("numbering a change of an import: %w", err)
	}
	return nil
}

// TellStuckImports numbers a change of each job that became stuck after from, up to and including to: nothing but the
// clock changes it.
func (tx *Tx) TellStuckImports(ctx context.Context, from, to time.Time) error {
	result, err := tx.exec(ctx, `INSERT INTO change (topic, item) SELECT ?, no FROM import_job
		WHERE state IN ('waiting', 'processing') AND heard_at > ? AND heard_at <= ?`, TopicImports, millis(from.Add(-ImportStuckAfter)), millis(to.Add(-ImportStuckAfter)))
	if err != nil {
		return fmt.Errorf("telling of stuck imports: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return err
	}
	tx.Visible()
	return nil
}

// NextStuckImport is when the next job becomes stuck if nothing more is heard of it; zero where none can.
func (s Snapshot) NextStuckImport(ctx context.Context, now time.Time) (time.Time, error) {
	var heard sql.NullInt64
	err := s.QueryRowContext(ctx, `SELECT min(heard_at) FROM import_job WHERE state IN ('waiting', 'processing') AND heard_at > ?`,
		millis(now.Add(-ImportStuckAfter))).Scan(&heard)
	if err != nil || !heard.Valid {
		return time.Time{}, err
	}
	return instant(heard).Add(ImportStuckAfter), nil
}

// Import is one job. Times that are not known are zero.
type Import struct {
	No        int64 // place in the list; never shown
	ID        string
	IDFrom    ImportIDFrom
	State     string // as sent; "" = not sent
	Reason    string
	StartedAt time.Time // by the first event that is no end
	EndedAt   time.Time
	HeardAt   time.Time // when it was last heard of
	CameAt    time.Time // when its first event came in
	Result    Download  // the file with its rows; ID 0 = no link came
	File      ImportFile
}

// Stuck says whether the job waits or runs and has been silent for too long.
func (i Import) Stuck(now time.Time) bool {
	return (i.State == ImportWaiting || i.State == ImportProcessing) && now.Sub(i.HeardAt) >= ImportStuckAfter
}

// Places of a list of imports that stand for more than one state.
const (
	ImportStuck = "stuck"
	ImportOther = "other"
)

// ImportFilter narrows the list of jobs, which comes latest arrival first.
type ImportFilter struct {
	State  string // one of the states above, [ImportStuck], or [ImportOther]; "" = all
	Now    time.Time
	Text   string  // part of the id
	Before int64   // only numbers below; 0 = from the top
	Nos    []int64 // only these; nil = all
	Limit  int
	Reach  int // look at no more than about so many jobs; 0 = at all
}

// Within implements [ListFilter].
func (f ImportFilter) Within(w Window) ImportFilter {
	f.Before, f.Nos, f.Limit, f.Reach = w.Before, w.IDs, w.Limit, w.Reach
	return f
}

// resultOf is the download that has a job's rows: a stored one before one that was removed before the others, then that of
// the event sent last.
const resultOf = `(SELECT r.id FROM import_event e CROSS JOIN download r ON r.inbox_seq = e.inbox_seq AND r.purpose = 'import' WHERE e.job_no = j.no
	ORDER BY r.state = 'stored' DESC, r.state = 'removed' DESC, coalesce(e.sent_at, 0) DESC, e.message_id DESC LIMIT 1)`

func selectImport(from string) string {
	return `SELECT j.no, j.id, j.id_from, j.state, j.reason, j.started_at, j.ended_at, j.heard_at, (SELECT received_at FROM import_event WHERE inbox_seq = j.no),
		coalesce(d.id, 0), coalesce(d.state, ''), coalesce(d.reason, ''), coalesce(d.name, ''), coalesce(d.size, 0), coalesce(d.file, ''), ` + importFileColumns + `
	FROM ` + from + ` LEFT JOIN download d ON d.id = ` + resultOf + ` LEFT JOIN import_file f ON f.download_id = d.id`
}

func (i *Import) scan(rows interface{ Scan(...any) error }) error {
	var started, ended, heard, came sql.NullInt64
	into := append([]any{
		&i.No, &i.ID, &i.IDFrom, &i.State, &i.Reason, &started, &ended, &heard, &came,
		&i.Result.ID, &i.Result.State, &i.Result.Reason, &i.Result.Name, &i.Result.Size, &i.Result.File,
	}, i.File.columns()...)
	if err := rows.Scan(into...); err != nil {
		return err
	}
	i.StartedAt, i.EndedAt, i.HeardAt, i.CameAt = instant(started), instant(ended), instant(heard), instant(came)
	i.File.Download = i.Result.ID
	i.File.split()
	return nil
}

// ImportPage lists the jobs that fit f, and says where the list goes on that was not searched to its end.
func (s Snapshot) ImportPage(ctx context.Context, f ImportFilter) ([]Import, Rest, error) {
	w, err := f.walk(ctx, s)
	if err != nil {
		return nil, Rest{}, err
	}
	rest, err := s.bound(ctx, &w, f.Reach)
	if err != nil {
		return nil, rest, err
	}
	where, args := w.where()
	rows, err := s.QueryContext(ctx, selectImport(w.source())+` WHERE `+where+` ORDER BY j.no DESC LIMIT ?`, append(args, f.Limit)...)
	if err != nil {
		return nil, rest, fmt.Errorf("listing imports: %w", err)
	}
	list, err := collect(rows, func(i *Import) error { return i.scan(rows) })
	return list, rest.after(len(list), f.Limit), err
}

// walk chooses the index that f is answered by. What it does not answer is tested row by row.
func (f ImportFilter) walk(context.Context, Snapshot) (walk, error) {
	w := walk{from: "import_job j", id: "j.no", at: "j.heard_at"}
	var state conditions
	index := ""
	switch f.State {
	case "":
	case ImportStuck:
		state.add("j.state IN ('waiting', 'processing') AND j.heard_at <= ?", millis(f.Now.Add(-ImportStuckAfter)))
		index = " INDEXED BY import_job_open"
	case ImportOther:
		state.add("j.state NOT IN ('waiting', 'processing', 'completed', 'failed', 'expired')")
	default:
		state.add("j.state = ?", f.State)
		index = " INDEXED BY import_job_state"
	}
	switch {
	case f.Nos != nil:
		if err := w.along.among("j.no", f.Nos); err != nil {
			return w, err
		}
		w.tests, w.short = state, true
	case index != "":
		w.from += index
		w.along = state
	default:
		w.tests = state
	}
	if f.Text != "" {
		w.tests.add(`j.id LIKE ? ESCAPE '\'`, "%"+escapeLike(f.Text)+"%")
	}
	if f.Before > 0 {
		w.along.add("j.no < ?", f.Before)
	}
	return w, nil
}

// Import returns the job with an id, or sql.ErrNoRows.
func (s Snapshot) Import(ctx context.Context, id string) (i Import, err error) {
	return i, i.scan(s.QueryRowContext(ctx, selectImport("import_job j")+` WHERE j.id = ?`, id))
}

// ImportHistory lists what was said of a job, first to last: by when it was sent, what was sent at the same time by its
// message's id, and what does not say when before all others. Of more than limit, the last ones come.
func (s Snapshot) ImportHistory(ctx context.Context, no int64, limit int) ([]ImportEvent, error) {
	rows, err := s.QueryContext(ctx, `SELECT * FROM (SELECT inbox_seq, message_id, state, reason, sent_at, received_at, data, test FROM import_event WHERE job_no = ?
		ORDER BY sent_at DESC, message_id DESC LIMIT ?) ORDER BY sent_at, message_id`, no, limit)
	if err != nil {
		return nil, fmt.Errorf("listing an import's history: %w", err)
	}
	return collect(rows, func(e *ImportEvent) error {
		var sent, received sql.NullInt64
		err := rows.Scan(&e.InboxSeq, &e.MessageID, &e.State, &e.Reason, &sent, &received, &e.Data, &e.Test)
		e.SentAt, e.ReceivedAt = instant(sent), instant(received)
		return err
	})
}
