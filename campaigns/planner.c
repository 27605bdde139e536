// SPDX-License-Identifier: GPL-2.0-or-later
#include "campaigns/planner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "injector/plan.h"

struct injector_planner {
    char *vmlinux;
    struct plan_source *source;
};

/* splitmix64's finaliser: every bit of the input matters to every bit of the output. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

unsigned planner_delay_ms(const struct spec *spec, const char *class_name, uint64_t seed,
                          unsigned index)
{
    uint64_t h = mix(seed + 0x9e3779b97f4a7c15);
    uint64_t span = (uint64_t)spec->delay_max_ms - spec->delay_min_ms + 1;

    for (; *class_name; class_name++)
        h = mix(h + (unsigned char)*class_name);
    h = mix(h + index);
    return spec->delay_min_ms + (unsigned)(h % span);
}

static int injector_draw(void *ctx, const struct spec *spec, const struct spec_class *c,
                         uint64_t seed, unsigned index, json_t **ret, struct err *err)
{
    const struct fault_class *class = fault_class_find(c->class_name);
    struct injector_planner *p = ctx;
    struct plan plan;
    int r;

    if (class->kind == FAULT_TEXT && !p->source) {
        if (!p->vmlinux)
            return err_set(err, ENOENT,
                           "no kernel with symbols to draw plans from: run 'make testbed', or "
                           "name one with --vmlinux");
        r = plan_source_open(p->vmlinux, &p->source, err);
        if (r)
            return r;
    }
    r = plan_draw(p->source, class->name, c->target, seed, index, &plan, err);
    if (r)
        return r;
    plan.delay_ms = planner_delay_ms(spec, c->class_name, seed, index);
    if (c->rate_hi) {
        plan.rate_lo = c->rate_lo;
        plan.rate_hi = c->rate_hi;
    }
    *ret = plan_to_json(&plan);
    return *ret ? 0 : err_set(err, ENOMEM, "out of memory");
}

static const struct planner_ops injector_ops = {injector_draw};

int planner_open(const char *vmlinux, struct planner *ret, struct err *err)
{
    struct injector_planner *p = calloc(1, sizeof(*p));

    if (p && vmlinux)
        p->vmlinux = strdup(vmlinux);
    if (!p || (vmlinux && !p->vmlinux)) {
        free(p);
        return err_set(err, ENOMEM, "out of memory");
    }
    *ret = (struct planner){&injector_ops, p};
    return 0;
}

void planner_close(struct planner *planner)
{
    struct injector_planner *p = planner->ctx;

    if (!p)
        return;
    plan_source_free(p->source);
    free(p->vmlinux);
    free(p);
    planner->ctx = NULL;
}
