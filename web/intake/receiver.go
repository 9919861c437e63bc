package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/web/metriport"
)

// Path is where the sender posts to.
const Path = "/webhooks/metriport"

// MaxBody is the largest body that is taken, in bytes.
const MaxBody = 32 << 20

// patience bounds the wait for a commit. The sender gives up at 5 s; a commit that comes later still counts, and the
// sender's retry is then a repeat.
const patience = 8 * time.Second

// Inbox makes a delivery durable.
type Inbox interface {
	Append(ctx context.Context, r db.Received) (db.Receipt, error)
}

// Receiver answers the webhook.
type Receiver struct {
	Keys     []Key
	Inbox    Inbox
	Now      func() time.Time
	Log      *slog.Logger
	Refused  *Refusals
	Accepted func() // called after each durable delivery; must not block
}

// Handle answers one POST. 200 is said only after the body is durable; a request that is not signed by a key in force
// gets 401 and leaves nothing but a count.
func (r *Receiver) Handle(c *fiber.Ctx) error {
	began := r.Now()
	if c.Get(fiber.HeaderContentEncoding) != "" {
		r.Refused.Add("encoded")
		return c.Status(fiber.StatusUnsupportedMediaType).SendString("Send the body as it is, without Content-Encoding.\n")
	}
	// Everything that leaves this handler must be a copy: Fiber gives the request's memory to the next one.
	body := bytes.Clone(c.Request().Body())
	if len(body) > MaxBody {
		return fiber.ErrRequestEntityTooLarge
	}
	signature := strings.Clone(c.Get(metriport.SignatureHeader))
	if signature == "" {
		r.Refused.Add("no signature")
		return c.Status(fiber.StatusUnauthorized).SendString("The request is not signed.\n")
	}
	key := signedBy(r.Keys, began, body, signature)
	if key == "" {
		r.Refused.Add("wrong signature")
		return c.Status(fiber.StatusUnauthorized).SendString("The signature fits no webhook key in force.\n")
	}
	e := metriport.ReadEnvelope(body)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	receipt, err := r.Inbox.Append(ctx, db.Received{
		MessageID: e.MessageID, Shared: e.Shared, RequestID: e.RequestID, Type: e.Type, SentAt: e.When, KeyID: key, Body: body,
	})
	if err != nil {
		r.Log.Error("a webhook could not be made durable; answered 503 so that it is sent again", "messageId", e.MessageID, "size", len(body), "error", err)
		return c.Status(fiber.StatusServiceUnavailable).SendString("The message could not be stored. Send it again.\n")
	}
	if r.Accepted != nil {
		r.Accepted()
	}
	kind := e.Type
	if !metriport.Known(kind) {
		kind = "unknown" // words that are not ours do not belong into the log
	}
	r.Log.Info("webhook", "messageId", e.MessageID, "type", kind, "size", len(body), "seq", receipt.Seq, "repeat", receipt.Repeat,
		"status", fiber.StatusOK, "took", r.Now().Sub(began).Round(10*time.Microsecond))
	if e.Ping == "" {
		return c.SendStatus(fiber.StatusOK)
	}
	pong, err := json.Marshal(map[string]string{"pong": e.Ping})
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	return c.Send(pong)
}
