package sim

// complaint is why somebody comes to a hospital, with what usually follows from it.
type complaint struct {
	reason     string // in the words of the desk
	icd, name  string // ICD-10-CM
	drug       int    // index into drugs: what is prescribed on leaving
	panel      int    // index into panels: what is drawn
	plan, told string // for the discharge summary
	procedure  string
}

// minor complaints end in the emergency department, major ones do not.
var minor = []complaint{
	{"Chest pain", "R07.9", "Chest pain, unspecified", drugLisinopril, panelTroponin, "Follow up with primary care within one week.", "Come back for pain that spreads to the arm or jaw.", "12-lead ECG, two troponins."},
	{"Laceration of hand", "S61.419A", "Laceration without foreign body of unspecified hand, initial encounter", drugCephalexin, panelCBC, "Suture removal in ten days.", "Keep the wound dry for 24 hours.", "Simple repair, 4 sutures."},
	{"Low back pain", "M54.50", "Low back pain, unspecified", drugPrednisone, panelBMP, "Physical therapy referral.", "Stay active; come back for weakness or numbness.", "None."},
	{"Fainted at home", "R55", "Syncope and collapse", drugLisinopril, panelBMP, "Orthostatic blood pressure at the next visit.", "Rise slowly; drink enough.", "ECG, orthostatic vitals."},
	{"Burning on urination", "N39.0", "Urinary tract infection, site not specified", drugCephalexin, panelUrine, "Urine culture pending; call with the result.", "Finish the antibiotic.", "Urinalysis and culture."},
	{"Asthma attack", "J45.901", "Unspecified asthma with (acute) exacerbation", drugPrednisone, panelCBC, "Review inhaler technique.", "Use the rescue inhaler as directed.", "Nebulizer treatment ×3."},
}

var major = []complaint{
	{"Shortness of breath, leg swelling", "I50.9", "Heart failure, unspecified", drugFurosemide, panelBMP, "Weigh daily; BMP within a week; cardiology in 7 days.", "Call for a gain of more than 3 lb in a day. Low-salt diet.", "Transthoracic echocardiogram."},
	{"Fever and cough", "J18.9", "Pneumonia, unspecified organism", drugAmoxClav, panelCBC, "Chest X-ray in 6 weeks.", "Finish the antibiotic. Rest and fluids.", "Chest X-ray, blood cultures."},
	{"Worsening breathlessness, COPD", "J44.1", "Chronic obstructive pulmonary disease with (acute) exacerbation", drugPrednisone, panelCBC, "Pulmonary follow-up in 10 days; smoking cessation.", "Taper the prednisone as written.", "BiPAP overnight."},
	{"Palpitations", "I48.91", "Unspecified atrial fibrillation", drugApixaban, panelTroponin, "Start anticoagulation; cardiology in 2 weeks.", "Do not skip the blood thinner. Watch for bleeding.", "Telemetry, echocardiogram."},
	{"High blood sugar, vomiting", "E11.65", "Type 2 diabetes mellitus with hyperglycemia", drugMetformin, panelA1c, "A1c today; diabetes education.", "Check sugar before meals.", "Insulin infusion, 18 hours."},
	{"Fall, hip pain", "S72.001A", "Fracture of unspecified part of neck of right femur, initial encounter for closed fracture", drugOxycodone, panelCBC, "Orthopedics in 2 weeks; home safety check; DEXA.", "Weight bearing as tolerated with a walker.", "Right hip hemiarthroplasty."},
	{"Confusion and fever", "A41.9", "Sepsis, unspecified organism", drugAmoxClav, panelBMP, "Recheck BMP and CBC within a week.", "Finish the antibiotic; come back for fever.", "Central line placement and removal."},
	{"Weakness, dehydration", "E86.0", "Dehydration", drugLisinopril, panelBMP, "Hold lisinopril until BMP is rechecked.", "Drink 2 liters a day.", "IV fluids."},
}

// drug is a medication as a pharmacy hands it out.
type drug struct {
	name, rxnorm    string
	sig             string
	quantity        int
	unit            string
	days, refillsOK int
}

const (
	drugFurosemide = iota
	drugAmoxClav
	drugPrednisone
	drugApixaban
	drugMetformin
	drugOxycodone
	drugCephalexin
	drugLisinopril
)

