package web_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"carebell/db"
	"carebell/web/webtest"
)

// bulk has documents of a patient listed under a request of its own and returns the page's address and the downloads.
func (o *outside) bulk(t *testing.T, patient string, documents ...string) (string, []int64) {
	t.Helper()
	request := fmt.Sprint("R-", o.posts)
	ids := o.take(t, o.pulled("medical.document-bulk-download-paged", request, time.Minute, fmt.Sprintf(
		`"patients":[{"patientId":%q,"status":"completed","documents":[%s],"pagination":{"page":1,"totalPages":1,"totalItems":%d}}]`, patient, strings.Join(documents, ","), len(documents))))
	pull := o.numbers(t, `SELECT id FROM pull WHERE request_id = ?`, request)[0]
	return fmt.Sprint("/records/documents/", pull), ids
}

// paper is a document of a list; "" as content is one without a link.
func (o *outside) paper(id, name string, content http.HandlerFunc) string {
	link := ""
	if content != nil {
		link = o.lead("/paper-"+strconv.Itoa(o.posts)+"-"+url.PathEscape(id), 10*time.Minute, content)
	}
	return fmt.Sprintf(`{"id":%q,"fileName":%s,"indexed":"2026-01-02T03:04:05Z","url":%q}`, id, jsonText(name), link)
}

// unzip asks for a zip and opens it. It returns nil where there is none, with the answer.
func unzip(t *testing.T, b *webtest.Browser, path string, form url.Values) (*zip.Reader, *http.Response, string) {
	t.Helper()
	resp, body := b.Form(t, path+"/zip", form)
	if resp.StatusCode != http.StatusOK {
		return nil, resp, body
	}
	z, err := zip.NewReader(strings.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatalf("the zip cannot be opened: %v", err)
	}
	return z, resp, body
}

func numbers(ids ...int64) url.Values {
	form := url.Values{"what": {"chosen"}}
	for _, id := range ids {
		form.Add("file", strconv.FormatInt(id, 10))
	}
	return form
}

func contentOf(t *testing.T, f *zip.File) string {
	t.Helper()
	r, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("%s: %v", f.Name, err)
	}
	return string(content)
}

