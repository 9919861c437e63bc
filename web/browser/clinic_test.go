//go:build browser

package browser

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"carebell/db"
	"carebell/web"
	"carebell/web/metriport"
	"carebell/web/sim"
	"carebell/web/webtest"
)

// Who works at the clinic of these tests.
const (
	ann  = "ann@clinic.example" // coordinator
	bob  = "bob@clinic.example" // coordinator
	boss = "boss@clinic.example"
)

// clinic is a server with its people and a sender that knows it.
type clinic struct {
	*webtest.Server
	t    testing.TB
	sim  *sim.Sim
	sent []sim.Message

	visit int // counts the visits
}

func newClinic(t testing.TB, change ...func(*web.Config)) *clinic {
	t.Helper()
	c := newClinicIn(t, t.TempDir(), change...)
	c.AddUser(t, ann, db.Coordinator)
	return c
}

// newClinicIn is newClinic in a folder that may hold data, people among it.
func newClinicIn(t testing.TB, dir string, change ...func(*web.Config)) *clinic {
	t.Helper()
	s := webtest.StartIn(t, dir, change...)
	return &clinic{Server: s, t: t, sim: sim.New(sim.Options{Now: s.Clock.Now, Seed: 7, BaseURL: "http://127.0.0.1:9"})}
}

// send posts one event of a kind and returns it with the id of its row.
func (c *clinic) send(kind metriport.Type) (sim.Message, string) {
	c.t.Helper()
	m, err := c.sim.Sample(kind)
	if err != nil {
		c.t.Fatal(err)
	}
	c.post(m)
	return m, c.row(m)
}

// post posts a message as the sender does.
func (c *clinic) post(m sim.Message) {
	c.t.Helper()
	if status, answer := c.Post(c.t, m.Body); status != http.StatusOK {
		c.t.Fatalf("the webhook answered %d: %s", status, answer)
	}
	c.sent = append(c.sent, m)
}

// admits posts n admits and waits until they are in the chart. It returns the ids of their rows, in order.
func (c *clinic) admits(n int) []string {
	c.t.Helper()
	sent := make([]sim.Message, n)
	for i := range sent {
		var err error
		if sent[i], err = c.sim.Sample(metriport.PatientAdmit); err != nil {
			c.t.Fatal(err)
		}
		c.post(sent[i])
	}
	c.Settled(c.t)
	seqs := map[string]int64{}
	for _, m := range c.Messages(c.t) {
		seqs[m.MessageID] = m.Seq
	}
	ids := make([]string, n)
	for i, m := range sent {
		ids[i] = rowID(c.t, seqs[m.ID])
	}
	return ids
}

// row is the id of the row that shows a message that was received.
func (c *clinic) row(m sim.Message) string {
	c.t.Helper()
	for _, in := range c.Messages(c.t) {
		if in.MessageID == m.ID {
			return rowID(c.t, in.Seq)
		}
	}
	c.t.Fatalf("message %s is not in the inbox", m.ID)
	return ""
}

func rowID(t testing.TB, seq int64) string {
	t.Helper()
	id, err := db.NotificationID(seq, 0)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("n-%d", id)
}

// ann opens the feed as Ann.
func (c *clinic) ann() *tab {
	c.t.Helper()
	b := newTab(c.t, c.URL)
	b.signIn(ann)
	return b
}

// backlog posts some days of messages, each received when it was sent.
func (c *clinic) backlog(days int) {
	c.t.Helper()
	for _, m := range c.sim.Backlog(days) {
		c.Clock.Advance(m.At.Sub(c.Clock.Now()))
		c.post(m)
	}
	c.Clock.Advance(time.Since(c.Clock.Now()))
	c.Settled(c.t)
}

// JavaScript that reads the feed.
const (
	rowIDs  = `[...document.querySelectorAll("#feed > .row")].map((r) => r.id)`
	focused = `document.activeElement.id`
	toTop   = `window.scrollTo(0, 0), true`
	toEnd   = `window.scrollTo(0, document.documentElement.scrollHeight), true`
)

func has(id string) string { return `document.getElementById("` + id + `")` }
