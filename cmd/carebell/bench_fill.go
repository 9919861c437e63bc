package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"carebell/db"
	"carebell/web"
	"carebell/web/chart"
	"carebell/web/intake"
	"carebell/web/metriport"
	"carebell/web/sim"
)

// fillBench makes a large database as a practice would have it after months.
type fillBench struct {
	events  int
	records int // one story in so many has its files; 0 = by the number of events
	days    int
}

// How a fill goes on.
const (
	fillPlanFile = "fill.json"
	fillDays     = 180
	fillSenders  = 128
	fillAhead    = 24_000  // messages that the chart may be behind; then it goes alone
	fillResume   = 2_000   // and so few before more are delivered
	fillWindow   = 4096    // messages that are delivered again where a fill goes on, because they may not have been kept
	fillImport   = 100_000 // rows of one import
	fillUnmarked = 0.08    // of the notifications, the newest, that nobody has looked at yet
	marksAtOnce  = 256

	// What one takes on the disk, with room to spare.
	bytesPerEvent  = 3 << 10
	bytesPerRecord = 40 << 10
	bytesLeftOver  = 1 << 30
)

// fillPeople are those who marked the notifications.
var fillPeople = []string{"north@clinic.example", "south@clinic.example", "east@clinic.example"}

// filling is one fill under way.
type filling struct {
	plan  *fillPlan
	dir   string
	db    *db.DB
	srv   *web.Server
	t     terminal
	clock atomic.Int64 // milliseconds UTC: the time of the message that is sent

	sent   atomic.Int64
	behind atomic.Int64 // messages that the chart has not taken in
	marked int64        // the last message whose notifications were looked at
	marks  int64
	people []int64
	kinds  [32]atomic.Int64
}

// run fills the folder dir, or goes on where a fill of it stopped.
func (o fillBench) run(ctx context.Context, dir string, t terminal) (err error) {
	if o.events < 1000 || o.events > 50_000_000 {
		return fmt.Errorf("--events is %d: choose a number from 1000 to 50000000", o.events)
	}
	if o.days < 2 || o.days > 3650 || o.records < 0 {
		return fmt.Errorf("--days is %d and --records %d: choose 2 to 3650 days, and one story in 1 or more, or 0 for the usual", o.days, o.records)
	}
	if o.records == 0 {
		o.records = usualRecords(o.events)
	}
	plan, err := o.plan(dir)
	if err != nil {
		return err
	}
	if err := plan.prepare(); err != nil {
		return fmt.Errorf("making the models of messages: %w", err)
	}
	f := &filling{plan: plan, dir: dir, t: t}
	f.clock.Store(plan.From.UnixMilli())
	if f.db, err = db.Open(ctx, dir, db.Options{Now: f.now, Serve: true}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.db.Close()) }()
	if err := f.room(ctx); err != nil {
		return err
	}
	listener, err := listenLoopback(ctx)
	if err != nil {
		return fmt.Errorf("cannot start an origin to fetch from: %w", err)
	}
	origin := "http://" + listener.Addr().String()
	sender := sim.New(sim.Options{Now: now, Seed: 9, BaseURL: origin + "/import"})
	mux := http.NewServeMux()
	mux.Handle("/objects/", plan)
	mux.Handle("/import/", http.StripPrefix("/import", sender.Store()))
	serving := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = serving.Serve(listener) }()
	defer func() { _ = serving.Close() }()

	f.srv, err = web.New(ctx, web.Config{
		Addr: "127.0.0.1:0", Keys: []intake.Key{{Value: benchKey}}, Zone: time.UTC, DataDir: dir, DownloadHosts: []string{listener.Addr().String()},
		Now: func() time.Time { return plan.From }, // so that no link dies while months go by in minutes
		Log: slog.New(slog.NewTextHandler(t.log, &slog.HandlerOptions{Level: slog.LevelError})),
	}, f.db)
	if err != nil {
		return err
	}
	if err := f.srv.Listen(ctx); err != nil {
		return err
	}
	work, stop := context.WithCancel(ctx)
	defer stop()
	g, work := errgroup.WithContext(work)
	g.Go(func() error { return f.srv.Run(work) })
	g.Go(func() error {
		defer stop()
		return f.all(work, origin, sender)
	})
	err = g.Wait()
	switch {
	case ctx.Err() != nil:
		return errors.New("the fill was interrupted: the same command goes on where it stopped")
	case err != nil:
		return fmt.Errorf("the fill stopped: %w; the same command goes on where it did", err)
	}
	return nil
}

