package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"carebell/web/care"
)

// Box says which way a secure message went.
type Box string

// The boxes.
const (
	Inbound  Box = "in"
	Outbound Box = "out"
)

// MailState is what people have done with a message that came in.
type MailState int

// The states of a message that came in, the later one covering the earlier.
const (
	MailNew MailState = iota
	MailRead
	MailAssigned
	MailAnswered
)

// Mail is one secure message: that came in, or that the practice sent and whose fate was told. Times that are not known
// are zero.
type Mail struct {
	ID         int64 // of the inbox row; the same after every rebuild
	Box        Box
	SenderID   string // the sender's own id of it
	StatedID   string // the patient whom the event names; "" = nobody
	PatientID  string // that one, else whom a person matched; "" = unmatched
	Subject    string
	Sender     string
	Recipients []string
	ReplyTo    string // SenderID of the message that this one answers
	Network    string
	Transport  string
	Text       string // in lists, only its beginning
	Letter     *care.Letter
	SentAt     time.Time
	ReceivedAt time.Time
	EndedAt    time.Time // of a sent one: when it was delivered, or failed
	Status     string    // of a sent one, in the sender's word
	Reason     string    // of a sent one: why it failed
	State      MailState
	Mark       MailMark
	Match      MailMatch

	File     Download // of the full message: only ID, State, Reason; ID 0 = no link came
	Attached int      // attachments, stored or not
	Patient  Patient  // only ID, ExternalID, Name, BirthDate
}

// MailMark says who did what with a message. Emails are "" for nobody.
type MailMark struct {
	ReadAt, AssignedAt, AnsweredAt time.Time
	ReadBy, AnsweredBy             string
	Holder                         int64  // id of the person it is assigned to; 0 = nobody
	AssignedTo                     string // their email
}

// MailMatch says who found the patient of an unmatched message.
type MailMatch struct {
	By string // email; "" = nobody did
	At time.Time
}

// AddMail puts a message that came in into the chart, or brings it up to date where its event is read again. What people did with it before a rebuild counts again.
func (tx *Tx) AddMail(ctx context.Context, m Mail) error {
	to, err := json.Marshal(m.Recipients)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, `INSERT INTO mail (id, box, sender_id, stated_id, patient_id, subject, thread, sender, recipients, reply_to, network, transport, text, sent_at, received_at)
		VALUES (?1, 'in', ?2, ?3, iif(?3 <> '', ?3, coalesce((SELECT patient_id FROM mail_match WHERE mail_id = ?1), '')), ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
		ON CONFLICT (id) DO UPDATE SET sender_id = ?2, stated_id = ?3, patient_id = excluded.patient_id, subject = ?4, thread = ?5, sender = ?6, recipients = ?7,
			reply_to = ?8, network = ?9, transport = ?10, text = ?11, sent_at = ?12`,
		m.ID, m.SenderID, m.StatedID, m.Subject, care.Thread(m.Subject), m.Sender, string(to), m.ReplyTo, m.Network, m.Transport, m.Text, millis(m.SentAt), millis(m.ReceivedAt))
	if err != nil {
		return fmt.Errorf("adding a message: %w", err)
	}
	if err := tx.indexMail(ctx, m.ID); err != nil {
		return err
	}
	return tx.settleMail(ctx, m.ID)
}

