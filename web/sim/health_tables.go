package sim

// ailment is a problem as clinics code it, and as they say it.
type ailment struct {
	snomed, snomedName string
	icd, icdName       string
	words              string // how a clinic that sends no code writes it
}

const (
	ailHeartFailure = iota
	ailFibrillation
	ailHypertension
	ailKidney3
	ailDiabetes
	ailLipids
	ailObesity
	ailLung
	ailTobacco
	ailAsthma
	ailRhinitis
	ailAnxiety
	ailThyroid
	ailDepression
	ailMigraine
	ailCoronary
	ailReflux
	ailKneeArthritis
	ailKidneyFailure
	ailRenalAnemia
	ailBackPain
	ailSleepApnea
	ailCataract
	ailAppendicitis
	ailWristFracture
	ailBronchitis
	ailUrinary
	ailPneumonia
)

var ailments = []ailment{
	{"42343007", "Congestive heart failure", "I50.22", "Chronic systolic (congestive) heart failure", "CHF (congestive heart failure)"},
	{"49436004", "Atrial fibrillation", "I48.91", "Unspecified atrial fibrillation", "Atrial fibrillation"},
	{"59621000", "Essential hypertension", "I10", "Essential (primary) hypertension", "ESSENTIAL HYPERTENSION "},
	{"433144002", "Chronic kidney disease stage 3", "N18.30", "Chronic kidney disease, stage 3 unspecified", "CKD stage 3"},
	{"44054006", "Diabetes mellitus type 2", "E11.9", "Type 2 diabetes mellitus without complications", "Type 2 diabetes"},
	{"55822004", "Hyperlipidemia", "E78.5", "Hyperlipidemia, unspecified", "hyperlipidemia"},
	{"414916001", "Obesity", "E66.9", "Obesity, unspecified", "Obesity (BMI 30-39.9)"},
	{"13645005", "Chronic obstructive lung disease", "J44.9", "Chronic obstructive pulmonary disease, unspecified", "COPD"},
	{"110483000", "Tobacco user", "F17.210", "Nicotine dependence, cigarettes, uncomplicated", "Tobacco use"},
	{"195967001", "Asthma", "J45.909", "Unspecified asthma, uncomplicated", "Asthma"},
	{"61582004", "Allergic rhinitis", "J30.9", "Allergic rhinitis, unspecified", "Hay fever"},
	{"21897009", "Generalized anxiety disorder", "F41.1", "Generalized anxiety disorder", "Anxiety"},
	{"40930008", "Hypothyroidism", "E03.9", "Hypothyroidism, unspecified", "Hypothyroidism"},
	{"35489007", "Depressive disorder", "F32.A", "Depression, unspecified", "Depression"},
	{"37796009", "Migraine", "G43.909", "Migraine, unspecified, not intractable, without status migrainosus", "Migraines"},
	{"53741008", "Coronary arteriosclerosis", "I25.10", "Atherosclerotic heart disease of native coronary artery without angina pectoris", "CAD, stent 2021"},
	{"235595009", "Gastroesophageal reflux disease", "K21.9", "Gastro-esophageal reflux disease without esophagitis", "GERD"},
	{"239873007", "Osteoarthritis of knee", "M17.9", "Osteoarthritis of knee, unspecified", "Knee arthritis"},
	{"46177005", "End-stage renal disease", "N18.6", "End stage renal disease", "ESRD on hemodialysis"},
	{"", "", "D63.1", "Anemia in chronic kidney disease", "Anemia of CKD"},
	{"279039007", "Low back pain", "M54.50", "Low back pain, unspecified", "Low back pain"},
	{"78275009", "Obstructive sleep apnea syndrome", "G47.33", "Obstructive sleep apnea (adult) (pediatric)", "OSA"},
	{"193570009", "Cataract", "H26.9", "Unspecified cataract", "Cataract"},
	{"74400008", "Appendicitis", "K35.80", "Unspecified acute appendicitis", "Appendicitis"},
	{"", "", "S52.501A", "Unspecified fracture of the lower end of right radius, initial encounter for closed fracture", "Wrist fracture"},
	{"10509002", "Acute bronchitis", "J20.9", "Acute bronchitis, unspecified", "Bronchitis"},
	{"68566005", "Urinary tract infectious disease", "N39.0", "Urinary tract infection, site not specified", "UTI"},
	{"233604007", "Pneumonia", "J18.9", "Pneumonia, unspecified organism", "Pneumonia"},
}

// profile is a kind of patient: what they have, take, and have measured.
type profile struct {
	ailments []int
	drugs    []int
	panels   []int
	clinic   int // index into doctors of the specialist, 0 where there is none
	kilos    float64
	systolic float64
}

