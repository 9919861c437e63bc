package sim

// facility is a hospital; alias is how another exchange spells it.
type facility struct{ name, alias, town string }

var facilities = []facility{
	{"Kestrel Valley Medical Center", "KESTREL VALLEY MED CTR", "Sampleton"},
	{"Birchwood General", "BIRCHWOOD GEN HOSP", "Exampleville"},
	{"Larkspur Community Hospital", "Larkspur Comm Hosp - Main", "Fixture Falls"},
	{"Placeholder Memorial", "PLACEHOLDER MEM", "Mockingbird"},
}

var laboratories = []string{"Example Reference Laboratory", "Sample Diagnostics", "Kestrel Valley Medical Center Lab"}

var pharmacies = []string{"Sampleton Pharmacy #12", "Fixture Falls Drug", "Birchwood Outpatient Pharmacy"}

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

var doctors = []struct{ given, family, npi string }{
	{"Example", "Attending", "1999999984"},
	{"Sample", "Hospitalist", "1999999976"},
	{"Fictional", "Resident", "1999999968"},
	{"Placeholder", "Physician", "1999999950"},
}
