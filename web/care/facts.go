package care

// Facts is what the record behind a notice says, in the few words that people read. Which part is set follows from the
// kind of notice. Empty means not sent; nothing is filled in. The json form is what the database holds.
type Facts struct {
	Encounter *Encounter `json:"encounter,omitempty"` // admit, transfer, discharge
	Fills     []Fill     `json:"fills,omitempty"`     // pharmacy
	Panels    []Panel    `json:"panels,omitempty"`    // laboratory
	Summary   *Document  `json:"summary,omitempty"`   // discharge summary
}

// Encounter is what a record says of a stay.
type Encounter struct {
	ID          string   `json:"id,omitempty"`
	VisitNumber string   `json:"visitNumber,omitempty"`
	Facility    string   `json:"facility,omitempty"`
	Unit        string   `json:"unit,omitempty"`
	Class       string   `json:"class,omitempty"`       // inpatient, emergency, …; "" = unknown
	ClassUnsure bool     `json:"classUnsure,omitempty"` // ambulatory, which the sender also uses for unknown
	Reasons     []string `json:"reasons,omitempty"`
	Diagnoses   []string `json:"diagnoses,omitempty"` // by rank
	Attending   string   `json:"attending,omitempty"`
	Disposition string   `json:"disposition,omitempty"`
}

// Fill is one dispensed drug.
type Fill struct {
	Drug       string `json:"drug,omitempty"`
	Quantity   string `json:"quantity,omitempty"`   // with its unit
	DaysSupply string `json:"daysSupply,omitempty"` // days
	Filled     string `json:"filled,omitempty"`     // FHIR dateTime: handed over, else prepared
	PickedUp   bool   `json:"pickedUp,omitempty"`
	Status     string `json:"status,omitempty"`
	Dosage     string `json:"dosage,omitempty"`
	Pharmacy   string `json:"pharmacy,omitempty"`
	Prescriber string `json:"prescriber,omitempty"`
	Refills    *int   `json:"refills,omitempty"` // that the prescription allows
}

// Panel is one laboratory report with its results.
type Panel struct {
	Name       string   `json:"name,omitempty"`
	Status     string   `json:"status,omitempty"`    // preliminary, final, corrected, …
	Collected  string   `json:"collected,omitempty"` // FHIR dateTime
	Conclusion string   `json:"conclusion,omitempty"`
	Results    []Result `json:"results,omitempty"`
}

// Result is one measured value.
type Result struct {
	Code      string `json:"code,omitempty"` // what tells tests apart over time: LOINC, else the name
	Name      string `json:"name,omitempty"`
	Value     string `json:"value,omitempty"`
	Unit      string `json:"unit,omitempty"`
	Number    string `json:"number,omitempty"` // the value where it can be drawn
	Low       string `json:"low,omitempty"`
	High      string `json:"high,omitempty"`
	RangeText string `json:"rangeText,omitempty"`
	Flag      string `json:"flag,omitempty"` // code of v3-ObservationInterpretation
	Computed  bool   `json:"computed,omitempty"`
	Status    string `json:"status,omitempty"`
	At        string `json:"at,omitempty"` // FHIR dateTime
}

// Document is a discharge summary.
type Document struct {
	Title    string    `json:"title,omitempty"`
	Date     string    `json:"date,omitempty"` // FHIR dateTime
	Status   string    `json:"status,omitempty"`
	Authors  []string  `json:"authors,omitempty"`
	Sections []Section `json:"sections,omitempty"`
}

// Section is one part of a discharge summary, as plain text.
type Section struct {
	Kind  string `json:"kind,omitempty"`
	Title string `json:"title,omitempty"`
	Text  string `json:"text,omitempty"`
	Cut   bool   `json:"cut,omitempty"`
}

// Severity orders results for reading: critical before outside before the rest.
func (r Result) Severity() int {
	switch r.Flag {
	case "LL", "HH", "AA":
		return 2
	case "L", "H", "A":
		return 1
	default:
		return 0
	}
}

// FlagWords is the interpretation in words; "" where there is none or it is normal.
func (r Result) FlagWords() string {
	words := map[string]string{
		"LL": "critical low", "HH": "critical high", "AA": "critical",
		"L": "low", "H": "high", "A": "abnormal",
	}[r.Flag]
	if words != "" && r.Computed {
		words += ", computed"
	}
	return words
}

// Range is the reference range as people read it; "" where none was sent.
func (r Result) Range() string {
	switch {
	case r.Low != "" && r.High != "":
		return r.Low + "–" + r.High
	case r.High != "":
		return "up to " + r.High
	case r.Low != "":
		return "from " + r.Low
	default:
		return r.RangeText
	}
}
