package fhir_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"carebell/web/fhir"
)

func TestHTMLBecomesText(t *testing.T) {
	for in, want := range map[string]string{
		"":                              "",
		"plain":                         "plain",
		"<p>one</p><p>two</p>":          "one\n\ntwo",
		"one<br>two<br/><br/>three":     "one\ntwo\n\nthree",
		"a <b>bold</b>   word\n\tagain": "a bold word again",
		"<ul><li>a<li>b</ul>c":          "• a\n• b\n\nc",
		"<table><tr><th>K<th>Na<tr><td>2.4<td>139</table>":       "K\tNa\n2.4\t139",
		"<table><tr><td><td>second</table>":                      "second",
		"<pre>a\n  b</pre>":                                      "a\nb",
		"x<script>alert(1)</script>y":                            "xy",
		"x<SCRIPT type=a>document.write('<p>no</p>')</script >y": "xy",
		"x<script>no":                     "x",
		"<style>p{color:red}</style>text": "text",
		"<head><title>no</title></head><body onload=x()>yes":                               "yes",
		`<html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body>yes</body>`: "yes",
		"<iframe src=x>no</iframe><noscript>no</noscript><textarea>no</textarea>yes":       "yes",
		"&lt;b&gt; &amp;amp; K&nbsp;&lt; 3.5 &#8211; &#x2265; &unknown;":                   "<b> &amp; K < 3.5 – ≥ &unknown;",
		"<!-- no --><!DOCTYPE html><?php no ?>yes":                                         "yes",
		"<div><div><div>deep</div></div></div>":                                            "deep",
		"a < b and c > d":                                                                  "a < b and c > d",
		"<img src=x onerror=alert(1)>y":                                                    "y",
		"<svg><script>no</script><text>label</text></svg>":                                 "label",
		"bad \x80 euro, caf\xe9":                                                           "bad € euro, café",
		"fine é ✓":                                                                         "fine é ✓",
		"\xef\xbb\xbfmark":                                                                 "mark",
		"nul\x00 bell\x07 soft\u00adhyphen":                                                "nul bell softhyphen",
		"<p>unclosed <b":                                                                   "unclosed",
		`<a title="` + strings.Repeat("x", 200_000) + `">after</a>`:                        "after",
	} {
		for _, r := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in))} {
			got, err := fhir.HTMLText(r)
			if got != want || err != nil {
				t.Errorf("%.80q: %q, %v, want %q", in, got, err, want)
			}
		}
	}
	wide := []byte{0xff, 0xfe}
	for _, c := range utf16.Encode([]rune("<p>naïve 😀</p>")) {
		wide = append(wide, byte(c), byte(c>>8))
	}
	if got, err := fhir.HTMLText(strings.NewReader(string(wide) + "x")); got != "naïve 😀" || err != nil {
		t.Errorf("UTF-16: %q, %v", got, err)
	}
	if got, err := fhir.HTMLText(io.MultiReader(strings.NewReader("<p>so far"), iotest.ErrReader(errors.New("gone")))); got != "so far" || err == nil {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := fhir.HTMLText(strings.NewReader(strings.Repeat("long ", 1<<20))); !errors.Is(err, fhir.ErrCut) || len(got) > 1<<20 || len(got) < 1<<19 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

const ccda = `<?xml version="1.0" encoding="ISO-8859-1"?>
<?xml-stylesheet type="text/xsl" href="http://evil.example/steal.xsl"?>
<!DOCTYPE ClinicalDocument [<!ENTITY lol "lollol"><!ENTITY file SYSTEM "file:///etc/passwd">]>
<ClinicalDocument xmlns="urn:hl7-org:v3"><!-- no > comment <title>no</title> -->
<title> Summary of
 episode </title>
<recordTarget><patientRole><patient><name><given>Not</given><family>Shown</family></name></patient></patientRole></recordTarget>
<component><structuredBody>
 <component><section><code code="11535-2"/><title>Diagnosis</title>
  <text><paragraph>Heart failure &amp; &lt;edema&gt; &lol; &file; caf` + "\xe9" + `</paragraph>
   <table><thead><tr><th>Code</th><th>Name</th></tr></thead><tbody><tr><td>I50.9</td><td>Heart failure</td></tr></tbody></table>
   <list><item>one</item><item><content styleCode="Bold">two</content></item></list><![CDATA[<b>raw</b>]]></text>
  <entry><observation><text>not narrative</text><value>no</value></observation></entry>
  <component><section><title>Within</title><text>nested<br/>line</text></section></component>
 </section></component>
 <component><section><code code="8653-8"/><title>Instructions</title><text>Weigh daily.</text></section></component>
</structuredBody></component></ClinicalDocument>`

func TestCDABecomesSections(t *testing.T) {
	doc, err := fhir.CDAText(iotest.HalfReader(strings.NewReader(ccda)))
	if err != nil || doc.Truncated || doc.Title != "Summary of episode" || len(doc.Sections) != 3 {
		t.Fatalf("%+v, %v", doc, err)
	}
	want := []fhir.Section{
		{Kind: fhir.SectionDiagnosis, Code: "11535-2", Title: "Diagnosis", Text: "Heart failure & <edema> &lol; &file; café\n\nCode\tName\nI50.9\tHeart failure\n\n• one\n• two\n\n<b>raw</b>"},
		{Title: "Within", Text: "nested\nline"},
		{Kind: fhir.SectionInstructions, Code: "8653-8", Title: "Instructions", Text: "Weigh daily."},
	}
	for i, got := range doc.Sections {
		if got != want[i] {
			t.Errorf("got  %+v\nwant %+v", got, want[i])
		}
	}
}

func TestDamagedCDAGivesWhatCameBefore(t *testing.T) {
	for name, c := range map[string]struct {
		input    string
		sections int
		err      string
	}{
		"not XML":           {"%PDF-1.4", 0, "not a C-CDA document"},
		"empty":             {"", 0, "not a C-CDA document"},
		"other XML":         {"<html><body>x</body></html>", 0, "not a C-CDA document"},
		"ends too early":    {ccda[:strings.Index(ccda, "Within")], 2, "ends too early"},
		"ends in narrative": {ccda[:strings.Index(ccda, "<list>")], 1, "ends too early"},
		"a broken tag":      {strings.Replace(ccda, "<table>", "<table <<>", 1), 1, ""},
		"an end too many":   {strings.Replace(ccda, "<table>", "</nothing><table>", 1), 3, ""},
		"no end":            {strings.Replace(ccda, "</paragraph>", "", 1), 3, ""},
		"control letters":   {strings.Replace(ccda, "Weigh", "We\x00\x08igh", 1), 3, ""},
	} {
		doc, err := fhir.CDAText(strings.NewReader(c.input))
		if len(doc.Sections) < c.sections || (err == nil) != (c.err == "") && name != "a broken tag" {
			t.Errorf("%s: %d sections, %v", name, len(doc.Sections), err)
		}
		if err != nil && (!strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "failure")) {
			t.Errorf("%s: %v, want %q", name, err, c.err)
		}
	}
}

func TestDeepCDAEnds(t *testing.T) {
	doc, err := fhir.CDAText(strings.NewReader(`<ClinicalDocument><component>` + strings.Repeat("<section><component>", 100_000)))
	if !doc.Truncated || err != nil {
		t.Errorf("truncated %v, %v", doc.Truncated, err)
	}
}
