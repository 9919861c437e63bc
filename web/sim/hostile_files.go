package sim

import "strings"

// poisonedFile is a document with something in it that wants to run, or to be fetched from the store's /hostile/reached.
type poisonedFile struct {
	name, mime, says string
	form             string // ORIGIN stands for the store's address
}

func (f poisonedFile) content(origin string) []byte {
	return []byte(strings.ReplaceAll(f.form, "ORIGIN", origin))
}

// hostilePage is HTML that tries every usual way to run a script. Its plain words are harmless.
const hostilePage = `<!DOCTYPE html><html><head><title>Progress note</title>
<script>window.poisoned = 1</script><script src="ORIGIN/hostile/reached"></script>
<link rel="stylesheet" href="ORIGIN/hostile/reached"><style>body { display: none }</style>
<meta http-equiv="refresh" content="0;url=ORIGIN/hostile/reached"><base href="ORIGIN/hostile/"></head>
<body onload="window.poisoned = 2">
<p>Patient ate well &amp; slept.</p>
<img src=x onerror="window.poisoned = 3"><svg onload="window.poisoned = 4"><script>window.poisoned = 5</script></svg>
<iframe srcdoc="&lt;script&gt;parent.poisoned = 6&lt;/script&gt;"></iframe><object data="ORIGIN/hostile/reached"></object>
<a href="javascript:window.poisoned=7">Results</a><form action="ORIGIN/hostile/reached"><input autofocus onfocus="window.poisoned = 8"></form>
<p>&lt;script&gt;window.poisoned = 9&lt;/script&gt;</p><![CDATA[<script>window.poisoned = 10</script>]]>
</body></html>
`

var poisoned = []poisonedFile{
	{"note.html", "text/html", "HTML with script", hostilePage},
	{"scan.svg", "image/svg+xml", "SVG with script", `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" onload="window.poisoned = 1" viewBox="0 0 9 9">
<script>window.poisoned = 2</script><a xlink:href="javascript:window.poisoned=3"><text y="9">Scan</text></a>
<foreignObject><body xmlns="http://www.w3.org/1999/xhtml"><img src="x" onerror="window.poisoned = 4"/></body></foreignObject>
<image xlink:href="ORIGIN/hostile/reached"/></svg>
`},
	{"page.xml", "application/xml", "XML that is a page with script", `<?xml version="1.0"?>
<html xmlns="http://www.w3.org/1999/xhtml"><head><script>window.poisoned = 1</script></head>
<body onload="window.poisoned = 2"><p>Progress note</p><iframe src="javascript:parent.poisoned=3"/></body></html>
`},
	{"summary.xml", "application/xml", "C-CDA with a hostile stylesheet", `<?xml version="1.0" encoding="UTF-8"?>
<?xml-stylesheet type="text/xsl" href="ORIGIN/hostile/reached"?>
<!DOCTYPE ClinicalDocument [
  <!ENTITY local SYSTEM "file:///etc/passwd"><!ENTITY remote SYSTEM "ORIGIN/hostile/reached">
  <!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">
  <!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;"><!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;"><!ENTITY f "&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;">
]>
<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xi="http://www.w3.org/2001/XInclude">
  <title>Summary &lt;script&gt;window.poisoned = 1&lt;/script&gt;</title>
  <component><structuredBody><component><section>
    <code code="18776-5" codeSystem="2.16.840.1.113883.6.1"/><title>Plan &lt;img src=x onerror="window.poisoned = 2"&gt;</title>
    <text>
      <paragraph styleCode="x&quot; onmouseover=&quot;window.poisoned=3">Rest, fluids and a visit within a week.</paragraph>
      <table onmouseover="window.poisoned = 4" style="position: fixed"><tr><td>&local;&remote;&f;</td></tr></table>
      <linkHtml href="javascript:window.poisoned=5">Instructions</linkHtml>
      <renderMultiMedia referencedObject="m1"/><script>window.poisoned = 6</script><iframe src="ORIGIN/hostile/reached"/>
      <xi:include href="file:///etc/passwd" parse="text"/><![CDATA[<script>window.poisoned = 7</script>]]>
    </text>
    <entry><observationMedia ID="m1"><value mediaType="text/html"><reference value="javascript:window.poisoned=8"/></value></observationMedia></entry>
  </section></component></structuredBody></component>
  <component><nonXMLBody><text mediaType="text/html"><reference value="javascript:window.poisoned=9"/></text></nonXMLBody></component>
</ClinicalDocument>
`},
	{"letter.pdf", typePDF, "PDF with a JavaScript action", hostilePDF()},
	{"result.csv", "text/csv", "CSV with formulas", "name,note\n" +
		"=HYPERLINK(\"\"ORIGIN/hostile/reached\"\"),+1+1\n-2+3,@SUM(1+1)*cmd|' /C calc'!A0\n\"\t=1+1\",\"\r=1+1\"\n<script>window.poisoned = 1</script>,ordinary words\n"},
	{"bundle.json", typeJSON, "FHIR with markup in every text", `{"resourceType":"Bundle","type":"collection","entry":[
{"resource":{"resourceType":"Patient","id":"p","name":[{"text":"<script>window.poisoned = 1</script> Example"}],"birthDate":"1980-01-01","text":{"status":"generated","div":"<div><script>window.poisoned = 2</script></div>"}}},
{"resource":{"resourceType":"DiagnosticReport","id":"r","status":"final","code":{"text":"<img src=x onerror=window.poisoned=3>"},"conclusion":"</p><iframe srcdoc='<script>parent.poisoned=4</script>'></iframe>","result":[{"reference":"Observation/o"}]}},
{"resource":{"resourceType":"Observation","id":"o","status":"final","code":{"text":"\"><svg onload=window.poisoned=5>"},"valueString":"javascript:window.poisoned=6"}}]}
`},
}

// hostilePDF is a letter whose catalog runs a script when it is opened.
func hostilePDF() string {
	return string(pdfThat("/OpenAction << /S /JavaScript /JS ("+pdfString(`app.alert("poisoned")`)+") >> ", "BT /F1 12 Tf 60 760 Td (Letter) Tj ET"))
}
