package web_test

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"carebell/db"
	"carebell/web/webtest"
)

// storedFile has a document of this name and content stored, and returns its address.
func storedFile(t *testing.T, o *outside, name, kind, content string) (int64, string) {
	t.Helper()
	link := o.lead(fmt.Sprint("/stored-", len(o.requests()), "-", len(name)+len(content)), time.Hour, says(content))
	id := o.take(t, o.documents("PATIENT-1", fmt.Sprintf(`{"id":"1","fileName":%s,"mimeType":%q,"url":%q}`, jsonText(name), kind, link)))[0]
	o.ends(t, id, db.FetchStored)
	return id, "/files/" + strconv.FormatInt(id, 10)
}

// jsonText is text as a JSON string.
func jsonText(s string) string {
	b, _ := json.Marshal(s) // a string always can
	return string(b)
}

// TestFileIsServedAsAnAttachmentThatNothingRunsIn, to those who are signed in, under a name that fools nobody; and each
// time leaves a trace.
func TestFileIsServedAsAnAttachmentThatNothingRunsIn(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "viewer@clinic.example", db.Viewer)
	for name, want := range map[string]string{
		"summary.pdf":                      "summary.pdf",
		"Entlassung Größe – Łucja 📄.txt":   "Entlassung Größe – Łucja 📄.txt",
		`she said "hi"; filename=evil.exe`: `she said _hi_; filename=evil.exe`,
		"../../../etc/passwd":              "passwd.txt",
		`..\..\windows\system32\cmd.txt`:   "cmd.txt",
		"/absolute/path.txt":               "path.txt",
		".htaccess":                        "htaccess.txt",
		"...":                              "document-ID.txt",
		"a\r\nSet-Cookie: x=1.txt":         "a__Set-Cookie_ x=1.txt",
		"nul\x00.txt":                      "nul_.txt",
		"invoice\u202efdp.exe":             "invoice_fdp.exe",
		"\u2066left\u2069.txt":             "_left_.txt",
		"C:secret.txt":                     "C_secret.txt",
		"a:b|c?d*e<f>.txt":                 "a_b_c_d_e_f_.txt",
		strings.Repeat("long", 100):        "",
	} {
		id, path := storedFile(t, o, name, "text/plain", "some plain words, kept "+strconv.Quote(name))
		resp, _ := b.Get(t, path)
		kind, parameters, err := mime.ParseMediaType(resp.Header.Get("Content-Disposition"))
		if err != nil || kind != "attachment" {
			t.Errorf("%q: Content-Disposition %q: %v", name, resp.Header.Get("Content-Disposition"), err)
		}
		got := parameters["filename"]
		if want = strings.ReplaceAll(want, "ID", strconv.FormatInt(id, 10)); want != "" && !strings.HasPrefix(got, strings.TrimSuffix(want, ".txt")) {
			t.Errorf("%q is saved as %q, want %q", name, got, want)
		}
		if len(got) > 255 || got == "" || strings.ContainsAny(got, "/\\\r\n\x00\"\u202e\u2066\u2069") {
			t.Errorf("%q is saved as %q", name, got)
		}
		for _, c := range resp.Header.Get("Content-Disposition") {
			if c > 126 || c < ' ' {
				t.Errorf("%q: the header has %q in it", name, c)
			}
		}
		if len(resp.Header.Values("Set-Cookie")) != 0 {
			t.Errorf("%q sets a cookie", name)
		}
	}
	const page = "<!doctype html><script>alert(1)</script>"
	for content, served := range map[string]string{
		page:                  "application/octet-stream",
		"<svg onload=\"x\"/>": "application/octet-stream",
		"<?xml version=\"1.0\"?><html xmlns=\"http://www.w3.org/1999/xhtml\"><script>1</script></html>": "application/octet-stream",
		"%PDF-1.4\n/OpenAction":          "application/pdf",
		`{"resourceType":"Bundle"}`:      "application/json",
		"\x89PNG\r\n\x1a\n and so on":    "image/png",
		"plain":                          "text/plain",
		"\x00\x01\x02 not known":         "application/octet-stream",
		"\xfe\xff\x00<\x00s\x00c\x00r":   "text/plain",
		"\xef\xbb\xbf<script>1</script>": "text/plain", // after a byte order mark it is text to browsers too
	} {
		id, path := storedFile(t, o, "page.html", "text/html", content)
		before := o.numbers(t, `SELECT count(*) FROM audit WHERE action = 'download' AND patient_id = 'PATIENT-1' AND object = ?`, fmt.Sprint("file ", id))[0]
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			resp, body := b.Send(t, method, path, nil, nil)
			if resp.StatusCode != http.StatusOK || resp.ContentLength != int64(len(content)) {
				t.Errorf("%s %.10q: %d with %d bytes", method, content, resp.StatusCode, resp.ContentLength)
			}
			if method == http.MethodHead && body != "" || method == http.MethodGet && body != content {
				t.Errorf("%s %.10q gives %q", method, content, body)
			}
			for header, want := range map[string]string{
				"Content-Type": served, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin",
				"Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'", "Accept-Ranges": "bytes", "X-Frame-Options": "DENY",
			} {
				if got := resp.Header.Get(header); got != want && (header != "Content-Type" || served != "text/plain" || !strings.HasPrefix(got, served)) {
					t.Errorf("%s %.10q: %s is %q, want %q", method, content, header, got, want)
				}
			}
			if !strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment;") {
				t.Errorf("%s %.10q: %q", method, content, resp.Header.Get("Content-Disposition"))
			}
		}
		if n := o.numbers(t, `SELECT count(*) FROM audit WHERE action = 'download' AND patient_id = 'PATIENT-1' AND object = ?`, fmt.Sprint("file ", id))[0] - before; n != 2 {
			t.Errorf("two looks left %d traces", n)
		}
	}
}

