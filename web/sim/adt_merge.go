package sim

import (
	"slices"
	"strings"
)

// folded is the file after one more message of the same encounter, as the sender folds them: an Encounter without any
// time is dropped, those that begin at the same time become one, and the others stand one after the other, the older
// message's first; conditions, people and places that say the same become one.
func (f adtFile) folded(next adtFile) adtFile {
	out := adtFile{id: f.id, patient: next.patient, merged: true}
	for _, e := range append(slices.Clone(f.encounters), next.encounters...) {
		begins := e.begins()
		if begins == "" {
			continue
		}
		same := slices.IndexFunc(out.encounters, func(o object) bool { return o.begins() == begins })
		if same < 0 {
			out.encounters = append(out.encounters, e)
		} else {
			out.encounters[same] = foldEncounters(out.encounters[same], e)
		}
	}
	fold := func(a, b []object) (all []object) {
		for _, r := range append(slices.Clone(a), b...) {
			same := slices.IndexFunc(all, func(o object) bool { return o.get("id") == r.get("id") })
			if same < 0 {
				all = append(all, named(r))
			} else {
				all[same] = marked(all[same], foldedIn(r.get("resourceType")+"/"+r.get("id")))
			}
		}
		return all
	}
	for i, e := range out.encounters {
		reasons, _ := e.find("reasonCode").(list)
		said := list{}
		for _, r := range reasons {
			if concept, ok := r.(object); ok {
				said = append(said, inWords(concept))
			}
		}
		out.encounters[i] = e.set("reasonCode", said)
	}
	out.conditions, out.people, out.places = fold(f.conditions, next.conditions), fold(f.people, next.people), fold(f.places, next.places)
	return out
}

// begins is when an Encounter begins, else when it ends, "" where neither was sent.
func (o object) begins() string {
	period, _ := o.find("period").(object)
	for _, name := range []string{"start", "end"} {
		if t := period.find(name); t != nil {
			return string(encode(t))
		}
	}
	return ""
}

// find returns the member of that name, nil where there is none.
func (o object) find(name string) any {
	for _, m := range o {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// set is o with a member in place of the one of that name.
func (o object) set(name string, value any) object {
	if absent(value) {
		return o
	}
	out := slices.Clone(o)
	for i, m := range out {
		if m.name == name {
			out[i].value = value
			return out
		}
	}
	return append(out, member{name, value})
}

// severity orders classes as the sender does where two people tell of one encounter: the more severe one stays.
var severity = []string{"IMP", "EMER", "SS", "AMB"}

// foldEncounters is one Encounter out of two that begin at the same time: it has ended where either has; a later message
// of the same doctor says anew of what class it is.
func foldEncounters(a, b object) object {
	out := a
	if b.get("status") == "finished" {
		out = out.set("status", "finished")
	}
	class := func(o object) int {
		c, _ := o.find("class").(object)
		if i := slices.Index(severity, c.get("code")); i >= 0 {
			return i
		}
		return len(severity)
	}
	sameDoctor := string(encode(a.find("participant"))) == string(encode(b.find("participant")))
	if sameDoctor || class(b) < class(a) {
		out = out.set("class", b.find("class"))
	}
	if period, _ := b.find("period").(object); period.find("end") != nil {
		had, _ := a.find("period").(object)
		out = out.set("period", had.set("end", period.find("end")))
	}
	for _, name := range []string{"reasonCode", "diagnosis", "participant", "location"} {
		had, _ := a.find(name).(list)
		more, _ := b.find(name).(list)
		both := slices.Clone(had)
		for _, m := range more { // a reason that was folded before has words as text by now, so that the same one comes again
			if !slices.ContainsFunc(both, func(o any) bool { return string(encode(o)) == string(encode(m)) }) {
				both = append(both, m)
			}
		}
		if both != nil {
			out = out.set(name, both)
		}
	}
	return marked(out, foldedIn("Encounter/"+b.get("id")))
}

// named is a folded condition: its words repeated as text, and whether the sender takes it for chronic.
func named(r object) object {
	if r.get("resourceType") != "Condition" {
		return r
	}
	code, _ := r.find("code").(object)
	if !slices.ContainsFunc(extensions(r), func(x object) bool { return x.get("url") == relatedConditionURL }) {
		kind, say := "NC", "Not Chronic"
		if codings, _ := code.find("coding").(list); len(codings) > 0 {
			if c, ok := codings[0].(object); ok && strings.ContainsAny((c.get("code") + " ")[:1], "EIN") {
				kind, say = "C", "Chronic"
			}
		}
		r = marked(r, of("url", relatedConditionURL, "valueCoding", of("code", kind, "display", say, "system", extensionBase+"/condition-chronicity.json")))
	}
	return r.set("code", inWords(code))
}

// inWords is a concept whose first display is repeated as text.
func inWords(concept object) object {
	codings, _ := concept.find("coding").(list)
	if len(codings) == 0 {
		return concept
	}
	first, _ := codings[0].(object)
	return concept.set("text", first.get("display"))
}
