package archive

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"carebell/db"
)

// APIKey opens the sender's API. It goes to the hosts of the sender and to listed ones, never elsewhere.
type APIKey string

// fresh asks the sender's API for a new link to a document, in place of one that has died.
func (f *Fetcher) fresh(ctx context.Context, apiURL string, key APIKey) (string, error) {
	u, err := f.guard.Check(apiURL)
	if err != nil {
		return "", err
	}
	if !f.guard.mayHaveKey(u) {
		return "", RefusedError{"the API key is not sent to this host"}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", RefusedError{"not a web address"}
	}
	req.Header.Set("User-Agent", "Carebell")
	req.Header.Set("x-api-key", string(key))
	resp, err := f.client.Do(req)
	if err != nil {
		if r, ok := refusal(err); ok {
			return "", r
		}
		return "", plainly(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return "", StatusError{resp.StatusCode}
	}
	var answer struct {
		URL string `json:"url"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&answer); err != nil || answer.URL == "" {
		return "", errors.New("the sender's API gave no link")
	}
	return answer.URL, nil
}

func (g *Guard) mayHaveKey(u *url.URL) bool {
	host := strings.ToLower(u.Hostname())
	return strings.HasSuffix(host, ".metriport.com") || g.isListed(host, u.Port())
}

// renewable says whether a fetch that ended with err may be tried with a fresh link.
func (a *Archive) renewable(d db.Download, err error) bool {
	var status StatusError
	dead := errors.Is(err, ErrExpired) || errors.As(err, &status) && status.Status < http.StatusInternalServerError
	return dead && d.APIURL != "" && a.key != ""
}
