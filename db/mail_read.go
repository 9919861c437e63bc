package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
)

// MailFilter narrows the list of messages. Rows come newest arrival first.
type MailFilter struct {
	Box       Box
	States    []MailState // of messages that came in; empty = all
	Fate      string      // of sent messages: completed, failed, other; "" = all
	Unmatched bool        // only those about nobody known
	Holder    int64       // only those assigned to this person; 0 = all
	Text      string      // part of subject, sender or id, of a failure's reason, or of the patient's name or ids
	Before    int64       // only ids below; 0 = from the top
	IDs       []int64     // only these; nil = all
	Limit     int
}

// mailStart is how much of a text a list shows, in characters.
const mailStart = "240"

func mailColumns(text string) string {
	return `m.id, m.box, m.sender_id, m.stated_id, m.patient_id, m.subject, m.sender, m.recipients, m.reply_to, m.network, m.transport, ` + text + `, m.more,
	m.sent_at, m.received_at, m.ended_at, m.status, m.reason, m.state,
	k.read_at, k.assigned_at, k.answered_at, coalesce(ur.email, ''), coalesce(ua.email, ''), m.holder, coalesce(uh.email, ''),
	coalesce(ut.email, ''), t.at, coalesce(d.id, 0), coalesce(d.state, ''), coalesce(d.reason, ''),
	(SELECT count(*) FROM download a WHERE a.inbox_seq = m.id AND a.purpose = 'attachment'),
	coalesce(p.external_id, ''), coalesce(p.name, ''), coalesce(p.birth_date, '')`
}

const mailJoins = ` LEFT JOIN patient p ON p.id = m.patient_id
	LEFT JOIN mail_mark k ON k.mail_id = m.id
	LEFT JOIN user ur ON ur.id = k.read_by LEFT JOIN user ua ON ua.id = k.answered_by LEFT JOIN user uh ON uh.id = m.holder
	LEFT JOIN mail_match t ON t.mail_id = m.id AND m.stated_id = '' LEFT JOIN user ut ON ut.id = t.user_id
	LEFT JOIN download d ON d.inbox_seq = m.id AND d.place = '/payload/url' AND m.box = 'in'`

func (m *Mail) scan(rows interface{ Scan(...any) error }) error {
	var sent, received, ended, read, assigned, answered, matched sql.NullInt64
	var recipients, more string
	err := rows.Scan(&m.ID, &m.Box, &m.SenderID, &m.StatedID, &m.PatientID, &m.Subject, &m.Sender, &recipients, &m.ReplyTo, &m.Network, &m.Transport, &m.Text, &more,
		&sent, &received, &ended, &m.Status, &m.Reason, &m.State,
		&read, &assigned, &answered, &m.Mark.ReadBy, &m.Mark.AnsweredBy, &m.Mark.Holder, &m.Mark.AssignedTo,
		&m.Match.By, &matched, &m.File.ID, &m.File.State, &m.File.Reason, &m.Attached,
		&m.Patient.ExternalID, &m.Patient.Name, &m.Patient.BirthDate)
	if err != nil {
		return err
	}
	m.SentAt, m.ReceivedAt, m.EndedAt = instant(sent), instant(received), instant(ended)
	m.Mark.ReadAt, m.Mark.AssignedAt, m.Mark.AnsweredAt, m.Match.At = instant(read), instant(assigned), instant(answered), instant(matched)
	m.Patient.ID = m.PatientID
	if more != "" {
		if err := json.Unmarshal([]byte(more), &m.Letter); err != nil {
			return err
		}
	}
	return json.Unmarshal([]byte(recipients), &m.Recipients)
}

// MailList lists the messages that fit f, with the beginning of their text.
func (s Snapshot) MailList(ctx context.Context, f MailFilter) ([]Mail, error) {
	where, args := []string{"m.box = ?"}, []any{f.Box}
	add := func(clause string, more ...any) { where, args = append(where, clause), append(args, more...) }
	if len(f.States) > 0 {
		add("m.state IN (?" + strings.Repeat(", ?", len(f.States)-1) + ")")
		for _, state := range f.States {
			args = append(args, state)
		}
	}
	switch f.Fate {
	case "":
	case "other":
		add("m.status NOT IN ('completed', 'failed')")
	default:
		add("m.status = ?", f.Fate)
	}
	if f.Unmatched {
		add("m.patient_id = ''")
	}
	if f.Holder != 0 {
		add("m.holder = ?", f.Holder)
	}
	if f.Text != "" {
		of, ofArgs := wordsMatch("patient_search", f.Text)
		in, inArgs := wordsMatch("mail_search", f.Text)
		add("(m.id IN ("+in+") OR m.patient_id IN (SELECT id FROM patient WHERE no IN ("+of+")))", append(inArgs, ofArgs...)...)
	}
	if f.Before > 0 {
		add("m.id < ?", f.Before)
	}
	if f.IDs != nil {
		ids, err := json.Marshal(f.IDs)
		if err != nil {
			return nil, err
		}
		add("m.id IN (SELECT value FROM json_each(?))", string(ids))
	}
	return s.mail(ctx, strings.Join(where, " AND ")+` ORDER BY m.id DESC LIMIT ?`, append(args, f.Limit)...)
}