var drugs = []drug{
	{"furosemide 40 MG Oral Tablet", "313988", "Take 1 tablet by mouth every morning", 30, "tablet", 30, 2},
	{"amoxicillin 875 MG / clavulanate 125 MG Oral Tablet", "562508", "Take 1 tablet by mouth twice a day", 14, "tablet", 7, 0},
	{"prednisone 20 MG Oral Tablet", "312615", "Take 2 tablets by mouth once a day for 5 days", 10, "tablet", 5, 0},
	{"apixaban 5 MG Oral Tablet", "1364445", "Take 1 tablet by mouth twice a day", 60, "tablet", 30, 5},
	{"metformin hydrochloride 500 MG Oral Tablet", "861007", "Take 1 tablet by mouth twice a day with meals", 180, "tablet", 90, 3},
	{"acetaminophen 325 MG / oxycodone hydrochloride 5 MG Oral Tablet", "1049221", "Take 1 tablet by mouth every 6 hours as needed for pain", 20, "tablet", 5, 0},
	{"cephalexin 500 MG Oral Capsule", "309114", "Take 1 capsule by mouth 4 times a day", 28, "capsule", 7, 0},
	{"lisinopril 10 MG Oral Tablet", "314076", "Take 1 tablet by mouth once a day", 90, "tablet", 90, 3},
}

// analyte is one measurement of a panel. Beyond critLow or critHigh it is critical; 0 means there is no such limit.
type analyte struct {
	loinc, name       string
	unit              string
	low, high         float64
	critLow, critHigh float64
	digits            int
}

// panel is one laboratory order.
type panel struct {
	loinc, name string
	specimen    string
	analytes    []analyte
}

const (
	panelBMP = iota
	panelCBC
	panelA1c
	panelTroponin
	panelUrine
)

var panels = []panel{
	{"51990-0", "Basic metabolic panel - Blood", "Blood", []analyte{
		{"2823-3", "Potassium [Moles/volume] in Serum or Plasma", "mmol/L", 3.5, 5.1, 2.8, 6.2, 1},
		{"2951-2", "Sodium [Moles/volume] in Serum or Plasma", "mmol/L", 136, 145, 120, 160, 0},
		{"2075-0", "Chloride [Moles/volume] in Serum or Plasma", "mmol/L", 98, 107, 80, 120, 0},
		{"2028-9", "Carbon dioxide, total [Moles/volume] in Serum or Plasma", "mmol/L", 22, 29, 10, 40, 0},
		{"3094-0", "Urea nitrogen [Mass/volume] in Serum or Plasma", "mg/dL", 7, 20, 0, 100, 0},
		{"2160-0", "Creatinine [Mass/volume] in Serum or Plasma", "mg/dL", 0.6, 1.3, 0, 7.5, 2},
		{"2345-7", "Glucose [Mass/volume] in Serum or Plasma", "mg/dL", 70, 99, 50, 450, 0},
		{"17861-6", "Calcium [Mass/volume] in Serum or Plasma", "mg/dL", 8.6, 10.3, 6.5, 13, 1},
	}},
	{"58410-2", "CBC panel - Blood by Automated count", "Blood", []analyte{
		{"6690-2", "Leukocytes [#/volume] in Blood by Automated count", "10*3/uL", 4, 11, 1, 50, 1},
		{"718-7", "Hemoglobin [Mass/volume] in Blood", "g/dL", 12, 17, 7, 20, 1},
		{"4544-3", "Hematocrit [Volume Fraction] of Blood by Automated count", "%", 36, 50, 21, 60, 1},
		{"777-3", "Platelets [#/volume] in Blood by Automated count", "10*3/uL", 150, 400, 20, 1000, 0},
	}},
	{"4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "Blood", []analyte{
		{"4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "%", 4, 5.6, 0, 0, 1},
	}},
	{"89579-7", "Troponin I.cardiac [Mass/volume] in Serum or Plasma by High sensitivity method", "Plasma", []analyte{
		{"89579-7", "Troponin I.cardiac [Mass/volume] in Serum or Plasma by High sensitivity method", "ng/L", 0, 19, 0, 120, 0},
	}},
	{"630-4", "Bacteria identified in Urine by Culture", "Urine", nil}, // answered in words, see wordResults
}
