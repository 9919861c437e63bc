package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"carebell/web/metriport"
)

// What the sender keeps of what it sent.
const (
	listedFor   = 30 * 24 * time.Hour
	usualPage   = 50
	giveUpAfter = 5 * time.Second // on a receiver that does not answer
)

// Target is where the simulated sender sends its webhooks, and the key it signs them with.
type Target struct {
	URL    string
	Key    string
	Client *http.Client // nil = the usual
}

// delivery is one entry of the sender's list.
type delivery struct {
	Message
	status string
	detail string
	answer int           // HTTP status; 0 where there was none
	took   time.Duration // of the last try
}

// outbox is the sender's list of deliveries, and how it sees the webhook.
type outbox struct {
	now     func() time.Time
	repeat  func(Message) Message
	again   func(Message) Message
	retries sync.WaitGroup

	mu     sync.Mutex
	target Target
	sent   []*delivery // oldest first
	broken string      // why the webhook is failing; "" = it works
}

// Connect says where webhooks go, as an account's settings do.
func (s *Sim) Connect(t Target) {
	s.outbox.mu.Lock()
	defer s.outbox.mu.Unlock()
	s.outbox.target = t
}

// Deliver posts m where [Sim.Connect] said, and keeps it on the list that the API shows. It returns the status and at
// most 64 KiB of the answer; err is set only when no answer could be read.
func (s *Sim) Deliver(ctx context.Context, m Message) (status int, reply []byte, err error) {
	return s.outbox.deliver(ctx, s.outbox.add(m), m.Body)
}

// Fail keeps m on the list as a delivery that got no answer, without sending it.
func (s *Sim) Fail(m Message) {
	d := s.outbox.add(m)
	s.outbox.settle(d, 0, giveUpAfter, fmt.Errorf("timeout of %dms exceeded", giveUpAfter.Milliseconds()))
}

// Wait waits until every retry that was agreed to has been carried out.
func (s *Sim) Wait() { s.outbox.retries.Wait() }

func (o *outbox) add(m Message) *delivery {
	o.mu.Lock()
	defer o.mu.Unlock()
	d := &delivery{Message: m, status: metriport.DeliveryProcessing}
	o.sent = append(o.sent, d)
	if old := len(o.sent) - 1 - maxHeld; old >= 0 && o.sent[old].status == metriport.DeliverySuccess {
		o.sent[old].Body = nil // what it leads to is forgotten too
	}
	return d
}

func (o *outbox) deliver(ctx context.Context, d *delivery, body []byte) (int, []byte, error) {
	o.mu.Lock()
	to := o.target
	o.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, giveUpAfter)
	defer cancel()
	began := time.Now() //nolint:forbidigo // how long the network takes, not the clinic's time
	status, reply, err := Post(ctx, to.Client, to.URL, to.Key, body)
	failure := err
	if err == nil && (status < 200 || status > 299) {
		failure = fmt.Errorf("request failed with status code %d", status)
	}
	o.settle(d, status, time.Since(began), failure)
	return status, reply, err
}

// settle writes down how a try ended. One failure makes the whole webhook count as failing, one success as working.
func (o *outbox) settle(d *delivery, status int, took time.Duration, failure error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	d.answer, d.took = status, took
	d.status, d.detail, o.broken = metriport.DeliverySuccess, "", ""
	if failure != nil {
		d.status, d.detail = metriport.DeliveryFailure, failure.Error()
		if status == 0 {
			d.detail = "timeout of 5000ms exceeded"
		}
		o.broken = d.detail
	}
}

// retryOne makes one delivery again as a new one, begins to send it, and returns its body; ok is false where the list does
// not have it any more.
func (o *outbox) retryOne(id string) (body []byte, ok bool) {
	o.mu.Lock()
	oldest := o.now().Add(-listedFor)
	at := slices.IndexFunc(o.sent, func(d *delivery) bool { return d.ID == id && d.Body != nil && !d.At.Before(oldest) })
	if at < 0 {
		o.mu.Unlock()
		return nil, false
	}
	m := o.sent[at].Message
	o.mu.Unlock()
	m = o.again(m)
	d := o.add(m)
	o.retries.Go(func() { _, _, _ = o.deliver(context.Background(), d, m.Body) }) // how it ended is on the list
	return m.Body, true
}

// retry takes the failed ones and sends them again, oldest first. It returns at once.
func (o *outbox) retry() {
	o.mu.Lock()
	var again []*delivery
	for _, d := range o.sent {
		if d.status == metriport.DeliveryFailure {
			d.status = metriport.DeliveryProcessing
			again = append(again, d)
		}
	}
	o.mu.Unlock()
	o.retries.Go(func() {
		for _, d := range again {
			_, _, _ = o.deliver(context.Background(), d, o.repeat(d.Message).Body) // how it ended is on the list
		}
	})
}

