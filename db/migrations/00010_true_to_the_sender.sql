-- +goose Up

-- event_at of a day that was sent without a time is noon UTC of that day, which lies on it in every time zone from UTC-12
-- to UTC+11: a list sorts and groups it under its day wherever the practice is.
ALTER TABLE notification ADD COLUMN event_day INTEGER NOT NULL DEFAULT 0;
-- Code of the exchange or network that the record comes from; '' until it was read, or where it was not sent.
ALTER TABLE notification ADD COLUMN exchange TEXT NOT NULL DEFAULT '';
CREATE INDEX notification_exchange ON notification (exchange, id) WHERE exchange <> '';

-- Which reader made the facts: those of an older one are read again from the stored file.
ALTER TABLE record ADD COLUMN reader INTEGER NOT NULL DEFAULT 0;
CREATE INDEX record_reader ON record (reader, download_id);

-- The patient was discharged, also where the time of it was not sent.
ALTER TABLE stay ADD COLUMN ended INTEGER NOT NULL DEFAULT 0;
