package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// benched is what a measure says.
type benched struct {
	Name    string
	Figures []struct {
		Name  string
		Value float64
		Unit  string
		Ratio float64
		Of    string
	}
}

func (b benched) value(t *testing.T, name string) float64 {
	t.Helper()
	for _, f := range b.Figures {
		if f.Name == name {
			return f.Value
		}
	}
	t.Errorf("%s does not say %q", b.Name, name)
	return 0
}

// TestBenchesOfTheWholeProduct, in a small form: `bench all` says on what machine, has every measure's figures in one shape,
// and no ratio to its yardstick is far off. How fast a machine is says nothing; what the product costs beside a yardstick does.
func TestBenchesOfTheWholeProduct(t *testing.T) {
	dir := t.TempDir()
	out := must(t, []string{"CAREBELL_DATA=" + dir}, "", "bench", "all", "--small", "--json")
	var got struct {
		Machine struct {
			CPU, FileSystem, Go, SQLite string
			Cores                       int
		}
		Measures []benched
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	if m := got.Machine; m.CPU == "" || m.FileSystem == "" || !strings.HasPrefix(m.Go, "go") || m.SQLite == "" || m.Cores < 1 {
		t.Errorf("the machine is %+v", m)
	}
	measures := map[string]benched{}
	for _, m := range got.Measures {
		measures[m.Name] = m
		for _, f := range m.Figures {
			if f.Name == "" || f.Of != "" && f.Ratio <= 0 && f.Value > 0 {
				t.Errorf("%s has a figure %+v", m.Name, f)
			}
		}
	}
	for _, test := range []struct {
		measure, figure, of string
		least, most         float64 // of the other figure; most 0 = as much as it likes
	}{
		{"ingest", "as served, everything on", "one commit a request", 0.3, 0},
		{"burst", "in the chart, from the first to the last", "acknowledged", 0.05, 0},
		{"burst", "at a pace of 1000 a second", "acknowledged", 0.02, 0},
		{"rebuild", "taken into the chart", "appended to the inbox", 0.02, 0},
		{"archive", "stored before expiry, origin up", "stored before expiry, origin down", 1, 1},
		{"archive", "downloads, encrypted and durable", "plain GETs, 64 at once", 0.02, 0},
		{"live", "frame, bytes", "frame, bytes", 1, 1},
		// A page that read everything would show here only in a large folder: db/plan_test.go looks at that. These are far off.
		{"pages", "feed open, p50", "a static file, p50", 0, 200},
		{"pages", "inbox text of many, p50", "a static file, p50", 0, 300},
		{"memory", "after every page, twice, at most", "at rest, now", 0, 6},
		{"memory", "after exports, at most", "at rest, now", 0, 6},
	} {
		of := measures[test.measure].value(t, test.of)
		ratio := measures[test.measure].value(t, test.figure) / of
		if of <= 0 || ratio < test.least || test.most > 0 && ratio > test.most {
			t.Errorf("%s: %q is %.3f of %q, want at least %.3f and at most %.3f", test.measure, test.figure, ratio, test.of, test.least, test.most)
		}
	}
	const mostLarge = 400 // MiB, whatever the files; of 8 MiB here
	if most := measures["memory"].value(t, "after files of 8 MiB, at most"); most > mostLarge {
		t.Errorf("big files took %.0f MiB", most)
	}
	if pages := measures["pages"]; len(pages.Figures) < 300 {
		t.Errorf("%d figures of pages", len(pages.Figures))
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("the bench left %v behind (%v)", left, err)
	}
}

// TestFillGoesOn: a fill that was killed goes on where it stopped, and ends with every message in the inbox and in the chart,
// each once; a folder of somebody's data is refused.
func TestFillGoesOn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "filled")
	const events = 1500
	args := []string{"bench", "fill", "--events", fmt.Sprint(events), "--records", "40", "--days", "60", dir}
	first := exec.CommandContext(t.Context(), binary, args...)
	first.Env = environment(t, nil)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "some messages", func() bool {
		log, err := os.Stat(filepath.Join(dir, "carebell.db-wal"))
		return err == nil && log.Size() > 1<<20
	})
	_ = first.Process.Kill() // it may have ended
	_ = first.Wait()

	out := must(t, nil, "", args...)
	if !strings.Contains(out, "Patients: ") || !strings.Contains(out, "Records: one story in 40") {
		t.Errorf("it does not say how things are spread:\n%s", out)
	}
	lines, repeats := inbox(t, dir), 0
	for _, l := range lines {
		if repeats += l.Deliveries - 1; l.Status != "processed" {
			t.Errorf("%+v", l)
		}
	}
	if len(lines) != events+2 { // and the two messages of one import
		t.Errorf("%d messages, want %d", len(lines), events+2)
	}
	t.Logf("%d messages were delivered again", repeats)
	if out := must(t, []string{"CAREBELL_DATA=" + dir}, "", "verify"); !strings.Contains(out, "whole") {
		t.Error(out)
	}
	for _, refused := range []struct {
		args []string
		want string
	}{
		{[]string{"bench", "fill", "--events", "2000", dir}, "other numbers"},
		{[]string{"bench", "fill", "--events", "2000"}, "say where to"},
		{[]string{"bench", "fill", "--events", "50000000", "--records", "1", t.TempDir()}, "GB free"},
		{[]string{"bench", "pages", t.TempDir()}, "bench fill"},
	} {
		if r := carebell(t, []string{"CAREBELL_DATA=" + t.TempDir()}, "", refused.args...); r.code != 1 || !strings.Contains(r.log, refused.want) {
			t.Errorf("%v ended with %d: %s", refused.args, r.code, r.log)
		}
	}
}
