package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"carebell/db"
	"carebell/web/metriport"
)

// TestPreviewHasOnlyOurMarkup: whatever a file holds, the page that shows its text has no element, attribute or address
// of the file's own.
func TestPreviewHasOnlyOurMarkup(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "viewer@clinic.example", db.Viewer)
	paths := map[string]string{}
	for _, m := range o.sim.Hostile() {
		if m.Type != metriport.DocumentsPaged {
			continue
		}
		for _, id := range o.take(t, m.Body) {
			paths[o.ends(t, id, db.FetchStored).Name] = fmt.Sprint("/files/", id, "/preview")
		}
	}
	for name, words := range map[string][]string{ // what is read there
		"note.html":   {"Patient ate well & slept."},
		"page.xml":    {},
		"summary.xml": {"Rest, fluids and a visit within a week.", "Plan <img src=x"},
		"result.csv":  {"=HYPERLINK(", "ordinary words", "<script>window.poisoned = 1</script>"},
		"bundle.json": {"<script>window.poisoned = 1</script> Example", "javascript:window.poisoned=6", "<img src=x onerror=window.poisoned=3>"},
	} {
		path, ok := paths[name]
		if !ok {
			t.Errorf("the simulated sender has no %s", name)
			continue
		}
		resp, page := b.Get(t, path)
		if resp.StatusCode != http.StatusOK || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "script-src 'self'") {
			t.Fatalf("%s: %d %v", name, resp.StatusCode, resp.Header)
		}
		doc := onlyOurs(t, name, page)
		text := strings.Join(strings.Fields(doc.Find("main").Text()), " ")
		for _, w := range words {
			if !strings.Contains(text, w) {
				t.Errorf("%s: the page does not read %q: %s", name, w, text)
			}
		}
		for _, never := range []string{"root:", "aaaaaaaaaaaaaaaaaaaa", "display: none"} { // entities, a style
			if strings.Contains(page, never) {
				t.Errorf("%s: the page has %q", name, never)
			}
		}
	}
	for _, name := range []string{"scan.svg", "letter.pdf"} { // nothing that we could make text of
		if resp, page := b.Get(t, paths[name]); resp.StatusCode != http.StatusNotFound || strings.Contains(page, "poisoned") {
			t.Errorf("%s: %d %s", name, resp.StatusCode, page)
		}
	}
	for _, r := range o.requests() {
		if strings.Contains(r.path, "reached") {
			t.Error("making a preview asked for something that the file names")
		}
	}
	if n := o.numbers(t, `SELECT count(*) FROM audit WHERE action = 'preview'`)[0]; n != 5 {
		t.Errorf("5 previews left %d traces", n)
	}
	page := o.shows(t, b, "/patients/"+url.PathEscape(o.patientOf(t)), "note.html")
	onlyOurs(t, "the patient's page", page)
}

// patientOf is the patient whose documents misbehave.
func (o *outside) patientOf(t *testing.T) string {
	t.Helper()
	return o.download(t, o.numbers(t, `SELECT min(id) FROM download WHERE purpose = 'document'`)[0]).PatientID
}

// onlyOurs fails where a page has an element or attribute that could run or load something but our own files, or, in
// what it shows of a file, any that we do not use there.
func onlyOurs(t *testing.T, name, page string) *goquery.Document {
	t.Helper()
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	doc.Find("*").Each(func(_ int, e *goquery.Selection) {
		tag := goquery.NodeName(e)
		switch tag {
		case "iframe", "frame", "object", "embed", "style", "base", "img", "image", "video", "audio", "foreignobject", "template", "math", "linkhtml", "xi:include":
			t.Errorf("%s: the page has a %s", name, tag)
		case "script":
			if src, _ := e.Attr("src"); !strings.HasPrefix(src, "/static/") || e.Text() != "" {
				t.Errorf("%s: the page has a script that is not ours: %q", name, e.Text())
			}
		}
		for _, a := range e.Nodes[0].Attr {
			value := strings.ToLower(strings.TrimSpace(a.Val))
			switch {
			case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "srcdoc":
				t.Errorf("%s: a %s has the attribute %s=%q", name, tag, a.Key, a.Val)
			case slices.Contains([]string{"href", "src", "action", "xlink:href", "data", "formaction"}, a.Key) && (!strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "#") || strings.HasPrefix(value, "//")):
				t.Errorf("%s: a %s leads to %q", name, tag, a.Val)
			case a.Key == "http-equiv":
				t.Errorf("%s: a meta has %q", name, a.Val)
			}
		}
	})
	for region, allowed := range map[string][]string{
		".document": {"section", "h3", "p"}, ".table-wrap": {"table", "thead", "tbody", "tr", "th", "td"},
	} {
		doc.Find(region + " *").Each(func(_ int, e *goquery.Selection) {
			if !slices.Contains(allowed, goquery.NodeName(e)) {
				t.Errorf("%s: what it shows of the file has a %s", name, goquery.NodeName(e))
			}
			for _, a := range e.Nodes[0].Attr {
				if a.Key != "class" && a.Key != "scope" {
					t.Errorf("%s: what it shows of the file has the attribute %s", name, a.Key)
				}
			}
		})
	}
	return doc
}

// TestPreviewOfDamagedFilesSaysSo, shows what could be read, and tells the log nothing of it.
func TestPreviewOfDamagedFilesSaysSo(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "viewer@clinic.example", db.Viewer)
	for name, content := range map[string]string{
		"cut.json":       `{"resourceType":"Bundle","type":"collection","entry":[` + zoePatient + `,{"resource":{"Quagmire":`,
		"duplicate.json": `{"resourceType":"Bundle","Quagmire":1,"Quagmire":2}`,
		"words.json":     `{Quagmire}`,
		"other.json":     `{"Quagmire":[1,2]}`,
		"cut.xml":        `<?xml version="1.0"?><ClinicalDocument><component><structuredBody><component><section><title>Plan</title><text>Rest</text></section></Quagmire></`,
		"other.xml":      `<?xml version="1.0"?><Quagmire></Zebulon>`,
		"entity.xml":     `<?xml version="1.0"?><ClinicalDocument>&Quagmire;</ClinicalDocument>`,
		"quotes.csv":     "name,\"Quagmire\n\"a\"b,c\n\"",
		"page.html":      "<!doctype html><p>Quagmire<b <i <p \x00 &#xFFFFFF; <script>",
		"bytes.txt":      "Quagmire \xff\xfe\xc0\x80 \xed\xa0\x80 end",
	} {
		_, path := storedFile(t, o, name, "", content)
		resp, page := b.Get(t, path+"/preview")
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", name, resp.StatusCode, page)
		}
		onlyOurs(t, name, page)
	}
	if log := o.Log.String(); strings.Contains(log, "Quagmire") || strings.Contains(log, "Zebulon") {
		t.Errorf("the log quotes a file: %s", log)
	}
	// And when the bundle behind a notice is damaged.
	for i, content := range []string{`{"resourceType":"Bundle","Quagmire":1,"Quagmire":2}`, `{"resourceType":"Bundle","entry":[` + zoePatient + `,{"Quagmire":`, `{"Quagmire":tru}`} {
		id := o.take(t, o.event("patient.admit", "PATIENT-1", o.lead(fmt.Sprint("/damaged-", i), time.Minute, says(content)), ""))[0]
		o.ends(t, id, db.FetchStored)
	}
	if log := o.Log.String(); strings.Contains(log, "Quagmire") || !strings.Contains(log, "could not be read") {
		t.Errorf("the log quotes a file, or says nothing: %s", log)
	}
}