// usualRecords is how rare stories with files are: a record costs as much as some twenty events without one.
func usualRecords(events int) int {
	switch {
	case events < 20_000:
		return 1
	case events < 200_000:
		return 10
	}
	return 100
}

// plan reads the plan of a fill that was begun, or begins one.
func (o fillBench) plan(dir string) (*fillPlan, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the folder %s: %w; choose another", dir, err)
	}
	path := filepath.Join(dir, fillPlanFile)
	written, err := os.ReadFile(path) //nolint:gosec // in the folder that was asked for
	if err == nil {
		var p fillPlan
		if err := json.Unmarshal(written, &p); err != nil {
			return nil, fmt.Errorf("%s cannot be read: %w; choose an empty folder", path, err)
		}
		if p.Events != o.events || p.Records != o.records || p.Days != o.days {
			return nil, fmt.Errorf("the folder %s holds a fill of other numbers (--events %d --records %d --days %d): go on with these or choose an empty folder", dir, p.Events, p.Records, p.Days)
		}
		return &p, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	if _, err := os.Stat(filepath.Join(dir, db.FileName)); err == nil {
		return nil, fmt.Errorf("the folder %s holds the data of somebody: choose an empty one", dir)
	}
	p := &fillPlan{Events: o.events, Records: o.records, Days: o.days, From: now().UTC().Truncate(time.Minute).AddDate(0, 0, -o.days)}
	written, err = json.Marshal(p)
	if err == nil {
		err = os.WriteFile(path, written, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot write in the folder %s: %w; choose another", dir, err)
	}
	return p, nil
}

func (f *filling) now() time.Time { return time.UnixMilli(f.clock.Load()).UTC() }

// head is how many messages are in the inbox.
func (f *filling) health(ctx context.Context) (h db.Health, err error) {
	err = f.db.Read(ctx, func(v db.Snapshot) error {
		h, err = v.Health(ctx, chart.CursorInbox)
		return err
	})
	return h, err
}

// room says so where the disk will not hold it.
func (f *filling) room(ctx context.Context) error {
	h, err := f.health(ctx)
	if err != nil {
		return err
	}
	var s unix.Statfs_t
	if err := unix.Statfs(f.dir, &s); err != nil {
		return fmt.Errorf("measuring the disk: %w", err)
	}
	left := int64(f.plan.Events) - h.Head
	need := left*bytesPerEvent + left/int64(f.plan.Records)*bytesPerRecord + bytesLeftOver
	if free := int64(s.Bavail) * s.Bsize; need > free {
		return fmt.Errorf("%d events need about %.0f GB and the disk of %s has %.0f GB free: choose fewer, or another disk", left, float64(need)/1e9, f.dir, float64(free)/1e9)
	}
	return nil
}

// all delivers the messages, marks notifications and waits until everything is in its place.
func (f *filling) all(ctx context.Context, origin string, sender *sim.Sim) error {
	h, err := f.health(ctx)
	if err != nil {
		return err
	}
	if err := f.addPeople(ctx); err != nil {
		return err
	}
	if h.Head > 0 {
		fmt.Fprintf(f.t.log, "going on: %d of %d messages are there; up to %d are delivered again\n", h.Head, f.plan.Events, fillWindow)
	}
	began := now()
	watch, stop := context.WithCancel(ctx)
	var beside errgroup.Group
	beside.Go(func() error { return f.watch(watch, h.Head) })
	beside.Go(func() error { return f.mark(watch) })
	err = f.deliver(ctx, origin, h.Head)
	if err == nil {
		err = f.importMany(ctx, sender, h.Head)
	}
	if err == nil {
		err = f.settled(ctx, true)
	}
	took := now().Sub(began)
	stop()
	if err = errors.Join(err, beside.Wait()); err != nil || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	return f.tell(ctx, int64(f.plan.Events)-h.Head, took)
}

func (f *filling) addPeople(ctx context.Context) error {
	for _, email := range fillPeople {
		id, err := f.person(ctx, email)
		if errors.Is(err, sql.ErrNoRows) {
			if err := f.srv.Auth().AddUser(ctx, email, db.Coordinator, benchPassword); err != nil {
				return err
			}
			id, err = f.person(ctx, email)
		}
		if err != nil {
			return err
		}
		f.people = append(f.people, id)
	}
	return f.db.Read(ctx, func(v db.Snapshot) error {
		var last int64
		err := v.QueryRowContext(ctx, `SELECT coalesce(max(notification_id), 0) FROM notification_mark`).Scan(&last)
		f.marked = last / 1024
		return err
	})
}

func (f *filling) person(ctx context.Context, email string) (id int64, err error) {
	err = f.db.Read(ctx, func(v db.Snapshot) error {
		u, err := v.UserByEmail(ctx, email)
		id = u.ID
		return err
	})
	return id, err
}

// deliver delivers what is not there, signed, as the receiver takes it.
func (f *filling) deliver(ctx context.Context, origin string, there int64) error {
	receiver := f.srv.Receiver()
	tell := f.plan.teller()
	var mu sync.Mutex
	skip := max(there-fillWindow, 0)
	if there >= int64(f.plan.Events) {
		skip = int64(f.plan.Events)
	}
	for range skip {
		if m, ok := tell.next(); ok {
			f.clock.Store(m.sent)
		}
	}
	f.sent.Store(skip)
	next := func() (told, bool) {
		mu.Lock()
		defer mu.Unlock()
		m, ok := tell.next()
		if ok {
			f.clock.Store(m.sent + 1500)
		}
		return m, ok
	}
	g, ctx := errgroup.WithContext(ctx)
	for range fillSenders {
		g.Go(func() error {
			for {
				if f.sent.Load()%64 == 0 || f.behind.Load() > fillAhead {
					if err := f.wait(ctx); err != nil {
						return err
					}
				}
				m, ok := next()
				if !ok {
					return nil
				}
				body := f.plan.body(m, origin)
				if _, err := receiver.Deliver(ctx, body, metriport.Sign(benchKey, body)); err != nil {
					return fmt.Errorf("a webhook was not taken: %w", err)
				}
				f.sent.Add(1)
				f.count(m.model.kind)
			}
		})
	}
	return g.Wait()
}

func (f *filling) count(kind metriport.Type) {
	for i, k := range metriport.Types {
		if k == kind {
			f.kinds[i].Add(1)
		}
	}
}

// wait lets the chart go alone where it is far behind.
func (f *filling) wait(ctx context.Context) error {
	if f.behind.Load() <= fillAhead {
		return ctx.Err()
	}
	for f.behind.Load() > fillResume {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// watch looks how far the chart is, and says so.
func (f *filling) watch(ctx context.Context, there int64) error {
	began, told := now(), now()
	for {
		h, err := f.health(ctx)
		if err != nil {
			return unless(ctx, err)
		}
		f.behind.Store(h.Waiting)
		if now().Sub(told) >= 5*time.Second {
			told = now()
			rate := float64(h.Head-there-h.Waiting) / told.Sub(began).Seconds()
			left := time.Duration(float64(int64(f.plan.Events)-h.Head+h.Waiting)/max(rate, 1)) * time.Second
			fmt.Fprintf(f.t.log, "%d of %d messages, %d waiting for the chart, %.0f a second in all, %.1f GB, about %s left\n", h.Head, f.plan.Events, h.Waiting, rate, float64(h.Bytes)/1e9, left.Round(time.Second))
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return nil
		}
	}
}

// unless is an error that is none where ctx has ended.
func unless(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = nil
	}
	return err
}

// mark marks older notifications as people would: of twenty, nine are done and one is seen.
func (f *filling) mark(ctx context.Context) error {
	ctx = db.Behind(ctx)
	for {
		h, err := f.health(ctx)
		if err != nil {
			return unless(ctx, err)
		}
		for upTo := int64(float64(h.Head-h.Waiting) * (1 - fillUnmarked)); f.marked < upTo && ctx.Err() == nil; {
			err := f.db.Write(ctx, func(tx *db.Tx) error { return f.markSome(ctx, tx, upTo) })
			if err != nil && ctx.Err() == nil {
				return fmt.Errorf("marking notifications: %w", err)
			}
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil
		}
	}
}

func (f *filling) markSome(ctx context.Context, tx *db.Tx, upTo int64) error {
	at, marks := f.marked, int64(0)
	for ; at < upTo && marks < marksAtOnce && !tx.Pressed(); at++ {
		h := mixed(uint64(at+1) ^ 0x3a4)
		state := db.Done
		switch h % 20 {
		case 0:
			state = db.Seen
		case 1, 2, 3, 4, 5, 6, 7, 8, 9:
		default:
			continue
		}
		id, err := db.NotificationID(at+1, 0)
		if err != nil {
			return err
		}
		err = tx.MarkNotification(ctx, id, f.people[h>>32%uint64(len(f.people))], state, db.Mark{}.Version())
		var taken db.TakenError                                                      // before the fill was interrupted
		if err != nil && !errors.Is(err, sql.ErrNoRows) && !errors.As(err, &taken) { // sql.ErrNoRows: it made no notification
			return err
		}
		marks++
	}
	f.marked, f.marks = at, f.marks+marks
	return tx.PruneChanges(ctx)
}

// importMany tells of one large import.
func (f *filling) importMany(ctx context.Context, sender *sim.Sim, there int64) error {
	if there > int64(f.plan.Events) {
		return nil // it is there
	}
	f.clock.Store(max(f.clock.Load(), now().UnixMilli()))
	for _, m := range sender.Import(min(fillImport, f.plan.Events)) {
		if _, err := f.srv.Receiver().Deliver(ctx, m.Body, metriport.Sign(benchKey, m.Body)); err != nil {
			return fmt.Errorf("a webhook was not taken: %w", err)
		}
	}
	return nil
}

// settled waits until nothing is left to be done: chart, files, rows of imports, summaries.
func (f *filling) settled(ctx context.Context, say bool) error {
	last := ""
	for {
		var left []string
		err := f.db.Read(ctx, func(v db.Snapshot) error {
			h, err := v.Health(ctx, chart.CursorInbox)
			if err != nil {
				return err
			}
			if h.Waiting > 0 {
				left = append(left, "the chart")
			}
			report, err := v.DownloadReport(ctx)
			if err != nil {
				return err
			}
			if report.Waiting > 0 {
				left = append(left, "files")
			}
			imports, err := v.PendingImports(ctx)
			if err != nil {
				return err
			}
			if len(imports) > 0 {
				left = append(left, "rows of imports")
			}
			for _, records := range []bool{false, true} {
				switch _, err := v.NextHealth(ctx, records); {
				case err == nil:
					left = append(left, "summaries of patients")
				case !errors.Is(err, sql.ErrNoRows):
					return err
				}
			}
			return nil
		})
		if err != nil || len(left) == 0 {
			return err
		}
		if words := strings.Join(left, ", "); say && words != last {
			last = words
			fmt.Fprintln(f.t.log, "everything is delivered; waiting for "+words)
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tell says what is there now, and how it is spread.
func (f *filling) tell(ctx context.Context, delivered int64, took time.Duration) error {
	h, err := f.health(ctx)
	if err != nil {
		return err
	}
	var report db.DownloadReport
	if err := f.db.Read(ctx, func(v db.Snapshot) error {
		report, err = v.DownloadReport(ctx)
		return err
	}); err != nil {
		return err
	}
	p := f.plan
	fmt.Fprintf(f.t.out, "Filled %s: %d messages in the inbox and in the chart, %d files, %.1f GB of database.\n", f.dir, h.Head, report.Total, float64(h.Bytes)/1e9)
	delivered = max(delivered, 0) // one that goes on delivers some again
	fmt.Fprintf(f.t.out, "%d in %s, %.0f a second, with records, marks and summaries.\n", delivered, took.Round(time.Second), float64(delivered)/took.Seconds())
	fmt.Fprintf(f.t.out, "Patients: %d, each of about %d events, and %d busy ones of up to %d. Search for %q finds very many, for %q very few.\n",
		p.patients()-fewBusy, eventsPerPatient, fewBusy, busyEvents, fillFamily[1], fillRare)
	fmt.Fprintf(f.t.out, "Time: %d days, even, in the order in which the sender sent. Records: one story in %d has its files, the others came without a link.\n", p.Days, p.Records)
	fmt.Fprintf(f.t.out, "Marks: of the oldest %.0f %%, nine in twenty are done and one is seen. One import has %d rows.\n", 100*(1-fillUnmarked), min(fillImport, p.Events))
	fmt.Fprint(f.t.out, "Kinds of what was delivered now:")
	for i, k := range metriport.Types {
		if n := f.kinds[i].Load(); n > 0 {
			fmt.Fprintf(f.t.out, " %s %.1f %%,", k, 100*float64(n)/math.Max(float64(f.sent.Load()), 1))
		}
	}
	fmt.Fprintln(f.t.out, " and one import.")
	return nil
}