// SaveLetter takes what the stored message says into the row of the message it came with: it completes what the event
// left out, and its text is the whole one. m has Subject, Sender, Recipients, ReplyTo, Text, SentAt and Letter.
func (tx *Tx) SaveLetter(ctx context.Context, m Mail) error {
	to, err := json.Marshal(m.Recipients)
	if err != nil {
		return err
	}
	letter, err := json.Marshal(m.Letter)
	if err != nil {
		return err
	}
	result, err := tx.exec(ctx, `UPDATE mail SET subject = iif(subject = '', ?2, subject), thread = iif(subject = '', ?3, thread), sender = iif(sender = '', ?4, sender),
			recipients = (SELECT json_group_array(value) FROM (SELECT value FROM (SELECT value, key AS n FROM json_each(mail.recipients)
				UNION ALL SELECT value, 1000 + key FROM json_each(?5)) GROUP BY value ORDER BY min(n))),
			reply_to = iif(reply_to = '', ?6, reply_to), text = iif(?7 = '', text, ?7), sent_at = coalesce(sent_at, ?8), more = ?9 WHERE id = ?1 AND box = 'in'`,
		m.ID, m.Subject, care.Thread(m.Subject), m.Sender, string(to), m.ReplyTo, m.Text, millis(m.SentAt), string(letter))
	if err != nil {
		return fmt.Errorf("saving what a message says: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return err // the projector has not come so far, or the event failed; it asks for the record itself
	}
	if err := tx.indexMail(ctx, m.ID); err != nil {
		return err
	}
	return tx.changedMail(ctx, m.ID)
}

// MailStatus is what one event says of a message that the practice sent.
type MailStatus struct {
	InboxSeq  int64
	MessageID string // of the event
	SenderID  string // of the message
	PatientID string
	Status    string
	Reason    string
	SentAt    time.Time
	EndedAt   time.Time
	ToldAt    time.Time // when the event was sent
	Body      []byte    // of the event; only where it is read
}

// AddMailStatus takes an event about a sent message into the chart. Several about one message are one row, whatever order
// they came in: what was told last counts, and what it leaves out stays as it was told before.
func (tx *Tx) AddMailStatus(ctx context.Context, s MailStatus, receivedAt time.Time) error {
	id := s.InboxSeq
	if s.SenderID != "" {
		err := tx.row(ctx, `SELECT id FROM mail WHERE box = 'out' AND sender_id = ?`, s.SenderID).Scan(&id)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("looking for a sent message: %w", err)
		}
	}
	if _, err := tx.exec(ctx, `INSERT INTO mail (id, box, sender_id, received_at) VALUES (?, 'out', ?, ?) ON CONFLICT (id) DO NOTHING`, id, s.SenderID, millis(receivedAt)); err != nil {
		return fmt.Errorf("adding a sent message: %w", err)
	}
	at := s.EndedAt
	if at.IsZero() {
		at = s.ToldAt
	}
	_, err := tx.exec(ctx, `INSERT INTO mail_status (inbox_seq, mail_id, told, patient_id, status, reason, sent_at, ended_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
		ON CONFLICT (inbox_seq) DO UPDATE SET mail_id = ?2, told = ?3, patient_id = ?4, status = ?5, reason = ?6, sent_at = ?7, ended_at = ?8`,
		s.InboxSeq, id, fmt.Sprintf("%020d %s", max(at.UnixMilli(), 0), s.MessageID), s.PatientID, s.Status, s.Reason, millis(s.SentAt), millis(s.EndedAt))
	if err != nil {
		return fmt.Errorf("adding a sent message: %w", err)
	}
	// The reason and the end belong to the status they came with; patient and beginning are of the message.
	last := func(field, known string) string {
		return `(SELECT ` + field + ` FROM mail_status WHERE mail_id = ?1 AND ` + known + ` ORDER BY told DESC LIMIT 1)`
	}
	_, err = tx.exec(ctx, `UPDATE mail SET patient_id = coalesce(`+last("patient_id", "patient_id <> ''")+`, ''), sent_at = `+last("sent_at", "sent_at IS NOT NULL")+`,
		status = coalesce(`+last("status", "status <> ''")+`, ''), reason = coalesce(`+last("reason", "status <> ''")+`, ''), ended_at = `+last("ended_at", "status <> ''")+` WHERE id = ?1`, id)
	if err != nil {
		return fmt.Errorf("settling a sent message: %w", err)
	}
	if _, err = tx.exec(ctx, `UPDATE mail SET stated_id = patient_id WHERE id = ?`, id); err != nil {
		return fmt.Errorf("settling a sent message: %w", err)
	}
	if err := tx.indexMail(ctx, id); err != nil {
		return err
	}
	return tx.changedMail(ctx, id)
}

// mostIndexed is how much of a message's text can be found, in characters.
const mostIndexed = 16000

