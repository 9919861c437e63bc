package web

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/views"
	"carebell/web/archive"
	"carebell/web/chart"
	"carebell/web/live"
	"carebell/web/metriport"
)

const systemPath = "/admin/system"

// Bounds of the page.
const (
	mostTypes       = 100
	mostLossReasons = 5
	lateAfter       = time.Minute     // a message that waits for longer for the chart
	lateFile        = 2 * time.Minute // a link that waits for longer to be fetched for the first time
	sumsFor         = 2 * time.Second // how old the sums over all downloads may be
	sumsShare       = 100             // they are counted anew after so many times what counting took: there can be millions
	pulseEvery      = 5 * time.Second // how often an open page is drawn anew without a change: waiting grows older
)

// overview is what the system page keeps between two drawings.
type overview struct {
	days eventDays

	mu    sync.Mutex
	sums  sums
	drawn time.Time // when an open page was last drawn
}

// sums are figures over all downloads, which are not counted anew for every change.
type sums struct {
	at     time.Time
	took   time.Duration // to count
	report db.DownloadReport
	files  int
	bytes  int64
}

func (s *Server) systemPage(c *fiber.Ctx) error {
	var p views.System
	err := s.db.Read(c.UserContext(), func(v db.Snapshot) error {
		l, err := s.status(c.UserContext(), v)
		if err != nil {
			return err
		}
		l.URL = liveURL("system", l.Seq, nil)
		p, err = s.systemState(c.UserContext(), v, l)
		p.Frame = s.frame(c, l)
		return err
	})
	if err != nil {
		return err
	}
	return render(c, views.SystemPage(p))
}

// systemState reads how everything does. The frame is the caller's.
func (s *Server) systemState(ctx context.Context, v db.Snapshot, l views.Live) (views.System, error) {
	p := views.System{Connection: s.connectionState(l), Folder: s.folder(), KeyFile: s.cfg.DataKey == "", Settings: s.cfg.Settings}
	st, err := v.Health(ctx, chart.CursorInbox)
	if err != nil {
		return p, err
	}
	sums, err := s.downloadSums(ctx, v)
	if err != nil {
		return p, err
	}
	if err := s.events(ctx, v, st.Head, &p); err != nil {
		return p, err
	}
	if p.Rotation, err = s.rotation(ctx, v); err != nil {
		return p, err
	}
	if err := s.proofInShort(ctx, v, &p.Proof); err != nil {
		return p, err
	}
	p.Lag = s.lag(st, sums.report)
	p.Fetched = fetched(sums.report)
	p.Fetched.Ahead = s.ahead()
	places := s.archive.Places()
	p.Places = views.Places{PerHost: places.PerHost, All: places.All, Most: archive.MostPlaces}
	days, err := v.DiskDays(ctx, s.cfg.Now().Add(-figuresFor))
	if err != nil {
		return p, err
	}
	p.Storage = s.storage(st, sums, days)
	if p.Heal, err = s.healState(ctx, v); err != nil {
		return p, err
	}
	p.Version = version(st)
	return p, nil
}

func (s *Server) folder() string {
	if abs, err := filepath.Abs(s.cfg.DataDir); err == nil {
		return abs
	}
	return s.cfg.DataDir
}

func (s *Server) downloadSums(ctx context.Context, v db.Snapshot) (out sums, err error) {
	o := &s.overview
	o.mu.Lock()
	defer o.mu.Unlock()
	if age := s.cfg.Now().Sub(o.sums.at); age >= 0 && age < max(sumsFor, sumsShare*o.sums.took) {
		return o.sums, nil
	}
	out.at = s.cfg.Now()
	if out.report, err = v.DownloadReport(ctx); err != nil {
		return out, err
	}
	if out.files, out.bytes, err = v.Files(ctx); err != nil {
		return out, err
	}
	out.took = s.cfg.Now().Sub(out.at)
	o.sums = out
	return out, nil
}

