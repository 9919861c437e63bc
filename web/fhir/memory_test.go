package fhir_test

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"carebell/web/fhir"
)

const megabyte = 1 << 20

// gauge passes an endless supply of text on, and notes how much the heap grew meanwhile.
type gauge struct {
	next        func(i int) string // "" ends it
	i           int
	chunk       string
	read, since int64
	base, peak  runtime.MemStats
}

func newGauge(next func(i int) string) *gauge {
	g := &gauge{next: next}
	runtime.GC()
	runtime.ReadMemStats(&g.base)
	return g
}

func (g *gauge) Read(p []byte) (int, error) {
	if g.chunk == "" {
		if g.chunk = g.next(g.i); g.chunk == "" {
			g.sample()
			return 0, io.EOF
		}
		g.i++
	}
	n := copy(p, g.chunk)
	g.chunk = g.chunk[n:]
	g.read += int64(n)
	if g.since += int64(n); g.since > megabyte/4 {
		g.since = 0
		g.sample()
	}
	return n, nil
}

func (g *gauge) sample() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	g.peak.HeapAlloc = max(g.peak.HeapAlloc, m.HeapAlloc)
	g.peak.Sys = max(g.peak.Sys, m.Sys)
}

// within fails where reading cost 64 MB or more, of the heap or of the system's memory.
func (g *gauge) within(t *testing.T, least int64) {
	t.Helper()
	g.sample()
	heap := (int64(g.peak.HeapAlloc) - int64(g.base.HeapAlloc)) / megabyte
	sys := (int64(g.peak.Sys) - int64(g.base.Sys)) / megabyte
	t.Logf("%d MB read with %d MB more of heap, %d MB more of the system", g.read/megabyte, heap, sys)
	if g.read < least*megabyte {
		t.Errorf("only %d MB were read", g.read/megabyte)
	}
	if heap >= 64 || sys >= 64 {
		t.Errorf("heap +%d MB, system +%d MB: want less than 64", heap, sys)
	}
}

// chunks are head, then body(i) n times, then tail.
func chunks(head string, n int, body func(i int) string, tail string) func(i int) string {
	return func(i int) string {
		switch {
		case i == 0:
			return head
		case i <= n:
			return body(i - 1)
		case i == n+1:
			return tail
		default:
			return ""
		}
	}
}

// size is 90 MB in blocks of 64 KiB; less where tests are to be quick.
func size() int {
	if testing.Short() {
		return 160
	}
	return 1440
}

func always(s string) func(int) string { return func(int) string { return s } }

const bundleHead = `{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","id":"p1","name":[{"text":"Made Up"}]}}`

func entryText(resource string) string { return `,{"resource":` + resource + `}` }

func TestABundleOf100MBIsReadInLittleMemory(t *testing.T) {
	kinds := []string{
		`"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"2823-3","display":"Potassium"}]},"subject":{"reference":"Patient/p1"},"effectiveDateTime":"20%02d-03-04T05:06:07Z","valueQuantity":{"value":4.%d,"unit":"mmol/L"},"referenceRange":[{"low":{"value":3.5},"high":{"value":5.1}}],"note":[{"text":"` + strings.Repeat("seen and noted ", 20) + `"}]`,
		`"resourceType":"Condition","code":{"text":"Something"},"subject":{"reference":"Patient/p1"},"recordedDate":"20%02d-03-04","x":%d`,
		`"resourceType":"Practitioner","name":[{"family":"Fictional","given":["Resident"],"period":{"start":"20%02d"}}],"x":%d`,
		`"resourceType":"Encounter","class":{"code":"IMP"},"period":{"start":"20%02d-03-04T05:06:07Z"},"reasonCode":[{"text":"Reason %d"}]`,
		`"resourceType":"DiagnosticReport","code":{"text":"Panel"},"effectiveDateTime":"20%02d-03-04T05:06:07Z","conclusion":"` + strings.Repeat("long ", 200) + `%d"`,
		`"resourceType":"Procedure","code":{"text":"Procedure 20%02d %d"}`,
		`"resourceType":"DocumentReference","description":"Doc 20%02d","content":[{"attachment":{"contentType":"text/plain","data":"` + strings.Repeat("QUJD", 3000) + `"}}],"x":%d`,
		`"resourceType":"Communication","sent":"20%02d-03-04T05:06:07Z","payload":[{"contentAttachment":{"contentType":"text/plain","data":"` + strings.Repeat("QUJD", 3000) + `"}}],"x":%d`,
	}
	const n = 40_000
	g := newGauge(chunks(bundleHead, n, func(i int) string {
		return entryText(fmt.Sprintf(`{"id":"id-%d",`+kinds[i%len(kinds)]+`}`, i, i%25, i%10))
	}, `]}`))
	facts, err := fhir.Read(g)
	if err != nil {
		t.Fatal(err)
	}
	g.within(t, 100)
	if !facts.Truncated || facts.Patient.Name != "Made Up" || facts.Counts["Observation"] != n/len(kinds) || len(facts.Encounters) == 0 {
		t.Errorf("truncated %v, %v, %d encounters", facts.Truncated, facts.Counts, len(facts.Encounters))
	}
	for i := 1; i < len(facts.Observations); i++ {
		if facts.Observations[i].Effective.After(facts.Observations[i-1].Effective.Time) {
			t.Fatal("not sorted by time")
		}
	}
	b, err := facts.Encode()
	if err != nil || len(b) > 16*megabyte {
		t.Errorf("encoded in %d bytes, %v", len(b), err)
	}
}

