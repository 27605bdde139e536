// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Catches: a trial lost, doubled or recorded under the wrong plan when executors fail,
 * workers die, plans are not activated, or a campaign is stopped and started again.
 *
 * The executor is scripted: it answers as a healthy agent would, except where the
 * script of the test, which lives in memory shared with the workers, says otherwise.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "campaigns/runner.h"
#include "db/interval.h"

/* ---- the scripted executor ---- */

#define FAULTS 8

struct fault {
    const char *cmd;        /* "warm", "save", "crash", or a command of the protocol */
    unsigned at;            /* the n-th time, from 1 */
    enum { FAIL, DIE, NOT_ACTIVATED, REFUSED, NO_BOOT, WRONG_PAGE } what;
};

struct script {
    struct fault faults[FAULTS];
    unsigned counts[16];
    unsigned opened, closed, injections;
    unsigned together;      /* no machine is open before so many are */
    bool snapshots;
};

static struct script *script;
static const char *const commands[] = {"warm",   "save",   "crash", "golden", "inject",
                                       "verify", "reboot", "hello", "open"};

static const struct fault *happens(const char *cmd)
{
    unsigned n = 0;

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (!strcmp(commands[i], cmd))
            n = __atomic_add_fetch(&script->counts[i], 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < FAULTS; i++)
        if (script->faults[i].cmd && !strcmp(script->faults[i].cmd, cmd) &&
            (script->faults[i].at == n || !script->faults[i].at)) {
            if (script->faults[i].what == DIE)
                raise(SIGKILL);
            return &script->faults[i];
        }
    return NULL;
}

static int fake_open(const struct executor_params *params, const struct spec *spec, void **ret,
                     struct err *err)
{
    (void)params;
    (void)spec;
    *ret = script;
    __atomic_add_fetch(&script->opened, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&script->opened, __ATOMIC_SEQ_CST) < script->together)
        sched_yield();
    return happens("open") ? err_set(err, ENOENT, "no machine here") : 0;
}

static void fake_close(void *ctx)
{
    (void)ctx;
    __atomic_add_fetch(&script->closed, 1, __ATOMIC_SEQ_CST);
}

static int fake_restore(void *ctx, enum executor_point point, bool *ret_cold, struct err *err)
{
    (void)ctx;
    *ret_cold = false;
    return happens(point == POINT_WARM ? "warm" : "crash") ? err_set(err, EIO, "restore broke") : 0;
}

static int fake_save(void *ctx, enum executor_point point, struct err *err)
{
    (void)ctx;
    (void)point;
    return happens("save") ? err_set(err, ENOSPC, "save broke") : 0;
}

static int fake_call(void *ctx, json_t *request, int64_t timeout_ms, json_t **ret, struct err *err)
{
    const char *cmd = json_string_value(json_object_get(request, "cmd"));
    const struct fault *f = happens(cmd);

    (void)ctx;
    (void)timeout_ms;
    if (f && f->what == FAIL)
        return err_set(err, EREMOTEIO, "agent, '%s': it broke", cmd);
    if (f && f->what == REFUSED)
        return err_set(err, ESTALE, "agent, '%s': site differs", cmd);
    if (!strcmp(cmd, "golden"))
        *ret = json_pack("{s:b, s:s}", "ok", 1, "outcome", "no_crash");
    else if (!strcmp(cmd, "inject"))
        *ret = json_pack("{s:b, s:s, s:b}", "ok", 1, "outcome", "kernel_crash", "activated",
                         !f || f->what != NOT_ACTIVATED);
    else if (!strcmp(cmd, "reboot"))
        *ret = json_pack("{s:b, s:b}", "ok", 1, "booted", !f || f->what != NO_BOOT);
    else
        *ret = json_pack("{s:b, s:i, s:i, s:i}", "ok", 1, "pages_reusable", 10, "pages_reused", 9,
                         "pages_inconsistent", f && f->what == WRONG_PAGE);
    return 0;
}

static json_t *fake_describe(void *ctx)
{
    (void)ctx;
    return json_pack("{s:s}", "xen", "fake");
}

static char *fake_console(void *ctx, unsigned lines)
{
    (void)ctx;
    (void)lines;
    return strdup("last words \xff");
}

