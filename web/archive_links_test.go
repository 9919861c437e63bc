package web_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"carebell/db"
	"carebell/web/metriport"
	"carebell/web/webtest"
)

// presigned finds the links that are to be fetched in a message, by their JSON pointers. Of data that is offered as
// JSON and as gzip, that is the gzip.
func presigned(v any, at, base string) map[string]string {
	out := map[string]string{}
	add := func(more map[string]string) {
		for k, l := range more {
			out[k] = l
		}
	}
	switch v := v.(type) {
	case map[string]any:
		if content, ok := v["content"].([]any); ok && v["resourceType"] == "DocumentReference" {
			best := 0
			for i := range content {
				if c, _ := json.Marshal(content[i]); strings.Contains(string(c), `"application/gzip"`) {
					best = i
				}
			}
			return presigned(content[best], at+"/content/"+strconv.Itoa(best), base)
		}
		for name, e := range v {
			if name != "downloadUrl" {
				add(presigned(e, at+"/"+name, base))
			}
		}
	case []any:
		for i, e := range v {
			add(presigned(e, at+"/"+strconv.Itoa(i), base))
		}
	case string:
		if strings.HasPrefix(v, base) {
			out[at] = v
		}
	}
	return out
}

// TestEveryLinkOfEveryEventIsStoredAsItWasSent posts samples of every type: each link is fetched before it expires, is
// kept byte for byte and encrypted, and is served so. Types without links queue nothing.
func TestEveryLinkOfEveryEventIsStoredAsItWasSent(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "reader@clinic.example", db.Viewer)
	want := map[string]map[string][]byte{} // message → place → content
	var zipped, links int
	for _, kind := range metriport.Types {
		of := 0
		for n := 0; n < 4 || kind == metriport.ConsolidatedData && zipped == 0 && n < 60; n++ { // data is offered as gzip, as a PDF, as a page, or not at all
			m, err := o.sim.Sample(kind)
			if err != nil {
				t.Fatal(err)
			}
			var body any
			if err := json.Unmarshal(m.Body, &body); err != nil {
				t.Fatal(err)
			}
			want[m.ID] = map[string][]byte{}
			for place, link := range presigned(body, "", o.origin.URL) {
				resp, err := http.Get(link)
				if err != nil {
					t.Fatal(err)
				}
				content, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || resp.StatusCode != http.StatusOK {
					t.Fatalf("%s: the store answers %d %v", kind, resp.StatusCode, err)
				}
				if resp.Header.Get("Content-Type") == "application/gzip" {
					zipped++
					content = unzipped(t, content)
				}
				want[m.ID][place] = content
				of, links = of+1, links+1
			}
			o.Post(t, m.Body)
		}
		switch kind {
		case metriport.DocumentDownload, metriport.DocumentConversion, metriport.MessageStatus, metriport.IdentityVerified, metriport.Ping:
			if of != 0 {
				t.Errorf("%s has %d links", kind, of)
			}
		default:
			if of == 0 {
				t.Errorf("%s has no link: the test does not test it", kind)
			}
		}
	}
	if zipped == 0 {
		t.Error("nothing was offered as gzip: the test does not test it")
	}
	o.Settled(t)
	const inside = "#attachment/" // what a stored message carries or names becomes a file too; see attachments_test.go
	if n := len(o.numbers(t, `SELECT id FROM download WHERE place NOT LIKE ?`, "%"+inside+"%")); n != links {
		t.Errorf("%d downloads of %d links", n, links)
	}
	pollUntil(t, "every link to be stored", func() (string, bool) {
		left := o.numbers(t, `SELECT id FROM download WHERE state <> 'stored'`)
		return fmt.Sprintf("%d are not", len(left)), len(left) == 0
	})
	v := o.vault(t)
	for _, m := range o.Messages(t) {
		for _, id := range o.numbers(t, `SELECT id FROM download WHERE inbox_seq = ?`, m.Seq) {
			d := o.download(t, id)
			if strings.Contains(d.Place, inside) {
				continue
			}
			content, ok := want[m.MessageID][d.Place]
			if !ok {
				t.Errorf("%s: nothing to fetch at %s", m.Type, d.Place)
				continue
			}
			delete(want[m.MessageID], d.Place)
			name := m.Type + d.Place
			if sum := sha256.Sum256(content); d.Size != int64(len(content)) || !bytes.Equal(d.SHA256, sum[:]) {
				t.Errorf("%s: %d bytes with hash %x, want %d with %x", name, d.Size, d.SHA256, len(content), sum)
			}
			if d.EndedAt.IsZero() || d.EndedAt.After(d.ExpiresAt) {
				t.Errorf("%s was fetched at %s, its link expired at %s", name, d.EndedAt, d.ExpiresAt)
			}
			if d.SniffedType != looksLike(content) {
				t.Errorf("%s looks like %s, want %s", name, d.SniffedType, looksLike(content))
			}
			if d.URL != "" {
				t.Errorf("%s: the link of a stored download is still there", name)
			}
			r, err := v.Open(d.File)
			if err != nil {
				t.Fatal(err)
			}
			kept, err := io.ReadAll(r)
			_ = r.Close()
			if err != nil || !bytes.Equal(kept, content) {
				t.Errorf("%s: what is kept differs: %v", name, err)
			}
			resp, served := b.Get(t, "/files/"+strconv.FormatInt(id, 10))
			if resp.StatusCode != http.StatusOK || served != string(content) || resp.ContentLength != d.Size {
				t.Errorf("%s is served as %d with %d of %d bytes", name, resp.StatusCode, len(served), len(content))
			}
		}
	}
	for id, places := range want {
		for place := range places {
			t.Errorf("message %s: the link at %s was not fetched", id, place)
		}
	}
}

func unzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// looksLike tells what the simulated sender's files are by their beginnings.
func looksLike(b []byte) string {
	for prefix, kind := range map[string]string{"{": "application/json", "%PDF-": "application/pdf", "\x89PNG": "image/png", "<?xml": "application/xml", "<!DOCTYPE html": "text/html"} {
		if bytes.HasPrefix(b, []byte(prefix)) {
			return kind
		}
	}
	return "text/plain"
}

// Bundles of one resource each, beside a patient.
const (
	zoePatient = `{"resource":{"resourceType":"Patient","id":"p","name":[{"given":["Zoë"],"family":"Quagmire"}],"birthDate":"1931-07-13"}}`
	zoeStay    = `{"resource":{"resourceType":"Encounter","id":"enc-1","status":"in-progress","class":{"code":"EMER"},"identifier":[{"type":{"coding":[{"code":"VN"}]},"value":"VISIT-1"}],"reasonCode":[{"text":"Shortness of breath"}],"serviceProvider":{"display":"Birchwood General"}}}`
	zoeFill    = `{"resource":{"resourceType":"MedicationDispense","id":"d","status":"completed","medicationCodeableConcept":{"text":"Furosemide 40 mg"},"quantity":{"value":30,"unit":"tablets"},"daysSupply":{"value":30}}}`
	zoeLab     = `{"resource":{"resourceType":"DiagnosticReport","id":"r","status":"final","code":{"text":"Basic metabolic panel"},"result":[{"reference":"Observation/o"}]}},
		{"resource":{"resourceType":"Observation","id":"o","status":"final","code":{"text":"Potassium"},"valueQuantity":{"value":6.9,"unit":"mmol/L"},"interpretation":[{"coding":[{"code":"HH"}]}]}}`
)

func bundleOf(resources ...string) http.HandlerFunc {
	return says(`{"resourceType":"Bundle","type":"collection","entry":[` + strings.Join(resources, ",") + `]}`)
}

// TestRowGetsItsFactsWhenTheBundleIsStored: the row stands there at once, and says who and what on open screens when
// the bundle is there.
func TestRowGetsItsFactsWhenTheBundleIsStored(t *testing.T) {
	for kind, test := range map[string]struct {
		bundle http.HandlerFunc
		before string
		after  []string
	}{
		"patient.admit":             {bundleOf(zoeStay, zoePatient), "Reason not yet known", []string{"Shortness of breath", "Birchwood General", "emergency"}},
		"patient.pharmacy":          {bundleOf(zoePatient, zoeFill), "Drug not yet known", []string{"Furosemide 40 mg", "30 tablets", "30 days"}},
		"patient.laboratory":        {bundleOf(zoePatient, zoeLab), "Test not yet known", []string{"Potassium 6.9 mmol/L", "critical high", "Basic metabolic panel"}},
		"patient.transfer":          {bundleOf(zoePatient, zoeStay), "ER → Ward 4", []string{"Birchwood General"}},
		"patient.discharge-summary": {bundleOf(zoePatient, zoeStay), "record", nil},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			o := startOutside(t)
			b := o.SignedIn(t, "nurse@clinic.example", db.Coordinator)
			come := make(chan struct{})
			link := o.lead("/bundle", 10*time.Minute, held(come, test.bundle))
			feed := o.openSocket(t, b, "view=feed&since=0")
			more := ""
			if kind == "patient.transfer" {
				more = `,"transfers":[{"timestamp":"2026-01-10T11:00:00Z","sourceLocation":{"name":"ER"},"destinationLocation":{"name":"Ward 4"}}]`
			}
			id := o.take(t, o.event(kind, "PATIENT-1", link, more))[0]
			hears(t, feed, "PATIENT-1")
			page := o.shows(t, b, "/", "PATIENT-1", test.before, "record fetching")
			if strings.Contains(page, "Quagmire") {
				t.Error("the name is there before the bundle")
			}
			onPage := o.openSocket(t, b, "view=patient&id=PATIENT-1&since=0")
			close(come)
			o.ends(t, id, db.FetchStored)
			words := append([]string{"Zoë Quagmire", "1931"}, test.after...)
			page = o.shows(t, b, "/", words...)
			if strings.Contains(page, "record fetching") {
				t.Error("the record is stored, and the row says that it is being fetched")
			}
			if kind == "patient.admit" {
				o.shows(t, b, "/?q=birchwood", "Zoë Quagmire") // found by the facility that only the bundle names
			}
			hears(t, feed, words...)
			hears(t, onPage, "Zoë Quagmire")
			o.shows(t, b, "/patients", "Zoë Quagmire")
			o.shows(t, b, "/patients?q="+url.QueryEscape("zoë quag"), "Zoë Quagmire")
		})
	}
}

