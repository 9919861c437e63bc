package care

import (
	"strconv"
	"time"
)

// Facts is what the record behind a notice says, in the few words that people read. Which part is set follows from the
// kind of notice. Empty means not sent; nothing is filled in. The json form is what the database holds.
type Facts struct {
	Read      bool       `json:"read,omitempty"`      // a stored record was read; false = nothing is known yet
	Exchanges []string   `json:"exchanges,omitempty"` // codes of the exchanges and networks it comes from, sorted; see [ExchangeName]
	Encounter *Encounter `json:"encounter,omitempty"` // admit, transfer, discharge
	Fills     []Fill     `json:"fills,omitempty"`     // pharmacy; the newest first
	MoreFills int        `json:"moreFills,omitempty"` // fills of the record that are not in Fills
	Panels    []Panel    `json:"panels,omitempty"`    // laboratory
	Summary   *Document  `json:"summary,omitempty"`   // discharge summary
}

// Encounter is what a record says of a stay.
type Encounter struct {
	ID          string   `json:"id,omitempty"`
	VisitNumber string   `json:"visitNumber,omitempty"`
	Status      string   `json:"status,omitempty"` // in-progress, finished, …, as sent
	Start       string   `json:"start,omitempty"`  // period.start, FHIR dateTime
	End         string   `json:"end,omitempty"`    // period.end, FHIR dateTime
	Facility    string   `json:"facility,omitempty"`
	Unit        string   `json:"unit,omitempty"`
	Class       string   `json:"class,omitempty"`       // in words that claim no more than was sent; "" = not sent
	ClassUnsure bool     `json:"classUnsure,omitempty"` // the code can mean something else
	Reasons     []string `json:"reasons,omitempty"`
	Diagnoses   []string `json:"diagnoses,omitempty"` // by rank
	Codes       []string `json:"codes,omitempty"`     // codes of the reasons and diagnoses, sorted: what tells whether two stays have the same cause
	Attending   string   `json:"attending,omitempty"`
	SeenBy      []string `json:"seenBy,omitempty"` // people whose part was not sent, where there are several
	Disposition string   `json:"disposition,omitempty"`
	Exchange    string   `json:"exchange,omitempty"` // code, see [ExchangeName]
}

// Contact is a person or an organization with how to reach them.
type Contact struct {
	Name    string `json:"name,omitempty"`
	NPI     string `json:"npi,omitempty"` // National Provider Identifier
	Phone   string `json:"phone,omitempty"`
	Address string `json:"address,omitempty"` // on one line
}

// Fill is one dispensed drug. It never says that somebody picked the drug up: the sender does not know that.
type Fill struct {
	Drug       string  `json:"drug,omitempty"`
	Code       string  `json:"code,omitempty"`       // what tells drugs apart: RxNorm, else NDC, else the words in lower case
	Quantity   string  `json:"quantity,omitempty"`   // with its unit
	DaysSupply string  `json:"daysSupply,omitempty"` // days
	Filled     string  `json:"filled,omitempty"`     // FHIR dateTime; a day where the sender means one
	Number     string  `json:"number,omitempty"`     // which fill of the prescription it is, as sent
	Status     string  `json:"status,omitempty"`     // as sent; "" for completed, which the sender says of every fill
	Dosage     string  `json:"dosage,omitempty"`
	Schedule   string  `json:"schedule,omitempty"` // of a controlled drug, in words
	Written    string  `json:"written,omitempty"`  // when it was prescribed, FHIR dateTime
	Pharmacy   Contact `json:"pharmacy,omitzero"`
	Prescriber Contact `json:"prescriber,omitzero"`
	Exchange   string  `json:"exchange,omitempty"`
}

// RunsOut is the day after the last one that the supply covers, as YYYY-MM-DD: computed, from the day of the fill and the
// days' supply; "" where either was not sent.
func (f Fill) RunsOut() string {
	days, err := strconv.ParseFloat(f.DaysSupply, 64)
	if err != nil || days < 1 || days > 3660 || len(f.Filled) < len(time.DateOnly) {
		return ""
	}
	day, err := time.Parse(time.DateOnly, f.Filled[:len(time.DateOnly)])
	if err != nil {
		return ""
	}
	return day.AddDate(0, 0, int(days)).Format(time.DateOnly)
}

// Panel is one laboratory report with its results.
type Panel struct {
	Name         string   `json:"name,omitempty"`      // of the report, else of the order
	Status       string   `json:"status,omitempty"`    // preliminary, final, corrected, …
	Collected    string   `json:"collected,omitempty"` // FHIR dateTime; a day where the sender means one
	Issued       string   `json:"issued,omitempty"`    // FHIR dateTime
	Conclusion   string   `json:"conclusion,omitempty"`
	Text         string   `json:"text,omitempty"`  // presentedForm, as plain text
	Notes        []string `json:"notes,omitempty"` // of the report
	Specimen     string   `json:"specimen,omitempty"`
	Laboratory   string   `json:"laboratory,omitempty"`
	OrderedBy    Contact  `json:"orderedBy,omitzero"`
	Site         Contact  `json:"site,omitzero"` // where it was ordered
	NotPerformed bool     `json:"notPerformed,omitempty"`
	Exchange     string   `json:"exchange,omitempty"`
	Results      []Result `json:"results,omitempty"`
}

// Result is one measured value.
type Result struct {
	Code         string   `json:"code,omitempty"` // what tells tests apart over time: LOINC, else the name
	Name         string   `json:"name,omitempty"`
	Value        string   `json:"value,omitempty"`
	Unit         string   `json:"unit,omitempty"`
	Number       string   `json:"number,omitempty"` // the value where it can be drawn
	Low          string   `json:"low,omitempty"`
	High         string   `json:"high,omitempty"`
	RangeText    string   `json:"rangeText,omitempty"`
	Flag         string   `json:"flag,omitempty"` // code of v3-ObservationInterpretation
	Computed     bool     `json:"computed,omitempty"`
	Status       string   `json:"status,omitempty"`
	NotPerformed bool     `json:"notPerformed,omitempty"`
	Notes        []string `json:"notes,omitempty"`
	At           string   `json:"at,omitempty"` // FHIR dateTime; a day where the sender means one
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
