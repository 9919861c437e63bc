package sim

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// draw is one specimen and what was found in it.
type draw struct {
	who      person
	what     int // index into panels
	critical bool
	doctor   int
	lab      string
	at       time.Time // collected
	sent     time.Time
}

var interpretations = map[string]string{
	"LL": "Critical low", "HH": "Critical high", "L": "Low", "H": "High", "N": "Normal", "A": "Abnormal",
}

// bundle is the FHIR bundle behind a laboratory notification.
func (d draw) bundle(r *rand.Rand) object {
	patient, doctor, lab := d.who.resource(false), practitioner(d.doctor), organization(d.lab)
	status := pick(r, []string{"final", "final", "final", "final", "preliminary", "corrected"})
	observations := d.observations(r, patient, status)
	results := list{}
	for _, o := range observations {
		results = append(results, reference(o, ""))
	}
	p, conclusion := panels[d.what], ""
	if d.critical && len(p.analytes) > 0 && p.analytes[0].critHigh > 0 { // the others know no critical value
		conclusion = "Critical result called to the ordering practice."
	}
	report := resource("DiagnosticReport", uuid4(r),
		"status", status,
		"category", list{concept("http://terminology.hl7.org/CodeSystem/v2-0074", "LAB", "Laboratory")},
		"code", concept(loincSystem, p.loinc, p.name),
		"subject", reference(patient, ""),
		"effectiveDateTime", d.at, "issued", d.sent,
		"performer", list{reference(lab, d.lab)},
		"resultsInterpreter", list{reference(doctor, doctorName(d.doctor))},
		"result", results,
		"conclusion", conclusion)
	all := append([]object{patient, report}, observations...)
	if oneIn(r, 3) {
		all = append(append([]object{report}, observations...), patient)
	}
	all = append(all, doctor, lab)
	for i, o := range all {
		all[i] = marked(o, source(fromQuest))
	}
	return bundle(bundleKind(r), d.sent, all...)
}

func (d draw) observations(r *rand.Rand, patient object, status string) (out []object) {
	// Some laboratories send no interpretation at all; the reader has to compare with the range.
	silent := oneIn(r, 5)
	common := func(loinc, name string) []any {
		return []any{
			"status", status,
			"category", list{concept("http://terminology.hl7.org/CodeSystem/observation-category", "laboratory", "Laboratory")},
			"code", concept(loincSystem, loinc, name),
			"subject", reference(patient, ""),
			"effectiveDateTime", d.at,
		}
	}
	for i, a := range panels[d.what].analytes {
		measured := a.measure(r, d.critical && i == 0)
		value, flag := number(measured, a.digits), a.flag(measured)
		quantity := of("value", value, "unit", a.unit, "system", ucumSystem, "code", a.unit)
		out = append(out, resource("Observation", uuid4(r), append(common(a.loinc, a.name),
			"valueQuantity", quantity, "interpretation", interpretation(flag, silent), "referenceRange", a.reference())...))
	}
	for _, w := range panels[d.what].words {
		if len(panels[d.what].analytes) == 0 {
			out = append(out, resource("Observation", uuid4(r), append(common(w.loinc, w.short), "valueString", w.value, "interpretation", interpretation(w.flag, silent))...))
		}
	}
	if len(out) == 0 {
		p, w := panels[d.what], pick(r, wordResults)
		var coded object
		if w.snomed != "" {
			coded = concept(snomedSystem, w.snomed, w.say)
		}
		out = append(out, resource("Observation", uuid4(r), append(common(p.loinc, p.name),
			"valueString", w.text, "valueCodeableConcept", coded, "interpretation", interpretation(w.flag, silent))...))
	}
	return out
}

func interpretation(flag string, silent bool) list {
	if silent {
		return nil
	}
	return list{concept(interpSystem, flag, interpretations[flag])}
}

// measure draws a value. Most are normal.
func (a analyte) measure(r *rand.Rand, critical bool) float64 {
	span := a.high - a.low
	v := a.low + r.Float64()*span
	switch {
	case critical && a.critLow > 0 && oneIn(r, 3):
		v = a.critLow * (0.85 + 0.14*r.Float64())
	case critical && a.critHigh > 0:
		v = a.critHigh * (1.01 + 0.12*r.Float64())
	case oneIn(r, 6):
		v = a.high + 0.3*span*r.Float64()
	case oneIn(r, 12) && a.low > 0:
		v = math.Max(0, a.low-0.2*span*r.Float64())
	}
	scale := math.Pow10(a.digits)
	return math.Round(v*scale) / scale
}

// flag says where a value lies.
func (a analyte) flag(v float64) string {
	switch {
	case a.critLow > 0 && v < a.critLow:
		return "LL"
	case a.critHigh > 0 && v > a.critHigh:
		return "HH"
	case v < a.low:
		return "L"
	case v > a.high:
		return "H"
	default:
		return "N"
	}
}

func (a analyte) reference() list {
	text := fmt.Sprintf("%v - %v %s", a.low, a.high, a.unit)
	high := of("value", number(a.high, a.digits), "unit", a.unit)
	if a.low == 0 { // one-sided ranges carry no low
		return list{of("high", high, "text", fmt.Sprintf("≤ %v %s", a.high, a.unit))}
	}
	return list{of("low", of("value", number(a.low, a.digits), "unit", a.unit), "high", high, "text", text)}
}

// number keeps the digits a laboratory reports: 4.0, not 4.
func number(v float64, digits int) json.RawMessage {
	return json.RawMessage(strconv.FormatFloat(v, 'f', digits, 64))
}
