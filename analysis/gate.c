// SPDX-License-Identifier: GPL-2.0-or-later
#include "analysis/gate.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/result.h"
#include "analysis/stats.h"

/* The classes that a campaign is about, those without a trial as well. */
static const char query_names[] =
    "SELECT DISTINCT name FROM ("
    "SELECT fault_class AS name FROM plan WHERE campaign_id = ?1 "
    "UNION ALL SELECT fault_class FROM attempt_error WHERE campaign_id = ?1 "
    "UNION ALL SELECT each.value ->> '$.class' FROM campaign AS c, "
    "json_each(c.spec_json, '$.classes') AS each WHERE c.campaign_id = ?1) "
    "WHERE name IS NOT NULL AND name <> '" DB_GOLDEN "' ORDER BY name";

/* What a rule is judged by: one class, or all of them, in one mode. */
struct tally {
    int64_t trials, not_activated, verified, rated, inconsistent, corrupt, rated_inconsistent,
        rated_corrupt, reused, reusable;
};

struct judge {
    const struct policy *policy;
    struct gate *gate;
    struct result campaign, names, classes, outcomes;
    bool no_memory;
};

static void check_add(struct judge *j, enum verdict verdict, const char *scope, const char *rule,
                      const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static void check_add(struct judge *j, enum verdict verdict, const char *scope, const char *rule,
                      const char *fmt, ...)
{
    struct gate *g = j->gate;
    struct check *checks = reallocarray(g->checks, g->len + 1, sizeof(*checks)), *c;
    va_list ap;

    if (!checks) {
        j->no_memory = true;
        return;
    }
    g->checks = checks;
    c = &checks[g->len++];
    c->verdict = verdict;
    snprintf(c->scope, sizeof(c->scope), "%s", scope);
    snprintf(c->rule, sizeof(c->rule), "%s", rule);
    va_start(ap, fmt);
    vsnprintf(c->text, sizeof(c->text), fmt, ap);
    va_end(ap);
}

static void tally_add(struct tally *t, const struct result *r, unsigned i)
{
    t->trials += result_int(r, i, "trials");
    t->not_activated += result_int(r, i, "not_activated");
    t->verified += result_int(r, i, "verified");
    t->rated += result_int(r, i, "rated");
    t->inconsistent += result_int(r, i, "inconsistent_trials");
    t->corrupt += result_int(r, i, "corrupt_trials");
    t->rated_inconsistent += result_int(r, i, "rated_inconsistent");
    t->rated_corrupt += result_int(r, i, "rated_corrupt");
    t->reused += result_int(r, i, "pages_reused");
    t->reusable += result_int(r, i, "pages_reusable");
}

/* @class NULL: all of them but fault-free trials. */
static struct tally tally_of(const struct judge *j, const char *class)
{
    const struct result *r = &j->classes;
    struct tally t = {0};

    for (unsigned i = 0; i < r->rows; i++) {
        const char *name = result_text(r, i, "fault_class");

        if (!strcmp(result_text(r, i, "mode"), j->policy->mode) &&
            (class ? !strcmp(name, class) : strcmp(name, DB_GOLDEN) != 0))
            tally_add(&t, r, i);
    }
    return t;
}

/* ---- rules ---- */

static void judge_min_trials(struct judge *j, const char *scope, int64_t min, const struct tally *t)
{
    if (min < 0)
        return;
    check_add(j, t->rated >= min ? VERDICT_PASS : VERDICT_NO_DATA, scope, "min_trials",
              "%" PRId64 " of %" PRId64 " trials that count", t->rated, min);
}

static void judge_count(struct judge *j, const char *scope, const char *rule, int64_t max,
                        int64_t found, const struct tally *t)
{
    if (max < 0)
        return;
    if (found > max)
        check_add(j, VERDICT_FAIL, scope, rule, "%" PRId64 " trials, at most %" PRId64 " allowed",
                  found, max);
    else
        check_add(j, t->verified ? VERDICT_PASS : VERDICT_NO_DATA, scope, rule,
                  "%" PRId64 " of %" PRId64 " verified trials, at most %" PRId64 " allowed", found,
                  t->verified, max);
}

/*
 * What was seen is above the limit: failed. Only the upper bound is: more trials may bring
 * it down.
 */
static void judge_rate(struct judge *j, const char *scope, const char *rule, double max, int64_t k,
                       const struct tally *t)
{
    double confidence = j->policy->confidence;
    double upper = clopper_pearson_upper(k, t->rated, confidence);
    char need[80] = "";

    if (isnan(max))
        return;
    if (t->rated && (double)k / (double)t->rated > max) {
        check_add(j, VERDICT_FAIL, scope, rule,
                  "%" PRId64 " of %" PRId64 " trials (%.4g%%), at "
                  "most %.4g%% allowed",
                  k, t->rated, 100.0 * (double)k / (double)t->rated, 100 * max);
        return;
    }
    if (upper > max && !k)
        snprintf(need, sizeof(need), "; %" PRId64 " trials without a failure would do",
                 trials_to_bound(max, confidence));
    check_add(j, upper <= max ? VERDICT_PASS : VERDICT_NO_DATA, scope, rule,
              "%" PRId64 " of %" PRId64 " trials, so below %.4g%% at %.6g%% confidence; at most "
              "%.4g%% allowed%s",
              k, t->rated, 100 * upper, 100 * confidence, 100 * max, need);
}

static void judge_reuse(struct judge *j, const char *scope, double min, const struct tally *t)
{
    double share = t->reusable ? (double)t->reused / (double)t->reusable : 0;

    if (isnan(min))
        return;
    if (!t->verified)
        check_add(j, VERDICT_NO_DATA, scope, "min_reuse", "no trial was verified");
    else
        check_add(j, share >= min ? VERDICT_PASS : VERDICT_FAIL, scope, "min_reuse",
                  "%" PRId64 " of %" PRId64 " reusable pages were reused (%.4g%%), at least %.4g%% "
                  "asked for",
                  t->reused, t->reusable, 100 * share, 100 * min);
}

static void judge_share(struct judge *j, const char *scope, const char *rule, double max, int64_t k,
                        int64_t n)
{
    double share = n ? (double)k / (double)n : 0;

    if (isnan(max))
        return;
    check_add(j,
              !n             ? VERDICT_NO_DATA
              : share <= max ? VERDICT_PASS
                             : VERDICT_FAIL,
              scope, rule, "%" PRId64 " of %" PRId64 " trials (%.4g%%), at most %.4g%% allowed", k,
              n, 100 * share, 100 * max);
}

static void judge_rules(struct judge *j, const char *scope, const struct policy_rules *r,
                        const struct tally *t)
{
    judge_count(j, scope, "max_corrupt_trials", r->max_corrupt_trials, t->corrupt, t);
    judge_rate(j, scope, "max_corrupt_rate", r->max_corrupt_rate, t->rated_corrupt, t);
    judge_count(j, scope, "max_inconsistent_trials", r->max_inconsistent_trials, t->inconsistent,
                t);
    judge_rate(j, scope, "max_inconsistent_rate", r->max_inconsistent_rate, t->rated_inconsistent,
               t);
    judge_reuse(j, scope, r->min_reuse, t);
    judge_share(j, scope, "max_not_activated_share", r->max_not_activated_share, t->not_activated,
                t->trials);
}

/*
 * Fault-free trials judge the experiment: none may crash and, but for disabled, which
 * reuses a sound guest's dirty pages too, none may reuse a wrong page; those of the judged
 * mode must be there and, but for cold, reuse something.
 */
static void judge_golden(struct judge *j)
{
    const struct result *r = &j->outcomes;
    struct tally t = tally_of(j, DB_GOLDEN);
    int64_t crashed = 0, inconsistent = 0;

    for (unsigned i = 0; i < r->rows; i++) {
        if (strcmp(result_text(r, i, "fault_class"), DB_GOLDEN) != 0)
            continue;
        if (strcmp(result_text(r, i, "outcome"), "no_crash") != 0)
            crashed += result_int(r, i, "trials");
        if (strcmp(result_text(r, i, "mode"), "disabled") != 0)
            inconsistent += result_int(r, i, "inconsistent_trials");
    }
    if (crashed || inconsistent)
        check_add(j, VERDICT_FAIL, DB_GOLDEN, "golden",
                  "%" PRId64 " fault-free trials crashed, "
                  "%" PRId64 " reused inconsistent pages: the experiment is not sound",
                  crashed, inconsistent);
    else if (!t.verified)
        check_add(j, VERDICT_NO_DATA, DB_GOLDEN, "golden", "no fault-free trial with mode %s",
                  j->policy->mode);
    else if (!t.reused && strcmp(j->policy->mode, "cold") != 0)
        check_add(j, VERDICT_FAIL, DB_GOLDEN, "golden",
                  "no page was reused in %" PRId64 " fault-free trials", t.verified);
    else
        check_add(j, VERDICT_PASS, DB_GOLDEN, "golden",
                  "%" PRId64 " fault-free trials, no crash, "
                  "%" PRId64 " pages reused, all consistent",
                  t.verified, t.reused);
}

static bool name_listed(const struct result *names, const char *name)
{
    for (unsigned i = 0; i < names->rows; i++)
        if (!strcmp(result_text(names, i, "name"), name))
            return true;
    return false;
}

static void judge_class(struct judge *j, const char *name)
{
    const struct policy_rules *own = policy_class_find(j->policy, name);
    int64_t min = own && own->min_trials >= 0 ? own->min_trials : j->policy->overall.min_trials;
    struct tally t = tally_of(j, name);

    judge_min_trials(j, name, min, &t);
    if (own)
        judge_rules(j, name, own, &t);
}

static void judge_all(struct judge *j)
{
    const struct policy *policy = j->policy;
    struct tally t = tally_of(j, NULL);
    int64_t done = result_int(&j->campaign, 0, "done");
    int64_t errors = result_int(&j->campaign, 0, "errors");

    if (policy->golden_required)
        judge_golden(j);
    judge_rules(j, "all", &policy->overall, &t);
    judge_share(j, "all", "max_error_share", policy->max_error_share, errors, done + errors);
    if (policy->overall.min_trials >= 0 && !j->names.rows)
        check_add(j, VERDICT_NO_DATA, "all", "min_trials", "no trial yet");
    for (unsigned i = 0; i < j->names.rows; i++)
        judge_class(j, result_text(&j->names, i, "name"));
    /* A class that the campaign does not have at all. */
    for (unsigned i = 0; i < policy->classes_len; i++)
        if (!name_listed(&j->names, policy->classes[i].name))
            check_add(j, VERDICT_NO_DATA, policy->classes[i].name, "classes",
                      "the policy has rules for this class, the campaign has no such trial");
}

static int judge_load(struct judge *j, struct db *db, const char *campaign, struct err *err)
{
    int64_t id;
    int r = db_campaign_find(db, campaign, &id, err);

    if (!r)
        r = result_query(db, query_campaign, id, &j->campaign, err);
    if (!r)
        r = result_query(db, query_names, id, &j->names, err);
    if (!r)
        r = result_query(db, query_classes, id, &j->classes, err);
    if (!r)
        r = result_query(db, query_outcomes, id, &j->outcomes, err);
    return r;
}

int gate_judge(const char *path, const char *campaign, const struct policy *policy,
               struct gate *ret, struct err *err)
{
    struct judge j = {.policy = policy, .gate = ret};
    struct db *db;
    int r;

    *ret = (struct gate){0};
    r = db_open(path, DB_READ, &db, err);
    if (r)
        return r;
    r = judge_load(&j, db, campaign, err);
    if (!r) {
        snprintf(ret->campaign, sizeof(ret->campaign), "%s", result_text(&j.campaign, 0, "name"));
        judge_all(&j);
        if (j.no_memory)
            r = err_set(err, ENOMEM, "out of memory");
    }
    result_done(&j.campaign);
    result_done(&j.names);
    result_done(&j.classes);
    result_done(&j.outcomes);
    db_close(db);
    if (r)
        gate_done(ret);
    return r;
}

void gate_done(struct gate *gate)
{
    free(gate->checks);
    gate->checks = NULL;
    gate->len = 0;
}

enum verdict gate_verdict(const struct gate *gate)
{
    enum verdict worst = VERDICT_PASS;

    for (unsigned i = 0; i < gate->len; i++)
        if (gate->checks[i].verdict > worst)
            worst = gate->checks[i].verdict;
    return worst;
}
