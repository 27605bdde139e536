// SPDX-License-Identifier: GPL-2.0-or-later
/* What a report shows beside a comparison. */
#include "analysis/report_int.h"

#include <sqlite3.h>
#include <stddef.h>

#define STRING(x) #x
#define NUMBER(x) STRING(x)

/* Names in a list, each once, in order. */
#define EACH(column)                                                                               \
    "(SELECT group_concat(value, ', ') FROM (SELECT DISTINCT o." column                            \
    " AS value FROM failure AS o WHERE o.name = f.name ORDER BY value))"

/*
 * Failures by name: each crash once, however many modes it was rebooted in. The trial to look at
 * is the one that failed soonest: there the least lies between the fault and what it did.
 */
#define FAILURES                                                                                   \
    "SELECT f.name AS signature, count(DISTINCT f.crash) AS crashes, count(*) AS trials, "          \
    EACH("fault_class") " AS fault_classes, " EACH("failed") " AS outcomes, "                       \
    EACH("mode") " AS modes, (SELECT o.trial_id FROM failure AS o WHERE o.name = f.name "           \
    "ORDER BY o.detect_ns IS NULL, o.detect_ns, o.trial_id LIMIT 1) AS trial "                      \
    "FROM failure AS f GROUP BY f.name ORDER BY crashes DESC, f.name"

static const char query_crashes[] =
    "WITH failure AS (SELECT coalesce(signature, '(no oops: ' || "
    "replace(crash_outcome, '_', ' ') || ')') AS name, coalesce(crash_id, trial_id) AS crash, "
    "replace(crash_outcome, '_', ' ') AS failed, * "
    "FROM trial WHERE campaign_id = ?1 AND status = 'done' AND "
    "(signature IS NOT NULL OR crash_outcome <> 'no_crash')) " FAILURES;

#define EVENT(kind)                                                                                \
    "(SELECT e.text FROM event AS e WHERE e.trial_id = t.trial_id AND e.kind = '" kind "' "        \
    "ORDER BY e.event_id LIMIT 1)"

static const char query_reboots[] =
    "WITH failure AS (SELECT coalesce(" EVENT("reboot_signature") ", " EVENT("reboot_reason") ", "
    "'(no word)') AS name, trial_id AS crash, replace(outcome, '_', ' ') AS failed, t.* "
    "FROM trial AS t WHERE campaign_id = ?1 AND status = 'done' AND "
    "(outcome = 'no_reboot' OR " EVENT("reboot_signature") " IS NOT NULL)) " FAILURES;

/* Before the reboot every reusable page is verified, afterwards every reused one. */
static const char query_checked[] =
    "SELECT count(crash_pages_checked) AS crashes, total(crash_pages_checked) AS pages_at_crash, "
    "total(crash_pages_inconsistent) AS inconsistent_at_crash, count(pages_reused) AS reboots, "
    "total(pages_reused) AS pages_reused, total(pages_inconsistent) AS inconsistent_reused "
    "FROM trial WHERE campaign_id = ?1 AND status = 'done' AND mode = 'enabled'";

static const char query_violations[] =
    "SELECT trial_id AS trial, fault_class, seed, outcome, activated, "
    "crash_pages_inconsistent AS at_crash, crash_pages_corrupt AS corrupt_at_crash, pages_reused, "
    "pages_inconsistent AS inconsistent, pages_corrupt AS corrupt, pages_stale_disk AS stale_disk, "
    "pages_unknown AS unknown FROM trial WHERE campaign_id = ?1 AND status = 'done' AND "
    "mode = 'enabled' AND (pages_inconsistent > 0 OR crash_pages_inconsistent > 0) "
    "ORDER BY pages_corrupt DESC, trial_id";

static const char query_messages[] =
    "SELECT text AS error, count(*) AS times, sum(given_up) AS trials_given_up, "
    "group_concat(DISTINCT fault_class) AS fault_classes, min(at) AS first, max(at) AS last FROM "
    "(SELECT text, 0 AS given_up, fault_class, at FROM attempt_error WHERE campaign_id = ?1 "
    "UNION ALL SELECT error, 1, fault_class, recorded_at FROM trial "
    "WHERE campaign_id = ?1 AND status = 'error' ORDER BY fault_class) "
    "GROUP BY text ORDER BY times DESC, text";

