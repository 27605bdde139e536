// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The campaign as a list of items, one for each (class, seed): which of its modes
 * are still to be done, which plan it is at, how often it failed. Workers are given
 * items; what they tell is recorded at once, so that this list can always be built
 * again from the database.
 */
#include "campaigns/runner.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "campaigns/stop.h"
#include "campaigns/worker.h"

#define TICK_MS 250
#define STOP_GRACE_MS 3000
#define START_ATTEMPTS 3
#define CAMPAIGN_DEATHS 20

enum item_state { ITEM_PENDING, ITEM_RUNNING, ITEM_OVER };

struct item {
    const struct spec_class *c;     /* NULL: a golden run */
    uint64_t seed;
    unsigned index, failures;
    bool done[MODES];
    bool again;                     /* to be run with its next plan when the job is over */
    enum item_state state;
    json_t *plan;                   /* of the attempt under way */
};

struct slot {
    struct worker worker;
    struct item *item;
    bool ready, retired;
    unsigned starts;                /* in a row without becoming ready */
};

struct runner {
    const struct spec *spec;
    const struct runner_options *o;
    struct item *items;
    unsigned items_len;
    bool *stopped;                  /* for each class: its stop rule was reached */
    struct slot *slots;
    unsigned deaths;                /* of workers that were ready, since a trial was done */
    struct progress progress;
    struct runner_result *result;
    char last_failure[600];
};

static const char *item_class(const struct item *item)
{
    return item->c ? item->c->class_name : GOLDEN_CLASS;
}

static struct trial_key item_key(const struct item *item)
{
    return (struct trial_key){item_class(item), item->seed, item->index};
}

static bool mode_left(const struct runner *rn, const struct item *item, int mode)
{
    return rn->spec->modes[mode] && !item->done[mode];
}

static unsigned modes_left(const struct runner *rn, const struct item *item)
{
    unsigned n = 0;

    for (int m = 0; m < MODES; m++)
        n += mode_left(rn, item, m);
    return n;
}

static bool begun(const struct item *item)
{
    for (int m = 0; m < MODES; m++)
        if (item->done[m])
            return true;
    return false;
}

static int add_item(struct runner *rn, const struct spec_class *c, uint64_t seed, struct err *err)
{
    struct item *item = &rn->items[rn->items_len];
    int r;

    item->c = c;
    item->seed = seed;
    r = rn->o->store.ops->resume(rn->o->store.ctx, item_class(item), seed, item->done,
                                 &item->index, err);
    if (r)
        return r;
    for (int m = 0; m < MODES; m++) {
        rn->result->planned += rn->spec->modes[m];
        rn->result->skipped += rn->spec->modes[m] && item->done[m];
    }
    item->state = modes_left(rn, item) ? ITEM_PENDING : ITEM_OVER;
    rn->items_len++;
    return 0;
}

/* Those that have begun are finished; @return how many trials are left out. */
static unsigned drop_pending(struct runner *rn, const struct spec_class *c)
{
    unsigned n = 0;

    for (unsigned i = 0; i < rn->items_len; i++) {
        struct item *item = &rn->items[i];

        if (item->c != c || item->state != ITEM_PENDING || begun(item))
            continue;
        n += modes_left(rn, item);
        item->state = ITEM_OVER;
    }
    return n;
}

/* Said, and kept: whoever reads the results must know that they decided how many there are. */
static int tell_stop(struct runner *rn, const char *class_name, const char *rule,
                     const struct db_rate *rate, unsigned not_needed, struct err *err)
{
    json_t *event = json_pack("{s:s, s:s, s:I, s:I, s:f, s:f, s:f, s:i}", "class", class_name, "rule", rule,
                              "failures", (json_int_t)rate->failures, "trials", (json_int_t)rate->trials,
                              "low", rate->low, "high", rate->high, "upper", rate->upper, "not_needed",
                              (int)not_needed);
    char text[240];
    int r = rn->o->store.ops->event(rn->o->store.ctx, "stop", event, err);

    json_object_set_new(event, "event", json_string("stop"));
    progress_line(&rn->progress, event, "%-7s stopped: %s; %u trials are not needed", class_name,
                  stop_text(rn->spec, rule, rate, text, sizeof(text)), not_needed);
    return r;
}

