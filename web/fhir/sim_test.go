package fhir_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"carebell/web/fhir"
	"carebell/web/metriport"
	"carebell/web/sim"
)

// sender is a simulated sender whose store is reached over HTTP.
type sender struct {
	*sim.Sim
	server *httptest.Server
}

func newSender(t *testing.T, seed uint64) *sender {
	s := &sender{}
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.Store().ServeHTTP(w, r) }))
	t.Cleanup(s.server.Close)
	now := time.Date(2026, 11, 23, 15, 4, 5, 0, time.UTC)
	s.Sim = sim.New(sim.Options{Now: func() time.Time { return now }, Seed: seed, BaseURL: s.server.URL})
	return s
}

// file is one object behind a URL of a message.
type file struct {
	kind metriport.Type
	mime string
	body []byte
}

func (s *sender) get(t *testing.T, url string) file {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET: %s, %v", resp.Status, err)
	}
	f := file{mime: resp.Header.Get("Content-Type"), body: body}
	if f.mime == "application/gzip" {
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if f.body, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
		f.mime = "application/json"
	}
	return f
}

// links are the presigned URLs anywhere in a payload.
func links(v any) (out []string) {
	switch v := v.(type) {
	case map[string]any:
		for name, e := range v {
			if name != "downloadUrl" {
				out = append(out, links(e)...)
			}
		}
	case []any:
		for _, e := range v {
			out = append(out, links(e)...)
		}
	case string:
		if strings.HasPrefix(v, "http://127.0.0.1") {
			out = append(out, v)
		}
	}
	return out
}

// files are the objects of one sample of a type.
func (s *sender) files(t *testing.T, kind metriport.Type) []file {
	t.Helper()
	m, err := s.Sample(kind)
	if err != nil {
		t.Fatal(err)
	}
	var body any
	if err := json.Unmarshal(m.Body, &body); err != nil {
		t.Fatal(err)
	}
	var out []file
	for _, url := range links(body) {
		f := s.get(t, url)
		f.kind = kind
		out = append(out, f)
	}
	return out
}

func TestEveryFileOfTheSimulatedSenderIsRead(t *testing.T) {
	seen := map[metriport.Type]int{}
	documents := map[string]int{}
	for seed := range uint64(12) {
		s := newSender(t, seed)
		for _, kind := range metriport.Types {
			for _, f := range s.files(t, kind) {
				switch {
				case strings.Contains(f.mime, "json"):
					facts, err := fhir.Read(bytes.NewReader(f.body))
					if err != nil || facts.Truncated {
						t.Fatalf("%s, seed %d: %v, truncated %v", kind, seed, err, facts.Truncated)
					}
					expect(t, kind, facts, f.body)
					seen[kind]++
				case f.mime == "application/xml":
					doc, err := fhir.CDAText(bytes.NewReader(f.body))
					if err != nil || doc.Title == "" || len(doc.Sections) != 3 || doc.Truncated {
						t.Fatalf("%s, seed %d: C-CDA %+v, %v", kind, seed, doc, err)
					}
					for _, section := range doc.Sections {
						if section.Title == "" || section.Text == "" || section.Code == "" {
							t.Errorf("%s, seed %d: section %+v", kind, seed, section)
						}
					}
					documents["xml"]++
				}
			}
		}
	}
	for _, kind := range []metriport.Type{
		metriport.NetworkQueryHIE, metriport.NetworkQueryPharmacy, metriport.NetworkQueryLab, metriport.FirstDataReady,
		metriport.ConsolidatedData, metriport.DocumentsPaged, metriport.MessageReceived, metriport.PatientAdmit,
		metriport.PatientTransfer, metriport.PatientDischarge, metriport.PatientPharmacy, metriport.PatientLaboratory,
		metriport.DischargeSummary, metriport.DischargeSummaryBatch,
	} {
		if seen[kind] == 0 {
			t.Errorf("no bundle of %s was read", kind)
		}
	}
	if documents["xml"] == 0 {
		t.Error("no C-CDA document was read")
	}
}

