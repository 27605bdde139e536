// SPDX-License-Identifier: GPL-2.0-or-later
#include "campaigns/planner.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "injector/addresses.h"
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

/* Opened when it is first needed. */
static int source_open(struct injector_planner *p, struct err *err)
{
    if (p->source)
        return 0;
    if (!p->vmlinux)
        return err_set(err, ENOENT, "no kernel with symbols to draw plans from: run 'make testbed', "
                       "or name one with --vmlinux");
    return plan_source_open(p->vmlinux, &p->source, err);
}

static int injector_draw(void *ctx, const struct spec *spec, const struct spec_class *c,
                         uint64_t seed, unsigned index, json_t **ret, struct err *err)
{
    const struct fault_class *class = fault_class_find(c->class_name);
    struct injector_planner *p = ctx;
    struct plan plan;
    int r = class->kind == FAULT_TEXT ? source_open(p, err) : 0;

    if (r)
        return r;
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

int planner_open(const char *vmlinux, const char *module, struct planner *ret, struct err *err)
{
    struct injector_planner *p = calloc(1, sizeof(*p));
    int r = 0;

    if (p && vmlinux)
        p->vmlinux = strdup(vmlinux);
    if (!p || (vmlinux && !p->vmlinux)) {
        free(p);
        return err_set(err, ENOMEM, "out of memory");
    }
    *ret = (struct planner){&injector_ops, p};
    if (module && *module)
        r = source_open(p, err);
    if (!r && p->source)
        r = plan_source_use_module(p->source, module, err);
    if (r)
        planner_close(ret);
    return r;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Add @more to the ascending @va, without what is there already. Frees @more. */
static int merge(uint64_t **va, size_t *len, uint64_t *more, size_t n, struct err *err)
{
    uint64_t *p = reallocarray(*va, *len + n + 1, sizeof(*p));
    size_t to = 0;

    if (!p) {
        free(more);
        return err_set(err, ENOMEM, "out of memory");
    }
    memcpy(p + *len, more, n * sizeof(*p));
    free(more);
    n += *len;
    qsort(p, n, sizeof(*p), compare);
    for (size_t i = 0; i < n; i++)
        if (!to || p[i] != p[to - 1])
            p[to++] = p[i];
    *va = p;
    *len = to;
    return 0;
}

int planner_blocks(struct planner *planner, const struct spec *spec, json_t **ret_profile,
                   char **ret_blocks, struct err *err)
{
    struct injector_planner *p = planner->ctx;
    json_t *targets = json_array();
    uint64_t *va = NULL, *more;
    char build_id_va[24];
    size_t len = 0, n;
    int r = source_open(p, err);

    for (unsigned i = 0; !r && i < spec->classes_len; i++) {
        const struct spec_class *c = &spec->classes[i];

        if (fault_class_find(c->class_name)->kind != FAULT_TEXT)
            continue;
        r = plan_blocks(p->source, c->target, &more, &n, err);
        if (!r)
            r = merge(&va, &len, more, n, err);
        json_array_append_new(targets, json_string(c->target));
    }
    if (!r && !len)
        r = err_set(err, ENODATA, "%s: no class changes the kernel's text", spec->path);
    *ret_blocks = r ? NULL : addresses_format(va, len);
    free(va);
    snprintf(build_id_va, sizeof(build_id_va), "0x%" PRIx64,
             r ? 0 : plan_source_build_id_va(p->source));
    *ret_profile = r ? NULL : json_pack("{s:s, s:s, s:O, s:I}", "build_id",
                                        plan_source_build_id(p->source), "build_id_va", build_id_va,
                                        "targets", targets, "blocks", (json_int_t)len);
    json_decref(targets);
    if (r || (*ret_blocks && *ret_profile))
        return r;
    free(*ret_blocks);
    json_decref(*ret_profile);
    return err_set(err, ENOMEM, "out of memory");
}

int planner_use_profile(struct planner *planner, const json_t *profile, struct err *err)
{
    struct injector_planner *p = planner->ctx;
    struct profile *parsed;
    int r = source_open(p, err);

    if (!r)
        r = profile_from_json(profile, &parsed, err);
    return r ? r : plan_source_set_profile(p->source, parsed, err);
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
