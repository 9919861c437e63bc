package web

import (
	"fmt"
	"strings"

	"carebell/db"
	"carebell/views"
	"carebell/web/care"
)

func (s *Server) rows(list []db.Notification, canMark bool) []views.Row {
	out := make([]views.Row, len(list))
	for i, n := range list {
		out[i] = s.row(n, canMark)
	}
	return out
}

// row puts a notification into the words people read. What is not known is said, never guessed.
func (s *Server) row(n db.Notification, canMark bool) views.Row {
	clock := s.clock()
	r := views.Row{
		ID: n.ID, Kind: string(n.Kind), Patient: patientView(n.Patient),
		Happened: clock.At(n.EventAt), Received: clock.At(n.ReceivedAt),
		Deliveries: n.Deliveries, CanMark: canMark, State: "new",
	}
	switch n.State {
	case db.New:
	case db.Seen:
		r.State, r.By, r.ByAt = "seen", n.Mark.SeenBy, clock.At(n.Mark.SeenAt)
	case db.Done:
		r.State, r.By, r.ByAt = "done", n.Mark.DoneBy, clock.At(n.Mark.DoneAt)
	}
	r.Fact, r.FactKnown, r.Detail = fact(n, clock)
	if n.Test {
		r.Flags = append(r.Flags, views.Flag{Text: "test event", Tone: "plain", Help: "Sent from Metriport's dashboard to try the connection"})
	}
	if n.TwinOf != 0 {
		r.Flags = append(r.Flags, views.Flag{Text: "sent again as a new message", Tone: "plain", Help: "The same event came earlier under another message id"})
	}
	return r
}

// fact returns what matters most about a notification, whether it is known, and the rest.
func fact(n db.Notification, clock views.Clock) (text string, known bool, detail string) {
	switch n.Kind {
	case care.Admit:
		return "Reason not yet known", false, "facility and class not yet known"
	case care.Transfer:
		if len(n.Moves) == 0 {
			return "Where to was not sent", false, ""
		}
		last := n.Moves[len(n.Moves)-1]
		return place(last.From) + " → " + place(last.To), true, moves(last, len(n.Moves)-1)
	case care.Discharge:
		if length := clock.At(n.DischargeAt).Since(clock.At(n.AdmitAt)); length != "" {
			return "Discharged after " + length, true, "disposition not sent · reason and facility not yet known"
		}
		return "Discharged", true, "length of stay not known · disposition not sent"
	case care.Pharmacy:
		return "Drug not yet known", false, "a pharmacy dispensed a drug"
	case care.Lab:
		return "Test not yet known", false, "a laboratory sent results"
	case care.Summary:
		return "Discharge summary received", true, "not yet read"
	}
	return "", false, ""
}

func place(name string) string {
	if name == "" {
		return "place not sent"
	}
	return name
}

// moves describes the last move of a transfer beside its places.
func moves(last care.Move, earlier int) string {
	var parts []string
	if last.FromType != "" && last.ToType != "" {
		parts = append(parts, last.FromType+" → "+last.ToType)
	}
	switch {
	case earlier == 1:
		parts = append(parts, "1 earlier move folded")
	case earlier > 1:
		parts = append(parts, fmt.Sprintf("%d earlier moves folded", earlier))
	}
	return strings.Join(parts, " · ")
}

func patientView(p db.Patient) views.Patient {
	return views.Patient{ID: p.ID, ExternalID: p.ExternalID, Name: p.Name, BirthDate: p.BirthDate}
}
