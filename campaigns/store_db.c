// SPDX-License-Identifier: GPL-2.0-or-later
/* The store in the database: replies of the agent become columns and rows. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "campaigns/store.h"
#include "cli/version.h"
#include "db/db.h"

/* The workers of a runner that was killed may live a moment longer. */
#define CLAIM_WAIT_MS 10000

struct db_store {
    struct db *db;
    int64_t campaign, environment;
};

static int64_t number(const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);

    return json_is_integer(v) ? json_integer_value(v) : DB_UNKNOWN;
}

static const char *text(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static struct db_plan plan_row(const struct trial_key *key, const char *json)
{
    return (struct db_plan){
        .fault_class = key->class_name,
        .seed = key->seed,
        .index = key->index,
        .json = json,
    };
}

/* NULL for NULL: a golden run has no plan. */
static int plan_text(const json_t *plan, char **ret, struct err *err)
{
    *ret = plan ? json_dumps(plan, JSON_COMPACT) : NULL;
    return plan && !*ret ? err_set(err, ENOMEM, "out of memory") : 0;
}

static int store_resume(void *ctx, const char *class_name, uint64_t seed, bool done[MODES],
                        unsigned *ret_index, struct err *err)
{
    struct db_store *s = ctx;
    struct db_resume resume;
    int r;

    r = db_trial_resume(s->db, s->campaign, class_name, seed, &resume, err);
    if (r)
        return r;
    for (int m = 0; m < MODES; m++)
        done[m] = resume.done[m];
    *ret_index = resume.index;
    return 0;
}

static struct db_counts counts(const json_t *reply)
{
    return (struct db_counts){
        .mapped = number(reply, "pages_mapped"),
        .reusable = number(reply, "pages_reusable"),
        .reused = number(reply, "pages_reused"),
        .retained = number(reply, "pages_retained"),
        .checked = number(reply, "pages_checked"),
        .consistent = number(reply, "pages_consistent"),
        .inconsistent = number(reply, "pages_inconsistent"),
        .corrupt = number(reply, "pages_corrupt"),
        .stale_disk = number(reply, "pages_stale_disk"),
        .unknown = number(reply, "pages_unknown"),
        .unreadable = number(reply, "pages_unreadable"),
        .modified = number(reply, "pages_modified"),
    };
}

static size_t add_pages(struct db_page *pages, size_t len, const json_t *reply, const char *when)
{
    const json_t *p;
    size_t i;

    json_array_foreach(json_object_get(reply, "pages"), i, p) {
        pages[len++] = (struct db_page){
            .when = when,
            .pfn = number(p, "pfn"),
            .inode = number(p, "inode"),
            .index = number(p, "index"),
            .sector = number(p, "sector"),
            .verdict = text(p, "verdict"),
            .detail = text(p, "detail"),
        };
    }
    return len;
}

static size_t pages_of(const json_t *reply)
{
    return json_array_size(json_object_get(reply, "pages"));
}

static size_t add_measurement(struct db_measurement *m, size_t len, const char *name,
                              const json_t *value, const char *unit)
{
    if (json_is_number(value))
        m[len++] = (struct db_measurement){name, json_number_value(value), unit};
    return len;
}

/* The replies without what has rows of its own. */
static char *reply_text(const json_t *message)
{
    static const char *const names[] = {"inject", "crash", "reboot", "verify"};
    json_t *all = json_object();
    char *ret;

    for (size_t i = 0; all && i < sizeof(names) / sizeof(names[0]); i++) {
        json_t *reply = json_copy(json_object_get(message, names[i]));

        json_object_del(reply, "console");
        json_object_del(reply, "pages");
        json_object_set_new(all, names[i], reply);
    }
    ret = all ? json_dumps(all, JSON_COMPACT) : NULL;
    json_decref(all);
    return ret;
}

#define OTHER_MEASUREMENTS 8

/* What a trial consists of, while it is being recorded. */
struct rows {
    struct db_trial trial;
    char *plan, *reply;
    struct db_page *pages;
    struct db_measurement *measurements;
    struct db_event events[4];
};

static void rows_done(struct rows *r)
{
    free(r->plan);
    free(r->reply);
    free(r->pages);
    free(r->measurements);
}

static void fill_scalars(struct db_trial *t, const json_t *m)
{
    const json_t *inject = json_object_get(m, "inject"), *reboot = json_object_get(m, "reboot");
    const json_t *activated = json_object_get(inject, "activated");
    bool booted = json_is_true(json_object_get(reboot, "booted"));

    t->mode = text(m, "mode");
    t->pair = text(m, "pair");
    t->crash_id = text(m, "crash_id");
    t->crash_outcome = text(inject, "outcome");
    t->outcome = booted ? t->crash_outcome : "no_reboot";
    t->activated = json_is_true(activated) ? 1 : json_is_false(activated) ? 0 : -1;
    t->at_crash = counts(json_object_get(m, "crash"));
    t->at_reboot = counts(json_object_get(m, "verify"));
    t->inject_ns = number(inject, "inject_ns");
    t->activated_ns = number(inject, "activated_ns");
    t->detect_ns = number(inject, "detect_ns");
    t->reboot_ns = number(reboot, "reboot_ns");
    t->verify_ns = number(json_object_get(m, "verify"), "verify_ns");
    t->wall_ns = (int64_t)(json_number_value(json_object_get(m, "wall_s")) * 1e9);
    t->read_sectors = number(reboot, "read_sectors");
    t->files_read = number(reboot, "files_read");
    t->read_errors = number(reboot, "read_errors");
    t->content_errors = number(reboot, "content_errors");
    t->signature = text(inject, "signature");
    if (t->signature && !*t->signature)
        t->signature = NULL;
    t->shutdown_reason = text(inject, "shutdown_reason");
}

static void add_event(struct rows *rows, const char *kind, const char *value)
{
    if (value && *value)
        rows->events[rows->trial.events_len++] = (struct db_event){.kind = kind, .text = value};
}

static void fill_measurements(struct rows *rows, const json_t *m)
{
    const json_t *reboot = json_object_get(m, "reboot"), *crash = json_object_get(m, "crash");
    json_t *phases = json_object_get(m, "phases"), *value;
    struct db_measurement *to = rows->measurements;
    const char *name;
    size_t n = 0;

    json_object_foreach(phases, name, value)
        n = add_measurement(to, n, name, value, "s");
    n = add_measurement(to, n, "guest_read_ns", json_object_get(reboot, "guest_read_ns"), "ns");
    n = add_measurement(to, n, "blocks_read", json_object_get(reboot, "blocks_read"), "blocks");
    n = add_measurement(to, n, "reuse_ok", json_object_get(reboot, "reuse_ok"), "pages");
    n = add_measurement(to, n, "reuse_stale", json_object_get(reboot, "reuse_stale"), "pages");
    n = add_measurement(to, n, "verify_crash_ns", json_object_get(crash, "verify_ns"), "ns");
    n = add_measurement(to, n, "ops", json_object_get(json_object_get(m, "inject"), "ops"), "ops");
    rows->trial.measurements = to;
    rows->trial.measurements_len = n;
}

static int fill_rows(struct rows *rows, const json_t *m, struct err *err)
{
    const json_t *crash = json_object_get(m, "crash"), *verify = json_object_get(m, "verify");
    const json_t *reboot = json_object_get(m, "reboot");
    size_t n;

    rows->pages = calloc(pages_of(crash) + pages_of(verify) + 1, sizeof(*rows->pages));
    rows->measurements = calloc(json_object_size(json_object_get(m, "phases")) +
                                    OTHER_MEASUREMENTS,
                                sizeof(*rows->measurements));
    rows->reply = reply_text(m);
    if (!rows->pages || !rows->measurements || !rows->reply)
        return err_set(err, ENOMEM, "out of memory");
    fill_scalars(&rows->trial, m);
    n = add_pages(rows->pages, 0, crash, "crash");
    rows->trial.pages = rows->pages;
    rows->trial.pages_len = add_pages(rows->pages, n, verify, "reboot");
    fill_measurements(rows, m);
    add_event(rows, "console", text(json_object_get(m, "inject"), "console"));
    add_event(rows, "reboot_console", text(reboot, "console"));
    add_event(rows, "reboot_reason", text(reboot, "reason"));
    add_event(rows, "reboot_signature", text(reboot, "signature"));
    rows->trial.events = rows->events;
    rows->trial.reply_json = rows->reply;
    return 0;
}

static int store_trial(void *ctx, const struct trial_key *key, const json_t *plan,
                       const json_t *message, unsigned attempts, struct err *err)
{
    struct db_store *s = ctx;
    struct rows rows = {0};
    int r;

    db_trial_init(&rows.trial);
    r = plan_text(plan, &rows.plan, err);
    if (!r)
        r = fill_rows(&rows, message, err);
    if (!r) {
        rows.trial.campaign = s->campaign;
        rows.trial.environment = s->environment;
        rows.trial.plan = plan_row(key, rows.plan);
        rows.trial.attempts = attempts;
        r = db_trial_record(s->db, &rows.trial, NULL, NULL, err);
    }
    rows_done(&rows);
    return r;
}

static int store_error(void *ctx, const struct trial_key *key, const json_t *plan,
                       enum reboot_mode mode, unsigned attempts, const char *message,
                       const char *console, struct err *err)
{
    struct db_store *s = ctx;
    struct db_plan row;
    char *json;
    int r;

    r = plan_text(plan, &json, err);
    if (r)
        return r;
    row = plan_row(key, json);
    r = db_trial_error(s->db, s->campaign, &row, reboot_mode_name(mode), attempts, message, console,
                       err);
    free(json);
    return r;
}

static int store_redraw(void *ctx, const struct trial_key *key, const json_t *plan,
                        const json_t *message, struct err *err)
{
    const char *type = text(message, "type");
    struct db_store *s = ctx;
    char *json = NULL, *detail = NULL;
    struct db_plan row;
    int r;

    r = plan_text(plan, &json, err);
    if (!r)
        r = plan_text(message, &detail, err);
    if (!r) {
        row = plan_row(key, json);
        r = db_plan_reject(s->db, s->campaign, &row,
                           type && !strcmp(type, "not_activated") ? "not_activated" : "refused",
                           detail, err);
    }
    free(json);
    free(detail);
    return r;
}

static int store_rate(void *ctx, const char *class_name, struct db_rate *ret, struct err *err)
{
    struct db_store *s = ctx;

    return db_class_rate(s->db, s->campaign, class_name, reboot_mode_name(MODE_ENABLED), ret, err);
}

static int store_environment(void *ctx, const json_t *facts, struct err *err)
{
    struct db_store *s = ctx;
    char *json;
    int r;

    r = plan_text(facts, &json, err);
    if (r)
        return r;
    r = db_environment_put(s->db, s->campaign, json ? json : "{}", &s->environment, err);
    free(json);
    return r;
}

static int store_event(void *ctx, const char *kind, const json_t *data, struct err *err)
{
    struct db_store *s = ctx;
    char *json;
    int r;

    if (!strcmp(kind, "retry"))
        return db_attempt_error(s->db, s->campaign, text(data, "class"),
                                (uint64_t)number(data, "seed"), (unsigned)number(data, "index"),
                                text(data, "error"), text(data, "console"), err);
    r = plan_text(data, &json, err);
    if (!r)
        r = db_event_put(s->db, s->campaign, &(struct db_event){.kind = kind, .json = json}, err);
    free(json);
    return r;
}

static int store_event_get(void *ctx, const char *kind, json_t **ret, struct err *err)
{
    struct db_store *s = ctx;
    char *json;
    int r = db_event_get(s->db, s->campaign, kind, &json, err);

    if (r)
        return r;
    *ret = json ? json_loads(json, 0, NULL) : NULL;
    free(json);
    return 0;
}

static const struct store_ops db_store_ops = {
    .resume = store_resume,
    .trial = store_trial,
    .error = store_error,
    .redraw = store_redraw,
    .rate = store_rate,
    .environment = store_environment,
    .event = store_event,
    .event_get = store_event_get,
};

int store_open(const char *db_path, const struct spec *spec, const char *executor,
               struct store *ret, struct err *err)
{
    struct db_store *s = calloc(1, sizeof(*s));
    json_t *json = spec_to_json(spec);
    char *spec_json = NULL;
    int r;

    if (s && json)
        spec_json = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(json);
    if (!spec_json) {
        free(s);
        return err_set(err, ENOMEM, "out of memory");
    }
    r = db_open(db_path, DB_WRITE, &s->db, err);
    if (!r)
        r = db_campaign_open(s->db,
                             &(struct db_campaign){
                                 .name = spec->name,
                                 .spec_text = spec->text,
                                 .spec_json = spec_json,
                                 .executor = executor,
                                 .version = WCR_VERSION,
                             },
                             &s->campaign, err);
    if (!r)
        r = db_campaign_claim(s->db, s->campaign, CLAIM_WAIT_MS, err);
    free(spec_json);
    if (r) {
        db_close(s->db);
        free(s);
        return r;
    }
    *ret = (struct store){&db_store_ops, s};
    return 0;
}

void store_close(struct store *store)
{
    struct db_store *s = store->ctx;

    if (!s)
        return;
    db_close(s->db);
    free(s);
    store->ctx = NULL;
}