static struct executor_ops fake_executor = {
    .name = "fake",
    .snapshots = true,
    .open = fake_open,
    .close = fake_close,
    .restore = fake_restore,
    .save = fake_save,
    .call = fake_call,
    .describe = fake_describe,
    .console = fake_console,
};

/* ---- plans and results in memory ---- */

static int fake_draw(void *ctx, const struct spec *spec, const struct spec_class *c, uint64_t seed,
                     unsigned index, json_t **ret, struct err *err)
{
    (void)ctx;
    (void)spec;
    if (!strcmp(c->target, "func:nowhere"))
        return err_set(err, ENOENT, "no candidate");
    *ret = json_pack("{s:s, s:I, s:i}", "class", c->class_name, "seed", (json_int_t)seed, "index",
                     (int)index);
    return 0;
}

static const struct planner_ops fake_planner = {fake_draw};

struct row {
    char class_name[16];
    uint64_t seed;
    unsigned index, attempts;
    int mode;
    bool error;
    char pair[16];
};

struct memory {
    struct row rows[100];
    unsigned rows_len, redraws, events, environments;
    json_t *shard, *stop_event;     /* the event of that kind, with a new reference */
    unsigned failures;      /* of each class */
    unsigned fail_after;    /* trials; 0: never */
    volatile sig_atomic_t *stop;
    unsigned stop_after;
};

static int mem_resume(void *ctx, const char *class_name, uint64_t seed, bool done[MODES],
                      unsigned *ret_index, struct err *err)
{
    struct memory *m = ctx;

    (void)err;
    *ret_index = 0;
    for (unsigned i = 0; i < m->rows_len; i++) {
        struct row *r = &m->rows[i];

        if (strcmp(r->class_name, class_name) || r->seed != seed || r->error)
            continue;
        done[r->mode] = true;
        *ret_index = r->index;
    }
    return 0;
}

/* As the database: a done row replaces an error, and never another done row. */
static void put(struct memory *m, const struct trial_key *key, int mode, unsigned attempts,
                bool error, const char *pair)
{
    struct row *r = NULL;

    for (unsigned i = 0; i < m->rows_len; i++)
        if (!strcmp(m->rows[i].class_name, key->class_name) && m->rows[i].seed == key->seed &&
            m->rows[i].mode == mode)
            r = &m->rows[i];
    if (r)
        assert_true(r->error);
    else
        r = &m->rows[m->rows_len++];
    snprintf(r->class_name, sizeof(r->class_name), "%s", key->class_name);
    r->seed = key->seed;
    r->index = key->index;
    r->mode = mode;
    r->attempts = attempts;
    r->error = error;
    snprintf(r->pair, sizeof(r->pair), "%s", pair ? pair : "");
}

static int mem_trial(void *ctx, const struct trial_key *key, const json_t *plan,
                     const json_t *message, unsigned attempts, struct err *err)
{
    struct memory *m = ctx;
    const char *mode = json_string_value(json_object_get(message, "mode"));

    if (m->fail_after && m->rows_len >= m->fail_after)
        return err_set(err, ENOSPC, "the database is full");
    if (plan)
        assert_int_equal(json_integer_value(json_object_get(plan, "index")), key->index);
    else
        assert_string_equal(key->class_name, GOLDEN_CLASS);
    put(m, key, reboot_mode_find(mode), attempts, false,
        json_string_value(json_object_get(message, "pair")));
    if (m->stop_after && m->rows_len >= m->stop_after)
        *m->stop = 1;
    return 0;
}

static int mem_error(void *ctx, const struct trial_key *key, const json_t *plan,
                     enum reboot_mode mode, unsigned attempts, const char *text,
                     const char *console, struct err *err)
{
    (void)plan;
    (void)console;
    (void)err;
    assert_non_null(text);
    put(ctx, key, mode, attempts, true, NULL);
    return 0;
}

static int mem_redraw(void *ctx, const struct trial_key *key, const json_t *plan,
                      const json_t *message, struct err *err)
{
    (void)key;
    (void)message;
    (void)err;
    assert_non_null(plan);
    ((struct memory *)ctx)->redraws++;
    return 0;
}