// events fills in the chart, its groups and the last event of each type.
func (s *Server) events(ctx context.Context, v db.Snapshot, head int64, p *views.System) error {
	clock := s.clock()
	days, err := s.overview.days.read(ctx, v, head, clock.Now.In(clock.Zone))
	if err != nil {
		return err
	}
	types, err := v.LastByType(ctx, mostTypes)
	if err != nil {
		return err
	}
	last := map[string]time.Time{}
	for _, t := range types {
		group := eventGroup(t.Type)
		if t.At.After(last[group]) {
			last[group] = t.At
		}
		if t.Type == string(metriport.Ping) {
			p.LastPing = clock.At(t.At)
		}
		p.Types = append(p.Types, views.TypeRow{Type: orMissing(t.Type, "type not sent"), Known: metriport.Known(t.Type), Last: clock.At(t.At)})
	}
	for _, g := range views.EventGroups {
		row := views.GroupRow{Key: g.Key, Label: g.Label, Today: days[len(days)-1].Counts[g.Key], Last: clock.At(last[g.Key])}
		for _, d := range days {
			row.Days += d.Counts[g.Key]
		}
		p.Groups = append(p.Groups, row)
	}
	p.Events = views.NewEventChart(days)
	return nil
}

// rotation says which keys are set, when each was last heard, and which signed the last message.
func (s *Server) rotation(ctx context.Context, v db.Snapshot) (views.Rotation, error) {
	var r views.Rotation
	var ids []string
	for _, k := range s.cfg.Keys {
		ids = append(ids, k.ID())
	}
	heard, err := v.KeysHeard(ctx, ids)
	if err != nil {
		return r, err
	}
	last, err := v.LastKey(ctx)
	if err != nil {
		return r, err
	}
	r.Unknown = last.KeyID
	for i, k := range s.cfg.Keys {
		row := views.KeyRow{ID: k.ID(), Expires: s.clock().At(k.Expires), Over: !k.Expires.IsZero() && !s.cfg.Now().Before(k.Expires), Latest: last.KeyID == k.ID()}
		if i < len(heard) {
			row.Heard = s.clock().At(heard[i].At)
		}
		if !row.Over {
			r.InForce++
		}
		if i == 0 {
			r.NewID, r.Heard = row.ID, row.Heard.Known()
		}
		if row.Latest {
			r.Unknown = ""
		}
		r.Keys = append(r.Keys, row)
	}
	return r, nil
}

func (s *Server) lag(st db.Health, r db.DownloadReport) views.Lag {
	l := views.Lag{Messages: int(st.Waiting), Files: r.Waiting}
	since := func(t time.Time, late time.Duration) string {
		if t.IsZero() {
			return ""
		}
		age := max(s.cfg.Now().Sub(t), 0)
		l.Late = l.Late || age > late
		return views.Long(age)
	}
	l.Oldest = since(st.OldestWaiting, lateAfter)
	l.OldFile = since(r.OldestWaiting, lateFile)
	return l
}

// fetchWords are the states of downloads as people read them, in their order.
var fetchWords = []struct {
	state db.Fetch
	word  string
}{
	{db.FetchStored, "Stored"}, {db.FetchQueued, "Waiting"}, {db.FetchFetching, "Being fetched"}, {db.FetchExpired, "Expired"},
	{db.FetchFailed, "Failed"}, {db.FetchRefused, "Refused"}, {db.FetchRemoved, "Removed by age"},
}

func fetched(r db.DownloadReport) views.Fetched {
	f := views.Fetched{Reached: r.Reached(), InTime: r.InTime}
	for _, w := range fetchWords {
		if n := r.ByState[w.state]; n > 0 || w.state == db.FetchStored {
			f.States = append(f.States, views.Fact{Name: w.word, Value: views.Count(n)})
		}
	}
	if r.Later > 0 {
		f.States = append(f.States, views.Fact{Name: "Stored after expiry", Value: views.Count(r.Later), Help: "by a fresh link, or a transfer that took long"})
	}
	if r.Unreached > 0 {
		f.Reasons = append(f.Reasons, views.Fact{Name: "not reachable for as long as the link lived", Value: views.Count(r.Unreached) + " ×"})
	}
	for i, why := range r.Reasons {
		if i == mostLossReasons {
			break
		}
		f.Reasons = append(f.Reasons, views.Fact{Name: string(why.State) + reasonWords(why.Reason), Value: views.Count(why.Count) + " ×"})
	}
	return f
}

