package fhir

import "strings"

// The code systems that are the same everywhere, by the short names that [Statement.Codes] has.
const (
	SNOMED = "snomed"
	ICD10  = "icd10"
	ICD9   = "icd9"
	RxNorm = "rxnorm"
	NDC    = "ndc"
	LOINC  = "loinc"
	CVX    = "cvx"
	CPT    = "cpt"
	UNII   = "unii"
	DEA    = "dea" // schedule of a controlled drug
)

// systems maps the names of code systems, URL or OID, to the short ones. Source: FHIR R4, "Using Codes in Resources".
var systems = map[string]string{
	"http://snomed.info/sct": SNOMED, "2.16.840.1.113883.6.96": SNOMED,
	"http://hl7.org/fhir/sid/icd-10-cm": ICD10, "http://hl7.org/fhir/sid/icd-10": ICD10, "2.16.840.1.113883.6.90": ICD10,
	"http://hl7.org/fhir/sid/icd-9-cm": ICD9, "http://terminology.hl7.org/CodeSystem/ICD-9CM-diagnosiscodes9": ICD9, "2.16.840.1.113883.6.103": ICD9,
	"http://www.nlm.nih.gov/research/umls/rxnorm": RxNorm, "2.16.840.1.113883.6.88": RxNorm,
	"http://hl7.org/fhir/sid/ndc": NDC, "2.16.840.1.113883.6.69": NDC,
	"http://loinc.org": LOINC, "2.16.840.1.113883.6.1": LOINC,
	"http://hl7.org/fhir/sid/cvx": CVX, "2.16.840.1.113883.12.292": CVX,
	"http://www.ama-assn.org/go/cpt": CPT, "2.16.840.1.113883.6.12": CPT,
	"http://fdasis.nlm.nih.gov": UNII, "2.16.840.1.113883.4.9": UNII,
	"http://hl7.org/fhir/sid/us-dea": DEA,
}

// System is the short name of a code system; "" where it is none of those that are the same everywhere.
func System(url string) string {
	return systems[strings.TrimSuffix(strings.TrimPrefix(url, "urn:oid:"), "/")]
}

const maxCodes = 8

// standard are the codings of a CodeableConcept in the systems that are the same everywhere, each system once, with the
// short name of the system.
func (c *from) standard(n *node) []Concept {
	codings := n.get("coding").all()
	if n.get("coding") == nil && n.get("code") != nil {
		codings = []node{*n}
	}
	var out []Concept
	for i := range codings {
		system, code := System(codings[i].get("system").str()), c.code(codings[i].get("code"))
		if system == "" || code == "" || unknownCode(code) || len(out) == maxCodes || hasSystem(out, system) {
			continue
		}
		out = append(out, Concept{System: system, Code: code, Text: c.line(codings[i].get("display"))})
	}
	return out
}

func hasSystem(list []Concept, system string) bool {
	for _, k := range list {
		if k.System == system {
			return true
		}
	}
	return false
}

// unknownCode says whether a code means that nothing is known. Source: HL7 v3-NullFlavor.
func unknownCode(code string) bool {
	switch code {
	case "UNK", "NI", "NA", "OTH", "NASK", "ASKU", "NAV", "MSK", "UNC", "unknown":
		return true
	default:
		return false
	}
}

// said is the text of a concept; "" where it says no more than that nothing is known.
func said(k Concept) string {
	switch strings.ToLower(k.Text) {
	case "unknown", "unk", "not available", "info not available", "information not available", "n/a", "none", "other", "-":
		return ""
	}
	if unknownCode(k.Text) {
		return ""
	}
	return k.Text
}

// broadAllergies are SNOMED CT codes that say that it is an allergy and not to what.
var broadAllergies = map[string]bool{
	"419199007": true, "416098002": true, "418471000": true, "419511003": true, "418038007": true, "420134006": true, "414285001": true,
	"59037007": true, "235719002": true, "426232007": true, "418634005": true, "609328004": true, "609433001": true,
}

// broad says whether the words of an allergy's code name no substance.
func broad(k Concept, codes []Concept) bool {
	for _, code := range codes {
		if code.System == SNOMED && broadAllergies[code.Code] {
			return true
		}
	}
	text := strings.ToLower(said(k))
	switch text {
	case "", "allergy", "allergy to substance", "allergy to drug", "drug allergy", "drug intolerance", "food allergy", "food intolerance", "environmental allergy",
		"allergen or pseudoallergen":
		return true
	}
	return strings.HasPrefix(text, "propensity to adverse reaction")
}