// TestZipHoldsWhatWasChosen of one patient and nothing else; each file leaves a trace.
func TestZipHoldsWhatWasChosen(t *testing.T) {
	o := startOutside(t)
	path, ids := o.bulk(t, "P-1", o.paper("1", "one.txt", says("first content")), o.paper("2", "two.txt", says("second content")),
		o.paper("3", "late.txt", expired), o.paper("4", "listed alone.txt", nil), o.paper("5", "five.txt", says(strings.Repeat("fifth ", 50_000))))
	other, others := o.bulk(t, "P-2", o.paper("1", "not yours.txt", says("Zebulon")))
	for _, id := range []int64{ids[0], ids[1], ids[3], others[0]} {
		o.ends(t, id, db.FetchStored)
	}
	o.ends(t, ids[2], db.FetchExpired)
	record := o.take(t, o.event("patient.pharmacy", "P-1", o.lead("/fill", time.Minute, says("{}")), ""))[0]
	o.ends(t, record, db.FetchStored)
	traces := func() int64 {
		return o.numbers(t, `SELECT count(*) FROM audit WHERE action = 'download' AND patient_id = 'P-1'`)[0]
	}
	for i, role := range []db.Role{db.Viewer, db.Coordinator, db.Admin} {
		b := o.SignedIn(t, fmt.Sprintf("%s@clinic.example", role), role)
		before := traces()
		z, resp, _ := unzip(t, b, path, numbers(ids[3], ids[0], ids[0]))
		if z == nil || len(z.File) != 2 || contentOf(t, z.File[0]) != strings.Repeat("fifth ", 50_000) || contentOf(t, z.File[1]) != "first content" {
			t.Fatalf("%s gets %d", role, resp.StatusCode)
		}
		if kind, p, err := mime.ParseMediaType(resp.Header.Get("Content-Disposition")); err != nil || kind != "attachment" || !regexp.MustCompile(`^documents-\d+\.zip$`).MatchString(p["filename"]) {
			t.Errorf("Content-Disposition %q", resp.Header.Get("Content-Disposition"))
		}
		for header, want := range map[string]string{"Content-Type": "application/zip", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
			if got := resp.Header.Get(header); got != want {
				t.Errorf("%s is %q, want %q", header, got, want)
			}
		}
		if n := traces() - before; n != 2 {
			t.Errorf("two files left %d traces", n)
		}
		if i > 0 {
			continue
		}
		z, _, _ = unzip(t, b, path, url.Values{"what": {"all"}})
		var names []string
		for _, f := range z.File {
			names = append(names, f.Name)
		}
		slices.Sort(names)
		if want := []string{"_not in this zip.txt", "five.txt", "one.txt", "two.txt"}; !slices.Equal(names, want) {
			t.Errorf("all of them are %q, want %q", names, want)
		}
		note := contentOf(t, z.File[len(z.File)-1])
		for _, want := range []string{"late.txt: expired before we could fetch it: ask Metriport to send it again", "listed alone.txt: listed without a file"} {
			if !strings.Contains(note, want) {
				t.Errorf("the note has no %q: %s", want, note)
			}
		}
		for name, form := range map[string]url.Values{
			"nothing chosen":                {"what": {"chosen"}},
			"no form at all":                {},
			"a file of another patient":     numbers(ids[0], others[0]),
			"a file that is no document":    numbers(record),
			"a file that is not there":      numbers(9999),
			"no number":                     {"file": {"../../carebell.db"}},
			"zero":                          {"file": {"0"}},
			"less than zero":                {"file": {"-1"}},
			"only one that is not stored":   numbers(ids[2]),
			"another way to say everything": {"what": {"ALL"}},
		} {
			before := traces()
			z, resp, body := unzip(t, b, path, form)
			if z != nil || resp.StatusCode != http.StatusUnprocessableEntity || traces() != before {
				t.Errorf("%s: answered %d", name, resp.StatusCode)
			}
			if strings.Contains(body, "Zebulon") || !regexp.MustCompile(`select|nothing to download`).MatchString(stripped(body)) {
				t.Errorf("%s: it says %s", name, stripped(body))
			}
		}
		for _, gone := range []string{"/records/documents/1", "/records/documents/x", "/records/documents/99999999999"} {
			if _, resp, _ := unzip(t, b, gone, numbers(ids[0])); resp.StatusCode != http.StatusNotFound {
				t.Errorf("%s answers %d", gone, resp.StatusCode)
			}
		}
		if z, _, _ := unzip(t, b, other, numbers(others[0])); z == nil {
			t.Error("the other patient's own zip is refused")
		}
	}
	if _, resp, body := unzip(t, o.Browser(), path, numbers(ids[0])); resp.StatusCode != http.StatusUnauthorized || strings.Contains(body, "one.txt") {
		t.Errorf("a stranger gets %d %s", resp.StatusCode, body)
	}
}

// TestNamesInAZipAreSafeAndDifferent on every system, whatever the sender calls its files.
func TestNamesInAZipAreSafeAndDifferent(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "viewer@clinic.example", db.Viewer)
	hostile := []string{
		"../../x", `..\..\windows\system32\cmd.exe`, "/etc/passwd", "same.txt", "same.txt", "SAME.TXT", "same (2).txt", "Same.txt", "", "", "..", "...",
		strings.Repeat("long", 75) + ".txt", strings.Repeat("long", 75) + ".txt", strings.Repeat("漢字", 150) + ".txt", strings.Repeat("漢字", 150) + ".txt",
		"nul\x00l.txt", "line\r\nbreak.txt", "tab\t.txt", "con", "CON.txt", "nul.tar.gz", "lpt1.", "trailing. . ", "invoice\u202efdp.exe", "a:b|c?.txt", "_not in this zip.txt",
		"x." + strings.Repeat("e", 200), "\u200d", "é.txt", "\xff.txt",
	}
	papers := []string{o.paper("bare", "bare.txt", nil)}
	for i, name := range hostile {
		papers = append(papers, o.paper(strconv.Itoa(i), name, says(fmt.Sprint("content ", i))))
	}
	path, ids := o.bulk(t, "P-1", papers...)
	for _, id := range ids {
		o.ends(t, id, db.FetchStored)
	}
	z, _, _ := unzip(t, b, path, url.Values{"what": {"all"}})
	if len(z.File) != len(hostile)+1 {
		t.Fatalf("%d files, want %d and a note", len(z.File), len(hostile))
	}
	seen, contents := map[string]bool{}, map[string]bool{}
	for _, f := range z.File {
		if low := strings.ToLower(f.Name); seen[low] {
			t.Errorf("twice, to systems that do not tell cases apart: %q", f.Name)
		} else {
			seen[low] = true
		}
		stem, _, _ := strings.Cut(strings.ToLower(f.Name), ".")
		if len(f.Name) > 200 || f.Name == "" || strings.ContainsAny(f.Name, "/\\:*?\"<>|\x00\r\n\t\u202e") || strings.Contains(f.Name, "..") && !strings.Contains(f.Name, "…") ||
			!filepath.IsLocal(f.Name) || slices.Contains([]string{"con", "nul", "lpt1"}, stem) || strings.TrimRight(f.Name, ". ") != f.Name || f.NonUTF8 {
			t.Errorf("not safe everywhere: %q", f.Name)
		}
		if f.Mode().IsDir() || f.Mode().Perm()&0o111 != 0 {
			t.Errorf("%q has mode %v", f.Name, f.Mode())
		}
		contents[contentOf(t, f)] = true
	}
	if len(contents) != len(hostile)+1 {
		t.Errorf("%d different contents, want %d", len(contents), len(hostile)+1)
	}
}