/* Of the trials recorded, with as many failures as the test says. */
static int mem_rate(void *ctx, const char *class_name, struct db_rate *ret, struct err *err)
{
    struct memory *m = ctx;
    struct interval i;
    int64_t n = 0;

    (void)err;
    for (unsigned k = 0; k < m->rows_len; k++)
        n += !strcmp(m->rows[k].class_name, class_name) && m->rows[k].mode == MODE_ENABLED &&
             !m->rows[k].error;
    i = clopper_pearson(m->failures, n, 0.95);
    *ret = (struct db_rate){m->failures, n, i.low, i.high, clopper_pearson_upper(m->failures, n, 0.95)};
    return 0;
}

static int mem_environment(void *ctx, const json_t *facts, struct err *err)
{
    (void)err;
    assert_string_equal(json_string_value(json_object_get(facts, "xen")), "fake");
    ((struct memory *)ctx)->environments++;
    return 0;
}

static int mem_event(void *ctx, const char *kind, const json_t *data, struct err *err)
{
    struct memory *m = ctx;

    (void)err;
    assert_non_null(kind);
    assert_non_null(data);
    if (!strcmp(kind, "shard") && !m->shard)
        m->shard = json_deep_copy(data);
    if (!strcmp(kind, "stop") && !m->stop_event)
        m->stop_event = json_deep_copy(data);
    m->events++;
    return 0;
}

static int mem_event_get(void *ctx, const char *kind, json_t **ret, struct err *err)
{
    struct memory *m = ctx;

    (void)err;
    *ret = NULL;
    if (!strcmp(kind, "shard"))
        *ret = json_incref(m->shard);
    else if (!strcmp(kind, "worker_ready") && m->environments)
        *ret = json_object();
    return 0;
}

static const struct store_ops memory_ops = {mem_resume, mem_trial,       mem_error,
                                            mem_redraw, mem_rate,        mem_environment,
                                            mem_event,  mem_event_get};

/* ---- the tests ---- */

#define SPEC                                                                                       \
    "name: x\nseed: 5\nclasses:\n- {class: PANIC, trials: 2}\n- {class: TEXT, trials: 3}\n"        \
    "golden: 1\nretries: 1\nrequire_activation: true\nredraws: 3\n"
#define SPEC_TRIALS 12

struct fixture {
    struct spec spec;
    struct memory memory;
    volatile sig_atomic_t stop;
    struct runner_result result;
    struct err err;
    FILE *out;
    struct shard shard;
    unsigned jobs;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    script = mmap(NULL, sizeof(*script), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (script == MAP_FAILED)
        return -1;
    fake_executor.snapshots = true;
    f->out = fopen("/dev/null", "w");
    f->jobs = 1;
    f->memory.stop = &f->stop;
    *state = f;
    return spec_parse("x.yaml", SPEC, &f->spec, &f->err);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    munmap(script, sizeof(*script));
    fclose(f->out);
    json_decref(f->memory.shard);
    json_decref(f->memory.stop_event);
    spec_done(&f->spec);
    free(f);
    return 0;
}

static int run(struct fixture *f)
{
    struct runner_options o = {
        .executor = &fake_executor,
        .store = {&memory_ops, &f->memory},
        .planner = {&fake_planner, NULL},
        .shard = f->shard,
        .jobs = f->jobs,
        .out = f->out,
        .stop = &f->stop,
    };

    f->err = (struct err){0};
    return runner_run(&f->spec, &o, &f->result, &f->err);
}

static unsigned rows(const struct fixture *f, bool error)
{
    unsigned n = 0;

    for (unsigned i = 0; i < f->memory.rows_len; i++)
        n += f->memory.rows[i].error == error;
    return n;
}

static void all_done_once(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run(f), 0);
    assert_int_equal(f->result.planned, SPEC_TRIALS);
    assert_int_equal(f->result.done, SPEC_TRIALS);
    assert_int_equal(rows(f, false), SPEC_TRIALS);
    assert_string_equal(f->memory.rows[0].class_name, GOLDEN_CLASS);
    assert_string_equal(f->memory.rows[0].pair, "snapshot");
    /* One injection for both modes, and one save of the crash. */
    assert_int_equal(script->counts[4], 5);
    assert_int_equal(script->counts[1], 6);
    assert_int_equal(f->memory.environments, 1);
    assert_int_equal(script->opened, script->closed);
}

