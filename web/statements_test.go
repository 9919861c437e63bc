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
				`{"meta":{"messageId":"d-%d","type":"message.received"},"payload":{"id":"in-%[1]d","patientId":"p","subject":"Re: p-1 again"}}`,
				`{"meta":{"messageId":"e-%d","type":"message.received"},"payload":{"subject":"about nobody"}}`,
				`{"meta":{"messageId":"f-%d","type":"message.status"},"payload":{"id":"out","patientId":"p","status":"failed","reason":"p-1 %[1]d"}}`,
				`{"meta":{"messageId":"g-%d","type":"medical.bulk-patient-create"},"bulkPatientCreate":{"requestId":"job-%[1]d","status":"failed"}}`,
				`{"meta":{"messageId":"h-%d","type":"medical.bulk-patient-create"},"bulkPatientCreate":{"requestId":"job","status":"failed"}}`,
				`{"meta":{"messageId":"i-%d","requestId":"r-%[1]d","type":"network-query.lab"},"payload":{"patientId":"p","source":{"status":"completed"}}}`,
				`{"meta":{"messageId":"j-%d","requestId":"r-%[1]d","type":"medical.consolidated-data"},"patients":[{"patientId":"p-%[1]d","status":"completed"}]}`,
				`{"meta":{"messageId":"k-%d","requestId":"r","type":"medical.document-bulk-download-paged"},"patients":[{"patientId":"p","status":"completed","documents":[{"id":"%[1]d"}]}]}`,
				`{"meta":{"messageId":"l-%d","type":"ias.identity.verified"},"payload":{"patientId":"p","proofedIdentityId":"pid"}}`,
			} {
				s.Post(t, fmt.Appendf(nil, body, n))
			}
		}
		s.Settled(t)
	}
	count := func(path string) int64 {
		b.Get(t, path) // the first may note activity
		fewest := int64(1 << 30)
		for range 3 { // what works beside the pages asks too
			before := s.DB.Statements()
			if resp, _ := b.Get(t, path); resp.StatusCode != http.StatusOK {
				t.Errorf("%s: %s", path, resp.Status)
			}
			fewest = min(fewest, s.DB.Statements()-before)
		}
		return fewest
	}
	paths := []string{"/", "/?kind=lab&q=p-1", "/?exchange=BAMBOO&kind=lab&q=p-1", "/?exchange=not-sent", "/patients", "/patients?q=p-1", "/patients/p", "/patients/p/health/results", "/setup",
		"/messages", "/messages?q=p-1&state=all", "/messages?only=unmatched", "/messages?box=outbound", "/messages/4", "/messages/5", "/messages/5?q=p-1", "/messages/sent/6",
		"/imports", "/imports?state=stuck&q=o", "/imports/job",
		"/admin/system", "/admin/system/completeness",
		"/admin/inbox", "/admin/inbox?q=p-1", "/admin/inbox?patient=p", "/admin/inbox/1", "/admin/inbox/refused",
		"/identity", "/identity?q=p-1", "/identity/12", "/search", "/search?q=p-1",
		"/records", "/records?view=consolidated", "/records?view=documents&q=p", "/records/documents/11264"}
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