func TestWhateverGrowsWithoutLimitIsReadInLittleMemory(t *testing.T) {
	block := strings.Repeat("QUJD", 16<<10) // 64 KiB
	n := size()
	resource := func(head, tail string, body func(int) string) func(int) string {
		return chunks(bundleHead+`,{"resource":{`+head, n, body, tail+`}}]}`)
	}
	many := strings.Repeat(`{"text":"part","coding":[{"code":"a"}]},`, 1600)
	for name, next := range map[string]func(int) string{
		"one string of base64":    resource(`"resourceType":"Binary","id":"b","data":"`, `"`, always(block)),
		"a report's base64":       resource(`"resourceType":"DiagnosticReport","id":"r","presentedForm":[{"contentType":"text/plain","data":"`, `"}]`, always(block)),
		"a message's attachment":  resource(`"resourceType":"Communication","id":"c","payload":[{"contentAttachment":{"contentType":"application/pdf","data":"`, `"}}]`, always(block)),
		"a string of escapes":     resource(`"resourceType":"Binary","id":"b","data":"`, `"`, always(strings.Repeat(`\u00e9\n`, 8<<10))),
		"a string of bad UTF-8":   resource(`"resourceType":"Binary","id":"b","data":"`, `"`, always(strings.Repeat("\x80", 64<<10))),
		"a member name":           resource(`"resourceType":"Binary","id":"b","`, `":1`, always(block)),
		"many members":            resource(`"resourceType":"Binary","id":"b"`, ``, func(i int) string { return fmt.Sprintf(`,"%s%d":1`, block[:60000], i) }),
		"one list of many":        resource(`"resourceType":"Condition","id":"c","category":[`, `1]`, always(many)),
		"a list in a bare member": chunks(`{"resourceType":"Bundle","identifier":[`, n, always(many), `1],"type":"collection"}`),
		"white space":             resource(`"resourceType":"Binary","id":"b"`, ``, always(strings.Repeat(" \n\t ", 16<<10))),
		"digits":                  resource(`"resourceType":"Observation","id":"o","valueInteger":1`, ``, always(strings.Repeat("7", 64<<10))),
		"deep nesting, closed":    chunks(bundleHead+`,{"resource":{"resourceType":"Binary","id":"b","x":`, n/10, func(i int) string { return strings.Repeat(map[bool]string{true: "[", false: "]"}[i < n/20], 64<<10) }, `}}]}`),
		"many small contained": resource(`"resourceType":"Condition","id":"c","contained":[`, `1]`, func(i int) string {
			return strings.Repeat(fmt.Sprintf(`{"resourceType":"Practitioner","id":"x%d","name":[{"text":"A"}]},`, i), 1000)
		}),
		"extensions":             resource(`"resourceType":"Condition","id":"c","extension":[`, `1]`, always(strings.Repeat(`{"url":"http://other","valueCoding":{"code":"a"},"extension":[{"url":"b"}]},`, 800))),
		"extensions of ours":     resource(`"resourceType":"Condition","id":"c","extension":[`, `1]`, always(strings.Repeat(`{"url":"`+sourceURL+`","valueCoding":{"code":"a"}},`, 500))),
		"an extension's value":   resource(`"resourceType":"Condition","id":"c","extension":[{"valueCoding":{"code":"`, `"},"url":"`+sourceURL+`"}]`, always(block)),
		"an extension's members": resource(`"resourceType":"Condition","id":"c","extension":[{"url":"`+sourceURL+`"`, `}]`, always(strings.Repeat(`,"valueCode":"abcdefghijklmnopqrstuvwxyz"`, 1600))),
		"merged from many": resource(`"resourceType":"Practitioner","id":"c","extension":[`, `1]`, func(i int) string {
			return strings.Repeat(fmt.Sprintf(`{"url":"http://hl7.org/fhir/StructureDefinition/artifact-relatedArtifact","valueRelatedArtifact":{"type":"derived-from","display":"Practitioner/%d"}},`, i), 400)
		}),
		"many merged from others": chunks(bundleHead, n, func(i int) string {
			return strings.Repeat(entryText(fmt.Sprintf(`{"resourceType":"Practitioner","id":"p%d","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/artifact-relatedArtifact","valueRelatedArtifact":{"display":"Practitioner/q%d"}}],"name":[{"text":"N"}]}`, i, i)), 300)
		}, `]}`),
		"many requisitions": chunks(bundleHead, n, func(i int) string {
			var b strings.Builder
			for k := range 300 {
				b.WriteString(entryText(fmt.Sprintf(`{"resourceType":"ServiceRequest","id":"s%d-%d","requisition":{"system":"requisition","value":"r%d-%d"},"code":{"text":"Panel"},"padding":"%s"}`, i, k, i, k, strings.Repeat("x", 100))))
			}
			return b.String()
		}, `]}`),
		"encounters of one id": chunks(bundleHead, n, func(i int) string {
			return strings.Repeat(entryText(fmt.Sprintf(`{"resourceType":"Encounter","id":"e","period":{"start":"20%02d-03-04T05:06:07Z"},"reasonCode":[{"text":"Reason %d"}]}`, i%25, i)), 400)
		}, `]}`),
		"a narrative of a section": resource(`"resourceType":"Composition","id":"c","section":[{"text":{"div":"<p>`, `</p>"}}]`, always(block)),
	} {
		t.Run(name, func(t *testing.T) {
			g := newGauge(next)
			facts, err := fhir.Read(g)
			if err != nil {
				t.Fatal(err)
			}
			g.within(t, int64(n/200))
			if name != "a list in a bare member" && facts.Patient.Name != "Made Up" {
				t.Error("the patient before it is lost")
			}
		})
	}
}