static void a_second_run_does_nothing(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run(f), 0);
    assert_int_equal(run(f), 0);
    assert_int_equal(f->result.skipped, SPEC_TRIALS);
    assert_int_equal(f->result.done, 0);
    assert_int_equal(script->opened, 1);
}

static void three_workers_share(void **state)
{
    struct fixture *f = *state;

    f->jobs = 3;
    /* Or two may have done everything before the third is there. */
    script->together = 3;
    assert_int_equal(run(f), 0);
    assert_int_equal(rows(f, false), SPEC_TRIALS);
    assert_int_equal(script->opened, 3);
    assert_int_equal(script->closed, 3);
}

static void an_error_is_retried(void **state)
{
    struct fixture *f = *state;

    script->faults[0] = (struct fault){"inject", 2, FAIL};
    assert_int_equal(run(f), 0);
    assert_int_equal(f->result.retried, 1);
    assert_int_equal(f->result.errors, 0);
    assert_int_equal(rows(f, false), SPEC_TRIALS);
    assert_int_equal(f->memory.events, 1);
}

static void errors_end_as_errors_and_are_tried_by_the_next_run(void **state)
{
    struct fixture *f = *state;

    script->faults[0] = (struct fault){"golden", 0, FAIL};
    assert_int_equal(run(f), 0);
    assert_int_equal(f->result.errors, 2);
    assert_int_equal(f->result.retried, 1);
    assert_int_equal(rows(f, true), 2);
    assert_int_equal(rows(f, false), SPEC_TRIALS - 2);
    memset(script->faults, 0, sizeof(script->faults));
    assert_int_equal(run(f), 0);
    assert_int_equal(f->result.skipped, SPEC_TRIALS - 2);
    assert_int_equal(f->result.done, 2);
    assert_int_equal(rows(f, true), 0);
    assert_int_equal(rows(f, false), SPEC_TRIALS);
}

/* Only the mode that failed is done again. */
static void half_a_pair_is_kept(void **state)
{
    struct fixture *f = *state;

    script->faults[0] = (struct fault){"crash", 1, FAIL};
    assert_int_equal(run(f), 0);
    assert_int_equal(rows(f, false), SPEC_TRIALS);
    assert_int_equal(f->result.done, SPEC_TRIALS);
    assert_int_equal(f->result.retried, 1);
}

/* PANIC 5 fails between its modes; what is left must not go on with another plan. */
static void half_a_pair_keeps_its_plan(void **state)
{
    static const int again[] = {NOT_ACTIVATED, REFUSED};
    struct fixture *f = *state;

    for (unsigned i = 0; i < 2; i++) {
        memset(&f->memory.rows, 0, sizeof(f->memory.rows));
        f->memory.rows_len = 0;
        memset(script, 0, sizeof(*script));
        script->faults[0] = (struct fault){"crash", 2, FAIL};
        script->faults[1] = (struct fault){"inject", 2, again[i]};
        f->spec.retries = 2;
        assert_int_equal(run(f), 0);
        assert_int_equal(rows(f, false), SPEC_TRIALS);
        assert_int_equal(f->result.redrawn, 0);
        assert_int_equal(f->result.retried, 1 + i);
        for (unsigned n = 0; n < f->memory.rows_len; n++)
            assert_int_equal(f->memory.rows[n].index, 0);
    }
}

static void a_dead_worker_is_replaced(void **state)
{
    static const char *const where[] = {"inject", "verify", "reboot", "crash", "save", "golden"};
    struct fixture *f = *state;

    for (unsigned i = 0; i < 6; i++) {
        memset(&f->memory.rows, 0, sizeof(f->memory.rows));
        f->memory.rows_len = 0;
        memset(script, 0, sizeof(*script));
        script->faults[0] = (struct fault){where[i], 1, DIE};
        assert_int_equal(run(f), 0);
        assert_int_equal(rows(f, false), SPEC_TRIALS);
        assert_int_equal(f->result.done, SPEC_TRIALS);
        assert_int_equal(f->result.retried, 1);
        assert_int_equal(script->opened, 2);
    }
}

