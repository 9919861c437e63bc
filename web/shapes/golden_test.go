package shapes_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"carebell/db"
	"carebell/web"
	"carebell/web/chart"
	"carebell/web/webtest"
)

// TestShapes: what the sender really sends becomes what was written beside it by hand: facts, rows, the export, stays.
func TestShapes(t *testing.T) {
	t.Parallel()
	shapes := load(t)
	w := newWorld(t)
	close(w.answer)
	for _, s := range shapes {
		for i := range s.Messages {
			w.post(t, s, i)
		}
	}
	w.read(t)
	w.check(t, shapes, "viewer@clinic.example")
}

// TestShapesBackwards: the messages of each shape come in the opposite order, and no record is there before all of them
// are in the chart. What people see is the same.
func TestShapesBackwards(t *testing.T) {
	t.Parallel()
	shapes := load(t)
	w := newWorld(t)
	for _, s := range shapes {
		for i := range s.Messages {
			w.post(t, s, len(s.Messages)-1-i)
		}
	}
	w.Settled(t)
	close(w.answer)
	w.read(t)
	w.check(t, shapes, "viewer@clinic.example")
}

// TestDaysAreTheSameInEveryZone: what pharmacies and laboratories date by days lies on the same day for a practice in
// Honolulu and in Guam.
func TestDaysAreTheSameInEveryZone(t *testing.T) {
	t.Parallel()
	var days []shape
	for _, s := range load(t) {
		if !slices.ContainsFunc(s.Messages, func(m message) bool { return len(m.Row.Happened) != len(time.DateOnly) }) {
			days = append(days, s)
		}
	}
	if len(days) < 20 {
		t.Fatalf("%d shapes are dated by days", len(days))
	}
	for _, name := range []string{"Pacific/Honolulu", "Pacific/Guam"} {
		t.Run(name, func(t *testing.T) {
			zone, err := time.LoadLocation(name)
			if err != nil {
				t.Fatal(err)
			}
			w := newWorld(t, func(c *web.Config) { c.Zone = zone })
			close(w.answer)
			for _, s := range days {
				for i := range s.Messages {
					w.post(t, s, i)
				}
			}
			w.read(t)
			w.check(t, days, "viewer@clinic.example")
		})
	}
}

// TestRebuildMakesTheSameShapes: carebell rebuild makes the very same chart again, in which all shapes hold.
func TestRebuildMakesTheSameShapes(t *testing.T) {
	t.Parallel()
	shapes := load(t)
	w := newWorld(t)
	close(w.answer)
	for _, s := range shapes {
		for i := range s.Messages {
			w.post(t, s, i)
		}
	}
	w.read(t)
	w.Stop(t)
	d, err := db.Open(t.Context(), w.dir, db.Options{Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	before := w.dump(t, d)
	if _, err := chart.Rebuild(context.Background(), d, slog.New(slog.DiscardHandler), func(int) {}); err != nil {
		t.Fatal(err)
	}
	if after := w.dump(t, d); after != before {
		t.Errorf("the rebuilt chart is another one: %s", firstDifference(before, after))
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	w.Server = webtest.StartIn(t, w.dir, w.change)
	w.check(t, shapes, "another@clinic.example")
}

func firstDifference(a, b string) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	part := func(s string) string { return s[max(0, i-200):min(len(s), i+200)] }
	return "before …" + part(a) + "…\nafter …" + part(b)
}
