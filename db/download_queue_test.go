package db

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// queue is a database with links that wait in it. Its clock can be moved.
type queue struct {
	*DB
	t   *testing.T
	at  time.Time
	all int
}

func openQueue(t *testing.T) *queue {
	t.Helper()
	q := &queue{DB: fresh(t), t: t, at: noon}
	q.now = func() time.Time { return q.at }
	appendOne(t, inboxOf(t, q.DB), "m", "{}")
	return q
}

// add queues links by their names, "host/what", that live for life.
func (q *queue) add(life time.Duration, names ...string) {
	q.t.Helper()
	q.mustWrite(q.t, func(tx *Tx) error {
		for _, name := range names {
			q.all++
			if err := tx.AddDownload(context.Background(), Download{InboxSeq: 1, Place: fmt.Sprint("/", q.all), Purpose: PurposeDocument, Name: name, URL: "https://" + name, ExpiresAt: q.at.Add(life)}); err != nil {
				return err
			}
		}
		return nil
	})
}

// take takes up to n links and returns their names, with when it says that more is due.
func (q *queue) take(n int, room func(string) int) (names []string, next time.Time) {
	q.t.Helper()
	q.mustWrite(q.t, func(tx *Tx) error {
		due, at, err := tx.TakeDownloads(context.Background(), n, room)
		for _, d := range due {
			names = append(names, d.Name)
		}
		next = at
		return err
	})
	return names, next
}

func (q *queue) down(host string, failures int, probe time.Duration) {
	q.t.Helper()
	q.mustWrite(q.t, func(tx *Tx) error {
		return tx.SaveDownloadHost(context.Background(), DownloadHost{Host: host + ":443", Failures: failures, ProbeAt: q.at.Add(probe), Since: q.at, Reason: ReasonUnreached})
	})
}

// lacks checks how many links are in a state.
func (q *queue) has(state Fetch, want int64) {
	q.t.Helper()
	if n := q.number(q.t, `SELECT count(*) FROM download WHERE state = ?`, state); n != want {
		q.t.Errorf("%d links are %s, want %d", n, state, want)
	}
}

func ample(string) int { return 1000 }

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("took %q, want %q", got, want)
	}
}

func TestLinksThatDieFirstGoFirstOverAllHosts(t *testing.T) {
	q := openQueue(t)
	q.add(5*time.Minute, "a/5", "b/5")
	q.add(3*time.Minute, "b/3")
	q.add(4*time.Minute, "c/4", "a/4")
	q.add(-time.Minute, "a/dead", "c/dead")
	got, _ := q.take(3, ample)
	same(t, got, "b/3", "c/4", "a/4")
	got, _ = q.take(10, func(host string) int {
		if strings.HasPrefix(host, "a:") {
			return 0
		}
		return 10
	})
	same(t, got, "b/5", "c/dead") // a has no room; what is dead comes last
	q.add(time.Minute, "a/1")
	got, _ = q.take(2, ample)
	same(t, got, "a/1", "a/5")
	got, next := q.take(2, ample)
	same(t, got, "a/dead")
	if !next.IsZero() {
		t.Errorf("nothing waits, and more is due at %s", next)
	}
}

// TestManyHostsAreMerged: more than are looked at in one step, some of them with nothing but dead links.
func TestManyHostsAreMerged(t *testing.T) {
	q := openQueue(t)
	var want []string
	for i := range 100 {
		name := fmt.Sprintf("h%03d/x", (i*37)%100)
		q.add(-time.Minute, fmt.Sprintf("dead%03d/x", i))
		q.add(time.Duration(i+1)*time.Second, name)
		want = append(want, name)
	}
	got, _ := q.take(70, ample)
	same(t, got, want[:70]...)
	got, _ = q.take(30, ample)
	same(t, got, want[70:]...)
}

// TestHostThatIsDownIsTriedAsOne: by one link when its time comes; its other links are not touched before it answers, but
// end when they die.
func TestHostThatIsDownIsTriedAsOne(t *testing.T) {
	q := openQueue(t)
	q.add(10*time.Minute, "up/1")
	q.add(2*time.Minute, "down/1")
	q.add(5*time.Minute, "down/2", "down/3")
	q.down("down", 1, time.Second)
	got, next := q.take(10, ample)
	same(t, got, "up/1")
	if want := q.at.Add(time.Second); !next.Equal(want) {
		t.Errorf("more is due at %s, want %s", next, want)
	}
	q.at = q.at.Add(time.Second)
	got, _ = q.take(10, ample)
	same(t, got, "down/1")
	got, next = q.take(10, ample)
	same(t, got)
	if !next.After(q.at.Add(5 * time.Second)) {
		t.Errorf("while it is being asked more is due at %s", next)
	}
	q.mustWrite(t, func(tx *Tx) error {
		if err := tx.RetryDownload(context.Background(), Download{ID: 2}, ReasonUnreached, q.at.Add(time.Second)); err != nil {
			return err
		}
		return tx.SaveDownloadHost(context.Background(), DownloadHost{Host: "down:443", Failures: 2, ProbeAt: q.at.Add(2 * time.Second), Since: q.at, Reason: ReasonUnreached})
	})
	q.at = q.at.Add(2 * time.Second)
	got, _ = q.take(1, ample)
	same(t, got, "down/1") // it dies first again
	q.has(FetchQueued, 2)
	if n := q.number(t, `SELECT sum(tries) FROM download WHERE name IN ('down/2', 'down/3')`); n != 0 {
		t.Errorf("the others were tried %d times", n)
	}
	q.at = q.at.Add(6 * time.Minute)
	got, _ = q.take(10, ample)
	same(t, got)
	q.has(FetchExpired, 2)
	if n := q.number(t, `SELECT count(*) FROM download WHERE state = 'expired' AND reason = ? AND ended_at = ?`, ReasonUnreached, q.at.UnixMilli()); n != 2 {
		t.Errorf("%d of 2 say why", n)
	}
	q.add(time.Minute, "down/4", "down/5")
	q.down("down", 0, 0)
	got, _ = q.take(10, ample)
	same(t, got, "down/4", "down/5")
}

