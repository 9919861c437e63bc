package web_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"

	"carebell/db"
	"carebell/web/intake"
	"carebell/web/metriport"
	"carebell/web/webtest"
)

// TestNoRequestGetsAnothersBytes: Fiber gives a request's memory to the next one. 64 senders over connections that stay
// open send bodies that carry their own hash as id, as type and as request id; none may be mixed with another.
func TestNoRequestGetsAnothersBytes(t *testing.T) {
	const senders = 64
	bodies := 24
	if raced() || testing.Short() {
		bodies = 5
	}
	s := webtest.Start(t)
	var mu sync.Mutex
	sent := map[string][sha256.Size]byte{} // id → hash of the whole body
	var wg sync.WaitGroup
	for sender := range senders {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
			defer client.CloseIdleConnections()
			r := rand.New(rand.NewPCG(uint64(sender), 9))
			for range bodies {
				size := 200 + r.IntN(2000)
				if r.IntN(4) == 0 {
					size = 2000 + r.IntN(198_000)
				}
				filler := make([]byte, size/2)
				for i := range filler {
					filler[i] = byte(r.Uint32() >> (r.Uint32() % 32)) // some of it compresses
				}
				text := hex.EncodeToString(filler)
				own := sha256.Sum256([]byte(text))
				id := hex.EncodeToString(own[:])
				body := fmt.Appendf(nil, `{"filler":%q,"meta":{"messageId":%q,"requestId":"request %s","type":"type %s"}}`, text, id, id, id)
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+intake.Path, bytes.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set(metriport.SignatureHeader, metriport.Sign(webtest.Key, body))
				resp, err := client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Errorf("answered %d", resp.StatusCode)
					return
				}
				mu.Lock()
				sent[id] = sha256.Sum256(body)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	s.Settled(t)
	inbox := s.Messages(t)
	if len(inbox) != senders*bodies || len(sent) != len(inbox) {
		t.Fatalf("%d messages, want %d", len(inbox), senders*bodies)
	}
	for _, m := range inbox {
		want, ok := sent[m.MessageID]
		switch {
		case !ok:
			t.Errorf("message %d has an id that nobody sent: %q", m.Seq, m.MessageID)
		case m.RequestID != "request "+m.MessageID || m.Type != "type "+m.MessageID:
			t.Errorf("message %d has the columns of another: %+v", m.Seq, m)
		case m.Deliveries != 1 || m.Status != db.StatusUnrecognized:
			t.Errorf("message %d: %+v", m.Seq, m)
		case sha256.Sum256([]byte(bodyOf(t, s, m.Seq))) != want:
			t.Errorf("message %d has another body than was sent", m.Seq)
		}
	}
}
