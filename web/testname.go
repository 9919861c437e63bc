package web

import (
	"regexp"
	"strings"
)

// methods is what a LOINC name says of how and in what a thing is measured.
var methods = regexp.MustCompile(`\s*\[[^\]]*\]`)

// wayMeasured is how a thing was counted, which no row has room for.
var wayMeasured = regexp.MustCompile(`(?i) by (automated count|calculation|high sensitivity method|manual count)$`)

// onBlood is what stands in the name of a panel of blood: "CBC panel - Blood by Automated count".
var onBlood = regexp.MustCompile(`^(.*\bpanel) - (?:Serum, Plasma or Blood|Serum or Plasma|Serum|Plasma|Blood)$`)

// everyday are the words of a clinic for tests that LOINC names otherwise. The LOINC name stays in the details.
var everyday = map[string]string{
	"Leukocytes": "White blood cells", "Erythrocytes": "Red blood cells", "Urea nitrogen": "Urea nitrogen (BUN)", "Carbon dioxide, total": "Carbon dioxide (CO2)",
	"Thyrotropin": "TSH", "Natriuretic peptide B": "BNP", "Natriuretic peptide.B prohormone N-Terminal": "NT-proBNP", "Parathyrin.intact": "Parathyroid hormone (PTH)",
	"Troponin I.cardiac": "Troponin I", "Troponin T.cardiac": "Troponin T", "Cholesterol in HDL": "HDL cholesterol", "Cholesterol in LDL": "LDL cholesterol",
	"Hemoglobin A1c/Hemoglobin.total": "Hemoglobin A1c", "Hemoglobin A1c/Hemoglobin.total in Blood": "Hemoglobin A1c", "Alanine aminotransferase": "ALT", "Aspartate aminotransferase": "AST", "Alkaline phosphatase": "Alkaline phosphatase (ALP)",
	"Creatinine renal clearance": "Creatinine clearance", "Bacteria identified in Urine by Culture": "Urine culture", "Bacteria identified in Blood by Culture": "Blood culture",
	"Prostate specific Ag": "PSA", "C reactive protein": "C-reactive protein (CRP)", "Fibrin D-dimer FEU": "D-dimer", "25-hydroxyvitamin D3": "Vitamin D",
}

// testName shortens the name that LOINC gives a test to what people call it: "HDL cholesterol" for "Cholesterol in HDL
// [Mass/volume] in Serum or Plasma". In what else than blood it was measured stays. full is "" where nothing was left out.
func testName(name string) (short, full string) {
	if words, known := everyday[name]; known {
		return words, name
	}
	short = methods.ReplaceAllString(name, "")
	plain := short == name // not a name of LOINC, or one of a panel
	short = wayMeasured.ReplaceAllString(short, "")
	short = onBlood.ReplaceAllString(short, "$1")
	for _, blood := range []string{" in Serum, Plasma or Blood", " in Serum or Plasma", " in Serum", " in Plasma", " in Blood", " of Blood"} {
		if before, after, found := strings.Cut(short, blood); found && !plain {
			short = before + after
			break
		}
	}
	if short = strings.TrimSpace(short); short == "" || short == name {
		return name, ""
	}
	if words, known := everyday[short]; known {
		short = words
	}
	return short, name
}
