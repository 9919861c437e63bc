package sim

// analyte is one measurement of a panel. Beyond critLow or critHigh it is critical; 0 means there is no such limit.
type analyte struct {
	loinc, name       string
	short             string // as the laboratory network spells it
	unit              string
	low, high         float64
	critLow, critHigh float64
	digits            int
}

// panel is one laboratory order.
type panel struct {
	loinc, name string
	order       string // as the laboratory network spells it
	specimen    string
	analytes    []analyte
	words       []worded // what the network answers in words instead of numbers
}

// worded is a result that is not a number, or a number as text.
type worded struct {
	loinc, short string
	value, unit  string
	low, high    string
	flag         string
	comment      string
}

const (
	panelBMP = iota
	panelCBC
	panelA1c
	panelTroponin
	panelUrine
	panelUrinalysis
	panelLipid
	panelTSH
	panelBNP
	panelMineral
)

var panels = []panel{
	{"51990-0", "Basic metabolic panel - Blood", "BASIC METABOLIC PANEL", "Blood", []analyte{
		{"2823-3", "Potassium [Moles/volume] in Serum or Plasma", "POTASSIUM", "mmol/L", 3.5, 5.1, 2.8, 6.2, 1},
		{"2951-2", "Sodium [Moles/volume] in Serum or Plasma", "SODIUM", "mmol/L", 136, 145, 120, 160, 0},
		{"2075-0", "Chloride [Moles/volume] in Serum or Plasma", "CHLORIDE", "mmol/L", 98, 107, 80, 120, 0},
		{"2028-9", "Carbon dioxide, total [Moles/volume] in Serum or Plasma", "CARBON DIOXIDE", "mmol/L", 22, 29, 10, 40, 0},
		{"3094-0", "Urea nitrogen [Mass/volume] in Serum or Plasma", "UREA NITROGEN (BUN)", "mg/dL", 7, 20, 0, 100, 0},
		{"2160-0", "Creatinine [Mass/volume] in Serum or Plasma", "CREATININE", "mg/dL", 0.6, 1.3, 0, 7.5, 2},
		{"2345-7", "Glucose [Mass/volume] in Serum or Plasma", "GLUCOSE", "mg/dL", 70, 99, 50, 450, 0},
		{"17861-6", "Calcium [Mass/volume] in Serum or Plasma", "CALCIUM", "mg/dL", 8.6, 10.3, 6.5, 13, 1},
	}, nil},
	{"58410-2", "CBC panel - Blood by Automated count", "CBC (H/H, RBC, INDICES, WBC, PLT)", "Blood", []analyte{
		{"6690-2", "Leukocytes [#/volume] in Blood by Automated count", "WHITE BLOOD CELL COUNT", "10*3/uL", 4, 11, 1, 50, 1},
		{"718-7", "Hemoglobin [Mass/volume] in Blood", "HEMOGLOBIN", "g/dL", 12, 17, 7, 20, 1},
		{"4544-3", "Hematocrit [Volume Fraction] of Blood by Automated count", "HEMATOCRIT", "%", 36, 50, 21, 60, 1},
		{"777-3", "Platelets [#/volume] in Blood by Automated count", "PLATELET COUNT", "10*3/uL", 150, 400, 20, 1000, 0},
	}, nil},
	{"4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "HEMOGLOBIN A1c", "Blood", []analyte{
		{"4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "HEMOGLOBIN A1c", "%", 4, 5.6, 0, 0, 1},
	}, nil},
	{"89579-7", "Troponin I.cardiac [Mass/volume] in Serum or Plasma by High sensitivity method", "TROPONIN I, HIGH SENSITIVITY", "Plasma", []analyte{
		{"89579-7", "Troponin I.cardiac [Mass/volume] in Serum or Plasma by High sensitivity method", "TROPONIN I, HIGH SENSITIVITY", "ng/L", 0, 19, 0, 120, 0},
	}, nil},
	{"630-4", "Bacteria identified in Urine by Culture", "CULTURE, URINE, ROUTINE", "Urine", nil, nil}, // answered in words, see wordResults and cultures
	{"24356-8", "Urinalysis complete panel - Urine", "URINALYSIS, COMPLETE, URINE CLEAN CATCH", "Urine", nil, []worded{
		{loinc: "5778-6", short: "COLOR", value: "YELLOW", flag: "N"},
		{loinc: "5803-2", short: "PH", value: "5.5", low: "5.0", high: "8.0", flag: "N"}, // no unit, so the converter takes it for words
		{loinc: "20454-5", short: "PROTEIN", value: "NEGATIVE", flag: "N"},
		{loinc: "5799-2", short: "LEUKOCYTE ESTERASE", value: "2+", flag: "A"},
		{loinc: "5821-4", short: "WBC", value: ">50", unit: "/HPF", high: "5", flag: "H"},
		{loinc: "5769-9", short: "BACTERIA", value: "SEE NOTE:", flag: "A", comment: "MANY BACTERIA SEEN. CULTURE ORDERED BY REFLEX."},
	}},
	{"57698-3", "Lipid panel with direct LDL - Serum or Plasma", "LIPID PANEL, STANDARD", "Serum", []analyte{
		{"2093-3", "Cholesterol [Mass/volume] in Serum or Plasma", "CHOLESTEROL, TOTAL", "mg/dL", 0, 200, 0, 0, 0},
		{"2085-9", "Cholesterol in HDL [Mass/volume] in Serum or Plasma", "HDL CHOLESTEROL", "mg/dL", 40, 90, 0, 0, 0},
		{"2571-8", "Triglyceride [Mass/volume] in Serum or Plasma", "TRIGLYCERIDES", "mg/dL", 0, 150, 0, 1000, 0},
		{"13457-7", "Cholesterol in LDL [Mass/volume] in Serum or Plasma by calculation", "LDL-CHOLESTEROL", "mg/dL", 0, 100, 0, 0, 0},
	}, nil},
	{"3016-3", "Thyrotropin [Units/volume] in Serum or Plasma", "TSH", "Serum", []analyte{
		{"3016-3", "Thyrotropin [Units/volume] in Serum or Plasma", "TSH", "mIU/L", 0.4, 4.5, 0, 0, 2},
	}, []worded{{loinc: "3024-7", short: "T4, FREE", value: "<0.01", unit: "ng/dL", low: "0.8", high: "1.8", flag: "L"}}},
	{"30934-4", "Natriuretic peptide B [Mass/volume] in Serum or Plasma", "B TYPE NATRIURETIC PEPTIDE (BNP)", "Plasma", []analyte{
		{"30934-4", "Natriuretic peptide B [Mass/volume] in Serum or Plasma", "B TYPE NATRIURETIC PEPTIDE (BNP)", "pg/mL", 0, 100, 0, 0, 0},
	}, nil},
	{"2777-1", "Phosphate and parathyrin panel", "PTH, INTACT AND PHOSPHATE", "Serum", []analyte{
		{"2777-1", "Phosphate [Mass/volume] in Serum or Plasma", "PHOSPHATE (AS PHOSPHORUS)", "mg/dL", 2.5, 4.5, 1, 9, 1},
		{"2731-8", "Parathyrin.intact [Mass/volume] in Serum or Plasma", "PARATHYROID HORMONE, INTACT", "pg/mL", 15, 65, 0, 0, 0},
	}, nil},
}

