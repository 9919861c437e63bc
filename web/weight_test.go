package web_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"carebell/db"
	"carebell/web/webtest"
)

// TestPagesAndAssetsComeCompressed to who takes that, and are the same for who does not.
func TestPagesAndAssetsComeCompressed(t *testing.T) {
	s := webtest.Start(t)
	b := s.SignedIn(t, "carla@clinic.example", db.Coordinator)
	_, page := b.Get(t, "/")
	paths := []string{"/"}
	for _, m := range regexp.MustCompile(`(?:src|href)="(/static/[^"]+)"`).FindAllStringSubmatch(page, -1) {
		paths = append(paths, m[1])
	}
	if len(paths) < 5 {
		t.Fatalf("the page names only %v", paths)
	}
	for _, path := range paths {
		plain, _ := b.Send(t, http.MethodGet, path, nil, http.Header{"Accept-Encoding": {"identity"}})
		_, whole := b.Send(t, http.MethodGet, path, nil, http.Header{"Accept-Encoding": {"identity"}})
		packed, body := b.Send(t, http.MethodGet, path, nil, http.Header{"Accept-Encoding": {"gzip, deflate, br"}})
		if plain.Header.Get("Content-Encoding") != "" || packed.Header.Get("Content-Encoding") != "gzip" || packed.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s comes as %q and %q, varying by %q", path, plain.Header.Get("Content-Encoding"), packed.Header.Get("Content-Encoding"), packed.Header.Get("Vary"))
			continue
		}
		r, err := gzip.NewReader(strings.NewReader(body))
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		got, err := io.ReadAll(r)
		if err != nil || path != "/" && string(got) != whole || len(body) > len(whole)*3/4 && len(whole) > 1000 {
			t.Errorf("%s: %d bytes compressed to %d, %v", path, len(whole), len(body), err)
		}
	}
}
