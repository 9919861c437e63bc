-- +goose Up

-- What is due next is found without looking at what is not. A link that is queued is
--   ready    next_try_at = 0: it may be tried now, where its host is up
--   waiting  next_try_at > 0: it failed by itself, and is tried again then
--   late     next_try_at < 0: it died in the queue, and is tried once when no living link waits for a place
ALTER TABLE download ADD COLUMN host TEXT NOT NULL DEFAULT ''; -- host:port that the link leads to; '' where it leads nowhere

UPDATE download SET host = lower(substr(url, instr(url, '://') + 3)) WHERE state IN ('queued', 'fetching') AND instr(url, '://') > 0;
UPDATE download SET host = substr(host, 1, instr(host || '/', '/') - 1) WHERE state IN ('queued', 'fetching');
UPDATE download SET host = substr(host, 1, instr(host || '?', '?') - 1) WHERE state IN ('queued', 'fetching');
UPDATE download SET host = host || iif(url LIKE 'http:%', ':80', ':443') WHERE state IN ('queued', 'fetching') AND host <> '' AND instr(host, ':') = 0;

-- Every host that links wait for, and whether it answers. One that does not is asked by one link at a time.
CREATE TABLE download_host (
  host       TEXT    PRIMARY KEY,
  head       INTEGER,                    -- when the first of its ready links dies; NULL where none is ready
  late       INTEGER NOT NULL DEFAULT 0, -- 1 = it has late links
  failures   INTEGER NOT NULL DEFAULT 0, -- how often it was asked in vain; 0 = it is up
  probe_at   INTEGER NOT NULL DEFAULT 0, -- when a host that is down is asked again
  down_since INTEGER NOT NULL DEFAULT 0,
  reason     TEXT    NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX download_host_up ON download_host (head, host) WHERE failures = 0 AND head IS NOT NULL;
CREATE INDEX download_host_down ON download_host (probe_at) WHERE failures > 0 AND head IS NOT NULL;
CREATE INDEX download_host_late ON download_host (host) WHERE late = 1;

DROP INDEX download_due;
CREATE INDEX download_ready ON download (host, expires_at, id) WHERE state = 'queued' AND next_try_at = 0;
CREATE INDEX download_waiting ON download (next_try_at) WHERE state = 'queued' AND next_try_at > 0;
CREATE INDEX download_late ON download (host, id) WHERE state = 'queued' AND next_try_at < 0;
CREATE INDEX download_fetching ON download (id) WHERE state = 'fetching';
CREATE INDEX download_kept ON download (ended_at) WHERE state = 'stored'; -- for the removal of what was kept long enough

INSERT INTO download_host (host, head) SELECT host, min(expires_at) FROM download WHERE state IN ('queued', 'fetching') GROUP BY host;
