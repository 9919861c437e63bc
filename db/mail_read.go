package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
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
	Reach     int // look at no more than about so many rows; 0 = at all
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

// MailPage lists the messages that fit f, with the beginning of their text, and says where the list goes on that was not
// searched to its end.
func (s Snapshot) MailPage(ctx context.Context, f MailFilter) ([]Mail, Rest, error) {
	w, err := f.walk(ctx, s)
	if err != nil {
		return nil, Rest{}, err
	}
	rest, err := s.bound(ctx, &w, f.Reach)
	if err != nil {
		return nil, rest, err
	}
	where, args := w.where()
	list, err := s.mail(ctx, w.source(), where+` ORDER BY m.id DESC LIMIT ?`, append(args, f.Limit)...)
	return list, rest.after(len(list), f.Limit), err
}

// Within implements [ListFilter].
func (f MailFilter) Within(w Window) MailFilter {
	f.Before, f.IDs, f.Limit, f.Reach = w.Before, w.IDs, w.Limit, w.Reach
	return f
}

// walk chooses the index that f is answered by. What it does not answer is tested row by row.
func (f MailFilter) walk(ctx context.Context, s Snapshot) (walk, error) {
	w := walk{from: "mail m", id: "m.id", at: "m.received_at"}
	var state, fate, holder, unmatched conditions
	states := slices.Sorted(slices.Values(f.States))
	open := slices.Equal(states, []MailState{MailNew, MailRead, MailAssigned})
	switch {
	case open:
		state.add("m.state < 3")
	case len(states) > 0:
		if err := state.among("m.state", states); err != nil {
			return w, err
		}
	}
	switch f.Fate {
	case "":
	case "other":
		fate.add("m.status NOT IN ('completed', 'failed')")
	default:
		fate.add("m.status = ?", f.Fate)
	}
	if f.Unmatched {
		unmatched.add("m.patient_id = ''")
	}
	if f.Holder != 0 {
		holder.add("m.holder = ?", f.Holder)
	}
	test := func(all ...conditions) {
		for _, c := range all {
			w.tests.clauses, w.tests.args = append(w.tests.clauses, c.clauses...), append(w.tests.args, c.args...)
		}
	}
	along := func(index string, c conditions) {
		w.from += " INDEXED BY " + index
		w.along = c
	}
	var ids, about conditions
	switch {
	case f.IDs != nil:
		if err := ids.among("m.id", f.IDs); err != nil {
			return w, err
		}
	case f.Text != "":
		var err error
		if ids, err = s.mailByText(ctx, f.Text); err != nil {
			return w, err
		}
	}
	if f.Text != "" && (f.IDs != nil || len(ids.clauses) == 0) {
		of, ofArgs := aboutPatient("m.patient_id", f.Text)
		in, inArgs := holdsWords("mail_search", "m.id", f.Text)
		about.add("("+in+" OR "+of+")", append(inArgs, ofArgs...)...)
	}
	var box conditions
	box.add("m.box = ?", f.Box)
	switch {
	case len(ids.clauses) > 0:
		w.along, w.short = ids, true
		test(box, state, fate, holder, unmatched, about)
	case f.Holder != 0:
		along("mail_holder", holder)
		test(box, state, fate, unmatched, about)
	case f.Unmatched:
		box.add("m.patient_id = ''")
		along("mail_unmatched", box)
		test(state, fate, about)
	case open:
		box.add("m.state < 3")
		along("mail_open", box)
		test(fate, about)
	case len(states) == 1:
		box.add("m.state = ?", states[0])
		along("mail_state", box)
		test(fate, about)
	case f.Fate != "" && f.Fate != "other" && f.Box == Outbound:
		w.from += " INDEXED BY mail_fate"
		w.along.add("m.box = 'out' AND m.status = ?", f.Fate)
		test(state, about)
	default:
		along("mail_list", box)
		test(state, fate, about)
	}
	if f.Before > 0 {
		w.along.add("m.id < ?", f.Before)
	}
	return w, nil
}

// mailByText are the messages that a text means, where they and the patients it means are few; else none.
func (s Snapshot) mailByText(ctx context.Context, text string) (conditions, error) {
	var ids conditions
	patients, ok, err := s.people(ctx, text)
	if err != nil || !ok {
		return ids, err
	}
	in, args := wordsMatch("mail_search", text)
	//nolint:sqlclosecheck // collect closes them
	rows, err := s.QueryContext(ctx, in+" LIMIT ?", append(args, few*few)...)
	if err != nil {
		return ids, fmt.Errorf("looking for messages: %w", err)
	}
	hits, err := collect(rows, func(id *int64) error { return rows.Scan(id) })
	if err != nil || len(hits) == few*few {
		return ids, err
	}
	who, err := json.Marshal(patients)
	if err != nil {
		return ids, err
	}
	what, err := json.Marshal(append([]int64{}, hits...))
	if err != nil {
		return ids, err
	}
	ids.add("m.id IN (SELECT value FROM json_each(?) UNION SELECT id FROM mail WHERE patient_id IN (SELECT value FROM json_each(?)))", string(what), string(who))
	return ids, nil
}

func (s Snapshot) mail(ctx context.Context, from, where string, args ...any) ([]Mail, error) {
	rows, err := s.QueryContext(ctx, `SELECT `+mailColumns("substr(m.text, 1, "+mailStart+")")+` FROM `+from+mailJoins+` WHERE `+where, args...)
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
	return s.mail(ctx, "mail m INDEXED BY mail_patient", `m.patient_id = ? ORDER BY m.id DESC LIMIT ?`, patientID, limit)
}

// MailThread lists the other messages of m's conversation, newest arrival first: those about the same patient with the
// same subject, the one that it answers, and those that answer it.
func (s Snapshot) MailThread(ctx context.Context, m Mail, thread string, limit int) ([]Mail, error) {
	if m.PatientID == "" {
		thread = ""
	}
	return s.mail(ctx, "mail m", `m.id <> ?1 AND m.id IN (
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