static void plans_are_drawn_again(void **state)
{
    struct fixture *f = *state;
    bool seen = false;

    script->faults[0] = (struct fault){"inject", 1, NOT_ACTIVATED};
    script->faults[1] = (struct fault){"inject", 2, REFUSED};
    f->jobs = 2;
    assert_int_equal(run(f), 0);
    assert_int_equal(f->result.redrawn, 2);
    assert_int_equal(f->memory.redraws, 2);
    assert_int_equal(f->result.retried, 0);
    assert_int_equal(rows(f, false), SPEC_TRIALS);
    for (unsigned i = 0; i < f->memory.rows_len; i++)
        seen |= f->memory.rows[i].index > 0;
    assert_true(seen);
}

/* The last plan counts, activated or not. */
static void redraws_end(void **state)
{
    struct fixture *f = *state;

    script->faults[0] = (struct fault){"inject", 0, NOT_ACTIVATED};
    assert_int_equal(run(f), 0);
    assert_int_equal(f->result.redrawn, 5 * 2);
    assert_int_equal(rows(f, false), SPEC_TRIALS);
    for (unsigned i = 0; i < f->memory.rows_len; i++)
        if (strcmp(f->memory.rows[i].class_name, GOLDEN_CLASS))
            assert_int_equal(f->memory.rows[i].index, 2);
}

static void a_stopped_campaign_goes_on(void **state)
{
    struct fixture *f = *state;

    for (unsigned at = 1; at < SPEC_TRIALS; at += 3) {
        memset(&f->memory.rows, 0, sizeof(f->memory.rows));
        f->memory.rows_len = 0;
        f->memory.stop_after = at;
        f->stop = 0;
        assert_int_equal(run(f), -EINTR);
        assert_true(f->memory.rows_len >= at);
        f->memory.stop_after = 0;
        f->stop = 0;
        assert_int_equal(run(f), 0);
        assert_int_equal(rows(f, false), SPEC_TRIALS);
    }
}

static void no_machine_is_no_result(void **state)
{
    struct fixture *f = *state;

    script->faults[0] = (struct fault){"open", 0, FAIL};
    f->jobs = 2;
    assert_int_equal(run(f), -EIO);
    assert_non_null(strstr(f->err.msg, "no machine here"));
    assert_int_equal(f->memory.rows_len, 0);
}

static void a_machine_that_starts_at_second_try(void **state)
{
    struct fixture *f = *state;

    script->faults[0] = (struct fault){"warm", 1, FAIL};
    assert_int_equal(run(f), 0);
    assert_int_equal(rows(f, false), SPEC_TRIALS);
}

static void a_full_database_ends_the_run(void **state)
{
    struct fixture *f = *state;

    f->memory.fail_after = 3;
    assert_int_equal(run(f), -ENOSPC);
    assert_string_equal(f->err.msg, "the database is full");
}

static void a_class_without_candidates_is_an_error_at_once(void **state)
{
    struct fixture *f = *state;

    strcpy(f->spec.classes[1].target, "func:nowhere");
    assert_int_equal(run(f), -ENOENT);
    assert_non_null(strstr(f->err.msg, "class TEXT, target func:nowhere: no candidate"));
    assert_int_equal(script->opened, 0);
}

static void without_snapshots_a_pair_is_two_runs(void **state)
{
    struct fixture *f = *state;

    fake_executor.snapshots = false;
    assert_int_equal(run(f), 0);
    assert_int_equal(rows(f, false), SPEC_TRIALS);
    assert_int_equal(script->counts[4], 10);
    assert_int_equal(script->counts[1], 0);
    assert_string_equal(f->memory.rows[1].pair, "two_runs");
}

static void a_bad_golden_run_is_counted(void **state)
{
    struct fixture *f = *state;

    script->faults[0] = (struct fault){"reboot", 1, NO_BOOT};
    assert_int_equal(run(f), 0);
    assert_int_equal(f->result.golden_bad, 1);
}

/* The golden run is verified at its end, after the reboot enabled, and after that disabled. */
static void a_golden_run_that_reuses_a_wrong_page_is_counted(void **state)
{
    struct fixture *f = *state;

    script->faults[0] = (struct fault){"verify", 2, WRONG_PAGE};
    assert_int_equal(run(f), 0);
    assert_int_equal(f->result.golden_bad, 1);
}

