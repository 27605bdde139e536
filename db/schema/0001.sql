-- SPDX-License-Identifier: GPL-2.0-or-later
-- Schema 1. docs/database.md tells how to read it. A released file is never changed:
-- the next number migrates.

CREATE TABLE campaign (
    campaign_id INTEGER PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE CHECK (name <> ''),
    spec_text   TEXT NOT NULL,              -- the file as it was read
    spec_json   TEXT CHECK (spec_json IS NULL OR json_valid(spec_json)),     -- with defaults filled in
    spec_hash   TEXT NOT NULL,              -- XXH3-128 of spec_json, or else of spec_text
    executor    TEXT NOT NULL,
    wcr_version TEXT,
    created_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
) STRICT;

-- What a trial's machine was made of: one row for each different set of facts.
CREATE TABLE environment (
    environment_id INTEGER PRIMARY KEY,
    campaign_id INTEGER NOT NULL REFERENCES campaign ON DELETE CASCADE,
    hash        TEXT NOT NULL,
    first_seen_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    UNIQUE (campaign_id, hash)
) STRICT;

CREATE TABLE environment_fact (
    environment_id INTEGER NOT NULL REFERENCES environment ON DELETE CASCADE,
    name        TEXT NOT NULL,
    value       TEXT NOT NULL,
    PRIMARY KEY (environment_id, name)
) STRICT, WITHOUT ROWID;

-- One drawn plan. Rejected ones were replaced by the next index of the same seed.
CREATE TABLE plan (
    plan_id     INTEGER PRIMARY KEY,
    campaign_id INTEGER NOT NULL REFERENCES campaign ON DELETE CASCADE,
    fault_class TEXT NOT NULL CHECK (fault_class <> ''),
    seed        INTEGER NOT NULL CHECK (seed >= 0),
    plan_index  INTEGER NOT NULL CHECK (plan_index >= 0),
    target      TEXT,
    plan_json   TEXT CHECK (plan_json IS NULL OR json_valid(plan_json)),     -- NULL: a golden run
    rejected    TEXT CHECK (rejected IN ('not_activated', 'refused')),
    rejected_json TEXT CHECK (rejected_json IS NULL OR json_valid(rejected_json)),
    UNIQUE (campaign_id, fault_class, seed, plan_index),
    UNIQUE (plan_id, campaign_id, fault_class, seed)
) STRICT;

-- One row for each (campaign, class, seed, mode), written when the trial is over.
CREATE TABLE trial (
    trial_id    INTEGER PRIMARY KEY AUTOINCREMENT,
    campaign_id INTEGER NOT NULL REFERENCES campaign ON DELETE CASCADE,
    plan_id     INTEGER NOT NULL,
    fault_class TEXT NOT NULL,
    seed        INTEGER NOT NULL,
    mode        TEXT NOT NULL CHECK (mode IN ('enabled', 'disabled', 'cold')),
    status      TEXT NOT NULL CHECK (status IN ('done', 'error')),
    outcome     TEXT CHECK (outcome IN ('no_crash', 'process_crash', 'kernel_crash', 'hang', 'no_reboot')),
    crash_outcome TEXT CHECK (crash_outcome IN ('no_crash', 'process_crash', 'kernel_crash', 'hang')),
    activated   INTEGER CHECK (activated IN (0, 1)),    -- NULL: nobody can tell
    pair        TEXT CHECK (pair IN ('snapshot', 'two_runs')),
    crash_id    TEXT,                       -- equal: rebooted from the very same crash
    environment_id INTEGER REFERENCES environment,
    attempts    INTEGER NOT NULL DEFAULT 1 CHECK (attempts >= 1),
    error       TEXT,                       -- why status is 'error'
    signature   TEXT,
    shutdown_reason TEXT,
    -- Every reusable page at the instant of the crash, before the reboot.
    crash_pages_mapped       INTEGER,
    crash_pages_reusable     INTEGER,
    crash_pages_checked      INTEGER,
    crash_pages_consistent   INTEGER,
    crash_pages_inconsistent INTEGER,
    crash_pages_corrupt      INTEGER,
    crash_pages_stale_disk   INTEGER,
    crash_pages_unknown      INTEGER,
    crash_pages_unreadable   INTEGER,
    -- Every reused page after the reboot. NULL: not verified (it did not boot again).
    pages_mapped        INTEGER,
    pages_reusable      INTEGER,
    pages_retained      INTEGER,
    pages_reused        INTEGER,
    pages_checked       INTEGER,
    pages_consistent    INTEGER,
    pages_inconsistent  INTEGER,
    pages_corrupt       INTEGER,
    pages_stale_disk    INTEGER,
    pages_unknown       INTEGER,
    pages_unreadable    INTEGER,
    pages_modified      INTEGER,
    inject_ns   INTEGER,
    activated_ns INTEGER,
    detect_ns   INTEGER,
    reboot_ns   INTEGER,
    verify_ns   INTEGER,
    wall_ns     INTEGER,
    read_sectors INTEGER,                   -- of 512 bytes, read from the guest's disk by the reboot
    files_read  INTEGER,
    read_errors INTEGER,
    content_errors INTEGER,
    reply_json  TEXT CHECK (reply_json IS NULL OR json_valid(reply_json)),    -- all that the agent said
    recorded_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    UNIQUE (campaign_id, fault_class, seed, mode),
    FOREIGN KEY (plan_id, campaign_id, fault_class, seed)
        REFERENCES plan (plan_id, campaign_id, fault_class, seed) ON DELETE CASCADE,
    CHECK ((status = 'done') = (outcome IS NOT NULL)),
    CHECK ((status = 'error') = (error IS NOT NULL)),
    CHECK (pages_inconsistent >= pages_corrupt)
) STRICT;

