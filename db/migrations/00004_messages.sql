-- +goose Up

-- Secure messages: one row for each that came in, and one for each that the practice sent and whose fate was told. A
-- projection, from the inbox and from the stored messages.
CREATE TABLE mail (
  id          INTEGER PRIMARY KEY,         -- number of the inbox row; of the first one that told of a sent message
  box         TEXT    NOT NULL CHECK (box IN ('in', 'out')),
  sender_id   TEXT    NOT NULL DEFAULT '', -- the sender's own id of the message
  stated_id   TEXT    NOT NULL DEFAULT '', -- the patient whom the event names
  patient_id  TEXT    NOT NULL DEFAULT '', -- that one, else whom a person matched; '' = unmatched
  subject     TEXT    NOT NULL DEFAULT '',
  thread      TEXT    NOT NULL DEFAULT '', -- the subject without Re: and the like
  sender      TEXT    NOT NULL DEFAULT '',
  recipients  TEXT    NOT NULL DEFAULT '[]', -- JSON list
  reply_to    TEXT    NOT NULL DEFAULT '', -- sender_id of the message that this one answers
  network     TEXT    NOT NULL DEFAULT '',
  transport   TEXT    NOT NULL DEFAULT '',
  text        TEXT    NOT NULL DEFAULT '',
  more        TEXT    NOT NULL DEFAULT '', -- JSON of care.Letter: what else the stored message says; '' until it was read
  sent_at     INTEGER,
  received_at INTEGER NOT NULL,
  ended_at    INTEGER,                     -- of a sent one: when it was delivered, or failed
  status      TEXT    NOT NULL DEFAULT '', -- of a sent one: completed, failed, or another word of the sender's
  reason      TEXT    NOT NULL DEFAULT '',
  state       INTEGER NOT NULL DEFAULT 0,  -- 0 new, 1 read, 2 assigned, 3 answered; follows from mail_mark
  holder      INTEGER NOT NULL DEFAULT 0   -- id of the person it is assigned to; follows from mail_mark
) STRICT;
CREATE INDEX mail_list ON mail (box, id);
CREATE INDEX mail_state ON mail (box, state, id);
CREATE INDEX mail_unmatched ON mail (id) WHERE box = 'in' AND patient_id = '';
CREATE INDEX mail_holder ON mail (holder, id) WHERE holder <> 0;
CREATE INDEX mail_patient ON mail (patient_id, id) WHERE patient_id <> '';
CREATE INDEX mail_thread ON mail (patient_id, thread, id) WHERE patient_id <> '' AND thread <> '';
CREATE INDEX mail_sender_id ON mail (sender_id) WHERE sender_id <> '';
CREATE INDEX mail_reply ON mail (reply_to) WHERE reply_to <> '';
CREATE UNIQUE INDEX mail_sent ON mail (sender_id) WHERE box = 'out' AND sender_id <> '';

CREATE VIRTUAL TABLE mail_search USING fts5 (words, tokenize = 'trigram');

-- What each message.status event says of a sent message. A projection; mail holds what follows from all of them.
CREATE TABLE mail_status (
  inbox_seq  INTEGER PRIMARY KEY,
  mail_id    INTEGER NOT NULL,
  told       TEXT    NOT NULL, -- when it was told of and the message id, to be compared as text
  patient_id TEXT    NOT NULL,
  status     TEXT    NOT NULL,
  reason     TEXT    NOT NULL,
  sent_at    INTEGER,
  ended_at   INTEGER
) STRICT;
CREATE INDEX mail_status_mail ON mail_status (mail_id);

-- What people did. Not projections: they survive a rebuild.
CREATE TABLE mail_mark (
  mail_id     INTEGER PRIMARY KEY,
  read_at     INTEGER,
  read_by     INTEGER REFERENCES user (id),
  assigned_at INTEGER,
  assigned_to INTEGER REFERENCES user (id),
  answered_at INTEGER,
  answered_by INTEGER REFERENCES user (id)
) STRICT;

CREATE TABLE mail_match (
  mail_id    INTEGER PRIMARY KEY,
  patient_id TEXT    NOT NULL,
  user_id    INTEGER NOT NULL REFERENCES user (id),
  at         INTEGER NOT NULL
) STRICT;