static const char query_steps[] =
    "WITH step AS (SELECT m.name, m.value, count(*) OVER class AS of, "
    "row_number() OVER (PARTITION BY m.name ORDER BY m.value) AS nth "
    "FROM measurement AS m JOIN trial AS t USING (trial_id) WHERE t.campaign_id = ?1 "
    "AND t.status = 'done' AND m.unit = 's' WINDOW class AS (PARTITION BY m.name)) "
    "SELECT name AS step, count(*) AS trials, "
    "avg(value) FILTER (WHERE nth IN ((of + 1) / 2, (of + 2) / 2)) AS median_s, "
    "max(value) AS max_s, sum(value) AS total_s FROM step GROUP BY name ORDER BY median_s DESC, "
    "name";

/* Time begins when the campaign was made. */
static const char query_progress[] =
    "WITH RECURSIVE bin(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM bin "
    "WHERE n < " NUMBER(PROGRESS_BINS) " - 1), "
    "done AS (SELECT unixepoch(t.recorded_at) - unixepoch(c.created_at) AS s FROM trial AS t "
    "JOIN campaign AS c USING (campaign_id) WHERE campaign_id = ?1 AND status = 'done'), "
    "part AS (SELECT (max(s) + 1.0) / " NUMBER(PROGRESS_BINS) " AS width FROM done) "
    "SELECT (n + 1) * width AS until_s, width AS width_s, "
    "(SELECT count(*) FROM done WHERE s >= n * width AND s < (n + 1) * width) AS trials, "
    "(SELECT count(*) FROM done WHERE s < (n + 1) * width) AS done FROM bin, part ORDER BY n";

static const char query_about[] =
    "SELECT c.spec_text, c.spec_hash, c.executor, c.wcr_version, c.created_at, "
    "(SELECT min(recorded_at) FROM trial AS t WHERE t.campaign_id = ?1) AS first_at, "
    "(SELECT max(recorded_at) FROM trial AS t WHERE t.campaign_id = ?1) AS last_at, "
    "(SELECT max(unixepoch(recorded_at)) FROM trial AS t WHERE t.campaign_id = ?1) - "
    "unixepoch(c.created_at) AS seconds, "
    "(SELECT user_version FROM pragma_user_version) AS schema, p.at AS profile_at, "
    "p.data_json ->> '$.build_id' AS build_id, p.data_json ->> '$.blocks' AS blocks, "
    "(SELECT group_concat(DISTINCT value) FROM json_each(p.data_json, '$.targets')) AS targets "
    "FROM campaign AS c LEFT JOIN event AS p ON "
    "p.event_id = (SELECT min(event_id) FROM event WHERE campaign_id = ?1 AND kind = 'profile') "
    "WHERE c.campaign_id = ?1";

static const char query_facts[] =
    "SELECT e.environment_id AS environment, f.name, f.value, e.hash, e.first_seen_at, "
    "(SELECT count(*) FROM trial AS t WHERE t.environment_id = e.environment_id "
    "AND t.status = 'done') AS trials FROM environment AS e JOIN environment_fact AS f "
    "USING (environment_id) WHERE e.campaign_id = ?1 ORDER BY e.environment_id, f.name";

static const struct {
    size_t offset;
    const char *sql;
} queries[] = {
    {offsetof(struct report, about), query_about},
    {offsetof(struct report, facts), query_facts},
    {offsetof(struct report, effects), query_effects},
    {offsetof(struct report, checked), query_checked},
    {offsetof(struct report, violations), query_violations},
    {offsetof(struct report, crashes), query_crashes},
    {offsetof(struct report, reboots), query_reboots},
    {offsetof(struct report, errors), query_messages},
    {offsetof(struct report, steps), query_steps},
    {offsetof(struct report, progress), query_progress},
};

#define QUERIES (sizeof(queries) / sizeof(queries[0]))

static struct result *part(struct report *r, size_t i)
{
    return (struct result *)((char *)r + queries[i].offset);
}

int report_load(const char *path, const char *campaign, struct report *r, struct err *err)
{
    int ret;

    *r = (struct report){.path = path};
    ret = db_open(path, DB_READ, &r->db, err);
    if (!ret && sqlite3_exec(db_handle(r->db), "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
        ret = db_fail(r->db, NULL, err);
    if (!ret)
        ret = db_campaign_find(r->db, campaign, &r->campaign, err);
    if (!ret)
        ret = comparison_load(r->db, r->campaign, &r->c, err);
    for (size_t i = 0; !ret && i < QUERIES; i++)
        ret = result_query(r->db, queries[i].sql, r->campaign, part(r, i), err);
    if (ret)
        report_done(r);
    return ret;
}

void report_done(struct report *r)
{
    comparison_done(&r->c);
    for (size_t i = 0; i < QUERIES; i++)
        result_done(part(r, i));
    db_close(r->db);
    r->db = NULL;
}
