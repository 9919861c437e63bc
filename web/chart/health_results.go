package chart

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"carebell/web/care"
	"carebell/web/fhir"
	"carebell/web/metriport"
)

// vitals are the LOINC codes of vital signs, with the one that all ways to measure the same have in common.
var vitals = map[string]string{
	"85354-9": bloodPressure, "55284-4": bloodPressure, "8480-6": bloodPressure, "8462-4": bloodPressure,
	"8867-4": "8867-4", "68999-2": "8867-4", // heart rate
	"9279-1": "9279-1",                                                             // respiratory rate
	"8310-5": "8310-5", "8331-1": "8310-5", "8328-7": "8310-5", "8333-7": "8310-5", // body temperature
	"59408-5": "59408-5", "2708-6": "59408-5", "2710-2": "59408-5", // oxygen saturation
	"29463-7": "29463-7", "3141-9": "29463-7", "3142-7": "29463-7", // weight
	"8302-2": "8302-2", "8306-3": "8302-2", "3137-7": "8302-2", "3138-5": "8302-2", // height
	"39156-5": "39156-5",                    // body mass index
	"8287-5":  "8287-5", "9843-4": "8287-5", // head circumference
}

// vitalWords are their names; others are called as they are sent.
var vitalWords = map[string]string{
	bloodPressure: "Blood pressure", "8867-4": "Heart rate", "9279-1": "Respiratory rate", "8310-5": "Temperature", "59408-5": "Oxygen saturation",
	"29463-7": "Weight", "8302-2": "Height", "39156-5": "Body mass index", "8287-5": "Head circumference",
}

const (
	bloodPressure = "85354-9"
	systolic      = "8480-6"
	diastolic     = "8462-4"
)

// history are LOINC codes of what is asked and not measured, which some send without a category.
var history = map[string]bool{"72166-2": true, "11367-0": true, "76689-9": true, "76690-7": true, "46098-0": true, "63513-6": true, "11341-5": true, "8661-1": true}

// observation is a vital sign, or a result of a laboratory. What else is observed, such as how somebody lives, is neither.
func (f *folder) observation(s fhir.Statement) {
	o := s.Value
	code := codeOf(s, fhir.LOINC)
	vital := vitals[code]
	category := strings.ToLower(o.Category)
	switch {
	case vital != "" || category == "vital-signs":
		f.vital(s, vital)
		return
	case history[code], category != "" && category != "laboratory" && category != "lab" && s.Report == nil:
		return
	}
	at := timeText(s.At)
	for _, r := range results(*o, s.At) {
		said := saidOf(s)
		said.At, said.Status = at, ""
		value := r
		value.At = ""
		said.Result, said.Panel, said.Words = &value, f.panel(s.Report), cmp.Or(r.Name, s.What.Text)
		as := []string{"words:" + clipped(care.PlainWords(said.Words))}
		if r.Name == "" || r.Name == o.Code.Text {
			if code != "" {
				as = []string{"loinc:" + code}
				said.Code = "LOINC " + code
			}
		} else if fhir.System(componentSystem(o, r)) == fhir.LOINC {
			as = []string{"loinc:" + strings.ToUpper(r.Code)}
		}
		if as[0] == "words:" {
			continue
		}
		f.add(care.SectionResults, as, said, s.Exchanges, nil)
	}
}

// componentSystem is the code system of the component that a result is made of.
func componentSystem(o *fhir.Observation, r care.Result) string {
	for _, c := range o.Components {
		if c.Code.Code == r.Code && c.Code.Text == r.Name {
			return c.Code.System
		}
	}
	return ""
}

// vital is a vital sign. The two numbers of a blood pressure are one, also where they come as two observations.
func (f *folder) vital(s fhir.Statement, code string) {
	said := saidOf(s)
	said.Status = ""
	said.Words = cmp.Or(vitalWords[code], s.What.Text)
	as := []string{"words:" + clipped(care.PlainWords(said.Words))}
	if code == "" && codeOf(s, fhir.LOINC) != "" {
		code = codeOf(s, fhir.LOINC)
	}
	if code != "" {
		as = []string{"loinc:" + code}
	}
	if code != bloodPressure {
		all := results(*s.Value, s.At)
		if len(all) == 0 || all[0].Value == "" {
			return
		}
		value := all[0]
		value.At = ""
		said.Result = &value
		f.add(care.SectionVitals, as, said, s.Exchanges, nil)
		return
	}
	said.Result, said.Second = part(s, systolic), part(s, diastolic)
	if said.Result == nil && said.Second == nil {
		return
	}
	if said.Result == nil || said.Second == nil {
		other, found := f.halves[said.At]
		if !found || (other.Result == nil) == (said.Result == nil) {
			said.Exchange = firstText(s.Exchanges...)
			if f.halves[said.At] = said; len(f.halves) > mostHalves {
				f.flushHalves()
			}
			return
		}
		said.Result, said.Second = cmp.Or(said.Result, other.Result), cmp.Or(said.Second, other.Second)
		delete(f.halves, said.At)
	}
	f.add(care.SectionVitals, as, said, s.Exchanges, nil)
}

const mostHalves = 2000

// flushHalves takes blood pressures as they are of which only one number came.
func (f *folder) flushHalves() {
	for _, at := range slices.Sorted(maps.Keys(f.halves)) {
		said := f.halves[at]
		var exchanges []string
		if said.Exchange != "" {
			exchanges = []string{said.Exchange}
		}
		f.add(care.SectionVitals, []string{"loinc:" + bloodPressure}, said, exchanges, nil)
	}
	clear(f.halves)
}

// part is one number of a blood pressure.
func part(s fhir.Statement, code string) *care.Result {
	for _, r := range results(*s.Value, s.At) {
		if r.Code == code || len(s.Value.Components) == 0 && codeOf(s, fhir.LOINC) == code {
			r.At = ""
			return &r
		}
	}
	return nil
}

// longestRemark is how much of a report's own text stands beside each of its results, in characters. The file has all of it.
const longestRemark = 1000

// panel is what a report says beside a result; the same report is one panel.
func (f *folder) panel(r *fhir.Report) *care.Panel {
	if r == nil {
		return nil
	}
	if p, ok := f.pages[r]; ok {
		return p
	}
	p := panel(*r)
	p.Results, p.Collected = nil, ""
	p.Text, p.Conclusion = metriport.Clip(p.Text, longestRemark), metriport.Clip(p.Conclusion, longestRemark)
	for i := range p.Notes {
		p.Notes[i] = metriport.Clip(p.Notes[i], longestRemark)
	}
	f.pages[r] = &p
	return &p
}

// report is one without results: the text is all there is, or the test was not performed.
func (f *folder) report(s fhir.Statement) {
	category := strings.ToUpper(s.Report.Category)
	if category != "" && category != "LAB" && category != "LABORATORY" {
		return // a note, an image: it is among the files
	}
	p := panel(*s.Report)
	said := saidOf(s)
	text := cmp.Or(p.Text, p.Conclusion)
	said.Result = &care.Result{Name: cmp.Or(p.Name, s.What.Text), Value: text, Status: p.Status, NotPerformed: p.NotPerformed}
	said.Words, said.Status = said.Result.Name, ""
	p.Results, p.Collected, p.Text, p.Conclusion = nil, "", "", ""
	said.Panel = &p
	f.add(care.SectionResults, names(s, care.PlainWords, fhir.LOINC), said, s.Exchanges, nil)
}