static void one_without_consistency_proves_nothing(void **state)
{
    struct fixture *f = *state;

    script->faults[0] = (struct fault){"verify", 3, WRONG_PAGE};
    assert_int_equal(run(f), 0);
    assert_int_equal(f->result.golden_bad, 0);
}

/* Each trial once, whatever the number of parts; no part without its share of a class. */
static void shards_make_the_campaign(void **state)
{
    struct fixture *f = *state;

    for (unsigned of = 1; of <= 4; of++) {
        unsigned least = SPEC_TRIALS, most = 0, before = 0;

        memset(&f->memory.rows, 0, sizeof(f->memory.rows));
        f->memory.rows_len = 0;
        for (unsigned k = 1; k <= of; k++) {
            f->shard = (struct shard){k, of};
            assert_int_equal(run(f), 0);
            assert_int_equal(f->result.done, f->result.planned);
            assert_int_equal(rows(f, false), before + f->result.done);
            before += f->result.done;
            least = f->result.done < least ? f->result.done : least;
            most = f->result.done > most ? f->result.done : most;
        }
        assert_int_equal(rows(f, false), SPEC_TRIALS);
        assert_true(most - least <= 2);
    }
    for (unsigned c = 0; c < 3; c++)
        for (unsigned k = 1; k <= 3; k++) {
            unsigned n = 0;

            for (unsigned i = 0; i < 10; i++)
                n += shard_has(&(struct shard){k, 3}, c, i);
            assert_in_range(n, 3, 4);
        }
}

static void a_database_has_one_shard(void **state)
{
    struct fixture *f = *state;
    const struct store store = {&memory_ops, &f->memory};
    const struct shard all = {0, 0}, second = {2, 3}, third = {3, 3}, other = {2, 4};

    assert_int_equal(shard_use(&second, &store, &f->err), 0);
    assert_int_equal(shard_use(&second, &store, &f->err), 0);
    assert_int_equal(shard_use(&third, &store, &f->err), -EEXIST);
    assert_non_null(strstr(f->err.msg, "holds shard 2/3 of this campaign"));
    assert_int_equal(shard_use(&other, &store, &f->err), -EEXIST);
    assert_int_equal(shard_use(&all, &store, &f->err), -EEXIST);
    assert_int_equal(f->memory.events, 1);
}

static void all_of_a_campaign_is_no_shard(void **state)
{
    struct fixture *f = *state;
    const struct store store = {&memory_ops, &f->memory};
    const struct shard all = {0, 0}, second = {2, 3};

    assert_int_equal(shard_use(&all, &store, &f->err), 0);
    assert_int_equal(run(f), 0);
    assert_int_equal(shard_use(&all, &store, &f->err), 0);
    assert_int_equal(shard_use(&second, &store, &f->err), -EEXIST);
    assert_non_null(strstr(f->err.msg, "holds all of this campaign"));
    assert_int_equal(f->memory.events, 0);
}

static void shards_as_text(void **state)
{
    static const char *const wrong[] = {"", "2", "0/3", "4/3", "1/0", "1/-3", "-1/3", "1/3x", "1/10001", "a/b",
                                        "1 of 3", "/3", "99999999999/99999999999"};
    struct fixture *f = *state;
    struct shard s;

    assert_int_equal(shard_parse("12/400", &s, &f->err), 0);
    assert_int_equal(s.number, 12);
    assert_int_equal(s.of, 400);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (shard_parse(wrong[i], &s, &f->err) != -EINVAL || !strstr(f->err.msg, "expected K/N"))
            fail_msg("'%s': %s", wrong[i], f->err.msg);
}

/* @campaigns/specs with many trials, and a rule. */
static void use_rule(struct fixture *f, const char *rule)
{
    char text[300];

    snprintf(text, sizeof(text), "name: x\nseed: 5\nclasses:\n- {class: PANIC, trials: 20}\n"
             "- {class: TEXT, trials: 4}\ngolden: 0\nretries: 1\nstop: {%s}\n", rule);
    spec_done(&f->spec);
    if (spec_parse("x.yaml", text, &f->spec, &f->err))
        fail_msg("%s", f->err.msg);
}

