package chart_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"carebell/web/chart"
)

// largeRecord is a record of n resources in the shapes of the sender's converters, made while it is read: 100 MB for
// 200,000. Half of its results have no date but that of their report, and what is referred to stands behind.
func largeRecord(n int) io.ReadCloser {
	const subject = `"subject":{"reference":"Patient/p-1"}`
	source := func(code string) string {
		return `"extension":[{"url":"https://public.metriport.com/fhir/StructureDefinition/data-source.json","valueCoding":{"system":"x","code":"` + code + `"}},{"url":"doc","valueString":"0"}]`
	}
	day := func(i int) string {
		return fmt.Sprintf("20%02d-%02d-%02dT00:00:00.000Z", 6+i%20, 1+i/20%12, 1+i/240%28)
	}
	uuid := func(kind, i int) string { return fmt.Sprintf("0190%04x-0000-7000-8000-%012x", kind, i) }
	one := func(i int) string {
		k := i / 10
		switch i % 10 {
		case 0, 1, 2:
			return fmt.Sprintf(`{"resourceType":"Observation","id":"%s",%s,"status":"final","category":[{"coding":[{"code":"laboratory"}]}],"code":{"text":"Made up test %d","coding":[{"system":"http://loinc.org","code":"%d-1"}]},%s,"valueQuantity":{"value":%d.%d,"unit":"mmol/L"},"referenceRange":[{"low":{"value":3.5},"high":{"value":5.1},"text":"3.5 - 5.1"}]}`,
				uuid(1, i), source("QUEST"), i%1500, i%1500, subject, 2+i%5, i%10)
		case 3, 4:
			return fmt.Sprintf(`{"resourceType":"Observation","id":"%s",%s,"status":"final","category":[{"coding":[{"code":"vital-signs"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"85354-9"}]},%s,"effectiveDateTime":"%s","component":[{"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"valueQuantity":{"value":%d,"unit":"mmHg"}},{"code":{"coding":[{"system":"http://loinc.org","code":"8462-4"}]},"valueQuantity":{"value":%d,"unit":"mmHg"}}]}`,
				uuid(1, i), source("COMMONWELL"), subject, day(k), 100+i%60, 60+i%30)
		case 5:
			return fmt.Sprintf(`{"resourceType":"DiagnosticReport","id":"%s",%s,"status":"final","category":[{"coding":[{"code":"LAB"}]}],%s,"effectiveDateTime":"%s","issued":"%s","basedOn":[{"reference":"ServiceRequest/%s"}],"result":[{"reference":"Observation/%s"},{"reference":"Observation/%s"},{"reference":"Observation/%s"}],"presentedForm":[{"contentType":"text/plain","data":"%s"}]}`,
				uuid(2, i), source("QUEST"), subject, day(k), day(k), uuid(3, k%500), uuid(1, i-5), uuid(1, i-4), uuid(1, i-3), strings.Repeat("TWFkZSB1cC4g", 4))
		case 6:
			return fmt.Sprintf(`{"resourceType":"MedicationDispense","id":"%s",%s,"status":"completed",%s,"medicationReference":{"reference":"Medication/%s"},"authorizingPrescription":[{"reference":"MedicationRequest/%s"}],"quantity":{"value":30,"unit":"Tablet"},"daysSupply":{"value":30,"unit":"day"},"whenHandedOver":"%s","performer":[{"actor":{"reference":"Organization/%s"}}]}`,
				uuid(4, i), source("SURESCRIPTS"), subject, uuid(5, k%3000), uuid(6, k%3000), day(k), uuid(7, k%40))
		case 7:
			return fmt.Sprintf(`{"resourceType":"Condition","id":"%s",%s,"clinicalStatus":{"coding":[{"code":"active"}]},"code":{"text":"Made up problem %d","coding":[{"system":"http://snomed.info/sct","code":"9%06d"},{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"Z%d.%d"}]},%s,"onsetPeriod":{"start":"%s"}}`,
				uuid(8, i), source("CAREQUALITY"), k%2500, k%2500, 10+k%80, k%9, subject, day(k))
		case 8:
			return fmt.Sprintf(`{"resourceType":"Encounter","id":"%s",%s,"status":"finished","class":{"code":"AMB"},%s,"period":{"start":"%s","end":"%s"},"location":[{"location":{"reference":"Location/%s"}}],"reasonCode":[{"text":"Made up reason %d"}]}`,
				uuid(9, i), source("CAREQUALITY"), subject, day(k), day(k), uuid(10, k%60), k)
		default:
			switch k % 8 {
			case 0:
				return fmt.Sprintf(`{"resourceType":"Medication","id":"%s","code":{"text":"Made up drug %d mg tablet","coding":[{"system":"http://hl7.org/fhir/sid/ndc","code":"%011d"}]}}`, uuid(5, k/8%3000), k/8%900, k/8)
			case 1:
				return fmt.Sprintf(`{"resourceType":"MedicationRequest","id":"%s","status":"completed","intent":"order",%s,"medicationReference":{"reference":"Medication/%s"},"authoredOn":"%s","requester":{"reference":"Practitioner/%s"}}`, uuid(6, k/8%3000), subject, uuid(5, k/8%3000), day(k), uuid(11, k%200))
			case 2:
				return fmt.Sprintf(`{"resourceType":"Practitioner","id":"%s","name":[{"family":"Sample","given":["Doctor %d"]}],"identifier":[{"system":"http://hl7.org/fhir/sid/us-npi","value":"%010d"}],"telecom":[{"system":"phone","value":"555-01%02d"}]}`, uuid(11, k/8%200), k/8%200, k, k%100)
			case 3:
				return fmt.Sprintf(`{"resourceType":"ServiceRequest","id":"%s","status":"completed","intent":"order",%s,"code":{"text":"Made up panel %d"},"requester":{"reference":"Practitioner/%s"}}`, uuid(3, k/8%500), subject, k/8%500, uuid(11, k%200))
			default:
				return fmt.Sprintf(`{"resourceType":"DocumentReference","id":"%s",%s,"status":"current",%s,"description":"%s","content":[{"attachment":{"contentType":"application/xml","url":"https://example.org/%d"}}]}`, uuid(12, i), source("COMMONWELL"), subject, "made up", i)
			}
		}
	}
	i, r := -1, &bytes.Buffer{}
	return io.NopCloser(readerFunc(func(p []byte) (int, error) {
		for r.Len() < len(p) && i <= n {
			switch {
			case i < 0:
				r.WriteString(`{"resourceType":"Bundle","type":"searchset","entry":[{"fullUrl":"urn:uuid:p-1","resource":{"resourceType":"Patient","id":"p-1","name":[{"text":"Made Up"}]}}`)
			case i == n:
				r.WriteString(`]}`)
			default:
				text := one(i)
				fmt.Fprintf(r, `,{"fullUrl":"urn:uuid:%s","resource":%s}`, uuid(1, i), text)
			}
			i++
		}
		return r.Read(p)
	}))
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// resourcesInChild has the child of the test below read so many resources.
const resourcesInChild = "CAREBELL_TEST_READ_RESOURCES"

// TestARecordOf100MBIsReadInLittleMemory reads 200,000 resources in a process of its own, which tells how much memory it
// had at most: not the heap alone, but all that the system gave it.
func TestARecordOf100MBIsReadInLittleMemory(t *testing.T) {
	if n := os.Getenv(resourcesInChild); n != "" {
		readInChild(t, n)
		return
	}
	n := 200_000
	if testing.Short() {
		n = 5_000
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	child.Env = append(os.Environ(), resourcesInChild+"="+strconv.Itoa(n))
	out, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var size, before, after, rows int
	_, text, found := bytes.Cut(out, []byte("MEASURED "))
	if _, err := fmt.Sscan(string(text), &size, &before, &after, &rows); !found || err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const mega = 1 << 20
	t.Logf("%d resources, %d MB: %d rows, with %d MB of memory above the %d MB at the start", n, size/mega, rows, (after-before)/mega, before/mega)
	limit := 64
	if testing.Short() {
		limit *= 4 // the short tests run under the race detector, which keeps as much again of its own several times
	}
	if after-before >= limit*mega {
		t.Errorf("it took %d MB: want less than %d", (after-before)/mega, limit)
	}
	if !testing.Short() && size < 100*mega {
		t.Errorf("the record has only %d MB", size/mega)
	}
	if rows < 1000 {
		t.Errorf("only %d rows were made", rows)
	}
}

func readInChild(t *testing.T, resources string) {
	n, err := strconv.Atoi(resources)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	before := peakMemory(t)
	size := 0
	rows, _, err := chart.ReadHealth(func() (io.ReadCloser, error) {
		size = 0
		r := largeRecord(n)
		return io.NopCloser(readerFunc(func(p []byte) (int, error) {
			n, err := r.Read(p)
			size += n
			return n, err
		})), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("MEASURED", size, before, peakMemory(t), len(rows))
}

// peakMemory is the most memory that the process had at a time, in bytes.
func peakMemory(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatalf("this test reads /proc, as Linux has it: %v", err)
	}
	_, line, _ := strings.Cut(string(status), "VmHWM:")
	var kilobytes int
	if _, err := fmt.Sscan(line, &kilobytes); err != nil {
		t.Fatal(err)
	}
	return kilobytes << 10
}