// indexMail brings the words a message is found by up to date.
func (tx *Tx) indexMail(ctx context.Context, id int64) error {
	var words, kind string
	err := tx.row(ctx, `SELECT subject || char(10) || sender || char(10) || sender_id || char(10) || reason || char(10) || substr(text, 1, ?4), iif(box = 'in', ?2, ?3) FROM mail WHERE id = ?1`,
		id, SearchMessage, SearchSent, mostIndexed).Scan(&words, &kind)
	if err == nil {
		_, err = tx.exec(ctx, `INSERT OR REPLACE INTO mail_search (rowid, words) VALUES (?, ?)`, id, fold(words))
	}
	if err != nil {
		return fmt.Errorf("indexing a message: %w", err)
	}
	return tx.Index(ctx, kind, strconv.FormatInt(id, 10), "", words)
}

// settleMail makes of what people did with a message what lists show and filter by.
func (tx *Tx) settleMail(ctx context.Context, id int64) error {
	_, err := tx.exec(ctx, `UPDATE mail SET (state, holder) = (SELECT iif(k.answered_at IS NOT NULL, 3, iif(k.assigned_at IS NOT NULL, 2, iif(k.read_at IS NOT NULL, 1, 0))), coalesce(k.assigned_to, 0)
		FROM (SELECT 1) LEFT JOIN mail_mark k ON k.mail_id = ?1) WHERE id = ?1`, id)
	if err != nil {
		return fmt.Errorf("settling a message: %w", err)
	}
	return tx.changedMail(ctx, id)
}

func (tx *Tx) changedMail(ctx context.Context, id int64) error {
	var patient string
	if err := tx.row(ctx, `SELECT patient_id FROM mail WHERE id = ?`, id).Scan(&patient); err != nil {
		return fmt.Errorf("numbering a change: %w", err)
	}
	return tx.changedItem(ctx, TopicMessages, id, patient)
}

// changedMailOf numbers a change of what the latest messages of a patient show.
func (tx *Tx) changedMailOf(ctx context.Context, patientID string) error {
	const latest = 50
	rows, err := tx.query(ctx, `SELECT id FROM mail WHERE patient_id = ? ORDER BY id DESC LIMIT ?`, patientID, latest) //nolint:sqlclosecheck // collect closes them
	if err != nil {
		return fmt.Errorf("numbering changes: %w", err)
	}
	ids, err := collect(rows, func(id *int64) error { return rows.Scan(id) })
	if err != nil {
		return fmt.Errorf("numbering changes: %w", err)
	}
	for _, id := range ids {
		if err := tx.changedItem(ctx, TopicMessages, id, patientID); err != nil {
			return err
		}
	}
	return nil
}

// MailPatient returns the patient of a message, "" where it is unmatched, or sql.ErrNoRows where there is no such one in
// the box.
func (tx *Tx) MailPatient(ctx context.Context, id int64, box Box) (string, error) {
	var patient string
	err := tx.row(ctx, `SELECT patient_id FROM mail WHERE id = ? AND box = ?`, id, box).Scan(&patient)
	return patient, err
}

// MailAct is what a person does with a message that came in.
type MailAct string

// The acts. What somebody else did first stays as they did it.
const (
	ActRead     MailAct = "read"
	ActUnread   MailAct = "unread"
	ActAnswered MailAct = "answered"
	ActReopen   MailAct = "reopen" // takes the answer back
)

// MarkMail notes what person userID did. It returns sql.ErrNoRows where there is no such message.
func (tx *Tx) MarkMail(ctx context.Context, id, userID int64, act MailAct) error {
	if _, err := tx.MailPatient(ctx, id, Inbound); err != nil {
		return err
	}
	var err error
	switch act {
	case ActRead:
		result, e := tx.exec(ctx, `INSERT INTO mail_mark (mail_id, read_at, read_by) VALUES (?1, ?2, ?3)
			ON CONFLICT (mail_id) DO UPDATE SET read_at = ?2, read_by = ?3 WHERE read_at IS NULL`, id, tx.Now, userID)
		if e == nil {
			if n, _ := result.RowsAffected(); n == 0 { // somebody read it before
				return nil
			}
		}
		err = e
	case ActUnread:
		_, err = tx.exec(ctx, `UPDATE mail_mark SET read_at = NULL, read_by = NULL WHERE mail_id = ?`, id)
	case ActAnswered:
		_, err = tx.exec(ctx, `INSERT INTO mail_mark (mail_id, answered_at, answered_by) VALUES (?1, ?2, ?3)
			ON CONFLICT (mail_id) DO UPDATE SET answered_by = iif(answered_at IS NULL, ?3, answered_by), answered_at = coalesce(answered_at, ?2)`, id, tx.Now, userID)
	case ActReopen:
		_, err = tx.exec(ctx, `UPDATE mail_mark SET answered_at = NULL, answered_by = NULL WHERE mail_id = ?`, id)
	default:
		return fmt.Errorf("no such act: %s", act)
	}
	if err != nil {
		return fmt.Errorf("marking a message: %w", err)
	}
	return tx.settleMail(ctx, id)
}