func TestHostileDocumentsAreReadInLittleMemory(t *testing.T) {
	block := strings.Repeat("word ", 13<<10)
	n := size()
	cda := `<ClinicalDocument xmlns="urn:hl7-org:v3"><title>T</title><component><structuredBody><component><section><title>S</title><text>`
	for name, next := range map[string]func(int) string{
		"text":       chunks(cda, n, always(block), `</text></section></component></structuredBody></component></ClinicalDocument>`),
		"comment":    chunks(cda+`<!-- `, n, always(strings.Repeat("<a>", 20<<10)), ` --></text></section></component></structuredBody></component></ClinicalDocument>`),
		"CDATA":      chunks(cda+`<![CDATA[`, n, always(strings.Repeat("]]<a>", 20<<10)), `]]></text></section></component></structuredBody></component></ClinicalDocument>`),
		"directive":  chunks(`<!DOCTYPE a [`, n, always(strings.Repeat(`<!ENTITY x "y">`, 4<<10)), `]>`+cda+`</text></section></component></structuredBody></component></ClinicalDocument>`),
		"PI":         chunks(`<?xml-stylesheet `, n, always(block), `?>`+cda+`</text></section></component></structuredBody></component></ClinicalDocument>`),
		"tag":        chunks(cda+`<content x="`, n, always(block), `"></content></text></section></component></structuredBody></component></ClinicalDocument>`),
		"elements":   chunks(cda, n, always(strings.Repeat(`<content>`, 7<<10)), ``),
		"attributes": chunks(cda+`<content `, n, func(i int) string { return strings.Repeat(fmt.Sprintf(`a%d="x" `, i), 7<<10) }, `>`),
		"sections":   chunks(cda, n, always(strings.Repeat(`</text></section></component><component><section><title>S</title><text>t`, 1<<10)), ``),
	} {
		t.Run("C-CDA "+name, func(t *testing.T) {
			g := newGauge(next)
			doc, err := fhir.CDAText(g)
			t.Log(len(doc.Sections), doc.Truncated, err)
			g.within(t, 0)
		})
	}
	for name, next := range map[string]func(int) string{
		"text":       chunks(`<p>`, n, always(block), ``),
		"comment":    chunks(`<p>before</p><!-- `, n, always(block), `-->after`),
		"attribute":  chunks(`<p>before</p><img src="`, n, always(block), `">after`),
		"script":     chunks(`<p>before</p><script>`, n, always(block), `</script>after`),
		"paragraphs": chunks(``+`<div>`, n, always(strings.Repeat(`<p>x`, 16<<10)), `</div>`),
		"entities":   chunks(`<p>`, n, always(strings.Repeat(`&CounterClockwiseContourIntegral;`, 2<<10)), ``),
	} {
		t.Run("HTML "+name, func(t *testing.T) {
			g := newGauge(next)
			text, err := fhir.HTMLText(g)
			t.Log(len(text), err)
			g.within(t, 0)
			switch name {
			case "comment", "attribute", "script":
				if testing.Short() != strings.HasSuffix(text, "after") { // the whole is longer than what is read
					t.Errorf("%d bytes of text, %v", len(text), err)
				}
			}
		})
	}
}
