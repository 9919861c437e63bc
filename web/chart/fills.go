package chart

import (
	"strconv"
	"strings"

	"carebell/web/care"
	"carebell/web/fhir"
)

// shownFills is how many fills of one record its notice has; the patient's page reads all of them.
const shownFills = 20

// newestFills are the newest fills of a record, and how many more it has.
func newestFills(f fhir.Facts) (newest []care.Fill, more int) {
	all := fills(f)
	if len(all) > shownFills {
		return all[:shownFills:shownFills], len(all) - shownFills
	}
	return all, 0
}

// fills are all fills of a record, the newest first. One that is listed twice (the same drug, day, quantity and pharmacy)
// is one.
func fills(f fhir.Facts) []care.Fill {
	var out []care.Fill
	type same struct{ drug, day, quantity, pharmacy string }
	seen := map[same]bool{}
	for _, d := range f.Dispenses {
		if d.OtherSubject != "" {
			continue
		}
		fill := fillOf(d)
		key := same{fill.Code, fill.Filled, fill.Quantity, strings.ToLower(fill.Pharmacy.Name)}
		if key.drug != "" && key.day != "" && seen[key] {
			continue
		}
		seen[key] = true
		out = append(out, fill)
	}
	return out
}

func fillOf(d fhir.Dispense) care.Fill {
	fill := care.Fill{
		Drug: d.Drug.Text, Code: drugCode(d.Drug), Quantity: strings.TrimSpace(d.Quantity.Value + " " + d.Quantity.Unit), DaysSupply: days(d.DaysSupply),
		Filled: timeText(d.Filled()), Number: d.FillNumber, Status: d.Status, Dosage: d.Dosage, Schedule: d.Schedule, Written: timeText(d.Written),
		Pharmacy: contact(d.Pharmacy), Prescriber: contact(d.Prescriber), Exchange: d.Exchange,
	}
	if fill.Status == "completed" { // the sender says so of every fill
		fill.Status = ""
	}
	return fill
}

// drugCode tells drugs apart: RxNorm, else NDC, else the words in lower case.
func drugCode(drug fhir.Concept) string {
	if drug.Code != "" && (fhir.IsRxNorm(drug.System) || fhir.IsNDC(drug.System)) {
		return drug.Code
	}
	return strings.ToLower(strings.Join(strings.Fields(drug.Text), " "))
}

// days is a supply in days; "" where it is told in something else.
func days(q fhir.Quantity) string {
	switch strings.ToLower(strings.Trim(q.Unit, "{}")) {
	case "", "d", "day", "days":
		return q.Value
	case "wk", "week", "weeks":
		if n, err := strconv.Atoi(q.Value); err == nil && n < 1000 {
			return strconv.Itoa(7 * n)
		}
	}
	return ""
}

func contact(c fhir.Contact) care.Contact {
	return care.Contact{Name: c.Name, NPI: c.NPI, Phone: c.Phone, Address: c.Address}
}
