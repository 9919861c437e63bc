package sim

import (
	"encoding/base64"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// laboratoryOrder is what the laboratory network's file says of one order: a row a result.
type laboratoryOrder struct {
	who         person
	name        string // of the order, in the network's spelling
	requisition string
	collected   time.Time // the day as UTC midnight; zero where the file does not say
	served      time.Time // the day of service as UTC midnight
	doctor      int
	office      office
	diagnosis   string // ICD-10, "" where none was given
	rows        []worded
	worded      bool // whether the sender's terminology knew words for the codes
}

// laboratoryBundle is what the sender converts a patient's orders to.
func laboratoryBundle(id namer, orders ...laboratoryOrder) object {
	return collection(append([]object{orders[0].patient()}, laboratoryResources(id, orders...)...)...)
}

// patient has the birth date without hyphens, as the network sends it.
func (l laboratoryOrder) patient() object {
	p := l.who
	name := list{p.given}
	if int(p.id[1])%3 == 0 {
		name = append(name, string("ABCDEFGHJKLMN"[int(p.id[2])%13]))
	}
	return marked(resource("Patient", p.id, "name", list{of("given", name, "family", p.family)},
		"address", list{of("line", list{p.line}, "city", p.city, "state", p.state, "postalCode", p.zip, "country", "US")},
		"telecom", list{of("system", "phone", "value", p.phone)}, "gender", p.sex,
		"birthDate", strings.ReplaceAll(p.born, "-", "")), source(fromQuest))
}

// laboratoryResources are those beside the patient. The converter makes all of them anew for every row; the sender folds
// people and places, and results of the same value, which carry no date of their own; reports only where their comments
// are the same. What has no value is dropped, and only its comment stays in the report. Orders are folded by their
// requisition, the last row's staying; reports and specimens still point at the order of their own row, and the order at
// the orderer of its own: such references lead to what was folded away.
func laboratoryResources(id namer, orders ...laboratoryOrder) (all []object) {
	var people, requests, sites, practices, observations, reports, conditions folding
	var specimens []object
	for _, l := range orders {
		subject := of("reference", "Patient/"+l.who.id)
		for i, row := range l.rows {
			row := resultRow{row, l.worded}
			own := func(kind string) string { return id(kind, l.requisition, strconv.Itoa(i)) }
			d := doctors[l.doctor]
			doctor := marked(resource("Practitioner", own("orderer"), "name", list{of("text", strings.ToUpper(d.family+","+d.given))},
				"identifier", list{of("system", npiSystem, "value", d.npi)}), source(fromQuest))
			site, practice := l.office.location(own("site")), l.office.practice(own("practice"))
			people.fold(d.npi, doctor)
			sites.fold(l.office.name, site)
			practices.fold(l.office.name, practice)
			request := l.request(own("order"), subject, doctor, site)
			requests.add(l.requisition, request)
			requests.of[l.requisition] = &request

			var specimen, result object
			if !l.collected.IsZero() {
				specimen = l.specimen(own("specimen"), subject, doctor, request)
				specimens = append(specimens, specimen)
			}
			if row.value != "" {
				result = *observations.fold(row.loinc+" "+row.short+" "+row.value+" "+row.unit, row.observation(own("result"), subject))
			}
			key := row.comment
			if key == "" {
				key = l.requisition + " " + strconv.Itoa(i)
			}
			report := reports.fold(key, l.report(row, own("report"), subject, request, specimen))
			*report = withResult(*report, result)
		}
		if l.diagnosis != "" {
			conditions.fold(l.diagnosis, marked(resource("Condition", id("condition", l.requisition), "subject", subject,
				"clinicalStatus", coded(coding(clinicalStatus, "active", "")), "verificationStatus", coded(coding(verifiedStatus, "confirmed", "")),
				"code", coded(coding(icdSystem, l.diagnosis, ""))), source(fromQuest)))
		}
	}
	for _, kind := range []*folding{&people, &reports, &conditions, &sites, &observations, &practices, &requests} {
		all = append(all, kind.all()...)
	}
	return append(all, specimens...)
}

func (l laboratoryOrder) request(id string, subject, doctor, site object) object {
	procedure := coding(snomedSystem, "108252007", "Laboratory procedure")
	return marked(resource("ServiceRequest", id, "status", "completed", "intent", "original-order", "subject", subject,
		"category", list{coded(procedure)}, "requester", reference(doctor, ""), "code", of("text", l.name, "coding", list{procedure}),
		"requisition", of("system", "http://questdiagnostics.com/requisition-number", "value", l.requisition),
		"locationReference", list{reference(site, "")}), source(fromQuest))
}

func (l laboratoryOrder) specimen(id string, subject, doctor, request object) object {
	var method object
	if strings.Contains(l.name, "URINE CLEAN CATCH") {
		method = coded(coding(snomedSystem, "225113003", "Timed urine collection"))
	}
	return marked(resource("Specimen", id, "status", "available", "subject", subject,
		"collection", of("collector", reference(doctor, ""), "collectedDateTime", l.collected, "method", method),
		"request", list{reference(request, "")}), source(fromQuest))
}

// withResult adds a result to a report, at the place where the converter has it.
func withResult(report, result object) object {
	if result == nil {
		return report
	}
	results := list{}
	for _, m := range report {
		if had, ok := m.value.(list); ok && m.name == "result" {
			results = append(results, had...)
		}
	}
	return append(report.without("result"), member{"result", append(results, reference(result, ""))})
}

// resultRow is a row with what the sender's terminology adds.
type resultRow struct {
	worded
	inWords bool
}

func (row resultRow) loincCoding() object {
	if !row.inWords {
		return coding(loincSystem, row.loinc, "")
	}
	return coding(loincSystem, row.loinc, loincNames[row.loinc])
}

func (l laboratoryOrder) report(row resultRow, id string, subject, request, specimen object) object {
	day := l.collected
	if day.IsZero() {
		day = l.served
	}
	var specimens, form list
	if specimen != nil {
		specimens = list{reference(specimen, "")}
	}
	if strings.TrimSpace(row.comment) != "" {
		form = list{of("contentType", "text/plain", "data", base64.StdEncoding.EncodeToString([]byte(row.comment)))}
	}
	return marked(resource("DiagnosticReport", id, "status", "final", "effectiveDateTime", day, "issued", l.served,
		"basedOn", list{reference(request, "")},
		"identifier", list{
			of("system", "https://questdiagnostics.com/identifier/accession", "value", "EX"+l.requisition[:7]),
			of("system", "https://questdiagnostics.com/identifier/requisition", "value", l.requisition)},
		"subject", subject, "code", coded(row.loincCoding()), "specimen", specimens,
		"category", list{coded(coding(diagnosticKind, "LAB", "Laboratory"))}, "presentedForm", form), source(fromQuest))
}

func (row resultRow) observation(id string, subject object) object {
	status := "final"
	if strings.HasPrefix(row.comment, "TEST NOT PERFORMED") {
		status = "cancelled"
	}
	var quantity object
	text := row.value
	if _, err := strconv.ParseFloat(row.value, 64); err == nil && row.unit != "" {
		quantity, text = of("value", jsonRaw(row.value), "unit", row.unit), ""
	}
	var notes, flags list
	if row.comment != "" {
		notes = list{of("text", row.comment)}
	}
	if row.flag != "" {
		flags = list{coded(coding(interpSystem, row.flag, map[string]string{"A": "Abnormal", "N": "Normal", "H": "High", "L": "Low"}[row.flag]))}
	}
	return marked(resource("Observation", id, "status", status, "subject", subject,
		"category", list{coded(coding(observationKind, "laboratory", "Laboratory"))},
		"valueQuantity", quantity, "valueString", text, "referenceRange", row.limits(), "interpretation", flags,
		"code", of("text", row.short, "coding", list{row.loincCoding(), coding("http://questdiagnostics.com/local-result-code", "8"+row.loinc[:4], row.short)}),
		"note", notes), source(fromQuest))
}

// limits is the reference range; a range in words alone is lost in the conversion.
func (row resultRow) limits() list {
	low, high := object(nil), object(nil)
	if row.low != "" {
		low = of("value", jsonRaw(row.low))
	}
	if row.high != "" {
		high = of("value", jsonRaw(row.high))
	}
	switch {
	case low != nil && high != nil:
		return list{of("text", row.low+"-"+row.high, "low", low, "high", high)}
	case high != nil:
		return list{of("text", "< OR = "+row.high, "high", high)}
	case low != nil:
		return list{of("text", "> OR = "+row.low, "low", low)}
	default:
		return nil
	}
}

func (o office) location(id string) object {
	var telecom list
	if o.phone != "" {
		telecom = list{of("system", "phone", "value", o.phone)}
	}
	return marked(resource("Location", id, "status", "active", "name", strings.ToUpper(o.name),
		"address", of("city", strings.ToUpper(o.city), "state", "CA", "postalCode", o.zip, "line", list{strings.ToUpper(o.line)}), "telecom", telecom), source(fromQuest))
}

func (o office) practice(id string) object {
	var telecom list
	if o.phone != "" {
		telecom = list{of("system", "phone", "value", o.phone)}
	}
	return marked(resource("Organization", id, "name", strings.ToUpper(o.name), "telecom", telecom), source(fromQuest))
}

// loincNames are the words that the sender's terminology has for codes.
var loincNames = func() map[string]string {
	names := map[string]string{}
	for _, p := range panels {
		for _, a := range p.analytes {
			names[a.loinc] = a.name
		}
	}
	return names
}()

// row is a measured value as the laboratory network sends it.
func (a analyte) row(r *rand.Rand, value float64, critical bool) worded {
	text := strconv.FormatFloat(value, 'f', a.digits, 64)
	row := worded{loinc: a.loinc, short: a.short, value: text, unit: a.unit, high: strconv.FormatFloat(a.high, 'f', a.digits, 64), flag: a.flag(value)}
	if a.low > 0 {
		row.low = strconv.FormatFloat(a.low, 'f', a.digits, 64)
	}
	if critical {
		row.comment = "CRITICAL RESULT CALLED TO THE ORDERING OFFICE, READ BACK BY CHARGE NURSE, " + strconv.Itoa(1+r.IntN(12)) + ":" + strconv.Itoa(10+r.IntN(50)) + "."
	}
	if len(row.flag) == 2 && oneIn(r, 2) { // the network itself mostly knows high and low
		row.flag = row.flag[:1]
	}
	return row
}
