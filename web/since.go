package web

import (
	"time"

	"carebell/db"
	"carebell/views"
)

// sitting is how long after a look another one belongs to it: who goes to a file and comes back, or loads the page again, still
// sees what came since they last looked.
const sitting = 15 * time.Minute

// mostSince is how many things a page names of those that came since its reader last looked.
const mostSince = 6

// since is what of a patient's page came after its reader last looked. It asks for nothing: it chooses from what the page has read.
func (s *Server) since(p views.PatientDetail, look db.Look) views.SinceLook {
	out := views.SinceLook{At: s.clock().At(look.At)}
	if look.At.IsZero() {
		return out
	}
	for _, r := range p.Rows {
		if r.Received.After(out.At) {
			out.Rows = append(out.Rows, r)
		}
	}
	out.More = max(look.Since, len(out.Rows))
	out.Rows = out.Rows[:min(len(out.Rows), mostSince)]
	out.More -= len(out.Rows)
	for _, m := range p.Messages {
		if m.Received.After(out.At) {
			out.Messages++
		}
	}
	for _, f := range append(p.Files[:len(p.Files):len(p.Files)], p.DataFiles...) {
		if f.Queued.After(out.At) {
			out.Files++
		}
	}
	return out
}

// recentStay is how long after a discharge a patient's page says at its head that there was one: the time in which an admit
// elsewhere counts as a readmission.
const recentStay = 30 * 24 * time.Hour

// stayNow says in a few words where a patient is, as far as notices say; the latest stay is the first.
func (s *Server) stayNow(stays []db.Stay) views.StayNow {
	if len(stays) == 0 {
		return views.StayNow{Text: "No stay known", Tone: "none"}
	}
	st, clock := stays[0], s.clock()
	at, where := clock.At(st.DischargeAt), st.Facts.Facility
	switch {
	case !st.Ended:
		text := "Admitted"
		if where != "" {
			text += " to " + where
		}
		if admitted := clock.At(st.AdmitAt); admitted.Known() {
			text += " since " + admitted.Short()
		}
		return views.StayNow{Text: text, Tone: "in", Help: "No discharge notice came. One that the hospital cancelled is not told either"}
	case !at.Known():
		return views.StayNow{Text: joined(" ", "Discharged", from(where)) + ", discharge time not sent", Tone: "none"}
	case clock.Now.Sub(st.DischargeAt) > recentStay:
		return views.StayNow{Text: "Last discharged " + at.Date(), Tone: "none"}
	default:
		return views.StayNow{Text: joined(" ", "Discharged", at.Short(), from(where), to(st.Facts.Disposition)), Tone: "out"}
	}
}

func from(place string) string {
	if place == "" {
		return ""
	}
	return "from " + place
}

func to(place string) string {
	if place == "" {
		return ""
	}
	return "→ " + place
}