/* Is enough known of the class? */
static int check_stop(struct runner *rn, const struct spec_class *c, struct err *err)
{
    bool *stopped = &rn->stopped[c - rn->spec->classes];
    const char *rule;
    struct db_rate rate;
    unsigned n;
    int r;

    if (*stopped || !spec_has_stop(rn->spec))
        return 0;
    r = rn->o->store.ops->rate(rn->o->store.ctx, c->class_name, &rate, err);
    rule = r ? NULL : stop_reached(rn->spec, &rate);
    if (!rule)
        return r;
    *stopped = true;
    n = drop_pending(rn, c);
    rn->result->not_needed += n;
    rn->progress.total -= n;
    return n ? tell_stop(rn, c->class_name, rule, &rate, n, err) : 0;
}

/* Golden runs first, then the classes in turn, so that a part of a campaign is balanced. */
static int list_items(struct runner *rn, struct err *err)
{
    const struct spec *spec = rn->spec;
    unsigned most = 0, total = spec->golden;
    int r = 0;

    for (unsigned i = 0; i < spec->classes_len; i++) {
        total += spec->classes[i].trials;
        if (spec->classes[i].trials > most)
            most = spec->classes[i].trials;
    }
    rn->items = calloc(total ? total : 1, sizeof(*rn->items));
    if (!rn->items)
        return err_set(err, ENOMEM, "out of memory");
    for (unsigned n = 0; n < spec->golden && !r; n++)
        if (shard_has(&rn->o->shard, spec->classes_len, n))
            r = add_item(rn, NULL, spec->seed + n, err);
    for (unsigned n = 0; n < most && !r; n++)
        for (unsigned i = 0; i < spec->classes_len && !r; i++)
            if (n < spec->classes[i].trials && shard_has(&rn->o->shard, i, n))
                r = add_item(rn, &spec->classes[i], spec->seed + n, err);
    return r;
}

static int draw(struct runner *rn, struct item *item, struct err *err)
{
    json_decref(item->plan);
    item->plan = NULL;
    if (!item->c)
        return 0;
    return rn->o->planner.ops->draw(rn->o->planner.ctx, rn->spec, item->c, item->seed, item->index,
                                    &item->plan, err);
}

/* A class without a candidate in its target is an error before anything runs. */
static int check_plans(struct runner *rn, struct err *err)
{
    for (unsigned i = 0; i < rn->spec->classes_len; i++) {
        const struct spec_class *c = &rn->spec->classes[i];
        json_t *plan = NULL;
        int r = rn->o->planner.ops->draw(rn->o->planner.ctx, rn->spec, c, rn->spec->seed, 0, &plan,
                                         err);

        json_decref(plan);
        if (r)
            return err_prefix(err, "%s: class %s, target %s", rn->spec->path, c->class_name,
                              c->target);
    }
    return 0;
}

static int record_event(struct runner *rn, const char *kind, json_t *data, struct err *err)
{
    int r = rn->o->store.ops->event(rn->o->store.ctx, kind, data, err);

    json_decref(data);
    return r;
}

/* Not when a mode is done with this plan: the modes of a trial are compared by one plan. */
static bool redraw_allowed(const struct runner *rn, const struct item *item)
{
    return item->c && !begun(item) && item->index + 1 < rn->spec->redraws;
}

static bool activation_wanted(const struct runner *rn, const struct item *item)
{
    return rn->spec->require_activation && redraw_allowed(rn, item);
}

static json_t *job_message(const struct runner *rn, const struct item *item)
{
    json_t *modes = json_array();

    for (int m = 0; m < MODES; m++)
        if (mode_left(rn, item, m))
            json_array_append_new(modes, json_string(reboot_mode_name(m)));
    return json_pack("{s:i, s:s, s:I, s:i, s:o, s:b, s:b, s:O?}", "job", (int)(item - rn->items),
                     "class", item_class(item), "seed", (json_int_t)item->seed, "index",
                     (int)item->index, "modes", modes, "golden", !item->c, "activation",
                     (int)activation_wanted(rn, item), "plan", item->plan);
}

static void show_worker(struct runner *rn, struct slot *s, const char *phase)
{
    struct progress_worker *w = &rn->progress.workers[s - rn->slots];

    if (!s->item)
        snprintf(w->what, sizeof(w->what), "%s", phase);
    else
        snprintf(w->what, sizeof(w->what), "%s %" PRIu64 " %s", item_class(s->item), s->item->seed,
                 phase);
}

