-- +goose Up

-- How much there was on the disk at one time of each day, for a forecast. A row a day, for as long as [keepDiskDays].
CREATE TABLE disk_day (
  day      TEXT    PRIMARY KEY, -- of the practice, YYYY-MM-DD
  at       INTEGER NOT NULL,
  events   INTEGER NOT NULL,    -- messages in the inbox
  database INTEGER NOT NULL,    -- bytes
  files    INTEGER NOT NULL     -- bytes
) STRICT, WITHOUT ROWID;

-- The browsers that a person has signed in with: their tries of a password are counted apart from everybody else's.
CREATE TABLE device (
  id_hash BLOB    NOT NULL, -- SHA-256 of the cookie's 256-bit id
  user_id INTEGER NOT NULL REFERENCES user (id),
  used_at INTEGER NOT NULL,
  PRIMARY KEY (id_hash, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX device_user ON device (user_id, used_at);
