package fhir

import "strings"

// Code systems of drugs.
const (
	systemRxNorm    = "http://www.nlm.nih.gov/research/umls/rxnorm"
	systemRxNormOID = "urn:oid:2.16.840.1.113883.6.88"
	systemNDC       = "http://hl7.org/fhir/sid/ndc"
	systemNDCOID    = "urn:oid:2.16.840.1.113883.6.69"
	systemDEA       = "http://hl7.org/fhir/sid/us-dea" // the schedule of a controlled drug; of a prescriber, a number
)

// IsRxNorm says whether a code system is RxNorm.
func IsRxNorm(system string) bool { return system == systemRxNorm || system == systemRxNormOID }

// IsNDC says whether a code system is the National Drug Code.
func IsNDC(system string) bool { return system == systemNDC || system == systemNDCOID }

// schedules are the words for the schedule of a controlled drug, by its code of the NCI Thesaurus, which pharmacies use.
var schedules = map[string]string{
	"C48672": "schedule I", "C48675": "schedule II", "C48676": "schedule III", "C48677": "schedule IV", "C48679": "schedule V",
}

// drug is a CodeableConcept of a medication: its code is RxNorm, else NDC, else any other but the schedule, which is told
// beside it.
func (c *from) drug(n *node) (drug Concept, schedule string) {
	if n == nil || n.kind != '{' {
		return Concept{}, ""
	}
	if n.get("coding") == nil {
		return c.concept(n), ""
	}
	drug.Text = c.line(n.get("text"))
	best, display := 9, ""
	for i, coding := range n.get("coding").all() {
		if i == maxCodings {
			c.r.cut()
			break
		}
		system := coding.get("system").str()
		if system == systemDEA {
			schedule = firstWord(schedule, scheduleOf(coding.get("code").str(), coding.get("display").str()))
			continue
		}
		display = firstWord(display, c.line(coding.get("display")))
		rank := 3
		switch {
		case IsRxNorm(system):
			rank = 1
		case IsNDC(system):
			rank = 2
		}
		if code := c.take(coding.get("code"), maxID); code != "" && rank < best {
			best, drug.Code, drug.System = rank, code, c.take(coding.get("system"), maxLine)
		}
	}
	drug.Text = firstWord(drug.Text, display, drug.Code)
	return drug, schedule
}

// scheduleOf is the schedule in words; "" for one that is not specified or not known.
func scheduleOf(code, display string) string {
	if words := schedules[strings.ToUpper(code)]; words != "" {
		return words
	}
	for _, words := range schedules {
		if strings.EqualFold(display, words) {
			return words
		}
	}
	return ""
}
