-- +goose Up

-- event_at is what the event says; where it says nothing, what its record does. Twins are told by what events say.
ALTER TABLE notification ADD COLUMN event_from_record INTEGER NOT NULL DEFAULT 0;
-- Whether last_event_at is a day, as notification.event_day says it of event_at.
ALTER TABLE patient ADD COLUMN last_event_day INTEGER NOT NULL DEFAULT 0;
-- Those whose record was read and does not say which exchange it comes from.
CREATE INDEX notification_exchange_not_sent ON notification (id) WHERE exchange = '' AND facts <> '';
