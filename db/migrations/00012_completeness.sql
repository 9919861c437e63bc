-- +goose Up

-- What the sender lists and nobody misses is counted by the reason.
ALTER TABLE completeness_run ADD COLUMN by_choice INTEGER NOT NULL DEFAULT 0; -- never sent: the account has switched the type off
ALTER TABLE completeness_run ADD COLUMN elsewhere INTEGER NOT NULL DEFAULT 0; -- sent to another address
ALTER TABLE completeness_run ADD COLUMN unclear   INTEGER NOT NULL DEFAULT 0; -- nothing says that it was sent or failed
ALTER TABLE completeness_run ADD COLUMN tests     INTEGER NOT NULL DEFAULT 0; -- test events of the dashboard
-- 1 where the sender's API has no list: only what it says of the webhook counts then, not the numbers.
ALTER TABLE completeness_run ADD COLUMN no_list   INTEGER NOT NULL DEFAULT 0;

DROP INDEX completeness_run_good;
CREATE INDEX completeness_run_good ON completeness_run (id) WHERE error = '' AND no_list = 0;
CREATE INDEX completeness_run_answered ON completeness_run (id) WHERE error = '';

-- What is missing, and the newest of what was never sent by choice and of what went elsewhere.
ALTER TABLE completeness_gap ADD COLUMN kind TEXT NOT NULL DEFAULT 'missing' CHECK (kind IN ('missing', 'choice', 'elsewhere'));
ALTER TABLE completeness_gap ADD COLUMN url  TEXT NOT NULL DEFAULT ''; -- where it was sent to, without what may be a secret
DROP INDEX completeness_gap_run;
CREATE INDEX completeness_gap_run ON completeness_gap (run_id, kind);
