// SPDX-License-Identifier: GPL-2.0-or-later
#include "campaigns/agent/fault.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "campaigns/agent/clock.h"
#include "campaigns/agent/proto.h"
#include "injector/addresses.h"
#include "injector/coverage.h"
#include "injector/inject.h"

#define LOAD_MS 30000
#define COMMAND_MAX 480
#define TAIL_MAX 400
#define TAIL(c) (int)((c)->tail_len < TAIL_MAX ? (c)->tail_len : TAIL_MAX), \
    (c)->tail + ((c)->tail_len < TAIL_MAX ? 0 : (c)->tail_len - TAIL_MAX)

/* A word that may stand on the guest's command line. */
static bool is_word(const char *s)
{
    if (!*s)
        return false;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && *s != '_')
            return false;
    return true;
}

/* "stap CLASS name=value..." from {"params": {...}} */
static int command_build(const char *class_name, const json_t *params, char *ret, size_t size,
                         struct err *err)
{
    const char *name;
    json_t *value;
    size_t len = (size_t)snprintf(ret, size, "stap %s", class_name);

    if (!is_word(class_name))
        return err_set(err, EINVAL, "'class' is not the name of a fault class");
    if (params && !json_is_object(params))
        return err_set(err, EINVAL, "'params': expected an object");
    json_object_foreach((json_t *)params, name, value) {
        if (!is_word(name) || !json_is_integer(value))
            return err_set(err, EINVAL, "'params': expected names with integer values");
        len += (size_t)snprintf(ret + len, size - len, " %s=%" JSON_INTEGER_FORMAT, name,
                                json_integer_value(value));
        if (len >= size)
            return err_set(err, E2BIG, "'params': too many");
    }
    return 0;
}

static bool guest_ended(struct agent *a)
{
    struct domain_info info;

    return xen_domain_info(a->xen, a->domid, &info, NULL) == 0 &&
           info.state != DOMAIN_RUNNING && info.state != DOMAIN_PAUSED;
}

/* A fault may strike before the guest could say that it was loaded. */
static bool struck(struct agent *a)
{
    return a->console.activated_ns || a->console.oops.seen || guest_ended(a);
}

static int runtime_inject(struct agent *a, const char *class_name, const json_t *params,
                          struct err *err)
{
    uint64_t deadline = clock_ns() + ms_to_ns(LOAD_MS);
    char line[COMMAND_MAX];
    int r = command_build(class_name, params, line, sizeof(line), err);

    if (!r)
        r = guest_send(a, line, err);
    while (!r) {
        console_poll(&a->console);
        if (a->console.answered)
            break;
        if (struck(a))
            return 0;
        if (deadline_over(deadline))
            return err_set(err, ETIMEDOUT, "the guest did not load the fault '%s' in %d ms",
                           class_name, LOAD_MS);
        nap(POLL_MS, xen_watch_fd(a->xen));
        xen_watch_drain(a->xen);
    }
    if (!r && a->console.answer_rc)
        r = err_set(err, EIO, "the guest could not load the fault '%s': rc %d (negative: errno; "
                    "127: no staprun; else staprun's); console ends: %.*s", class_name,
                    a->console.answer_rc, TAIL(&a->console));
    return r;
}

/*
 * The fault is written when the site is first reached, so that its time is known. Where the
 * hypervisor cannot tell of that, it is written at once and nobody learns of it.
 */
static int text_inject(struct agent *a, const json_t *plan, struct err *err)
{
    struct text_fault fault;
    int r = text_fault_from_json(plan, &fault, err);

    if (r)
        return r;
    a->injection_blind = false;
    r = inject_text_begin(a->domid, 0, &fault, INJECTION_AT_HIT, &a->injection, err);
    if (r == -EOPNOTSUPP) {
        a->injection_blind = true;
        r = inject_text_begin(a->domid, 0, &fault, INJECTION_AT_ONCE, &a->injection, err);
    }
    return r;
}

int fault_inject(struct agent *a, const json_t *request, struct err *err)
{
    const json_t *plan = json_object_get(request, "plan"), *params;
    char class_name[32];
    int r = request_string(request, "class", NULL, class_name, sizeof(class_name), err);

    if (r)
        return r;
    fault_release(a);
    if (json_object_get(plan, "va"))
        return text_inject(a, plan, err);
    params = json_object_get(request, "params");
    return runtime_inject(a, class_name, params ? params : json_object_get(plan, "params"), err);
}

int fault_watch(struct agent *a, const json_t *request, struct err *err)
{
    const char *text = json_string_value(json_object_get(request, "blocks"));
    struct guest_kernel kernel;
    int r;

    if (!text)
        return err_set(err, EINVAL, "'blocks': expected a string of addresses");
    fault_release(a);
    free(a->blocks);
    a->blocks = NULL;
    r = addresses_parse(text, &a->blocks, &a->blocks_len, err);
    if (!r)
        r = guest_kernel_from_json(request, &kernel, err);
    return r ? r : coverage_begin(a->domid, &kernel, a->blocks, a->blocks_len, &a->coverage, err);
}

int fault_executed(struct agent *a, json_t **ret, struct err *err)
{
    bool *hit = calloc(a->blocks_len, sizeof(*hit));
    char *text = NULL;
    size_t n = 0;
    int r;

    if (!hit)
        return err_set(err, ENOMEM, "out of memory");
    r = coverage_end(a->coverage, hit, err);
    a->coverage = NULL;
    for (size_t i = 0; i < a->blocks_len; i++)
        if (hit[i])
            a->blocks[n++] = a->blocks[i];
    a->blocks_len = n;
    free(hit);
    if (!r)
        text = addresses_format(a->blocks, n);
    *ret = text ? json_string(text) : NULL;
    free(text);
    return r || *ret ? r : err_set(err, ENOMEM, "out of memory");
}

static int text_poll(struct agent *a, struct activation *act, struct err *err)
{
    bool activated = act->activated;
    int r;

    act->exact = act->known = !a->injection_blind;
    if (a->injection_blind)
        return 0;
    r = inject_poll(a->injection, &activated, err);
    if (!r && activated && !act->activated) {
        act->activated = true;
        act->activated_ns = clock_ns();
    }
    return r;
}

int fault_poll(struct agent *a, struct activation *act, struct err *err)
{
    if (a->coverage)
        return coverage_poll(a->coverage, err);
    if (a->injection)
        return text_poll(a, act, err);
    act->known = true;
    if (!act->activated && a->console.activated_ns) {
        act->activated = true;
        act->activated_ns = a->console.activated_ns;
    }
    return 0;
}

int fault_fd(struct agent *a, bool *ret_impatient)
{
    bool armed = a->coverage || (a->injection && !a->injection_blind);
    int fd = armed && !a->coverage ? inject_fd(a->injection) : -1;

    *ret_impatient = armed && fd < 0;
    return fd;
}

void fault_release(struct agent *a)
{
    if (a->injection)
        inject_end(a->injection, NULL);
    a->injection = NULL;
    coverage_end(a->coverage, NULL, NULL);
    a->coverage = NULL;
}
