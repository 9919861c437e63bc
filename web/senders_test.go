package web_test

import (
	"net/http"
	"testing"

	"carebell/web/webtest"
)

// TestSendersAreKnownAfterARestart: they have their places at once, before they prove anew who they are.
func TestSendersAreKnownAfterARestart(t *testing.T) {
	dir := t.TempDir()
	s := webtest.StartIn(t, dir)
	if status, _ := s.Post(t, []byte(message("m-1", "patient.admit"))); status != http.StatusOK {
		t.Fatal(status)
	}
	s.Stop(t)
	s = webtest.StartIn(t, dir)
	for range 2 { // also where nobody delivers between two restarts
		s.Stop(t)
		s = webtest.StartIn(t, dir)
		if n := number(t, s, `SELECT count(*) FROM setting WHERE name = 'senders' AND value LIKE '{"127.0.0.1":"%'`); n != 1 {
			t.Error("the sender's address is not kept")
		}
	}
}
