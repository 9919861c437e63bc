-- +goose Up

-- What was asked of the networks, and what came back. Projections, from the inbox alone.

-- One request for the records of one patient: all that was heard under its request id. A message without a request id,
-- or without a patient, stands alone.
CREATE TABLE pull (
  id          INTEGER PRIMARY KEY, -- that of its first part in the inbox
  kind        TEXT    NOT NULL CHECK (kind IN ('query', 'consolidated', 'documents')),
  patient_id  TEXT    NOT NULL,
  request_id  TEXT    NOT NULL,
  received_at INTEGER NOT NULL,           -- of its first part
  is_out      INTEGER NOT NULL DEFAULT 0, -- something known to be on its way has not come
  is_failed   INTEGER NOT NULL DEFAULT 0, -- a part of it failed
  is_empty    INTEGER NOT NULL DEFAULT 0, -- there was nothing to send
  is_unclear  INTEGER NOT NULL DEFAULT 0  -- what was sent does not tell how it ended
) STRICT;
CREATE INDEX pull_kind ON pull (kind, id);
CREATE INDEX pull_patient ON pull (patient_id, id);
CREATE UNIQUE INDEX pull_of ON pull (kind, patient_id, request_id) WHERE patient_id <> '' AND request_id <> '';
CREATE INDEX pull_request ON pull (request_id) WHERE request_id <> '';
CREATE INDEX pull_out ON pull (kind, id) WHERE is_out = 1;
CREATE INDEX pull_failed ON pull (kind, id) WHERE is_failed = 1;
CREATE INDEX pull_empty ON pull (kind, id) WHERE is_empty = 1;
CREATE INDEX pull_unclear ON pull (kind, id) WHERE is_unclear = 1;

-- What one message says of a request.
CREATE TABLE pull_part (
  id          INTEGER PRIMARY KEY, -- inbox_seq * 1024 + place in the message
  pull_id     INTEGER NOT NULL,
  step        TEXT    NOT NULL,    -- care.Step
  message_id  TEXT    NOT NULL,
  at          INTEGER,             -- when it happened, as the event says, else when it was sent
  sent_at     INTEGER,
  received_at INTEGER NOT NULL,
  place       TEXT    NOT NULL,    -- hie, pharmacy, lab; '' for what is no network query
  source      TEXT    NOT NULL,    -- surescripts, quest, …; '' where not sent
  status      TEXT    NOT NULL,    -- as sent
  page        INTEGER NOT NULL,    -- from 1; 0 = not numbered
  pages       INTEGER NOT NULL,    -- 0 = not sent
  items       INTEGER NOT NULL,    -- documents in all pages; 0 = not sent
  more        TEXT    NOT NULL     -- JSON of care.PartMore
) STRICT;
CREATE INDEX pull_part_pull ON pull_part (pull_id, id);

-- The documents of a request, each once, however often it was listed.
CREATE TABLE pull_document (
  no           INTEGER PRIMARY KEY,
  pull_id      INTEGER NOT NULL,
  key          TEXT    NOT NULL, -- its id, or what tells it apart where it has none
  listed       TEXT    NOT NULL, -- time and message id of the listing that won
  name         TEXT    NOT NULL,
  description  TEXT    NOT NULL,
  type         TEXT    NOT NULL,
  organization TEXT    NOT NULL,
  status       TEXT    NOT NULL,
  indexed_at   INTEGER,
  media_type   TEXT    NOT NULL,
  size         INTEGER NOT NULL, -- bytes as sent; 0 = not sent
  UNIQUE (pull_id, key)
) STRICT;

-- Where its links stand among the downloads. A document listed twice has two.
CREATE TABLE pull_document_link (
  document_no INTEGER NOT NULL,
  inbox_seq   INTEGER NOT NULL,
  place       TEXT    NOT NULL, -- as in download
  PRIMARY KEY (document_no, inbox_seq, place)
) STRICT, WITHOUT ROWID;