CREATE INDEX trial_by_plan ON trial (plan_id);

-- Pages that were not consistent (the agent names 256 of a verification at most).
CREATE TABLE page_verdict (
    trial_id    INTEGER NOT NULL REFERENCES trial ON DELETE CASCADE,
    at          TEXT NOT NULL CHECK (at IN ('crash', 'reboot')),
    ordinal     INTEGER NOT NULL,
    pfn         INTEGER,
    inode       INTEGER,
    page_index  INTEGER,
    sector      INTEGER,
    verdict     TEXT NOT NULL CHECK (verdict IN ('consistent', 'corrupt', 'stale_disk', 'unknown')),
    detail      TEXT,
    PRIMARY KEY (trial_id, at, ordinal)
) STRICT, WITHOUT ROWID;

-- Console excerpts and the like; those without a trial are the campaign's.
CREATE TABLE event (
    event_id    INTEGER PRIMARY KEY,
    campaign_id INTEGER NOT NULL REFERENCES campaign ON DELETE CASCADE,
    trial_id    INTEGER REFERENCES trial ON DELETE CASCADE,
    kind        TEXT NOT NULL,
    text        TEXT,
    data_json   TEXT CHECK (data_json IS NULL OR json_valid(data_json)),
    at          TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
) STRICT;

CREATE INDEX event_by_trial ON event (trial_id);

CREATE TABLE measurement (
    trial_id    INTEGER NOT NULL REFERENCES trial ON DELETE CASCADE,
    name        TEXT NOT NULL,
    value       REAL NOT NULL,
    unit        TEXT NOT NULL,
    PRIMARY KEY (trial_id, name)
) STRICT, WITHOUT ROWID;

-- Attempts that failed for reasons of the experiment. Never results.
CREATE TABLE attempt_error (
    attempt_error_id INTEGER PRIMARY KEY,
    campaign_id INTEGER NOT NULL REFERENCES campaign ON DELETE CASCADE,
    fault_class TEXT NOT NULL,
    seed        INTEGER NOT NULL,
    plan_index  INTEGER NOT NULL,
    text        TEXT NOT NULL,
    console     TEXT,
    at          TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
) STRICT;

CREATE INDEX attempt_error_by_seed ON attempt_error (campaign_id, fault_class, seed);

-- Two-sided 95% Clopper-Pearson intervals, for the views: SQLite has no beta quantile,
-- so wcr adds, with every trial, the rows that the views will look up then.
CREATE TABLE interval95 (
    failures    INTEGER NOT NULL,
    trials      INTEGER NOT NULL,
    low         REAL NOT NULL,
    high        REAL NOT NULL,
    PRIMARY KEY (failures, trials),
    CHECK (0 <= failures AND failures <= trials AND low <= high)
) STRICT, WITHOUT ROWID;

INSERT INTO interval95 VALUES (0, 0, 0.0, 1.0);

-- ---- stable views: columns may be looked up by name, and are only ever added to others ----

CREATE VIEW trial_summary AS
SELECT t.trial_id, c.name AS campaign, t.fault_class, t.seed, t.mode, t.status, t.outcome, t.activated,
       coalesce(t.pages_mapped, t.crash_pages_mapped) AS pages_mapped,
       coalesce(t.crash_pages_reusable, t.pages_reusable) AS pages_reusable,
       t.pages_reused, t.pages_inconsistent, t.pages_corrupt, t.pages_stale_disk,
       t.inject_ns, t.detect_ns, t.reboot_ns, t.verify_ns, t.wall_ns
FROM trial AS t JOIN campaign AS c USING (campaign_id);

