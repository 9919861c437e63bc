-- +goose Up

-- Comparisons of the sender's list of deliveries with the inbox. Not a projection: what the sender said then cannot be
-- asked again.
CREATE TABLE completeness_run (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  started_at    INTEGER NOT NULL,
  took          INTEGER NOT NULL,             -- milliseconds
  user_id       INTEGER REFERENCES user (id), -- who asked for it; NULL = by the clock
  error         TEXT    NOT NULL,             -- '' = it came to its end
  sent          INTEGER NOT NULL,             -- here + missing + pending
  here          INTEGER NOT NULL,
  missing       INTEGER NOT NULL,
  pending       INTEGER NOT NULL,
  earlier       INTEGER NOT NULL,             -- delivered to another receiver, before the first message came here
  late          INTEGER NOT NULL,             -- here although the sender lists them as failed
  pings         INTEGER NOT NULL,
  only_here     INTEGER NOT NULL,             -- came in the same time, and are not on the list
  odd           INTEGER NOT NULL,             -- entries that repeat an id or have none
  webhook_known INTEGER NOT NULL,
  enabled       INTEGER NOT NULL,
  detail        TEXT    NOT NULL,             -- what the sender says of the webhook
  processing    INTEGER NOT NULL,
  failed        INTEGER NOT NULL
) STRICT;
CREATE INDEX completeness_run_good ON completeness_run (id) WHERE error = '';

-- Messages that a run found missing. They stay for as long as the sender lists them, so that what came late is known.
CREATE TABLE completeness_gap (
  message_id  TEXT    PRIMARY KEY,
  type        TEXT    NOT NULL,
  sent_at     INTEGER,
  status      TEXT    NOT NULL, -- as the sender says
  detail      TEXT    NOT NULL,
  http_status INTEGER NOT NULL,
  found_at    INTEGER NOT NULL, -- when it was first missing
  run_id      INTEGER NOT NULL  -- the last run that missed it
) STRICT, WITHOUT ROWID;
CREATE INDEX completeness_gap_run ON completeness_gap (run_id);
CREATE INDEX completeness_gap_sent ON completeness_gap (sent_at, message_id);

-- What people asked the sender to send again.
CREATE TABLE completeness_retry (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  at      INTEGER NOT NULL,
  user_id INTEGER NOT NULL REFERENCES user (id),
  missing INTEGER NOT NULL, -- at that time
  error   TEXT    NOT NULL  -- why the sender refused; '' = it agreed
) STRICT;

-- For what came in the last days.
CREATE INDEX inbox_received ON inbox (received_at, type);

-- For when each key was last heard.
CREATE INDEX inbox_key ON inbox (key_id, seq);
CREATE INDEX inbox_repeat_key ON inbox_repeat (key_id, id);
