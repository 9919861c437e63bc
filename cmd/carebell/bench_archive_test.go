package main_test

import (
	"os"
	"strings"
	"testing"
)

// TestBenchArchive: every document is stored before its link dies, also when its origin is down at first; and the
// measuring leaves nothing behind.
func TestBenchArchive(t *testing.T) {
	dir := t.TempDir()
	out := must(t, []string{"CAREBELL_DATA=" + dir}, "", "bench", "archive", "--documents", "34", "--size", "8", "--outage", "1500ms", "--life", "1m", "--queue", "500")
	for _, want := range []string{
		"origin up:", "origin down for 1.5s:", "stored before expiry 34 of 34, missing 0\n", "first byte asked for", "of plain GETs", "while 500 links wait",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the bench does not say %q:\n%s", want, out)
		}
	}
	if n := strings.Count(out, "stored before expiry 34 of 34, missing 0\n"); n != 2 {
		t.Errorf("%d of the two parts lost nothing:\n%s", n, out)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("the bench left %v behind (%v)", entries, err)
	}
}

// TestBenchArchiveSaysWhatWasLost: links that die while their origin is down are counted, and the bench fails.
func TestBenchArchiveSaysWhatWasLost(t *testing.T) {
	r := carebell(t, []string{"CAREBELL_DATA=" + t.TempDir()}, "", "bench", "archive", "--documents", "3", "--size", "8", "--outage", "3999ms", "--life", "4s", "--queue", "0")
	if r.code != 1 || !strings.Contains(r.out, "origin down for 3.999s:          stored before expiry 0 of 3, missing 0\n") || !strings.Contains(r.log, "not every document") {
		t.Errorf("ended with %d:\n%s%s", r.code, r.out, r.log)
	}
}
