// SPDX-License-Identifier: GPL-2.0-or-later
/* What became of the guest. */
#include "campaigns/agent/guest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "campaigns/agent/clock.h"
#include "campaigns/agent/fault.h"
#include "campaigns/agent/proto.h"

#define STATUS_MS 50
#define IMPATIENT_MS 2
#define SUSPECT_MS 500
#define FLUSH_MS 60
#define EXCERPT 6000
#define DEADLINE_MAX_MS 3600000

/* Signs of life: init, and each worker. */
struct pulse {
    uint64_t beat;
    uint64_t changed_ns;
    uint64_t still_ns;          /* how long it was seen to stand still while no disk worked */
};

struct watch {
    struct pulse pulse[1 + STATUS_WORKERS];
    uint64_t status_ns;         /* when the status disk was read last */
    uint64_t first_oops_ns;     /* 0: none */
    uint64_t first_death_ns;
};

static void pulse_take(struct pulse *p, uint64_t beat, uint64_t now, uint64_t still_ns)
{
    if (beat == p->beat && p->changed_ns) {
        p->still_ns += still_ns;
        return;
    }
    *p = (struct pulse){.beat = beat, .changed_ns = now};
}

/*
 * While a disk works, standing still is no hang. And an emulator that skips idle time lets
 * the clock run far ahead of its disks, this process's own reads included: so an interval
 * counts for no more than it should have been.
 */
static uint64_t still_since(const struct agent *a, const struct watch *w, uint64_t now)
{
    uint64_t ns = now - w->status_ns;

    if (guest_io_pending(a))
        return 0;
    return ns < ms_to_ns(2 * STATUS_MS) ? ns : ms_to_ns(2 * STATUS_MS);
}

static int status_take(struct agent *a, struct watch *w, struct err *err)
{
    uint64_t now = clock_ns(), still;
    int r;

    if (now - w->status_ns < ms_to_ns(STATUS_MS))
        return 0;
    still = still_since(a, w, now);
    r = status_reader_poll(&a->status, a->run_id, err);
    if (r)
        return r;
    w->status_ns = clock_ns();
    pulse_take(&w->pulse[0], a->status.head.heartbeat, now, still);
    for (unsigned i = 0; i < a->status.head.workers; i++) {
        const struct status_worker *s = &a->status.workers[i];

        if (s->state == WORKER_RUNS) {
            pulse_take(&w->pulse[1 + i], s->heartbeat, now, still);
        } else {
            /* A worker that was asked to stand still, or is dead, hangs nowhere. */
            w->pulse[1 + i] = (struct pulse){.changed_ns = now};
            if (s->state == WORKER_DEAD && !w->first_death_ns)
                w->first_death_ns = now;
        }
    }
    return 0;
}

/* Of all signs of life the one that has been missing longest. */
static const struct pulse *last_pulse(const struct agent *a, const struct watch *w)
{
    const struct pulse *ret = &w->pulse[0];

    for (unsigned i = 0; i < a->status.head.workers; i++)
        if (w->pulse[1 + i].still_ns > ret->still_ns)
            ret = &w->pulse[1 + i];
    return ret;
}

static uint64_t first_trouble(const struct watch *w)
{
    if (!w->first_oops_ns || (w->first_death_ns && w->first_death_ns < w->first_oops_ns))
        return w->first_death_ns;
    return w->first_oops_ns;
}

/* true: *ret is complete but for what comes with the freeze. */
static bool decide(struct agent *a, const struct watch *w, uint64_t deadline_ns,
                   const struct activation *act, struct observation *ret)
{
    uint64_t now = clock_ns(), trouble = first_trouble(w);
    const struct pulse *pulse = last_pulse(a, w);

    if (ret->domain.state != DOMAIN_RUNNING && ret->domain.state != DOMAIN_PAUSED) {
        ret->outcome = "kernel_crash";
        ret->event_ns = now;
        return true;
    }
    if (pulse->still_ns >= ms_to_ns(a->opt.hang_ms)) {
        ret->outcome = "hang";
        ret->event_ns = pulse->changed_ns;
        return true;
    }
    /* Heartbeats that stopped just now decide later. */
    if (pulse->still_ns >= ms_to_ns(SUSPECT_MS))
        return false;
    if (trouble && (now - trouble >= ms_to_ns(a->opt.settle_ms) || now >= deadline_ns)) {
        ret->outcome = "process_crash";
        ret->event_ns = trouble;
        return true;
    }
    if (act && act->known && !act->activated && act->deadline_ns && act->deadline_ns < deadline_ns)
        deadline_ns = act->deadline_ns;
    if (!trouble && now >= deadline_ns) {
        ret->outcome = "no_crash";
        ret->event_ns = now;
        return true;
    }
    return false;
}

