-- +goose Up

-- The truth: what was received, byte for byte, in order. Append-only; times are integer milliseconds UTC everywhere.
CREATE TABLE inbox (
  seq         INTEGER PRIMARY KEY AUTOINCREMENT,
  message_id  TEXT    NOT NULL UNIQUE,
  request_id  TEXT    NOT NULL,
  type        TEXT    NOT NULL,
  sent_at     INTEGER,
  received_at INTEGER NOT NULL,
  key_id      TEXT    NOT NULL, -- fingerprint of the key whose signature fitted
  body        BLOB    NOT NULL,
  body_form   INTEGER NOT NULL, -- 0 as it came, 1 zstd
  body_size   INTEGER NOT NULL, -- bytes as it came
  body_sha256 BLOB    NOT NULL,
  chain       BLOB    NOT NULL  -- SHA-256 over the previous row's chain and this row
) STRICT;
CREATE INDEX inbox_type ON inbox (type, seq);

-- Every further delivery of a message that is already in the inbox. The body is kept where it differs.
CREATE TABLE inbox_repeat (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  inbox_seq   INTEGER NOT NULL REFERENCES inbox (seq),
  received_at INTEGER NOT NULL,
  key_id      TEXT    NOT NULL,
  differs     INTEGER NOT NULL,
  body        BLOB,
  body_form   INTEGER NOT NULL,
  body_size   INTEGER NOT NULL,
  body_sha256 BLOB    NOT NULL,
  chain       BLOB    NOT NULL
) STRICT;
CREATE INDEX inbox_repeat_seq ON inbox_repeat (inbox_seq, id);

-- +goose StatementBegin
CREATE TRIGGER inbox_no_update BEFORE UPDATE ON inbox BEGIN SELECT RAISE (ABORT, 'the inbox is append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER inbox_no_delete BEFORE DELETE ON inbox BEGIN SELECT RAISE (ABORT, 'the inbox is append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER inbox_repeat_no_update BEFORE UPDATE ON inbox_repeat BEGIN SELECT RAISE (ABORT, 'the inbox is append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER inbox_repeat_no_delete BEFORE DELETE ON inbox_repeat BEGIN SELECT RAISE (ABORT, 'the inbox is append-only'); END;
-- +goose StatementEnd

-- Signed-looking requests that were refused, by hour. Nothing of their content is kept.
CREATE TABLE rejection (
  hour   INTEGER NOT NULL,
  reason TEXT    NOT NULL,
  n      INTEGER NOT NULL,
  PRIMARY KEY (hour, reason)
) STRICT, WITHOUT ROWID;

-- Projections: all of what follows, up to "people", is made from the inbox and can be made again.
CREATE TABLE inbox_outcome (
  seq    INTEGER PRIMARY KEY REFERENCES inbox (seq),
  status TEXT    NOT NULL CHECK (status IN ('processed', 'unrecognized', 'malformed', 'failed')),
  error  TEXT    NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX inbox_outcome_status ON inbox_outcome (status, seq);

CREATE TABLE cursor (
  name TEXT    PRIMARY KEY,
  at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE patient (
  no             INTEGER PRIMARY KEY,
  id             TEXT    NOT NULL UNIQUE,
  external_id    TEXT    NOT NULL DEFAULT '',
  external_id_of TEXT    NOT NULL DEFAULT '', -- sent_at and message id of the statement that won
  name           TEXT    NOT NULL DEFAULT '',
  birth_date     TEXT    NOT NULL DEFAULT '',
  first_event_at INTEGER NOT NULL,
  last_event_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX patient_recent ON patient (last_event_at, no);

CREATE TABLE patient_alias (
  patient_id TEXT NOT NULL,
  system     TEXT NOT NULL,
  value      TEXT NOT NULL,
  PRIMARY KEY (patient_id, system, value)
) STRICT, WITHOUT ROWID;

CREATE VIRTUAL TABLE patient_search USING fts5 (words, tokenize = 'trigram');

CREATE TABLE facility (
  name TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE notification (
  id             INTEGER PRIMARY KEY, -- inbox_seq * 1024 + place in the message: the same after every rebuild
  inbox_seq      INTEGER NOT NULL,
  kind           TEXT    NOT NULL CHECK (kind IN ('admit', 'transfer', 'discharge', 'pharmacy', 'lab', 'summary')),
  patient_id     TEXT    NOT NULL,
  message_id     TEXT    NOT NULL,
  event_at       INTEGER,          -- when it happened; NULL where the sender did not say
  sent_at        INTEGER,          -- meta.when
  source_sent_at INTEGER,          -- whenSourceSent
  received_at    INTEGER NOT NULL,
  admit_at       INTEGER,
  discharge_at   INTEGER,
  moves          TEXT    NOT NULL DEFAULT '[]', -- JSON of care.Move
  facility       TEXT    NOT NULL DEFAULT '',
  stay_id        TEXT    NOT NULL DEFAULT '',
  twin_of        INTEGER NOT NULL DEFAULT 0,    -- an earlier notification of the same event under another message id
  test           INTEGER NOT NULL DEFAULT 0,
  deliveries     INTEGER NOT NULL DEFAULT 1,
  state          INTEGER NOT NULL DEFAULT 0     -- 0 new, 1 seen, 2 done; follows from notification_mark
) STRICT;
CREATE INDEX notification_inbox ON notification (inbox_seq);
CREATE INDEX notification_patient ON notification (patient_id, id);
CREATE INDEX notification_event ON notification (patient_id, kind, event_at);
CREATE INDEX notification_kind ON notification (kind, id);
CREATE INDEX notification_state ON notification (state, id);
CREATE INDEX notification_facility ON notification (facility, id) WHERE facility <> '';

CREATE TABLE stay (
  id            TEXT    PRIMARY KEY,
  patient_id    TEXT    NOT NULL,
  admit_at      INTEGER,
  discharge_at  INTEGER,
  last_event_at INTEGER,
  moves         TEXT    NOT NULL,
  notices       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX stay_patient ON stay (patient_id);

-- What people did. Not a projection: it survives a rebuild.
CREATE TABLE notification_mark (
  notification_id INTEGER PRIMARY KEY,
  seen_at INTEGER,
  seen_by INTEGER REFERENCES user (id),
  done_at INTEGER,
  done_by INTEGER REFERENCES user (id)
) STRICT;

-- Live: each change to what people see gets the next number. Old rows are pruned; who is further behind gets the whole list.
CREATE TABLE change (
  seq             INTEGER PRIMARY KEY AUTOINCREMENT,
  patient_id      TEXT    NOT NULL DEFAULT '',
  notification_id INTEGER NOT NULL DEFAULT 0
) STRICT;

-- People.
CREATE TABLE user (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  email       TEXT    NOT NULL UNIQUE COLLATE NOCASE,
  role        TEXT    NOT NULL CHECK (role IN ('admin', 'coordinator', 'viewer')),
  password    TEXT    NOT NULL, -- argon2id, PHC form
  created_at  INTEGER NOT NULL,
  disabled_at INTEGER
) STRICT;

CREATE TABLE session (
  id_hash    BLOB    PRIMARY KEY, -- SHA-256 of the cookie's 256-bit id
  user_id    INTEGER NOT NULL REFERENCES user (id),
  created_at INTEGER NOT NULL,
  active_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
