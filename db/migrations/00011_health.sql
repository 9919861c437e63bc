-- +goose Up

-- The summary of a patient before a call: allergies, medications, problems, results and more, from consolidated data and
-- network queries, and from the records behind pharmacy and laboratory notifications.

-- Which stored files are read into rows, and how far that is. This and health_row are made from the stored files alone; a
-- rebuild of the inbox's projections leaves them as they are, and folds the rows anew.
CREATE TABLE health_file (
  download_id INTEGER PRIMARY KEY REFERENCES download (id),
  patient_id  TEXT    NOT NULL,
  record      INTEGER NOT NULL,            -- 1: the record behind a notification, of which the facts are kept; 0: a whole file
  state       TEXT    NOT NULL CHECK (state IN ('waiting', 'reading', 'folding', 'read', 'failed')),
  reader      INTEGER NOT NULL DEFAULT 0,  -- which version read it
  folded      TEXT    NOT NULL DEFAULT '', -- section and key of the last row that is folded, parted by U+001F
  cut         TEXT    NOT NULL DEFAULT '', -- sections of which the file holds more than is kept, separated by spaces
  note        TEXT    NOT NULL DEFAULT ''  -- what was not read, in words for people
) STRICT;
CREATE INDEX health_file_due ON health_file (record, state, download_id) WHERE state IN ('waiting', 'reading', 'folding');
CREATE INDEX health_file_patient ON health_file (patient_id, record, download_id);

-- What one file says of one thing, such as one problem or one test.
CREATE TABLE health_row (
  download_id INTEGER NOT NULL,
  section     TEXT    NOT NULL, -- care.HealthSection
  key         TEXT    NOT NULL, -- the first of its names
  patient_id  TEXT    NOT NULL,
  names       TEXT    NOT NULL, -- JSON list: its codes and words; things that share one are one thing
  state       TEXT    NOT NULL, -- what is compared with the same thing in another file
  detail      TEXT    NOT NULL, -- JSON of care.Health
  events      TEXT    NOT NULL, -- JSON list of its fills, values or doses, the newest first
  UNIQUE (download_id, section, key)
) STRICT;
CREATE INDEX health_row_thing ON health_row (patient_id, section, key);

-- Projections: what all files say of a thing, folded into one entry.
CREATE TABLE health_entry (
  patient_id TEXT    NOT NULL,
  section    TEXT    NOT NULL,
  key        TEXT    NOT NULL, -- the smallest of its names
  part       INTEGER NOT NULL, -- care.PartCurrent, PartPast, PartDenied
  rank       INTEGER NOT NULL,
  at         TEXT    NOT NULL, -- when it was last said to be: FHIR dateTime; '' where that was not sent
  news       INTEGER NOT NULL DEFAULT 0, -- against the whole file before the last one: 1 new, 2 changed, 3 not there any more
  n          INTEGER NOT NULL DEFAULT 0, -- its fills, values or doses
  ref        TEXT    NOT NULL, -- names it in addresses
  detail     TEXT    NOT NULL, -- JSON of care.Health
  recent     TEXT    NOT NULL, -- JSON list of the newest events, shortened
  UNIQUE (patient_id, section, key)
) STRICT;
CREATE INDEX health_entry_order ON health_entry (patient_id, section, part, rank, at DESC, key, news);

-- All names by which a thing goes.
CREATE TABLE health_name (
  patient_id TEXT NOT NULL,
  section    TEXT NOT NULL,
  name       TEXT NOT NULL,
  key        TEXT NOT NULL,
  PRIMARY KEY (patient_id, section, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX health_name_key ON health_name (patient_id, section, key);

-- Single fills, values and doses, each once, however many files tell of it.
CREATE TABLE health_event (
  patient_id  TEXT    NOT NULL,
  section     TEXT    NOT NULL,
  key         TEXT    NOT NULL,
  event       TEXT    NOT NULL, -- begins with its time: the greatest is the newest
  sent        TEXT    NOT NULL, -- of the file that says it, to be compared as text: the greatest is believed
  download_id INTEGER NOT NULL,
  detail      TEXT    NOT NULL, -- JSON of care.Said
  PRIMARY KEY (patient_id, section, key, event)
) STRICT, WITHOUT ROWID;

-- The last two whole files of a patient, which are compared.
CREATE TABLE health_patient (
  patient_id TEXT    PRIMARY KEY,
  last_file  INTEGER NOT NULL,
  last_at    INTEGER NOT NULL, -- when it was sent, else came in
  base_file  INTEGER NOT NULL, -- 0 = there is none to compare with
  base_at    INTEGER NOT NULL,
  cut        TEXT    NOT NULL  -- sections that are not compared
) STRICT, WITHOUT ROWID;

-- Things to be folded anew, because a file was read again and says something else.
CREATE TABLE health_stale (
  patient_id TEXT NOT NULL,
  section    TEXT NOT NULL,
  key        TEXT NOT NULL,
  PRIMARY KEY (patient_id, section, key)
) STRICT, WITHOUT ROWID;

-- What is stored already is read when this version starts.
INSERT INTO health_file (download_id, patient_id, record, state)
  SELECT id, patient_id, purpose <> 'consolidated', 'waiting' FROM download
  WHERE patient_id <> '' AND (state = 'stored' AND purpose = 'consolidated' AND sniffed_type IN ('application/json', 'application/x-gzip')
    OR state IN ('stored', 'removed') AND purpose IN ('pharmacy', 'lab'));
