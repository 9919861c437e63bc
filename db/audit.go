package db

import (
	"context"
	"fmt"
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
