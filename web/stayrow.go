package web

import (
	"strings"
	"time"

	"carebell/db"
	"carebell/views"
	"carebell/web/care"
)

// joinWords are why accounts of a stay were taken for one.
var joinWords = map[care.Join]string{
	care.JoinAdmit:    "they have the same admit time",
	care.JoinFacility: "the facility is the same, and the admit times differ by minutes",
	care.JoinCause:    "facility and reason or diagnosis are the same, and the times overlap",
	care.JoinNear:     "the admit times are within an hour of each other, and nothing else says that they are two",
	care.JoinRunning:  "what came without an admit time happened while the stay was running",
}

func (s *Server) stayRow(st db.Stay) views.StayRow {
	clock, f := s.clock(), st.Facts
	row := views.StayRow{
		ID: st.ID, Admitted: clock.At(st.AdmitAt), Discharged: clock.At(st.DischargeAt), Ended: st.Ended, Notices: st.Notices,
		Facility: f.Facility, Class: f.Class, Diagnoses: f.Diagnoses, Disposition: f.Disposition, Attending: seenBy(f.Encounter), Exchanges: exchangeNames(f.Exchanges),
		VisitNumbers: f.VisitNumbers, Sources: s.staySources(st),
	}
	if len(f.Reasons) > 0 {
		row.Reason = f.Reasons[0]
	}
	switch {
	case row.Discharged.Known():
		row.Length = row.Discharged.Since(row.Admitted)
	case row.Admitted.Known() && !st.Ended:
		if so := clock.At(clock.Now).Since(row.Admitted); so != "" {
			row.Length = "for " + so + " so far"
		}
	}
	for _, m := range st.Moves {
		row.Moves = append(row.Moves, views.Move{At: clock.At(m.Time()), From: place(m.From), To: place(m.To)})
	}
	for _, a := range f.Accounts {
		row.Accounts = append(row.Accounts, views.Account{
			Exchanges: exchangeNames(a.Exchanges), Facility: orMissing(a.Facility, "facility not sent"), Admitted: clock.At(unixMilli(a.AdmitAt)),
			Discharged: clock.At(unixMilli(a.DischargeAt)), Ended: a.Ended, Notices: len(a.MessageIDs), IDs: append(a.VisitNumbers, a.EncounterIDs...),
		})
	}
	if len(f.Accounts) == 0 && len(f.EncounterIDs) > 1 {
		row.Encounters = f.EncounterIDs
	}
	for _, j := range f.Joined {
		row.Joined = append(row.Joined, joinWords[j])
	}
	return row
}

func exchangeNames(codes []string) []string {
	out := make([]string, len(codes))
	for i, code := range codes {
		out[i] = care.ExchangeName(code)
	}
	return out
}

// seenBy is who attends, else whom the patient was seen by; "" where nobody was named.
func seenBy(e care.Encounter) string {
	if e.Attending == "" && len(e.SeenBy) > 0 {
		return "seen by " + strings.Join(e.SeenBy, ", ")
	}
	return e.Attending
}

// unixMilli is an instant in milliseconds UTC; 0 is none.
func unixMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
