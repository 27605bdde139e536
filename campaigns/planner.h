/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plans for trials, as the JSON that the agent and the database get. */
#ifndef WCR_CAMPAIGNS_PLANNER_H
#define WCR_CAMPAIGNS_PLANNER_H

#include <jansson.h>

#include "campaigns/spec.h"
#include "lib/err.h"

struct planner_ops {
    /* The plan of (class, seed, index): the same every time. */
    int (*draw)(void *ctx, const struct spec *spec, const struct spec_class *c, uint64_t seed,
                unsigned index, json_t **ret, struct err *err);
};

struct planner {
    const struct planner_ops *ops;
    void *ctx;
};

/*
 * Plans of the injector, against this kernel, which is opened when a class first needs it; or against
 * this module of it (NULL or "": none).
 */
int planner_open(const char *vmlinux, const char *module, struct planner *ret, struct err *err);
void planner_close(struct planner *planner);

/*
 * The blocks of the text classes' targets, as addresses.h has them, and the profile that is to
 * be made of them, without "executed". Both are the caller's. -ENODATA: no class has a target.
 */
int planner_blocks(struct planner *planner, const struct spec *spec, json_t **ret_profile,
                   char **ret_blocks, struct err *err);
/* From now on only what the profile says was executed is drawn. */
int planner_use_profile(struct planner *planner, const json_t *profile, struct err *err);

/* The delay before the injection: uniform in the spec's range, from (class, seed, index) alone. */
unsigned planner_delay_ms(const struct spec *spec, const char *class_name, uint64_t seed,
                          unsigned index);

#endif