-- Counts of done trials by class, outcome and mode. A trial is *rated* when its reuse was
-- verified and its fault was not seen to stay unexecuted.
CREATE VIEW outcome_counts AS
SELECT t.campaign_id, c.name AS campaign, t.fault_class, t.outcome, t.mode,
       count(*) AS trials,
       count(*) FILTER (WHERE t.activated = 1) AS activated,
       count(*) FILTER (WHERE t.activated = 0) AS not_activated,
       count(*) FILTER (WHERE t.outcome <> 'no_crash') AS crashes,
       count(t.pages_reused) AS verified,
       count(t.pages_reused) FILTER (WHERE t.activated IS NOT 0) AS rated,
       count(*) FILTER (WHERE t.pages_inconsistent > 0) AS inconsistent_trials,
       count(*) FILTER (WHERE t.pages_corrupt > 0) AS corrupt_trials,
       count(*) FILTER (WHERE t.pages_stale_disk > 0) AS stale_disk_trials,
       count(*) FILTER (WHERE t.pages_inconsistent > 0 AND t.pages_reused IS NOT NULL AND t.activated IS NOT 0)
           AS rated_inconsistent,
       count(*) FILTER (WHERE t.pages_corrupt > 0 AND t.pages_reused IS NOT NULL AND t.activated IS NOT 0)
           AS rated_corrupt,
       total(t.pages_reused) AS pages_reused,
       total(coalesce(t.crash_pages_reusable, t.pages_reusable)) FILTER (WHERE t.pages_reused IS NOT NULL)
           AS pages_reusable,
       total(t.pages_inconsistent) AS pages_inconsistent,
       total(t.pages_corrupt) AS pages_corrupt,
       total(t.pages_stale_disk) AS pages_stale_disk
FROM trial AS t JOIN campaign AS c USING (campaign_id)
WHERE t.status = 'done'
GROUP BY t.campaign_id, t.fault_class, t.outcome, t.mode;

CREATE VIEW class_counts AS
SELECT campaign_id, campaign, fault_class, mode,
       sum(trials) AS trials, sum(activated) AS activated, sum(not_activated) AS not_activated,
       sum(crashes) AS crashes, sum(verified) AS verified, sum(rated) AS rated,
       sum(inconsistent_trials) AS inconsistent_trials, sum(corrupt_trials) AS corrupt_trials,
       sum(stale_disk_trials) AS stale_disk_trials, sum(rated_inconsistent) AS rated_inconsistent,
       sum(rated_corrupt) AS rated_corrupt, sum(pages_reused) AS pages_reused,
       sum(pages_reusable) AS pages_reusable, sum(pages_inconsistent) AS pages_inconsistent,
       sum(pages_corrupt) AS pages_corrupt, sum(pages_stale_disk) AS pages_stale_disk
FROM outcome_counts
GROUP BY campaign_id, fault_class, mode;

-- Every (failures, trials) whose interval a view looks up.
CREATE VIEW interval_needed AS
SELECT campaign_id, fault_class, rated_inconsistent AS failures, rated AS trials FROM class_counts
UNION SELECT campaign_id, fault_class, rated_corrupt, rated FROM class_counts
UNION SELECT campaign_id, fault_class, inconsistent_trials, verified FROM class_counts
UNION SELECT campaign_id, fault_class, rated_inconsistent, rated FROM outcome_counts
UNION SELECT campaign_id, fault_class, rated_corrupt, rated FROM outcome_counts;

-- rate: of the rated trials, those that reused at least one inconsistent page.
CREATE VIEW class_compare AS
SELECT n.campaign, n.fault_class, n.mode, n.trials, n.crashes, n.inconsistent_trials, n.corrupt_trials,
       CAST(n.rated_inconsistent AS REAL) / nullif(n.rated, 0) AS rate,
       i.low AS ci_low, i.high AS ci_high
FROM class_counts AS n
LEFT JOIN interval95 AS i ON i.failures = n.rated_inconsistent AND i.trials = n.rated;

