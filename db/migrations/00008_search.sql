-- +goose Up

-- What can be found by words beside patients: one entry for each thing of a kind. A projection.
CREATE TABLE search_entry (
  no         INTEGER PRIMARY KEY, -- the row of search_words
  kind       TEXT    NOT NULL,
  key        TEXT    NOT NULL,    -- names the thing within its kind
  patient_id TEXT    NOT NULL DEFAULT '',
  UNIQUE (kind, key)
) STRICT;

CREATE VIRTUAL TABLE search_words USING fts5 (kind, words, tokenize = 'trigram');

INSERT INTO search_entry (kind, key) SELECT 'facility', name FROM facility ORDER BY name;
INSERT INTO search_words (rowid, kind, words) SELECT no, '/' || kind || '/', key FROM search_entry;
