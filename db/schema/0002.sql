-- SPDX-License-Identifier: GPL-2.0-or-later
-- Schema 2: performance experiments (`wcr experiment`), beside the campaigns.

-- One experiment on one disk.
CREATE TABLE experiment_run (
    run_id      INTEGER PRIMARY KEY,
    experiment  TEXT NOT NULL CHECK (experiment <> ''),
    disk        TEXT NOT NULL CHECK (disk <> ''),       -- the setting's name
    facts_json  TEXT NOT NULL CHECK (json_valid(facts_json)),   -- parameters, hashes of artefacts, versions
    started_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    finished_at TEXT                                    -- NULL: it was interrupted
) STRICT;

-- One number. A configuration's are recorded together.
CREATE TABLE experiment_value (
    run_id      INTEGER NOT NULL REFERENCES experiment_run ON DELETE CASCADE,
    configuration TEXT NOT NULL CHECK (configuration <> ''),
    metric      TEXT NOT NULL CHECK (metric <> ''),
    ordinal     INTEGER NOT NULL,           -- which of several, or its place on an axis
    value       REAL NOT NULL,
    unit        TEXT NOT NULL,
    PRIMARY KEY (run_id, configuration, metric, ordinal)
) STRICT, WITHOUT ROWID;

-- The numbers of the last finished run of each experiment on each disk.
CREATE VIEW experiment_latest AS
SELECT r.experiment, r.disk, v.configuration, v.metric, v.ordinal, v.value, v.unit, r.run_id
FROM experiment_run AS r JOIN experiment_value AS v USING (run_id)
WHERE r.run_id = (SELECT max(l.run_id) FROM experiment_run AS l WHERE l.experiment = r.experiment
                  AND l.disk = r.disk AND l.finished_at IS NOT NULL);