static int give_item(struct runner *rn, struct slot *s, struct item *item, struct err *err)
{
    struct err unused;
    json_t *job;
    int r;

    r = draw(rn, item, err);
    if (r)
        return r;
    job = job_message(rn, item);
    if (!job)
        return err_set(err, ENOMEM, "out of memory");
    item->state = ITEM_RUNNING;
    s->item = item;
    show_worker(rn, s, "restore");
    /* A worker that does not take it is dead, and will be seen to be. */
    jsonl_send(&s->worker.line, job, wall_deadline(10000), &unused);
    json_decref(job);
    return 0;
}

static int give_next(struct runner *rn, struct slot *s, struct err *err)
{
    for (unsigned i = 0; i < rn->items_len; i++)
        if (rn->items[i].state == ITEM_PENDING)
            return give_item(rn, s, &rn->items[i], err);
    s->item = NULL;
    show_worker(rn, s, "");
    return 0;
}

/* The trials of an item that could not be carried out. */
static int record_errors(struct runner *rn, struct item *item, const char *text,
                         const char *console, struct err *err)
{
    struct trial_key key = item_key(item);
    int r = 0;

    for (int m = 0; m < MODES && !r; m++) {
        if (!mode_left(rn, item, m))
            continue;
        r = rn->o->store.ops->error(rn->o->store.ctx, &key, item->plan, m, item->failures, text,
                                    console, err);
        if (r)
            break;
        rn->result->errors++;
        rn->progress.errors++;
        progress_line(&rn->progress,
                      json_pack("{s:s, s:s, s:I, s:s, s:s}", "event", "trial_error", "class",
                                key.class_name, "seed", (json_int_t)key.seed, "mode",
                                reboot_mode_name(m), "error", text),
                      "%-7s %" PRIu64 " %-8s error: %s", key.class_name, key.seed,
                      reboot_mode_name(m), text);
    }
    item->state = ITEM_OVER;
    return r;
}

/* An experiment error: another attempt, or the end of the item. */
static int item_failed(struct runner *rn, struct item *item, const char *text, const char *console,
                       struct err *err)
{
    int r;

    item->failures++;
    if (item->failures > rn->spec->retries)
        return record_errors(rn, item, text, console, err);
    rn->result->retried++;
    rn->progress.retried++;
    progress_line(&rn->progress,
                  json_pack("{s:s, s:s, s:I, s:i, s:s}", "event", "retry", "class",
                            item_class(item), "seed", (json_int_t)item->seed, "failures",
                            (int)item->failures, "error", text),
                  "%-7s %" PRIu64 " to be tried again: %s", item_class(item), item->seed, text);
    r = record_event(rn, "retry",
                     json_pack("{s:s, s:I, s:i, s:s, s:s*}", "class", item_class(item), "seed",
                               (json_int_t)item->seed, "index", (int)item->index, "error", text,
                               "console", console),
                     err);
    item->state = ITEM_PENDING;
    return r;
}

static json_int_t number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

/* With consistency off even a sound guest's dirty pages are reused: those prove nothing. */
static void check_golden(struct runner *rn, const struct item *item, const json_t *m)
{
    const char *outcome = json_string_value(json_object_get(json_object_get(m, "inject"),
                                                            "outcome"));
    const char *mode = json_string_value(json_object_get(m, "mode"));
    bool judged = !mode || strcmp(mode, "disabled");
    const json_t *verify = json_object_get(m, "verify");

    if (item->c)
        return;
    if ((outcome && strcmp(outcome, "no_crash")) ||
        !json_is_true(json_object_get(json_object_get(m, "reboot"), "booted")) ||
        (judged && number(verify, "pages_inconsistent")))
        rn->result->golden_bad++;
}

