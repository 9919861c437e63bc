package sim

// drug is a medication as a clinic orders it and as a pharmacy's files spell it.
type drug struct {
	name     string // as RxNorm and clinics say it
	shelf    string // as a pharmacy's files say it
	rxnorm   string // "" where the network's code finds no RxNorm concept
	ndc      string // eleven digits, of a labeler that does not exist
	schedule string // code of a controlled drug's DEA schedule, "" for the others
	sig      string
	quantity int
	unit     string
	days     int
	refills  int // how often it may be filled again
}

// schedules are the DEA's, by the code that the pharmacy network sends.
var schedules = map[string]string{"C48675": "Schedule II", "C48676": "Schedule III", "C48677": "Schedule IV", "C48679": "Schedule V"}

// unitCodes are the pharmacy network's codes of the units below.
var unitCodes = map[string]string{"Tablet": "C48542", "Capsule": "C48480", "Milliliter": "C28254", "Each": "C64933"}

const (
	drugFurosemide = iota
	drugAmoxClav
	drugPrednisone
	drugApixaban
	drugMetformin
	drugOxycodone
	drugCephalexin
	drugLisinopril
	drugMetoprolol
	drugAtorvastatin
	drugAmlodipine
	drugEmpagliflozin
	drugLevothyroxine
	drugAspirin
	drugClopidogrel
	drugPantoprazole
	drugSertraline
	drugAlbuterol
	drugTiotropium
	drugGabapentin
	drugLorazepam
	drugSevelamer
	drugGlargine
	drugCetirizine
)

var drugs = []drug{
	{"furosemide 40 MG Oral Tablet", "FUROSEMIDE 40 MG TABLET", "313988", "99999010130", "", "Take 1 tablet by mouth every morning", 30, "Tablet", 30, 2},
	{"amoxicillin 875 MG / clavulanate 125 MG Oral Tablet", "AMOX-CLAV 875-125 MG TABLET", "562508", "99999010214", "", "Take 1 tablet by mouth twice a day", 14, "Tablet", 7, 0},
	{"prednisone 20 MG Oral Tablet", "PREDNISONE 20 MG TABLET", "312615", "99999010310", "", "Take 2 tablets by mouth once a day for 5 days", 10, "Tablet", 5, 0},
	{"apixaban 5 MG Oral Tablet", "APIXABAN 5 MG TABLET", "1364445", "99999010460", "", "Take 1 tablet by mouth twice a day", 60, "Tablet", 30, 5},
	{"metformin hydrochloride 500 MG Oral Tablet", "METFORMIN HCL 500 MG TABLET", "861007", "99999010518", "", "Take 1 tablet by mouth twice a day with meals", 180, "Tablet", 90, 3},
	{"acetaminophen 325 MG / oxycodone hydrochloride 5 MG Oral Tablet", "OXYCODONE-APAP 5-325 MG TAB", "1049221", "99999010620", "C48675", "Take 1 tablet by mouth every 6 hours as needed for pain", 20, "Tablet", 5, 0},
	{"cephalexin 500 MG Oral Capsule", "CEPHALEXIN 500 MG CAPSULE", "309114", "99999010728", "", "Take 1 capsule by mouth 4 times a day", 28, "Capsule", 7, 0},
	{"lisinopril 10 MG Oral Tablet", "LISINOPRIL 10 MG TABLET", "314076", "99999010890", "", "Take 1 tablet by mouth once a day", 90, "Tablet", 90, 3},
	{"24 HR metoprolol succinate 50 MG Extended Release Oral Tablet", "METOPROLOL SUCC ER 50 MG TAB", "866436", "99999010930", "", "Take 1 tablet by mouth once a day", 30, "Tablet", 30, 11},
	{"atorvastatin 40 MG Oral Tablet", "ATORVASTATIN 40 MG TABLET", "617311", "99999011090", "", "Take 1 tablet by mouth at bedtime", 90, "Tablet", 90, 3},
	{"amlodipine 5 MG Oral Tablet", "AMLODIPINE BESYLATE 5 MG TAB", "197361", "99999011190", "", "Take 1 tablet by mouth once a day", 90, "Tablet", 90, 3},
	{"empagliflozin 10 MG Oral Tablet", "EMPAGLIFLOZIN 10 MG TABLET", "1545658", "99999011230", "", "Take 1 tablet by mouth every morning", 30, "Tablet", 30, 11},
	{"levothyroxine sodium 0.1 MG Oral Tablet", "LEVOTHYROXINE 100 MCG TABLET", "892246", "99999011390", "", "Take 1 tablet by mouth on an empty stomach", 90, "Tablet", 90, 3},
	{"aspirin 81 MG Delayed Release Oral Tablet", "ASPIRIN EC 81 MG TABLET", "308416", "99999011490", "", "Take 1 tablet by mouth once a day", 90, "Tablet", 90, 3},
	{"clopidogrel 75 MG Oral Tablet", "CLOPIDOGREL 75 MG TABLET", "309362", "99999011530", "", "Take 1 tablet by mouth once a day", 30, "Tablet", 30, 11},
	{"pantoprazole 40 MG Delayed Release Oral Tablet", "PANTOPRAZOLE SOD DR 40 MG TAB", "314200", "99999011630", "", "Take 1 tablet by mouth before breakfast", 30, "Tablet", 30, 5},
	{"sertraline 50 MG Oral Tablet", "SERTRALINE HCL 50 MG TABLET", "312941", "99999011790", "", "Take 1 tablet by mouth once a day", 90, "Tablet", 90, 3},
	{"albuterol 0.09 MG/ACTUAT Metered Dose Inhaler", "ALBUTEROL HFA 90 MCG INHALER", "745679", "99999011801", "", "Inhale 2 puffs every 4 hours as needed", 1, "Each", 25, 5},
	{"tiotropium 18 MCG Inhalation Capsule", "TIOTROPIUM 18 MCG CP-HANDIHALER", "", "99999011930", "", "Inhale the content of 1 capsule once a day", 30, "Capsule", 30, 11},
	{"gabapentin 300 MG Oral Capsule", "GABAPENTIN 300 MG CAPSULE", "310431", "99999012090", "", "Take 1 capsule by mouth 3 times a day", 90, "Capsule", 30, 5},
	{"lorazepam 0.5 MG Oral Tablet", "LORAZEPAM 0.5 MG TABLET", "197900", "99999012120", "C48677", "Take 1 tablet by mouth as needed for anxiety", 20, "Tablet", 20, 1},
	{"sevelamer carbonate 800 MG Oral Tablet", "SEVELAMER CARBONATE 800 MG TAB", "", "99999012218", "", "Take 2 tablets by mouth with each meal", 180, "Tablet", 30, 11},
	{"insulin glargine 100 UNT/ML Pen Injector", "INSULIN GLARGINE 100 UNIT/ML PEN", "", "99999012315", "", "Inject 18 units under the skin at bedtime", 15, "Milliliter", 30, 5},
	{"cetirizine hydrochloride 10 MG Oral Tablet", "CETIRIZINE HCL 10 MG TABLET", "", "99999012430", "", "Take 1 tablet by mouth once a day", 30, "Tablet", 30, 11},
}
