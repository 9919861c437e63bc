package web

import (
	"strings"

	"carebell/db"
	"carebell/views"
)

func (w wording) mailRows(list []db.Mail, r reader) []views.MessageRow {
	out := make([]views.MessageRow, len(list))
	for i, m := range list {
		out[i] = w.mailRow(m, r)
	}
	return out
}

// mailRow puts a message into the words people read. What is not known is said, never guessed.
func (w wording) mailRow(m db.Mail, r reader) views.MessageRow {
	row := views.MessageRow{
		ID: m.ID, Out: m.Box == db.Outbound, Patient: patientView(m.Patient), SenderID: m.SenderID,
		Sent: w.At(m.SentAt), Received: w.At(m.ReceivedAt), Ended: w.At(m.EndedAt),
	}
	if row.Out {
		row.Subject, row.SubjectKnown, row.Reason = "Message "+shortWord(m.SenderID), true, m.Reason
		row.Fate, row.Tone = fate(m.Status)
		return row
	}
	row.CanAct, row.Holder, row.Mine = r.act, m.Mark.Holder, m.Mark.Holder == r.id && r.id != 0
	row.State = [...]string{"new", "read", "assigned", "answered"}[m.State]
	row.ReadBy, row.ReadAt = m.Mark.ReadBy, w.At(m.Mark.ReadAt)
	row.AssignedTo, row.AssignedAt = m.Mark.AssignedTo, w.At(m.Mark.AssignedAt)
	row.AnsweredBy, row.AnsweredAt = m.Mark.AnsweredBy, w.At(m.Mark.AnsweredAt)
	row.MatchedBy, row.MatchedAt = m.Match.By, w.At(m.Match.At)
	row.Subject, row.SubjectKnown = orMissing(m.Subject, unknownYet("Subject", m)), m.Subject != ""
	row.Sender, row.SenderKnown = orMissing(m.Sender, unknownYet("Sender", m)), m.Sender != ""
	row.Start = beginning(m.Text)
	row.Flags = mailFlags(m)
	return row
}

// mostStart is how much of a text a list shows, in characters.
const mostStart = 200

// beginning is what a list shows of a text: one line.
func beginning(text string) string {
	if len(text) > 8*mostStart {
		text = strings.ToValidUTF8(text[:8*mostStart], "")
	}
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > mostStart {
		return string(r[:mostStart]) + "…"
	}
	return text
}

// unknownYet says of what the message did not say whether it still may.
func unknownYet(what string, m db.Mail) string {
	switch m.File.State {
	case db.FetchQueued, db.FetchFetching:
		return what + " not yet known"
	case db.FetchExpired, db.FetchRefused, db.FetchFailed:
		return what + " not known: the message itself did not come"
	default:
		return what + " not sent"
	}
}

func mailFlags(m db.Mail) []views.Flag {
	var out []views.Flag
	if m.Attached > 0 {
		out = append(out, views.Flag{Text: views.Counted(m.Attached, "attachment"), Tone: "plain", Help: "Files that came with it"})
	}
	switch m.File.State {
	case db.FetchExpired, db.FetchRefused, db.FetchFailed:
		out = append(out, views.Flag{Text: "text missing", Tone: "warn", Help: "The message itself could not be fetched"})
	default:
	}
	return out
}

// fate is what became of a sent message, and the tone to say it in.
func fate(status string) (word, tone string) {
	switch status {
	case "completed":
		return "Delivered", "ok"
	case "failed":
		return "Failed", "crit"
	case "":
		return "Status not sent", "warn"
	default:
		return status, "plain"
	}
}

// shortWord is the beginning and the end of a long id.
func shortWord(id string) string {
	if id == "" {
		return "without an id"
	}
	if r := []rune(id); len(r) > 24 {
		return string(r[:8]) + "…" + string(r[len(r)-4:])
	}
	return id
}
