-- +goose Up

-- A message that tells of the same event as an older one, with fresh links: the sender gave it again under an id of its own.
-- Not a projection: whether a link was dead when it came cannot be found out later, so a rebuild takes what stands here.
CREATE TABLE repeat_of (
  message_id TEXT    PRIMARY KEY,        -- of the one that repeats, as the inbox has it; it need not have come yet
  seq        INTEGER NOT NULL DEFAULT 0, -- its place in the inbox; 0 = the chart has not met it
  of_seq     INTEGER NOT NULL REFERENCES inbox (seq),
  answered   INTEGER NOT NULL,           -- 1 = the sender's answer said so; 0 = its body did
  found_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX repeat_of_seq ON repeat_of (seq);
CREATE INDEX repeat_of_first ON repeat_of (of_seq, seq);

-- Up to here it is decided which messages repeat others. Those that the chart has already are what they are.
INSERT INTO setting (name, value) SELECT 'repeats found up to', cast(at AS TEXT) FROM cursor WHERE name = 'inbox';

-- What messages say apart from their ids and links, as a hash. Kept of those that a repeat was looked for among.
CREATE TABLE message_print (
  seq   INTEGER PRIMARY KEY REFERENCES inbox (seq),
  print BLOB    NOT NULL
) STRICT;
CREATE INDEX message_print_print ON message_print (print);

-- Messages whose links died and that the sender is, or was, asked for again.
CREATE TABLE heal (
  seq      INTEGER PRIMARY KEY REFERENCES inbox (seq),
  user_id  INTEGER REFERENCES user (id), -- who asked last; NULL = by itself
  asked_at INTEGER NOT NULL,
  due_at   INTEGER,                      -- when the sender is to be asked; NULL = it was, or refused
  tries    INTEGER NOT NULL DEFAULT 0,   -- how often the sender was asked
  sent_at  INTEGER,                      -- when it was asked last
  open     INTEGER NOT NULL DEFAULT 0,   -- 1 = it was asked and has not answered
  error    TEXT    NOT NULL DEFAULT ''   -- why it did not agree; '' = it did, or was not asked
) STRICT;
CREATE INDEX heal_due ON heal (due_at, seq) WHERE due_at IS NOT NULL;
CREATE INDEX heal_open ON heal (seq) WHERE open = 1;

ALTER TABLE download ADD COLUMN again INTEGER NOT NULL DEFAULT 0; -- 1 = its link is one that the sender gave later
CREATE INDEX download_dead ON download (inbox_seq) WHERE state IN ('expired', 'refused', 'failed');
CREATE INDEX download_dead_patient ON download (patient_id, inbox_seq) WHERE state IN ('expired', 'refused', 'failed');
CREATE INDEX download_again ON download (id) WHERE again = 1;
