-- +goose Up

-- Whom each message names, also where it failed or is of an unknown type. A projection.
CREATE TABLE inbox_patient (
  seq        INTEGER NOT NULL REFERENCES inbox (seq),
  patient_id TEXT    NOT NULL,
  PRIMARY KEY (seq, patient_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX inbox_patient_of ON inbox_patient (patient_id, seq);

CREATE INDEX inbox_request ON inbox (request_id, seq) WHERE request_id <> '';

-- What admins asked to be read again: one message, or all of a type and a status. The projector works it off in the
-- order of the inbox. Not a projection: it is what people did.
CREATE TABLE reprocess (
  id        INTEGER PRIMARY KEY AUTOINCREMENT,
  asked_at  INTEGER NOT NULL,
  asked_by  INTEGER NOT NULL REFERENCES user (id),
  seq       INTEGER NOT NULL DEFAULT 0,  -- the one message; 0 = all of a kind
  type      TEXT    NOT NULL DEFAULT '', -- '' = any
  status    TEXT    NOT NULL DEFAULT '', -- '' = any
  at        INTEGER NOT NULL,            -- up to here it is done
  up_to     INTEGER NOT NULL,            -- the last message that had come when it was asked
  total     INTEGER NOT NULL,
  done      INTEGER NOT NULL DEFAULT 0,
  processed INTEGER NOT NULL DEFAULT 0,  -- of those done: understood now
  ended_at  INTEGER
) STRICT;
CREATE INDEX reprocess_open ON reprocess (id) WHERE ended_at IS NULL;
CREATE INDEX reprocess_seq ON reprocess (seq, id) WHERE seq <> 0;

-- Finished identity proofings, one a message. A projection.
CREATE TABLE identity (
  id          INTEGER PRIMARY KEY REFERENCES inbox (seq),
  message_id  TEXT    NOT NULL,
  request_id  TEXT    NOT NULL,
  patient_id  TEXT    NOT NULL, -- '' where the message names nobody
  proofed_id  TEXT    NOT NULL, -- proofedIdentityId
  session_id  TEXT    NOT NULL,
  sent_at     INTEGER,
  received_at INTEGER NOT NULL,
  data        TEXT    NOT NULL, -- meta.data, as JSON of [name, value] pairs
  fields      TEXT    NOT NULL  -- every other field, in the same form
) STRICT;
CREATE INDEX identity_patient ON identity (patient_id, sent_at) WHERE patient_id <> '';
CREATE INDEX identity_proofed ON identity (proofed_id, sent_at) WHERE proofed_id <> '';
