package db

import (
	"strings"
	"testing"
	"time"
)

// bounds say of every table what keeps it from growing without need.
var bounds = map[string]string{
	"inbox":        "what the sender signed; kept for ever, by promise",
	"inbox_repeat": "each further signed delivery; kept for ever, by promise",

	"inbox_outcome": "a row a message", "inbox_patient": "rows a message", "cursor": "one for each projector",
	"patient": "one a patient", "patient_alias": "one for each id a patient has", "patient_search": "one a patient", "patient_statement": "one for each record of a patient",
	"facility": "one a facility", "notification": "rows a message", "notification_subject": "at most 60 a notification", "stay": "at most one a notification",
	"mail": "one a message", "mail_search": "one a message", "mail_status": "one a message",
	"import_event": "one a message", "import_job": "one a job", "import_file": "one a file", "import_row": "at most 500,000 a file, gone with the file", "import_reason": "one for each kind of reason in a file",
	"pull": "one a request", "pull_part": "rows a message", "pull_document": "one a document", "pull_document_link": "one a link",
	"identity": "one a message", "search_entry": "one a thing that can be found", "search_words": "one a thing that can be found",
	"download": "one a link; its tries are columns of it", "record": "one a stored file", "download_host": "hosts of signed links that wait; gone when none does",
	"health_file": "one a file", "health_row": "rows a file, replaced by those of a newer reading", "health_entry": "folded", "health_name": "folded", "health_event": "folded",
	"repeat_of": "one a message", "message_print": "one a message that another may repeat", "heal": "one a message whose links died",
	"health_patient": "one a patient", "health_stale": "a queue that is worked off",

	"notification_mark": "what people did", "mail_mark": "what people did", "mail_match": "what people did", "correction": "what people did",
	"audit": "what people looked at and did; kept, by promise", "reprocess": "what admins asked for", "completeness_retry": "what admins asked for",
	"user": "people", "setting": "names that the program knows",

	"change":           "the newest keepChanges",
	"session":          "forgotten when a login is over, by the hour",
	"device":           "the newest 20 of a person, of half a year",
	"rejection":        "reasons times hours of 400 days",
	"completeness_run": "those of the last weeks", "completeness_gap": "what the sender lists, 30 days",
	"disk_day": "400 days",
}

// TestEveryTableHasABound: whoever adds a table says what keeps it from growing without need.
func TestEveryTableHasABound(t *testing.T) {
	d := openDir(t, t.TempDir(), true)
	rows, err := d.read.QueryContext(t.Context(), `SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual') AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name <> 'goose_db_version'`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		shadow := false
		for _, index := range []string{"patient_search_", "mail_search_", "search_words_"} {
			shadow = shadow || strings.HasPrefix(name, index)
		}
		if bounds[name] == "" && !shadow {
			t.Errorf("nothing says what keeps the table %s from growing", name)
		}
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
}

// TestCountsOfRefusedRequestsAreForgotten after more than a year, in turns, and none before.
func TestCountsOfRefusedRequestsAreForgotten(t *testing.T) {
	d := openDir(t, t.TempDir(), true)
	d.mustWrite(t, func(tx *Tx) error {
		now := tx.Now
		for day := range 500 {
			tx.Now = now - int64(day)*24*time.Hour.Milliseconds()
			if err := tx.CountRejections(t.Context(), map[string]int64{"a": 1}); err != nil {
				return err
			}
		}
		tx.Now = now
		return nil
	})
	turns := 0
	for more := true; more; turns++ {
		d.mustWrite(t, func(tx *Tx) (err error) { more, err = tx.PruneRejections(t.Context(), 40); return err })
	}
	if n := d.number(t, `SELECT count(*) FROM rejection`); n < 400 || n > 401 || turns != 3 {
		t.Errorf("%d counts are left after %d turns", n, turns)
	}
}
