package sim

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"carebell/web/metriport"
)

// maxReply is how much of an answer is read; the sender needs no more than a pong.
const maxReply = 64 << 10

// Post sends body to url as the sender does: signed with key, as JSON, under the sender's user agent, following no
// redirect. It returns the status and at most 64 KiB of the answer; err is set only when no answer could be read.
// The deadline is the caller's ctx; the sender itself gives up after 5 s.
func Post(ctx context.Context, client *http.Client, url, key string, body []byte) (status int, reply []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("post webhook: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", metriport.UserAgent)
	req.Header.Set(metriport.SignatureHeader, metriport.Sign(key, body))

	if client == nil {
		client = http.DefaultClient
	}
	c := *client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := c.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("post webhook: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	reply, err = io.ReadAll(io.LimitReader(res.Body, maxReply))
	if err != nil {
		return res.StatusCode, reply, fmt.Errorf("read the answer: %w", err)
	}
	return res.StatusCode, reply, nil
}