// TestPartsOfAFile: any range is the right bytes, also across the chunks it is encrypted in.
func TestPartsOfAFile(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "viewer@clinic.example", db.Viewer)
	var text strings.Builder
	for i := 0; text.Len() < 300_000; i++ {
		fmt.Fprintf(&text, "%08d\n", i)
	}
	content, size := text.String(), text.Len()
	_, path := storedFile(t, o, "large.txt", "text/plain", content)
	for header, want := range map[string][2]int{ // first byte, byte after the last
		"bytes=0-0": {0, 1}, "bytes=0-99": {0, 100}, "bytes=65530-65545": {65530, 65546}, "bytes=131000-262200": {131000, 262201},
		"bytes=299990-": {299990, size}, "bytes=-5": {size - 5, size}, "bytes=-99999999": {0, size}, "bytes=100-99999999": {100, size}, fmt.Sprintf("bytes=%d-", size-1): {size - 1, size},
	} {
		resp, body := b.Send(t, http.MethodGet, path, nil, http.Header{"Range": {header}})
		if span := fmt.Sprintf("bytes %d-%d/%d", want[0], want[1]-1, size); resp.StatusCode != http.StatusPartialContent || resp.Header.Get("Content-Range") != span || body != content[want[0]:want[1]] {
			t.Errorf("%s: %d, %q with %d bytes, want %q", header, resp.StatusCode, resp.Header.Get("Content-Range"), len(body), span)
		}
		if resp.ContentLength != int64(want[1]-want[0]) || !strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment") || !strings.HasPrefix(resp.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s: %v", header, resp.Header)
		}
	}
	for _, header := range []string{fmt.Sprintf("bytes=%d-", size), "bytes=99999999-", "bytes=400000-500000", "bytes=-0"} {
		resp, body := b.Send(t, http.MethodGet, path, nil, http.Header{"Range": {header}})
		if resp.StatusCode != http.StatusRequestedRangeNotSatisfiable || resp.Header.Get("Content-Range") != fmt.Sprintf("bytes */%d", size) || strings.Contains(body, "00000001") {
			t.Errorf("%s: %d %q", header, resp.StatusCode, resp.Header.Get("Content-Range"))
		}
		if resp.Header.Get("Content-Disposition") != "" {
			t.Errorf("%s: the refusal is saved as %q", header, resp.Header.Get("Content-Disposition"))
		}
	}
	for _, header := range []string{"", "bytes=", "bytes=a-b", "bytes=5-2", "bytes=0-1,5-6", "bytes=1", "lines=0-5", "bytes=--5"} { // not understood: the whole
		if resp, body := b.Send(t, http.MethodGet, path, nil, http.Header{"Range": {header}}); resp.StatusCode != http.StatusOK || body != content {
			t.Errorf("%q: %d with %d bytes", header, resp.StatusCode, len(body))
		}
	}
	if resp, body := b.Send(t, http.MethodHead, path, nil, http.Header{"Range": {"bytes=0-9"}}); resp.StatusCode != http.StatusOK || resp.ContentLength != int64(size) || body != "" {
		t.Errorf("HEAD with a range: %d %d", resp.StatusCode, resp.ContentLength)
	}
}

// TestStrangersGetNothingOfAFile, by any way of asking; and what there is not, nobody gets.
func TestStrangersGetNothingOfAFile(t *testing.T) {
	o := startOutside(t)
	id, path := storedFile(t, o, "secret-name.txt", "text/plain", "Zebulon Quagmire")
	stranger, b := o.Browser(), o.SignedIn(t, "viewer@clinic.example", db.Viewer)
	for _, address := range []string{path, path + "/preview", "/files/999", "/files/999/preview"} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete} {
			for _, h := range []http.Header{{}, {"Accept": {"*/*"}}, {"Hx-Request": {"true"}}, {"Range": {"bytes=0-5"}}, {"Cookie": {"session=x; __Host-session=x"}}} {
				resp, body := stranger.Send(t, method, address, nil, h)
				if resp.StatusCode != http.StatusSeeOther && resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusMethodNotAllowed ||
					strings.Contains(body, "Zebulon") || strings.Contains(body, "secret-name") || resp.Header.Get("Content-Disposition") != "" || resp.Header.Get("Content-Range") != "" {
					t.Errorf("%s %s %v: a stranger gets %d %v %s", method, address, h, resp.StatusCode, resp.Header, body)
				}
			}
		}
	}
	if n := o.numbers(t, `SELECT count(*) FROM audit WHERE object = ?`, fmt.Sprint("file ", id))[0]; n != 0 {
		t.Errorf("strangers left %d traces of a look", n)
	}
	for _, address := range []string{"/files/999", "/files/0", "/files/-1", "/files/x", "/files/", "/files/" + fmt.Sprint(id) + "%2f..", "/files/../files", "/files/999/preview", "/files/9999999999999999999999"} {
		if resp, _ := b.Get(t, address); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s is answered %d, want 404", address, resp.StatusCode)
		}
	}
	if resp, _ := b.Form(t, path, nil); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("a POST is answered %d", resp.StatusCode)
	}
	pages := map[string]*webtest.Browser{}
	for _, role := range []db.Role{db.Viewer, db.Coordinator, db.Admin} {
		pages[string(role)] = o.SignedIn(t, string(role)+"2@clinic.example", role)
	}
	for role, b := range pages {
		if resp, body := b.Get(t, path); resp.StatusCode != http.StatusOK || body != "Zebulon Quagmire" {
			t.Errorf("a %s gets %d", role, resp.StatusCode)
		}
	}
}
