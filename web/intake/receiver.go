package intake

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carebell/db"
	"carebell/web/bodies"
	"carebell/web/door"
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

	Budget *bodies.Budget                                   // of all bodies that are being received; nil = none
	Sender func(c *fiber.Ctx) (from netip.Addr, known bool) // known: it has proved before who it is; nil = nobody has
	Proved func(c *fiber.Ctx)                               // called when the signature fitted; nil = nobody wants to know
}

// limits are those of one delivery. The sender gives up after 5 s, whatever it has still to send.
var limits = bodies.Limits{Most: MaxBody, Patience: 5 * time.Second, Rate: 16 << 10, Whole: 30 * time.Second}

// Handle answers one POST. 200 is said only after the body is durable; a request that is not signed by a key in force
// gets 401 and leaves nothing but a count.
func (r *Receiver) Handle(c *fiber.Ctx) error {
	began := r.Now()
	if c.Get(fiber.HeaderContentEncoding) != "" {
		return r.refuse(c, "encoded", fiber.StatusUnsupportedMediaType, "Send the body as it is, without Content-Encoding.\n")
	}
	signature := strings.Clone(c.Get(metriport.SignatureHeader))
	if signature == "" {
		return r.refuse(c, "no signature", fiber.StatusUnauthorized, "The request is not signed.\n")
	}
	if !metriport.IsSignature(signature) { // before the body is read: what is no signature fits nothing
		return r.refuse(c, "wrong signature", fiber.StatusUnauthorized, "The signature fits no webhook key in force.\n")
	}
	// Everything that leaves this handler must be a copy: Fiber gives the request's memory to the next one.
	l := limits
	if r.Sender != nil {
		l.From, l.Known = r.Sender(c)
	}
	body, done, err := bodies.Read(c.Context(), l, r.Budget)
	defer done()
	if err != nil {
		return r.unread(c, err)
	}
	key := signedBy(r.Keys, began, body, signature)
	if key == "" {
		bodies.Recycle(body)
		r.Refused.Add("wrong signature")
		return c.Status(fiber.StatusUnauthorized).SendString("The signature fits no webhook key in force.\n")
	}
	if r.Proved != nil {
		r.Proved(c)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	e, receipt, err := r.append(ctx, key, body)
	if err != nil {
		r.Log.Error("a webhook could not be made durable; answered 503 so that it is sent again", "messageId", e.MessageID, "size", len(body), "error", err)
		return c.Status(fiber.StatusServiceUnavailable).SendString("The message could not be stored. Send it again.\n")
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

// append makes a delivery durable that the key signed.
func (r *Receiver) append(ctx context.Context, key string, body []byte) (metriport.Envelope, db.Receipt, error) {
	e := metriport.ReadEnvelope(body)
	receipt, err := r.Inbox.Append(ctx, db.Received{
		MessageID: e.MessageID, Shared: e.Shared, RequestID: e.RequestID, Type: e.Type, SentAt: e.When, KeyID: key, Body: body,
	})
	if err == nil && r.Accepted != nil {
		r.Accepted()
	}
	return e, receipt, err
}

// ErrNotSigned is returned for a delivery that no key in force signed.
var ErrNotSigned = errors.New("the signature fits no webhook key in force")

// Deliver takes a delivery of this process as [Receiver.Handle] takes one that comes over HTTP: it is checked, and durable
// when Deliver returns without an error. body must not change afterwards.
func (r *Receiver) Deliver(ctx context.Context, body []byte, signature string) (db.Receipt, error) {
	key := signedBy(r.Keys, r.Now(), body, signature)
	if key == "" {
		return db.Receipt{}, ErrNotSigned
	}
	_, receipt, err := r.append(ctx, key, body)
	return receipt, err
}

// unread answers a delivery whose body could not be read.
func (r *Receiver) unread(c *fiber.Ctx, err error) error {
	switch {
	case errors.Is(err, bodies.ErrTooLarge):
		return fiber.ErrRequestEntityTooLarge
	case errors.Is(err, bodies.ErrTooSlow):
		return r.refuse(c, "too slow", fiber.StatusRequestTimeout, "The body did not arrive in time. Send it again.\n")
	case errors.Is(err, bodies.ErrNoRoom):
		r.Log.Warn("a webhook was answered 503, so that it is sent again: too many large bodies came at the same time")
		return r.refuse(c, "no room", fiber.StatusServiceUnavailable, "Too many large messages came at the same time. Send it again.\n")
	default:
		return r.refuse(c, "cut short", fiber.StatusBadRequest, "The body did not arrive whole. Send it again.\n")
	}
}

// refuse counts a request whose body was not read, or not to its end, and closes its connection.
func (r *Receiver) refuse(c *fiber.Ctx, reason string, status int, words string) error {
	r.Refused.Add(reason)
	door.Linger(c.Context().Conn())
	c.Context().SetConnectionClose()
	return c.Status(status).SendString(words)
}
