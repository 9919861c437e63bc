package archive

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"
)

// origin serves one handler, and returns a fetcher that may ask it.
func origin(t *testing.T, maxSize int64, h http.HandlerFunc) (*Fetcher, string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	g, err := NewGuard([]string{s.Listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	return NewFetcher(g, maxSize), s.URL + "/object"
}

func zipped(t *testing.T, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.CopyN(z, zeros{}, int64(n)); err != nil {
		t.Fatal(err)
	}
	_ = z.Close()
	return b.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestHostileOrigins: whatever an origin does ends in a clear error, within the limit.
func TestHostileOrigins(t *testing.T) {
	const limit = 1 << 20
	bomb := zipped(t, 64<<20)
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		inflate bool
		want    string // part of the error; "" = none
		most    int64
	}{
		"the content": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }, false, "", 5},
		"a gzip bomb": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bomb) }, true, "larger", limit + 1},
		"a gzip bomb as content encoding": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb)
		}, false, "larger", limit + 1},
		"gzip that is kept as it is": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bomb[:1000]) }, false, "", 1000},
		"damaged gzip":               {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bomb[:1000]) }, true, "cut short", limit},
		"an endless body": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}, false, "larger", limit + 1},
		"a length beyond the limit": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", fmt.Sprint(limit*2)) }, false, "larger", 0},
		"a length that lies": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, "short")
		}, false, "cut short", 5},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		}, false, "another address", 0},
		"a redirect to itself": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		}, false, "another address", 0},
		"an expired link": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>")
		}, false, "expired", 0},
		"refused otherwise":        {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, false, "answered 403", 0},
		"not there":                {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, false, "answered 404", 0},
		"a failure":                {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, false, "answered 500", 0},
		"no content":               {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, false, "answered 204", 0},
		"a connection that breaks": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			f, link := origin(t, limit, test.handler)
			var got counter
			_, err := f.Fetch(t.Context(), link, test.inflate, func(Fetched) {}, &got)
			switch {
			case name == "a connection that breaks" && err == nil, test.want == "" && err != nil && name != "a connection that breaks",
				test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("ended with %v, want %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "127.0.0.1") {
				t.Errorf("the error tells the address: %v", err)
			}
			if got.n > test.most {
				t.Errorf("%d bytes were taken, want at most %d", got.n, test.most)
			}
		})
	}
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) { c.n += int64(len(p)); return len(p), nil }

// TestSlowDripEndsWithTheLinksLife: an origin that sends a byte now and then is cut off when the time is up.
func TestSlowDripEndsWithTheLinksLife(t *testing.T) {
	f, link := origin(t, 0, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			_, _ = w.Write([]byte("."))
			w.(http.Flusher).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	})
	ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, ErrStalled)
	defer cancel()
	if _, err := f.Fetch(ctx, link, false, func(Fetched) {}, io.Discard); !errors.Is(err, ErrStalled) {
		t.Errorf("ended with %v, want %v", err, ErrStalled)
	}
}

// TestLargeBodyTakesLittleMemory streams 250 MB into the vault.
func TestLargeBodyTakesLittleMemory(t *testing.T) {
	const size = 250 << 20
	f, link := origin(t, 0, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.CopyN(w, zeros{}, size) })
	v, err := OpenVault(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	w, err := v.Create()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Discard()
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	peak := uint64(0)
	if _, err := f.Fetch(t.Context(), link, false, func(Fetched) {}, writerFunc(func(p []byte) (int, error) {
		if w.Size()%(8<<20) < int64(len(p)) {
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapInuse)
		}
		return w.Write(p)
	})); err != nil {
		t.Fatal(err)
	}
	if err := w.Keep(); err != nil || w.Size() != size {
		t.Fatalf("kept %d bytes: %v", w.Size(), err)
	}
	if grown := int64(peak) - int64(before.HeapInuse); grown > 32<<20 {
		t.Errorf("memory rose by %d MiB, want at most 32", grown>>20)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestSniff(t *testing.T) {
	for head, want := range map[string]string{
		"{\"resourceType\":\"Bundle\"}":               "application/json",
		"\xef\xbb\xbf \n[1]":                          "application/json",
		"%PDF-1.4\n":                                  "application/pdf",
		"<?xml version=\"1.0\"?><ClinicalDocument>":   "application/xml",
		"<ClinicalDocument xmlns=\"urn:hl7-org:v3\">": "application/xml",
		"<svg onload=alert(1)>":                       "image/svg+xml",
		"<?xml version='1.0'?><svg>":                  "image/svg+xml",
		"<!doctype html><script>":                     "text/html",
		"II*\x00....":                                 "image/tiff",
		"a,b,c\n1,2,3\n":                              "text/plain",
		"\x00\x01\x02":                                "application/octet-stream",
		"":                                            "text/plain",
	} {
		if got := Sniff([]byte(head)); got != want {
			t.Errorf("%q looks like %s, want %s", head, got, want)
		}
	}
}
