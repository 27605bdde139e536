// SPDX-License-Identifier: GPL-2.0-or-later
#include "campaigns/trial.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "testbed/jsonl.h"

/*
 * Wall time given to a request that takes @virtual_ms of the machine's time at
 * most: emulation is slower than the clock it shows, and the machine may be busy.
 */
static int64_t wall_limit(unsigned virtual_ms)
{
    return 60000 + 10 * (int64_t)virtual_ms;
}

struct state {
    const struct trial_runner *t;
    const json_t *job;
    json_t *phases;         /* name -> seconds, of the steps up to the first reboot */
    json_t *own_phases;     /* of the mode being worked on; NULL outside */
    char crash_id[33];      /* names the injection, and so the crash, of these trials */
    json_t *inject;         /* reply */
    json_t *crash;          /* reply to verify at the crash */
    int64_t started;
};

static int tell(struct state *s, json_t *message, struct err *err)
{
    if (!message)
        return err_set(err, ENOMEM, "out of memory");
    json_object_set(message, "job", json_object_get(s->job, "job"));
    return s->t->emit(s->t->emit_ctx, message, err);
}

static int phase_begin(struct state *s, const char *name, int64_t *ret_start, struct err *err)
{
    *ret_start = wall_ms();
    return tell(s, json_pack("{s:s, s:s}", "type", "phase", "phase", name), err);
}

static void phase_end(struct state *s, const char *name, int64_t start)
{
    json_t *phases = s->own_phases ? s->own_phases : s->phases;

    json_object_set_new(phases, name, json_real((double)(wall_ms() - start) / 1000));
}

static int restore(struct state *s, enum executor_point point, struct err *err)
{
    bool cold = false;
    int64_t start;
    int r;

    r = phase_begin(s, "restore", &start, err);
    if (r)
        return r;
    r = s->t->ops->restore(s->t->executor, point, &cold, err);
    if (!r)
        phase_end(s, cold ? "boot" : point == POINT_WARM ? "restore_warm" : "restore_crash", start);
    return r;
}

/* A request, as a phase of its own. @request is stolen. */
static int step(struct state *s, const char *name, json_t *request, unsigned virtual_ms,
                json_t **ret, struct err *err)
{
    int64_t start;
    int r;

    if (!request)
        return err_set(err, ENOMEM, "out of memory");
    r = phase_begin(s, name, &start, err);
    if (!r)
        r = s->t->ops->call(s->t->executor, request, wall_limit(virtual_ms), ret, err);
    if (!r)
        phase_end(s, name, start);
    json_decref(request);
    return r;
}

static json_t *inject_request(const struct state *s)
{
    const struct spec *spec = s->t->spec;
    json_t *request, *plan;

    if (json_is_true(json_object_get(s->job, "golden")))
        return json_pack("{s:s, s:i}", "cmd", "golden", "run_ms", (int)spec->golden_run_ms);
    plan = json_object_get(s->job, "plan");
    request = json_pack("{s:s, s:O, s:i}", "cmd", "inject", "class",
                        json_object_get(s->job, "class"), "deadline_ms", (int)spec->deadline_ms);
    if (!request)
        return NULL;
    if (spec->require_activation)
        json_object_set_new(request, "activation_ms", json_integer((json_int_t)spec->activation_ms));
    /* The agent takes "params" or "plan" by class, and the delay beside them. */
    if (json_object_get(plan, "delay_ms"))
        json_object_set(request, "delay_ms", json_object_get(plan, "delay_ms"));
    if (json_object_get(plan, "params"))
        json_object_set(request, "params", json_object_get(plan, "params"));
    json_object_set(request, "plan", plan);
    return request;
}

static int new_crash_id(struct state *s, struct err *err)
{
    unsigned char random[16];

    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        return err_set(err, errno, "no random numbers: %s", strerror(errno));
    for (unsigned i = 0; i < sizeof(random); i++)
        snprintf(s->crash_id + 2 * i, 3, "%02x", random[i]);
    return 0;
}

/* From the warm machine to the crash, verified. Fills s->inject and s->crash. */
static int injection(struct state *s, struct err *err)
{
    const struct spec *spec = s->t->spec;
    bool golden = json_is_true(json_object_get(s->job, "golden"));
    int r;

    json_decref(s->inject);
    json_decref(s->crash);
    s->inject = s->crash = NULL;
    r = new_crash_id(s, err);
    if (!r)
        r = restore(s, POINT_WARM, err);
    if (!r)
        r = step(s, golden ? "golden" : "inject", inject_request(s),
                 golden ? spec->golden_run_ms : spec->deadline_ms + spec->delay_max_ms, &s->inject,
                 err);
    if (r)
        return r;
    if (!json_is_string(json_object_get(s->inject, "outcome")))
        return err_set(err, EPROTO, "agent, 'inject': the reply names no outcome");
    return 0;
}

