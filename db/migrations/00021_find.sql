-- +goose Up

-- What the record behind a notification is about: the drugs that were filled and the tests that were made, by the names
-- that it gives them. A projection; the chart is made again to fill it (see version in web/chart).
CREATE TABLE notification_subject (
  notification_id INTEGER NOT NULL,
  name            TEXT    NOT NULL,
  PRIMARY KEY (notification_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX notification_subject_name ON notification_subject (name, notification_id);
