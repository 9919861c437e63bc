package sim

// facility is a hospital; alias is how another exchange spells it.
type facility struct{ name, alias, town string }

var facilities = []facility{
	{"Kestrel Valley Medical Center", "KESTREL VALLEY MED CTR", "Sampleton"},
	{"Birchwood General", "BIRCHWOOD GEN HOSP", "Exampleville"},
	{"Larkspur Community Hospital", "Larkspur Comm Hosp - Main", "Fixture Falls"},
	{"Placeholder Memorial", "PLACEHOLDER MEM", "Mockingbird"},
}

// dialysisCenter is where recurring patients come.
var dialysisCenter = facility{"Mockingbird Dialysis Center", "MOCKINGBIRD DIALYSIS CTR", "Mockingbird"}

// The codes of the exchanges and networks that things come from.
const (
	fromBamboo      = "BAMBOO"
	fromHixny       = "HIXNY"
	fromKonza       = "KONZA"
	fromCarequality = "CAREQUALITY"
	fromCommonwell  = "COMMONWELL"
	fromSurescripts = "SURESCRIPTS"
	fromQuest       = "QUEST"
)

var laboratories = []string{"Example Reference Laboratory", "Sample Diagnostics", "Kestrel Valley Medical Center Lab"}

// shop is a pharmacy as the pharmacy network knows it.
type shop struct {
	name, npi, ncpdp string
	phone, fax       string
	line, city, zip  string
}

var pharmacies = []shop{
	{"Sampleton Pharmacy #12", "1999999893", "9999912", "5550140", "5550141", "12 Walnut Street", "Sampleton", "95910"},
	{"Fixture Falls Drug", "1999999885", "9999927", "5550142", "", "3 Mill Lane", "Fixture Falls", "95912"},
	{"Birchwood Outpatient Pharmacy", "1999999877", "9999934", "5550144", "5550145", "400 Birchwood Parkway", "Exampleville", "95911"},
}

// office is a practice that orders laboratory tests.
type office struct{ name, line, city, zip, phone string }

var offices = []office{
	{"Sampleton Family Medicine", "20 Example Street", "Sampleton", "95910", "5550150"},
	{"Exampleville Internal Medicine", "77 Placeholder Road", "Exampleville", "95911", "5550151"},
	{"Fixture Falls Specialty Clinic", "5 Sample Court", "Fixture Falls", "95912", ""},
}

// unit is a place within a hospital, as the transfer events name it.
type unit struct{ name, kind string }

var (
	emergency = unit{"Emergency Department", "emergency"}
	wards     = []unit{
		{"Med/Surg 4 West", "inpatient"}, {"Telemetry 3 East", "inpatient"}, {"Med/Surg 5 North", "inpatient"},
		{"Step-Down Unit", "inpatient"}, {"Cardiac Care Unit", "icu"}, {"Intensive Care Unit", "icu"},
	}
	observation = unit{"Observation Unit 2", "observation"}
)

// doctors are those of hospitals first, then those that patients have at home; see firstClinician.
var doctors = []struct{ given, family, npi, specialty, phone string }{
	{"Example", "Attending", "1999999984", "Hospital medicine", "5550160"},
	{"Sample", "Hospitalist", "1999999976", "Hospital medicine", "5550161"},
	{"Fictional", "Resident", "1999999968", "Emergency medicine", ""},
	{"Placeholder", "Physician", "1999999950", "Internal medicine", "5550163"},
	{"Pattern", "Primary", "1999999943", "Family medicine", "5550164"},
	{"Model", "Internist", "1999999935", "Internal medicine", "5550165"},
	{"Fixture", "Cardiologist", "1999999927", "Cardiology", "5550166"},
	{"Specimen", "Pulmonologist", "1999999919", "Pulmonology", "5550167"},
	{"Mock", "Nephrologist", "1999999901", "Nephrology", "5550168"},
}

// firstClinician is the first of doctors who sees patients outside hospitals.
const firstClinician = 4

const (
	doctorPrimary = iota + firstClinician
	doctorInternist
	doctorHeart
	doctorLung
	doctorKidney
)