// TestTransferWithoutMovesSaysHowItsRecordStands, like every other row.
func TestTransferWithoutMovesSaysHowItsRecordStands(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "nurse@clinic.example", db.Viewer)
	o.ends(t, o.take(t, o.event("patient.transfer", "PATIENT-1", o.lead("/late", -time.Minute, expired), ""))[0], db.FetchExpired)
	if _, page := b.Get(t, "/"); !strings.Contains(page, "Where to was not sent") || !strings.Contains(page, "ask Metriport to send it again") {
		t.Error("a row whose record expired does not say so")
	}
}

// TestOneVisitShowsBothIDs: the same stay under two ids, from two exchanges with two admit times, is one stay.
func TestOneVisitShowsBothIDs(t *testing.T) {
	o := startOutside(t)
	b := o.SignedIn(t, "nurse@clinic.example", db.Viewer)
	second := strings.ReplaceAll(zoeStay, "enc-1", "enc-2")
	var ids []int64
	ids = append(ids, o.take(t, o.event("patient.admit", "PATIENT-1", o.lead("/1", 10*time.Minute, bundleOf(zoePatient, zoeStay)), `,"admitTimestamp":"2026-01-10T08:00:00Z"`))...)
	ids = append(ids, o.take(t, o.event("patient.admit", "PATIENT-1", o.lead("/2", 10*time.Minute, bundleOf(zoePatient, second)), `,"admitTimestamp":"2026-01-10T11:00:00Z"`))...)
	for _, id := range ids {
		o.ends(t, id, db.FetchStored)
	}
	_, page := b.Get(t, "/patients/PATIENT-1")
	if n := strings.Count(page, `id="stay-`); n != 1 {
		t.Errorf("%d stays, want 1", n)
	}
	for _, word := range []string{"VISIT-1", "enc-1", "enc-2"} {
		if !strings.Contains(page, word) {
			t.Errorf("the page does not show %s", word)
		}
	}
}

// TestCorrectionWins over records that come later, and gives their word back.
func TestCorrectionWins(t *testing.T) {
	o := startOutside(t)
	b, viewer := o.SignedIn(t, "carla@clinic.example", db.Coordinator), o.SignedIn(t, "viewer@clinic.example", db.Viewer)
	tell := func(name string) {
		t.Helper()
		patient := strings.ReplaceAll(zoePatient, "Quagmire", name)
		o.ends(t, o.take(t, o.event("patient.admit", "PATIENT-1", o.lead(fmt.Sprint("/record-", len(name)), 10*time.Minute, bundleOf(patient, zoeStay)), ""))[0], db.FetchStored)
	}
	correct := func(b *webtest.Browser, name, born string) int {
		t.Helper()
		resp, _ := b.Form(t, "/patients/PATIENT-1/correct", url.Values{"name": {name}, "birth_date": {born}})
		return resp.StatusCode
	}
	tell("Quagmire")
	if status := correct(viewer, "Nobody", "1931-07-13"); status != http.StatusForbidden {
		t.Errorf("a viewer's correction is answered %d", status)
	}
	if status := correct(b, "Zoë Rightname", "1931-07-13"); status != http.StatusSeeOther {
		t.Errorf("a correction is answered %d", status)
	}
	for _, bad := range []string{"2931-07-13", "13.7.1931", "1731-07-13", "0000-00-00"} {
		if status := correct(b, "Zoë Rightname", bad); status != http.StatusUnprocessableEntity {
			t.Errorf("the birth date %s is answered %d", bad, status)
		}
	}
	tell("Laterword")
	page := o.shows(t, b, "/patients/PATIENT-1", "Zoë Rightname", "carla")
	if strings.Contains(page, "Laterword") || strings.Contains(page, "Quagmire") {
		t.Error("a record's word stands where a person corrected it")
	}
	o.shows(t, b, "/", "Zoë Rightname")
	o.Stop(t)
	o.start(t)
	b = o.SignedIn(t, "again@clinic.example", db.Coordinator)
	o.shows(t, b, "/patients/PATIENT-1", "Zoë Rightname")
	correct(b, "", "1931-07-13")
	o.shows(t, b, "/patients/PATIENT-1", "Zoë Laterword")
	if n := o.numbers(t, `SELECT count(*) FROM audit WHERE action = 'correct' AND patient_id = 'PATIENT-1'`)[0]; n != 2 {
		t.Errorf("%d corrections left a trace, want 2", n)
	}
}