static void show_trial(struct runner *rn, const struct item *item, const char *mode,
                       const json_t *m)
{
    const json_t *inject = json_object_get(m, "inject"), *verify = json_object_get(m, "verify");
    const json_t *crash = json_object_get(m, "crash");
    const char *outcome = json_string_value(json_object_get(inject, "outcome"));
    bool booted = json_is_true(json_object_get(json_object_get(m, "reboot"), "booted"));
    double wall = json_real_value(json_object_get(m, "wall_s"));

    progress_line(
        &rn->progress,
        json_pack("{s:s, s:s, s:I, s:i, s:s, s:s?, s:b, s:I, s:I, s:I, s:I, s:f}", "event", "trial",
                  "class", item_class(item), "seed", (json_int_t)item->seed, "index",
                  (int)item->index, "mode", mode, "outcome", outcome, "booted", booted,
                  "pages_reusable", number(crash, "pages_reusable"), "pages_reused",
                  number(verify, "pages_reused"), "pages_corrupt", number(verify, "pages_corrupt"),
                  "pages_inconsistent", number(verify, "pages_inconsistent"), "wall_s", wall),
        "%-7s %" PRIu64 " %-8s %s%s, %lld of %lld reusable pages reused, %lld inconsistent, "
        "%lld corrupt, %.1f s",
        item_class(item), item->seed, mode, outcome, booted ? "" : ", not booting again",
        number(verify, "pages_reused"), number(crash, "pages_reusable"),
        number(verify, "pages_inconsistent"), number(verify, "pages_corrupt"), wall);
}

static int trial_told(struct runner *rn, struct item *item, const json_t *m, struct err *err)
{
    const char *mode = json_string_value(json_object_get(m, "mode"));
    struct trial_key key = item_key(item);
    int found = mode ? reboot_mode_find(mode) : -1;
    int r;

    if (found < 0 || !mode_left(rn, item, found))
        return 0;       /* not asked for, or told twice */
    r = rn->o->store.ops->trial(rn->o->store.ctx, &key, item->plan, m, item->failures + 1, err);
    if (r)
        return r;
    item->done[found] = true;
    rn->result->done++;
    rn->progress.done++;
    rn->deaths = 0;
    check_golden(rn, item, m);
    show_trial(rn, item, mode, m);
    return item->c && found == MODE_ENABLED ? check_stop(rn, item->c, err) : 0;
}

/* The next plan of the same trial. */
static int redraw(struct runner *rn, struct item *item, const json_t *m, struct err *err)
{
    const char *type = json_string_value(json_object_get(m, "type"));
    bool refused = strcmp(type, "not_activated");
    struct trial_key key = item_key(item);
    int r = rn->o->store.ops->redraw(rn->o->store.ctx, &key, item->plan, m, err);

    if (r)
        return r;
    rn->result->redrawn++;
    rn->progress.redrawn++;
    progress_line(&rn->progress,
                  json_pack("{s:s, s:s, s:I, s:i, s:s}", "event", "redraw", "class", key.class_name,
                            "seed", (json_int_t)key.seed, "index", (int)key.index, "why",
                            refused ? "refused" : "not_activated"),
                  "%-7s %" PRIu64 " plan %u %s: drawn again", key.class_name, key.seed, key.index,
                  refused ? "does not fit the guest's memory" : "was not activated");
    item->index++;
    item->again = true;
    return 0;
}

/* The job is over, one way or the other: does the item go back to the list? */
static bool put_back(struct item *item)
{
    if (!item->again)
        return false;
    item->again = false;
    item->state = ITEM_PENDING;
    return true;
}

/* A site that the guest's memory contradicts is drawn again, not tried again. */
static int job_error(struct runner *rn, struct item *item, const json_t *m, struct err *err)
{
    const char *text = json_string_value(json_object_get(m, "error"));

    if (number(m, "code") == ESTALE && redraw_allowed(rn, item)) {
        int r = redraw(rn, item, m, err);

        put_back(item);
        return r;
    }
    return item_failed(rn, item, text ? text : "failed without a reason",
                       json_string_value(json_object_get(m, "console")), err);
}

static int worker_ready(struct runner *rn, struct slot *s, const json_t *m, struct err *err)
{
    const json_t *facts = json_object_get(m, "facts");
    int r;

    s->ready = true;
    s->starts = 0;
    if (!rn->progress.start_ms)
        rn->progress.start_ms = wall_ms();
    r = rn->o->store.ops->environment(rn->o->store.ctx, facts, err);
    if (r)
        return r;
    progress_line(&rn->progress,
                  json_pack("{s:s, s:i, s:O}", "event", "worker_ready", "worker",
                            (int)(s - rn->slots), "facts", facts),
                  "worker %d is ready", (int)(s - rn->slots));
    return give_next(rn, s, err);
}

