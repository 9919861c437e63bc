-- +goose Up

-- When a notification happened, as its patient's timeline has it: as the event says, else when it was sent, else came in.
ALTER TABLE notification ADD COLUMN happened_at INTEGER GENERATED ALWAYS AS (coalesce(event_at, sent_at, received_at)) VIRTUAL;

-- One index for each way through the notifications of one patient; those of one message are found by their ids.
DROP INDEX notification_patient;
DROP INDEX notification_event;
DROP INDEX notification_inbox;
CREATE INDEX notification_timeline ON notification (patient_id, happened_at);
CREATE INDEX notification_facts ON notification (patient_id, kind, happened_at) WHERE facts <> '';

-- One for each state of the feed that people choose, so that a list is read in its order and not sorted.
DROP INDEX notification_state;
CREATE INDEX notification_open ON notification (id) WHERE state < 2;
CREATE INDEX notification_new ON notification (id) WHERE state = 0;
CREATE INDEX notification_done ON notification (id) WHERE state = 2;
CREATE INDEX notification_open_kind ON notification (kind, id) WHERE state < 2;
CREATE INDEX notification_open_exchange ON notification (exchange, id) WHERE state < 2 AND exchange <> '';

-- The same for the lists of messages, imports, records and proofings.
CREATE INDEX mail_open ON mail (box, id) WHERE state < 3;
CREATE INDEX mail_unmatched ON mail (box, id) WHERE patient_id = '';
CREATE INDEX mail_fate ON mail (status, id) WHERE box = 'out';
CREATE INDEX import_job_open ON import_job (no) WHERE state IN ('waiting', 'processing');
CREATE INDEX pull_done ON pull (kind, id) WHERE is_out = 0 AND is_failed = 0 AND is_empty = 0 AND is_unclear = 0;
CREATE INDEX identity_nobody ON identity (id) WHERE patient_id = '';
CREATE INDEX stay_latest ON stay (patient_id, coalesce(admit_at, last_event_at) DESC, id);
DROP INDEX stay_patient;

-- Nearly every message is processed: those that are not are what is looked for.
DROP INDEX inbox_outcome_status;
CREATE INDEX inbox_outcome_status ON inbox_outcome (status, seq) WHERE status <> 'processed';
