package fhir_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"carebell/web/fhir"
)

// read reads one bare resource or bundle, and must succeed.
func read(t *testing.T, input string) fhir.Facts {
	t.Helper()
	facts, err := fhir.Read(strings.NewReader(input))
	if err != nil {
		t.Fatal(err)
	}
	return facts
}

func TestDamagedFilesGiveWhatCameBeforeAndSayWhere(t *testing.T) {
	const secret = "Secretname"
	head := `{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","name":[{"text":"` + secret + `"}]}}`
	at := func(entry, offset int) string { return fmt.Sprintf("entry %d, byte %d: ", entry, offset) }
	for name, c := range map[string]struct {
		input, want string
		patient     bool
	}{
		"empty":                {"", "byte 0: the file ends too early", false},
		"ends in an entry":     {head + `,{"resource":{"resourceType":"Pa`, at(2, len(head)+len(`,{"resource":{"resourceType":"Pa`)) + "the file ends too early", true},
		"ends after an entry":  {head, "the file ends too early", true},
		"bad JSON in an entry": {head + `,{"resource":{"` + secret + `":tru}}]}`, at(2, len(head)+len(`,{"resource":{"Secretname":tru`)) + "not valid JSON", true},
		"bad JSON after white": {head + `,` + strings.Repeat(" ", 1000) + `{"a":"` + strings.Repeat("x", 2<<20) + `","b":?`, at(2, len(head)+1+1000+len(`{"a":"","b":`)+(2<<20)) + "not valid JSON", true},
		"more follows":         {head + `]} {}`, fmt.Sprintf("byte %d: something follows the resource", len(head)+len("]} {")), true},
		"HTML":                 {"<html>" + secret, "byte 0: not valid JSON", false},
		"array":                {"[]", "no resourceType", false},
		"string":               {`"text"`, "no resourceType", false},
		"object":               {`{"` + secret + `":1}`, "no resourceType", false},
		"wrong brackets":       {head + `}`, "not valid JSON", true},
		"NUL bytes":            {"\x00\x00", "byte 0: not valid JSON", false},
	} {
		t.Run(name, func(t *testing.T) {
			facts, err := fhir.Read(iotest.OneByteReader(strings.NewReader(c.input)))
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), secret) {
				t.Errorf("error %q, want %q", err, c.want)
			}
			if (facts.Patient.Name == secret) != c.patient {
				t.Errorf("patient %+v", facts.Patient)
			}
		})
	}
	broken := errors.New("the disk is gone")
	_, err := fhir.Read(io.MultiReader(strings.NewReader(head), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) {
		t.Errorf("%v, want the reader's own error", err)
	}
	if _, err := fhir.Read(strings.NewReader(`{}`)); !errors.Is(err, fhir.ErrNotFHIR) {
		t.Errorf("%v", err)
	}
	if _, err := fhir.Read(strings.NewReader(head)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v", err)
	}
}

func TestFactsDoNotDependOnHowTheBytesArrive(t *testing.T) {
	for _, path := range inputs(t) {
		input := load(t, path)
		want := encoded(t, input)
		var compact bytes.Buffer
		if err := json.Compact(&compact, input); err != nil {
			t.Fatal(err)
		}
		for name, r := range map[string]io.Reader{
			"one byte at a time":     iotest.OneByteReader(bytes.NewReader(input)),
			"halves":                 iotest.HalfReader(bytes.NewReader(input)),
			"error with data":        iotest.DataErrReader(bytes.NewReader(input)),
			"compact":                &compact,
			"after a mark":           io.MultiReader(strings.NewReader("\xef\xbb\xbf"), bytes.NewReader(input)),
			"with white space":       io.MultiReader(strings.NewReader(strings.Repeat(" \n", 5000)), bytes.NewReader(input), strings.NewReader("\n\n")),
			"wide white space":       strings.NewReader(strings.ReplaceAll(string(input), "\n", strings.Repeat("\n", 300))),
			"escapes for everything": strings.NewReader(escaped(input)),
		} {
			facts, err := fhir.Read(r)
			if err != nil {
				t.Fatalf("%s, %s: %v", path, name, err)
			}
			if got, _ := facts.Encode(); !bytes.Equal(got, want) {
				t.Errorf("%s, %s: got\n%s\nwant\n%s", path, name, got, want)
			}
		}
	}
}

