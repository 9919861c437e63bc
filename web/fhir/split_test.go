package fhir_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"carebell/web/fhir"
)

// split reads a file and returns what its parts hold, by attachment; "-" for an attachment without a part.
func split(t *testing.T, file string) (fhir.Facts, []string) {
	t.Helper()
	var parts []*bytes.Buffer
	f, err := fhir.ReadSplit(strings.NewReader(file), func() (io.Writer, error) {
		parts = append(parts, &bytes.Buffer{})
		return parts[len(parts)-1], nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range f.Communications {
		for _, a := range c.Attachments {
			switch {
			case a.Part == 0:
				out = append(out, "-")
			case int64(parts[a.Part-1].Len()) != a.Size || len(a.Data) > 0 || a.DataCut:
				t.Errorf("the attachment is said to be %d bytes, cut %t, and has %d", a.Size, a.DataCut, parts[a.Part-1].Len())
			default:
				out = append(out, parts[a.Part-1].String())
			}
		}
	}
	return f, out
}

func carrying(data string) string {
	return `{"resourceType":"Communication","payload":[{"contentString":"see \"data\":\"QUJD\" below"},{"contentAttachment":{"contentType":"text/plain","title":"a","data":"` + data + `"}}]}`
}

func TestInlineAttachmentsAreTakenOut(t *testing.T) {
	content := strings.Repeat("a \x00\xff?>/+ text ", 50_000)
	url := base64.URLEncoding.EncodeToString([]byte(content))
	for name, test := range map[string]struct{ data, want string }{
		"standard":          {base64.StdEncoding.EncodeToString([]byte(content)), content},
		"url alphabet":      {url, content},
		"without padding":   {strings.TrimRight(url, "="), content},
		"line breaks":       {strings.ReplaceAll(base64.StdEncoding.EncodeToString([]byte("line breaks")), "I", `I\r\n`), "line breaks"},
		"escaped slashes":   {strings.ReplaceAll(base64.StdEncoding.EncodeToString([]byte("??>>??")), "/", `\/`), "??>>??"},
		"escaped letters":   {`\u0051\u0055JD`, "ABC"},
		"not base64":        {`QUJD!QUJD`, "-"},
		"other alphabets":   {`QUJDé`, "-"},
		"a lone letter":     {`Q`, "-"},
		"a surrogate":       {`QUJD\ud83d\ude00`, "-"},
		"a quote within":    {`QUJD\"`, "-"},
		"only white space":  {`  \n `, "-"},
		"padding all over":  {`QQ==QQ==`, "A\x04\x10"},
		"a wrong escape":    {`\u00zz`, "-"},
		"many, one by one":  {strings.Repeat("QUJD", 100_000), strings.Repeat("ABC", 100_000)},
		"as the mark it is": {`\ufdd11`, "-"},
	} {
		t.Run(name, func(t *testing.T) {
			f, got := split(t, carrying(test.data))
			if len(got) != 1 || got[0] != test.want {
				t.Errorf("the parts are %.80q, want %.80q", got, test.want)
			}
			if c := f.Communications[0]; len(c.Texts) != 1 || c.Texts[0] != `see "data":"QUJD" below` {
				t.Errorf("the text is %q", c.Texts)
			}
		})
	}
	if _, got := split(t, carrying("")); len(got) != 1 || got[0] != "-" {
		t.Errorf("an empty one is %q", got)
	}
}

// TestPartsOfTheWholeFileAreFound: behind a reference to a document or a binary, in any order, in a bundle.
func TestPartsOfTheWholeFileAreFound(t *testing.T) {
	file := `{"resourceType":"Bundle","entry":[
		{"fullUrl":"urn:uuid:b1","resource":{"resourceType":"Binary","id":"b1","contentType":"text/plain","data":"Ymlu"}},
		{"resource":{"resourceType":"Communication","id":"c","sent":"2026-11-01T10:00:00Z","inResponseTo":[{"reference":"Communication/before"}],"payload":[
			{"contentReference":{"reference":"Binary/b1","display":"scan"}},
			{"contentReference":{"reference":"DocumentReference/d"}},
			{"contentAttachment":{"title":"of b2","url":"Binary/b2"}},
			{"contentAttachment":{"title":"link","url":"https://x.example/y"}},
			{"contentReference":{"reference":"DocumentReference/none","display":"gone"}}]}},
		{"resource":{"resourceType":"DocumentReference","id":"d","content":[{"attachment":{"title":"doc","data":"ZG9j"}}]}},
		{"resource":{"resourceType":"Binary","id":"b2","data":"dHdv"}},
		{"resource":{"resourceType":"DiagnosticReport","id":"r","presentedForm":[{"contentType":"text/plain","data":"UkVQT1JU"}]}}]}`
	f, got := split(t, file)
	want := []string{"two", "-", "bin", "doc", "-"} // what stands in the message comes first, then what it refers to
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the parts are %q, want %q", got, want)
	}
	c := f.Communications[0]
	if c.Attachments[2].Title != "scan" || c.Attachments[0].Title != "of b2" || c.ReplyTo != "before" {
		t.Errorf("the message is %+v", c)
	}
}

// TestSplittingIsBounded: attachments larger than memory, and more of them than anybody sends.
func TestSplittingIsBounded(t *testing.T) {
	block := strings.Repeat("QUJD", 16<<10)
	g := newGauge(chunks(`{"resourceType":"Communication","payload":[{"contentAttachment":{"data":"`, 3000, always(block), `"}}]}`))
	var n countingWriter
	f, err := fhir.ReadSplit(g, func() (io.Writer, error) { return &n, nil })
	if err != nil || len(f.Communications) != 1 || int64(n) != 3000*48<<10 || f.Communications[0].Attachments[0].Size != int64(n) {
		t.Errorf("%d bytes, %v: %+v", n, err, f.Communications)
	}
	g.within(t, 150)

	many := chunks(`{"resourceType":"Communication","payload":[`, 5000, always(`{"contentAttachment":{"data":"QUJD"}},`), `{}]}`)
	opened := 0
	if _, err := fhir.ReadSplit(newGauge(many), func() (io.Writer, error) { opened++; return io.Discard, nil }); err != nil || opened != 100 {
		t.Errorf("%d files were begun (%v), want 100", opened, err)
	}
}

type countingWriter int64

func (n *countingWriter) Write(p []byte) (int, error) {
	*n += countingWriter(len(p))
	return len(p), nil
}

func TestAPartThatCannotBeKeptEndsTheReading(t *testing.T) {
	full := errors.New("full")
	if _, err := fhir.ReadSplit(strings.NewReader(carrying("QUJD")), func() (io.Writer, error) { return nil, full }); !errors.Is(err, full) {
		t.Errorf("no room to begin: %v", err)
	}
	if _, err := fhir.ReadSplit(strings.NewReader(carrying("QUJD")), func() (io.Writer, error) { return fails{full}, nil }); !errors.Is(err, full) {
		t.Errorf("no room to write: %v", err)
	}
	for _, cut := range []int{60, 120, 160} {
		if _, err := fhir.ReadSplit(strings.NewReader(carrying("QUJD")[:cut]), func() (io.Writer, error) { return io.Discard, nil }); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut after %d bytes: %v", cut, err)
		}
	}
}

type fails struct{ err error }

func (f fails) Write([]byte) (int, error) { return 0, f.err }
