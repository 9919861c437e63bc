package web

import (
	"strings"

	"carebell/db"
	"carebell/web/care"
)

// feedHead is the head of an export of notifications. New columns come at the end, so that what reads the others goes on.
// What happened on a day that was sent without a time stands there as that day, whatever the zone.
func feedHead(zone string) []string {
	return []string{
		"Kind", "Patient", "Birth date", "Your id", "Metriport id", "Happened (" + zone + ")", "Received (" + zone + ")", "What", "More", "Flags", "State", "By",
		"Exchange", "Hospital delay (s)", "Network delay (s)", "Here (s)",
		"Prescribed or ordered by", "NPI", "Phone", "Address", "Pharmacy or site", "Pharmacy or site phone", "Pharmacy or site address", "Specimen", "Notes or directions",
	}
}

// line is a notification as a line of an export: what its row says, and what a row has no room for.
func (w wording) line(n db.Notification) []string {
	r, took := w.row(n), delayOf(n)
	flags := make([]string, len(r.Flags))
	for i, f := range r.Flags {
		flags[i] = f.Text
	}
	by, place, specimen, notes := beyondRow(n.Facts)
	return []string{
		r.Kind, n.Patient.Name, n.Patient.BirthDate, n.Patient.ExternalID, n.PatientID, r.Happened.Sortable(), r.Received.Sortable(),
		r.Fact, r.Detail, strings.Join(flags, "; "), r.State, r.By,
		exchange(n), seconds(took.hospital), seconds(took.network), seconds(took.here),
		by.Name, by.NPI, by.Phone, by.Address, place.Name, place.Phone, place.Address, specimen, notes,
	}
}

// beyondRow is what an export says beside the words of the row: who prescribed or ordered it and how to reach them, the
// pharmacy or the site, the specimen, and the notes whole.
func beyondRow(f care.Facts) (by, place care.Contact, specimen, notes string) {
	if len(f.Fills) > 0 {
		return f.Fills[0].Prescriber, f.Fills[0].Pharmacy, "", f.Fills[0].Dosage
	}
	panel, _, _ := worst(f.Panels)
	if panel == nil {
		return by, place, "", ""
	}
	var all []string
	for _, p := range f.Panels {
		all = append(all, p.Conclusion, p.Text)
		all = append(all, p.Notes...)
		for _, r := range p.Results {
			for _, note := range r.Notes {
				if r.Name != "" {
					note = r.Name + ": " + note
				}
				all = append(all, note)
			}
		}
	}
	var text rowText
	text.add(all...)
	return panel.OrderedBy, panel.Site, panel.Specimen, strings.Join(text.detail, "\n")
}