// wordResults are the cultures of hospitals: results that are not numbers.
var wordResults = []struct {
	text, flag  string
	snomed, say string // a coded value instead of a text, where set
}{
	{text: "No growth after 48 hours", flag: "N"},
	{text: "Escherichia coli, more than 100,000 CFU/mL", flag: "A"},
	{snomed: "112283007", say: "Escherichia coli (organism)", flag: "A"},
}

// cultures are those of the laboratory network, whose result stands in the comment. A test that was not performed has
// no value, or a word for that.
var cultures = []worded{
	{loinc: "630-4", short: "CULTURE, URINE, ROUTINE", value: "SEE NOTE:", flag: "A", comment: "Escherichia coli, more than 100,000 CFU/mL.\nSusceptible: nitrofurantoin, cephalexin. Resistant: ampicillin."},
	{loinc: "630-4", short: "CULTURE, URINE, ROUTINE", value: "SEE NOTE:", flag: "A", comment: "Mixed flora, three or more kinds, 10,000-50,000 CFU/mL. Suggest a new clean catch specimen if symptoms persist."},
	{loinc: "630-4", short: "CULTURE, URINE, ROUTINE", value: "SEE NOTE:", comment: "No growth."},
	{loinc: "19090-0", short: "COLONY COUNT", value: ">100,000", unit: "CFU/mL", flag: "A", comment: "Proteus mirabilis."},
	{loinc: "630-4", short: "CULTURE, URINE, ROUTINE", comment: "TEST NOT PERFORMED. Specimen was received more than 48 hours after collection and without preservative."},
	{loinc: "630-4", short: "CULTURE, URINE, ROUTINE", value: "TNP", comment: "TEST NOT PERFORMED. Container leaked in transit. Please submit a new specimen."},
}
