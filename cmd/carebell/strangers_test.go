package main_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"carebell/web/metriport"
)

// mostMemory is what a server may take at its highest, whatever strangers send: about twice what it holds at one time,
// because the collector of Go waits for as much again.
const mostMemory = 512 << 20

// highest is the most memory that the process has had, in bytes.
func (p *process) highest(t testing.TB) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(status), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatal("the highest memory is not known")
	return 0
}

// TestStrangersTakeLittleMemory: whatever somebody without a key sends, the server's memory stays bounded, nothing is
// spilt into temporary files, and a signed webhook is taken meanwhile.
func TestStrangersTakeLittleMemory(t *testing.T) {
	dir, temporary := t.TempDir(), t.TempDir()
	p := serve(t, dir, "TMPDIR="+temporary)
	addr := strings.TrimPrefix(p.url, "http://")
	const hook = "/webhooks/metriport"
	shaped := strings.Repeat("a", 64)
	n := 0
	signed := func(when string) {
		t.Helper()
		n++
		body := fmt.Sprintf(`{"meta":{"messageId":"signed-%d","type":"patient.admit"},"payload":{"patientId":"p"},"x":%q}`, n, strings.Repeat("x", 20<<10))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+hook, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(metriport.SignatureHeader, metriport.Sign(key, []byte(body)))
		began := time.Now()
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Errorf("while %s a signed webhook gets no answer: %v", when, err)
			return
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("while %s a signed webhook is answered %d", when, resp.StatusCode)
		}
		t.Logf("while %s: a signed webhook took %s; highest memory %d MiB", when, time.Since(began).Round(time.Millisecond), p.highest(t)>>20)
	}
	signed("nothing happens")

	// A small body that inflates to a large one.
	var packed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	form := multipart.NewWriter(z)
	file, _ := form.CreateFormFile("email", "x")
	for range 60 {
		_, _ = file.Write(make([]byte, 1<<20))
	}
	_ = form.Close()
	_ = z.Close()
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/login", bytes.NewReader(packed.Bytes()))
			if err != nil {
				t.Error(err)
				return
			}
			req.Header.Set("Content-Type", form.FormDataContentType())
			req.Header.Set("Content-Encoding", "gzip")
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusUnsupportedMediaType {
				t.Errorf("a body that inflates is answered %d", resp.StatusCode)
			}
		})
	}
	all.Wait()
	signed("bodies inflate")

	// Many that announce much and send little, and many that send what is free and no more.
	dial := func(from string) net.Conn {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 10 * time.Second}
		c, err := d.DialContext(t.Context(), "tcp", addr)
		if err != nil {
			t.Error(err)
			return nil
		}
		return c
	}
	for i := range 1500 {
		c := dial(fmt.Sprintf("127.0.1.%d", 1+i%5))
		if c == nil {
			return
		}
		defer func() { _ = c.Close() }()
		size := 100
		if i%2 == 0 {
			size = 30 << 10
		}
		_, _ = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\n%s: %s\r\nContent-Length: %d\r\n\r\n%s", hook, metriport.SignatureHeader, shaped, 32<<20, strings.Repeat("x", size))
	}
	signed("much is announced")

	// And those that really send it.
	large := bytes.Repeat([]byte("x"), 1<<20)
	for i := range 48 {
		all.Go(func() {
			c := dial(fmt.Sprintf("127.0.2.%d", 1+i%12))
			if c == nil {
				return
			}
			defer func() { _ = c.Close() }()
			_ = c.SetDeadline(time.Now().Add(time.Minute))
			_, _ = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\n%s: %s\r\nContent-Length: %d\r\n\r\n", hook, metriport.SignatureHeader, shaped, 32<<20)
			for range 32 {
				if _, err := c.Write(large); err != nil {
					return // it was refused
				}
			}
			_, _ = io.Copy(io.Discard, c)
		})
	}
	time.Sleep(500 * time.Millisecond)
	signed("much is sent")
	all.Wait()
	signed("it is quiet again")

	if got := p.highest(t); got > mostMemory {
		t.Errorf("strangers made the server take %d MiB", got>>20)
	}
	for _, pattern := range []string{"*", "*/*"} {
		if left, _ := filepath.Glob(filepath.Join(temporary, pattern)); len(left) > 0 {
			t.Errorf("temporary files: %v", left)
		}
	}
	if lines := inbox(t, dir); len(lines) != n {
		t.Errorf("%d messages are in the inbox, want %d", len(lines), n)
	}
}
