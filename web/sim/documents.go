package sim

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"strings"
	"time"
)

// paper is a kind of document that comes from a hospital's archive.
type paper struct {
	extension, mime string
	loinc, title    string
	make            func(r *rand.Rand, p person, title string, at time.Time) []byte
}

var papers = []paper{
	{"xml", "application/xml", "34133-9", "Summary of episode note", ccda},
	{"pdf", typePDF, "18842-5", "Discharge summary", pdfLetter},
	{"txt", typeText, "11506-3", "Progress note", plainNote},
	{"json", "application/fhir+json", "60591-5", "Patient summary Document", fhirDocument},
	{"png", "image/png", "18748-4", "Diagnostic imaging study", picture},
}

func ccda(r *rand.Rand, p person, title string, at time.Time) []byte {
	c := pick(r, major)
	d := drugs[c.drug]
	const form = `<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3">
  <typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
  <templateId root="2.16.840.1.113883.10.20.22.1.2"/>
  <id root="%s"/>
  <code code="34133-9" codeSystem="2.16.840.1.113883.6.1" displayName="Summarization of Episode Note"/>
  <title>%s</title>
  <effectiveTime value="%s"/>
  <confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/>
  <languageCode code="en-US"/>
  <recordTarget><patientRole>
    <id root="2.16.840.1.113883.19.5" extension="%s"/>
    <addr><streetAddressLine>%s</streetAddressLine><city>%s</city><state>%s</state><postalCode>%s</postalCode></addr>
    <patient><name><given>%s</given><family>%s</family></name>
      <administrativeGenderCode code="%s" codeSystem="2.16.840.1.113883.5.1"/><birthTime value="%s"/></patient>
  </patientRole></recordTarget>
  <component><structuredBody>
    <component><section>
      <code code="11450-4" codeSystem="2.16.840.1.113883.6.1" displayName="Problem list"/><title>Problems</title>
      <text><list><item>%s</item></list></text>
    </section></component>
    <component><section>
      <code code="10160-0" codeSystem="2.16.840.1.113883.6.1" displayName="Medications"/><title>Medications</title>
      <text><paragraph>%s: %s</paragraph></text>
    </section></component>
    <component><section>
      <code code="18776-5" codeSystem="2.16.840.1.113883.6.1" displayName="Plan of care"/><title>Plan of care</title>
      <text><paragraph>%s</paragraph></text>
    </section></component>
  </structuredBody></component>
</ClinicalDocument>
`
	words := []string{
		uuid4(r), title, at.UTC().Format("20060102150405+0000"), p.externalID, p.line, p.city, p.state, p.zip,
		p.given, p.family, strings.ToUpper(p.sex[:1]), strings.ReplaceAll(p.born, "-", ""),
		c.name, d.name, d.sig, c.plan,
	}
	escaped := make([]any, len(words))
	for i, w := range words {
		var b bytes.Buffer
		_ = xml.EscapeText(&b, []byte(w)) // a buffer takes everything
		escaped[i] = b.String()
	}
	return fmt.Appendf(nil, form, escaped...)
}

// webPage is a record as a page of its own.
func webPage(r *rand.Rand, p person, at time.Time) []byte {
	c := pick(r, major)
	words := []any{p.name(), p.name(), p.born, at.UTC().Format(time.DateOnly), c.name, c.plan}
	for i, w := range words {
		words[i] = html.EscapeString(fmt.Sprint(w))
	}
	return fmt.Appendf(nil, "<!DOCTYPE html>\n<html><head><title>%s</title></head><body>\n<h1>%s</h1>\n<p>Born %s, as of %s</p>\n"+
		"<h2>Problems</h2>\n<p>%s</p>\n<h2>Plan</h2>\n<p>%s</p>\n</body></html>\n", words...)
}

func plainNote(r *rand.Rand, p person, title string, at time.Time) []byte {
	c := pick(r, major)
	return fmt.Appendf(nil, "%s\n%s, born %s\n%s\n\nReason: %s\nAssessment: %s (%s)\nPlan: %s\n\n— %s\n",
		strings.ToUpper(title), p.name(), p.born, at.UTC().Format("2006-01-02 15:04 MST"), c.reason, c.name, c.icd, c.plan, doctorName(r.IntN(len(doctors))))
}

func fhirDocument(_ *rand.Rand, p person, _ string, at time.Time) []byte {
	return encode(p.summary(at))
}

// pdfLetter writes a PDF of one page by hand: five objects, a cross-reference table, a trailer.
func pdfLetter(r *rand.Rand, p person, title string, at time.Time) []byte {
	c := pick(r, major)
	lines := []string{
		title, p.name() + ", born " + p.born, at.UTC().Format(time.DateOnly), "",
		"Diagnosis: " + c.name, "Plan: " + c.plan, "Instructions: " + c.told,
	}
	var page strings.Builder
	page.WriteString("BT /F1 12 Tf 60 760 Td 18 TL\n")
	for _, line := range lines {
		page.WriteString("(" + pdfString(line) + ") Tj T*\n")
	}
	page.WriteString("ET")
	return pdf(page.String())
}

func pdf(page string) []byte { return pdfThat("", page) }

// pdfThat is a PDF of one page that does something when it is opened; "" = nothing.
func pdfThat(does, page string) []byte {
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R " + does + ">>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(page), page),
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
	}
	b := []byte("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n") // the second line tells tools that the file is binary
	table := []byte("0000000000 65535 f \n")
	for i, o := range objects {
		table = fmt.Appendf(table, "%010d 00000 n \n", len(b))
		b = fmt.Appendf(b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	start := len(b)
	return fmt.Appendf(b, "xref\n0 %d\n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n",
		len(objects)+1, table, len(objects)+1, start)
}

// pdfString escapes a line for a PDF string in WinAnsi, whose upper half is close to Latin-1.
func pdfString(s string) string {
	var b strings.Builder
	for _, c := range s {
		switch {
		case c == '(' || c == ')' || c == '\\':
			b.WriteString("\\" + string(c))
		case c < 0x80:
			b.WriteRune(c)
		case c >= 0xa0 && c <= 0xff:
			fmt.Fprintf(&b, "\\%03o", c)
		default:
			b.WriteByte('?')
		}
	}
	return b.String()
}

// picture is a small grey image that could pass for a study: a bright disk on a dark, noisy ground.
func picture(r *rand.Rand, _ person, _ string, _ time.Time) []byte {
	const w, h = 160, 120
	m := image.NewGray(image.Rect(0, 0, w, h))
	cx, cy, radius := 60+r.IntN(40), 40+r.IntN(40), 20+r.IntN(15)
	for y := range h {
		for x := range w {
			shade := 24 + r.IntN(16)
			if (x-cx)*(x-cx)+(y-cy)*(y-cy) < radius*radius {
				shade += 140
			}
			m.SetGray(x, y, color.Gray{Y: uint8(shade)})
		}
	}
	var b bytes.Buffer
	_ = png.Encode(&b, m) // a buffer takes everything, and the image is not empty
	return b.Bytes()
}
