package main_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"carebell/db"
	"carebell/web/sim"
)

// TestKillLosesNothingAcknowledged is promise 1: the server is killed under load, again and again, and every message it
// acknowledged is in the inbox once and in the chart.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	rounds := 5
	if n, err := strconv.Atoi(os.Getenv("KILL_ROUNDS")); err == nil {
		rounds = n
	}
	dir := t.TempDir()
	acknowledged := map[string]bool{}
	for round := range rounds {
		p := serve(t, dir)
		const connections = 16
		mine := make([][]string, connections)
		var taken atomic.Int64
		var senders sync.WaitGroup
		for c := range connections {
			senders.Go(func() {
				client := &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second}
				defer client.CloseIdleConnections()
				for n := 0; ; n++ {
					id := fmt.Sprintf("kill-%d-%d-%d", round, c, n)
					body := fmt.Appendf(nil, `{"meta":{"messageId":%q,"when":"2026-11-20T10:00:00.000Z","type":"patient.admit"},"payload":{"patientId":"p-%d","admitTimestamp":"2026-11-20T0%d:00:00Z","x":%q}}`,
						id, n%50, n%10, strings.Repeat("x", n*37%3000))
					status, _, err := sim.Post(t.Context(), client, p.url+"/webhooks/metriport", key, body)
					if err != nil {
						return // killed
					}
					if status != http.StatusOK {
						t.Errorf("%s: answered %d", id, status)
						return
					}
					mine[c] = append(mine[c], id)
					taken.Add(1)
				}
			})
		}
		waitFor(t, "the first acknowledgements", func() bool { return taken.Load() > connections })
		time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
		p.end(t, syscall.SIGKILL)
		senders.Wait()
		for _, ids := range mine {
			for _, id := range ids {
				acknowledged[id] = true
			}
		}

		p = serve(t, dir)
		settled(t, dir)
		times := map[string]int{}
		for _, l := range inbox(t, dir) {
			times[l.MessageID]++
			if l.Status != "processed" || l.Deliveries != 1 {
				t.Errorf("round %d: %+v", round, l)
			}
		}
		for id := range acknowledged {
			if times[id] != 1 {
				t.Errorf("round %d: %s was acknowledged and is in the inbox %d times", round, id, times[id])
			}
		}
		for id, n := range times {
			if n != 1 {
				t.Errorf("round %d: %s is in the inbox %d times", round, id, n)
			}
		}
		if out := must(t, []string{"CAREBELL_DATA=" + dir}, "", "verify"); !strings.Contains(out, "whole") || !strings.Contains(out, fmt.Sprint(len(times), " messages")) {
			t.Errorf("round %d: verify says %q of %d messages", round, out, len(times))
		}
		if code := p.end(t, terminate); code != 0 {
			t.Errorf("round %d: the server ended with %d", round, code)
		}
		t.Logf("round %d: %d acknowledged so far, %d in the inbox", round, len(acknowledged), len(times))
	}
}

