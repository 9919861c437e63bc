package main_test

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestDemo starts, says where and who, has a feed that grows, and leaves nothing behind.
func TestDemo(t *testing.T) {
	temporary := t.TempDir()
	p := start(t, []string{"TMPDIR=" + temporary, "CAREBELL_ADDR=nonsense that the demo does not use"}, "Carebell demo: ", "demo", "--speed", "2000")
	if !strings.HasPrefix(p.url, "http://127.0.0.1:") {
		t.Fatalf("the demo is at %s", p.url)
	}
	var logins [][]string
	waitFor(t, "the logins", func() bool {
		logins = regexp.MustCompile(`(?m)^\s*(\w+)\s+(\S+@\S+)\s+password: (.+)$`).FindAllStringSubmatch(p.said(), -1)
		return len(logins) == 3
	})
	if entries, err := os.ReadDir(temporary); err != nil || len(entries) != 1 {
		t.Errorf("the throw-away folder is not where TMPDIR says: %v %v", entries, err)
	}
	b := browser()
	for _, who := range logins {
		b = browser()
		if status := login(t, b, p.url, who[2], who[3]); status != http.StatusSeeOther {
			t.Errorf("the %s of the demo cannot log in: %d", who[1], status)
		}
	}
	top := func() string {
		status, page := get(t, b, p.url+"/?state=all")
		if status != http.StatusOK {
			t.Fatalf("the feed answers %d", status)
		}
		_, rest, ok := strings.Cut(page, `data-key="`)
		if !ok {
			return ""
		}
		key, _, _ := strings.Cut(rest, `"`)
		return key
	}
	began := time.Now()
	waitFor(t, "rows in the feed", func() bool { return top() != "" })
	if took := time.Since(began); took > 10*time.Second { // people rely on seeing something at once
		t.Errorf("the feed was empty for %s", took)
	}
	first := top()
	waitFor(t, "the feed to grow by itself", func() bool { return top() != first })
	again := browser()
	waitFor(t, "live events after the days before", func() bool {
		if status, page := get(t, again, p.url+"/?state=done"); status == http.StatusOK {
			return strings.Contains(page, "coordinator@demo.example")
		}
		login(t, again, p.url, logins[0][2], logins[0][3])
		return false
	})
	if status, _ := get(t, b, p.url+"/"); status != http.StatusOK {
		t.Errorf("whoever logged in at once is signed out when the days before have been told: %d", status)
	}
	if code := p.end(t, interrupt); code != 0 {
		t.Errorf("the demo ended with %d", code)
	}
	if said := p.logged(); said != "" {
		t.Errorf("the demo complained: %s", said)
	}
	if entries, err := os.ReadDir(temporary); err != nil || len(entries) != 0 {
		t.Errorf("the demo left %v behind (%v)", entries, err)
	}
}

// TestDemoStopsInTheMiddleOfItsBeginning: Ctrl-C while the days before are still being told.
func TestDemoStopsInTheMiddleOfItsBeginning(t *testing.T) {
	temporary := t.TempDir()
	p := start(t, []string{"TMPDIR=" + temporary}, "Carebell demo: ", "demo")
	if code := p.end(t, interrupt); code != 0 {
		t.Errorf("the demo ended with %d: %s", code, p.logged())
	}
	if entries, err := os.ReadDir(temporary); err != nil || len(entries) != 0 {
		t.Errorf("the demo left %v behind (%v)", entries, err)
	}
}