static int verify_crash(struct state *s, struct err *err)
{
    return step(s, "verify_crash", json_pack("{s:s, s:s}", "cmd", "verify", "when", "crash"),
                s->t->spec->boot_deadline_ms, &s->crash, err);
}

static int save_crash(struct state *s, struct err *err)
{
    int64_t start;
    int r;

    r = phase_begin(s, "save_crash", &start, err);
    if (!r)
        r = s->t->ops->save(s->t->executor, POINT_CRASH, err);
    if (!r)
        phase_end(s, "save_crash", start);
    return r;
}

/* The trial as the parent records it: everything the agent said, in one object. */
static json_t *trial_message(struct state *s, const char *mode, const char *pair,
                             const json_t *reboot, const json_t *verify)
{
    json_t *m = json_pack("{s:s, s:s, s:s, s:s, s:O, s:O, s:O?, s:O?}", "type", "trial", "mode",
                          mode, "pair", pair, "crash_id", s->crash_id, "inject", s->inject,
                          "crash", s->crash, "reboot", reboot, "verify", verify);
    json_t *phases = json_copy(s->phases);

    if (!m || !phases) {
        json_decref(m);
        json_decref(phases);
        return NULL;
    }
    json_object_update(phases, s->own_phases);
    json_object_set_new(m, "phases", phases);
    json_object_set_new(m, "wall_s", json_real((double)(wall_ms() - s->started) / 1000));
    return m;
}

/* The next trial starts here: what was shared is not counted twice. */
static void next_trial(struct state *s)
{
    json_decref(s->own_phases);
    s->own_phases = NULL;
    json_object_clear(s->phases);
    s->started = wall_ms();
}

static int reboot_mode(struct state *s, const char *mode, const char *pair, struct err *err)
{
    const struct spec *spec = s->t->spec;
    json_t *reboot = NULL, *verify = NULL;
    int r;

    r = step(s, "reboot",
             json_pack("{s:s, s:s, s:i}", "cmd", "reboot", "mode", mode, "deadline_ms",
                       (int)spec->boot_deadline_ms),
             spec->boot_deadline_ms, &reboot, err);
    if (r)
        return r;
    /* A guest that did not boot again has reused nothing that could be looked at. */
    if (json_is_true(json_object_get(reboot, "booted")))
        r = step(s, "verify", json_pack("{s:s, s:s}", "cmd", "verify", "when", "reboot"),
                 spec->boot_deadline_ms, &verify, err);
    if (!r)
        r = tell(s, trial_message(s, mode, pair, reboot, verify), err);
    json_decref(reboot);
    json_decref(verify);
    return r;
}

static int not_activated(struct state *s, struct err *err)
{
    return tell(s, json_pack("{s:s, s:O}", "type", "not_activated", "inject", s->inject), err);
}

/* One crash serves every mode. */
static int run_modes_exact(struct state *s, const json_t *modes, struct err *err)
{
    size_t n = json_array_size(modes);
    int r = 0;

    if (n > 1)
        r = save_crash(s, err);
    for (size_t i = 0; i < n && !r; i++) {
        s->own_phases = json_object();
        if (i > 0)
            r = restore(s, POINT_CRASH, err);
        if (!r)
            r = reboot_mode(s, json_string_value(json_array_get(modes, i)), "snapshot", err);
        next_trial(s);
    }
    return r;
}

int trial_run(const struct trial_runner *t, const json_t *job, struct err *err)
{
    struct state s = {.t = t, .job = job, .phases = json_object(), .started = wall_ms()};
    const json_t *modes = json_object_get(job, "modes");
    bool redraw = json_is_true(json_object_get(job, "activation"));
    size_t runs = t->ops->snapshots ? 1 : json_array_size(modes);
    int r = 0;

    for (size_t i = 0; i < runs && !r; i++) {
        r = injection(&s, err);
        if (r)
            break;
        if (redraw && i == 0 && json_is_false(json_object_get(s.inject, "activated"))) {
            r = not_activated(&s, err);
            break;
        }
        r = verify_crash(&s, err);
        if (r)
            break;
        if (t->ops->snapshots) {
            r = run_modes_exact(&s, modes, err);
        } else {
            /* Without snapshots a pair is two runs of one plan. */
            s.own_phases = json_object();
            r = reboot_mode(&s, json_string_value(json_array_get(modes, i)), "two_runs", err);
            next_trial(&s);
        }
    }
    json_decref(s.own_phases);
    json_decref(s.phases);
    json_decref(s.inject);
    json_decref(s.crash);
    return r;
}