static int handle(struct runner *rn, struct slot *s, const json_t *m, struct err *err)
{
    const char *type = json_string_value(json_object_get(m, "type"));
    struct item *item = s->item;
    int r = 0;

    if (!type)
        return 0;
    if (!strcmp(type, "ready"))
        return worker_ready(rn, s, m, err);
    if (!strcmp(type, "failed")) {
        const char *text = json_string_value(json_object_get(m, "error"));

        snprintf(rn->last_failure, sizeof(rn->last_failure), "%s", text ? text : "");
        return 0;
    }
    if (!item)
        return 0;
    if (!strcmp(type, "phase")) {
        show_worker(rn, s, json_string_value(json_object_get(m, "phase")));
        return 0;
    }
    if (!strcmp(type, "trial"))
        return trial_told(rn, item, m, err);
    if (!strcmp(type, "not_activated"))
        return redraw(rn, item, m, err);
    if (!strcmp(type, "error")) {
        r = job_error(rn, item, m, err);
    } else if (!strcmp(type, "done")) {
        if (!modes_left(rn, item))
            item->state = ITEM_OVER;
        else if (!put_back(item))
            r = item_failed(rn, item, "the worker left modes undone", NULL, err);
    } else {
        return 0;
    }
    return r ? r : give_next(rn, s, err);
}

static int start_worker(struct runner *rn, struct slot *s, struct err *err)
{
    struct executor_params params = rn->o->params;
    int fds[rn->progress.workers_len];
    unsigned n = 0;

    for (unsigned i = 0; i < rn->progress.workers_len; i++)
        if (rn->slots[i].worker.pid)
            fds[n++] = rn->slots[i].worker.fd;
    params.worker = (unsigned)(s - rn->slots);
    s->ready = false;
    s->item = NULL;
    s->starts++;
    show_worker(rn, s, "boot");
    return worker_start(&s->worker, rn->o->executor, &params, rn->spec, fds, n, err);
}

static unsigned pending(const struct runner *rn)
{
    unsigned n = 0;

    for (unsigned i = 0; i < rn->items_len; i++)
        n += rn->items[i].state == ITEM_PENDING;
    return n;
}

static bool any_left(const struct runner *rn)
{
    for (unsigned i = 0; i < rn->items_len; i++)
        if (rn->items[i].state != ITEM_OVER)
            return true;
    return false;
}

static unsigned slots_alive(const struct runner *rn)
{
    unsigned n = 0;

    for (unsigned i = 0; i < rn->progress.workers_len; i++)
        n += !rn->slots[i].retired;
    return n;
}

/* The worker ended: its item goes back, and another worker takes its place. */
static int worker_gone(struct runner *rn, struct slot *s, struct err *err)
{
    struct item *item = s->item;
    bool was_ready = s->ready;
    int r = 0;

    worker_stop(&s->worker, 0);
    s->item = NULL;
    s->ready = false;
    if (item && item->state == ITEM_RUNNING) {
        if (!modes_left(rn, item))
            item->state = ITEM_OVER;
        else if (!put_back(item))
            r = item_failed(rn, item, "the worker died", NULL, err);
    }
    if (r)
        return r;
    if (was_ready && ++rn->deaths > CAMPAIGN_DEATHS)
        return err_set(err, EIO, "workers died %u times and no trial was done: something is wrong with this machine",
                       rn->deaths);
    if (s->starts >= START_ATTEMPTS) {
        s->retired = true;
        show_worker(rn, s, "");
        progress_line(&rn->progress,
                      json_pack("{s:s, s:i, s:s}", "event", "worker_failed", "worker",
                                (int)(s - rn->slots), "error", rn->last_failure),
                      "worker %d cannot start: %s", (int)(s - rn->slots), rn->last_failure);
        if (!slots_alive(rn))
            return err_set(err, EIO, "no machine could be started: %s", rn->last_failure);
        return 0;
    }
    if (pending(rn))
        r = start_worker(rn, s, err);
    else
        s->retired = true;
    return r;
}

/* Read what one worker said; its end comes after everything it said. */
static int serve(struct runner *rn, struct slot *s, struct err *err)
{
    struct err broken;
    json_t *m;
    int r;

    do {
        r = jsonl_recv(&s->worker.line, wall_deadline(0), &m, &broken);
        if (r == -ETIMEDOUT || r == -EINTR)
            return 0;
        if (r)
            return worker_gone(rn, s, err);
        r = handle(rn, s, m, err);
        json_decref(m);
    } while (!r && jsonl_pending(&s->worker.line));
    return r;
}