// TestZipOfManyFilesTakesLittleMemory: what is in memory is a chunk, not the files.
func TestZipOfManyFilesTakesLittleMemory(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "viewer@clinic.example", db.Viewer)
	const files, size = 60, 2 << 20
	var papers []string
	for i := range files {
		papers = append(papers, o.paper(strconv.Itoa(i), fmt.Sprintf("%d.pdf", i), func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, "%%PDF-1.4 %03d", i)
			block := bytes.Repeat([]byte{byte(i)}, 64<<10)
			for range size / len(block) {
				_, _ = w.Write(block)
			}
		}))
	}
	path, ids := o.bulk(t, "P-1", papers...)
	for _, id := range ids {
		o.ends(t, id, db.FetchStored)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, o.URL+path+"/zip", strings.NewReader(url.Values{"what": {"all"}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	resp, err := b.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	to, err := os.Create(filepath.Join(t.TempDir(), "all.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = to.Close() }()
	var most uint64
	buffer := make([]byte, 64<<10)
	for block := 0; ; block++ {
		n, err := resp.Body.Read(buffer)
		if _, e := to.Write(buffer[:n]); e != nil {
			t.Fatal(e)
		}
		if block%100 == 0 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
		if err != nil {
			if err != io.EOF {
				t.Fatal(err)
			}
			break
		}
	}
	if most > files*size/4 {
		t.Errorf("%d MiB of memory for %d MiB of files", most>>20, files*size>>20)
	}
	info, err := to.Stat()
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(to, info.Size())
	if err != nil || len(z.File) != files {
		t.Fatalf("the zip cannot be read: %v", err)
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, r); err != nil || n != size+int64(len("%PDF-1.4 000")) {
			t.Errorf("%s: %d bytes, %v", f.Name, n, err)
		}
		_ = r.Close()
	}
}

// TestZipThatCannotBeFinishedDoesNotLookWhole: a damaged file in the middle, and one that is gone.
func TestZipThatCannotBeFinishedDoesNotLookWhole(t *testing.T) {
	for name, harm := range map[string]func(file string) error{
		"damaged": func(file string) error {
			b, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			b[len(b)/2] ^= 1
			return os.WriteFile(file, b, 0o600)
		},
		"cut short": func(file string) error { return os.Truncate(file, 100_000) },
		"gone":      os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			o := startOutside(t)
			b := o.SignedIn(t, "viewer@clinic.example", db.Viewer)
			var papers []string
			for i := range 5 {
				papers = append(papers, o.paper(strconv.Itoa(i), fmt.Sprintf("%d.txt", i), says(strings.Repeat(fmt.Sprint("content ", i), 50_000))))
			}
			path, ids := o.bulk(t, "P-1", papers...)
			for _, id := range ids {
				o.ends(t, id, db.FetchStored)
			}
			if err := harm(filepath.Join(o.dir, "files", o.download(t, ids[2]).File)); err != nil {
				t.Fatal(err)
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, o.URL+path+"/zip", strings.NewReader(numbers(ids...).Encode()))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Sec-Fetch-Site", "same-origin")
			resp, err := b.Do(req)
			if err != nil {
				return // the connection was cut before the first byte
			}
			defer func() { _ = resp.Body.Close() }()
			body, err := io.ReadAll(resp.Body)
			if err == nil {
				t.Error("the answer ends as if it were whole")
			}
			if _, err := zip.NewReader(bytes.NewReader(body), int64(len(body))); err == nil {
				t.Error("what came can be opened as a zip")
			}
			pollUntil(t, "the log", func() (string, bool) { return "it says nothing", strings.Contains(o.Log.String(), "a zip was cut off") })
			if resp, _ := b.Get(t, path); resp.StatusCode != http.StatusOK {
				t.Errorf("the page answers %d afterwards", resp.StatusCode)
			}
		})
	}
}
