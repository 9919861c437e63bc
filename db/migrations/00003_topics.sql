-- +goose Up

-- What changed beside patients and notifications: a row of one of the other lists.
ALTER TABLE change ADD COLUMN topic TEXT NOT NULL DEFAULT '';
ALTER TABLE change ADD COLUMN item INTEGER NOT NULL DEFAULT 0;
