package metriport_test

import (
	"slices"
	"strings"
	"testing"

	"carebell/web/metriport"
)

func TestPatientIDs(t *testing.T) {
	for body, want := range map[string][]string{
		`{"payload":{"patientId":" p "}}`: {"p"},
		`{"patientId":"top","payload":{"patientId":"in"},"patients":[{"patientId":"b"},{"patientId":"a"},{"patientId":"a"},{},7,null,"x"]}`: {"a", "b", "in", "top"},
		`{"payload":{"patientId":17}}`:                                 {"17"},
		`{"payload":{"patientId":null}}`:                               nil,
		`{"payload":{"patientId":{"x":1}}}`:                            nil,
		`{"payload":{"PatientID":"other case"}}`:                       nil,
		`{"payload":[{"patientId":"p"}]}`:                              nil,
		`{"payload":{"patientId":"x","patientId":"y"}}`:                {"y"},
		`{"payload":{"deep":{"patientId":"p"}}}`:                       nil,
		`{"payload":{"patientId":"` + strings.Repeat("x", 600) + `"}}`: nil,
		"\xef\xbb\xbf" + `{"patientId":"p"}`:                           {"p"},
		`{"patientId":"p"`:                                             nil,
		``:                                                             nil,
		`[]`:                                                           nil,
	} {
		if got := metriport.PatientIDs([]byte(body)); !slices.Equal(got, want) {
			t.Errorf("%.80s: %q, want %q", body, got, want)
		}
	}
	if got := metriport.PatientIDs([]byte(`{"patients":[` + strings.Repeat(`{"patientId":"a"},`, 5000) + `{"patientId":"b"}]}`)); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("a crowd: %d", len(got))
	}
}
