package sim_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"carebell/web/metriport"
)

func TestEveryURLIsServedNowAndRefusedAfterItsLife(t *testing.T) {
	w := newWorld(4)
	life := map[string]time.Duration{} // from now on
	for _, m := range w.everything(t) {
		for _, u := range urls(parse(t, m.Body)) {
			life[u] = lifeOf(m.Type)
		}
	}
	if len(life) < 250 {
		t.Fatalf("only %d URLs", len(life))
	}
	for u, d := range life {
		rec := w.get("GET", u)
		if rec.Code != http.StatusOK || rec.Body.Len() == 0 || rec.Header().Get("Content-Length") != strconv.Itoa(rec.Body.Len()) {
			t.Fatalf("%s: %d, %d bytes, %v", u, rec.Code, rec.Body.Len(), rec.Header())
		}
		for _, inner := range inside(t, rec.Header().Get("Content-Type"), rec.Body.Bytes()) {
			if rec := w.get("GET", inner); rec.Code != http.StatusOK {
				t.Errorf("%s within: %d", inner, rec.Code)
			}
		}
		if got := w.get("GET", u); !bytes.Equal(got.Body.Bytes(), rec.Body.Bytes()) {
			t.Errorf("%s: the second answer differs", u)
		}
		parsed, err := url.Parse(u)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := time.Parse("20060102T150405Z", parsed.Query().Get("X-Amz-Date"))
		seconds, err2 := strconv.Atoi(parsed.Query().Get("X-Amz-Expires"))
		left := signed.Add(time.Duration(seconds) * time.Second).Sub(w.now.Truncate(time.Second)) // those of the past were signed then
		if err != nil || err2 != nil || left != d || signed.After(w.now) {
			t.Errorf("%s lives %s from now on, want %s", u, left, d)
		}
	}
	w.pass(179 * time.Second)
	for u := range life {
		if rec := w.get("GET", u); rec.Code != http.StatusOK {
			t.Fatalf("%s: %d before its end", u, rec.Code)
		}
	}
	w.pass(2 * time.Second)
	for u, d := range life {
		if rec, want := w.get("GET", u), map[bool]int{true: 403, false: 200}[d < 181*time.Second]; rec.Code != want {
			t.Fatalf("%s after 181 s: %d, want %d", u, rec.Code, want)
		}
	}
	w.pass(420 * time.Second)
	for u := range life {
		rec := w.get("GET", u)
		if body := rec.Body.String(); rec.Code != 403 || !strings.Contains(body, "<Code>AccessDenied</Code><Message>Request has expired</Message>") {
			t.Fatalf("%s after its life: %d %s", u, rec.Code, body)
		}
	}
}

func lifeOf(t metriport.Type) time.Duration {
	if strings.HasPrefix(string(t), "network-query.") || t == metriport.ConsolidatedData || t == metriport.BulkPatientCreate {
		return 3 * time.Minute
	}
	return 10 * time.Minute
}

// inside are the URLs within a fetched file.
func inside(t *testing.T, mime string, body []byte) []string {
	if mime != "application/json" {
		return nil
	}
	return urls(parse(t, body))
}

func TestStoreRefusesWhatIsNotSigned(t *testing.T) {
	w := newWorld(4)
	m, _ := w.Sample(metriport.PatientAdmit)
	good := urls(parse(t, m.Body))[0]
	for name, bad := range map[string]string{
		"no query":        strings.SplitN(good, "?", 2)[0],
		"longer life":     strings.Replace(good, "X-Amz-Expires=600", "X-Amz-Expires=6000", 1),
		"other signature": regexp.MustCompile(`Signature=.{4}`).ReplaceAllString(good, "Signature=0000"),
		"other object":    regexp.MustCompile(`objects/.`).ReplaceAllString(good, "objects/g"),
		"other name":      regexp.MustCompile(`/[a-z0-9.]+\.json`).ReplaceAllString(good, "/other.json"),
	} {
		rec := w.get("GET", bad)
		if rec.Code != 403 || !strings.Contains(rec.Body.String(), "<Error><Code>SignatureDoesNotMatch</Code>") {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
	}
	if rec := w.get("POST", good); rec.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", rec.Code)
	}
	if rec := newWorld(4).get("GET", good); rec.Code != http.StatusNotFound || !strings.Contains(rec.Body.String(), "NoSuchKey") {
		t.Errorf("an object that is not there: %d %s", rec.Code, rec.Body)
	}
}

func TestStoreServesHeadAndRanges(t *testing.T) {
	w := newWorld(4)
	m, _ := w.Sample(metriport.PatientLaboratory)
	u := urls(parse(t, m.Body))[0]
	whole := w.get("GET", u)
	head := w.get("HEAD", u)
	if head.Code != 200 || head.Body.Len() != 0 || head.Header().Get("Content-Length") != whole.Header().Get("Content-Length") ||
		head.Header().Get("Content-Type") != "application/json" {
		t.Errorf("HEAD: %d %v", head.Code, head.Header())
	}
	part := w.get("GET", u, "Range", "bytes=10-19")
	if part.Code != http.StatusPartialContent || part.Body.String() != whole.Body.String()[10:20] {
		t.Errorf("range: %d %q", part.Code, part.Body)
	}
}