/* An item that came back while workers were idle. */
static int feed_idle(struct runner *rn, struct err *err)
{
    unsigned left = pending(rn);
    int r = 0;

    for (unsigned i = 0; i < rn->progress.workers_len && left && !r; i++) {
        struct slot *s = &rn->slots[i];

        if (s->worker.pid && s->ready && !s->item) {
            r = give_next(rn, s, err);
            left--;
        } else if (!s->worker.pid && s->retired && s->starts < START_ATTEMPTS) {
            s->retired = false;
            r = start_worker(rn, s, err);
            left--;
        }
    }
    return r;
}

static int loop(struct runner *rn, struct err *err)
{
    unsigned n = rn->progress.workers_len;
    struct pollfd p[2 * n];
    int r = 0;

    while (any_left(rn) && !r) {
        for (unsigned i = 0; i < n; i++) {
            bool there = rn->slots[i].worker.pid != 0;

            p[2 * i] = (struct pollfd){there ? rn->slots[i].worker.fd : -1, POLLIN, 0};
            p[2 * i + 1] = (struct pollfd){there ? rn->slots[i].worker.pidfd : -1, POLLIN, 0};
        }
        if (poll(p, 2 * n, TICK_MS) < 0 && errno != EINTR)
            return err_set(err, errno, "poll: %s", strerror(errno));
        if (rn->o->stop && *rn->o->stop)
            return err_set(err, EINTR, "interrupted");
        for (unsigned i = 0; i < n && !r; i++)
            if (rn->slots[i].worker.pid && (p[2 * i].revents || p[2 * i + 1].revents))
                r = serve(rn, &rn->slots[i], err);
        if (!r)
            r = feed_idle(rn, err);
        progress_show(&rn->progress, wall_ms());
    }
    return r;
}

static int start_workers(struct runner *rn, struct err *err)
{
    unsigned n = rn->o->jobs, todo = pending(rn);
    int r = 0;

    if (n > todo)
        n = todo;
    rn->slots = calloc(n, sizeof(*rn->slots));
    rn->progress.workers = calloc(n, sizeof(*rn->progress.workers));
    if (!rn->slots || !rn->progress.workers)
        return err_set(err, ENOMEM, "out of memory");
    rn->progress.workers_len = n;
    for (unsigned i = 0; i < n && !r; i++)
        r = start_worker(rn, &rn->slots[i], err);
    return r;
}

static void stop_workers(struct runner *rn)
{
    for (unsigned i = 0; i < rn->progress.workers_len; i++)
        worker_stop(&rn->slots[i].worker, STOP_GRACE_MS);
}

int runner_run(const struct spec *spec, const struct runner_options *options,
               struct runner_result *ret, struct err *err)
{
    struct runner rn = {.spec = spec, .o = options, .result = ret};
    char shard[24] = "";
    int r;

    memset(ret, 0, sizeof(*ret));
    rn.progress.out = options->out;
    rn.progress.style = options->style;
    rn.stopped = calloc(spec->classes_len + 1, sizeof(*rn.stopped));
    r = rn.stopped ? list_items(&rn, err) : err_set(err, ENOMEM, "out of memory");
    if (r)
        goto out;
    rn.progress.total = ret->planned;
    rn.progress.skipped = ret->skipped;
    if (options->shard.of)
        snprintf(shard, sizeof(shard), "%u/%u", options->shard.number, options->shard.of);
    progress_line(&rn.progress,
                  json_pack("{s:s, s:s, s:s*, s:i, s:i}", "event", "campaign", "name", spec->name,
                            "shard", *shard ? shard : NULL, "trials", (int)ret->planned, "skipped",
                            (int)ret->skipped),
                  "campaign %s%s%s: %u trials, %u of them done before", spec->name,
                  *shard ? ", shard " : "", shard, ret->planned, ret->skipped);
    for (unsigned i = 0; i < spec->classes_len && !r; i++)
        r = check_stop(&rn, &spec->classes[i], err);
    if (r || !any_left(&rn))
        goto out;
    r = check_plans(&rn, err);
    if (!r)
        r = start_workers(&rn, err);
    if (!r)
        r = loop(&rn, err);
    if (rn.progress.start_ms)
        ret->wall_s = (double)(wall_ms() - rn.progress.start_ms) / 1000;
    progress_clear(&rn.progress);
    stop_workers(&rn);
out:
    for (unsigned i = 0; i < rn.items_len; i++)
        json_decref(rn.items[i].plan);
    free(rn.items);
    free(rn.stopped);
    free(rn.slots);
    free(rn.progress.workers);
    return r;
}