// TestQueueSurvivesARestart: what was being fetched is queued again, a host that was down still is, and what the hosts are
// known by is right again whatever it was.
func TestQueueSurvivesARestart(t *testing.T) {
	q := openQueue(t)
	q.add(time.Minute, "a/1", "a/2", "down/1", "down/2")
	q.add(-time.Minute, "b/late")
	q.down("down", 3, 5*time.Second)
	got, _ := q.take(1, ample)
	same(t, got, "a/1")
	q.mustWrite(t, func(tx *Tx) error {
		for _, damage := range []string{`UPDATE download_host SET head = NULL, late = 0`, `DELETE FROM download_host WHERE host = 'b:443'`} {
			if _, err := tx.exec(context.Background(), damage); err != nil {
				return err
			}
		}
		return nil
	})
	var down []DownloadHost
	q.mustWrite(t, func(tx *Tx) (err error) { down, err = tx.ResumeDownloads(context.Background()); return err })
	if len(down) != 1 || down[0].Host != "down:443" || down[0].Failures != 3 || !down[0].ProbeAt.Equal(q.at.Add(5*time.Second)) || down[0].Reason != ReasonUnreached {
		t.Errorf("the hosts that are down are %+v", down)
	}
	got, next := q.take(10, ample)
	same(t, got, "a/1", "a/2", "b/late")
	if !next.Equal(q.at.Add(5 * time.Second)) {
		t.Errorf("more is due at %s", next)
	}
}

// TestFreshLinkOfAnotherHost takes the link to where it now leads.
func TestFreshLinkOfAnotherHost(t *testing.T) {
	q := openQueue(t)
	q.add(time.Minute, "down/1")
	q.down("down", 1, time.Hour)
	q.mustWrite(t, func(tx *Tx) error {
		return tx.RenewDownload(context.Background(), 1, "/1", "http://Up.example/1", q.at.Add(time.Hour))
	})
	got, _ := q.take(10, ample)
	same(t, got, "down/1")
	if n := q.number(t, `SELECT count(*) FROM download WHERE host = 'up.example:80'`); n != 1 {
		t.Error("the download is not known to lead to the other host")
	}
}

// TestTakingCostsTheSameHoweverManyWait, ready, dead, waiting and of a host that is down: as many statements, and every
// one of them by an index.
func TestTakingCostsTheSameHoweverManyWait(t *testing.T) {
	cost := func(waiting int) int64 {
		q := openQueue(t)
		for _, host := range []string{"a", "b", "down"} {
			var names []string
			for i := range waiting {
				names = append(names, fmt.Sprint(host, "/", i))
			}
			q.add(time.Hour, names...)
		}
		q.down("down", 2, -time.Second)
		before := q.Statements()
		if got, _ := q.take(64, ample); len(got) != 64 {
			t.Fatalf("took %d", len(got))
		}
		return q.Statements() - before
	}
	if few, many := cost(100), cost(5000); few != many || many > 64+20 {
		t.Errorf("%d statements with few, %d with many", few, many)
	}
}

func TestTheQueueIsNeverScanned(t *testing.T) {
	q := openQueue(t)
	for name, query := range map[string]string{
		"ready": selectReady, "late": selectLate, "up": selectUp, "down": selectDown, "hosts with late": hostsLate, "first ready": firstReady,
		"next try": nextTry, "next probe": nextProbe, "wake": wakeDue, "set late": setLate, "end dead": endDead, "end late": endLate,
		"remove": removeOld,
	} {
		for _, step := range stepsOf(t, q.DB, query) {
			if regexp.MustCompile(`SCAN (d|download|download_host)\b`).MatchString(step) && !regexp.MustCompile(`USING (COVERING )?INDEX download_(waiting|kept|host_up|host_down|host_late)\b`).MatchString(step) ||
				strings.Contains(step, "TEMP B-TREE") {
				t.Errorf("%s: %s\n%s", name, step, query)
			}
		}
	}
}

// stepsOf is how SQLite runs a query, step by step.
func stepsOf(t *testing.T, d *DB, query string) (steps []string) {
	t.Helper()
	var args []any
	for i := range 9 {
		if strings.Contains(query, fmt.Sprint("?", i+1)) {
			args = append(args, i+1)
		}
	}
	d.mustWrite(t, func(tx *Tx) error {
		rows, err := tx.query(context.Background(), "EXPLAIN QUERY PLAN "+query, args...)
		if err != nil {
			return fmt.Errorf("%s: %w", query, err)
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				return err
			}
			steps = append(steps, detail)
		}
		return rows.Err()
	})
	if len(steps) == 0 {
		t.Fatalf("no plan of %s", query)
	}
	return steps
}
