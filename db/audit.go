package db

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Action is what a person did with somebody's data.
type Action string

// The actions that leave a trace.
const (
	ActionView     Action = "view"     // looked at a patient's page
	ActionDownload Action = "download" // took a file
	ActionPreview  Action = "preview"  // read a file on the screen
	ActionCorrect  Action = "correct"  // set a name or birth date by hand
	ActionExport   Action = "export"   // took a list as a file
	ActionMark     Action = "mark"     // took a message, gave it back, or said that it was read or answered
	ActionMatch    Action = "match"    // said whom an unmatched message is about
	ActionUnmatch  Action = "unmatch"  // took that back
	ActionCompare  Action = "compare"  // compared the inbox with the sender's list
	ActionResend   Action = "resend"   // had the sender send again what failed
	ActionSearch   Action = "search"   // looked for a patient; the words are not kept
	ActionAgain    Action = "again"    // had messages processed again
	ActionSet      Action = "set"      // changed a setting; the object is what it is now
)

// Audit notes that a person did something. object names a thing by its id, "" = none.
func (tx *Tx) Audit(ctx context.Context, userID int64, action Action, patientID, object string) error {
	if _, err := tx.exec(ctx, `INSERT INTO audit (at, user_id, action, patient_id, object) VALUES (?, ?, ?, ?, ?)`, tx.Now, userID, action, patientID, object); err != nil {
		return fmt.Errorf("noting who looked: %w", err)
	}
	return nil
}

// Look is when somebody looked at a patient before, and what came since.
type Look struct {
	At    time.Time // zero = no earlier look of theirs is among the patient's last [lookReach] traces
	Since int       // notifications that came since, up to [lookRows]
}

// How far [Tx.LookAt] reads back, so that it costs no more at a patient whom many look at.
const (
	lookReach = 500 // traces
	lookRows  = 200 // notifications
)

const lookBefore = `(SELECT max(b.at) FROM (SELECT a.at, a.user_id, a.action, a.object FROM audit a WHERE a.patient_id = ?4 AND a.patient_id <> '' ORDER BY a.id DESC LIMIT ?6) b
	WHERE b.user_id = ?2 AND b.action = ?3 AND b.object = '' AND b.at <= ?5)`

const lookAt = `INSERT INTO audit (at, user_id, action, patient_id) VALUES (?1, ?2, ?3, ?4) RETURNING ` + lookBefore + `,
	(SELECT count(*) FROM (SELECT n.received_at FROM notification n WHERE n.patient_id = ?4 ORDER BY n.id DESC LIMIT ?7) h WHERE h.received_at > ` + lookBefore + `)`

// LookAt notes that a person looks at a patient's page, as [Tx.Audit] does, and returns when they last did, at least so long ago.
func (tx *Tx) LookAt(ctx context.Context, userID int64, patientID string, ago time.Duration) (Look, error) {
	var l Look
	var at sql.NullInt64
	if err := tx.row(ctx, lookAt, tx.Now, userID, ActionView, patientID, tx.Now-ago.Milliseconds(), lookReach, lookRows).Scan(&at, &l.Since); err != nil {
		return l, fmt.Errorf("noting who looked: %w", err)
	}
	if at.Valid {
		l.At = time.UnixMilli(at.Int64)
	}
	return l, nil
}