// counts is how many deliveries are under way, and how many failed.
func (o *outbox) counts() (processing, failed int) {
	for _, d := range o.sent {
		switch d.status {
		case metriport.DeliveryProcessing:
			processing++
		case metriport.DeliveryFailure:
			failed++
		}
	}
	return processing, failed
}

// page returns up to n entries, newest first, from the one with an id on; next is where the following page begins.
func (o *outbox) page(from string, n int) (entries list, next string, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	oldest := o.now().Add(-listedFor)
	listed := slices.DeleteFunc(slices.Clone(o.sent), func(d *delivery) bool { return d.At.Before(oldest) })
	slices.Reverse(listed)
	slices.SortStableFunc(listed, func(a, b *delivery) int { return b.At.Compare(a.At) })
	at := 0
	if from != "" {
		if at = slices.IndexFunc(listed, func(d *delivery) bool { return d.ID == from }); at < 0 {
			return nil, "", false
		}
	}
	entries = list{}
	for _, d := range listed[at:min(at+n, len(listed))] {
		entries = append(entries, d.entry(o.target.URL))
	}
	if at+n < len(listed) {
		next = listed[at+n].ID
	}
	return entries, next, true
}

func (d *delivery) entry(to string) object {
	e := of("id", d.ID, "type", string(d.Type), "status", d.status, "statusDetail", d.detail, "requestUrl", to, "createdAt", d.At)
	if d.answer != 0 {
		e = append(e, member{"httpStatus", d.answer})
	}
	if d.status != metriport.DeliveryProcessing {
		e = append(e, member{"durationMillis", int(d.took.Milliseconds())})
	}
	return e
}

// api serves the sender's webhook settings under a prefix, to whoever has an API key.
func (o *outbox) api(mux *http.ServeMux, prefix string) {
	keyed := func(h http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.Header.Get("x-api-key") == "" {
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = w.Write(encode(of("message", "Unauthorized")))
				return
			}
			h(w, r)
		}
	}
	mux.HandleFunc("GET "+prefix+"/settings/webhook", keyed(o.serveStatus))
	mux.HandleFunc("GET "+prefix+"/settings/webhook/request", keyed(func(w http.ResponseWriter, r *http.Request) { o.serveList(w, r, prefix) }))
	mux.HandleFunc("POST "+prefix+"/settings/webhook/retry", keyed(func(w http.ResponseWriter, _ *http.Request) {
		o.retry()
		_, _ = w.Write([]byte("OK"))
	}))
	mux.HandleFunc("POST "+prefix+"/settings/webhook/request/{id}/retry", keyed(func(w http.ResponseWriter, r *http.Request) {
		body, ok := o.retryOne(r.PathValue("id"))
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			body = encode(of("status", http.StatusNotFound, "title", "NotFoundError", "detail", "Webhook request not found"))
		}
		_, _ = w.Write(body)
	}))
}

func (o *outbox) serveStatus(w http.ResponseWriter, _ *http.Request) {
	o.mu.Lock()
	processing, failed := o.counts()
	broken := o.broken
	o.mu.Unlock()
	detail := broken
	if detail == "" {
		detail = "OK"
	}
	_, _ = w.Write(encode(object{
		{"webhookEnabled", json.RawMessage(strconv.FormatBool(broken == ""))}, {"webhookStatusDetail", detail},
		{"webhookRequestsProcessing", processing}, {"webhookRequestsFailed", failed},
	}))
}

func (o *outbox) serveList(w http.ResponseWriter, r *http.Request, prefix string) {
	q := r.URL.Query()
	count := usualPage
	if text := q.Get("count"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > metriport.MaxPage {
			o.bad(w, "count must be from 1 to "+strconv.Itoa(metriport.MaxPage))
			return
		}
		count = n
	}
	entries, next, ok := o.page(q.Get("fromItem"), count)
	if !ok {
		o.bad(w, "fromItem not found")
		return
	}
	meta := of("itemsOnPage", len(entries))
	if next != "" {
		meta = append(meta, member{"nextPage", "https://api.metriport.com" + strings.TrimSuffix(prefix, "/") + "/settings/webhook/request?" +
			url.Values{"fromItem": {next}, "count": {strconv.Itoa(count)}}.Encode()})
	}
	_, _ = w.Write(encode(of("meta", meta, "requests", entries)))
}

func (*outbox) bad(w http.ResponseWriter, detail string) {
	w.WriteHeader(http.StatusBadRequest)
	_, _ = w.Write(encode(of("status", http.StatusBadRequest, "title", "BadRequestError", "detail", detail)))
}