var profiles = []profile{
	{[]int{ailHeartFailure, ailFibrillation, ailHypertension, ailKidney3, ailSleepApnea}, []int{drugFurosemide, drugMetoprolol, drugApixaban, drugLisinopril, drugAtorvastatin}, []int{panelBMP, panelBNP, panelCBC}, doctorHeart, 84, 128},
	{[]int{ailDiabetes, ailHypertension, ailLipids, ailObesity, ailReflux}, []int{drugMetformin, drugEmpagliflozin, drugAmlodipine, drugAtorvastatin, drugPantoprazole}, []int{panelA1c, panelLipid, panelBMP}, 0, 101, 138},
	{[]int{ailLung, ailTobacco, ailHypertension, ailAnxiety}, []int{drugTiotropium, drugAlbuterol, drugAmlodipine, drugLorazepam}, []int{panelCBC, panelBMP}, doctorLung, 66, 134},
	{[]int{ailKidneyFailure, ailRenalAnemia, ailHypertension, ailDiabetes}, []int{drugSevelamer, drugAmlodipine, drugGlargine, drugGabapentin}, []int{panelMineral, panelCBC, panelBMP}, doctorKidney, 74, 148},
	{[]int{ailCoronary, ailLipids, ailReflux, ailHypertension, ailKneeArthritis}, []int{drugAspirin, drugClopidogrel, drugAtorvastatin, drugMetoprolol, drugPantoprazole}, []int{panelLipid, panelCBC}, doctorHeart, 79, 126},
	{[]int{ailThyroid, ailDepression, ailMigraine}, []int{drugLevothyroxine, drugSertraline}, []int{panelTSH, panelLipid}, 0, 68, 118},
	{[]int{ailAsthma, ailRhinitis, ailAnxiety}, []int{drugAlbuterol, drugCetirizine, drugSertraline}, []int{panelCBC}, 0, 72, 116},
	{[]int{ailKneeArthritis, ailBackPain, ailHypertension}, []int{drugOxycodone, drugGabapentin, drugLisinopril}, []int{panelBMP}, 0, 90, 132},
	{[]int{ailRhinitis}, nil, []int{panelLipid}, 0, 70, 114},
}

// past are problems that are over, with the age at which they were.
var past = []struct{ ail, age int }{{ailAppendicitis, 19}, {ailWristFracture, 42}, {ailPneumonia, 55}, {ailCataract, 70}}

// allergen is what somebody cannot take, and what it does to them.
type allergen struct {
	system, code, name string
	kind               string // FHIR category
	reaction           string
	reactionCode       string // SNOMED
	severity           string
}

var allergens = []allergen{
	{rxnormSystem, "70618", "Penicillin", "medication", "Hives", "247472004", "moderate"},
	{rxnormSystem, "29046", "Lisinopril", "medication", "Cough", "49727002", "mild"},
	{rxnormSystem, "10180", "Sulfamethoxazole", "medication", "Rash", "271807003", "moderate"},
	{snomedSystem, "762952008", "Peanut", "food", "Anaphylaxis", "39579001", "severe"},
	{snomedSystem, "111088007", "Latex", "environment", "", "", ""},
	{snomedSystem, "426722004", "Iodinated contrast media", "medication", "Angioedema", "41291007", "severe"},
}

// vaccine is one dose, given on the same day of the year.
type vaccine struct {
	cvx, name string
	years     []int // in which it is given
	month     int
	from      int // age
}

var vaccines = []vaccine{
	{"140", "Influenza, split virus, trivalent, PF", []int{2024, 2025, 2026, 2027}, 10, 0},
	{"150", "influenza, injectable, quadrivalent, preservative free", []int{2022, 2023}, 10, 0},
	{"208", "COVID-19, mRNA, LNP-S, PF, 30 mcg/0.3 mL dose", []int{2021}, 3, 0},
	{"309", "COVID-19, mRNA, LNP-S, PF, tris-sucrose, 30 mcg/0.3 mL", []int{2023, 2024}, 11, 0},
	{"115", "Tdap", []int{2019}, 6, 0},
	{"187", "zoster recombinant", []int{2022}, 5, 50},
	{"216", "Pneumococcal conjugate PCV20, polysaccharide CRM197 conjugate, adjuvant, PF", []int{2024}, 2, 65},
}

// measure is something that was done to a patient.
type measure struct{ snomed, name string }

var measures = map[int]measure{ // by the ailment that it was for
	ailHeartFailure: {"40701008", "Echocardiography"}, ailCoronary: {"415070008", "Percutaneous coronary intervention"},
	ailKidneyFailure: {"302497006", "Hemodialysis"}, ailAppendicitis: {"80146002", "Appendectomy"}, ailReflux: {"76009000", "Esophagogastroduodenoscopy"},
	ailCataract: {"54885007", "Cataract surgery"}, ailKneeArthritis: {"609588000", "Total knee replacement"}, ailLung: {"127783003", "Spirometry"},
}
