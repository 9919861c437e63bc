package main_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

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
