-- +goose Up

-- What the sender said of each bulk creation job. A projection, from the inbox.
CREATE TABLE import_event (
  inbox_seq   INTEGER PRIMARY KEY,
  job_no      INTEGER NOT NULL,
  message_id  TEXT    NOT NULL,
  state       TEXT    NOT NULL, -- as sent; '' = not sent
  reason      TEXT    NOT NULL,
  sent_at     INTEGER,
  received_at INTEGER NOT NULL,
  data        TEXT    NOT NULL, -- JSON of meta.data; '' = not sent
  test        INTEGER NOT NULL
) STRICT;
CREATE INDEX import_event_job ON import_event (job_no, sent_at, message_id);

-- The jobs, as their events say. A projection.
CREATE TABLE import_job (
  no         INTEGER PRIMARY KEY, -- inbox_seq of the first event that came
  id         TEXT    NOT NULL UNIQUE,
  id_from    INTEGER NOT NULL,    -- 0 the job's own request id, 1 that of the message, 2 the message's own id
  state      TEXT    NOT NULL DEFAULT '',
  reason     TEXT    NOT NULL DEFAULT '',
  started_at INTEGER,             -- NULL where only its end was told
  ended_at   INTEGER,
  heard_at   INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX import_job_state ON import_job (state, no);
CREATE INDEX import_job_heard ON import_job (heard_at) WHERE state IN ('waiting', 'processing');

-- How far the result file behind a download has been read into rows. What follows is made from the stored file alone, and
-- a rebuild of the inbox's projections leaves it as it is.
CREATE TABLE import_file (
  download_id   INTEGER PRIMARY KEY REFERENCES download (id),
  state         TEXT    NOT NULL CHECK (state IN ('reading', 'read', 'failed', 'removed')),
  note          TEXT    NOT NULL DEFAULT '', -- what was not read, in words for people
  head          TEXT    NOT NULL DEFAULT '', -- names of the columns, parted by U+001F
  id_column     INTEGER NOT NULL DEFAULT -1, -- place of metriportId, status and reason; -1 = there is none
  status_column INTEGER NOT NULL DEFAULT -1,
  reason_column INTEGER NOT NULL DEFAULT -1,
  rows          INTEGER NOT NULL DEFAULT 0,  -- read so far: where reading goes on
  bytes         INTEGER NOT NULL DEFAULT 0,
  failed        INTEGER NOT NULL DEFAULT 0,
  unknown       INTEGER NOT NULL DEFAULT 0,
  succeeded     INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Rows in the order in which they are shown. place and reason_place count without gaps, so that any window is found at once.
CREATE TABLE import_row (
  download_id  INTEGER NOT NULL,
  outcome      INTEGER NOT NULL, -- 0 failed, 1 unknown, 2 succeeded
  place        INTEGER NOT NULL, -- from 1 within the outcome
  no           INTEGER NOT NULL, -- from 1 in the file, below its head
  reason_no    INTEGER NOT NULL,
  reason_place INTEGER NOT NULL, -- from 1 within the reason
  cells        TEXT    NOT NULL, -- parted by U+001F
  PRIMARY KEY (download_id, outcome, place)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX import_row_no ON import_row (download_id, no);
CREATE UNIQUE INDEX import_row_reason ON import_row (download_id, reason_no, reason_place);

-- Reasons that differ in nothing but numbers are one.
CREATE TABLE import_reason (
  download_id INTEGER NOT NULL,
  no          INTEGER NOT NULL, -- from 1 within the file
  outcome     INTEGER NOT NULL,
  words       TEXT    NOT NULL, -- with every number left out
  sample      TEXT    NOT NULL, -- the first, as sent
  varied      INTEGER NOT NULL, -- whether another was not like the first
  n           INTEGER NOT NULL,
  PRIMARY KEY (download_id, no),
  UNIQUE (download_id, outcome, words)
) STRICT, WITHOUT ROWID;

CREATE INDEX download_import ON download (id) WHERE purpose = 'import';
