package web

import (
	"fmt"
	"strings"
	"time"

	"carebell/db"
	"carebell/views"
	"carebell/web/care"
	"carebell/web/fhir"
)

// happened is when the event happened: as the event says it, else as its record does.
func happened(n db.Notification) time.Time {
	if !n.EventAt.IsZero() {
		return n.EventAt
	}
	var text string
	switch f := n.Facts; {
	case len(f.Fills) > 0:
		text = f.Fills[0].Filled
	case len(f.Panels) > 0:
		text = f.Panels[0].Collected
	case f.Summary != nil:
		text = f.Summary.Date
	}
	if t := fhir.ParseTime(text); !t.IsZero() && t.Precision == fhir.Instant {
		return t.Time
	}
	return time.Time{}
}

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
		Happened: clock.At(happened(n)), Received: clock.At(n.ReceivedAt), Placed: clock.At(time.UnixMilli(n.TimelineKey().At)),
		Deliveries: n.Deliveries, CanMark: canMark, State: "new",
	}
	switch n.State {
	case db.New:
	case db.Seen:
		r.State, r.By, r.ByAt = "seen", n.Mark.SeenBy, clock.At(n.Mark.SeenAt)
	case db.Done:
		r.State, r.By, r.ByAt = "done", n.Mark.DoneBy, clock.At(n.Mark.DoneAt)
	}
	var rest []string
	r.Fact, r.FactKnown, r.Flags, rest = s.fact(n, clock)
	r.Detail = strings.Join(rest, " · ")
	if n.Test {
		r.Flags = append(r.Flags, views.Flag{Text: "test event", Tone: "plain", Help: "Sent from Metriport's dashboard to try the connection"})
	}
	if n.TwinOf != 0 && !n.Test { // test events say the same every time
		r.Flags = append(r.Flags, views.Flag{Text: "sent again as a new message", Tone: "plain", Help: "The same event came earlier under another message id"})
	}
	return r
}

// fact returns what matters most about a notification, whether it is known, and the rest. Flags that belong to it come
// third.
func (s *Server) fact(n db.Notification, clock views.Clock) (text string, known bool, flags []views.Flag, rest []string) {
	switch n.Kind {
	case care.Admit:
		text, known = reason(n.Facts.Encounter)
		rest = where(n)
	case care.Transfer:
		text, rest = "Where to was not sent", where(n)
		if len(n.Moves) > 0 {
			last := n.Moves[len(n.Moves)-1]
			text, known = place(last.From)+" → "+place(last.To), true
			rest = append(moves(last, len(n.Moves)-1), rest...)
		}
	case care.Discharge:
		if text, known = reason(n.Facts.Encounter); !known {
			text, known = "Discharged", true
		}
		if length := clock.At(n.DischargeAt).Since(clock.At(n.AdmitAt)); length != "" {
			flags = append(flags, views.Flag{Text: "after " + length, Tone: "plain", Help: "Time from admit to discharge"})
		}
		rest = append(where(n), disposition(n.Facts.Encounter))
	case care.Pharmacy:
		text, known, flags, rest = drug(n)
	case care.Lab:
		text, known, flags, rest = lab(n)
	case care.Summary:
		text, known = "Discharge summary", true
		if d := n.Facts.Summary; d != nil {
			rest = append(where(n), fmt.Sprintf("%d sections", len(d.Sections)))
		}
	}
	return text, known, flags, append(rest, s.recordState(n)...)
}

// reason is why a patient is in hospital: the reason, else the first diagnosis.
func reason(e *care.Encounter) (string, bool) {
	switch {
	case e == nil:
		return "Reason not yet known", false
	case len(e.Reasons) > 0:
		return e.Reasons[0], true
	case len(e.Diagnoses) > 0:
		return e.Diagnoses[0], true
	default:
		return "Reason not sent", false
	}
}

// where is the facility, the class and who attends, each said to be missing where it is.
func where(n db.Notification) []string {
	e := n.Facts.Encounter
	if e == nil {
		if n.Kind == care.Transfer {
			return nil
		}
		return []string{"facility and class not yet known"}
	}
	out := []string{orMissing(e.Facility, "facility not sent"), class(*e)}
	if e.Attending != "" {
		out = append(out, e.Attending)
	}
	return out
}