func reasonWords(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func (s *Server) storage(st db.Health, sums sums, days []db.DiskDay) views.Storage {
	out := views.Storage{Full: s.archive.DiskFull(), Stopped: s.db.Full(), Facts: []views.Fact{
		{Name: "Database", Value: views.Bytes(st.Bytes), Help: "and " + views.Bytes(walSize(s.cfg.DataDir)) + " write-ahead log"},
		{Name: "Files", Value: views.Bytes(sums.bytes), Help: views.Counted(sums.files, "file")},
	}}
	disk, err := s.archive.Disk()
	if err != nil {
		s.cfg.Log.Warn("the disk could not be measured", "error", err)
		out.Facts = append(out.Facts, views.Fact{Name: "Disk", Value: "not known"})
		return out
	}
	out.Facts = append(out.Facts,
		views.Fact{Name: "Free", Value: views.Bytes(disk.Free), Help: "of " + views.Bytes(disk.Total)},
		views.Fact{Name: "Floor", Value: views.Bytes(disk.Floor), Help: "below it files are not fetched"})
	f := forecastOf(days, db.DiskDay{At: s.cfg.Now(), Events: st.Head, Database: st.Bytes, Files: sums.bytes}, disk.Free-disk.Floor)
	out.Facts = append(out.Facts, f.facts(s.clock())...)
	if f.grows && f.days < soonFull && !out.Full && !out.Stopped {
		out.Soon = "At this rate the disk lasts " + lasts(f.days) + ": then files are not fetched any more, and their links die. Make room, or move the data folder to a larger disk."
	}
	return out
}

// walSize is the size of the write-ahead log; 0 where there is none.
func walSize(dir string) int64 {
	info, err := os.Stat(filepath.Join(dir, db.FileName+"-wal"))
	if errors.Is(err, fs.ErrNotExist) || err != nil {
		return 0
	}
	return info.Size()
}

// version says what this program is made of.
func version(st db.Health) []views.Fact {
	word, commit, goVersion := "development build", "not known", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		goVersion = info.GoVersion
		if v := info.Main.Version; v != "" && v != "(devel)" {
			word = v
		}
		for _, set := range info.Settings {
			switch {
			case set.Key == "vcs.revision":
				commit = set.Value[:min(12, len(set.Value))]
			case set.Key == "vcs.modified" && set.Value == "true":
				commit += ", changed since"
			}
		}
	}
	return []views.Fact{
		{Name: "Carebell", Value: word}, {Name: "Commit", Value: commit}, {Name: "Go", Value: goVersion},
		{Name: "SQLite", Value: st.SQLite}, {Name: "Schema", Value: strconv.FormatInt(st.Schema, 10)},
	}
}

// systemScreen is the page as an open one.
func (s *Server) systemScreen() live.Screen {
	return s.screenOf("system", nil, func(ctx context.Context, v db.Snapshot, u changes) (templ.Component, error) {
		s.overview.mu.Lock()
		s.overview.drawn = time.Now() //nolint:forbidigo // how long a page is open, not the clinic's time
		s.overview.mu.Unlock()
		p, err := s.systemState(ctx, v, u.Live)
		return views.SystemUpdate(p), err
	})
}

// pulse draws an open system page anew now and then: what waits grows older also where nothing changes. Where no such
// page is open it does nothing.
func (s *Server) pulse(ctx context.Context) error {
	tick := time.NewTicker(pulseEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		s.overview.mu.Lock()
		open := time.Since(s.overview.drawn) < 3*pulseEvery
		s.overview.mu.Unlock()
		if open {
			s.hub.Wake()
		}
	}
}
