package web_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

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

// keeping is an inbox whose commit comes later than the answer, as on a disk that hangs.
type keeping struct {
	mu   sync.Mutex
	kept []db.Received
}

func (k *keeping) Append(_ context.Context, r db.Received) (db.Receipt, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept = append(k.kept, r)
	return db.Receipt{}, context.DeadlineExceeded
}

// TestLateCommitHasItsOwnBytes: what is committed after its request was answered must not have become the next one's.
func TestLateCommitHasItsOwnBytes(t *testing.T) {
	inbox := &keeping{}
	r := &intake.Receiver{Keys: []intake.Key{{Value: webtest.Key}}, Inbox: inbox, Now: time.Now, Log: slog.New(slog.DiscardHandler), Refused: &intake.Refusals{}}
	app := fiber.New(fiber.Config{DisableStartupMessage: true, Immutable: true})
	app.Post(intake.Path, r.Handle)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = app.Listener(l) }()
	defer func() { _ = app.Shutdown() }()
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	const n = 20
	body := func(i int) string {
		return fmt.Sprintf(`{"meta":{"messageId":"id-%02d","requestId":"request-%02d","type":"type-%02d"},"x":%q}`, i, i, i, strings.Repeat(string(rune('a'+i)), 3000))
	}
	for i := range n {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+l.Addr().String()+intake.Path, strings.NewReader(body(i)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(metriport.SignatureHeader, metriport.Sign(webtest.Key, []byte(body(i))))
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusServiceUnavailable {
			t.Fatalf("answered %d", resp.StatusCode)
		}
	}
	inbox.mu.Lock()
	defer inbox.mu.Unlock()
	for i, r := range inbox.kept {
		if string(r.Body) != body(i) || r.MessageID != fmt.Sprintf("id-%02d", i) || r.RequestID != fmt.Sprintf("request-%02d", i) || r.Type != fmt.Sprintf("type-%02d", i) {
			t.Errorf("message %d has become %q %q %q %.80q…", i, r.MessageID, r.RequestID, r.Type, r.Body)
		}
	}
	if len(inbox.kept) != n {
		t.Errorf("%d messages came to the inbox", len(inbox.kept))
	}
}
