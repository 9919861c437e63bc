package web_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"carebell/db"
	"carebell/web/webtest"
)

// huge is a file that takes memory where a reader is careless, made while it is served.
type huge struct {
	name, kind       string
	head, body, tail string // body is repeated up to the size
	size             int64
	words            []string // on the page that shows it
	none             bool     // it is not shown
}

// hugeFiles have so many megabytes.
func hugeFiles(mega int64) []huge {
	const part, json, xml = "The first 2 MB are shown. Download it to see the whole.", "application/json", "application/xml"
	size := mega << 20
	cda := `<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"><component><structuredBody><component><section><title>Plan</title><text>Rest. `
	laughs := `<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">`
	for i := range 9 {
		laughs += fmt.Sprintf(`<!ENTITY lol%d "%s">`, i+1, strings.Repeat(fmt.Sprintf("&lol%d;", i), 10))
	}
	laughs += `]>` + strings.TrimPrefix(cda, `<?xml version="1.0"?>`) + `&lol9;`
	const end = `</text></section></component></structuredBody></component></ClinicalDocument>`
	const bundle = `{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","id":"p","name":[{"text":"Made Up"}]}},`
	return []huge{
		{name: "line.csv", kind: "text/csv", body: strings.Repeat("x", 1000), size: size, words: []string{part, "Long cells are cut"}},
		{name: "commas.csv", kind: "text/csv", body: strings.Repeat(",", 1000), size: size, words: []string{part, "first 40 columns"}},
		{name: "columns.csv", kind: "text/csv", body: strings.Repeat("a,", 1_000_000) + "\n", size: size, words: []string{part, "first 40 columns"}},
		{name: "quoted.csv", kind: "text/csv", head: "first,second\n1,\"", body: strings.Repeat("x,\n", 300), tail: "\"\n", size: size, words: []string{part, "second"}},
		{name: "never closed.csv", kind: "text/csv", head: "first,second\n1,\"", body: strings.Repeat("\"\"x,\n", 300), size: size, words: []string{part, "second"}},
		{name: "short rows.csv", kind: "text/csv", head: "first,second\n", body: "1,2\n", size: size / 4, words: []string{"first 1,000 rows", "second"}},
		{name: "deep.json", kind: json, head: `{"resourceType":"Patient","name":[{"text":"Made Up"}],"x":` + strings.Repeat("[", 100_000), body: strings.Repeat(" ", 1000), tail: strings.Repeat("]", 100_000) + "}", size: 1 << 20, words: []string{"Made Up"}},
		{name: "deep and open.json", kind: json, head: `{"x":`, body: strings.Repeat("[", 1000), size: size / 4, words: []string{"Not all of this file could be read"}},
		{name: "string.json", kind: json, head: `{"x":"`, body: strings.Repeat("x", 1000), tail: `"}`, size: size, words: []string{part, "xxxx"}},
		{name: "keys.json", kind: json, head: `{"resourceType":"Patient","name":[{"text":"Made Up"}]`, body: `,"a":1,"bb":2,"ccc":3`, tail: `}`, size: size, words: []string{"Made Up", "Not all of this file is shown"}},
		{name: "other keys.json", kind: json, head: `{"a":1`, body: `,"a":1,"bb":2,"ccc":3`, tail: `}`, size: size, words: []string{part}},
		{name: "resource.json", kind: json, head: bundle + `{"resource":{"resourceType":"Condition","id":"c","code":{"text":"Made up problem"},"category":[{}`, body: strings.Repeat(`,{"text":"part","coding":[{"code":"a"}]}`, 30), tail: `]}}]}`, size: size, words: []string{"Made Up", "Not all of this file is shown"}},
		{name: "attachment.json", kind: json, head: bundle + `{"resource":{"resourceType":"DocumentReference","id":"d","description":"Made up letter","content":[{"attachment":{"contentType":"text/plain","data":"`, body: strings.Repeat("QUJD", 250), tail: `"}}]}}]}`, size: size, words: []string{"Made Up"}},
		{name: "laughs.xml", kind: xml, head: laughs, body: " ", tail: end, size: 4 << 10, words: []string{"Rest."}},
		{name: "deep.xml", kind: xml, head: cda, body: strings.Repeat("<list><item>", 100), size: size, words: []string{"Rest."}},
		{name: "text.xml", kind: xml, head: cda, body: strings.Repeat("word ", 200), tail: end, size: size, words: []string{"Rest.", "Not all of this file is shown"}},
		{name: "attributes.xml", kind: xml, head: cda + "<content ", body: strings.Repeat("a ", 500), tail: "/>" + end, size: size, words: []string{"could be read"}},
		{name: "text.txt", kind: "text/plain", body: strings.Repeat("x", 1000), size: size, words: []string{part, "xxxx"}},
		{name: "page.html", kind: "text/html", head: "<!doctype html><p>Made Up", body: strings.Repeat("<p>x", 250), size: size, words: []string{part, "Made Up"}},
	}
}