/* The console's last words come through xenconsoled, a little later. */
static void console_flush(struct agent *a)
{
    uint64_t end = clock_ns() + ms_to_ns(FLUSH_MS);

    do {
        nap(POLL_MS, -1);
        console_poll(&a->console);
    } while (!deadline_over(end));
}

int observe(struct agent *a, uint64_t deadline_ns, struct activation *act,
            struct observation *ret, struct err *err)
{
    struct watch w = {.status_ns = clock_ns()};
    bool impatient = false;
    int r;

    *ret = (struct observation){0};
    for (unsigned i = 0; i < 1 + STATUS_WORKERS; i++)
        w.pulse[i].changed_ns = w.status_ns;
    for (;;) {
        int fd;

        console_poll(&a->console);
        if (a->console.oops.seen && !w.first_oops_ns)
            w.first_oops_ns = clock_ns();
        r = act ? fault_poll(a, act, err) : 0;
        if (!r)
            r = status_take(a, &w, err);
        if (!r)
            r = xen_domain_info(a->xen, a->domid, &ret->domain, err);
        if (r)
            return r;
        if (decide(a, &w, deadline_ns, act, ret))
            break;
        fd = act ? fault_fd(a, &impatient) : -1;
        nap(impatient ? IMPATIENT_MS : POLL_MS, fd >= 0 ? fd : xen_watch_fd(a->xen));
        xen_watch_drain(a->xen);
    }
    console_flush(a);
    if (act)
        r = fault_poll(a, act, err);
    /* A guest that hangs cannot always say why: its console may be what hangs. */
    if (act && !act->activated && !act->exact && strcmp(ret->outcome, "hang") == 0)
        act->known = false;
    if (!r)
        r = guest_freeze(a, err);
    /* The last of what the workload wrote. */
    if (!r)
        r = status_reader_poll(&a->status, a->run_id, err);
    return r;
}

static json_t *excerpt(const struct console *c)
{
    size_t n = c->tail_len < EXCERPT ? c->tail_len : EXCERPT;

    return json_stringn_nocheck(c->tail + c->tail_len - n, n);
}

static uint64_t ops_total(const struct agent *a, uint64_t *ret_errors, uint64_t *ret_content)
{
    uint64_t n = 0;

    *ret_errors = *ret_content = 0;
    for (unsigned i = 0; i < a->status.head.workers; i++) {
        n += a->status.workers[i].ops;
        *ret_errors += a->status.workers[i].op_errors;
        *ret_content += a->status.workers[i].content_errors;
    }
    return n;
}