// expect says what a file of a type must have, whatever was drawn.
func expect(t *testing.T, kind metriport.Type, f fhir.Facts, body []byte) {
	t.Helper()
	fail := func(what string) {
		t.Helper()
		t.Errorf("%s: %s in\n%s", kind, what, body)
	}
	if kind != metriport.MessageReceived && f.Patient.ID == "" {
		fail("no patient")
	}
	switch kind {
	case metriport.PatientAdmit, metriport.PatientTransfer, metriport.PatientDischarge:
		if len(f.Encounters) != 1 { // of several notices of one stay it is one
			fail("not one encounter")
			return
		}
		e := f.Encounters[0]
		documented := e.VisitNumber != ""
		switch {
		case e.ID == "", e.Attending == "", e.Facility == "", len(e.Reasons) != 1, e.Class.Word == "unknown", e.Exchange == "":
			fail("an incomplete encounter")
		case documented && (e.Unit == "" || e.Unit == e.Facility || e.Start.IsZero()), !documented && (e.Unit != "" || e.Disposition != ""):
			fail("an encounter of the wrong shape")
		case !documented && kind == metriport.PatientTransfer:
			fail("a transfer that the converters cannot tell")
		case f.Patient.Name != "" && len(e.Diagnoses) == 0:
			fail("no diagnosis")
		case documented && kind == metriport.PatientDischarge && (e.Status != "finished" || e.End.IsZero()):
			fail("no discharge")
		}
	case metriport.PatientPharmacy:
		if len(f.Dispenses) == 0 {
			fail("no dispense")
			return
		}
		for _, d := range f.Dispenses {
			if d.Drug.Text == "" || d.Quantity.Value == "" || d.Quantity.Unit == "" || d.DaysSupply.Value == "" || d.Filled().IsZero() || d.Exchange != "SURESCRIPTS" ||
				d.FillNumber == "" && d.Prepared.IsZero() || d.Written.IsZero() || d.Pharmacy.Name == "" || d.Prescriber.Name == "" || d.Prescriber.NPI == "" {
				fail(fmt.Sprintf("an incomplete dispense %+v", d))
			}
		}
	case metriport.PatientLaboratory:
		if len(f.Reports) == 0 || len(f.Observations) != 0 {
			fail("no report, or results of none")
			return
		}
		for _, r := range f.Reports {
			documented := r.Performer != ""
			switch {
			case r.Name == "" || r.Effective.IsZero() || r.Missing != 0 || r.Exchange != "QUEST":
				fail("an incomplete report")
			case !documented && (r.OrderedBy.NPI == "" || r.Site.Name == "" || !strings.ContainsAny(r.Name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")):
				fail(fmt.Sprintf("a report whose order is not known: %+v", r))
			case len(r.Results) == 0 && (r.Text == "" || !r.NotPerformed):
				fail("a report without a result and without words")
			}
			for _, o := range r.Results {
				if o.Value == "" {
					fail("an incomplete result")
				}
			}
		}
	case metriport.MessageReceived:
		if len(f.Communications) != 1 {
			fail("not one communication")
			return
		}
		c := f.Communications[0]
		if c.Topic == "" || c.Sender == "" || len(c.Recipients) != 1 || len(c.Texts) != 1 || c.Sent.IsZero() {
			fail("an incomplete communication")
		}
		for _, a := range c.Attachments {
			if a.Title == "" || a.ContentType == "" || a.Inline != (a.URL == "") || a.Inline == (len(a.Data) == 0) {
				fail("an incomplete attachment")
			}
		}
	case metriport.DischargeSummary, metriport.DischargeSummaryBatch:
		s := f.Summary
		for _, section := range []string{fhir.SectionPlan, fhir.SectionProcedures, fhir.SectionInstructions} {
			if _, ok := s.Section(section); !ok {
				fail("no section " + section)
			}
		}
		if s == nil || len(f.Encounters) != 2 || f.Encounters[0].ID != s.EncounterID || len(f.Reports) != 0 || len(s.Authors) != 1 {
			fail("an incomplete summary")
		}
	default:
		if len(f.Conditions) == 0 {
			fail("a record without problems")
		}
	}
}
