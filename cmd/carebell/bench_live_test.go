package main_test

import (
	"encoding/json"
	"testing"
)

// TestBenchOfOpenScreens, in a small form: every row comes to every socket once, and what a change costs grows with what is
// looked at, not with how many look. How fast a machine is says nothing.
func TestBenchOfOpenScreens(t *testing.T) {
	out := must(t, []string{"CAREBELL_DATA=" + t.TempDir()}, "", "bench", "live", "--json",
		"--sockets", "120", "--filters", "10", "--webhooks", "10", "--rate", "50", "--existing", "64")
	var got struct {
		Figures []struct {
			Name  string
			Value float64
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	figures := map[string]float64{}
	for _, f := range got.Figures {
		figures[f.Name] = f.Value
	}
	const few, many = "a webhook that 30 sockets of 30 views show", "a webhook that 120 sockets of 30 views show"
	for _, name := range []string{few + ", drawn", many + ", drawn"} {
		if figures[name] != 30 {
			t.Errorf("%s: %v, want 30", name, figures[name])
		}
	}
	if figures[many+", statements"] > figures[few+", statements"]+15 {
		t.Errorf("%v statements with 30 sockets, %v with 120", figures[few+", statements"], figures[many+", statements"])
	}
	for _, name := range []string{"answer to frame, p99", "send to frame, p99", "memory of a socket, both ends", "frames of that size alone, p99", "frame, bytes"} {
		if figures[name] <= 0 {
			t.Errorf("%s: %v", name, figures[name])
		}
	}
	if most := 4 * figures["frames of that size alone, memory of a socket, both ends"]; figures["memory of a socket, both ends"] > most+64 {
		t.Errorf("a socket takes %.0f KiB, one that shows nothing %.0f", figures["memory of a socket, both ends"], most/4)
	}
}
