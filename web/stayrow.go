package web

import (
	"carebell/db"
	"carebell/views"
)

func (s *Server) stayRow(st db.Stay) views.StayRow {
	clock := s.clock()
	row := views.StayRow{
		ID: st.ID, Admitted: clock.At(st.AdmitAt), Discharged: clock.At(st.DischargeAt), Notices: st.Notices,
		Facility: st.Facts.Facility, Diagnoses: st.Facts.Diagnoses, Attending: st.Facts.Attending, Numbers: st.Facts.VisitNumbers,
		Sources: s.staySources(st),
	}
	if len(st.Facts.EncounterIDs) > 1 {
		row.Encounters = st.Facts.EncounterIDs
	}
	if st.Facts.Class != "" {
		row.Class = class(st.Facts.Encounter)
	}
	if len(st.Facts.Reasons) > 0 {
		row.Reason = st.Facts.Reasons[0]
	}
	switch {
	case row.Discharged.Known():
		row.Length = row.Discharged.Since(row.Admitted)
	case row.Admitted.Known():
		if so := clock.At(clock.Now).Since(row.Admitted); so != "" {
			row.Length = "for " + so + " so far"
		}
	}
	for _, m := range st.Moves {
		row.Moves = append(row.Moves, views.Move{At: clock.At(m.Time()), From: place(m.From), To: place(m.To)})
	}
	return row
}