func (h huge) length() int64 {
	n := (h.size + int64(len(h.body)) - 1) / int64(len(h.body))
	return int64(len(h.head)+len(h.tail)) + n*int64(len(h.body))
}

func (h huge) serve(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, h.head)
	block := strings.Repeat(h.body, max(1, (64<<10)/len(h.body)))
	for left := h.length() - int64(len(h.head)+len(h.tail)); left > 0; left -= int64(len(block)) {
		if _, err := io.WriteString(w, block[:min(left, int64(len(block)))]); err != nil {
			return
		}
	}
	_, _ = io.WriteString(w, h.tail)
}

// insidersInChild has the child of the test below do the work: in so many megabytes.
const insidersInChild = "CAREBELL_TEST_INSIDERS"

// TestNoFileTakesMuchMemory: a server stores files made to take memory, and shows them, gives them out as they came and
// as a table for spreadsheets, in a process of its own, which tells how much memory it had at most. What is not shown is
// said.
func TestNoFileTakesMuchMemory(t *testing.T) {
	if mega := os.Getenv(insidersInChild); mega != "" {
		openHugeFiles(t, mega)
		return
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	mega := "16"
	if testing.Short() {
		mega = "8"
	}
	if by := os.Getenv("CAREBELL_TEST_MEGABYTES"); by != "" {
		mega = by // by hand
	}
	child.Env = append(os.Environ(), insidersInChild+"="+mega)
	out, err := child.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}

func openHugeFiles(t *testing.T, megabytes string) {
	var mega int64
	if _, err := fmt.Sscan(megabytes, &mega); err != nil {
		t.Fatal(err)
	}
	o := startOutside(t)
	b := o.SignedIn(t, "viewer@clinic.example", db.Viewer)
	limit := int64(128)
	if testing.Short() {
		limit *= 3 // the short tests run under the race detector, which keeps as much again of its own several times
	}
	runtime.GC()
	before, last := peakMemory(t), int64(0)
	files := hugeFiles(mega)
	var packed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	_, _ = io.CopyN(z, zeros{}, 10*mega<<20)
	_ = z.Close()
	files = append(files, huge{name: "packed.gz", kind: "application/gzip", body: packed.String(), size: int64(packed.Len()), none: true})
	paths := make([]string, len(files))
	for i, f := range files {
		link := o.lead(fmt.Sprint("/huge-", i), time.Hour, f.serve)
		id := o.take(t, o.documents("PATIENT-1", fmt.Sprintf(`{"id":"1","fileName":%q,"mimeType":%q,"url":%q}`, f.name, f.kind, link)))[0]
		o.ends(t, id, db.FetchStored)
		paths[i] = fmt.Sprint("/files/", id)
	}
	stage := func(name string) {
		took := (peakMemory(t) - before) >> 20
		if took > last {
			t.Logf("%s: the highest memory is %d MB above what it was", name, took)
		}
		if last = max(last, took); took > limit {
			t.Fatalf("%s: %d MB of memory: want at most %d", name, took, limit)
		}
	}
	stage("storing them all")
	for i, f := range files {
		resp, page := b.Get(t, paths[i]+"/preview")
		switch {
		case f.none:
			if resp.StatusCode != http.StatusNotFound || !strings.Contains(page, "Download it instead") {
				t.Errorf("%s: %d", f.name, resp.StatusCode)
			}
		case resp.StatusCode != http.StatusOK:
			t.Errorf("%s: %d", f.name, resp.StatusCode)
		case len(page) > 12<<20:
			t.Errorf("%s: the page has %d MB", f.name, len(page)>>20)
		}
		for _, w := range f.words {
			if !strings.Contains(page, w) {
				t.Errorf("%s: the page does not say %q: %.3000s", f.name, w, page[min(len(page), strings.Index(page, "<h1>")):])
			}
		}
		stage(f.name)
		if n := sized(t, b, o.URL, paths[i]); n != f.length() {
			t.Errorf("%s: %d bytes are given out, want %d", f.name, n, f.length())
		}
		if f.kind == "text/csv" {
			_ = sized(t, b, o.URL, paths[i]+"/spreadsheet")
		}
		stage("giving out " + f.name)
	}
	var all sync.WaitGroup // several people at the same time
	for i := range files[:8] {
		all.Go(func() { b.Get(t, paths[i]+"/preview") })
	}
	all.Wait()
	stage("many at once")
	fmt.Println("MEASURED", last, "MB above", before>>20)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// sized gets a file and counts its bytes.
func sized(t *testing.T, b *webtest.Browser, at, path string) int64 {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, at+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%s: %d after %d bytes, %v", path, resp.StatusCode, n, err)
	}
	return n
}

// peakMemory is the most memory that the process had at a time, in bytes.
func peakMemory(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatalf("this test reads /proc, as Linux has it: %v", err)
	}
	_, line, _ := strings.Cut(string(status), "VmHWM:")
	var kilobytes int64
	if _, err := fmt.Sscan(line, &kilobytes); err != nil {
		t.Fatal(err)
	}
	return kilobytes << 10
}
