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
