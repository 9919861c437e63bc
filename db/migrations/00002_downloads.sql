-- +goose Up

-- Every presigned link that came, and what became of it. The queue lives here, so a restart goes on where it stopped.
-- Not a projection: what was fetched cannot be fetched again. A rebuild adds what is missing and changes nothing else.
CREATE TABLE download (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  inbox_seq       INTEGER NOT NULL REFERENCES inbox (seq),
  place           TEXT    NOT NULL, -- JSON pointer of the link in the message
  notification_id INTEGER NOT NULL DEFAULT 0,
  patient_id      TEXT    NOT NULL DEFAULT '',
  purpose         TEXT    NOT NULL,
  name            TEXT    NOT NULL, -- file name as sent, or one of ours
  claimed_type    TEXT    NOT NULL DEFAULT '',
  claimed_size    INTEGER NOT NULL DEFAULT 0,
  url             TEXT    NOT NULL, -- a bearer secret; '' once stored
  api_url         TEXT    NOT NULL DEFAULT '',
  expires_at      INTEGER NOT NULL,
  state           TEXT    NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'fetching', 'stored', 'expired', 'refused', 'failed', 'removed')),
  reason          TEXT    NOT NULL DEFAULT '',
  tries           INTEGER NOT NULL DEFAULT 0,
  next_try_at     INTEGER NOT NULL DEFAULT 0,
  queued_at       INTEGER NOT NULL,
  ended_at        INTEGER,
  size            INTEGER NOT NULL DEFAULT 0,
  sniffed_type    TEXT    NOT NULL DEFAULT '',
  sha256          BLOB,
  file            TEXT    NOT NULL DEFAULT '', -- name in the vault; several rows share one where the content is the same
  UNIQUE (inbox_seq, place)
) STRICT;
CREATE INDEX download_due ON download (state, next_try_at, expires_at) WHERE state IN ('queued', 'fetching');
CREATE INDEX download_patient ON download (patient_id, id) WHERE patient_id <> '';
CREATE INDEX download_notification ON download (notification_id) WHERE notification_id <> 0;
CREATE INDEX download_file ON download (file) WHERE file <> '';
CREATE INDEX download_content ON download (sha256) WHERE sha256 IS NOT NULL;

-- Facts read from stored bundles, as JSON of fhir.Facts.
CREATE TABLE record (
  download_id INTEGER PRIMARY KEY REFERENCES download (id),
  facts       TEXT    NOT NULL
) STRICT;

ALTER TABLE patient ADD COLUMN sex TEXT NOT NULL DEFAULT '';
ALTER TABLE patient ADD COLUMN phone TEXT NOT NULL DEFAULT '';
ALTER TABLE patient ADD COLUMN deceased TEXT NOT NULL DEFAULT '';
ALTER TABLE notification ADD COLUMN facts TEXT NOT NULL DEFAULT '';       -- JSON of care.Facts, from the notification's record
ALTER TABLE notification ADD COLUMN visit_number TEXT NOT NULL DEFAULT '';
ALTER TABLE stay ADD COLUMN facts TEXT NOT NULL DEFAULT '';               -- JSON of care.StayFacts

-- What each message's record says of who a patient is. A projection, from the records.
CREATE TABLE patient_statement (
  patient_id TEXT    NOT NULL,
  inbox_seq  INTEGER NOT NULL,
  sent       TEXT    NOT NULL, -- sent_at and message id, to be compared as text
  name       TEXT    NOT NULL,
  birth_date TEXT    NOT NULL,
  sex        TEXT    NOT NULL,
  phone      TEXT    NOT NULL,
  deceased   TEXT    NOT NULL,
  PRIMARY KEY (patient_id, inbox_seq)
) STRICT, WITHOUT ROWID;

-- What a person corrected. Not a projection; it wins over every record.
CREATE TABLE correction (
  patient_id TEXT    NOT NULL,
  field      TEXT    NOT NULL CHECK (field IN ('name', 'birth_date')),
  value      TEXT    NOT NULL,
  user_id    INTEGER NOT NULL REFERENCES user (id),
  at         INTEGER NOT NULL,
  PRIMARY KEY (patient_id, field)
) STRICT, WITHOUT ROWID;

-- Who looked at, opened or took what. Rows are only added.
CREATE TABLE audit (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  at         INTEGER NOT NULL,
  user_id    INTEGER NOT NULL REFERENCES user (id),
  action     TEXT    NOT NULL,
  patient_id TEXT    NOT NULL DEFAULT '',
  object     TEXT    NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX audit_patient ON audit (patient_id, id) WHERE patient_id <> '';
