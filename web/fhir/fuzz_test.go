package fhir_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"carebell/web/fhir"
)

// FuzzRead: whatever comes, reading ends without a panic, the facts can be stored and read back, and the same bytes give
// the same facts.
func FuzzRead(f *testing.F) {
	for _, path := range inputs(f) {
		f.Add(load(f, path))
	}
	f.Add([]byte(strings.Repeat(`{"resourceType":"Bundle","entry":[{"resource":`, 70)))
	f.Add([]byte(strings.Repeat(`[`, 20_000)))
	f.Add([]byte(collection(fill("", "")...)))
	f.Add([]byte(collection(ordered(lipidOrder)...)))
	f.Add([]byte(collection(stay("e", "in-progress", "SS", between("20260420", ""), ""), stay("e", "finished", "SS", between("", "20260421"), ""), stay("e", "", "", "", ""))))
	f.Add([]byte(`{"resourceType":"Observation","valueQuantity":{"value":-1e-999999999},"referenceRange":{"low":{"value":9e99999}}}`))
	f.Fuzz(func(t *testing.T, input []byte) {
		facts, _ := fhir.Read(bytes.NewReader(input))
		stored, err := facts.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := fhir.Decode(stored)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := back.Encode(); err != nil || !bytes.Equal(again, stored) {
			t.Fatalf("read back as\n%s\nwas\n%s\n%v", again, stored, err)
		}
		repeated, _ := fhir.Read(bytes.NewReader(input))
		if again, err := repeated.Encode(); err != nil || !bytes.Equal(again, stored) {
			t.Fatalf("read again as\n%s\nwas\n%s\n%v", again, stored, err)
		}
	})
}

// readable fails where text is none that a page can show.
func readable(t *testing.T, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Fatalf("not UTF-8: %q", text)
	}
	if i := strings.IndexFunc(text, func(c rune) bool { return unicode.IsControl(c) && c != '\n' && c != '\t' }); i >= 0 {
		t.Fatalf("a control character: %q", text)
	}
	if strings.Contains(text, "\n\n\n") {
		t.Fatalf("more than one empty line: %q", text)
	}
}

func FuzzHTMLText(f *testing.F) {
	for _, seed := range []string{
		"<p>one</p>two<br>", "<table><tr><td>a<td>b", "<script>x</script>", "<title/>x", "&lt;&#0;&#x80;", "\xff\xfe<\x00", "<!-- <p> -->",
		"<pre>a\n\n\n\nb</pre>", "<svg><style>x</style>", "<![CDATA[x]]>", "<plaintext>x",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		text, _ := fhir.HTMLText(bytes.NewReader(input))
		readable(t, text)
	})
}

func FuzzCDAText(f *testing.F) {
	f.Add([]byte(ccda))
	f.Add([]byte("<ClinicalDocument><title><![CDATA[]]]]><![CDATA[>]]></title><!><!-->--><?><!D<>>"))
	f.Fuzz(func(t *testing.T, input []byte) {
		doc, _ := fhir.CDAText(bytes.NewReader(input))
		readable(t, doc.Title)
		for _, s := range doc.Sections {
			readable(t, s.Title)
			readable(t, s.Text)
			readable(t, s.Code)
		}
	})
}