// TakenError says that somebody changed what a person wanted to change, after they last saw it.
type TakenError struct {
	By string // email; "" where it was given back
	At time.Time
}

func (e TakenError) Error() string { return "somebody changed it meanwhile" }

// AssignMail gives a message to person to, 0 = to nobody. known is who had it when the person who asks last saw it: where
// that is no longer so, nothing changes and the error is a [TakenError]. It returns sql.ErrNoRows where there is no such
// message.
func (tx *Tx) AssignMail(ctx context.Context, id, to, known int64) error {
	if _, err := tx.MailPatient(ctx, id, Inbound); err != nil {
		return err
	}
	var holder int64
	var email string
	var at sql.NullInt64
	err := tx.row(ctx, `SELECT k.assigned_to, u.email, k.assigned_at FROM mail_mark k JOIN user u ON u.id = k.assigned_to WHERE k.mail_id = ?`, id).Scan(&holder, &email, &at)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("looking who has a message: %w", err)
	}
	if holder == to {
		return nil
	}
	if holder != known {
		return TakenError{By: email, At: instant(at)}
	}
	if to == 0 {
		_, err = tx.exec(ctx, `UPDATE mail_mark SET assigned_to = NULL, assigned_at = NULL WHERE mail_id = ?`, id)
	} else {
		_, err = tx.exec(ctx, `INSERT INTO mail_mark (mail_id, assigned_to, assigned_at) VALUES (?1, ?2, ?3)
			ON CONFLICT (mail_id) DO UPDATE SET assigned_to = ?2, assigned_at = ?3`, id, to, tx.Now)
	}
	if err != nil {
		return fmt.Errorf("assigning a message: %w", err)
	}
	return tx.settleMail(ctx, id)
}

// ErrNotUnmatched says that the event itself names the patient of a message.
var ErrNotUnmatched = errors.New("the sender named the patient")

// MatchMail says, for person userID, whom an unmatched message is about; patientID "" takes that back. It returns
// sql.ErrNoRows where there is no such message or patient, [ErrNotUnmatched] where the sender named the patient, and a
// [TakenError] where somebody matched it with another one before.
func (tx *Tx) MatchMail(ctx context.Context, id, userID int64, patientID string) error {
	var stated, now, by string
	var at sql.NullInt64
	err := tx.row(ctx, `SELECT m.stated_id, m.patient_id, coalesce(u.email, ''), t.at FROM mail m LEFT JOIN mail_match t ON t.mail_id = m.id LEFT JOIN user u ON u.id = t.user_id
		WHERE m.id = ? AND m.box = 'in'`, id).Scan(&stated, &now, &by, &at)
	switch {
	case err != nil:
		return err
	case stated != "":
		return ErrNotUnmatched
	case now == patientID:
		return nil
	case now != "" && patientID != "":
		return TakenError{By: by, At: instant(at)}
	}
	if patientID == "" {
		_, err = tx.exec(ctx, `DELETE FROM mail_match WHERE mail_id = ?`, id)
	} else {
		var known int
		if err := tx.row(ctx, `SELECT 1 FROM patient WHERE id = ?`, patientID).Scan(&known); err != nil {
			return err
		}
		_, err = tx.exec(ctx, `INSERT INTO mail_match (mail_id, patient_id, user_id, at) VALUES (?, ?, ?, ?)`, id, patientID, userID, tx.Now)
	}
	if err == nil {
		_, err = tx.exec(ctx, `UPDATE mail SET patient_id = ? WHERE id = ?`, patientID, id)
	}
	if err != nil {
		return fmt.Errorf("matching a message: %w", err)
	}
	if now != "" { // that patient's page shows it no more
		if err := tx.changedItem(ctx, TopicMessages, id, now); err != nil {
			return err
		}
	}
	return tx.changedMail(ctx, id)
}