/* 9 without a failure bound the rate at 28.3%, 10 at 25.9%; TEXT has too few. */
static void enough_trials_end_a_class(void **state)
{
    struct fixture *f = *state;

    use_rule(f, "rate_below: 0.26");
    assert_int_equal(run(f), 0);
    assert_int_equal(f->result.planned, 48);
    assert_int_equal(f->result.done, 2 * (10 + 4));
    assert_int_equal(f->result.not_needed, 2 * 10);
    assert_string_equal(json_string_value(json_object_get(f->memory.stop_event, "class")), "PANIC");
    assert_string_equal(json_string_value(json_object_get(f->memory.stop_event, "rule")), "rate_below");
    assert_int_equal(json_integer_value(json_object_get(f->memory.stop_event, "trials")), 10);
    /* The next run adds nothing; with a stricter rule it goes on. */
    assert_int_equal(run(f), 0);
    assert_int_equal(f->result.done, 0);
    assert_int_equal(f->result.not_needed, 2 * 10);
    assert_int_equal(script->opened, 1);
    f->spec.stop.rate_below = 0.2;
    assert_int_equal(run(f), 0);
    assert_int_equal(f->result.done, 2 * 4);
    assert_int_equal(f->result.not_needed, 2 * 6);
}

static void a_failure_needs_all_trials_or_the_width(void **state)
{
    struct fixture *f = *state;

    f->memory.failures = 1;
    use_rule(f, "rate_below: 0.5");
    assert_int_equal(run(f), 0);
    assert_int_equal(f->result.done, 48);
    f->memory.rows_len = 0;
    memset(&f->memory.rows, 0, sizeof(f->memory.rows));
    /* 1 of 12: 0.2 to 38.5%, a half-width of 19.1 points; 1 of 11: 20.5. */
    use_rule(f, "rate_below: 50%, half_width: 20%");
    assert_int_equal(run(f), 0);
    assert_int_equal(f->result.done, 2 * (12 + 4));
}

/* What has begun when the rule is reached is finished, also what has to be tried again. */
static void trials_in_flight_are_finished(void **state)
{
    struct fixture *f = *state;

    for (unsigned jobs = 2; jobs <= 4; jobs++) {
        unsigned enabled = 0, disabled = 0;

        memset(&f->memory.rows, 0, sizeof(f->memory.rows));
        f->memory.rows_len = 0;
        memset(script, 0, sizeof(*script));
        script->together = jobs;
        script->faults[0] = (struct fault){"inject", 11, FAIL};
        f->jobs = jobs;
        use_rule(f, "rate_below: 0.26");
        assert_int_equal(run(f), 0);
        for (unsigned i = 0; i < f->memory.rows_len; i++) {
            enabled += f->memory.rows[i].mode == MODE_ENABLED;
            disabled += f->memory.rows[i].mode == MODE_DISABLED;
        }
        assert_int_equal(enabled, disabled);
        assert_in_range(enabled, 10 + 4, 10 + 4 + jobs);
        assert_int_equal(rows(f, true), 0);
        assert_int_equal(f->result.done + f->result.not_needed, f->result.planned);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_done_once),
        TEST(a_second_run_does_nothing),
        TEST(three_workers_share),
        TEST(an_error_is_retried),
        TEST(errors_end_as_errors_and_are_tried_by_the_next_run),
        TEST(half_a_pair_is_kept),
        TEST(half_a_pair_keeps_its_plan),
        TEST(a_dead_worker_is_replaced),
        TEST(plans_are_drawn_again),
        TEST(redraws_end),
        TEST(a_stopped_campaign_goes_on),
        TEST(no_machine_is_no_result),
        TEST(a_machine_that_starts_at_second_try),
        TEST(a_full_database_ends_the_run),
        TEST(a_class_without_candidates_is_an_error_at_once),
        TEST(without_snapshots_a_pair_is_two_runs),
        TEST(a_bad_golden_run_is_counted),
        TEST(a_golden_run_that_reuses_a_wrong_page_is_counted),
        TEST(one_without_consistency_proves_nothing),
        TEST(shards_make_the_campaign),
        TEST(a_database_has_one_shard),
        TEST(all_of_a_campaign_is_no_shard),
        TEST(shards_as_text),
        TEST(enough_trials_end_a_class),
        TEST(a_failure_needs_all_trials_or_the_width),
        TEST(trials_in_flight_are_finished),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