func TestDownloadURLGivesAFreshURLToTheHolderOfAKey(t *testing.T) {
	w := newWorld(4)
	m, _ := w.Sample(metriport.DocumentsPaged)
	e, _ := metriport.ReadEvent(m.Type, m.Body)
	d := e.Patients[0].Documents[0]
	w.pass(11 * time.Minute)
	if rec := w.get("GET", string(d.URL)); rec.Code != 403 {
		t.Errorf("the old URL: %d", rec.Code)
	}
	if rec := w.get("GET", string(d.DownloadURL)); rec.Code != http.StatusUnauthorized {
		t.Errorf("without a key: %d", rec.Code)
	}
	rec := w.get("GET", string(d.DownloadURL), "x-api-key", "any")
	fresh := urls(parse(t, rec.Body.Bytes()))
	if rec.Code != 200 || len(fresh) != 1 {
		t.Fatalf("with a key: %d %s", rec.Code, rec.Body)
	}
	if rec := w.get("GET", fresh[0]); rec.Code != 200 || rec.Body.Len() != int(d.Size) || rec.Header().Get("Content-Type") != string(d.MimeType) {
		t.Errorf("the fresh URL: %d, %d bytes of %d, %v", rec.Code, rec.Body.Len(), d.Size, rec.Header())
	}
	if rec := w.get("GET", string(d.DownloadURL)+"x", "x-api-key", "any"); rec.Code != 404 {
		t.Errorf("an unknown file: %d", rec.Code)
	}
}

// TestFilesAreReal opens every kind of file with the reader made for it.
func TestFilesAreReal(t *testing.T) {
	w := newWorld(8)
	opened := map[string]int{}
	for _, m := range append(w.everything(t), w.everything(t)...) {
		for _, u := range urls(parse(t, m.Body)) {
			rec := w.get("GET", u)
			mime, body := rec.Header().Get("Content-Type"), rec.Body.Bytes()
			opened[mime]++
			if err := readable(mime, body); err != nil {
				t.Fatalf("%s %s: %v\n%.200q", m.Type, mime, err, body)
			}
		}
	}
	for _, mime := range []string{"application/json", "application/gzip", "application/pdf", "application/xml",
		"application/fhir+json", "text/plain; charset=utf-8", "text/csv; charset=utf-8", "image/png"} {
		if opened[mime] == 0 {
			t.Errorf("no %s; got %v", mime, opened)
		}
	}
}

func readable(mime string, body []byte) error {
	switch mime {
	case "application/gzip":
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, z)
		return err
	case "application/xml":
		d := xml.NewDecoder(bytes.NewReader(body))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
		}
	case "image/png":
		_, err := png.Decode(bytes.NewReader(body))
		return err
	case "text/csv; charset=utf-8":
		rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
		if err == nil && (len(rows) < 10 || rows[0][12] != "metriportId") {
			err = fmt.Errorf("rows %v", rows)
		}
		return err
	case "application/pdf":
		return readablePDF(body)
	default:
		return nil
	}
}

// readablePDF follows the cross-reference table as a reader does.
func readablePDF(body []byte) error {
	start := regexp.MustCompile(`startxref\n(\d+)\n%%EOF\n$`).FindSubmatch(body)
	if start == nil {
		return errors.New("no startxref")
	}
	at, _ := strconv.Atoi(string(start[1]))
	if !bytes.HasPrefix(body[at:], []byte("xref\n0 6\n")) {
		return errors.New("startxref points elsewhere")
	}
	for i, row := range regexp.MustCompile(`(\d{10}) 00000 n \n`).FindAllSubmatch(body[at:], -1) {
		offset, _ := strconv.Atoi(string(row[1]))
		if want := fmt.Sprintf("%d 0 obj\n", i+1); !bytes.HasPrefix(body[offset:], []byte(want)) {
			return fmt.Errorf("object %d is not at %d", i+1, offset)
		}
	}
	return nil
}

func TestDischargeSummaryKeepsItsTextInBase64(t *testing.T) {
	w := newWorld(1)
	m, _ := w.Sample(metriport.DischargeSummaryBatch)
	raw := w.get("GET", urls(parse(t, m.Body))[0]).Body.String()
	for _, code := range []string{"18776-5", "47519-4"} {
		if !strings.Contains(raw, code) {
			t.Errorf("no section %s", code)
		}
	}
	for _, data := range regexp.MustCompile(`"data":"([^"]+)"`).FindAllStringSubmatch(raw, -1) {
		if text, err := base64.StdEncoding.DecodeString(data[1]); err != nil || len(text) < 4 {
			t.Errorf("%q: %v", text, err)
		}
	}
}
