package web_test

import (
	"fmt"
	"net/http"
	"testing"

	"carebell/db"
	"carebell/web/webtest"
)

// mostStatements is how many SQL statements a page may need, the login and the trace it leaves included.
const mostStatements = 12

// TestPagesAskFewStatements, and no more with many rows than with few.
func TestPagesAskFewStatements(t *testing.T) {
	s := webtest.Start(t)
	b := s.SignedIn(t, "admin@clinic.example", db.Admin)
	n := 0
	post := func(rows int) {
		for range rows {
			n++
			for _, body := range []string{
				`{"meta":{"messageId":"a-%d","type":"patient.admit"},"payload":{"patientId":"p","externalId":"X","additionalIds":{"emr":["1","2"]},"admitTimestamp":"2026-01-02T03:04:05Z"}}`,
				`{"meta":{"messageId":"b-%d","type":"patient.laboratory"},"payload":{"patientId":"p"}}`,
				`{"meta":{"messageId":"c-%d","type":"patient.pharmacy"},"payload":{"patientId":"p-%[1]d"}}`,
				`{"meta":{"messageId":"d-%d","requestId":"r-%[1]d","type":"network-query.lab"},"payload":{"patientId":"p","source":{"status":"completed"}}}`,
				`{"meta":{"messageId":"e-%d","requestId":"r-%[1]d","type":"medical.consolidated-data"},"patients":[{"patientId":"p-%[1]d","status":"completed"}]}`,
				`{"meta":{"messageId":"f-%d","requestId":"r","type":"medical.document-bulk-download-paged"},"patients":[{"patientId":"p","status":"completed","documents":[{"id":"%[1]d"}]}]}`,
			} {
				s.Post(t, fmt.Appendf(nil, body, n))
			}
		}
		s.Settled(t)
	}
	count := func(path string) int64 {
		b.Get(t, path) // the first may note activity
		before := s.DB.Statements()
		if resp, _ := b.Get(t, path); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, resp.Status)
		}
		return s.DB.Statements() - before
	}
	paths := []string{"/", "/?kind=lab&q=p-1", "/patients", "/patients?q=p-1", "/patients/p", "/setup", "/records", "/records?view=consolidated", "/records?view=documents&q=p", "/records/documents/6144"}
	few := map[string]int64{}
	post(3)
	for _, path := range paths {
		few[path] = count(path)
	}
	post(70)
	for _, path := range paths {
		many := count(path)
		t.Logf("%-16s %d statements", path, many)
		if many > mostStatements || many > few[path]+1 { // one for the pages that follow
			t.Errorf("%s: %d statements with few rows, %d with many; at most %d", path, few[path], many, mostStatements)
		}
	}
}
