package metriport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Limits of the client.
const (
	MaxPage    = 500              // deliveries of one page, the most the API gives
	maxPages   = 4000             // of one listing: two million deliveries
	maxAnswer  = 16 << 20         // bytes of one answer
	answerTime = 20 * time.Second // for one answer
	tries      = 4                // of a question that the API answers with "later"
	maxPause   = 30 * time.Second // before a further try
	maxDetail  = 300              // runes of what the API says of itself
)

// bases are where the API keeps its webhook settings: under the medical API as the contract has it, and at the top as
// the sender's published client asks for them. Versions differ in what they have at which; the first that is there is used.
var bases = []string{"/medical/v1/settings/webhook", "/settings/webhook"}

// Client asks the sender's API about the webhook. Its errors never hold the key or an address.
type Client struct {
	base  string // scheme and host
	key   string
	http  *http.Client
	pause func(ctx context.Context, d time.Duration) error
	found atomic.Int32 // index in bases that answered last: it is asked first
}

// NewClient makes a client for the API at base with an API key. c must not follow redirects: the key goes to base alone.
func NewClient(base *url.URL, key string, c *http.Client) *Client {
	own := *c
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{base: base.Scheme + "://" + base.Host, key: key, http: &own, pause: sleep}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// APIError is an answer other than success.
type APIError struct {
	Status int
	Detail string // what the API says, in one short line; "" where nothing readable
}

func (e APIError) Error() string {
	var text string
	switch {
	case e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden:
		text = fmt.Sprintf("Metriport does not accept the API key (%d)", e.Status)
	case e.Status == http.StatusTooManyRequests:
		text = "Metriport asks for fewer requests (429)"
	case e.Status >= 300 && e.Status < 400:
		text = fmt.Sprintf("Metriport's API leads to another address (%d), which is not followed", e.Status)
	default:
		text = fmt.Sprintf("Metriport's API answered %d", e.Status)
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

// WebhookStatus is how the sender sees the webhook (GET …/settings/webhook).
type WebhookStatus struct {
	Known      bool // false where the account has no webhook settings yet
	Enabled    bool // the last delivery worked
	Detail     string
	Processing int64 // deliveries under way, or Uncounted
	Failed     int64 // deliveries that failed and were not retried with success, or Uncounted
}

// Uncounted is a count that the sender does not know, or did not send.
const Uncounted = -1

func count(n *Int) int64 {
	if n == nil || *n < 0 {
		return Uncounted
	}
	return int64(*n)
}

// Status asks how the webhook does.
func (c *Client) Status(ctx context.Context) (WebhookStatus, error) {
	var answer struct {
		Enabled    *boolean `json:"webhookEnabled"`
		Detail     Text     `json:"webhookStatusDetail"`
		Processing *Int     `json:"webhookRequestsProcessing"`
		Failed     *Int     `json:"webhookRequestsFailed"`
	}
	body, err := c.get(ctx, "", nil)
	if err != nil {
		return WebhookStatus{}, err
	}
	if len(strings.TrimSpace(string(body))) > 0 {
		if err := json.Unmarshal(body, &answer, loose); err != nil {
			return WebhookStatus{}, errUnreadable
		}
	}
	s := WebhookStatus{Known: answer.Enabled != nil, Detail: c.line(string(answer.Detail)), Processing: count(answer.Processing), Failed: count(answer.Failed)}
	s.Enabled = s.Known && bool(*answer.Enabled)
	return s, nil
}

var errUnreadable = errors.New("Metriport's API gave an answer that Carebell cannot read") //nolint:staticcheck // a name

// loose reads what stands twice, and bytes that are no text, as they are.
var loose = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// boolean is true for true and "true"; the documentation gives the type as a string.
type boolean bool

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (b *boolean) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	v, err := d.ReadValue()
	*b = boolean(strings.EqualFold(strings.Trim(string(v), `" `), "true"))
	return err
}

// Delivery statuses.
const (
	DeliveryProcessing = "processing"
	DeliverySuccess    = "success"
	DeliveryFailure    = "failure"
)

// Delivery is one entry of the sender's list of what it sent in the last 30 days.
type Delivery struct {
	ID         string    // meta.messageId
	RequestID  string    // "" where not said
	Type       string    // "" where not said
	Status     string    // processing, success or failure; other words are kept
	Detail     string    // why it failed, in one short line
	HTTPStatus int       // what the receiver answered; 0 where nothing
	Took       int64     // milliseconds; 0 where not said
	URL        string    // where it was sent to, without what may be a secret; "" where not said
	At         time.Time // when it was made: as said, else by its id; zero where neither tells
}

// Tried says whether anything tells of an attempt to send it. A message of a type that the account has switched off is
// listed as a success that was never tried.
func (d Delivery) Tried() bool { return d.HTTPStatus != 0 || d.Took != 0 || d.URL != "" }

// ErrNoList is returned where this version of the API has no list of deliveries.
var ErrNoList = errors.New("this version of Metriport's API has no list of what it sent")

// Listing is what the sender sent.
type Listing struct {
	Deliveries []Delivery // newest first, each id once
	Repeated   int        // entries with an id that was listed before
	Unreadable int        // entries without an id
}

// Deliveries lists what the sender sent after since, or returns [ErrNoList]. progress is called after every page with how
// many were read.
func (c *Client) Deliveries(ctx context.Context, since time.Time, progress func(n int)) (Listing, error) {
	var out Listing
	seen := map[string]bool{}
	from := ""
	for range maxPages {
		page, next, err := c.page(ctx, from)
		if from == "" && IsNotThere(err) {
			err = ErrNoList
		}
		if err != nil {
			return Listing{}, err
		}
		fresh, old := 0, 0
		for _, d := range page {
			switch {
			case d.ID == "":
				out.Unreadable++
			case seen[d.ID]:
				out.Repeated++
			case !d.At.IsZero() && d.At.Before(since):
				old++
			default:
				seen[d.ID] = true
				out.Deliveries = append(out.Deliveries, d)
				fresh++
			}
		}
		progress(len(out.Deliveries))
		switch {
		case next == "" || len(page) == 0 || old == len(page):
			return out, nil
		case next == from || fresh+old == 0:
			return Listing{}, errors.New("Metriport's list does not come to an end") //nolint:staticcheck // a name
		}
		from = next
	}
	return Listing{}, errors.New("Metriport's list is longer than Carebell reads") //nolint:staticcheck // a name
}

// page reads one page, and what to ask for the next one with; "" at the end.
func (c *Client) page(ctx context.Context, from string) ([]Delivery, string, error) {
	q := url.Values{"count": {strconv.Itoa(MaxPage)}}
	if from != "" {
		q.Set("fromItem", from)
	}
	body, err := c.get(ctx, "/request", q)
	if err != nil {
		return nil, "", err
	}
	var answer struct {
		Meta *struct {
			Next Text `json:"nextPage"`
		} `json:"meta"`
		Requests []jsontext.Value `json:"requests"`
	}
	if json.Unmarshal(body, &answer, loose) != nil && json.Unmarshal(body, &answer.Requests, loose) != nil {
		return nil, "", errUnreadable
	}
	if answer.Requests == nil {
		return nil, "", errUnreadable
	}
	var out []Delivery
	for _, raw := range answer.Requests {
		var e entry
		_ = json.Unmarshal(raw, &e, loose) // what is no entry has no id, and is counted as such
		out = append(out, e.delivery(c))
	}
	switch {
	case answer.Meta != nil && answer.Meta.Next != "":
		u, err := url.Parse(string(answer.Meta.Next)) // of it only the place is used: the key goes to our own base
		if err != nil || u.Query().Get("fromItem") == "" {
			return nil, "", errUnreadable
		}
		return out, u.Query().Get("fromItem"), nil
	case answer.Meta == nil && len(out) >= MaxPage:
		return out, out[len(out)-1].ID, nil
	default:
		return out, "", nil
	}
}

// entry is a delivery as the API gives it.
type entry struct {
	ID         Text `json:"id"`
	RequestID  Text `json:"requestId"`
	Type       Text `json:"type"`
	Status     Text `json:"status"`
	Detail     Text `json:"statusDetail"`
	HTTPStatus Int  `json:"httpStatus"`
	Took       Int  `json:"durationMillis"`
	URL        Text `json:"requestUrl"`
	CreatedAt  Time `json:"createdAt"`
	When       Time `json:"when"`
}

func (e entry) delivery(c *Client) Delivery {
	d := Delivery{
		ID: cut(string(e.ID), maxMessageID), RequestID: cut(string(e.RequestID), maxMessageID), Type: cut(string(e.Type), maxWord),
		Status: strings.ToLower(cut(string(e.Status), maxWord)), Detail: c.line(string(e.Detail)), HTTPStatus: int(max(e.HTTPStatus, 0)), Took: int64(max(e.Took, 0)),
		URL: Endpoint(string(e.URL)), At: e.CreatedAt.Time,
	}
	if d.At.IsZero() {
		d.At = e.When.Time
	}
	if d.At.IsZero() {
		d.At = uuid7Time(d.ID)
	}
	return d
}

// Endpoint is the address of a webhook in the form in which two can be compared, without user, query and fragment; "" for
// what is no address.
func Endpoint(address string) string {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Host == "" {
		return ""
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Hostname())
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port := u.Port(); port != "" && (scheme != "https" || port != "443") && (scheme != "http" || port != "80") {
		host += ":" + port
	}
	return cut(scheme+"://"+host+strings.TrimRight(u.EscapedPath(), "/"), maxMessageID)
}

// uuid7Time is the instant that a version 7 UUID begins with; zero for what is none.
func uuid7Time(id string) time.Time {
	hex := strings.ReplaceAll(id, "-", "")
	if !isUUID(id) || hex[12] != '7' {
		return time.Time{}
	}
	ms, err := strconv.ParseInt(hex[:12], 16, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// Retry asks the sender to send every failed delivery again, oldest first. It returns when the sender has agreed; the
// deliveries follow. It is asked once: an answer that is lost may have been a yes.
func (c *Client) Retry(ctx context.Context) error {
	_, err := c.ask(ctx, http.MethodPost, "/retry", nil)
	return err
}

// RetryOne asks the sender to give one message again, as a new delivery with an id and links of its own, and returns the
// answer, which should be the very body of that. It is asked once: an answer that is lost may have been a yes.
func (c *Client) RetryOne(ctx context.Context, id string) ([]byte, error) {
	return c.ask(ctx, http.MethodPost, "/request/"+url.PathEscape(id)+"/retry", nil)
}

// Later says whether a failure may pass by itself, and after how long the API wants to be asked again; 0 where it does not
// say.
func Later(err error) (after time.Duration, ok bool) {
	var later laterError
	ok = errors.As(err, &later)
	return later.after, ok
}

// get asks, and asks again where the API says "later".
func (c *Client) get(ctx context.Context, path string, q url.Values) ([]byte, error) {
	for try := 1; ; try++ {
		body, err := c.ask(ctx, http.MethodGet, path, q)
		var later laterError
		if !errors.As(err, &later) || try == tries {
			return body, err
		}
		pause := time.Second << (try - 1)
		if later.after > 0 {
			pause = min(later.after, maxPause)
		}
		if e := c.pause(ctx, pause); e != nil {
			return nil, err
		}
	}
}

// laterError wraps a failure that may pass by itself.
type laterError struct {
	error
	after time.Duration // as the API asks for; 0 where it does not
}

func (e laterError) Unwrap() error { return e.error }

// ask looks for what is asked at each of the bases, at first where the last answer came from. Its error is of the one that
// says most: that the key is not accepted there, before that there is nothing.
func (c *Client) ask(ctx context.Context, method, path string, q url.Values) ([]byte, error) {
	var first error
	at := int(c.found.Load())
	for i := range bases {
		n := (at + i) % len(bases)
		body, err := c.once(ctx, method, bases[n]+path, q)
		if err == nil {
			c.found.Store(int32(n))
			return body, nil
		}
		var answer APIError
		if !IsNotThere(err) && (!errors.As(err, &answer) || answer.Status != http.StatusForbidden) {
			return nil, err
		}
		if first == nil || IsNotThere(first) {
			first = err
		}
	}
	return nil, first
}

// IsNotThere says whether an error is an answer that what was asked for is not there: in the words of the API itself, or
// of the gateway in front of it, which calls an address that it does not know a missing token.
func IsNotThere(err error) bool {
	var answer APIError
	if !errors.As(err, &answer) {
		return false
	}
	switch answer.Status {
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return true
	case http.StatusForbidden:
		return strings.Contains(answer.Detail, "Missing Authentication Token")
	default:
		return false
	}
}

// IsSample says whether an id is the one that the dashboard's test events share.
func IsSample(id string) bool { return id == "msg-123" }

func (c *Client) once(ctx context.Context, method, path string, q url.Values) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	address := c.base + path
	if len(q) > 0 {
		address += "?" + q.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return nil, errors.New("the address of Metriport's API cannot be asked")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "Carebell")
	req.Header.Set("x-api-key", c.key)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, laterError{error: errUnreached(ctx, err)}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, laterError{error: errUnreached(ctx, err)}
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("Metriport's API sent more than %d MiB", maxAnswer>>20) //nolint:staticcheck // a name
	case resp.StatusCode >= 200 && resp.StatusCode < 300:
		return body, nil
	}
	failure := APIError{Status: resp.StatusCode, Detail: c.detail(body)}
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= http.StatusInternalServerError {
		return nil, laterError{failure, retryAfter(resp.Header)}
	}
	return nil, failure
}

// retryAfter is how long an answer asks to wait, in seconds or until a date that counts from the answer's own (RFC 9110,
// 10.2.3); 0 where it does not.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(min(max(seconds, 0), 24*3600)) * time.Second
	}
	until, err := http.ParseTime(text)
	now, errNow := http.ParseTime(h.Get("Date"))
	if err != nil || errNow != nil {
		return 0
	}
	return min(max(until.Sub(now), 0), 24*time.Hour)
}

// errUnreached says why there was no answer, without the address around it.
func errUnreached(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("Metriport's API did not answer in time") //nolint:staticcheck // a name
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("Metriport's API could not be reached: %w", err) //nolint:staticcheck // a name
}

// detail is what an answer says of a failure, by the names the API uses.
func (c *Client) detail(body []byte) string {
	var answer struct {
		Detail  Text `json:"detail"`
		Message Text `json:"message"`
		Title   Text `json:"title"`
	}
	if json.Unmarshal(body, &answer, loose) != nil {
		return ""
	}
	for _, t := range []Text{answer.Detail, answer.Message, answer.Title} {
		if t != "" {
			return c.line(string(t))
		}
	}
	return ""
}

// line makes words of the API short, one line, and free of the key, should it be quoted.
func (c *Client) line(s string) string {
	if c.key != "" {
		s = strings.ReplaceAll(s, c.key, "…")
	}
	s = strings.ToValidUTF8(strings.Join(strings.Fields(s), " "), "�")
	if r := []rune(s); len(r) > maxDetail {
		return string(r[:maxDetail]) + "…"
	}
	return s
}

func cut(s string, most int) string {
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "")
	}
	return s
}