// escaped writes every letter within strings as \u00xx.
func escaped(input []byte) string {
	var b strings.Builder
	quoted, after := false, false
	for _, c := range input {
		switch {
		case after:
			after = false
		case c == '\\':
			after = true
		case c == '"':
			quoted = !quoted
		case quoted && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'):
			fmt.Fprintf(&b, `\u%04x`, c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

func TestLongWordsAreCutAtACharacterAndSaidSo(t *testing.T) {
	long := strings.Repeat("ä", 40_000)
	f := read(t, `{"resourceType":"Patient","id":"p","name":[{"text":"`+long+`"}]}`)
	if name := f.Patient.Name; !f.Truncated || len(name) == 0 || len(name) > 500 || strings.Trim(name, "ä") != "" {
		t.Errorf("truncated %v, %d bytes", f.Truncated, len(f.Patient.Name))
	}
	f = read(t, `{"resourceType":"DiagnosticReport","conclusion":"`+strings.Repeat(long, 30)+`"}`)
	if text := f.Reports[0].Conclusion; !f.Truncated || len(text) != 64<<10 || strings.Trim(text, "ä") != "" {
		t.Errorf("truncated %v, %d bytes", f.Truncated, len(text))
	}
	whole := read(t, `{"resourceType":"Binary","id":"b","data":"`+strings.Repeat("A", 3<<20)+`"}`)
	if whole.Truncated {
		t.Error("what nobody shows was cut, and that is said to be a loss")
	}
}

func TestInlineAttachmentsAreKeptUpToTheirLimit(t *testing.T) {
	message := func(data string) fhir.Attachment {
		f := read(t, `{"resourceType":"Communication","payload":[{"contentAttachment":{"contentType":"image/png","data":"`+data+`"}}]}`)
		return f.Communications[0].Attachments[0]
	}
	fits := bytes.Repeat([]byte{0xff, 0xfe, 0x00}, fhir.MaxInline/3)
	for name, data := range map[string]string{
		"standard":    base64.StdEncoding.EncodeToString(fits),
		"URL":         base64.URLEncoding.EncodeToString(fits),
		"unpadded":    base64.RawStdEncoding.EncodeToString(fits),
		"line breaks": strings.ReplaceAll(base64.StdEncoding.EncodeToString(fits), "AP/+", `AP/+\r\n`),
	} {
		if a := message(data); !bytes.Equal(a.Data, fits) || a.DataCut || !a.Inline || a.Size != int64(len(fits)) {
			t.Errorf("%s: %d bytes, cut %v, inline %v, size %d", name, len(a.Data), a.DataCut, a.Inline, a.Size)
		}
	}
	for name, size := range map[string]int{"a little more": fhir.MaxInline + 1, "more than a string may have": 2 << 20} {
		if a := message(base64.StdEncoding.EncodeToString(make([]byte, size))); a.Data != nil || !a.DataCut || !a.Inline {
			t.Errorf("%s: %d bytes, cut %v, inline %v", name, len(a.Data), a.DataCut, a.Inline)
		}
	}
}

func TestOfVeryManyTheNewestAreKept(t *testing.T) {
	var b strings.Builder
	b.WriteString(bundleHead)
	const n = 9000
	for i := range n { // in no order: 7919 is a prime
		at := i * 7919 % n
		b.WriteString(entryText(fmt.Sprintf(`{"resourceType":"Observation","id":"o%d","subject":{"reference":"Patient/p1"},"effectiveDateTime":"2026-01-%02dT%02d:%02d:%02dZ","valueInteger":%d}`,
			at, 1+at/3600, 0, at/60%60, at%60, at)))
	}
	b.WriteString(entryText(`{"resourceType":"DiagnosticReport","id":"r","result":[{"reference":"Observation/o8999"},{"reference":"Observation/o0"}]}`))
	b.WriteString("]}")
	f := read(t, b.String())
	if !f.Truncated || f.Counts["Observation"] != n || len(f.Observations) != 1999 || f.Observations[0].ID != "o8998" || f.Observations[1998].ID != "o7000" {
		t.Errorf("truncated %v, %d of %d, first %+v", f.Truncated, len(f.Observations), f.Counts["Observation"], f.Observations[0])
	}
	if r := f.Reports[0]; len(r.Results) != 1 || r.Results[0].ID != "o8999" || r.Missing != 1 {
		t.Errorf("report %+v", r)
	}
}

func TestOneResultInVeryManyReportsDoesNotMultiply(t *testing.T) {
	var b strings.Builder
	b.WriteString(bundleHead)
	b.WriteString(entryText(`{"resourceType":"Observation","id":"o","valueString":"` + strings.Repeat("x", 60<<10) + `"}`))
	results := strings.Repeat(`{"reference":"Observation/o"},`, 199) + `{"reference":"Observation/o"}`
	for i := range 400 {
		b.WriteString(entryText(fmt.Sprintf(`{"resourceType":"DiagnosticReport","id":"r%d","result":[%s]}`, i, results)))
	}
	b.WriteString("]}")
	f := read(t, b.String())
	out, err := f.Encode()
	if err != nil || len(out) > 32<<20 || !f.Truncated {
		t.Errorf("%d bytes, %v, truncated %v", len(out), err, f.Truncated)
	}
}

func TestReferencesThatTurnInCirclesEnd(t *testing.T) {
	f := read(t, `{"resourceType":"Bundle","type":"collection","entry":[
	 {"resource":{"resourceType":"Location","id":"a","name":"A","partOf":{"reference":"Location/b"}}},
	 {"resource":{"resourceType":"Location","id":"b","name":"B","partOf":{"reference":"Location/a"}}},
	 {"resource":{"resourceType":"PractitionerRole","id":"r","practitioner":{"reference":"PractitionerRole/r"},"organization":{"reference":"PractitionerRole/r"}}},
	 {"resource":{"resourceType":"Observation","id":"o","valueInteger":1}},
	 {"resource":{"resourceType":"DiagnosticReport","id":"d","result":[{"reference":"DiagnosticReport/d"},{"reference":"Observation/o"}]}},
	 {"resource":{"resourceType":"Encounter","id":"e","location":[{"location":{"reference":"Location/a"}}],
	  "participant":[{"type":[{"coding":[{"code":"ATND"}]}],"individual":{"reference":"PractitionerRole/r"}}]}}]}`)
	if e := f.Encounters[0]; e.Facility != "B" || e.Unit != "A" || e.Attending != "" {
		t.Errorf("%+v", e)
	}
	if r := f.Reports[0]; len(r.Results) != 1 || r.Missing != 1 {
		t.Errorf("%+v", r)
	}
}

func TestOnlyAnExactNameIsThatName(t *testing.T) {
	f := read(t, `{"resourceType":"Patient","ID":"no","Id":"no","NAME":[{"text":"no"}],"birthdate":"2000-01-01","gender":"male","gender":"female"}`)
	if p := f.Patient; p.ID != "" || p.Name != "" || p.BirthDate != "" || p.Sex != "male" {
		t.Errorf("%+v: want only the sex, of two the first", p)
	}
}

func TestTheSummarysEncounterIsTheCompositions(t *testing.T) {
	f := read(t, string(load(t, "testdata/discharge-summary.json")))
	if f.Summary.EncounterID != "right" {
		t.Errorf("%q", f.Summary.EncounterID)
	}
	for _, kind := range []string{
		fhir.SectionDiagnosis, fhir.SectionCourse, fhir.SectionProcedures, fhir.SectionMedications,
		fhir.SectionInstructions, fhir.SectionPlan,
	} {
		if s, ok := f.Summary.Section(kind); !ok || s.Kind != kind {
			t.Errorf("no %s", kind)
		}
	}
	var none *fhir.Summary
	if _, ok := none.Section(fhir.SectionPlan); ok {
		t.Error("no summary has a plan")
	}
}

func TestTimesKeepTheirPrecision(t *testing.T) {
	for in, want := range map[string]string{
		"2026-03-02T14:05:06.789-05:00": "2026-03-02T19:05:06.789Z",
		"2026-03-02T14:05:06":           "2026-03-02T14:05:06Z",
		"2026-03-02T14:05Z":             "2026-03-02T14:05:00Z",
		"2026-03-02 14:05:06":           "2026-03-02T14:05:06Z",
		"2026-03-02T14:05:06-0500":      "2026-03-02T19:05:06Z",
		" 2026-03-02 ":                  "2026-03-02",
		"2026-03":                       "2026-03",
		"2026":                          "2026",
		"":                              "",
		"20260302":                      "2026-03-02",
		"20260302140506":                "2026-03-02T14:05:06Z",
		"20260302140506.789-0500":       "2026-03-02T19:05:06.789Z",
		"202603021405":                  "2026-03-02T14:05:00Z",
		"202603021405-0500":             "2026-03-02T19:05:00Z",
		"202603":                        "", // or the 3rd of a month of 2020 or 1920
		"20260230":                      "",
		"2026030214":                    "",
		"2026-02-30":                    "",
		"0001-01-01":                    "",
		"9999-12-31T23:59:59-12:00":     "",
		"yesterday":                     "",
		strings.Repeat("2", 1000):       "",
	} {
		got := fhir.ParseTime(in)
		if got.String() != want || got.IsZero() != (want == "") {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
		b, err := json.Marshal(got)
		var back fhir.Time
		if err != nil || json.Unmarshal(b, &back) != nil || back != got {
			t.Errorf("%q: %s, back %v", in, b, back)
		}
	}
}