// TestRetriesAtOnceThenKilled: somebody presses Retry at the sender after an outage, and everything comes at once: what
// came before, what never did, and some of it while the server is killed. Nothing is lost, nothing counts twice, and what
// people see is what a rebuild makes of it. KILL_RETRIES says how many.
func TestRetriesAtOnceThenKilled(t *testing.T) {
	n := 1200
	if many, err := strconv.Atoi(os.Getenv("KILL_RETRIES")); err == nil {
		n = many
	}
	dir := t.TempDir()
	body := func(i int) []byte {
		kind, more := "admit", ""
		if i%3 == 1 {
			kind, more = "discharge", `,"dischargeTimestamp":"2026-11-21T10:00:00Z"`
		}
		return fmt.Appendf(nil, `{"meta":{"messageId":"retry-%d","when":"2026-11-20T10:00:00.000Z","type":"patient.%s"},"payload":{"patientId":"p-%d","admitTimestamp":"2026-11-20T%02d:00:00Z"%s}}`,
			i, kind, i%(n/4), i%7, more)
	}
	// send posts what is left of the messages over many connections, and returns those that were acknowledged.
	send := func(p *process, which []int, taken *atomic.Int64) map[int]bool {
		var mu sync.Mutex
		acknowledged := map[int]bool{}
		next := make(chan int)
		var senders sync.WaitGroup
		for range 32 {
			senders.Go(func() {
				client := &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second}
				defer client.CloseIdleConnections()
				for i := range next {
					status, _, err := sim.Post(t.Context(), client, p.url+"/webhooks/metriport", key, body(i))
					if err != nil || status != http.StatusOK {
						continue // killed
					}
					taken.Add(1)
					mu.Lock()
					acknowledged[i] = true
					mu.Unlock()
				}
			})
		}
		for _, i := range which {
			next <- i
		}
		close(next)
		senders.Wait()
		return acknowledged
	}
	var before, all []int
	for i := range n {
		if all = append(all, i); i%2 == 0 {
			before = append(before, i)
		}
	}
	p := serve(t, dir)
	var taken atomic.Int64
	first := send(p, before, &taken)
	if len(first) != len(before) {
		t.Fatalf("%d of %d were acknowledged", len(first), len(before))
	}

	taken.Store(0)
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		waitFor(t, "half of the retries", func() bool { return taken.Load() > int64(n/2) })
		_ = p.cmd.Process.Kill()
	}()
	second := send(p, all, &taken)
	<-killed
	<-p.done

	p = serve(t, dir)
	third := send(p, all, &taken) // the sender tries again what failed; here all of it, once more
	settled(t, dir)
	lines := inbox(t, dir)
	times := map[string]line{}
	for _, l := range lines {
		times[l.MessageID] = l
	}
	if len(lines) != n || len(times) != n || len(third) != n {
		t.Errorf("the inbox has %d lines of %d messages, of %d", len(lines), len(times), n)
	}
	for i := range n {
		l := times[fmt.Sprint("retry-", i)]
		least, most := 1, 2 // the last one, and one that may have been written before the kill
		if i%2 == 0 {
			least, most = 2, 3
		}
		if second[i] {
			least = most
		}
		if l.Status != "processed" || l.Deliveries < least || l.Deliveries > most {
			t.Fatalf("%+v, want %d to %d deliveries", l, least, most)
		}
	}
	if code := p.end(t, terminate); code != 0 {
		t.Errorf("the server ended with %d", code)
	}
	shown := screens(t, dir, n)
	if len(shown.notifications) != n || len(shown.patients) != n/4 {
		t.Errorf("%d notifications of %d patients, want %d of %d", len(shown.notifications), len(shown.patients), n, n/4)
	}
	must(t, []string{"CAREBELL_DATA=" + dir}, "", "rebuild")
	if again := screens(t, dir, n); !reflect.DeepEqual(shown, again) {
		t.Error("a rebuild makes something else of it than people saw")
	}
	if out := must(t, []string{"CAREBELL_DATA=" + dir}, "", "verify"); !strings.Contains(out, fmt.Sprint(n, " messages")) {
		t.Errorf("verify says %q", out)
	}
}

// shown is what lists and pages show.
type shown struct {
	notifications []db.Notification
	patients      []db.Patient
	stays         map[string][]db.Stay
}

// screens reads what people see of up to n notifications.
func screens(t *testing.T, dir string, n int) shown {
	t.Helper()
	d, err := db.Open(t.Context(), dir, db.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	out := shown{stays: map[string][]db.Stay{}}
	err = d.Read(t.Context(), func(s db.Snapshot) (err error) {
		if out.notifications, err = s.Notifications(t.Context(), db.NotificationFilter{Limit: n + 1}); err != nil {
			return err
		}
		if out.patients, err = s.Patients(t.Context(), db.PatientFilter{Limit: n + 1}); err != nil {
			return err
		}
		for _, p := range out.patients {
			if out.stays[p.ID], err = s.Stays(t.Context(), p.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