func (s Snapshot) mail(ctx context.Context, where string, args ...any) ([]Mail, error) {
	rows, err := s.QueryContext(ctx, `SELECT `+mailColumns("substr(m.text, 1, "+mailStart+")")+` FROM mail m`+mailJoins+` WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("listing messages: %w", err)
	}
	return collect(rows, func(m *Mail) error { return m.scan(rows) })
}

// Mail returns one message of a box with its whole text, or sql.ErrNoRows.
func (s Snapshot) Mail(ctx context.Context, id int64, box Box) (Mail, error) {
	var m Mail
	err := m.scan(s.QueryRowContext(ctx, `SELECT `+mailColumns("m.text")+` FROM mail m`+mailJoins+` WHERE m.id = ? AND m.box = ?`, id, box))
	return m, err
}

// MailOf lists the messages of a patient, in and out, newest arrival first.
func (s Snapshot) MailOf(ctx context.Context, patientID string, limit int) ([]Mail, error) {
	return s.mail(ctx, `m.patient_id = ? ORDER BY m.id DESC LIMIT ?`, patientID, limit)
}

// MailThread lists the other messages of m's conversation, newest arrival first: those about the same patient with the
// same subject, the one that it answers, and those that answer it.
func (s Snapshot) MailThread(ctx context.Context, m Mail, thread string, limit int) ([]Mail, error) {
	if m.PatientID == "" {
		thread = ""
	}
	return s.mail(ctx, `m.id <> ?1 AND m.id IN (
			SELECT id FROM mail WHERE patient_id = ?2 AND thread = ?3 AND ?2 <> '' AND patient_id <> '' AND thread <> '' AND ?3 <> ''
			UNION ALL SELECT id FROM mail WHERE sender_id = ?4 AND sender_id <> '' AND patient_id = ?2
			UNION ALL SELECT id FROM mail WHERE reply_to = ?5 AND reply_to <> '' AND patient_id = ?2)
		ORDER BY m.id DESC LIMIT ?6`, m.ID, m.PatientID, thread, m.ReplyTo, m.SenderID, limit)
}

// MailStatuses lists what was told of a sent message, in the order in which it was told.
func (s Snapshot) MailStatuses(ctx context.Context, id int64) ([]MailStatus, error) {
	rows, err := s.QueryContext(ctx, `SELECT t.inbox_seq, t.patient_id, t.status, t.reason, t.sent_at, t.ended_at, i.sent_at, i.body, i.body_form
		FROM mail_status t JOIN inbox i ON i.seq = t.inbox_seq WHERE t.mail_id = ? ORDER BY t.told LIMIT ?`, id, mostStatuses)
	if err != nil {
		return nil, fmt.Errorf("listing what was told of a message: %w", err)
	}
	return collect(rows, func(m *MailStatus) error {
		var sent, ended, told sql.NullInt64
		var stored []byte
		var form int
		err := rows.Scan(&m.InboxSeq, &m.PatientID, &m.Status, &m.Reason, &sent, &ended, &told, &stored, &form)
		if err != nil {
			return err
		}
		m.SentAt, m.EndedAt, m.ToldAt = instant(sent), instant(ended), instant(told)
		m.Body, err = unpack(stored, form)
		return err
	})
}

// mostStatuses of one sent message are shown; usually there is one.
const mostStatuses = 20

// DownloadsOf lists the downloads of one inbox message, in the order of their places.
func (s Snapshot) DownloadsOf(ctx context.Context, inboxSeq int64) ([]Download, error) {
	rows, err := s.QueryContext(ctx, `SELECT `+downloadColumns+` FROM download d WHERE d.inbox_seq = ? ORDER BY length(d.place), d.place`, inboxSeq)
	if err != nil {
		return nil, fmt.Errorf("listing downloads: %w", err)
	}
	return collect(rows, func(d *Download) error { return d.scan(rows) })
}

// MailPatient returns the patient of the message behind an inbox row; "" where there is none.
func (s Snapshot) MailPatient(ctx context.Context, inboxSeq int64) (string, error) {
	var patient string
	err := s.QueryRowContext(ctx, `SELECT coalesce((SELECT patient_id FROM mail WHERE id = ?), '')`, inboxSeq).Scan(&patient)
	return patient, err
}
