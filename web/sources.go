package web

import (
	"slices"
	"strings"
	"time"

	"carebell/db"
	"carebell/views"
	"carebell/web/care"
	"carebell/web/metriport"
)

// noticeWords are the messages that carry records, as a record is said to have come "with …".
var noticeWords = map[metriport.Type]string{
	metriport.PatientAdmit: "the admit notice", metriport.PatientTransfer: "the transfer notice", metriport.PatientDischarge: "the discharge notice",
	metriport.PatientPharmacy: "the pharmacy notice", metriport.PatientLaboratory: "the laboratory notice",
	metriport.DischargeSummary: "the discharge summary", metriport.DischargeSummaryBatch: "the discharge summary",
	metriport.NetworkQueryHIE: "the network query", metriport.NetworkQueryPharmacy: "the network query", metriport.NetworkQueryLab: "the network query",
	metriport.FirstDataReady: "the network query", metriport.ConsolidatedData: "the consolidated data", metriport.MessageReceived: "the message",
}

const fromEvents = "from Metriport’s events"

// sourceList says where facts are from; what has the same source is said once.
type sourceList []views.Source

func (l *sourceList) add(label, from string) {
	for i := range *l {
		if (*l)[i].From == from {
			(*l)[i].Labels = append((*l)[i].Labels, label)
			return
		}
	}
	*l = append(*l, views.Source{Labels: []string{label}, From: from})
}

// fromRecord is the record that came with a message, and who told it; at may be zero, and by is the code of an exchange.
func (s *Server) fromRecord(with string, at time.Time, by string) string {
	text := "from the record sent with " + orMissing(with, "a message")
	if !at.IsZero() {
		text += " of " + s.clock().At(at).Short()
	}
	if by != "" {
		text += ", by " + care.ExchangeName(by)
	}
	return text
}

// identitySources says where each thing at the head of a patient's page is from. A correction wins over records.
func (s *Server) identitySources(h db.PatientHead) []views.Source {
	var out sourceList
	for _, f := range []struct{ field, label, shown string }{
		{"name", "Name", h.Name}, {"birth_date", "Birth date", h.BirthDate}, {"sex", "Sex", h.Sex}, {"phone", "Phone", h.Phone},
		{"deceased", "Deceased", h.Deceased}, {"external_id", "Your id", h.ExternalID},
	} {
		if f.shown == "" {
			continue
		}
		if i := slices.IndexFunc(h.Corrections, func(c db.Correction) bool { return c.Field == f.field }); i >= 0 {
			c := h.Corrections[i]
			by, _, _ := strings.Cut(c.By, "@")
			out.add(f.label, "corrected by "+by+" on "+s.clock().At(c.At).Short())
			continue
		}
		i := slices.IndexFunc(h.Sources, func(from db.Source) bool { return from.Field == f.field })
		switch {
		case i < 0: // its message is not in the inbox, which cannot be
		case f.field == "external_id":
			out.add(f.label, "from Metriport’s event of "+s.clock().At(h.Sources[i].At).Short())
		default:
			out.add(f.label, s.fromRecord(noticeWords[metriport.Type(h.Sources[i].Type)], h.Sources[i].At, h.Sources[i].Exchange))
		}
	}
	if len(h.Aliases) > 0 {
		out.add("Ids in other systems", fromEvents)
	}
	return out
}

// staySources says where each fact of a stay is from.
func (s *Server) staySources(st db.Stay) []views.Source {
	var out sourceList
	_, admitInRecord := st.Facts.Sources[care.SaidAdmit]
	_, dischargeInRecord := st.Facts.Sources[care.SaidDischarge]
	if !st.AdmitAt.IsZero() && !admitInRecord {
		out.add("Admitted", fromEvents)
	}
	if !st.DischargeAt.IsZero() && !dischargeInRecord {
		out.add("Discharged", fromEvents)
	}
	if len(st.Moves) > 0 {
		out.add("Moves", fromEvents)
	}
	attending := "Attending"
	if st.Facts.Attending == "" {
		attending = "Seen by"
	}
	for _, f := range []struct{ what, label string }{
		{care.SaidAdmit, "Admitted"}, {care.SaidDischarge, "Discharged"},
		{care.SaidFacility, "Facility"}, {care.SaidClass, "Class"}, {care.SaidReason, "Reason"}, {care.SaidDiagnoses, "Diagnoses"}, {care.SaidAttending, attending},
	} {
		if from, ok := st.Facts.Sources[f.what]; ok {
			var at time.Time
			if from.At != 0 {
				at = time.UnixMilli(from.At)
			}
			out.add(f.label, s.fromRecord("the "+string(from.Kind)+" notice", at, from.Exchange))
		}
	}
	return out
}