static json_t *outcome_reply(struct agent *a, const struct observation *o, uint64_t inject_ns,
                             const struct activation *act)
{
    uint64_t errors, content, ops = ops_total(a, &errors, &content);
    uint64_t since = act && act->activated ? act->activated_ns : inject_ns;
    bool ended = o->domain.state == DOMAIN_CRASHED || o->domain.state == DOMAIN_SHUTDOWN;
    bool crash = strcmp(o->outcome, "no_crash") != 0;
    char signature[256];
    json_t *j;

    oops_signature(&a->console.oops, signature, sizeof(signature));
    j = json_pack("{s:s, s:I, s:s, s:o, s:I, s:I, s:I, s:b, s:b}", "outcome", o->outcome,
                  "inject_ns", (json_int_t)inject_ns, "signature", signature, "console",
                  excerpt(&a->console), "ops", (json_int_t)ops, "op_errors", (json_int_t)errors,
                  "content_errors", (json_int_t)content, "fs_error", a->console.oops.fs_error,
                  "oom", a->console.oops.oom);
    if (!j)
        return NULL;
    json_object_set_new(j, "activated", !act ? json_null() : act->activated ? json_true() :
                        act->known ? json_false() : json_null());
    json_object_set_new(j, "activated_ns", act && act->activated ?
                        json_integer((json_int_t)act->activated_ns) : json_null());
    json_object_set_new(j, "detect_ns", crash && o->event_ns > since ?
                        json_integer((json_int_t)(o->event_ns - since)) :
                        crash ? json_integer(0) : json_null());
    json_object_set_new(j, "shutdown_reason", ended ?
                        json_string(xen_shutdown_name(o->domain.shutdown_reason)) : json_null());
    return j;
}

static int ready_for_trial(struct agent *a, struct err *err)
{
    int r = guest_require(a, err);

    if (!r && (!a->started || a->rebooted))
        r = err_set(err, EBUSY, "the guest does not run the workload: guest_start comes first");
    return r ? r : guest_thaw(a, err);
}

/* With "blocks", those of the kernel's that were executed are "executed" in the reply. */
int guest_golden(struct agent *a, const json_t *q, json_t **ret, struct err *err)
{
    bool watch = json_object_get(q, "blocks") != NULL;
    struct activation none = {0};
    struct observation o;
    json_t *executed = NULL;
    uint64_t run_ms, start;
    int r;

    r = request_uint(q, "run_ms", 2000, 1, DEADLINE_MAX_MS, &run_ms, err);
    if (!r)
        r = ready_for_trial(a, err);
    if (r)
        return r;
    console_poll(&a->console);
    console_mark(&a->console);
    start = clock_ns();
    if (watch)
        r = fault_watch(a, q, err);
    if (!r)
        r = observe(a, start + ms_to_ns(run_ms), watch ? &none : NULL, &o, err);
    if (!r && watch)
        r = fault_executed(a, &executed, err);
    fault_release(a);
    if (r)
        return r;
    *ret = outcome_reply(a, &o, start, NULL);
    if (watch)
        json_object_set_new(*ret, "executed", executed);
    return 0;
}

/* The workload goes on for a while, so that a fault does not always meet the same instant. */
static void delay(struct agent *a, uint64_t ms)
{
    uint64_t end = clock_ns() + ms_to_ns(ms);

    while (!deadline_over(end)) {
        uint64_t left = (end - clock_ns()) / 1000000;

        console_poll(&a->console);
        nap(left < POLL_MS ? (int)left + 1 : POLL_MS, -1);
    }
}

int guest_inject(struct agent *a, const json_t *q, json_t **ret, struct err *err)
{
    struct activation act = {0};
    struct observation o;
    uint64_t delay_ms, deadline_ms, activation_ms, inject_ns;
    int r;

    r = request_uint(q, "delay_ms", 0, 0, DEADLINE_MAX_MS, &delay_ms, err);
    if (!r)
        r = request_uint(q, "deadline_ms", 10000, 1, DEADLINE_MAX_MS, &deadline_ms, err);
    if (!r)
        r = request_uint(q, "activation_ms", 0, 0, DEADLINE_MAX_MS, &activation_ms, err);
    if (!r)
        r = ready_for_trial(a, err);
    if (r)
        return r;
    delay(a, delay_ms);
    console_poll(&a->console);
    console_mark(&a->console);
    r = fault_inject(a, q, err);
    if (r)
        return r;
    inject_ns = clock_ns();
    if (a->console.activated_ns)
        inject_ns = a->console.activated_ns;    /* it struck while it was loaded */
    if (activation_ms)
        act.deadline_ns = inject_ns + ms_to_ns(activation_ms);
    r = observe(a, inject_ns + ms_to_ns(deadline_ms), &act, &o, err);
    if (!r)
        *ret = outcome_reply(a, &o, inject_ns, &act);
    fault_release(a);
    return r;
}