-- The same with both denominators, the corrupt rate, and what the rates leave out.
CREATE VIEW class_rates AS
SELECT n.campaign, n.fault_class, n.mode, n.trials, n.activated, n.not_activated, n.crashes,
       n.verified, n.rated, n.inconsistent_trials, n.corrupt_trials, n.stale_disk_trials,
       n.rated_inconsistent, CAST(n.rated_inconsistent AS REAL) / nullif(n.rated, 0) AS rate,
       i.low AS ci_low, i.high AS ci_high,
       n.rated_corrupt, CAST(n.rated_corrupt AS REAL) / nullif(n.rated, 0) AS corrupt_rate,
       k.low AS corrupt_ci_low, k.high AS corrupt_ci_high,
       CAST(n.inconsistent_trials AS REAL) / nullif(n.verified, 0) AS rate_all,
       a.low AS all_ci_low, a.high AS all_ci_high,
       CAST(n.pages_reused AS INTEGER) AS pages_reused,
       CAST(n.pages_reusable AS INTEGER) AS pages_reusable,
       n.pages_reused / nullif(n.pages_reusable, 0) AS reuse_share,
       CAST(n.pages_inconsistent AS INTEGER) AS pages_inconsistent,
       CAST(n.pages_corrupt AS INTEGER) AS pages_corrupt,
       CAST(n.pages_stale_disk AS INTEGER) AS pages_stale_disk
FROM class_counts AS n
LEFT JOIN interval95 AS i ON i.failures = n.rated_inconsistent AND i.trials = n.rated
LEFT JOIN interval95 AS k ON k.failures = n.rated_corrupt AND k.trials = n.rated
LEFT JOIN interval95 AS a ON a.failures = n.inconsistent_trials AND a.trials = n.verified;

-- The published figure: class and outcome, for each mode.
CREATE VIEW outcome_compare AS
SELECT n.campaign, n.fault_class, n.outcome, n.mode, n.trials, n.activated, n.not_activated, n.rated,
       n.inconsistent_trials, n.corrupt_trials, n.stale_disk_trials, n.rated_inconsistent,
       CAST(n.rated_inconsistent AS REAL) / nullif(n.rated, 0) AS rate,
       i.low AS ci_low, i.high AS ci_high,
       CAST(n.pages_reused AS INTEGER) AS pages_reused,
       CAST(n.pages_inconsistent AS INTEGER) AS pages_inconsistent,
       CAST(n.pages_corrupt AS INTEGER) AS pages_corrupt,
       CAST(n.pages_stale_disk AS INTEGER) AS pages_stale_disk
FROM outcome_counts AS n
LEFT JOIN interval95 AS i ON i.failures = n.rated_inconsistent AND i.trials = n.rated;

-- One plan rebooted with the mechanism enabled and disabled. kind 'snapshot': from one and
-- the same crash; 'two_runs': each mode had its own injection.
CREATE VIEW pair_summary AS
SELECT c.name AS campaign, e.fault_class, e.seed, p.plan_index,
       CASE WHEN e.pair = 'snapshot' AND d.pair = 'snapshot' AND e.crash_id = d.crash_id
            THEN 'snapshot' ELSE 'two_runs' END AS kind,
       e.trial_id AS enabled_trial, d.trial_id AS disabled_trial,
       e.outcome AS enabled_outcome, d.outcome AS disabled_outcome,
       e.pages_inconsistent AS enabled_inconsistent, d.pages_inconsistent AS disabled_inconsistent,
       e.pages_corrupt AS enabled_corrupt, d.pages_corrupt AS disabled_corrupt,
       e.pages_reused IS NOT NULL AND d.pages_reused IS NOT NULL
           AND e.activated IS NOT 0 AND d.activated IS NOT 0 AS rated
FROM trial AS e
JOIN trial AS d ON d.plan_id = e.plan_id AND d.mode = 'disabled' AND d.status = 'done'
JOIN plan AS p ON p.plan_id = e.plan_id
JOIN campaign AS c ON c.campaign_id = e.campaign_id
WHERE e.mode = 'enabled' AND e.status = 'done';

-- Experiment errors: never results.
CREATE VIEW class_errors AS
SELECT c.name AS campaign, t.fault_class, t.mode,
       count(*) AS trials,
       count(*) FILTER (WHERE t.status = 'error') AS errors,
       sum(t.attempts) AS attempts
FROM trial AS t JOIN campaign AS c USING (campaign_id)
GROUP BY t.campaign_id, t.fault_class, t.mode;

-- Plans with the fields of text faults pulled out of their JSON.
CREATE VIEW plan_detail AS
SELECT p.plan_id, c.name AS campaign, p.fault_class, p.seed, p.plan_index, p.target, p.rejected,
       p.plan_json ->> '$.va' AS va, p.plan_json ->> '$.symbol' AS symbol,
       p.plan_json ->> '$.offset' AS "offset", p.plan_json ->> '$.source' AS source,
       p.plan_json ->> '$.old' AS old, p.plan_json ->> '$.new' AS new,
       p.plan_json ->> '$.old_asm' AS old_asm, p.plan_json ->> '$.new_asm' AS new_asm,
       p.plan_json ->> '$.candidates' AS candidates, p.plan_json -> '$.params' AS params
FROM plan AS p JOIN campaign AS c USING (campaign_id);