func class(e care.Encounter) string {
	switch {
	case e.Class == "":
		return "class unknown"
	case e.ClassUnsure:
		return e.Class + " (the sender also says so when it does not know)"
	default:
		return e.Class
	}
}

func disposition(e *care.Encounter) string {
	if e == nil || e.Disposition == "" {
		return "disposition not sent"
	}
	return e.Disposition
}

func orMissing(text, missing string) string {
	if text == "" {
		return missing
	}
	return text
}

func drug(n db.Notification) (text string, known bool, flags []views.Flag, rest []string) {
	if len(n.Facts.Fills) == 0 {
		return "Drug not yet known", false, nil, nil
	}
	f := n.Facts.Fills[0]
	text, known = orMissing(f.Drug, "Drug not sent"), f.Drug != ""
	if f.Status != "" {
		flags = append(flags, views.Flag{Text: f.Status, Tone: "plain", Help: "What the pharmacy says of this fill"})
	}
	rest = fillDetails(f)
	if more := len(n.Facts.Fills) - 1; more > 0 {
		rest = append(rest, fmt.Sprintf("%d more drugs", more))
	}
	return text, known, flags, rest
}

func fillDetails(f care.Fill) []string {
	out := []string{orMissing(f.Quantity, "quantity not sent")}
	if f.DaysSupply != "" {
		out = append(out, f.DaysSupply+" days")
	}
	if f.Prescriber.Name != "" {
		out = append(out, f.Prescriber.Name)
	}
	return out
}

// lab shows the result that matters most: a critical one before one outside the range before the first.
func lab(n db.Notification) (text string, known bool, flags []views.Flag, rest []string) {
	if len(n.Facts.Panels) == 0 {
		return "Test not yet known", false, nil, nil
	}
	var worst care.Result
	var panel care.Panel
	count := 0
	for _, p := range n.Facts.Panels {
		for _, r := range p.Results {
			if count == 0 || r.Severity() > worst.Severity() {
				worst, panel = r, p
			}
			count++
		}
	}
	if count == 0 {
		panel = n.Facts.Panels[0]
		return orMissing(panel.Name, "Test not named"), panel.Name != "", nil, []string{orMissing(panel.Conclusion, "no values sent")}
	}
	text = strings.TrimSpace(orMissing(worst.Name, "Test not named") + " " + worst.Value + " " + worst.Unit)
	flags = resultFlags(worst)
	if r := worst.Range(); r != "" {
		flags = append(flags, views.Flag{Text: r, Tone: "range", Help: "Reference range, as the laboratory sent it"})
	}
	if panel.Name != "" && panel.Name != worst.Name {
		rest = append(rest, panel.Name)
	}
	if count > 1 {
		rest = append(rest, fmt.Sprintf("%d more", count-1))
	}
	return text, true, flags, append(rest, orMissing(panel.Status, "status not sent"))
}

func resultFlags(r care.Result) []views.Flag {
	words := r.FlagWords()
	if words == "" {
		return nil
	}
	help := "The laboratory says so"
	if r.Computed {
		help = "Computed here from the value and the reference range; the laboratory sent no interpretation"
	}
	return []views.Flag{{Text: words, Tone: []string{"plain", "warn", "crit"}[r.Severity()], Help: help}}
}

// recordState says how the download of a notification's record stands, unless it is stored and read.
func (s *Server) recordState(n db.Notification) []string {
	if n.Record.ID == 0 || n.Record.State == db.FetchStored {
		return nil
	}
	return []string{"record " + s.fetchState(n.Record)}
}

func place(name string) string {
	if name == "" {
		return "place not sent"
	}
	return name
}

// moves describes the last move of a transfer beside its places.
func moves(last care.Move, earlier int) (parts []string) {
	if last.FromType != "" && last.ToType != "" && last.FromType != last.ToType {
		parts = append(parts, last.FromType+" → "+last.ToType)
	}
	switch {
	case earlier == 1:
		parts = append(parts, "1 earlier move folded")
	case earlier > 1:
		parts = append(parts, fmt.Sprintf("%d earlier moves folded", earlier))
	}
	return parts
}

func patientView(p db.Patient) views.Patient {
	return views.Patient{ID: p.ID, ExternalID: p.ExternalID, Name: p.Name, BirthDate: p.BirthDate}
}
